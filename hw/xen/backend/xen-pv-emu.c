/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants of a guest of KVM's emulated Xen, whose memory is QEMU's own.
 *
 * The grant table is a region of memory of the device xen-gnttab, and what a
 * hypervisor does to map a grant is done here: check the entry, say in it that
 * it is in use, and find the page.  QEMU's own operations do the same, one page
 * a call, but tell neither the file that a page is in nor a page that is none
 * of the guest's RAM from one that is; and those of a stock QEMU abort if there
 * is no memory at all.
 *
 * That a grant is in use is counted here and by QEMU, each for itself.  A guest
 * that grants a page to one of our devices and to another device of QEMU's by
 * the same reference may see it free too early, and harms nobody else.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/boards.h"
#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/interface/grant_table.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "system/hostmem.h"
#include "system/kvm_xen.h"
#include "hw/xen/trace.h"
#include "xen-pv-emu.h"
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

/* Half of what Linux allows a process unless vm.max_map_count says so */
#define XEN_PV_EMU_AREAS 32768

/* A guest may change an entry again and again: be patient, but not forever */
#define XEN_PV_EMU_TRIES 5

/*
 * @uses: how often a page is mapped by this reference
 * @written: one of these was for writing
 */
typedef struct XenPvEmuRef {
    uint32_t uses;
    bool written;
} XenPvEmuRef;

static struct {
    grant_entry_v1_t *entries;
    XenPvEmuRef *refs;
    uint32_t count;
    XenRamAreas areas;
} xen_pv_emu = { .areas.max = XEN_PV_EMU_AREAS };

bool xen_pv_emu_is_used(void)
{
    Object *gnttab, *region;

    if (xen_pv_emu.entries) {
        return true;
    }
    gnttab = object_resolve_path_type("", "xen-gnttab", NULL);
    region = gnttab ? object_resolve_path_component(gnttab,
                                                    "xen:grant_table[0]")
                    : NULL;
    if (!region) {
        return false;
    }
    xen_pv_emu.count = memory_region_size(MEMORY_REGION(region)) /
                       sizeof(grant_entry_v1_t);
    xen_pv_emu.refs = g_new0(XenPvEmuRef, xen_pv_emu.count);
    xen_pv_emu.entries = memory_region_get_ram_ptr(MEMORY_REGION(region));

    return true;
}

XenRamAreas *xen_pv_emu_areas(void)
{
    return &xen_pv_emu.areas;
}

/* Check an entry, and say in it that it is in use */
static bool xen_pv_emu_claim(uint32_t ref, bool writable, uint32_t *frame)
{
    grant_entry_v1_t *entry = &xen_pv_emu.entries[ref];
    uint16_t mask = GTF_type_mask | GTF_sub_page |
                    (writable ? GTF_readonly : 0);
    uint16_t used = GTF_reading | (writable ? GTF_writing : 0);
    int i;

    for (i = 0; i < XEN_PV_EMU_TRIES; i++) {
        uint16_t flags = qatomic_read(&entry->flags);

        if ((flags & mask) != GTF_permit_access ||
            qatomic_read(&entry->domid) != DOMID_QEMU) {
            return false;
        }
        *frame = qatomic_read(&entry->frame);
        if (qatomic_cmpxchg(&entry->flags, flags, flags | used) == flags) {
            return true;
        }
    }

    return false;
}

static void xen_pv_emu_release(uint32_t ref)
{
    XenPvEmuRef *use = &xen_pv_emu.refs[ref];

    if (!use->uses) {
        use->written = false;
        qatomic_and(&xen_pv_emu.entries[ref].flags,
                    (uint16_t)~(GTF_reading | GTF_writing));
    }
}

