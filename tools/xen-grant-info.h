/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain's grant table says, as bytes, made into something to look at.
 *
 * The layouts are those of xen/grant_table.h, versions 1 and 2.  The domain
 * writes its table at any time, so look at a copy; and of version 1 also the
 * bits which the hypervisor keeps there, so that it may lie about them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TOOLS_XEN_GRANT_INFO_H
#define TOOLS_XEN_GRANT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** XEN_GRANT_ANYBODY: no domain in particular */
#define XEN_GRANT_ANYBODY   UINT32_MAX

typedef enum XenGrantType {
    XEN_GRANT_TYPE_UNUSED,
    XEN_GRANT_TYPE_ACCESS,
    XEN_GRANT_TYPE_TRANSFER,
    XEN_GRANT_TYPE_TRANSITIVE,
} XenGrantType;

/**
 * struct XenGrantInfo - a grant
 *
 * @ref: its reference
 * @type: what it permits; of an unused one nothing else is set but @reading
 *     and @writing, which are the hypervisor's and may outlast the permission
 * @domid: to whom
 * @frame: which page; none in a transitive one
 * @readonly: the page may not be written
 * @reading: it is in use, mapped or copied from, for reading
 * @writing: and for writing
 * @sub_page: only @length bytes from @offset on are granted, for copies
 * @offset: bytes
 * @length: bytes
 * @from_domid: if transitive: who has granted the page to this domain
 * @from_ref: and how
 * @committed: if to be transferred: somebody is about to
 * @completed: and has done so
 */
typedef struct XenGrantInfo {
    uint32_t ref;
    XenGrantType type;
    uint16_t domid;
    uint64_t frame;
    bool readonly;
    bool reading;
    bool writing;
    bool sub_page;
    uint16_t offset;
    uint16_t length;
    uint16_t from_domid;
    uint32_t from_ref;
    bool committed;
    bool completed;
} XenGrantInfo;

/**
 * struct XenGrantBytes - a copy of a table
 *
 * @version: 1 or 2
 * @table: the shared entries
 * @table_size: bytes
 * @status: with version 2: the words of status
 * @status_size: bytes
 */
typedef struct XenGrantBytes {
    unsigned int version;
    const void *table;
    size_t table_size;
    const void *status;
    size_t status_size;
} XenGrantBytes;

/**
 * struct XenGrantTotals - what there is in a table
 *
 * @grants: entries that permit something, or whose page is in use
 * @mapped: pages in use
 * @written: of these, for writing
 */
typedef struct XenGrantTotals {
    uint32_t grants;
    uint32_t mapped;
    uint32_t written;
} XenGrantTotals;

/** xen_grant_entries: how many entries the bytes are, 0 for no such version */
uint32_t xen_grant_entries(const XenGrantBytes *bytes);

/**
 * xen_grant_info: look at one entry
 * @bytes: the table
 * @ref: reference
 * @info: where to store what it says
 *
 * Returns: false for a reference outside the table.
 */
bool xen_grant_info(const XenGrantBytes *bytes, uint32_t ref,
                    XenGrantInfo *info);

/** xen_grant_mapped: whether somebody uses the page */
bool xen_grant_mapped(const XenGrantInfo *info);

/**
 * xen_grant_next: look for the next entry that is a grant
 * @bytes: the table
 * @domid: only for those to this domain, or XEN_GRANT_ANYBODY
 * @ref: where to begin
 * @info: where to store what it says
 *
 * Returns: false if there is none.
 */
bool xen_grant_next(const XenGrantBytes *bytes, uint32_t domid, uint32_t ref,
                    XenGrantInfo *info);

/** xen_grant_add: count a grant */
void xen_grant_add(XenGrantTotals *totals, const XenGrantInfo *info);

/** xen_grant_type_name: in a word */
const char *xen_grant_type_name(XenGrantType type);

#endif /* TOOLS_XEN_GRANT_INFO_H */
