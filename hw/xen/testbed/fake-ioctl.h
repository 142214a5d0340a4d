/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grant devices of a fake machine as Linux presents them: the arguments of
 * their ioctl(), xen/sys/gntdev.h and xen/sys/gntalloc.h.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_FAKE_IOCTL_H
#define HW_XEN_TESTBED_FAKE_IOCTL_H

#include "fake-machine.h"

/**
 * xen_fake_ioctl: ioctl() of a file
 * @fake: the machine, locked
 * @file: number of the file
 * @request: IOCTL_GNTDEV_* or IOCTL_GNTALLOC_*
 * @arg: where its argument is; may be a bad address
 *
 * Returns: 0; -EFAULT; -ENOTTY for what the device has not; or what
 * gntdev.h and gntalloc.h tell.  GET_OFFSET_FOR_VADDR is -EINVAL: the caller
 * knows where things are, see xen_fake_get_offset().
 */
int xen_fake_ioctl(XenFakeMachine *fake, uint32_t file,
                   unsigned long request, void *arg);

/**
 * xen_fake_ioctl_addr: whether a request asks about an address
 * @request: the request
 * @arg: where its argument is
 * @addr: where to store the address
 *
 * Returns: whether it is GET_OFFSET_FOR_VADDR.
 */
bool xen_fake_ioctl_addr(unsigned long request, const void *arg,
                         uint64_t *addr);

/**
 * xen_fake_get_offset: GET_OFFSET_FOR_VADDR
 * @fake: the machine, locked
 * @file: number of the file that is mapped at the address
 * @index: offset that belongs to the address
 * @arg: where the request's argument is
 *
 * Returns: 0, -EFAULT, or -EINVAL if the file is none of gntdev.
 */
int xen_fake_get_offset(XenFakeMachine *fake, uint32_t file, uint64_t index,
                        void *arg);

/* mmap() and munmap() of either device: see gntdev.h and gntalloc.h */
int xen_fake_mmap(XenFakeMachine *fake, uint32_t file, uint64_t index,
                  uint32_t count, bool shared, bool write, uint32_t *frames);
void xen_fake_munmap(XenFakeMachine *fake, uint32_t file, uint64_t index,
                     uint32_t count);

#endif /* HW_XEN_TESTBED_FAKE_IOCTL_H */
