/*
 * QTest of xen-pvdisplay, over a fake Xen and against a fake frontend:
 * buffers that the backend allocates, EDID, protocol versions
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "qobject/qdict.h"

#include "xen-pv-qtest.h"

#define WIDTH           800
#define HEIGHT          600
#define PAGES           ((WIDTH * HEIGHT * 4 + 4095) / 4096)

#define TESTBED         ",dom0-pages=1024"
#define CARD            "-device xen-pvdisplay,id=disp0,be-alloc=on," \
                        "connectors='LEFT:800x600' "

#define COOKIE_A        0xffff888004210800ull
#define COOKIE_B        0xffff888004210c00ull

static const char *const resolutions[] = { "800x600", NULL };

static void test_stats(XenPvTest *t, XenGuestStats *stats)
{
    g_assert_cmpint(xen_guest_stats(t->guest, stats), ==, 0);
}

/* Backend allocation: the buffer as Linux makes and unmakes it */

static XenFrontBuffer *alloc_buffer(XenPvTest *t, uint64_t cookie)
{
    XenFrontBuffer *buffer = g_new0(XenFrontBuffer, 1);

    buffer->width = WIDTH;
    buffer->height = HEIGHT;
    buffer->stride = WIDTH * 4;
    buffer->dbuf = cookie;
    buffer->fb = ~cookie;
    buffer->pgdir = xen_front_pgdir_new_be_alloc(t->guest,
                                                 buffer->stride * HEIGHT);
    g_assert_nonnull(buffer->pgdir);
    return buffer;
}

static int alloc_create(XenPvTest *t, XenFrontBuffer *buffer)
{
    return xen_front_dbuf_create(t->display, buffer->dbuf, WIDTH, HEIGHT, 32,
                                 buffer->pgdir->size,
                                 XENDISPL_DBUF_FLG_REQ_ALLOC,
                                 xen_front_pgdir_ref(buffer->pgdir), 0);
}

static XenFrontBuffer *new_buffer(XenPvTest *t, uint64_t cookie)
{
    XenFrontBuffer *buffer = alloc_buffer(t, cookie);

    g_assert_cmpint(alloc_create(t, buffer), ==, 0);
    g_assert_cmpint(xen_front_pgdir_map(buffer->pgdir), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(t->display, buffer->dbuf, buffer->fb,
                                        WIDTH, HEIGHT, XEN_FRONT_XRGB8888),
                    ==, 0);
    return buffer;
}

static int show(XenPvTest *t, XenFrontBuffer *buffer)
{
    return xen_front_set_config(&t->display->connectors[0], buffer->fb, 0, 0,
                                WIDTH, HEIGHT, 32);
}

static void test_alloc(const void *testbed)
{
    XenGuestStats stats, before;
    XenFrontConnector *c;
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    a = new_buffer(&t, COOKIE_A);
    b = new_buffer(&t, COOKIE_B);
    test_stats(&t, &before);
    g_assert_cmpuint(before.shared, ==, 2 * PAGES);
    g_assert_cmpuint(before.guest_mapped, ==, 2 * PAGES);
    /* Of the guest's pages none but ring and events */
    g_assert_cmpuint(before.mapped, ==, 2);

    /* Zeroed, and not shown before anybody draws */
    g_assert_cmpuint(a->pgdir->data[0], ==, 0);
    g_assert_cmpuint(a->pgdir->data[a->pgdir->size - 1], ==, 0);
    xen_front_buffer_draw(a, 1);
    xen_front_buffer_draw(b, 2);
    g_assert_cmpint(show(&t, a), ==, 0);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 1);
    g_assert_cmpint(xen_front_flip(c, b->fb), ==, 0);
    qtest_clock_step(t.qts, 1000000000 / 60 + 1);
    g_assert_true(xen_front_wait_events(c, 1, XEN_FRONT_TIMEOUT));
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 2);
    xen_front_buffer_draw(b, 3);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 3);
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.map_calls, ==, before.map_calls);
    g_assert_cmpuint(stats.share_calls, ==, 2);

    /* First the guest lets go, then the backend does; the picture stays */
    g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_B), ==, 0);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 3);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_B), ==, -ENOENT);

    /* The pages are kept for the next buffer, also over connections */
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.shared, ==, 2 * PAGES);
    g_assert_cmpuint(stats.lingering, ==, 0);
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.shared, ==, 2 * PAGES);
    g_assert_cmpuint(stats.lingering, ==, 0);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, COOKIE_A);
    g_assert_cmpuint(a->pgdir->data[0], ==, 0);
    g_assert_cmpuint(a->pgdir->data[a->pgdir->size - 1], ==, 0);
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.shared, ==, 2 * PAGES);
    g_assert_cmpuint(stats.share_calls, ==, 2);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * A guest that keeps its mappings keeps its pages, and nobody else's: it gets
 * them again, however often it asks, and over connections
 */
