/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream's voice in QEMU's audio layer: what moves sound between the two.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/trace.h"
#include "xen-pvsound-voice.h"

/* Samples on their way through a conversion, bytes */
#define XEN_PVSOUND_CHUNK 4096

/* However rare or frequent QEMU's ticks are, a stream moves on as often */
#define LEAST_TICK_US 1000
#define MOST_TICK_US 50000

/* How much longer than thought a host is given after STOP */
#define MOST_LATE_NS (2 * NANOSECONDS_PER_SECOND)

/* ------------------------------------------------------------- playback */

static size_t voice_queued(XenPvVoice *v)
{
    return fifo8_num_used(&v->queue) / v->host_frame;
}

/* Put @frames of the guest's into the queue, or silence; there is room */
static void voice_push(XenPvVoice *v, const void *data, size_t frames)
{
    uint32_t host_frame = v->host_frame;
    uint8_t chunk[XEN_PVSOUND_CHUNK];

    if (data && !v->format->to_host) {
        fifo8_push_all(&v->queue, data, frames * host_frame);
        return;
    }
    while (frames) {
        size_t n = MIN(frames, sizeof(chunk) / host_frame);

        if (data) {
            v->format->to_host(chunk, data, n * v->params.channels);
            data = (const uint8_t *)data + n * v->params.frame_size;
        } else {
            memset(chunk, 0, n * host_frame);
        }
        fifo8_push_all(&v->queue, chunk, n * host_frame);
        frames -= n;
    }
}

/* Move some of @due frames of the guest's into the queue, which has room */
static size_t voice_take(XenPvVoice *v, size_t due, size_t room)
{
    uint32_t frame = v->params.frame_size;
    size_t length = MIN(due, room) * frame, frames;
    const void *data;

    if (!xen_sndif_peek(v->card, v->index, &data, &length)) {
        return 0;
    }
    frames = length / frame;
    if (!data) {
        frames = MIN(frames, xen_pvsound_clock_silence(&v->clock, due));
    }
    voice_push(v, data, frames);
    xen_sndif_played(v->card, v->index, frames * frame);

    return frames;
}

/* Between STOP and the end of what is heard there is silence to move */
static void voice_move(XenPvVoice *v)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    size_t due = xen_pvsound_clock_due(&v->clock, now), room = 1, frames;

    for (; due; due -= frames) {
        room = fifo8_num_free(&v->queue) / v->host_frame;
        if (v->running) {
            frames = room ? voice_take(v, due, room) : 0;
        } else {
            frames = MIN(due, room);
            voice_push(v, NULL, frames);
        }
        if (!frames) {
            break;
        }
        xen_pvsound_clock_taken(&v->clock, frames);
    }
    xen_pvsound_clock_held(&v->clock, room ? 0 : due, now);
    if (v->running) {
        xen_sndif_flush(v->card, v->index);
    }
    /* A host that asks each tick does so before */
    timer_mod(v->tick, now + v->clock.tick * 6 / 5);
}

static void voice_tick(void *opaque)
{
    voice_move(opaque);
}

static size_t voice_write_silence(XenPvVoice *v, size_t frames)
{
    uint8_t chunk[XEN_PVSOUND_CHUNK] = { 0 };
    uint32_t host_frame = v->host_frame;
    size_t done = 0, n, taken;

    while (done < frames) {
        n = MIN(frames - done, sizeof(chunk) / host_frame);
        taken = AUD_write(v->out, chunk, n * host_frame) / host_frame;
        done += taken;
        if (taken < n) {
            break;
        }
    }

    return done;
}

static size_t voice_write(XenPvVoice *v, size_t frames)
{
    uint32_t host_frame = v->host_frame, bytes;
    size_t done = 0, taken;

    while (done < frames && !fifo8_is_empty(&v->queue)) {
        const uint8_t *data = fifo8_peek_bufptr(&v->queue,
            MIN((frames - done) * host_frame, fifo8_num_used(&v->queue)),
            &bytes);

        taken = AUD_write(v->out, (void *)data, bytes) / host_frame;
        fifo8_drop(&v->queue, taken * host_frame);
        v->rest -= MIN(v->rest, taken);
        done += taken;
        if (taken * host_frame < bytes) {
            break;
        }
    }

    return done;
}

/*
 * The host gets what is in the queue.  So it is full, and stays so, and what
 * it wants more is not asked from the guest before its time has come.
 */
