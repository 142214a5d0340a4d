/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mapper over a fake of grants, for tests of page directories
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_PGDIR_FIXTURE_H
#define TESTS_UNIT_PGDIR_FIXTURE_H

#include "hw/xen/xen-pgdir.h"
#include "fake-grants.h"

#define PAGE XEN_PGDIR_PAGE_SIZE

/* @mapper: NULL once a test has given it up */
typedef struct Fixture {
    FakeGrants *f;
    XenPgdirMapper *mapper;
} Fixture;

XenPgdirMapper *new_mapper(FakeGrants *f, uint32_t max_pages,
                           uint32_t max_buffer_pages, uint32_t max_map_count);

/* @data: references that one call may map; 0 is any number */
void set_up(Fixture *fix, gconstpointer data);

/* Whatever a test did, nothing may be left */
void tear_down(Fixture *fix, gconstpointer data);

/* Whether views are copies */
bool page_by_page(gconstpointer data);

XenPgdirStats stats_of(Fixture *fix);

XenPgdirBuffer *new_buffer(Fixture *fix, uint32_t dir, uint64_t size,
                           uint32_t flags);

/* A buffer of @pages pages whose page i starts with the number i + 1 */
XenPgdirBuffer *numbered_buffer(Fixture *fix, uint32_t pages, uint32_t flags,
                                uint32_t *refs);
XenPgdirBuffer *numbered(FakeGrants *f, XenPgdirMapper *mapper,
                         uint32_t pages, uint32_t flags, uint32_t *refs);

XenPgdirView *new_view(XenPgdirBuffer *buffer, uint64_t offset,
                       uint64_t length, void **data);

uint32_t load(const void *data, uint64_t offset);
void store(void *data, uint64_t offset, uint32_t value);

/* A page of a directory, as the guest sees it */
uint32_t *dir_page(Fixture *fix, uint32_t gref);

/*
 * Add a test of each number of grants that one call may map: by invariant 6 the
 * same holds for all of them
 */
void add_for_counts(const char *name,
                    void (*func)(Fixture *fix, gconstpointer data));

#endif /* TESTS_UNIT_PGDIR_FIXTURE_H */
