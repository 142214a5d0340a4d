/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's shared buffer and its page directory
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <string.h>

#include "xen-front-pgdir.h"

/* Allocating */

static bool alloc_pages(XenGuest *guest, uint32_t *pages, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        pages[i] = xen_guest_alloc_page(guest);
        if (!pages[i]) {
            return false;
        }
    }
    return true;
}

static bool grant_pages(XenGuest *guest, const uint32_t *pages,
                        uint32_t *refs, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        refs[i] = xen_guest_grant(guest, pages[i], false);
        if (!refs[i]) {
            return false;
        }
    }
    return true;
}

static int alloc_storage(XenFrontPgdir *pgdir)
{
    pgdir->grefs = g_new0(uint32_t, pgdir->nr_refs);
    pgdir->dir_refs = pgdir->grefs;
    pgdir->dir_pages = g_new0(uint32_t, pgdir->nr_dirs);
    if (!alloc_pages(pgdir->guest, pgdir->dir_pages, pgdir->nr_dirs)) {
        return -ENOMEM;
    }
    if (pgdir->be_alloc) {
        pgdir->refs = g_new0(uint32_t, pgdir->nr_pages);
        return 0;
    }
    pgdir->refs = pgdir->grefs + pgdir->nr_dirs;
    pgdir->pages = g_new0(uint32_t, pgdir->nr_pages);
    return alloc_pages(pgdir->guest, pgdir->pages, pgdir->nr_pages) ?
           0 : -ENOMEM;
}

static int grant_references(XenFrontPgdir *pgdir)
{
    XenGuest *guest = pgdir->guest;

    if (!grant_pages(guest, pgdir->dir_pages, pgdir->dir_refs,
                     pgdir->nr_dirs)) {
        return -ENOSPC;
    }
    if (!pgdir->be_alloc &&
        !grant_pages(guest, pgdir->pages, pgdir->refs, pgdir->nr_pages)) {
        return -ENOSPC;
    }
    return 0;
}

static int map_own(XenFrontPgdir *pgdir)
{
    pgdir->data = xen_guest_map_pages(pgdir->guest, pgdir->pages,
                                      pgdir->nr_pages);
    return pgdir->data ? 0 : -ENOMEM;
}

int xen_front_pgdir_alloc(XenGuest *guest, uint64_t size, bool be_alloc,
                          XenFrontPgdir **result)
{
    uint64_t nr_pages = size / XEN_GUEST_PAGE + !!(size % XEN_GUEST_PAGE);
    XenFrontPgdir *pgdir;
    int ret;

    *result = NULL;
    if (!nr_pages || nr_pages > xen_guest_nr_pages(guest)) {
        return -EINVAL;
    }

    pgdir = g_new0(XenFrontPgdir, 1);
    pgdir->guest = guest;
    pgdir->size = size;
    pgdir->be_alloc = be_alloc;
    pgdir->nr_pages = nr_pages;
    pgdir->nr_dirs = (nr_pages + XEN_FRONT_REFS_PER_DIR - 1) /
                     XEN_FRONT_REFS_PER_DIR;
    pgdir->nr_refs = pgdir->nr_dirs + (be_alloc ? 0 : pgdir->nr_pages);

    ret = alloc_storage(pgdir) ?: grant_references(pgdir);
    if (!ret) {
        xen_front_pgdir_fill(pgdir);
        ret = be_alloc ? 0 : map_own(pgdir);
    }
    if (ret) {
        xen_front_pgdir_free(pgdir);
        return ret;
    }
    *result = pgdir;
    return 0;
}

XenFrontPgdir *xen_front_pgdir_new(XenGuest *guest, uint64_t size)
{
    XenFrontPgdir *pgdir;

    xen_front_pgdir_alloc(guest, size, false, &pgdir);
    return pgdir;
}

XenFrontPgdir *xen_front_pgdir_new_be_alloc(XenGuest *guest, uint64_t size)
{
    XenFrontPgdir *pgdir;

    xen_front_pgdir_alloc(guest, size, true, &pgdir);
    return pgdir;
}

/* The directory */

XenFrontDirPage *xen_front_pgdir_page(XenFrontPgdir *pgdir, uint32_t index)
{
    g_assert(index < pgdir->nr_dirs);
    return xen_guest_page(pgdir->guest, pgdir->dir_pages[index]);
}

uint32_t xen_front_pgdir_ref(const XenFrontPgdir *pgdir)
{
    return pgdir ? pgdir->grefs[0] : 0;
}

