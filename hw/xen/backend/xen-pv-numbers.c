/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of PV devices that are numbers: what is said of a value that is none
 *
 * QEMU names the type of the variable that the value is for, as in "expects
 * uint32_t".  That is of no use to who wants to know what to write.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "hw/xen/xen-pv-backend.h"
#include "qapi/error.h"

/* QEMU's own, one and the same for all options that are made of a Property */
static ObjectPropertyAccessor *set_property;

static void set_number(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    const ObjectProperty *option = object_property_find(obj, name);
    Error *local_err = NULL;

    set_property(obj, v, name, opaque, &local_err);
    if (local_err && !DEVICE(obj)->realized) {
        error_free(local_err);
        error_setg(errp, "%s takes a whole number: %s", name,
                   option->description);
    } else {
        error_propagate(errp, local_err);
    }
}

void xen_pv_explain_numbers(ObjectClass *class, const Property *properties,
                            size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        ObjectProperty *option = object_class_property_find(
            class, properties[i].name);

        if (!option->description || (!g_str_equal(option->type, "uint32") &&
                                     !g_str_equal(option->type, "int32"))) {
            continue;
        }
        assert(!set_property || set_property == option->set);
        set_property = option->set;
        option->set = set_number;
    }
}
