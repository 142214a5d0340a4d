/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mappers, buffers and views from inside: the cache of mappings (internal)
 *
 * A mapper caches views: ranges of pages of a buffer, each mapped by one
 * call.  A view is found by the identity of its buffer and its page
 * range, never by a grant reference: guests recycle those.
 *
 * Views that somebody holds are pinned.  The others are idle: they are kept
 * until the budget wants their pages (least recently used first) or until
 * their buffer is revoked.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_GRANT_MAP_H
#define HW_XEN_PGDIR_GRANT_MAP_H

#include "hw/xen/xen-pgdir.h"

/**
 * struct XenGrantLink - link of a ring, or its head
 *
 * Each hit of an idle view takes it off its list and puts it back, which
 * through GQueue's functions would cost more than the lookup.
 */
typedef struct XenGrantLink XenGrantLink;
struct XenGrantLink {
    XenGrantLink *prev;
    XenGrantLink *next;
};

/**
 * struct XenGrantPool - views that share a budget
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
 * @chunk: pages of the views that scatter reads and writes go through
 * @views: set of XenPgdirView, by their key
 * @direct: views that are the guest's pages
 * @copies: views that are host copies, including those left by revocation
 * @shared: views that lie in memory that the host shares.  They cost
 *     nothing, and so are never refused.
 * @mappings: areas of memory that all of that takes: one for each view that
 *     is not in @shared, one for each share, and one for each dma-buf
 * @owners: buffers of which the operation map_page has mapped pages, least
 *     recently used first
 * @own_pages: these pages
 * @kept: shares (struct XenGrantShare) that nobody uses
 * @shared_pages: pages of the shares in use
 * @kept_pages: pages of the others
 * @abandoned_pages: pages of those that were given up
 * @full: which limit the last -ENOSPC was for, see xen_pgdir_mapper_full()
 * @dmabufs: dma-bufs of the guest's pages (struct XenGrantDmabuf) that may be
 *     in use.  Their pages count in @direct, as pinned ones.
 * @dmabuf_pages: these pages
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
    GHashTable *views;
    XenGrantPool direct;
    XenGrantPool copies;
    XenGrantPool shared;
    uint32_t mappings;
    GQueue owners;
    uint64_t own_pages;
    GQueue kept;
    uint64_t shared_pages;
    uint64_t kept_pages;
    uint64_t abandoned_pages;
    uint32_t full;
    GQueue dmabufs;
    uint64_t dmabuf_pages;
    GQueue retiring;
    XenPgdirError error;
    char message[128];
};

/**
 * struct XenGrantShare - pages of the host's that it shares with the guest
 *
 * @addr, @refs, @pages: as the share operation said; @addr is NULL for the
 *     pages of a dma-buf
 * @dmabuf: a descriptor of that, or -1
 * @dev, @ino: what it is; @ino is 0 if that cannot be told
 * @writable: by the guest
 * @users: the buffer whose pages they are, and views that outlived it
 * @link: in XenPgdirMapper.kept, while nobody uses them
 */
typedef struct XenGrantShare {
    uint8_t *addr;
    uint32_t *refs;
    uint32_t pages;
    int dmabuf;
    uint64_t dev;
    uint64_t ino;
    bool writable;
    uint32_t users;
    GList link;
} XenGrantShare;

/**
 * struct XenGrantDmabuf - a dma-buf of a buffer's pages
 *
 * @id: as the export operation said
 * @pages: how many
 * @buffer: whose pages they are, or NULL after revocation
 * @link: in XenPgdirMapper.dmabufs
 */
typedef struct XenGrantDmabuf {
    uint32_t id;
    uint32_t pages;
    XenPgdirBuffer *buffer;
    GList link;
} XenGrantDmabuf;

/**
 * struct XenPgdirBuffer - a buffer; owns its views
 *
 * @on_idle: called when no view of it is pinned any more, as the last thing
 *     that xen_grant_view_unpin() does; or NULL
 * @refs: references of the pages, in order; owned; NULL once revoked, or if
 *     the host shares the pages with the guest
 * @share: these pages; it may have more than the buffer.  NULL if they are
 *     the guest's, or once revoked.
 * @scattered: the map operation cannot map them as one range
 * @own: by page, where the operation map_page has mapped it, or NULL; and NULL
 *     if it has mapped none
 * @own_pages: how many it has mapped
 * @owner_link: in XenPgdirMapper.owners, while it has
 * @dmabuf: a dma-buf of it that may be in use, or NULL
 * @size: bytes
 * @live: it was not revoked, and does not retire
 * @shared: the pages are the host's
 * @retiring: it is in XenPgdirMapper.retiring, by @link, and has a reference
 *     for that
 * @deadline, @retired, @opaque: from xen_pgdir_buffer_retire()
 *
 * The cache knows nothing of what comes behind @views.
 */
