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
#include "sndif-check.h"
#include "sndif-marks.h"

QEMU_BUILD_BUG_ON(sizeof(struct xensnd_req) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(struct xensnd_resp) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(struct xensnd_evt) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(XENSND_IN_RING_LEN != XEN_PV_EVENT_SLOTS);
QEMU_BUILD_BUG_ON(XENSND_IN_RING_OFFS != XEN_PV_SLOT_SIZE);

/* Where sound is gathered that cannot be mapped in one piece */
#define SCRATCH_SIZE    4096

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
 * @pages: its buffer
 * @view: the whole buffer, mapped in one piece, from the first START on;
 *     NULL where pages can only be mapped one by one
 * @data: address of @view
 * @marks: frames that were written and not played yet
 * @position: bytes played or recorded since OPEN
 * @reported: position of the last event
 * @due: an event is due once the position is beyond this
 * @opened_at: events of the connection when the stream was opened
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
    XenPgdirBuffer *pages;
    XenPgdirView *view;
    uint8_t *data;
    XenSndifMarks marks;
    uint64_t position;
    uint64_t reported;
    uint64_t due;
    uint32_t opened_at;
    uint64_t silent_bytes;
    uint8_t scratch[SCRATCH_SIZE] __attribute__((aligned(8)));
} SndifStream;

struct XenSndif {
    const XenSndifOps *ops;
    void *opaque;
    XenPgdirMapper *mapper;
    XenSndifLimits limits;
    GPtrArray *streams;
    uint64_t total_pages;
    uint64_t requests;
    uint64_t refused;
    uint64_t events;
    uint64_t events_full;
    uint64_t faults;
};

static int refuse(const char **why, int status, const char *phrase)
{
    *why = phrase;
    return status;
}

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

/*
 * Frontends drop an event whose id is not the one they expect.  Up to 2026
 * Linux counted a connection's events, since then it counts from zero each
 * time that a stream is opened.  Which Linux it is cannot be known, so each
 * position is sent twice: once with the number that the old counts, once with
 * the number that the new does.  A position that comes a second time moves
 * nothing.  Both count what they drop, so both stay in step.
 */
static int push_position(XenSndif *card, SndifStream *stream,
                         uint64_t position, bool counts_all)
{
    struct xensnd_evt evt = { 0 };
    uint32_t id = stream->events.prod;
    XenPvSlot slot;
    int ret;

    evt.type = XENSND_EVT_CUR_POS;
    evt.op.cur_pos.position = position;
    memcpy(slot.bytes, &evt, sizeof(evt));
    ret = xen_pv_events_push_as(&stream->events, &slot,
                                counts_all ? id : id - stream->opened_at);
    card->events += ret == 0;
    return ret;
}

/* Only between START and the answer to STOP, when both kinds listen */
static void send_position(XenSndif *card, uint32_t index, uint64_t position)
{
    SndifStream *stream = get_stream(card, index);
    uint64_t period = stream->params.period_size;
    int ret;

    if (!period || stream->reported == position) {
        return;
    }
    ret = push_position(card, stream, position, true);
    if (ret == 0) {
        ret = push_position(card, stream, position, false);
        card->ops->notify_event(card->opaque, index);
    }
    if (ret < 0) {
        /* No id was spent for what did not fit; the next progress retries */
        card->events_full++;
        return;
    }
    stream->reported = position;
    stream->due = (position / period + 1) * period;
}

/*
 * Linux takes a period for over when the position is past its end, not when
 * it is at it, and would find every second one only if it was told ends of
 * periods.  So of such an end all is told but one frame.  It counts periods
 * from OPEN on, also where a STOP came between.
 */
static void move_on(XenSndif *card, uint32_t index, uint64_t bytes)
{
    SndifStream *stream = get_stream(card, index);
    uint64_t period = stream->params.period_size;
    uint64_t told;

    stream->position += bytes;
    told = stream->position;
    if (period && told % period == 0) {
        told -= MIN(stream->params.frame_size, told - stream->reported);
    }
    if (told > stream->due) {
        send_position(card, index, told);
    }
}

