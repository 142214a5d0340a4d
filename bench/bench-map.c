/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Benchmark of the map cache: hits, creation of buffers, cost and memory per
 * page, the walk of a directory
 *
 *   bench-map [--json FILE]
 *
 * The grants are fake: each map is a real mmap() of a memfd, but there is no
 * hypercall.  Real grants make every mapped page dearer, so what the helper
 * saves by mapping none is understated here.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <malloc.h>

#include "../hw/xen/pgdir/grant-map.h"
#include "../tests/unit/fake-grants.h"
#include "bench-util.h"

#define PAGE        ((uint64_t)XEN_PGDIR_PAGE_SIZE)
#define MIB         (1024 * 1024 / PAGE)

/* The largest buffer that has memory, and its directory */
#define MAX_PAGES   ((uint32_t)(256 * MIB))

/* The largest one of all, whose pages nobody looks at, and its directory */
#define MANY_PAGES  1000000

#define DOMAIN      (MAX_PAGES + 256 + MANY_PAGES / XEN_PGDIR_REFS_PER_PAGE)

typedef struct Bench {
    FakeGrants *f;
    XenPgdirMapper *mapper;
    XenPgdirMapper *free_mapper;    /* its grants cost nothing */
    GString *json;
} Bench;

static XenPgdirBuffer *new_buffer(XenPgdirMapper *mapper, uint32_t dir,
                                  uint32_t pages)
{
    XenPgdirBuffer *buffer;

    good(xen_pgdir_buffer_new(mapper, dir, pages * PAGE, 0, &buffer));
    return buffer;
}

/*
 * Grants that are mapped already, to see what the helper itself takes.  The
 * pages follow each other in the domain as the references do.
 */
static int32_t free_map(void *opaque, const uint32_t *refs, uint32_t count,
                        uint32_t writable, void **addr)
{
    *addr = fake_grants_page(opaque, refs[0]);
    return 0;
}

static void free_unmap(void *opaque, void *addr, const uint32_t *refs,
                       uint32_t count)
{
}

static const XenPgdirGrantOps free_ops = {
    .size = sizeof(free_ops),
    .map = free_map,
    .unmap = free_unmap,
};

/*
 * Hits, against a bare lookup with the same keys and the same functions
 */

#define BATCH 4096

/* @count windows of @window pages each, in a row */
typedef struct Hits {
    XenPgdirBuffer *buffer;
    uint32_t count;
    uint32_t window;
    GHashTable *table;
    XenGrantKey *keys;
    XenPgdirView **views;
    uint32_t order[BATCH];
} Hits;

static double time_lookup(Hits *h)
{
    double start = now_ns();
    uintptr_t sum = 0;
    uint32_t i;

    for (i = 0; i < BATCH; i++) {
        sum += (uintptr_t)g_hash_table_lookup(h->table,
                                              &h->keys[h->order[i]]);
    }
    start = now_ns() - start;
    return sum ? start / BATCH : 0;
}

/* A view of a window, without and with the end of its use */
static double time_view(Hits *h, bool unref)
{
    double start = now_ns();
    XenPgdirView *view;
    void *data;
    uint32_t i;

    for (i = 0; i < BATCH; i++) {
        good(xen_pgdir_buffer_view(h->buffer, h->order[i] * h->window * PAGE,
                                   h->window * PAGE, &view, &data));
        if (unref) {
            xen_pgdir_view_unref(view);
        }
    }
    return (now_ns() - start) / BATCH;
}

/* Hold a view of each window, and remember it in a table */
static void hits_init(Hits *h, XenPgdirMapper *mapper, uint32_t dir,
                      uint32_t count, uint32_t window)
{
    uint32_t i;
    void *data;

    h->buffer = new_buffer(mapper, dir, count * window);
    h->count = count;
    h->window = window;
    h->keys = g_new0(XenGrantKey, count);
    h->views = g_new0(XenPgdirView *, count);
    h->table = g_hash_table_new(xen_grant_key_hash, xen_grant_key_equal);
    for (i = 0; i < count; i++) {
        good(xen_pgdir_buffer_view(h->buffer, i * window * PAGE,
                                   window * PAGE, &h->views[i], &data));
        h->keys[i] = h->views[i]->key;
        g_hash_table_add(h->table, &h->keys[i]);
    }
    for (i = 0; i < BATCH; i++) {
        h->order[i] = g_random_int_range(0, count);
    }
}

