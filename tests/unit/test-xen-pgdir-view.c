/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of page directories: views, scatter reads and writes, revocation
 *
 * They run with grants mapped in one call, page by page, and in calls of seven:
 * the same must hold for all of them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-fixture.h"

/*
 * Views
 */

static void test_view_lazy(Fixture *fix, gconstpointer data)
{
    uint32_t refs[100];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 100, 0, refs);
    XenPgdirView *view;
    XenPgdirStats stats;
    uint64_t calls;
    void *p;
    uint32_t i;

    g_assert_cmpuint(fix->f->mapped_pages, ==, 1);
    calls = fix->f->map_calls;
    view = new_view(buffer, 10 * PAGE + 3, 50 * PAGE, &p);
    stats = stats_of(fix);
    if (page_by_page(data)) {
        g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 1);
        g_assert_cmpuint(stats.copy_pages, ==, 51);
        g_assert_cmpuint(stats.pinned_pages, ==, 0);
    } else {
        /* One call, exactly the pages of the window */
        g_assert_cmpuint(fix->f->map_calls, ==, calls + 1);
        g_assert_cmpuint(stats.mapped_pages, ==, 51);
        g_assert_cmpuint(stats.pinned_pages, ==, 51);
        g_assert_cmpuint(stats.copy_pages, ==, 0);
        g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 0);
    }
    for (i = 0; i < 50; i++) {
        g_assert_cmpuint(load(p, (i + 1) * PAGE - 3), ==, 10 + i + 2);
    }
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
}

static void test_view_hit(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 20, 0, refs);
    XenPgdirView *one, *two;
    XenPgdirStats stats;
    void *p, *q;
    uint64_t calls;

    one = new_view(buffer, 5, 20 * PAGE - 5, &p);
    calls = fix->f->map_calls + fix->f->unmap_calls;
    stats = stats_of(fix);
    two = new_view(buffer, 17, 20 * PAGE - 17, &q);
    g_assert_true(one == two);
    g_assert_true((uint8_t *)p - 5 == (uint8_t *)q - 17);
    g_assert_cmpuint(stats_of(fix).hits, ==, stats.hits + 1);
    g_assert_cmpuint(stats_of(fix).misses, ==, stats.misses);

    /* Both gone, it is still cached; a copy shows what the guest has now */
    xen_pgdir_view_unref(one);
    xen_pgdir_view_unref(two);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, 0);
    store(fake_grants_page(fix->f, refs[19]), 0, 4711);
    one = new_view(buffer, 0, 20 * PAGE, &p);
    g_assert_cmpuint(load(p, 19 * PAGE), ==, 4711);
    g_assert_cmpuint(fix->f->map_calls + fix->f->unmap_calls, ==, calls);

    /* Another window is another view */
    two = new_view(buffer, 0, 19 * PAGE, &q);
    g_assert_true(one != two);
    xen_pgdir_view_unref(two);
    xen_pgdir_view_unref(one);
    xen_pgdir_buffer_unref(buffer);
}

static void test_view_bounds(Fixture *fix, gconstpointer data)
{
    static const uint64_t bad[][2] = {
        { 0, 0 }, { 1, 3 * PAGE }, { 3 * PAGE, 1 }, { 3 * PAGE - 1, 2 },
        { 0, 3 * PAGE + 1 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX },
        { UINT64_MAX, UINT64_MAX }, { PAGE, UINT64_MAX - PAGE + 1 },
        { 1ull << 44, PAGE }, { 0, 1ull << 44 }, { 0, (1ull << 44) + 1 },
    };
    uint32_t dir = fake_grants_make_directory(fix->f, 3, NULL);
    XenPgdirBuffer *buffer = new_buffer(fix, dir, 2 * PAGE + 1,
                                        XEN_PGDIR_WRITABLE);
    XenPgdirView *view = NULL;
    uint8_t byte = 1;
    uint32_t i;
    void *p;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_assert_cmpint(xen_pgdir_buffer_view(buffer, bad[i][0], bad[i][1],
                                              &view, &p), ==, -EINVAL);
        g_assert_cmpint(xen_pgdir_buffer_read(buffer, bad[i][0], &byte,
                                              bad[i][1]), ==, -EINVAL);
        g_assert_cmpint(xen_pgdir_buffer_write(buffer, bad[i][0], &byte,
                                               bad[i][1]), ==, -EINVAL);
    }
    g_assert_null(view);
    g_assert_cmpuint(fix->f->mapped_pages, ==, 1);

    /* To the end of the last page, beyond the size */
    view = new_view(buffer, 3 * PAGE - 1, 1, &p);
    xen_pgdir_view_unref(view);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 3 * PAGE - 1, &byte, 1),
                    ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

