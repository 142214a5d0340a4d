/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real libxengnttab over the model of the grant devices: every function of
 * xengnttab.h, by one process that is both domains
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <xen/sys/gntalloc.h>
#include <xen/sys/gntdev.h>

#include "../../hw/xen/pgdir/linux-grants.h"
#include "gnttab-fixture.h"

/* Handles */

static void test_open(Fixture *f, gconstpointer data)
{
    xengnttab_handle *tab = xengnttab_open(quiet(), 0);
    xengntshr_handle *shr = xengntshr_open(quiet(), 0);

    g_assert_nonnull(tab);
    g_assert_nonnull(shr);
    g_assert_cmpint(xengnttab_fd(tab), !=, xengntshr_fd(shr));
    g_assert_cmpint(xengnttab_fd(tab), !=, xengnttab_fd(f->tab));
    /* As everybody's kernel does today, and the library makes good */
    g_assert_cmpint(xengnttab_set_max_grants(tab, 1), ==, 0);
    g_assert_cmpint(xengnttab_close(tab), ==, 0);
    g_assert_cmpint(xengntshr_close(shr), ==, 0);
}

static void test_no_machine(Fixture *f, gconstpointer data)
{
    g_unsetenv("XEN_FAKE_MACHINE");
    if (access("/dev/xen/gntdev", F_OK) == 0) {
        g_test_skip("this machine has Xen");
        return;
    }
    assert_errno(xengnttab_open(quiet(), 0), NULL, ENOENT);
    assert_errno(xengntshr_open(quiet(), 0), NULL, ENOENT);
}

/* Mapping */

static void test_map_one(Fixture *f, gconstpointer data)
{
    uint32_t refs[2];
    uint8_t *shared = share(f, 2, refs, true);
    uint8_t *mapped = xengnttab_map_grant_ref(f->tab, GUEST, refs[1],
                                              PROT_READ | PROT_WRITE);

    g_assert_nonnull(mapped);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    g_assert_cmpuint(number_at(mapped, 0), ==, 1);
    set_number(mapped, 0, 42);
    g_assert_cmpuint(number_at(shared, 1), ==, 42);
    set_number(shared, 1, 43);
    g_assert_cmpuint(number_at(mapped, 0), ==, 43);
    g_assert_cmphex(entry_of(f, refs[1]).flags, ==,
                    GTF_permit_access | GTF_reading | GTF_writing);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmphex(entry_of(f, refs[1]).flags, ==, GTF_permit_access);
    g_assert_cmpint(xengntshr_unshare(f->shr, shared, 2), ==, 0);
    g_assert_cmphex(entry_of(f, refs[1]).flags, ==, 0);
}

static void test_map_refs(Fixture *f, gconstpointer data)
{
    const uint32_t order[] = { 9, 4, 5, 6, 0, 4 };
    uint32_t all[10], refs[ARRAY_SIZE(order)];
    uint8_t *shared = share(f, ARRAY_SIZE(all), all, true);
    uint8_t *mapped;
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(order); i++) {
        refs[i] = all[order[i]];
    }
    mapped = xengnttab_map_domain_grant_refs(f->tab, ARRAY_SIZE(order), GUEST,
                                             refs, PROT_READ | PROT_WRITE);
    g_assert_nonnull(mapped);
    for (i = 0; i < ARRAY_SIZE(order); i++) {
        g_assert_cmpuint(number_at(mapped, i), ==, order[i]);
    }
    set_number(mapped, 1, 77);
    g_assert_cmpuint(number_at(mapped, 5), ==, 77);
    g_assert_cmpuint(nr_mapped(f), ==, ARRAY_SIZE(order));
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, ARRAY_SIZE(order)), ==,
                    0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, shared, ARRAY_SIZE(all));
}

