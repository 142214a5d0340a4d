/*
 * Tests of the protocol engine of PV sound cards
 *
 * The guest's side works on raw ring and event pages, as a frontend would;
 * the owner's side records what the engine asks for.  Numbered invariants are
 * the promises that the backend makes to its host:
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

#include <sys/mman.h>
#include <xen/io/sndif.h>

#include "hw/xen/xen-pv-ring.h"
#include "hw/xen/xen-sndif.h"
#include "fake-grants.h"
#include "faults.h"

#define PAGE            4096
#define STREAMS         3
#define DOMAIN_PAGES    1200
#define CAPTURE         1       /* this stream records; the others play */

#define FORMATS         ((1u << XENSND_PCM_FORMAT_U8) | \
                         (1u << XENSND_PCM_FORMAT_S16_LE) | \
                         (1u << XENSND_PCM_FORMAT_S32_LE) | \
                         (1u << XENSND_PCM_FORMAT_GSM))

/* What Linux up to 2026, and Linux since, makes of the events */
typedef struct Alsa {
    bool modern;
    uint16_t id;
    uint64_t position;
    uint32_t buffer;
    uint32_t period;
    uint32_t hw_ptr;
    uint32_t out;
    uint32_t wakes;
    uint32_t dropped;
} Alsa;

typedef struct Voice {
    bool open;
    bool runs;
    XenSndifParams params;
    XenSndifVolume volume;
    uint32_t opens;
    uint32_t closes;
    uint32_t volumes;
    uint32_t request_kicks;
    uint32_t event_kicks;
    int refuse_open;
    int refuse_run;
} Voice;

typedef struct Front {
    struct xen_sndif_sring *sring;
    struct xensnd_event_page *evt;
    uint16_t id;
    Alsa alsa[2];
} Front;

typedef struct Test {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenSndif *card;
    Front front[STREAMS];
    Voice voice[STREAMS];
    uint32_t answers;
    uint16_t last_id;
    int32_t last_status;
    const char *last_why;
} Test;

static int rec_open(void *opaque, uint32_t stream,
                    const XenSndifParams *params)
{
    Voice *voice = &((Test *)opaque)->voice[stream];

    g_assert_false(voice->open);
    g_assert_cmpuint(params->buffer_size % params->frame_size, ==, 0);
    if (voice->refuse_open) {
        return voice->refuse_open;
    }
    voice->open = true;
    voice->params = *params;
    voice->opens++;
    return 0;
}

static void rec_close(void *opaque, uint32_t stream)
{
    Voice *voice = &((Test *)opaque)->voice[stream];

    g_assert_true(voice->open);
    g_assert_false(voice->runs);
    voice->open = false;
    voice->closes++;
}

static int rec_run(void *opaque, uint32_t stream, bool run)
{
    Voice *voice = &((Test *)opaque)->voice[stream];

    g_assert_true(voice->open);
    g_assert_true(voice->runs != run);
    if (run && voice->refuse_run) {
        return voice->refuse_run;
    }
    voice->runs = run;
    return 0;
}

static void rec_set_volume(void *opaque, uint32_t stream,
                           const XenSndifVolume *volume)
{
    Voice *voice = &((Test *)opaque)->voice[stream];

    g_assert_true(voice->open);
    g_assert_cmpuint(volume->channels, ==, voice->params.channels);
    voice->volume = *volume;
    voice->volumes++;
}

static void rec_notify_request(void *opaque, uint32_t stream)
{
    ((Test *)opaque)->voice[stream].request_kicks++;
}

static void rec_notify_event(void *opaque, uint32_t stream)
{
    ((Test *)opaque)->voice[stream].event_kicks++;
}

static void rec_answered(void *opaque, uint32_t stream, uint16_t id,
                         uint8_t operation, int32_t status, const char *why)
{
    Test *t = opaque;

    g_assert_cmpint(status, <=, 0);
    g_assert_true((status < 0) == (why != NULL));
    t->answers++;
    t->last_id = id;
    t->last_status = status;
    t->last_why = why;
}

static const XenSndifOps rec_ops = {
    .open = rec_open,
    .close = rec_close,
    .run = rec_run,
    .set_volume = rec_set_volume,
    .notify_request = rec_notify_request,
    .notify_event = rec_notify_event,
    .answered = rec_answered,
};

/* Fixture */

static void *page_new(void)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(page != MAP_FAILED);
    return page;
}

