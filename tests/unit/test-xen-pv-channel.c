/*
 * Tests of channels of PV cards, and of the time that they may take
 *
 * The channels are the real ones, on QEMU's main loop.  What they ask of the
 * Xen bus is a stand-in that says whether somebody listens to a port.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "block/aio.h"
#include "hw/xen/xen-pv-backend.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "../../hw/xen/backend/xen-pv-channel.h"

#define CHANNELS    3

/*
 * Percent; work of ten bursts may take nine times as long by the clock before
 * that is its share
 */
#define MAX_LOAD    10
#define BURST_NS    (2 * SCALE_MS)
#define WORK_NS     (10 * BURST_NS)

/* -------------------------------------------------------------- stand-ins */

struct XenEventChannel {
    XenEventHandler handler;
    void *opaque;
    bool listened;
};

static uint8_t page[4096];
static unsigned int notes;

void *xen_pv_ring_map(XenPvBackend *backend, uint32_t ref, Error **errp)
{
    return page;
}

void xen_pv_ring_unmap(XenPvBackend *backend, uint32_t ref, void *page)
{
}

XenEventChannel *xen_device_bind_event_channel(XenDevice *xendev,
                                               unsigned int port,
                                               XenEventHandler handler,
                                               void *opaque, Error **errp)
{
    XenEventChannel *evtchn = g_new0(XenEventChannel, 1);

    evtchn->handler = handler;
    evtchn->opaque = opaque;
    return evtchn;
}

void xen_device_set_event_channel_context(XenDevice *xendev,
                                          XenEventChannel *channel,
                                          AioContext *ctx, Error **errp)
{
    channel->listened = ctx;
}

void xen_device_notify_event_channel(XenDevice *xendev,
                                     XenEventChannel *channel, Error **errp)
{
}

void xen_device_unbind_event_channel(XenDevice *xendev,
                                     XenEventChannel *channel, Error **errp)
{
    g_free(channel);
}

char *xen_pv_node_read(XenPvBackend *backend, const char *dir,
                       const char *key)
{
    return g_strdup("1");
}

bool xen_pv_node_number(const char *text, uint32_t max, uint32_t *value)
{
    *value = 1;
    return true;
}

void xen_pv_guest_note(XenPvBackend *backend, const char *fmt, ...)
{
    notes++;
}

/* ---------------------------------------------------------------- fixture */

/* @work: what one request takes; @floods: there is always another request */
typedef struct Guest {
    void (*work)(void);
    bool floods;
    bool asks;
    unsigned int served;
} Guest;

typedef struct Test {
    XenPvBackend backend;
    XenPvChannel channels[CHANNELS];
    Guest guests[CHANNELS];
} Test;

static int serve(void *opaque, bool *more)
{
    Guest *guest = opaque;

    if (!guest->asks && !guest->floods) {
        return 0;
    }
    guest->asks = false;
    guest->served++;
    if (guest->work) {
        guest->work();
    }
    *more = guest->floods;
    return 1;
}

static Test *test_start(void)
{
    Test *t = g_new0(Test, 1);
    XenPvBackend *backend = &t->backend;
    int i;

    notes = 0;
    backend->max_load = MAX_LOAD;
    xen_pv_quota_init(&backend->load.time,
                      MAX_LOAD * (NANOSECONDS_PER_SECOND / 100), BURST_NS,
                      qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    xen_pv_channels_start(backend);
    for (i = 0; i < CHANNELS; i++) {
        g_assert_true(xen_pv_channel_open(backend, &t->channels[i], "ref",
                                          "port", serve, &t->guests[i],
                                          &error_abort));
    }
    return t;
}

static void test_end(Test *t)
{
    int i;

    for (i = 0; i < CHANNELS; i++) {
        xen_pv_channel_close(&t->backend, &t->channels[i]);
        xen_pv_channel_close(&t->backend, &t->channels[i]);
    }
    xen_pv_channels_stop(&t->backend);
    g_free(t);
}

/* A guest asks for something; the event is lost if nobody listens */
static void ask(Test *t, int i)
{
    XenEventChannel *evtchn = t->channels[i].evtchn;

    t->guests[i].asks = true;
    if (evtchn->listened) {
        evtchn->handler(evtchn->opaque);
    }
}

static bool is_heard(Test *t, int i)
{
    return t->channels[i].evtchn->listened;
}

static void spin(int64_t ns)
{
    struct timespec ts;
    int64_t now, end = 0;

    do {
        g_assert_cmpint(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), ==, 0);
        now = ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
        end = end ? end : now + ns;
    } while (now < end);
}