static void test_lingering(const void *testbed)
{
    XenFrontBuffer *held[8], *b;
    XenGuestStats stats;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(held); i++) {
        if (i % 2 == 0) {
            xen_pv_test_connect(t.display);
        }
        held[i] = new_buffer(&t, COOKIE_A + i);
        g_assert_cmpuint(held[i]->pgdir->data[PAGES], ==, 0);
        xen_front_buffer_draw(held[i], 1);
        g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_A + i), ==,
                        0);
        test_stats(&t, &stats);
        g_assert_cmpuint(stats.shared, ==, PAGES);
        g_assert_cmpuint(stats.share_calls, ==, 1);
        if (i % 2) {
            g_assert_cmpint(xen_front_display_unload(t.display), ==, 0);
        }
    }

    /* What it does by its old mappings is seen in its own picture alone */
    xen_pv_test_connect(t.display);
    b = new_buffer(&t, COOKIE_B);
    xen_front_buffer_draw(b, 2);
    g_assert_cmpint(show(&t, b), ==, 0);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 2);
    xen_front_buffer_draw(held[0], 3);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 3);
    g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    for (i = 0; i < ARRAY_SIZE(held); i++) {
        g_assert_cmpuint(xen_front_buffer_free(held[i]), ==, 0);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void check_refused(XenPvTest *t, XenFrontBuffer *buffer, int status)
{
    XenGuestStats before, after;

    test_stats(t, &before);
    g_assert_cmpint(alloc_create(t, buffer), ==, status);
    test_stats(t, &after);
    g_assert_cmpuint(after.shared, ==, before.shared);
    g_assert_cmpuint(after.mapped, ==, before.mapped);
    g_assert_cmpuint(xen_front_pgdir_page(buffer->pgdir, 0)->refs[0], ==, 0);
    /* What Linux sends for each failure, twice */
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, buffer->dbuf), ==,
                    -ENOENT);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, buffer->dbuf), ==,
                    -ENOENT);
}

/* The log names what to do; see also xen-pv-gntshr.c */
static void test_failures(const void *testbed)
{
    g_autofree char *log = NULL;
    g_autofree char *text = NULL;
    g_autofree char *devices = NULL;
    XenFrontBuffer *a, *b;
    XenPvTest t;
    int fd;

    fd = g_file_open_tmp("xen-pvdisplay-log-XXXXXX", &log, NULL);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    devices = g_strdup_printf("-D %s -trace xen_pv_guest_warn %s", log, CARD);
    xen_pv_test_start(&t, testbed, devices);
    xen_pv_test_connect(t.display);

    a = alloc_buffer(&t, COOKIE_A);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "fail share 1 %d", ENOMEM),
                    ==, 0);
    check_refused(&t, a, -ENOMEM);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "fail map 1 %d", EINVAL),
                    ==, 0);
    check_refused(&t, a, -EINVAL);
    b = new_buffer(&t, COOKIE_B);

    /* The end of what there is; later there is some */
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "fail share 1 %d", ENOSPC),
                    ==, 0);
    check_refused(&t, a, -ENOSPC);
    g_assert_cmpint(alloc_create(&t, a), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_A), ==, 0);
    xen_front_buffer_draw(b, 5);
    g_assert_cmpint(show(&t, b), ==, 0);
    xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, 5);

    /* No data offset, no import */
    g_assert_cmpint(xen_front_dbuf_create(t.display, COOKIE_A, 32, 32, 32,
                                          8192, XENDISPL_DBUF_FLG_REQ_ALLOC,
                                          xen_front_pgdir_ref(a->pgdir), 64),
                    ==, -EINVAL);
    g_assert_cmpint(xen_front_dbuf_create(t.display, COOKIE_A, 0, 0, 0,
                                          8192, XENDISPL_DBUF_FLG_REQ_ALLOC,
                                          xen_front_pgdir_ref(a->pgdir), 0),
                    ==, -EINVAL);

    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "cannot share 469 pages with the guest"));
    g_assert_nonnull(strstr(text, "dom0-pages=1024, 469 more are needed"));
    unlink(log);
}

