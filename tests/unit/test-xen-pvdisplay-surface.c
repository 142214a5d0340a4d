/*
 * Tests of what a connector of a PV display shows: who lets go of a picture,
 * and what viewers are told of it
 *
 * The surface is the real one, over the real map cache.  The console is a
 * stand-in that keeps one DisplaySurface, as QEMU's does; a viewer is whoever
 * holds a reference of that surface's image.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "block/aio.h"
#include "fake-grants.h"
#include "../../hw/xen/display/xen-pvdisplay-convert.h"
#include "../../hw/xen/display/xen-pvdisplay-hash.h"
#include "../../hw/xen/display/xen-pvdisplay-surface.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "ui/console.h"

#define PAGE        4096
#define WIDTH       64
#define HEIGHT      64
#define PAGES       (WIDTH * HEIGHT * 4 / PAGE)
#define XR24        0x34325258
#define XR30        0x30335258
#define AWHILE      40

/* ---------------------------------------------- stand-in for ui/console.c */

/*
 * What QemuConsole is to the surface: a place for a picture, and viewers that
 * are told of changes
 */
static DisplaySurface *shown;
static bool is_watched;
static unsigned int switches, updates;
static pixman_region32_t told;

DisplaySurface *qemu_create_displaysurface_pixman(pixman_image_t *image)
{
    DisplaySurface *surface = g_new0(DisplaySurface, 1);

    surface->image = pixman_image_ref(image);

    return surface;
}

void dpy_gfx_replace_surface(QemuConsole *con, DisplaySurface *surface)
{
    DisplaySurface *old = shown;

    shown = surface;
    switches++;
    if (old) {
        pixman_image_unref(old->image);
        g_free(old);
    }
}

DisplaySurface *qemu_console_surface(QemuConsole *con)
{
    return shown;
}

void dpy_gfx_update(QemuConsole *con, int x, int y, int w, int h)
{
    g_assert_cmpint(x, >=, 0);
    g_assert_cmpint(y, >=, 0);
    g_assert_cmpint(x + w, <=, surface_width(shown));
    g_assert_cmpint(y + h, <=, surface_height(shown));
    pixman_region32_union_rect(&told, &told, x, y, w, h);
    updates++;
}

void dpy_gfx_update_full(QemuConsole *con)
{
    dpy_gfx_update(con, 0, 0, surface_width(shown), surface_height(shown));
}

bool qemu_console_is_visible(QemuConsole *con)
{
    return is_watched;
}

bool dpy_gfx_check_format(QemuConsole *con, pixman_format_code_t format)
{
    return format == PIXMAN_x8r8g8b8;
}

bool qemu_pixman_check_format(DisplayChangeListener *dcl,
                              pixman_format_code_t format)
{
    return true;
}

/* ------------------------------------------------------------- fixture */

typedef struct Test {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenPvSurface surface;
    uint32_t dirs[2];
    uint32_t pages[2][PAGES];
    XenPgdirBuffer *buffers[2];
    GThread *main_thread;
    unsigned int foreign_unmaps;
} Test;

static void on_unmap(FakeGrants *f, const uint32_t *refs, uint32_t count,
                     void *opaque)
{
    Test *t = opaque;

    t->foreign_unmaps += g_thread_self() != t->main_thread;
}

static void test_start(Test *t)
{
    const XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = 4 * PAGES,
        .max_buffer_pages = PAGES,
    };
    int i;

    memset(t, 0, sizeof(*t));
    is_watched = false;
    switches = 0;
    t->main_thread = g_thread_self();
    t->grants = fake_grants_new(64);
    t->grants->on_unmap = on_unmap;
    t->grants->hook_opaque = t;
    g_assert_cmpint(xen_pgdir_mapper_new(&fake_grants_ops, t->grants, &config,
                                         &t->mapper), ==, 0);
    for (i = 0; i < 2; i++) {
        t->dirs[i] = fake_grants_make_directory(t->grants, PAGES,
                                                t->pages[i]);
        g_assert_cmpint(xen_pgdir_buffer_new(t->mapper, t->dirs[i],
                                             PAGES * PAGE, 0,
                                             &t->buffers[i]), ==, 0);
    }
}

