/*
 * Tests of the protocol engine of PV displays: what a guest asks for
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "../../hw/xen/pv/displif-check.h"
#include "displif-fixture.h"

/* What Linux does with one buffer, from the first modeset to the last close */
static void test_life(Test *t, gconstpointer data)
{
    uint64_t dbuf = 0xffff888012345678, fb = 0xffff88809abcdef0;
    XenDisplifStats stats;
    uint32_t dir;

    dir = create(t, dbuf, 64, 64, 32);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    good(t, 0, req_attach(dbuf, fb, 64, 64, XR24));
    g_assert_cmpuint(t->grants->live_pages, ==, 0);

    good(t, 0, req_config(fb, 0, 0, 64, 64));
    assert_shows(t, 0, fb, 0, 256, 64, 48);
    g_assert_false(t->screen[0].last_was_flip);
    g_assert_cmpuint(t->grants->live_pages, ==, 3);
    assert_no_event(t, 0);

    good(t, 0, req_flip(fb));
    assert_shows(t, 0, fb, 0, 256, 64, 48);
    g_assert_true(t->screen[0].last_was_flip);
    g_assert_cmpuint(t->screen[0].flipped, ==, 1);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 0), ==, 1);
    done(t, 0, fb);
    assert_no_event(t, 0);

    xen_displif_stats(t->disp, &stats);
    g_assert_cmpuint(stats.requests, ==, 4);
    g_assert_cmpuint(stats.refused, ==, 0);
    g_assert_cmpuint(stats.flips, ==, 1);
    g_assert_cmpuint(stats.events, ==, 1);
    g_assert_cmpuint(stats.buffers, ==, 1);
    g_assert_cmpuint(stats.framebuffers, ==, 1);
    g_assert_cmpuint(stats.total_pages, ==, 4);

    good(t, 0, req_off());
    g_assert_false(t->screen[0].on);
    good(t, 0, req_detach(fb));
    good(t, 0, req_destroy(dbuf));
    g_assert_cmpuint(t->screen[0].keeps, ==, 0);
    g_assert_true(fake_grants_end_directory(t->grants, dir, 4));

    xen_displif_stats(t->disp, &stats);
    g_assert_cmpuint(stats.buffers, ==, 0);
    g_assert_cmpuint(stats.framebuffers, ==, 0);
    g_assert_cmpuint(stats.total_pages, ==, 0);
}

static void test_bad_create(Test *t, gconstpointer data)
{
    uint32_t dir, big, zero, refs[4] = { 0 };

    create(t, 1, 64, 64, 32);
    dir = fake_grants_make_directory(t->grants, 4, NULL);
    big = fake_grants_make_directory(t->grants, 1024, NULL);

    refused(t, 0, req_create(0, 64, 64, 32, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(1, 64, 64, 32, 16384, dir, 0), -EEXIST);
    refused(t, 0, req_create(2, 64, 64, 32, 0, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 0, 0, 0, 0, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 0, 64, 32, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 0, 32, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 0, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 0, 0, 32, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 31, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 1, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 16, 16, 72, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 16, 16, 0xffffffff, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 16, 16, 0xfffffff8, 16384, dir, 0), -EINVAL);

    /* Shorter than its geometry, by a row, or by a page */
    refused(t, 0, req_create(2, 64, 65, 32, 16384, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 32, 12288, dir, 0), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 32, 1, dir, 0), -EINVAL);

    /* data_ofs */
    refused(t, 0, req_create(2, 64, 64, 32, 16384, dir, 1), -EINVAL);
    refused(t, 0, req_create(2, 64, 48, 32, 16384, dir, 4097), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 32, 16384, dir, 16384), -EINVAL);
    refused(t, 0, req_create(2, 64, 64, 32, 16384, dir, UINT32_MAX), -EINVAL);
    refused(t, 0, req_create(2, 0, 0, 0, 16384, dir, 16384), -EINVAL);
    refused(t, 0, req_create(2, 0, 0, 0, 16384, dir, UINT32_MAX), -EINVAL);

    /* Directories: none, not granted, ends early, self-linked, a hole */
    refused(t, 0, req_create(2, 64, 64, 32, 16384, 0, 0), -EINVAL);
    g_assert_cmpint(call(t, 0, req_create(2, 64, 64, 32, 16384, UINT32_MAX,
                                          0)), <, 0);
    refused(t, 0, req_create(2, 0, 0, 0, 1024 * 4096 + 1, dir, 0), -EINVAL);
    zero = fake_grants_build_directory(t->grants, refs, 4);
    refused(t, 0, req_create(2, 64, 64, 32, 16384, zero, 0), -EINVAL);
    ((uint32_t *)fake_grants_page(t->grants, big))[0] = 0;
    refused(t, 0, req_create(2, 0, 0, 0, 1024 * 4096, big, 0), -EINVAL);

    /* Beyond what the mapper takes, of one buffer */
    refused(t, 0, req_create(2, 0, 0, 0, 5001 * 4096, big, 0), -E2BIG);

    /* None of this was fatal */
    good(t, 0, req_create(2, 64, 64, 32, 16384, dir, 0));
    refused(t, 0, req_create(2, 64, 64, 32, 16384, dir, 0), -EEXIST);
}