static void front_attach(Test *t, uint32_t stream)
{
    Front *front = &t->front[stream];

    memset(front->sring, 0xa5, PAGE);
    front->sring->req_prod = 0;
    front->sring->rsp_prod = 0;
    front->sring->req_event = 1;
    front->sring->rsp_event = 1;
    memset(front->evt, 0, PAGE);
    memset(front->alsa, 0, sizeof(front->alsa));
    front->alsa[1].modern = true;
    xen_sndif_attach(t->card, stream, front->sring, front->evt);
}

static void setup_with(Test *t, uint32_t max_map_count, uint32_t max_pages)
{
    const XenPgdirConfig config = {
        .max_pages = max_pages,
        .max_buffer_pages = 512,
        .max_map_count = max_map_count,
    };
    const XenSndifLimits limits = { .max_total_pages = 600 };
    XenSndifCaps caps = {
        .formats = FORMATS,
        .rates = { 8000, 44100, 48000 },
        .nr_rates = 3,
        .channels_min = 1,
        .channels_max = 6,
        .buffer_max = 2048 * 1024,
    };
    uint32_t i;

    memset(t, 0, sizeof(*t));
    t->grants = fake_grants_new(DOMAIN_PAGES);
    t->grants->max_count = max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, t->grants, &config,
                                         &t->mapper), ==, 0);
    t->card = xen_sndif_new(&rec_ops, t, t->mapper, &limits);
    for (i = 0; i < STREAMS; i++) {
        t->front[i].sring = page_new();
        t->front[i].evt = page_new();
        t->front[i].id = 0xfff8;
        caps.capture = i == CAPTURE;
        g_assert_cmpuint(xen_sndif_add_stream(t->card, &caps), ==, i);
        front_attach(t, i);
    }
}

/* @data: whether grants can only be mapped one by one */
static void setup(Test *t, gconstpointer data)
{
    setup_with(t, data ? 1 : 0, DOMAIN_PAGES);
}

/* One by one, and no more than one small buffer's pages at once */
static void setup_small(Test *t, gconstpointer data)
{
    setup_with(t, 1, 2);
}

static void teardown(Test *t, gconstpointer data)
{
    uint32_t i;

    xen_sndif_free(t->card);
    /* Invariant 2 */
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    for (i = 0; i < STREAMS; i++) {
        g_assert_false(t->voice[i].open);
        g_assert_cmpuint(t->voice[i].opens, ==, t->voice[i].closes);
        munmap(t->front[i].sring, PAGE);
        munmap(t->front[i].evt, PAGE);
    }
    xen_pgdir_mapper_unref(t->mapper);
    fake_grants_free(t->grants);
}

/* The guest's side: requests */

static struct xensnd_req new_req(uint8_t operation)
{
    struct xensnd_req req;

    /* Linux leaves in a slot what was there before */
    memset(&req, 0xa5, sizeof(req));
    req.operation = operation;
    return req;
}

static void send_req(Test *t, uint32_t stream, struct xensnd_req req)
{
    Front *front = &t->front[stream];
    char *ring = (char *)front->sring + 64;

    req.id = front->id++;
    memcpy(ring + front->sring->req_prod % 32 * 64, &req, 64);
    front->sring->req_prod++;
}

/* Check the response to the last request, and return its status */
static int32_t check_rsp(Test *t, uint32_t stream, uint8_t operation,
                         struct xensnd_query_hw_param *param)
{
    Front *front = &t->front[stream];
    char *ring = (char *)front->sring + 64;
    struct xensnd_resp rsp, want;

    g_assert_cmpuint(front->sring->rsp_prod, ==, front->sring->req_prod);
    memcpy(&rsp, ring + (front->sring->rsp_prod - 1) % 32 * 64, 64);
    memset(&want, 0, sizeof(want));
    want.id = front->id - 1;
    want.operation = operation;
    want.status = t->last_status;
    if (param) {
        *param = rsp.resp.hw_param;
        want.resp.hw_param = rsp.resp.hw_param;
    }
    /* Invariant 5 */
    g_assert_cmpmem(&rsp, 64, &want, 64);
    return rsp.status;
}

static int32_t call_full(Test *t, uint32_t stream, struct xensnd_req req,
                         struct xensnd_query_hw_param *param)
{
    Front *front = &t->front[stream];
    uint32_t kicks = t->voice[stream].request_kicks;
    bool more = true;

