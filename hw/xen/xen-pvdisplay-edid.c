/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EDID of a PV display's connector.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "exec/memory.h"
#include "hw/display/edid.h"
#include "xen-pvdisplay-edid.h"

/* A base block, timings of consumer screens, timings of large ones */
#define XEN_PVDISPLAY_EDID_SIZE 384

/* Of a text in a descriptor */
#define XEN_PVDISPLAY_EDID_TEXT 12

/* The toolstack's name, or the guest's, is any text; a monitor's is ASCII */
static void xen_pvdisplay_edid_name(char *name, const char *id)
{
    size_t i;

    for (i = 0; id && id[i] && i < XEN_PVDISPLAY_EDID_TEXT; i++) {
        name[i] = g_ascii_isprint(id[i]) ? id[i] : '?';
    }
    name[i] = '\0';
}

int xen_pvdisplay_edid(uint8_t *buf, size_t size, const XenPvMode *mode,
                       uint32_t refresh_rate, uint32_t serial)
{
    char name[XEN_PVDISPLAY_EDID_TEXT + 1];
    g_autofree char *number = g_strdup_printf("%" PRIu32, serial);
    qemu_edid_info info = {
        .serial = number,
        .prefx = mode->width,
        .prefy = mode->height,
        .maxx = mode->width,
        .maxy = mode->height,
        .refresh_rate = refresh_rate * 1000,
    };

    if (size < XEN_PVDISPLAY_EDID_SIZE) {
        return -ENOSPC;
    }
    xen_pvdisplay_edid_name(name, mode->id);
    if (*name) {
        info.name = name;
    }
    qemu_edid_generate(buf, XEN_PVDISPLAY_EDID_SIZE, &info);

    return qemu_edid_size(buf);
}
