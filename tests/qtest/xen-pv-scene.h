/*
 * A scene: a QEMU, who attacks it, and the witness beside it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_SCENE_H
#define TESTS_QTEST_XEN_PV_SCENE_H

#include "xen-pv-witness.h"

#include "../frontend/xen-attacks.h"

/**
 * struct XenPvScene - who is there
 *
 * @test: QEMU and its guest, whose card 0 is the attacker's
 * @witness: on card 1
 * @sound: the attacker's card 0 of sound
 * @attacker: has the witness' turns meanwhile
 */
typedef struct XenPvScene {
    XenPvTest test;
    XenPvWitness witness;
    XenFrontSound *sound;
    XenAttacker attacker;
} XenPvScene;

/**
 * xen_pv_scene_start: start QEMU, and the witness
 * @s: the scene; anything
 * @testbed: further options of the fake Xen
 * @victims: QEMU's arguments for the cards that are to be attacked
 */
void xen_pv_scene_start(XenPvScene *s, const char *testbed,
                        const char *victims);

/* The witness has missed nothing, and nothing is left */
void xen_pv_scene_end(XenPvScene *s);

#endif /* TESTS_QTEST_XEN_PV_SCENE_H */
