/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A counting, refusing fake of a foreign domain and its grants, for the unit
 * tests, the fuzzers and the benchmarks of the lower layer.
 *
 * The domain's memory is a memfd, so a mapping is a real shared mapping with
 * an address of its own: a read-only one faults when written, and one that is
 * gone faults when touched.  Misuse (an unmap that matches no map, a count
 * beyond the limit) fails an assertion at once.
 *
 * A dma-buf of its pages is one end of a pipe: the other end tells when the
 * last descriptor of it is closed.  What is imported can be any descriptor.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_FAKE_GRANTS_H
#define TESTS_UNIT_FAKE_GRANTS_H

#include "hw/xen/xen-pgdir.h"

typedef struct FakeGrants FakeGrants;
typedef struct FakeGrant FakeGrant;

typedef void (*FakeGrantsHook)(FakeGrants *f, const uint32_t *refs,
                               uint32_t count, void *opaque);

/**
 * struct FakeRefusal - a call of one operation that is to fail
 *
 * @in: the how many-th from now, or 0 for none
 * @error: what it returns
 */
typedef struct FakeRefusal {
    uint64_t in;
    int32_t error;
} FakeRefusal;

/**
 * struct FakeGrants - a domain; the fields are for tests to read and to set
 *
 * @map_calls: calls of map, refused ones included
 * @unmap_calls: calls of unmap
 * @replace_calls: calls of replace; they count as calls of unmap, too
 * @refused: calls of map that failed
 * @live_maps: mappings that exist now
 * @max_live_maps: most mappings that existed at once
 * @live_pages: pages mapped now
 * @live_writable: of these, pages mapped writable
 * @max_live_pages: most pages that were mapped at once
 * @mapped_pages: pages ever mapped
 * @destroyed: calls of destroy
 * @share_calls: calls of share, refused ones included
 * @read_only_shares: of these, those for reading alone
 * @unshare_calls: calls of unshare
 * @shared_pages: pages of the host's that are shared now, those of dma-bufs
 *     among them
 * @export_calls: calls of dmabuf_export, refused ones included
 * @export_flags: those of the last one
 * @exports: dma-bufs that were not forgotten
 * @in_use_calls: calls of dmabuf_in_use
 * @import_calls: calls of dmabuf_import, refused ones included
 * @release_calls: calls of dmabuf_release
 * @imports: dma-bufs that are imported now
 * @max_count: references that one call may take; more fail an assertion,
 *     as the mapper was told.  0 means any number.
 * @limit_pages: with more pages mapped than this, map answers -ENOSPC.
 *     0 means no limit.
 * @limit_errno: what it answers instead of -ENOSPC, if not 0
 * @one_mmap: map consecutive pages with one mmap() and populate them, instead
 *     of page by page
 * @on_map: called with each mapping that was made, before map returns
 * @on_unmap: called before a mapping is undone
 * @on_share: called with the references that were shared, before share
 *     returns
 * @hook_opaque: handed to all of them
 * @on_unmapped: called when an address was unmapped, before unmap returns
 * @unmapped_opaque: handed to it
 */
struct FakeGrants {
    uint64_t map_calls;
    uint64_t unmap_calls;
    uint64_t replace_calls;
    uint64_t refused;
    uint64_t live_maps;
    uint64_t max_live_maps;
    uint64_t live_pages;
    uint64_t live_writable;
    uint64_t max_live_pages;
    uint64_t mapped_pages;
    uint64_t destroyed;
    uint64_t share_calls;
    uint64_t read_only_shares;
    uint64_t unshare_calls;
    uint64_t shared_pages;
    uint64_t export_calls;
    uint32_t export_flags;
    uint64_t exports;
    uint64_t in_use_calls;
    uint64_t import_calls;
    uint64_t release_calls;
    uint64_t imports;

    uint32_t max_count;
    uint64_t limit_pages;
    int32_t limit_errno;
    bool one_mmap;
    FakeGrantsHook on_map;
    FakeGrantsHook on_unmap;
    FakeGrantsHook on_share;
    void *hook_opaque;
    void (*on_unmapped)(FakeGrants *f, void *addr, uint32_t count,
                        void *opaque);
    void *unmapped_opaque;

    /* the rest is private */
    int fd;
    uint32_t nr_pages;
    uint8_t *memory;
    FakeGrant *grants;          /* by reference; reference 0 is never given */
    uint32_t nr_grants;
    GArray *free_pages;
    GArray *free_refs;
    GHashTable *maps;
    FakeRefusal refuse_map;
    FakeRefusal refuse_share;
    FakeRefusal refuse_replace;
    GHashTable *shares;
    uint32_t next_share_ref;
    GHashTable *dmabufs;        /* by id: those that are exported */
    uint32_t next_id;
    FakeRefusal refuse_export;
    GHashTable *imported;       /* by descriptor */
    FakeRefusal refuse_import;
};

