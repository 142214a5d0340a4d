/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of pixels of a PV display, as x8r8g8b8.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_ROWS_H
#define HW_XEN_XEN_PVDISPLAY_ROWS_H

#include <pixman.h>

/* A processor may have vectors of 32 bytes, or it may not */
#ifdef __x86_64__
#define XEN_PVDISPLAY_WIDE_ROWS
#endif

/**
 * XenPvRowFn: convert a row
 * @from: its first pixel, at any address
 * @to: where to put them
 * @n: how many; of YUYV, where two share a colour, an even number
 */
typedef void XenPvRowFn(const uint8_t *from, uint32_t *to, size_t n);

/**
 * xen_pvdisplay_has_wide_rows: whether this processor runs the wide loops
 */
bool xen_pvdisplay_has_wide_rows(void);

/**
 * xen_pvdisplay_row_fn: how to convert a format
 * @format: the format
 * @wide: whether to take the loop for processors with wide vectors
 *
 * Returns: NULL if that is left to pixman.
 */
XenPvRowFn *xen_pvdisplay_row_fn(pixman_format_code_t format, bool wide);

#endif /* HW_XEN_XEN_PVDISPLAY_ROWS_H */
