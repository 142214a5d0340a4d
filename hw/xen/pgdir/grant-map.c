/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lazy cache of mappings behind page directories
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "grant-map.h"

/* What is copied by: makes a call cheap per page, and fits beside views */
#define CHUNK_PAGES 64

guint xen_grant_key_hash(gconstpointer key)
{
    const XenGrantKey *k = key;
    uint64_t h = (uint64_t)k->first << 32 | k->count;

    /* One multiplication spreads all of it over the upper half */
    h = (h ^ (uintptr_t)k->buffer) * 0x9e3779b97f4a7c15ull;
    return h >> 32;
}

gboolean xen_grant_key_equal(gconstpointer a, gconstpointer b)
{
    const XenGrantKey *x = a, *y = b;

    return x->buffer == y->buffer && x->first == y->first &&
           x->count == y->count;
}

static void pool_init(XenGrantPool *pool)
{
    pool->lru.prev = &pool->lru;
    pool->lru.next = &pool->lru;
}

/* The view to give up first, or NULL */
static XenPgdirView *pool_oldest(XenGrantPool *pool)
{
    if (pool->lru.next == &pool->lru) {
        return NULL;
    }
    return container_of(pool->lru.next, XenPgdirView, lru_link);
}

/* A view was used last just now */
static void lru_push(XenPgdirView *view)
{
    XenGrantLink *head = &view->pool->lru;
    XenGrantLink *link = &view->lru_link;

    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static void lru_unlink(XenPgdirView *view)
{
    XenGrantLink *link = &view->lru_link;

    link->prev->next = link->next;
    link->next->prev = link->prev;
}

/* What outlives its buffer is a copy, too, unless the host shares it */
bool xen_grant_view_is_copy(const XenPgdirView *view)
{
    return view->pool == &view->mapper->copies;
}

/* Take a view off its buffer and out of the cache */
static void view_unlink(XenPgdirView *view)
{
    g_hash_table_remove(view->mapper->views, &view->key);
    g_queue_unlink(&view->buffer->views, &view->buffer_link);
    view->buffer = NULL;
    view->key.buffer = NULL;
}

/* Unmap and free a view that nobody pins and that is in the cache */
static void view_drop(XenPgdirView *view)
{
    XenPgdirBuffer *buffer = view->buffer;
    bool copy = xen_grant_view_is_copy(view);

    lru_unlink(view);
    view->pool->pages -= view->key.count;
    view->mapper->mappings -= !xen_grant_view_is_shared(view);
    view_unlink(view);
    if (copy) {
        munmap(view->addr, xen_grant_view_bytes(view));
    } else if (!xen_grant_view_is_shared(view)) {
        xen_grant_mapper_unmap_pages(view->mapper, view->addr,
                                     buffer->refs + view->key.first,
                                     view->key.count);
    }
    g_free(view);
}

/* Drop the least recently used views until @pages are gained */
static bool pool_evict(XenPgdirMapper *mapper, XenGrantPool *pool,
                       uint64_t pages)
{
    XenPgdirView *view;
    uint64_t gained = 0;

    while (gained < pages) {
        view = pool_oldest(pool);
        if (!view) {
            break;
        }
        gained += view->key.count;
        mapper->stats.evictions++;
        view_drop(view);
    }
    return gained > 0;
}

static void pool_trim(XenGrantPool *pool)
{
    XenPgdirView *view;

    while ((view = pool_oldest(pool))) {
        view_drop(view);
    }
}

/* Unmap what the operation map_page has mapped of a buffer */
static void drop_own(XenPgdirBuffer *buffer)
{
    XenPgdirMapper *mapper = buffer->mapper;
    uint32_t i;

    if (!buffer->own) {
        return;
    }
    for (i = 0; i < buffer->pages; i++) {
        if (buffer->own[i]) {
            xen_grant_mapper_unmap_pages(mapper, buffer->own[i],
                                         &buffer->refs[i], 1);
        }
    }
    mapper->own_pages -= buffer->own_pages;
    buffer->own_pages = 0;
    g_clear_pointer(&buffer->own, g_free);
    g_queue_unlink(&mapper->owners, &buffer->owner_link);
}

/* Have @count pages more fit into the budget of those that are mapped */
static void direct_evict(XenPgdirMapper *mapper, uint32_t count)
{
    uint64_t wanted = mapper->direct.pages + mapper->own_pages + count;

    if (wanted > mapper->config.max_pages) {
        pool_evict(mapper, &mapper->direct, wanted - mapper->config.max_pages);
    }
    while (mapper->owners.head &&
           mapper->direct.pages + mapper->own_pages + count >
           mapper->config.max_pages) {
        mapper->stats.evictions++;
        drop_own(mapper->owners.head->data);
    }
}

/* Whether pages more fit beside those that are pinned */
static bool fits(const XenPgdirMapper *mapper, const XenGrantPool *pool,
                 uint32_t count)
{
    return pool->pinned + count <= mapper->config.max_pages;
}

static int32_t pool_make_room(XenPgdirMapper *mapper, XenGrantPool *pool,
                              uint32_t count)
{
    uint64_t wanted;

    /* Ask first: a window that cannot fit must not cost the others */
    if (pool != &mapper->shared && !fits(mapper, pool, count) &&
        !(xen_grant_dmabuf_collect(mapper) && fits(mapper, pool, count))) {
        return xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_PAGES);
    }
    wanted = pool->pages + count;
    if (pool == &mapper->direct) {
        direct_evict(mapper, count);
    } else if (wanted > mapper->config.max_pages) {
        pool_evict(mapper, pool, wanted - mapper->config.max_pages);
    }
    return 0;
}

