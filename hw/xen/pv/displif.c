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

#include "hw/xen/xen-displif.h"
#include "hw/xen/xen-pv-ring.h"
#include "displif-check.h"
#include "displif-scanout.h"

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

/*
 * A display buffer of the guest
 *
 * @cookie: the guest's name of it; the key of XenDisplif.buffers
 * @directory: the first grant reference of its page directory
 * @pages: its pages
 * @geometry: its layout
 */
typedef struct DisplifBuffer {
    uint64_t cookie;
    uint32_t directory;
    XenPgdirBuffer *pages;
    XenDisplifGeometry geometry;
} DisplifBuffer;

/*
 * A framebuffer: a way to look at a display buffer
 *
 * @cookie: the guest's name of it; the key of XenDisplif.framebuffers
 * @buffer: what it lies in; outlives it
 * @geometry: its layout
 * @format: DRM FOURCC
 */
typedef struct DisplifFramebuffer {
    uint64_t cookie;
    DisplifBuffer *buffer;
    XenDisplifGeometry geometry;
    uint32_t format;
} DisplifFramebuffer;

/*
 * @window: what it shows of a framebuffer
 * @origin_x, @origin_y: where the last SET_CONFIG had that begin
 * @enabled: between a SET_CONFIG of a framebuffer and one that resets
 * @shown: buffer whose pages the owner shows, or NULL.  The framebuffer that
 *     it was shown by may be detached meanwhile.
 * @flips: cookies of the framebuffers whose flip event is owed
 * @flips_head, @flips_count: the oldest of them; their number
 */
typedef struct DisplifConnector {
    XenDisplifWindow window;
    uint32_t origin_x;
    uint32_t origin_y;
    XenPvRing ring;
    XenPvEvents events;
    bool enabled;
    DisplifBuffer *shown;
    uint64_t flips[XEN_DISPLIF_MAX_PENDING_FLIPS];
    uint32_t flips_head;
    uint32_t flips_count;
} DisplifConnector;

struct XenDisplif {
    const XenDisplifOps *ops;
    void *opaque;
    XenPgdirMapper *mapper;
    XenDisplifLimits limits;
    XenPvServer server;
    bool backend_alloc;
    bool without_data_ofs;      /* as in version 1 of the protocol */
    GPtrArray *connectors;
    GHashTable *buffers;
    GHashTable *framebuffers;
    uint64_t total_pages;
    uint64_t flips;
    uint64_t events;
};

static int refuse(const char **why, int status, const char *phrase)
{
    *why = phrase;
    return status;
}

static DisplifConnector *get_connector(const XenDisplif *card, uint32_t index)
{
    if (index >= card->connectors->len) {
        return NULL;
    }
    return g_ptr_array_index(card->connectors, index);
}

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

static const char *no_buffer(int error)
{
    return error == -E2BIG ? "buffer larger than max-pages allows"
                           : "page directory cannot be read";
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
                          XenPgdirBuffer **pages, const char **why)
{
    bool alloc = card->backend_alloc &&
                 (req->flags & XENDISPL_DBUF_FLG_REQ_ALLOC);
    int ret;

    if (!alloc) {
        ret = xen_pgdir_buffer_new(card->mapper, req->gref_directory,
                                   geometry->size, 0, pages);
        return ret < 0 ? refuse(why, ret, no_buffer(ret)) : 0;
    }
    if (geometry->width == 0) {
        return refuse(why, -EINVAL, "allocation without width and height");
    }
    if (geometry->data_ofs) {
        return refuse(why, -EINVAL, "allocation with a data offset");
    }
    ret = xen_pgdir_buffer_new_shared(card->mapper, req->gref_directory,
                                      geometry->size, 0, pages);
    return ret < 0 ? refuse(why, ret, "buffer cannot be allocated") : 0;
}