struct XenPgdirBuffer {
    XenPgdirMapper *mapper;
    void (*on_idle)(XenPgdirBuffer *buffer);
    uint32_t *refs;
    uint32_t pages;
    bool writable;
    bool scattered;
    XenGrantShare *share;
    uint8_t **own;
    uint32_t own_pages;
    GList owner_link;
    XenGrantDmabuf *dmabuf;
    GQueue views;
    uint64_t size;
    uint32_t refcount;
    bool live;
    bool shared;
    bool retiring;
    uint64_t deadline;
    XenPgdirRetired retired;
    void *opaque;
    GList link;
};

typedef struct XenGrantKey {
    const XenPgdirBuffer *buffer;
    uint32_t first;
    uint32_t count;
} XenGrantKey;

/**
 * struct XenPgdirView - a view
 *
 * @key: must be first, as the hash table takes a view for its key
 * @buffer: where it belongs, or NULL after revocation; then the view is
 *     out of the cache, has a reference to @mapper, and goes with its last
 *     pin
 * @pool: which budget it counts in, and so what it is
 * @share: what it lies in, once the buffer that shared it was revoked
 * @lost: the address was taken from it; nothing is left to free
 * @filled: a copy has been what the pages were
 */
struct XenPgdirView {
    XenGrantKey key;
    uint32_t pins;
    bool lost;
    bool filled;
    void *addr;
    XenPgdirMapper *mapper;
    XenPgdirBuffer *buffer;
    XenGrantPool *pool;
    XenGrantShare *share;
    XenGrantLink lru_link;
    GList buffer_link;
};

/** xen_grant_key_hash: hash of a XenGrantKey */
guint xen_grant_key_hash(gconstpointer key);

/** xen_grant_key_equal: whether two XenGrantKey are the same */
gboolean xen_grant_key_equal(gconstpointer a, gconstpointer b);

/**
 * xen_grant_mapper_fail: remember an error for xen_pgdir_mapper_error()
 * @status: a negative errno value
 * @cause: XEN_PGDIR_CAUSE_...
 * @format: what to say of it
 *
 * Returns: @status.
 */
int32_t G_GNUC_PRINTF(4, 5) xen_grant_mapper_fail(XenPgdirMapper *mapper,
                                                  int32_t status,
                                                  uint32_t cause,
                                                  const char *format, ...);

/** xen_grant_mapper_no_memory: the same for memory: -ENOMEM */
int32_t xen_grant_mapper_no_memory(XenPgdirMapper *mapper);

/** xen_grant_mapper_new: make an empty cache; arguments are valid */
XenPgdirMapper *xen_grant_mapper_new(const XenPgdirGrantOps *ops, void *opaque,
                                     const XenPgdirConfig *config);

/** xen_grant_mapper_ref: take one more reference; buffers need one each */
XenPgdirMapper *xen_grant_mapper_ref(XenPgdirMapper *mapper);

/** xen_grant_mapper_unref: drop a reference; no buffer is left at the last */
void xen_grant_mapper_unref(XenPgdirMapper *mapper);

/** xen_grant_mapper_trim: unmap and free all that is not pinned */
void xen_grant_mapper_trim(XenPgdirMapper *mapper);

/** xen_grant_mapper_stats: read the counters, all of them */
void xen_grant_mapper_stats(const XenPgdirMapper *mapper, XenPgdirStats *stats);

/**
 * xen_grant_mapper_map_page: map a reference past the cache, for ourselves
 *
 * Unpinned views are given up when the operation lacks room.
 *
 * Returns: 0 or a negative errno value.
 */
int32_t xen_grant_mapper_map_page(XenPgdirMapper *mapper, uint32_t ref,
                                  bool writable, void **addr);

