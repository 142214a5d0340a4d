/*
 * Protocol engine of a PV sound card's backend: sndif
 *
 * Every request is copied out of the ring once, checked, carried out and
 * answered before the next one is looked at.  None ever waits for the clock:
 * sound is not in the requests but in the shared buffer, and moves when the
 * owner says so.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "hw/xen/xen-pv-ring.h"
#include "hw/xen/xen-sndif.h"
#include "sndif-buffer.h"
#include "sndif-check.h"
#include "sndif-position.h"
#include "sndif-volume.h"
#include "why.h"

QEMU_BUILD_BUG_ON(sizeof(struct xensnd_req) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(struct xensnd_resp) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(offsetof(struct xensnd_req, operation) !=
                  offsetof(XenPvHead, operation));
QEMU_BUILD_BUG_ON(offsetof(struct xensnd_req, op) != sizeof(XenPvHead));
QEMU_BUILD_BUG_ON(offsetof(struct xensnd_resp, operation) !=
                  offsetof(XenPvHead, operation));
QEMU_BUILD_BUG_ON(offsetof(struct xensnd_resp, status) !=
                  offsetof(XenPvHead, status));

typedef enum SndifState {
    SNDIF_CLOSED,
    SNDIF_STOPPED,
    SNDIF_RUNNING,
    SNDIF_PAUSED,
} SndifState;

/*
 * @caps: what it may be opened with
 * @volume: how loud; survives CLOSE, as the knobs of a real card do
 * @adjusted: @volume is not what every stream begins with
 * @silent_bytes: for statistics
 *
 * All below is of the open stream:
 *
 * @directory: the guest's page directory
 * @buffer: its buffer
 * @position: where it is
 */
typedef struct SndifStream {
    XenSndifCaps caps;
    XenPvRing ring;
    XenPvEvents events;
    XenSndifVolume volume;
    bool adjusted;
    SndifState state;
    XenSndifParams params;
    uint32_t directory;
    XenSndifBuffer buffer;
    XenSndifPosition position;
    uint64_t silent_bytes;
} SndifStream;

struct XenSndif {
    const XenSndifOps *ops;
    void *opaque;
    XenPgdirMapper *mapper;
    XenSndifLimits limits;
    XenPvServer server;
    GPtrArray *streams;
    uint64_t total_pages;
    uint64_t events;
    uint64_t events_full;
    uint64_t faults;
};

static SndifStream *get_stream(const XenSndif *card, uint32_t index)
{
    if (index >= card->streams->len) {
        return NULL;
    }
    return g_ptr_array_index(card->streams, index);
}

static bool is_started(const SndifStream *stream)
{
    return stream->state == SNDIF_RUNNING || stream->state == SNDIF_PAUSED;
}

/* -------------------------------------------------------------- events */

/* Only between START and the answer to STOP, when all frontends listen */
static void send_position(XenSndif *card, uint32_t index, uint64_t told)
{
    SndifStream *stream = get_stream(card, index);
    uint32_t before = stream->events.prod;
    int ret = xen_sndif_position_send(&stream->position, &stream->params,
                                      &stream->events, told);

    if (stream->events.prod != before) {
        card->events += stream->events.prod - before;
        card->ops->notify_event(card->opaque, index);
    }
    card->events_full += ret < 0;
}

/* ------------------------------------------------------- open and close */

static void drop_pages(XenSndif *card, SndifStream *stream)
{
    if (stream->buffer.pages) {
        card->total_pages -= xen_sndif_pages(stream->params.buffer_size);
    }
    xen_sndif_buffer_close(&stream->buffer);
    memset(&stream->params, 0, sizeof(stream->params));
}

/* When this returns no page of the buffer is mapped */
static void close_stream(XenSndif *card, uint32_t index)
{
    SndifStream *stream = get_stream(card, index);

    if (stream->state == SNDIF_CLOSED) {
        return;
    }
    if (stream->state == SNDIF_RUNNING) {
        card->ops->run(card->opaque, index, false);
    }
    card->ops->close(card->opaque, index);
    drop_pages(card, stream);
    stream->state = SNDIF_CLOSED;
    stream->position.now = 0;
}

