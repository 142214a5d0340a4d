/*
 * Tests of the grant table of KVM's emulated Xen: QEMU's
 * hw/i386/kvm/xen_gnttab.c
 *
 * The guest's memory has one page of RAM, at frame 1; any other frame is a
 * device's page, or a hole.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "hw/i386/kvm/xen_gnttab.c"

#define RAM_FRAME   1
#define REF         8

/* --------------------------------------------- stand-ins for what it uses */

const TargetPageBits target_page = { .decided = true, .bits = 12 };
uint32_t xen_domid = 1;
enum xen_mode xen_mode = XEN_EMULATE;
struct gnttab_backend_ops *xen_gnttab_ops;
const VMStateInfo vmstate_info_uint32;
const VMStateInfo vmstate_info_uint64;

static MemoryRegion ram;
static MemoryRegion device;
static int references;
static uint8_t page[XEN_PAGE_SIZE];

MemoryRegion *get_system_memory(void)
{
    return NULL;
}

MemoryRegionSection memory_region_find(MemoryRegion *mr, hwaddr addr,
                                       uint64_t size)
{
    MemoryRegionSection section = {
        .mr = addr >> XEN_PAGE_SHIFT == RAM_FRAME ? &ram : &device,
        .size = int128_make64(size),
    };

    references++;
    return section;
}

void memory_region_unref(MemoryRegion *mr)
{
    references--;
}

ram_addr_t memory_region_get_ram_addr(MemoryRegion *mr)
{
    return mr == &ram ? 0 : RAM_ADDR_INVALID;
}

void *qemu_map_ram_ptr(RAMBlock *block, ram_addr_t addr)
{
    return page;
}

void memory_region_set_dirty(MemoryRegion *mr, hwaddr addr, hwaddr size)
{
}

bool memory_region_init_ram(MemoryRegion *mr, Object *owner, const char *name,
                            uint64_t size, Error **errp)
{
    return false;
}

void memory_region_init_alias(MemoryRegion *mr, Object *owner,
                              const char *name, MemoryRegion *orig,
                              hwaddr offset, uint64_t size)
{
}

void memory_region_set_enabled(MemoryRegion *mr, bool enabled)
{
}

void *memory_region_get_ram_ptr(MemoryRegion *mr)
{
    return NULL;
}

uint16_t kvm_xen_get_gnttab_max_frames(void)
{
    return 1;
}

uint64_t xen_primary_console_get_pfn(void)
{
    return 0;
}

void xen_overlay_do_map_page(MemoryRegion *mr, uint64_t gpa)
{
}

DeviceState *sysbus_create_varargs(const char *name, hwaddr addr, ...)
{
    return NULL;
}

/* --------------------------------------------------------------- tests */

typedef struct Test {
    XenGnttabState state;
    grant_entry_v1_t entries[ENTRIES_PER_FRAME_V1];
    uint8_t map_track[ENTRIES_PER_FRAME_V1];
    struct xengntdev_handle *handle;
} Test;

static Test *test_start(void)
{
    Test *t = g_new0(Test, 1);

    t->state.max_frames = 1;
    t->state.entries.v1 = t->entries;
    t->state.map_track = t->map_track;
    qemu_mutex_init(&t->state.gnt_lock);
    xen_gnttab_singleton = &t->state;
    t->handle = emu_gnttab_backend_ops.open();
    return t;
}

static void test_end(Test *t)
{
    emu_gnttab_backend_ops.close(t->handle);
    g_assert_cmpint(references, ==, 0);
    g_assert_cmpuint(t->map_track[REF], ==, 0);
    g_assert_cmpuint(t->entries[REF].flags & (GTF_reading | GTF_writing), ==,
                     0);
    qemu_mutex_destroy(&t->state.gnt_lock);
    xen_gnttab_singleton = NULL;
    g_free(t);
}

static void *map(Test *t, uint32_t frame)
{
    uint32_t ref = REF;

    t->entries[REF].domid = DOMID_QEMU;
    t->entries[REF].frame = frame;
    t->entries[REF].flags = GTF_permit_access;
    return emu_gnttab_backend_ops.map_refs(t->handle, 1, xen_domid, &ref,
                                           PROT_READ | PROT_WRITE);
}

static void test_ram(void)
{
    Test *t = test_start();
    uint32_t ref = REF;

    g_assert_true(map(t, RAM_FRAME) == page);
    g_assert_cmpuint(t->map_track[REF], ==, 1);
    g_assert_cmpuint(t->entries[REF].flags, ==,
                     GTF_permit_access | GTF_reading | GTF_writing);
    g_assert_cmpint(emu_gnttab_backend_ops.unmap(t->handle, page, &ref, 1),
                    ==, 0);
    g_assert_cmpuint(t->map_track[REF], ==, 0);
    test_end(t);
}

/* A guest's root can grant any frame: the page of the APIC, a hole */
static void test_no_ram(void)
{
    Test *t = test_start();

    g_assert_null(map(t, 0xfee00));
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_cmpuint(t->map_track[REF], ==, 0);
    /* The reference is as good as before */
    g_assert_true(map(t, RAM_FRAME) == page);
    test_end(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-emu-gnttab/ram", test_ram);
    g_test_add_func("/xen-emu-gnttab/no-ram", test_no_ram);
    return g_test_run();
}
