/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lazy map cache behind page directories (internal)
 *
 * A map caches extents: ranges of pages of an object, each mapped by one
 * call.  An extent is found by the identity of its object and its page
 * range, never by a grant reference: guests recycle those.
 *
 * Extents in use are pinned.  Unpinned ones are kept until the budget wants
 * their pages (least recently used first) or until their object is revoked.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_GRANT_MAP_H
#define HW_XEN_PGDIR_GRANT_MAP_H

#include "hw/xen/xen-pgdir.h"

/* To the public face a map is a "mapper", and a pinned extent is a "view" */
typedef struct XenPgdirMapper XenGrantMap;
typedef struct XenPgdirView XenGrantExtent;

/**
 * struct XenGrantLink - link of a ring, or its head
 *
 * Each hit of an idle extent takes it off its list and puts it back, which
 * through GQueue's functions would cost more than the lookup.
 */
typedef struct XenGrantLink XenGrantLink;
struct XenGrantLink {
    XenGrantLink *prev;
    XenGrantLink *next;
};

/**
 * struct XenGrantPool - extents that share a budget
 *
 * @lru: head of the unpinned ones, least recently used first
 * @pages: pages of all of them
 * @pinned: pages of the pinned ones
 */
typedef struct XenGrantPool {
    XenGrantLink lru;
    uint64_t pages;
    uint64_t pinned;
} XenGrantPool;

/**
 * struct XenPgdirMapper - the cache of one foreign domain
 *
 * @stats: counters; those that describe a state now live in the pools
 * @chunk: pages of the extents that scatter reads and writes go through
 * @extents: set of XenGrantExtent, by their key
 * @direct: extents that are the guest's pages
 * @copies: extents that are host copies, including those left by revocation
 * @windows: extents that lie in memory that the host shares.  They cost
 *     nothing, and so are never refused.
 * @mappings: areas of memory that all of that takes: one for each extent that
 *     is not a window, and one for each share
 * @owners: objects of which the operation map_page has mapped pages, least
 *     recently used first
 * @own_pages: these pages
 * @kept: shares (struct XenGrantShare) that nobody uses
 * @shared_pages: pages of the shares in use
 * @kept_pages: pages of the others
 * @abandoned_pages: pages of those that were given up
 * @full: which limit the last -ENOSPC was for, see xen_pgdir_mapper_full()
 * @retiring: buffers that are to be revoked when their last view goes
 * @error: of the last failure; its message is @message
 */
struct XenPgdirMapper {
    XenPgdirGrantOps ops;
    void *opaque;
    XenPgdirConfig config;
    XenPgdirStats stats;
    uint32_t refcount;
    uint32_t chunk;
    GHashTable *extents;
    XenGrantPool direct;
    XenGrantPool copies;
    XenGrantPool windows;
    uint32_t mappings;
    GQueue owners;
    uint64_t own_pages;
    GQueue kept;
    uint64_t shared_pages;
    uint64_t kept_pages;
    uint64_t abandoned_pages;
    uint32_t full;
    GQueue retiring;
    XenPgdirError error;
    char message[128];
};

/**
 * struct XenGrantShare - pages of the host's that it shares with the guest
 *
 * @addr, @refs, @pages: as the share operation said
 * @writable: by the guest
 * @users: the object whose pages they are, and extents that outlived it
 * @link: in XenPgdirMapper.kept, while nobody uses them
 */
typedef struct XenGrantShare {
    uint8_t *addr;
    uint32_t *refs;
    uint32_t pages;
    bool writable;
    uint32_t users;
    GList link;
} XenGrantShare;

typedef struct XenGrantObject XenGrantObject;

/**
 * struct XenGrantObject - what the protocol calls a buffer; owns its extents
 *
 * @on_idle: called when no extent of it is pinned any more, as the last thing
 *     that xen_grant_map_unpin() does; or NULL
 * @refs: references of the pages, in order; owned; NULL once revoked, or if
 *     the host shares the pages with the guest
 * @share: these pages; it may have more than the object.  NULL if they are
 *     the guest's, or once revoked.
 * @scattered: the map operation cannot map them as one range
 * @own: by page, where the operation map_page has mapped it, or NULL; and NULL
 *     if it has mapped none
 * @own_pages: how many it has mapped
 * @owner_link: in XenPgdirMapper.owners, while it has
 */
struct XenGrantObject {
    XenGrantMap *map;
    void (*on_idle)(XenGrantObject *object);
    uint32_t *refs;
    uint32_t pages;
    bool writable;
    bool scattered;
    XenGrantShare *share;
    uint8_t **own;
    uint32_t own_pages;
    GList owner_link;
    GQueue extents;
};

