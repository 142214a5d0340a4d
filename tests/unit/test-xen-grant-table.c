/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>
#include <sys/wait.h>

#include "../../hw/xen/testbed/machine-state.h"
#include "grant-fixture.h"

/* What the model says must be what a guest of Xen expects */
G_STATIC_ASSERT(sizeof(grant_entry_v1_t) == 8);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, flags) == 0);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, domid) == 2);
G_STATIC_ASSERT(offsetof(grant_entry_v1_t, frame) == 4);
G_STATIC_ASSERT(XEN_MACHINE_ENTRIES * sizeof(grant_entry_v1_t) ==
                XEN_MACHINE_PAGE_SIZE);

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

/*
 * What the first pin found holds: a later one for writing looks at whether the
 * entry may be written, and at nothing else
 */
static void test_upgrade(Fixture *f, const void *data)
{
    uint32_t frame;

    grant(f, 9, 12, IDLE);
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    f->shared[9].domid = OTHER;
    f->shared[9].flags = GTF_accept_transfer | GTF_reading;
    g_assert_cmpint(pin(f, 9, true, &frame), ==, GNTST_okay);
    g_assert_cmpuint(frame, ==, 12);
    unpin(f, 9, true);
    f->shared[9].flags |= GTF_readonly;
    g_assert_cmpint(pin(f, 9, true, &frame), ==, GNTST_general_error);
    unpin(f, 9, false);
    /* The next is the first again */
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_general_error);
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

/* Access mode */

/*
 * The document's five steps: the owner grants, the peer maps, accesses and
 * unmaps, the owner removes the grant
 */
static void test_life_cycle(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op;
    g_autofree XenGrantRefs *refs = g_malloc(xen_grant_refs_size(ENTRIES));
    uint32_t ref, frame;
    bool writable;

    xen_grant_refs_init(refs, ENTRIES, GNTTAB_NR_RESERVED_ENTRIES);
    ref = xen_grant_refs_take(refs);
    g_assert_cmpuint(ref, ==, GNTTAB_NR_RESERVED_ENTRIES);
    xen_grant_access(&f->shared[ref], PEER, 12, false);
    g_assert_cmphex(f->shared[ref].flags, ==, IDLE);
    check(f, true);

    op = map_op(5, ref, GNTMAP_host_map);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    check(f, true);

    frame = xen_grant_table_read_pte(&f->machine, PEER, ADDR(5), &writable);
    g_assert_cmpuint(frame, ==, 12);
    g_assert(writable);
    strcpy((char *)f->memory + frame * XEN_MACHINE_PAGE_SIZE, "was here");
    g_assert_cmphex(xen_grant_query_access(&f->shared[ref]), ==,
                    GTF_reading | GTF_writing);

    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(5),
                                              NULL), ==,
                     XEN_MACHINE_NO_FRAME);
    g_assert_cmphex(xen_grant_query_access(&f->shared[ref]), ==, 0);
    check(f, true);

    g_assert(xen_grant_refs_end(refs, f->shared, ref));
    g_assert_cmphex(f->shared[ref].flags, ==, GTF_invalid);
    g_assert_cmpstr((char *)f->memory + 12 * XEN_MACHINE_PAGE_SIZE, ==,
                    "was here");
    g_assert_cmpint(map(f, &op), ==, GNTST_general_error);
    g_assert_cmpuint(xen_machine_owner(&f->machine, 12), ==, OWNER);
}

static void test_read_only(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref rw = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref ro =
        map_op(1, 9, GNTMAP_host_map | GNTMAP_readonly);
    bool writable = true;

    xen_grant_access(&f->shared[9], PEER, 12, true);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE | GTF_readonly);
    g_assert_cmpint(map(f, &rw), ==, GNTST_general_error);
    g_assert_cmpint(map(f, &ro), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(1),
                                              &writable), ==, 12);
    g_assert(!writable);
    g_assert_cmphex(f->shared[9].flags, ==, READING | GTF_readonly);

    /* To be written to later, and then not any more */
    g_assert_cmpint(xen_grant_set_readonly(&f->shared[9], false), ==, 0);
    g_assert_cmpint(map(f, &rw), ==, GNTST_okay);
    g_assert_cmpint(xen_grant_set_readonly(&f->shared[9], true), ==, -EBUSY);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    g_assert_cmpint(unmap(f, &rw), ==, GNTST_okay);
    g_assert_cmpint(xen_grant_set_readonly(&f->shared[9], true), ==, 0);
    g_assert_cmpint(map(f, &rw), ==, GNTST_general_error);
    g_assert_cmpint(unmap(f, &ro), ==, GNTST_okay);
    check(f, true);
}

/* Ending access is refused while the grant is mapped, and revokes nothing */
static void test_end_refused(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref a = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref b =
        map_op(1, 9, GNTMAP_host_map | GNTMAP_readonly);

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmphex(xen_grant_query_access(&f->shared[9]), ==, 0);
    g_assert_cmpint(map(f, &a), ==, GNTST_okay);
    g_assert_cmpint(map(f, &b), ==, GNTST_okay);
    g_assert_cmpint(xen_grant_end_access(&f->shared[9]), ==, -EBUSY);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    g_assert_cmpint(unmap(f, &a), ==, GNTST_okay);
    g_assert_cmphex(xen_grant_query_access(&f->shared[9]), ==, GTF_reading);
    g_assert_cmpint(xen_grant_end_access(&f->shared[9]), ==, -EBUSY);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(1),
                                              NULL), ==, 12);
    g_assert_cmpint(unmap(f, &b), ==, GNTST_okay);
    g_assert_cmphex(xen_grant_query_access(&f->shared[9]), ==, 0);
    g_assert_cmpint(xen_grant_end_access(&f->shared[9]), ==, 0);
    g_assert_cmpint(xen_grant_end_access(&f->shared[9]), ==, 0);
}

/* Or it is deferred: the reference is free once nobody uses the grant */
static void test_end_deferred(Fixture *f, const void *data)
{
    g_autofree XenGrantRefs *refs = g_malloc(xen_grant_refs_size(ENTRIES));
    const uint32_t all = ENTRIES - GNTTAB_NR_RESERVED_ENTRIES;
    struct gnttab_map_grant_ref ops[3];
    uint32_t taken[4];
    int i;

    xen_grant_refs_init(refs, ENTRIES, GNTTAB_NR_RESERVED_ENTRIES);
    for (i = 0; i < 4; i++) {
        taken[i] = xen_grant_refs_take(refs);
        xen_grant_access(&f->shared[taken[i]], PEER, 12 + i, false);
    }
    for (i = 0; i < 3; i++) {
        ops[i] = map_op(i, taken[i], GNTMAP_host_map);
        g_assert_cmpint(map(f, &ops[i]), ==, GNTST_okay);
    }
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(xen_grant_refs_end(refs, f->shared, taken[i]), ==,
                        i == 3);
    }
    g_assert_cmpuint(xen_grant_refs_count_deferred(refs), ==, 3);
    g_assert_cmpuint(xen_grant_refs_count_free(refs), ==, all - 3);
    g_assert_cmpuint(xen_grant_refs_collect(refs, f->shared), ==, 0);

    g_assert_cmpint(unmap(f, &ops[1]), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_refs_collect(refs, f->shared), ==, 1);
    g_assert_cmphex(f->shared[taken[1]].flags, ==, GTF_invalid);
    g_assert_cmphex(f->shared[taken[0]].flags, ==, WRITING);
    g_assert_cmpint(unmap(f, &ops[0]), ==, GNTST_okay);
    g_assert_cmpint(unmap(f, &ops[2]), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_refs_collect(refs, f->shared), ==, 2);
    g_assert_cmpuint(xen_grant_refs_count_deferred(refs), ==, 0);
    g_assert_cmpuint(xen_grant_refs_count_free(refs), ==, all);
    check(f, true);
}

