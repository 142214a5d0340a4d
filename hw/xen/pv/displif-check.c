/*
 * displif: from a guest's numbers to checked geometry
 *
 * All products are formed in 64 bits: 32 by 32 bits always fit, and what is
 * added to them here is small enough.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-displif.h"
#include "hw/xen/xen-pgdir.h"
#include "displif-check.h"

#define MAX_BPP             64
#define MIN_STRIDE_ALIGN    4
#define DUMB_STRIDE_ALIGN   8
#define MAX_STRIDE_ALIGN    256

/*
 * A row of a framebuffer is at most that many rows of the screen, or bytes: the
 * widest desktop has all screens of a device, 16 at most, side by side, and
 * small screens show parts of large pictures
 */
#define MAX_ROW_SCREENS     16
#define MAX_SHORT_ROW       65536

static uint64_t round_up(uint64_t n, uint64_t power_of_two)
{
    return (n + power_of_two - 1) & ~(power_of_two - 1);
}

static uint64_t tight_stride(const XenDisplifGeometry *geometry)
{
    return (uint64_t)geometry->width * geometry->cpp;
}

/* Whether rows of @stride account for the buffer's size, exact or in pages */
static bool fills(const XenDisplifGeometry *geometry, uint64_t stride)
{
    uint64_t bytes;

    if (stride > UINT32_MAX) {
        return false;
    }
    bytes = stride * geometry->height;
    return bytes == geometry->size ||
           round_up(bytes, XEN_PGDIR_PAGE_SIZE) == geometry->size;
}

/* Whether rows of @stride lie inside the pages, not just inside the size */
static bool fits(const XenDisplifGeometry *geometry, uint64_t stride)
{
    return stride <= UINT32_MAX &&
           geometry->data_ofs + stride * geometry->height <=
           xen_displif_pages(geometry->size) * XEN_PGDIR_PAGE_SIZE;
}

uint64_t xen_displif_pages(uint32_t size)
{
    return round_up(size, XEN_PGDIR_PAGE_SIZE) / XEN_PGDIR_PAGE_SIZE;
}

/* Whether rows of @stride are the buffer's size to the byte */
static bool is_exact(const XenDisplifGeometry *geometry, uint64_t stride)
{
    return stride <= UINT32_MAX && stride * geometry->height == geometry->size;
}

uint64_t xen_displif_dumb_stride(const XenDisplifGeometry *geometry)
{
    uint64_t tight = tight_stride(geometry);
    uint64_t padded = round_up(tight, DUMB_STRIDE_ALIGN);
    uint32_t align;

    if (is_exact(geometry, tight)) {
        return tight;
    }
    if (fills(geometry, padded)) {
        return padded;
    }
    for (align = MIN_STRIDE_ALIGN; align <= MAX_STRIDE_ALIGN; align *= 2) {
        padded = round_up(tight, align);
        if (is_exact(geometry, padded)) {
            return padded;
        }
    }
    return tight;
}

uint64_t xen_displif_import_stride(const XenDisplifGeometry *geometry,
                                   bool *certain)
{
    uint64_t tight = tight_stride(geometry);
    uint64_t found = 0;
    uint32_t align;

    *certain = false;
    for (align = MIN_STRIDE_ALIGN; align <= MAX_STRIDE_ALIGN; align *= 2) {
        uint64_t stride = round_up(tight, align);

        if (!fills(geometry, stride) || stride == found) {
            continue;
        }
        *certain = !found;
        if (found) {
            break;
        }
        found = stride;
    }
    return found ? found : tight;
}

int xen_displif_check_row(uint32_t width, const XenDisplifGeometry *fb,
                          XenPvWhy *why)
{
    uint64_t visible = (uint64_t)width * fb->cpp;

    if (fb->stride > MAX(visible * MAX_ROW_SCREENS, MAX_SHORT_ROW)) {
        return xen_pv_why(why, -EINVAL, "rows of %" PRIu32 " bytes, much "
                          "longer than the screen's %" PRIu64, fb->stride,
                          visible);
    }
    return 0;
}

guint xen_displif_cookie_hash(gconstpointer key)
{
    static const uint64_t anywhere;
    uint64_t factor = (uintptr_t)&anywhere * 0x9e3779b97f4a7c15ull | 1;

    return *(const uint64_t *)key * factor >> 32;
}