static void tell_volume(XenSndif *card, uint32_t index)
{
    SndifStream *stream = get_stream(card, index);

    stream->volume.channels = stream->params.channels;
    if (stream->adjusted) {
        card->ops->set_volume(card->opaque, index, &stream->volume);
    }
}

static int take_pages(XenSndif *card, SndifStream *stream,
                      const XenSndifParams *params, XenPvWhy *why)
{
    uint64_t count = xen_sndif_pages(params->buffer_size);
    int ret;

    if (count > card->limits.max_total_pages - card->total_pages) {
        return xen_pv_why_total(why, card->total_pages, count,
                                card->limits.max_total_pages);
    }
    ret = xen_sndif_buffer_open(&stream->buffer, card->mapper,
                                stream->directory, params,
                                stream->caps.capture, why);
    if (ret < 0) {
        return ret;
    }
    stream->params = *params;
    card->total_pages += count;
    return 0;
}

/*
 * Linux drops the buffer of an open stream without a CLOSE when its
 * parameters are set once more.  So whatever comes of this OPEN, the buffer
 * of the one before is gone.
 */
static int do_open(XenSndif *card, uint32_t index,
                   const struct xensnd_open_req *req, XenPvWhy *why)
{
    SndifStream *stream = get_stream(card, index);
    XenSndifParams params;
    int ret;

    close_stream(card, index);
    ret = xen_sndif_check_open(&stream->caps, req, &params, why);
    if (ret < 0) {
        return ret;
    }
    stream->directory = req->gref_directory;
    ret = take_pages(card, stream, &params, why);
    if (ret < 0) {
        return ret;
    }
    ret = card->ops->open(card->opaque, index, &stream->params);
    if (ret < 0) {
        drop_pages(card, stream);
        return xen_pv_why(why, ret, "the host cannot open such a stream: %"
                          PRIu32 " Hz, %u channels, sample format %u",
                          params.rate, params.channels, params.format);
    }

    stream->state = SNDIF_STOPPED;
    xen_sndif_position_open(&stream->position, &stream->params,
                            stream->events.prod);
    tell_volume(card, index);
    return 0;
}

/* Pages of an open stream's buffer cannot be reached */
static int no_pages(XenSndif *card, int error, XenPvWhy *why)
{
    return xen_pv_why_pages(why, error, card->mapper,
                            "buffer cannot be mapped");
}

/* -------------------------------------------------------------- trigger */

static int start(XenSndif *card, uint32_t index, XenPvWhy *why)
{
    SndifStream *stream = get_stream(card, index);
    int ret;

    if (stream->state == SNDIF_RUNNING) {
        return 0;
    }
    ret = xen_sndif_buffer_map(&stream->buffer);
    if (ret < 0) {
        card->faults++;
        return no_pages(card, ret, why);
    }
    ret = card->ops->run(card->opaque, index, true);
    if (ret < 0) {
        return xen_pv_why(why, ret, "the host cannot start the stream");
    }
    stream->state = SNDIF_RUNNING;
    return 0;
}

static void pause_stream(XenSndif *card, uint32_t index)
{
    SndifStream *stream = get_stream(card, index);

    if (stream->state == SNDIF_RUNNING) {
        card->ops->run(card->opaque, index, false);
        stream->state = SNDIF_PAUSED;
    }
}

static void stop(XenSndif *card, uint32_t index)
{
    SndifStream *stream = get_stream(card, index);

    if (!is_started(stream)) {
        return;
    }
    pause_stream(card, index);
    xen_sndif_position_wrap(&stream->position, &stream->params);
    send_position(card, index, stream->position.now);
    xen_sndif_buffer_forget(&stream->buffer);
    stream->state = SNDIF_STOPPED;
}

