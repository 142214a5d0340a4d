/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: requests to a display
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

/* More of a thing than any backend should let a guest have */
#define TOO_MANY    5000

/* Buffers */

static int create(XenAttacker *a, const void *arg)
{
    const struct xendispl_dbuf_create_req *req = arg;
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_SIZE);

    return xen_front_dbuf_create(a->display, req->dbuf_cookie, req->width,
                                 req->height, req->bpp, req->buffer_sz,
                                 req->flags, xen_front_pgdir_ref(pgdir),
                                 req->data_ofs);
}

/* What is refused is not there afterwards */
static int create_and_attach(XenAttacker *a, const void *arg)
{
    int ret = create(a, arg);

    if (ret < 0 && attack_show(a) != -ENOENT) {
        return -EPROTO;
    }
    return ret;
}

/* Slots of the ring are used again, and Linux does not clear them */
static int create_with_rubbish(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_SIZE);
    struct xendispl_req req;

    memset(&req, 0xff, sizeof(req));
    req.operation = XENDISPL_OP_DBUF_CREATE;
    req.op.dbuf_create.dbuf_cookie = ATTACK_DBUF;
    req.op.dbuf_create.width = ATTACK_WIDTH;
    req.op.dbuf_create.height = ATTACK_HEIGHT;
    req.op.dbuf_create.bpp = 32;
    req.op.dbuf_create.buffer_sz = ATTACK_SIZE;
    req.op.dbuf_create.flags = ~(uint32_t)XENDISPL_DBUF_FLG_REQ_ALLOC;
    req.op.dbuf_create.gref_directory = xen_front_pgdir_ref(pgdir);
    req.op.dbuf_create.data_ofs = 0;
    return xen_front_request(attack_connector(a), &req, NULL) ?:
           attack_show(a);
}

static int create_many(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_SIZE);
    uint32_t i;
    int ret = 0;

    for (i = 0; i < TOO_MANY && !ret; i++) {
        ret = xen_front_dbuf_create(a->display, ATTACK_DBUF + i, 0, 0, 0,
                                    ATTACK_SIZE, 0,
                                    xen_front_pgdir_ref(pgdir), 0);
    }
    return ret;
}

/* Small directories of large buffers: the same pages again and again */
static int create_large(XenAttacker *a, const void *arg)
{
    uint32_t data = attack_ref(a, false);
    XenFrontDirPage *dir;
    uint32_t ref, i;
    int ret = 0;

    dir = attack_page(a, false, &ref);
    dir->next = ref;
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir->refs[i] = data;
    }
    for (i = 0; i < TOO_MANY && !ret; i++) {
        ret = xen_front_dbuf_create(a->display, ATTACK_DBUF + i, 0, 0, 0,
                                    128 << 20, 0, ref, 0);
    }
    return ret;
}

static int destroy(XenAttacker *a, const void *arg)
{
    const uint64_t *cookie = arg;

    return xen_front_dbuf_destroy(a->display, *cookie);
}

static int destroy_twice(XenAttacker *a, const void *arg)
{
    return xen_front_dbuf_destroy(a->display, a->shown->dbuf) ?:
           xen_front_dbuf_destroy(a->display, a->shown->dbuf);
}

static int destroy_shown(XenAttacker *a, const void *arg)
{
    int ret = xen_front_dbuf_destroy(a->display, a->shown->dbuf);

    if (ret == 0 && xen_front_pgdir_in_use(a->shown->pgdir)) {
        return -EBUSY;
    }
    attack_meanwhile(a);
    return ret;
}

/* Framebuffers */

typedef struct BadFb {
    uint64_t dbuf;
    uint64_t fb;
    uint32_t width;
    uint32_t height;
    uint32_t format;
} BadFb;

static int attach(XenAttacker *a, const void *arg)
{
    const BadFb *bad = arg;

    return xen_front_fb_attach(a->display, bad->dbuf, bad->fb, bad->width,
                               bad->height, bad->format);
}

