/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: what cards are made of: nodes that a guest may have written,
 * with another value each time they are read, and options.  Whatever is
 * accepted must be fit for the engines.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "hw/xen/xen-pv-nodes.h"
#include "../../hw/xen/display/xen-pvdisplay-config.h"
#include "../../hw/xen/sound/xen-pvsound-config.h"
#include "../../hw/xen/sound/xen-pvsound-format.h"
#include "fuzz-input.h"

#define MAX_OPTION  300

static const XenSndifCaps most = {
    .formats = 1ULL << XENSND_PCM_FORMAT_S16_LE |
               1ULL << XENSND_PCM_FORMAT_U8,
    .rate_min = XEN_PVSOUND_MIN_RATE,
    .rate_max = XEN_PVSOUND_MAX_RATE,
    .channels_min = 1,
    .channels_max = 8,
    .buffer_max = 65536,
};

/* -------------------------------------------------------------- the nodes */

/* Bytes as they are, of which there may be one more than are allowed */
static char *take_raw(FuzzInput *in)
{
    char raw[XEN_PV_NODE_MAX + 1];
    size_t len = fuzz_u8(in);

    len += len == UINT8_MAX ? fuzz_pick(in, 3) : 0;
    fuzz_bytes(in, raw, len);
    g_assert_cmpint(xen_pv_node_version(raw, len), ==,
                    len == 1 && (raw[0] == '1' || raw[0] == '2'));
    return xen_pv_node_text(raw, len);
}

/* What a toolstack writes, or nearly */
static char *take_tame(FuzzInput *in)
{
    static const char *const words[] = {
        "p", "c", "", "1", "2", "0", "255", "s16_le", "u8,s16_le", "gsm",
        "48000", "44100,8000, 48000", "1024x768", "65536", "HDMI", "-1",
    };

    return g_strdup(FUZZ_CHOICE(in, words));
}

/* A list of many entries, good ones and others */
static char *take_list(FuzzInput *in)
{
    GString *list = g_string_new(NULL);
    unsigned int n = fuzz_pick(in, 48);

    while (n--) {
        g_string_append_printf(list, "%u,", fuzz_number(in));
    }
    return g_string_free(list, false);
}

static char *node_read(void *opaque, const char *dir, const char *key)
{
    FuzzInput *in = opaque;
    char *text = NULL;

    switch (fuzz_pick(in, 6)) {
    case 0:
        break;
    case 1:
        text = take_raw(in);
        break;
    case 2:
        text = take_list(in);
        break;
    case 3:
        text = g_strdup_printf("%u", fuzz_number(in));
        break;
    default:
        text = take_tame(in);
        break;
    }
    g_assert(!text || g_utf8_validate(text, -1, NULL));
    return text;
}

static void node_warn(void *opaque, const char *text)
{
    g_assert(g_utf8_validate(text, -1, NULL));
}

/* ------------------------------------------------------------ the results */

static void check_why(bool good, char *why)
{
    g_assert(good == !why);
    g_free(why);
}

static void check_modes(GArray *modes, char *why)
{
    guint i;

    check_why(modes, why);
    if (!modes) {
        return;
    }
    g_assert(modes->len && modes->len <= XEN_PVDISPLAY_MAX_CONNECTORS);
    for (i = 0; i < modes->len; i++) {
        const XenPvMode *mode = &g_array_index(modes, XenPvMode, i);

        g_assert(mode->width >= XEN_PVDISPLAY_MIN_SIDE &&
                 mode->width <= XEN_PVDISPLAY_MAX_SIDE);
        g_assert(mode->height >= XEN_PVDISPLAY_MIN_SIDE &&
                 mode->height <= XEN_PVDISPLAY_MAX_SIDE);
    }
    g_array_unref(modes);
}

