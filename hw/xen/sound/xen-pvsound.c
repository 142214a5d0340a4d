/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend of Xen PV sound cards (vsnd, xen/io/sndif.h).
 *
 * The audio layer asks for sound when it has room, and gets it straight from
 * the guest's buffer; what it took is the stream's position.  No request of
 * the guest ever waits for that.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-properties.h"
#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/xen-sndif.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/xen/trace.h"
#include "hw/xen/xen-pv-status.h"
#include "hw/xen/xen-pv-vkbd.h"
#include "xen-pvsound-nodes.h"
#include "xen-pvsound-voice.h"

#define TYPE_XEN_PVSOUND "xen-pvsound"
OBJECT_DECLARE_SIMPLE_TYPE(XenPvSound, XEN_PVSOUND)

/* Cards made by -device offer this much; toolstacks may offer up to more */
#define XEN_PVSOUND_BUFFER_SIZE (256 * 1024)
#define XEN_PVSOUND_MAX_BUFFER_SIZE (4 * 1024 * 1024)

#define XEN_PVSOUND_MAX_PAGES (1u << 18)
#define XEN_PVSOUND_DEFAULT_PAGES 8192

/* A stream that nobody asks for otherwise plays and records */
#define XEN_PVSOUND_STREAMS "pc"

/* No buffer has to be longer than this, however rare QEMU's ticks are */
#define XEN_PVSOUND_SHORTEST_US 500000

/* QEMU's mixing engine knows mono and stereo only */
#define XEN_PVSOUND_MIXED_CHANNELS 2

/*
 * @format: what the stream is open with; NULL if it is not
 */
typedef struct XenPvStream {
    XenPvSound *sound;
    uint32_t index;
    bool capture;
    bool usable;
    char *name;
    XenPvChannel request;
    XenPvChannel event;
    const XenPvSoundFormat *format;
    XenPvVoice voice;
} XenPvStream;

struct XenPvSound {
    XenPvBackend backend; /* must be first */

    XenPvAudio audio;
    char *streams_option;
    uint32_t max_channels;
    uint32_t max_pages;
    bool default_pages;
    uint32_t max_streams;

    bool registered;
    XenPvSoundConfig *config;
    XenPgdirMapper *mapper;
    XenSndif *card;
    XenPvStream *streams;
    uint32_t nr_streams;
    bool exiting;
};

static const char *xen_pvsound_id(XenPvSound *d)
{
    DeviceState *dev = DEVICE(d);

    return dev->id ? dev->id : d->backend.xendev.name;
}

/* --------------------------------------------------------------- engine */

/* The host may have fewer voices than there are streams */
static void xen_pvsound_close_idle_voices(XenPvSound *d)
{
    uint32_t i;

    for (i = 0; i < d->nr_streams; i++) {
        if (!d->streams[i].format) {
            xen_pv_voice_close(&d->streams[i].voice);
        }
    }
}

static int xen_pvsound_open(void *opaque, uint32_t index,
                            const XenSndifParams *params)
{
    XenPvSound *d = opaque;
    XenPvStream *s = &d->streams[index];
    const XenPvSoundFormat *format = xen_pvsound_format(params->format);

    trace_xen_pvsound_open(s->name, params->rate, params->channels,
                           format ? format->name : "?", params->buffer_size,
                           params->period_size);
    if (!format) {
        return -EINVAL;
    }
    if (!xen_pv_voice_open(&s->voice, params, format)) {
        xen_pvsound_close_idle_voices(d);
        if (!xen_pv_voice_open(&s->voice, params, format)) {
            return -ENODEV;
        }
    }
    s->format = format;

    return 0;
}

static void xen_pvsound_close(void *opaque, uint32_t index)
{
    XenPvSound *d = opaque;
    XenPvStream *s = &d->streams[index];

    trace_xen_pvsound_close(s->name);
    s->format = NULL;
    /* When QEMU exits the audio layer has gone before us */
    if (s->capture && !d->exiting) {
        xen_pv_voice_close(&s->voice);
    }
}

static int xen_pvsound_run(void *opaque, uint32_t index, bool run)
{
    XenPvSound *d = opaque;
    XenPvStream *s = &d->streams[index];

    trace_xen_pvsound_run(s->name, run, xen_sndif_position(d->card, index));
    if (!d->exiting) {
        xen_pv_voice_run(&s->voice, run);
    }

    return 0;
}

