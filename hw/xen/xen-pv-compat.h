/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the versions of QEMU that the overlay fits.
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

/* Audio: cards became backends in 10.2 */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 2)
#include "qemu/audio.h"

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

/* The options of an audiodev are known to the audio layer alone */
#include "audio/audio_int.h"

/* Does QEMU mix what it plays, or records, or hand it over as it is? */
static inline bool xen_pv_audio_is_mixed(XenPvAudio *audio, bool capture)
{
    Audiodev *dev = xen_pv_audio_dev(audio);

    return (capture ? audio_get_pdo_in(dev) :
                      audio_get_pdo_out(dev))->mixing_engine;
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

#endif /* HW_XEN_XEN_PV_COMPAT_H */
