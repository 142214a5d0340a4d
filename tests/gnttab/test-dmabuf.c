/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dma-bufs: the real libxengnttab over a model of what Linux's gntdev does with
 * them, and the page-directory helper over that
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../../hw/xen/testbed/fake-dmabuf.h"
#include "../unit/open-files.h"
#include "gnttab-fixture.h"
#include "hw/xen/xen-pgdir.h"

#define PAGES       10
#define NOT_YET     4711

static const char config[] = "dmabuf=1,gntdev-limit=100";
static const char config_pv[] = "dmabuf=2";

static XenFakeMachine *locked(Fixture *f)
{
    g_assert_cmpint(xen_fake_lock(f->fake), ==, 0);
    return f->fake;
}

/* What a device that was given a dma-buf reads at the start of a page */
static uint32_t device_reads(Fixture *f, int fd, uint32_t page)
{
    XenGntHost host = { .machine = &locked(f)->machine };
    uint32_t frames[PAGES], number;

    g_assert_cmpint(xen_fake_dmabuf_frames(f->fake, fd, frames, PAGES), ==,
                    PAGES);
    number = number_at(xen_gnt_page(&host, frames[page]), 0);
    xen_fake_unlock(f->fake);
    return number;
}

static int new_memory(Fixture *f, uint32_t pages)
{
    int fd = xen_fake_dmabuf_new(locked(f), DOM0, pages);

    xen_fake_unlock(f->fake);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static uint32_t dom0_refs(Fixture *f)
{
    XenGntHost host;
    grant_entry_v1_t *table;
    uint32_t nr_entries, used = 0, i;
    int dom0;

    locked(f);
    dom0 = xen_fake_domain(f->fake, DOM0);
    host = xen_fake_host(f->fake, dom0);
    xen_gntalloc_collect(xen_fake_gntalloc(f->fake, dom0), &host);
    table = xen_machine_table(&f->fake->machine, DOM0, &nr_entries);
    for (i = 0; i < nr_entries; i++) {
        used += table[i].flags != 0;
    }
    xen_fake_unlock(f->fake);
    return used;
}

static xengnttab_handle *open_guest(void)
{
    xengnttab_handle *guest;

    be_domain(GUEST);
    guest = xengnttab_open(quiet(), 0);
    be_domain(DOM0);
    g_assert_nonnull(guest);
    return guest;
}

/* The library alone */

static int export(Fixture *f, uint32_t count, const uint32_t *refs)
{
    uint32_t fd = NOT_YET;

    g_assert_cmpint(xengnttab_dmabuf_exp_from_refs(f->tab, GUEST, 0, count,
                                                   refs, &fd), ==, 0);
    return fd;
}

static void still_in_use(Fixture *f, int number)
{
    assert_errno(xengnttab_dmabuf_exp_wait_released(f->tab, number, 0), -1,
                 ETIMEDOUT);
}

static void released(Fixture *f, int number)
{
    g_assert_cmpint(xengnttab_dmabuf_exp_wait_released(f->tab, number, 0), ==,
                    0);
}

static void test_export(Fixture *f, gconstpointer data)
{
    uint32_t refs[PAGES];
    uint8_t *pages = share(f, PAGES, refs, true);
    int fd = export(f, PAGES, refs), second;

    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmphex(entry_of(f, refs[3]).flags & GTF_writing, ==, GTF_writing);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_cmpuint(device_reads(f, fd, 3), ==, 3);
    set_number(pages, 3, 4711);
    g_assert_cmpuint(device_reads(f, fd, 3), ==, 4711);
    assert_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED,
                 EINVAL);

    /* It is in use until the last descriptor is closed */
    still_in_use(f, fd);
    second = dup(fd);
    close(fd);
    still_in_use(f, fd);
    close(second);
    released(f, fd);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    released(f, 12345);
    xengntshr_unshare(f->shr, pages, PAGES);
}

static void no_export(Fixture *f, uint32_t flags, uint32_t count,
                      const uint32_t *refs)
{
    uint32_t fd = NOT_YET;

    assert_errno(xengnttab_dmabuf_exp_from_refs(f->tab, GUEST, flags, count,
                                                refs, &fd), -1, EINVAL);
    g_assert_cmpuint(fd, ==, NOT_YET);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
}

