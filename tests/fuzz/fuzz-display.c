/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A display between the fuzzers' guest and a host that has viewers
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/displif.h>

#include "hw/xen/xen-displif.h"
#include "fuzz-channel.h"
#include "fuzz-display.h"

#define NR          FUZZ_DISPLAY_CONNECTORS
#define NR_VIEWERS  3
#define MAX_FLIPS   XEN_DISPLIF_MAX_PENDING_FLIPS

/* A display buffer of the model; @tag is that of its mappings */
typedef struct Dbuf {
    uint64_t cookie;
    uint32_t tag;
    uint64_t pages;
} Dbuf;

/* A framebuffer of the model */
typedef struct Fb {
    uint64_t cookie;
    Dbuf *dbuf;
} Fb;

/* What somebody looks at */
typedef struct Picture {
    XenPgdirView *view;
    const uint8_t *data;
    uint64_t length;
} Picture;

/*
 * A connector of the model
 *
 * @flips: cookies of the flips whose event is owed, @nr_flips of them
 */
typedef struct Screen {
    bool enabled;
    Dbuf *shown;
    Picture picture;
    uint64_t flips[MAX_FLIPS];
    uint32_t nr_flips;
} Screen;

/*
 * @active: connector whose requests are served now
 * @viewers: pictures that are looked at for longer than they should
 * @lost: the address of some view went to somebody else
 */
struct FuzzDisplay {
    FuzzGuest *guest;
    FuzzHost *host;
    XenDisplif *disp;
    XenDisplifLimits limits;
    bool be_alloc;
    FuzzChannel channels[NR];
    uint32_t active;
    Screen screens[NR];
    GHashTable *dbufs;
    GHashTable *fbs;
    uint32_t tags;
    Picture viewers[NR_VIEWERS];
    bool lost;
};

/* ------------------------------------------------------------- pictures */

static void look(FuzzDisplay *d, const Picture *picture)
{
    XenPgdirStats stats;

    /* Which of them was lost is not told */
    xen_pgdir_mapper_stats(d->host->mapper, &stats, sizeof(stats));
    if (picture->view && !stats.lost) {
        fuzz_touch(picture->data, picture->length);
    }
}

static void forget(Picture *picture)
{
    xen_pgdir_view_unref(picture->view);
    memset(picture, 0, sizeof(*picture));
}

/* Viewers may go on looking at what the screen does not show any more */
static void drop(FuzzDisplay *d, Picture *picture)
{
    unsigned int i = fuzz_u8(d->guest->in);

    if (picture->view && i % 8 >= 8 - NR_VIEWERS) {
        Picture *viewer = &d->viewers[i % NR_VIEWERS];

        forget(viewer);
        *viewer = *picture;
        viewer->view = xen_pgdir_view_ref(picture->view);
    }
    forget(picture);
}

/* An error of the host's own making, now and then */
static int host_error(FuzzDisplay *d)
{
    return fuzz_chance(d->guest->in, 16) ? -ENOMEM : 0;
}

/* ------------------------------------------------------------ operations */

static uint32_t cpp_of(uint32_t format)
{
    switch (format) {
    case 0x34325258: /* XR24 */
    case 0x34325241: /* AR24 */
        return 4;
    case 0x34324752: /* RG24 */
        return 3;
    case 0x36314752: /* RG16 */
    case 0x56595559: /* YUYV */
        return 2;
    default:
        return 0;
    }
}

static uint32_t op_format_cpp(void *opaque, uint32_t format)
{
    FuzzDisplay *d = opaque;

    fuzz_guest_disturb(d->guest);
    return cpp_of(format);
}

/* Every row must lie inside the buffer's pages */
static uint64_t check_scanout(const XenDisplifScanout *s)
{
    uint64_t bytes = (uint64_t)s->stride * (s->height - 1) +
                     (uint64_t)s->width * s->cpp;

    g_assert(s->width && s->height);
    g_assert(s->cpp && s->cpp == cpp_of(s->format));
    g_assert((uint64_t)s->width * s->cpp <= s->stride);
    g_assert_cmpuint(s->offset + bytes, <=,
                     (uint64_t)xen_pgdir_buffer_pages(s->buffer) *
                     XEN_PGDIR_PAGE_SIZE);
    return bytes;
}

