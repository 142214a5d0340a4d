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

/* Life */

XenFrontSound *xen_front_sound_new(XenGuest *guest, uint32_t devid)
{
    XenFrontSound *sound = g_new0(XenFrontSound, 1);

    sound->guest = guest;
    sound->devid = devid;
    sound->frontend_path =
        g_strdup_printf("/local/domain/%u/device/" XENSND_DRIVER_NAME "/%u",
                        xen_guest_domid(guest), devid);
    sound->frontend_state = g_strdup_printf("%s/state", sound->frontend_path);
    sound->backend_path =
        g_strdup_printf("/local/domain/%u/backend/" XENSND_DRIVER_NAME
                        "/%u/%u", XEN_GUEST_BACKEND, xen_guest_domid(guest),
                        devid);
    sound->backend_state = g_strdup_printf("%s/state", sound->backend_path);
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
    g_free(sound->frontend_path);
    g_free(sound->frontend_state);
    g_free(sound->backend_path);
    g_free(sound->backend_state);
    g_free(sound);
    return busy;
}

int xen_front_sound_set_state(XenFrontSound *sound, int state)
{
    return xen_guest_write(sound->guest, sound->frontend_state, "%d", state);
}

bool xen_front_sound_wait_backend(XenFrontSound *sound, int state,
                                  int timeout_ms)
{
    return xen_guest_wait_int(sound->guest, sound->backend_state, state,
                              XenbusStateUnknown, timeout_ms);
}

