/*
 * Tests of the request ring and the event page of Xen PV devices
 *
 * The guest's side works on the raw pages, as a frontend would.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include <xen/io/displif.h>

#include "hw/xen/xen-pv-ring.h"
#include "fake-front.h"

#undef PAGE_SIZE
#define PAGE_SIZE 4096

typedef struct Fixture {
    FakeFront front;
    struct fake_front_sring *sring;
    FakeFrontEvents *evt;
    XenPvRing ring;
    XenPvEvents events;
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    fake_front_init(&f->front);
    f->sring = f->front.sring;
    f->evt = f->front.evt;
    f->sring->req_event = 1;
    f->sring->rsp_event = 1;
    memset(&f->ring, 0, sizeof(f->ring));
    memset(&f->events, 0, sizeof(f->events));
}

static void teardown(Fixture *f, gconstpointer data)
{
    xen_pv_ring_detach(&f->ring);
    xen_pv_events_detach(&f->events);
    fake_front_free(&f->front);
}

static void *raw_slot(Fixture *f, uint32_t index)
{
    return fake_front_slot(&f->front, index);
}

static void send_request(Fixture *f, uint8_t fill)
{
    memset(raw_slot(f, f->sring->req_prod), fill, 64);
    f->sring->req_prod++;
}

static void assert_filled(const void *slot, uint8_t fill)
{
    uint8_t expected[64];

    memset(expected, fill, sizeof(expected));
    g_assert_cmpmem(slot, 64, expected, 64);
}

static bool put(Fixture *f, uint8_t fill)
{
    XenPvSlot rsp;

    memset(&rsp, fill, sizeof(rsp));
    return xen_pv_ring_put(&f->ring, &rsp);
}

static void test_detached(Fixture *f, gconstpointer data)
{
    XenPvSlot slot;

    memset(&slot, 0, sizeof(slot));
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &slot), ==, -ENOTCONN);
    g_assert_false(xen_pv_ring_put(&f->ring, &slot));
    g_assert_false(xen_pv_ring_final_check(&f->ring));
    g_assert_cmpint(xen_pv_events_push(&f->events, &slot), ==, -ENOTCONN);

    xen_pv_ring_attach(&f->ring, f->sring);
    xen_pv_events_attach(&f->events, f->evt);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &slot), ==, 0);
    g_assert_cmpint(xen_pv_events_push(&f->events, &slot), ==, 0);
    xen_pv_ring_detach(&f->ring);
    xen_pv_ring_detach(&f->ring);
    xen_pv_events_detach(&f->events);
    xen_pv_events_detach(&f->events);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &slot), ==, -ENOTCONN);
    g_assert_cmpint(xen_pv_events_push(&f->events, &slot), ==, -ENOTCONN);
}

static void test_order(Fixture *f, gconstpointer data)
{
    XenPvSlot req;
    unsigned int i, round;

    xen_pv_ring_attach(&f->ring, f->sring);
    for (round = 0; round < 5; round++) {
        for (i = 0; i < 32; i++) {
            send_request(f, round * 32 + i);
        }
        for (i = 0; i < 32; i++) {
            g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
            assert_filled(&req, round * 32 + i);
        }
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);
        g_assert_cmpuint(f->sring->rsp_prod, ==, round * 32);
        for (i = 0; i < 32; i++) {
            put(f, ~i);
            g_assert_cmpuint(f->sring->rsp_prod, ==, round * 32 + i + 1);
        }
        for (i = 0; i < 32; i++) {
            assert_filled(raw_slot(f, i), ~i);
        }
    }
    /* There is nothing to answer: nothing is written */
    g_assert_false(put(f, 0));
    g_assert_cmpuint(f->sring->rsp_prod, ==, 5 * 32);
}

