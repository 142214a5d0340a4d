/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may take of its host: quotas of time, connections and log lines.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_LIMITS_H
#define HW_XEN_XEN_PV_LIMITS_H

#include "hw/xen/xen-pv-backend.h"

/* A line of log in the units of its quota, which are of a minute */
#define XEN_PV_LOG_LINE 60

/**
 * xen_pv_limits_check: are the user's options good?
 * @backend: the device
 * @errp: which is not
 */
bool xen_pv_limits_check(XenPvBackend *backend, Error **errp);

/**
 * xen_pv_limits_start: from now on they count
 * @backend: the device
 */
void xen_pv_limits_start(XenPvBackend *backend);

#endif /* HW_XEN_XEN_PV_LIMITS_H */
