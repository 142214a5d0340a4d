/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharing pages of the host's with a guest: where pages cannot be shared.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-share.h"

const XenPvShareOps *xen_pv_share_ops;