static void show_as(Test *t, int buffer, uint32_t format)
{
    const XenDisplifScanout scanout = {
        .buffer = t->buffers[buffer],
        .stride = WIDTH * 4,
        .width = WIDTH,
        .height = HEIGHT,
        .cpp = 4,
        .format = format,
    };

    g_assert_cmpint(xen_pv_surface_show(&t->surface, &scanout), ==, 0);
}

static void show(Test *t, int buffer)
{
    show_as(t, buffer, XR24);
}

static void let_main_loop_run(void)
{
    bool progress;

    do {
        progress = aio_poll(qemu_get_aio_context(), false);
    } while (progress);
}

static void test_end(Test *t)
{
    int i;

    for (i = 0; i < 2; i++) {
        xen_pgdir_buffer_unref(t->buffers[i]);
        g_assert_true(fake_grants_end_directory(t->grants, t->dirs[i],
                                                PAGES));
    }
    xen_pgdir_mapper_unref(t->mapper);
    fake_grants_free(t->grants);
}

static uint64_t pinned(Test *t)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(t->mapper, &stats, sizeof(stats));

    return stats.pinned_pages;
}

static void *drop(void *image)
{
    pixman_image_unref(image);
    return NULL;
}

static void drop_in_thread(pixman_image_t *image)
{
    QemuThread thread;

    qemu_thread_create(&thread, "viewer", drop, image, QEMU_THREAD_JOINABLE);
    qemu_thread_join(&thread);
}

/* --------------------------------------------------------------- tests */

/* On the main loop a picture goes at once */
static void test_main_thread(void)
{
    pixman_image_t *held;
    Test t;

    test_start(&t);
    show(&t, 0);
    held = pixman_image_ref(shown->image);
    show(&t, 1);
    g_assert_cmpuint(pinned(&t), ==, 2 * PAGES);
    pixman_image_unref(held);
    g_assert_cmpuint(pinned(&t), ==, PAGES);

    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t.surface);
    g_assert_cmpuint(pinned(&t), ==, 0);
    test_end(&t);
}

/* Another thread lets go last: nothing of the cache changes there */
static void test_other_thread(void)
{
    pixman_image_t *held;
    Test t;

    test_start(&t);
    show(&t, 0);
    held = pixman_image_ref(shown->image);
    show(&t, 1);
    drop_in_thread(held);
    g_assert_cmpuint(pinned(&t), ==, 2 * PAGES);
    let_main_loop_run();
    g_assert_cmpuint(pinned(&t), ==, PAGES);

    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t.surface);
    test_end(&t);
}

/* Nor when that is the end of all: card, buffer and mappings are gone */
static void test_after_the_card(void)
{
    pixman_image_t *held;
    Test t;
    int i;

    test_start(&t);
    show(&t, 0);
    held = pixman_image_ref(shown->image);
    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t.surface);
    for (i = 0; i < 2; i++) {
        xen_pgdir_buffer_unref(t.buffers[i]);
    }
    xen_pgdir_mapper_unref(t.mapper);
    drop_in_thread(held);
    g_assert_cmpuint(t.foreign_unmaps, ==, 0);
    g_assert_cmpuint(t.grants->live_pages, ==, 0);
    g_assert_cmpuint(t.grants->destroyed, ==, 0);
    let_main_loop_run();
    g_assert_cmpuint(t.grants->destroyed, ==, 1);
    for (i = 0; i < 2; i++) {
        g_assert_true(fake_grants_end_directory(t.grants, t.dirs[i], PAGES));
    }
    fake_grants_free(t.grants);
}

/* A guest that takes its pages back waits for no thread */
static void test_revoked(void)
{
    pixman_image_t *held;
    Test t;

    test_start(&t);
    show(&t, 0);
    held = pixman_image_ref(shown->image);
    show(&t, 1);
    xen_pgdir_buffer_revoke(t.buffers[0]);
    g_assert_cmpuint(t.grants->live_pages, ==, PAGES);
    drop_in_thread(held);
    let_main_loop_run();
    g_assert_cmpuint(t.foreign_unmaps, ==, 0);
    g_assert_cmpuint(pinned(&t), ==, PAGES);

    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t.surface);
    test_end(&t);
}

/* What a viewer still has; by locks that ThreadSanitizer can see */
typedef struct Viewer {
    QemuThread thread;
    QemuMutex lock;
    QemuCond more;
    GQueue held;
    void (*let_go)(void *held);
} Viewer;

