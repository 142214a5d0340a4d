/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes of pixels of a PV display, in a build without libxxhash: none.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-hash.h"

bool xen_pvdisplay_has_hash(void)
{
    return false;
}

void xen_pvdisplay_hash_row(const uint8_t *from, size_t length, size_t step,
                            uint64_t *sums)
{
}
