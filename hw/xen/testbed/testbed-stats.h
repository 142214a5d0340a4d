/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of -device xen-testbed; each part fills in its own.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_STATS_H
#define HW_XEN_TESTBED_TESTBED_STATS_H

#include "hw/xen/xen-testbed.h"

typedef struct TestbedStats {
#define TESTBED_STATS_FIELD(field, name) uint64_t field;
    XEN_TESTBED_STATS(TESTBED_STATS_FIELD)
#undef TESTBED_STATS_FIELD
} TestbedStats;

#endif /* HW_XEN_TESTBED_TESTBED_STATS_H */