static int op_show(void *opaque, uint32_t connector,
                   const XenDisplifScanout *scanout, bool flip)
{
    FuzzDisplay *d = opaque;
    Picture *old = &d->screens[connector].picture, new;
    int ret = host_error(d);
    void *data;
    Fb *fb;

    fuzz_guest_disturb(d->guest);
    if (ret < 0) {
        return ret;
    }
    if (!scanout) {
        drop(d, old);
        return 0;
    }

    fb = g_hash_table_lookup(d->fbs, &scanout->fb_cookie);
    g_assert(fb && connector == d->active);
    g_assert(!flip || d->screens[connector].enabled);
    new.length = check_scanout(scanout);
    g_assert_cmpuint(xen_pgdir_buffer_pages(scanout->buffer), ==,
                     fb->dbuf->pages);
    d->host->tag = fb->dbuf->tag;
    ret = xen_pgdir_buffer_view(scanout->buffer, scanout->offset, new.length,
                                &new.view, &data);
    d->host->tag = 0;
    if (ret < 0) {
        return ret;
    }
    new.data = data;
    look(d, &new);
    drop(d, old);
    *old = new;
    fuzz_guest_disturb(d->guest);
    return 0;
}

static void op_keep(void *opaque, uint32_t connector)
{
    FuzzDisplay *d = opaque;

    fuzz_guest_disturb(d->guest);
    look(d, &d->screens[connector].picture);
    drop(d, &d->screens[connector].picture);
}

static int op_edid(void *opaque, uint32_t connector, uint8_t *buf,
                   uint32_t size)
{
    static const int sizes[] = { 128, 256, XENDISPL_EDID_MAX_SIZE, 0, -EIO };
    FuzzDisplay *d = opaque;
    int ret = FUZZ_CHOICE(d->guest->in, sizes);

    fuzz_guest_disturb(d->guest);
    g_assert_cmpuint(size, ==, XENDISPL_EDID_MAX_SIZE);
    memset(buf, 0xed, ret > 0 ? ret : 0);
    return ret;
}

static void op_flipped(void *opaque, uint32_t connector)
{
    FuzzDisplay *d = opaque;
    Screen *screen = &d->screens[connector];
    struct xendispl_req req;

    memcpy(&req, d->channels[connector].request.bytes, sizeof(req));
    g_assert_cmpuint(connector, ==, d->active);
    g_assert_cmpuint(screen->nr_flips, <, MAX_FLIPS);
    screen->flips[screen->nr_flips++] = req.op.pg_flip.fb_cookie;
    fuzz_guest_disturb(d->guest);
}

static void op_notify_request(void *opaque, uint32_t connector)
{
    FuzzDisplay *d = opaque;

    g_assert_cmpint(d->channels[connector].answered, >, 0);
    fuzz_guest_disturb(d->guest);
}

/* The oldest flip that was accepted, and ids without a gap */
static void op_notify_event(void *opaque, uint32_t connector)
{
    FuzzDisplay *d = opaque;
    FuzzChannel *channel = &d->channels[connector];
    Screen *screen = &d->screens[connector];
    uint64_t cookie;

    g_assert_cmpuint(fuzz_channel_unseen(channel), ==, 1);
    cookie = fuzz_channel_event(channel, channel->sent, XENDISPL_EVT_PG_FLIP);
    g_assert_cmpuint(screen->nr_flips, >, 0);
    g_assert_cmpuint(screen->flips[0], ==, cookie);
    screen->nr_flips--;
    memmove(screen->flips, screen->flips + 1,
            screen->nr_flips * sizeof(screen->flips[0]));
    fuzz_guest_disturb(d->guest);
}

/* ---------------------------------------------------- the model's answers */