static void test_map_domains(Fixture *f, gconstpointer data)
{
    uint32_t refs[3], domids[3] = { OTHER, GUEST, OTHER };
    xengntshr_handle *other;
    uint8_t *theirs, *shared, *mapped;

    be_domain(OTHER);
    other = xengntshr_open(quiet(), 0);
    theirs = xengntshr_share_pages(other, DOM0, 1, &refs[0], 1);
    g_assert_nonnull(theirs);
    set_number(theirs, 0, 1000);
    shared = share(f, 1, &refs[1], true);
    refs[2] = refs[0];
    /* Each domain counts for itself */
    g_assert_cmpuint(refs[0], ==, refs[1]);

    mapped = xengnttab_map_grant_refs(f->tab, 3, domids, refs, PROT_READ);
    g_assert_nonnull(mapped);
    g_assert_cmpuint(number_at(mapped, 0), ==, 1000);
    g_assert_cmpuint(number_at(mapped, 1), ==, 0);
    g_assert_cmpuint(number_at(mapped, 2), ==, 1000);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 3), ==, 0);

    domids[1] = 7;
    assert_errno(xengnttab_map_grant_refs(f->tab, 3, domids, refs, PROT_READ),
                 NULL, EINVAL);
    xengntshr_unshare(other, theirs, 1);
    xengntshr_close(other);
    xengntshr_unshare(f->shr, shared, 1);
}

static void test_map_many(Fixture *f, gconstpointer data)
{
    const uint32_t count = 20000;
    g_autofree uint32_t *refs = g_new(uint32_t, count);
    uint8_t *shared = share(f, count, refs, false);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(f->tab, count, GUEST,
                                                      refs, PROT_READ);
    uint32_t i;

    g_assert_nonnull(mapped);
    g_assert_cmpuint(nr_mapped(f), ==, count);
    for (i = 0; i < count; i++) {
        g_assert_cmpuint(number_at(mapped, i), ==, i);
    }
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, count), ==, 0);
    g_assert_cmpint(xengntshr_unshare(f->shr, shared, count), ==, 0);
}

/* One bad reference, and nothing is mapped */
static void test_refused(Fixture *f, gconstpointer data)
{
    uint32_t refs[4], bad[4];
    uint8_t *shared = share(f, 3, refs, true);
    uint8_t *readonly = share(f, 1, &refs[3], false);
    const uint32_t wrong[] = { 0, 1000000, UINT32_MAX, refs[3] };
    uint32_t i, where;

    for (i = 0; i < ARRAY_SIZE(wrong); i++) {
        for (where = 0; where < 3; where++) {
            memcpy(bad, refs, sizeof(bad));
            bad[where] = wrong[i];
            assert_errno(xengnttab_map_domain_grant_refs(
                f->tab, 3, GUEST, bad, PROT_READ | PROT_WRITE), NULL, EINVAL);
            g_assert_cmpuint(nr_mapped(f), ==, 0);
            g_assert_cmphex(entry_of(f, refs[2]).flags, ==,
                            GTF_permit_access);
        }
    }
    /* What is granted to somebody else is none of ours */
    be_domain(OTHER);
    xengnttab_close(f->tab);
    f->tab = xengnttab_open(quiet(), 0);
    assert_errno(xengnttab_map_grant_ref(f->tab, GUEST, refs[0], PROT_READ),
                 NULL, EINVAL);
    assert_errno(xengnttab_map_grant_ref(f->tab, 7, refs[0], PROT_READ),
                 NULL, EINVAL);
    xengntshr_unshare(f->shr, shared, 3);
    xengntshr_unshare(f->shr, readonly, 1);
}

static void write_to(Fixture *f, void *opaque)
{
    uint32_t *ref = opaque;
    uint8_t *mapped;

    /* A child has to map for itself */
    f->tab = xengnttab_open(quiet(), 0);
    mapped = xengnttab_map_grant_ref(f->tab, GUEST, *ref, PROT_READ);
    g_assert_nonnull(mapped);
    g_assert_cmpuint(number_at(mapped, 0), ==, 0);
    set_number(mapped, 0, 1);
}