static void work_hard(void)
{
    spin(WORK_NS);
}

/*
 * Work until that is more than the guest's share.  On a machine that is busy,
 * so much time may pass meanwhile that it is not, however hard the work.
 * Returns when the last of it began.
 */
static int64_t work_too_hard(Test *t)
{
    int64_t start;
    int tries = 100;

    t->guests[0].work = work_hard;
    do {
        g_assert_cmpint(tries--, >, 0);
        t->guests[0].served = 0;
        start = g_get_monotonic_time();
        ask(t, 0);
        g_assert_cmpuint(t->guests[0].served, ==, 1);
    } while (!t->backend.load.waits);
    g_assert_cmpuint(t->backend.load.waits, ==, 1);
    return start;
}

static void wait_for_others(void)
{
    g_usleep(5 * BURST_NS / SCALE_US);
}

/* ------------------------------------------------------------------ tests */

/* What is asked for is done, and nobody waits */
static void test_light(void)
{
    Test *t = test_start();
    int i;

    for (i = 0; i < 50; i++) {
        ask(t, i % CHANNELS);
        g_assert_false(t->guests[i % CHANNELS].asks);
    }
    g_assert_cmpuint(t->backend.load.waits, ==, 0);
    test_end(t);
}

/* Too much work has to wait, and is done in the end */
static void test_heavy(void)
{
    Test *t = test_start();
    int64_t start = work_too_hard(t);
    int i;

    for (i = 0; i < CHANNELS; i++) {
        g_assert_false(is_heard(t, i));
        ask(t, i);
        g_assert_true(t->guests[i].asks);
    }
    while (t->guests[0].asks || t->guests[1].asks || t->guests[2].asks) {
        main_loop_wait(false);
    }
    /* No earlier than its share makes up for it */
    g_assert_cmpint(g_get_monotonic_time() - start, >=,
                    (WORK_NS - BURST_NS) * 100 / MAX_LOAD / SCALE_US);
    test_end(t);
}

/* Time in which the processor did something else is not the guest's */
static void test_not_its_time(void)
{
    Test *t = test_start();
    int i;

    t->guests[0].work = wait_for_others;
    for (i = 0; i < 5; i++) {
        ask(t, 0);
        g_assert_false(t->guests[0].asks);
    }
    g_assert_cmpuint(t->backend.load.waits, ==, 0);
    test_end(t);
}

/* One channel uses up all there is each time, and the others are served */
static void test_turns(void)
{
    int flood, i;

    for (flood = 0; flood < CHANNELS; flood++) {
        Test *t = test_start();

        t->guests[flood].work = work_hard;
        t->guests[flood].floods = true;
        ask(t, flood);
        for (i = 0; i < CHANNELS; i++) {
            ask(t, i);
        }
        for (i = 0; i < CHANNELS; i++) {
            while (i != flood && t->guests[i].asks) {
                g_assert_cmpuint(t->guests[flood].served, <=, CHANNELS + 1);
                main_loop_wait(false);
            }
        }
        test_end(t);
    }
}

/* Short waits are not worth a line, and long ones are worth one */
static void test_lines(void)
{
    Test *t = test_start();
    int64_t end;

    work_too_hard(t);
    while (t->backend.load.waiting) {
        main_loop_wait(false);
    }
    g_assert_cmpuint(notes, ==, 0);

    t->guests[0].floods = true;
    ask(t, 0);
    while (!notes) {
        main_loop_wait(false);
    }
    g_assert_cmpuint(t->backend.load.waits, >, 1);
    end = g_get_monotonic_time() + G_TIME_SPAN_SECOND;
    while (g_get_monotonic_time() < end) {
        main_loop_wait(false);
    }
    g_assert_cmpuint(notes, ==, 1);
    test_end(t);
}

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_abort);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-pv-channel/light", test_light);
    g_test_add_func("/xen-pv-channel/heavy", test_heavy);
    g_test_add_func("/xen-pv-channel/not-its-time", test_not_its_time);
    g_test_add_func("/xen-pv-channel/turns", test_turns);
    g_test_add_func("/xen-pv-channel/lines", test_lines);
    return g_test_run();
}