/* Requests that may map pages for writing */
static bool may_write(FuzzDisplay *d, const struct xendispl_req *req)
{
    return req->operation == XENDISPL_OP_GET_EDID ||
           (req->operation == XENDISPL_OP_DBUF_CREATE && d->be_alloc &&
            (req->op.dbuf_create.flags & XENDISPL_DBUF_FLG_REQ_ALLOC));
}

/* The engine is about to take a request, or to find none */
static void expect_request(FuzzDisplay *d)
{
    struct xendispl_req req;

    fuzz_channel_peek(&d->channels[d->active]);
    memcpy(&req, d->channels[d->active].request.bytes, sizeof(req));
    d->host->may_write = may_write(d, &req);
}

static void created(FuzzDisplay *d,
                    const struct xendispl_dbuf_create_req *req)
{
    Dbuf *dbuf = g_new0(Dbuf, 1);

    g_assert(req->dbuf_cookie && req->buffer_sz);
    g_assert(!g_hash_table_contains(d->dbufs, &req->dbuf_cookie));
    dbuf->cookie = req->dbuf_cookie;
    dbuf->tag = ++d->tags;
    dbuf->pages = ((uint64_t)req->buffer_sz + XEN_PGDIR_PAGE_SIZE - 1) /
                  XEN_PGDIR_PAGE_SIZE;
    g_hash_table_insert(d->dbufs, &dbuf->cookie, dbuf);
}

static gboolean is_in_dbuf(gpointer key, gpointer value, gpointer data)
{
    Fb *fb = value;

    return fb->dbuf == data;
}

/* The guest takes its pages back now */
static void destroyed(FuzzDisplay *d, uint64_t cookie)
{
    Dbuf *dbuf = g_hash_table_lookup(d->dbufs, &cookie);
    unsigned int i;

    g_assert(dbuf);
    g_assert_cmpuint(fuzz_host_tagged(d->host, dbuf->tag), ==, 0);
    for (i = 0; i < NR; i++) {
        if (d->screens[i].shown == dbuf) {
            g_assert(!d->screens[i].picture.view);
            d->screens[i].shown = NULL;
        }
    }
    g_hash_table_foreach_remove(d->fbs, is_in_dbuf, dbuf);
    g_hash_table_remove(d->dbufs, &cookie);
}

static void attached(FuzzDisplay *d, const struct xendispl_fb_attach_req *req)
{
    Fb *fb = g_new0(Fb, 1);

    fb->cookie = req->fb_cookie;
    fb->dbuf = g_hash_table_lookup(d->dbufs, &req->dbuf_cookie);
    g_assert(fb->cookie && fb->dbuf);
    g_assert(!g_hash_table_contains(d->fbs, &fb->cookie));
    g_assert(cpp_of(req->pixel_format));
    g_hash_table_insert(d->fbs, &fb->cookie, fb);
}

static void configured(FuzzDisplay *d, uint64_t cookie)
{
    Screen *screen = &d->screens[d->active];
    Fb *fb = g_hash_table_lookup(d->fbs, &cookie);

    g_assert(!cookie || fb);
    screen->enabled = cookie;
    screen->shown = fb ? fb->dbuf : NULL;
}

static void flipped(FuzzDisplay *d, uint64_t cookie)
{
    Screen *screen = &d->screens[d->active];
    Fb *fb = g_hash_table_lookup(d->fbs, &cookie);

    g_assert(fb && screen->nr_flips);
    if (screen->enabled) {
        screen->shown = fb->dbuf;
    }
}

/* What a good answer means */
static void accepted(FuzzDisplay *d, const struct xendispl_req *req)
{
    g_assert(d->active == 0 || req->operation > XENDISPL_OP_FB_DETACH);
    switch (req->operation) {
    case XENDISPL_OP_DBUF_CREATE:
        created(d, &req->op.dbuf_create);
        break;
    case XENDISPL_OP_DBUF_DESTROY:
        destroyed(d, req->op.dbuf_destroy.dbuf_cookie);
        break;
    case XENDISPL_OP_FB_ATTACH:
        attached(d, &req->op.fb_attach);
        break;
    case XENDISPL_OP_FB_DETACH:
        g_assert(g_hash_table_remove(d->fbs, &req->op.fb_detach.fb_cookie));
        break;
    case XENDISPL_OP_SET_CONFIG:
        configured(d, req->op.set_config.fb_cookie);
        break;
    case XENDISPL_OP_PG_FLIP:
        flipped(d, req->op.pg_flip.fb_cookie);
        break;
    case XENDISPL_OP_GET_EDID:
        g_assert(req->op.get_edid.buffer_sz >= XENDISPL_EDID_MAX_SIZE);
        break;
    default:
        g_assert_not_reached();
    }
}

