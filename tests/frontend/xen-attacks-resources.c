/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: what a host has only so much of
 *
 * Each is made of requests that nobody would refuse one by one, or that are
 * refused because they would cost too much.  Who runs them measures the host.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

/* A buffer of 16 MiB: as many pages as a small display may have mapped */
#define LARGE_PAGES     4096u
#define LARGE_SIZE      (LARGE_PAGES * XEN_GUEST_PAGE)

/*
 * Its pages are these, again and again: Xen counts to 127 mappings of one, and
 * only to 64 where the host's domain is paravirtual
 */
#define LARGE_REFS      128u

/* A row of one page, and one of as many bytes as a small screen may have */
#define PAGE_WIDTH      (XEN_GUEST_PAGE / 4)
#define WIDE_WIDTH      16384u
#define WIDE_HEIGHT     (LARGE_SIZE / 4 / WIDE_WIDTH)

/* Windows that are shown, one after the other */
#define WINDOWS         800u

/* How often other things are done */
#define TIMES           200u
#define MISTAKES        400u

/* Requests that are in the ring at once, and how often the others have turns */
#define RING            16u
#define RINGS           16u

/* So long the main loop is given all that it can do */
#define LOAD_TIME       (2 * G_TIME_SPAN_SECOND)

/* Of the screen */
#define SHOWN_WIDTH     128u
#define SHOWN_HEIGHT    64u

/* Three screens of such rows are more than a small display may have mapped */
#define WIDE_SCREEN     120u
#define WIDE_STEP       ((WIDE_HEIGHT - WIDE_SCREEN) / 2)

/* A buffer that the backend allocates, and how many the guest holds on to */
#define HELD_SIZE       (32u * XEN_GUEST_PAGE)
#define HELD            64u

/* ------------------------------------------------------------------ display */

/* A directory of one page, which links to itself: any size */
static uint32_t large_directory(XenAttacker *a)
{
    uint32_t refs[LARGE_REFS];
    XenFrontDirPage *dir;
    uint32_t ref, i;

    for (i = 0; i < LARGE_REFS; i++) {
        refs[i] = attack_ref(a, false);
    }
    dir = attack_page(a, false, &ref);
    dir->next = ref;
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir->refs[i] = refs[i % LARGE_REFS];
    }
    return ref;
}

static int create_large(XenAttacker *a, uint32_t dir_ref)
{
    return xen_front_dbuf_create(a->display, ATTACK_DBUF, 0, 0, 0, LARGE_SIZE,
                                 0, dir_ref, 0);
}

static int attach_large(XenAttacker *a, uint32_t width, uint32_t height)
{
    return xen_front_fb_attach(a->display, ATTACK_DBUF, ATTACK_FB, width,
                               height, XEN_FRONT_XRGB8888);
}

static int show(XenAttacker *a, uint32_t y, uint32_t width, uint32_t height)
{
    return xen_front_set_config(attack_connector(a), ATTACK_FB, 0, y, width,
                                height, 32);
}

/* Each row is a page, and each page becomes a mapping of its own */
static int rows(XenAttacker *a, const void *arg)
{
    int ret = create_large(a, large_directory(a));
    uint32_t row;

    for (row = 0; row < WINDOWS && !ret; row++) {
        ret = attach_large(a, PAGE_WIDTH, row + 1) ?:
              show(a, row, SHOWN_WIDTH, 1) ?:
              xen_front_fb_detach(a->display, ATTACK_FB);
    }
    attack_meanwhile(a);
    return ret ?: xen_front_dbuf_destroy(a->display, ATTACK_DBUF);
}

/* Three windows in turn, of which most is not shown */
static int wide(XenAttacker *a, const void *arg)
{
    int ret = create_large(a, large_directory(a)) ?:
              attach_large(a, WIDE_WIDTH, WIDE_HEIGHT);
    uint32_t i;

    for (i = 0; i < TIMES / 4 && !ret; i++) {
        ret = show(a, i % 3 * WIDE_STEP, SHOWN_WIDTH, SHOWN_HEIGHT);
    }
    attack_meanwhile(a);
    return ret;
}

