/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of dma-bufs: those that are made of a guest's pages, and those
 * whose pages the guest gets
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"
#include "open-files.h"

#define PAGE        XEN_PGDIR_PAGE_SIZE
#define PAGES       20
#define BUDGET      (3 * PAGES)
#define MAPPINGS    8
#define NOT_YET     4711

/*
 * @status: NOT_YET, or what the function was told
 * @unref: a reference to the mapper that the function drops
 */
typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
    int32_t status;
    uint32_t calls;
    XenPgdirMapper *unref;
} Fixture;

static XenPgdirMapper *new_mapper(FakeGrants *f, const XenPgdirGrantOps *ops,
                                  uint32_t max_map_count)
{
    XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = BUDGET,
        .max_buffer_pages = BUDGET,
        .max_map_count = max_map_count,
        .max_mappings = MAPPINGS,
    };
    XenPgdirMapper *mapper = NULL;

    g_assert_cmpint(xen_pgdir_mapper_new(ops, f, &config, &mapper), ==, 0);
    return mapper;
}

/* Operations that lack what is tested here */
static XenPgdirGrantOps old_ops(void)
{
    XenPgdirGrantOps ops = fake_grants_ops;

    ops.size = offsetof(XenPgdirGrantOps, dmabuf_export);
    return ops;
}

static void set_up(Fixture *fix, gconstpointer data)
{
    fix->f = fake_grants_new(512);
    fix->f->max_count = GPOINTER_TO_UINT(data);
    fix->mapper = new_mapper(fix->f, &fake_grants_ops, fix->f->max_count);
    fix->status = NOT_YET;
}

static XenPgdirStats stats_of(Fixture *fix)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    return stats;
}

static XenPgdirError error_of(Fixture *fix)
{
    XenPgdirError error;

    xen_pgdir_mapper_error(fix->mapper, &error, sizeof(error));
    return error;
}

/* The last failure was this, and said so */
static void check_error(Fixture *fix, int32_t status, uint32_t cause,
                        uint32_t limit)
{
    g_assert_cmpint(error_of(fix).status, ==, status);
    g_assert_cmpuint(error_of(fix).cause, ==, cause);
    g_assert_cmpuint(error_of(fix).limit, ==, limit);
    g_assert_cmpstr(error_of(fix).message, !=, "");
}

static void tear_down(Fixture *fix, gconstpointer data)
{
    XenPgdirStats stats;

    if (fix->mapper) {
        xen_pgdir_mapper_trim(fix->mapper);
        stats = stats_of(fix);
        g_assert_cmpuint(stats.buffers, ==, 0);
        g_assert_cmpuint(stats.retiring, ==, 0);
        g_assert_cmpuint(stats.dmabufs, ==, 0);
        g_assert_cmpuint(stats.dmabuf_pages, ==, 0);
        g_assert_cmpuint(stats.mapped_pages, ==, 0);
        g_assert_cmpuint(stats.pinned_pages, ==, 0);
        g_assert_cmpuint(stats.shared_pages, ==, 0);
        g_assert_cmpuint(fix->f->live_maps, ==, 0);
        xen_pgdir_mapper_unref(fix->mapper);
    }
    g_assert_cmpuint(fix->f->max_live_pages, <=, BUDGET + 1);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fake_grants_free(fix->f);
}

/* Exports */

static XenPgdirBuffer *new_buffer(Fixture *fix, uint32_t pages)
{
    uint32_t dir = fake_grants_make_directory(fix->f, pages, NULL);
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, pages * PAGE,
                                         XEN_PGDIR_WRITABLE, &buffer), ==, 0);
    return buffer;
}

static XenPgdirView *new_view(XenPgdirBuffer *buffer, uint32_t first,
                              uint32_t pages)
{
    XenPgdirView *view = NULL;
    void *data;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, first * PAGE, pages * PAGE,
                                          &view, &data), ==, 0);
    return view;
}

