/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of what becomes of nodes and options: of each card's configuration
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "hw/xen/xen-pv-nodes.h"
#include "../../hw/xen/display/xen-pvdisplay-config.h"
#include "../../hw/xen/sound/xen-pvsound-config.h"

/* Nodes by their path, and how many complaints there were */
typedef struct Store {
    XenPvNodes nodes;
    GHashTable *values;
    unsigned int warnings;
    GString *said;
} Store;

static char *store_read(void *opaque, const char *dir, const char *key)
{
    Store *store = opaque;
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    return g_strdup(g_hash_table_lookup(store->values, path));
}

static void store_warn(void *opaque, const char *text)
{
    Store *store = opaque;

    g_assert_cmpstr(text, !=, "");
    store->warnings++;
    g_string_append_printf(store->said, "%s\n", text);
}

static void set_up(Store *store, const void *data)
{
    store->nodes.read = store_read;
    store->nodes.warn = store_warn;
    store->nodes.opaque = store;
    store->values = g_hash_table_new(g_str_hash, g_str_equal);
    store->warnings = 0;
    store->said = g_string_new("");
}

static void tear_down(Store *store, const void *data)
{
    g_string_free(store->said, true);
    g_hash_table_destroy(store->values);
}

/* Directories are nodes, too: those of PCMs are looked for */
static void set(Store *store, const char *path, const char *value)
{
    g_hash_table_replace(store->values, (char *)"dev/0", (char *)"");
    g_hash_table_replace(store->values, (char *)path, (char *)value);
}

/* ---------------------------------------------------------- single values */

static void test_text(void)
{
    char longest[XEN_PV_NODE_MAX + 1];
    char *text;

    memset(longest, 'x', sizeof(longest));
    text = xen_pv_node_text(longest, XEN_PV_NODE_MAX);
    g_assert_cmpuint(strlen(text), ==, XEN_PV_NODE_MAX);
    g_free(text);
    g_assert_null(xen_pv_node_text(longest, XEN_PV_NODE_MAX + 1));

    text = xen_pv_node_text("", 0);
    g_assert_cmpstr(text, ==, "");
    g_free(text);
    text = xen_pv_node_text("\303\266l and more", 3);
    g_assert_cmpstr(text, ==, "\303\266l");
    g_free(text);
    g_assert_null(xen_pv_node_text(NULL, 0));
    g_assert_null(xen_pv_node_text("a\0b", 3));
    g_assert_null(xen_pv_node_text("a\0", 2));
    g_assert_null(xen_pv_node_text("\303", 1));
    g_assert_null(xen_pv_node_text("\377\376", 2));
}

static void test_number(void)
{
    static const char *const none[] = {
        "", " 1", "1 ", "+1", "-1", "0x10", "1.5", "ten", "1\n", "256",
        "4294967296", "18446744073709551616",
        "99999999999999999999999999999999999",
    };
    uint32_t value = 7;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(none); i++) {
        g_assert_false(xen_pv_node_number(none[i], 255, &value));
        g_assert_cmpuint(value, ==, 7);
    }
    g_assert_true(xen_pv_node_number("255", 255, &value));
    g_assert_cmpuint(value, ==, 255);
    g_assert_true(xen_pv_node_number("0", 255, &value));
    g_assert_cmpuint(value, ==, 0);
    g_assert_true(xen_pv_node_number("0042", 255, &value));
    g_assert_cmpuint(value, ==, 42);
    g_assert_true(xen_pv_node_number("4294967295", UINT32_MAX, &value));
    g_assert_cmpuint(value, ==, UINT32_MAX);
    g_assert_false(xen_pv_node_number("4294967296", UINT32_MAX, &value));
}

static void test_version(void)
{
    g_assert_true(xen_pv_node_version(NULL, 0));
    g_assert_true(xen_pv_node_version("1", 1));
    g_assert_true(xen_pv_node_version("2", 1));
    g_assert_false(xen_pv_node_version("", 0));
    g_assert_false(xen_pv_node_version("3", 1));
    g_assert_false(xen_pv_node_version("1,2", 3));
    g_assert_false(xen_pv_node_version("1\0", 2));
}

