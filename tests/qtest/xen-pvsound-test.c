/*
 * QTest of xen-pvsound: streams that play and record
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "xen-pvsound-qtest.h"

/* Tests: playing */

/* Twice, without a gap or repeat, with the ids of both kinds of Linux */
static void play_twice(const char *testbed, const char *audio, uint32_t rate,
                       bool modern)
{
    uint32_t count = 2 * RATE * 3, i;
    g_autofree int16_t *samples = samples_new(count);
    g_autofree int16_t *want = g_new(int16_t, 2 * count);
    Test t;

    test_start(&t, testbed, audio, CARD "streams=p");
    test_connect(&t);
    stream(&t, 0)->modern = modern;
    for (i = 0; i < 2; i++) {
        g_assert_cmpint(xen_front_stream_open(stream(&t, 0), rate,
                                              XENSND_PCM_FORMAT_S16_LE, 2,
                                              BUFFER, PERIOD), ==, 0);
        play(&t, stream(&t, 0), samples, count * 2);
        g_assert_cmpuint(stream(&t, 0)->position % BUFFER, ==, 0);
        close_plain(stream(&t, 0));
        /* What the audio layer has taken by now it plays, too */
        step(&t, 200 * MS);
    }
    g_assert_cmpuint(stream(&t, 0)->dropped, >, 0);
    test_unload(&t);
    test_quit(&t);

    /* Between the two there is silence: compare one after the other */
    {
        g_autofree char *file = NULL;
        const int16_t *got;
        gsize size, have;

        g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
        got = recording(file, size, &have);
        g_assert_cmpuint(have, >=, 2 * count);
        g_assert_cmpmem(got, count * 2, samples, count * 2);
        for (i = count; i < have && !got[i]; i++) {
            /* silence */
        }
        g_assert_cmpuint(have - i, >=, count);
        g_assert_cmpmem(got + i, count * 2, samples, count * 2);
        for (i += count; i < have; i++) {
            g_assert_cmpint(got[i], ==, 0);
        }
    }
    test_end(&t);
}

static void test_play(const void *testbed)
{
    play_twice(testbed, WAV, RATE, false);
}

static void test_play_modern(const void *testbed)
{
    play_twice(testbed, WAV, RATE, true);
}

/* Straight to the host, with nothing in between that has a buffer */
static void test_play_unmixed(const void *testbed)
{
    play_twice(testbed, UNMIXED, 44100, false);
}

/* A buffer far smaller than the audio layer's own: 10 ms in two periods */
static void test_small_buffer(const void *testbed)
{
    uint32_t count = 2 * RATE;
    g_autofree int16_t *samples = samples_new(count);
    XenFrontStream *s;
    Test t;
    uint32_t done;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, 1920 * FRAME, 480 * FRAME),
                    ==, 0);
    done = xen_front_stream_write(s, samples, count * 2);
    start(s);
    while (done < count * 2) {
        /* The guest is as late as it may be */
        step(&t, TICK);
        done += xen_front_stream_write(s, (char *)samples + done,
                                       count * 2 - done);
    }
    drain(&t, s);
    stop(s);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, samples, count);
    test_end(&t);
}

static uint64_t true_position(Test *t)
{
    QDict *response = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': 'snd0', "
                                "'property': 'status' } }");
    QDict *status = qdict_get_qdict(response, "return");
    QListEntry *first = qlist_first(qdict_get_qlist(status, "streams"));
    uint64_t position = qdict_get_int(qobject_to(QDict, first->value),
                                      "position");

    qobject_unref(response);

    return position;
}

/*
 * A sound server plays silence, and writes its first sound over what is not
 * played yet.  The card does not read ahead: from its position on all is heard,
 * though the guest last knew an earlier one.
 */
static void test_rewind(const void *testbed)
{
    uint32_t count = 2 * RATE;
    g_autofree int16_t *samples = samples_new(count);
    g_autofree char *silence = g_malloc0(BUFFER);
    XenFrontStream *s;
    Test t;
    int i;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    g_assert_cmpint(xen_front_stream_write(s, silence, BUFFER), ==, BUFFER);
    start(s);
    for (i = 0; i < 100 && !s->position; i++) {
        step(&t, TICK);
        xen_front_stream_take_events(s);
    }
    step(&t, 2 * TICK);
    xen_front_stream_take_events(s);
    s->written = true_position(&t);
    g_assert_cmpuint(s->position, >, 0);
    g_assert_cmpuint(s->written, >, s->position);
    feed(&t, s, samples, count * 2);
    drain(&t, s);
    stop(s);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, samples, count);
    test_end(&t);
}

