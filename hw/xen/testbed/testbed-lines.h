/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines between -device xen-testbed and its guest: hw/xen/xen-testbed.h
 * says what they are.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_LINES_H
#define HW_XEN_TESTBED_TESTBED_LINES_H

#include "chardev/char-fe.h"

#include "hw/xen/xen-pv-compat.h"
#include "testbed-grants.h"

/**
 * testbed_lines_init: prepare to talk to the guest
 * @chr: the character device that it is behind
 * @domain: what it has
 * @written: called after each request, as it may have changed something
 */
void testbed_lines_init(XenPvCharFrontend *chr,
                        const TestbedGrantsConfig *domain,
                        void (*written)(void));

/* Begin to read requests */
void testbed_lines_start(void);

/* Send what there is to tell the guest: answers, events, changes */
void testbed_lines_flush(void);

/* The counters, as "stats" answers them; for the caller to free */
char *testbed_lines_stats(void);

#endif /* HW_XEN_TESTBED_TESTBED_LINES_H */
