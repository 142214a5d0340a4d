/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the backends of PV displays and PV sound share: the XenbusState
 * machine, channels, configuration in xenstore, unplug and reconnect.
 *
 * The frontends in Linux differ from block and network frontends.  They
 * ignore a backend in state Closing and wait for Closed; on unload they wait
 * for InitWait; they look at the backend's InitWait only while they are
 * Initialising themselves.  So the backend leads:
 *
 *   frontend Initialised            -> open channels, Connected
 *   frontend Closing or Closed      -> release all, Closed, InitWait
 *   ... before it was Connected     -> release all, Closed; if that happens
 *                                      again and again, after a pause
 *   frontend Initialising again     -> the guest restarted: release all,
 *                                      InitWait
 *   frontend gone                   -> release all, Closed
 *   backend's own state set Closing -> the toolstack removes the card:
 *                                      release all, Closed
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-properties.h"
#include "hw/xen/xen-bus-helper.h"
#include "hw/xen/xen-pv-backend.h"
#include "migration/vmstate.h"
#include "monitor/qdev.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "system/system.h"
#include "trace.h"
#include "xen-pv-channel.h"
#include "xen-pv-compat.h"
#include "xen-pv-refusal.h"
#include "xen-pv-status.h"

/* Numbers of cards that idx=-1 tries */
#define XEN_PV_MAX_IDX 100

/* Tries to connect to a frontend that is ready */
#define XEN_PV_CONNECT_ATTEMPTS 5

/*
 * A frontend that was offered a connection this often without taking it has
 * to wait for the next offer, and longer each time
 */
#define XEN_PV_FREE_OFFERS 3
#define XEN_PV_OFFER_PAUSE_MS 1000
#define XEN_PV_OFFER_PAUSE_MAX_MS 30000

/* A line in the units of its quota, which are of a minute */
#define XEN_PV_LOG_LINE 60

/* Quotas that a user can ask for */
#define XEN_PV_MAX_LOG_LINES 100000
#define XEN_PV_MAX_CONNECTS 100000

/* Time that requests may take at once before the quota of it holds, ns */
#define XEN_PV_LOAD_BURST_NS (INT64_C(20) * SCALE_MS)

/* Node of a backend: the id of the device that serves it, or "-" */
#define XEN_PV_MARK "qemu-id"

static XenBus *xen_pv_bus(XenPvBackend *backend)
{
    return XEN_BUS(qdev_get_parent_bus(DEVICE(backend)));
}

/* ---------------------------------------------------------------- log */

void xen_pv_guest_warn(XenPvBackend *backend, const char *fmt, ...)
{
    const char *path = backend->xendev.backend_path;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    XenPvLog *log = &backend->log;
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    trace_xen_pv_guest_warn(path, text);
    g_free(backend->last_error);
    backend->last_error = g_strdup(text);

    if (xen_pv_quota_wait(&log->lines, XEN_PV_LOG_LINE, now)) {
        log->suppressed++;
        return;
    }
    xen_pv_quota_take(&log->lines, XEN_PV_LOG_LINE, now);
    if (log->suppressed) {
        warn_report("%s: %" PRIu64 " more messages were suppressed", path,
                    log->suppressed);
        log->suppressed = 0;
    }
    warn_report("%s: %s", path, text);
}

/* -------------------------------------------------------------- nodes */

char *xen_pv_node_read(XenPvBackend *backend, const char *dir,
                       const char *key)
{
    unsigned int len = 0;
    char *raw = xs_node_read(xen_pv_bus(backend)->xsh, XBT_NULL, &len, NULL,
                             "%s/%s", dir, key);
    char *text = xen_pv_node_text(raw, len);

    free(raw);

    return text;
}

static char *xen_pv_nodes_op_read(void *opaque, const char *dir,
                                  const char *key)
{
    return xen_pv_node_read(opaque, dir, key);
}

static void xen_pv_nodes_op_warn(void *opaque, const char *text)
{
    xen_pv_guest_warn(opaque, "%s", text);
}

