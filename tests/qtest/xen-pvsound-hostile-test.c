/*
 * QTest of xen-pvsound: requests, pages and nodes that make no sense
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pvsound-qtest.h"

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("bad/requests", test_bad_requests);
    add("bad/directories", test_bad_directories);
    add("bad/ring", test_bad_ring);
    add("no-room", test_no_room);
    add("bad/nodes", test_garbage);
    add("bad/channels", test_bad_channels);
    return g_test_run();
}
