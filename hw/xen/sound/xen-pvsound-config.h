/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PV sound card is made of: the option "streams" and the card's nodes.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVSOUND_CONFIG_H
#define HW_XEN_XEN_PVSOUND_CONFIG_H

#include "hw/xen/xen-pv-nodes.h"
#include "hw/xen/xen-sndif.h"

/* Streams that Linux takes of one PCM, and what we take of one card */
#define XEN_PVSOUND_MAX_PCM_STREAMS 8
#define XEN_PVSOUND_MAX_PCMS 32
#define XEN_PVSOUND_MAX_STREAMS 64

/* Rates that any stream may have */
#define XEN_PVSOUND_MIN_RATE 1000
#define XEN_PVSOUND_MAX_RATE 384000

/**
 * struct XenPvSoundStream - what a stream is made from
 *
 * @pcm: number of its PCM
 * @number: its number there
 * @usable: its nodes make sense; if not it is left alone
 * @caps: what it may be opened with
 */
typedef struct XenPvSoundStream {
    uint32_t pcm;
    uint32_t number;
    bool usable;
    XenSndifCaps caps;
} XenPvSoundStream;

/**
 * struct XenPvSoundConfig - what a card is made from
 *
 * @pcms: name of each PCM, in order
 * @streams: struct XenPvSoundStream of each stream, in order
 */
typedef struct XenPvSoundConfig {
    GPtrArray *pcms;
    GArray *streams;
} XenPvSoundConfig;

/**
 * xen_pvsound_config_parse: check the option "streams"
 * @text: PCMs separated by semicolons, each "[NAME:]LETTERS", where each
 *     letter is a stream: p plays, c records
 * @caps: what every stream may be opened with
 * @why: where to say what is wrong with it, to be freed with g_free()
 *
 * Returns: the card, or NULL.
 */
XenPvSoundConfig *xen_pvsound_config_parse(const char *text,
                                           const XenSndifCaps *caps,
                                           char **why);

/**
 * xen_pvsound_config_read: read the nodes of a card that the toolstack made
 * @nodes: the way to read them
 * @frontend: the frontend's directory
 * @caps: what can be played at all
 * @max_streams: what comes after so many streams is not looked at
 * @why: where to say what is wrong, to be freed with g_free()
 *
 * Streams take their limits from their PCM, and PCMs from the card, as far as
 * they have none of their own.  A value that makes no sense is logged and
 * taken for missing; a stream without a type is logged and not served.
 *
 * Returns: the card, or NULL when it has no stream that can be served.
 */
XenPvSoundConfig *xen_pvsound_config_read(const XenPvNodes *nodes,
                                          const char *frontend,
                                          const XenSndifCaps *caps,
                                          uint32_t max_streams, char **why);

/**
 * xen_pvsound_config_free: free it
 * @config: the card, or NULL
 */
void xen_pvsound_config_free(XenPvSoundConfig *config);

#endif /* HW_XEN_XEN_PVSOUND_CONFIG_H */