/* What the guest does to a slot later does not reach what was taken */
static void test_copy_once(Fixture *f, gconstpointer data)
{
    XenPvSlot req;

    xen_pv_ring_attach(&f->ring, f->sring);
    send_request(f, 0x11);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    memset(raw_slot(f, 0), 0x22, 64);
    assert_filled(&req, 0x11);
    g_assert_cmpuint(f->ring.req_cons, ==, 1);

    /* Nor do the shared copies of indices matter */
    f->sring->rsp_prod = 12345;
    put(f, 0x33);
    assert_filled(raw_slot(f, 0), 0x33);
    g_assert_cmpuint(f->sring->rsp_prod, ==, 1);
}

static void test_index_wrap(Fixture *f, gconstpointer data)
{
    uint32_t start = UINT32_MAX - 40;
    XenPvSlot req;
    unsigned int i;

    f->sring->rsp_prod = start;
    f->sring->req_prod = start;
    xen_pv_ring_attach(&f->ring, f->sring);
    for (i = 0; i < 100; i++) {
        send_request(f, i);
        send_request(f, ~i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
        assert_filled(&req, i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
        assert_filled(&req, ~i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);
        g_assert_false(xen_pv_ring_final_check(&f->ring));
        g_assert_cmpuint(f->sring->req_event, ==, start + 2 * i + 3);
        put(f, 0);
        put(f, 0);
        g_assert_cmpuint(f->sring->rsp_prod, ==, start + 2 * i + 2);
    }

    /* A ring that is full across the wrap, too */
    f->sring->rsp_prod = UINT32_MAX - 7;
    f->sring->req_prod = UINT32_MAX - 7;
    xen_pv_ring_attach(&f->ring, f->sring);
    for (i = 0; i < 32; i++) {
        send_request(f, i);
    }
    for (i = 0; i < 32; i++) {
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
        assert_filled(&req, i);
    }
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);
}

/* A backend that starts anew finds what its predecessor left unanswered */
static void test_reattach(Fixture *f, gconstpointer data)
{
    XenPvSlot req;

    xen_pv_ring_attach(&f->ring, f->sring);
    send_request(f, 1);
    send_request(f, 2);
    send_request(f, 3);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    put(f, 0);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);

    xen_pv_ring_detach(&f->ring);
    xen_pv_ring_attach(&f->ring, f->sring);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    assert_filled(&req, 2);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    assert_filled(&req, 3);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);
}

static void assert_breaks(Fixture *f, uint32_t req_prod)
{
    XenPvSlot req;

    memset(&req, 0x5a, sizeof(req));
    f->sring->req_prod = req_prod;
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, -EPROTO);
    assert_filled(&req, 0x5a);

    /* Once; from then on there is nothing, even if the guest repents */
    f->sring->req_prod = f->ring.req_cons + 1;
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);
    g_assert_false(xen_pv_ring_final_check(&f->ring));
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 0);

    /* Until it is attached anew */
    f->sring->req_prod = f->sring->rsp_prod;
    xen_pv_ring_attach(&f->ring, f->sring);
    send_request(f, 7);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    put(f, 0);
}

/* Who answers, and what it was told */
typedef struct Served {
    XenPvServer server;
    XenPvServerOps ops;
    unsigned int carried_out;
    unsigned int answered;
    unsigned int notified;
    unsigned int enough;
    int32_t status;
    const char *why;
} Served;

#define INDEX 5

static int carry_out(void *engine, uint32_t index, XenPvSlot *req,
                     XenPvSlot *rsp, XenPvWhy *why)
{
    Served *served = engine;
    static const XenPvSlot zero;

    g_assert_cmpuint(index, ==, INDEX);
    g_assert_cmpmem(rsp, sizeof(*rsp), &zero, sizeof(zero));
    g_assert_cmpstr(why->text, ==, "");
    if (served->why) {
        g_assert_cmpint(xen_pv_why(why, served->status, "%s", served->why), ==,
                        served->status);
    }
    /* The head is not the engine's, neither of the copy nor of the response */
    memset(req, 0xee, sizeof(*req));
    memset(rsp, 0x77, sizeof(*rsp));
    served->carried_out++;
    return served->status;
}

