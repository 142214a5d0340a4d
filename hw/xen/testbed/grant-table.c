/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-table.h"
#include "machine-state.h"

/* How often a domain may change an entry while it is being pinned */
#define PIN_RETRIES     5

#define NO_HANDLE       UINT32_MAX

#define MAP_KINDS       (GNTMAP_host_map | GNTMAP_device_map)

/* Active entries */

/* Whether the flags of a mapping ask for a kind of pin */
static bool wants_pin(uint32_t map_flags, int kind)
{
    bool device = kind == PIN_DEVICE_WRITE || kind == PIN_DEVICE_READ;
    bool read = kind == PIN_HOST_READ || kind == PIN_DEVICE_READ;

    return (map_flags & (device ? GNTMAP_device_map : GNTMAP_host_map)) &&
           read == !!(map_flags & GNTMAP_readonly);
}

static bool can_count(const ActiveEntry *active, uint32_t map_flags)
{
    int i;

    for (i = 0; i < PIN_KINDS; i++) {
        if (wants_pin(map_flags, i) &&
            active->pins[i] == XEN_GRANT_MAX_PINS) {
            return false;
        }
    }
    return true;
}

static void count_pins(ActiveEntry *active, uint32_t map_flags, int change)
{
    int i;

    for (i = 0; i < PIN_KINDS; i++) {
        active->pins[i] += wants_pin(map_flags, i) ? change : 0;
    }
}

static bool has_writers(const ActiveEntry *active)
{
    return active->pins[PIN_HOST_WRITE] || active->pins[PIN_DEVICE_WRITE];
}

/*
 * Check the shared entry and mark it as in use.  The domain may write the
 * entry at any time, so what was checked is what is compared and exchanged.
 * As long as it is pinned, what it is and for whom is what the first pin found:
 * only whether it may be written is looked at again.
 */
