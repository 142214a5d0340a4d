/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: requests to a sound card
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

/* What a request before OPEN says */
static int not_open(XenAttacker *a, const void *arg)
{
    const uint8_t *operation = arg;
    struct xensnd_req req = { .operation = *operation };

    return xen_front_stream_request(attack_playback(a), &req, NULL);
}

#define CLOSED(name, what, status, op) \
    { "not-open", name, what, status, XEN_ATTACK_SOUND, not_open, \
      &(const uint8_t){ op } }

const XenAttack xen_attacks_sound[] = {
    CLOSED("close", "CLOSE before OPEN", 0, XENSND_OP_CLOSE),
    CLOSED("read", "READ before OPEN", -EINVAL, XENSND_OP_READ),
    CLOSED("write", "WRITE before OPEN", -EINVAL, XENSND_OP_WRITE),
    CLOSED("set-volume", "SET_VOLUME before OPEN", -EINVAL,
           XENSND_OP_SET_VOLUME),
    CLOSED("get-volume", "GET_VOLUME before OPEN", -EINVAL,
           XENSND_OP_GET_VOLUME),
    CLOSED("mute", "MUTE before OPEN", -EINVAL, XENSND_OP_MUTE),
    CLOSED("unmute", "UNMUTE before OPEN", -EINVAL, XENSND_OP_UNMUTE),
    CLOSED("trigger", "TRIGGER before OPEN", -EINVAL, XENSND_OP_TRIGGER),
    { NULL }
};
