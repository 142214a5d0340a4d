/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain's grant table says
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

/* What of Xen's headers there is to see */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/grant_table.h>

#include "xen-grant-info.h"

uint32_t xen_grant_entries(const XenGrantBytes *bytes)
{
    size_t count;

    switch (bytes->version) {
    case 1:
        count = bytes->table_size / sizeof(grant_entry_v1_t);
        break;
    case 2:
        count = MIN(bytes->table_size / sizeof(grant_entry_v2_t),
                    bytes->status_size / sizeof(grant_status_t));
        break;
    default:
        return 0;
    }
    return MIN(count, UINT32_MAX);
}

/* What the flags say alike in both versions */
static void parse_flags(XenGrantInfo *info, uint16_t flags, uint16_t domid,
                        uint16_t status)
{
    static const XenGrantType types[] = {
        [GTF_invalid] = XEN_GRANT_TYPE_UNUSED,
        [GTF_permit_access] = XEN_GRANT_TYPE_ACCESS,
        [GTF_accept_transfer] = XEN_GRANT_TYPE_TRANSFER,
        [GTF_transitive] = XEN_GRANT_TYPE_TRANSITIVE,
    };
    bool transfer = (flags & GTF_type_mask) == GTF_accept_transfer;

    info->type = types[flags & GTF_type_mask];
    if (transfer) {
        /* These are the bits that mean "reading" and "readonly" elsewhere */
        info->committed = flags & GTF_transfer_committed;
        info->completed = flags & GTF_transfer_completed;
    } else {
        info->reading = status & GTF_reading;
        info->writing = status & GTF_writing;
    }
    if (info->type == XEN_GRANT_TYPE_UNUSED) {
        return;
    }
    info->domid = domid;
    info->readonly = !transfer && flags & GTF_readonly;
}

static void parse_v1(const XenGrantBytes *bytes, XenGrantInfo *info)
{
    grant_entry_v1_t entry;

    memcpy(&entry, (const uint8_t *)bytes->table + info->ref * sizeof(entry),
           sizeof(entry));
    parse_flags(info, entry.flags, entry.domid, entry.flags);
    if (info->type == XEN_GRANT_TYPE_TRANSITIVE) {
        /* There is none in version 1: Xen takes it for no permission */
        *info = (XenGrantInfo) {
            .ref = info->ref, .reading = info->reading,
            .writing = info->writing,
        };
    }
    if (info->type != XEN_GRANT_TYPE_UNUSED) {
        info->frame = entry.frame;
    }
}

static void parse_v2(const XenGrantBytes *bytes, XenGrantInfo *info)
{
    grant_entry_v2_t entry;
    grant_status_t status;

    memcpy(&entry, (const uint8_t *)bytes->table + info->ref * sizeof(entry),
           sizeof(entry));
    memcpy(&status,
           (const uint8_t *)bytes->status + info->ref * sizeof(status),
           sizeof(status));
    parse_flags(info, entry.hdr.flags, entry.hdr.domid, status);
    switch (info->type) {
    case XEN_GRANT_TYPE_UNUSED:
        break;
    case XEN_GRANT_TYPE_TRANSITIVE:
        info->from_domid = entry.transitive.trans_domid;
        info->from_ref = entry.transitive.gref;
        break;
    case XEN_GRANT_TYPE_ACCESS:
        info->sub_page = entry.hdr.flags & GTF_sub_page;
        if (info->sub_page) {
            info->offset = entry.sub_page.page_off;
            info->length = entry.sub_page.length;
        }
        fallthrough;
    case XEN_GRANT_TYPE_TRANSFER:
        info->frame = entry.full_page.frame;
        break;
    }
}

bool xen_grant_info(const XenGrantBytes *bytes, uint32_t ref,
                    XenGrantInfo *info)
{
    memset(info, 0, sizeof(*info));
    info->ref = ref;
    if (ref >= xen_grant_entries(bytes)) {
        return false;
    }
    if (bytes->version == 1) {
        parse_v1(bytes, info);
    } else {
        parse_v2(bytes, info);
    }
    return true;
}

bool xen_grant_mapped(const XenGrantInfo *info)
{
    return info->reading || info->writing;
}

bool xen_grant_next(const XenGrantBytes *bytes, uint32_t domid, uint32_t ref,
                    XenGrantInfo *info)
{
    for (; xen_grant_info(bytes, ref, info); ref++) {
        if (info->type == XEN_GRANT_TYPE_UNUSED && !xen_grant_mapped(info)) {
            continue;
        }
        if (domid == XEN_GRANT_ANYBODY ||
            (info->type != XEN_GRANT_TYPE_UNUSED && info->domid == domid)) {
            return true;
        }
    }
    return false;
}

void xen_grant_add(XenGrantTotals *totals, const XenGrantInfo *info)
{
    totals->grants++;
    totals->mapped += xen_grant_mapped(info);
    totals->written += info->writing;
}

const char *xen_grant_type_name(XenGrantType type)
{
    switch (type) {
    case XEN_GRANT_TYPE_ACCESS:
        return "access";
    case XEN_GRANT_TYPE_TRANSFER:
        return "transfer";
    case XEN_GRANT_TYPE_TRANSITIVE:
        return "transitive";
    default:
        return "none";
    }
}