/* References are finite, too, and none is given out twice */
static void test_references(Fixture *f, const void *data)
{
    g_autofree XenGrantRefs *refs = g_malloc(xen_grant_refs_size(ENTRIES));
    bool seen[ENTRIES] = { false };
    uint32_t i, ref;

    xen_grant_refs_init(refs, ENTRIES, GNTTAB_NR_RESERVED_ENTRIES);
    for (i = GNTTAB_NR_RESERVED_ENTRIES; i < ENTRIES; i++) {
        ref = xen_grant_refs_take(refs);
        g_assert_cmpuint(ref, >=, GNTTAB_NR_RESERVED_ENTRIES);
        g_assert_cmpuint(ref, <, ENTRIES);
        g_assert(!seen[ref]);
        seen[ref] = true;
    }
    g_assert_cmpuint(xen_grant_refs_take(refs), ==, 0);
    g_assert_cmpuint(xen_grant_refs_count_free(refs), ==, 0);
    xen_grant_refs_put(refs, 20);
    g_assert_cmpuint(xen_grant_refs_take(refs), ==, 20);
    g_assert_cmpuint(xen_grant_refs_take(refs), ==, 0);
}

/* A frame that is given back while it is mapped goes to nobody else */
static void test_given_back(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);
    uint32_t frame = 12;
    uint32_t other;

    xen_grant_access(&f->shared[9], PEER, frame, false);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    g_assert_cmpuint(xen_machine_decrease_reservation(&f->machine, OWNER,
                                                      &frame, 1), ==, 1);
    g_assert_cmpuint(xen_machine_decrease_reservation(&f->machine, OWNER,
                                                      &frame, 1), ==, 0);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      &other, 1), ==, 0);
    check(f, true);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
    g_assert_cmpint(map(f, &op), ==, GNTST_bad_page);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      &other, 1), ==, 1);
    g_assert_cmpuint(other, ==, frame);
    g_assert_cmpuint(xen_machine_owner(&f->machine, frame), ==, OTHER);
}

/* Mapping */

/* An entry that fails leaves the others alone; to undo is the caller's job */
static void test_batch(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref ops[8];
    struct gnttab_unmap_grant_ref undo[8];
    uint32_t done = 0;
    int i;

    for (i = 0; i < 8; i++) {
        xen_grant_access(&f->shared[i + 8], PEER, 12 + i, i == 5);
        ops[i] = map_op(i, i + 8, GNTMAP_host_map);
    }
    ops[2].ref = ENTRIES;
    ops[7].dom = 99;
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, ops, 8), ==, 3);
    for (i = 0; i < 8; i++) {
        const int16_t status = i == 2 ? GNTST_bad_gntref :
                               i == 5 ? GNTST_general_error :
                               i == 7 ? GNTST_bad_domain : GNTST_okay;

        g_assert_cmpint(ops[i].status, ==, status);
        g_assert_cmpint(!ops[i].dev_bus_addr, ==, status != GNTST_okay);
        if (ops[i].dev_bus_addr) {
            undo[done++] = unmap_op(&ops[i]);
        }
    }
    check_stats(f, 5, 5, 5);
    check(f, true);
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, undo, done), ==,
                     0);
    check_stats(f, 0, 5, 0);
    for (i = 0; i < 8; i++) {
        g_assert_cmphex(xen_grant_query_access(&f->shared[i + 8]), ==, 0);
    }

    /* Unmapping is batched in the same way */
    undo[1].handle = 0;
    for (i = 0; i < 3; i++) {
        ops[i] = map_op(i, i + 8, GNTMAP_host_map);
    }
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, ops, 3), ==, 0);
    for (i = 0; i < 3; i++) {
        undo[i] = unmap_op(&ops[i]);
    }
    undo[1].handle = HANDLES;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, undo, 3), ==, 1);
    g_assert_cmpint(undo[0].status, ==, GNTST_okay);
    g_assert_cmpint(undo[1].status, ==, GNTST_bad_handle);
    g_assert_cmpint(undo[2].status, ==, GNTST_okay);
    check_stats(f, 1, 5, 1);
    g_assert_cmpint(unmap(f, &ops[1]), ==, GNTST_okay);
}

/* Host and device mappings of a handle are pinned, and end, each for itself */
static void test_host_and_device(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref both =
        map_op(0, 9, GNTMAP_host_map | GNTMAP_device_map);
    struct gnttab_map_grant_ref device =
        map_op(1, 9, GNTMAP_device_map | GNTMAP_readonly);
    struct gnttab_map_grant_ref none = map_op(2, 9, GNTMAP_readonly);
    struct gnttab_unmap_grant_ref op;

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(map(f, &none), ==, GNTST_bad_gntref);
    g_assert_cmpint(map(f, &both), ==, GNTST_okay);
    g_assert_cmpint(map(f, &device), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(1),
                                              NULL), ==,
                     XEN_MACHINE_NO_FRAME);
    check_stats(f, 2, 2, 1);

    /* An address of 0 is ignored */
    op = unmap_op(&both);
    op.host_addr = op.dev_bus_addr = 0;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, &op, 1), ==, 0);
    check_stats(f, 2, 2, 1);

    /* Others must be what the handle stands for */
    op = unmap_op(&both);
    op.dev_bus_addr += XEN_MACHINE_PAGE_SIZE;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, &op, 1), ==, 1);
    g_assert_cmpint(op.status, ==, GNTST_general_error);
    op = unmap_op(&both);
    op.host_addr = ADDR(7);
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, &op, 1), ==, 1);
    g_assert_cmpint(op.status, ==, GNTST_general_error);
    check_stats(f, 2, 2, 1);
    check(f, true);

    op = unmap_op(&both);
    op.dev_bus_addr = 0;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, &op, 1), ==, 0);
    check_stats(f, 2, 2, 1);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    check(f, true);
    op = unmap_op(&both);
    op.host_addr = 0;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, PEER, &op, 1), ==, 0);
    check_stats(f, 1, 2, 1);
    g_assert_cmphex(f->shared[9].flags, ==, READING);
    g_assert_cmpint(unmap(f, &both), ==, GNTST_bad_handle);
    g_assert_cmpint(unmap(f, &device), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
}

static void test_bad_domain(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_unmap_grant_ref unmap = { .handle = 0 };
    uint32_t frame;

    xen_grant_access(&f->shared[9], PEER, 12, false);
    op.dom = DOMID_INVALID;
    g_assert_cmpint(map(f, &op), ==, GNTST_bad_domain);
    op.dom = OWNER;
    g_assert_cmpint(map_as(f, 99, &op), ==, GNTST_bad_domain);
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, 99, &unmap, 1), ==,
                     1);
    g_assert_cmpint(unmap.status, ==, GNTST_bad_domain);
    g_assert_cmpint(xen_grant_table_pin(&f->machine, PEER, 99, 9, false,
                                        &frame), ==, GNTST_bad_domain);
}

