/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels of PV devices, and the time that they may take.
 *
 * QEMU has one main loop for all devices, viewers and its monitor.  A guest may
 * have it work all the time, by requests without an end or by events for
 * nothing.  So a device is served in slices, between which others have their
 * turn, and there is a quota of the time that the slices take.  When it is
 * used up nobody listens to the device's channels until there is some again.
 *
 * A slice ends by the clock on the wall, as others wait for it.  The quota is
 * of the processor's time that the main loop's thread took: what a guest does
 * not cause is not charged to it, be it a wait for the lock of a viewer or
 * another program of the host that had the processor.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "hw/xen/trace.h"
#include "xen-pv-channel.h"

/* After so long the requests that are left wait for the next slice */
#define XEN_PV_SLICE_NS (INT64_C(50) * SCALE_US)

/* What the main loop has to do for an event besides what the device does */
#define XEN_PV_EVENT_NS (INT64_C(5) * SCALE_US)

/*
 * A guest that has to wait this much is not told of in the log: ns a second,
 * and ns at once
 */
#define XEN_PV_QUIET_RATE (INT64_C(100) * SCALE_MS)
#define XEN_PV_QUIET_BURST NANOSECONDS_PER_SECOND

/* And others once in so many seconds */
#define XEN_PV_TOLD_S 60

/* ---------------------------------------------------------------- time */

static int64_t xen_pv_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

static int64_t xen_pv_cpu_time(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0) {
        return xen_pv_now();
    }

    return ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
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
    XenPvChannel *channel = QTAILQ_FIRST(&backend->channels);

    backend->load.waiting = false;
    /* There may be time for one only: let it be another each time */
    if (channel) {
        QTAILQ_REMOVE(&backend->channels, channel, next);
        QTAILQ_INSERT_TAIL(&backend->channels, channel, next);
    }
    QTAILQ_FOREACH(channel, &backend->channels, next) {
        xen_pv_listen(channel, true);
    }
    xen_pv_channels_serve(backend);
}

/* It is no mistake of the guest's, and only worth a line if it goes on */
static void xen_pv_load_tell(XenPvBackend *backend, int64_t wait, int64_t now)
{
    XenPvLoad *load = &backend->load;

    xen_pv_quota_take(&load->quiet, wait, now);
    if (!xen_pv_quota_wait(&load->quiet, 0, now) ||
        xen_pv_quota_wait(&load->told, XEN_PV_TOLD_S, now)) {
        return;
    }
    xen_pv_quota_take(&load->told, XEN_PV_TOLD_S, now);
    xen_pv_guest_note(backend, "requests exceed %u%% of QEMU's time "
                      "(max-load): delaying them", backend->max_load);
}

/* Time was used: when it was too much, let the device wait */
static void xen_pv_load_add(XenPvBackend *backend, int64_t ns)
{
    int64_t now = xen_pv_now();
    XenPvLoad *load = &backend->load;
    XenPvChannel *channel;
    int64_t wait;

    load->used += ns;
    xen_pv_quota_take(&load->time, ns, now);
    if (load->waiting || !xen_pv_quota_wait(&load->time, 0, now)) {
        return;
    }
    wait = xen_pv_quota_wait(&load->time, XEN_PV_SLICE_NS, now);
    load->waiting = true;
    load->waits++;
    QTAILQ_FOREACH(channel, &backend->channels, next) {
        xen_pv_listen(channel, false);
    }
    timer_mod(load->timer, now + wait);
    trace_xen_pv_load_wait(backend->xendev.backend_path, wait);
    xen_pv_load_tell(backend, wait, now);
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
    int64_t start = xen_pv_cpu_time();
    int64_t now = xen_pv_now();
    bool more = false;
    int ret = 0;

    if (backend->load.waiting) {
        return false;
    }
    /* What came while nothing was asked for is the burst at most */
    xen_pv_quota_wait(&backend->load.time, 0, now);
    if (channel->serve) {
        backend->load.slice_end = now + XEN_PV_SLICE_NS;
        ret = channel->serve(channel->opaque, &more);
    }
    if (ret > 0) {
        /* Whatever its state was meanwhile, the frontend uses the device */
        backend->untaken = 0;
    }
    /* Let others have the main loop before the next slice */
    if (more) {
        qemu_bh_schedule(channel->more);
    }
    xen_pv_load_add(backend, xen_pv_cpu_time() - start + XEN_PV_EVENT_NS);

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

    QTAILQ_FOREACH(channel, &backend->channels, next) {
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
    ERRP_GUARD();
    XenDevice *xendev = &backend->xendev;
    uint32_t port;

    if (!xen_pv_read_number(backend, ref_key, &channel->ref, errp) ||
        !xen_pv_read_number(backend, port_key, &port, errp)) {
        return false;
    }
    trace_xen_pv_channel_open(xendev->backend_path, ref_key, channel->ref,
                              port);

    channel->page = xen_pv_ring_map(backend, channel->ref, errp);
    if (!channel->page) {
        error_prepend(errp, "'%s': ", ref_key);
        return false;
    }
    channel->backend = backend;
    channel->serve = serve;
    channel->opaque = opaque;
    channel->more = qemu_bh_new(xen_pv_channel_more, channel);
    QTAILQ_INSERT_TAIL(&backend->channels, channel, next);
    channel->evtchn = xen_device_bind_event_channel(xendev, port,
                                                    xen_pv_channel_event,
                                                    channel, errp);
    if (!channel->evtchn) {
        error_prepend(errp, "cannot bind port %" PRIu32 " of '%s': ", port,
                      port_key);
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
        xen_pv_ring_unmap(backend, channel->ref, channel->page);
        channel->page = NULL;
        QTAILQ_REMOVE(&backend->channels, channel, next);
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
    XenPvLoad *load = &backend->load;
    int64_t now = xen_pv_now();

    QTAILQ_INIT(&backend->channels);
    load->timer = timer_new_ns(QEMU_CLOCK_REALTIME, xen_pv_load_go_on,
                               backend);
    xen_pv_quota_init(&load->quiet, XEN_PV_QUIET_RATE, XEN_PV_QUIET_BURST,
                      now);
    xen_pv_quota_init(&load->told, 1, XEN_PV_TOLD_S, now);
}

void xen_pv_channels_stop(XenPvBackend *backend)
{
    timer_free(backend->load.timer);
    backend->load.timer = NULL;
}
