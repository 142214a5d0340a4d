/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of the lower layer that fail when a test says so, one by one
 *
 * Operations on grants fail by way of the fake domain.  Allocations fail as
 * the test programs are linked with wrappers of g_try_new() and its like,
 * mmap() and mremap(); what else may allocate aborts by contract, and only
 * with sizes that no guest chose.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_FAULTS_H
#define TESTS_UNIT_FAULTS_H

#include "fake-grants.h"

/**
 * enum Fault - a kind of call
 * @FAULT_MAP: map, with an error that is the guest's fault
 * @FAULT_MAP_FULL: map, with one that giving up other mappings may help
 * @FAULT_SHARE: share
 * @FAULT_REPLACE: replace
 * @FAULT_HEAP: g_try_new() and its like
 * @FAULT_PAGES: mmap() of private anonymous memory
 * @FAULT_MOVE: mremap()
 */
typedef enum Fault {
    FAULT_MAP,
    FAULT_MAP_FULL,
    FAULT_SHARE,
    FAULT_REPLACE,
    FAULT_HEAP,
    FAULT_PAGES,
    FAULT_MOVE,
    FAULT_MAX,
} Fault;

/** fault_arm: let the @nth call from now fail (1: the next), and no other */
void fault_arm(FakeGrants *f, Fault fault, uint64_t nth);

/** fault_disarm: let no call fail; returns whether one did */
bool fault_disarm(FakeGrants *f, Fault fault);

/**
 * fault_no_noreplace: be a kernel that does not know MAP_FIXED_NOREPLACE, and
 * takes the address for a hint
 */
void fault_no_noreplace(bool old_kernel);

/**
 * typedef FaultCycle - connect, use and disconnect
 * @opaque: the test's
 * @faulty: whether a call may fail on the way; if not all has to succeed
 *
 * Asserts that nothing is left of it, whatever failed.
 */
typedef void (*FaultCycle)(void *opaque, bool faulty);

/**
 * faults_in_turn: for each kind of call, let the first one of a cycle fail,
 *     the second, and so on until none is left
 * @f: whose grants are used
 * @title: what the table of results is about
 * @cycle: is called once for each, and each time once more, without a fault
 * @opaque: handed to it
 *
 * Returns: calls that failed.
 */
uint64_t faults_in_turn(FakeGrants *f, const char *title, FaultCycle cycle,
                        void *opaque);

#endif /* TESTS_UNIT_FAULTS_H */
