/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option "outputs" of a PV display: screens as a list, for JSON
 *
 * It has the form of virtio-gpu's option of that name.  QEMU's schema is not
 * extended for it, as a plugin cannot: the list is visited by hand.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor.h"
#include "xen-pvdisplay-config.h"
#include "xen-pvdisplay-outputs.h"

/* As the generator of the schema makes lists: struct GenericList first */
typedef struct XenPvOutputList {
    struct XenPvOutputList *next;
    XenPvMode mode;
} XenPvOutputList;

QEMU_BUILD_BUG_ON(offsetof(XenPvOutputList, next) !=
                  offsetof(GenericList, next));

static GArray **outputs_field(Object *obj, void *opaque)
{
    return (GArray **)((char *)obj + (uintptr_t)opaque);
}

static bool visit_members(Visitor *v, XenPvMode *mode, Error **errp)
{
    bool has_name = mode->id, has_rate = mode->refresh_rate;

    if (visit_optional(v, "name", &has_name) &&
        !visit_type_str(v, "name", &mode->id, errp)) {
        return false;
    }
    if (!visit_type_uint32(v, "xres", &mode->width, errp) ||
        !visit_type_uint32(v, "yres", &mode->height, errp)) {
        return false;
    }
    return !visit_optional(v, "refresh-rate", &has_rate) ||
           visit_type_uint32(v, "refresh-rate", &mode->refresh_rate, errp);
}

static bool visit_output(Visitor *v, XenPvMode *mode, Error **errp)
{
    ERRP_GUARD();
    bool ok = false;

    if (visit_start_struct(v, NULL, NULL, 0, errp)) {
        ok = visit_members(v, mode, errp) && visit_check_struct(v, errp);
        visit_end_struct(v, NULL);
    }
    if (!ok) {
        error_prepend(errp, "each of outputs= is an object with numbers xres "
                      "and yres, and, if you like, a number refresh-rate and "
                      "a text name: ");
    }
    return ok;
}

static bool visit_outputs(Visitor *v, const char *name,
                          XenPvOutputList **list, Error **errp)
{
    const size_t size = sizeof(**list);
    XenPvOutputList *tail;
    bool ok = true;

    /* All else than a list is QEMU's own syntax of options, or a mistake */
    if (!visit_start_list(v, name, (GenericList **)list, size, NULL)) {
        error_setg(errp, "outputs= takes a list, and so a -device in JSON: "
                   "-device '{\"driver\":\"xen-pvdisplay\",\"outputs\":"
                   "[{\"xres\":1920,\"yres\":1080}]}'; or name the screens "
                   "with connectors=");
        return false;
    }
    for (tail = *list; ok && tail;
         tail = (XenPvOutputList *)visit_next_list(v, (GenericList *)tail,
                                                   size)) {
        ok = visit_output(v, &tail->mode, errp);
    }
    ok = ok && visit_check_list(v, errp);
    visit_end_list(v, (void **)list);
    return ok;
}

static void get_outputs(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    GArray *outputs = *outputs_field(obj, opaque);
    XenPvOutputList *list = NULL, *next;
    guint i;

    for (i = outputs ? outputs->len : 0; i > 0; i--) {
        next = list;
        list = g_new0(XenPvOutputList, 1);
        list->next = next;
        list->mode = g_array_index(outputs, XenPvMode, i - 1);
    }
    visit_outputs(v, name, &list, errp);
    for (; list; list = next) {
        next = list->next;
        g_free(list);
    }
}

static void set_outputs(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    GArray **outputs = outputs_field(obj, opaque);
    GArray *modes = xen_pvdisplay_modes_new();
    XenPvOutputList *list = NULL, *next;
    bool ok;

    if (DEVICE(obj)->realized) {
        error_setg(errp, "outputs= cannot be changed while the display "
                   "exists: remove it and add another");
        g_array_unref(modes);
        return;
    }
    ok = visit_outputs(v, name, &list, errp);
    for (; list; list = next) {
        next = list->next;
        g_array_append_val(modes, list->mode);
        g_free(list);
    }
    if (!ok) {
        g_array_unref(modes);
        return;
    }
    g_clear_pointer(outputs, g_array_unref);
    *outputs = modes;
}

void xen_pvdisplay_add_outputs(ObjectClass *class, size_t offset)
{
    object_class_property_add(class, "outputs", "list", get_outputs,
                              set_outputs, NULL, (void *)(uintptr_t)offset);
    object_class_property_set_description(class, "outputs",
        "screens of the device, in JSON: a list of {\"name\": ID, \"xres\": "
        "WIDTH, \"yres\": HEIGHT, \"refresh-rate\": mHz}; name and "
        "refresh-rate are optional");
}
