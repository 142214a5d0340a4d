/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sound card between the fuzzers' guest and a host that plays and records
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "hw/xen/xen-sndif.h"
#include "fuzz-channel.h"
#include "fuzz-sound.h"

#define NR          FUZZ_SOUND_STREAMS
#define MAX_BYTES   65536

/*
 * A stream of the model
 *
 * @tag: of the mappings of its buffer
 * @open, @running: what the host was told
 * @started: running, or paused
 * @params: what it was opened with
 * @position: where it has to be
 * @told: the last position that the guest was told
 * @opened_at: events of the connection when it was opened
 */
typedef struct Stream {
    uint32_t tag;
    bool open;
    bool running;
    bool started;
    XenSndifParams params;
    uint64_t position;
    uint64_t told;
    uint32_t opened_at;
} Stream;

/* @active: stream whose requests are served now */
struct FuzzSound {
    FuzzGuest *guest;
    FuzzHost *host;
    XenSndif *card;
    XenSndifLimits limits;
    FuzzChannel channels[NR];
    Stream streams[NR];
    uint32_t active;
};

#define FORMAT(name) (1ULL << XENSND_PCM_FORMAT_##name)

/* One that is as most are, one that records, and one of unusual limits */
static const XenSndifCaps caps[NR] = {
    {
        .formats = FORMAT(U8) | FORMAT(S16_LE) | FORMAT(S32_LE),
        .rates = { 8000, 44100, 48000 },
        .nr_rates = 3,
        .channels_min = 1,
        .channels_max = 8,
        .buffer_max = 65536,
    }, {
        .capture = true,
        .formats = FORMAT(S16_LE) | FORMAT(F32_LE) | FORMAT(GSM),
        .rate_min = 8000,
        .rate_max = 48000,
        .channels_min = 2,
        .channels_max = 2,
        .buffer_max = 1 << 20,
    }, {
        .formats = UINT64_MAX,
        .rate_max = UINT32_MAX,
        .channels_max = XEN_SNDIF_MAX_CHANNELS,
        .buffer_max = UINT32_MAX,
    },
};

static int host_error(FuzzSound *s)
{
    return fuzz_chance(s->guest->in, 16) ? -EIO : 0;
}

/* ------------------------------------------------------------ operations */

static void check_params(uint32_t index, const XenSndifParams *params)
{
    const XenSndifCaps *c = &caps[index];

    g_assert(c->formats >> params->format & 1);
    g_assert(params->rate);
    g_assert_cmpuint(params->channels, >=, MAX(c->channels_min, 1));
    g_assert_cmpuint(params->channels, <=, c->channels_max);
    g_assert_cmpuint(params->frame_size, ==, params->channels *
                     xen_sndif_sample_size(params->format));
    g_assert_cmpuint(params->frame_size, >, 0);
    g_assert_cmpuint(params->buffer_size, >, 0);
    g_assert_cmpuint(params->buffer_size, <=, c->buffer_max);
    g_assert_cmpuint(params->buffer_size % params->frame_size, ==, 0);
    g_assert_cmpuint(params->period_size, <=, params->buffer_size);
}

static int op_open(void *opaque, uint32_t index, const XenSndifParams *params)
{
    FuzzSound *s = opaque;
    Stream *stream = &s->streams[index];
    int ret = host_error(s);

    g_assert_cmpuint(index, ==, s->active);
    g_assert(!stream->open);
    check_params(index, params);
    fuzz_guest_disturb(s->guest);
    if (ret == 0) {
        stream->open = true;
        stream->started = false;
        stream->params = *params;
        stream->position = 0;
        stream->told = 0;
        stream->opened_at = s->channels[index].sent;
    }
    return ret;
}

static void op_close(void *opaque, uint32_t index)
{
    FuzzSound *s = opaque;
    Stream *stream = &s->streams[index];

    g_assert(stream->open && !stream->running);
    stream->open = false;
    fuzz_guest_disturb(s->guest);
}

static int op_run(void *opaque, uint32_t index, bool run)
{
    FuzzSound *s = opaque;
    Stream *stream = &s->streams[index];
    int ret = host_error(s);

    g_assert(stream->open && stream->running != run);
    fuzz_guest_disturb(s->guest);
    /* What stops is stopped, whatever the host says */
    if (ret == 0 || !run) {
        stream->running = run;
    }
    return ret;
}

static void op_set_volume(void *opaque, uint32_t index,
                          const XenSndifVolume *volume)
{
    FuzzSound *s = opaque;

    g_assert(s->streams[index].open);
    g_assert_cmpuint(volume->channels, ==,
                     s->streams[index].params.channels);
    fuzz_guest_disturb(s->guest);
}