XenPvNodes xen_pv_backend_nodes(XenPvBackend *backend)
{
    return (XenPvNodes) {
        .read = xen_pv_nodes_op_read,
        .warn = xen_pv_nodes_op_warn,
        .opaque = backend,
    };
}

bool xen_pv_node_write(XenPvBackend *backend, const char *dir,
                       const char *key, const char *value, Error **errp)
{
    ERRP_GUARD();
    XenBus *bus = xen_pv_bus(backend);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    xs_node_create(bus->xsh, XBT_NULL, path, bus->backend_id,
                   backend->xendev.frontend_id, XS_PERM_READ, errp);
    if (!*errp) {
        xs_node_printf(bus->xsh, XBT_NULL, dir, key, errp, "%s", value);
    }

    return !*errp;
}

/* -------------------------------------------------------------- states */

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

/*
 * For the next frontend.  One that looks at our state sees what it is by then:
 * Closed and InitWait in one go are InitWait twice to it, and Linux's sound
 * starts over while we connect to what it began first.  So one that waits for
 * InitWait gets that alone, and one that has to clear up first gets Closed:
 * the bus goes on to InitWait when it is done.
 *
 * One that was Connected is being unloaded, or dead.  It polls for InitWait.
 */
static void xen_pv_offer(void *opaque)
{
    XenPvBackend *backend = opaque;
    XenDevice *xendev = &backend->xendev;
    bool waits = xendev->frontend_state == XenbusStateInitialising;

    if (!waits || !xendev->backend_online) {
        xen_device_backend_set_state(xendev, XenbusStateClosed);
    }
    if ((waits || !backend->untaken) && xendev->backend_online) {
        xen_device_backend_set_state(xendev, XenbusStateInitWait);
    }
}

static int64_t xen_pv_offer_pause_ms(const XenPvBackend *backend)
{
    unsigned int times = backend->untaken;

    if (times < XEN_PV_FREE_OFFERS) {
        return 0;
    }
    times = MIN(times - XEN_PV_FREE_OFFERS, 16);

    return MIN(XEN_PV_OFFER_PAUSE_MS << times, XEN_PV_OFFER_PAUSE_MAX_MS);
}

/*
 * Release everything, and offer the card again.
 *
 * A frontend that cannot use it starts over at each InitWait, for ever: Linux
 * does when it gets a second sound card.  Meanwhile the state is one that
 * frontends ignore; at Closed the bus would go to InitWait by itself.
 */
static void xen_pv_restart(XenPvBackend *backend)
{
    int64_t pause = xen_pv_offer_pause_ms(backend);

    xen_pv_disconnect(backend, false);
    if (!pause) {
        xen_pv_offer(backend);
        return;
    }
    trace_xen_pv_backend_pause(backend->xendev.backend_path,
                               backend->untaken, pause);
    xen_pv_guest_warn(backend, "the guest's driver gave the card up %u times "
                      "before it was connected: waiting for %" PRId64 " s",
                      backend->untaken, pause / 1000);
    xen_device_backend_set_state(&backend->xendev,
                                 XenbusStateReconfiguring);
    /* The virtual clock: a guest that is paused misses nothing */
    timer_mod(backend->offer,
              qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + pause);
}