    front->sring->rsp_event = front->sring->rsp_prod + 1;
    send_req(t, stream, req);
    g_assert_cmpint(xen_sndif_process(t->card, stream, &more), ==, 1);
    g_assert_false(more);
    g_assert_cmpuint(t->voice[stream].request_kicks, ==, kicks + 1);
    return check_rsp(t, stream, req.operation, param);
}

static int32_t call(Test *t, uint32_t stream, struct xensnd_req req)
{
    return call_full(t, stream, req, NULL);
}

static void good(Test *t, uint32_t stream, struct xensnd_req req)
{
    g_assert_cmpint(call(t, stream, req), ==, 0);
    g_assert_null(t->last_why);
}

/* A request that must be refused with that status, and change nothing */
static void refused(Test *t, uint32_t stream, struct xensnd_req req,
                    int32_t status)
{
    XenSndifStats was, now;
    uint64_t position = xen_sndif_position(t->card, stream);
    uint64_t live = t->grants->live_pages;

    xen_sndif_stats(t->card, &was);
    g_assert_cmpint(call(t, stream, req), ==, status);
    xen_sndif_stats(t->card, &now);
    g_assert_cmpuint(now.refused, ==, was.refused + 1);
    g_assert_cmpuint(now.open, ==, was.open);
    g_assert_cmpuint(now.running, ==, was.running);
    g_assert_cmpuint(now.events, ==, was.events);
    g_assert_cmpuint(now.total_pages, ==, was.total_pages);
    g_assert_cmpuint(xen_sndif_position(t->card, stream), ==, position);
    g_assert_cmpuint(t->grants->live_pages, ==, live);
}

static struct xensnd_req req_open(uint32_t rate, uint8_t format,
                                  uint8_t channels, uint32_t size,
                                  uint32_t period, uint32_t dir)
{
    struct xensnd_req req = new_req(XENSND_OP_OPEN);

    req.op.open.pcm_rate = rate;
    req.op.open.pcm_format = format;
    req.op.open.pcm_channels = channels;
    req.op.open.buffer_sz = size;
    req.op.open.gref_directory = dir;
    req.op.open.period_sz = period;
    return req;
}

static struct xensnd_req req_rw(uint8_t operation, uint32_t offset,
                                uint32_t length)
{
    struct xensnd_req req = new_req(operation);

    req.op.rw.offset = offset;
    req.op.rw.length = length;
    return req;
}

static struct xensnd_req req_trigger(uint8_t type)
{
    struct xensnd_req req = new_req(XENSND_OP_TRIGGER);

    req.op.trigger.type = type;
    return req;
}

static struct xensnd_req req_query(uint64_t formats, uint32_t rate_min,
                                   uint32_t rate_max, uint32_t ch_min,
                                   uint32_t ch_max, uint32_t buf_min,
                                   uint32_t buf_max, uint32_t per_min,
                                   uint32_t per_max)
{
    struct xensnd_req req = new_req(XENSND_OP_HW_PARAM_QUERY);

    req.op.hw_param.formats = formats;
    req.op.hw_param.rates.min = rate_min;
    req.op.hw_param.rates.max = rate_max;
    req.op.hw_param.channels.min = ch_min;
    req.op.hw_param.channels.max = ch_max;
    req.op.hw_param.buffer.min = buf_min;
    req.op.hw_param.buffer.max = buf_max;
    req.op.hw_param.period.min = per_min;
    req.op.hw_param.period.max = per_max;
    return req;
}

static void start(Test *t, uint32_t stream)
{
    good(t, stream, req_trigger(XENSND_OP_TRIGGER_START));
}

static void stop(Test *t, uint32_t stream)
{
    good(t, stream, req_trigger(XENSND_OP_TRIGGER_STOP));
}

/* The guest's side: what Linux makes of the events */

/* What Linux does at open, hw_params and hw_free */
static void alsa_clear(Alsa *alsa, uint32_t buffer, uint32_t period)
{
    alsa->position = 0;
    alsa->hw_ptr = 0;
    alsa->out = 0;
    alsa->buffer = buffer;
    alsa->period = period;
    if (alsa->modern) {
        alsa->id = 0;
    }
}

static void alsa_event(Alsa *alsa, const struct xensnd_evt *evt)
{
    uint32_t delta;

    if (evt->id != alsa->id++) {
        alsa->dropped++;
        return;
    }
    g_assert_cmpuint(evt->op.cur_pos.position, >=, alsa->position);
    delta = evt->op.cur_pos.position - alsa->position;
    alsa->position = evt->op.cur_pos.position;
    alsa->hw_ptr = (alsa->hw_ptr + delta) % alsa->buffer;
    alsa->out += delta;
    if (alsa->out > alsa->period) {
        alsa->out %= alsa->period;
        alsa->wakes++;
    }
}

