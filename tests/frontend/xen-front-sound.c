/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake frontend of a PV sound card
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xen-front-sound.h"

G_STATIC_ASSERT(sizeof(struct xensnd_req) == sizeof(struct xen_front_slot));
G_STATIC_ASSERT(sizeof(struct xensnd_resp) == sizeof(struct xen_front_slot));

/* Life */

XenFrontSound *xen_front_sound_new(XenGuest *guest, uint32_t devid)
{
    XenFrontSound *sound = g_new0(XenFrontSound, 1);

    xen_front_card_init(&sound->card, guest, XENSND_DRIVER_NAME, devid);
    return sound;
}

uint32_t xen_front_sound_free(XenFrontSound *sound)
{
    uint32_t busy, i;

    if (!sound) {
        return 0;
    }
    busy = xen_front_sound_free_rings(sound);
    for (i = 0; i < XEN_FRONT_MAX_STREAMS; i++) {
        busy += xen_front_pgdir_free(sound->streams[i].pgdir);
    }
    xen_front_card_clear(&sound->card);
    g_free(sound);
    return busy;
}

/* Streams of one PCM, until there is none of the next number */
static uint32_t read_pcm(XenFrontSound *sound, uint32_t pcm)
{
    uint32_t i;

    for (i = 0; sound->nr_streams < XEN_FRONT_MAX_STREAMS; i++) {
        XenFrontStream *s = &sound->streams[sound->nr_streams];
        g_autofree char *path =
            g_strdup_printf("%s/%u/%u/" XENSND_FIELD_TYPE,
                            sound->card.frontend_path, pcm, i);
        g_autofree char *type = xen_guest_read(sound->card.guest, path);

        if (!type) {
            break;
        }
        s->sound = sound;
        s->pcm = pcm;
        s->number = i;
        s->capture = g_str_equal(type, XENSND_STREAM_TYPE_CAPTURE);
        sound->nr_streams++;
    }
    return i;
}

int xen_front_sound_read_config(XenFrontSound *sound)
{
    uint32_t pcm = 0;

    sound->nr_streams = 0;
    while (read_pcm(sound, pcm)) {
        pcm++;
    }
    return sound->nr_streams ? 0 : -ENODEV;
}

int xen_front_sound_alloc_rings(XenFrontSound *sound)
{
    XenGuest *guest = sound->card.guest;
    uint32_t i;

    for (i = 0; i < sound->nr_streams; i++) {
        XenFrontStream *s = &sound->streams[i];

        if (xen_front_channel_alloc_ring(guest, &s->req) < 0 ||
            xen_front_channel_alloc(guest, &s->evt) < 0) {
            xen_front_sound_free_rings(sound);
            return -ENOMEM;
        }
        s->event_id = 0;
        s->events = s->bad_events = s->dropped = 0;
    }
    return 0;
}

uint32_t xen_front_sound_free_rings(XenFrontSound *sound)
{
    uint32_t busy = 0;
    uint32_t i;

    for (i = 0; i < XEN_FRONT_MAX_STREAMS; i++) {
        busy += xen_front_channel_free(&sound->streams[i].req);
        busy += xen_front_channel_free(&sound->streams[i].evt);
    }
    return busy;
}

int xen_front_sound_publish(XenFrontSound *sound)
{
    int ret = 0;
    uint32_t i;

    for (i = 0; i < sound->nr_streams && !ret; i++) {
        XenFrontStream *s = &sound->streams[i];
        g_autofree char *dir = g_strdup_printf("%u/%u", s->pcm, s->number);

        ret = xen_front_channel_publish(&sound->card, dir,
                                        XENSND_FIELD_RING_REF,
                                        XENSND_FIELD_EVT_CHNL, &s->req) ?:
              xen_front_channel_publish(&sound->card, dir,
                                        XENSND_FIELD_EVT_RING_REF,
                                        XENSND_FIELD_EVT_EVT_CHNL, &s->evt);
    }
    return ret;
}

int xen_front_sound_connect(XenFrontSound *sound)
{
    return xen_front_card_begin(&sound->card) ?:
           xen_front_sound_read_config(sound) ?:
           xen_front_sound_alloc_rings(sound) ?:
           xen_front_sound_publish(sound) ?:
           xen_front_card_finish(&sound->card);
}

int xen_front_sound_unload(XenFrontSound *sound)
{
    bool ready = xen_front_card_leave(&sound->card);
    uint32_t busy = xen_front_sound_free_rings(sound);

    xen_front_card_left(&sound->card);
    return !ready ? -ETIMEDOUT : busy ? -EBUSY : 0;
}

/* Requests */

uint16_t xen_front_stream_send(XenFrontStream *s,
                               const struct xensnd_req *req)
{
    return xen_front_channel_send(&s->req, req);
}

int xen_front_stream_receive(XenFrontStream *s, struct xensnd_resp *resp,
                             int timeout_ms)
{
    return xen_front_channel_receive(&s->req, resp, timeout_ms);
}

int xen_front_stream_request(XenFrontStream *s, struct xensnd_req *req,
                             struct xensnd_resp *resp)
{
    bool query = req->operation == XENSND_OP_HW_PARAM_QUERY;

    return xen_front_channel_request(&s->req, req, resp,
                                     query ? sizeof(resp->resp.hw_param) : 0);
}

/* What Linux does at open, hw_params and hw_free */
static void clear_stream(XenFrontStream *s)
{
    xen_front_stream_take_events(s);
    s->position = 0;
    s->written = 0;
    if (s->modern) {
        s->event_id = 0;
    }
}

