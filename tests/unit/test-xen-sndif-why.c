/*
 * Tests of what the protocol engine of PV sound says of a bad request
 *
 * Whoever reads the log has to find the value that is at fault.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-fixture.h"

#define S16     XENSND_PCM_FORMAT_S16_LE

/*
 * @stream: whose ring has the request
 * @status: what it is answered with
 * @why: what is said of it
 */
typedef struct Bad {
    uint32_t stream;
    struct xensnd_req req;
    int32_t status;
    const char *why;
} Bad;

static void check(Test *t, const Bad *bad, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++) {
        g_assert_cmpint(call(t, bad[i].stream, bad[i].req), ==,
                        bad[i].status);
        g_assert_cmpstr(t->last_why, ==, bad[i].why);
    }
}

static void test_open(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    const Bad bad[] = {
        { 0, req_rw(XENSND_OP_WRITE, 0, 4), -EINVAL, "stream is not open" },
        { 0, new_req(0xee), -EOPNOTSUPP, "unknown operation" },
        { 0, req_open(48000, XENSND_PCM_FORMAT_GSM, 2, 16000, 0, dir), -EINVAL,
          "sample format 24 not offered" },
        { 0, req_open(96000, S16, 2, 16000, 0, dir), -EINVAL,
          "sample rate of 96000 Hz not offered" },
        { 0, req_open(48000, S16, 7, 16000, 0, dir), -EINVAL,
          "7 channels, not the 1 to 6 that are offered" },
        { 0, req_open(48000, S16, 2, 16001, 0, dir), -EINVAL,
          "buffer of 16001 bytes, not of whole frames of 4" },
        { 0, req_open(48000, S16, 2, 4000000, 0, dir), -EINVAL,
          "buffer of 4000000 bytes, more than the 2097152 that are offered" },
        { 0, req_open(48000, S16, 2, 16000, 16004, dir), -EINVAL,
          "period of 16004 bytes, longer than the buffer of 16000" },
        { 0, req_open(48000, S16, 2, 188, 0, dir), -EINVAL,
          "buffer of 188 bytes shorter than a millisecond, 192, or than 64" },
        { 0, req_open(48000, S16, 2, 16000, 188, dir), -EINVAL,
          "period of 188 bytes shorter than a millisecond, 192" },
        { 0, req_open(48000, S16, 2, 16000, 0, 0), -EINVAL,
          "page directory cannot be read: directory page 0 is missing: its "
          "reference is 0" },
        { 0, req_open(48000, S16, 2, 16000, 0, 0xfffffff0), -EINVAL,
          "page directory cannot be read: cannot map reference 4294967280 for "
          "reading: Invalid argument" },
        { 0, req_open(48000, S16, 2, 5 * PAGE, 0, dir), -EINVAL,
          "page directory cannot be read: data reference 4 of directory page "
          "0 is 0" },
    };

    check(t, bad, ARRAY_SIZE(bad));
    t->voice[0].refuse_open = -ENODEV;
    refused(t, 0, req_open(44100, S16, 2, 16000, 0, dir), -ENODEV);
    g_assert_cmpstr(t->last_why, ==, "the host cannot open such a stream: "
                    "44100 Hz, 2 channels, sample format 2");
}

