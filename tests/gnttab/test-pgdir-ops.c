/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page-directory helper over the real libxengnttab and libxengntshr, as
 * xen_pgdir_mapper_open() opens them
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>

#include "gnttab-fixture.h"
#include "hw/xen/xen-pgdir.h"

#define NR_PAGES    1100
#define NR_DIRS     2

/* Room for the guest's pages and directories, and for the host's pages */
static const char config[] = "gntalloc-limit=1200";

/* What the guest shares: pages, and a directory that may name them */
typedef struct Shared {
    uint8_t *pages;
    uint32_t refs[NR_PAGES];
    uint32_t *dirs;
    uint32_t dir_refs[NR_DIRS];
} Shared;

static void make_directory(Fixture *f, Shared *s)
{
    s->dirs = (uint32_t *)share(f, NR_DIRS, s->dir_refs, true);
    memset(s->dirs, 0, NR_DIRS * PAGE);
    s->dirs[0] = s->dir_refs[1];
}

static void make_buffer(Fixture *f, Shared *s, bool writable)
{
    uint32_t i;

    make_directory(f, s);
    s->pages = share(f, NR_PAGES, s->refs, writable);
    for (i = 0; i < NR_PAGES; i++) {
        s->dirs[i / XEN_PGDIR_REFS_PER_PAGE * (PAGE / sizeof(uint32_t)) +
                i % XEN_PGDIR_REFS_PER_PAGE + 1] = s->refs[i];
    }
}

static void end_shared(Fixture *f, Shared *s)
{
    if (s->pages) {
        g_assert_cmpint(xengntshr_unshare(f->shr, s->pages, NR_PAGES), ==, 0);
    }
    g_assert_cmpint(xengntshr_unshare(f->shr, s->dirs, NR_DIRS), ==, 0);
}

static XenPgdirMapper *open_mapper(uint32_t domid)
{
    static const XenPgdirConfig limits = { sizeof(limits), 4096, 4096, 0 };
    XenPgdirMapper *mapper = NULL;

    g_assert_cmpint(xen_pgdir_mapper_open(domid, &limits, &mapper), ==, 0);
    g_assert_nonnull(mapper);
    return mapper;
}

static XenPgdirBuffer *open_buffer(XenPgdirMapper *mapper, const Shared *s,
                                   uint32_t flags)
{
    XenPgdirBuffer *buffer = NULL;

    g_assert_cmpint(xen_pgdir_buffer_new(mapper, s->dir_refs[0],
                                         NR_PAGES * PAGE, flags, &buffer),
                    ==, 0);
    return buffer;
}

static XenPgdirView *open_view(XenPgdirBuffer *buffer, uint32_t first,
                               uint32_t pages, uint8_t **data)
{
    XenPgdirView *view = NULL;
    void *p = NULL;

    g_assert_cmpint(xen_pgdir_buffer_view(buffer, (uint64_t)first * PAGE,
                                          (uint64_t)pages * PAGE, &view, &p),
                    ==, 0);
    *data = p;
    return view;
}

static XenPgdirStats stats_of(const XenPgdirMapper *mapper)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    return stats;
}

static void test_open(Fixture *f, gconstpointer data)
{
    XenPgdirConfig limits = { sizeof(limits), 1, 1, 0 };
    XenPgdirMapper *mapper = NULL;

    g_assert_cmpint(xen_pgdir_mapper_open(0x7ff0, &limits, &mapper), ==,
                    -EINVAL);
    limits.max_pages = 0;
    /* The device was open then; tear_down() looks whether it still is */
    g_assert_cmpint(xen_pgdir_mapper_open(GUEST, &limits, &mapper), ==,
                    -EINVAL);
    g_assert_null(mapper);
    xen_pgdir_mapper_unref(open_mapper(GUEST));
}

