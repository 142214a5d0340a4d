/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the user-space grant device, /dev/xen/gntdev, for tests.
 *
 * A file of the device has slots.  A slot is free (INVALID); or a reference
 * was put into it by MAP_GRANT_REF (NOT_YET_MAPPED), which maps nothing yet;
 * or its page is mapped, by mmap() of the slot's offset (MAPPED).  munmap()
 * takes it one step back, and UNMAP_GRANT_REF frees it.
 *
 * It answers as Linux does, which has ranges of offsets in the place of slots:
 * see docs/devel/xen-grants.rst.
 *
 * The model knows nothing of addresses and of processes: who presents the
 * device keeps its mappings, says to whom they belong (@owner), and tells when
 * they are gone.  The state of a file holds no pointer, so that it can be in
 * memory which processes share.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GNTDEV_H
#define HW_XEN_TESTBED_GNTDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gnt-host.h"

/**
 * XEN_GNTDEV_SLOTS: slots of a file for Linux, which has no end of them: so
 * many that a domain's map track is full before they are
 * @maptrack: mappings that a domain can have
 */
#define XEN_GNTDEV_SLOTS(maptrack)  (2 * (maptrack))

/** XEN_GNTDEV_LIMIT: grants that a request of Linux takes, unless told */
#define XEN_GNTDEV_LIMIT        65536u

/**
 * enum XenGntdevState - what a slot is
 */
typedef enum XenGntdevState {
    XEN_GNTDEV_INVALID,
    XEN_GNTDEV_NOT_YET_MAPPED,
    XEN_GNTDEV_MAPPED,
} XenGntdevState;

/**
 * struct XenGntdevRef - a grant: struct ioctl_gntdev_grant_ref
 */
typedef struct XenGntdevRef {
    uint32_t domid;
    uint32_t ref;
} XenGntdevRef;

/**
 * struct XenGntdevConfig - a device
 *
 * @slots: slots of each file
 * @limit: the most grants of one request; Linux's module parameter
 */
typedef struct XenGntdevConfig {
    uint32_t slots;
    uint32_t limit;
} XenGntdevConfig;

/**
 * struct XenGntdevFile - an open file of the device; has no pointers
 */
typedef struct XenGntdevFile XenGntdevFile;

/**
 * struct XenGntdevSegment - one piece of GRANT_COPY
 *
 * The layout of struct ioctl_gntdev_grant_copy_segment.
 */
typedef struct XenGntdevSegment {
    union {
        void *virt;
        struct {
            uint32_t ref;
            uint16_t offset;
            uint16_t domid;
        } foreign;
    } source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
} XenGntdevSegment;

/**
 * xen_gntdev_file_size: memory that an open file takes
 * @config: the device
 *
 * Most of it is never touched: memory that has never been written is as good
 * as any, as long as it reads as zero.
 *
 * Returns: bytes, a multiple of 8.
 */
size_t xen_gntdev_file_size(const XenGntdevConfig *config);

/**
 * xen_gntdev_open: make an open file of zeroed memory
 * @file: xen_gntdev_file_size() bytes, zeroed where they were used before by
 *     xen_gntdev_release()
 * @config: the device
 */
void xen_gntdev_open(XenGntdevFile *file, const XenGntdevConfig *config);

/**
 * xen_gntdev_release: undo all that was done by a file
 * @file: the file, of which nothing can be mapped any more
 * @host: the machine
 */
void xen_gntdev_release(XenGntdevFile *file, const XenGntHost *host);

/**
 * xen_gntdev_check_count: whether a request may have this size
 * @file: the file
 * @count: number of references
 *
 * Returns: 0, or as xen_gntdev_map().
 */
int xen_gntdev_check_count(const XenGntdevFile *file, uint32_t count);

/**
 * xen_gntdev_map: MAP_GRANT_REF: put references into slots
 * @file: the file
 * @count: number of references
 * @refs: the references
 * @index: where to store the offset of the first slot, to be given to mmap()
 *
 * One reference gets the slot that was freed last.  More get slots that follow
 * one another: the first such run from where the last such search ended.
 *
 * Returns: 0; -EINVAL for a @count of 0, or beyond the limit; -ENOMEM when
 * there are no such slots.
 */
int xen_gntdev_map(XenGntdevFile *file, uint32_t count,
                   const XenGntdevRef *refs, uint64_t *index);

/**
 * xen_gntdev_unmap: UNMAP_GRANT_REF: free slots
 * @file: the file
 * @host: the machine
 * @index: offset of the first
 * @count: their number
 *
 * @index and @count must be those of one request, or @count be 0.  While the
 * slots are mapped nobody can ask for them any more; they are freed with the
 * mapping.
 *
 * Returns: 0 or -ENOENT.
 */
