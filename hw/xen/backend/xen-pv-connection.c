/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How PV devices connect to their frontends, and leave them.
 *
 * What is done when is decided in xen-pv-states.c.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-bus-helper.h"
#include "qapi/error.h"
#include "hw/xen/trace.h"
#include "xen-pv-channel.h"
#include "xen-pv-connection.h"
#include "xen-pv-states.h"

/* Tries to connect to a frontend that is ready */
#define XEN_PV_CONNECT_ATTEMPTS 5

/*
 * A frontend that was offered a connection this often without taking it has
 * to wait for the next offer, and longer each time
 */
#define XEN_PV_FREE_OFFERS 3
#define XEN_PV_OFFER_PAUSE_MS 1000
#define XEN_PV_OFFER_PAUSE_MAX_MS 30000

static void xen_pv_disconnect(XenPvBackend *backend, bool exiting)
{
    timer_del(backend->retry);
    backend->attempts = 0;

    if (backend->connected) {
        trace_xen_pv_backend_disconnect(backend->xendev.backend_path,
                                        exiting);
        backend->connected = false;
        XEN_PV_BACKEND_GET_CLASS(backend)->disconnect(backend, exiting);
    }
}

/* ------------------------------------------------------------- connect */

/* The frontend chooses among our "versions", or does not care */
static bool xen_pv_check_version(XenPvBackend *backend, Error **errp)
{
    XenDevice *xendev = &backend->xendev;
    unsigned int len = 0;
    char *raw = xs_node_read(xendev->xsh, XBT_NULL, &len, NULL,
                             "%s/version", xendev->frontend_path);
    bool good = xen_pv_node_version(raw, len);

    backend->version = good && raw ? *raw - '0' : 0;
    if (!good) {
        g_autofree char *text = g_strndup(raw, MIN(len, 16));
        g_autofree char *escaped = g_strescape(text, NULL);

        error_setg(errp, "unsupported protocol version '%s' (supported: 1, "
                   "2)", escaped);
    }
    free(raw);

    return good;
}

/* Come back to a frontend that is ready */
static void xen_pv_retry_in(XenPvBackend *backend, int64_t ns)
{
    timer_mod(backend->retry, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns);
}

static void xen_pv_connect(XenPvBackend *backend)
{
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    XenDevice *xendev = &backend->xendev;
    Error *local_err = NULL;

    trace_xen_pv_backend_connect(xendev->backend_path);
    if (xen_pv_check_version(backend, &local_err) &&
        class->connect(backend, &local_err)) {
        /* until the frontend says that it is Connected, too, or asks */
        backend->untaken += backend->untaken < UINT_MAX;
        /* What was asked before a port was bound raised no event */
        xen_pv_channels_serve(backend);
        backend->connected = true;
        backend->attempts = 0;
        xen_device_backend_set_state(xendev, XenbusStateConnected);
        return;
    }

    class->disconnect(backend, false);
    backend->attempts++;
    trace_xen_pv_backend_connect_failed(xendev->backend_path,
                                        backend->attempts,
                                        error_get_pretty(local_err));
    /*
     * A frontend in state Initialised does not react to Closed, and stays
     * stuck until its driver is reloaded.  So try again first.
     */
    if (backend->attempts < XEN_PV_CONNECT_ATTEMPTS) {
        xen_pv_retry_in(backend, backend->connect_pause * (int64_t)SCALE_MS);
    } else {
        xen_device_backend_set_state(xendev, XenbusStateClosed);
    }
    xen_pv_guest_warn(backend, "cannot connect (attempt %u of %u): %s",
                      backend->attempts, XEN_PV_CONNECT_ATTEMPTS,
                      error_get_pretty(local_err));
    error_free(local_err);
}

/*
 * A guest may come and go as often as it likes, but not keep us busy with
 * that: beyond a rate it has to wait.
 */
static void xen_pv_connect_in_time(XenPvBackend *backend)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int64_t wait = xen_pv_quota_wait(&backend->connects, 1, now);

    backend->attempts = 0;
    if (wait) {
        xen_pv_guest_warn(backend, "more than %u connections per second "
                          "(max-connects): delaying the next one",
                          backend->max_connects);
        xen_pv_retry_in(backend, wait);
        return;
    }
    xen_pv_quota_take(&backend->connects, 1, now);
    xen_pv_connect(backend);
}

static void xen_pv_retry(void *opaque)
{
    XenPvBackend *backend = opaque;

    if (!backend->connected &&
        backend->xendev.frontend_state == XenbusStateInitialised) {
        if (backend->attempts) {
            xen_pv_connect(backend);
        } else {
            xen_pv_connect_in_time(backend);
        }
    }
}

/* -------------------------------------------------------------- states */

static int64_t xen_pv_pause_ms(const XenPvBackend *backend)
{
    unsigned int times = backend->untaken;

    if (times < XEN_PV_FREE_OFFERS) {
        return 0;
    }
    times = MIN(times - XEN_PV_FREE_OFFERS, 16);

    return MIN(XEN_PV_OFFER_PAUSE_MS << times, XEN_PV_OFFER_PAUSE_MAX_MS);
}

/*
 * A frontend that cannot use the device starts over at each InitWait, for ever:
 * Linux does when it gets a second sound card.  So it has to wait.
 */
static void xen_pv_pause(XenPvBackend *backend)
{
    int64_t pause = xen_pv_pause_ms(backend);

    trace_xen_pv_backend_pause(backend->xendev.backend_path,
                               backend->untaken, pause);
    xen_pv_guest_warn(backend, "frontend aborted the connection %u times: "
                      "next attempt in %" PRId64 " s", backend->untaken,
                      pause / 1000);
    xen_device_backend_set_state(&backend->xendev,
                                 XenbusStateReconfiguring);
    /* The virtual clock: a guest that is paused misses nothing */
    timer_mod(backend->offer,
              qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + pause);
}

