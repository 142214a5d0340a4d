/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PV device does when its frontend, the toolstack, or time moves on.
 *
 * The frontends differ from those of disks and network cards, and from each
 * other.  This is what they wait for, f being the frontend's state that they
 * write and b the backend's that they wait for:
 *
 *   Linux, driver loaded          f Initialising, b InitWait, f Initialised,
 *                                 b Connected, f Connected
 *   Linux, driver unloaded        f Closing; b InitWait is polled for, for a
 *                                 second; f Initialising, f Closed
 *   Linux, poweroff and reboot    f Closing; b Closing within 5 s, no other
 *                                 state is looked at; f Closed
 *   Linux, after kexec or in a    f Closing, b Closing, f Closed, b Closed,
 *   crash kernel of PVH and HVM   f Initialising, b InitWait, 5 s for each
 *   Plan 9                        f Initialised, b Connected, f Connected;
 *                                 at halt f Closing, b Closing, f Closed,
 *                                 b Closed, which it polls for, for ever
 *
 * Nothing tells an unload from a poweroff.  So Closing stays until the
 * frontend moves on, and if it does not, for so long as the first that it is
 * seen, and the second still finds InitWait in time.  A frontend that answers
 * Closing with Closed finds Closed until it is Initialising: a kernel that is
 * started by kexec starts over with such devices, but leaves one alone that is
 * Closed on its own side and InitWait here.
 *
 * Linux's drivers ignore Closing and Reconfiguring.  Closed makes them clear
 * up, and they look at InitWait only while they are Initialising.  One that
 * looks at our state sees what it is by then, so Closed and InitWait in one
 * go are InitWait twice to a driver that is still loaded, and Linux's sound
 * starts over each time.  So one that waits for InitWait gets that alone, and
 * one that has to clear up first gets Closed: QEMU's bus goes on to InitWait
 * when it is Initialising.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pv-states.h"

/*
 * The frontend's state was written.  Rows: the backend's state; columns: the
 * frontend's.  What is missing is XEN_PV_KEEP.
 *
 * In the row of InitWait is no way to Closed or to InitWait, as a frontend of
 * Linux's that is misconfigured starts over at each of these, for ever.
 */
static const uint8_t by_frontend[XEN_PV_STATES][XEN_PV_STATES] = {
    [XenbusStateInitWait] = {
        [XenbusStateUnknown]        = XEN_PV_CLOSED,
        [XenbusStateInitialising]   = XEN_PV_RELEASE,
        [XenbusStateInitialised]    = XEN_PV_CONNECT,
        [XenbusStateClosing]        = XEN_PV_RELEASE,
        [XenbusStateClosed]         = XEN_PV_RELEASE,
        [XenbusStateReconfiguring]  = XEN_PV_RELEASE,
    },
    [XenbusStateConnected] = {
        [XenbusStateUnknown]        = XEN_PV_CLOSED,
        /* It started over, without having closed before */
        [XenbusStateInitialising]   = XEN_PV_OFFER,
        /* Likewise, and faster than we looked */
        [XenbusStateInitialised]    = XEN_PV_CONNECT,
        [XenbusStateConnected]      = XEN_PV_TAKEN,
        [XenbusStateClosing]        = XEN_PV_CLOSING,
        [XenbusStateClosed]         = XEN_PV_CLOSED,
        /* It clears up; Initialising follows */
        [XenbusStateReconfiguring]  = XEN_PV_RELEASE,
    },
    [XenbusStateClosing] = {
        [XenbusStateUnknown]        = XEN_PV_CLOSED,
        [XenbusStateInitialising]   = XEN_PV_OFFER,
        [XenbusStateInitialised]    = XEN_PV_CONNECT,
        [XenbusStateClosed]         = XEN_PV_CLOSED,
    },
    [XenbusStateClosed] = {
        [XenbusStateInitialising]   = XEN_PV_OFFER,
        /* Not everybody waits for InitWait */
        [XenbusStateInitialised]    = XEN_PV_CONNECT,
    },
    /* A pause: it ends by time */
    [XenbusStateReconfiguring] = {
        [XenbusStateUnknown]        = XEN_PV_CLOSED,
    },
};

