/*
 * Tests of the protocol engine of PV displays: a guest that means no good, and
 * a host that fails
 *
 * Numbered invariants are the promises that the backend makes to its host:
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

#include "displif-fixture.h"
#include "faults.h"

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
    xen_displif_stats(t.disp, &stats);
    g_assert_cmpuint(stats.total_pages, ==, 9);
    refused(&t, 0, req_create(4, 32, 32, 32, 4096, dir, 0), -ENOSPC);
    g_assert_cmpstr(t.last_why, ==, "more buffers than max-buffers: 3");

    for (i = 0; i < 5; i++) {
        good(&t, 0, req_attach(1 + i % 3, 10 + i, 32, 32, XR24));
    }
    refused(&t, 0, req_attach(1, 20, 32, 32, XR24), -ENOSPC);

    /* What is given back can be had again */
    good(&t, 0, req_destroy(1));
    xen_displif_stats(t.disp, &stats);
    g_assert_cmpuint(stats.framebuffers, ==, 3);
    g_assert_cmpuint(stats.total_pages, ==, 5);
    good(&t, 0, req_create(4, 64, 64, 32, 16384, dir, 0));
    good(&t, 0, req_attach(4, 20, 32, 32, XR24));
    good(&t, 0, req_attach(4, 21, 32, 32, XR24));
    refused(&t, 0, req_attach(4, 22, 32, 32, XR24), -ENOSPC);
    teardown(&t, NULL);
}

/* Rings */

/*
 * Framebuffers of one row after the other: each takes a mapping of its own, and
 * would leave the process none, nor threads, in the end.  When it is all given
 * back, that is as quick as what there is.
 */
static void test_inv1_mappings(Test *t, gconstpointer data)
{
    const uint32_t rows = 2000, limit = XEN_PGDIR_MAX_MAPPINGS;
    uint32_t dir = fake_grants_make_directory(t->grants, rows, NULL);
    XenPgdirStats stats;
    uint64_t unmaps;
    uint32_t i;

    good(t, 0, req_create(1, 0, 0, 0, rows * PAGE, dir, 0));
    for (i = 1; i <= rows; i++) {
        good(t, 0, req_attach(1, 2, PAGE / 4, i, XR24));
        good(t, 0, req_config(2, 0, i - 1, 64, 48));
        good(t, 0, req_detach(2));
        xen_pgdir_mapper_stats(t->mapper, &stats, sizeof(stats));
        g_assert_cmpuint(stats.mappings, <=, limit);
        g_assert_cmpuint(stats.mappings, >=, MIN(i, limit));
        g_assert_cmpuint(t->grants->live_maps, <=, limit);
    }
    g_assert_cmpuint(stats.max_mappings, ==, limit);
    g_assert_cmpuint(stats.evictions, ==, rows - limit);

    /* What is shown is among them, and what is idle */
    unmaps = t->grants->unmap_calls;
    good(t, 0, req_destroy(1));
    g_assert_cmpuint(t->grants->unmap_calls - unmaps, ==, limit);
    g_assert_cmpuint(t->grants->live_maps, ==, 0);
}

static void test_ring_wrap(Test *t, gconstpointer data)
{
    uint32_t i;

    xen_displif_reset(t->disp);
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
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 32);
    g_assert_false(more);
    g_assert_cmpuint(t->answers, ==, 32);
    g_assert_cmpuint(t->screen[0].request_kicks, ==, 1);
    g_assert_cmpuint(t->front[0].sring->rsp_prod, ==, base + 32);
    for (i = 0; i < 32; i++) {
        memcpy(&rsp, fake_front_slot(&t->front[0], base + i), 64);
        g_assert_cmpuint(rsp.id, ==, 1000 + 7 * i);
        g_assert_cmpuint(rsp.operation, ==,
                         i % 2 ? XENDISPL_OP_PG_FLIP : XENDISPL_OP_FB_DETACH);
        g_assert_cmpint(rsp.status, ==, i % 2 ? 0 : -ENOENT);
    }
    for (i = 0; i < 16; i++) {
        done(t, 0, 2);
    }

    /* Nothing there: nothing happens, nobody is notified */
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 0);
    g_assert_false(more);
    /* A frontend that polls is not notified */
    t->front[0].sring->rsp_event = base;
    send_req(t, 0, req_flip(3));
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 1);
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
        g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 32);
        g_assert_cmpuint(t->answers, ==, 32);
        g_assert_true(more);
    }
    t->on_answer = NULL;
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 1);
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
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, -EPROTO);
    g_assert_false(more);
    for (i = 0; i < 5; i++) {
        more = true;
        g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 0);
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
    xen_displif_reset(t->disp);
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
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, -EPROTO);
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
            ret = xen_displif_flips_pending(t->disp, 0);
            if (ret < XEN_DISPLIF_MAX_PENDING_FLIPS) {
                good(t, 0, req_flip(2));
                flips++;
            } else {
                refused(t, 0, req_flip(2), -EBUSY);
            }
            ret = xen_displif_flip_done(t->disp, 0);
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
    xen_displif_stats(t->disp, &stats);
    g_assert_cmpuint(stats.flips, ==, flips);
    g_assert_cmpuint(stats.events, ==, t->front[0].evt->in_prod);
    g_assert_cmpuint(stats.events + xen_displif_flips_pending(t->disp, 0), ==,
                     flips);
}