static void hits_unpin(Hits *h)
{
    uint32_t i;

    for (i = 0; i < h->count; i++) {
        xen_pgdir_view_unref(h->views[i]);
    }
}

static void hits_clear(Hits *h)
{
    g_hash_table_destroy(h->table);
    g_free(h->keys);
    g_free(h->views);
    xen_pgdir_buffer_unref(h->buffer);
}

/* A bare lookup, and a view that somebody else holds as well */
static void sample_hits(Hits *h, uint32_t rounds, Samples *lookup,
                        Samples *hit)
{
    uint32_t i, j;

    for (i = 0; i < rounds; i++) {
        add_sample(lookup, time_lookup(h));
        add_sample(hit, time_view(h, false));
        for (j = 0; j < BATCH; j++) {
            xen_pgdir_view_unref(h->views[h->order[j]]);
        }
    }
}

static void bench_hits(Bench *b, uint32_t dir, uint32_t count)
{
    Samples lookup = { 0 }, pinned = { 0 }, idle = { 0 };
    Hits h;
    uint64_t calls;
    uint32_t i;
    double l, p, u;

    hits_init(&h, b->mapper, dir, count, 1);
    calls = b->f->map_calls;
    sample_hits(&h, 201, &lookup, &pinned);
    /* With nobody else looking, each view takes it off the LRU and back */
    hits_unpin(&h);
    for (i = 0; i < 201; i++) {
        add_sample(&idle, time_view(&h, true));
    }
    calls = b->f->map_calls - calls;
    hits_clear(&h);

    l = median(&lookup);
    p = median(&pinned);
    u = median(&idle);
    printf("%6u views: lookup %5.1f ns, hit %5.1f ns (%.2f x), "
           "hit and release of an idle one %5.1f ns (%.2f x)\n",
           count, l, p, p / l, u, u / l);
    g_string_append_printf(b->json,
        "    {\"views\": %u, \"lookup_ns\": %.2f, \"hit_ns\": %.2f,"
        " \"hit_ratio\": %.3f, \"idle_hit_release_ns\": %.2f,"
        " \"idle_hit_release_ratio\": %.3f, \"map_calls\": %" PRIu64 "}",
        count, l, p, p / l, u, u / l, calls);
}

/*
 * Lookup, however many pages are mapped: in a few windows, as framebuffers
 * are, and page by page, where the caches of the processor are the limit, of
 * the bare lookup as well.
 */

/* Of several buffers, as it is a matter of luck which keys collide */
static void lookup_in(Bench *b, uint32_t dir, uint32_t count, uint32_t window,
                      double *bare, double *hit)
{
    Samples lookup = { 0 }, pinned = { 0 };
    Hits h[9];
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(h); i++) {
        hits_init(&h[i], b->free_mapper, dir, count, window);
        sample_hits(&h[i], 21, &lookup, &pinned);
        hits_unpin(&h[i]);
        xen_pgdir_mapper_trim(b->free_mapper);
    }
    for (i = 0; i < ARRAY_SIZE(h); i++) {
        hits_clear(&h[i]);
    }
    *bare = median(&lookup);
    *hit = median(&pinned);
}

static void bench_lookup(Bench *b, uint32_t dir, uint32_t pages)
{
    double bare_few, few, bare_each, each;

    lookup_in(b, dir, 8, pages / 8, &bare_few, &few);
    lookup_in(b, dir, pages, 1, &bare_each, &each);
    printf("%7u pages mapped: in 8 windows hit %5.1f ns (lookup %5.1f ns), "
           "each in its own hit %5.1f ns (lookup %5.1f ns, %.2f x)\n",
           pages, few, bare_few, each, bare_each, each / bare_each);
    g_string_append_printf(b->json,
        "    {\"pages\": %u, \"hit_ns\": %.2f, \"lookup_ns\": %.2f,"
        " \"single_hit_ns\": %.2f, \"single_lookup_ns\": %.2f}",
        pages, few, bare_few, each, bare_each);
}

