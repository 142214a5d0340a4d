/*
 * sndif: which frames of a buffer the guest wrote and nobody played yet
 *
 * A bit for each frame: guests may write in any order, and no order makes
 * this larger or slower.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-marks.h"

#define WORD_BITS   64u

int xen_sndif_marks_init(XenSndifMarks *marks, uint32_t count)
{
    marks->words = g_try_new0(uint64_t, count / WORD_BITS + 1);
    marks->count = count;
    return marks->words ? 0 : -ENOMEM;
}

void xen_sndif_marks_free(XenSndifMarks *marks)
{
    g_free(marks->words);
    memset(marks, 0, sizeof(*marks));
}

/* Bits from @first on, @count of them, none beyond the word */
static uint64_t word_mask(uint32_t first, uint32_t count)
{
    uint64_t all = count < WORD_BITS ? (1ULL << count) - 1 : UINT64_MAX;

    return all << first;
}

void xen_sndif_marks_set(XenSndifMarks *marks, uint32_t first, uint32_t count,
                         bool mark)
{
    while (count) {
        uint32_t bit = first % WORD_BITS;
        uint32_t n = MIN(count, WORD_BITS - bit);

        if (mark) {
            marks->words[first / WORD_BITS] |= word_mask(bit, n);
        } else {
            marks->words[first / WORD_BITS] &= ~word_mask(bit, n);
        }
        first += n;
        count -= n;
    }
}

uint32_t xen_sndif_marks_run(const XenSndifMarks *marks, uint32_t first,
                             uint32_t count, bool *mark)
{
    uint32_t done = 0;

    *mark = marks->words[first / WORD_BITS] >> first % WORD_BITS & 1;
    while (done < count) {
        uint32_t bit = (first + done) % WORD_BITS;
        uint32_t n = MIN(count - done, WORD_BITS - bit);
        uint64_t word = marks->words[(first + done) / WORD_BITS];
        uint64_t other = (*mark ? ~word : word) & word_mask(bit, n);

        if (other) {
            return done + (__builtin_ctzll(other) - bit);
        }
        done += n;
    }
    return count;
}
