/*
 * Tests of the protocol engine of PV sound: what is played and recorded, and
 * what the guest is told of it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-fixture.h"

/* However short the periods, one callback of the host's is told once */
static void test_told_once(Test *t, gconstpointer data)
{
    uint32_t before, i;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 192, NULL);
    start(t, 0);
    before = t->voice[0].event_kicks;
    /* 10 ms, in pieces; the guest takes events as fast as they come */
    for (i = 0; i < 10; i++) {
        xen_sndif_played(t->card, 0, 192);
        g_assert_cmpuint(take_events(t, 0), ==, 0);
    }
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 1920);
    xen_sndif_flush(t->card, 0);
    xen_sndif_flush(t->card, 0);
    g_assert_cmpuint(t->voice[0].event_kicks, ==, before + 1);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    /* All but one frame, of the end of a period */
    assert_alsa(t, 0, 1916);
    played(t, 0, 4);
    g_assert_cmpuint(t->voice[0].event_kicks, ==, before + 2);
    stop(t, 0);
    take_events(t, 0);
    assert_alsa(t, 0, 16000);
}

/*
 * Where grants are mapped one by one a stream's pages are looked at, once, and
 * not gathered in a copy that nobody reads
 */
static void test_start_copies_nothing(Test *t, gconstpointer data)
{
    XenPgdirStats stats;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    start(t, 0);
    stop(t, 0);
    start(t, 0);
    xen_pgdir_mapper_stats(t->mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.copy_pages, ==, 0);
    g_assert_cmpuint(stats.mapped_pages, ==, 4);
}

static void check_steps(Test *t, uint32_t step)
{
    uint32_t refs[3], dir, i, rounds = 40000 / step;
    Alsa *alsa = t->alsa[0];
    uint64_t position = 0;

    dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 12000, 800, refs);
    start(t, 0);
    alsa[0].wakes = alsa[1].wakes = 0;
    for (i = 0; i < rounds; i++) {
        uint32_t events;

        played(t, 0, step);
        position += step;
        events = take_events(t, 0);
        g_assert_true(events == 0 || events == 2);
        g_assert_cmpuint(alsa[0].wakes, ==, alsa[1].wakes);
        g_assert_cmpuint(alsa[0].position, ==, alsa[1].position);
        g_assert_cmpuint(position - alsa[0].position, <=, 800);
        /* No period goes by unnoticed */
        g_assert_cmpuint(alsa[0].wakes, >=,
                         MIN(i, (position - 4) / 800));
    }
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, position);
    stop(t, 0);
    take_events(t, 0);
    assert_alsa(t, 0, QEMU_ALIGN_UP(position, 12000));
    good(t, 0, new_req(XENSND_OP_CLOSE));
    g_assert_true(fake_grants_end_directory(t->grants, dir, 3));
}

/*
 * Position: Linux wakes once a period, whatever the steps are, with the ids
 * of both kinds of Linux, in an open after another open.
 */
static void test_position(Test *t, gconstpointer data)
{
    static const uint32_t steps[] = {
        4, 8, 60, 400, 796, 800, 804, 1600, 2000, 3996, 12000
    };
    unsigned int s, lap;

    for (lap = 0; lap < 3; lap++) {
        for (s = 0; s < ARRAY_SIZE(steps); s++) {
            check_steps(t, steps[s]);
        }
    }
    /* Either kind of Linux dropped what was meant for the other */
    g_assert_cmpuint(t->alsa[0][0].dropped, >, 0);
    g_assert_cmpuint(t->alsa[0][1].dropped, >, 0);
}

/* Xruns: STOP, prepare, START, of a buffer that is no multiple of periods */
static void test_xrun(Test *t, gconstpointer data)
{
    const uint32_t buffer = 22050 * 4, period = 5512 * 4;
    uint32_t refs[22], i;
    uint64_t position = 0, last;
    Alsa *alsa = t->alsa[0];

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, buffer, period, refs);
    for (i = 0; i < 5; i++) {
        uint32_t k;

        start(t, 0);
        alsa[0].wakes = alsa[1].wakes = 0;
        guest_write(t, 0, refs, 0, 3 * period, i);
        for (k = 1; k <= 3; k++) {
            play(t, 0, period - (k > 1 ? 4 : 0),
                 i + (k - 1) * (period % 256) + (k > 1 ? 4 : 0));
            take_events(t, 0);
            if (k == 3) {
                play_silence(t, 0, 4);
            } else {
                play(t, 0, 4, i + k * (period % 256));
            }
            take_events(t, 0);
            g_assert_cmpuint(alsa[0].wakes, >=, k);
            g_assert_cmpuint(alsa[1].wakes, >=, k);
        }
        last = position;
        position = xen_sndif_position(t->card, 0);
        g_assert_cmpuint(position, ==, last + 3 * period + 4);
        stop(t, 0);
        take_events(t, 0);
        position = xen_sndif_position(t->card, 0);
        g_assert_cmpuint(position, ==, (i + 1) * (uint64_t)buffer);
        /* ALSA and the driver agree on the start of the buffer */
        assert_alsa(t, 0, position);
        g_assert_cmpuint(alsa[0].hw_ptr, ==, 0);
    }
}