/* Invariant 7, and products beyond 32 bits */
static void test_size_matrix(Test *t, gconstpointer data)
{
    static const uint32_t big[] = {
        0x8000, 0xffff, 0x10000, 0x10001, 0x3fffffff, 0x40000000, 0x40000001,
        0x7fffffff, 0x80000000, 0x80000001, 0xfffff000, 0xfffffff9, 0xffffffff
    };
    static const uint32_t sizes[] = { 1, 4096, 16384, 0x7fffffff, 0xffffffff };
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    uint64_t answers = 0;
    unsigned int w, h, s, bpp;

    for (w = 0; w < ARRAY_SIZE(big); w++) {
        for (h = 0; h < ARRAY_SIZE(big); h++) {
            for (s = 0; s < ARRAY_SIZE(sizes); s++) {
                for (bpp = 8; bpp <= 64; bpp += 8) {
                    uint64_t bytes = (uint64_t)big[w] * (bpp / 8);
                    int32_t status;

                    status = call(t, 0, req_create(7, big[w], big[h], bpp,
                                                   sizes[s], dir, 0));
                    g_assert_cmpint(status, <, 0);
                    if (bytes > UINT32_MAX || bytes * big[h] > 1ULL << 32) {
                        g_assert_cmpint(status, ==, -EINVAL);
                    }
                    answers++;
                }
            }
        }
    }
    g_assert_cmpuint(t->answers, ==, answers);
    g_assert_cmpuint(t->grants->map_calls, ==, 0);

    /* A product that would be small modulo 2^32 */
    refused(t, 0, req_create(7, 0x10000, 0x10000, 32, 16384, dir, 0),
            -EINVAL);
    refused(t, 0, req_create(7, 0x40000001, 1, 32, 4096, dir, 0), -EINVAL);
    refused(t, 0, req_create(7, 0x20000001, 64, 64, 4096, dir, 0), -EINVAL);
    refused(t, 0, req_create(7, 64, 48, 32, 16384, dir, 0xfffff000),
            -EINVAL);
    refused(t, 0, req_create(7, 0, 0, 0, 0xffffffff, dir, 0), -ENOSPC);

    /* The same of framebuffers on an import, whose buffer says nothing */
    good(t, 0, req_create(7, 0, 0, 0, 16384, dir, 0));
    for (w = 0; w < ARRAY_SIZE(big); w++) {
        for (h = 0; h < ARRAY_SIZE(big); h++) {
            refused(t, 0, req_attach(7, 8, big[w], big[h], XR24), -EINVAL);
            refused(t, 0, req_attach(7, 8, big[w], big[h], RG16), -EINVAL);
        }
    }
    refused(t, 0, req_attach(7, 8, 0x40000001, 1, XR24), -EINVAL);
    refused(t, 0, req_attach(7, 8, 1, 0x40000001, XR24), -EINVAL);
}

typedef struct StrideCase {
    uint32_t width;
    uint32_t height;
    uint32_t bpp;
    uint32_t size;
    uint32_t stride;
} StrideCase;

static uint32_t format_of(uint32_t bpp)
{
    return bpp == 32 ? XR24 : bpp == 24 ? RG24 : RG16;
}