typedef struct XenGrantKey {
    const XenGrantObject *object;
    uint32_t first;
    uint32_t count;
} XenGrantKey;

/**
 * struct XenPgdirView - an extent
 *
 * @key: must be first, as the hash table takes an extent for its key
 * @object: where it belongs, or NULL after revocation; then the extent is
 *     out of the cache, has a reference to @map, and goes with its last pin
 * @pool: which budget it counts in, and so what it is
 * @share: what it lies in, once the object that shared it was revoked
 * @lost: the address was taken from it; nothing is left to free
 * @filled: a copy has been what the pages were
 */
struct XenPgdirView {
    XenGrantKey key;
    uint32_t pins;
    bool lost;
    bool filled;
    void *addr;
    XenGrantMap *map;
    XenGrantObject *object;
    XenGrantPool *pool;
    XenGrantShare *share;
    XenGrantLink lru_link;
    GList object_link;
};

/** xen_grant_map_hash: hash of a XenGrantKey */
guint xen_grant_map_hash(gconstpointer key);

/** xen_grant_map_equal: whether two XenGrantKey are the same */
gboolean xen_grant_map_equal(gconstpointer a, gconstpointer b);

/**
 * xen_grant_map_fail: remember an error for xen_pgdir_mapper_error()
 * @status: a negative errno value
 * @cause: XEN_PGDIR_CAUSE_...
 * @format: what to say of it
 *
 * Returns: @status.
 */
int32_t G_GNUC_PRINTF(4, 5) xen_grant_map_fail(XenGrantMap *map,
                                               int32_t status, uint32_t cause,
                                               const char *format, ...);

/** xen_grant_map_no_memory: the same for memory: -ENOMEM */
int32_t xen_grant_map_no_memory(XenGrantMap *map);

/** xen_grant_map_new: make an empty cache; arguments are valid */
XenGrantMap *xen_grant_map_new(const XenPgdirGrantOps *ops, void *opaque,
                               const XenPgdirConfig *config);

/** xen_grant_map_ref: take one more reference; objects need one each */
XenGrantMap *xen_grant_map_ref(XenGrantMap *map);

/** xen_grant_map_unref: drop a reference; no object is left at the last */
void xen_grant_map_unref(XenGrantMap *map);

/** xen_grant_map_trim: unmap and free all that is not pinned */
void xen_grant_map_trim(XenGrantMap *map);

/** xen_grant_map_stats: read the counters, all of them */
void xen_grant_map_stats(const XenGrantMap *map, XenPgdirStats *stats);

/**
 * xen_grant_map_page: map a reference past the cache, to look at it ourselves
 *
 * Unpinned extents are given up when the operation lacks room.
 *
 * Returns: 0 or a negative errno value.
 */
int32_t xen_grant_map_page(XenGrantMap *map, uint32_t ref, bool writable,
                           void **addr);

/**
 * xen_grant_map_full: a limit leaves no room: remember which
 * @limit: XEN_PGDIR_FULL_...
 *
 * Returns: -ENOSPC.
 */
int32_t xen_grant_map_full(XenGrantMap *map, uint32_t limit);

/**
 * xen_grant_map_make_room: make room for one more mapping
 *
 * Unpinned extents are given up for it.
 *
 * Returns: 0, or -ENOSPC when all are pinned.
 */
int32_t xen_grant_map_make_room(XenGrantMap *map);

/** xen_grant_map_unmap_pages: undo xen_grant_map_page(), and others */
void xen_grant_map_unmap_pages(XenGrantMap *map, void *addr,
                               const uint32_t *refs, uint32_t count);

/**
 * xen_grant_map_object_init: make an object
 * @object: storage that stays in place until the object is revoked
 * @map: its cache; takes a reference
 * @refs: allocated with g_malloc() or relatives; becomes the object's
 * @pages: how many
 * @writable: how to map them
 */
void xen_grant_map_object_init(XenGrantObject *object, XenGrantMap *map,
                               uint32_t *refs, uint32_t pages, bool writable);

/**
 * xen_grant_map_object_init_shared: make an object of pages of the host's
 * @object: storage that stays in place until the object is revoked
 * @map: its cache; takes a reference
 * @pages: how many
 * @share: from xen_grant_share_get(); its reference becomes the object's
 */
void xen_grant_map_object_init_shared(XenGrantObject *object,
                                      XenGrantMap *map, uint32_t pages,
                                      XenGrantShare *share);

/**
 * xen_grant_map_object_drop_idle: unmap what nobody pins
 *
 * Returns: whether something is pinned.
 */