static void test_view_foreign(Fixture *fix, gconstpointer data)
{
    uint32_t refs[30];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 30, 0, refs);
    XenPgdirView *view = NULL;
    uint8_t byte;
    void *p;

    fake_grants_refuse_ref(fix->f, refs[29], -EFAULT);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 30 * PAGE, &view, &p),
                    ==, -EFAULT);
    g_assert_null(view);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 29 * PAGE, &byte, 1),
                    ==, -EFAULT);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, 0);
    /* The rest of the buffer is none the worse */
    view = new_view(buffer, 0, 8 * PAGE, &p);
    g_assert_cmpuint(load(p, 7 * PAGE), ==, 8);
    xen_pgdir_view_unref(view);
    fake_grants_refuse_ref(fix->f, refs[29], 0);
    view = new_view(buffer, 0, 30 * PAGE, &p);
    g_assert_cmpuint(load(p, 29 * PAGE), ==, 30);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_view_sync(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 20, 0, refs);
    XenPgdirView *view;
    uint64_t calls;
    void *p;

    view = new_view(buffer, 0, 20 * PAGE, &p);
    calls = fix->f->map_calls;
    store(fake_grants_page(fix->f, refs[13]), 0, 4711);
    g_assert_cmpuint(load(p, 13 * PAGE), ==, page_by_page(data) ? 14 : 4711);
    g_assert_cmpint(xen_pgdir_view_sync(view), ==, 0);
    g_assert_cmpuint(load(p, 13 * PAGE), ==, 4711);
    g_assert_cmpuint(fix->f->map_calls, ==, calls);

    /* A copy whose pages cannot be had says so, and stays */
    xen_pgdir_mapper_trim(fix->mapper);
    fake_grants_refuse_ref(fix->f, refs[19], -EFAULT);
    g_assert_cmpint(xen_pgdir_view_sync(view), ==,
                    page_by_page(data) ? -EFAULT : 0);
    g_assert_cmpuint(load(p, 13 * PAGE), ==, 4711);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_trim(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 20, 0, refs);
    XenPgdirView *kept, *view;
    void *p, *q;

    kept = new_view(buffer, 0, 10 * PAGE, &p);
    view = new_view(buffer, 0, 20 * PAGE, &q);
    xen_pgdir_view_unref(view);
    xen_pgdir_mapper_trim(fix->mapper);
    g_assert_cmpuint(fix->f->live_pages, ==, page_by_page(data) ? 0 : 10);
    g_assert_cmpuint(stats_of(fix).mapped_pages, ==, fix->f->live_pages);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==,
                     page_by_page(data) ? 10 : 0);
    g_assert_cmpuint(load(p, 9 * PAGE), ==, 10);
    xen_pgdir_view_unref(kept);
    xen_pgdir_mapper_trim(fix->mapper);
    g_assert_cmpuint(fix->f->live_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).evictions, ==, 0);
    /* And the buffer is as usable as before */
    view = new_view(buffer, 19 * PAGE, 1, &p);
    g_assert_cmpuint(load(p, 0), ==, 20);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

/*
 * Scatter reads and writes
 */

