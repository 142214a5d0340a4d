/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of page directories: the walk, windows, revocation
 *
 * Tests of views run with grants mapped in one call, page by page, and in
 * calls of seven: the same must hold for all of them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"
#include "faults.h"

#define PAGE XEN_PGDIR_PAGE_SIZE

typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
} Fixture;

static XenPgdirMapper *new_mapper(FakeGrants *f, uint32_t max_pages,
                                  uint32_t max_buffer_pages,
                                  uint32_t max_map_count)
{
    XenPgdirConfig config = {
        sizeof(config), max_pages, max_buffer_pages, max_map_count
    };
    XenPgdirMapper *mapper = NULL;

    f->max_count = max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, f, &config,
                                         &mapper), ==, 0);
    g_assert_nonnull(mapper);
    return mapper;
}

/* @data: references that one call may map */
static void set_up(Fixture *fix, gconstpointer data)
{
    fix->f = fake_grants_new(4096);
    fix->mapper = new_mapper(fix->f, 4096, 4096, GPOINTER_TO_UINT(data));
}

/* Whatever a test did, nothing may be left */
static void tear_down(Fixture *fix, gconstpointer data)
{
    XenPgdirStats stats;

    if (fix->mapper) {
        xen_pgdir_mapper_trim(fix->mapper);
        xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
        g_assert_cmpuint(stats.buffers, ==, 0);
        g_assert_cmpuint(stats.mapped_pages, ==, 0);
        g_assert_cmpuint(stats.pinned_pages, ==, 0);
        g_assert_cmpuint(stats.copy_pages, ==, 0);
        g_assert_cmpuint(stats.map_calls, ==, fix->f->map_calls);
        g_assert_cmpuint(stats.unmap_calls, ==, fix->f->unmap_calls);
        g_assert_cmpuint(stats.failures, ==, fix->f->refused);
        g_assert_cmpuint(stats.lost, ==, 0);
        xen_pgdir_mapper_unref(fix->mapper);
    }
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fake_grants_free(fix->f);
}

static bool page_by_page(gconstpointer data)
{
    return GPOINTER_TO_UINT(data) != 0;
}

static XenPgdirStats stats_of(Fixture *fix)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    return stats;
}

static int32_t try_buffer(Fixture *fix, uint32_t dir, uint64_t size)
{
    XenPgdirBuffer *buffer = NULL;
    int32_t ret = xen_pgdir_buffer_new(fix->mapper, dir, size, 0, &buffer);

    g_assert_cmpint(ret == 0, ==, buffer != NULL);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    return ret;
}

static XenPgdirBuffer *new_buffer(Fixture *fix, uint32_t dir, uint64_t size,
                                  uint32_t flags)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, size, flags,
                                         &buffer), ==, 0);
    g_assert_nonnull(buffer);
    return buffer;
}

/* A buffer of @pages pages whose page i starts with the number i + 1 */
static XenPgdirBuffer *numbered_buffer(Fixture *fix, uint32_t pages,
                                       uint32_t flags, uint32_t *refs)
{
    uint32_t dir = fake_grants_make_directory(fix->f, pages, refs);
    uint32_t i, number;

    for (i = 0; i < pages; i++) {
        number = i + 1;
        memcpy(fake_grants_page(fix->f, refs[i]), &number, sizeof(number));
    }
    return new_buffer(fix, dir, (uint64_t)pages * PAGE, flags);
}

static XenPgdirView *new_view(XenPgdirBuffer *buffer, uint64_t offset,
                              uint64_t length, void **data)
{
    XenPgdirView *view = NULL;

    *data = NULL;
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, offset, length, &view,
                                          data), ==, 0);
    g_assert_nonnull(view);
    g_assert_nonnull(*data);
    return view;
}

static uint32_t load(const void *data, uint64_t offset)
{
    uint32_t value;

    memcpy(&value, (const uint8_t *)data + offset, sizeof(value));
    return value;
}

static void store(void *data, uint64_t offset, uint32_t value)
{
    memcpy((uint8_t *)data + offset, &value, sizeof(value));
}

static uint32_t *dir_page(Fixture *fix, uint32_t gref)
{
    return fake_grants_page(fix->f, gref);
}

/*
 * The mapper
 */