static void test_export_errors(Fixture *f, gconstpointer data)
{
    uint32_t refs[101], bad[PAGES];
    uint8_t *pages = share(f, 101, refs, true);
    uint32_t read_only;
    uint8_t *other = share(f, 1, &read_only, false);

    memcpy(bad, refs, sizeof(bad));
    bad[PAGES - 1] = 60000;
    no_export(f, 0, PAGES, bad);
    no_export(f, 0, 1, &read_only);
    no_export(f, GNTDEV_DMA_FLAG_WC | GNTDEV_DMA_FLAG_COHERENT, 1, refs);
    no_export(f, 0, 101, refs);
    close(export(f, 100, refs));
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, other, 1);
    xengntshr_unshare(f->shr, pages, 101);
}

/* The kernel goes by the number, and takes the last one that had it */
static void test_export_number(Fixture *f, gconstpointer data)
{
    uint32_t refs[2];
    uint8_t *pages = share(f, 2, refs, true);
    int first = export(f, 1, &refs[0]);
    int held = fcntl(first, F_DUPFD_CLOEXEC, first + 10);
    int second;

    close(first);
    second = export(f, 1, &refs[1]);
    g_assert_cmpint(second, ==, first);
    still_in_use(f, first);
    close(second);
    still_in_use(f, first);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    close(held);
    released(f, first);
    xengntshr_unshare(f->shr, pages, 2);
}

/* It outlives the device's file, and is known to its other files never */
static void test_export_orphan(Fixture *f, gconstpointer data)
{
    xengnttab_handle *other = xengnttab_open(quiet(), 0);
    uint32_t refs[PAGES];
    uint8_t *pages = share(f, PAGES, refs, true);
    int fd = export(f, PAGES, refs);

    g_assert_cmpint(xengnttab_dmabuf_exp_wait_released(other, fd, 0), ==, 0);
    g_assert_cmpint(xengnttab_close(f->tab), ==, 0);
    f->tab = other;
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmpuint(device_reads(f, fd, 1), ==, 1);
    close(fd);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, pages, PAGES);
}

static void do_nothing(Fixture *f, void *opaque)
{
}

/* Another process has it */
static void test_export_process(Fixture *f, gconstpointer data)
{
    uint32_t refs[PAGES];
    uint8_t *pages = share(f, PAGES, refs, true);
    int fd = export(f, PAGES, refs);
    pid_t child = start_child(f, do_nothing, NULL);

    close(fd);
    still_in_use(f, fd);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    kill_child(child);
    released(f, fd);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, pages, PAGES);
}

static void test_import(Fixture *f, gconstpointer data)
{
    int fd = new_memory(f, PAGES), second = new_memory(f, PAGES);
    uint8_t *ours = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                         MAP_SHARED, fd, 0);
    xengnttab_handle *guest = open_guest();
    uint32_t refs[PAGES + 1];
    uint8_t *theirs;
    uint32_t before = dom0_refs(f);

    g_assert_true(ours != MAP_FAILED);
    assert_errno(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, fd, PAGES + 1,
                                              refs), -1, EINVAL);
    assert_errno(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, 12345, PAGES,
                                              refs), -1, EBADF);
    assert_errno(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, STDERR_FILENO,
                                              PAGES, refs), -1, EINVAL);
    g_assert_cmpuint(dom0_refs(f), ==, before);
    set_number(ours, 7, 7);
    g_assert_cmpint(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, fd, PAGES,
                                                 refs), ==, 0);
    g_assert_cmpuint(dom0_refs(f), ==, before + PAGES);
    theirs = xengnttab_map_domain_grant_refs(guest, PAGES, DOM0, refs,
                                             PROT_READ | PROT_WRITE);
    g_assert_nonnull(theirs);
    g_assert_cmpuint(number_at(theirs, 7), ==, 7);
    set_number(theirs, 8, 8);
    g_assert_cmpuint(number_at(ours, 8), ==, 8);

    /* What was imported lives on without a descriptor, and as mapped */
    munmap(ours, PAGES * PAGE);
    close(fd);
    g_assert_cmpuint(dom0_refs(f), ==, before + PAGES);
    assert_errno(xengnttab_dmabuf_imp_release(f->tab, second), -1, ENOENT);
    g_assert_cmpint(xengnttab_dmabuf_imp_release(f->tab, fd), ==, 0);
    assert_errno(xengnttab_dmabuf_imp_release(f->tab, fd), -1, ENOENT);
    g_assert_cmpuint(number_at(theirs, 8), ==, 8);
    g_assert_cmpuint(dom0_refs(f), ==, before + PAGES);
    g_assert_cmpint(xengnttab_unmap(guest, theirs, PAGES), ==, 0);
    g_assert_cmpuint(dom0_refs(f), ==, before);

    /* The end of the device's file releases what is left */
    g_assert_cmpint(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, second, PAGES,
                                                 refs), ==, 0);
    close(second);
    g_assert_cmpint(xengnttab_close(f->tab), ==, 0);
    f->tab = NULL;
    g_assert_cmpuint(dom0_refs(f), ==, before);
    g_assert_cmpint(xengnttab_close(guest), ==, 0);
}

