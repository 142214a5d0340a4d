/*
 * Pictures in all pixel formats of a PV display, for its QTests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "xen-pvdisplay-drawing.h"

/* Pixel formats */

const Format formats[] = {
    { "RG16", 16, { 11, 5 }, { 5, 6 }, { 0, 5 } },
    { "BG16", 16, { 0, 5 }, { 5, 6 }, { 11, 5 } },
    { "RG24", 24, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "BG24", 24, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "XR24", 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "AR24", 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "XB24", 32, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "AB24", 32, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "RX24", 32, { 24, 8 }, { 16, 8 }, { 8, 8 } },
    { "RA24", 32, { 24, 8 }, { 16, 8 }, { 8, 8 } },
    { "BX24", 32, { 8, 8 }, { 16, 8 }, { 24, 8 } },
    { "BA24", 32, { 8, 8 }, { 16, 8 }, { 24, 8 } },
    { "XR12", 16, { 8, 4 }, { 4, 4 }, { 0, 4 } },
    { "AR12", 16, { 8, 4 }, { 4, 4 }, { 0, 4 } },
    { "XB12", 16, { 0, 4 }, { 4, 4 }, { 8, 4 } },
    { "AB12", 16, { 0, 4 }, { 4, 4 }, { 8, 4 } },
    { "XR15", 16, { 10, 5 }, { 5, 5 }, { 0, 5 } },
    { "AR15", 16, { 10, 5 }, { 5, 5 }, { 0, 5 } },
    { "XB15", 16, { 0, 5 }, { 5, 5 }, { 10, 5 } },
    { "AB15", 16, { 0, 5 }, { 5, 5 }, { 10, 5 } },
    { "XR30", 32, { 20, 10 }, { 10, 10 }, { 0, 10 } },
    { "AR30", 32, { 20, 10 }, { 10, 10 }, { 0, 10 } },
    { "XB30", 32, { 0, 10 }, { 10, 10 }, { 20, 10 } },
    { "AB30", 32, { 0, 10 }, { 10, 10 }, { 20, 10 } },
    { "YUYV", 16 },
};

const int nr_formats = ARRAY_SIZE(formats);

const Format *get_format(const char *name)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (g_str_equal(formats[i].name, name)) {
            return &formats[i];
        }
    }
    g_assert_not_reached();
}

bool is_yuyv(const Format *format)
{
    return format->r.bits == 0;
}

uint32_t fourcc(const Format *format)
{
    return ldl_le_p(format->name);
}

/* Gradients within a white frame, and a black line across */
static uint32_t colour(const Drawing *d, uint32_t x, uint32_t y)
{
    uint8_t r = x * 255 / (d->width - 1) + d->seed * 37;
    uint8_t g = y * 255 / (d->height - 1) + d->seed * 59;
    uint8_t b = (x * 5 + y * 3 + d->seed * 83) % 256;

    if (x == 0 || y == 0 || x == d->width - 1 || y == d->height - 1) {
        return 0xffffff;
    }
    return x == y ? 0 : r << 16 | g << 8 | b;
}

/* As many bits of a channel of 8 as there are; the other way, as pixman does */
static uint32_t pack(uint32_t value, Channel c)
{
    value &= 0xff;
    return (c.bits > 8 ? value << 2 | value >> 6 : value >> (8 - c.bits))
           << c.shift;
}

static uint32_t unpack(uint32_t word, Channel c)
{
    uint32_t value = word >> c.shift & ((1u << c.bits) - 1);

    if (c.bits >= 8) {
        return value >> (c.bits - 8);
    }
    value <<= 8 - c.bits;
    return value | value >> c.bits | value >> 2 * c.bits;
}

/* What has no meaning, or is alpha: of neighbours all zeroes, and all ones */
static uint32_t junk(const Format *format, uint32_t x, uint32_t y)
{
    uint32_t used = pack(255, format->r) | pack(255, format->g) |
                    pack(255, format->b);

    return (x + y) & 1 ? ~used : 0;
}

static uint32_t encode_rgb(const Format *format, uint32_t rgb)
{
    return pack(rgb >> 16, format->r) | pack(rgb >> 8, format->g) |
           pack(rgb, format->b);
}

/* BT.601 with head and foot room, as its text has it: in real numbers */
typedef struct Yuv {
    uint8_t y[2];
    uint8_t u;
    uint8_t v;
} Yuv;

static uint8_t round_to_byte(double value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value + 0.5;
}

static double luma(uint32_t rgb)
{
    return 0.299 * (rgb >> 16 & 255) + 0.587 * (rgb >> 8 & 255) +
           0.114 * (rgb & 255);
}

/* The pair of pixels that @x is of */
static Yuv encode_yuv(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t rgb[2] = {
        colour(d, x & ~1, y),
        colour(d, MIN(x | 1, d->width - 1), y),
    };
    double u = 0, v = 0;
    Yuv yuv;
    int i;

    for (i = 0; i < 2; i++) {
        double l = luma(rgb[i]);

        yuv.y[i] = round_to_byte(16 + 219 * l / 255);
        u += ((rgb[i] & 255) - l) / (2 * (1 - 0.114));
        v += ((rgb[i] >> 16 & 255) - l) / (2 * (1 - 0.299));
    }
    yuv.u = round_to_byte(128 + 224 * u / 2 / 255);
    yuv.v = round_to_byte(128 + 224 * v / 2 / 255);
    return yuv;
}

