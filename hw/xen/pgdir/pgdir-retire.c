/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Buffers that are revoked when their last view goes, and their dma-buf
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-buffer.h"

/* The owner may do anything in its function, so all is done before */
void xen_grant_buffer_end_retiring(XenPgdirBuffer *buffer, int32_t status)
{
    g_queue_unlink(&buffer->mapper->retiring, &buffer->link);
    buffer->retiring = false;
    buffer->on_idle = NULL;
    xen_grant_buffer_revoke(buffer);
    if (buffer->retired) {
        buffer->retired(buffer->opaque, status);
    }
    xen_pgdir_buffer_unref(buffer);
}

static void last_view_went(XenPgdirBuffer *buffer)
{
    if (xen_grant_dmabuf_in_use(buffer)) {
        xen_grant_buffer_drop_idle(buffer);
    } else {
        xen_grant_buffer_end_retiring(buffer, 0);
    }
}

int32_t xen_pgdir_buffer_retire(XenPgdirBuffer *buffer, uint64_t deadline,
                                XenPgdirRetired retired, void *opaque)
{
    XenPgdirMapper *mapper = buffer->mapper;

    switch (xen_pgdir_buffer_state(buffer)) {
    case XEN_PGDIR_STATE_RETIRING:
        return xen_grant_mapper_fail(mapper, -EALREADY, XEN_PGDIR_CAUSE_CALLER,
                                     "the buffer retires already");
    case XEN_PGDIR_STATE_REVOKED:
        return xen_grant_mapper_fail(mapper, -ESTALE, XEN_PGDIR_CAUSE_CALLER,
                                     "the buffer was revoked");
    default:
        break;
    }
    xen_pgdir_buffer_ref(buffer);
    buffer->live = false;
    buffer->retiring = true;
    buffer->deadline = deadline;
    buffer->retired = retired;
    buffer->opaque = opaque;
    buffer->link.data = buffer;
    g_queue_push_tail_link(&mapper->retiring, &buffer->link);
    buffer->on_idle = last_view_went;
    if (!xen_grant_buffer_drop_idle(buffer)) {
        last_view_went(buffer);
    }
    return 0;
}

/* One that waited for its dma-buf alone, which is gone */
static XenPgdirBuffer *first_idle(XenPgdirMapper *mapper)
{
    GList *link;

    for (link = mapper->retiring.head; link; link = link->next) {
        XenPgdirBuffer *buffer = link->data;

        if (!buffer->dmabuf && !xen_grant_buffer_is_pinned(buffer)) {
            return buffer;
        }
    }
    return NULL;
}

/* Whoever calls has a reference to the mapper; its buffers may go */
static void end_idle(XenPgdirMapper *mapper)
{
    XenPgdirBuffer *buffer;

    xen_grant_dmabuf_collect(mapper);
    while ((buffer = first_idle(mapper))) {
        xen_grant_buffer_end_retiring(buffer, 0);
    }
}

uint32_t xen_pgdir_mapper_poll(XenPgdirMapper *mapper)
{
    uint32_t in_use;

    xen_pgdir_mapper_ref(mapper);
    end_idle(mapper);
    in_use = mapper->dmabufs.length;
    xen_pgdir_mapper_unref(mapper);
    return in_use;
}

static XenPgdirBuffer *first_to_expire(XenPgdirMapper *mapper)
{
    XenPgdirBuffer *first = NULL;
    GList *link;

    for (link = mapper->retiring.head; link; link = link->next) {
        XenPgdirBuffer *buffer = link->data;

        if (!first || buffer->deadline < first->deadline) {
            first = buffer;
        }
    }
    return first;
}

uint64_t xen_pgdir_mapper_expire(XenPgdirMapper *mapper, uint64_t now)
{
    XenPgdirBuffer *buffer;
    uint64_t next;

    /* The last of them may hold the last reference */
    xen_pgdir_mapper_ref(mapper);
    end_idle(mapper);
    while (true) {
        buffer = first_to_expire(mapper);
        next = buffer ? buffer->deadline : UINT64_MAX;
        if (next == UINT64_MAX || next > now) {
            break;
        }
        xen_grant_buffer_end_retiring(buffer, -ETIMEDOUT);
    }
    xen_pgdir_mapper_unref(mapper);
    return next;
}
