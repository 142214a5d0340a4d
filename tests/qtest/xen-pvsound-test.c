/*
 * QTest of xen-pvsound, over a fake Xen and against a fake frontend
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"

#include "xen-pvsound-qtest.h"

/* Tests: the end */

/*
 * QEMU frees its audio layer before its Xen devices: nothing may touch it.
 * For playback that means that no voice is closed, to stop one does no harm.
 * For capture to close a voice touches what is gone, and where the driver has
 * to be told so does stopping it.
 */
static void test_quit_while_playing(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=ppc");
    test_connect(&t);
    open_plain(stream(&t, 0));
    xen_front_stream_write(stream(&t, 0), samples, BUFFER);
    start(stream(&t, 0));
    /* Closed, but its voice lives on */
    open_plain(stream(&t, 1));
    close_plain(stream(&t, 1));
    step(&t, 50 * MS);
    test_quit(&t);
    test_end(&t);
}

static void quit_while_recording(const char *testbed, const char *audio)
{
    Test t;

    test_start(&t, testbed, audio, CARD "streams=pc");
    test_connect(&t);
    open_plain(stream(&t, 1));
    start(stream(&t, 1));
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    g_assert_cmpint(trigger(stream(&t, 0), XENSND_OP_TRIGGER_PAUSE), ==, 0);
    step(&t, 50 * MS);
    test_quit(&t);
    test_end(&t);
}

static void test_quit_while_recording(const void *testbed)
{
    quit_while_recording(testbed, NONE);
}

#ifdef CONFIG_AUDIO_ALSA
/* With a driver that looks after a voice that stops, though it is gone */
static void test_quit_while_recording_alsa(const void *testbed)
{
    quit_while_recording(testbed, ALSA);
}
#endif

/* Tests: connecting */

static void test_nodes(const void *testbed)
{
    XenGuestStats stats;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams='Main:pc;p;Mic.2:cc'");
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    check_node(&t, "short-name", "Xen PV sound");
    check_node(&t, "channels-max", "2");
    check_node(&t, "buffer-size", "262144");
    check_node(&t, "0/name", "Main");
    check_node(&t, "0/0/type", "p");
    check_node(&t, "0/1/type", "c");
    check_node(&t, "0/2/type", NULL);
    check_node(&t, "1/name", "PCM 1");
    check_node(&t, "1/0/unique-id", "1.0");
    check_node(&t, "2/name", "Mic.2");
    check_node(&t, "2/1/type", "c");
    check_node(&t, "3/name", NULL);

    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 5);
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.mapped, ==, 10);
    g_assert_cmpuint(stats.ports, ==, 10);
    test_unload(&t);
    test_end(&t);
}

