/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dma-bufs of a guest's pages
 *
 * Whoever holds a dma-buf has the pages, and nobody can take them away.  So
 * they are charged as pinned ones until the operations say that it is gone,
 * even if the buffer was revoked long ago: were they not, a guest that has its
 * buffers exported, and destroys them, could have any number of pages mapped.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-buffer.h"

static void dmabuf_free(XenPgdirMapper *mapper, XenGrantDmabuf *dmabuf)
{
    if (dmabuf->buffer) {
        dmabuf->buffer->dmabuf = NULL;
    }
    g_queue_unlink(&mapper->dmabufs, &dmabuf->link);
    mapper->dmabuf_pages -= dmabuf->pages;
    mapper->direct.pages -= dmabuf->pages;
    mapper->direct.pinned -= dmabuf->pages;
    mapper->mappings--;
    mapper->ops.dmabuf_forget(mapper->opaque, dmabuf->id);
    g_free(dmabuf);
}

/* Ask whether a dma-buf is gone, and if so, note it */
static bool is_gone(XenPgdirMapper *mapper, XenGrantDmabuf *dmabuf)
{
    if (mapper->ops.dmabuf_in_use(mapper->opaque, dmabuf->id)) {
        return false;
    }
    dmabuf_free(mapper, dmabuf);
    return true;
}

bool xen_grant_dmabuf_collect(XenPgdirMapper *mapper)
{
    GList *link = mapper->dmabufs.head;
    bool found = false;

    while (link) {
        XenGrantDmabuf *dmabuf = link->data;

        link = link->next;
        found |= is_gone(mapper, dmabuf);
    }
    return found;
}

bool xen_grant_dmabuf_in_use(XenPgdirBuffer *buffer)
{
    return buffer->dmabuf && !is_gone(buffer->mapper, buffer->dmabuf);
}

void xen_grant_dmabuf_detach(XenPgdirBuffer *buffer)
{
    if (xen_grant_dmabuf_in_use(buffer)) {
        buffer->dmabuf->buffer = NULL;
        buffer->dmabuf = NULL;
    }
}

void xen_grant_dmabuf_clear(XenPgdirMapper *mapper)
{
    while (mapper->dmabufs.head) {
        dmabuf_free(mapper, mapper->dmabufs.head->data);
    }
}

/* What can be said before anything is tried */
static int32_t check_export(XenPgdirBuffer *buffer, uint32_t flags)
{
    XenPgdirMapper *mapper = buffer->mapper;
    int32_t ret = xen_grant_buffer_check(buffer, 0, 1);

    if (ret) {
        return ret;
    }
    if (flags & (flags - 1) ||
        flags & ~(XEN_PGDIR_DMABUF_WC | XEN_PGDIR_DMABUF_COHERENT)) {
        return xen_grant_mapper_fail(mapper, -EINVAL, XEN_PGDIR_CAUSE_CALLER,
                                     "these are no flags of a dma-buf: 0x%"
                                     PRIx32, flags);
    }
    if (buffer->shared) {
        return xen_grant_mapper_fail(mapper, -EOPNOTSUPP,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the pages are the host's");
    }
    if (!mapper->ops.dmabuf_export) {
        return xen_grant_mapper_fail(mapper, -EOPNOTSUPP,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the mapper cannot make dma-bufs");
    }
    if (!buffer->writable) {
        return xen_grant_mapper_fail(mapper, -EACCES, XEN_PGDIR_CAUSE_CALLER,
                                     "the buffer is read-only, and a dma-buf "
                                     "is not");
    }
    if (xen_grant_dmabuf_in_use(buffer)) {
        return xen_grant_mapper_fail(mapper, -EALREADY,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the buffer has a dma-buf already");
    }
    return 0;
}

static int32_t cannot_export(XenPgdirMapper *mapper, uint32_t pages,
                             int32_t error)
{
    mapper->full = 0;
    if (error > 0) {
        return xen_grant_mapper_fail(mapper, -EIO, XEN_PGDIR_CAUSE_CALLER,
                                     "the export operation returned %" PRId32,
                                     error);
    }
    return xen_grant_mapper_fail(mapper, error,
                                 error == -EINVAL || error == -EFAULT ?
                                 XEN_PGDIR_CAUSE_GUEST : XEN_PGDIR_CAUSE_HOST,
                                 "cannot make a dma-buf of %" PRIu32
                                 " pages: %s", pages, g_strerror(-error));
}

int32_t xen_pgdir_buffer_export(XenPgdirBuffer *buffer, uint32_t flags,
                                int32_t *fd)
{
    XenPgdirMapper *mapper = buffer->mapper;
    XenGrantDmabuf *dmabuf;
    bool doubted = false;
    int32_t made = -1;
    uint32_t id = 0;
    int32_t ret;

    ret = check_export(buffer, flags);
    if (ret) {
        return ret;
    }
    ret = xen_grant_mapper_make_pages(mapper, buffer->pages);
    if (ret) {
        return ret;
    }
    do {
        ret = mapper->ops.dmabuf_export(mapper->opaque, buffer->refs,
                                        buffer->pages, flags, &made, &id);
    } while (ret && xen_grant_mapper_may_retry(mapper, ret, buffer->pages,
                                               &doubted));
    if (ret) {
        return cannot_export(mapper, buffer->pages, ret);
    }

    dmabuf = g_new0(XenGrantDmabuf, 1);
    dmabuf->id = id;
    dmabuf->pages = buffer->pages;
    dmabuf->buffer = buffer;
    dmabuf->link.data = dmabuf;
    g_queue_push_tail_link(&mapper->dmabufs, &dmabuf->link);
    buffer->dmabuf = dmabuf;
    mapper->dmabuf_pages += buffer->pages;
    mapper->direct.pages += buffer->pages;
    mapper->direct.pinned += buffer->pages;
    mapper->mappings++;
    *fd = made;
    return 0;
}
