/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: a display's request rings, event pages and ports
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

#define STORM           2000

static struct xen_front_sring *sring(XenAttacker *a)
{
    return attack_connector(a)->req.ring.sring;
}

static struct xendispl_event_page *events(XenAttacker *a)
{
    return xen_guest_page(a->guest, attack_connector(a)->evt.page);
}

static void kick(XenAttacker *a)
{
    xen_guest_kick(a->guest, attack_connector(a)->req.port);
}

/* What comes of a ring that may not be served any more */
static int listen(XenAttacker *a)
{
    struct xendispl_resp resp;

    attack_meanwhile(a);
    return xen_front_receive(attack_connector(a), &resp, ATTACK_SILENCE_MS) ?:
           resp.status;
}

static int flip(XenAttacker *a)
{
    return xen_front_flip(attack_connector(a), a->shown->fb);
}

/* Request rings */

static int producer_jumps(XenAttacker *a, const void *arg)
{
    const uint32_t *by = arg;

    sring(a)->req_prod += *by;
    kick(a);
    return listen(a);
}

/* As many as there is room for, and one after these were answered */
static int full_ring(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    struct xendispl_resp resp;
    uint32_t i;
    int ret = 0;

    req.op.pg_flip.fb_cookie = 77;
    for (i = 0; i < 32; i++) {
        xen_front_send(attack_connector(a), &req);
    }
    for (i = 0; i < 32 && !ret; i++) {
        ret = xen_front_receive(attack_connector(a), &resp,
                                XEN_FRONT_TIMEOUT);
        ret = ret ?: resp.status == -ENOENT ? 0 : -EPROTO;
    }
    return ret ?: flip(a);
}

static int page_of(XenAttacker *a, const void *arg)
{
    const uint8_t *fill = arg;

    memset(sring(a), *fill, XEN_GUEST_PAGE);
    kick(a);
    listen(a);
    return 0;
}

static int page_of_noise(XenAttacker *a, const void *arg)
{
    uint32_t *words = (uint32_t *)sring(a);
    GRand *rand = g_rand_new_with_seed(1);
    uint32_t i, round;

    for (round = 0; round < 20; round++) {
        for (i = 0; i < XEN_GUEST_PAGE / sizeof(*words); i++) {
            words[i] = g_rand_int(rand);
        }
        kick(a);
    }
    listen(a);
    g_rand_free(rand);
    return 0;
}

typedef struct WaitProducer {
    XenAttacker *attacker;
    uint32_t rsp_prod;
} WaitProducer;

static bool has_producer(void *opaque)
{
    WaitProducer *wait = opaque;

    return __atomic_load_n(&sring(wait->attacker)->rsp_prod,
                           __ATOMIC_ACQUIRE) == wait->rsp_prod;
}

/* The backend's own counter, overwritten: it has another one */
static int response_producer(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    WaitProducer wait = { a, sring(a)->rsp_prod + 1 };

    req.op.pg_flip.fb_cookie = a->shown->fb;
    sring(a)->rsp_prod = 0x12345678;
    xen_front_send(attack_connector(a), &req);
    return xen_guest_wait(a->guest, has_producer, &wait,
                          XEN_FRONT_TIMEOUT) ? listen(a) : -ETIMEDOUT;
}

static int request_event(XenAttacker *a, const void *arg)
{
    const uint32_t *value = arg;

    sring(a)->req_event = *value;
    kick(a);
    return flip(a);
}

static int response_event(XenAttacker *a, const void *arg)
{
    const uint32_t *value = arg;

    sring(a)->rsp_event = *value;
    return flip(a);
}

/* Counters that begin just below 2^32 */
static int wrap(XenAttacker *a, const void *arg)
{
    XenFrontConnector *c = attack_connector(a);
    uint32_t start = UINT32_MAX - 20;
    uint32_t i;
    int ret = attack_prepare(a);

    if (ret) {
        return ret;
    }
    sring(a)->req_prod = sring(a)->rsp_prod = start;
    sring(a)->req_event = sring(a)->rsp_event = start + 1;
    c->req.ring.req_prod_pvt = c->req.ring.rsp_cons = start;
    ret = attack_try_connect(a, false);
    for (i = 0; i < 100 && !ret; i++) {
        ret = xen_front_set_config(c, 0, 0, 0, 0, 0, 0);
    }
    return ret;
}