static void test_reload(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    Test t;
    int i;

    test_start(&t, testbed, WAV, CARD "streams=p");
    for (i = 0; i < 20; i++) {
        XenFrontStream *s;

        test_connect(&t);
        s = stream(&t, 0);
        open_plain(s);
        xen_front_stream_write(s, samples, BUFFER);
        start(s);
        step(&t, 30 * MS);
        if (i % 2) {
            close_plain(s);
            test_unload(&t);
        } else {
            /* A driver that crashed: what it left open goes, too */
            test_unload(&t);
            g_assert_cmpuint(xen_front_pgdir_free(s->pgdir), ==, 0);
            s->pgdir = NULL;
        }
        g_assert_cmpint(xen_front_set_state(&t.sound->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }
    test_end(&t);
}

/* The handshake, but for the frontend's last word */
static void test_offer(Test *t)
{
    g_assert_true(xen_front_wait_backend(&t->sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    g_assert_cmpint(xen_front_sound_read_config(t->sound), ==, 0);
    g_assert_cmpint(xen_front_sound_alloc_rings(t->sound), ==, 0);
    g_assert_cmpint(xen_front_sound_publish(t->sound), ==, 0);
    xen_front_set_state(&t->sound->card, XenbusStateInitialised);
    g_assert_true(xen_front_wait_backend(&t->sound->card,
        XenbusStateConnected, XEN_GUEST_DEADLINE));
}

static void test_give_up(Test *t)
{
    test_offer(t);
    xen_front_set_state(&t->sound->card, XenbusStateClosing);
    g_assert_cmpuint(xen_front_sound_free_rings(t->sound), ==, 0);
    xen_front_set_state(&t->sound->card, XenbusStateInitialising);
}

static void check_backend(Test *t, const char *expected)
{
    g_autofree char *state = xen_guest_read(t->guest,
                                            t->sound->card.backend_state);

    g_assert_cmpstr(state, ==, expected);
}

/* A success forgets all failures: there is no pause but after three more */
static void check_taken(Test *t)
{
    test_give_up(t);
    test_give_up(t);
    test_give_up(t);
    g_assert_true(xen_front_wait_backend(&t->sound->card,
        XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
    step(t, 1000 * MS - MS);
    check_backend(t, "7");
    step(t, MS);
}

/*
 * What Linux does with a second card: it fails, and starts over as soon as
 * it is offered again.  That must not go on and on as fast as it can.
 */
static void test_pauses(const void *testbed)
{
    static const int64_t pauses[] = { 1, 2, 4, 8, 16, 30, 30 };
    size_t i;
    Test t;

    test_start(&t, testbed, NONE, CARD "streams=p");
    /* InitWait only when the frontend has cleared up, or it sees it twice */
    test_offer(&t);
    xen_front_set_state(&t.sound->card, XenbusStateClosing);
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateClosed,
                                         XEN_GUEST_DEADLINE));
    step(&t, 1000 * MS);
    check_backend(&t, "6");
    g_assert_cmpuint(xen_front_sound_free_rings(t.sound), ==, 0);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    test_give_up(&t);
    for (i = 0; i < ARRAY_SIZE(pauses); i++) {
        test_give_up(&t);
        g_assert_true(xen_front_wait_backend(&t.sound->card,
            XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
        step(&t, pauses[i] * 1000 * MS - MS);
        check_backend(&t, "7");
        step(&t, MS);
    }

    test_connect(&t);
    test_unload(&t);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    check_taken(&t);

    /* One that is busy elsewhere may not see that it was Connected */
    test_offer(&t);
    open_plain(stream(&t, 0));
    close_plain(stream(&t, 0));
    xen_front_set_state(&t.sound->card, XenbusStateClosing);
    g_assert_cmpuint(xen_front_sound_free_rings(t.sound), ==, 0);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    check_taken(&t);

    /* Who is waiting can be removed */
    test_give_up(&t);
    g_assert_true(xen_front_wait_backend(&t.sound->card,
        XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'snd0' } }");
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    step(&t, 60 * 1000 * MS);
    check_backend(&t, NULL);
    test_end(&t);
}

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

/* Tests: formats */

typedef struct Format {
    const char *name;
    uint8_t code;
    uint8_t size;
    uint8_t bits;
    bool is_unsigned;
    bool big_endian;
    bool is_float;
} Format;

static const Format formats[] = {
    { "s8", XENSND_PCM_FORMAT_S8, 1, 8 },
    { "u8", XENSND_PCM_FORMAT_U8, 1, 8, true },
    { "s16_le", XENSND_PCM_FORMAT_S16_LE, 2, 16 },
    { "s16_be", XENSND_PCM_FORMAT_S16_BE, 2, 16, false, true },
    { "u16_le", XENSND_PCM_FORMAT_U16_LE, 2, 16, true },
    { "u16_be", XENSND_PCM_FORMAT_U16_BE, 2, 16, true, true },
    { "s24_le", XENSND_PCM_FORMAT_S24_LE, 4, 24 },
    { "s24_be", XENSND_PCM_FORMAT_S24_BE, 4, 24, false, true },
    { "u24_le", XENSND_PCM_FORMAT_U24_LE, 4, 24, true },
    { "u24_be", XENSND_PCM_FORMAT_U24_BE, 4, 24, true, true },
    { "s32_le", XENSND_PCM_FORMAT_S32_LE, 4, 32 },
    { "s32_be", XENSND_PCM_FORMAT_S32_BE, 4, 32, false, true },
    { "u32_le", XENSND_PCM_FORMAT_U32_LE, 4, 32, true },
    { "u32_be", XENSND_PCM_FORMAT_U32_BE, 4, 32, true, true },
    { "f32_le", XENSND_PCM_FORMAT_F32_LE, 4, 32, false, false, true },
    { "f32_be", XENSND_PCM_FORMAT_F32_BE, 4, 32, false, true, true },
    { "f64_le", XENSND_PCM_FORMAT_F64_LE, 8, 64, false, false, true },
    { "f64_be", XENSND_PCM_FORMAT_F64_BE, 8, 64, false, true, true },
    { "mu_law", XENSND_PCM_FORMAT_MU_LAW, 1, 0 },
    { "a_law", XENSND_PCM_FORMAT_A_LAW, 1, 0 },
};

/* The bits of a sample of 16 bits in another format */
static uint64_t encode_bits(const Format *f, int16_t value)
{
    double number = value / 32768.0;
    float small = number;
    uint64_t bits = 0;
    uint32_t half;

    if (!f->bits) {
        /* The loudest of either law, and of either sign */
        half = f->code == XENSND_PCM_FORMAT_MU_LAW ? 0x80 : 0xaa;
        return value < 0 ? half ^ 0x80 : half;
    }
    if (f->is_float && f->size == 8) {
        memcpy(&bits, &number, 8);
    } else if (f->is_float) {
        memcpy(&half, &small, 4);
        bits = half;
    } else {
        bits = f->bits == 8 ? value >> 8 : (uint64_t)value << (f->bits - 16);
        bits += f->is_unsigned ? 1ull << (f->bits - 1) : 0;
        if (f->is_unsigned && f->bits < 32) {
            bits &= (1ull << f->bits) - 1;
        }
    }
    return bits;
}

static void encode(const Format *f, int16_t value, uint8_t *dst)
{
    uint64_t bits = encode_bits(f, value);
    int i;

    for (i = 0; i < f->size; i++) {
        dst[f->big_endian ? f->size - 1 - i : i] = bits >> (8 * i);
    }
}

/* What is left of it */
static int16_t decoded(const Format *f, int16_t value)
{
    if (!f->bits) {
        int16_t loud = f->code == XENSND_PCM_FORMAT_MU_LAW ? 32124 : 32256;

        return value < 0 ? -loud : loud;
    }
    return f->bits == 8 ? value & 0xff00 : value;
}

static void test_format(const Format *f, const char *testbed)
{
    uint32_t count = RATE / 4, i;
    g_autofree int16_t *want = g_new(int16_t, count);
    g_autofree uint8_t *data = g_new(uint8_t, count * f->size);
    XenFrontStream *s;
    Test t;

    g_test_message("format %s", f->name);
    for (i = 0; i < count; i++) {
        /* Not silent in 8 bits either */
        encode(f, sample(i) | 0x100, data + i * f->size);
        want[i] = decoded(f, sample(i) | 0x100);
    }
    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, f->code, 2,
                                          4096 * f->size * 2,
                                          1024 * f->size * 2), ==, 0);
    play(&t, s, data, count * f->size);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, want, count);
    test_end(&t);
}

static void test_formats(const void *testbed)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        test_format(&formats[i], testbed);
    }
}

/* Tests: channels */

#ifdef CONFIG_AUDIO_ALSA
/* Nothing between the card and the file of raw samples */
static void play_channels(const Format *f, uint32_t channels)
{
    uint32_t count = RATE / 8 * channels, i;
    g_autofree int16_t *want = g_new(int16_t, count);
    g_autofree uint8_t *data = g_new(uint8_t, count * f->size);
    uint32_t frame = f->size * channels;
    g_autofree char *file = NULL;
    gsize size, from = 0;
    XenFrontStream *s;
    Test t;

    for (i = 0; i < count; i++) {
        want[i] = sample(i);
        encode(f, want[i], data + i * f->size);
    }
    test_start(&t, "", FILE_OF_ALSA, CARD "streams=p,max-channels=8");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, f->code, channels,
                                          2400 * frame, 600 * frame), ==, 0);
    play(&t, s, data, count * f->size);
    close_plain(s);
    test_unload(&t);
    test_quit(&t);

    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    while (from < size && !file[from]) {
        from++;
    }
    from -= from % frame;
    g_assert_cmpuint(size - from, >=, count * 2);
    for (i = 0; i < count; i++) {
        g_assert_cmpint((int16_t)lduw_le_p(file + from + 2 * i), ==, want[i]);
    }
    for (from += 2 * count; from < size; from++) {
        g_assert_cmpint(file[from], ==, 0);
    }
    test_end(&t);
}

