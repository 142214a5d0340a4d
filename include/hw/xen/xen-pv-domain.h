/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device asks the hypervisor of its guest.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_DOMAIN_H
#define HW_XEN_XEN_PV_DOMAIN_H

/**
 * xen_pv_domain_soft_resets: does a domain wait for a soft reset?
 *
 * It does when its kernel has started another one, by kexec or after a crash:
 * the toolstack takes its event channels and grants away, and then lets it go
 * on where it is.
 *
 * NULL where there is no such thing.  On a real Xen it is set when the bus is
 * made.  Who fakes a Xen may set it before.
 */
extern bool (*xen_pv_domain_soft_resets)(uint32_t domid);

#endif /* HW_XEN_XEN_PV_DOMAIN_H */
