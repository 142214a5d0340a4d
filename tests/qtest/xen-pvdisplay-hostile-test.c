/*
 * QTest of xen-pvdisplay: requests, pages and nodes that make no sense
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-qtest.h"

/* Requests */

typedef struct BadDbuf {
    const char *what;
    uint64_t cookie;
    uint32_t width;
    uint32_t height;
    uint32_t bpp;
    uint32_t size;
    uint32_t data_ofs;
} BadDbuf;

static const BadDbuf bad_dbufs[] = {
    { "cookie 0", 0, 800, 600, 32, 1920000, 0 },
    { "cookie in use", COOKIE_A, 800, 600, 32, 1920000, 0 },
    { "size 0", 1, 800, 600, 32, 0, 0 },
    { "size 0, no geometry", 1, 0, 0, 0, 0, 0 },
    { "width 0", 1, 0, 600, 32, 1920000, 0 },
    { "height 0", 1, 800, 0, 32, 1920000, 0 },
    { "bpp 0", 1, 800, 600, 0, 1920000, 0 },
    { "bpp 1", 1, 800, 600, 1, 1920000, 0 },
    { "bpp 2^32-1", 1, 800, 600, UINT32_MAX, 1920000, 0 },
    { "a page short", 1, 800, 600, 32, 1920000 - 4096, 0 },
    { "a row beyond the last page", 1, 800, 601, 32, 1920000, 0 },
    { "height * stride is 2^32", 1, 65536, 16384, 32, 4096, 0 },
    { "height * stride is 2^64", 1, UINT32_MAX, UINT32_MAX, 64, 4096, 0 },
    { "2^32-1 rows", 1, 1, UINT32_MAX, 32, 1920000, 0 },
    { "2^32-1 pixels a row", 1, UINT32_MAX, 1, 32, 1920000, 0 },
    { "size 2^32-1", 1, 800, 600, 32, UINT32_MAX, 0 },
    { "data offset at the end", 1, 800, 600, 32, 1920000, 1921024 },
    { "data offset 2^32-1", 1, 800, 600, 32, 1920000, UINT32_MAX },
    { "data offset leaves too little", 1, 800, 600, 32, 1920000, 2048 },
};

typedef struct BadFb {
    const char *what;
    uint64_t dbuf;
    uint64_t fb;
    uint32_t width;
    uint32_t height;
    uint32_t format;
} BadFb;

static const BadFb bad_fbs[] = {
    { "cookie 0", COOKIE_A, 0, 800, 600, XEN_FRONT_XRGB8888 },
    { "cookie in use", COOKIE_A, ~COOKIE_A, 800, 600, XEN_FRONT_XRGB8888 },
    { "unknown buffer", 77, 1, 800, 600, XEN_FRONT_XRGB8888 },
    { "buffer 0", 0, 1, 800, 600, XEN_FRONT_XRGB8888 },
    { "width 0", COOKIE_A, 1, 0, 600, XEN_FRONT_XRGB8888 },
    { "height 0", COOKIE_A, 1, 800, 0, XEN_FRONT_XRGB8888 },
    { "wider than the buffer", COOKIE_A, 1, 801, 600, XEN_FRONT_XRGB8888 },
    { "higher than the buffer", COOKIE_A, 1, 800, 601, XEN_FRONT_XRGB8888 },
    { "2^32-1 wide", COOKIE_A, 1, UINT32_MAX, 1, XEN_FRONT_XRGB8888 },
    { "2^30 wide", COOKIE_A, 1, 1 << 30, 4, XEN_FRONT_XRGB8888 },
    { "format 0", COOKIE_A, 1, 800, 600, 0 },
    { "format NV12", COOKIE_A, 1, 800, 600, 0x3231564e },
    { "format 2^32-1", COOKIE_A, 1, 800, 600, UINT32_MAX },
};