static void test_channels(const void *testbed)
{
    static const uint32_t numbers[] = { 1, 2, 3, 6, 8 };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(numbers); i++) {
        play_channels(&formats[2], numbers[i]);     /* s16_le */
        play_channels(&formats[4], numbers[i]);     /* u16_le: converted */
    }
}
#endif

/*
 * A host that opens something else than it was asked for: QEMU's driver for
 * files takes 44.1 kHz, stereo, 16 bits, whatever that is
 */
static void test_host_differs(const void *testbed)
{
    static const struct {
        uint32_t rate;
        uint8_t format;
        uint8_t channels;
        int status;
    } opens[] = {
        { 48000, XENSND_PCM_FORMAT_S16_LE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 1, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 8, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S8, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_BE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S32_LE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 2, 0 },
        { 44100, XENSND_PCM_FORMAT_U16_BE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_U16_LE, 2, 0 },
        { 44100, XENSND_PCM_FORMAT_MU_LAW, 2, 0 },
    };
    size_t i;
    Test t;

    test_start(&t, testbed, UNMIXED, CARD "streams=p,max-channels=8");
    test_connect(&t);
    for (i = 0; i < ARRAY_SIZE(opens); i++) {
        g_assert_cmpint(xen_front_stream_open(stream(&t, 0), opens[i].rate,
                                              opens[i].format,
                                              opens[i].channels, 65536,
                                              16384), ==, opens[i].status);
        close_plain(stream(&t, 0));
    }
    test_unload(&t);
    test_end(&t);
}

/* QEMU's mixing engine takes all but two channels for one */
static void test_mixed_channels(const void *testbed)
{
    uint32_t count = RATE / 8, i;
    g_autofree int16_t *samples = samples_new(count);
    g_autofree int16_t *want = g_new(int16_t, 2 * count);
    XenFrontStream *s;
    Test t;

    for (i = 0; i < 2 * count; i++) {
        want[i] = samples[i / 2];
    }
    test_start(&t, testbed, WAV, CARD "streams=p,max-channels=8");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          1, 4800, 1200), ==, 0);
    play(&t, s, samples, count * 2);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, want, 2 * count);
    test_end(&t);
}

/* What can be had is in the card's nodes, in answers, and in OPEN */
static void check_channels(const char *audio, uint32_t play, uint32_t record)
{
    const uint32_t most[] = { play, record };
    uint32_t i, n;
    Test t;

    test_start(&t, "", audio, CARD "streams=pc,max-channels=8");
    test_connect(&t);
    check_node(&t, "channels-max", "8");
    check_node(&t, "0/0/channels-max", play < 8 ? "2" : NULL);
    check_node(&t, "0/1/channels-max", record < 8 ? "2" : NULL);
    for (i = 0; i < 2; i++) {
        struct xensnd_query_hw_param p;

        query(stream(&t, i), &p);
        g_assert_cmpuint(p.channels.min, ==, 1);
        g_assert_cmpuint(p.channels.max, ==, most[i]);
        p.channels.min = most[i] + 1;
        p.channels.max = UINT32_MAX;
        g_assert_cmpint(xen_front_stream_query(stream(&t, i), &p), ==,
                        -EINVAL);
        for (n = 0; n <= 9; n++) {
            int ret = xen_front_stream_open(stream(&t, i), RATE,
                                            XENSND_PCM_FORMAT_S16_LE, n,
                                            2400 * MAX(n, 1) * 2,
                                            600 * MAX(n, 1) * 2);

            g_assert_cmpint(ret, ==, n && n <= most[i] ? 0 : -EINVAL);
            g_assert_cmpint(xen_front_stream_close(stream(&t, i)), ==, 0);
        }
    }
    test_unload(&t);
    test_end(&t);
}

static void test_channel_limits(const void *testbed)
{
    check_channels(NONE, 2, 2);
    check_channels(NONE_PLAIN(out), 8, 2);
    check_channels(NONE_PLAIN(in), 2, 8);
}

