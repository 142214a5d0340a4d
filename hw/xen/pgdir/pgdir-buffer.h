/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the public functions of buffers share (internal)
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_PGDIR_BUFFER_H
#define HW_XEN_PGDIR_PGDIR_BUFFER_H

#include "grant-map.h"

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
    uint64_t end = (uint64_t)buffer->pages * XEN_PGDIR_PAGE_SIZE;

    if (G_LIKELY(buffer->live && length && offset < end &&
                 length <= end - offset)) {
        return 0;
    }
    return xen_grant_buffer_refuse(buffer, offset, length);
}

/** xen_grant_buffer_end_retiring: revoke a buffer that retires, and say so */
void xen_grant_buffer_end_retiring(XenPgdirBuffer *buffer, int32_t status);

#endif /* HW_XEN_PGDIR_PGDIR_BUFFER_H */
