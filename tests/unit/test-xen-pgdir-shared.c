/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of buffers that the host allocates and shares with the guest
 *
 * Each runs with grants mapped in one call and page by page: shared memory
 * is at one address in either case.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"

#define PAGE        XEN_PGDIR_PAGE_SIZE
#define BUDGET      3100

typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
} Fixture;

/* @data: references that one call may map */
static void set_up(Fixture *fix, gconstpointer data)
{
    XenPgdirConfig config = {
        sizeof(config), BUDGET, 3000, GPOINTER_TO_UINT(data)
    };

    fix->f = fake_grants_new(64);
    fix->f->max_count = config.max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, fix->f, &config,
                                         &fix->mapper), ==, 0);
}

static XenPgdirStats stats_of(Fixture *fix)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    return stats;
}

/* Nothing is mapped, and nothing but what the next buffer gets is shared */
static void check_idle(Fixture *fix)
{
    XenPgdirStats stats = stats_of(fix);

    g_assert_cmpuint(stats.buffers, ==, 0);
    g_assert_cmpuint(stats.mapped_pages, ==, 0);
    g_assert_cmpuint(stats.pinned_pages, ==, 0);
    g_assert_cmpuint(stats.copy_pages, ==, 0);
    g_assert_cmpuint(stats.shared_pages, ==, 0);
    g_assert_cmpuint(stats.lost, ==, 0);
    g_assert_cmpuint(stats.map_calls, ==, fix->f->map_calls);
    g_assert_cmpuint(stats.unmap_calls, ==, fix->f->unmap_calls);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(fix->f->shared_pages, ==, stats.kept_pages);
    g_assert_cmpuint(fix->f->share_calls - fix->f->unshare_calls, >=,
                     stats.mappings);
    g_assert_cmpuint(stats.kept_pages, <=, BUDGET);
    g_assert_cmpuint(stats.abandoned_pages, <=, BUDGET);
}

static void tear_down(Fixture *fix, gconstpointer data)
{
    check_idle(fix);
    xen_pgdir_mapper_unref(fix->mapper);
    g_assert_cmpuint(fix->f->shared_pages, ==, 0);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fake_grants_free(fix->f);
}

static uint32_t *dir_page(Fixture *fix, uint32_t gref)
{
    return fake_grants_page(fix->f, gref);
}

static XenPgdirBuffer *new_shared(Fixture *fix, uint32_t dir, uint64_t size)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, dir, size,
                                                0, &buffer), ==, 0);
    g_assert_nonnull(buffer);
    return buffer;
}

/* A buffer that must fail, and leave nothing behind */
static void refused(Fixture *fix, uint32_t dir, uint64_t size, int32_t err)
{
    uint64_t shared = fix->f->shared_pages;
    uint64_t in_use = stats_of(fix).shared_pages;
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, dir, size,
                                                0, &buffer), ==, err);
    g_assert_null(buffer);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(fix->f->shared_pages, ==, shared);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, in_use);
}

static bool is_zero(const uint32_t *words, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (words[i]) {
            return false;
        }
    }
    return true;
}

/* What the guest finds in page @index of the buffer that @dir describes */
static uint8_t *guest_page(Fixture *fix, uint32_t dir, uint32_t index)
{
    uint32_t *page = dir_page(fix, dir);

    for (; index >= XEN_PGDIR_REFS_PER_PAGE;
         index -= XEN_PGDIR_REFS_PER_PAGE) {
        page = dir_page(fix, page[0]);
    }
    return fake_grants_shared_page(fix->f, page[1 + index]);
}

static XenPgdirView *new_view(XenPgdirBuffer *buffer, uint32_t first,
                              uint32_t pages, uint8_t **data)
{
    XenPgdirView *view = NULL;
    void *p = NULL;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, (uint64_t)first * PAGE,
                                          (uint64_t)pages * PAGE, &view, &p),
                    ==, 0);
    *data = p;
    return view;
}

/*
 * The directory
 */

