/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Protocol engine of a PV sound card's backend: sndif, xen/io/sndif.h.
 *
 * Takes requests from the streams' rings, checks them, keeps each stream's
 * state, buffer and position, answers.  Knows nothing of sample conversion,
 * clocks, event channels or xenstore: its owner hands in mapped pages and a
 * table of operations, and then moves sound at its own pace.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_SNDIF_H
#define HW_XEN_XEN_SNDIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/xen/xen-pgdir.h"
#include "hw/xen/xen-pv-ring.h"

/** XEN_SNDIF_MAX_CHANNELS: channels that any stream may have */
#define XEN_SNDIF_MAX_CHANNELS  16

/** XEN_SNDIF_MAX_RATES: rates that a stream's list may hold */
#define XEN_SNDIF_MAX_RATES     32

/**
 * struct XenSndif - one sound card: its streams
 */
typedef struct XenSndif XenSndif;

/**
 * struct XenSndifCaps - what a stream may be opened with
 *
 * @capture: it records; else it plays
 * @formats: bits 1 << XENSND_PCM_FORMAT_xxx; those whose samples have no
 *     size of their own (see xen_sndif_sample_size()) are ignored
 * @rates: rates in Hz, ascending, the first @nr_rates of them
 * @nr_rates: their number; 0 means all from @rate_min to @rate_max
 * @rate_min: lowest rate in Hz, unless there is a list
 * @rate_max: highest rate in Hz, unless there is a list
 * @channels_min: fewest channels, at least 1
 * @channels_max: most channels, at most XEN_SNDIF_MAX_CHANNELS
 * @buffer_max: most bytes of the shared buffer
 * @buffer_us: shortest time that the buffer lasts; a millisecond in any case
 */
typedef struct XenSndifCaps {
    bool capture;
    uint64_t formats;
    uint32_t rates[XEN_SNDIF_MAX_RATES];
    uint32_t nr_rates;
    uint32_t rate_min;
    uint32_t rate_max;
    uint32_t channels_min;
    uint32_t channels_max;
    uint32_t buffer_max;
    uint32_t buffer_us;
} XenSndifCaps;

/**
 * struct XenSndifParams - what a stream was opened with; checked
 *
 * @rate: frames per second
 * @format: XENSND_PCM_FORMAT_xxx
 * @channels: samples of a frame
 * @frame_size: bytes of a frame
 * @buffer_size: bytes of the shared buffer; whole frames, at least 64 bytes
 *     and a millisecond, and as long as struct XenSndifCaps says
 * @period_size: bytes from an event to the next, at least of a millisecond; 0
 *     means no events
 */
typedef struct XenSndifParams {
    uint32_t rate;
    uint32_t format;
    uint32_t channels;
    uint32_t frame_size;
    uint32_t buffer_size;
    uint32_t period_size;
} XenSndifParams;

/**
 * struct XenSndifVolume - how loud a stream is
 *
 * @channels: of the stream as it is open
 * @millidecibel: of each channel, in steps of 0.001 dB; 0 is as recorded
 * @mute: of each channel
 */
typedef struct XenSndifVolume {
    uint32_t channels;
    int32_t millidecibel[XEN_SNDIF_MAX_CHANNELS];
    bool mute[XEN_SNDIF_MAX_CHANNELS];
} XenSndifVolume;

/**
 * struct XenSndifOps - what the engine asks of its owner
 *
 * No operation may call back into the engine.
 *
 * @open: get ready to play or record @stream.  Returns 0 or a negative errno
 *     value, which becomes the response's status; the stream is closed then.
 * @close: undo @open; a running stream was stopped before
 * @run: let @stream run, or stop it where it is.  Returns 0 or a negative
 *     errno value, which counts only when it was to start.
 * @set_volume: set the volume of an open @stream
 * @notify_event: tell the frontend that @stream has events
 * @requests: about requests; each gets the stream as its index
 */
