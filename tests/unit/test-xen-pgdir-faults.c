/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of page directories: operations that fail, mappings that run out,
 * and addresses that are lost
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-fixture.h"
#include "faults.h"

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
 * Mappings
 */

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_for_counts("invariant-7/faults-in-turn", test_faults_in_turn);
    g_test_add_data_func("/xen/pgdir/mappings/at-once", NULL, test_mappings);
    g_test_add_data_func("/xen/pgdir/mappings/page-by-page",
                         GUINT_TO_POINTER(1), test_mappings);
    g_test_add_func("/xen/pgdir/lost", test_lost);
    return g_test_run();
}
