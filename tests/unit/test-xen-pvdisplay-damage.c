/*
 * Tests of what is told of a PV display's picture: what changed, and no more
 *
 * Built twice: with the library of hashes, and without it, when all is told.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "../../hw/xen/display/xen-pvdisplay-damage.h"
#include "../../hw/xen/display/xen-pvdisplay-hash.h"

#define TICK XEN_PV_DAMAGE_INTERVAL

/*
 * @rects, @count: what the last scan told
 * @last_read: bytes that it read
 */
typedef struct Test {
    XenPvDamage damage;
    XenDisplifScanout scanout;
    uint8_t *data;
    int64_t now;
    pixman_box32_t rects[XEN_PV_DAMAGE_RECTS];
    uint32_t count;
    uint64_t last_read;
} Test;

static void test_start(Test *t, uint32_t width, uint32_t height, uint32_t cpp,
                       uint32_t pad)
{
    size_t size, i;

    memset(t, 0, sizeof(*t));
    t->scanout = (XenDisplifScanout){
        .stride = width * cpp + pad, .width = width, .height = height,
        .cpp = cpp, .format = cpp,
    };
    t->now = 1000000;
    /* No byte beyond the last pixel, for AddressSanitizer */
    size = (size_t)t->scanout.stride * (height - 1) + (size_t)width * cpp;
    t->data = g_malloc(size);
    for (i = 0; i < size; i++) {
        t->data[i] = i * 7 + i / 1000;
    }
}

static void test_end(Test *t)
{
    xen_pv_damage_clear(&t->damage);
    g_free(t->data);
}

static void scan_at(Test *t, int64_t now, bool whole)
{
    uint64_t before = t->damage.bytes_read;
    uint32_t i;

    t->now = now;
    t->count = xen_pv_damage_scan(&t->damage, &t->scanout, t->data, now,
                                  whole, t->rects);
    t->last_read = t->damage.bytes_read - before;

    /* No pixel is read twice, whatever happens */
    g_assert_cmpuint(t->last_read, <=, (uint64_t)t->scanout.width *
                     t->scanout.height * t->scanout.cpp);
    g_assert_cmpuint(t->count, <=, XEN_PV_DAMAGE_RECTS);
    for (i = 0; i < t->count; i++) {
        const pixman_box32_t *r = &t->rects[i];

        g_assert_cmpint(r->x1, >=, 0);
        g_assert_cmpint(r->y1, >=, 0);
        g_assert_cmpint(r->x1, <, r->x2);
        g_assert_cmpint(r->y1, <, r->y2);
        g_assert_cmpint(r->x2, <=, t->scanout.width);
        g_assert_cmpint(r->y2, <=, t->scanout.height);
    }
}

static bool is_told(const Test *t, int x, int y)
{
    uint32_t i;

    for (i = 0; i < t->count; i++) {
        const pixman_box32_t *r = &t->rects[i];

        if (x >= r->x1 && x < r->x2 && y >= r->y1 && y < r->y2) {
            return true;
        }
    }
    return false;
}

static bool is_all_told(const Test *t)
{
    return t->count == 1 && t->rects[0].x1 == 0 && t->rects[0].y1 == 0 &&
           t->rects[0].x2 == t->scanout.width &&
           t->rects[0].y2 == t->scanout.height;
}

static void scan(Test *t)
{
    scan_at(t, t->now + TICK, false);
}

static uint8_t *pixel(Test *t, uint32_t x, uint32_t y)
{
    return t->data + (size_t)t->scanout.stride * y +
           (size_t)t->scanout.cpp * x;
}

static uint64_t told_pixels(const Test *t)
{
    uint64_t pixels = 0;
    uint32_t i;

    for (i = 0; i < t->count; i++) {
        pixels += (uint64_t)(t->rects[i].x2 - t->rects[i].x1) *
                  (t->rects[i].y2 - t->rects[i].y1);
    }
    return pixels;
}

/* A picture that viewers know */
static void test_start_known(Test *t, uint32_t width, uint32_t height,
                             uint32_t cpp, uint32_t pad)
{
    test_start(t, width, height, cpp, pad);
    scan(t);
    g_assert_true(is_all_told(t));
    scan(t);
    g_assert_true(is_all_told(t));
    scan(t);
    g_assert_cmpuint(t->count, ==, 0);
}