int xen_front_stream_open(XenFrontStream *s, uint32_t rate, uint8_t format,
                          uint8_t channels, uint32_t buffer_size,
                          uint32_t period_size)
{
    struct xensnd_req req = { .operation = XENSND_OP_OPEN };
    int ret;

    s->pgdir = xen_front_pgdir_new(s->sound->card.guest, buffer_size);
    if (!s->pgdir) {
        return -ENOMEM;
    }
    s->buffer_size = buffer_size;
    clear_stream(s);
    req.op.open.pcm_rate = rate;
    req.op.open.pcm_format = format;
    req.op.open.pcm_channels = channels;
    req.op.open.buffer_sz = buffer_size;
    req.op.open.gref_directory = xen_front_pgdir_ref(s->pgdir);
    req.op.open.period_sz = period_size;
    ret = xen_front_stream_request(s, &req, NULL);
    if (ret < 0) {
        xen_front_pgdir_free(s->pgdir);
        s->pgdir = NULL;
    }
    return ret;
}

int xen_front_stream_close(XenFrontStream *s)
{
    struct xensnd_req req = { .operation = XENSND_OP_CLOSE };
    int ret = xen_front_stream_request(s, &req, NULL);
    uint32_t busy = xen_front_pgdir_free(s->pgdir);

    s->pgdir = NULL;
    clear_stream(s);
    return ret < 0 ? ret : busy ? -EBUSY : 0;
}

int xen_front_stream_rw(XenFrontStream *s, uint8_t operation, uint32_t offset,
                        uint32_t length)
{
    struct xensnd_req req = { .operation = operation };

    req.op.rw.offset = offset;
    req.op.rw.length = length;
    return xen_front_stream_request(s, &req, NULL);
}

int xen_front_stream_trigger(XenFrontStream *s, uint8_t type)
{
    struct xensnd_req req = { .operation = XENSND_OP_TRIGGER };
    int ret;

    req.op.trigger.type = type;
    ret = xen_front_stream_request(s, &req, NULL);
    if (ret == 0 && type == XENSND_OP_TRIGGER_STOP) {
        xen_front_stream_take_events(s);
        s->written = s->position;
    }
    return ret;
}

int xen_front_stream_query(XenFrontStream *s,
                           struct xensnd_query_hw_param *param)
{
    struct xensnd_req req = { .operation = XENSND_OP_HW_PARAM_QUERY };
    struct xensnd_resp resp = { 0 };
    int ret;

    req.op.hw_param = *param;
    ret = xen_front_stream_request(s, &req, &resp);
    *param = resp.resp.hw_param;
    return ret;
}

int xen_front_stream_query_all(XenFrontStream *s,
                               struct xensnd_query_hw_param *param)
{
    *param = (struct xensnd_query_hw_param) {
        UINT64_MAX, { 0, UINT32_MAX }, { 0, UINT32_MAX }, { 0, UINT32_MAX },
        { 0, UINT32_MAX }
    };
    return xen_front_stream_query(s, param);
}

/* Sound */

uint32_t xen_front_stream_room(XenFrontStream *s)
{
    uint64_t ahead;

    xen_front_stream_take_events(s);
    /* The stream may have passed by what was to be written */
    s->written = MAX(s->written, s->position);
    ahead = s->written - s->position;
    return s->buffer_size - MIN(ahead, s->buffer_size);
}

int xen_front_stream_write(XenFrontStream *s, const void *data,
                           uint32_t length)
{
    const uint8_t *from = data;
    uint32_t left = MIN(length, xen_front_stream_room(s));
    uint32_t done = 0;

    while (left) {
        uint32_t offset = s->written % s->buffer_size;
        uint32_t bytes = MIN(left, s->buffer_size - offset);
        int ret;

        memcpy(s->pgdir->data + offset, from + done, bytes);
        ret = xen_front_stream_rw(s, XENSND_OP_WRITE, offset, bytes);
        if (ret < 0) {
            return ret;
        }
        s->written += bytes;
        done += bytes;
        left -= bytes;
    }
    return done;
}

/* Events */

static void take_event(XenFrontStream *s, const struct xensnd_evt *evt)
{
    size_t used = offsetof(struct xensnd_evt, op) + sizeof(evt->op.cur_pos);

    s->events++;
    if (evt->type != XENSND_EVT_CUR_POS ||
        !xen_front_is_zero(evt->reserved, sizeof(evt->reserved)) ||
        !xen_front_is_zero((uint8_t *)evt + used, sizeof(*evt) - used)) {
        s->bad_events++;
    }
    if (evt->id != s->event_id++) {
        s->dropped++;
        return;
    }
    if (evt->op.cur_pos.position < s->position) {
        s->bad_events++;
    }
    s->position = evt->op.cur_pos.position;
}

void xen_front_stream_take_events(XenFrontStream *s)
{
    struct xensnd_event_page *page;
    uint32_t prod;

    if (!s->evt.page) {
        return;
    }
    page = xen_guest_page(s->sound->card.guest, s->evt.page);
    prod = __atomic_load_n(&page->in_prod, __ATOMIC_ACQUIRE);
    while (page->in_cons != prod) {
        struct xensnd_evt evt = XENSND_IN_RING_REF(page, page->in_cons);

        take_event(s, &evt);
        __atomic_store_n(&page->in_cons, page->in_cons + 1,
                         __ATOMIC_RELEASE);
    }
}

typedef struct WaitPosition {
    XenFrontStream *stream;
    uint64_t position;
} WaitPosition;

static bool has_position(void *opaque)
{
    WaitPosition *wait = opaque;

    xen_front_stream_take_events(wait->stream);
    return wait->stream->position >= wait->position;
}

bool xen_front_stream_wait_position(XenFrontStream *s, uint64_t position,
                                    int timeout_ms)
{
    WaitPosition wait = { s, position };

    return xen_guest_wait(s->sound->card.guest, has_position, &wait,
                          timeout_ms);
}
