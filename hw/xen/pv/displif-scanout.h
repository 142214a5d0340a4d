/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * displif: which part of a framebuffer a connector shows.  Pure functions.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_DISPLIF_SCANOUT_H
#define HW_XEN_PV_DISPLIF_SCANOUT_H

#include "displif-check.h"
#include "hw/xen/xen-displif.h"

/**
 * struct XenDisplifWindow - the visible area of a connector
 *
 * @width, @height: its size in pixels
 * @x, @y: where it starts in a framebuffer
 */
typedef struct XenDisplifWindow {
    uint32_t width;
    uint32_t height;
    uint32_t x;
    uint32_t y;
} XenDisplifWindow;

/**
 * xen_displif_scanout: find what of a framebuffer is visible
 * @fb: the framebuffer's layout
 * @window: the visible area; what the framebuffer does not reach is clipped
 * @scanout: where to store it: all but what says whose it is
 * @why: where to say what is wrong with it
 *
 * Returns: 0 or -EINVAL.
 */
int xen_displif_scanout(const XenDisplifGeometry *fb,
                        const XenDisplifWindow *window,
                        XenDisplifScanout *scanout, XenPvWhy *why);

/**
 * xen_displif_is_stale: whether a framebuffer proves that the visible area
 *     does not start there in it
 * @fb: the framebuffer's layout
 * @window: the visible area of the last SET_CONFIG
 *
 * A flip names no origin, so the last SET_CONFIG's counts.  Linux sends none
 * while the mode stays, though its clients move: to another framebuffer, with
 * another origin.  What they show always covers the screen, so the origin is
 * stale where it leaves the framebuffer, or leaves less of it than there is
 * room for although the whole would do.  It still counts for others.
 */
bool xen_displif_is_stale(const XenDisplifGeometry *fb,
                          const XenDisplifWindow *window);

#endif /* HW_XEN_PV_DISPLIF_SCANOUT_H */
