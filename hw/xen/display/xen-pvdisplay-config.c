/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of connectors of a PV display: text of users, toolstacks, guests.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-config.h"

/* Of each screen, and pages for all of them, however small: see the header */
#define PICTURES    4
#define MIN_PAGES   4096

static bool parse_side(const char *text, uint32_t *side)
{
    return xen_pv_node_number(text, XEN_PVDISPLAY_MAX_SIDE, side) &&
           *side >= XEN_PVDISPLAY_MIN_SIDE;
}

bool xen_pvdisplay_parse_resolution(const char *text, uint32_t *width,
                                    uint32_t *height)
{
    const char *x = strchr(text, 'x');
    g_autofree char *first = x ? g_strndup(text, x - text) : NULL;

    return x && parse_side(first, width) && parse_side(x + 1, height);
}

/* Two numbers, however large, for who wants to say that they are no screen */
static bool parse_numbers(const char *text, uint32_t *width, uint32_t *height)
{
    const char *x = strchr(text, 'x');
    g_autofree char *first = x ? g_strndup(text, x - text) : NULL;

    return x && xen_pv_node_number(first, UINT32_MAX, width) &&
           xen_pv_node_number(x + 1, UINT32_MAX, height);
}

/* The node is the guest's, and what is in it comes as numbers or not at all */
static char *bad_resolution(const char *dir, const char *text)
{
    g_autofree char *value = NULL;
    uint32_t width, height;

    if (parse_numbers(text, &width, &height)) {
        value = g_strdup_printf(" %ux%u,", width, height);
    }
    return g_strdup_printf("node '%s/resolution' is%s not WIDTHxHEIGHT "
                           "with sides of %d to %d pixels", dir, value ?: "",
                           XEN_PVDISPLAY_MIN_SIDE, XEN_PVDISPLAY_MAX_SIDE);
}

static void xen_pv_mode_clear(void *data)
{
    XenPvMode *mode = data;

    g_free(mode->id);
}

GArray *xen_pvdisplay_modes_new(void)
{
    GArray *modes = g_array_new(false, true, sizeof(XenPvMode));

    g_array_set_clear_func(modes, xen_pv_mode_clear);

    return modes;
}

/* The id becomes a node of the guest and part of log lines */
static bool parse_id(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!g_ascii_isalnum(text[i]) && !strchr("-_.", text[i])) {
            return false;
        }
    }

    return len > 0 && len <= 32;
}

static bool has_id(GArray *modes, const char *id)
{
    guint i;

    for (i = 0; i < modes->len; i++) {
        if (g_str_equal(g_array_index(modes, XenPvMode, i).id, id)) {
            return true;
        }
    }

    return false;
}

/* Its ID is its number, unless it has one: @id of @len bytes */
static bool add_mode(GArray *modes, const char *id, size_t len,
                     const XenPvMode *size, char **why)
{
    XenPvMode mode = *size;

    mode.id = id ? g_strndup(id, len) : g_strdup_printf("%u", modes->len);
    if (has_id(modes, mode.id)) {
        *why = g_strdup_printf("connector ID '%s' is used twice: give each "
                               "screen another", mode.id);
        g_free(mode.id);
        return false;
    }
    g_array_append_val(modes, mode);

    return true;
}

static bool parse_connector(GArray *modes, const char *text, char **why)
{
    const char *colon = strrchr(text, ':');
    XenPvMode mode = {};

    if (!xen_pvdisplay_parse_resolution(colon ? colon + 1 : text, &mode.width,
                                        &mode.height)) {
        *why = g_strdup_printf("connector '%s' is not '[ID:]WIDTHxHEIGHT' "
                               "with sides of %d to %d pixels, as in "
                               "'LEFT:1920x1080'", text,
                               XEN_PVDISPLAY_MIN_SIDE,
                               XEN_PVDISPLAY_MAX_SIDE);
        return false;
    }
    if (colon && !parse_id(text, colon - text)) {
        *why = g_strdup_printf("connector '%s' needs an ID of 1 to 32 "
                               "letters, digits, '-', '_' or '.'", text);
        return false;
    }

    return add_mode(modes, colon ? text : NULL, colon ? colon - text : 0,
                    &mode, why);
}

static bool check_count(guint count, char **why)
{
    if (count > XEN_PVDISPLAY_MAX_CONNECTORS) {
        *why = g_strdup_printf("%u connectors are too many: a device has at "
                               "most %d", count,
                               XEN_PVDISPLAY_MAX_CONNECTORS);
        return false;
    }

    return true;
}

GArray *xen_pvdisplay_parse_connectors(const char *text, char **why)
{
    g_auto(GStrv) list = g_strsplit(text, ";", -1);
    guint count = g_strv_length(list);
    GArray *modes;
    guint i;

    if (!check_count(count, why)) {
        return NULL;
    }

    modes = xen_pvdisplay_modes_new();
    for (i = 0; i < MAX(count, 1); i++) {
        if (!parse_connector(modes, count ? list[i] : "", why)) {
            g_array_unref(modes);
            return NULL;
        }
    }

    return modes;
}

static bool is_side(uint32_t side)
{
    return side >= XEN_PVDISPLAY_MIN_SIDE && side <= XEN_PVDISPLAY_MAX_SIDE;
}

