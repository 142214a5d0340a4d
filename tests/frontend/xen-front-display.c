/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake frontend of a PV display
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xen-front-display.h"

/* Life */

XenFrontDisplay *xen_front_display_new(XenGuest *guest, uint32_t devid)
{
    XenFrontDisplay *display = g_new0(XenFrontDisplay, 1);

    display->guest = guest;
    display->devid = devid;
    display->frontend_path =
        g_strdup_printf("/local/domain/%u/device/" XENDISPL_DRIVER_NAME "/%u",
                        xen_guest_domid(guest), devid);
    display->frontend_state = g_strdup_printf("%s/state",
                                              display->frontend_path);
    display->backend_path =
        g_strdup_printf("/local/domain/%u/backend/" XENDISPL_DRIVER_NAME
                        "/%u/%u", XEN_GUEST_BACKEND, xen_guest_domid(guest),
                        devid);
    display->backend_state = g_strdup_printf("%s/state",
                                             display->backend_path);
    return display;
}

uint32_t xen_front_display_free(XenFrontDisplay *display)
{
    uint32_t busy;

    if (!display) {
        return 0;
    }
    busy = xen_front_display_free_rings(display);
    g_free(display->frontend_path);
    g_free(display->frontend_state);
    g_free(display->backend_path);
    g_free(display->backend_state);
    g_free(display);
    return busy;
}

int xen_front_display_set_state(XenFrontDisplay *display, int state)
{
    return xen_guest_write(display->guest, display->frontend_state, "%d",
                           state);
}

bool xen_front_display_wait_backend(XenFrontDisplay *display, int state,
                                    int timeout_ms)
{
    return xen_guest_wait_int(display->guest, display->backend_state, state,
                              XenbusStateUnknown, timeout_ms);
}

int xen_front_display_read_config(XenFrontDisplay *display)
{
    uint32_t i;

    display->nr_connectors = 0;
    for (i = 0; i < XEN_FRONT_MAX_CONNECTORS; i++) {
        XenFrontConnector *c = &display->connectors[i];
        g_autofree char *path =
            g_strdup_printf("%s/%u/" XENDISPL_FIELD_RESOLUTION,
                            display->frontend_path, i);
        g_autofree char *resolution = xen_guest_read(display->guest, path);

        if (!resolution ||
            sscanf(resolution, "%u" XENDISPL_RESOLUTION_SEPARATOR "%u",
                   &c->width, &c->height) != 2) {
            break;
        }
        c->display = display;
        c->index = i;
        display->nr_connectors++;
    }
    return display->nr_connectors ? 0 : -ENODEV;
}

static int alloc_channel(XenGuest *guest, XenFrontChannel *channel)
{
    channel->page = xen_guest_alloc_page(guest);
    if (!channel->page) {
        return -ENOMEM;
    }
    channel->ref = xen_guest_grant(guest, channel->page, false);
    channel->port = xen_guest_alloc_port(guest);
    return channel->ref && channel->port ? 0 : -ENOSPC;
}

static uint32_t free_channel(XenGuest *guest, XenFrontChannel *channel)
{
    uint32_t busy = 0;

    if (channel->page) {
        xen_guest_close_port(guest, channel->port);
        if (xen_guest_end_access(guest, channel->ref) < 0) {
            busy = 1;
        } else {
            xen_guest_free_page(guest, channel->page);
        }
    }
    memset(channel, 0, sizeof(*channel));
    return busy;
}

int xen_front_display_alloc_rings(XenFrontDisplay *display)
{
    XenGuest *guest = display->guest;
    uint32_t i;

    for (i = 0; i < display->nr_connectors; i++) {
        XenFrontConnector *c = &display->connectors[i];
        struct xen_displif_sring *shared;

        if (alloc_channel(guest, &c->req) < 0 ||
            alloc_channel(guest, &c->evt) < 0) {
            xen_front_display_free_rings(display);
            return -ENOMEM;
        }
        shared = xen_guest_page(guest, c->req.page);
        SHARED_RING_INIT(shared);
        FRONT_RING_INIT(&c->ring, shared, XEN_GUEST_PAGE);
        c->next_id = 0;
        c->events = c->bad_events = 0;
    }
    return 0;
}

