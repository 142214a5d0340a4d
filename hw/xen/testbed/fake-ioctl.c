/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grant devices of a fake machine as Linux presents them
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/ioctl.h>
#include <xen/sys/gntalloc.h>
#include <xen/sys/gntdev.h>

#include "fake-dmabuf.h"
#include "fake-ioctl.h"

QEMU_BUILD_BUG_ON(sizeof(struct ioctl_gntdev_grant_ref) !=
                  sizeof(XenGntdevRef));
QEMU_BUILD_BUG_ON(sizeof(struct ioctl_gntdev_grant_copy_segment) !=
                  sizeof(XenGntdevSegment));

static XenGntHost host_of(XenFakeMachine *fake, uint32_t file)
{
    return xen_fake_host(fake, fake->header->files[file].domain);
}

/* gntdev */

static int map_grant_ref(XenFakeMachine *fake, XenGntdevFile *file, void *arg)
{
    struct ioctl_gntdev_map_grant_ref op;
    g_autofree XenGntdevRef *refs = NULL;
    int ret;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    ret = xen_gntdev_check_count(file, op.count);
    if (ret < 0) {
        return ret;
    }
    refs = g_new(XenGntdevRef, op.count);
    if (xen_fake_copy(refs, (char *)arg + offsetof(typeof(op), refs),
                      op.count * sizeof(refs[0])) < 0) {
        return -EFAULT;
    }
    ret = xen_gntdev_map(file, op.count, refs, &op.index);
    return ret < 0 ? ret : xen_fake_copy(arg, &op, sizeof(op));
}

static int unmap_grant_ref(XenGntdevFile *file, const XenGntHost *host,
                           void *arg)
{
    struct ioctl_gntdev_unmap_grant_ref op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_gntdev_unmap(file, host, op.index, op.count);
}

static int gntdev_notify(XenGntdevFile *file, const XenGntHost *host,
                         void *arg)
{
    struct ioctl_gntdev_unmap_notify op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_gntdev_set_notify(file, host, op.index, op.action,
                                 op.event_channel_port);
}

static int grant_copy(const XenGntHost *host, void *arg)
{
    struct ioctl_gntdev_grant_copy op;
    unsigned int i;
    int ret = 0;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    for (i = 0; i < op.count && !ret; i++) {
        XenGntdevSegment segment;

        ret = xen_fake_copy(&segment, &op.segments[i], sizeof(segment));
        if (!ret) {
            ret = xen_gntdev_copy(host, &segment);
        }
        if (!ret) {
            ret = xen_fake_copy(&op.segments[i].status, &segment.status,
                                sizeof(segment.status));
        }
    }
    return ret;
}

/* dma-bufs of gntdev, where the kernel has been built with them */

/* In a PV domain that is said before anything else is looked at */
static int dmabuf_export(XenFakeMachine *fake, uint32_t file, void *arg)
{
    struct ioctl_gntdev_dmabuf_exp_from_refs op;
    g_autofree uint32_t *refs = NULL;
    int ret;

    if (fake->header->config.dmabuf == 2) {
        return -EINVAL;
    }
    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    ret = xen_gntdev_check_count(xen_fake_gntdev(fake, file), op.count);
    if (ret < 0 || (op.flags & GNTDEV_DMA_FLAG_WC &&
                    op.flags & GNTDEV_DMA_FLAG_COHERENT)) {
        return ret < 0 ? ret : -EINVAL;
    }
    refs = g_new(uint32_t, op.count);
    if (xen_fake_copy(refs, (char *)arg + offsetof(typeof(op), refs),
                      op.count * sizeof(refs[0])) < 0) {
        return -EFAULT;
    }
    ret = xen_fake_dmabuf_export(fake, file, op.domid, op.count, refs);
    if (ret < 0) {
        return ret;
    }
    op.fd = ret;
    return xen_fake_copy(arg, &op, offsetof(typeof(op), refs));
}

