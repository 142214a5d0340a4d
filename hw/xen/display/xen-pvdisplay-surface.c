/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a connector of a PV display shows: a surface of a console, borrowed
 * over the guest's pages or converted from them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "block/aio.h"
#include "qemu/main-loop.h"
#include "xen-pvdisplay-convert.h"
#include "xen-pvdisplay-surface.h"

static void set_view(XenPvSurface *s, XenPgdirView *view)
{
    xen_pgdir_view_unref(s->view);
    s->view = view;
}

static void set_shadow(XenPvSurface *s, pixman_image_t *shadow)
{
    if (s->shadow) {
        pixman_image_unref(s->shadow);
    }
    s->shadow = shadow;
}

/* Viewers take it, and are told what of it differs when they ask next */
static void set_image(XenPvSurface *s, pixman_image_t *image)
{
    dpy_gfx_replace_surface(s->con, qemu_create_displaysurface_pixman(image));
}

/* ------------------------------------------------------------- borrowing */

/*
 * Viewers that come later are not asked, so it has to be a format that all of
 * them can be relied on to know.
 */
static bool can_borrow(XenPvSurface *s, const XenDisplifScanout *scanout,
                       pixman_format_code_t format, const void *data)
{
    return xen_pvdisplay_is_aligned(scanout, data) &&
           qemu_pixman_check_format(NULL, format) &&
           dpy_gfx_check_format(s->con, format);
}

static void release_view(void *view)
{
    xen_pgdir_view_unref(view);
}

/*
 * The mapping lives as long as the image: viewers and screendump hold
 * references of their own to it, past the next flip.
 *
 * The last one may be dropped by any thread: GDBus's, for a D-Bus viewer that
 * reads slowly.  The mapper belongs to the main loop, so the view is released
 * there.  Until then a guest that takes its pages back gets them all the same:
 * the revoked view holds a copy.
 */
static void image_gone(pixman_image_t *image, void *view)
{
    if (qemu_in_main_thread()) {
        release_view(view);
    } else {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), release_view, view);
    }
}

static int borrow(XenPvSurface *s, const XenDisplifScanout *scanout,
                  pixman_format_code_t format, XenPgdirView *view, void *data)
{
    pixman_image_t *image;

    image = pixman_image_create_bits(format, scanout->width, scanout->height,
                                     data, scanout->stride);
    if (!image) {
        return -ENOMEM;
    }
    pixman_image_set_destroy_function(image, image_gone,
                                      xen_pgdir_view_ref(view));
    set_image(s, image);
    pixman_image_unref(image);
    if (s->shadow) {
        xen_pv_damage_forget(&s->damage);
        set_shadow(s, NULL);
    }

    return 0;
}

/* ------------------------------------------------------------ conversion */

static bool shadow_fits(XenPvSurface *s, const XenDisplifScanout *scanout)
{
    return s->shadow &&
           pixman_image_get_width(s->shadow) == scanout->width &&
           pixman_image_get_height(s->shadow) == scanout->height;
}

static int make_shadow(XenPvSurface *s, const XenDisplifScanout *scanout)
{
    pixman_image_t *shadow;

    if (shadow_fits(s, scanout)) {
        return 0;
    }
    shadow = pixman_image_create_bits(PIXMAN_x8r8g8b8, scanout->width,
                                      scanout->height, NULL, 0);
    if (!shadow) {
        return -ENOMEM;
    }
    set_image(s, shadow);
    set_shadow(s, shadow);
    xen_pv_damage_forget(&s->damage);

    return 0;
}

/* --------------------------------------------------------------- viewers */

static void forget_told(void *opaque)
{
    XenPvSurface *s = opaque;

    s->told = false;
}

/*
 * All viewers of a console ask one after the other, from one timer; the first
 * is answered for all of them
 */
static void set_told(XenPvSurface *s)
{
    if (!s->forget_told) {
        s->forget_told = qemu_bh_new(forget_told, s);
    }
    qemu_bh_schedule(s->forget_told);
    s->told = true;
}

static void tell(XenPvSurface *s, const pixman_box32_t *rect)
{
    int x = MAX(rect->x1, s->skip) - s->skip;
    int width = rect->x2 - s->skip - x;
    int height = rect->y2 - rect->y1;

    if (width > 0) {
        dpy_gfx_update(s->con, x, rect->y1, width, height);
        s->updated_pixels += (uint64_t)width * height;
    }
}

/* Read the picture, convert and tell what has changed */
static void refresh(XenPvSurface *s)
{
    pixman_box32_t rects[XEN_PV_DAMAGE_RECTS];
    int64_t now = g_get_monotonic_time() / 1000;
    uint32_t count, i;

    xen_pgdir_view_sync(s->view);
    /* A screendump is of what is converted, and comes without a viewer, too */
    count = xen_pv_damage_scan(&s->damage, &s->scanout, s->data, now,
                               s->shadow, rects);
    for (i = 0; s->shadow && i < count; i++) {
        xen_pvdisplay_convert(&s->scanout, s->data, s->skip, &rects[i],
                              s->shadow);
    }
    for (i = 0; i < count; i++) {
        tell(s, &rects[i]);
    }
    s->conversions += s->shadow && count;
    s->updates += count > 0;
}

