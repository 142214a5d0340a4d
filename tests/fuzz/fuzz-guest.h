/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile guest for the fuzzers: its memory, and its grants over the model
 * of the hypervisor's grant tables.
 *
 * The memory is a memfd and mappings are real: one that is gone faults when
 * touched, one that is read-only faults when written.  The guest changes its
 * memory in between of everything that can be told apart: in each grant
 * operation, and in each operation that an engine asks of its owner.
 *
 * Pages of the guest, each granted by the reference of the same number until
 * the guest has it otherwise:
 *
 *   0        not the guest's
 *   1        the shared grant entries
 *   2 - 15   rings and event pages
 *   16 - 31  page directories
 *   32 - 95  data; the last 16 of them are granted read-only
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FUZZ_FUZZ_GUEST_H
#define TESTS_FUZZ_FUZZ_GUEST_H

#include <glib.h>

#include "hw/xen/xen-pgdir.h"
#include "../../hw/xen/testbed/grant-table.h"
#include "fuzz-input.h"

#define FUZZ_PAGES          96
#define FUZZ_TABLE          1
#define FUZZ_CHANNELS       2
#define FUZZ_DIRS           16
#define FUZZ_NR_DIRS        16
#define FUZZ_DATA           32
#define FUZZ_READONLY       80

/* Mappings that the map track has room for: less than two budgets */
#define FUZZ_MAX_MAPPINGS   1536

/* Tag of rings and event pages, which no mapper knows of */
#define FUZZ_TAG_CHANNEL    UINT32_MAX

/**
 * struct FuzzGuest - the guest
 *
 * @in: the fuzzer's input
 * @memory: the guest's own view of its pages
 * @machine: the hypervisor
 * @block: its books
 * @mapped: pages that are mapped now, by anybody
 * @shares: what hosts share with the guest: struct FuzzShare, the newest last
 */
typedef struct FuzzGuest {
    FuzzInput *in;
    uint8_t *memory;
    XenMachine machine;
    void *block;
    uint64_t mapped;
    GPtrArray *shares;
} FuzzGuest;

/**
 * struct FuzzShare - pages that a host shares with the guest
 *
 * @first_ref: reference of the first page; those of the others follow
 */
typedef struct FuzzShare {
    uint8_t *addr;
    uint32_t count;
    uint32_t first_ref;
} FuzzShare;

/**
 * struct FuzzMapping - one mapping of a backend's
 *
 * @tag: the owner's @tag when it was made
 * @handles: the hypervisor's
 * @refs: references, as the backend gave them
 */
typedef struct FuzzMapping {
    void *addr;
    uint32_t count;
    bool writable;
    uint32_t tag;
    grant_handle_t *handles;
    uint32_t *refs;
} FuzzMapping;

/**
 * struct FuzzHost - a backend's hold on the guest: its grant operations
 *
 * @mapper: made of these operations
 * @config: its limits
 * @maps: the backend's mappings, by address
 * @tag: noted in each new mapping
 * @may_write: the backend may map pages for writing now
 * @mapped: pages mapped now
 * @writable: of these, mapped for writing
 * @shared: pages of the host's shared now
 * @nr_shares: ranges of them that were ever shared
 * @refs: if not NULL, mappings must be of consecutive references of these
 * @nr_refs: their number
 * @on_map: called last of all in a map operation, before the backend sees
 *     the pages
 * @on_unmap: called first of all in an unmap operation, with what the backend
 *     left in the pages
 */
typedef struct FuzzHost FuzzHost;
struct FuzzHost {
    FuzzGuest *guest;
    XenPgdirMapper *mapper;
    XenPgdirConfig config;
    GHashTable *maps;
    uint32_t tag;
    bool may_write;
    uint64_t mapped;
    uint64_t writable;
    uint64_t shared;
    uint32_t nr_shares;
    const uint32_t *refs;
    uint32_t nr_refs;
    void (*on_map)(FuzzHost *host, const FuzzMapping *mapping);
    void (*on_unmap)(FuzzHost *host, const FuzzMapping *mapping);
    void *opaque;
    bool destroyed;
};

/** fuzz_guest_new: make a guest as described above */
FuzzGuest *fuzz_guest_new(FuzzInput *in);

/** fuzz_guest_free: free it; nothing may be mapped or shared any more */
void fuzz_guest_free(FuzzGuest *guest);

/** fuzz_guest_page: the guest's view of a page */
void *fuzz_guest_page(FuzzGuest *guest, uint32_t page);

/** fuzz_guest_write: change memory, as the input says */
void fuzz_guest_write(FuzzGuest *guest);

/** fuzz_guest_disturb: the same, a few times or not at all, behind a back */
void fuzz_guest_disturb(FuzzGuest *guest);

/**
 * fuzz_guest_directory: write a page directory, as the input says
 *
 * Returns: its first page.
 */
uint32_t fuzz_guest_directory(FuzzGuest *guest);

/** fuzz_guest_ref: a reference for a request: mostly that of a directory */
uint32_t fuzz_guest_ref(FuzzGuest *guest);

/** fuzz_guest_die: the guest is destroyed: nothing new can be mapped */
void fuzz_guest_die(FuzzGuest *guest);

/** fuzz_guest_check: look at the hypervisor's books */
void fuzz_guest_check(FuzzGuest *guest);

/**
 * fuzz_host_new: make a backend's mapper, with limits as the input says
 *
 * Maps for @max_buffer_pages at most, and may share pages.
 */
FuzzHost *fuzz_host_new(FuzzGuest *guest);

/** fuzz_host_free: free it; nobody may use its mapper any more */
void fuzz_host_free(FuzzHost *host);

/**
 * fuzz_host_map: map pages, past any mapper; the hypervisor's answer alone
 *
 * Returns: 0 or a negative errno value.
 */
int32_t fuzz_host_map(FuzzHost *host, const uint32_t *refs, uint32_t count,
                      bool writable, void **addr);

/** fuzz_host_unmap: undo one fuzz_host_map() */
void fuzz_host_unmap(FuzzHost *host, void *addr, const uint32_t *refs,
                     uint32_t count);

/** fuzz_host_check: hold the mapper to its limits and to what is mapped */
void fuzz_host_check(FuzzHost *host);

/** fuzz_host_tagged: pages mapped now by mappings of that tag */
uint64_t fuzz_host_tagged(FuzzHost *host, uint32_t tag);

#endif /* TESTS_FUZZ_FUZZ_GUEST_H */