static void test_scatter(Fixture *fix, gconstpointer data)
{
    static const uint32_t ranges[][2] = {
        { 0, 1 }, { 4095, 2 }, { 1, 8191 }, { 7 * PAGE - 1, 2 },
        { 63 * PAGE + 5, 2 * PAGE }, { 64 * PAGE, 1 }, { 0, 150 * PAGE },
        { 149 * PAGE + 4095, 1 }, { 11, 130 * PAGE + 17 },
    };
    uint32_t size = 150 * PAGE, i, j;
    g_autofree uint8_t *model = g_malloc0(size);
    g_autofree uint8_t *got = g_malloc0(size);
    uint32_t refs[150];
    uint32_t dir = fake_grants_make_directory(fix->f, 150, refs);
    XenPgdirBuffer *buffer = new_buffer(fix, dir, size, XEN_PGDIR_WRITABLE);

    for (i = 0; i < ARRAY_SIZE(ranges); i++) {
        for (j = 0; j < ranges[i][1]; j++) {
            got[j] = j * 7 + i;
        }
        memcpy(model + ranges[i][0], got, ranges[i][1]);
        g_assert_cmpint(xen_pgdir_buffer_write(buffer, ranges[i][0], got,
                                               ranges[i][1]), ==, 0);
        for (j = 0; j < 150; j++) {
            g_assert_cmpmem(fake_grants_page(fix->f, refs[j]), PAGE,
                            model + j * PAGE, PAGE);
        }
        memset(got, 0, size);
        g_assert_cmpint(xen_pgdir_buffer_read(buffer, ranges[i][0], got,
                                              ranges[i][1]), ==, 0);
        g_assert_cmpmem(got, ranges[i][1], model + ranges[i][0],
                        ranges[i][1]);
        g_assert_cmpuint(stats_of(fix).pinned_pages, ==, 0);
    }
    xen_pgdir_buffer_unref(buffer);
}

/* A buffer is mapped in few calls, and the second time in none */
static void test_scatter_calls(Fixture *fix, gconstpointer data)
{
    uint32_t chunk = MIN(64, GPOINTER_TO_UINT(data) ?: 64);
    uint32_t refs[200];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 200, 0, refs);
    g_autofree uint8_t *got = g_malloc(200 * PAGE);
    uint64_t calls = fix->f->map_calls;

    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, got, 200 * PAGE),
                    ==, 0);
    g_assert_cmpuint(fix->f->map_calls - calls, ==,
                     DIV_ROUND_UP(200, chunk));
    g_assert_cmpuint(fix->f->live_pages, ==, 200);
    calls = fix->f->map_calls;
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 9, got, 199 * PAGE),
                    ==, 0);
    g_assert_cmpuint(fix->f->map_calls, ==, calls);
    xen_pgdir_buffer_unref(buffer);
}

static uint32_t read_number(XenPgdirBuffer *buffer, uint32_t page)
{
    uint32_t number = 0;

    g_assert_cmpint(xen_pgdir_buffer_read(buffer, (uint64_t)page * PAGE,
                                          &number, sizeof(number)), ==, 0);
    return number;
}

/* What is mapped can be read and written, and what fits alone, too */
static void test_scatter_pinned(void)
{
    FakeGrants *f = fake_grants_new(512);
    XenPgdirMapper *mapper = new_mapper(f, 64, 512, 0);
    uint32_t refs[200], number = 4711;
    XenPgdirBuffer *buffer = numbered(f, mapper, 200, XEN_PGDIR_WRITABLE,
                                      refs);
    XenPgdirView *view;
    uint64_t calls;
    void *p;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, PAGE, 64 * PAGE, &view, &p),
                    ==, 0);
    calls = f->map_calls;
    g_assert_cmpuint(read_number(buffer, 1), ==, 2);
    g_assert_cmpuint(read_number(buffer, 64), ==, 65);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 7 * PAGE, &number, 4), ==,
                    0);
    g_assert_cmpuint(load(p, 6 * PAGE), ==, 4711);
    g_assert_cmpuint(f->map_calls, ==, calls);
    /* Page 65 is not, and nothing is left for it */
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 65 * PAGE, &number, 4), ==,
                    -ENOSPC);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 65 * PAGE - 2, &number, 4),
                    ==, -ENOSPC);
    xen_pgdir_view_unref(view);

    /* One page is left: one at a time */
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 63 * PAGE, &view, &p),
                    ==, 0);
    g_assert_cmpuint(read_number(buffer, 150), ==, 151);
    g_assert_cmpuint(read_number(buffer, 199), ==, 200);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    fake_grants_free(f);
}

