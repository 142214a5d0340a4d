/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixel formats and the list of connectors of a PV display.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/cutils.h"
#include "standard-headers/drm/drm_fourcc.h"
#include "xen-pvdisplay-format.h"

/* DRM's names are of little-endian words, as are those of Xen's hosts */
static const struct {
    uint32_t fourcc;
    pixman_format_code_t format;
} formats[] = {
    { DRM_FORMAT_RGB565,      PIXMAN_r5g6b5 },
    { DRM_FORMAT_BGR565,      PIXMAN_b5g6r5 },
    { DRM_FORMAT_RGB888,      PIXMAN_r8g8b8 },
    { DRM_FORMAT_BGR888,      PIXMAN_b8g8r8 },
    { DRM_FORMAT_XRGB8888,    PIXMAN_x8r8g8b8 },
    { DRM_FORMAT_ARGB8888,    PIXMAN_x8r8g8b8 },
    { DRM_FORMAT_XBGR8888,    PIXMAN_x8b8g8r8 },
    { DRM_FORMAT_ABGR8888,    PIXMAN_x8b8g8r8 },
    { DRM_FORMAT_RGBX8888,    PIXMAN_r8g8b8x8 },
    { DRM_FORMAT_RGBA8888,    PIXMAN_r8g8b8x8 },
    { DRM_FORMAT_BGRX8888,    PIXMAN_b8g8r8x8 },
    { DRM_FORMAT_BGRA8888,    PIXMAN_b8g8r8x8 },
    { DRM_FORMAT_XRGB4444,    PIXMAN_x4r4g4b4 },
    { DRM_FORMAT_ARGB4444,    PIXMAN_x4r4g4b4 },
    { DRM_FORMAT_XBGR4444,    PIXMAN_x4b4g4r4 },
    { DRM_FORMAT_ABGR4444,    PIXMAN_x4b4g4r4 },
    { DRM_FORMAT_XRGB1555,    PIXMAN_x1r5g5b5 },
    { DRM_FORMAT_ARGB1555,    PIXMAN_x1r5g5b5 },
    { DRM_FORMAT_XBGR1555,    PIXMAN_x1b5g5r5 },
    { DRM_FORMAT_ABGR1555,    PIXMAN_x1b5g5r5 },
    { DRM_FORMAT_XRGB2101010, PIXMAN_x2r10g10b10 },
    { DRM_FORMAT_ARGB2101010, PIXMAN_x2r10g10b10 },
    { DRM_FORMAT_XBGR2101010, PIXMAN_x2b10g10r10 },
    { DRM_FORMAT_ABGR2101010, PIXMAN_x2b10g10r10 },
    { DRM_FORMAT_YUYV,        PIXMAN_yuy2 },
};

#if HOST_BIG_ENDIAN
#error "Xen has no big-endian hosts, and the table of formats knows none"
#endif

pixman_format_code_t xen_pvdisplay_format(uint32_t fourcc)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (formats[i].fourcc == fourcc) {
            return formats[i].format;
        }
    }

    return 0;
}

static bool parse_side(const char *text, const char **end, uint32_t *side)
{
    unsigned int number;

    if (!g_ascii_isdigit(*text) || qemu_strtoui(text, end, 10, &number) ||
        number < XEN_PVDISPLAY_MIN_SIDE || number > XEN_PVDISPLAY_MAX_SIDE) {
        return false;
    }
    *side = number;

    return true;
}

bool xen_pvdisplay_parse_resolution(const char *text, uint32_t *width,
                                    uint32_t *height)
{
    const char *end;

    return parse_side(text, &end, width) && *end == 'x' &&
           parse_side(end + 1, &end, height) && *end == '\0';
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

static bool parse_connector(GArray *modes, const char *text, Error **errp)
{
    const char *colon = strrchr(text, ':');
    XenPvMode mode = {};

    if (!xen_pvdisplay_parse_resolution(colon ? colon + 1 : text, &mode.width,
                                        &mode.height)) {
        error_setg(errp, "connector '%s' is not '[ID:]WIDTHxHEIGHT' with "
                   "sides of %d to %d pixels, as in 'LEFT:1920x1080'", text,
                   XEN_PVDISPLAY_MIN_SIDE, XEN_PVDISPLAY_MAX_SIDE);
        return false;
    }
    if (colon && !parse_id(text, colon - text)) {
        error_setg(errp, "connector '%s' needs an ID of 1 to 32 letters, "
                   "digits, '-', '_' or '.'", text);
        return false;
    }

    mode.id = colon ? g_strndup(text, colon - text)
                    : g_strdup_printf("%u", modes->len);
    if (has_id(modes, mode.id)) {
        error_setg(errp, "connector ID '%s' is used twice", mode.id);
        g_free(mode.id);
        return false;
    }
    g_array_append_val(modes, mode);

    return true;
}

GArray *xen_pvdisplay_parse_connectors(const char *text, Error **errp)
{
    g_auto(GStrv) list = g_strsplit(text, ";", -1);
    guint count = g_strv_length(list);
    GArray *modes;
    guint i;

    if (count > XEN_PVDISPLAY_MAX_CONNECTORS) {
        error_setg(errp, "%u connectors are too many: a card has at most %d",
                   count, XEN_PVDISPLAY_MAX_CONNECTORS);
        return NULL;
    }

    modes = xen_pvdisplay_modes_new();
    for (i = 0; i < MAX(count, 1); i++) {
        if (!parse_connector(modes, count ? list[i] : "", errp)) {
            g_array_unref(modes);
            return NULL;
        }
    }

    return modes;
}
