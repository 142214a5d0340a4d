/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mapper over a fake of grants, for tests of page directories
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "pgdir-fixture.h"

XenPgdirMapper *new_mapper(FakeGrants *f, uint32_t max_pages,
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

void set_up(Fixture *fix, gconstpointer data)
{
    fix->f = fake_grants_new(4096);
    fix->mapper = new_mapper(fix->f, 4096, 4096, GPOINTER_TO_UINT(data));
}

void tear_down(Fixture *fix, gconstpointer data)
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

bool page_by_page(gconstpointer data)
{
    return GPOINTER_TO_UINT(data) != 0;
}

XenPgdirStats stats_of(Fixture *fix)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(fix->mapper, &stats, sizeof(stats));
    return stats;
}

XenPgdirBuffer *new_buffer(Fixture *fix, uint32_t dir, uint64_t size,
                           uint32_t flags)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(fix->mapper, dir, size, flags,
                                         &buffer), ==, 0);
    g_assert_nonnull(buffer);
    return buffer;
}

XenPgdirBuffer *numbered(FakeGrants *f, XenPgdirMapper *mapper,
                         uint32_t pages, uint32_t flags, uint32_t *refs)
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

XenPgdirBuffer *numbered_buffer(Fixture *fix, uint32_t pages, uint32_t flags,
                                uint32_t *refs)
{
    return numbered(fix->f, fix->mapper, pages, flags, refs);
}

XenPgdirView *new_view(XenPgdirBuffer *buffer, uint64_t offset,
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

uint32_t load(const void *data, uint64_t offset)
{
    uint32_t value;

    memcpy(&value, (const uint8_t *)data + offset, sizeof(value));
    return value;
}

void store(void *data, uint64_t offset, uint32_t value)
{
    memcpy((uint8_t *)data + offset, &value, sizeof(value));
}

uint32_t *dir_page(Fixture *fix, uint32_t gref)
{
    return fake_grants_page(fix->f, gref);
}

void add_for_counts(const char *name,
                    void (*func)(Fixture *fix, gconstpointer data))
{
    static const uint32_t counts[] = { 0, 1, 7 };
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(counts); i++) {
        g_autofree char *path = g_strdup_printf("/xen/pgdir/invariant-6/%u/%s",
                                                counts[i], name);

        g_test_add(path, Fixture, GUINT_TO_POINTER(counts[i]), set_up, func,
                   tear_down);
    }
}
