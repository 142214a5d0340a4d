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

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <xen/sys/gntdev.h>
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

QEMU_BUILD_BUG_ON(XEN_PGDIR_DMABUF_WC != GNTDEV_DMA_FLAG_WC);
QEMU_BUILD_BUG_ON(XEN_PGDIR_DMABUF_COHERENT != GNTDEV_DMA_FLAG_COHERENT);

/*
 * A kernel that makes no dma-bufs of grants says ENOTTY, or, in a PV domain,
 * EINVAL, as it does for a bad grant.  But it does so before it looks at the
 * request: asked with a bad address, one that makes them says EFAULT.
 */
static int32_t export_error(Grants *grants)
{
    int32_t error = error_of(EIO);

    if (error == -EINVAL &&
        ioctl(xengnttab_fd(grants->xgt), IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS,
              NULL) < 0 && errno != EFAULT) {
        return -EOPNOTSUPP;
    }
    return error == -ENOTTY ? -EOPNOTSUPP : error;
}

/*
 * The kernel knows a dma-buf by the number of the descriptor that it made, also
 * when that is closed.  Another dma-buf with the same number would be taken for
 * it.  So the caller gets a descriptor of another number, and something else
 * keeps this one from being used: not the dma-buf, which would never be gone.
 */
static int32_t reserve_number(int number, int32_t *fd)
{
    int copy = fcntl(number, F_DUPFD_CLOEXEC, 0);
    int other = copy < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
    int32_t error;

    if (other >= 0 && dup3(other, number, O_CLOEXEC) >= 0) {
        close(other);
        *fd = copy;
        return 0;
    }
    error = error_of(EIO);
    if (other >= 0) {
        close(other);
    }
    if (copy >= 0) {
        close(copy);
    }
    /* It was the only one: the kernel unmaps the pages */
    close(number);
    return error;
}

static int32_t grants_dmabuf_export(void *opaque, const uint32_t *refs,
                                    uint32_t count, uint32_t flags,
                                    int32_t *fd, uint32_t *id)
{
    Grants *grants = opaque;

    errno = 0;
    if (xengnttab_dmabuf_exp_from_refs(grants->xgt, grants->domid, flags,
                                       count, refs, id) < 0) {
        return export_error(grants);
    }
    return reserve_number(*id, fd);
}

/*
 * What xengnttab_dmabuf_exp_wait_released() does, but for telling the handle's
 * logger each time that it is not yet.  Whatever else is wrong, such as no
 * memory: it may be in use.
 */
static int32_t grants_dmabuf_in_use(void *opaque, uint32_t id)
{
    struct ioctl_gntdev_dmabuf_exp_wait_released now = { .fd = id };
    Grants *grants = opaque;

    return ioctl(xengnttab_fd(grants->xgt),
                 IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &now) < 0 &&
           errno != ENOENT;
}

static void grants_dmabuf_forget(void *opaque, uint32_t id)
{
    close(id);
}

static int32_t grants_dmabuf_import(void *opaque, int32_t fd, uint32_t count,
                                    uint32_t *refs)
{
    Grants *grants = opaque;

    errno = 0;
    if (xengnttab_dmabuf_imp_to_refs(grants->xgt, grants->domid, fd, count,
                                     refs) == 0) {
        return 0;
    }
    return errno == ENOTTY ? -EOPNOTSUPP : error_of(EIO);
}

static void grants_dmabuf_release(void *opaque, int32_t fd)
{
    Grants *grants = opaque;

    xengnttab_dmabuf_imp_release(grants->xgt, fd);
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
        .dmabuf_export = grants_dmabuf_export,
        .dmabuf_in_use = grants_dmabuf_in_use,
        .dmabuf_forget = grants_dmabuf_forget,
        .dmabuf_import = grants_dmabuf_import,
        .dmabuf_release = grants_dmabuf_release,
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
