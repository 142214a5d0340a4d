/*
 * Request ring and event page of Xen PV displays and sound cards
 *
 * The guest can write to both pages at any moment.  So each shared field is
 * read once, by an access that the compiler may neither repeat nor tear, and
 * everything that matters is kept in private memory.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include <xen/io/ring.h>

#include "hw/xen/xen-pv-ring.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "Xen has no big-endian hosts: what guests write is read as it is"
#endif

DEFINE_RING_TYPES(xen_pv, XenPvSlot, XenPvSlot);

/* xen/io/displif.h and xen/io/sndif.h: struct xen{displ,snd}_event_page */
typedef struct XenPvEventPage {
    uint32_t in_cons;
    uint32_t in_prod;
    uint8_t reserved[56];
    XenPvSlot slot[XEN_PV_EVENT_SLOTS];
} XenPvEventPage;

QEMU_BUILD_BUG_ON(sizeof(XenPvSlot) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(offsetof(struct xen_pv_sring, ring) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(sizeof(XenPvEventPage) != 4096);

/*
 * Indices of event slots wrap at 2^32, which is no multiple of 63.  So the
 * first few events after the wrap meet slots that were used only
 * EVENT_WRAP_SKEW events before.
 */
#define EVENT_WRAP_SKEW ((uint32_t)((1ULL << 32) % XEN_PV_EVENT_SLOTS))

/* Read a field of a shared page before everything that follows */
static uint32_t shared_get(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

/* Write a field of a shared page after everything that went before */
static void shared_set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELEASE);
}

/* Words, as 32-bit hosts cannot load or store 64 bits without a library */
static void slot_copy(XenPvSlot *dst, const XenPvSlot *src)
{
    uintptr_t *to = (uintptr_t *)dst->bytes;
    const uintptr_t *from = (const uintptr_t *)src->bytes;
    unsigned int i;

    for (i = 0; i < XEN_PV_SLOT_SIZE / sizeof(*to); i++) {
        __atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
    }
}

static XenPvSlot *ring_slot(XenPvRing *ring, uint32_t index)
{
    struct xen_pv_sring *sring = ring->page;

    /* ring.h declares one element of an array that fills the page */
    return (XenPvSlot *)sring->ring + index % XEN_PV_RING_SLOTS;
}

void xen_pv_ring_attach(XenPvRing *ring, void *page)
{
    struct xen_pv_sring *sring = page;

    ring->page = page;
    ring->rsp_prod = shared_get(&sring->rsp_prod);
    ring->req_cons = ring->rsp_prod;
    ring->broken = false;
}

void xen_pv_ring_detach(XenPvRing *ring)
{
    memset(ring, 0, sizeof(*ring));
}

int xen_pv_ring_get(XenPvRing *ring, XenPvSlot *req)
{
    struct xen_pv_sring *sring = ring->page;
    uint32_t prod, waiting, unanswered;

    if (!sring) {
        return -ENOTCONN;
    }
    if (ring->broken) {
        return 0;
    }

    prod = shared_get(&sring->req_prod);
    waiting = prod - ring->req_cons;
    if (waiting == 0) {
        return 0;
    }

    /* Too far ahead, or behind what was taken already */
    unanswered = ring->req_cons - ring->rsp_prod;
    if (waiting > XEN_PV_RING_SLOTS - unanswered) {
        ring->broken = true;
        ring->bad_prod = prod;
        return -EPROTO;
    }

    slot_copy(req, ring_slot(ring, ring->req_cons));
    ring->req_cons++;
    return 1;
}

bool xen_pv_ring_put(XenPvRing *ring, const XenPvSlot *rsp)
{
    struct xen_pv_sring *sring = ring->page;
    uint32_t event;

    if (!sring || ring->rsp_prod == ring->req_cons) {
        return false;
    }

    slot_copy(ring_slot(ring, ring->rsp_prod), rsp);
    ring->rsp_prod++;
    shared_set(&sring->rsp_prod, ring->rsp_prod);

    /* The frontend sets rsp_event, then looks at rsp_prod once more */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    event = shared_get(&sring->rsp_event);
    return ring->rsp_prod == event;
}

bool xen_pv_ring_final_check(XenPvRing *ring)
{
    struct xen_pv_sring *sring = ring->page;

    if (!sring || ring->broken) {
        return false;
    }
    if (shared_get(&sring->req_prod) != ring->req_cons) {
        return true;
    }
    shared_set(&sring->req_event, ring->req_cons + 1);
    /* The frontend sets req_prod, then looks at req_event */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return shared_get(&sring->req_prod) != ring->req_cons;
}

void xen_pv_why_say(XenPvWhy *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
}

/* Returns: as xen_pv_ring_put() */
static bool answer(XenPvRing *ring, XenPvServer *server, uint32_t index,
                   XenPvSlot *req)
{
    XenPvSlot rsp = { { 0 } };
    XenPvHead head;
    XenPvWhy why;
    bool notify;

    memcpy(&head, req->bytes, sizeof(head));
    head.reserved = 0;
    why.text[0] = '\0';
    /* Errors are those of Linux on x86 and Arm, hence of xen/errno.h */
    head.status = server->carry_out(server->engine, index, req, &rsp, &why);
    memcpy(rsp.bytes, &head, sizeof(head));
    notify = xen_pv_ring_put(ring, &rsp);

    server->requests++;
    server->refused += head.status < 0;
    server->ops->answered(server->opaque, index, head.id, head.operation,
                          head.status, *why.text ? why.text : NULL);
    return notify;
}

int xen_pv_ring_serve(XenPvRing *ring, XenPvServer *server, uint32_t index,
                      bool *more)
{
    bool notify = false;
    int answered = 0;
    XenPvSlot req;
    int ret = 0;

    while (answered < XEN_PV_RING_SLOTS) {
        ret = xen_pv_ring_get(ring, &req);
        if (ret <= 0) {
            break;
        }
        notify |= answer(ring, server, index, &req);
        answered++;
        if (server->ops->enough && server->ops->enough(server->opaque)) {
            break;
        }
    }
    *more = ret != -EPROTO && xen_pv_ring_final_check(ring);
    if (notify) {
        server->ops->notify(server->opaque, index);
    }
    return ret == -EPROTO ? ret : answered;
}

void xen_pv_events_attach(XenPvEvents *events, void *page)
{
    events->page = page;
    events->prod = 0;
}

void xen_pv_events_detach(XenPvEvents *events)
{
    memset(events, 0, sizeof(*events));
}

int xen_pv_events_push(XenPvEvents *events, XenPvSlot *event)
{
    return xen_pv_events_push_as(events, event, events->prod);
}

int xen_pv_events_push_as(XenPvEvents *events, XenPvSlot *event, uint16_t id)
{
    XenPvEventPage *page = events->page;
    uint32_t cons, unread;

    if (!page) {
        return -ENOTCONN;
    }

    cons = shared_get(&page->in_cons);
    unread = events->prod - cons;
    if (unread >= XEN_PV_EVENT_SLOTS) {
        return -EAGAIN;
    }
    if (events->prod < EVENT_WRAP_SKEW && cons > events->prod &&
        unread >= EVENT_WRAP_SKEW) {
        return -EAGAIN;
    }

    memcpy(event->bytes, &id, sizeof(id));
    slot_copy(&page->slot[events->prod % XEN_PV_EVENT_SLOTS], event);
    events->prod++;
    shared_set(&page->in_prod, events->prod);
    return 0;
}
