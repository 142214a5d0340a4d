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
#include "xen-pvdisplay-rows.h"

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

/* --------------------------------------------------------- our own loops */

/*
 * Part of a row in which two pixels share a colour: it may begin and end
 * between the two.  Where half of the last colour is missing, that half is that
 * of the colour before.
 */
static void convert_pairs(XenPvRowFn *fn, const uint8_t *row, uint32_t width,
                          uint32_t first, uint32_t end, uint32_t *to)
{
    uint32_t both[2];
    uint8_t pair[4];

    if (first % 2) {
        fn(row + (size_t)(first - 1) * 2, both, 2);
        *to++ = both[1];
        first++;
    }
    if (first < end) {
        fn(row + (size_t)first * 2, to, (end - first) & ~1u);
    }
    if (first < end && end % 2) {
        const uint8_t *last = row + (size_t)(end - 1) * 2;

        memset(pair, 128, sizeof(pair));
        memcpy(pair, last, end < width ? 4 : 2);
        if (end == width && end > 1) {
            pair[3] = last[-1];
        }
        fn(pair, both, 2);
        to[end - first - 1] = both[0];
    }
}

static void convert_rows(const XenDisplifScanout *scanout,
                         const uint8_t *data, uint32_t skip,
                         const pixman_box32_t *part, pixman_image_t *target,
                         XenPvRowFn *fn)
{
    bool pairs = xen_pvdisplay_format(scanout->format) == PIXMAN_yuy2;
    uint8_t *to = (uint8_t *)pixman_image_get_data(target);
    int stride = pixman_image_get_stride(target);
    int32_t y;

    for (y = part->y1; y < part->y2; y++) {
        const uint8_t *row = data + (size_t)scanout->stride * y;
        uint32_t *out = (uint32_t *)(to + (size_t)stride * y) +
                        part->x1 - skip;

        if (pairs) {
            convert_pairs(fn, row, scanout->width, part->x1, part->x2, out);
        } else {
            fn(row + (size_t)part->x1 * scanout->cpp, out,
               part->x2 - part->x1);
        }
    }
}

/* ----------------------------------------------------------------- pixman */

static void composite(const XenDisplifScanout *scanout, const void *data,
                      int stride, const pixman_box32_t *part,
                      pixman_image_t *target, int x, int y)
{
    int width = part->x2 - part->x1;
    int height = part->y2 - part->y1;
    pixman_image_t *source =
        pixman_image_create_bits(xen_pvdisplay_format(scanout->format),
                                 part->x2, part->y2, (void *)data, stride);

    if (source) {
        pixman_image_composite(PIXMAN_OP_SRC, source, NULL, target, part->x1,
                               part->y1, 0, 0, x, y, width, height);
        pixman_image_unref(source);
    }
}

/* Rows that do not begin at words take a detour, one by one */
static void composite_unaligned(const XenDisplifScanout *scanout,
                                const uint8_t *data, uint32_t skip,
                                const pixman_box32_t *part,
                                pixman_image_t *target)
{
    const pixman_box32_t all = { 0, 0, part->x2 - part->x1, 1 };
    size_t length = (size_t)all.x2 * scanout->cpp;
    size_t stride = QEMU_ALIGN_UP(length, XEN_PVDISPLAY_ROW_ALIGN);
    g_autofree uint8_t *row = g_try_malloc0(stride);
    int32_t y;

    for (y = part->y1; row && y < part->y2; y++) {
        memcpy(row, data + (size_t)scanout->stride * y +
                    (size_t)part->x1 * scanout->cpp, length);
        composite(scanout, row, stride, &all, target, part->x1 - skip, y);
    }
}

/* ------------------------------------------------------------------- face */

void xen_pvdisplay_convert(const XenDisplifScanout *scanout, const void *data,
                           uint32_t skip, const pixman_box32_t *part,
                           pixman_image_t *target)
{
    pixman_format_code_t format = xen_pvdisplay_format(scanout->format);
    XenPvRowFn *fn =
        xen_pvdisplay_row_fn(format, xen_pvdisplay_has_wide_rows());
    const pixman_box32_t visible = {
        .x1 = MAX(part->x1, skip),
        .y1 = part->y1,
        .x2 = MIN(part->x2, skip + pixman_image_get_width(target)),
        .y2 = MIN(part->y2, pixman_image_get_height(target)),
    };

    if (visible.x1 >= visible.x2) {
        return;
    }
    if (fn) {
        convert_rows(scanout, data, skip, &visible, target, fn);
    } else if (xen_pvdisplay_is_aligned(scanout, data)) {
        composite(scanout, data, scanout->stride, &visible, target,
                  visible.x1 - skip, visible.y1);
    } else {
        composite_unaligned(scanout, data, skip, &visible, target);
    }
}
