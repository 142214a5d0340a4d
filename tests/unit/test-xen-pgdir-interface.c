/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of what callers of the helper rely on besides the mapping: structs
 * that grow, errors, what buffers and views tell of themselves, windows in
 * pieces, and copies that are written back.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/uio.h>
#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"

#define PAGE XEN_PGDIR_PAGE_SIZE
#define PAGES 20

typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
    uint32_t refs[PAGES];
    uint32_t dir;
} Fixture;

static void set_up_ops(Fixture *fix, const XenPgdirGrantOps *ops,
                       uint32_t max_map_count)
{
    XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = PAGES,
        .max_buffer_pages = 1100,
        .max_map_count = max_map_count,
        .max_mappings = 8,
    };
    uint32_t i;

    fix->f = fake_grants_new(64);
    fix->f->max_count = max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(ops, fix->f, &config, &fix->mapper),
                    ==, 0);
    fix->dir = fake_grants_make_directory(fix->f, PAGES, fix->refs);
    for (i = 0; i < PAGES; i++) {
        *(uint32_t *)fake_grants_page(fix->f, fix->refs[i]) = i;
    }
}

static void set_up(Fixture *fix, gconstpointer data)
{
    set_up_ops(fix, &fake_grants_ops, GPOINTER_TO_UINT(data));
}

static void tear_down(Fixture *fix, gconstpointer data)
{
    xen_pgdir_mapper_unref(fix->mapper);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fake_grants_free(fix->f);
}

static XenPgdirBuffer *new_buffer(Fixture *fix, uint32_t flags)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, fix->dir, PAGES * PAGE,
                                         flags, &buffer), ==, 0);
    return buffer;
}

static XenPgdirView *new_view(XenPgdirBuffer *buffer, uint64_t offset,
                              uint64_t length, void **data)
{
    XenPgdirView *view = NULL;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, offset, length, &view,
                                          data), ==, 0);
    return view;
}

static uint32_t *guest_page(Fixture *fix, uint32_t page)
{
    return fake_grants_page(fix->f, fix->refs[page]);
}

/* --- structs that grow --- */

/* A struct of a version to come: @extra is a field that we do not know */
typedef struct LaterConfig {
    XenPgdirConfig config;
    uint32_t extra;
} LaterConfig;

typedef struct LaterOps {
    XenPgdirGrantOps ops;
    void (*extra)(void);
} LaterOps;

static int32_t make(FakeGrants *f, const void *ops, const void *config)
{
    XenPgdirMapper *mapper = NULL;
    int32_t ret = xen_pgdir_mapper_new(ops, f, config, &mapper);

    g_assert_cmpint(ret == 0, ==, mapper != NULL);
    if (ret == 0) {
        xen_pgdir_mapper_unref(mapper);
        g_assert_cmpuint(f->destroyed, ==, 1);
        f->destroyed = 0;
    }
    return ret;
}

static void nothing(void)
{
}

static void test_config_size(void)
{
    FakeGrants *f = fake_grants_new(1);
    LaterConfig c = { .config = { 0, 1, 1, 5, 5 } };
    uint32_t least = offsetof(XenPgdirConfig, max_map_count);

    for (c.config.size = 0; c.config.size < least; c.config.size++) {
        g_assert_cmpint(make(f, &fake_grants_ops, &c), ==, -EINVAL);
    }
    for (; c.config.size <= sizeof(c); c.config.size++) {
        g_assert_cmpint(make(f, &fake_grants_ops, &c), ==, 0);
    }
    c.config.size = sizeof(c);
    c.extra = 1;
    g_assert_cmpint(make(f, &fake_grants_ops, &c), ==, -EINVAL);
    fake_grants_free(f);
}

static void test_ops_size(void)
{
    const XenPgdirConfig config = { sizeof(config), 1, 1 };
    FakeGrants *f = fake_grants_new(1);
    LaterOps o = { .ops = fake_grants_ops };

    g_assert_cmpint(make(f, &o, &config), ==, 0);
    o.ops.size = sizeof(o);
    g_assert_cmpint(make(f, &o, &config), ==, 0);
    o.extra = nothing;
    g_assert_cmpint(make(f, &o, &config), ==, -EINVAL);
    o.ops.size = offsetof(XenPgdirGrantOps, destroy) - 1;
    g_assert_cmpint(make(f, &o, &config), ==, -EINVAL);
    fake_grants_free(f);
}

