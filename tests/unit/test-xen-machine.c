/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's domains and their memory, and of what checks it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/wait.h>

#include "../../hw/xen/testbed/machine-state.h"
#include "grant-fixture.h"

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("domain/mapper-dies", test_mapper_dies);
    add("domain/owner-dies", test_owner_dies);
    add("domain/release", test_release);
    g_test_add_func("/xen/grant-table/machine/sizes", test_machine_sizes);
    add("machine/reservation", test_machine_reservation);
    g_test_add_func("/xen/grant-table/machine/shared", test_machine_shared);
    g_test_add_func("/xen/grant-table/machine/many", test_machine_many);
    add("check/notices", test_check);
    add("check/random", test_random);
    return g_test_run();
}
