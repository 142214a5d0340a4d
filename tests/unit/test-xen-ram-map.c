/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of grants of a guest whose memory the process has mapped anyway
 *
 * The guest's memory is a shared mapping of a file, or anonymous memory; page
 * N is granted by reference N.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <fcntl.h>
#include <sys/mman.h>
#include "ram-ops.h"
#include "faults.h"

#define PAGE        ((size_t)XEN_PGDIR_PAGE_SIZE)
#define PAGES       256
#define NOT_RAM     255
#define REF(n)      ((n) + 1)

/*
 * @fd: of the file, or -1
 * @kept: by reference, how often a page is kept
 * @gets: calls of get
 */
typedef struct Guest {
    int fd;
    uint8_t *memory;
    uint32_t kept[PAGES + 1];
    uint32_t all_kept;
    uint64_t gets;
    XenRamAreas areas;
    XenRamMap *map;
} Guest;

static int32_t guest_get(void *opaque, uint32_t ref, uint32_t writable,
                         XenRamPage *page)
{
    Guest *g = opaque;

    g->gets++;
    if (!ref || ref > PAGES) {
        return -EINVAL;
    }
    if (ref == REF(NOT_RAM)) {
        return -EFAULT;
    }
    g->kept[ref]++;
    g->all_kept++;
    page->addr = g->memory + (ref - 1) * PAGE;
    page->fd = g->fd;
    page->offset = (ref - 1) * PAGE;
    return 0;
}

static void guest_put(void *opaque, uint32_t ref, void *addr)
{
    Guest *g = opaque;

    g_assert_cmpuint(g->kept[ref], >, 0);
    g_assert_true(addr == g->memory + (ref - 1) * PAGE);
    g->kept[ref]--;
    g->all_kept--;
}

static const XenRamOps guest_ops = {
    .get = guest_get,
    .put = guest_put,
};

static Guest *guest_new(bool file)
{
    Guest *g = g_new0(Guest, 1);

    g->fd = -1;
    if (file) {
        g->fd = memfd_create("guest", MFD_CLOEXEC);
        g_assert_cmpint(ftruncate(g->fd, PAGES * PAGE), ==, 0);
    }
    g->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                     file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, g->fd,
                     0);
    g_assert_true(g->memory != MAP_FAILED);
    g->areas.max = PAGES;
    g->map = xen_ram_map_new(&guest_ops, g, &g->areas);
    return g;
}

/* Nothing is left of what the test did */
static void guest_free(Guest *g)
{
    XenRamStats stats;

    xen_ram_map_stats(g->map, &stats);
    g_assert_cmpuint(stats.windows, ==, 0);
    g_assert_cmpuint(stats.window_pages, ==, 0);
    g_assert_cmpuint(stats.areas, ==, 0);
    g_assert_cmpuint(stats.own_pages, ==, 0);
    g_assert_cmpuint(g->areas.used, ==, 0);
    g_assert_cmpuint(g->all_kept, ==, 0);
    xen_ram_map_free(g->map);
    munmap(g->memory, PAGES * PAGE);
    if (g->fd >= 0) {
        close(g->fd);
    }
    g_free(g);
}

static void fill(Guest *g)
{
    uint32_t i;

    for (i = 0; i < PAGES; i++) {
        memset(g->memory + i * PAGE, i, PAGE);
    }
}

/* Whether a byte can be written, without a fault if it cannot */
static bool can_write(void *addr)
{
    int fd = open("/dev/zero", O_RDONLY);
    uint8_t before = *(uint8_t *)addr;
    bool ok = read(fd, addr, 1) == 1;

    close(fd);
    if (ok) {
        *(uint8_t *)addr = before;
    }
    return ok;
}

/* ---------------------------------------------------------------- planning */

static void check_plan(const XenRamPage *pages, uint32_t count,
                       const XenRamRun *expected, uint32_t n)
{
    XenRamRun runs[16];
    uint32_t i;

    g_assert_cmpuint(xen_ram_plan(pages, count, runs), ==, n);
    for (i = 0; i < n; i++) {
        g_assert_cmpuint(runs[i].first, ==, expected[i].first);
        g_assert_cmpuint(runs[i].count, ==, expected[i].count);
    }
}

#define AT(file, page) { .fd = (file), .offset = (page) * PAGE }
#define PLAN(pages, ...) do {                                               \
        const XenRamRun expected[] = { __VA_ARGS__ };                       \
        check_plan(pages, ARRAY_SIZE(pages), expected,                      \
                   ARRAY_SIZE(expected));                                   \
    } while (0)

