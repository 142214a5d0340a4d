/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake guest of a fake Xen.
 *
 * The other side is QEMU's "-device xen-testbed"; what the two agree on is in
 * hw/xen/xen-testbed.h.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_GUEST_TESTBED_H
#define TESTS_FRONTEND_XEN_GUEST_TESTBED_H

#include "hw/xen/xen-testbed.h"
#include "xen-guest.h"

#include <xen/grant_table.h>

/**
 * struct XenGuestStats - the testbed's counters: XEN_TESTBED_STATS
 */
typedef struct XenGuestStats {
#define XEN_GUEST_STATS_FIELD(field, name) uint64_t field;
    XEN_TESTBED_STATS(XEN_GUEST_STATS_FIELD)
#undef XEN_GUEST_STATS_FIELD
} XenGuestStats;

/**
 * xen_guest_testbed_options: what tests tell each testbed besides their own
 *
 * Returns: the environment's XEN_PV_TESTBED, options of the device, each after
 * a comma; or an empty string.
 */
const char *xen_guest_testbed_options(void);

/* Whether some options, or the environment's, have pages mapped one by one */
bool xen_guest_testbed_is_single(const char *options);

/**
 * xen_guest_new: become the guest
 * @memory: file of the memory backend
 * @socket: socket of the character device
 * @errp: where to say why not
 *
 * Waits for both files until the deadline.  The grant table starts empty.
 *
 * Returns: the guest, or NULL.
 */
XenGuest *xen_guest_new(const char *memory, const char *socket,
                        GError **errp);

/**
 * xen_guest_reconnect: the same guest, and a QEMU that has come in the place
 *     of one that is gone
 * @guest: the guest
 * @socket: socket of its character device
 *
 * Memory, grants and ports are what they were; nothing is watched.
 *
 * Returns: whether it is connected.
 */
bool xen_guest_reconnect(XenGuest *guest, const char *socket);

/* The entry itself, for those who want to lie */
grant_entry_v1_t *xen_guest_entry(XenGuest *guest, uint32_t ref);

uint32_t xen_guest_count_in_use(XenGuest *guest);
uint32_t xen_guest_count_granted(XenGuest *guest);

/**
 * xen_guest_call: a request, and its answer
 * @guest: the guest
 * @answer: where to store the answer's words, to be freed; may be NULL
 * @fmt: the request without its number
 */
int xen_guest_call(XenGuest *guest, char **answer, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

/* Bytes as they are, to see what the testbed makes of them */
int xen_guest_send_raw(XenGuest *guest, const void *data, size_t len);

/* Xenstore as the toolstack */
char **xen_guest_list(XenGuest *guest, const char *path);
char *xen_guest_dom0_read(XenGuest *guest, const char *path);
int xen_guest_dom0_write(XenGuest *guest, const char *path, const char *fmt,
                         ...) G_GNUC_PRINTF(3, 4);
bool xen_guest_exists(XenGuest *guest, const char *path);

int xen_guest_stats(XenGuest *guest, XenGuestStats *stats);

#endif /* TESTS_FRONTEND_XEN_GUEST_TESTBED_H */
