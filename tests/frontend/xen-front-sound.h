/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake frontend of a PV sound card (xen/io/sndif.h): what Linux's
 * snd_xen_front does on the wire, and whatever else a guest might do.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_FRONT_SOUND_H
#define TESTS_FRONTEND_XEN_FRONT_SOUND_H

#include "xen-front-card.h"
#include "xen-front-pgdir.h"

#include <xen/io/sndif.h>

#define XEN_FRONT_MAX_STREAMS       64

typedef struct XenFrontSound XenFrontSound;

/**
 * struct XenFrontStream - one stream
 *
 * @modern: expect ids of events to begin anew with each open, as Linux does
 *     since 2026; else they count the connection's
 * @events: slots of the event page that were received in this connection
 * @bad_events: of these, of another type, or not zero where they should be
 * @dropped: of these, that this kind of Linux would have dropped
 * @position: the last position that this kind of Linux knows
 * @written: bytes written since OPEN; where the next go
 * @pgdir: the buffer while the stream is open
 */
typedef struct XenFrontStream {
    XenFrontSound *sound;
    uint32_t pcm;
    uint32_t number;
    bool capture;
    XenFrontChannel req;
    XenFrontChannel evt;

    bool modern;
    uint16_t event_id;
    uint64_t events;
    uint64_t bad_events;
    uint64_t dropped;
    uint64_t position;

    XenFrontPgdir *pgdir;
    uint32_t buffer_size;
    uint64_t written;
} XenFrontStream;

struct XenFrontSound {
    XenFrontCard card;
    uint32_t nr_streams;
    XenFrontStream streams[XEN_FRONT_MAX_STREAMS];
};

/* The frontend of card @devid; it does nothing yet */
XenFrontSound *xen_front_sound_new(XenGuest *guest, uint32_t devid);

/* Ends access to all that is left; says how many pages were still in use */
uint32_t xen_front_sound_free(XenFrontSound *sound);

/* The handshake, step by step, and all of it */
int xen_front_sound_read_config(XenFrontSound *sound);
int xen_front_sound_alloc_rings(XenFrontSound *sound);
int xen_front_sound_publish(XenFrontSound *sound);
int xen_front_sound_connect(XenFrontSound *sound);

/* How many ring pages were still in use; their ports are closed */
uint32_t xen_front_sound_free_rings(XenFrontSound *sound);

/* What Linux does when its module goes; -ETIMEDOUT, -EBUSY: a page is kept */
int xen_front_sound_unload(XenFrontSound *sound);

/* Requests */

/* Put 64 bytes into the next slot and tell the backend; returns the id */
uint16_t xen_front_stream_send(XenFrontStream *s,
                               const struct xensnd_req *req);

/* Wait for the next response; -ETIMEDOUT */
int xen_front_stream_receive(XenFrontStream *s, struct xensnd_resp *resp,
                             int timeout_ms);

/* Both: the status, or -EPROTO for a response that is not in order */
int xen_front_stream_request(XenFrontStream *s, struct xensnd_req *req,
                             struct xensnd_resp *resp);

/* OPEN on a buffer of its own, which a refused one frees */
int xen_front_stream_open(XenFrontStream *s, uint32_t rate, uint8_t format,
                          uint8_t channels, uint32_t buffer_size,
                          uint32_t period_size);

/* CLOSE, and free the buffer; -EBUSY if the backend kept a page of it */
int xen_front_stream_close(XenFrontStream *s);

int xen_front_stream_rw(XenFrontStream *s, uint8_t operation,
                        uint32_t offset, uint32_t length);

/* After a STOP the next byte goes to the start of the buffer, as in ALSA */
int xen_front_stream_trigger(XenFrontStream *s, uint8_t type);

/* HW_PARAM_QUERY: of what is asked for, what the stream can */
int xen_front_stream_query(XenFrontStream *s,
                           struct xensnd_query_hw_param *param);

/* All that it can */
int xen_front_stream_query_all(XenFrontStream *s,
                               struct xensnd_query_hw_param *param);

/* Bytes that can be written before something is overwritten */
uint32_t xen_front_stream_room(XenFrontStream *s);

/* Write what there is room for; returns how much, or what WRITE said */
int xen_front_stream_write(XenFrontStream *s, const void *data,
                           uint32_t length);

/* Take the events that are there */
void xen_front_stream_take_events(XenFrontStream *s);

/* Wait until the position is at least this */
bool xen_front_stream_wait_position(XenFrontStream *s, uint64_t position,
                                    int timeout_ms);

#endif /* TESTS_FRONTEND_XEN_FRONT_SOUND_H */
