/*
 * Tests of the conversion of a PV display's pixels: all that a pixel can be,
 * against the formulas in plain form, and against pixman
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "../../hw/xen/display/xen-pvdisplay-convert.h"
#include "../../hw/xen/display/xen-pvdisplay-rows.h"

/* Rows of the tests that go through all values */
#define ROW 4096

typedef uint32_t Reference(uint32_t word);

static uint32_t fourcc(const char *name)
{
    uint32_t code;

    memcpy(&code, name, sizeof(code));
    return GUINT32_FROM_LE(code);
}

/* ------------------------------------------------------------ references */

/* Of @bits bits, the nearest of 256 steps that begins with them */
static uint32_t channel(uint32_t word, int shift, int bits)
{
    uint32_t value = word >> shift & ((1u << bits) - 1);

    switch (bits) {
    case 4:
        return value * 17;
    case 5:
        return value * 8 + value / 4;
    case 6:
        return value * 4 + value / 16;
    default:
        return value / (1u << (bits - 8));
    }
}

#define REFERENCE(name, fill, r, rbits, g, gbits, b, bbits) \
    static uint32_t name(uint32_t word) \
    { \
        return (fill) | channel(word, r, rbits) << 16 | \
               channel(word, g, gbits) << 8 | channel(word, b, bbits); \
    }

REFERENCE(rgb565, 0xff000000, 11, 5, 5, 6, 0, 5)
REFERENCE(bgr565, 0xff000000, 0, 5, 5, 6, 11, 5)
REFERENCE(rgb555, 0xff000000, 10, 5, 5, 5, 0, 5)
REFERENCE(bgr555, 0xff000000, 0, 5, 5, 5, 10, 5)
REFERENCE(rgb444, 0xff000000, 8, 4, 4, 4, 0, 4)
REFERENCE(bgr444, 0xff000000, 0, 4, 4, 4, 8, 4)
REFERENCE(xbgr, 0xff000000, 0, 8, 8, 8, 16, 8)
REFERENCE(rgbx, 0xff000000, 24, 8, 16, 8, 8, 8)
REFERENCE(bgrx, 0xff000000, 8, 8, 16, 8, 24, 8)
REFERENCE(rgb30, 0, 20, 10, 10, 10, 0, 10)
REFERENCE(bgr30, 0, 0, 10, 10, 10, 20, 10)

static const struct {
    const char *name;
    Reference *reference;
} formats[] = {
    { "RG16", rgb565 }, { "BG16", bgr565 }, { "XR15", rgb555 },
    { "XB15", bgr555 }, { "XR12", rgb444 }, { "XB12", bgr444 },
    { "XB24", xbgr }, { "RX24", rgbx }, { "BX24", bgrx },
    { "XR30", rgb30 }, { "XB30", bgr30 },
};