/* A card whose owner needs longer buffers, and less than all buffers have */
static void test_limits(Test *t, gconstpointer data)
{
    const XenSndifLimits limits = { .max_total_pages = 6 };
    const XenSndifCaps caps = {
        .formats = FORMATS,
        .rate_min = 8000,
        .rate_max = 48000,
        .channels_min = 2,
        .channels_max = 2,
        .buffer_max = 32768,
        .buffer_us = 20000,
    };
    uint32_t dir = fake_grants_make_directory(t->grants, 8, NULL), i;

    xen_sndif_free(t->card);
    t->card = xen_sndif_new(&rec_ops, t, t->mapper, &limits);
    for (i = 0; i < STREAMS; i++) {
        xen_sndif_add_stream(t->card, &caps);
        front_attach(t, i);
    }
    refused(t, 0, req_open(48000, S16, 2, 3836, 0, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "buffer of 3836 bytes shorter than two "
                    "ticks of QEMU's, 3840: less takes a lower timer-period "
                    "of the audiodev");
    good(t, 0, req_open(48000, S16, 2, 16000, 0, dir));
    refused(t, 2, req_open(48000, S16, 2, 16000, 0, dir), -ENOSPC);
    g_assert_cmpstr(t->last_why, ==, "more pages in all buffers than max-pages "
                    "allows: 4 and 4 more exceed 6");
}

static void test_query(Test *t, gconstpointer data)
{
    const uint64_t all = UINT64_MAX;
    const uint32_t max = UINT32_MAX;
    const Bad bad[] = {
        { 0, req_query(1ull << XENSND_PCM_FORMAT_GSM, 0, max, 0, max, 0, max,
                       0, max), -EINVAL,
          "no such sample format: none of 0x1000000" },
        { 0, req_query(all, 96000, 192000, 0, max, 0, max, 0, max), -EINVAL,
          "no such sample rate: 96000 to 192000 Hz" },
        { 0, req_query(all, 0, max, 7, 8, 0, max, 0, max), -EINVAL,
          "no such number of channels: 7 to 8" },
        { 0, req_query(all, 0, max, 0, max, 1, 2, 0, max), -EINVAL,
          "no such buffer size: 1 to 2 frames" },
        { 0, req_query(all, 0, max, 0, max, 0, max, 1, 2), -EINVAL,
          "no such period: 1 to 2 frames" },
    };

    check(t, bad, ARRAY_SIZE(bad));
}

static void test_buffer(Test *t, gconstpointer data)
{
    open_stream(t, 0, S16, 2, 16000, 0, NULL);
    open_stream(t, CAPTURE, S16, 2, 16000, 0, NULL);
    {
        const Bad bad[] = {
            { 0, req_rw(XENSND_OP_WRITE, 15000, 1004), -EINVAL,
              "1004 bytes at 15000 outside the buffer of 16000" },
            { 0, req_rw(XENSND_OP_READ, 0, 4), -EINVAL,
              "READ from a playback stream" },
            { CAPTURE, req_rw(XENSND_OP_WRITE, 0, 4), -EINVAL,
              "WRITE to a capture stream" },
            { 0, req_rw(XENSND_OP_SET_VOLUME, 0, 7), -EINVAL,
              "7 bytes for the values of all channels, which have 8" },
            { 0, req_rw(XENSND_OP_GET_VOLUME, 0, 4), -EINVAL,
              "4 bytes for the values of all channels, which have 8" },
            { 0, req_trigger(99), -EINVAL, "unknown trigger 99" },
            { 0, req_trigger(XENSND_OP_TRIGGER_PAUSE), -EINVAL,
              "stream was not started" },
        };

        check(t, bad, ARRAY_SIZE(bad));
    }

    fake_grants_refuse(t->grants, 1, -EFAULT);
    refused(t, 0, req_trigger(XENSND_OP_TRIGGER_START), -EFAULT);
    g_assert_true(g_str_has_prefix(t->last_why, "buffer cannot be mapped: "
                                   "cannot map 4 pages from reference "));
    g_assert_true(g_str_has_suffix(t->last_why, " on for reading: Bad "
                                   "address"));
    t->voice[0].refuse_run = -EIO;
    g_assert_cmpint(call(t, 0, req_trigger(XENSND_OP_TRIGGER_START)), ==,
                    -EIO);
    g_assert_cmpstr(t->last_why, ==, "the host cannot start the stream");
}

/* A ring that is no longer served: which index was it? */
static void test_ring(Test *t, gconstpointer data)
{
    XenSndifStreamInfo info;
    bool more;

    good(t, 0, new_req(XENSND_OP_CLOSE));
    t->front[0].sring->req_prod += 1000;
    g_assert_cmpint(xen_sndif_process(t->card, 0, &more), ==, -EPROTO);
    xen_sndif_stream_info(t->card, 0, &info);
    g_assert_true(info.broken);
    g_assert_cmpuint(info.answered, ==, t->front[0].sring->rsp_prod);
    g_assert_cmpuint(info.bad_prod, ==, info.answered + 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("why/open", test_open);
    ADD("why/limits", test_limits);
    ADD("why/query", test_query);
    ADD("why/buffer", test_buffer);
    ADD("why/ring", test_ring);
    return g_test_run();
}