/* To a buffer that has no geometry of its own */
static int attach_imported(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_SIZE);

    return xen_front_dbuf_create(a->display, ATTACK_DBUF, 0, 0, 0,
                                 ATTACK_SIZE, 0, xen_front_pgdir_ref(pgdir),
                                 0) ?: attach(a, arg);
}

static int attach_twice(XenAttacker *a, const void *arg)
{
    return xen_front_fb_attach(a->display, a->shown->dbuf, a->shown->fb,
                               ATTACK_WIDTH, ATTACK_HEIGHT,
                               XEN_FRONT_XRGB8888);
}

static int attach_many(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < TOO_MANY && !ret; i++) {
        ret = xen_front_fb_attach(a->display, a->shown->dbuf, ATTACK_FB + i,
                                  ATTACK_WIDTH, ATTACK_HEIGHT,
                                  XEN_FRONT_XRGB8888);
    }
    return ret;
}

static int attach_after_destroy(XenAttacker *a, const void *arg)
{
    return xen_front_dbuf_destroy(a->display, a->shown->dbuf) ?:
           xen_front_fb_attach(a->display, a->shown->dbuf, ATTACK_FB, 32, 32,
                               XEN_FRONT_XRGB8888);
}

static int detach(XenAttacker *a, const void *arg)
{
    const uint64_t *cookie = arg;

    return xen_front_fb_detach(a->display, *cookie);
}

static int detach_shown(XenAttacker *a, const void *arg)
{
    int ret = xen_front_fb_detach(a->display, a->shown->fb);

    attack_meanwhile(a);
    return ret ?: xen_front_dbuf_destroy(a->display, a->shown->dbuf);
}

static int detach_twice(XenAttacker *a, const void *arg)
{
    return xen_front_fb_detach(a->display, a->shown->fb) ?:
           xen_front_fb_detach(a->display, a->shown->fb);
}

/* What is on the screen */

static int configure(XenAttacker *a, const void *arg)
{
    const struct xendispl_set_config_req *req = arg;

    return xen_front_set_config(attack_connector(a), req->fb_cookie, req->x,
                                req->y, req->width, req->height, req->bpp);
}

static int configure_off_twice(XenAttacker *a, const void *arg)
{
    return xen_front_set_config(attack_connector(a), 0, 0, 0, 0, 0, 0) ?:
           xen_front_set_config(attack_connector(a), 0, 1, 2, 3, 4, 5);
}

static int flip(XenAttacker *a, const void *arg)
{
    const uint64_t *cookie = arg;

    return xen_front_flip(attack_connector(a), *cookie);
}

static int flip_while_off(XenAttacker *a, const void *arg)
{
    XenFrontConnector *c = attack_connector(a);
    int ret = xen_front_set_config(c, 0, 0, 0, 0, 0, 0) ?:
              xen_front_flip(c, a->shown->fb);

    attack_meanwhile(a);
    return ret;
}

static int flip_gone(XenAttacker *a, const void *arg)
{
    return xen_front_dbuf_destroy(a->display, a->shown->dbuf) ?:
           xen_front_flip(attack_connector(a), a->shown->fb);
}

/* The second before the first has its event: both get one */
static int flip_twice(XenAttacker *a, const void *arg)
{
    XenFrontConnector *c = attack_connector(a);
    uint64_t before = c->events;
    int ret = xen_front_flip(c, a->shown->fb) ?:
              xen_front_flip(c, a->shown->fb);
    uint32_t i;

    for (i = 0; i < 100 && c->events < before + 2; i++) {
        attack_meanwhile(a);
        xen_front_take_events(c);
    }
    return ret ?: c->events == before + 2 && !c->bad_events ? 0 : -EPROTO;
}

static int flip_storm(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < TOO_MANY && !ret; i++) {
        ret = xen_front_flip(attack_connector(a), a->shown->fb);
    }
    return ret;
}

/* EDID */

