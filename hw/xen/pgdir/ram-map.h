/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grants of a guest whose memory the process has mapped anyway
 *
 * That is so where QEMU is Xen itself, under KVM.  A page is found at its
 * address in the guest's memory, and costs no mapping.  Where that memory is a
 * shared mapping of a file, pages that lie anywhere in it can be mapped once
 * more, side by side, as one window; and such a window can be taken away from
 * whoever looks at it, which the guest's memory itself cannot.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_RAM_MAP_H
#define HW_XEN_PGDIR_RAM_MAP_H

#include "hw/xen/xen-pgdir.h"

typedef struct XenRamMap XenRamMap;

/**
 * struct XenRamPage - where a granted page is
 *
 * @addr: its address
 * @fd: the file that it is a shared mapping of, or -1
 * @offset: where in that file
 */
typedef struct XenRamPage {
    void *addr;
    int32_t fd;
    uint64_t offset;
} XenRamPage;

/**
 * struct XenRamOps - the guest's grants
 *
 * @get: find the page of a reference, and keep it: the guest sees that it is
 *     mapped, and the page stays where it is.  Returns 0 or a negative errno
 *     value.
 * @put: undo one @get
 */
typedef struct XenRamOps {
    int32_t (*get)(void *opaque, uint32_t ref, uint32_t writable,
                   XenRamPage *page);
    void (*put)(void *opaque, uint32_t ref, void *addr);
} XenRamOps;

/**
 * struct XenRamRun - pages of a window that are neighbours in a file
 *
 * @first: the first of them
 * @count: how many
 */
typedef struct XenRamRun {
    uint32_t first;
    uint32_t count;
} XenRamRun;

/**
 * struct XenRamAreas - areas of the process's memory, of which Linux allows
 * it so many (vm.max_map_count)
 *
 * @used: by windows
 * @max: how many windows may use
 */
typedef struct XenRamAreas {
    uint32_t used;
    uint32_t max;
} XenRamAreas;

/**
 * struct XenRamStats - what there is now
 *
 * @windows: windows
 * @window_pages: pages in them
 * @areas: areas of memory that they take
 * @own_pages: pages that are used where they are
 */
typedef struct XenRamStats {
    uint32_t windows;
    uint32_t window_pages;
    uint32_t areas;
    uint32_t own_pages;
} XenRamStats;

/**
 * xen_ram_plan: see which pages are neighbours
 * @pages: pages, in the order in which they are to be mapped
 * @count: how many
 * @runs: where to store the runs; as many as there are pages
 *
 * Returns: how many runs there are; 0 if one of the pages has no file.
 */
uint32_t xen_ram_plan(const XenRamPage *pages, uint32_t count,
                      XenRamRun *runs);

/**
 * xen_ram_map_new: make an empty map
 * @ops: the guest's grants; must stay
 * @opaque: handed to them
 * @areas: the limit; must stay, and may be that of other maps, too
 */
XenRamMap *xen_ram_map_new(const XenRamOps *ops, void *opaque,
                           XenRamAreas *areas);

/** xen_ram_map_free: free a map of which nothing is left */
void xen_ram_map_free(XenRamMap *map);

/** xen_ram_map_stats: see what there is */
void xen_ram_map_stats(const XenRamMap *map, XenRamStats *stats);

/**
 * xen_ram_map_window: map references as one range, as XenPgdirGrantOps.map
 *
 * Returns: 0; -EOPNOTSUPP if a page has no file; -ENOSPC if there are too
 * many areas; -ENOMEM; or what the get operation or mmap() returned.
 */
int32_t xen_ram_map_window(XenRamMap *map, const uint32_t *refs,
                           uint32_t count, uint32_t writable, void **addr);

/** xen_ram_map_own: see a page where it is, as XenPgdirGrantOps.map_page */
int32_t xen_ram_map_own(XenRamMap *map, uint32_t ref, uint32_t writable,
                        void **addr);

/** xen_ram_unmap: undo either; as XenPgdirGrantOps.unmap */
void xen_ram_unmap(XenRamMap *map, void *addr, const uint32_t *refs,
                   uint32_t count);

/** xen_ram_replace: as XenPgdirGrantOps.replace */
int32_t xen_ram_replace(XenRamMap *map, void *addr, const uint32_t *refs,
                        uint32_t count, void *copy);

#endif /* HW_XEN_PGDIR_RAM_MAP_H */