static void test_readonly(Fixture *f, gconstpointer data)
{
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, true);
    int status = run_child(f, write_to, &ref);

    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGSEGV);
    g_assert_cmpuint(number_at(shared, 0), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, shared, 1);
}

static void test_unmap(Fixture *f, gconstpointer data)
{
    uint32_t refs[4];
    uint8_t *shared = share(f, 4, refs, true);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(f->tab, 4, GUEST, refs,
                                                      PROT_READ);

    g_assert_nonnull(mapped);
    assert_errno(xengnttab_unmap(f->tab, NULL, 4), -1, EINVAL);
    assert_errno(xengnttab_unmap(f->tab, mapped, 3), -1, EINVAL);
    assert_errno(xengnttab_unmap(f->tab, mapped, 5), -1, EINVAL);
    /* Shared pages are none that are mapped, and other memory neither */
    assert_errno(xengnttab_unmap(f->tab, shared, 4), -1, EINVAL);
    assert_errno(xengnttab_unmap(f->tab, &refs, 1), -1, EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 4);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 4), ==, 0);
    assert_errno(xengnttab_unmap(f->tab, mapped, 4), -1, EINVAL);
    xengntshr_unshare(f->shr, shared, 4);
}

/* Limits */

static void test_limit(Fixture *f, gconstpointer data)
{
    uint32_t refs[11];
    uint8_t *shared = share(f, 11, refs, true);
    uint8_t *mapped, *second;

    assert_errno(xengnttab_map_domain_grant_refs(f->tab, 0, GUEST, refs,
                                                 PROT_READ), NULL, EINVAL);
    assert_errno(xengnttab_map_domain_grant_refs(f->tab, 11, GUEST, refs,
                                                 PROT_READ), NULL, EINVAL);
    /* It is of one request */
    mapped = xengnttab_map_domain_grant_refs(f->tab, 10, GUEST, refs,
                                             PROT_READ);
    g_assert_nonnull(mapped);
    second = xengnttab_map_domain_grant_refs(f->tab, 10, GUEST, refs,
                                             PROT_READ);
    g_assert_nonnull(second);

    /* And this of all: 24 mappings in all */
    assert_errno(xengnttab_map_domain_grant_refs(f->tab, 5, GUEST, refs,
                                                 PROT_READ), NULL, EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 20);
    g_assert_cmpint(xengnttab_unmap(f->tab, second, 10), ==, 0);
    second = xengnttab_map_domain_grant_refs(f->tab, 5, GUEST, refs,
                                             PROT_READ);
    g_assert_nonnull(second);
    g_assert_cmpint(xengnttab_unmap(f->tab, second, 5), ==, 0);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 10), ==, 0);
    xengntshr_unshare(f->shr, shared, 11);
}

/* Sharing */

static void test_share_limit(Fixture *f, gconstpointer data)
{
    uint32_t refs[11];
    xengntshr_handle *second;
    uint8_t *shared;

    assert_errno(xengntshr_share_pages(f->shr, DOM0, 11, refs, 1), NULL,
                 ENOSPC);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    shared = share(f, 6, refs, true);
    /* It is one for all of a domain */
    be_domain(GUEST);
    second = xengntshr_open(quiet(), 0);
    assert_errno(xengntshr_share_pages(second, DOM0, 5, refs, 1), NULL,
                 ENOSPC);
    xengntshr_unshare(f->shr, shared, 6);
    shared = xengntshr_share_pages(second, DOM0, 10, refs, 1);
    g_assert_nonnull(shared);
    g_assert_cmpint(xengntshr_unshare(second, shared, 10), ==, 0);
    xengntshr_close(second);
}

