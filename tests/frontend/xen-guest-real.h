/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program in a guest of the real Xen, which plays frontend by itself: over
 * Linux's /dev/xen/gntalloc, /dev/xen/evtchn and /dev/xen/xenbus.
 *
 * Linux's own driver for the device must not be loaded.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_GUEST_REAL_H
#define TESTS_FRONTEND_XEN_GUEST_REAL_H

#include "xen-guest.h"

/**
 * xen_guest_new_real: become the guest
 * @errp: where to say why not
 *
 * Linux keeps the grant table to itself, so that xen_guest_in_use() never
 * knows of a page in use, and xen_guest_end_access() never refuses: Linux ends
 * the access by itself as soon as the other side has let go of the page.
 *
 * Programs of a paravirtual guest cannot map other domains' pages, so that
 * xen_guest_map_grants() is not supported.
 *
 * Returns: the guest, or NULL.
 */
XenGuest *xen_guest_new_real(GError **errp);

/* A page of ours, for a domain that need not be the backend's */
uint32_t xen_guest_real_grant_to(XenGuest *guest, uint32_t page,
                                 uint16_t domid, bool readonly);

#endif /* TESTS_FRONTEND_XEN_GUEST_REAL_H */
