/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The xenstore of -device xen-testbed: QEMU's operations, as those of the
 * backend's domain, and what the guest sees of it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_STORE_H
#define HW_XEN_TESTBED_TESTBED_STORE_H

#include "hw/i386/kvm/xenstore_impl.h"
#include "hw/xen/xen-testbed.h"

/* Called with a path that the guest watches */
typedef void TestbedChanged(void *opaque, const char *path);

/**
 * testbed_store_init: make an empty xenstore, and QEMU's operations those on it
 * @domid: the guest
 * @wake: called when something changed that the guest watches
 * @written: called when QEMU has changed something
 */
void testbed_store_init(uint16_t domid, void (*wake)(void),
                        void (*written)(void));

/* What the toolstack makes for a new domain */
void testbed_store_populate(void);

/* The xenstore itself, to do in it what a domain may */
XenstoreImplState *testbed_store_impl(void);

/**
 * testbed_store_create: make a directory, as the toolstack
 * @owner: the domain that may write it and all below it
 * @reader: the domain that may read them
 * @path: its path
 *
 * Returns: 0 or a negative errno value.
 */
int testbed_store_create(unsigned int owner, unsigned int reader,
                         const char *path);

/**
 * testbed_store_remove_guest: the guest dies: its directory goes
 *
 * Returns: 0 or a negative errno value.
 */
int testbed_store_remove_guest(void);

/**
 * testbed_store_watch: the guest watches a path
 * @path: if it is relative, from the guest's directory on
 *
 * Returns: 0 or a negative errno value.
 */
int testbed_store_watch(const char *path);
int testbed_store_unwatch(const char *path);

/* The guest watches nothing any more */
void testbed_store_unwatch_all(void);

/**
 * testbed_store_take_changes: what changed of what the guest watches
 * @changed: called for each path where something changed since the last call
 * @opaque: handed to it
 */
void testbed_store_take_changes(TestbedChanged *changed, void *opaque);

#endif /* HW_XEN_TESTBED_TESTBED_STORE_H */