static void xen_pvsound_set_volume(void *opaque, uint32_t index,
                                   const XenSndifVolume *volume)
{
    XenPvSound *d = opaque;
    XenPvStream *s = &d->streams[index];
    Volume vol = { .mute = true, .channels = volume->channels };
    uint32_t i;

    for (i = 0; i < volume->channels; i++) {
        if (!volume->mute[i]) {
            vol.mute = false;
            vol.vol[i] = xen_pvsound_gain(volume->millidecibel[i]);
        }
        trace_xen_pvsound_volume(s->name, i, volume->millidecibel[i],
                                 volume->mute[i]);
    }
    xen_pv_voice_set_volume(&s->voice, &vol);
}

static void xen_pvsound_notify_request(void *opaque, uint32_t index)
{
    XenPvSound *d = opaque;

    xen_pv_channel_notify(&d->backend, &d->streams[index].request);
}

static void xen_pvsound_notify_event(void *opaque, uint32_t index)
{
    XenPvSound *d = opaque;

    trace_xen_pvsound_event(d->streams[index].name);
    xen_pv_channel_notify(&d->backend, &d->streams[index].event);
}

static void xen_pvsound_answered(void *opaque, uint32_t index, uint16_t id,
                                 uint8_t operation, int32_t status,
                                 const char *why)
{
    XenPvSound *d = opaque;

    trace_xen_pvsound_answer(d->streams[index].name, id, operation, status,
                             why ? why : "");
    if (status < 0) {
        const char *stream = d->streams[index].name;
        const char *name = xen_sndif_operation_name(operation);
        g_autofree char *request = name ?
            g_strdup_printf("stream %s: %s", stream, name) :
            g_strdup_printf("stream %s: operation 0x%02x", stream, operation);

        xen_pv_guest_refused(&d->backend, d->mapper, request, status, why);
    }
}

static bool xen_pvsound_enough(void *opaque)
{
    XenPvSound *d = opaque;

    return xen_pv_load_enough(&d->backend);
}

static const XenSndifOps xen_pvsound_ops = {
    .open = xen_pvsound_open,
    .close = xen_pvsound_close,
    .run = xen_pvsound_run,
    .set_volume = xen_pvsound_set_volume,
    .requests.notify = xen_pvsound_notify_request,
    .notify_event = xen_pvsound_notify_event,
    .requests.answered = xen_pvsound_answered,
    .requests.enough = xen_pvsound_enough,
};

/* ------------------------------------------------------------- channels */

static int xen_pvsound_process(void *opaque, bool *more)
{
    XenPvStream *s = opaque;
    int ret = xen_sndif_process(s->sound->card, s->index, more);
    XenSndifStreamInfo info;

    if (ret < 0) {
        xen_sndif_stream_info(s->sound->card, s->index, &info);
        xen_pv_guest_warn(&s->sound->backend,
                          "stream %s: its request ring is corrupt and is not "
                          "served any more: req_prod %u, but %u requests were "
                          "answered", s->name, info.bad_prod, info.answered);
    }

    return ret;
}

static bool xen_pvsound_attach(XenPvStream *s, Error **errp)
{
    static const char *const names[4] = {
        "ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel",
    };
    XenPvSound *d = s->sound;
    XenPvSoundStream *stream = &g_array_index(d->config->streams,
                                              XenPvSoundStream, s->index);
    char *keys[4];
    bool ok;
    int i;

    for (i = 0; i < 4; i++) {
        keys[i] = g_strdup_printf("%u/%u/%s", stream->pcm, stream->number,
                                  names[i]);
    }
    ok = xen_pv_channel_open(&d->backend, &s->request, keys[0], keys[1],
                             xen_pvsound_process, s, errp) &&
         xen_pv_channel_open(&d->backend, &s->event, keys[2], keys[3],
                             NULL, s, errp);
    if (ok) {
        xen_sndif_attach(d->card, s->index, s->request.page, s->event.page);
    } else {
        xen_pv_channel_close(&d->backend, &s->request);
        xen_pv_channel_close(&d->backend, &s->event);
    }
    for (i = 0; i < 4; i++) {
        g_free(keys[i]);
    }

    return ok;
}

/* A stream that a guest has spoilt does not take the others with it */
static bool xen_pvsound_connect(XenPvBackend *backend, Error **errp)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    Error *first = NULL;
    bool any = false;
    uint32_t i;

    for (i = 0; i < d->nr_streams; i++) {
        Error *local_err = NULL;

        if (!d->streams[i].usable) {
            continue;
        }
        if (xen_pvsound_attach(&d->streams[i], &local_err)) {
            any = true;
            continue;
        }
        xen_pv_guest_warn(backend, "stream %s is not served: %s",
                          d->streams[i].name, error_get_pretty(local_err));
        error_propagate(&first, local_err);
    }
    if (!any) {
        error_propagate(errp, first);
        return false;
    }
    error_free(first);

    return true;
}

