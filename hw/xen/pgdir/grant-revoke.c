/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of pinned extents whose object is revoked
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "grant-map.h"

/*
 * Without it the kernel takes the address for a hint, which is as good here:
 * the address that comes back is compared.
 */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0
#endif

void *xen_grant_host_pages(void *addr, size_t size)
{
    void *mem = mmap(addr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS |
                     (addr ? MAP_FIXED_NOREPLACE : 0), -1, 0);

    if (mem == MAP_FAILED) {
        return NULL;
    }
    if (addr && mem != addr) {
        munmap(mem, size);
        return NULL;
    }
    return mem;
}

/*
 * Without a replace operation, grants can only be unmapped before the address
 * is used again.  In between another mmap() might get it: of another thread,
 * or of an allocator that needs memory for its books.  The view is lost then.
 */
static bool put_copy(void *addr, size_t size, void *copy)
{
    bool found = xen_grant_host_pages(addr, size);

    if (!copy) {
        return found;
    }
    if (!found || mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                         addr) == MAP_FAILED) {
        munmap(copy, size);
    }
    return found;
}

/*
 * Put anonymous memory of the same content where an extent is mapped; returns
 * false if the address went to somebody else
 */
static bool replace_pages(XenGrantExtent *extent)
{
    XenGrantMap *map = extent->map;
    const uint32_t *refs = extent->object->refs + extent->key.first;
    uint32_t count = extent->key.count;
    size_t size = xen_grant_bytes(extent);
    void *copy = xen_grant_host_pages(NULL, size);
    int32_t ret = -ENOMEM;

    if (copy) {
        memcpy(copy, extent->addr, size);
    }
    if (copy && map->ops.replace) {
        ret = map->ops.replace(map->opaque, extent->addr, refs, count, copy);
    }
    if (ret == 0 || ret == 1) {
        map->stats.unmap_calls++;
    } else {
        xen_grant_map_unmap_pages(map, extent->addr, refs, count);
    }
    return ret == 0 || put_copy(extent->addr, size, copy);
}

void xen_grant_detach(XenGrantExtent *extent)
{
    XenGrantMap *map = extent->map;

    xen_grant_map_ref(map);
    if (xen_grant_is_window(extent)) {
        /* These pages were never the guest's to take away */
        extent->share = xen_grant_share_ref(extent->object->share);
    } else if (extent->pool == &map->direct) {
        map->stats.revocations++;
        extent->lost = !replace_pages(extent);
        map->stats.lost += extent->lost;
        map->direct.pages -= extent->key.count;
        map->direct.pinned -= extent->key.count;
        map->copies.pages += extent->key.count;
        map->copies.pinned += extent->key.count;
        extent->pool = &map->copies;
    }
}

void xen_grant_free_detached(XenGrantExtent *extent)
{
    XenGrantMap *map = extent->map;

    extent->pool->pages -= extent->key.count;
    if (extent->share) {
        xen_grant_share_unref(map, extent->share);
    } else {
        map->mappings--;
        if (!extent->lost) {
            munmap(extent->addr, xen_grant_bytes(extent));
        }
    }
    g_free(extent);
    xen_grant_map_unref(map);
}
