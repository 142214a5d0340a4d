/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes of xenstore, from what anybody may have written to what was checked.
 *
 * A guest owns its device's directory, and with it also what the toolstack
 * wrote there.  So whatever is configured by nodes is read through these.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_NODES_H
#define HW_XEN_XEN_PV_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

/** XEN_PV_NODE_MAX: the longest value that any node may sensibly have */
#define XEN_PV_NODE_MAX 256

/**
 * struct XenPvNodes - a way to read nodes
 *
 * @read: read node @key below @dir; returns text, to be freed with g_free(),
 *     as xen_pv_node_text() makes it, or NULL.  The next call may well return
 *     something else.
 * @warn: log what is wrong with a node, one phrase
 */
typedef struct XenPvNodes {
    char *(*read)(void *opaque, const char *dir, const char *key);
    void (*warn)(void *opaque, const char *text);
    void *opaque;
} XenPvNodes;

/**
 * xen_pv_node_text: take a node's value for text
 * @raw: its value, or NULL when there is no such node
 * @len: its bytes
 *
 * Returns: the text, to be freed with g_free(), or NULL when it is none: too
 * long, not UTF-8, or with a NUL in it.
 */
char *xen_pv_node_text(const char *raw, size_t len);

/**
 * xen_pv_node_number: take text for a number
 * @text: the text
 * @max: the largest number allowed
 * @value: where to store the number; left alone if it is none
 *
 * Returns: whether it is a decimal number, and nothing else, up to @max.
 */
bool xen_pv_node_number(const char *text, uint32_t max, uint32_t *value);

/**
 * xen_pv_node_version: look at the version of the protocol that was chosen
 * @raw: value of the node "version", or NULL when there is none
 * @len: its bytes
 *
 * Linux writes nothing, and speaks as much of version 2 as it knows.
 *
 * Returns: whether it is one that we speak.
 */
bool xen_pv_node_version(const char *raw, size_t len);

/** xen_pv_nodes_read: read a node, see struct XenPvNodes */
char *xen_pv_nodes_read(const XenPvNodes *nodes, const char *dir,
                        const char *key);

/** xen_pv_nodes_warn: log what is wrong, see struct XenPvNodes */
void xen_pv_nodes_warn(const XenPvNodes *nodes, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

#endif /* HW_XEN_XEN_PV_NODES_H */
