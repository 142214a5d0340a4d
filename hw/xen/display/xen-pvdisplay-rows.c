/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of pixels of a PV display, as x8r8g8b8.
 *
 * pixman goes through a general path for these formats, pixel by pixel.  Here
 * are plain loops that a compiler makes vectors of, because they are of blocks
 * of a constant length: at -O2, GCC takes no others.  Each loop is compiled
 * twice on x86-64, where vectors of 32 bytes cannot be taken for granted.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-rows.h"

/* Pixels, a multiple of what any vector has */
#define BLOCK 32

#define OPAQUE 0xff000000u

/* ------------------------------------------------------- red, green, blue */

/* Where a channel is in a little-endian word, and how many bits it has */
typedef struct Channel {
    unsigned int shift;
    unsigned int bits;
} Channel;

/* @fill: what has no meaning in the result, as pixman leaves it there */
typedef struct Layout {
    unsigned int cpp;
    uint32_t fill;
    Channel red, green, blue;
} Layout;

static inline QEMU_ALWAYS_INLINE
uint32_t load_word(const uint8_t *from, unsigned int cpp, size_t i)
{
    uint32_t word;
    uint16_t half;

    if (cpp == sizeof(half)) {
        memcpy(&half, from + i * sizeof(half), sizeof(half));
        return half;
    }
    memcpy(&word, from + i * sizeof(word), sizeof(word));
    return word;
}

/* Fewer bits than 8 are repeated below, as all ones have to be all ones */
static inline QEMU_ALWAYS_INLINE
uint32_t to_byte(uint32_t word, Channel c)
{
    uint32_t value = word >> c.shift & ((1u << c.bits) - 1);

    switch (c.bits) {
    case 4:
        return value << 4 | value;
    case 5:
        return value << 3 | value >> 2;
    case 6:
        return value << 2 | value >> 4;
    case 10:
        return value >> 2;
    default:
        return value;
    }
}

static inline QEMU_ALWAYS_INLINE
uint32_t to_rgb(const uint8_t *from, size_t i, Layout l)
{
    uint32_t word = load_word(from, l.cpp, i);

    return l.fill | to_byte(word, l.red) << 16 | to_byte(word, l.green) << 8 |
           to_byte(word, l.blue);
}

static inline QEMU_ALWAYS_INLINE
void rgb_row(const uint8_t *restrict from, uint32_t *restrict to, size_t n,
             Layout l)
{
    size_t i;

    for (; n >= BLOCK; n -= BLOCK) {
        for (i = 0; i < BLOCK; i++) {
            to[i] = to_rgb(from, i, l);
        }
        from += (size_t)BLOCK * l.cpp;
        to += BLOCK;
    }
    for (i = 0; i < n; i++) {
        to[i] = to_rgb(from, i, l);
    }
}

/* ------------------------------------------------------------------- YUYV */

static inline QEMU_ALWAYS_INLINE
uint32_t clamp_byte(int32_t value)
{
    return MIN(MAX(value, 0), 255);
}

/* Of 65536ths */
static inline QEMU_ALWAYS_INLINE
uint32_t join(int32_t red, int32_t green, int32_t blue)
{
    return OPAQUE | clamp_byte(red >> 16) << 16 |
           clamp_byte(green >> 16) << 8 | clamp_byte(blue >> 16);
}

/* BT.601 with head and foot room, by the factors that pixman has */
static inline QEMU_ALWAYS_INLINE
void yuyv_pair(const uint8_t *from, uint32_t *to)
{
    int32_t first, second, u, v, red, green, blue;
    uint32_t word;

    memcpy(&word, from, sizeof(word));
    first = 0x012b27 * ((int32_t)(word & 0xff) - 16);
    u = (int32_t)(word >> 8 & 0xff) - 128;
    second = 0x012b27 * ((int32_t)(word >> 16 & 0xff) - 16);
    v = (int32_t)(word >> 24) - 128;
    red = 0x019a2e * v;
    green = -0x00d0f2 * v - 0x00647e * u;
    blue = 0x0206a2 * u;
    to[0] = join(first + red, first + green, first + blue);
    to[1] = join(second + red, second + green, second + blue);
}

