/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The place of a PV device on the bus and in xenstore
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-bus-helper.h"
#include "qapi/error.h"
#include "hw/xen/trace.h"
#include "xen-pv-place.h"

/* Numbers of devices that idx=-1 tries */
#define XEN_PV_MAX_IDX 100

/* The mark that tells the devices of a QEMU that was killed from others' */
static const char *xen_pv_mark(XenPvBackend *backend)
{
    return DEVICE(backend)->id ?: "-";
}

XenPvBackend *xen_pv_idx_owner(XenBus *bus, XenPvBackend *backend, int idx)
{
    BusChild *kid;

    QTAILQ_FOREACH(kid, &BUS(bus)->children, sibling) {
        XenPvBackend *other = (XenPvBackend *)
            object_dynamic_cast(OBJECT(kid->child), TYPE_XEN_PV_BACKEND);

        if (other && other != backend && other->idx == idx &&
            other->xendev.frontend_id == backend->xendev.frontend_id &&
            object_get_class(OBJECT(other)) ==
            object_get_class(OBJECT(backend))) {
            return other;
        }
    }

    return NULL;
}

/*
 * Free is a number without nodes, or with the nodes that this very device left
 * when its QEMU was killed: the guest gets it back under the same number.
 */
static bool xen_pv_idx_is_free(XenPvBackend *backend, int idx)
{
    XenDeviceClass *class = XEN_DEVICE_GET_CLASS(backend);
    domid_t domid = backend->xendev.frontend_id;
    g_autofree char *front = g_strdup_printf("/local/domain/%u/device/%s/%d",
                                             domid, class->device, idx);
    g_autofree char *back =
        g_strdup_printf("/local/domain/%u/backend/%s/%u/%d",
                        xen_pv_bus(backend)->backend_id, class->backend,
                        domid, idx);
    g_autofree char *state = xen_pv_node_read(backend, front, "state");
    g_autofree char *mark = xen_pv_node_read(backend, back, XEN_PV_MARK);

    return !xen_pv_idx_owner(xen_pv_bus(backend), backend, idx) &&
           (!state || g_strcmp0(mark, xen_pv_mark(backend)) == 0);
}

char *xen_pv_get_name(XenDevice *xendev, Error **errp)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    int idx;

    if (backend->idx >= 0 &&
        xen_pv_idx_owner(xen_pv_bus(backend), backend, backend->idx)) {
        error_setg(errp, "idx=%d is already in use: give each device another "
                   "number, or leave idx= out", backend->idx);
        return NULL;
    }
    for (idx = 0; backend->idx < 0 && idx < XEN_PV_MAX_IDX; idx++) {
        if (xen_pv_idx_is_free(backend, idx)) {
            backend->idx = idx;
        }
    }
    if (backend->idx < 0) {
        error_setg(errp, "no free device index below %d: set idx=",
                   XEN_PV_MAX_IDX);
        return NULL;
    }

    return g_strdup_printf("%d", backend->idx);
}

char *xen_pv_get_frontend_path(XenDevice *xendev, Error **errp)
{
    ERRP_GUARD();
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    XenBus *bus = xen_pv_bus(backend);
    g_autofree char *path =
        g_strdup_printf("/local/domain/%u/device/%s/%s", xendev->frontend_id,
                        XEN_DEVICE_GET_CLASS(xendev)->device, xendev->name);
    g_autofree char *state = xen_pv_node_read(backend, path, "state");
    bool toolstack = state;

    trace_xen_pv_backend_configure(xendev->backend_path, toolstack);

    if (!toolstack) {
        xs_node_create(bus->xsh, XBT_NULL, path, xendev->frontend_id,
                       bus->backend_id, XS_PERM_READ | XS_PERM_WRITE, errp);
        if (*errp) {
            return NULL;
        }
    }
    if (class->configure(backend, path, toolstack, errp)) {
        xs_node_printf(bus->xsh, XBT_NULL, xendev->backend_path, "versions",
                       errp, "1,2");
    }
    if (!*errp) {
        xs_node_printf(bus->xsh, XBT_NULL, xendev->backend_path, XEN_PV_MARK,
                       errp, "%s", xen_pv_mark(backend));
    }
    if (*errp) {
        if (!toolstack) {
            xs_node_destroy(bus->xsh, XBT_NULL, path, NULL);
        }
        return NULL;
    }

    return g_steal_pointer(&path);
}

static void xen_pv_prune_dir(XenBus *bus, const char *dir)
{
    xs_transaction_t tid = qemu_xen_xs_transaction_start(bus->xsh);
    unsigned int count = 0;
    char **names;

    if (tid == XBT_NULL) {
        return;
    }
    names = qemu_xen_xs_directory(bus->xsh, tid, dir, &count);
    if (names && !count) {
        qemu_xen_xs_destroy(bus->xsh, tid, dir);
    }
    free(names);
    /* If somebody adds a device meanwhile this fails, as it should */
    qemu_xen_xs_transaction_end(bus->xsh, tid, false);
}

void xen_pv_prune(XenPvBackend *backend)
{
    XenBus *bus = xen_pv_bus(backend);
    g_autofree char *all =
        g_strdup_printf("/local/domain/%u/backend/%s", bus->backend_id,
                        XEN_DEVICE_GET_CLASS(backend)->backend);
    g_autofree char *guest =
        g_strdup_printf("%s/%u", all, backend->xendev.frontend_id);

    xen_pv_prune_dir(bus, guest);
    xen_pv_prune_dir(bus, all);
}

bool xen_pv_toolstack_destroys(XenPvBackend *backend)
{
    XenDevice *xendev = &backend->xendev;
    g_autofree char *state = NULL;

    if (!backend->by_toolstack || !xendev->inactive ||
        xen_pv_bus(backend)->backend_id != 0) {
        return false;
    }
    state = xen_pv_node_read(backend, xendev->frontend_path, "state");

    return !state;
}

void xen_pv_leave_nodes(XenDevice *xendev)
{
    g_autofree char *mark = xen_pv_node_read(XEN_PV_BACKEND(xendev),
                                             xendev->backend_path,
                                             XEN_PV_MARK);

    if (!mark) {
        return;
    }
    xen_device_backend_set_state(xendev, XenbusStateClosed);
    /* The bus removes what it knows the path of */
    g_clear_pointer(&xendev->backend_path, g_free);
    g_clear_pointer(&xendev->frontend_path, g_free);
}
