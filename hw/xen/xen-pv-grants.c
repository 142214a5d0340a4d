/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's grant operations for the page-directory helper.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/xen-pv-share.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "trace.h"

/*
 * @backend: whose log tells of what the host lacks.  Pages are shared only
 *     while it is there, and unshared perhaps later.
 * @share_ops: NULL where pages cannot be shared
 * @share: handle of these; opened when first needed
 */
typedef struct XenPvGrants {
    xengnttab_handle *xgt;
    domid_t domid;
    XenPvBackend *backend;
    const XenPvShareOps *share_ops;
    void *share;
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

/*
 * Nobody expects that to fail.  But if it does, pages of the guest stay with
 * us, perhaps until QEMU ends; so see first whether that was for once.
 */
void xen_pv_unmap(xengnttab_handle *xgt, uint32_t domid, void *addr,
                  const uint32_t *refs, uint32_t count)
{
    int tries, ret, err = -1;

    for (tries = 0; tries < 2 && err; tries++) {
        errno = 0;
        ret = qemu_xen_gnttab_unmap(xgt, addr, (uint32_t *)refs, count);
        /* KVM's emulation returns the error, and libxengnttab -1 */
        err = ret < 0 ? (errno ? errno : -ret) : 0;
        trace_xen_pv_grants_unmap(domid, count, addr, err);
    }
    if (err) {
        warn_report("%" PRIu32 " pages of domain %" PRIu32 " could not be "
                    "unmapped: %s", count, domid, strerror(err));
    }
}

static void xen_pv_grants_unmap(void *opaque, void *addr,
                                const uint32_t *refs, uint32_t count)
{
    XenPvGrants *grants = opaque;

    xen_pv_unmap(grants->xgt, grants->domid, addr, refs, count);
}

static int32_t xen_pv_grants_share(void *opaque, uint32_t count,
                                   uint32_t *refs, void **addr)
{
    XenPvGrants *grants = opaque;
    const XenPvShareOps *ops = grants->share_ops;
    g_autofree char *advice = NULL;
    int err;

    errno = 0;
    if (!grants->share) {
        grants->share = ops->open();
    }
    *addr = grants->share ? ops->share(grants->share, grants->domid, count,
                                       refs)
                          : NULL;
    err = *addr ? 0 : errno ? errno : ENOMEM;
    trace_xen_pv_grants_share(grants->domid, count, *addr, err);
    if (err) {
        advice = ops->advice(err, count);
        xen_pv_guest_warn(grants->backend,
                          "cannot share %" PRIu32 " pages with the guest: "
                          "%s%s%s", count, strerror(err),
                          advice ? "; " : "", advice ? advice : "");
    }

    return -err;
}

static void xen_pv_grants_unshare(void *opaque, void *addr,
                                  const uint32_t *refs, uint32_t count)
{
    XenPvGrants *grants = opaque;

    trace_xen_pv_grants_unshare(grants->domid, count, addr);
    grants->share_ops->unshare(grants->share, addr, count);
}

static int32_t xen_pv_grants_replace(void *opaque, void *addr,
                                     const uint32_t *refs, uint32_t count,
                                     uint32_t shared, void *copy)
{
    XenPvGrants *grants = opaque;
    const XenPvShareOps *ops = grants->share_ops;
    int ret, err;

    if (shared) {
        ret = ops->replace_share(grants->share, addr, count, copy);
    } else {
        ret = ops->replace_map(grants->xgt, addr, (uint32_t *)refs, count,
                               copy);
    }
    err = ret < 0 ? errno : 0;
    trace_xen_pv_grants_replace(grants->domid, count, addr, shared, err);

    return -err;
}

static void xen_pv_grants_destroy(void *opaque)
{
    XenPvGrants *grants = opaque;

    if (grants->share) {
        grants->share_ops->close(grants->share);
    }
    qemu_xen_gnttab_close(grants->xgt);
    g_free(grants);
}

XenPgdirMapper *xen_pv_mapper_new(XenPvBackend *backend, uint32_t max_pages,
                                  Error **errp)
{
    const XenPgdirGrantOps ops = {
        .map = xen_pv_grants_map,
        .unmap = xen_pv_grants_unmap,
        .destroy = xen_pv_grants_destroy,
        .share = xen_pv_share_ops ? xen_pv_grants_share : NULL,
        .unshare = xen_pv_share_ops ? xen_pv_grants_unshare : NULL,
        .replace = xen_pv_share_ops ? xen_pv_grants_replace : NULL,
    };
    const XenPgdirConfig config = {
        .max_pages = max_pages,
        .max_buffer_pages = max_pages,
        .max_map_count = qemu_xen_gnttab_can_map_multi() ?
                         backend->max_map_count : 1,
    };
    XenPvGrants *grants = g_new0(XenPvGrants, 1);
    XenPgdirMapper *mapper;
    int ret;

    grants->domid = backend->xendev.frontend_id;
    grants->backend = backend;
    grants->share_ops = xen_pv_share_ops;
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