/*
 * Each mapping is an area of the process's memory, of which the kernel allows
 * it so many: one-page windows would use them up long before the pages.  Those
 * that are quickly made anew go first: where copies are made, the guest's pages
 * are mapped only to fill them.
 */
int32_t xen_grant_mapper_make_room(XenPgdirMapper *mapper)
{
    while (mapper->mappings >= mapper->config.max_mappings) {
        if (!pool_evict(mapper, &mapper->direct, 1) &&
            !pool_evict(mapper, &mapper->copies, 1) &&
            !xen_grant_dmabuf_collect(mapper)) {
            return xen_grant_mapper_full(mapper, XEN_PGDIR_FULL_MAPPINGS);
        }
    }
    return 0;
}

int32_t xen_grant_mapper_make_pages(XenPgdirMapper *mapper, uint32_t count)
{
    int32_t ret = pool_make_room(mapper, &mapper->direct, count);

    return ret ? ret : xen_grant_mapper_make_room(mapper);
}

/*
 * May a map that failed succeed once idle views have gone?  For some errors
 * that is clear.  But Linux says -EINVAL for all that Xen says about a grant,
 * be it that the guest's reference is bad, or that the host's domain has as
 * many mappings as its maptrack can hold.  So that is worth one more try, and
 * no more than one, after as many pages have gone as are wanted: what a bad
 * reference costs stays bounded.
 */
bool xen_grant_mapper_may_retry(XenPgdirMapper *mapper, int32_t error,
                                uint32_t count, bool *doubted)
{
    if (error == -EINVAL && !*doubted) {
        *doubted = true;
    } else if (error != -ENOMEM && error != -ENOSPC) {
        return false;
    }
    return pool_evict(mapper, &mapper->direct, count);
}

static int32_t cannot_map(XenPgdirMapper *mapper, uint32_t ref, uint32_t count,
                          bool writable, int32_t error)
{
    uint32_t cause = error == -EINVAL || error == -EFAULT ?
                     XEN_PGDIR_CAUSE_GUEST : XEN_PGDIR_CAUSE_HOST;
    const char *purpose = writable ? "writing" : "reading";

    if (count == 1) {
        return xen_grant_mapper_fail(mapper, error, cause,
                                     "cannot map reference %" PRIu32
                                     " for %s: %s", ref, purpose,
                                     g_strerror(-error));
    }
    return xen_grant_mapper_fail(mapper, error, cause,
                                 "cannot map %" PRIu32 " pages from reference %"
                                 PRIu32 " on for %s: %s", count, ref, purpose,
                                 g_strerror(-error));
}

/* @own: nobody but us looks at it; @count is 1 */
static int32_t map_pages(XenPgdirMapper *mapper, const uint32_t *refs,
                         uint32_t count, bool writable, bool own, void **addr)
{
    bool doubted = false;
    int32_t ret;

    own = own && mapper->ops.map_page;
    do {
        mapper->stats.map_calls++;
        ret = own ? mapper->ops.map_page(mapper->opaque, refs[0], writable,
                                         addr)
                  : mapper->ops.map(mapper->opaque, refs, count, writable,
                                    addr);
        if (ret == 0) {
            return 0;
        }
        mapper->stats.failures++;
    } while (xen_grant_mapper_may_retry(mapper, ret, count, &doubted));

    mapper->full = 0;
    if (ret > 0) {
        return xen_grant_mapper_fail(mapper, -EIO, XEN_PGDIR_CAUSE_CALLER,
                                     "the map operation returned %" PRId32,
                                     ret);
    }
    return cannot_map(mapper, refs[0], count, writable, ret);
}

