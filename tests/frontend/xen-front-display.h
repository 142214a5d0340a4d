/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake frontend of a PV display (xen/io/displif.h): what Linux's
 * drm_xen_front does on the wire, and whatever else a guest might do.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_FRONT_DISPLAY_H
#define TESTS_FRONTEND_XEN_FRONT_DISPLAY_H

#include "xen-front-card.h"
#include "xen-front-pgdir.h"

#include <xen/io/displif.h>

#define XEN_FRONT_MAX_CONNECTORS    16

/* DRM FOURCC formats */
#define XEN_FRONT_XRGB8888  0x34325258u
#define XEN_FRONT_ARGB8888  0x34325241u
#define XEN_FRONT_RGB565    0x36314752u

typedef struct XenFrontDisplay XenFrontDisplay;

/**
 * struct XenFrontConnector - one connector
 *
 * @events: events received since the connection began
 * @bad_events: of these, with another id than was its turn, of another type,
 *     or not zero where it should be
 * @last_event_cookie: the framebuffer of the last event
 */
typedef struct XenFrontConnector {
    XenFrontDisplay *display;
    uint32_t index;
    uint32_t width;
    uint32_t height;
    XenFrontChannel req;
    XenFrontChannel evt;
    uint64_t events;
    uint64_t bad_events;
    uint64_t last_event_cookie;
} XenFrontConnector;

struct XenFrontDisplay {
    XenFrontCard card;
    uint32_t nr_connectors;
    XenFrontConnector connectors[XEN_FRONT_MAX_CONNECTORS];
};

/* A picture in memory that is, or can be, a display buffer */
typedef struct XenFrontBuffer {
    XenFrontPgdir *pgdir;
    uint32_t width;
    uint32_t height;
    uint32_t stride;
    uint64_t dbuf;
    uint64_t fb;
} XenFrontBuffer;

/* The frontend of card @devid; it does nothing yet */
XenFrontDisplay *xen_front_display_new(XenGuest *guest, uint32_t devid);

/* Ends access to all rings that are left; says how many were still in use */
uint32_t xen_front_display_free(XenFrontDisplay *display);

/* The handshake, step by step, and all of it */
int xen_front_display_read_config(XenFrontDisplay *display);
int xen_front_display_alloc_rings(XenFrontDisplay *display);
int xen_front_display_publish(XenFrontDisplay *display);
int xen_front_display_connect(XenFrontDisplay *display);

/* How many ring pages were still in use; their ports are closed */
uint32_t xen_front_display_free_rings(XenFrontDisplay *display);

/* What Linux does when its module goes; -ETIMEDOUT, -EBUSY: a page is kept */
int xen_front_display_unload(XenFrontDisplay *display);

/* Requests */

/* Put 64 bytes into the next slot and tell the backend; returns the id */
uint16_t xen_front_send(XenFrontConnector *c, const struct xendispl_req *req);

/* Wait for the next response; -ETIMEDOUT */
int xen_front_receive(XenFrontConnector *c, struct xendispl_resp *resp,
                      int timeout_ms);

/* Both: the status, or -EPROTO for a response that is not in order */
int xen_front_request(XenFrontConnector *c, struct xendispl_req *req,
                      struct xendispl_resp *resp);

int xen_front_dbuf_create(XenFrontDisplay *display, uint64_t dbuf,
                          uint32_t width, uint32_t height, uint32_t bpp,
                          uint32_t size, uint32_t flags, uint32_t dir_ref,
                          uint32_t data_ofs);
int xen_front_dbuf_destroy(XenFrontDisplay *display, uint64_t dbuf);
int xen_front_fb_attach(XenFrontDisplay *display, uint64_t dbuf, uint64_t fb,
                        uint32_t width, uint32_t height, uint32_t format);
int xen_front_fb_detach(XenFrontDisplay *display, uint64_t fb);
int xen_front_set_config(XenFrontConnector *c, uint64_t fb, uint32_t x,
                         uint32_t y, uint32_t width, uint32_t height,
                         uint32_t bpp);
int xen_front_flip(XenFrontConnector *c, uint64_t fb);
int xen_front_get_edid(XenFrontConnector *c, uint32_t size, uint32_t dir_ref,
                       uint32_t *edid_size);

/* Events: take what is there; wait for so many since the connection began */
void xen_front_take_events(XenFrontConnector *c);
bool xen_front_wait_events(XenFrontConnector *c, uint64_t count,
                           int timeout_ms);

/* Buffers: 32 bits a pixel, rows without a gap */
XenFrontBuffer *xen_front_buffer_new(XenGuest *guest, uint32_t width,
                                     uint32_t height, uint64_t cookie);
uint32_t xen_front_buffer_free(XenFrontBuffer *buffer);

/* DBUF_CREATE and FB_ATTACH; FB_DETACH and DBUF_DESTROY */
int xen_front_buffer_attach(XenFrontDisplay *display, XenFrontBuffer *buffer);
int xen_front_buffer_detach(XenFrontDisplay *display, XenFrontBuffer *buffer);

/* A picture in which no two neighbours, rows or seeds are alike */
uint32_t xen_front_pixel(uint32_t x, uint32_t y, uint32_t seed);
void xen_front_buffer_draw(XenFrontBuffer *buffer, uint32_t seed);

#endif /* TESTS_FRONTEND_XEN_FRONT_DISPLAY_H */
