/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU's table of grant operations lacks, for a real Xen: sharing pages of
 * the host's with a guest, by libxengntshr and Linux's gntalloc, and replacing
 * mappings in one go.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-pv-share.h"
#include "../pgdir/linux-grants.h"
#include "qemu/cutils.h"

#define GNTALLOC_LIMIT "/sys/module/xen_gntalloc/parameters/limit"

static void *gntshr_open(void)
{
    return xengntshr_open(xen_linux_grants_logger(), 0);
}

static void gntshr_close(void *handle)
{
    xengntshr_close(handle);
}

static void *gntshr_share(void *handle, uint32_t domid, uint32_t count,
                          uint32_t *refs)
{
    return xengntshr_share_pages(handle, domid, count, refs, 1);
}

static void gntshr_unshare(void *handle, void *addr, uint32_t count)
{
    xengntshr_unshare(handle, addr, count);
}

static int gntshr_replace_map(xengnttab_handle *xgt, void *addr,
                              uint32_t *refs, uint32_t count, void *copy)
{
    return xen_linux_grants_replace_map(xgt, addr, count, copy);
}

/* QEMU's operations on a real Xen take any handle of libxengnttab's */
static xengnttab_handle *gntshr_open_grants(void)
{
    return xengnttab_open(xen_linux_grants_logger(), 0);
}

/*
 * The limit is one for the whole host, and who uses how much of it is not to
 * be seen.  But nobody can use more than all of it.
 */
static char *gntshr_advice(int err, uint32_t count)
{
    g_autofree char *text = NULL;
    unsigned int limit;

    if (err == ENOENT || err == ENODEV || err == ENXIO) {
        return g_strdup("load the kernel module xen-gntalloc");
    }
    if (err != ENOSPC) {
        return NULL;
    }
    if (!g_file_get_contents(GNTALLOC_LIMIT, &text, NULL, NULL) ||
        qemu_strtoui(g_strchomp(text), NULL, 10, &limit) < 0) {
        return g_strdup_printf("raise the parameter 'limit' of the kernel "
                               "module xen-gntalloc, which counts the pages "
                               "of all guests, by %" PRIu32, count);
    }
    return g_strdup_printf("raise the parameter 'limit' of the kernel module "
                           "xen-gntalloc from %u to %" PRIu64 ", which does "
                           "for this one: write it to " GNTALLOC_LIMIT,
                           limit, (uint64_t)limit + count);
}

static const XenPvShareOps gntshr_ops = {
    .open = gntshr_open,
    .close = gntshr_close,
    .share = gntshr_share,
    .unshare = gntshr_unshare,
    .advice = gntshr_advice,
    .replace_map = gntshr_replace_map,
    .open_grants = gntshr_open_grants,
};

static void gntshr_register(void)
{
    if (!xen_pv_share_ops && xen_mode != XEN_EMULATE) {
        xen_pv_share_ops = &gntshr_ops;
    }
}

xen_backend_init(gntshr_register);
