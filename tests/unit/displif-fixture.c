/*
 * A device, its owner and its guest, for tests of the engine of PV displays
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "displif-fixture.h"

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
    uint64_t length, start;
    XenPgdirView *view;
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
    start = (uint64_t)scanout->x * scanout->cpp;
    g_assert_cmpuint(scanout->offset, >=, start);
    start = scanout->offset - start;
    g_assert_cmpuint(start + (uint64_t)scanout->stride * scanout->height, <=,
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
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, connector), >, 0);
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
    g_strlcpy(t->last_why, why ? why : "", sizeof(t->last_why));
    if (t->on_answer) {
        t->on_answer(t);
    }
}

const XenDisplifOps rec_ops = {
    .format_cpp = rec_format_cpp,
    .show = rec_show,
    .keep = rec_keep,
    .edid = rec_edid,
    .flipped = rec_flipped,
    .requests.notify = rec_notify_request,
    .notify_event = rec_notify_event,
    .requests.answered = rec_answered,
};

/* Fixture */

void front_attach(Test *t, uint32_t connector, uint32_t start)
{
    FakeFront *front = &t->front[connector];

    fake_front_reset(front, start);
    xen_displif_attach(t->disp, connector, front->sring, front->evt);
}

void setup_full(Test *t, const XenDisplifLimits *limits,
                const XenPgdirGrantOps *ops, uint32_t max_map_count)
{
    static const uint32_t size[CONNECTORS][2] = {
        { 64, 48 }, { 1920, 1080 }, { 100, 100 }
    };
    XenPgdirConfig config = {
        .size = sizeof(config),
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
    t->disp = xen_displif_new(&rec_ops, t, t->mapper, limits);
    for (i = 0; i < CONNECTORS; i++) {
        fake_front_init(&t->front[i]);
        t->front[i].id = 0xfff8;
        g_assert_cmpuint(xen_displif_add_connector(t->disp, size[i][0],
                                                   size[i][1]), ==, i);
        front_attach(t, i, 0);
    }
}

void setup_limits(Test *t, const XenDisplifLimits *limits)
{
    setup_full(t, limits, &fake_grants_ops, 0);
}

const XenDisplifLimits usual_limits = {
    .max_buffers = 16,
    .max_framebuffers = 16,
    .max_total_pages = 10000,
};

void setup(Test *t, gconstpointer data)
{
    setup_limits(t, &usual_limits);
}

void teardown(Test *t, gconstpointer data)
{
    uint32_t i;

    /* Invariant 4, over whatever the test did */
    g_assert_cmpuint(t->grants->live_writable, ==, 0);

    xen_displif_free(t->disp);
    /* Invariant 2: views may be held still, but no page */
    g_assert_cmpuint(t->grants->live_pages, ==, 0);
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
    for (i = 0; i < CONNECTORS; i++) {
        xen_pgdir_view_unref(t->screen[i].view);
        fake_front_free(&t->front[i]);
    }
    xen_pgdir_mapper_unref(t->mapper);
    fake_grants_free(t->grants);
}

/* The guest's side */

struct xendispl_req new_req(uint8_t operation)
{
    struct xendispl_req req;

    /* Linux leaves in a slot what was there before */
    memset(&req, 0xa5, sizeof(req));
    req.operation = operation;
    return req;
}

void send_req(Test *t, uint32_t connector, struct xendispl_req req)
{
    fake_front_send(&t->front[connector], &req);
}

/* Check the whole response to the last request, and return its status */
static int32_t check_rsp(Test *t, uint32_t connector, uint8_t operation)
{
    bool edid = operation == XENDISPL_OP_GET_EDID && t->last_status == 0;
    struct xendispl_resp rsp;

    fake_front_response(&t->front[connector], operation,
                        edid ? sizeof(rsp.op.get_edid) : 0, &rsp);
    t->last_edid_size = edid ? rsp.op.get_edid.edid_sz : 0;
    g_assert_cmpint(rsp.status, ==, t->last_status);
    g_assert_cmpuint(rsp.id, ==, t->last_id);
    g_assert_cmpuint(rsp.operation, ==, t->last_operation);
    g_assert_cmpuint(connector, ==, t->last_connector);
    return rsp.status;
}

int32_t call(Test *t, uint32_t connector, struct xendispl_req req)
{
    Screen *screen = &t->screen[connector];
    uint32_t kicks = screen->request_kicks;
    XenDisplifStats before, after;
    bool more = true;
    int32_t status;

    xen_displif_stats(t->disp, &before);
    fake_front_want_notify(&t->front[connector]);
    send_req(t, connector, req);
    g_assert_cmpint(xen_displif_process(t->disp, connector, &more), ==, 1);
    g_assert_false(more);
    g_assert_cmpuint(screen->request_kicks, ==, kicks + 1);
    g_assert_cmpuint(t->front[connector].sring->req_event, ==,
                     t->front[connector].sring->req_prod + 1);
    status = check_rsp(t, connector, req.operation);
    xen_displif_stats(t->disp, &after);
    g_assert_cmpuint(after.requests, ==, before.requests + 1);
    g_assert_cmpuint(after.refused, ==, before.refused + (status < 0));
    return status;
}

/* A request that must be refused with that status, and change nothing */
void refused(Test *t, uint32_t connector, struct xendispl_req req,
             int32_t status)
{
    Screen before[CONNECTORS];
    XenDisplifStats was, now;
    uint64_t live_pages = t->grants->live_pages;
    uint64_t shared_pages = t->grants->shared_pages;
    uint32_t i;

    memcpy(before, t->screen, sizeof(before));
    xen_displif_stats(t->disp, &was);
    g_assert_cmpint(call(t, connector, req), ==, status);
    xen_displif_stats(t->disp, &now);
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

struct xendispl_req req_create(uint64_t cookie, uint32_t width,
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

struct xendispl_req req_destroy(uint64_t cookie)
{
    struct xendispl_req req = new_req(XENDISPL_OP_DBUF_DESTROY);

    req.op.dbuf_destroy.dbuf_cookie = cookie;
    return req;
}

struct xendispl_req req_attach(uint64_t dbuf, uint64_t fb,
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

struct xendispl_req req_detach(uint64_t fb)
{
    struct xendispl_req req = new_req(XENDISPL_OP_FB_DETACH);

    req.op.fb_detach.fb_cookie = fb;
    return req;
}

struct xendispl_req req_config(uint64_t fb, uint32_t x, uint32_t y,
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

struct xendispl_req req_off(void)
{
    return req_config(0, 0, 0, 0, 0);
}

struct xendispl_req req_flip(uint64_t fb)
{
    struct xendispl_req req = new_req(XENDISPL_OP_PG_FLIP);

    req.op.pg_flip.fb_cookie = fb;
    return req;
}

uint32_t pages_of(uint32_t size)
{
    return size / PAGE + (size % PAGE != 0);
}

/* Create a buffer of fresh pages; returns its directory */
uint32_t create(Test *t, uint64_t cookie, uint32_t width,
                uint32_t height, uint32_t bpp)
{
    uint32_t size = width * (bpp / 8) * height;
    uint32_t dir = fake_grants_make_directory(t->grants, pages_of(size), NULL);

    g_assert_cmpint(call(t, 0, req_create(cookie, width, height, bpp, size,
                                          dir, 0)), ==, 0);
    return dir;
}

void good(Test *t, uint32_t connector, struct xendispl_req req)
{
    g_assert_cmpint(call(t, connector, req), ==, 0);
}

/* Take the next event as Linux does; its cookie must be @fb */
void take_event(Test *t, uint32_t connector, uint64_t fb)
{
    FakeFront *front = &t->front[connector];
    struct xendispl_evt want = { .id = (uint16_t)front->events };

    want.op.pg_flip.fb_cookie = fb;
    g_assert_cmpuint(front->evt->in_prod, !=, front->events);
    g_assert_cmpmem(&front->evt->slot[front->events % 63], 64, &want, 64);
    front->events++;
    front->evt->in_cons = front->events;
}

void done(Test *t, uint32_t connector, uint64_t fb)
{
    Screen *screen = &t->screen[connector];
    uint32_t kicks = screen->event_kicks;

    g_assert_cmpint(xen_displif_flip_done(t->disp, connector), ==, 0);
    g_assert_cmpuint(screen->event_kicks, ==, kicks + 1);
    take_event(t, connector, fb);
}

void assert_no_event(Test *t, uint32_t connector)
{
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, connector), ==, 0);
    g_assert_cmpint(xen_displif_flip_done(t->disp, connector), ==, -ENOENT);
    g_assert_cmpuint(t->front[connector].evt->in_prod, ==,
                     t->front[connector].events);
}

void assert_shows(Test *t, uint32_t connector, uint64_t fb,
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

struct xendispl_req req_alloc(uint64_t cookie, uint32_t width,
                              uint32_t height, uint32_t bpp,
                              uint32_t size, uint32_t dir)
{
    struct xendispl_req req = req_create(cookie, width, height, bpp, size,
                                         dir, 0);

    /* Whatever else is set there */
    req.op.dbuf_create.flags = 0xa5a5a5a4 | XENDISPL_DBUF_FLG_REQ_ALLOC;
    return req;
}

struct xendispl_req req_edid(uint32_t size, uint32_t dir)
{
    struct xendispl_req req = new_req(XENDISPL_OP_GET_EDID);

    req.op.get_edid.buffer_sz = size;
    req.op.get_edid.gref_directory = dir;
    return req;
}