/* Where a device cannot be opened, that is said; be it needed only later */
static void test_no_device(Fixture *f, gconstpointer data)
{
    g_autofree char *machine = g_strdup(g_getenv("XEN_FAKE_MACHINE"));
    XenPgdirConfig limits = { sizeof(limits), 1, 1 };
    XenPgdirMapper *mapper = open_mapper(GUEST), *other = NULL;
    XenPgdirBuffer *buffer = NULL;
    Shared s = { 0 };

    make_directory(f, &s);
    g_setenv("XEN_FAKE_MACHINE", "/nowhere/machine", true);
    g_assert_cmpint(xen_pgdir_mapper_open(GUEST, &limits, &other), ==,
                    -ENOENT);
    g_assert_null(other);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0], PAGE, 0,
                                                &buffer), ==, -ENOENT);
    g_assert_null(buffer);
    g_setenv("XEN_FAKE_MACHINE", machine, true);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0], PAGE, 0,
                                                &buffer), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* Handles of the caller's stay open, and are used for all that is done */
static void test_handles(Fixture *f, gconstpointer data)
{
    static const XenPgdirConfig limits = { sizeof(limits), 4096, 4096 };
    xengnttab_handle *xgt = xengnttab_open(quiet(), 0);
    xengntshr_handle *xgs = xengntshr_open(quiet(), 0);
    XenPgdirMapper *mapper = NULL;
    XenPgdirBuffer *buffer = NULL;
    Shared s = { 0 };
    XenPgdirView *view;
    uint32_t i;
    uint8_t *p;

    g_assert_nonnull(xgt);
    g_assert_nonnull(xgs);
    g_assert_cmpint(xen_pgdir_mapper_open_handles(NULL, xgs, GUEST, &limits,
                                                  &mapper), ==, -EINVAL);
    g_assert_cmpint(xen_pgdir_mapper_open_handles(xgt, xgs, 0x7ff0, &limits,
                                                  &mapper), ==, -EINVAL);
    make_buffer(f, &s, true);
    for (i = 0; i < 2; i++) {
        g_assert_cmpint(xen_pgdir_mapper_open_handles(xgt, i ? xgs : NULL,
                                                      GUEST, &limits,
                                                      &mapper), ==, 0);
        buffer = open_buffer(mapper, &s, 0);
        view = open_view(buffer, 7, 50, &p);
        g_assert_cmpuint(number_at(p, 49), ==, 56);
        xen_pgdir_buffer_unref(buffer);
        g_assert_cmpuint(nr_mapped(f), ==, 0);
        g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                    PAGE, 0, &buffer), ==,
                        i ? 0 : -EOPNOTSUPP);
        if (i) {
            xen_pgdir_buffer_unref(buffer);
        }
        xen_pgdir_view_unref(view);
        xen_pgdir_mapper_unref(mapper);
    }
    g_assert_cmpint(xengntshr_close(xgs), ==, 0);
    g_assert_cmpint(xengnttab_close(xgt), ==, 0);
    end_shared(f, &s);
}

static void test_view(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint8_t *p;
    uint32_t i;

    make_buffer(f, &s, true);
    buffer = open_buffer(mapper, &s, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    view = open_view(buffer, 1000, 50, &p);
    g_assert_cmpuint(nr_mapped(f), ==, 50);
    for (i = 0; i < 50; i++) {
        g_assert_cmpuint(number_at(p, i), ==, 1000 + i);
    }
    set_number(s.pages, 1049, 4711);
    g_assert_cmpuint(number_at(p, 49), ==, 4711);
    /* It is the guest that may write */
    g_assert_cmphex(entry_of(f, s.refs[1000]).flags, ==,
                    GTF_permit_access | GTF_reading);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(nr_mapped(f), ==, 50);
    xen_pgdir_mapper_trim(mapper);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

static void test_write(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    XenPgdirBuffer *buffer;
    uint32_t numbers[2] = { 1, 2 };

    make_buffer(f, &s, true);
    buffer = open_buffer(mapper, &s, XEN_PGDIR_WRITABLE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 700 * PAGE - 4, numbers,
                                           sizeof(numbers)), ==, 0);
    g_assert_cmpuint(number_at(s.pages + 699 * PAGE + PAGE - 4, 0), ==, 1);
    g_assert_cmpuint(number_at(s.pages, 700), ==, 2);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    end_shared(f, &s);

    /* What was granted for reading cannot be had for writing */
    make_buffer(f, &s, false);
    buffer = open_buffer(mapper, &s, XEN_PGDIR_WRITABLE);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, 0, numbers, 4), <, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    buffer = open_buffer(mapper, &s, 0);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 9 * PAGE, numbers, 4), ==,
                    0);
    g_assert_cmpuint(numbers[0], ==, 9);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* The address never is anybody else's, and no page stays mapped */
