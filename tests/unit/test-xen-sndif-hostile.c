/*
 * Tests of the protocol engine of PV sound: a guest that means no good, and a
 * host that fails
 *
 * Numbered invariants are the promises that the backend makes to its host:
 *
 *  1  a guest cannot make the backend stop, hang, look outside its pages or
 *     grow without bound
 *  2  no page is mapped once the object that justified it is gone
 *  4  pages of playback are mapped read-only
 *  5  every request gets one response of 64 bytes, event ids have no gaps
 *  6  where grants cannot be mapped together the same code works page by page
 *  7  no size that a guest chose makes an allocation abort
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-fixture.h"
#include "faults.h"

/* A page that cannot be mapped is a status of START, and no more */
static void test_map_faults(Test *t, gconstpointer data)
{
    uint32_t refs[2], dir;

    /* Invariant 6 makes no difference to it */
    dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    fake_grants_refuse_ref(t->grants, refs[1], -EFAULT);
    g_assert_cmpint(call(t, 0, req_trigger(XENSND_OP_TRIGGER_START)), ==,
                    -EFAULT);
    g_assert_false(t->voice[0].runs);
    g_assert_cmpint(call(t, 0, req_rw(XENSND_OP_SET_VOLUME, 4096, 8)), ==,
                    -EFAULT);
    g_assert_cmpint(call(t, 0, req_rw(XENSND_OP_GET_VOLUME, 4096, 8)), ==,
                    -EFAULT);
    fake_grants_refuse_ref(t->grants, refs[1], 0);
    guest_write(t, 0, refs, 0, 8000, 3);
    start(t, 0);
    play(t, 0, 8000, 3);
    good(t, 0, new_req(XENSND_OP_CLOSE));
    g_assert_true(fake_grants_end_directory(t->grants, dir, 2));
}

/*
 * A page that had to make room, and cannot be mapped again: what is recorded
 * there is lost, and the stream goes on.
 */
static void test_lost_page(Test *t, gconstpointer data)
{
    const uint8_t sound[8000] = { 1, [4096] = 2 };
    XenSndifStats stats;
    uint32_t refs[2];

    open_stream(t, CAPTURE, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 0, refs);
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 0, NULL);
    start(t, CAPTURE);
    /* Takes all the room that there is */
    start(t, 0);
    fake_grants_refuse_ref(t->grants, refs[0], -EFAULT);
    recorded(t, CAPTURE, sound, sizeof(sound));
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.faults, ==, 1);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, sizeof(sound));

    fake_grants_refuse_ref(t->grants, refs[0], 0);
    recorded(t, CAPTURE, sound, sizeof(sound));
    g_assert_cmpuint(*byte_at(t, refs, 0), ==, 1);
    g_assert_cmpuint(*byte_at(t, refs, 4096), ==, 2);
}

/* Invariant 2: closed in whatever state, nothing is mapped when answered */
static void test_inv2_close(Test *t, gconstpointer data)
{
    unsigned int i;

    for (i = 0; i < 6; i++) {
        uint32_t stream = i % 2 ? CAPTURE : 0;
        uint32_t dir = open_stream(t, stream, XENSND_PCM_FORMAT_S16_LE, 2,
                                   8000, 2000, NULL);

        if (i >= 2) {
            start(t, stream);
            g_assert_cmpuint(t->grants->live_pages, >, 0);
        }
        if (i >= 4) {
            good(t, stream, req_trigger(XENSND_OP_TRIGGER_PAUSE));
        }
        good(t, stream, new_req(XENSND_OP_CLOSE));
        g_assert_cmpuint(t->grants->live_pages, ==, 0);
        g_assert_true(fake_grants_end_directory(t->grants, dir, 2));
    }
}

static void test_inv2_reset(Test *t, gconstpointer data)
{
    uint32_t dir[STREAMS], i, lap;

    for (lap = 0; lap < 2; lap++) {
        for (i = 0; i < STREAMS; i++) {
            dir[i] = open_stream(t, i, XENSND_PCM_FORMAT_S16_LE, 2, 8000,
                                 2000, NULL);
            start(t, i);
        }
        xen_sndif_reset(t->card);
        xen_sndif_reset(t->card);
        g_assert_cmpuint(t->grants->live_pages, ==, 0);
        for (i = 0; i < STREAMS; i++) {
            bool more;

            g_assert_true(fake_grants_end_directory(t->grants, dir[i], 2));
            g_assert_cmpint(xen_sndif_process(t->card, i, &more), ==, 0);
            front_attach(t, i);
        }
    }
}

/* Invariant 4 */
static void test_inv4_read_only(Test *t, gconstpointer data)
{
    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, NULL);
    open_stream(t, 2, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, NULL);
    start(t, 0);
    start(t, 2);
    g_assert_cmpuint(t->grants->live_pages, ==, 4);
    g_assert_cmpuint(t->grants->live_writable, ==, 0);
    open_stream(t, CAPTURE, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, NULL);
    start(t, CAPTURE);
    g_assert_cmpuint(t->grants->live_writable, ==, 2);
}

