/*
 * Tests of the protocol engine of PV displays
 *
 * The guest's side works on raw ring and event pages, as a frontend would;
 * the owner's side records what the engine asks for.  Numbered invariants are
 * the promises that the backend makes to its host:
 *
 *  1  a guest cannot make the backend stop, hang, look outside its pages or
 *     grow without bound
 *  2  no page is mapped once the object that justified it is gone
 *  3  mappings are never found by a reference alone, as guests recycle them
 *  4  pages of a display are mapped read-only
 *  5  every request gets one response of 64 bytes, event ids have no gaps
 *  7  no size that a guest chose makes an allocation abort
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include <sys/mman.h>
#include <xen/io/displif.h>

#include "hw/xen/xen-displif.h"
#include "hw/xen/xen-pv-ring.h"
#include "fake-grants.h"
#include "faults.h"

#define PAGE            4096
#define CONNECTORS      3
#define DOMAIN_PAGES    12000
#define XR24            0x34325258
#define RG24            0x34324752
#define RG16            0x36314752
#define WHATEVER        0x41414141

typedef struct Screen {
    bool on;
    XenDisplifScanout scanout;
    XenPgdirView *view;
    uint8_t *data;
    uint32_t shows;
    uint32_t offs;
    uint32_t keeps;
    uint32_t flipped;
    uint32_t request_kicks;
    uint32_t event_kicks;
    bool last_was_flip;
    int refuse;
    uint64_t live_pages_at_keep;
} Screen;

typedef struct Front {
    struct xen_displif_sring *sring;
    struct xendispl_event_page *evt;
    uint16_t id;
    uint32_t events;
} Front;

typedef struct Test Test;

struct Test {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenDisplif *card;
    Front front[CONNECTORS];
    Screen screen[CONNECTORS];
    bool hold_views;
    uint32_t answers;
    uint32_t last_connector;
    uint16_t last_id;
    uint8_t last_operation;
    int32_t last_status;
    const char *last_why;
    int edid_size;
    uint32_t last_edid_size;
    void (*on_answer)(Test *t);
    const struct FaultMode *fault_mode;
};

static uint32_t rec_format_cpp(void *opaque, uint32_t format)
{
    switch (format) {
    case XR24:
        return 4;
    case RG24:
        return 3;
    case RG16:
        return 2;
    default:
        return 0;
    }
}

static int rec_show(void *opaque, uint32_t connector,
                    const XenDisplifScanout *scanout, bool flip)
{
    Test *t = opaque;
    Screen *screen = &t->screen[connector];
    XenPgdirView *view;
    uint64_t length;
    void *data;
    int ret;

    if (screen->refuse) {
        return screen->refuse;
    }
    if (!scanout) {
        g_assert_false(flip);
        xen_pgdir_view_unref(screen->view);
        screen->view = NULL;
        screen->data = NULL;
        screen->on = false;
        screen->offs++;
        return 0;
    }

    g_assert_cmpuint(scanout->width, >, 0);
    g_assert_cmpuint(scanout->height, >, 0);
    g_assert_cmpuint(scanout->cpp, ==,
                     rec_format_cpp(t, scanout->format));
    g_assert_cmpuint((uint64_t)scanout->width * scanout->cpp, <=,
                     scanout->stride);
    length = (uint64_t)scanout->stride * (scanout->height - 1) +
             (uint64_t)scanout->width * scanout->cpp;
    g_assert_cmpuint(scanout->offset + length, <=,
                     (uint64_t)xen_pgdir_buffer_pages(scanout->buffer) * PAGE);
    ret = xen_pgdir_buffer_view(scanout->buffer, scanout->offset, length,
                                &view, &data);
    if (ret < 0) {
        return ret;
    }
    xen_pgdir_view_unref(screen->view);
    screen->view = view;
    screen->data = data;
    screen->scanout = *scanout;
    screen->on = true;
    screen->shows++;
    screen->last_was_flip = flip;
    return 0;
}

static void rec_keep(void *opaque, uint32_t connector)
{
    Test *t = opaque;
    Screen *screen = &t->screen[connector];

    screen->keeps++;
    screen->live_pages_at_keep = t->grants->live_pages;
    if (!t->hold_views) {
        xen_pgdir_view_unref(screen->view);
        screen->view = NULL;
        screen->data = NULL;
    }
}

/* As many bytes as the test says, each another than its neighbours */
static int rec_edid(void *opaque, uint32_t connector, uint8_t *buf,
                    uint32_t size)
{
    Test *t = opaque;
    int i;

    g_assert_cmpuint(size, ==, XENDISPL_EDID_MAX_SIZE);
    for (i = 0; i < (int)size; i++) {
        g_assert_cmpuint(buf[i], ==, 0);
        buf[i] = i < t->edid_size ? i * 31 + i / 128 + connector : 0;
    }
    return t->edid_size;
}

static void rec_flipped(void *opaque, uint32_t connector)
{
    Test *t = opaque;

    t->screen[connector].flipped++;
    g_assert_cmpuint(xen_displif_flips_pending(t->card, connector), >, 0);
}

static void rec_notify_request(void *opaque, uint32_t connector)
{
    Test *t = opaque;

    t->screen[connector].request_kicks++;
}

static void rec_notify_event(void *opaque, uint32_t connector)
{
    Test *t = opaque;

    t->screen[connector].event_kicks++;
}

static void rec_answered(void *opaque, uint32_t connector, uint16_t id,
                         uint8_t operation, int32_t status, const char *why)
{
    Test *t = opaque;

    g_assert_cmpint(status, <=, 0);
    g_assert_true((status < 0) == (why != NULL));
    t->answers++;
    t->last_connector = connector;
    t->last_id = id;
    t->last_operation = operation;
    t->last_status = status;
    t->last_why = why;
    if (t->on_answer) {
        t->on_answer(t);
    }
}

static const XenDisplifOps rec_ops = {
    .format_cpp = rec_format_cpp,
    .show = rec_show,
    .keep = rec_keep,
    .edid = rec_edid,
    .flipped = rec_flipped,
    .notify_request = rec_notify_request,
    .notify_event = rec_notify_event,
    .answered = rec_answered,
};

/* Fixture */

static void *page_new(void)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(page != MAP_FAILED);
    return page;
}

static void front_attach(Test *t, uint32_t connector, uint32_t start)
{
    Front *front = &t->front[connector];

    memset(front->sring, 0xa5, PAGE);
    front->sring->req_prod = start;
    front->sring->rsp_prod = start;
    front->sring->req_event = start + 1;
    front->sring->rsp_event = start + 1;
    memset(front->evt, 0, PAGE);
    memset((char *)front->evt + 64, 0xa5, PAGE - 64);
    front->events = 0;
    xen_displif_attach(t->card, connector, front->sring, front->evt);
}

static void setup_full(Test *t, const XenDisplifLimits *limits,
                       const XenPgdirGrantOps *ops, uint32_t max_map_count)
{
    static const uint32_t size[CONNECTORS][2] = {
        { 64, 48 }, { 1920, 1080 }, { 100, 100 }
    };
    XenPgdirConfig config = {
        .max_pages = DOMAIN_PAGES,
        .max_buffer_pages = 5000,
        .max_map_count = max_map_count,
    };
    uint32_t i;

    memset(t, 0, sizeof(*t));
    t->grants = fake_grants_new(DOMAIN_PAGES);
    t->grants->one_mmap = true;
    t->grants->max_count = max_map_count;
    g_assert_cmpint(xen_pgdir_mapper_new(ops, t->grants, &config,
                                         &t->mapper), ==, 0);
    t->edid_size = -EOPNOTSUPP;
    t->card = xen_displif_new(&rec_ops, t, t->mapper, limits);
    for (i = 0; i < CONNECTORS; i++) {
        t->front[i].sring = page_new();
        t->front[i].evt = page_new();
        t->front[i].id = 0xfff8;
        g_assert_cmpuint(xen_displif_add_connector(t->card, size[i][0],
                                                   size[i][1]), ==, i);
        front_attach(t, i, 0);
    }
}

static void setup_limits(Test *t, const XenDisplifLimits *limits)
{
    setup_full(t, limits, &fake_grants_ops, 0);
}

