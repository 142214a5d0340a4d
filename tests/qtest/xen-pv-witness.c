/*
 * A well-behaved guest beside a hostile one
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "xen-pv-witness.h"

#define COOKIE      0x317e55ull

#define RATE        48000
#define FRAME       4                   /* S16_LE, stereo */
#define BUFFER      (16384 * FRAME)
#define PERIOD      (480 * FRAME)

/* How far the audio layer may be behind the clock */
#define LATE_NS     60000000ll

#define WAV_HEADER  44

static void missed(XenPvWitness *w, const char *what)
{
    w->failures++;
    g_test_message("the witness misses %s after %" PRIu64 " flips", what,
                   w->flips);
}

static XenFrontConnector *screen(XenPvWitness *w)
{
    return &w->display->connectors[0];
}

static XenFrontStream *stream(XenPvWitness *w)
{
    return &w->sound->streams[0];
}

/* Samples of which no two neighbours are alike, and none is silent */
static int16_t sample(uint64_t i)
{
    uint32_t value = i * 2654435761u;

    return (value >> 17 ^ value >> 3) | 1;
}

/* ---------------------------------------------------------------- sound */

static void write_sound(XenPvWitness *w)
{
    uint32_t frames = xen_front_stream_room(stream(w)) / FRAME;
    g_autofree int16_t *samples = g_new(int16_t, frames * 2);
    uint32_t i;
    int ret;

    for (i = 0; i < frames * 2; i++) {
        samples[i] = cpu_to_le16(sample(w->frames * 2 + i));
    }
    ret = xen_front_stream_write(stream(w), samples, frames * FRAME);
    if (ret != (int)(frames * FRAME)) {
        missed(w, "room for its sound");
    }
    w->frames += MAX(ret, 0) / FRAME;
}

static void start_sound(XenPvWitness *w)
{
    g_assert_cmpint(xen_front_sound_connect(w->sound), ==, 0);
    g_assert_cmpint(xen_front_stream_open(stream(w), RATE,
                                          XENSND_PCM_FORMAT_S16_LE, 2, BUFFER,
                                          PERIOD), ==, 0);
    write_sound(w);
    g_assert_cmpint(xen_front_stream_trigger(stream(w),
                                             XENSND_OP_TRIGGER_START), ==, 0);
}

/* Every period is told, and they come with the clock */
static void check_sound(XenPvWitness *w)
{
    int64_t due = w->turns * WITNESS_TURN_NS - LATE_NS;

    xen_front_stream_take_events(stream(w));
    if (stream(w)->bad_events) {
        missed(w, "good positions");
    }
    if ((int64_t)(stream(w)->position / FRAME) <
        due / 1000 * RATE / 1000000) {
        missed(w, "a period");
    }
}

static int64_t silent_bytes(XenPvWitness *w)
{
    QObject *status = xen_pv_test_get(w->test, "witness-sound", "status");
    QList *streams = qdict_get_qlist(qobject_to(QDict, status), "streams");
    QDict *first = qobject_to(QDict, qlist_peek(streams));
    int64_t bytes = qdict_get_int(first, "silent-bytes");

    qobject_unref(status);
    return bytes;
}

bool xen_pv_witness_heard(XenPvWitness *w)
{
    g_autofree char *path = g_build_filename(w->test->dir, "witness.wav",
                                             NULL);
    g_autofree char *file = NULL;
    const int16_t *samples;
    uint64_t count, i;
    gsize size;

    g_assert_true(g_file_get_contents(path, &file, &size, NULL));
    g_assert_cmpuint(size, >, WAV_HEADER);
    samples = (const int16_t *)(file + WAV_HEADER);
    count = (size - WAV_HEADER) / sizeof(*samples);
    while (count && !*samples) {
        samples++;
        count--;
    }
    if (count < w->frames * 2) {
        missed(w, "the end of its sound");
        return false;
    }
    for (i = 0; i < count; i++) {
        int16_t want = i < w->frames * 2 ? sample(i) : 0;

        if ((int16_t)le16_to_cpu(samples[i]) != want) {
            missed(w, "some of its sound");
            return false;
        }
    }
    return true;
}

/* -------------------------------------------------------------- picture */