static int do_trigger(XenSndif *card, uint32_t index, uint8_t type,
                      XenPvWhy *why)
{
    SndifStream *stream = get_stream(card, index);

    switch (type) {
    case XENSND_OP_TRIGGER_START:
        return start(card, index, why);
    case XENSND_OP_TRIGGER_STOP:
        stop(card, index);
        return 0;
    case XENSND_OP_TRIGGER_PAUSE:
    case XENSND_OP_TRIGGER_RESUME:
        break;
    default:
        return xen_pv_why(why, -EINVAL, "unknown trigger %u", type);
    }

    if (!is_started(stream)) {
        return xen_pv_why(why, -EINVAL, "stream was not started");
    }
    if (type == XENSND_OP_TRIGGER_RESUME) {
        return start(card, index, why);
    }
    pause_stream(card, index);
    return 0;
}

/* ----------------------------------------------------- the shared buffer */

static int do_write(SndifStream *stream, const struct xensnd_rw_req *req,
                    XenPvWhy *why)
{
    if (stream->caps.capture) {
        return xen_pv_why(why, -EINVAL, "WRITE to a capture stream");
    }
    xen_sndif_buffer_written(&stream->buffer, req->offset, req->length);
    return 0;
}

/* What there is to read is in the buffer already */
static int do_read(SndifStream *stream, XenPvWhy *why)
{
    if (!stream->caps.capture) {
        return xen_pv_why(why, -EINVAL, "READ from a playback stream");
    }
    return 0;
}

static int too_short(uint32_t length, uint32_t size, XenPvWhy *why)
{
    return xen_pv_why(why, -EINVAL, "%" PRIu32 " bytes for the values of all "
                      "channels, which have %" PRIu32, length, size);
}

/* SET_VOLUME, MUTE and UNMUTE: the values are in the buffer */
static int do_volume(XenSndif *card, uint32_t index, uint8_t operation,
                     const struct xensnd_rw_req *req, XenPvWhy *why)
{
    SndifStream *stream = get_stream(card, index);
    uint32_t size = xen_sndif_volume_size(&stream->volume, operation);
    int32_t values[XEN_SNDIF_MAX_CHANNELS];
    int ret;

    if (req->length < size) {
        return too_short(req->length, size, why);
    }
    ret = xen_pgdir_buffer_read(stream->buffer.pages, req->offset, values,
                                size);
    if (ret < 0) {
        card->faults++;
        return no_pages(card, ret, why);
    }
    xen_sndif_volume_apply(&stream->volume, operation, values);
    stream->adjusted = true;
    tell_volume(card, index);
    return 0;
}

/*
 * The buffer of a playback stream is mapped read-only.  The one request that
 * wants it otherwise gets a mapping of its own, for as long as it takes.
 */
static int do_get_volume(XenSndif *card, SndifStream *stream,
                         const struct xensnd_rw_req *req, XenPvWhy *why)
{
    uint32_t size = xen_sndif_volume_size(&stream->volume,
                                          XENSND_OP_GET_VOLUME);
    XenPgdirBuffer *pages;
    int ret;

    if (req->length < size) {
        return too_short(req->length, size, why);
    }
    ret = xen_pgdir_buffer_new(card->mapper, stream->directory,
                               stream->params.buffer_size,
                               XEN_PGDIR_WRITABLE, &pages);
    if (ret < 0) {
        return xen_pv_why_pages(why, ret, card->mapper,
                                "page directory cannot be read");
    }
    ret = xen_pgdir_buffer_write(pages, req->offset,
                                 stream->volume.millidecibel, size);
    xen_pgdir_buffer_revoke(pages);
    xen_pgdir_buffer_unref(pages);
    if (ret < 0) {
        card->faults++;
        return no_pages(card, ret, why);
    }
    return 0;
}

/* ------------------------------------------------------------- requests */

static int use_buffer(XenSndif *card, uint32_t index,
                      const struct xensnd_req *req, XenPvWhy *why)
{
    SndifStream *stream = get_stream(card, index);
    int ret;

    ret = xen_sndif_check_range(stream->params.buffer_size, &req->op.rw, why);
    if (ret < 0) {
        return ret;
    }

    switch (req->operation) {
    case XENSND_OP_READ:
        return do_read(stream, why);
    case XENSND_OP_WRITE:
        return do_write(stream, &req->op.rw, why);
    case XENSND_OP_GET_VOLUME:
        return do_get_volume(card, stream, &req->op.rw, why);
    default:
        return do_volume(card, index, req->operation, &req->op.rw, why);
    }
}