static void be_notified(void *opaque, uint32_t index)
{
    Served *served = opaque;

    g_assert_cmpuint(index, ==, INDEX);
    served->notified++;
}

static void be_answered(void *opaque, uint32_t index, uint16_t id,
                        uint8_t operation, int32_t status, const char *why)
{
    Served *served = opaque;

    g_assert_cmpuint(index, ==, INDEX);
    g_assert_cmpuint(id, ==, served->answered * 0x101);
    g_assert_cmpuint(operation, ==, served->answered);
    g_assert_cmpint(status, ==, served->status);
    g_assert_cmpstr(why, ==, served->why);
    served->answered++;
    g_assert_cmpuint(served->carried_out, ==, served->answered);
}

static bool is_enough(void *opaque)
{
    Served *served = opaque;

    return served->answered >= served->enough;
}

static void served_init(Served *served)
{
    memset(served, 0, sizeof(*served));
    served->server.carry_out = carry_out;
    served->server.engine = served;
    served->server.ops = &served->ops;
    served->server.opaque = served;
    served->ops.notify = be_notified;
    served->ops.answered = be_answered;
}

/* However long the reason is, the log's line is not */
static void test_why(void)
{
    g_autofree char *much = g_strnfill(2 * XEN_PV_WHY_MAX, 'x');
    XenPvWhy why;

    memset(&why, 0xee, sizeof(why));
    g_assert_cmpint(xen_pv_why(&why, -E2BIG, "%u%s", 7, much), ==, -E2BIG);
    g_assert_cmpuint(strlen(why.text), ==, XEN_PV_WHY_MAX - 1);
    g_assert_true(g_str_has_prefix(why.text, "7xxx"));
}

static void send_requests(Fixture *f, unsigned int first, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++) {
        send_request(f, first + i);
    }
}

/* A response has its request's id and operation; the rest is the engine's */
static void test_serve(Fixture *f, gconstpointer data)
{
    uint8_t expected[XEN_PV_SLOT_SIZE];
    Served served;
    bool more;

    served_init(&served);
    xen_pv_ring_attach(&f->ring, f->sring);
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 0);
    g_assert_cmpuint(served.notified, ==, 0);

    send_requests(f, 0, 2);
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 2);
    g_assert_false(more);
    g_assert_cmpuint(served.notified, ==, 1);
    g_assert_cmpuint(served.server.requests, ==, 2);
    g_assert_cmpuint(served.server.refused, ==, 0);

    served.status = -EBADF;
    served.why = "for no reason";
    send_requests(f, 2, 1);
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 1);
    g_assert_cmpuint(served.server.requests, ==, 3);
    g_assert_cmpuint(served.server.refused, ==, 1);
    memset(expected, 0x77, sizeof(expected));
    memset(expected, 2, 3);
    expected[3] = 0;
    memcpy(expected + 4, &served.status, 4);
    g_assert_cmpmem(raw_slot(f, 2), sizeof(expected), expected,
                    sizeof(expected));

    /* The frontend asked for no notification of these */
    served.notified = 0;
    f->sring->rsp_event = 100;
    send_requests(f, 3, 1);
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 1);
    g_assert_cmpuint(served.notified, ==, 0);

    /* What cannot be is neither answered nor asked for */
    f->sring->req_prod += 33;
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, -EPROTO);
    g_assert_false(more);
    g_assert_cmpuint(served.answered, ==, 4);
}