static int32_t export(XenPgdirBuffer *buffer)
{
    int32_t fd = -1;

    g_assert_cmpint(xen_pgdir_buffer_export(buffer, 0, &fd), ==, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    return fd;
}

/* It must fail, and leave nothing behind */
static void no_export(Fixture *fix, XenPgdirBuffer *buffer, uint32_t flags,
                      int32_t status, uint32_t cause)
{
    XenPgdirStats before = stats_of(fix), after;
    int32_t fd = NOT_YET;

    g_assert_cmpint(xen_pgdir_buffer_export(buffer, flags, &fd), ==, status);
    g_assert_cmpint(fd, ==, NOT_YET);
    after = stats_of(fix);
    g_assert_cmpuint(after.dmabufs, ==, before.dmabufs);
    g_assert_cmpuint(after.pinned_pages, ==, before.pinned_pages);
    g_assert_cmpuint(error_of(fix).cause, ==, cause);
    g_assert_cmpint(error_of(fix).status, ==, status);
}

static void test_export(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    uint64_t maps = fix->f->map_calls;
    int32_t fd = export(buffer), second;

    /* All of it in one call, whatever one call may map otherwise */
    g_assert_cmpuint(fix->f->export_calls, ==, 1);
    g_assert_cmpuint(fix->f->map_calls, ==, maps);
    g_assert_cmpuint(fix->f->live_writable, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).dmabufs, ==, 1);
    g_assert_cmpuint(stats_of(fix).dmabuf_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).mapped_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).mappings, ==, 1);

    /* There is one at a time, until its last descriptor is closed */
    no_export(fix, buffer, 0, -EALREADY, XEN_PGDIR_CAUSE_CALLER);
    second = dup(fd);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 1);
    no_export(fix, buffer, 0, -EALREADY, XEN_PGDIR_CAUSE_CALLER);
    close(second);
    second = export(buffer);
    g_assert_cmpuint(stats_of(fix).dmabufs, ==, 1);
    close(second);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(stats_of(fix).dmabuf_pages, ==, 0);
    g_assert_cmpuint(stats_of(fix).mappings, ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

static void test_flags(Fixture *fix, gconstpointer data)
{
    static const uint32_t good[] = {
        XEN_PGDIR_DMABUF_WC, XEN_PGDIR_DMABUF_COHERENT
    };
    XenPgdirBuffer *buffer = new_buffer(fix, 1);
    int32_t fd = -1;
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(good); i++) {
        g_assert_cmpint(xen_pgdir_buffer_export(buffer, good[i], &fd), ==, 0);
        g_assert_cmpuint(fix->f->export_flags, ==, good[i]);
        close(fd);
    }
    no_export(fix, buffer, 3, -EINVAL, XEN_PGDIR_CAUSE_CALLER);
    no_export(fix, buffer, 4, -EINVAL, XEN_PGDIR_CAUSE_CALLER);
    g_assert_cmpuint(fix->f->export_calls, ==, 2);
    xen_pgdir_buffer_unref(buffer);
}

static void retired(void *opaque, int32_t status)
{
    Fixture *fix = opaque;

    fix->calls++;
    fix->status = status;
    g_clear_pointer(&fix->unref, xen_pgdir_mapper_unref);
}

static void retire(Fixture *fix, XenPgdirBuffer *buffer, uint64_t deadline)
{
    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, deadline, retired, fix),
                    ==, 0);
}

