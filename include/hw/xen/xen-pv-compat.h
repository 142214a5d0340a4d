/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the versions of QEMU that the overlay or plugin fits.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_COMPAT_H
#define HW_XEN_XEN_PV_COMPAT_H

/* class_init got a const argument in 10.1 */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#define XEN_PV_CLASS_DATA const void
#else
#define XEN_PV_CLASS_DATA void
#endif

/* An accelerator is told which one it is, by a header of its own, since 10.1 */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#include "accel/accel-ops.h"

#define XEN_PV_ACCEL_PARAMS AccelState *accel, MachineState *ms
#define XEN_PV_ACCEL_CALL(function) ((function)(accel, ms))
#else
#include "qemu/accel.h"

#define XEN_PV_ACCEL_PARAMS MachineState *ms
#define XEN_PV_ACCEL_CALL(function) ((function)(ms))
#endif

/* In 10.2, audio's cards became backends, and what uses a chardev a frontend */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 2)
#include "qemu/audio.h"
#include "chardev/char-fe.h"

typedef CharFrontend XenPvCharFrontend;

typedef AudioBackend *XenPvAudio;

static inline bool xen_pv_audio_register(XenPvAudio *audio, Error **errp)
{
    return AUD_backend_check(audio, errp);
}

static inline void xen_pv_audio_unregister(XenPvAudio *audio)
{
}

#define xen_pv_audio_card(audio) (*(audio))
#define xen_pv_audio_dev(audio) ((*(audio))->dev)
#define xen_pv_audio_set_volume_out AUD_set_volume_out
#define xen_pv_audio_set_volume_in AUD_set_volume_in
#else
#include "audio/audio.h"
#include "chardev/char-fe.h"

typedef CharBackend XenPvCharFrontend;

typedef QEMUSoundCard XenPvAudio;

static inline bool xen_pv_audio_register(XenPvAudio *audio, Error **errp)
{
    return AUD_register_card("xen-pvsound", audio, errp);
}

static inline void xen_pv_audio_unregister(XenPvAudio *audio)
{
    AUD_remove_card(audio);
}

#define xen_pv_audio_card(audio) (audio)
#define xen_pv_audio_dev(audio) ((audio)->state->dev)
#define xen_pv_audio_set_volume_out audio_set_volume_out
#define xen_pv_audio_set_volume_in audio_set_volume_in
#endif

/*
 * What is read of structures that are the audio layer's own, all of it here:
 *
 *   AudioState.dev               the options of the audiodev (before 10.2)
 *   SWVoiceOut.info, .hw         what a voice was asked for, and its host's
 *   SWVoiceIn.info, .hw          side
 *   HWVoiceOut.info              what the host has opened
 *   HWVoiceIn.info
 *
 * Nothing public tells these.  A voice has just been asked for its format, so
 * xen_pv_audio_fits() knows what it has to find.
 */
#include "audio/audio_int.h"

/* Does QEMU mix what it plays, or records, or hand it over as it is? */
static inline bool xen_pv_audio_is_mixed(XenPvAudio *audio, bool capture)
{
    Audiodev *dev = xen_pv_audio_dev(audio);

    return (capture ? audio_get_pdo_in(dev) :
                      audio_get_pdo_out(dev))->mixing_engine;
}

/* How often QEMU asks a driver that does not ask by itself, in us */
static inline uint64_t xen_pv_audio_tick_us(XenPvAudio *audio)
{
    return xen_pv_audio_dev(audio)->timer_period;
}

/* Are samples of one kind samples of the other? */
static inline bool xen_pv_audio_is_same(const struct audio_pcm_info *a,
                                        const struct audio_pcm_info *b)
{
    return a->freq == b->freq && a->nchannels == b->nchannels &&
           a->bits == b->bits && a->is_signed == b->is_signed &&
           a->is_float == b->is_float &&
           a->swap_endianness == b->swap_endianness;
}

/* Has the host opened what the voice of these two was just asked for? */
static inline bool xen_pv_audio_fits(const SWVoiceOut *out,
                                     const SWVoiceIn *in,
                                     const struct audsettings *asked)
{
    const struct audio_pcm_info *voice = out ? &out->info : &in->info;

    return voice->freq == asked->freq &&
           voice->nchannels == asked->nchannels &&
           xen_pv_audio_is_same(voice, out ? &out->hw->info : &in->hw->info);
}

#endif /* HW_XEN_XEN_PV_COMPAT_H */