/* No pages left on the machine */
static void test_share_memory(Fixture *f, gconstpointer data)
{
    uint32_t refs[64];
    uint8_t *shared;

    assert_errno(xengntshr_share_pages(f->shr, DOM0, 64, refs, 1), NULL,
                 ENOMEM);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    shared = share(f, 63, refs, true);
    assert_errno(xengntshr_share_pages(f->shr, DOM0, 1, refs, 1), NULL,
                 ENOMEM);
    xengntshr_unshare(f->shr, shared, 63);
}

static void test_share_readonly(Fixture *f, gconstpointer data)
{
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, false);
    uint8_t *mapped;

    set_number(shared, 0, 5);
    assert_errno(xengnttab_map_grant_ref(f->tab, GUEST, ref,
                                         PROT_READ | PROT_WRITE), NULL,
                 EINVAL);
    mapped = xengnttab_map_grant_ref(f->tab, GUEST, ref, PROT_READ);
    g_assert_nonnull(mapped);
    g_assert_cmpuint(number_at(mapped, 0), ==, 5);
    xengnttab_unmap(f->tab, mapped, 1);
    xengntshr_unshare(f->shr, shared, 1);
}

/* Pages outlive their sharing as long as the peer has them mapped */
static void test_unshare_mapped(Fixture *f, gconstpointer data)
{
    uint32_t refs[3], again[3], i;
    uint8_t *shared = share(f, 3, refs, true);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(f->tab, 2, GUEST, refs,
                                                      PROT_READ | PROT_WRITE);

    g_assert_nonnull(mapped);
    g_assert_cmpint(xengntshr_unshare(f->shr, shared, 3), ==, 0);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 2);
    g_assert_cmphex(entry_of(f, refs[0]).flags & GTF_permit_access, ==,
                    GTF_permit_access);
    g_assert_cmphex(entry_of(f, refs[2]).flags, ==, 0);
    g_assert_cmpuint(number_at(mapped, 1), ==, 1);

    /* What is shared next is something else */
    shared = share(f, 3, again, true);
    for (i = 0; i < 3; i++) {
        g_assert_cmpuint(again[i], !=, refs[0]);
        g_assert_cmpuint(again[i], !=, refs[1]);
        set_number(shared, i, 99);
    }
    g_assert_cmpuint(number_at(mapped, 0), ==, 0);
    g_assert_cmpuint(number_at(mapped, 1), ==, 1);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 2), ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 0);
    xengntshr_unshare(f->shr, shared, 3);
}

/* close() ends neither a mapping nor what is shared, as long as it is there */
static void test_close_mapped(Fixture *f, gconstpointer data)
{
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, true);
    uint8_t *mapped = xengnttab_map_grant_ref(f->tab, GUEST, ref,
                                              PROT_READ | PROT_WRITE);

    xengnttab_close(f->tab);
    xengntshr_close(f->shr);
    f->tab = NULL;
    f->shr = NULL;
    set_number(mapped, 0, 8);
    g_assert_cmpuint(number_at(shared, 0), ==, 8);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 1);
    g_assert_cmpint(munmap(mapped, PAGE), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmpint(munmap(shared, PAGE), ==, 0);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
}

/* Unmap notifications */