static uint32_t clamp(int64_t value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* 16.16, rounded down */
static int64_t whole(int64_t value)
{
    return (value - (value & 0xffff)) / 0x10000;
}

static uint32_t yuv(int y, int u, int v)
{
    int64_t luma = INT64_C(0x12b27) * (y - 16);

    return 0xff000000 |
           clamp(whole(luma + 0x19a2e * (v - 128))) << 16 |
           clamp(whole(luma - 0xd0f2 * (v - 128) - 0x647e * (u - 128))) << 8 |
           clamp(whole(luma + 0x206a2 * (u - 128)));
}

/* ----------------------------------------------------------- whole ranges */

typedef struct Rows {
    uint8_t from[ROW * 4];
    uint32_t to[ROW];
    uint32_t want[ROW];
    pixman_image_t *source;
    pixman_image_t *target;
} Rows;

static Rows *rows_new(pixman_format_code_t format)
{
    Rows *r = g_new0(Rows, 1);

    r->source = pixman_image_create_bits(format, ROW, 1, (uint32_t *)r->from,
                                         ROW * PIXMAN_FORMAT_BPP(format) / 8);
    r->target = pixman_image_create_bits(PIXMAN_x8r8g8b8, ROW, 1, NULL, 0);
    return r;
}

static void rows_free(Rows *r)
{
    pixman_image_unref(r->source);
    pixman_image_unref(r->target);
    g_free(r);
}

/* Both loops give what is wanted, and, if asked, what pixman gives */
static void rows_check(Rows *r, bool pixman)
{
    pixman_format_code_t format = pixman_image_get_format(r->source);
    int wide;

    for (wide = 0; wide < (xen_pvdisplay_has_wide_rows() ? 2 : 1); wide++) {
        memset(r->to, 0x55, sizeof(r->to));
        xen_pvdisplay_row_fn(format, wide)(r->from, r->to, ROW);
        g_assert_cmpmem(r->to, sizeof(r->to), r->want, sizeof(r->want));
    }
    if (pixman) {
        pixman_image_composite(PIXMAN_OP_SRC, r->source, NULL, r->target, 0,
                               0, 0, 0, 0, 0, ROW, 1);
        g_assert_cmpmem(pixman_image_get_data(r->target), sizeof(r->want),
                        r->want, sizeof(r->want));
    }
}

static void put_words(Rows *r, Reference *reference, uint32_t cpp,
                      const uint32_t *words)
{
    int i;

    for (i = 0; i < ROW; i++) {
        uint32_t word = GUINT32_TO_LE(words[i]);

        memcpy(r->from + i * cpp, &word, cpp);
        r->want[i] = reference(words[i]);
    }
}

static void check_16(Rows *r, Reference *reference)
{
    uint32_t words[ROW], base;
    int i;

    for (base = 0; base <= UINT16_MAX; base += ROW) {
        for (i = 0; i < ROW; i++) {
            words[i] = base + i;
        }
        put_words(r, reference, 2, words);
        rows_check(r, true);
    }
}

/*
 * Channels do not mix.  So: of each bit field of ten all values, with all
 * zeroes, all ones, and noise in the rest; and noise.  Those of eight bits are
 * within them.
 */
static void check_32(Rows *r, Reference *reference)
{
    static const int shifts[] = { 0, 10, 20, 22 };
    uint32_t words[ROW], round, i, j;

    for (round = 0; round < 16; round++) {
        for (i = 0; i < ROW; i++) {
            words[i] = g_test_rand_int();
        }
        put_words(r, reference, 4, words);
        rows_check(r, true);
    }
    for (round = 0; round < ARRAY_SIZE(shifts); round++) {
        uint32_t mask = 0x3ffu << shifts[round];

        for (i = 0; i < ROW; i += 1024) {
            for (j = 0; j < 1024; j++) {
                uint32_t rest = i == 0 ? 0 : i == 1024 ? ~0u
                                           : (uint32_t)g_test_rand_int();

                words[i + j] = (rest & ~mask) | j << shifts[round];
            }
        }
        put_words(r, reference, 4, words);
        rows_check(r, true);
    }
}

static void test_rgb(void)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        pixman_format_code_t format =
            xen_pvdisplay_format(fourcc(formats[i].name));
        Rows *r = rows_new(format);

        g_test_message("%s", formats[i].name);
        if (PIXMAN_FORMAT_BPP(format) == 16) {
            check_16(r, formats[i].reference);
        } else {
            check_32(r, formats[i].reference);
        }
        rows_free(r);
    }
}

/* All values of Y, U and V, each as a first and as a second pixel */
static void test_yuyv(void)
{
    Rows *r = rows_new(PIXMAN_yuy2);
    int u, v, y, i;

    for (u = 0; u < 256; u++) {
        for (v = 0; v < 256; v += 16) {
            for (i = 0; i < ROW; i += 2) {
                int this_v = v + i / 256;

                y = i % 256;
                r->from[2 * i] = y;
                r->from[2 * i + 1] = u;
                r->from[2 * i + 2] = y ^ 1;
                r->from[2 * i + 3] = this_v;
                r->want[i] = yuv(y, u, this_v);
                r->want[i + 1] = yuv(y ^ 1, u, this_v);
            }
            rows_check(r, true);
            for (i = 0; i < ROW; i += 2) {
                uint8_t first = r->from[2 * i];
                uint32_t want = r->want[i];

                r->from[2 * i] = r->from[2 * i + 2];
                r->from[2 * i + 2] = first;
                r->want[i] = r->want[i + 1];
                r->want[i + 1] = want;
            }
            rows_check(r, true);
        }
    }
    rows_free(r);
}

/* --------------------------------------------------------------- geometry */

#define MAX_SIDE 140

/*
 * @scanout: how a picture lies in @data
 * @whole: what it looks like, converted by another way
 */
typedef struct Picture {
    XenDisplifScanout scanout;
    uint32_t skip;
    uint8_t *block;
    uint8_t *data;
    uint32_t *whole;
} Picture;

