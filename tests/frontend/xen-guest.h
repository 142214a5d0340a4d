/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake guest of a fake Xen: its memory, grants, event channels and
 * xenstore.
 *
 * The other side is QEMU's "-device xen-testbed"; what the two agree on is in
 * hw/xen/xen-testbed.h.  Nothing here sleeps: whoever waits names a condition
 * and a deadline.  Functions that return int return 0 or a negative errno
 * value, unless they say otherwise.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_GUEST_H
#define TESTS_FRONTEND_XEN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "hw/xen/xen-testbed.h"

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif
#include <xen/grant_table.h>

#define XEN_GUEST_PAGE      XEN_TESTBED_PAGE_SIZE

/* Nothing that works takes as long as this, even under a sanitizer */
#define XEN_GUEST_DEADLINE  20000

typedef struct XenGuest XenGuest;

typedef bool (*XenGuestCondition)(void *opaque);

/**
 * struct XenGuestStats - the testbed's counters: XEN_TESTBED_STATS
 */
typedef struct XenGuestStats {
#define XEN_GUEST_STATS_FIELD(field, name) uint64_t field;
    XEN_TESTBED_STATS(XEN_GUEST_STATS_FIELD)
#undef XEN_GUEST_STATS_FIELD
} XenGuestStats;

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

void xen_guest_free(XenGuest *guest);

/* The other side is gone: QEMU has exited or dropped the connection */
bool xen_guest_is_gone(XenGuest *guest);

/* Memory: pages are named by their number; 0 is no page */
uint32_t xen_guest_alloc_page(XenGuest *guest);
void xen_guest_free_page(XenGuest *guest, uint32_t page);
void *xen_guest_page(XenGuest *guest, uint32_t page);
uint32_t xen_guest_nr_pages(XenGuest *guest);

/* Pages side by side in our own address space; to be unmapped with munmap() */
void *xen_guest_map_pages(XenGuest *guest, const uint32_t *pages,
                          uint32_t count);

/* Grants: to the backend's domain; 0 is no reference */
uint32_t xen_guest_grant(XenGuest *guest, uint32_t page, bool readonly);

/* -EBUSY while the page is in use: then nothing changes */
int xen_guest_end_access(XenGuest *guest, uint32_t ref);

/* The entry itself, for those who want to lie */
grant_entry_v1_t *xen_guest_entry(XenGuest *guest, uint32_t ref);

/**
 * xen_guest_map_grants: map pages that the backend shares
 * @guest: the guest
 * @refs: references of the backend's domain
 * @count: how many
 * @handles: where to store what xen_guest_unmap_grants() takes
 * @addr: where to store their address, side by side
 *
 * All or nothing.
 */
int xen_guest_map_grants(XenGuest *guest, const uint32_t *refs,
                         uint32_t count, uint32_t *handles, void **addr);
int xen_guest_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                           const uint32_t *handles);

bool xen_guest_in_use(XenGuest *guest, uint32_t ref);
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

/* Xenstore, as the guest or (dom0) as the toolstack */
int xen_guest_write(XenGuest *guest, const char *path, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
int xen_guest_write_bytes(XenGuest *guest, const char *path, const void *data,
                          size_t len);
char *xen_guest_read(XenGuest *guest, const char *path);
int xen_guest_read_int(XenGuest *guest, const char *path, int absent);
int xen_guest_rm(XenGuest *guest, const char *path);
char **xen_guest_list(XenGuest *guest, const char *path);
int xen_guest_dom0_write(XenGuest *guest, const char *path, const char *fmt,
                         ...) G_GNUC_PRINTF(3, 4);
bool xen_guest_exists(XenGuest *guest, const char *path);

/* Wait until a node is a number; @absent is what no node counts as */
bool xen_guest_wait_int(XenGuest *guest, const char *path, int value,
                        int absent, int timeout_ms);

/* Event channels */
uint32_t xen_guest_alloc_port(XenGuest *guest);
void xen_guest_close_port(XenGuest *guest, uint32_t port);
void xen_guest_kick(XenGuest *guest, uint32_t port);

/* Whether the port was notified since this was asked last */
bool xen_guest_event(XenGuest *guest, uint32_t port);

/* Take what has arrived; never waits */
void xen_guest_receive(XenGuest *guest);

/* Wait for a condition: looked at whenever something arrives, and often */
bool xen_guest_wait(XenGuest *guest, XenGuestCondition condition,
                    void *opaque, int timeout_ms);

int xen_guest_stats(XenGuest *guest, XenGuestStats *stats);

#endif /* TESTS_FRONTEND_XEN_GUEST_H */
