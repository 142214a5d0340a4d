/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How PV devices connect to their frontends, and leave them: see
 * xen-pv-states.h for what is done when.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_CONNECTION_H
#define HW_XEN_XEN_PV_CONNECTION_H

#include "hw/xen/xen-pv-backend.h"

/**
 * xen_pv_connection_start: look after the states of a device on the bus
 * @backend: the device; its class has started it
 * @errp: where to say why it failed
 *
 * Returns: whether the toolstack can take the device away by its state.
 */
bool xen_pv_connection_start(XenPvBackend *backend, Error **errp);

/**
 * xen_pv_connection_stop: disconnect, and look after it no more; idempotent
 * @backend: the device
 * @exiting: QEMU is on its way out
 */
void xen_pv_connection_stop(XenPvBackend *backend, bool exiting);

/**
 * xen_pv_connection_changed: the frontend wrote its state
 * @xendev: the device
 * @state: the state
 * @errp: not used
 */
void xen_pv_connection_changed(XenDevice *xendev, enum xenbus_state state,
                               Error **errp);

/**
 * xen_pv_connection_reset: the frontend is gone, and its memory with it
 * @backend: the device
 */
void xen_pv_connection_reset(XenPvBackend *backend);

#endif /* HW_XEN_XEN_PV_CONNECTION_H */
