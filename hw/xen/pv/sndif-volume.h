/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: how loud a stream is.  Pure functions.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_SNDIF_VOLUME_H
#define HW_XEN_PV_SNDIF_VOLUME_H

#include "hw/xen/xen-sndif.h"

/**
 * xen_sndif_volume_size: bytes of the values that come with a request
 * @volume: of an open stream
 * @operation: XENSND_OP_SET_VOLUME, _GET_VOLUME, _MUTE or _UNMUTE
 */
uint32_t xen_sndif_volume_size(const XenSndifVolume *volume,
                               uint8_t operation);

/**
 * xen_sndif_volume_apply: do what a request says
 * @volume: of an open stream
 * @operation: XENSND_OP_SET_VOLUME, _MUTE or _UNMUTE
 * @values: a volume of each channel, or whether it is meant: as many bytes as
 *     xen_sndif_volume_size() says
 */
void xen_sndif_volume_apply(XenSndifVolume *volume, uint8_t operation,
                            const void *values);

#endif /* HW_XEN_PV_SNDIF_VOLUME_H */
