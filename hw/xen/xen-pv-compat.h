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
#define xen_pv_audio_set_volume_out audio_set_volume_out
#define xen_pv_audio_set_volume_in audio_set_volume_in
#endif

#endif /* HW_XEN_XEN_PV_COMPAT_H */
