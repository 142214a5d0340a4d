/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: a request ring.  The guest writes what it likes, at any time;
 * the backend must take each request as it was once, and write nothing but
 * responses.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-ring.h"
#include "fuzz-input.h"

#define PAGE        4096

/* Words of the header, xen/io/ring.h */
#define REQ_PROD    0
#define REQ_EVENT   1
#define RSP_PROD    2
#define RSP_EVENT   3
#define SLOTS       64

/*
 * @page: the shared page
 * @before: what it was when the backend was called
 * @cons, @rsp: what the backend's indices have to be
 * @broken: the ring is given up
 * @answered: requests answered in this call
 * @head, @rest: of the response that is due
 * @notify: whether a response of this call was to be told of
 * @notified: notifications in this call
 */
typedef struct Ring {
    FuzzInput in;
    XenPvRing ring;
    uint8_t page[PAGE] __attribute__((aligned(PAGE)));
    uint8_t before[PAGE];
    uint32_t cons;
    uint32_t rsp;
    bool broken;
    int answered;
    XenPvHead head;
    uint8_t rest[XEN_PV_SLOT_SIZE - sizeof(XenPvHead)];
    bool notify;
    int notified;
} Ring;

static uint32_t get_word(const Ring *r, unsigned int word)
{
    uint32_t value;

    memcpy(&value, r->page + word * sizeof(value), sizeof(value));
    return value;
}

static void put_word(Ring *r, unsigned int word, uint32_t value)
{
    memcpy(r->page + word * sizeof(value), &value, sizeof(value));
}

static uint8_t *slot(uint8_t *page, uint32_t index)
{
    return page + SLOTS + index % XEN_PV_RING_SLOTS * XEN_PV_SLOT_SIZE;
}

/* The backend is about to run */
static void remember(Ring *r)
{
    memcpy(r->before, r->page, PAGE);
}

/* The backend may have written these bytes, and must have left the others */
static void only_wrote(Ring *r, size_t start, size_t size)
{
    memcpy(r->before + start, r->page + start, size);
    g_assert(memcmp(r->before, r->page, PAGE) == 0);
}

static void check(Ring *r)
{
    g_assert(r->ring.page == NULL || r->ring.page == r->page);
    g_assert_cmpuint(r->ring.req_cons, ==, r->cons);
    g_assert_cmpuint(r->ring.rsp_prod, ==, r->rsp);
    g_assert_cmpuint(r->cons - r->rsp, <=, XEN_PV_RING_SLOTS);
    g_assert(r->ring.broken == r->broken);
}

static void guest_writes(Ring *r)
{
    uint32_t ahead;

    switch (fuzz_pick(&r->in, 6)) {
    case 0:
        /* The tame way: some requests more */
        ahead = get_word(r, REQ_PROD) + fuzz_pick(&r->in, 40);
        put_word(r, REQ_PROD, ahead);
        break;
    case 1:
        put_word(r, REQ_PROD, fuzz_number(&r->in));
        break;
    case 2:
        put_word(r, RSP_EVENT, r->rsp + (int8_t)fuzz_u8(&r->in));
        break;
    case 3:
        put_word(r, RSP_PROD, r->cons - fuzz_number(&r->in));
        break;
    case 4:
        put_word(r, fuzz_pick(&r->in, 16), fuzz_u32(&r->in));
        break;
    default:
        fuzz_bytes(&r->in, slot(r->page, fuzz_u8(&r->in)), 16);
        break;
    }
}

/* What is behind the backend's back */
static void disturb(Ring *r)
{
    unsigned int n;

    r->in.backwards = true;
    for (n = fuzz_u8(&r->in) & 3; n; n--) {
        guest_writes(r);
    }
    r->in.backwards = false;
}

static void attach(Ring *r)
{
    remember(r);
    xen_pv_ring_attach(&r->ring, r->page);
    only_wrote(r, 0, 0);
    r->rsp = r->cons = get_word(r, RSP_PROD);
    r->broken = false;
}

static void detach(Ring *r)
{
    xen_pv_ring_detach(&r->ring);
    r->rsp = r->cons = 0;
    r->broken = false;
}

/* Returns what xen_pv_ring_get() has to: the model */
static int expect_get(const Ring *r)
{
    uint32_t waiting = get_word(r, REQ_PROD) - r->cons;

    if (!r->ring.page) {
        return -ENOTCONN;
    }
    if (r->broken || waiting == 0) {
        return 0;
    }
    return (uint64_t)waiting + (r->cons - r->rsp) > XEN_PV_RING_SLOTS
           ? -EPROTO : 1;
}

static void get(Ring *r)
{
    int expected = expect_get(r);
    XenPvSlot req;

    remember(r);
    g_assert_cmpint(xen_pv_ring_get(&r->ring, &req), ==, expected);
    only_wrote(r, 0, 0);
    if (expected == 1) {
        g_assert(memcmp(req.bytes, slot(r->page, r->cons),
                        XEN_PV_SLOT_SIZE) == 0);
        r->cons++;
    }
    r->broken |= expected == -EPROTO;
}