static const XenDisplifLimits usual_limits = {
    .max_buffers = 16,
    .max_framebuffers = 16,
    .max_total_pages = 10000,
};

static void setup(Test *t, gconstpointer data)
{
    setup_limits(t, &usual_limits);
}

static void teardown(Test *t, gconstpointer data)
{
    uint32_t i;

    /* Invariant 4, over whatever the test did */
    g_assert_cmpuint(t->grants->live_writable, ==, 0);

    xen_displif_free(t->card);
    /* Invariant 2: views may be held still, but no page */
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
    g_assert_cmpuint(t->grants->shared_pages, ==, 0);
    for (i = 0; i < CONNECTORS; i++) {
        xen_pgdir_view_unref(t->screen[i].view);
        munmap(t->front[i].sring, PAGE);
        munmap(t->front[i].evt, PAGE);
    }
    xen_pgdir_mapper_unref(t->mapper);
    fake_grants_free(t->grants);
}

/* The guest's side */

static struct xendispl_req new_req(uint8_t operation)
{
    struct xendispl_req req;

    /* Linux leaves in a slot what was there before */
    memset(&req, 0xa5, sizeof(req));
    req.operation = operation;
    return req;
}

static void send_req(Test *t, uint32_t connector, struct xendispl_req req)
{
    Front *front = &t->front[connector];
    char *ring = (char *)front->sring + 64;

    req.id = front->id++;
    memcpy(ring + front->sring->req_prod % 32 * 64, &req, 64);
    front->sring->req_prod++;
}

/* Check the whole response to the last request, and return its status */
static int32_t check_rsp(Test *t, uint32_t connector, uint8_t operation)
{
    Front *front = &t->front[connector];
    char *ring = (char *)front->sring + 64;
    struct xendispl_resp rsp, want;

    g_assert_cmpuint(front->sring->rsp_prod, ==, front->sring->req_prod);
    memcpy(&rsp, ring + (front->sring->rsp_prod - 1) % 32 * 64, 64);
    memset(&want, 0, sizeof(want));
    want.id = front->id - 1;
    want.operation = operation;
    want.status = rsp.status;
    t->last_edid_size = 0;
    if (operation == XENDISPL_OP_GET_EDID && rsp.status == 0) {
        t->last_edid_size = rsp.op.get_edid.edid_sz;
        want.op.get_edid.edid_sz = t->last_edid_size;
    }
    g_assert_cmpmem(&rsp, 64, &want, 64);
    g_assert_cmpint(rsp.status, <=, 0);
    g_assert_cmpint(rsp.status, ==, t->last_status);
    g_assert_cmpuint(rsp.id, ==, t->last_id);
    g_assert_cmpuint(rsp.operation, ==, t->last_operation);
    g_assert_cmpuint(connector, ==, t->last_connector);
    return rsp.status;
}

static int32_t call(Test *t, uint32_t connector, struct xendispl_req req)
{
    Screen *screen = &t->screen[connector];
    uint32_t kicks = screen->request_kicks;
    XenDisplifStats before, after;
    bool more = true;
    int32_t status;

    xen_displif_stats(t->card, &before);
    t->front[connector].sring->rsp_event =
        t->front[connector].sring->rsp_prod + 1;
    send_req(t, connector, req);
    g_assert_cmpint(xen_displif_process(t->card, connector, &more), ==, 1);
    g_assert_false(more);
    g_assert_cmpuint(screen->request_kicks, ==, kicks + 1);
    g_assert_cmpuint(t->front[connector].sring->req_event, ==,
                     t->front[connector].sring->req_prod + 1);
    status = check_rsp(t, connector, req.operation);
    xen_displif_stats(t->card, &after);
    g_assert_cmpuint(after.requests, ==, before.requests + 1);
    g_assert_cmpuint(after.refused, ==, before.refused + (status < 0));
    return status;
}

/* A request that must be refused with that status, and change nothing */
static void refused(Test *t, uint32_t connector, struct xendispl_req req,
                    int32_t status)
{
    Screen before[CONNECTORS];
    XenDisplifStats was, now;
    uint64_t live_pages = t->grants->live_pages;
    uint64_t shared_pages = t->grants->shared_pages;
    uint32_t i;

    memcpy(before, t->screen, sizeof(before));
    xen_displif_stats(t->card, &was);
    g_assert_cmpint(call(t, connector, req), ==, status);
    xen_displif_stats(t->card, &now);
    g_assert_cmpuint(now.buffers, ==, was.buffers);
    g_assert_cmpuint(now.framebuffers, ==, was.framebuffers);
    g_assert_cmpuint(now.total_pages, ==, was.total_pages);
    g_assert_cmpuint(now.flips, ==, was.flips);
    g_assert_cmpuint(now.events, ==, was.events);
    g_assert_cmpuint(t->grants->live_pages, ==, live_pages);
    g_assert_cmpuint(t->grants->shared_pages, ==, shared_pages);
    for (i = 0; i < CONNECTORS; i++) {
        before[i].request_kicks = t->screen[i].request_kicks;
        g_assert_cmpmem(&before[i], sizeof(Screen),
                        &t->screen[i], sizeof(Screen));
    }
}

static struct xendispl_req req_create(uint64_t cookie, uint32_t width,
                                      uint32_t height, uint32_t bpp,
                                      uint32_t size, uint32_t dir,
                                      uint32_t data_ofs)
{
    struct xendispl_req req = new_req(XENDISPL_OP_DBUF_CREATE);

    req.op.dbuf_create.dbuf_cookie = cookie;
    req.op.dbuf_create.width = width;
    req.op.dbuf_create.height = height;
    req.op.dbuf_create.bpp = bpp;
    req.op.dbuf_create.buffer_sz = size;
    /* flags: as found in the slot */
    req.op.dbuf_create.gref_directory = dir;
    req.op.dbuf_create.data_ofs = data_ofs;
    return req;
}

static struct xendispl_req req_destroy(uint64_t cookie)
{
    struct xendispl_req req = new_req(XENDISPL_OP_DBUF_DESTROY);

    req.op.dbuf_destroy.dbuf_cookie = cookie;
    return req;
}

static struct xendispl_req req_attach(uint64_t dbuf, uint64_t fb,
                                      uint32_t width, uint32_t height,
                                      uint32_t format)
{
    struct xendispl_req req = new_req(XENDISPL_OP_FB_ATTACH);

    req.op.fb_attach.dbuf_cookie = dbuf;
    req.op.fb_attach.fb_cookie = fb;
    req.op.fb_attach.width = width;
    req.op.fb_attach.height = height;
    req.op.fb_attach.pixel_format = format;
    return req;
}

static struct xendispl_req req_detach(uint64_t fb)
{
    struct xendispl_req req = new_req(XENDISPL_OP_FB_DETACH);

    req.op.fb_detach.fb_cookie = fb;
    return req;
}

static struct xendispl_req req_config(uint64_t fb, uint32_t x, uint32_t y,
                                      uint32_t width, uint32_t height)
{
    struct xendispl_req req = new_req(XENDISPL_OP_SET_CONFIG);

    req.op.set_config.fb_cookie = fb;
    req.op.set_config.x = x;
    req.op.set_config.y = y;
    req.op.set_config.width = width;
    req.op.set_config.height = height;
    req.op.set_config.bpp = fb ? 32 : 0;
    return req;
}

static struct xendispl_req req_off(void)
{
    return req_config(0, 0, 0, 0, 0);
}

static struct xendispl_req req_flip(uint64_t fb)
{
    struct xendispl_req req = new_req(XENDISPL_OP_PG_FLIP);

    req.op.pg_flip.fb_cookie = fb;
    return req;
}

static uint32_t pages_of(uint32_t size)
{
    return size / PAGE + (size % PAGE != 0);
}

/* Create a buffer of fresh pages; returns its directory */
static uint32_t create(Test *t, uint64_t cookie, uint32_t width,
                       uint32_t height, uint32_t bpp)
{
    uint32_t size = width * (bpp / 8) * height;
    uint32_t dir = fake_grants_make_directory(t->grants, pages_of(size), NULL);

    g_assert_cmpint(call(t, 0, req_create(cookie, width, height, bpp, size,
                                          dir, 0)), ==, 0);
    return dir;
}