/* ------------------------------------------------------- open and close */

static void drop_view(SndifStream *stream)
{
    xen_pgdir_view_unref(stream->view);
    stream->view = NULL;
    stream->data = NULL;
}

static void drop_pages(XenSndif *card, SndifStream *stream)
{
    drop_view(stream);
    xen_sndif_marks_free(&stream->marks);
    if (stream->pages) {
        card->total_pages -= xen_sndif_pages(stream->params.buffer_size);
        xen_pgdir_buffer_revoke(stream->pages);
        xen_pgdir_buffer_unref(stream->pages);
        stream->pages = NULL;
    }
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
    stream->position = 0;
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
                      const XenSndifParams *params, const char **why)
{
    uint64_t count = xen_sndif_pages(params->buffer_size);
    int ret;

    if (count > card->limits.max_total_pages - card->total_pages) {
        return refuse(why, -ENOSPC, "too many pages in all buffers together");
    }
    if (!stream->caps.capture) {
        ret = xen_sndif_marks_init(&stream->marks,
                                   params->buffer_size / params->frame_size);
        if (ret < 0) {
            return refuse(why, ret, "no memory");
        }
    }
    ret = xen_pgdir_buffer_new(card->mapper, stream->directory,
                               params->buffer_size,
                               stream->caps.capture ? XEN_PGDIR_WRITABLE : 0,
                               &stream->pages);
    if (ret < 0) {
        xen_sndif_marks_free(&stream->marks);
        return refuse(why, ret, "page directory cannot be read");
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
                   const struct xensnd_open_req *req, const char **why)
{
    SndifStream *stream = get_stream(card, index);
    XenSndifParams params;
    int ret;

    close_stream(card, index);
    *why = xen_sndif_check_open(&stream->caps, req, &params);
    if (*why) {
        return -EINVAL;
    }
    stream->directory = req->gref_directory;
    ret = take_pages(card, stream, &params, why);
    if (ret < 0) {
        return ret;
    }
    ret = card->ops->open(card->opaque, index, &stream->params);
    if (ret < 0) {
        drop_pages(card, stream);
        return refuse(why, ret, "the host cannot open such a stream");
    }

    stream->state = SNDIF_STOPPED;
    stream->position = 0;
    stream->reported = 0;
    stream->due = stream->params.period_size;
    stream->opened_at = stream->events.prod;
    tell_volume(card, index);
    return 0;
}

/* -------------------------------------------------------------- trigger */

/*
 * Map the buffer in one piece, if that can be had.  If not, this still shows
 * that all of its pages can be reached.
 */
static int take_view(SndifStream *stream)
{
    void *data;
    int ret;

    if (stream->view) {
        return 0;
    }
    ret = xen_pgdir_buffer_view(stream->pages, 0, stream->params.buffer_size,
                                &stream->view, &data);
    if (ret < 0) {
        stream->view = NULL;
        return ret;
    }
    stream->data = data;
    if (xen_pgdir_view_is_copy(stream->view)) {
        drop_view(stream);
    }
    return 0;
}

static int start(XenSndif *card, uint32_t index, const char **why)
{
    SndifStream *stream = get_stream(card, index);
    int ret;

    if (stream->state == SNDIF_RUNNING) {
        return 0;
    }
    ret = take_view(stream);
    if (ret < 0) {
        card->faults++;
        return refuse(why, ret, "buffer cannot be mapped");
    }
    ret = card->ops->run(card->opaque, index, true);
    if (ret < 0) {
        return refuse(why, ret, "the host cannot start the stream");
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

/*
 * After a stop ALSA begins at the start of the buffer again, but Linux's
 * frontend forgets to, and adds what the position moves to where it was.  A
 * position that is a multiple of the buffer's size brings both together.
 */
static void stop(XenSndif *card, uint32_t index)
{
    SndifStream *stream = get_stream(card, index);

    if (!is_started(stream)) {
        return;
    }
    pause_stream(card, index);
    stream->position = QEMU_ALIGN_UP(stream->position,
                                     (uint64_t)stream->params.buffer_size);
    send_position(card, index, stream->position);
    if (stream->marks.words) {
        xen_sndif_marks_set(&stream->marks, 0, stream->marks.count, false);
    }
    stream->state = SNDIF_STOPPED;
}

static int do_trigger(XenSndif *card, uint32_t index, uint8_t type,
                      const char **why)
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
        return refuse(why, -EINVAL, "unknown trigger");
    }

    if (!is_started(stream)) {
        return refuse(why, -EINVAL, "stream was not started");
    }
    if (type == XENSND_OP_TRIGGER_RESUME) {
        return start(card, index, why);
    }
    pause_stream(card, index);
    return 0;
}

/* ----------------------------------------------------- the shared buffer */

/* A frame of which a part was written counts as written */
static int do_write(SndifStream *stream, const struct xensnd_rw_req *req,
                    const char **why)
{
    uint32_t frame = stream->params.frame_size;
    uint32_t first = req->offset / frame;

    if (stream->caps.capture) {
        return refuse(why, -EINVAL, "WRITE to a capture stream");
    }
    if (req->length) {
        uint32_t last = (req->offset + (req->length - 1)) / frame;

        xen_sndif_marks_set(&stream->marks, first, last - first + 1, true);
    }
    return 0;
}

/* What there is to read is in the buffer already */
static int do_read(SndifStream *stream, const char **why)
{
    if (!stream->caps.capture) {
        return refuse(why, -EINVAL, "READ from a playback stream");
    }
    return 0;
}

static int get_values(XenSndif *card, SndifStream *stream,
                      const struct xensnd_rw_req *req, void *values,
                      uint32_t size, const char **why)
{
    int ret;

    if (req->length < size) {
        return refuse(why, -EINVAL, "fewer values than channels");
    }
    ret = xen_pgdir_buffer_read(stream->pages, req->offset, values, size);
    if (ret < 0) {
        card->faults++;
        return refuse(why, ret, "buffer cannot be mapped");
    }
    return 0;
}

static int do_set_volume(XenSndif *card, uint32_t index,
                         const struct xensnd_rw_req *req, const char **why)
{
    SndifStream *stream = get_stream(card, index);
    int32_t values[XEN_SNDIF_MAX_CHANNELS];
    uint32_t size = stream->params.channels * sizeof(values[0]);
    int ret = get_values(card, stream, req, values, size, why);

    if (ret == 0) {
        memcpy(stream->volume.millibel, values, size);
        stream->adjusted = true;
        tell_volume(card, index);
    }
    return ret;
}

static int do_mute(XenSndif *card, uint32_t index,
                   const struct xensnd_rw_req *req, bool mute,
                   const char **why)
{
    SndifStream *stream = get_stream(card, index);
    uint8_t values[XEN_SNDIF_MAX_CHANNELS];
    int ret = get_values(card, stream, req, values, stream->params.channels,
                         why);
    uint32_t i;

    if (ret < 0) {
        return ret;
    }
    for (i = 0; i < stream->params.channels; i++) {
        if (values[i]) {
            stream->volume.mute[i] = mute;
        }
    }
    stream->adjusted = true;
    tell_volume(card, index);
    return 0;
}

/*
 * The buffer of a playback stream is mapped read-only.  The one request that
 * wants it otherwise gets a mapping of its own, for as long as it takes.
 */
static int do_get_volume(XenSndif *card, SndifStream *stream,
                         const struct xensnd_rw_req *req, const char **why)
{
    uint32_t size = stream->params.channels * sizeof(int32_t);
    XenPgdirBuffer *pages;
    int ret;

    if (req->length < size) {
        return refuse(why, -EINVAL, "fewer values than channels");
    }
    ret = xen_pgdir_buffer_new(card->mapper, stream->directory,
                               stream->params.buffer_size,
                               XEN_PGDIR_WRITABLE, &pages);
    if (ret < 0) {
        return refuse(why, ret, "page directory cannot be read");
    }
    ret = xen_pgdir_buffer_write(pages, req->offset, stream->volume.millibel,
                                 size);
    xen_pgdir_buffer_revoke(pages);
    xen_pgdir_buffer_unref(pages);
    if (ret < 0) {
        card->faults++;
        return refuse(why, ret, "buffer cannot be mapped");
    }
    return 0;
}

/* ------------------------------------------------------------- requests */

static int use_buffer(XenSndif *card, uint32_t index,
                      const struct xensnd_req *req, const char **why)
{
    SndifStream *stream = get_stream(card, index);

    *why = xen_sndif_check_range(stream->params.buffer_size, &req->op.rw);
    if (*why) {
        return -EINVAL;
    }

    switch (req->operation) {
    case XENSND_OP_READ:
        return do_read(stream, why);
    case XENSND_OP_WRITE:
        return do_write(stream, &req->op.rw, why);
    case XENSND_OP_SET_VOLUME:
        return do_set_volume(card, index, &req->op.rw, why);
    case XENSND_OP_GET_VOLUME:
        return do_get_volume(card, stream, &req->op.rw, why);
    case XENSND_OP_MUTE:
        return do_mute(card, index, &req->op.rw, true, why);
    default:
        return do_mute(card, index, &req->op.rw, false, why);
    }
}

static int do_query(SndifStream *stream, const struct xensnd_req *req,
                    struct xensnd_resp *rsp, const char **why)
{
    *why = xen_sndif_check_query(&stream->caps, &req->op.hw_param,
                                 &rsp->resp.hw_param);
    if (*why) {
        memset(&rsp->resp, 0, sizeof(rsp->resp));
        return -EINVAL;
    }
    return 0;
}

static int carry_out(XenSndif *card, uint32_t index,
                     const struct xensnd_req *req, struct xensnd_resp *rsp,
                     const char **why)
{
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
        return refuse(why, -EOPNOTSUPP, "unknown operation");
    }

    if (stream->state == SNDIF_CLOSED) {
        return refuse(why, -EINVAL, "stream is not open");
    }
    if (req->operation == XENSND_OP_TRIGGER) {
        return do_trigger(card, index, req->op.trigger.type, why);
    }
    return use_buffer(card, index, req, why);
}

