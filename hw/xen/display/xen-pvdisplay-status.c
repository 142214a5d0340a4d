/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor's status says of a PV display
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qobject/qlist.h"
#include "xen-pvdisplay-status.h"

/* Kernel pointers, in Linux: too large for the numbers of many programs */
static void put_cookie(QDict *dict, const char *key, uint64_t cookie)
{
    g_autofree char *text = g_strdup_printf("0x%" PRIx64, cookie);

    qdict_put_str(dict, key, text);
}

/* Its four characters, as the DRM names it */
static void put_format(QDict *dict, const char *key, uint32_t format)
{
    g_autofree char *text = g_strndup((char *)&format, sizeof(format));

    qdict_put_str(dict, key, text);
}

QDict *xen_pvdisplay_connector_status(const XenDisplif *disp, uint32_t index,
                                      const XenPvMode *mode,
                                      uint32_t refresh_rate,
                                      const XenPvSurface *surface)
{
    QDict *dict = qdict_new();
    XenDisplifConnectorInfo info;

    xen_displif_connector_info(disp, index, &info);
    qdict_put_str(dict, "id", mode->id ? mode->id : "");
    qdict_put_int(dict, "width", info.width);
    qdict_put_int(dict, "height", info.height);
    qdict_put_int(dict, "refresh-rate",
                  (refresh_rate + XEN_PVDISPLAY_MHZ / 2) / XEN_PVDISPLAY_MHZ);
    qdict_put_bool(dict, "vnc-cuts", xen_pvdisplay_vnc_cuts(mode));
    qdict_put_bool(dict, "connected", info.connected);
    qdict_put_bool(dict, "broken", info.broken);
    qdict_put_bool(dict, "enabled", info.enabled);
    qdict_put_int(dict, "x", info.x);
    qdict_put_int(dict, "y", info.y);
    if (info.shown_dbuf) {
        put_cookie(dict, "buffer", info.shown_dbuf);
    }
    qdict_put_int(dict, "flips-pending", info.flips_pending);
    qdict_put_int(dict, "events", info.events);
    qdict_put_bool(dict, "converted", surface->shadow);
    qdict_put_int(dict, "conversions", surface->conversions);
    qdict_put_int(dict, "updates", surface->updates);
    qdict_put_int(dict, "update-pixels", surface->updated_pixels);
    qdict_put_int(dict, "read-bytes", surface->damage.bytes_read);
    return dict;
}

static void add_buffer(const XenDisplifBufferInfo *info, void *opaque)
{
    QDict *status = opaque;
    QDict *dict = qdict_new();

    put_cookie(dict, "buffer", info->dbuf_cookie);
    qdict_put_int(dict, "width", info->width);
    qdict_put_int(dict, "height", info->height);
    qdict_put_int(dict, "stride", info->stride);
    if (!info->fb_cookie) {
        qdict_put_int(dict, "size", info->size);
        qdict_put_int(dict, "directory", info->directory);
        qlist_append(qdict_get_qlist(status, "buffers"), dict);
        return;
    }
    put_cookie(dict, "framebuffer", info->fb_cookie);
    put_format(dict, "format", info->format);
    qlist_append(qdict_get_qlist(status, "framebuffers"), dict);
}

void xen_pvdisplay_add_status(QDict *status, const XenDisplif *disp)
{
    XenDisplifStats stats;

    qdict_put(status, "buffers", qlist_new());
    qdict_put(status, "framebuffers", qlist_new());
    xen_displif_visit(disp, add_buffer, status);

    xen_displif_stats(disp, &stats);
    qdict_put_int(status, "requests", stats.requests);
    qdict_put_int(status, "refused", stats.refused);
    qdict_put_int(status, "flips", stats.flips);
    qdict_put_int(status, "events", stats.events);
    qdict_put_int(status, "buffer-pages", stats.total_pages);
}