static inline QEMU_ALWAYS_INLINE
void yuyv_row(const uint8_t *restrict from, uint32_t *restrict to, size_t n)
{
    size_t i;

    for (; n >= BLOCK; n -= BLOCK) {
        for (i = 0; i < BLOCK; i += 2) {
            yuyv_pair(from + 2 * i, to + i);
        }
        from += (size_t)2 * BLOCK;
        to += BLOCK;
    }
    for (i = 0; i < n; i += 2) {
        yuyv_pair(from + 2 * i, to + i);
    }
}

/* ------------------------------------------------------------- the loops */

#define RGB_ROW(...) rgb_row(from, to, n, (Layout){ __VA_ARGS__ })

/* X(pixman's name, what is done with a row) */
#define ROWS(X) \
    X(r5g6b5, RGB_ROW(2, OPAQUE, { 11, 5 }, { 5, 6 }, { 0, 5 })) \
    X(b5g6r5, RGB_ROW(2, OPAQUE, { 0, 5 }, { 5, 6 }, { 11, 5 })) \
    X(x1r5g5b5, RGB_ROW(2, OPAQUE, { 10, 5 }, { 5, 5 }, { 0, 5 })) \
    X(x1b5g5r5, RGB_ROW(2, OPAQUE, { 0, 5 }, { 5, 5 }, { 10, 5 })) \
    X(x4r4g4b4, RGB_ROW(2, OPAQUE, { 8, 4 }, { 4, 4 }, { 0, 4 })) \
    X(x4b4g4r4, RGB_ROW(2, OPAQUE, { 0, 4 }, { 4, 4 }, { 8, 4 })) \
    X(x8b8g8r8, RGB_ROW(4, OPAQUE, { 0, 8 }, { 8, 8 }, { 16, 8 })) \
    X(r8g8b8x8, RGB_ROW(4, OPAQUE, { 24, 8 }, { 16, 8 }, { 8, 8 })) \
    X(b8g8r8x8, RGB_ROW(4, OPAQUE, { 8, 8 }, { 16, 8 }, { 24, 8 })) \
    X(x2r10g10b10, RGB_ROW(4, 0, { 20, 10 }, { 10, 10 }, { 0, 10 })) \
    X(x2b10g10r10, RGB_ROW(4, 0, { 0, 10 }, { 10, 10 }, { 20, 10 })) \
    X(yuy2, yuyv_row(from, to, n))

#define PLAIN_ROW(name, loop) \
    static void name##_row(const uint8_t *from, uint32_t *to, size_t n) \
    { \
        loop; \
    }
ROWS(PLAIN_ROW)

#ifdef XEN_PVDISPLAY_WIDE_ROWS
#define WIDE_ROW(name, loop) \
    __attribute__((target("avx2"))) \
    static void name##_wide_row(const uint8_t *from, uint32_t *to, size_t n) \
    { \
        loop; \
    }
ROWS(WIDE_ROW)
#define WIDE(name) name##_wide_row
#else
#define WIDE(name) name##_row
#endif

#define ROW_FNS(name, loop) { PIXMAN_##name, { name##_row, WIDE(name) } },
static const struct {
    pixman_format_code_t format;
    XenPvRowFn *fns[2];
} rows[] = { ROWS(ROW_FNS) };

bool xen_pvdisplay_has_wide_rows(void)
{
#ifdef XEN_PVDISPLAY_WIDE_ROWS
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

XenPvRowFn *xen_pvdisplay_row_fn(pixman_format_code_t format, bool wide)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].format == format) {
            return rows[i].fns[wide];
        }
    }

    return NULL;
}
