/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmark of finding what has changed in a picture
 *
 *   bench-damage [--json FILE]
 *
 * A picture of 1920x1080 is scanned as a display scans it for its viewers:
 * while all of it is looked at, and while it rests.  Beside that there are
 * memcpy() and memcmp() of the same picture, which is what viewers do.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../hw/xen/display/xen-pvdisplay-damage.h"
#include "bench-util.h"

#define WIDTH   1920
#define HEIGHT  1080
#define SIZE    (WIDTH * HEIGHT * 4)
#define RUNS    101
#define TICK    XEN_PV_DAMAGE_INTERVAL

typedef struct Bench {
    XenPvDamage damage;
    XenDisplifScanout scanout;
    uint8_t *data;
    uint8_t *copy;
    int64_t now;
    uint32_t rects;
} Bench;

static double time_scan(Bench *b, bool whole)
{
    pixman_box32_t rects[XEN_PV_DAMAGE_RECTS];
    double start = now_ns();

    b->now += TICK;
    b->rects = xen_pv_damage_scan(&b->damage, &b->scanout, b->data, b->now,
                                  whole, rects);
    return now_ns() - start;
}

static double time_copy(Bench *b)
{
    double start = now_ns();

    memcpy(b->copy, b->data, SIZE);
    return now_ns() - start;
}

static double time_compare(Bench *b)
{
    double start = now_ns();

    must(memcmp(b->copy, b->data, SIZE) == 0, "a copy");
    return now_ns() - start;
}

static void report(GString *json, const char *name, const char *what,
                   double ns, double copy)
{
    printf("%-40s %7.1f us (%.2f x memcpy())\n", what, ns / 1000, ns / copy);
    g_string_append_printf(json, ",\n  \"%s_us\": %.1f", name, ns / 1000);
}

int main(int argc, char **argv)
{
    const char *file = bench_json_file(argc, argv);
    GString *json = g_string_new("{\n  \"benchmark\": \"bench-damage\"");
    Samples whole = {}, rest = {}, copied = {}, compared = {};
    Bench b = {
        .scanout = {
            .stride = WIDTH * 4, .width = WIDTH, .height = HEIGHT, .cpp = 4,
        },
        .data = g_malloc(SIZE),
        .copy = g_malloc(SIZE),
    };
    double copy;
    uint32_t i;

    for (i = 0; i < SIZE; i++) {
        b.data[i] = i * 7 + i / 1920;
    }
    for (i = 0; i < 2 * XEN_PV_DAMAGE_PHASES; i++) {
        time_scan(&b, false);
    }
    must(b.rects == 0, "a picture that rests");
    for (i = 0; i < RUNS; i++) {
        add_sample(&copied, time_copy(&b));
        add_sample(&compared, time_compare(&b));
        add_sample(&whole, time_scan(&b, true));
    }
    /* What a picture that rests finds in the cache is what viewers leave */
    for (i = 0; i < RUNS; i++) {
        time_compare(&b);
        add_sample(&rest, time_scan(&b, false));
    }

    copy = median(&copied);
    printf("%dx%d, medians of %d\n\n", WIDTH, HEIGHT, RUNS);
    report(json, "memcpy", "memcpy()", copy, copy);
    report(json, "memcmp", "memcmp() with a copy", median(&compared), copy);
    report(json, "scan", "scan of all", median(&whole), copy);
    report(json, "rest", "scan of a picture that rests", median(&rest), copy);
    g_string_append(json, "\n}\n");
    xen_pv_damage_clear(&b.damage);
    g_free(b.data);
    g_free(b.copy);

    return bench_finish(file, json);
}
