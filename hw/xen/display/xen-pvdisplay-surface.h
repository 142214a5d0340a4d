/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a connector of a PV display shows: a surface of a console, borrowed
 * over the guest's pages or converted from them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_SURFACE_H
#define HW_XEN_XEN_PVDISPLAY_SURFACE_H

#include "hw/xen/xen-displif.h"
#include "qemu/main-loop.h"
#include "ui/console.h"
#include "xen-pvdisplay-damage.h"

/**
 * struct XenPvSurface - the picture of one console
 *
 * @con: the console
 * @view: the window of the guest's memory that is shown, or NULL
 * @data: its first pixel
 * @scanout: how to read it
 * @skip: pixels on the left of it that are not visible
 * @shadow: host memory that the picture is converted into, where the console
 *     cannot show the guest's pixels as they are, or NULL
 * @damage: what viewers were told of it
 * @told: that they were told, until the main loop has gone on
 * @forget_told: ends that
 * @conversions: pictures of which something was converted, so far
 * @updates: pictures of which viewers were told that something changed
 * @updated_pixels: how many pixels they were told of
 */
typedef struct XenPvSurface {
    QemuConsole *con;
    XenPgdirView *view;
    const uint8_t *data;
    XenDisplifScanout scanout;
    uint32_t skip;
    pixman_image_t *shadow;
    XenPvDamage damage;
    bool told;
    QEMUBH *forget_told;
    uint64_t conversions;
    uint64_t updates;
    uint64_t updated_pixels;
} XenPvSurface;

/**
 * xen_pv_surface_show: show a part of a buffer
 * @surface: the picture
 * @scanout: what to show; checked
 *
 * Maps the visible rows, unless the cache has them, and borrows them.  Viewers
 * are told what has changed when they ask; then, too, is a picture converted
 * that needs it.
 *
 * Returns: 0 or a negative errno value, and then nothing has changed.
 */
int xen_pv_surface_show(XenPvSurface *surface,
                        const XenDisplifScanout *scanout);

/**
 * xen_pv_surface_keep: go on without the guest's pages
 * @surface: the picture; it stays as it is, or turns blank
 */
void xen_pv_surface_keep(XenPvSurface *surface);

/**
 * xen_pv_surface_blank: show that nothing is shown
 * @surface: the picture
 */
void xen_pv_surface_blank(XenPvSurface *surface);

/**
 * xen_pv_surface_update: somebody looks: tell what has changed
 * @surface: the picture
 *
 * Frontends draw into the shown buffer without a word, too.  So the picture is
 * read, once for all viewers, and they are told of the tiles that differ.
 */
void xen_pv_surface_update(XenPvSurface *surface);

/**
 * xen_pv_surface_invalidate: somebody wants all of it
 * @surface: the picture
 */
void xen_pv_surface_invalidate(XenPvSurface *surface);

/**
 * xen_pv_surface_clear: let go of pages and memory, past the console's end
 * @surface: the picture
 */
void xen_pv_surface_clear(XenPvSurface *surface);

#endif /* HW_XEN_XEN_PVDISPLAY_SURFACE_H */