static void test_mapper_errors(void)
{
    FakeGrants *f = fake_grants_new(1);
    XenPgdirConfig good = { sizeof(good), 1, 1, 0 };
    XenPgdirConfig no_pages = { sizeof(no_pages), 0, 1, 0 };
    XenPgdirConfig no_buffers = { sizeof(no_buffers), 1, 0, 0 };
    XenPgdirGrantOps ops = fake_grants_ops;
    XenPgdirMapper *mapper = NULL;

    g_assert_cmpuint(xen_pgdir_abi_version(), ==, XEN_PGDIR_ABI_VERSION);
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &no_pages, &mapper), ==,
                    -EINVAL);
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &no_buffers, &mapper), ==,
                    -EINVAL);
    ops.map = NULL;
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &good, &mapper), ==,
                    -EINVAL);
    ops = fake_grants_ops;
    ops.unmap = NULL;
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &good, &mapper), ==,
                    -EINVAL);
    g_assert_null(mapper);
    g_assert_cmpuint(f->destroyed, ==, 0);

    ops = fake_grants_ops;
    ops.destroy = NULL;
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &good, &mapper), ==, 0);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(f->destroyed, ==, 0);

    xen_pgdir_mapper_unref(NULL);
    xen_pgdir_buffer_unref(NULL);
    xen_pgdir_view_unref(NULL);
    fake_grants_free(f);
}

static void test_mapper_refs(void)
{
    FakeGrants *f = fake_grants_new(1);
    XenPgdirMapper *mapper = new_mapper(f, 1, 1, 0);

    g_assert_true(xen_pgdir_mapper_ref(mapper) == mapper);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(f->destroyed, ==, 0);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(f->destroyed, ==, 1);
    fake_grants_free(f);
}

/*
 * The walk
 */

static void test_walk_length(Fixture *fix, gconstpointer data)
{
    static const uint32_t lengths[] = {
        1, 2, 1022, 1023, 1024, 1025, 2045, 2046, 2047, 3069, 3070
    };
    g_autofree uint32_t *refs = g_new(uint32_t, 4096);
    XenPgdirStats before, after;
    XenPgdirBuffer *buffer;
    uint32_t i, j, n, d, dir, got;

    for (i = 0; i < ARRAY_SIZE(lengths); i++) {
        n = lengths[i];
        d = DIV_ROUND_UP(n, XEN_PGDIR_REFS_PER_PAGE);
        dir = fake_grants_make_directory(fix->f, n, refs);
        for (j = 0; j < n; j++) {
            store(fake_grants_page(fix->f, refs[j]), 8, j);
        }
        before = stats_of(fix);
        buffer = new_buffer(fix, dir, (uint64_t)n * PAGE - 5, 0);
        after = stats_of(fix);
        g_assert_cmpuint(after.dir_pages - before.dir_pages, ==, d);
        g_assert_cmpuint(after.map_calls - before.map_calls, ==, d);
        g_assert_cmpuint(after.unmap_calls - before.unmap_calls, ==, d);
        g_assert_cmpuint(after.mapped_pages, ==, 0);
        g_assert_cmpuint(after.buffers, ==, 1);
        g_assert_cmpuint(fix->f->live_maps, ==, 0);
        g_assert_cmpuint(xen_pgdir_buffer_pages(buffer), ==, n);
        g_assert_cmpuint(xen_pgdir_buffer_size(buffer), ==,
                         (uint64_t)n * PAGE - 5);
        for (j = 0; j < n; j++) {
            g_assert_cmpint(xen_pgdir_buffer_read(buffer,
                                                  (uint64_t)j * PAGE + 8,
                                                  &got, sizeof(got)), ==, 0);
            g_assert_cmpuint(got, ==, j);
        }
        xen_pgdir_buffer_unref(buffer);
        g_assert_true(fake_grants_end_directory(fix->f, dir, n));
    }
}

static void test_walk_ignores_the_rest(Fixture *fix, gconstpointer data)
{
    uint32_t refs[3];
    uint32_t dir = fake_grants_make_directory(fix->f, 3, refs);
    uint32_t *page = dir_page(fix, dir);

    /* Neither the link of the last page nor what follows the last entry */
    page[0] = 0xffffffff;
    page[4] = 0xffffffff;
    g_assert_cmpint(try_buffer(fix, dir, 3 * PAGE), ==, 0);
    g_assert_cmpint(try_buffer(fix, dir, 2 * PAGE + 1), ==, 0);
    g_assert_cmpint(try_buffer(fix, dir, 1), ==, 0);
    g_assert_cmpuint(stats_of(fix).dir_pages, ==, 3);
}