static void good(Test *t, uint32_t connector, struct xendispl_req req)
{
    g_assert_cmpint(call(t, connector, req), ==, 0);
}

/* Take the next event as Linux does; its cookie must be @fb */
static void take_event(Test *t, uint32_t connector, uint64_t fb)
{
    Front *front = &t->front[connector];
    struct xendispl_evt want = { .id = (uint16_t)front->events };
    char *slots = (char *)front->evt + 64;

    want.op.pg_flip.fb_cookie = fb;
    g_assert_cmpuint(front->evt->in_prod, !=, front->events);
    g_assert_cmpmem(slots + front->events % 63 * 64, 64, &want, 64);
    front->events++;
    front->evt->in_cons = front->events;
}

static void done(Test *t, uint32_t connector, uint64_t fb)
{
    Screen *screen = &t->screen[connector];
    uint32_t kicks = screen->event_kicks;

    g_assert_cmpint(xen_displif_flip_done(t->card, connector), ==, 0);
    g_assert_cmpuint(screen->event_kicks, ==, kicks + 1);
    take_event(t, connector, fb);
}

static void assert_no_event(Test *t, uint32_t connector)
{
    g_assert_cmpuint(xen_displif_flips_pending(t->card, connector), ==, 0);
    g_assert_cmpint(xen_displif_flip_done(t->card, connector), ==, -ENOENT);
    g_assert_cmpuint(t->front[connector].evt->in_prod, ==,
                     t->front[connector].events);
}

static void assert_shows(Test *t, uint32_t connector, uint64_t fb,
                         uint64_t offset, uint32_t stride, uint32_t width,
                         uint32_t height)
{
    const XenDisplifScanout *scanout = &t->screen[connector].scanout;

    g_assert_true(t->screen[connector].on);
    g_assert_cmpuint(scanout->fb_cookie, ==, fb);
    g_assert_cmpuint(scanout->offset, ==, offset);
    g_assert_cmpuint(scanout->stride, ==, stride);
    g_assert_cmpuint(scanout->width, ==, width);
    g_assert_cmpuint(scanout->height, ==, height);
}

/* Tests */

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
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 0), ==, 1);
    done(t, 0, fb);
    assert_no_event(t, 0);

    xen_displif_stats(t->card, &stats);
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

    xen_displif_stats(t->card, &stats);
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
    refused(t, 0, req_flip(4), -EINVAL);
    good(t, 0, req_off());
    g_assert_false(t->screen[0].on);
    good(t, 0, req_config(4, 0, 0, 32, 32));
    good(t, 0, req_flip(2));
    assert_shows(t, 0, 2, 0, 800, 64, 48);
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
        g_assert_cmpuint(xen_displif_flips_pending(t->card, 0), ==, i + 1);
    }
    refused(t, 0, req_flip(10), -EBUSY);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 1), ==, 0);
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

    /* What belongs to the card is for connector 0 */
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

/* Backend allocation */

static struct xendispl_req req_alloc(uint64_t cookie, uint32_t width,
                                     uint32_t height, uint32_t bpp,
                                     uint32_t size, uint32_t dir)
{
    struct xendispl_req req = req_create(cookie, width, height, bpp, size,
                                         dir, 0);

    /* Whatever else is set there */
    req.op.dbuf_create.flags = 0xa5a5a5a4 | XENDISPL_DBUF_FLG_REQ_ALLOC;
    return req;
}

/* Without the toolstack's word the bit is what a slot was left with */
static void test_alloc_ignored(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);
    uint32_t empty = fake_grants_link_directory(t->grants, 4);
    struct xendispl_req req;

    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, empty), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "page directory cannot be read");
    g_assert_cmpuint(t->grants->share_calls, ==, 0);

    /* Allowed, but not asked for */
    xen_displif_set_backend_alloc(t->card, true);
    good(t, 0, req_destroy(1));
    req = req_create(1, 64, 64, 32, 16384, dir, 0);
    req.op.dbuf_create.flags = ~XENDISPL_DBUF_FLG_REQ_ALLOC;
    good(t, 0, req);
    g_assert_cmpuint(t->grants->share_calls, ==, 0);
    xen_displif_set_backend_alloc(t->card, false);
    refused(t, 0, req_alloc(2, 64, 64, 32, 16384, empty), -EINVAL);
}

static void test_alloc_life(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 2025);
    uint32_t *first = fake_grants_page(t->grants, dir);
    uint32_t *second = fake_grants_page(t->grants, first[0]);
    XenDisplifStats stats;
    uint8_t *page;
    uint64_t maps;

    xen_displif_set_backend_alloc(t->card, true);
    good(t, 0, req_alloc(1, 1920, 1080, 32, 1920 * 1080 * 4, dir));
    xen_displif_stats(t->card, &stats);
    g_assert_cmpuint(stats.buffers, ==, 1);
    g_assert_cmpuint(stats.total_pages, ==, 2025);
    g_assert_cmpuint(t->grants->shared_pages, ==, 2025);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);

    good(t, 0, req_attach(1, 2, 1920, 1080, XR24));
    maps = t->grants->map_calls;
    good(t, 1, req_config(2, 0, 0, 1920, 1080));
    assert_shows(t, 1, 2, 0, 7680, 1920, 1080);
    good(t, 1, req_flip(2));
    done(t, 1, 2);
    g_assert_cmpuint(t->grants->map_calls, ==, maps);

    /* The guest draws into the last page, the owner sees it */
    page = fake_grants_shared_page(t->grants, second[1 + 2024 - 1023]);
    g_assert_nonnull(page);
    page[1234] = 0x42;
    g_assert_cmpuint(t->screen[1].data[2024 * PAGE + 1234], ==, 0x42);

    /* The frontend frees its directory first, then says so */
    g_assert_true(fake_grants_end_links(t->grants, dir, 2));
    t->hold_views = true;
    good(t, 0, req_destroy(1));
    g_assert_cmpuint(t->screen[1].keeps, ==, 1);
    g_assert_cmpuint(t->grants->shared_pages, ==, 0);
    g_assert_cmpuint(t->screen[1].data[2024 * PAGE + 1234], ==, 0x42);
    g_assert_cmpint(xen_pgdir_view_is_copy(t->screen[1].view), ==, 1);
    refused(t, 0, req_destroy(1), -ENOENT);
    g_assert_cmpuint(t->grants->unshare_calls, ==, 1);
}

static void test_alloc_bad(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 1100);
    uint32_t *page = fake_grants_page(t->grants, dir);
    struct xendispl_req req;

    xen_displif_set_backend_alloc(t->card, true);
    refused(t, 0, req_alloc(1, 0, 0, 0, 16384, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "allocation without width and height");
    req = req_alloc(1, 32, 32, 32, 16384, dir);
    req.op.dbuf_create.data_ofs = 1;
    refused(t, 0, req, -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "allocation with a data offset");
    refused(t, 0, req_alloc(0, 64, 64, 32, 16384, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 65, 32, 16384, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 0, dir), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, 0), -EINVAL);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, 0xffffffff), -EINVAL);
    refused(t, 1, req_alloc(1, 64, 64, 32, 16384, dir), -EINVAL);
    /* The mapper's largest buffer, the card's quota */
    refused(t, 0, req_alloc(1, 64, 64, 32, 5001 * PAGE, dir), -E2BIG);
    refused(t, 0, req_alloc(1, 64, 64, 32, 10001 * PAGE, dir), -ENOSPC);
    /* A chain that is too short */
    refused(t, 0, req_alloc(1, 64, 64, 32, 2047 * PAGE, dir), -EINVAL);
    g_assert_cmpuint(t->grants->share_calls, ==, 0);

    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, dir), -EEXIST);
    g_assert_cmpuint(t->grants->share_calls, ==, 1);
    good(t, 0, req_destroy(1));
    memset(page + 1, 0, PAGE - 4);

    /* The host has none to give; later it has */
    fake_grants_refuse_share(t->grants, 1, -ENOSPC);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, dir), -ENOSPC);
    g_assert_cmpstr(t->last_why, ==, "buffer cannot be allocated");
    fake_grants_refuse_share(t->grants, 1, -ENOMEM);
    refused(t, 0, req_alloc(1, 64, 64, 32, 16384, dir), -ENOMEM);
    fake_grants_refuse(t->grants, 2, -EFAULT);
    refused(t, 0, req_alloc(1, 64, 64, 32, 1100 * PAGE, dir), -EFAULT);
    g_assert_cmpuint(page[1], ==, 0);
    /* What Linux sends after any failure, twice */
    refused(t, 0, req_destroy(1), -ENOENT);
    refused(t, 0, req_destroy(1), -ENOENT);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    g_assert_cmpuint(page[1], !=, 0);
}