static void test_bad_address(Fixture *f, const void *data)
{
    static const uint64_t addresses[] = {
        0, 1, XEN_MACHINE_PAGE_SIZE - 1, XEN_MACHINE_PAGE_SIZE + 8,
        (uint64_t)PTES << XEN_MACHINE_PAGE_SHIFT, UINT64_MAX,
        UINT64_MAX << XEN_MACHINE_PAGE_SHIFT,
    };
    size_t i;

    xen_grant_access(&f->shared[9], PEER, 12, false);
    for (i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);

        op.host_addr = addresses[i];
        g_assert_cmpint(map(f, &op), ==, GNTST_bad_virt_addr);
        g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER,
                                                  addresses[i], FIRST(PEER),
                                                  true), ==,
                        GNTST_bad_virt_addr);
    }
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
}

/* The mapper's p2m says that the frame is foreign; the handle is kept */
#define FOREIGN_FRAME(addr) ((uint32_t)((addr) >> XEN_MACHINE_PAGE_SHIFT) | \
                             1u << 31)

static void test_foreign_p2m(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref ops[4];
    int i;

    for (i = 0; i < 4; i++) {
        xen_grant_access(&f->shared[i + 8], PEER, 12 + i, false);
        ops[i] = map_op(i, i + 8, GNTMAP_host_map);
    }
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, ops, 4), ==, 0);
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(xen_machine_set_p2m(&f->machine, PEER, i,
                            FOREIGN_FRAME(ops[i].dev_bus_addr)), ==, 0);
    }
    for (i = 0; i < 4; i++) {
        uint32_t frame = xen_machine_p2m(&f->machine, PEER, i);

        g_assert_cmphex(frame, ==, (12u + i) | 1u << 31);
        /* Such an entry is no frame that could be granted on */
        g_assert_cmpuint(xen_machine_owner(&f->machine, frame), ==,
                         DOMID_INVALID);
        g_assert_cmpint(unmap(f, &ops[i]), ==, GNTST_okay);
    }
    g_assert_cmpint(xen_machine_set_p2m(&f->machine, PEER, PFNS, 1), ==,
                    -EINVAL);
    g_assert_cmpuint(xen_machine_p2m(&f->machine, PEER, PFNS), ==,
                     XEN_MACHINE_NO_FRAME);
    g_assert_cmpuint(xen_machine_p2m(&f->machine, PEER, PFNS - 1), ==,
                     XEN_MACHINE_NO_FRAME);
}

/* Without page tables every address will do */
static void test_no_page_tables(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);

    tear_down(f, NULL);
    set_up_sizes(f, 0);
    xen_grant_access(&f->shared[9], PEER, 12, false);
    op.host_addr = 0x7f0123456000;
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    check(f, true);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
}

/* Overwriting */

/*
 * What is dropped is the first entry of the map track that mentions the
 * frame, not the one whose address was overwritten
 */
static void test_overwrite_first(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref ro =
        map_op(0, 8, GNTMAP_host_map | GNTMAP_readonly);
    struct gnttab_map_grant_ref a = map_op(1, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref b = map_op(2, 10, GNTMAP_host_map);

    xen_grant_access(&f->shared[8], PEER, 12, true);
    xen_grant_access(&f->shared[9], PEER, 12, false);
    xen_grant_access(&f->shared[10], PEER, 12, false);
    g_assert_cmpint(map(f, &ro), ==, GNTST_okay);
    g_assert_cmpint(map(f, &a), ==, GNTST_okay);
    g_assert_cmpint(map(f, &b), ==, GNTST_okay);
    check_stats(f, 3, 3, 3);

    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(2),
                                              FIRST(PEER), true), ==,
                    GNTST_okay);
    g_assert_cmphex(xen_grant_query_access(&f->shared[8]), ==, GTF_reading);
    g_assert_cmphex(xen_grant_query_access(&f->shared[9]), ==, 0);
    g_assert_cmphex(xen_grant_query_access(&f->shared[10]), ==,
                    GTF_reading | GTF_writing);
    check_stats(f, 2, 3, 2);
    check(f, true);

    /* As by an unmap: the handle is none any more, and can be had again */
    g_assert_cmpint(unmap(f, &a), ==, GNTST_bad_handle);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(1),
                                              XEN_MACHINE_NO_FRAME, false),
                    ==, GNTST_okay);
    g_assert_cmphex(xen_grant_query_access(&f->shared[10]), ==, 0);
    g_assert_cmpint(unmap(f, &ro), ==, GNTST_okay);
    check_stats(f, 0, 3, 0);
}

/* A mapping is overwritten by another, too */
static void test_overwrite_by_map(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref a = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref b = map_op(0, 10, GNTMAP_host_map);
    struct gnttab_map_grant_ref c = map_op(0, 10, GNTMAP_host_map);

    xen_grant_access(&f->shared[9], PEER, 12, false);
    xen_grant_access(&f->shared[10], PEER, 13, false);
    g_assert_cmpint(map(f, &a), ==, GNTST_okay);
    g_assert_cmpint(map(f, &b), ==, GNTST_okay);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(0),
                                              NULL), ==, 13);
    g_assert_cmphex(xen_grant_query_access(&f->shared[9]), ==, 0);
    check_stats(f, 1, 2, 1);
    g_assert_cmpint(unmap(f, &a), ==, GNTST_bad_handle);
    check(f, true);

    /* Even by one of the same frame */
    g_assert_cmpint(map(f, &c), ==, GNTST_okay);
    check_stats(f, 1, 2, 1);
    g_assert_cmpint(unmap(f, &b), ==, GNTST_bad_handle);
    g_assert_cmpint(unmap(f, &c), ==, GNTST_okay);
    check_stats(f, 0, 2, 0);
}

/* Device mappings have no page table entry that could be overwritten */
static void test_overwrite_device(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref both =
        map_op(0, 9, GNTMAP_host_map | GNTMAP_device_map);

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(map(f, &both), ==, GNTST_okay);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0),
                                              XEN_MACHINE_NO_FRAME, false),
                    ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, WRITING);
    check_stats(f, 1, 1, 1);
    both.flags = GNTMAP_device_map;
    g_assert_cmpint(unmap(f, &both), ==, GNTST_okay);
    check_stats(f, 0, 1, 0);
}

/* A domain's own frames are not tracked, but nobody else's can be put there */
static void test_overwrite_own(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(1, 9, GNTMAP_host_map);
    bool writable = true;

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0), 12,
                                              true), ==, GNTST_bad_page);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0),
                                              FIRST(PEER), false), ==,
                    GNTST_okay);
    g_assert_cmpuint(xen_grant_table_read_pte(&f->machine, PEER, ADDR(0),
                                              &writable), ==, FIRST(PEER));
    g_assert(!writable);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0),
                                              XEN_MACHINE_NO_FRAME, false),
                    ==, GNTST_okay);
    check_stats(f, 1, 1, 1);
    check(f, true);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
}

/* Copying */

static void test_copy(Fixture *f, const void *data)
{
    uint8_t *granted = f->memory + 12 * XEN_MACHINE_PAGE_SIZE;
    uint8_t *own = f->memory + FIRST(PEER) * XEN_MACHINE_PAGE_SIZE;
    int i;

    xen_grant_access(&f->shared[9], PEER, 12, false);
    for (i = 0; i < 100; i++) {
        granted[16 + i] = i + 1;
    }
    g_assert_cmpint(copy(f, copy_op(9, FIRST(PEER), true)), ==, GNTST_okay);
    g_assert_cmpint(own[31] + own[132], ==, 0);
    g_assert_cmpint(memcmp(own + 32, granted + 16, 100), ==, 0);

    memset(own, 0x55, XEN_MACHINE_PAGE_SIZE);
    g_assert_cmpint(copy(f, copy_op(9, FIRST(PEER), false)), ==, GNTST_okay);
    g_assert_cmphex(granted[16], ==, 0x55);
    g_assert_cmphex(granted[115], ==, 0x55);
    g_assert_cmphex(granted[15] + granted[116], ==, 0);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
    check_stats(f, 0, 0, 0);
}

