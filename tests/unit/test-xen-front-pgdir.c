/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the frontend's side of page directories, over the model of Xen's
 * grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../frontend/xen-front-pgdir.h"
#include "model-guest.h"

#define PER_DIR     XEN_FRONT_REFS_PER_DIR
#define PAGES       5000
#define REFS        8192
#define HANDLES     5000

#define BYTES(pages) ((uint64_t)(pages) * XEN_GUEST_PAGE)

/* Sizes where something begins or ends */
static const uint32_t sizes[] = {
    1, 2, PER_DIR - 1, PER_DIR, PER_DIR + 1, 2 * PER_DIR - 1, 2 * PER_DIR,
    2 * PER_DIR + 1, 3 * PER_DIR + 7,
};

typedef struct Fixture {
    ModelGuest *g;
    XenGuest *guest;
    uint32_t pages;
    uint32_t refs;
} Fixture;

static void set_up_sizes(Fixture *f, uint32_t pages, uint32_t refs,
                         uint32_t handles)
{
    f->g = model_guest_new(pages, refs, handles);
    f->guest = &f->g->guest;
    f->pages = model_guest_free_pages(f->g);
    f->refs = model_guest_free_refs(f->g);
    g_assert_cmpuint(f->pages, ==, pages);
    g_assert_cmpuint(f->refs, ==, refs - GNTTAB_NR_RESERVED_ENTRIES);
}

static void set_up(Fixture *f, const void *data)
{
    set_up_sizes(f, PAGES, REFS, HANDLES);
}

/* Nothing is left of what there was */
static void check_clean(Fixture *f)
{
    g_autofree char *what = xen_grant_table_check(&f->g->machine, true);

    g_assert_cmpstr(what, ==, NULL);
    g_assert_cmpuint(model_guest_free_pages(f->g), ==, f->pages);
    g_assert_cmpuint(model_guest_free_refs(f->g), ==, f->refs);
    g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
    g_assert_cmpuint(model_backend_mapped(f->g), ==, 0);
}

static void tear_down(Fixture *f, const void *data)
{
    check_clean(f);
    xen_guest_free(f->guest);
}

static uint32_t dirs_of(uint32_t pages)
{
    return (pages + PER_DIR - 1) / PER_DIR;
}

static XenFrontPgdir *alloc(Fixture *f, uint32_t pages, bool be_alloc)
{
    XenFrontPgdir *pgdir = NULL;

    g_assert_cmpint(xen_front_pgdir_alloc(f->guest, BYTES(pages), be_alloc,
                                          &pgdir), ==, 0);
    g_assert(pgdir);
    return pgdir;
}

/* The backend's side of backend allocation: shares pages, fills them in */
static void backend_fill(Fixture *f, XenFrontPgdir *pgdir, uint32_t *shared)
{
    uint32_t i;

    for (i = 0; i < pgdir->nr_pages; i++) {
        uint32_t page;
        uint32_t ref = model_backend_share(f->g, &page, false);

        g_assert(ref);
        memset(model_page(f->g, page), 0, XEN_GUEST_PAGE);
        memcpy(model_page(f->g, page), &i, sizeof(i));
        xen_front_pgdir_page(pgdir, i / PER_DIR)->refs[i % PER_DIR] = ref;
        if (shared) {
            shared[i] = page;
        }
    }
}

static void backend_revoke(Fixture *f)
{
    uint32_t ref;

    for (ref = GNTTAB_NR_RESERVED_ENTRIES; ref < REFS; ref++) {
        g_assert_cmpint(xen_grant_end_access(&f->g->backend_entries[ref]),
                        ==, 0);
    }
}

/* The page as the backend sees it that follows the references */
static uint32_t backend_sees(Fixture *f, uint32_t ref, bool write)
{
    const grant_entry_v1_t *entry = &f->g->entries[ref];
    uint32_t frame = 0;

    g_assert_cmpint(entry->domid, ==, XEN_GUEST_BACKEND);
    g_assert_cmpint(xen_grant_table_pin(&f->g->machine, XEN_GUEST_BACKEND,
                                        MODEL_GUEST_DOMID, ref, write,
                                        &frame), ==, GNTST_okay);
    xen_grant_table_unpin(&f->g->machine, MODEL_GUEST_DOMID, ref, write);
    return frame;
}