static void test_refused(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(fix->f, 2, NULL);
    uint32_t links = fake_grants_link_directory(fix->f, 2);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view;

    /* Whoever has a dma-buf can write */
    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, PAGE, 0, &buffer),
                    ==, 0);
    no_export(fix, buffer, 0, -EACCES, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_buffer_unref(buffer);

    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, links, PAGE, 0,
                                                &buffer), ==, 0);
    no_export(fix, buffer, 0, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_buffer_unref(buffer);

    buffer = new_buffer(fix, 2);
    view = new_view(buffer, 0, 1);
    retire(fix, buffer, UINT64_MAX);
    no_export(fix, buffer, 0, -ESTALE, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_view_unref(view);
    g_assert_cmpint(fix->status, ==, 0);
    no_export(fix, buffer, 0, -ESTALE, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->export_calls, ==, 0);
}

/* The operation fails: each errno has its cause, and some are tried twice */
static void test_fails(Fixture *fix, gconstpointer data)
{
    static const struct {
        int32_t err;
        uint32_t cause;
        bool again;
    } errors[] = {
        { -EINVAL, XEN_PGDIR_CAUSE_GUEST, true },
        { -EFAULT, XEN_PGDIR_CAUSE_GUEST },
        { -ENOMEM, XEN_PGDIR_CAUSE_HOST, true },
        { -ENOSPC, XEN_PGDIR_CAUSE_HOST, true },
        { -EOPNOTSUPP, XEN_PGDIR_CAUSE_HOST },
        { -EMFILE, XEN_PGDIR_CAUSE_HOST },
    };
    XenPgdirBuffer *buffer = new_buffer(fix, 2);
    XenPgdirBuffer *other = new_buffer(fix, 2);
    uint64_t calls;
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        /* Nothing is idle: there is nothing that could help */
        xen_pgdir_mapper_trim(fix->mapper);
        fake_grants_refuse_export(fix->f, 1, errors[i].err);
        no_export(fix, buffer, 0, errors[i].err, errors[i].cause);
        g_assert_cmpuint(xen_pgdir_mapper_full(fix->mapper), ==, 0);

        calls = fix->f->export_calls;
        xen_pgdir_view_unref(new_view(other, 0, 1));
        fake_grants_refuse_export(fix->f, 1, errors[i].err);
        if (errors[i].again) {
            close(export(buffer));
            g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
        } else {
            no_export(fix, buffer, 0, errors[i].err, errors[i].cause);
        }
        g_assert_cmpuint(fix->f->export_calls - calls, ==,
                         1 + errors[i].again);
    }
    fake_grants_refuse_export(fix->f, 1, 1);
    no_export(fix, buffer, 0, -EIO, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_buffer_unref(other);
}

/* One reference that is none, among good ones */
static void test_bad_reference(Fixture *fix, gconstpointer data)
{
    uint32_t refs[PAGES];
    uint32_t dir = fake_grants_make_directory(fix->f, PAGES, refs);
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, PAGES * PAGE,
                                         XEN_PGDIR_WRITABLE, &buffer), ==, 0);
    g_assert_true(fake_grants_end(fix->f, refs[PAGES - 1]));
    no_export(fix, buffer, 0, -EINVAL, XEN_PGDIR_CAUSE_GUEST);
    g_assert_cmpuint(fix->f->live_pages, ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

/* What is idle makes room, what is held does not, and what was closed does */
static void test_pages(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *idle = new_buffer(fix, PAGES);
    XenPgdirBuffer *first = new_buffer(fix, PAGES);
    XenPgdirBuffer *large = new_buffer(fix, BUDGET - PAGES);
    XenPgdirView *view;
    int32_t one, two;
    uint32_t i;
    void *p;

    for (i = 0; i < 4; i++) {
        xen_pgdir_view_unref(new_view(idle, i, 1));
    }
    one = export(first);
    two = export(large);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, BUDGET);
    g_assert_cmpuint(fix->f->live_pages, ==, BUDGET);
    no_export(fix, idle, 0, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET);
    check_error(fix, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET, XEN_PGDIR_FULL_PAGES);
    g_assert_cmpint(xen_pgdir_buffer_view(idle, 0, PAGE, &view, &p), ==,
                    -ENOSPC);
    g_assert_cmpuint(fix->f->export_calls, ==, 2);

    close(one);
    view = new_view(idle, 0, 1);
    g_assert_cmpuint(stats_of(fix).dmabufs, ==, 1);
    close(two);
    close(export(large));
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    xen_pgdir_buffer_unref(first);
    xen_pgdir_buffer_unref(large);
    xen_pgdir_buffer_unref(idle);
}

/* Each has a descriptor of the library's: there are so many and no more */
static void test_mappings(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffers[MAPPINGS + 1];
    int32_t fds[MAPPINGS];
    uint32_t i;

    for (i = 0; i <= MAPPINGS; i++) {
        buffers[i] = new_buffer(fix, 1);
    }
    for (i = 0; i < MAPPINGS; i++) {
        fds[i] = export(buffers[i]);
    }
    no_export(fix, buffers[MAPPINGS], 0, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET);
    check_error(fix, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET, XEN_PGDIR_FULL_MAPPINGS);
    close(fds[3]);
    fds[3] = export(buffers[MAPPINGS]);
    for (i = 0; i < MAPPINGS; i++) {
        close(fds[i]);
    }
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    for (i = 0; i <= MAPPINGS; i++) {
        xen_pgdir_buffer_unref(buffers[i]);
    }
}

