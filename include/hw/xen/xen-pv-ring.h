/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two shared pages of a PV display's connector or a PV sound's stream:
 * a request ring of 64-byte slots and an event page.
 *
 * Both pages stay writable by the guest.  Nothing is kept in them that is
 * read back: a request is copied out once, and the indices that matter are
 * private.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_RING_H
#define HW_XEN_XEN_PV_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

/** XEN_PV_SLOT_SIZE: bytes of every request, response and event */
#define XEN_PV_SLOT_SIZE    64

/** XEN_PV_RING_SLOTS: requests that one ring page holds (xen/io/ring.h) */
#define XEN_PV_RING_SLOTS   32

/** XEN_PV_EVENT_SLOTS: events that one event page holds */
#define XEN_PV_EVENT_SLOTS  63

/**
 * struct XenPvSlot - one request, response or event, copied out or in whole
 *
 * @bytes: the slot; aligned so that the protocol's structures can lie on it
 */
typedef struct XenPvSlot {
    uint8_t bytes[XEN_PV_SLOT_SIZE];
} __attribute__((aligned(8))) XenPvSlot;

/**
 * struct XenPvRing - the consumer's side of a request ring
 *
 * @page: the mapped ring page, or NULL when detached
 * @req_cons: requests taken so far; free running
 * @rsp_prod: responses written so far; free running
 * @broken: the guest's producer index made no sense; nothing is taken any
 *     more until the ring is attached anew
 * @bad_prod: the index that did, if @broken
 */
typedef struct XenPvRing {
    void *page;
    uint32_t req_cons;
    uint32_t rsp_prod;
    bool broken;
    uint32_t bad_prod;
} XenPvRing;

/**
 * struct XenPvEvents - the producer's side of an event page
 *
 * @page: the mapped event page, or NULL when detached
 * @prod: events pushed so far; free running.  Its low 16 bits are the id of
 *     the next event, so that ids have no gaps.
 */
typedef struct XenPvEvents {
    void *page;
    uint32_t prod;
} XenPvEvents;

/**
 * xen_pv_ring_attach: start to serve a mapped ring page
 * @ring: the ring
 * @page: 4096 bytes, writable; must stay mapped until xen_pv_ring_detach()
 *
 * Continues behind the last response that the page shows, so that a restarted
 * backend finds the requests that were left unanswered.
 */
void xen_pv_ring_attach(XenPvRing *ring, void *page);

/**
 * xen_pv_ring_detach: forget the page; harmless when there is none
 * @ring: the ring
 */
void xen_pv_ring_detach(XenPvRing *ring);

/**
 * xen_pv_ring_get: take the next request, copied once
 * @ring: the ring
 * @req: where to store it
 *
 * Returns: 1 when a request was stored, 0 when there is none, -EPROTO when
 * the producer index is more than a ring ahead of the responses (said once;
 * a broken ring is empty from then on), -ENOTCONN when detached.
 */
int xen_pv_ring_get(XenPvRing *ring, XenPvSlot *req);

/**
 * xen_pv_ring_put: write one response, all 64 bytes of it
 * @ring: the ring
 * @rsp: the response; zero where the protocol says nothing, as Linux never
 *     clears the slots that it reuses
 *
 * Returns: whether the frontend asked to be notified of this response.
 */
bool xen_pv_ring_put(XenPvRing *ring, const XenPvSlot *rsp);

/**
 * xen_pv_ring_final_check: ask for a notification of the next request
 * @ring: the ring
 *
 * Returns: whether a request slipped in meanwhile, so that the caller has to
 * go on (RING_FINAL_CHECK_FOR_REQUESTS).
 */
bool xen_pv_ring_final_check(XenPvRing *ring);

/** XEN_PV_WHY_MAX: bytes of a reason, with the NUL at its end */
#define XEN_PV_WHY_MAX 192

/**
 * struct XenPvWhy - why a request is refused: a phrase for the log
 *
 * @text: it names the values at fault, those of the guest as numbers; empty as
 *     long as nothing is refused.  What is longer is cut off.
 */
typedef struct XenPvWhy {
    char text[XEN_PV_WHY_MAX];
} XenPvWhy;

/**
 * xen_pv_why_say: say why a request is refused
 * @why: where to say it
 * @fmt: the phrase
 *
 * Nothing is allocated: a guest may have as many requests refused as it likes.
 */