/* Layout */

static void test_layout(Fixture *f, const void *data)
{
    g_assert_cmpuint(sizeof(XenFrontDirPage), ==, XEN_GUEST_PAGE);
    g_assert_cmpuint(offsetof(XenFrontDirPage, next), ==, 0);
    g_assert_cmpuint(offsetof(XenFrontDirPage, refs), ==, 4);
    g_assert_cmpuint(PER_DIR, ==, 1023);
    g_assert_cmpuint(XEN_FRONT_DIR_END, ==, 0);
}

/* Counting: directory and data pages, or the directory's alone */
static void test_count(Fixture *f, const void *data)
{
    const bool be_alloc = GPOINTER_TO_INT(data);
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        const uint32_t dirs = dirs_of(sizes[i]);
        const uint32_t refs = dirs + (be_alloc ? 0 : sizes[i]);
        XenFrontPgdir *pgdir = alloc(f, sizes[i], be_alloc);

        g_assert_cmpuint(pgdir->nr_pages, ==, sizes[i]);
        g_assert_cmpuint(pgdir->nr_dirs, ==, dirs);
        g_assert_cmpuint(pgdir->nr_refs, ==, refs);
        g_assert_cmpuint(f->refs - model_guest_free_refs(f->g), ==, refs);
        g_assert_cmpuint(f->pages - model_guest_free_pages(f->g), ==, refs);
        g_assert_cmpint(!pgdir->data, ==, be_alloc);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
        check_clean(f);
    }
}

/* Bytes that do not fill their last page need it nevertheless */
static void test_count_bytes(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new(f->guest, 1);

    g_assert_cmpuint(pgdir->nr_pages, ==, 1);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    pgdir = xen_front_pgdir_new(f->guest, BYTES(PER_DIR) + 1);
    g_assert_cmpuint(pgdir->nr_pages, ==, PER_DIR + 1);
    g_assert_cmpuint(pgdir->nr_dirs, ==, 2);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

static void test_bad_size(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = (void *)f;

    g_assert_cmpint(xen_front_pgdir_alloc(f->guest, 0, false, &pgdir), ==,
                    -EINVAL);
    g_assert(!pgdir);
    g_assert_cmpint(xen_front_pgdir_alloc(f->guest, UINT64_MAX, true, &pgdir),
                    ==, -EINVAL);
    g_assert(!xen_front_pgdir_new(f->guest, UINT64_MAX - 4095));
    g_assert(!xen_front_pgdir_new_be_alloc(f->guest, 0));
}

/* Granting: the directory's pages first, all for reading and writing */
static void test_order(Fixture *f, const void *data)
{
    const bool be_alloc = GPOINTER_TO_INT(data);
    XenFrontPgdir *pgdir = alloc(f, PER_DIR + 5, be_alloc);
    uint32_t i, n = 0;

    for (i = 0; i < f->g->log->len; i++) {
        const ModelGuestOp *op = &g_array_index(f->g->log, ModelGuestOp, i);
        uint32_t page;

        if (strcmp(op->name, "grant")) {
            continue;
        }
        page = n < 2 ? pgdir->dir_pages[n] : pgdir->pages[n - 2];
        g_assert_cmpuint(op->page, ==, page);
        g_assert_cmpuint(op->ref, ==, pgdir->grefs[n]);
        g_assert_cmphex(f->g->entries[op->ref].flags, ==, GTF_permit_access);
        g_assert_cmpuint(backend_sees(f, op->ref, true), ==, page);
        n++;
    }
    g_assert_cmpuint(n, ==, pgdir->nr_refs);
    g_assert(pgdir->dir_refs == pgdir->grefs);
    g_assert_cmpint(pgdir->refs == pgdir->grefs + 2, ==, !be_alloc);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* Filling: the chain, and the references of data in their order */
static void test_fill_own(Fixture *f, const void *data)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        XenFrontPgdir *pgdir = alloc(f, sizes[i], false);
        uint32_t ref = xen_front_pgdir_ref(pgdir);
        uint32_t left = sizes[i];
        uint32_t dir, n;

        /* As the backend would walk it */
        for (dir = 0; dir < pgdir->nr_dirs; dir++) {
            XenFrontDirPage *page = model_page(f->g,
                                               backend_sees(f, ref, false));

            for (n = 0; n < PER_DIR; n++) {
                const uint32_t at = dir * PER_DIR + n;

                g_assert_cmpuint(page->refs[n], ==,
                                 n < left ? pgdir->refs[at] : 0);
                if (n < left) {
                    g_assert_cmpuint(backend_sees(f, page->refs[n], true), ==,
                                     pgdir->pages[at]);
                }
            }
            left -= MIN(left, PER_DIR);
            ref = page->next;
            g_assert_cmpint(ref == XEN_FRONT_DIR_END, ==, !left);
        }
        g_assert_cmpuint(left, ==, 0);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    }
}

