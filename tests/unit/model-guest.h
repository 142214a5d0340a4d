/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest whose Xen is the grant-table model, in this process: memory and
 * grants, and nothing else.  Every operation can be made to fail.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_MODEL_GUEST_H
#define TESTS_UNIT_MODEL_GUEST_H

#include "../../hw/xen/testbed/grant-refs.h"
#include "../../hw/xen/testbed/grant-table.h"
#include "../frontend/xen-guest-ops.h"

/* The guest; the backend's domain is XEN_GUEST_BACKEND */
#define MODEL_GUEST_DOMID   1

/**
 * struct ModelGuestOp - an operation, for those who want to know the order
 *
 * @name: "alloc-page", "map-page", "grant", "map", "unmap", "end-access" or
 *     "free-page"
 * @page: the page, or the number of pages
 * @ref: the reference, or 0
 */
typedef struct ModelGuestOp {
    const char *name;
    uint32_t page;
    uint32_t ref;
} ModelGuestOp;

/**
 * struct ModelGuest - the guest
 *
 * @machine: of the guest and the backend
 * @refs: of the guest
 * @backend_refs: of the backend
 * @backend_first: page of the backend that its first reference shares
 * @log: operations that worked, ModelGuestOp
 * @fail_in: let the n-th next operation that can fail do so; 0 never
 */
typedef struct ModelGuest {
    XenGuest guest;             /* first */

    XenMachine machine;
    XenGrantRefs *refs;
    XenGrantRefs *backend_refs;
    grant_entry_v1_t *entries;
    grant_entry_v1_t *backend_entries;

    uint32_t backend_first;
    int memory_fd;
    uint32_t *free_pages;
    uint32_t nr_free;

    GArray *log;
    uint32_t fail_in;
} ModelGuest;

/**
 * model_guest_new: a guest and a backend
 * @pages: pages that the guest has, and the backend, too
 * @refs: references that each of them has, GNTTAB_NR_RESERVED_ENTRIES of them
 *     reserved
 * @handles: mappings that each of them can have
 */
ModelGuest *model_guest_new(uint32_t pages, uint32_t refs, uint32_t handles);

/* The backend shares a page of its own: a reference, or 0 */
uint32_t model_backend_share(ModelGuest *g, uint32_t *page, bool readonly);

/* What a page of either holds */
void *model_page(ModelGuest *g, uint32_t page);

/* Pages and references that the guest has left, mappings of it and of them */
uint32_t model_guest_free_pages(ModelGuest *g);
uint32_t model_guest_free_refs(ModelGuest *g);
uint64_t model_guest_mapped(ModelGuest *g);
uint64_t model_backend_mapped(ModelGuest *g);

#endif /* TESTS_UNIT_MODEL_GUEST_H */