/* The frontend chooses among our "versions", or does not care */
static bool xen_pv_check_version(XenPvBackend *backend, Error **errp)
{
    XenDevice *xendev = &backend->xendev;
    unsigned int len = 0;
    char *raw = xs_node_read(xendev->xsh, XBT_NULL, &len, NULL,
                             "%s/version", xendev->frontend_path);
    bool good = xen_pv_node_version(raw, len);

    if (!good) {
        g_autofree char *text = g_strndup(raw, MIN(len, 16));
        g_autofree char *escaped = g_strescape(text, NULL);

        error_setg(errp, "frontend chose version '%s' of the protocol, but "
                   "versions 1 and 2 are there", escaped);
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
        xen_pv_guest_warn(backend, "it has connected more than %u times a "
                          "second and has to wait (max-connects)",
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

static void xen_pv_frontend_changed(XenDevice *xendev,
                                    enum xenbus_state state, Error **errp)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);

    trace_xen_pv_backend_frontend(xendev->backend_path, state,
                                  backend->connected);

    switch ((int)state) {
    case XenbusStateInitialised:
        if (!backend->connected && xendev->backend_online &&
            xendev->backend_state == XenbusStateInitWait) {
            xen_pv_connect_in_time(backend);
        }
        break;

    case XenbusStateInitialising:
    case XenbusStateClosing:
    case XenbusStateClosed:
        /*
         * Not without a connection, or one that ended with Reconfiguring:
         * sound frontends start over at each InitWait, and a misconfigured
         * one would do so for ever.
         */
        if (xendev->backend_state == XenbusStateConnected) {
            xen_pv_restart(backend);
        } else {
            xen_pv_disconnect(backend, false);
        }
        break;

    case XenbusStateConnected:
        if (backend->connected) {
            backend->untaken = 0;
        }
        break;

    case XenbusStateInitWait:
    case XenbusStateReconfigured:
        break;

    case XenbusStateReconfiguring:
        /* A frontend that tears down; Initialising follows */
        xen_pv_disconnect(backend, false);
        break;

    default:
        /* The node is gone, or holds what is no state */
        timer_del(backend->offer);
        xen_pv_disconnect(backend, false);
        xen_device_backend_set_state(xendev, XenbusStateClosed);
        break;
    }
}

/*
 * The bus answers a Closing of the toolstack only while the frontend is
 * inactive, but these frontends never leave Connected because of it.
 */
static void xen_pv_state_changed(void *opaque, const char *path)
{
    XenPvBackend *backend = opaque;
    XenDevice *xendev = &backend->xendev;
    unsigned int state;

    if (xs_node_scanf(xendev->xsh, XBT_NULL, xendev->backend_path, "state",
                      NULL, "%u", &state) != 1 ||
        state != XenbusStateClosing) {
        return;
    }

    trace_xen_pv_backend_removed(xendev->backend_path);
    timer_del(backend->offer);
    xen_pv_disconnect(backend, false);
    /* If it was Closed before, Closed would not be written again */
    xen_device_backend_set_state(xendev, XenbusStateClosing);
    xen_device_backend_set_state(xendev, XenbusStateClosed);
}

/* ---------------------------------------------------------------- save */

/*
 * There is no state of a card to be saved: when a guest is restored, its
 * driver connects anew.  But it must not be connected while it is saved.
 * Linux's drivers do not resume.  In the restored domain they free event
 * channels by the numbers that these had before, and cut off what has got the
 * same number since, be it a disk.  So refuse, while the guest can go on.
 *
 * This is for guests whose QEMU is asked for its state, HVM guests.
 */
static bool xen_pv_save_needed(void *opaque)
{
    return XEN_PV_BACKEND(opaque)->connected;
}

static int xen_pv_pre_save(void *opaque)
{
    XenPvBackend *backend = opaque;
    const char *type = XEN_DEVICE_GET_CLASS(backend)->backend;
    const char *id = DEVICE(backend)->id;

    error_report("%s: the guest cannot be saved while its driver is "
                 "connected, as it would break in the restored guest: "
                 "remove the card before (xl %s-detach, or device_del %s), "
                 "and add it again afterwards",
                 backend->xendev.backend_path, type, id ?: "ID");

    return -EBUSY;
}

static const VMStateDescription xen_pv_vmstate = {
    .name = TYPE_XEN_PV_BACKEND,
    .needed = xen_pv_save_needed,
    .pre_save = xen_pv_pre_save,
    .fields = (const VMStateField[]) {
        VMSTATE_END_OF_LIST()
    },
};

/* ---------------------------------------------------------- life cycle */

/* The mark that tells the cards of a QEMU that was killed from others' */
static const char *xen_pv_mark(XenPvBackend *backend)
{
    return DEVICE(backend)->id ?: "-";
}

/* Two cards of one number would fight over the same nodes */
static bool xen_pv_idx_is_ours(XenBus *bus, XenPvBackend *backend, int idx)
{
    BusChild *kid;

    QTAILQ_FOREACH(kid, &BUS(bus)->children, sibling) {
        XenPvBackend *other = (XenPvBackend *)
            object_dynamic_cast(OBJECT(kid->child), TYPE_XEN_PV_BACKEND);

        if (other && other != backend && other->idx == idx &&
            other->xendev.frontend_id == backend->xendev.frontend_id &&
            object_get_class(OBJECT(other)) ==
            object_get_class(OBJECT(backend))) {
            return true;
        }
    }

    return false;
}

/*
 * Free is a number without nodes, or with the nodes that this very card left
 * when its QEMU was killed: the guest gets it back under the same number.
 */
static bool xen_pv_idx_is_free(XenPvBackend *backend, int idx)
{
    XenDeviceClass *class = XEN_DEVICE_GET_CLASS(backend);
    domid_t domid = backend->xendev.frontend_id;
    g_autofree char *front = g_strdup_printf("/local/domain/%u/device/%s/%d",
                                             domid, class->device, idx);
    g_autofree char *back =
        g_strdup_printf("/local/domain/%u/backend/%s/%u/%d",
                        xen_pv_bus(backend)->backend_id, class->backend,
                        domid, idx);
    g_autofree char *state = xen_pv_node_read(backend, front, "state");
    g_autofree char *mark = xen_pv_node_read(backend, back, XEN_PV_MARK);

    return !xen_pv_idx_is_ours(xen_pv_bus(backend), backend, idx) &&
           (!state || g_strcmp0(mark, xen_pv_mark(backend)) == 0);
}

static char *xen_pv_get_name(XenDevice *xendev, Error **errp)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    int idx;

    if (backend->idx >= 0 &&
        xen_pv_idx_is_ours(xen_pv_bus(backend), backend, backend->idx)) {
        error_setg(errp, "idx=%d is taken by another card", backend->idx);
        return NULL;
    }
    for (idx = 0; backend->idx < 0 && idx < XEN_PV_MAX_IDX; idx++) {
        if (xen_pv_idx_is_free(backend, idx)) {
            backend->idx = idx;
        }
    }
    if (backend->idx < 0) {
        error_setg(errp, "no free card number below %d: name one with idx=",
                   XEN_PV_MAX_IDX);
        return NULL;
    }

    return g_strdup_printf("%d", backend->idx);
}