static void op_notify_request(void *opaque, uint32_t index)
{
    FuzzSound *s = opaque;

    g_assert_cmpint(s->channels[index].answered, >, 0);
    fuzz_guest_disturb(s->guest);
}

/*
 * One position, by two events: one that counts those of the connection and,
 * if it found room, one that counts those since the stream was opened.
 */
static void op_notify_event(void *opaque, uint32_t index)
{
    FuzzSound *s = opaque;
    FuzzChannel *channel = &s->channels[index];
    Stream *stream = &s->streams[index];
    uint32_t unseen = fuzz_channel_unseen(channel);
    uint64_t position;

    g_assert(unseen == 1 || unseen == 2);
    g_assert(stream->open && stream->params.period_size);
    position = fuzz_channel_event(channel, channel->sent,
                                  XENSND_EVT_CUR_POS);
    g_assert_cmpuint(position, >=, stream->told);
    stream->told = position;
    if (unseen == 2) {
        g_assert_cmpuint(position, ==,
                         fuzz_channel_event(channel, channel->sent -
                                            stream->opened_at,
                                            XENSND_EVT_CUR_POS));
    }
    fuzz_guest_disturb(s->guest);
}

/* ---------------------------------------------------- the model's answers */

/* Whatever is mapped for one request, or for a stream, is so as it may be */
static void expect_request(FuzzSound *s)
{
    FuzzChannel *channel = &s->channels[s->active];

    fuzz_channel_peek(channel);
    s->host->tag = s->streams[s->active].tag;
    s->host->may_write = caps[s->active].capture ||
                         channel->request.bytes[2] == XENSND_OP_GET_VOLUME;
}

static void check_interval(uint32_t min, uint32_t max, uint32_t req_min,
                           uint32_t req_max)
{
    g_assert_cmpuint(min, <=, max);
    g_assert_cmpuint(min, >=, req_min);
    g_assert_cmpuint(max, <=, req_max);
}

/* The answer to a query is nothing that was not asked for */
static void check_query(FuzzSound *s, const struct xensnd_req *req)
{
    const FuzzChannel *channel = &s->channels[s->active];
    const struct xensnd_query_hw_param *q = &req->op.hw_param;
    struct xensnd_resp rsp;

    memcpy(&rsp, channel->ring + XEN_PV_SLOT_SIZE +
           (channel->cons - 1) % XEN_PV_RING_SLOTS * XEN_PV_SLOT_SIZE,
           sizeof(rsp));
    g_assert(rsp.resp.hw_param.formats);
    g_assert(!(rsp.resp.hw_param.formats & ~q->formats));
    g_assert(!(rsp.resp.hw_param.formats & ~caps[s->active].formats));
    check_interval(rsp.resp.hw_param.rates.min, rsp.resp.hw_param.rates.max,
                   q->rates.min, q->rates.max);
    check_interval(rsp.resp.hw_param.channels.min,
                   rsp.resp.hw_param.channels.max,
                   q->channels.min, q->channels.max);
    check_interval(rsp.resp.hw_param.buffer.min, rsp.resp.hw_param.buffer.max,
                   q->buffer.min, q->buffer.max);
    check_interval(rsp.resp.hw_param.period.min, rsp.resp.hw_param.period.max,
                   q->period.min, q->period.max);
}

/* A STOP, of what was started, goes to the next start of the buffer */
static void triggered(Stream *stream, uint8_t trigger)
{
    bool run = trigger == XENSND_OP_TRIGGER_START ||
               trigger == XENSND_OP_TRIGGER_RESUME;

    g_assert(stream->open && stream->running == run);
    if (run) {
        stream->started = true;
    } else if (trigger == XENSND_OP_TRIGGER_STOP && stream->started) {
        stream->position = QEMU_ALIGN_UP(stream->position,
                                         (uint64_t)stream->params.buffer_size);
        stream->started = false;
    }
}

static void accepted(FuzzSound *s, const struct xensnd_req *req)
{
    Stream *stream = &s->streams[s->active];

    switch (req->operation) {
    case XENSND_OP_OPEN:
        g_assert(stream->open && !stream->running);
        g_assert_cmpuint(stream->params.buffer_size, ==,
                         req->op.open.buffer_sz);
        break;
    case XENSND_OP_CLOSE:
        g_assert(!stream->open);
        break;
    case XENSND_OP_TRIGGER:
        triggered(stream, req->op.trigger.type);
        break;
    case XENSND_OP_HW_PARAM_QUERY:
        check_query(s, req);
        break;
    case XENSND_OP_READ:
    case XENSND_OP_WRITE:
    case XENSND_OP_SET_VOLUME:
    case XENSND_OP_GET_VOLUME:
    case XENSND_OP_MUTE:
    case XENSND_OP_UNMUTE:
        g_assert(stream->open);
        g_assert_cmpuint((uint64_t)req->op.rw.offset + req->op.rw.length, <=,
                         stream->params.buffer_size);
        break;
    default:
        g_assert_not_reached();
    }
}

