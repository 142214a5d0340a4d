/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the machine that Xen shares out, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "machine-state.h"

#define MACHINE_MAGIC   0x3165636e65725878ULL
#define MACHINE_ALIGN   64

/* More of anything would not fit the numbers in a hypercall's arguments */
#define MACHINE_MAX     (1u << 30)

/* Where the parts of the block are: all but the domains' contents */
static void lay_out(XenMachineState *layout, const XenMachineConfig *c)
{
    const struct {
        uint64_t *offset;
        uint64_t count;
        size_t size;
    } parts[] = {
        { &layout->frames, c->nr_frames, sizeof(Frame) },
        { &layout->active, (uint64_t)c->nr_domains * c->nr_entries,
          sizeof(ActiveEntry) },
        { &layout->track, (uint64_t)c->nr_domains * c->nr_handles,
          sizeof(TrackEntry) },
        { &layout->p2m, (uint64_t)c->nr_domains * c->nr_pfns,
          sizeof(uint32_t) },
        { &layout->ptes, (uint64_t)c->nr_domains * c->nr_ptes,
          sizeof(PageTableEntry) },
    };
    uint64_t end = sizeof(XenMachineState);
    size_t i;

    for (i = 0; i < ARRAY_SIZE(parts); i++) {
        end = (end + MACHINE_ALIGN - 1) / MACHINE_ALIGN * MACHINE_ALIGN;
        *parts[i].offset = end;
        end += parts[i].count * parts[i].size;
    }
    layout->config = *c;
    layout->size = end;
}

size_t xen_machine_size(const XenMachineConfig *config)
{
    XenMachineState layout;

    if (!config->nr_frames || config->nr_frames > MACHINE_MAX ||
        !config->nr_domains || config->nr_domains > XEN_MACHINE_DOMAINS ||
        config->nr_entries > MACHINE_MAX || config->nr_handles > MACHINE_MAX ||
        config->nr_pfns > MACHINE_MAX || config->nr_ptes > MACHINE_MAX) {
        return 0;
    }
    lay_out(&layout, config);
    return layout.size <= SIZE_MAX ? layout.size : 0;
}

void xen_machine_init(XenMachine *m, void *block,
                      const XenMachineConfig *config, void *memory)
{
    g_assert(xen_machine_size(config));
    *m = (XenMachine) { .state = block, .memory = memory };
    lay_out(m->state, config);
    m->state->magic = MACHINE_MAGIC;
}

bool xen_machine_attach(XenMachine *m, void *block, size_t size,
                        void *memory)
{
    XenMachineState *state = block;

    if (size < sizeof(*state) || state->magic != MACHINE_MAGIC ||
        state->size > size || xen_machine_size(&state->config) != state->size) {
        return false;
    }
    *m = (XenMachine) { .state = state, .memory = memory };
    return true;
}

/* Domains */

Domain *xen_machine_domain(XenMachine *m, domid_t domid)
{
    uint32_t i;

    for (i = 0; i < m->state->config.nr_domains; i++) {
        Domain *d = &m->state->domains[i];

        if (d->used && d->domid == domid) {
            return d;
        }
    }
    return NULL;
}

int xen_machine_add_domain(XenMachine *m, domid_t domid, uint32_t nr_entries,
                           uint32_t table_frame)
{
    const XenMachineConfig *config = &m->state->config;
    uint32_t frames = DIV_ROUND_UP(nr_entries, XEN_MACHINE_ENTRIES);
    uint32_t i;
    Domain *d;

    if (domid >= DOMID_FIRST_RESERVED || nr_entries > config->nr_entries ||
        (table_frame && (!m->memory || table_frame >= config->nr_frames ||
                         frames > config->nr_frames - table_frame))) {
        return -EINVAL;
    }
    if (xen_machine_domain(m, domid)) {
        return -EEXIST;
    }
    for (i = 0; i < config->nr_domains; i++) {
        d = &m->state->domains[i];
        if (!d->used) {
            *d = (Domain) {
                .domid = domid,
                .used = true,
                .nr_entries = nr_entries,
                .table_frame = table_frame,
                .max_pages = UINT32_MAX,
                .max_frame = UINT32_MAX,
            };
            memset(machine_p2m(m, d), 0xff,
                   config->nr_pfns * sizeof(uint32_t));
            return 0;
        }
    }
    return -ENOSPC;
}

void xen_machine_set_table(XenMachine *m, domid_t domid,
                           grant_entry_v1_t *table)
{
    Domain *d = xen_machine_domain(m, domid);

    g_assert(d && !d->table_frame);
    m->tables[machine_slot(m, d)] = table;
}

grant_entry_v1_t *xen_machine_table(XenMachine *m, domid_t domid,
                                    uint32_t *nr_entries)
{
    Domain *d = xen_machine_domain(m, domid);

    if (!d) {
        return NULL;
    }
    if (nr_entries) {
        *nr_entries = d->nr_entries;
    }
    return machine_shared(m, d);
}

void xen_machine_set_limits(XenMachine *m, domid_t domid, uint32_t max_pages,
                            uint32_t max_frame)
{
    Domain *d = xen_machine_domain(m, domid);

    g_assert(d);
    d->max_pages = max_pages;
    d->max_frame = max_frame;
}

uint32_t xen_machine_nr_pages(XenMachine *m, domid_t domid)
{
    Domain *d = xen_machine_domain(m, domid);

    return d ? d->nr_pages : 0;
}

/* Frames */

static void make_free(XenMachine *m, uint32_t frame)
{
    *machine_frame(m, frame) = (Frame) {
        .flags = FRAME_FREE,
        .link = m->state->free_frame,
    };
    m->state->free_frame = frame;
}