/* A guest that destroys what is exported gets no more than its budget */
static void test_hoard(Fixture *fix, gconstpointer data)
{
    int32_t fds[BUDGET / PAGES];
    XenPgdirBuffer *buffer;
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(fds); i++) {
        buffer = new_buffer(fix, PAGES);
        fds[i] = export(buffer);
        xen_pgdir_buffer_unref(buffer);
    }
    for (i = 0; i < 4; i++) {
        buffer = new_buffer(fix, PAGES);
        no_export(fix, buffer, 0, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET);
        xen_pgdir_buffer_unref(buffer);
    }
    g_assert_cmpuint(stats_of(fix).buffers, ==, 0);
    g_assert_cmpuint(stats_of(fix).dmabuf_pages, ==, BUDGET);
    g_assert_cmpuint(fix->f->live_pages, ==, BUDGET);
    for (i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
}

/* What others hold is revoked by nobody, and the guest's pages are not free */
static void test_revoke(Fixture *fix, gconstpointer data)
{
    uint32_t refs[PAGES];
    uint32_t dir = fake_grants_make_directory(fix->f, PAGES, refs);
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view;
    int32_t fd;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, PAGES * PAGE,
                                         XEN_PGDIR_WRITABLE, &buffer), ==, 0);
    fd = export(buffer);
    view = new_view(buffer, 0, 1);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(xen_pgdir_buffer_state(buffer), ==,
                     XEN_PGDIR_STATE_REVOKED);
    g_assert_cmpuint(fix->f->live_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).dmabuf_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).pinned_pages, ==, PAGES);
    g_assert_false(fake_grants_end(fix->f, refs[0]));
    no_export(fix, buffer, 0, -ESTALE, XEN_PGDIR_CAUSE_CALLER);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 1);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_true(fake_grants_end(fix->f, refs[0]));

    /* One that was closed before goes with the buffer */
    buffer = new_buffer(fix, PAGES);
    close(export(buffer));
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(stats_of(fix).dmabufs, ==, 0);
    g_assert_cmpuint(fix->f->live_pages, ==, 0);
    xen_pgdir_buffer_unref(buffer);
}

/* A buffer retires when both are gone: whichever is the last */
static void test_retire(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    int32_t fd = export(buffer);
    XenPgdirView *view;

    retire(fix, buffer, UINT64_MAX);
    g_assert_cmpuint(xen_pgdir_buffer_state(buffer), ==,
                     XEN_PGDIR_STATE_RETIRING);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 1);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    xen_pgdir_buffer_unref(buffer);

    /* The view is the first; its pages do not wait for the dma-buf */
    fix->status = NOT_YET;
    buffer = new_buffer(fix, PAGES);
    fd = export(buffer);
    view = new_view(buffer, 0, 1);
    retire(fix, buffer, UINT64_MAX);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->live_pages, ==, PAGES + 1);
    xen_pgdir_view_unref(view);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    g_assert_cmpuint(fix->f->live_pages, ==, PAGES);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpint(fix->status, ==, 0);

    /* The view is the last, and looks for itself */
    fix->status = NOT_YET;
    buffer = new_buffer(fix, PAGES);
    close(export(buffer));
    view = new_view(buffer, 0, 1);
    retire(fix, buffer, UINT64_MAX);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    xen_pgdir_view_unref(view);
    g_assert_cmpint(fix->status, ==, 0);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->calls, ==, 3);
}