/* Take all events; returns their number */
static uint32_t take_events(Test *t, uint32_t stream)
{
    Front *front = &t->front[stream];
    uint32_t n = 0;

    while (front->evt->in_cons != front->evt->in_prod) {
        struct xensnd_evt evt, want;
        unsigned int i;

        memcpy(&evt, &XENSND_IN_RING_REF(front->evt, front->evt->in_cons),
               sizeof(evt));
        memset(&want, 0, sizeof(want));
        want.id = evt.id;
        want.type = XENSND_EVT_CUR_POS;
        want.op.cur_pos.position = evt.op.cur_pos.position;
        g_assert_cmpmem(&evt, 64, &want, 64);
        for (i = 0; i < ARRAY_SIZE(front->alsa); i++) {
            alsa_event(&front->alsa[i], &evt);
        }
        front->evt->in_cons++;
        n++;
    }
    return n;
}

/* Open a stream on fresh pages; returns its directory */
static uint32_t open_stream(Test *t, uint32_t stream, uint8_t format,
                            uint8_t channels, uint32_t size, uint32_t period,
                            uint32_t *refs)
{
    uint32_t dir = fake_grants_make_directory(t->grants,
                                              DIV_ROUND_UP(size, PAGE), refs);
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(t->front[stream].alsa); i++) {
        alsa_clear(&t->front[stream].alsa[i], size, period);
    }
    good(t, stream, req_open(48000, format, channels, size, period, dir));
    return dir;
}

static void assert_alsa(Test *t, uint32_t stream, uint64_t position)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(t->front[stream].alsa); i++) {
        g_assert_cmpuint(t->front[stream].alsa[i].position, ==, position);
        g_assert_cmpuint(t->front[stream].alsa[i].hw_ptr, ==,
                         position % t->front[stream].alsa[i].buffer);
    }
}

/* The guest's byte at an offset of a buffer */
static uint8_t *byte_at(Test *t, const uint32_t *refs, uint32_t offset)
{
    return (uint8_t *)fake_grants_page(t->grants, refs[offset / PAGE]) +
           offset % PAGE;
}

/* Write bytes as the guest's copy and WRITE do; they count up from @seed */
static void guest_write(Test *t, uint32_t stream, const uint32_t *refs,
                        uint32_t offset, uint32_t length, uint8_t seed)
{
    uint32_t i;

    for (i = 0; i < length; i++) {
        *byte_at(t, refs, offset + i) = seed + i;
    }
    good(t, stream, req_rw(XENSND_OP_WRITE, offset, length));
}

/* Play bytes, which must count up from @seed */
static void play(Test *t, uint32_t stream, uint32_t length, uint8_t seed)
{
    while (length) {
        size_t n = length;
        const void *data;
        size_t i;

        g_assert_true(xen_sndif_peek(t->card, stream, &data, &n));
        g_assert_nonnull(data);
        g_assert_cmpuint(n, <=, length);
        for (i = 0; i < n; i++) {
            g_assert_cmpuint(((const uint8_t *)data)[i], ==, seed);
            seed++;
        }
        xen_sndif_played(t->card, stream, n);
        length -= n;
    }
}

static void play_silence(Test *t, uint32_t stream, uint32_t length)
{
    while (length) {
        size_t n = length;
        const void *data;

        g_assert_true(xen_sndif_peek(t->card, stream, &data, &n));
        g_assert_null(data);
        xen_sndif_played(t->card, stream, n);
        length -= n;
    }
}

/* Tests */

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
    xen_sndif_played(t->card, 0, 400);
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
          req_query(u8 | s16 | s32, 8000, 48000, 1, 6, 1, size, 1, size));
    query(t, req_query(s16, 0, max, 2, 2, 0, max, 0, max),
          req_query(s16, 8000, 48000, 2, 2, 1, size / 4, 1, size / 4));
    query(t, req_query(s16 | s32, 8001, 47999, 2, 9, 0, max, 0, max),
          req_query(s16 | s32, 44100, 44100, 2, 6, 1, size / 4, 1,
                    size / 4));
    query(t, req_query(s16, 0, 44100, 2, 2, 100, 1000, 10, 20),
          req_query(s16, 8000, 44100, 2, 2, 100, 1000, 10, 20));
    query(t, req_query(s16, 0, 44100, 2, 2, 0, 1000, 10, max),
          req_query(s16, 8000, 44100, 2, 2, 10, 1000, 10, 1000));

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
        struct xensnd_req req = req_query(
            1ull << g_test_rand_int_range(0, 12), 0, UINT32_MAX, channels,
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
    }
}