static int dmabuf_wait_released(XenFakeMachine *fake, uint32_t file, void *arg)
{
    struct ioctl_gntdev_dmabuf_exp_wait_released op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_fake_dmabuf_wait_released(fake, file, op.fd);
}

static int dmabuf_import(XenFakeMachine *fake, uint32_t file, void *arg)
{
    struct ioctl_gntdev_dmabuf_imp_to_refs op;
    g_autofree uint32_t *refs = NULL;
    int ret;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    ret = xen_gntdev_check_count(xen_fake_gntdev(fake, file), op.count);
    if (ret < 0) {
        return ret;
    }
    refs = g_new(uint32_t, op.count);
    ret = xen_fake_dmabuf_import(fake, file, op.domid, op.fd, op.count, refs);
    return ret < 0 ? ret : xen_fake_copy(
        (char *)arg + offsetof(typeof(op), refs), refs,
        op.count * sizeof(refs[0]));
}

static int dmabuf_release(XenFakeMachine *fake, uint32_t file, void *arg)
{
    struct ioctl_gntdev_dmabuf_imp_release op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_fake_dmabuf_release(fake, file, op.fd);
}

static int dmabuf_ioctl(XenFakeMachine *fake, uint32_t number,
                        unsigned long request, void *arg)
{
    if (!fake->header->config.dmabuf) {
        return -ENOTTY;
    }
    switch (request) {
    case IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS:
        return dmabuf_export(fake, number, arg);
    case IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED:
        return dmabuf_wait_released(fake, number, arg);
    case IOCTL_GNTDEV_DMABUF_IMP_TO_REFS:
        return dmabuf_import(fake, number, arg);
    case IOCTL_GNTDEV_DMABUF_IMP_RELEASE:
        return dmabuf_release(fake, number, arg);
    default:
        return -ENOTTY;
    }
}

static int gntdev_ioctl(XenFakeMachine *fake, uint32_t number,
                        unsigned long request, void *arg)
{
    XenGntdevFile *file = xen_fake_gntdev(fake, number);
    XenGntHost host = host_of(fake, number);

    switch (request) {
    case IOCTL_GNTDEV_MAP_GRANT_REF:
        return map_grant_ref(fake, file, arg);
    case IOCTL_GNTDEV_UNMAP_GRANT_REF:
        return unmap_grant_ref(file, &host, arg);
    case IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR:
        return -EINVAL;
    case IOCTL_GNTDEV_SET_UNMAP_NOTIFY:
        return gntdev_notify(file, &host, arg);
    case IOCTL_GNTDEV_GRANT_COPY:
        return grant_copy(&host, arg);
    default:
        /* Also SET_MAX_GRANTS */
        return dmabuf_ioctl(fake, number, request, arg);
    }
}

bool xen_fake_ioctl_addr(unsigned long request, const void *arg,
                         uint64_t *addr)
{
    struct ioctl_gntdev_get_offset_for_vaddr op;

    if (request != IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR ||
        xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return false;
    }
    *addr = op.vaddr;
    return true;
}

int xen_fake_get_offset(XenFakeMachine *fake, uint32_t file, uint64_t index,
                        void *arg)
{
    struct ioctl_gntdev_get_offset_for_vaddr op;
    int ret;

    if (fake->header->files[file].kind != XEN_FAKE_GNTDEV) {
        return -EINVAL;
    }
    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    ret = xen_gntdev_get_offset(xen_fake_gntdev(fake, file), index, &op.offset,
                                &op.count);
    return ret < 0 ? ret : xen_fake_copy(arg, &op, sizeof(op));
}

/* gntalloc */

static XenGntalloc *gntalloc_of(XenFakeMachine *fake, uint32_t file)
{
    return xen_fake_gntalloc(fake, fake->header->files[file].domain);
}