static void test_deadline(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    int32_t fd = export(buffer);

    retire(fix, buffer, 100);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 99), ==, 100);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 100), ==,
                     UINT64_MAX);
    g_assert_cmpint(fix->status, ==, -ETIMEDOUT);
    xen_pgdir_buffer_unref(buffer);
    /* It is charged, as it has the pages */
    g_assert_cmpuint(stats_of(fix).dmabuf_pages, ==, PAGES);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);

    /* Closed in time, even if nobody looked until it was over */
    buffer = new_buffer(fix, PAGES);
    fd = export(buffer);
    retire(fix, buffer, 100);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_expire(fix->mapper, 200), ==,
                     UINT64_MAX);
    g_assert_cmpint(fix->status, ==, 0);
    xen_pgdir_buffer_unref(buffer);

    buffer = new_buffer(fix, PAGES);
    fd = export(buffer);
    retire(fix, buffer, 100);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpint(fix->status, ==, -ECANCELED);
    xen_pgdir_buffer_unref(buffer);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpuint(fix->calls, ==, 3);
}

/* Whoever lacks room finds what was closed, but calls nobody */
static void test_no_surprise(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    XenPgdirBuffer *other = new_buffer(fix, BUDGET);
    int32_t fd = export(buffer);

    retire(fix, buffer, UINT64_MAX);
    close(fd);
    fd = export(other);
    g_assert_cmpint(fix->status, ==, NOT_YET);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 1);
    g_assert_cmpint(fix->status, ==, 0);
    close(fd);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_buffer_unref(other);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
}

/* The function may drop the last reference to all there is */
static void test_last_reference(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    int32_t fd = export(buffer);

    retire(fix, buffer, UINT64_MAX);
    xen_pgdir_buffer_unref(buffer);
    fix->unref = fix->mapper;
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_assert_cmpint(fix->status, ==, 0);
    g_assert_cmpuint(fix->f->destroyed, ==, 1);
    fix->mapper = NULL;
}

/* A dma-buf outlives the mapper */
static void test_orphan(Fixture *fix, gconstpointer data)
{
    XenPgdirBuffer *buffer = new_buffer(fix, PAGES);
    int32_t fd = export(buffer);

    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(fix->mapper);
    fix->mapper = NULL;
    g_assert_cmpuint(fix->f->exports, ==, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    close(fd);
}

/* A directory of so many pages, and what there is of it now */
typedef struct Slot {
    uint32_t dir;
    uint32_t pages;
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    int fd;
} Slot;

static void close_fd(Slot *slot)
{
    if (slot->fd >= 0) {
        close(slot->fd);
        slot->fd = -1;
    }
}

/* @step: which; whatever the result is, it may fail */
static void random_step(Fixture *fix, Slot *slot, uint32_t step, uint64_t now)
{
    void *data;

    if (step == 0) {
        g_clear_pointer(&slot->view, xen_pgdir_view_unref);
    } else if (step == 1) {
        close_fd(slot);
    } else if (step == 2) {
        xen_pgdir_mapper_poll(fix->mapper);
    } else if (step == 3) {
        xen_pgdir_mapper_expire(fix->mapper, now);
    } else if (!slot->buffer) {
        g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, slot->dir,
                                             slot->pages * PAGE,
                                             XEN_PGDIR_WRITABLE,
                                             &slot->buffer), ==, 0);
    } else if (step == 4) {
        xen_pgdir_buffer_revoke(slot->buffer);
    } else if (step == 5) {
        xen_pgdir_buffer_retire(slot->buffer, now + 50, NULL, NULL);
    } else if (step == 6) {
        g_clear_pointer(&slot->buffer, xen_pgdir_buffer_unref);
    } else if (step < 9 && slot->fd < 0) {
        xen_pgdir_buffer_export(slot->buffer, 0, &slot->fd);
    } else if (!slot->view) {
        xen_pgdir_buffer_view(slot->buffer, 0,
                              g_test_rand_int_range(1, slot->pages + 1) * PAGE,
                              &slot->view, &data);
    }
}