/*
 * The bus asks for the path before it publishes any state.  This is the one
 * moment when the card's nodes can be written without a running guest
 * finding the card half made.
 */
static char *xen_pv_get_frontend_path(XenDevice *xendev, Error **errp)
{
    ERRP_GUARD();
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    XenBus *bus = xen_pv_bus(backend);
    g_autofree char *path =
        g_strdup_printf("/local/domain/%u/device/%s/%s", xendev->frontend_id,
                        XEN_DEVICE_GET_CLASS(xendev)->device, xendev->name);
    g_autofree char *state = xen_pv_node_read(backend, path, "state");
    bool toolstack = state;

    trace_xen_pv_backend_configure(xendev->backend_path, toolstack);

    if (!toolstack) {
        xs_node_create(bus->xsh, XBT_NULL, path, xendev->frontend_id,
                       bus->backend_id, XS_PERM_READ | XS_PERM_WRITE, errp);
        if (*errp) {
            return NULL;
        }
    }
    if (class->configure(backend, path, toolstack, errp)) {
        xs_node_printf(bus->xsh, XBT_NULL, xendev->backend_path, "versions",
                       errp, "1,2");
    }
    if (!*errp) {
        xs_node_printf(bus->xsh, XBT_NULL, xendev->backend_path, XEN_PV_MARK,
                       errp, "%s", xen_pv_mark(backend));
    }
    if (*errp) {
        if (!toolstack) {
            xs_node_destroy(bus->xsh, XBT_NULL, path, NULL);
        }
        return NULL;
    }

    return g_steal_pointer(&path);
}

/*
 * The bus removes a card's own node only.  Remove the folder of the guest's
 * cards with the last of them, as the toolstack does with those it made.
 */