void xen_front_pgdir_fill(XenFrontPgdir *pgdir)
{
    uint32_t dir;

    for (dir = 0; dir < pgdir->nr_dirs; dir++) {
        XenFrontDirPage *page = xen_front_pgdir_page(pgdir, dir);
        uint32_t first = dir * XEN_FRONT_REFS_PER_DIR;
        uint32_t left = pgdir->nr_pages - first;

        page->next = left <= XEN_FRONT_REFS_PER_DIR ?
                     XEN_FRONT_DIR_END : pgdir->dir_refs[dir + 1];
        if (!pgdir->be_alloc) {
            memset(page->refs, 0, sizeof(page->refs));
            memcpy(page->refs, pgdir->refs + first,
                   MIN(left, XEN_FRONT_REFS_PER_DIR) * sizeof(uint32_t));
        }
    }
}

/* The backend's buffer */

/* The directory may change meanwhile: what is mapped is what we saw */
static void read_refs(XenFrontPgdir *pgdir)
{
    uint32_t i;

    for (i = 0; i < pgdir->nr_pages; i++) {
        XenFrontDirPage *page =
            xen_front_pgdir_page(pgdir, i / XEN_FRONT_REFS_PER_DIR);

        pgdir->refs[i] = page->refs[i % XEN_FRONT_REFS_PER_DIR];
    }
}

static int check_handles(const XenFrontPgdir *pgdir)
{
    int ret = 0;
    uint32_t i;

    for (i = 0; i < pgdir->nr_pages; i++) {
        if (pgdir->handles[i] == XEN_GUEST_NO_HANDLE) {
            g_info("cannot map page %u, reference %u", i, pgdir->refs[i]);
            ret = -ENXIO;
        }
    }
    return ret;
}

int xen_front_pgdir_map(XenFrontPgdir *pgdir)
{
    void *data;
    int ret;

    if (!pgdir->be_alloc) {
        return 0;
    }
    if (pgdir->data) {
        return -EBUSY;
    }
    read_refs(pgdir);
    pgdir->handles = g_new(uint32_t, pgdir->nr_pages);
    ret = xen_guest_map_grants(pgdir->guest, pgdir->refs, pgdir->nr_pages,
                               pgdir->handles, &data);
    if (ret) {
        g_info("cannot map the buffer: %s", g_strerror(-ret));
        g_clear_pointer(&pgdir->handles, g_free);
        return ret;
    }
    pgdir->data = data;
    ret = check_handles(pgdir);
    if (ret) {
        xen_front_pgdir_unmap(pgdir);
    }
    return ret;
}

int xen_front_pgdir_unmap(XenFrontPgdir *pgdir)
{
    int ret;

    if (!pgdir->handles) {
        return 0;
    }
    ret = xen_guest_unmap_grants(pgdir->guest, pgdir->data, pgdir->nr_pages,
                                 pgdir->handles);
    if (ret) {
        g_info("cannot unmap all of the buffer: %s", g_strerror(-ret));
    }
    pgdir->data = NULL;
    g_clear_pointer(&pgdir->handles, g_free);
    return ret;
}

/* The end */

uint32_t xen_front_pgdir_in_use(XenFrontPgdir *pgdir)
{
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < pgdir->nr_pages && !pgdir->be_alloc; i++) {
        count += xen_guest_in_use(pgdir->guest, pgdir->refs[i]);
    }
    return count;
}

/* Pages may be there without references, but not the other way round */
static uint32_t free_granted(XenGuest *guest, const uint32_t *pages,
                             const uint32_t *refs, uint32_t count)
{
    uint32_t busy = 0;
    uint32_t i;

    for (i = 0; pages && i < count; i++) {
        if (xen_guest_end_access(guest, refs[i]) < 0) {
            busy++;
        } else {
            xen_guest_free_page(guest, pages[i]);
        }
    }
    return busy;
}

uint32_t xen_front_pgdir_free(XenFrontPgdir *pgdir)
{
    uint32_t busy;

    if (!pgdir) {
        return 0;
    }
    if (pgdir->data && !pgdir->be_alloc) {
        xen_guest_unmap_pages(pgdir->guest, pgdir->data, pgdir->pages,
                              pgdir->nr_pages);
    }
    busy = free_granted(pgdir->guest, pgdir->dir_pages, pgdir->dir_refs,
                        pgdir->nr_dirs);
    busy += free_granted(pgdir->guest, pgdir->pages, pgdir->refs,
                         pgdir->nr_pages);
    if (pgdir->be_alloc) {
        g_free(pgdir->refs);
    }
    g_free(pgdir->pages);
    g_free(pgdir->dir_pages);
    g_free(pgdir->grefs);
    g_free(pgdir->handles);
    g_free(pgdir);
    return busy;
}
