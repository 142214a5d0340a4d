/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window of a buffer in pieces
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/uio.h>
#include "pgdir-buffer.h"

/* Pages of a piece: they start at multiples of that, to be found again */
static uint64_t pages_of_piece(const XenPgdirBuffer *buffer)
{
    uint32_t limit = buffer->mapper->config.max_map_count;

    return limit && !buffer->shared ? limit : buffer->pages;
}

int32_t xen_pgdir_buffer_view_iov(XenPgdirBuffer *buffer, uint64_t offset,
                                  uint64_t length, XenPgdirView **views,
                                  struct iovec *iov, uint32_t max,
                                  uint32_t *count)
{
    uint64_t piece = pages_of_piece(buffer) * XEN_PGDIR_PAGE_SIZE;
    uint64_t end = offset + length;
    uint64_t pieces, at, n;
    uint32_t done = 0;
    int32_t ret = xen_grant_buffer_check(buffer, offset, length);

    if (ret) {
        return ret;
    }
    pieces = (end - 1) / piece - offset / piece + 1;
    if (pieces > max) {
        *count = pieces;
        return xen_grant_mapper_fail(buffer->mapper, -ENOBUFS,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "%" PRIu64 " pieces are more than %"
                                     PRIu32, pieces, max);
    }
    for (at = offset; at < end; at += n) {
        n = MIN(end - at, piece - at % piece);
        ret = xen_pgdir_buffer_view(buffer, at, n, &views[done],
                                    &iov[done].iov_base);
        if (ret) {
            while (done > 0) {
                xen_pgdir_view_unref(views[--done]);
            }
            return ret;
        }
        iov[done].iov_len = n;
        done++;
    }
    *count = done;
    return 0;
}
