// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The types that the devices share with QEMU, as the build's headers have them.
 *
 * The only file of the check that sees QEMU's headers.  It refers to nothing of
 * QEMU's at run time: the check is loaded into other versions as well.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "chardev/char.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "hw/xen/xen-bus.h"
#include "system/hostmem.h"
#include "hw/xen/xen-pv-compat.h"
#include "plugin/xen-pv-plugin.h"

const int xen_pv_plugin_phase = MODULE_INIT_QOM;

const XenPvPluginType xen_pv_plugin_types[] = {
    { TYPE_OBJECT, sizeof(Object), sizeof(ObjectClass) },
    { TYPE_DEVICE, sizeof(DeviceState), sizeof(DeviceClass) },
    { TYPE_BUS, sizeof(BusState), sizeof(BusClass) },
    { TYPE_MACHINE, sizeof(MachineState), sizeof(MachineClass) },
    { TYPE_ACCEL, sizeof(AccelState), sizeof(AccelClass) },
    { TYPE_CHARDEV, sizeof(Chardev), sizeof(ChardevClass) },
    { TYPE_MEMORY_REGION, sizeof(MemoryRegion),
      sizeof(MemoryRegionClass) },
    { TYPE_MEMORY_BACKEND, sizeof(HostMemoryBackend),
      sizeof(HostMemoryBackendClass) },
    { TYPE_XEN_BUS, sizeof(XenBus), sizeof(XenBusClass) },
    { TYPE_XEN_DEVICE, sizeof(XenDevice), sizeof(XenDeviceClass) },
    { NULL, 0, 0 }
};
