/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's grant operations for the page-directory helper.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-backend.h"
#include "qapi/error.h"
#include "trace.h"

typedef struct XenPvGrants {
    xengnttab_handle *xgt;
    domid_t domid;
} XenPvGrants;

static int32_t xen_pv_grants_map(void *opaque, const uint32_t *refs,
                                 uint32_t count, uint32_t writable,
                                 void **addr)
{
    XenPvGrants *grants = opaque;
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);

    errno = 0;
    *addr = qemu_xen_gnttab_map_refs(grants->xgt, count, grants->domid,
                                     (uint32_t *)refs, prot);
    trace_xen_pv_grants_map(grants->domid, count, writable, *addr, errno);
    if (!*addr) {
        return errno ? -errno : -EFAULT;
    }

    return 0;
}

static void xen_pv_grants_unmap(void *opaque, void *addr,
                                const uint32_t *refs, uint32_t count)
{
    XenPvGrants *grants = opaque;
    int ret = qemu_xen_gnttab_unmap(grants->xgt, addr, (uint32_t *)refs,
                                    count);

    trace_xen_pv_grants_unmap(grants->domid, count, addr, ret);
}

static void xen_pv_grants_destroy(void *opaque)
{
    XenPvGrants *grants = opaque;

    qemu_xen_gnttab_close(grants->xgt);
    g_free(grants);
}

XenPgdirMapper *xen_pv_mapper_new(XenPvBackend *backend, uint32_t max_pages,
                                  Error **errp)
{
    static const XenPgdirGrantOps ops = {
        .map = xen_pv_grants_map,
        .unmap = xen_pv_grants_unmap,
        .destroy = xen_pv_grants_destroy,
    };
    const XenPgdirConfig config = {
        .max_pages = max_pages,
        .max_buffer_pages = max_pages,
        .max_map_count = qemu_xen_gnttab_can_map_multi() ? 0 : 1,
    };
    XenPvGrants *grants = g_new0(XenPvGrants, 1);
    XenPgdirMapper *mapper;
    int ret;

    grants->domid = backend->xendev.frontend_id;
    grants->xgt = qemu_xen_gnttab_open();
    if (!grants->xgt) {
        error_setg_errno(errp, errno, "cannot open the grant device");
        g_free(grants);
        return NULL;
    }

    ret = xen_pgdir_mapper_new(&ops, grants, &config, &mapper);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot set up the map cache");
        xen_pv_grants_destroy(grants);
        return NULL;
    }

    return mapper;
}
