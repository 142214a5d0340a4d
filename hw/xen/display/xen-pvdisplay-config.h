/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of connectors of a PV display: text of users, toolstacks, guests.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_CONFIG_H
#define HW_XEN_XEN_PVDISPLAY_CONFIG_H

#include "hw/xen/xen-pv-nodes.h"

/* Connectors of a device */
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
 * @refresh_rate: in mHz; 0 is that of the device
 */
typedef struct XenPvMode {
    char *id;
    uint32_t width;
    uint32_t height;
    uint32_t refresh_rate;
} XenPvMode;

/* Refresh rates, in Hz and in thousandths of that */
#define XEN_PVDISPLAY_MAX_RATE 1000
#define XEN_PVDISPLAY_MHZ 1000

/* The largest picture of QEMU's VNC server, in pixels: the rest is cut off */
#define XEN_PVDISPLAY_VNC_WIDTH 5120
#define XEN_PVDISPLAY_VNC_HEIGHT 2160

/**
 * xen_pvdisplay_rate: how often a screen is refreshed
 * @viewer: what the viewer says of the screen that it is on, in mHz; 0 where
 *     it knows nothing of that
 * @option: what the user wants otherwise, in mHz
 *
 * Returns: a rate of more than 0 and at most XEN_PVDISPLAY_MAX_RATE, in mHz.
 */
uint32_t xen_pvdisplay_rate(uint32_t viewer, uint32_t option);

/**
 * xen_pvdisplay_period_ns: the time from one refresh to the next
 * @rate: in mHz, not 0
 */
int64_t xen_pvdisplay_period_ns(uint32_t rate);

/**
 * xen_pvdisplay_vnc_cuts: whether a VNC viewer sees a part of a screen only
 * @mode: the screen
 */
bool xen_pvdisplay_vnc_cuts(const XenPvMode *mode);

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
 * xen_pvdisplay_parse_screens: check the options that name the screens
 * @outputs: option "outputs", an array of struct XenPvMode whose @id may be
 *     NULL, not checked; or NULL if it is not given
 * @connectors: option "connectors", or NULL if it is not given
 * @xres: option "xres", the width of the only screen, or 0
 * @yres: option "yres", its height, or 0; not both are 0 without one of the
 *     others
 * @why: where to say what is wrong with them, to be freed with g_free()
 *
 * Returns: an array of struct XenPvMode, or NULL.
 */
GArray *xen_pvdisplay_parse_screens(const GArray *outputs,
                                    const char *connectors, uint32_t xres,
                                    uint32_t yres, char **why);

/**
 * xen_pvdisplay_read_modes: read the nodes of a device that the toolstack made
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
 * xen_pvdisplay_default_pages: how many of a guest's pages may be mapped at
 *     once, unless the user says
 * @modes: array of struct XenPvMode
 * @most: what all devices of the guest may have together
 *
 * Enough for four pictures of each screen: one that is shown, one that is next,
 * one that is drawn meanwhile, and one of who had the screen before.  Small
 * screens get more, as desktops are larger than they are.
 *
 * Returns: the pages, at most @most.
 */
uint32_t xen_pvdisplay_default_pages(const GArray *modes, uint32_t most);

/**
 * xen_pvdisplay_screen_pages: pages of one picture of each screen
 * @modes: array of struct XenPvMode
 */
uint32_t xen_pvdisplay_screen_pages(const GArray *modes);

/**
 * xen_pvdisplay_modes_new: an empty array of struct XenPvMode
 *
 * Returns: the array; it owns its elements' names.
 */
GArray *xen_pvdisplay_modes_new(void);

#endif /* HW_XEN_XEN_PVDISPLAY_CONFIG_H */