static void test_plan(void)
{
    const XenRamPage one[] = { AT(3, 7) };
    const XenRamPage row[] = { AT(3, 7), AT(3, 8), AT(3, 9) };
    const XenRamPage back[] = { AT(3, 9), AT(3, 8), AT(3, 7) };
    const XenRamPage same[] = { AT(3, 7), AT(3, 7) };
    const XenRamPage files[] = { AT(3, 7), AT(4, 8), AT(4, 9) };
    const XenRamPage holes[] = { AT(3, 1), AT(3, 2), AT(3, 4), AT(3, 5),
                                 AT(3, 0) };
    const XenRamPage first[] = { AT(-1, 7), AT(3, 8) };
    const XenRamPage last[] = { AT(3, 7), AT(-1, 8) };

    PLAN(one, { 0, 1 });
    PLAN(row, { 0, 3 });
    PLAN(back, { 0, 1 }, { 1, 1 }, { 2, 1 });
    PLAN(same, { 0, 1 }, { 1, 1 });
    PLAN(files, { 0, 1 }, { 1, 2 });
    PLAN(holes, { 0, 2 }, { 2, 2 }, { 4, 1 });
    check_plan(first, 2, NULL, 0);
    check_plan(last, 2, NULL, 0);
}

/* ----------------------------------------------------------------- windows */

static const uint32_t scattered[] = { REF(9), REF(3), REF(4), REF(5),
                                      REF(200), REF(9) };

static uint8_t *map_window(Guest *g, const uint32_t *refs, uint32_t count,
                           bool writable)
{
    void *addr = NULL;

    g_assert_cmpint(xen_ram_map_window(g->map, refs, count, writable, &addr),
                    ==, 0);
    return addr;
}

static void test_window(void)
{
    Guest *g = guest_new(true);
    XenRamStats stats;
    uint8_t *window;
    uint32_t i;

    fill(g);
    window = map_window(g, scattered, ARRAY_SIZE(scattered), false);
    for (i = 0; i < ARRAY_SIZE(scattered); i++) {
        g_assert_cmpuint(window[i * PAGE], ==, scattered[i] - 1);
        g_assert_cmpuint(window[i * PAGE + PAGE - 1], ==, scattered[i] - 1);
    }
    /* The very pages, and for reading only */
    g->memory[4 * PAGE] = 77;
    g_assert_cmpuint(window[2 * PAGE], ==, 77);
    g_assert_false(can_write(window));
    g_assert_cmpuint(g->kept[REF(9)], ==, 2);
    xen_ram_map_stats(g->map, &stats);
    g_assert_cmpuint(stats.windows, ==, 1);
    g_assert_cmpuint(stats.window_pages, ==, 6);
    g_assert_cmpuint(stats.areas, ==, 4);
    xen_ram_unmap(g->map, window, scattered, ARRAY_SIZE(scattered));
    guest_free(g);
}

static void test_writable(void)
{
    Guest *g = guest_new(true);
    uint8_t *window = map_window(g, scattered, ARRAY_SIZE(scattered), true);

    window[4 * PAGE + 1] = 55;
    g_assert_cmpuint(g->memory[200 * PAGE + 1], ==, 55);
    xen_ram_unmap(g->map, window, scattered, ARRAY_SIZE(scattered));
    guest_free(g);
}

static int32_t try_window(Guest *g, const uint32_t *refs, uint32_t count)
{
    void *addr;

    return xen_ram_map_window(g->map, refs, count, false, &addr);
}

static void test_refused(void)
{
    const uint32_t bad[] = { REF(1), REF(2), 0 };
    const uint32_t no_ram[] = { REF(1), REF(NOT_RAM), REF(2) };
    const uint32_t beyond[] = { REF(1), REF(PAGES) };
    Guest *g = guest_new(true);
    void *addr;

    g_assert_cmpint(try_window(g, bad, 3), ==, -EINVAL);
    g_assert_cmpint(try_window(g, no_ram, 3), ==, -EFAULT);
    g_assert_cmpint(try_window(g, beyond, 2), ==, -EINVAL);
    g_assert_cmpint(xen_ram_map_own(g->map, REF(NOT_RAM), 0, &addr), ==,
                    -EFAULT);
    guest_free(g);

    g = guest_new(false);
    g_assert_cmpint(try_window(g, scattered, 6), ==, -EOPNOTSUPP);
    guest_free(g);
}

