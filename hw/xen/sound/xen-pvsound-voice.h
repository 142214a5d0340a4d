/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream's voice in QEMU's audio layer: what moves sound between the two.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVSOUND_VOICE_H
#define HW_XEN_XEN_PVSOUND_VOICE_H

#include "hw/xen/xen-sndif.h"
#include "qemu/fifo8.h"
#include "qemu/timer.h"
#include "hw/xen/xen-pv-compat.h"
#include "xen-pvsound-clock.h"
#include "xen-pvsound-format.h"

/**
 * struct XenPvVoice - a voice
 *
 * @audio: the card's place in the audio layer
 * @card: the protocol engine
 * @index: its stream there
 * @capture: it records
 * @name: for the audio layer and for traces; of the owner
 * @format, @params: what it was opened with last
 * @out: of playback.  It outlives a CLOSE: what it took it still has to play,
 *     and a recording to a file should not begin anew.
 * @in: of capture
 * @host_frame: bytes of a frame of @out or @in
 *
 * All below is of playback:
 *
 * @running: between START and STOP
 * @active: the host is playing, be it what is left after a STOP
 * @clock: how far it is
 * @queue: on its way to the host, as that wants it
 * @tick: when the stream moves on, even if the host does not ask
 * @quiet: when a stream that was stopped has been heard to its end
 */
typedef struct XenPvVoice {
    XenPvAudio *audio;
    XenSndif *card;
    uint32_t index;
    bool capture;
    const char *name;
    const XenPvSoundFormat *format;
    XenSndifParams params;
    SWVoiceOut *out;
    SWVoiceIn *in;
    uint32_t host_frame;
    bool running;
    bool active;
    /* After STOP: frames that the host has to take until all is heard */
    size_t rest;
    int64_t quiet_by;
    XenPvSoundClock clock;
    Fifo8 queue;
    QEMUTimer *tick;
    QEMUTimer *quiet;
} XenPvVoice;

/**
 * xen_pv_voice_init: a voice that is not open
 * @v: the voice, with what the owner knows: @audio to @name
 */
void xen_pv_voice_init(XenPvVoice *v);

/**
 * xen_pv_voice_open: open it, or open it anew
 * @v: the voice
 * @params: what the stream is opened with
 * @format: its format
 *
 * Returns: whether the host could; if not it is closed.
 */
bool xen_pv_voice_open(XenPvVoice *v, const XenSndifParams *params,
                       const XenPvSoundFormat *format);

/**
 * xen_pv_voice_run: the stream starts or stops
 * @v: the voice; open
 * @run: whether it starts
 */
void xen_pv_voice_run(XenPvVoice *v, bool run);

/**
 * xen_pv_voice_set_volume: set the volume
 * @v: the voice; open
 * @volume: of each channel
 */
void xen_pv_voice_set_volume(XenPvVoice *v, Volume *volume);

/**
 * xen_pv_voice_close: close it, whatever is still to be heard
 * @v: the voice; may be closed
 */
void xen_pv_voice_close(XenPvVoice *v);

/**
 * xen_pv_voice_free: close it, and free what it has
 * @v: the voice
 */
void xen_pv_voice_free(XenPvVoice *v);

#endif /* HW_XEN_XEN_PVSOUND_VOICE_H */
