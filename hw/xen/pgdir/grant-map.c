/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lazy map cache behind page directories
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "grant-map.h"

/* What is copied by: makes a call cheap per page, and fits beside views */
#define CHUNK_PAGES 64

guint xen_grant_map_hash(gconstpointer key)
{
    const XenGrantKey *k = key;
    uint64_t h = (uint64_t)k->first << 32 | k->count;

    /* One multiplication spreads all of it over the upper half */
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

/* What outlives its object is a copy, too, unless the host shares it */
bool xen_grant_map_is_copy(const XenGrantExtent *extent)
{
    return extent->pool == &extent->map->copies;
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
    extent->map->mappings -= !xen_grant_is_window(extent);
    extent_unlink(extent);
    if (copy) {
        munmap(extent->addr, xen_grant_bytes(extent));
    } else if (!xen_grant_is_window(extent)) {
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

/* Unmap what the operation map_page has mapped of an object */
static void drop_own(XenGrantObject *object)
{
    XenGrantMap *map = object->map;
    uint32_t i;

    if (!object->own) {
        return;
    }
    for (i = 0; i < object->pages; i++) {
        if (object->own[i]) {
            xen_grant_map_unmap_pages(map, object->own[i], &object->refs[i],
                                      1);
        }
    }
    map->own_pages -= object->own_pages;
    object->own_pages = 0;
    g_clear_pointer(&object->own, g_free);
    g_queue_unlink(&map->owners, &object->owner_link);
}

/* Have @count pages more fit into the budget of those that are mapped */
static void direct_evict(XenGrantMap *map, uint32_t count)
{
    uint64_t wanted = map->direct.pages + map->own_pages + count;

    if (wanted > map->config.max_pages) {
        pool_evict(map, &map->direct, wanted - map->config.max_pages);
    }
    while (map->owners.head && map->direct.pages + map->own_pages + count >
                               map->config.max_pages) {
        map->stats.evictions++;
        drop_own(map->owners.head->data);
    }
}

static int32_t pool_make_room(XenGrantMap *map, XenGrantPool *pool,
                              uint32_t count)
{
    uint64_t wanted = pool->pages + count;

    /* Ask first: a window that cannot fit must not cost the others */
    if (pool != &map->windows &&
        pool->pinned + count > map->config.max_pages) {
        return xen_grant_map_full(map, XEN_PGDIR_FULL_PAGES);
    }
    if (pool == &map->direct) {
        direct_evict(map, count);
    } else if (wanted > map->config.max_pages) {
        pool_evict(map, pool, wanted - map->config.max_pages);
    }
    return 0;
}

/*
 * Each mapping is an area of the process's memory, of which the kernel allows
 * it so many: one-page windows would use them up long before the pages.  Those
 * that are quickly made anew go first: where copies are made, the guest's pages
 * are mapped only to fill them.
 */
int32_t xen_grant_map_make_room(XenGrantMap *map)
{
    while (map->mappings >= map->config.max_mappings) {
        if (!pool_evict(map, &map->direct, 1) &&
            !pool_evict(map, &map->copies, 1)) {
            return xen_grant_map_full(map, XEN_PGDIR_FULL_MAPPINGS);
        }
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

static int32_t cannot_map(XenGrantMap *map, uint32_t ref, uint32_t count,
                          bool writable, int32_t error)
{
    uint32_t cause = error == -EINVAL || error == -EFAULT ?
                     XEN_PGDIR_CAUSE_GUEST : XEN_PGDIR_CAUSE_HOST;
    const char *purpose = writable ? "writing" : "reading";

    if (count == 1) {
        return xen_grant_map_fail(map, error, cause, "cannot map reference %"
                                  PRIu32 " for %s: %s", ref, purpose,
                                  g_strerror(-error));
    }
    return xen_grant_map_fail(map, error, cause, "cannot map %" PRIu32
                              " pages from reference %" PRIu32 " on for %s: "
                              "%s", count, ref, purpose, g_strerror(-error));
}

/* @own: nobody but us looks at it; @count is 1 */
static int32_t map_pages(XenGrantMap *map, const uint32_t *refs,
                         uint32_t count, bool writable, bool own, void **addr)
{
    bool doubted = false;
    int32_t ret;

    own = own && map->ops.map_page;
    do {
        map->stats.map_calls++;
        ret = own ? map->ops.map_page(map->opaque, refs[0], writable, addr)
                  : map->ops.map(map->opaque, refs, count, writable, addr);
        if (ret == 0) {
            return 0;
        }
        map->stats.failures++;
    } while (map_may_retry(map, ret, count, &doubted));

    map->full = 0;
    if (ret > 0) {
        return xen_grant_map_fail(map, -EIO, XEN_PGDIR_CAUSE_CALLER,
                                  "the map operation returned %" PRId32, ret);
    }
    return cannot_map(map, refs[0], count, writable, ret);
}

int32_t xen_grant_map_page(XenGrantMap *map, uint32_t ref, bool writable,
                           void **addr)
{
    return map_pages(map, &ref, 1, writable, true, addr);
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
        return xen_grant_map_no_memory(map);
    }
    do {
        *addr = xen_grant_host_pages(NULL, size);
    } while (!*addr && pool_evict(map, &map->copies, count));
    return *addr ? 0 : xen_grant_map_no_memory(map);
}

/* Which kind of extent a range of pages takes */
static XenGrantPool *choose_pool(XenGrantObject *object,
                                 const XenGrantKey *key)
{
    XenGrantMap *map = object->map;
    uint32_t limit = map->config.max_map_count;

    if (object->share) {
        return &map->windows;
    }
    return object->scattered || (limit && key->count > limit) ? &map->copies
                                                              : &map->direct;
}

/* Room in the budgets, and then the memory of an extent */
static int32_t extent_memory(XenGrantObject *object, const XenGrantKey *key,
                             const XenGrantPool *pool, void **addr)
{
    XenGrantMap *map = object->map;
    int32_t ret;

    if (pool == &map->windows) {
        *addr = object->share->addr + (size_t)key->first * XEN_PGDIR_PAGE_SIZE;
        return 0;
    }
    ret = xen_grant_map_make_room(map);
    if (ret) {
        return ret;
    }
    if (pool == &map->copies) {
        return copy_pages(map, key->count, addr);
    }
    return map_pages(map, object->refs + key->first, key->count,
                     object->writable, false, addr);
}

/* Whether pages that could not be mapped as one range can still be copied */
static bool can_gather(XenGrantObject *object, int32_t error)
{
    object->scattered |= error == -EOPNOTSUPP;
    return object->map->ops.map_page &&
           (error == -EOPNOTSUPP || error == -ENOSPC || error == -ENOMEM);
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
    ret = extent_memory(object, key, pool, &addr);
    if (ret && pool == &map->direct && can_gather(object, ret)) {
        pool = &map->copies;
        ret = pool_make_room(map, pool, key->count);
        ret = ret ? ret : extent_memory(object, key, pool, &addr);
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
    map->mappings += pool != &map->windows;
    *extent = e;
    return 0;
}

static void extent_pin(XenGrantExtent *extent)
{
    if (extent->pins++ == 0) {
        lru_unlink(extent);
        extent->pool->pinned += extent->key.count;
    }
}

/* An extent has to be made, or an idle copy to be gathered afresh */
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
    /* First this: what maps pages to fill a copy may give up idle ones */
    extent_pin(e);
    ret = xen_grant_map_sync(e);
    if (ret) {
        /* A copy, then, and of nothing */
        xen_grant_map_unpin(e);
        extent_drop(e);
        return ret;
    }
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

int32_t xen_grant_map_own(XenGrantObject *object, uint32_t page,
                          uint8_t **addr)
{
    XenGrantMap *map = object->map;
    void *found;
    int32_t ret;

    if (G_LIKELY(object->own && object->own[page])) {
        *addr = object->own[page];
        return 0;
    }
    ret = pool_make_room(map, &map->direct, 1);
    if (ret) {
        return ret;
    }
    ret = map_pages(map, &object->refs[page], 1, object->writable, true,
                    &found);
    if (ret) {
        return ret;
    }
    /* Only now: to make room may have been to drop them */
    if (!object->own) {
        object->own = g_try_new0(uint8_t *, object->pages);
        if (!object->own) {
            xen_grant_map_unmap_pages(map, found, &object->refs[page], 1);
            return xen_grant_map_no_memory(map);
        }
        g_queue_push_tail_link(&map->owners, &object->owner_link);
    }
    object->own[page] = found;
    object->own_pages++;
    map->own_pages++;
    *addr = found;
    return 0;
}

static bool any_pinned(const XenGrantObject *object)
{
    GList *link;

    for (link = object->extents.head; link; link = link->next) {
        if (((XenGrantExtent *)link->data)->pins) {
            return true;
        }
    }
    return false;
}

void xen_grant_map_unpin(XenGrantExtent *extent)
{
    if (--extent->pins > 0) {
        return;
    }
    extent->pool->pinned -= extent->key.count;
    if (!extent->object) {
        xen_grant_free_detached(extent);
        return;
    }
    lru_push(extent);
    if (G_UNLIKELY(extent->object->on_idle) && !any_pinned(extent->object)) {
        /* It may free the object and the extent */
        extent->object->on_idle(extent->object);
    }
}

void xen_grant_map_object_init(XenGrantObject *object, XenGrantMap *map,
                               uint32_t *refs, uint32_t pages, bool writable)
{
    object->map = xen_grant_map_ref(map);
    object->on_idle = NULL;
    object->refs = refs;
    object->pages = pages;
    object->writable = writable;
    object->scattered = false;
    object->share = NULL;
    object->own = NULL;
    object->own_pages = 0;
    object->owner_link.data = object;
    g_queue_init(&object->extents);
}

void xen_grant_map_object_init_shared(XenGrantObject *object,
                                      XenGrantMap *map, uint32_t pages,
                                      XenGrantShare *share)
{
    xen_grant_map_object_init(object, map, NULL, pages, true);
    object->share = share;
}

bool xen_grant_map_object_drop_idle(XenGrantObject *object)
{
    GList *link = object->extents.head;

    while (link) {
        XenGrantExtent *extent = link->data;

        link = link->next;
        if (!extent->pins) {
            extent_drop(extent);
        }
    }
    drop_own(object);
    return object->extents.head;
}

void xen_grant_map_object_revoke(XenGrantObject *object)
{
    XenGrantExtent *extent;

    while (object->extents.head) {
        extent = object->extents.head->data;
        if (extent->pins) {
            xen_grant_detach(extent);
            extent_unlink(extent);
        } else {
            extent_drop(extent);
        }
    }
    drop_own(object);
    if (object->share) {
        xen_grant_share_unref(object->map, object->share);
        object->share = NULL;
    }
    g_clear_pointer(&object->refs, g_free);
}

void xen_grant_map_object_clear(XenGrantObject *object)
{
    xen_grant_map_object_revoke(object);
    g_clear_pointer(&object->map, xen_grant_map_unref);
}

XenGrantMap *xen_grant_map_new(const XenPgdirGrantOps *ops, void *opaque,
                               const XenPgdirConfig *config)
{
    XenGrantMap *map = g_new0(XenGrantMap, 1);

    map->ops = *ops;
    map->opaque = opaque;
    map->config = *config;
    if (!map->config.max_mappings) {
        map->config.max_mappings = XEN_PGDIR_MAX_MAPPINGS;
    }
    map->refcount = 1;
    map->chunk = MIN(CHUNK_PAGES, config->max_pages);
    if (config->max_map_count) {
        map->chunk = MIN(map->chunk, config->max_map_count);
    }
    map->extents = g_hash_table_new(xen_grant_map_hash, xen_grant_map_equal);
    pool_init(&map->direct);
    pool_init(&map->copies);
    pool_init(&map->windows);
    g_queue_init(&map->owners);
    g_queue_init(&map->kept);
    g_queue_init(&map->retiring);
    map->error.message = map->message;
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
    xen_grant_share_clear(map);
    g_hash_table_destroy(map->extents);
    if (map->ops.destroy) {
        map->ops.destroy(map->opaque);
    }
    g_free(map);
}

void xen_grant_map_trim(XenGrantMap *map)
{
    while (map->owners.head) {
        drop_own(map->owners.head->data);
    }
    pool_trim(&map->direct);
    pool_trim(&map->copies);
    pool_trim(&map->windows);
}

void xen_grant_map_stats(const XenGrantMap *map, XenPgdirStats *stats)
{
    *stats = map->stats;
    stats->mapped_pages = map->direct.pages + map->own_pages;
    stats->pinned_pages = map->direct.pinned;
    stats->copy_pages = map->copies.pages;
    stats->shared_pages = map->shared_pages;
    stats->kept_pages = map->kept_pages;
    stats->abandoned_pages = map->abandoned_pages;
    stats->mappings = map->mappings;
    stats->max_mappings = map->config.max_mappings;
    stats->max_pages = map->config.max_pages;
    stats->retiring = map->retiring.length;
}