static void test_areas(void)
{
    Guest *g = guest_new(true);
    uint8_t *window;

    g->areas.max = 5;
    window = map_window(g, scattered, ARRAY_SIZE(scattered), false);
    g_assert_cmpuint(g->areas.used, ==, 4);
    g_assert_cmpint(try_window(g, scattered, 3), ==, -ENOSPC);
    xen_ram_unmap(g->map, window, scattered, ARRAY_SIZE(scattered));
    g_assert_cmpuint(g->areas.used, ==, 0);
    g_assert_cmpint(try_window(g, (uint32_t[]) { 1, 3, 5, 7, 9, 11 }, 6), ==,
                    -ENOSPC);
    guest_free(g);
}

static void test_no_memory(void)
{
    Guest *g = guest_new(true);

    fault_arm(NULL, FAULT_HEAP, 1);
    g_assert_cmpint(try_window(g, scattered, 6), ==, -ENOMEM);
    fault_arm(NULL, FAULT_HEAP, 2);
    g_assert_cmpint(try_window(g, scattered, 6), ==, -ENOMEM);
    fault_arm(NULL, FAULT_HEAP, 3);
    g_assert_cmpint(try_window(g, scattered, 6), ==, -ENOMEM);
    g_assert_true(fault_disarm(NULL, FAULT_HEAP));
    guest_free(g);
}

/* The file is shorter than its mapping, or gone: mmap() says so */
static void test_bad_file(void)
{
    Guest *g = guest_new(true);
    int fd = g->fd;

    g->fd = dup(fd);
    close(g->fd);
    g_assert_cmpint(try_window(g, scattered, 6), ==, -EBADF);
    g->fd = fd;
    guest_free(g);
}

static uint8_t *private_copy(const uint8_t *from, uint32_t pages)
{
    uint8_t *copy = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(copy != MAP_FAILED);
    memcpy(copy, from, pages * PAGE);
    return copy;
}

static void test_replace(void)
{
    Guest *g = guest_new(true);
    uint8_t *window, *copy;

    fill(g);
    window = map_window(g, scattered, ARRAY_SIZE(scattered), false);
    copy = private_copy(window, ARRAY_SIZE(scattered));
    g_assert_cmpint(xen_ram_replace(g->map, window, scattered,
                                    ARRAY_SIZE(scattered), copy), ==, 0);
    g_assert_cmpuint(g->all_kept, ==, 0);
    memset(g->memory, 99, PAGES * PAGE);
    g_assert_cmpuint(window[0], ==, 9);
    g_assert_cmpuint(window[4 * PAGE], ==, 200);
    munmap(window, ARRAY_SIZE(scattered) * PAGE);

    window = map_window(g, scattered, ARRAY_SIZE(scattered), false);
    copy = private_copy(window, ARRAY_SIZE(scattered));
    fault_arm(NULL, FAULT_MOVE, 1);
    g_assert_cmpint(xen_ram_replace(g->map, window, scattered,
                                    ARRAY_SIZE(scattered), copy), ==, 1);
    munmap(copy, ARRAY_SIZE(scattered) * PAGE);
    g_assert_true(fault_disarm(NULL, FAULT_MOVE));
    guest_free(g);
}

/* The guest's memory itself can be taken from nobody */
static void test_own(void)
{
    Guest *g = guest_new(true);
    const uint32_t ref = REF(8);
    uint8_t *copy = private_copy(g->memory, 1);
    void *addr;

    g_assert_cmpint(xen_ram_map_own(g->map, ref, 1, &addr), ==, 0);
    g_assert_true(addr == g->memory + 8 * PAGE);
    g_assert_cmpint(xen_ram_replace(g->map, addr, &ref, 1, copy), ==,
                    -EINVAL);
    munmap(copy, PAGE);
    xen_ram_unmap(g->map, addr, &ref, 1);
    guest_free(g);
}

/* --------------------------------------------------------- with the helper */

#define PICTURE     64
#define DIRECTORY   250

/*
 * @view: of all of the buffer but its first page, whose pages lie in the
 *     guest's memory two apart
 */
typedef struct Shown {
    Guest *g;
    XenPgdirMapper *mapper;
    XenPgdirBuffer *buffer;
    XenPgdirView *view;
    uint8_t *data;
} Shown;

static uint8_t *picture_page(Shown *s, uint32_t page)
{
    return s->g->memory + (10 + 2 * page) * PAGE;
}