/* STOP behind a ring full of writes is served in the same go */
static void test_stop_behind_writes(Test *t, gconstpointer data)
{
    FakeFront *front = &t->front[0];
    uint32_t before, i;
    bool more;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, NULL);
    start(t, 0);
    before = t->answers;
    front->sring->rsp_event = front->sring->rsp_prod + 32;
    for (i = 0; i < 31; i++) {
        send_req(t, 0, req_rw(XENSND_OP_WRITE, i * 200, 200));
    }
    send_req(t, 0, req_trigger(XENSND_OP_TRIGGER_STOP));
    g_assert_cmpint(xen_sndif_process(t->card, 0, &more), ==, 32);
    g_assert_false(t->voice[0].runs);
    g_assert_cmpuint(t->answers, ==, before + 32);
    check_rsp(t, 0, XENSND_OP_TRIGGER, NULL);
}

/* Invariant 1: no ring can keep the engine busy for ever, or confuse it */
static void test_inv1_broken_ring(Test *t, gconstpointer data)
{
    uint32_t refs[2], i;
    bool more;

    open_stream(t, 2, XENSND_PCM_FORMAT_S16_LE, 2, 8000, 2000, refs);
    start(t, 2);
    t->front[0].sring->req_prod += 33;
    g_assert_cmpint(xen_sndif_process(t->card, 0, &more), ==, -EPROTO);
    g_assert_false(more);
    g_assert_cmpint(xen_sndif_process(t->card, 0, &more), ==, 0);
    g_assert_cmpint(xen_sndif_process(t->card, STREAMS, &more), ==, 0);

    /* Other streams play on */
    for (i = 0; i < 20; i++) {
        guest_write(t, 2, refs, i % 2 * 4000, 4000, i);
        play(t, 2, 4000, i);
    }
    take_events(t, 2);
}

static void monkey_req(Test *t, uint32_t stream, const uint32_t *dirs)
{
    static const uint32_t odd[] = {
        0, 1, 2, 3, 4, 8, 100, 400, 4000, 4095, 4096, 8000, 8001, 16000,
        0x7fffffff, 0x80000000, UINT32_MAX
    };
#define ODD odd[g_test_rand_int_range(0, ARRAY_SIZE(odd))]
    struct xensnd_req req = new_req(g_test_rand_int_range(0, 11));
    bool more;

    switch (req.operation) {
    case XENSND_OP_OPEN:
        req = req_open(g_test_rand_bit() ? 48000 : ODD,
                       g_test_rand_int_range(0, 12),
                       g_test_rand_int_range(0, 8), ODD, ODD,
                       dirs[g_test_rand_int_range(0, 3)]);
        break;
    case XENSND_OP_TRIGGER:
        req = req_trigger(g_test_rand_int_range(0, 5));
        break;
    case XENSND_OP_HW_PARAM_QUERY:
        req = req_query(g_test_rand_int_range(0, 1 << 25), ODD, ODD, ODD, ODD,
                        ODD, ODD, ODD, ODD);
        break;
    default:
        req = req_rw(req.operation, ODD, ODD);
        break;
    }
    send_req(t, stream, req);
    g_assert_cmpint(xen_sndif_process(t->card, stream, &more), ==, 1);
}

static void monkey_sound(Test *t, uint32_t stream)
{
    static const uint8_t noise[4096];
    XenSndifStats stats;
    const void *data;
    size_t n = g_test_rand_int_range(1, 9000), i;
    /* volatile, so that the reads are not optimised away */
    volatile uint8_t sink = 0;

    if (xen_sndif_peek(t->card, stream, &data, &n)) {
        for (i = 0; data && i < n; i++) {
            sink = ((const uint8_t *)data)[i];
        }
        played(t, stream, n);
    }
    if (t->voice[stream].runs && stream == CAPTURE) {
        n = sizeof(noise) / t->voice[stream].params.frame_size;
        n *= t->voice[stream].params.frame_size;
        recorded(t, stream, noise, n);
    }
    xen_sndif_stats(t->card, &stats);
    (void)sink;
    g_assert_cmpuint(t->grants->live_pages, <=, stats.total_pages);
}