/*
 * Memory that a mapped page takes, but for its mapping: what malloc() has
 * given between nothing and a view of all of the buffer.  Small buffers would
 * show more of what malloc() itself keeps at hand.
 */

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Mapped by views of @window pages each, which are held */
static double bytes_per_page(XenPgdirMapper *mapper, uint32_t dir,
                             uint32_t pages, uint32_t window)
{
    g_autofree XenPgdirView **views = g_new(XenPgdirView *, pages / window);
    size_t before = allocated(), after;
    XenPgdirBuffer *buffer = new_buffer(mapper, dir, pages);
    void *data;
    uint32_t i;

    for (i = 0; i < pages / window; i++) {
        good(xen_pgdir_buffer_view(buffer, i * window * PAGE, window * PAGE,
                                   &views[i], &data));
    }
    after = allocated();
    while (i-- > 0) {
        xen_pgdir_view_unref(views[i]);
    }
    xen_pgdir_buffer_unref(buffer);
    return (after - before) / (double)pages;
}

static void bench_memory(Bench *b, uint32_t dir, uint32_t mib)
{
    uint32_t pages = mib * MIB;
    double whole = bytes_per_page(b->free_mapper, dir, pages, pages);
    double chunks = bytes_per_page(b->free_mapper, dir, pages, 64);
    double each = bytes_per_page(b->free_mapper, dir, pages, 1);

    printf("%4u MiB: bytes for each mapped page %4.2f in one window, %4.2f in "
           "windows of 64 pages, %6.2f page by page\n",
           mib, whole, chunks, each);
    g_string_append_printf(b->json,
        "    {\"mib\": %u, \"pages\": %u, \"bytes_per_page\": %.3f,"
        " \"bytes_per_page_of_64\": %.3f, \"bytes_per_single_page\": %.3f}",
        mib, pages, whole, chunks, each);
}

/*
 * Creation of a buffer, against mapping all of it at once
 */

static double time_create(Bench *b, XenPgdirMapper *mapper, uint32_t dir,
                          uint32_t pages, uint64_t *mapped)
{
    XenPgdirBuffer *buffer;
    uint64_t before = b->f->mapped_pages;
    double ns = now_ns();

    buffer = new_buffer(mapper, dir, pages);
    ns = now_ns() - ns;
    *mapped = b->f->mapped_pages - before -
              DIV_ROUND_UP(pages, XEN_PGDIR_REFS_PER_PAGE);
    xen_pgdir_buffer_unref(buffer);
    return ns;
}

/* What it takes besides, past the cache, if the pages are mapped as well */
static double time_map_all(Bench *b, const uint32_t *refs, uint32_t pages)
{
    void *addr;
    double ns = now_ns();

    good(fake_grants_ops.map(b->f, refs, pages, 0, &addr));
    ns = now_ns() - ns;
    fake_grants_ops.unmap(b->f, addr, refs, pages);
    return ns;
}

static void bench_create(Bench *b, uint32_t dir, const uint32_t *refs,
                         uint32_t width, uint32_t height)
{
    uint32_t pages = DIV_ROUND_UP(width * height * 4, PAGE);
    Samples lazy = { 0 }, eager = { 0 }, populated = { 0 };
    double create, l, e, o;
    uint64_t mapped;
    uint32_t i;

    for (i = 0; i < 101; i++) {
        create = time_create(b, b->mapper, dir, pages, &mapped);
        add_sample(&lazy, create);
        add_sample(&eager, create + time_map_all(b, refs, pages));
        b->f->one_mmap = true;
        add_sample(&populated, create + time_map_all(b, refs, pages));
        b->f->one_mmap = false;
    }
    l = median(&lazy) / 1000;
    e = median(&eager) / 1000;
    o = median(&populated) / 1000;
    printf("%ux%u: create %7.1f us, data pages mapped %" PRIu64 "\n"
           "    eager, mmap per page        %9.1f us (create is 1/%.1f)\n"
           "    eager, one populated mmap   %9.1f us (create is 1/%.1f)\n",
           width, height, l, mapped, e, e / l, o, o / l);
    g_string_append_printf(b->json,
        "    {\"width\": %u, \"height\": %u, \"pages\": %u,"
        " \"create_us\": %.2f, \"data_pages_mapped\": %" PRIu64 ","
        " \"eager_us\": %.2f, \"ratio\": %.4f,"
        " \"eager_one_mmap_us\": %.2f, \"ratio_one_mmap\": %.4f}",
        width, height, pages, l, mapped, e, l / e, o, l / o);
}