/* What an older caller has not, the library does not look at */
static void test_older_caller(void)
{
    XenPgdirConfig config = { sizeof(config), 4, 4, 1, 1 };
    XenPgdirGrantOps ops = fake_grants_ops;
    FakeGrants *f = fake_grants_new(8);
    XenPgdirMapper *mapper = NULL;
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view = NULL;
    XenPgdirStats stats;
    void *data;

    config.size = offsetof(XenPgdirConfig, max_map_count);
    ops.size = offsetof(XenPgdirGrantOps, destroy);
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, f, &config, &mapper), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_new(mapper,
                                         fake_grants_make_directory(f, 4, NULL),
                                         4 * PAGE, 0, &buffer), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 4 * PAGE, &view, &data),
                    ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 0);
    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.max_mappings, ==, XEN_PGDIR_MAX_MAPPINGS);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(f->destroyed, ==, 0);
    fake_grants_free(f);
}

static void test_stats_size(Fixture *fix, gconstpointer data)
{
    struct {
        XenPgdirStats stats;
        uint64_t later;
        uint64_t guard;
    } s;
    XenPgdirBuffer *buffer = new_buffer(fix, 0);

    memset(&s, 0xff, sizeof(s));
    xen_pgdir_mapper_stats(fix->mapper, &s.stats,
                           offsetof(XenPgdirStats, retiring));
    g_assert_cmpuint(s.stats.buffers, ==, 1);
    g_assert_cmpuint(s.stats.max_pages, ==, PAGES);
    g_assert_cmpuint(s.stats.retiring, ==, UINT64_MAX);

    memset(&s, 0xff, sizeof(s));
    xen_pgdir_mapper_stats(fix->mapper, &s.stats,
                           sizeof(s.stats) + sizeof(s.later));
    g_assert_cmpuint(s.stats.retiring, ==, 0);
    g_assert_cmpuint(s.later, ==, 0);
    g_assert_cmpuint(s.guard, ==, UINT64_MAX);
    xen_pgdir_buffer_unref(buffer);
}

/* --- errors --- */

static void expect_error(Fixture *fix, int32_t status, uint32_t cause,
                         uint32_t limit, const char *words)
{
    XenPgdirError error;

    xen_pgdir_mapper_error(fix->mapper, &error, sizeof(error));
    g_assert_cmpint(error.status, ==, status);
    g_assert_cmpuint(error.cause, ==, cause);
    g_assert_cmpuint(error.limit, ==, limit);
    if (!strstr(error.message, words)) {
        g_test_message("'%s' has no '%s'", error.message, words);
        g_test_fail();
    }
}

static void bad_buffer(Fixture *fix, uint32_t dir, uint64_t size,
                       uint32_t flags, int32_t status, uint32_t cause,
                       uint32_t limit, const char *words)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, size, flags,
                                         &buffer), ==, status);
    expect_error(fix, status, cause, limit, words);
}

static void test_error_none(Fixture *fix, gconstpointer data)
{
    struct {
        XenPgdirError error;
        uint64_t later;
    } e;

    memset(&e, 0xff, sizeof(e));
    xen_pgdir_mapper_error(fix->mapper, &e.error, sizeof(e));
    g_assert_cmpstr(e.error.message, ==, "");
    g_assert_cmpint(e.error.status, ==, 0);
    g_assert_cmpuint(e.error.cause, ==, XEN_PGDIR_CAUSE_NONE);
    g_assert_cmpuint(e.later, ==, 0);

    memset(&e, 0xff, sizeof(e));
    xen_pgdir_mapper_error(fix->mapper, &e.error,
                           offsetof(XenPgdirError, cause));
    g_assert_cmpint(e.error.status, ==, 0);
    g_assert_cmpuint(e.error.cause, ==, UINT32_MAX);
}