static void test_revoke(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint8_t *p;
    uint32_t i;

    make_buffer(f, &s, true);
    buffer = open_buffer(mapper, &s, 0);
    view = open_view(buffer, 3, 500, &p);
    xen_pgdir_buffer_revoke(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmpuint(stats_of(mapper).lost, ==, 0);
    g_assert_cmpuint(stats_of(mapper).unmap_calls, ==,
                     stats_of(mapper).map_calls);
    for (i = 0; i < 500; i++) {
        g_assert_cmpuint(number_at(p, i), ==, 3 + i);
    }
    set_number(s.pages, 3, 4711);
    g_assert_cmpuint(number_at(p, 0), ==, 3);
    /* The device knows nothing of the address any more: it can be reused */
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    buffer = open_buffer(mapper, &s, 0);
    view = open_view(buffer, 3, 500, &p);
    g_assert_cmpuint(number_at(p, 0), ==, 4711);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

static void test_refused(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    XenPgdirMapper *nobody = open_mapper(7);
    Shared s = { 0 };
    XenPgdirBuffer *buffer = NULL;
    XenPgdirView *view = NULL;
    uint8_t *p;
    void *q;

    make_buffer(f, &s, true);
    g_assert_cmpint(xen_pgdir_buffer_new(mapper, 60000, PAGE, 0, &buffer), <,
                    0);
    g_assert_cmpint(xen_pgdir_buffer_new(nobody, s.dir_refs[0], PAGE, 0,
                                         &buffer), <, 0);
    g_assert_null(buffer);
    /* One that is none, among many: none of them is mapped */
    s.dirs[500] = 60000;
    buffer = open_buffer(mapper, &s, 0);
    g_assert_cmpint(xen_pgdir_buffer_view(buffer, 0, 600 * PAGE, &view, &q),
                    <, 0);
    g_assert_null(view);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    view = open_view(buffer, 0, 499, &p);
    g_assert_cmpuint(number_at(p, 498), ==, 498);
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    xen_pgdir_mapper_unref(nobody);
    end_shared(f, &s);
}

/*
 * A kernel, or a Xen, that maps no more at once: what is idle has to go.  The
 * one says ENOMEM then, and the other's "no" is EINVAL by the time it is here.
 */
static void test_kernel_limit(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint32_t i;
    uint8_t *p;

    make_buffer(f, &s, true);
    buffer = open_buffer(mapper, &s, 0);
    for (i = 0; i < 10; i++) {
        view = open_view(buffer, i * 100, 100, &p);
        g_assert_cmpuint(number_at(p, 99), ==, i * 100 + 99);
        xen_pgdir_view_unref(view);
    }
    g_assert_cmpuint(stats_of(mapper).evictions, >=, 7);
    g_assert_cmpuint(nr_mapped(f), <=, 256);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* The host's pages, which the guest maps by what it finds in its directory */
static void test_shared(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    XenPgdirBuffer *buffer = NULL;
    xengnttab_handle *guest;
    XenPgdirView *view;
    uint8_t *p, *theirs;

    make_directory(f, &s);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                NR_PAGES * PAGE, 0, &buffer),
                    ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    view = open_view(buffer, 1000, 100, &p);
    g_assert_cmpint(xen_pgdir_view_is_copy(view), ==, 0);

    be_domain(GUEST);
    guest = xengnttab_open(quiet(), 0);
    be_domain(DOM0);
    theirs = xengnttab_map_domain_grant_refs(guest, 50, DOM0, s.dirs + 1 + 950,
                                             PROT_READ | PROT_WRITE);
    g_assert_nonnull(theirs);
    set_number(theirs, 1, 77);
    set_number(p, 0, 0);
    g_assert_cmpint(xen_pgdir_buffer_read(buffer, 951 * PAGE, p, 4), ==, 0);
    g_assert_cmpuint(number_at(p, 0), ==, 77);
    g_assert_cmpint(xengnttab_unmap(guest, theirs, 50), ==, 0);

    /* Still held here, and still mapped there: it stays one memory */
    theirs = xengnttab_map_domain_grant_refs(guest, 1, DOM0, s.dirs + 1 + 1000,
                                             PROT_READ | PROT_WRITE);
    g_assert_nonnull(theirs);
    set_number(p, 0, 4711);
    xen_pgdir_buffer_unref(buffer);
    g_assert_cmpuint(stats_of(mapper).shared_pages, ==, NR_PAGES);
    g_assert_cmpuint(stats_of(mapper).lost, ==, 0);
    g_assert_cmpuint(number_at(p, 0), ==, 4711);
    g_assert_cmpuint(number_at(theirs, 0), ==, 4711);
    set_number(theirs, 0, 1);
    g_assert_cmpuint(number_at(p, 0), ==, 1);
    g_assert_cmpint(xengnttab_unmap(guest, theirs, 1), ==, 0);
    g_assert_cmpint(xengnttab_close(guest), ==, 0);
    xen_pgdir_view_unref(view);
    g_assert_cmpuint(stats_of(mapper).shared_pages, ==, 0);
    g_assert_cmpuint(stats_of(mapper).kept_pages, ==, NR_PAGES);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* What dom0 has granted and cannot have back yet, or does not want to */
static uint64_t dom0_pages(Fixture *f)
{
    XenGntallocStats stats;
    XenGntalloc *alloc;
    XenGntHost host;
    int dom0;

    g_assert_cmpint(xen_fake_lock(f->fake), ==, 0);
    dom0 = xen_fake_domain(f->fake, DOM0);
    host = xen_fake_host(f->fake, dom0);
    alloc = xen_fake_gntalloc(f->fake, dom0);
    xen_gntalloc_collect(alloc, &host);
    xen_gntalloc_stats(alloc, &stats);
    xen_fake_unlock(f->fake);
    return stats.pages + stats.lingering;
}

/*
 * A guest that maps what it gets, asks for it to be given back, and asks for
 * more: it gets the same pages, and dom0 has the rest of its table
 */
static void test_hoard(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    Shared s = { 0 };
    uint8_t *theirs[4];
    XenPgdirBuffer *buffer;
    xengnttab_handle *guest;
    uint32_t i;

    make_directory(f, &s);
    be_domain(GUEST);
    guest = xengnttab_open(quiet(), 0);
    be_domain(DOM0);
    for (i = 0; i < ARRAY_SIZE(theirs); i++) {
        g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                    400 * PAGE, 0, &buffer),
                        ==, 0);
        theirs[i] = xengnttab_map_domain_grant_refs(guest, 400, DOM0,
                                                    s.dirs + 1, PROT_READ);
        g_assert_nonnull(theirs[i]);
        xen_pgdir_buffer_unref(buffer);
        g_assert_cmpuint(dom0_pages(f), ==, 400);
    }
    for (i = 0; i < ARRAY_SIZE(theirs); i++) {
        g_assert_cmpint(xengnttab_unmap(guest, theirs[i], 400), ==, 0);
    }
    g_assert_cmpint(xengnttab_close(guest), ==, 0);
    xen_pgdir_mapper_unref(mapper);
    g_assert_cmpuint(dom0_pages(f), ==, 0);
    end_shared(f, &s);
}

/* gntalloc's limit, and the next attempt; nothing is told to stderr */
static void test_shared_limit(Fixture *f, gconstpointer data)
{
    g_autofree char *name = g_build_filename(f->dir, "stderr", NULL);
    g_autofree char *said = NULL;
    XenPgdirMapper *mapper = open_mapper(GUEST);
    XenPgdirBuffer *buffer = NULL;
    Shared s = { 0 };
    int keep = dup(STDERR_FILENO);
    int fd = creat(name, 0600);

    make_directory(f, &s);
    g_assert_cmpint(dup2(fd, STDERR_FILENO), ==, STDERR_FILENO);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                NR_PAGES * PAGE, 0, &buffer),
                    ==, -ENOSPC);
    g_assert_cmpint(xen_pgdir_buffer_new(mapper, 60000, PAGE, 0, &buffer), <,
                    0);
    g_assert_cmpint(dup2(keep, STDERR_FILENO), ==, STDERR_FILENO);
    close(keep);
    close(fd);
    g_assert_true(g_file_get_contents(name, &said, NULL, NULL));
    g_assert_cmpstr(said, ==, "");
    unlink(name);

    g_assert_null(buffer);
    g_assert_cmpuint(s.dirs[1], ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                90 * PAGE, 0, &buffer), ==, 0);
    g_assert_cmpuint(s.dirs[90], !=, 0);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