/* Whatever is done in whatever order: the counts agree, and the limits hold */
static void test_random(Fixture *fix, gconstpointer data)
{
    Slot slots[12];
    XenPgdirStats stats;
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(slots); i++) {
        slots[i] = (Slot) { .pages = 1 + 2 * i, .fd = -1 };
        slots[i].dir = fake_grants_make_directory(fix->f, slots[i].pages,
                                                  NULL);
    }
    for (i = 0; i < 20000; i++) {
        random_step(fix, &slots[g_test_rand_int_range(0, ARRAY_SIZE(slots))],
                    g_test_rand_int_range(0, 12), i);
        stats = stats_of(fix);
        g_assert_cmpuint(stats.mapped_pages, ==, fix->f->live_pages);
        g_assert_cmpuint(stats.mapped_pages, <=, BUDGET);
        g_assert_cmpuint(stats.pinned_pages, <=, stats.mapped_pages);
        g_assert_cmpuint(stats.dmabuf_pages, <=, stats.pinned_pages);
        g_assert_cmpuint(stats.dmabufs, ==, fix->f->exports);
        g_assert_cmpuint(stats.mappings, <=, MAPPINGS);
    }
    for (i = 0; i < ARRAY_SIZE(slots); i++) {
        close_fd(&slots[i]);
        xen_pgdir_view_unref(slots[i].view);
        xen_pgdir_buffer_unref(slots[i].buffer);
    }
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    g_test_message("%" PRIu64 " exports, %" PRIu64 " maps",
                   fix->f->export_calls, fix->f->map_calls);
}

/* Imports */

static int new_dmabuf(uint32_t pages)
{
    int fd = memfd_create("dmabuf", 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)pages * PAGE), ==, 0);
    return fd;
}

static int32_t import(Fixture *fix, uint32_t dir, uint32_t pages, int fd,
                      XenPgdirBuffer **buffer)
{
    return xen_pgdir_buffer_new_imported(fix->mapper, dir, pages * PAGE, fd, 0,
                                         buffer);
}

static XenPgdirBuffer *new_imported(Fixture *fix, uint32_t dir, uint32_t pages,
                                    int fd)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(import(fix, dir, pages, fd, &buffer), ==, 0);
    return buffer;
}

/* It must fail, and leave nothing behind; the directory stays empty */
static void no_import(Fixture *fix, uint32_t dir, uint32_t pages, int fd,
                      int32_t status, uint32_t cause)
{
    uint64_t shared = fix->f->shared_pages;
    uint64_t in_use = stats_of(fix).shared_pages;
    XenPgdirBuffer *buffer = NULL;
    uint32_t files = open_files();

    g_assert_cmpint(import(fix, dir, pages, fd, &buffer), ==, status);
    g_assert_null(buffer);
    g_assert_cmpuint(fix->f->shared_pages, ==, shared);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, in_use);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(open_files(), ==, files);
    g_assert_cmpint(error_of(fix).status, ==, status);
    g_assert_cmpuint(error_of(fix).cause, ==, cause);
}

static void test_import(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    const uint32_t *filled = fake_grants_page(fix->f, dir);
    int fd = new_dmabuf(PAGES);
    XenPgdirBuffer *buffer = new_imported(fix, dir, PAGES, fd);
    XenPgdirView *view = NULL;
    uint32_t refs[PAGES], count = 0;
    struct iovec iov;
    void *p = NULL;
    char byte = 0;

    /* Its own is closed, ours is not */
    close(fd);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, PAGES, refs), ==, 0);
    g_assert_cmpmem(&filled[1], sizeof(refs), refs, sizeof(refs));
    g_assert_cmpuint(fix->f->import_calls, ==, 1);
    g_assert_cmpuint(fix->f->live_maps, ==, 0);
    g_assert_cmpuint(stats_of(fix).shared_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).mappings, ==, 1);
    g_assert_cmpint(xen_pgdir_buffer_is_shared(buffer), ==, 1);

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, PAGE, &view, &p), ==,
                    -EOPNOTSUPP);
    g_assert_cmpint(xen_pgdir_buffer_view_iov(buffer, 0, PAGE, &view, &iov, 1,
                                              &count), ==, -EOPNOTSUPP);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 0, &byte, 1), ==,
                    -EOPNOTSUPP);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, &byte, 1), ==,
                    -EOPNOTSUPP);
    check_error(fix, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER, 0);
    g_assert_null(view);
    no_export(fix, buffer, 0, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER);

    /* They stay shared until the mapper goes */
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(fix->f->shared_pages, ==, PAGES);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, PAGES);
    xen_pgdir_mapper_unref(fix->mapper);
    fix->mapper = NULL;
    g_assert_cmpuint(fix->f->release_calls, ==, 1);
}

