/*
 * A scene: a QEMU, who attacks it, and the witness beside it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pv-scene.h"

void xen_pv_scene_start(XenPvScene *s, const char *testbed,
                        const char *victims)
{
    g_autofree char *devices = g_strconcat(WITNESS_DEVICES, victims, NULL);

    memset(s, 0, sizeof(*s));
    xen_pv_test_start(&s->test, testbed, devices);
    s->sound = xen_front_sound_new(s->test.guest, 0);
    xen_pv_witness_start(&s->witness, &s->test);
    xen_attacker_init(&s->attacker, s->test.guest, s->test.display, s->sound);
    s->attacker.meanwhile = xen_pv_witness_turn;
    s->attacker.opaque = &s->witness;
}

void xen_pv_scene_end(XenPvScene *s)
{
    xen_attacker_clear(&s->attacker);
    xen_pv_witness_stop(&s->witness);
    g_assert_cmpuint(xen_front_sound_free(s->sound), ==, 0);
    xen_pv_test_quit(&s->test);
    g_assert_true(xen_pv_witness_heard(&s->witness));
    g_assert_cmpuint(s->witness.failures, ==, 0);
    xen_pv_witness_free(&s->witness);
    xen_pv_test_end(&s->test);
}
