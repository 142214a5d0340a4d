/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Linux's grant device
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "gntdev-fixture.h"

/* Slots */

static void test_states(Fixture *f, gconstpointer data)
{
    uint32_t frame;

    assert_states(f, 0, f->config.slots + 1, XEN_GNTDEV_INVALID);
    g_assert_cmpint(request(f, 0, 1), ==, 0);
    assert_states(f, 0, 1, XEN_GNTDEV_NOT_YET_MAPPED);
    /* MAP maps nothing */
    g_assert_cmpuint(nr_mapped(f), ==, 0);

    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, 0, 1, true, true, 0,
                                    &frame), ==, 0);
    g_assert_cmpuint(frame, ==, FRAME(0));
    assert_states(f, 0, 1, XEN_GNTDEV_MAPPED);
    g_assert_cmpuint(nr_mapped(f), ==, 1);

    do_munmap(f, 0, 1);
    assert_states(f, 0, 1, XEN_GNTDEV_NOT_YET_MAPPED);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    /* Linux maps a request once */
    g_assert_cmpint(do_mmap(f, 0, 1, true), ==, -EINVAL);

    g_assert_cmpint(unmap(f, 0, 1), ==, 0);
    assert_states(f, 0, 1, XEN_GNTDEV_INVALID);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, 0);
}

/* One slot: the one that was freed last, slot 0 first of all */
static void test_single(Fixture *f, gconstpointer data)
{
    uint32_t i;

    for (i = 0; i < f->config.slots; i++) {
        g_assert_cmpint(request(f, 0, 1), ==, i);
    }
    g_assert_cmpint(request(f, 0, 1), ==, -ENOMEM);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, f->config.slots);
    g_assert_cmpint(unmap(f, 5, 1), ==, 0);
    g_assert_cmpint(unmap(f, 90, 1), ==, 0);
    g_assert_cmpint(unmap(f, 7, 1), ==, 0);
    g_assert_cmpint(request(f, 0, 1), ==, 7);
    g_assert_cmpint(request(f, 0, 1), ==, 90);
    g_assert_cmpint(request(f, 0, 1), ==, 5);
    g_assert_cmpint(request(f, 0, 1), ==, -ENOMEM);
}

/* A run of slots: from where the last one ended, then from the start */
static void test_next_fit(Fixture *f, gconstpointer data)
{
    const uint32_t last = f->config.slots;

    g_assert_cmpint(request(f, 0, 10), ==, 0);
    g_assert_cmpint(request(f, 0, 10), ==, 10);
    g_assert_cmpint(unmap(f, 0, 10), ==, 0);
    /* There is room at 0, but the search begins behind the last */
    g_assert_cmpint(request(f, 0, 5), ==, 20);
    /* A run never goes over the end */
    g_assert_cmpint(request(f, 0, last - 25 - 4), ==, 25);
    g_assert_cmpint(request(f, 0, 8), ==, 0);
    g_assert_cmpint(request(f, 0, 4), ==, last - 4);
    g_assert_cmpint(request(f, 0, 2), ==, 8);
    g_assert_cmpint(request(f, 0, 2), ==, -ENOMEM);
    g_assert_cmpint(request(f, 0, 1), ==, -ENOMEM);
}

/* A run has no hole: an occupied slot starts the count anew */
static void test_run_is_whole(Fixture *f, gconstpointer data)
{
    const uint32_t last = f->config.slots;
    uint32_t i;

    for (i = 0; i < last; i++) {
        g_assert_cmpint(request(f, 0, 1), ==, i);
    }
    for (i = 0; i < last; i += 2) {
        g_assert_cmpint(unmap(f, i, 1), ==, 0);
    }
    /* Half of them are free, but no two side by side */
    g_assert_cmpint(request(f, 0, 2), ==, -ENOMEM);
    g_assert_cmpint(unmap(f, 51, 1), ==, 0);
    g_assert_cmpint(request(f, 0, 4), ==, -ENOMEM);
    g_assert_cmpint(request(f, 0, 3), ==, 50);
    assert_states(f, 50, 3, XEN_GNTDEV_NOT_YET_MAPPED);
}