static void test_fill(Fixture *fix, gconstpointer data)
{
    static const uint32_t lengths[] = {
        3000, 2047, 2046, 1024, 1023, 1022, 2, 1
    };
    XenPgdirStats before, after;
    XenPgdirBuffer *buffer;
    uint32_t i, j, n, d, dir, *page;
    uint8_t *last = NULL;

    for (i = 0; i < ARRAY_SIZE(lengths); i++) {
        n = lengths[i];
        d = DIV_ROUND_UP(n, XEN_PGDIR_REFS_PER_PAGE);
        dir = fake_grants_link_directory(fix->f, n);
        before = stats_of(fix);
        buffer = new_shared(fix, dir, (uint64_t)n * PAGE - 5);
        after = stats_of(fix);
        g_assert_cmpuint(after.dir_pages - before.dir_pages, ==, d);
        g_assert_cmpuint(after.map_calls - before.map_calls, ==, d);
        g_assert_cmpuint(after.unmap_calls - before.unmap_calls, ==, d);
        g_assert_cmpuint(after.shared_pages, >=, n);
        g_assert_cmpuint(after.mapped_pages, ==, 0);
        g_assert_cmpuint(after.buffers, ==, 1);
        g_assert_cmpuint(fix->f->live_maps, ==, 0);
        g_assert_cmpuint(xen_pgdir_buffer_pages(buffer), ==, n);
        g_assert_cmpuint(xen_pgdir_buffer_size(buffer), ==,
                         (uint64_t)n * PAGE - 5);
        /* In the buffer's order, the guest's pages are all there */
        for (j = 0; j < n; j++) {
            uint8_t *at = guest_page(fix, dir, j);

            g_assert_nonnull(at);
            g_assert_true(j == 0 || at == last + PAGE);
            last = at;
        }
        /* What follows the last reference is as it was */
        page = dir_page(fix, dir);
        for (j = 1; j < d; j++) {
            page = dir_page(fix, page[0]);
        }
        n -= (d - 1) * XEN_PGDIR_REFS_PER_PAGE;
        g_assert_true(is_zero(page + 1 + n, XEN_PGDIR_REFS_PER_PAGE - n));
        g_assert_cmpuint(page[0], ==, 0);
        xen_pgdir_buffer_unref(buffer);
        g_assert_true(fake_grants_end_links(fix->f, dir, d));
    }
    /* The large one did for those of half its size, too */
    g_assert_cmpuint(fix->f->share_calls, <, ARRAY_SIZE(lengths));
    g_assert_cmpuint(fix->f->unshare_calls, ==, 0);
}

static void test_size(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 3000);
    XenPgdirBuffer *buffer;

    refused(fix, dir, 0, -EINVAL);
    refused(fix, dir, 3000ull * PAGE + 1, -E2BIG);
    refused(fix, dir, 1ull << 44, -E2BIG);
    refused(fix, dir, UINT64_MAX, -E2BIG);
    g_assert_cmpuint(fix->f->map_calls, ==, 0);

    /* The budget of shared pages; other buffers do not count in it */
    buffer = new_shared(fix, dir, 3000ull * PAGE);
    g_assert_cmpuint(xen_pgdir_mapper_full(fix->mapper), ==, 0);
    refused(fix, dir, (BUDGET - 3000ull) * PAGE + 1, -ENOSPC);
    g_assert_cmpuint(xen_pgdir_mapper_full(fix->mapper), ==,
                     XEN_PGDIR_FULL_PAGES);
    g_assert_cmpuint(fix->f->map_calls, ==, 3);
    xen_pgdir_buffer_unref(new_shared(fix, dir, (BUDGET - 3000ull) * PAGE));
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->share_calls, ==, 2);
}

/* A chain that is too short, leads nowhere, or may not be written */
static void test_short(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 3000);
    uint32_t *first = dir_page(fix, dir);
    uint32_t *second = dir_page(fix, first[0]);
    uint32_t readonly = fake_grants_alloc(fix->f, false);
    uint32_t last = second[0];

    refused(fix, 0, PAGE, -EINVAL);
    refused(fix, 0xffffffff, PAGE, -EINVAL);
    refused(fix, readonly, PAGE, -EINVAL);
    second[0] = 0;
    refused(fix, dir, 3000ull * PAGE, -EINVAL);
    second[0] = 0xffffffff;
    refused(fix, dir, 3000ull * PAGE, -EINVAL);
    second[0] = readonly;
    refused(fix, dir, 3000ull * PAGE, -EINVAL);
    /* Nothing was shared for them, and nothing was written */
    g_assert_cmpuint(fix->f->share_calls, ==, 0);
    g_assert_true(is_zero(first + 1, XEN_PGDIR_REFS_PER_PAGE));
    g_assert_true(is_zero(second + 1, XEN_PGDIR_REFS_PER_PAGE));

    second[0] = last;
    xen_pgdir_buffer_unref(new_shared(fix, dir, 3000ull * PAGE));
}

