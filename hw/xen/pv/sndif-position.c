/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: where a stream is, and what the guest is told of it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "sndif-position.h"

QEMU_BUILD_BUG_ON(sizeof(struct xensnd_evt) != XEN_PV_SLOT_SIZE);
QEMU_BUILD_BUG_ON(XENSND_IN_RING_LEN != XEN_PV_EVENT_SLOTS);
QEMU_BUILD_BUG_ON(XENSND_IN_RING_OFFS != XEN_PV_SLOT_SIZE);

void xen_sndif_position_open(XenSndifPosition *position,
                             const XenSndifParams *params, uint32_t events)
{
    position->now = 0;
    position->reported = 0;
    position->due = params->period_size;
    position->opened_at = events;
}

void xen_sndif_position_wrap(XenSndifPosition *position,
                             const XenSndifParams *params)
{
    position->now = QEMU_ALIGN_UP(position->now,
                                  (uint64_t)params->buffer_size);
}

bool xen_sndif_position_is_due(const XenSndifPosition *position,
                               const XenSndifParams *params, uint64_t *told)
{
    uint64_t period = params->period_size;

    *told = position->now;
    if (period && *told % period == 0) {
        *told -= MIN(params->frame_size, *told - position->reported);
    }
    return *told > position->due;
}

static int push(XenPvEvents *events, uint64_t position, uint16_t id)
{
    struct xensnd_evt evt = { 0 };
    XenPvSlot slot;

    evt.type = XENSND_EVT_CUR_POS;
    evt.op.cur_pos.position = position;
    memcpy(slot.bytes, &evt, sizeof(evt));
    return xen_pv_events_push_as(events, &slot, id);
}

int xen_sndif_position_send(XenSndifPosition *position,
                            const XenSndifParams *params,
                            XenPvEvents *events, uint64_t told)
{
    uint64_t period = params->period_size;
    int ret;

    if (!period || position->reported == told) {
        return 0;
    }
    ret = push(events, told, events->prod);
    if (ret == 0) {
        ret = push(events, told, events->prod - position->opened_at);
    }
    if (ret < 0) {
        return ret;
    }
    position->reported = told;
    position->due = (told / period + 1) * period;
    return 0;
}
