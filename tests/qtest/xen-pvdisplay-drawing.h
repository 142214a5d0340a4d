/*
 * Pictures in all pixel formats of a PV display, for its QTests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PVDISPLAY_DRAWING_H
#define TESTS_QTEST_XEN_PVDISPLAY_DRAWING_H

#include "xen-pvdisplay-qtest.h"

#define FORMAT_WIDTH    67
#define FORMAT_HEIGHT   45
#define FORMAT_CARD     "-device xen-pvdisplay,id=disp0,connectors=67x45 "

typedef struct Channel {
    uint8_t shift;
    uint8_t bits;
} Channel;

/* Little-endian words, as the names are to be read; YUYV has no channels */
typedef struct Format {
    char name[5];
    uint8_t bpp;
    Channel r, g, b;
} Format;

extern const Format formats[];
extern const int nr_formats;

/* The format of that name, which has to exist */
const Format *get_format(const char *name);

bool is_yuyv(const Format *format);

/* As DRM, and the protocol, name it */
uint32_t fourcc(const Format *format);

/* A picture, and where it lies in a buffer */
typedef struct Drawing {
    XenFrontPgdir *pgdir;
    const Format *format;
    uint32_t offset;
    uint32_t stride;
    uint32_t width;
    uint32_t height;
    uint32_t seed;
} Drawing;

/* Draw it into its pages */
void draw(const Drawing *d);

/* What a viewer is to see of a pixel, 0xRRGGBB, in its format's precision */
uint32_t expected(const Drawing *d, uint32_t x, uint32_t y);

/* Whether no channel of two colours differs by more than @tolerance */
bool is_near(uint32_t a, uint32_t b, int tolerance);

/* The screen shows the drawing from @x0, @y0 on */
void check_drawing(XenPvTest *t, const char *device, int head,
                   const Drawing *d, uint32_t width, uint32_t height,
                   uint32_t x0, uint32_t y0);

/*
 * Make a drawing of 64x45 in a buffer and a framebuffer of its own.  Both are
 * named @fb: their names do not get into each other's way.
 */
void new_drawing(XenPvTest *t, Drawing *d, const Format *format, uint64_t fb,
                 uint32_t seed);

/* Nothing of it may be in use */
void end_drawing(XenPvTest *t, Drawing *d, uint64_t fb);

#endif /* TESTS_QTEST_XEN_PVDISPLAY_DRAWING_H */
