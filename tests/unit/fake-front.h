/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's half of one ring and its event page, in memory of the test's
 * own.  It works on the raw pages, as Linux does.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_FAKE_FRONT_H
#define TESTS_UNIT_FAKE_FRONT_H

#include <xen/io/ring.h>

#include "hw/xen/xen-pv-ring.h"

#define FAKE_FRONT_PAGE     4096

DEFINE_RING_TYPES(fake_front, XenPvSlot, XenPvSlot);

/* Both protocols have it */
typedef struct FakeFrontEvents {
    uint32_t in_cons;
    uint32_t in_prod;
    uint8_t reserved[56];
    XenPvSlot slot[XEN_PV_EVENT_SLOTS];
} FakeFrontEvents;

/**
 * struct FakeFront - both pages
 *
 * @id: of the next request
 * @events: events of this connection that were taken
 */
typedef struct FakeFront {
    struct fake_front_sring *sring;
    FakeFrontEvents *evt;
    uint16_t id;
    uint32_t events;
} FakeFront;

/** fake_front_init: get both pages, all zero */
void fake_front_init(FakeFront *front);

/** fake_front_free: give them back */
void fake_front_free(FakeFront *front);

/**
 * fake_front_reset: prepare for a connection
 * @front: the frontend
 * @start: what the ring's indices begin with
 *
 * The slots hold what somebody left there.
 */
void fake_front_reset(FakeFront *front, uint32_t start);

/** fake_front_slot: a slot of the ring, whatever number it has */
void *fake_front_slot(const FakeFront *front, uint32_t index);

/**
 * fake_front_next: begin with the next request
 * @front: the frontend
 * @operation: what is asked for
 *
 * Returns: its slot, where id and operation are filled in, and all else is what
 * was there before.
 */
void *fake_front_next(FakeFront *front, uint8_t operation);

/** fake_front_push: the request is complete */
void fake_front_push(FakeFront *front);

/**
 * fake_front_send: send a request
 * @front: the frontend
 * @req: its 64 bytes, of which the id is replaced by the next one
 */
void fake_front_send(FakeFront *front, const void *req);

/** fake_front_want_notify: ask for a notification of the next response */
void fake_front_want_notify(FakeFront *front);

/**
 * fake_front_response: check the response to the last request
 * @front: the frontend; all its requests are answered
 * @operation: what was asked for
 * @payload: bytes behind the status that may have a value
 * @rsp: where to copy its 64 bytes
 *
 * Returns: its status.
 */
int32_t fake_front_response(const FakeFront *front, uint8_t operation,
                            uint32_t payload, void *rsp);

#endif /* TESTS_UNIT_FAKE_FRONT_H */