/* Slots that a run took are not given out one by one, and the order stays */
static void test_run_and_single(Fixture *f, gconstpointer data)
{
    uint32_t i;

    for (i = 0; i < 6; i++) {
        g_assert_cmpint(request(f, 0, 1), ==, i);
    }
    for (i = 0; i < 6; i++) {
        g_assert_cmpint(unmap(f, i, 1), ==, 0);
    }
    /* On top of the list: 5 4 3 2 1 0; the run takes 0, 1, 2 */
    g_assert_cmpint(request(f, 0, 3), ==, 0);
    g_assert_cmpint(request(f, 0, 1), ==, 5);
    g_assert_cmpint(request(f, 0, 1), ==, 4);
    g_assert_cmpint(request(f, 0, 1), ==, 3);
    g_assert_cmpint(request(f, 0, 1), ==, 6);

    /* A run beyond the slots that were ever used: those before it are next */
    g_assert_cmpint(request(f, 0, 20), ==, 7);
    g_assert_cmpint(unmap(f, 7, 20), ==, 0);
    g_assert_cmpint(request(f, 0, 10), ==, 27);
    g_assert_cmpint(request(f, 0, 1), ==, 26);
}

static void test_map_errors(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(request(f, 0, 0), ==, -EINVAL);
    g_assert_cmpint(request(f, 0, f->config.slots + 1), ==, -EINVAL);
    g_assert_cmpint(xen_gntdev_check_count(f->file, UINT32_MAX), ==, -EINVAL);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, 0);
}

static void test_limit(Fixture *f, gconstpointer data)
{
    /* One request has a limit, all together have none but the slots */
    g_assert_cmpint(request(f, 0, f->config.limit + 1), ==, -EINVAL);
    g_assert_cmpint(request(f, 0, f->config.limit), ==, 0);
    g_assert_cmpint(request(f, 0, 1), ==, f->config.limit);
}

/* UNMAP_GRANT_REF */

static void test_unmap(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(request(f, 0, 4), ==, 0);
    g_assert_cmpint(request(f, 0, 1), ==, 4);
    /* A whole request, or nothing */
    g_assert_cmpint(unmap(f, 0, 3), ==, -ENOENT);
    g_assert_cmpint(unmap(f, 0, 5), ==, -ENOENT);
    g_assert_cmpint(unmap(f, 1, 3), ==, -ENOENT);
    g_assert_cmpint(unmap(f, 5, 1), ==, -ENOENT);
    g_assert_cmpint(unmap(f, f->config.slots, 1), ==, -ENOENT);
    g_assert_cmpint(xen_gntdev_unmap(f->file, &f->host, UINT64_MAX, 1), ==,
                    -ENOENT);
    g_assert_cmpint(unmap(f, 4, 0), ==, 0);
    assert_states(f, 4, 1, XEN_GNTDEV_INVALID);

    /* While it is mapped it is forgotten at once, and freed later */
    g_assert_cmpint(do_mmap(f, 0, 4, true), ==, 0);
    g_assert_cmpint(unmap(f, 0, 4), ==, 0);
    g_assert_cmpint(unmap(f, 0, 4), ==, -ENOENT);
    assert_states(f, 0, 4, XEN_GNTDEV_MAPPED);
    g_assert_cmpuint(nr_mapped(f), ==, 4);
    do_munmap(f, 0, 2);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, 4);
    g_assert_cmpint(do_mmap(f, 0, 4, true), ==, -EINVAL);
    do_munmap(f, 2, 2);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
}

/* mmap() */

static void test_mmap(Fixture *f, gconstpointer data)
{
    uint32_t frames[3], i;

    g_assert_cmpint(request(f, 10, 3), ==, 0);
    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, 0, 3, true, true, 0,
                                    frames), ==, 0);
    for (i = 0; i < 3; i++) {
        g_assert_cmpuint(frames[i], ==, FRAME(10 + 2 * i));
        g_assert_cmphex(f->tables[GUEST][REF(10 + 2 * i)].flags, ==,
                        GTF_permit_access | GTF_reading | GTF_writing);
    }
    /* Once at a time */
    g_assert_cmpint(do_mmap(f, 0, 3, true), ==, -EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 3);
}

