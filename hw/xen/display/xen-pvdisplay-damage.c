/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a PV display's picture has changed since viewers were told of it.
 *
 * The protocol does not tell what a guest draws.  Of each tile of the picture
 * there are hashes, by XXH3 of libxxhash.  Without that library, or the memory
 * for the hashes, each scan finds that all has changed.
 *
 * A tile's rows are hashed in XEN_PV_DAMAGE_PHASES groups, the first row with
 * the 17th, and so on.  That is for pictures that rest: of these one group is
 * read every XEN_PV_DAMAGE_INTERVAL ms, another one each time.  Of what is as
 * high as there are groups each has a row, so the next scan finds it all the
 * same; half as high, as most characters are, the next two do; a thin line may
 * take two thirds of a second.  After XEN_PV_DAMAGE_SLEEP ms all that is done
 * every XEN_PV_DAMAGE_SLEEP_INTERVAL ms.  The scan that finds something reads
 * the rest, too, and the scans after it read all.
 *
 * Where nearly all changes all the time, as a film does, hashes tell nothing:
 * for some scans nothing is read, and all is told.
 *
 * Nothing of QEMU is needed here, so that it can be tested and measured alone.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvdisplay-damage.h"
#include "xen-pvdisplay-hash.h"

#define ALL_PHASES ((1u << XEN_PV_DAMAGE_PHASES) - 1)

#define TOLD_NOW 1
#define TOLD_BEFORE 2

static uint32_t tell_all(const XenDisplifScanout *scanout,
                         pixman_box32_t *rects)
{
    rects[0] = (pixman_box32_t){ 0, 0, scanout->width, scanout->height };

    return 1;
}

/* ------------------------------------------------------------- rectangles */

static int64_t area(const pixman_box32_t *r)
{
    return (int64_t)(r->x2 - r->x1) * (r->y2 - r->y1);
}

static pixman_box32_t around(const pixman_box32_t *a, const pixman_box32_t *b)
{
    return (pixman_box32_t){
        .x1 = MIN(a->x1, b->x1),
        .y1 = MIN(a->y1, b->y1),
        .x2 = MAX(a->x2, b->x2),
        .y2 = MAX(a->y2, b->y2),
    };
}

/* Make one of those two that are nearest */
static void merge_two(pixman_box32_t *rects, uint32_t count)
{
    int64_t least = INT64_MAX;
    uint32_t i, j, a = 0, b = 1;

    for (i = 0; i < count; i++) {
        for (j = i + 1; j < count; j++) {
            pixman_box32_t both = around(&rects[i], &rects[j]);
            int64_t more = area(&both) - area(&rects[i]) - area(&rects[j]);

            if (more < least) {
                least = more;
                a = i;
                b = j;
            }
        }
    }
    rects[a] = around(&rects[a], &rects[b]);
    rects[b] = rects[count - 1];
}

/* @rects has room for one more than XEN_PV_DAMAGE_RECTS */
static void add_rect(pixman_box32_t *rects, uint32_t *count,
                     const pixman_box32_t *r)
{
    uint32_t i;

    for (i = 0; i < *count; i++) {
        if (rects[i].x1 == r->x1 && rects[i].x2 == r->x2 &&
            rects[i].y2 == r->y1) {
            rects[i].y2 = r->y2;
            return;
        }
    }
    rects[(*count)++] = *r;
    if (*count > XEN_PV_DAMAGE_RECTS) {
        merge_two(rects, (*count)--);
    }
}

/* The next run of tiles from @x on */
static uint32_t find_run(const uint8_t *told, uint32_t columns, uint32_t x,
                         uint32_t *end)
{
    while (x < columns && !told[x]) {
        x++;
    }
    *end = x;
    while (*end < columns && told[*end]) {
        ++*end;
    }

    return x;
}

/* In tiles; bounded, also if each second tile has changed */
static void add_row(const XenPvDamage *d, uint32_t row, pixman_box32_t *rects,
                    uint32_t *count)
{
    const uint8_t *told = d->told + (size_t)row * d->columns;
    pixman_box32_t runs[XEN_PV_DAMAGE_RECTS];
    uint32_t n = 0, x = 0, end, i;

    while ((x = find_run(told, d->columns, x, &end)) < d->columns) {
        if (n < ARRAY_SIZE(runs)) {
            runs[n++] = (pixman_box32_t){ x, row, end, row + 1 };
        } else {
            runs[n - 1].x2 = end;
        }
        x = end;
    }
    for (i = 0; i < n; i++) {
        add_rect(rects, count, &runs[i]);
    }
}

