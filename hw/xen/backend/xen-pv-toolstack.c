/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of the toolstack's: made, found again, taken away
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-bus-helper.h"
#include "monitor/qdev.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "hw/xen/trace.h"
#include "xen-pv-place.h"
#include "xen-pv-refusal.h"

/* Make the device of a backend node; its number is that of the node */
static bool xen_pv_create(XenPvBackend *backend, XenBackendInstance *instance,
                          const char *id_prefix, Error **errp)
{
    const char *name = xen_backend_get_name(instance);
    DeviceState *dev = DEVICE(backend);
    unsigned int idx;

    if (!g_ascii_isdigit(*name) || qemu_strtoui(name, NULL, 10, &idx) ||
        idx > INT32_MAX) {
        error_setg(errp, "invalid device index '%s'", name);
        return false;
    }
    backend->idx = idx;
    /* The id makes the device addressable, for screendump and VNC */
    if (!qdev_set_id(dev, g_strdup_printf("%s-%u", id_prefix, idx), NULL)) {
        qdev_set_id(dev, NULL, &error_abort);
    }

    return qdev_realize(dev, BUS(xen_backend_get_bus(instance)), errp);
}

void xen_pv_backend_create(XenBackendInstance *instance,
                           const char *typename, const char *id_prefix,
                           Error **errp)
{
    ERRP_GUARD();
    XenBus *bus = xen_backend_get_bus(instance);
    XenPvBackend *backend = XEN_PV_BACKEND(qdev_new(typename));
    XenPvBackend *owner;

    backend->xendev.frontend_id = xen_domid;
    backend->by_toolstack = true;
    if (xen_pv_create(backend, instance, id_prefix, errp)) {
        xen_pv_refuse_no_more(instance, backend);
        xen_backend_set_device(instance, &backend->xendev);
        object_unref(OBJECT(backend));
        return;
    }
    owner = xen_pv_idx_owner(bus, backend, backend->idx);
    if (owner) {
        /* The nodes are those of a device that -device made */
        owner->refused = instance;
        object_unparent(OBJECT(backend));
    } else {
        xen_pv_refuse(instance, backend, *errp);
        xen_pv_prune(backend);
    }
    object_unref(OBJECT(backend));
}

static void xen_pv_revive(struct qemu_xs_handle *xsh, const char *dir)
{
    g_autofree char *mark = NULL;
    unsigned int online = 0, state = XenbusStateUnknown;
    char *raw = xs_node_read(xsh, XBT_NULL, NULL, NULL, "%s/%s", dir,
                             XEN_PV_MARK);

    mark = g_strdup(raw);
    free(raw);
    xs_node_scanf(xsh, XBT_NULL, dir, "online", NULL, "%u", &online);
    xs_node_scanf(xsh, XBT_NULL, dir, "state", NULL, "%u", &state);
    if (mark && online && state != XenbusStateInitialising) {
        trace_xen_pv_backend_revive(dir, state);
        xs_node_printf(xsh, XBT_NULL, dir, "state", NULL, "%u",
                       XenbusStateInitialising);
    }
}

void xen_pv_backend_revive(const char *type)
{
    g_autofree char *dir = g_strdup_printf("backend/%s/%u", type, xen_domid);
    struct qemu_xs_handle *xsh = qemu_xen_xs_open();
    unsigned int i, count = 0;
    char **names;

    if (!xsh) {
        return;
    }
    names = qemu_xen_xs_directory(xsh, XBT_NULL, dir, &count);
    for (i = 0; names && i < count; i++) {
        g_autofree char *device = g_strdup_printf("%s/%s", dir, names[i]);

        xen_pv_revive(xsh, device);
    }
    free(names);
    qemu_xen_xs_close(xsh);
}

void xen_pv_backend_destroy(XenBackendInstance *instance, Error **errp)
{
    object_unparent(OBJECT(xen_backend_get_device(instance)));
}
