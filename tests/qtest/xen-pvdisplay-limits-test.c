/*
 * QTest of xen-pvdisplay: quotas, and limits of the host
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-qtest.h"

static void test_quotas(const void *testbed)
{
    XenFrontBuffer *a, *big;
    XenFrontPgdir *page;
    int status = 0;
    XenPvTest t;
    int i, count;

    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,id=disp0,"
                      "max-pages=600,connectors='" CONNECTORS "'");
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 95);
    g_assert_cmpint(show(left(&t), a), ==, 0);

    big = xen_front_buffer_new(t.guest, 1024, 768, COOKIE_B);
    g_assert_cmpint(xen_front_buffer_attach(t.display, big), <, 0);
    g_assert_cmpuint(xen_front_buffer_free(big), ==, 0);

    /* Buffers of one page for ever: there is an end to it */
    page = xen_front_pgdir_new(t.guest, XEN_GUEST_PAGE);
    for (count = 0; !status && count < 100000; count++) {
        status = xen_front_dbuf_create(t.display, count + 1, 0, 0, 0,
                                       XEN_GUEST_PAGE, 0,
                                       xen_front_pgdir_ref(page), 0);
    }
    g_assert_cmpint(status, <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 1), ==, 0);
    g_assert_cmpint(xen_front_dbuf_create(t.display, 1, 0, 0, 0,
                                          XEN_GUEST_PAGE, 0,
                                          xen_front_pgdir_ref(page), 0),
                    ==, 0);
    for (i = 1; i < count; i++) {
        g_assert_cmpint(xen_front_dbuf_destroy(t.display, i), ==, 0);
    }

    /* And to framebuffers */
    status = 0;
    for (count = 0; !status && count < 100000; count++) {
        status = xen_front_fb_attach(t.display, a->dbuf, count + 1, 16, 16,
                                     XEN_FRONT_XRGB8888);
    }
    g_assert_cmpint(status, <, 0);
    check_left(&t, 95);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, a->dbuf), ==, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 1), <, 0);
    check_left(&t, 95);

    g_assert_cmpuint(xen_front_pgdir_free(page), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * What the host has an end of, too.  Linux says EINVAL to more grants in one
 * call than its limit, whoever maps in smaller parts can show the picture.
 */
static void test_limit(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, ",limit=100", CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    test_stats(&t, &before);
    /* One by one they are below any limit */
    if (t.single_map) {
        g_assert_cmpint(show(left(&t), a), ==, 0);
    } else {
        g_assert_cmpint(show(left(&t), a), ==, -EINVAL);
        test_stats(&t, &after);
        g_assert_cmpuint(after.map_failures, >, before.map_failures);
        g_assert_cmpuint(after.mapped, ==, before.mapped);
    }
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);

    xen_pv_test_start(&t, ",limit=100", CARD
                      "-global xen-pvdisplay.x-max-map-count=100");
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 96);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 96);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The rings and one buffer fit into the map track, two buffers do not */
static void test_maptrack(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, ",maptrack=500", CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
    xen_front_buffer_draw(a, 97);
    xen_front_buffer_draw(b, 98);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    test_stats(&t, &before);
    /* Copies of pictures need no page for long */
    g_assert_cmpint(show(right(&t), b), ==, t.single_map ? 0 : -EINVAL);
    test_stats(&t, &after);
    g_assert_cmpuint(after.map_failures, >, before.map_failures);
    if (!t.single_map) {
        g_assert_cmpuint(after.mapped, ==, before.mapped);
    }
    check_left(&t, 97);

    /* There is room again when the other one is not shown any more */
    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    check_right(&t, 98);
    g_assert_cmpint(switch_off(right(&t)), ==, 0);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 97);

    /* Or when it has gone */
    end_buffer(&t, a);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    check_right(&t, 98);
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "quotas", test_quotas },
    { "limit", test_limit },
    { "maptrack", test_maptrack },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
