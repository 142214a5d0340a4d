/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grants of a guest whose memory the process has mapped anyway
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "ram-map.h"

/*
 * @count: pages
 * @areas: of the process's memory, at most: the kernel joins neighbours
 * @pages: where the pages are in the guest's memory
 */
typedef struct XenRamWindow {
    uint32_t count;
    uint32_t areas;
    void *pages[];
} XenRamWindow;

/* @windows: address -> XenRamWindow */
struct XenRamMap {
    const XenRamOps *ops;
    void *opaque;
    XenRamAreas *areas;
    GHashTable *windows;
    XenRamStats stats;
};

static size_t bytes(uint32_t pages)
{
    return (size_t)pages * XEN_PGDIR_PAGE_SIZE;
}

uint32_t xen_ram_plan(const XenRamPage *pages, uint32_t count,
                      XenRamRun *runs)
{
    uint32_t n = 0, i;

    for (i = 0; i < count; i++) {
        if (pages[i].fd < 0) {
            return 0;
        }
        if (i > 0 && pages[i].fd == pages[i - 1].fd &&
            pages[i].offset - XEN_PGDIR_PAGE_SIZE == pages[i - 1].offset) {
            runs[n - 1].count++;
        } else {
            runs[n++] = (XenRamRun) { .first = i, .count = 1 };
        }
    }
    return n;
}

XenRamMap *xen_ram_map_new(const XenRamOps *ops, void *opaque,
                           XenRamAreas *areas)
{
    XenRamMap *map = g_new0(XenRamMap, 1);

    map->ops = ops;
    map->opaque = opaque;
    map->areas = areas;
    map->windows = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return map;
}

void xen_ram_map_free(XenRamMap *map)
{
    g_hash_table_destroy(map->windows);
    g_free(map);
}

void xen_ram_map_stats(const XenRamMap *map, XenRamStats *stats)
{
    *stats = map->stats;
}

/* Keep all pages, or none */
static int32_t get_pages(XenRamMap *map, const uint32_t *refs, uint32_t count,
                         uint32_t writable, XenRamPage *pages)
{
    uint32_t i;
    int32_t ret;

    for (i = 0; i < count; i++) {
        ret = map->ops->get(map->opaque, refs[i], writable, &pages[i]);
        if (ret) {
            while (i-- > 0) {
                map->ops->put(map->opaque, refs[i], pages[i].addr);
            }
            return ret;
        }
    }
    return 0;
}

/* First the address, which nobody else can get any more, then its pages */
static int32_t map_runs(const XenRamPage *pages, uint32_t count,
                        const XenRamRun *runs, uint32_t n, int prot,
                        void **addr)
{
    uint8_t *base = mmap(NULL, bytes(count), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint32_t i;
    int32_t ret;

    if (base == MAP_FAILED) {
        return -errno;
    }
    for (i = 0; i < n; i++) {
        const XenRamPage *page = &pages[runs[i].first];

        if (mmap(base + bytes(runs[i].first), bytes(runs[i].count), prot,
                 MAP_SHARED | MAP_FIXED, page->fd,
                 page->offset) == MAP_FAILED) {
            ret = -errno;
            munmap(base, bytes(count));
            return ret;
        }
    }
    *addr = base;
    return 0;
}

static int32_t add_window(XenRamMap *map, const XenRamPage *pages,
                          uint32_t count, uint32_t writable, void **addr)
{
    g_autofree XenRamRun *runs = g_try_new(XenRamRun, count);
    uint32_t n = runs ? xen_ram_plan(pages, count, runs) : 0;
    XenRamWindow *window;
    uint32_t i;
    int32_t ret;

    if (!n) {
        return runs ? -EOPNOTSUPP : -ENOMEM;
    }
    if (n > map->areas->max - map->areas->used) {
        return -ENOSPC;
    }
    window = g_try_malloc(sizeof(*window) + count * sizeof(window->pages[0]));
    if (!window) {
        return -ENOMEM;
    }
    ret = map_runs(pages, count, runs, n,
                   PROT_READ | (writable ? PROT_WRITE : 0), addr);
    if (ret) {
        g_free(window);
        return ret;
    }
    window->count = count;
    window->areas = n;
    for (i = 0; i < count; i++) {
        window->pages[i] = pages[i].addr;
    }
    g_hash_table_insert(map->windows, *addr, window);
    map->areas->used += n;
    map->stats.areas += n;
    map->stats.windows++;
    map->stats.window_pages += count;
    return 0;
}

int32_t xen_ram_map_window(XenRamMap *map, const uint32_t *refs,
                           uint32_t count, uint32_t writable, void **addr)
{
    g_autofree XenRamPage *pages = g_try_new(XenRamPage, count);
    uint32_t i;
    int32_t ret;

    if (!pages) {
        return -ENOMEM;
    }
    ret = get_pages(map, refs, count, writable, pages);
    if (ret) {
        return ret;
    }
    ret = add_window(map, pages, count, writable, addr);
    for (i = 0; ret && i < count; i++) {
        map->ops->put(map->opaque, refs[i], pages[i].addr);
    }
    return ret;
}

int32_t xen_ram_map_own(XenRamMap *map, uint32_t ref, uint32_t writable,
                        void **addr)
{
    XenRamPage page;
    int32_t ret = map->ops->get(map->opaque, ref, writable, &page);

    if (ret == 0) {
        map->stats.own_pages++;
        *addr = page.addr;
    }
    return ret;
}

/* The window's pages are not mapped any more, or those of another are */
static void forget_window(XenRamMap *map, void *addr, XenRamWindow *window,
                          const uint32_t *refs)
{
    uint32_t i;

    for (i = 0; i < window->count; i++) {
        map->ops->put(map->opaque, refs[i], window->pages[i]);
    }
    map->areas->used -= window->areas;
    map->stats.areas -= window->areas;
    map->stats.windows--;
    map->stats.window_pages -= window->count;
    g_hash_table_remove(map->windows, addr);
}

void xen_ram_unmap(XenRamMap *map, void *addr, const uint32_t *refs,
                   uint32_t count)
{
    XenRamWindow *window = g_hash_table_lookup(map->windows, addr);

    if (window) {
        munmap(addr, bytes(window->count));
        forget_window(map, addr, window, refs);
    } else {
        map->ops->put(map->opaque, refs[0], addr);
        map->stats.own_pages--;
    }
}

/*
 * If the kernel runs out of memory half-way, what was there may be unmapped, or
 * not.  So it is unmapped then.
 */
int32_t xen_ram_replace(XenRamMap *map, void *addr, const uint32_t *refs,
                        uint32_t count, void *copy)
{
    XenRamWindow *window = g_hash_table_lookup(map->windows, addr);
    bool moved;

    if (!window) {
        return -EINVAL;
    }
    moved = mremap(copy, bytes(count), bytes(count),
                   MREMAP_MAYMOVE | MREMAP_FIXED, addr) != MAP_FAILED;
    if (!moved) {
        munmap(addr, bytes(count));
    }
    forget_window(map, addr, window, refs);
    return moved ? 0 : 1;
}
