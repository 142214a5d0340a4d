/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * displif: what a display is made of; for the engine's own files
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_DISPLIF_DEVICE_H
#define HW_XEN_PV_DISPLIF_DEVICE_H

#include "hw/xen/xen-displif.h"
#include "hw/xen/xen-pv-ring.h"
#include "displif-check.h"
#include "displif-scanout.h"

/*
 * A display buffer of the guest
 *
 * @cookie: the guest's name of it; the key of XenDisplif.buffers
 * @directory: the first grant reference of its page directory
 * @pages: its pages
 * @geometry: its layout
 */
typedef struct DisplifBuffer {
    uint64_t cookie;
    uint32_t directory;
    XenPgdirBuffer *pages;
    XenDisplifGeometry geometry;
} DisplifBuffer;

/*
 * A framebuffer: a way to look at a display buffer
 *
 * @cookie: the guest's name of it; the key of XenDisplif.framebuffers
 * @buffer: what it lies in; outlives it
 * @geometry: its layout
 * @format: DRM FOURCC
 */
typedef struct DisplifFramebuffer {
    uint64_t cookie;
    DisplifBuffer *buffer;
    XenDisplifGeometry geometry;
    uint32_t format;
} DisplifFramebuffer;

/*
 * @window: what it shows of a framebuffer
 * @origin_x, @origin_y: where the last SET_CONFIG had that begin
 * @enabled: between a SET_CONFIG of a framebuffer and one that resets
 * @shown: buffer whose pages the owner shows, or NULL.  The framebuffer that
 *     it was shown by may be detached meanwhile.
 * @flips: cookies of the framebuffers whose flip event is owed
 * @flips_head, @flips_count: the oldest of them; their number
 */
typedef struct DisplifConnector {
    XenDisplifWindow window;
    uint32_t origin_x;
    uint32_t origin_y;
    XenPvRing ring;
    XenPvEvents events;
    bool enabled;
    DisplifBuffer *shown;
    uint64_t flips[XEN_DISPLIF_MAX_PENDING_FLIPS];
    uint32_t flips_head;
    uint32_t flips_count;
} DisplifConnector;

struct XenDisplif {
    const XenDisplifOps *ops;
    void *opaque;
    XenPgdirMapper *mapper;
    XenDisplifLimits limits;
    XenPvServer server;
    bool backend_alloc;
    bool without_data_ofs;      /* as in version 1 of the protocol */
    GPtrArray *connectors;
    GHashTable *buffers;
    GHashTable *framebuffers;
    uint64_t total_pages;
    uint64_t flips;
    uint64_t events;
};

/**
 * xen_displif_connector: find a connector
 * @disp: the display
 * @index: its number
 *
 * Returns: the connector, or NULL.
 */
static inline DisplifConnector *xen_displif_connector(const XenDisplif *disp,
                                                      uint32_t index)
{
    if (index >= disp->connectors->len) {
        return NULL;
    }
    return g_ptr_array_index(disp->connectors, index);
}

#endif /* HW_XEN_PV_DISPLIF_DEVICE_H */