static void xen_pvsound_disconnect(XenPvBackend *backend, bool exiting)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    uint32_t i;

    d->exiting = exiting;
    xen_sndif_reset(d->card);
    for (i = 0; i < d->nr_streams; i++) {
        XenPvStream *s = &d->streams[i];

        xen_pv_channel_close(backend, &s->request);
        xen_pv_channel_close(backend, &s->event);
    }
}

/* -------------------------------------------------------- configuration */

/*
 * The shortest buffer, us: QEMU takes sound from it once in a tick, and the
 * guest has a tick to write more
 */
static uint32_t xen_pvsound_shortest(XenPvSound *d)
{
    return MIN(2 * xen_pv_audio_tick_us(&d->audio), XEN_PVSOUND_SHORTEST_US);
}

/* What QEMU can play at all */
static void xen_pvsound_caps(XenPvSound *d, uint32_t buffer_max,
                             XenSndifCaps *caps)
{
    uint64_t quota = (uint64_t)d->max_pages * XEN_PGDIR_PAGE_SIZE;

    memset(caps, 0, sizeof(*caps));
    caps->formats = xen_pvsound_format_all();
    caps->rate_min = XEN_PVSOUND_MIN_RATE;
    caps->rate_max = XEN_PVSOUND_MAX_RATE;
    caps->channels_min = 1;
    caps->channels_max = d->max_channels;
    caps->buffer_max = MIN(buffer_max, quota);
}

static bool xen_pvsound_check_options(XenPvBackend *backend, Error **errp)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    g_autofree char *why = NULL;
    XenSndifCaps caps;

    if (d->max_channels < 1 || d->max_channels > XEN_SNDIF_MAX_CHANNELS) {
        error_setg(errp, "max-channels=%u is not between 1 and %u channels",
                   d->max_channels, XEN_SNDIF_MAX_CHANNELS);
        return false;
    }
    if (d->max_pages > XEN_PVSOUND_MAX_PAGES) {
        error_setg(errp, "max-pages=%u is not between 1 and %u pages, or 0 "
                   "for %u", d->max_pages, XEN_PVSOUND_MAX_PAGES,
                   XEN_PVSOUND_DEFAULT_PAGES);
        return false;
    }
    d->default_pages = !d->max_pages;
    if (d->default_pages) {
        d->max_pages = XEN_PVSOUND_DEFAULT_PAGES;
    }
    if (d->max_streams < 1 || d->max_streams > XEN_PVSOUND_MAX_STREAMS) {
        error_setg(errp, "max-streams=%u is not between 1 and %d streams",
                   d->max_streams, XEN_PVSOUND_MAX_STREAMS);
        return false;
    }
    if (d->streams_option) {
        xen_pvsound_caps(d, XEN_PVSOUND_BUFFER_SIZE, &caps);
        d->config = xen_pvsound_config_parse(d->streams_option, &caps, &why);
        if (!d->config) {
            error_setg(errp, "%s", why);
            return false;
        }
    }
    d->registered = xen_pv_audio_register(&d->audio, errp);

    return d->registered;
}

/* By what the audiodev can do */
static void xen_pvsound_limit_streams(XenPvSound *d)
{
    guint i;

    for (i = 0; i < d->config->streams->len; i++) {
        XenSndifCaps *caps = &g_array_index(d->config->streams,
                                            XenPvSoundStream, i).caps;

        caps->buffer_us = xen_pvsound_shortest(d);
        if (!xen_pv_audio_is_mixed(&d->audio, caps->capture)) {
            continue;
        }
        if (caps->channels_min > XEN_PVSOUND_MIXED_CHANNELS) {
            xen_pv_guest_warn(&d->backend, "stream %u has %u channels or "
                              "more, but QEMU mixes %d: it cannot be opened "
                              "(%s.mixing-engine=off of the audiodev)", i,
                              caps->channels_min, XEN_PVSOUND_MIXED_CHANNELS,
                              caps->capture ? "in" : "out");
        }
        caps->channels_max = MIN(caps->channels_max,
                                 XEN_PVSOUND_MIXED_CHANNELS);
    }
}

