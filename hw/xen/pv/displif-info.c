/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * displif: what can be seen of a display
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "displif-device.h"

void xen_displif_stats(const XenDisplif *disp, XenDisplifStats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->requests = disp->server.requests;
    stats->refused = disp->server.refused;
    stats->flips = disp->flips;
    stats->events = disp->events;
    stats->buffers = g_hash_table_size(disp->buffers);
    stats->framebuffers = g_hash_table_size(disp->framebuffers);
    stats->total_pages = disp->total_pages;
}

void xen_displif_connector_info(const XenDisplif *disp, uint32_t connector,
                                XenDisplifConnectorInfo *info)
{
    DisplifConnector *c = xen_displif_connector(disp, connector);

    memset(info, 0, sizeof(*info));
    if (!c) {
        return;
    }
    info->connected = c->ring.page;
    info->broken = c->ring.broken;
    info->bad_prod = c->ring.bad_prod;
    info->answered = c->ring.rsp_prod;
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

void xen_displif_visit(const XenDisplif *disp, XenDisplifVisit visit,
                       void *opaque)
{
    XenDisplifBufferInfo info;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, disp->buffers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        DisplifBuffer *buffer = value;

        describe(buffer, &buffer->geometry, &info);
        visit(&info, opaque);
    }
    g_hash_table_iter_init(&iter, disp->framebuffers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        DisplifFramebuffer *fb = value;

        describe(fb->buffer, &fb->geometry, &info);
        info.fb_cookie = fb->cookie;
        info.format = fb->format;
        visit(&info, opaque);
    }
}