static int do_query(SndifStream *stream, const struct xensnd_req *req,
                    struct xensnd_resp *rsp, XenPvWhy *why)
{
    int ret = xen_sndif_check_query(&stream->caps, &req->op.hw_param,
                                    &rsp->resp.hw_param, why);

    if (ret < 0) {
        memset(&rsp->resp, 0, sizeof(rsp->resp));
    }
    return ret;
}

static int carry_out(void *engine, uint32_t index, XenPvSlot *request,
                     XenPvSlot *response, XenPvWhy *why)
{
    const struct xensnd_req *req = (struct xensnd_req *)request->bytes;
    struct xensnd_resp *rsp = (struct xensnd_resp *)response->bytes;
    XenSndif *card = engine;
    SndifStream *stream = get_stream(card, index);

    switch (req->operation) {
    case XENSND_OP_OPEN:
        return do_open(card, index, &req->op.open, why);
    case XENSND_OP_CLOSE:
        /* Linux sends one for each stream, opened or not */
        close_stream(card, index);
        return 0;
    case XENSND_OP_HW_PARAM_QUERY:
        return do_query(stream, req, rsp, why);
    case XENSND_OP_READ:
    case XENSND_OP_WRITE:
    case XENSND_OP_SET_VOLUME:
    case XENSND_OP_GET_VOLUME:
    case XENSND_OP_MUTE:
    case XENSND_OP_UNMUTE:
    case XENSND_OP_TRIGGER:
        break;
    default:
        return xen_pv_why(why, -EOPNOTSUPP, "unknown operation");
    }

    if (stream->state == SNDIF_CLOSED) {
        return xen_pv_why(why, -EINVAL, "stream is not open");
    }
    if (req->operation == XENSND_OP_TRIGGER) {
        return do_trigger(card, index, req->op.trigger.type, why);
    }
    return use_buffer(card, index, req, why);
}

int xen_sndif_process(XenSndif *card, uint32_t stream, bool *more)
{
    SndifStream *s = get_stream(card, stream);

    if (!s) {
        *more = false;
        return 0;
    }
    return xen_pv_ring_serve(&s->ring, &card->server, stream, more);
}

/* ---------------------------------------------------------------- sound */

/* The stream, if it runs in that direction */
static SndifStream *get_running(const XenSndif *card, uint32_t index,
                                bool capture)
{
    SndifStream *stream = get_stream(card, index);

    if (!stream || stream->state != SNDIF_RUNNING ||
        stream->caps.capture != capture) {
        return NULL;
    }
    return stream;
}

bool xen_sndif_peek(XenSndif *card, uint32_t stream, const void **data,
                    size_t *length)
{
    SndifStream *s = get_running(card, stream, false);

    if (!s) {
        *data = NULL;
        *length = 0;
        return false;
    }
    if (xen_sndif_buffer_peek(&s->buffer, s->position.now, data,
                              length) < 0) {
        card->faults++;
    }
    return *length;
}

void xen_sndif_played(XenSndif *card, uint32_t stream, size_t length)
{
    SndifStream *s = get_running(card, stream, false);

    if (s) {
        s->silent_bytes += xen_sndif_buffer_played(&s->buffer,
                                                   s->position.now, length);
        s->position.now += length;
    }
}

void xen_sndif_recorded(XenSndif *card, uint32_t stream, const void *data,
                        size_t length)
{
    SndifStream *s = get_running(card, stream, true);

    if (s) {
        card->faults += xen_sndif_buffer_recorded(&s->buffer, s->position.now,
                                                  data, length);
        s->position.now += length;
    }
}

void xen_sndif_flush(XenSndif *card, uint32_t stream)
{
    SndifStream *s = get_stream(card, stream);
    uint64_t told;

    if (s && s->state == SNDIF_RUNNING &&
        xen_sndif_position_is_due(&s->position, &s->params, &told)) {
        send_position(card, stream, told);
    }
}