/*
 * Cost per page: flat, if nothing is worse than linear
 */

static double time_first_view(XenPgdirMapper *mapper, uint32_t dir,
                              uint32_t pages)
{
    XenPgdirBuffer *buffer = new_buffer(mapper, dir, pages);
    XenPgdirView *view;
    void *data;
    double ns = now_ns();

    good(xen_pgdir_buffer_view(buffer, 0, pages * PAGE, &view, &data));
    ns = now_ns() - ns;
    xen_pgdir_view_unref(view);
    xen_pgdir_buffer_unref(buffer);
    return ns;
}

static void bench_scale(Bench *b, uint32_t dir, const uint32_t *refs,
                        uint32_t mib)
{
    Samples walk = { 0 }, own_walk = { 0 };
    Samples view = { 0 }, own_view = { 0 }, bare = { 0 };
    uint32_t pages = mib * MIB;
    uint32_t runs = CLAMP(1024 / mib, 11, 201);
    uint64_t mapped;
    double w, ow, v, ov, m;
    uint32_t i;

    for (i = 0; i < runs; i++) {
        add_sample(&walk, time_create(b, b->mapper, dir, pages, &mapped));
        add_sample(&own_walk, time_create(b, b->free_mapper, dir, pages,
                                          &mapped));
        b->f->one_mmap = true;
        add_sample(&bare, time_map_all(b, refs, pages));
        add_sample(&view, time_first_view(b->mapper, dir, pages));
        b->f->one_mmap = false;
        add_sample(&own_view, time_first_view(b->free_mapper, dir, pages));
    }
    w = median(&walk) / pages;
    ow = median(&own_walk) / pages;
    v = median(&view) / pages;
    m = median(&bare) / pages;
    ov = median(&own_view);
    printf("%4u MiB: walk %5.2f ns/page (%.2f without mmap), first view "
           "%6.1f ns/page (bare map %6.1f; %.0f ns in all without mmap)\n",
           mib, w, ow, v, m, ov);
    g_string_append_printf(b->json,
        "    {\"mib\": %u, \"pages\": %u, \"walk_ns_per_page\": %.3f,"
        " \"walk_own_ns_per_page\": %.3f, \"view_ns_per_page\": %.2f,"
        " \"bare_map_ns_per_page\": %.2f, \"view_own_ns\": %.1f}",
        mib, pages, w, ow, v, m, ov);
}

/*
 * The walk, against copying its directory pages
 */

/* The pages of a directory, in order, as the guest sees them */
static uint32_t find_pages(Bench *b, uint32_t dir, uint32_t pages,
                           const void **found)
{
    uint32_t i, count = DIV_ROUND_UP(pages, XEN_PGDIR_REFS_PER_PAGE);

    for (i = 0; i < count; i++) {
        found[i] = fake_grants_page(b->f, dir);
        dir = *(const uint32_t *)found[i];
    }
    return count;
}

static double time_memcpy(uint8_t *dst, const void **pages, uint32_t count)
{
    double ns = now_ns();
    uint32_t i;

    for (i = 0; i < count; i++) {
        memcpy(dst + i * PAGE, pages[i], PAGE);
    }
    return now_ns() - ns;
}

