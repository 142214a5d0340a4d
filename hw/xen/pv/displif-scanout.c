/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * displif: which part of a framebuffer a connector shows
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "displif-scanout.h"

int xen_displif_scanout(const XenDisplifGeometry *fb,
                        const XenDisplifWindow *window,
                        XenDisplifScanout *scanout, XenPvWhy *why)
{
    int ret;

    if (window->x >= fb->width || window->y >= fb->height) {
        return xen_pv_why(why, -EINVAL, "visible area of %" PRIu32 "x%" PRIu32
                          " at %" PRIu32 ",%" PRIu32 " outside the framebuffer "
                          "of %" PRIu32 "x%" PRIu32, window->width,
                          window->height, window->x, window->y, fb->width,
                          fb->height);
    }
    ret = xen_displif_check_row(window->width, fb, why);
    if (ret < 0) {
        return ret;
    }
    scanout->offset = fb->data_ofs + (uint64_t)fb->stride * window->y +
                      (uint64_t)fb->cpp * window->x;
    scanout->x = window->x;
    scanout->stride = fb->stride;
    scanout->width = MIN(window->width, fb->width - window->x);
    scanout->height = MIN(window->height, fb->height - window->y);
    scanout->cpp = fb->cpp;
    return 0;
}

bool xen_displif_is_stale(const XenDisplifGeometry *fb,
                          const XenDisplifWindow *window)
{
    if (window->x >= fb->width || window->y >= fb->height) {
        return true;
    }
    if (fb->width < window->width || fb->height < window->height) {
        return false;
    }
    return (uint64_t)window->x + window->width > fb->width ||
           (uint64_t)window->y + window->height > fb->height;
}