/* Only where the node of the toolstack is exactly "1" */
static void test_node(const void *testbed)
{
    static const struct {
        const char *node;
        bool allowed;
    } nodes[] = {
        { "1", true }, { "0", false }, { NULL, false }, { "", false },
        { "01", false }, { "1 ", false }, { "2", false }, { "yes", false },
    };
    g_autofree char *path = NULL;
    g_autofree char *value = NULL;
    XenFrontBuffer *a, *b;
    XenGuestStats stats;
    uint32_t i;
    XenPvTest t;

    for (i = 0; i < ARRAY_SIZE(nodes); i++) {
        xen_pv_test_start(&t, testbed, "");
        xen_pv_test_attach(t.display, nodes[i].node, resolutions);
        xen_pv_test_connect(t.display);
        if (nodes[i].allowed) {
            a = new_buffer(&t, COOKIE_A);
            xen_front_buffer_draw(a, 6);
            g_assert_cmpint(show(&t, a), ==, 0);
            xen_pv_check_screen(&t, "vdispl-0", 0, WIDTH, HEIGHT, 6);
        } else {
            /* The bit is what a slot was left with: it is not looked at */
            a = alloc_buffer(&t, COOKIE_A);
            check_refused(&t, a, -EINVAL);
            b = xen_front_buffer_new(t.guest, WIDTH, HEIGHT, COOKIE_B);
            g_assert_cmpint(alloc_create(&t, b), ==, 0);
            g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_B), ==,
                            0);
            g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
            test_stats(&t, &stats);
            g_assert_cmpuint(stats.share_calls, ==, 0);
        }
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        xen_pv_test_unload(&t);
        xen_pv_test_end(&t);
    }

    /* Nor does a card have it that was not told to */
    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,connectors=64x64");
    path = g_strdup_printf("%s/be-alloc", t.display->card.frontend_path);
    value = xen_guest_read(t.guest, path);
    g_assert_cmpstr(value, ==, "0");
    xen_pv_test_end(&t);
}

/* The card goes, the guest dies, or QEMU quits, while pages are shared */
static void test_ends(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, COOKIE_A);
    g_assert_cmpint(show(&t, a), ==, 0);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'disp0' } }");
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, COOKIE_A);
    g_assert_cmpint(show(&t, a), ==, 0);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    /* Its mappings are gone already, which counts as an error of one kind */
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 1);
    xen_pv_test_end(&t);

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, COOKIE_A);
    g_assert_cmpint(show(&t, a), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);
}

/* EDID */

static const uint8_t edid_header[8] = {
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00
};

static bool sum_is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t sum = 0;

    while (count--) {
        sum += *bytes++;
    }
    return sum == 0;
}

/* Text of the descriptor of that kind, wherever it is; to be freed */
static char *edid_text(const uint8_t *edid, uint32_t size, uint8_t kind)
{
    uint32_t at = 54;

    while (at + 18 <= MIN(size, 256)) {
        const uint8_t *desc = edid + at;

        if (!desc[0] && !desc[1] && !desc[2] && desc[3] == kind) {
            return g_strchomp(g_strndup((const char *)desc + 5, 13));
        }
        at += 18;
        if (at > 126 - 18 && at < 128) {
            at = 128 + edid[130];
        }
    }
    return NULL;
}

typedef struct Timing {
    uint32_t clock;             /* in units of 10 kHz */
    uint32_t width;
    uint32_t hblank;
    uint32_t height;
    uint32_t vblank;
} Timing;

/* The preferred mode: of the base block, or of a DisplayID extension */
static void edid_timing(const uint8_t *edid, uint32_t size, Timing *timing)
{
    const uint8_t *d = edid + 54;

    if (lduw_le_p(d)) {
        timing->clock = lduw_le_p(d);
        timing->width = d[2] | (d[4] & 0xf0) << 4;
        timing->hblank = d[3] | (d[4] & 0x0f) << 8;
        timing->height = d[5] | (d[7] & 0xf0) << 4;
        timing->vblank = d[6] | (d[7] & 0x0f) << 8;
        return;
    }
    g_assert_cmpuint(size, ==, 384);
    d = edid + 256;
    g_assert_cmpuint(d[0], ==, 0x70);
    g_assert_true(sum_is_zero(d + 1, d[2] + 5));
    d += 5;
    g_assert_cmpuint(d[0], ==, 0x03);
    g_assert_cmpuint(d[2], >=, 20);
    timing->clock = d[3] | d[4] << 8 | d[5] << 16;
    timing->width = lduw_le_p(d + 7) + 1;
    timing->hblank = lduw_le_p(d + 9) + 1;
    timing->height = lduw_le_p(d + 15) + 1;
    timing->vblank = lduw_le_p(d + 17) + 1;
}

static const uint8_t *edid_ranges(const uint8_t *edid)
{
    const uint8_t *d;

    for (d = edid + 54; d < edid + 126; d += 18) {
        if (!d[0] && !d[1] && d[3] == 0xfd) {
            return d;
        }
    }
    return NULL;
}