uint32_t xen_front_display_free_rings(XenFrontDisplay *display)
{
    uint32_t busy = 0;
    uint32_t i;

    for (i = 0; i < XEN_FRONT_MAX_CONNECTORS; i++) {
        busy += free_channel(display->guest, &display->connectors[i].req);
        busy += free_channel(display->guest, &display->connectors[i].evt);
    }
    return busy;
}

static int publish_number(XenFrontConnector *c, const char *key, uint32_t n)
{
    g_autofree char *path = g_strdup_printf("%s/%u/%s",
                                            c->display->frontend_path,
                                            c->index, key);

    return xen_guest_write(c->display->guest, path, "%u", n);
}

int xen_front_display_publish(XenFrontDisplay *display)
{
    uint32_t i;

    for (i = 0; i < display->nr_connectors; i++) {
        XenFrontConnector *c = &display->connectors[i];
        int ret = publish_number(c, XENDISPL_FIELD_REQ_RING_REF, c->req.ref);

        if (!ret) {
            ret = publish_number(c, XENDISPL_FIELD_REQ_CHANNEL, c->req.port);
        }
        if (!ret) {
            ret = publish_number(c, XENDISPL_FIELD_EVT_RING_REF, c->evt.ref);
        }
        if (!ret) {
            ret = publish_number(c, XENDISPL_FIELD_EVT_CHANNEL, c->evt.port);
        }
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int xen_front_display_connect(XenFrontDisplay *display)
{
    int ret;

    if (!xen_front_display_wait_backend(display, XenbusStateInitWait,
                                        XEN_GUEST_DEADLINE)) {
        return -ETIMEDOUT;
    }
    ret = xen_front_display_read_config(display);
    if (!ret) {
        ret = xen_front_display_alloc_rings(display);
    }
    if (!ret) {
        ret = xen_front_display_publish(display);
    }
    if (!ret) {
        ret = xen_front_display_set_state(display, XenbusStateInitialised);
    }
    if (ret < 0) {
        return ret;
    }
    if (!xen_front_display_wait_backend(display, XenbusStateConnected,
                                        XEN_GUEST_DEADLINE)) {
        return -ETIMEDOUT;
    }
    return xen_front_display_set_state(display, XenbusStateConnected);
}

int xen_front_display_unload(XenFrontDisplay *display)
{
    bool ready;
    uint32_t busy;

    xen_front_display_set_state(display, XenbusStateClosing);
    ready = xen_front_display_wait_backend(display, XenbusStateInitWait,
                                           1000);
    busy = xen_front_display_free_rings(display);
    xen_front_display_set_state(display, XenbusStateInitialising);
    xen_front_display_set_state(display, XenbusStateClosed);
    return !ready ? -ETIMEDOUT : busy ? -EBUSY : 0;
}

/* Requests */

uint16_t xen_front_send(XenFrontConnector *c, const struct xendispl_req *req)
{
    struct xendispl_req *slot = RING_GET_REQUEST(&c->ring,
                                                 c->ring.req_prod_pvt);
    uint16_t id = c->next_id++;
    int notify;

    *slot = *req;
    slot->id = id;
    c->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&c->ring, notify);
    if (notify) {
        xen_guest_kick(c->display->guest, c->req.port);
    }
    return id;
}

/* Linux asks to be notified of the next response, then looks once more */
static bool has_response(void *opaque)
{
    XenFrontConnector *c = opaque;
    int work;

    RING_FINAL_CHECK_FOR_RESPONSES(&c->ring, work);
    return work;
}

int xen_front_receive(XenFrontConnector *c, struct xendispl_resp *resp,
                      int timeout_ms)
{
    if (!xen_guest_wait(c->display->guest, has_response, c, timeout_ms)) {
        return -ETIMEDOUT;
    }
    xen_rmb();
    *resp = *RING_GET_RESPONSE(&c->ring, c->ring.rsp_cons);
    c->ring.rsp_cons++;
    return 0;
}

static bool is_zero(const void *data, size_t len)
{
    const uint8_t *byte = data;

    while (len--) {
        if (*byte++) {
            return false;
        }
    }
    return true;
}

int xen_front_request(XenFrontConnector *c, struct xendispl_req *req,
                      struct xendispl_resp *resp)
{
    struct xendispl_resp unused;
    uint16_t id = xen_front_send(c, req);
    size_t used = offsetof(struct xendispl_resp, op);
    int ret;

    resp = resp ?: &unused;
    ret = xen_front_receive(c, resp, XEN_FRONT_TIMEOUT);
    if (ret < 0) {
        return ret;
    }
    if (req->operation == XENDISPL_OP_GET_EDID) {
        used += sizeof(resp->op.get_edid);
    }
    if (resp->id != id || resp->operation != req->operation ||
        resp->reserved || resp->status > 0 ||
        !is_zero((uint8_t *)resp + used, sizeof(*resp) - used)) {
        return -EPROTO;
    }
    return resp->status;
}

int xen_front_dbuf_create(XenFrontDisplay *display, uint64_t dbuf,
                          uint32_t width, uint32_t height, uint32_t bpp,
                          uint32_t size, uint32_t flags, uint32_t dir_ref,
                          uint32_t data_ofs)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_DBUF_CREATE };

    req.op.dbuf_create.dbuf_cookie = dbuf;
    req.op.dbuf_create.width = width;
    req.op.dbuf_create.height = height;
    req.op.dbuf_create.bpp = bpp;
    req.op.dbuf_create.buffer_sz = size;
    req.op.dbuf_create.flags = flags;
    req.op.dbuf_create.gref_directory = dir_ref;
    req.op.dbuf_create.data_ofs = data_ofs;
    return xen_front_request(&display->connectors[0], &req, NULL);
}