/* And that rests */
static void let_rest(Test *t)
{
    int i;

    for (i = 0; i < XEN_PV_DAMAGE_QUIET + XEN_PV_DAMAGE_PHASES; i++) {
        scan(t);
    }
    g_assert_cmpuint(t->count, ==, 0);
}

static void check_one_tile(Test *t, uint32_t x, uint32_t y)
{
    g_assert_cmpuint(t->count, ==, 1);
    g_assert_true(is_told(t, x, y));
    g_assert_cmpuint(told_pixels(t), <=,
                     XEN_PV_DAMAGE_TILE_ROWS * XEN_PV_DAMAGE_TILE_BYTES /
                     t->scanout.cpp);
}

/* One pixel, wherever it is: its tile, this time and once more */
static void check_each_corner(uint32_t width, uint32_t height, uint32_t cpp,
                              uint32_t pad)
{
    const uint32_t xs[] = { 0, width / 3, width / 2, width - 1 };
    const uint32_t ys[] = { 0, height / 3, height / 2, height - 1 };
    uint32_t i, j, byte;
    Test t;

    test_start_known(&t, width, height, cpp, pad);
    for (i = 0; i < ARRAY_SIZE(xs); i++) {
        for (j = 0; j < ARRAY_SIZE(ys); j++) {
            for (byte = 0; byte < cpp; byte++) {
                pixel(&t, xs[i], ys[j])[byte] ^= 1;
                scan(&t);
                check_one_tile(&t, xs[i], ys[j]);
                scan(&t);
                check_one_tile(&t, xs[i], ys[j]);
                scan(&t);
                g_assert_cmpuint(t.count, ==, 0);
            }
        }
    }
    test_end(&t);
}

static void test_pixel(void)
{
    static const uint32_t sides[] = { 1, 2, 31, 33, 64, 67, 129, 500 };
    int i, j, cpp;

    for (i = 0; i < ARRAY_SIZE(sides); i++) {
        for (j = 0; j < ARRAY_SIZE(sides); j++) {
            for (cpp = 2; cpp <= 4; cpp++) {
                check_each_corner(sides[i], sides[j], cpp, (i + j) % 3);
            }
        }
    }
    check_each_corner(8192, 1, 4, 0);
    check_each_corner(1, 8192, 4, 0);
}

/* What lies beside the visible pixels is nobody's damage */
static void test_padding(void)
{
    Test t;
    int y;

    test_start_known(&t, 100, 80, 4, 28);
    for (y = 0; y < 79; y++) {
        memset(pixel(&t, 100, y), y, 28);
        scan(&t);
        g_assert_cmpuint(t.count, ==, 0);
    }
    test_end(&t);
}

/* Far from each other, and near: not what is between, and as few as may be */
static void test_several(void)
{
    Test t;
    int i;

    test_start_known(&t, 1920, 1080, 4, 0);
    *pixel(&t, 5, 5) ^= 1;
    *pixel(&t, 1900, 1000) ^= 1;
    scan(&t);
    g_assert_cmpuint(t.count, ==, 2);
    g_assert_cmpuint(told_pixels(&t), <=, 2 * 32 * 32);
    scan(&t);
    scan(&t);
    g_assert_cmpuint(t.count, ==, 0);

    /* A window of 400x300 */
    for (i = 0; i < 300; i++) {
        memset(pixel(&t, 600, 400 + i), i, 400 * 4);
    }
    scan(&t);
    g_assert_cmpuint(t.count, ==, 1);
    g_assert_true(is_told(&t, 600, 400));
    g_assert_true(is_told(&t, 999, 699));
    g_assert_cmpuint(told_pixels(&t), <=, (400 + 2 * 31) * (300 + 2 * 31));
    test_end(&t);
}