/* Requests that change while they are looked at */

typedef struct Race {
    uint32_t *words;
    uint32_t count;
    gint stop;
} Race;

static gpointer race_thread(gpointer opaque)
{
    Race *race = opaque;
    GRand *rand = g_rand_new_with_seed(2);

    while (!g_atomic_int_get(&race->stop)) {
        uint32_t i = g_rand_int_range(rand, 0, race->count);
        uint32_t value = g_rand_boolean(rand) ? g_rand_int(rand)
                                              : g_rand_int_range(rand, 0, 32);

        __atomic_store_n(&race->words[i], value, __ATOMIC_RELAXED);
    }
    g_rand_free(rand);
    return NULL;
}

/* The slots only: each request has an answer, whatever it was in the end */
static int race_slots(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_DBUF_CREATE };
    Race race = { (uint32_t *)sring(a)->ring, 32 * 16 };
    GThread *thread = g_thread_new("race", race_thread, &race);
    int64_t begin = g_get_monotonic_time();
    struct xendispl_resp resp;
    uint32_t i;
    int ret = 0;

    for (i = 0; attack_race_goes_on(i, begin) && !ret; i++) {
        xen_front_send(attack_connector(a), &req);
        ret = xen_front_receive(attack_connector(a), &resp,
                                XEN_FRONT_TIMEOUT);
    }
    g_atomic_int_set(&race.stop, 1);
    g_thread_join(thread);
    return ret;
}

/* The whole page, with the counters */
static int race_page(XenAttacker *a, const void *arg)
{
    Race race = { (uint32_t *)sring(a), XEN_GUEST_PAGE / 4 };
    GThread *thread = g_thread_new("race", race_thread, &race);
    int64_t begin = g_get_monotonic_time();
    uint32_t i;

    for (i = 0; attack_race_goes_on(i, begin); i++) {
        kick(a);
    }
    listen(a);
    g_atomic_int_set(&race.stop, 1);
    g_thread_join(thread);
    return 0;
}

/* Ports */

static int kick_storm(XenAttacker *a, const void *arg)
{
    uint32_t i;

    for (i = 0; i < STORM; i++) {
        kick(a);
        xen_guest_kick(a->guest, attack_connector(a)->evt.port);
        if (i % (STORM / 4) == 0) {
            attack_meanwhile(a);
        }
    }
    return flip(a);
}

/* Nobody is told of the request; but QEMU may be at the ring just then */
static int close_port(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    int ret;

    xen_guest_close_port(a->guest, attack_connector(a)->req.port);
    attack_connector(a)->req.port = 0;
    xen_front_send(attack_connector(a), &req);
    ret = listen(a);
    return ret == -ENOENT ? XEN_ATTACK_SILENCE : ret;
}

static int close_event_port(XenAttacker *a, const void *arg)
{
    int ret;

    xen_guest_close_port(a->guest, attack_connector(a)->evt.port);
    attack_connector(a)->evt.port = 0;
    ret = flip(a);
    attack_meanwhile(a);
    return ret;
}

/* Event pages */

static int consumer_is(XenAttacker *a, const void *arg)
{
    const uint32_t *value = arg;
    uint32_t i;
    int ret = 0;

    for (i = 0; i < 5 && !ret; i++) {
        events(a)->in_cons = *value;
        ret = flip(a);
        attack_meanwhile(a);
    }
    return ret;
}

static int consumer_noise(XenAttacker *a, const void *arg)
{
    Race race = { (uint32_t *)events(a), XEN_GUEST_PAGE / 4 };
    GThread *thread = g_thread_new("race", race_thread, &race);
    uint32_t i;
    int ret = 0;

    for (i = 0; i < 20 && !ret; i++) {
        ret = flip(a);
        attack_meanwhile(a);
    }
    g_atomic_int_set(&race.stop, 1);
    g_thread_join(thread);
    return ret;
}

static int event_producer(XenAttacker *a, const void *arg)
{
    int ret;

    events(a)->in_prod = 0x12345678;
    ret = flip(a);
    attack_meanwhile(a);
    if (events(a)->in_prod != 1) {
        return -EPROTO;
    }
    return ret;
}