/* Whose ring is served */
typedef struct SndifTurn {
    XenSndif *card;
    uint32_t index;
} SndifTurn;

static bool answer(void *opaque, const XenPvSlot *slot)
{
    const SndifTurn *turn = opaque;
    XenSndif *card = turn->card;
    uint32_t index = turn->index;
    SndifStream *stream = get_stream(card, index);
    XenPvSlot response = { { 0 } };
    struct xensnd_resp rsp;
    struct xensnd_req req;
    const char *why = NULL;
    bool notify;

    memcpy(&req, slot->bytes, sizeof(req));
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = req.id;
    rsp.operation = req.operation;
    /* Errors are those of Linux on x86 and Arm, hence of xen/errno.h */
    rsp.status = carry_out(card, index, &req, &rsp, &why);
    memcpy(response.bytes, &rsp, sizeof(rsp));
    notify = xen_pv_ring_put(&stream->ring, &response);

    card->requests++;
    card->refused += rsp.status < 0;
    card->ops->answered(card->opaque, index, req.id, req.operation,
                        rsp.status, why);
    return notify;
}

static bool enough(void *opaque)
{
    const SndifTurn *turn = opaque;

    return turn->card->ops->enough &&
           turn->card->ops->enough(turn->card->opaque);
}

int xen_sndif_process(XenSndif *card, uint32_t stream, bool *more)
{
    SndifTurn turn = { .card = card, .index = stream };
    SndifStream *s = get_stream(card, stream);
    bool notify;
    int ret;

    *more = false;
    if (!s) {
        return 0;
    }
    ret = xen_pv_ring_serve(&s->ring, answer, enough, &turn, &notify,
                            more);
    if (notify) {
        card->ops->notify_request(card->opaque, stream);
    }
    return ret;
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

/* Bytes from the position to the end of the buffer, at most @length */
static uint32_t contiguous(const SndifStream *stream, size_t length,
                           uint32_t *offset)
{
    *offset = stream->position % stream->params.buffer_size;
    return MIN(length, stream->params.buffer_size - *offset);
}

/*
 * What the guest did not write in time is silence, not what was played from
 * there before: at the end of a song that goes on until the guest says STOP.
 */
bool xen_sndif_peek(XenSndif *card, uint32_t stream, const void **data,
                    size_t *length)
{
    SndifStream *s = get_running(card, stream, false);
    uint32_t frame, offset, count, bytes;
    bool written;

    *data = NULL;
    if (!s) {
        *length = 0;
        return false;
    }

    frame = s->params.frame_size;
    bytes = contiguous(s, s->view ? *length : MIN(*length, SCRATCH_SIZE),
                       &offset);
    count = bytes / frame;
    if (count == 0) {
        *length = 0;
        return false;
    }
    count = xen_sndif_marks_run(&s->marks, offset / frame, count, &written);
    *length = (size_t)count * frame;
    if (!written) {
        return true;
    }
    if (s->view) {
        *data = s->data + offset;
    } else if (xen_pgdir_buffer_read(s->pages, offset, s->scratch,
                                     *length) == 0) {
        *data = s->scratch;
    } else {
        card->faults++;
    }
    return true;
}

/* The frames are played: they are no longer marked; count those never were */
static void pass_marks(SndifStream *stream, uint32_t first, uint32_t count)
{
    uint32_t done = 0, n;
    bool written;

    while (done < count) {
        n = xen_sndif_marks_run(&stream->marks, first + done, count - done,
                                &written);
        if (!written) {
            stream->silent_bytes += (uint64_t)n * stream->params.frame_size;
        }
        done += n;
    }
    xen_sndif_marks_set(&stream->marks, first, count, false);
}

void xen_sndif_played(XenSndif *card, uint32_t stream, size_t length)
{
    SndifStream *s = get_running(card, stream, false);
    uint64_t position;
    size_t left;

    if (!s) {
        return;
    }
    position = s->position;
    for (left = length; left; ) {
        uint32_t frame = s->params.frame_size;
        uint32_t offset = position % s->params.buffer_size;
        uint32_t bytes = MIN(left, s->params.buffer_size - offset);

        pass_marks(s, offset / frame, bytes / frame);
        position += bytes;
        left -= bytes;
    }
    move_on(card, stream, length);
}

void xen_sndif_recorded(XenSndif *card, uint32_t stream, const void *data,
                        size_t length)
{
    SndifStream *s = get_running(card, stream, true);
    const uint8_t *from = data;
    uint64_t position;
    size_t left = length;

    if (!s) {
        return;
    }
    position = s->position;
    while (left) {
        uint32_t offset = position % s->params.buffer_size;
        uint32_t bytes = MIN(left, s->params.buffer_size - offset);

        if (s->view) {
            memcpy(s->data + offset, from, bytes);
        } else if (xen_pgdir_buffer_write(s->pages, offset, from, bytes) < 0) {
            card->faults++;
        }
        from += bytes;
        position += bytes;
        left -= bytes;
    }
    move_on(card, stream, length);
}

uint64_t xen_sndif_position(const XenSndif *card, uint32_t stream)
{
    SndifStream *s = get_stream(card, stream);

    return s ? s->position : 0;
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
    info->state = states[s->state];
    info->params = s->params;
    info->directory = s->directory;
    info->position = s->position;
    info->events = s->events.prod;
    info->silent_bytes = s->silent_bytes;
}

void xen_sndif_stats(const XenSndif *card, XenSndifStats *stats)
{
    uint32_t i;

    memset(stats, 0, sizeof(*stats));
    stats->requests = card->requests;
    stats->refused = card->refused;
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
