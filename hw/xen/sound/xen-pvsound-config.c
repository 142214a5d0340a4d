/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PV sound card is made of: the option "streams" and the card's nodes.
 * Whatever they hold becomes limits that are fit for the engine, or nothing.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "xen-pvsound-config.h"
#include "xen-pvsound-format.h"

static XenPvSoundConfig *config_new(void)
{
    XenPvSoundConfig *config = g_new0(XenPvSoundConfig, 1);

    config->pcms = g_ptr_array_new_with_free_func(g_free);
    config->streams = g_array_new(false, true, sizeof(XenPvSoundStream));

    return config;
}

void xen_pvsound_config_free(XenPvSoundConfig *config)
{
    if (config) {
        g_ptr_array_unref(config->pcms);
        g_array_unref(config->streams);
        g_free(config);
    }
}

static void add_stream(XenPvSoundConfig *config, uint32_t number,
                       bool capture, bool usable, const XenSndifCaps *caps)
{
    XenPvSoundStream stream = {
        .pcm = config->pcms->len - 1,
        .number = number,
        .usable = usable,
        .caps = *caps,
    };

    stream.caps.capture = capture;
    g_array_append_val(config->streams, stream);
}

/* -------------------------------------------------------------- option */

/* The name becomes a node of the guest and part of log lines */
static bool is_name(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!g_ascii_isalnum(text[i]) && !strchr("-_. ", text[i])) {
            return false;
        }
    }

    return len > 0 && len <= 32;
}

static bool parse_pcm(XenPvSoundConfig *config, const char *text,
                      const XenSndifCaps *caps, char **why)
{
    const char *colon = strrchr(text, ':');
    const char *letters = colon ? colon + 1 : text;
    size_t count = strlen(letters), i;

    if (colon && !is_name(text, colon - text)) {
        *why = g_strdup_printf("PCM '%s' needs a name of 1 to 32 letters, "
                               "digits, spaces, '-', '_' or '.'", text);
        return false;
    }
    if (count < 1 || count > XEN_PVSOUND_MAX_PCM_STREAMS ||
        strspn(letters, "pc") != count) {
        *why = g_strdup_printf("PCM '%s' is not '[NAME:]STREAMS' with 1 to "
                               "%d letters, p for playback and c for "
                               "capture, as in 'Main:pc'", text,
                               XEN_PVSOUND_MAX_PCM_STREAMS);
        return false;
    }

    g_ptr_array_add(config->pcms,
                    colon ? g_strndup(text, colon - text)
                          : g_strdup_printf("PCM %u", config->pcms->len));
    for (i = 0; i < count; i++) {
        add_stream(config, i, letters[i] == 'c', true, caps);
    }

    return true;
}

XenPvSoundConfig *xen_pvsound_config_parse(const char *text,
                                           const XenSndifCaps *caps,
                                           char **why)
{
    g_auto(GStrv) list = g_strsplit(text, ";", -1);
    guint count = g_strv_length(list);
    XenPvSoundConfig *config;
    guint i;

    if (count > XEN_PVSOUND_MAX_PCMS) {
        *why = g_strdup_printf("%u PCMs are too many: a card has at most %d",
                               count, XEN_PVSOUND_MAX_PCMS);
        return NULL;
    }

    config = config_new();
    for (i = 0; i < MAX(count, 1); i++) {
        if (!parse_pcm(config, count ? list[i] : "", caps, why)) {
            xen_pvsound_config_free(config);
            return NULL;
        }
    }
    if (config->streams->len > XEN_PVSOUND_MAX_STREAMS) {
        *why = g_strdup_printf("%u streams are too many: a card has at most "
                               "%d", config->streams->len,
                               XEN_PVSOUND_MAX_STREAMS);
        xen_pvsound_config_free(config);
        return NULL;
    }

    return config;
}

/* --------------------------------------------------------------- nodes */

