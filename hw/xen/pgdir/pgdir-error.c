/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a mapper tells of its last failure
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "grant-map.h"

int32_t xen_grant_mapper_fail(XenPgdirMapper *mapper, int32_t status,
                              uint32_t cause, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_vsnprintf(mapper->message, sizeof(mapper->message), format, ap);
    va_end(ap);
    mapper->error.status = status;
    mapper->error.cause = cause;
    mapper->error.limit = 0;
    return status;
}

int32_t xen_grant_mapper_no_memory(XenPgdirMapper *mapper)
{
    return xen_grant_mapper_fail(mapper, -ENOMEM, XEN_PGDIR_CAUSE_HOST,
                                 "no memory");
}

/* Failures of this kind may be many: see find_pinned() */
int32_t xen_grant_mapper_full(XenPgdirMapper *mapper, uint32_t limit)
{
    if (limit == XEN_PGDIR_FULL_PAGES) {
        xen_grant_mapper_fail(mapper, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET,
                              "max_pages is reached: %" PRIu32,
                              mapper->config.max_pages);
    } else {
        xen_grant_mapper_fail(mapper, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET,
                              "max_mappings is reached: %" PRIu32,
                              mapper->config.max_mappings);
    }
    mapper->error.limit = limit;
    mapper->full = limit;
    return -ENOSPC;
}

void xen_pgdir_mapper_error(const XenPgdirMapper *mapper,
                            XenPgdirError *error, uint32_t size)
{
    memset(error, 0, size);
    memcpy(error, &mapper->error, MIN(size, sizeof(mapper->error)));
}