static void test_error_buffer(Fixture *fix, gconstpointer data)
{
    uint32_t *page = fake_grants_page(fix->f, fix->dir);

    bad_buffer(fix, fix->dir, 0, 0, -EINVAL, XEN_PGDIR_CAUSE_CALLER, 0,
               "the size of the buffer is 0");
    bad_buffer(fix, fix->dir, PAGE, 6, -EINVAL, XEN_PGDIR_CAUSE_CALLER, 0,
               "unknown flags: 0x6");
    bad_buffer(fix, fix->dir, 1101 * PAGE, 0, -E2BIG, XEN_PGDIR_CAUSE_BUDGET,
               XEN_PGDIR_FULL_BUFFER, "max_buffer_pages: 1100");
    bad_buffer(fix, 0, PAGE, 0, -EINVAL, XEN_PGDIR_CAUSE_GUEST, 0,
               "directory page 0 is missing");
    bad_buffer(fix, 4711, PAGE, 0, -EINVAL, XEN_PGDIR_CAUSE_GUEST, 0,
               "cannot map reference 4711 for reading: ");
    bad_buffer(fix, fix->dir, (PAGES + 1) * PAGE, 0, -EINVAL,
               XEN_PGDIR_CAUSE_GUEST, 0,
               "data reference 20 of directory page 0 is 0");
    memset(page + 1, 0xff, PAGE - 4);
    bad_buffer(fix, fix->dir, 1100 * PAGE, 0, -EINVAL, XEN_PGDIR_CAUSE_GUEST,
               0, "directory page 1 is missing");
    fake_grants_refuse(fix->f, 1, -ENXIO);
    bad_buffer(fix, fix->dir, PAGE, 0, -ENXIO, XEN_PGDIR_CAUSE_HOST, 0,
               "for reading");
    fake_grants_refuse(fix->f, 1, 3);
    bad_buffer(fix, fix->dir, PAGE, 0, -EIO, XEN_PGDIR_CAUSE_CALLER, 0,
               "the map operation returned 3");
}

static void test_error_view(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    XenPgdirView *views[PAGES], *view = NULL;
    uint32_t i;
    void *p;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, PAGES * PAGE, 1, &view, &p),
                    ==, -EINVAL);
    expect_error(fix, -EINVAL, XEN_PGDIR_CAUSE_CALLER, 0,
                 "1 bytes at 81920 do not lie in a buffer of 20 pages");
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, "a", 1), ==, -EACCES);
    expect_error(fix, -EACCES, XEN_PGDIR_CAUSE_CALLER, 0, "read-only");

    /* One page twice is two views, of one page and of two */
    views[0] = new_view(buffer, 0, 19 * PAGE, &p);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 2 * PAGE, &view, &p),
                    ==, -ENOSPC);
    expect_error(fix, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET, XEN_PGDIR_FULL_PAGES,
                 "max_pages is reached: 20");
    xen_pgdir_view_unref(views[0]);
    for (i = 0; i < 8; i++) {
        views[i] = new_view(buffer, i * PAGE, 1, &p);
    }
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 9 * PAGE, 1, &view, &p),
                    ==, -ENOSPC);
    expect_error(fix, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET,
                 XEN_PGDIR_FULL_MAPPINGS, "max_mappings is reached: 8");
    while (i-- > 0) {
        xen_pgdir_view_unref(views[i]);
    }

    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 1, &view, &p), ==,
                    -ESTALE);
    expect_error(fix, -ESTALE, XEN_PGDIR_CAUSE_CALLER, 0, "was revoked");
    g_assert_null(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_error_shared(void)
{
    XenPgdirGrantOps ops = fake_grants_ops;
    XenPgdirBuffer *buffer = NULL;
    Fixture fix;

    set_up(&fix, NULL);
    fake_grants_refuse_share(fix.f, 1, -EPERM);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix.mapper, fix.dir, PAGE, 0,
                                                &buffer), ==, -EPERM);
    expect_error(&fix, -EPERM, XEN_PGDIR_CAUSE_HOST, 0,
                 "cannot share 1 pages");
    fake_grants_refuse_share(fix.f, 1, 7);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix.mapper, fix.dir, PAGE, 0,
                                                &buffer), ==, -EIO);
    expect_error(&fix, -EIO, XEN_PGDIR_CAUSE_CALLER, 0, "returned 7");
    tear_down(&fix, NULL);

    ops.share = NULL;
    ops.unshare = NULL;
    set_up_ops(&fix, &ops, 0);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix.mapper, fix.dir, PAGE, 0,
                                                &buffer), ==, -EOPNOTSUPP);
    expect_error(&fix, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER, 0, "cannot share");
    tear_down(&fix, NULL);
}