/* A page that cannot be mapped costs itself, and not its neighbours */
static void test_scatter_bad_neighbour(Fixture *fix, gconstpointer data)
{
    uint32_t refs[100], number;
    XenPgdirBuffer *buffer = numbered(fix->f, fix->mapper, 100, 0, refs);

    fake_grants_refuse_ref(fix->f, refs[63], -EINVAL);
    g_assert_cmpuint(read_number(buffer, 0), ==, 1);
    g_assert_cmpuint(read_number(buffer, 62), ==, 63);
    g_assert_cmpuint(read_number(buffer, 64), ==, 65);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 63 * PAGE, &number, 4), ==,
                    -EINVAL);
    xen_pgdir_buffer_unref(buffer);
}

/* Whether a view would be a copy is told without making one */
static void test_copied(void)
{
    static const uint32_t limits[] = { 0, 1, 3 };
    uint32_t refs[10], i, pages;

    for (i = 0; i < G_N_ELEMENTS(limits); i++) {
        FakeGrants *f = fake_grants_new(64);
        XenPgdirMapper *mapper = new_mapper(f, 64, 64, limits[i]);
        XenPgdirBuffer *buffer = numbered(f, mapper, 10, 0, refs);

        for (pages = 1; pages <= 10; pages++) {
            int32_t copied = xen_pgdir_buffer_is_copied(buffer, PAGE / 2,
                                                        pages * PAGE - PAGE);
            XenPgdirView *view;
            void *p;

            if (pages == 1) {
                g_assert_cmpint(copied, ==, -EINVAL);
                continue;
            }
            g_assert_cmpint(xen_pgdir_buffer_view(buffer, PAGE / 2,
                                                  pages * PAGE - PAGE, &view,
                                                  &p), ==, 0);
            g_assert_cmpint(copied, ==, xen_pgdir_view_is_copy(view));
            xen_pgdir_view_unref(view);
        }
        g_assert_cmpint(xen_pgdir_buffer_is_copied(buffer, 0, 11 * PAGE), ==,
                        -EINVAL);
        xen_pgdir_buffer_revoke(buffer);
        g_assert_cmpint(xen_pgdir_buffer_is_copied(buffer, 0, PAGE), ==,
                        -ESTALE);
        xen_pgdir_buffer_unref(buffer);
        xen_pgdir_mapper_unref(mapper);
        fake_grants_free(f);
    }
}

/*
 * Invariant 2: a mapping never outlives its buffer
 */

static void test_revoke_unpinned(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    uint32_t dir = fake_grants_make_directory(fix->f, 20, refs);
    XenPgdirBuffer *buffer = new_buffer(fix, dir, 20 * PAGE,
                                        XEN_PGDIR_WRITABLE);
    XenPgdirView *view;
    uint8_t byte = 0;
    uint64_t calls;
    void *p;

    view = new_view(buffer, 0, 20 * PAGE, &p);
    xen_pgdir_view_unref(view);
    view = new_view(buffer, PAGE, PAGE, &p);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(fix->f->live_pages, >, 0);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).revocations, ==, 0);
    g_assert_true(fake_grants_end_directory(fix->f, dir, 20));

    calls = fix->f->map_calls;
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 1, &view, &p), ==,
                    -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==, -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==,
                    -ESTALE);
    g_assert_cmpuint(fix->f->map_calls, ==, calls);
    g_assert_cmpuint(xen_pgdir_buffer_size(buffer), ==, 20 * PAGE);
    g_assert_cmpuint(xen_pgdir_buffer_pages(buffer), ==, 20);
    g_assert_cmpuint(stats_of(fix).buffers, ==, 1);
    xen_pgdir_buffer_unref(buffer);
}

