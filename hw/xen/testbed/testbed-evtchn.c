/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event channels of -device xen-testbed
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qemu/event_notifier.h"
#include "hw/xen/xen_backend_ops.h"

#include "testbed-evtchn.h"
#include "testbed-faults.h"

/* One end of an event channel: a port of the guest */
typedef enum {
    PORT_FREE,
    PORT_UNBOUND,
    PORT_BOUND,
} PortState;

typedef struct GuestPort {
    PortState state;
    xenevtchn_handle *handle;
    bool event;                 /* a notification waits to be sent */
} GuestPort;

typedef struct TestbedChannels {
    void (*wake)(void);
    uint16_t domid;
    bool dead;
    GuestPort ports[XEN_TESTBED_PORTS];
    uint32_t bound_ports;
    uint32_t last_local_port;
    uint64_t notifies;
} TestbedChannels;

/* The operations have no argument that leads here */
static TestbedChannels channels;

struct xenevtchn_handle {
    EventNotifier notifier;
    uint32_t guest_port;        /* 0 when the guest's end is closed */
    evtchn_port_t local_port;   /* 0 when not bound */
    bool masked;                /* from pending() to unmask() */
    bool deferred;              /* a kick came while masked */
};

static xenevtchn_handle *testbed_evtchn_open(void)
{
    xenevtchn_handle *xc;
    int ret;

    if (testbed_fault_errno(TESTBED_OPEN) < 0) {
        return NULL;
    }
    xc = g_new0(xenevtchn_handle, 1);
    ret = event_notifier_init(&xc->notifier, false);
    if (ret < 0) {
        g_free(xc);
        errno = -ret;
        return NULL;
    }
    return xc;
}

/*
 * Xen marks a port as pending when it is bound, as events may have been lost
 * before.  This does not, which is stricter: whoever binds has to look at what
 * came before by himself.
 */
static int do_bind(xenevtchn_handle *xc, uint32_t domid,
                   evtchn_port_t guest_port)
{
    int err = testbed_fault(TESTBED_BIND);

    if (err) {
        return err;
    }
    if (channels.dead || domid != channels.domid) {
        return -ESRCH;
    }
    /* One channel for each handle, as in KVM's emulation */
    if (xc->local_port || guest_port >= XEN_TESTBED_PORTS ||
        channels.ports[guest_port].state != PORT_UNBOUND) {
        return -EINVAL;
    }
    channels.ports[guest_port].state = PORT_BOUND;
    channels.ports[guest_port].handle = xc;
    channels.bound_ports++;
    xc->guest_port = guest_port;
    xc->local_port = ++channels.last_local_port;
    if (xc->local_port == INT_MAX) {
        channels.last_local_port = 0;
    }
    return 0;
}

static int testbed_evtchn_bind_interdomain(xenevtchn_handle *xc,
                                           uint32_t domid,
                                           evtchn_port_t guest_port)
{
    int err = do_bind(xc, domid, guest_port);

    if (err) {
        errno = -err;
        return -1;
    }
    return xc->local_port;
}

/* Cut a channel in two: the other end of a closed one becomes unbound */
static void evtchn_cut(xenevtchn_handle *xc, PortState state)
{
    GuestPort *port = &channels.ports[xc->guest_port];

    if (xc->guest_port) {
        port->state = state;
        port->handle = NULL;
        channels.bound_ports--;
        xc->guest_port = 0;
    }
}

static int testbed_evtchn_unbind(xenevtchn_handle *xc, evtchn_port_t port)
{
    if (!xc->local_port || port != xc->local_port) {
        errno = EINVAL;
        return -1;
    }
    if (testbed_fault_errno(TESTBED_UNBIND) < 0) {
        return -1;
    }
    evtchn_cut(xc, PORT_UNBOUND);
    xc->local_port = 0;
    xc->masked = xc->deferred = false;
    event_notifier_test_and_clear(&xc->notifier);
    return 0;
}

static int testbed_evtchn_close(xenevtchn_handle *xc)
{
    evtchn_cut(xc, PORT_UNBOUND);
    event_notifier_cleanup(&xc->notifier);
    g_free(xc);
    return 0;
}

static int testbed_evtchn_fd(xenevtchn_handle *xc)
{
    return event_notifier_get_fd(&xc->notifier);
}

