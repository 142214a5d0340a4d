/*
 * QTest of xen-pvdisplay: pictures in all pixel formats, and what it costs to
 * convert them
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-drawing.h"

/*
 * @align: of rows; the size is in pages where Linux's would be
 * @x, @y: scan-out origin
 */
typedef struct Layout {
    const char *what;
    uint32_t width;
    uint32_t height;
    uint32_t align;
    bool whole_pages;
    bool import;
    uint32_t data_ofs;
    uint32_t x;
    uint32_t y;
} Layout;

static const Layout layouts[] = {
    { "old pitch, odd width", 67, 45, 1 },
    { "old pitch, even width", 66, 45, 1 },
    { "new pitch, odd width", 67, 45, 8, true },
    { "new pitch, even width", 66, 45, 8, true },
    { "pitch of both", 64, 45, 1 },
    { "data at an odd offset", 64, 45, 1, false, false, 1 },
    { "data at an even offset", 64, 45, 1, false, false, 2 },
    { "data at a word", 64, 45, 1, false, false, 4 },
    { "data at 512", 64, 45, 1, false, false, 512 },
    { "imported", 66, 45, 16, false, true },
    { "imported, rows of 256 bytes", 66, 45, 256, false, true },
    { "imported, at an odd offset", 66, 45, 16, false, true, 33 },
    { "larger than the screen", 96, 60, 8, true, false, 0, 8, 7 },
    { "larger, from an odd pixel on", 96, 60, 8, true, false, 0, 5, 7 },
    { "larger, odd, from an odd pixel on", 95, 60, 1, false, false, 0, 5, 7 },
    { "larger, odd, from an even pixel on", 95, 60, 1, false, false, 0, 8, 7 },
    { "a corner of it, odd", 95, 60, 1, false, false, 0, 91, 58 },
    { "a corner of it", 96, 60, 8, true, false, 0, 91, 58 },
};

static void check_layout(XenPvTest *t, const Format *format, const Layout *l,
                         uint32_t seed)
{
    XenFrontDisplay *display = t->display;
    uint32_t cpp = format->bpp / 8;
    Drawing d = {
        .format = format,
        .offset = l->data_ofs,
        .stride = ROUND_UP(l->width * cpp, l->align),
        .width = l->width,
        .height = l->height,
        .seed = seed,
    };
    uint32_t size = d.stride * l->height;
    uint32_t width = MIN(FORMAT_WIDTH, l->width - l->x);
    uint32_t height = MIN(FORMAT_HEIGHT, l->height - l->y);

    g_test_message("%s: %s", format->name, l->what);
    size = l->whole_pages ? ROUND_UP(size, XEN_GUEST_PAGE) : size;
    d.pgdir = xen_front_pgdir_new(t->guest, size);
    memset(d.pgdir->data, 0x55, d.pgdir->nr_pages * XEN_GUEST_PAGE);
    draw(&d);
    g_assert_cmpint(xen_front_dbuf_create(display, COOKIE_A,
                                          l->import ? 0 : l->width,
                                          l->import ? 0 : l->height,
                                          l->import ? 0 : format->bpp, size,
                                          0, xen_front_pgdir_ref(d.pgdir),
                                          l->data_ofs), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(display, COOKIE_A, 1, l->width,
                                        l->height, fourcc(format)), ==, 0);
    g_assert_cmpint(xen_front_set_config(left(t), 1, l->x,
                                         l->y, l->width, l->height,
                                         format->bpp), ==, 0);
    check_drawing(t, "disp0", 0, &d, width, height, l->x, l->y);

    /* Drawn into without a word, then gone while it is shown */
    d.seed += 7;
    draw(&d);
    g_assert_cmpint(xen_front_dbuf_destroy(display, COOKIE_A), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(d.pgdir), ==, 0);
    memset(d.pgdir->data, 0xaa, d.pgdir->nr_pages * XEN_GUEST_PAGE);
    check_drawing(t, "disp0", 0, &d, width, height, l->x, l->y);
    g_assert_cmpuint(xen_front_pgdir_free(d.pgdir), ==, 0);
}

static void test_formats(const void *testbed)
{
    XenPvTest t;
    int i, j;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    for (i = 0; i < nr_formats; i++) {
        for (j = 0; j < ARRAY_SIZE(layouts); j++) {
            check_layout(&t, &formats[i], &layouts[j],
                         i * ARRAY_SIZE(layouts) + j);
        }
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* What is converted costs only those who look */
static void check_conversions(const char *testbed, const char *first,
                              const char *second)
{
    XenFrontConnector *c;
    int64_t before;
    Drawing d[2];
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    new_drawing(&t, &d[0], get_format(first), 1, 1);
    new_drawing(&t, &d[1], get_format(second), 2, 2);
    g_assert_cmpint(xen_front_set_config(c, 1, 0, 0, 64, 45, 32), ==, 0);

    before = get_connector_number(&t, 0, "conversions");
    for (i = 1; i <= 100; i++) {
        flip(&t, c, i % 2 + 1);
    }
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==, before);
    for (i = 1; i <= 4; i++) {
        flip(&t, c, i % 2 + 1);
        check_drawing(&t, "disp0", 0, &d[i % 2], 64, 45, 0, 0);
    }
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==,
                    before + 4);
    d[0].seed = 9;
    draw(&d[0]);
    check_drawing(&t, "disp0", 0, &d[0], 64, 45, 0, 0);
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==,
                    before + 5);

    /* The picture stays, and needs no more work, until it is flipped away */
    end_drawing(&t, &d[0], 1);
    before = get_connector_number(&t, 0, "conversions");
    check_drawing(&t, "disp0", 0, &d[0], 64, 45, 0, 0);
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==, before);
    flip(&t, c, 2);
    check_drawing(&t, "disp0", 0, &d[1], 64, 45, 0, 0);
    end_drawing(&t, &d[1], 2);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_conversions(const void *testbed)
{
    check_conversions(testbed, "YUYV", "YUYV");
    check_conversions(testbed, "XR30", "AR12");
}

/* From one that is shown as it is to one that is not, and back */
static void test_mixed_formats(const void *testbed)
{
    static const char *const names[] = { "XR24", "YUYV", "RG16", "XR30" };
    Drawing d[ARRAY_SIZE(names)];
    XenFrontConnector *c;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        new_drawing(&t, &d[i], get_format(names[i]), i + 1, i);
    }
    g_assert_cmpint(xen_front_set_config(c, 1, 0, 0, 64, 45, 32), ==, 0);
    for (i = 0; i < 32; i++) {
        int next = (i * 5 + i / 4) % ARRAY_SIZE(names);

        flip(&t, c, next + 1);
        check_drawing(&t, "disp0", 0, &d[next], 64, 45, 0, 0);
    }
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        end_drawing(&t, &d[i], i + 1);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "formats/all", test_formats },
    { "formats/conversions", test_conversions },
    { "formats/mixed", test_mixed_formats },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
