/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Protocol engine of a PV display's backend: displif, xen/io/displif.h.
 *
 * Takes requests from the connectors' rings, checks them, keeps the display
 * buffers and framebuffers, answers.  Knows nothing of consoles, clocks,
 * event channels or xenstore: its owner hands in mapped pages and a table of
 * operations.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_DISPLIF_H
#define HW_XEN_XEN_DISPLIF_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/xen/xen-pgdir.h"
#include "hw/xen/xen-pv-ring.h"

/** XEN_DISPLIF_MAX_PENDING_FLIPS: flips of a connector that await an event */
#define XEN_DISPLIF_MAX_PENDING_FLIPS   32

/**
 * struct XenDisplif - one display: connectors, buffers, framebuffers
 */
typedef struct XenDisplif XenDisplif;

/**
 * struct XenDisplifScanout - what a connector is to show; checked
 *
 * Every row lies inside the buffer, also what of it is not visible: with
 * @start = @offset - @x * @cpp, @start is not negative, and @start + @stride *
 * @height is at most the bytes of its pages.  Connectors that show the same
 * rows of a framebuffer, side by side, have the same @start.
 *
 * @buffer: the display buffer; borrowed, valid until the next operation of
 *     the engine that replaces or withdraws it
 * @fb_cookie: the guest's name of the framebuffer
 * @offset: bytes from the buffer's first page to the first visible pixel
 * @x: that pixel's number in its row
 * @stride: bytes from a row to the next
 * @width: visible pixels of a row
 * @height: visible rows
 * @cpp: bytes of a pixel
 * @format: DRM FOURCC of the pixels
 */
typedef struct XenDisplifScanout {
    XenPgdirBuffer *buffer;
    uint64_t fb_cookie;
    uint64_t offset;
    uint32_t x;
    uint32_t stride;
    uint32_t width;
    uint32_t height;
    uint32_t cpp;
    uint32_t format;
} XenDisplifScanout;

/**
 * struct XenDisplifOps - what the engine asks of its owner
 *
 * No operation may call back into the engine, but for
 * xen_displif_flips_pending().
 *
 * @format_cpp: bytes of a pixel of a DRM FOURCC format, or 0 when it cannot
 *     be shown
 * @show: show @scanout on @connector; NULL switches the connector off.
 *     @flip tells a PG_FLIP from a SET_CONFIG.  Returns 0 or a negative
 *     errno value, which becomes the response's status; the connector then
 *     goes on showing what it did.
 * @keep: what @connector shows is about to lose its pages: keep a picture of
 *     it without them, or blank it.  When this returns no view of the buffer
 *     may be needed any more.
 * @edid: write @connector's EDID to the @size zeroed bytes of @buf.  Returns
 *     its length or a negative errno value.  May be NULL: there are none.
 * @flipped: a flip was accepted; the owner calls xen_displif_flip_done() when
 *     the connector's clock says so
 * @notify_event: tell the frontend that @connector has events
 * @requests: about requests; each gets the connector as its index
 */
typedef struct XenDisplifOps {
    uint32_t (*format_cpp)(void *opaque, uint32_t format);
    int (*show)(void *opaque, uint32_t connector,
                const XenDisplifScanout *scanout, bool flip);
    void (*keep)(void *opaque, uint32_t connector);
    int (*edid)(void *opaque, uint32_t connector, uint8_t *buf,
                uint32_t size);
    void (*flipped)(void *opaque, uint32_t connector);
    void (*notify_event)(void *opaque, uint32_t connector);
    XenPvServerOps requests;
} XenDisplifOps;

/**
 * struct XenDisplifLimits - quotas of one device
 *
 * @max_buffers: live display buffers
 * @max_framebuffers: live framebuffers
 * @max_total_pages: data pages of all display buffers together, whoever
 *     allocated them
 */
typedef struct XenDisplifLimits {
    uint32_t max_buffers;
    uint32_t max_framebuffers;
    uint64_t max_total_pages;
} XenDisplifLimits;