typedef struct BadEdid {
    uint32_t size;
    uint32_t ref;
} BadEdid;

static int edid(XenAttacker *a, const void *arg)
{
    const BadEdid *bad = arg;
    XenFrontPgdir *pgdir = attack_pgdir(a, XENDISPL_EDID_MAX_SIZE);
    uint32_t size;

    return xen_front_get_edid(attack_connector(a), bad->size,
                              bad->ref ?: xen_front_pgdir_ref(pgdir), &size);
}

/* Into a page that the directory names, whatever it is */
static int edid_into(XenAttacker *a, uint32_t data)
{
    XenFrontDirPage *dir;
    uint32_t ref, size, i;

    dir = attack_page(a, false, &ref);
    for (i = 0; i < XENDISPL_EDID_MAX_SIZE / XEN_GUEST_PAGE; i++) {
        dir->refs[i] = data;
    }
    return xen_front_get_edid(attack_connector(a), XENDISPL_EDID_MAX_SIZE,
                              ref, &size);
}

static int edid_no_directory(XenAttacker *a, const void *arg)
{
    uint32_t size;

    return xen_front_get_edid(attack_connector(a), XENDISPL_EDID_MAX_SIZE, 0,
                              &size);
}

static int edid_readonly(XenAttacker *a, const void *arg)
{
    return edid_into(a, attack_ref(a, true));
}

static int edid_hole(XenAttacker *a, const void *arg)
{
    return edid_into(a, 0);
}

static int edid_into_events(XenAttacker *a, const void *arg)
{
    return edid_into(a, attack_connector(a)->evt.ref);
}

static int edid_into_shown(XenAttacker *a, const void *arg)
{
    return edid_into(a, a->shown->pgdir->refs[0]);
}

/* The ring is full of EDID then: nothing of it makes sense any more */
static int edid_into_ring(XenAttacker *a, const void *arg)
{
    int ret = edid_into(a, attack_connector(a)->req.ref);

    return ret == -EPROTO || ret == -ETIMEDOUT ? -EPERM : ret;
}

/* Operations */

typedef struct BadOperation {
    uint8_t first;
    uint8_t last;
    uint8_t fill;
} BadOperation;

static int operations(XenAttacker *a, const void *arg)
{
    const BadOperation *bad = arg;
    int ret = -EOPNOTSUPP;
    uint32_t op;

    for (op = bad->first; op <= bad->last && ret == -EOPNOTSUPP; op++) {
        ret = attack_raw(attack_connector(a), op, bad->fill);
    }
    return ret;
}

static int all_ones(XenAttacker *a, const void *arg)
{
    const uint8_t *operation = arg;

    return attack_raw(attack_connector(a), *operation, 0xff);
}

/* Buffers and framebuffers belong on the first connector's ring */
static int wrong_ring(XenAttacker *a, const void *arg)
{
    const uint8_t *operation = arg;

    return a->display->nr_connectors < 2 ? -ENODEV :
           attack_raw(&a->display->connectors[1], *operation, 0x01);
}

#define CREATE(name, what, status, ...) \
    { "buffer", name, what, status, 0, create_and_attach, \
      &(const struct xendispl_dbuf_create_req){ __VA_ARGS__ } }
#define BUFFER(name, what, status, run) \
    { "buffer", name, what, status, 0, run }
#define DESTROY(name, what, cookie) \
    { "buffer", name, what, -ENOENT, 0, destroy, &(const uint64_t){ cookie } }
#define ATTACH(name, what, status, ...) \
    { "framebuffer", name, what, status, 0, attach, \
      &(const BadFb){ __VA_ARGS__ } }
#define IMPORTED(name, what, status, ...) \
    { "framebuffer", name, what, status, 0, attach_imported, \
      &(const BadFb){ __VA_ARGS__ } }
#define FB(name, what, status, run) \
    { "framebuffer", name, what, status, 0, run }
#define DETACH(name, what, cookie) \
    { "framebuffer", name, what, -ENOENT, 0, detach, \
      &(const uint64_t){ cookie } }