/*
 * Steps of any size, after stops at any place, of buffers that are no
 * multiples of periods: no period, as Linux counts them, goes by unnoticed.
 */
static void test_periods_after_stop(Test *t, gconstpointer data)
{
    Alsa *alsa = t->alsa[0];
    unsigned int i, k;

    for (i = 0; i < 200; i++) {
        uint32_t period = 4 * g_test_rand_int_range(48, 300);
        uint32_t buffer = 2 * period + 4 * g_test_rand_int_range(0, 300);
        uint64_t position = 0, told;
        uint32_t dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, buffer,
                                   period, NULL);

        start(t, 0);
        for (k = 0; k < 100; k++) {
            uint32_t step = 4 * g_test_rand_int_range(1, 400);

            if (g_test_rand_int_range(0, 10) == 0) {
                stop(t, 0);
                start(t, 0);
                take_events(t, 0);
                position = xen_sndif_position(t->card, 0);
                assert_alsa(t, 0, position);
            }
            told = alsa[0].position;
            alsa[0].wakes = alsa[1].wakes = 0;
            played(t, 0, step);
            position += step;
            take_events(t, 0);
            g_assert_cmpuint(alsa[0].wakes, ==, alsa[1].wakes);
            g_assert_cmpuint(alsa[0].position, ==, alsa[1].position);
            if ((position - 4) / period > told / period && told % period) {
                g_assert_cmpuint(alsa[0].wakes, ==, 1);
            }
        }
        good(t, 0, new_req(XENSND_OP_CLOSE));
        g_assert_true(fake_grants_end_directory(t->grants, dir,
                                                DIV_ROUND_UP(buffer, PAGE)));
    }
}

/* A stop right at the end of the buffer: what is told moves by no lap */
static void test_stop_at_end(Test *t, gconstpointer data)
{
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, NULL);
    start(t, 0);
    stop(t, 0);
    g_assert_cmpuint(take_events(t, 0), ==, 0);
    start(t, 0);
    played(t, 0, 8000);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    assert_alsa(t, 0, 7996);
    stop(t, 0);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 8000);
    assert_alsa(t, 0, 8000);
    start(t, 0);
    stop(t, 0);
    g_assert_cmpuint(take_events(t, 0), ==, 0);
}

static void test_no_period(Test *t, gconstpointer data)
{
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 0, NULL);
    start(t, 0);
    played(t, 0, 8000 * 100 + 4);
    stop(t, 0);
    start(t, 0);
    played(t, 0, 4);
    g_assert_cmpuint(take_events(t, 0), ==, 0);
    g_assert_cmpuint(t->voice[0].event_kicks, ==, 0);
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 8000 * 101 + 4);
}

/* Invariant 5: an event page that stays full costs no id */
static void test_inv5_events_full(Test *t, gconstpointer data)
{
    XenSndifStats stats;
    uint32_t i;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 400, NULL);
    start(t, 0);
    for (i = 0; i < 1000; i++) {
        played(t, 0, 400);
    }
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.events, ==, 63);
    g_assert_cmpuint(stats.events_full, >, 900);
    g_assert_cmpuint(t->front[0].evt->in_prod, ==, 63);
    /* Garbage in place of the consumer's index is a full page, too */
    t->front[0].evt->in_cons = 0x12345678;
    played(t, 0, 400);
    g_assert_cmpuint(t->front[0].evt->in_prod, ==, 63);
    t->front[0].evt->in_cons = 0;

    g_assert_cmpuint(take_events(t, 0), ==, 63);
    played(t, 0, 4);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    assert_alsa(t, 0, 1001 * 400 + 4);
}

/* Ids wrap, at different times for the two kinds of Linux */
static void test_inv5_ids_wrap(Test *t, gconstpointer data)
{
    uint32_t lap, i;

    for (lap = 0; lap < 2; lap++) {
        uint32_t dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000,
                                   400, NULL);

        start(t, 0);
        for (i = 1; i <= 40000; i++) {
            played(t, 0, 404);
            g_assert_cmpuint(take_events(t, 0), ==, 2);
            /* Of the end of a period, all but one frame */
            assert_alsa(t, 0, i * 404 - (i * 404 % 400 ? 0 : 4));
        }
        good(t, 0, new_req(XENSND_OP_CLOSE));
        g_assert_true(fake_grants_end_directory(t->grants, dir, 2));
        g_assert_cmpuint(take_events(t, 0), ==, 0);
    }
}

