/*
 * QTest of xen-pvdisplay with what some clients and frontends do: desktops of
 * Linux that take turns, and Plan 9
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "xen-pv-qtest.h"

#define COOKIE_X        0xffff888004210800
#define COOKIE_WESTON   0xffff888004219000

/* Two screens, as field people have them */
#define LEFT_WIDTH      1366
#define LEFT_HEIGHT     768
#define RIGHT_WIDTH     800
#define RIGHT_HEIGHT    600
#define CARD            "-device xen-pvdisplay,id=disp0," \
                        "connectors='L:1366x768;R:800x600'"

static XenFrontConnector *left(XenPvTest *t)
{
    return &t->display->connectors[0];
}

static XenFrontConnector *right(XenPvTest *t)
{
    return &t->display->connectors[1];
}

static XenFrontBuffer *picture(XenPvTest *t, uint32_t width, uint32_t height,
                               uint64_t cookie, uint32_t seed)
{
    XenFrontBuffer *buffer = xen_front_buffer_new(t->guest, width, height,
                                                  cookie);

    xen_front_buffer_draw(buffer, seed);
    g_assert_cmpint(xen_front_buffer_attach(t->display, buffer), ==, 0);
    return buffer;
}

static void end_picture(XenPvTest *t, XenFrontBuffer *buffer)
{
    g_assert_cmpint(xen_front_buffer_detach(t->display, buffer), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
}

static void config(XenFrontConnector *c, const XenFrontBuffer *buffer,
                   uint32_t x, uint32_t y)
{
    g_assert_cmpint(xen_front_set_config(c, buffer->fb, x, y, buffer->width,
                                         buffer->height, 32), ==, 0);
}

/* A flip, and its event */
static void flip(XenPvTest *t, XenFrontConnector *c,
                 const XenFrontBuffer *buffer)
{
    uint64_t events = c->events;

    g_assert_cmpint(xen_front_flip(c, buffer->fb), ==, 0);
    qtest_clock_step(t->qts, 1000000000 / 60 + 1);
    g_assert_true(xen_front_wait_events(c, events + 1, XEN_GUEST_DEADLINE));
}

/* What is on a screen is a picture from its pixel (x, y) on */
static void check_from(XenPvTest *t, int head, uint32_t width,
                       uint32_t height, uint32_t seed, uint32_t x, uint32_t y)
{
    XenPvPicture shown;
    uint32_t i, j;

    xen_pv_picture_take(t, "disp0", head, &shown);
    g_assert_cmpuint(shown.width, ==, width);
    g_assert_cmpuint(shown.height, ==, height);
    for (j = 0; j < height; j++) {
        for (i = 0; i < width; i++) {
            g_assert_cmphex(shown.pixels[j * width + i], ==,
                            xen_front_pixel(x + i, y + j, seed));
        }
    }
    xen_pv_picture_clear(&shown);
}

/*
 * X has one framebuffer for both screens, the second from x = 1366 on.  Weston
 * on another virtual terminal has one for each.  Where the mode stays Linux
 * sends flips alone, also back to X.
 */
static void test_two_desktops(const void *testbed)
{
    XenFrontBuffer *x, *weston;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    x = picture(&t, LEFT_WIDTH + RIGHT_WIDTH, LEFT_HEIGHT, COOKIE_X, 1);
    weston = picture(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_WESTON, 2);

    config(left(&t), x, 0, 0);
    config(right(&t), x, LEFT_WIDTH, 0);
    check_from(&t, 0, LEFT_WIDTH, LEFT_HEIGHT, 1, 0, 0);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 1, LEFT_WIDTH, 0);

    flip(&t, right(&t), weston);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 2, 0, 0);
    flip(&t, right(&t), weston);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 2, 0, 0);
    /* The other screen's origin is its own */
    flip(&t, left(&t), x);
    check_from(&t, 0, LEFT_WIDTH, LEFT_HEIGHT, 1, 0, 0);

    /* Back to X, which names its origin when it modesets */
    config(right(&t), x, LEFT_WIDTH, 0);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 1, LEFT_WIDTH, 0);
    flip(&t, right(&t), x);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 1, LEFT_WIDTH, 0);

    end_picture(&t, x);
    end_picture(&t, weston);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * xrandr --rotate: X takes a framebuffer of the screen's size for what it
 * rotates, and a smaller one for both screens.  The origin is inside of it,
 * but the screen is not.
 */