/**
 * struct XenDisplifStats - counters of one device since it was made
 *
 * @requests: requests answered
 * @refused: of these, with a negative status
 * @flips: flips accepted
 * @events: flip events sent
 * @buffers: live display buffers
 * @framebuffers: live framebuffers
 * @total_pages: data pages of the live display buffers
 */
typedef struct XenDisplifStats {
    uint64_t requests;
    uint64_t refused;
    uint64_t flips;
    uint64_t events;
    uint32_t buffers;
    uint32_t framebuffers;
    uint64_t total_pages;
} XenDisplifStats;

/**
 * struct XenDisplifConnectorInfo - a connector as it is now
 *
 * @connected: its two pages are attached
 * @broken: its request ring made no sense and is not served any more
 * @bad_prod: the guest's producer index that made it so
 * @answered: requests answered; free running, as the ring counts
 * @enabled: between a SET_CONFIG of a framebuffer and one that resets
 * @x: left edge of the visible area in the framebuffers, in pixels
 * @y: its upper edge
 * @width: visible pixels of a row
 * @height: visible rows
 * @shown_dbuf: the guest's name of the display buffer that is shown, or 0
 * @flips_pending: flips that await their event
 * @events: events sent in this connection
 */
typedef struct XenDisplifConnectorInfo {
    bool connected;
    bool broken;
    uint32_t bad_prod;
    uint32_t answered;
    bool enabled;
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
    uint64_t shown_dbuf;
    uint32_t flips_pending;
    uint32_t events;
} XenDisplifConnectorInfo;

/**
 * struct XenDisplifBufferInfo - a display buffer, or a framebuffer in one
 *
 * @dbuf_cookie: the guest's name of the display buffer
 * @fb_cookie: the guest's name of the framebuffer, or 0 for the buffer itself
 * @width: pixels of a row; 0 as long as a buffer's geometry is not known
 * @height: rows
 * @stride: bytes from a row to the next
 * @format: DRM FOURCC of a framebuffer
 * @size: bytes of the buffer
 * @directory: grant reference of the first page of the buffer's directory
 */
typedef struct XenDisplifBufferInfo {
    uint64_t dbuf_cookie;
    uint64_t fb_cookie;
    uint32_t width;
    uint32_t height;
    uint32_t stride;
    uint32_t format;
    uint32_t size;
    uint32_t directory;
} XenDisplifBufferInfo;

/**
 * typedef XenDisplifVisit - called for each buffer
 * @info: the buffer
 * @opaque: the caller's
 */
typedef void (*XenDisplifVisit)(const XenDisplifBufferInfo *info,
                                void *opaque);

/**
 * xen_displif_new: make a device without connectors
 * @ops: operations; must outlive the device
 * @opaque: handed to each operation
 * @mapper: the guest; a reference is taken
 * @limits: quotas; copied
 *
 * Returns: the device, to be given to xen_displif_free().
 */
XenDisplif *xen_displif_new(const XenDisplifOps *ops, void *opaque,
                            XenPgdirMapper *mapper,
                            const XenDisplifLimits *limits);

/**
 * xen_displif_free: disconnect, and free the device
 * @disp: the display, or NULL
 */
void xen_displif_free(XenDisplif *disp);

/**
 * xen_displif_add_connector: add the next connector
 * @disp: the display; not connected
 * @width: visible pixels of a row: the node "resolution"
 * @height: visible rows
 *
 * Returns: the connector's index; the first is 0.
 */
uint32_t xen_displif_add_connector(XenDisplif *disp, uint32_t width,
                                   uint32_t height);

/**
 * xen_displif_set_backend_alloc: allocate buffers for the guest, or do not
 * @disp: the display; not connected
 * @enabled: what the node "be-alloc" says, which the toolstack writes
 *
 * Only if @enabled a DBUF_CREATE is looked at for XENDISPL_DBUF_FLG_REQ_ALLOC.
 * Linux reuses the ring's slots without clearing them and only ever sets bits
 * in the flags, so without the toolstack's word the bit means nothing.
 * Initially disabled.
 */