/* Filling for the backend: only the chain, nothing else is touched */
static void test_fill_be_alloc(Fixture *f, const void *data)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        XenFrontPgdir *pgdir = alloc(f, sizes[i], true);
        uint32_t ref = xen_front_pgdir_ref(pgdir);
        uint32_t dir, n;
        int round;

        for (round = 0; round < 2; round++) {
            const uint8_t byte = round ? 0xa5 : 0;

            for (dir = 0; dir < pgdir->nr_dirs; dir++) {
                XenFrontDirPage *page =
                    model_page(f->g, backend_sees(f, ref, true));

                for (n = 0; n < PER_DIR; n++) {
                    g_assert_cmphex(page->refs[n], ==, byte * 0x01010101u);
                }
                memset(page->refs, 0xa5, sizeof(page->refs));
                ref = page->next;
            }
            g_assert_cmpuint(ref, ==, XEN_FRONT_DIR_END);
            ref = xen_front_pgdir_ref(pgdir);
            for (dir = 0; dir < pgdir->nr_dirs; dir++) {
                xen_front_pgdir_page(pgdir, dir)->next = 0xbad;
            }
            xen_front_pgdir_fill(pgdir);
        }
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    }
}

/* Filling again mends what somebody has written */
static void test_refill(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, PER_DIR + 5, false);
    g_autofree XenFrontDirPage *before = g_new(XenFrontDirPage, 2);
    int i;

    for (i = 0; i < 2; i++) {
        memcpy(&before[i], xen_front_pgdir_page(pgdir, i), XEN_GUEST_PAGE);
        memset(xen_front_pgdir_page(pgdir, i), 0xee, XEN_GUEST_PAGE);
    }
    xen_front_pgdir_fill(pgdir);
    for (i = 0; i < 2; i++) {
        g_assert_cmpint(memcmp(&before[i], xen_front_pgdir_page(pgdir, i),
                               XEN_GUEST_PAGE), ==, 0);
    }
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* The start of the directory, if there is one */
static void test_start(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 3, false);

    g_assert_cmpuint(xen_front_pgdir_ref(pgdir), ==, pgdir->grefs[0]);
    g_assert_cmpuint(xen_front_pgdir_ref(pgdir), !=, 0);
    g_assert_cmpuint(backend_sees(f, xen_front_pgdir_ref(pgdir), true), ==,
                     pgdir->dir_pages[0]);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_ref(NULL), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_free(NULL), ==, 0);
}

/* The guest's own pages: there is nothing to map, and both sides see them */
static void test_own_data(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 5, false);
    uint32_t i;

    g_assert(pgdir->data);
    for (i = 0; i < 5; i++) {
        g_assert_cmpuint(pgdir->data[BYTES(i)], ==, 0);
        memset(pgdir->data + BYTES(i), i + 1, XEN_GUEST_PAGE);
    }
    for (i = 0; i < 5; i++) {
        const uint8_t *page =
            model_page(f->g, backend_sees(f, pgdir->refs[i], true));

        g_assert_cmpuint(page[0], ==, i + 1);
        g_assert_cmpuint(page[XEN_GUEST_PAGE - 1], ==, i + 1);
    }
    g_array_set_size(f->g->log, 0);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
    g_assert_cmpuint(f->g->log->len, ==, 0);
    g_assert(pgdir->data);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* Mapping: one batch in the directory's order, a handle for each page */
