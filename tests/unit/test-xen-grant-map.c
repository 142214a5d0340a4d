/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of the map cache: keys, budget, eviction, detached views
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include "../../hw/xen/pgdir/grant-map.h"
#include "fake-grants.h"
#include "faults.h"

#define PAGE XEN_PGDIR_PAGE_SIZE

typedef struct Cache {
    FakeGrants *f;
    XenPgdirMapper *mapper;
} Cache;

static void cache_init(Cache *c, const XenPgdirGrantOps *ops,
                       uint32_t max_pages, uint32_t max_map_count)
{
    XenPgdirConfig config = { sizeof(config), max_pages, 1024, max_map_count };

    c->f = fake_grants_new(1024);
    c->f->max_count = max_map_count;
    c->mapper = xen_grant_mapper_new(ops, c->f, &config);
}

static void cache_clear(Cache *c)
{
    xen_grant_mapper_unref(c->mapper);
    g_assert_cmpuint(c->f->destroyed, ==, 1);
    g_assert_cmpuint(c->f->map_calls - c->f->refused, ==,
                     c->f->unmap_calls);
    fake_grants_free(c->f);
}

/* A buffer whose pages start with @stamp, @stamp + 1, ... */
static void buffer_init(Cache *c, XenPgdirBuffer *buffer, uint32_t pages,
                        uint32_t stamp)
{
    uint32_t *refs = g_new(uint32_t, pages);
    uint32_t i;

    for (i = 0; i < pages; i++) {
        refs[i] = fake_grants_alloc(c->f, true);
        *(uint32_t *)fake_grants_page(c->f, refs[i]) = stamp + i;
    }
    xen_grant_buffer_init(buffer, c->mapper, refs, pages, false);
}

static XenPgdirStats stats_of(Cache *c)
{
    XenPgdirStats stats;

    xen_grant_mapper_stats(c->mapper, &stats);
    return stats;
}

static XenPgdirView *pin(XenPgdirBuffer *buffer, uint32_t first,
                         uint32_t count)
{
    XenPgdirView *view = NULL;

    g_assert_cmpint(xen_grant_buffer_pin(buffer, first, count, &view), ==, 0);
    g_assert_cmpuint(view->key.first, ==, first);
    g_assert_cmpuint(view->key.count, ==, count);
    return view;
}

static void touch(XenPgdirBuffer *buffer, uint32_t first, uint32_t count)
{
    xen_grant_view_unpin(pin(buffer, first, count));
}

static int32_t try_pin(XenPgdirBuffer *buffer, uint32_t first,
                       uint32_t count)
{
    XenPgdirView *view = NULL;
    int32_t ret = xen_grant_buffer_pin(buffer, first, count, &view);

    g_assert_cmpint(ret, !=, 0);
    g_assert_null(view);
    return ret;
}

/* Whether a range is in the cache, without changing what it knows */
static bool cached(XenPgdirBuffer *buffer, uint32_t first, uint32_t count)
{
    XenGrantKey key = { buffer, first, count };

    return g_hash_table_contains(buffer->mapper->views, &key);
}

static uint32_t stamp_at(const XenPgdirView *view, uint32_t page)
{
    uint32_t stamp;

    memcpy(&stamp, (uint8_t *)view->addr + (size_t)page * PAGE,
           sizeof(stamp));
    return stamp;
}

static void test_key(void)
{
    XenPgdirBuffer buffers[2];
    XenGrantKey key = { &buffers[0], 3, 5 };
    XenGrantKey same = key;
    XenGrantKey others[] = {
        { &buffers[1], 3, 5 }, { &buffers[0], 4, 5 }, { &buffers[0], 3, 6 },
        { &buffers[0], 5, 3 },
    };
    g_autoptr(GHashTable) hashes = g_hash_table_new(NULL, NULL);
    uint32_t i, j;

    g_assert_true(xen_grant_key_equal(&key, &same));
    g_assert_cmpuint(xen_grant_key_hash(&key), ==, xen_grant_key_hash(&same));
    for (i = 0; i < ARRAY_SIZE(others); i++) {
        g_assert_false(xen_grant_key_equal(&key, &others[i]));
    }
    /* Windows as they come hardly ever share a hash */
    for (i = 0; i < 64; i++) {
        for (j = 1; j <= 64; j++) {
            XenGrantKey k = { &buffers[i % 2], i * 64, j * 16 };

            g_hash_table_add(hashes,
                             GUINT_TO_POINTER(xen_grant_key_hash(&k)));
        }
    }
    g_assert_cmpuint(g_hash_table_size(hashes), >, 64 * 64 - 16);
}

