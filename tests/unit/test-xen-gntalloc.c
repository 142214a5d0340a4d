/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Linux's grant allocation device
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "gntdev-fixture.h"

static int alloc(Fixture *f, uint32_t file, uint32_t count, uint64_t *index,
                 uint32_t *refs)
{
    return xen_gntalloc_alloc(f->alloc, &f->host, file, GUEST, true, count,
                              index, refs);
}

static XenGntallocStats alloc_stats(Fixture *f)
{
    XenGntallocStats stats;

    xen_gntalloc_collect(f->alloc, &f->host);
    xen_gntalloc_stats(f->alloc, &stats);
    return stats;
}

static uint32_t alloc_mmap(Fixture *f, uint32_t file, uint64_t index)
{
    uint32_t frame;

    g_assert_cmpint(xen_gntalloc_mmap(f->alloc, file, index, 1, true, 5,
                                      &frame), ==, 0);
    return frame;
}

static void test_alloc(Fixture *f, gconstpointer data)
{
    uint32_t refs[20], frames[20], i;
    uint64_t index;

    memset(f->memory, 0xff, GUEST_FIRST * PAGE);
    g_assert_cmpint(alloc(f, 3, 4, &index, refs), ==, 0);
    g_assert_cmpuint(index, ==, 0);
    g_assert_cmpint(xen_gntalloc_mmap(f->alloc, 3, index, 4, true, 0, frames),
                    ==, 0);
    for (i = 0; i < 4; i++) {
        g_assert_cmphex(f->tables[DOM0][refs[i]].flags, ==,
                        GTF_permit_access);
        g_assert_cmpuint(f->tables[DOM0][refs[i]].domid, ==, GUEST);
        g_assert_cmpuint(f->tables[DOM0][refs[i]].frame, ==, frames[i]);
        g_assert_cmphex(f->memory[(size_t)frames[i] * PAGE + i], ==, 0);
    }
    g_assert_cmpint(xen_gntalloc_alloc(f->alloc, &f->host, 3, GUEST, false, 1,
                                       &index, refs), ==, 0);
    g_assert_cmpuint(index, ==, offset(4));
    g_assert_cmphex(f->tables[DOM0][refs[0]].flags, ==,
                    GTF_permit_access | GTF_readonly);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 5);
}

/* Offsets are a file's own, and are never given out twice */
static void test_alloc_offsets(Fixture *f, gconstpointer data)
{
    uint64_t index;
    uint32_t refs[2];

    g_assert_cmpint(alloc(f, 0, 2, &index, refs), ==, 0);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, index, 2), ==,
                    0);
    g_assert_cmpint(alloc(f, 0, 1, &index, refs), ==, 0);
    g_assert_cmpuint(index, ==, offset(2));
    g_assert_cmpint(alloc(f, 1, 1, &index, refs), ==, 0);
    g_assert_cmpuint(index, ==, 0);
    g_assert_cmpint(alloc(f, 1, 0, &index, refs), ==, 0);
    g_assert_cmpuint(index, ==, offset(1));
    /* Not across files, and not what is not there */
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 1, offset(2), 1),
                    ==, -EINVAL);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, offset(2), 2),
                    ==, -EINVAL);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, offset(2), 0),
                    ==, -EINVAL);
    g_assert_cmpint(xen_gntalloc_mmap(f->alloc, 0, 0, 1, true, 0, refs), ==,
                    -ENOENT);
    g_assert_cmpint(xen_gntalloc_mmap(f->alloc, 0, offset(2), 1, false, 0,
                                      refs), ==, -EINVAL);
}

static void test_alloc_limit(Fixture *f, gconstpointer data)
{
    g_autofree uint32_t *refs = g_new(uint32_t, ENTRIES);
    uint64_t index;

    g_assert_cmpint(alloc(f, 0, 21, &index, refs), ==, -ENOSPC);
    g_assert_cmpint(alloc(f, 0, UINT32_MAX, &index, refs), ==, -ENOSPC);
    g_assert_cmpint(alloc(f, 0, 12, &index, refs), ==, 0);
    /* It is one for all files */
    g_assert_cmpint(alloc(f, 1, 9, &index, refs), ==, -ENOSPC);
    g_assert_cmpint(alloc(f, 1, 8, &index, refs), ==, 0);
    g_assert_cmpint(alloc(f, 2, 1, &index, refs), ==, -ENOSPC);
    xen_gntalloc_set_limit(f->alloc, ENTRIES);
    g_assert_cmpint(alloc(f, 2, 1, &index, refs), ==, 0);

    /* No pages: what there was is given back */
    g_assert_cmpint(alloc(f, 2, GUEST_FIRST, &index, refs), ==, -ENOMEM);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 21);
    check(f);
    g_assert_cmpint(alloc(f, 2, GUEST_FIRST - 1 - 21, &index, refs), ==, 0);
    g_assert_cmpint(alloc(f, 2, 1, &index, refs), ==, -ENOMEM);
    g_assert_cmpuint(alloc_stats(f).pages, ==, GUEST_FIRST - 1);
}

