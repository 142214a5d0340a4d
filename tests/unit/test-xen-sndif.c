/*
 * Tests of the protocol engine of PV sound: what a guest asks for
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-fixture.h"

/* What aplay does with one short file */
static void test_life(Test *t, gconstpointer data)
{
    uint32_t refs[4], dir;
    XenSndifStats stats;
    const void *chunk;
    size_t n = 64;

    dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, refs);
    g_assert_true(t->voice[0].open);
    g_assert_cmpuint(t->voice[0].params.rate, ==, 48000);
    g_assert_cmpuint(t->voice[0].params.frame_size, ==, 4);
    g_assert_cmpuint(t->voice[0].params.period_size, ==, 4000);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);

    guest_write(t, 0, refs, 0, 8000, 1);
    guest_write(t, 0, refs, 8000, 4000, 1 + 8000 % 256);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    g_assert_false(xen_sndif_peek(t->card, 0, &chunk, &n));

    start(t, 0);
    g_assert_true(t->voice[0].runs);
    play(t, 0, 4000, 1);
    g_assert_cmpuint(take_events(t, 0), ==, 0);
    play(t, 0, 4, 1 + 4000 % 256);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    assert_alsa(t, 0, 4004);
    play(t, 0, 12000 - 4004, 1 + 4004 % 256);
    take_events(t, 0);
    play_silence(t, 0, 8);
    take_events(t, 0);
    assert_alsa(t, 0, 12008);
    stop(t, 0);
    take_events(t, 0);
    assert_alsa(t, 0, 16000);
    g_assert_false(t->voice[0].runs);
    good(t, 0, new_req(XENSND_OP_CLOSE));
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    g_assert_true(fake_grants_end_directory(t->grants, dir, 4));

    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.refused, ==, 0);
    g_assert_cmpuint(stats.silent_bytes, ==, 8);
    g_assert_cmpuint(stats.faults, ==, 0);
    g_assert_cmpuint(stats.open, ==, 0);
    g_assert_cmpuint(stats.total_pages, ==, 0);
}

static void test_bad_open(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    uint32_t zero, refs[4] = { 0 };
    struct xensnd_req ok = req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000,
                                    4000, dir);
    struct xensnd_req req;
    unsigned int f;

    for (f = 0; f < 256; f++) {
        if (f != XENSND_PCM_FORMAT_U8 && f != XENSND_PCM_FORMAT_S16_LE &&
            f != XENSND_PCM_FORMAT_S32_LE) {
            req = ok;
            req.op.open.pcm_format = f;
            refused(t, 0, req, -EINVAL);
        }
    }

    req = ok;
    req.op.open.pcm_rate = 0;
    refused(t, 0, req, -EINVAL);
    req.op.open.pcm_rate = 47999;
    refused(t, 0, req, -EINVAL);
    req.op.open.pcm_rate = UINT32_MAX;
    refused(t, 0, req, -EINVAL);

    req = ok;
    req.op.open.pcm_channels = 0;
    refused(t, 0, req, -EINVAL);
    req.op.open.pcm_channels = 7;
    refused(t, 0, req, -EINVAL);
    req.op.open.pcm_channels = 255;
    refused(t, 0, req, -EINVAL);

    req = ok;
    req.op.open.buffer_sz = 0;
    refused(t, 0, req, -EINVAL);
    req.op.open.buffer_sz = 16001;
    refused(t, 0, req, -EINVAL);
    req.op.open.buffer_sz = 2048 * 1024 + 4;
    refused(t, 0, req, -EINVAL);
    req.op.open.buffer_sz = UINT32_MAX - 3;
    refused(t, 0, req, -EINVAL);

    req = ok;
    req.op.open.period_sz = 16001;
    refused(t, 0, req, -EINVAL);
    req.op.open.period_sz = UINT32_MAX;
    refused(t, 0, req, -EINVAL);

    /* Directories: none, not granted, with holes, too short */
    req = ok;
    req.op.open.gref_directory = 0;
    refused(t, 0, req, -EINVAL);
    req.op.open.gref_directory = UINT32_MAX;
    refused(t, 0, req, -EINVAL);
    zero = fake_grants_build_directory(t->grants, refs, 4);
    req.op.open.gref_directory = zero;
    refused(t, 0, req, -EINVAL);
    req = ok;
    req.op.open.buffer_sz = 20000;
    refused(t, 0, req, -EINVAL);

    t->voice[0].refuse_open = -ENODEV;
    refused(t, 0, ok, -ENODEV);
    t->voice[0].refuse_open = 0;
    good(t, 0, ok);
    good(t, 0, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 16000,
                        dir));
}

