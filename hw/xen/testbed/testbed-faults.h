/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of -device xen-testbed: calls of the backend that are made to fail.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_FAULTS_H
#define HW_XEN_TESTBED_TESTBED_FAULTS_H

/* Kinds of calls, as "fail" has them */
typedef enum TestbedCall {
    TESTBED_OPEN,
    TESTBED_MAP,
    TESTBED_UNMAP,
    TESTBED_COPY,
    TESTBED_SHARE,
    TESTBED_REPLACE,
    TESTBED_BIND,
    TESTBED_UNBIND,
    TESTBED_NOTIFY,
    TESTBED_PENDING,
    TESTBED_STORE,
    TESTBED_NR_CALLS
} TestbedCall;

/**
 * testbed_fault: let a call fail if it is its turn
 * @call: its kind
 *
 * Returns: 0, or the negative errno value to fail with.
 */
int testbed_fault(TestbedCall call);

/**
 * testbed_fault_errno: the same for calls that return a number, or -1 and errno
 * @call: its kind
 *
 * Returns: 0 or -1.
 */
int testbed_fault_errno(TestbedCall call);

/**
 * testbed_fault_set: let the n-th next call of a kind fail
 * @name: the kind
 * @n: 1 is the next, 0 is none
 * @error: as what: an errno value
 *
 * Returns: what was left of the last @n, or -EINVAL if there is no such kind.
 */
int64_t testbed_fault_set(const char *name, uint32_t n, int error);

#endif /* HW_XEN_TESTBED_TESTBED_FAULTS_H */