static void test_copy_refused(Fixture *f, const void *data)
{
    struct gnttab_copy op;

    xen_grant_access(&f->shared[9], PEER, 12, true);
    g_assert_cmpint(copy(f, copy_op(9, FIRST(PEER), false)), ==,
                    GNTST_general_error);
    g_assert_cmpint(copy(f, copy_op(ENTRIES, FIRST(PEER), true)), ==,
                    GNTST_bad_gntref);
    g_assert_cmpint(copy(f, copy_op(9, 12, true)), ==, GNTST_bad_page);
    op = copy_op(9, 0, true);
    op.dest.u.gmfn = ~(xen_pfn_t)0;
    g_assert_cmpint(copy(f, op), ==, GNTST_bad_page);
    op = copy_op(9, FIRST(PEER), true);
    op.source.domid = 99;
    g_assert_cmpint(copy(f, op), ==, GNTST_bad_domain);
    op = copy_op(9, FIRST(PEER), true);
    op.dest.domid = OTHER;
    g_assert_cmpint(copy(f, op), ==, GNTST_permission_denied);
    op = copy_op(9, FIRST(PEER), true);
    op.dest.offset = XEN_MACHINE_PAGE_SIZE - 99;
    g_assert_cmpint(copy(f, op), ==, GNTST_bad_copy_arg);
    op = copy_op(9, FIRST(PEER), true);
    op.source.offset = UINT16_MAX;
    op.len = UINT16_MAX;
    g_assert_cmpint(copy(f, op), ==, GNTST_bad_copy_arg);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE | GTF_readonly);
}

/* Transfer mode: from the peer to the owner of the tested table */

#define ACCEPTING   5       /* the page that is to be filled */

/*
 * The acceptor's preparation: a page of its own is unmapped, has no frame any
 * more, and the frame goes back to Xen, which must say that it took one
 */
static bool prepare(Fixture *f, uint32_t pfn)
{
    uint32_t frame = xen_machine_p2m(&f->machine, OWNER, pfn);

    xen_machine_set_p2m(&f->machine, OWNER, pfn, XEN_MACHINE_NO_FRAME);
    return xen_machine_decrease_reservation(&f->machine, OWNER, &frame, 1) ==
           1;
}

static struct gnttab_transfer transfer_op(uint32_t ref, uint32_t frame)
{
    return (struct gnttab_transfer) {
        .mfn = frame, .domid = OWNER, .ref = ref, .status = 77,
    };
}

static int16_t transfer(Fixture *f, struct gnttab_transfer op)
{
    g_assert_cmpuint(xen_grant_table_transfer(&f->machine, PEER, &op, 1), ==,
                     op.status != GNTST_okay);
    check(f, true);
    return op.status;
}

static void test_transfer_preparation(Fixture *f, const void *data)
{
    const uint64_t at = ADDR(3);
    uint32_t frame = 12;

    /* alloc_page(), as the domain sees it */
    xen_machine_set_p2m(&f->machine, OWNER, ACCEPTING, frame);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, OWNER, at, frame,
                                              true), ==, GNTST_okay);

    /* A page that is still mapped is not there for others */
    g_assert(prepare(f, ACCEPTING));
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      &frame, 1), ==, 0);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, OWNER, at,
                                              XEN_MACHINE_NO_FRAME, false),
                    ==, GNTST_okay);
    check(f, true);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      &frame, 1), ==, 1);
    g_assert_cmpuint(frame, ==, 12);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, OWNER), ==, COUNT - 1);
    g_assert_cmpuint(xen_machine_p2m(&f->machine, OWNER, ACCEPTING), ==,
                     XEN_MACHINE_NO_FRAME);

    /* What Xen does not take back was not given: the page is freed again */
    g_assert(!prepare(f, ACCEPTING));
    xen_machine_set_p2m(&f->machine, OWNER, ACCEPTING, FIRST(OTHER));
    g_assert(!prepare(f, ACCEPTING));
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, OWNER), ==, COUNT - 1);
    check(f, true);
}

/*
 * The four steps: the owner makes an accepting reference, the peer hands over
 * a frame, the owner accepts it, and clears the reference
 */
static void test_transfer_life_cycle(Fixture *f, const void *data)
{
    const uint32_t frame = FIRST(PEER) + 7;
    uint32_t got = 0;

    xen_machine_set_p2m(&f->machine, OWNER, ACCEPTING, 12);
    g_assert(prepare(f, ACCEPTING));
    xen_grant_transfer(&f->shared[9], PEER, ACCEPTING);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_accept_transfer);
    g_assert_cmpuint(f->shared[9].frame, ==, ACCEPTING);

    strcpy((char *)f->memory + frame * XEN_MACHINE_PAGE_SIZE, "transferred");
    g_assert_cmpint(transfer(f, transfer_op(9, frame)), ==, GNTST_okay);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_accept_transfer |
                    GTF_transfer_committed | GTF_transfer_completed);
    g_assert_cmpuint(f->shared[9].frame, ==, frame);
    g_assert_cmpuint(xen_machine_owner(&f->machine, frame), ==, OWNER);
    g_assert_cmpuint(xen_machine_m2p(&f->machine, frame), ==, ACCEPTING);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, OWNER), ==, COUNT);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, PEER), ==, COUNT - 1);

    g_assert_cmpint(xen_grant_end_transfer(&f->shared[9], &got), ==, 0);
    g_assert_cmpuint(got, ==, frame);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_invalid);
    xen_machine_set_p2m(&f->machine, OWNER, ACCEPTING, got);

    /* It is as good as every frame of its own */
    xen_grant_access(&f->shared[10], PEER, got, false);
    g_assert_cmpint(copy(f, copy_op(10, FIRST(PEER), true)), ==, GNTST_okay);
    g_assert_cmpstr((char *)f->memory + got * XEN_MACHINE_PAGE_SIZE, ==,
                    "transferred");

    /* And nothing any more to its former owner */
    g_assert_cmpint(transfer(f, transfer_op(9, frame)), ==, GNTST_bad_page);
}

/* An acceptor may change its mind before somebody has handed over */
static void test_transfer_withdrawn(Fixture *f, const void *data)
{
    uint32_t got = 77;

    xen_grant_transfer(&f->shared[9], PEER, 0);
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[9], &got), ==, -ENOENT);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_invalid);
    g_assert_cmpuint(got, ==, 77);

    /* But not between the two flags */
    f->shared[9].flags = GTF_accept_transfer | GTF_transfer_committed;
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[9], &got), ==, -EAGAIN);
    g_assert_cmphex(f->shared[9].flags, ==,
                    GTF_accept_transfer | GTF_transfer_committed);
    g_assert_cmpuint(got, ==, 77);
}