/* NULL is the end */
static void viewer_hold(Viewer *v, void *held)
{
    qemu_mutex_lock(&v->lock);
    g_queue_push_tail(&v->held, held);
    qemu_cond_signal(&v->more);
    qemu_mutex_unlock(&v->lock);
}

static void *viewer_next(Viewer *v)
{
    void *held;

    qemu_mutex_lock(&v->lock);
    while (g_queue_is_empty(&v->held)) {
        qemu_cond_wait(&v->more, &v->lock);
    }
    held = g_queue_pop_head(&v->held);
    qemu_mutex_unlock(&v->lock);
    return held;
}

static void *viewer_thread(void *opaque)
{
    Viewer *v = opaque;
    void *held;

    while ((held = viewer_next(v))) {
        v->let_go(held);
    }
    return NULL;
}

static void viewer_start(Viewer *v, void (*let_go)(void *held))
{
    qemu_mutex_init(&v->lock);
    qemu_cond_init(&v->more);
    g_queue_init(&v->held);
    v->let_go = let_go;
    qemu_thread_create(&v->thread, "viewer", viewer_thread, v,
                       QEMU_THREAD_JOINABLE);
}

static void viewer_stop(Viewer *v)
{
    viewer_hold(v, NULL);
    qemu_thread_join(&v->thread);
    qemu_cond_destroy(&v->more);
    qemu_mutex_destroy(&v->lock);
}

static void drop_picture(void *image)
{
    pixman_image_unref(image);
}

/* A guest destroys a buffer and makes it anew, whoever looks at it */
static void recreate(Test *t, int buffer)
{
    xen_pgdir_buffer_revoke(t->buffers[buffer]);
    xen_pgdir_buffer_unref(t->buffers[buffer]);
    g_assert_cmpint(xen_pgdir_buffer_new(t->mapper, t->dirs[buffer],
                                         PAGES * PAGE, 0,
                                         &t->buffers[buffer]), ==, 0);
}

/*
 * The main loop flips, destroys and makes buffers, while a viewer lets go of
 * what was shown before: for ThreadSanitizer, and for the counters of the cache
 */
static void test_race(void)
{
    Viewer viewer;
    Test t;
    int i;

    test_start(&t);
    show(&t, 0);
    viewer_start(&viewer, drop_picture);
    for (i = 1; i < 20000; i++) {
        /* The one reference left is the viewer's, as pixman counts plainly */
        pixman_image_t *old = pixman_image_ref(shown->image);

        show(&t, i % 2);
        viewer_hold(&viewer, old);
        if (i % 16 == 0) {
            let_main_loop_run();
        }
        if (i % 64 == 0) {
            /* So that what it holds is not more than is allowed */
            let_main_loop_run();
            recreate(&t, (i + 1) % 2);
        }
    }
    viewer_stop(&viewer);
    let_main_loop_run();
    g_assert_cmpuint(t.foreign_unmaps, ==, 0);
    g_assert_cmpuint(pinned(&t), ==, PAGES);

    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t.surface);
    g_assert_cmpuint(pinned(&t), ==, 0);
    test_end(&t);
}

/* --------------------------------------------- what viewers are told */

/* Pixels of a buffer: its pages lie anywhere */
static uint32_t *pixel(Test *t, int buffer, uint32_t x, uint32_t y)
{
    uint32_t at = (y * WIDTH + x) * 4;

    uint8_t *page = fake_grants_page(t->grants, t->pages[buffer][at / PAGE]);

    return (uint32_t *)(page + at % PAGE);
}

static void fill(Test *t, int buffer, uint32_t seed)
{
    uint32_t x, y;

    for (y = 0; y < HEIGHT; y++) {
        for (x = 0; x < WIDTH; x++) {
            *pixel(t, buffer, x, y) = seed + x * 1000 + y;
        }
    }
}

/* A refresh as @viewers ask for it, one after the other */
static void refresh(Test *t, int viewers)
{
    let_main_loop_run();
    pixman_region32_clear(&told);
    updates = 0;
    while (viewers--) {
        xen_pv_surface_update(&t->surface);
    }
}

static bool is_all_told(void)
{
    const pixman_box32_t *box = pixman_region32_extents(&told);

    return pixman_region32_n_rects(&told) == 1 && box->x1 == 0 &&
           box->y1 == 0 && box->x2 == WIDTH && box->y2 == HEIGHT;
}

