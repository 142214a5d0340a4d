/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event channels of -device xen-testbed: the guest's ports, and QEMU's
 * operations on the other ends.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_EVTCHN_H
#define HW_XEN_TESTBED_TESTBED_EVTCHN_H

#include "testbed-stats.h"

/**
 * testbed_evtchn_init: make QEMU's operations those on the guest's ports
 * @domid: the guest
 * @wake: called when QEMU notified a port
 */
void testbed_evtchn_init(uint16_t domid, void (*wake)(void));

/**
 * testbed_evtchn_alloc_port: the guest allocates a port that QEMU may bind
 *
 * Returns: the port, or a negative errno value.
 */
int testbed_evtchn_alloc_port(void);

/**
 * testbed_evtchn_close_port: the guest closes a port
 * @port: its number; any will do
 *
 * Returns: 0 or -EINVAL.
 */
int testbed_evtchn_close_port(uint32_t port);

/**
 * testbed_evtchn_kick: the guest notifies QEMU
 * @port: number of the guest's port; any will do
 *
 * Returns: 0 or -EINVAL.
 */
int testbed_evtchn_kick(uint32_t port);

/**
 * testbed_evtchn_take_event: whether QEMU notified a port since the last call
 * @port: its number
 */
bool testbed_evtchn_take_event(uint32_t port);

/* The guest dies: its ports are closed, and there will be no others */
void testbed_evtchn_kill(void);

/**
 * testbed_evtchn_save: what of the ports outlives QEMU
 * @ports: set for each port to whether the guest has allocated it, 0 or 1
 */
void testbed_evtchn_save(uint8_t ports[XEN_TESTBED_PORTS]);

/**
 * testbed_evtchn_load: go on with the ports of a QEMU that was killed
 * @ports: as testbed_evtchn_save() had them
 */
void testbed_evtchn_load(const uint8_t ports[XEN_TESTBED_PORTS]);

/* Fill in the counters of event channels */
void testbed_evtchn_stats(TestbedStats *stats);

#endif /* HW_XEN_TESTBED_TESTBED_EVTCHN_H */
