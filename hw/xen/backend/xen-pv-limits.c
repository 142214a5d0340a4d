/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may take of its host: quotas of time, connections and log lines
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "xen-pv-limits.h"

/* Quotas that a user can ask for */
#define XEN_PV_MAX_LOG_LINES 100000
#define XEN_PV_MAX_CONNECTS 100000

/* One for each screen at least; half of those that Linux gives a process */
#define XEN_PV_MIN_MAPPINGS 16
#define XEN_PV_MAX_MAPPINGS 32768

/*
 * Time that requests may take at once before the quota of it holds, ns: what
 * a program takes that begins, on a slow host
 */
#define XEN_PV_LOAD_BURST_NS (INT64_C(100) * SCALE_MS)

bool xen_pv_limits_check(XenPvBackend *backend, Error **errp)
{
    if (backend->max_load < 1 || backend->max_load > 100) {
        error_setg(errp, "max-load=%u is not between 1 and 100 percent",
                   backend->max_load);
        return false;
    }
    if (backend->max_log_lines < 1 ||
        backend->max_log_lines > XEN_PV_MAX_LOG_LINES) {
        error_setg(errp, "max-log-lines=%u is not between 1 and %d lines a "
                   "minute", backend->max_log_lines, XEN_PV_MAX_LOG_LINES);
        return false;
    }
    if (backend->max_connects > XEN_PV_MAX_CONNECTS) {
        error_setg(errp, "max-connects=%u is not between 0, for no limit, "
                   "and %d a second", backend->max_connects,
                   XEN_PV_MAX_CONNECTS);
        return false;
    }
    if (backend->max_mappings &&
        (backend->max_mappings < XEN_PV_MIN_MAPPINGS ||
         backend->max_mappings > XEN_PV_MAX_MAPPINGS)) {
        error_setg(errp, "max-mappings=%u is not between %d and %d, or 0 for "
                   "the usual number", backend->max_mappings,
                   XEN_PV_MIN_MAPPINGS, XEN_PV_MAX_MAPPINGS);
        return false;
    }

    return true;
}

/* A load of 100 percent is not worth looking at */
void xen_pv_limits_start(XenPvBackend *backend)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    uint32_t load = backend->max_load < 100 ? backend->max_load : 0;

    xen_pv_quota_init(&backend->load.time,
                      load * (NANOSECONDS_PER_SECOND / 100),
                      XEN_PV_LOAD_BURST_NS, now);
    xen_pv_quota_init(&backend->connects, backend->max_connects,
                      backend->max_connects, now);
    /* Those of ten seconds at once */
    xen_pv_quota_init(&backend->log.lines, backend->max_log_lines,
                      MAX(backend->max_log_lines * 10, XEN_PV_LOG_LINE), now);
}