static void test_event_garbage(Test *t, gconstpointer data)
{
    create(t, 1, 64, 64, 32);
    good(t, 0, req_attach(1, 2, 64, 64, XR24));
    good(t, 0, req_flip(2));
    t->front[0].evt->in_cons = 99;
    g_assert_cmpint(xen_displif_flip_done(t->disp, 0), ==, -EAGAIN);
    g_assert_cmpuint(xen_displif_flips_pending(t->disp, 0), ==, 1);
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
    xen_pgdir_mapper_stats(t->mapper, &before, sizeof(before));
    for (i = 0; i < 10000; i++) {
        good(t, 1, req_flip(11 + i % 2));
        g_assert_cmpuint(t->screen[1].scanout.fb_cookie, ==, 11 + i % 2);
        done(t, 1, 11 + i % 2);
    }
    xen_pgdir_mapper_stats(t->mapper, &after, sizeof(after));
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
        xen_displif_reset(t->disp);
        t->screen[2].refuse = 0;
        g_assert_cmpuint(t->grants->live_pages, ==, 0);
        g_assert_cmpuint(t->screen[0].offs, ==, round + 1);
        g_assert_cmpuint(t->screen[1].offs, ==, 0);
        assert_no_event(t, 2);
        g_assert_cmpint(xen_displif_flip_done(t->disp, 0), ==, -ENOENT);
        more = true;
        g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, 0);
        g_assert_false(more);
        xen_displif_stats(t->disp, &stats);
        g_assert_cmpuint(stats.buffers, ==, 0);
        g_assert_cmpuint(stats.framebuffers, ==, 0);
        g_assert_cmpuint(stats.total_pages, ==, 0);
        g_assert_true(fake_grants_end_directory(t->grants, dir, 4));

        /* Again, and half attached */
        xen_displif_reset(t->disp);
        g_assert_cmpuint(t->screen[0].offs, ==, round + 1);
        front_attach(t, 1, 0);
        xen_displif_reset(t->disp);

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
    xen_displif_set_backend_alloc(t->disp, alloc);

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
            if (xen_displif_flip_done(t->disp, connector) == 0) {
                t->front[connector].evt->in_cons++;
            }
        }

        xen_displif_stats(t->disp, &stats);
        g_assert_cmpuint(stats.buffers, <=, 3);
        g_assert_cmpuint(stats.framebuffers, <=, 5);
        g_assert_cmpuint(stats.total_pages, <=, 3 * 4);
        g_assert_cmpuint(t->grants->live_writable, ==, 0);
        if (stats.buffers == 0) {
            g_assert_cmpuint(t->grants->live_pages, ==, 0);
        }
        /*
         * However often it asks, what it had once is enough: three ranges of
         * each size, as one that is too small is of no use
         */
        g_assert_cmpuint(t->grants->shared_pages, <=, 3 * (1 + 2 + 3 + 4));
    }
#undef ANY
    g_assert_cmpuint(good_count, >, 1000);
    g_assert_true(alloc == (t->grants->share_calls > 0));
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
    xen_displif_set_backend_alloc(t->disp, true);
    t->edid_size = 256;
}

static void step(Test *t, uint32_t connector, struct xendispl_req req,
                 bool faulty)
{
    int32_t status = call(t, connector, req);

    if (!faulty) {
        g_assert_cmpstr(t->last_why, ==, "");
        g_assert_cmpint(status, ==, 0);
    }
    if (xen_displif_flips_pending(t->disp, connector)) {
        g_assert_cmpint(xen_displif_flip_done(t->disp, connector), ==, 0);
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
    xen_displif_reset(t->disp);

    xen_displif_stats(t->disp, &stats);
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
                                    display_cycle, t), >=, 25);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("flip/maps-nothing", test_flip_maps_nothing);
    ADD("cookies", test_cookies);
    ADD("ring-wrap", test_ring_wrap);
    ADD("event-garbage", test_event_garbage);
    ADD("map-faults", test_map_faults);
    ADD("inv1/endless", test_inv1_endless);
    ADD("inv1/mappings", test_inv1_mappings);
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