static uint32_t tile_width(const XenDisplifScanout *scanout)
{
    return XEN_PV_DAMAGE_TILE_BYTES / scanout->cpp & ~7u;
}

static uint32_t make_rects(const XenPvDamage *d,
                           const XenDisplifScanout *scanout,
                           pixman_box32_t *rects)
{
    pixman_box32_t found[XEN_PV_DAMAGE_RECTS + 1];
    uint32_t count = 0, width = tile_width(scanout), i;

    for (i = 0; i < d->rows; i++) {
        add_row(d, i, found, &count);
    }
    for (i = 0; i < count; i++) {
        rects[i] = (pixman_box32_t){
            .x1 = found[i].x1 * width,
            .y1 = found[i].y1 * XEN_PV_DAMAGE_TILE_ROWS,
            .x2 = MIN(found[i].x2 * width, scanout->width),
            .y2 = MIN(found[i].y2 * XEN_PV_DAMAGE_TILE_ROWS, scanout->height),
        };
    }

    return count;
}

/* ----------------------------------------------------------------- hashes */

/* As the rows lie in memory, which is faster than tile by tile */
static void read_row(XenPvDamage *d, const XenDisplifScanout *scanout,
                     const uint8_t *data, uint32_t row, uint32_t phases)
{
    uint32_t y = row * XEN_PV_DAMAGE_TILE_ROWS;
    uint32_t end = MIN(y + XEN_PV_DAMAGE_TILE_ROWS, scanout->height);
    size_t length = (size_t)scanout->width * scanout->cpp;
    size_t step = (size_t)tile_width(scanout) * scanout->cpp;
    uint32_t phase;

    for (phase = 0; phase < XEN_PV_DAMAGE_PHASES; phase++) {
        if (phases & 1u << phase) {
            memset(d->scratch + (size_t)phase * d->columns, 0,
                   sizeof(*d->scratch) * d->columns);
        }
    }
    for (; y < end; y++) {
        const uint8_t *from = data + (size_t)scanout->stride * y;

        phase = y % XEN_PV_DAMAGE_PHASES;
        if (phases & 1u << phase) {
            xen_pvdisplay_hash_row(from, length, step,
                                   d->scratch + (size_t)phase * d->columns);
            d->bytes_read += length;
        }
    }
}

/* Keep what was read; mark what differs from what was kept */
static void compare_row(XenPvDamage *d, uint32_t row, uint32_t phases)
{
    uint8_t *told = d->told + (size_t)row * d->columns;
    uint32_t phase, x;

    for (phase = 0; phase < XEN_PV_DAMAGE_PHASES; phase++) {
        const uint64_t *now = d->scratch + (size_t)phase * d->columns;
        uint64_t *kept = d->sums + d->columns *
                         ((size_t)row * XEN_PV_DAMAGE_PHASES + phase);

        if (!(phases & 1u << phase)) {
            continue;
        }
        for (x = 0; x < d->columns; x++) {
            told[x] |= now[x] != kept[x] ? TOLD_NOW : 0;
        }
        memcpy(kept, now, sizeof(*kept) * d->columns);
    }
}

/* Returns: how many tiles have changed, also by what was read before */
static uint32_t read_picture(XenPvDamage *d, const XenDisplifScanout *scanout,
                             const uint8_t *data, uint32_t phases)
{
    uint32_t changed = 0, i;

    for (i = 0; i < d->rows; i++) {
        read_row(d, scanout, data, i, phases);
        compare_row(d, i, phases);
    }
    for (i = 0; i < d->rows * d->columns; i++) {
        changed += d->told[i] & TOLD_NOW;
    }

    return changed;
}

/* ------------------------------------------------------------------- face */

