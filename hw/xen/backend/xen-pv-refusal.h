/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of the toolstack that cannot be made.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_REFUSAL_H
#define HW_XEN_XEN_PV_REFUSAL_H

#include "hw/xen/xen-pv-backend.h"

/**
 * xen_pv_refuse: tell toolstack and guest that a device cannot be made
 * @instance: what the bus found; not served any more, nor looked at again
 *     until the toolstack makes it anew
 * @backend: the device that could not be realized; kept until the bus has
 *     forgotten it
 * @why: the reason; borrowed
 */
void xen_pv_refuse(XenBackendInstance *instance, XenPvBackend *backend,
                   Error *why);

/**
 * xen_pv_refuse_no_longer: a number is free again
 * @owner: the device that had it; if it kept one of the toolstack's from being
 *     made, the bus forgets that, and makes it when it is written anew
 */
void xen_pv_refuse_no_longer(XenPvBackend *owner);

/**
 * xen_pv_refuse_no_more: a device could be made; forget what was wrong before
 * @instance: what the bus found
 * @backend: its device
 */
void xen_pv_refuse_no_more(XenBackendInstance *instance,
                           XenPvBackend *backend);

#endif /* HW_XEN_XEN_PV_REFUSAL_H */