static void test_walk_zero(Fixture *fix, gconstpointer data)
{
    uint32_t refs[1025];
    uint32_t dir = fake_grants_make_directory(fix->f, 1025, refs);
    uint32_t *page = dir_page(fix, dir);
    uint32_t *second = dir_page(fix, page[0]);
    uint32_t next = page[0];

    g_assert_cmpint(try_buffer(fix, 0, PAGE), ==, -EINVAL);
    g_assert_cmpuint(fix->f->map_calls, ==, 0);
    /* One data reference too few, on the second page */
    g_assert_cmpint(try_buffer(fix, dir, 1026 * PAGE), ==, -EINVAL);
    second[1] = 0;
    g_assert_cmpint(try_buffer(fix, dir, 1025 * PAGE), ==, -EINVAL);
    g_assert_cmpint(try_buffer(fix, dir, 1023 * PAGE), ==, 0);
    page[1023] = 0;
    g_assert_cmpint(try_buffer(fix, dir, 1023 * PAGE), ==, -EINVAL);
    g_assert_cmpint(try_buffer(fix, dir, 1022 * PAGE), ==, 0);
    page[1023] = refs[1022];
    second[1] = refs[1023];
    /* The chain ends early */
    page[0] = 0;
    g_assert_cmpint(try_buffer(fix, dir, 1024 * PAGE), ==, -EINVAL);
    page[0] = next;
    g_assert_cmpint(try_buffer(fix, dir, 1024 * PAGE), ==, 0);
    g_assert_cmpuint(stats_of(fix).buffers, ==, 0);
}

static void test_walk_loop(Fixture *fix, gconstpointer data)
{
    XenPgdirMapper *mapper = new_mapper(fix->f, 16, 1 << 20, 0);
    uint32_t gref = fake_grants_alloc(fix->f, true);
    uint32_t dir = fake_grants_alloc(fix->f, true);
    uint32_t *page = dir_page(fix, dir);
    XenPgdirBuffer *buffer;
    uint32_t i, got;

    xen_pgdir_mapper_unref(fix->mapper);
    fix->f->destroyed = 0;
    fix->mapper = mapper;

    /* A page that links to itself, and names one data page all over */
    page[0] = dir;
    for (i = 1; i <= XEN_PGDIR_REFS_PER_PAGE; i++) {
        page[i] = gref;
    }
    store(fake_grants_page(fix->f, gref), 0, 0x12345678);

    /* 2^32 bytes need 1026 pages of directory, and no more are followed */
    buffer = new_buffer(fix, dir, 1ull << 32, 0);
    g_assert_cmpuint(fix->f->map_calls, ==, 1026);
    g_assert_cmpuint(xen_pgdir_buffer_pages(buffer), ==, 1 << 20);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, (1ull << 32) - PAGE, &got,
                                          sizeof(got)), ==, 0);
    g_assert_cmpuint(got, ==, 0x12345678);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, (1ull << 32) - 2, &got,
                                          sizeof(got)), ==, -EINVAL);
    xen_pgdir_buffer_unref(buffer);

    g_assert_cmpint(try_buffer(fix, dir, (1ull << 32) - 1), ==, 0);
    g_assert_cmpint(try_buffer(fix, dir, (1ull << 32) + 1), ==, -E2BIG);
}

