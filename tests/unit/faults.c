/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of the lower layer that fail when a test says so, one by one
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "faults.h"

/* The linker's names: __real_ is what __wrap_ stands in front of */
void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd,
                  off_t offset);
void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd,
                    off_t offset);
void *__real_mremap(void *addr, size_t size, size_t new_size, int flags,
                    void *new_addr);
void *__wrap_mremap(void *addr, size_t size, size_t new_size, int flags,
                    void *new_addr);

static uint64_t fail_in[FAULT_MAX];
static bool no_noreplace;

static bool fails(Fault fault)
{
    return fail_in[fault] && --fail_in[fault] == 0;
}

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd,
                  off_t offset)
{
    /* Not what the fake domain maps: that is shared, or but a placeholder */
    if ((flags & MAP_PRIVATE) && (flags & MAP_ANONYMOUS) &&
        (prot & PROT_WRITE) && fails(FAULT_PAGES)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
#ifdef MAP_FIXED_NOREPLACE
    if (no_noreplace) {
        flags &= ~MAP_FIXED_NOREPLACE;
    }
#endif
    return __real_mmap(addr, size, prot, flags, fd, offset);
}

/* Where off_t has 64 bits anyway both are the same, under two names */
void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd,
                    off_t offset)
{
    return __wrap_mmap(addr, size, prot, flags, fd, offset);
}

void *__wrap_mremap(void *addr, size_t size, size_t new_size, int flags,
                    void *new_addr)
{
    if (fails(FAULT_MOVE)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mremap(addr, size, new_size, flags, new_addr);
}

/* All of GLib's that may return NULL and that g_try_new() turns into */
#define WRAP_HEAP(name, parameters, arguments)                          \
    gpointer __real_##name parameters;                                  \
    gpointer __wrap_##name parameters;                                  \
    gpointer __wrap_##name parameters                                   \
    {                                                                   \
        return fails(FAULT_HEAP) ? NULL : __real_##name arguments;      \
    }

WRAP_HEAP(g_try_malloc, (gsize size), (size))
WRAP_HEAP(g_try_malloc0, (gsize size), (size))
WRAP_HEAP(g_try_malloc_n, (gsize count, gsize size), (count, size))
WRAP_HEAP(g_try_malloc0_n, (gsize count, gsize size), (count, size))

void fault_arm(FakeGrants *f, Fault fault, uint64_t nth)
{
    switch (fault) {
    case FAULT_MAP:
        fake_grants_refuse(f, nth, -EINVAL);
        break;
    case FAULT_MAP_FULL:
        fake_grants_refuse(f, nth, -ENOMEM);
        break;
    case FAULT_SHARE:
        fake_grants_refuse_share(f, nth, -ENOMEM);
        break;
    case FAULT_REPLACE:
        fake_grants_refuse_replace(f, nth, -EIO);
        break;
    default:
        fail_in[fault] = nth;
        break;
    }
}

bool fault_disarm(FakeGrants *f, Fault fault)
{
    bool pending;

    switch (fault) {
    case FAULT_MAP:
    case FAULT_MAP_FULL:
        pending = fake_grants_refuse(f, 0, 0);
        break;
    case FAULT_SHARE:
        pending = fake_grants_refuse_share(f, 0, 0);
        break;
    case FAULT_REPLACE:
        pending = fake_grants_refuse_replace(f, 0, 0);
        break;
    default:
        pending = fail_in[fault];
        fail_in[fault] = 0;
        break;
    }
    return !pending;
}

void fault_no_noreplace(bool old_kernel)
{
    no_noreplace = old_kernel;
}

uint64_t faults_in_turn(FakeGrants *f, const char *title, FaultCycle cycle,
                        void *opaque)
{
    static const char *const names[] = {
        [FAULT_MAP] = "map",
        [FAULT_MAP_FULL] = "map (no room)",
        [FAULT_SHARE] = "share",
        [FAULT_REPLACE] = "replace",
        [FAULT_HEAP] = "heap",
        [FAULT_PAGES] = "pages",
        [FAULT_MOVE] = "mremap",
    };
    uint64_t total = 0, kept = 0, nth;
    Fault fault;

    g_test_message("%-28s %-14s %8s %10s", "faults in", "call", "failed",
                   "pages left");
    for (fault = 0; fault < FAULT_MAX; fault++) {
        for (nth = 1;; nth++) {
            fault_arm(f, fault, nth);
            cycle(opaque, true);
            g_assert_cmpuint(f->live_pages, ==, 0);
            /* What is kept for the next cycle is no more than one needs */
            kept = kept ? kept : f->shared_pages;
            g_assert_cmpuint(f->shared_pages, <=, kept);
            if (!fault_disarm(f, fault)) {
                break;
            }
            cycle(opaque, false);
            g_assert_cmpuint(f->live_pages, ==, 0);
            kept = kept ? kept : f->shared_pages;
            g_assert_cmpuint(f->shared_pages, <=, kept);
        }
        g_test_message("%-28s %-14s %8" PRIu64 " %10" PRIu64, title,
                       names[fault], nth - 1, f->live_pages);
        total += nth - 1;
    }
    return total;
}
