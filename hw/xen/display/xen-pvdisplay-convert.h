/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixels of a PV display that a console cannot show as they are.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_CONVERT_H
#define HW_XEN_XEN_PVDISPLAY_CONVERT_H

#include <pixman.h>

#include "hw/xen/xen-displif.h"

/* pixman wants images, and their rows, to begin at words */
#define XEN_PVDISPLAY_ROW_ALIGN 4

/**
 * xen_pvdisplay_format: how pixman calls a DRM FOURCC format
 * @fourcc: the format
 *
 * Alpha is ignored: a viewer's background must not shine through.
 *
 * Returns: a format of pixman, or 0 when it cannot be shown.
 */
pixman_format_code_t xen_pvdisplay_format(uint32_t fourcc);

/**
 * xen_pvdisplay_is_aligned: whether pixman can look at pixels where they are
 * @scanout: how they lie
 * @data: the first of them
 *
 * Returns: whether each row begins at a word.
 */
bool xen_pvdisplay_is_aligned(const XenDisplifScanout *scanout,
                              const void *data);

/**
 * xen_pvdisplay_widen: take in what visible pixels have their colour from
 * @scanout: what is visible; changed to what to convert
 *
 * In YUYV two pixels share a colour, of which each has a half.
 *
 * Returns: how many pixels on the left were added.
 */
uint32_t xen_pvdisplay_widen(XenDisplifScanout *scanout);

/**
 * xen_pvdisplay_convert: convert a part of a picture
 * @scanout: how the pixels lie; checked, of a format that pixman knows
 * @data: the first of them
 * @skip: how many pixels on the left to leave out
 * @part: what of them to convert, of those on the left, too
 * @target: x8r8g8b8 image of the size of what remains, or less
 *
 * Whoever writes to the pixels meanwhile spoils this part of the result only.
 */
void xen_pvdisplay_convert(const XenDisplifScanout *scanout, const void *data,
                           uint32_t skip, const pixman_box32_t *part,
                           pixman_image_t *target);

#endif /* HW_XEN_XEN_PVDISPLAY_CONVERT_H */