/**
 * xen_grant_mapper_full: a limit leaves no room: remember which
 * @limit: XEN_PGDIR_FULL_...
 *
 * Returns: -ENOSPC.
 */
int32_t xen_grant_mapper_full(XenPgdirMapper *mapper, uint32_t limit);

/**
 * xen_grant_mapper_make_room: make room for one more mapping
 *
 * Unpinned views are given up for it.
 *
 * Returns: 0, or -ENOSPC when all are pinned.
 */
int32_t xen_grant_mapper_make_room(XenPgdirMapper *mapper);

/**
 * xen_grant_mapper_make_pages: make room for one more mapping of @count pages,
 *     which will be pinned
 *
 * Returns: as xen_grant_mapper_make_room().
 */
int32_t xen_grant_mapper_make_pages(XenPgdirMapper *mapper, uint32_t count);

/**
 * xen_grant_mapper_may_retry: whether a map that failed may succeed once more
 *     idle views have gone, and if so, have them go
 * @error: how it failed
 * @count: pages that were to be mapped
 * @doubted: false at first
 */
bool xen_grant_mapper_may_retry(XenPgdirMapper *mapper, int32_t error,
                                uint32_t count, bool *doubted);

/** xen_grant_mapper_unmap_pages: undo that, and other mappings */
void xen_grant_mapper_unmap_pages(XenPgdirMapper *mapper, void *addr,
                                  const uint32_t *refs, uint32_t count);

/**
 * xen_grant_buffer_init: make a buffer
 * @buffer: storage that stays in place until the buffer is revoked
 * @mapper: its cache; takes a reference
 * @refs: allocated with g_malloc() or relatives; becomes the buffer's
 * @pages: how many
 * @writable: how to map them
 */
void xen_grant_buffer_init(XenPgdirBuffer *buffer, XenPgdirMapper *mapper,
                           uint32_t *refs, uint32_t pages, bool writable);

/**
 * xen_grant_buffer_init_shared: make a buffer of pages of the host's
 * @buffer: storage that stays in place until the buffer is revoked
 * @mapper: its cache; takes a reference
 * @pages: how many
 * @share: from xen_grant_share_get(); its reference becomes the buffer's
 */
void xen_grant_buffer_init_shared(XenPgdirBuffer *buffer,
                                  XenPgdirMapper *mapper, uint32_t pages,
                                  XenGrantShare *share);

/**
 * xen_grant_buffer_drop_idle: unmap what nobody pins
 *
 * Returns: whether something is pinned.
 */
bool xen_grant_buffer_drop_idle(XenPgdirBuffer *buffer);

/** xen_grant_buffer_is_pinned: whether somebody holds a view of it */
bool xen_grant_buffer_is_pinned(const XenPgdirBuffer *buffer);

/** xen_grant_buffer_revoke: unmap all of it, see xen-pgdir.h */
void xen_grant_buffer_revoke(XenPgdirBuffer *buffer);

/** xen_grant_buffer_clear: revoke and let go of the mapper */
void xen_grant_buffer_clear(XenPgdirBuffer *buffer);

/**
 * xen_grant_buffer_pin: pin the view of a range of pages, making it if needed
 * @buffer: not revoked
 * @first: first page
 * @count: pages, not 0; the range lies within the buffer
 * @view: where to store the view
 *
 * Returns: 0, -ENOSPC when pinned pages leave no room, -ENOMEM, or what the
 * map operation returned.
 */
int32_t xen_grant_buffer_pin(XenPgdirBuffer *buffer, uint32_t first,
                             uint32_t count, XenPgdirView **view);

/** xen_grant_view_unpin: drop a pin */
void xen_grant_view_unpin(XenPgdirView *view);

/** xen_grant_view_is_copy: whether a view is not the guest's own memory */
bool xen_grant_view_is_copy(const XenPgdirView *view);

/** xen_grant_view_is_shared: whether a view is memory that the host shares */
static inline bool xen_grant_view_is_shared(const XenPgdirView *view)
{
    return view->pool == &view->mapper->shared;
}