int xen_displif_check_dbuf(const struct xendispl_dbuf_create_req *req,
                           XenDisplifGeometry *dbuf, XenPvWhy *why)
{
    uint64_t stride;

    memset(dbuf, 0, sizeof(*dbuf));
    dbuf->size = req->buffer_sz;
    dbuf->data_ofs = req->data_ofs;

    if (req->buffer_sz == 0) {
        return xen_pv_why(why, -EINVAL, "buffer size of 0");
    }
    if (req->data_ofs >=
        xen_displif_pages(req->buffer_sz) * XEN_PGDIR_PAGE_SIZE) {
        return xen_pv_why(why, -EINVAL, "data offset %" PRIu32 " beyond the "
                          "buffer of %" PRIu32 " bytes", req->data_ofs,
                          req->buffer_sz);
    }
    if (req->width == 0 && req->height == 0 && req->bpp == 0) {
        return 0;
    }
    if (req->width == 0 || req->height == 0) {
        return xen_pv_why(why, -EINVAL, "width or height of 0: "
                          "%" PRIu32 "x%" PRIu32, req->width, req->height);
    }
    if (req->bpp == 0 || req->bpp > MAX_BPP || req->bpp % 8) {
        return xen_pv_why(why, -EINVAL, "%" PRIu32 " bits per pixel, not a "
                          "multiple of 8 up to %d", req->bpp, MAX_BPP);
    }

    dbuf->width = req->width;
    dbuf->height = req->height;
    dbuf->cpp = req->bpp / 8;
    stride = xen_displif_dumb_stride(dbuf);
    if (!fits(dbuf, stride)) {
        return xen_pv_why(why, -EINVAL, "buffer of %" PRIu32 " bytes smaller "
                          "than its geometry: %" PRIu32 "x%" PRIu32 " with "
                          "%" PRIu32 " bits per pixel, data offset %" PRIu32,
                          dbuf->size, dbuf->width, dbuf->height, req->bpp,
                          dbuf->data_ofs);
    }
    dbuf->stride = stride;
    return 0;
}

int xen_displif_check_fb(const struct xendispl_fb_attach_req *req,
                         uint32_t cpp, XenDisplifGeometry *dbuf,
                         XenDisplifGeometry *fb, XenPvWhy *why)
{
    bool certain = false;
    uint64_t stride;

    *fb = *dbuf;
    fb->width = req->width;
    fb->height = req->height;
    fb->cpp = cpp;

    if (fb->width == 0 || fb->height == 0) {
        return xen_pv_why(why, -EINVAL, "width or height of 0: "
                          "%" PRIu32 "x%" PRIu32, fb->width, fb->height);
    }
    if (dbuf->width) {
        if (cpp != dbuf->cpp) {
            return xen_pv_why(why, -EINVAL, "pixel format 0x%08" PRIx32
                              " of %" PRIu32 " bytes per pixel, but %" PRIu32
                              " in the buffer", req->pixel_format, cpp,
                              dbuf->cpp);
        }
        if (fb->width > dbuf->width || fb->height > dbuf->height) {
            return xen_pv_why(why, -EINVAL, "framebuffer of %" PRIu32
                              "x%" PRIu32 " larger than its buffer of %" PRIu32
                              "x%" PRIu32, fb->width, fb->height, dbuf->width,
                              dbuf->height);
        }
        return 0;
    }

    stride = dbuf->stride;
    if (!stride) {
        stride = xen_displif_import_stride(fb, &certain);
    }
    if (tight_stride(fb) > stride || !fits(fb, stride)) {
        return xen_pv_why(why, -EINVAL, "framebuffer of %" PRIu32 "x%" PRIu32
                          " with %" PRIu32 " bytes per pixel larger than its "
                          "buffer of %" PRIu32 " bytes, data offset %" PRIu32,
                          fb->width, fb->height, cpp, fb->size, fb->data_ofs);
    }
    fb->stride = stride;
    if (certain) {
        dbuf->stride = stride;
    }
    return 0;
}

const char *xen_displif_operation_name(uint8_t operation)
{
    switch (operation) {
    case XENDISPL_OP_DBUF_CREATE:
        return "DBUF_CREATE";
    case XENDISPL_OP_DBUF_DESTROY:
        return "DBUF_DESTROY";
    case XENDISPL_OP_FB_ATTACH:
        return "FB_ATTACH";
    case XENDISPL_OP_FB_DETACH:
        return "FB_DETACH";
    case XENDISPL_OP_SET_CONFIG:
        return "SET_CONFIG";
    case XENDISPL_OP_PG_FLIP:
        return "PG_FLIP";
    case XENDISPL_OP_GET_EDID:
        return "GET_EDID";
    default:
        return NULL;
    }
}