/* A response was put: what it changed; returns whether to notify of it */
static bool check_put(Ring *r, const uint8_t *rsp)
{
    memcpy(r->before + RSP_PROD * 4, r->page + RSP_PROD * 4, 4);
    only_wrote(r, slot(r->page, r->rsp) - r->page, XEN_PV_SLOT_SIZE);
    g_assert(memcmp(slot(r->page, r->rsp), rsp, XEN_PV_SLOT_SIZE) == 0);
    r->rsp++;
    g_assert_cmpuint(get_word(r, RSP_PROD), ==, r->rsp);
    return get_word(r, RSP_EVENT) == r->rsp;
}

static void put(Ring *r)
{
    bool possible = r->ring.page && r->cons != r->rsp;
    XenPvSlot rsp;
    bool notify;

    fuzz_bytes(&r->in, rsp.bytes, 8);
    memset(rsp.bytes + 8, 0x5a, sizeof(rsp.bytes) - 8);
    remember(r);
    notify = xen_pv_ring_put(&r->ring, &rsp);
    if (!possible) {
        g_assert(!notify);
        only_wrote(r, 0, 0);
        return;
    }
    g_assert(notify == check_put(r, rsp.bytes));
}

static void final_check(Ring *r)
{
    bool more;

    remember(r);
    more = xen_pv_ring_final_check(&r->ring);
    only_wrote(r, REQ_EVENT * 4, r->ring.page ? 4 : 0);
    g_assert(more == (r->ring.page && !r->broken &&
                      get_word(r, REQ_PROD) != r->cons));
    g_assert(more || !r->ring.page || r->broken ||
             get_word(r, REQ_EVENT) == r->cons + 1);
}

/* An engine has a copy of the request; the response is still to come */
static int carry_out(void *engine, uint32_t index, XenPvSlot *req,
                     XenPvSlot *rsp, XenPvWhy *why)
{
    Ring *r = engine;
    uint8_t bytes[8];

    g_assert(memcmp(req->bytes, slot(r->page, r->cons),
                    XEN_PV_SLOT_SIZE) == 0);
    r->cons++;
    check(r);
    disturb(r);
    memcpy(&r->head, req->bytes, sizeof(r->head));
    fuzz_bytes(&r->in, bytes, sizeof(bytes));
    r->head.reserved = 0;
    memcpy(&r->head.status, bytes + 4, 4);
    memset(r->rest, bytes[0], sizeof(r->rest));
    memset(rsp->bytes, bytes[0], sizeof(rsp->bytes));
    remember(r);
    return r->head.status;
}

static void answered(void *opaque, uint32_t index, uint16_t id,
                     uint8_t operation, int32_t status, const char *why)
{
    Ring *r = opaque;
    XenPvSlot rsp;

    g_assert(id == r->head.id && operation == r->head.operation &&
             status == r->head.status);
    memcpy(rsp.bytes, &r->head, sizeof(r->head));
    memcpy(rsp.bytes + sizeof(r->head), r->rest, sizeof(r->rest));
    r->notify |= check_put(r, rsp.bytes);
    disturb(r);
    check(r);
    r->answered++;
}

static void notified(void *opaque, uint32_t index)
{
    Ring *r = opaque;

    r->notified++;
}

/* An engine may want to go on later */
static bool enough(void *opaque)
{
    Ring *r = opaque;

    disturb(r);
    return fuzz_chance(&r->in, 16);
}

static void serve(Ring *r)
{
    static const XenPvServerOps ops = {
        .notify = notified, .answered = answered, .enough = enough,
    };
    XenPvServer server = {
        .carry_out = carry_out, .engine = r, .ops = &ops, .opaque = r,
    };
    bool more;
    int ret;

    /* Requests that were taken one by one are owed their responses first */
    while (r->cons != r->rsp) {
        put(r);
    }
    r->answered = r->notified = 0;
    r->notify = false;
    ret = xen_pv_ring_serve(&r->ring, &server, 0, &more);
    g_assert_cmpint(r->answered, <=, XEN_PV_RING_SLOTS);
    g_assert_cmpint(r->notified, ==, r->notify);
    g_assert_cmpuint(server.requests, ==, r->answered);
    if (ret == -EPROTO) {
        g_assert(r->ring.page && !r->broken && !more);
        r->broken = true;
    } else {
        g_assert_cmpint(ret, ==, r->answered);
        g_assert(more == (r->ring.page && !r->broken &&
                          get_word(r, REQ_PROD) != r->cons));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Ring storage;
    Ring *r = &storage;

    memset(r, 0, sizeof(*r));
    r->in.data = data;
    r->in.size = size;
    fuzz_bytes(&r->in, r->page, 16);
    attach(r);
    while (r->in.size) {
        switch (fuzz_pick(&r->in, 16)) {
        case 0:
            attach(r);
            break;
        case 1:
            detach(r);
            break;
        case 2:
        case 3:
            get(r);
            break;
        case 4:
        case 5:
            put(r);
            break;
        case 6:
            final_check(r);
            break;
        case 7:
        case 8:
        case 9:
            serve(r);
            break;
        default:
            guest_writes(r);
            break;
        }
        check(r);
    }
    return 0;
}