/* Each change is told, however many there are; after that there is none */
static void test_random(void)
{
    uint32_t round, n, i;
    Test t;

    test_start_known(&t, 700, 500, 4, 4);
    for (round = 0; round < 400; round++) {
        uint32_t xs[200], ys[200];

        n = round % 4 ? g_test_rand_int_range(1, 6)
                      : g_test_rand_int_range(1, 200);
        for (i = 0; i < n; i++) {
            xs[i] = g_test_rand_int_range(0, 700);
            ys[i] = g_test_rand_int_range(0, 500);
            /* Not the value that it has: once there is one change each */
            *(uint32_t *)pixel(&t, xs[i], ys[i]) = 0x10000 * round + i;
        }
        scan(&t);
        for (i = 0; i < n; i++) {
            g_assert_true(is_told(&t, xs[i], ys[i]));
        }
        /* Not after a round of many, which are told once more */
        if (round % 4 > 1) {
            g_assert_cmpuint(told_pixels(&t), <, 700 * 500);
        }
        if (round % 16 == 0) {
            scan(&t);
            scan(&t);
            g_assert_cmpuint(t.count, ==, 0);
        }
    }
    test_end(&t);
}

/* The worst that a guest can do to the list of rectangles */
static void test_checkerboard(void)
{
    uint32_t round, x, y;
    Test t;

    test_start_known(&t, 4096, 2048, 4, 0);
    for (round = 0; round < 4; round++) {
        for (y = 0; y < 2048; y += 32) {
            for (x = y & 32; x < 4096; x += 64) {
                *pixel(&t, x, y) ^= 1;
            }
        }
        scan(&t);
        for (y = 0; y < 2048; y += 32) {
            for (x = y & 32; x < 4096; x += 64) {
                g_assert_true(is_told(&t, x, y));
            }
        }
    }
    test_end(&t);
}

/* While nothing changes, some rows are read; all at once when it does */
static void test_rest(void)
{
    uint64_t all = 640 * 480 * 4;
    int i, y;
    Test t;

    test_start_known(&t, 640, 480, 4, 0);
    let_rest(&t);
    for (i = 0; i < 30; i++) {
        scan(&t);
        g_assert_cmpuint(t.count, ==, 0);
        g_assert_cmpuint(t.last_read, ==, all / XEN_PV_DAMAGE_PHASES);
    }

    /* What is as high as a character, wherever it is */
    for (y = 100; y < 140; y++) {
        for (i = 0; i < XEN_PV_DAMAGE_PHASES; i++) {
            *pixel(&t, 77, y + i) ^= 1;
        }
        scan(&t);
        g_assert_true(is_told(&t, 77, y));
        g_assert_true(is_told(&t, 77, y + XEN_PV_DAMAGE_PHASES - 1));
        g_assert_cmpuint(t.last_read, ==, all);
        g_assert_cmpuint(told_pixels(&t), <=, 2 * 32 * 32);
        scan(&t);
        g_assert_cmpuint(t.last_read, ==, all);
        let_rest(&t);
    }

    /* One row, by and by */
    for (y = 200; y < 210; y++) {
        *pixel(&t, 77, y) ^= 1;
        for (i = 0; !t.count; i++) {
            g_assert_cmpint(i, <, XEN_PV_DAMAGE_PHASES);
            scan(&t);
        }
        check_one_tile(&t, 77, y);
        let_rest(&t);
    }

    /* Or at once, if that has to be, or the guest has flipped */
    *pixel(&t, 77, 300) ^= 1;
    scan_at(&t, t.now + 1, true);
    check_one_tile(&t, 77, 300);
    let_rest(&t);
    *pixel(&t, 77, 301) ^= 1;
    xen_pv_damage_wake(&t.damage);
    scan_at(&t, t.now + 1, false);
    check_one_tile(&t, 77, 301);
    test_end(&t);
}

/* What is read depends on the time, not on how often viewers ask */
static void test_rate(void)
{
    uint64_t all = 640 * 480 * 4, sum = 0;
    Test t;
    int i;

    test_start_known(&t, 640, 480, 4, 0);
    let_rest(&t);
    for (i = 0; i < 300; i++) {
        scan_at(&t, t.now + 4, false);
        sum += t.last_read;
    }
    g_assert_cmpuint(sum, <=, all * 1200 / XEN_PV_DAMAGE_PHASES / TICK);

    /* Who asks rarely is told all there is */
    for (i = 0; i < 20; i++) {
        *pixel(&t, 20, 20 + i) ^= 1;
        scan_at(&t, t.now + XEN_PV_DAMAGE_PHASES * TICK, false);
        check_one_tile(&t, 20, 20 + i);
        let_rest(&t);
    }
    test_end(&t);
}

