/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Benchmark of the protocol engine of PV displays: flips, buffers, allocation
 *
 *   bench-displif [--json FILE]
 *
 * The grants are fake: each map is a real mmap() of a memfd, populated, but
 * there is no hypercall, and no event channel is signalled.  Real grants make
 * every mapped page dearer, so what is saved by mapping none is understated.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/displif.h>

#include "hw/xen/xen-displif.h"
#include "../tests/unit/fake-front.h"
#include "../tests/unit/fake-grants.h"
#include "bench-util.h"

#define PAGE        4096
#define XR24        0x34325258
#define DOMAIN      20000

/* Flips of one sample, and samples of which the median is taken */
#define BATCH       1000
#define SAMPLES     201

#define FRAME_BYTES (1920 * 1080 * 4)

typedef struct Bench {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenDisplif *disp;
    FakeFront front;
    XenPgdirView *view;
    uint8_t *data;
    GString *json;
} Bench;

/* The owner: takes a view of what it is to show, as a console would */

static uint32_t bench_format_cpp(void *opaque, uint32_t format)
{
    return format == XR24 ? 4 : 0;
}

static int bench_show(void *opaque, uint32_t connector,
                      const XenDisplifScanout *scanout, bool flip)
{
    Bench *b = opaque;
    XenPgdirView *view = NULL;
    void *data = NULL;
    int ret;

    if (scanout) {
        ret = xen_pgdir_buffer_view(scanout->buffer, scanout->offset,
                                    (uint64_t)scanout->stride *
                                    scanout->height, &view, &data);
        if (ret < 0) {
            return ret;
        }
    }
    xen_pgdir_view_unref(b->view);
    b->view = view;
    b->data = data;
    return 0;
}

static void bench_keep(void *opaque, uint32_t connector)
{
    bench_show(opaque, connector, NULL, false);
}

static void bench_notify(void *opaque, uint32_t connector)
{
}

static void bench_answered(void *opaque, uint32_t connector, uint16_t id,
                           uint8_t operation, int32_t status, const char *why)
{
    must(status == 0, why);
}

static const XenDisplifOps bench_ops = {
    .format_cpp = bench_format_cpp,
    .show = bench_show,
    .keep = bench_keep,
    .flipped = bench_notify,
    .requests.notify = bench_notify,
    .notify_event = bench_notify,
    .requests.answered = bench_answered,
};

/* The guest */

static struct xendispl_req *next_slot(Bench *b, uint8_t operation)
{
    return fake_front_next(&b->front, operation);
}

static void handle(Bench *b)
{
    bool more;

    fake_front_want_notify(&b->front);
    fake_front_push(&b->front);
    xen_displif_process(b->disp, 0, &more);
    must(b->front.sring->rsp_prod == b->front.sring->req_prod, "request");
}

static void create_with(Bench *b, uint64_t cookie, uint32_t width,
                        uint32_t height, uint32_t dir, uint32_t flags)
{
    struct xendispl_req *req = next_slot(b, XENDISPL_OP_DBUF_CREATE);

    req->op.dbuf_create.dbuf_cookie = cookie;
    req->op.dbuf_create.width = width;
    req->op.dbuf_create.height = height;
    req->op.dbuf_create.bpp = 32;
    req->op.dbuf_create.buffer_sz = width * height * 4;
    req->op.dbuf_create.flags = flags;
    req->op.dbuf_create.gref_directory = dir;
    req->op.dbuf_create.data_ofs = 0;
    handle(b);
}

static void create(Bench *b, uint64_t cookie, uint32_t width, uint32_t height,
                   uint32_t dir)
{
    create_with(b, cookie, width, height, dir, 0);
}

static void destroy(Bench *b, uint64_t cookie)
{
    struct xendispl_req *req = next_slot(b, XENDISPL_OP_DBUF_DESTROY);

    req->op.dbuf_destroy.dbuf_cookie = cookie;
    handle(b);
}

static void attach(Bench *b, uint64_t dbuf, uint64_t fb, uint32_t width,
                   uint32_t height)
{
    struct xendispl_req *req = next_slot(b, XENDISPL_OP_FB_ATTACH);

    req->op.fb_attach.dbuf_cookie = dbuf;
    req->op.fb_attach.fb_cookie = fb;
    req->op.fb_attach.width = width;
    req->op.fb_attach.height = height;
    req->op.fb_attach.pixel_format = XR24;
    handle(b);
}

static void set_config(Bench *b, uint64_t fb)
{
    struct xendispl_req *req = next_slot(b, XENDISPL_OP_SET_CONFIG);

    memset(&req->op, 0, sizeof(req->op));
    req->op.set_config.fb_cookie = fb;
    handle(b);
}

static void flip(Bench *b, uint64_t fb)
{
    next_slot(b, XENDISPL_OP_PG_FLIP)->op.pg_flip.fb_cookie = fb;
    handle(b);
    xen_displif_flip_done(b->disp, 0);
    must(b->front.evt->in_prod == b->front.evt->in_cons + 1, "event");
    b->front.evt->in_cons++;
}