/* Nobody takes events; once somebody does, none is missing */
static int events_full(XenAttacker *a, const void *arg)
{
    XenFrontConnector *c = attack_connector(a);
    uint64_t flips = 0;
    uint32_t i;
    int ret;

    while ((ret = flip(a)) == 0) {
        flips++;
        attack_meanwhile(a);
    }
    for (i = 0; i < 200 && c->events < flips; i++) {
        xen_front_take_events(c);
        attack_meanwhile(a);
    }
    return c->events == flips && c->bad_events == 0 ? ret : -EPROTO;
}

/* Grants of the pages both sides use */

static int ring_revoked(XenAttacker *a, const void *arg)
{
    attack_entry(a, attack_connector(a)->req.ref)->flags = 0;
    attack_entry(a, attack_connector(a)->evt.ref)->flags = 0;
    return flip(a);
}

static int ring_moved(XenAttacker *a, const void *arg)
{
    attack_entry(a, attack_connector(a)->req.ref)->frame = 3;
    attack_entry(a, attack_connector(a)->evt.ref)->domid = 7;
    return flip(a);
}

#define RING(name, what, status, run) { "ring", name, what, status, 0, run }
#define RING_ARG(name, what, status, run, arg) \
    { "ring", name, what, status, 0, run, &(const uint32_t){ arg } }
#define FILL(name, what, fill) \
    { "ring", name, what, 0, 0, page_of, &(const uint8_t){ fill } }
#define ENTRY(name, what, run) \
    { "ring", name, what, 0, XEN_ATTACK_ENTRIES, run }
#define PORT(name, what, status, run) { "port", name, what, status, 0, run }
#define EVENTS(name, what, status, run) \
    { "events", name, what, status, 0, run }
#define CONSUMER(name, what, arg) \
    { "events", name, what, 0, 0, consumer_is, &(const uint32_t){ arg } }

const XenAttack xen_attacks_ring[] = {
    RING_ARG("ahead-33", "a request more than the ring has slots",
             XEN_ATTACK_SILENCE, producer_jumps, 33),
    RING_ARG("ahead-1000", "a thousand requests at once", XEN_ATTACK_SILENCE,
             producer_jumps, 1000),
    RING_ARG("ahead-sign", "2^31 requests at once", XEN_ATTACK_SILENCE,
             producer_jumps, 0x80000000u),
    RING_ARG("back-1", "a request taken back", XEN_ATTACK_SILENCE,
             producer_jumps, UINT32_MAX),
    RING_ARG("back-32", "a ring of requests taken back", XEN_ATTACK_SILENCE,
             producer_jumps, (uint32_t)-32),
    RING("full", "a ring full of requests", 0, full_ring),
    FILL("zeros", "a ring of zeros", 0),
    FILL("ones", "a ring of ones", 0xff),
    RING("noise", "a ring of noise", 0, page_of_noise),
    RING("responses", "the number of responses overwritten", 0,
         response_producer),
    RING_ARG("req-event", "a notification asked for at 2^32-1", 0,
             request_event, UINT32_MAX),
    RING_ARG("rsp-event", "a response to be told of at 2^32-1", 0,
             response_event, UINT32_MAX),
    RING("wrap", "counters that wrap", 0, wrap),
    RING("race-slots", "requests that change all the time", 0, race_slots),
    RING("race-page", "a ring that changes all the time", 0, race_page),
    ENTRY("revoked", "ring and event page revoked in use", ring_revoked),
    ENTRY("moved", "other frames behind ring and event page", ring_moved),

    PORT("storm", "notifications for nothing", 0, kick_storm),
    PORT("closed", "a port closed in use", XEN_ATTACK_SILENCE, close_port),
    PORT("closed-events", "the events' port closed in use", 0,
         close_event_port),

    CONSUMER("ahead", "events taken that never were", 1000),
    CONSUMER("ahead-sign", "2^31 events taken", 0x80000000u),
    CONSUMER("max", "2^32-1 events taken", UINT32_MAX),
    EVENTS("noise", "an event page of noise", 0, consumer_noise),
    EVENTS("producer", "the number of events overwritten", 0,
           event_producer),
    EVENTS("full", "nobody takes events", -EBUSY, events_full),
    { NULL }
};
