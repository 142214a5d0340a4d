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
#include "xen-pvdisplay-qtest.h"

#define COOKIE_X        0xffff888004210800
#define COOKIE_WESTON   0xffff888004219000

/* Two screens, as field people have them: a laptop's on the left, a monitor */
#define LAPTOP_WIDTH    1366
#define LAPTOP_HEIGHT   768
#define MONITOR_WIDTH   800
#define MONITOR_HEIGHT  600
#define DESK            "-device xen-pvdisplay,id=disp0," \
                        "connectors='L:1366x768;R:800x600'"

static XenFrontBuffer *picture(XenPvTest *t, uint32_t width, uint32_t height,
                               uint64_t cookie, uint32_t seed)
{
    XenFrontBuffer *buffer = new_buffer(t, width, height, cookie);

    xen_front_buffer_draw(buffer, seed);
    return buffer;
}

static void config(XenFrontConnector *c, const XenFrontBuffer *buffer,
                   uint32_t x, uint32_t y)
{
    g_assert_cmpint(xen_front_set_config(c, buffer->fb, x, y, buffer->width,
                                         buffer->height, 32), ==, 0);
}

static void check_laptop(XenPvTest *t, uint32_t seed)
{
    check_screen_at(t, "disp0", 0, LAPTOP_WIDTH, LAPTOP_HEIGHT, seed, 0, 0);
}

/* What is on the monitor is a picture from its pixel (x, y) on */
static void check_monitor(XenPvTest *t, uint32_t seed, uint32_t x, uint32_t y)
{
    check_screen_at(t, "disp0", 1, MONITOR_WIDTH, MONITOR_HEIGHT, seed, x, y);
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

    xen_pv_test_start(&t, testbed, DESK);
    xen_pv_test_connect(t.display);
    x = picture(&t, LAPTOP_WIDTH + MONITOR_WIDTH, LAPTOP_HEIGHT, COOKIE_X, 1);
    weston = picture(&t, MONITOR_WIDTH, MONITOR_HEIGHT, COOKIE_WESTON, 2);

    config(left(&t), x, 0, 0);
    config(right(&t), x, LAPTOP_WIDTH, 0);
    check_laptop(&t, 1);
    check_monitor(&t, 1, LAPTOP_WIDTH, 0);

    flip(&t, right(&t), weston->fb);
    check_monitor(&t, 2, 0, 0);
    flip(&t, right(&t), weston->fb);
    check_monitor(&t, 2, 0, 0);
    /* The other screen's origin is its own */
    flip(&t, left(&t), x->fb);
    check_laptop(&t, 1);

    /* Back to X, which names its origin when it modesets */
    config(right(&t), x, LAPTOP_WIDTH, 0);
    check_monitor(&t, 1, LAPTOP_WIDTH, 0);
    flip(&t, right(&t), x->fb);
    check_monitor(&t, 1, LAPTOP_WIDTH, 0);

    end_buffer(&t, x);
    end_buffer(&t, weston);
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

    xen_pv_test_start(&t, testbed, DESK);
    xen_pv_test_connect(t.display);
    wide = picture(&t, 2166, 1366, COOKIE_X, 3);
    small = picture(&t, 1568, 1366, COOKIE_WESTON, 4);

    config(right(&t), wide, LAPTOP_WIDTH, 0);
    flip(&t, right(&t), small->fb);
    check_monitor(&t, 4, 0, 0);

    /* An origin that fits is not touched */
    config(right(&t), small, 768, 766);
    flip(&t, right(&t), small->fb);
    check_monitor(&t, 4, 768, 766);
    flip(&t, right(&t), wide->fb);
    check_monitor(&t, 3, 768, 766);

    end_buffer(&t, wide);
    end_buffer(&t, small);
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
    return xen_front_dbuf_create(t->display, COOKIE_X, LAPTOP_WIDTH,
                                 LAPTOP_HEIGHT, 32, size, 0,
                                 xen_front_pgdir_ref(pgdir), data_ofs);
}

static void show_padded(XenPvTest *t)
{
    g_assert_cmpint(xen_front_fb_attach(t->display, COOKIE_X, 1, LAPTOP_WIDTH,
                                        LAPTOP_HEIGHT, XEN_FRONT_ARGB8888), ==,
                    0);
    g_assert_cmpint(xen_front_set_config(left(t), 1, 0, 0, LAPTOP_WIDTH,
                                         LAPTOP_HEIGHT, 32), ==, 0);
    check_laptop(t, 5);
    g_assert_cmpint(xen_front_fb_detach(t->display, 1), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_X), ==, 0);
}

static void test_plan9(const void *testbed)
{
    const uint32_t stride = 5504, size = stride * LAPTOP_HEIGHT;
    g_autofree char *version = NULL;
    XenFrontPgdir *pgdir;
    uint32_t x, y;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, DESK);
    xen_pv_test_connect(t.display);
    pgdir = xen_front_pgdir_new(t.guest, size);
    for (y = 0; y < LAPTOP_HEIGHT; y++) {
        for (x = 0; x < LAPTOP_WIDTH; x++) {
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