static void check_steps(Test *t, uint32_t step)
{
    uint32_t refs[3], dir, i, rounds = 40000 / step;
    Alsa *alsa = t->front[0].alsa;
    uint64_t position = 0;

    dir = open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 12000, 800, refs);
    start(t, 0);
    alsa[0].wakes = alsa[1].wakes = 0;
    for (i = 0; i < rounds; i++) {
        uint32_t events;

        xen_sndif_played(t->card, 0, step);
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
    g_assert_cmpuint(t->front[0].alsa[0].dropped, >, 0);
    g_assert_cmpuint(t->front[0].alsa[1].dropped, >, 0);
}

/* Xruns: STOP, prepare, START, of a buffer that is no multiple of periods */
static void test_xrun(Test *t, gconstpointer data)
{
    const uint32_t buffer = 22050 * 4, period = 5512 * 4;
    uint32_t refs[22], i;
    uint64_t position = 0, last;
    Alsa *alsa = t->front[0].alsa;

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
    Alsa *alsa = t->front[0].alsa;
    unsigned int i, k;

    for (i = 0; i < 200; i++) {
        uint32_t period = 4 * g_test_rand_int_range(1, 300);
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
            xen_sndif_played(t->card, 0, step);
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
    xen_sndif_played(t->card, 0, 8000);
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
    xen_sndif_played(t->card, 0, 8000 * 100 + 4);
    stop(t, 0);
    start(t, 0);
    xen_sndif_played(t->card, 0, 4);
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
        xen_sndif_played(t->card, 0, 400);
    }
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.events, ==, 63);
    g_assert_cmpuint(stats.events_full, >, 900);
    g_assert_cmpuint(t->front[0].evt->in_prod, ==, 63);
    /* Garbage in place of the consumer's index is a full page, too */
    t->front[0].evt->in_cons = 0x12345678;
    xen_sndif_played(t->card, 0, 400);
    g_assert_cmpuint(t->front[0].evt->in_prod, ==, 63);
    t->front[0].evt->in_cons = 0;

    g_assert_cmpuint(take_events(t, 0), ==, 63);
    xen_sndif_played(t->card, 0, 4);
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
            xen_sndif_played(t->card, 0, 404);
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
    xen_sndif_recorded(t->card, CAPTURE, sound, 400);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, 0);
    start(t, CAPTURE);
    g_assert_false(xen_sndif_peek(t->card, CAPTURE, &chunk, &n));
    xen_sndif_played(t->card, CAPTURE, 400);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, 0);

    xen_sndif_recorded(t->card, CAPTURE, sound, 5000);
    g_assert_cmpuint(take_events(t, CAPTURE), ==, 2);
    assert_alsa(t, CAPTURE, 5000);
    good(t, CAPTURE, req_rw(XENSND_OP_READ, 0, 5000));
    for (i = 0; i < 5000; i++) {
        g_assert_cmpuint(*byte_at(t, refs, i), ==, sound[i]);
    }
    xen_sndif_recorded(t->card, CAPTURE, sound, 12000);
    for (i = 4000; i < 12000; i++) {
        g_assert_cmpuint(*byte_at(t, refs, (5000 + i) % 8000), ==, sound[i]);
    }
    take_events(t, CAPTURE);
    assert_alsa(t, CAPTURE, 17000);
    stop(t, CAPTURE);
    take_events(t, CAPTURE);
    assert_alsa(t, CAPTURE, 24000);
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
    g_assert_cmpint(v->millibel[0], ==, -6020);
    g_assert_cmpint(v->millibel[1], ==, 3000);
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
    g_assert_cmpint(v->millibel[0], ==, -6020);
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
    xen_sndif_recorded(t->card, CAPTURE, sound, sizeof(sound));
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.faults, ==, 1);
    g_assert_cmpuint(xen_sndif_position(t->card, CAPTURE), ==, sizeof(sound));

    fake_grants_refuse_ref(t->grants, refs[0], 0);
    xen_sndif_recorded(t->card, CAPTURE, sound, sizeof(sound));
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
    Front *front = &t->front[0];
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
        xen_sndif_played(t->card, stream, n);
    }
    if (t->voice[stream].runs && stream == CAPTURE) {
        n = sizeof(noise) / t->voice[stream].params.frame_size;
        n *= t->voice[stream].params.frame_size;
        xen_sndif_recorded(t->card, stream, noise, n);
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

/* An hour of sound keeps its position to the byte */
static void test_hour(Test *t, gconstpointer data)
{
    const uint64_t end = 48000ull * 4 * 3600;
    uint64_t position = 0;

    open_stream(t, 0, XENSND_PCM_FORMAT_S16_LE, 2, 16000, 4000, NULL);
    start(t, 0);
    while (position < end) {
        uint32_t step = MIN(end - position, 1920);

        xen_sndif_played(t->card, 0, step);
        position += step;
        take_events(t, 0);
        g_assert_cmpuint(position - t->front[0].alsa[0].position, <=, 4000);
    }
    g_assert_cmpuint(xen_sndif_position(t->card, 0), ==, end);
    stop(t, 0);
    take_events(t, 0);
    assert_alsa(t, 0, QEMU_ALIGN_UP(end, 16000));
}

/* Faults */

static void step(Test *t, uint32_t stream, struct xensnd_req req, bool faulty)
{
    int32_t status = call(t, stream, req);

    if (!faulty) {
        g_assert_cmpstr(t->last_why, ==, NULL);
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
        xen_sndif_played(t->card, 0, n);
    }
    g_assert_true(faulty || left == 0);
    xen_sndif_recorded(t->card, CAPTURE, noise, sizeof(noise));
    xen_sndif_recorded(t->card, CAPTURE, noise, sizeof(noise));
    take_events(t, 0);
    take_events(t, CAPTURE);
}

static void use_sound(Test *t, const uint32_t *dirs, bool faulty)
{
    uint32_t s;

    for (s = 0; s <= CAPTURE; s++) {
        alsa_clear(&t->front[s].alsa[0], 16000, 4000);
        alsa_clear(&t->front[s].alsa[1], 16000, 4000);
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
    XenSndifStats stats;

    g_assert_cmpuint(faults_in_turn(t->grants, data ? "sound, page by page"
                                                    : "sound",
                                    sound_cycle, t), >=, 20);
    xen_sndif_stats(t->card, &stats);
    g_assert_cmpuint(stats.faults, >, 0);
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

    ops.enough = always_enough;
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
    xen_sndif_played(t->card, STREAMS, 4);
    xen_sndif_recorded(t->card, STREAMS, "1234", 4);
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

#define ADD(path, test) \
    g_test_add("/xen/sndif/" path, Test, NULL, setup, test, teardown)

/* Invariant 6: once more, where grants can only be mapped one by one */
#define ADD_BOTH(path, test)                                            \
    do {                                                                \
        ADD(path, test);                                                \
        g_test_add("/xen/sndif/inv6/" path, Test, "single", setup,      \
                   test, teardown);                                     \
    } while (0)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_BOTH("life", test_life);
    ADD("open/bad", test_bad_open);
    ADD("open/before", test_before_open);
    ADD("open/second", test_second_open);
    ADD("ranges", test_ranges);
    ADD("trigger", test_trigger);
    ADD("query", test_query);
    ADD("query-then-open", test_query_then_open);
    ADD("position", test_position);
    ADD("position/xrun", test_xrun);
    ADD("position/stop-at-end", test_stop_at_end);
    ADD("position/after-stop", test_periods_after_stop);
    ADD("position/no-period", test_no_period);
    ADD("position/hour", test_hour);
    ADD_BOTH("underrun", test_underrun);
    ADD_BOTH("capture", test_capture);
    ADD_BOTH("volume", test_volume);
    ADD("quota", test_quota);
    ADD_BOTH("map-faults", test_map_faults);
    ADD_BOTH("faults", test_faults);
    g_test_add("/xen/sndif/lost-page", Test, NULL, setup_small,
               test_lost_page, teardown);
    ADD("no-stream", test_no_stream);
    ADD("enough", test_enough);
    ADD("info", test_info);
    ADD("rate-range", test_rate_range);
    ADD("stop-behind-writes", test_stop_behind_writes);
    ADD("inv1/broken-ring", test_inv1_broken_ring);
    ADD("inv2/close", test_inv2_close);
    ADD("inv2/reset", test_inv2_reset);
    ADD("inv4/read-only", test_inv4_read_only);
    ADD("inv5/events-full", test_inv5_events_full);
    ADD("inv5/ids-wrap", test_inv5_ids_wrap);
    ADD_BOTH("monkey", test_monkey);
    return g_test_run();
}
