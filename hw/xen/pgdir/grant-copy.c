/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copying out of a guest's pages and into them, and host copies of windows
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "grant-map.h"

/* What is compared at once where a copy differs from its page */
#define BLOCK_SIZE 64

QEMU_BUILD_BUG_ON(XEN_PGDIR_PAGE_SIZE % BLOCK_SIZE);

/* Pages that are in use and that the guest sees, with page @first among them */
static XenPgdirView *find_pinned(XenPgdirBuffer *buffer, uint32_t first)
{
    GList *link;

    for (link = buffer->views.head; link; link = link->next) {
        XenPgdirView *v = link->data;

        if (v->pins && !xen_grant_view_is_copy(v) && first >= v->key.first &&
            first - v->key.first < v->key.count) {
            return v;
        }
    }
    return NULL;
}

/*
 * Pin a view that has @page and as many of the @wanted pages from there on
 * as can be had.  One of a whole chunk is the best, as the next copy is likely
 * to want it, too.  But if there is no room for it, or another page of it
 * cannot be mapped, what is in use already will do, or what is wanted alone.
 */
static int32_t pin_some(XenPgdirBuffer *buffer, uint32_t page,
                        uint64_t wanted, XenPgdirView **view)
{
    uint32_t chunk = buffer->mapper->chunk;
    uint32_t first = page / chunk * chunk;
    uint32_t count = MIN(chunk, buffer->pages - first);
    int32_t ret = xen_grant_buffer_pin(buffer, first, count, view);

    if (ret == 0) {
        return 0;
    }
    *view = find_pinned(buffer, page);
    if (*view) {
        xen_pgdir_view_ref(*view);
        return 0;
    }
    wanted = MIN(wanted, count - (page - first));
    return wanted < count ? xen_grant_buffer_pin(buffer, page, wanted, view)
                          : ret;
}

/*
 * Copy what differs, from the first block that does to the last one.  Most
 * pages differ nowhere or everywhere, so that one copy is the cheapest.
 */
static size_t copy_changed(uint8_t *dst, const uint8_t *src, size_t size)
{
    size_t start = 0, end = size;

    if (!memcmp(dst, src, BLOCK_SIZE)) {
        if (!memcmp(dst, src, size)) {
            return 0;
        }
        /* The guest may have changed it back meanwhile */
        do {
            start += BLOCK_SIZE;
        } while (start < end &&
                 !memcmp(dst + start, src + start, BLOCK_SIZE));
    }
    while (end > start && !memcmp(dst + end - BLOCK_SIZE,
                                  src + end - BLOCK_SIZE, BLOCK_SIZE)) {
        end -= BLOCK_SIZE;
    }
    memcpy(dst + start, src + start, end - start);
    return end - start;
}

/*
 * Bring @count pages of a copy, from @page of its buffer on, up to date with
 * the guest's; or the guest's up to date with the copy
 */
static void sync_pages(XenPgdirView *copy, uint32_t page, uint32_t count,
                       uint8_t *src, bool flush)
{
    uint8_t *dst = (uint8_t *)copy->addr +
                   (size_t)(page - copy->key.first) * XEN_PGDIR_PAGE_SIZE;
    size_t size = (size_t)count * XEN_PGDIR_PAGE_SIZE;
    size_t at;

    if (flush) {
        for (at = 0; at < size; at += XEN_PGDIR_PAGE_SIZE) {
            copy_changed(src + at, dst + at, XEN_PGDIR_PAGE_SIZE);
        }
        return;
    }
    if (!copy->filled) {
        memcpy(dst, src, size);
        copy->mapper->stats.copied_bytes += size;
        return;
    }
    for (at = 0; at < size; at += XEN_PGDIR_PAGE_SIZE) {
        copy->mapper->stats.copied_bytes += copy_changed(dst + at, src + at,
                                                         XEN_PGDIR_PAGE_SIZE);
    }
}

