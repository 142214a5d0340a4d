/*
 * Tests of when a stream moves on, with models of the host's audio drivers
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "../../hw/xen/sound/xen-pvsound-clock.h"

#define SECOND  INT64_C(1000000000)
#define MS      INT64_C(1000000)
#define US      INT64_C(1000)
#define RATE    48000
#define TICK    (10 * MS)
#define QUEUE   (RATE * XEN_PVSOUND_QUEUE_MS / 1000)

/*
 * A host: a buffer of @size frames, of which it plays @step at a time, with a
 * clock that is @drift ppm slower than ours.  It asks each tick, or else, if
 * it polls, as long as it has room for @step frames.  One that is endless
 * takes what it gets, and never has less room.  A file takes what there has to
 * be by now, but not more than @size at once.
 */
typedef struct Host {
    int64_t size;
    int64_t step;
    int64_t drift;
    bool polls;
    bool endless;
    bool file;
    int64_t queued;
    int64_t played;     /* since the beginning, if it always had something */
    int64_t underruns;  /* frames that it had to play, and did not have */
    int64_t calls;
    bool playing;
} Host;

/*
 * @fed: frames that the guest has written, and that have not moved
 * @given: frames that the host got out of the queue
 * @padded: frames of silence that it got besides, but before the first of these
 */
typedef struct Stream {
    XenPvSoundClock clock;
    Host host;
    int64_t queued;
    int64_t fed;
    int64_t given;
    int64_t position;
    int64_t silent;
    int64_t padded;
    int64_t moved_at;
    int64_t ticked_at;
} Stream;

static void host_play(Host *h, int64_t now)
{
    int64_t due = (now - now / 1000000 * h->drift) * (RATE / 1000) / MS;

    due -= due % h->step;
    if (h->playing && !h->file) {
        h->queued -= due - h->played;
    }
    h->played = due;
    if (h->queued < 0) {
        h->underruns -= h->queued;
        h->queued = 0;
    }
}

static void move(Stream *s, int64_t now)
{
    int64_t all = xen_pvsound_clock_due(&s->clock, now);
    int64_t due = MIN(all, QUEUE - s->queued);
    int64_t taken, silence;

    taken = MIN(due, s->fed);
    silence = s->fed > taken ? 0
        : MIN(due - taken, xen_pvsound_clock_silence(&s->clock, due - taken));
    xen_pvsound_clock_taken(&s->clock, taken + silence);
    s->fed -= s->fed == INT64_MAX ? 0 : taken;
    s->queued += taken + silence;
    s->position += taken + silence;
    s->silent += silence;
    xen_pvsound_clock_held(&s->clock, s->queued < QUEUE ? 0 : all - due, now);
    s->moved_at = now;
    g_assert_cmpint(s->queued, <=, QUEUE);
}

/* As the backend does */
static void ask(Stream *s, int64_t now)
{
    Host *h = &s->host;
    int64_t room = h->endless ? h->size
                 : h->file ? MIN(h->size, now / US * (RATE / 1000) / 1000 -
                                          h->queued)
                 : MAX(h->size - h->queued, 0);
    int64_t prime, n, more;

    h->calls++;
    move(s, now);
    prime = xen_pvsound_clock_prime(&s->clock, room, s->queued);
    s->padded += s->given ? prime : 0;
    n = MIN(room - prime, s->queued);
    s->queued -= n;
    s->given += n;
    more = xen_pvsound_clock_asked(&s->clock, room - prime - n, s->queued,
                                   now);
    g_assert_cmpint(more, <=, room - prime - n);
    s->padded += more;
    h->queued += prime + n + more;
    h->playing = true;
}

static void run(Stream *s, int64_t from, int64_t to)
{
    Host *h = &s->host;
    int64_t t;

    for (t = from; t < to; t += 500 * US) {
        int spins = 0;

        host_play(h, t);
        if (!h->polls && t - s->ticked_at >= TICK) {
            s->ticked_at = t;
            ask(s, t);
        }
        while (h->polls && h->size - h->queued >= h->step && spins++ < 20) {
            ask(s, t);
        }
        if (t - s->moved_at >= TICK * 6 / 5) {
            move(s, t);
        }
    }
}

static void begin(Stream *s, const Host *host)
{
    memset(s, 0, sizeof(*s));
    s->host = *host;
    s->fed = INT64_MAX;
    xen_pvsound_clock_start(&s->clock, RATE, TICK, 0);
    s->queued = xen_pvsound_clock_margin(&s->clock);
}