static void voice_play(void *opaque, int avail)
{
    XenPvVoice *v = opaque;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    /* Some drivers have no limit */
    size_t room = MIN(avail / v->host_frame, v->params.rate), left = room;
    size_t silence, more;

    voice_move(v);
    silence = xen_pvsound_clock_prime(&v->clock, room, voice_queued(v));
    left -= voice_write_silence(v, silence);
    left -= voice_write(v, left);
    more = xen_pvsound_clock_asked(&v->clock, left, voice_queued(v), now);
    voice_write_silence(v, more);
    trace_xen_pvsound_play(v->name, avail, silence + more, voice_queued(v),
                           xen_sndif_position(v->card, v->index));
}

/* -------------------------------------------------------------- capture */

/*
 * The most that one callback hands over.  It may be late, and find far more
 * than there is room for in the guest's buffer: what has been told only now
 * is not to be overwritten at once.  The audio layer keeps the rest until it
 * calls again, which it does soon enough for so much.
 */
static size_t voice_pass(XenPvVoice *v)
{
    uint32_t buffer = v->params.buffer_size;
    uint32_t period = MIN(v->params.period_size, buffer / 2);
    /* What comes between two callbacks must do, however small the buffer */
    uint64_t us = MIN(2 * xen_pv_audio_tick_us(v->audio), 1000000);

    return MAX((buffer - period) / v->params.frame_size,
               us * v->params.rate / 1000000);
}

/*
 * Without QEMU's mixing engine @avail says nothing: there is as much as
 * AUD_read() returns.  A host may have the next frame by then each time, so
 * one that had less than it was asked for is not asked again.
 */
static void voice_record(void *opaque, int avail)
{
    XenPvVoice *v = opaque;
    XenSndif *card = v->card;
    uint32_t host_frame = v->host_frame;
    uint8_t chunk[XEN_PVSOUND_CHUNK], guest[XEN_PVSOUND_CHUNK * 2];
    size_t left = MIN(avail / host_frame, voice_pass(v));

    while (left) {
        size_t asked = MIN(left, sizeof(chunk) / host_frame);
        size_t frames = AUD_read(v->in, chunk, asked * host_frame) /
                        host_frame;
        void *data = chunk;

        if (!frames) {
            break;
        }
        if (v->format->to_guest) {
            v->format->to_guest(guest, chunk, frames * v->params.channels);
            data = guest;
        }
        xen_sndif_recorded(card, v->index, data,
                           frames * v->params.frame_size);
        if (frames < asked) {
            break;
        }
        left -= frames;
    }
    xen_sndif_flush(card, v->index);
    trace_xen_pvsound_record(v->name, avail,
                             xen_sndif_position(card, v->index));
}

/* --------------------------------------------------------------- voices */

static const AudioFormat audio_formats[] = {
    [XEN_PVSOUND_S8] = AUDIO_FORMAT_S8,
    [XEN_PVSOUND_S16] = AUDIO_FORMAT_S16,
    [XEN_PVSOUND_S32] = AUDIO_FORMAT_S32,
    [XEN_PVSOUND_F32] = AUDIO_FORMAT_F32,
};

/*
 * A QEMU that did not get the processor has not handed over what was due, and
 * the host's buffer is not played yet: both have their time anew.  A host that
 * takes nothing any more is not waited for.
 */
static void voice_be_quiet(void *opaque)
{
    XenPvVoice *v = opaque;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (v->rest && now < v->quiet_by) {
        timer_mod(v->quiet, now + xen_pvsound_clock_heard(&v->clock, 0));
        return;
    }
    timer_del(v->tick);
    v->active = false;
    AUD_set_active_out(v->out, false);
}

static void voice_drop_queue(XenPvVoice *v)
{
    timer_del(v->tick);
    timer_del(v->quiet);
    v->active = v->running = false;
    fifo8_destroy(&v->queue);
}

void xen_pv_voice_close(XenPvVoice *v)
{
    if (v->out) {
        AUD_close_out(xen_pv_audio_card(v->audio), v->out);
        v->out = NULL;
        voice_drop_queue(v);
    }
    if (v->in) {
        AUD_close_in(xen_pv_audio_card(v->audio), v->in);
        v->in = NULL;
    }
}

