/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lazy map cache behind page directories
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "grant-map.h"

/*
 * Without it the kernel takes the address for a hint, which is as good here:
 * the address that comes back is compared.
 */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0
#endif

/*
 * Scatter reads and writes map this much at a time: enough to make the call
 * cheap per page, small enough to fit beside pinned views.
 */
#define CHUNK_PAGES 64

guint xen_grant_map_hash(gconstpointer key)
{
    const XenGrantKey *k = key;
    uint64_t h = (uint64_t)k->first << 32 | k->count;

    /* One multiplication spreads all three over the upper half */
    h = (h ^ (uintptr_t)k->object) * 0x9e3779b97f4a7c15ull;
    return h >> 32;
}

gboolean xen_grant_map_equal(gconstpointer a, gconstpointer b)
{
    const XenGrantKey *x = a, *y = b;

    return x->object == y->object && x->first == y->first &&
           x->count == y->count;
}

static void pool_init(XenGrantPool *pool)
{
    pool->lru.prev = &pool->lru;
    pool->lru.next = &pool->lru;
}

/* The extent to give up first, or NULL */
static XenGrantExtent *pool_oldest(XenGrantPool *pool)
{
    if (pool->lru.next == &pool->lru) {
        return NULL;
    }
    return container_of(pool->lru.next, XenGrantExtent, lru_link);
}

