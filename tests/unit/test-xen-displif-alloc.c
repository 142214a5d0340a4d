/*
 * Tests of the protocol engine of PV displays: what is written to a guest
 *
 * Buffers that the backend allocates, and EDID.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "displif-fixture.h"

/* Backend allocation */

/* Without the toolstack's word the bit is what a slot was left with */
static void test_alloc_ignored(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    uint32_t empty = fake_grants_link_directory(t->grants, 4);
    struct xendispl_req req;

    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, empty), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "page directory cannot be "
                    "read: data reference 0 of directory page 0 is 0");
    g_assert_cmpuint(t->grants->share_calls, ==, 0);

    /* Allowed, but not asked for */
    xen_displif_set_backend_alloc(t->disp, true);
    good(t, 0, req_destroy(1));
    req = req_create(1, 64, 64, 32, 16384, dir, 0);
    req.op.dbuf_create.flags = ~XENDISPL_DBUF_FLG_REQ_ALLOC;
    good(t, 0, req);
    g_assert_cmpuint(t->grants->share_calls, ==, 0);
    xen_displif_set_backend_alloc(t->disp, false);
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, empty), -EINVAL);
}

static void test_alloc_life(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 2025);
    uint32_t *first = fake_grants_page(t->grants, dir);
    uint32_t *second = fake_grants_page(t->grants, first[0]);
    XenDisplifStats stats;
    XenPgdirStats cache;
    uint8_t *page;
    uint64_t maps;

    xen_displif_set_backend_alloc(t->disp, true);
    good(t, 0, req_alloc(1, 1920, 1080, 32, 1920 * 1080 * 4, dir));
    xen_displif_stats(t->disp, &stats);
    g_assert_cmpuint(stats.buffers, ==, 1);
    g_assert_cmpuint(stats.total_pages, ==, 2025);
    g_assert_cmpuint(t->grants->shared_pages, ==, 2025);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);

    good(t, 0, req_attach(1, 2, 1920, 1080, XR24));
    maps = t->grants->map_calls;
    good(t, 1, req_config(2, 0, 0, 1920, 1080));
    assert_shows(t, 1, 2, 0, 7680, 1920, 1080);
    good(t, 1, req_flip(2));
    done(t, 1, 2);
    g_assert_cmpuint(t->grants->map_calls, ==, maps);

    /* The guest draws into the last page, the owner sees it */
    page = fake_grants_shared_page(t->grants, second[1 + 2024 - 1023]);
    g_assert_nonnull(page);
    page[1234] = 0x42;
    g_assert_cmpuint(t->screen[1].data[2024 * PAGE + 1234], ==, 0x42);

    /* The frontend frees its directory first, then says so */
    g_assert_true(fake_grants_end_links(t->grants, dir, 2));
    t->hold_views = true;
    good(t, 0, req_destroy(1));
    g_assert_cmpuint(t->screen[1].keeps, ==, 1);
    g_assert_cmpuint(t->screen[1].data[2024 * PAGE + 1234], ==, 0x42);
    g_assert_cmpint(xen_pgdir_view_is_copy(t->screen[1].view), ==, 0);
    refused(t, 0, req_destroy(1), -ENOENT);
    /* The pages are the host's, and kept for the guest's next buffer */
    xen_pgdir_mapper_stats(t->mapper, &cache, sizeof(cache));
    g_assert_cmpuint(cache.shared_pages, ==, 2025);
    g_clear_pointer(&t->screen[1].view, xen_pgdir_view_unref);
    xen_pgdir_mapper_stats(t->mapper, &cache, sizeof(cache));
    g_assert_cmpuint(cache.shared_pages, ==, 0);
    g_assert_cmpuint(cache.kept_pages, ==, 2025);
}

static void test_alloc_bad(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 1100);
    uint32_t *page = fake_grants_page(t->grants, dir);
    struct xendispl_req req;

    xen_displif_set_backend_alloc(t->disp, true);
    refused(t, 0, req_alloc(1, 0, 0, 0, 16384, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "allocation without width and height");
    req = req_alloc(1, 32, 32, 32, 16384, dir);
    req.op.dbuf_create.data_ofs = 1;
    refused(t, 0, req, -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "allocation with a data offset of "
                    "1 bytes");
    refused(t, 0, req_alloc(0, 64, 64, 32, 16384, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 65, 32, 16384, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 0, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, 0), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, 0xffffffff), -EINVAL);
    refused(t, 1, req_alloc(1, 64, 64, 32, 16384, dir), -EINVAL);
    /* The mapper's largest buffer, the device's quota */
    refused(t, 0, req_alloc(1, 64, 64, 32, 5001 * PAGE, dir), -E2BIG);
    refused(t, 0, req_alloc(1, 64, 64, 32, 10001 * PAGE, dir), -ENOSPC);
    /* A chain that is too short */
    refused(t, 0, req_alloc(1, 64, 64, 32, 2047 * PAGE, dir), -EINVAL);
    g_assert_cmpuint(t->grants->share_calls, ==, 0);

    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, dir), -EEXIST);
    g_assert_cmpuint(t->grants->share_calls, ==, 1);
    memset(page + 1, 0, PAGE - 4);

    /* The host has none to give; later it has */
    fake_grants_refuse_share(t->grants, 1, -ENOSPC);
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, dir), -ENOSPC);
    g_assert_cmpstr(t->last_why, ==, "buffer cannot be allocated: "
                    "cannot share 4 pages: No space left on device");
    fake_grants_refuse_share(t->grants, 1, -ENOMEM);
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, dir), -ENOMEM);
    good(t, 0, req_destroy(1));
    fake_grants_refuse(t->grants, 2, -EFAULT);
    refused(t, 0, req_alloc(1, 64, 64, 32, 1100 * PAGE, dir), -EFAULT);
    g_assert_cmpuint(page[1], ==, 0);
    /* What Linux sends after any failure, twice */
    refused(t, 0, req_destroy(1), -ENOENT);
    refused(t, 0, req_destroy(1), -ENOENT);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    g_assert_cmpuint(page[1], !=, 0);
}

