/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../../hw/xen/testbed/grant-table.h"

#define FRAMES      128
#define ENTRIES     64
#define HANDLES     40
#define PFNS        32
#define PTES        64

/* Three domains: each has its grant table, and 30 frames from this one on */
#define OWNER       1
#define PEER        0
#define OTHER       7
#define FIRST(domid) ((domid) == OWNER ? 10 : (domid) == PEER ? 50 : 90)
#define COUNT       30

/* An address of the peer that it does not map twice */
#define ADDR(i)     ((uint64_t)((i) % (PTES - 1) + 1) << XEN_MACHINE_PAGE_SHIFT)

#define IDLE        ((uint16_t)GTF_permit_access)
#define READING     ((uint16_t)(IDLE | GTF_reading))
#define WRITING     ((uint16_t)(READING | GTF_writing))

/* What the model says must be what a guest of Xen expects */
G_STATIC_ASSERT(sizeof(grant_entry_v1_t) == 8);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, flags) == 0);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, domid) == 2);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, frame) == 4);
G_STATIC_ASSERT(XEN_MACHINE_ENTRIES * sizeof(grant_entry_v1_t) ==
                XEN_MACHINE_PAGE_SIZE);

typedef struct Fixture {
    void *block;
    void *memory;
    XenMachine machine;
    grant_entry_v1_t *shared;   /* the owner's */
} Fixture;

static void add_domain(XenMachine *m, domid_t domid, uint32_t table)
{
    g_assert_cmpint(xen_machine_add_domain(m, domid, ENTRIES, table), ==, 0);
    g_assert_cmpint(xen_machine_give(m, domid, FIRST(domid), COUNT), ==, 0);
}