static void test_resolution(void)
{
    static const char *const none[] = {
        "", "x", "1024", "1024x", "x768", "1024x768x32", "1024 x768",
        "1024x-768", "1024X768", "15x768", "1024x15", "8193x768",
        "1024x8193", "4294967312x768", "1024x768 ", "+1024x768",
    };
    uint32_t width, height;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(none); i++) {
        g_assert_false(xen_pvdisplay_parse_resolution(none[i], &width,
                                                      &height));
    }
    g_assert_true(xen_pvdisplay_parse_resolution("16x8192", &width,
                                                 &height));
    g_assert_cmpuint(width, ==, 16);
    g_assert_cmpuint(height, ==, 8192);
}

/* ---------------------------------------------------------------- display */

static void check_mode(GArray *modes, guint i, const char *id, uint32_t width,
                       uint32_t height)
{
    const XenPvMode *mode = &g_array_index(modes, XenPvMode, i);

    g_assert_cmpstr(mode->id, ==, id);
    g_assert_cmpuint(mode->width, ==, width);
    g_assert_cmpuint(mode->height, ==, height);
}

static void test_screens(void)
{
    static const struct {
        const char *connectors;
        uint32_t xres, yres;
        const char *why;
    } bad[] = {
        { NULL, 1280, 0, "xres=1280,yres=0 is not the size of a screen: both "
          "have to be 16 to 8192 pixels" },
        { NULL, 0, 720, "xres=0,yres=720 is not the size" },
        { NULL, 15, 720, "xres=15,yres=720 is not the size" },
        { NULL, 1280, 8193, "xres=1280,yres=8193 is not the size" },
        { NULL, UINT32_MAX, UINT32_MAX, "xres=4294967295,yres=4294967295" },
        { "800x600", 1280, 720, "connectors= already names the screens" },
        { "800x600", 0, 720, "connectors= already names the screens" },
        { "", 0, 0, "connector ''" },
    };
    char *why = NULL;
    GArray *modes;
    gsize i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(xen_pvdisplay_parse_screens(NULL, bad[i].connectors,
                                                  bad[i].xres, bad[i].yres,
                                                  &why));
        g_assert_true(g_str_has_prefix(why, bad[i].why));
        g_clear_pointer(&why, g_free);
    }

    modes = xen_pvdisplay_parse_screens(NULL, NULL, 1280, 720, &why);
    g_assert_cmpuint(modes->len, ==, 1);
    g_assert_cmpuint(g_array_index(modes, XenPvMode, 0).width, ==, 1280);
    g_assert_cmpuint(g_array_index(modes, XenPvMode, 0).height, ==, 720);
    g_assert_cmpstr(g_array_index(modes, XenPvMode, 0).id, ==, "0");
    g_array_unref(modes);

    modes = xen_pvdisplay_parse_screens(NULL, "L:16x16;8192x8192", 0, 0, &why);
    g_assert_cmpuint(modes->len, ==, 2);
    g_array_unref(modes);
}

/* An output with such a name, size and rate */
static void add_output(GArray *outputs, const char *name, uint32_t xres,
                       uint32_t yres, uint32_t rate)
{
    XenPvMode mode = {
        .id = g_strdup(name), .width = xres, .height = yres,
        .refresh_rate = rate,
    };

    g_array_append_val(outputs, mode);
}

