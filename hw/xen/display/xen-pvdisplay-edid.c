/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EDID of a PV display's connector.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/display/edid.h"
#include "qemu/bswap.h"
#include "xen-pvdisplay-edid.h"

/* A base block, timings of consumer screens, timings of large ones */
#define XEN_PVDISPLAY_EDID_SIZE 384

/* Of a text in a descriptor */
#define XEN_PVDISPLAY_EDID_TEXT 12

/* Of a block, of a descriptor, and where the descriptors of the first are */
#define BLOCK_SIZE ((size_t)128)
#define DESC_SIZE ((size_t)18)
#define DESC_FIRST 54
#define DESC_COUNT 4

/* Descriptors: "Display Range Limits" and "Dummy" */
#define DESC_RANGES 0xfd
#define DESC_DUMMY 0x10

/* What is added to a byte of the range limits, and the flags that say so */
#define RANGE_OFFSET 255
#define RANGE_V_MAX_OFFSET 0x02
#define RANGE_H_MAX_OFFSET 0x08

/* A pixel clock: units of 10 kHz in timings, of 10 MHz in the range limits */
#define CLOCK_HZ 10000
#define RANGE_CLOCKS 1000

/* The toolstack's name, or the guest's, is any text; a monitor's is ASCII */
static void xen_pvdisplay_edid_name(char *name, const char *id)
{
    size_t i;

    for (i = 0; id && id[i] && i < XEN_PVDISPLAY_EDID_TEXT; i++) {
        name[i] = g_ascii_isprint(id[i]) ? id[i] : '?';
    }
    name[i] = '\0';
}

/* The preferred timing: its clock in units of CLOCK_HZ, pixels and rows */
typedef struct Timing {
    uint64_t clock;
    uint32_t pixels;
    uint32_t rows;
} Timing;

/* It is a descriptor of the first block, or DisplayID's of the third one */
static void read_timing(const uint8_t *edid, Timing *timing)
{
    const uint8_t *d = edid + DESC_FIRST;

    if (lduw_le_p(d)) {
        timing->clock = lduw_le_p(d);
        timing->pixels = (d[2] | (d[4] & 0xf0) << 4) +
                         (d[3] | (d[4] & 0x0f) << 8);
        timing->rows = (d[5] | (d[7] & 0xf0) << 4) +
                       (d[6] | (d[7] & 0x0f) << 8);
        return;
    }
    d = edid + 2 * BLOCK_SIZE + 8;
    timing->clock = d[0] | d[1] << 8 | d[2] << 16;
    timing->pixels = lduw_le_p(d + 4) + 1 + lduw_le_p(d + 6) + 1;
    timing->rows = lduw_le_p(d + 12) + 1 + lduw_le_p(d + 14) + 1;
}

/* Widen the bounds of two bytes; false if they are too narrow for it */
static bool widen(uint8_t *bounds, uint64_t from, uint64_t to, uint8_t *flags,
                  uint8_t offset)
{
    if (!from || to > UINT8_MAX + RANGE_OFFSET) {
        return false;
    }
    bounds[0] = MIN(bounds[0], from);
    if (to > UINT8_MAX) {
        bounds[1] = to - RANGE_OFFSET;
        *flags |= offset;
    } else {
        bounds[1] = MAX(bounds[1], to);
    }

    return true;
}

/*
 * QEMU's generator gives each monitor the same range limits, 50 to 125 Hz and
 * 30 to 160 kHz, whatever its preferred timing is.
 */
static bool widen_ranges(uint8_t *desc, const Timing *t)
{
    uint64_t hz = t->clock * CLOCK_HZ;
    uint64_t frame = (uint64_t)t->pixels * t->rows;
    uint64_t line = (uint64_t)t->pixels * 1000;

    if (!frame || t->clock > UINT8_MAX * RANGE_CLOCKS) {
        return false;
    }

    return widen(desc + 5, hz / frame, DIV_ROUND_UP(hz, frame), &desc[4],
                 RANGE_V_MAX_OFFSET) &&
           widen(desc + 7, hz / line, DIV_ROUND_UP(hz, line), &desc[4],
                 RANGE_H_MAX_OFFSET);
}

/* A monitor that cannot say its limits says none */
static void fix_ranges(uint8_t *edid)
{
    uint8_t sum = 0;
    Timing timing;
    size_t i;

    read_timing(edid, &timing);
    for (i = 0; i < DESC_COUNT; i++) {
        uint8_t *desc = edid + DESC_FIRST + i * DESC_SIZE;

        if (!lduw_le_p(desc) && desc[3] == DESC_RANGES &&
            !widen_ranges(desc, &timing)) {
            memset(desc, 0, DESC_SIZE);
            desc[3] = DESC_DUMMY;
        }
    }
    for (i = 0; i < BLOCK_SIZE - 1; i++) {
        sum += edid[i];
    }
    edid[BLOCK_SIZE - 1] = -sum;
}

int xen_pvdisplay_edid(uint8_t *buf, size_t size, const XenPvMode *mode,
                       uint32_t refresh_rate, uint32_t serial)
{
    char name[XEN_PVDISPLAY_EDID_TEXT + 1];
    g_autofree char *number = g_strdup_printf("%" PRIu32, serial);
    qemu_edid_info info = {
        .serial = number,
        .prefx = mode->width,
        .prefy = mode->height,
        .maxx = mode->width,
        .maxy = mode->height,
        .refresh_rate = refresh_rate,
    };

    if (size < XEN_PVDISPLAY_EDID_SIZE) {
        return -ENOSPC;
    }
    xen_pvdisplay_edid_name(name, mode->id);
    if (*name) {
        info.name = name;
    }
    qemu_edid_generate(buf, XEN_PVDISPLAY_EDID_SIZE, &info);
    fix_ranges(buf);

    return qemu_edid_size(buf);
}