static void set_up_sizes(Fixture *f, uint32_t nr_ptes)
{
    const XenMachineConfig config = {
        .nr_frames = FRAMES,
        .nr_domains = 3,
        .nr_entries = ENTRIES,
        .nr_handles = HANDLES,
        .nr_pfns = PFNS,
        .nr_ptes = nr_ptes,
    };

    f->block = g_malloc0(xen_machine_size(&config));
    f->memory = mmap(NULL, FRAMES * XEN_MACHINE_PAGE_SIZE,
                     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
    g_assert(f->memory != MAP_FAILED);
    xen_machine_init(&f->machine, f->block, &config, f->memory);
    add_domain(&f->machine, OWNER, 1);
    add_domain(&f->machine, PEER, 2);
    add_domain(&f->machine, OTHER, 3);
    f->shared = xen_machine_table(&f->machine, OWNER, NULL);
    g_assert(f->shared == (void *)((uint8_t *)f->memory +
                                   XEN_MACHINE_PAGE_SIZE));
}

static void set_up(Fixture *f, const void *data)
{
    set_up_sizes(f, PTES);
}

static void tear_down(Fixture *f, const void *data)
{
    munmap(f->memory, FRAMES * XEN_MACHINE_PAGE_SIZE);
    g_free(f->block);
}

static void grant(Fixture *f, uint32_t ref, uint32_t frame, uint16_t flags)
{
    f->shared[ref].frame = frame;
    f->shared[ref].domid = PEER;
    f->shared[ref].flags = flags;
}

/* As entry @i of a batch */
static struct gnttab_map_grant_ref map_op(uint32_t i, uint32_t ref,
                                          uint32_t flags)
{
    return (struct gnttab_map_grant_ref) {
        .host_addr = ADDR(i),
        .flags = flags,
        .ref = ref,
        .dom = OWNER,
        .status = 77,
        .handle = 0xdead,
        .dev_bus_addr = 0xbeef,
    };
}

static struct gnttab_unmap_grant_ref unmap_op(
    const struct gnttab_map_grant_ref *map)
{
    return (struct gnttab_unmap_grant_ref) {
        .host_addr = map->flags & GNTMAP_host_map ? map->host_addr : 0,
        .dev_bus_addr = map->flags & GNTMAP_device_map ? map->dev_bus_addr : 0,
        .handle = map->handle,
        .status = 77,
    };
}

/* One at a time: the status */
static int16_t map_as(Fixture *f, domid_t domid,
                      struct gnttab_map_grant_ref *op)
{
    uint32_t failed = xen_grant_table_map(&f->machine, domid, op, 1);

    g_assert_cmpuint(failed, ==, op->status != GNTST_okay);
    if (failed) {
        g_assert_cmpuint(op->dev_bus_addr, ==, 0);
    } else {
        g_assert_cmpuint(op->dev_bus_addr, !=, 0);
    }
    return op->status;
}

static int16_t map(Fixture *f, struct gnttab_map_grant_ref *op)
{
    return map_as(f, PEER, op);
}

static int16_t unmap_as(Fixture *f, domid_t domid,
                        const struct gnttab_map_grant_ref *mapped)
{
    struct gnttab_unmap_grant_ref op = unmap_op(mapped);
    uint32_t failed = xen_grant_table_unmap(&f->machine, domid, &op, 1);

    g_assert_cmpuint(failed, ==, op.status != GNTST_okay);
    return op.status;
}

static int16_t unmap(Fixture *f, const struct gnttab_map_grant_ref *mapped)
{
    return unmap_as(f, PEER, mapped);
}

static int16_t pin(Fixture *f, uint32_t ref, bool write, uint32_t *frame)
{
    return xen_grant_table_pin(&f->machine, PEER, OWNER, ref, write, frame);
}

static void unpin(Fixture *f, uint32_t ref, bool write)
{
    xen_grant_table_unpin(&f->machine, OWNER, ref, write);
}

static void check_stats(Fixture *f, uint64_t mapped, uint64_t peak,
                        uint64_t refs)
{
    XenGrantTableStats stats;

    xen_grant_table_stats(&f->machine, OWNER, &stats);
    g_assert_cmpuint(stats.mapped, ==, mapped);
    g_assert_cmpuint(stats.peak, ==, peak);
    g_assert_cmpuint(stats.refs, ==, refs);
}

/* The in-use flags of an entry follow its pins */
static void test_pins(Fixture *f, const void *data)
{
    uint32_t frame = 0;

    grant(f, 9, 12, IDLE);
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    g_assert_cmpuint(frame, ==, 12);
    g_assert_cmphex(f->shared[9].flags, ==, READING);
    g_assert_cmpint(pin(f, 9, true, &frame), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    check_stats(f, 0, 0, 1);

    unpin(f, 9, false);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    unpin(f, 9, true);
    g_assert_cmphex(f->shared[9].flags, ==, READING);
    unpin(f, 9, false);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
    check_stats(f, 0, 0, 0);
}

typedef struct Refusal {
    const char *what;
    uint32_t ref;
    uint32_t frame;
    domid_t domid;
    uint16_t flags;
    bool write;
    int16_t status;
} Refusal;

static const Refusal refusals[] = {
    { "reference outside the table", ENTRIES, 12, PEER, 0, false,
      GNTST_bad_gntref },
    { "last reference of all", UINT32_MAX, 12, PEER, 0, false,
      GNTST_bad_gntref },
    { "no grant", 9, 12, PEER, GTF_invalid, false, GNTST_general_error },
    { "transfer", 9, 12, PEER, GTF_accept_transfer, false,
      GNTST_general_error },
    { "transitive", 9, 12, PEER, GTF_transitive, false, GNTST_general_error },
    { "part of a page", 9, 12, PEER, GTF_permit_access | GTF_sub_page, false,
      GNTST_general_error },
    { "another domain's", 9, 12, OTHER, GTF_permit_access, false,
      GNTST_general_error },
    { "read-only", 9, 12, PEER, GTF_permit_access | GTF_readonly, true,
      GNTST_general_error },
    { "first frame of all", 9, 0, PEER, GTF_permit_access, false,
      GNTST_bad_page },
    { "Xen's frame", 9, 1, PEER, GTF_permit_access, false, GNTST_bad_page },
    { "another domain's frame", 9, FIRST(OTHER), PEER, GTF_permit_access,
      false, GNTST_bad_page },
    { "frame outside memory", 9, FRAMES, PEER, GTF_permit_access, true,
      GNTST_bad_page },
    { "last frame of all", 9, UINT32_MAX, PEER, GTF_permit_access, true,
      GNTST_bad_page },
};

static void test_refusals(Fixture *f, const void *data)
{
    uint32_t frame;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        const Refusal *r = &refusals[i];
        struct gnttab_map_grant_ref op =
            map_op(0, r->ref, GNTMAP_host_map |
                   (r->write ? 0 : GNTMAP_readonly));

        g_test_message("%s", r->what);
        grant(f, 9, r->frame, r->flags);
        f->shared[9].domid = r->domid;
        g_assert_cmpint(pin(f, r->ref, r->write, &frame), ==, r->status);
        g_assert_cmpint(map(f, &op), ==, r->status);
        g_assert_cmphex(f->shared[9].flags, ==, r->flags);
    }
    check_stats(f, 0, 0, 0);
}

/* What was pinned stays, whatever the domain writes into the entry */
static void test_changes(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op =
        map_op(0, 9, GNTMAP_host_map | GNTMAP_readonly);
    uint32_t frame;

    grant(f, 9, 12, IDLE);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);

    f->shared[9].frame = 13;
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    g_assert_cmpuint(frame, ==, 12);
    unpin(f, 9, false);

    /* To write is a new question, and another domain is another one, too */
    f->shared[9].flags |= GTF_readonly;
    g_assert_cmpint(pin(f, 9, true, &frame), ==, GNTST_general_error);
    f->shared[9].domid = OTHER;
    g_assert_cmpint(xen_grant_table_pin(&f->machine, OTHER, OWNER, 9, false,
                                        &frame), ==, GNTST_general_error);

    /* Even a guest that wipes its table gets its page back */
    memset(&f->shared[9], 0, sizeof(f->shared[9]));
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, 0);
    check_stats(f, 0, 1, 0);
}

