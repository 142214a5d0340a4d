/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real libxengnttab over the model of the grant devices: every function of
 * xengnttab.h, by one process that is both domains
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>
#include <sys/wait.h>

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
    return g_test_run();
}
