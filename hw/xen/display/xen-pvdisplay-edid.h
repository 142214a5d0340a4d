/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EDID of a PV display's connector.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_EDID_H
#define HW_XEN_XEN_PVDISPLAY_EDID_H

#include "xen-pvdisplay-config.h"

/**
 * xen_pvdisplay_edid: describe a connector as a monitor
 * @buf: where to write; zeroed
 * @size: bytes of @buf
 * @mode: the connector: its preferred, and largest, mode and its name
 * @refresh_rate: its refresh rate in mHz
 * @serial: its number, other than that of the guest's other connectors
 *
 * Modes of 4K and above take a third block, as the fields of a detailed
 * timing are too narrow for them.
 *
 * Returns: the length, a multiple of 128, or -ENOSPC.
 */
int xen_pvdisplay_edid(uint8_t *buf, size_t size, const XenPvMode *mode,
                       uint32_t refresh_rate, uint32_t serial);

#endif /* HW_XEN_XEN_PVDISPLAY_EDID_H */
