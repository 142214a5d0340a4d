/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the model of Xen's grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../../hw/xen/testbed/grant-table.h"

#define ENTRIES     64
#define PAGES       100
#define MAPPINGS    40
#define PEER        0

typedef struct Fixture {
    XenGrantEntry shared[ENTRIES];
    XenGrantTable *table;
} Fixture;

static void set_up(Fixture *f, const void *data)
{
    f->table = xen_grant_table_new(f->shared, ENTRIES, PAGES, MAPPINGS);
}

static void tear_down(Fixture *f, const void *data)
{
    xen_grant_table_free(f->table);
}

static void grant(Fixture *f, uint32_t ref, uint32_t frame, uint16_t flags)
{
    f->shared[ref].frame = frame;
    f->shared[ref].domid = PEER;
    f->shared[ref].flags = flags;
}

static void check_stats(Fixture *f, uint64_t mapped, uint64_t peak,
                        uint64_t refs)
{
    XenGrantTableStats stats;

    xen_grant_table_stats(f->table, &stats);
    g_assert_cmpuint(stats.mapped, ==, mapped);
    g_assert_cmpuint(stats.peak, ==, peak);
    g_assert_cmpuint(stats.refs, ==, refs);
}

/* The in-use flags of an entry follow its pins */
static void test_pins(Fixture *f, const void *data)
{
    const uint16_t idle = XEN_GRANT_ACCESS;
    const uint16_t reading = idle | XEN_GRANT_READING;
    const uint16_t writing = reading | XEN_GRANT_WRITING;
    uint32_t frame = 0;

    grant(f, 9, 42, idle);
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, false, &frame), ==,
                    0);
    g_assert_cmpuint(frame, ==, 42);
    g_assert_cmphex(f->shared[9].flags, ==, reading);
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, true, &frame), ==,
                    0);
    g_assert_cmphex(f->shared[9].flags, ==, writing);
    check_stats(f, 0, 0, 1);

    xen_grant_table_unpin(f->table, 9, false);
    g_assert_cmphex(f->shared[9].flags, ==, writing);
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, false, &frame), ==,
                    0);
    xen_grant_table_unpin(f->table, 9, true);
    g_assert_cmphex(f->shared[9].flags, ==, reading);
    xen_grant_table_unpin(f->table, 9, false);
    g_assert_cmphex(f->shared[9].flags, ==, idle);
    check_stats(f, 0, 0, 0);
}

typedef struct Refusal {
    const char *what;
    uint32_t ref;
    uint32_t frame;
    uint16_t domid;
    uint16_t flags;
    bool write;
    int error;
} Refusal;

static const Refusal refusals[] = {
    { "reference outside the table", ENTRIES, 1, PEER, 0, false, -EINVAL },
    { "last reference of all", UINT32_MAX, 1, PEER, 0, false, -EINVAL },
    { "no grant", 9, 1, PEER, 0, false, -EPERM },
    { "transfer", 9, 1, PEER, 2, false, -EPERM },
    { "transitive", 9, 1, PEER, 3, false, -EPERM },
    { "part of a page", 9, 1, PEER, XEN_GRANT_ACCESS | XEN_GRANT_SUB_PAGE,
      false, -EPERM },
    { "another domain's", 9, 1, 7, XEN_GRANT_ACCESS, false, -EPERM },
    { "read-only", 9, 1, PEER, XEN_GRANT_ACCESS | XEN_GRANT_READONLY, true,
      -EPERM },
    { "frame outside memory", 9, PAGES, PEER, XEN_GRANT_ACCESS, false,
      -ERANGE },
    { "last frame of all", 9, UINT32_MAX, PEER, XEN_GRANT_ACCESS, true,
      -ERANGE },
};

static void test_refusals(Fixture *f, const void *data)
{
    uint32_t frame;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        const Refusal *r = &refusals[i];

        g_test_message("%s", r->what);
        grant(f, 9, r->frame, r->flags);
        f->shared[9].domid = r->domid;
        g_assert_cmpint(xen_grant_table_pin(f->table, PEER, r->ref, r->write,
                                            &frame), ==, r->error);
        g_assert_cmpint(xen_grant_table_map(f->table, PEER, r->ref, r->write,
                                            &frame), ==, r->error);
        g_assert_cmphex(f->shared[9].flags, ==, r->flags);
    }
    check_stats(f, 0, 0, 0);
}

