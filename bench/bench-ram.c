/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Benchmark of pictures in a guest's memory that is QEMU's own: under KVM's
 * emulated Xen
 *
 *   bench-ram [--json FILE]
 *
 * Two pictures of 1920x1080 pixels, whose pages lie anywhere in the guest's
 * memory, as those of Linux do.  That memory is a shared mapping of a file,
 * as of memory-backend-memfd, or anonymous.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/mman.h>

#include "../tests/unit/ram-ops.h"
#include "bench-util.h"

#define PAGE        ((size_t)XEN_PGDIR_PAGE_SIZE)
#define PICTURE     2025u
#define DIRS        DIV_ROUND_UP(PICTURE, XEN_PGDIR_REFS_PER_PAGE)
#define BUFFERS     2
#define MEMORY      16384u
#define SAMPLES     101

typedef struct Guest {
    int fd;
    uint8_t *memory;
    uint32_t order[MEMORY];
    uint32_t used;
    XenRamAreas areas;
    XenRamMap *map;
} Guest;

typedef struct Bench {
    Guest *guest;
    XenPgdirMapper *mapper;
    XenPgdirBuffer *buffers[BUFFERS];
    uint32_t refs[BUFFERS][PICTURE];
} Bench;

static uint8_t *guest_page(Guest *g, uint32_t ref)
{
    return g->memory + (ref - 1) * PAGE;
}

static int32_t guest_get(void *opaque, uint32_t ref, uint32_t writable,
                         XenRamPage *page)
{
    Guest *g = opaque;

    page->addr = guest_page(g, ref);
    page->fd = g->fd;
    page->offset = (ref - 1) * PAGE;
    return 0;
}

static void guest_put(void *opaque, uint32_t ref, void *addr)
{
}

static const XenRamOps guest_ops = {
    .get = guest_get,
    .put = guest_put,
};

/* A page of the guest's, anywhere in its memory */
static uint32_t guest_alloc(Guest *g)
{
    uint32_t at = g->used + g_random_int_range(0, MEMORY - g->used);
    uint32_t page = g->order[at];

    g->order[at] = g->order[g->used];
    g->used++;
    return page + 1;
}

static uint32_t make_directory(Guest *g, uint32_t *refs)
{
    uint32_t dirs[DIRS], i;

    for (i = 0; i < DIRS; i++) {
        dirs[i] = guest_alloc(g);
    }
    for (i = 0; i < PICTURE; i++) {
        uint32_t *dir = (uint32_t *)guest_page(
            g, dirs[i / XEN_PGDIR_REFS_PER_PAGE]);

        refs[i] = guest_alloc(g);
        dir[1 + i % XEN_PGDIR_REFS_PER_PAGE] = refs[i];
    }
    for (i = 0; i + 1 < DIRS; i++) {
        *(uint32_t *)guest_page(g, dirs[i]) = dirs[i + 1];
    }
    return dirs[0];
}

static void bench_init(Bench *b, bool file)
{
    const XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = MEMORY,
        .max_buffer_pages = PICTURE,
    };
    Guest *g = g_new0(Guest, 1);
    uint32_t i;

    g->fd = file ? memfd_create("guest", MFD_CLOEXEC) : -1;
    if (file && ftruncate(g->fd, MEMORY * PAGE) < 0) {
        good(-errno);
    }
    g->memory = mmap(NULL, MEMORY * PAGE, PROT_READ | PROT_WRITE,
                     file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, g->fd,
                     0);
    if (g->memory == MAP_FAILED) {
        good(-errno);
    }
    memset(g->memory, 1, MEMORY * PAGE);
    for (i = 0; i < MEMORY; i++) {
        g->order[i] = i;
    }
    g->areas.max = 32768;
    g->map = xen_ram_map_new(&guest_ops, g, &g->areas);
    b->guest = g;
    good(xen_pgdir_mapper_new(&ram_ops, g->map, &config, &b->mapper));
    for (i = 0; i < BUFFERS; i++) {
        good(xen_pgdir_buffer_new(b->mapper, make_directory(g, b->refs[i]),
                                  PICTURE * PAGE, 0, &b->buffers[i]));
    }
}