/** xen_grant_view_bytes: the size of a view */
static inline size_t xen_grant_view_bytes(const XenPgdirView *view)
{
    return (size_t)view->key.count * XEN_PGDIR_PAGE_SIZE;
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
 * xen_grant_view_detach: make a pinned view of a revoked buffer one of its own
 * @view: the view; takes a reference to its mapper
 *
 * Those who look at the guest's pages go on with a copy at the same address.
 * The caller takes the view out of the cache.
 */
void xen_grant_view_detach(XenPgdirView *view);

/** xen_grant_view_free_detached: free such a view: the last pin is gone */
void xen_grant_view_free_detached(XenPgdirView *view);

/**
 * xen_grant_buffer_own: find a page by the operation map_page, which there is
 * @buffer: not revoked
 * @page: the page
 * @addr: where to store its address, which holds until the next such call
 *
 * The page stays mapped until the budget wants it.
 *
 * Returns: as xen_grant_buffer_pin().
 */
int32_t xen_grant_buffer_own(XenPgdirBuffer *buffer, uint32_t page,
                             uint8_t **addr);

/** xen_grant_view_sync: bring a copy up to date; otherwise do nothing */
int32_t xen_grant_view_sync(XenPgdirView *view);

/** xen_grant_view_flush: write a copy, whose buffer lives, to its pages */
int32_t xen_grant_view_flush(XenPgdirView *view);

/**
 * xen_grant_buffer_copy: copy bytes out of a buffer, or into it
 * @buffer: not revoked
 * @offset: first byte; the range lies within the buffer
 * @dst: where to copy @length bytes to, or NULL
 * @src: if @dst is NULL: where to copy them from
 * @length: bytes
 *
 * Returns: as xen_grant_buffer_pin().
 */
int32_t xen_grant_buffer_copy(XenPgdirBuffer *buffer, uint64_t offset,
                              void *dst, const void *src, uint64_t length);

/**
 * xen_grant_share_room: whether the host may share @pages more
 * @import: those of a dma-buf
 *
 * Returns: 0; -EOPNOTSUPP; or -ENOSPC when what is in use already leaves no
 * room in the budget.
 */
int32_t xen_grant_share_room(XenPgdirMapper *mapper, uint32_t pages,
                             bool import);

/**
 * xen_grant_share_get: get zeroed pages that are shared with the guest
 * @mapper: its cache; xen_grant_share_room() said yes
 * @pages: how many
 * @writable: whether the guest may write them
 * @share: where to store them; they may be more
 *
 * Returns: 0, -ENOSPC, -ENOMEM, or what the share operation returned.
 */
int32_t xen_grant_share_get(XenPgdirMapper *mapper, uint32_t pages,
                            bool writable, XenGrantShare **share);

/**
 * xen_grant_share_import: share the pages of a dma-buf with the guest
 * @mapper: its cache; xen_grant_share_room() said yes
 * @pages: how many it has
 * @fd: a descriptor of it
 * @share: where to store them
 *
 * Returns: 0, -EBADF, -EMFILE, -ENOSPC, -ENOMEM, or what the import operation
 * returned.
 */
int32_t xen_grant_share_import(XenPgdirMapper *mapper, uint32_t pages, int fd,
                               XenGrantShare **share);

/** xen_grant_share_unmapped: say that the pages of a dma-buf are not mapped */
int32_t xen_grant_share_unmapped(XenPgdirMapper *mapper);

/** xen_grant_share_ref: take one more reference */
XenGrantShare *xen_grant_share_ref(XenGrantShare *share);

/** xen_grant_share_unref: drop one; with the last the guest's next has them */
void xen_grant_share_unref(XenPgdirMapper *mapper, XenGrantShare *share);

/** xen_grant_share_clear: unshare what nobody uses: the mapper goes */
void xen_grant_share_clear(XenPgdirMapper *mapper);

/**
 * xen_grant_dmabuf_collect: find dma-bufs that are no longer in use
 *
 * Returns: whether there were any.
 */
bool xen_grant_dmabuf_collect(XenPgdirMapper *mapper);

/** xen_grant_dmabuf_in_use: whether the buffer has a dma-buf that is */
bool xen_grant_dmabuf_in_use(XenPgdirBuffer *buffer);

/** xen_grant_dmabuf_detach: the buffer goes; its dma-buf may stay */
void xen_grant_dmabuf_detach(XenPgdirBuffer *buffer);

/** xen_grant_dmabuf_clear: forget all of them: the mapper goes */
void xen_grant_dmabuf_clear(XenPgdirMapper *mapper);

#endif /* HW_XEN_PGDIR_GRANT_MAP_H */