/* Pitches of Linux before and since drm_mode_size_dumb() */
static void test_stride(Test *t, gconstpointer data)
{
    static const StrideCase cases[] = {
        { 64, 64, 32, 16384, 256 },
        /* before: tight, and the size is exact */
        { 1366, 768, 32, 1366 * 4 * 768, 1366 * 4 },
        { 1367, 768, 32, 1367 * 4 * 768, 1367 * 4 },
        { 801, 600, 24, 801 * 3 * 600, 801 * 3 },
        { 801, 600, 16, 801 * 2 * 600, 801 * 2 },
        { 3, 3, 16, 18, 6 },
        /* since: a multiple of 8, and the size is of whole pages */
        { 1366, 768, 32, 4198400, 1366 * 4 },
        { 1367, 768, 32, 4202496, 1368 * 4 },
        { 801, 600, 24, 1445888, 2408 },
        { 801, 600, 16, 966656, 1608 },
        { 3, 3, 16, 4096, 8 },
        /* a multiple of 8, exact */
        { 801, 600, 24, 2408 * 600, 2408 },
        /* rows padded to 4, 16, 32, 64, 128 and 256 bytes, exact: Plan 9's */
        { 801, 600, 24, 2404 * 600, 2404 },
        { 801, 600, 24, 2416 * 600, 2416 },
        { 801, 600, 16, 1632 * 600, 1632 },
        { 1366, 768, 32, 5504 * 768, 5504 },
        { 801, 600, 24, 2432 * 600, 2432 },
        { 1366, 768, 32, 5632 * 768, 5632 },
        /* ... and one byte less or more, or padded to 512 */
        { 1366, 768, 32, 5504 * 768 - 1, 1366 * 4 },
        { 1366, 768, 32, 5504 * 768 + 1, 1366 * 4 },
        { 801, 600, 24, 2560 * 600, 2560 },
        { 1300, 600, 32, 5632 * 600, 1300 * 4 },
        /* anything else: tight, and then some */
        { 801, 600, 24, 2000000, 801 * 3 },
        { 64, 64, 32, 20000, 256 },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        const StrideCase *c = &cases[i];
        uint32_t pages = pages_of(c->size);
        uint32_t dir = fake_grants_make_directory(t->grants, pages, NULL);

        good(t, 0, req_create(1, c->width, c->height, c->bpp, c->size, dir,
                              0));
        good(t, 0, req_attach(1, 2, c->width, c->height, format_of(c->bpp)));
        good(t, 1, req_config(2, 0, 0, c->width, c->height));
        assert_shows(t, 1, 2, 0, c->stride, c->width, c->height);
        good(t, 1, req_off());
        good(t, 0, req_destroy(1));
        g_assert_true(fake_grants_end_directory(t->grants, dir, pages));
    }
}

/* Buffers made elsewhere get their geometry from their framebuffers */
static void test_import(Test *t, gconstpointer data)
{
    static const StrideCase cases[] = {
        { 64, 64, 32, 16384, 256 },
        { 100, 100, 32, 40960, 400 },
        /* rows of a GPU: multiples of 16, 64, 256 bytes */
        { 801, 600, 16, 966656, 1608 },
        { 1366, 768, 32, 4227072, 5504 },
        { 1366, 768, 32, 4325376, 5632 },
        { 801, 600, 24, 1536000, 2560 },
        /* no such alignment: no padding */
        { 64, 64, 32, 65536, 256 },
        { 801, 600, 16, 1441792, 1602 },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        const StrideCase *c = &cases[i];
        uint32_t pages = pages_of(c->size);
        uint32_t dir = fake_grants_make_directory(t->grants, pages, NULL);

        good(t, 0, req_create(1, 0, 0, 0, c->size, dir, 0));
        good(t, 0, req_attach(1, 2, c->width, c->height, format_of(c->bpp)));
        good(t, 1, req_config(2, 0, 0, c->width, c->height));
        assert_shows(t, 1, 2, 0, c->stride, c->width, c->height);
        good(t, 1, req_off());
        good(t, 0, req_destroy(1));
        g_assert_true(fake_grants_end_directory(t->grants, dir, pages));
    }
}

static void test_import_bounds(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 11, NULL);

    /* 100 rows of 400 bytes in 10 pages, 960 bytes to spare */
    good(t, 0, req_create(1, 0, 0, 0, 40960, dir, 960));
    refused(t, 0, req_attach(1, 2, 100, 101, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 2, 103, 100, XR24), -EINVAL);
    good(t, 0, req_attach(1, 2, 100, 100, XR24));
    good(t, 1, req_config(2, 0, 0, 100, 100));
    assert_shows(t, 1, 2, 960, 400, 100, 100);
    /* What is known of the rows holds for other framebuffers, too */
    good(t, 0, req_attach(1, 3, 50, 100, XR24));
    good(t, 1, req_config(3, 10, 10, 50, 100));
    assert_shows(t, 1, 3, 960 + 4000 + 40, 400, 40, 90);
    refused(t, 0, req_attach(1, 4, 101, 1, XR24), -EINVAL);
    good(t, 0, req_destroy(1));

    good(t, 0, req_create(1, 0, 0, 0, 40960, dir, 961));
    refused(t, 0, req_attach(1, 2, 100, 100, XR24), -EINVAL);
    good(t, 0, req_attach(1, 2, 100, 99, XR24));
    good(t, 0, req_destroy(1));
}

/*
 * A framebuffer whose size allows several lengths of a row says nothing about
 * the buffer's other framebuffers
 */
