/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * displif: from a guest's numbers to checked geometry.  Pure functions.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_DISPLIF_CHECK_H
#define HW_XEN_PV_DISPLIF_CHECK_H

#include <glib.h>
#include <xen/io/displif.h>

#include "hw/xen/xen-pv-ring.h"

/**
 * struct XenDisplifGeometry - a display buffer's or framebuffer's layout
 *
 * @width: pixels of a row; 0 in an imported buffer, whose pixels only its
 *     framebuffers know
 * @height: rows
 * @cpp: bytes of a pixel
 * @stride: bytes from a row to the next; 0 when not known yet
 * @size: bytes of the buffer, without @data_ofs
 * @data_ofs: bytes from the first page to the first pixel
 */
typedef struct XenDisplifGeometry {
    uint32_t width;
    uint32_t height;
    uint32_t cpp;
    uint32_t stride;
    uint32_t size;
    uint32_t data_ofs;
} XenDisplifGeometry;

/**
 * xen_displif_pages: data pages of a buffer
 * @size: its bytes
 */
uint64_t xen_displif_pages(uint32_t size);

/**
 * xen_displif_dumb_stride: find the stride of a buffer of known geometry
 * @geometry: @width, @height, @cpp and @size are filled in
 *
 * The protocol carries no stride.  Linux sends the size of its rows' bytes,
 * either as they are or (since it uses drm_mode_size_dumb()) rounded up to 8
 * and the whole to a page; the size tells which.  Others pad their rows more,
 * and send the size of these to the byte: it tells, where the padding is to a
 * power of two up to 256.
 *
 * Returns: the stride; more than 32 bits when the buffer is absurd.
 */
uint64_t xen_displif_dumb_stride(const XenDisplifGeometry *geometry);

/**
 * xen_displif_import_stride: guess the stride of a buffer made elsewhere
 * @geometry: @width, @height, @cpp and @size are filled in
 * @certain: set to whether the size allows this guess alone
 *
 * Imported buffers are of other drivers' making, which align rows to some
 * power of two up to 256.
 *
 * Returns: the smallest such alignment's stride that accounts for the size,
 * or rows without padding.
 */
uint64_t xen_displif_import_stride(const XenDisplifGeometry *geometry,
                                   bool *certain);

/**
 * xen_displif_check_row: check that a connector may show a framebuffer
 * @width: visible pixels of the connector's row
 * @fb: the framebuffer's layout
 * @why: where to say what is wrong with it
 *
 * What is shown is mapped by whole rows, so the guest's choice of their length
 * decides how much of its memory that is.
 *
 * Returns: 0 or -EINVAL.
 */
int xen_displif_check_row(uint32_t width, const XenDisplifGeometry *fb,
                          XenPvWhy *why);

/**
 * xen_displif_cookie_hash: hash of a cookie, which is a guest's choice
 * @key: the cookie, of 64 bits
 *
 * GLib's own is the lower half, and then a guest's cookies can all be alike.
 * What this one multiplies by is not known to the guest: it is made of an
 * address, which is another in each process.
 */
guint xen_displif_cookie_hash(gconstpointer key);

/**
 * xen_displif_check_dbuf: check a DBUF_CREATE
 * @req: the request
 * @dbuf: where to store the layout
 * @why: where to say what is wrong with it
 *
 * Returns: 0 or -EINVAL.
 */
int xen_displif_check_dbuf(const struct xendispl_dbuf_create_req *req,
                           XenDisplifGeometry *dbuf, XenPvWhy *why);

/**
 * xen_displif_check_fb: check a FB_ATTACH
 * @req: the request
 * @cpp: bytes of a pixel of the request's format
 * @dbuf: the buffer's layout; learns its stride when it had none and the
 *     size confirms it
 * @fb: where to store the framebuffer's layout
 * @why: where to say what is wrong with it
 *
 * Returns: 0 or -EINVAL.
 */
int xen_displif_check_fb(const struct xendispl_fb_attach_req *req,
                         uint32_t cpp, XenDisplifGeometry *dbuf,
                         XenDisplifGeometry *fb, XenPvWhy *why);

#endif /* HW_XEN_PV_DISPLIF_CHECK_H */