static void test_map_notify(Fixture *f, gconstpointer data)
{
    uint32_t port = open_port(f, DOM0);
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, true);
    uint8_t *mapped;

    memset(shared, 0xaa, PAGE);
    mapped = xengnttab_map_grant_ref_notify(f->tab, GUEST, ref,
                                            PROT_READ | PROT_WRITE, 10, port);
    g_assert_nonnull(mapped);
    g_assert_cmpuint(port_users(f, DOM0, port), ==, 2);
    /* Who closes the port himself is notified nevertheless */
    close_port(f, DOM0, port);
    g_assert_cmphex(shared[10], ==, 0xaa);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmphex(shared[9], ==, 0xaa);
    g_assert_cmphex(shared[10], ==, 0);
    g_assert_cmphex(shared[11], ==, 0xaa);
    g_assert_cmpuint(times_sent(f, DOM0, port), ==, 1);
    g_assert_cmpuint(port_users(f, DOM0, port), ==, 0);

    /* Only the one, only the other, or neither */
    shared[10] = 0xbb;
    port = open_port(f, DOM0);
    mapped = xengnttab_map_grant_ref_notify(f->tab, GUEST, ref,
                                            PROT_READ | PROT_WRITE, 10, -1);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmphex(shared[10], ==, 0);
    shared[10] = 0xcc;
    mapped = xengnttab_map_grant_ref_notify(f->tab, GUEST, ref, PROT_READ, -1,
                                            port);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmpuint(times_sent(f, DOM0, port), ==, 1);
    mapped = xengnttab_map_grant_ref_notify(f->tab, GUEST, ref,
                                            PROT_READ | PROT_WRITE, -1, -1);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmphex(shared[10], ==, 0xcc);

    /* What cannot be done is not done by half */
    assert_errno(xengnttab_map_grant_ref_notify(f->tab, GUEST, ref, PROT_READ,
                                                10, -1), NULL, EINVAL);
    assert_errno(xengnttab_map_grant_ref_notify(f->tab, GUEST, ref,
                                                PROT_READ | PROT_WRITE, -1,
                                                200), NULL, EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    close_port(f, DOM0, port);
    xengntshr_unshare(f->shr, shared, 1);
}

static void test_share_notify(Fixture *f, gconstpointer data)
{
    uint32_t port = open_port(f, GUEST);
    uint32_t ref;
    uint8_t *shared, *mapped;

    shared = xengntshr_share_page_notify(f->shr, DOM0, &ref, 1, 100, port);
    g_assert_nonnull(shared);
    mapped = xengnttab_map_grant_ref(f->tab, GUEST, ref, PROT_READ);
    memset(shared, 0xaa, PAGE);
    g_assert_cmpint(xengntshr_unshare(f->shr, shared, 1), ==, 0);
    /* The peer sees it, and hears it */
    g_assert_cmphex(mapped[99], ==, 0xaa);
    g_assert_cmphex(mapped[100], ==, 0);
    g_assert_cmphex(mapped[101], ==, 0xaa);
    g_assert_cmpuint(times_sent(f, GUEST, port), ==, 1);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);

    assert_errno(xengntshr_share_page_notify(f->shr, DOM0, &ref, 1, -1, 200),
                 NULL, EINVAL);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    close_port(f, GUEST, port);
}

/* Copying */

