/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dma-bufs: the real libxengnttab over a model of what Linux's gntdev does with
 * them
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "../../hw/xen/testbed/fake-dmabuf.h"
#include "gnttab-fixture.h"

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
    XenGntalloc *alloc;
    XenGntallocStats stats;
    XenGntHost host;
    grant_entry_v1_t *table;
    uint32_t nr_entries, used = 0, i;
    int dom0;

    locked(f);
    dom0 = xen_fake_domain(f->fake, DOM0);
    host = xen_fake_host(f->fake, dom0);
    alloc = xen_fake_gntalloc(f->fake, dom0);
    xen_gntalloc_collect(alloc, &host);
    xen_gntalloc_stats(alloc, &stats);
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
