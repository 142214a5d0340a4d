/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Benchmark of the protocol engine of PV sound: requests, a second of sound
 *
 *   bench-sndif [--json FILE]
 *
 * The grants are fake: each map is a real mmap() of a memfd, populated, but
 * there is no hypercall, and no event channel is signalled.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "hw/xen/xen-sndif.h"
#include "../tests/unit/fake-front.h"
#include "../tests/unit/fake-grants.h"
#include "bench-util.h"

#define PAGE        4096
#define BUFFER      65536
#define PERIOD      16384
#define RATE        48000
#define FRAME       4

/* Requests of one sample, and samples of which the median is taken */
#define BATCH       1000
#define SAMPLES     201

typedef struct Bench {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenSndif *card;
    FakeFront front;
    uint32_t dir;
    GString *json;
} Bench;

/* The owner: it does nothing, at no cost */

static int bench_open(void *opaque, uint32_t stream,
                      const XenSndifParams *params)
{
    return 0;
}

static void bench_nothing(void *opaque, uint32_t stream)
{
}

static int bench_run(void *opaque, uint32_t stream, bool run)
{
    return 0;
}

static void bench_answered(void *opaque, uint32_t stream, uint16_t id,
                           uint8_t operation, int32_t status, const char *why)
{
    must(status == 0, why);
}

static const XenSndifOps bench_ops = {
    .open = bench_open,
    .close = bench_nothing,
    .run = bench_run,
    .requests.notify = bench_nothing,
    .notify_event = bench_nothing,
    .requests.answered = bench_answered,
};

/* The guest */

static struct xensnd_req *next_slot(Bench *b, uint8_t operation)
{
    return fake_front_next(&b->front, operation);
}

static void handle(Bench *b)
{
    bool more;

    fake_front_want_notify(&b->front);
    fake_front_push(&b->front);
    xen_sndif_process(b->card, 0, &more);
    must(b->front.sring->rsp_prod == b->front.sring->req_prod, "request");
}

static void open_stream(Bench *b)
{
    struct xensnd_req *req = next_slot(b, XENSND_OP_OPEN);

    req->op.open.pcm_rate = RATE;
    req->op.open.pcm_format = XENSND_PCM_FORMAT_S16_LE;
    req->op.open.pcm_channels = 2;
    req->op.open.buffer_sz = BUFFER;
    req->op.open.gref_directory = b->dir;
    req->op.open.period_sz = PERIOD;
    handle(b);
}

static void close_stream(Bench *b)
{
    next_slot(b, XENSND_OP_CLOSE);
    handle(b);
}

static void trigger(Bench *b, uint8_t type)
{
    next_slot(b, XENSND_OP_TRIGGER)->op.trigger.type = type;
    handle(b);
}

static void write_4k(Bench *b, uint32_t offset)
{
    struct xensnd_req *req = next_slot(b, XENSND_OP_WRITE);

    req->op.rw.offset = offset % BUFFER;
    req->op.rw.length = 4096;
    handle(b);
}

static void query(Bench *b)
{
    struct xensnd_req *req = next_slot(b, XENSND_OP_HW_PARAM_QUERY);

    memset(&req->op, 0xff, sizeof(req->op));
    req->op.hw_param.rates.min = 0;
    req->op.hw_param.channels.min = 0;
    req->op.hw_param.buffer.min = 0;
    req->op.hw_param.period.min = 0;
    handle(b);
}

static void bench_requests(Bench *b)
{
    Samples opened = { 0 }, closed = { 0 }, started = { 0 };
    Samples written = { 0 }, queried = { 0 };
    double w, q, o, s, c;
    uint32_t i, j;

    for (i = 0; i < SAMPLES; i++) {
        double t0 = now_ns(), t1, t2, t3, t4, t5;

        open_stream(b);
        t1 = now_ns();
        trigger(b, XENSND_OP_TRIGGER_START);
        t2 = now_ns();
        for (j = 0; j < BATCH; j++) {
            write_4k(b, j * 4096);
        }
        t3 = now_ns();
        for (j = 0; j < BATCH; j++) {
            query(b);
        }
        t4 = now_ns();
        close_stream(b);
        t5 = now_ns();
        add_sample(&opened, t1 - t0);
        add_sample(&started, t2 - t1);
        add_sample(&written, (t3 - t2) / BATCH);
        add_sample(&queried, (t4 - t3) / BATCH);
        add_sample(&closed, t5 - t4);
    }
    w = median(&written);
    q = median(&queried);
    o = median(&opened) / 1000;
    s = median(&started) / 1000;
    c = median(&closed) / 1000;
    printf("WRITE of 4 KiB, request to response %8.1f ns\n"
           "HW_PARAM_QUERY                      %8.1f ns\n"
           "OPEN of 64 KiB %6.2f us, first START %6.2f us, CLOSE %6.2f us\n",
           w, q, o, s, c);
    g_string_append_printf(b->json,
        "  \"write_4k_ns\": %.1f, \"query_ns\": %.1f,"
        " \"open_64k_us\": %.2f, \"start_us\": %.2f, \"close_us\": %.2f,\n",
        w, q, o, s, c);
}

