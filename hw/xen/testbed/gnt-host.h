/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the models of the grant devices need of the machine they are in.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GNT_HOST_H
#define HW_XEN_TESTBED_GNT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* Actions of SET_UNMAP_NOTIFY, of either device: UNMAP_NOTIFY_* */
#define XEN_GNT_CLEAR_BYTE      1u
#define XEN_GNT_SEND_EVENT      2u

/**
 * struct XenGntHost - the domain that has the devices
 *
 * @opaque: for the functions
 * @machine: the machine, with its memory
 * @domid: the domain
 * @event_get: take a reference to an event channel port, which is the domain's;
 *     0, or -EINVAL when there is no such port
 * @event_put: give it back; before that notify the port if @send
 * @copy: copy between memory of the device's user and the machine's; either
 *     may be a bad address then: 0, or -EFAULT
 */
typedef struct XenGntHost {
    void *opaque;
    XenMachine *machine;
    domid_t domid;
    int (*event_get)(void *opaque, uint32_t port);
    void (*event_put)(void *opaque, uint32_t port, bool send);
    int (*copy)(void *opaque, void *to, const void *from, size_t len);
} XenGntHost;

/**
 * xen_gnt_page: what is in a frame
 * @host: the domain that has the devices
 * @frame: the frame
 *
 * Returns: the page.
 */
static inline uint8_t *xen_gnt_page(const XenGntHost *host, uint32_t frame)
{
    return host->machine->memory + ((size_t)frame << XEN_MACHINE_PAGE_SHIFT);
}

#endif /* HW_XEN_TESTBED_GNT_HOST_H */