void xen_displif_set_backend_alloc(XenDisplif *disp, bool enabled);

/**
 * xen_displif_set_version: which version of the protocol the frontend chose
 * @disp: the display; not connected
 * @version: what its node "version" says, or 0 if there is none
 *
 * Version 1 has no data_ofs: what stands in its place in a DBUF_CREATE may be
 * anything, and is not looked at.  A frontend without that node may be of
 * either version: Linux's writes none, and means its data_ofs.  Initially 0.
 */
void xen_displif_set_version(XenDisplif *disp, uint32_t version);

/**
 * xen_displif_attach: connect a connector's two shared pages
 * @disp: the display
 * @connector: index of the connector
 * @ring_page: its mapped request ring
 * @event_page: its mapped event page
 *
 * Both pages must stay mapped until
 * xen_displif_reset() returned.  Event ids start at 0.
 */
void xen_displif_attach(XenDisplif *disp, uint32_t connector,
                        void *ring_page, void *event_page);

/**
 * xen_displif_reset: the connection is over
 * @disp: the display
 *
 * Switches every connector off (@show with NULL), then forgets every ring,
 * event page, pending flip, framebuffer and buffer.  When it returns no page
 * of the guest's buffers is mapped by the device.  Idempotent.
 */
void xen_displif_reset(XenDisplif *disp);

/**
 * xen_displif_process: answer requests of one connector
 * @disp: the display
 * @connector: index of the connector
 * @more: set to whether requests are left that this call did not get to, as
 *     no call answers more than a ring's worth; the caller calls again soon
 *
 * Returns: how many requests were answered, or -EPROTO once when the guest's
 * ring is broken.
 */
int xen_displif_process(XenDisplif *disp, uint32_t connector, bool *more);

/**
 * xen_displif_flip_done: send the event of the oldest pending flip
 * @disp: the display
 * @connector: index of the connector
 *
 * Returns: 0 when the event was sent; -EAGAIN when the event page is full
 * (the flip stays pending: try again at the next tick); -ENOENT when no flip
 * is pending.
 */
int xen_displif_flip_done(XenDisplif *disp, uint32_t connector);

/**
 * xen_displif_flips_pending: flips of a connector that await their event
 * @disp: the display
 * @connector: index of the connector
 *
 * Returns: their number, at most XEN_DISPLIF_MAX_PENDING_FLIPS; a flip beyond
 * that is refused with -EBUSY.
 */
uint32_t xen_displif_flips_pending(const XenDisplif *disp,
                                   uint32_t connector);

/**
 * xen_displif_stats: read the counters
 * @disp: the display
 * @stats: where to store them
 */
void xen_displif_stats(const XenDisplif *disp, XenDisplifStats *stats);

/**
 * xen_displif_connector_info: describe a connector
 * @disp: the display
 * @connector: index of the connector
 * @info: where to store the description; all zero for an unknown connector
 */
void xen_displif_connector_info(const XenDisplif *disp, uint32_t connector,
                                XenDisplifConnectorInfo *info);

/**
 * xen_displif_visit: describe all display buffers, then all framebuffers
 * @disp: the display
 * @visit: called for each of them, in no particular order; must not call
 *     back into the engine
 * @opaque: handed to @visit
 */
void xen_displif_visit(const XenDisplif *disp, XenDisplifVisit visit,
                       void *opaque);

/**
 * xen_displif_operation_name: the protocol's name of an operation
 * @operation: field "operation" of a request, see displif.h
 *
 * Returns: what follows XENDISPL_OP_ in the protocol's header, or NULL for a
 * number that names no operation. May be called from any thread.
 */
const char *xen_displif_operation_name(uint8_t operation);

#endif /* HW_XEN_XEN_DISPLIF_H */
