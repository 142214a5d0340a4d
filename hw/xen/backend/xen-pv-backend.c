/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the backends of PV displays and PV sound share: the device, and how it
 * comes and goes.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-properties.h"
#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/xen-pv-domain.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "system/system.h"
#include "xen-pv-channel.h"
#include "hw/xen/xen-pv-compat.h"
#include "xen-pv-connection.h"
#include "xen-pv-limits.h"
#include "xen-pv-place.h"
#include "xen-pv-refusal.h"
#include "hw/xen/xen-pv-status.h"

/* ---------------------------------------------------------------- save */

/*
 * There is no state of a device to be saved: when a guest is restored, its
 * driver connects anew.  But it must not be connected while it is saved.
 * Linux's drivers do not resume.  In the restored domain they free event
 * channels by the numbers that these had before, and cut off what has got the
 * same number since, be it a disk.  So refuse, while the guest can go on.
 *
 * A guest that waits for a soft reset has no such driver any more: its next
 * kernel, a crash kernel mostly, finds the devices of the next QEMU.
 *
 * This is for guests whose QEMU is asked for its state, HVM guests.
 */
bool (*xen_pv_domain_soft_resets)(uint32_t domid);

static bool xen_pv_save_needed(void *opaque)
{
    XenPvBackend *backend = opaque;

    return backend->connected &&
           !(xen_pv_domain_soft_resets &&
             xen_pv_domain_soft_resets(backend->xendev.frontend_id));
}

static int xen_pv_pre_save(void *opaque)
{
    XenPvBackend *backend = opaque;
    const char *type = XEN_DEVICE_GET_CLASS(backend)->backend;
    const char *id = DEVICE(backend)->id;

    error_report("%s: cannot save the guest while the frontend is connected, "
                 "because Linux's driver does not survive a restore: detach "
                 "the device first (xl %s-detach, or device_del %s), and "
                 "attach it again afterwards",
                 backend->xendev.backend_path, type, id ?: "ID");

    return -EBUSY;
}

static const VMStateDescription xen_pv_vmstate = {
    .name = TYPE_XEN_PV_BACKEND,
    .needed = xen_pv_save_needed,
    .pre_save = xen_pv_pre_save,
    .fields = (const VMStateField[]) {
        VMSTATE_END_OF_LIST()
    },
};

/* ---------------------------------------------------------- life cycle */

static void xen_pv_exit(Notifier *notifier, void *data)
{
    XenPvBackend *backend = container_of(notifier, XenPvBackend, exit);

    xen_pv_prune(backend);
}

/* The user's options come first, before anything in xenstore changes */
static void xen_pv_device_realize(DeviceState *dev, Error **errp)
{
    ERRP_GUARD();
    XenPvBackend *backend = XEN_PV_BACKEND(dev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    domid_t domid = backend->xendev.frontend_id;

    if (backend->idx < -1) {
        error_setg(errp, "idx=%d is invalid: use 0 or more, or -1 for the "
                   "first free index", backend->idx);
        return;
    }
    if (domid >= DOMID_FIRST_RESERVED && domid != DOMID_INVALID) {
        error_setg(errp, "frontend-id=%u is not a guest's number: use 0 to "
                   "%u, or leave it out for the guest that QEMU serves",
                   domid, DOMID_FIRST_RESERVED - 1);
        return;
    }
    if (!xen_pv_limits_check(backend, errp) ||
        !class->check_options(backend, errp)) {
        return;
    }
    xen_pv_limits_start(backend);

    /* Notifiers run last in, first out: this one after the bus's own */
    backend->exit.notify = xen_pv_exit;
    qemu_add_exit_notifier(&backend->exit);
    class->parent_realize(dev, errp);
    if (*errp) {
        /* The bus does not undo what failed before the device had a name */
        class->stop(backend);
        qemu_remove_exit_notifier(&backend->exit);
        xen_pv_prune(backend);
    }
}

static void xen_pv_device_unrealize(DeviceState *dev)
{
    XenPvBackend *backend = XEN_PV_BACKEND(dev);

    XEN_PV_BACKEND_GET_CLASS(backend)->parent_unrealize(dev);
    qemu_remove_exit_notifier(&backend->exit);
    xen_pv_refuse_no_longer(backend);
    xen_pv_prune(backend);
}

static void xen_pv_backend_realize(XenDevice *xendev, Error **errp)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);

    xen_pv_rings_start(backend);
    xen_pv_channels_start(backend);
    if (XEN_PV_BACKEND_GET_CLASS(backend)->start(backend, errp)) {
        xen_pv_connection_start(backend, errp);
    }
}