static bool xen_pvsound_configure(XenPvBackend *backend, const char *frontend,
                                  bool toolstack, Error **errp)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    XenPvNodes nodes = xen_pv_backend_nodes(backend);
    bool read = toolstack && !d->config;
    g_autofree char *why = NULL;
    XenSndifCaps caps;

    xen_pvsound_caps(d, read ? XEN_PVSOUND_MAX_BUFFER_SIZE :
                               XEN_PVSOUND_BUFFER_SIZE, &caps);
    if (read) {
        d->config = xen_pvsound_config_read(&nodes, frontend, &caps,
                                            d->max_streams, &why);
    } else if (!d->config) {
        d->config = xen_pvsound_config_parse(XEN_PVSOUND_STREAMS, &caps,
                                             &why);
    }
    if (!d->config) {
        error_setg(errp, "%s", why);
        return false;
    }
    xen_pvsound_limit_streams(d);

    return read || xen_pvsound_config_write(d->config, backend, frontend,
                                            &caps, errp);
}

/* -------------------------------------------------------------- monitor */

static void xen_pvsound_describe_stream(XenPvStream *s, QDict *dict)
{
    XenSndifStreamInfo info;

    xen_sndif_stream_info(s->sound->card, s->index, &info);
    qdict_put_str(dict, "name", s->name);
    qdict_put_str(dict, "type", info.capture ? "capture" : "playback");
    qdict_put_bool(dict, "connected", info.connected);
    qdict_put_bool(dict, "broken", info.broken);
    qdict_put_str(dict, "state", info.state);
    qdict_put_int(dict, "silent-bytes", info.silent_bytes);
    qdict_put_int(dict, "events", info.events);
    if (s->format) {
        qdict_put_str(dict, "format", s->format->name);
        qdict_put_int(dict, "rate", info.params.rate);
        qdict_put_int(dict, "channels", info.params.channels);
        qdict_put_int(dict, "buffer-size", info.params.buffer_size);
        qdict_put_int(dict, "period-size", info.params.period_size);
        qdict_put_int(dict, "directory", info.directory);
        qdict_put_int(dict, "position", info.position);
    }
}

static void xen_pvsound_describe(XenPvBackend *backend, QDict *status)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    QList *streams = qlist_new();
    XenSndifStats stats;
    uint32_t i;

    for (i = 0; i < d->nr_streams; i++) {
        QDict *dict = qdict_new();

        xen_pvsound_describe_stream(&d->streams[i], dict);
        qlist_append(streams, dict);
    }
    qdict_put(status, "streams", streams);

    xen_sndif_stats(d->card, &stats);
    qdict_put_int(status, "requests", stats.requests);
    qdict_put_int(status, "refused", stats.refused);
    qdict_put_int(status, "events", stats.events);
    qdict_put_int(status, "events-full", stats.events_full);
    qdict_put_int(status, "faults", stats.faults);
    qdict_put_int(status, "buffer-pages", stats.total_pages);
    qdict_put_int(status, "shortest-buffer-us", xen_pvsound_shortest(d));
    xen_pv_status_add_cache(status, d->mapper);
}

/* ----------------------------------------------------------- life cycle */

static void xen_pvsound_add_stream(XenPvSound *d, uint32_t index)
{
    XenPvSoundStream *stream = &g_array_index(d->config->streams,
                                              XenPvSoundStream, index);
    XenPvStream *s = &d->streams[index];

    s->sound = d;
    s->index = xen_sndif_add_stream(d->card, &stream->caps);
    s->capture = stream->caps.capture;
    s->usable = stream->usable;
    s->name = g_strdup_printf("%s.%u.%u", xen_pvsound_id(d), stream->pcm,
                              stream->number);
    s->voice = (XenPvVoice) {
        .audio = &d->audio,
        .card = d->card,
        .index = s->index,
        .capture = s->capture,
        .name = s->name,
    };
    xen_pv_voice_init(&s->voice);
    trace_xen_pvsound_stream(s->name, s->capture, s->usable,
                             stream->caps.formats, stream->caps.channels_min,
                             stream->caps.channels_max,
                             stream->caps.buffer_max);
}

static bool xen_pvsound_start(XenPvBackend *backend, Error **errp)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    const XenSndifLimits limits = { .max_total_pages = d->max_pages };
    uint32_t i;

    /* And what a GET_VOLUME takes while all of that is open */
    d->mapper = xen_pv_mapper_new(backend, d->max_pages + 2, d->max_pages,
                                  d->default_pages, errp);
    if (!d->mapper) {
        return false;
    }
    d->card = xen_sndif_new(&xen_pvsound_ops, d, d->mapper, &limits);

    d->nr_streams = d->config->streams->len;
    d->streams = g_new0(XenPvStream, d->nr_streams);
    for (i = 0; i < d->nr_streams; i++) {
        xen_pvsound_add_stream(d, i);
    }

    return true;
}

