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

G_STATIC_ASSERT(sizeof(struct xendispl_req) == sizeof(struct xen_front_slot));
G_STATIC_ASSERT(sizeof(struct xendispl_resp) == sizeof(struct xen_front_slot));

/* Life */

XenFrontDisplay *xen_front_display_new(XenGuest *guest, uint32_t devid)
{
    XenFrontDisplay *display = g_new0(XenFrontDisplay, 1);

    xen_front_card_init(&display->card, guest, XENDISPL_DRIVER_NAME, devid);
    return display;
}

uint32_t xen_front_display_free(XenFrontDisplay *display)
{
    uint32_t busy;

    if (!display) {
        return 0;
    }
    busy = xen_front_display_free_rings(display);
    xen_front_card_clear(&display->card);
    g_free(display);
    return busy;
}

int xen_front_display_read_config(XenFrontDisplay *display)
{
    uint32_t i;

    display->nr_connectors = 0;
    for (i = 0; i < XEN_FRONT_MAX_CONNECTORS; i++) {
        XenFrontConnector *c = &display->connectors[i];
        g_autofree char *path =
            g_strdup_printf("%s/%u/" XENDISPL_FIELD_RESOLUTION,
                            display->card.frontend_path, i);
        g_autofree char *resolution = xen_guest_read(display->card.guest, path);

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

int xen_front_display_alloc_rings(XenFrontDisplay *display)
{
    XenGuest *guest = display->card.guest;
    uint32_t i;

    for (i = 0; i < display->nr_connectors; i++) {
        XenFrontConnector *c = &display->connectors[i];

        if (xen_front_channel_alloc_ring(guest, &c->req) < 0 ||
            xen_front_channel_alloc(guest, &c->evt) < 0) {
            xen_front_display_free_rings(display);
            return -ENOMEM;
        }
        c->events = c->bad_events = 0;
    }
    return 0;
}

uint32_t xen_front_display_free_rings(XenFrontDisplay *display)
{
    uint32_t busy = 0;
    uint32_t i;

    for (i = 0; i < XEN_FRONT_MAX_CONNECTORS; i++) {
        busy += xen_front_channel_free(&display->connectors[i].req);
        busy += xen_front_channel_free(&display->connectors[i].evt);
    }
    return busy;
}

int xen_front_display_publish(XenFrontDisplay *display)
{
    int ret = 0;
    uint32_t i;

    for (i = 0; i < display->nr_connectors && !ret; i++) {
        XenFrontConnector *c = &display->connectors[i];
        g_autofree char *dir = g_strdup_printf("%u", c->index);

        ret = xen_front_channel_publish(&display->card, dir,
                                        XENDISPL_FIELD_REQ_RING_REF,
                                        XENDISPL_FIELD_REQ_CHANNEL,
                                        &c->req) ?:
              xen_front_channel_publish(&display->card, dir,
                                        XENDISPL_FIELD_EVT_RING_REF,
                                        XENDISPL_FIELD_EVT_CHANNEL, &c->evt);
    }
    return ret;
}

int xen_front_display_connect(XenFrontDisplay *display)
{
    return xen_front_card_begin(&display->card) ?:
           xen_front_display_read_config(display) ?:
           xen_front_display_alloc_rings(display) ?:
           xen_front_display_publish(display) ?:
           xen_front_card_finish(&display->card);
}

int xen_front_display_unload(XenFrontDisplay *display)
{
    bool ready = xen_front_card_leave(&display->card);
    uint32_t busy = xen_front_display_free_rings(display);

    xen_front_card_left(&display->card);
    return !ready ? -ETIMEDOUT : busy ? -EBUSY : 0;
}

/* Requests */

uint16_t xen_front_send(XenFrontConnector *c, const struct xendispl_req *req)
{
    return xen_front_channel_send(&c->req, req);
}

int xen_front_receive(XenFrontConnector *c, struct xendispl_resp *resp,
                      int timeout_ms)
{
    return xen_front_channel_receive(&c->req, resp, timeout_ms);
}

int xen_front_request(XenFrontConnector *c, struct xendispl_req *req,
                      struct xendispl_resp *resp)
{
    return xen_front_channel_request(&c->req, req, resp,
                                     req->operation == XENDISPL_OP_GET_EDID ?
                                     sizeof(resp->op.get_edid) : 0);
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
    page = xen_guest_page(c->display->card.guest, c->evt.page);
    prod = __atomic_load_n(&page->in_prod, __ATOMIC_ACQUIRE);
    while (page->in_cons != prod) {
        struct xendispl_evt evt = XENDISPL_IN_RING_REF(page, page->in_cons);
        size_t used = offsetof(struct xendispl_evt, op) +
                      sizeof(evt.op.pg_flip);

        if (evt.id != (uint16_t)c->events ||
            evt.type != XENDISPL_EVT_PG_FLIP ||
            !xen_front_is_zero(evt.reserved, sizeof(evt.reserved)) ||
            !xen_front_is_zero((uint8_t *)&evt + used, sizeof(evt) - used)) {
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

    return xen_guest_wait(c->display->card.guest, has_events, &wait,
                          timeout_ms);
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