/* The list of outputs is held to what is true of connectors */
static void test_outputs(void)
{
    static const struct {
        const char *name;
        uint32_t xres, yres, rate;
        const char *why;
    } bad[] = {
        { NULL, 15, 720, 0, "output 1: xres=15,yres=720 is not the size of a "
          "screen: both have to be 16 to 8192 pixels" },
        { NULL, 1280, 8193, 0, "output 1: xres=1280,yres=8193 is not the size "
          "of a screen: both have to be 16 to 8192 pixels" },
        { NULL, 1280, 720, 60, "output 1: refresh-rate=60 is not between 1000 "
          "and 1000000 mHz: 60 Hz are 60000" },
        { NULL, 1280, 720, 1000001, "output 1: refresh-rate=1000001 is not "
          "between 1000 and 1000000 mHz: 60 Hz are 60000" },
        { "", 1280, 720, 0, "output 1: name '' is not 1 to 32 letters, "
          "digits, '-', '_' or '.'" },
        { "A B", 1280, 720, 0, "output 1: name 'A B' is not 1 to 32 letters, "
          "digits, '-', '_' or '.'" },
        { "LEFT", 1280, 720, 0, "connector ID 'LEFT' is used twice: give each "
          "screen another" },
    };
    GArray *outputs, *modes;
    char *why = NULL;
    gsize i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        outputs = xen_pvdisplay_modes_new();
        add_output(outputs, "LEFT", 800, 600, 0);
        add_output(outputs, bad[i].name, bad[i].xres, bad[i].yres,
                   bad[i].rate);
        g_assert_null(xen_pvdisplay_parse_screens(outputs, NULL, 0, 0, &why));
        g_assert_cmpstr(why, ==, bad[i].why);
        g_clear_pointer(&why, g_free);
        g_array_unref(outputs);
    }

    outputs = xen_pvdisplay_modes_new();
    g_assert_null(xen_pvdisplay_parse_screens(outputs, NULL, 0, 0, &why));
    g_assert_true(g_str_has_prefix(why, "outputs= is empty: name one screen"));
    g_clear_pointer(&why, g_free);

    add_output(outputs, "LEFT", 16, 8192, 1000);
    add_output(outputs, NULL, 8192, 16, 1000000);
    g_assert_null(xen_pvdisplay_parse_screens(outputs, "800x600", 0, 0,
                                              &why));
    g_assert_cmpstr(why, ==, "connectors= and outputs= both name the screens: "
                    "use one of them");
    g_clear_pointer(&why, g_free);
    g_assert_null(xen_pvdisplay_parse_screens(outputs, NULL, 0, 600, &why));
    g_assert_true(g_str_has_prefix(why, "outputs= already names the screens"));
    g_clear_pointer(&why, g_free);

    modes = xen_pvdisplay_parse_screens(outputs, NULL, 0, 0, &why);
    g_assert_null(why);
    g_assert_cmpuint(modes->len, ==, 2);
    check_mode(modes, 0, "LEFT", 16, 8192);
    check_mode(modes, 1, "1", 8192, 16);
    g_assert_cmpuint(g_array_index(modes, XenPvMode, 0).refresh_rate, ==,
                     1000);
    g_assert_cmpuint(g_array_index(modes, XenPvMode, 1).refresh_rate, ==,
                     1000000);
    g_array_unref(modes);

    while (outputs->len <= XEN_PVDISPLAY_MAX_CONNECTORS) {
        add_output(outputs, NULL, 800, 600, 0);
    }
    g_assert_null(xen_pvdisplay_parse_screens(outputs, NULL, 0, 0, &why));
    g_assert_cmpstr(why, ==, "17 connectors are too many: a device has at "
                    "most 16");
    g_free(why);
    g_array_unref(outputs);
}

static void test_connectors(void)
{
    static const char *const none[] = {
        "", ";", "1024x768;", "A:1024x768;A:800x600", ":1024x768",
        "A B:1024x768", "1:1024x768;x:800x600;1024",
        "1:800x600;800x600",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456:1024x768",
    };
    char *why = NULL;
    GArray *modes;
    GString *many;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(none); i++) {
        g_assert_null(xen_pvdisplay_parse_connectors(none[i], &why));
        g_assert_nonnull(why);
        g_clear_pointer(&why, g_free);
    }

    modes = xen_pvdisplay_parse_connectors("A-b_3.:1920x1080;640x480",
                                           &why);
    g_assert_null(why);
    g_assert_cmpuint(modes->len, ==, 2);
    check_mode(modes, 0, "A-b_3.", 1920, 1080);
    check_mode(modes, 1, "1", 640, 480);
    g_array_unref(modes);

    many = g_string_new("640x480");
    for (i = 1; i < XEN_PVDISPLAY_MAX_CONNECTORS; i++) {
        g_string_append(many, ";640x480");
    }
    modes = xen_pvdisplay_parse_connectors(many->str, &why);
    g_assert_cmpuint(modes->len, ==, XEN_PVDISPLAY_MAX_CONNECTORS);
    g_array_unref(modes);
    g_string_append(many, ";640x480");
    g_assert_null(xen_pvdisplay_parse_connectors(many->str, &why));
    g_free(why);
    g_string_free(many, true);
}

