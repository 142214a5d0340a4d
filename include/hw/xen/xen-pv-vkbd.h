/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's keyboard and pointer, where QEMU has no rights over the guest
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_VKBD_H
#define HW_XEN_XEN_PV_VKBD_H

/**
 * xen_pv_vkbd_by_grant: let QEMU's vkbd map its page by the grant of the guest
 * where it cannot do so by the number of the frame
 *
 * Call it once the bus has its operations; a second call does nothing.
 */
void xen_pv_vkbd_by_grant(void);

#endif /* HW_XEN_XEN_PV_VKBD_H */
