/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor's status says of a PV display.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_STATUS_H
#define HW_XEN_XEN_PVDISPLAY_STATUS_H

#include "hw/xen/xen-displif.h"
#include "qobject/qdict.h"
#include "xen-pvdisplay-config.h"
#include "xen-pvdisplay-surface.h"

/**
 * xen_pvdisplay_connector_status: describe a connector
 * @disp: the display
 * @index: number of the connector
 * @mode: how large its screen is
 * @refresh_rate: of the screen, in mHz
 * @surface: what its console shows
 *
 * Returns: a new dictionary.
 */
QDict *xen_pvdisplay_connector_status(const XenDisplif *disp, uint32_t index,
                                      const XenPvMode *mode,
                                      uint32_t refresh_rate,
                                      const XenPvSurface *surface);

/**
 * xen_pvdisplay_add_status: add buffers, framebuffers and counters
 * @status: where to
 * @disp: the display
 */
void xen_pvdisplay_add_status(QDict *status, const XenDisplif *disp);

#endif /* HW_XEN_XEN_PVDISPLAY_STATUS_H */
