/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the real libxengnttab have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../hw/xen/pgdir/linux-grants.h"
#include "../../hw/xen/testbed/grant-table.h"
#include "gnttab-fixture.h"

void be_domain(unsigned int domid)
{
    g_autofree char *text = g_strdup_printf("%u", domid);

    g_setenv("XEN_FAKE_DOMID", text, true);
}

struct xentoollog_logger *quiet(void)
{
    return xen_linux_grants_logger();
}

static void lock(Fixture *f)
{
    g_assert_cmpint(xen_fake_lock(f->fake), ==, 0);
}

void set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *path = NULL;

    f->dir = g_dir_make_tmp("gnttab-XXXXXX", &err);
    g_assert_no_error(err);
    path = g_build_filename(f->dir, "machine", NULL);
    g_setenv("XEN_FAKE_MACHINE", path, true);
    g_setenv("XEN_FAKE_CONFIG", data ? data : "", true);

    be_domain(GUEST);
    f->shr = xengntshr_open(quiet(), 0);
    g_assert_nonnull(f->shr);
    be_domain(DOM0);
    f->tab = xengnttab_open(quiet(), 0);
    g_assert_nonnull(f->tab);
    g_assert_cmpint(xen_fake_attach(path, NULL, &f->fake), ==, 0);
}

/* When all is closed nothing is left, whatever a test did */
void tear_down(Fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(f->dir, "machine", NULL);
    g_autofree char *wrong = NULL;
    uint32_t i;

    if (f->tab) {
        g_assert_cmpint(xengnttab_close(f->tab), ==, 0);
    }
    if (f->shr) {
        g_assert_cmpint(xengntshr_close(f->shr), ==, 0);
    }
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 0);
    lock(f);
    wrong = xen_grant_table_check(&f->fake->machine, true);
    xen_fake_unlock(f->fake);
    g_assert_cmpstr(wrong, ==, NULL);
    for (i = 0; i < XEN_FAKE_FILES; i++) {
        g_assert_cmpuint(f->fake->header->files[i].kind, ==, XEN_FAKE_NONE);
    }
    xen_fake_detach(f->fake);
    g_remove(path);
    g_rmdir(f->dir);
    g_free(f->dir);
}

uint32_t number_at(const uint8_t *pages, uint32_t page)
{
    const uint8_t *at = pages + (size_t)page * PAGE;

    /* volatile: what is there is also somewhere else */
    return *(volatile const uint32_t *)at;
}

void set_number(uint8_t *pages, uint32_t page, uint32_t number)
{
    uint8_t *at = pages + (size_t)page * PAGE;

    /* volatile: what is there is also somewhere else */
    *(volatile uint32_t *)at = number;
}

uint8_t *share(Fixture *f, uint32_t count, uint32_t *refs, bool writable)
{
    uint8_t *pages = xengntshr_share_pages(f->shr, DOM0, count, refs,
                                           writable);
    uint32_t i;

    g_assert_nonnull(pages);
    for (i = 0; i < count; i++) {
        set_number(pages, i, i);
    }
    return pages;
}

uint64_t nr_mapped(Fixture *f)
{
    XenGrantTableStats stats;

    lock(f);
    xen_grant_table_stats(&f->fake->machine, GUEST, &stats);
    xen_fake_unlock(f->fake);
    return stats.mapped;
}

XenGntallocStats alloc_stats(Fixture *f)
{
    XenGntallocStats stats;
    XenGntalloc *alloc;
    XenGntHost host;
    int guest;

    lock(f);
    guest = xen_fake_domain(f->fake, GUEST);
    host = xen_fake_host(f->fake, guest);
    alloc = xen_fake_gntalloc(f->fake, guest);
    xen_gntalloc_collect(alloc, &host);
    xen_gntalloc_stats(alloc, &stats);
    xen_fake_unlock(f->fake);
    return stats;
}

grant_entry_v1_t entry_of(Fixture *f, uint32_t ref)
{
    grant_entry_v1_t *table, entry;
    uint32_t nr_entries;

    lock(f);
    table = xen_machine_table(&f->fake->machine, GUEST, &nr_entries);
    g_assert_cmpuint(ref, <, nr_entries);
    entry = table[ref];
    xen_fake_unlock(f->fake);
    return entry;
}

uint32_t open_port(Fixture *f, domid_t domid)
{
    int port;

    lock(f);
    port = xen_fake_open_port(f->fake, domid);
    xen_fake_unlock(f->fake);
    g_assert_cmpint(port, >, 0);
    return port;
}

void close_port(Fixture *f, domid_t domid, uint32_t port)
{
    lock(f);
    g_assert_cmpint(xen_fake_close_port(f->fake, domid, port), ==, 0);
    xen_fake_unlock(f->fake);
}

static XenFakePort port_of(Fixture *f, domid_t domid, uint32_t port)
{
    XenFakePort copy;

    lock(f);
    copy = *xen_fake_port(f->fake, domid, port);
    xen_fake_unlock(f->fake);
    return copy;
}

uint64_t times_sent(Fixture *f, domid_t domid, uint32_t port)
{
    return port_of(f, domid, port).sent;
}

uint32_t port_users(Fixture *f, domid_t domid, uint32_t port)
{
    return port_of(f, domid, port).users;
}

static pid_t fork_child(Fixture *f, ChildFn *fn, void *opaque, int done)
{
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid) {
        return pid;
    }
    /* Death is what is tested, so the sanitizers shall not look into it */
    signal(SIGSEGV, SIG_DFL);
    fn(f, opaque);
    while (done >= 0) {
        g_assert_cmpint(write(done, "", 1), ==, 1);
        pause();
    }
    _exit(0);
}

int run_child(Fixture *f, ChildFn *fn, void *opaque)
{
    int status;
    pid_t pid = fork_child(f, fn, opaque, -1);

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status;
}

pid_t start_child(Fixture *f, ChildFn *fn, void *opaque)
{
    int fds[2];
    pid_t pid;
    char c;

    g_assert_cmpint(pipe(fds), ==, 0);
    pid = fork_child(f, fn, opaque, fds[1]);
    close(fds[1]);
    /* 0 if it died before it was ready */
    g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
    close(fds[0]);
    return pid;
}

void kill_child(pid_t pid)
{
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}