/* The node is the guest's, and what is in it comes as a number or not at all */
static void warn_of_number(const XenPvNodes *nodes, const char *dir,
                           const char *key, const char *text, uint32_t max)
{
    uint32_t value;

    if (xen_pv_node_number(text, UINT32_MAX, &value)) {
        xen_pv_nodes_warn(nodes, "node '%s/%s' is %u, not a number up to %u",
                          dir, key, value, max);
    } else {
        xen_pv_nodes_warn(nodes, "node '%s/%s' is not a number up to %u", dir,
                          key, max);
    }
}

/* A number between limits; what is none, or 0, is as good as missing */
static bool read_number(const XenPvNodes *nodes, const char *dir,
                        const char *key, uint32_t max, uint32_t *value)
{
    g_autofree char *text = xen_pv_nodes_read(nodes, dir, key);

    if (!text) {
        return false;
    }
    if (!xen_pv_node_number(text, max, value)) {
        warn_of_number(nodes, dir, key, text, max);
        return false;
    }

    return *value > 0;
}

/* Channels are narrowed to what can be played, not widened */
static void read_channels(const XenPvNodes *nodes, const char *dir,
                          uint32_t most, XenSndifCaps *caps)
{
    uint32_t min = caps->channels_min, max = caps->channels_max;

    read_number(nodes, dir, XENSND_FIELD_CHANNELS_MIN, UINT8_MAX, &min);
    read_number(nodes, dir, XENSND_FIELD_CHANNELS_MAX, UINT8_MAX, &max);
    min = MAX(min, 1);
    max = MIN(max ? max : most, most);
    if (min > max) {
        xen_pv_nodes_warn(nodes, "'%s' wants %u channels or more, but %u "
                          "is the most", dir, min, max);
        return;
    }
    caps->channels_min = min;
    caps->channels_max = max;
}