static void xen_pv_unrealize(XenDevice *xendev)
{
    XenPvBackend *backend = XEN_PV_BACKEND(xendev);
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    /*
     * On unplug the device is no longer realized when this is called.  If it
     * still is, QEMU exits, and has closed displays and audio already.
     */
    bool exiting = DEVICE(xendev)->realized;

    xen_pv_connection_stop(backend, exiting);
    xen_pv_channels_stop(backend);
    if (!exiting) {
        class->stop(backend);
    }
    if (exiting ? backend->by_toolstack : xen_pv_toolstack_destroys(backend)) {
        xen_pv_leave_nodes(xendev);
    }
}

/*
 * Where QEMU is the Xen itself, a reset leaves the next kernel in the same
 * domain, with the same xenstore.  Nobody told its devices that their driver is
 * gone, and what it granted is anybody's memory now.
 *
 * A real Xen makes a new domain, or the guest goes on as if there had been no
 * reset.  Both are to find their devices as they are.
 */
static void xen_pv_reset_hold(Object *obj, ResetType type)
{
    if (xen_mode == XEN_EMULATE && type != RESET_TYPE_SNAPSHOT_LOAD) {
        xen_pv_connection_reset(XEN_PV_BACKEND(obj));
    }
}

static void xen_pv_finalize(Object *obj)
{
    g_free(XEN_PV_BACKEND(obj)->last_error);
}

static const Property xen_pv_properties[] = {
    DEFINE_PROP_INT32("idx", XenPvBackend, idx, -1),
    DEFINE_PROP_UINT32("max-connects", XenPvBackend, max_connects, 20),
    DEFINE_PROP_UINT32("max-load", XenPvBackend, max_load, 25),
    DEFINE_PROP_UINT32("max-log-lines", XenPvBackend, max_log_lines, 60),
    DEFINE_PROP_UINT32("max-mappings", XenPvBackend, max_mappings, 0),
    DEFINE_PROP_UINT32("x-closing-time", XenPvBackend, closing_time, 500),
    DEFINE_PROP_UINT32("x-connect-pause", XenPvBackend, connect_pause, 500),
    DEFINE_PROP_UINT32("x-max-map-count", XenPvBackend, max_map_count, 0),
};

static void xen_pv_backend_class_init(ObjectClass *class,
                                      XEN_PV_CLASS_DATA *data)
{
    XenDeviceClass *xendev_class = XEN_DEVICE_CLASS(class);

    device_class_set_parent_realize(DEVICE_CLASS(class),
        xen_pv_device_realize,
        &XEN_PV_BACKEND_CLASS(class)->parent_realize);
    device_class_set_parent_unrealize(DEVICE_CLASS(class),
        xen_pv_device_unrealize,
        &XEN_PV_BACKEND_CLASS(class)->parent_unrealize);
    RESETTABLE_CLASS(class)->phases.hold = xen_pv_reset_hold;
    DEVICE_CLASS(class)->vmsd = &xen_pv_vmstate;
    xendev_class->get_name = xen_pv_get_name;
    xendev_class->get_frontend_path = xen_pv_get_frontend_path;
    xendev_class->realize = xen_pv_backend_realize;
    xendev_class->frontend_changed = xen_pv_connection_changed;
    xendev_class->unrealize = xen_pv_unrealize;
    device_class_set_props(DEVICE_CLASS(class), xen_pv_properties);
    object_class_property_set_description(class, "idx",
        "index of the device in xenstore; -1 takes the first free one");
    object_class_property_set_description(class, "max-connects",
        "maximum connections of the guest per second, up to 100000; 0 is no "
        "limit");
    object_class_property_set_description(class, "max-load",
        "maximum share of QEMU's time for the guest's requests, 1 to 100 "
        "percent");
    object_class_property_set_description(class, "max-log-lines",
        "maximum lines that the guest adds to the log per minute, 1 to "
        "100000");
    object_class_property_set_description(class, "max-mappings",
        "maximum areas of QEMU's memory for the guest's pages, 16 to 32768; "
        "0 is 256");
    object_class_property_set_description(class, "x-closing-time",
        "for tests: how long Closing is shown to a driver that waits, in ms");
    object_class_property_set_description(class, "x-connect-pause",
        "for tests: pause between tries to connect to a frontend, in ms");
    object_class_property_set_description(class, "x-max-map-count",
        "for tests: how many grants one call may map; 0 is no limit");
    xen_pv_explain_numbers(class, xen_pv_properties,
                           ARRAY_SIZE(xen_pv_properties));
    xen_pv_status_add_properties(class);
}

static const TypeInfo xen_pv_backend_info = {
    .name = TYPE_XEN_PV_BACKEND,
    .parent = TYPE_XEN_DEVICE,
    .instance_size = sizeof(XenPvBackend),
    .instance_finalize = xen_pv_finalize,
    .class_size = sizeof(XenPvBackendClass),
    .class_init = xen_pv_backend_class_init,
    .abstract = true,
};

static void xen_pv_backend_register_types(void)
{
    type_register_static(&xen_pv_backend_info);
}

type_init(xen_pv_backend_register_types)
