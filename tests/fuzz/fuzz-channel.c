/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring and its event page between the fuzzers' guest and an engine
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "fuzz-channel.h"

/* Words of a ring's header, xen/io/ring.h, and of an event page's */
#define REQ_PROD    0
#define RSP_PROD    2
#define RSP_EVENT   3
#define IN_CONS     0
#define IN_PROD     1

static uint32_t get_word(const uint8_t *page, unsigned int word)
{
    uint32_t value;

    memcpy(&value, page + word * sizeof(value), sizeof(value));
    return value;
}

static void set_word(uint8_t *page, unsigned int word, uint32_t value)
{
    memcpy(page + word * sizeof(value), &value, sizeof(value));
}

static uint8_t *slot(uint8_t *page, uint32_t index, uint32_t slots)
{
    return page + XEN_PV_SLOT_SIZE + index % slots * XEN_PV_SLOT_SIZE;
}

bool fuzz_channel_open(FuzzChannel *channel, FuzzHost *host, uint32_t page)
{
    void *addr[2];
    unsigned int i;

    memset(channel, 0, sizeof(*channel));
    channel->host = host;
    host->tag = FUZZ_TAG_CHANNEL;
    for (i = 0; i < 2; i++) {
        channel->refs[i] = page + i;
        if (fuzz_host_map(host, &channel->refs[i], 1, true, &addr[i]) < 0) {
            if (i) {
                fuzz_host_unmap(host, addr[0], &channel->refs[0], 1);
            }
            return false;
        }
    }
    channel->ring = addr[0];
    channel->events = addr[1];
    channel->cons = get_word(channel->ring, RSP_PROD);
    return true;
}

void fuzz_channel_close(FuzzChannel *channel)
{
    if (channel->ring) {
        fuzz_host_unmap(channel->host, channel->ring, &channel->refs[0], 1);
        fuzz_host_unmap(channel->host, channel->events, &channel->refs[1], 1);
    }
    memset(channel, 0, sizeof(*channel));
}

void fuzz_channel_put(FuzzChannel *channel, const XenPvSlot *request)
{
    uint32_t prod;

    if (channel->ring) {
        prod = get_word(channel->ring, REQ_PROD);
        memcpy(slot(channel->ring, prod, XEN_PV_RING_SLOTS), request->bytes,
               sizeof(*request));
        set_word(channel->ring, REQ_PROD, prod + 1);
    }
}

void fuzz_channel_play(FuzzChannel *channel)
{
    FuzzInput *in = channel->host ? channel->host->guest->in : NULL;

    if (!channel->ring) {
        return;
    }
    switch (fuzz_pick(in, 6)) {
    case 0:
    case 1:
        set_word(channel->events, IN_CONS,
                 get_word(channel->events, IN_PROD));
        break;
    case 2:
        set_word(channel->events, IN_CONS,
                 channel->sent - fuzz_number(in));
        break;
    case 3:
        set_word(channel->ring, RSP_EVENT, channel->cons + fuzz_pick(in, 3));
        break;
    case 4:
        /* Requests that nobody wrote: what the slots still hold */
        set_word(channel->ring, REQ_PROD,
                 channel->cons + fuzz_pick(in, XEN_PV_RING_SLOTS + 2));
        break;
    default:
        set_word(channel->ring, REQ_PROD, channel->cons);
        break;
    }
}

void fuzz_channel_peek(FuzzChannel *channel)
{
    if (channel->ring) {
        memcpy(channel->request.bytes,
               slot(channel->ring, channel->cons, XEN_PV_RING_SLOTS),
               sizeof(channel->request));
    }
}

/* Fit for a line of a log: a guest's bytes come as numbers alone */
static bool is_plain(const char *why)
{
    size_t i;

    for (i = 0; why[i]; i++) {
        if (!g_ascii_isprint(why[i])) {
            return false;
        }
    }
    return i > 0 && i < XEN_PV_WHY_MAX;
}

void fuzz_channel_answered(FuzzChannel *channel, uint16_t id,
                           uint8_t operation, int32_t status,
                           const char *why, size_t payload)
{
    uint8_t *bytes = slot(channel->ring, channel->cons, XEN_PV_RING_SLOTS);
    XenPvSlot expected = { { 0 } };

    g_assert(!channel->broken);
    g_assert_cmpint(status, <=, 0);
    g_assert(!why == !status);
    g_assert(!why || is_plain(why));
    g_assert(memcmp(&id, channel->request.bytes, sizeof(id)) == 0);
    g_assert_cmpuint(operation, ==, channel->request.bytes[2]);

    memcpy(expected.bytes, channel->request.bytes, 3);
    memcpy(expected.bytes + 4, &status, sizeof(status));
    memcpy(expected.bytes + 8, bytes + 8, payload);
    g_assert(memcmp(bytes, expected.bytes, sizeof(expected)) == 0);
    channel->cons++;
    g_assert_cmpuint(get_word(channel->ring, RSP_PROD), ==, channel->cons);
    channel->answered++;
}

void fuzz_channel_served(FuzzChannel *channel, int ret)
{
    g_assert_cmpint(channel->answered, <=, XEN_PV_RING_SLOTS);
    if (ret == -EPROTO) {
        g_assert(channel->ring && !channel->broken);
        channel->broken = true;
    } else {
        g_assert_cmpint(ret, ==, channel->answered);
    }
    channel->answered = 0;
}

uint64_t fuzz_channel_event(FuzzChannel *channel, uint16_t id, uint8_t type)
{
    uint8_t *bytes = slot(channel->events, channel->sent, XEN_PV_EVENT_SLOTS);
    XenPvSlot expected = { { 0 } };
    uint64_t payload;

    memcpy(&payload, bytes + 8, sizeof(payload));
    memcpy(expected.bytes, &id, sizeof(id));
    expected.bytes[2] = type;
    memcpy(expected.bytes + 8, &payload, sizeof(payload));
    g_assert(memcmp(bytes, expected.bytes, sizeof(expected)) == 0);
    channel->sent++;
    return payload;
}

uint32_t fuzz_channel_unseen(const FuzzChannel *channel)
{
    return get_word(channel->events, IN_PROD) - channel->sent;
}