/* Before the transfer the sender drops every mapping and every grant */
static void test_transfer_in_use(Fixture *f, const void *data)
{
    grant_entry_v1_t *table = xen_machine_table(&f->machine, PEER, NULL);
    const uint32_t frame = FIRST(PEER);
    struct gnttab_map_grant_ref op = map_op(0, 8, GNTMAP_host_map);

    xen_grant_transfer(&f->shared[9], PEER, ACCEPTING);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0),
                                              frame, true), ==, GNTST_okay);
    g_assert_cmpint(transfer(f, transfer_op(9, frame)), ==, GNTST_bad_page);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(0),
                                              XEN_MACHINE_NO_FRAME, false),
                    ==, GNTST_okay);

    xen_grant_access(&table[8], OTHER, frame, false);
    op.dom = PEER;
    g_assert_cmpint(map_as(f, OTHER, &op), ==, GNTST_okay);
    g_assert_cmpint(transfer(f, transfer_op(9, frame)), ==, GNTST_bad_page);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_accept_transfer);
    g_assert_cmpuint(xen_machine_owner(&f->machine, frame), ==, PEER);

    g_assert_cmpint(unmap_as(f, OTHER, &op), ==, GNTST_okay);
    g_assert_cmpint(transfer(f, transfer_op(9, frame)), ==, GNTST_okay);

    /* A grant of it that is left over is worth nothing now */
    g_assert_cmpint(map_as(f, OTHER, &op), ==, GNTST_bad_page);
}

typedef struct TransferRefusal {
    const char *what;
    uint32_t ref;
    domid_t to;
    uint16_t flags;
    domid_t domid;
    int16_t status;
} TransferRefusal;

static const TransferRefusal transfer_refusals[] = {
    { "no such domain", 9, 99, GTF_accept_transfer, PEER, GNTST_bad_domain },
    { "reference outside the table", ENTRIES, OWNER, 0, PEER,
      GNTST_general_error },
    { "last reference of all", UINT32_MAX, OWNER, 0, PEER,
      GNTST_general_error },
    { "no entry", 9, OWNER, GTF_invalid, PEER, GNTST_general_error },
    { "access", 9, OWNER, GTF_permit_access, PEER, GNTST_general_error },
    { "transitive", 9, OWNER, GTF_transitive, PEER, GNTST_general_error },
    { "committed already", 9, OWNER,
      GTF_accept_transfer | GTF_transfer_committed, PEER,
      GNTST_general_error },
    { "completed already", 9, OWNER, GTF_accept_transfer |
      GTF_transfer_committed | GTF_transfer_completed, PEER,
      GNTST_general_error },
    { "flags that mean nothing", 9, OWNER, GTF_accept_transfer | GTF_PAT,
      PEER, GNTST_general_error },
    { "for another domain", 9, OWNER, GTF_accept_transfer, OTHER,
      GNTST_general_error },
};

/* A frame whose transfer fails is lost to the sender nevertheless */
static void test_transfer_refused(Fixture *f, const void *data)
{
    uint32_t i, again;

    for (i = 0; i < ARRAY_SIZE(transfer_refusals); i++) {
        const TransferRefusal *r = &transfer_refusals[i];
        struct gnttab_transfer op = transfer_op(r->ref, FIRST(PEER));

        g_test_message("%s", r->what);
        f->shared[9] = (grant_entry_v1_t) {
            .flags = r->flags, .domid = r->domid, .frame = ACCEPTING,
        };
        op.domid = r->to;
        g_assert_cmpuint(xen_grant_table_transfer(&f->machine, PEER, &op, 1),
                         ==, 1);
        g_assert_cmpint(op.status, ==, r->status);
        g_assert_cmphex(f->shared[9].flags, ==, r->flags);
        g_assert_cmpuint(f->shared[9].frame, ==, ACCEPTING);
        g_assert_cmpuint(xen_machine_owner(&f->machine, FIRST(PEER)), ==,
                         DOMID_INVALID);
        g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, PEER,
                                                          &again, 1), ==, 1);
        g_assert_cmpuint(again, ==, FIRST(PEER));
    }
}

/* But for a frame that it could not give away */
static void test_transfer_bad_page(Fixture *f, const void *data)
{
    static const uint64_t frames[] = {
        0, 1, FIRST(OTHER), 12, FRAMES, UINT32_MAX, UINT64_MAX,
        1ULL << 32 | FIRST(PEER),
    };
    size_t i;

    xen_grant_transfer(&f->shared[9], PEER, ACCEPTING);
    for (i = 0; i < ARRAY_SIZE(frames); i++) {
        struct gnttab_transfer op = transfer_op(9, 0);

        op.mfn = frames[i];
        g_assert_cmpint(transfer(f, op), ==, GNTST_bad_page);
        g_assert_cmphex(f->shared[9].flags, ==, GTF_accept_transfer);
    }
    g_assert_cmpuint(xen_machine_owner(&f->machine, FIRST(OTHER)), ==, OTHER);
    g_assert_cmpuint(xen_machine_owner(&f->machine, 12), ==, OWNER);
}

/* The acceptor must be able to take it */
static void test_transfer_limits(Fixture *f, const void *data)
{
    uint32_t frame = 12;

    xen_grant_transfer(&f->shared[9], PEER, ACCEPTING);
    xen_machine_set_limits(&f->machine, OWNER, COUNT, UINT32_MAX);
    g_assert_cmpint(transfer(f, transfer_op(9, FIRST(PEER))), ==,
                    GNTST_general_error);
    g_assert_cmpuint(xen_machine_decrease_reservation(&f->machine, OWNER,
                                                      &frame, 1), ==, 1);
    xen_machine_set_limits(&f->machine, OWNER, COUNT, FIRST(PEER));
    g_assert_cmpint(transfer(f, transfer_op(9, FIRST(PEER) + 1)), ==,
                    GNTST_address_too_big);
    g_assert_cmphex(f->shared[9].flags, ==, GTF_accept_transfer);

    xen_machine_set_limits(&f->machine, OWNER, COUNT, FIRST(PEER) + 2);
    g_assert_cmpint(transfer(f, transfer_op(9, FIRST(PEER) + 2)), ==,
                    GNTST_okay);
    xen_machine_set_limits(&f->machine, OWNER, UINT32_MAX, UINT32_MAX);
    xen_grant_transfer(&f->shared[10], PEER, ACCEPTING);
    xen_grant_table_kill(&f->machine, OWNER);
    g_assert_cmpint(transfer(f, transfer_op(10, FIRST(PEER) + 3)), ==,
                    GNTST_general_error);
}

static void test_transfer_batch(Fixture *f, const void *data)
{
    struct gnttab_transfer ops[4];
    struct gnttab_map_grant_ref all[HANDLES];
    uint32_t got;
    int i;

    /* Transfers need no map track: not even of a full one */
    xen_grant_access(&f->shared[8], PEER, 12, false);
    for (i = 0; i < HANDLES; i++) {
        all[i] = map_op(i, 8, GNTMAP_host_map);
    }
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, all, HANDLES), ==,
                     0);

    for (i = 0; i < 4; i++) {
        xen_grant_transfer(&f->shared[20 + i], PEER, i);
        ops[i] = transfer_op(20 + i, FIRST(PEER) + i);
    }
    ops[1].mfn = FIRST(OTHER);
    ops[2].ref = 19;
    g_assert_cmpuint(xen_grant_table_transfer(&f->machine, PEER, ops, 4), ==,
                     2);
    g_assert_cmpint(ops[0].status, ==, GNTST_okay);
    g_assert_cmpint(ops[1].status, ==, GNTST_bad_page);
    g_assert_cmpint(ops[2].status, ==, GNTST_general_error);
    g_assert_cmpint(ops[3].status, ==, GNTST_okay);
    check_stats(f, HANDLES, HANDLES, 1);
    check(f, true);
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[20], &got), ==, 0);
    g_assert_cmpuint(got, ==, FIRST(PEER));
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[21], &got), ==,
                    -ENOENT);
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[22], &got), ==,
                    -ENOENT);
    g_assert_cmpint(xen_grant_end_transfer(&f->shared[23], &got), ==, 0);
    g_assert_cmpuint(got, ==, FIRST(PEER) + 3);
}

