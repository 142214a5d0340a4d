/*
 * QTest of a Xen backend that is QEMU's own, the console, without Xen: the
 * example of docs/devel/xen-qtest.rst
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/atomic.h"
#include "../frontend/xen-front-card.h"
#include "xen-pv-qtest.h"

#include <xen/io/console.h>

static bool is_read(void *opaque)
{
    struct xencons_interface *ring = opaque;

    return qatomic_read(&ring->out_cons) == 5;
}

static void test_hello(void)
{
    g_autofree char *path = NULL, *text = NULL;
    struct xencons_interface *ring;
    XenFrontChannel channel;
    XenFrontCard card;
    XenPvTest t;

    xen_pv_test_start(&t, "", "-chardev file,id=out,path=DIR/out "
                      "-device xen-console,idx=1,chardev=out");
    xen_front_card_init(&card, t.guest, "console", 1);
    g_assert_cmpint(xen_front_channel_alloc(t.guest, &channel), ==, 0);
    xen_guest_write(t.guest, "device/console/1/ring-ref", "%u", channel.ref);
    xen_guest_write(t.guest, "device/console/1/port", "%u", channel.port);
    g_assert_cmpint(xen_front_card_finish(&card), ==, 0);

    ring = xen_guest_page(t.guest, channel.page);
    memcpy(ring->out, "hello", 5);
    xen_wmb();
    ring->out_prod = 5;
    xen_guest_kick(t.guest, channel.port);
    g_assert_true(xen_guest_wait(t.guest, is_read, ring, XEN_GUEST_DEADLINE));

    xen_front_set_state(&card, XenbusStateClosed);
    g_assert_true(xen_front_wait_backend(&card, XenbusStateClosed,
                                         XEN_GUEST_DEADLINE));
    g_assert_cmpuint(xen_front_channel_free(&channel), ==, 0);
    path = g_build_filename(t.dir, "out", NULL);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello");
    xen_front_card_clear(&card);
    xen_pv_test_end(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/xen-pv-console/hello", test_hello);
    return g_test_run();
}