static void test_map(Fixture *f, const void *data)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        XenFrontPgdir *pgdir = alloc(f, sizes[i], true);
        g_autofree uint32_t *shared = g_new(uint32_t, sizes[i]);
        g_autofree uint8_t *seen = g_new0(uint8_t, HANDLES);
        const ModelGuestOp *op;
        uint32_t n;

        xen_grant_refs_init(f->g->backend_refs, REFS,
                            GNTTAB_NR_RESERVED_ENTRIES);
        backend_fill(f, pgdir, shared);
        g_array_set_size(f->g->log, 0);
        g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
        g_assert_cmpuint(f->g->log->len, ==, 1);
        op = &g_array_index(f->g->log, ModelGuestOp, 0);
        g_assert_cmpstr(op->name, ==, "map");
        g_assert_cmpuint(op->page, ==, sizes[i]);
        g_assert_cmpuint(model_guest_mapped(f->g), ==, sizes[i]);

        for (n = 0; n < sizes[i]; n++) {
            uint32_t word;

            g_assert_cmpuint(pgdir->handles[n], <, HANDLES);
            g_assert_cmpuint(seen[pgdir->handles[n]]++, ==, 0);
            memcpy(&word, pgdir->data + BYTES(n), sizeof(word));
            g_assert_cmpuint(word, ==, n);
            pgdir->data[BYTES(n) + 4095] = 0x77;
            g_assert_cmphex(((uint8_t *)model_page(f->g, shared[n]))[4095],
                            ==, 0x77);
        }
        g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -EBUSY);

        /* By these handles it is unmapped, and then there is nothing to do */
        g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
        g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
        g_assert(!pgdir->data);
        g_assert(!pgdir->handles);
        g_array_set_size(f->g->log, 0);
        g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
        g_assert_cmpuint(f->g->log->len, ==, 0);
        backend_revoke(f);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
        check_clean(f);
    }
}

/* One page that cannot be mapped: none stays mapped, and it is said which */
static void test_map_one_fails(Fixture *f, const void *data)
{
    const uint32_t pages = PER_DIR + 3;
    const uint32_t bad[] = { 0, 1, 500, PER_DIR - 1, PER_DIR, pages - 1 };
    XenFrontPgdir *pgdir = alloc(f, pages, true);
    size_t i;

    backend_fill(f, pgdir, NULL);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        XenFrontDirPage *page = xen_front_pgdir_page(pgdir, bad[i] / PER_DIR);
        uint32_t *ref = &page->refs[bad[i] % PER_DIR];
        const uint32_t good = *ref;
        g_autofree char *log = g_strdup_printf("cannot map page %u, "
                                               "reference 0", bad[i]);

        *ref = 0;
        g_test_expect_message(NULL, G_LOG_LEVEL_INFO, log);
        g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -ENXIO);
        g_test_assert_expected_messages();
        g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
        g_assert(!pgdir->data);
        g_assert(!pgdir->handles);

        *ref = good;
        g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
        g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
    }
    backend_revoke(f);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* It is the same when none can be mapped, or only when the track is full */
static void test_map_refused(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir;

    xen_guest_free(f->guest);
    set_up_sizes(f, PAGES, REFS, 20);
    pgdir = alloc(f, 21, true);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -ENXIO);
    backend_fill(f, pgdir, NULL);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -ENXIO);
    g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);

    pgdir = alloc(f, 20, true);
    backend_fill(f, pgdir, NULL);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);

    /* For reading only is not enough */
    f->g->backend_entries[xen_front_pgdir_page(pgdir, 0)->refs[7]].flags |=
        GTF_readonly;
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -ENXIO);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* If the batch itself fails, that is the error */
static void test_map_batch_fails(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 20, true);

    backend_fill(f, pgdir, NULL);
    f->g->fail_in = 1;
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, -EFAULT);
    g_assert(!pgdir->data);
    g_assert(!pgdir->handles);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
    backend_revoke(f);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* What goes wrong while unmapping is told, and everything else unmapped */
