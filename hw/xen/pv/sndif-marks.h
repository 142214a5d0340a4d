/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: which frames of a buffer the guest wrote and nobody played yet.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_SNDIF_MARKS_H
#define HW_XEN_PV_SNDIF_MARKS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct XenSndifMarks - a mark for each frame of a buffer
 *
 * @words: the marks, 64 to a word
 * @count: frames of the buffer
 */
typedef struct XenSndifMarks {
    uint64_t *words;
    uint32_t count;
} XenSndifMarks;

/**
 * xen_sndif_marks_init: begin with no frame marked
 * @marks: the marks
 * @count: frames of the buffer
 *
 * Returns: 0 or -ENOMEM.
 */
int xen_sndif_marks_init(XenSndifMarks *marks, uint32_t count);

/**
 * xen_sndif_marks_free: free the memory; harmless when there is none
 * @marks: the marks
 */
void xen_sndif_marks_free(XenSndifMarks *marks);

/**
 * xen_sndif_marks_set: mark or unmark frames
 * @marks: the marks
 * @first: the first frame
 * @count: frames; @first + @count is at most the frames of the buffer
 * @mark: mark them; else unmark them
 */
void xen_sndif_marks_set(XenSndifMarks *marks, uint32_t first, uint32_t count,
                         bool mark);

/**
 * xen_sndif_marks_run: how many frames in a row are alike
 * @marks: the marks
 * @first: the first frame
 * @count: look at this many at most, which is not 0; same bounds
 * @mark: set to whether they are marked
 *
 * Returns: their number, at least 1.
 */
uint32_t xen_sndif_marks_run(const XenSndifMarks *marks, uint32_t first,
                             uint32_t count, bool *mark);

#endif /* HW_XEN_PV_SNDIF_MARKS_H */