/* Is this what the user gave the guest as its memory, and no device's? */
static bool xen_pv_emu_is_ram(const MemoryRegionSection *section, hwaddr addr)
{
    MachineState *machine = MACHINE(qdev_get_machine());
    DeviceMemoryState *dimms = machine->device_memory;
    MemoryRegion *mr = section->mr;
    RamDiscardManager *manager;

    if (!mr || section->offset_within_address_space != addr ||
        int128_lt(section->size, int128_make64(XEN_PGDIR_PAGE_SIZE)) ||
        !memory_region_is_ram(mr) || memory_region_is_ram_device(mr) ||
        mr->readonly || section->readonly ||
        !object_dynamic_cast(memory_region_owner(mr), TYPE_MEMORY_BACKEND)) {
        return false;
    }
    manager = memory_region_get_ram_discard_manager(mr);
    if (manager && !ram_discard_manager_is_populated(manager, section)) {
        return false;
    }

    return mr == machine->ram || mr->container == machine->ram ||
           (dimms && addr >= dimms->base &&
            addr - dimms->base < memory_region_size(&dimms->mr));
}

/* Huge pages cannot be mapped in pieces */
static bool xen_pv_emu_block_has_file(RAMBlock *block)
{
    return qemu_ram_get_fd(block) >= 0 && qemu_ram_is_shared(block) &&
           qemu_ram_pagesize(block) == XEN_PGDIR_PAGE_SIZE;
}

static int32_t xen_pv_emu_find(uint32_t frame, XenRamPage *page)
{
    hwaddr addr = (hwaddr)frame * XEN_PGDIR_PAGE_SIZE;
    MemoryRegionSection section = memory_region_find(get_system_memory(),
                                                     addr,
                                                     XEN_PGDIR_PAGE_SIZE);
    RAMBlock *block;

    if (!xen_pv_emu_is_ram(&section, addr)) {
        if (section.mr) {
            memory_region_unref(section.mr);
        }
        return -EFAULT;
    }
    block = section.mr->ram_block;
    page->addr = (uint8_t *)memory_region_get_ram_ptr(section.mr) +
                 section.offset_within_region;
    page->fd = xen_pv_emu_block_has_file(block) ? qemu_ram_get_fd(block) : -1;
    page->offset = block->fd_offset + section.offset_within_region;

    return 0;
}

bool xen_pv_emu_has_file(void)
{
    XenRamPage page;
    bool found = xen_pv_emu_find(0, &page) == 0;

    if (found) {
        MemoryRegion *mr;
        ram_addr_t offset;

        RCU_READ_LOCK_GUARD();
        mr = memory_region_from_host(page.addr, &offset);
        memory_region_unref(mr);
    }

    return found && page.fd >= 0;
}

static int32_t xen_pv_emu_get(void *opaque, uint32_t ref, uint32_t writable,
                              XenRamPage *page)
{
    XenPvBackend *backend = opaque;
    uint32_t frame;
    int32_t ret;

    if (ref >= xen_pv_emu.count || !xen_pv_emu_claim(ref, writable, &frame)) {
        return -EINVAL;
    }
    ret = xen_pv_emu_find(frame, page);
    if (ret) {
        trace_xen_pv_emu_no_ram(backend->xendev.frontend_id, ref, frame);
        xen_pv_guest_warn(backend, "grant %" PRIu32 " is of frame 0x%" PRIx32
                          ", which is none of the guest's memory", ref, frame);
        xen_pv_emu_release(ref);
        return ret;
    }
    xen_pv_emu.refs[ref].uses++;
    xen_pv_emu.refs[ref].written |= writable;

    return 0;
}

static void xen_pv_emu_put(void *opaque, uint32_t ref, void *addr)
{
    XenPvEmuRef *use = &xen_pv_emu.refs[ref];
    MemoryRegion *mr;
    ram_addr_t offset;

    RCU_READ_LOCK_GUARD();
    /* It is there as long as we have our reference to it */
    mr = memory_region_from_host(addr, &offset);
    if (use->written) {
        memory_region_set_dirty(mr, offset, XEN_PGDIR_PAGE_SIZE);
    }
    memory_region_unref(mr);
    use->uses--;
    xen_pv_emu_release(ref);
}

const XenRamOps xen_pv_emu_ops = {
    .get = xen_pv_emu_get,
    .put = xen_pv_emu_put,
};
