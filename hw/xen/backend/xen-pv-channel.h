/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels of PV devices, and the time that they may take: what the state
 * machine calls.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_CHANNEL_H
#define HW_XEN_XEN_PV_CHANNEL_H

#include "hw/xen/xen-pv-backend.h"

/* Before the first channel is opened, and after the last one was closed */
void xen_pv_channels_start(XenPvBackend *backend);
void xen_pv_channels_stop(XenPvBackend *backend);

/* Serve all that are open, whether or not there was an event */
void xen_pv_channels_serve(XenPvBackend *backend);

#endif /* HW_XEN_XEN_PV_CHANNEL_H */