/* Have room for the hashes of a picture, and forget those of another one */
static bool prepare(XenPvDamage *d, const XenDisplifScanout *scanout)
{
    uint32_t columns = DIV_ROUND_UP(scanout->width, tile_width(scanout));
    uint32_t rows = DIV_ROUND_UP(scanout->height, XEN_PV_DAMAGE_TILE_ROWS);
    uint32_t size = columns * rows;

    if (d->width == scanout->width && d->height == scanout->height &&
        d->format == scanout->format && d->size) {
        return true;
    }
    xen_pv_damage_clear(d);
    d->sums = g_try_new0(uint64_t, (size_t)size * XEN_PV_DAMAGE_PHASES);
    d->scratch = g_try_new0(uint64_t, (size_t)columns * XEN_PV_DAMAGE_PHASES);
    d->told = g_try_new0(uint8_t, size);
    if (!d->sums || !d->scratch || !d->told) {
        xen_pv_damage_clear(d);
        return false;
    }
    d->size = size;
    d->columns = columns;
    d->rows = rows;
    d->width = scanout->width;
    d->height = scanout->height;
    d->format = scanout->format;

    return true;
}

/* What was found by the last scan is to be told once more */
static void age(XenPvDamage *d)
{
    uint32_t i;

    for (i = 0; i < d->size; i++) {
        d->told[i] = d->told[i] & TOLD_NOW ? TOLD_BEFORE : 0;
    }
}

static uint32_t learn(XenPvDamage *d, const XenDisplifScanout *scanout,
                      const uint8_t *data, pixman_box32_t *rects)
{
    read_picture(d, scanout, data, ALL_PHASES);
    memset(d->told, TOLD_NOW, d->size);
    d->known = true;
    d->quiet = 0;

    return tell_all(scanout, rects);
}

/*
 * As many groups of rows as are due, so that all of them are read in the same
 * time, however often the viewers ask; all others, too, if there is a change
 */
static uint32_t read_resting(XenPvDamage *d, const XenDisplifScanout *scanout,
                             const uint8_t *data, int64_t now)
{
    /* Each between those that were before it */
    static const uint8_t order[XEN_PV_DAMAGE_PHASES] = {
        0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15,
    };
    int64_t interval = now - d->since < XEN_PV_DAMAGE_SLEEP
                       ? XEN_PV_DAMAGE_INTERVAL : XEN_PV_DAMAGE_SLEEP_INTERVAL;
    uint32_t phases = 0, i;

    for (i = 0; i < XEN_PV_DAMAGE_PHASES && d->due <= now; i++) {
        phases |= 1u << order[d->phase++ % XEN_PV_DAMAGE_PHASES];
        d->due += interval;
    }
    d->due = MAX(d->due, now);
    if (!phases || !read_picture(d, scanout, data, phases)) {
        return 0;
    }

    return read_picture(d, scanout, data, ALL_PHASES & ~phases);
}

uint32_t xen_pv_damage_scan(XenPvDamage *d, const XenDisplifScanout *scanout,
                            const uint8_t *data, int64_t now, bool whole,
                            pixman_box32_t *rects)
{
    uint32_t changed;

    if (!xen_pvdisplay_has_hash() || !prepare(d, scanout)) {
        return tell_all(scanout, rects);
    }
    if (d->busy >= XEN_PV_DAMAGE_BUSY) {
        d->known = false;
        if (d->busy++ < XEN_PV_DAMAGE_BUSY + XEN_PV_DAMAGE_PAUSE) {
            return tell_all(scanout, rects);
        }
        /* One scan to learn, and one that may start another pause */
        d->busy = XEN_PV_DAMAGE_BUSY - 1;
    }
    if (!d->known) {
        return learn(d, scanout, data, rects);
    }

    age(d);
    if (d->quiet < XEN_PV_DAMAGE_QUIET) {
        d->since = now;
    }
    if (d->quiet < XEN_PV_DAMAGE_QUIET || whole) {
        changed = read_picture(d, scanout, data, ALL_PHASES);
        d->due = now + XEN_PV_DAMAGE_INTERVAL;
    } else {
        changed = read_resting(d, scanout, data, now);
    }
    d->quiet = changed ? 0 : MIN(d->quiet + 1, XEN_PV_DAMAGE_QUIET);
    if (changed >= d->size - d->size / 8) {
        d->busy++;
        return tell_all(scanout, rects);
    }
    d->busy = 0;

    return make_rects(d, scanout, rects);
}

void xen_pv_damage_wake(XenPvDamage *d)
{
    d->quiet = 0;
}

void xen_pv_damage_forget(XenPvDamage *d)
{
    d->known = false;
}

void xen_pv_damage_clear(XenPvDamage *d)
{
    uint64_t bytes_read = d->bytes_read;

    g_free(d->sums);
    g_free(d->scratch);
    g_free(d->told);
    memset(d, 0, sizeof(*d));
    d->bytes_read = bytes_read;
}
