/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block behind a machine, for the sources of the model only.
 *
 * A block of zeros is a machine with nothing in it: links are numbers plus
 * one, or of frames, of which none is 0.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_MACHINE_STATE_H
#define HW_XEN_TESTBED_MACHINE_STATE_H

#include "machine.h"

enum {
    FRAME_FREE = 1,
    FRAME_OWNED = 2,
    FRAME_ALLOCATED = 4,    /* not given back by its owner */
};

/* @link: the next free frame, or, if owned, the page it is for its owner */
typedef struct Frame {
    uint32_t link;
    uint32_t refs;
    domid_t owner;
    uint16_t flags;
} Frame;

/* Kinds of pins: as the hypervisor's GNTPIN_* */
enum {
    PIN_HOST_WRITE,
    PIN_HOST_READ,
    PIN_DEVICE_WRITE,
    PIN_DEVICE_READ,
    PIN_KINDS,
};

/* @any: not 0 while there is a pin of any kind */
typedef struct ActiveEntry {
    union {
        uint8_t pins[PIN_KINDS];
        uint32_t any;
    };
    uint32_t frame;
    domid_t domid;
} ActiveEntry;

#define TRACK_USED  0x8000u

/* @ref: or, if not in use, the next free entry plus one */
typedef struct TrackEntry {
    uint32_t ref;
    domid_t owner;
    uint16_t flags;         /* GNTMAP_*, TRACK_USED */
} TrackEntry;

enum {
    PTE_PRESENT = 1,
    PTE_WRITABLE = 2,
    PTE_FOREIGN = 4,
};

typedef struct PageTableEntry {
    uint32_t frame;
    uint32_t flags;
} PageTableEntry;

typedef struct Domain {
    domid_t domid;
    bool used;
    bool dying;
    uint32_t nr_entries;
    uint32_t table_frame;

    uint32_t nr_pages;
    uint32_t max_pages;
    uint32_t max_frame;

    /* map track: entries from @nr_handles on were never in use */
    uint32_t free_handle;
    uint32_t nr_handles;

    /* of its grants; pins that are no mappings are not tracked */
    uint64_t untracked;
    uint64_t mapped;
    uint64_t peak;
    uint64_t refs;
} Domain;

typedef struct XenMachineState {
    uint64_t magic;
    uint64_t size;
    XenMachineConfig config;
    uint32_t free_frame;

    /* offsets from the start of the block */
    uint64_t frames;
    uint64_t active;
    uint64_t track;
    uint64_t p2m;
    uint64_t ptes;

    Domain domains[XEN_MACHINE_DOMAINS];
} XenMachineState;

static inline Frame *machine_frame(XenMachine *m, uint32_t frame)
{
    return (Frame *)((uint8_t *)m->state + m->state->frames) + frame;
}

static inline uint32_t machine_slot(XenMachine *m, const Domain *d)
{
    return d - m->state->domains;
}

static inline ActiveEntry *machine_active(XenMachine *m, const Domain *d)
{
    return (ActiveEntry *)((uint8_t *)m->state + m->state->active) +
           (size_t)machine_slot(m, d) * m->state->config.nr_entries;
}

static inline TrackEntry *machine_track(XenMachine *m, const Domain *d)
{
    return (TrackEntry *)((uint8_t *)m->state + m->state->track) +
           (size_t)machine_slot(m, d) * m->state->config.nr_handles;
}

static inline uint32_t *machine_p2m(XenMachine *m, const Domain *d)
{
    return (uint32_t *)((uint8_t *)m->state + m->state->p2m) +
           (size_t)machine_slot(m, d) * m->state->config.nr_pfns;
}

static inline PageTableEntry *machine_ptes(XenMachine *m, const Domain *d)
{
    return (PageTableEntry *)((uint8_t *)m->state + m->state->ptes) +
           (size_t)machine_slot(m, d) * m->state->config.nr_ptes;
}

static inline grant_entry_v1_t *machine_shared(XenMachine *m, const Domain *d)
{
    return d->table_frame ?
        (grant_entry_v1_t *)(m->memory + ((size_t)d->table_frame <<
                                          XEN_MACHINE_PAGE_SHIFT)) :
        m->tables[machine_slot(m, d)];
}

/* The domain of a number, also a dying one, or NULL */
Domain *xen_machine_domain(XenMachine *m, domid_t domid);

/* Use a frame of a domain: whether it is one, and still the domain's */
bool xen_machine_get_frame(XenMachine *m, const Domain *d, uint32_t frame);

/* Stop to use it */
void xen_machine_put_frame(XenMachine *m, uint32_t frame);

/* Make a free or stolen frame a domain's */
void xen_machine_assign(XenMachine *m, Domain *d, uint32_t frame,
                        uint32_t pfn);

/* Take a frame from its owner: whether nobody else uses it */
bool xen_machine_steal(XenMachine *m, Domain *d, uint32_t frame);

/* A stolen frame that found no new owner */
void xen_machine_free_stolen(XenMachine *m, uint32_t frame);

/* All that a domain owns */
void xen_machine_relinquish(XenMachine *m, Domain *d);

#endif /* HW_XEN_TESTBED_MACHINE_STATE_H */