uint64_t xen_sndif_position(const XenSndif *card, uint32_t stream)
{
    SndifStream *s = get_stream(card, stream);

    return s ? s->position.now : 0;
}

/* ----------------------------------------------------------- life cycle */

XenSndif *xen_sndif_new(const XenSndifOps *ops, void *opaque,
                        XenPgdirMapper *mapper, const XenSndifLimits *limits)
{
    XenSndif *card = g_new0(XenSndif, 1);

    card->ops = ops;
    card->opaque = opaque;
    card->mapper = xen_pgdir_mapper_ref(mapper);
    card->limits = *limits;
    card->server = (XenPvServer) {
        .carry_out = carry_out,
        .engine = card,
        .ops = &ops->requests,
        .opaque = opaque,
    };
    card->streams = g_ptr_array_new_with_free_func(g_free);
    return card;
}

void xen_sndif_free(XenSndif *card)
{
    if (!card) {
        return;
    }
    xen_sndif_reset(card);
    g_ptr_array_free(card->streams, true);
    xen_pgdir_mapper_unref(card->mapper);
    g_free(card);
}

uint32_t xen_sndif_add_stream(XenSndif *card, const XenSndifCaps *caps)
{
    SndifStream *stream = g_new0(SndifStream, 1);

    stream->caps = *caps;
    stream->caps.nr_rates = MIN(caps->nr_rates, XEN_SNDIF_MAX_RATES);
    stream->caps.channels_max = MIN(caps->channels_max,
                                    XEN_SNDIF_MAX_CHANNELS);
    g_ptr_array_add(card->streams, stream);
    return card->streams->len - 1;
}

void xen_sndif_attach(XenSndif *card, uint32_t stream, void *ring_page,
                      void *event_page)
{
    SndifStream *s = get_stream(card, stream);

    if (s) {
        xen_pv_ring_attach(&s->ring, ring_page);
        xen_pv_events_attach(&s->events, event_page);
    }
}

void xen_sndif_reset(XenSndif *card)
{
    uint32_t i;

    for (i = 0; i < card->streams->len; i++) {
        SndifStream *stream = get_stream(card, i);

        close_stream(card, i);
        memset(&stream->volume, 0, sizeof(stream->volume));
        stream->adjusted = false;
        xen_pv_ring_detach(&stream->ring);
        xen_pv_events_detach(&stream->events);
    }
}

void xen_sndif_stream_info(const XenSndif *card, uint32_t stream,
                           XenSndifStreamInfo *info)
{
    static const char *const states[] = {
        [SNDIF_CLOSED] = "closed",
        [SNDIF_STOPPED] = "stopped",
        [SNDIF_RUNNING] = "running",
        [SNDIF_PAUSED] = "paused",
    };
    const SndifStream *s = get_stream(card, stream);

    memset(info, 0, sizeof(*info));
    if (!s) {
        info->state = states[SNDIF_CLOSED];
        return;
    }
    info->capture = s->caps.capture;
    info->connected = s->ring.page;
    info->broken = s->ring.broken;
    info->bad_prod = s->ring.bad_prod;
    info->answered = s->ring.rsp_prod;
    info->state = states[s->state];
    info->params = s->params;
    info->directory = s->directory;
    info->position = s->position.now;
    info->events = s->events.prod;
    info->silent_bytes = s->silent_bytes;
}

void xen_sndif_stats(const XenSndif *card, XenSndifStats *stats)
{
    uint32_t i;

    memset(stats, 0, sizeof(*stats));
    stats->requests = card->server.requests;
    stats->refused = card->server.refused;
    stats->events = card->events;
    stats->events_full = card->events_full;
    stats->faults = card->faults;
    stats->total_pages = card->total_pages;
    for (i = 0; i < card->streams->len; i++) {
        SndifStream *stream = get_stream(card, i);

        stats->open += stream->state != SNDIF_CLOSED;
        stats->running += stream->state == SNDIF_RUNNING;
        stats->silent_bytes += stream->silent_bytes;
    }
}
