/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grants of frames that are none of the guest's memory
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "front-frames.h"

#include <xen/grant_table.h>

/* As many as KVM's emulation has unless told */
#define TABLE_PAGES     64u
#define TABLE_SIZE      (TABLE_PAGES * XEN_GUEST_PAGE)
#define TABLE_ENTRIES   (TABLE_SIZE / sizeof(grant_entry_v1_t))

#define COOKIE          0xbadf4a3e

static grant_entry_v1_t *table_map(const char *file)
{
    int fd = open(file, O_RDWR | O_SYNC);
    void *table;

    if (fd < 0) {
        return NULL;
    }
    table = mmap(NULL, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return table == MAP_FAILED ? NULL : table;
}

/* Is this the entry of a page that Linux has granted? */
static bool is_granted(grant_entry_v1_t *table, uint32_t ref)
{
    return ref < TABLE_ENTRIES && table[ref].frame &&
           (table[ref].flags & GTF_type_mask) == GTF_permit_access;
}

/* For the other side to see */
static void set_frame(grant_entry_v1_t *entry, uint32_t frame)
{
    __atomic_store_n(&entry->frame, frame, __ATOMIC_SEQ_CST);
}

static bool refused(const char *what, uint32_t frame, int ret)
{
    printf("# frame 0x%x as %s: %s\n", frame, what,
           ret < 0 ? g_strerror(-ret) : "not refused");
    return ret < 0;
}

static int try_data(XenFrontDisplay *display, XenFrontBuffer *buffer,
                    grant_entry_v1_t *entry, uint32_t frame)
{
    XenFrontConnector *c = &display->connectors[0];
    uint32_t own = entry->frame;
    int ret;

    set_frame(entry, frame);
    ret = xen_front_set_config(c, buffer->fb, 0, 0, c->width, c->height, 32);
    set_frame(entry, own);
    return ret;
}

static int try_directory(XenFrontDisplay *display, XenFrontBuffer *buffer,
                         grant_entry_v1_t *entry, uint32_t frame)
{
    uint32_t own = entry->frame;
    int ret;

    set_frame(entry, frame);
    ret = xen_front_dbuf_create(display, COOKIE + 1, buffer->width,
                                buffer->height, 32, buffer->pgdir->size, 0,
                                xen_front_pgdir_ref(buffer->pgdir), 0);
    set_frame(entry, own);
    return ret;
}

static int try_both(XenFrontDisplay *display, XenFrontBuffer *buffer,
                    grant_entry_v1_t *table, uint32_t frame)
{
    XenFrontConnector *c = &display->connectors[0];
    uint32_t data = buffer->pgdir->refs[buffer->pgdir->nr_pages / 2];
    uint32_t dir = buffer->pgdir->dir_refs[0];
    bool ok;
    int ret;

    if (!is_granted(table, data) || !is_granted(table, dir)) {
        return -ENXIO;
    }
    ret = xen_front_buffer_attach(display, buffer);
    if (ret) {
        return ret;
    }
    ok = refused("a page of a picture", frame,
                 try_data(display, buffer, &table[data], frame));
    ok &= refused("a directory", frame,
                  try_directory(display, buffer, &table[dir], frame));
    /* And with pages of its own it is served again */
    ret = xen_front_set_config(c, buffer->fb, 0, 0, c->width, c->height, 32) ?:
          xen_front_set_config(c, 0, 0, 0, 0, 0, 0);
    ret = xen_front_buffer_detach(display, buffer) ?: ret;
    return ok ? ret : -EIO;
}

int front_grant_frame(XenFrontDisplay *display, const char *table,
                      uint32_t frame)
{
    XenFrontConnector *c = &display->connectors[0];
    grant_entry_v1_t *entries = table_map(table);
    XenFrontBuffer *buffer;
    int ret;

    if (!entries) {
        return -errno;
    }
    buffer = xen_front_buffer_new(display->card.guest, c->width, c->height,
                                  COOKIE);
    ret = buffer ? try_both(display, buffer, entries, frame) : -ENOMEM;
    xen_front_buffer_free(buffer);
    munmap(entries, TABLE_SIZE);
    return ret;
}