static void shown_buffer(Shown *s, bool file, uint32_t flags,
                         uint32_t max_pages)
{
    XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = max_pages,
        .max_buffer_pages = PICTURE,
        .max_mappings = 2,
    };
    uint32_t *directory;
    uint32_t i;

    s->g = guest_new(file);
    fill(s->g);
    directory = (uint32_t *)(s->g->memory + DIRECTORY * PAGE);
    directory[0] = 0;
    for (i = 0; i < PICTURE; i++) {
        directory[1 + i] = REF(10 + 2 * i);
    }
    g_assert_cmpint(xen_pgdir_mapper_new(&ram_ops, s->g->map, &config,
                                         &s->mapper),
                    ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_new(s->mapper, REF(DIRECTORY),
                                         PICTURE * PAGE, flags, &s->buffer),
                    ==, 0);
}

static void shown_init(Shown *s, bool file)
{
    void *data;

    shown_buffer(s, file, 0, PAGES);
    g_assert_cmpint(xen_pgdir_buffer_view(s->buffer, PAGE,
                                          (PICTURE - 1) * PAGE, &s->view,
                                          &data), ==, 0);
    s->data = data;
}

static void shown_free(Shown *s)
{
    xen_pgdir_buffer_unref(s->buffer);
    xen_pgdir_view_unref(s->view);
    xen_pgdir_mapper_unref(s->mapper);
    guest_free(s->g);
}

static XenPgdirStats stats_of(Shown *s)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(s->mapper, &stats, sizeof(stats));
    return stats;
}

/* Shown where it is: an update costs nothing, and yet is one */
static void test_show_window(void)
{
    Shown s;
    uint64_t calls, gets;

    shown_init(&s, true);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_is_copied(s.buffer, 0, PICTURE * PAGE),
                    ==, 0);
    calls = stats_of(&s).map_calls;
    gets = s.g->gets;
    memset(picture_page(&s, 1), 123, PAGE);
    g_assert_cmpint(xen_pgdir_view_sync(s.view), ==, 0);
    g_assert_cmpuint(s.data[0], ==, 123);
    g_assert_cmpuint(stats_of(&s).map_calls, ==, calls);
    g_assert_cmpuint(stats_of(&s).copied_bytes, ==, 0);
    g_assert_cmpuint(s.g->gets, ==, gets);

    /* The guest takes it back: the view stays what it was */
    xen_pgdir_buffer_revoke(s.buffer);
    g_assert_cmpuint(s.g->all_kept, ==, 0);
    memset(picture_page(&s, 1), 45, PAGE);
    g_assert_cmpuint(s.data[0], ==, 123);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 1);
    g_assert_cmpint(xen_pgdir_view_is_lost(s.view), ==, 0);
    shown_free(&s);
}

/* Copied: each page is mapped once, and what changed is copied */
static void test_show_copy(void)
{
    XenPgdirStats before, after;
    Shown s;
    uint64_t gets;

    shown_init(&s, false);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 1);
    g_assert_cmpint(xen_pgdir_buffer_is_copied(s.buffer, 0, PAGE), ==, 1);
    before = stats_of(&s);
    gets = s.g->gets;
    g_assert_cmpuint(before.copied_bytes, ==, (PICTURE - 1) * PAGE);
    g_assert_cmpuint(before.mapped_pages, ==, PICTURE - 1);
    /* Pages that are used where they are take no area of memory */
    g_assert_cmpuint(before.mappings, ==, 1);

    g_assert_cmpint(xen_pgdir_view_sync(s.view), ==, 0);
    g_assert_cmpuint(stats_of(&s).copied_bytes, ==, before.copied_bytes);

    picture_page(&s, 1)[0] = 1;
    picture_page(&s, 3)[PAGE - 1] = 2;
    picture_page(&s, 5)[100] = 3;
    picture_page(&s, 5)[300] = 4;
    memset(picture_page(&s, 7), 5, PAGE);
    g_assert_cmpint(xen_pgdir_view_sync(s.view), ==, 0);
    after = stats_of(&s);
    g_assert_cmpuint(s.data[0], ==, 1);
    g_assert_cmpuint(s.data[3 * PAGE - 1], ==, 2);
    g_assert_cmpuint(s.data[4 * PAGE + 100], ==, 3);
    g_assert_cmpuint(s.data[4 * PAGE + 300], ==, 4);
    g_assert_cmpuint(s.data[6 * PAGE], ==, 5);
    g_assert_cmpuint(s.data[7 * PAGE - 1], ==, 5);
    /* Blocks of 64 bytes: one, one, from the second to the fifth, all */
    g_assert_cmpuint(after.copied_bytes - before.copied_bytes, ==,
                     64 + 64 + 4 * 64 + PAGE);
    g_assert_cmpuint(after.map_calls, ==, before.map_calls);
    g_assert_cmpuint(s.g->gets, ==, gets);

    xen_pgdir_buffer_revoke(s.buffer);
    g_assert_cmpuint(s.g->all_kept, ==, 0);
    memset(picture_page(&s, 1), 45, PAGE);
    g_assert_cmpuint(s.data[0], ==, 1);
    shown_free(&s);
}