void xen_pv_witness_ask(XenPvWitness *w)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    XenFrontBuffer *next = w->buffers[(w->flips + 1) & 1];

    if (w->flipping) {
        return;
    }
    w->flips++;
    w->flipping = true;
    xen_front_buffer_draw(next, w->flips);
    req.op.pg_flip.fb_cookie = next->fb;
    xen_front_send(screen(w), &req);
    write_sound(w);
}

static void check_picture(XenPvWitness *w)
{
    XenPvPicture picture;

    xen_pv_picture_take(w->test, "witness", 0, &picture);
    if (!xen_pv_picture_is(&picture, screen(w)->width, screen(w)->height,
                           w->flips)) {
        missed(w, "its picture");
    }
    xen_pv_picture_clear(&picture);
}

bool xen_pv_witness_check(XenPvWitness *w)
{
    unsigned int before = w->failures;
    struct xendispl_resp resp = { .status = -1 };

    if (xen_front_receive(screen(w), &resp, XEN_GUEST_DEADLINE) < 0 ||
        resp.status) {
        missed(w, "an answer to its flip");
    }
    w->flipping = false;
    qtest_clock_step(w->test->qts, WITNESS_TURN_NS);
    w->turns++;
    if (!xen_front_wait_events(screen(w), w->flips, XEN_GUEST_DEADLINE) ||
        screen(w)->events != w->flips || screen(w)->bad_events) {
        missed(w, "a flip");
    }
    check_picture(w);
    check_sound(w);
    return w->failures == before;
}

void xen_pv_witness_turn(void *opaque)
{
    xen_pv_witness_ask(opaque);
    xen_pv_witness_check(opaque);
}

/* ----------------------------------------------------------- life cycle */

void xen_pv_witness_start(XenPvWitness *w, XenPvTest *test)
{
    int i;

    memset(w, 0, sizeof(*w));
    w->test = test;
    w->display = xen_front_display_new(test->guest, 1);
    w->sound = xen_front_sound_new(test->guest, 1);
    xen_pv_test_connect(w->display);
    for (i = 0; i < 2; i++) {
        w->buffers[i] = xen_front_buffer_new(test->guest, screen(w)->width,
                                             screen(w)->height, COOKIE + i);
        g_assert_nonnull(w->buffers[i]);
        g_assert_cmpint(xen_front_buffer_attach(w->display, w->buffers[i]),
                        ==, 0);
        g_assert_cmpint(xen_front_set_config(screen(w), w->buffers[i]->fb, 0,
                                             0, screen(w)->width,
                                             screen(w)->height, 32), ==, 0);
    }
    start_sound(w);
    xen_pv_witness_turn(w);
    xen_pv_witness_turn(w);
    g_assert_cmpuint(w->failures, ==, 0);
    g_assert_cmpint(xen_guest_stats(test->guest, &w->idle), ==, 0);
}

/* Not what the host shared: that stays charged to the card, and is bounded */
uint64_t xen_pv_witness_others(XenPvWitness *w)
{
    XenGuestStats now;

    g_assert_cmpint(xen_guest_stats(w->test->guest, &now), ==, 0);
    return (now.mapped - w->idle.mapped) + (now.refs - w->idle.refs) +
           (now.ports - w->idle.ports);
}

void xen_pv_witness_stop(XenPvWitness *w)
{
    uint32_t i;

    if (silent_bytes(w)) {
        missed(w, "no silence");
    }
    for (i = 0; xen_front_stream_room(stream(w)) < BUFFER; i++) {
        g_assert_cmpuint(i, <, 200);
        qtest_clock_step(w->test->qts, WITNESS_TURN_NS);
    }
    g_assert_cmpint(xen_front_stream_trigger(stream(w),
                                             XENSND_OP_TRIGGER_STOP), ==, 0);
    g_assert_cmpint(xen_front_stream_close(stream(w)), ==, 0);
    qtest_clock_step(w->test->qts, 10 * WITNESS_TURN_NS);
    g_assert_cmpint(xen_front_sound_unload(w->sound), ==, 0);
    g_assert_cmpint(xen_front_display_unload(w->display), ==, 0);
}

void xen_pv_witness_free(XenPvWitness *w)
{
    g_assert_cmpuint(xen_front_buffer_free(w->buffers[0]), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(w->buffers[1]), ==, 0);
    g_assert_cmpuint(xen_front_display_free(w->display), ==, 0);
    g_assert_cmpuint(xen_front_sound_free(w->sound), ==, 0);
}
