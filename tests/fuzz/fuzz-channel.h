/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring and its event page between the fuzzers' guest and an engine: the
 * guest's requests, and what the protocols hold every engine to.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FUZZ_FUZZ_CHANNEL_H
#define TESTS_FUZZ_FUZZ_CHANNEL_H

#include "hw/xen/xen-pv-ring.h"
#include "fuzz-guest.h"

/**
 * struct FuzzChannel - one ring and its event page
 *
 * @refs: references of the two pages
 * @ring: the ring as the backend has it mapped, or NULL
 * @events: the event page, likewise
 * @cons: requests that the engine has taken
 * @request: the one that it takes next, if there is one
 * @answered: requests answered in this turn
 * @sent: events sent in this connection
 * @broken: the engine gave the ring up
 */
typedef struct FuzzChannel {
    FuzzHost *host;
    uint32_t refs[2];
    uint8_t *ring;
    uint8_t *events;
    uint32_t cons;
    XenPvSlot request;
    int answered;
    uint32_t sent;
    bool broken;
} FuzzChannel;

/**
 * fuzz_channel_open: map both pages, and expect an engine to attach them
 * @channel: the channel, zeroed or closed
 * @host: who maps
 * @page: number of the ring's page; the event page is the next
 *
 * Returns: whether the guest lets them be mapped.
 */
bool fuzz_channel_open(FuzzChannel *channel, FuzzHost *host, uint32_t page);

/** fuzz_channel_close: unmap both pages; harmless when they are not */
void fuzz_channel_close(FuzzChannel *channel);

/** fuzz_channel_put: the guest sends a request */
void fuzz_channel_put(FuzzChannel *channel, const XenPvSlot *request);

/** fuzz_channel_play: the guest uses its indices, more or less honestly */
void fuzz_channel_play(FuzzChannel *channel);

/** fuzz_channel_peek: note the request that the engine takes next */
void fuzz_channel_peek(FuzzChannel *channel);

/**
 * fuzz_channel_answered: the engine has just answered a request
 * @channel: the channel
 * @id: what it says the request's id was
 * @operation: and its operation
 * @status: what it has answered
 * @why: its explanation
 * @payload: bytes of the response behind the status that may not be 0
 *
 * The request must be the one that was noted; the response must be where it
 * belongs, and zero where nothing is said.
 */
void fuzz_channel_answered(FuzzChannel *channel, uint16_t id,
                           uint8_t operation, int32_t status,
                           const char *why, size_t payload);

/**
 * fuzz_channel_served: a turn is over
 * @channel: the channel
 * @ret: what the engine returned
 */
void fuzz_channel_served(FuzzChannel *channel, int ret);

/**
 * fuzz_channel_event: look at an event that was sent just now
 * @channel: the channel
 * @id: the id that it must have
 * @type: the type that it must have
 *
 * Returns: the 64 bits of its payload; all else must be zero.
 */
uint64_t fuzz_channel_event(FuzzChannel *channel, uint16_t id, uint8_t type);

/** fuzz_channel_unseen: events that were sent and not looked at yet */
uint32_t fuzz_channel_unseen(const FuzzChannel *channel);

#endif /* TESTS_FUZZ_FUZZ_CHANNEL_H */