/* Invariant 3: least recently used goes first, pinned never */
static void test_lru(void)
{
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    Cache c;

    cache_init(&c, &fake_grants_ops, 6, 0);
    buffer_init(&c, &buffer, 20, 0);
    touch(&buffer, 0, 2);
    touch(&buffer, 2, 2);
    touch(&buffer, 4, 2);
    touch(&buffer, 0, 2);
    g_assert_cmpuint(stats_of(&c).evictions, ==, 0);
    touch(&buffer, 6, 1);
    g_assert_false(cached(&buffer, 2, 2));
    g_assert_true(cached(&buffer, 0, 2));
    g_assert_true(cached(&buffer, 4, 2));
    g_assert_cmpuint(stats_of(&c).evictions, ==, 1);
    g_assert_cmpuint(stats_of(&c).mapped_pages, ==, 5);

    /* [4, 2] is next, but pinned; then [0, 2]; then [6, 1] */
    held = pin(&buffer, 4, 2);
    touch(&buffer, 8, 2);
    g_assert_true(cached(&buffer, 4, 2));
    g_assert_false(cached(&buffer, 0, 2));
    g_assert_true(cached(&buffer, 6, 1));
    touch(&buffer, 10, 4);
    g_assert_true(cached(&buffer, 4, 2));
    g_assert_false(cached(&buffer, 6, 1));
    g_assert_false(cached(&buffer, 8, 2));
    g_assert_cmpuint(stamp_at(held, 1), ==, 5);
    g_assert_cmpuint(stats_of(&c).evictions, ==, 4);
    g_assert_cmpuint(stats_of(&c).hits, ==, 2);
    g_assert_cmpuint(stats_of(&c).misses, ==, 6);
    g_assert_cmpuint(c.f->max_live_pages, ==, 6);
    xen_grant_view_unpin(held);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

static void test_budget(void)
{
    XenPgdirView *a, *b, *d;
    XenPgdirBuffer buffer;
    uint64_t calls;
    Cache c;

    cache_init(&c, &fake_grants_ops, 8, 0);
    buffer_init(&c, &buffer, 20, 0);
    touch(&buffer, 0, 3);
    calls = c.f->map_calls;

    /* More than there is: costs nothing, and nobody is evicted for it */
    g_assert_cmpint(try_pin(&buffer, 0, 9), ==, -ENOSPC);
    g_assert_cmpuint(c.mapper->full, ==, XEN_PGDIR_FULL_PAGES);
    g_assert_cmpuint(c.f->map_calls, ==, calls);
    g_assert_true(cached(&buffer, 0, 3));

    /* All of it */
    a = pin(&buffer, 0, 8);
    g_assert_false(cached(&buffer, 0, 3));
    g_assert_cmpint(try_pin(&buffer, 9, 1), ==, -ENOSPC);
    g_assert_cmpint(try_pin(&buffer, 0, 7), ==, -ENOSPC);
    b = pin(&buffer, 0, 8);
    g_assert_true(a == b);
    xen_grant_view_unpin(a);
    g_assert_cmpint(try_pin(&buffer, 9, 1), ==, -ENOSPC);
    xen_grant_view_unpin(b);

    /* Pinned pages leave no room, though unpinned ones could go */
    a = pin(&buffer, 0, 4);
    b = pin(&buffer, 4, 1);
    touch(&buffer, 8, 3);
    g_assert_cmpint(try_pin(&buffer, 12, 4), ==, -ENOSPC);
    g_assert_true(cached(&buffer, 8, 3));
    d = pin(&buffer, 12, 3);
    g_assert_false(cached(&buffer, 8, 3));
    g_assert_cmpuint(stats_of(&c).pinned_pages, ==, 8);
    g_assert_cmpuint(stats_of(&c).mapped_pages, ==, 8);
    g_assert_cmpuint(c.f->max_live_pages, ==, 8);
    xen_grant_view_unpin(a);
    xen_grant_view_unpin(b);
    xen_grant_view_unpin(d);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

static void test_budget_of_one(void)
{
    XenPgdirBuffer buffer;
    uint8_t bytes[3 * PAGE];
    uint32_t i;
    Cache c;

    cache_init(&c, &fake_grants_ops, 1, 0);
    buffer_init(&c, &buffer, 3, 0x41414141);
    g_assert_cmpint(try_pin(&buffer, 0, 2), ==, -ENOSPC);
    g_assert_cmpint(xen_grant_buffer_copy(&buffer, 0, bytes, NULL,
                                          sizeof(bytes)), ==, 0);
    for (i = 0; i < 3; i++) {
        g_assert_cmpuint(bytes[i * PAGE], ==, 0x41 + i);
        g_assert_cmpuint(bytes[i * PAGE + 4], ==, 0);
    }
    g_assert_cmpuint(c.f->max_live_pages, ==, 1);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* An operation that lacks room gets it, as far as there is any */
static void test_retry(void)
{
    static const int32_t errors[] = { -ENOSPC, -ENOMEM };
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    uint32_t ref, i;
    void *addr;
    Cache c;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        cache_init(&c, &fake_grants_ops, 100, 0);
        buffer_init(&c, &buffer, 20, 0);
        c.f->limit_pages = 6;
        c.f->limit_errno = errors[i];
        held = pin(&buffer, 0, 2);
        touch(&buffer, 2, 2);
        touch(&buffer, 4, 2);
        /* [2, 2] is given up, and that is enough */
        touch(&buffer, 6, 1);
        g_assert_false(cached(&buffer, 2, 2));
        g_assert_true(cached(&buffer, 4, 2));
        g_assert_cmpuint(stats_of(&c).failures, ==, 1);
        g_assert_cmpuint(stats_of(&c).evictions, ==, 1);
        /* Now both others have to go */
        touch(&buffer, 8, 4);
        g_assert_cmpuint(c.f->live_pages, ==, 6);
        /* Directories get room, too */
        ref = fake_grants_alloc(c.f, true);
        g_assert_cmpint(xen_grant_mapper_map_page(c.mapper, ref, false, &addr),
                        ==, 0);
        g_assert_cmpuint(c.f->live_pages, ==, 3);
        xen_grant_mapper_unmap_pages(c.mapper, addr, &ref, 1);
        /* And when there is none left to give, the error comes through */
        g_assert_cmpint(try_pin(&buffer, 10, 5), ==, errors[i]);
        g_assert_cmpuint(c.mapper->full, ==, 0);
        g_assert_cmpuint(stamp_at(held, 1), ==, 1);
        xen_grant_view_unpin(held);
        xen_grant_buffer_clear(&buffer);
        cache_clear(&c);
    }
}

static void test_no_retry(void)
{
    static const int32_t errors[][2] = {
        { -EFAULT, -EFAULT }, { -EPERM, -EPERM }, { 1, -EIO }
    };
    XenPgdirBuffer buffer;
    uint32_t i;
    Cache c;

    cache_init(&c, &fake_grants_ops, 100, 0);
    buffer_init(&c, &buffer, 20, 0);
    touch(&buffer, 0, 2);
    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        fake_grants_refuse(c.f, 1, errors[i][0]);
        g_assert_cmpint(try_pin(&buffer, 2, 2), ==, errors[i][1]);
        g_assert_true(cached(&buffer, 0, 2));
    }
    g_assert_cmpuint(c.f->map_calls, ==, 1 + ARRAY_SIZE(errors));
    g_assert_cmpuint(stats_of(&c).failures, ==, ARRAY_SIZE(errors));
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* Linux's word for a full maptrack is that for a bad reference, too */
static void test_full_maptrack(void)
{
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    Cache c;

    cache_init(&c, &fake_grants_ops, 100, 0);
    buffer_init(&c, &buffer, 20, 0);
    c.f->limit_pages = 8;
    c.f->limit_errno = -EINVAL;
    held = pin(&buffer, 0, 2);
    touch(&buffer, 2, 2);
    touch(&buffer, 4, 2);
    touch(&buffer, 6, 2);
    /* As many pages go as are wanted, the oldest first */
    touch(&buffer, 8, 3);
    g_assert_false(cached(&buffer, 2, 2));
    g_assert_false(cached(&buffer, 4, 2));
    g_assert_true(cached(&buffer, 6, 2));
    g_assert_cmpuint(stats_of(&c).failures, ==, 1);
    /* All that there are may not be enough: two calls, and no third */
    g_assert_cmpint(try_pin(&buffer, 11, 7), ==, -EINVAL);
    g_assert_cmpuint(stats_of(&c).failures, ==, 3);
    g_assert_cmpuint(c.f->live_pages, ==, 2);
    g_assert_cmpuint(stamp_at(held, 1), ==, 1);
    /* And with none that could go there is no second call */
    g_assert_cmpint(try_pin(&buffer, 11, 7), ==, -EINVAL);
    g_assert_cmpuint(stats_of(&c).failures, ==, 4);
    xen_grant_view_unpin(held);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* Whatever a guest asks for, a bad reference costs two calls at most */
static void test_bad_reference(void)
{
    XenPgdirBuffer buffer, bad;
    uint32_t *refs = g_new(uint32_t, 2);
    uint64_t calls;
    uint32_t i;
    Cache c;

    cache_init(&c, &fake_grants_ops, 100, 0);
    buffer_init(&c, &buffer, 20, 0);
    refs[0] = fake_grants_alloc(c.f, true);
    refs[1] = 9999;
    xen_grant_buffer_init(&bad, c.mapper, refs, 2, false);
    for (i = 0; i < 20; i++) {
        touch(&buffer, i, 1);
    }
    calls = stats_of(&c).map_calls;
    for (i = 0; i < 100; i++) {
        g_assert_cmpint(try_pin(&bad, 0, 2), ==, -EINVAL);
    }
    /* Each of the first ten cost two idle pages and a second call */
    g_assert_cmpuint(stats_of(&c).map_calls - calls, ==, 110);
    g_assert_cmpuint(stats_of(&c).evictions, ==, 20);
    g_assert_cmpuint(c.f->live_pages, ==, 0);
    xen_grant_buffer_clear(&bad);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* Invariant 6: copies have a budget of the same figure of their own */
static void test_copies(void)
{
    XenPgdirBuffer buffer;
    XenPgdirView *a, *b;
    Cache c;

    cache_init(&c, &fake_grants_ops, 8, 3);
    buffer_init(&c, &buffer, 20, 100);
    a = pin(&buffer, 1, 7);
    g_assert_true(xen_grant_view_is_copy(a));
    g_assert_cmpuint(stamp_at(a, 0), ==, 101);
    g_assert_cmpuint(stamp_at(a, 6), ==, 107);
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 7);
    g_assert_cmpuint(c.f->max_live_pages, <=, 8);
    g_assert_cmpint(try_pin(&buffer, 0, 4), ==, -ENOSPC);
    /* What one call can map needs no copy, and not that budget */
    b = pin(&buffer, 10, 3);
    g_assert_false(xen_grant_view_is_copy(b));
    xen_grant_view_unpin(b);
    xen_grant_view_unpin(a);
    b = pin(&buffer, 0, 4);
    g_assert_false(cached(&buffer, 1, 7));
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 4);
    xen_grant_view_unpin(b);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* Idle copies go when the host is out of memory, and others are refused */
static void test_copies_no_memory(void)
{
    XenPgdirBuffer buffer;
    XenPgdirView *a;
    Cache c;

    cache_init(&c, &fake_grants_ops, 20, 1);
    buffer_init(&c, &buffer, 20, 100);
    touch(&buffer, 0, 4);
    fault_arm(c.f, FAULT_PAGES, 1);
    a = pin(&buffer, 4, 4);
    g_assert_true(fault_disarm(c.f, FAULT_PAGES));
    g_assert_false(cached(&buffer, 0, 4));
    g_assert_cmpuint(stats_of(&c).evictions, >, 0);
    g_assert_cmpuint(stamp_at(a, 3), ==, 107);

    fault_arm(c.f, FAULT_PAGES, 1);
    g_assert_cmpint(try_pin(&buffer, 0, 4), ==, -ENOMEM);
    g_assert_true(fault_disarm(c.f, FAULT_PAGES));
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 4);
    xen_grant_view_unpin(a);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* A copy that cannot be gathered is not kept */
static void test_copies_no_room(void)
{
    XenPgdirBuffer buffer;
    XenPgdirView *held[3], *copy;
    uint32_t i;
    Cache c;

    cache_init(&c, &fake_grants_ops, 8, 3);
    buffer_init(&c, &buffer, 20, 100);
    touch(&buffer, 10, 5);
    for (i = 0; i < 2; i++) {
        held[i] = pin(&buffer, i, 3);
    }
    held[2] = pin(&buffer, 6, 2);
    g_assert_cmpint(try_pin(&buffer, 4, 6), ==, -ENOSPC);
    /* The one that is cached cannot be gathered afresh, either */
    g_assert_cmpint(try_pin(&buffer, 10, 5), ==, -ENOSPC);
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 0);
    xen_grant_view_unpin(held[0]);
    copy = pin(&buffer, 10, 5);
    g_assert_cmpuint(stamp_at(copy, 4), ==, 114);
    xen_grant_view_unpin(copy);
    xen_grant_view_unpin(held[1]);
    xen_grant_view_unpin(held[2]);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* Invariant 1: what revoked views still hold counts, so it has a bound */
static void test_detached_count(void)
{
    XenPgdirBuffer one, two;
    XenPgdirView *a, *b;
    Cache c;

    cache_init(&c, &fake_grants_ops, 8, 3);
    buffer_init(&c, &one, 6, 0);
    buffer_init(&c, &two, 6, 50);
    a = pin(&one, 0, 3);
    b = pin(&one, 0, 5);
    xen_grant_buffer_clear(&one);
    g_assert_cmpuint(c.f->live_maps, ==, 0);
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 8);
    g_assert_cmpint(try_pin(&two, 0, 4), ==, -ENOSPC);
    touch(&two, 0, 3);
    xen_grant_view_unpin(b);
    touch(&two, 0, 4);
    g_assert_cmpuint(stamp_at(a, 2), ==, 2);
    xen_grant_view_unpin(a);
    xen_grant_buffer_clear(&two);
    cache_clear(&c);
}

/* Invariant 2, and no more than it says: other buffers keep theirs */
static void test_revoke_one(void)
{
    XenPgdirBuffer one, two;
    XenPgdirView *held;
    Cache c;

    cache_init(&c, &fake_grants_ops, 100, 0);
    buffer_init(&c, &one, 6, 0);
    buffer_init(&c, &two, 6, 50);
    touch(&one, 0, 6);
    touch(&two, 0, 6);
    held = pin(&two, 1, 2);
    touch(&one, 3, 1);
    xen_grant_buffer_revoke(&one);
    g_assert_cmpuint(c.f->live_pages, ==, 8);
    g_assert_cmpuint(g_hash_table_size(c.mapper->views), ==, 2);
    g_assert_true(cached(&two, 0, 6));
    g_assert_cmpuint(stamp_at(held, 1), ==, 52);
    xen_grant_buffer_revoke(&one);
    xen_grant_buffer_clear(&one);
    xen_grant_view_unpin(held);
    xen_grant_buffer_clear(&two);
    cache_clear(&c);
}

/*
 * Revocation when the host has no memory, or another thread is quicker
 */

static void unmap_lift_limit(void *opaque, void *addr, const uint32_t *refs,
                             uint32_t count)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_AS, &limit), ==, 0);
    limit.rlim_cur = limit.rlim_max;
    g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
    fake_grants_ops.unmap(opaque, addr, refs, count);
}