static void test_modes(Store *store, const void *data)
{
    char *why = NULL;
    GArray *modes;

    g_assert_null(xen_pvdisplay_read_modes(&store->nodes, "dev", &why));
    g_assert_nonnull(why);
    g_clear_pointer(&why, g_free);

    set(store, "dev/0/resolution", "1024x768");
    set(store, "dev/0/unique-id", "HDMI");
    set(store, "dev/1/resolution", "800x600");
    set(store, "dev/3/resolution", "16x16");
    modes = xen_pvdisplay_read_modes(&store->nodes, "dev", &why);
    g_assert_null(why);
    g_assert_cmpuint(modes->len, ==, 2);
    check_mode(modes, 0, "HDMI", 1024, 768);
    check_mode(modes, 1, NULL, 800, 600);
    g_array_unref(modes);

    /* One that makes no sense is not a reason to serve half of a card */
    set(store, "dev/1/resolution", "800x");
    g_assert_null(xen_pvdisplay_read_modes(&store->nodes, "dev", &why));
    g_assert_cmpstr(why, ==, "node 'dev/1/resolution' is not WIDTHxHEIGHT "
                    "with sides of 16 to 8192 pixels");
    g_clear_pointer(&why, g_free);
    set(store, "dev/1/resolution", "9000x600");
    g_assert_null(xen_pvdisplay_read_modes(&store->nodes, "dev", &why));
    g_assert_cmpstr(why, ==, "node 'dev/1/resolution' is 9000x600, not "
                    "WIDTHxHEIGHT with sides of 16 to 8192 pixels");
    g_free(why);
}

/* A guest may make as many nodes as its quota allows */
static char *endless_read(void *opaque, const char *dir, const char *key)
{
    return g_strdup(g_str_equal(key, "resolution") ? "16x16" :
                    g_str_equal(key, XENSND_FIELD_TYPE) ? "p" : "1");
}

static void test_endless(Store *store, const void *data)
{
    XenSndifCaps caps = { .channels_min = 1, .channels_max = 2 };
    XenPvSoundConfig *config;
    char *why = NULL;
    GArray *modes;

    store->nodes.read = endless_read;
    modes = xen_pvdisplay_read_modes(&store->nodes, "dev", &why);
    g_assert_cmpuint(modes->len, ==, XEN_PVDISPLAY_MAX_CONNECTORS);
    g_array_unref(modes);

    config = xen_pvsound_config_read(&store->nodes, "dev", &caps,
                                     XEN_PVSOUND_MAX_STREAMS, &why);
    g_assert_null(why);
    g_assert_cmpuint(config->pcms->len, <=, XEN_PVSOUND_MAX_PCMS);
    g_assert_cmpuint(config->streams->len, ==, XEN_PVSOUND_MAX_STREAMS);
    xen_pvsound_config_free(config);
}

/* ------------------------------------------------------------------ sound */

static const XenSndifCaps most = {
    .formats = 1ULL << XENSND_PCM_FORMAT_S16_LE |
               1ULL << XENSND_PCM_FORMAT_U8,
    .rate_min = XEN_PVSOUND_MIN_RATE,
    .rate_max = XEN_PVSOUND_MAX_RATE,
    .channels_min = 1,
    .channels_max = 8,
    .buffer_max = 65536,
};

static XenPvSoundStream *stream_of(XenPvSoundConfig *config, guint i)
{
    g_assert_cmpuint(i, <, config->streams->len);
    return &g_array_index(config->streams, XenPvSoundStream, i);
}

