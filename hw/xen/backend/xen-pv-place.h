/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The place of a PV device on the bus and in xenstore.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_PLACE_H
#define HW_XEN_XEN_PV_PLACE_H

#include "hw/xen/xen-pv-backend.h"

/* Node of a backend: the id of the device that serves it, or "-" */
#define XEN_PV_MARK "qemu-id"

static inline XenBus *xen_pv_bus(XenPvBackend *backend)
{
    return XEN_BUS(qdev_get_parent_bus(DEVICE(backend)));
}

/**
 * xen_pv_idx_owner: find another device of a number
 * @bus: the bus
 * @backend: the device that wants it
 * @idx: the number
 *
 * Returns: it, with which @backend would fight over the same nodes, or NULL.
 */
XenPvBackend *xen_pv_idx_owner(XenBus *bus, XenPvBackend *backend, int idx);

/** xen_pv_get_name: the bus wants a device's name: its number */
char *xen_pv_get_name(XenDevice *xendev, Error **errp);

/**
 * xen_pv_get_frontend_path: the bus wants the path of a device's frontend
 *
 * It asks before it publishes any state.  This is the one moment when the
 * device's nodes can be written without a running guest finding the device half
 * made.
 */
char *xen_pv_get_frontend_path(XenDevice *xendev, Error **errp);

/**
 * xen_pv_prune: remove what the bus leaves of a device's nodes
 * @backend: the device
 *
 * The bus removes a device's own node only.  Remove the folder of the guest's
 * devices with the last of them, and that of all guests' with the last guest's,
 * as the toolstack does with those it made.
 */
void xen_pv_prune(XenPvBackend *backend);

/**
 * xen_pv_toolstack_destroys: does the toolstack destroy the guest?
 * @backend: a device that goes while QEMU goes on
 *
 * Then it has removed the frontend's nodes first.  It runs in domain 0; where
 * QEMU runs in another one, the backend's nodes are for QEMU to remove.
 */
bool xen_pv_toolstack_destroys(XenPvBackend *backend);

/**
 * xen_pv_leave_nodes: keep the bus from removing a device's nodes
 * @xendev: the device
 *
 * The toolstack destroys the guest, or QEMU ends, most often because of that.
 * It waits for each of the guest's devices to be Closed, and then removes the
 * nodes itself.  If the bus did so first, it would say that the device cannot
 * be removed.
 *
 * Nodes that the toolstack has removed already stay with the bus: each write
 * of ours since then made them again, and nobody else would remove them.
 */
void xen_pv_leave_nodes(XenDevice *xendev);

#endif /* HW_XEN_XEN_PV_PLACE_H */
