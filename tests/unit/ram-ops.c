/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grant operations of a mapper over a map of the guest's RAM
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "ram-ops.h"

static int32_t op_map(void *opaque, const uint32_t *refs, uint32_t count,
                      uint32_t writable, void **addr)
{
    return xen_ram_map_window(opaque, refs, count, writable, addr);
}

static int32_t op_map_page(void *opaque, uint32_t ref, uint32_t writable,
                           void **addr)
{
    return xen_ram_map_own(opaque, ref, writable, addr);
}

static void op_unmap(void *opaque, void *addr, const uint32_t *refs,
                     uint32_t count)
{
    xen_ram_unmap(opaque, addr, refs, count);
}

static int32_t op_replace(void *opaque, void *addr, const uint32_t *refs,
                          uint32_t count, void *copy)
{
    return xen_ram_replace(opaque, addr, refs, count, copy);
}

const XenPgdirGrantOps ram_ops = {
    .size = sizeof(ram_ops),
    .map = op_map,
    .unmap = op_unmap,
    .replace = op_replace,
    .map_page = op_map_page,
};