/* The connection ends under buffers of both kinds */
static void test_alloc_reset(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 4);

    xen_displif_set_backend_alloc(t->disp, true);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    xen_displif_reset(t->disp);
    /* What the guest may have mapped still is its own, over connections */
    g_assert_cmpuint(t->grants->shared_pages, ==, 4);

    /* Being allowed is the device's, not the connection's */
    front_attach(t, 0, 0);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    g_assert_cmpuint(t->grants->shared_pages, ==, 4);
    g_assert_cmpuint(t->grants->share_calls, ==, 1);
}

/* EDID */

static void nothing_mapped(Test *t)
{
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
}

static void test_edid(Test *t, gconstpointer data)
{
    static const int sizes[] = { 128, 256, 384, XENDISPL_EDID_MAX_SIZE };
    uint32_t refs[8], i, connector;
    uint32_t dir = fake_grants_make_directory(t->grants, 8, refs);
    int j;

    t->on_answer = nothing_mapped;
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (connector = 0; connector < CONNECTORS; connector++) {
            for (j = 0; j < 8; j++) {
                memset(fake_grants_page(t->grants, refs[j]), 0xee, PAGE);
            }
            t->edid_size = sizes[i];
            good(t, connector, req_edid(XENDISPL_EDID_MAX_SIZE, dir));
            g_assert_cmpuint(t->last_edid_size, ==, sizes[i]);
            for (j = 0; j < 8 * PAGE; j++) {
                uint8_t *page = fake_grants_page(t->grants, refs[j / PAGE]);
                uint8_t want = j < sizes[i] ? j * 31 + j / 128 + connector
                                            : 0xee;

                g_assert_cmpuint(page[j % PAGE], ==, want);
            }
        }
    }
    /* More than is needed is fine, however much it is */
    good(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE + 1, dir));
    good(t, 0, req_edid(0xffffffff, dir));
    g_assert_true(fake_grants_end_directory(t->grants, dir, 8));
}

static void test_edid_bad(Test *t, gconstpointer data)
{
    uint32_t refs[8];
    uint32_t dir = fake_grants_make_directory(t->grants, 8, refs);
    uint32_t *page = fake_grants_page(t->grants, dir);
    uint32_t readonly = fake_grants_alloc(t->grants, false);

    t->edid_size = 256;
    t->on_answer = nothing_mapped;
    refused(t, 0, req_edid(0, dir), -EINVAL);
    refused(t, 0, req_edid(256, dir), -EINVAL);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE - 1, dir), -EINVAL);
    g_assert_cmpuint(t->grants->map_calls, ==, 0);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, 0), -EINVAL);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, 0xffffffff), -EINVAL);
    page[8] = 0;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EINVAL);
    page[8] = refs[7];
    page[1] = readonly;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, t->last_why);
    page[1] = refs[0];
    fake_grants_refuse_ref(t->grants, refs[0], -EFAULT);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EFAULT);
    fake_grants_refuse_ref(t->grants, refs[0], 0);

    /* An owner that has none, or makes no sense */
    t->edid_size = -ENODEV;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -ENODEV);
    t->edid_size = 0;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EIO);
    t->edid_size = XENDISPL_EDID_MAX_SIZE + 1;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EIO);
    t->edid_size = 256;
    good(t, 2, req_edid(XENDISPL_EDID_MAX_SIZE, dir));
}

/* An owner may have no EDID at all */
static void test_edid_none(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 1, NULL);
    XenDisplifOps ops = rec_ops;

    ops.edid = NULL;
    xen_displif_free(t->disp);
    t->disp = xen_displif_new(&ops, t, t->mapper, &usual_limits);
    g_assert_cmpuint(xen_displif_add_connector(t->disp, 64, 48), ==, 0);
    front_attach(t, 0, 0);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EOPNOTSUPP);
    g_assert_cmpuint(t->grants->map_calls, ==, 0);
    xen_displif_free(g_steal_pointer(&t->disp));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("alloc/ignored", test_alloc_ignored);
    ADD("alloc/life", test_alloc_life);
    ADD("alloc/bad", test_alloc_bad);
    ADD("alloc/reset", test_alloc_reset);
    ADD("edid/life", test_edid);
    ADD("edid/bad", test_edid_bad);
    ADD("edid/none", test_edid_none);
    return g_test_run();
}