/* The same of as many pages as can be had at once; *count says how many */
static int32_t sync_some(XenPgdirView *copy, uint32_t page, uint32_t wanted,
                         bool flush, uint32_t *count)
{
    XenPgdirView *from;
    uint8_t *addr;
    int32_t ret;

    if (copy->mapper->ops.map_page) {
        ret = xen_grant_buffer_own(copy->buffer, page, &addr);
        if (ret == 0) {
            *count = 1;
            sync_pages(copy, page, 1, addr, flush);
        }
        return ret;
    }
    ret = pin_some(copy->buffer, page, wanted, &from);
    if (ret) {
        return ret;
    }
    *count = MIN(wanted, from->key.first + from->key.count - page);
    addr = (uint8_t *)from->addr +
           (size_t)(page - from->key.first) * XEN_PGDIR_PAGE_SIZE;
    sync_pages(copy, page, *count, addr, flush);
    xen_grant_view_unpin(from);
    return 0;
}

static int32_t sync_all(XenPgdirView *copy, bool flush)
{
    uint32_t page = copy->key.first;
    uint32_t end = page + copy->key.count;
    uint32_t count;
    int32_t ret;

    while (page < end) {
        ret = sync_some(copy, page, end - page, flush, &count);
        if (ret) {
            return ret;
        }
        page += count;
    }
    return 0;
}

int32_t xen_grant_view_sync(XenPgdirView *view)
{
    int32_t ret;

    if (!view->buffer || !xen_grant_view_is_copy(view)) {
        return 0;
    }
    ret = sync_all(view, false);
    view->filled |= ret == 0;
    return ret;
}

int32_t xen_grant_view_flush(XenPgdirView *view)
{
    return sync_all(view, true);
}

/* One page's share of a copy, where pages need no mapping */
static int32_t copy_own(XenPgdirBuffer *buffer, uint64_t offset, void *dst,
                        const void *src, uint64_t length, uint64_t *done)
{
    uint32_t skip = offset % XEN_PGDIR_PAGE_SIZE;
    uint8_t *addr;
    int32_t ret = xen_grant_buffer_own(buffer, offset / XEN_PGDIR_PAGE_SIZE,
                                       &addr);

    if (ret) {
        return ret;
    }
    *done = MIN(length, XEN_PGDIR_PAGE_SIZE - skip);
    if (dst) {
        memcpy(dst, addr + skip, *done);
    } else {
        memcpy(addr + skip, src, *done);
    }
    return 0;
}

/* One view's share of a copy; *done says how much that was */
static int32_t copy_some(XenPgdirBuffer *buffer, uint64_t offset,
                         void *dst, const void *src, uint64_t length,
                         uint64_t *done)
{
    uint32_t page = offset / XEN_PGDIR_PAGE_SIZE;
    uint64_t last = (offset + length - 1) / XEN_PGDIR_PAGE_SIZE;
    XenPgdirView *view;
    uint64_t skip;
    uint8_t *bytes;
    int32_t ret;

    if (buffer->mapper->ops.map_page) {
        return copy_own(buffer, offset, dst, src, length, done);
    }
    ret = pin_some(buffer, page, last - page + 1, &view);
    if (ret) {
        return ret;
    }
    skip = offset - (uint64_t)view->key.first * XEN_PGDIR_PAGE_SIZE;
    bytes = (uint8_t *)view->addr + skip;
    *done = MIN(length,
                (uint64_t)view->key.count * XEN_PGDIR_PAGE_SIZE - skip);
    if (dst) {
        memcpy(dst, bytes, *done);
    } else {
        memcpy(bytes, src, *done);
    }
    xen_grant_view_unpin(view);
    return 0;
}

int32_t xen_grant_buffer_copy(XenPgdirBuffer *buffer, uint64_t offset,
                              void *dst, const void *src, uint64_t length)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    uint64_t done = 0, n;
    int32_t ret;

    if (buffer->share) {
        if (!buffer->share->addr) {
            return xen_grant_share_unmapped(buffer->mapper);
        }
        memcpy(to ? to : buffer->share->addr + offset,
               to ? buffer->share->addr + offset : from, length);
        return 0;
    }
    while (done < length) {
        ret = copy_some(buffer, offset + done, to ? to + done : NULL,
                        to ? NULL : from + done, length - done, &n);
        if (ret) {
            return ret;
        }
        done += n;
    }
    return 0;
}