void xen_pv_why_say(XenPvWhy *why, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/**
 * xen_pv_why: the same, for who returns what the request is answered with
 * @why: where to say it
 * @status: the answer
 *
 * The phrase follows.  A macro, so that those who read code without running it
 * see the value.
 */
#define xen_pv_why(why, status, ...) \
    (xen_pv_why_say(why, __VA_ARGS__), (status))

/**
 * struct XenPvHead - what each request and each response begins with
 *
 * @id: the guest's name of the request; its response has the same
 * @operation: what is asked for; its response has the same
 * @reserved: 0
 * @status: of a response: 0 or a negative errno value; of a request: reserved
 */
typedef struct XenPvHead {
    uint16_t id;
    uint8_t operation;
    uint8_t reserved;
    int32_t status;
} XenPvHead;

/**
 * struct XenPvServerOps - what an engine asks of its owner about requests
 *
 * @notify: tell the frontend that the ring has responses
 * @answered: a request was answered: for tracing.  @why explains a negative
 *     @status in one phrase, and is NULL for a good one; it is gone when this
 *     returns.
 * @enough: asked after each response: whether the requests that are left have
 *     to wait for another call.  May be NULL: they need not.
 *
 * @index says whose ring it is: the engine's number of a connector or a stream.
 */
typedef struct XenPvServerOps {
    void (*notify)(void *opaque, uint32_t index);
    void (*answered)(void *opaque, uint32_t index, uint16_t id,
                     uint8_t operation, int32_t status, const char *why);
    bool (*enough)(void *opaque);
} XenPvServerOps;

/**
 * struct XenPvServer - who answers the requests of a device's rings
 *
 * @carry_out: carry out the request @req, which is a copy, and fill in what
 *     its response has behind its head.  Returns the status; explains a
 *     negative one by a phrase in @why, which is empty until then.
 * @engine: handed to @carry_out
 * @ops: operations of the engine's owner
 * @opaque: handed to these
 * @requests: requests answered
 * @refused: of these, with a negative status
 */
typedef struct XenPvServer {
    int (*carry_out)(void *engine, uint32_t index, XenPvSlot *req,
                     XenPvSlot *rsp, XenPvWhy *why);
    void *engine;
    const XenPvServerOps *ops;
    void *opaque;
    uint64_t requests;
    uint64_t refused;
} XenPvServer;

/**
 * xen_pv_ring_serve: answer what is there, at most a ring's worth
 * @ring: the ring
 * @server: who answers
 * @index: whose ring it is
 * @more: set to whether requests are left; the caller calls again soon
 *
 * Each request is copied out of the ring once, carried out and answered before
 * the next one is looked at.  The frontend is notified once, behind the last.
 *
 * Returns: how many requests were answered, or -EPROTO as xen_pv_ring_get();
 * those before it were answered all the same.
 */
int xen_pv_ring_serve(XenPvRing *ring, XenPvServer *server, uint32_t index,
                      bool *more);

/**
 * xen_pv_events_attach: start to use a mapped event page
 * @events: the event page's producer
 * @page: 4096 bytes, writable; must stay mapped until xen_pv_events_detach()
 *
 * The first event of a connection has id 0, which is what frontends expect.
 */
void xen_pv_events_attach(XenPvEvents *events, void *page);

/**
 * xen_pv_events_detach: forget the page; harmless when there is none
 * @events: the event page's producer
 */
void xen_pv_events_detach(XenPvEvents *events);

/**
 * xen_pv_events_push: send one event
 * @events: the event page's producer
 * @event: the event; its id (the first two bytes) is filled in
 *
 * The caller notifies the event channel afterwards.
 *
 * Returns: 0; -EAGAIN when the page is full or the guest's consumer index
 * makes no sense, and then no id is spent; -ENOTCONN when detached.
 */
int xen_pv_events_push(XenPvEvents *events, XenPvSlot *event);

/**
 * xen_pv_events_push_as: send one event with an id of the caller's choice
 * @events: the event page's producer
 * @event: the event; its id (the first two bytes) is filled in
 * @id: its id
 *
 * Returns: as xen_pv_events_push().
 */
int xen_pv_events_push_as(XenPvEvents *events, XenPvSlot *event, uint16_t id);

#endif /* HW_XEN_XEN_PV_RING_H */