/* A page lives while its file has it, or it is mapped */
static void test_alloc_life(Fixture *f, gconstpointer data)
{
    uint32_t refs[2], frame;
    uint64_t index;

    g_assert_cmpint(alloc(f, 0, 2, &index, refs), ==, 0);
    frame = alloc_mmap(f, 0, index);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, index, 2), ==,
                    0);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 1);
    g_assert_cmphex(f->tables[DOM0][refs[0]].flags, ==, GTF_permit_access);
    g_assert_cmphex(f->tables[DOM0][refs[1]].flags, ==, 0);
    g_assert_cmpint(xen_machine_owner(&f->machine, frame), ==, DOM0);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, index, 1), ==,
                    -EINVAL);
    /* Somebody else's munmap() is none of this mapping */
    xen_gntalloc_munmap(f->alloc, &f->host, 0, index, 1, 6);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 1);
    xen_gntalloc_munmap(f->alloc, &f->host, 0, index, 1, 5);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    g_assert_cmphex(f->tables[DOM0][refs[0]].flags, ==, 0);
    g_assert_cmpint(xen_machine_owner(&f->machine, frame), !=, DOM0);

    /* Mapped twice, by two, of whom one dies */
    g_assert_cmpint(alloc(f, 0, 1, &index, refs), ==, 0);
    alloc_mmap(f, 0, index);
    alloc_mmap(f, 0, index);
    g_assert_cmpint(xen_gntalloc_mmap(f->alloc, 0, index, 1, true, 6, &frame),
                    ==, 0);
    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, index, 1), ==,
                    0);
    xen_gntalloc_forget(f->alloc, &f->host, 0, 5);
    xen_gntalloc_forget(f->alloc, &f->host, 0, 5);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 1);
    xen_gntalloc_forget(f->alloc, &f->host, 0, 6);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
}

/* The peer has it mapped: the grant, the reference and the frame wait */
static void test_alloc_lingering(Fixture *f, gconstpointer data)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = PAGE,
        .flags = GNTMAP_host_map,
        .dom = DOM0,
    };
    struct gnttab_unmap_grant_ref undo = { .host_addr = PAGE };
    uint32_t ref, other;
    uint64_t index;

    g_assert_cmpint(alloc(f, 0, 1, &index, &ref), ==, 0);
    op.ref = ref;
    g_assert_cmpuint(xen_grant_table_map(&f->machine, GUEST, &op, 1), ==, 0);
    xen_gntalloc_release(f->alloc, &f->host, 0);
    /* As in Linux it does not count for the limit */
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 1);
    g_assert_cmpint(xen_machine_owner(&f->machine,
                                      op.dev_bus_addr / PAGE), ==, DOM0);
    g_assert_cmpint(alloc(f, 0, 1, &index, &other), ==, 0);
    g_assert_cmpuint(other, !=, ref);
    check(f);

    undo.handle = op.handle;
    g_assert_cmpuint(xen_grant_table_unmap(&f->machine, GUEST, &undo, 1), ==,
                     0);
    g_assert_cmphex(f->tables[DOM0][ref].flags, ==, GTF_permit_access);
    /* It is found at the next occasion */
    g_assert_cmpint(alloc(f, 0, 1, &index, &other), ==, 0);
    g_assert_cmpuint(other, ==, ref);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 0);
}

static int alloc_notify(Fixture *f, uint64_t index, uint32_t action,
                        uint32_t port)
{
    return xen_gntalloc_set_notify(f->alloc, &f->host, 0, index, action, port);
}

static void test_alloc_notify(Fixture *f, gconstpointer data)
{
    uint32_t refs[2];
    uint64_t index;
    uint8_t *page;

    g_assert_cmpint(alloc(f, 0, 2, &index, refs), ==, 0);
    page = f->memory + (size_t)alloc_mmap(f, 0, index + PAGE) * PAGE;
    memset(page, 0xaa, PAGE);
    g_assert_cmpint(alloc_notify(f, offset(2), XEN_GNT_CLEAR_BYTE, 0), ==,
                    -ENOENT);
    g_assert_cmpint(alloc_notify(f, 0, 4, 0), ==, -EINVAL);
    g_assert_cmpint(alloc_notify(f, 0, XEN_GNT_SEND_EVENT, PORTS), ==,
                    -EINVAL);
    g_assert_cmpint(alloc_notify(f, 0, XEN_GNT_SEND_EVENT, 1), ==, 0);
    g_assert_cmpint(alloc_notify(f, PAGE + 20, XEN_GNT_SEND_EVENT, 3), ==, 0);
    g_assert_cmpint(alloc_notify(f, PAGE + 21, XEN_GNT_CLEAR_BYTE |
                                 XEN_GNT_SEND_EVENT, 2), ==, 0);
    g_assert_cmpuint(f->port_users[3], ==, 0);

    g_assert_cmpint(xen_gntalloc_dealloc(f->alloc, &f->host, 0, 0, 2), ==, 0);
    g_assert_cmpuint(f->port_sent[1], ==, 1);
    g_assert_cmpuint(f->port_sent[2], ==, 0);
    g_assert_cmphex(page[21], ==, 0xaa);
    xen_gntalloc_munmap(f->alloc, &f->host, 0, PAGE, 1, 5);
    g_assert_cmpuint(f->port_sent[2], ==, 1);
    g_assert_cmpuint(f->port_sent[3], ==, 0);
    g_assert_cmphex(page[20], ==, 0xaa);
    g_assert_cmphex(page[21], ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    add("gntalloc/alloc", test_alloc);
    add("gntalloc/offsets", test_alloc_offsets);
    add("gntalloc/limit", test_alloc_limit);
    add("gntalloc/life", test_alloc_life);
    add("gntalloc/lingering", test_alloc_lingering);
    add("gntalloc/notify", test_alloc_notify);
    return g_test_run();
}
