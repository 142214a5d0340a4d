/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes of pixels of a PV display: by a library that a build may lack.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_HASH_H
#define HW_XEN_XEN_PVDISPLAY_HASH_H

/**
 * xen_pvdisplay_has_hash: whether there are hashes in this build
 */
bool xen_pvdisplay_has_hash(void);

/**
 * xen_pvdisplay_hash_row: hash a row of tiles
 * @from: the row
 * @length: its bytes
 * @step: bytes of a tile; the last one may have less
 * @sums: for each tile, what was hashed of it before; changed
 */
void xen_pvdisplay_hash_row(const uint8_t *from, size_t length, size_t step,
                            uint64_t *sums);

#endif /* HW_XEN_XEN_PVDISPLAY_HASH_H */