/* An OPEN that is refused; it closes what was open all the same */
static void bad_open(Test *t, struct xensnd_req req)
{
    g_assert_cmpint(call(t, 0, req), ==, -EINVAL);
}

/* Buffers and periods that would have the host do nothing but tell of them */
static void test_shortest(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);

    /* A millisecond: 48 frames of 4 bytes, or 45 of a rate of 44100 */
    bad_open(t, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 188, 0, dir));
    good(t, 0, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 192, 192, dir));
    bad_open(t, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 191, dir));
    bad_open(t, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 1, dir));
    good(t, 0, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 192, dir));
    bad_open(t, req_open(44100, XENSND_PCM_FORMAT_U8, 1, 16000, 44, dir));
    good(t, 0, req_open(44100, XENSND_PCM_FORMAT_U8, 1, 16000, 45, dir));
    /* No events at all is good, too */
    good(t, 0, req_open(44100, XENSND_PCM_FORMAT_U8, 1, 64, 0, dir));
    /* 64 bytes are eight milliseconds */
    bad_open(t, req_open(8000, XENSND_PCM_FORMAT_U8, 1, 63, 8, dir));
    bad_open(t, req_open(8000, XENSND_PCM_FORMAT_U8, 1, 64, 7, dir));
    good(t, 0, req_open(8000, XENSND_PCM_FORMAT_U8, 1, 64, 8, dir));
}

/* Everything that needs an OPEN, before it and after CLOSE */
static void test_before_open(Test *t, gconstpointer data)
{
    unsigned int i, op;

    for (i = 0; i < 2; i++) {
        for (op = XENSND_OP_READ; op <= XENSND_OP_UNMUTE; op++) {
            refused(t, 0, req_rw(op, 0, 0), -EINVAL);
            refused(t, CAPTURE, req_rw(op, 0, 4), -EINVAL);
        }
        for (op = 0; op < 256; op++) {
            refused(t, 0, req_trigger(op), -EINVAL);
        }
        for (op = XENSND_OP_HW_PARAM_QUERY + 1; op < 256; op++) {
            refused(t, 0, new_req(op), -EOPNOTSUPP);
        }
        good(t, 0, new_req(XENSND_OP_CLOSE));
        open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
        good(t, 0, new_req(XENSND_OP_CLOSE));
        good(t, 0, new_req(XENSND_OP_CLOSE));
    }
}

