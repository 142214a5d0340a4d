/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables: whether it agrees with itself
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-table.h"
#include "machine-state.h"

typedef struct Pins {
    uint32_t count[PIN_KINDS];
} Pins;

/*
 * What there should be, counted from the other end
 *
 * @pins: of each reference of each domain, by its mappings
 * @refs: of each frame, by active entries and page tables
 * @mapped: mappings of each domain's grants
 * @pages: frames of each domain
 * @host: of each frame, host mappings by one domain, less its table entries;
 *     for reading and for writing
 * @what: the first thing that is wrong, or NULL
 */
typedef struct Census {
    XenMachine *m;
    Pins *pins;
    uint32_t *refs;
    uint64_t mapped[XEN_MACHINE_DOMAINS];
    uint32_t pages[XEN_MACHINE_DOMAINS];
    int32_t *host[2];
    char *what;
} Census;

static void G_GNUC_PRINTF(3, 4) expect(Census *c, bool holds, const char *fmt,
                                       ...)
{
    va_list ap;

    if (!holds && !c->what) {
        va_start(ap, fmt);
        c->what = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
}

static bool in_machine(const Census *c, uint32_t frame)
{
    return frame && frame < c->m->state->config.nr_frames;
}

static void count_mapping(Census *c, const Domain *mapper, uint32_t handle)
{
    const TrackEntry *track = &machine_track(c->m, mapper)[handle];
    const Domain *owner = xen_machine_domain(c->m, track->owner);
    bool readonly = track->flags & GNTMAP_readonly;
    const ActiveEntry *active;
    uint32_t slot;
    Pins *pins;

    expect(c, owner && track->ref < owner->nr_entries,
           "domain %u, handle %u: no such grant", mapper->domid, handle);
    expect(c, track->flags & (GNTMAP_host_map | GNTMAP_device_map),
           "domain %u, handle %u: maps nothing", mapper->domid, handle);
    if (c->what) {
        return;
    }
    slot = machine_slot(c->m, owner);
    active = &machine_active(c->m, owner)[track->ref];
    pins = &c->pins[(size_t)slot * c->m->state->config.nr_entries +
                    track->ref];
    expect(c, active->any && active->domid == mapper->domid &&
           in_machine(c, active->frame),
           "domain %u, handle %u: not pinned for it", mapper->domid, handle);
    if (c->what) {
        return;
    }
    c->mapped[slot]++;
    if (track->flags & GNTMAP_host_map) {
        pins->count[readonly ? PIN_HOST_READ : PIN_HOST_WRITE]++;
        c->host[!readonly][active->frame]++;
    }
    if (track->flags & GNTMAP_device_map) {
        pins->count[readonly ? PIN_DEVICE_READ : PIN_DEVICE_WRITE]++;
    }
}

static void check_page_table(Census *c, const Domain *d)
{
    uint32_t nr_frames = c->m->state->config.nr_frames;
    uint32_t i;

    for (i = 0; i < c->m->state->config.nr_ptes && !c->what; i++) {
        const PageTableEntry *pte = &machine_ptes(c->m, d)[i];

        if (!(pte->flags & PTE_PRESENT)) {
            expect(c, !pte->flags, "domain %u, entry %u: %u when not present",
                   d->domid, i, pte->flags);
            continue;
        }
        expect(c, in_machine(c, pte->frame), "domain %u, entry %u: frame %u",
               d->domid, i, pte->frame);
        if (c->what) {
            return;
        }
        if (pte->flags & PTE_FOREIGN) {
            c->host[!!(pte->flags & PTE_WRITABLE)][pte->frame]--;
        } else {
            c->refs[pte->frame]++;
        }
    }
    for (i = 0; i < nr_frames && c->m->state->config.nr_ptes; i++) {
        expect(c, !c->host[0][i] && !c->host[1][i],
               "domain %u, frame %u: %d and %d more mappings than entries",
               d->domid, i, c->host[0][i], c->host[1][i]);
    }
}

static void check_track(Census *c, const Domain *d)
{
    const TrackEntry *track = machine_track(c->m, d);
    uint32_t nr_frames = c->m->state->config.nr_frames;
    uint32_t unused = 0;
    uint32_t link, i;

    expect(c, d->nr_handles <= c->m->state->config.nr_handles,
           "domain %u: %u handles", d->domid, d->nr_handles);
    memset(c->host[0], 0, nr_frames * sizeof(c->host[0][0]));
    memset(c->host[1], 0, nr_frames * sizeof(c->host[1][0]));
    for (i = 0; i < d->nr_handles && !c->what; i++) {
        if (track[i].flags & TRACK_USED) {
            count_mapping(c, d, i);
        } else {
            unused++;
        }
    }
    for (link = d->free_handle; link && !c->what; link = track[link - 1].ref) {
        expect(c, link <= d->nr_handles && unused-- > 0 &&
               !track[link - 1].flags, "domain %u: free handle %u",
               d->domid, link - 1);
    }
    expect(c, !unused, "domain %u: %u handles are lost", d->domid, unused);
}

static void check_flags(Census *c, const Domain *d, uint32_t ref,
                        const ActiveEntry *active)
{
    const grant_entry_v1_t *shared = &machine_shared(c->m, d)[ref];
    bool writing = active->pins[PIN_HOST_WRITE] ||
                   active->pins[PIN_DEVICE_WRITE];

    /* In the other types of entries the same bits have other meanings */
    if (active->any || (shared->flags & GTF_type_mask) == GTF_permit_access) {
        expect(c, !active->any == !(shared->flags & GTF_reading) &&
               writing == !!(shared->flags & GTF_writing),
               "domain %u, reference %u: flags are %x", d->domid, ref,
               shared->flags);
    }
}

static void check_entries(Census *c, const Domain *d, bool trusted)
{
    uint32_t slot = machine_slot(c->m, d);
    const Pins *pins = &c->pins[(size_t)slot * c->m->state->config.nr_entries];
    uint64_t refs = 0, untracked = 0;
    uint32_t ref;
    int kind;

    for (ref = 0; ref < d->nr_entries && !c->what; ref++) {
        const ActiveEntry *active = &machine_active(c->m, d)[ref];

        for (kind = 0; kind < PIN_KINDS; kind++) {
            expect(c, active->pins[kind] >= pins[ref].count[kind],
                   "domain %u, reference %u: %u pins of kind %d for %u "
                   "mappings", d->domid, ref, active->pins[kind], kind,
                   pins[ref].count[kind]);
            untracked += active->pins[kind] - pins[ref].count[kind];
        }
        if (active->any) {
            expect(c, xen_machine_owner(c->m, active->frame) == d->domid,
                   "domain %u, reference %u: frame %u is not its own",
                   d->domid, ref, active->frame);
            if (c->what) {
                return;
            }
            c->refs[active->frame]++;
            refs++;
        }
        if (trusted) {
            check_flags(c, d, ref, active);
        }
    }
    expect(c, untracked == d->untracked, "domain %u: %" PRIu64 " pins without"
           " a mapping", d->domid, untracked);
    expect(c, refs == d->refs, "domain %u: counts %" PRIu64 " references, "
           "not %" PRIu64, d->domid, d->refs, refs);
    expect(c, c->mapped[slot] == d->mapped && d->mapped <= d->peak,
           "domain %u: counts %" PRIu64 " mappings, not %" PRIu64, d->domid,
           d->mapped, c->mapped[slot]);
}

static void check_frames(Census *c)
{
    uint32_t nr_frames = c->m->state->config.nr_frames;
    uint32_t nr_free = 0;
    uint32_t i;

    for (i = 0; i < nr_frames && !c->what; i++) {
        const Frame *f = machine_frame(c->m, i);
        const Domain *owner = NULL;

        if (f->flags & FRAME_OWNED) {
            owner = xen_machine_domain(c->m, f->owner);
            expect(c, i && owner && !(f->flags & FRAME_FREE) &&
                   (f->refs || (f->flags & FRAME_ALLOCATED)),
                   "frame %u: flags %x, owner %u", i, f->flags, f->owner);
        } else {
            expect(c, !(f->flags & FRAME_ALLOCATED), "frame %u: flags %x", i,
                   f->flags);
            nr_free += !!(f->flags & FRAME_FREE);
        }
        expect(c, f->refs == c->refs[i], "frame %u: counts %u references, "
               "not %u", i, f->refs, c->refs[i]);
        if (owner && !c->what) {
            c->pages[machine_slot(c->m, owner)]++;
        }
    }
    for (i = c->m->state->free_frame; i && !c->what;
         i = machine_frame(c->m, i)->link) {
        expect(c, i < nr_frames && nr_free-- > 0 &&
               machine_frame(c->m, i)->flags == FRAME_FREE, "free frame %u",
               i);
    }
    expect(c, !nr_free, "%u free frames are lost", nr_free);
}

char *xen_grant_table_check(XenMachine *m, bool trusted)
{
    const XenMachineConfig *config = &m->state->config;
    Census c = {
        .m = m,
        .pins = g_new0(Pins, (size_t)config->nr_domains * config->nr_entries),
        .refs = g_new0(uint32_t, config->nr_frames),
        .host = {
            g_new0(int32_t, config->nr_frames),
            g_new0(int32_t, config->nr_frames),
        },
    };
    const Domain *domains = m->state->domains;
    uint32_t i;

    for (i = 0; i < config->nr_domains && !c.what; i++) {
        if (domains[i].used) {
            check_track(&c, &domains[i]);
            check_page_table(&c, &domains[i]);
        }
    }
    for (i = 0; i < config->nr_domains && !c.what; i++) {
        if (domains[i].used) {
            check_entries(&c, &domains[i], trusted);
        }
    }
    if (!c.what) {
        check_frames(&c);
    }
    for (i = 0; i < config->nr_domains && !c.what; i++) {
        expect(&c, c.pages[i] == domains[i].nr_pages,
               "domain %u: counts %u frames, not %u", domains[i].domid,
               domains[i].nr_pages, c.pages[i]);
    }
    g_free(c.pins);
    g_free(c.refs);
    g_free(c.host[0]);
    g_free(c.host[1]);
    return c.what;
}