void xen_machine_assign(XenMachine *m, Domain *d, uint32_t frame,
                        uint32_t pfn)
{
    *machine_frame(m, frame) = (Frame) {
        .flags = FRAME_OWNED | FRAME_ALLOCATED,
        .owner = d->domid,
        .link = pfn,
    };
    d->nr_pages++;
}

static bool is_of(XenMachine *m, const Domain *d, uint32_t frame)
{
    const Frame *f;

    if (frame >= m->state->config.nr_frames) {
        return false;
    }
    f = machine_frame(m, frame);
    return f->owner == d->domid && (f->flags & FRAME_ALLOCATED);
}

bool xen_machine_get_frame(XenMachine *m, const Domain *d, uint32_t frame)
{
    if (!is_of(m, d, frame)) {
        return false;
    }
    machine_frame(m, frame)->refs++;
    return true;
}

/* A frame that is neither its owner's any more nor used by anybody */
static void free_unused(XenMachine *m, uint32_t frame)
{
    Frame *f = machine_frame(m, frame);

    if (!f->refs && !(f->flags & FRAME_ALLOCATED)) {
        xen_machine_domain(m, f->owner)->nr_pages--;
        make_free(m, frame);
    }
}

void xen_machine_put_frame(XenMachine *m, uint32_t frame)
{
    g_assert(machine_frame(m, frame)->refs);
    machine_frame(m, frame)->refs--;
    free_unused(m, frame);
}

bool xen_machine_steal(XenMachine *m, Domain *d, uint32_t frame)
{
    if (!is_of(m, d, frame) || machine_frame(m, frame)->refs) {
        return false;
    }
    memset(machine_frame(m, frame), 0, sizeof(Frame));
    d->nr_pages--;
    return true;
}

void xen_machine_free_stolen(XenMachine *m, uint32_t frame)
{
    make_free(m, frame);
}

void xen_machine_relinquish(XenMachine *m, Domain *d)
{
    uint32_t i;

    for (i = 0; i < m->state->config.nr_frames && d->nr_pages; i++) {
        if (is_of(m, d, i)) {
            machine_frame(m, i)->flags &= ~FRAME_ALLOCATED;
            free_unused(m, i);
        }
    }
}

/* Whether all these are Xen's own, and not its first */
static bool is_xens(XenMachine *m, uint32_t first, uint32_t count)
{
    uint32_t i;

    if (!first || first > m->state->config.nr_frames ||
        count > m->state->config.nr_frames - first) {
        return false;
    }
    for (i = 0; i < count; i++) {
        if (machine_frame(m, first + i)->flags) {
            return false;
        }
    }
    return true;
}

int xen_machine_give(XenMachine *m, domid_t domid, uint32_t first,
                     uint32_t count)
{
    Domain *d = xen_machine_domain(m, domid);
    uint32_t i;

    if (!d || d->dying || !is_xens(m, first, count) ||
        (uint64_t)d->nr_pages + count > d->max_pages) {
        return -EINVAL;
    }
    for (i = 0; i < count; i++) {
        xen_machine_assign(m, d, first + i, XEN_MACHINE_NO_FRAME);
    }
    return 0;
}

int xen_machine_release(XenMachine *m, uint32_t first, uint32_t count)
{
    if (!is_xens(m, first, count)) {
        return -EINVAL;
    }
    /* So that the lowest is the first to be given out */
    while (count > 0) {
        make_free(m, first + --count);
    }
    return 0;
}

uint32_t xen_machine_increase_reservation(XenMachine *m, domid_t domid,
                                          uint32_t *frames, uint32_t count)
{
    Domain *d = xen_machine_domain(m, domid);
    uint32_t done = 0;

    if (!d || d->dying) {
        return 0;
    }
    while (done < count && d->nr_pages < d->max_pages &&
           m->state->free_frame) {
        uint32_t frame = m->state->free_frame;

        m->state->free_frame = machine_frame(m, frame)->link;
        xen_machine_assign(m, d, frame, XEN_MACHINE_NO_FRAME);
        frames[done++] = frame;
    }
    return done;
}

uint32_t xen_machine_decrease_reservation(XenMachine *m, domid_t domid,
                                          const uint32_t *frames,
                                          uint32_t count)
{
    Domain *d = xen_machine_domain(m, domid);
    uint32_t done = 0;

    while (d && done < count && is_of(m, d, frames[done])) {
        machine_frame(m, frames[done])->flags &= ~FRAME_ALLOCATED;
        free_unused(m, frames[done]);
        done++;
    }
    return done;
}

domid_t xen_machine_owner(XenMachine *m, uint32_t frame)
{
    return frame < m->state->config.nr_frames &&
           (machine_frame(m, frame)->flags & FRAME_OWNED) ?
           machine_frame(m, frame)->owner : DOMID_INVALID;
}

/* Pages */

int xen_machine_set_p2m(XenMachine *m, domid_t domid, uint32_t pfn,
                        uint32_t frame)
{
    Domain *d = xen_machine_domain(m, domid);

    if (!d || pfn >= m->state->config.nr_pfns) {
        return -EINVAL;
    }
    machine_p2m(m, d)[pfn] = frame;
    return 0;
}

uint32_t xen_machine_p2m(XenMachine *m, domid_t domid, uint32_t pfn)
{
    Domain *d = xen_machine_domain(m, domid);

    return d && pfn < m->state->config.nr_pfns ? machine_p2m(m, d)[pfn] :
           XEN_MACHINE_NO_FRAME;
}

uint32_t xen_machine_m2p(XenMachine *m, uint32_t frame)
{
    return xen_machine_owner(m, frame) != DOMID_INVALID ?
           machine_frame(m, frame)->link : XEN_MACHINE_NO_FRAME;
}
