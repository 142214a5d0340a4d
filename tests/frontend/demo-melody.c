/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The melody of scripts/demo: the Ode to Joy, on a bell of a few sines.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <math.h>
#include <string.h>

#include "demo-melody.h"

#define RATE        48000
#define CHANNELS    2
#define FRAME       (CHANNELS * sizeof(int16_t))
#define BUFFER      (64 * 1024)
#define PERIOD      (8 * 1024)

/* Frames of a beat, and of one call's worth of sound at the most */
#define BEAT        (RATE * 2 / 5)
#define CHUNK       2048

/* Keys of a piano, 40 is the middle C, and quarters of a beat */
static const struct {
    uint8_t key;
    uint8_t quarters;
} tune[] = {
    { 44, 4 }, { 44, 4 }, { 45, 4 }, { 47, 4 },
    { 47, 4 }, { 45, 4 }, { 44, 4 }, { 42, 4 },
    { 40, 4 }, { 40, 4 }, { 42, 4 }, { 44, 4 },
    { 44, 6 }, { 42, 2 }, { 42, 8 },
    { 44, 4 }, { 44, 4 }, { 45, 4 }, { 47, 4 },
    { 47, 4 }, { 45, 4 }, { 44, 4 }, { 42, 4 },
    { 40, 4 }, { 40, 4 }, { 42, 4 }, { 44, 4 },
    { 42, 6 }, { 40, 2 }, { 40, 8 },
};

/* @note: index into the tune; @at: frames of it that were played */
struct DemoMelody {
    XenFrontSound *sound;
    XenFrontStream *stream;
    uint32_t note;
    uint32_t at;
};

static double bell(uint8_t key, double seconds)
{
    double w = 2 * G_PI * 440 * pow(2, (key - 49) / 12.0) * seconds;
    double attack = MIN(seconds / 0.005, 1);

    return attack * exp(-3 * seconds) *
           (0.6 * sin(w) + 0.25 * sin(2 * w) * exp(-4 * seconds) +
            0.15 * sin(3 * w) * exp(-8 * seconds));
}

static void render(DemoMelody *melody, int16_t *out, uint32_t frames)
{
    uint32_t i;

    for (i = 0; i < frames; i++) {
        double level = bell(tune[melody->note].key,
                            melody->at / (double)RATE);
        int16_t sample = GINT16_TO_LE((int16_t)(level * 20000));

        out[CHANNELS * i] = sample;
        out[CHANNELS * i + 1] = sample;
        if (++melody->at == tune[melody->note].quarters * BEAT / 4) {
            melody->at = 0;
            melody->note = (melody->note + 1) % G_N_ELEMENTS(tune);
        }
    }
}

int demo_melody_feed(DemoMelody *melody)
{
    int16_t samples[CHANNELS * CHUNK];
    uint32_t frames;
    int ret;

    xen_front_stream_take_events(melody->stream);
    for (;;) {
        frames = MIN(xen_front_stream_room(melody->stream) / FRAME, CHUNK);
        if (!frames) {
            return 0;
        }
        render(melody, samples, frames);
        ret = xen_front_stream_write(melody->stream, samples,
                                     frames * FRAME);
        if (ret < 0) {
            return ret;
        }
    }
}

DemoMelody *demo_melody_new(XenGuest *guest, int *ret)
{
    DemoMelody *melody;

    if (xen_guest_read_int(guest, "device/vsnd/0/state", -1) < 0) {
        *ret = -ENODEV;
        return NULL;
    }
    melody = g_new0(DemoMelody, 1);
    melody->sound = xen_front_sound_new(guest, 0);
    melody->stream = &melody->sound->streams[0];

    *ret = xen_front_sound_connect(melody->sound);
    if (!*ret) {
        *ret = xen_front_stream_open(melody->stream, RATE,
                                     XENSND_PCM_FORMAT_S16_LE, CHANNELS,
                                     BUFFER, PERIOD);
    }
    if (!*ret) {
        *ret = demo_melody_feed(melody);
    }
    if (!*ret) {
        *ret = xen_front_stream_trigger(melody->stream,
                                        XENSND_OP_TRIGGER_START);
    }
    if (*ret < 0) {
        xen_front_sound_free(melody->sound);
        g_free(melody);
        return NULL;
    }
    return melody;
}

void demo_melody_free(DemoMelody *melody)
{
    if (melody) {
        xen_front_stream_trigger(melody->stream, XENSND_OP_TRIGGER_STOP);
        xen_front_stream_close(melody->stream);
        xen_front_sound_unload(melody->sound);
        xen_front_sound_free(melody->sound);
        g_free(melody);
    }
}
