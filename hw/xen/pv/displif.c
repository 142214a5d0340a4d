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

#include "displif-card.h"
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

static int no_buffer(const XenDisplif *card, uint64_t pages, int error,
                     const char *phrase, XenPvWhy *why)
{
    if (error == -E2BIG) {
        return xen_pv_why(why, error, "buffer of %" PRIu64 " pages larger "
                          "than max-pages allows", pages);
    }
    return xen_pv_why_pages(why, error, card->mapper, phrase);
}

/*
 * Get the pages of a new buffer: from the guest, or for it.
 *
 * Flags that the protocol does not define are not looked at, as Linux reuses
 * the ring's slots without clearing them and only ever sets bits in @flags.
 * For the same reason REQ_ALLOC counts only if the toolstack allows it.
 */
static int dbuf_get_pages(XenDisplif *card,
                          const struct xendispl_dbuf_create_req *req,
                          const XenDisplifGeometry *geometry,
                          XenPgdirBuffer **pages, XenPvWhy *why)
{
    bool alloc = card->backend_alloc &&
                 (req->flags & XENDISPL_DBUF_FLG_REQ_ALLOC);
    uint64_t count = xen_displif_pages(geometry->size);
    int ret;

    if (!alloc) {
        ret = xen_pgdir_buffer_new(card->mapper, req->gref_directory,
                                   geometry->size, 0, pages);
        return ret < 0 ? no_buffer(card, count, ret, "page directory cannot "
                                   "be read", why) : 0;
    }
    if (geometry->width == 0) {
        return xen_pv_why(why, -EINVAL, "allocation without width and height");
    }
    if (geometry->data_ofs) {
        return xen_pv_why(why, -EINVAL, "allocation with a data offset of %"
                          PRIu32 " bytes", geometry->data_ofs);
    }
    ret = xen_pgdir_buffer_new_shared(card->mapper, req->gref_directory,
                                      geometry->size, 0, pages);
    return ret < 0 ? no_buffer(card, count, ret, "buffer cannot be "
                               "allocated", why) : 0;
}

static int dbuf_create(XenDisplif *card,
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
    if (g_hash_table_contains(card->buffers, &req->dbuf_cookie)) {
        return xen_pv_why(why, -EEXIST, "buffer cookie 0x%" PRIx64 " in use",
                          req->dbuf_cookie);
    }
    if (card->without_data_ofs) {
        req->data_ofs = 0;
    }
    ret = xen_displif_check_dbuf(req, &geometry, why);
    if (ret < 0) {
        return ret;
    }
    if (g_hash_table_size(card->buffers) >= card->limits.max_buffers) {
        return xen_pv_why(why, -ENOSPC, "more buffers than max-buffers: "
                          "%" PRIu32, card->limits.max_buffers);
    }
    count = xen_displif_pages(geometry.size);
    if (count > card->limits.max_total_pages - card->total_pages) {
        return xen_pv_why(why, -ENOSPC, "more pages in all buffers than "
                          "max-pages allows: %" PRIu64 " and %" PRIu64 " more "
                          "exceed %" PRIu64, card->total_pages, count,
                          card->limits.max_total_pages);
    }

    ret = dbuf_get_pages(card, req, &geometry, &pages, why);
    if (ret < 0) {
        return ret;
    }

    buffer = g_new0(DisplifBuffer, 1);
    buffer->cookie = req->dbuf_cookie;
    buffer->directory = req->gref_directory;
    buffer->pages = pages;
    buffer->geometry = geometry;
    g_hash_table_insert(card->buffers, &buffer->cookie, buffer);
    card->total_pages += count;
    return 0;
}

static int dbuf_destroy(XenDisplif *card,
                        const struct xendispl_dbuf_destroy_req *req,
                        XenPvWhy *why)
{
    DisplifBuffer *buffer;
    uint32_t i;

    /* Linux sends this for buffers that it failed to create, even twice */
    buffer = g_hash_table_lookup(card->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return xen_pv_why(why, -ENOENT, "unknown buffer 0x%" PRIx64,
                          req->dbuf_cookie);
    }

    for (i = 0; i < card->connectors->len; i++) {
        DisplifConnector *connector = xen_displif_connector(card, i);

        if (connector->shown == buffer) {
            card->ops->keep(card->opaque, i);
            connector->shown = NULL;
        }
    }
    g_hash_table_foreach_remove(card->framebuffers, is_in_buffer, buffer);
    card->total_pages -= xen_displif_pages(buffer->geometry.size);
    g_hash_table_remove(card->buffers, &req->dbuf_cookie);
    return 0;
}