static void test_import_uncertain(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);

    good(t, 0, req_create(1, 0, 0, 0, 16384, dir, 0));
    /* 64 rows of 252 bytes, or of 256 */
    good(t, 0, req_attach(1, 2, 63, 64, XR24));
    good(t, 1, req_config(2, 0, 0, 63, 64));
    assert_shows(t, 1, 2, 0, 252, 63, 64);
    good(t, 0, req_attach(1, 3, 64, 64, XR24));
    good(t, 1, req_config(3, 0, 0, 64, 64));
    assert_shows(t, 1, 3, 0, 256, 64, 64);
    /* Now it is known */
    good(t, 0, req_attach(1, 4, 63, 64, XR24));
    good(t, 1, req_config(4, 0, 0, 63, 64));
    assert_shows(t, 1, 4, 0, 256, 63, 64);
    good(t, 1, req_off());
    good(t, 0, req_destroy(1));
}

/* What two screens show of one picture, and what no screen can need */
static void test_rows(Test *t, gconstpointer data)
{
    static const uint32_t page = PAGE / 4;
    uint32_t *refs = g_new(uint32_t, 4900);
    uint32_t dir, i, one = fake_grants_alloc(t->grants, true);

    /* A guest needs but one page to describe any number of them */
    for (i = 0; i < 4900; i++) {
        refs[i] = one;
    }
    dir = fake_grants_build_directory(t->grants, refs, 4900);
    t->grants->one_mmap = false;

    /* Sixteen screens side by side, and for small ones a desktop of 64 KiB */
    good(t, 0, req_create(1, 16 * page, 300, 32, 4800 * PAGE, dir, 0));
    good(t, 0, req_attach(1, 2, 16 * page, 300, XR24));
    good(t, 0, req_config(2, 15 * page, 100, 64, 48));
    g_assert_cmpuint(t->grants->live_pages, <=, 48 * 16);
    good(t, 0, req_off());
    good(t, 0, req_destroy(1));

    good(t, 0, req_create(1, 16 * page + 1, 200, 32,
                          (16 * PAGE + 8) * 200, dir, 0));
    good(t, 0, req_attach(1, 2, 16 * page, 200, XR24));
    refused(t, 0, req_config(2, 0, 0, 64, 48), -EINVAL);
    g_assert_nonnull(strstr(t->last_why, "longer than the screen"));
    /* The larger screen may */
    good(t, 1, req_config(2, 0, 0, 64, 48));
    good(t, 1, req_off());
    good(t, 0, req_destroy(1));
    g_free(refs);
}

/* Two cookies that hash alike are an accident, whoever chose them */
static void test_cookie_hash(void)
{
    static const uint64_t inverse = 0xf1de83e19937733dull;
    g_autoptr(GHashTable) upper = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) guess = g_hash_table_new(NULL, NULL);
    uint64_t i, cookie;

    g_assert_cmpuint(inverse * 0x9e3779b97f4a7c15ull, ==, 1);
    for (i = 0; i < 10000; i++) {
        cookie = i << 32 | 0x1234;
        g_hash_table_add(upper, GUINT_TO_POINTER(
                                    xen_displif_cookie_hash(&cookie)));
        /* All alike, were the factor what the sources say */
        cookie = i * inverse;
        g_hash_table_add(guess, GUINT_TO_POINTER(
                                    xen_displif_cookie_hash(&cookie)));
    }
    g_assert_cmpuint(g_hash_table_size(upper), >=, 9900);
    g_assert_cmpuint(g_hash_table_size(guess), >=, 9900);
}

static void test_data_ofs(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);

    good(t, 0, req_create(1, 64, 48, 32, 16384, dir, 4096));
    good(t, 0, req_attach(1, 2, 64, 48, XR24));
    good(t, 0, req_config(2, 3, 2, 64, 48));
    assert_shows(t, 0, 2, 4096 + 512 + 12, 256, 61, 46);
    good(t, 0, req_off());
    good(t, 0, req_destroy(1));

    /* The last page counts in full: buffer_sz does not include data_ofs */
    good(t, 0, req_create(1, 60, 60, 32, 14400, dir, 16384 - 14400));
    good(t, 0, req_destroy(1));
    refused(t, 0, req_create(1, 60, 60, 32, 14400, dir, 16385 - 14400),
            -EINVAL);

    /* Version 1 knows no such thing: it is what was left in the memory */
    xen_displif_set_version(t->disp, 1);
    good(t, 0, req_create(1, 64, 48, 32, 16384, dir, 4096));
    good(t, 0, req_attach(1, 2, 64, 48, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 48));
    assert_shows(t, 0, 2, 0, 256, 64, 48);
    good(t, 0, req_destroy(1));
    good(t, 0, req_create(1, 60, 60, 32, 14400, dir, UINT32_MAX));
    good(t, 0, req_destroy(1));
    xen_displif_set_version(t->disp, 2);
    refused(t, 0, req_create(1, 60, 60, 32, 14400, dir, UINT32_MAX), -EINVAL);
    xen_displif_set_version(t->disp, 0);
    refused(t, 0, req_create(1, 60, 60, 32, 14400, dir, UINT32_MAX), -EINVAL);
}