static void test_loop(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_alloc(fix->f, true);
    uint32_t *page = dir_page(fix, dir);
    XenPgdirBuffer *buffer;

    /* Its own loss: the last of what was written stays */
    page[0] = dir;
    buffer = new_shared(fix, dir, 3000ull * PAGE);
    g_assert_cmpuint(fix->f->map_calls, ==, 3);
    g_assert_cmpuint(page[0], ==, dir);
    g_assert_nonnull(fake_grants_shared_page(fix->f, page[1]));
    xen_pgdir_buffer_unref(buffer);
}

/* A guest that rewrites its links as soon as they are mapped, and later */
static void relink(FakeGrants *f, const uint32_t *refs, uint32_t count,
                   void *opaque)
{
    uint32_t dir = *(uint32_t *)opaque;

    *(uint32_t *)fake_grants_page(f, dir) = dir;
}

static void test_changing(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 1500);
    uint32_t second = dir_page(fix, dir)[0];
    XenPgdirBuffer *buffer;

    /* While the pages are shared: what was read once holds */
    fix->f->hook_opaque = &dir;
    fix->f->on_share = relink;
    buffer = new_shared(fix, dir, 1500ull * PAGE);
    fix->f->on_share = NULL;
    g_assert_nonnull(fake_grants_shared_page(fix->f,
                                             dir_page(fix, second)[1]));
    g_assert_cmpuint(dir_page(fix, dir)[0], ==, dir);
    xen_pgdir_buffer_unref(buffer);

    /* While it is mapped and before it is read: a loop */
    dir_page(fix, dir)[0] = second;
    memset(dir_page(fix, second), 0, PAGE);
    fix->f->on_map = relink;
    buffer = new_shared(fix, dir, 1500ull * PAGE);
    fix->f->on_map = NULL;
    g_assert_true(is_zero(dir_page(fix, second), XEN_PGDIR_REFS_PER_PAGE));
    xen_pgdir_buffer_unref(buffer);
}

/* The first reference is published when all pages are there */
static void check_unpublished(FakeGrants *f, const uint32_t *refs,
                              uint32_t count, void *opaque)
{
    uint32_t *page = fake_grants_page(f, *(uint32_t *)opaque);

    g_assert_true(is_zero(page + 1, XEN_PGDIR_REFS_PER_PAGE));
    page = fake_grants_page(f, page[0]);
    g_assert_true(is_zero(page + 1, XEN_PGDIR_REFS_PER_PAGE));
    g_assert_cmpuint(f->live_maps, ==, 2);
}

static void test_order(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 1500);

    fix->f->hook_opaque = &dir;
    fix->f->on_share = check_unpublished;
    xen_pgdir_buffer_unref(new_shared(fix, dir, 1500ull * PAGE));
    g_assert_cmpuint(fix->f->share_calls, ==, 1);
}

static void test_refused_anywhere(Fixture *fix, gconstpointer data)
{
    static const int32_t errors[] = { -EINVAL, -ENOMEM, -ENOSPC };
    uint32_t dir = fake_grants_link_directory(fix->f, 3000);
    uint32_t *page = dir_page(fix, dir);
    uint32_t i, n;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        for (n = 1; n <= 3; n++) {
            fake_grants_refuse(fix->f, n, errors[i]);
            refused(fix, dir, 3000ull * PAGE, errors[i]);
        }
        g_assert_true(is_zero(page + 1, XEN_PGDIR_REFS_PER_PAGE));
        fake_grants_refuse_share(fix->f, 1, errors[i]);
        refused(fix, dir, 3000ull * PAGE, errors[i]);
        g_assert_true(is_zero(page + 1, XEN_PGDIR_REFS_PER_PAGE));
        g_assert_cmpuint(xen_pgdir_mapper_full(fix->mapper), ==, 0);
    }
    fake_grants_refuse_share(fix->f, 1, 5);
    refused(fix, dir, PAGE, -EIO);
    xen_pgdir_buffer_unref(new_shared(fix, dir, 3000ull * PAGE));
}