static void xen_pvsound_stop(XenPvBackend *backend)
{
    XenPvSound *d = XEN_PVSOUND(backend);
    uint32_t i;

    for (i = 0; i < d->nr_streams; i++) {
        XenPvStream *s = &d->streams[i];

        xen_pv_voice_free(&s->voice);
        g_free(s->name);
    }
    d->nr_streams = 0;
    g_clear_pointer(&d->streams, g_free);
    g_clear_pointer(&d->card, xen_sndif_free);
    g_clear_pointer(&d->mapper, xen_pgdir_mapper_unref);
    /*
     * Not when the object is finalized: another thread does that, when it has
     * time, which may be after QEMU has closed its audio.
     */
    if (d->registered) {
        xen_pv_audio_unregister(&d->audio);
        d->registered = false;
    }
}

static void xen_pvsound_finalize(Object *obj)
{
    XenPvSound *d = XEN_PVSOUND(obj);

    /* Here, as options are looked at before there is anything to stop */
    g_clear_pointer(&d->config, xen_pvsound_config_free);
}

static const Property xen_pvsound_properties[] = {
    DEFINE_AUDIO_PROPERTIES(XenPvSound, audio),
    DEFINE_PROP_STRING("streams", XenPvSound, streams_option),
    DEFINE_PROP_UINT32("max-channels", XenPvSound, max_channels, 2),
    DEFINE_PROP_UINT32("max-pages", XenPvSound, max_pages, 0),
    DEFINE_PROP_UINT32("max-streams", XenPvSound, max_streams,
                       XEN_PVSOUND_MAX_STREAMS),
};

static void xen_pvsound_class_init(ObjectClass *class,
                                   XEN_PV_CLASS_DATA *data)
{
    DeviceClass *dev_class = DEVICE_CLASS(class);
    XenDeviceClass *xendev_class = XEN_DEVICE_CLASS(class);
    XenPvBackendClass *pv_class = XEN_PV_BACKEND_CLASS(class);

    xendev_class->backend = "vsnd";
    xendev_class->device = "vsnd";
    pv_class->check_options = xen_pvsound_check_options;
    pv_class->configure = xen_pvsound_configure;
    pv_class->start = xen_pvsound_start;
    pv_class->connect = xen_pvsound_connect;
    pv_class->disconnect = xen_pvsound_disconnect;
    pv_class->stop = xen_pvsound_stop;
    pv_class->describe = xen_pvsound_describe;

    dev_class->desc = "Xen PV sound (sndif)";
    set_bit(DEVICE_CATEGORY_SOUND, dev_class->categories);
    device_class_set_props(dev_class, xen_pvsound_properties);
    object_class_property_set_description(class, "streams",
        "PCMs of the card: '[NAME:]STREAMS;...', each letter of STREAMS a "
        "stream, p for playback, c for capture");
    object_class_property_set_description(class, "max-channels",
        "maximum channels of a stream, 1 to 16; more than 2 need an audiodev "
        "with mixing-engine=off");
    object_class_property_set_description(class, "max-pages",
        "maximum pages of the guest for all open streams together, 1 to "
        "262144; 0 is 8192");
    object_class_property_set_description(class, "max-streams",
        "maximum streams of a card that a toolstack configures, 1 to 64");
    xen_pv_explain_numbers(class, xen_pvsound_properties,
                           ARRAY_SIZE(xen_pvsound_properties));
}

static const TypeInfo xen_pvsound_info = {
    .name = TYPE_XEN_PVSOUND,
    .parent = TYPE_XEN_PV_BACKEND,
    .instance_size = sizeof(XenPvSound),
    .instance_finalize = xen_pvsound_finalize,
    .class_init = xen_pvsound_class_init,
};

static void xen_pvsound_register_types(void)
{
    type_register_static(&xen_pvsound_info);
}

type_init(xen_pvsound_register_types)

static void xen_pvsound_device_create(XenBackendInstance *instance,
                                      QDict *opts, Error **errp)
{
    xen_pv_backend_create(instance, TYPE_XEN_PVSOUND, "vsnd", errp);
}

static const XenBackendInfo xen_pvsound_backend_info = {
    .type = "vsnd",
    .create = xen_pvsound_device_create,
    .destroy = xen_pv_backend_destroy,
};

static void xen_pvsound_register_backend(void)
{
    xen_backend_register(&xen_pvsound_backend_info);
    xen_pv_backend_revive("vsnd");
    xen_pv_vkbd_by_grant();
}

xen_backend_init(xen_pvsound_register_backend);