static uint32_t pixel(const Picture *p, uint32_t x, uint32_t y)
{
    pixman_format_code_t format = xen_pvdisplay_format(p->scanout.format);
    const uint8_t *row = p->data + (size_t)p->scanout.stride * y;
    const uint8_t *at = row + x * p->scanout.cpp;
    uint32_t word = 0, i;

    if (format == PIXMAN_yuy2) {
        const uint8_t *pair = row + (x & ~1u) * 2;
        bool half = x % 2 == 0 && x + 1 == p->scanout.width;

        return yuv(at[0], pair[1], !half ? pair[3] : x ? pair[-1] : 128);
    }
    memcpy(&word, at, p->scanout.cpp);
    word = GUINT32_FROM_LE(word);
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (fourcc(formats[i].name) == p->scanout.format) {
            return formats[i].reference(word);
        }
    }
    switch (format) {
    case PIXMAN_r8g8b8:
        return word;
    case PIXMAN_b8g8r8:
        return (word & 0xff) << 16 | (word & 0xff00) | word >> 16;
    default:
        g_assert(format == PIXMAN_x8r8g8b8);
        return word & 0xffffff;
    }
}

/* The block ends with the last pixel, for AddressSanitizer */
static void picture_make(Picture *p, const char *name, uint32_t width,
                         uint32_t height, uint32_t pad, uint32_t shift,
                         uint32_t skip)
{
    pixman_format_code_t format = xen_pvdisplay_format(fourcc(name));
    uint32_t cpp = PIXMAN_FORMAT_BPP(format) / 8;
    size_t size, i;

    p->scanout = (XenDisplifScanout){
        .stride = width * cpp + pad, .width = width, .height = height,
        .cpp = cpp, .format = fourcc(name),
    };
    p->skip = skip;
    size = shift + (size_t)p->scanout.stride * (height - 1) + width * cpp;
    p->block = g_malloc0(size);
    for (i = 0; i < size; i++) {
        p->block[i] = g_test_rand_int();
    }
    p->data = p->block + shift;
}

/* What is not of the part stays; what is of it is right */
static void picture_check(const Picture *p, const pixman_box32_t *part)
{
    const uint32_t stale = 0x12345678;
    int width = p->scanout.width - p->skip, height = p->scanout.height;
    pixman_image_t *target =
        pixman_image_create_bits(PIXMAN_x8r8g8b8, width, height, NULL, 0);
    uint32_t *to = pixman_image_get_data(target);
    int x, y;

    for (x = 0; x < width * height; x++) {
        to[x] = stale;
    }
    xen_pvdisplay_convert(&p->scanout, p->data, p->skip, part, target);
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            int at = x + p->skip;
            bool within = at >= part->x1 && at < part->x2 && y >= part->y1 &&
                          y < part->y2;
            uint32_t want = within ? pixel(p, at, y) : stale;
            uint32_t mask = within ? 0xffffff : ~0u;

            g_assert_cmphex(to[y * width + x] & mask, ==, want & mask);
        }
    }
    pixman_image_unref(target);
}

static int random_to(int end)
{
    return g_test_rand_int_range(0, end + 1);
}

static void picture_check_parts(const Picture *p)
{
    int width = p->scanout.width, height = p->scanout.height, i;

    picture_check(p, &(pixman_box32_t){ 0, 0, width, height });
    picture_check(p, &(pixman_box32_t){ 0, 0, 0, 0 });
    for (i = 0; i < 6; i++) {
        int x = random_to(width), y = random_to(height);

        picture_check(p, &(pixman_box32_t){
            x, y, x + random_to(width - x), y + random_to(height - y),
        });
    }
}

static void test_parts(void)
{
    static const char *const names[] = {
        "XR24", "XB24", "RX24", "BX24", "RG24", "BG24", "RG16", "BG16",
        "XR15", "XB15", "XR12", "XB12", "XR30", "XB30", "YUYV",
    };
    static const int sides[] = { 1, 2, 3, 31, 32, 33, 67, 128, MAX_SIDE };
    int i, j, shift;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        bool pairs = g_str_equal(names[i], "YUYV");

        g_test_message("%s", names[i]);
        for (j = 0; j < ARRAY_SIZE(sides); j++) {
            for (shift = 0; shift < 4; shift++) {
                int height = sides[random_to(ARRAY_SIZE(sides) - 1)];
                int skip = pairs && sides[j] > 1 ? shift & 1 : 0;
                Picture p;

                /* Of pairs, half of the last only if there is no room */
                picture_make(&p, names[i], sides[j], height,
                             pairs ? 0 : random_to(5), shift, skip);
                picture_check_parts(&p);
                g_free(p.block);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-pvdisplay-convert/rgb", test_rgb);
    g_test_add_func("/xen-pvdisplay-convert/yuyv", test_yuyv);
    g_test_add_func("/xen-pvdisplay-convert/parts", test_parts);
    return g_test_run();
}
