/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a request is refused, where pages of the guest are the reason
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "why.h"

void xen_pv_why_say_pages(XenPvWhy *why, int status,
                          const XenPgdirMapper *mapper, const char *phrase)
{
    XenPgdirError error;

    xen_pgdir_mapper_error(mapper, &error, sizeof(error));
    if (error.status != status || error.cause == XEN_PGDIR_CAUSE_BUDGET) {
        xen_pv_why_say(why, "%s", phrase);
    } else {
        xen_pv_why_say(why, "%s: %s", phrase, error.message);
    }
}