static void test_copy(Fixture *f, gconstpointer data)
{
    g_autofree uint8_t *local = g_malloc0(3 * PAGE);
    uint32_t refs[3];
    uint8_t *shared = share(f, 2, refs, true);
    uint8_t *readonly = share(f, 1, &refs[2], false);
    xengnttab_grant_copy_segment_t segs[] = {
        {   /* from a grant, to two pages of ours */
            .source.foreign = { refs[0], 0, GUEST },
            .dest.virt = local + PAGE - 100,
            .len = PAGE,
            .flags = GNTCOPY_source_gref,
        }, {    /* to a grant, its last bytes */
            .source.virt = local + PAGE - 100,
            .dest.foreign = { refs[1], PAGE - 4, GUEST },
            .len = 4,
            .flags = GNTCOPY_dest_gref,
        }, {    /* from one to another */
            .source.foreign = { refs[2], 0, GUEST },
            .dest.foreign = { refs[1], 8, GUEST },
            .len = 16,
            .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
        }, {    /* to what is read-only */
            .source.virt = local,
            .dest.foreign = { refs[2], 0, GUEST },
            .len = 16,
            .flags = GNTCOPY_dest_gref,
        }, {    /* of no such grant */
            .source.foreign = { 1000000, 0, GUEST },
            .dest.virt = local,
            .len = 16,
            .flags = GNTCOPY_source_gref,
        },
    };
    uint32_t i;

    memset(shared, 0x11, PAGE);
    memset(readonly, 0x22, PAGE);
    for (i = 0; i < ARRAY_SIZE(segs); i++) {
        segs[i].status = 77;
    }
    g_assert_cmpint(xengnttab_grant_copy(f->tab, ARRAY_SIZE(segs), segs), ==,
                    0);
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(segs[i].status, ==, GNTST_okay);
    }
    g_assert_cmpint(segs[3].status, ==, GNTST_general_error);
    g_assert_cmpint(segs[4].status, ==, GNTST_bad_gntref);

    g_assert_cmphex(local[PAGE - 101], ==, 0);
    g_assert_cmpmem(local + PAGE - 100, PAGE, shared, PAGE);
    g_assert_cmphex(local[2 * PAGE - 100], ==, 0);
    g_assert_cmphex(shared[2 * PAGE - 4], ==, 0x11);
    g_assert_cmphex(shared[2 * PAGE - 1], ==, 0x11);
    g_assert_cmphex(shared[2 * PAGE - 5], ==, 0);
    g_assert_cmphex(shared[PAGE + 8], ==, 0x22);
    g_assert_cmphex(shared[PAGE + 24], ==, 0);
    g_assert_cmphex(readonly[0], ==, 0x22);
    g_assert_cmphex(entry_of(f, refs[0]).flags, ==, GTF_permit_access);
    xengntshr_unshare(f->shr, shared, 2);
    xengntshr_unshare(f->shr, readonly, 1);
}

static void test_copy_errors(Fixture *f, gconstpointer data)
{
    uint8_t local[PAGE];
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, true);
    xengnttab_grant_copy_segment_t seg = {
        .source.foreign = { ref, 1, GUEST },
        .dest.virt = local,
        .len = PAGE,
        .flags = GNTCOPY_source_gref,
    };

    /* Beyond the page; nothing that is a grant; a bad address */
    assert_errno(xengnttab_grant_copy(f->tab, 1, &seg), -1, EINVAL);
    seg.len = 1;
    seg.flags = 0;
    assert_errno(xengnttab_grant_copy(f->tab, 1, &seg), -1, EINVAL);
    seg.flags = GNTCOPY_source_gref;
    seg.dest.virt = (void *)16;
    assert_errno(xengnttab_grant_copy(f->tab, 1, &seg), -1, EFAULT);
    assert_errno(xengnttab_grant_copy(f->tab, 1, (void *)16), -1, EFAULT);
    g_assert_cmpint(xengnttab_grant_copy(f->tab, 0, NULL), ==, 0);
    g_assert_cmphex(entry_of(f, ref).flags, ==, GTF_permit_access);
    xengntshr_unshare(f->shr, shared, 1);
}

/* DMA buffers: Debian's kernels do not have them */
static void test_dmabuf(Fixture *f, gconstpointer data)
{
    uint32_t ref, fd = 0;
    uint8_t *shared = share(f, 1, &ref, true);

    assert_errno(xengnttab_dmabuf_exp_from_refs(f->tab, GUEST, 0, 1, &ref,
                                                &fd), -1, ENOTTY);
    assert_errno(xengnttab_dmabuf_exp_from_refs(f->tab, GUEST, 0, 0, &ref,
                                                &fd), -1, EINVAL);
    assert_errno(xengnttab_dmabuf_exp_wait_released(f->tab, 0, 0), -1,
                 ENOTTY);
    assert_errno(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, 0, 1, &ref), -1,
                 ENOTTY);
    assert_errno(xengnttab_dmabuf_imp_to_refs(f->tab, GUEST, 0, 0, &ref), -1,
                 EINVAL);
    assert_errno(xengnttab_dmabuf_imp_release(f->tab, 0), -1, ENOTTY);
    xengntshr_unshare(f->shr, shared, 1);
}

/* What libxenpgdir and QEMU do besides: memory takes a mapping's place */