#define CONFIG(name, what, status, ...) \
    { "screen", name, what, status, 0, configure, \
      &(const struct xendispl_set_config_req){ __VA_ARGS__ } }
#define FLIP(name, what, cookie) \
    { "screen", name, what, -ENOENT, 0, flip, &(const uint64_t){ cookie } }
#define SCREEN(name, what, status, run) \
    { "screen", name, what, status, 0, run }
#define EDID_ARG(name, what, status, ...) \
    { "edid", name, what, status, 0, edid, &(const BadEdid){ __VA_ARGS__ } }
#define EDID(name, what, status, run) \
    { "edid", name, what, status, 0, run }
#define OPERATIONS(name, what, ...) \
    { "operation", name, what, -EOPNOTSUPP, 0, operations, \
      &(const BadOperation){ __VA_ARGS__ } }
#define ONES(name, what, status, op) \
    { "operation", name, what, status, 0, all_ones, &(const uint8_t){ op } }
#define WRONG_RING(name, what, op) \
    { "operation", name, what, -EINVAL, 0, wrong_ring, \
      &(const uint8_t){ op } }

#define W   ATTACK_WIDTH
#define H   ATTACK_HEIGHT
#define DB  ATTACK_DBUF
#define SH  ATTACK_SHOWN
#define XR  XEN_FRONT_XRGB8888

