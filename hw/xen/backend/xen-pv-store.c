/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of PV devices: read, written, removed
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-bus-helper.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "xen-pv-place.h"

char *xen_pv_node_read(XenPvBackend *backend, const char *dir,
                       const char *key)
{
    unsigned int len = 0;
    char *raw = xs_node_read(xen_pv_bus(backend)->xsh, XBT_NULL, &len, NULL,
                             "%s/%s", dir, key);
    char *text = xen_pv_node_text(raw, len);

    free(raw);

    return text;
}

static char *xen_pv_nodes_op_read(void *opaque, const char *dir,
                                  const char *key)
{
    return xen_pv_node_read(opaque, dir, key);
}

static void xen_pv_nodes_op_warn(void *opaque, const char *text)
{
    xen_pv_guest_warn(opaque, "%s", text);
}

XenPvNodes xen_pv_backend_nodes(XenPvBackend *backend)
{
    return (XenPvNodes) {
        .read = xen_pv_nodes_op_read,
        .warn = xen_pv_nodes_op_warn,
        .opaque = backend,
    };
}

bool xen_pv_node_write(XenPvBackend *backend, const char *dir,
                       const char *key, const char *value, Error **errp)
{
    ERRP_GUARD();
    XenBus *bus = xen_pv_bus(backend);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    xs_node_create(bus->xsh, XBT_NULL, path, bus->backend_id,
                   backend->xendev.frontend_id, XS_PERM_READ, errp);
    if (!*errp) {
        xs_node_printf(bus->xsh, XBT_NULL, dir, key, errp, "%s", value);
    }

    return !*errp;
}

void xen_pv_node_remove(XenPvBackend *backend, const char *dir,
                        const char *key)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    qemu_xen_xs_destroy(xen_pv_bus(backend)->xsh, XBT_NULL, path);
}

void xen_pv_nodes_end(XenPvBackend *backend, const char *dir,
                      unsigned int number)
{
    unsigned int i, n, count = 0;
    char **names = qemu_xen_xs_directory(xen_pv_bus(backend)->xsh, XBT_NULL,
                                         dir, &count);

    for (i = 0; names && i < count; i++) {
        if (g_ascii_isdigit(*names[i]) &&
            !qemu_strtoui(names[i], NULL, 10, &n) && n >= number) {
            xen_pv_node_remove(backend, dir, names[i]);
        }
    }
    free(names);
}
