/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of -device xen-testbed
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "testbed-faults.h"

/*
 * @countdown: how many calls from now; 1 is the next, 0 is none
 * @error: as what it fails: an errno value
 */
static struct {
    const char *name;
    uint32_t countdown;
    int error;
} faults[] = {
    [TESTBED_OPEN] = { .name = "open" },
    [TESTBED_MAP] = { .name = "map" },
    [TESTBED_UNMAP] = { .name = "unmap" },
    [TESTBED_COPY] = { .name = "copy" },
    [TESTBED_SHARE] = { .name = "share" },
    [TESTBED_REPLACE] = { .name = "replace" },
    [TESTBED_BIND] = { .name = "bind" },
    [TESTBED_UNBIND] = { .name = "unbind" },
    [TESTBED_NOTIFY] = { .name = "notify" },
    [TESTBED_PENDING] = { .name = "pending" },
    [TESTBED_STORE] = { .name = "store" },
};

int testbed_fault(TestbedCall call)
{
    if (faults[call].countdown && --faults[call].countdown == 0) {
        return -faults[call].error;
    }
    return 0;
}

int testbed_fault_errno(TestbedCall call)
{
    int err = testbed_fault(call);

    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

int64_t testbed_fault_set(const char *name, uint32_t n, int error)
{
    uint32_t left;
    int i;

    for (i = 0; i < TESTBED_NR_CALLS; i++) {
        if (g_str_equal(faults[i].name, name)) {
            left = faults[i].countdown;
            faults[i].countdown = n;
            faults[i].error = error;
            return left;
        }
    }
    return -EINVAL;
}