static void xen_pv_prune(XenBus *bus, XenPvBackend *backend)
{
    g_autofree char *dir =
        g_strdup_printf("/local/domain/%u/backend/%s/%u", bus->backend_id,
                        XEN_DEVICE_GET_CLASS(backend)->backend,
                        backend->xendev.frontend_id);
    xs_transaction_t tid = qemu_xen_xs_transaction_start(bus->xsh);
    unsigned int count = 0;
    char **names;

    if (tid == XBT_NULL) {
        return;
    }
    names = qemu_xen_xs_directory(bus->xsh, tid, dir, &count);
    if (names && !count) {
        qemu_xen_xs_destroy(bus->xsh, tid, dir);
    }
    free(names);
    /* If somebody adds a card meanwhile this fails, as it should */
    qemu_xen_xs_transaction_end(bus->xsh, tid, false);
}

static void xen_pv_exit(Notifier *notifier, void *data)
{
    XenPvBackend *backend = container_of(notifier, XenPvBackend, exit);

    xen_pv_prune(xen_pv_bus(backend), backend);
}

static bool xen_pv_check_quotas(XenPvBackend *backend, Error **errp)
{
    if (backend->max_load < 1 || backend->max_load > 100) {
        error_setg(errp, "max-load=%u is not between 1 and 100 percent",
                   backend->max_load);
        return false;
    }
    if (backend->max_log_lines < 1 ||
        backend->max_log_lines > XEN_PV_MAX_LOG_LINES) {
        error_setg(errp, "max-log-lines=%u is not between 1 and %d lines a "
                   "minute", backend->max_log_lines, XEN_PV_MAX_LOG_LINES);
        return false;
    }
    if (backend->max_connects > XEN_PV_MAX_CONNECTS) {
        error_setg(errp, "max-connects=%u is not between 0, for no limit, "
                   "and %d a second", backend->max_connects,
                   XEN_PV_MAX_CONNECTS);
        return false;
    }

    return true;
}

/* A load of 100 percent is not worth looking at */
static void xen_pv_start_quotas(XenPvBackend *backend)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    uint32_t load = backend->max_load < 100 ? backend->max_load : 0;

    xen_pv_quota_init(&backend->load.time,
                      load * (NANOSECONDS_PER_SECOND / 100),
                      XEN_PV_LOAD_BURST_NS, now);
    xen_pv_quota_init(&backend->connects, backend->max_connects,
                      backend->max_connects, now);
    /* Those of ten seconds at once */
    xen_pv_quota_init(&backend->log.lines, backend->max_log_lines,
                      MAX(backend->max_log_lines * 10, XEN_PV_LOG_LINE), now);
}

/* The user's options come first, before anything in xenstore changes */
static void xen_pv_device_realize(DeviceState *dev, Error **errp)
{
    ERRP_GUARD();
    XenPvBackend *backend = XEN_PV_BACKEND(dev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);

    if (backend->idx < -1) {
        error_setg(errp, "idx=%d is no number of a card: use 0 or more, or "
                   "-1 for the first free one", backend->idx);
        return;
    }
    if (!xen_pv_check_quotas(backend, errp) ||
        !class->check_options(backend, errp)) {
        return;
    }
    xen_pv_start_quotas(backend);

    /* Notifiers run last in, first out: this one after the bus's own */
    backend->exit.notify = xen_pv_exit;
    qemu_add_exit_notifier(&backend->exit);
    class->parent_realize(dev, errp);
    if (*errp) {
        /* The bus does not undo what failed before the card had a name */
        class->stop(backend);
        qemu_remove_exit_notifier(&backend->exit);
        xen_pv_prune(xen_pv_bus(backend), backend);
    }
}

static void xen_pv_device_unrealize(DeviceState *dev)
{
    XenPvBackend *backend = XEN_PV_BACKEND(dev);

    XEN_PV_BACKEND_GET_CLASS(backend)->parent_unrealize(dev);
    qemu_remove_exit_notifier(&backend->exit);
    xen_pv_prune(xen_pv_bus(backend), backend);
}