static void test_pause(const void *testbed)
{
    uint32_t count = 2 * RATE;
    g_autofree int16_t *samples = samples_new(count);
    XenFrontStream *s;
    uint64_t position;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    xen_front_stream_write(s, samples, BUFFER);
    start(s);
    step(&t, 100 * MS);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_PAUSE), ==, 0);
    xen_front_stream_take_events(s);
    position = s->position;
    step(&t, 1000 * MS);
    xen_front_stream_take_events(s);
    g_assert_cmpuint(s->position, ==, position);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_RESUME), ==, 0);
    feed(&t, s, (char *)samples + s->written, count * 2 - s->written);
    drain(&t, s);
    stop(s);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    {
        g_autofree char *file = NULL;
        const int16_t *got;
        gsize size, have, i, k = 0;

        /* The pause is silent, before and after it nothing is lost */
        g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
        got = recording(file, size, &have);
        for (i = 0; i < have; i++) {
            if (k < count && got[i] == samples[k]) {
                k++;
            } else {
                g_assert_cmpint(got[i], ==, 0);
            }
        }
        g_assert_cmpuint(k, ==, count);
    }
    test_end(&t);
}

/* An xrun, and what Linux does then: STOP, prepare, START */
static void test_xrun(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    XenFrontStream *s;
    uint64_t position = 0;
    Test t;
    int i;

    test_start(&t, testbed, NONE, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    for (i = 0; i < 5; i++) {
        g_assert_cmpint(xen_front_stream_write(s, samples, PERIOD + 400), ==,
                        PERIOD + 400);
        start(s);
        /* The position moves on without data, by the clock */
        step(&t, 500 * MS);
        xen_front_stream_take_events(s);
        g_assert_cmpuint(s->position, >=, position + RATE * FRAME * 4 / 10);
        g_assert_cmpuint(s->position, <=, position + RATE * FRAME * 6 / 10);
        stop(s);
        g_assert_cmpuint(s->position % BUFFER, ==, 0);
        g_assert_cmpuint(s->position, >, position);
        position = s->position;
        step(&t, 500 * MS);
        xen_front_stream_take_events(s);
        g_assert_cmpuint(s->position, ==, position);
    }
    close_plain(s);
    test_unload(&t);
    test_end(&t);
}

static void test_no_period(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, 0), ==, 0);
    xen_front_stream_write(s, samples, BUFFER);
    start(s);
    step(&t, 1000 * MS);
    stop(s);
    close_plain(s);
    step(&t, 200 * MS);
    g_assert_cmpuint(s->events, ==, 0);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, samples, BUFFER / 2);
    test_end(&t);
}

/* Tests: volume */

static int16_t volume_of(const char *testbed, int32_t left, int32_t right,
                         uint8_t mute, int16_t *other)
{
    uint32_t count = RATE / 2, i;
    g_autofree int16_t *samples = g_new(int16_t, count);
    g_autofree char *file = NULL;
    const int16_t *got;
    XenFrontStream *s;
    gsize size, have;
    int32_t *values;
    int16_t loud;
    Test t;

    for (i = 0; i < count; i++) {
        samples[i] = 10000;
    }
    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    values = (int32_t *)s->pgdir->data;
    values[0] = left;
    values[1] = right;
    g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_SET_VOLUME, 0, 8), ==,
                    0);
    memset(values, 0xa5, 8);
    g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_GET_VOLUME, 0, 8), ==,
                    0);
    g_assert_cmpint(values[0], ==, left);
    g_assert_cmpint(values[1], ==, right);
    s->pgdir->data[0] = mute & 1;
    s->pgdir->data[1] = mute & 2;
    g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_MUTE, 0, 2), ==, 0);
    play(&t, s, samples, count * 2);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);

    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    have = (size - 44) / 2;
    got = (const int16_t *)(file + 44) + have / 4 * 2;
    loud = got[0];
    *other = got[1];
    test_end(&t);
    return loud;
}