static void test_bad_formats(const void *testbed)
{
    XenFrontStream *s;
    Test t;
    int code;

    test_start(&t, testbed, WAV, CARD "streams=pp");
    test_connect(&t);
    s = stream(&t, 0);
    for (code = 0; code < 256; code++) {
        bool known = code <= XENSND_PCM_FORMAT_F64_BE ||
                     code == XENSND_PCM_FORMAT_MU_LAW ||
                     code == XENSND_PCM_FORMAT_A_LAW;
        int ret = xen_front_stream_open(s, RATE, code, 2, 65536, 8192);

        g_assert_cmpint(ret, ==, known ? 0 : -EINVAL);
        g_assert_cmpint(xen_front_stream_close(s), ==, 0);
    }
    test_unload(&t);
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

/* Tests: an hour, of every format at every rate */

static const uint32_t rates[] = {
    5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 96000,
    176400, 192000,
};

#define HOUR_PERIOD 200

/*
 * The position is that of the audio layer's last tick, told to the frame but
 * for what has begun of a period.
 */
static void check_hour(XenFrontStream *s, uint32_t rate, uint32_t frame,
                       uint32_t timer_us)
{
    uint64_t end = (uint64_t)rate * 3600;
    uint64_t tick = (uint64_t)rate * timer_us / 1000000;

    xen_front_stream_take_events(s);
    g_assert_cmpuint(s->position, >=, (end - tick - HOUR_PERIOD - 1) * frame);
    g_assert_cmpuint(s->position, <=, end * frame);
    g_assert_cmpuint(s->position % frame, ==, 0);
}

static void hour_of(const char *testbed, uint32_t timer_us, const Format *fs,
                    uint32_t nr_formats, const uint32_t *rs,
                    uint32_t nr_rates)
{
    g_autofree char *audio =
        g_strdup_printf("-audiodev none,id=snd,timer-period=%u,"
                        "out.mixing-engine=off ", timer_us);
    uint32_t n = 0, i, k;
    Test t;

    test_start(&t, testbed, audio,
               CARD "streams='pppppppp;pppppppp;pppppppp'");
    test_connect(&t);
    for (i = 0; i < nr_formats; i++) {
        for (k = 0; k < nr_rates; k++, n++) {
            uint32_t frame = fs[i].size * 2;

            g_assert_cmpint(xen_front_stream_open(stream(&t, n), rs[k],
                                                  fs[i].code, 2,
                                                  8000 * frame,
                                                  HOUR_PERIOD * frame),
                            ==, 0);
            start(stream(&t, n));
        }
    }
    /* Nobody takes events meanwhile: the pages are full, no id is lost */
    step(&t, 3600 * 1000 * MS - 100 * MS);
    for (i = 0; i < 5; i++) {
        check_events(&t);
        step(&t, 20 * MS);
    }
    for (i = 0, n = 0; i < nr_formats; i++) {
        for (k = 0; k < nr_rates; k++, n++) {
            uint32_t frame = fs[i].size * 2;

            check_hour(stream(&t, n), rs[k], frame, timer_us);
            stop(stream(&t, n));
            g_assert_cmpuint(stream(&t, n)->position % (8000 * frame), ==, 0);
            close_plain(stream(&t, n));
        }
    }
    test_unload(&t);
    test_end(&t);
}

/* QEMU's null device takes 1024 frames at once, whatever their rate */
static void test_hour(const void *format)
{
    hour_of("", 20000, format, 1, rates, 8);
    hour_of("", 10000, format, 1, &rates[8], 2);
    hour_of("", 5000, format, 1, &rates[10], 2);
}

/* Tests: what is played in all that time */

/* How the audio layer gets samples of a format */
static Format host_format(const Format *f)
{
    Format host = *f;

    host.is_unsigned = false;
    if (!f->bits) {
        host.bits = 16;
        host.size = 2;
    } else if (f->is_float) {
        host.is_float = f->size == 4;
        host.bits = 32;
        host.size = 4;
        host.big_endian = false;
    } else if (f->bits == 24) {
        host.bits = 32;
    }
    return host;
}

/* Frame @n of a song, in both channels, as the guest has it */
static void compose(const Format *f, uint32_t n, uint32_t count,
                    uint8_t *data)
{
    uint32_t i;

    for (i = 0; i < 2 * count; i++) {
        encode(f, sample(2 * n + i) | 0x100, data + i * f->size);
    }
}

/* The raw samples that the host got, and nothing but silence around them */
static void check_song(const char *file, gsize size, const Format *f,
                       uint32_t count)
{
    Format host = host_format(f);
    uint32_t frame = 2 * host.size, i;
    uint8_t want[8];
    gsize from = 0;

    while (from < size && !file[from]) {
        from++;
    }
    from -= from % frame;
    g_assert_cmpuint(size - from, >=, (gsize)count * frame);
    for (i = 0; i < 2 * count; i++, from += host.size) {
        encode(&host, decoded(f, sample(i) | 0x100), want);
        if (memcmp(file + from, want, host.size)) {
            g_test_message("sample %u of %s", i, f->name);
            g_assert_cmpmem(file + from, host.size, want, host.size);
        }
    }
    while (from < size) {
        g_assert_cmpint(file[from++], ==, 0);
    }
}

typedef struct Song {
    XenFrontSound *sound;
    const Format *format;
    uint32_t frames;
    uint32_t done;
} Song;

#define SONG_BUFFER 4000

/* Write what there is room for; returns whether there is more */
static bool song_goes_on(Song *song)
{
    static uint8_t data[SONG_BUFFER * 2 * 8];
    XenFrontStream *s = &song->sound->streams[0];
    uint32_t frame = 2 * song->format->size;
    uint32_t n = MIN(xen_front_stream_room(s) / frame,
                     song->frames - song->done);

    compose(song->format, song->done, n, data);
    g_assert_cmpint(xen_front_stream_write(s, data, n * frame), ==,
                    n * frame);
    song->done += n;
    return song->done < song->frames;
}

static void song_open(Song *song, const Format *f, uint32_t rate)
{
    XenFrontStream *s = &song->sound->streams[0];
    uint32_t frame = 2 * f->size;

    song->format = f;
    g_assert_cmpint(xen_front_sound_connect(song->sound), ==, 0);
    g_assert_cmpint(xen_front_stream_open(s, rate, f->code, 2,
                                          SONG_BUFFER * frame,
                                          SONG_BUFFER / 4 * frame), ==, 0);
    song_goes_on(song);
    start(s);
}

static void song_close(Test *t, Song *song)
{
    XenFrontStream *s = &song->sound->streams[0];

    drain(t, s);
    stop(s);
    close_plain(s);
    /* What is on its way to the host when QEMU ends is not heard */
    step(t, 500 * MS);
    g_assert_cmpint(xen_front_sound_unload(song->sound), ==, 0);
}

#ifdef CONFIG_AUDIO_ALSA
/* A third of a second at each rate, each by a card with a file of its own */
static void test_content(const void *format)
{
    g_autofree char *dir = g_dir_make_tmp("xen-pvsound-raw-XXXXXX", NULL);
    g_autoptr(GString) cards = g_string_new(NULL);
    Song songs[ARRAY_SIZE(rates)] = { 0 };
    bool more = true;
    uint32_t i;
    Test t;

    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        g_string_append_printf(cards, FILE_OF_CARD, i, dir, i, i, i);
    }
    test_start(&t, "", "", cards->str);
    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        songs[i].sound = i ? xen_front_sound_new(t.guest, i) : t.sound;
        songs[i].frames = rates[i] / 3;
        song_open(&songs[i], format, rates[i]);
    }
    while (more) {
        step(&t, TICK);
        for (more = false, i = 0; i < ARRAY_SIZE(rates); i++) {
            more |= song_goes_on(&songs[i]);
        }
    }
    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        song_close(&t, &songs[i]);
    }
    check_idle(&t);
    test_quit(&t);

    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        g_autofree char *path = g_strdup_printf("%s/%u.raw", dir, i);
        g_autofree char *file = NULL;
        gsize size;

        g_assert_true(g_file_get_contents(path, &file, &size, NULL));
        check_song(file, size, format, songs[i].frames);
        unlink(path);
        if (i) {
            g_assert_cmpuint(xen_front_sound_free(songs[i].sound), ==, 0);
        }
    }
    rmdir(dir);
    test_end(&t);
}

