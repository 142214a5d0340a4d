/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-table.h"

/* How often a domain may change an entry while it is being pinned */
#define PIN_RETRIES     5

#define TRACK_END       UINT32_MAX

typedef struct ActiveEntry {
    uint32_t frame;
    uint16_t domid;
    uint16_t readers;
    uint16_t writers;
} ActiveEntry;

typedef struct TrackEntry {
    uint32_t ref;           /* or the next free entry */
    bool used;
    bool write;
} TrackEntry;

struct XenGrantTable {
    XenGrantEntry *shared;
    uint32_t nr_entries;
    uint32_t nr_pages;

    ActiveEntry *active;

    TrackEntry *track;
    uint32_t nr_track;
    uint32_t free_track;

    XenGrantTableStats stats;
};

XenGrantTable *xen_grant_table_new(XenGrantEntry *shared, uint32_t nr_entries,
                                   uint32_t nr_pages, uint32_t max_mappings)
{
    XenGrantTable *table = g_new0(XenGrantTable, 1);
    uint32_t i;

    table->shared = shared;
    table->nr_entries = nr_entries;
    table->nr_pages = nr_pages;
    table->active = g_new0(ActiveEntry, nr_entries);
    table->nr_track = MIN(max_mappings, INT_MAX);
    table->track = g_new0(TrackEntry, table->nr_track);
    table->free_track = TRACK_END;
    for (i = table->nr_track; i-- > 0; ) {
        table->track[i].ref = table->free_track;
        table->free_track = i;
    }
    return table;
}

void xen_grant_table_free(XenGrantTable *table)
{
    if (!table) {
        return;
    }
    g_free(table->active);
    g_free(table->track);
    g_free(table);
}

/*
 * Check the shared entry and mark it as in use.  The domain may write the
 * entry at any time, so what was checked is what is compared and exchanged.
 */
static int take_shared(XenGrantTable *table, uint16_t domid, uint32_t ref,
                       bool write, uint32_t *frame)
{
    XenGrantEntry *shared = &table->shared[ref];
    uint16_t in_use = XEN_GRANT_READING | (write ? XEN_GRANT_WRITING : 0);
    int i;

    for (i = 0; i < PIN_RETRIES; i++) {
        uint16_t flags = __atomic_load_n(&shared->flags, __ATOMIC_ACQUIRE);
        uint32_t page;

        if ((flags & XEN_GRANT_TYPE_MASK) != XEN_GRANT_ACCESS ||
            (flags & XEN_GRANT_SUB_PAGE) ||
            (write && (flags & XEN_GRANT_READONLY)) ||
            __atomic_load_n(&shared->domid, __ATOMIC_RELAXED) != domid) {
            return -EPERM;
        }
        page = __atomic_load_n(&shared->frame, __ATOMIC_RELAXED);
        if (page >= table->nr_pages) {
            return -ERANGE;
        }
        if (__atomic_compare_exchange_n(&shared->flags, &flags,
                                        flags | in_use, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            *frame = page;
            return 0;
        }
    }
    return -EAGAIN;
}

int xen_grant_table_pin(XenGrantTable *table, uint16_t domid, uint32_t ref,
                        bool write, uint32_t *frame)
{
    ActiveEntry *active;
    uint16_t *pins;
    bool first;
    uint32_t page;
    int ret;

    if (ref >= table->nr_entries) {
        return -EINVAL;
    }
    active = &table->active[ref];
    pins = write ? &active->writers : &active->readers;
    if (*pins == XEN_GRANT_MAX_PINS) {
        return -EBUSY;
    }

    first = !active->readers && !active->writers;
    if (!first && active->domid != domid) {
        return -EPERM;
    }
    if (first || (write && !active->writers)) {
        ret = take_shared(table, domid, ref, write, &page);
        if (ret < 0) {
            return ret;
        }
        if (first) {
            active->frame = page;
            active->domid = domid;
            table->stats.refs++;
        }
    }

    (*pins)++;
    *frame = active->frame;
    return 0;
}

void xen_grant_table_unpin(XenGrantTable *table, uint32_t ref, bool write)
{
    ActiveEntry *active = &table->active[ref];
    uint16_t clear = 0;

    if (write) {
        g_assert(active->writers > 0);
        if (--active->writers == 0) {
            clear |= XEN_GRANT_WRITING;
        }
    } else {
        g_assert(active->readers > 0);
        active->readers--;
    }
    if (!active->readers && !active->writers) {
        clear |= XEN_GRANT_READING;
        table->stats.refs--;
    }
    if (clear) {
        __atomic_fetch_and(&table->shared[ref].flags, (uint16_t)~clear,
                           __ATOMIC_ACQ_REL);
    }
}

int xen_grant_table_map(XenGrantTable *table, uint16_t domid, uint32_t ref,
                        bool write, uint32_t *frame)
{
    uint32_t handle = table->free_track;
    TrackEntry *track;
    int ret;

    if (handle == TRACK_END) {
        return -ENOSPC;
    }
    ret = xen_grant_table_pin(table, domid, ref, write, frame);
    if (ret < 0) {
        return ret;
    }

    track = &table->track[handle];
    table->free_track = track->ref;
    track->ref = ref;
    track->used = true;
    track->write = write;
    table->stats.mapped++;
    table->stats.peak = MAX(table->stats.peak, table->stats.mapped);
    return handle;
}

int xen_grant_table_unmap(XenGrantTable *table, int handle)
{
    TrackEntry *track;

    if (handle < 0 || (uint32_t)handle >= table->nr_track ||
        !table->track[handle].used) {
        return -ENOENT;
    }

    track = &table->track[handle];
    xen_grant_table_unpin(table, track->ref, track->write);
    track->used = false;
    track->ref = table->free_track;
    table->free_track = handle;
    table->stats.mapped--;
    return 0;
}

void xen_grant_table_stats(const XenGrantTable *table,
                           XenGrantTableStats *stats)
{
    *stats = table->stats;
}

void xen_grant_table_reset_peak(XenGrantTable *table)
{
    table->stats.peak = table->stats.mapped;
}