/* What may not be refused, and how all else is */
static void refused(FuzzDisplay *d, const struct xendispl_req *req,
                    int32_t status)
{
    if (d->active && req->operation <= XENDISPL_OP_FB_DETACH) {
        return;
    }
    switch (req->operation) {
    case XENDISPL_OP_DBUF_DESTROY:
        g_assert_cmpint(status, ==, -ENOENT);
        g_assert(!g_hash_table_contains(d->dbufs,
                                        &req->op.dbuf_destroy.dbuf_cookie));
        break;
    case XENDISPL_OP_FB_DETACH:
        g_assert_cmpint(status, ==, -ENOENT);
        g_assert(!g_hash_table_contains(d->fbs,
                                        &req->op.fb_detach.fb_cookie));
        break;
    case XENDISPL_OP_DBUF_CREATE:
    case XENDISPL_OP_FB_ATTACH:
    case XENDISPL_OP_SET_CONFIG:
    case XENDISPL_OP_PG_FLIP:
    case XENDISPL_OP_GET_EDID:
        break;
    default:
        g_assert_cmpint(status, ==, -EOPNOTSUPP);
    }
}

static void op_answered(void *opaque, uint32_t connector, uint16_t id,
                        uint8_t operation, int32_t status, const char *why)
{
    FuzzDisplay *d = opaque;
    FuzzChannel *channel = &d->channels[connector];
    bool edid = operation == XENDISPL_OP_GET_EDID && status == 0;
    struct xendispl_req req;

    g_assert_cmpuint(connector, ==, d->active);
    fuzz_channel_answered(channel, id, operation, status, why,
                          edid ? sizeof(uint32_t) : 0);
    memcpy(&req, channel->request.bytes, sizeof(req));
    if (status == 0) {
        accepted(d, &req);
    } else {
        refused(d, &req, status);
    }
    /* Directories and EDID buffers are not kept, data is not written */
    g_assert_cmpuint(fuzz_host_tagged(d->host, 0), ==, 0);
    g_assert_cmpuint(d->host->writable, ==,
                     fuzz_host_tagged(d->host, FUZZ_TAG_CHANNEL));
    fuzz_guest_disturb(d->guest);
    expect_request(d);
}

/* The host may want to do something else first */
static bool op_enough(void *opaque)
{
    FuzzDisplay *d = opaque;

    fuzz_guest_disturb(d->guest);
    expect_request(d);
    return fuzz_chance(d->guest->in, 16);
}

static const XenDisplifOps ops = {
    .format_cpp = op_format_cpp,
    .show = op_show,
    .keep = op_keep,
    .edid = op_edid,
    .flipped = op_flipped,
    .requests.notify = op_notify_request,
    .notify_event = op_notify_event,
    .requests.answered = op_answered,
    .requests.enough = op_enough,
};

static const XenDisplifOps ops_without_edid = {
    .format_cpp = op_format_cpp,
    .show = op_show,
    .keep = op_keep,
    .flipped = op_flipped,
    .requests.notify = op_notify_request,
    .notify_event = op_notify_event,
    .requests.answered = op_answered,
};

/* ------------------------------------------------------------- requests */

static uint64_t take_cookie(FuzzInput *in)
{
    uint8_t choice = fuzz_u8(in);

    return choice < 240 ? 1 + choice % 5 : choice < 248 ? 0 : fuzz_u64(in);
}