static void test_bad_attach(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));

    refused(t, 0, req_attach(1, 0, 64, 64, XR24), -EINVAL);
    refused(t, 0, req_attach(0, 3, 64, 64, XR24), -ENOENT);
    refused(t, 0, req_attach(2, 3, 64, 64, XR24), -ENOENT);
    refused(t, 0, req_attach(1, 2, 64, 64, XR24), -EEXIST);
    refused(t, 0, req_attach(1, 3, 64, 64, WHATEVER), -EINVAL);
    refused(t, 0, req_attach(1, 3, 64, 64, RG16), -EINVAL);
    refused(t, 0, req_attach(1, 3, 0, 64, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 3, 64, 0, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 3, 65, 64, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 3, 64, 65, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 3, UINT32_MAX, 64, XR24), -EINVAL);
    refused(t, 0, req_attach(1, 3, 64, UINT32_MAX, XR24), -EINVAL);
    refused(t, 0, req_detach(3), -ENOENT);
    refused(t, 0, req_detach(0), -ENOENT);

    /* A narrower and lower one keeps the buffer's stride */
    good(t, 0, req_attach(1, 3, 10, 20, XR24));
    good(t, 0, req_config(3, 0, 0, 10, 20));
    assert_shows(t, 0, 3, 0, 256, 10, 20);

    good(t, 0, req_detach(2));
    refused(t, 0, req_detach(2), -ENOENT);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
}

/* A frontend destroys what it failed to create, even twice */
static void test_bad_destroy(Test *t, gconstpointer data)
{
    refused(t, 0, req_destroy(0), -ENOENT);
    refused(t, 0, req_destroy(1), -ENOENT);
    create(t, 1, 64, 64, 32);
    refused(t, 0, req_destroy(2), -ENOENT);
    good(t, 0, req_destroy(1));
    refused(t, 0, req_destroy(1), -ENOENT);
    refused(t, 0, req_destroy(1), -ENOENT);
}

static void test_config(Test *t, gconstpointer data)
{
    create(t, 1, 200, 100, 32);
    good(t, 0, req_attach(1, 2, 200, 100, XR24));
    create(t, 3, 32, 32, 32);
    good(t, 0, req_attach(3, 4, 32, 32, XR24));

    refused(t, 0, req_config(3, 0, 0, 200, 100), -ENOENT);
    refused(t, 0, req_config(2, 200, 0, 200, 100), -EINVAL);
    refused(t, 0, req_config(2, 0, 100, 200, 100), -EINVAL);
    refused(t, 0, req_config(2, UINT32_MAX, UINT32_MAX, 1, 1), -EINVAL);
    g_assert_false(t->screen[0].on);

    /* A framebuffer beyond the connector, at any origin */
    good(t, 0, req_config(2, 0, 0, 200, 100));
    assert_shows(t, 0, 2, 0, 800, 64, 48);
    good(t, 0, req_config(2, 100, 50, 200, 100));
    assert_shows(t, 0, 2, 50 * 800 + 400, 800, 64, 48);
    good(t, 0, req_config(2, 199, 99, 200, 100));
    assert_shows(t, 0, 2, 99 * 800 + 796, 800, 1, 1);
    /* One below it; and sizes that make no sense do not matter */
    good(t, 0, req_config(4, 0, 0, 0, UINT32_MAX));
    assert_shows(t, 0, 4, 0, 128, 32, 32);

    /* Refused, while one is shown: it goes on */
    refused(t, 0, req_config(2, 200, 0, 200, 100), -EINVAL);
    assert_shows(t, 0, 4, 0, 128, 32, 32);

    /* A flip keeps the origin, also after one that failed */
    good(t, 0, req_config(2, 100, 50, 200, 100));
    refused(t, 0, req_config(2, 200, 0, 200, 100), -EINVAL);
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 50 * 800 + 400, 800, 64, 48);
    good(t, 0, req_off());
    g_assert_false(t->screen[0].on);
    good(t, 0, req_config(4, 0, 0, 32, 32));
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 0, 800, 64, 48);
}

/*
 * Linux flips to a framebuffer that is to be shown from its own origin, and
 * does not say which that is.  The screen has 64x48 pixels.
 */