int32_t xen_grant_mapper_map_page(XenPgdirMapper *mapper, uint32_t ref,
                                  bool writable, void **addr)
{
    return map_pages(mapper, &ref, 1, writable, true, addr);
}

void xen_grant_mapper_unmap_pages(XenPgdirMapper *mapper, void *addr,
                                  const uint32_t *refs, uint32_t count)
{
    mapper->stats.unmap_calls++;
    mapper->ops.unmap(mapper->opaque, addr, refs, count);
}

/* Memory for a copy; its content comes with each first pin */
static int32_t copy_pages(XenPgdirMapper *mapper, uint32_t count, void **addr)
{
    size_t size = (size_t)count * XEN_PGDIR_PAGE_SIZE;

    /* A 32-bit host could not address what a buffer may have */
    if (size / XEN_PGDIR_PAGE_SIZE != count) {
        return xen_grant_mapper_no_memory(mapper);
    }
    do {
        *addr = xen_grant_host_pages(NULL, size);
    } while (!*addr && pool_evict(mapper, &mapper->copies, count));
    return *addr ? 0 : xen_grant_mapper_no_memory(mapper);
}

/* Which kind of view a range of pages takes */
static XenGrantPool *choose_pool(XenPgdirBuffer *buffer,
                                 const XenGrantKey *key)
{
    XenPgdirMapper *mapper = buffer->mapper;
    uint32_t limit = mapper->config.max_map_count;

    if (buffer->share) {
        return &mapper->shared;
    }
    return buffer->scattered || (limit && key->count > limit) ? &mapper->copies
                                                              : &mapper->direct;
}

/* Room in the budgets, and then the memory of a view */
static int32_t view_memory(XenPgdirBuffer *buffer, const XenGrantKey *key,
                           const XenGrantPool *pool, void **addr)
{
    XenPgdirMapper *mapper = buffer->mapper;
    int32_t ret;

    if (pool == &mapper->shared) {
        if (!buffer->share->addr) {
            return xen_grant_share_unmapped(mapper);
        }
        *addr = buffer->share->addr + (size_t)key->first * XEN_PGDIR_PAGE_SIZE;
        return 0;
    }
    ret = xen_grant_mapper_make_room(mapper);
    if (ret) {
        return ret;
    }
    if (pool == &mapper->copies) {
        return copy_pages(mapper, key->count, addr);
    }
    return map_pages(mapper, buffer->refs + key->first, key->count,
                     buffer->writable, false, addr);
}

/* Whether pages that could not be mapped as one range can still be copied */
static bool can_gather(XenPgdirBuffer *buffer, int32_t error)
{
    buffer->scattered |= error == -EOPNOTSUPP;
    return buffer->mapper->ops.map_page &&
           (error == -EOPNOTSUPP || error == -ENOSPC || error == -ENOMEM);
}

/* Make an unpinned view that is not in the cache yet */
static int32_t view_new(XenPgdirBuffer *buffer, const XenGrantKey *key,
                        XenPgdirView **view)
{
    XenPgdirMapper *mapper = buffer->mapper;
    XenGrantPool *pool = choose_pool(buffer, key);
    XenPgdirView *v;
    void *addr = NULL;
    int32_t ret;

    ret = pool_make_room(mapper, pool, key->count);
    if (ret) {
        return ret;
    }
    ret = view_memory(buffer, key, pool, &addr);
    if (ret && pool == &mapper->direct && can_gather(buffer, ret)) {
        pool = &mapper->copies;
        ret = pool_make_room(mapper, pool, key->count);
        ret = ret ? ret : view_memory(buffer, key, pool, &addr);
    }
    if (ret) {
        return ret;
    }

    v = g_new0(XenPgdirView, 1);
    v->key = *key;
    v->addr = addr;
    v->mapper = mapper;
    v->buffer = buffer;
    v->pool = pool;
    v->buffer_link.data = v;
    g_hash_table_add(mapper->views, v);
    g_queue_push_tail_link(&buffer->views, &v->buffer_link);
    lru_push(v);
    pool->pages += key->count;
    mapper->mappings += pool != &mapper->shared;
    *view = v;
    return 0;
}