static uint32_t decode_yuv(const Yuv *yuv, uint32_t x)
{
    double l = (yuv->y[x & 1] - 16) * 255 / 219.0;
    double u = (yuv->u - 128) * 255 / 224.0;
    double v = (yuv->v - 128) * 255 / 224.0;
    double r = l + 2 * (1 - 0.299) * v;
    double b = l + 2 * (1 - 0.114) * u;
    double g = (l - 0.299 * r - 0.114 * b) / 0.587;

    return round_to_byte(r) << 16 | round_to_byte(g) << 8 | round_to_byte(b);
}

static void draw_pixel(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t cpp = d->format->bpp / 8;
    uint8_t *at = d->pgdir->data + d->offset + d->stride * y + cpp * x;
    uint32_t word, i;

    if (is_yuyv(d->format)) {
        Yuv yuv = encode_yuv(d, x, y);

        at[0] = yuv.y[x & 1];
        at[1] = x & 1 ? yuv.v : yuv.u;
        return;
    }
    word = encode_rgb(d->format, colour(d, x, y)) | junk(d->format, x, y);
    for (i = 0; i < cpp; i++) {
        at[i] = word >> 8 * i;
    }
}

void draw(const Drawing *d)
{
    uint32_t cpp = d->format->bpp / 8;
    uint32_t x, y;

    for (y = 0; y < d->height; y++) {
        for (x = 0; x < d->width; x++) {
            draw_pixel(d, x, y);
        }
        /* The other half of a pair lies beyond the edge, if there is room */
        if (is_yuyv(d->format) && x & 1 && d->stride > x * cpp) {
            draw_pixel(d, x, y);
        }
    }
}

/* Of the last pixel of a row half of the colour is missing */
static bool is_half(const Drawing *d, uint32_t x)
{
    return x % 2 == 0 && x == d->width - 1 && d->stride == d->width * 2;
}

uint32_t expected(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t word = encode_rgb(d->format, colour(d, x, y));

    if (is_yuyv(d->format)) {
        Yuv yuv = encode_yuv(d, x, y);

        if (is_half(d, x)) {
            yuv.v = encode_yuv(d, x - 1, y).v;
        }
        return decode_yuv(&yuv, x);
    }
    return unpack(word, d->format->r) << 16 |
           unpack(word, d->format->g) << 8 | unpack(word, d->format->b);
}

bool is_near(uint32_t a, uint32_t b, int tolerance)
{
    int i;

    for (i = 0; i < 24; i += 8) {
        if (abs((int)(a >> i & 255) - (int)(b >> i & 255)) > tolerance) {
            return false;
        }
    }
    return true;
}

static void check_picture(const XenPvPicture *picture, const Drawing *d,
                          uint32_t x0, uint32_t y0)
{
    /* Rounding of integers against real numbers; all else is exact */
    int tolerance = is_yuyv(d->format) ? 1 : 0;
    uint32_t x, y;

    for (y = 0; y < picture->height; y++) {
        for (x = 0; x < picture->width; x++) {
            uint32_t is = picture->pixels[y * picture->width + x];
            uint32_t want = expected(d, x0 + x, y0 + y);

            if (!is_near(is, want, tolerance)) {
                g_test_message("%s: %u,%u differs", d->format->name, x, y);
                g_assert_cmphex(is, ==, want);
            }
        }
    }
}

void check_drawing(XenPvTest *t, const char *device, int head,
                   const Drawing *d, uint32_t width, uint32_t height,
                   uint32_t x0, uint32_t y0)
{
    XenPvPicture picture;

    xen_pv_picture_take(t, device, head, &picture);
    g_assert_cmpuint(picture.width, ==, width);
    g_assert_cmpuint(picture.height, ==, height);
    check_picture(&picture, d, x0, y0);
    xen_pv_picture_clear(&picture);
}

void new_drawing(XenPvTest *t, Drawing *d, const Format *format,
                 uint64_t fb, uint32_t seed)
{
    memset(d, 0, sizeof(*d));
    d->format = format;
    d->width = 64;
    d->height = 45;
    d->stride = d->width * format->bpp / 8;
    d->seed = seed;
    d->pgdir = xen_front_pgdir_new(t->guest, d->stride * d->height);
    draw(d);
    g_assert_cmpint(xen_front_dbuf_create(t->display, fb, d->width, d->height,
                                          format->bpp, d->stride * d->height,
                                          0, xen_front_pgdir_ref(d->pgdir),
                                          0), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(t->display, fb, fb, d->width,
                                        d->height, fourcc(format)), ==, 0);
}

void end_drawing(XenPvTest *t, Drawing *d, uint64_t fb)
{
    g_assert_cmpint(xen_front_fb_detach(t->display, fb), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, fb), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_free(d->pgdir), ==, 0);
}