static void xen_pv_realize(XenDevice *xendev, Error **errp)
{
    ERRP_GUARD();
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);

    backend->retry = timer_new_ns(QEMU_CLOCK_REALTIME, xen_pv_retry, backend);
    backend->offer = timer_new_ms(QEMU_CLOCK_VIRTUAL, xen_pv_offer, backend);
    xen_pv_channels_start(backend);

    if (!XEN_PV_BACKEND_GET_CLASS(backend)->start(backend, errp)) {
        return;
    }
    /*
     * The folder, as the bus watches the node: the xenstore of KVM's Xen
     * emulation cannot take back the second watch of one and the same path.
     */
    backend->state_watch = xs_node_watch(xendev->xsh, "",
                                         xendev->backend_path,
                                         xen_pv_state_changed, backend, errp);
}

static void xen_pv_unrealize(XenDevice *xendev)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    /*
     * On unplug the device is no longer realized when this is called.  If it
     * still is, QEMU exits, and has closed displays and audio already.
     */
    bool exiting = DEVICE(xendev)->realized;

    if (backend->state_watch) {
        xs_node_unwatch(xendev->xsh, backend->state_watch);
        backend->state_watch = NULL;
    }
    if (backend->retry) {
        xen_pv_disconnect(backend, exiting);
        timer_free(backend->retry);
        backend->retry = NULL;
        timer_free(backend->offer);
        backend->offer = NULL;
        xen_pv_channels_stop(backend);
    }
    if (!exiting) {
        class->stop(backend);
    }
}

/* Make the card of a backend node; its number is that of the node */
static bool xen_pv_create(XenPvBackend *backend, XenBackendInstance *instance,
                          const char *id_prefix, Error **errp)
{
    const char *name = xen_backend_get_name(instance);
    DeviceState *dev = DEVICE(backend);
    unsigned int idx;

    if (!g_ascii_isdigit(*name) || qemu_strtoui(name, NULL, 10, &idx) ||
        idx > INT32_MAX) {
        error_setg(errp, "'%s' is not a number of a card", name);
        return false;
    }
    backend->idx = idx;
    /* The id makes the card addressable, for screendump and VNC */
    if (!qdev_set_id(dev, g_strdup_printf("%s-%u", id_prefix, idx), NULL)) {
        qdev_set_id(dev, NULL, &error_abort);
    }

    return qdev_realize(dev, BUS(xen_backend_get_bus(instance)), errp);
}

void xen_pv_backend_create(XenBackendInstance *instance,
                           const char *typename, const char *id_prefix,
                           Error **errp)
{
    ERRP_GUARD();
    XenBus *bus = xen_backend_get_bus(instance);
    XenPvBackend *backend = XEN_PV_BACKEND(qdev_new(typename));

    backend->xendev.frontend_id = xen_domid;
    if (xen_pv_create(backend, instance, id_prefix, errp)) {
        xen_pv_refuse_no_more(instance, backend);
        xen_backend_set_device(instance, &backend->xendev);
    } else if (xen_pv_idx_is_ours(bus, backend, backend->idx)) {
        /* The nodes are those of a card that -device made */
        object_unparent(OBJECT(backend));
    } else {
        xen_pv_refuse(instance, backend, *errp);
        xen_pv_prune(bus, backend);
    }
    object_unref(OBJECT(backend));
}

static void xen_pv_revive(struct qemu_xs_handle *xsh, const char *dir)
{
    g_autofree char *mark = NULL;
    unsigned int online = 0, state = XenbusStateUnknown;
    char *raw = xs_node_read(xsh, XBT_NULL, NULL, NULL, "%s/%s", dir,
                             XEN_PV_MARK);

    mark = g_strdup(raw);
    free(raw);
    xs_node_scanf(xsh, XBT_NULL, dir, "online", NULL, "%u", &online);
    xs_node_scanf(xsh, XBT_NULL, dir, "state", NULL, "%u", &state);
    if (mark && online && state != XenbusStateInitialising) {
        trace_xen_pv_backend_revive(dir, state);
        xs_node_printf(xsh, XBT_NULL, dir, "state", NULL, "%u",
                       XenbusStateInitialising);
    }
}