/* Who writes to what may only be read is refused by the hypervisor */
static void test_shared_read_only(Fixture *f, gconstpointer data)
{
    XenPgdirMapper *mapper = open_mapper(GUEST);
    XenPgdirBuffer *buffer = NULL;
    Shared s = { 0 };
    xengnttab_handle *guest;
    uint8_t *theirs;

    make_directory(f, &s);
    g_assert_cmpint(xen_pgdir_buffer_new_shared(mapper, s.dir_refs[0],
                                                2 * PAGE,
                                                XEN_PGDIR_GUEST_READS,
                                                &buffer), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_write(buffer, PAGE, "host", 4), ==, 0);
    be_domain(GUEST);
    guest = xengnttab_open(quiet(), 0);
    be_domain(DOM0);
    g_assert_null(xengnttab_map_domain_grant_refs(guest, 2, DOM0, s.dirs + 1,
                                                  PROT_READ | PROT_WRITE));
    theirs = xengnttab_map_domain_grant_refs(guest, 2, DOM0, s.dirs + 1,
                                             PROT_READ);
    g_assert_nonnull(theirs);
    g_assert_cmpmem(theirs + PAGE, 4, "host", 4);
    g_assert_cmpint(xengnttab_unmap(guest, theirs, 2), ==, 0);
    g_assert_cmpint(xengnttab_close(guest), ==, 0);
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    end_shared(f, &s);
}

static const struct {
    const char *name;
    void (*func)(Fixture *f, gconstpointer data);
    const char *config;
} tests[] = {
    { "open", test_open, config },
    { "no-device", test_no_device, config },
    { "handles", test_handles, config },
    { "view", test_view, config },
    { "write", test_write, config },
    { "revoke", test_revoke, config },
    { "refused", test_refused, config },
    { "kernel-limit", test_kernel_limit,
      "gntalloc-limit=1200,gntdev-slots=256" },
    { "maptrack", test_kernel_limit, "gntalloc-limit=1200,maptrack=256" },
    { "shared", test_shared, config },
    { "shared-read-only", test_shared_read_only, config },
    { "hoard", test_hoard, config },
    { "shared-limit", test_shared_limit, "gntalloc-limit=100" },
};

int main(int argc, char **argv)
{
    uint32_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("/xen/pgdir-ops/%s",
                                                tests[i].name);

        g_test_add(path, Fixture, tests[i].config, set_up, tests[i].func,
                   tear_down);
    }
    return g_test_run();
}