static void test_streams(void)
{
    static const char *const none[] = {
        "", ";", "pc;", "x", ":p", "Main:", "a/b:p", "ppppppppp",
        "0123456789abcdef0123456789abcdefX:p",
    };
    XenPvSoundConfig *config;
    char *why = NULL;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(none); i++) {
        g_assert_null(xen_pvsound_config_parse(none[i], &most, &why));
        g_assert_nonnull(why);
        g_clear_pointer(&why, g_free);
    }

    config = xen_pvsound_config_parse("Main:pc;c", &most, &why);
    g_assert_null(why);
    g_assert_cmpuint(config->pcms->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(config->pcms, 0), ==, "Main");
    g_assert_cmpstr(g_ptr_array_index(config->pcms, 1), ==, "PCM 1");
    g_assert_cmpuint(config->streams->len, ==, 3);
    g_assert_false(stream_of(config, 0)->caps.capture);
    g_assert_true(stream_of(config, 1)->caps.capture);
    g_assert_cmpuint(stream_of(config, 1)->number, ==, 1);
    g_assert_cmpuint(stream_of(config, 2)->pcm, ==, 1);
    xen_pvsound_config_free(config);
}

/* @count times @text, with separators */
static char *repeat(const char *text, unsigned int count)
{
    GString *all = g_string_new(text);

    while (--count) {
        g_string_append_printf(all, ";%s", text);
    }
    return g_string_free(all, false);
}

/* As many as there may be, and one more; the sentence says how many */
static void check_most(const char *text, unsigned int count, const char *one,
                       unsigned int limit)
{
    g_autofree char *all = repeat(text, count);
    g_autofree char *more = g_strdup_printf("%s;%s", all, one);
    g_autofree char *most_there_are = g_strdup_printf("at most %u", limit);
    g_autofree char *why = NULL;
    XenPvSoundConfig *config;

    config = xen_pvsound_config_parse(all, &most, &why);
    g_assert_nonnull(config);
    g_assert_null(why);
    xen_pvsound_config_free(config);
    g_assert_null(xen_pvsound_config_parse(more, &most, &why));
    g_assert_nonnull(strstr(why, most_there_are));
}

static void test_too_many(void)
{
    check_most("p", XEN_PVSOUND_MAX_PCMS, "c", XEN_PVSOUND_MAX_PCMS);
    check_most("pppppppp", XEN_PVSOUND_MAX_STREAMS / 8, "c",
               XEN_PVSOUND_MAX_STREAMS);
    /* What never was can be freed */
    xen_pvsound_config_free(NULL);
}

/* More rates than there is room for: the first of them */
static void test_many_rates(Store *store, const void *data)
{
    g_autoptr(GString) rates = g_string_new("8000");
    XenPvSoundConfig *config;
    const XenSndifCaps *caps;
    char *why = NULL;
    uint32_t i;

    for (i = 1; i < 2 * XEN_SNDIF_MAX_RATES; i++) {
        g_string_append_printf(rates, ",%u", 8000 + i);
    }
    set(store, "dev/0/0/type", "p");
    set(store, "dev/0/0/sample-rates", rates->str);
    config = xen_pvsound_config_read(&store->nodes, "dev", &most,
                                     XEN_PVSOUND_MAX_STREAMS, &why);
    caps = &stream_of(config, 0)->caps;
    g_assert_cmpuint(caps->nr_rates, ==, XEN_SNDIF_MAX_RATES);
    g_assert_cmpuint(caps->rates[XEN_SNDIF_MAX_RATES - 1], ==,
                     8000 + XEN_SNDIF_MAX_RATES - 1);
    xen_pvsound_config_free(config);
}