static void test_revoke_pinned(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 20, XEN_PGDIR_WRITABLE,
                                             refs);
    XenPgdirView *view, *part;
    void *p, *q;
    uint32_t i;

    view = new_view(buffer, 0, 20 * PAGE, &p);
    part = new_view(buffer, 3 * PAGE, PAGE, &q);
    g_assert_true(xen_pgdir_view_ref(part) == part);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 1);
    g_assert_cmpint(xen_pgdir_view_is_copy(part), ==, 1);
    g_assert_cmpuint(stats_of(fix).revocations, ==,
                     page_by_page(data) ? 1 : 2);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 21);
    g_assert_cmpuint(stats_of(fix).mapped_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, 0);

    /* The guest recycles its pages; neither side sees the other's writes */
    for (i = 0; i < 20; i++) {
        g_assert_true(fake_grants_end(fix->f, refs[i]));
    }
    for (i = 0; i < 20; i++) {
        g_assert_cmpuint(load(p, i * PAGE), ==, i + 1);
    }
    g_assert_cmpuint(load(q, 0), ==, 4);
    store(q, 0, 4711);
    g_assert_cmpuint(load(p, 3 * PAGE), ==, 4);
    g_assert_cmpint(xen_pgdir_view_sync(view), ==, 0);
    g_assert_cmpuint(load(p, 0), ==, 1);

    xen_pgdir_view_unref(view);
    xen_pgdir_view_unref(part);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 1);
    g_assert_cmpuint(load(q, 0), ==, 4711);
    xen_pgdir_view_unref(part);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

static void test_view_outlives_all(Fixture *fix, gconstpointer data)
{
    uint32_t refs[20];
    XenPgdirBuffer *buffer = numbered_buffer(fix, 20, 0, refs);
    XenPgdirView *view;
    void *p;

    view = new_view(buffer, 0, 20 * PAGE, &p);
    g_assert_true(xen_pgdir_buffer_ref(buffer) == buffer);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, page_by_page(data));
    xen_pgdir_mapper_unref(g_steal_pointer(&fix->mapper));
    g_assert_cmpuint(fix->f->destroyed, ==, 0);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(fix->f->destroyed, ==, 0);
    g_assert_cmpuint(load(p, 19 * PAGE), ==, 20);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
}

/*
 * Invariant 3: nothing is shared or found by bare reference
 */

static void test_no_sharing(Fixture *fix, gconstpointer data)
{
    uint32_t refs[5];
    uint32_t dir = fake_grants_make_directory(fix->f, 5, refs);
    XenPgdirBuffer *one = new_buffer(fix, dir, 5 * PAGE, 0);
    XenPgdirBuffer *two = new_buffer(fix, dir, 5 * PAGE, 0);
    XenPgdirView *v, *w;
    uint64_t pages;
    void *p, *q;

    v = new_view(one, 0, 5 * PAGE, &p);
    pages = fix->f->mapped_pages;
    w = new_view(two, 0, 5 * PAGE, &q);
    g_assert_cmpuint(fix->f->mapped_pages, ==, pages + 5);
    g_assert_true(v != w && p != q);

    /* The end of one is nothing to the other */
    xen_pgdir_buffer_unref(one);
    g_assert_cmpint(xen_pgdir_view_is_copy(v), ==, 1);
    store(fake_grants_page(fix->f, refs[2]), 0, 4711);
    g_assert_cmpint(xen_pgdir_view_sync(w), ==, 0);
    g_assert_cmpuint(load(p, 2 * PAGE), ==, 0);
    g_assert_cmpuint(load(q, 2 * PAGE), ==, 4711);
    xen_pgdir_view_unref(v);
    xen_pgdir_view_unref(w);
    xen_pgdir_buffer_unref(two);
}