/* An extent was used last just now */
static void lru_push(XenGrantExtent *extent)
{
    XenGrantLink *head = &extent->pool->lru;
    XenGrantLink *link = &extent->lru_link;

    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static void lru_unlink(XenGrantExtent *extent)
{
    XenGrantLink *link = &extent->lru_link;

    link->prev->next = link->next;
    link->next->prev = link->prev;
}

static size_t bytes_of(const XenGrantExtent *extent)
{
    return (size_t)extent->key.count * XEN_PGDIR_PAGE_SIZE;
}

/* Anonymous memory, at @addr and nowhere else if @addr is not NULL */
static void *host_pages(void *addr, size_t size)
{
    void *mem = mmap(addr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS |
                     (addr ? MAP_FIXED_NOREPLACE : 0), -1, 0);

    if (mem == MAP_FAILED) {
        return NULL;
    }
    if (addr && mem != addr) {
        munmap(mem, size);
        return NULL;
    }
    return mem;
}

/* Whatever outlives its object is a copy, too */
bool xen_grant_map_is_copy(const XenGrantExtent *extent)
{
    return !extent->object || extent->pool == &extent->map->copies;
}

static bool is_window(const XenGrantExtent *extent)
{
    return extent->pool == &extent->map->windows;
}

/* Take an extent off its object and out of the cache */
static void extent_unlink(XenGrantExtent *extent)
{
    g_hash_table_remove(extent->map->extents, &extent->key);
    g_queue_unlink(&extent->object->extents, &extent->object_link);
    extent->object = NULL;
    extent->key.object = NULL;
}

/* Unmap and free an extent that nobody pins and that is in the cache */
static void extent_drop(XenGrantExtent *extent)
{
    XenGrantObject *object = extent->object;

    bool copy = xen_grant_map_is_copy(extent);

    lru_unlink(extent);
    extent->pool->pages -= extent->key.count;
    extent_unlink(extent);
    if (copy) {
        munmap(extent->addr, bytes_of(extent));
    } else if (!is_window(extent)) {
        xen_grant_map_unmap_pages(extent->map, extent->addr,
                                  object->refs + extent->key.first,
                                  extent->key.count);
    }
    g_free(extent);
}

/* Drop the least recently used extents until @pages are gained */
static bool pool_evict(XenGrantMap *map, XenGrantPool *pool, uint64_t pages)
{
    XenGrantExtent *extent;
    uint64_t gained = 0;

    while (gained < pages) {
        extent = pool_oldest(pool);
        if (!extent) {
            break;
        }
        gained += extent->key.count;
        map->stats.evictions++;
        extent_drop(extent);
    }
    return gained > 0;
}

static void pool_trim(XenGrantPool *pool)
{
    XenGrantExtent *extent;

    while ((extent = pool_oldest(pool))) {
        extent_drop(extent);
    }
}

static int32_t pool_make_room(XenGrantMap *map, XenGrantPool *pool,
                              uint32_t count)
{
    uint64_t wanted = pool->pages + count;

    /* Ask first: a window that cannot fit must not cost the others */
    if (pool != &map->windows &&
        pool->pinned + count > map->config.max_pages) {
        return -ENOSPC;
    }
    if (wanted > map->config.max_pages) {
        pool_evict(map, pool, wanted - map->config.max_pages);
    }
    return 0;
}

/*
 * May a map that failed succeed once idle extents have gone?  For some errors
 * that is clear.  But Linux says -EINVAL for all that Xen says about a grant,
 * be it that the guest's reference is bad, or that the host's domain has as
 * many mappings as its maptrack can hold.  So that is worth one more try, and
 * no more than one, after as many pages have gone as are wanted: what a bad
 * reference costs stays bounded.
 */
static bool map_may_retry(XenGrantMap *map, int32_t error, uint32_t count,
                          bool *doubted)
{
    if (error == -EINVAL && !*doubted) {
        *doubted = true;
    } else if (error != -ENOMEM && error != -ENOSPC) {
        return false;
    }
    return pool_evict(map, &map->direct, count);
}

int32_t xen_grant_map_pages(XenGrantMap *map, const uint32_t *refs,
                            uint32_t count, bool writable, void **addr)
{
    bool doubted = false;
    int32_t ret;

    do {
        map->stats.map_calls++;
        ret = map->ops.map(map->opaque, refs, count, writable, addr);
        if (ret == 0) {
            return 0;
        }
        map->stats.failures++;
    } while (map_may_retry(map, ret, count, &doubted));

    return ret < 0 ? ret : -EIO;
}

void xen_grant_map_unmap_pages(XenGrantMap *map, void *addr,
                               const uint32_t *refs, uint32_t count)
{
    map->stats.unmap_calls++;
    map->ops.unmap(map->opaque, addr, refs, count);
}

/* Memory for a copy; its content comes with each first pin */
static int32_t copy_pages(XenGrantMap *map, uint32_t count, void **addr)
{
    size_t size = (size_t)count * XEN_PGDIR_PAGE_SIZE;

    /* A 32-bit host could not address what a buffer may have */
    if (size / XEN_PGDIR_PAGE_SIZE != count) {
        return -ENOMEM;
    }
    do {
        *addr = host_pages(NULL, size);
    } while (!*addr && pool_evict(map, &map->copies, count));
    return *addr ? 0 : -ENOMEM;
}

/* Which kind of extent a range of pages takes */
static XenGrantPool *choose_pool(XenGrantObject *object,
                                 const XenGrantKey *key)
{
    XenGrantMap *map = object->map;
    uint32_t limit = map->config.max_map_count;

    if (object->shared) {
        return &map->windows;
    }
    return limit && key->count > limit ? &map->copies : &map->direct;
}

/* Make an unpinned extent that is not in the cache yet */
static int32_t extent_new(XenGrantObject *object, const XenGrantKey *key,
                          XenGrantExtent **extent)
{
    XenGrantMap *map = object->map;
    XenGrantPool *pool = choose_pool(object, key);
    XenGrantExtent *e;
    void *addr = NULL;
    int32_t ret;

    ret = pool_make_room(map, pool, key->count);
    if (ret) {
        return ret;
    }
    if (pool == &map->windows) {
        addr = object->shared + (size_t)key->first * XEN_PGDIR_PAGE_SIZE;
    } else if (pool == &map->copies) {
        ret = copy_pages(map, key->count, &addr);
    } else {
        ret = xen_grant_map_pages(map, object->refs + key->first, key->count,
                                  object->writable, &addr);
    }
    if (ret) {
        return ret;
    }

    e = g_new0(XenGrantExtent, 1);
    e->key = *key;
    e->addr = addr;
    e->map = map;
    e->object = object;
    e->pool = pool;
    e->object_link.data = e;
    g_hash_table_add(map->extents, e);
    g_queue_push_tail_link(&object->extents, &e->object_link);
    lru_push(e);
    pool->pages += key->count;
    *extent = e;
    return 0;
}

int32_t xen_grant_map_sync(XenGrantExtent *extent)
{
    if (!extent->object || !xen_grant_map_is_copy(extent)) {
        return 0;
    }
    return xen_grant_map_copy(extent->object,
                              (uint64_t)extent->key.first *
                              XEN_PGDIR_PAGE_SIZE,
                              extent->addr, NULL, bytes_of(extent));
}

static void extent_pin(XenGrantExtent *extent)
{
    if (extent->pins++ == 0) {
        lru_unlink(extent);
        extent->pool->pinned += extent->key.count;
    }
}

/*
 * The ways of a pin that cost more than a lookup: an extent has to be made,
 * or an idle copy to be gathered afresh.  Kept out of line for the others.
 */
static G_GNUC_NO_INLINE int32_t pin_slowly(XenGrantObject *object,
                                           const XenGrantKey *key,
                                           XenGrantExtent **extent)
{
    XenGrantExtent *e = *extent;
    int32_t ret;

    if (e) {
        object->map->stats.hits++;
    } else {
        object->map->stats.misses++;
        ret = extent_new(object, key, &e);
        if (ret) {
            return ret;
        }
    }
    ret = xen_grant_map_sync(e);
    if (ret) {
        /* A copy, then, and of nothing */
        extent_drop(e);
        return ret;
    }
    extent_pin(e);
    *extent = e;
    return 0;
}

int32_t xen_grant_map_pin(XenGrantObject *object, uint32_t first,
                          uint32_t count, XenGrantExtent **extent)
{
    XenGrantMap *map = object->map;
    XenGrantKey key = { .object = object, .first = first, .count = count };
    XenGrantExtent *e = g_hash_table_lookup(map->extents, &key);
    int32_t ret;

    if (G_LIKELY(e && (e->pins || !xen_grant_map_is_copy(e)))) {
        map->stats.hits++;
        extent_pin(e);
        *extent = e;
        return 0;
    }
    ret = pin_slowly(object, &key, &e);
    if (ret == 0) {
        *extent = e;
    }
    return ret;
}

static void remains_unref(XenGrantMap *map, XenGrantRemains *remains)
{
    if (--remains->users > 0) {
        return;
    }
    map->copies.pages -= remains->pages;
    map->copies.pinned -= remains->pages;
    if (!remains->lost) {
        munmap(remains->addr, (size_t)remains->pages * XEN_PGDIR_PAGE_SIZE);
    }
    g_free(remains);
}

/* The end of an extent whose object was revoked */
static void extent_free_detached(XenGrantExtent *extent)
{
    XenGrantMap *map = extent->map;

    extent->pool->pages -= extent->key.count;
    if (extent->remains) {
        remains_unref(map, extent->remains);
    } else if (!extent->lost) {
        munmap(extent->addr, bytes_of(extent));
    }
    g_free(extent);
    xen_grant_map_unref(map);
}

void xen_grant_map_unpin(XenGrantExtent *extent)
{
    if (--extent->pins > 0) {
        return;
    }
    extent->pool->pinned -= extent->key.count;
    if (extent->object) {
        lru_push(extent);
    } else {
        extent_free_detached(extent);
    }
}

/*
 * Pages that somebody still looks at: @size bytes at @keep, within a mapping.
 * They become anonymous memory of the same content, at the same address.
 */
typedef struct KeptRange {
    uint8_t *addr;
    const uint32_t *refs;
    uint32_t count;
    bool shared;
    uint8_t *keep;
    size_t size;
} KeptRange;

static size_t kept_map_bytes(const KeptRange *kept)
{
    return (size_t)kept->count * XEN_PGDIR_PAGE_SIZE;
}

/* Unmap all of a range of pages at @base but what is to be kept */
static void kept_trim(const KeptRange *kept, uint8_t *base)
{
    size_t head = kept->keep - kept->addr;
    size_t end = head + kept->size;

    if (head) {
        munmap(base, head);
    }
    if (end < kept_map_bytes(kept)) {
        munmap(base + end, kept_map_bytes(kept) - end);
    }
}

/*
 * Without a replace operation, grants can only be unmapped before the address
 * is used again.  In between another mmap() might get it: of another thread,
 * or of an allocator that needs memory for its books.  The view is lost then,
 * which is counted.
 */
static bool unmap_and_restore(XenGrantMap *map, const KeptRange *kept,
                              uint8_t *copy)
{
    size_t head = kept->keep - kept->addr;
    bool found;

    if (kept->shared) {
        map->ops.unshare(map->opaque, kept->addr, kept->refs,
                         kept->count);
    } else {
        xen_grant_map_unmap_pages(map, kept->addr, kept->refs,
                                  kept->count);
    }
    found = host_pages(kept->keep, kept->size);
    if (!copy) {
        return found;
    }
    if (found && mremap(copy + head, kept->size, kept->size,
                        MREMAP_MAYMOVE | MREMAP_FIXED,
                        kept->keep) != MAP_FAILED) {
        /* The copy itself moved over our own, empty pages */
        kept_trim(kept, copy);
    } else {
        munmap(copy, kept_map_bytes(kept));
    }
    return found;
}

/* Undo a mapping, but for what is kept; returns false if that is lost */
static bool replace_pages(XenGrantMap *map, const KeptRange *kept)
{
    uint8_t *copy = host_pages(NULL, kept_map_bytes(kept));
    bool found;

    if (copy) {
        memcpy(copy + (kept->keep - kept->addr), kept->keep,
               kept->size);
    }
    if (copy && map->ops.replace &&
        map->ops.replace(map->opaque, kept->addr, kept->refs,
                         kept->count, kept->shared, copy) == 0) {
        map->stats.unmap_calls += !kept->shared;
        kept_trim(kept, kept->addr);
        return true;
    }

    found = unmap_and_restore(map, kept, copy);
    map->stats.lost += !found;
    return found;
}

/* Take a pinned extent out of the cache; it becomes a copy of its own */
static void extent_detach(XenGrantExtent *extent)
{
    XenGrantMap *map = extent->map;
    const KeptRange kept = {
        .addr = extent->addr,
        .refs = extent->object->refs + extent->key.first,
        .count = extent->key.count,
        .keep = extent->addr,
        .size = bytes_of(extent),
    };

    extent_unlink(extent);
    xen_grant_map_ref(map);
    if (extent->pool == &map->copies) {
        return;
    }
    map->stats.revocations++;
    if (is_window(extent)) {
        return;
    }
    extent->lost = !replace_pages(map, &kept);
    map->direct.pages -= extent->key.count;
    map->direct.pinned -= extent->key.count;
    map->copies.pages += extent->key.count;
    map->copies.pinned += extent->key.count;
    extent->pool = &map->copies;
}

/* Make one owner for all that pinned windows of an object look at, or NULL */
static XenGrantRemains *remains_new(XenGrantObject *object)
{
    uint32_t first = UINT32_MAX, end = 0;
    XenGrantRemains *remains;
    GList *link;

    for (link = object->extents.head; link; link = link->next) {
        const XenGrantExtent *extent = link->data;

        if (extent->pins) {
            first = MIN(first, extent->key.first);
            end = MAX(end, extent->key.first + extent->key.count);
        }
    }
    if (!end) {
        return NULL;
    }
    remains = g_new0(XenGrantRemains, 1);
    remains->addr = object->shared + (size_t)first * XEN_PGDIR_PAGE_SIZE;
    remains->pages = end - first;
    object->map->copies.pages += remains->pages;
    object->map->copies.pinned += remains->pages;
    return remains;
}

/* Take what the host shares from the guest; @remains: what is to be kept */
static void object_unshare(XenGrantObject *object, XenGrantRemains *remains)
{
    XenGrantMap *map = object->map;

    if (remains) {
        const KeptRange kept = {
            .addr = object->shared,
            .refs = object->refs,
            .count = object->pages,
            .shared = true,
            .keep = remains->addr,
            .size = (size_t)remains->pages * XEN_PGDIR_PAGE_SIZE,
        };

        remains->lost = !replace_pages(map, &kept);
    } else {
        map->ops.unshare(map->opaque, object->shared, object->refs,
                         object->pages);
    }
    map->shared_pages -= object->pages;
    object->shared = NULL;
}

void xen_grant_map_object_init(XenGrantObject *object, XenGrantMap *map,
                               uint32_t *refs, uint32_t pages, bool writable)
{
    object->map = xen_grant_map_ref(map);
    object->refs = refs;
    object->pages = pages;
    object->writable = writable;
    object->shared = NULL;
    g_queue_init(&object->extents);
}

int32_t xen_grant_map_may_share(const XenGrantMap *map, uint32_t pages)
{
    if (!map->ops.share) {
        return -EOPNOTSUPP;
    }
    return map->shared_pages + pages > map->config.max_pages ? -ENOSPC : 0;
}

int32_t xen_grant_map_share(XenGrantMap *map, uint32_t *refs, uint32_t pages,
                            void **addr)
{
    int32_t ret = map->ops.share(map->opaque, pages, refs, addr);

    if (ret) {
        return ret < 0 ? ret : -EIO;
    }
    map->shared_pages += pages;
    return 0;
}

void xen_grant_map_object_init_shared(XenGrantObject *object,
                                      XenGrantMap *map, uint32_t *refs,
                                      uint32_t pages, void *addr)
{
    xen_grant_map_object_init(object, map, refs, pages, true);
    object->shared = addr;
}

void xen_grant_map_object_revoke(XenGrantObject *object)
{
    XenGrantRemains *remains = NULL;
    XenGrantExtent *extent;

    if (object->shared) {
        remains = remains_new(object);
    }
    while (object->extents.head) {
        extent = object->extents.head->data;
        if (extent->pins) {
            extent_detach(extent);
            extent->remains = remains;
            if (remains) {
                remains->users++;
            }
        } else {
            extent_drop(extent);
        }
    }
    if (object->shared) {
        object_unshare(object, remains);
    }
    g_clear_pointer(&object->refs, g_free);
}

void xen_grant_map_object_clear(XenGrantObject *object)
{
    xen_grant_map_object_revoke(object);
    g_clear_pointer(&object->map, xen_grant_map_unref);
}

/* One chunk's share of a copy; *done says how much that was */
static int32_t copy_chunk(XenGrantObject *object, uint64_t offset,
                          void *dst, const void *src, uint64_t length,
                          uint64_t *done)
{
    uint32_t chunk = object->map->chunk;
    uint32_t first = offset / XEN_PGDIR_PAGE_SIZE / chunk * chunk;
    uint32_t count = MIN(chunk, object->pages - first);
    uint64_t skip = offset - (uint64_t)first * XEN_PGDIR_PAGE_SIZE;
    XenGrantExtent *extent;
    uint8_t *bytes;
    int32_t ret;

    ret = xen_grant_map_pin(object, first, count, &extent);
    if (ret) {
        return ret;
    }
    bytes = (uint8_t *)extent->addr + skip;
    *done = MIN(length, (uint64_t)count * XEN_PGDIR_PAGE_SIZE - skip);
    if (dst) {
        memcpy(dst, bytes, *done);
    } else {
        memcpy(bytes, src, *done);
    }
    xen_grant_map_unpin(extent);
    return 0;
}

int32_t xen_grant_map_copy(XenGrantObject *object, uint64_t offset,
                           void *dst, const void *src, uint64_t length)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    uint64_t done = 0, n;
    int32_t ret;

    if (object->shared) {
        memcpy(to ? to : object->shared + offset,
               to ? object->shared + offset : from, length);
        return 0;
    }
    while (done < length) {
        ret = copy_chunk(object, offset + done, to ? to + done : NULL,
                         to ? NULL : from + done, length - done, &n);
        if (ret) {
            return ret;
        }
        done += n;
    }
    return 0;
}

