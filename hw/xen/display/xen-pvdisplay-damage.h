/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a PV display's picture has changed since viewers were told of it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_DAMAGE_H
#define HW_XEN_XEN_PVDISPLAY_DAMAGE_H

#include <pixman.h>

#include "hw/xen/xen-displif.h"

/* Rectangles of a scan; of SDL, each costs a new picture of the window */
#define XEN_PV_DAMAGE_RECTS 8

/* Tiles: bytes of a row at most, and rows */
#define XEN_PV_DAMAGE_TILE_BYTES 128
#define XEN_PV_DAMAGE_TILE_ROWS 32

/* Of a picture that rests, one row in so many is read each so many ms */
#define XEN_PV_DAMAGE_PHASES 16
#define XEN_PV_DAMAGE_INTERVAL 40

/* The same once it has rested for some time, in ms: nobody is at work there */
#define XEN_PV_DAMAGE_SLEEP 2000
#define XEN_PV_DAMAGE_SLEEP_INTERVAL 100

/* Scans without a change after which it rests */
#define XEN_PV_DAMAGE_QUIET 4

/* Scans with nearly all changed after which scans pause, and for how many */
#define XEN_PV_DAMAGE_BUSY 4
#define XEN_PV_DAMAGE_PAUSE 12

/**
 * struct XenPvDamage - what is known of a picture; all 0 at first
 *
 * @sums: for each row of tiles, each of its phases, each tile: a hash of those
 *     rows of the tile
 * @scratch: the same for one row of tiles, as they are read
 * @told: for each tile, whether it has changed: TOLD_NOW, TOLD_BEFORE
 * @size: of the arrays, in tiles
 * @columns, @rows: tiles of the picture
 * @width, @height, @format: of the picture
 * @known: whether @sums are those of the picture that viewers were told of
 * @quiet: scans without a change, up to XEN_PV_DAMAGE_QUIET
 * @busy: scans with nearly all changed, one after the other
 * @phase: which rows of a picture that rests are next
 * @due: when they are
 * @since: the last scan at which it did not rest yet
 * @bytes_read: bytes of pixels that were read
 */
typedef struct XenPvDamage {
    uint64_t *sums;
    uint64_t *scratch;
    uint8_t *told;
    uint32_t size;
    uint32_t columns;
    uint32_t rows;
    uint32_t width;
    uint32_t height;
    uint32_t format;
    bool known;
    uint32_t quiet;
    uint32_t busy;
    uint32_t phase;
    int64_t due;
    int64_t since;
    uint64_t bytes_read;
} XenPvDamage;

/**
 * xen_pv_damage_scan: find what has changed since the last scan
 * @damage: what is known of the picture
 * @scanout: how its pixels lie; checked
 * @data: the first of them
 * @now: the time, in ms
 * @whole: whether a change in any row has to be found now, also in a picture
 *     that rests
 * @rects: where to store where there are changes, at least
 *     XEN_PV_DAMAGE_RECTS
 *
 * Reads each pixel at most once, and keeps a hash of each tile.  What has
 * changed is told twice, in this scan and the next: a viewer that reads later
 * than the scan may have seen what was there for an instant only, and the
 * hashes would not tell.
 *
 * A guest that writes meanwhile, or that finds pictures with equal hashes,
 * spoils its own picture only.
 *
 * Returns: the number of rectangles; 0 if nothing has changed.
 */
uint32_t xen_pv_damage_scan(XenPvDamage *damage,
                            const XenDisplifScanout *scanout,
                            const uint8_t *data, int64_t now, bool whole,
                            pixman_box32_t *rects);

/**
 * xen_pv_damage_wake: take a picture for one that does not rest
 * @damage: what is known of the picture
 */
void xen_pv_damage_wake(XenPvDamage *damage);

/**
 * xen_pv_damage_forget: let the next scan find that all has changed
 * @damage: what is known of the picture
 */
void xen_pv_damage_forget(XenPvDamage *damage);

/**
 * xen_pv_damage_clear: let go of memory, and forget
 * @damage: what is known of the picture
 */
void xen_pv_damage_clear(XenPvDamage *damage);

#endif /* HW_XEN_XEN_PVDISPLAY_DAMAGE_H */