/* Underruns are silence, and what comes late is played a lap later */
static void test_underrun(Test *t, gconstpointer data)
{
    XenSndifStats stats;
    const void *chunk;
    uint32_t refs[2];
    size_t n = 100;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    guest_write(t, 0, refs, 0, 1000, 1);
    start(t, 0);
    play(t, 0, 1000, 1);
    play_silence(t, 0, 500);
    /* Too late, by a part */
    guest_write(t, 0, refs, 1400, 400, 9);
    play(t, 0, 300, 9 + 100);
    play_silence(t, 0, 8000 - 1800 + 1400);
    play(t, 0, 100, 9);
    play_silence(t, 0, 300);
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.silent_bytes, ==, 500 + 8000 - 1800 + 1400 + 300);

    /* Writes in any order and size, and across the end */
    stop(t, 0);
    guest_write(t, 0, refs, 4, 1, 77);
    guest_write(t, 0, refs, 7, 2, 78);
    start(t, 0);
    play_silence(t, 0, 4);
    g_assert_true(xen_sndif_peek(t->card, 0, &chunk, &n));
    g_assert_nonnull(chunk);
    g_assert_cmpuint(n, ==, 8);
    /* Less than a frame is nothing */
    n = 3;
    g_assert_false(xen_sndif_peek(t->card, 0, &chunk, &n));
    g_assert_cmpuint(n, ==, 0);
    /* What was written before a STOP is not played after it */
    stop(t, 0);
    start(t, 0);
    play_silence(t, 0, 16000);
}

static void test_capture(Test *t, gconstpointer data)
{
    uint8_t sound[12000];
    uint32_t refs[2], i;
    const void *chunk;
    size_t n = 4;

    for (i = 0; i < sizeof(sound); i++) {
        sound[i] = i * 7;
    }
    open_stream(t, CAPTURE, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    recorded(t, CAPTURE, sound, 400);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, 0);
    start(t, CAPTURE);
    g_assert_false(xen_sndif_peek(t->card, CAPTURE, &chunk, &n));
    played(t, CAPTURE, 400);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, 0);

    recorded(t, CAPTURE, sound, 5000);
    g_assert_cmpuint(take_events(t, CAPTURE), ==, 2);
    assert_alsa(t, CAPTURE, 5000);
    good(t, CAPTURE, req_rw(XENSND_OP_READ, 0, 5000));
    for (i = 0; i < 5000; i++) {
        g_assert_cmpuint(*byte_at(t, refs, i), ==, sound[i]);
    }
    recorded(t, CAPTURE, sound, 12000);
    for (i = 4000; i < 12000; i++) {
        g_assert_cmpuint(*byte_at(t, refs, (5000 + i) % 8000), ==, sound[i]);
    }
    take_events(t, CAPTURE);
    assert_alsa(t, CAPTURE, 17000);
    stop(t, CAPTURE);
    take_events(t, CAPTURE);
    assert_alsa(t, CAPTURE, 24000);
}

/* An hour of sound keeps its position to the byte */
static void test_hour(Test *t, gconstpointer data)
{
    const uint64_t end = 48000ull * 4 * 3600;
    uint64_t position = 0;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    start(t, 0);
    while (position < end) {
        uint32_t step = MIN(end - position, 1920);

        played(t, 0, step);
        position += step;
        take_events(t, 0);
        g_assert_cmpuint(position - t->alsa[0][0].position, <=, 4000);
    }
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, end);
    stop(t, 0);
    take_events(t, 0);
    assert_alsa(t, 0, QEMU_ALIGN_UP(end, 16000));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("position/told-once", test_told_once);
    ADD("start-copies-nothing", test_start_copies_nothing);
    ADD("position", test_position);
    ADD("position/xrun", test_xrun);
    ADD("position/stop-at-end", test_stop_at_end);
    ADD("position/after-stop", test_periods_after_stop);
    ADD("position/no-period", test_no_period);
    ADD("position/hour", test_hour);
    ADD_BOTH("underrun", test_underrun);
    ADD_BOTH("capture", test_capture);
    g_test_add("/xen/sndif/underrun/scattered", Test, NULL, setup_scattered,
               test_underrun, teardown);
    g_test_add("/xen/sndif/capture/scattered", Test, NULL, setup_scattered,
               test_capture, teardown);
    ADD("inv5/events-full", test_inv5_events_full);
    ADD("inv5/ids-wrap", test_inv5_ids_wrap);
    return g_test_run();
}
