/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine of three domains, for tests of the model of Xen's grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_GRANT_FIXTURE_H
#define TESTS_UNIT_GRANT_FIXTURE_H

#include "../../hw/xen/testbed/grant-refs.h"
#include "../../hw/xen/testbed/grant-table.h"

#define FRAMES      128
#define ENTRIES     64
#define HANDLES     40
#define PFNS        32
#define PTES        64

/* Three domains: each has its grant table, and 30 frames from this one on */
#define OWNER       1
#define PEER        0
#define OTHER       7
#define FIRST(domid) ((domid) == OWNER ? 10 : (domid) == PEER ? 50 : 90)
#define COUNT       30

/* An address of the peer that it does not map twice */
#define ADDR(i)     ((uint64_t)((i) % (PTES - 1) + 1) << XEN_MACHINE_PAGE_SHIFT)

#define IDLE        ((uint16_t)GTF_permit_access)
#define READING     ((uint16_t)(IDLE | GTF_reading))
#define WRITING     ((uint16_t)(READING | GTF_writing))

typedef struct Fixture {
    void *block;
    uint8_t *memory;
    XenMachine machine;
    grant_entry_v1_t *shared;   /* the owner's */
} Fixture;

/* Without page tables, @nr_ptes is 0 */
void set_up_sizes(Fixture *f, uint32_t nr_ptes);

void set_up(Fixture *f, const void *data);

/* All counts agree, flags included; for tests that keep to the rules */
void check(Fixture *f, bool trusted);

/* Counts agree, whatever the test did */
void tear_down(Fixture *f, const void *data);

/* The owner's entry @ref is for the peer */
void grant(Fixture *f, uint32_t ref, uint32_t frame, uint16_t flags);

/* As entry @i of a batch */
struct gnttab_map_grant_ref map_op(uint32_t i, uint32_t ref,
                                   uint32_t flags);

struct gnttab_unmap_grant_ref unmap_op(
    const struct gnttab_map_grant_ref *map);

/* One at a time: the status */
int16_t map_as(Fixture *f, domid_t domid,
               struct gnttab_map_grant_ref *op);

/* The same by the peer */
int16_t map(Fixture *f, struct gnttab_map_grant_ref *op);

int16_t unmap_as(Fixture *f, domid_t domid,
                 const struct gnttab_map_grant_ref *mapped);

int16_t unmap(Fixture *f, const struct gnttab_map_grant_ref *mapped);

/* The peer uses the owner's grant */
int16_t pin(Fixture *f, uint32_t ref, bool write, uint32_t *frame);

void unpin(Fixture *f, uint32_t ref, bool write);

/* Of what the owner grants */
void check_stats(Fixture *f, uint64_t mapped, uint64_t peak,
                 uint64_t refs);

/* From the owner's grant @ref to the peer's @frame, or back */
struct gnttab_copy copy_op(uint32_t ref, uint32_t frame, bool from_ref);

/* By the peer: the status */
int16_t copy(Fixture *f, struct gnttab_copy op);

/* Add a test, below /xen/grant-table */
void add(const char *name, void (*fn)(Fixture *, const void *));

#endif /* TESTS_UNIT_GRANT_FIXTURE_H */