/* What was pinned stays, whatever the domain writes into the entry */
static void test_changes(Fixture *f, const void *data)
{
    uint32_t frame;
    int handle;

    grant(f, 9, 42, XEN_GRANT_ACCESS);
    handle = xen_grant_table_map(f->table, PEER, 9, false, &frame);
    g_assert_cmpint(handle, >=, 0);

    f->shared[9].frame = 43;
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, false, &frame), ==,
                    0);
    g_assert_cmpuint(frame, ==, 42);
    xen_grant_table_unpin(f->table, 9, false);

    /* To write is a new question, and another domain is another one, too */
    f->shared[9].flags |= XEN_GRANT_READONLY;
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, true, &frame), ==,
                    -EPERM);
    f->shared[9].domid = 7;
    g_assert_cmpint(xen_grant_table_pin(f->table, 7, 9, false, &frame), ==,
                    -EPERM);

    /* Even a guest that wipes its table gets its page back */
    memset(&f->shared[9], 0, sizeof(f->shared[9]));
    g_assert_cmpint(xen_grant_table_unmap(f->table, handle), ==, 0);
    g_assert_cmphex(f->shared[9].flags, ==, 0);
    check_stats(f, 0, 1, 0);
}

static void test_count(Fixture *f, const void *data)
{
    uint32_t frame;
    uint32_t i;

    grant(f, 9, 42, XEN_GRANT_ACCESS);
    for (i = 0; i < XEN_GRANT_MAX_PINS; i++) {
        g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, false, &frame),
                        ==, 0);
    }
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, false, &frame), ==,
                    -EBUSY);
    g_assert_cmpint(xen_grant_table_pin(f->table, PEER, 9, true, &frame), ==,
                    0);
    xen_grant_table_unpin(f->table, 9, true);
    for (i = 0; i < XEN_GRANT_MAX_PINS; i++) {
        xen_grant_table_unpin(f->table, 9, false);
    }
    g_assert_cmphex(f->shared[9].flags, ==, XEN_GRANT_ACCESS);
}

static void test_track(Fixture *f, const void *data)
{
    int handles[MAPPINGS];
    uint32_t frame;
    int i;

    for (i = 0; i < ENTRIES; i++) {
        grant(f, i, PAGES - 1 - i, XEN_GRANT_ACCESS);
    }
    for (i = 0; i < MAPPINGS; i++) {
        handles[i] = xen_grant_table_map(f->table, PEER, i / 2, i % 2, &frame);
        g_assert_cmpint(handles[i], >=, 0);
        g_assert_cmpuint(frame, ==, PAGES - 1 - i / 2);
    }
    check_stats(f, MAPPINGS, MAPPINGS, MAPPINGS / 2);
    g_assert_cmpint(xen_grant_table_map(f->table, PEER, 50, false, &frame),
                    ==, -ENOSPC);
    g_assert_cmphex(f->shared[50].flags, ==, XEN_GRANT_ACCESS);

    /* A handle is good once */
    g_assert_cmpint(xen_grant_table_unmap(f->table, handles[7]), ==, 0);
    g_assert_cmpint(xen_grant_table_unmap(f->table, handles[7]), ==, -ENOENT);
    g_assert_cmpint(xen_grant_table_unmap(f->table, -1), ==, -ENOENT);
    g_assert_cmpint(xen_grant_table_unmap(f->table, MAPPINGS), ==, -ENOENT);
    handles[7] = xen_grant_table_map(f->table, PEER, 50, false, &frame);
    g_assert_cmpint(handles[7], >=, 0);

    for (i = 0; i < MAPPINGS; i++) {
        g_assert_cmpint(xen_grant_table_unmap(f->table, handles[i]), ==, 0);
    }
    check_stats(f, 0, MAPPINGS, 0);
    xen_grant_table_reset_peak(f->table);
    check_stats(f, 0, 0, 0);
    for (i = 0; i < ENTRIES; i++) {
        g_assert_cmphex(f->shared[i].flags, ==, XEN_GRANT_ACCESS);
    }
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
    add("track", test_track);
    return g_test_run();
}
