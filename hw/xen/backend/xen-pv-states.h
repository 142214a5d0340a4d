/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PV device does when its frontend, the toolstack, or time moves on.
 * Pure functions: they know no xenstore and no device.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_STATES_H
#define HW_XEN_XEN_PV_STATES_H

#include <xen/io/xenbus.h>

/* States that a frontend can show: XenbusStateUnknown to Reconfigured */
#define XEN_PV_STATES (XenbusStateReconfigured + 1)

/**
 * enum XenPvCause - why a device looks at its state
 *
 * @XEN_PV_CAUSE_FRONTEND: the frontend wrote its state
 * @XEN_PV_CAUSE_TIME: the time is over that Closing or a pause was to last
 * @XEN_PV_CAUSE_REMOVAL: the toolstack or device_del takes the device away
 * @XEN_PV_CAUSE_RESET: the machine of the guest was reset
 */
typedef enum XenPvCause {
    XEN_PV_CAUSE_FRONTEND,
    XEN_PV_CAUSE_TIME,
    XEN_PV_CAUSE_REMOVAL,
    XEN_PV_CAUSE_RESET,
} XenPvCause;

/**
 * enum XenPvAction - what it does
 *
 * @XEN_PV_KEEP: nothing
 * @XEN_PV_TAKEN: note that the frontend uses the connection
 * @XEN_PV_RELEASE: give back what is the guest's; show the same state
 * @XEN_PV_CONNECT: release; open the channels and show Connected
 * @XEN_PV_PAUSE: release; show Reconfiguring, until it is time
 * @XEN_PV_CLOSING: release; show Closing, until it is time
 * @XEN_PV_CLOSED: release; show Closed
 * @XEN_PV_OFFER: release; show InitWait
 * @XEN_PV_CLOSED_OFFER: release; show Closed, then InitWait at once
 * @XEN_PV_REMOVE: release; show Closing, if it is not shown, then Closed
 * @XEN_PV_RENEW: release; show InitWait, and make the frontend's state
 *     Initialising, as nobody else does
 */
typedef enum XenPvAction {
    XEN_PV_KEEP,
    XEN_PV_TAKEN,
    XEN_PV_RELEASE,
    XEN_PV_CONNECT,
    XEN_PV_PAUSE,
    XEN_PV_CLOSING,
    XEN_PV_CLOSED,
    XEN_PV_OFFER,
    XEN_PV_CLOSED_OFFER,
    XEN_PV_REMOVE,
    XEN_PV_RENEW,
} XenPvAction;

/**
 * struct XenPvSituation - what the action depends on, besides the cause
 *
 * @backend: the state that the device shows
 * @frontend: the state that its frontend shows
 * @online: the device is to stay: the toolstack's node "online"
 * @connected: its channels are open
 * @taken: the frontend used the last connection, or there was none
 * @tiresome: it gave up so many connections that the next one has to wait
 */
typedef struct XenPvSituation {
    enum xenbus_state backend;
    enum xenbus_state frontend;
    bool online;
    bool connected;
    bool taken;
    bool tiresome;
} XenPvSituation;

/**
 * xen_pv_next_action: what to do
 * @now: the situation
 * @cause: why it is looked at
 *
 * States that are none count as XenbusStateUnknown.
 *
 * Returns: the action.
 */
XenPvAction xen_pv_next_action(const XenPvSituation *now, XenPvCause cause);

/**
 * xen_pv_action_name: an action in words, for a trace
 * @action: the action
 */
const char *xen_pv_action_name(XenPvAction action);

#endif /* HW_XEN_XEN_PV_STATES_H */