static uint8_t *new_memory(uint32_t pages, int byte)
{
    uint8_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(memory != MAP_FAILED);
    memset(memory, byte, pages * PAGE);
    return memory;
}

static void test_replace(Fixture *f, gconstpointer data)
{
    uint32_t refs[4];
    uint8_t *shared = share(f, 4, refs, true);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(f->tab, 4, GUEST, refs,
                                                      PROT_READ);
    uint8_t *memory = new_memory(4, 0x33);

    /* Not a part, and not what is no mapping */
    assert_errno(xen_linux_grants_replace_map(f->tab, mapped, 3, memory), -1,
                 EINVAL);
    assert_errno(xen_linux_grants_replace_map(f->tab, shared, 4, memory), -1,
                 EINVAL);
    g_assert_cmpuint(nr_mapped(f), ==, 4);
    g_assert_cmpint(xen_linux_grants_replace_map(f->tab, mapped, 4, memory),
                    ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmphex(mapped[3 * PAGE + 7], ==, 0x33);
    munmap(mapped, 4 * PAGE);

    xengntshr_unshare(f->shr, shared, 4);
}

/* The devices, without the library */

static int get_offset(int fd, void *addr)
{
    struct ioctl_gntdev_get_offset_for_vaddr op = { .vaddr = (uintptr_t)addr };

    return ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &op);
}

static void test_device_ioctl(Fixture *f, gconstpointer data)
{
    static const unsigned long of_gntdev[] = {
        IOCTL_GNTDEV_MAP_GRANT_REF, IOCTL_GNTDEV_UNMAP_GRANT_REF,
        IOCTL_GNTDEV_SET_UNMAP_NOTIFY, IOCTL_GNTDEV_GRANT_COPY,
    };
    static const unsigned long of_gntalloc[] = {
        IOCTL_GNTALLOC_ALLOC_GREF, IOCTL_GNTALLOC_DEALLOC_GREF,
        IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
    };
    int tab = xengnttab_fd(f->tab);
    int shr = xengntshr_fd(f->shr);
    struct ioctl_gntdev_map_grant_ref map = { .count = UINT32_MAX };
    struct ioctl_gntalloc_alloc_gref alloc = {
        .count = XEN_GNTALLOC_LIMIT + 1,
    };
    uint8_t *memory;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(of_gntdev); i++) {
        assert_errno(ioctl(tab, of_gntdev[i], (void *)16), -1, EFAULT);
    }
    for (i = 0; i < ARRAY_SIZE(of_gntalloc); i++) {
        assert_errno(ioctl(shr, of_gntalloc[i], (void *)16), -1, EFAULT);
    }
    /* What the other one has, and what none has */
    assert_errno(ioctl(shr, IOCTL_GNTDEV_MAP_GRANT_REF, &map), -1, ENOTTY);
    assert_errno(ioctl(tab, IOCTL_GNTALLOC_ALLOC_GREF, &alloc), -1, ENOTTY);
    assert_errno(ioctl(tab, FIONREAD, &i), -1, ENOTTY);
    assert_errno(ioctl(tab, IOCTL_GNTDEV_MAP_GRANT_REF, &map), -1, EINVAL);
    assert_errno(ioctl(shr, IOCTL_GNTALLOC_ALLOC_GREF, &alloc), -1, ENOSPC);
    /* References in memory that there is not */
    memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_cmpint(mprotect(memory + PAGE, PAGE, PROT_NONE), ==, 0);
    map.count = 2;
    memcpy(memory + PAGE - sizeof(map), &map, sizeof(map));
    assert_errno(ioctl(tab, IOCTL_GNTDEV_MAP_GRANT_REF,
                       memory + PAGE - sizeof(map)), -1, EFAULT);
    munmap(memory, 2 * PAGE);
    assert_errno(get_offset(tab, &map), -1, EINVAL);
    assert_errno(get_offset(tab, NULL), -1, EINVAL);
}

