/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables: entries, access and the map track
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

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
    g_test_add_func("/xen/grant-table/errno", test_errno);
    return g_test_run();
}
