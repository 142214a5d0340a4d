/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a PV display: those of a toolstack, and those of an option.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_NODES_H
#define HW_XEN_XEN_PVDISPLAY_NODES_H

#include "hw/xen/xen-pv-backend.h"
#include "xen-pvdisplay-config.h"

/**
 * xen_pvdisplay_write_nodes: write the nodes of a device made by an option
 * @backend: the device
 * @frontend: the frontend's directory
 * @modes: the screens: XenPvMode
 * @be_alloc: the backend may allocate buffers
 * @errp: where to say what went wrong
 *
 * Returns: whether all were written.
 */
bool xen_pvdisplay_write_nodes(XenPvBackend *backend, const char *frontend,
                               const GArray *modes, bool be_alloc,
                               Error **errp);

/**
 * xen_pvdisplay_read_nodes: read what the toolstack wrote
 * @backend: the device
 * @frontend: the frontend's directory
 * @be_alloc: set to whether the backend may allocate buffers
 * @errp: where to say what is wrong
 *
 * The guest may have rewritten any of it: all is checked.
 *
 * Returns: the screens, or NULL.
 */
GArray *xen_pvdisplay_read_nodes(XenPvBackend *backend, const char *frontend,
                                 bool *be_alloc, Error **errp);

#endif /* HW_XEN_XEN_PVDISPLAY_NODES_H */