#endif

/* A whole hour by the clock, of a format that is converted */
static void test_content_hour(const void *testbed)
{
    g_autofree char *file = NULL;
    Song song = { 0 };
    gsize size;
    Test t;

    test_start(&t, testbed, WAV_8000, CARD "streams=p");
    song.sound = t.sound;
    song.frames = 8000 * 3600;
    song_open(&song, &formats[4], 8000);        /* u16_le */
    while (song_goes_on(&song)) {
        step(&t, 200 * MS);
    }
    song_close(&t, &song);
    check_idle(&t);
    test_quit(&t);
    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    check_song(file + 44, size - 44, song.format, song.frames);
    test_end(&t);
}

/* Tests: bad input */

/* Whatever a guest does to one stream, another plays on */
static void test_bad_requests(const void *testbed)
{
    static const uint32_t odd[] = {
        0, 1, 4, BUFFER - 1, BUFFER, BUFFER + 1, 0x7fffffff, 0x80000000,
        UINT32_MAX
    };
    g_autofree int16_t *samples = samples_new(2 * RATE);
    XenFrontStream *bad, *other;
    struct xensnd_req req;
    uint32_t op, i, k;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pp");
    test_connect(&t);
    bad = stream(&t, 0);
    other = stream(&t, 1);
    open_plain(other);
    xen_front_stream_write(other, samples, BUFFER);
    start(other);

    for (k = 0; k < 2; k++) {
        /* Before OPEN, and then outside the buffer */
        for (op = XENSND_OP_READ; op <= XENSND_OP_UNMUTE; op++) {
            for (i = 0; i < ARRAY_SIZE(odd); i++) {
                int ret = xen_front_stream_rw(bad, op, odd[i], UINT32_MAX);

                g_assert_cmpint(ret, ==, -EINVAL);
                ret = xen_front_stream_rw(bad, op, BUFFER + 1, odd[i]);
                g_assert_cmpint(ret, ==, -EINVAL);
            }
        }
        for (op = k ? 4 : 0; op < 256; op++) {
            g_assert_cmpint(trigger(bad, op), ==, -EINVAL);
        }
        for (op = XENSND_OP_HW_PARAM_QUERY + 1; op < 256; op++) {
            memset(&req, 0xa5, sizeof(req));
            req.operation = op;
            g_assert_cmpint(xen_front_stream_request(bad, &req, NULL), ==,
                            -EOPNOTSUPP);
        }
        if (!k) {
            open_plain(bad);
        }
    }
    close_plain(bad);
    close_plain(bad);
    feed(&t, other, (char *)samples + BUFFER, 2 * RATE * 2 - BUFFER);
    drain(&t, other);
    stop(other);
    close_plain(other);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, samples, 2 * RATE);
    test_end(&t);
}

/* Directories: loops, holes, short, not granted; pages that go away */
static void test_bad_directories(const void *testbed)
{
    struct xensnd_req req = { .operation = XENSND_OP_OPEN };
    XenFrontPgdir *pgdir;
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    pgdir = xen_front_pgdir_new(t.guest, 65536);
    g_assert_nonnull(pgdir);
    req.op.open.pcm_rate = RATE;
    req.op.open.pcm_format = XENSND_PCM_FORMAT_S16_LE;
    req.op.open.pcm_channels = 2;
    req.op.open.buffer_sz = 65536;
    req.op.open.period_sz = 4096;

    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), <, 0);
    req.op.open.gref_directory = UINT32_MAX;
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), <, 0);
    req.op.open.gref_directory = xen_front_pgdir_ref(pgdir);
    xen_front_pgdir_page(pgdir, 0)->next = xen_front_pgdir_ref(pgdir);
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), ==, 0);
    xen_front_pgdir_page(pgdir, 0)->refs[3] = 0;
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), ==, -EINVAL);
    xen_front_pgdir_page(pgdir, 0)->refs[3] = 0xfffff;
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), ==, 0);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_START), <, 0);
    xen_front_pgdir_fill(pgdir);
    req.op.open.buffer_sz = UINT32_MAX - 3;
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), ==, -EINVAL);
    req.op.open.buffer_sz = 65536;
    g_assert_cmpint(xen_front_stream_request(s, &req, NULL), ==, 0);
    start(s);
    step(&t, 100 * MS);
    stop(s);
    close_plain(s);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    test_unload(&t);
    test_end(&t);
}

/* A ring that makes no sense stops one stream */
static void test_bad_ring(const void *testbed)
{
    struct xen_sndif_sring *ring;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pp");
    test_connect(&t);
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    ring = xen_guest_page(t.guest, stream(&t, 0)->req.page);
    ring->req_prod += 1000;
    xen_guest_kick(t.guest, stream(&t, 0)->req.port);
    step(&t, 100 * MS);
    open_plain(stream(&t, 1));
    start(stream(&t, 1));
    step(&t, 100 * MS);
    stop(stream(&t, 1));
    close_plain(stream(&t, 1));
    test_unload(&t);
    test_end(&t);
}

/*
 * gntdev's limit of a call, and Xen's maptrack: what is too large for them is
 * refused, unless it can be mapped page by page, and what is not is played.
 */
static void test_no_room(const void *testbed)
{
    static const char *const limits[] = { ",limit=8", ",maptrack=10" };
    XenFrontStream *s;
    bool refused;
    Test t;
    int i;

    for (i = 0; i < ARRAY_SIZE(limits); i++) {
        test_start(&t, limits[i], NONE, CARD "streams=p");
        test_connect(&t);
        s = stream(&t, 0);
        refused = xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE, 2,
                                        BUFFER, PERIOD) < 0 ||
                  trigger(s, XENSND_OP_TRIGGER_START) < 0;
        g_assert_cmpint(refused, ==, !xen_guest_testbed_is_single(""));
        xen_front_stream_close(s);
        check_events(&t);

        g_assert_cmpint(xen_front_stream_open(s, RATE,
                                              XENSND_PCM_FORMAT_S16_LE, 2,
                                              16384, 4096), ==, 0);
        start(s);
        step(&t, 200 * MS);
        xen_front_stream_take_events(s);
        g_assert_cmpuint(s->position, >, 0);
        close_plain(s);
        test_unload(&t);
        test_end(&t);
    }
}