void xen_pv_backend_revive(const char *type)
{
    g_autofree char *dir = g_strdup_printf("backend/%s/%u", type, xen_domid);
    struct qemu_xs_handle *xsh = qemu_xen_xs_open();
    unsigned int i, count = 0;
    char **names;

    if (!xsh) {
        return;
    }
    names = qemu_xen_xs_directory(xsh, XBT_NULL, dir, &count);
    for (i = 0; names && i < count; i++) {
        g_autofree char *card = g_strdup_printf("%s/%s", dir, names[i]);

        xen_pv_revive(xsh, card);
    }
    free(names);
    qemu_xen_xs_close(xsh);
}

void xen_pv_backend_destroy(XenBackendInstance *instance, Error **errp)
{
    object_unparent(OBJECT(xen_backend_get_device(instance)));
}

static void xen_pv_finalize(Object *obj)
{
    g_free(XEN_PV_BACKEND(obj)->last_error);
}

static const Property xen_pv_properties[] = {
    DEFINE_PROP_INT32("idx", XenPvBackend, idx, -1),
    DEFINE_PROP_UINT32("max-connects", XenPvBackend, max_connects, 20),
    DEFINE_PROP_UINT32("max-load", XenPvBackend, max_load, 25),
    DEFINE_PROP_UINT32("max-log-lines", XenPvBackend, max_log_lines, 60),
    DEFINE_PROP_UINT32("x-connect-pause", XenPvBackend, connect_pause, 500),
    DEFINE_PROP_UINT32("x-max-map-count", XenPvBackend, max_map_count, 0),
};

static void xen_pv_class_init(ObjectClass *class, XEN_PV_CLASS_DATA *data)
{
    XenDeviceClass *xendev_class = XEN_DEVICE_CLASS(class);

    device_class_set_parent_realize(DEVICE_CLASS(class),
        xen_pv_device_realize,
        &XEN_PV_BACKEND_CLASS(class)->parent_realize);
    device_class_set_parent_unrealize(DEVICE_CLASS(class),
        xen_pv_device_unrealize,
        &XEN_PV_BACKEND_CLASS(class)->parent_unrealize);
    DEVICE_CLASS(class)->vmsd = &xen_pv_vmstate;
    xendev_class->get_name = xen_pv_get_name;
    xendev_class->get_frontend_path = xen_pv_get_frontend_path;
    xendev_class->realize = xen_pv_realize;
    xendev_class->frontend_changed = xen_pv_frontend_changed;
    xendev_class->unrealize = xen_pv_unrealize;
    device_class_set_props(DEVICE_CLASS(class), xen_pv_properties);
    object_class_property_set_description(class, "idx",
        "number of the card in xenstore; -1 takes the first free one");
    object_class_property_set_description(class, "max-connects",
        "how often the guest may connect, times a second; 0 is no limit");
    object_class_property_set_description(class, "max-load",
        "most of QEMU's time that the guest's requests may take, in percent");
    object_class_property_set_description(class, "max-log-lines",
        "most lines that the guest may add to the log, a minute");
    object_class_property_set_description(class, "x-connect-pause",
        "for tests: pause between tries to connect to a frontend, in ms");
    object_class_property_set_description(class, "x-max-map-count",
        "for tests: how many grants one call may map; 0 is no limit");
    xen_pv_status_add_properties(class);
}

static const TypeInfo xen_pv_backend_info = {
    .name = TYPE_XEN_PV_BACKEND,
    .parent = TYPE_XEN_DEVICE,
    .instance_size = sizeof(XenPvBackend),
    .instance_finalize = xen_pv_finalize,
    .class_size = sizeof(XenPvBackendClass),
    .class_init = xen_pv_class_init,
    .abstract = true,
};

static void xen_pv_register_types(void)
{
    type_register_static(&xen_pv_backend_info);
}

type_init(xen_pv_register_types)
