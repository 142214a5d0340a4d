/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels of PV cards, and the time that they may take.
 *
 * QEMU has one main loop for all cards, viewers and its monitor.  A guest may
 * have it work all the time, by requests without an end or by events for
 * nothing.  So a card is served in slices, between which others have their
 * turn, and there is a quota of the time that the slices take.  When it is
 * used up nobody listens to the card's channels until there is some again.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "trace.h"
#include "xen-pv-channel.h"

/* After so long the requests that are left wait for the next slice */
#define XEN_PV_SLICE_NS (INT64_C(50) * SCALE_US)

/* What the main loop has to do for an event besides what the card does */
#define XEN_PV_EVENT_NS (INT64_C(5) * SCALE_US)

/* ---------------------------------------------------------------- time */

/* Not this thread's, but everybody's: it is others who have to wait */
static int64_t xen_pv_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

static void xen_pv_listen(XenPvChannel *channel, bool on)
{
    if (channel->evtchn) {
        xen_device_set_event_channel_context(&channel->backend->xendev,
                                             channel->evtchn,
                                             on ? qemu_get_aio_context()
                                                : NULL, &error_abort);
    }
}

static void xen_pv_load_go_on(void *opaque)
{
    XenPvBackend *backend = opaque;
    XenPvChannel *channel;

    backend->load.waiting = false;
    QLIST_FOREACH(channel, &backend->channels, next) {
        xen_pv_listen(channel, true);
        qemu_bh_schedule(channel->more);
    }
}

/* Time was used: when it was too much, let the card wait */
static void xen_pv_load_add(XenPvBackend *backend, int64_t ns)
{
    int64_t now = xen_pv_now();
    XenPvLoad *load = &backend->load;
    XenPvChannel *channel;
    int64_t wait;

    xen_pv_quota_take(&load->time, ns, now);
    if (load->waiting || !xen_pv_quota_wait(&load->time, 0, now)) {
        return;
    }
    wait = xen_pv_quota_wait(&load->time, XEN_PV_SLICE_NS, now);
    load->waiting = true;
    load->waits++;
    QLIST_FOREACH(channel, &backend->channels, next) {
        xen_pv_listen(channel, false);
    }
    timer_mod(load->timer, now + wait);
    trace_xen_pv_load_wait(backend->xendev.backend_path, wait);
    xen_pv_guest_warn(backend, "its requests take more than %u%% of QEMU's "
                      "time and have to wait (max-load)", backend->max_load);
}

bool xen_pv_load_enough(XenPvBackend *backend)
{
    return xen_pv_now() >= backend->load.slice_end;
}

/* ------------------------------------------------------------- service */

/*
 * Returns whether there was anything to do.  The channel is used after it was
 * served: see XenPvServe.
 */
static bool xen_pv_channel_serve(XenPvChannel *channel)
{
    XenPvBackend *backend = channel->backend;
    int64_t start = xen_pv_now();
    bool more = false;
    int ret = 0;

    if (backend->load.waiting) {
        return false;
    }
    if (channel->serve) {
        backend->load.slice_end = start + XEN_PV_SLICE_NS;
        ret = channel->serve(channel->opaque, &more);
    }
    if (ret > 0) {
        /* Whatever its state was meanwhile, the frontend uses the card */
        backend->untaken = 0;
    }
    /* Let others have the main loop before the next slice */
    if (more) {
        qemu_bh_schedule(channel->more);
    }
    xen_pv_load_add(backend, xen_pv_now() - start + XEN_PV_EVENT_NS);

    return ret > 0;
}

static bool xen_pv_channel_event(void *opaque)
{
    return xen_pv_channel_serve(opaque);
}

static void xen_pv_channel_more(void *opaque)
{
    xen_pv_channel_serve(opaque);
}

void xen_pv_channels_serve(XenPvBackend *backend)
{
    XenPvChannel *channel;

    QLIST_FOREACH(channel, &backend->channels, next) {
        xen_pv_channel_serve(channel);
    }
}

/* ---------------------------------------------------------- life cycle */

static bool xen_pv_read_number(XenPvBackend *backend, const char *key,
                               uint32_t *value, Error **errp)
{
    g_autofree char *text = xen_pv_node_read(backend,
                                             backend->xendev.frontend_path,
                                             key);

    if (!text) {
        error_setg(errp, "frontend node '%s' is missing or not text", key);
        return false;
    }
    if (!xen_pv_node_number(text, UINT32_MAX, value)) {
        error_setg(errp, "frontend node '%s' is not a number", key);
        return false;
    }

    return true;
}

bool xen_pv_channel_open(XenPvBackend *backend, XenPvChannel *channel,
                         const char *ref_key, const char *port_key,
                         XenPvServe serve, void *opaque, Error **errp)
{
    XenDevice *xendev = &backend->xendev;
    uint32_t port;

    if (!xen_pv_read_number(backend, ref_key, &channel->ref, errp) ||
        !xen_pv_read_number(backend, port_key, &port, errp)) {
        return false;
    }
    trace_xen_pv_channel_open(xendev->backend_path, ref_key, channel->ref,
                              port);

    channel->page = xen_device_map_grant_refs(xendev, &channel->ref, 1,
                                              PROT_READ | PROT_WRITE, errp);
    if (!channel->page) {
        return false;
    }
    channel->backend = backend;
    channel->serve = serve;
    channel->opaque = opaque;
    channel->more = qemu_bh_new(xen_pv_channel_more, channel);
    QLIST_INSERT_HEAD(&backend->channels, channel, next);
    channel->evtchn = xen_device_bind_event_channel(xendev, port,
                                                    xen_pv_channel_event,
                                                    channel, errp);
    if (!channel->evtchn) {
        xen_pv_channel_close(backend, channel);
        return false;
    }
    xen_pv_listen(channel, !backend->load.waiting);

    return true;
}

void xen_pv_channel_close(XenPvBackend *backend, XenPvChannel *channel)
{
    XenDevice *xendev = &backend->xendev;

    /* A handle that is closed unbinds, even if unbinding fails */
    if (channel->evtchn) {
        xen_device_unbind_event_channel(xendev, channel->evtchn, NULL);
        channel->evtchn = NULL;
    }
    if (channel->page) {
        xen_pv_unmap(xendev->xgth, xendev->frontend_id, channel->page,
                     &channel->ref, 1);
        channel->page = NULL;
        QLIST_REMOVE(channel, next);
        qemu_bh_delete(channel->more);
    }
}

void xen_pv_channel_notify(XenPvBackend *backend, XenPvChannel *channel)
{
    if (channel->evtchn) {
        xen_device_notify_event_channel(&backend->xendev, channel->evtchn,
                                        NULL);
    }
}

void xen_pv_channels_start(XenPvBackend *backend)
{
    backend->load.timer = timer_new_ns(QEMU_CLOCK_REALTIME,
                                       xen_pv_load_go_on, backend);
}

void xen_pv_channels_stop(XenPvBackend *backend)
{
    timer_free(backend->load.timer);
    backend->load.timer = NULL;
}
