/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page directories of Xen PV protocols
 *
 * Everything that comes from the guest (sizes, offsets, directory pages) is
 * checked here, once; grant-map.c only sees ranges that lie within a buffer.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <wchar.h>
#include "pgdir-buffer.h"

/* A directory page, as struct xendispl_page_directory lays it out */
typedef struct XenPgdirPage {
    uint32_t next;
    uint32_t refs[XEN_PGDIR_REFS_PER_PAGE];
} XenPgdirPage;

QEMU_BUILD_BUG_ON(sizeof(XenPgdirPage) != XEN_PGDIR_PAGE_SIZE);

/*
 * Take over a struct of a caller that may be older or newer than the library:
 * fields that it does not have are 0, and those that we do not have must be.
 * @least: bytes that any caller's has
 */
static bool take_struct(void *to, uint32_t to_size, const void *from,
                        uint32_t least)
{
    const uint8_t *bytes = from;
    uint32_t size, i;

    memcpy(&size, from, sizeof(size));
    if (size < least) {
        return false;
    }
    for (i = to_size; i < size; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    memset(to, 0, to_size);
    memcpy(to, from, MIN(size, to_size));
    return true;
}

int32_t xen_pgdir_mapper_new(const XenPgdirGrantOps *ops, void *opaque,
                             const XenPgdirConfig *config,
                             XenPgdirMapper **mapper)
{
    XenPgdirGrantOps o;
    XenPgdirConfig c;

    if (!take_struct(&o, sizeof(o), ops,
                     offsetof(XenPgdirGrantOps, destroy)) ||
        !take_struct(&c, sizeof(c), config,
                     offsetof(XenPgdirConfig, max_map_count))) {
        return -EINVAL;
    }
    if (!o.map || !o.unmap || !o.share != !o.unshare ||
        !o.dmabuf_export != !o.dmabuf_in_use ||
        !o.dmabuf_export != !o.dmabuf_forget ||
        !o.dmabuf_import != !o.dmabuf_release ||
        !c.max_pages || !c.max_buffer_pages) {
        return -EINVAL;
    }
    *mapper = xen_grant_mapper_new(&o, opaque, &c);
    return 0;
}

XenPgdirMapper *xen_pgdir_mapper_ref(XenPgdirMapper *mapper)
{
    return xen_grant_mapper_ref(mapper);
}

void xen_pgdir_mapper_unref(XenPgdirMapper *mapper)
{
    xen_grant_mapper_unref(mapper);
}

void xen_pgdir_mapper_stats(const XenPgdirMapper *mapper,
                            XenPgdirStats *stats, uint32_t size)
{
    XenPgdirStats all;

    xen_grant_mapper_stats(mapper, &all);
    memset(stats, 0, size);
    memcpy(stats, &all, MIN(size, sizeof(all)));
}

uint32_t xen_pgdir_mapper_full(const XenPgdirMapper *mapper)
{
    return mapper->full;
}

void xen_pgdir_mapper_trim(XenPgdirMapper *mapper)
{
    xen_grant_mapper_trim(mapper);
}

/*
 * Copy @count references and the link of a directory page.  The guest may
 * change the page at any time, even while it is copied: from here on nothing
 * but the copy is looked at.
 */
static int32_t read_page(XenPgdirMapper *mapper, uint32_t ref,
                         uint32_t *refs, uint32_t count, uint32_t *next)
{
    const XenPgdirPage *page;
    void *addr;
    int32_t ret;

    ret = xen_grant_mapper_map_page(mapper, ref, false, &addr);
    if (ret) {
        return ret;
    }
    page = addr;
    *next = __atomic_load_n(&page->next, __ATOMIC_RELAXED);
    memcpy(refs, page->refs, count * sizeof(*refs));
    xen_grant_mapper_unmap_pages(mapper, addr, &ref, 1);
    mapper->stats.dir_pages++;
    return 0;
}

QEMU_BUILD_BUG_ON(sizeof(wchar_t) != sizeof(uint32_t));

/* The first reference that is missing, or NULL; this search is the fastest */
static const uint32_t *find_zero(const uint32_t *refs, uint32_t count)
{
    return (const uint32_t *)wmemchr((const wchar_t *)refs, 0, count);
}

/* @dirs: how many directory pages there are, counted from 0 */
static int32_t no_link(XenPgdirMapper *mapper, uint32_t dirs)
{
    return xen_grant_mapper_fail(mapper, -EINVAL, XEN_PGDIR_CAUSE_GUEST,
                                 "directory page %" PRIu32 " is missing: its "
                                 "reference is 0", dirs);
}

/*
 * Only as many directory pages are followed as the data pages need: a chain
 * that loops is harmless, and what comes after the last page is ignored.
 */
static int32_t walk(XenPgdirMapper *mapper, uint32_t dir_ref,
                    uint32_t *refs, uint32_t count)
{
    uint32_t dirs = 0, n;
    const uint32_t *zero;
    int32_t ret;

    while (count) {
        if (!dir_ref) {
            return no_link(mapper, dirs);
        }
        n = MIN(count, XEN_PGDIR_REFS_PER_PAGE);
        ret = read_page(mapper, dir_ref, refs, n, &dir_ref);
        if (ret) {
            return ret;
        }
        zero = find_zero(refs, n);
        if (zero) {
            return xen_grant_mapper_fail(mapper, -EINVAL, XEN_PGDIR_CAUSE_GUEST,
                                         "data reference %" PRIu32 " of "
                                         "directory page %" PRIu32 " is 0",
                                         (uint32_t)(zero - refs), dirs);
        }
        dirs++;
        refs += n;
        count -= n;
    }
    return 0;
}

/* How many pages a buffer of @size bytes has, if it may have so many */
static int32_t count_pages(XenPgdirMapper *mapper, uint64_t size,
                           uint32_t *count)
{
    uint64_t pages = size / XEN_PGDIR_PAGE_SIZE;

    pages += size % XEN_PGDIR_PAGE_SIZE != 0;
    if (!pages) {
        return xen_grant_mapper_fail(mapper, -EINVAL, XEN_PGDIR_CAUSE_CALLER,
                                     "the size of the buffer is 0");
    }
    if (pages > mapper->config.max_buffer_pages) {
        xen_grant_mapper_fail(mapper, -E2BIG, XEN_PGDIR_CAUSE_BUDGET,
                              "a buffer of %" PRIu64 " pages is larger than "
                              "max_buffer_pages: %" PRIu32, pages,
                              mapper->config.max_buffer_pages);
        mapper->error.limit = XEN_PGDIR_FULL_BUFFER;
        return -E2BIG;
    }
    *count = pages;
    return 0;
}

static int32_t check_flags(XenPgdirMapper *mapper, uint32_t flags,
                           uint32_t known)
{
    if (flags & ~known) {
        return xen_grant_mapper_fail(mapper, -EINVAL, XEN_PGDIR_CAUSE_CALLER,
                                     "unknown flags: 0x%" PRIx32,
                                     flags & ~known);
    }
    return 0;
}

/* The caller makes the cache's part of the new buffer */
static XenPgdirBuffer *buffer_alloc(XenPgdirMapper *mapper, uint64_t size)
{
    XenPgdirBuffer *buffer = g_new0(XenPgdirBuffer, 1);

    buffer->size = size;
    buffer->refcount = 1;
    buffer->live = true;
    mapper->stats.buffers++;
    return buffer;
}

int32_t xen_pgdir_buffer_new(XenPgdirMapper *mapper, uint32_t dir_ref,
                             uint64_t size, uint32_t flags,
                             XenPgdirBuffer **buffer)
{
    g_autofree uint32_t *refs = NULL;
    uint32_t pages = 0;
    int32_t ret;

    ret = check_flags(mapper, flags, XEN_PGDIR_WRITABLE);
    if (ret) {
        return ret;
    }
    ret = count_pages(mapper, size, &pages);
    if (ret) {
        return ret;
    }
    refs = g_try_new(uint32_t, pages);
    if (!refs) {
        return xen_grant_mapper_no_memory(mapper);
    }
    ret = walk(mapper, dir_ref, refs, pages);
    if (ret) {
        return ret;
    }

    *buffer = buffer_alloc(mapper, size);
    xen_grant_buffer_init(*buffer, mapper, g_steal_pointer(&refs), pages,
                          flags & XEN_PGDIR_WRITABLE);
    return 0;
}

/*
 * A directory whose pages are all mapped, to be filled in
 *
 * @refs: their references; the guest's may change, and unmapping needs them
 * @pages: how many are mapped
 */
typedef struct XenPgdirChain {
    uint32_t *refs;
    XenPgdirPage **addrs;
    uint32_t pages;
} XenPgdirChain;

static void chain_unmap(XenPgdirMapper *mapper, XenPgdirChain *chain)
{
    while (chain->pages > 0) {
        chain->pages--;
        xen_grant_mapper_unmap_pages(mapper, chain->addrs[chain->pages],
                                     &chain->refs[chain->pages], 1);
    }
    g_free(chain->refs);
    g_free(chain->addrs);
}

/* Each link is read once, and only as many are followed as are needed */
static int32_t chain_map(XenPgdirMapper *mapper, uint32_t dir_ref,
                         uint32_t pages, XenPgdirChain *chain)
{
    void *addr = NULL;
    int32_t ret;

    chain->pages = 0;
    chain->refs = g_try_new(uint32_t, pages);
    chain->addrs = g_try_new(XenPgdirPage *, pages);
    if (!chain->refs || !chain->addrs) {
        ret = xen_grant_mapper_no_memory(mapper);
        goto fail;
    }
    while (chain->pages < pages) {
        ret = dir_ref ? xen_grant_mapper_map_page(mapper, dir_ref, true, &addr)
                      : no_link(mapper, chain->pages);
        if (ret) {
            goto fail;
        }
        chain->refs[chain->pages] = dir_ref;
        chain->addrs[chain->pages] = addr;
        dir_ref = __atomic_load_n(&chain->addrs[chain->pages]->next,
                                  __ATOMIC_RELAXED);
        chain->pages++;
        mapper->stats.dir_pages++;
    }
    return 0;

fail:
    chain_unmap(mapper, chain);
    return ret;
}

static void chain_fill(XenPgdirChain *chain, const uint32_t *refs,
                       uint32_t count)
{
    uint32_t i, n;

    for (i = 0; i < chain->pages; i++) {
        n = MIN(count, XEN_PGDIR_REFS_PER_PAGE);
        memcpy(chain->addrs[i]->refs, refs, n * sizeof(*refs));
        refs += n;
        count -= n;
    }
}

/* @fd: the dma-buf whose pages they are to be; or NULL: pages of our own */
static int32_t buffer_new_shared(XenPgdirMapper *mapper, uint32_t dir_ref,
                                 uint64_t size, bool guest_writes,
                                 const int32_t *fd, XenPgdirBuffer **buffer)
{
    XenGrantShare *share;
    XenPgdirChain chain;
    uint32_t pages = 0;
    int32_t ret;

    ret = count_pages(mapper, size, &pages);
    if (ret) {
        return ret;
    }
    ret = xen_grant_share_room(mapper, pages, fd != NULL);
    if (ret) {
        return ret;
    }
    ret = chain_map(mapper, dir_ref,
                    DIV_ROUND_UP((uint64_t)pages, XEN_PGDIR_REFS_PER_PAGE),
                    &chain);
    if (ret) {
        return ret;
    }
    /* Nothing can fail once the guest sees the first reference */
    ret = fd ? xen_grant_share_import(mapper, pages, *fd, &share)
             : xen_grant_share_get(mapper, pages, guest_writes, &share);
    if (ret == 0) {
        chain_fill(&chain, share->refs, pages);
    }
    chain_unmap(mapper, &chain);
    if (ret) {
        return ret;
    }

    *buffer = buffer_alloc(mapper, size);
    (*buffer)->shared = true;
    xen_grant_buffer_init_shared(*buffer, mapper, pages, share);
    return 0;
}

int32_t xen_pgdir_buffer_new_shared(XenPgdirMapper *mapper, uint32_t dir_ref,
                                    uint64_t size, uint32_t flags,
                                    XenPgdirBuffer **buffer)
{
    int32_t ret = check_flags(mapper, flags, XEN_PGDIR_GUEST_READS);

    return ret ? ret
               : buffer_new_shared(mapper, dir_ref, size,
                                   !(flags & XEN_PGDIR_GUEST_READS), NULL,
                                   buffer);
}

int32_t xen_pgdir_buffer_new_imported(XenPgdirMapper *mapper, uint32_t dir_ref,
                                      uint64_t size, int32_t fd,
                                      uint32_t flags, XenPgdirBuffer **buffer)
{
    int32_t ret = check_flags(mapper, flags, 0);

    return ret ? ret : buffer_new_shared(mapper, dir_ref, size, true, &fd,
                                         buffer);
}

XenPgdirBuffer *xen_pgdir_buffer_ref(XenPgdirBuffer *buffer)
{
    buffer->refcount++;
    return buffer;
}

void xen_pgdir_buffer_unref(XenPgdirBuffer *buffer)
{
    if (!buffer || --buffer->refcount > 0) {
        return;
    }
    buffer->mapper->stats.buffers--;
    xen_grant_buffer_clear(buffer);
    g_free(buffer);
}

void xen_pgdir_buffer_revoke(XenPgdirBuffer *buffer)
{
    if (buffer->retiring) {
        xen_grant_buffer_end_retiring(buffer, -ECANCELED);
    } else {
        buffer->live = false;
        xen_grant_buffer_revoke(buffer);
    }
}

int32_t xen_pgdir_buffer_view(XenPgdirBuffer *buffer, uint64_t offset,
                              uint64_t length, XenPgdirView **view,
                              void **data)
{
    uint32_t first, last;
    int32_t ret;

    ret = xen_grant_buffer_check(buffer, offset, length);
    if (ret) {
        return ret;
    }
    first = offset / XEN_PGDIR_PAGE_SIZE;
    last = (offset + length - 1) / XEN_PGDIR_PAGE_SIZE;
    ret = xen_grant_buffer_pin(buffer, first, last - first + 1, view);
    if (ret) {
        return ret;
    }
    *data = (uint8_t *)(*view)->addr + offset % XEN_PGDIR_PAGE_SIZE;
    return 0;
}

int32_t xen_pgdir_buffer_read(XenPgdirBuffer *buffer, uint64_t offset,
                              void *dst, uint64_t length)
{
    int32_t ret;

    ret = xen_grant_buffer_check(buffer, offset, length);
    if (ret) {
        return ret;
    }
    return xen_grant_buffer_copy(buffer, offset, dst, NULL, length);
}

static int32_t read_only(XenPgdirMapper *mapper)
{
    return xen_grant_mapper_fail(mapper, -EACCES, XEN_PGDIR_CAUSE_CALLER,
                                 "the buffer is read-only");
}

int32_t xen_pgdir_buffer_write(XenPgdirBuffer *buffer, uint64_t offset,
                               const void *src, uint64_t length)
{
    int32_t ret;

    ret = xen_grant_buffer_check(buffer, offset, length);
    if (ret) {
        return ret;
    }
    if (!buffer->writable) {
        return read_only(buffer->mapper);
    }
    return xen_grant_buffer_copy(buffer, offset, NULL, src, length);
}

XenPgdirView *xen_pgdir_view_ref(XenPgdirView *view)
{
    view->pins++;
    return view;
}

void xen_pgdir_view_unref(XenPgdirView *view)
{
    if (view) {
        xen_grant_view_unpin(view);
    }
}

int32_t xen_pgdir_view_sync(XenPgdirView *view)
{
    return xen_grant_view_sync(view);
}

int32_t xen_pgdir_view_flush(XenPgdirView *view)
{
    if (!xen_grant_view_is_copy(view)) {
        return 0;
    }
    if (!view->buffer) {
        return xen_grant_mapper_fail(view->mapper, -ESTALE,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the buffer was revoked");
    }
    return view->buffer->writable ? xen_grant_view_flush(view)
                                  : read_only(view->mapper);
}