/* In a PV domain there is one half of it */
static void test_pv(Fixture *f, gconstpointer data)
{
    uint32_t refs[PAGES];
    uint8_t *pages = share(f, PAGES, refs, true);
    int fd = new_memory(f, PAGES);
    uint32_t ours[PAGES];

    no_export(f, 0, PAGES, refs);
    g_assert_cmpint(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, fd, PAGES,
                                                 ours), ==, 0);
    g_assert_cmpint(xengnttab_dmabuf_imp_release(f->tab, fd), ==, 0);
    close(fd);
    xengntshr_unshare(f->shr, pages, PAGES);
}

/* The helper */

/* What the guest shares: pages, and a directory that may name them */
typedef struct Shared {
    uint8_t *pages;
    uint32_t refs[PAGES];
    uint32_t *dir;
    uint32_t dir_ref;
} Shared;

static void make_shared(Fixture *f, Shared *s)
{
    s->pages = share(f, PAGES, s->refs, true);
    s->dir = (uint32_t *)share(f, 1, &s->dir_ref, true);
    memset(s->dir, 0, PAGE);
    memcpy(s->dir + 1, s->refs, sizeof(s->refs));
}

static void end_shared(Fixture *f, Shared *s)
{
    xengntshr_unshare(f->shr, s->pages, PAGES);
    xengntshr_unshare(f->shr, s->dir, 1);
}

static XenPgdirMapper *open_mapper(void)
{
    static const XenPgdirConfig limits = { sizeof(limits), 3 * PAGES, PAGES };
    XenPgdirMapper *mapper = NULL;

    g_assert_cmpint(xen_pgdir_mapper_open(GUEST, &limits, &mapper), ==, 0);
    return mapper;
}

static XenPgdirStats stats_of(const XenPgdirMapper *mapper)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    return stats;
}

static XenPgdirBuffer *open_buffer(XenPgdirMapper *mapper, const Shared *s,
                                   uint32_t pages)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(mapper, s->dir_ref, pages * PAGE,
                                         XEN_PGDIR_WRITABLE, &buffer), ==, 0);
    return buffer;
}

static int32_t buffer_export(XenPgdirBuffer *buffer)
{
    int32_t fd = -1;

    g_assert_cmpint(xen_pgdir_buffer_export(buffer, 0, &fd), ==, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    return fd;
}

static void test_pgdir_export(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper();
    uint32_t files = open_files();
    Shared s;
    XenPgdirBuffer *buffer;
    int fd;

    make_shared(f, &s);
    buffer = open_buffer(mapper, &s, PAGES);
    fd = buffer_export(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmpuint(device_reads(f, fd, 9), ==, 9);
    set_number(s.pages, 9, 1);
    g_assert_cmpuint(device_reads(f, fd, 9), ==, 1);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 1);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmpuint(stats_of(mapper).dmabuf_pages, ==, PAGES);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmpuint(open_files(), ==, files);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* None is taken for another, whatever number its descriptor has */
static void test_pgdir_numbers(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper();
    Shared s;
    XenPgdirBuffer *small, *large;
    int fd, held;

    make_shared(f, &s);
    small = open_buffer(mapper, &s, 3);
    large = open_buffer(mapper, &s, PAGES);
    fd = buffer_export(small);
    held = fcntl(fd, F_DUPFD_CLOEXEC, fd + 10);
    close(fd);
    fd = buffer_export(large);
    g_assert_cmpuint(stats_of(mapper).dmabuf_pages, ==, 3 + PAGES);
    close(held);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 1);
    g_assert_cmpuint(stats_of(mapper).dmabuf_pages, ==, PAGES);
    held = buffer_export(small);
    close(fd);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 1);
    g_assert_cmpuint(stats_of(mapper).dmabuf_pages, ==, 3);
    g_assert_cmpuint(nr_mapped(f), ==, 3);
    close(held);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 0);
    xen_pgdir_buffer_unref(small);
    xen_pgdir_buffer_unref(large);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