const XenAttack xen_attacks_display[] = {
    CREATE("cookie-0", "a buffer without a name", -EINVAL,
           0, W, H, 32, ATTACK_SIZE),
    { "buffer", "cookie-twice", "a name for two buffers", -EEXIST, 0, create,
      &(const struct xendispl_dbuf_create_req){ SH, W, H, 32, ATTACK_SIZE } },
    CREATE("size-0", "a buffer of no bytes", -EINVAL, DB, W, H, 32, 0),
    CREATE("size-0-imported", "neither bytes nor geometry", -EINVAL,
           DB, 0, 0, 0, 0),
    CREATE("size-max", "2^32-1 bytes", XEN_ATTACK_REFUSED,
           DB, W, H, 32, UINT32_MAX),
    CREATE("width-0", "no width", -EINVAL, DB, 0, H, 32, ATTACK_SIZE),
    CREATE("height-0", "no height", -EINVAL, DB, W, 0, 32, ATTACK_SIZE),
    CREATE("bpp-0", "no bits per pixel", -EINVAL, DB, W, H, 0, ATTACK_SIZE),
    CREATE("bpp-33", "33 bits per pixel", -EINVAL,
           DB, W, H, 33, ATTACK_SIZE),
    CREATE("bpp-max", "2^32-1 bits per pixel", -EINVAL,
           DB, W, H, UINT32_MAX, ATTACK_SIZE),
    CREATE("short", "a buffer shorter than its geometry", -EINVAL,
           DB, W, H, 32, ATTACK_SIZE - XEN_GUEST_PAGE),
    CREATE("row-beyond", "a row beyond the last page", -EINVAL,
           DB, W, H + 1, 32, ATTACK_SIZE),
    CREATE("overflow-32", "height by stride of 2^32", -EINVAL,
           DB, 65536, 16384, 32, XEN_GUEST_PAGE),
    CREATE("overflow-64", "height by stride of 2^64 and more", -EINVAL,
           DB, UINT32_MAX, UINT32_MAX, 64, XEN_GUEST_PAGE),
    CREATE("stride-32", "rows of 2^32 bytes", -EINVAL,
           DB, 1 << 30, 1, 32, XEN_GUEST_PAGE),
    CREATE("rows-max", "2^32-1 rows", -EINVAL,
           DB, 1, UINT32_MAX, 32, ATTACK_SIZE),
    CREATE("data-ofs-end", "data that begin where the buffer ends", -EINVAL,
           DB, W, H, 32, ATTACK_SIZE, 0, 0, ATTACK_SIZE),
    CREATE("data-ofs-max", "data that begin at 2^32-1", -EINVAL,
           DB, W, H, 32, ATTACK_SIZE, 0, 0, UINT32_MAX),
    CREATE("data-ofs-short", "data whose end is outside", -EINVAL,
           DB, W, H, 32, ATTACK_SIZE, 0, 0, 4),
    BUFFER("rubbish", "rubbish in flags and reserved bytes", 0,
           create_with_rubbish),
    BUFFER("too-many", "buffers without an end", -ENOSPC, create_many),
    BUFFER("too-large", "large buffers without an end", -ENOSPC,
           create_large),
    DESTROY("destroy-0", "the end of buffer 0", 0),
    DESTROY("destroy-unknown", "the end of a buffer that is none", 77),
    DESTROY("destroy-fb", "the end of a framebuffer as a buffer", ~SH),
    BUFFER("destroy-twice", "the end of a buffer, twice", -ENOENT,
           destroy_twice),
    BUFFER("destroy-shown", "the end of what is on the screen", 0,
           destroy_shown),

    ATTACH("cookie-0", "a framebuffer without a name", -EINVAL,
           SH, 0, W, H, XR),
    FB("cookie-twice", "a name for two framebuffers", -EEXIST,
       attach_twice),
    ATTACH("buffer-0", "a framebuffer in buffer 0", -ENOENT,
           0, ATTACK_FB, W, H, XR),
    ATTACH("buffer-unknown", "a framebuffer in no buffer", -ENOENT,
           77, ATTACK_FB, W, H, XR),
    ATTACH("width-0", "no width", -EINVAL, SH, ATTACK_FB, 0, H, XR),
    ATTACH("height-0", "no height", -EINVAL, SH, ATTACK_FB, W, 0, XR),
    ATTACH("wider", "wider than the buffer", -EINVAL,
           SH, ATTACK_FB, W + 1, H, XR),
    ATTACH("higher", "higher than the buffer", -EINVAL,
           SH, ATTACK_FB, W, H + 1, XR),
    ATTACH("overflow", "2^32-1 by 2^32-1 pixels", -EINVAL,
           SH, ATTACK_FB, UINT32_MAX, UINT32_MAX, XR),
    ATTACH("format-0", "pixels of format 0", -EINVAL, SH, ATTACK_FB, W, H, 0),
    ATTACH("format-max", "pixels of format 2^32-1", -EINVAL,
           SH, ATTACK_FB, W, H, UINT32_MAX),
    ATTACH("format-planes", "pixels in two planes", -EINVAL,
           SH, ATTACK_FB, W, H, 0x3231564e),
    ATTACH("format-size", "pixels of another size", -EINVAL,
           SH, ATTACK_FB, W, H, XEN_FRONT_RGB565),
    IMPORTED("imported-wide", "2^30 pixels a row in an imported buffer",
             -EINVAL, DB, ATTACK_FB, 1 << 30, 4, XR),
    IMPORTED("imported-high", "2^32-1 rows in an imported buffer", -EINVAL,
             DB, ATTACK_FB, 1, UINT32_MAX, XR),
    IMPORTED("imported-overflow", "2^32-1 by 2^32-1 in an imported buffer",
             -EINVAL, DB, ATTACK_FB, UINT32_MAX, UINT32_MAX, XR),
    FB("too-many", "framebuffers without an end", -ENOSPC, attach_many),
    FB("after-destroy", "a framebuffer in a buffer that is gone", -ENOENT,
       attach_after_destroy),
    DETACH("detach-0", "the end of framebuffer 0", 0),
    DETACH("detach-unknown", "the end of a framebuffer that is none", 77),
    FB("detach-twice", "the end of a framebuffer, twice", -ENOENT,
       detach_twice),
    FB("detach-shown", "the end of what is on the screen", 0, detach_shown),

    CONFIG("config-unknown", "show a framebuffer that is none", -ENOENT,
           77, 0, 0, W, H, 32),
    CONFIG("config-buffer", "show a buffer", -ENOENT, SH, 0, 0, W, H, 32),
    CONFIG("config-right", "show what is right of it", -EINVAL,
           ~SH, W, 0, W, H, 32),
    CONFIG("config-below", "show what is below it", -EINVAL,
           ~SH, 0, H, W, H, 32),
    CONFIG("config-far", "show what is at 2^32-1", -EINVAL,
           ~SH, UINT32_MAX, UINT32_MAX, W, H, 32),
    CONFIG("config-corner", "show its last pixel", 0,
           ~SH, W - 1, H - 1, W, H, 32),
    CONFIG("config-sizes", "sizes of 2^32-1", 0,
           ~SH, 0, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX),
    CONFIG("config-sizes-0", "sizes of 0", 0, ~SH, 0, 0, 0, 0, 0),
    SCREEN("off-twice", "off when it is off", 0, configure_off_twice),
    FLIP("flip-0", "a flip to framebuffer 0", 0),
    FLIP("flip-unknown", "a flip to no framebuffer", 77),
    FLIP("flip-buffer", "a flip to a buffer", SH),
    SCREEN("flip-gone", "a flip to what is gone", -ENOENT, flip_gone),
    SCREEN("flip-off", "a flip while it is off", 0, flip_while_off),
    SCREEN("flip-twice", "a flip before the last one's event", 0,
           flip_twice),
    SCREEN("flip-storm", "flips without an end", -EBUSY, flip_storm),

    EDID_ARG("size-0", "room for no bytes", -EINVAL, 0, 0),
    EDID_ARG("size-small", "room for 127 bytes", -EINVAL, 127, 0),
    EDID_ARG("size-max", "room for 2^32-1 bytes", 0, UINT32_MAX, 0),
    EDID("no-directory", "no directory", -EINVAL, edid_no_directory),
    EDID_ARG("ref-max", "a directory of reference 2^32-1", -EINVAL,
             XENDISPL_EDID_MAX_SIZE, UINT32_MAX),
    EDID("hole", "a directory without an entry", -EINVAL, edid_hole),
    EDID("readonly", "a page that cannot be written", -EINVAL,
         edid_readonly),
    EDID("events", "the event page to write to", 0, edid_into_events),
    EDID("picture", "the picture to write to", 0, edid_into_shown),
    EDID("ring", "the ring to write to", XEN_ATTACK_ANSWERED,
         edid_into_ring),

    OPERATIONS("low", "operations 0 to 15", 0, 15, 0),
    OPERATIONS("high", "operations 0x17 to 0xff", 0x17, 0xff, 0xff),
    ONES("create", "a buffer of 2^32-1 everything", -EINVAL,
         XENDISPL_OP_DBUF_CREATE),
    ONES("destroy", "the end of buffer 2^64-1", -ENOENT,
         XENDISPL_OP_DBUF_DESTROY),
    ONES("attach", "a framebuffer of 2^32-1 everything", -ENOENT,
         XENDISPL_OP_FB_ATTACH),
    ONES("detach", "the end of framebuffer 2^64-1", -ENOENT,
         XENDISPL_OP_FB_DETACH),
    ONES("config", "show framebuffer 2^64-1", -ENOENT,
         XENDISPL_OP_SET_CONFIG),
    ONES("flip", "a flip to framebuffer 2^64-1", -ENOENT,
         XENDISPL_OP_PG_FLIP),
    WRONG_RING("ring-create", "a buffer on the second connector's ring",
               XENDISPL_OP_DBUF_CREATE),
    WRONG_RING("ring-destroy", "its end on the second connector's ring",
               XENDISPL_OP_DBUF_DESTROY),
    WRONG_RING("ring-attach", "a framebuffer on the second one's ring",
               XENDISPL_OP_FB_ATTACH),
    WRONG_RING("ring-detach", "its end on the second connector's ring",
               XENDISPL_OP_FB_DETACH),
    { NULL }
};