/* Who says when it is enough is asked after each response */
static void test_enough(Fixture *f, gconstpointer data)
{
    Served served;
    bool more;

    served_init(&served);
    served.ops.enough = is_enough;
    served.enough = 3;
    xen_pv_ring_attach(&f->ring, f->sring);
    send_requests(f, 0, 10);
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 3);
    g_assert_true(more);
    g_assert_cmpuint(served.notified, ==, 1);
    g_assert_cmpuint(f->sring->rsp_prod, ==, 3);

    /* The next call goes on where that one ended */
    served.enough = 9;
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 6);
    g_assert_true(more);
    served.enough = UINT_MAX;
    g_assert_cmpint(xen_pv_ring_serve(&f->ring, &served.server, INDEX, &more),
                    ==, 1);
    g_assert_false(more);
    g_assert_cmpuint(served.answered, ==, 10);
}

/* Invariant 1: a producer index that makes no sense harms nobody */
static void test_overflow(Fixture *f, gconstpointer data)
{
    static const uint32_t ahead[] = {
        33, 34, 64, 4096, 0x7fffffff, 0x80000000, 0xffffffe0, 0xffffffff
    };
    XenPvSlot req;
    unsigned int i;

    f->sring->req_prod = f->sring->rsp_prod = UINT32_MAX - 3;
    xen_pv_ring_attach(&f->ring, f->sring);
    for (i = 0; i < ARRAY_SIZE(ahead); i++) {
        assert_breaks(f, f->ring.rsp_prod + ahead[i]);
    }

    /* Taken but unanswered requests occupy their slots, too */
    for (i = 0; i < 10; i++) {
        send_request(f, i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    }
    f->sring->req_prod = f->ring.rsp_prod + 33;
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, -EPROTO);
    /* What was taken before can still be answered */
    put(f, 0x77);
    g_assert_cmpuint(f->sring->rsp_prod, ==, f->ring.rsp_prod);

    /* A producer that goes back behind what was taken */
    f->sring->req_prod = f->sring->rsp_prod;
    xen_pv_ring_attach(&f->ring, f->sring);
    for (i = 0; i < 10; i++) {
        send_request(f, i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    }
    f->sring->req_prod -= 3;
    g_assert_true(xen_pv_ring_final_check(&f->ring));
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, -EPROTO);
}

static void test_holdoff(Fixture *f, gconstpointer data)
{
    XenPvSlot req;
    unsigned int i;

    xen_pv_ring_attach(&f->ring, f->sring);

    /* The first response was asked for (rsp_event = 1), the rest was not */
    for (i = 0; i < 5; i++) {
        send_request(f, i);
    }
    for (i = 0; i < 5; i++) {
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
        g_assert_cmpint(put(f, 0), ==, i == 0);
    }
    f->sring->rsp_event = 7;
    for (i = 5; i < 9; i++) {
        send_request(f, i);
        g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
        g_assert_cmpint(put(f, 0), ==, i == 6);
    }

    /* A request that is there keeps the notification off */
    f->sring->req_event = 0;
    send_request(f, 0);
    g_assert_true(xen_pv_ring_final_check(&f->ring));
    g_assert_cmpuint(f->sring->req_event, ==, 0);
    g_assert_cmpint(xen_pv_ring_get(&f->ring, &req), ==, 1);
    g_assert_false(xen_pv_ring_final_check(&f->ring));
    g_assert_cmpuint(f->sring->req_event, ==, f->sring->req_prod + 1);
}

static struct xendispl_evt *raw_event(Fixture *f, uint32_t index)
{
    return (void *)((char *)f->evt + 64 + index % 63 * 64);
}

static int push(Fixture *f, uint64_t cookie)
{
    struct xendispl_evt evt = { .id = 0xdead, .type = XENDISPL_EVT_PG_FLIP };
    XenPvSlot slot;

    evt.op.pg_flip.fb_cookie = cookie;
    memcpy(&slot, &evt, sizeof(slot));
    return xen_pv_events_push(&f->events, &slot);
}

