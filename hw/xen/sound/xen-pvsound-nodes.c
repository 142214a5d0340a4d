/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a PV sound card that an option made.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "xen-pvsound-format.h"
#include "xen-pvsound-nodes.h"

/* What Linux knows of rates, and can be told in a list */
#define LINUX_RATES "5512,8000,11025,16000,22050,32000,44100,48000,64000," \
                    "96000,176400,192000"

static bool write_card(XenPvBackend *backend, const char *frontend,
                       const XenSndifCaps *caps, Error **errp)
{
    g_autofree char *formats = xen_pvsound_format_names();
    g_autofree char *channels = g_strdup_printf("%u", caps->channels_max);
    g_autofree char *size = g_strdup_printf("%u", caps->buffer_max);

    return xen_pv_node_write(backend, frontend, XENSND_FIELD_VCARD_SHORT_NAME,
                             "Xen PV sound", errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_VCARD_LONG_NAME,
                             "Xen PV sound of QEMU", errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_SAMPLE_FORMATS,
                             formats, errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_SAMPLE_RATES,
                             LINUX_RATES, errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_CHANNELS_MIN,
                             "1", errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_CHANNELS_MAX,
                             channels, errp) &&
           xen_pv_node_write(backend, frontend, XENSND_FIELD_BUFFER_SIZE,
                             size, errp);
}

/* Where a stream has fewer than its card */
static bool write_channels(XenPvBackend *backend, const char *dir,
                           uint32_t channels, uint32_t inherited,
                           Error **errp)
{
    g_autofree char *text = g_strdup_printf("%u", channels);

    if (channels == inherited) {
        xen_pv_node_remove(backend, dir, XENSND_FIELD_CHANNELS_MAX);
        return true;
    }

    return xen_pv_node_write(backend, dir, XENSND_FIELD_CHANNELS_MAX, text,
                             errp);
}

/* What a larger card left */
static void remove_others(const XenPvSoundConfig *config,
                          XenPvBackend *backend, const char *frontend)
{
    g_autofree uint32_t *streams = g_new0(uint32_t, config->pcms->len);
    guint i;

    for (i = 0; i < config->streams->len; i++) {
        streams[g_array_index(config->streams, XenPvSoundStream, i).pcm]++;
    }
    for (i = 0; i < config->pcms->len; i++) {
        g_autofree char *dir = g_strdup_printf("%s/%u", frontend, i);

        xen_pv_nodes_end(backend, dir, streams[i]);
    }
    xen_pv_nodes_end(backend, frontend, config->pcms->len);
}

bool xen_pvsound_config_write(const XenPvSoundConfig *config,
                              XenPvBackend *backend, const char *frontend,
                              const XenSndifCaps *caps, Error **errp)
{
    guint i;

    remove_others(config, backend, frontend);
    if (!write_card(backend, frontend, caps, errp)) {
        return false;
    }
    for (i = 0; i < config->pcms->len; i++) {
        g_autofree char *dir = g_strdup_printf("%s/%u", frontend, i);

        if (!xen_pv_node_write(backend, dir, XENSND_FIELD_DEVICE_NAME,
                               g_ptr_array_index(config->pcms, i), errp)) {
            return false;
        }
    }
    for (i = 0; i < config->streams->len; i++) {
        XenPvSoundStream *stream = &g_array_index(config->streams,
                                                  XenPvSoundStream, i);
        g_autofree char *dir = g_strdup_printf("%s/%u/%u", frontend,
                                               stream->pcm, stream->number);
        g_autofree char *id = g_strdup_printf("%u.%u", stream->pcm,
                                              stream->number);

        if (!xen_pv_node_write(backend, dir, XENSND_FIELD_TYPE,
                               stream->caps.capture ?
                               XENSND_STREAM_TYPE_CAPTURE :
                               XENSND_STREAM_TYPE_PLAYBACK, errp) ||
            !write_channels(backend, dir, stream->caps.channels_max,
                            caps->channels_max, errp) ||
            !xen_pv_node_write(backend, dir, XENSND_FIELD_STREAM_UNIQUE_ID,
                               id, errp)) {
            return false;
        }
    }

    return true;
}