/* Flips between two known framebuffers, and copies of one beside them */
static void bench_flip(Bench *b, uint32_t dir)
{
    g_autofree uint8_t *copy = g_malloc(FRAME_BYTES);
    uint64_t map_calls, unmap_calls, mapped;
    Samples flips = { 0 }, copies = { 0 };
    uint32_t i, j, sum = 0;
    double start, f, c;

    for (i = 0; i < 2; i++) {
        create(b, 1 + i, 1920, 1080, dir);
        attach(b, 1 + i, 11 + i, 1920, 1080);
    }
    set_config(b, 11);
    flip(b, 12);
    flip(b, 11);
    memset(copy, 0, FRAME_BYTES);

    map_calls = b->grants->map_calls;
    unmap_calls = b->grants->unmap_calls;
    mapped = b->grants->mapped_pages;
    for (i = 0; i < SAMPLES; i++) {
        start = now_ns();
        for (j = 0; j < BATCH; j++) {
            flip(b, 11 + (j + 1) % 2);
        }
        add_sample(&flips, (now_ns() - start) / BATCH);

        start = now_ns();
        memcpy(copy, b->data, FRAME_BYTES);
        add_sample(&copies, now_ns() - start);
        sum += copy[i];
    }
    map_calls = b->grants->map_calls - map_calls;
    unmap_calls = b->grants->unmap_calls - unmap_calls;
    mapped = b->grants->mapped_pages - mapped;
    set_config(b, 0);
    destroy(b, 1);
    destroy(b, 2);

    f = median(&flips);
    c = median(&copies);
    must(sum != 0, "copy");
    printf("1920x1080 PG_FLIP, request to response and event:\n"
           "    %8.1f ns, one copy of the frame %9.0f ns: 1/%.0f\n"
           "    map calls %" PRIu64 ", unmap calls %" PRIu64
           ", pages mapped %" PRIu64 " in %u flips\n",
           f, c, c / f, map_calls, unmap_calls, mapped, SAMPLES * BATCH);
    g_string_append_printf(b->json,
        "  \"flip\": {\"width\": 1920, \"height\": 1080, \"flip_ns\": %.1f,"
        " \"frame_memcpy_ns\": %.0f, \"ratio\": %.6f, \"flips\": %u,"
        " \"map_calls\": %" PRIu64 ", \"unmap_calls\": %" PRIu64 ","
        " \"pages_mapped\": %" PRIu64 "},\n",
        f, c, f / c, SAMPLES * BATCH, map_calls, unmap_calls, mapped);
}

/* The life of a buffer that is never shown, and of one that is */
static void bench_buffer(Bench *b, uint32_t dir, uint32_t width,
                         uint32_t height)
{
    Samples created = { 0 }, unseen = { 0 }, shown = { 0 }, seen = { 0 };
    uint64_t mapped = b->grants->mapped_pages, dirs;
    uint32_t pages = DIV_ROUND_UP(width * height * 4, PAGE);
    double c, u, v, s;
    uint32_t i;

    for (i = 0; i < SAMPLES; i++) {
        double t0 = now_ns(), t1;

        create(b, 1, width, height, dir);
        t1 = now_ns();
        destroy(b, 1);
        add_sample(&created, t1 - t0);
        add_sample(&unseen, now_ns() - t1);
    }
    dirs = DIV_ROUND_UP(pages, XEN_PGDIR_REFS_PER_PAGE) * (uint64_t)SAMPLES;
    mapped = b->grants->mapped_pages - mapped - dirs;

    for (i = 0; i < SAMPLES; i++) {
        double t0, t1, t2;

        create(b, 1, width, height, dir);
        attach(b, 1, 11, width, height);
        t0 = now_ns();
        set_config(b, 11);
        t1 = now_ns();
        set_config(b, 0);
        t2 = now_ns();
        destroy(b, 1);
        add_sample(&shown, t1 - t0);
        add_sample(&seen, now_ns() - t2);
    }

    c = median(&created) / 1000;
    u = median(&unseen) / 1000;
    v = median(&shown) / 1000;
    s = median(&seen) / 1000;
    printf("%ux%u: DBUF_CREATE %6.1f us, DBUF_DESTROY %6.1f us, data pages "
           "mapped %" PRIu64 "\n"
           "    first SET_CONFIG %8.1f us, DBUF_DESTROY after it %6.1f us\n",
           width, height, c, u, mapped, v, s);
    g_string_append_printf(b->json,
        "    {\"width\": %u, \"height\": %u, \"pages\": %u,"
        " \"create_us\": %.2f, \"destroy_us\": %.2f,"
        " \"data_pages_mapped\": %" PRIu64 ", \"first_show_us\": %.2f,"
        " \"destroy_shown_us\": %.2f}",
        width, height, pages, c, u, mapped, v, s);
}