static void refused(FuzzSound *s, const struct xensnd_req *req,
                    int32_t status)
{
    g_assert(req->operation != XENSND_OP_CLOSE);
    g_assert(req->operation != XENSND_OP_OPEN || !s->streams[s->active].open);
    if (req->operation > XENSND_OP_HW_PARAM_QUERY) {
        g_assert_cmpint(status, ==, -EOPNOTSUPP);
    }
}

static void op_answered(void *opaque, uint32_t index, uint16_t id,
                        uint8_t operation, int32_t status, const char *why)
{
    FuzzSound *s = opaque;
    FuzzChannel *channel = &s->channels[index];
    bool query = operation == XENSND_OP_HW_PARAM_QUERY && status == 0;
    struct xensnd_req req;

    g_assert_cmpuint(index, ==, s->active);
    fuzz_channel_answered(channel, id, operation, status, why,
                          query ? sizeof(struct xensnd_query_hw_param) : 0);
    memcpy(&req, channel->request.bytes, sizeof(req));
    if (status == 0) {
        accepted(s, &req);
    } else {
        refused(s, &req, status);
    }
    if (!s->streams[index].open) {
        g_assert_cmpuint(fuzz_host_tagged(s->host, s->streams[index].tag),
                         ==, 0);
    }
    fuzz_guest_disturb(s->guest);
    expect_request(s);
}

/* The host may want to do something else first */
static bool op_enough(void *opaque)
{
    FuzzSound *s = opaque;

    fuzz_guest_disturb(s->guest);
    expect_request(s);
    return fuzz_chance(s->guest->in, 16);
}

static const XenSndifOps ops = {
    .open = op_open,
    .close = op_close,
    .run = op_run,
    .set_volume = op_set_volume,
    .requests.notify = op_notify_request,
    .notify_event = op_notify_event,
    .requests.answered = op_answered,
    .requests.enough = op_enough,
};

/* ------------------------------------------------------------- requests */

/* Some part of the buffer, or just two numbers */
static void make_range(FuzzInput *in, const Stream *stream,
                       struct xensnd_rw_req *req)
{
    uint32_t size = stream->params.buffer_size;

    req->offset = fuzz_number(in);
    req->length = fuzz_number(in);
    if (stream->open && !fuzz_chance(in, 8)) {
        req->offset %= size;
        req->length %= size - req->offset + 1;
    }
}

static void make_open(FuzzInput *in, FuzzGuest *guest,
                      struct xensnd_open_req *req)
{
    static const uint32_t rates[] = { 48000, 8000, 44100 };
    static const uint8_t formats[] = {
        XENSND_PCM_FORMAT_S16_LE, XENSND_PCM_FORMAT_S16_LE,
        XENSND_PCM_FORMAT_U8, XENSND_PCM_FORMAT_F64_BE,
        XENSND_PCM_FORMAT_F32_LE, XENSND_PCM_FORMAT_GSM,
    };
    static const uint32_t sizes[] = { 8192, 64, 4096, 65536, 480000, 12288 };

    req->pcm_rate = FUZZ_CHOICE(in, rates);
    req->pcm_format = fuzz_chance(in, 8) ? fuzz_u8(in)
                                         : FUZZ_CHOICE(in, formats);
    req->pcm_channels = 1 + fuzz_pick(in, 3);
    req->buffer_sz = FUZZ_CHOICE(in, sizes);
    req->gref_directory = fuzz_guest_ref(guest);
    req->period_sz = req->buffer_sz / (1 << fuzz_pick(in, 4));
    if (fuzz_chance(in, 8)) {
        req->pcm_rate = fuzz_number(in);
        req->pcm_channels = fuzz_u8(in);
        req->buffer_sz = fuzz_number(in);
        req->period_sz = fuzz_number(in);
    }
}