static void test_rotated(const void *testbed)
{
    XenFrontBuffer *wide, *small;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    wide = picture(&t, 2166, 1366, COOKIE_X, 3);
    small = picture(&t, 1568, 1366, COOKIE_WESTON, 4);

    config(right(&t), wide, LEFT_WIDTH, 0);
    flip(&t, right(&t), small);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 4, 0, 0);

    /* An origin that fits is not touched */
    config(right(&t), small, 768, 766);
    flip(&t, right(&t), small);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 4, 768, 766);
    flip(&t, right(&t), wide);
    check_from(&t, 1, RIGHT_WIDTH, RIGHT_HEIGHT, 3, 768, 766);

    end_picture(&t, wide);
    end_picture(&t, small);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * Plan 9: DBUF_CREATE with a geometry, rows that are longer than that, and
 * what was in the memory where version 2 has data_ofs
 */
static int create_padded(XenPvTest *t, const XenFrontPgdir *pgdir,
                         uint32_t size, uint32_t data_ofs)
{
    return xen_front_dbuf_create(t->display, COOKIE_X, LEFT_WIDTH,
                                 LEFT_HEIGHT, 32, size, 0,
                                 xen_front_pgdir_ref(pgdir), data_ofs);
}

static void show_padded(XenPvTest *t)
{
    g_assert_cmpint(xen_front_fb_attach(t->display, COOKIE_X, 1, LEFT_WIDTH,
                                        LEFT_HEIGHT, XEN_FRONT_ARGB8888), ==,
                    0);
    g_assert_cmpint(xen_front_set_config(left(t), 1, 0, 0, LEFT_WIDTH,
                                         LEFT_HEIGHT, 32), ==, 0);
    check_from(t, 0, LEFT_WIDTH, LEFT_HEIGHT, 5, 0, 0);
    g_assert_cmpint(xen_front_fb_detach(t->display, 1), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_X), ==, 0);
}

static void test_plan9(const void *testbed)
{
    const uint32_t stride = 5504, size = stride * LEFT_HEIGHT;
    g_autofree char *version = NULL;
    XenFrontPgdir *pgdir;
    uint32_t x, y;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    pgdir = xen_front_pgdir_new(t.guest, size);
    for (y = 0; y < LEFT_HEIGHT; y++) {
        for (x = 0; x < LEFT_WIDTH; x++) {
            stl_le_p(pgdir->data + y * stride + x * 4,
                     xen_front_pixel(x, y, 5));
        }
    }
    g_assert_cmpint(create_padded(&t, pgdir, size, 0), ==, 0);
    show_padded(&t);
    g_assert_cmpint(create_padded(&t, pgdir, size, 0xf0123450), ==, -EINVAL);
    xen_pv_test_unload(&t);

    /* The node makes the difference; the next frontend starts without */
    version = g_strdup_printf("%s/version", t.display->card.frontend_path);
    xen_guest_write(t.guest, version, "1");
    xen_front_set_state(&t.display->card, XenbusStateInitialising);
    xen_pv_test_connect(t.display);
    g_assert_cmpint(create_padded(&t, pgdir, size, 0xf0123450), ==, 0);
    show_padded(&t);
    xen_pv_test_unload(&t);
    xen_guest_rm(t.guest, version);
    xen_front_set_state(&t.display->card, XenbusStateInitialising);
    xen_pv_test_connect(t.display);
    g_assert_cmpint(create_padded(&t, pgdir, size, 0xf0123450), ==, -EINVAL);

    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "two-desktops", test_two_desktops },
    { "rotated", test_rotated },
    { "plan9", test_plan9 },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay-clients", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
