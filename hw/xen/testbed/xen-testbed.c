/*
 * A fake Xen: grants, event channels and xenstore, for tests and demos
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * The Xen bus and its backends reach Xen through three tables of operations.
 * This device fills them in, so that they serve a domain without a hypervisor
 * and without KVM: the domain's memory is a shared file, the domain itself a
 * process at the other end of a character device.  What the two say to each
 * other is in hw/xen/xen-testbed.h.
 *
 *   -object memory-backend-file,id=dom,size=64M,share=on,mem-path=FILE
 *   -chardev socket,id=guest,path=SOCKET,server=on,wait=off
 *   -device xen-testbed,memdev=dom,chardev=guest
 *   -device xen-pvdisplay,...
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "exec/cpu-common.h"
#include "system/hostmem.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/xen/xen.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-bus.h"
#include "hw/xen/xen-pv-domain.h"
#include "hw/xen/xen_backend_ops.h"

#include "testbed-evtchn.h"
#include "testbed-lines.h"
#include "testbed-state.h"
#include "testbed-store.h"

#define TYPE_XEN_TESTBED "xen-testbed"
OBJECT_DECLARE_SIMPLE_TYPE(XenTestbed, XEN_TESTBED)

struct XenTestbed {
    DeviceState parent_obj;

    HostMemoryBackend *memdev;
    XenPvCharFrontend chr;
    uint16_t domid;
    TestbedGrantsConfig grants; /* the domain: testbed-grants.c has it */
    char *state;                /* file that outlives QEMU, or NULL */
    bool soft_resets;           /* the domain waits for a soft reset */
};

/* What has something to keep has no argument that leads to the device */
static XenTestbed *testbed;

/* Something changed that a QEMU that is killed leaves behind */
static void testbed_keep(void)
{
    uint8_t ports[XEN_TESTBED_PORTS];
    Error *err = NULL;

    if (!testbed->state) {
        return;
    }
    testbed_evtchn_save(ports);
    if (!testbed_state_save(testbed->state, testbed_store_impl(), ports,
                            &err)) {
        warn_report_err(err);
        g_clear_pointer(&testbed->state, g_free);
    }
}

/* Whether there was something to go on with: 1, 0 or, with an error, -1 */
static int testbed_restore(XenTestbed *s, Error **errp)
{
    uint8_t ports[XEN_TESTBED_PORTS] = { 0 };
    int ret;

    if (!s->state) {
        return 0;
    }
    ret = testbed_state_load(s->state, testbed_store_impl(), s->domid, ports,
                             errp);
    if (ret > 0) {
        testbed_evtchn_load(ports);
    }
    return ret;
}

static char *testbed_get_stats(Object *obj, Error **errp)
{
    return testbed_lines_stats();
}

static bool testbed_get_soft_reset(Object *obj, Error **errp)
{
    return XEN_TESTBED(obj)->soft_resets;
}

static void testbed_set_soft_reset(Object *obj, bool value, Error **errp)
{
    XEN_TESTBED(obj)->soft_resets = value;
}

static bool testbed_soft_resets(uint32_t domid)
{
    return domid == testbed->domid && testbed->soft_resets;
}

static bool testbed_use_memory(XenTestbed *s, Error **errp)
{
    TestbedGrantsConfig *g = &s->grants;
    MemoryRegion *mr;
    uint64_t size;

    if (!s->memdev) {
        error_setg(errp, "'memdev' property must be set");
        return false;
    }
    if (host_memory_backend_is_mapped(s->memdev)) {
        error_setg(errp, "memory backend '%s' is in use already",
                   object_get_canonical_path_component(OBJECT(s->memdev)));
        return false;
    }
    mr = host_memory_backend_get_memory(s->memdev);
    size = memory_region_size(mr);
    g->fd = memory_region_get_fd(mr);
    if (g->fd < 0 || !qemu_ram_is_shared(mr->ram_block)) {
        error_setg(errp, "the guest's memory must be a file that is shared: "
                   "memory-backend-file with share=on");
        return false;
    }
    if (g->grant_frames == 0 || size >> XEN_PAGE_SHIFT > UINT32_MAX ||
        (uint64_t)XEN_TESTBED_GRANT_TABLE + g->grant_frames +
        g->dom0_pages >= size >> XEN_PAGE_SHIFT) {
        error_setg(errp, "the memory has no room for %" PRIu32
                   " grant frames and %" PRIu32 " pages of dom0",
                   g->grant_frames, g->dom0_pages);
        return false;
    }

    g->memory = memory_region_get_ram_ptr(mr);
    g->nr_pages = size >> XEN_PAGE_SHIFT;
    host_memory_backend_set_mapped(s->memdev, true);
    return true;
}