/* Nothing but time passes; what was read meanwhile */
static uint64_t pass(Test *t, int64_t time, int64_t step)
{
    int64_t end = t->now + time;
    uint64_t sum = 0;

    while (t->now < end) {
        scan_at(t, t->now + step, false);
        g_assert_cmpuint(t->count, ==, 0);
        sum += t->last_read;
    }
    return sum;
}

/* Ten idle seconds of a viewer that asks every 30 ms, as most do, and less */
static void test_sleep(void)
{
    const uint64_t group = 640 * 480 * 4 / XEN_PV_DAMAGE_PHASES;
    const int64_t rest = 10000 - XEN_PV_DAMAGE_SLEEP;
    int64_t steps[] = { 30, 16, 500 }, start;
    int i, j;
    Test t;

    test_start_known(&t, 640, 480, 4, 0);
    for (i = 0; i < ARRAY_SIZE(steps); i++) {
        let_rest(&t);
        pass(&t, XEN_PV_DAMAGE_SLEEP, TICK);
        g_assert_cmpuint(pass(&t, rest, steps[i]), <=,
                         group * (rest / XEN_PV_DAMAGE_SLEEP_INTERVAL + 10));

        /* A character is found in time, and then all is read each time */
        for (j = 0; j < XEN_PV_DAMAGE_PHASES; j++) {
            *pixel(&t, 33 * i, 40 + j) ^= 1;
        }
        for (start = t.now; !t.count; ) {
            scan_at(&t, t.now + 16, false);
        }
        g_assert_cmpint(t.now - start, <=, XEN_PV_DAMAGE_SLEEP_INTERVAL + 16);
        check_one_tile(&t, 33 * i, 40);
        for (j = 0; j < XEN_PV_DAMAGE_QUIET; j++) {
            scan(&t);
            g_assert_cmpuint(t.last_read, ==, group * XEN_PV_DAMAGE_PHASES);
        }
        /* And it rests as before, not as one that sleeps */
        scan(&t);
        g_assert_cmpuint(t.last_read, ==, group);
        scan(&t);
        g_assert_cmpuint(t.last_read, ==, group);
    }

    /* A flip is not waited for */
    pass(&t, 2 * XEN_PV_DAMAGE_SLEEP, TICK);
    *pixel(&t, 77, 301) ^= 1;
    xen_pv_damage_wake(&t.damage);
    scan_at(&t, t.now + 1, false);
    check_one_tile(&t, 77, 301);
    test_end(&t);
}

static void change_all(Test *t, uint32_t seed)
{
    uint32_t x, y;

    for (y = 0; y < t->scanout.height; y++) {
        for (x = 0; x < t->scanout.width; x += 8) {
            *(uint32_t *)pixel(t, x, y) = seed * 0x10001 + x * y;
        }
    }
}

/* A film is not hashed at each scan, and all of it is told at each */
static void test_film(void)
{
    uint64_t all = 640 * 480 * 4, sum = 0;
    int i;
    Test t;

    test_start_known(&t, 640, 480, 4, 0);
    for (i = 0; i < 140; i++) {
        change_all(&t, i);
        scan(&t);
        g_assert_true(is_all_told(&t));
        sum += t.last_read;
    }
    g_assert_cmpuint(sum, <=, all * 30);

    /* It ends, whenever it does */
    for (i = 0; i < XEN_PV_DAMAGE_PAUSE + 4; i++) {
        scan(&t);
    }
    g_assert_cmpuint(t.count, ==, 0);
    *pixel(&t, 3, 3) ^= 1;
    xen_pv_damage_wake(&t.damage);
    scan(&t);
    check_one_tile(&t, 3, 3);
    test_end(&t);
}

/* Another size or format, or a loss of memory: all of it */
static void test_forget(void)
{
    Test t;
    int i;

    test_start_known(&t, 640, 480, 4, 0);
    xen_pv_damage_forget(&t.damage);
    scan(&t);
    g_assert_true(is_all_told(&t));
    for (i = 0; i < 2; i++) {
        scan(&t);
    }
    g_assert_cmpuint(t.count, ==, 0);
    t.scanout.format++;
    scan(&t);
    g_assert_true(is_all_told(&t));
    for (i = 0; i < 2; i++) {
        scan(&t);
    }
    g_assert_cmpuint(t.count, ==, 0);
    t.scanout.height--;
    scan(&t);
    g_assert_true(is_all_told(&t));
    xen_pv_damage_clear(&t.damage);
    scan(&t);
    g_assert_true(is_all_told(&t));
    test_end(&t);
}