static void test_walk_size(Fixture *fix, gconstpointer data)
{
    static const uint64_t too_big[] = {
        4096ull * PAGE + 1, 1ull << 32, (1ull << 32) + 1, 1ull << 44,
        (1ull << 44) + 1, 1ull << 63, UINT64_MAX - PAGE,
        UINT64_MAX - PAGE + 1, UINT64_MAX - PAGE + 2, UINT64_MAX
    };
    XenPgdirConfig config = { sizeof(config), 1, UINT32_MAX, 0 };
    uint32_t dir = fake_grants_make_directory(fix->f, 1, NULL);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirMapper *huge;
    uint32_t i;

    g_assert_cmpint(try_buffer(fix, dir, 0), ==, -EINVAL);
    for (i = 0; i < ARRAY_SIZE(too_big); i++) {
        g_assert_cmpint(try_buffer(fix, dir, too_big[i]), ==, -E2BIG);
    }
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, fix->f, &config,
                                         &huge), ==, 0);
    for (i = 3; i < ARRAY_SIZE(too_big); i++) {
        g_assert_cmpint(xen_pgdir_buffer_new(huge, dir, too_big[i], 0,
                                             &buffer), ==, -E2BIG);
    }
    xen_pgdir_mapper_unref(huge);
    fix->f->destroyed = 0;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, PAGE, 2, &buffer),
                    ==, -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, PAGE, 0x80000001,
                                         &buffer), ==, -EINVAL);
    g_assert_null(buffer);
    /* All of that was refused unseen */
    g_assert_cmpuint(fix->f->map_calls, ==, 0);
    /* The largest allowed size is looked at; this directory is too short */
    g_assert_cmpint(try_buffer(fix, dir, 4096ull * PAGE), ==, -EINVAL);
}

static void test_walk_foreign(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(fix->f, 2000, NULL);
    uint32_t *page = dir_page(fix, dir);

    g_assert_cmpint(try_buffer(fix, 0xffffffff, PAGE), ==, -EINVAL);
    fake_grants_refuse_ref(fix->f, dir, -EPERM);
    g_assert_cmpint(try_buffer(fix, dir, 2000 * PAGE), ==, -EPERM);
    fake_grants_refuse_ref(fix->f, dir, 0);
    fake_grants_refuse_ref(fix->f, page[0], -ENOMEM);
    g_assert_cmpint(try_buffer(fix, dir, 2000 * PAGE), ==, -ENOMEM);
    fake_grants_refuse_ref(fix->f, page[0], 0);
    g_assert_cmpint(try_buffer(fix, dir, 2000 * PAGE), ==, 0);
    page[0] = 0xffffffff;
    g_assert_cmpint(try_buffer(fix, dir, 2000 * PAGE), ==, -EINVAL);
    g_assert_cmpint(try_buffer(fix, dir, 1023 * PAGE), ==, 0);
}

/* A guest that rewrites its directory page each time it is unmapped */
static void scribble(FakeGrants *f, const uint32_t *refs, uint32_t count,
                     void *opaque)
{
    memset(fake_grants_page(f, refs[0]), 0, PAGE);
    ++*(uint32_t *)opaque;
}

static void test_walk_changing(Fixture *fix, gconstpointer data)
{
    uint32_t refs[1500];
    uint32_t scribbled = 0, got;
    uint32_t dir = fake_grants_make_directory(fix->f, 1500, refs);
    XenPgdirBuffer *buffer;

    store(fake_grants_page(fix->f, refs[1499]), 0, 99);
    fix->f->on_unmap = scribble;
    fix->f->hook_opaque = &scribbled;
    buffer = new_buffer(fix, dir, 1500 * PAGE, 0);
    fix->f->on_unmap = NULL;
    g_assert_cmpuint(scribbled, ==, 2);
    /* What was copied counts; the directory is never looked at again */
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 1499 * PAGE, &got,
                                          sizeof(got)), ==, 0);
    g_assert_cmpuint(got, ==, 99);
    xen_pgdir_buffer_unref(buffer);

    /* Rewritten between the map and the copy: the zeroes are found */
    dir = fake_grants_make_directory(fix->f, 2, refs);
    fix->f->on_map = scribble;
    g_assert_cmpint(try_buffer(fix, dir, 2 * PAGE), ==, -EINVAL);
    fix->f->on_map = NULL;
}

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

    /* Another window is another extent */
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

/*
 * Invariant 2: a mapping never outlives its object
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

/*
 * Invariant 7: an operation that fails is reported, and leaves nothing behind
 */

#define FAULT_PAGES_EACH 1100

/* @dir describes pages that start with their number, @links waits for some */
typedef struct Cycle {
    Fixture *fix;
    uint32_t dir;
    uint32_t links;
    bool faulty;
} Cycle;