static void test_ranges(Test *t, gconstpointer data)
{
    static const uint32_t bad[][2] = {
        { 16001, 0 }, { 16000, 1 }, { 0, 16001 }, { 15999, 2 },
        { UINT32_MAX, 0 }, { 0, UINT32_MAX }, { UINT32_MAX, UINT32_MAX },
        { 1, UINT32_MAX }, { 16000, 0x80000000 }, { 0x80000000, 0x80000000 },
    };
    uint8_t op;
    unsigned int i;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    open_stream(t, CAPTURE, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    for (op = XENSND_OP_READ; op <= XENSND_OP_UNMUTE; op++) {
        for (i = 0; i < ARRAY_SIZE(bad); i++) {
            refused(t, 0, req_rw(op, bad[i][0], bad[i][1]), -EINVAL);
            refused(t, CAPTURE, req_rw(op, bad[i][0], bad[i][1]), -EINVAL);
        }
    }
    good(t, 0, req_rw(XENSND_OP_WRITE, 0, 16000));
    good(t, 0, req_rw(XENSND_OP_WRITE, 16000, 0));
    good(t, 0, req_rw(XENSND_OP_WRITE, 15999, 1));
    good(t, CAPTURE, req_rw(XENSND_OP_READ, 15999, 1));
    refused(t, 0, req_rw(XENSND_OP_READ, 0, 4), -EINVAL);
    refused(t, CAPTURE, req_rw(XENSND_OP_WRITE, 0, 4), -EINVAL);

    /* Two channels have two values */
    refused(t, 0, req_rw(XENSND_OP_SET_VOLUME, 0, 7), -EINVAL);
    refused(t, 0, req_rw(XENSND_OP_GET_VOLUME, 0, 7), -EINVAL);
    refused(t, 0, req_rw(XENSND_OP_MUTE, 0, 1), -EINVAL);
    refused(t, 0, req_rw(XENSND_OP_UNMUTE, 0, 0), -EINVAL);
}

static void test_trigger(Test *t, gconstpointer data)
{
    uint32_t refs[4];
    unsigned int i;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, refs);
    for (i = 4; i < 256; i++) {
        refused(t, 0, req_trigger(i), -EINVAL);
    }
    refused(t, 0, req_trigger(XENSND_OP_TRIGGER_PAUSE), -EINVAL);
    refused(t, 0, req_trigger(XENSND_OP_TRIGGER_RESUME), -EINVAL);
    stop(t, 0);
    g_assert_cmpuint(take_events(t, 0), ==, 0);

    t->voice[0].refuse_run = -EIO;
    refused(t, 0, req_trigger(XENSND_OP_TRIGGER_STOP + 5), -EINVAL);
    g_assert_cmpint(call(t, 0, req_trigger(XENSND_OP_TRIGGER_START)), ==,
                    -EIO);
    t->voice[0].refuse_run = 0;
    g_assert_false(t->voice[0].runs);

    guest_write(t, 0, refs, 0, 16000, 0);
    start(t, 0);
    start(t, 0);
    play(t, 0, 4100, 0);
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_PAUSE));
    g_assert_false(t->voice[0].runs);
    played(t, 0, 400);
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_PAUSE));
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 4100);
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_RESUME));
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_RESUME));
    g_assert_true(t->voice[0].runs);
    /* Sound goes on where it paused */
    play(t, 0, 4000, 4100 % 256);
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_PAUSE));
    stop(t, 0);
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 16000);
    take_events(t, 0);
    assert_alsa(t, 0, 16000);
}

/* Linux sets parameters anew without a CLOSE */
static void test_second_open(Test *t, gconstpointer data)
{
    uint32_t refs[4], dir, dir2, refs2[2];

    dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, refs);
    guest_write(t, 0, refs, 0, 16000, 0);
    start(t, 0);
    play(t, 0, 5000, 0);
    take_events(t, 0);

    dir2 = open_stream(t, 0, XENSND_PCM_FORMAT_U8, 1, 8000, 100, refs2);
    g_assert_cmpuint(t->voice[0].closes, ==, 1);
    g_assert_cmpuint(t->voice[0].opens, ==, 2);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    g_assert_true(fake_grants_end_directory(t->grants, dir, 4));
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, 0);
    guest_write(t, 0, refs2, 0, 8000, 7);
    start(t, 0);
    play(t, 0, 101, 7);
    g_assert_cmpuint(take_events(t, 0), ==, 2);
    assert_alsa(t, 0, 101);

    /* A second OPEN that is refused closes all the same */
    g_assert_cmpint(call(t, 0, req_open(1, 1, 1, 8000, 100, dir2)), ==,
                    -EINVAL);
    g_assert_false(t->voice[0].open);
    g_assert_true(fake_grants_end_directory(t->grants, dir2, 2));
    refused(t, 0, req_rw(XENSND_OP_WRITE, 0, 4), -EINVAL);
}

static void query(Test *t, struct xensnd_req req, struct xensnd_req want)
{
    struct xensnd_query_hw_param got;

    g_assert_cmpint(call_full(t, 0, req, &got), ==, 0);
    g_assert_cmpmem(&got, sizeof(got), &want.op.hw_param, sizeof(got));
}

