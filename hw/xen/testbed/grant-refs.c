/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The granting domain's side of a grant table
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-refs.h"

/* Entries */

static uint16_t load_flags(const grant_entry_v1_t *entry)
{
    return __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
}

static bool exchange_flags(grant_entry_v1_t *entry, uint16_t *old,
                           uint16_t flags)
{
    return __atomic_compare_exchange_n(&entry->flags, old, flags, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The flags come last: they are what makes the rest valid */
static void introduce(grant_entry_v1_t *entry, domid_t domid, uint32_t frame,
                      uint16_t flags)
{
    __atomic_store_n(&entry->domid, domid, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->frame, frame, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
}

void xen_grant_access(grant_entry_v1_t *entry, domid_t domid, uint32_t frame,
                      bool readonly)
{
    introduce(entry, domid, frame,
              GTF_permit_access | (readonly ? GTF_readonly : 0));
}

uint16_t xen_grant_query_access(const grant_entry_v1_t *entry)
{
    return load_flags(entry) & (GTF_reading | GTF_writing);
}

int xen_grant_set_readonly(grant_entry_v1_t *entry, bool readonly)
{
    uint16_t flags = load_flags(entry);

    if (!readonly) {
        __atomic_fetch_and(&entry->flags, (uint16_t)~GTF_readonly,
                           __ATOMIC_ACQ_REL);
        return 0;
    }
    do {
        if (flags & GTF_writing) {
            return -EBUSY;
        }
    } while (!exchange_flags(entry, &flags, flags | GTF_readonly));
    return 0;
}

int xen_grant_end_access(grant_entry_v1_t *entry)
{
    uint16_t flags = load_flags(entry);

    do {
        if (flags & (GTF_reading | GTF_writing)) {
            return -EBUSY;
        }
    } while (!exchange_flags(entry, &flags, 0));
    return 0;
}

void xen_grant_transfer(grant_entry_v1_t *entry, domid_t domid, uint32_t pfn)
{
    introduce(entry, domid, pfn, GTF_accept_transfer);
}

int xen_grant_end_transfer(grant_entry_v1_t *entry, uint32_t *frame)
{
    uint16_t flags = load_flags(entry);

    while (!(flags & GTF_transfer_committed)) {
        if (exchange_flags(entry, &flags, 0)) {
            return -ENOENT;
        }
    }
    if (!(flags & GTF_transfer_completed)) {
        return -EAGAIN;
    }
    *frame = __atomic_load_n(&entry->frame, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
    return 0;
}

/* References */

#define REFS_END        0u
#define REFS_TAKEN      UINT32_MAX

/* @link: of a free or deferred reference the next one, or REFS_END */
struct XenGrantRefs {
    uint32_t nr_entries;
    uint32_t free;
    uint32_t nr_free;
    uint32_t deferred;
    uint32_t nr_deferred;
    uint32_t link[];
};

size_t xen_grant_refs_size(uint32_t nr_entries)
{
    return sizeof(XenGrantRefs) + (size_t)nr_entries * sizeof(uint32_t);
}

void xen_grant_refs_init(XenGrantRefs *refs, uint32_t nr_entries,
                         uint32_t reserved)
{
    uint32_t ref;

    g_assert(reserved);
    *refs = (XenGrantRefs) { .nr_entries = nr_entries };
    for (ref = nr_entries; ref-- > reserved; ) {
        refs->link[ref] = REFS_TAKEN;
        xen_grant_refs_put(refs, ref);
    }
}

uint32_t xen_grant_refs_count_free(const XenGrantRefs *refs)
{
    return refs->nr_free;
}

uint32_t xen_grant_refs_count_deferred(const XenGrantRefs *refs)
{
    return refs->nr_deferred;
}

uint32_t xen_grant_refs_take(XenGrantRefs *refs)
{
    uint32_t ref = refs->free;

    if (ref != REFS_END) {
        refs->free = refs->link[ref];
        refs->link[ref] = REFS_TAKEN;
        refs->nr_free--;
    }
    return ref;
}

void xen_grant_refs_put(XenGrantRefs *refs, uint32_t ref)
{
    g_assert(ref < refs->nr_entries && refs->link[ref] == REFS_TAKEN);
    refs->link[ref] = refs->free;
    refs->free = ref;
    refs->nr_free++;
}

static void defer(XenGrantRefs *refs, uint32_t ref)
{
    g_assert(ref < refs->nr_entries && refs->link[ref] == REFS_TAKEN);
    refs->link[ref] = refs->deferred;
    refs->deferred = ref;
    refs->nr_deferred++;
}

bool xen_grant_refs_end(XenGrantRefs *refs, grant_entry_v1_t *table,
                        uint32_t ref)
{
    if (xen_grant_end_access(&table[ref]) < 0) {
        defer(refs, ref);
        return false;
    }
    xen_grant_refs_put(refs, ref);
    return true;
}

uint32_t xen_grant_refs_collect(XenGrantRefs *refs, grant_entry_v1_t *table)
{
    uint32_t ref = refs->deferred;
    uint32_t ended = 0;

    refs->deferred = REFS_END;
    refs->nr_deferred = 0;
    while (ref != REFS_END) {
        uint32_t next = refs->link[ref];

        refs->link[ref] = REFS_TAKEN;
        ended += xen_grant_refs_end(refs, table, ref);
        ref = next;
    }
    return ended;
}