static const Host hosts[] = {
    { .size = 1024, .step = 1 },
    { .size = 4096, .step = 1 },
    { .size = 4096, .step = 480 },
    { .size = 4096, .step = 1024 },
    { .size = 4096, .step = 1024, .drift = 200 },
    { .size = 4096, .step = 1024, .drift = -200 },
    { .size = 9600, .step = 2048 },
    { .size = 19200, .step = 480, .drift = 500 },
    { .size = 960, .step = 240, .polls = true },
    { .size = 4096, .step = 1024, .polls = true },
    { .size = 4096, .step = 1024, .drift = 200, .polls = true },
    { .size = 4096, .step = 1024, .drift = -200, .polls = true },
    { .size = 9600, .step = 1024, .polls = true },
    { .size = 48000, .step = 4800, .polls = true },
};

/* It asks when it has played something, and not without an end */
static void check_calls(const Stream *s, int64_t time)
{
    int64_t each = s->host.polls ? s->host.step * SECOND / RATE : TICK;

    g_assert_cmpint(s->host.calls, <=, 2 * time / each + 20);
}

/* What is behind the guest's position: never more than there is room for */
static void check_behind(const Stream *s)
{
    int64_t behind = s->queued + s->host.queued;

    g_assert_cmpint(behind, <=, s->host.size + s->host.step + RATE / 20);
}

/* Fed all the time nothing is put in between in an hour, whatever the clocks */
static void test_fed(gconstpointer data)
{
    Stream s;
    int64_t t;

    begin(&s, data);
    for (t = 0; t < 3600 * SECOND; t += SECOND) {
        run(&s, t, t + SECOND);
        check_behind(&s);
        if (!s.host.drift) {
            /* In real time: it is not ahead, and behind by a tick */
            int64_t now = t + SECOND;

            g_assert_cmpint(s.position, <=, now / MS * RATE / 1000);
            g_assert_cmpint(s.position, >=, (now / MS - 15) * RATE / 1000);
        }
    }
    g_assert_cmpint(s.silent, ==, 0);
    g_assert_cmpint(s.padded, ==, 0);
    g_assert_cmpint(s.host.underruns, ==, 0);
    check_calls(&s, t);
}

/* What a short sound is told to have played is still to be heard, no more */
static void test_short(gconstpointer data)
{
    static const int64_t lengths[] = { 1, 7200, 20000 };
    int i;

    for (i = 0; i < G_N_ELEMENTS(lengths); i++) {
        int64_t time = lengths[i] * SECOND / RATE, t;
        Stream s;

        begin(&s, data);
        s.fed = lengths[i];
        for (t = 0; s.position < lengths[i]; t += MS) {
            run(&s, t, t + MS);
            g_assert_cmpint(s.position, <=, (t + MS) / MS * RATE / 1000);
        }
        g_assert_cmpint(t, >=, time);
        g_assert_cmpint(t, <=, time + 30 * MS);
        /* Which is as long as the voice is fed from then on */
        g_assert_cmpint((s.queued + s.host.queued) * SECOND / RATE, <,
                        xen_pvsound_clock_heard(&s.clock, s.queued));
    }
}

/* A guest that brings 20 ms every 20 ms, into a buffer of two periods */
static void test_small(gconstpointer data)
{
    int64_t t, written = 1920;
    Stream s;

    begin(&s, data);
    s.fed = 1920;
    for (t = 0; t < 600 * SECOND; t += MS) {
        run(&s, t, t + MS);
        while (written - s.position <= 960) {
            written += 960;
            s.fed += 960;
        }
    }
    g_assert_cmpint(s.silent, ==, 0);
    g_assert_cmpint(s.padded, ==, 0);
}

static void starve(Stream *s, int64_t from, int64_t time)
{
    int64_t position = s->position, moved;

    s->fed = 0;
    s->host.underruns = s->host.calls = 0;
    run(s, from, from + time);
    moved = (s->position - position) * SECOND / RATE;
    g_test_message("moved %" PRId64 " ms in %" PRId64 " ms, %" PRId64
                   " frames missing, %" PRId64 " calls", moved / MS,
                   time / MS, s->host.underruns, s->host.calls);
    g_assert_cmpint(moved, >=, time - 30 * MS);
    g_assert_cmpint(moved, <=, time + 30 * MS);
    g_assert_cmpint(s->host.underruns, ==, 0);
    check_calls(s, time);
}

/* A guest that brings nothing any more, from the beginning or later */
static void test_starved(gconstpointer data)
{
    Stream s;

    begin(&s, data);
    starve(&s, 0, 4 * SECOND);
    s.fed = INT64_MAX;
    s.silent = 0;
    run(&s, 4 * SECOND, 8 * SECOND);
    g_assert_cmpint(s.silent, ==, 0);
    g_assert_cmpint(s.padded, ==, 0);
    starve(&s, 8 * SECOND, 4 * SECOND);
}

