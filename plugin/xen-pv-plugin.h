/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plugin was built for, and how it compares that with the program that
 * it was loaded into.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef XEN_PV_PLUGIN_H
#define XEN_PV_PLUGIN_H

#include <stddef.h>

/**
 * struct XenPvPluginType - a type of QEMU's that the devices share with it
 * @name: QOM's name of the type
 * @instance_size: bytes of an instance in the headers of the build
 * @class_size: bytes of its class in the headers of the build
 */
typedef struct XenPvPluginType {
    const char *name;
    size_t instance_size;
    size_t class_size;
} XenPvPluginType;

/* Ends with a type that has no name */
extern const XenPvPluginType xen_pv_plugin_types[];

/* Number of the phase in which QEMU registers its types */
extern const int xen_pv_plugin_phase;

/*
 * The one private structure of QEMU's that the check reads: how struct TypeImpl
 * of qom/object.c begins.  A class begins with a pointer to it, and nothing
 * public tells these sizes.  Where QEMU has it otherwise, they do not fit, and
 * the plugin is refused.
 */
typedef struct XenPvPluginTypeImpl {
    const char *name;
    size_t class_size;
    size_t instance_size;
} XenPvPluginTypeImpl;

#endif /* XEN_PV_PLUGIN_H */
