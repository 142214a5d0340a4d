/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grant operations of a mapper over a map of the guest's RAM
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_RAM_OPS_H
#define TESTS_UNIT_RAM_OPS_H

#include "../../hw/xen/pgdir/ram-map.h"

/* Their opaque pointer is the XenRamMap */
extern const XenPgdirGrantOps ram_ops;

#endif /* TESTS_UNIT_RAM_OPS_H */
