/*
 * Protocol engine of a PV display's backend: displif
 *
 * Every request is copied out of the ring once, checked, carried out and
 * answered before the next one is looked at.  A request that is refused
 * changes nothing.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include <xen/io/displif.h>

#include "displif-device.h"
#include "why.h"

QEMU_BUILD_BUG_ON(sizeof(struct xendispl_req) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(struct xendispl_resp) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(struct xendispl_evt) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(offsetof(struct xendispl_req, operation) !=
                  offsetof(XenPvHead, operation));
QEMU_BUILD_BUG_ON(offsetof(struct xendispl_req, op) != sizeof(XenPvHead));
QEMU_BUILD_BUG_ON(offsetof(struct xendispl_resp, operation) !=
                  offsetof(XenPvHead, operation));
QEMU_BUILD_BUG_ON(offsetof(struct xendispl_resp, status) !=
                  offsetof(XenPvHead, status));
QEMU_BUILD_BUG_ON(XENDISPL_IN_RING_LEN != XEN_PV_EVENT_SLOTS);
QEMU_BUILD_BUG_ON(XENDISPL_IN_RING_OFFS != XEN_PV_SLOT_SIZE);

static void buffer_free(gpointer data)
{
    DisplifBuffer *buffer = data;

    /* Others may hold references and views: the pages go now all the same */
    xen_pgdir_buffer_revoke(buffer->pages);
    xen_pgdir_buffer_unref(buffer->pages);
    g_free(buffer);
}

static gboolean is_in_buffer(gpointer key, gpointer value, gpointer data)
{
    DisplifFramebuffer *fb = value;

    return fb->buffer == data;
}

static int no_buffer(const XenDisplif *disp, uint64_t pages, int error,
                     const char *phrase, XenPvWhy *why)
{
    if (error == -E2BIG) {
        return xen_pv_why(why, error, "buffer of %" PRIu64 " pages larger "
                          "than max-pages allows", pages);
    }
    return xen_pv_why_pages(why, error, disp->mapper, phrase);
}

/*
 * Get the pages of a new buffer: from the guest, or for it.
 *
 * Flags that the protocol does not define are not looked at, as Linux reuses
 * the ring's slots without clearing them and only ever sets bits in @flags.
 * For the same reason REQ_ALLOC counts only if the toolstack allows it.
 */
static int dbuf_get_pages(XenDisplif *disp,
                          const struct xendispl_dbuf_create_req *req,
                          const XenDisplifGeometry *geometry,
                          XenPgdirBuffer **pages, XenPvWhy *why)
{
    bool alloc = disp->backend_alloc &&
                 (req->flags & XENDISPL_DBUF_FLG_REQ_ALLOC);
    uint64_t count = xen_displif_pages(geometry->size);
    int ret;

    if (!alloc) {
        ret = xen_pgdir_buffer_new(disp->mapper, req->gref_directory,
                                   geometry->size, 0, pages);
        return ret < 0 ? no_buffer(disp, count, ret, "page directory cannot "
                                   "be read", why) : 0;
    }
    if (geometry->width == 0) {
        return xen_pv_why(why, -EINVAL, "allocation without width and height");
    }
    if (geometry->data_ofs) {
        return xen_pv_why(why, -EINVAL, "allocation with a data offset of %"
                          PRIu32 " bytes", geometry->data_ofs);
    }
    ret = xen_pgdir_buffer_new_shared(disp->mapper, req->gref_directory,
                                      geometry->size, 0, pages);
    return ret < 0 ? no_buffer(disp, count, ret, "buffer cannot be "
                               "allocated", why) : 0;
}