/* If there are range limits, the timing is within them, as it stands */
static void check_ranges(const uint8_t *edid, const Timing *timing)
{
    const uint8_t *d = edid_ranges(edid);
    double clock = timing->clock * 10000.0;
    double line = timing->width + timing->hblank;
    double frame = line * (timing->height + timing->vblank);

    if (!d) {
        return;
    }
    g_assert_cmpfloat(d[5], <=, clock / frame);
    g_assert_cmpfloat(d[6] + (d[4] & 2 ? 255 : 0), >=, clock / frame);
    g_assert_cmpfloat(d[7] * 1000, <=, clock / line);
    g_assert_cmpfloat((d[8] + (d[4] & 8 ? 255 : 0)) * 1000.0, >=,
                      clock / line);
    g_assert_cmpfloat(d[9] * 10e6, >=, clock);
    g_assert_cmphex(d[4] & ~0x0a, ==, 0);
}

static void check_edid(const uint8_t *edid, uint32_t size, uint32_t width,
                       uint32_t height, uint32_t rate, const char *name,
                       const char *serial)
{
    g_autofree char *has_name = edid_text(edid, size, 0xfc);
    g_autofree char *has_serial = edid_text(edid, size, 0xff);
    Timing timing;
    uint64_t pixels;
    uint32_t i;

    g_assert_cmpmem(edid, 8, edid_header, 8);
    g_assert_cmpuint(size, ==, 128 * (edid[126] + 1));
    for (i = 0; i < size; i += 128) {
        g_assert_true(sum_is_zero(edid + i, 128));
    }
    g_assert_cmpstr(has_name, ==, name);
    g_assert_cmpstr(has_serial, ==, serial);

    edid_timing(edid, size, &timing);
    g_assert_cmpuint(timing.width, ==, width);
    g_assert_cmpuint(timing.height, ==, height);
    g_assert_cmpuint(timing.hblank, >, 0);
    g_assert_cmpuint(timing.vblank, >, 0);
    pixels = (uint64_t)(timing.width + timing.hblank) *
             (timing.height + timing.vblank);
    /* The clock says which rate that makes, to half a Hz */
    g_assert_cmpuint((timing.clock * 10000ull + pixels / 2) / pixels, ==,
                     rate);
    check_ranges(edid, &timing);
}

/* A connector, its options, and what its EDID must say */
static const struct {
    uint32_t width;
    uint32_t height;
    uint32_t rate;
    uint32_t size;
    const char *id;
    const char *name;
    bool no_ranges;
} monitors[] = {
    { 640, 480, 60, 256, "a", "a" },
    { 800, 600, 24, 256, "slow", "slow" },
    { 1024, 768, 200, 256, "fast", "fast" },
    { 640, 480, 500, 256, "faster", "faster" },
    { 320, 200, 1000, 256, "fastest", "fastest", true },
    { 1920, 1080, 60, 256, "LEFT", "LEFT" },
    { 1920, 1080, 144, 256, "LEFT-OF-THE-DESK", "LEFT-OF-THE-" },
    { 2560, 1440, 60, 256, "1", "1" },
    /* 695.2 MHz: more than a detailed timing's 16 bits hold */
    { 3840, 2160, 60, 384, "4K", "4K" },
    { 3840, 2160, 30, 256, "4K", "4K" },
    { 4096, 2160, 60, 384, "4K", "4K" },
    { 8192, 8192, 60, 384, "8K", "8K", true },
};

static void test_edid(const void *testbed)
{
    uint32_t i, j, size;
    XenFrontPgdir *pgdir;
    XenGuestStats before, after;
    XenPvTest t;

    for (i = 0; i < ARRAY_SIZE(monitors); i++) {
        g_autofree char *card =
            g_strdup_printf("-device xen-pvdisplay,connectors="
                            "'%s:%ux%u;2nd:%ux%u',refresh-rate=%u",
                            monitors[i].id, monitors[i].width,
                            monitors[i].height, monitors[i].width,
                            monitors[i].height, monitors[i].rate);

        xen_pv_test_start(&t, testbed, card);
        xen_pv_test_connect(t.display);
        pgdir = xen_front_pgdir_new(t.guest, XENDISPL_EDID_MAX_SIZE);
        test_stats(&t, &before);
        for (j = 0; j < 2; j++) {
            memset(pgdir->data, 0xee, XENDISPL_EDID_MAX_SIZE);
            size = 0;
            g_assert_cmpint(xen_front_get_edid(&t.display->connectors[j],
                                               XENDISPL_EDID_MAX_SIZE,
                                               xen_front_pgdir_ref(pgdir),
                                               &size), ==, 0);
            g_assert_cmpuint(size, ==, monitors[i].size);
            check_edid(pgdir->data, size, monitors[i].width,
                       monitors[i].height, monitors[i].rate,
                       j ? "2nd" : monitors[i].name, j ? "2" : "1");
            g_assert_cmpint(!edid_ranges(pgdir->data), ==,
                            monitors[i].no_ranges);
            g_assert_cmpuint(pgdir->data[size], ==, 0xee);
        }
        test_stats(&t, &after);
        g_assert_cmpuint(after.mapped, ==, before.mapped);
        g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
        xen_pv_test_unload(&t);
        xen_pv_test_end(&t);
    }
}

