/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor can see of a PV device.
 *
 * Every device has two read-only QOM properties.  "status" is a dictionary,
 * made for programs; "summary" is the same as a list of lines, made for
 * people, as HMP's qom-get prints it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_STATUS_H
#define HW_XEN_XEN_PV_STATUS_H

#include "hw/xen/xen-pv-backend.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

/**
 * xen_pv_status: describe a device, by its own words and its class's
 * @backend: the device; need not be realized
 *
 * Returns: a new dictionary:
 *   "path" (string): the backend's folder in xenstore, if it has one
 *   "connected" (bool): the guest is served
 *   "backend-state", "frontend-state" (int): XenbusState
 *   "load-waits" (int): how often the guest had to wait because of max-load
 *   "load-us" (int): time of the main loop's thread that its requests took
 *   "last-error" (string): what the guest did wrong last, if it did
 *   and what XenPvBackendClass.describe adds
 */
QDict *xen_pv_status(XenPvBackend *backend);

/**
 * xen_pv_status_add_cache: describe a map cache
 * @status: gets a dictionary "cache" of struct XenPgdirStats's counters
 * @mapper: the cache
 */
void xen_pv_status_add_cache(QDict *status, const XenPgdirMapper *mapper);

/**
 * xen_pv_status_add_properties: give a class of devices the two properties
 * @class: the class
 */
void xen_pv_status_add_properties(ObjectClass *class);

#endif /* HW_XEN_XEN_PV_STATUS_H */