/* The host's buffer shrinks and grows, or is emptied: it is soon full again */
static void test_resized(gconstpointer data)
{
    const Host *host = data;
    int64_t t = 0;
    Stream s;
    int i;

    begin(&s, host);
    for (i = 0; i < 8; i++) {
        s.host.size = MAX(host->size * (4 - (i & 3)) / 4, 2 * host->step);
        s.host.size = MAX(s.host.size, 960);
        run(&s, t, t + 5 * SECOND);
        s.host.queued = MIN(s.host.queued, s.host.size);
        if (i == 4) {
            s.host.queued = 0;
        }
        s.fed = INT64_MAX;
        run(&s, t + 5 * SECOND, t + 8 * SECOND);
        if (i & 3) {
            starve(&s, t + 8 * SECOND, 4 * SECOND);
        } else {
            run(&s, t + 8 * SECOND, t + 12 * SECOND);
        }
        t += 12 * SECOND;
    }
    s.host.underruns = 0;
    s.fed = INT64_MAX;
    run(&s, t, t + 4 * SECOND);
    g_assert_cmpint(s.host.underruns, ==, 0);
}

/* A host that lost a part of its buffer does not ask for it for ever */
static void test_lost(gconstpointer data)
{
    Stream s;

    begin(&s, data);
    run(&s, 0, 3 * SECOND);
    s.host.queued -= MIN(s.host.queued, s.host.size * 2 / 5);
    s.host.calls = s.host.underruns = 0;
    run(&s, 3 * SECOND, 7 * SECOND);
    g_assert_cmpint(s.host.underruns, ==, 0);
    check_calls(&s, 4 * SECOND);
}

/* A machine that stands still owes a little, and begins anew */
static void test_late(gconstpointer data)
{
    int64_t position;
    Stream s;

    begin(&s, data);
    run(&s, 0, 3 * SECOND);
    position = s.position;
    run(&s, 60 * SECOND, 61 * SECOND);
    g_assert_cmpint(s.position - position, <=, 3 * RATE + RATE / 50);
    s.host.underruns = s.padded = 0;
    run(&s, 61 * SECOND, 64 * SECOND);
    position = s.position;
    /* What the host did not want until now is forgotten */
    run(&s, 64 * SECOND, 70 * SECOND);
    g_assert_cmpint(s.position - position, <=, 6 * RATE + RATE / 50);
    g_assert_cmpint(s.position - position, >=, 6 * RATE - RATE / 20);
    g_assert_cmpint(s.host.underruns, ==, 0);
    g_assert_cmpint(s.padded, ==, 0);
}

/* A file gets all, without a gap, also when QEMU stood still for a while */
static void test_file(void)
{
    static const Host file = { .size = 1024, .step = 1, .file = true };
    int64_t t;
    Stream s;

    begin(&s, &file);
    for (t = 0; t < 60 * SECOND; t += 10 * SECOND) {
        run(&s, t + t / 50, t + 10 * SECOND);
    }
    g_assert_cmpint(s.padded, ==, 0);
    g_assert_cmpint(s.position, <=, 60 * RATE);
    g_assert_cmpint(s.position, >=, 60 * RATE - RATE / 50);
}

/* A file: there is no gap in what it gets, and the position is the clock's */
static void test_endless(void)
{
    static const Host file = { .size = 4096, .step = 1, .endless = true };
    Stream s;

    begin(&s, &file);
    run(&s, 0, 3600 * SECOND);
    g_assert_cmpint(s.padded, ==, 0);
    g_assert_cmpint(s.position, >=, INT64_C(3600) * RATE - RATE / 50);
    g_assert_cmpint(s.position, <=, INT64_C(3600) * RATE);
}

int main(int argc, char **argv)
{
    int i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(hosts); i++) {
        const struct {
            const char *name;
            GTestDataFunc test;
        } tests[] = {
            { "fed", test_fed }, { "short", test_short },
            { "small", test_small }, { "starved", test_starved },
            { "resized", test_resized }, { "lost", test_lost },
            { "late", test_late },
        };
        int j;

        for (j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path = g_strdup_printf(
                "/xen-pvsound-clock/%s/%d", tests[j].name, i);

            g_test_add_data_func(path, &hosts[i], tests[j].test);
        }
    }
    g_test_add_func("/xen-pvsound-clock/endless", test_endless);
    g_test_add_func("/xen-pvsound-clock/file", test_file);
    return g_test_run();
}
