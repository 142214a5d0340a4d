/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a PV display: those of a toolstack, and those of an option
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "xen-pvdisplay-nodes.h"

bool xen_pvdisplay_write_nodes(XenPvBackend *backend, const char *frontend,
                               const GArray *modes, bool be_alloc,
                               Error **errp)
{
    guint i;

    xen_pv_nodes_end(backend, frontend, modes->len);
    if (!xen_pv_node_write(backend, frontend, "be-alloc",
                           be_alloc ? "1" : "0", errp)) {
        return false;
    }
    for (i = 0; i < modes->len; i++) {
        XenPvMode *mode = &g_array_index(modes, XenPvMode, i);
        g_autofree char *dir = g_strdup_printf("%s/%u", frontend, i);
        g_autofree char *size = g_strdup_printf("%ux%u", mode->width,
                                                mode->height);

        if (!xen_pv_node_write(backend, dir, "resolution", size, errp) ||
            !xen_pv_node_write(backend, dir, "unique-id", mode->id, errp)) {
            return false;
        }
    }

    return true;
}

GArray *xen_pvdisplay_read_nodes(XenPvBackend *backend, const char *frontend,
                                 bool *be_alloc, Error **errp)
{
    XenPvNodes nodes = xen_pv_backend_nodes(backend);
    g_autofree char *alloc = xen_pv_nodes_read(&nodes, frontend, "be-alloc");
    g_autofree char *why = NULL;
    GArray *modes;

    *be_alloc = alloc && !strcmp(alloc, "1");
    modes = xen_pvdisplay_read_modes(&nodes, frontend, &why);
    if (!modes) {
        error_setg(errp, "%s", why);
    }

    return modes;
}