/* Tests: cards of the toolstack */

/* Limits come down from the card, and hold */
static void test_toolstack(const void *testbed)
{
    struct xensnd_query_hw_param p;
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, "-global xen-pvsound.audiodev=snd");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "short-name", "Card");
    xen_toolstack_write(&t.sound->card, "sample-formats",
                        "s16_le,s8,gsm,f32_le");
    xen_toolstack_write(&t.sound->card, "sample-rates", "48000,8000");
    xen_toolstack_write(&t.sound->card, "buffer-size", "65536");
    xen_toolstack_write(&t.sound->card, "0/name", "Main");
    xen_toolstack_write(&t.sound->card, "0/channels-max", "1");
    xen_toolstack_write(&t.sound->card, "0/0/unique-id", "hw:0,0");
    xen_toolstack_write(&t.sound->card, "0/0/type", "p");
    xen_toolstack_write(&t.sound->card, "0/1/type", "c");
    xen_toolstack_write(&t.sound->card, "0/1/channels-max", "2");
    xen_toolstack_write(&t.sound->card, "0/1/sample-rates", "44100");
    xen_toolstack_write(&t.sound->card, "1/0/type", "p");
    xen_toolstack_write(&t.sound->card, "1/0/sample-formats", "gsm");
    xen_toolstack_end(&t.sound->card);
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 3);

    s = stream(&t, 0);
    query(s, &p);
    g_assert_cmphex(p.formats, ==, 1 << XENSND_PCM_FORMAT_S16_LE |
                    1 << XENSND_PCM_FORMAT_S8 | 1 << XENSND_PCM_FORMAT_F32_LE);
    g_assert_cmpuint(p.rates.min, ==, 8000);
    g_assert_cmpuint(p.rates.max, ==, 48000);
    g_assert_cmpuint(p.channels.max, ==, 1);
    g_assert_cmpuint(p.buffer.max, ==, 65536);
    g_assert_cmpint(xen_front_stream_open(s, 44100, XENSND_PCM_FORMAT_S16_LE,
                                          1, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          2, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S32_LE,
                                          1, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          1, 69632, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          1, 65536, 4096), ==, 0);
    close_plain(s);

    query(stream(&t, 1), &p);
    g_assert_cmpuint(p.rates.min, ==, 44100);
    g_assert_cmpuint(p.rates.max, ==, 44100);
    g_assert_cmpuint(p.channels.max, ==, 2);

    p.formats = UINT64_MAX;
    g_assert_cmpint(xen_front_stream_query(stream(&t, 2), &p), ==, -EINVAL);
    test_unload(&t);
    test_end(&t);
}

/* Garbage in every node: the card is there, and plays */
static void garbage(const char *testbed, const char *value)
{
    static const char *const keys[] = {
        "short-name", "long-name", "channels-min", "channels-max",
        "sample-rates", "sample-formats", "buffer-size", "0/name",
        "0/channels-min", "0/channels-max", "0/sample-rates",
        "0/sample-formats", "0/buffer-size", "0/0/channels-min",
        "0/0/channels-max", "0/0/sample-rates", "0/0/sample-formats",
        "0/0/buffer-size", "0/0/unique-id", "0/1/type", "0/1/unique-id",
    };
    struct xensnd_query_hw_param p;
    XenFrontStream *s;
    size_t i;
    Test t;

    g_test_message("garbage '%s'", value);
    test_start(&t, testbed, NONE, "-global xen-pvsound.audiodev=snd");
    xen_toolstack_begin(&t.sound->card);
    for (i = 0; i < ARRAY_SIZE(keys); i++) {
        xen_toolstack_write(&t.sound->card, keys[i], value);
    }
    xen_toolstack_write(&t.sound->card, "0/0/type", "p");
    xen_toolstack_write(&t.sound->card, "1/0/type", "c");
    xen_toolstack_end(&t.sound->card);
    test_connect(&t);
    s = stream(&t, 0);
    query(s, &p);
    open_plain(s);
    start(s);
    step(&t, 200 * MS);
    xen_front_stream_take_events(s);
    g_assert_cmpuint(s->position, >, 0);
    close_plain(s);
    test_unload(&t);
    test_end(&t);
}

static void test_garbage(const void *testbed)
{
    g_autofree char *longest = g_strnfill(2000, '9');

    garbage(testbed, "");
    garbage(testbed, "0");
    garbage(testbed, "-1");
    garbage(testbed, "4294967296");
    garbage(testbed, "99999999999999999999999999999999");
    garbage(testbed, "garbage");
    garbage(testbed, ",,,;;;");
    garbage(testbed, "%n%s%d");
    garbage(testbed, "hw:0,0");
    garbage(testbed, longest);
}

/* Nodes or options of no use: refused at once, with the reason, and mended */
static void check_card_refused(Test *t, const char *why)
{
    g_autofree char *path = g_strdup_printf("/local/domain/0/error/backend/"
                                            "vsnd/%u/0/error",
                                            XEN_TESTBED_GUEST);
    g_autofree char *text = NULL;

    g_assert_true(xen_front_wait_backend(&t->sound->card, XenbusStateUnknown,
                                         XEN_GUEST_DEADLINE));
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.backend_path));
    text = xen_guest_dom0_read(t->guest, path);
    g_assert_nonnull(text);
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, why));
    g_assert_cmpint(xen_guest_call(t->guest, NULL, "dom0 rm %s",
                                   t->sound->card.frontend_path), ==, 0);
}