static int16_t take_shared(grant_entry_v1_t *shared, domid_t user, bool first,
                           bool write)
{
    uint16_t in_use = GTF_reading | (write ? GTF_writing : 0);
    int i;

    for (i = 0; i < PIN_RETRIES; i++) {
        uint16_t flags = __atomic_load_n(&shared->flags, __ATOMIC_ACQUIRE);

        if (first &&
            ((flags & GTF_type_mask) != GTF_permit_access ||
             (flags & GTF_sub_page) ||
             __atomic_load_n(&shared->domid, __ATOMIC_RELAXED) != user)) {
            return GNTST_general_error;
        }
        if (write && (flags & GTF_readonly)) {
            return GNTST_general_error;
        }
        if (__atomic_compare_exchange_n(&shared->flags, &flags,
                                        flags | in_use, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}

/* Clear the marks that no pin stands behind any more */
static void leave_shared(XenMachine *m, const Domain *owner, uint32_t ref)
{
    const ActiveEntry *active = &machine_active(m, owner)[ref];
    uint16_t clear = (has_writers(active) ? 0 : GTF_writing) |
                     (active->any ? 0 : GTF_reading);

    if (clear) {
        __atomic_fetch_and(&machine_shared(m, owner)[ref].flags,
                           (uint16_t)~clear, __ATOMIC_ACQ_REL);
    }
}

static int16_t pin_ref(XenMachine *m, domid_t user, Domain *owner,
                       uint32_t ref, uint32_t map_flags)
{
    bool write = !(map_flags & GNTMAP_readonly);
    grant_entry_v1_t *shared;
    ActiveEntry *active;
    uint32_t frame;
    int16_t status;

    if (ref >= owner->nr_entries) {
        return GNTST_bad_gntref;
    }
    shared = &machine_shared(m, owner)[ref];
    active = &machine_active(m, owner)[ref];
    if (active->any &&
        (active->domid != user || !can_count(active, map_flags))) {
        return GNTST_general_error;
    }

    if (!active->any || (write && !has_writers(active))) {
        status = take_shared(shared, user, !active->any, write);
        if (status != GNTST_okay) {
            return status;
        }
    }
    if (!active->any) {
        frame = __atomic_load_n(&shared->frame, __ATOMIC_RELAXED);
        if (!xen_machine_get_frame(m, owner, frame)) {
            leave_shared(m, owner, ref);
            return GNTST_bad_page;
        }
        active->frame = frame;
        active->domid = user;
        owner->refs++;
    }
    count_pins(active, map_flags, 1);
    return GNTST_okay;
}

static void unpin_ref(XenMachine *m, Domain *owner, uint32_t ref,
                      uint32_t map_flags)
{
    ActiveEntry *active = &machine_active(m, owner)[ref];

    count_pins(active, map_flags, -1);
    leave_shared(m, owner, ref);
    if (!active->any) {
        xen_machine_put_frame(m, active->frame);
        owner->refs--;
    }
}

static uint32_t pin_flags(bool write)
{
    return GNTMAP_host_map | (write ? 0 : GNTMAP_readonly);
}

int16_t xen_grant_table_pin(XenMachine *m, domid_t user, domid_t owner,
                            uint32_t ref, bool write, uint32_t *frame)
{
    Domain *d = xen_machine_domain(m, owner);
    int16_t status;

    if (!d || d->dying) {
        return GNTST_bad_domain;
    }
    status = pin_ref(m, user, d, ref, pin_flags(write));
    if (status == GNTST_okay) {
        *frame = machine_active(m, d)[ref].frame;
        d->untracked++;
    }
    return status;
}

void xen_grant_table_unpin(XenMachine *m, domid_t owner, uint32_t ref,
                           bool write)
{
    Domain *d = xen_machine_domain(m, owner);

    g_assert(d && ref < d->nr_entries &&
             machine_active(m, d)[ref].pins[write ? PIN_HOST_WRITE :
                                                    PIN_HOST_READ]);
    d->untracked--;
    unpin_ref(m, d, ref, pin_flags(write));
}

/* Map track */

static uint32_t take_handle(XenMachine *m, Domain *mapper)
{
    uint32_t handle;

    if (mapper->free_handle) {
        handle = mapper->free_handle - 1;
        mapper->free_handle = machine_track(m, mapper)[handle].ref;
        return handle;
    }
    return mapper->nr_handles < m->state->config.nr_handles ?
           mapper->nr_handles++ : NO_HANDLE;
}

static void leave_handle(XenMachine *m, Domain *mapper, uint32_t handle)
{
    machine_track(m, mapper)[handle] = (TrackEntry) {
        .ref = mapper->free_handle,
    };
    mapper->free_handle = handle + 1;
}

/* End the kinds of mappings that a handle stands for; the last ends it, too */
static void end_mapping(XenMachine *m, Domain *mapper, uint32_t handle,
                        uint32_t kinds)
{
    TrackEntry *track = &machine_track(m, mapper)[handle];
    Domain *owner = xen_machine_domain(m, track->owner);

    kinds &= track->flags & MAP_KINDS;
    unpin_ref(m, owner, track->ref, kinds | (track->flags & GNTMAP_readonly));
    track->flags &= ~kinds;
    if (!(track->flags & MAP_KINDS)) {
        leave_handle(m, mapper, handle);
        owner->mapped--;
    }
}

/* Page tables */

static PageTableEntry *find_pte(XenMachine *m, const Domain *d,
                                uint64_t host_addr)
{
    uint64_t index = host_addr >> XEN_MACHINE_PAGE_SHIFT;

    if (!index || index >= m->state->config.nr_ptes ||
        host_addr % XEN_MACHINE_PAGE_SIZE) {
        return NULL;
    }
    return &machine_ptes(m, d)[index];
}

/* A foreign frame was overwritten: whose mapping was it?  The first's. */
static void drop_mapping(XenMachine *m, Domain *mapper, PageTableEntry pte)
{
    uint32_t handle;

    for (handle = 0; handle < mapper->nr_handles; handle++) {
        const TrackEntry *track = &machine_track(m, mapper)[handle];
        bool writable = !(track->flags & GNTMAP_readonly);
        const Domain *owner;

        if (!(track->flags & TRACK_USED) ||
            !(track->flags & GNTMAP_host_map) ||
            writable != !!(pte.flags & PTE_WRITABLE)) {
            continue;
        }
        owner = xen_machine_domain(m, track->owner);
        if (machine_active(m, owner)[track->ref].frame == pte.frame) {
            end_mapping(m, mapper, handle, GNTMAP_host_map);
            return;
        }
    }
}

/* Put an entry in place of another */
static void set_pte(XenMachine *m, Domain *d, PageTableEntry *at,
                    PageTableEntry pte)
{
    PageTableEntry old = *at;

    *at = pte;
    if (old.flags & PTE_FOREIGN) {
        drop_mapping(m, d, old);
    } else if (old.flags & PTE_PRESENT) {
        xen_machine_put_frame(m, old.frame);
    }
}

int16_t xen_grant_table_write_pte(XenMachine *m, domid_t domid,
                                  uint64_t host_addr, uint32_t frame,
                                  bool writable)
{
    Domain *d = xen_machine_domain(m, domid);
    PageTableEntry pte = { 0 };
    PageTableEntry *at;

    if (!d || d->dying) {
        return GNTST_bad_domain;
    }
    at = find_pte(m, d, host_addr);
    if (!at) {
        return GNTST_bad_virt_addr;
    }
    if (frame != XEN_MACHINE_NO_FRAME) {
        if (!xen_machine_get_frame(m, d, frame)) {
            return GNTST_bad_page;
        }
        pte.frame = frame;
        pte.flags = PTE_PRESENT | (writable ? PTE_WRITABLE : 0);
    }
    set_pte(m, d, at, pte);
    return GNTST_okay;
}

uint32_t xen_grant_table_read_pte(XenMachine *m, domid_t domid,
                                  uint64_t host_addr, bool *writable)
{
    Domain *d = xen_machine_domain(m, domid);
    const PageTableEntry *pte = d ? find_pte(m, d, host_addr) : NULL;

    if (!pte || !(pte->flags & PTE_PRESENT)) {
        return XEN_MACHINE_NO_FRAME;
    }
    if (writable) {
        *writable = pte->flags & PTE_WRITABLE;
    }
    return pte->frame;
}

/* The entry that a mapping is in, if it is there */
static PageTableEntry *find_mapping(XenMachine *m, const Domain *mapper,
                                    uint64_t host_addr, uint32_t frame,
                                    bool readonly)
{
    PageTableEntry *at = find_pte(m, mapper, host_addr);

    return at && (at->flags & PTE_FOREIGN) && at->frame == frame &&
           readonly == !(at->flags & PTE_WRITABLE) ? at : NULL;
}

/* Operations */

static int16_t map_one(XenMachine *m, Domain *mapper,
                       struct gnttab_map_grant_ref *op)
{
    uint32_t flags = op->flags & (MAP_KINDS | GNTMAP_readonly);
    Domain *owner = xen_machine_domain(m, op->dom);
    PageTableEntry *at = NULL;
    PageTableEntry pte;
    uint32_t handle;
    int16_t status;

    if (!(flags & MAP_KINDS)) {
        return GNTST_bad_gntref;
    }
    if (!mapper || mapper->dying || !owner || owner->dying) {
        return GNTST_bad_domain;
    }
    if (m->state->config.nr_ptes && (flags & GNTMAP_host_map)) {
        at = find_pte(m, mapper, op->host_addr);
        if (!at) {
            return GNTST_bad_virt_addr;
        }
    }

    handle = take_handle(m, mapper);
    if (handle == NO_HANDLE) {
        return GNTST_no_space;
    }
    status = pin_ref(m, mapper->domid, owner, op->ref, flags);
    if (status != GNTST_okay) {
        leave_handle(m, mapper, handle);
        return status;
    }
    owner->mapped++;
    owner->peak = MAX(owner->peak, owner->mapped);

    pte = (PageTableEntry) {
        .frame = machine_active(m, owner)[op->ref].frame,
        .flags = PTE_PRESENT | PTE_FOREIGN |
                 (flags & GNTMAP_readonly ? 0 : PTE_WRITABLE),
    };
    if (at) {
        /* Not tracked yet: so it is not what is found to be overwritten */
        set_pte(m, mapper, at, pte);
    }
    machine_track(m, mapper)[handle] = (TrackEntry) {
        .ref = op->ref,
        .owner = owner->domid,
        .flags = TRACK_USED | flags,
    };
    op->handle = handle;
    op->dev_bus_addr = (uint64_t)pte.frame << XEN_MACHINE_PAGE_SHIFT;
    return GNTST_okay;
}

uint32_t xen_grant_table_map(XenMachine *m, domid_t mapper,
                             struct gnttab_map_grant_ref *ops,
                             uint32_t count)
{
    Domain *d = xen_machine_domain(m, mapper);
    uint32_t failed = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        ops[i].dev_bus_addr = 0;
        ops[i].status = map_one(m, d, &ops[i]);
        failed += ops[i].status != GNTST_okay;
    }
    return failed;
}

static int16_t unmap_one(XenMachine *m, Domain *mapper,
                         const struct gnttab_unmap_grant_ref *op)
{
    PageTableEntry *at = NULL;
    const TrackEntry *track;
    uint32_t kinds, frame;

    if (!mapper) {
        return GNTST_bad_domain;
    }
    if (op->handle >= mapper->nr_handles ||
        !(machine_track(m, mapper)[op->handle].flags & TRACK_USED)) {
        return GNTST_bad_handle;
    }
    track = &machine_track(m, mapper)[op->handle];
    frame = machine_active(m, xen_machine_domain(m, track->owner))
            [track->ref].frame;
    kinds = (op->host_addr ? GNTMAP_host_map : 0) |
            (op->dev_bus_addr ? GNTMAP_device_map : 0);
    kinds &= track->flags;

    if ((kinds & GNTMAP_device_map) &&
        op->dev_bus_addr != (uint64_t)frame << XEN_MACHINE_PAGE_SHIFT) {
        return GNTST_general_error;
    }
    if (m->state->config.nr_ptes && (kinds & GNTMAP_host_map)) {
        at = find_mapping(m, mapper, op->host_addr, frame,
                          track->flags & GNTMAP_readonly);
        if (!at) {
            return GNTST_general_error;
        }
        memset(at, 0, sizeof(*at));
    }
    if (kinds) {
        end_mapping(m, mapper, op->handle, kinds);
    }
    return GNTST_okay;
}

uint32_t xen_grant_table_unmap(XenMachine *m, domid_t mapper,
                               struct gnttab_unmap_grant_ref *ops,
                               uint32_t count)
{
    Domain *d = xen_machine_domain(m, mapper);
    uint32_t failed = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        ops[i].status = unmap_one(m, d, &ops[i]);
        failed += ops[i].status != GNTST_okay;
    }
    return failed;
}

/* @ref: the pin to be undone, if the side is a grant */
typedef struct CopySide {
    uint32_t frame;
    Domain *owner;
    uint32_t ref;
} CopySide;

static int16_t take_side(XenMachine *m, Domain *caller,
                         const struct gnttab_copy_ptr *ptr, bool is_ref,
                         bool write, CopySide *side)
{
    int16_t status;

    if (!is_ref) {
        if (ptr->domid != DOMID_SELF) {
            return GNTST_permission_denied;
        }
        side->frame = MIN(ptr->u.gmfn, XEN_MACHINE_NO_FRAME);
        return xen_machine_get_frame(m, caller, side->frame) ?
               GNTST_okay : GNTST_bad_page;
    }
    side->owner = xen_machine_domain(m, ptr->domid);
    if (!side->owner || side->owner->dying) {
        return GNTST_bad_domain;
    }
    side->ref = ptr->u.ref;
    status = pin_ref(m, caller->domid, side->owner, side->ref,
                     pin_flags(write));
    if (status == GNTST_okay) {
        side->frame = machine_active(m, side->owner)[side->ref].frame;
    }
    return status;
}

static void leave_side(XenMachine *m, const CopySide *side, bool write)
{
    if (side->owner) {
        unpin_ref(m, side->owner, side->ref, pin_flags(write));
    } else {
        xen_machine_put_frame(m, side->frame);
    }
}

static uint8_t *frame_data(XenMachine *m, uint32_t frame, uint16_t offset)
{
    return m->memory + ((size_t)frame << XEN_MACHINE_PAGE_SHIFT) + offset;
}

static int16_t copy_one(XenMachine *m, Domain *caller,
                        const struct gnttab_copy *op)
{
    CopySide source = { 0 };
    CopySide dest = { 0 };
    int16_t status;

    if (!caller) {
        return GNTST_bad_domain;
    }
    if (op->source.offset + op->len > XEN_MACHINE_PAGE_SIZE ||
        op->dest.offset + op->len > XEN_MACHINE_PAGE_SIZE) {
        return GNTST_bad_copy_arg;
    }
    status = take_side(m, caller, &op->source,
                       op->flags & GNTCOPY_source_gref, false, &source);
    if (status != GNTST_okay) {
        return status;
    }
    status = take_side(m, caller, &op->dest, op->flags & GNTCOPY_dest_gref,
                       true, &dest);
    if (status == GNTST_okay) {
        memmove(frame_data(m, dest.frame, op->dest.offset),
                frame_data(m, source.frame, op->source.offset), op->len);
        leave_side(m, &dest, true);
    }
    leave_side(m, &source, false);
    return status;
}

uint32_t xen_grant_table_copy(XenMachine *m, domid_t caller,
                              struct gnttab_copy *ops, uint32_t count)
{
    Domain *d = xen_machine_domain(m, caller);
    uint32_t failed = 0;
    uint32_t i;

    g_assert(m->memory);
    for (i = 0; i < count; i++) {
        ops[i].status = copy_one(m, d, &ops[i]);
        failed += ops[i].status != GNTST_okay;
    }
    return failed;
}

/* Domains */

void xen_grant_table_release(XenMachine *m, domid_t mapper)
{
    Domain *d = xen_machine_domain(m, mapper);
    uint32_t i;

    g_assert(d);
    for (i = 0; i < d->nr_handles; i++) {
        if (machine_track(m, d)[i].flags & TRACK_USED) {
            end_mapping(m, d, i, MAP_KINDS);
        }
    }
    for (i = 0; i < m->state->config.nr_ptes; i++) {
        PageTableEntry *at = &machine_ptes(m, d)[i];

        if (at->flags & PTE_FOREIGN) {
            memset(at, 0, sizeof(*at));
        }
    }
}

void xen_grant_table_kill(XenMachine *m, domid_t domid)
{
    Domain *d = xen_machine_domain(m, domid);
    uint32_t i;

    g_assert(d);
    d->dying = true;
    xen_grant_table_release(m, domid);
    for (i = 0; i < m->state->config.nr_ptes; i++) {
        set_pte(m, d, &machine_ptes(m, d)[i], (PageTableEntry) { 0 });
    }
    xen_machine_relinquish(m, d);
}

/* Counters */

void xen_grant_table_stats(XenMachine *m, domid_t owner,
                           XenGrantTableStats *stats)
{
    const Domain *d = xen_machine_domain(m, owner);

    *stats = d ? (XenGrantTableStats) { d->mapped, d->peak, d->refs } :
                 (XenGrantTableStats) { 0 };
}

void xen_grant_table_reset_peak(XenMachine *m, domid_t owner)
{
    Domain *d = xen_machine_domain(m, owner);

    g_assert(d);
    d->peak = d->mapped;
}

int xen_grant_status_errno(int16_t status)
{
    switch (status) {
    case GNTST_okay:
        return 0;
    case GNTST_bad_domain:
        return -ESRCH;
    case GNTST_bad_handle:
        return -ENOENT;
    case GNTST_general_error:
    case GNTST_permission_denied:
        return -EPERM;
    case GNTST_bad_page:
        return -ERANGE;
    case GNTST_no_space:
        return -ENOSPC;
    case GNTST_eagain:
        return -EAGAIN;
    default:
        return -EINVAL;
    }
}
