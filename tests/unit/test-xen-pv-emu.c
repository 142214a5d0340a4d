/*
 * Tests of grants of a guest whose memory is QEMU's own
 *
 * The objects are real ones of QOM.  What QEMU would tell of the guest's memory
 * is a stand-in: frame 1 is RAM of the machine's, and the others are what the
 * table of frames says.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "hw/boards.h"
#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/interface/grant_table.h"
#include "system/hostmem.h"
#include "../../hw/xen/backend/xen-pv-emu.h"
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#include "system/address-spaces.h"
#include "system/memory.h"
#include "system/ramblock.h"
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "exec/ramblock.h"
#endif

#define PAGE        ((size_t)XEN_PGDIR_PAGE_SIZE)
#define ENTRIES     512
#define REF         8
#define FD          33
#define FD_OFFSET   (1 << 20)

/* What can be at a frame */
enum {
    HOLE,
    RAM,
    DIMM,
    DEVICE_RAM,
    BACKEND_OF_DEVICE,
    REGISTERS,
    READ_ONLY,
    READ_ONLY_ALIAS,
    MAPPED_DEVICE,
    HALF_A_PAGE,
    BEHIND_A_HOLE,
    UNPLUGGED,
    FRAMES,
};

#define DIMMS_BASE  (DIMM * PAGE)

static struct {
    MachineState *machine;
    DeviceMemoryState dimms;
    Object *backend;
    Object *device;
    MemoryRegion regions[FRAMES];
    RAMBlock blocks[FRAMES];
    uint8_t memory[FRAMES * XEN_PGDIR_PAGE_SIZE];
    grant_entry_v1_t table[ENTRIES];
    MemoryRegion *table_region;
    int references;
    int dirty;
    int warnings;
    bool shared;
    size_t page_size;
    XenPvBackend card;
} w;

/* --------------------------------------------- stand-ins for what it uses */

MemoryRegion *get_system_memory(void)
{
    return NULL;
}

MemoryRegionSection memory_region_find(MemoryRegion *mr, hwaddr addr,
                                       uint64_t size)
{
    hwaddr frame = addr / PAGE;
    MemoryRegionSection section = { .size = int128_make64(size) };

    g_assert_cmpuint(addr % PAGE, ==, 0);
    if (frame == HOLE || frame >= FRAMES) {
        return section;
    }
    section.mr = &w.regions[frame];
    section.offset_within_address_space = addr;
    section.offset_within_region = 0;
    section.readonly = frame == READ_ONLY_ALIAS;
    if (frame == HALF_A_PAGE) {
        section.size = int128_make64(size / 2);
    }
    if (frame == BEHIND_A_HOLE) {
        section.offset_within_address_space += size / 2;
    }
    w.references++;
    return section;
}

MemoryRegion *memory_region_from_host(void *ptr, ram_addr_t *offset)
{
    size_t frame = ((uint8_t *)ptr - w.memory) / PAGE;

    g_assert_cmpuint(frame, <, FRAMES);
    *offset = 0;
    return &w.regions[frame];
}

void memory_region_unref(MemoryRegion *mr)
{
    w.references--;
}

void memory_region_set_dirty(MemoryRegion *mr, hwaddr addr, hwaddr size)
{
    w.dirty++;
}

bool memory_region_is_ram_device(MemoryRegion *mr)
{
    return mr == &w.regions[MAPPED_DEVICE];
}

Object *memory_region_owner(MemoryRegion *mr)
{
    return mr->owner;
}

uint64_t memory_region_size(MemoryRegion *mr)
{
    return mr == w.table_region ? sizeof(w.table) : PAGE;
}

void *memory_region_get_ram_ptr(MemoryRegion *mr)
{
    return mr == w.table_region ? (void *)w.table
                                : w.memory + (mr - w.regions) * PAGE;
}

RamDiscardManager *memory_region_get_ram_discard_manager(MemoryRegion *mr)
{
    return mr == &w.regions[UNPLUGGED] ? (RamDiscardManager *)&w : NULL;
}

bool ram_discard_manager_is_populated(const RamDiscardManager *rdm,
                                      const MemoryRegionSection *section)
{
    return false;
}