/* Show what the action says; all that was the guest's is released already */
static void xen_pv_show(XenPvBackend *backend, XenPvAction action)
{
    XenDevice *xendev = &backend->xendev;

    backend->closing = action == XEN_PV_CLOSING;
    switch (action) {
    case XEN_PV_CONNECT:
        xen_pv_connect_in_time(backend);
        break;
    case XEN_PV_PAUSE:
        xen_pv_pause(backend);
        break;
    case XEN_PV_CLOSING:
        xen_device_backend_set_state(xendev, XenbusStateClosing);
        timer_mod(backend->close, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                                  backend->closing_time);
        break;
    case XEN_PV_REMOVE:
        trace_xen_pv_backend_removed(xendev->backend_path);
        /* If it was Closed before, Closed would not be written again */
        xen_device_backend_set_state(xendev, XenbusStateClosing);
        xen_device_backend_set_state(xendev, XenbusStateClosed);
        break;
    case XEN_PV_CLOSED:
        xen_device_backend_set_state(xendev, XenbusStateClosed);
        break;
    case XEN_PV_CLOSED_OFFER:
        xen_device_backend_set_state(xendev, XenbusStateClosed);
        xen_device_backend_set_state(xendev, XenbusStateInitWait);
        break;
    case XEN_PV_OFFER:
        xen_device_backend_set_state(xendev, XenbusStateInitWait);
        break;
    case XEN_PV_RENEW:
        backend->untaken = 0;
        xen_device_backend_set_state(xendev, XenbusStateInitWait);
        xen_device_frontend_printf(xendev, "state", "%u",
                                   XenbusStateInitialising);
        break;
    default:
        g_assert_not_reached();
    }
}

static void xen_pv_move_on(XenPvBackend *backend, XenPvCause cause)
{
    XenDevice *xendev = &backend->xendev;
    const XenPvSituation now = {
        .backend = xendev->backend_state,
        .frontend = xendev->frontend_state,
        .online = xendev->backend_online,
        .connected = backend->connected,
        .taken = !backend->untaken,
        .tiresome = xen_pv_pause_ms(backend),
    };
    XenPvAction action = xen_pv_next_action(&now, cause);

    trace_xen_pv_backend_action(xendev->backend_path, now.backend,
                                now.frontend, xen_pv_action_name(action));
    switch (action) {
    case XEN_PV_KEEP:
        break;
    case XEN_PV_TAKEN:
        if (backend->connected) {
            backend->untaken = 0;
        }
        break;
    case XEN_PV_RELEASE:
        xen_pv_disconnect(backend, false);
        break;
    default:
        timer_del(backend->close);
        timer_del(backend->offer);
        xen_pv_disconnect(backend, false);
        xen_pv_show(backend, action);
        break;
    }
}

static void xen_pv_time_is_over(void *opaque)
{
    xen_pv_move_on(opaque, XEN_PV_CAUSE_TIME);
}

void xen_pv_connection_changed(XenDevice *xendev, enum xenbus_state state,
                               Error **errp)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);

    trace_xen_pv_backend_frontend(xendev->backend_path, state,
                                  backend->connected);
    xen_pv_move_on(backend, XEN_PV_CAUSE_FRONTEND);
}

void xen_pv_connection_reset(XenPvBackend *backend)
{
    if (backend->retry) {
        xen_pv_move_on(backend, XEN_PV_CAUSE_RESET);
    }
}

/*
 * The bus answers a Closing of the toolstack only while the frontend is
 * inactive, but these frontends never leave Connected because of it.  A
 * Closing of our own is not meant: then the device is still online.
 */
static void xen_pv_state_changed(void *opaque, const char *path)
{
    XenPvBackend *backend = opaque;
    XenDevice *xendev = &backend->xendev;
    unsigned int state, online = 0;

    if (xs_node_scanf(xendev->xsh, XBT_NULL, xendev->backend_path, "state",
                      NULL, "%u", &state) != 1 ||
        state != XenbusStateClosing) {
        return;
    }
    xs_node_scanf(xendev->xsh, XBT_NULL, xendev->backend_path, "online",
                  NULL, "%u", &online);
    if (!backend->closing || !online) {
        xen_pv_move_on(backend, XEN_PV_CAUSE_REMOVAL);
    }
}

/* ---------------------------------------------------------- life cycle */

bool xen_pv_connection_start(XenPvBackend *backend, Error **errp)
{
    XenDevice *xendev = &backend->xendev;

    backend->retry = timer_new_ns(QEMU_CLOCK_REALTIME, xen_pv_retry, backend);
    backend->offer = timer_new_ms(QEMU_CLOCK_VIRTUAL, xen_pv_time_is_over,
                                  backend);
    backend->close = timer_new_ms(QEMU_CLOCK_REALTIME, xen_pv_time_is_over,
                                  backend);
    /*
     * The folder, as the bus watches the node: the xenstore of KVM's Xen
     * emulation cannot take back the second watch of one and the same path.
     */
    backend->state_watch = xs_node_watch(xendev->xsh, "",
                                         xendev->backend_path,
                                         xen_pv_state_changed, backend, errp);

    return backend->state_watch;
}

void xen_pv_connection_stop(XenPvBackend *backend, bool exiting)
{
    if (backend->state_watch) {
        xs_node_unwatch(backend->xendev.xsh, backend->state_watch);
        backend->state_watch = NULL;
    }
    if (!backend->retry) {
        return;
    }
    xen_pv_disconnect(backend, exiting);
    g_clear_pointer(&backend->retry, timer_free);
    g_clear_pointer(&backend->offer, timer_free);
    g_clear_pointer(&backend->close, timer_free);
}