/* @what: of which output it is, or nothing */
static bool check_size(const char *what, uint32_t xres, uint32_t yres,
                       char **why)
{
    if (is_side(xres) && is_side(yres)) {
        return true;
    }
    *why = g_strdup_printf("%sxres=%u,yres=%u is not the size of a screen: "
                           "both have to be %d to %d pixels", what, xres, yres,
                           XEN_PVDISPLAY_MIN_SIDE, XEN_PVDISPLAY_MAX_SIDE);
    return false;
}

static bool add_output(GArray *modes, const XenPvMode *output, char **why)
{
    g_autofree char *what = g_strdup_printf("output %u: ", modes->len);
    const uint32_t most = XEN_PVDISPLAY_MAX_RATE * XEN_PVDISPLAY_MHZ;
    uint32_t rate = output->refresh_rate;
    const char *id = output->id;

    if (!check_size(what, output->width, output->height, why)) {
        return false;
    }
    if (rate && (rate < XEN_PVDISPLAY_MHZ || rate > most)) {
        *why = g_strdup_printf("%srefresh-rate=%u is not between %d and %u "
                               "mHz: 60 Hz are 60000", what, rate,
                               XEN_PVDISPLAY_MHZ, most);
        return false;
    }
    if (id && !parse_id(id, strlen(id))) {
        *why = g_strdup_printf("%sname '%s' is not 1 to 32 letters, digits, "
                               "'-', '_' or '.'", what, id);
        return false;
    }

    return add_mode(modes, id, id ? strlen(id) : 0, output, why);
}

static GArray *check_outputs(const GArray *outputs, char **why)
{
    GArray *modes;
    guint i;

    if (!outputs->len) {
        *why = g_strdup("outputs= is empty: name one screen at least, as in "
                        "[{\"xres\":1920,\"yres\":1080}]");
        return NULL;
    }
    if (!check_count(outputs->len, why)) {
        return NULL;
    }

    modes = xen_pvdisplay_modes_new();
    for (i = 0; i < outputs->len; i++) {
        if (!add_output(modes, &g_array_index(outputs, XenPvMode, i), why)) {
            g_array_unref(modes);
            return NULL;
        }
    }

    return modes;
}

GArray *xen_pvdisplay_parse_screens(const GArray *outputs,
                                    const char *connectors, uint32_t xres,
                                    uint32_t yres, char **why)
{
    g_autofree char *one = g_strdup_printf("%ux%u", xres, yres);

    if (outputs && connectors) {
        *why = g_strdup("connectors= and outputs= both name the screens: use "
                        "one of them");
        return NULL;
    }
    if ((outputs || connectors) && (xres || yres)) {
        *why = g_strdup_printf("%s= already names the screens: leave xres= "
                               "and yres=, which are one screen, away",
                               outputs ? "outputs" : "connectors");
        return NULL;
    }
    if (outputs) {
        return check_outputs(outputs, why);
    }
    if (connectors) {
        return xen_pvdisplay_parse_connectors(connectors, why);
    }

    return check_size("", xres, yres, why) ?
           xen_pvdisplay_parse_connectors(one, why) : NULL;
}

GArray *xen_pvdisplay_read_modes(const XenPvNodes *nodes,
                                 const char *frontend, char **why)
{
    GArray *modes = xen_pvdisplay_modes_new();
    guint i;

    for (i = 0; i < XEN_PVDISPLAY_MAX_CONNECTORS; i++) {
        g_autofree char *dir = g_strdup_printf("%s/%u", frontend, i);
        g_autofree char *size = xen_pv_nodes_read(nodes, dir, "resolution");
        XenPvMode mode = {};

        if (!size) {
            break;
        }
        if (!xen_pvdisplay_parse_resolution(size, &mode.width,
                                            &mode.height)) {
            *why = bad_resolution(dir, size);
            g_array_unref(modes);
            return NULL;
        }
        mode.id = xen_pv_nodes_read(nodes, dir, "unique-id");
        g_array_append_val(modes, mode);
    }
    if (!modes->len) {
        *why = g_strdup_printf("the toolstack's nodes in '%s' name no "
                               "connector", frontend);
        g_array_unref(modes);
        return NULL;
    }

    return modes;
}

uint32_t xen_pvdisplay_rate(uint32_t viewer, uint32_t option)
{
    return MIN(viewer ? viewer : option,
               XEN_PVDISPLAY_MAX_RATE * XEN_PVDISPLAY_MHZ);
}

int64_t xen_pvdisplay_period_ns(uint32_t rate)
{
    return INT64_C(1000000000) * XEN_PVDISPLAY_MHZ / rate;
}

bool xen_pvdisplay_vnc_cuts(const XenPvMode *mode)
{
    return mode->width > XEN_PVDISPLAY_VNC_WIDTH ||
           mode->height > XEN_PVDISPLAY_VNC_HEIGHT;
}

uint32_t xen_pvdisplay_screen_pages(const GArray *modes)
{
    uint32_t pages = 0;
    guint i;

    /* At most 16 screens of 8192x8192 pixels of 4 bytes: 2^20 pages */
    for (i = 0; i < modes->len; i++) {
        const XenPvMode *mode = &g_array_index(modes, XenPvMode, i);

        pages += DIV_ROUND_UP(mode->width * mode->height, 1024);
    }

    return pages;
}

uint32_t xen_pvdisplay_default_pages(const GArray *modes, uint32_t most)
{
    uint32_t pages = xen_pvdisplay_screen_pages(modes) * PICTURES;

    return MIN(MAX(pages, MIN_PAGES), most);
}
