/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of the toolstack that cannot be made.
 *
 * A backend of Linux writes why to a node below its domain's "error", and its
 * state becomes Closing.  The node is written here, too.  But the toolstack
 * waits for InitWait for ten seconds whatever state it sees instead: what it
 * takes for an answer is that the state is gone.  For a frontend that is the
 * same as Closed.  So a backend that is refused is Closed, and goes.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "block/aio.h"
#include "hw/xen/xen-bus-helper.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "hw/xen/trace.h"
#include "xen-pv-refusal.h"

/* Below the backend's domain; @top is "" or "error/" */
static char *refusal_path(XenBackendInstance *instance,
                          XenPvBackend *backend, const char *top)
{
    return g_strdup_printf("/local/domain/%u/%sbackend/%s/%u/%s",
                           xen_backend_get_bus(instance)->backend_id, top,
                           XEN_DEVICE_GET_CLASS(backend)->backend, xen_domid,
                           xen_backend_get_name(instance));
}

/*
 * The bus remembers what it could not make, and would not make it again when
 * the toolstack has mended it.  It can be told to forget only once it has
 * noted it.
 */
static void refusal_forget(void *opaque)
{
    xen_backend_try_device_destroy(opaque, NULL);
    object_unref(OBJECT(opaque));
}

void xen_pv_refuse(XenBackendInstance *instance, XenPvBackend *backend,
                   Error *why)
{
    struct qemu_xs_handle *xsh = xen_backend_get_bus(instance)->xsh;
    g_autofree char *path = refusal_path(instance, backend, "");
    g_autofree char *error = refusal_path(instance, backend, "error/");
    unsigned int state;

    trace_xen_pv_backend_refuse(path, error_get_pretty(why));
    xs_node_printf(xsh, XBT_NULL, error, "error", NULL, "%d %s", EINVAL,
                   error_get_pretty(why));
    /* The bus may have removed it */
    if (xs_node_scanf(xsh, XBT_NULL, path, "state", NULL, "%u",
                      &state) == 1) {
        xs_node_printf(xsh, XBT_NULL, path, "state", NULL, "%u",
                       XenbusStateClosed);
        xs_node_destroy(xsh, XBT_NULL, path, NULL);
    }
    xen_backend_set_device(instance, &backend->xendev);
    object_ref(OBJECT(backend));
    aio_bh_schedule_oneshot(qemu_get_aio_context(), refusal_forget,
                            &backend->xendev);
}

void xen_pv_refuse_no_longer(XenPvBackend *owner)
{
    const char *type = object_get_typename(OBJECT(owner));
    XenPvBackend *backend;

    if (!owner->refused) {
        return;
    }
    /* The bus forgets it by its device, and that has long been gone */
    backend = XEN_PV_BACKEND(object_new(type));
    xen_backend_set_device(owner->refused, &backend->xendev);
    owner->refused = NULL;
    xen_backend_try_device_destroy(&backend->xendev, NULL);
    object_unref(OBJECT(backend));
}

void xen_pv_refuse_no_more(XenBackendInstance *instance,
                           XenPvBackend *backend)
{
    g_autofree char *error = refusal_path(instance, backend, "error/");

    xs_node_destroy(xen_backend_get_bus(instance)->xsh, XBT_NULL, error,
                    NULL);
}