static int fb_attach(XenDisplif *card,
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
    buffer = g_hash_table_lookup(card->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return xen_pv_why(why, -ENOENT, "unknown buffer 0x%" PRIx64,
                          req->dbuf_cookie);
    }
    if (g_hash_table_contains(card->framebuffers, &req->fb_cookie)) {
        return xen_pv_why(why, -EEXIST, "framebuffer cookie 0x%" PRIx64
                          " in use", req->fb_cookie);
    }
    if (g_hash_table_size(card->framebuffers) >=
        card->limits.max_framebuffers) {
        return xen_pv_why(why, -ENOSPC, "more framebuffers than "
                          "max-framebuffers: %" PRIu32,
                          card->limits.max_framebuffers);
    }
    cpp = card->ops->format_cpp(card->opaque, req->pixel_format);
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
    g_hash_table_insert(card->framebuffers, &fb->cookie, fb);
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
static int fb_detach(XenDisplif *card,
                     const struct xendispl_fb_detach_req *req,
                     XenPvWhy *why)
{
    if (!g_hash_table_remove(card->framebuffers, &req->fb_cookie)) {
        return unknown_fb(req->fb_cookie, why);
    }
    return 0;
}

/* Show @fb from its pixel @x, @y on */
static int show_fb(XenDisplif *card, uint32_t index, DisplifFramebuffer *fb,
                   uint32_t x, uint32_t y, bool flip, XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(card, index);
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
    ret = card->ops->show(card->opaque, index, &scanout, flip);
    if (ret < 0) {
        return xen_pv_why_pages(why, ret, card->mapper,
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
static int set_config(XenDisplif *card, uint32_t index,
                      const struct xendispl_set_config_req *req,
                      XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(card, index);
    DisplifFramebuffer *fb;
    int ret;

    if (req->fb_cookie == 0) {
        ret = card->ops->show(card->opaque, index, NULL, false);
        if (ret < 0) {
            return xen_pv_why(why, ret, "connector cannot be switched off");
        }
        switch_off(connector);
        return 0;
    }

    fb = g_hash_table_lookup(card->framebuffers, &req->fb_cookie);
    if (!fb) {
        return unknown_fb(req->fb_cookie, why);
    }
    ret = show_fb(card, index, fb, req->x, req->y, false, why);
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
static int flip_fb(XenDisplif *card, uint32_t index, DisplifFramebuffer *fb,
                   XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(card, index);
    XenDisplifWindow window = connector->window;
    bool stale;

    window.x = connector->origin_x;
    window.y = connector->origin_y;
    stale = xen_displif_is_stale(&fb->geometry, &window);
    return show_fb(card, index, fb, stale ? 0 : window.x, stale ? 0 : window.y,
                   true, why);
}

/*
 * A flip of a connector that is off shows nothing, but succeeds and gets its
 * event: Linux flips right after it switched off and right before it switches
 * on, and then names the framebuffer anew.
 */
static int page_flip(XenDisplif *card, uint32_t index,
                     const struct xendispl_page_flip_req *req,
                     XenPvWhy *why)
{
    DisplifConnector *connector = xen_displif_connector(card, index);
    DisplifFramebuffer *fb;
    uint32_t tail;
    int ret;

    fb = g_hash_table_lookup(card->framebuffers, &req->fb_cookie);
    if (!fb) {
        return unknown_fb(req->fb_cookie, why);
    }
    if (connector->flips_count == XEN_DISPLIF_MAX_PENDING_FLIPS) {
        return xen_pv_why(why, -EBUSY, "%d flips without their event already",
                          XEN_DISPLIF_MAX_PENDING_FLIPS);
    }
    if (connector->enabled) {
        ret = flip_fb(card, index, fb, why);
        if (ret < 0) {
            return ret;
        }
    }

    tail = connector->flips_head + connector->flips_count;
    connector->flips[tail % XEN_DISPLIF_MAX_PENDING_FLIPS] = fb->cookie;
    connector->flips_count++;
    card->flips++;
    /* Frontends take the event and the response in either order */
    card->ops->flipped(card->opaque, index);
    return 0;
}

/*
 * "Must not be less then XENDISPL_EDID_MAX_SIZE octets": so large a buffer is
 * what the directory has to describe.  What is beyond it is not looked at.
 */
static int get_edid(XenDisplif *card, uint32_t index,
                    const struct xendispl_get_edid_req *req,
                    struct xendispl_get_edid_resp *rsp, XenPvWhy *why)
{
    g_autofree uint8_t *edid = NULL;
    XenPgdirBuffer *buffer;
    int size, ret;

    if (!card->ops->edid) {
        return xen_pv_why(why, -EOPNOTSUPP, "no EDID, use the resolution");
    }
    if (req->buffer_sz < XENDISPL_EDID_MAX_SIZE) {
        return xen_pv_why(why, -EINVAL, "EDID buffer of %" PRIu32 " bytes, "
                          "less than %d", req->buffer_sz,
                          XENDISPL_EDID_MAX_SIZE);
    }
    edid = g_malloc0(XENDISPL_EDID_MAX_SIZE);
    size = card->ops->edid(card->opaque, index, edid, XENDISPL_EDID_MAX_SIZE);
    if (size <= 0 || size > XENDISPL_EDID_MAX_SIZE) {
        return xen_pv_why(why, size < 0 ? size : -EIO, "no EDID to be had");
    }

    ret = xen_pgdir_buffer_new(card->mapper, req->gref_directory,
                               XENDISPL_EDID_MAX_SIZE, XEN_PGDIR_WRITABLE,
                               &buffer);
    if (ret < 0) {
        return xen_pv_why_pages(why, ret, card->mapper, "page directory "
                                "cannot be read");
    }
    ret = xen_pgdir_buffer_write(buffer, 0, edid, size);
    if (ret < 0) {
        xen_pv_why_pages(why, ret, card->mapper, "EDID cannot be written");
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
    XenDisplif *card = engine;

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
        return dbuf_create(card, &req->op.dbuf_create, why);
    case XENDISPL_OP_DBUF_DESTROY:
        return dbuf_destroy(card, &req->op.dbuf_destroy, why);
    case XENDISPL_OP_FB_ATTACH:
        return fb_attach(card, &req->op.fb_attach, why);
    case XENDISPL_OP_FB_DETACH:
        return fb_detach(card, &req->op.fb_detach, why);
    case XENDISPL_OP_SET_CONFIG:
        return set_config(card, index, &req->op.set_config, why);
    case XENDISPL_OP_PG_FLIP:
        return page_flip(card, index, &req->op.pg_flip, why);
    case XENDISPL_OP_GET_EDID:
        return get_edid(card, index, &req->op.get_edid, &rsp->op.get_edid,
                        why);
    default:
        return xen_pv_why(why, -EOPNOTSUPP, "unknown operation");
    }
}

XenDisplif *xen_displif_new(const XenDisplifOps *ops, void *opaque,
                            XenPgdirMapper *mapper,
                            const XenDisplifLimits *limits)
{
    XenDisplif *card = g_new0(XenDisplif, 1);

    card->ops = ops;
    card->opaque = opaque;
    card->mapper = xen_pgdir_mapper_ref(mapper);
    card->limits = *limits;
    card->server = (XenPvServer) {
        .carry_out = carry_out,
        .engine = card,
        .ops = &ops->requests,
        .opaque = opaque,
    };
    card->connectors = g_ptr_array_new_with_free_func(g_free);
    card->buffers = g_hash_table_new_full(xen_displif_cookie_hash,
                                          g_int64_equal, NULL, buffer_free);
    card->framebuffers = g_hash_table_new_full(xen_displif_cookie_hash,
                                               g_int64_equal, NULL, g_free);
    return card;
}

void xen_displif_free(XenDisplif *card)
{
    if (!card) {
        return;
    }
    xen_displif_reset(card);
    g_hash_table_destroy(card->framebuffers);
    g_hash_table_destroy(card->buffers);
    g_ptr_array_free(card->connectors, true);
    xen_pgdir_mapper_unref(card->mapper);
    g_free(card);
}

uint32_t xen_displif_add_connector(XenDisplif *card, uint32_t width,
                                   uint32_t height)
{
    DisplifConnector *connector = g_new0(DisplifConnector, 1);

    connector->window.width = width;
    connector->window.height = height;
    g_ptr_array_add(card->connectors, connector);
    return card->connectors->len - 1;
}

void xen_displif_set_backend_alloc(XenDisplif *card, bool enabled)
{
    card->backend_alloc = enabled;
}

void xen_displif_set_version(XenDisplif *card, uint32_t version)
{
    card->without_data_ofs = version == 1;
}

void xen_displif_attach(XenDisplif *card, uint32_t connector,
                        void *ring_page, void *event_page)
{
    DisplifConnector *c = xen_displif_connector(card, connector);

    if (!c) {
        return;
    }
    xen_pv_ring_attach(&c->ring, ring_page);
    xen_pv_events_attach(&c->events, event_page);
    c->flips_count = 0;
}

void xen_displif_reset(XenDisplif *card)
{
    uint32_t i;

    for (i = 0; i < card->connectors->len; i++) {
        DisplifConnector *connector = xen_displif_connector(card, i);

        if (connector->enabled) {
            card->ops->show(card->opaque, i, NULL, false);
        }
        switch_off(connector);
        connector->flips_count = 0;
        xen_pv_ring_detach(&connector->ring);
        xen_pv_events_detach(&connector->events);
    }
    g_hash_table_remove_all(card->framebuffers);
    g_hash_table_remove_all(card->buffers);
    card->total_pages = 0;
}

int xen_displif_process(XenDisplif *card, uint32_t connector, bool *more)
{
    DisplifConnector *c = xen_displif_connector(card, connector);

    if (!c) {
        *more = false;
        return 0;
    }
    return xen_pv_ring_serve(&c->ring, &card->server, connector, more);
}

int xen_displif_flip_done(XenDisplif *card, uint32_t connector)
{
    DisplifConnector *c = xen_displif_connector(card, connector);
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
    card->events++;
    card->ops->notify_event(card->opaque, connector);
    return 0;
}

uint32_t xen_displif_flips_pending(const XenDisplif *card,
                                   uint32_t connector)
{
    DisplifConnector *c = xen_displif_connector(card, connector);

    return c ? c->flips_count : 0;
}