static void test_query(Test *t, gconstpointer data)
{
    const uint64_t u8 = 1 << XENSND_PCM_FORMAT_U8;
    const uint64_t s16 = 1 << XENSND_PCM_FORMAT_S16_LE;
    const uint64_t s32 = 1 << XENSND_PCM_FORMAT_S32_LE;
    const uint32_t max = UINT32_MAX, size = 2048 * 1024;

    query(t, req_query(UINT64_MAX, 0, max, 0, max, 0, max, 0, max),
          req_query(u8 | s16 | s32, 8000, 48000, 1, 6, 8, size, 8, size));
    query(t, req_query(s16, 0, max, 2, 2, 0, max, 0, max),
          req_query(s16, 8000, 48000, 2, 2, 16, size / 4, 8, size / 4));
    query(t, req_query(s16 | s32, 8001, 47999, 2, 9, 0, max, 0, max),
          req_query(s16 | s32, 44100, 44100, 2, 6, 45, size / 4, 45,
                    size / 4));
    query(t, req_query(s16, 0, 44100, 2, 2, 100, 1000, 10, 20),
          req_query(s16, 8000, 44100, 2, 2, 100, 1000, 10, 20));
    query(t, req_query(s16, 0, 44100, 2, 2, 0, 1000, 10, max),
          req_query(s16, 8000, 44100, 2, 2, 16, 1000, 10, 1000));
    query(t, req_query(s16, 0, 44100, 2, 2, 0, 1000, 17, max),
          req_query(s16, 8000, 44100, 2, 2, 17, 1000, 17, 1000));

    /* Nothing left of one range or another */
    refused(t, 0, req_query(0, 0, max, 0, max, 0, max, 0, max), -EINVAL);
    refused(t, 0, req_query(1ull << XENSND_PCM_FORMAT_GSM, 0, max, 0, max, 0,
                            max, 0, max), -EINVAL);
    refused(t, 0, req_query(~(u8 | s16 | s32), 0, max, 0, max, 0, max, 0,
                            max), -EINVAL);
    refused(t, 0, req_query(s16, 8001, 44099, 0, max, 0, max, 0, max),
            -EINVAL);
    refused(t, 0, req_query(s16, 44100, 8000, 0, max, 0, max, 0, max),
            -EINVAL);
    refused(t, 0, req_query(s16, 48001, max, 0, max, 0, max, 0, max),
            -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 7, max, 0, max, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 0, 0, 0, max, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 3, 2, 0, max, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 1, 2, size, max, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 1, 2, 0, 0, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 1, 2, 0, 100, 101, max), -EINVAL);
    /* Shorter than a millisecond, or than 64 bytes */
    refused(t, 0, req_query(s16, 0, max, 1, 2, 0, 15, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 1, 2, 0, max, 0, 7), -EINVAL);
    refused(t, 0, req_query(s16, 44100, max, 1, 2, 0, 44, 0, max), -EINVAL);
    refused(t, 0, req_query(s16, 0, max, 1, 2, 0, 100, 0, 0), -EINVAL);
}

/* Every parameter that is answered can be opened with */
static void test_query_then_open(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 512, NULL);
    struct xensnd_query_hw_param p;
    unsigned int i;

    for (i = 0; i < 200; i++) {
        uint32_t frames = g_test_rand_int_range(0, 4000);
        uint32_t channels = g_test_rand_int_range(0, 8);
        static const uint32_t rates[] = { 8000, 44100, 48000 };
        uint32_t rate = rates[i % ARRAY_SIZE(rates)];
        struct xensnd_req req = req_query(
            1ull << g_test_rand_int_range(0, 12), rate, rate, channels,
            channels, frames, frames, 0, frames / 2);
        uint32_t size;

        if (call_full(t, 0, req, &p) < 0) {
            continue;
        }
        size = p.formats == 1 << XENSND_PCM_FORMAT_U8 ? 1 :
               p.formats == 1 << XENSND_PCM_FORMAT_S16_LE ? 2 : 4;
        size *= p.channels.min;
        good(t, 0, req_open(p.rates.max, __builtin_ctzll(p.formats),
                            p.channels.min, size * p.buffer.max,
                            size * p.period.max, dir));
        good(t, 0, req_open(p.rates.min, __builtin_ctzll(p.formats),
                            p.channels.max, size * p.buffer.min,
                            size * p.period.min, dir));
    }
}

static void put_values(Test *t, const uint32_t *refs, uint32_t offset,
                       const void *values, uint32_t size)
{
    uint32_t i;

    for (i = 0; i < size; i++) {
        *byte_at(t, refs, offset + i) = ((const uint8_t *)values)[i];
    }
}