static void test_refused(const void *testbed)
{
    Test t;

    test_start(&t, testbed, NONE, "-global xen-pvsound.audiodev=snd");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "0/0/type", "x");
    xen_toolstack_end(&t.sound->card);
    check_card_refused(&t, "name no stream that can be served");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "0/0/type", "p");
    xen_toolstack_end(&t.sound->card);
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 1);
    test_unload(&t);
    test_end(&t);
}

static void test_refused_options(const void *testbed)
{
    static const struct {
        const char *args;
        const char *why;
    } bad[] = {
        { "-global xen-pvsound.audiodev=snd "
          "-global xen-pvsound.streams='?'", "1 to 8 letters" },
        { "-global xen-pvsound.audiodev=snd "
          "-global xen-pvsound.max-streams=0",
          "max-streams=0 is not between 1 and 64 streams" },
    };
    Test t;
    int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        test_start(&t, testbed, NONE, bad[i].args);
        xen_toolstack_begin(&t.sound->card);
        xen_toolstack_write(&t.sound->card, "0/0/type", "p");
        xen_toolstack_end(&t.sound->card);
        check_card_refused(&t, bad[i].why);
        test_end(&t);
    }
}

/* What the guest publishes is as bad: that stream alone is not served */
static void test_bad_channels(const void *testbed)
{
    static const char *const keys[] = {
        "0/0/ring-ref", "0/0/event-channel", "0/0/evt-ring-ref",
        "0/0/evt-event-channel",
    };
    static const char *const values[] = {
        "", "0", "-1", "garbage", "4294967295", "99999999999999999999",
    };
    size_t i, k;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pp");
    for (i = 0; i < ARRAY_SIZE(keys); i++) {
        for (k = 0; k < ARRAY_SIZE(values); k++) {
            g_autofree char *path =
                g_strdup_printf("%s/%s", t.sound->card.frontend_path, keys[i]);

            g_assert_true(xen_front_wait_backend(&t.sound->card,
                XenbusStateInitWait, XEN_GUEST_DEADLINE));
            g_assert_cmpint(xen_front_sound_read_config(t.sound), ==, 0);
            g_assert_cmpint(xen_front_sound_alloc_rings(t.sound), ==, 0);
            g_assert_cmpint(xen_front_sound_publish(t.sound), ==, 0);
            xen_guest_write(t.guest, path, "%s", values[k]);
            xen_front_set_state(&t.sound->card, XenbusStateInitialised);
            g_assert_true(xen_front_wait_backend(&t.sound->card,
                XenbusStateConnected, XEN_GUEST_DEADLINE));
            xen_front_set_state(&t.sound->card, XenbusStateConnected);
            open_plain(stream(&t, 1));
            start(stream(&t, 1));
            step(&t, 20 * MS);
            close_plain(stream(&t, 1));
            test_unload(&t);
            xen_front_set_state(&t.sound->card, XenbusStateInitialising);
        }
    }
    test_end(&t);
}

/* Tests: the monitor */

/* What the monitor sees of the first stream */
static QDict *status_of(Test *t, QDict **stream_status)
{
    QDict *response = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': 'snd0', "
                                "'property': 'status' } }");
    QDict *status = qdict_get_qdict(response, "return");

    g_assert_nonnull(status);
    *stream_status = qobject_to(QDict,
        qlist_peek(qdict_get_qlist(status, "streams")));
    g_assert_nonnull(*stream_status);
    return response;
}

static void check_state(Test *t, const char *state, int64_t silent)
{
    QDict *s, *response = status_of(t, &s);

    g_assert_cmpstr(qdict_get_str(s, "name"), ==, "snd0.0.0");
    g_assert_cmpstr(qdict_get_str(s, "type"), ==, "playback");
    g_assert_cmpstr(qdict_get_str(s, "state"), ==, state);
    g_assert_cmpint(qdict_get_int(s, "silent-bytes"), ==, silent);
    if (g_str_equal(state, "closed")) {
        g_assert_false(qdict_haskey(s, "position"));
    } else {
        g_assert_cmpstr(qdict_get_str(s, "format"), ==, "s16_le");
        g_assert_cmpint(qdict_get_int(s, "rate"), ==, RATE);
        g_assert_cmpint(qdict_get_int(s, "buffer-size"), ==, BUFFER);
    }
    qobject_unref(response);
}

static void test_status(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pc");
    check_state(&t, "closed", 0);
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    check_state(&t, "stopped", 0);
    xen_front_stream_write(s, samples, BUFFER);
    start(s);
    step(&t, 100 * MS);
    check_state(&t, "running", 0);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_PAUSE), ==, 0);
    check_state(&t, "paused", 0);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_RESUME), ==, 0);
    stop(s);
    close_plain(s);
    check_state(&t, "closed", 0);
    test_unload(&t);
    test_end(&t);
}

/* Tests: going away */

static void test_device_del(const void *testbed)
{
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    start(s);
    step(&t, 50 * MS);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'snd0' } }");
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateUnknown,
                                         XEN_GUEST_DEADLINE));
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    check_idle(&t);
    xen_front_sound_free_rings(t.sound);
    step(&t, 50 * MS);
    /* And once more */
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'xen-pvsound', "
                             "'id': 'snd1', 'audiodev': 'snd' } }");
    g_assert_cmpuint(xen_front_pgdir_free(s->pgdir), ==, 0);
    s->pgdir = NULL;
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 2);
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    step(&t, 50 * MS);
    close_plain(stream(&t, 0));
    test_unload(&t);
    test_end(&t);
}

static void test_vanish(const void *testbed)
{
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    step(&t, 50 * MS);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    step(&t, 50 * MS);
    test_end(&t);
}

/* One sentence, which says what would be right; no trace of a card is left */
static void check_refused(Test *t, const char *option, const char *value,
                          const char *phrase)
{
    g_autofree char *text =
        g_strdup_printf("{ 'driver': 'xen-pvsound', 'audiodev': 'snd', "
                        "'%s': %s }", option, value);
    QObject *arguments = qobject_from_json(text, &error_abort);
    QDict *response;
    const char *desc;

    response = qtest_qmp(t->qts, "{ 'execute': 'device_add', "
                         "'arguments': %p }", arguments);
    g_assert_true(qdict_haskey(response, "error"));
    desc = qdict_get_str(qdict_get_qdict(response, "error"), "desc");
    g_test_message("%s", desc);
    g_assert_nonnull(strstr(desc, phrase));
    qobject_unref(response);
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.frontend_path));
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.backend_path));
    check_idle(t);
}

