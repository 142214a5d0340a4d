/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes of pixels of a PV display: XXH3, by libxxhash.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xxhash.h>

#include "xen-pvdisplay-hash.h"

bool xen_pvdisplay_has_hash(void)
{
    return true;
}

/* The order of rows counts; the factor is odd, and has its bits spread */
static uint64_t append(uint64_t sum, uint64_t next)
{
    return (sum ^ next) * UINT64_C(0x9e3779b185ebca87);
}

void xen_pvdisplay_hash_row(const uint8_t *from, size_t length, size_t step,
                            uint64_t *sums)
{
    for (; length > step; from += step, length -= step, sums++) {
        *sums = append(*sums, XXH3_64bits(from, step));
    }
    *sums = append(*sums, XXH3_64bits(from, length));
}