/* The owner's part of a tick of 10 ms: look at the sound, and move on */
static uint32_t tick(Bench *b)
{
    size_t left = RATE / 100 * FRAME;
    uint32_t sum = 0;

    while (left) {
        size_t length = left;
        const void *data;

        must(xen_sndif_peek(b->card, 0, &data, &length), "peek");
        must(data != NULL, "sound in time");
        sum += *(const uint8_t *)data;
        xen_sndif_played(b->card, 0, length);
        left -= length;
    }
    xen_sndif_flush(b->card, 0);
    b->front.evt->in_cons = b->front.evt->in_prod;
    return sum;
}

/* All that a second of 48 kHz stereo takes, but for the samples themselves */
static void bench_second(Bench *b)
{
    Samples seconds = { 0 };
    uint64_t written = 0, played = 0, calls;
    uint32_t i, j, sum = 0;
    double s;

    open_stream(b);
    trigger(b, XENSND_OP_TRIGGER_START);
    calls = b->grants->map_calls;
    for (i = 0; i < SAMPLES; i++) {
        double t0 = now_ns();

        for (j = 0; j < 100; j++) {
            while (written < played + BUFFER - 4096) {
                write_4k(b, written % BUFFER);
                written += 4096;
            }
            sum += tick(b);
            played += RATE / 100 * FRAME;
        }
        add_sample(&seconds, now_ns() - t0);
    }
    calls = b->grants->map_calls - calls;
    close_stream(b);

    must(sum != 0, "sound");
    s = median(&seconds) / 1000;
    printf("A second of 48 kHz stereo, in writes of 4 KiB and ticks of 10 ms:\n"
           "    %8.1f us, map calls %" PRIu64 "\n", s, calls);
    g_string_append_printf(b->json,
        "  \"second_us\": %.2f, \"second_map_calls\": %" PRIu64 "\n",
        s, calls);
}

int main(int argc, char **argv)
{
    static const XenPgdirConfig config = { sizeof(config), 1000, 1000, 0 };
    static const XenSndifLimits limits = { 1000 };
    static const XenSndifCaps caps = {
        .formats = UINT64_MAX,
        .rate_min = 5512,
        .rate_max = 192000,
        .channels_min = 1,
        .channels_max = 2,
        .buffer_max = BUFFER,
    };
    const char *file = bench_json_file(argc, argv);
    Bench b = { 0 };

    b.grants = fake_grants_new(100);
    b.grants->one_mmap = true;
    must(xen_pgdir_mapper_new(&fake_grants_ops, b.grants, &config,
                              &b.mapper) == 0, "xen_pgdir_mapper_new");
    memset(b.grants->memory, 1, (size_t)100 * PAGE);
    b.dir = fake_grants_make_directory(b.grants, BUFFER / PAGE, NULL);
    fake_front_init(&b.front);
    b.card = xen_sndif_new(&bench_ops, &b, b.mapper, &limits);
    xen_sndif_add_stream(b.card, &caps);
    xen_sndif_attach(b.card, 0, b.front.sring, b.front.evt);

    b.json = g_string_new("{\n  \"benchmark\": \"bench-sndif\",\n"
                          "  \"grants\": \"fake, mmap without hypercall\",\n");
    printf("Fake grants: a populated mmap() each, no hypercall. Medians.\n\n");
    bench_requests(&b);
    bench_second(&b);
    g_string_append(b.json, "}\n");

    xen_sndif_free(b.card);
    xen_pgdir_mapper_unref(b.mapper);
    fake_grants_free(b.grants);
    fake_front_free(&b.front);
    return bench_finish(file, b.json);
}