static void test_stale_origin(Test *t, gconstpointer data)
{
    create(t, 1, 200, 100, 32);
    good(t, 0, req_attach(1, 2, 200, 100, XR24));
    create(t, 3, 64, 48, 32);
    good(t, 0, req_attach(3, 4, 64, 48, XR24));
    create(t, 5, 32, 32, 32);
    good(t, 0, req_attach(5, 6, 32, 32, XR24));
    create(t, 7, 100, 52, 32);
    good(t, 0, req_attach(7, 8, 100, 52, XR24));

    /* The origin is beyond the framebuffer, and holds on for the other */
    good(t, 0, req_config(2, 100, 50, 200, 100));
    good(t, 0, req_flip(4));
    assert_shows(t, 0, 4, 0, 256, 64, 48);
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 50 * 800 + 400, 800, 64, 48);
    good(t, 0, req_flip(4));
    assert_shows(t, 0, 4, 0, 256, 64, 48);
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 50 * 800 + 400, 800, 64, 48);
    /* In one direction only */
    good(t, 0, req_config(2, 136, 0, 200, 100));
    good(t, 0, req_flip(4));
    assert_shows(t, 0, 4, 0, 256, 64, 48);
    good(t, 0, req_config(2, 0, 52, 200, 100));
    good(t, 0, req_flip(4));
    assert_shows(t, 0, 4, 0, 256, 64, 48);

    /* It is inside, but what is left is less than the screen */
    good(t, 0, req_config(2, 1, 0, 200, 100));
    good(t, 0, req_flip(4));
    assert_shows(t, 0, 4, 0, 256, 64, 48);
    good(t, 0, req_config(2, 36, 5, 200, 100));
    good(t, 0, req_flip(8));
    assert_shows(t, 0, 8, 0, 400, 64, 48);
    /* ... and where it is not, it is meant */
    good(t, 0, req_config(2, 36, 4, 200, 100));
    good(t, 0, req_flip(8));
    assert_shows(t, 0, 8, 4 * 400 + 36 * 4, 400, 64, 48);
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 4 * 800 + 36 * 4, 800, 64, 48);

    /* One that is smaller than the screen shows nothing of that */
    good(t, 0, req_config(6, 8, 16, 32, 32));
    good(t, 0, req_flip(6));
    assert_shows(t, 0, 6, 16 * 128 + 32, 128, 24, 16);
    good(t, 0, req_config(2, 40, 0, 200, 100));
    good(t, 0, req_flip(6));
    assert_shows(t, 0, 6, 0, 128, 32, 32);

    /* What cannot be shown does not move the origin */
    good(t, 0, req_config(2, 100, 50, 200, 100));
    t->screen[0].refuse = -EIO;
    refused(t, 0, req_flip(4), -EIO);
    t->screen[0].refuse = 0;
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 50 * 800 + 400, 800, 64, 48);
}

/* DPMS: Linux flips on a connector that is off, and waits for the event */
static void test_flip_while_off(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));

    good(t, 0, req_flip(2));
    g_assert_false(t->screen[0].on);
    g_assert_cmpuint(t->screen[0].flipped, ==, 1);
    done(t, 0, 2);
    good(t, 0, req_config(2, 0, 0, 64, 64));
    g_assert_cmpuint(t->screen[0].shows, ==, 1);

    good(t, 0, req_off());
    good(t, 0, req_flip(2));
    g_assert_false(t->screen[0].on);
    done(t, 0, 2);
    good(t, 0, req_flip(2));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    g_assert_true(t->screen[0].on);
    done(t, 0, 2);
    assert_no_event(t, 0);

    refused(t, 0, req_flip(3), -ENOENT);
    refused(t, 0, req_flip(0), -ENOENT);
    good(t, 0, req_off());
    refused(t, 0, req_flip(3), -ENOENT);
    assert_no_event(t, 0);

    /* Off while a flip is pending: the event is owed all the same */
    good(t, 0, req_config(2, 0, 0, 64, 64));
    good(t, 0, req_flip(2));
    good(t, 0, req_off());
    good(t, 0, req_detach(2));
    good(t, 0, req_destroy(1));
    done(t, 0, 2);
}

static void test_flip_pending(Test *t, gconstpointer data)
{
    uint32_t i;

    create(t, 1, 64, 64, 32);
    for (i = 0; i < 3; i++) {
        good(t, 0, req_attach(1, 10 + i, 64, 64, XR24));
    }
    good(t, 0, req_config(10, 0, 0, 64, 64));

    /* Start in the middle of the queue */
    for (i = 0; i < 7; i++) {
        good(t, 0, req_flip(10));
        done(t, 0, 10);
    }
    for (i = 0; i < XEN_DISPLIF_MAX_PENDING_FLIPS; i++) {
        good(t, 0, req_flip(10 + i % 3));
        g_assert_cmpuint(xen_displif_flips_pending(t->disp, 0), ==, i + 1);
    }
    refused(t, 0, req_flip(10), -EBUSY);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 1), ==, 0);
    good(t, 0, req_destroy(1));
    for (i = 0; i < XEN_DISPLIF_MAX_PENDING_FLIPS; i++) {
        done(t, 0, 10 + i % 3);
    }
    assert_no_event(t, 0);
}

