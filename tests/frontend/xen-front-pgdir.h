/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's shared buffer and its page directory (xen/io/displif.h,
 * struct xendispl_page_directory), allocated by the frontend or the backend.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_FRONT_PGDIR_H
#define TESTS_FRONTEND_XEN_FRONT_PGDIR_H

#include "xen-guest.h"

#define XEN_FRONT_REFS_PER_DIR  1023u

/* A directory page as it lies in memory */
typedef struct XenFrontDirPage {
    uint32_t next;
    uint32_t refs[XEN_FRONT_REFS_PER_DIR];
} XenFrontDirPage;

/**
 * struct XenFrontPgdir - a buffer: its pages, their grants, its directory
 *
 * @handles: if the backend allocates: of its pages, once they are mapped
 * @data: the pages side by side
 */
typedef struct XenFrontPgdir {
    XenGuest *guest;
    uint64_t size;
    uint32_t nr_pages;
    uint32_t nr_dirs;
    uint32_t *pages;
    uint32_t *refs;
    uint32_t *dir_pages;
    uint32_t *dir_refs;
    bool be_alloc;
    uint32_t *handles;
    uint8_t *data;
} XenFrontPgdir;

/**
 * xen_front_pgdir_new: allocate and grant a buffer and its directory
 * @guest: the guest
 * @size: bytes
 *
 * Returns: the buffer, or NULL when pages or references have run out.
 */
XenFrontPgdir *xen_front_pgdir_new(XenGuest *guest, uint64_t size);

/**
 * xen_front_pgdir_new_be_alloc: a directory that the backend is to fill in
 * @guest: the guest
 * @size: bytes
 *
 * The buffer has no data before xen_front_pgdir_map().
 */
XenFrontPgdir *xen_front_pgdir_new_be_alloc(XenGuest *guest, uint64_t size);

/* Map what the backend has filled in, and unmap it; -EINVAL */
int xen_front_pgdir_map(XenFrontPgdir *pgdir);
int xen_front_pgdir_unmap(XenFrontPgdir *pgdir);

/* What the directory says when nobody has tampered with it */
void xen_front_pgdir_fill(XenFrontPgdir *pgdir);

/* The reference of the first directory page */
uint32_t xen_front_pgdir_ref(const XenFrontPgdir *pgdir);

XenFrontDirPage *xen_front_pgdir_page(XenFrontPgdir *pgdir, uint32_t index);

/* Data pages that the backend uses */
uint32_t xen_front_pgdir_in_use(XenFrontPgdir *pgdir);

/**
 * xen_front_pgdir_free: end all access and free everything
 * @pgdir: the buffer, or NULL
 *
 * Returns: how many pages the backend still used.  These stay granted, and
 * never become free again.
 */
uint32_t xen_front_pgdir_free(XenFrontPgdir *pgdir);

#endif /* TESTS_FRONTEND_XEN_FRONT_PGDIR_H */
