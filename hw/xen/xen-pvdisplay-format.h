/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of connectors of a PV display: text of users, toolstacks, guests.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_FORMAT_H
#define HW_XEN_XEN_PVDISPLAY_FORMAT_H

#include "hw/xen/xen-pv-nodes.h"

/* Connectors of a card */
#define XEN_PVDISPLAY_MAX_CONNECTORS 16

/* Sides of a connector, in pixels */
#define XEN_PVDISPLAY_MIN_SIDE 16
#define XEN_PVDISPLAY_MAX_SIDE 8192

/**
 * struct XenPvMode - what a connector is made from
 *
 * @id: the guest's and the user's name for it; owned; may be empty
 * @width: visible pixels of a row
 * @height: visible rows
 */
typedef struct XenPvMode {
    char *id;
    uint32_t width;
    uint32_t height;
} XenPvMode;

/**
 * xen_pvdisplay_parse_resolution: check the text of a node "resolution"
 * @text: "WxH"
 * @width: where to store the width
 * @height: where to store the height
 *
 * Returns: whether it is a resolution within the limits.
 */
bool xen_pvdisplay_parse_resolution(const char *text, uint32_t *width,
                                    uint32_t *height);

/**
 * xen_pvdisplay_parse_connectors: check the option "connectors"
 * @text: "[ID:]WxH;[ID:]WxH...", as in an xl configuration
 * @why: where to say what is wrong with it, to be freed with g_free()
 *
 * Returns: an array of struct XenPvMode, or NULL.
 */
GArray *xen_pvdisplay_parse_connectors(const char *text, char **why);

/**
 * xen_pvdisplay_read_modes: read the nodes of a card that the toolstack made
 * @nodes: the way to read them
 * @frontend: the frontend's directory
 * @why: where to say what is wrong, to be freed with g_free()
 *
 * Returns: an array of struct XenPvMode, not empty, whose @id may be NULL; or
 * NULL.
 */
GArray *xen_pvdisplay_read_modes(const XenPvNodes *nodes,
                                 const char *frontend, char **why);

/**
 * xen_pvdisplay_modes_new: an empty array of struct XenPvMode
 *
 * Returns: the array; it owns its elements' names.
 */
GArray *xen_pvdisplay_modes_new(void);

#endif /* HW_XEN_XEN_PVDISPLAY_FORMAT_H */
