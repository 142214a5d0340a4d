/*
 * QTest of a sound card's time: positions by the clock, whatever the host
 * does, and buffers that can be served
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "libqtest.h"
#include "qobject/qdict.h"

#include "../frontend/xen-front-sound.h"
#include "xen-pv-qtest.h"

#define RATE    48000
#define FRAME   4               /* S16_LE, stereo */
#define MS      INT64_C(1000000)
#define TICK    (10 * MS)

/* A host that takes all it gets at once, as a card with a large buffer does */
#define GREEDY  "-audiodev alsa,id=snd,out.dev=null,out.try-poll=off "
#define NONE    "-audiodev none,id=snd "
#define CARD    "-device xen-pvsound,id=snd0,audiodev=snd,streams=p "

typedef struct Test {
    XenPvTest pv;
    XenFrontSound *sound;
    XenFrontStream *stream;
} Test;

static void begin(Test *t, const char *testbed, const char *devices)
{
    xen_pv_test_start(&t->pv, testbed, devices);
    t->sound = xen_front_sound_new(t->pv.guest, 0);
    g_assert_cmpint(xen_front_sound_connect(t->sound), ==, 0);
    t->stream = &t->sound->streams[0];
}

static void end(Test *t)
{
    g_assert_cmpint(xen_front_sound_unload(t->sound), ==, 0);
    g_assert_cmpuint(xen_front_sound_free(t->sound), ==, 0);
    xen_pv_test_end(&t->pv);
}

static int open_frames(Test *t, uint32_t buffer, uint32_t period)
{
    return xen_front_stream_open(t->stream, RATE, XENSND_PCM_FORMAT_S16_LE, 2,
                                 buffer * FRAME, period * FRAME);
}

static void start_with(Test *t, uint32_t frames)
{
    g_autofree uint8_t *data = g_malloc(frames * FRAME);

    memset(data, 0x11, frames * FRAME);
    g_assert_cmpint(xen_front_stream_write(t->stream, data, frames * FRAME),
                    ==, frames * FRAME);
    g_assert_cmpint(xen_front_stream_trigger(t->stream,
                                             XENSND_OP_TRIGGER_START), ==, 0);
}

/* In frames, as the guest knows it after another @ns */
static int64_t position_after(Test *t, int64_t ns)
{
    /* Before there are more events than an event page has room for */
    for (; ns > 0; ns -= 10 * TICK) {
        qtest_clock_step(t->pv.qts, MIN(ns, 10 * TICK));
        xen_front_stream_take_events(t->stream);
    }
    return t->stream->position / FRAME;
}

/* The end of a short sound is told when it has come, not before */
static void test_drain(const void *testbed)
{
    int64_t time = 0, position = 0;
    Test t;

    begin(&t, testbed, GREEDY CARD);
    g_assert_cmpint(open_frames(&t, 8192, 1024), ==, 0);
    start_with(&t, 7200);
    while (position < 7200) {
        time += TICK;
        position = position_after(&t, TICK);
        g_assert_cmpint(position, <=, time / MS * RATE / 1000);
        g_assert_cmpint(time, <, 1000 * MS);
    }
    /* A period later at most, and the ticks to see it */
    g_assert_cmpint(time, <=, 150 * MS + 1024 * 1000 / RATE * MS + 3 * TICK);
    g_assert_cmpint(xen_front_stream_trigger(t.stream,
                                             XENSND_OP_TRIGGER_STOP), ==, 0);
    g_assert_cmpint(xen_front_stream_close(t.stream), ==, 0);
    end(&t);
}

static void starve(const char *testbed, const char *devices)
{
    int64_t first, moved;
    Test t;

    begin(&t, testbed, devices);
    g_assert_cmpint(open_frames(&t, 16384, 480), ==, 0);
    start_with(&t, 4800);
    first = position_after(&t, 1000 * MS);
    moved = position_after(&t, 4000 * MS) - first;
    g_assert_cmpint(moved, >=, 3970 * RATE / 1000);
    g_assert_cmpint(moved, <=, 4030 * RATE / 1000);
    /* It is as far as the time, but for what a guest may be late by */
    g_assert_cmpint(first, >=, 970 * RATE / 1000);
    g_assert_cmpint(first, <=, RATE);
    g_assert_cmpint(xen_front_stream_close(t.stream), ==, 0);
    end(&t);
}

static void test_starved(const void *testbed)
{
    starve(testbed, NONE CARD);
    starve(testbed, "-audiodev none,id=snd,out.mixing-engine=off " CARD);
}

static void test_starved_greedy(const void *testbed)
{
    starve(testbed, GREEDY CARD);
}

static void check_error(Test *t, const char *part)
{
    QObject *status = xen_pv_test_get(&t->pv, "snd0", "status");
    const char *error = qdict_get_try_str(qobject_to(QDict, status),
                                          "last-error");

    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error, part));
    qobject_unref(status);
}

/* Two ticks of QEMU's are the shortest buffer, whoever asks */
static void limits(const char *testbed, const char *devices, uint32_t frames)
{
    struct xensnd_query_hw_param all, less;
    QObject *status;
    Test t;

    begin(&t, testbed, devices);
    status = xen_pv_test_get(&t.pv, "snd0", "status");
    g_assert_cmpint(qdict_get_int(qobject_to(QDict, status),
                                  "shortest-buffer-us"), ==,
                    frames * 1000000ull / RATE);
    qobject_unref(status);

    g_assert_cmpint(xen_front_stream_query_all(t.stream, &all), ==, 0);
    all.rates.min = all.rates.max = RATE;
    g_assert_cmpint(xen_front_stream_query(t.stream, &all), ==, 0);
    g_assert_cmpuint(all.buffer.min, ==, frames);
    less = all;
    less.buffer.min = 1;
    less.buffer.max = frames - 1;
    g_assert_cmpint(xen_front_stream_query(t.stream, &less), ==, -EINVAL);

    g_assert_cmpint(open_frames(&t, frames - 1, frames - 1), ==,
                    -EINVAL);
    check_error(&t, "timer-period");
    g_assert_cmpint(open_frames(&t, frames, frames / 2), ==, 0);
    g_assert_cmpint(xen_front_stream_close(t.stream), ==, 0);
    end(&t);
}

static void test_limits(const void *testbed)
{
    limits(testbed, NONE CARD, 2 * RATE / 100);
    limits(testbed, "-audiodev none,id=snd,timer-period=1000 " CARD,
           2 * RATE / 1000);
    /* However rare its ticks are */
    limits(testbed, "-audiodev none,id=snd,timer-period=1000000 " CARD,
           RATE / 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_data_func("xen-pvsound-pace/starved", "", test_starved);
    qtest_add_data_func("xen-pvsound-pace/limits", "", test_limits);
#ifdef CONFIG_AUDIO_ALSA
    qtest_add_data_func("xen-pvsound-pace/drain", "", test_drain);
    qtest_add_data_func("xen-pvsound-pace/starved-greedy", "",
                        test_starved_greedy);
#else
    (void)test_drain;
    (void)test_starved_greedy;
#endif
    return g_test_run();
}
