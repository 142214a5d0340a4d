/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest of some Xen has to be able to do: for those who are one
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_GUEST_OPS_H
#define TESTS_FRONTEND_XEN_GUEST_OPS_H

#include "xen-guest.h"

/**
 * struct XenGuestOps - one kind of guest
 *
 * Most are functions of xen-guest.h, and described there.
 *
 * @glance: wait until something arrives, but no longer than shared memory may
 *     change unnoticed
 * @map_page: map a page at this very address
 * @unmapped: a page will not be found there any more; may be NULL
 * @store_watch: begin or end to watch a node; when it changes its path goes
 *     into "changed"
 */
typedef struct XenGuestOps {
    void (*free)(XenGuest *guest);

    void (*glance)(XenGuest *guest);
    void (*receive)(XenGuest *guest);

    void *(*page)(XenGuest *guest, uint32_t page);
    uint32_t (*alloc_page)(XenGuest *guest);
    void (*free_page)(XenGuest *guest, uint32_t page);
    bool (*map_page)(XenGuest *guest, uint32_t page, void *addr);
    void (*unmapped)(XenGuest *guest, uint32_t page);

    uint32_t (*grant)(XenGuest *guest, uint32_t page, bool readonly);
    int (*end_access)(XenGuest *guest, uint32_t ref);
    bool (*in_use)(XenGuest *guest, uint32_t ref);
    int (*map_grants)(XenGuest *guest, const uint32_t *refs, uint32_t count,
                      uint32_t *handles, void **addr);
    int (*unmap_grants)(XenGuest *guest, void *addr, uint32_t count,
                        const uint32_t *handles);

    int (*store_write)(XenGuest *guest, const char *path, const void *data,
                       size_t len);
    char *(*store_read)(XenGuest *guest, const char *path);
    int (*store_rm)(XenGuest *guest, const char *path);
    int (*store_watch)(XenGuest *guest, const char *path, bool on);

    uint32_t (*alloc_port)(XenGuest *guest);
    void (*close_port)(XenGuest *guest, uint32_t port);
    void (*kick)(XenGuest *guest, uint32_t port);
} XenGuestOps;

/**
 * struct XenGuest - what all kinds have
 *
 * @nr_pages: how many pages it has
 * @patience: how many times slower it may be than who waits thinks
 * @stretch: how many times longer to wait for what will come, as the machine
 *           is busy
 * @longest_ms: no wait takes longer, 0 for no such limit
 * @gone: the other side is gone
 * @events: ports that were notified, a set
 * @changed: watched paths that changed, a set
 */
struct XenGuest {
    const XenGuestOps *ops;
    uint32_t domid;
    uint32_t nr_pages;
    uint32_t patience;
    uint32_t stretch;
    uint32_t longest_ms;
    bool gone;
    GHashTable *events;
    GHashTable *changed;
};

/* To be called before anything that could fail */
void xen_guest_init(XenGuest *guest, const XenGuestOps *ops);

#endif /* TESTS_FRONTEND_XEN_GUEST_OPS_H */
