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
 * @shared_pages: pages of the objects that the host shares
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
    uint64_t shared_pages;
};

/**
 * struct XenGrantObject - what the protocol calls a buffer; owns its extents
 *
 * @refs: references of the pages, in order; owned; NULL once revoked
 * @shared: where the pages are, if the host shares them with the guest; NULL
 *     if they are the guest's, or once revoked
 */
typedef struct XenGrantObject {
    XenGrantMap *map;
    uint32_t *refs;
    uint32_t pages;
    bool writable;
    uint8_t *shared;
    GQueue extents;
} XenGrantObject;

/**
 * struct XenGrantRemains - copy of what a revoked object shared
 *
 * Windows into shared memory overlap, so what is left of them has one owner.
 *
 * @users: extents that lie in it
 */
typedef struct XenGrantRemains {
    void *addr;
    uint32_t pages;
    uint32_t users;
    bool lost;
} XenGrantRemains;

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
 * @remains: what it lies in, once the object that shared it was revoked
 * @lost: the address was taken from it; nothing is left to free
 */
struct XenPgdirView {
    XenGrantKey key;
    uint32_t pins;
    bool lost;
    void *addr;
    XenGrantMap *map;
    XenGrantObject *object;
    XenGrantPool *pool;
    XenGrantRemains *remains;
    XenGrantLink lru_link;
    GList object_link;
};

/** xen_grant_map_hash: hash of a XenGrantKey */
guint xen_grant_map_hash(gconstpointer key);

/** xen_grant_map_equal: whether two XenGrantKey are the same */
gboolean xen_grant_map_equal(gconstpointer a, gconstpointer b);

/** xen_grant_map_new: make an empty cache; arguments are valid */
XenGrantMap *xen_grant_map_new(const XenPgdirGrantOps *ops, void *opaque,
                               const XenPgdirConfig *config);

/** xen_grant_map_ref: take one more reference; objects need one each */
XenGrantMap *xen_grant_map_ref(XenGrantMap *map);

/** xen_grant_map_unref: drop a reference; no object is left at the last */
void xen_grant_map_unref(XenGrantMap *map);

/** xen_grant_map_trim: unmap and free all that is not pinned */
void xen_grant_map_trim(XenGrantMap *map);

/** xen_grant_map_stats: read the counters */
void xen_grant_map_stats(const XenGrantMap *map, XenPgdirStats *stats);

/**
 * xen_grant_map_pages: map references past the cache
 *
 * Unpinned extents are given up when the operation lacks room.
 *
 * Returns: 0 or a negative errno value.
 */
int32_t xen_grant_map_pages(XenGrantMap *map, const uint32_t *refs,
                            uint32_t count, bool writable, void **addr);

/** xen_grant_map_unmap_pages: undo xen_grant_map_pages() */
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
 * xen_grant_map_may_share: whether the host may share @pages more
 *
 * Returns: 0; -EOPNOTSUPP; or -ENOSPC when what is shared already leaves no
 * room in the budget.
 */
int32_t xen_grant_map_may_share(const XenGrantMap *map, uint32_t pages);

/**
 * xen_grant_map_share: allocate pages and share them with the guest
 * @map: its cache; xen_grant_map_may_share() said yes
 * @refs: where to store the references
 * @pages: how many
 * @addr: where to store their address
 *
 * Returns: 0 or a negative errno value.
 */
int32_t xen_grant_map_share(XenGrantMap *map, uint32_t *refs, uint32_t pages,
                            void **addr);

/**
 * xen_grant_map_object_init_shared: make an object of such pages
 * @object: storage that stays in place until the object is revoked
 * @map: its cache; takes a reference
 * @refs: as xen_grant_map_share() stored them; becomes the object's
 * @pages: how many
 * @addr: where they are; revoking the object unshares them
 */
void xen_grant_map_object_init_shared(XenGrantObject *object,
                                      XenGrantMap *map, uint32_t *refs,
                                      uint32_t pages, void *addr);

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

/** xen_grant_map_sync: gather a copy afresh; otherwise do nothing */
int32_t xen_grant_map_sync(XenGrantExtent *extent);

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

#endif /* HW_XEN_PGDIR_GRANT_MAP_H */
