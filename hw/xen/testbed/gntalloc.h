/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the grant allocation device, /dev/xen/gntalloc, for tests.
 *
 * The device allocates pages of its domain's, grants them to another domain,
 * and lets the file that asked for them map them.  A page lives as long as the
 * file has not given it back (DEALLOC_GREF) or it is mapped here.  After that
 * its grant ends, as soon as the peer has unmapped it.
 *
 * As in gntdev.h, who presents the device keeps the mappings; and the state,
 * one for a domain, holds no pointer.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GNTALLOC_H
#define HW_XEN_TESTBED_GNTALLOC_H

#include "gnt-host.h"

/** XEN_GNTALLOC_LIMIT: pages of all files together, unless told */
#define XEN_GNTALLOC_LIMIT      1024u

/** XEN_GNTALLOC_OWNERS: owners of mappings are below */
#define XEN_GNTALLOC_OWNERS     64u

/** XEN_GNTALLOC_FILES: numbers of files are below */
#define XEN_GNTALLOC_FILES      64u

/**
 * struct XenGntallocConfig - a device
 *
 * @limit: pages that all files may hold together; Linux's module parameter.
 *     Pages whose grant waits for the peer do not count.
 * @nr_entries: entries of the domain's grant table
 */
typedef struct XenGntallocConfig {
    uint32_t limit;
    uint32_t nr_entries;
} XenGntallocConfig;

/**
 * struct XenGntalloc - a domain's device; has no pointers
 */
typedef struct XenGntalloc XenGntalloc;

/**
 * struct XenGntallocStats - what is in use
 *
 * @pages: pages that files hold, or that are mapped here
 * @lingering: pages that are neither, but that the peer has mapped still
 */
typedef struct XenGntallocStats {
    uint32_t pages;
    uint32_t lingering;
} XenGntallocStats;

/**
 * xen_gntalloc_size: memory that a domain's device takes
 * @config: the device
 *
 * Returns: bytes, a multiple of 8.
 */
size_t xen_gntalloc_size(const XenGntallocConfig *config);

/**
 * xen_gntalloc_init: make a device of zeroed memory
 * @alloc: xen_gntalloc_size() bytes
 * @config: the device
 */
void xen_gntalloc_init(XenGntalloc *alloc, const XenGntallocConfig *config);

/**
 * xen_gntalloc_set_limit: write the module parameter
 * @alloc: the device
 * @limit: the limit from now on
 */
void xen_gntalloc_set_limit(XenGntalloc *alloc, uint32_t limit);

/**
 * xen_gntalloc_alloc: ALLOC_GREF
 * @alloc: the device
 * @host: the machine
 * @file: number of the file
 * @domid: to whom the pages are granted
 * @writable: to be written, too
 * @count: pages
 * @index: where to store the offset of the first, to be given to mmap()
 * @refs: where to store the grant references
 *
 * The pages are zeroed.  Offsets are never used again.
 *
 * Returns: 0; -ENOSPC beyond the limit, or when there are no references left;
 * -ENOMEM when the domain has no pages left.
 */
int xen_gntalloc_alloc(XenGntalloc *alloc, const XenGntHost *host,
                       uint32_t file, domid_t domid, bool writable,
                       uint32_t count, uint64_t *index, uint32_t *refs);

/**
 * xen_gntalloc_grant: grant a page of the domain's that is not the device's
 * @alloc: the device, which has the domain's references
 * @host: the machine
 * @domid: to whom, for writing, too
 * @frame: the page
 *
 * Returns: the reference, or 0 when there is none left.
 */
uint32_t xen_gntalloc_grant(XenGntalloc *alloc, const XenGntHost *host,
                            domid_t domid, uint32_t frame);

/**
 * xen_gntalloc_end_grant: end that, as soon as the peer has unmapped it
 * @alloc: the device
 * @host: the machine
 * @ref: the reference
 */
void xen_gntalloc_end_grant(XenGntalloc *alloc, const XenGntHost *host,
                            uint32_t ref);

/**
 * xen_gntalloc_dealloc: DEALLOC_GREF
 * @alloc: the device
 * @host: the machine
 * @file: number of the file
 * @index: offset of the first page
 * @count: pages
 *
 * Returns: 0, or -EINVAL when the file does not hold all of these pages, and
 * for none.
 */
int xen_gntalloc_dealloc(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint64_t index, uint32_t count);

/**
 * xen_gntalloc_mmap: map pages
 * @alloc: the device
 * @file: number of the file
 * @index: offset of the first
 * @count: pages
 * @shared: MAP_SHARED was asked for
 * @owner: whose mapping it is
 * @frames: where to store the numbers of the pages, @count of them
 *
 * Returns: 0; -EINVAL for a private mapping; -ENOENT when the file does not
 * hold all of these pages.
 */
int xen_gntalloc_mmap(XenGntalloc *alloc, uint32_t file, uint64_t index,
                      uint32_t count, bool shared, uint32_t owner,
                      uint32_t *frames);

/**
 * xen_gntalloc_munmap: pages of a mapping went
 * @alloc: the device
 * @host: the machine
 * @file: number of the file
 * @index: offset of the first page, as it was mapped
 * @count: their number
 * @owner: whose mapping it was
 */
void xen_gntalloc_munmap(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint64_t index, uint32_t count,
                         uint32_t owner);

/**
 * xen_gntalloc_forget: all that somebody has mapped went
 * @alloc: the device
 * @host: the machine
 * @file: number of the file
 * @owner: who
 */
void xen_gntalloc_forget(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint32_t owner);

/**
 * xen_gntalloc_set_notify: SET_UNMAP_NOTIFY: what to do when a page goes
 * @alloc: the device
 * @host: the machine
 * @file: number of the file
 * @index: offset of a byte
 * @action: XEN_GNT_CLEAR_BYTE: that byte becomes 0; XEN_GNT_SEND_EVENT: @port
 *     is notified
 * @port: event channel
 *
 * Returns: 0; -ENOENT when the file does not hold the page; -EINVAL for
 * another action, and for a port that there is not.
 */
int xen_gntalloc_set_notify(XenGntalloc *alloc, const XenGntHost *host,
                            uint32_t file, uint64_t index, uint32_t action,
                            uint32_t port);

/**
 * xen_gntalloc_release: the last user of a file has closed it
 * @alloc: the device
 * @host: the machine
 * @file: number of the file, of which nothing can be mapped any more
 */
void xen_gntalloc_release(XenGntalloc *alloc, const XenGntHost *host,
                          uint32_t file);

/**
 * xen_gntalloc_collect: free the references that the peer has let go of
 * @alloc: the device
 * @host: the machine
 *
 * Linux does it from a timer, the model before each allocation.
 */
void xen_gntalloc_collect(XenGntalloc *alloc, const XenGntHost *host);

/**
 * xen_gntalloc_stats: read the counters
 * @alloc: the device
 * @stats: where to store them
 */
void xen_gntalloc_stats(const XenGntalloc *alloc, XenGntallocStats *stats);

#endif /* HW_XEN_TESTBED_GNTALLOC_H */