/* Width, height and bits of a pixel: of pages from none to some thousand */
static const uint32_t sizes[][3] = {
    { 32, 32, 32 }, { 64, 64, 32 }, { 101, 7, 24 }, { 33, 9, 16 },
    { 0, 0, 0 }, { 200, 100, 32 }, { 1200, 1000, 32 }, { 8, 8, 8 },
};

static void make_dbuf_create(FuzzInput *in, FuzzGuest *guest,
                             struct xendispl_dbuf_create_req *req)
{
    const uint32_t *size = FUZZ_CHOICE(in, sizes);
    uint32_t row = (size[0] * size[2] + 7) / 8;

    req->dbuf_cookie = take_cookie(in);
    req->width = size[0];
    req->height = size[1];
    req->bpp = size[2];
    req->gref_directory = fuzz_guest_ref(guest);
    switch (fuzz_pick(in, 4)) {
    case 0:
        req->buffer_sz = row ? row * size[1] : fuzz_number(in);
        break;
    case 1:
        req->buffer_sz = ((row + 7) / 8 * 8 * size[1] + 4095) / 4096 * 4096;
        break;
    case 2:
        req->buffer_sz = fuzz_number(in);
        req->data_ofs = fuzz_number(in);
        break;
    default:
        req->width = fuzz_number(in);
        req->height = fuzz_number(in);
        req->bpp = fuzz_number(in);
        req->buffer_sz = fuzz_number(in);
        break;
    }
    if (fuzz_chance(in, 3)) {
        req->flags = fuzz_u8(in) | XENDISPL_DBUF_FLG_REQ_ALLOC;
    }
}

static void make_fb_attach(FuzzInput *in, struct xendispl_fb_attach_req *req)
{
    static const uint32_t formats[] = {
        0x34325258, 0x34325258, 0x34324752, 0x36314752, 0x56595559,
        0x20203852,
    };
    const uint32_t *size = FUZZ_CHOICE(in, sizes);

    req->dbuf_cookie = take_cookie(in);
    req->fb_cookie = take_cookie(in);
    req->width = size[0];
    req->height = size[1];
    req->pixel_format = FUZZ_CHOICE(in, formats);
    if (fuzz_chance(in, 4)) {
        req->width = fuzz_number(in);
        req->height = fuzz_number(in);
    }
}

static void make_set_config(FuzzInput *in,
                            struct xendispl_set_config_req *req)
{
    req->fb_cookie = take_cookie(in);
    if (fuzz_chance(in, 4)) {
        req->x = fuzz_number(in);
        req->y = fuzz_number(in);
        req->width = fuzz_number(in);
        req->height = fuzz_number(in);
    }
}

static void make_get_edid(FuzzInput *in, FuzzGuest *guest,
                          struct xendispl_get_edid_req *req)
{
    req->buffer_sz = fuzz_chance(in, 4) ? fuzz_number(in)
                                        : XENDISPL_EDID_MAX_SIZE;
    req->gref_directory = fuzz_guest_ref(guest);
}

static void make_request(FuzzDisplay *d, XenPvSlot *slot)
{
    static const uint8_t operations[] = {
        XENDISPL_OP_DBUF_CREATE, XENDISPL_OP_FB_ATTACH,
        XENDISPL_OP_SET_CONFIG, XENDISPL_OP_PG_FLIP,
        XENDISPL_OP_DBUF_DESTROY, XENDISPL_OP_FB_DETACH,
        XENDISPL_OP_GET_EDID, XENDISPL_OP_PG_FLIP,
    };
    FuzzInput *in = d->guest->in;
    struct xendispl_req req = { .id = fuzz_u8(in) };

    req.operation = FUZZ_CHOICE(in, operations);
    switch (req.operation) {
    case XENDISPL_OP_DBUF_CREATE:
        make_dbuf_create(in, d->guest, &req.op.dbuf_create);
        break;
    case XENDISPL_OP_FB_ATTACH:
        make_fb_attach(in, &req.op.fb_attach);
        break;
    case XENDISPL_OP_SET_CONFIG:
        make_set_config(in, &req.op.set_config);
        break;
    case XENDISPL_OP_GET_EDID:
        make_get_edid(in, d->guest, &req.op.get_edid);
        break;
    default:
        /* All others begin with a cookie */
        req.op.pg_flip.fb_cookie = take_cookie(in);
        break;
    }
    memcpy(slot->bytes, &req, sizeof(req));
}

