/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: where a stream is, and what the guest is told of it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_SNDIF_POSITION_H
#define HW_XEN_PV_SNDIF_POSITION_H

#include "hw/xen/xen-pv-ring.h"
#include "hw/xen/xen-sndif.h"

/**
 * struct XenSndifPosition - where an open stream is
 *
 * @now: bytes played or recorded since OPEN
 * @reported: position of the last event
 * @due: an event is due once the position is beyond this
 * @opened_at: events of the connection when the stream was opened
 */
typedef struct XenSndifPosition {
    uint64_t now;
    uint64_t reported;
    uint64_t due;
    uint32_t opened_at;
} XenSndifPosition;

/**
 * xen_sndif_position_open: begin with a stream that is opened
 * @position: set to its beginning
 * @params: what it is opened with
 * @events: events that the connection had so far
 */
void xen_sndif_position_open(XenSndifPosition *position,
                             const XenSndifParams *params, uint32_t events);

/**
 * xen_sndif_position_wrap: go on to where the buffer begins anew
 * @position: where the stream is
 * @params: what it is open with
 *
 * After a stop ALSA begins at the start of the buffer again, but Linux's
 * frontend forgets to, and adds what the position moves to where it was.  A
 * position that is a multiple of the buffer's size brings both together.
 */
void xen_sndif_position_wrap(XenSndifPosition *position,
                             const XenSndifParams *params);

/**
 * xen_sndif_position_is_due: whether the guest is to be told
 * @position: where the stream is
 * @params: what it is open with
 * @told: set to what it is to be told
 *
 * Linux takes a period for over when the position is past its end, not when
 * it is at it, and would find every second one only if it was told ends of
 * periods.  So of such an end all is told but one frame.  It counts periods
 * from OPEN on, also where a STOP came between.
 */
bool xen_sndif_position_is_due(const XenSndifPosition *position,
                               const XenSndifParams *params, uint64_t *told);

/**
 * xen_sndif_position_send: tell the guest, unless it knows
 * @position: where the stream is
 * @params: what it is open with; nothing is sent if it wants no events
 * @events: the event page
 * @told: what to tell
 *
 * Frontends drop an event whose id is not the one they expect.  Up to 2026
 * Linux counted a connection's events, since then it counts from zero each
 * time that a stream is opened.  Which Linux it is cannot be known, so each
 * position is sent twice: once with the number that the old counts, once with
 * the number that the new does.  A position that comes a second time moves
 * nothing.  Both count what they drop, so both stay in step.
 *
 * Returns: 0, or as xen_pv_events_push().  Then no id was spent for what did
 * not fit, and the next progress tries again.
 */
int xen_sndif_position_send(XenSndifPosition *position,
                            const XenSndifParams *params,
                            XenPvEvents *events, uint64_t told);

#endif /* HW_XEN_PV_SNDIF_POSITION_H */
