/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of page directories: mappers, and the walk
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-fixture.h"

static int32_t try_buffer(Fixture *fix, uint32_t dir, uint64_t size)
{
    XenPgdirBuffer *buffer = NULL;
    int32_t ret = xen_pgdir_buffer_new(fix->mapper, dir, size, 0, &buffer);

    g_assert_cmpint(ret == 0, ==, buffer != NULL);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    return ret;
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

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} tests[] = {
    { "length", test_walk_length },
    { "ignores-the-rest", test_walk_ignores_the_rest },
    { "zero", test_walk_zero },
    { "loop", test_walk_loop },
    { "size", test_walk_size },
    { "foreign", test_walk_foreign },
    { "changing", test_walk_changing },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/pgdir/mapper/errors", test_mapper_errors);
    g_test_add_func("/xen/pgdir/mapper/refs", test_mapper_refs);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("/xen/pgdir/walk/%s",
                                                tests[i].name);

        g_test_add(path, Fixture, NULL, set_up, tests[i].func, tear_down);
    }
    return g_test_run();
}