static void set_status(void *opaque, int32_t status)
{
    *(int32_t *)opaque = status;
}

static void test_pgdir_retire(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper();
    int32_t status = NOT_YET;
    Shared s;
    XenPgdirBuffer *buffer;
    pid_t child;
    int fd;

    make_shared(f, &s);
    buffer = open_buffer(mapper, &s, PAGES);
    fd = buffer_export(buffer);
    child = start_child(f, do_nothing, NULL);
    close(fd);
    g_assert_cmpint(xen_pgdir_buffer_retire(buffer, UINT64_MAX, set_status,
                                            &status), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 1);
    g_assert_cmpint(status, ==, NOT_YET);
    kill_child(child);
    g_assert_cmpuint(xen_pgdir_mapper_poll(mapper), ==, 0);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* The mapper, and with it the device's file, goes before */
static void test_pgdir_orphan(Fixture *f, gconstpointer data)
{
    uint32_t files = open_files();
    XenPgdirMapper *mapper = open_mapper();
    Shared s;
    XenPgdirBuffer *buffer;
    int fd;

    make_shared(f, &s);
    buffer = open_buffer(mapper, &s, PAGES);
    fd = buffer_export(buffer);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(open_files(), ==, files + 1);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmpuint(device_reads(f, fd, 5), ==, 5);
    close(fd);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    end_shared(f, &s);
}

static XenPgdirError error_of(const XenPgdirMapper *mapper)
{
    XenPgdirError error;

    xen_pgdir_mapper_error(mapper, &error, sizeof(error));
    return error;
}

/* A bad grant is told from a kernel that has no dma-bufs of grants */
static void test_pgdir_kernels(Fixture *f, gconstpointer data)
{
    bool none = strstr(data, "dmabuf=0");
    bool pv = strstr(data, "dmabuf=2");
    XenPgdirMapper *mapper = open_mapper();
    XenPgdirBuffer *buffer = NULL;
    int32_t fd = NOT_YET;
    int memory = new_memory(f, PAGES);
    Shared s;

    make_shared(f, &s);
    s.dir[3] = 60000;
    buffer = open_buffer(mapper, &s, PAGES);
    g_assert_cmpint(xen_pgdir_buffer_export(buffer, 0, &fd), ==,
                    none || pv ? -EOPNOTSUPP : -EINVAL);
    g_assert_cmpuint(error_of(mapper).cause, ==,
                     none || pv ? XEN_PGDIR_CAUSE_HOST : XEN_PGDIR_CAUSE_GUEST);
    g_assert_cmpint(fd, ==, NOT_YET);
    xen_pgdir_buffer_unref(buffer);

    g_assert_cmpint(xen_pgdir_buffer_new_imported(mapper, s.dir_ref,
                                                  PAGES * PAGE, memory, 0,
                                                  &buffer), ==,
                    none ? -EOPNOTSUPP : 0);
    if (!none) {
        xen_pgdir_buffer_unref(buffer);
    }
    close(memory);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* As many descriptors as it takes are not there: nothing stays mapped */
static void test_pgdir_descriptors(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper();
    struct rlimit limit, less;
    XenPgdirBuffer *buffer;
    int32_t fd = NOT_YET, ret;
    uint32_t files, i;
    int next;
    Shared s;

    make_shared(f, &s);
    buffer = open_buffer(mapper, &s, PAGES);
    files = open_files();
    next = dup(STDERR_FILENO);
    close(next);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    less = limit;
    for (i = 0; i < 3; i++) {
        /* The kernel's own, the caller's, and what keeps the number */
        less.rlim_cur = next + i;
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &less), ==, 0);
        ret = xen_pgdir_buffer_export(buffer, 0, &fd);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        g_assert_cmpint(ret, ==, -EMFILE);
        g_assert_cmpint(fd, ==, NOT_YET);
        g_assert_cmpuint(nr_mapped(f), ==, 0);
        g_assert_cmpuint(open_files(), ==, files);
    }
    close(buffer_export(buffer));
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* What the guest draws is in the dma-buf */
static void test_pgdir_import(Fixture *f, gconstpointer data)
{
    int fd = new_memory(f, PAGES);
    uint8_t *ours = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                         MAP_SHARED, fd, 0);
    XenPgdirMapper *mapper = open_mapper();
    XenPgdirBuffer *buffer = NULL;
    xengnttab_handle *guest = open_guest();
    uint32_t before = dom0_refs(f), refs[PAGES], i;
    uint8_t *theirs = NULL;
    Shared s;

    g_assert_true(ours != MAP_FAILED);
    make_shared(f, &s);
    for (i = 0; i < 3; i++) {
        memset(s.dir + 1, 0, sizeof(refs));
        g_assert_cmpint(xen_pgdir_buffer_new_imported(mapper, s.dir_ref,
                                                      PAGES * PAGE, fd, 0,
                                                      &buffer), ==, 0);
        g_assert_cmpuint(dom0_refs(f), ==, before + PAGES);
        if (i == 0) {
            memcpy(refs, s.dir + 1, sizeof(refs));
            theirs = xengnttab_map_domain_grant_refs(guest, PAGES, DOM0,
                                                     refs,
                                                     PROT_READ | PROT_WRITE);
            g_assert_nonnull(theirs);
        }
        g_assert_cmpmem(refs, sizeof(refs), s.dir + 1, sizeof(refs));
        set_number(theirs, 4, i);
        g_assert_cmpuint(number_at(ours, 4), ==, i);
        xen_pgdir_buffer_unref(buffer);
    }
    munmap(ours, PAGES * PAGE);
    close(fd);
    xen_pgdir_mapper_unref(mapper);
    /* The guest has the pages, and Linux keeps them until it has not */
    g_assert_cmpuint(number_at(theirs, 4), ==, 2);
    g_assert_cmpuint(dom0_refs(f), ==, before + PAGES);
    g_assert_cmpint(xengnttab_unmap(guest, theirs, PAGES), ==, 0);
    g_assert_cmpuint(dom0_refs(f), ==, before);
    g_assert_cmpint(xengnttab_close(guest), ==, 0);
    end_shared(f, &s);
}

