/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharing pages of the host's with a guest of a real Xen, by libxengntshr and
 * Linux's gntalloc.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xengnttab.h>
#include <xentoollog.h>

#include "hw/xen/xen.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-pv-share.h"
#include "qemu/cutils.h"

#define GNTALLOC_LIMIT "/sys/module/xen_gntalloc/parameters/limit"

/*
 * Without a logger of ours the library would write a line to stderr for each
 * refusal, and a guest can cause as many as it likes.
 */
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

static xentoollog_logger quiet_logger = {
    .vmessage = quiet_message,
    .progress = quiet_progress,
    .destroy = quiet_destroy,
};

static void *gntshr_open(void)
{
    return xengntshr_open(&quiet_logger, 0);
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
};

static void gntshr_register(void)
{
    if (!xen_pv_share_ops && xen_mode != XEN_EMULATE) {
        xen_pv_share_ops = &gntshr_ops;
    }
}

xen_backend_init(gntshr_register);
