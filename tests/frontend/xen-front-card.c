/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake frontend of any PV card
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <string.h>

#include "xen-front-card.h"

G_STATIC_ASSERT(sizeof(struct xen_front_slot) == 64);

/* Life */

void xen_front_card_init(XenFrontCard *card, XenGuest *guest,
                         const char *driver, uint32_t devid)
{
    uint32_t domid = xen_guest_domid(guest);

    card->guest = guest;
    card->frontend_path = g_strdup_printf("/local/domain/%u/device/%s/%u",
                                          domid, driver, devid);
    card->frontend_state = g_strdup_printf("%s/state", card->frontend_path);
    card->backend_path = g_strdup_printf("/local/domain/%u/backend/%s/%u/%u",
                                         XEN_GUEST_BACKEND, driver, domid,
                                         devid);
    card->backend_state = g_strdup_printf("%s/state", card->backend_path);
}

void xen_front_card_clear(XenFrontCard *card)
{
    g_free(card->frontend_path);
    g_free(card->frontend_state);
    g_free(card->backend_path);
    g_free(card->backend_state);
    memset(card, 0, sizeof(*card));
}

/* States */

int xen_front_set_state(XenFrontCard *card, int state)
{
    return xen_guest_write(card->guest, card->frontend_state, "%d", state);
}

bool xen_front_wait_backend(XenFrontCard *card, int state, int timeout_ms)
{
    return xen_guest_wait_int(card->guest, card->backend_state, state,
                              XenbusStateUnknown, timeout_ms);
}

int xen_front_card_begin(XenFrontCard *card)
{
    return xen_front_wait_backend(card, XenbusStateInitWait,
                                  XEN_GUEST_DEADLINE) ? 0 : -ETIMEDOUT;
}

int xen_front_card_finish(XenFrontCard *card)
{
    int ret = xen_front_set_state(card, XenbusStateInitialised);

    if (ret < 0) {
        return ret;
    }
    if (!xen_front_wait_backend(card, XenbusStateConnected,
                                XEN_GUEST_DEADLINE)) {
        return -ETIMEDOUT;
    }
    return xen_front_set_state(card, XenbusStateConnected);
}

bool xen_front_card_leave(XenFrontCard *card)
{
    xen_front_set_state(card, XenbusStateClosing);
    return xen_front_wait_backend(card, XenbusStateInitWait,
                                  XEN_FRONT_TIMEOUT);
}

void xen_front_card_left(XenFrontCard *card)
{
    xen_front_set_state(card, XenbusStateInitialising);
    xen_front_set_state(card, XenbusStateClosed);
}

/* Channels */

int xen_front_channel_alloc(XenGuest *guest, XenFrontChannel *channel)
{
    channel->guest = guest;
    channel->page = xen_guest_alloc_page(guest);
    if (!channel->page) {
        return -ENOMEM;
    }
    channel->ref = xen_guest_grant(guest, channel->page, false);
    channel->port = xen_guest_alloc_port(guest);
    return channel->ref && channel->port ? 0 : -ENOSPC;
}

int xen_front_channel_alloc_ring(XenGuest *guest, XenFrontChannel *channel)
{
    struct xen_front_sring *shared;
    int ret = xen_front_channel_alloc(guest, channel);

    if (ret < 0) {
        return ret;
    }
    shared = xen_guest_page(guest, channel->page);
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&channel->ring, shared, XEN_GUEST_PAGE);
    channel->next_id = 0;
    return 0;
}

uint32_t xen_front_channel_free(XenFrontChannel *channel)
{
    uint32_t busy = 0;

    if (channel->page) {
        xen_guest_close_port(channel->guest, channel->port);
        if (xen_guest_end_access(channel->guest, channel->ref) < 0) {
            busy = 1;
        } else {
            xen_guest_free_page(channel->guest, channel->page);
        }
    }
    memset(channel, 0, sizeof(*channel));
    return busy;
}

static int publish_number(XenFrontCard *card, const char *dir,
                          const char *key, uint32_t n)
{
    g_autofree char *path = g_strdup_printf("%s/%s/%s", card->frontend_path,
                                            dir, key);

    return xen_guest_write(card->guest, path, "%u", n);
}

int xen_front_channel_publish(XenFrontCard *card, const char *dir,
                              const char *ref_key, const char *port_key,
                              const XenFrontChannel *channel)
{
    return publish_number(card, dir, ref_key, channel->ref) ?:
           publish_number(card, dir, port_key, channel->port);
}

/* Requests */

uint16_t xen_front_channel_send(XenFrontChannel *channel, const void *req)
{
    struct xen_front_slot *slot = RING_GET_REQUEST(&channel->ring,
                                                   channel->ring.req_prod_pvt);
    uint16_t id = channel->next_id++;
    int notify;

    memcpy(slot, req, sizeof(*slot));
    slot->id = id;
    channel->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&channel->ring, notify);
    if (notify) {
        xen_guest_kick(channel->guest, channel->port);
    }
    return id;
}

/* Linux asks to be notified of the next response, then looks once more */
static bool has_response(void *opaque)
{
    XenFrontChannel *channel = opaque;
    int work;

    RING_FINAL_CHECK_FOR_RESPONSES(&channel->ring, work);
    return work;
}

int xen_front_channel_receive(XenFrontChannel *channel, void *resp,
                              int timeout_ms)
{
    if (!xen_guest_wait(channel->guest, has_response, channel, timeout_ms)) {
        return -ETIMEDOUT;
    }
    xen_rmb();
    memcpy(resp, RING_GET_RESPONSE(&channel->ring, channel->ring.rsp_cons),
           sizeof(struct xen_front_slot));
    channel->ring.rsp_cons++;
    /* As Linux: with no request under way, the next answer is notified */
    if (channel->ring.rsp_cons == channel->ring.req_prod_pvt) {
        channel->ring.sring->rsp_event = channel->ring.rsp_cons + 1;
        xen_mb();
    }
    return 0;
}

bool xen_front_is_zero(const void *data, size_t len)
{
    const uint8_t *byte = data;

    while (len--) {
        if (*byte++) {
            return false;
        }
    }
    return true;
}

int xen_front_channel_request(XenFrontChannel *channel, const void *req,
                              void *resp, size_t answer)
{
    struct xen_front_slot asked, got;
    uint16_t id = xen_front_channel_send(channel, req);
    int ret = xen_front_channel_receive(channel, &got, XEN_FRONT_TIMEOUT);
    size_t used;

    if (ret < 0) {
        return ret;
    }
    if (resp) {
        memcpy(resp, &got, sizeof(got));
    }
    memcpy(&asked, req, sizeof(asked));
    used = got.status == 0 ? answer : 0;
    if (got.id != id || got.operation != asked.operation || got.reserved ||
        got.status > 0 ||
        !xen_front_is_zero(got.bytes + used, sizeof(got.bytes) - used)) {
        return -EPROTO;
    }
    return got.status;
}