static void check_caps(const XenSndifCaps *caps)
{
    uint32_t i;

    g_assert(!(caps->formats & ~xen_pvsound_format_all()));
    g_assert_cmpuint(caps->channels_min, >=, 1);
    g_assert_cmpuint(caps->channels_min, <=, caps->channels_max);
    g_assert_cmpuint(caps->channels_max, <=, most.channels_max);
    g_assert_cmpuint(caps->buffer_max, >, 0);
    g_assert_cmpuint(caps->buffer_max, <=, most.buffer_max);
    g_assert_cmpuint(caps->rate_min, ==, most.rate_min);
    g_assert_cmpuint(caps->rate_max, ==, most.rate_max);
    g_assert_cmpuint(caps->nr_rates, <=, XEN_SNDIF_MAX_RATES);
    for (i = 0; i < caps->nr_rates; i++) {
        g_assert(caps->rates[i] >= XEN_PVSOUND_MIN_RATE &&
                 caps->rates[i] <= XEN_PVSOUND_MAX_RATE);
        g_assert(i == 0 || caps->rates[i - 1] <= caps->rates[i]);
    }
}

static void check_sound(XenPvSoundConfig *config, uint32_t max_streams,
                        char *why)
{
    bool usable = false;
    guint i;

    check_why(config, why);
    if (!config) {
        return;
    }
    g_assert_cmpuint(config->pcms->len, <=, XEN_PVSOUND_MAX_PCMS);
    g_assert_cmpuint(config->streams->len, <=, max_streams);
    for (i = 0; i < config->pcms->len; i++) {
        g_assert(g_ptr_array_index(config->pcms, i));
    }
    for (i = 0; i < config->streams->len; i++) {
        const XenPvSoundStream *stream = &g_array_index(config->streams,
                                                        XenPvSoundStream, i);

        g_assert_cmpuint(stream->pcm, <, config->pcms->len);
        g_assert_cmpuint(stream->number, <, XEN_PVSOUND_MAX_PCM_STREAMS);
        check_caps(&stream->caps);
        usable |= stream->usable;
    }
    g_assert(usable);
    xen_pvsound_config_free(config);
}

/* A number is what it looks like, but for zeros in front of it */
static void check_number(FuzzInput *in)
{
    g_autofree char *text = take_raw(in), *same = NULL;
    uint32_t max = fuzz_number(in), value;

    if (text && xen_pv_node_number(text, max, &value)) {
        same = g_strdup_printf("%u", value);
        g_assert_cmpuint(value, <=, max);
        g_assert(g_str_has_suffix(text, same));
        g_assert(strspn(text, "0") + strlen(same) - !value == strlen(text));
    }
}

/* An option is made of such pieces, or of whatever bytes there are */
static char *take_option(FuzzInput *in)
{
    static const char *const pieces[] = {
        ";", ":", "1024x768", "16x16", "LEFT", "0", "1", "p", "c", "pc",
        "pppppppp",
    };
    GString *text = g_string_new(NULL);

    while (in->size && text->len < MAX_OPTION) {
        uint8_t choice = fuzz_u8(in);

        if (choice < ARRAY_SIZE(pieces)) {
            g_string_append(text, pieces[choice]);
        } else if (choice < UINT8_MAX) {
            g_string_append_c(text, choice);
        } else {
            g_string_append_printf(text, "%u", fuzz_number(in));
        }
    }
    return g_string_free(text, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = { .data = data, .size = size };
    XenPvNodes nodes = { node_read, node_warn, &in };
    g_autofree char *option = NULL;
    uint32_t max_streams;
    char *why = NULL;
    void *made;

    switch (fuzz_pick(&in, 5)) {
    case 0:
        max_streams = 1 + fuzz_pick(&in, XEN_PVSOUND_MAX_STREAMS);
        made = xen_pvsound_config_read(&nodes, "dev", &most, max_streams,
                                       &why);
        check_sound(made, max_streams, why);
        break;
    case 1:
        made = xen_pvdisplay_read_modes(&nodes, "dev", &why);
        check_modes(made, why);
        break;
    case 2:
        option = take_option(&in);
        made = xen_pvdisplay_parse_connectors(option, &why);
        check_modes(made, why);
        break;
    case 3:
        option = take_option(&in);
        made = xen_pvsound_config_parse(option, &most, &why);
        check_sound(made, XEN_PVSOUND_MAX_STREAMS, why);
        break;
    default:
        check_number(&in);
        break;
    }
    return 0;
}