static void card_new(Bench *b)
{
    static const XenDisplifLimits limits = { 4, 4, DOMAIN };
    static const XenPgdirConfig config = { sizeof(config), DOMAIN, DOMAIN, 0 };

    must(xen_pgdir_mapper_new(&fake_grants_ops, b->grants, &config,
                              &b->mapper) == 0, "xen_pgdir_mapper_new");
    memset(b->front.sring, 0, PAGE);
    memset(b->front.evt, 0, PAGE);
    b->disp = xen_displif_new(&bench_ops, b, b->mapper, &limits);
    xen_displif_add_connector(b->disp, 3840, 2160);
    xen_displif_attach(b->disp, 0, b->front.sring, b->front.evt);
}

static void card_free(Bench *b)
{
    xen_displif_free(b->disp);
    xen_pgdir_mapper_unref(b->mapper);
    b->grants->destroyed = 0;
}

/*
 * A buffer that the backend allocates, beside one of the frontend's with all
 * its pages mapped.  Real pages are mapped one by one: so are these, then.
 * The guest's next buffer gets the same pages.
 */
static void bench_alloc(Bench *b, uint32_t dir, uint32_t links,
                        uint32_t width, uint32_t height)
{
    Samples mapped = { 0 }, shared = { 0 }, gone = { 0 }, again = { 0 };
    uint32_t pages = DIV_ROUND_UP(width * height * 4, PAGE);
    uint64_t calls = b->grants->share_calls;
    uint32_t i;
    double m, s, g, a;

    for (i = 0; i < SAMPLES; i++) {
        double t0, t1, t2;

        card_free(b);
        card_new(b);
        xen_displif_set_backend_alloc(b->disp, true);
        b->grants->one_mmap = false;
        t0 = now_ns();
        create(b, 1, width, height, dir);
        attach(b, 1, 11, width, height);
        set_config(b, 11);
        add_sample(&mapped, now_ns() - t0);
        set_config(b, 0);
        destroy(b, 1);
        b->grants->one_mmap = true;

        t0 = now_ns();
        create_with(b, 1, width, height, links, XENDISPL_DBUF_FLG_REQ_ALLOC);
        t1 = now_ns();
        destroy(b, 1);
        t2 = now_ns();
        create_with(b, 1, width, height, links, XENDISPL_DBUF_FLG_REQ_ALLOC);
        add_sample(&again, now_ns() - t2);
        add_sample(&shared, t1 - t0);
        add_sample(&gone, t2 - t1);
        destroy(b, 1);
    }
    must(b->grants->share_calls == calls + SAMPLES, "share");

    m = median(&mapped) / 1000;
    s = median(&shared) / 1000;
    g = median(&gone) / 1000;
    a = median(&again) / 1000;
    printf("%ux%u: the backend allocates, DBUF_CREATE %8.1f us, "
           "DBUF_DESTROY %6.1f us, once more %8.1f us\n"
           "    the frontend does, all pages mapped %8.1f us: %.2f times\n",
           width, height, s, g, a, m, s / m);
    g_string_append_printf(b->json,
        "    {\"width\": %u, \"height\": %u, \"pages\": %u,"
        " \"be_alloc_create_us\": %.2f, \"be_alloc_destroy_us\": %.2f,"
        " \"be_alloc_again_us\": %.2f,"
        " \"mapped_create_us\": %.2f, \"ratio\": %.4f}",
        width, height, pages, s, g, a, m, s / m);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[][2] = { { 1920, 1080 }, { 3840, 2160 } };
    const char *file = bench_json_file(argc, argv);
    Bench b = { 0 };
    uint32_t dir, links, i;

    b.grants = fake_grants_new(DOMAIN);
    b.grants->one_mmap = true;
    /* Memory of a guest that has drawn there */
    memset(b.grants->memory, 1, (size_t)DOMAIN * PAGE);
    dir = fake_grants_make_directory(b.grants, DOMAIN - 64, NULL);
    links = fake_grants_link_directory(b.grants, 3840 * 2160 * 4 / PAGE);
    fake_front_init(&b.front);
    card_new(&b);

    b.json = g_string_new("{\n  \"benchmark\": \"bench-displif\",\n"
                          "  \"grants\": \"fake, mmap without hypercall\",\n");
    printf("Fake grants: a populated mmap() each, no hypercall. Medians.\n\n");
    bench_flip(&b, dir);
    g_string_append(b.json, "  \"buffer\": [\n");
    printf("\n");
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_string_append(b.json, i ? ",\n" : "");
        bench_buffer(&b, dir, sizes[i][0], sizes[i][1]);
    }
    g_string_append(b.json, "\n  ],\n  \"be_alloc\": [\n");
    printf("\n");
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_string_append(b.json, i ? ",\n" : "");
        bench_alloc(&b, dir, links, sizes[i][0], sizes[i][1]);
    }
    g_string_append(b.json, "\n  ]\n}\n");

    xen_displif_free(b.disp);
    xen_pgdir_mapper_unref(b.mapper);
    fake_grants_free(b.grants);
    fake_front_free(&b.front);
    return bench_finish(file, b.json);
}