/** fake_grants_ops: operations of a mapper; its opaque is the FakeGrants */
extern const XenPgdirGrantOps fake_grants_ops;

/** fake_grants_new: make a domain of that many pages, none granted */
FakeGrants *fake_grants_new(uint32_t pages);

/** fake_grants_free: free it; asserts that nothing is mapped any more */
void fake_grants_free(FakeGrants *f);

/** fake_grants_alloc: grant a fresh zeroed page; asserts that one is left */
uint32_t fake_grants_alloc(FakeGrants *f, bool writable);

/**
 * fake_grants_end: end a grant and free its page
 *
 * As with a real frontend the reference is the first one to be given again.
 *
 * Returns: false, and does nothing, while the page is mapped.
 */
bool fake_grants_end(FakeGrants *f, uint32_t gref);

/** fake_grants_page: the guest's view of the page behind a reference */
void *fake_grants_page(FakeGrants *f, uint32_t gref);

/**
 * fake_grants_build_directory: describe granted pages by a directory
 *
 * Returns: the reference of its first page.  The chain has as many pages as
 * @count needs, at least one, and ends with 0.
 */
uint32_t fake_grants_build_directory(FakeGrants *f, const uint32_t *refs,
                                     uint32_t count);

/**
 * fake_grants_make_directory: grant fresh pages and build their directory
 * @f: the domain
 * @count: data pages
 * @refs: where to store their references, or NULL
 *
 * Data pages are granted writable, as Linux does.
 */
uint32_t fake_grants_make_directory(FakeGrants *f, uint32_t count,
                                    uint32_t *refs);

/** fake_grants_end_directory: end such a directory and its data pages */
bool fake_grants_end_directory(FakeGrants *f, uint32_t dir_ref,
                               uint32_t count);

/**
 * fake_grants_refuse: refuse the @nth call of map from now (1: the next), and
 *     no other; with 0, none
 *
 * Returns: whether a refusal that was asked for before had not come yet.
 */
bool fake_grants_refuse(FakeGrants *f, uint64_t nth, int32_t err);

/** fake_grants_refuse_share: the same for calls of share */
bool fake_grants_refuse_share(FakeGrants *f, uint64_t nth, int32_t err);

/**
 * fake_grants_refuse_replace: the same for calls of replace; with an @err of
 *     1 it unmaps, but does not replace
 */
bool fake_grants_refuse_replace(FakeGrants *f, uint64_t nth, int32_t err);

/** fake_grants_refuse_export: the same for calls of dmabuf_export */
bool fake_grants_refuse_export(FakeGrants *f, uint64_t nth, int32_t err);

/** fake_grants_refuse_import: the same for calls of dmabuf_import */
bool fake_grants_refuse_import(FakeGrants *f, uint64_t nth, int32_t err);

/**
 * fake_grants_shared_page: the guest's view of a page that the host shares
 *
 * Returns: NULL for what is no reference of such a page.
 */
void *fake_grants_shared_page(FakeGrants *f, uint32_t gref);

/**
 * fake_grants_link_directory: make an empty directory, as a frontend does
 *     that leaves the allocation to the backend
 * @f: the domain
 * @count: data pages that the backend is to fill in
 *
 * Returns: the reference of its first page.
 */
uint32_t fake_grants_link_directory(FakeGrants *f, uint32_t count);

/**
 * fake_grants_end_links: end the @dirs pages of such a directory
 *
 * Returns: false if one of them is still mapped.
 */
bool fake_grants_end_links(FakeGrants *f, uint32_t dir_ref, uint32_t dirs);

/** fake_grants_refuse_ref: refuse to map a reference; 0 allows it again */
void fake_grants_refuse_ref(FakeGrants *f, uint32_t gref, int32_t err);

/**
 * FAKE_GRANTS_ADD_TEST: add a test twice: with all grants of a range mapped in
 *     one call, and page by page
 *
 * The data that @set_up gets is what a mapper may be told to map in one call:
 * 0, any number, and 1.
 */
#define FAKE_GRANTS_ADD_TEST(prefix, name, Fixture, set_up, func, tear_down) \
    do { \
        g_autofree char *once_ = \
            g_strdup_printf("%s/at-once/%s", prefix, name); \
        g_autofree char *pages_ = \
            g_strdup_printf("%s/page-by-page/%s", prefix, name); \
        \
        g_test_add(once_, Fixture, NULL, set_up, func, tear_down); \
        g_test_add(pages_, Fixture, GUINT_TO_POINTER(1), set_up, func, \
                   tear_down); \
    } while (0)

#endif /* TESTS_UNIT_FAKE_GRANTS_H */