static void view_pin(XenPgdirView *view)
{
    if (view->pins++ == 0) {
        lru_unlink(view);
        view->pool->pinned += view->key.count;
    }
}

/* A view has to be made, or an idle copy to be gathered afresh */
static G_GNUC_NO_INLINE int32_t pin_slowly(XenPgdirBuffer *buffer,
                                           const XenGrantKey *key,
                                           XenPgdirView **view)
{
    XenPgdirView *v = *view;
    int32_t ret;

    if (v) {
        buffer->mapper->stats.hits++;
    } else {
        buffer->mapper->stats.misses++;
        ret = view_new(buffer, key, &v);
        if (ret) {
            return ret;
        }
    }
    /* First this: what maps pages to fill a copy may give up idle ones */
    view_pin(v);
    ret = xen_grant_view_sync(v);
    if (ret) {
        /* A copy, then, and of nothing */
        xen_grant_view_unpin(v);
        view_drop(v);
        return ret;
    }
    *view = v;
    return 0;
}

int32_t xen_grant_buffer_pin(XenPgdirBuffer *buffer, uint32_t first,
                             uint32_t count, XenPgdirView **view)
{
    XenPgdirMapper *mapper = buffer->mapper;
    XenGrantKey key = { .buffer = buffer, .first = first, .count = count };
    XenPgdirView *v = g_hash_table_lookup(mapper->views, &key);
    int32_t ret;

    if (G_LIKELY(v && (v->pins || !xen_grant_view_is_copy(v)))) {
        mapper->stats.hits++;
        view_pin(v);
        *view = v;
        return 0;
    }
    ret = pin_slowly(buffer, &key, &v);
    if (ret == 0) {
        *view = v;
    }
    return ret;
}

int32_t xen_grant_buffer_own(XenPgdirBuffer *buffer, uint32_t page,
                             uint8_t **addr)
{
    XenPgdirMapper *mapper = buffer->mapper;
    void *found;
    int32_t ret;

    if (G_LIKELY(buffer->own && buffer->own[page])) {
        *addr = buffer->own[page];
        return 0;
    }
    ret = pool_make_room(mapper, &mapper->direct, 1);
    if (ret) {
        return ret;
    }
    ret = map_pages(mapper, &buffer->refs[page], 1, buffer->writable, true,
                    &found);
    if (ret) {
        return ret;
    }
    /* Only now: to make room may have been to drop them */
    if (!buffer->own) {
        buffer->own = g_try_new0(uint8_t *, buffer->pages);
        if (!buffer->own) {
            xen_grant_mapper_unmap_pages(mapper, found, &buffer->refs[page], 1);
            return xen_grant_mapper_no_memory(mapper);
        }
        g_queue_push_tail_link(&mapper->owners, &buffer->owner_link);
    }
    buffer->own[page] = found;
    buffer->own_pages++;
    mapper->own_pages++;
    *addr = found;
    return 0;
}

bool xen_grant_buffer_is_pinned(const XenPgdirBuffer *buffer)
{
    GList *link;

    for (link = buffer->views.head; link; link = link->next) {
        if (((XenPgdirView *)link->data)->pins) {
            return true;
        }
    }
    return false;
}

void xen_grant_view_unpin(XenPgdirView *view)
{
    if (--view->pins > 0) {
        return;
    }
    view->pool->pinned -= view->key.count;
    if (!view->buffer) {
        xen_grant_view_free_detached(view);
        return;
    }
    lru_push(view);
    if (G_UNLIKELY(view->buffer->on_idle) &&
        !xen_grant_buffer_is_pinned(view->buffer)) {
        /* It may free the buffer and the view */
        view->buffer->on_idle(view->buffer);
    }
}

void xen_grant_buffer_init(XenPgdirBuffer *buffer, XenPgdirMapper *mapper,
                           uint32_t *refs, uint32_t pages, bool writable)
{
    buffer->mapper = xen_grant_mapper_ref(mapper);
    buffer->on_idle = NULL;
    buffer->refs = refs;
    buffer->pages = pages;
    buffer->writable = writable;
    buffer->scattered = false;
    buffer->share = NULL;
    buffer->own = NULL;
    buffer->own_pages = 0;
    buffer->owner_link.data = buffer;
    buffer->dmabuf = NULL;
    g_queue_init(&buffer->views);
}