int qemu_ram_get_fd(RAMBlock *block)
{
    return block->fd;
}

bool qemu_ram_is_shared(RAMBlock *block)
{
    return w.shared;
}

size_t qemu_ram_pagesize(RAMBlock *block)
{
    return w.page_size;
}

Object *qdev_get_machine(void)
{
    return OBJECT(w.machine);
}

void xen_pv_guest_warn(XenPvBackend *backend, const char *fmt, ...)
{
    w.warnings++;
}

/* ----------------------------------------------------------------- fixture */

static void add_type(const char *name, size_t size, size_t class_size)
{
    const TypeInfo info = {
        .name = name,
        .parent = TYPE_OBJECT,
        .instance_size = size,
        .class_size = class_size,
    };

    type_register_static(&info);
}

static void add_table(void)
{
    Object *gnttab = object_new("xen-gnttab");
    Object *table = object_new(TYPE_MEMORY_REGION);

    object_property_add_child(object_get_root(), "gnttab", gnttab);
    object_property_add_child(gnttab, "xen:grant_table[0]", table);
    w.table_region = (MemoryRegion *)table;
}

static void setup(void)
{
    static MemoryRegion not_the_machines;
    int i;

    add_type(TYPE_MACHINE, sizeof(MachineState), sizeof(MachineClass));
    add_type(TYPE_MEMORY_BACKEND, sizeof(Object), 0);
    add_type(TYPE_MEMORY_REGION, sizeof(MemoryRegion), 0);
    add_type("xen-gnttab", sizeof(Object), 0);
    add_type("some-device", sizeof(Object), 0);
    w.machine = MACHINE(object_new(TYPE_MACHINE));
    w.backend = object_new(TYPE_MEMORY_BACKEND);
    w.device = object_new("some-device");
    w.machine->ram = &w.regions[RAM];
    w.machine->device_memory = &w.dimms;
    w.dimms.base = DIMMS_BASE;
    w.shared = true;
    w.page_size = PAGE;
    for (i = 0; i < FRAMES; i++) {
        w.blocks[i].fd = FD;
        w.blocks[i].fd_offset = FD_OFFSET;
        w.regions[i].ram = i != REGISTERS;
        w.regions[i].ram_block = &w.blocks[i];
        w.regions[i].owner = i == DEVICE_RAM ? w.device : w.backend;
        /* All but one are as good as the machine's, but for what is wrong */
        w.regions[i].container = i == BACKEND_OF_DEVICE || i == DIMM ?
                                 &not_the_machines : w.machine->ram;
    }
    w.regions[READ_ONLY].readonly = true;
}

static void grant(uint32_t frame, uint16_t flags)
{
    w.table[REF] = (grant_entry_v1_t) {
        .flags = flags,
        .domid = 0,
        .frame = frame,
    };
}

static int32_t get_ref(uint32_t ref, bool writable, XenRamPage *page)
{
    return xen_pv_emu_ops.get(&w.card, ref, writable, page);
}

static void put(const XenRamPage *page)
{
    xen_pv_emu_ops.put(&w.card, REF, page->addr);
}

static void check_idle(void)
{
    g_assert_cmpint(w.references, ==, 0);
    g_assert_cmpuint(w.table[REF].flags & (GTF_reading | GTF_writing), ==, 0);
}

/* ------------------------------------------------------------------- tests */

static void test_ram(void)
{
    XenRamPage page, again;

    grant(RAM, GTF_permit_access);
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    g_assert_true(page.addr == w.memory + RAM * PAGE);
    g_assert_cmpint(page.fd, ==, FD);
    g_assert_cmpuint(page.offset, ==, FD_OFFSET);
    g_assert_cmpuint(w.table[REF].flags, ==,
                     GTF_permit_access | GTF_reading);
    g_assert_cmpint(get_ref(REF, true, &again), ==, 0);
    g_assert_cmpuint(w.table[REF].flags, ==,
                     GTF_permit_access | GTF_reading | GTF_writing);
    g_assert_cmpint(w.references, ==, 2);
    put(&page);
    g_assert_cmpuint(w.table[REF].flags & GTF_reading, !=, 0);
    put(&again);
    g_assert_cmpint(w.dirty, ==, 2);
    check_idle();
    /* What was only read is clean */
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    put(&page);
    g_assert_cmpint(w.dirty, ==, 2);
    check_idle();
}

