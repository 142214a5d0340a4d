/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sample formats and volume of a PV sound card.  Pure functions.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVSOUND_FORMAT_H
#define HW_XEN_XEN_PVSOUND_FORMAT_H

/**
 * enum XenPvSoundType - samples that are handed to QEMU's audio layer
 *
 * In all of them zero is silence.
 */
typedef enum XenPvSoundType {
    XEN_PVSOUND_S8,
    XEN_PVSOUND_S16,
    XEN_PVSOUND_S32,
    XEN_PVSOUND_F32,
} XenPvSoundType;

/**
 * XenPvSoundConvert - convert samples
 * @dst: where to; not the same memory
 * @src: samples; the guest may change them meanwhile
 * @count: their number
 */
typedef void XenPvSoundConvert(void *dst, const void *src, size_t count);

/**
 * struct XenPvSoundFormat - a guest's sample format, and what becomes of it
 *
 * @name: as the nodes "sample-formats" spell it
 * @code: XENSND_PCM_FORMAT_xxx
 * @size: bytes of a guest's sample
 * @type: what is handed to the audio layer
 * @big_endian: the byte order of that
 * @host_size: bytes of that
 * @to_host: makes @type of a guest's samples; NULL where they are it already
 * @to_guest: the way back, of the same presence
 */
typedef struct XenPvSoundFormat {
    const char *name;
    uint32_t code;
    uint32_t size;
    XenPvSoundType type;
    bool big_endian;
    uint32_t host_size;
    XenPvSoundConvert *to_host;
    XenPvSoundConvert *to_guest;
} XenPvSoundFormat;

/**
 * xen_pvsound_format: look up a format
 * @code: XENSND_PCM_FORMAT_xxx
 *
 * Returns: the format, or NULL when it cannot be played: IEC958, ADPCM, MPEG,
 * GSM and what is unknown.
 */
const XenPvSoundFormat *xen_pvsound_format(uint32_t code);

/**
 * xen_pvsound_format_mask: a format's bit, by its name
 * @name: as in the nodes "sample-formats"; xl's own spellings are known, too
 *
 * Returns: 1 << XENSND_PCM_FORMAT_xxx, or 0 for an unknown name.
 */
uint64_t xen_pvsound_format_mask(const char *name);

/**
 * xen_pvsound_format_all: the bits of all formats that can be played
 */
uint64_t xen_pvsound_format_all(void);

/**
 * xen_pvsound_format_names: the names of all formats that can be played
 *
 * Returns: a list with commas, to be freed with g_free().
 */
char *xen_pvsound_format_names(void);

/**
 * xen_pvsound_gain: the audio layer's volume
 * @millidecibel: volume in steps of 0.001 dB
 *
 * The audio layer cannot amplify: what is above 0 dB is 0 dB.
 *
 * Returns: 0 for silence to 255 for as recorded.
 */
uint8_t xen_pvsound_gain(int32_t millidecibel);

#endif /* HW_XEN_XEN_PVSOUND_FORMAT_H */
