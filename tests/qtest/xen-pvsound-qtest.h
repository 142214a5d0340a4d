/*
 * What QTests of PV sound have in common: a QEMU over a fake Xen, its guest,
 * and what is played
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PVSOUND_QTEST_H
#define TESTS_QTEST_XEN_PVSOUND_QTEST_H

#include "libqtest.h"

#include "../frontend/xen-front-sound.h"
#include "../frontend/xen-guest-testbed.h"
#include "../frontend/xen-toolstack.h"

#define MS              1000000ll
#define TICK            (10 * MS)

#define RATE            48000
#define FRAME           4               /* S16_LE, stereo */
#define BUFFER          (16384 * FRAME)
#define PERIOD          (4096 * FRAME)

#define WAV             "-audiodev wav,id=snd,path=%s,out.frequency=48000 "
#define WAV_8000        "-audiodev wav,id=snd,path=%s,out.frequency=8000 "
#define UNMIXED         "-audiodev wav,id=snd,path=%s,out.mixing-engine=off "
#define NONE            "-audiodev none,id=snd "
#define NONE_PLAIN(way) "-audiodev none,id=snd," #way ".mixing-engine=off "
#define ALSA            "-audiodev alsa,id=snd,in.dev=null,in.try-poll=off," \
                        "out.dev=null,out.try-poll=off "
#define ENDLESS         "-audiodev alsa,id=snd,in.dev=null,in.try-poll=off," \
                        "in.mixing-engine=off," \
                        "out.dev=null,out.try-poll=off "
#define FILE_OF_ALSA    "-audiodev alsa,id=snd,out.mixing-engine=off," \
                        "out.try-poll=off,out.dev=file:'%s',,raw "
#define FILE_OF_CARD    "-audiodev alsa,id=a%u,out.mixing-engine=off," \
                        "out.try-poll=off,out.dev=file:'%s/%u.raw',,raw " \
                        "-device xen-pvsound,audiodev=a%u,streams=p,idx=%u "
#define CARD            "-device xen-pvsound,id=snd0,audiodev=snd,"

/* One QEMU, its guest, and the guest's frontend of card 0 */
typedef struct Test {
    QTestState *qts;
    char *dir;
    char *memory;
    char *socket;
    char *wav;
    XenGuest *guest;
    XenFrontSound *sound;
} Test;

/**
 * test_start: start QEMU and become its guest
 * @t: the test; anything
 * @testbed: further options of the fake Xen
 * @audio: QEMU's arguments for audio, with the recording's path for %s
 * @devices: QEMU's arguments for the cards
 */
void test_start(Test *t, const char *testbed, const char *audio,
                const char *devices);

void test_stats(Test *t, XenGuestStats *stats);

/* Nothing may be mapped for a guest that is not connected */
void check_idle(Test *t);

/* Take those of all streams */
void check_events(Test *t);

/* QEMU goes, in whatever state it is; the recording stays until test_end() */
void test_quit(Test *t);

/* QEMU goes, if it has not yet; then what the test had is gone */
void test_end(Test *t);

void test_connect(Test *t);

/* Afterwards QEMU must have nothing mapped */
void test_unload(Test *t);

/* Streams of the guest's card */
XenFrontStream *stream(Test *t, uint32_t index);

/* Move the clock */
void step(Test *t, int64_t ns);

int trigger(XenFrontStream *s, uint8_t type);

void start(XenFrontStream *s);

void stop(XenFrontStream *s);

void query(XenFrontStream *s, struct xensnd_query_hw_param *param);

/* S16_LE, stereo, at RATE */
void open_plain(XenFrontStream *s);

void close_plain(XenFrontStream *s);

/* Samples of which no two neighbours are alike, and none is silent */
int16_t sample(uint32_t i);

/* The first of these */
int16_t *samples_new(uint32_t count);

/* Write it all, as fast as the stream plays */
void feed(Test *t, XenFrontStream *s, const void *data, uint32_t size);

/* Wait until all that was written has been played, as ALSA's drain does */
void drain(Test *t, XenFrontStream *s);

/* Start with a full buffer, then feed, then stop when all is played */
void play(Test *t, XenFrontStream *s, const void *data, uint32_t size);

/* Samples of the recording, from the first on that is not silent */
const int16_t *recording(const char *file, gsize size, gsize *count);

/* The recording holds that, without a gap or repeat, and nothing else */
void check_recording(Test *t, const int16_t *want, uint32_t count);

/* The same, with silence anywhere between: no sample of a sound is silent */
void check_sounds(Test *t, const int16_t *want, uint32_t count);

/* The card's node @key in the frontend's folder; NULL for none */
void check_node(Test *t, const char *key, const char *expected);

/* Add a test, below /xen-pvsound */
void add(const char *name, void (*test)(const void *testbed));

#endif /* TESTS_QTEST_XEN_PVSOUND_QTEST_H */