/* Streams of one PCM, until there is none of the next number */
static uint32_t read_pcm(XenFrontSound *sound, uint32_t pcm)
{
    uint32_t i;

    for (i = 0; sound->nr_streams < XEN_FRONT_MAX_STREAMS; i++) {
        XenFrontStream *s = &sound->streams[sound->nr_streams];
        g_autofree char *path =
            g_strdup_printf("%s/%u/%u/" XENSND_FIELD_TYPE,
                            sound->frontend_path, pcm, i);
        g_autofree char *type = xen_guest_read(sound->guest, path);

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

static int alloc_channel(XenGuest *guest, XenFrontSoundChannel *channel)
{
    channel->page = xen_guest_alloc_page(guest);
    if (!channel->page) {
        return -ENOMEM;
    }
    channel->ref = xen_guest_grant(guest, channel->page, false);
    channel->port = xen_guest_alloc_port(guest);
    return channel->ref && channel->port ? 0 : -ENOSPC;
}

static uint32_t free_channel(XenGuest *guest, XenFrontSoundChannel *channel)
{
    uint32_t busy = 0;

    if (channel->page) {
        xen_guest_close_port(guest, channel->port);
        if (xen_guest_end_access(guest, channel->ref) < 0) {
            busy = 1;
        } else {
            xen_guest_free_page(guest, channel->page);
        }
    }
    memset(channel, 0, sizeof(*channel));
    return busy;
}

int xen_front_sound_alloc_rings(XenFrontSound *sound)
{
    uint32_t i;

    for (i = 0; i < sound->nr_streams; i++) {
        XenFrontStream *s = &sound->streams[i];
        struct xen_sndif_sring *shared;

        if (alloc_channel(sound->guest, &s->req) < 0 ||
            alloc_channel(sound->guest, &s->evt) < 0) {
            xen_front_sound_free_rings(sound);
            return -ENOMEM;
        }
        shared = xen_guest_page(sound->guest, s->req.page);
        SHARED_RING_INIT(shared);
        FRONT_RING_INIT(&s->ring, shared, XEN_GUEST_PAGE);
        s->next_id = 0;
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
        busy += free_channel(sound->guest, &sound->streams[i].req);
        busy += free_channel(sound->guest, &sound->streams[i].evt);
    }
    return busy;
}

static int publish_number(XenFrontStream *s, const char *key, uint32_t n)
{
    g_autofree char *path = g_strdup_printf("%s/%u/%u/%s",
                                            s->sound->frontend_path, s->pcm,
                                            s->number, key);

    return xen_guest_write(s->sound->guest, path, "%u", n);
}

int xen_front_sound_publish(XenFrontSound *sound)
{
    uint32_t i;

    for (i = 0; i < sound->nr_streams; i++) {
        XenFrontStream *s = &sound->streams[i];
        int ret = publish_number(s, XENSND_FIELD_RING_REF, s->req.ref);

        if (!ret) {
            ret = publish_number(s, XENSND_FIELD_EVT_CHNL, s->req.port);
        }
        if (!ret) {
            ret = publish_number(s, XENSND_FIELD_EVT_RING_REF, s->evt.ref);
        }
        if (!ret) {
            ret = publish_number(s, XENSND_FIELD_EVT_EVT_CHNL, s->evt.port);
        }
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int xen_front_sound_connect(XenFrontSound *sound)
{
    int ret;

    if (!xen_front_sound_wait_backend(sound, XenbusStateInitWait,
                                      XEN_GUEST_DEADLINE)) {
        return -ETIMEDOUT;
    }
    ret = xen_front_sound_read_config(sound);
    if (!ret) {
        ret = xen_front_sound_alloc_rings(sound);
    }
    if (!ret) {
        ret = xen_front_sound_publish(sound);
    }
    if (!ret) {
        ret = xen_front_sound_set_state(sound, XenbusStateInitialised);
    }
    if (ret < 0) {
        return ret;
    }
    if (!xen_front_sound_wait_backend(sound, XenbusStateConnected,
                                      XEN_GUEST_DEADLINE)) {
        return -ETIMEDOUT;
    }
    return xen_front_sound_set_state(sound, XenbusStateConnected);
}

int xen_front_sound_unload(XenFrontSound *sound)
{
    bool ready;
    uint32_t busy;

    xen_front_sound_set_state(sound, XenbusStateClosing);
    ready = xen_front_sound_wait_backend(sound, XenbusStateInitWait, 1000);
    busy = xen_front_sound_free_rings(sound);
    xen_front_sound_set_state(sound, XenbusStateInitialising);
    xen_front_sound_set_state(sound, XenbusStateClosed);
    return !ready ? -ETIMEDOUT : busy ? -EBUSY : 0;
}

/* Requests */

uint16_t xen_front_stream_send(XenFrontStream *s,
                               const struct xensnd_req *req)
{
    struct xensnd_req *slot = RING_GET_REQUEST(&s->ring,
                                               s->ring.req_prod_pvt);
    uint16_t id = s->next_id++;
    int notify;

    *slot = *req;
    slot->id = id;
    s->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&s->ring, notify);
    if (notify) {
        xen_guest_kick(s->sound->guest, s->req.port);
    }
    return id;
}

/* Linux asks to be notified of the next response, then looks once more */
static bool has_response(void *opaque)
{
    XenFrontStream *s = opaque;
    int work;

    RING_FINAL_CHECK_FOR_RESPONSES(&s->ring, work);
    return work;
}

int xen_front_stream_receive(XenFrontStream *s, struct xensnd_resp *resp,
                             int timeout_ms)
{
    if (!xen_guest_wait(s->sound->guest, has_response, s, timeout_ms)) {
        return -ETIMEDOUT;
    }
    xen_rmb();
    *resp = *RING_GET_RESPONSE(&s->ring, s->ring.rsp_cons);
    s->ring.rsp_cons++;
    return 0;
}

static bool is_zero(const void *data, size_t len)
{
    const uint8_t *byte = data;

    while (len--) {
        if (*byte++) {
            return false;
        }
    }
    return true;
}

int xen_front_stream_request(XenFrontStream *s, struct xensnd_req *req,
                             struct xensnd_resp *resp)
{
    struct xensnd_resp unused;
    uint16_t id = xen_front_stream_send(s, req);
    size_t used = offsetof(struct xensnd_resp, resp);
    int ret;

    resp = resp ?: &unused;
    ret = xen_front_stream_receive(s, resp, XEN_FRONT_SOUND_TIMEOUT);
    if (ret < 0) {
        return ret;
    }
    if (req->operation == XENSND_OP_HW_PARAM_QUERY && resp->status == 0) {
        used += sizeof(resp->resp.hw_param);
    }
    if (resp->id != id || resp->operation != req->operation ||
        resp->reserved || resp->status > 0 ||
        !is_zero((uint8_t *)resp + used, sizeof(*resp) - used)) {
        return -EPROTO;
    }
    return resp->status;
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

    s->pgdir = xen_front_pgdir_new(s->sound->guest, buffer_size);
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
    struct xensnd_resp resp;
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
        !is_zero(evt->reserved, sizeof(evt->reserved)) ||
        !is_zero((uint8_t *)evt + used, sizeof(*evt) - used)) {
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
    page = xen_guest_page(s->sound->guest, s->evt.page);
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

    return xen_guest_wait(s->sound->guest, has_position, &wait, timeout_ms);
}