/* --- what they tell of themselves --- */

static void test_buffer_tells(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    XenPgdirBuffer *writable = new_buffer(fix, XEN_PGDIR_WRITABLE);
    uint32_t refs[PAGES];

    g_assert_cmpint(xen_pgdir_buffer_is_writable(buffer), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_is_writable(writable), ==, 1);
    g_assert_cmpint(xen_pgdir_buffer_is_shared(buffer), ==, 0);
    g_assert_true(xen_pgdir_buffer_mapper(buffer) == fix->mapper);
    g_assert_cmpuint(xen_pgdir_buffer_state(buffer), ==,
                     XEN_PGDIR_STATE_LIVE);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, PAGES, refs), ==, 0);
    g_assert_cmpmem(refs, sizeof(refs), fix->refs, sizeof(refs));
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 7, 2, refs), ==, 0);
    g_assert_cmpmem(refs, 8, fix->refs + 7, 8);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, 0, refs), ==, -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, PAGES - 1, 2, refs), ==,
                    -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 1, UINT32_MAX, refs), ==,
                    -EINVAL);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);

    xen_pgdir_buffer_revoke(writable);
    g_assert_cmpuint(xen_pgdir_buffer_state(writable), ==,
                     XEN_PGDIR_STATE_REVOKED);
    g_assert_cmpint(xen_pgdir_buffer_is_writable(writable), ==, 1);
    g_assert_cmpint(xen_pgdir_buffer_refs(writable, 0, 1, refs), ==, -ESTALE);
    xen_pgdir_buffer_unref(writable);
    xen_pgdir_buffer_unref(buffer);
}

static void test_view_tells(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    uint8_t *p;
    XenPgdirView *view = new_view(buffer, 3 * PAGE + 5, PAGE, (void **)&p);

    g_assert_true(xen_pgdir_view_data(view) == p - 5);
    g_assert_cmpuint(xen_pgdir_view_offset(view), ==, 3 * PAGE);
    g_assert_cmpuint(xen_pgdir_view_length(view), ==, 2 * PAGE);
    g_assert_true(xen_pgdir_view_buffer(view) == buffer);
    xen_pgdir_buffer_unref(buffer);
    g_assert_null(xen_pgdir_view_buffer(view));
    g_assert_true(xen_pgdir_view_data(view) == p - 5);
    g_assert_cmpuint(xen_pgdir_view_offset(view), ==, 3 * PAGE);
    g_assert_cmpuint(xen_pgdir_view_length(view), ==, 2 * PAGE);
    xen_pgdir_view_unref(view);
}

/* Pages that the guest may write are not given to who asks for others */
static void test_shared_flags(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 4);
    uint32_t *page = fake_grants_page(fix->f, dir);
    XenPgdirBuffer *buffer = NULL;
    uint32_t i, refs[4], first[2] = {};

    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, dir, PAGE,
                                                XEN_PGDIR_WRITABLE, &buffer),
                    ==, -EINVAL);
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(xen_pgdir_buffer_new_shared(
            fix->mapper, dir, 4 * PAGE, i % 2 ? XEN_PGDIR_GUEST_READS : 0,
            &buffer), ==, 0);
        g_assert_cmpint(xen_pgdir_buffer_is_shared(buffer), ==, 1);
        g_assert_cmpint(xen_pgdir_buffer_is_writable(buffer), ==, 1);
        g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, 4, refs), ==, 0);
        g_assert_cmpmem(refs, sizeof(refs), page + 1, sizeof(refs));
        if (i < 2) {
            first[i] = refs[0];
        } else {
            g_assert_cmpuint(refs[0], ==, first[i % 2]);
        }
        xen_pgdir_buffer_revoke(buffer);
        g_assert_cmpint(xen_pgdir_buffer_is_shared(buffer), ==, 1);
        xen_pgdir_buffer_unref(buffer);
    }
    g_assert_cmpuint(first[0], !=, first[1]);
    g_assert_cmpuint(fix->f->share_calls, ==, 2);
    g_assert_cmpuint(fix->f->read_only_shares, ==, 1);
}

