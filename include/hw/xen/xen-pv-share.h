/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharing pages of the host's with a guest: the opposite direction of QEMU's
 * grant operations, which lack it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_SHARE_H
#define HW_XEN_XEN_PV_SHARE_H

#include "hw/xen/xen_backend_ops.h"

/**
 * struct XenPvShareOps - how pages are allocated and granted to a guest
 *
 * @open: open a handle; NULL and errno on failure
 * @close: close it.  Nothing is shared by it any more.
 * @share: allocate @count zeroed pages at one contiguous address and grant
 *     domain @domid to read and to write them; store the references in @refs.
 *     Returns the address, or NULL and errno.
 * @unshare: undo one @share.  Pages that the guest still has mapped are freed
 *     when it lets go of them.
 * @advice: what an administrator may do about a failure with that @err, when
 *     @count pages were asked for: one phrase, to be freed with g_free(), or
 *     NULL
 * @replace_map: as qemu_xen_gnttab_unmap(), but the anonymous memory at @copy
 *     takes the place of the pages at once.  Returns 0; 1 when the pages are
 *     unmapped but @copy could not be moved there; or -1 and errno, and then
 *     nothing has changed.
 * @open_grants: as qemu_xen_gnttab_open(), but what a guest does wrong is not
 *     written to the log by the library, which would write without end.  NULL
 *     where QEMU's operations write nothing.
 */
typedef struct XenPvShareOps {
    void *(*open)(void);
    void (*close)(void *handle);
    void *(*share)(void *handle, uint32_t domid, uint32_t count,
                   uint32_t *refs);
    void (*unshare)(void *handle, void *addr, uint32_t count);
    char *(*advice)(int err, uint32_t count);
    int (*replace_map)(xengnttab_handle *xgt, void *addr, uint32_t *refs,
                       uint32_t count, void *copy);
    xengnttab_handle *(*open_grants)(void);
} XenPvShareOps;

/**
 * xen_pv_share_ops: the operations, or NULL where pages cannot be shared
 *
 * On a real Xen they are set when the bus is made.  Who fakes a Xen may set
 * them before.
 */
extern const XenPvShareOps *xen_pv_share_ops;

#endif /* HW_XEN_XEN_PV_SHARE_H */