static void make_query(FuzzInput *in, struct xensnd_query_hw_param *req)
{
    req->formats = fuzz_chance(in, 4) ? fuzz_u64(in) : UINT64_MAX;
    req->rates.min = fuzz_chance(in, 4) ? fuzz_number(in) : 0;
    req->rates.max = fuzz_chance(in, 4) ? fuzz_number(in) : UINT32_MAX;
    req->channels.min = fuzz_chance(in, 4) ? fuzz_number(in) : 0;
    req->channels.max = fuzz_chance(in, 4) ? fuzz_number(in) : UINT32_MAX;
    req->buffer.min = fuzz_chance(in, 4) ? fuzz_number(in) : 0;
    req->buffer.max = fuzz_chance(in, 4) ? fuzz_number(in) : UINT32_MAX;
    req->period.min = fuzz_chance(in, 4) ? fuzz_number(in) : 0;
    req->period.max = fuzz_chance(in, 4) ? fuzz_number(in) : UINT32_MAX;
}

static void make_request(FuzzSound *s, uint32_t index, XenPvSlot *slot)
{
    static const uint8_t operations[] = {
        XENSND_OP_OPEN, XENSND_OP_TRIGGER, XENSND_OP_WRITE, XENSND_OP_CLOSE,
        XENSND_OP_READ, XENSND_OP_SET_VOLUME, XENSND_OP_GET_VOLUME,
        XENSND_OP_MUTE, XENSND_OP_UNMUTE, XENSND_OP_HW_PARAM_QUERY,
        XENSND_OP_TRIGGER, XENSND_OP_WRITE, XENSND_OP_OPEN,
    };
    FuzzInput *in = s->guest->in;
    struct xensnd_req req = { .id = fuzz_u8(in) };

    req.operation = FUZZ_CHOICE(in, operations);
    switch (req.operation) {
    case XENSND_OP_OPEN:
        make_open(in, s->guest, &req.op.open);
        break;
    case XENSND_OP_CLOSE:
        break;
    case XENSND_OP_TRIGGER:
        req.op.trigger.type = fuzz_pick(in, 5);
        break;
    case XENSND_OP_HW_PARAM_QUERY:
        make_query(in, &req.op.hw_param);
        break;
    default:
        make_range(in, &s->streams[index], &req.op.rw);
        break;
    }
    memcpy(slot->bytes, &req, sizeof(req));
}

/* ---------------------------------------------------------- what happens */

static void check_position(FuzzSound *s, uint32_t index)
{
    const Stream *stream = &s->streams[index];

    g_assert_cmpuint(xen_sndif_position(s->card, index), ==,
                     stream->open ? stream->position : 0);
}

static void serve(FuzzSound *s, uint32_t index)
{
    FuzzChannel *channel = &s->channels[index];
    bool more;

    s->active = index;
    expect_request(s);
    fuzz_channel_served(channel, xen_sndif_process(s->card, index, &more));
    s->host->may_write = false;
    g_assert(channel->ring || !more);
    check_position(s, index);
}

static void peek(FuzzSound *s, uint32_t index, size_t want)
{
    const Stream *stream = &s->streams[index];
    size_t length = want;
    const void *data;
    bool any = xen_sndif_peek(s->card, index, &data, &length);

    g_assert(any == !!length);
    g_assert_cmpuint(length, <=, want);
    g_assert(any || !data);
    if (any) {
        g_assert(stream->running && !caps[index].capture);
        g_assert_cmpuint(length % stream->params.frame_size, ==, 0);
        g_assert_cmpuint(length, <=, stream->params.buffer_size);
        if (data) {
            fuzz_touch(data, length);
        }
    }
}

/* The host's clock says that it is time for so many bytes */
static void tick(FuzzSound *s, uint32_t index)
{
    static const uint8_t sound[MAX_BYTES];
    Stream *stream = &s->streams[index];
    uint32_t frame = stream->open ? stream->params.frame_size : 4;
    uint32_t length = fuzz_number(s->guest->in) * 64ull % MAX_BYTES;
    uint32_t whole = length / frame * frame;
    bool capture = fuzz_chance(s->guest->in, 8) ^ caps[index].capture;

    s->host->tag = stream->tag;
    s->host->may_write = caps[index].capture;
    if (capture) {
        xen_sndif_recorded(s->card, index, sound, whole);
    } else {
        peek(s, index, length);
        xen_sndif_played(s->card, index, whole);
    }
    if (!fuzz_chance(s->guest->in, 8)) {
        xen_sndif_flush(s->card, index);
    }
    s->host->may_write = false;
    if (stream->running && capture == caps[index].capture) {
        stream->position += whole;
    }
    check_position(s, index);
}