bool xen_grant_map_object_drop_idle(XenGrantObject *object);

/** xen_grant_map_object_revoke: unmap all of it, see xen-pgdir.h */
void xen_grant_map_object_revoke(XenGrantObject *object);

/** xen_grant_map_object_clear: revoke and let go of the map */
void xen_grant_map_object_clear(XenGrantObject *object);

/**
 * xen_grant_map_pin: pin the extent of a range of pages, making it if needed
 * @object: not revoked
 * @first: first page
 * @count: pages, not 0; the range lies within the object
 * @extent: where to store the extent
 *
 * Returns: 0, -ENOSPC when pinned pages leave no room, -ENOMEM, or what the
 * map operation returned.
 */
int32_t xen_grant_map_pin(XenGrantObject *object, uint32_t first,
                          uint32_t count, XenGrantExtent **extent);

/** xen_grant_map_unpin: drop a pin */
void xen_grant_map_unpin(XenGrantExtent *extent);

/** xen_grant_map_is_copy: whether an extent is not the guest's own memory */
bool xen_grant_map_is_copy(const XenGrantExtent *extent);

/** xen_grant_is_window: whether an extent is memory that the host shares */
static inline bool xen_grant_is_window(const XenGrantExtent *extent)
{
    return extent->pool == &extent->map->windows;
}

/** xen_grant_bytes: the size of an extent */
static inline size_t xen_grant_bytes(const XenGrantExtent *extent)
{
    return (size_t)extent->key.count * XEN_PGDIR_PAGE_SIZE;
}

/**
 * xen_grant_host_pages: get anonymous memory
 * @addr: where, and nowhere else; or NULL: anywhere
 * @size: bytes
 *
 * Returns: its address, or NULL.
 */
void *xen_grant_host_pages(void *addr, size_t size);

/**
 * xen_grant_detach: make a pinned extent whose object is revoked one of its own
 * @extent: the extent; takes a reference to its map
 *
 * Those who look at the guest's pages go on with a copy at the same address.
 * The caller takes the extent out of the cache.
 */
void xen_grant_detach(XenGrantExtent *extent);

/** xen_grant_free_detached: free such an extent: the last pin is gone */
void xen_grant_free_detached(XenGrantExtent *extent);

/**
 * xen_grant_map_own: find a page by the operation map_page, which there is
 * @object: not revoked
 * @page: the page
 * @addr: where to store its address, which holds until the next such call
 *
 * The page stays mapped until the budget wants it.
 *
 * Returns: as xen_grant_map_pin().
 */
int32_t xen_grant_map_own(XenGrantObject *object, uint32_t page,
                          uint8_t **addr);

/** xen_grant_map_sync: bring a copy up to date; otherwise do nothing */
int32_t xen_grant_map_sync(XenGrantExtent *extent);

/** xen_grant_map_flush: write a copy, whose object lives, to its pages */
int32_t xen_grant_map_flush(XenGrantExtent *extent);

/**
 * xen_grant_map_copy: copy bytes out of an object, or into it
 * @object: not revoked
 * @offset: first byte; the range lies within the object
 * @dst: where to copy @length bytes to, or NULL
 * @src: if @dst is NULL: where to copy them from
 * @length: bytes
 *
 * Returns: as xen_grant_map_pin().
 */
int32_t xen_grant_map_copy(XenGrantObject *object, uint64_t offset,
                           void *dst, const void *src, uint64_t length);

/**
 * xen_grant_share_room: whether the host may share @pages more
 *
 * Returns: 0; -EOPNOTSUPP; or -ENOSPC when what is in use already leaves no
 * room in the budget.
 */
int32_t xen_grant_share_room(XenGrantMap *map, uint32_t pages);

/**
 * xen_grant_share_get: get zeroed pages that are shared with the guest
 * @map: its cache; xen_grant_share_room() said yes
 * @pages: how many
 * @writable: whether the guest may write them
 * @share: where to store them; they may be more
 *
 * Returns: 0, -ENOSPC, -ENOMEM, or what the share operation returned.
 */
int32_t xen_grant_share_get(XenGrantMap *map, uint32_t pages, bool writable,
                            XenGrantShare **share);

/** xen_grant_share_ref: take one more reference */
XenGrantShare *xen_grant_share_ref(XenGrantShare *share);

/** xen_grant_share_unref: drop one; with the last the guest's next has them */
void xen_grant_share_unref(XenGrantMap *map, XenGrantShare *share);

/** xen_grant_share_clear: unshare what nobody uses: the mapper goes */
void xen_grant_share_clear(XenGrantMap *map);

#endif /* HW_XEN_PGDIR_GRANT_MAP_H */