static int dbuf_create(XenDisplif *disp,
                       struct xendispl_dbuf_create_req *req,
                       XenPvWhy *why)
{
    XenDisplifGeometry geometry;
    XenPgdirBuffer *pages;
    DisplifBuffer *buffer;
    uint64_t count;
    int ret;

    if (req->dbuf_cookie == 0) {
        return xen_pv_why(why, -EINVAL, "buffer cookie of 0");
    }
    if (g_hash_table_contains(disp->buffers, &req->dbuf_cookie)) {
        return xen_pv_why(why, -EEXIST, "buffer cookie 0x%" PRIx64 " in use",
                          req->dbuf_cookie);
    }
    if (disp->without_data_ofs) {
        req->data_ofs = 0;
    }
    ret = xen_displif_check_dbuf(req, &geometry, why);
    if (ret < 0) {
        return ret;
    }
    if (g_hash_table_size(disp->buffers) >= disp->limits.max_buffers) {
        return xen_pv_why(why, -ENOSPC, "more buffers than max-buffers: "
                          "%" PRIu32, disp->limits.max_buffers);
    }
    count = xen_displif_pages(geometry.size);
    if (count > disp->limits.max_total_pages - disp->total_pages) {
        return xen_pv_why_total(why, disp->total_pages, count,
                                disp->limits.max_total_pages);
    }

    ret = dbuf_get_pages(disp, req, &geometry, &pages, why);
    if (ret < 0) {
        return ret;
    }

    buffer = g_new0(DisplifBuffer, 1);
    buffer->cookie = req->dbuf_cookie;
    buffer->directory = req->gref_directory;
    buffer->pages = pages;
    buffer->geometry = geometry;
    g_hash_table_insert(disp->buffers, &buffer->cookie, buffer);
    disp->total_pages += count;
    return 0;
}

static int unknown_dbuf(uint64_t cookie, XenPvWhy *why)
{
    return xen_pv_why(why, -ENOENT, "unknown buffer 0x%" PRIx64, cookie);
}

static int dbuf_destroy(XenDisplif *disp,
                        const struct xendispl_dbuf_destroy_req *req,
                        XenPvWhy *why)
{
    DisplifBuffer *buffer;
    uint32_t i;

    /* Linux sends this for buffers that it failed to create, even twice */
    buffer = g_hash_table_lookup(disp->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return unknown_dbuf(req->dbuf_cookie, why);
    }

    for (i = 0; i < disp->connectors->len; i++) {
        DisplifConnector *connector = xen_displif_connector(disp, i);

        if (connector->shown == buffer) {
            disp->ops->keep(disp->opaque, i);
            connector->shown = NULL;
        }
    }
    g_hash_table_foreach_remove(disp->framebuffers, is_in_buffer, buffer);
    disp->total_pages -= xen_displif_pages(buffer->geometry.size);
    g_hash_table_remove(disp->buffers, &req->dbuf_cookie);
    return 0;
}

static int fb_attach(XenDisplif *disp,
                     const struct xendispl_fb_attach_req *req,
                     XenPvWhy *why)
{
    XenDisplifGeometry geometry;
    DisplifFramebuffer *fb;
    DisplifBuffer *buffer;
    uint32_t cpp;
    int ret;

    if (req->fb_cookie == 0) {
        return xen_pv_why(why, -EINVAL, "framebuffer cookie of 0");
    }
    buffer = g_hash_table_lookup(disp->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return unknown_dbuf(req->dbuf_cookie, why);
    }
    if (g_hash_table_contains(disp->framebuffers, &req->fb_cookie)) {
        return xen_pv_why(why, -EEXIST, "framebuffer cookie 0x%" PRIx64
                          " in use", req->fb_cookie);
    }
    if (g_hash_table_size(disp->framebuffers) >=
        disp->limits.max_framebuffers) {
        return xen_pv_why(why, -ENOSPC, "more framebuffers than "
                          "max-framebuffers: %" PRIu32,
                          disp->limits.max_framebuffers);
    }
    cpp = disp->ops->format_cpp(disp->opaque, req->pixel_format);
    if (cpp == 0) {
        return xen_pv_why(why, -EINVAL, "unknown pixel format 0x%08" PRIx32,
                          req->pixel_format);
    }
    ret = xen_displif_check_fb(req, cpp, &buffer->geometry, &geometry, why);
    if (ret < 0) {
        return ret;
    }

    fb = g_new0(DisplifFramebuffer, 1);
    fb->cookie = req->fb_cookie;
    fb->buffer = buffer;
    fb->geometry = geometry;
    fb->format = req->pixel_format;
    g_hash_table_insert(disp->framebuffers, &fb->cookie, fb);
    return 0;
}

static int unknown_fb(uint64_t cookie, XenPvWhy *why)
{
    return xen_pv_why(why, -ENOENT, "unknown framebuffer 0x%" PRIx64, cookie);
}

