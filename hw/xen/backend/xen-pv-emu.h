/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants of a guest of KVM's emulated Xen, whose memory is QEMU's own.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_EMU_H
#define HW_XEN_XEN_PV_EMU_H

#include "../pgdir/ram-map.h"

/**
 * xen_pv_emu_ops: how to find the page of a grant
 *
 * Their opaque is the XenPvBackend that asks.
 */
extern const XenRamOps xen_pv_emu_ops;

/**
 * xen_pv_emu_is_used: whether QEMU is Xen itself
 */
bool xen_pv_emu_is_used(void);

/**
 * xen_pv_emu_has_file: whether windows can be made of the guest's memory
 *
 * They can if it is a shared mapping of a file.
 */
bool xen_pv_emu_has_file(void);

/**
 * xen_pv_emu_areas: what windows take of the process's areas of memory
 */
XenRamAreas *xen_pv_emu_areas(void);

#endif /* HW_XEN_XEN_PV_EMU_H */