typedef struct XenSndifOps {
    int (*open)(void *opaque, uint32_t stream, const XenSndifParams *params);
    void (*close)(void *opaque, uint32_t stream);
    int (*run)(void *opaque, uint32_t stream, bool run);
    void (*set_volume)(void *opaque, uint32_t stream,
                       const XenSndifVolume *volume);
    void (*notify_event)(void *opaque, uint32_t stream);
    XenPvServerOps requests;
} XenSndifOps;

/**
 * struct XenSndifLimits - quotas of one card
 *
 * @max_total_pages: data pages of the buffers of all open streams together
 */
typedef struct XenSndifLimits {
    uint64_t max_total_pages;
} XenSndifLimits;

/**
 * struct XenSndifStats - counters of one card since it was made
 *
 * @requests: requests answered
 * @refused: of these, with a negative status
 * @events: slots of event pages filled; a position takes two
 * @events_full: times that a position found its event page full
 * @silent_bytes: bytes that were due for playing before they were written
 * @faults: times that a guest's pages could not be reached
 * @open: streams open now
 * @running: streams running now
 * @total_pages: data pages of the open streams' buffers
 */
typedef struct XenSndifStats {
    uint64_t requests;
    uint64_t refused;
    uint64_t events;
    uint64_t events_full;
    uint64_t silent_bytes;
    uint64_t faults;
    uint32_t open;
    uint32_t running;
    uint64_t total_pages;
} XenSndifStats;

/**
 * struct XenSndifStreamInfo - what a stream does now
 *
 * @capture: it records; else it plays
 * @connected: its ring is served
 * @broken: its ring made no sense, and is not served until the next
 *     connection
 * @bad_prod: the guest's producer index that made it so
 * @answered: requests answered; free running, as the ring counts
 * @state: "closed", "stopped", "running" or "paused"
 * @params: what it is open with; zero if it is not
 * @directory: reference of the first page of its buffer's directory
 * @position: bytes played or recorded since it was opened
 * @events: slots of its event page filled in this connection
 * @silent_bytes: bytes that were due for playing before they were written,
 *     since the card was made
 */
typedef struct XenSndifStreamInfo {
    bool capture;
    bool connected;
    bool broken;
    uint32_t bad_prod;
    uint32_t answered;
    const char *state;
    XenSndifParams params;
    uint32_t directory;
    uint64_t position;
    uint32_t events;
    uint64_t silent_bytes;
} XenSndifStreamInfo;

/**
 * xen_sndif_sample_size: bytes of a sample
 * @format: XENSND_PCM_FORMAT_xxx
 *
 * Returns: 1, 2, 4 or 8, or 0 for formats whose samples are not all of one
 * size or are no numbers: IEC958, ADPCM, MPEG, GSM, and unknown ones.
 */
uint32_t xen_sndif_sample_size(uint32_t format);

/**
 * xen_sndif_new: make a card without streams
 * @ops: operations; must outlive the card
 * @opaque: handed to each operation
 * @mapper: the guest; a reference is taken
 * @limits: quotas; copied
 *
 * Returns: the card, to be given to xen_sndif_free().
 */
XenSndif *xen_sndif_new(const XenSndifOps *ops, void *opaque,
                        XenPgdirMapper *mapper,
                        const XenSndifLimits *limits);

/**
 * xen_sndif_free: disconnect, and free the card
 * @card: the card, or NULL
 */
void xen_sndif_free(XenSndif *card);

/**
 * xen_sndif_add_stream: add the next stream
 * @card: the card; not connected
 * @caps: what it may be opened with; copied
 *
 * Returns: the stream's index; the first is 0.
 */
uint32_t xen_sndif_add_stream(XenSndif *card, const XenSndifCaps *caps);

/**
 * xen_sndif_attach: connect a stream's two shared pages
 * @card: the card
 * @stream: index of the stream
 * @ring_page: its mapped request ring
 * @event_page: its mapped event page
 *
 * Both pages must stay mapped until xen_sndif_reset() returned.
 */
