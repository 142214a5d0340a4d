/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What buffers and views tell of themselves
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-buffer.h"

uint32_t xen_pgdir_abi_version(void)
{
    return XEN_PGDIR_ABI_VERSION;
}

uint64_t xen_pgdir_buffer_size(const XenPgdirBuffer *buffer)
{
    return buffer->size;
}

uint32_t xen_pgdir_buffer_pages(const XenPgdirBuffer *buffer)
{
    return buffer->pages;
}

uint32_t xen_pgdir_buffer_state(const XenPgdirBuffer *buffer)
{
    if (buffer->live) {
        return XEN_PGDIR_STATE_LIVE;
    }
    return buffer->retiring ? XEN_PGDIR_STATE_RETIRING
                            : XEN_PGDIR_STATE_REVOKED;
}

int32_t xen_pgdir_buffer_is_writable(const XenPgdirBuffer *buffer)
{
    return buffer->writable;
}

int32_t xen_pgdir_buffer_is_shared(const XenPgdirBuffer *buffer)
{
    return buffer->shared;
}

XenPgdirMapper *xen_pgdir_buffer_mapper(const XenPgdirBuffer *buffer)
{
    return buffer->mapper;
}

int32_t xen_pgdir_buffer_refs(const XenPgdirBuffer *buffer, uint32_t first,
                              uint32_t count, uint32_t *refs)
{
    int32_t ret = xen_grant_buffer_check(buffer,
                                         (uint64_t)first * XEN_PGDIR_PAGE_SIZE,
                                         (uint64_t)count * XEN_PGDIR_PAGE_SIZE);

    if (ret == 0) {
        memcpy(refs, (buffer->share ? buffer->share->refs : buffer->refs) +
                     first, count * sizeof(*refs));
    }
    return ret;
}

int32_t xen_grant_buffer_refuse(const XenPgdirBuffer *buffer, uint64_t offset,
                                uint64_t length)
{
    if (!buffer->live) {
        return xen_grant_mapper_fail(buffer->mapper, -ESTALE,
                                     XEN_PGDIR_CAUSE_CALLER, "the buffer %s",
                                     buffer->retiring ? "retires"
                                                      : "was revoked");
    }
    return xen_grant_mapper_fail(buffer->mapper, -EINVAL,
                                 XEN_PGDIR_CAUSE_CALLER,
                                 "%" PRIu64 " bytes at %" PRIu64 " do not lie "
                                 "in a buffer of %" PRIu32 " pages", length,
                                 offset, buffer->pages);
}

int32_t xen_pgdir_buffer_is_copied(const XenPgdirBuffer *buffer,
                                   uint64_t offset, uint64_t length)
{
    uint32_t limit = buffer->mapper->config.max_map_count;
    int32_t ret = xen_grant_buffer_check(buffer, offset, length);

    if (ret || buffer->scattered) {
        return ret ? ret : 1;
    }
    return limit && !buffer->share &&
           (offset + length - 1) / XEN_PGDIR_PAGE_SIZE -
           offset / XEN_PGDIR_PAGE_SIZE >= limit;
}

void *xen_pgdir_view_data(const XenPgdirView *view)
{
    return view->addr;
}

uint64_t xen_pgdir_view_offset(const XenPgdirView *view)
{
    return (uint64_t)view->key.first * XEN_PGDIR_PAGE_SIZE;
}

uint64_t xen_pgdir_view_length(const XenPgdirView *view)
{
    return (uint64_t)view->key.count * XEN_PGDIR_PAGE_SIZE;
}

XenPgdirBuffer *xen_pgdir_view_buffer(const XenPgdirView *view)
{
    return view->buffer;
}

int32_t xen_pgdir_view_is_copy(const XenPgdirView *view)
{
    return xen_grant_view_is_copy(view);
}

int32_t xen_pgdir_view_is_lost(const XenPgdirView *view)
{
    return view->lost;
}