/* A result that may be: success comes with an object, failure without */
static void check_result(const Cycle *c, int32_t ret, const void *object)
{
    g_assert_true(ret == 0 ||
                  (c->faulty && (ret == -EINVAL || ret == -ENOMEM)));
    g_assert_cmpint(ret == 0, ==, object != NULL);
}

static XenPgdirView *cycle_view(const Cycle *c, XenPgdirBuffer *buffer,
                                uint32_t first, uint32_t pages, void **p)
{
    uint64_t pinned = stats_of(c->fix).pinned_pages;
    uint64_t copied = stats_of(c->fix).copy_pages;
    XenPgdirView *view = NULL;
    int32_t ret;

    ret = xen_pgdir_buffer_view(buffer, (uint64_t)first * PAGE,
                                (uint64_t)pages * PAGE, &view, p);
    check_result(c, ret, view);
    if (!view) {
        g_assert_cmpuint(stats_of(c->fix).pinned_pages, ==, pinned);
        g_assert_cmpuint(stats_of(c->fix).copy_pages, <=, copied);
    }
    return view;
}

/* What a view shows; without memory for a copy, revocation leaves zeroes */
static void check_numbers(const Cycle *c, const void *p, uint32_t first,
                          uint32_t pages, bool revoked)
{
    uint32_t i, n;

    for (i = 0; i < pages; i++) {
        n = load(p, i * PAGE);
        g_assert_true(n == first + i + 1 ||
                      (c->faulty && revoked && n == 0));
    }
}

static void cycle_own(const Cycle *c)
{
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *v, *w;
    uint8_t bytes[100] = { 0 }, back[100];
    void *p, *q;
    int32_t ret;

    ret = xen_pgdir_buffer_new(c->fix->mapper, c->dir,
                               (uint64_t)FAULT_PAGES_EACH * PAGE,
                               XEN_PGDIR_WRITABLE, &buffer);
    check_result(c, ret, buffer);
    if (!buffer) {
        return;
    }
    v = cycle_view(c, buffer, 0, 20, &p);
    w = cycle_view(c, buffer, 1090, 10, &q);
    memset(bytes, g_test_rand_int(), sizeof(bytes));
    ret = xen_pgdir_buffer_write(buffer, 64 * PAGE - 50, bytes + 4, 50);
    check_result(c, ret, ret ? NULL : bytes);
    if (ret == 0) {
        ret = xen_pgdir_buffer_read(buffer, 64 * PAGE - 50, back, 50);
        check_result(c, ret, ret ? NULL : bytes);
        if (ret == 0) {
            g_assert_cmpmem(bytes + 4, 50, back, 50);
        }
    }
    if (v) {
        ret = xen_pgdir_view_sync(v);
        check_result(c, ret, ret ? NULL : v);
        check_numbers(c, p, 0, 20, false);
    }
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(c->fix->f->live_maps, ==, 0);
    if (v) {
        check_numbers(c, p, 0, 20, true);
    }
    if (w) {
        check_numbers(c, q, 1090, 10, true);
    }
    xen_pgdir_view_unref(v);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(w);
}

static void cycle_shared(const Cycle *c)
{
    uint32_t *links = dir_page(c->fix, c->links);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view;
    int32_t ret;
    void *p;

    memset(links + 1, 0, PAGE - sizeof(*links));
    ret = xen_pgdir_buffer_new_shared(c->fix->mapper, c->links,
                                      (uint64_t)FAULT_PAGES_EACH * PAGE,
                                      0, &buffer);
    check_result(c, ret, buffer);
    if (!buffer) {
        /* The guest sees all of it or nothing */
        g_assert_cmpuint(links[1], ==, 0);
        g_assert_cmpuint(c->fix->f->shared_pages, ==, 0);
        return;
    }
    view = cycle_view(c, buffer, 5, 50, &p);
    g_assert_nonnull(view);
    store(p, 0, 4711);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(load(p, 0), ==, 4711);
    xen_pgdir_view_unref(view);
}

