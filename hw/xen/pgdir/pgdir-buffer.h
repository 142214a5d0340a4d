/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The buffer that the public functions share (internal)
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_PGDIR_BUFFER_H
#define HW_XEN_PGDIR_PGDIR_BUFFER_H

#include "grant-map.h"

/**
 * struct XenPgdirBuffer - a buffer
 *
 * @object: its pages
 * @size: bytes
 * @live: it was not revoked, and does not retire
 * @shared: the pages are the host's
 * @retiring: it is in XenPgdirMapper.retiring, by @link, and has a reference
 *     for that
 * @deadline, @retired, @opaque: from xen_pgdir_buffer_retire()
 */
struct XenPgdirBuffer {
    XenGrantObject object;
    uint64_t size;
    uint32_t refcount;
    bool live;
    bool shared;
    bool retiring;
    uint64_t deadline;
    XenPgdirRetired retired;
    void *opaque;
    GList link;
};

/** xen_grant_buffer_refuse: say why a window may not be looked at */
int32_t xen_grant_buffer_refuse(const XenPgdirBuffer *buffer, uint64_t offset,
                                uint64_t length);

/**
 * xen_grant_buffer_check: whether a window may be looked at
 *
 * Returns: 0, -ESTALE or -EINVAL.
 */
static inline int32_t xen_grant_buffer_check(const XenPgdirBuffer *buffer,
                                             uint64_t offset, uint64_t length)
{
    uint64_t end = (uint64_t)buffer->object.pages * XEN_PGDIR_PAGE_SIZE;

    if (G_LIKELY(buffer->live && length && offset < end &&
                 length <= end - offset)) {
        return 0;
    }
    return xen_grant_buffer_refuse(buffer, offset, length);
}

/** xen_grant_buffer_end_retiring: revoke a buffer that retires, and say so */
void xen_grant_buffer_end_retiring(XenPgdirBuffer *buffer, int32_t status);

#endif /* HW_XEN_PGDIR_PGDIR_BUFFER_H */