void xen_grant_buffer_init_shared(XenPgdirBuffer *buffer,
                                  XenPgdirMapper *mapper, uint32_t pages,
                                  XenGrantShare *share)
{
    xen_grant_buffer_init(buffer, mapper, NULL, pages, true);
    buffer->share = share;
}

bool xen_grant_buffer_drop_idle(XenPgdirBuffer *buffer)
{
    GList *link = buffer->views.head;

    while (link) {
        XenPgdirView *view = link->data;

        link = link->next;
        if (!view->pins) {
            view_drop(view);
        }
    }
    drop_own(buffer);
    return buffer->views.head;
}

void xen_grant_buffer_revoke(XenPgdirBuffer *buffer)
{
    XenPgdirView *view;

    while (buffer->views.head) {
        view = buffer->views.head->data;
        if (view->pins) {
            xen_grant_view_detach(view);
            view_unlink(view);
        } else {
            view_drop(view);
        }
    }
    drop_own(buffer);
    xen_grant_dmabuf_detach(buffer);
    if (buffer->share) {
        xen_grant_share_unref(buffer->mapper, buffer->share);
        buffer->share = NULL;
    }
    g_clear_pointer(&buffer->refs, g_free);
}

void xen_grant_buffer_clear(XenPgdirBuffer *buffer)
{
    xen_grant_buffer_revoke(buffer);
    g_clear_pointer(&buffer->mapper, xen_grant_mapper_unref);
}

XenPgdirMapper *xen_grant_mapper_new(const XenPgdirGrantOps *ops, void *opaque,
                                     const XenPgdirConfig *config)
{
    XenPgdirMapper *mapper = g_new0(XenPgdirMapper, 1);

    mapper->ops = *ops;
    mapper->opaque = opaque;
    mapper->config = *config;
    if (!mapper->config.max_mappings) {
        mapper->config.max_mappings = XEN_PGDIR_MAX_MAPPINGS;
    }
    mapper->refcount = 1;
    mapper->chunk = MIN(CHUNK_PAGES, config->max_pages);
    if (config->max_map_count) {
        mapper->chunk = MIN(mapper->chunk, config->max_map_count);
    }
    mapper->views = g_hash_table_new(xen_grant_key_hash, xen_grant_key_equal);
    pool_init(&mapper->direct);
    pool_init(&mapper->copies);
    pool_init(&mapper->shared);
    g_queue_init(&mapper->owners);
    g_queue_init(&mapper->kept);
    g_queue_init(&mapper->dmabufs);
    g_queue_init(&mapper->retiring);
    mapper->error.message = mapper->message;
    return mapper;
}

XenPgdirMapper *xen_grant_mapper_ref(XenPgdirMapper *mapper)
{
    mapper->refcount++;
    return mapper;
}

void xen_grant_mapper_unref(XenPgdirMapper *mapper)
{
    if (!mapper || --mapper->refcount > 0) {
        return;
    }
    /* Whatever was mapped belonged to a buffer, and those had references */
    xen_grant_share_clear(mapper);
    xen_grant_dmabuf_clear(mapper);
    g_hash_table_destroy(mapper->views);
    if (mapper->ops.destroy) {
        mapper->ops.destroy(mapper->opaque);
    }
    g_free(mapper);
}

void xen_grant_mapper_trim(XenPgdirMapper *mapper)
{
    while (mapper->owners.head) {
        drop_own(mapper->owners.head->data);
    }
    pool_trim(&mapper->direct);
    pool_trim(&mapper->copies);
    pool_trim(&mapper->shared);
}

void xen_grant_mapper_stats(const XenPgdirMapper *mapper, XenPgdirStats *stats)
{
    *stats = mapper->stats;
    stats->mapped_pages = mapper->direct.pages + mapper->own_pages;
    stats->pinned_pages = mapper->direct.pinned;
    stats->copy_pages = mapper->copies.pages;
    stats->shared_pages = mapper->shared_pages;
    stats->kept_pages = mapper->kept_pages;
    stats->abandoned_pages = mapper->abandoned_pages;
    stats->mappings = mapper->mappings;
    stats->dmabufs = mapper->dmabufs.length;
    stats->dmabuf_pages = mapper->dmabuf_pages;
    stats->max_mappings = mapper->config.max_mappings;
    stats->max_pages = mapper->config.max_pages;
    stats->retiring = mapper->retiring.length;
}