/* A copy that nobody held meanwhile is what the pages are, too */
static void test_show_copy_again(void)
{
    Shown s;
    uint64_t calls;
    void *data;

    shown_init(&s, false);
    xen_pgdir_view_unref(s.view);
    calls = stats_of(&s).map_calls;
    picture_page(&s, 1)[5] = 99;
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, PAGE,
                                          (PICTURE - 1) * PAGE, &s.view,
                                          &data), ==, 0);
    g_assert_cmpuint(((uint8_t *)data)[5], ==, 99);
    g_assert_cmpuint(stats_of(&s).map_calls, ==, calls);
    shown_free(&s);
}

/* Where windows leave no areas, what does not fit is copied */
static void test_show_no_areas(void)
{
    Shown s;
    void *data;

    shown_buffer(&s, true, 0, PAGES);
    s.g->areas.max = PICTURE / 2;
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, PICTURE * PAGE,
                                          &s.view, &data), ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 1);
    g_assert_cmpuint(((uint8_t *)data)[PAGE], ==, 12);
    xen_pgdir_view_unref(s.view);
    /* It is no fault of the buffer's */
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, 4 * PAGE, &s.view,
                                          &data), ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 0);
    shown_free(&s);
}

/* One page is no exception: what others look at has to be revocable */
static void test_show_page(void)
{
    Shown s;
    void *data;

    shown_buffer(&s, false, 0, PAGES);
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, PAGE, &s.view, &data),
                    ==, 0);
    g_assert_cmpint(xen_pgdir_view_is_copy(s.view), ==, 1);
    g_assert_true(data != picture_page(&s, 0));
    xen_pgdir_buffer_revoke(s.buffer);
    g_assert_cmpint(xen_pgdir_view_is_lost(s.view), ==, 0);
    shown_free(&s);
}

static void test_budget(void)
{
    XenPgdirView *other;
    Shown s;
    void *data;

    shown_buffer(&s, false, 0, 10);
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, 11 * PAGE, &s.view,
                                          &data), ==, -ENOSPC);
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, 10 * PAGE, &s.view,
                                          &data), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 20 * PAGE, PAGE, &other,
                                          &data), ==, -ENOSPC);
    g_assert_cmpuint(stats_of(&s).mapped_pages, <=, 10);
    shown_free(&s);
}

static int32_t read_page(Shown *s, uint32_t page)
{
    uint8_t byte;
    int32_t ret = xen_pgdir_buffer_read(s->buffer, page * PAGE, &byte, 1);

    if (ret == 0) {
        g_assert_cmpuint(byte, ==, (10 + 2 * page) & 0xff);
    }
    return ret;
}

/* Pages that are looked at where they are count, too, and go for others */
static void test_own_budget(void)
{
    Shown s;
    uint32_t i;
    void *data;

    shown_buffer(&s, true, 0, 10);
    for (i = 0; i < 25; i++) {
        g_assert_cmpint(read_page(&s, i), ==, 0);
        g_assert_cmpuint(stats_of(&s).mapped_pages, ==, i % 10 + 1);
    }
    g_assert_cmpuint(stats_of(&s).evictions, ==, 2);
    xen_pgdir_mapper_trim(s.mapper);
    g_assert_cmpuint(s.g->all_kept, ==, 0);
    g_assert_cmpuint(stats_of(&s).mapped_pages, ==, 0);

    g_assert_cmpint(read_page(&s, 0), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_view(s.buffer, 0, 10 * PAGE, &s.view,
                                          &data), ==, 0);
    g_assert_cmpuint(stats_of(&s).mapped_pages, ==, 10);
    g_assert_cmpint(read_page(&s, 20), ==, -ENOSPC);
    shown_free(&s);
}