/* The time of Closing or Reconfiguring is over; columns: as above */
static const uint8_t by_time[XEN_PV_STATES] = {
    [XenbusStateUnknown]            = XEN_PV_CLOSED,
    [XenbusStateInitialising]       = XEN_PV_OFFER,
    [XenbusStateInitWait]           = XEN_PV_CLOSED,
    [XenbusStateInitialised]        = XEN_PV_CONNECT,
    [XenbusStateConnected]          = XEN_PV_CLOSED,
    [XenbusStateClosing]            = XEN_PV_CLOSED_OFFER,
    [XenbusStateClosed]             = XEN_PV_CLOSED,
    [XenbusStateReconfiguring]      = XEN_PV_CLOSED,
    [XenbusStateReconfigured]       = XEN_PV_CLOSED,
};

static unsigned int column(enum xenbus_state state)
{
    return (unsigned int)state < XEN_PV_STATES ? state : XenbusStateUnknown;
}

/* The backend shows Closing or a pause, which are to end by themselves */
static bool is_passing(enum xenbus_state backend)
{
    return backend == XenbusStateClosing ||
           backend == XenbusStateReconfiguring;
}

static XenPvAction look_up(const XenPvSituation *now, XenPvCause cause)
{
    unsigned int backend = column(now->backend);
    unsigned int frontend = column(now->frontend);

    switch (cause) {
    case XEN_PV_CAUSE_REMOVAL:
        return XEN_PV_REMOVE;
    case XEN_PV_CAUSE_RESET:
        if (!now->online || (backend == XenbusStateInitWait &&
                             frontend == XenbusStateInitialising)) {
            return XEN_PV_RELEASE;
        }
        return XEN_PV_RENEW;
    case XEN_PV_CAUSE_TIME:
        return is_passing(now->backend) ? by_time[frontend] : XEN_PV_KEEP;
    default:
        return by_frontend[backend][frontend];
    }
}

XenPvAction xen_pv_next_action(const XenPvSituation *now, XenPvCause cause)
{
    XenPvAction action = look_up(now, cause);

    switch (action) {
    case XEN_PV_CONNECT:
        if (!now->online) {
            return is_passing(now->backend) ? XEN_PV_CLOSED : XEN_PV_KEEP;
        }
        /* What a frontend that uses its connection says is nothing new */
        return now->connected && now->taken ? XEN_PV_KEEP : action;
    case XEN_PV_OFFER:
    case XEN_PV_CLOSING:
        if (!now->online) {
            return XEN_PV_CLOSED;
        }
        break;
    case XEN_PV_CLOSED:
        if (!now->online || column(now->frontend) == XenbusStateUnknown) {
            return action;
        }
        break;
    case XEN_PV_CLOSED_OFFER:
        return now->online && now->taken ? action : XEN_PV_CLOSED;
    default:
        return action;
    }

    /* The bus would leave Closed by itself, and too early */
    return now->backend == XenbusStateConnected && now->tiresome ?
           XEN_PV_PAUSE : action;
}

const char *xen_pv_action_name(XenPvAction action)
{
    static const char *const names[] = {
        [XEN_PV_KEEP]           = "keep",
        [XEN_PV_TAKEN]          = "taken",
        [XEN_PV_RELEASE]        = "release",
        [XEN_PV_CONNECT]        = "connect",
        [XEN_PV_PAUSE]          = "pause",
        [XEN_PV_CLOSING]        = "closing",
        [XEN_PV_CLOSED]         = "closed",
        [XEN_PV_OFFER]          = "offer",
        [XEN_PV_CLOSED_OFFER]   = "closed, offer",
        [XEN_PV_REMOVE]         = "remove",
        [XEN_PV_RENEW]          = "renew",
    };

    return names[action];
}