static void test_dimm(void)
{
    XenRamPage page;

    grant(DIMM, GTF_permit_access);
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    put(&page);
    check_idle();
}

/* What is not the guest's memory, or not for it to write */
static void test_no_ram(void)
{
    const uint32_t frames[] = {
        HOLE, DEVICE_RAM, BACKEND_OF_DEVICE, REGISTERS, READ_ONLY,
        READ_ONLY_ALIAS, MAPPED_DEVICE, HALF_A_PAGE, BEHIND_A_HOLE, UNPLUGGED,
        FRAMES, 0xfee00, 0xfffffff, UINT32_MAX,
    };
    XenRamPage page;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(frames); i++) {
        int before = w.warnings;

        grant(frames[i], GTF_permit_access);
        g_assert_cmpint(get_ref(REF, false, &page), ==, -EFAULT);
        g_assert_cmpint(get_ref(REF, true, &page), ==, -EFAULT);
        g_assert_cmpint(w.warnings, ==, before + 2);
        check_idle();
    }
}

/* A mapping stays what it is when the guest spoils its entry afterwards */
static void test_changed(void)
{
    XenRamPage page, other;

    grant(RAM, GTF_permit_access);
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    w.table[REF].frame = HOLE;
    g_assert_cmpint(get_ref(REF, false, &other), ==, -EFAULT);
    g_assert_cmpuint(w.table[REF].flags & GTF_reading, !=, 0);
    w.table[REF].flags = 0;
    put(&page);
    check_idle();
}

static void test_no_grant(void)
{
    XenRamPage page;

    grant(RAM, 0);
    g_assert_cmpint(get_ref(REF, false, &page), ==, -EINVAL);
    grant(RAM, GTF_accept_transfer);
    g_assert_cmpint(get_ref(REF, false, &page), ==, -EINVAL);
    grant(RAM, GTF_permit_access | GTF_sub_page);
    g_assert_cmpint(get_ref(REF, false, &page), ==, -EINVAL);
    grant(RAM, GTF_permit_access);
    w.table[REF].domid = 7;
    g_assert_cmpint(get_ref(REF, false, &page), ==, -EINVAL);
    grant(RAM, GTF_permit_access | GTF_readonly);
    g_assert_cmpint(get_ref(REF, true, &page), ==, -EINVAL);
    check_idle();
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    put(&page);
    check_idle();
    g_assert_cmpint(get_ref(ENTRIES, false, &page), ==, -EINVAL);
    g_assert_cmpint(get_ref(UINT32_MAX, false, &page), ==, -EINVAL);
}

static void check_file(bool file)
{
    XenRamPage page;

    grant(RAM, GTF_permit_access);
    g_assert_cmpint(get_ref(REF, false, &page), ==, 0);
    g_assert_true((page.fd >= 0) == file);
    put(&page);
    check_idle();
}

/* Only what is shared, and has pages as small as the guest's */
static void test_file(void)
{
    check_file(true);
    w.shared = false;
    check_file(false);
    w.shared = true;
    w.page_size = 2 << 20;
    check_file(false);
    w.page_size = PAGE;
    w.blocks[RAM].fd = -1;
    check_file(false);
    w.blocks[RAM].fd = FD;
    check_file(true);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    module_call_init(MODULE_INIT_QOM);
    setup();
    g_assert_false(xen_pv_emu_is_used());
    add_table();
    g_assert_true(xen_pv_emu_is_used());
    g_test_add_func("/xen-pv-emu/ram", test_ram);
    g_test_add_func("/xen-pv-emu/dimm", test_dimm);
    g_test_add_func("/xen-pv-emu/no-ram", test_no_ram);
    g_test_add_func("/xen-pv-emu/changed", test_changed);
    g_test_add_func("/xen-pv-emu/no-grant", test_no_grant);
    g_test_add_func("/xen-pv-emu/file", test_file);
    return g_test_run();
}