static void testbed_realize(DeviceState *dev, Error **errp)
{
    XenTestbed *s = XEN_TESTBED(dev);
    int restored;

    if (xen_xenstore_ops || xen_mode != XEN_DISABLED) {
        error_setg(errp, "there is a Xen already: a testbed must be the only "
                   "one");
        return;
    }
    if (qemu_real_host_page_size() != XEN_PAGE_SIZE) {
        error_setg(errp, "the host's pages must be of %lu bytes",
                   XEN_PAGE_SIZE);
        return;
    }
    if (s->domid == XEN_TESTBED_BACKEND || s->domid >= DOMID_FIRST_RESERVED) {
        error_setg(errp, "invalid domid %u", s->domid);
        return;
    }
    if (!qemu_chr_fe_backend_connected(&s->chr)) {
        error_setg(errp, "'chardev' property must be set");
        return;
    }
    if (!testbed_use_memory(s, errp)) {
        return;
    }
    s->grants.domid = s->domid;
    if (!testbed_grants_init(&s->grants, errp)) {
        return;
    }

    testbed = s;
    xen_pv_domain_soft_resets = testbed_soft_resets;
    testbed_lines_init(&s->chr, &s->grants, testbed_keep);
    testbed_evtchn_init(s->domid, testbed_lines_flush);
    testbed_store_init(s->domid, testbed_lines_flush, testbed_keep);
    restored = testbed_restore(s, errp);
    if (restored < 0) {
        return;
    }
    if (!restored) {
        testbed_store_populate();
    }

    xen_domid = s->domid;
    xen_mode = XEN_EMULATE;
    xen_bus_init();
    testbed_lines_start();
}

static const Property testbed_properties[] = {
    DEFINE_PROP_LINK("memdev", XenTestbed, memdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_CHR("chardev", XenTestbed, chr),
    DEFINE_PROP_UINT16("domid", XenTestbed, domid, XEN_TESTBED_GUEST),
    DEFINE_PROP_UINT32("grant-frames", XenTestbed, grants.grant_frames,
                       XEN_TESTBED_GRANT_FRAMES),
    DEFINE_PROP_UINT32("dom0-pages", XenTestbed, grants.dom0_pages, 0),
    DEFINE_PROP_BOOL("single-map", XenTestbed, grants.single_map, false),
    DEFINE_PROP_UINT32("limit", XenTestbed, grants.limit,
                       XEN_TESTBED_LIMIT),
    DEFINE_PROP_UINT32("maptrack", XenTestbed, grants.maptrack,
                       XEN_TESTBED_MAPTRACK),
    DEFINE_PROP_STRING("state", XenTestbed, state),
};

static void testbed_class_init(ObjectClass *klass, XEN_PV_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->desc = "Fake Xen for tests of PV backends";
    dc->realize = testbed_realize;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, testbed_properties);
    object_class_property_add_str(klass, "stats", testbed_get_stats, NULL);
    object_class_property_add_bool(klass, "soft-reset",
                                   testbed_get_soft_reset,
                                   testbed_set_soft_reset);
}

static const TypeInfo testbed_info = {
    .name = TYPE_XEN_TESTBED,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(XenTestbed),
    .class_init = testbed_class_init,
};

static void testbed_register_types(void)
{
    type_register_static(&testbed_info);
}

type_init(testbed_register_types)