void fuzz_sound_step(FuzzSound *s)
{
    FuzzInput *in = s->guest->in;
    uint8_t what = fuzz_u8(in);
    uint32_t index = fuzz_pick(in, NR);
    FuzzChannel *channel = &s->channels[index];
    XenPvSlot slot;

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        make_request(s, index, &slot);
        fuzz_channel_put(channel, &slot);
        if (what < 192) {
            serve(s, index);
        }
        break;
    case 5:
        fuzz_bytes(in, slot.bytes, sizeof(slot));
        slot.bytes[2] %= XENSND_OP_HW_PARAM_QUERY + 2;
        fuzz_channel_put(channel, &slot);
        serve(s, index);
        break;
    case 6:
        serve(s, index);
        break;
    case 7:
    case 8:
    case 9:
        tick(s, index);
        break;
    case 10:
        fuzz_channel_play(channel);
        break;
    default:
        fuzz_guest_directory(s->guest);
        break;
    }
}

/* -------------------------------------------------------------- the model */

static uint64_t check_stream(FuzzSound *s, uint32_t i)
{
    const Stream *stream = &s->streams[i];
    XenSndifStreamInfo info;

    xen_sndif_stream_info(s->card, i, &info);
    g_assert(info.capture == caps[i].capture);
    g_assert(info.connected == !!s->channels[i].ring);
    g_assert(info.broken == s->channels[i].broken);
    g_assert_cmpuint(info.events, ==, s->channels[i].sent);
    g_assert(stream->open == !g_str_equal(info.state, "closed"));
    g_assert(stream->running == g_str_equal(info.state, "running"));
    g_assert_cmpuint(info.position, ==, stream->open ? stream->position : 0);
    if (!stream->open) {
        g_assert_cmpuint(fuzz_host_tagged(s->host, stream->tag), ==, 0);
        return 0;
    }
    g_assert(memcmp(&info.params, &stream->params, sizeof(info.params)) == 0);
    return ((uint64_t)stream->params.buffer_size + XEN_PGDIR_PAGE_SIZE - 1) /
           XEN_PGDIR_PAGE_SIZE;
}

void fuzz_sound_check(FuzzSound *s)
{
    uint32_t open = 0, running = 0, i;
    XenSndifStats stats;
    uint64_t pages = 0;

    for (i = 0; i < NR; i++) {
        pages += check_stream(s, i);
        open += s->streams[i].open;
        running += s->streams[i].running;
    }
    xen_sndif_stats(s->card, &stats);
    g_assert_cmpuint(stats.open, ==, open);
    g_assert_cmpuint(stats.running, ==, running);
    g_assert_cmpuint(stats.total_pages, ==, pages);
    g_assert_cmpuint(stats.total_pages, <=, s->limits.max_total_pages);
    fuzz_host_check(s->host);
}

/* ------------------------------------------------------------ life cycle */

FuzzSound *fuzz_sound_new(FuzzGuest *guest)
{
    static const XenSndifLimits limits[] = { { 1024 }, { 24 } };
    FuzzSound *s = g_new0(FuzzSound, 1);
    uint32_t i;

    s->guest = guest;
    s->host = fuzz_host_new(guest);
    s->limits = FUZZ_CHOICE(guest->in, limits);
    s->card = xen_sndif_new(&ops, s, s->host->mapper, &s->limits);
    for (i = 0; i < NR; i++) {
        s->streams[i].tag = 1 + i;
        g_assert_cmpuint(xen_sndif_add_stream(s->card, &caps[i]), ==, i);
    }
    return s;
}

void fuzz_sound_connect(FuzzSound *s)
{
    uint32_t i;

    fuzz_sound_disconnect(s);
    for (i = 0; i < NR; i++) {
        if (!fuzz_channel_open(&s->channels[i], s->host,
                               FUZZ_SOUND_PAGE + 2 * i)) {
            fuzz_sound_disconnect(s);
            return;
        }
        xen_sndif_attach(s->card, i, s->channels[i].ring,
                         s->channels[i].events);
    }
}

void fuzz_sound_disconnect(FuzzSound *s)
{
    uint32_t i;

    xen_sndif_reset(s->card);
    g_assert_cmpuint(s->host->mapped, ==,
                     fuzz_host_tagged(s->host, FUZZ_TAG_CHANNEL));
    for (i = 0; i < NR; i++) {
        g_assert(!s->streams[i].open);
        fuzz_channel_close(&s->channels[i]);
    }
    g_assert_cmpuint(s->host->mapped, ==, 0);
}

void fuzz_sound_free(FuzzSound *s)
{
    fuzz_sound_disconnect(s);
    xen_sndif_free(s->card);
    fuzz_host_free(s->host);
    g_free(s);
}