XenGrantMap *xen_grant_map_new(const XenPgdirGrantOps *ops, void *opaque,
                               const XenPgdirConfig *config)
{
    XenGrantMap *map = g_new0(XenGrantMap, 1);

    map->ops = *ops;
    map->opaque = opaque;
    map->config = *config;
    map->refcount = 1;
    map->chunk = MIN(CHUNK_PAGES, config->max_pages);
    if (config->max_map_count) {
        map->chunk = MIN(map->chunk, config->max_map_count);
    }
    map->extents = g_hash_table_new(xen_grant_map_hash, xen_grant_map_equal);
    pool_init(&map->direct);
    pool_init(&map->copies);
    pool_init(&map->windows);
    return map;
}

XenGrantMap *xen_grant_map_ref(XenGrantMap *map)
{
    map->refcount++;
    return map;
}

void xen_grant_map_unref(XenGrantMap *map)
{
    if (!map || --map->refcount > 0) {
        return;
    }
    /* Whatever was mapped belonged to an object, and those had references */
    g_hash_table_destroy(map->extents);
    if (map->ops.destroy) {
        map->ops.destroy(map->opaque);
    }
    g_free(map);
}

void xen_grant_map_trim(XenGrantMap *map)
{
    pool_trim(&map->direct);
    pool_trim(&map->copies);
    pool_trim(&map->windows);
}

void xen_grant_map_stats(const XenGrantMap *map, XenPgdirStats *stats)
{
    *stats = map->stats;
    stats->mapped_pages = map->direct.pages;
    stats->pinned_pages = map->direct.pinned;
    stats->copy_pages = map->copies.pages;
    stats->shared_pages = map->shared_pages;
}
