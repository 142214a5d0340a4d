/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dma-bufs of a fake machine, and what Linux's gntdev does with them.
 *
 * A dma-buf is a file of the machine, as the devices are: it lives as long as
 * it is open by a descriptor, in whatever process, or mapped.  What gntdev has
 * imported lives on.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_FAKE_DMABUF_H
#define HW_XEN_TESTBED_FAKE_DMABUF_H

#include "fake-machine.h"

/**
 * xen_fake_dmabuf_new: allocate memory of a domain's, as /dev/dma_heap does
 * @fake: the machine, locked
 * @domid: the domain
 * @pages: how many; they are zeroed
 *
 * Returns: a descriptor, or a negative errno value.
 */
int xen_fake_dmabuf_new(XenFakeMachine *fake, domid_t domid, uint32_t pages);

/**
 * xen_fake_dmabuf_export: DMABUF_EXP_FROM_REFS: map grants, for a dma-buf
 * @fake: the machine, locked
 * @file: the file of gntdev
 * @domid: whose grants they are
 * @count: how many, within the limit
 * @refs: their references
 *
 * Such a dma-buf cannot be mapped by mmap().
 *
 * Returns: a descriptor; -EINVAL for a grant that cannot be mapped for writing;
 * -ENFILE, -EMFILE.
 */
int xen_fake_dmabuf_export(XenFakeMachine *fake, uint32_t file, domid_t domid,
                           uint32_t count, const uint32_t *refs);

/**
 * xen_fake_dmabuf_wait_released: DMABUF_EXP_WAIT_RELEASED, without waiting
 * @fake: the machine, locked
 * @file: the file of gntdev
 * @number: of the descriptor, when it was exported.  The last one that had it
 *     is meant.
 *
 * Returns: -ETIMEDOUT if there is such a dma-buf, -ENOENT if not.
 */
int xen_fake_dmabuf_wait_released(const XenFakeMachine *fake, uint32_t file,
                                  uint32_t number);

/**
 * xen_fake_dmabuf_import: DMABUF_IMP_TO_REFS: grant the pages of a dma-buf
 * @fake: the machine, locked
 * @file: the file of gntdev
 * @domid: to whom
 * @fd: a descriptor of the dma-buf
 * @count: how many pages it has
 * @refs: where to store the references
 *
 * Returns: 0; -EBADF for no descriptor; -EINVAL for one of no dma-buf, for one
 * of foreign pages, and for another number of pages; -ENOSPC; -ENFILE.
 */
int xen_fake_dmabuf_import(XenFakeMachine *fake, uint32_t file, domid_t domid,
                           int fd, uint32_t count, uint32_t *refs);

/**
 * xen_fake_dmabuf_release: DMABUF_IMP_RELEASE: end these grants
 * @fake: the machine, locked
 * @file: the file of gntdev
 * @number: of the descriptor, when it was imported
 *
 * Returns: 0 or -ENOENT.
 */
int xen_fake_dmabuf_release(XenFakeMachine *fake, uint32_t file,
                            uint32_t number);

/**
 * xen_fake_dmabuf_mmap: map pages of a dma-buf
 * @fake: the machine, locked
 * @file: the dma-buf
 * @index: offset
 * @count: pages
 * @frames: where to store their numbers
 *
 * Returns: 0 or -EINVAL.
 */
int xen_fake_dmabuf_mmap(const XenFakeMachine *fake, uint32_t file,
                         uint64_t index, uint32_t count, uint32_t *frames);

/**
 * xen_fake_dmabuf_frames: the pages of a dma-buf, as a device sees them
 * @fake: the machine, locked
 * @fd: a descriptor of it
 * @frames: where to store their numbers
 * @max: how many there is room for
 *
 * Returns: how many there are, at most @max; or -EINVAL for no dma-buf.
 */
int xen_fake_dmabuf_frames(const XenFakeMachine *fake, int fd,
                           uint32_t *frames, uint32_t max);

/**
 * xen_fake_dmabuf_serial: tell one dma-buf from another
 * @fake: the machine
 * @file: a file
 *
 * Returns: a number that no other dma-buf has; 0 for what is none.
 */
uint64_t xen_fake_dmabuf_serial(const XenFakeMachine *fake, uint32_t file);

/* A file of gntdev is closed: what it imported ends, what it exported stays */
void xen_fake_dmabuf_gntdev_went(XenFakeMachine *fake, uint32_t file);

/*
 * The last descriptor of a dma-buf is closed.  Returns: whether it is gone, and
 * not imported.
 */
bool xen_fake_dmabuf_went(XenFakeMachine *fake, uint32_t file);

#endif /* HW_XEN_TESTBED_FAKE_DMABUF_H */