static int alloc_gref(XenGntalloc *alloc, const XenGntHost *host,
                      uint32_t file, void *arg)
{
    struct ioctl_gntalloc_alloc_gref op;
    g_autofree uint32_t *refs = NULL;
    int ret;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    refs = g_try_new(uint32_t, op.count);
    if (!refs && op.count) {
        return -ENOMEM;
    }
    ret = xen_gntalloc_alloc(alloc, host, file, op.domid,
                             op.flags & GNTALLOC_FLAG_WRITABLE, op.count,
                             &op.index, refs);
    if (ret < 0) {
        return ret;
    }
    /* All but the references, which may be none */
    ret = xen_fake_copy(arg, &op, offsetof(typeof(op), gref_ids));
    return ret < 0 ? ret : xen_fake_copy(
        (char *)arg + offsetof(typeof(op), gref_ids), refs,
        op.count * sizeof(refs[0]));
}

static int dealloc_gref(XenGntalloc *alloc, const XenGntHost *host,
                        uint32_t file, void *arg)
{
    struct ioctl_gntalloc_dealloc_gref op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_gntalloc_dealloc(alloc, host, file, op.index, op.count);
}

static int gntalloc_notify(XenGntalloc *alloc, const XenGntHost *host,
                           uint32_t file, void *arg)
{
    struct ioctl_gntalloc_unmap_notify op;

    if (xen_fake_copy(&op, arg, sizeof(op)) < 0) {
        return -EFAULT;
    }
    return xen_gntalloc_set_notify(alloc, host, file, op.index, op.action,
                                   op.event_channel_port);
}

static int gntalloc_ioctl(XenFakeMachine *fake, uint32_t file,
                          unsigned long request, void *arg)
{
    XenGntalloc *alloc = gntalloc_of(fake, file);
    XenGntHost host = host_of(fake, file);

    switch (request) {
    case IOCTL_GNTALLOC_ALLOC_GREF:
        return alloc_gref(alloc, &host, file, arg);
    case IOCTL_GNTALLOC_DEALLOC_GREF:
        return dealloc_gref(alloc, &host, file, arg);
    case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
        return gntalloc_notify(alloc, &host, file, arg);
    default:
        return -ENOTTY;
    }
}

/* Either */

int xen_fake_ioctl(XenFakeMachine *fake, uint32_t file,
                   unsigned long request, void *arg)
{
    switch (fake->header->files[file].kind) {
    case XEN_FAKE_GNTDEV:
        return gntdev_ioctl(fake, file, request, arg);
    case XEN_FAKE_GNTALLOC:
        return gntalloc_ioctl(fake, file, request, arg);
    default:
        return -ENOTTY;
    }
}

int xen_fake_mmap(XenFakeMachine *fake, uint32_t file, uint64_t index,
                  uint32_t count, bool shared, bool write, uint32_t *frames)
{
    XenGntHost host = host_of(fake, file);

    switch (fake->header->files[file].kind) {
    case XEN_FAKE_GNTDEV:
        return xen_gntdev_mmap(xen_fake_gntdev(fake, file), &host, index,
                               count, shared, write, fake->process, frames);
    case XEN_FAKE_GNTALLOC:
        return xen_gntalloc_mmap(gntalloc_of(fake, file), file, index, count,
                                 shared, fake->process, frames);
    default:
        return xen_fake_dmabuf_mmap(fake, file, index, count, frames);
    }
}

void xen_fake_munmap(XenFakeMachine *fake, uint32_t file, uint64_t index,
                     uint32_t count)
{
    XenGntHost host = host_of(fake, file);

    if (fake->header->files[file].kind == XEN_FAKE_GNTDEV) {
        xen_gntdev_munmap(xen_fake_gntdev(fake, file), &host, index, count);
    } else if (fake->header->files[file].kind == XEN_FAKE_GNTALLOC) {
        xen_gntalloc_munmap(gntalloc_of(fake, file), &host, file, index,
                            count, fake->process);
    }
}
