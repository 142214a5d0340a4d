/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The granting domain's side of a grant table: what a guest's kernel does
 * with its entries, by the rules of xen/grant_table.h, "GRANT TABLE
 * REPRESENTATION", and which references it has left.
 *
 * The entries are shared with Xen, which may write them at any time; no lock
 * of Xen's is needed here.  The references are a flat block of the domain's,
 * without a pointer inside: processes that are one domain may share it, under
 * a lock of theirs.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GRANT_REFS_H
#define HW_XEN_TESTBED_GRANT_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif
#include <xen/grant_table.h>

/**
 * xen_grant_access: permit a domain to map a frame
 * @entry: an entry that is not in use
 * @domid: the domain
 * @frame: the frame
 * @readonly: for reading only
 */
void xen_grant_access(grant_entry_v1_t *entry, domid_t domid, uint32_t frame,
                      bool readonly);

/**
 * xen_grant_query_access: what Xen says of the use of a grant
 * @entry: the entry
 *
 * Returns: GTF_reading and GTF_writing as they are; 0 when it is not in use.
 */
uint16_t xen_grant_query_access(const grant_entry_v1_t *entry);

/**
 * xen_grant_set_readonly: whether a grant is for reading only from now on
 * @entry: an entry that permits access
 * @readonly: whether
 *
 * Returns: 0, or -EBUSY for a grant that somebody writes to.
 */
int xen_grant_set_readonly(grant_entry_v1_t *entry, bool readonly);

/**
 * xen_grant_end_access: permit it no more
 * @entry: the entry
 *
 * This does not revoke anything: a grant that is in use stays.
 *
 * Returns: 0; or -EBUSY while it is in use, then nothing changes.
 */
int xen_grant_end_access(grant_entry_v1_t *entry);

/**
 * xen_grant_transfer: permit a domain to hand over a frame
 * @entry: an entry that is not in use
 * @domid: the domain
 * @pfn: the page that is to be filled by the frame, or 0
 */
void xen_grant_transfer(grant_entry_v1_t *entry, domid_t domid, uint32_t pfn);

/**
 * xen_grant_end_transfer: take the frame, and permit no more
 * @entry: the entry
 * @frame: where to store the frame that was handed over
 *
 * Returns: 0 when there was one; -ENOENT when nobody had begun to hand over;
 * in both cases the entry is free.  -EAGAIN while Xen is at it: the entry
 * must be left alone, and looked at again.
 */
int xen_grant_end_transfer(grant_entry_v1_t *entry, uint32_t *frame);

/**
 * struct XenGrantRefs - references of a domain: free, taken or deferred
 */
typedef struct XenGrantRefs XenGrantRefs;

/**
 * xen_grant_refs_size: bytes of the block
 * @nr_entries: entries of the grant table
 */
size_t xen_grant_refs_size(uint32_t nr_entries);

/**
 * xen_grant_refs_init: all references are free, the lowest first
 * @refs: the block
 * @nr_entries: entries of the grant table
 * @reserved: references below this one are never given out; not 0
 */
void xen_grant_refs_init(XenGrantRefs *refs, uint32_t nr_entries,
                         uint32_t reserved);

/* How many are free, and how many wait to become so */
uint32_t xen_grant_refs_count_free(const XenGrantRefs *refs);
uint32_t xen_grant_refs_count_deferred(const XenGrantRefs *refs);

/**
 * xen_grant_refs_take: take a free reference
 * @refs: the references
 *
 * Returns: the reference, or 0 when there is none.
 */
uint32_t xen_grant_refs_take(XenGrantRefs *refs);

/**
 * xen_grant_refs_put: it is free again
 * @refs: the references
 * @ref: one that was taken, whose entry is not in use
 */
void xen_grant_refs_put(XenGrantRefs *refs, uint32_t ref);

/**
 * xen_grant_refs_end: end access, now or once nobody uses the grant
 * @refs: the references
 * @table: the grant table
 * @ref: one that was taken, whose entry permits access
 *
 * Returns: whether the reference is free now; if not it is deferred.
 */
bool xen_grant_refs_end(XenGrantRefs *refs, grant_entry_v1_t *table,
                        uint32_t ref);

/**
 * xen_grant_refs_collect: try again to end access to what is deferred
 * @refs: the references
 * @table: the grant table
 *
 * Returns: how many references have become free.
 */
uint32_t xen_grant_refs_collect(XenGrantRefs *refs, grant_entry_v1_t *table);

#endif /* HW_XEN_TESTBED_GRANT_REFS_H */