/* The same dma-buf is found again, by whatever descriptor */
static void test_import_again(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    uint32_t first[PAGES], second[PAGES];
    int fd = new_dmabuf(PAGES), again = dup(fd), other = new_dmabuf(PAGES);
    XenPgdirBuffer *buffer = new_imported(fix, dir, PAGES, fd);
    XenPgdirBuffer *twin;

    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, PAGES, first), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    close(fd);
    buffer = new_imported(fix, dir, PAGES, again);
    g_assert_cmpint(xen_pgdir_buffer_refs(buffer, 0, PAGES, second), ==, 0);
    g_assert_cmpmem(first, sizeof(first), second, sizeof(second));
    g_assert_cmpuint(fix->f->import_calls, ==, 1);
    xen_pgdir_buffer_unref(buffer);

    /* But not as a part of it */
    no_import(fix, dir, PAGES - 1, again, -EINVAL, XEN_PGDIR_CAUSE_HOST);
    fix->f->import_calls--;
    buffer = new_imported(fix, dir, PAGES, again);
    g_assert_cmpuint(fix->f->import_calls, ==, 1);

    /* In use twice, it is granted twice */
    twin = new_imported(fix, dir, PAGES, again);
    g_assert_cmpuint(fix->f->import_calls, ==, 2);
    xen_pgdir_buffer_unref(twin);
    xen_pgdir_buffer_unref(buffer);

    /* Another is another, and none is what the library allocates */
    buffer = new_imported(fix, dir, PAGES, other);
    g_assert_cmpuint(fix->f->import_calls, ==, 3);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(stats_of(fix).kept_pages, ==, BUDGET);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(fix->mapper, dir, PAGES * PAGE,
                                                0, &buffer), ==, 0);
    g_assert_cmpuint(fix->f->share_calls, ==, 1);
    g_assert_cmpuint(stats_of(fix).abandoned_pages, ==, PAGES);
    g_assert_cmpuint(fix->f->release_calls, ==, 1);
    xen_pgdir_buffer_unref(buffer);
    close(again);
    close(other);
}

/* Where all dma-bufs are one inode none is taken for another */
static void test_import_old_linux(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, 1);
    int fd = eventfd(0, 0);

    xen_pgdir_buffer_unref(new_imported(fix, dir, 1, fd));
    xen_pgdir_buffer_unref(new_imported(fix, dir, 1, fd));
    g_assert_cmpuint(fix->f->import_calls, ==, 2);
    close(fd);
}

/* As the guest may have them mapped, all that were ever imported are bounded */
static void test_import_hoard(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    uint32_t i;
    int fd;

    for (i = 0; i < 2 * BUDGET / PAGES; i++) {
        fd = new_dmabuf(PAGES);
        xen_pgdir_buffer_unref(new_imported(fix, dir, PAGES, fd));
        close(fd);
        g_assert_cmpuint(fix->f->shared_pages, <=, BUDGET);
    }
    g_assert_cmpuint(stats_of(fix).abandoned_pages, ==, BUDGET);
    fd = new_dmabuf(PAGES);
    no_import(fix, dir, PAGES, fd, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET);
    check_error(fix, -ENOSPC, XEN_PGDIR_CAUSE_BUDGET, XEN_PGDIR_FULL_PAGES);
    close(fd);
}

static void test_import_refused(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    uint32_t *page = fake_grants_page(fix->f, dir);
    int fd = new_dmabuf(PAGES), wrong = new_dmabuf(PAGES + 1);
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new_imported(fix->mapper, dir, PAGE, fd,
                                                  1, &buffer), ==, -EINVAL);
    no_import(fix, dir, 0, fd, -EINVAL, XEN_PGDIR_CAUSE_CALLER);
    no_import(fix, dir, BUDGET + 1, fd, -E2BIG, XEN_PGDIR_CAUSE_BUDGET);
    no_import(fix, 0, PAGES, fd, -EINVAL, XEN_PGDIR_CAUSE_GUEST);
    no_import(fix, dir, PAGES, -1, -EBADF, XEN_PGDIR_CAUSE_CALLER);
    no_import(fix, dir, PAGES, wrong, -EINVAL, XEN_PGDIR_CAUSE_HOST);
    fake_grants_refuse_import(fix->f, 1, -ENOSPC);
    no_import(fix, dir, PAGES, fd, -ENOSPC, XEN_PGDIR_CAUSE_HOST);
    g_assert_cmpuint(xen_pgdir_mapper_full(fix->mapper), ==, 0);
    fake_grants_refuse_import(fix->f, 1, 1);
    no_import(fix, dir, PAGES, fd, -EIO, XEN_PGDIR_CAUSE_CALLER);
    g_assert_cmpuint(page[1], ==, 0);
    close(fd);
    close(wrong);
}