static int raw_request(XenFrontConnector *c, uint8_t operation, uint8_t fill)
{
    struct xendispl_req req;

    memset(&req, fill, sizeof(req));
    req.operation = operation;
    return xen_front_request(c, &req, NULL);
}

/* Nothing more is mapped, and the picture is the same */
static void check_unharmed(XenPvTest *t, const XenGuestStats *before,
                           uint32_t seed)
{
    XenGuestStats after;

    test_stats(t, &after);
    if (t->single_map) {
        /* A bad reference may have cost pages that nobody looked at */
        g_assert_cmpuint(after.mapped, <=, before->mapped);
        g_assert_cmpuint(after.refs, <=, before->refs);
    } else {
        g_assert_cmpuint(after.mapped, ==, before->mapped);
        g_assert_cmpuint(after.refs, ==, before->refs);
    }
    check_left(t, seed);
}

static void test_bad_requests(const void *testbed)
{
    XenGuestStats before;
    XenFrontBuffer *a;
    XenFrontPgdir *spare;
    uint32_t ref;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);

    /* Before there is anything */
    g_assert_cmpint(xen_front_flip(left(&t), 1), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), 0), <, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 1), <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 1), <, 0);
    g_assert_cmpint(switch_off(left(&t)), ==, 0);

    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    spare = xen_front_pgdir_new(t.guest, a->pgdir->size);
    ref = xen_front_pgdir_ref(spare);
    xen_front_buffer_draw(a, 81);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    test_stats(&t, &before);

    for (i = 0; i < ARRAY_SIZE(bad_dbufs); i++) {
        const BadDbuf *bad = &bad_dbufs[i];

        g_test_message("DBUF_CREATE: %s", bad->what);
        g_assert_cmpint(xen_front_dbuf_create(t.display, bad->cookie,
                                              bad->width, bad->height,
                                              bad->bpp, bad->size, 0, ref,
                                              bad->data_ofs), <, 0);
    }
    check_unharmed(&t, &before, 81);

    for (i = 0; i < ARRAY_SIZE(bad_fbs); i++) {
        const BadFb *bad = &bad_fbs[i];

        g_test_message("FB_ATTACH: %s", bad->what);
        g_assert_cmpint(xen_front_fb_attach(t.display, bad->dbuf, bad->fb,
                                            bad->width, bad->height,
                                            bad->format), <, 0);
    }
    check_unharmed(&t, &before, 81);

    g_assert_cmpint(xen_front_set_config(left(&t), 77, 0, 0, 800, 600, 32),
                    <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, 800, 0, 800, 600,
                                         32), <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, 0, 600, 800, 600,
                                         32), <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, UINT32_MAX,
                                         UINT32_MAX, 800, 600, 32), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), 77), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->dbuf), <, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 77), <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 77), <, 0);
    check_unharmed(&t, &before, 81);

    /* Operations that are none, and all that is not known, on both rings */
    for (i = 0; i < 256; i++) {
        if (i < XENDISPL_OP_DBUF_CREATE || i > XENDISPL_OP_GET_EDID) {
            g_assert_cmpint(raw_request(left(&t), i, i), <, 0);
        } else {
            g_assert_cmpint(raw_request(right(&t), i, 0xff), <, 0);
            g_assert_cmpint(raw_request(left(&t), i, 0xff), <, 0);
            g_assert_cmpint(raw_request(left(&t), i, 0x5a), <, 0);
        }
    }
    check_unharmed(&t, &before, 81);

    /* Refused flips have no event */
    qtest_clock_step(t.qts, 3 * PERIOD_NS);
    check_events(left(&t), 0);
    check_events(right(&t), 0);

    /* Stale bits in the slot of a request are none of its business */
    g_assert_cmpint(xen_front_dbuf_create(t.display, COOKIE_B, 800, 600, 32,
                                          1920000, XEN_FRONT_ARGB8888, ref,
                                          0), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_B), ==, 0);

    g_assert_cmpuint(xen_front_pgdir_free(spare), ==, 0);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Directories */