static void bench_clear(Bench *b)
{
    uint32_t i;

    for (i = 0; i < BUFFERS; i++) {
        xen_pgdir_buffer_unref(b->buffers[i]);
    }
    xen_pgdir_mapper_unref(b->mapper);
    xen_ram_map_free(b->guest->map);
    munmap(b->guest->memory, MEMORY * PAGE);
    if (b->guest->fd >= 0) {
        close(b->guest->fd);
    }
    g_free(b->guest);
}

static XenPgdirStats stats_of(Bench *b)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(b->mapper, &stats, sizeof(stats));
    return stats;
}

/* The guest draws: so many pages of a picture, all of each */
static void draw(Bench *b, uint32_t buffer, uint32_t pages)
{
    static uint8_t colour;
    uint32_t i;

    colour++;
    for (i = 0; i < pages; i++) {
        memset(guest_page(b->guest, b->refs[buffer][i]), colour, PAGE);
    }
}

static XenPgdirView *show(Bench *b, uint32_t buffer)
{
    XenPgdirView *view;
    void *data;

    good(xen_pgdir_buffer_view(b->buffers[buffer], 0, PICTURE * PAGE, &view,
                               &data));
    return view;
}

static void figure(GString *json, const char *memory, const char *what,
                   double ns, double per, const XenPgdirStats *before,
                   const XenPgdirStats *after, uint64_t changed)
{
    double calls = (after->map_calls - before->map_calls) / per;
    double copied = (after->copied_bytes - before->copied_bytes) / per;

    printf("%-10s %-34s %9.1f us %8.1f map calls %10.0f bytes copied",
           memory, what, ns / 1000, calls, copied);
    if (changed) {
        printf(", %.2f of what changed", copied / changed);
    }
    printf("\n");
    g_string_append_printf(json, "%s{\"memory\": \"%s\", \"what\": \"%s\", "
                           "\"ns\": %.0f, \"map_calls\": %.2f, "
                           "\"copied_bytes\": %.0f, \"changed_bytes\": "
                           "%" PRIu64 "}", json->len > 1 ? ", " : "", memory,
                           what, ns, calls, copied, changed);
}

static void time_first(Bench *b, const char *memory, GString *json)
{
    XenPgdirStats before = stats_of(b), after;
    double start = now_ns();
    XenPgdirView *view = show(b, 0);
    double ns = now_ns() - start;

    after = stats_of(b);
    figure(json, memory, "show for the first time", ns, 1, &before, &after,
           0);
    xen_pgdir_view_unref(view);
    xen_pgdir_view_unref(show(b, 1));
}

/* Copies of pictures, and nothing else; @map: map each page each time */
static double copy_picture(Bench *b, uint32_t buffer, uint8_t *copies,
                           bool map)
{
    uint8_t *copy = copies + buffer * PICTURE * PAGE;
    double start = now_ns();
    uint32_t i;

    for (i = 0; i < PICTURE; i++) {
        uint32_t ref = b->refs[buffer][i];
        void *addr = guest_page(b->guest, ref);

        if (map) {
            good(xen_ram_map_own(b->guest->map, ref, 0, &addr));
        }
        memcpy(copy + i * PAGE, addr, PAGE);
        if (map) {
            xen_ram_unmap(b->guest->map, addr, &ref, 1);
        }
    }
    return now_ns() - start;
}

/* What others take, of the same pictures and in turn with what is measured */
typedef struct Beside {
    uint8_t *copies;
    Samples copy;
    Samples map;
} Beside;

