/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: the buffer that an open stream shares with the guest.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_SNDIF_BUFFER_H
#define HW_XEN_PV_SNDIF_BUFFER_H

#include "hw/xen/xen-sndif.h"
#include "sndif-marks.h"

/** XEN_SNDIF_SCRATCH: bytes that are gathered where a buffer has no view */
#define XEN_SNDIF_SCRATCH   4096

/**
 * struct XenSndifBuffer - the buffer of a stream
 *
 * @pages: its pages; NULL while the stream is closed
 * @size: its bytes
 * @frame_size: bytes of a frame
 * @view: the whole buffer, mapped in one piece, from the first
 *     xen_sndif_buffer_map() on; NULL where pages can only be mapped one by
 *     one
 * @data: address of @view
 * @marks: frames that were written and not played yet; without memory if the
 *     stream records
 * @scratch: where sound is gathered that cannot be mapped in one piece
 */
typedef struct XenSndifBuffer {
    XenPgdirBuffer *pages;
    uint32_t size;
    uint32_t frame_size;
    XenPgdirView *view;
    uint8_t *data;
    XenSndifMarks marks;
    uint8_t scratch[XEN_SNDIF_SCRATCH] __attribute__((aligned(8)));
} XenSndifBuffer;

/**
 * xen_sndif_buffer_open: read the page directory
 * @buffer: closed
 * @mapper: the guest
 * @directory: reference of the first page of the directory
 * @params: what the stream is opened with
 * @capture: it records; else it plays
 * @why: where to say what is wrong
 *
 * Returns: 0 or a negative errno value.
 */
int xen_sndif_buffer_open(XenSndifBuffer *buffer, XenPgdirMapper *mapper,
                          uint32_t directory, const XenSndifParams *params,
                          bool capture, XenPvWhy *why);

/**
 * xen_sndif_buffer_close: when this returns no page is mapped; idempotent
 * @buffer: the buffer
 */
void xen_sndif_buffer_close(XenSndifBuffer *buffer);

/**
 * xen_sndif_buffer_map: map it in one piece
 * @buffer: the buffer
 *
 * Where that cannot be had, its pages are looked at, one by one.
 *
 * Returns: 0, or a negative errno value if a page cannot be reached.
 */
int xen_sndif_buffer_map(XenSndifBuffer *buffer);

/**
 * xen_sndif_buffer_written: the guest wrote to the buffer of a playback stream
 * @buffer: the buffer
 * @offset: the first byte
 * @length: bytes; inside the buffer
 *
 * A frame of which a part was written counts as written.
 */
void xen_sndif_buffer_written(XenSndifBuffer *buffer, uint32_t offset,
                              uint32_t length);

/**
 * xen_sndif_buffer_forget: what the guest wrote is not to be played any more
 * @buffer: the buffer
 */
void xen_sndif_buffer_forget(XenSndifBuffer *buffer);

/**
 * xen_sndif_buffer_peek: look at sound that is to be played
 * @buffer: the buffer
 * @position: where the stream is
 * @data: as xen_sndif_peek() has it
 * @length: as xen_sndif_peek() has it
 *
 * What the guest did not write in time is silence, not what was played from
 * there before: at the end of a song that goes on until the guest says STOP.
 *
 * Returns: 0, or a negative errno value if a page cannot be reached, and then
 * what is there is silence, too.
 */
int xen_sndif_buffer_peek(XenSndifBuffer *buffer, uint64_t position,
                          const void **data, size_t *length);

/**
 * xen_sndif_buffer_played: sound was played
 * @buffer: the buffer
 * @position: where the stream was before
 * @length: bytes; whole frames
 *
 * Returns: how many of these bytes the guest had not written.
 */
uint64_t xen_sndif_buffer_played(XenSndifBuffer *buffer, uint64_t position,
                                 size_t length);

/**
 * xen_sndif_buffer_recorded: put recorded sound into the buffer
 * @buffer: the buffer
 * @position: where the stream was before
 * @data: the sound
 * @length: its bytes; whole frames
 *
 * Returns: how often a page could not be reached.
 */
unsigned int xen_sndif_buffer_recorded(XenSndifBuffer *buffer,
                                       uint64_t position, const void *data,
                                       size_t length);

#endif /* HW_XEN_PV_SNDIF_BUFFER_H */