void xen_sndif_attach(XenSndif *card, uint32_t stream, void *ring_page,
                      void *event_page);

/**
 * xen_sndif_reset: the connection is over
 * @card: the card
 *
 * Closes every stream, then forgets every ring and event page.  When it
 * returns no page of the guest's buffers is mapped by the card.  Idempotent.
 */
void xen_sndif_reset(XenSndif *card);

/**
 * xen_sndif_process: answer requests of one stream
 * @card: the card
 * @stream: index of the stream
 * @more: set to whether requests are left that this call did not get to, as
 *     no call answers more than a ring's worth; the caller calls again soon
 *
 * Never waits: READ and WRITE only say which part of the buffer is meant.
 *
 * Returns: how many requests were answered, or -EPROTO once when the guest's
 * ring is broken.
 */
int xen_sndif_process(XenSndif *card, uint32_t stream, bool *more);

/**
 * xen_sndif_peek: look at the sound that a running stream plays next
 * @card: the card
 * @stream: index of the stream
 * @data: where to store its address, or NULL where the guest wrote nothing
 *     since the position last passed by: silence.  Valid until the next call
 *     of the engine; the guest may change the bytes at any time.
 * @length: bytes wanted; replaced by bytes there are at @data, whole frames,
 *     at most as many as were wanted
 *
 * Returns: whether there is anything to play: @length is not 0.
 */
bool xen_sndif_peek(XenSndif *card, uint32_t stream, const void **data,
                    size_t *length);

/**
 * xen_sndif_played: the sound was taken: move the position of a stream on
 * @card: the card
 * @stream: index of the stream
 * @length: bytes; whole frames
 *
 * The guest learns of it by xen_sndif_flush().  Nothing happens unless the
 * stream plays.
 */
void xen_sndif_played(XenSndif *card, uint32_t stream, size_t length);

/**
 * xen_sndif_recorded: put sound into the buffer of a running stream
 * @card: the card
 * @stream: index of the stream
 * @data: the sound
 * @length: its bytes; whole frames
 *
 * Moves the position as xen_sndif_played() does.  Nothing happens unless the
 * stream records.
 */
void xen_sndif_recorded(XenSndif *card, uint32_t stream, const void *data,
                        size_t length);

/**
 * xen_sndif_flush: tell the guest where a stream is, if it is due
 * @card: the card
 * @stream: index of the stream
 *
 * Sends the event XENSND_EVT_CUR_POS when the position got past the end of a
 * period since the last one.  To be called once whenever sound was moved, after
 * the last xen_sndif_played() or xen_sndif_recorded(): so the guest gets one
 * event and one notification of it, however short its periods are.
 */
void xen_sndif_flush(XenSndif *card, uint32_t stream);

/**
 * xen_sndif_position: where a stream is
 * @card: the card
 * @stream: index of the stream
 *
 * Returns: bytes played or recorded since it was opened; the buffer's byte
 * that is due next is this modulo the buffer's size.
 */
uint64_t xen_sndif_position(const XenSndif *card, uint32_t stream);

/**
 * xen_sndif_stream_info: look at a stream
 * @card: the card
 * @stream: index of the stream
 * @info: where to store what it does
 */
void xen_sndif_stream_info(const XenSndif *card, uint32_t stream,
                           XenSndifStreamInfo *info);

/**
 * xen_sndif_stats: read the counters
 * @card: the card
 * @stats: where to store them
 */
void xen_sndif_stats(const XenSndif *card, XenSndifStats *stats);

/**
 * xen_sndif_operation_name: the protocol's name of an operation
 * @operation: field "operation" of a request, see sndif.h
 *
 * Returns: what follows XENSND_OP_ in the protocol's header, or NULL for a
 * number that names no operation. May be called from any thread.
 */
const char *xen_sndif_operation_name(uint8_t operation);

#endif /* HW_XEN_XEN_SNDIF_H */
