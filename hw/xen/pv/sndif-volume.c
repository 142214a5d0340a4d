/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: how loud a stream is
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "sndif-volume.h"

uint32_t xen_sndif_volume_size(const XenSndifVolume *volume,
                               uint8_t operation)
{
    bool flags = operation == XENSND_OP_MUTE || operation == XENSND_OP_UNMUTE;

    return volume->channels * (flags ? 1 : sizeof(volume->millidecibel[0]));
}

void xen_sndif_volume_apply(XenSndifVolume *volume, uint8_t operation,
                            const void *values)
{
    const uint8_t *meant = values;
    uint32_t i;

    if (operation == XENSND_OP_SET_VOLUME) {
        memcpy(volume->millidecibel, values,
               xen_sndif_volume_size(volume, operation));
        return;
    }
    for (i = 0; i < volume->channels; i++) {
        if (meant[i]) {
            volume->mute[i] = operation == XENSND_OP_MUTE;
        }
    }
}