/* Rows may lie elsewhere, as after a flip: what they show counts */
static void test_flip(void)
{
    Test t, other;
    uint32_t y;

    test_start_known(&t, 640, 480, 4, 0);
    test_start(&other, 640, 480, 4, 64);
    for (y = 0; y < 480; y++) {
        memcpy(pixel(&other, 0, y), pixel(&t, 0, y), 640 * 4);
    }
    *pixel(&other, 333, 222) ^= 1;
    t.count = xen_pv_damage_scan(&t.damage, &other.scanout, other.data,
                                 t.now + TICK, false, t.rects);
    check_one_tile(&t, 333, 222);
    test_end(&other);
    test_end(&t);
}

typedef struct Writer {
    Test *test;
    int stop;
} Writer;

static void *write_all_the_time(void *opaque)
{
    Writer *w = opaque;
    uint32_t n = 0;

    while (!g_atomic_int_get(&w->stop)) {
        gint *at = (gint *)pixel(w->test, n * 37 % 640, n * 11 % 480);

        g_atomic_int_set(at, n);
        n++;
    }
    return NULL;
}

/* A guest that writes meanwhile: what it leaves behind is told in the end */
static void test_writer(void)
{
    pixman_region32_t told;
    g_autofree uint8_t *before = NULL;
    uint32_t i, j, x, y;
    GThread *thread;
    Writer w = {};
    Test t;

    test_start_known(&t, 640, 480, 4, 0);
    before = g_malloc(640 * 480 * 4);
    memcpy(before, t.data, 640 * 480 * 4);
    pixman_region32_init(&told);
    w.test = &t;
    thread = g_thread_new("guest", write_all_the_time, &w);
    for (i = 0; i < 200; i++) {
        if (i == 100) {
            g_atomic_int_set(&w.stop, 1);
            g_thread_join(thread);
        }
        scan(&t);
        for (j = 0; j < t.count; j++) {
            pixman_region32_union_rect(&told, &told, t.rects[j].x1,
                                       t.rects[j].y1,
                                       t.rects[j].x2 - t.rects[j].x1,
                                       t.rects[j].y2 - t.rects[j].y1);
        }
    }
    g_assert_cmpuint(t.count, ==, 0);
    for (y = 0; y < 480; y++) {
        for (x = 0; x < 640; x++) {
            if (memcmp(pixel(&t, x, y), before + (y * 640 + x) * 4, 4)) {
                g_assert_true(pixman_region32_contains_point(&told, x, y,
                                                             NULL));
            }
        }
    }
    pixman_region32_fini(&told);
    test_end(&t);
}
static void test_all(void)
{
    Test t;
    int i;

    test_start(&t, 67, 45, 4, 0);
    for (i = 0; i < 40; i++) {
        scan_at(&t, t.now + TICK, i & 1);
        g_assert_true(is_all_told(&t));
        g_assert_true(is_told(&t, 66, 44));
        g_assert_cmpuint(t.last_read, ==, 0);
        xen_pv_damage_wake(&t.damage);
    }
    test_end(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!xen_pvdisplay_has_hash()) {
        g_test_add_func("/xen-pvdisplay-damage/all", test_all);
        return g_test_run();
    }
    g_test_add_func("/xen-pvdisplay-damage/pixel", test_pixel);
    g_test_add_func("/xen-pvdisplay-damage/padding", test_padding);
    g_test_add_func("/xen-pvdisplay-damage/several", test_several);
    g_test_add_func("/xen-pvdisplay-damage/random", test_random);
    g_test_add_func("/xen-pvdisplay-damage/checkerboard", test_checkerboard);
    g_test_add_func("/xen-pvdisplay-damage/rest", test_rest);
    g_test_add_func("/xen-pvdisplay-damage/sleep", test_sleep);
    g_test_add_func("/xen-pvdisplay-damage/rate", test_rate);
    g_test_add_func("/xen-pvdisplay-damage/film", test_film);
    g_test_add_func("/xen-pvdisplay-damage/forget", test_forget);
    g_test_add_func("/xen-pvdisplay-damage/flip", test_flip);
    g_test_add_func("/xen-pvdisplay-damage/writer", test_writer);
    return g_test_run();
}
