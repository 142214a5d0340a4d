/*
 * Nodes of xenstore, from what anybody may have written to what was checked
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-nodes.h"

char *xen_pv_node_text(const char *raw, size_t len)
{
    if (!raw || len > XEN_PV_NODE_MAX || memchr(raw, '\0', len) ||
        !g_utf8_validate(raw, len, NULL)) {
        return NULL;
    }
    return g_strndup(raw, len);
}

bool xen_pv_node_number(const char *text, uint32_t max, uint32_t *value)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &number, NULL)) {
        return false;
    }
    *value = number;
    return true;
}

bool xen_pv_node_version(const char *raw, size_t len)
{
    return !raw || (len == 1 && (*raw == '1' || *raw == '2'));
}

char *xen_pv_nodes_read(const XenPvNodes *nodes, const char *dir,
                        const char *key)
{
    return nodes->read(nodes->opaque, dir, key);
}

void xen_pv_nodes_warn(const XenPvNodes *nodes, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    nodes->warn(nodes->opaque, text);
}