static void test_show_fails(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    create(t, 3, 64, 64, 32);
    good(t, 0, req_attach(3, 4, 64, 64, XR24));

    t->screen[0].refuse = -EIO;
    refused(t, 0, req_config(2, 0, 0, 64, 64), -EIO);
    /* Still off: a flip shows nothing, and so cannot fail */
    good(t, 0, req_flip(2));
    done(t, 0, 2);
    t->screen[0].refuse = 0;

    good(t, 0, req_config(2, 0, 0, 64, 64));
    t->screen[0].refuse = -ENOMEM;
    refused(t, 0, req_flip(4), -ENOMEM);
    refused(t, 0, req_off(), -ENOMEM);
    assert_no_event(t, 0);
    t->screen[0].refuse = 0;

    /* It goes on with the first buffer, and not with the second one */
    good(t, 0, req_destroy(3));
    g_assert_cmpuint(t->screen[0].keeps, ==, 0);
    good(t, 0, req_destroy(1));
    g_assert_cmpuint(t->screen[0].keeps, ==, 1);
}

static void test_operations(Test *t, gconstpointer data)
{
    struct xendispl_req req;
    uint32_t op, connector;

    for (op = 0; op < 256; op++) {
        if (op >= XENDISPL_OP_DBUF_CREATE && op <= XENDISPL_OP_PG_FLIP) {
            continue;
        }
        for (connector = 0; connector < CONNECTORS; connector++) {
            refused(t, connector, new_req(op), -EOPNOTSUPP);
        }
    }
    g_assert_cmpstr(t->last_why, ==, "unknown operation");

    /* What belongs to the device is for connector 0 */
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    refused(t, 1, req_create(3, 0, 0, 0, 4096, 9, 0), -EINVAL);
    refused(t, 1, req_attach(1, 3, 64, 64, XR24), -EINVAL);
    refused(t, 1, req_detach(2), -EINVAL);
    refused(t, 2, req_destroy(1), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "operation belongs on connector 0");

    /* Slots full of one byte, whatever it is */
    for (op = 0; op < 256; op++) {
        memset(&req, op, sizeof(req));
        g_assert_cmpint(call(t, op % CONNECTORS, req), <, 0);
    }
}

static void test_two_connectors(Test *t, gconstpointer data)
{
    create(t, 1, 200, 100, 32);
    good(t, 0, req_attach(1, 2, 200, 100, XR24));

    good(t, 0, req_config(2, 0, 0, 200, 100));
    good(t, 2, req_config(2, 100, 0, 200, 100));
    assert_shows(t, 0, 2, 0, 800, 64, 48);
    assert_shows(t, 2, 2, 400, 800, 100, 100);
    good(t, 2, req_flip(2));
    good(t, 0, req_flip(2));
    good(t, 2, req_flip(2));
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 0), ==, 1);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 1), ==, 0);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 2), ==, 2);
    done(t, 2, 2);
    done(t, 0, 2);
    done(t, 2, 2);
    assert_shows(t, 0, 2, 0, 800, 64, 48);
    assert_shows(t, 2, 2, 400, 800, 100, 100);
    good(t, 0, req_off());
    g_assert_true(t->screen[2].on);

    /* Connectors that do not exist */
    g_assert_cmpint(xen_displif_flip_done(t->disp, CONNECTORS), ==, -ENOENT);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, UINT32_MAX), ==, 0);
}

/* What the monitor asks for */

static void count_visit(const XenDisplifBufferInfo *info, void *opaque)
{
    XenDisplifBufferInfo *seen = opaque;

    seen[info->fb_cookie ? 1 : 0] = *info;
}

static void test_operation_names(void)
{
    static const char *const names[] = {
        [XENDISPL_OP_DBUF_CREATE]   = "DBUF_CREATE",
        [XENDISPL_OP_DBUF_DESTROY]  = "DBUF_DESTROY",
        [XENDISPL_OP_FB_ATTACH]     = "FB_ATTACH",
        [XENDISPL_OP_FB_DETACH]     = "FB_DETACH",
        [XENDISPL_OP_SET_CONFIG]    = "SET_CONFIG",
        [XENDISPL_OP_PG_FLIP]       = "PG_FLIP",
        [XENDISPL_OP_GET_EDID]      = "GET_EDID",
    };
    uint32_t op;

    for (op = 0; op < 256; op++) {
        g_assert_cmpstr(xen_displif_operation_name(op), ==,
                        op < G_N_ELEMENTS(names) ? names[op] : NULL);
    }
}

