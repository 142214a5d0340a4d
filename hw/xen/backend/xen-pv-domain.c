/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device asks the hypervisor of its guest, on a real Xen
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen_native.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-pv-domain.h"

/*
 * A QEMU that may no longer ask, as -xen-domid-restrict wants it, gets no
 * answer, and that is no.
 */
static bool domain_soft_resets(uint32_t domid)
{
    xc_domaininfo_t info;

    return xc_domain_getinfolist(xen_xc, domid, 1, &info) == 1 &&
           info.domain == domid && (info.flags & XEN_DOMINF_shutdown) &&
           ((info.flags >> XEN_DOMINF_shutdownshift) &
            XEN_DOMINF_shutdownmask) == SHUTDOWN_soft_reset;
}

static void domain_register(void)
{
    if (!xen_pv_domain_soft_resets && xen_mode != XEN_EMULATE) {
        xen_pv_domain_soft_resets = domain_soft_resets;
    }
}

xen_backend_init(domain_register);