/* Limits are inherited, narrowed, and never widened */
static void test_limits(Store *store, const void *data)
{
    XenPvSoundConfig *config;
    const XenSndifCaps *caps;
    char *why = NULL;

    set(store, "dev/channels-max", "4");
    set(store, "dev/sample-rates", "48000, 8000,96000");
    set(store, "dev/buffer-size", "4294967295");
    set(store, "dev/0/name", "Main");
    set(store, "dev/0/channels-min", "2");
    set(store, "dev/0/0/type", "p");
    set(store, "dev/0/1/type", "c");
    set(store, "dev/0/1/channels-max", "200");
    set(store, "dev/0/1/sample-formats", "s16_le,gsm");
    set(store, "dev/0/1/buffer-size", "4096");
    config = xen_pvsound_config_read(&store->nodes, "dev", &most,
                                     XEN_PVSOUND_MAX_STREAMS, &why);
    g_assert_null(why);
    g_assert_cmpuint(store->warnings, ==, 0);
    g_assert_cmpuint(config->streams->len, ==, 2);

    caps = &stream_of(config, 0)->caps;
    g_assert_false(caps->capture);
    g_assert_cmpuint(caps->channels_min, ==, 2);
    g_assert_cmpuint(caps->channels_max, ==, 4);
    g_assert_cmpuint(caps->nr_rates, ==, 3);
    g_assert_cmpuint(caps->rates[0], ==, 8000);
    g_assert_cmpuint(caps->rates[2], ==, 96000);
    g_assert_cmpuint(caps->buffer_max, ==, 65536);
    g_assert_true(caps->formats == most.formats);

    caps = &stream_of(config, 1)->caps;
    g_assert_true(caps->capture);
    g_assert_cmpuint(caps->channels_max, ==, 8);
    g_assert_true(caps->formats == 1ULL << XENSND_PCM_FORMAT_S16_LE);
    g_assert_cmpuint(caps->buffer_max, ==, 4096);
    xen_pvsound_config_free(config);
}

/* What makes no sense is logged, and as good as missing */
static void test_nonsense(Store *store, const void *data)
{
    XenPvSoundConfig *config;
    char *why = NULL;

    set(store, "dev/0/0/type", "p");
    set(store, "dev/0/0/channels-min", "many");
    set(store, "dev/0/0/channels-max", "-1");
    set(store, "dev/0/0/buffer-size", "99999999999");
    set(store, "dev/0/0/sample-rates", "999,384001,4294975296,8 000");
    set(store, "dev/0/0/sample-formats", "s16,U8");
    set(store, "dev/0/1/type", "q");
    config = xen_pvsound_config_read(&store->nodes, "dev", &most,
                                     XEN_PVSOUND_MAX_STREAMS, &why);
    g_assert_null(why);
    g_assert_cmpuint(store->warnings, ==, 3 + 4 + 2 + 1);
    /* What is a number is said; what is not may be anything of the guest's */
    g_assert_nonnull(strstr(store->said->str, "node 'dev/0/0/channels-min' is "
                            "not a number up to 255\n"));
    g_assert_cmpuint(config->streams->len, ==, 2);
    g_assert_true(stream_of(config, 0)->usable);
    g_assert_false(stream_of(config, 1)->usable);
    g_assert_cmpmem(&stream_of(config, 0)->caps, sizeof(most), &most,
                    sizeof(most));
    xen_pvsound_config_free(config);

    /* More channels than can be played leave those that can */
    store->warnings = 0;
    set(store, "dev/0/0/channels-min", "9");
    set(store, "dev/0/0/channels-max", "256");
    config = xen_pvsound_config_read(&store->nodes, "dev", &most,
                                     XEN_PVSOUND_MAX_STREAMS, &why);
    g_assert_cmpuint(stream_of(config, 0)->caps.channels_min, ==, 1);
    g_assert_nonnull(strstr(store->said->str, "node 'dev/0/0/channels-max' is "
                            "256, not a number up to 255\n"));
    g_assert_nonnull(strstr(store->said->str, "'dev/0/0' wants 9 channels or "
                            "more, but "));
    xen_pvsound_config_free(config);
}

static void test_unusable(Store *store, const void *data)
{
    char *why = NULL;

    g_assert_null(xen_pvsound_config_read(&store->nodes, "dev", &most,
                                          XEN_PVSOUND_MAX_STREAMS, &why));
    g_assert_nonnull(why);
    g_clear_pointer(&why, g_free);
    set(store, "dev/0/0/type", "playback");
    g_assert_null(xen_pvsound_config_read(&store->nodes, "dev", &most,
                                          XEN_PVSOUND_MAX_STREAMS, &why));
    g_assert_nonnull(why);
    g_free(why);
}