/*
 * The frame is there before it is said to be.  An entry that lies across two
 * pages, its frame in one that cannot be written to, tells what its flags are
 * when that is tried.
 */
static struct {
    grant_entry_v1_t *entry;
    uint8_t *page;              /* that holds its frame */
    uint16_t flags;
    int writes;
} across;

static void frame_is_written(int sig, siginfo_t *info, void *context)
{
    if (info->si_addr != across.page ||
        mprotect(across.page, XEN_MACHINE_PAGE_SIZE,
                 PROT_READ | PROT_WRITE) < 0) {
        abort();
    }
    across.flags = across.entry->flags;
    across.writes++;
}

static void test_transfer_order(Fixture *f, const void *data)
{
    const domid_t domid = 5;
    const XenMachineConfig config = { FRAMES, 2, ENTRIES, 1, 0, 0 };
    g_autofree void *block = g_malloc0(xen_machine_size(&config));
    struct sigaction catch = {
        .sa_sigaction = frame_is_written, .sa_flags = SA_SIGINFO,
    };
    struct sigaction before;
    uint8_t *pages = mmap(NULL, 2 * XEN_MACHINE_PAGE_SIZE,
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gnttab_transfer op = transfer_op(9, FIRST(PEER));
    uint32_t frame = 0;
    XenMachine m;

    g_assert(pages != MAP_FAILED);
    across.page = pages + XEN_MACHINE_PAGE_SIZE;
    across.entry = (void *)(across.page - offsetof(grant_entry_v1_t, frame));
    xen_machine_init(&m, block, &config, NULL);
    g_assert_cmpint(xen_machine_add_domain(&m, PEER, 0, 0), ==, 0);
    g_assert_cmpint(xen_machine_add_domain(&m, domid, ENTRIES, 0), ==, 0);
    g_assert_cmpint(xen_machine_give(&m, PEER, FIRST(PEER), 1), ==, 0);
    xen_machine_set_table(&m, domid, across.entry - 9);

    xen_grant_transfer(across.entry, PEER, ACCEPTING);
    g_assert_cmpint(sigaction(SIGSEGV, &catch, &before), ==, 0);
    g_assert_cmpint(mprotect(across.page, XEN_MACHINE_PAGE_SIZE, PROT_READ),
                    ==, 0);
    op.domid = domid;
    xen_grant_table_transfer(&m, PEER, &op, 1);
    g_assert_cmpint(sigaction(SIGSEGV, &before, NULL), ==, 0);

    g_assert_cmpint(op.status, ==, GNTST_okay);
    g_assert_cmpint(across.writes, ==, 1);
    g_assert_cmphex(across.flags, ==,
                    GTF_accept_transfer | GTF_transfer_committed);
    g_assert_cmpint(xen_grant_end_transfer(across.entry, &frame), ==, 0);
    g_assert_cmpuint(frame, ==, FIRST(PEER));
    munmap(pages, 2 * XEN_MACHINE_PAGE_SIZE);
}

/* Domains */

static void test_mapper_dies(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref ops[2] = {
        map_op(0, 9, GNTMAP_host_map),
        map_op(1, 9, GNTMAP_device_map | GNTMAP_readonly),
    };
    uint32_t frames[FRAMES];

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpuint(xen_grant_table_map(&f->machine, PEER, ops, 2), ==, 0);
    g_assert_cmpint(xen_grant_table_write_pte(&f->machine, PEER, ADDR(4),
                                              FIRST(PEER), true), ==,
                    GNTST_okay);
    xen_grant_table_kill(&f->machine, PEER);
    check_stats(f, 0, 2, 0);
    g_assert_cmphex(f->shared[9].flags, ==, IDLE);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, PEER), ==, 0);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      frames, FRAMES), ==,
                     COUNT);
    check(f, true);
    g_assert_cmpint(map(f, &ops[0]), ==, GNTST_bad_domain);
}

static void test_owner_dies(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);
    struct gnttab_map_grant_ref late = map_op(1, 9, GNTMAP_host_map);

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    xen_grant_table_kill(&f->machine, OWNER);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, OWNER), ==, 1);
    g_assert_cmpint(map(f, &late), ==, GNTST_bad_domain);
    check(f, true);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
    g_assert_cmpuint(xen_machine_nr_pages(&f->machine, OWNER), ==, 0);
}

static void test_release(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    xen_grant_table_release(&f->machine, PEER);
    check_stats(f, 0, 1, 0);
    check(f, true);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_bad_handle);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    g_assert_cmpint(unmap(f, &op), ==, GNTST_okay);
}

/* The machine */

static void test_machine_sizes(void)
{
    static const XenMachineConfig bad[] = {
        { 0, 1, 1, 1, 0, 0 },
        { 1, 0, 1, 1, 0, 0 },
        { 1, XEN_MACHINE_DOMAINS + 1, 1, 1, 0, 0 },
        { UINT32_MAX, 1, 1, 1, 0, 0 },
        { 1, 1, UINT32_MAX, 1, 0, 0 },
        { 1, 1, 1, UINT32_MAX, 0, 0 },
        { 1, 1, 1, 1, UINT32_MAX, 0 },
        { 1, 1, 1, 1, 0, UINT32_MAX },
    };
    const XenMachineConfig small = { 2, 1, 1, 1, 0, 0 };
    size_t size = xen_machine_size(&small);
    g_autofree void *block = g_malloc0(size);
    XenMachine m;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_assert_cmpuint(xen_machine_size(&bad[i]), ==, 0);
    }
    g_assert(!xen_machine_attach(&m, block, size, NULL));
    xen_machine_init(&m, block, &small, NULL);
    g_assert(!xen_machine_attach(&m, block, size - 1, NULL));
    g_assert(!xen_machine_attach(&m, block, 1, NULL));
    g_assert(xen_machine_attach(&m, block, size, NULL));

    g_assert_cmpint(xen_machine_add_domain(&m, DOMID_SELF, 1, 0), ==,
                    -EINVAL);
    g_assert_cmpint(xen_machine_add_domain(&m, 1, 2, 0), ==, -EINVAL);
    g_assert_cmpint(xen_machine_add_domain(&m, 1, 1, 1), ==, -EINVAL);
    g_assert_cmpint(xen_machine_add_domain(&m, 1, 1, 0), ==, 0);
    g_assert_cmpint(xen_machine_add_domain(&m, 1, 1, 0), ==, -EEXIST);
    g_assert_cmpint(xen_machine_add_domain(&m, 2, 1, 0), ==, -ENOSPC);
    g_assert_cmpint(xen_machine_give(&m, 1, 0, 1), ==, -EINVAL);
    g_assert_cmpint(xen_machine_give(&m, 1, 1, 2), ==, -EINVAL);
    g_assert_cmpint(xen_machine_give(&m, 2, 1, 1), ==, -EINVAL);
    g_assert_cmpint(xen_machine_give(&m, 1, 1, 1), ==, 0);
    g_assert_cmpint(xen_machine_give(&m, 1, 1, 1), ==, -EINVAL);
    g_assert_cmpint(xen_machine_release(&m, 1, 1), ==, -EINVAL);
}