static void bench_walk(Bench *b, uint32_t dir)
{
    const void *pages[MAX_PAGES / XEN_PGDIR_REFS_PER_PAGE + 1];
    uint32_t count = find_pages(b, dir, MAX_PAGES, pages);
    g_autofree uint8_t *dst = g_malloc0(count * PAGE);
    Samples walk = { 0 }, copy = { 0 };
    uint64_t mapped;
    double w, c;
    uint32_t i;

    for (i = 0; i < 201; i++) {
        add_sample(&walk, time_create(b, b->free_mapper, dir, MAX_PAGES,
                                      &mapped));
        add_sample(&copy, time_memcpy(dst, pages, count));
    }
    w = median(&walk) / 1000;
    c = median(&copy) / 1000;
    printf("256 MiB: walk of %u directory pages %.1f us, memcpy of them "
           "%.1f us: %.2f of its speed\n", count, w, c, c / w);
    g_string_append_printf(b->json,
        "    \"directory_pages\": %u, \"walk_us\": %.2f,"
        " \"memcpy_us\": %.2f, \"speed_ratio\": %.3f\n", count, w, c, c / w);
}

/* @many: a directory of MANY_PAGES */
static void bench_all(Bench *b, uint32_t dir, uint32_t many,
                      const uint32_t *refs)
{
    static const uint32_t views[] = { 1, 3, 64, 1024 };
    static const uint32_t sizes[][2] = { { 1920, 1080 }, { 3840, 2160 } };
    uint32_t i;

    printf("Fake grants: an mmap() each, no hypercall. Medians.\n\n");
    g_string_append(b->json, "{\n  \"benchmark\": \"bench-map\",\n"
                    "  \"grants\": \"fake, mmap without hypercall\",\n"
                    "  \"hits\": [\n");
    for (i = 0; i < ARRAY_SIZE(views); i++) {
        g_string_append(b->json, i ? ",\n" : "");
        bench_hits(b, dir, views[i]);
    }
    g_string_append(b->json, "\n  ],\n  \"lookup\": [\n");
    printf("\n");
    for (i = 1000; i <= MANY_PAGES; i *= 10) {
        g_string_append(b->json, i > 1000 ? ",\n" : "");
        bench_lookup(b, many, i);
    }
    g_string_append(b->json, "\n  ],\n  \"memory\": [\n");
    printf("\n");
    for (i = 4; i <= 256; i *= 4) {
        g_string_append(b->json, i > 4 ? ",\n" : "");
        bench_memory(b, many, i);
    }
    g_string_append(b->json, "\n  ],\n  \"create\": [\n");
    printf("\n");
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_string_append(b->json, i ? ",\n" : "");
        bench_create(b, dir, refs, sizes[i][0], sizes[i][1]);
    }
    g_string_append(b->json, "\n  ],\n  \"per_page\": [\n");
    printf("\n");
    for (i = 1; i <= 256; i *= 4) {
        g_string_append(b->json, i > 1 ? ",\n" : "");
        bench_scale(b, dir, refs, i);
    }
    g_string_append(b->json, "\n  ],\n  \"walk\": {\n");
    printf("\n");
    bench_walk(b, dir);
    g_string_append(b->json, "  }\n}\n");
}

int main(int argc, char **argv)
{
    XenPgdirConfig config = {
        sizeof(config), MANY_PAGES, MANY_PAGES, 0, MANY_PAGES
    };
    g_autofree uint32_t *refs = g_new(uint32_t, MANY_PAGES);
    const char *file = bench_json_file(argc, argv);
    uint32_t i, dir, many;
    Bench b;

    b.f = fake_grants_new(DOMAIN);
    b.json = g_string_new(NULL);
    good(xen_pgdir_mapper_new(&fake_grants_ops, b.f, &config, &b.mapper));
    good(xen_pgdir_mapper_new(&free_ops, b.f, &config, &b.free_mapper));
    dir = fake_grants_make_directory(b.f, MAX_PAGES, refs);
    /* Memory of a guest that has drawn there */
    memset(b.f->memory, 1, (uint64_t)MAX_PAGES * PAGE);
    /* And many more, which are the same ones over again */
    for (i = MAX_PAGES; i < MANY_PAGES; i++) {
        refs[i] = refs[i - MAX_PAGES];
    }
    many = fake_grants_build_directory(b.f, refs, MANY_PAGES);

    bench_all(&b, dir, many, refs);

    xen_pgdir_mapper_unref(b.free_mapper);
    xen_pgdir_mapper_unref(b.mapper);
    fake_grants_free(b.f);
    return bench_finish(file, b.json);
}