static void test_unmap_fails(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 20, true);
    struct gnttab_unmap_grant_ref op = { .host_addr = XEN_GUEST_PAGE };

    backend_fill(f, pgdir, NULL);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
    op.handle = pgdir->handles[3];
    g_assert_cmpuint(xen_grant_table_unmap(&f->g->machine, MODEL_GUEST_DOMID,
                                           &op, 1), ==, 0);
    g_test_expect_message(NULL, G_LOG_LEVEL_INFO, "cannot unmap all of*");
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, -ENOENT);
    g_test_assert_expected_messages();
    g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
    backend_revoke(f);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* Freeing ends access, but does not unmap */
static void test_free_does_not_unmap(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 20, true);
    uint32_t handles[20];
    uint8_t *pages;

    backend_fill(f, pgdir, NULL);
    g_assert_cmpint(xen_front_pgdir_map(pgdir), ==, 0);
    memcpy(handles, pgdir->handles, sizeof(handles));
    pages = pgdir->data;
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    g_assert_cmpuint(model_guest_free_refs(f->g), ==, f->refs);
    g_assert_cmpuint(model_guest_mapped(f->g), ==, 20);
    pages[BYTES(19)] = 1;
    g_assert_cmpint(xen_guest_unmap_grants(f->guest, pages, 20, handles), ==,
                    0);
    backend_revoke(f);
}

/* What the backend still uses stays granted, and is not given out again */
static void test_free_in_use(Fixture *f, const void *data)
{
    XenFrontPgdir *pgdir = alloc(f, 20, false);
    const uint32_t refs[3] = {
        pgdir->refs[4], pgdir->refs[19], pgdir->dir_refs[0],
    };
    struct gnttab_map_grant_ref ops[3];
    struct gnttab_unmap_grant_ref undo[3] = { 0 };
    uint32_t i;

    for (i = 0; i < 3; i++) {
        ops[i] = (struct gnttab_map_grant_ref) {
            .host_addr = XEN_GUEST_PAGE, .flags = GNTMAP_host_map,
            .ref = refs[i], .dom = MODEL_GUEST_DOMID,
        };
    }
    g_assert_cmpuint(xen_grant_table_map(&f->g->machine, XEN_GUEST_BACKEND,
                                         ops, 3), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 2);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 3);
    g_assert_cmpuint(model_guest_free_refs(f->g), ==, f->refs - 3);
    g_assert_cmpuint(model_guest_free_pages(f->g), ==, f->pages - 3);

    for (i = 0; i < 3; i++) {
        undo[i].host_addr = XEN_GUEST_PAGE;
        undo[i].handle = ops[i].handle;
    }
    g_assert_cmpuint(xen_grant_table_unmap(&f->g->machine, XEN_GUEST_BACKEND,
                                           undo, 3), ==, 0);
    f->refs -= 3;
    f->pages -= 3;
}

/* References or pages run out: nothing is left, and one more would do */
static void test_finite(Fixture *f, const void *data)
{
    const bool be_alloc = GPOINTER_TO_INT(data);
    const uint32_t pages = PER_DIR + 2;
    const uint32_t need = 2 + (be_alloc ? 0 : pages);
    XenFrontPgdir *pgdir;
    uint32_t more, all;

    xen_guest_free(f->guest);
    for (more = 0; more < 2; more++) {
        set_up_sizes(f, PAGES,
                     need + GNTTAB_NR_RESERVED_ENTRIES - 1 + more, 1);
        g_assert_cmpint(xen_front_pgdir_alloc(f->guest, BYTES(pages),
                                              be_alloc, &pgdir), ==,
                        more ? 0 : -ENOSPC);
        g_assert_cmpint(!pgdir, ==, !more);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
        check_clean(f);
        xen_guest_free(f->guest);

        set_up_sizes(f, need - 1 + more, REFS, 1);
        /* Not more than there could be, but more than there are */
        all = f->guest->nr_pages;
        f->guest->nr_pages = PAGES;
        g_assert_cmpint(xen_front_pgdir_alloc(f->guest, BYTES(pages),
                                              be_alloc, &pgdir), ==,
                        more ? 0 : -ENOMEM);
        f->guest->nr_pages = all;
        g_assert_cmpint(!pgdir, ==, !more);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
        check_clean(f);
        xen_guest_free(f->guest);
    }
    set_up(f, NULL);
}