static void settle(Test *t)
{
    int i;

    for (i = 0; i < 3; i++) {
        refresh(t, 1);
    }
}

static void start_watched(Test *t, uint32_t format)
{
    test_start(t);
    pixman_region32_init(&told);
    is_watched = true;
    fill(t, 0, 0);
    fill(t, 1, 0);
    show_as(t, 0, format);
    refresh(t, 1);
    g_assert_true(is_all_told());
    settle(t);
}

static void end_watched(Test *t)
{
    dpy_gfx_replace_surface(NULL, NULL);
    xen_pv_surface_clear(&t->surface);
    let_main_loop_run();
    pixman_region32_fini(&told);
    test_end(t);
}

static bool is_told(int x, int y)
{
    return pixman_region32_contains_point(&told, x, y, NULL);
}

/* The right one is told, and not its neighbours */
static void check_tile(int x, int y)
{
    g_assert_cmpuint(updates, ==, 1);
    g_assert_true(is_told(x, y));
    g_assert_false(is_told(x ^ 32, y));
    g_assert_false(is_told(x, y ^ 32));
}

static void check_idle(Test *t)
{
    int i;

    for (i = 0; i < AWHILE; i++) {
        refresh(t, 1);
        g_assert_cmpuint(updates, ==, 0);
    }
}

/* Who shows the same is told nothing; one pixel is one tile */
static void test_told(void)
{
    uint64_t before;
    Test t;

    start_watched(&t, XR24);
    check_idle(&t);
    before = t.surface.updated_pixels;
    *pixel(&t, 0, 40, 20) ^= 1;
    xen_pv_damage_wake(&t.surface.damage);
    refresh(&t, 1);
    check_tile(40, 20);
    refresh(&t, 1);
    check_tile(40, 20);
    check_idle(&t);
    g_assert_cmpuint(t.surface.updated_pixels, ==, before + 2 * 32 * 32);
    g_assert_cmpuint(t.surface.updates, ==, 4);
    end_watched(&t);
}

/* Many viewers of a console are one */
static void test_told_once(void)
{
    uint64_t before;
    Test t;

    start_watched(&t, XR24);
    before = t.surface.damage.bytes_read;
    *pixel(&t, 0, 40, 20) ^= 1;
    refresh(&t, 5);
    check_tile(40, 20);
    g_assert_cmpuint(t.surface.damage.bytes_read, ==,
                     before + WIDTH * HEIGHT * 4);
    end_watched(&t);
}

/* A flip tells nothing by itself; after it, what differs is told, and soon */
static void test_told_of_flip(void)
{
    unsigned int before;
    int i;
    Test t;

    start_watched(&t, XR24);
    *pixel(&t, 1, 10, 50) ^= 1;
    for (i = 1; i < 20; i++) {
        check_idle(&t);
        before = switches;
        show(&t, i % 2);
        g_assert_cmpuint(switches, ==, before + 1);
        g_assert_cmpuint(updates, ==, 0);
        refresh(&t, 1);
        check_tile(10, 50);
        settle(&t);
    }
    end_watched(&t);
}

/* A flip to what is there swaps no surface */
static void test_told_of_same(void)
{
    unsigned int before;
    Test t;

    start_watched(&t, XR24);
    check_idle(&t);
    before = switches;
    *pixel(&t, 0, 10, 50) ^= 1;
    show(&t, 0);
    g_assert_cmpuint(switches, ==, before);
    refresh(&t, 1);
    check_tile(10, 50);
    end_watched(&t);
}

/* Only what has changed is converted, and always all of that */
static void test_told_converted(void)
{
    uint32_t *to, stale;
    Test t;

    start_watched(&t, XR30);
    g_assert_nonnull(t.surface.shadow);
    to = pixman_image_get_data(t.surface.shadow);
    stale = to[20 * WIDTH + 8] ^= 0xff;
    *pixel(&t, 0, 40, 20) ^= 0xff;
    refresh(&t, 1);
    check_tile(40, 20);
    g_assert_cmphex(to[20 * WIDTH + 8], ==, stale);
    g_assert_cmphex(to[20 * WIDTH + 40] & 0xff, ==,
                    *pixel(&t, 0, 40, 20) >> 2 & 0xff);

    /* Each row, even when the picture rests: a screendump may want it */
    settle(&t);
    check_idle(&t);
    *pixel(&t, 0, 41, 21) ^= 0xff;
    refresh(&t, 1);
    check_tile(41, 21);
    end_watched(&t);
}