/* A grant that is refused: nothing is mapped, whichever it is */
static void test_mmap_refused(Fixture *f, gconstpointer data)
{
    const XenGntdevRef wrong[] = {
        { GUEST, 0 },                   /* no grant */
        { GUEST, ENTRIES },             /* no reference */
        { GUEST, UINT32_MAX },
        { GUEST, REF(1) },              /* read-only */
        { 5, REF(0) },                  /* no domain */
        { 0xffff0001, REF(0) },         /* of which the device sees 16 bits */
    };
    uint32_t i, where, slot;

    for (i = 0; i < ARRAY_SIZE(wrong); i++) {
        for (where = 0; where < 3; where++) {
            XenGntdevRef refs[3] = {
                { GUEST, REF(0) }, { GUEST, REF(2) }, { GUEST, REF(4) },
            };
            bool good = wrong[i].domid == 0xffff0001;
            uint64_t index;

            refs[where] = wrong[i];
            g_assert_cmpint(xen_gntdev_map(f->file, 3, refs, &index), ==, 0);
            slot = index / PAGE;
            g_assert_cmpint(do_mmap(f, slot, 3, true), ==, good ? 0 : -EINVAL);
            if (good) {
                do_munmap(f, slot, 3);
            }
            g_assert_cmpuint(nr_mapped(f), ==, 0);
            assert_states(f, slot, 3, XEN_GNTDEV_NOT_YET_MAPPED);
            check(f);
            g_assert_cmpint(unmap(f, slot, 3), ==, 0);
        }
    }
}

/* The map track is full: the same, and it works again afterwards */
static void test_mmap_full(Fixture *f, gconstpointer data)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = PAGE,
        .flags = GNTMAP_host_map | GNTMAP_readonly,
        .dom = GUEST,
    };
    struct gnttab_unmap_grant_ref undo = { .host_addr = PAGE };
    uint32_t i;

    for (i = 0; i < HANDLES - 2; i++) {
        op.ref = REF(i);
        g_assert_cmpuint(xen_grant_table_map(&f->machine, DOM0, &op, 1), ==,
                         0);
    }
    g_assert_cmpint(request(f, 0, 3), ==, 0);
    g_assert_cmpint(do_mmap(f, 0, 3, true), ==, -EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, HANDLES - 2);
    undo.handle = op.handle;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, DOM0, &undo, 1), ==,
                     0);
    /* The failure was this request's one time */
    g_assert_cmpint(do_mmap(f, 0, 3, true), ==, -EINVAL);
    g_assert_cmpint(request(f, 0, 3), ==, 3);
    g_assert_cmpint(do_mmap(f, 3, 3, true), ==, 0);
    do_munmap(f, 3, 3);
    xen_grant_table_release(&f->machine, DOM0);
}

static void test_mmap_rules(Fixture *f, gconstpointer data)
{
    uint32_t frames[4];

    g_assert_cmpint(request(f, 0, 3), ==, 0);
    g_assert_cmpint(request(f, 6, 1), ==, 3);
    /* The request, and nothing else */
    g_assert_cmpint(do_mmap(f, 0, 2, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 1, 2, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 0, 4, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 2, 2, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 0, 0, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 4, 1, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, f->config.slots, 1, true), ==, -EINVAL);
    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, 0, 3, false, true, 0,
                                    frames), ==, -EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 0);

    /* That failed because of what was asked: nothing was tried */
    g_assert_cmpint(do_mmap(f, 0, 3, false), ==, 0);
    g_assert_cmphex(f->tables[GUEST][REF(0)].flags, ==,
                    GTF_permit_access | GTF_reading);
    g_assert_cmpint(do_mmap(f, 0, 3, false), ==, -EINVAL);
    /* Once is for ever */
    do_munmap(f, 0, 3);
    g_assert_cmpint(do_mmap(f, 0, 3, true), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 0, 3, false), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 3, 1, true), ==, 0);
    do_munmap(f, 3, 1);
    g_assert_cmpint(do_mmap(f, 3, 1, true), ==, -EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    /* A private mapping may be read */
    g_assert_cmpint(request(f, 20, 1), ==, 4);
    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, offset(4), 1, false,
                                    false, 0, frames), ==, 0);
}

/* GET_OFFSET_FOR_VADDR */

static int get_offset(Fixture *f, uint32_t slot, uint64_t *index,
                      uint32_t *count)
{
    return xen_gntdev_get_offset(f->file, offset(slot), index, count);
}

static void test_get_offset(Fixture *f, gconstpointer data)
{
    uint64_t index = 1;
    uint32_t count = 0;

    g_assert_cmpint(request(f, 0, 2), ==, 0);
    g_assert_cmpint(request(f, 0, 4), ==, 2);
    g_assert_cmpint(get_offset(f, 2, &index, &count), ==, -EINVAL);
    g_assert_cmpint(do_mmap(f, 2, 4, true), ==, 0);
    g_assert_cmpint(get_offset(f, 2, &index, &count), ==, 0);
    g_assert_cmpuint(index, ==, offset(2));
    g_assert_cmpuint(count, ==, 4);

    /* Any page of the mapping will do */
    index = 1;
    g_assert_cmpint(get_offset(f, 3, &index, &count), ==, 0);
    g_assert_cmpuint(index, ==, offset(2));
    g_assert_cmpint(get_offset(f, f->config.slots, &index, &count), ==,
                    -EINVAL);
    /* Freed, but mapped still */
    g_assert_cmpint(unmap(f, 2, 4), ==, 0);
    g_assert_cmpint(get_offset(f, 2, &index, &count), ==, 0);
    g_assert_cmpuint(count, ==, 4);
}

