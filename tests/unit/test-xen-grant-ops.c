/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables: mapping and copying
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-fixture.h"

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
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
    return g_test_run();
}