static void test_no_operation(void)
{
    XenPgdirConfig config = { sizeof(config), 16, 16, 0 };
    XenPgdirGrantOps ops = fake_grants_ops;
    FakeGrants *f = fake_grants_new(1);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirMapper *mapper = NULL;

    ops.share = NULL;
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &config, &mapper), ==,
                    -EINVAL);
    ops.unshare = NULL;
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &config, &mapper), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, 8, PAGE, 0, &buffer),
                    ==, -EOPNOTSUPP);
    g_assert_null(buffer);
    g_assert_cmpuint(f->map_calls, ==, 0);
    xen_pgdir_mapper_unref(mapper);
    fake_grants_free(f);
}

/*
 * Views
 */

static void test_view(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 100);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 100 * PAGE);
    XenPgdirStats before = stats_of(fix), after;
    XenPgdirView *all, *part, *again;
    uint8_t *p, *q, *r;

    all = new_view(buffer, 0, 100, &p);
    part = new_view(buffer, 40, 10, &q);
    again = new_view(buffer, 40, 10, &r);
    g_assert_true(q == p + 40 * PAGE);
    g_assert_true(again == part && r == q);
    g_assert_cmpint(xen_pgdir_view_is_copy(all), ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(part), ==, 0);

    /* One memory, for both sides */
    g_assert_cmpuint(q[17], ==, 0);
    guest_page(fix, dir, 40)[17] = 0x5a;
    g_assert_cmpuint(q[17], ==, 0x5a);
    g_assert_cmpuint(p[40 * PAGE + 17], ==, 0x5a);
    p[99 * PAGE] = 0x77;
    g_assert_cmpuint(guest_page(fix, dir, 99)[0], ==, 0x77);
    g_assert_cmpint(xen_pgdir_view_sync(all), ==, 0);

    after = stats_of(fix);
    g_assert_cmpuint(after.map_calls, ==, before.map_calls);
    g_assert_cmpuint(after.mapped_pages, ==, 0);
    g_assert_cmpuint(after.pinned_pages, ==, 0);
    g_assert_cmpuint(after.copy_pages, ==, 0);
    g_assert_cmpuint(after.misses - before.misses, ==, 2);
    g_assert_cmpuint(after.hits - before.hits, ==, 1);
    xen_pgdir_view_unref(all);
    xen_pgdir_view_unref(part);
    xen_pgdir_view_unref(again);

    /* It is found again, and given up without harm */
    all = new_view(buffer, 0, 100, &r);
    g_assert_true(r == p);
    g_assert_cmpuint(stats_of(fix).misses, ==, after.misses);
    xen_pgdir_view_unref(all);
    xen_pgdir_mapper_trim(fix->mapper);
    g_assert_cmpuint(fix->f->unshare_calls, ==, 0);
    g_assert_cmpuint(p[99 * PAGE], ==, 0x77);
    xen_pgdir_buffer_unref(buffer);
}

/* Windows cost nothing: however many are held, none is refused */
static void test_many_views(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 200);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 200 * PAGE);
    XenPgdirView *views[200], *view;
    uint8_t *p, *first = NULL;
    uint32_t i;

    for (i = 0; i < 200; i++) {
        views[i] = new_view(buffer, i, 200 - i, &p);
        first = first ?: p;
        g_assert_true(p == first + i * PAGE);
    }
    for (i = 0; i < 200; i++) {
        xen_pgdir_view_unref(views[i]);
    }
    /* Of those that nobody holds only some are kept */
    for (i = 0; i < 200; i++) {
        view = new_view(buffer, 0, i + 1, &p);
        g_assert_true(p == first);
        xen_pgdir_view_unref(view);
    }
    g_assert_cmpuint(stats_of(fix).evictions, >, 100);
    xen_pgdir_buffer_unref(buffer);
}