/* Volumes lie anywhere in the buffer, across pages as well */
static void test_volume(Test *t, gconstpointer data)
{
    const int32_t loud[2] = { -6020, 3000 }, zero[2] = { 0, 0 };
    static const uint8_t first[2] = { 1, 0 }, both[2] = { 255, 2 };
    const XenSndifVolume *v = &t->voice[0].volume;
    uint32_t refs[2], i;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    g_assert_cmpuint(t->voice[0].volumes, ==, 0);
    put_values(t, refs, 4092, loud, 8);
    good(t, 0, req_rw(XENSND_OP_SET_VOLUME, 4092, 8));
    g_assert_cmpuint(t->voice[0].volumes, ==, 1);
    g_assert_cmpint(v->millidecibel[0], ==, -6020);
    g_assert_cmpint(v->millidecibel[1], ==, 3000);
    g_assert_false(v->mute[0] || v->mute[1]);

    put_values(t, refs, 10, first, 2);
    good(t, 0, req_rw(XENSND_OP_MUTE, 10, 2));
    g_assert_true(v->mute[0] && !v->mute[1]);
    put_values(t, refs, 10, both, 2);
    good(t, 0, req_rw(XENSND_OP_MUTE, 10, 2));
    g_assert_true(v->mute[0] && v->mute[1]);
    put_values(t, refs, 10, first, 2);
    good(t, 0, req_rw(XENSND_OP_UNMUTE, 10, 2));
    g_assert_true(!v->mute[0] && v->mute[1]);

    /* Invariant 4: only GET_VOLUME writes, and leaves nothing writable */
    put_values(t, refs, 4092, zero, 8);
    start(t, 0);
    g_assert_cmpuint(t->grants->live_writable, ==, 0);
    good(t, 0, req_rw(XENSND_OP_GET_VOLUME, 4092, 8));
    g_assert_cmpuint(t->grants->live_writable, ==, 0);
    for (i = 0; i < 8; i++) {
        g_assert_cmpuint(*byte_at(t, refs, 4092 + i), ==,
                         ((const uint8_t *)loud)[i]);
    }

    /* The knobs stay where they are until the connection ends */
    i = t->voice[0].volumes;
    good(t, 0, new_req(XENSND_OP_CLOSE));
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    g_assert_cmpuint(t->voice[0].volumes, ==, i + 1);
    g_assert_cmpint(v->millidecibel[0], ==, -6020);
    g_assert_true(v->mute[1]);
    xen_sndif_reset(t->card);
    front_attach(t, 0);
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    g_assert_cmpuint(t->voice[0].volumes, ==, i + 1);
    good(t, 0, req_rw(XENSND_OP_GET_VOLUME, 0, 8));
    g_assert_cmpuint(*byte_at(t, refs, 0), ==, 0);
}

static void test_quota(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 512, NULL);
    struct xensnd_req req = req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2,
                                     512 * PAGE, 4000, dir);
    XenSndifStats stats;

    good(t, 0, req);
    refused(t, 2, req, -ENOSPC);
    req.op.open.buffer_sz = 89 * PAGE;
    refused(t, 2, req, -ENOSPC);
    req.op.open.buffer_sz = 88 * PAGE;
    good(t, 2, req);
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.total_pages, ==, 600);
    good(t, 0, req);
    good(t, 0, new_req(XENSND_OP_CLOSE));
    good(t, 2, new_req(XENSND_OP_CLOSE));
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.total_pages, ==, 0);
}

/* An owner that has had enough gets the rest of the requests later */
static bool always_enough(void *opaque)
{
    return true;
}

static void test_enough(Test *t, gconstpointer data)
{
    const XenSndifCaps caps = { .formats = FORMATS };
    XenSndifOps ops = rec_ops;
    bool more;
    int i;

    ops.requests.enough = always_enough;
    xen_sndif_free(t->card);
    t->card = xen_sndif_new(&ops, t, t->mapper,
                            &(XenSndifLimits) { .max_total_pages = 600 });
    g_assert_cmpuint(xen_sndif_add_stream(t->card, &caps), ==, 0);
    front_attach(t, 0);
    for (i = 0; i < 3; i++) {
        send_req(t, 0, new_req(XENSND_OP_CLOSE));
    }
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xen_sndif_process(t->card, 0, &more), ==, 1);
        g_assert_true(more == (i < 2));
    }
    g_assert_cmpuint(t->answers, ==, 3);
    xen_sndif_free(g_steal_pointer(&t->card));
}