static void test_count(Fixture *f, const void *data)
{
    uint32_t frame;
    uint32_t i;

    grant(f, 9, 12, IDLE);
    for (i = 0; i < XEN_GRANT_MAX_PINS; i++) {
        g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    }
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_general_error);
    g_assert_cmpint(pin(f, 9, true, &frame), ==, GNTST_okay);
    unpin(f, 9, true);
    for (i = 0; i < XEN_GRANT_MAX_PINS; i++) {
        unpin(f, 9, false);
    }
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
}

/* The map track is finite, and its handles are good once */
static void test_track(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref ops[HANDLES];
    struct gnttab_map_grant_ref extra = map_op(HANDLES, 35, GNTMAP_host_map);
    int i;

    for (i = 0; i < ENTRIES; i++) {
        grant(f, i, FIRST(OWNER) + i % COUNT, IDLE);
    }
    for (i = 0; i < HANDLES; i++) {
        ops[i] = map_op(i, i / 2, GNTMAP_host_map |
                        (i % 2 ? GNTMAP_readonly : 0));
    }
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, ops, HANDLES), ==,
                     0);
    for (i = 0; i < HANDLES; i++) {
        g_assert_cmpint(ops[i].status, ==, GNTST_okay);
        g_assert_cmpuint(ops[i].dev_bus_addr, ==,
                         (FIRST(OWNER) + i / 2) * XEN_MACHINE_PAGE_SIZE);
    }
    check_stats(f, HANDLES, HANDLES, HANDLES / 2);
    g_assert_cmpint(map(f, &extra), ==, GNTST_no_space);
    g_assert_cmphex(f->shared[35].flags, ==, IDLE);

    g_assert_cmpint(unmap(f, &ops[7]), ==, GNTST_okay);
    g_assert_cmpint(unmap(f, &ops[7]), ==, GNTST_bad_handle);
    ops[7].handle = HANDLES;
    g_assert_cmpint(unmap(f, &ops[7]), ==, GNTST_bad_handle);
    ops[7].handle = UINT32_MAX;
    g_assert_cmpint(unmap(f, &ops[7]), ==, GNTST_bad_handle);
    g_assert_cmpint(map(f, &extra), ==, GNTST_okay);
    ops[7] = extra;

    for (i = 0; i < HANDLES; i++) {
        g_assert_cmpint(unmap(f, &ops[i]), ==, GNTST_okay);
    }
    check_stats(f, 0, HANDLES, 0);
    xen_grant_table_reset_peak(&f->machine, OWNER);
    check_stats(f, 0, 0, 0);
    for (i = 0; i < ENTRIES; i++) {
        g_assert_cmphex(f->shared[i].flags, ==, IDLE);
    }
}

/* Each mapping domain has a track of its own */
static void test_track_per_domain(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref a = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref b = map_op(0, 10, GNTMAP_host_map);

    grant(f, 9, 12, IDLE);
    grant(f, 10, 13, IDLE);
    f->shared[10].domid = OTHER;
    g_assert_cmpint(map(f, &a), ==, GNTST_okay);
    g_assert_cmpint(map_as(f, OTHER, &b), ==, GNTST_okay);
    g_assert_cmpuint(a.handle, ==, b.handle);
    check_stats(f, 2, 2, 2);

    g_assert_cmpint(unmap_as(f, OTHER, &b), ==, GNTST_okay);
    g_assert_cmpint(unmap_as(f, OTHER, &a), ==, GNTST_bad_handle);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    g_assert_cmpint(unmap(f, &a), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
}

static void add(const char *name, void (*fn)(Fixture *, const void *))
{
    g_autofree char *path = g_strdup_printf("/xen/grant-table/%s", name);

    g_test_add(path, Fixture, NULL, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("pins", test_pins);
    add("refusals", test_refusals);
    add("changes", test_changes);
    add("count", test_count);
    add("track/finite", test_track);
    add("track/per-domain", test_track_per_domain);
    return g_test_run();
}