static void test_recycled_refs(Fixture *fix, gconstpointer data)
{
    uint32_t refs[8], again[8];
    uint32_t dir = fake_grants_make_directory(fix->f, 8, refs);
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint32_t i, j, found = 0;
    void *p;

    buffer = new_buffer(fix, dir, 8 * PAGE, 0);
    view = new_view(buffer, 0, 8 * PAGE, &p);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    g_assert_true(fake_grants_end_directory(fix->f, dir, 8));

    /* The same references come back, for other pages */
    dir = fake_grants_make_directory(fix->f, 8, again);
    for (i = 0; i < 8; i++) {
        store(fake_grants_page(fix->f, again[i]), 0, 100 + i);
        for (j = 0; j < 8; j++) {
            found += again[i] == refs[j];
        }
    }
    g_assert_cmpuint(found, >=, 7);
    buffer = new_buffer(fix, dir, 8 * PAGE, 0);
    view = new_view(buffer, 0, 8 * PAGE, &p);
    for (i = 0; i < 8; i++) {
        g_assert_cmpuint(load(p, i * PAGE), ==, 100 + i);
    }
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

/*
 * Invariant 4: read-only unless asked otherwise
 */

static void test_read_only(Fixture *fix, gconstpointer data)
{
    uint32_t refs[3], i;
    uint32_t dir;
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint8_t byte = 1;
    void *p;

    for (i = 0; i < 3; i++) {
        refs[i] = fake_grants_alloc(fix->f, false);
    }
    dir = fake_grants_build_directory(fix->f, refs, 3);
    buffer = new_buffer(fix, dir, 3 * PAGE, 0);
    view = new_view(buffer, 0, PAGE, &p);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==,
                    -EACCES);
    g_assert_cmpuint(fix->f->live_writable, ==, 0);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);

    /* What was granted read-only cannot be had otherwise */
    buffer = new_buffer(fix, dir, 3 * PAGE, XEN_PGDIR_WRITABLE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==,
                    -EINVAL);
    xen_pgdir_buffer_unref(buffer);

    dir = fake_grants_make_directory(fix->f, 3, refs);
    buffer = new_buffer(fix, dir, 3 * PAGE, XEN_PGDIR_WRITABLE);
    g_assert_cmpuint(fix->f->live_writable, ==, 0);
    view = new_view(buffer, PAGE, PAGE, &p);
    g_assert_cmpuint(fix->f->live_writable, ==, 1);
    store(p, 12, 4711);
    g_assert_cmpuint(load(fake_grants_page(fix->f, refs[1]), 12), ==, 4711);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_read_only_faults(void)
{
    Fixture fix;
    XenPgdirView *view;
    uint32_t refs[3];
    void *p;

    if (g_test_subprocess()) {
        set_up(&fix, NULL);
        view = new_view(numbered_buffer(&fix, 3, 0, refs), 0, 3 * PAGE, &p);
        g_assert_nonnull(view);
        g_printerr("about to write\n");
        store(p, PAGE, 0);
        g_printerr("has written\n");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*about to write*");
    g_test_trap_assert_stderr_unmatched("*has written*");
}

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} tests[] = {
    { "view/lazy", test_view_lazy },
    { "view/hit", test_view_hit },
    { "view/bounds", test_view_bounds },
    { "view/foreign", test_view_foreign },
    { "view/sync", test_view_sync },
    { "trim", test_trim },
    { "scatter/content", test_scatter },
    { "scatter/calls", test_scatter_calls },
    { "scatter/bad-neighbour", test_scatter_bad_neighbour },
    { "invariant-2/revoke-unpinned", test_revoke_unpinned },
    { "invariant-2/revoke-pinned", test_revoke_pinned },
    { "invariant-2/view-outlives-all", test_view_outlives_all },
    { "invariant-3/no-sharing", test_no_sharing },
    { "invariant-3/recycled-refs", test_recycled_refs },
    { "invariant-4/read-only", test_read_only },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        add_for_counts(tests[i].name, tests[i].func);
    }
    g_test_add_func("/xen/pgdir/scatter/pinned", test_scatter_pinned);
    g_test_add_func("/xen/pgdir/copied", test_copied);
    g_test_add_func("/xen/pgdir/invariant-4/read-only-faults",
                    test_read_only_faults);
    return g_test_run();
}
