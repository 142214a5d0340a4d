/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the real libxengnttab have in common: a fake machine of
 * their own each, domains to be, and a look behind the scenes.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_GNTTAB_GNTTAB_FIXTURE_H
#define TESTS_GNTTAB_GNTTAB_FIXTURE_H

#include <xengnttab.h>

#include "../../hw/xen/testbed/fake-machine.h"

#define DOM0        0
#define GUEST       1
#define OTHER       2
#define PAGE        XEN_MACHINE_PAGE_SIZE

/**
 * struct Fixture - a machine, with a guest that shares and a dom0 that maps
 *
 * @tab: dom0's
 * @shr: the guest's
 * @fake: the machine from behind
 */
typedef struct Fixture {
    xengnttab_handle *tab;
    xengntshr_handle *shr;
    XenFakeMachine *fake;
    char *dir;
} Fixture;

/* Be a domain from now on, for what is opened */
void be_domain(unsigned int domid);

/* @data: sizes of the machine, as XEN_FAKE_CONFIG */
void set_up(Fixture *f, gconstpointer data);
void tear_down(Fixture *f, gconstpointer data);

/* A logger for failures that are wanted */
struct xentoollog_logger *quiet(void);

/* The guest shares pages with dom0, each with its number at the start */
uint8_t *share(Fixture *f, uint32_t count, uint32_t *refs, bool writable);

/* What is at the start of a page, put there by share() or set_number() */
uint32_t number_at(const uint8_t *pages, uint32_t page);
void set_number(uint8_t *pages, uint32_t page, uint32_t number);

/* Mappings of the guest's grants, by whomever */
uint64_t nr_mapped(Fixture *f);

/* Pages of the guest's gntalloc, and of these that only wait for a peer */
XenGntallocStats alloc_stats(Fixture *f);

/* The shared entry of a reference of the guest's */
grant_entry_v1_t entry_of(Fixture *f, uint32_t ref);

/* A port of a domain's, and how often it was notified */
uint32_t open_port(Fixture *f, domid_t domid);
void close_port(Fixture *f, domid_t domid, uint32_t port);
uint64_t times_sent(Fixture *f, domid_t domid, uint32_t port);
uint32_t port_users(Fixture *f, domid_t domid, uint32_t port);

/* Let a child run, and see how it ends: as waitpid() */
typedef void ChildFn(Fixture *f, void *opaque);
int run_child(Fixture *f, ChildFn *fn, void *opaque);

/* A child that does something and then waits to be killed */
pid_t start_child(Fixture *f, ChildFn *fn, void *opaque);
void kill_child(pid_t pid);

#define assert_errno(expression, result, error) do {                \
    errno = 0;                                                      \
    g_assert_true((expression) == (result));                        \
    g_assert_cmpint(errno, ==, error);                              \
} while (0)

#endif /* TESTS_GNTTAB_GNTTAB_FIXTURE_H */