static void test_bad_edid(const void *testbed)
{
    XenFrontConnector *c;
    XenFrontPgdir *pgdir;
    uint32_t ref, size = 1;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    pgdir = xen_front_pgdir_new(t.guest, XENDISPL_EDID_MAX_SIZE);
    ref = xen_front_pgdir_ref(pgdir);

    g_assert_cmpint(xen_front_get_edid(c, 0, ref, &size), ==, -EINVAL);
    g_assert_cmpuint(size, ==, 0);
    g_assert_cmpint(xen_front_get_edid(c, 256, ref, &size), ==, -EINVAL);
    g_assert_cmpint(xen_front_get_edid(c, XENDISPL_EDID_MAX_SIZE - 1, ref,
                                       &size), ==, -EINVAL);
    g_assert_cmpint(xen_front_get_edid(c, XENDISPL_EDID_MAX_SIZE, 0, &size),
                    ==, -EINVAL);
    g_assert_cmpint(xen_front_get_edid(c, XENDISPL_EDID_MAX_SIZE, UINT32_MAX,
                                       &size), ==, -EINVAL);
    xen_front_pgdir_page(pgdir, 0)->refs[7] = 0;
    g_assert_cmpint(xen_front_get_edid(c, XENDISPL_EDID_MAX_SIZE, ref, &size),
                    ==, -EINVAL);
    xen_front_pgdir_fill(pgdir);
    /* A page that may not be written */
    xen_guest_entry(t.guest, pgdir->refs[0])->flags |= GTF_readonly;
    g_assert_cmpint(xen_front_get_edid(c, XENDISPL_EDID_MAX_SIZE, ref, &size),
                    ==, -EINVAL);
    xen_guest_entry(t.guest, pgdir->refs[0])->flags &= ~GTF_readonly;
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    g_assert_cmpint(xen_front_get_edid(c, UINT32_MAX, ref, &size), ==, 0);
    g_assert_cmpuint(size, ==, 256);

    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Versions */

static void test_version(const void *testbed)
{
    static const char *const good[] = { "1", "2" };
    static const char *const bad[] = { "3", "", "1,2", "one\n" };
    g_autofree char *offered = NULL;
    g_autofree char *node = NULL;
    g_autofree char *path = NULL;
    uint32_t i;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    path = g_strdup_printf("%s/version", t.display->card.frontend_path);
    node = g_strdup_printf("%s/versions", t.display->card.backend_path);
    offered = xen_guest_read(t.guest, node);
    g_assert_cmpstr(offered, ==, "1,2");

    for (i = 0; i < ARRAY_SIZE(good); i++) {
        g_assert_cmpint(xen_guest_write(t.guest, path, "%s", good[i]), ==, 0);
        xen_pv_test_connect(t.display);
        xen_pv_test_unload(&t);
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
    }
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_assert_cmpint(xen_guest_write(t.guest, path, "%s", bad[i]), ==, 0);
        g_assert_true(xen_front_wait_backend(&t.display->card,
                                             XenbusStateInitWait,
                                             XEN_GUEST_DEADLINE));
        g_assert_cmpint(xen_front_display_read_config(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_alloc_rings(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_publish(t.display), ==, 0);
        xen_front_set_state(&t.display->card, XenbusStateInitialised);
        g_assert_true(xen_front_wait_backend(&t.display->card,
                                             XenbusStateClosed,
                                             XEN_GUEST_DEADLINE));
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
    }
    g_assert_cmpint(xen_guest_rm(t.guest, path), ==, 0);
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "be-alloc/life", test_alloc },
    { "be-alloc/lingering", test_lingering },
    { "be-alloc/failures", test_failures },
    { "be-alloc/node", test_node },
    { "be-alloc/ends", test_ends },
    { "edid/content", test_edid },
    { "edid/bad", test_bad_edid },
    { "version", test_version },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), TESTBED);
    return g_test_run();
}