static int compare_rates(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void read_rates(const XenPvNodes *nodes, const char *dir,
                       XenSndifCaps *caps)
{
    g_autofree char *text = xen_pv_nodes_read(nodes, dir,
                                              XENSND_FIELD_SAMPLE_RATES);
    g_auto(GStrv) list = g_strsplit(text ? text : "", XENSND_LIST_SEPARATOR,
                                    -1);
    uint32_t rates[XEN_SNDIF_MAX_RATES], count = 0;
    guint i;

    for (i = 0; list[i] && count < XEN_SNDIF_MAX_RATES; i++) {
        uint32_t rate;

        if (!xen_pv_node_number(g_strstrip(list[i]), XEN_PVSOUND_MAX_RATE,
                                &rate) || rate < XEN_PVSOUND_MIN_RATE) {
            g_autofree char *escaped = g_strescape(list[i], NULL);

            xen_pv_nodes_warn(nodes, "node '%s/%s': ignoring '%s', which is "
                              "not a rate of %d to %d Hz", dir,
                              XENSND_FIELD_SAMPLE_RATES, escaped,
                              XEN_PVSOUND_MIN_RATE, XEN_PVSOUND_MAX_RATE);
            continue;
        }
        rates[count++] = rate;
    }
    if (count) {
        qsort(rates, count, sizeof(rates[0]), compare_rates);
        memcpy(caps->rates, rates, sizeof(rates[0]) * count);
        caps->nr_rates = count;
    }
}

static void read_formats(const XenPvNodes *nodes, const char *dir,
                         XenSndifCaps *caps)
{
    g_autofree char *text = xen_pv_nodes_read(nodes, dir,
                                              XENSND_FIELD_SAMPLE_FORMATS);
    g_auto(GStrv) list = g_strsplit(text ? text : "", XENSND_LIST_SEPARATOR,
                                    -1);
    uint64_t formats = 0;
    guint i;

    for (i = 0; list[i]; i++) {
        uint64_t format = xen_pvsound_format_mask(g_strstrip(list[i]));

        if (!format) {
            g_autofree char *escaped = g_strescape(list[i], NULL);

            xen_pv_nodes_warn(nodes, "node '%s/%s': ignoring the unknown "
                              "sample format '%s'", dir,
                              XENSND_FIELD_SAMPLE_FORMATS, escaped);
        }
        formats |= format;
    }
    /* What is known but cannot be played leaves a list without anything */
    if (formats) {
        caps->formats = formats & xen_pvsound_format_all();
    }
}

static void read_limits(const XenPvNodes *nodes, const char *dir,
                        const XenSndifCaps *most, XenSndifCaps *caps)
{
    uint32_t size;

    read_channels(nodes, dir, most->channels_max, caps);
    read_rates(nodes, dir, caps);
    read_formats(nodes, dir, caps);
    if (read_number(nodes, dir, XENSND_FIELD_BUFFER_SIZE, UINT32_MAX,
                    &size)) {
        caps->buffer_max = MIN(size, most->buffer_max);
    }
}

/* xenstore has a node for each directory, empty unless somebody wrote it */
static char *find_dir(const XenPvNodes *nodes, const char *parent,
                      uint32_t number)
{
    g_autofree char *dir = g_strdup_printf("%s/%u", parent, number);
    g_autofree char *text = xen_pv_nodes_read(nodes, dir,
                                              XENSND_FIELD_TYPE);
    g_autofree char *self = NULL;

    if (!text) {
        g_autofree char *key = g_strdup_printf("%u", number);

        self = xen_pv_nodes_read(nodes, parent, key);
    }

    return text || self ? g_steal_pointer(&dir) : NULL;
}

static void read_stream(XenPvSoundConfig *config, const XenPvNodes *nodes,
                        const char *dir, uint32_t number,
                        const XenSndifCaps *most, const XenSndifCaps *pcm)
{
    g_autofree char *type = xen_pv_nodes_read(nodes, dir, XENSND_FIELD_TYPE);
    bool capture = !g_strcmp0(type, XENSND_STREAM_TYPE_CAPTURE);
    bool usable = capture || !g_strcmp0(type, XENSND_STREAM_TYPE_PLAYBACK);
    XenSndifCaps caps = *pcm;

    if (!usable) {
        xen_pv_nodes_warn(nodes, "node '%s/%s' is not '%s' or '%s': the "
                          "stream is not served", dir, XENSND_FIELD_TYPE,
                          XENSND_STREAM_TYPE_PLAYBACK,
                          XENSND_STREAM_TYPE_CAPTURE);
    }
    read_limits(nodes, dir, most, &caps);
    add_stream(config, number, capture, usable, &caps);
}

/* Returns whether any stream can be served */
static bool read_pcm(XenPvSoundConfig *config, const XenPvNodes *nodes,
                     const char *dir, const XenSndifCaps *most,
                     const XenSndifCaps *card, uint32_t max_streams)
{
    char *name = xen_pv_nodes_read(nodes, dir, XENSND_FIELD_DEVICE_NAME);
    XenSndifCaps caps = *card;
    bool usable = false;
    uint32_t i;

    g_ptr_array_add(config->pcms, name ? name : g_strdup(""));
    read_limits(nodes, dir, most, &caps);
    for (i = 0; i < XEN_PVSOUND_MAX_PCM_STREAMS &&
         config->streams->len < max_streams; i++) {
        g_autofree char *stream = find_dir(nodes, dir, i);

        if (!stream) {
            break;
        }
        read_stream(config, nodes, stream, i, most, &caps);
        usable |= g_array_index(config->streams, XenPvSoundStream,
                                config->streams->len - 1).usable;
    }

    return usable;
}

XenPvSoundConfig *xen_pvsound_config_read(const XenPvNodes *nodes,
                                          const char *frontend,
                                          const XenSndifCaps *caps,
                                          uint32_t max_streams, char **why)
{
    XenPvSoundConfig *config = config_new();
    XenSndifCaps card = *caps;
    bool usable = false;
    uint32_t i;

    read_limits(nodes, frontend, caps, &card);
    for (i = 0; i < XEN_PVSOUND_MAX_PCMS; i++) {
        g_autofree char *dir = find_dir(nodes, frontend, i);

        if (!dir) {
            break;
        }
        usable |= read_pcm(config, nodes, dir, caps, &card, max_streams);
    }
    if (!usable) {
        *why = g_strdup_printf("the toolstack's nodes in '%s' name no stream "
                               "that can be served", frontend);
        xen_pvsound_config_free(config);
        return NULL;
    }

    return config;
}
