/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fake frontends of all PV cards have in common: their place in
 * xenstore and the states there, rings, event pages.
 *
 * Functions that return int return 0 or a negative errno value, unless they
 * say otherwise.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_FRONT_CARD_H
#define TESTS_FRONTEND_XEN_FRONT_CARD_H

#include "xen-guest.h"

#ifndef xen_mb
#define xen_mb()    __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb()   __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb()   __atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#include <xen/io/ring.h>
#include <xen/io/xenbus.h>

/* How long Linux waits for an answer */
#define XEN_FRONT_TIMEOUT   3000

/* The end of a card that is the guest's */
typedef struct XenFrontCard {
    XenGuest *guest;
    char *frontend_path;
    char *frontend_state;
    char *backend_path;
    char *backend_state;
} XenFrontCard;

/* What requests and responses of displif and sndif have in common */
struct xen_front_slot {
    uint16_t id;
    uint8_t operation;
    uint8_t reserved;
    int32_t status;             /* of a response */
    uint8_t bytes[56];
};

DEFINE_RING_TYPES(xen_front, struct xen_front_slot, struct xen_front_slot);

/*
 * A page that is granted, with a port: that of a request ring, or an event
 * page, which has no @ring
 */
typedef struct XenFrontChannel {
    XenGuest *guest;
    uint32_t page;
    uint32_t ref;
    uint32_t port;
    struct xen_front_front_ring ring;
    uint16_t next_id;
} XenFrontChannel;

/* Card @devid of the domain, for the driver of that name in xenstore */
void xen_front_card_init(XenFrontCard *card, XenGuest *guest,
                         const char *driver, uint32_t devid);
void xen_front_card_clear(XenFrontCard *card);

/* States: ours, the backend's */
int xen_front_set_state(XenFrontCard *card, int state);
bool xen_front_wait_backend(XenFrontCard *card, int state, int timeout_ms);

/*
 * The handshake: what comes before the backend's nodes are read and what after
 * ours are published
 */
int xen_front_card_begin(XenFrontCard *card);
int xen_front_card_finish(XenFrontCard *card);

/*
 * What Linux does when its module goes: state Closing, wait for InitWait, free
 * the rings, Initialising, Closed.  Here is what comes before the rings are
 * freed, and what after.  Returns whether the backend made it; Linux gives it
 * a second, but is not run beside everything else that is tested.
 */
bool xen_front_card_leave(XenFrontCard *card);
void xen_front_card_left(XenFrontCard *card);

/* Channels: an event page; a request ring, which is empty */
int xen_front_channel_alloc(XenGuest *guest, XenFrontChannel *channel);
int xen_front_channel_alloc_ring(XenGuest *guest, XenFrontChannel *channel);

/* How many pages were still in use: 0 or 1; the port is closed */
uint32_t xen_front_channel_free(XenFrontChannel *channel);

/* Write reference and port to nodes of the frontend's, below @dir there */
int xen_front_channel_publish(XenFrontCard *card, const char *dir,
                              const char *ref_key, const char *port_key,
                              const XenFrontChannel *channel);

/* Put 64 bytes into the next slot and tell the backend; returns the id */
uint16_t xen_front_channel_send(XenFrontChannel *channel, const void *req);

/* Wait for the next response, of 64 bytes; -ETIMEDOUT */
int xen_front_channel_receive(XenFrontChannel *channel, void *resp,
                              int timeout_ms);

/*
 * Both: the status, or -EPROTO for a response that is not in order.  A good
 * one has @answer bytes behind the status, and zeros; @resp may be NULL.
 */
int xen_front_channel_request(XenFrontChannel *channel, const void *req,
                              void *resp, size_t answer);

bool xen_front_is_zero(const void *data, size_t len);

#endif /* TESTS_FRONTEND_XEN_FRONT_CARD_H */
