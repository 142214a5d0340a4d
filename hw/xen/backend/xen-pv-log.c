/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the log is told of a guest
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qemu/error-report.h"
#include "hw/xen/trace.h"
#include "xen-pv-limits.h"

static void xen_pv_log(XenPvBackend *backend, const char *text)
{
    const char *path = backend->xendev.backend_path;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    XenPvLog *log = &backend->log;
    unsigned int lines = XEN_PV_LOG_LINE * (log->suppressed ? 2 : 1);

    trace_xen_pv_guest_warn(path, text);
    if (xen_pv_quota_wait(&log->lines, lines, now)) {
        log->suppressed++;
        return;
    }
    xen_pv_quota_take(&log->lines, lines, now);
    if (log->suppressed) {
        warn_report("%s: %" PRIu64 " more messages were suppressed", path,
                    log->suppressed);
        log->suppressed = 0;
    }
    warn_report("%s: %s", path, text);
}

void xen_pv_guest_warn(XenPvBackend *backend, const char *fmt, ...)
{
    va_list ap;

    g_free(backend->last_error);
    va_start(ap, fmt);
    backend->last_error = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    xen_pv_log(backend, backend->last_error);
}

void xen_pv_guest_note(XenPvBackend *backend, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    xen_pv_log(backend, text);
}