static void test_scatter(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 100);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 100 * PAGE - 1);
    uint64_t calls = fix->f->map_calls;
    uint8_t bytes[3 * PAGE], back[3 * PAGE];
    uint32_t i;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i * 7 + i / 256;
    }
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 63 * PAGE + 11, bytes,
                                           sizeof(bytes)), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 63 * PAGE + 11, back,
                                          sizeof(back)), ==, 0);
    g_assert_cmpmem(bytes, sizeof(bytes), back, sizeof(back));
    g_assert_cmpmem(guest_page(fix, dir, 63) + 11, PAGE - 11, bytes,
                    PAGE - 11);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 99 * PAGE, bytes, PAGE),
                    ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 99 * PAGE + 1, bytes,
                                           PAGE), ==, -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 100 * PAGE, back, 1), ==,
                    -EINVAL);
    g_assert_cmpuint(fix->f->map_calls, ==, calls);
    xen_pgdir_buffer_unref(buffer);
}

/*
 * Revocation
 */

static void test_revoke(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 1500);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 1500ull * PAGE);
    XenPgdirView *view;
    uint8_t *p, byte;
    void *q;

    view = new_view(buffer, 7, 500, &p);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 1500);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 0);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 1500);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 1, &view, &q), ==,
                    -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==, -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==,
                    -ESTALE);
    xen_pgdir_buffer_unref(buffer);
}

/*
 * Views of pages that were never the guest's to take away: they stay what they
 * are, and as long as somebody looks no other buffer gets the pages.
 */
static void test_revoke_pinned(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 100);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 100 * PAGE);
    XenPgdirView *one, *two;
    uint8_t *p, *q, *r, *guest;

    guest = guest_page(fix, dir, 20);
    guest[5] = 21;
    one = new_view(buffer, 10, 20, &p);
    two = new_view(buffer, 20, 20, &q);
    xen_pgdir_view_unref(new_view(buffer, 0, 100, &r));
    g_assert_true(xen_pgdir_view_ref(two) == two);

    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, 100);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).copy_pages, ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(one), ==, 0);
    g_assert_cmpint(xen_pgdir_view_sync(one), ==, 0);
    g_assert_cmpuint(p[10 * PAGE + 5], ==, 21);
    g_assert_cmpuint(q[5], ==, 21);
    xen_pgdir_buffer_unref(buffer);

    /* The next buffer is another */
    buffer = new_shared(fix, dir, 100 * PAGE);
    g_assert_true(guest_page(fix, dir, 20) != guest);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 100);

    xen_pgdir_view_unref(one);
    xen_pgdir_view_unref(two);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 100);
    g_assert_cmpuint(q[5], ==, 21);
    xen_pgdir_view_unref(two);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 200);
    g_assert_cmpuint(fix->f->unshare_calls, ==, 0);
}

/*
 * Charge
 */

/* What a guest may keep mapped stays charged to it, and it gets it again */
static void test_kept(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 3000);
    XenPgdirBuffer *buffer = new_shared(fix, dir, 1000 * PAGE);
    uint32_t first = dir_page(fix, dir)[1];
    uint8_t *page = guest_page(fix, dir, 999);
    uint32_t i;

    for (i = 0; i < 100; i++) {
        page[0] = 42;
        xen_pgdir_buffer_unref(buffer);
        g_assert_cmpuint(page[0], ==, 42);
        buffer = new_shared(fix, dir, 1000 * PAGE - i);
        g_assert_cmpuint(dir_page(fix, dir)[1], ==, first);
        g_assert_true(guest_page(fix, dir, 999) == page);
        g_assert_cmpuint(page[0], ==, 0);
    }
    g_assert_cmpuint(fix->f->share_calls, ==, 1);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, 1000);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 0);

    /* Trimming is of what can be had again, and this could not */
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_trim(fix->mapper);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 1000);
    g_assert_cmpuint(stats_of(fix).mappings, ==, 1);
}

/*
 * A guest that keeps everything mapped and asks for other sizes each time: in
 * the end it has two budgets' worth of the host's pages, and no more
 */
