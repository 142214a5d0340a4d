/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's shared buffer and its page directory (xen/io/displif.h,
 * struct xendispl_page_directory), allocated by the frontend or the backend.
 *
 * It needs a guest's memory and grants, and nothing else of it: see
 * XenGuestOps, from "page" to "unmap_grants".  So it runs in every kind of
 * guest that has these, real, fake or a mere model.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_FRONT_PGDIR_H
#define TESTS_FRONTEND_XEN_FRONT_PGDIR_H

#include "xen-guest.h"

#define XEN_FRONT_REFS_PER_DIR  1023u

/* What ends the chain of directory pages */
#define XEN_FRONT_DIR_END       0u

/* A directory page as it lies in memory */
typedef struct XenFrontDirPage {
    uint32_t next;
    uint32_t refs[XEN_FRONT_REFS_PER_DIR];
} XenFrontDirPage;

/**
 * struct XenFrontPgdir - a buffer: its pages, their grants, its directory
 *
 * @nr_pages: of data
 * @nr_dirs: of the directory
 * @nr_refs: references of the guest's: of the directory's pages and, if the
 *     buffer is its own, of the data's
 * @pages: of data, if the buffer is the guest's own; otherwise NULL
 * @dir_pages: of the directory
 * @grefs: @nr_refs references, those of the directory's pages first
 * @dir_refs: the same
 * @refs: of data: in @grefs if the buffer is the guest's own, otherwise the
 *     backend's, as they were when the buffer was mapped last
 * @be_alloc: the backend allocates
 * @handles: if it does, and the pages are mapped: one for each
 * @data: the pages side by side, or NULL as long as they are not mapped
 */
typedef struct XenFrontPgdir {
    XenGuest *guest;
    uint64_t size;
    uint32_t nr_pages;
    uint32_t nr_dirs;
    uint32_t nr_refs;
    uint32_t *pages;
    uint32_t *dir_pages;
    uint32_t *grefs;
    uint32_t *dir_refs;
    uint32_t *refs;
    bool be_alloc;
    uint32_t *handles;
    uint8_t *data;
} XenFrontPgdir;

/**
 * xen_front_pgdir_alloc: allocate a directory and, maybe, its buffer
 * @guest: the guest
 * @size: bytes
 * @be_alloc: the backend allocates the buffer and fills in the directory, and
 *     there are no data before xen_front_pgdir_map()
 * @pgdir: where to store the buffer, or NULL on failure
 *
 * The directory's pages are granted first, then the data's, all of them for
 * reading and writing.
 *
 * Returns: 0; -EINVAL for a size that cannot be; -ENOMEM when pages have run
 * out, -ENOSPC when references have; then nothing is left of it.
 */
int xen_front_pgdir_alloc(XenGuest *guest, uint64_t size, bool be_alloc,
                          XenFrontPgdir **pgdir);

/* The two modes for those who do not ask why it failed: the buffer, or NULL */
XenFrontPgdir *xen_front_pgdir_new(XenGuest *guest, uint64_t size);
XenFrontPgdir *xen_front_pgdir_new_be_alloc(XenGuest *guest, uint64_t size);

/**
 * xen_front_pgdir_map: map what the backend has filled in
 * @pgdir: the buffer
 *
 * One batch; a page that cannot be mapped undoes it.  There is nothing to do
 * for a buffer of the guest's own.
 *
 * Returns: 0; -ENXIO if not all of the references could be mapped; -EBUSY if
 * they are already; or why the batch as a whole failed.
 */
int xen_front_pgdir_map(XenFrontPgdir *pgdir);

/**
 * xen_front_pgdir_unmap: undo that
 * @pgdir: the buffer
 *
 * Returns: 0, also if there is nothing to do; or why the batch failed, which
 * is over nevertheless.
 */
int xen_front_pgdir_unmap(XenFrontPgdir *pgdir);

/*
 * What the directory says when nobody has tampered with it; if the backend
 * allocates, references of data are not ours to write
 */
void xen_front_pgdir_fill(XenFrontPgdir *pgdir);

/* The reference of the first directory page; 0 for no buffer */
uint32_t xen_front_pgdir_ref(const XenFrontPgdir *pgdir);

XenFrontDirPage *xen_front_pgdir_page(XenFrontPgdir *pgdir, uint32_t index);

/* Data pages of ours that the backend uses */
uint32_t xen_front_pgdir_in_use(XenFrontPgdir *pgdir);

/**
 * xen_front_pgdir_free: end all access and free everything
 * @pgdir: the buffer, or NULL
 *
 * What the backend shares with us is not unmapped by this: it should have
 * been before.
 *
 * Returns: how many pages the backend still used.  These stay granted, and
 * never become free again.
 */
uint32_t xen_front_pgdir_free(XenFrontPgdir *pgdir);

#endif /* TESTS_FRONTEND_XEN_FRONT_PGDIR_H */