int xen_front_dbuf_destroy(XenFrontDisplay *display, uint64_t dbuf)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_DBUF_DESTROY };

    req.op.dbuf_destroy.dbuf_cookie = dbuf;
    return xen_front_request(&display->connectors[0], &req, NULL);
}

int xen_front_fb_attach(XenFrontDisplay *display, uint64_t dbuf, uint64_t fb,
                        uint32_t width, uint32_t height, uint32_t format)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_FB_ATTACH };

    req.op.fb_attach.dbuf_cookie = dbuf;
    req.op.fb_attach.fb_cookie = fb;
    req.op.fb_attach.width = width;
    req.op.fb_attach.height = height;
    req.op.fb_attach.pixel_format = format;
    return xen_front_request(&display->connectors[0], &req, NULL);
}

int xen_front_fb_detach(XenFrontDisplay *display, uint64_t fb)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_FB_DETACH };

    req.op.fb_detach.fb_cookie = fb;
    return xen_front_request(&display->connectors[0], &req, NULL);
}

int xen_front_set_config(XenFrontConnector *c, uint64_t fb, uint32_t x,
                         uint32_t y, uint32_t width, uint32_t height,
                         uint32_t bpp)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_SET_CONFIG };

    req.op.set_config.fb_cookie = fb;
    req.op.set_config.x = x;
    req.op.set_config.y = y;
    req.op.set_config.width = width;
    req.op.set_config.height = height;
    req.op.set_config.bpp = bpp;
    return xen_front_request(c, &req, NULL);
}

int xen_front_flip(XenFrontConnector *c, uint64_t fb)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };

    req.op.pg_flip.fb_cookie = fb;
    return xen_front_request(c, &req, NULL);
}

int xen_front_get_edid(XenFrontConnector *c, uint32_t size, uint32_t dir_ref,
                       uint32_t *edid_size)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_GET_EDID };
    struct xendispl_resp resp = { 0 };
    int ret;

    req.op.get_edid.buffer_sz = size;
    req.op.get_edid.gref_directory = dir_ref;
    ret = xen_front_request(c, &req, &resp);
    *edid_size = resp.op.get_edid.edid_sz;
    return ret;
}

/* Events */

