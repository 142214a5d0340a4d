/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables, for tests.
 *
 * One granting domain.  Three tables, as in Xen: the shared entries, in the
 * granting domain's memory, which that domain writes at any time; the active
 * entries, private, with the pin counts; and the map track, one entry for
 * each mapping, whose index is the handle that unmapping takes.
 *
 * Access mode only; a grant to copy from or to is a pin without a mapping.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GRANT_TABLE_H
#define HW_XEN_TESTBED_GRANT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Flags of a shared entry: xen/grant_table.h, GTF_* */
#define XEN_GRANT_TYPE_MASK     0x0003u
#define XEN_GRANT_ACCESS        0x0001u
#define XEN_GRANT_READONLY      0x0004u
#define XEN_GRANT_READING       0x0008u
#define XEN_GRANT_WRITING       0x0010u
#define XEN_GRANT_SUB_PAGE      0x0100u

/** XEN_GRANT_MAX_PINS: pins of one kind that an active entry can count */
#define XEN_GRANT_MAX_PINS      255u

/**
 * struct XenGrantEntry - a shared entry: struct grant_entry_v1
 */
typedef struct XenGrantEntry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
} XenGrantEntry;

/**
 * struct XenGrantTable - the tables of one granting domain
 */
typedef struct XenGrantTable XenGrantTable;

/**
 * struct XenGrantTableStats - what is in use
 *
 * @mapped: mappings now
 * @peak: the most mappings there were
 * @refs: references that are pinned now
 */
typedef struct XenGrantTableStats {
    uint64_t mapped;
    uint64_t peak;
    uint64_t refs;
} XenGrantTableStats;

/**
 * xen_grant_table_new: make the private tables for a shared one
 * @shared: the shared entries; must outlive the table
 * @nr_entries: their number
 * @nr_pages: pages of the domain's memory; frames must be below
 * @max_mappings: size of the map track
 *
 * Returns: the table, to be given to xen_grant_table_free().
 */
XenGrantTable *xen_grant_table_new(XenGrantEntry *shared, uint32_t nr_entries,
                                   uint32_t nr_pages, uint32_t max_mappings);

/**
 * xen_grant_table_free: forget the tables; shared flags stay as they are
 * @table: the table, or NULL
 */
void xen_grant_table_free(XenGrantTable *table);

/**
 * xen_grant_table_pin: start to use a page
 * @table: the table
 * @domid: the domain that wants to use it
 * @ref: reference
 * @write: for writing, too
 * @frame: where to store the number of the page
 *
 * What the first pin finds in the shared entry holds until the last is gone,
 * whatever the domain writes there meanwhile.
 *
 * Returns: 0; -EINVAL for a reference outside the table; -EPERM when the
 * entry does not permit that domain this access; -ERANGE for a frame outside
 * the domain's memory; -EBUSY when the pins cannot be counted any more;
 * -EAGAIN when the domain keeps on changing the entry.
 */
int xen_grant_table_pin(XenGrantTable *table, uint16_t domid, uint32_t ref,
                        bool write, uint32_t *frame);

/**
 * xen_grant_table_unpin: stop to use a page
 * @table: the table
 * @ref: reference
 * @write: as it was pinned
 */
void xen_grant_table_unpin(XenGrantTable *table, uint32_t ref, bool write);

/**
 * xen_grant_table_map: pin a page and track it as mapped
 * @table: the table
 * @domid: the domain that maps it
 * @ref: reference
 * @write: for writing, too
 * @frame: where to store the number of the page
 *
 * Returns: the handle, which is not negative; -ENOSPC when the map track is
 * full; or as xen_grant_table_pin().
 */
int xen_grant_table_map(XenGrantTable *table, uint16_t domid, uint32_t ref,
                        bool write, uint32_t *frame);

/**
 * xen_grant_table_unmap: undo one xen_grant_table_map()
 * @table: the table
 * @handle: its handle
 *
 * Returns: 0, or -ENOENT for a handle that is none.
 */
int xen_grant_table_unmap(XenGrantTable *table, int handle);

/**
 * xen_grant_table_stats: read the counters
 * @table: the table
 * @stats: where to store them
 */
void xen_grant_table_stats(const XenGrantTable *table,
                           XenGrantTableStats *stats);

/**
 * xen_grant_table_reset_peak: the peak becomes what is mapped now
 * @table: the table
 */
void xen_grant_table_reset_peak(XenGrantTable *table);

#endif /* HW_XEN_TESTBED_GRANT_TABLE_H */