/* The connection ends under buffers of both kinds */
static void test_alloc_reset(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 4);

    xen_displif_set_backend_alloc(t->card, true);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    xen_displif_reset(t->card);
    g_assert_cmpuint(t->grants->shared_pages, ==, 0);

    /* Being allowed is the card's, not the connection's */
    front_attach(t, 0, 0);
    good(t, 0, req_alloc(1, 64, 64, 32, 16384, dir));
    g_assert_cmpuint(t->grants->shared_pages, ==, 4);
}

/* EDID */

static struct xendispl_req req_edid(uint32_t size, uint32_t dir)
{
    struct xendispl_req req = new_req(XENDISPL_OP_GET_EDID);

    req.op.get_edid.buffer_sz = size;
    req.op.get_edid.gref_directory = dir;
    return req;
}

static void nothing_mapped(Test *t)
{
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
}

static void test_edid(Test *t, gconstpointer data)
{
    static const int sizes[] = { 128, 256, 384, XENDISPL_EDID_MAX_SIZE };
    uint32_t refs[8], i, connector;
    uint32_t dir = fake_grants_make_directory(t->grants, 8, refs);
    int j;

    t->on_answer = nothing_mapped;
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (connector = 0; connector < CONNECTORS; connector++) {
            for (j = 0; j < 8; j++) {
                memset(fake_grants_page(t->grants, refs[j]), 0xee, PAGE);
            }
            t->edid_size = sizes[i];
            good(t, connector, req_edid(XENDISPL_EDID_MAX_SIZE, dir));
            g_assert_cmpuint(t->last_edid_size, ==, sizes[i]);
            for (j = 0; j < 8 * PAGE; j++) {
                uint8_t *page = fake_grants_page(t->grants, refs[j / PAGE]);
                uint8_t want = j < sizes[i] ? j * 31 + j / 128 + connector
                                            : 0xee;

                g_assert_cmpuint(page[j % PAGE], ==, want);
            }
        }
    }
    /* More than is needed is fine, however much it is */
    good(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE + 1, dir));
    good(t, 0, req_edid(0xffffffff, dir));
    g_assert_true(fake_grants_end_directory(t->grants, dir, 8));
}

static void test_edid_bad(Test *t, gconstpointer data)
{
    uint32_t refs[8];
    uint32_t dir = fake_grants_make_directory(t->grants, 8, refs);
    uint32_t *page = fake_grants_page(t->grants, dir);
    uint32_t readonly = fake_grants_alloc(t->grants, false);

    t->edid_size = 256;
    t->on_answer = nothing_mapped;
    refused(t, 0, req_edid(0, dir), -EINVAL);
    refused(t, 0, req_edid(256, dir), -EINVAL);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE - 1, dir), -EINVAL);
    g_assert_cmpuint(t->grants->map_calls, ==, 0);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, 0), -EINVAL);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, 0xffffffff), -EINVAL);
    page[8] = 0;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EINVAL);
    page[8] = refs[7];
    page[1] = readonly;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "EDID cannot be written");
    page[1] = refs[0];
    fake_grants_refuse(t->grants, 2, -EFAULT);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EFAULT);

    /* An owner that has none, or makes no sense */
    t->edid_size = -ENODEV;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -ENODEV);
    t->edid_size = 0;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EIO);
    t->edid_size = XENDISPL_EDID_MAX_SIZE + 1;
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EIO);
    t->edid_size = 256;
    good(t, 2, req_edid(XENDISPL_EDID_MAX_SIZE, dir));
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
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 0), ==, 1);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 1), ==, 0);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 2), ==, 2);
    done(t, 2, 2);
    done(t, 0, 2);
    done(t, 2, 2);
    assert_shows(t, 0, 2, 0, 800, 64, 48);
    assert_shows(t, 2, 2, 400, 800, 100, 100);
    good(t, 0, req_off());
    g_assert_true(t->screen[2].on);

    /* Connectors that do not exist */
    g_assert_cmpint(xen_displif_flip_done(t->card, CONNECTORS), ==, -ENOENT);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, UINT32_MAX), ==, 0);
}

/* Invariant 2: the pages are gone before the response, whoever looks */
static void test_inv2_destroy_while_shown(Test *t, gconstpointer data)
{
    uint32_t refs[4], dir, i;
    XenPgdirBuffer *held;
    XenPgdirView *view;
    uint8_t *pixels;
    void *address;

    dir = fake_grants_make_directory(t->grants, 4, refs);
    for (i = 0; i < 4; i++) {
        memset(fake_grants_page(t->grants, refs[i]), 0x11 * (i + 1), PAGE);
    }
    good(t, 0, req_create(1, 64, 64, 32, 16384, dir, 0));
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_attach(1, 3, 64, 64, XR24));
    create(t, 5, 64, 64, 32);
    good(t, 0, req_attach(5, 6, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    good(t, 2, req_config(3, 0, 0, 64, 64));
    good(t, 1, req_config(6, 0, 0, 64, 64));
    good(t, 0, req_flip(2));

    t->hold_views = true;
    held = xen_pgdir_buffer_ref(t->screen[0].scanout.buffer);
    good(t, 0, req_destroy(1));
    g_assert_cmpint(xen_pgdir_buffer_view(held, 0, 1, &view, &address), ==,
                    -ESTALE);
    xen_pgdir_buffer_unref(held);
    g_assert_cmpuint(t->screen[0].keeps, ==, 1);
    g_assert_cmpuint(t->screen[1].keeps, ==, 0);
    g_assert_cmpuint(t->screen[2].keeps, ==, 1);
    /* Everything was still there when the owner was asked to keep it */
    g_assert_cmpuint(t->screen[0].live_pages_at_keep, >=, 4);
    g_assert_cmpuint(t->screen[2].live_pages_at_keep, ==,
                     t->screen[0].live_pages_at_keep);

    /* The guest has its pages back and writes to them: no viewer sees it */
    for (i = 0; i < 4; i++) {
        memset(fake_grants_page(t->grants, refs[i]), 0xee, PAGE);
    }
    g_assert_true(fake_grants_end_directory(t->grants, dir, 4));
    g_assert_cmpint(xen_pgdir_view_is_copy(t->screen[0].view), ==, 1);
    pixels = t->screen[0].data;
    g_assert_cmpuint(pixels[0], ==, 0x11);
    g_assert_cmpuint(pixels[4096], ==, 0x22);
    g_assert_cmpuint(pixels[12287], ==, 0x33);

    /* Its framebuffers are gone, the flip's event is not */
    refused(t, 0, req_flip(2), -ENOENT);
    refused(t, 0, req_flip(3), -ENOENT);
    refused(t, 0, req_detach(2), -ENOENT);
    done(t, 0, 2);

    /* The connector is still on: the next flip is shown */
    good(t, 0, req_flip(6));
    assert_shows(t, 0, 6, 0, 256, 64, 48);
    done(t, 0, 6);

    /* Once is enough: the old buffer's successor is another buffer */
    good(t, 0, req_destroy(5));
    g_assert_cmpuint(t->screen[0].keeps, ==, 2);
    g_assert_cmpuint(t->screen[1].keeps, ==, 1);
    g_assert_cmpuint(t->screen[2].keeps, ==, 1);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
}

/* The framebuffer's name may go before what it shows */
static void test_inv2_detach_while_shown(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    good(t, 0, req_flip(2));
    good(t, 0, req_detach(2));
    g_assert_true(t->screen[0].on);
    g_assert_cmpuint(t->screen[0].keeps, ==, 0);
    done(t, 0, 2);
    good(t, 0, req_destroy(1));
    g_assert_cmpuint(t->screen[0].keeps, ==, 1);
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
}

/* An attach that timed out in the guest is never detached */
static void test_cookies(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    refused(t, 0, req_attach(1, 2, 64, 64, XR24), -EEXIST);
    good(t, 0, req_destroy(1));

    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 32, 32, XR24));
    good(t, 0, req_config(2, 0, 0, 32, 32));
    assert_shows(t, 0, 2, 0, 256, 32, 32);

    /* All 64 bits count; buffers and framebuffers have names of their own */
    create(t, 1ULL << 32 | 1, 64, 64, 32);
    create(t, 1ULL << 63 | 1, 64, 64, 32);
    good(t, 0, req_attach(1ULL << 32 | 1, 1ULL << 32 | 2, 64, 64, XR24));
    good(t, 0, req_attach(1, 1, 64, 64, XR24));
    good(t, 0, req_destroy(1ULL << 32 | 1));
    refused(t, 0, req_flip(1ULL << 32 | 2), -ENOENT);
    good(t, 0, req_flip(2));
    good(t, 0, req_flip(1));
}

