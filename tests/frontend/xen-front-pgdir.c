/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's shared buffer and its page directory
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>
#include <sys/mman.h>

#include "xen-front-pgdir.h"

static bool alloc_granted(XenGuest *guest, uint32_t count, uint32_t *pages,
                          uint32_t *refs)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        pages[i] = xen_guest_alloc_page(guest);
        if (!pages[i]) {
            return false;
        }
        refs[i] = xen_guest_grant(guest, pages[i], false);
        if (!refs[i]) {
            return false;
        }
    }
    return true;
}

static uint32_t free_granted(XenGuest *guest, uint32_t count, uint32_t *pages,
                             uint32_t *refs)
{
    uint32_t busy = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (xen_guest_end_access(guest, refs[i]) < 0) {
            busy++;
        } else {
            xen_guest_free_page(guest, pages[i]);
        }
    }
    return busy;
}

static XenFrontPgdir *pgdir_new(XenGuest *guest, uint64_t size, bool be_alloc)
{
    XenFrontPgdir *pgdir;
    uint64_t nr_pages = size / XEN_GUEST_PAGE + !!(size % XEN_GUEST_PAGE);

    if (!nr_pages || nr_pages > xen_guest_nr_pages(guest)) {
        return NULL;
    }

    pgdir = g_new0(XenFrontPgdir, 1);
    pgdir->guest = guest;
    pgdir->size = size;
    pgdir->be_alloc = be_alloc;
    pgdir->nr_pages = nr_pages;
    pgdir->nr_dirs = (nr_pages + XEN_FRONT_REFS_PER_DIR - 1) /
                     XEN_FRONT_REFS_PER_DIR;
    pgdir->pages = g_new0(uint32_t, pgdir->nr_pages);
    pgdir->refs = g_new0(uint32_t, pgdir->nr_pages);
    pgdir->dir_pages = g_new0(uint32_t, pgdir->nr_dirs);
    pgdir->dir_refs = g_new0(uint32_t, pgdir->nr_dirs);

    pgdir->handles = g_new0(uint32_t, pgdir->nr_pages);

    if (alloc_granted(guest, pgdir->nr_dirs, pgdir->dir_pages,
                      pgdir->dir_refs) &&
        (be_alloc || alloc_granted(guest, pgdir->nr_pages, pgdir->pages,
                                   pgdir->refs))) {
        xen_front_pgdir_fill(pgdir);
        return pgdir;
    }
    xen_front_pgdir_free(pgdir);
    return NULL;
}

XenFrontPgdir *xen_front_pgdir_new(XenGuest *guest, uint64_t size)
{
    XenFrontPgdir *pgdir = pgdir_new(guest, size, false);

    if (pgdir) {
        pgdir->data = xen_guest_map_pages(guest, pgdir->pages,
                                          pgdir->nr_pages);
        if (!pgdir->data) {
            xen_front_pgdir_free(pgdir);
            return NULL;
        }
    }
    return pgdir;
}

XenFrontPgdir *xen_front_pgdir_new_be_alloc(XenGuest *guest, uint64_t size)
{
    return pgdir_new(guest, size, true);
}

int xen_front_pgdir_map(XenFrontPgdir *pgdir)
{
    void *data;
    uint32_t i;
    int ret;

    g_assert(pgdir->be_alloc && !pgdir->data);
    for (i = 0; i < pgdir->nr_pages; i++) {
        XenFrontDirPage *page =
            xen_front_pgdir_page(pgdir, i / XEN_FRONT_REFS_PER_DIR);

        pgdir->refs[i] = page->refs[i % XEN_FRONT_REFS_PER_DIR];
        if (!pgdir->refs[i]) {
            return -EINVAL;
        }
    }
    ret = xen_guest_map_grants(pgdir->guest, pgdir->refs, pgdir->nr_pages,
                               pgdir->handles, &data);
    if (!ret) {
        pgdir->data = data;
    }
    return ret;
}

int xen_front_pgdir_unmap(XenFrontPgdir *pgdir)
{
    void *data = pgdir->data;

    g_assert(pgdir->be_alloc && data);
    pgdir->data = NULL;
    return xen_guest_unmap_grants(pgdir->guest, data, pgdir->nr_pages,
                                  pgdir->handles);
}

void xen_front_pgdir_fill(XenFrontPgdir *pgdir)
{
    uint32_t dir, i;

    for (dir = 0; dir < pgdir->nr_dirs; dir++) {
        XenFrontDirPage *page = xen_front_pgdir_page(pgdir, dir);
        uint32_t first = dir * XEN_FRONT_REFS_PER_DIR;

        memset(page, 0, sizeof(*page));
        if (dir + 1 < pgdir->nr_dirs) {
            page->next = pgdir->dir_refs[dir + 1];
        }
        for (i = 0; i < XEN_FRONT_REFS_PER_DIR &&
                    first + i < pgdir->nr_pages; i++) {
            page->refs[i] = pgdir->refs[first + i];
        }
    }
}

uint32_t xen_front_pgdir_ref(const XenFrontPgdir *pgdir)
{
    return pgdir->dir_refs[0];
}

XenFrontDirPage *xen_front_pgdir_page(XenFrontPgdir *pgdir, uint32_t index)
{
    g_assert(index < pgdir->nr_dirs);
    return xen_guest_page(pgdir->guest, pgdir->dir_pages[index]);
}

uint32_t xen_front_pgdir_in_use(XenFrontPgdir *pgdir)
{
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < pgdir->nr_pages; i++) {
        count += xen_guest_in_use(pgdir->guest, pgdir->refs[i]);
    }
    return count;
}

uint32_t xen_front_pgdir_free(XenFrontPgdir *pgdir)
{
    uint32_t busy;

    if (!pgdir) {
        return 0;
    }
    if (pgdir->be_alloc) {
        busy = pgdir->data && xen_front_pgdir_unmap(pgdir) < 0;
    } else {
        if (pgdir->data) {
            munmap(pgdir->data, (size_t)pgdir->nr_pages * XEN_GUEST_PAGE);
        }
        busy = free_granted(pgdir->guest, pgdir->nr_pages, pgdir->pages,
                            pgdir->refs);
    }
    busy += free_granted(pgdir->guest, pgdir->nr_dirs, pgdir->dir_pages,
                         pgdir->dir_refs);
    g_free(pgdir->pages);
    g_free(pgdir->refs);
    g_free(pgdir->dir_pages);
    g_free(pgdir->dir_refs);
    g_free(pgdir->handles);
    g_free(pgdir);
    return busy;
}