static void test_revoke_no_memory(void)
{
    XenPgdirGrantOps ops = fake_grants_ops;
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    struct rlimit limit;
    uint32_t i;
    Cache c;

    ops.unmap = unmap_lift_limit;
    ops.replace = NULL;
    cache_init(&c, &ops, 300, 0);
    buffer_init(&c, &buffer, 256, 1);
    held = pin(&buffer, 0, 256);
    g_assert_cmpint(getrlimit(RLIMIT_AS, &limit), ==, 0);
    limit.rlim_cur = PAGE;
    g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
    xen_grant_buffer_revoke(&buffer);
    g_assert_cmpuint(c.f->live_maps, ==, 0);
    g_assert_cmpuint(stats_of(&c).lost, ==, 0);
    /* The address is good, the content is gone */
    for (i = 0; i < 256; i++) {
        g_assert_cmpuint(stamp_at(held, i), ==, 0);
    }
    memset(held->addr, 1, 256 * PAGE);
    xen_grant_view_unpin(held);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

/* data: whether the grants can be replaced in one go */
static void test_revoke_keeps(gconstpointer data)
{
    XenPgdirGrantOps ops = fake_grants_ops;
    bool replace = GPOINTER_TO_UINT(data);
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    uint32_t i;
    Cache c;

    if (!replace) {
        ops.replace = NULL;
    }
    cache_init(&c, &ops, 8, 0);
    buffer_init(&c, &buffer, 8, 4711);
    held = pin(&buffer, 2, 4);
    xen_grant_buffer_revoke(&buffer);
    g_assert_cmpuint(c.f->live_maps, ==, 0);
    g_assert_cmpuint(c.f->replace_calls, ==, replace);
    g_assert_cmpuint(stats_of(&c).unmap_calls, ==, 1);
    g_assert_cmpuint(stats_of(&c).lost, ==, 0);
    for (i = 0; i < 4; i++) {
        g_assert_cmpuint(stamp_at(held, i), ==, 4711 + 2 + i);
    }
    xen_grant_view_unpin(held);
    xen_grant_buffer_clear(&buffer);
    cache_clear(&c);
}

static void *intruder;

static void unmap_intruded(void *opaque, void *addr, const uint32_t *refs,
                           uint32_t count)
{
    fake_grants_ops.unmap(opaque, addr, refs, count);
    intruder = mmap((uint8_t *)addr + PAGE, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    g_assert(intruder != MAP_FAILED);
    *(uint32_t *)intruder = 4711;
}

/* data: whether the kernel knows MAP_FIXED_NOREPLACE */
static void test_revoke_lost(gconstpointer data)
{
    XenPgdirGrantOps ops = fake_grants_ops;
    XenPgdirBuffer buffer;
    XenPgdirView *held;
    Cache c;

    ops.unmap = unmap_intruded;
    ops.replace = NULL;
    cache_init(&c, &ops, 8, 0);
    buffer_init(&c, &buffer, 3, 0);
    held = pin(&buffer, 0, 3);
    fault_no_noreplace(!data);
    xen_grant_buffer_clear(&buffer);
    fault_no_noreplace(false);
    g_assert_cmpuint(stats_of(&c).lost, ==, 1);
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 3);
    g_assert_true(xen_grant_view_is_copy(held));
    g_assert_cmpint(xen_grant_view_sync(held), ==, 0);
    /* What is there now belongs to somebody else, and stays */
    xen_grant_view_unpin(held);
    g_assert_cmpuint(stats_of(&c).copy_pages, ==, 0);
    g_assert_cmpuint(*(uint32_t *)intruder, ==, 4711);
    g_assert_cmpint(munmap(intruder, PAGE), ==, 0);
    cache_clear(&c);
}

/*
 * All at random, against a model
 */

#define BUFFERS     4
#define PAGES       32
#define BUDGET      48
#define HELD        12

typedef struct Model {
    Cache c;
    XenPgdirBuffer buffers[BUFFERS];
    uint32_t refs[BUFFERS][PAGES];
    uint32_t stamps[BUFFERS];
    struct {
        XenPgdirView *view;
        uint32_t stamp;
    } held[HELD];
    uint32_t next_stamp;
} Model;

static void model_object(Model *m, uint32_t i)
{
    m->stamps[i] = m->next_stamp;
    m->next_stamp += PAGES;
    buffer_init(&m->c, &m->buffers[i], PAGES, m->stamps[i]);
    memcpy(m->refs[i], m->buffers[i].refs, sizeof(m->refs[i]));
}

static void model_end(Model *m, uint32_t i)
{
    uint32_t j;

    xen_grant_buffer_clear(&m->buffers[i]);
    for (j = 0; j < PAGES; j++) {
        /* Fails if a page of the buffer is still mapped */
        g_assert_true(fake_grants_end(m->c.f, m->refs[i][j]));
    }
}

static void model_release(Model *m, uint32_t slot)
{
    XenPgdirView *view = m->held[slot].view;
    uint32_t i;

    if (!view) {
        return;
    }
    for (i = 0; i < view->key.count; i++) {
        g_assert_cmpuint(stamp_at(view, i), ==, m->held[slot].stamp + i);
    }
    xen_grant_view_unpin(view);
    m->held[slot].view = NULL;
}

static void model_step(Model *m)
{
    uint32_t i = g_test_rand_int_range(0, BUFFERS);
    uint32_t slot = g_test_rand_int_range(0, HELD);
    uint32_t first = g_test_rand_int_range(0, PAGES);
    uint32_t count = g_test_rand_int_range(1, PAGES - first + 1);
    uint32_t what = g_test_rand_int_range(0, 100);
    uint8_t bytes[3 * PAGE];
    int32_t ret;

    if (what == 0) {
        model_end(m, i);
        model_object(m, i);
    } else if (what == 1) {
        xen_grant_mapper_trim(m->c.mapper);
    } else if (what < 10) {
        count = MIN(count, 3);
        ret = xen_grant_buffer_copy(&m->buffers[i], first * PAGE, bytes, NULL,
                                    count * PAGE);
        g_assert_true(ret == -ENOSPC || (ret == 0 &&
                      memcmp(bytes, fake_grants_page(m->c.f,
                             m->refs[i][first]), PAGE) == 0));
    } else if (what < 50) {
        model_release(m, slot);
    } else {
        model_release(m, slot);
        ret = xen_grant_buffer_pin(&m->buffers[i], first, count,
                                   &m->held[slot].view);
        g_assert_true(ret == 0 || ret == -ENOSPC);
        m->held[slot].stamp = m->stamps[i] + first;
    }
}

static void test_random(gconstpointer data)
{
    Model m = { .next_stamp = 1 };
    XenPgdirStats stats;
    uint32_t i;

    cache_init(&m.c, &fake_grants_ops, BUDGET, GPOINTER_TO_UINT(data));
    for (i = 0; i < BUFFERS; i++) {
        model_object(&m, i);
    }
    for (i = 0; i < 5000; i++) {
        model_step(&m);
        stats = stats_of(&m.c);
        g_assert_cmpuint(stats.mapped_pages, ==, m.c.f->live_pages);
        g_assert_cmpuint(stats.mapped_pages, <=, BUDGET);
        g_assert_cmpuint(stats.pinned_pages, <=, stats.mapped_pages);
        g_assert_cmpuint(stats.lost, ==, 0);
    }
    g_assert_cmpuint(stats.evictions, >, 0);
    g_assert_cmpuint(stats.hits, >, 0);
    for (i = 0; i < BUFFERS; i++) {
        model_end(&m, i);
    }
    for (i = 0; i < HELD; i++) {
        model_release(&m, i);
    }
    g_assert_cmpuint(stats_of(&m.c).copy_pages, ==, 0);
    cache_clear(&m.c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/grant-map/key", test_key);
    g_test_add_func("/xen/grant-map/invariant-3/lru", test_lru);
    g_test_add_func("/xen/grant-map/budget/edges", test_budget);
    g_test_add_func("/xen/grant-map/budget/one", test_budget_of_one);
    g_test_add_func("/xen/grant-map/retry/room", test_retry);
    g_test_add_func("/xen/grant-map/retry/others", test_no_retry);
    g_test_add_func("/xen/grant-map/retry/maptrack", test_full_maptrack);
    g_test_add_func("/xen/grant-map/retry/bad-reference", test_bad_reference);
    g_test_add_func("/xen/grant-map/invariant-6/copies", test_copies);
    g_test_add_func("/xen/grant-map/invariant-6/no-memory",
                    test_copies_no_memory);
    g_test_add_func("/xen/grant-map/invariant-6/no-room",
                    test_copies_no_room);
    g_test_add_func("/xen/grant-map/invariant-1/detached",
                    test_detached_count);
    g_test_add_func("/xen/grant-map/invariant-2/one-buffer",
                    test_revoke_one);
    g_test_add_func("/xen/grant-map/invariant-2/no-memory",
                    test_revoke_no_memory);
    g_test_add_data_func("/xen/grant-map/invariant-2/lost",
                         GUINT_TO_POINTER(1), test_revoke_lost);
    g_test_add_data_func("/xen/grant-map/invariant-2/lost-old-kernel", NULL,
                         test_revoke_lost);
    g_test_add_data_func("/xen/grant-map/invariant-2/revoke-replace",
                         GUINT_TO_POINTER(1), test_revoke_keeps);
    g_test_add_data_func("/xen/grant-map/invariant-2/revoke-unmap",
                         GUINT_TO_POINTER(0), test_revoke_keeps);
    g_test_add_data_func("/xen/grant-map/random/any", NULL, test_random);
    g_test_add_data_func("/xen/grant-map/random/one", GUINT_TO_POINTER(1),
                         test_random);
    g_test_add_data_func("/xen/grant-map/random/seven", GUINT_TO_POINTER(7),
                         test_random);
    return g_test_run();
}