/* As the copies that are compared with it lie */
static uint8_t *alloc_copies(uint32_t count)
{
    uint8_t *copies = mmap(NULL, count * PICTURE * PAGE,
                           PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (copies == MAP_FAILED) {
        good(-errno);
    }
    return copies;
}

static void beside(Beside *o, Bench *b, uint32_t buffer, uint32_t pages)
{
    draw(b, buffer, pages);
    add_sample(&o->copy, copy_picture(b, buffer, o->copies, false));
    draw(b, buffer, pages);
    add_sample(&o->map, copy_picture(b, buffer, o->copies, true));
}

static void beside_show(Beside *o, const char *memory, const char *what,
                        double ns, GString *json)
{
    double copy = median(&o->copy);

    printf("%-10s %-34s %9.1f us: %s takes %.2f of it\n", memory,
           "  memcpy() of the same", copy / 1000, what, ns / copy);
    printf("%-10s %-34s %9.1f us %8.1f map calls %10.0f bytes copied\n",
           memory, "  as before: each page, each time",
           median(&o->map) / 1000, (double)PICTURE, (double)(PICTURE * PAGE));
    g_string_append_printf(json, ", {\"memory\": \"%s\", \"what\": "
                           "\"%s\", \"memcpy_ns\": %.0f, \"before_ns\": "
                           "%.0f}", memory, what, copy, median(&o->map));
}

/* The other picture each time; the guest has drawn it meanwhile */
static void time_flips(Bench *b, const char *memory, GString *json)
{
    Beside o = { .copies = alloc_copies(BUFFERS) };
    XenPgdirStats before = stats_of(b), after;
    Samples s = { 0 };
    XenPgdirView *shown = show(b, 0), *next;
    uint32_t i;

    for (i = 1; i <= SAMPLES; i++) {
        double start;

        beside(&o, b, i % BUFFERS, PICTURE);
        draw(b, i % BUFFERS, PICTURE);
        start = now_ns();
        next = show(b, i % BUFFERS);
        xen_pgdir_view_unref(shown);
        shown = next;
        add_sample(&s, now_ns() - start);
    }
    after = stats_of(b);
    figure(json, memory, "flip, all drawn anew", median(&s), SAMPLES, &before,
           &after, PICTURE * PAGE);
    beside_show(&o, memory, "a flip", median(&s), json);
    munmap(o.copies, BUFFERS * PICTURE * PAGE);
    xen_pgdir_view_unref(shown);
}

static void time_refresh(Bench *b, const char *memory, const char *what,
                         uint32_t pages, GString *json)
{
    Beside o = { .copies = alloc_copies(1) };
    XenPgdirView *view = show(b, 0);
    XenPgdirStats before = stats_of(b), after;
    Samples s = { 0 };
    uint32_t i;

    for (i = 0; i < SAMPLES; i++) {
        double start;

        if (pages == PICTURE) {
            beside(&o, b, 0, pages);
        }
        draw(b, 0, pages);
        start = now_ns();
        good(xen_pgdir_view_sync(view));
        add_sample(&s, now_ns() - start);
    }
    after = stats_of(b);
    figure(json, memory, what, median(&s), SAMPLES, &before, &after,
           pages * PAGE);
    if (pages == PICTURE) {
        beside_show(&o, memory, "a refresh", median(&s), json);
    }
    munmap(o.copies, PICTURE * PAGE);
    xen_pgdir_view_unref(view);
}

static void bench_memory(const char *memory, bool file, GString *json)
{
    Bench b;

    bench_init(&b, file);
    time_first(&b, memory, json);
    time_flips(&b, memory, json);
    time_refresh(&b, memory, "refresh, all drawn anew", PICTURE, json);
    time_refresh(&b, memory, "refresh, a tenth drawn anew", PICTURE / 10,
                 json);
    time_refresh(&b, memory, "refresh, nothing drawn", 0, json);
    bench_clear(&b);
}

int main(int argc, char **argv)
{
    const char *file = bench_json_file(argc, argv);
    g_autoptr(GString) json = g_string_new("[");

    bench_memory("memfd", true, json);
    bench_memory("anonymous", false, json);
    g_string_append(json, "]\n");
    return bench_finish(file, json);
}