/* Invariants 1 and 7: whatever comes, in whatever order */
static void test_monkey(Test *t, gconstpointer data)
{
    uint32_t dirs[3], i;

    for (i = 0; i < 3; i++) {
        dirs[i] = fake_grants_make_directory(t->grants, 4, NULL);
    }
    for (i = 0; i < 30000; i++) {
        uint32_t stream = g_test_rand_int_range(0, STREAMS);

        if (g_test_rand_int_range(0, 3)) {
            monkey_req(t, stream, dirs);
        } else {
            monkey_sound(t, stream);
        }
        t->front[stream].evt->in_cons = g_test_rand_bit() ?
            t->front[stream].evt->in_prod : (uint32_t)g_test_rand_int();
    }
    for (i = 0; i < STREAMS; i++) {
        good(t, i, new_req(XENSND_OP_CLOSE));
    }
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    for (i = 0; i < 3; i++) {
        g_assert_true(fake_grants_end_directory(t->grants, dirs[i], 4));
    }
}

/* Faults */

static void step(Test *t, uint32_t stream, struct xensnd_req req, bool faulty)
{
    int32_t status = call(t, stream, req);

    if (!faulty) {
        g_assert_cmpstr(t->last_why, ==, "");
        g_assert_cmpint(status, ==, 0);
    }
}

/* A host that goes on whether or not the pages can be reached */
static void sound_goes_on(Test *t, bool faulty)
{
    static const uint8_t noise[4000];
    size_t n = 4000, left;
    const void *data;

    for (left = 8000; left && xen_sndif_peek(t->card, 0, &data, &n);
         left -= n, n = left) {
        g_assert_true(faulty || data);
        played(t, 0, n);
    }
    g_assert_true(faulty || left == 0);
    recorded(t, CAPTURE, noise, sizeof(noise));
    recorded(t, CAPTURE, noise, sizeof(noise));
    take_events(t, 0);
    take_events(t, CAPTURE);
}

static void use_sound(Test *t, const uint32_t *dirs, bool faulty)
{
    uint32_t s;

    for (s = 0; s <= CAPTURE; s++) {
        alsa_clear(&t->alsa[s][0], 16000, 4000);
        alsa_clear(&t->alsa[s][1], 16000, 4000);
        step(t, s, req_open(48000, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000,
                            dirs[s]), faulty);
        step(t, s, req_rw(XENSND_OP_GET_VOLUME, 0, 8), faulty);
        step(t, s, req_rw(XENSND_OP_SET_VOLUME, 0, 8), faulty);
        step(t, s, req_rw(XENSND_OP_MUTE, 4096, 2), faulty);
        step(t, s, req_rw(XENSND_OP_UNMUTE, 4096, 2), faulty);
        step(t, s, req_rw(s == CAPTURE ? XENSND_OP_READ : XENSND_OP_WRITE,
                          0, 8000), faulty);
        step(t, s, req_trigger(XENSND_OP_TRIGGER_START), faulty);
    }
    /* Idle mappings may go at any time, and are made again */
    xen_pgdir_mapper_trim(t->mapper);
    sound_goes_on(t, faulty);
    for (s = 0; s <= CAPTURE; s++) {
        step(t, s, req_trigger(XENSND_OP_TRIGGER_PAUSE), faulty);
        step(t, s, req_trigger(XENSND_OP_TRIGGER_RESUME), faulty);
    }
    /* One stream ends properly, the other with the connection */
    step(t, CAPTURE, req_trigger(XENSND_OP_TRIGGER_STOP), faulty);
    step(t, CAPTURE, new_req(XENSND_OP_CLOSE), faulty);
}

static void sound_cycle(void *opaque, bool faulty)
{
    Test *t = opaque;
    XenSndifStats stats;
    uint32_t dirs[2], i;

    for (i = 0; i < STREAMS; i++) {
        front_attach(t, i);
    }
    for (i = 0; i < 2; i++) {
        dirs[i] = fake_grants_make_directory(t->grants, 4, NULL);
    }
    use_sound(t, dirs, faulty);
    xen_sndif_reset(t->card);

    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.open, ==, 0);
    g_assert_cmpuint(stats.total_pages, ==, 0);
    for (i = 0; i < 2; i++) {
        g_assert_true(fake_grants_end_directory(t->grants, dirs[i], 4));
    }
}

static void test_faults(Test *t, gconstpointer data)
{
    g_assert_cmpuint(faults_in_turn(t->grants, data ? "sound, page by page"
                                                    : "sound",
                                    sound_cycle, t), >=, 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_BOTH("map-faults", test_map_faults);
    ADD_BOTH("faults", test_faults);
    g_test_add("/xen/sndif/monkey/scattered", Test, NULL, setup_scattered,
               test_monkey, teardown);
    g_test_add("/xen/sndif/lost-page", Test, NULL, setup_small,
               test_lost_page, teardown);
    ADD("stop-behind-writes", test_stop_behind_writes);
    ADD("inv1/broken-ring", test_inv1_broken_ring);
    ADD("inv2/close", test_inv2_close);
    ADD("inv2/reset", test_inv2_reset);
    ADD("inv4/read-only", test_inv4_read_only);
    ADD_BOTH("monkey", test_monkey);
    return g_test_run();
}