void xen_pv_voice_set_volume(XenPvVoice *v, Volume *volume)
{
    if (v->out) {
        xen_pv_audio_set_volume_out(v->out, volume);
    }
    if (v->in) {
        xen_pv_audio_set_volume_in(v->in, volume);
    }
}

/*
 * Without its mixing engine QEMU hands over what it gets, also to a host that
 * has opened something else than it was asked for.
 */
static bool voice_fits(XenPvVoice *v, const struct audsettings *asked)
{
    return xen_pv_audio_is_mixed(v->audio, v->capture) ||
           xen_pv_audio_fits(v->out, v->in, asked);
}

/* What is still heard of another kind of sound ends when this one begins */
static void voice_open_out(XenPvVoice *v, const XenSndifParams *params,
                           struct audsettings *as, uint32_t host_frame)
{
    uint32_t frames = params->rate * XEN_PVSOUND_QUEUE_MS / 1000 + 1;
    bool had = v->out;

    if (had && (v->params.rate != params->rate ||
                v->params.channels != params->channels ||
                v->params.format != params->format)) {
        AUD_set_active_out(v->out, false);
        voice_drop_queue(v);
        had = false;
    }
    v->out = AUD_open_out(xen_pv_audio_card(v->audio), v->out, v->name, v,
                          voice_play, as);
    if (v->out && !had) {
        fifo8_create(&v->queue, frames * host_frame);
    } else if (!v->out && had) {
        voice_drop_queue(v);
    }
}

bool xen_pv_voice_open(XenPvVoice *v, const XenSndifParams *params,
                       const XenPvSoundFormat *format)
{
    struct audsettings as = {
        .freq = params->rate,
        .nchannels = params->channels,
        .fmt = audio_formats[format->type],
        .endianness = format->big_endian,
    };
    Volume loud = { .channels = params->channels };
    uint32_t host_frame = format->host_size * params->channels;

    if (v->capture) {
        v->in = AUD_open_in(xen_pv_audio_card(v->audio), v->in, v->name, v,
                            voice_record, &as);
    } else {
        voice_open_out(v, params, &as, host_frame);
    }
    if (!v->out && !v->in) {
        return false;
    }
    v->host_frame = host_frame;
    if (!voice_fits(v, &as)) {
        xen_pv_voice_close(v);
        return false;
    }

    memset(loud.vol, UINT8_MAX, sizeof(loud.vol));
    xen_pv_voice_set_volume(v, &loud);
    v->format = format;
    v->params = *params;

    return true;
}

/*
 * The stream is stopped at once; what was taken so far is heard meanwhile.  A
 * voice that is switched off may throw it away, and one that runs dry may
 * repeat it: it gets silence until then.
 */
static void voice_run_out(XenPvVoice *v, bool run)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    uint64_t us = xen_pv_audio_tick_us(v->audio);
    int64_t tick = MAX(MIN(us, MOST_TICK_US), LEAST_TICK_US) * SCALE_US;

    if (!run) {
        size_t queued = voice_queued(v);
        int64_t heard = now + xen_pvsound_clock_heard(&v->clock, queued);

        v->running = false;
        v->rest = queued + v->clock.room;
        v->quiet_by = heard + MOST_LATE_NS;
        timer_mod(v->quiet, heard);
        return;
    }
    timer_del(v->quiet);
    if (v->active) {
        voice_move(v);
    } else {
        xen_pvsound_clock_start(&v->clock, v->params.rate, tick, now);
        fifo8_reset(&v->queue);
        voice_push(v, NULL, xen_pvsound_clock_margin(&v->clock));
        v->active = true;
        AUD_set_active_out(v->out, true);
        timer_mod(v->tick, now + tick);
    }
    v->running = true;
}

void xen_pv_voice_run(XenPvVoice *v, bool run)
{
    if (v->capture) {
        AUD_set_active_in(v->in, run);
    } else {
        voice_run_out(v, run);
    }
}

void xen_pv_voice_init(XenPvVoice *v)
{
    v->tick = timer_new_ns(QEMU_CLOCK_VIRTUAL, voice_tick, v);
    v->quiet = timer_new_ns(QEMU_CLOCK_VIRTUAL, voice_be_quiet, v);
}

void xen_pv_voice_free(XenPvVoice *v)
{
    xen_pv_voice_close(v);
    g_clear_pointer(&v->tick, timer_free);
    g_clear_pointer(&v->quiet, timer_free);
}