/*
 * Only the name goes.  A connector that shows the framebuffer's buffer goes
 * on, as Linux detaches a framebuffer before its successor's flip is done.
 */
static int fb_detach(XenDisplif *disp,
                     const struct xendispl_fb_detach_req *req,
                     XenPvWhy *why)
{
    if (!g_hash_table_remove(disp->framebuffers, &req->fb_cookie)) {
        return unknown_fb(req->fb_cookie, why);
    }
    return 0;
}

/* Show @fb from its pixel @x, @y on */
static int show_fb(XenDisplif *disp, uint32_t index, DisplifFramebuffer *fb,
                   uint32_t x, uint32_t y, bool flip, XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(disp, index);
    XenDisplifWindow window = connector->window;
    XenDisplifScanout scanout;
    int ret;

    window.x = x;
    window.y = y;
    ret = xen_displif_scanout(&fb->geometry, &window, &scanout, why);
    if (ret < 0) {
        return ret;
    }
    scanout.buffer = fb->buffer->pages;
    scanout.fb_cookie = fb->cookie;
    scanout.format = fb->format;
    ret = disp->ops->show(disp->opaque, index, &scanout, flip);
    if (ret < 0) {
        return xen_pv_why_pages(why, ret, disp->mapper,
                                "framebuffer cannot be shown");
    }
    connector->window = window;
    connector->shown = fb->buffer;
    return 0;
}

/* Show nothing any more, and forget the origin */
static void switch_off(DisplifConnector *connector)
{
    connector->enabled = false;
    connector->window.x = connector->origin_x = 0;
    connector->window.y = connector->origin_y = 0;
    connector->shown = NULL;
}

/*
 * The request's width and height are not looked at: Linux sends those of the
 * whole framebuffer, which may well be larger than the connector.  What is
 * visible follows from the connector's resolution.
 */
static int set_config(XenDisplif *disp, uint32_t index,
                      const struct xendispl_set_config_req *req,
                      XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(disp, index);
    DisplifFramebuffer *fb;
    int ret;

    if (req->fb_cookie == 0) {
        ret = disp->ops->show(disp->opaque, index, NULL, false);
        if (ret < 0) {
            return xen_pv_why(why, ret, "connector cannot be switched off");
        }
        switch_off(connector);
        return 0;
    }

    fb = g_hash_table_lookup(disp->framebuffers, &req->fb_cookie);
    if (!fb) {
        return unknown_fb(req->fb_cookie, why);
    }
    ret = show_fb(disp, index, fb, req->x, req->y, false, why);
    if (ret < 0) {
        return ret;
    }
    connector->enabled = true;
    connector->origin_x = req->x;
    connector->origin_y = req->y;
    return 0;
}

/*
 * A flip shows @fb from the origin of the last SET_CONFIG on, unless @fb proves
 * that this origin belongs to another client.  It is kept all the same: when
 * that client comes back, Linux sends a flip, but not the origin.
 */
static int flip_fb(XenDisplif *disp, uint32_t index, DisplifFramebuffer *fb,
                   XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(disp, index);
    XenDisplifWindow window = connector->window;
    bool stale;

    window.x = connector->origin_x;
    window.y = connector->origin_y;
    stale = xen_displif_is_stale(&fb->geometry, &window);
    return show_fb(disp, index, fb, stale ? 0 : window.x, stale ? 0 : window.y,
                   true, why);
}

/*
 * A flip of a connector that is off shows nothing, but succeeds and gets its
 * event: Linux flips right after it switched off and right before it switches
 * on, and then names the framebuffer anew.
 */
static int page_flip(XenDisplif *disp, uint32_t index,
                     const struct xendispl_page_flip_req *req,
                     XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(disp, index);
    DisplifFramebuffer *fb;
    uint32_t tail;
    int ret;

    fb = g_hash_table_lookup(disp->framebuffers, &req->fb_cookie);
    if (!fb) {
        return unknown_fb(req->fb_cookie, why);
    }
    if (connector->flips_count == XEN_DISPLIF_MAX_PENDING_FLIPS) {
        return xen_pv_why(why, -EBUSY, "%d flips without their event already",
                          XEN_DISPLIF_MAX_PENDING_FLIPS);
    }
    if (connector->enabled) {
        ret = flip_fb(disp, index, fb, why);
        if (ret < 0) {
            return ret;
        }
    }

    tail = connector->flips_head + connector->flips_count;
    connector->flips[tail % XEN_DISPLIF_MAX_PENDING_FLIPS] = fb->cookie;
    connector->flips_count++;
    disp->flips++;
    /* Frontends take the event and the response in either order */
    disp->ops->flipped(disp->opaque, index);
    return 0;
}