/* The main loop has requests to serve all the time */
static int keep_busy(XenAttacker *a, struct xendispl_req *reqs)
{
    int64_t end = g_get_monotonic_time() + LOAD_TIME;
    struct xendispl_resp resp = { .status = -EIO };
    uint32_t round, i;
    int ret = 0;

    for (round = 0; !ret && g_get_monotonic_time() < end; round++) {
        for (i = 0; i < RING; i++) {
            xen_front_send(attack_connector(a), &reqs[i]);
        }
        for (i = 0; i < RING && !ret; i++) {
            ret = xen_front_receive(attack_connector(a), &resp,
                                    XEN_GUEST_DEADLINE) ?: resp.status;
        }
        if (round % RINGS == 0) {
            attack_meanwhile(a);
        }
    }
    return ret;
}

/* None is found in the cache: each request maps as many pages as it may */
static int windows(XenAttacker *a, const void *arg)
{
    struct xendispl_req reqs[RING] = { { 0 } };
    int ret = create_large(a, large_directory(a)) ?:
              attach_large(a, WIDE_WIDTH, WIDE_HEIGHT);
    uint32_t i;

    for (i = 0; i < RING; i++) {
        reqs[i].operation = XENDISPL_OP_SET_CONFIG;
        reqs[i].op.set_config.fb_cookie = ATTACK_FB;
        reqs[i].op.set_config.y = i * WIDE_STEP / RING;
    }
    return ret ?: keep_busy(a, reqs);
}

static int wider(XenAttacker *a, const void *arg)
{
    int ret = create_large(a, large_directory(a)) ?:
              attach_large(a, 2 * WIDE_WIDTH, WIDE_HEIGHT / 2);

    return ret ?: show(a, 0, SHOWN_WIDTH, SHOWN_HEIGHT);
}

/* Each other walks a directory of as many pages as the buffer needs */
static int long_requests(XenAttacker *a, const void *arg)
{
    struct xendispl_req reqs[RING] = { { 0 } };
    uint32_t dir_ref = large_directory(a);
    uint32_t i;

    for (i = 0; i < RING; i += 2) {
        struct xendispl_dbuf_create_req *create = &reqs[i].op.dbuf_create;

        reqs[i].operation = XENDISPL_OP_DBUF_CREATE;
        create->dbuf_cookie = ATTACK_DBUF;
        create->buffer_sz = LARGE_SIZE;
        create->gref_directory = dir_ref;
        reqs[i + 1].operation = XENDISPL_OP_DBUF_DESTROY;
        reqs[i + 1].op.dbuf_destroy.dbuf_cookie = ATTACK_DBUF;
    }
    return keep_busy(a, reqs);
}

/* None of them is too large, but all together are; there are not too many */
static int many(XenAttacker *a, const void *arg)
{
    uint32_t dir_ref = large_directory(a);
    uint32_t i;
    int ret = 0;

    for (i = 0; i < TIMES && !ret; i++) {
        ret = xen_front_dbuf_create(a->display, ATTACK_DBUF + i, 0, 0, 0,
                                    LARGE_SIZE, 0, dir_ref, 0);
    }
    attack_meanwhile(a);
    return ret;
}

static int mistakes(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = -ENOENT;

    for (i = 0; i < MISTAKES && ret == -ENOENT; i++) {
        ret = xen_front_flip(attack_connector(a), i);
    }
    attack_meanwhile(a);
    return ret;
}

static int alloc(XenAttacker *a, const XenFrontPgdir *pgdir)
{
    return xen_front_dbuf_create(a->display, ATTACK_DBUF, ATTACK_WIDTH,
                                 HELD_SIZE / (ATTACK_WIDTH * 4), 32,
                                 HELD_SIZE, XENDISPL_DBUF_FLG_REQ_ALLOC,
                                 xen_front_pgdir_ref(pgdir), 0);
}

/* Buffers that the backend allocates come and go */
static int allocate(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new_be_alloc(a->guest, HELD_SIZE);
    uint32_t i;
    int ret = pgdir ? 0 : -ENOMEM;

    for (i = 0; i < TIMES && !ret; i++) {
        ret = alloc(a, pgdir) ?:
              xen_front_dbuf_destroy(a->display, ATTACK_DBUF);
    }
    attack_meanwhile(a);
    xen_front_pgdir_free(pgdir);
    return ret;
}

/* The same, but the guest maps them all and lets go of none */
static int hoard(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *held[HELD];
    uint32_t count = 0;
    int ret = 0;

    while (count < HELD && !ret) {
        XenFrontPgdir *pgdir = xen_front_pgdir_new_be_alloc(a->guest,
                                                            HELD_SIZE);

        held[count++] = pgdir;
        ret = pgdir ? alloc(a, pgdir) : -ENOMEM;
        ret = ret ?: xen_front_pgdir_map(pgdir) ?:
              xen_front_dbuf_destroy(a->display, ATTACK_DBUF);
    }
    attack_meanwhile(a);
    while (count) {
        if (held[--count]) {
            xen_front_pgdir_unmap(held[count]);
        }
        xen_front_pgdir_free(held[count]);
    }
    return ret;
}

