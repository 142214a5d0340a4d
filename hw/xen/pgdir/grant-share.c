/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of the host's that it shares with the guest, and what becomes of them
 * when the guest's buffer goes
 *
 * A guest may keep pages mapped that are no longer shared with it.  They stay
 * the host's loss until it lets go, and nobody but the hypervisor knows whether
 * it has.  So pages that were shared once stay shared, and stay charged to the
 * guest: its next buffer gets them first.  Were they given back at once, a
 * guest could have all of the host's by asking for them again and again.
 *
 * Ranges that are too small for what the guest wants next are given up, but
 * are not forgotten: these, too, are bounded, for as long as the mapper lives.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "grant-map.h"

static int32_t share_new(XenPgdirMapper *mapper, uint32_t pages, bool writable,
                         XenGrantShare **share)
{
    g_autofree uint32_t *refs = g_try_new(uint32_t, pages);
    void *addr;
    int32_t ret;

    if (!refs) {
        return xen_grant_mapper_no_memory(mapper);
    }
    ret = mapper->ops.share(mapper->opaque, pages, writable, refs, &addr);
    if (ret) {
        mapper->full = 0;
        return ret > 0 ?
            xen_grant_mapper_fail(mapper, -EIO, XEN_PGDIR_CAUSE_CALLER,
                                  "the share operation returned %" PRId32,
                                  ret) :
            xen_grant_mapper_fail(mapper, ret, XEN_PGDIR_CAUSE_HOST,
                                  "cannot share %" PRIu32 " pages: %s", pages,
                                  g_strerror(-ret));
    }
    *share = g_new0(XenGrantShare, 1);
    (*share)->addr = addr;
    (*share)->refs = g_steal_pointer(&refs);
    (*share)->pages = pages;
    (*share)->writable = writable;
    (*share)->link.data = *share;
    mapper->mappings++;
    return 0;
}

/* An idle share is no longer one */
static void share_free(XenPgdirMapper *mapper, XenGrantShare *share)
{
    g_queue_unlink(&mapper->kept, &share->link);
    mapper->kept_pages -= share->pages;
    mapper->ops.unshare(mapper->opaque, share->addr, share->refs, share->pages);
    mapper->mappings--;
    g_free(share->refs);
    g_free(share);
}

/* Kinds of shares: which guest may write to them */
#define SHARE_READ  1u
#define SHARE_WRITE 2u

static uint32_t kind_of(bool writable)
{
    return writable ? SHARE_WRITE : SHARE_READ;
}

/* The smallest idle share of @least to @most pages, of these kinds, or NULL */
static XenGrantShare *find_kept(XenPgdirMapper *mapper, uint32_t kinds,
                                uint64_t least, uint64_t most)
{
    XenGrantShare *found = NULL;
    GList *link;

    for (link = mapper->kept.head; link; link = link->next) {
        XenGrantShare *share = link->data;

        if ((kinds & kind_of(share->writable)) &&
            share->pages >= least && share->pages <= most &&
            (!found || share->pages < found->pages)) {
            found = share;
        }
    }
    return found;
}

/* Give the smallest idle share up; returns whether that was possible */
static bool give_up(XenPgdirMapper *mapper)
{
    XenGrantShare *share = find_kept(mapper, SHARE_READ | SHARE_WRITE, 1,
                                     UINT32_MAX);

    if (!share ||
        mapper->abandoned_pages + share->pages > mapper->config.max_pages) {
        return false;
    }
    mapper->abandoned_pages += share->pages;
    share_free(mapper, share);
    return true;
}

static bool has_room(const XenPgdirMapper *mapper, uint32_t pages)
{
    return mapper->shared_pages + mapper->kept_pages + pages <=
           mapper->config.max_pages;
}

int32_t xen_grant_share_room(XenPgdirMapper *mapper, uint32_t pages)
{
    if (!mapper->ops.share) {
        return xen_grant_mapper_fail(mapper, -EOPNOTSUPP,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the mapper cannot share pages");
    }
    if (mapper->shared_pages + pages > mapper->config.max_pages) {
        return xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_PAGES);
    }
    return 0;
}

/* Pages that were never the guest's, at the cost of idle ones if need be */
static int32_t share_more(XenPgdirMapper *mapper, uint32_t pages, bool writable,
                          XenGrantShare **share)
{
    int32_t ret;

    while (true) {
        ret = has_room(mapper, pages)
              ? xen_grant_mapper_make_room(mapper)
              : xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_PAGES);
        if (ret == 0) {
            break;
        }
        if (!give_up(mapper)) {
            return ret;
        }
    }
    ret = share_new(mapper, pages, writable, share);
    if (ret == 0) {
        mapper->shared_pages += pages;
    }
    return ret;
}

int32_t xen_grant_share_get(XenPgdirMapper *mapper, uint32_t pages,
                            bool writable, XenGrantShare **share)
{
    uint32_t kind = kind_of(writable);
    XenGrantShare *kept = find_kept(mapper, kind, pages, 2ull * pages);
    int32_t ret;

    if (!kept && !has_room(mapper, pages)) {
        kept = find_kept(mapper, kind, pages, UINT32_MAX);
    }
    if (kept) {
        g_queue_unlink(&mapper->kept, &kept->link);
        mapper->kept_pages -= kept->pages;
        mapper->shared_pages += kept->pages;
        memset(kept->addr, 0, (size_t)pages * XEN_PGDIR_PAGE_SIZE);
        *share = kept;
    } else {
        ret = share_more(mapper, pages, writable, share);
        if (ret) {
            return ret;
        }
    }
    (*share)->users = 1;
    return 0;
}

XenGrantShare *xen_grant_share_ref(XenGrantShare *share)
{
    share->users++;
    return share;
}

void xen_grant_share_unref(XenPgdirMapper *mapper, XenGrantShare *share)
{
    if (--share->users > 0) {
        return;
    }
    mapper->shared_pages -= share->pages;
    mapper->kept_pages += share->pages;
    g_queue_push_tail_link(&mapper->kept, &share->link);
}

void xen_grant_share_clear(XenPgdirMapper *mapper)
{
    while (mapper->kept.head) {
        share_free(mapper, mapper->kept.head->data);
    }
}