/*
 * "Must not be less then XENDISPL_EDID_MAX_SIZE octets": so large a buffer is
 * what the directory has to describe.  What is beyond it is not looked at.
 */
static int get_edid(XenDisplif *disp, uint32_t index,
                    const struct xendispl_get_edid_req *req,
                    struct xendispl_get_edid_resp *rsp, XenPvWhy *why)
{
    g_autofree uint8_t *edid = NULL;
    XenPgdirBuffer *buffer;
    int size, ret;

    if (!disp->ops->edid) {
        return xen_pv_why(why, -EOPNOTSUPP, "no EDID, use the resolution");
    }
    if (req->buffer_sz < XENDISPL_EDID_MAX_SIZE) {
        return xen_pv_why(why, -EINVAL, "EDID buffer of %" PRIu32 " bytes, "
                          "less than %d", req->buffer_sz,
                          XENDISPL_EDID_MAX_SIZE);
    }
    edid = g_malloc0(XENDISPL_EDID_MAX_SIZE);
    size = disp->ops->edid(disp->opaque, index, edid, XENDISPL_EDID_MAX_SIZE);
    if (size <= 0 || size > XENDISPL_EDID_MAX_SIZE) {
        return xen_pv_why(why, size < 0 ? size : -EIO, "no EDID to be had");
    }

    ret = xen_pgdir_buffer_new(disp->mapper, req->gref_directory,
                               XENDISPL_EDID_MAX_SIZE, XEN_PGDIR_WRITABLE,
                               &buffer);
    if (ret < 0) {
        return xen_pv_why_pages(why, ret, disp->mapper, "page directory "
                                "cannot be read");
    }
    ret = xen_pgdir_buffer_write(buffer, 0, edid, size);
    if (ret < 0) {
        xen_pv_why_pages(why, ret, disp->mapper, "EDID cannot be written");
    }
    /* Nothing stays mapped */
    xen_pgdir_buffer_unref(buffer);
    if (ret < 0) {
        return ret;
    }
    rsp->edid_sz = size;
    return 0;
}

static int carry_out(void *engine, uint32_t index, XenPvSlot *request,
                     XenPvSlot *response, XenPvWhy *why)
{
    struct xendispl_resp *rsp = (struct xendispl_resp *)response->bytes;
    struct xendispl_req *req = (struct xendispl_req *)request->bytes;
    XenDisplif *disp = engine;

    switch (req->operation) {
    case XENDISPL_OP_DBUF_CREATE:
    case XENDISPL_OP_DBUF_DESTROY:
    case XENDISPL_OP_FB_ATTACH:
    case XENDISPL_OP_FB_DETACH:
        /* "Must be sent over control ring of the connector [...] 0" */
        if (index != 0) {
            return xen_pv_why(why, -EINVAL, "operation belongs on connector "
                              "0");
        }
        break;
    default:
        break;
    }

    switch (req->operation) {
    case XENDISPL_OP_DBUF_CREATE:
        return dbuf_create(disp, &req->op.dbuf_create, why);
    case XENDISPL_OP_DBUF_DESTROY:
        return dbuf_destroy(disp, &req->op.dbuf_destroy, why);
    case XENDISPL_OP_FB_ATTACH:
        return fb_attach(disp, &req->op.fb_attach, why);
    case XENDISPL_OP_FB_DETACH:
        return fb_detach(disp, &req->op.fb_detach, why);
    case XENDISPL_OP_SET_CONFIG:
        return set_config(disp, index, &req->op.set_config, why);
    case XENDISPL_OP_PG_FLIP:
        return page_flip(disp, index, &req->op.pg_flip, why);
    case XENDISPL_OP_GET_EDID:
        return get_edid(disp, index, &req->op.get_edid, &rsp->op.get_edid,
                        why);
    default:
        return xen_pv_why(why, -EOPNOTSUPP, "unknown operation");
    }
}