/* Free frames go to who asks, and come back */
static void test_machine_reservation(Fixture *f, const void *data)
{
    uint32_t frames[3] = { 0 };

    g_assert_cmpint(xen_machine_release(&f->machine, 120, 2), ==, 0);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      frames, 3), ==, 2);
    g_assert_cmpuint(frames[0], ==, 120);
    g_assert_cmpuint(frames[1], ==, 121);
    check(f, true);
    frames[2] = 12;
    g_assert_cmpuint(xen_machine_decrease_reservation(&f->machine, OTHER,
                                                      frames, 3), ==, 2);
    xen_machine_set_limits(&f->machine, OTHER, COUNT + 1, UINT32_MAX);
    g_assert_cmpuint(xen_machine_increase_reservation(&f->machine, OTHER,
                                                      frames, 3), ==, 1);
    check(f, true);
}

/* Another process finds the same machine in the same memory */
static void test_machine_shared(void)
{
    const XenMachineConfig config = { 16, 2, 512, 8, 0, 0 };
    const size_t block_size = xen_machine_size(&config);
    const size_t memory_size = config.nr_frames * XEN_MACHINE_PAGE_SIZE;
    const size_t size = memory_size + block_size;
    int fd = memfd_create("machine", MFD_CLOEXEC);
    struct gnttab_map_grant_ref op = {
        .flags = GNTMAP_host_map, .ref = 9, .dom = OWNER, .host_addr = 8192,
    };
    struct gnttab_unmap_grant_ref undo = { .host_addr = 8192 };
    uint8_t *at;
    XenMachine m;
    pid_t child;
    int status;

    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert(at != MAP_FAILED);
    xen_machine_init(&m, at + memory_size, &config, at);
    g_assert_cmpint(xen_machine_add_domain(&m, OWNER, 512, 1), ==, 0);
    g_assert_cmpint(xen_machine_add_domain(&m, PEER, 0, 0), ==, 0);
    g_assert_cmpint(xen_machine_give(&m, OWNER, 4, 8), ==, 0);

    child = fork();
    if (!child) {
        uint8_t *there = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                              fd, 0);
        XenMachine other;

        if (there == at ||
            !xen_machine_attach(&other, there + memory_size, block_size,
                                there)) {
            _exit(1);
        }
        xen_grant_access(&xen_machine_table(&other, OWNER, NULL)[9], PEER, 5,
                         false);
        _exit(xen_grant_table_map(&other, PEER, &op, 1) ? 2 : 0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);

    g_assert_cmphex(xen_machine_table(&m, OWNER, NULL)[9].flags, ==, WRITING);
    g_assert_cmpuint(xen_grant_table_unmap(&m, PEER, &undo, 1), ==, 0);
    g_assert_cmphex(xen_machine_table(&m, OWNER, NULL)[9].flags, ==, IDLE);
    munmap(at, size);
    close(fd);
}

/* So many that whatever searches would take for ever */
#define MANY    1000000

static void test_machine_many(void)
{
    const XenMachineConfig config = {
        .nr_frames = 1 + MANY,
        .nr_domains = 2,
        .nr_entries = MANY,
        .nr_handles = MANY,
        .nr_ptes = 1 + MANY,
    };
    g_autofree void *block = g_malloc0(xen_machine_size(&config));
    g_autofree grant_entry_v1_t *table = g_new0(grant_entry_v1_t, MANY);
    g_autofree struct gnttab_map_grant_ref *ops =
        g_new0(struct gnttab_map_grant_ref, MANY);
    g_autofree struct gnttab_unmap_grant_ref *undo =
        g_new0(struct gnttab_unmap_grant_ref, MANY);
    XenMachine m;
    int round, i;

    xen_machine_init(&m, block, &config, NULL);
    g_assert_cmpint(xen_machine_add_domain(&m, OWNER, MANY, 0), ==, 0);
    g_assert_cmpint(xen_machine_add_domain(&m, PEER, 0, 0), ==, 0);
    xen_machine_set_table(&m, OWNER, table);
    g_assert_cmpint(xen_machine_give(&m, OWNER, 1, MANY), ==, 0);
    for (round = 0; round < 2; round++) {
        for (i = 0; i < MANY; i++) {
            xen_grant_access(&table[i], PEER, 1 + i, false);
            ops[i] = map_op(0, i, GNTMAP_host_map);
            ops[i].host_addr = (1ULL + i) << XEN_MACHINE_PAGE_SHIFT;
        }
        g_assert_cmpuint(xen_grant_table_map(&m, PEER, ops, MANY), ==, 0);
        for (i = 0; i < MANY; i++) {
            undo[i] = unmap_op(&ops[i]);
        }
        g_assert_cmpuint(xen_grant_table_unmap(&m, PEER, undo, MANY), ==, 0);
        for (i = 0; i < MANY; i++) {
            g_assert_cmpint(xen_grant_end_access(&table[i]), ==, 0);
        }
    }
}

/* The checker */

static void expect_wrong(Fixture *f, const char *pattern)
{
    g_autofree char *what = xen_grant_table_check(&f->machine, true);

    g_test_message("%s", what);
    g_assert(what && g_pattern_match_simple(pattern, what));
}

/* Break what it counts, piece by piece: it notices */
static void test_check(Fixture *f, const void *data)
{
    struct gnttab_map_grant_ref op = map_op(0, 9, GNTMAP_host_map);
    Domain *owner = xen_machine_domain(&f->machine, OWNER);
    Domain *peer = xen_machine_domain(&f->machine, PEER);
    uint32_t frame;

#define BREAK(what, change, pattern) do { \
        typeof(what) saved_ = (what); \
        (what) = (change); \
        expect_wrong(f, pattern); \
        (what) = saved_; \
        check(f, true); \
    } while (0)

    xen_grant_access(&f->shared[9], PEER, 12, false);
    g_assert_cmpint(map(f, &op), ==, GNTST_okay);
    g_assert_cmpint(pin(f, 9, false, &frame), ==, GNTST_okay);
    g_assert_cmpint(xen_machine_release(&f->machine, 120, 3), ==, 0);
    check(f, true);

    BREAK(machine_active(&f->machine, owner)[9].pins[PIN_HOST_WRITE], 0,
          "domain 1, reference 9: 0 pins*");
    BREAK(machine_active(&f->machine, owner)[9].pins[PIN_HOST_READ], 2,
          "*2 pins without a mapping");
    BREAK(machine_active(&f->machine, owner)[9].domid, OTHER,
          "*not pinned for it");
    BREAK(machine_active(&f->machine, owner)[9].frame, 13, "*");
    BREAK(f->shared[9].flags, READING, "*reference 9: flags are*");
    BREAK(f->shared[10].flags, READING, "*reference 10: flags are*");
    BREAK(machine_track(&f->machine, peer)[0].ref, 10, "*not pinned for it");
    BREAK(machine_track(&f->machine, peer)[0].flags, 0, "*handles are lost");
    BREAK(peer->free_handle, 1, "*free handle 0");
    BREAK(machine_ptes(&f->machine, peer)[1].flags, 0,
          "*more mappings than entries");
    BREAK(owner->mapped, 2, "*counts 2 mappings*");
    BREAK(owner->refs, 2, "*counts 2 references*");
    BREAK(owner->nr_pages, 2, "*counts 2 frames*");
    BREAK(machine_frame(&f->machine, 12)->refs, 2, "frame 12: counts 2*");
    BREAK(machine_frame(&f->machine, 12)->owner, PEER, "*is not its own");
    BREAK(machine_frame(&f->machine, 121)->flags, 0, "free frame 121");
    BREAK(machine_frame(&f->machine, 121)->link, 0, "*frames are lost");
