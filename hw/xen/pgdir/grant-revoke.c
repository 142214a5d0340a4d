/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of pinned views whose buffer is revoked
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
 * Put anonymous memory of the same content where a view is mapped; returns
 * false if the address went to somebody else
 */
static bool replace_pages(XenPgdirView *view)
{
    XenPgdirMapper *mapper = view->mapper;
    const uint32_t *refs = view->buffer->refs + view->key.first;
    uint32_t count = view->key.count;
    size_t size = xen_grant_view_bytes(view);
    void *copy = xen_grant_host_pages(NULL, size);
    int32_t ret = -ENOMEM;

    if (copy) {
        memcpy(copy, view->addr, size);
    }
    if (copy && mapper->ops.replace) {
        ret = mapper->ops.replace(mapper->opaque, view->addr, refs, count,
                                  copy);
    }
    if (ret == 0 || ret == 1) {
        mapper->stats.unmap_calls++;
    } else {
        xen_grant_mapper_unmap_pages(mapper, view->addr, refs, count);
    }
    return ret == 0 || put_copy(view->addr, size, copy);
}

void xen_grant_view_detach(XenPgdirView *view)
{
    XenPgdirMapper *mapper = view->mapper;

    xen_grant_mapper_ref(mapper);
    if (xen_grant_view_is_shared(view)) {
        /* These pages were never the guest's to take away */
        view->share = xen_grant_share_ref(view->buffer->share);
    } else if (view->pool == &mapper->direct) {
        mapper->stats.revocations++;
        view->lost = !replace_pages(view);
        mapper->stats.lost += view->lost;
        mapper->direct.pages -= view->key.count;
        mapper->direct.pinned -= view->key.count;
        mapper->copies.pages += view->key.count;
        mapper->copies.pinned += view->key.count;
        view->pool = &mapper->copies;
    }
}

void xen_grant_view_free_detached(XenPgdirView *view)
{
    XenPgdirMapper *mapper = view->mapper;

    view->pool->pages -= view->key.count;
    if (view->share) {
        xen_grant_share_unref(mapper, view->share);
    } else {
        mapper->mappings--;
        if (!view->lost) {
            munmap(view->addr, xen_grant_view_bytes(view));
        }
    }
    g_free(view);
    xen_grant_mapper_unref(mapper);
}
