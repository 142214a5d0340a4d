/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console for viewers that start before any display is there.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_SPARE_H
#define HW_XEN_XEN_PVDISPLAY_SPARE_H

/**
 * xen_pvdisplay_spare_console: have a console when the machine is made
 *
 * The toolstack's devices come after the viewers, and a viewer that had no
 * console when it started, as a VNC server of a PV guest, never looks for one
 * again.  So there is one for it, without a device, unless the machine has
 * another: QEMU gives it to the first screen that comes.
 */
void xen_pvdisplay_spare_console(void);

#endif /* HW_XEN_XEN_PVDISPLAY_SPARE_H */