/* A stream that is not there has nothing, and nothing happens to it */
static void test_no_stream(Test *t, gconstpointer data)
{
    XenSndifStreamInfo info;
    bool more = true;
    const void *bytes;
    size_t n = 4;

    xen_sndif_attach(t->card, STREAMS, t->front[0].sring, t->front[0].evt);
    send_req(t, 0, new_req(XENSND_OP_CLOSE));
    g_assert_cmpint(xen_sndif_process(t->card, STREAMS, &more), ==, 0);
    g_assert_false(more);
    g_assert_cmpuint(t->answers, ==, 0);
    g_assert_false(xen_sndif_peek(t->card, STREAMS, &bytes, &n));
    played(t, STREAMS, 4);
    recorded(t, STREAMS, "1234", 4);
    g_assert_cmpuint(xen_sndif_position(t->card, STREAMS), ==, 0);
    memset(&info, 0xa5, sizeof(info));
    xen_sndif_stream_info(t->card, STREAMS, &info);
    g_assert_false(info.connected);
    g_assert_cmpstr(info.state, ==, "closed");
    xen_sndif_free(NULL);
}

/* What the monitor asks for */
static void test_info(Test *t, gconstpointer data)
{
    XenSndifStreamInfo info;

    xen_sndif_stream_info(t->card, CAPTURE, &info);
    g_assert_true(info.capture);
    g_assert_true(info.connected);
    g_assert_cmpstr(info.state, ==, "closed");

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    xen_sndif_stream_info(t->card, 0, &info);
    g_assert_false(info.capture);
    g_assert_false(info.broken);
    g_assert_cmpstr(info.state, ==, "stopped");
    g_assert_cmpuint(info.params.rate, ==, 48000);
    g_assert_cmpuint(info.params.buffer_size, ==, 16000);
    start(t, 0);
    play_silence(t, 0, 4004);
    xen_sndif_stream_info(t->card, 0, &info);
    g_assert_cmpstr(info.state, ==, "running");
    g_assert_cmpuint(info.position, ==, 4004);
    g_assert_cmpuint(info.silent_bytes, ==, 4004);
    g_assert_cmpuint(info.events, ==, 2);
    good(t, 0, req_trigger(XENSND_OP_TRIGGER_PAUSE));
    xen_sndif_stream_info(t->card, 0, &info);
    g_assert_cmpstr(info.state, ==, "paused");
}

/* A card that takes any rate between two, as toolstacks may say */
static void test_rate_range(Test *t, gconstpointer data)
{
    const XenSndifCaps caps = {
        .formats = 1ull << XENSND_PCM_FORMAT_S16_LE,
        .rate_min = 8000,
        .rate_max = 96000,
        .channels_max = 2,
        .buffer_max = 65536,
    };
    static const struct {
        uint32_t rate;
        int32_t status;
    } opens[] = {
        { 7999, -EINVAL }, { 8000, 0 }, { 12345, 0 }, { 96000, 0 },
        { 96001, -EINVAL }, { 0, -EINVAL },
    };
    static const uint32_t queries[][5] = {
        /* asked from, to; good; answered from, to */
        { 0, UINT32_MAX, true, 8000, 96000 },
        { 9000, 10000, true, 9000, 10000 },
        { 96000, 100000, true, 96000, 96000 },
        { 96001, 100000, false },
        { 0, 7999, false },
        { 10000, 9000, false },
    };
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    struct xensnd_query_hw_param got;
    struct xensnd_req req;
    unsigned int i;

    xen_sndif_free(t->card);
    t->card = xen_sndif_new(&rec_ops, t, t->mapper,
                            &(XenSndifLimits) { .max_total_pages = 600 });
    xen_sndif_add_stream(t->card, &caps);
    front_attach(t, 0);
    for (i = 0; i < ARRAY_SIZE(opens); i++) {
        g_assert_cmpint(call(t, 0, req_open(opens[i].rate,
                                            XENSND_PCM_FORMAT_S16_LE, 1,
                                            16000, 4000, dir)),
                        ==, opens[i].status);
        good(t, 0, new_req(XENSND_OP_CLOSE));
    }
    for (i = 0; i < ARRAY_SIZE(queries); i++) {
        req = req_query(UINT64_MAX, queries[i][0], queries[i][1], 0,
                        UINT32_MAX, 0, UINT32_MAX, 0, UINT32_MAX);
        g_assert_cmpint(call_full(t, 0, req, &got), ==,
                        queries[i][2] ? 0 : -EINVAL);
        g_assert_cmpuint(got.rates.min, ==, queries[i][3]);
        g_assert_cmpuint(got.rates.max, ==, queries[i][4]);
    }
    xen_sndif_free(g_steal_pointer(&t->card));
}