/* A screen's clock is kept to a thousandth of a Hz */
static void test_rates(void)
{
    g_assert_cmpuint(xen_pvdisplay_rate(0, 60000), ==, 60000);
    g_assert_cmpuint(xen_pvdisplay_rate(59951, 60000), ==, 59951);
    g_assert_cmpuint(xen_pvdisplay_rate(1, 60000), ==, 1);
    g_assert_cmpuint(xen_pvdisplay_rate(UINT32_MAX, 60000), ==, 1000000);
    g_assert_cmpint(xen_pvdisplay_period_ns(60000), ==, 16666666);
    g_assert_cmpint(xen_pvdisplay_period_ns(59951), ==, 16680288);
    g_assert_cmpint(xen_pvdisplay_period_ns(1000000), ==, 1000000);
}

static void test_vnc_cuts(void)
{
    const struct {
        XenPvMode mode;
        bool beyond;
    } cases[] = {
        { { .width = 1920, .height = 1080 }, false },
        { { .width = 5120, .height = 2160 }, false },
        { { .width = 5121, .height = 16 }, true },
        { { .width = 16, .height = 2161 }, true },
        { { .width = 8192, .height = 8192 }, true },
    };
    int i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(xen_pvdisplay_vnc_cuts(&cases[i].mode), ==,
                        cases[i].beyond);
    }
}

/* What a card may have mapped if its user does not say */
static void test_default_pages(void)
{
    static const struct {
        const char *connectors;
        uint32_t screens;
        uint32_t pages;
    } cards[] = {
        { "16x16", 1, 4096 },
        { "1024x768", 768, 4096 },
        { "1920x1080", 2025, 8100 },
        { "1920x1080;1920x1080", 4050, 16200 },
        /* rows and screens are no whole pages: each rounded up */
        { "1023x1;1x1", 0, 0 },
        { "1366x768;1023x769", 1025 + 769, 7176 },
        { "3840x2160", 8100, 16384 },
        { "8192x8192", 65536, 16384 },
        { "8192x8192;8192x8192;8192x8192;8192x8192;"
          "8192x8192;8192x8192;8192x8192;8192x8192;"
          "8192x8192;8192x8192;8192x8192;8192x8192;"
          "8192x8192;8192x8192;8192x8192;8192x8192", 1048576, 16384 },
    };
    unsigned int i;

    for (i = 0; i < G_N_ELEMENTS(cards); i++) {
        g_autofree char *why = NULL;
        GArray *modes = xen_pvdisplay_parse_connectors(cards[i].connectors,
                                                       &why);

        g_assert_true(!modes == !cards[i].screens);
        if (modes) {
            g_assert_cmpuint(xen_pvdisplay_screen_pages(modes), ==,
                             cards[i].screens);
            g_assert_cmpuint(xen_pvdisplay_default_pages(modes, 16384), ==,
                             cards[i].pages);
            g_array_unref(modes);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/xen/pv-config/text", test_text);
    g_test_add_func("/xen/pv-config/rates", test_rates);
    g_test_add_func("/xen/pv-config/vnc-cuts", test_vnc_cuts);
    g_test_add_func("/xen/pv-config/number", test_number);
    g_test_add_func("/xen/pv-config/version", test_version);
    g_test_add_func("/xen/pv-config/resolution", test_resolution);
    g_test_add_func("/xen/pv-config/screens", test_screens);
    g_test_add_func("/xen/pv-config/connectors", test_connectors);
    g_test_add_func("/xen/pv-config/outputs", test_outputs);
    g_test_add("/xen/pv-config/modes", Store, NULL, set_up, test_modes,
               tear_down);
    g_test_add("/xen/pv-config/endless", Store, NULL, set_up, test_endless,
               tear_down);
    g_test_add_func("/xen/pv-config/streams", test_streams);
    g_test_add_func("/xen/pv-config/too-many", test_too_many);
    g_test_add("/xen/pv-config/many-rates", Store, NULL, set_up,
               test_many_rates, tear_down);
    g_test_add("/xen/pv-config/limits", Store, NULL, set_up, test_limits,
               tear_down);
    g_test_add("/xen/pv-config/nonsense", Store, NULL, set_up, test_nonsense,
               tear_down);
    g_test_add("/xen/pv-config/unusable", Store, NULL, set_up, test_unusable,
               tear_down);

    g_test_add_func("/xen/pvdisplay/default-pages", test_default_pages);
    return g_test_run();
}