static void *map_device(int fd, off_t offset, int prot, int flags)
{
    return mmap(NULL, 2 * PAGE, prot, flags, fd, offset);
}

static void test_device_mmap(Fixture *f, gconstpointer data)
{
    const int rw = PROT_READ | PROT_WRITE;
    int tab = xengnttab_fd(f->tab);
    int shr = xengntshr_fd(f->shr);
    uint32_t refs[2];
    uint8_t *shared = share(f, 2, refs, true);
    uint8_t *mapped;

    assert_errno(map_device(tab, 0, rw, MAP_SHARED), MAP_FAILED, EINVAL);
    assert_errno(map_device(tab, 1, rw, MAP_SHARED), MAP_FAILED, EINVAL);
    assert_errno(map_device(tab, 0, rw, MAP_PRIVATE), MAP_FAILED, EINVAL);
    assert_errno(map_device(shr, 0, rw, MAP_PRIVATE), MAP_FAILED, EINVAL);
    /* The library has given the pages back, the mapping keeps them */
    assert_errno(map_device(shr, 0, rw, MAP_SHARED), MAP_FAILED, ENOENT);
    assert_errno(mmap(NULL, 0, rw, MAP_SHARED, tab, 0), MAP_FAILED, EINVAL);

    /* Parts of a mapping, and what comes in its place */
    mapped = xengnttab_map_domain_grant_refs(f->tab, 2, GUEST, refs, rw);
    g_assert_cmpint(get_offset(tab, mapped + PAGE), ==, 0);
    assert_errno(mremap(mapped, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE),
                 MAP_FAILED, EFAULT);
    g_assert_cmpint(munmap(mapped + PAGE, 1), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    g_assert_cmpuint(number_at(mapped, 0), ==, 0);
    g_assert_true(mmap(mapped, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
                       MAP_FIXED, -1, 0) == mapped);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    munmap(mapped, PAGE);
    g_assert_cmpint(munmap(shared, 2 * PAGE), ==, 0);
}

/* Somebody was killed in the middle of a change: say so to all who come */
static void test_damaged(Fixture *f, gconstpointer data)
{
    f->fake->header->busy = 1;
    assert_errno(xengnttab_open(quiet(), 0), NULL, EIO);
    g_assert_cmpint(xen_fake_lock(f->fake), ==, -EIO);
    f->fake->header->busy = 0;
}

static void add(const char *name, const char *config,
                void (*fn)(Fixture *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf("/xen/gnttab/%s", name);

    g_test_add(path, Fixture, config, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("open", NULL, test_open);
    add("no-machine", NULL, test_no_machine);
    add("map/one", NULL, test_map_one);
    add("map/refs", NULL, test_map_refs);
    add("map/domains", NULL, test_map_domains);
    add("map/many", "gntalloc-limit=20000", test_map_many);
    add("map/refused", NULL, test_refused);
    add("map/readonly", NULL, test_readonly);
    add("unmap", NULL, test_unmap);
    add("limit", "gntdev-limit=10,maptrack=24", test_limit);
    add("share/limit", "gntalloc-limit=10", test_share_limit);
    add("share/memory", "pages=80,grant-frames=1", test_share_memory);
    add("share/readonly", NULL, test_share_readonly);
    add("share/unshare-mapped", NULL, test_unshare_mapped);
    add("close-mapped", NULL, test_close_mapped);
    add("notify/map", NULL, test_map_notify);
    add("notify/share", NULL, test_share_notify);
    add("copy/segments", NULL, test_copy);
    add("copy/errors", NULL, test_copy_errors);
    add("dmabuf", NULL, test_dmabuf);
    add("replace", NULL, test_replace);
    add("device/ioctl", NULL, test_device_ioctl);
    add("device/mmap", NULL, test_device_mmap);
    add("damaged", NULL, test_damaged);
    return g_test_run();
}