static void test_info(Test *t, gconstpointer data)
{
    XenDisplifConnectorInfo info;
    XenDisplifBufferInfo seen[2];
    uint32_t dir;

    dir = create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 60, 50, XR24));
    xen_displif_connector_info(t->disp, 1, &info);
    g_assert_true(info.connected);
    g_assert_false(info.broken);
    g_assert_false(info.enabled);
    g_assert_cmpuint(info.shown_dbuf, ==, 0);
    g_assert_cmpuint(info.width, ==, 1920);
    g_assert_cmpuint(info.height, ==, 1080);

    good(t, 1, req_config(2, 7, 9, 60, 50));
    good(t, 1, req_flip(2));
    xen_displif_connector_info(t->disp, 1, &info);
    g_assert_true(info.enabled);
    g_assert_cmpuint(info.x, ==, 7);
    g_assert_cmpuint(info.y, ==, 9);
    g_assert_cmpuint(info.shown_dbuf, ==, 1);
    g_assert_cmpuint(info.flips_pending, ==, 1);
    g_assert_cmpuint(info.events, ==, 0);
    done(t, 1, 2);
    xen_displif_connector_info(t->disp, 1, &info);
    g_assert_cmpuint(info.flips_pending, ==, 0);
    g_assert_cmpuint(info.events, ==, 1);

    xen_displif_visit(t->disp, count_visit, seen);
    g_assert_cmpuint(seen[0].dbuf_cookie, ==, 1);
    g_assert_cmpuint(seen[0].fb_cookie, ==, 0);
    g_assert_cmpuint(seen[0].width, ==, 64);
    g_assert_cmpuint(seen[0].height, ==, 64);
    g_assert_cmpuint(seen[0].stride, ==, 256);
    g_assert_cmpuint(seen[0].size, ==, 16384);
    g_assert_cmpuint(seen[0].directory, ==, dir);
    g_assert_cmpuint(seen[0].format, ==, 0);
    g_assert_cmpuint(seen[1].dbuf_cookie, ==, 1);
    g_assert_cmpuint(seen[1].fb_cookie, ==, 2);
    g_assert_cmpuint(seen[1].width, ==, 60);
    g_assert_cmpuint(seen[1].height, ==, 50);
    g_assert_cmpuint(seen[1].stride, ==, 256);
    g_assert_cmpuint(seen[1].size, ==, 16384);
    g_assert_cmpuint(seen[1].format, ==, XR24);
}

/* A connector that is not there has nothing, and nothing happens to it */
static void test_no_connector(Test *t, gconstpointer data)
{
    XenDisplifConnectorInfo info;
    bool more = true;

    xen_displif_attach(t->disp, CONNECTORS, t->front[0].sring,
                       t->front[0].evt);
    send_req(t, 0, req_off());
    g_assert_cmpint(xen_displif_process(t->disp, CONNECTORS, &more), ==, 0);
    g_assert_false(more);
    g_assert_cmpuint(t->answers, ==, 0);
    g_assert_cmpint(xen_displif_flip_done(t->disp, CONNECTORS), ==, -ENOENT);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, CONNECTORS), ==, 0);
    memset(&info, 0xa5, sizeof(info));
    xen_displif_connector_info(t->disp, CONNECTORS, &info);
    g_assert_false(info.connected);
    g_assert_cmpuint(info.width, ==, 0);
}

/* An owner that has had enough gets the rest of the requests later */
static bool always_enough(void *opaque)
{
    return true;
}

static void test_enough(Test *t, gconstpointer data)
{
    XenDisplifOps ops = rec_ops;
    bool more;
    int i;

    ops.requests.enough = always_enough;
    xen_displif_free(t->disp);
    t->disp = xen_displif_new(&ops, t, t->mapper, &usual_limits);
    g_assert_cmpuint(xen_displif_add_connector(t->disp, 64, 48), ==, 0);
    front_attach(t, 0, 0);
    for (i = 0; i < 3; i++) {
        send_req(t, 0, req_off());
    }
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 1);
        g_assert_true(more == (i < 2));
    }
    g_assert_cmpuint(t->answers, ==, 3);
    xen_displif_free(g_steal_pointer(&t->disp));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("life", test_life);
    ADD("create/bad", test_bad_create);
    ADD("create/size-matrix", test_size_matrix);
    ADD("create/stride", test_stride);
    ADD("create/data-ofs", test_data_ofs);
    ADD("flip/stale-origin", test_stale_origin);
    ADD("import/stride", test_import);
    ADD("import/bounds", test_import_bounds);
    ADD("import/uncertain", test_import_uncertain);
    ADD("rows", test_rows);
    g_test_add_func("/xen/displif/cookie-hash", test_cookie_hash);
    ADD("attach/bad", test_bad_attach);
    ADD("destroy/bad", test_bad_destroy);
    ADD("config", test_config);
    ADD("flip/while-off", test_flip_while_off);
    ADD("flip/pending", test_flip_pending);
    ADD("show-fails", test_show_fails);
    ADD("operations", test_operations);
    g_test_add_func("/xen/displif/operation-names", test_operation_names);
    ADD("info", test_info);
    ADD("no-connector", test_no_connector);
    ADD("enough", test_enough);
    ADD("two-connectors", test_two_connectors);
    return g_test_run();
}