#undef BREAK
    unpin(f, 9, false);
}

/* Whatever is done in whatever order */
static void test_random(Fixture *f, const void *data)
{
    static const domid_t domids[] = { OWNER, PEER, OTHER };
    uint32_t handles[16][2] = { { 0 } };
    int i;

    for (i = 0; i < 4000; i++) {
        domid_t a = domids[g_test_rand_int_range(0, 3)];
        domid_t b = domids[g_test_rand_int_range(0, 3)];
        uint32_t ref = g_test_rand_int_range(8, 12);
        uint32_t frame = FIRST(a) + g_test_rand_int_range(0, 4);
        uint32_t *last = handles[g_test_rand_int_range(0, 16)];
        grant_entry_v1_t *entry =
            &xen_machine_table(&f->machine, a, NULL)[ref];
        struct gnttab_map_grant_ref map = map_op(g_test_rand_int_range(0, 6),
            ref, g_test_rand_int_range(0, 8));
        struct gnttab_unmap_grant_ref unmap = {
            .host_addr = ADDR(g_test_rand_int_range(0, 6)),
            .dev_bus_addr = g_test_rand_bit() ?
                            (uint64_t)frame << XEN_MACHINE_PAGE_SHIFT : 0,
            .handle = last[0],
        };
        struct gnttab_transfer move = {
            .mfn = frame, .domid = b, .ref = ref,
        };

        map.dom = a;
        switch (g_test_rand_int_range(0, 8)) {
        case 0:
            if (!entry->flags) {
                xen_grant_access(entry, b, frame, g_test_rand_bit());
            }
            break;
        case 1:
            if ((entry->flags & GTF_type_mask) == GTF_permit_access) {
                xen_grant_end_access(entry);
            } else {
                xen_grant_end_transfer(entry, &frame);
            }
            break;
        case 2:
            if (!entry->flags) {
                xen_grant_transfer(entry, b, ref);
            }
            break;
        case 3:
            xen_grant_table_transfer(&f->machine, a, &move, 1);
            break;
        case 4:
            xen_grant_table_write_pte(&f->machine, b,
                                      ADDR(g_test_rand_int_range(0, 6)),
                                      g_test_rand_bit() ? frame :
                                      XEN_MACHINE_NO_FRAME,
                                      g_test_rand_bit());
            break;
        case 5:
            xen_grant_table_unmap(&f->machine, last[1], &unmap, 1);
            break;
        case 6:
            if (!xen_machine_decrease_reservation(&f->machine, a, &frame,
                                                  1)) {
                xen_machine_increase_reservation(&f->machine, a, &frame, 1);
            }
            break;
        default:
            if (!xen_grant_table_map(&f->machine, b, &map, 1)) {
                last[0] = map.handle;
                last[1] = b;
            }
        }
        check(f, true);
    }
}

static void test_layout(void)
{
    const grant_entry_v1_t entry = { 0x0201, 0x0403, 0x08070605 };
    const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    if (G_BYTE_ORDER == G_LITTLE_ENDIAN) {
        g_assert_cmpint(memcmp(&entry, bytes, sizeof(entry)), ==, 0);
    }
    g_assert_cmphex(GTF_permit_access, ==, 1);
    g_assert_cmphex(GTF_accept_transfer, ==, 2);
    g_assert_cmphex(GTF_readonly, ==, 4);
    g_assert_cmphex(GTF_reading, ==, 8);
    g_assert_cmphex(GTF_writing, ==, 16);
    g_assert_cmphex(GTF_transfer_committed, ==, 4);
    g_assert_cmphex(GTF_transfer_completed, ==, 8);
}

static void test_errno(void)
{
    static const int errors[] = {
        [-GNTST_okay] = 0, [-GNTST_general_error] = -EPERM,
        [-GNTST_bad_domain] = -ESRCH, [-GNTST_bad_gntref] = -EINVAL,
        [-GNTST_bad_handle] = -ENOENT, [-GNTST_bad_virt_addr] = -EINVAL,
        [-GNTST_bad_dev_addr] = -EINVAL, [-GNTST_no_device_space] = -EINVAL,
        [-GNTST_permission_denied] = -EPERM, [-GNTST_bad_page] = -ERANGE,
        [-GNTST_bad_copy_arg] = -EINVAL, [-GNTST_address_too_big] = -EINVAL,
        [-GNTST_eagain] = -EAGAIN, [-GNTST_no_space] = -ENOSPC,
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        g_assert_cmpint(xen_grant_status_errno(-(int)i), ==, errors[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/grant-table/shared/layout", test_layout);
    add("shared/references-finite", test_references);
    add("shared/changes-while-mapped", test_changes);
    add("active/in-use-flags", test_pins);
    add("active/refusals", test_refusals);
    add("active/upgrade", test_upgrade);
    add("active/counts-finite", test_count);
    add("active/frame-kept", test_given_back);
    add("track/finite", test_track);
    add("track/per-domain", test_track_per_domain);
    add("access/life-cycle", test_life_cycle);
    add("access/read-only", test_read_only);
    add("access/end-refused-while-mapped", test_end_refused);
    add("access/end-deferred-while-mapped", test_end_deferred);
    add("map/batch-status-and-undo", test_batch);
    add("map/host-and-device", test_host_and_device);
    add("map/bad-domain", test_bad_domain);
    add("map/bad-address", test_bad_address);
    add("map/foreign-p2m", test_foreign_p2m);
    add("map/no-page-tables", test_no_page_tables);
    add("overwrite/first-match", test_overwrite_first);
    add("overwrite/by-map", test_overwrite_by_map);
    add("overwrite/device-stays", test_overwrite_device);
    add("overwrite/own-frames", test_overwrite_own);
    add("copy/both-ways", test_copy);
    add("copy/refusals", test_copy_refused);
    add("transfer/preparation", test_transfer_preparation);
    add("transfer/life-cycle", test_transfer_life_cycle);
    add("transfer/withdrawn", test_transfer_withdrawn);
    add("transfer/frame-in-use", test_transfer_in_use);
    add("transfer/refusals-lose-the-frame", test_transfer_refused);
    add("transfer/bad-page-keeps-it", test_transfer_bad_page);
    add("transfer/limits", test_transfer_limits);
    add("transfer/batch-untracked", test_transfer_batch);
    add("transfer/frame-before-flag", test_transfer_order);
    add("domain/mapper-dies", test_mapper_dies);
    add("domain/owner-dies", test_owner_dies);
    add("domain/release", test_release);
    g_test_add_func("/xen/grant-table/machine/sizes", test_machine_sizes);
    add("machine/reservation", test_machine_reservation);
    g_test_add_func("/xen/grant-table/machine/shared", test_machine_shared);
    g_test_add_func("/xen/grant-table/machine/many", test_machine_many);
    add("check/notices", test_check);
    add("check/random", test_random);
    g_test_add_func("/xen/grant-table/errno", test_errno);
    return g_test_run();
}