/*
 * Let every operation fail in turn: the error is one of those there are, all
 * is as it was before, and the next attempt works
 */
static void faults_alloc(Fixture *f, uint32_t pages, bool be_alloc,
                         uint32_t step)
{
    const uint32_t dirs = dirs_of(pages);
    XenFrontPgdir *pgdir;
    uint32_t n;
    int ret;

    for (n = 1; ; n += step) {
        f->g->fail_in = n;
        ret = xen_front_pgdir_alloc(f->guest, BYTES(pages), be_alloc,
                                    &pgdir);
        if (f->g->fail_in) {
            break;
        }
        g_assert(!pgdir);
        g_assert(ret == -ENOMEM || ret == -ENOSPC);
        check_clean(f);

        ret = xen_front_pgdir_alloc(f->guest, BYTES(3), be_alloc, &pgdir);
        g_assert_cmpint(ret, ==, 0);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    }
    g_assert_cmpint(ret, ==, 0);
    f->g->fail_in = 0;
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);

    /* A page, a reference and, of our own data, an address for each */
    if (step == 1) {
        g_assert_cmpuint(n - 1, ==, be_alloc ? dirs * 2 :
                                               dirs * 2 + pages * 3);
    }
}

static void test_faults_alloc(Fixture *f, const void *data)
{
    if (GPOINTER_TO_INT(data)) {
        faults_alloc(f, PER_DIR + 4, true, 1);
    } else {
        faults_alloc(f, 9, false, 1);
        /* Of so many each one would take long */
        faults_alloc(f, PER_DIR + 4, false, 89);
    }
}

static void test_faults_map(Fixture *f, const void *data)
{
    const uint32_t pages = PER_DIR + 4;
    XenFrontPgdir *pgdir = alloc(f, pages, true);
    uint32_t n;
    int ret;

    backend_fill(f, pgdir, NULL);
    for (n = 1; ; n++) {
        f->g->fail_in = n;
        ret = xen_front_pgdir_map(pgdir);
        if (f->g->fail_in) {
            break;
        }
        g_assert_cmpint(ret, ==, n == 1 ? -EFAULT : -ENXIO);
        g_assert(!pgdir->data);
        g_assert(!pgdir->handles);
        g_assert_cmpuint(model_guest_mapped(f->g), ==, 0);
    }
    f->g->fail_in = 0;
    g_assert_cmpint(ret, ==, 0);
    g_assert_cmpuint(n, ==, pages + 2);
    g_assert_cmpint(xen_front_pgdir_unmap(pgdir), ==, 0);
    backend_revoke(f);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

static void add_data(const char *name, void (*fn)(Fixture *, const void *),
                     const void *data)
{
    g_autofree char *path = g_strdup_printf("/xen/front-pgdir/%s", name);

    g_test_add(path, Fixture, data, set_up, fn, tear_down);
}

static void add(const char *name, void (*fn)(Fixture *, const void *))
{
    add_data(name, fn, NULL);
}

/* Both modes of allocation */
static void add_both(const char *name, void (*fn)(Fixture *, const void *))
{
    g_autofree char *own = g_strdup_printf("%s/own", name);
    g_autofree char *be_alloc = g_strdup_printf("%s/be-alloc", name);

    add_data(own, fn, NULL);
    add_data(be_alloc, fn, GINT_TO_POINTER(true));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("layout", test_layout);
    add_both("count", test_count);
    add("count/bytes", test_count_bytes);
    add("count/bad-size", test_bad_size);
    add_both("grant/directory-first", test_order);
    add("fill/own", test_fill_own);
    add("fill/be-alloc", test_fill_be_alloc);
    add("fill/again", test_refill);
    add("start", test_start);
    add("map/own-is-nothing-to-do", test_own_data);
    add("map/be-alloc", test_map);
    add("map/one-fails", test_map_one_fails);
    add("map/refused", test_map_refused);
    add("map/batch-fails", test_map_batch_fails);
    add("unmap/status", test_unmap_fails);
    add("free/does-not-unmap", test_free_does_not_unmap);
    add("free/in-use", test_free_in_use);
    add_both("finite", test_finite);
    add_both("faults/alloc", test_faults_alloc);
    add("faults/map", test_faults_map);
    return g_test_run();
}
