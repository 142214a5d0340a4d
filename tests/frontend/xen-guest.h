/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest: its memory, grants, event channels and xenstore.
 *
 * Who uses it need not know what it is a guest of: of a fake Xen
 * (xen-guest-testbed.h), or of another (xen-guest-ops.h).  Nothing here
 * sleeps: whoever waits names a condition and a deadline.  Functions that
 * return int return 0 or a negative errno value, unless they say otherwise.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_GUEST_H
#define TESTS_FRONTEND_XEN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* What all of Xen's headers are to look like */
#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif

#define XEN_GUEST_PAGE      4096u

/* The backend's domain */
#define XEN_GUEST_BACKEND   0u

/* Nothing that works takes as long as this, even under a sanitizer */
#define XEN_GUEST_DEADLINE  20000

typedef struct XenGuest XenGuest;

typedef bool (*XenGuestCondition)(void *opaque);

/* The guest, or NULL */
void xen_guest_free(XenGuest *guest);

/*
 * No wait takes longer than this, where much of what is waited for never comes;
 * 0: each as long as it wants, and long ones longer on a busy machine.
 */
void xen_guest_limit_waits(XenGuest *guest, int most_ms);

/* The other side is gone: QEMU has exited or dropped the connection */
bool xen_guest_is_gone(XenGuest *guest);

/* Its own number */
uint32_t xen_guest_domid(XenGuest *guest);

/* Memory: pages are named by their number; 0 is no page */
uint32_t xen_guest_alloc_page(XenGuest *guest);
void xen_guest_free_page(XenGuest *guest, uint32_t page);
void *xen_guest_page(XenGuest *guest, uint32_t page);
uint32_t xen_guest_nr_pages(XenGuest *guest);

/* Pages side by side in our own address space */
void *xen_guest_map_pages(XenGuest *guest, const uint32_t *pages,
                          uint32_t count);
void xen_guest_unmap_pages(XenGuest *guest, void *addr, const uint32_t *pages,
                           uint32_t count);

/* Grants: to the backend's domain; 0 is no reference */
uint32_t xen_guest_grant(XenGuest *guest, uint32_t page, bool readonly);

/* -EBUSY while the page is in use: then nothing changes */
int xen_guest_end_access(XenGuest *guest, uint32_t ref);
bool xen_guest_in_use(XenGuest *guest, uint32_t ref);

/* Of a page that could not be mapped */
#define XEN_GUEST_NO_HANDLE UINT32_MAX

/**
 * xen_guest_map_grants: map pages that the backend shares, in one batch
 * @guest: the guest
 * @refs: references of the backend's domain
 * @count: how many
 * @handles: where to store what xen_guest_unmap_grants() takes: for each page
 *     that could not be mapped XEN_GUEST_NO_HANDLE
 * @addr: where to store their address, side by side
 *
 * Returns: 0 if the batch was done, which must be undone even if pages are
 * missing, or a negative errno value if it was not, and nothing is mapped.
 */
int xen_guest_map_grants(XenGuest *guest, const uint32_t *refs,
                         uint32_t count, uint32_t *handles, void **addr);

/**
 * xen_guest_unmap_grants: undo that
 * @guest: the guest
 * @addr: the address
 * @count: how many
 * @handles: the handles; those that are XEN_GUEST_NO_HANDLE are skipped
 *
 * Returns: 0, or a negative errno value of one page that could not be
 * unmapped; all others are, and nothing is left at the address.
 */
int xen_guest_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                           const uint32_t *handles);

/* Xenstore */
int xen_guest_write(XenGuest *guest, const char *path, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
int xen_guest_write_bytes(XenGuest *guest, const char *path, const void *data,
                          size_t len);
char *xen_guest_read(XenGuest *guest, const char *path);
int xen_guest_read_int(XenGuest *guest, const char *path, int absent);
int xen_guest_rm(XenGuest *guest, const char *path);

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

#endif /* TESTS_FRONTEND_XEN_GUEST_H */