static void test_volume(const void *testbed)
{
    int16_t right;

    g_assert_cmpint(volume_of(testbed, 0, 0, 0, &right), ==, 10000);
    g_assert_cmpint(right, ==, 10000);
    g_assert_cmpint(volume_of(testbed, -6020, -20000, 0, &right), >=, 4950);
    g_assert_cmpint(right, >=, 970);
    g_assert_cmpint(right, <=, 1030);
    g_assert_cmpint(volume_of(testbed, 6000, -200000, 0, &right), ==, 10000);
    g_assert_cmpint(right, ==, 0);
    g_assert_cmpint(volume_of(testbed, 0, 0, 2, &right), ==, 10000);
    g_assert_cmpint(right, ==, 0);
    g_assert_cmpint(volume_of(testbed, 0, 0, 3, &right), ==, 0);
    g_assert_cmpint(right, ==, 0);
}

/* Tests: capture */

/* The host's source is silent: see it arrive, and where */
static void test_capture(const void *testbed)
{
    XenFrontStream *s;
    uint32_t i;
    Test t;

    test_start(&t, testbed, NONE, CARD "streams=pc");
    test_connect(&t);
    s = stream(&t, 1);
    g_assert_true(s->capture);
    open_plain(s);
    memset(s->pgdir->data, 0xa5, BUFFER);
    start(s);
    step(&t, 200 * MS);
    xen_front_stream_take_events(s);
    g_assert_cmpuint(s->position, >=, RATE * FRAME / 10);
    g_assert_cmpuint(s->position, <, BUFFER);
    g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_READ, 0, s->position),
                    ==, 0);
    for (i = 0; i < s->position; i++) {
        g_assert_cmpuint(s->pgdir->data[i], ==, 0);
    }
    g_assert_cmpuint(s->pgdir->data[BUFFER - 1], ==, 0xa5);
    step(&t, 1000 * MS);
    stop(s);
    g_assert_cmpuint(s->position % BUFFER, ==, 0);
    close_plain(s);
    test_unload(&t);
    test_end(&t);
}

/*
 * A short sound that is no multiple of anything, which the guest stops as soon
 * as it is told that all of it was played: all of it is heard, though the
 * audio layer has some of it yet, and the answer does not wait for that.
 */
static void test_tail(const void *testbed)
{
    static const uint32_t lengths[] = { 1, 255, 7200, 20000, 30100 };
    uint32_t i, count = 0, done = 0;
    g_autofree int16_t *samples = NULL;
    XenFrontStream *s;
    Test t;

    for (i = 0; i < ARRAY_SIZE(lengths); i++) {
        count += lengths[i];
    }
    samples = samples_new(count * 2);
    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    for (i = 0; i < ARRAY_SIZE(lengths); i++) {
        uint32_t size = lengths[i] * FRAME;

        g_assert_cmpint(xen_front_stream_open(s, RATE,
                                              XENSND_PCM_FORMAT_S16_LE, 2,
                                              BUFFER, FRAME * 256), ==, 0);
        play(&t, s, samples + done * 2, size);
        close_plain(s);
        done += lengths[i];
        /* The next one may come at once, or later */
        step(&t, i % 2 ? 200 * MS : 1);
    }
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_sounds(&t, samples, count * 2);
    test_end(&t);
}

#ifdef CONFIG_AUDIO_ALSA
/*
 * A host that always has more: ALSA's null device, without QEMU's mixing
 * engine.  A slow machine is the same, as the next frame is there before it is
 * done with the last.  What a callback hands over leaves one period alone.
 */
static void test_endless(const void *testbed)
{
    XenFrontStream *s;
    uint64_t before;
    Test t;
    int i;

    test_start(&t, testbed, ENDLESS, CARD "streams=pc");
    test_connect(&t);
    s = stream(&t, 1);
    open_plain(s);
    memset(s->pgdir->data, 0xa5, BUFFER);
    start(s);
    for (i = 0; i < 20; i++) {
        before = s->position;
        step(&t, TICK);
        xen_front_stream_take_events(s);
        g_assert_cmpuint(s->position - before, <=, BUFFER - PERIOD);
        g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_READ, 0, PERIOD), ==,
                        0);
        if (before == 0 && s->position) {
            g_assert_cmpuint(s->pgdir->data[BUFFER - 1], ==, 0xa5);
        }
    }
    g_assert_cmpuint(s->position, >, 10 * (BUFFER - PERIOD));
    stop(s);
    close_plain(s);
    test_unload(&t);
    test_end(&t);
}
#endif

/* A host that cannot record says so, and goes on playing */
static void test_no_capture(const void *testbed)
{
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pc");
    test_connect(&t);
    g_assert_cmpint(xen_front_stream_open(stream(&t, 1), RATE,
                                          XENSND_PCM_FORMAT_S16_LE, 2, BUFFER,
                                          PERIOD), ==, -ENODEV);
    open_plain(stream(&t, 0));
    close_plain(stream(&t, 0));
    test_unload(&t);
    test_end(&t);
}

