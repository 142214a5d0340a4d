/*
 * A card, its owner and its guest, for tests of the engine of PV sound
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-fixture.h"

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
    g_strlcpy(t->last_why, why ? why : "", sizeof(t->last_why));
}

const XenSndifOps rec_ops = {
    .open = rec_open,
    .close = rec_close,
    .run = rec_run,
    .set_volume = rec_set_volume,
    .requests.notify = rec_notify_request,
    .notify_event = rec_notify_event,
    .requests.answered = rec_answered,
};

/* Fixture */

void front_attach(Test *t, uint32_t stream)
{
    FakeFront *front = &t->front[stream];

    fake_front_reset(front, 0);
    memset(t->alsa[stream], 0, sizeof(t->alsa[stream]));
    t->alsa[stream][1].modern = true;
    xen_sndif_attach(t->card, stream, front->sring, front->evt);
}

static void setup_full(Test *t, const XenPgdirGrantOps *ops,
                       uint32_t max_map_count, uint32_t max_pages)
{
    const XenPgdirConfig config = {
        .size = sizeof(config),
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
    g_assert_cmpint(xen_pgdir_mapper_new(ops, t->grants, &config,
                                         &t->mapper), ==, 0);
    t->card = xen_sndif_new(&rec_ops, t, t->mapper, &limits);
    for (i = 0; i < STREAMS; i++) {
        fake_front_init(&t->front[i]);
        t->front[i].id = 0xfff8;
        caps.capture = i == CAPTURE;
        g_assert_cmpuint(xen_sndif_add_stream(t->card, &caps), ==, i);
        front_attach(t, i);
    }
}

static void setup_with(Test *t, uint32_t max_map_count, uint32_t max_pages)
{
    setup_full(t, &fake_grants_ops, max_map_count, max_pages);
}

/* @data: whether grants can only be mapped one by one */
void setup(Test *t, gconstpointer data)
{
    setup_with(t, data ? 1 : 0, DOMAIN_PAGES);
}

static int32_t map_no_range(void *opaque, const uint32_t *refs,
                            uint32_t count, uint32_t writable, void **addr)
{
    return -EOPNOTSUPP;
}

static int32_t map_page(void *opaque, uint32_t ref, uint32_t writable,
                        void **addr)
{
    return fake_grants_ops.map(opaque, &ref, 1, writable, addr);
}

/* Pages that cannot be mapped as one range, but be looked at one by one */
void setup_scattered(Test *t, gconstpointer data)
{
    XenPgdirGrantOps ops = fake_grants_ops;

    ops.map = map_no_range;
    ops.map_page = map_page;
    setup_full(t, &ops, 0, DOMAIN_PAGES);
}

/* One by one, and no more than one small buffer's pages at once */
void setup_small(Test *t, gconstpointer data)
{
    setup_with(t, 1, 2);
}

void teardown(Test *t, gconstpointer data)
{
    uint32_t i;

    xen_sndif_free(t->card);
    /* Invariant 2 */
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    for (i = 0; i < STREAMS; i++) {
        g_assert_false(t->voice[i].open);
        g_assert_cmpuint(t->voice[i].opens, ==, t->voice[i].closes);
        fake_front_free(&t->front[i]);
    }
    xen_pgdir_mapper_unref(t->mapper);
    fake_grants_free(t->grants);
}

/* The guest's side: requests */

struct xensnd_req new_req(uint8_t operation)
{
    struct xensnd_req req;

    /* Linux leaves in a slot what was there before */
    memset(&req, 0xa5, sizeof(req));
    req.operation = operation;
    return req;
}

void send_req(Test *t, uint32_t stream, struct xensnd_req req)
{
    fake_front_send(&t->front[stream], &req);
}

/* Check the response to the last request, and return its status */
int32_t check_rsp(Test *t, uint32_t stream, uint8_t operation,
                  struct xensnd_query_hw_param *param)
{
    struct xensnd_resp rsp;

    /* Invariant 5 */
    fake_front_response(&t->front[stream], operation,
                        param ? sizeof(*param) : 0, &rsp);
    g_assert_cmpint(rsp.status, ==, t->last_status);
    if (param) {
        *param = rsp.resp.hw_param;
    }
    return rsp.status;
}

int32_t call_full(Test *t, uint32_t stream, struct xensnd_req req,
                  struct xensnd_query_hw_param *param)
{
    FakeFront *front = &t->front[stream];
    uint32_t kicks = t->voice[stream].request_kicks;
    bool more = true;

    fake_front_want_notify(front);
    send_req(t, stream, req);
    g_assert_cmpint(xen_sndif_process(t->card, stream, &more), ==, 1);
    g_assert_false(more);
    g_assert_cmpuint(t->voice[stream].request_kicks, ==, kicks + 1);
    return check_rsp(t, stream, req.operation, param);
}

int32_t call(Test *t, uint32_t stream, struct xensnd_req req)
{
    return call_full(t, stream, req, NULL);
}

void good(Test *t, uint32_t stream, struct xensnd_req req)
{
    g_assert_cmpint(call(t, stream, req), ==, 0);
    g_assert_cmpstr(t->last_why, ==, "");
}

/* A request that must be refused with that status, and change nothing */
void refused(Test *t, uint32_t stream, struct xensnd_req req,
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

struct xensnd_req req_open(uint32_t rate, uint8_t format,
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

struct xensnd_req req_rw(uint8_t operation, uint32_t offset,
                         uint32_t length)
{
    struct xensnd_req req = new_req(operation);

    req.op.rw.offset = offset;
    req.op.rw.length = length;
    return req;
}

struct xensnd_req req_trigger(uint8_t type)
{
    struct xensnd_req req = new_req(XENSND_OP_TRIGGER);

    req.op.trigger.type = type;
    return req;
}

struct xensnd_req req_query(uint64_t formats, uint32_t rate_min,
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

void start(Test *t, uint32_t stream)
{
    good(t, stream, req_trigger(XENSND_OP_TRIGGER_START));
}

void stop(Test *t, uint32_t stream)
{
    good(t, stream, req_trigger(XENSND_OP_TRIGGER_STOP));
}

/* The guest's side: what Linux makes of the events */

/* What Linux does at open, hw_params and hw_free */
void alsa_clear(Alsa *alsa, uint32_t buffer, uint32_t period)
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
uint32_t take_events(Test *t, uint32_t stream)
{
    FakeFront *front = &t->front[stream];
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
        for (i = 0; i < ARRAY_SIZE(t->alsa[stream]); i++) {
            alsa_event(&t->alsa[stream][i], &evt);
        }
        front->evt->in_cons++;
        n++;
    }
    return n;
}

/* Open a stream on fresh pages; returns its directory */
uint32_t open_stream(Test *t, uint32_t stream, uint8_t format,
                     uint8_t channels, uint32_t size, uint32_t period,
                     uint32_t *refs)
{
    uint32_t dir = fake_grants_make_directory(t->grants,
                                              DIV_ROUND_UP(size, PAGE), refs);
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(t->alsa[stream]); i++) {
        alsa_clear(&t->alsa[stream][i], size, period);
    }
    good(t, stream, req_open(48000, format, channels, size, period, dir));
    return dir;
}

void assert_alsa(Test *t, uint32_t stream, uint64_t position)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(t->alsa[stream]); i++) {
        g_assert_cmpuint(t->alsa[stream][i].position, ==, position);
        g_assert_cmpuint(t->alsa[stream][i].hw_ptr, ==,
                         position % t->alsa[stream][i].buffer);
    }
}