static int testbed_evtchn_notify(xenevtchn_handle *xc, evtchn_port_t port)
{
    int err = testbed_fault(TESTBED_NOTIFY);

    if (!err && (!xc->local_port || port != xc->local_port)) {
        err = -EINVAL;
    }
    if (err) {
        errno = -err;
        return -1;
    }
    channels.notifies++;
    /* Xen drops what is sent to nobody, without an error */
    if (xc->guest_port) {
        channels.ports[xc->guest_port].event = true;
        channels.wake();
    }
    return 0;
}

static int testbed_evtchn_pending(xenevtchn_handle *xc)
{
    if (testbed_fault_errno(TESTBED_PENDING) < 0) {
        return -1;
    }
    if (!event_notifier_test_and_clear(&xc->notifier) || !xc->local_port) {
        errno = EAGAIN;
        return -1;
    }
    xc->masked = true;
    return xc->local_port;
}

static int testbed_evtchn_unmask(xenevtchn_handle *xc, evtchn_port_t port)
{
    if (!xc->local_port || port != xc->local_port) {
        errno = EINVAL;
        return -1;
    }
    xc->masked = false;
    if (xc->deferred) {
        xc->deferred = false;
        event_notifier_set(&xc->notifier);
    }
    return 0;
}

static struct evtchn_backend_ops testbed_evtchn_ops = {
    .open = testbed_evtchn_open,
    .bind_interdomain = testbed_evtchn_bind_interdomain,
    .unbind = testbed_evtchn_unbind,
    .close = testbed_evtchn_close,
    .get_fd = testbed_evtchn_fd,
    .notify = testbed_evtchn_notify,
    .unmask = testbed_evtchn_unmask,
    .pending = testbed_evtchn_pending,
};

int testbed_evtchn_alloc_port(void)
{
    uint32_t i;

    if (channels.dead) {
        return -ESRCH;
    }
    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        if (channels.ports[i].state == PORT_FREE) {
            channels.ports[i].state = PORT_UNBOUND;
            channels.ports[i].event = false;
            return i;
        }
    }
    return -ENOSPC;
}

int testbed_evtchn_close_port(uint32_t port)
{
    if (port >= XEN_TESTBED_PORTS || channels.ports[port].state == PORT_FREE) {
        return -EINVAL;
    }
    if (channels.ports[port].handle) {
        evtchn_cut(channels.ports[port].handle, PORT_FREE);
    }
    channels.ports[port].state = PORT_FREE;
    channels.ports[port].event = false;
    return 0;
}

int testbed_evtchn_kick(uint32_t port)
{
    xenevtchn_handle *xc;

    if (port >= XEN_TESTBED_PORTS || channels.ports[port].state == PORT_FREE) {
        return -EINVAL;
    }
    xc = channels.ports[port].handle;
    if (xc && xc->masked) {
        xc->deferred = true;
    } else if (xc) {
        event_notifier_set(&xc->notifier);
    }
    return 0;
}

bool testbed_evtchn_take_event(uint32_t port)
{
    bool event = channels.ports[port].event;

    channels.ports[port].event = false;
    return event;
}

void testbed_evtchn_kill(void)
{
    uint32_t i;

    channels.dead = true;
    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        testbed_evtchn_close_port(i);
    }
}

void testbed_evtchn_save(uint8_t ports[XEN_TESTBED_PORTS])
{
    uint32_t i;

    for (i = 0; i < XEN_TESTBED_PORTS; i++) {
        ports[i] = channels.ports[i].state != PORT_FREE;
    }
}

/* The other ends of the channels went with the QEMU that was killed */
void testbed_evtchn_load(const uint8_t ports[XEN_TESTBED_PORTS])
{
    uint32_t i;

    for (i = 0; i < XEN_TESTBED_PORTS; i++) {
        channels.ports[i].state = ports[i] ? PORT_UNBOUND : PORT_FREE;
    }
}

void testbed_evtchn_stats(TestbedStats *stats)
{
    stats->ports = channels.bound_ports;
    stats->notifies = channels.notifies;
}

void testbed_evtchn_init(uint16_t domid, void (*wake)(void))
{
    channels.domid = domid;
    channels.wake = wake;
    xen_evtchn_ops = &testbed_evtchn_ops;
}
