/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grants of -device xen-testbed: two domains on a machine, and QEMU's
 * operations as those of the backend's domain, by models of the devices that
 * Linux has for them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_GRANTS_H
#define HW_XEN_TESTBED_TESTBED_GRANTS_H

#include "testbed-stats.h"

/**
 * struct TestbedGrantsConfig - what there is
 *
 * @fd: the file that is the memory
 * @memory: the same, mapped
 * @nr_pages: its pages: one of Xen's, the guest's grant table, the guest's
 *     pages, the backend's
 * @domid: the guest
 * @grant_frames: pages of its grant table
 * @dom0_pages: pages of the backend's domain
 * @single_map: only one grant can be mapped at a time, as under KVM
 * @limit: grants that one call can map: gntdev's module parameter
 * @maptrack: mappings that a domain can have
 */
typedef struct TestbedGrantsConfig {
    int fd;
    uint8_t *memory;
    uint32_t nr_pages;
    uint16_t domid;
    uint32_t grant_frames;
    uint32_t dom0_pages;
    bool single_map;
    uint32_t limit;
    uint32_t maptrack;
} TestbedGrantsConfig;

/**
 * testbed_grants_init: make the machine, and QEMU's operations those on it
 * @config: what there is
 * @errp: why it cannot be made
 *
 * There can be one.
 *
 * Returns: whether it was made.
 */
bool testbed_grants_init(const TestbedGrantsConfig *config, Error **errp);

/**
 * testbed_grants_kill: the guest dies
 *
 * No more of its grants can be mapped; mappings stay, but for its own.
 */
void testbed_grants_kill(void);

/**
 * testbed_grants_guest_map: the guest maps a page that the backend shares
 * @ref: its reference
 * @frame: where to store its number
 * @handle: where to store what testbed_grants_guest_unmap() wants
 *
 * Returns: 0 or a negative errno value.
 */
int testbed_grants_guest_map(uint32_t ref, uint32_t *frame, uint32_t *handle);
int testbed_grants_guest_unmap(uint32_t handle);

/**
 * testbed_grants_stats: read the counters
 * @stats: where to store them; all others are 0, and all if there is no
 *     machine yet
 */
void testbed_grants_stats(TestbedStats *stats);

/* The peak becomes what is mapped now */
void testbed_grants_reset_peak(void);

#endif /* HW_XEN_TESTBED_TESTBED_GRANTS_H */