static void cycle(void *opaque, bool faulty)
{
    Cycle *c = opaque;

    c->faulty = faulty;
    cycle_own(c);
    cycle_shared(c);
    g_assert_cmpuint(stats_of(c->fix).buffers, ==, 0);
    g_assert_cmpuint(stats_of(c->fix).mapped_pages, ==, 0);
    g_assert_cmpuint(stats_of(c->fix).copy_pages, ==, 0);
    g_assert_cmpuint(stats_of(c->fix).shared_pages, ==, 0);

    /* The next one has to share anew */
    xen_pgdir_mapper_unref(c->fix->mapper);
    c->fix->f->map_calls = 0;
    c->fix->f->unmap_calls = 0;
    c->fix->f->refused = 0;
    g_assert_cmpuint(c->fix->f->shared_pages, ==, 0);
    g_assert_cmpuint(c->fix->f->destroyed, ==, 1);
    c->fix->f->destroyed = 0;
    c->fix->mapper = new_mapper(c->fix->f, 4096, 4096,
                                c->fix->f->max_count);
}

static void test_faults_in_turn(Fixture *fix, gconstpointer data)
{
    g_autofree uint32_t *refs = g_new(uint32_t, FAULT_PAGES_EACH);
    Cycle c = { .fix = fix };
    uint32_t i;

    c.dir = fake_grants_make_directory(fix->f, FAULT_PAGES_EACH, refs);
    for (i = 0; i < FAULT_PAGES_EACH; i++) {
        store(fake_grants_page(fix->f, refs[i]), 0, i + 1);
    }
    c.links = fake_grants_link_directory(fix->f, FAULT_PAGES_EACH);
    /* Two directories, three windows and more; share; references; copies */
    g_assert_cmpuint(faults_in_turn(fix->f, "buffers", cycle, &c), >=, 20);
}

/*
 * Budgets that are used up by what is pinned
 */

/* A buffer of @pages numbered pages, and its references */
static XenPgdirBuffer *numbered(FakeGrants *f, XenPgdirMapper *mapper,
                                uint32_t pages, uint32_t flags,
                                uint32_t *refs)
{
    uint32_t dir = fake_grants_make_directory(f, pages, refs);
    XenPgdirBuffer *buffer = NULL;
    uint32_t i;

    for (i = 0; i < pages; i++) {
        store(fake_grants_page(f, refs[i]), 0, i + 1);
    }
    g_assert_cmpint(xen_pgdir_buffer_new(mapper, dir, (uint64_t)pages * PAGE,
                                         flags, &buffer), ==, 0);
    return buffer;
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

/* Each mapping is counted, whatever it is; the idle ones make room */
static void test_mappings(gconstpointer data)
{
    XenPgdirConfig config = {
        sizeof(config), 512, 512, GPOINTER_TO_UINT(data), 8
    };
    FakeGrants *f = fake_grants_new(512);
    XenPgdirView *views[8], *view;
    XenPgdirMapper *mapper;
    XenPgdirStats stats;
    XenPgdirBuffer *buffer;
    uint32_t refs[400], i;
    void *p;

    f->max_count = config.max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, f, &config,
                                         &mapper), ==, 0);
    buffer = numbered(f, mapper, 400, 0, refs);
    for (i = 0; i < 390; i++) {
        g_assert_cmpint(xen_pgdir_buffer_view(buffer, i * PAGE, 9 * PAGE,
                                              &view, &p), ==, 0);
        g_assert_cmpuint(load(p, 8 * PAGE), ==, i + 9);
        xen_pgdir_view_unref(view);
        xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
        g_assert_cmpuint(stats.mappings, <=, 8);
        g_assert_cmpuint(f->max_live_maps, <=, 8);
    }
    g_assert_cmpuint(stats.mappings, ==, 8);

    /* Pinned ones are not given up; the copy of one takes a page at a time */
    for (i = 0; i < 7; i++) {
        g_assert_cmpint(xen_pgdir_buffer_view(buffer, i * PAGE, 9 * PAGE,
                                              &views[i], &p), ==, 0);
    }
    xen_pgdir_buffer_view(buffer, 300 * PAGE, PAGE, &views[7], &p);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 310 * PAGE, PAGE, &view,
                                          &p), ==, -ENOSPC);
    g_assert_cmpuint(xen_pgdir_mapper_full(mapper), ==,
                     XEN_PGDIR_FULL_MAPPINGS);
    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.mappings, ==, 8);

    /* What is left of revoked ones counts until nobody holds it */
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.mappings, ==, 8);
    g_assert_cmpuint(f->live_maps, ==, 0);
    for (i = 0; i < 8; i++) {
        xen_pgdir_view_unref(views[i]);
    }
    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.mappings, ==, 0);
    xen_pgdir_mapper_unref(mapper);
    fake_grants_free(f);
}