int xen_gntdev_unmap(XenGntdevFile *file, const XenGntHost *host,
                     uint64_t index, uint32_t count);

/**
 * xen_gntdev_mmap: map the grants in slots
 * @file: the file
 * @host: the machine
 * @index: offset
 * @count: pages
 * @shared: MAP_SHARED was asked for
 * @write: PROT_WRITE was asked for
 * @owner: whose mapping it is
 * @frames: where to store the numbers of the pages, @count of them
 *
 * All of it or nothing.
 *
 * Returns: 0, or -EINVAL whatever is wrong: that @index and @count are not
 * those of one request; a writable private mapping; that it was mapped before,
 * or that somebody tried to (since 6.1, and the stable kernels of that time: a
 * request is good for one mmap(), also after munmap()); or a grant that is
 * refused.
 */
int xen_gntdev_mmap(XenGntdevFile *file, const XenGntHost *host,
                    uint64_t index, uint32_t count, bool shared, bool write,
                    uint32_t owner, uint32_t *frames);

/**
 * xen_gntdev_munmap: pages of a mapping went
 * @file: the file
 * @host: the machine
 * @index: offset of the first page, as it was mapped
 * @count: their number
 *
 * Their grants end at once, as in a PV domain, whose page tables are the
 * mapping.  In others (PVH, HVM, Arm) Linux maps a request when it is asked for
 * mmap() and ends it with the last page; the model has no such mode.
 */
void xen_gntdev_munmap(XenGntdevFile *file, const XenGntHost *host,
                       uint64_t index, uint32_t count);

/**
 * xen_gntdev_forget: all that somebody has mapped went
 * @file: the file
 * @host: the machine
 * @owner: who
 */
void xen_gntdev_forget(XenGntdevFile *file, const XenGntHost *host,
                       uint32_t owner);

/**
 * xen_gntdev_get_offset: GET_OFFSET_FOR_VADDR
 * @file: the file
 * @index: the offset that belongs to the address
 * @first: where to store the offset that was given to mmap()
 * @count: where to store the number of pages
 *
 * They are those of the request as it was asked for, wherever in it the address
 * is.
 *
 * Returns: 0, or -EINVAL where nothing is mapped.
 */
int xen_gntdev_get_offset(const XenGntdevFile *file, uint64_t index,
                          uint64_t *first, uint32_t *count);

/**
 * xen_gntdev_set_notify: SET_UNMAP_NOTIFY: what to do when a request ends
 * @file: the file
 * @host: the machine
 * @index: offset of a byte of the request
 * @action: XEN_GNT_CLEAR_BYTE: that byte becomes 0 when its page is unmapped;
 *     XEN_GNT_SEND_EVENT: @port is notified when the request is both unmapped
 *     and freed
 * @port: event channel
 *
 * There is one notification for a request: the last one asked for.
 *
 * Returns: 0; -EINVAL for another action, for a port that there is not, and
 * for a byte of what is mapped read-only; -ENOENT for no request.
 */
int xen_gntdev_set_notify(XenGntdevFile *file, const XenGntHost *host,
                          uint64_t index, uint32_t action, uint32_t port);

/**
 * xen_gntdev_copy: GRANT_COPY: one segment
 * @host: the machine
 * @segment: what to copy; its status is stored
 *
 * One side or both must be a grant.
 *
 * Returns: 0, and then the status tells; -EINVAL for no grant, or bytes beyond
 * the end of a granted page; -EFAULT for an address of nothing.
 */
int xen_gntdev_copy(const XenGntHost *host, XenGntdevSegment *segment);

/**
 * xen_gntdev_state: look at a slot
 * @file: the file
 * @slot: its number
 *
 * Returns: its state; XEN_GNTDEV_INVALID for a slot beyond the last.
 */
XenGntdevState xen_gntdev_state(const XenGntdevFile *file, uint32_t slot);

/**
 * xen_gntdev_in_use: count slots
 * @file: the file
 *
 * Returns: the number of slots that are not free.
 */
uint32_t xen_gntdev_in_use(const XenGntdevFile *file);

/**
 * xen_gntdev_frames: which pages are mapped
 * @file: the file
 * @frames: where to store their numbers, those of the first slots first
 * @max: how many there is room for
 *
 * Returns: how many there are, at most @max.
 */
uint32_t xen_gntdev_frames(const XenGntdevFile *file, uint32_t *frames,
                           uint32_t max);

#endif /* HW_XEN_TESTBED_GNTDEV_H */