XenDisplif *xen_displif_new(const XenDisplifOps *ops, void *opaque,
                            XenPgdirMapper *mapper,
                            const XenDisplifLimits *limits)
{
    XenDisplif *disp = g_new0(XenDisplif, 1);

    disp->ops = ops;
    disp->opaque = opaque;
    disp->mapper = xen_pgdir_mapper_ref(mapper);
    disp->limits = *limits;
    disp->server = (XenPvServer) {
        .carry_out = carry_out,
        .engine = disp,
        .ops = &ops->requests,
        .opaque = opaque,
    };
    disp->connectors = g_ptr_array_new_with_free_func(g_free);
    disp->buffers = g_hash_table_new_full(xen_displif_cookie_hash,
                                          g_int64_equal, NULL, buffer_free);
    disp->framebuffers = g_hash_table_new_full(xen_displif_cookie_hash,
                                               g_int64_equal, NULL, g_free);
    return disp;
}

void xen_displif_free(XenDisplif *disp)
{
    if (!disp) {
        return;
    }
    xen_displif_reset(disp);
    g_hash_table_destroy(disp->framebuffers);
    g_hash_table_destroy(disp->buffers);
    g_ptr_array_free(disp->connectors, true);
    xen_pgdir_mapper_unref(disp->mapper);
    g_free(disp);
}

uint32_t xen_displif_add_connector(XenDisplif *disp, uint32_t width,
                                   uint32_t height)
{
    DisplifConnector *connector = g_new0(DisplifConnector, 1);

    connector->window.width = width;
    connector->window.height = height;
    g_ptr_array_add(disp->connectors, connector);
    return disp->connectors->len - 1;
}

void xen_displif_set_backend_alloc(XenDisplif *disp, bool enabled)
{
    disp->backend_alloc = enabled;
}

void xen_displif_set_version(XenDisplif *disp, uint32_t version)
{
    disp->without_data_ofs = version == 1;
}

void xen_displif_attach(XenDisplif *disp, uint32_t connector,
                        void *ring_page, void *event_page)
{
    DisplifConnector *c = xen_displif_connector(disp, connector);

    if (!c) {
        return;
    }
    xen_pv_ring_attach(&c->ring, ring_page);
    xen_pv_events_attach(&c->events, event_page);
    c->flips_count = 0;
}

void xen_displif_reset(XenDisplif *disp)
{
    uint32_t i;

    for (i = 0; i < disp->connectors->len; i++) {
        DisplifConnector *connector = xen_displif_connector(disp, i);

        if (connector->enabled) {
            disp->ops->show(disp->opaque, i, NULL, false);
        }
        switch_off(connector);
        connector->flips_count = 0;
        xen_pv_ring_detach(&connector->ring);
        xen_pv_events_detach(&connector->events);
    }
    g_hash_table_remove_all(disp->framebuffers);
    g_hash_table_remove_all(disp->buffers);
    disp->total_pages = 0;
}

int xen_displif_process(XenDisplif *disp, uint32_t connector, bool *more)
{
    DisplifConnector *c = xen_displif_connector(disp, connector);

    if (!c) {
        *more = false;
        return 0;
    }
    return xen_pv_ring_serve(&c->ring, &disp->server, connector, more);
}

int xen_displif_flip_done(XenDisplif *disp, uint32_t connector)
{
    DisplifConnector *c = xen_displif_connector(disp, connector);
    struct xendispl_evt evt = { 0 };
    XenPvSlot slot;
    int ret;

    if (!c || c->flips_count == 0) {
        return -ENOENT;
    }

    evt.type = XENDISPL_EVT_PG_FLIP;
    evt.op.pg_flip.fb_cookie = c->flips[c->flips_head];
    memcpy(slot.bytes, &evt, sizeof(evt));
    ret = xen_pv_events_push(&c->events, &slot);
    if (ret < 0) {
        return ret;
    }

    c->flips_head = (c->flips_head + 1) % XEN_DISPLIF_MAX_PENDING_FLIPS;
    c->flips_count--;
    disp->events++;
    disp->ops->notify_event(disp->opaque, connector);
    return 0;
}

uint32_t xen_displif_flips_pending(const XenDisplif *disp,
                                   uint32_t connector)
{
    DisplifConnector *c = xen_displif_connector(disp, connector);

    return c ? c->flips_count : 0;
}