/* The end of a file, and of who mapped */

static void test_release(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(request(f, 0, 4), ==, 0);
    g_assert_cmpint(request(f, 10, 1), ==, 4);
    g_assert_cmpint(do_mmap(f, 0, 4, true), ==, 0);
    xen_gntdev_release(f->file, &f->host);
    g_assert_cmpuint(nr_mapped(f), ==, 0);

    /* And it is as new */
    xen_gntdev_open(f->file, &f->config);
    g_assert_cmpuint(xen_gntdev_in_use(f->file), ==, 0);
    g_assert_cmpint(request(f, 0, 2), ==, 0);
    g_assert_cmpint(request(f, 0, 1), ==, 2);
}

static void test_forget(Fixture *f, gconstpointer data)
{
    uint32_t frames[2];

    g_assert_cmpint(request(f, 0, 2), ==, 0);
    g_assert_cmpint(request(f, 4, 2), ==, 2);
    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, 0, 2, true, true, 3,
                                    frames), ==, 0);
    g_assert_cmpint(xen_gntdev_mmap(f->file, &f->host, offset(2), 2, true,
                                    true, 4, frames), ==, 0);
    xen_gntdev_forget(f->file, &f->host, 3);
    assert_states(f, 0, 2, XEN_GNTDEV_NOT_YET_MAPPED);
    assert_states(f, 2, 2, XEN_GNTDEV_MAPPED);
    g_assert_cmpuint(nr_mapped(f), ==, 2);
}

/* SET_UNMAP_NOTIFY */

static int notify(Fixture *f, uint64_t index, uint32_t action, uint32_t port)
{
    return xen_gntdev_set_notify(f->file, &f->host, index, action, port);
}

static void test_notify(Fixture *f, gconstpointer data)
{
    uint8_t *byte = f->memory + FRAME(2) * PAGE + 100;

    g_assert_cmpint(request(f, 0, 3), ==, 0);
    g_assert_cmpint(notify(f, offset(3), XEN_GNT_CLEAR_BYTE, 0), ==, -ENOENT);
    g_assert_cmpint(notify(f, UINT64_MAX, XEN_GNT_CLEAR_BYTE, 0), ==, -ENOENT);
    g_assert_cmpint(notify(f, 0, 4, 0), ==, -EINVAL);
    g_assert_cmpint(notify(f, 0, XEN_GNT_SEND_EVENT, PORTS), ==, -EINVAL);
    g_assert_cmpint(notify(f, offset(9), XEN_GNT_SEND_EVENT, 1), ==, -ENOENT);
    g_assert_cmpuint(f->port_users[1], ==, 0);

    /* The last word counts */
    g_assert_cmpint(notify(f, 0, XEN_GNT_SEND_EVENT, 1), ==, 0);
    g_assert_cmpint(notify(f, offset(1) + 100,
                           XEN_GNT_CLEAR_BYTE | XEN_GNT_SEND_EVENT, 2), ==, 0);
    g_assert_cmpuint(f->port_users[1], ==, 0);
    g_assert_cmpuint(f->port_sent[1], ==, 0);
    g_assert_cmpuint(f->port_users[2], ==, 1);

    g_assert_cmpint(do_mmap(f, 0, 3, true), ==, 0);
    memset(byte - 1, 0xaa, 3);
    do_munmap(f, 0, 1);
    g_assert_cmphex(byte[0], ==, 0xaa);
    do_munmap(f, 1, 2);
    g_assert_cmphex(byte[-1], ==, 0xaa);
    g_assert_cmphex(byte[0], ==, 0);
    g_assert_cmphex(byte[1], ==, 0xaa);
    /* Unmapped, but not yet given back */
    g_assert_cmpuint(f->port_sent[2], ==, 0);

    /* The byte was for once */
    byte[0] = 0xbb;
    g_assert_cmpint(unmap(f, 0, 3), ==, 0);
    g_assert_cmpint(notify(f, 0, XEN_GNT_CLEAR_BYTE, 0), ==, -ENOENT);
    g_assert_cmpuint(f->port_sent[2], ==, 1);
    g_assert_cmpuint(f->port_users[2], ==, 0);
    g_assert_cmphex(byte[0], ==, 0xbb);
}