static int dbuf_create(XenDisplif *card,
                       struct xendispl_dbuf_create_req *req,
                       const char **why)
{
    XenDisplifGeometry geometry;
    XenPgdirBuffer *pages;
    DisplifBuffer *buffer;
    uint64_t count;
    int ret;

    if (req->dbuf_cookie == 0) {
        return refuse(why, -EINVAL, "buffer cookie of 0");
    }
    if (g_hash_table_contains(card->buffers, &req->dbuf_cookie)) {
        return refuse(why, -EEXIST, "buffer cookie in use");
    }
    if (card->without_data_ofs) {
        req->data_ofs = 0;
    }
    *why = xen_displif_check_dbuf(req, &geometry);
    if (*why) {
        return -EINVAL;
    }
    if (g_hash_table_size(card->buffers) >= card->limits.max_buffers) {
        return refuse(why, -ENOSPC, "more buffers than max-buffers");
    }
    count = xen_displif_pages(geometry.size);
    if (count > card->limits.max_total_pages - card->total_pages) {
        return refuse(why, -ENOSPC,
                      "more pages in all buffers than max-pages allows");
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
                        const char **why)
{
    DisplifBuffer *buffer;
    uint32_t i;

    /* Linux sends this for buffers that it failed to create, even twice */
    buffer = g_hash_table_lookup(card->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return refuse(why, -ENOENT, "unknown buffer");
    }

    for (i = 0; i < card->connectors->len; i++) {
        DisplifConnector *connector = get_connector(card, i);

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
                     const char **why)
{
    XenDisplifGeometry geometry;
    DisplifFramebuffer *fb;
    DisplifBuffer *buffer;
    uint32_t cpp;

    if (req->fb_cookie == 0) {
        return refuse(why, -EINVAL, "framebuffer cookie of 0");
    }
    buffer = g_hash_table_lookup(card->buffers, &req->dbuf_cookie);
    if (!buffer) {
        return refuse(why, -ENOENT, "unknown buffer");
    }
    if (g_hash_table_contains(card->framebuffers, &req->fb_cookie)) {
        return refuse(why, -EEXIST, "framebuffer cookie in use");
    }
    if (g_hash_table_size(card->framebuffers) >=
        card->limits.max_framebuffers) {
        return refuse(why, -ENOSPC, "more framebuffers than max-framebuffers");
    }
    cpp = card->ops->format_cpp(card->opaque, req->pixel_format);
    if (cpp == 0) {
        return refuse(why, -EINVAL, "unknown pixel format");
    }
    *why = xen_displif_check_fb(req, cpp, &buffer->geometry, &geometry);
    if (*why) {
        return -EINVAL;
    }

    fb = g_new0(DisplifFramebuffer, 1);
    fb->cookie = req->fb_cookie;
    fb->buffer = buffer;
    fb->geometry = geometry;
    fb->format = req->pixel_format;
    g_hash_table_insert(card->framebuffers, &fb->cookie, fb);
    return 0;
}

/*
 * Only the name goes.  A connector that shows the framebuffer's buffer goes
 * on, as Linux detaches a framebuffer before its successor's flip is done.
 */
static int fb_detach(XenDisplif *card,
                     const struct xendispl_fb_detach_req *req,
                     const char **why)
{
    if (!g_hash_table_remove(card->framebuffers, &req->fb_cookie)) {
        return refuse(why, -ENOENT, "unknown framebuffer");
    }
    return 0;
}

/* Show @fb from its pixel @x, @y on */
static int show_fb(XenDisplif *card, uint32_t index, DisplifFramebuffer *fb,
                   uint32_t x, uint32_t y, bool flip, const char **why)
{
    DisplifConnector *connector = get_connector(card, index);
    XenDisplifWindow window = connector->window;
    XenDisplifScanout scanout;
    int ret;

    window.x = x;
    window.y = y;
    *why = xen_displif_scanout(&fb->geometry, &window, &scanout);
    if (*why) {
        return -EINVAL;
    }
    scanout.buffer = fb->buffer->pages;
    scanout.fb_cookie = fb->cookie;
    scanout.format = fb->format;
    ret = card->ops->show(card->opaque, index, &scanout, flip);
    if (ret < 0) {
        return refuse(why, ret, "framebuffer cannot be shown");
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
                      const char **why)
{
    DisplifConnector *connector = get_connector(card, index);
    DisplifFramebuffer *fb;
    int ret;

    if (req->fb_cookie == 0) {
        ret = card->ops->show(card->opaque, index, NULL, false);
        if (ret < 0) {
            return refuse(why, ret, "connector cannot be switched off");
        }
        switch_off(connector);
        return 0;
    }

    fb = g_hash_table_lookup(card->framebuffers, &req->fb_cookie);
    if (!fb) {
        return refuse(why, -ENOENT, "unknown framebuffer");
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
                   const char **why)
{
    DisplifConnector *connector = get_connector(card, index);
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
                     const char **why)
{
    DisplifConnector *connector = get_connector(card, index);
    DisplifFramebuffer *fb;
    uint32_t tail;
    int ret;

    fb = g_hash_table_lookup(card->framebuffers, &req->fb_cookie);
    if (!fb) {
        return refuse(why, -ENOENT, "unknown framebuffer");
    }
    if (connector->flips_count == XEN_DISPLIF_MAX_PENDING_FLIPS) {
        return refuse(why, -EBUSY, "too many flips without their event");
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
                    struct xendispl_get_edid_resp *rsp, const char **why)
{
    g_autofree uint8_t *edid = NULL;
    XenPgdirBuffer *buffer;
    int size, ret;

    if (!card->ops->edid) {
        return refuse(why, -EOPNOTSUPP, "no EDID, use the resolution");
    }
    if (req->buffer_sz < XENDISPL_EDID_MAX_SIZE) {
        return refuse(why, -EINVAL, "EDID buffer too small");
    }
    edid = g_malloc0(XENDISPL_EDID_MAX_SIZE);
    size = card->ops->edid(card->opaque, index, edid, XENDISPL_EDID_MAX_SIZE);
    if (size <= 0 || size > XENDISPL_EDID_MAX_SIZE) {
        return refuse(why, size < 0 ? size : -EIO, "no EDID to be had");
    }

    ret = xen_pgdir_buffer_new(card->mapper, req->gref_directory,
                               XENDISPL_EDID_MAX_SIZE, XEN_PGDIR_WRITABLE,
                               &buffer);
    if (ret < 0) {
        return refuse(why, ret, "page directory cannot be read");
    }
    ret = xen_pgdir_buffer_write(buffer, 0, edid, size);
    /* Nothing stays mapped */
    xen_pgdir_buffer_unref(buffer);
    if (ret < 0) {
        return refuse(why, ret, "EDID cannot be written");
    }
    rsp->edid_sz = size;
    return 0;
}

static int carry_out(void *engine, uint32_t index, XenPvSlot *request,
                     XenPvSlot *response, const char **why)
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
            return refuse(why, -EINVAL, "operation belongs on connector 0");
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
        return refuse(why, -EOPNOTSUPP, "unknown operation");
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
    DisplifConnector *c = get_connector(card, connector);

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
        DisplifConnector *connector = get_connector(card, i);

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
    DisplifConnector *c = get_connector(card, connector);

    if (!c) {
        *more = false;
        return 0;
    }
    return xen_pv_ring_serve(&c->ring, &card->server, connector, more);
}

int xen_displif_flip_done(XenDisplif *card, uint32_t connector)
{
    DisplifConnector *c = get_connector(card, connector);
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
    DisplifConnector *c = get_connector(card, connector);

    return c ? c->flips_count : 0;
}

void xen_displif_stats(const XenDisplif *card, XenDisplifStats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->requests = card->server.requests;
    stats->refused = card->server.refused;
    stats->flips = card->flips;
    stats->events = card->events;
    stats->buffers = g_hash_table_size(card->buffers);
    stats->framebuffers = g_hash_table_size(card->framebuffers);
    stats->total_pages = card->total_pages;
}

void xen_displif_connector_info(const XenDisplif *card, uint32_t connector,
                                XenDisplifConnectorInfo *info)
{
    DisplifConnector *c = get_connector(card, connector);

    memset(info, 0, sizeof(*info));
    if (!c) {
        return;
    }
    info->connected = c->ring.page;
    info->broken = c->ring.broken;
    info->enabled = c->enabled;
    info->x = c->window.x;
    info->y = c->window.y;
    info->width = c->window.width;
    info->height = c->window.height;
    info->shown_dbuf = c->shown ? c->shown->cookie : 0;
    info->flips_pending = c->flips_count;
    info->events = c->events.prod;
}

static void describe(const DisplifBuffer *buffer,
                     const XenDisplifGeometry *geometry,
                     XenDisplifBufferInfo *info)
{
    memset(info, 0, sizeof(*info));
    info->dbuf_cookie = buffer->cookie;
    info->directory = buffer->directory;
    info->width = geometry->width;
    info->height = geometry->height;
    info->stride = geometry->stride;
    info->size = buffer->geometry.size;
}

void xen_displif_visit(const XenDisplif *card, XenDisplifVisit visit,
                       void *opaque)
{
    XenDisplifBufferInfo info;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, card->buffers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        DisplifBuffer *buffer = value;

        describe(buffer, &buffer->geometry, &info);
        visit(&info, opaque);
    }
    g_hash_table_iter_init(&iter, card->framebuffers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        DisplifFramebuffer *fb = value;

        describe(fb->buffer, &fb->geometry, &info);
        info.fb_cookie = fb->cookie;
        info.format = fb->format;
        visit(&info, opaque);
    }
}
