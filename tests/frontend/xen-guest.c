/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest, whatever it is a guest of: what the transports have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xen-guest-ops.h"

/*
 * Waits of this length and more are for what will come: a busy machine may
 * take longer.  Shorter ones are for what should not come.
 */
#define STRETCHED_MS    1000

#define MAX_STRETCH     20

/* How many programs there are for each processor, and two more may come */
static uint32_t guest_stretch(void)
{
    double load;

    if (getloadavg(&load, 1) != 1) {
        load = 0;
    }
    return MIN(2 + load / g_get_num_processors(), MAX_STRETCH);
}

void xen_guest_init(XenGuest *guest, const XenGuestOps *ops)
{
    guest->ops = ops;
    guest->patience = 1;
    guest->stretch = guest_stretch();
    guest->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                           NULL);
    guest->events = g_hash_table_new(NULL, NULL);
}

void xen_guest_limit_waits(XenGuest *guest, int most_ms)
{
    guest->longest_ms = most_ms;
}

void xen_guest_free(XenGuest *guest)
{
    if (guest) {
        g_hash_table_destroy(guest->changed);
        g_hash_table_destroy(guest->events);
        guest->ops->free(guest);
    }
}

bool xen_guest_is_gone(XenGuest *guest)
{
    return guest->gone;
}

uint32_t xen_guest_domid(XenGuest *guest)
{
    return guest->domid;
}

/* Memory */

uint32_t xen_guest_nr_pages(XenGuest *guest)
{
    return guest->nr_pages;
}

void *xen_guest_page(XenGuest *guest, uint32_t page)
{
    return guest->ops->page(guest, page);
}

uint32_t xen_guest_alloc_page(XenGuest *guest)
{
    return guest->ops->alloc_page(guest);
}

void xen_guest_free_page(XenGuest *guest, uint32_t page)
{
    if (page) {
        guest->ops->free_page(guest, page);
    }
}

void *xen_guest_map_pages(XenGuest *guest, const uint32_t *pages,
                          uint32_t count)
{
    size_t size = (size_t)count * XEN_GUEST_PAGE;
    uint8_t *addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                         -1, 0);
    uint32_t i;

    if (addr == MAP_FAILED) {
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (!guest->ops->map_page(guest, pages[i],
                                  addr + (size_t)i * XEN_GUEST_PAGE)) {
            xen_guest_unmap_pages(guest, addr, pages, count);
            return NULL;
        }
    }
    return addr;
}

void xen_guest_unmap_pages(XenGuest *guest, void *addr, const uint32_t *pages,
                           uint32_t count)
{
    uint32_t i;

    for (i = 0; guest->ops->unmapped && i < count; i++) {
        guest->ops->unmapped(guest, pages[i]);
    }
    munmap(addr, (size_t)count * XEN_GUEST_PAGE);
}

/* Grants */

uint32_t xen_guest_grant(XenGuest *guest, uint32_t page, bool readonly)
{
    return guest->ops->grant(guest, page, readonly);
}

int xen_guest_end_access(XenGuest *guest, uint32_t ref)
{
    return ref ? guest->ops->end_access(guest, ref) : 0;
}

bool xen_guest_in_use(XenGuest *guest, uint32_t ref)
{
    return guest->ops->in_use(guest, ref);
}

int xen_guest_map_grants(XenGuest *guest, const uint32_t *refs,
                         uint32_t count, uint32_t *handles, void **addr)
{
    return guest->ops->map_grants(guest, refs, count, handles, addr);
}

int xen_guest_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                           const uint32_t *handles)
{
    return guest->ops->unmap_grants(guest, addr, count, handles);
}

/* What arrives */

void xen_guest_receive(XenGuest *guest)
{
    guest->ops->receive(guest);
}

static int64_t guest_deadline(XenGuest *guest, int timeout_ms)
{
    int64_t ms = (int64_t)timeout_ms * guest->patience *
                 (timeout_ms >= STRETCHED_MS ? guest->stretch : 1);

    if (guest->longest_ms) {
        ms = MIN(ms, guest->longest_ms);
    }
    return g_get_monotonic_time() + ms * 1000;
}

bool xen_guest_wait(XenGuest *guest, XenGuestCondition condition,
                    void *opaque, int timeout_ms)
{
    int64_t deadline = guest_deadline(guest, timeout_ms);

    do {
        xen_guest_receive(guest);
        if (condition(opaque)) {
            return true;
        }
        if (guest->gone) {
            return false;
        }
        guest->ops->glance(guest);
    } while (g_get_monotonic_time() < deadline);
    return condition(opaque);
}

/* Xenstore */

int xen_guest_write_bytes(XenGuest *guest, const char *path, const void *data,
                          size_t len)
{
    return guest->ops->store_write(guest, path, data, len);
}

int xen_guest_write(XenGuest *guest, const char *path, const char *fmt, ...)
{
    g_autofree char *value = NULL;
    va_list ap;

    va_start(ap, fmt);
    value = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return xen_guest_write_bytes(guest, path, value, strlen(value));
}

char *xen_guest_read(XenGuest *guest, const char *path)
{
    return guest->ops->store_read(guest, path);
}

int xen_guest_read_int(XenGuest *guest, const char *path, int absent)
{
    g_autofree char *value = xen_guest_read(guest, path);

    return value && g_ascii_isdigit(value[0]) ? atoi(value) : absent;
}

int xen_guest_rm(XenGuest *guest, const char *path)
{
    return guest->ops->store_rm(guest, path);
}

typedef struct GuestNode {
    XenGuest *guest;
    const char *path;
    int value;
    int absent;
} GuestNode;

static bool guest_has_changed(void *opaque)
{
    GuestNode *node = opaque;

    return g_hash_table_contains(node->guest->changed, node->path);
}

bool xen_guest_wait_int(XenGuest *guest, const char *path, int value,
                        int absent, int timeout_ms)
{
    GuestNode node = { guest, path, value, absent };
    int64_t deadline = guest_deadline(guest, timeout_ms);
    bool found = false;

    if (guest->ops->store_watch(guest, path, true) < 0) {
        return false;
    }
    while (!found && !guest->gone) {
        int64_t left = deadline - g_get_monotonic_time();

        g_hash_table_remove(guest->changed, path);
        found = xen_guest_read_int(guest, path, absent) == value;
        if (found || left <= 0) {
            break;
        }
        xen_guest_wait(guest, guest_has_changed, &node, left / 1000 + 1);
    }
    guest->ops->store_watch(guest, path, false);
    g_hash_table_remove(guest->changed, path);
    return found;
}

/* Event channels */

uint32_t xen_guest_alloc_port(XenGuest *guest)
{
    uint32_t port = guest->ops->alloc_port(guest);

    g_hash_table_remove(guest->events, GUINT_TO_POINTER(port));
    return port;
}

void xen_guest_close_port(XenGuest *guest, uint32_t port)
{
    if (port) {
        guest->ops->close_port(guest, port);
    }
}

void xen_guest_kick(XenGuest *guest, uint32_t port)
{
    guest->ops->kick(guest, port);
}

bool xen_guest_event(XenGuest *guest, uint32_t port)
{
    return g_hash_table_remove(guest->events, GUINT_TO_POINTER(port));
}