static void test_own_refused(void)
{
    XenPgdirBuffer *bad;
    uint32_t *directory;
    uint8_t byte;
    void *data;
    Shown s;

    shown_buffer(&s, false, 0, PAGES);
    directory = (uint32_t *)(s.g->memory + DIRECTORY * PAGE);
    directory[1 + 7] = REF(NOT_RAM);
    g_assert_cmpint(xen_pgdir_buffer_new(s.mapper, REF(DIRECTORY),
                                         PICTURE * PAGE, 0, &bad), ==, 0);
    g_assert_cmpint(xen_pgdir_buffer_read(bad, 7 * PAGE, &byte, 1), ==,
                    -EFAULT);
    g_assert_cmpint(xen_pgdir_buffer_view(bad, 0, PICTURE * PAGE, &s.view,
                                          &data), ==, -EFAULT);
    g_assert_cmpint(xen_pgdir_buffer_view(bad, 0, 4 * PAGE, &s.view, &data),
                    ==, 0);
    xen_pgdir_view_unref(s.view);
    g_assert_cmpint(xen_pgdir_buffer_view(bad, 4 * PAGE, 4 * PAGE, &s.view,
                                          &data), ==, -EFAULT);
    xen_pgdir_buffer_unref(bad);

    s.view = NULL;
    fault_arm(NULL, FAULT_HEAP, 1);
    g_assert_cmpint(read_page(&s, 1), ==, -ENOMEM);
    g_assert_true(fault_disarm(NULL, FAULT_HEAP));
    g_assert_cmpuint(s.g->all_kept, ==, 0);
    g_assert_cmpint(read_page(&s, 1), ==, 0);
    shown_free(&s);
}

static void test_read_and_write(gconstpointer file)
{
    Shown s;
    uint8_t bytes[3 * XEN_PGDIR_PAGE_SIZE];
    uint64_t calls;

    shown_buffer(&s, file, XEN_PGDIR_WRITABLE, PAGES);
    s.view = NULL;
    memset(bytes, 7, sizeof(bytes));
    g_assert_cmpint(xen_pgdir_buffer_write(s.buffer, 100, bytes,
                                           sizeof(bytes)), ==, 0);
    g_assert_cmpuint(picture_page(&s, 0)[99], ==, 10);
    g_assert_cmpuint(picture_page(&s, 0)[100], ==, 7);
    g_assert_cmpuint(picture_page(&s, 3)[99], ==, 7);
    g_assert_cmpuint(picture_page(&s, 3)[100], ==, 16);
    calls = stats_of(&s).map_calls;
    g_assert_cmpint(xen_pgdir_buffer_read(s.buffer, 3 * PAGE + 98, bytes, 4),
                    ==, 0);
    g_assert_cmpmem(bytes, 4, "\7\7\x10\x10", 4);
    /* Where they are, and mapped already */
    g_assert_cmpuint(stats_of(&s).map_calls, ==, calls);
    g_assert_cmpuint(s.g->areas.used, ==, 0);
    shown_free(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/ram-map/plan", test_plan);
    g_test_add_func("/xen/ram-map/window", test_window);
    g_test_add_func("/xen/ram-map/writable", test_writable);
    g_test_add_func("/xen/ram-map/refused", test_refused);
    g_test_add_func("/xen/ram-map/areas", test_areas);
    g_test_add_func("/xen/ram-map/no-memory", test_no_memory);
    g_test_add_func("/xen/ram-map/bad-file", test_bad_file);
    g_test_add_func("/xen/ram-map/replace", test_replace);
    g_test_add_func("/xen/ram-map/own", test_own);
    g_test_add_func("/xen/ram-map/show/window", test_show_window);
    g_test_add_func("/xen/ram-map/show/copy", test_show_copy);
    g_test_add_func("/xen/ram-map/show/copy-again", test_show_copy_again);
    g_test_add_func("/xen/ram-map/show/no-areas", test_show_no_areas);
    g_test_add_func("/xen/ram-map/show/page", test_show_page);
    g_test_add_func("/xen/ram-map/show/budget", test_budget);
    g_test_add_func("/xen/ram-map/own-budget", test_own_budget);
    g_test_add_func("/xen/ram-map/own-refused", test_own_refused);
    g_test_add_data_func("/xen/ram-map/copy/file", GUINT_TO_POINTER(1),
                         test_read_and_write);
    g_test_add_data_func("/xen/ram-map/copy/anonymous", NULL,
                         test_read_and_write);
    return g_test_run();
}