static int create(XenPvTest *t, XenFrontPgdir *pgdir, uint32_t ref)
{
    return xen_front_dbuf_create(t->display, COOKIE_B, 0, 0, 0, pgdir->size,
                                 0, ref, 0);
}

static void check_refused(XenPvTest *t, XenFrontPgdir *pgdir, uint32_t ref)
{
    XenGuestStats before, after;

    test_stats(t, &before);
    g_assert_cmpint(create(t, pgdir, ref), <, 0);
    test_stats(t, &after);
    g_assert_cmpuint(after.mapped, ==, before.mapped);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), <, 0);
    xen_front_pgdir_fill(pgdir);
}

static void check_taken(XenPvTest *t, XenFrontPgdir *pgdir)
{
    g_assert_cmpint(create(t, pgdir, xen_front_pgdir_ref(pgdir)), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), ==, 0);
    xen_front_pgdir_fill(pgdir);
}

/* Created, and then not to be shown */
static void check_not_shown(XenPvTest *t, XenFrontPgdir *pgdir)
{
    uint64_t fb = COOKIE_B + 1;

    g_assert_cmpint(create(t, pgdir, xen_front_pgdir_ref(pgdir)), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(t->display, COOKIE_B, fb, LEFT_WIDTH,
                                        LEFT_HEIGHT, XEN_FRONT_XRGB8888),
                    ==, 0);
    g_assert_cmpint(xen_front_set_config(left(t), fb, 0, 0, LEFT_WIDTH,
                                         LEFT_HEIGHT, 32), <, 0);
    g_assert_cmpint(xen_front_flip(right(t), fb), ==, 0);
    if (!t->single_map) {
        g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    }
    g_assert_cmpint(xen_front_fb_detach(t->display, fb), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    xen_front_pgdir_fill(pgdir);
}

static void test_bad_directories(const void *testbed)
{
    uint32_t table_end = XEN_TESTBED_GRANT_FRAMES *
                         XEN_TESTBED_GRANTS_PER_PAGE;
    uint64_t size = (2 * XEN_FRONT_REFS_PER_DIR + 10) * XEN_GUEST_PAGE;
    grant_entry_v1_t *entry, saved;
    XenFrontDirPage *dir[3];
    XenFrontPgdir *pgdir;
    uint32_t ref;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    pgdir = xen_front_pgdir_new(t.guest, size);
    ref = xen_front_pgdir_ref(pgdir);
    for (i = 0; i < 3; i++) {
        dir[i] = xen_front_pgdir_page(pgdir, i);
    }
    check_taken(&t, pgdir);

    /* References of the directory itself */
    check_refused(&t, pgdir, 0);
    check_refused(&t, pgdir, UINT32_MAX);
    check_refused(&t, pgdir, table_end);
    check_refused(&t, pgdir, table_end - 1);

    /* A chain that ends early, or leads nowhere */
    dir[0]->next = 0;
    check_refused(&t, pgdir, ref);
    dir[1]->next = 0;
    check_refused(&t, pgdir, ref);
    dir[1]->next = UINT32_MAX;
    check_refused(&t, pgdir, ref);
    dir[0]->refs[0] = 0;
    check_refused(&t, pgdir, ref);
    dir[2]->refs[9] = 0;
    check_refused(&t, pgdir, ref);

    /* Loops end where the size says; what is beyond the end is not read */
    dir[0]->next = ref;
    check_taken(&t, pgdir);
    dir[2]->next = UINT32_MAX;
    check_taken(&t, pgdir);
    dir[2]->next = ref;
    check_taken(&t, pgdir);
    dir[2]->refs[10] = UINT32_MAX;
    check_taken(&t, pgdir);

    /* A directory page that was granted to somebody else, or not at all */
    entry = xen_guest_entry(t.guest, pgdir->dir_refs[1]);
    saved = *entry;
    entry->domid = 7;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->flags = 0;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->frame = UINT32_MAX;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->flags = GTF_accept_transfer;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    check_taken(&t, pgdir);

    /* A data page: nobody looks before it is shown, then nothing is mapped */
    entry = xen_guest_entry(t.guest, pgdir->refs[100]);
    saved = *entry;
    entry->domid = 7;
    check_not_shown(&t, pgdir);
    *entry = saved;
    entry->flags = 0;
    check_not_shown(&t, pgdir);
    *entry = saved;
    dir[0]->refs[100] = UINT32_MAX;
    check_not_shown(&t, pgdir);
    dir[0]->refs[100] = table_end;
    check_not_shown(&t, pgdir);

    /* The same page all over is odd, but legal; so is a read-only one */
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir[0]->refs[i] = pgdir->refs[0];
    }
    check_taken(&t, pgdir);
    xen_guest_entry(t.guest, pgdir->refs[0])->flags |= GTF_readonly;
    xen_guest_entry(t.guest, pgdir->dir_refs[0])->flags |= GTF_readonly;
    check_taken(&t, pgdir);

    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Display pages are mapped for reading: a read-only grant will do */
static void test_readonly(const void *testbed)
{
    XenFrontBuffer *a;
    uint32_t i;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = xen_front_buffer_new(t.guest, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    for (i = 0; i < a->pgdir->nr_pages; i++) {
        xen_guest_entry(t.guest, a->pgdir->refs[i])->flags |= GTF_readonly;
    }
    g_assert_cmpint(xen_front_buffer_attach(t.display, a), ==, 0);
    xen_front_buffer_draw(a, 91);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 91);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Rings */

static void test_bad_rings(const void *testbed)
{
    static const uint32_t beyond[] = { 33, 1000, 0x80000000, UINT32_MAX };
    struct xendispl_event_page *page;
    struct xendispl_resp resp;
    XenGuestStats before, after;
    XenFrontBuffer *a, *b;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(beyond); i++) {
        XenFrontConnector *c;

        xen_pv_test_connect(t.display);
        c = left(&t);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        b = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
        xen_front_buffer_draw(a, 101);
        xen_front_buffer_draw(b, 102);
        g_assert_cmpint(show(c, a), ==, 0);
        g_assert_cmpint(show(right(&t), b), ==, 0);
        test_stats(&t, &before);

        /* A producer that is more than a ring ahead */
        c->req.ring.sring->req_prod = c->req.ring.rsp_cons + beyond[i];
        xen_guest_kick(t.guest, c->req.port);
        g_assert_cmpint(xen_front_receive(c, &resp, 20), ==, -ETIMEDOUT);

        /* The other connector does not care */
        xen_front_buffer_draw(b, 103);
        g_assert_cmpint(xen_front_flip(right(&t), b->fb), ==, 0);
        check_right(&t, 103);
        qtest_clock_step(t.qts, PERIOD_NS);
        check_events(right(&t), 1);
        check_left(&t, 101);
        test_stats(&t, &after);
        g_assert_cmpuint(after.mapped, ==, before.mapped);

        /* And a new connection heals it */
        xen_pv_test_unload(&t);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    }

    /* A consumer of events that makes no sense */
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 104);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    page = xen_guest_page(t.guest, left(&t)->evt.page);
    test_stats(&t, &before);
    page->in_cons = 12345;
    page->in_prod = 54321;
    for (i = 0; i < 10; i++) {
        g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    check_unharmed(&t, &before, 104);
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);
}