/* ---------------------------------------------------------- what happens */

static void serve(FuzzDisplay *d, uint32_t connector)
{
    FuzzChannel *channel = &d->channels[connector];
    bool more;

    d->active = connector;
    expect_request(d);
    fuzz_channel_served(channel,
                        xen_displif_process(d->disp, connector, &more));
    d->host->may_write = false;
    g_assert(channel->ring || !more);
}

static void tick(FuzzDisplay *d, uint32_t connector)
{
    uint32_t before = d->channels[connector].sent;
    bool owed = d->screens[connector].nr_flips;
    int ret = xen_displif_flip_done(d->disp, connector);

    g_assert(ret == (owed ? ret == 0 ? 0 : -EAGAIN : -ENOENT));
    g_assert_cmpuint(d->channels[connector].sent, ==, before + (ret == 0));
}

/* A guest that flips without waiting for anything */
static void flood(FuzzDisplay *d, FuzzChannel *channel)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    unsigned int n = fuzz_pick(d->guest->in, XEN_PV_RING_SLOTS);
    XenPvSlot slot;

    req.op.pg_flip.fb_cookie = take_cookie(d->guest->in);
    memcpy(slot.bytes, &req, sizeof(req));
    while (n--) {
        fuzz_channel_put(channel, &slot);
    }
}

void fuzz_display_step(FuzzDisplay *d)
{
    FuzzInput *in = d->guest->in;
    uint8_t what = fuzz_u8(in);
    uint32_t connector = fuzz_chance(in, 4) % NR;
    FuzzChannel *channel = &d->channels[connector];
    XenPvSlot slot;

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        make_request(d, &slot);
        fuzz_channel_put(channel, &slot);
        if (what < 192) {
            serve(d, connector);
        }
        break;
    case 5:
        fuzz_bytes(in, slot.bytes, sizeof(slot));
        slot.bytes[2] = XENDISPL_OP_DBUF_CREATE + slot.bytes[2] % 8;
        fuzz_channel_put(channel, &slot);
        serve(d, connector);
        break;
    case 6:
        if (what >= 128) {
            flood(d, channel);
        }
        serve(d, connector);
        break;
    case 7:
    case 8:
        tick(d, connector);
        break;
    case 9:
        fuzz_channel_play(channel);
        break;
    case 10:
        fuzz_guest_directory(d->guest);
        break;
    default:
        look(d, &d->viewers[what % NR_VIEWERS]);
        forget(&d->viewers[what % NR_VIEWERS]);
        break;
    }
}

/* -------------------------------------------------------------- the model */

static void check_info(const XenDisplifBufferInfo *info, void *opaque)
{
    FuzzDisplay *d = opaque;
    Fb *fb;

    if (info->fb_cookie) {
        fb = g_hash_table_lookup(d->fbs, &info->fb_cookie);
        g_assert(fb && fb->dbuf->cookie == info->dbuf_cookie);
    } else {
        g_assert(g_hash_table_contains(d->dbufs, &info->dbuf_cookie));
    }
}

static void check_connector(FuzzDisplay *d, uint32_t i)
{
    Screen *screen = &d->screens[i];
    XenDisplifConnectorInfo info;

    xen_displif_connector_info(d->disp, i, &info);
    g_assert(info.connected == !!d->channels[i].ring);
    g_assert(info.broken == d->channels[i].broken);
    g_assert(info.enabled == screen->enabled);
    g_assert_cmpuint(info.flips_pending, ==, screen->nr_flips);
    g_assert_cmpuint(xen_displif_flips_pending(d->disp, i), ==,
                     screen->nr_flips);
    g_assert_cmpuint(info.events, ==, d->channels[i].sent);
    g_assert_cmpuint(info.shown_dbuf, ==,
                     screen->shown ? screen->shown->cookie : 0);
    g_assert(!screen->picture.view || screen->shown);
}

