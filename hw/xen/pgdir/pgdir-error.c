/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a mapper tells of its last failure
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "grant-map.h"

int32_t xen_grant_map_fail(XenGrantMap *map, int32_t status, uint32_t cause,
                           const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_vsnprintf(map->message, sizeof(map->message), format, ap);
    va_end(ap);
    map->error.status = status;
    map->error.cause = cause;
    map->error.limit = 0;
    return status;
}

int32_t xen_grant_map_no_memory(XenGrantMap *map)
{
    return xen_grant_map_fail(map, -ENOMEM, XEN_PGDIR_CAUSE_HOST,
                              "no memory");
}

/* Failures of this kind may be many: see find_pinned() */
int32_t xen_grant_map_full(XenGrantMap *map, uint32_t limit)
{
    if (limit == XEN_PGDIR_FULL_PAGES) {
        xen_grant_map_fail(map, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET,
                           "max_pages is reached: %" PRIu32,
                           map->config.max_pages);
    } else {
        xen_grant_map_fail(map, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET,
                           "max_mappings is reached: %" PRIu32,
                           map->config.max_mappings);
    }
    map->error.limit = limit;
    map->full = limit;
    return -ENOSPC;
}

void xen_pgdir_mapper_error(const XenPgdirMapper *mapper,
                            XenPgdirError *error, uint32_t size)
{
    memset(error, 0, size);
    memcpy(error, &mapper->error, MIN(size, sizeof(mapper->error)));
}