/* A whole ring of requests at once, and ids that wrap */
static void test_full_ring(const void *testbed)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_SET_CONFIG };
    struct xendispl_resp resp;
    XenFrontConnector *c;
    XenPvTest t;
    int i, round;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    c->req.next_id = UINT16_MAX - 40;
    for (round = 0; round < 4; round++) {
        uint16_t first = c->req.next_id;

        for (i = 0; i < 32; i++) {
            req.operation = i & 1 ? XENDISPL_OP_PG_FLIP
                                  : XENDISPL_OP_SET_CONFIG;
            xen_front_send(c, &req);
        }
        for (i = 0; i < 32; i++) {
            g_assert_cmpint(xen_front_receive(c, &resp, XEN_FRONT_TIMEOUT),
                            ==, 0);
            g_assert_cmpuint(resp.id, ==, (uint16_t)(first + i));
            if (i & 1) {
                g_assert_cmpint(resp.status, <, 0);
            } else {
                g_assert_cmpint(resp.status, ==, 0);
            }
        }
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* xenstore */

typedef struct BadNode {
    const char *key;
    const char *value;
} BadNode;

static const BadNode bad_nodes[] = {
    { "0/req-ring-ref", "abc" },
    { "0/req-ring-ref", "" },
    { "0/req-ring-ref", "0" },
    { "0/req-ring-ref", "-1" },
    { "0/req-ring-ref", "4294967295" },
    { "0/req-ring-ref", "4294967304" },
    { "0/evt-ring-ref", "99999999999999999999999999" },
    { "0/evt-ring-ref", NULL },
    { "0/req-event-channel", "0" },
    { "0/req-event-channel", "4294967295" },
    { "0/req-event-channel", NULL },
    { "1/evt-event-channel", "%n%n%n%s" },
    { "1/evt-event-channel", "1000" },
    { "1/req-ring-ref", "\xff\xfe" },
};

static void test_bad_nodes(const void *testbed)
{
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(bad_nodes); i++) {
        const BadNode *bad = &bad_nodes[i];
        g_autofree char *path = g_strdup_printf("%s/%s",
                                                t.display->card.frontend_path,
                                                bad->key);
        XenGuestStats stats;

        g_test_message("%s = %s", bad->key, bad->value);
        g_assert_true(xen_front_wait_backend(&t.display->card,
                                             XenbusStateInitWait,
                                             XEN_GUEST_DEADLINE));
        g_assert_cmpint(xen_front_display_read_config(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_alloc_rings(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_publish(t.display), ==, 0);
        if (bad->value) {
            xen_guest_write(t.guest, path, "%s", bad->value);
        } else {
            xen_guest_rm(t.guest, path);
        }
        xen_front_set_state(&t.display->card, XenbusStateInitialised);
        g_assert_false(xen_front_wait_backend(&t.display->card,
                                              XenbusStateConnected,
                                              20));
        test_stats(&t, &stats);
        g_assert_cmpuint(stats.mapped, ==, 0);
        g_assert_cmpuint(stats.ports, ==, 0);

        /* What was not ready may become so */
        g_assert_cmpint(xen_front_display_publish(t.display), ==, 0);
        if (i == 0) {
            g_assert_true(xen_front_wait_backend(&t.display->card,
                                                 XenbusStateConnected,
                                                 XEN_GUEST_DEADLINE));
            xen_front_set_state(&t.display->card, XenbusStateConnected);
            xen_pv_test_unload(&t);
        }
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
    }
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_bad_states(const void *testbed)
{
    static const char *const states[] = {
        "garbage", "", "-1", "9", "4294967295", "99999999999999999999", "7",
        "0",
    };
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(states); i++) {
        XenFrontBuffer *a;

        g_test_message("state %s", states[i]);
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        xen_guest_write(t.guest, t.display->card.frontend_state, "%s",
                        states[i]);
        xen_pv_test_wait_idle(&t);
        check_idle(&t);
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
    }
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);

    /* The whole directory is the guest's to remove */
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_guest_rm(t.guest, t.display->card.frontend_path), ==,
                    0);
    xen_pv_test_wait_idle(&t);
    check_idle(&t);
    qtest_qmp_device_del(t.qts, "disp0");
    check_gone(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "bad-requests", test_bad_requests },
    { "bad-directories", test_bad_directories },
    { "readonly", test_readonly },
    { "bad-rings", test_bad_rings },
    { "full-ring", test_full_ring },
    { "bad-nodes", test_bad_nodes },
    { "bad-states", test_bad_states },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