static void test_options(void)
{
    static const struct {
        const char *value;
        const char *phrase;
    } streams[] = {
        { "''", "1 to 8 letters" },
        { "'x'", "1 to 8 letters" },
        { "'Main:'", "1 to 8 letters" },
        { "'p;;c'", "1 to 8 letters" },
        { "'ppppppppp'", "1 to 8 letters" },
        { "':p'", "name of 1 to 32" },
        { "'a/b:p'", "name of 1 to 32" },
        { "'0123456789012345678901234567890123:p'", "name of 1 to 32" },
        { "'p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p'",
          "at most 32" },
        { "'pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;"
          "pppppppp;p'", "at most 64" },
    };
    static const struct {
        const char *option;
        const char *value;
        const char *phrase;
    } numbers[] = {
        { "idx", "-2", "use 0 or more, or -1 for the first free index" },
        { "max-channels", "0", "between 1 and 16 channels" },
        { "max-channels", "17", "between 1 and 16 channels" },
        { "max-connects", "100001", "between 0, for no limit, and 100000 a "
          "second" },
        { "max-load", "0", "between 1 and 100 percent" },
        { "max-load", "101", "between 1 and 100 percent" },
        { "max-load", "'half'", "max-load" },
        { "max-log-lines", "0", "between 1 and 100000 lines a minute" },
        { "max-log-lines", "100001", "between 1 and 100000 lines a minute" },
        { "max-mappings", "1", "between 16 and 32768" },
        { "max-pages", "262145", "between 1 and 262144 pages" },
        { "max-streams", "0", "between 1 and 64 streams" },
        { "max-streams", "65", "between 1 and 64 streams" },
        { "max-streams", "4294967296", "max-streams" },
    };
    Test t;
    int i;

    test_start(&t, "", NONE, "");
    for (i = 0; i < ARRAY_SIZE(streams); i++) {
        check_refused(&t, "streams", streams[i].value, streams[i].phrase);
    }
    for (i = 0; i < ARRAY_SIZE(numbers); i++) {
        check_refused(&t, numbers[i].option, numbers[i].value,
                      numbers[i].phrase);
    }
    test_end(&t);
}

int main(int argc, char **argv)
{
    size_t i, hours = ARRAY_SIZE(formats);

    g_test_init(&argc, &argv, NULL);
    /* How pages are mapped does not change a position: one format will do */
    if (xen_guest_testbed_is_single("")) {
        hours = 1;
    }
    add("quit/playing", test_quit_while_playing);
    add("quit/recording", test_quit_while_recording);
#ifdef CONFIG_AUDIO_ALSA
    add("quit/recording-alsa", test_quit_while_recording_alsa);
#endif
    add("nodes", test_nodes);
    add("play", test_play);
    add("play/modern", test_play_modern);
    add("tail", test_tail);
    add("pause", test_pause);
    add("xrun", test_xrun);
    add("capture", test_capture);
#ifdef CONFIG_AUDIO_ALSA
    qtest_add_data_func("/xen-pvsound/capture/endless", "", test_endless);
#endif
    add("volume", test_volume);
    add("reload", test_reload);
    add("status", test_status);
    add("device-del", test_device_del);
    add("bad/directories", test_bad_directories);
    qtest_add_data_func("/xen-pvsound/play/unmixed", "", test_play_unmixed);
    qtest_add_data_func("/xen-pvsound/no-period", "", test_no_period);
    qtest_add_data_func("/xen-pvsound/small-buffer", "", test_small_buffer);
    qtest_add_data_func("/xen-pvsound/formats", "", test_formats);
#ifdef CONFIG_AUDIO_ALSA
    qtest_add_data_func("/xen-pvsound/channels/plain", "", test_channels);
#endif
    qtest_add_data_func("/xen-pvsound/host-differs", "", test_host_differs);
    qtest_add_data_func("/xen-pvsound/channels/mixed", "",
                        test_mixed_channels);
    qtest_add_data_func("/xen-pvsound/channels/limits", "",
                        test_channel_limits);
    qtest_add_data_func("/xen-pvsound/bad/formats", "", test_bad_formats);
    qtest_add_data_func("/xen-pvsound/no-capture", "", test_no_capture);
    qtest_add_data_func("/xen-pvsound/nine-pcms", "", test_nine_pcms);
    qtest_add_data_func("/xen-pvsound/sixteen", "", test_sixteen);
    qtest_add_data_func("/xen-pvsound/stop", "", test_stop_overtakes);
    for (i = 0; i < hours; i++) {
        g_autofree char *hour = g_strdup_printf("/xen-pvsound/hour/%s",
                                                formats[i].name);

        qtest_add_data_func(hour, &formats[i], test_hour);
    }
#ifdef CONFIG_AUDIO_ALSA
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        g_autofree char *content = g_strdup_printf("/xen-pvsound/content/%s",
                                                   formats[i].name);

        qtest_add_data_func(content, &formats[i], test_content);
    }
#endif
    qtest_add_data_func("/xen-pvsound/content-hour", "", test_content_hour);
    qtest_add_data_func("/xen-pvsound/bad/requests", "", test_bad_requests);
    qtest_add_data_func("/xen-pvsound/bad/ring", "", test_bad_ring);
    qtest_add_data_func("/xen-pvsound/no-room", "", test_no_room);
    qtest_add_data_func("/xen-pvsound/toolstack", "", test_toolstack);
    qtest_add_data_func("/xen-pvsound/refused", "", test_refused);
    qtest_add_data_func("/xen-pvsound/refused-options", "",
                        test_refused_options);
    qtest_add_data_func("/xen-pvsound/bad/nodes", "", test_garbage);
    qtest_add_data_func("/xen-pvsound/bad/channels", "", test_bad_channels);
    qtest_add_data_func("/xen-pvsound/pauses", "", test_pauses);
    qtest_add_data_func("/xen-pvsound/vanish", "", test_vanish);
    qtest_add_func("/xen-pvsound/options", test_options);
    return g_test_run();
}