/* -------------------------------------------------------------------- sound */

static int open_of(XenFrontStream *s, uint32_t buffer, uint32_t period)
{
    return xen_front_stream_open(s, ATTACK_RATE, XENSND_PCM_FORMAT_S16_LE, 2,
                                 buffer, period);
}

/* @arg: sizes of the buffer and of the period, in bytes */
static int tiny(XenAttacker *a, const void *arg)
{
    const uint32_t *size = arg;

    return open_of(attack_playback(a), size[0], size[1]);
}

/*
 * Whether a position was told seldom enough: a host asks for sound some hundred
 * times a second at most, whatever a period is
 */
static int told_seldom(XenFrontStream *s, uint64_t before, uint32_t period)
{
    xen_front_stream_take_events(s);
    return 4 * (s->events - before) <= s->position / period + 8 ? 0 : -EPROTO;
}

/* Each stream tells of a position as often as it may */
static int shortest(XenAttacker *a, const void *arg)
{
    const uint32_t *size = arg;
    uint64_t before[XEN_FRONT_MAX_STREAMS] = { 0 };
    uint32_t i, turn;
    int ret = 0;

    for (i = 0; i < a->sound->nr_streams && !ret; i++) {
        XenFrontStream *s = &a->sound->streams[i];

        ret = open_of(s, size[0], size[1]) ?:
              xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START);
        before[i] = s->events;
    }
    for (turn = 0; turn < 5; turn++) {
        attack_meanwhile(a);
        for (i = 0; i < a->sound->nr_streams && !ret; i++) {
            ret = told_seldom(&a->sound->streams[i], before[i], size[1]);
        }
    }
    return ret;
}

/* All streams, with large buffers, again and again */
static int streams(XenAttacker *a, const void *arg)
{
    uint32_t i, n;
    int ret = 0;

    for (i = 0; i < TIMES / 20 && !ret; i++) {
        for (n = 0; n < a->sound->nr_streams && !ret; n++) {
            ret = open_of(&a->sound->streams[n], 1 << 17, ATTACK_PERIOD);
        }
        attack_meanwhile(a);
        while (n-- && !ret) {
            ret = xen_front_stream_close(&a->sound->streams[n]);
        }
    }
    return ret;
}

#define DISPLAY(name, what, status, run) \
    { "resources", name, what, status, 0, run }
#define SOUND(name, what, status, run, buffer, period) \
    { "resources", name, what, status, XEN_ATTACK_SOUND, run, \
      &(const uint32_t[]){ buffer, period } }

const XenAttack xen_attacks_resources[] = {
    DISPLAY("rows", "800 windows of one row, each another page", 0, rows),
    DISPLAY("wide", "rows of 64 KiB, three windows shown in turn", 0, wide),
    DISPLAY("windows", "the same, as fast as it goes", 0, windows),
    DISPLAY("wider", "rows of 128 KiB on a small screen", -EINVAL, wider),
    DISPLAY("long", "buffers of 16 MiB made and destroyed", 0, long_requests),
    DISPLAY("many", "buffers of 16 MiB made", -ENOSPC, many),
    DISPLAY("log", "400 flips to what is not there", -ENOENT,
            mistakes),
    { "resources", "allocate", "buffers allocated and destroyed", 0,
      XEN_ATTACK_BE_ALLOC, allocate },
    { "resources", "hoard", "buffers allocated, mapped and destroyed", 0,
      XEN_ATTACK_BE_ALLOC | XEN_ATTACK_MAPS, hoard },
    SOUND("tiny-buffer", "a buffer of one frame", XEN_ATTACK_REFUSED, tiny,
          ATTACK_FRAME, 0),
    SOUND("tiny-period", "periods of one frame", XEN_ATTACK_REFUSED, tiny,
          ATTACK_BUFFER, ATTACK_FRAME),
    SOUND("shortest", "all streams play periods of a millisecond", 0,
          shortest, 3840, 192),
    SOUND("streams", "all streams opened and closed, 128 KiB each", 0, streams,
          0, 0),
    { NULL }
};