static void test_import_no_descriptor(Fixture *fix, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    XenPgdirBuffer *buffer = NULL;
    struct rlimit limit, less;
    int fd = new_dmabuf(PAGES), next = dup(fd);
    int32_t ret;

    close(next);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    less = limit;
    less.rlim_cur = next;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &less), ==, 0);
    ret = import(fix, dir, PAGES, fd, &buffer);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    g_assert_cmpint(ret, ==, -EMFILE);
    check_error(fix, -EMFILE, XEN_PGDIR_CAUSE_HOST, 0);
    xen_pgdir_buffer_unref(new_imported(fix, dir, PAGES, fd));
    close(fd);
}

/* A mapper without the operations, such as one of an older program */
static void test_absent(Fixture *fix, gconstpointer data)
{
    const XenPgdirGrantOps ops = old_ops();
    uint32_t dir = fake_grants_link_directory(fix->f, PAGES);
    XenPgdirBuffer *buffer;
    int fd = new_dmabuf(PAGES);

    xen_pgdir_mapper_unref(fix->mapper);
    fix->f->destroyed = 0;
    fix->mapper = new_mapper(fix->f, &ops, fix->f->max_count);
    buffer = new_buffer(fix, PAGES);
    no_export(fix, buffer, 0, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER);
    g_assert_cmpuint(xen_pgdir_mapper_poll(fix->mapper), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    no_import(fix, dir, PAGES, fd, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER);
    close(fd);
}

/* Some of them without the others are no operations */
static void test_halves(Fixture *fix, gconstpointer data)
{
    XenPgdirConfig config = { .size = sizeof(config), .max_pages = 1,
                              .max_buffer_pages = 1 };
    XenPgdirMapper *mapper = NULL;
    uint32_t i;

    for (i = 0; i < 5; i++) {
        XenPgdirGrantOps ops = fake_grants_ops;

        switch (i) {
        case 0:
            ops.dmabuf_export = NULL;
            break;
        case 1:
            ops.dmabuf_in_use = NULL;
            break;
        case 2:
            ops.dmabuf_forget = NULL;
            break;
        case 3:
            ops.dmabuf_import = NULL;
            break;
        default:
            ops.dmabuf_release = NULL;
            break;
        }
        g_assert_cmpint(xen_pgdir_mapper_new(&ops, fix->f, &config, &mapper),
                        ==, -EINVAL);
    }
    g_assert_null(mapper);
}

static void add(const char *name, void (*func)(Fixture *, gconstpointer))
{
    FAKE_GRANTS_ADD_TEST("/xen/pgdir-dmabuf", name, Fixture, set_up, func,
                         tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("export/life", test_export);
    add("export/flags", test_flags);
    add("export/refused", test_refused);
    add("export/fails", test_fails);
    add("export/bad-reference", test_bad_reference);
    add("export/pages", test_pages);
    add("export/mappings", test_mappings);
    add("export/hoard", test_hoard);
    add("export/revoke", test_revoke);
    add("export/retire", test_retire);
    add("export/deadline", test_deadline);
    add("export/no-surprise", test_no_surprise);
    add("export/last-reference", test_last_reference);
    add("export/orphan", test_orphan);
    add("export/random", test_random);
    add("import/life", test_import);
    add("import/again", test_import_again);
    add("import/old-linux", test_import_old_linux);
    add("import/hoard", test_import_hoard);
    add("import/refused", test_import_refused);
    add("import/no-descriptor", test_import_no_descriptor);
    add("absent", test_absent);
    add("halves", test_halves);
    return g_test_run();
}
