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
 * Pages of a dma-buf that was imported are the same, but that they are good for
 * that dma-buf alone.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "grant-map.h"

/* Grant what @wanted says; its references and its address are made */
static int32_t share_new(XenPgdirMapper *mapper, const XenGrantShare *wanted,
                         XenGrantShare **share)
{
    g_autofree uint32_t *refs = g_try_new(uint32_t, wanted->pages);
    bool import = wanted->dmabuf >= 0;
    void *addr = NULL;
    int32_t ret;

    if (!refs) {
        return xen_grant_mapper_no_memory(mapper);
    }
    ret = import ? mapper->ops.dmabuf_import(mapper->opaque, wanted->dmabuf,
                                             wanted->pages, refs)
                 : mapper->ops.share(mapper->opaque, wanted->pages,
                                     wanted->writable, refs, &addr);
    if (ret) {
        mapper->full = 0;
        return ret > 0 ?
            xen_grant_mapper_fail(mapper, -EIO, XEN_PGDIR_CAUSE_CALLER,
                                  "the %s operation returned %" PRId32,
                                  import ? "import" : "share", ret) :
            xen_grant_mapper_fail(mapper, ret, XEN_PGDIR_CAUSE_HOST,
                                  "cannot %s %" PRIu32 " pages: %s",
                                  import ? "import a dma-buf of" : "share",
                                  wanted->pages, g_strerror(-ret));
    }
    *share = g_new(XenGrantShare, 1);
    **share = *wanted;
    (*share)->addr = addr;
    (*share)->refs = g_steal_pointer(&refs);
    (*share)->link.data = *share;
    mapper->mappings++;
    return 0;
}

/* An idle share is no longer one */
static void share_free(XenPgdirMapper *mapper, XenGrantShare *share)
{
    g_queue_unlink(&mapper->kept, &share->link);
    mapper->kept_pages -= share->pages;
    if (share->dmabuf >= 0) {
        mapper->ops.dmabuf_release(mapper->opaque, share->dmabuf);
        close(share->dmabuf);
    } else {
        mapper->ops.unshare(mapper->opaque, share->addr, share->refs,
                            share->pages);
    }
    mapper->mappings--;
    g_free(share->refs);
    g_free(share);
}

/* Whether an idle share is what is wanted, but for its size */
static bool is_alike(const XenGrantShare *share, const XenGrantShare *wanted)
{
    if (wanted->dmabuf < 0) {
        return share->dmabuf < 0 && share->writable == wanted->writable;
    }
    return share->dmabuf >= 0 && wanted->ino && share->ino == wanted->ino &&
           share->dev == wanted->dev;
}

/* The smallest idle share of @least to @most pages, or NULL; @wanted or any */
static XenGrantShare *find_kept(XenPgdirMapper *mapper,
                                const XenGrantShare *wanted,
                                uint64_t least, uint64_t most)
{
    XenGrantShare *found = NULL;
    GList *link;

    for (link = mapper->kept.head; link; link = link->next) {
        XenGrantShare *share = link->data;

        if ((!wanted || is_alike(share, wanted)) &&
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
    XenGrantShare *share = find_kept(mapper, NULL, 1, UINT32_MAX);

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

int32_t xen_grant_share_room(XenPgdirMapper *mapper, uint32_t pages,
                             bool import)
{
    if (import ? !mapper->ops.dmabuf_import : !mapper->ops.share) {
        return xen_grant_mapper_fail(mapper, -EOPNOTSUPP,
                                     XEN_PGDIR_CAUSE_CALLER,
                                     "the mapper cannot %s",
                                     import ? "import dma-bufs"
                                            : "share pages");
    }
    if (mapper->shared_pages + pages > mapper->config.max_pages) {
        return xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_PAGES);
    }
    return 0;
}

/* Pages that were never the guest's, at the cost of idle ones if need be */
static int32_t share_more(XenPgdirMapper *mapper, const XenGrantShare *wanted,
                          XenGrantShare **share)
{
    int32_t ret;

    while (true) {
        ret = has_room(mapper, wanted->pages)
              ? xen_grant_mapper_make_room(mapper)
              : xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_PAGES);
        if (ret == 0) {
            break;
        }
        if (!give_up(mapper)) {
            return ret;
        }
    }
    ret = share_new(mapper, wanted, share);
    if (ret == 0) {
        mapper->shared_pages += wanted->pages;
    }
    return ret;
}

static void take_kept(XenPgdirMapper *mapper, XenGrantShare *kept)
{
    g_queue_unlink(&mapper->kept, &kept->link);
    mapper->kept_pages -= kept->pages;
    mapper->shared_pages += kept->pages;
    kept->users = 1;
}

int32_t xen_grant_share_get(XenPgdirMapper *mapper, uint32_t pages,
                            bool writable, XenGrantShare **share)
{
    const XenGrantShare wanted = {
        .pages = pages,
        .dmabuf = -1,
        .writable = writable,
        .users = 1,
    };
    XenGrantShare *kept = find_kept(mapper, &wanted, pages, 2ull * pages);

    if (!kept && !has_room(mapper, pages)) {
        kept = find_kept(mapper, &wanted, pages, UINT32_MAX);
    }
    if (!kept) {
        return share_more(mapper, &wanted, share);
    }
    take_kept(mapper, kept);
    memset(kept->addr, 0, (size_t)pages * XEN_PGDIR_PAGE_SIZE);
    *share = kept;
    return 0;
}

/* What a dma-buf is, whatever descriptor it has */
static bool identify(int fd, XenGrantShare *wanted)
{
    struct statfs fs;
    struct stat st;

    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
        return false;
    }
    wanted->dev = st.st_dev;
    /* There all of them are one inode: those of Linux before 5.3, too */
    wanted->ino = fs.f_type == ANON_INODE_FS_MAGIC ? 0 : st.st_ino;
    return true;
}

/*
 * The kernel finds what was imported by the number of its descriptor, so that
 * has to be ours, and to stay open
 */
int32_t xen_grant_share_import(XenPgdirMapper *mapper, uint32_t pages, int fd,
                               XenGrantShare **share)
{
    XenGrantShare wanted = { .pages = pages, .writable = true, .users = 1 };
    int32_t ret;

    if (!identify(fd, &wanted)) {
        return xen_grant_mapper_fail(mapper, -errno, XEN_PGDIR_CAUSE_CALLER,
                                     "cannot look at descriptor %d: %s", fd,
                                     g_strerror(errno));
    }
    *share = find_kept(mapper, &wanted, pages, pages);
    if (*share) {
        take_kept(mapper, *share);
        return 0;
    }
    wanted.dmabuf = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (wanted.dmabuf < 0) {
        return xen_grant_mapper_fail(mapper, -errno, XEN_PGDIR_CAUSE_HOST,
                                     "cannot duplicate descriptor %d: %s", fd,
                                     g_strerror(errno));
    }
    ret = share_more(mapper, &wanted, share);
    if (ret) {
        close(wanted.dmabuf);
    }
    return ret;
}

int32_t xen_grant_share_unmapped(XenPgdirMapper *mapper)
{
    return xen_grant_mapper_fail(mapper, -EOPNOTSUPP, XEN_PGDIR_CAUSE_CALLER,
                                 "the pages are those of a dma-buf, which the "
                                 "library does not map");
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