static void test_notify_at_end(Fixture *f, gconstpointer data)
{
    f->memory[FRAME(0) * PAGE + 9] = 0xaa;
    g_assert_cmpint(request(f, 0, 1), ==, 0);
    g_assert_cmpint(notify(f, 9, XEN_GNT_CLEAR_BYTE | XEN_GNT_SEND_EVENT, 3),
                    ==, 0);
    g_assert_cmpint(do_mmap(f, 0, 1, true), ==, 0);
    /* Who asks for nothing takes it back */
    g_assert_cmpint(request(f, 2, 1), ==, 1);
    g_assert_cmpint(notify(f, offset(1), XEN_GNT_SEND_EVENT, 4), ==, 0);
    g_assert_cmpint(notify(f, offset(1), 0, 0), ==, 0);
    xen_gntdev_release(f->file, &f->host);
    g_assert_cmpuint(f->port_sent[3], ==, 1);
    g_assert_cmpuint(f->port_sent[4], ==, 0);
    g_assert_cmphex(f->memory[FRAME(0) * PAGE + 9], ==, 0);
    xen_gntdev_open(f->file, &f->config);

    /* What is mapped read-only cannot be cleared */
    g_assert_cmpint(request(f, 0, 1), ==, 0);
    g_assert_cmpint(do_mmap(f, 0, 1, false), ==, 0);
    g_assert_cmpint(notify(f, 9, XEN_GNT_CLEAR_BYTE | XEN_GNT_SEND_EVENT, 3),
                    ==, -EINVAL);
    g_assert_cmpuint(f->port_users[3], ==, 0);
    g_assert_cmpint(notify(f, 9, XEN_GNT_SEND_EVENT, 3), ==, 0);
}

/* GRANT_COPY */

static void test_copy(Fixture *f, gconstpointer data)
{
    uint8_t local[100];
    XenGntdevSegment segment = {
        .source.foreign = { .ref = REF(1), .domid = GUEST, .offset = 4000 },
        .dest.virt = local,
        .len = 96,
        .flags = GNTCOPY_source_gref,
        .status = 1,
    };

    memset(f->memory + FRAME(1) * PAGE, 0x11, PAGE);
    memset(local, 0, sizeof(local));
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, ==, GNTST_okay);
    g_assert_cmphex(local[95], ==, 0x11);
    g_assert_cmphex(local[96], ==, 0);

    /* To a grant; and not to one that may only be read */
    memset(local, 0x22, sizeof(local));
    segment = (XenGntdevSegment) {
        .source.virt = local,
        .dest.foreign = { .ref = REF(2), .domid = GUEST, .offset = 1 },
        .len = 1,
        .flags = GNTCOPY_dest_gref,
    };
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, ==, GNTST_okay);
    g_assert_cmphex(f->memory[FRAME(2) * PAGE], ==, 0);
    g_assert_cmphex(f->memory[FRAME(2) * PAGE + 1], ==, 0x22);
    g_assert_cmphex(f->memory[FRAME(2) * PAGE + 2], ==, 0);
    segment.dest.foreign.ref = REF(1);
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, <, 0);
    segment.dest.foreign.ref = ENTRIES;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, ==, GNTST_bad_gntref);
    segment.dest.foreign.domid = 7;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, ==, GNTST_bad_domain);

    /* From one to another */
    segment = (XenGntdevSegment) {
        .source.foreign = { .ref = REF(1), .domid = GUEST },
        .dest.foreign = { .ref = REF(4), .domid = GUEST },
        .len = PAGE,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
    };
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    g_assert_cmpint(segment.status, ==, GNTST_okay);
    g_assert_cmpmem(f->memory + FRAME(1) * PAGE, PAGE,
                    f->memory + FRAME(4) * PAGE, PAGE);
}