/* --- windows in pieces --- */

#define ROOM 32

/* All of a window by pieces, which are the guest's memory */
static void look_at_pieces(Fixture *fix, XenPgdirBuffer *buffer,
                           uint64_t offset, uint64_t length, uint32_t expected)
{
    XenPgdirView *views[ROOM];
    struct iovec iov[ROOM];
    uint32_t count = 0, missing = 0, i;
    uint64_t at = offset;

    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, offset, length, NULL,
                                              NULL, expected - 1, &missing),
                    ==, -ENOBUFS);
    g_assert_cmpuint(missing, ==, expected);
    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, offset, length, views,
                                              iov, expected, &count), ==, 0);
    g_assert_cmpuint(count, ==, expected);
    for (i = 0; i < count; i++) {
        const uint8_t *page = (uint8_t *)guest_page(fix, at / PAGE) +
                              at % PAGE;

        g_assert_cmpint(xen_pgdir_view_is_copy(views[i]), ==, 0);
        g_assert_cmpint(*(uint8_t *)iov[i].iov_base, ==, *page);
        at += iov[i].iov_len;
    }
    g_assert_cmpuint(at, ==, offset + length);
    for (i = 0; i < count; i++) {
        xen_pgdir_view_unref(views[i]);
    }
}

static void test_iov(Fixture *fix, gconstpointer data)
{
    uint32_t limit = GPOINTER_TO_UINT(data);
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    XenPgdirStats before, after;

    look_at_pieces(fix, buffer, PAGE - 1, 6 * PAGE + 2,
                   limit == 0 ? 1 : limit == 1 ? 8 : 2);
    xen_pgdir_mapper_stats(fix->mapper, &before, sizeof(before));
    /* Pieces are found again: those that start where others start */
    look_at_pieces(fix, buffer, PAGE - 1, 6 * PAGE + 2,
                   limit == 0 ? 1 : limit == 1 ? 8 : 2);
    xen_pgdir_mapper_stats(fix->mapper, &after, sizeof(after));
    g_assert_cmpuint(after.map_calls, ==, before.map_calls);
    look_at_pieces(fix, buffer, 4 * PAGE, 1, 1);
    xen_pgdir_buffer_unref(buffer);
}

