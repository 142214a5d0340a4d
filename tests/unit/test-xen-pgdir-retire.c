/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of buffers that are revoked when their last view goes
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"

#define PAGE XEN_PGDIR_PAGE_SIZE
#define PAGES 20
#define NOT_YET 4711

/*
 * @status: NOT_YET, or what the function was told
 * @unref: a reference to the mapper that the function drops
 * @again: a directory of which the function makes a buffer
 */
typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
    uint32_t refs[PAGES];
    uint32_t dir;
    int32_t status;
    uint32_t calls;
    XenPgdirMapper *unref;
    uint32_t again;
} Fixture;

static void set_up(Fixture *fix, gconstpointer data)
{
    XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = 3 * PAGES,
        .max_buffer_pages = PAGES,
        .max_map_count = GPOINTER_TO_UINT(data),
    };
    uint32_t i;

    fix->f = fake_grants_new(64);
    fix->f->max_count = config.max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, fix->f, &config,
                                         &fix->mapper), ==, 0);
    fix->dir = fake_grants_make_directory(fix->f, PAGES, fix->refs);
    for (i = 0; i < PAGES; i++) {
        *(uint32_t *)fake_grants_page(fix->f, fix->refs[i]) = i;
    }
    fix->status = NOT_YET;
}

static XenPgdirStats stats_of(Fixture *fix)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    return stats;
}

static void tear_down(Fixture *fix, gconstpointer data)
{
    if (fix->mapper) {
        g_assert_cmpuint(stats_of(fix).retiring, ==, 0);
        g_assert_cmpuint(stats_of(fix).buffers, ==, 0);
    }
    xen_pgdir_mapper_unref(fix->mapper);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fake_grants_free(fix->f);
}

static void retired(void *opaque, int32_t status)
{
    Fixture *fix = opaque;
    XenPgdirBuffer *buffer = NULL;
    uint8_t byte;

    fix->calls++;
    fix->status = status;
    if (fix->again) {
        g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, fix->again, PAGE, 0,
                                             &buffer), ==, 0);
        g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==, 0);
        xen_pgdir_buffer_unref(buffer);
    }
    g_clear_pointer(&fix->unref, xen_pgdir_mapper_unref);
}

static XenPgdirBuffer *new_buffer(Fixture *fix)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, fix->dir, PAGES * PAGE,
                                         XEN_PGDIR_WRITABLE, &buffer), ==, 0);
    return buffer;
}

static XenPgdirView *new_view(XenPgdirBuffer *buffer, uint32_t first,
                              uint32_t pages, uint32_t **data)
{
    XenPgdirView *view = NULL;
    void *p = NULL;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, first * PAGE, pages * PAGE,
                                          &view, &p), ==, 0);
    *data = p;
    return view;
}

static void retire(Fixture *fix, XenPgdirBuffer *buffer, uint64_t deadline)
{
    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, deadline, retired, fix),
                    ==, 0);
}

static void no_access(XenPgdirBuffer *buffer)
{
    XenPgdirView *view = NULL;
    uint32_t ref;
    void *data;
    char byte = 0;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, PAGE, &view, &data), ==,
                    -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==, -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==, -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, 1, &ref), ==, -ESTALE);
    g_assert_cmpint(xen_pgdir_buffer_is_copied(buffer, 0, 1), ==, -ESTALE);
}

/* Without a view it is done at once */
static void test_idle(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix);
    uint32_t *p;

    xen_pgdir_view_unref(new_view(buffer, 0, 5, &p));
    g_assert_cmpuint(fix->f->live_maps, >, 0);
    retire(fix, buffer, UINT64_MAX);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(xen_pgdir_buffer_state(buffer), ==,
                     XEN_PGDIR_STATE_REVOKED);
    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, 0, retired, fix), ==,
                    -ESTALE);
    g_assert_cmpuint(fix->calls, ==, 1);
    xen_pgdir_buffer_unref(buffer);
}

static void test_last_view(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix);
    uint32_t *p, *q, *idle;
    XenPgdirView *one = new_view(buffer, 0, 5, &p);
    XenPgdirView *two = new_view(buffer, 3, 5, &q);

    xen_pgdir_view_unref(new_view(buffer, 10, 5, &idle));
    retire(fix, buffer, 1);
    g_assert_cmpuint(xen_pgdir_buffer_state(buffer), ==,
                     XEN_PGDIR_STATE_RETIRING);
    g_assert_cmpuint(stats_of(fix).retiring, ==, 1);
    no_access(buffer);
    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, 0, retired, fix), ==,
                    -EALREADY);
    /* What nobody looks at has gone, and views are the guest's pages still */
    g_assert_cmpuint(fix->f->live_pages, ==,
                     GPOINTER_TO_UINT(data) ? 0 : 10);
    *(uint32_t *)fake_grants_page(fix->f, fix->refs[4]) = 99;
    g_assert_cmpint(xen_pgdir_view_sync(one), ==, 0);
    g_assert_cmpuint(p[4 * PAGE / 4], ==, 99);
    q[2 * PAGE / 4] = 98;
    g_assert_cmpint(xen_pgdir_view_flush(two), ==, 0);
    g_assert_cmpuint(*(uint32_t *)fake_grants_page(fix->f, fix->refs[5]), ==,
                     98);
    g_assert_true(xen_pgdir_view_buffer(one) == buffer);

    /* The buffer keeps itself */
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(xen_pgdir_view_ref(one));
    xen_pgdir_view_unref(one);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    g_assert_cmpuint(stats_of(fix).buffers, ==, 1);
    xen_pgdir_view_unref(two);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(fix->calls, ==, 1);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(fix->f->replace_calls, ==, 0);
    g_assert_cmpuint(stats_of(fix).revocations, ==, 0);
    g_assert_true(fake_grants_end_directory(fix->f, fix->dir, PAGES));
}