static void test_copy_errors(Fixture *f, gconstpointer data)
{
    uint8_t local[PAGE];
    XenGntdevSegment segment = {
        .source.foreign = { .ref = REF(0), .domid = GUEST, .offset = 1 },
        .dest.virt = local,
        .len = PAGE,
        .flags = GNTCOPY_source_gref,
    };

    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, -EINVAL);
    segment.source.foreign.offset = UINT16_MAX;
    segment.len = UINT16_MAX;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, -EINVAL);
    segment.source.foreign.offset = PAGE;
    segment.len = 0;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, 0);
    segment.flags = 0;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, -EINVAL);

    segment.flags = GNTCOPY_source_gref;
    segment.source.foreign.offset = 0;
    segment.len = 1;
    f->bad_address = true;
    g_assert_cmpint(xen_gntdev_copy(&f->host, &segment), ==, -EFAULT);
    /* Nothing is in use any more */
    g_assert_cmphex(f->tables[GUEST][REF(0)].flags, ==, GTF_permit_access);
}

/*
 * All of it, at random: what the file says of its slots must be what a second
 * book says, and the machine must agree with itself
 */
typedef struct Book {
    uint8_t states[128];
    uint32_t first[128];
    uint32_t count[128];
    bool used[128];
} Book;

static void random_step(Fixture *f, Book *book)
{
    uint32_t slot = g_test_rand_int_range(0, 128);
    uint32_t count, i;
    int64_t ret;

    switch (g_test_rand_int_range(0, 4)) {
    case 0:
        count = g_test_rand_int_range(1, 12);
        ret = request(f, 2 * g_test_rand_int_range(0, REFS / 2), count);
        for (i = 0; ret >= 0 && i < count; i++) {
            g_assert_cmpuint(book->states[ret + i], ==, XEN_GNTDEV_INVALID);
            book->states[ret + i] = XEN_GNTDEV_NOT_YET_MAPPED;
            book->first[ret + i] = ret;
            book->count[ret + i] = count;
            book->used[ret + i] = false;
        }
        return;
    case 1:
        slot = book->first[slot];
        ret = do_mmap(f, slot, book->count[slot], true);
        g_assert_cmpint(ret == 0, ==,
                        book->states[slot] == XEN_GNTDEV_NOT_YET_MAPPED &&
                        !book->used[slot]);
        for (i = 0; ret == 0 && i < book->count[slot]; i++) {
            book->states[slot + i] = XEN_GNTDEV_MAPPED;
            book->used[slot + i] = true;
        }
        return;
    case 2:
        slot = book->first[slot];
        do_munmap(f, slot, book->count[slot]);
        for (i = 0; i < book->count[slot]; i++) {
            if (book->states[slot + i] == XEN_GNTDEV_MAPPED) {
                book->states[slot + i] = XEN_GNTDEV_NOT_YET_MAPPED;
            }
        }
        return;
    default:
        slot = book->first[slot];
        if (book->states[slot] != XEN_GNTDEV_NOT_YET_MAPPED) {
            return;
        }
        count = book->count[slot];
        g_assert_cmpint(unmap(f, slot, count), ==, 0);
        for (i = 0; i < count; i++) {
            book->states[slot + i] = XEN_GNTDEV_INVALID;
            book->first[slot + i] = slot + i;
            book->count[slot + i] = 1;
        }
    }
}

static void test_random(Fixture *f, gconstpointer data)
{
    Book book = { 0 };
    uint32_t i, step;

    for (i = 0; i < 128; i++) {
        book.first[i] = i;
        book.count[i] = 1;
    }
    for (step = 0; step < 5000; step++) {
        random_step(f, &book);
        for (i = 0; i < 128; i++) {
            g_assert_cmpint(xen_gntdev_state(f->file, i), ==, book.states[i]);
        }
        if (step % 50 == 0) {
            check(f);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    add("gntdev/states", test_states);
    add("gntdev/slots/single", test_single);
    add("gntdev/slots/next-fit", test_next_fit);
    add("gntdev/slots/run-is-whole", test_run_is_whole);
    add("gntdev/slots/run-and-single", test_run_and_single);
    add("gntdev/map-errors", test_map_errors);
    add("gntdev/limit", test_limit);
    add("gntdev/unmap", test_unmap);
    add("gntdev/mmap/frames", test_mmap);
    add("gntdev/mmap/refused", test_mmap_refused);
    add("gntdev/mmap/full", test_mmap_full);
    add("gntdev/mmap/rules", test_mmap_rules);
    add("gntdev/get-offset", test_get_offset);
    add("gntdev/release", test_release);
    add("gntdev/forget", test_forget);
    add("gntdev/notify", test_notify);
    add("gntdev/notify-at-end", test_notify_at_end);
    add("gntdev/copy", test_copy);
    add("gntdev/copy-errors", test_copy_errors);
    add("gntdev/random", test_random);
    return g_test_run();
}
