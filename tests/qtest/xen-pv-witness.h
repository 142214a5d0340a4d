/*
 * A well-behaved guest beside a hostile one: its screen flips and its sound
 * plays, and it says when anything is missing
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_WITNESS_H
#define TESTS_QTEST_XEN_PV_WITNESS_H

#include "xen-pv-qtest.h"

#include "../frontend/xen-front-sound.h"

/* Devices of the witness, its recording, and how long a turn of it takes */
#define WITNESS_DEVICES \
    "-device xen-pvdisplay,id=witness,idx=1,connectors=160x120 " \
    "-audiodev wav,id=witness-wav,path=DIR/witness.wav," \
    "out.frequency=48000 " \
    "-device xen-pvsound,id=witness-sound,idx=1,streams=p," \
    "audiodev=witness-wav "
#define WITNESS_TURN_NS     20000000ll

/**
 * struct XenPvWitness - what it has done
 *
 * @flips: flips that were asked for
 * @frames: frames of sound that were written
 * @turns: turns since its sound started
 * @failures: what was missing; each is told when it is found
 */
typedef struct XenPvWitness {
    XenPvTest *test;
    XenFrontDisplay *display;
    XenFrontSound *sound;
    XenFrontBuffer *buffers[2];
    uint64_t flips;
    uint64_t frames;
    uint64_t turns;
    unsigned int failures;
    bool flipping;
    XenGuestStats idle;
} XenPvWitness;

/* Connect, show the first picture, start to play */
void xen_pv_witness_start(XenPvWitness *w, XenPvTest *test);

/* Half a turn: ask for a flip and write sound, but do not look what comes */
void xen_pv_witness_ask(XenPvWitness *w);

/*
 * The other half: the flip is answered, time passes, the flip has its event,
 * the screen shows the picture and the sound has moved on.  Returns whether
 * all was there.
 */
bool xen_pv_witness_check(XenPvWitness *w);

/* Both; for callbacks */
void xen_pv_witness_turn(void *opaque);

/* Only the witness' own pages are mapped and only its ports are bound */
uint64_t xen_pv_witness_others(XenPvWitness *w);

/* Play to the end, disconnect; the recording is checked after QEMU has quit */
void xen_pv_witness_stop(XenPvWitness *w);

/* Whether it holds all that was played, without a gap or repeat */
bool xen_pv_witness_heard(XenPvWitness *w);

void xen_pv_witness_free(XenPvWitness *w);

#endif /* TESTS_QTEST_XEN_PV_WITNESS_H */