static void test_hoard(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 3000);
    uint64_t ever = 0, kept_before, calls;
    XenPgdirBuffer *buffer;
    uint32_t i, refused = 0, size = 1;
    int32_t ret;

    for (i = 0; i < 2000; i++) {
        size = size * 1103515245u + 12345;
        kept_before = fix->f->shared_pages;
        calls = fix->f->share_calls;
        ret = xen_pgdir_buffer_new_shared(fix->mapper, dir,
                                          (1 + size / 65536 % 3000) * PAGE,
                                          0, &buffer);
        if (ret) {
            g_assert_cmpint(ret, ==, -ENOSPC);
            refused++;
            continue;
        }
        if (fix->f->share_calls > calls) {
            ever += 1 + size / 65536 % 3000;
        }
        g_assert_cmpuint(fix->f->shared_pages, <=, BUDGET);
        g_assert_cmpuint(kept_before, <=, BUDGET);
        xen_pgdir_buffer_unref(buffer);
    }
    g_assert_cmpuint(ever, <=, 2 * BUDGET);
    g_assert_cmpuint(ever, ==, stats_of(fix).kept_pages +
                     stats_of(fix).abandoned_pages);
    g_assert_cmpuint(refused, <, 2000);
    /* It can go on with what it has */
    xen_pgdir_buffer_unref(new_shared(fix, dir, PAGE));
}

/* A guest that changes its resolution, there and back, loses nothing by it */
static void test_modes(Fixture *fix, gconstpointer data)
{
    static const uint32_t pages[] = { 200, 512, 666, 312, 512, 200, 666 };
    uint32_t dirs[3], i, j;
    XenPgdirBuffer *buffers[3];

    for (j = 0; j < 3; j++) {
        dirs[j] = fake_grants_link_directory(fix->f, 1000);
    }
    for (i = 0; i < 20 * ARRAY_SIZE(pages); i++) {
        for (j = 0; j < 3; j++) {
            buffers[j] = new_shared(fix, dirs[j],
                                    pages[i % ARRAY_SIZE(pages)] * PAGE);
        }
        for (j = 0; j < 3; j++) {
            xen_pgdir_buffer_unref(buffers[j]);
        }
    }
    g_assert_cmpuint(stats_of(fix).abandoned_pages, <=, BUDGET);
}

/* Two buffers share nothing, not even through a directory of both */
static void test_two(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 10);
    XenPgdirBuffer *one = new_shared(fix, dir, 10 * PAGE);
    uint8_t *first = guest_page(fix, dir, 3);
    XenPgdirBuffer *two = new_shared(fix, dir, 10 * PAGE);
    uint8_t *second = guest_page(fix, dir, 3);
    uint8_t byte = 0;

    g_assert_true(first != second);
    first[0] = 1;
    second[0] = 2;
    g_assert_cmpint(xen_pgdir_buffer_read(one, 3 * PAGE, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 1);
    xen_pgdir_buffer_unref(one);
    g_assert_cmpint(xen_pgdir_buffer_read(two, 3 * PAGE, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 2);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, 10);
    xen_pgdir_buffer_unref(two);
}

static void test_view_outlives_all(void)
{
    Fixture fix;
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint8_t *p;

    set_up(&fix, NULL);
    buffer = new_shared(&fix, fake_grants_link_directory(fix.f, 10),
                        10 * PAGE);
    view = new_view(buffer, 2, 3, &p);
    p[2 * PAGE] = 42;
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(fix.mapper);
    g_assert_cmpuint(fix.f->shared_pages, ==, 10);
    g_assert_cmpuint(fix.f->destroyed, ==, 0);
    g_assert_cmpuint(p[2 * PAGE], ==, 42);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(fix.f->destroyed, ==, 1);
    fake_grants_free(fix.f);
}

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} tests[] = {
    { "fill", test_fill },
    { "size", test_size },
    { "short", test_short },
    { "loop", test_loop },
    { "changing", test_changing },
    { "order", test_order },
    { "refused-anywhere", test_refused_anywhere },
    { "view", test_view },
    { "many-views", test_many_views },
    { "scatter", test_scatter },
    { "invariant-2/revoke", test_revoke },
    { "invariant-2/revoke-pinned", test_revoke_pinned },
    { "invariant-3/two", test_two },
    { "charge/kept", test_kept },
    { "charge/hoard", test_hoard },
    { "charge/modes", test_modes },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        FAKE_GRANTS_ADD_TEST("/xen/pgdir-shared", tests[i].name, Fixture,
                             set_up, tests[i].func, tear_down);
    }
    g_test_add_func("/xen/pgdir-shared/no-operation", test_no_operation);
    g_test_add_func("/xen/pgdir-shared/invariant-2/view-outlives-all",
                    test_view_outlives_all);
    return g_test_run();
}
