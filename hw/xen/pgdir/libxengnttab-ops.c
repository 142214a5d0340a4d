/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ready operations for a mapper, over libxengnttab and libxengntshr
 *
 * Part of libxenpgdir alone: QEMU has a table of grant operations of its own,
 * which may be emulated.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/xen.h>

#include "hw/xen/xen-pgdir.h"
#include "linux-grants.h"

/*
 * @xgs: opened when pages are shared for the first time: few need it, and
 *     the kernel's half of it may not be there
 * @borrowed: the handles are the caller's
 */
typedef struct Grants {
    xengnttab_handle *xgt;
    xengntshr_handle *xgs;
    uint32_t domid;
    bool borrowed;
} Grants;

/* The libraries set errno, but a NULL without it must not pass for success */
static int32_t error_of(int fallback)
{
    return errno > 0 ? -errno : -fallback;
}

static int32_t grants_map(void *opaque, const uint32_t *refs, uint32_t count,
                          uint32_t writable, void **addr)
{
    Grants *grants = opaque;

    errno = 0;
    *addr = xengnttab_map_domain_grant_refs(grants->xgt, count, grants->domid,
                                            (uint32_t *)refs,
                                            PROT_READ |
                                            (writable ? PROT_WRITE : 0));
    return *addr ? 0 : error_of(EFAULT);
}

static void grants_unmap(void *opaque, void *addr, const uint32_t *refs,
                         uint32_t count)
{
    Grants *grants = opaque;

    xengnttab_unmap(grants->xgt, addr, count);
}

static int32_t grants_share(void *opaque, uint32_t count, uint32_t writable,
                            uint32_t *refs, void **addr)
{
    Grants *grants = opaque;

    errno = 0;
    if (!grants->xgs) {
        grants->xgs = xengntshr_open(xen_linux_grants_logger(), 0);
        if (!grants->xgs) {
            return error_of(ENODEV);
        }
    }
    *addr = xengntshr_share_pages(grants->xgs, grants->domid, count, refs,
                                   writable);
    return *addr ? 0 : error_of(ENOMEM);
}

static void grants_unshare(void *opaque, void *addr, const uint32_t *refs,
                           uint32_t count)
{
    Grants *grants = opaque;

    xengntshr_unshare(grants->xgs, addr, count);
}

static int32_t grants_replace(void *opaque, void *addr, const uint32_t *refs,
                              uint32_t count, void *copy)
{
    Grants *grants = opaque;
    int ret;

    errno = 0;
    ret = xen_linux_grants_replace_map(grants->xgt, addr, count, copy);
    return ret < 0 ? error_of(EIO) : ret;
}

static void grants_destroy(void *opaque)
{
    Grants *grants = opaque;

    if (!grants->borrowed) {
        if (grants->xgs) {
            xengntshr_close(grants->xgs);
        }
        xengnttab_close(grants->xgt);
    }
    g_free(grants);
}

/* @grants is freed if that fails */
static int32_t new_mapper(Grants *grants, const XenPgdirConfig *config,
                          XenPgdirMapper **mapper)
{
    bool shares = grants->xgs || !grants->borrowed;
    const XenPgdirGrantOps ops = {
        .size = sizeof(ops),
        .map = grants_map,
        .unmap = grants_unmap,
        .destroy = grants_destroy,
        .share = shares ? grants_share : NULL,
        .unshare = shares ? grants_unshare : NULL,
        .replace = grants_replace,
    };
    int32_t ret = xen_pgdir_mapper_new(&ops, grants, config, mapper);

    if (ret) {
        grants_destroy(grants);
    }
    return ret;
}

int32_t xen_pgdir_mapper_open(uint32_t domid, const XenPgdirConfig *config,
                              XenPgdirMapper **mapper)
{
    Grants *grants;
    int32_t ret;

    if (domid >= DOMID_FIRST_RESERVED) {
        return -EINVAL;
    }
    grants = g_new0(Grants, 1);
    grants->domid = domid;
    errno = 0;
    grants->xgt = xengnttab_open(xen_linux_grants_logger(), 0);
    if (!grants->xgt) {
        ret = error_of(ENODEV);
        g_free(grants);
        return ret;
    }
    return new_mapper(grants, config, mapper);
}

int32_t xen_pgdir_mapper_open_handles(struct xengntdev_handle *xgt,
                                      struct xengntdev_handle *xgs,
                                      uint32_t domid,
                                      const XenPgdirConfig *config,
                                      XenPgdirMapper **mapper)
{
    Grants *grants;

    if (!xgt || domid >= DOMID_FIRST_RESERVED) {
        return -EINVAL;
    }
    grants = g_new0(Grants, 1);
    grants->xgt = xgt;
    grants->xgs = xgs;
    grants->domid = domid;
    grants->borrowed = true;
    return new_mapper(grants, config, mapper);
}
