/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables: transfer of frames
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>

#include "grant-fixture.h"

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("transfer/preparation", test_transfer_preparation);
    add("transfer/life-cycle", test_transfer_life_cycle);
    add("transfer/withdrawn", test_transfer_withdrawn);
    add("transfer/frame-in-use", test_transfer_in_use);
    add("transfer/refusals-lose-the-frame", test_transfer_refused);
    add("transfer/bad-page-keeps-it", test_transfer_bad_page);
    add("transfer/limits", test_transfer_limits);
    add("transfer/batch-untracked", test_transfer_batch);
    add("transfer/frame-before-flag", test_transfer_order);
    return g_test_run();
}