void fuzz_display_check(FuzzDisplay *d)
{
    XenDisplifStats stats;
    GHashTableIter iter;
    uint64_t pages = 0;
    gpointer value;
    uint32_t i;

    g_hash_table_iter_init(&iter, d->dbufs);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        pages += ((Dbuf *)value)->pages;
    }
    xen_displif_stats(d->disp, &stats);
    g_assert_cmpuint(stats.buffers, ==, g_hash_table_size(d->dbufs));
    g_assert_cmpuint(stats.buffers, <=, d->limits.max_buffers);
    g_assert_cmpuint(stats.framebuffers, ==, g_hash_table_size(d->fbs));
    g_assert_cmpuint(stats.framebuffers, <=, d->limits.max_framebuffers);
    g_assert_cmpuint(stats.total_pages, ==, pages);
    g_assert_cmpuint(stats.total_pages, <=, d->limits.max_total_pages);
    xen_displif_visit(d->disp, check_info, d);
    for (i = 0; i < NR; i++) {
        check_connector(d, i);
    }
    fuzz_host_check(d->host);
}

/* ------------------------------------------------------------ life cycle */

FuzzDisplay *fuzz_display_new(FuzzGuest *guest)
{
    static const XenDisplifLimits limits[] = {
        { 8, 8, 4096 }, { 3, 4, 1200 }, { 1, 1, 16 },
    };
    FuzzDisplay *d = g_new0(FuzzDisplay, 1);
    bool edid = !fuzz_chance(guest->in, 8);

    d->guest = guest;
    d->host = fuzz_host_new(guest);
    d->limits = FUZZ_CHOICE(guest->in, limits);
    d->disp = xen_displif_new(edid ? &ops : &ops_without_edid, d,
                              d->host->mapper, &d->limits);
    xen_displif_add_connector(d->disp, 64, 64);
    xen_displif_add_connector(d->disp, 1024, 768);
    d->be_alloc = fuzz_pick(guest->in, 2);
    xen_displif_set_backend_alloc(d->disp, d->be_alloc);
    d->dbufs = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                     g_free);
    d->fbs = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return d;
}

void fuzz_display_connect(FuzzDisplay *d)
{
    unsigned int i;

    fuzz_display_disconnect(d);
    for (i = 0; i < NR; i++) {
        if (!fuzz_channel_open(&d->channels[i], d->host,
                               FUZZ_DISPLAY_PAGE + 2 * i)) {
            fuzz_display_disconnect(d);
            return;
        }
        xen_displif_attach(d->disp, i, d->channels[i].ring,
                           d->channels[i].events);
    }
    d->host->tag = 0;
}

void fuzz_display_disconnect(FuzzDisplay *d)
{
    unsigned int i;

    xen_displif_reset(d->disp);
    g_assert_cmpuint(d->host->mapped, ==,
                     fuzz_host_tagged(d->host, FUZZ_TAG_CHANNEL));
    g_hash_table_remove_all(d->fbs);
    g_hash_table_remove_all(d->dbufs);
    for (i = 0; i < NR; i++) {
        fuzz_channel_close(&d->channels[i]);
        forget(&d->screens[i].picture);
        memset(&d->screens[i], 0, sizeof(d->screens[i]));
    }
    g_assert_cmpuint(d->host->mapped, ==, 0);
    for (i = 0; i < NR_VIEWERS; i++) {
        look(d, &d->viewers[i]);
    }
}

void fuzz_display_free(FuzzDisplay *d)
{
    unsigned int i;

    fuzz_display_disconnect(d);
    for (i = 0; i < NR_VIEWERS; i++) {
        forget(&d->viewers[i]);
    }
    xen_displif_free(d->disp);
    g_hash_table_destroy(d->fbs);
    g_hash_table_destroy(d->dbufs);
    fuzz_host_free(d->host);
    g_free(d);
}