static void test_deadline(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix), *other = new_buffer(fix);
    uint32_t *p, *q;
    XenPgdirView *view = new_view(buffer, 0, 5, &p);
    XenPgdirView *late = new_view(other, 0, 5, &q);

    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, UINT64_MAX), ==,
                     UINT64_MAX);
    retire(fix, other, UINT64_MAX);
    retire(fix, buffer, 1000);
    xen_pgdir_buffer_unref(other);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 999), ==, 1000);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    /* At its time, not after it; and never means never */
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 1000), ==,
                     UINT64_MAX);
    g_assert_cmpint(fix->status, ==, -ETIMEDOUT);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, UINT64_MAX), ==,
                     UINT64_MAX);
    g_assert_cmpuint(fix->calls, ==, 1);
    /* The view is a copy now */
    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 1);
    g_assert_null(xen_pgdir_view_buffer(view));
    g_assert_cmpuint(p[4 * PAGE / 4], ==, 4);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(late);
    g_assert_cmpuint(fix->calls, ==, 2);
    g_assert_cmpint(fix->status, ==, 0);
}

static void test_many_deadlines(Fixture *fix, gconstpointer data)
{
    static const uint64_t deadlines[] = { 30, 10, 20, 10 };
    XenPgdirView *views[ARRAY_SIZE(deadlines)];
    uint32_t i, *p;

    for (i = 0; i < ARRAY_SIZE(deadlines); i++) {
        XenPgdirBuffer *buffer = new_buffer(fix);

        views[i] = new_view(buffer, i, 2, &p);
        retire(fix, buffer, deadlines[i]);
        xen_pgdir_buffer_unref(buffer);
    }
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 0), ==, 10);
    g_assert_cmpuint(fix->calls, ==, 0);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 10), ==, 20);
    g_assert_cmpuint(fix->calls, ==, 2);
    xen_pgdir_view_unref(views[2]);
    g_assert_cmpuint(fix->calls, ==, 3);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 25), ==, 30);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 30), ==,
                     UINT64_MAX);
    g_assert_cmpuint(fix->calls, ==, 4);
    for (i = 0; i < ARRAY_SIZE(deadlines); i++) {
        if (i != 2) {
            xen_pgdir_view_unref(views[i]);
        }
    }
}

static void test_revoke(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 0, 5, &p);

    retire(fix, buffer, UINT64_MAX);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpint(fix->status, ==, -ECANCELED);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(p[3 * PAGE / 4], ==, 3);
    xen_pgdir_buffer_revoke(buffer);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(fix->calls, ==, 1);
    xen_pgdir_buffer_unref(buffer);
}

static void test_without_function(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 0, 5, &p);

    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, 0, NULL, NULL), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
}

/* The function may use the mapper, and drop its last reference */
static void test_in_the_function(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix);
    uint32_t *p;
    XenPgdirView *view = new_view(buffer, 0, 5, &p);

    fix->again = fake_grants_make_directory(fix->f, 1, NULL);
    retire(fix, buffer, 5);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(view);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(fix->calls, ==, 1);

    fix->again = 0;
    buffer = new_buffer(fix);
    view = new_view(buffer, 0, 5, &p);
    retire(fix, buffer, 5);
    xen_pgdir_buffer_unref(buffer);
    fix->unref = g_steal_pointer(&fix->mapper);
    if (GPOINTER_TO_UINT(data)) {
        g_assert_cmpuint(xen_pgdir_mapper_expire(fix->unref, 5), ==,
                         UINT64_MAX);
        g_assert_cmpint(fix->status, ==, -ETIMEDOUT);
        g_assert_cmpuint(fix->f->destroyed, ==, 0);
        xen_pgdir_view_unref(view);
    } else {
        xen_pgdir_view_unref(view);
        g_assert_cmpint(fix->status, ==, 0);
    }
    g_assert_cmpuint(fix->calls, ==, 2);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
}

/* The pages of a shared buffer go to the next one when the last view goes */
static void test_shared(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 4);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view, *idle;
    uint32_t *p;

    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, dir, 4 * PAGE, 0,
                                                &buffer), ==, 0);
    idle = new_view(buffer, 0, 1, &p);
    view = new_view(buffer, 1, 3, &p);
    retire(fix, buffer, UINT64_MAX);
    no_access(buffer);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_view_unref(idle);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 0);
    p[0] = 5;
    xen_pgdir_view_unref(view);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, 4);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, 0);
}

static const struct {
    const char *name;
    void (*func)(Fixture *fix, gconstpointer data);
} tests[] = {
    { "idle", test_idle },
    { "last-view", test_last_view },
    { "deadline", test_deadline },
    { "deadlines", test_many_deadlines },
    { "revoke", test_revoke },
    { "without-function", test_without_function },
    { "in-the-function", test_in_the_function },
    { "shared", test_shared },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        FAKE_GRANTS_ADD_TEST("/xen/pgdir-retire", tests[i].name, Fixture,
                             set_up, tests[i].func, tear_down);
    }
    return g_test_run();
}