/* Invariant 5: event ids have no gaps, whatever happens to the page */
static void test_event_ids(Fixture *f, gconstpointer data)
{
    uint32_t expected = 0, sent = 0, refused = 0;

    memset((char *)f->evt + 64, 0xa5, PAGE_SIZE - 64);
    xen_pv_events_attach(&f->events, f->evt);
    while (expected < 70000) {
        unsigned int i, burst = g_test_rand_int_range(0, 80);

        for (i = 0; i < burst; i++) {
            int ret = push(f, sent + 1);

            if (sent - expected == 63) {
                g_assert_cmpint(ret, ==, -EAGAIN);
                refused++;
            } else {
                g_assert_cmpint(ret, ==, 0);
                sent++;
            }
            g_assert_cmpuint(f->evt->in_prod, ==, sent);
        }
        burst = g_test_rand_int_range(0, 80);
        while (f->evt->in_cons != f->evt->in_prod && burst--) {
            struct xendispl_evt *evt = raw_event(f, expected);
            struct xendispl_evt want = { .id = (uint16_t)expected };

            want.op.pg_flip.fb_cookie = expected + 1;
            g_assert_cmpmem(evt, 64, &want, 64);
            memset(evt, 0xa5, 64);
            expected++;
            f->evt->in_cons = expected;
        }
    }
    g_assert_cmpuint(refused, >, 0);
}

static void test_event_garbage(Fixture *f, gconstpointer data)
{
    static const uint32_t garbage[] = {
        1, 2, 63, 64, 1000, 0x7fffffff, 0x80000000, 0xffffff00
    };
    unsigned int i;

    xen_pv_events_attach(&f->events, f->evt);
    for (i = 0; i < ARRAY_SIZE(garbage); i++) {
        f->evt->in_cons = garbage[i];
        g_assert_cmpint(push(f, 1), ==, -EAGAIN);
        g_assert_cmpuint(f->evt->in_prod, ==, 0);
    }
    f->evt->in_cons = 0;
    f->evt->in_prod = 4711;
    g_assert_cmpint(push(f, 1), ==, 0);
    g_assert_cmpuint(f->evt->in_prod, ==, 1);
    g_assert_cmpuint(raw_event(f, 0)->id, ==, 0);

    /* A new connection starts with 0 again */
    xen_pv_events_detach(&f->events);
    memset(f->evt, 0, PAGE_SIZE);
    xen_pv_events_attach(&f->events, f->evt);
    g_assert_cmpint(push(f, 1), ==, 0);
    g_assert_cmpuint(raw_event(f, 0)->id, ==, 0);
}

/* 2^32 is no multiple of 63: no event may overwrite one that was not read */
static void test_event_wrap(Fixture *f, gconstpointer data)
{
    uint32_t start = UINT32_MAX - 99, cons = start, sent = start;
    unsigned int i;

    xen_pv_events_attach(&f->events, f->evt);
    f->events.prod = start;
    f->evt->in_cons = start;
    for (i = 0; i < 300; i++) {
        while (push(f, sent) == 0) {
            sent++;
        }
        g_assert_cmpuint(f->evt->in_prod, ==, sent);
        g_assert_cmpuint(sent - cons, <=, 63);
        g_assert_cmpuint(raw_event(f, cons)->id, ==, (uint16_t)cons);
        g_assert_cmpuint(raw_event(f, cons)->op.pg_flip.fb_cookie, ==, cons);
        cons++;
        f->evt->in_cons = cons;
    }
    g_assert_cmpuint(sent, <, 1000);
}

#define ADD(name, fn) \
    g_test_add("/xen/pv-ring/" name, Fixture, NULL, setup, fn, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("detached", test_detached);
    ADD("order", test_order);
    ADD("copy-once", test_copy_once);
    ADD("index-wrap", test_index_wrap);
    ADD("reattach", test_reattach);
    ADD("serve", test_serve);
    g_test_add_func("/xen/pv-ring/why", test_why);
    ADD("enough", test_enough);
    ADD("overflow", test_overflow);
    ADD("holdoff", test_holdoff);
    ADD("event/ids", test_event_ids);
    ADD("event/garbage", test_event_garbage);
    ADD("event/wrap", test_event_wrap);
    return g_test_run();
}