/* Somebody's mmap() in the very instant in which an address is free */
static void take_address(FakeGrants *f, void *addr, uint32_t count,
                         void *opaque)
{
    *(void **)opaque = mmap(addr, (size_t)count * PAGE, PROT_READ,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
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

/* Where addresses cannot be kept in one go, they are found again, or not */
static void test_lost(void)
{
    FakeGrants *f = fake_grants_new(64);
    XenPgdirMapper *mapper = new_mapper(f, 64, 64, 0);
    uint32_t refs[10], i;
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    void *p, *taken = NULL;

    for (i = 0; i < 4; i++) {
        buffer = numbered(f, mapper, 10, 0, refs);
        g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 10 * PAGE, &view,
                                              &p), ==, 0);
        g_assert_cmpint(xen_pgdir_view_is_lost(view), ==, 0);
        /* It could not be done; or half of it was */
        fake_grants_refuse_replace(f, 1, i % 2 ? 1 : -ENOMEM);
        f->on_unmapped = i < 2 ? NULL : take_address;
        f->unmapped_opaque = &taken;
        xen_pgdir_buffer_unref(buffer);
        f->on_unmapped = NULL;
        g_assert_cmpuint(f->live_maps, ==, 0);
        g_assert_cmpint(xen_pgdir_view_is_lost(view), ==, i >= 2);
        g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 1);
        if (i < 2) {
            g_assert_cmpuint(load(p, 9 * PAGE), ==, 10);
        } else {
            g_assert_true(taken == p);
            munmap(taken, 10 * PAGE);
        }
        xen_pgdir_view_unref(view);
    }
    xen_pgdir_mapper_unref(mapper);
    fake_grants_free(f);
}

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} walk_tests[] = {
    { "length", test_walk_length },
    { "ignores-the-rest", test_walk_ignores_the_rest },
    { "zero", test_walk_zero },
    { "loop", test_walk_loop },
    { "size", test_walk_size },
    { "foreign", test_walk_foreign },
    { "changing", test_walk_changing },
}, view_tests[] = {
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
    { "invariant-7/faults-in-turn", test_faults_in_turn },
};

int main(int argc, char **argv)
{
    /* Invariant 6: the same code, however many grants one call may map */
    static const uint32_t counts[] = { 0, 1, 7 };
    uint32_t i, j;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/pgdir/mapper/errors", test_mapper_errors);
    g_test_add_func("/xen/pgdir/mapper/refs", test_mapper_refs);
    for (i = 0; i < ARRAY_SIZE(walk_tests); i++) {
        g_autofree char *path = g_strdup_printf("/xen/pgdir/walk/%s",
                                                walk_tests[i].name);

        g_test_add(path, Fixture, NULL, set_up, walk_tests[i].func,
                   tear_down);
    }
    for (i = 0; i < ARRAY_SIZE(counts) * ARRAY_SIZE(view_tests); i++) {
        g_autofree char *path = NULL;

        j = i % ARRAY_SIZE(view_tests);
        path = g_strdup_printf("/xen/pgdir/invariant-6/%u/%s",
                               counts[i / ARRAY_SIZE(view_tests)],
                               view_tests[j].name);
        g_test_add(path, Fixture,
                   GUINT_TO_POINTER(counts[i / ARRAY_SIZE(view_tests)]),
                   set_up, view_tests[j].func, tear_down);
    }
    g_test_add_func("/xen/pgdir/scatter/pinned", test_scatter_pinned);
    g_test_add_data_func("/xen/pgdir/mappings/at-once", NULL, test_mappings);
    g_test_add_data_func("/xen/pgdir/mappings/page-by-page",
                         GUINT_TO_POINTER(1), test_mappings);
    g_test_add_func("/xen/pgdir/copied", test_copied);
    g_test_add_func("/xen/pgdir/lost", test_lost);
    g_test_add_func("/xen/pgdir/invariant-4/read-only-faults",
                    test_read_only_faults);
    return g_test_run();
}
