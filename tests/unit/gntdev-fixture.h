/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest, a host and its grant devices, for tests of the models of these
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_GNTDEV_FIXTURE_H
#define TESTS_UNIT_GNTDEV_FIXTURE_H

#include "../../hw/xen/testbed/gntalloc.h"
#include "../../hw/xen/testbed/gntdev.h"
#include "../../hw/xen/testbed/grant-refs.h"
#include "../../hw/xen/testbed/grant-table.h"

#define DOM0        0
#define GUEST       1
#define PAGE        XEN_MACHINE_PAGE_SIZE

#define FRAMES      600
#define ENTRIES     512
#define HANDLES     300
#define GUEST_FIRST 100     /* the guest's frames, before them dom0's spare */
#define REFS        400     /* references of the guest's that are granted */
#define PORTS       8

/* Grant @n permits frame GUEST_FIRST + n; odd ones are read-only */
#define REF(n)      (8 + (n))
#define FRAME(n)    (GUEST_FIRST + (n))

typedef struct Fixture {
    XenMachine machine;
    void *block;
    uint8_t *memory;
    grant_entry_v1_t *tables[2];
    XenGntHost host;
    XenGntdevConfig config;
    XenGntdevFile *file;
    XenGntallocConfig alloc_config;
    XenGntalloc *alloc;
    uint32_t port_users[PORTS];
    uint32_t port_sent[PORTS];
    bool bad_address;
} Fixture;

/* @data: the XenGntdevConfig of the file */
void set_up(Fixture *f, gconstpointer data);

/* The machine agrees with itself */
void check(Fixture *f);

/* Mappings of the guest's grants, by whomever */
uint64_t nr_mapped(Fixture *f);

/* Nothing may be mapped any more, whatever the test did */
void tear_down(Fixture *f, gconstpointer data);

/* Where a slot is in the file */
uint64_t offset(uint32_t slot);

/* MAP_GRANT_REF of even grants, from @n on: the first slot, or the error */
int64_t request(Fixture *f, uint32_t n, uint32_t count);

int unmap(Fixture *f, uint32_t slot, uint32_t count);

/* mmap() by process 7, shared */
int do_mmap(Fixture *f, uint32_t slot, uint32_t count, bool write);

void do_munmap(Fixture *f, uint32_t slot, uint32_t count);

void assert_states(Fixture *f, uint32_t slot, uint32_t count,
                   XenGntdevState state);

/* Add a test, below /xen */
void add(const char *name, void (*fn)(Fixture *, gconstpointer));

#endif /* TESTS_UNIT_GNTDEV_FIXTURE_H */