void xen_front_take_events(XenFrontConnector *c)
{
    struct xendispl_event_page *page;
    uint32_t prod;

    if (!c->evt.page) {
        return;
    }
    page = xen_guest_page(c->display->guest, c->evt.page);
    prod = __atomic_load_n(&page->in_prod, __ATOMIC_ACQUIRE);
    while (page->in_cons != prod) {
        struct xendispl_evt evt = XENDISPL_IN_RING_REF(page, page->in_cons);
        size_t used = offsetof(struct xendispl_evt, op) +
                      sizeof(evt.op.pg_flip);

        if (evt.id != (uint16_t)c->events ||
            evt.type != XENDISPL_EVT_PG_FLIP ||
            !is_zero(evt.reserved, sizeof(evt.reserved)) ||
            !is_zero((uint8_t *)&evt + used, sizeof(evt) - used)) {
            c->bad_events++;
        }
        c->last_event_cookie = evt.op.pg_flip.fb_cookie;
        c->events++;
        __atomic_store_n(&page->in_cons, page->in_cons + 1,
                         __ATOMIC_RELEASE);
    }
}

typedef struct WaitEvents {
    XenFrontConnector *connector;
    uint64_t count;
} WaitEvents;

static bool has_events(void *opaque)
{
    WaitEvents *wait = opaque;

    xen_front_take_events(wait->connector);
    return wait->connector->events >= wait->count;
}

bool xen_front_wait_events(XenFrontConnector *c, uint64_t count,
                           int timeout_ms)
{
    WaitEvents wait = { c, count };

    return xen_guest_wait(c->display->guest, has_events, &wait, timeout_ms);
}

/* Buffers */

XenFrontBuffer *xen_front_buffer_new(XenGuest *guest, uint32_t width,
                                     uint32_t height, uint64_t cookie)
{
    XenFrontBuffer *buffer = g_new0(XenFrontBuffer, 1);

    buffer->width = width;
    buffer->height = height;
    buffer->stride = width * 4;
    buffer->dbuf = cookie;
    buffer->fb = ~cookie;
    buffer->pgdir = xen_front_pgdir_new(guest,
                                        (uint64_t)buffer->stride * height);
    if (!buffer->pgdir) {
        g_free(buffer);
        return NULL;
    }
    return buffer;
}

uint32_t xen_front_buffer_free(XenFrontBuffer *buffer)
{
    uint32_t busy = 0;

    if (buffer) {
        busy = xen_front_pgdir_unmap(buffer->pgdir) < 0;
        busy += xen_front_pgdir_free(buffer->pgdir);
        g_free(buffer);
    }
    return busy;
}

int xen_front_buffer_attach(XenFrontDisplay *display, XenFrontBuffer *buffer)
{
    int ret = xen_front_dbuf_create(display, buffer->dbuf, buffer->width,
                                    buffer->height, 32, buffer->pgdir->size,
                                    0, xen_front_pgdir_ref(buffer->pgdir), 0);

    if (ret < 0) {
        return ret;
    }
    return xen_front_fb_attach(display, buffer->dbuf, buffer->fb,
                               buffer->width, buffer->height,
                               XEN_FRONT_XRGB8888);
}

int xen_front_buffer_detach(XenFrontDisplay *display, XenFrontBuffer *buffer)
{
    int ret = xen_front_fb_detach(display, buffer->fb);
    int ret2 = xen_front_dbuf_destroy(display, buffer->dbuf);

    return ret < 0 ? ret : ret2;
}

uint32_t xen_front_pixel(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t value = x * 0x01000193u ^ y * 0x85ebca6bu ^ seed * 0xc2b2ae35u;

    return (value ^ value >> 15) & 0xffffff;
}

void xen_front_buffer_draw(XenFrontBuffer *buffer, uint32_t seed)
{
    uint32_t x, y;

    for (y = 0; y < buffer->height; y++) {
        uint32_t *row = (uint32_t *)(buffer->pgdir->data +
                                     (size_t)y * buffer->stride);

        for (x = 0; x < buffer->width; x++) {
            row[x] = GUINT32_TO_LE(xen_front_pixel(x, y, seed));
        }
    }
}