/* Invariant 3: guests recycle references at once */
static void test_inv3_recycled(Test *t, gconstpointer data)
{
    uint32_t refs[4], before[4], dir, i, j, round, recycled = 0;

    for (round = 0; round < 5; round++) {
        dir = fake_grants_make_directory(t->grants, 4, refs);
        for (i = 0; i < 4; i++) {
            memset(fake_grants_page(t->grants, refs[i]), 16 * round + i, PAGE);
            for (j = 0; round && j < 4; j++) {
                recycled += refs[i] == before[j];
            }
        }
        memcpy(before, refs, sizeof(refs));
        good(t, 0, req_create(1, 64, 64, 32, 16384, dir, 0));
        good(t, 0, req_attach(1, 2, 64, 64, XR24));
        good(t, 0, req_config(2, 0, 0, 64, 64));
        for (i = 0; i < 3; i++) {
            g_assert_cmpuint(t->screen[0].data[PAGE * i + 7], ==,
                             16 * round + i);
        }
        good(t, 0, req_destroy(1));
        g_assert_true(fake_grants_end_directory(t->grants, dir, 4));
    }
    g_assert_cmpuint(recycled, >=, 4);
}

/* Invariant 1: growth has bounds */
static void test_inv1_quotas(void)
{
    static const XenDisplifLimits limits = {
        .max_buffers = 3,
        .max_framebuffers = 5,
        .max_total_pages = 10,
    };
    XenDisplifStats stats;
    uint32_t dir, i;
    Test t;

    setup_limits(&t, &limits);
    dir = fake_grants_make_directory(t.grants, 4, NULL);
    good(&t, 0, req_create(1, 64, 64, 32, 16384, dir, 0));
    good(&t, 0, req_create(2, 64, 64, 32, 16384, dir, 0));
    refused(&t, 0, req_create(3, 64, 64, 32, 16384, dir, 0), -ENOSPC);
    refused(&t, 0, req_create(3, 0, 0, 0, UINT32_MAX, dir, 0), -ENOSPC);
    good(&t, 0, req_create(3, 32, 32, 32, 4096, dir, 0));
    xen_displif_stats(t.card, &stats);
    g_assert_cmpuint(stats.total_pages, ==, 9);
    refused(&t, 0, req_create(4, 32, 32, 32, 4096, dir, 0), -ENOSPC);
    g_assert_cmpstr(t.last_why, ==, "too many buffers");

    for (i = 0; i < 5; i++) {
        good(&t, 0, req_attach(1 + i % 3, 10 + i, 32, 32, XR24));
    }
    refused(&t, 0, req_attach(1, 20, 32, 32, XR24), -ENOSPC);

    /* What is given back can be had again */
    good(&t, 0, req_destroy(1));
    xen_displif_stats(t.card, &stats);
    g_assert_cmpuint(stats.framebuffers, ==, 3);
    g_assert_cmpuint(stats.total_pages, ==, 5);
    good(&t, 0, req_create(4, 64, 64, 32, 16384, dir, 0));
    good(&t, 0, req_attach(4, 20, 32, 32, XR24));
    good(&t, 0, req_attach(4, 21, 32, 32, XR24));
    refused(&t, 0, req_attach(4, 22, 32, 32, XR24), -ENOSPC);
    teardown(&t, NULL);
}

/* Rings */

static void test_ring_wrap(Test *t, gconstpointer data)
{
    uint32_t i;

    xen_displif_reset(t->card);
    front_attach(t, 0, UINT32_MAX - 20);
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    for (i = 0; i < 100; i++) {
        good(t, 0, req_flip(2));
        done(t, 0, 2);
        refused(t, 0, req_flip(3), -ENOENT);
    }
    g_assert_cmpuint(t->front[0].sring->rsp_prod, <, 1000);
}

/* Invariant 5: one response each, and one notification for all of them */
static void test_inv5_batch(Test *t, gconstpointer data)
{
    char *ring = (char *)t->front[0].sring + 64;
    struct xendispl_resp rsp;
    uint32_t i, base;
    bool more;

    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    base = t->front[0].sring->rsp_prod;
    t->front[0].sring->rsp_event = base + 1;
    t->screen[0].request_kicks = 0;
    t->answers = 0;
    for (i = 0; i < 32; i++) {
        t->front[0].id = 1000 + 7 * i;
        send_req(t, 0, i % 2 ? req_flip(2) : req_detach(3));
    }
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 32);
    g_assert_false(more);
    g_assert_cmpuint(t->answers, ==, 32);
    g_assert_cmpuint(t->screen[0].request_kicks, ==, 1);
    g_assert_cmpuint(t->front[0].sring->rsp_prod, ==, base + 32);
    for (i = 0; i < 32; i++) {
        memcpy(&rsp, ring + (base + i) % 32 * 64, 64);
        g_assert_cmpuint(rsp.id, ==, 1000 + 7 * i);
        g_assert_cmpuint(rsp.operation, ==,
                         i % 2 ? XENDISPL_OP_PG_FLIP : XENDISPL_OP_FB_DETACH);
        g_assert_cmpint(rsp.status, ==, i % 2 ? 0 : -ENOENT);
    }
    for (i = 0; i < 16; i++) {
        done(t, 0, 2);
    }

    /* Nothing there: nothing happens, nobody is notified */
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 0);
    g_assert_false(more);
    /* A frontend that polls is not notified */
    t->front[0].sring->rsp_event = base;
    send_req(t, 0, req_flip(3));
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 1);
    g_assert_cmpuint(t->screen[0].request_kicks, ==, 1);
}

static void send_another(Test *t)
{
    send_req(t, 0, req_flip(3));
}

/* Invariant 1: a guest that never stops asking does not keep the loop */
static void test_inv1_endless(Test *t, gconstpointer data)
{
    bool more = false;
    uint32_t i;

    t->on_answer = send_another;
    send_req(t, 0, req_flip(3));
    for (i = 0; i < 10; i++) {
        t->answers = 0;
        g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 32);
        g_assert_cmpuint(t->answers, ==, 32);
        g_assert_true(more);
    }
    t->on_answer = NULL;
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 1);
    g_assert_false(more);
}

/* Invariant 1: a broken ring is nobody else's affair */
static void test_inv1_broken_ring(Test *t, gconstpointer data)
{
    uint8_t before[PAGE];
    bool more = true;
    uint32_t i;

    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    good(t, 1, req_config(2, 0, 0, 64, 64));
    good(t, 0, req_flip(2));

    t->front[0].sring->req_prod += 33;
    memcpy(before, t->front[0].sring, PAGE);
    t->answers = 0;
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, -EPROTO);
    g_assert_false(more);
    for (i = 0; i < 5; i++) {
        more = true;
        g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 0);
        g_assert_false(more);
        t->front[0].sring->req_prod -= 7;
        ((struct xen_displif_sring *)before)->req_prod -= 7;
    }
    g_assert_cmpuint(t->answers, ==, 0);
    g_assert_cmpmem(before, PAGE, t->front[0].sring, PAGE);

    /* Its events and the other connector go on */
    done(t, 0, 2);
    good(t, 1, req_flip(2));
    done(t, 1, 2);

    /* Until the next connection */
    xen_displif_reset(t->card);
    front_attach(t, 0, 0);
    create(t, 1, 64, 64, 32);
}