/* What there is no room for any more is released */
static void test_pgdir_import_many(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper();
    uint32_t before = dom0_refs(f), files = open_files(), i;
    XenPgdirBuffer *buffer = NULL;
    Shared s;
    int fd;

    make_shared(f, &s);
    for (i = 0; i < 4; i++) {
        fd = new_memory(f, PAGES);
        g_assert_cmpint(xen_pgdir_buffer_new_imported(mapper, s.dir_ref,
                                                      PAGES * PAGE, fd, 0,
                                                      &buffer), ==, 0);
        xen_pgdir_buffer_unref(buffer);
        close(fd);
        g_assert_cmpuint(dom0_refs(f), ==, before + MIN(i + 1, 3) * PAGES);
        g_assert_cmpuint(open_files(), ==, files + MIN(i + 1, 3));
    }
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(dom0_refs(f), ==, before);
    end_shared(f, &s);
}

static const struct {
    const char *name;
    void (*func)(Fixture *f, gconstpointer data);
    const char *config;
} tests[] = {
    { "gnttab-dmabuf/export", test_export, config },
    { "gnttab-dmabuf/export-errors", test_export_errors, config },
    { "gnttab-dmabuf/export-number", test_export_number, config },
    { "gnttab-dmabuf/export-orphan", test_export_orphan, config },
    { "gnttab-dmabuf/export-process", test_export_process, config },
    { "gnttab-dmabuf/import", test_import, config },
    { "gnttab-dmabuf/pv", test_pv, config_pv },
    { "pgdir-dmabuf-ops/export", test_pgdir_export, config },
    { "pgdir-dmabuf-ops/numbers", test_pgdir_numbers, config },
    { "pgdir-dmabuf-ops/retire", test_pgdir_retire, config },
    { "pgdir-dmabuf-ops/orphan", test_pgdir_orphan, config },
    { "pgdir-dmabuf-ops/kernel-all", test_pgdir_kernels, config },
    { "pgdir-dmabuf-ops/kernel-none", test_pgdir_kernels, "dmabuf=0" },
    { "pgdir-dmabuf-ops/kernel-pv", test_pgdir_kernels, config_pv },
    { "pgdir-dmabuf-ops/descriptors", test_pgdir_descriptors, config },
    { "pgdir-dmabuf-ops/import", test_pgdir_import, config },
    { "pgdir-dmabuf-ops/import-many", test_pgdir_import_many, config },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("/xen/%s", tests[i].name);

        g_test_add(path, Fixture, tests[i].config, set_up, tests[i].func,
                   tear_down);
    }
    return g_test_run();
}