/* Tests: many streams */

/* What an Android HAL asks for */
static void test_nine_pcms(const void *testbed)
{
    uint32_t i;
    Test t;

    test_start(&t, testbed, NONE, CARD "streams='p;p;p;p;p;p;p;p;c'");
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 9);
    for (i = 0; i < 9; i++) {
        open_plain(stream(&t, i));
        start(stream(&t, i));
    }
    step(&t, 500 * MS);
    for (i = 0; i < 9; i++) {
        xen_front_stream_take_events(stream(&t, i));
        g_assert_cmpuint(stream(&t, i)->position, >=, RATE * FRAME / 10 * 3);
        stop(stream(&t, i));
        close_plain(stream(&t, i));
    }
    test_unload(&t);
    test_end(&t);
}

/* Sixteen at once, each as loud as a sixteenth: an underrun would be heard */
static void test_sixteen(const void *testbed)
{
    const uint32_t level = 1000, count = 2 * RATE;
    g_autofree int16_t *samples = g_new(int16_t, count);
    g_autofree char *file = NULL;
    const int16_t *got;
    uint32_t done[16] = { 0 }, i, busy = 16, from = 0, to = 0;
    gsize size, have;
    Test t;

    for (i = 0; i < count; i++) {
        samples[i] = level;
    }
    test_start(&t, testbed, WAV, CARD "streams='pppppppp;pppppppp'");
    test_connect(&t);
    for (i = 0; i < 16; i++) {
        open_plain(stream(&t, i));
        done[i] = xen_front_stream_write(stream(&t, i), samples, BUFFER);
    }
    for (i = 0; i < 16; i++) {
        start(stream(&t, i));
    }
    while (busy) {
        step(&t, TICK);
        for (busy = 0, i = 0; i < 16; i++) {
            done[i] += xen_front_stream_write(stream(&t, i),
                                              (char *)samples + done[i],
                                              count * 2 - done[i]);
            busy += done[i] < count * 2;
        }
    }
    for (i = 0; i < 16; i++) {
        drain(&t, stream(&t, i));
        stop(stream(&t, i));
        close_plain(stream(&t, i));
    }
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);

    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    got = recording(file, size, &have);
    for (i = 0; i < have; i++) {
        from = got[i] && !from ? i + 1 : from;
        to = got[i] ? i + 1 : to;
    }
    g_assert_cmpuint(to - from + 1, ==, count);
    for (i = from - 1; i < to; i++) {
        g_assert_cmpint(got[i], ==, 16 * level);
    }
    test_end(&t);
}

/* STOP comes right behind a ring full of writes */
static void test_stop_overtakes(const void *testbed)
{
    struct xensnd_req req = { .operation = XENSND_OP_WRITE };
    struct xensnd_resp resp;
    XenFrontStream *s;
    Test t;
    int i;

    test_start(&t, testbed, NONE, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    start(s);
    for (i = 0; i < 31; i++) {
        req.op.rw.offset = i * 1024;
        req.op.rw.length = 1024;
        xen_front_stream_send(s, &req);
    }
    memset(&req, 0, sizeof(req));
    req.operation = XENSND_OP_TRIGGER;
    req.op.trigger.type = XENSND_OP_TRIGGER_STOP;
    xen_front_stream_send(s, &req);
    /* The clock stands still: nothing waits for it */
    for (i = 0; i < 32; i++) {
        g_assert_cmpint(xen_front_stream_receive(s, &resp, 3000), ==, 0);
        g_assert_cmpint(resp.status, ==, 0);
    }
    g_assert_cmpuint(resp.operation, ==, XENSND_OP_TRIGGER);
    close_plain(s);
    test_unload(&t);
    test_end(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("play", test_play);
    add("play/modern", test_play_modern);
    add("play/unmixed", test_play_unmixed);
    add("small-buffer", test_small_buffer);
    add("rewind", test_rewind);
    add("pause", test_pause);
    add("xrun", test_xrun);
    add("no-period", test_no_period);
    add("volume", test_volume);
    add("capture", test_capture);
    add("tail", test_tail);
#ifdef CONFIG_AUDIO_ALSA
    add("capture/endless", test_endless);
#endif
    add("no-capture", test_no_capture);
    add("nine-pcms", test_nine_pcms);
    add("sixteen", test_sixteen);
    add("stop", test_stop_overtakes);
    return g_test_run();
}
