/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: the buffer that an open stream shares with the guest
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "sndif-buffer.h"
#include "why.h"

static void drop_view(XenSndifBuffer *buffer)
{
    xen_pgdir_view_unref(buffer->view);
    buffer->view = NULL;
    buffer->data = NULL;
}

int xen_sndif_buffer_open(XenSndifBuffer *buffer, XenPgdirMapper *mapper,
                          uint32_t directory, const XenSndifParams *params,
                          bool capture, XenPvWhy *why)
{
    int ret;

    if (!capture) {
        ret = xen_sndif_marks_init(&buffer->marks,
                                   params->buffer_size / params->frame_size);
        if (ret < 0) {
            return xen_pv_why(why, ret, "no memory for %" PRIu32 " frames",
                              params->buffer_size / params->frame_size);
        }
    }
    ret = xen_pgdir_buffer_new(mapper, directory, params->buffer_size,
                               capture ? XEN_PGDIR_WRITABLE : 0,
                               &buffer->pages);
    if (ret < 0) {
        xen_sndif_marks_free(&buffer->marks);
        return xen_pv_why_pages(why, ret, mapper,
                                "page directory cannot be read");
    }
    buffer->size = params->buffer_size;
    buffer->frame_size = params->frame_size;
    return 0;
}

void xen_sndif_buffer_close(XenSndifBuffer *buffer)
{
    drop_view(buffer);
    xen_sndif_marks_free(&buffer->marks);
    if (buffer->pages) {
        xen_pgdir_buffer_revoke(buffer->pages);
        xen_pgdir_buffer_unref(buffer->pages);
        buffer->pages = NULL;
    }
}

/* One byte of each page: they can be reached, and most stay mapped */
static int touch_pages(XenSndifBuffer *buffer)
{
    uint32_t offset;
    uint8_t byte;
    int ret;

    for (offset = 0; offset < buffer->size;
         offset += MIN(XEN_PGDIR_PAGE_SIZE, buffer->size - offset)) {
        ret = xen_pgdir_buffer_read(buffer->pages, offset, &byte, 1);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int xen_sndif_buffer_map(XenSndifBuffer *buffer)
{
    void *data;
    int ret;

    if (buffer->view) {
        return 0;
    }
    if (xen_pgdir_buffer_is_copied(buffer->pages, 0, buffer->size)) {
        return touch_pages(buffer);
    }
    ret = xen_pgdir_buffer_view(buffer->pages, 0, buffer->size, &buffer->view,
                                &data);
    if (ret < 0) {
        buffer->view = NULL;
        return ret;
    }
    /* What is copied once is copied by each period, and no more of it */
    if (xen_pgdir_view_is_copy(buffer->view)) {
        drop_view(buffer);
        return touch_pages(buffer);
    }
    buffer->data = data;
    return 0;
}

void xen_sndif_buffer_written(XenSndifBuffer *buffer, uint32_t offset,
                              uint32_t length)
{
    uint32_t first, last;

    if (length) {
        first = offset / buffer->frame_size;
        last = (offset + (length - 1)) / buffer->frame_size;
        xen_sndif_marks_set(&buffer->marks, first, last - first + 1, true);
    }
}

void xen_sndif_buffer_forget(XenSndifBuffer *buffer)
{
    if (buffer->marks.words) {
        xen_sndif_marks_set(&buffer->marks, 0, buffer->marks.count, false);
    }
}

/* Bytes from a position to the end of the buffer, at most @length */
static uint32_t contiguous(const XenSndifBuffer *buffer, uint64_t position,
                           size_t length, uint32_t *offset)
{
    *offset = position % buffer->size;
    return MIN(length, buffer->size - *offset);
}

int xen_sndif_buffer_peek(XenSndifBuffer *buffer, uint64_t position,
                          const void **data, size_t *length)
{
    uint32_t frame = buffer->frame_size;
    uint32_t offset, bytes, count;
    bool written;
    int ret = 0;

    *data = NULL;
    bytes = contiguous(buffer, position,
                       buffer->view ? *length : MIN(*length, XEN_SNDIF_SCRATCH),
                       &offset);
    count = bytes / frame;
    if (count == 0) {
        *length = 0;
        return 0;
    }
    count = xen_sndif_marks_run(&buffer->marks, offset / frame, count,
                                &written);
    *length = (size_t)count * frame;
    if (!written) {
        return 0;
    }
    if (buffer->view) {
        *data = buffer->data + offset;
        return 0;
    }
    ret = xen_pgdir_buffer_read(buffer->pages, offset, buffer->scratch,
                                *length);
    if (ret == 0) {
        *data = buffer->scratch;
    }
    return ret;
}

/* The frames are no longer marked; returns how many of them never were */
static uint32_t pass_marks(XenSndifMarks *marks, uint32_t first,
                           uint32_t count)
{
    uint32_t done = 0, silent = 0, n;
    bool written;

    while (done < count) {
        n = xen_sndif_marks_run(marks, first + done, count - done, &written);
        silent += written ? 0 : n;
        done += n;
    }
    xen_sndif_marks_set(marks, first, count, false);
    return silent;
}

uint64_t xen_sndif_buffer_played(XenSndifBuffer *buffer, uint64_t position,
                                 size_t length)
{
    uint32_t frame = buffer->frame_size;
    uint64_t silent = 0;
    uint32_t offset, bytes;

    for (; length; length -= bytes, position += bytes) {
        bytes = contiguous(buffer, position, length, &offset);
        silent += pass_marks(&buffer->marks, offset / frame, bytes / frame);
    }
    return silent * frame;
}

unsigned int xen_sndif_buffer_recorded(XenSndifBuffer *buffer,
                                       uint64_t position, const void *data,
                                       size_t length)
{
    const uint8_t *from = data;
    unsigned int faults = 0;
    uint32_t offset, bytes;

    for (; length; length -= bytes, position += bytes, from += bytes) {
        bytes = contiguous(buffer, position, length, &offset);
        if (buffer->view) {
            memcpy(buffer->data + offset, from, bytes);
        } else if (xen_pgdir_buffer_write(buffer->pages, offset, from,
                                          bytes) < 0) {
            faults++;
        }
    }
    return faults;
}