static void test_iov_refused(Fixture *fix, gconstpointer data)
{
    uint32_t limit = GPOINTER_TO_UINT(data);
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    XenPgdirView *views[ROOM];
    struct iovec iov[ROOM];
    XenPgdirStats stats;
    uint32_t count = 0;

    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, 1, UINT64_MAX, views,
                                              iov, ROOM, &count), ==, -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, 0, 0, views, iov, ROOM,
                                              &count), ==, -EINVAL);
    /* A bad page: none of the pieces stays pinned */
    fake_grants_refuse_ref(fix->f, fix->refs[7], -EINVAL);
    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, 0, 8 * PAGE, views, iov,
                                              ROOM, &count), ==, -EINVAL);
    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.pinned_pages, ==, 0);
    fake_grants_refuse_ref(fix->f, fix->refs[7], 0);
    if (limit == 1) {
        /* Each piece is a mapping, and there are 8 */
        g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, 0, 9 * PAGE, views,
                                                  iov, ROOM, &count), ==,
                        -ENOSPC);
    }
    g_assert_cmpuint(count, ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

/* --- copies that are written back --- */

static void test_flush(Fixture *fix, gconstpointer data)
{
    bool copied = GPOINTER_TO_UINT(data);
    XenPgdirBuffer *buffer = new_buffer(fix, XEN_PGDIR_WRITABLE);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 2 * PAGE, 9 * PAGE, (void **)&p);

    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, copied);
    p[100] = 4711;
    p[9 * PAGE / 4 - 1] = 4712;
    g_assert_cmpint(guest_page(fix, 2)[100] == 4711, ==, !copied);
    g_assert_cmpint(xen_pgdir_view_flush(view), ==, 0);
    g_assert_cmpuint(guest_page(fix, 2)[100], ==, 4711);
    g_assert_cmpuint(guest_page(fix, 2)[0], ==, 2);
    g_assert_cmpuint(guest_page(fix, 6)[0], ==, 6);
    g_assert_cmpuint(guest_page(fix, 10)[PAGE / 4 - 1], ==, 4712);
    /* Pages outside the window are not touched */
    g_assert_cmpuint(guest_page(fix, 1)[0], ==, 1);
    g_assert_cmpuint(guest_page(fix, 11)[0], ==, 11);

    /* What the guest wrote is taken by a sync, and lost by a flush */
    guest_page(fix, 3)[5] = 1;
    g_assert_cmpint(xen_pgdir_view_sync(view), ==, 0);
    guest_page(fix, 3)[6] = 1;
    g_assert_cmpint(xen_pgdir_view_flush(view), ==, 0);
    g_assert_cmpuint(guest_page(fix, 3)[5], ==, 1);
    g_assert_cmpuint(guest_page(fix, 3)[6], ==, copied ? 0 : 1);

    xen_pgdir_buffer_revoke(buffer);
    p[100] = 4713;
    g_assert_cmpint(xen_pgdir_view_flush(view), ==, -ESTALE);
    g_assert_cmpuint(guest_page(fix, 2)[100], ==, 4711);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_flush_read_only(Fixture *fix, gconstpointer data)
{
    bool copied = GPOINTER_TO_UINT(data);
    XenPgdirBuffer *buffer = new_buffer(fix, 0);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 0, 9 * PAGE, (void **)&p);

    g_assert_cmpint(xen_pgdir_view_flush(view), ==, copied ? -EACCES : 0);
    g_assert_cmpuint(fix->f->live_writable, ==, 0);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static void test_flush_refused(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, XEN_PGDIR_WRITABLE);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 0, 9 * PAGE, (void **)&p);

    xen_pgdir_mapper_trim(fix->mapper);
    p[5 * PAGE / 4] = 4711;
    fake_grants_refuse_ref(fix->f, fix->refs[5], -EINVAL);
    g_assert_cmpint(xen_pgdir_view_flush(view), ==,
                    GPOINTER_TO_UINT(data) ? -EINVAL : 0);
    fake_grants_refuse_ref(fix->f, fix->refs[5], 0);
    g_assert_cmpint(xen_pgdir_view_flush(view), ==, 0);
    g_assert_cmpuint(guest_page(fix, 5)[0], ==, 4711);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
}

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} tests[] = {
    { "stats-size", test_stats_size },
    { "buffer-tells", test_buffer_tells },
    { "view-tells", test_view_tells },
    { "iov", test_iov },
    { "iov-refused", test_iov_refused },
    { "flush", test_flush },
    { "flush/read-only", test_flush_read_only },
    { "flush/refused", test_flush_refused },
    { "error/none", test_error_none },
    { "error/buffer", test_error_buffer },
};

int main(int argc, char **argv)
{
    static const uint32_t limits[] = { 0, 1, 7 };
    uint32_t i, j;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(limits); i++) {
        for (j = 0; j < ARRAY_SIZE(tests); j++) {
            g_autofree char *path =
                g_strdup_printf("/xen/pgdir-interface/%s/%u", tests[j].name,
                                limits[i]);

            g_test_add(path, Fixture, GUINT_TO_POINTER(limits[i]), set_up,
                       tests[j].func, tear_down);
        }
    }
    g_test_add("/xen/pgdir-interface/error/view", Fixture, NULL, set_up,
               test_error_view, tear_down);
    g_test_add("/xen/pgdir-interface/shared-flags", Fixture, NULL, set_up,
               test_shared_flags, tear_down);
    g_test_add_func("/xen/pgdir-interface/error/shared", test_error_shared);
    g_test_add_func("/xen/pgdir-interface/config-size", test_config_size);
    g_test_add_func("/xen/pgdir-interface/ops-size", test_ops_size);
    g_test_add_func("/xen/pgdir-interface/older-caller", test_older_caller);
    return g_test_run();
}
