/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libxengnttab and libxengntshr leave to be done: silence, and replacing
 * a mapping in one go.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/ioctl.h>
#include <xen/sys/gntdev.h>

#include "hw/xen/xen-pgdir.h"
#include "linux-grants.h"

static void quiet_message(xentoollog_logger *logger, xentoollog_level level,
                          int errnoval, const char *context,
                          const char *format, va_list al)
{
}

static void quiet_progress(xentoollog_logger *logger, const char *context,
                           const char *doing_what, int percent,
                           unsigned long done, unsigned long total)
{
}

static void quiet_destroy(xentoollog_logger *logger)
{
}

xentoollog_logger *xen_linux_grants_logger(void)
{
    static xentoollog_logger quiet_logger = {
        .vmessage = quiet_message,
        .progress = quiet_progress,
        .destroy = quiet_destroy,
    };

    return &quiet_logger;
}

/*
 * What xengnttab_unmap() does, but for its munmap(), which would leave the
 * address to whoever comes first: memory moves over the mapping, and the
 * kernel unmaps what was there.
 *
 * If the kernel runs out of memory half-way, what was there is unmapped all the
 * same, and the device could not tell any more by the address what it was.  So
 * that is asked first.
 */
int xen_linux_grants_replace_map(xengnttab_handle *xgt, void *addr,
                                 uint32_t count, void *copy)
{
    struct ioctl_gntdev_get_offset_for_vaddr where = {
        .vaddr = (uintptr_t)addr,
    };
    struct ioctl_gntdev_unmap_grant_ref unmap = { .count = count };
    size_t size = (size_t)count * XEN_PGDIR_PAGE_SIZE;
    int fd = xengnttab_fd(xgt);
    bool moved;

    if (ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &where) < 0) {
        return -1;
    }
    if (where.count != count) {
        errno = EINVAL;
        return -1;
    }
    moved = mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                   addr) != MAP_FAILED;
    if (!moved && munmap(addr, size) < 0) {
        return -1;
    }
    /* It fails only if it is done already: there is no mapping to be left */
    unmap.index = where.offset;
    ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);

    return moved ? 0 : 1;
}
