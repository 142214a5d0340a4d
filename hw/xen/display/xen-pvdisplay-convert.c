/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixels of a PV display that a console cannot show as they are.
 *
 * Nothing of QEMU is needed here, so that it can be tested and measured alone.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-convert.h"

#define FOURCC(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | \
     (uint32_t)(d) << 24)

/* DRM's names are of little-endian words, as are those of Xen's hosts */
static const struct {
    uint32_t fourcc;
    pixman_format_code_t format;
} formats[] = {
    { FOURCC('R', 'G', '1', '6'), PIXMAN_r5g6b5 },
    { FOURCC('B', 'G', '1', '6'), PIXMAN_b5g6r5 },
    { FOURCC('R', 'G', '2', '4'), PIXMAN_r8g8b8 },
    { FOURCC('B', 'G', '2', '4'), PIXMAN_b8g8r8 },
    { FOURCC('X', 'R', '2', '4'), PIXMAN_x8r8g8b8 },
    { FOURCC('A', 'R', '2', '4'), PIXMAN_x8r8g8b8 },
    { FOURCC('X', 'B', '2', '4'), PIXMAN_x8b8g8r8 },
    { FOURCC('A', 'B', '2', '4'), PIXMAN_x8b8g8r8 },
    { FOURCC('R', 'X', '2', '4'), PIXMAN_r8g8b8x8 },
    { FOURCC('R', 'A', '2', '4'), PIXMAN_r8g8b8x8 },
    { FOURCC('B', 'X', '2', '4'), PIXMAN_b8g8r8x8 },
    { FOURCC('B', 'A', '2', '4'), PIXMAN_b8g8r8x8 },
    { FOURCC('X', 'R', '1', '2'), PIXMAN_x4r4g4b4 },
    { FOURCC('A', 'R', '1', '2'), PIXMAN_x4r4g4b4 },
    { FOURCC('X', 'B', '1', '2'), PIXMAN_x4b4g4r4 },
    { FOURCC('A', 'B', '1', '2'), PIXMAN_x4b4g4r4 },
    { FOURCC('X', 'R', '1', '5'), PIXMAN_x1r5g5b5 },
    { FOURCC('A', 'R', '1', '5'), PIXMAN_x1r5g5b5 },
    { FOURCC('X', 'B', '1', '5'), PIXMAN_x1b5g5r5 },
    { FOURCC('A', 'B', '1', '5'), PIXMAN_x1b5g5r5 },
    { FOURCC('X', 'R', '3', '0'), PIXMAN_x2r10g10b10 },
    { FOURCC('A', 'R', '3', '0'), PIXMAN_x2r10g10b10 },
    { FOURCC('X', 'B', '3', '0'), PIXMAN_x2b10g10r10 },
    { FOURCC('A', 'B', '3', '0'), PIXMAN_x2b10g10r10 },
    { FOURCC('Y', 'U', 'Y', 'V'), PIXMAN_yuy2 },
};

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

bool xen_pvdisplay_is_aligned(const XenDisplifScanout *scanout,
                              const void *data)
{
    return scanout->stride % XEN_PVDISPLAY_ROW_ALIGN == 0 &&
           (uintptr_t)data % XEN_PVDISPLAY_ROW_ALIGN == 0;
}

uint32_t xen_pvdisplay_widen(XenDisplifScanout *scanout)
{
    uint64_t end = (uint64_t)scanout->x + scanout->width;
    uint32_t before;

    if (xen_pvdisplay_format(scanout->format) != PIXMAN_yuy2) {
        return 0;
    }
    before = scanout->x % 2;
    scanout->x -= before;
    scanout->offset -= (uint64_t)before * scanout->cpp;
    scanout->width += before;
    /* Each row has as many bytes as its stride, also the last one */
    if (end % 2 && (end + 1) * scanout->cpp <= scanout->stride) {
        scanout->width++;
    }

    return before;
}

static void convert_rows(const XenDisplifScanout *scanout, const void *data,
                         int stride, int y, int rows, uint32_t skip,
                         pixman_image_t *target)
{
    pixman_image_t *source =
        pixman_image_create_bits(xen_pvdisplay_format(scanout->format),
                                 scanout->width, rows, (void *)data, stride);

    if (source) {
        pixman_image_composite(PIXMAN_OP_SRC, source, NULL, target, skip, 0,
                               0, 0, 0, y, pixman_image_get_width(target),
                               rows);
        pixman_image_unref(source);
    }
}

/* Half of the last colour is missing: let it be that of the colour before */
static void complete_pair(const XenDisplifScanout *scanout, uint8_t *row,
                          size_t length)
{
    if (xen_pvdisplay_format(scanout->format) == PIXMAN_yuy2 &&
        scanout->width % 2) {
        row[length + 1] = length > 2 ? row[length - 3] : 128;
    }
}

/* Rows that do not begin at words take a detour, one by one */
static void convert_unaligned(const XenDisplifScanout *scanout,
                              const uint8_t *data, uint32_t skip,
                              pixman_image_t *target)
{
    size_t length = (size_t)scanout->width * scanout->cpp;
    size_t stride = QEMU_ALIGN_UP(length, XEN_PVDISPLAY_ROW_ALIGN);
    g_autofree uint8_t *row = g_try_malloc0(stride);
    uint32_t y;

    for (y = 0; row && y < scanout->height; y++) {
        memcpy(row, data + (size_t)scanout->stride * y, length);
        complete_pair(scanout, row, length);
        convert_rows(scanout, row, stride, y, 1, skip, target);
    }
}

void xen_pvdisplay_convert(const XenDisplifScanout *scanout, const void *data,
                           uint32_t skip, pixman_image_t *target)
{
    if (xen_pvdisplay_is_aligned(scanout, data)) {
        convert_rows(scanout, data, scanout->stride, 0, scanout->height, skip,
                     target);
    } else {
        convert_unaligned(scanout, data, skip, target);
    }
}
