/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmark of the conversion of pixels that a console cannot show
 *
 *   bench-convert [--json FILE]
 *
 * Each format is converted by the display's own code and, in the same run, by
 * a bare call of pixman on images that are there already.  Beside that there is
 * memcpy() of as many bytes as the result has.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../hw/xen/display/xen-pvdisplay-convert.h"
#include "bench-util.h"

#define WIDTH   1920
#define HEIGHT  1080
#define RUNS    31

typedef struct Format {
    const char *name;
    uint32_t cpp;
} Format;

static uint32_t fourcc(const char *name)
{
    uint32_t code;

    memcpy(&code, name, sizeof(code));
    return GUINT32_FROM_LE(code);
}

static double time_own(const XenDisplifScanout *scanout, const void *data,
                       pixman_image_t *target)
{
    const pixman_box32_t all = { 0, 0, WIDTH, HEIGHT };
    double start = now_ns();

    xen_pvdisplay_convert(scanout, data, 0, &all, target);
    return now_ns() - start;
}

static double time_copy(pixman_image_t *source, pixman_image_t *target)
{
    double start = now_ns();

    memcpy(pixman_image_get_data(target), pixman_image_get_data(source),
           WIDTH * HEIGHT * 4);
    return now_ns() - start;
}

static double time_pixman(pixman_image_t *source, pixman_image_t *target)
{
    double start = now_ns();

    pixman_image_composite(PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0,
                           0, 0, WIDTH, HEIGHT);
    return now_ns() - start;
}

static void bench_format(const Format *format, GString *json)
{
    XenDisplifScanout scanout = {
        .stride = WIDTH * format->cpp, .width = WIDTH, .height = HEIGHT,
        .cpp = format->cpp, .format = fourcc(format->name),
    };
    g_autofree uint8_t *data = g_malloc(scanout.stride * HEIGHT);
    pixman_image_t *source, *target, *other;
    Samples own = {}, bare = {}, copied = {};
    double o, b, c;
    uint32_t i;

    for (i = 0; i < scanout.stride * HEIGHT; i++) {
        data[i] = i * 7 + i / 1920;
    }
    source = pixman_image_create_bits(xen_pvdisplay_format(scanout.format),
                                      WIDTH, HEIGHT, (uint32_t *)data,
                                      scanout.stride);
    target = pixman_image_create_bits(PIXMAN_x8r8g8b8, WIDTH, HEIGHT, NULL,
                                      0);
    other = pixman_image_create_bits(PIXMAN_x8r8g8b8, WIDTH, HEIGHT, NULL, 0);
    for (i = 0; i < RUNS; i++) {
        add_sample(&bare, time_pixman(source, target));
        add_sample(&copied, time_copy(other, target));
        add_sample(&own, time_own(&scanout, data, target));
    }
    pixman_image_unref(source);
    pixman_image_unref(target);
    pixman_image_unref(other);

    o = median(&own);
    b = median(&bare);
    c = median(&copied);
    printf("%s: convert %7.1f us, memcpy() of the result %7.1f us (%.2f x), "
           "pixman alone %8.1f us (%.3f x)\n",
           format->name, o / 1000, c / 1000, o / c, b / 1000, o / b);
    g_string_append_printf(json,
        "    {\"format\": \"%s\", \"convert_us\": %.1f, "
        "\"memcpy_us\": %.1f, \"memcpy_ratio\": %.3f, "
        "\"pixman_us\": %.1f, \"ratio\": %.3f}",
        format->name, o / 1000, c / 1000, o / c, b / 1000, o / b);
}

int main(int argc, char **argv)
{
    static const Format formats[] = {
        { "XR12", 2 }, { "XB12", 2 }, { "XB15", 2 }, { "BG16", 2 },
        { "XB24", 4 }, { "RX24", 4 }, { "XR30", 4 }, { "XB30", 4 },
        { "YUYV", 2 },
    };
    const char *file = bench_json_file(argc, argv);
    GString *json = g_string_new("{\n  \"benchmark\": \"bench-convert\",\n"
                                 "  \"convert\": [\n");
    uint32_t i;

    printf("%dx%d, medians of %d\n\n", WIDTH, HEIGHT, RUNS);
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        g_string_append(json, i ? ",\n" : "");
        bench_format(&formats[i], json);
    }
    g_string_append(json, "\n  ]\n}\n");

    return bench_finish(file, json);
}