/* A card whose owner looks at a buffer each 10 ms */
static void test_served(Test *t, gconstpointer data)
{
    const XenSndifCaps caps = {
        .formats = 1ull << XENSND_PCM_FORMAT_S16_LE,
        .rate_min = 8000,
        .rate_max = 48000,
        .channels_max = 1,
        .buffer_max = 65536,
        .buffer_us = 20000,
    };
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    uint32_t max = UINT32_MAX, s16 = XENSND_PCM_FORMAT_S16_LE;
    struct xensnd_query_hw_param got;

    xen_sndif_free(t->card);
    t->card = xen_sndif_new(&rec_ops, t, t->mapper,
                            &(XenSndifLimits) { .max_total_pages = 600 });
    xen_sndif_add_stream(t->card, &caps);
    front_attach(t, 0);
    bad_open(t, req_open(48000, s16, 1, 2 * 959, 0, dir));
    good(t, 0, req_open(48000, s16, 1, 2 * 960, 0, dir));
    /* 220.5 frames each 5 ms: a part of a frame counts as one */
    bad_open(t, req_open(44100, s16, 1, 2 * 881, 0, dir));
    good(t, 0, req_open(44100, s16, 1, 2 * 882, 2 * 45, dir));
    bad_open(t, req_open(11025, s16, 1, 2 * 220, 0, dir));
    good(t, 0, req_open(11025, s16, 1, 2 * 221, 0, dir));
    g_assert_cmpint(call_full(t, 0, req_query(caps.formats, 48000, max, 0,
                                              max, 0, max, 0, max), &got),
                    ==, 0);
    g_assert_cmpuint(got.buffer.min, ==, 960);
    g_assert_cmpuint(got.period.min, ==, 48);
    refused(t, 0, req_query(caps.formats, 48000, max, 0, max, 0, 959, 0, max),
            -EINVAL);
    xen_sndif_free(g_steal_pointer(&t->card));
}

static void test_operation_names(void)
{
    static const char *const names[] = {
        [XENSND_OP_OPEN]            = "OPEN",
        [XENSND_OP_CLOSE]           = "CLOSE",
        [XENSND_OP_READ]            = "READ",
        [XENSND_OP_WRITE]           = "WRITE",
        [XENSND_OP_SET_VOLUME]      = "SET_VOLUME",
        [XENSND_OP_GET_VOLUME]      = "GET_VOLUME",
        [XENSND_OP_MUTE]            = "MUTE",
        [XENSND_OP_UNMUTE]          = "UNMUTE",
        [XENSND_OP_TRIGGER]         = "TRIGGER",
        [XENSND_OP_HW_PARAM_QUERY]  = "HW_PARAM_QUERY",
    };
    uint32_t op;

    for (op = 0; op < 256; op++) {
        g_assert_cmpstr(xen_sndif_operation_name(op), ==,
                        op < G_N_ELEMENTS(names) ? names[op] : NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_BOTH("life", test_life);
    ADD("open/bad", test_bad_open);
    ADD("open/shortest", test_shortest);
    ADD("open/before", test_before_open);
    ADD("open/second", test_second_open);
    ADD("ranges", test_ranges);
    ADD("trigger", test_trigger);
    ADD("query", test_query);
    ADD("query-then-open", test_query_then_open);
    ADD_BOTH("volume", test_volume);
    ADD("quota", test_quota);
    g_test_add("/xen/sndif/life/scattered", Test, NULL, setup_scattered,
               test_life, teardown);
    ADD("no-stream", test_no_stream);
    ADD("enough", test_enough);
    ADD("info", test_info);
    ADD("rate-range", test_rate_range);
    ADD("served", test_served);
    g_test_add_func("/xen/sndif/operation-names", test_operation_names);
    return g_test_run();
}