/* A batch that ends in nonsense: what was right in it was answered */
static void break_ring(Test *t)
{
    t->front[0].sring->req_prod += 100;
}

static void test_inv1_broken_batch(Test *t, gconstpointer data)
{
    bool more;

    send_req(t, 0, req_flip(3));
    send_req(t, 0, req_flip(3));
    t->on_answer = break_ring;
    g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, -EPROTO);
    g_assert_cmpuint(t->answers, ==, 1);
    g_assert_cmpuint(t->front[0].sring->rsp_prod, ==, 1);
    g_assert_cmpuint(t->screen[0].request_kicks, ==, 1);
}

static void scribble(FakeGrants *grants, const uint32_t *refs, uint32_t count,
                     void *opaque)
{
    Test *t = opaque;

    memset((char *)t->front[0].sring + 64, 0xff, PAGE - 64);
    t->front[0].sring->rsp_prod = 0x12345678;
}

/* Invariant 1: a request that changes while it is carried out */
static void test_inv1_copy_once(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);

    t->grants->on_map = scribble;
    t->grants->hook_opaque = t;
    good(t, 0, req_create(1, 64, 64, 32, 16384, dir, 0));
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 4, 5, 64, 64));
    assert_shows(t, 0, 2, 5 * 256 + 16, 256, 60, 48);
    good(t, 0, req_flip(2));
    done(t, 0, 2);
    good(t, 0, req_destroy(1));
}

/* Events */

/* Invariant 5: event ids have no gaps, however full the page is */
static void test_inv5_event_ids(Test *t, gconstpointer data)
{
    uint32_t full = 0, flips = 0;
    XenDisplifStats stats;
    int ret;

    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_config(2, 0, 0, 64, 64));
    while (t->front[0].events < 70000) {
        uint32_t burst = g_test_rand_int_range(1, 90);

        while (burst--) {
            ret = xen_displif_flips_pending(t->card, 0);
            if (ret < XEN_DISPLIF_MAX_PENDING_FLIPS) {
                good(t, 0, req_flip(2));
                flips++;
            } else {
                refused(t, 0, req_flip(2), -EBUSY);
            }
            ret = xen_displif_flip_done(t->card, 0);
            if (ret < 0) {
                g_assert_cmpint(ret, ==, -EAGAIN);
                g_assert_cmpuint(t->front[0].evt->in_prod -
                                 t->front[0].evt->in_cons, ==, 63);
                full++;
            }
        }
        burst = g_test_rand_int_range(0, 90);
        while (burst-- &&
               t->front[0].events != t->front[0].evt->in_prod) {
            take_event(t, 0, 2);
        }
    }
    g_assert_cmpuint(full, >, 100);
    xen_displif_stats(t->card, &stats);
    g_assert_cmpuint(stats.flips, ==, flips);
    g_assert_cmpuint(stats.events, ==, t->front[0].evt->in_prod);
    g_assert_cmpuint(stats.events + xen_displif_flips_pending(t->card, 0), ==,
                     flips);
}

static void test_event_garbage(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_flip(2));
    t->front[0].evt->in_cons = 99;
    g_assert_cmpint(xen_displif_flip_done(t->card, 0), ==, -EAGAIN);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, 0), ==, 1);
    g_assert_cmpuint(t->screen[0].event_kicks, ==, 0);
    t->front[0].evt->in_cons = 0;
    done(t, 0, 2);
    assert_no_event(t, 0);
}

/* A flip between known framebuffers maps nothing */
static void test_flip_maps_nothing(Test *t, gconstpointer data)
{
    XenPgdirStats before, after;
    uint64_t map_calls, unmap_calls;
    uint32_t i;

    for (i = 0; i < 2; i++) {
        create(t, 1 + i, 1920, 1080, 32);
        good(t, 0, req_attach(1 + i, 11 + i, 1920, 1080, XR24));
    }
    good(t, 1, req_config(11, 0, 0, 1920, 1080));
    for (i = 0; i < 2; i++) {
        good(t, 1, req_flip(11 + i));
        done(t, 1, 11 + i);
    }
    g_assert_cmpuint(t->grants->live_pages, ==, 2 * 2025);
    map_calls = t->grants->map_calls;
    unmap_calls = t->grants->unmap_calls;
    xen_pgdir_mapper_stats(t->mapper, &before);
    for (i = 0; i < 10000; i++) {
        good(t, 1, req_flip(11 + i % 2));
        g_assert_cmpuint(t->screen[1].scanout.fb_cookie, ==, 11 + i % 2);
        done(t, 1, 11 + i % 2);
    }
    xen_pgdir_mapper_stats(t->mapper, &after);
    g_assert_cmpuint(t->grants->map_calls, ==, map_calls);
    g_assert_cmpuint(t->grants->unmap_calls, ==, unmap_calls);
    g_assert_cmpuint(after.hits, ==, before.hits + 10000);
    g_assert_cmpuint(after.misses, ==, before.misses);
}

/* Faults of the host */

static void test_map_faults(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 2025, NULL);
    uint32_t size = 1920 * 1080 * 4, nth;
    int32_t status;

    /* Two directory pages, one after the other */
    for (nth = 1; nth <= 2; nth++) {
        fake_grants_refuse(t->grants, nth, -EFAULT);
        refused(t, 0, req_create(1, 1920, 1080, 32, size, dir, 0), -EFAULT);
        g_assert_cmpuint(t->grants->live_maps, ==, 0);
    }
    good(t, 0, req_create(1, 1920, 1080, 32, size, dir, 0));
    good(t, 0, req_attach(1, 2, 1920, 1080, XR24));

    /* The view of the first modeset */
    fake_grants_refuse(t->grants, 1, -EFAULT);
    status = call(t, 1, req_config(2, 0, 0, 1920, 1080));
    g_assert_cmpint(status, ==, -EFAULT);
    g_assert_false(t->screen[1].on);
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
    good(t, 1, req_config(2, 0, 0, 1920, 1080));
    g_assert_true(t->screen[1].on);

    /* The view of a flip: the old picture stays, and no event is owed */
    create(t, 3, 1920, 1080, 32);
    good(t, 0, req_attach(3, 4, 1920, 1080, XR24));
    fake_grants_refuse(t->grants, 1, -EFAULT);
    refused(t, 1, req_flip(4), -EFAULT);
    assert_shows(t, 1, 2, 0, 7680, 1920, 1080);
    assert_no_event(t, 1);
    good(t, 1, req_flip(4));
    assert_shows(t, 1, 4, 0, 7680, 1920, 1080);
    done(t, 1, 4);

    good(t, 0, req_destroy(1));
    good(t, 0, req_destroy(3));
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
}

/* The end of a connection */

static void test_inv2_reset(Test *t, gconstpointer data)
{
    XenDisplifStats stats;
    uint32_t dir, round;
    bool more;

    for (round = 0; round < 3; round++) {
        dir = create(t, 1, 64, 64, 32);
        good(t, 0, req_attach(1, 2, 64, 64, XR24));
        good(t, 0, req_config(2, 5, 5, 64, 64));
        good(t, 2, req_config(2, 0, 0, 64, 64));
        good(t, 0, req_flip(2));
        good(t, 0, req_flip(2));
        done(t, 0, 2);
        /* An unanswered request, and a flip without its event */
        send_req(t, 0, req_flip(2));

        t->screen[2].refuse = round == 1 ? -EIO : 0;
        xen_displif_reset(t->card);
        t->screen[2].refuse = 0;
        g_assert_cmpuint(t->grants->live_pages, ==, 0);
        g_assert_cmpuint(t->screen[0].offs, ==, round + 1);
        g_assert_cmpuint(t->screen[1].offs, ==, 0);
        assert_no_event(t, 2);
        g_assert_cmpint(xen_displif_flip_done(t->card, 0), ==, -ENOENT);
        more = true;
        g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 0);
        g_assert_false(more);
        xen_displif_stats(t->card, &stats);
        g_assert_cmpuint(stats.buffers, ==, 0);
        g_assert_cmpuint(stats.framebuffers, ==, 0);
        g_assert_cmpuint(stats.total_pages, ==, 0);
        g_assert_true(fake_grants_end_directory(t->grants, dir, 4));

        /* Again, and half attached */
        xen_displif_reset(t->card);
        g_assert_cmpuint(t->screen[0].offs, ==, round + 1);
        front_attach(t, 1, 0);
        xen_displif_reset(t->card);

        /* A new connection: ids of events start at 0, connectors are off */
        front_attach(t, 0, 0);
        front_attach(t, 1, 0);
        front_attach(t, 2, 0);
        refused(t, 0, req_flip(2), -ENOENT);
        create(t, 1, 64, 64, 32);
        good(t, 0, req_attach(1, 2, 64, 64, XR24));
        good(t, 0, req_flip(2));
        g_assert_false(t->screen[0].on);
        done(t, 0, 2);
        good(t, 0, req_destroy(1));
    }
}

