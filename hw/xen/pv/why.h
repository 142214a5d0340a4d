/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a request is refused, where pages of the guest are the reason.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_WHY_H
#define HW_XEN_PV_WHY_H

#include "hw/xen/xen-pgdir.h"
#include "hw/xen/xen-pv-ring.h"

/**
 * xen_pv_why_say_pages: say what could not be done, and which page it is about
 * @why: where to say it
 * @status: what the call of the mapper returned, just now
 * @mapper: the mapper; what it says of its last failure is added, unless a
 *     limit of its own is the reason: those have other names to a user
 * @phrase: what could not be done
 */
void xen_pv_why_say_pages(XenPvWhy *why, int status,
                          const XenPgdirMapper *mapper, const char *phrase);

/** xen_pv_why_pages: the same; returns @status */
static inline int xen_pv_why_pages(XenPvWhy *why, int status,
                                   const XenPgdirMapper *mapper,
                                   const char *phrase)
{
    xen_pv_why_say_pages(why, status, mapper, phrase);
    return status;
}

/**
 * xen_pv_why_total: refuse a buffer for which all buffers have too many pages
 * @why: where to say it
 * @used: pages of all buffers
 * @more: those that the buffer would add
 * @most: what max-pages allows
 *
 * Returns: -ENOSPC.
 */
static inline int xen_pv_why_total(XenPvWhy *why, uint64_t used, uint64_t more,
                                   uint64_t most)
{
    return xen_pv_why(why, -ENOSPC, "more pages in all buffers than max-pages "
                      "allows: %" PRIu64 " and %" PRIu64 " more exceed %"
                      PRIu64, used, more, most);
}

#endif /* HW_XEN_PV_WHY_H */