/* The guest's byte at an offset of a buffer */
uint8_t *byte_at(Test *t, const uint32_t *refs, uint32_t offset)
{
    return (uint8_t *)fake_grants_page(t->grants, refs[offset / PAGE]) +
           offset % PAGE;
}

/* Write bytes as the guest's copy and WRITE do; they count up from @seed */
void guest_write(Test *t, uint32_t stream, const uint32_t *refs,
                 uint32_t offset, uint32_t length, uint8_t seed)
{
    uint32_t i;

    for (i = 0; i < length; i++) {
        *byte_at(t, refs, offset + i) = seed + i;
    }
    good(t, stream, req_rw(XENSND_OP_WRITE, offset, length));
}

/* What a callback of the host's does last */
void played(Test *t, uint32_t stream, size_t length)
{
    xen_sndif_played(t->card, stream, length);
    xen_sndif_flush(t->card, stream);
}

void recorded(Test *t, uint32_t stream, const void *data,
              size_t length)
{
    xen_sndif_recorded(t->card, stream, data, length);
    xen_sndif_flush(t->card, stream);
}

/* Play bytes, which must count up from @seed */
void play(Test *t, uint32_t stream, uint32_t length, uint8_t seed)
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
        played(t, stream, n);
        length -= n;
    }
}

void play_silence(Test *t, uint32_t stream, uint32_t length)
{
    while (length) {
        size_t n = length;
        const void *data;

        g_assert_true(xen_sndif_peek(t->card, stream, &data, &n));
        g_assert_null(data);
        played(t, stream, n);
        length -= n;
    }
}