static void test_inv2_free(void)
{
    static const XenDisplifLimits limits = { 4, 4, 100 };
    Test t;

    xen_displif_free(NULL);

    /* Freed as it is, with a picture on screen and the view held */
    setup_limits(&t, &limits);
    t.hold_views = true;
    create(&t, 1, 64, 64, 32);
    good(&t, 0, req_attach(1, 2, 64, 64, XR24));
    good(&t, 0, req_config(2, 0, 0, 64, 64));
    good(&t, 0, req_flip(2));
    t.screen[0].refuse = -EIO;
    teardown(&t, NULL);
}

/* Invariants 1, 2, 4 and 5 under a guest that asks for anything */
static void test_monkey(Test *t, gconstpointer data)
{
    static const uint32_t size[] = { 1, 8, 31, 32, 33, 64, 65, UINT32_MAX };
    static const uint32_t bytes[] = { 4096, 4097, 12288, 16384, UINT32_MAX };
    static const uint32_t bpp[] = { 16, 32, 32, 32, 24 };
    static const uint32_t format[] = { XR24, XR24, XR24, RG16, WHATEVER };
    uint32_t good_count = 0, dirs[3], links[2], i;
    bool alloc = data != NULL;
    XenDisplifStats stats;

    for (i = 0; i < 3; i++) {
        dirs[i] = fake_grants_make_directory(t->grants, 4, NULL);
    }
    for (i = 0; i < 2; i++) {
        links[i] = fake_grants_link_directory(t->grants, 4);
    }
    xen_displif_set_backend_alloc(t->card, alloc);

#define ANY(array) ((array)[g_test_rand_int_range(0, ARRAY_SIZE(array))])
    for (i = 0; i < 50000; i++) {
        uint32_t connector = g_test_rand_int_range(0, CONNECTORS);
        uint32_t dbuf = g_test_rand_int_range(0, 4);
        uint32_t fb = g_test_rand_int_range(0, 6);
        struct xendispl_req req;
        bool import;

        switch (g_test_rand_int_range(0, 9)) {
        case 0:
            import = g_test_rand_int_range(0, 4) == 0;
            req = req_create(dbuf, import ? 0 : ANY(size),
                             import ? 0 : ANY(size), import ? 0 : ANY(bpp),
                             ANY(bytes), ANY(dirs),
                             g_test_rand_int_range(0, 3) ? 0 :
                             g_test_rand_int_range(0, 20000));
            if (alloc && g_test_rand_int_range(0, 2)) {
                req.op.dbuf_create.gref_directory = ANY(links);
            } else if (alloc) {
                req.op.dbuf_create.flags = 0;
            }
            connector = 0;
            break;
        case 1:
            req = req_destroy(dbuf);
            connector = 0;
            break;
        case 2:
        case 3:
            req = req_attach(dbuf, fb, ANY(size), ANY(size), ANY(format));
            connector = 0;
            break;
        case 4:
            req = req_detach(fb);
            break;
        case 5:
            req = req_config(fb, g_test_rand_int_range(0, 40),
                             g_test_rand_int_range(0, 40), ANY(size),
                             ANY(size));
            break;
        case 6:
        case 7:
            req = req_flip(fb);
            break;
        default:
            req = new_req(g_test_rand_int());
            break;
        }
        if (g_test_rand_int_range(0, 50) == 0) {
            fake_grants_refuse(t->grants, 1, -EFAULT);
        }
        if (g_test_rand_int_range(0, 50) == 0) {
            fake_grants_refuse_share(t->grants, 1, -ENOSPC);
        }
        t->hold_views = g_test_rand_int_range(0, 2);
        good_count += call(t, connector, req) == 0;
        if (g_test_rand_int_range(0, 3)) {
            if (xen_displif_flip_done(t->card, connector) == 0) {
                t->front[connector].evt->in_cons++;
            }
        }

        xen_displif_stats(t->card, &stats);
        g_assert_cmpuint(stats.buffers, <=, 3);
        g_assert_cmpuint(stats.framebuffers, <=, 5);
        g_assert_cmpuint(stats.total_pages, <=, 3 * 4);
        g_assert_cmpuint(t->grants->live_writable, ==, 0);
        if (stats.buffers == 0) {
            g_assert_cmpuint(t->grants->live_pages, ==, 0);
            g_assert_cmpuint(t->grants->shared_pages, ==, 0);
        }
    }
#undef ANY
    g_assert_cmpuint(good_count, >, 1000);
    g_assert_true(alloc == (t->grants->share_calls > 100));
}

/* Faults */

typedef struct FaultMode {
    const char *title;
    uint32_t pages;             /* of a buffer; a row each */
    uint32_t max_map_count;
    bool no_replace;
} FaultMode;

static const FaultMode fault_modes[] = {
    { "display", 1100 },
    { "display, page by page", 20, 1 },
    { "display, without replace", 1100, 0, true },
};

static void setup_faults(Test *t, gconstpointer data)
{
    const FaultMode *mode = data;
    XenPgdirGrantOps ops = fake_grants_ops;

    if (mode->no_replace) {
        ops.replace = NULL;
    }
    setup_full(t, &usual_limits, &ops, mode->max_map_count);
    t->fault_mode = mode;
    xen_displif_set_backend_alloc(t->card, true);
    t->edid_size = 256;
}

static void step(Test *t, uint32_t connector, struct xendispl_req req,
                 bool faulty)
{
    int32_t status = call(t, connector, req);

    if (!faulty) {
        g_assert_cmpstr(t->last_why, ==, NULL);
        g_assert_cmpint(status, ==, 0);
    }
    if (xen_displif_flips_pending(t->card, connector)) {
        g_assert_cmpint(xen_displif_flip_done(t->card, connector), ==, 0);
    }
}

/* The guest's own pages, where the other kind is allowed, too */
static struct xendispl_req req_own(uint64_t cookie, uint32_t pages,
                                   uint32_t dir)
{
    struct xendispl_req req = req_create(cookie, 1024, pages, 32,
                                         pages * PAGE, dir, 0);

    req.op.dbuf_create.flags = ~XENDISPL_DBUF_FLG_REQ_ALLOC;
    return req;
}

/* Buffers of both kinds, shown by turns */
static void use_display(Test *t, uint32_t pages, uint32_t dir,
                        uint32_t links, uint32_t edid, bool faulty)
{
    step(t, 0, req_own(1, pages, dir), faulty);
    step(t, 0, req_alloc(2, 1024, pages, 32, pages * PAGE, links),
         faulty);
    step(t, 0, req_attach(1, 11, 1024, pages, XR24), faulty);
    step(t, 0, req_attach(2, 12, 1024, pages, XR24), faulty);
    step(t, 1, req_edid(XENDISPL_EDID_MAX_SIZE, edid), faulty);
    step(t, 1, req_config(11, 0, 0, 1024, pages), faulty);
    step(t, 1, req_flip(12), faulty);
    step(t, 1, req_flip(11), faulty);
    step(t, 2, req_config(12, 5, 10, 1024, pages), faulty);
    /* Both are looked at still */
    t->hold_views = true;
    step(t, 0, req_destroy(1), faulty);
    step(t, 0, req_destroy(2), faulty);
    t->hold_views = false;
    step(t, 1, req_off(), faulty);
    step(t, 0, req_own(3, pages, dir), faulty);
    step(t, 0, req_attach(3, 13, 1024, pages, XR24), faulty);
    step(t, 1, req_config(13, 0, 0, 1024, pages), faulty);
}