/* Who was given all of the picture at another time is not told by old hashes */
static void test_told_after_copy(void)
{
    Test t;

    start_watched(&t, XR24);
    *pixel(&t, 0, 40, 20) ^= 1;
    pixman_region32_clear(&told);
    xen_pv_surface_keep(&t.surface);
    g_assert_true(is_all_told());
    show(&t, 1);
    refresh(&t, 1);
    g_assert_true(is_all_told());
    settle(&t);
    xen_pv_surface_invalidate(&t.surface);
    xen_pv_surface_update(&t.surface);
    g_assert_true(is_all_told());
    end_watched(&t);
}
/* Without the library of hashes: all, each time, and once for all viewers */
static void test_told_without_hashes(void)
{
    Test t;
    int i;

    start_watched(&t, XR24);
    for (i = 0; i < AWHILE; i++) {
        refresh(&t, 2);
        g_assert_true(is_all_told());
        g_assert_cmpuint(updates, ==, 1);
    }
    end_watched(&t);
}

/* Nobody looks: nothing is read, and a screendump is right */
static void test_unseen(void)
{
    uint64_t before;
    uint32_t *to;
    Test t;

    start_watched(&t, XR30);
    is_watched = false;
    before = t.surface.damage.bytes_read;
    *pixel(&t, 0, 40, 20) ^= 0xff;
    refresh(&t, 2);
    g_assert_cmpuint(updates, ==, 0);
    g_assert_cmpuint(t.surface.damage.bytes_read, ==, before);
    to = pixman_image_get_data(t.surface.shadow);
    g_assert_cmphex(to[20 * WIDTH + 40] & 0xff, ==,
                    *pixel(&t, 0, 40, 20) >> 2 & 0xff);
    is_watched = true;
    refresh(&t, 1);
    g_assert_true(is_all_told());
    end_watched(&t);
}

#ifdef CONFIG_TSAN
static void drop_view(void *view)
{
    xen_pgdir_view_unref(view);
}

/* What test_race would do if views were not released on the main loop */
static void drop_views_anywhere(void)
{
    Viewer viewer;
    Test t;
    int i;

    test_start(&t);
    viewer_start(&viewer, drop_view);
    for (i = 0; i < 20000; i++) {
        XenPgdirView *view;
        void *data;

        g_assert_cmpint(xen_pgdir_buffer_view(t.buffers[i % 2], 0, PAGE,
                                              &view, &data), ==, 0);
        viewer_hold(&viewer, view);
    }
    viewer_stop(&viewer);
    test_end(&t);
}

/* ThreadSanitizer would tell */
static void test_race_is_seen(void)
{
    if (g_test_subprocess()) {
        drop_views_anywhere();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*data race*xen_grant_view_unpin*");
}
#endif

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_abort);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-pvdisplay-surface/main-thread", test_main_thread);
    g_test_add_func("/xen-pvdisplay-surface/other-thread",
                    test_other_thread);
    g_test_add_func("/xen-pvdisplay-surface/after-the-card",
                    test_after_the_card);
    g_test_add_func("/xen-pvdisplay-surface/revoked", test_revoked);
    g_test_add_func("/xen-pvdisplay-surface/race", test_race);
    g_test_add_func("/xen-pvdisplay-surface/unseen", test_unseen);
    if (xen_pvdisplay_has_hash()) {
        g_test_add_func("/xen-pvdisplay-surface/told", test_told);
        g_test_add_func("/xen-pvdisplay-surface/told-once", test_told_once);
        g_test_add_func("/xen-pvdisplay-surface/told-of-flip",
                        test_told_of_flip);
        g_test_add_func("/xen-pvdisplay-surface/told-of-same",
                        test_told_of_same);
        g_test_add_func("/xen-pvdisplay-surface/told-converted",
                        test_told_converted);
        g_test_add_func("/xen-pvdisplay-surface/told-after-copy",
                        test_told_after_copy);
    } else {
        g_test_add_func("/xen-pvdisplay-surface/told",
                        test_told_without_hashes);
    }
#ifdef CONFIG_TSAN
    g_test_add_func("/xen-pvdisplay-surface/race-is-seen", test_race_is_seen);
#endif
    return g_test_run();
}