/* For a screendump alone, hashes would only cost */
static void refresh_unseen(XenPvSurface *s)
{
    const pixman_box32_t all = { 0, 0, s->scanout.width, s->scanout.height };

    xen_pv_damage_forget(&s->damage);
    xen_pgdir_view_sync(s->view);
    if (s->shadow) {
        xen_pvdisplay_convert(&s->scanout, s->data, s->skip, &all, s->shadow);
        s->conversions++;
    }
}

/* ------------------------------------------------------------------ face */

/* A flip to what is shown already */
static bool is_shown(const XenPvSurface *s, const XenDisplifScanout *scanout,
                     uint32_t skip, const XenPgdirView *view, const void *data)
{
    return s->view == view && s->data == data && s->skip == skip &&
           s->scanout.stride == scanout->stride &&
           s->scanout.width == scanout->width &&
           s->scanout.height == scanout->height &&
           s->scanout.format == scanout->format;
}

int xen_pv_surface_show(XenPvSurface *s, const XenDisplifScanout *scanout)
{
    pixman_format_code_t format = xen_pvdisplay_format(scanout->format);
    XenDisplifScanout wide = *scanout;
    uint32_t skip = xen_pvdisplay_widen(&wide);
    /* Whole rows: screens side by side look at one and the same window */
    uint64_t left = (uint64_t)wide.x * wide.cpp;
    XenPgdirView *view;
    void *data;
    int ret;

    ret = xen_pgdir_buffer_view(scanout->buffer, wide.offset - left,
                                (uint64_t)wide.stride * wide.height, &view,
                                &data);
    if (ret < 0) {
        return ret;
    }
    data = (uint8_t *)data + left;
    if (is_shown(s, &wide, skip, view, data)) {
        xen_pgdir_view_unref(view);
        xen_pv_damage_wake(&s->damage);
        return 0;
    }
    if (can_borrow(s, scanout, format, data)) {
        ret = borrow(s, scanout, format, view, data);
    } else {
        ret = make_shadow(s, scanout);
    }
    if (ret < 0) {
        xen_pgdir_view_unref(view);
        return ret;
    }
    set_view(s, view);
    if (s->skip != skip) {
        xen_pv_damage_forget(&s->damage);
    }
    xen_pv_damage_wake(&s->damage);
    s->told = false;
    s->data = data;
    s->scanout = wide;
    s->skip = skip;
    /* The engine's buffer may go before the picture does */
    s->scanout.buffer = NULL;

    return 0;
}

void xen_pv_surface_update(XenPvSurface *s)
{
    if (!s->view) {
        return;
    }
    if (xen_pgdir_view_is_lost(s->view)) {
        xen_pv_surface_blank(s);
    } else if (!qemu_console_is_visible(s->con)) {
        refresh_unseen(s);
    } else if (!s->told) {
        set_told(s);
        refresh(s);
    }
}

void xen_pv_surface_invalidate(XenPvSurface *s)
{
    if (s->view) {
        xen_pv_damage_forget(&s->damage);
        s->told = false;
    } else {
        dpy_gfx_update_full(s->con);
    }
}

void xen_pv_surface_keep(XenPvSurface *s)
{
    DisplaySurface *now = qemu_console_surface(s->con);
    pixman_image_t *copy;

    if (!s->view) {
        return;
    }
    xen_pv_damage_forget(&s->damage);
    if (s->shadow) {
        refresh_unseen(s);
        dpy_gfx_update_full(s->con);
        set_view(s, NULL);
        return;
    }

    /* Where pages cannot be mapped, what is shown is older than they are */
    xen_pgdir_view_sync(s->view);
    copy = pixman_image_create_bits(surface_format(now), surface_width(now),
                                    surface_height(now), NULL, 0);
    if (!copy) {
        xen_pv_surface_blank(s);
        return;
    }
    pixman_image_composite(PIXMAN_OP_SRC, now->image, NULL, copy, 0, 0, 0, 0,
                           0, 0, surface_width(now), surface_height(now));
    set_image(s, copy);
    dpy_gfx_update_full(s->con);
    pixman_image_unref(copy);
    set_view(s, NULL);
}

void xen_pv_surface_blank(XenPvSurface *s)
{
    dpy_gfx_replace_surface(s->con, NULL);
    xen_pv_surface_clear(s);
}

void xen_pv_surface_clear(XenPvSurface *s)
{
    g_clear_pointer(&s->forget_told, qemu_bh_delete);
    s->told = false;
    xen_pv_damage_clear(&s->damage);
    set_shadow(s, NULL);
    set_view(s, NULL);
}