static void display_cycle(void *opaque, bool faulty)
{
    Test *t = opaque;
    uint32_t pages = t->fault_mode->pages;
    uint32_t dir = fake_grants_make_directory(t->grants, pages, NULL);
    uint32_t links = fake_grants_link_directory(t->grants, pages);
    uint32_t edid = fake_grants_make_directory(t->grants, 8, NULL);
    XenDisplifStats stats;
    uint32_t i;

    for (i = 0; i < CONNECTORS; i++) {
        front_attach(t, i, 0);
    }
    use_display(t, pages, dir, links, edid, faulty);
    xen_displif_reset(t->card);

    xen_displif_stats(t->card, &stats);
    g_assert_cmpuint(stats.buffers, ==, 0);
    g_assert_cmpuint(stats.framebuffers, ==, 0);
    g_assert_cmpuint(stats.total_pages, ==, 0);
    g_assert_true(fake_grants_end_directory(t->grants, dir, pages));
    g_assert_true(fake_grants_end_links(t->grants, links,
                      DIV_ROUND_UP(pages, XEN_PGDIR_REFS_PER_PAGE)));
    g_assert_true(fake_grants_end_directory(t->grants, edid, 8));
    for (i = 0; i < CONNECTORS; i++) {
        g_clear_pointer(&t->screen[i].view, xen_pgdir_view_unref);
    }
}

static void test_faults(Test *t, gconstpointer data)
{
    /* Directories, views, EDID; references; copies */
    g_assert_cmpuint(faults_in_turn(t->grants, t->fault_mode->title,
                                    display_cycle, t), >=, 30);
}

/* What the monitor asks for */

static void count_visit(const XenDisplifBufferInfo *info, void *opaque)
{
    XenDisplifBufferInfo *seen = opaque;

    seen[info->fb_cookie ? 1 : 0] = *info;
}

static void test_info(Test *t, gconstpointer data)
{
    XenDisplifConnectorInfo info;
    XenDisplifBufferInfo seen[2];
    uint32_t dir;

    dir = create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 60, 50, XR24));
    xen_displif_connector_info(t->card, 1, &info);
    g_assert_true(info.connected);
    g_assert_false(info.broken);
    g_assert_false(info.enabled);
    g_assert_cmpuint(info.shown_dbuf, ==, 0);
    g_assert_cmpuint(info.width, ==, 1920);
    g_assert_cmpuint(info.height, ==, 1080);

    good(t, 1, req_config(2, 7, 9, 60, 50));
    good(t, 1, req_flip(2));
    xen_displif_connector_info(t->card, 1, &info);
    g_assert_true(info.enabled);
    g_assert_cmpuint(info.x, ==, 7);
    g_assert_cmpuint(info.y, ==, 9);
    g_assert_cmpuint(info.shown_dbuf, ==, 1);
    g_assert_cmpuint(info.flips_pending, ==, 1);
    g_assert_cmpuint(info.events, ==, 0);
    done(t, 1, 2);
    xen_displif_connector_info(t->card, 1, &info);
    g_assert_cmpuint(info.flips_pending, ==, 0);
    g_assert_cmpuint(info.events, ==, 1);

    xen_displif_visit(t->card, count_visit, seen);
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

    xen_displif_attach(t->card, CONNECTORS, t->front[0].sring,
                       t->front[0].evt);
    send_req(t, 0, req_off());
    g_assert_cmpint(xen_displif_process(t->card, CONNECTORS, &more), ==, 0);
    g_assert_false(more);
    g_assert_cmpuint(t->answers, ==, 0);
    g_assert_cmpint(xen_displif_flip_done(t->card, CONNECTORS), ==, -ENOENT);
    g_assert_cmpuint(xen_displif_flips_pending(t->card, CONNECTORS), ==, 0);
    memset(&info, 0xa5, sizeof(info));
    xen_displif_connector_info(t->card, CONNECTORS, &info);
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

    ops.enough = always_enough;
    xen_displif_free(t->card);
    t->card = xen_displif_new(&ops, t, t->mapper, &usual_limits);
    g_assert_cmpuint(xen_displif_add_connector(t->card, 64, 48), ==, 0);
    front_attach(t, 0, 0);
    for (i = 0; i < 3; i++) {
        send_req(t, 0, req_off());
    }
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xen_displif_process(t->card, 0, &more), ==, 1);
        g_assert_true(more == (i < 2));
    }
    g_assert_cmpuint(t->answers, ==, 3);
    xen_displif_free(g_steal_pointer(&t->card));
}

/* An owner may have no EDID at all */
static void test_edid_none(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 1, NULL);
    XenDisplifOps ops = rec_ops;

    ops.edid = NULL;
    xen_displif_free(t->card);
    t->card = xen_displif_new(&ops, t, t->mapper, &usual_limits);
    g_assert_cmpuint(xen_displif_add_connector(t->card, 64, 48), ==, 0);
    front_attach(t, 0, 0);
    refused(t, 0, req_edid(XENDISPL_EDID_MAX_SIZE, dir), -EOPNOTSUPP);
    g_assert_cmpuint(t->grants->map_calls, ==, 0);
    xen_displif_free(g_steal_pointer(&t->card));
}

#define ADD(name, fn) \
    g_test_add("/xen/displif/" name, Test, NULL, setup, fn, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("life", test_life);
    ADD("create/bad", test_bad_create);
    ADD("create/size-matrix", test_size_matrix);
    ADD("create/stride", test_stride);
    ADD("create/data-ofs", test_data_ofs);
    ADD("import/stride", test_import);
    ADD("import/bounds", test_import_bounds);
    ADD("attach/bad", test_bad_attach);
    ADD("destroy/bad", test_bad_destroy);
    ADD("config", test_config);
    ADD("flip/while-off", test_flip_while_off);
    ADD("flip/pending", test_flip_pending);
    ADD("flip/maps-nothing", test_flip_maps_nothing);
    ADD("show-fails", test_show_fails);
    ADD("operations", test_operations);
    ADD("alloc/ignored", test_alloc_ignored);
    ADD("alloc/life", test_alloc_life);
    ADD("alloc/bad", test_alloc_bad);
    ADD("alloc/reset", test_alloc_reset);
    ADD("edid/life", test_edid);
    ADD("edid/bad", test_edid_bad);
    ADD("edid/none", test_edid_none);
    ADD("info", test_info);
    ADD("no-connector", test_no_connector);
    ADD("enough", test_enough);
    ADD("two-connectors", test_two_connectors);
    ADD("cookies", test_cookies);
    ADD("ring-wrap", test_ring_wrap);
    ADD("event-garbage", test_event_garbage);
    ADD("map-faults", test_map_faults);
    ADD("inv1/endless", test_inv1_endless);
    ADD("inv1/broken-ring", test_inv1_broken_ring);
    ADD("inv1/broken-batch", test_inv1_broken_batch);
    ADD("inv1/copy-once", test_inv1_copy_once);
    g_test_add_func("/xen/displif/inv1/quotas", test_inv1_quotas);
    ADD("inv2/destroy-while-shown", test_inv2_destroy_while_shown);
    ADD("inv2/detach-while-shown", test_inv2_detach_while_shown);
    ADD("inv2/reset", test_inv2_reset);
    g_test_add_func("/xen/displif/inv2/free", test_inv2_free);
    ADD("inv3/recycled", test_inv3_recycled);
    ADD("inv5/batch", test_inv5_batch);
    ADD("inv5/event-ids", test_inv5_event_ids);
    ADD("monkey", test_monkey);
    g_test_add("/xen/displif/faults", Test, &fault_modes[0], setup_faults,
               test_faults, teardown);
    g_test_add("/xen/displif/inv6/faults", Test, &fault_modes[1],
               setup_faults, test_faults, teardown);
    g_test_add("/xen/displif/inv2/faults", Test, &fault_modes[2],
               setup_faults, test_faults, teardown);
    g_test_add("/xen/displif/alloc/monkey", Test, "alloc", setup, test_monkey,
               teardown);
    return g_test_run();
}
