/*
 * QTest of xen-pvdisplay, over a fake Xen and against a fake frontend
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include <poll.h>
#include <sys/syscall.h>

#include "qemu/bswap.h"
#include "qemu/units.h"
#include "qobject/qdict.h"

#include "xen-pvdisplay-qtest.h"

/* Connecting */

static void check_node(XenPvTest *t, const char *dir, const char *key,
                       const char *expected)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);
    g_autofree char *value = xen_guest_read(t->guest, path);

    g_assert_cmpstr(value, ==, expected);
}

static void test_connect_nodes(const void *testbed)
{
    XenGuestStats stats;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    g_assert_true(xen_front_wait_backend(&t.display->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    check_node(&t, t.display->card.frontend_path, "be-alloc", "0");
    check_node(&t, t.display->card.frontend_path, "0/resolution", "800x600");
    check_node(&t, t.display->card.frontend_path, "0/unique-id", "LEFT");
    check_node(&t, t.display->card.frontend_path, "1/resolution", "640x480");
    check_node(&t, t.display->card.frontend_path, "1/unique-id", "RIGHT");
    check_node(&t, t.display->card.frontend_path, "2/resolution", NULL);
    check_node(&t, t.display->card.frontend_path, "backend",
               t.display->card.backend_path);
    check_node(&t, t.display->card.frontend_path, "backend-id", "0");
    check_node(&t, t.display->card.frontend_path, "state", "1");
    check_node(&t, t.display->card.backend_path, "versions", "1,2");
    check_node(&t, t.display->card.backend_path, "frontend",
               t.display->card.frontend_path);

    xen_pv_test_connect(t.display);
    g_assert_cmpuint(t.display->nr_connectors, ==, 2);
    g_assert_cmpuint(left(&t)->width, ==, LEFT_WIDTH);
    g_assert_cmpuint(right(&t)->height, ==, RIGHT_HEIGHT);

    /* Two pages and two ports for each connector, and nothing else */
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.mapped, ==, 4);
    g_assert_cmpuint(stats.ports, ==, 4);

    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Pictures arrive */

static void test_show(const void *testbed)
{
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_B);

    xen_front_buffer_draw(a, 1);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 1);

    xen_front_buffer_draw(b, 2);
    g_assert_cmpint(xen_front_flip(left(&t), b->fb), ==, 0);
    check_left(&t, 2);

    /* Some clients draw into what is shown, and say nothing */
    xen_front_buffer_draw(b, 3);
    check_left(&t, 3);

    g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
    check_left(&t, 1);

    /* Off, a flip while off, on: as Linux's atomic helpers do */
    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), b->fb), ==, 0);
    g_assert_cmpint(show(left(&t), b), ==, 0);
    check_left(&t, 3);

    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    end_buffer(&t, a);
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_two_connectors(const void *testbed)
{
    XenFrontBuffer *wide, *small;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    wide = new_buffer(&t, LEFT_WIDTH + RIGHT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    small = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
    xen_front_buffer_draw(wide, 7);
    xen_front_buffer_draw(small, 8);

    /* One framebuffer over two screens side by side, as X11 has it */
    g_assert_cmpint(show(left(&t), wide), ==, 0);
    g_assert_cmpint(xen_front_set_config(right(&t), wide->fb, LEFT_WIDTH, 0,
                                         wide->width, wide->height, 32),
                    ==, 0);
    check_left(&t, 7);
    check_screen_at(&t, "disp0", 1, RIGHT_WIDTH, RIGHT_HEIGHT, 7, LEFT_WIDTH,
                    0);

    g_assert_cmpint(show(right(&t), small), ==, 0);
    check_left(&t, 7);
    check_right(&t, 8);

    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    check_right(&t, 8);

    end_buffer(&t, wide);
    check_right(&t, 8);
    end_buffer(&t, small);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The pages of the rows that the connector shows from @y on */
static uint64_t visible_pages(const XenFrontBuffer *buffer,
                              const XenFrontConnector *c, uint32_t y)
{
    uint64_t first = (uint64_t)y * buffer->stride;
    uint64_t last = first + (uint64_t)c->height * buffer->stride - 1;

    return last / XEN_GUEST_PAGE - first / XEN_GUEST_PAGE + 1;
}

static void test_lazy(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *buffer;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);

    /* More than one page of directory */
    buffer = xen_front_buffer_new(t.guest, 1200, 1000, COOKIE_A);
    g_assert_cmpuint(buffer->pgdir->nr_dirs, ==, 2);
    xen_front_buffer_draw(buffer, 5);

    test_stats(&t, &before);
    g_assert_cmpint(xen_front_buffer_attach(t.display, buffer), ==, 0);
    test_stats(&t, &after);
    g_assert_cmpuint(after.mapped, ==, before.mapped);
    g_assert_cmpuint(after.map_calls - before.map_calls, ==,
                     buffer->pgdir->nr_dirs);
    g_assert_cmpuint(after.unmap_calls - before.unmap_calls, ==,
                     buffer->pgdir->nr_dirs);

    test_stats(&t, &before);
    g_assert_cmpint(xen_front_set_config(right(&t), buffer->fb, 100, 300,
                                         buffer->width, buffer->height, 32),
                    ==, 0);
    test_stats(&t, &after);
    if (!t.single_map) {
        g_assert_cmpuint(after.map_calls - before.map_calls, ==, 1);
        g_assert_cmpuint(after.mapped - before.mapped, ==,
                         visible_pages(buffer, right(&t), 300));
    }
    check_screen_at(&t, "disp0", 1, RIGHT_WIDTH, RIGHT_HEIGHT, 5, 100, 300);

    end_buffer(&t, buffer);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Draw into a buffer at some offset, with some stride */
static void draw_at(XenFrontPgdir *pgdir, uint32_t offset, uint32_t stride,
                    uint32_t width, uint32_t height, uint32_t seed)
{
    uint32_t x, y;

    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            stl_le_p(pgdir->data + offset + y * stride + x * 4,
                     xen_front_pixel(x, y, seed));
        }
    }
}

typedef struct Layout {
    const char *what;
    uint32_t dbuf_width;        /* 0 for a buffer that is imported */
    uint32_t dbuf_height;
    uint32_t size;
    uint32_t data_ofs;
    uint32_t stride;
    uint32_t width;
    uint32_t height;
} Layout;

static const Layout layouts[] = {
    { "size rounded to pages", 801, 601, 1929216, 0, 3208, 801, 601 },
    { "odd width, tight", 801, 601, 801 * 601 * 4, 0, 3204, 801, 601 },
    { "narrow in a wide buffer", 1024, 768, 1024 * 768 * 4, 0, 4096, 800,
      600 },
    { "smaller than the screen", 320, 200, 320 * 200 * 4, 0, 1280, 320, 200 },
    { "imported", 0, 0, 800 * 600 * 4, 0, 3200, 800, 600 },
    { "imported, at an offset", 0, 0, 1921024, 512, 3200, 800, 600 },
    { "imported, rows of 256 bytes", 0, 0, 3328 * 600, 0, 3328, 796, 600 },
};

static void test_layouts(const void *testbed)
{
    uint64_t fb = 1;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    for (i = 0; i < ARRAY_SIZE(layouts); i++) {
        const Layout *l = &layouts[i];
        XenFrontPgdir *pgdir = xen_front_pgdir_new(t.guest, l->size);
        uint32_t bpp = l->dbuf_width ? 32 : 0;

        g_test_message("%s", l->what);
        draw_at(pgdir, l->data_ofs, l->stride, l->width, l->height, i);
        g_assert_cmpint(xen_front_dbuf_create(t.display, COOKIE_A,
                                              l->dbuf_width, l->dbuf_height,
                                              bpp, l->size, 0,
                                              xen_front_pgdir_ref(pgdir),
                                              l->data_ofs), ==, 0);
        g_assert_cmpint(xen_front_fb_attach(t.display, COOKIE_A, fb, l->width,
                                            l->height, XEN_FRONT_ARGB8888),
                        ==, 0);
        g_assert_cmpint(xen_front_set_config(left(&t), fb, 0, 0, l->width,
                                             l->height, 32), ==, 0);
        check_screen_at(&t, "disp0", 0, MIN(LEFT_WIDTH, l->width),
                        MIN(LEFT_HEIGHT, l->height), i, 0, 0);
        g_assert_cmpint(switch_off(left(&t)), ==, 0);
        g_assert_cmpint(xen_front_fb_detach(t.display, fb), ==, 0);
        g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_A), ==, 0);
        g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Destroyed, but shown: the picture stays, the pages go */
static void test_destroy_shown(const void *testbed)
{
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 11);
    g_assert_cmpint(show(left(&t), a), ==, 0);

    g_assert_cmpint(xen_front_dbuf_destroy(t.display, a->dbuf), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(a->pgdir), ==, 0);
    xen_front_buffer_draw(a, 12);
    check_left(&t, 11);

    /* Its framebuffers went with it */
    g_assert_cmpint(xen_front_flip(left(&t), a->fb), <, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, a->fb), <, 0);
    check_left(&t, 11);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);

    /* The same pages and names again */
    b = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(b, 13);
    g_assert_cmpint(xen_front_flip(left(&t), b->fb), ==, 0);
    check_left(&t, 13);

    /* Only the name goes: the connector goes on, from the same pages */
    g_assert_cmpint(xen_front_fb_detach(t.display, b->fb), ==, 0);
    xen_front_buffer_draw(b, 14);
    check_left(&t, 14);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, b->dbuf), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);

    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void read_pipe(int fd, GByteArray *to, size_t until)
{
    int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000LL;
    uint8_t buf[4096];

    while (to->len < until) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        ssize_t len;

        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        if (poll(&pfd, 1, 100) <= 0) {
            continue;
        }
        len = read(fd, buf, sizeof(buf));
        if (len <= 0) {
            break;
        }
        g_byte_array_append(to, buf, len);
    }
}

/* The file that another process has open by this path, open here, too */
static int take_file(pid_t pid, const char *path)
{
    int pidfd = syscall(SYS_pidfd_open, pid, 0);
    int found = -1;
    int fd;

    for (fd = 0; pidfd >= 0 && found < 0 && fd < 256; fd++) {
        g_autofree char *link = g_strdup_printf("/proc/%d/fd/%d", pid, fd);
        g_autofree char *target = g_file_read_link(link, NULL);

        if (g_strcmp0(target, path) == 0) {
            found = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
        }
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return found;
}

/*
 * A screendump into a pipe that nobody reads holds the image for as long as
 * it likes.  That must not hold the guest's pages.
 */
static void test_destroy_held(const void *testbed)
{
    size_t size = strlen("P6\n800 600\n255\n") +
                  LEFT_WIDTH * LEFT_HEIGHT * 3;
    GByteArray *bytes = g_byte_array_new();
    g_autofree char *path = NULL;
    Picture picture = { 0 };
    XenFrontBuffer *a;
    QDict *response;
    int reader, writer;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 21);
    g_assert_cmpint(show(left(&t), a), ==, 0);

    path = g_build_filename(t.dir, "pipe", NULL);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    g_assert_cmpint(reader, >=, 0);
    qtest_qmp_send(t.qts, "{ 'execute': 'screendump', 'arguments': "
                   "{ 'filename': %s, 'device': 'disp0' } }", path);

    /*
     * QEMU opens the pipe as one that blocks.  Once the first bytes are
     * there, make it one that does not, and read enough for QEMU to see it.
     */
    read_pipe(reader, bytes, 1);
    writer = take_file(qtest_pid(t.qts), path);
    if (writer >= 0) {
        g_assert_cmpint(fcntl(writer, F_SETFL, O_NONBLOCK), ==, 0);
        read_pipe(reader, bytes, 128 * KiB);

        g_assert_cmpint(xen_front_dbuf_destroy(t.display, a->dbuf), ==, 0);
        g_assert_cmpuint(xen_front_pgdir_in_use(a->pgdir), ==, 0);
        xen_front_buffer_draw(a, 22);
        close(writer);
    } else {
        g_test_skip("cannot take a file from QEMU");
        read_pipe(reader, bytes, size);
    }
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);

    /* And the image is whole */
    read_pipe(reader, bytes, size);
    response = qtest_qmp_receive(t.qts);
    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    picture.file_size = bytes->len;
    g_byte_array_append(bytes, (const uint8_t *)"", 1);
    picture.file = (char *)bytes->data;
    picture_parse(&picture);
    g_assert_cmphex(picture_pixel(&picture, 799, 599), ==,
                    xen_front_pixel(799, 599, 21));
    g_byte_array_free(bytes, true);
    close(reader);
    unlink(path);
    xen_pv_test_end(&t);
}

/* Events */

static void test_events(const void *testbed)
{
    XenFrontBuffer *a, *b;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);

    /* A SET_CONFIG has no event */
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    qtest_clock_step(t.qts, PERIOD_NS);
    check_events(left(&t), 0);

    /* An event at each tick, none earlier, and none on the other connector */
    for (i = 0; i < 60; i++) {
        g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        qtest_clock_step(t.qts, PERIOD_NS - 1);
        check_events(left(&t), i);
        qtest_clock_step(t.qts, 1);
        check_events(left(&t), i + 1);
        g_assert_cmphex(left(&t)->last_event_cookie, ==, a->fb);
    }
    check_events(right(&t), 0);
    g_assert_true(xen_guest_event(t.guest, left(&t)->evt.port));
    g_assert_false(xen_guest_event(t.guest, right(&t)->evt.port));

    /* In the middle of a period, and before the event of the last one */
    qtest_clock_step(t.qts, PERIOD_NS / 2);
    g_assert_cmpint(xen_front_flip(right(&t), b->fb), ==, 0);
    qtest_clock_step(t.qts, PERIOD_NS / 4);
    g_assert_cmpint(xen_front_flip(right(&t), b->fb), ==, 0);
    check_events(right(&t), 0);
    qtest_clock_step(t.qts, 2 * PERIOD_NS);
    check_events(right(&t), 2);
    qtest_clock_step(t.qts, 10 * PERIOD_NS);
    check_events(right(&t), 2);
    check_events(left(&t), 60);

    end_buffer(&t, a);
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* A frontend that takes no events for a while must not lose any */
static void test_events_full(const void *testbed)
{
    XenFrontConnector *c;
    XenFrontBuffer *a;
    uint64_t flips = 0;
    int status;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    g_assert_cmpint(show(c, a), ==, 0);

    do {
        status = xen_front_flip(c, a->fb);
        flips += status == 0;
        qtest_clock_step(t.qts, PERIOD_NS);
        g_assert_cmpuint(flips, <=, 200);
    } while (status == 0);
    g_assert_cmpint(status, ==, -EBUSY);
    g_assert_cmpuint(flips, >=, XENDISPL_IN_RING_LEN);

    check_events(c, XENDISPL_IN_RING_LEN);
    for (i = 0; i < 64; i++) {
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    check_events(c, flips);
    g_assert_cmpint(xen_front_flip(c, a->fb), ==, 0);
    qtest_clock_step(t.qts, PERIOD_NS);
    check_events(c, flips + 1);

    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_many_flips(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *buffers[2];
    XenPvTest t;
    int flips, i;

    xen_pv_test_start(&t, testbed, CARD);
    flips = t.single_map ? 200 : 10000;
    xen_pv_test_connect(t.display);
    buffers[0] = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    buffers[1] = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_B);
    g_assert_cmpint(show(left(&t), buffers[0]), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), buffers[1]->fb), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), buffers[0]->fb), ==, 0);
    qtest_clock_step(t.qts, 3 * PERIOD_NS);
    check_events(left(&t), 2);

    test_stats(&t, &before);
    for (i = 0; i < flips; i++) {
        g_assert_cmpint(xen_front_flip(left(&t), buffers[(i + 1) & 1]->fb),
                        ==, 0);
        qtest_clock_step(t.qts, PERIOD_NS);
        check_events(left(&t), i + 3);
    }
    test_stats(&t, &after);
    if (!t.single_map) {
        g_assert_cmpuint(after.map_calls, ==, before.map_calls);
        g_assert_cmpuint(after.unmap_calls, ==, before.unmap_calls);
    }
    xen_front_buffer_draw(buffers[0], 31);
    check_left(&t, 31);

    end_buffer(&t, buffers[0]);
    end_buffer(&t, buffers[1]);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Coming and going */

static void test_reconnect(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < 20; i++) {
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        xen_front_buffer_draw(a, i);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        if (i & 1) {
            qtest_clock_step(t.qts, PERIOD_NS);
        }
        check_events(left(&t), i & 1);
        check_left(&t, i);

        /* Linux's driver goes without taking leave from its buffers */
        xen_pv_test_unload(&t);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpint(xen_front_set_state(&t.display->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }
    xen_pv_test_end(&t);
}

/* A guest that crashed comes back without a word of farewell */
static void test_restart(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);

    xen_front_set_state(&t.display->card, XenbusStateInitialising);
    g_assert_true(xen_front_wait_backend(&t.display->card,
                                         XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    check_idle(&t);
    g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);

    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 41);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 41);
    qtest_clock_step(t.qts, 2 * PERIOD_NS);
    check_events(left(&t), 0);

    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The guest's process ends, and another takes its place */
static void test_new_process(const void *testbed)
{
    GError *err = NULL;
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 45);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
    xen_front_buffer_free(a);
    xen_front_display_free(t.display);
    xen_guest_free(t.guest);
    qtest_clock_step(t.qts, 2 * PERIOD_NS);

    t.guest = xen_guest_new(t.memory, t.socket, &err);
    g_assert_no_error(err);
    t.display = xen_front_display_new(t.guest, 0);
    xen_front_set_state(&t.display->card, XenbusStateInitialising);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 46);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 46);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * QEMU is killed in mid-flip, with one request answered and its event not due,
 * and one more on the ring.  Another QEMU finds the toolstack's card by its
 * nodes, and the guest draws again.
 */
static void test_killed(const void *testbed)
{
    static const char *const resolutions[] = { "800x600", NULL };
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    XenFrontBuffer *a;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, XEN_PV_TEST_STATE, "");
    xen_pv_test_attach(t.display, "0", resolutions);
    for (i = 0; i < 3; i++) {
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        xen_front_buffer_draw(a, 47 + i);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        check_screen_at(&t, "vdispl-0", 0, 800, 600, 47 + i, 0, 0);
        g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        g_assert_cmpuint(xen_guest_count_in_use(t.guest), >, 2);
        req.op.pg_flip.fb_cookie = a->fb;
        xen_front_send(left(&t), &req);

        xen_pv_test_kill(&t);
        check_idle(&t);
        g_assert_true(xen_front_wait_backend(&t.display->card,
                                             XenbusStateInitWait,
                                             XEN_GUEST_DEADLINE));
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpint(xen_front_set_state(&t.display->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_vanish(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);

    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    g_assert_true(xen_guest_wait(t.guest, is_idle, t.guest,
                                 XEN_GUEST_DEADLINE));
    check_idle(&t);
    qtest_clock_step(t.qts, 2 * PERIOD_NS);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'query-status' }");
    xen_pv_test_end(&t);
}

static void test_quit(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;
    int pending;

    for (pending = 0; pending < 2; pending++) {
        xen_pv_test_start(&t, testbed, CARD);
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        if (pending) {
            g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        }

        /* The pages are looked at once QEMU is gone */
        check_no_leaks(&t);
        qtest_quit(t.qts);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpuint(xen_guest_count_in_use(t.guest), ==, 0);
        t.qts = qtest_init("-machine none -nodefaults");
        xen_front_display_free_rings(t.display);
        xen_front_display_free(t.display);
        xen_guest_free(t.guest);
        qtest_quit(t.qts);
        unlink(t.memory);
        unlink(t.socket);
        rmdir(t.dir);
        g_free(t.command);
        g_free(t.memory);
        g_free(t.socket);
        g_free(t.dir);
    }
}

static void test_unplug(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);

    /* The frontend stays Connected: it does not react to Closing */
    qtest_qmp_device_del(t.qts, "disp0");
    check_gone(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);
}

/* What xl asks of an HVM guest's QEMU when it saves the guest */
static QDict *save(XenPvTest *t)
{
    g_autofree char *file = g_strdup_printf("%s/state", t->dir);
    QDict *answer = qtest_qmp(t->qts, "{ 'execute': 'xen-save-devices-state',"
                              " 'arguments': { 'filename': %s } }", file);

    unlink(file);

    return answer;
}

/* Not while the guest is connected; nothing is changed by that */
static void test_save(const void *testbed)
{
    XenFrontBuffer *a;
    QDict *answer;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    answer = save(&t);
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);

    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 1);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    answer = save(&t);
    qmp_expect_error_and_unref(answer, "GenericError");
    check_left(&t, 1);
    xen_front_buffer_draw(a, 2);
    check_left(&t, 2);
    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    end_buffer(&t, a);

    xen_pv_test_unload(&t);
    answer = save(&t);
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);
    xen_pv_test_end(&t);
}

static void test_hotplug(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, "");
    for (i = 0; i < 3; i++) {
        qtest_qmp_device_add(t.qts, "xen-pvdisplay", "disp0",
                             "{ 'connectors': 'ONLY:800x600' }");
        xen_pv_test_connect(t.display);
        g_assert_cmpuint(t.display->nr_connectors, ==, 1);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        xen_front_buffer_draw(a, 50 + i);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        check_left(&t, 50 + i);

        /* Once connected, once closed, once never connected */
        if (i == 1) {
            xen_pv_test_unload(&t);
        }
        qtest_qmp_device_del(t.qts, "disp0");
        check_gone(&t);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    }
    qtest_qmp_device_add(t.qts, "xen-pvdisplay", "disp0",
                         "{ 'connectors': 'ONLY:800x600' }");
    qtest_qmp_device_del(t.qts, "disp0");
    check_gone(&t);
    xen_pv_test_end(&t);
}

static void test_two_cards(const void *testbed)
{
    XenFrontDisplay *other;
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD
                      "-device xen-pvdisplay,id=disp1,idx=1,connectors=300x200");
    other = xen_front_display_new(t.guest, 1);
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_front_display_connect(other), ==, 0);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);

    /* Cards know nothing of each other's names */
    b = xen_front_buffer_new(t.guest, 300, 200, COOKIE_A);
    g_assert_cmpint(xen_front_buffer_attach(other, b), ==, 0);
    xen_front_buffer_draw(a, 61);
    xen_front_buffer_draw(b, 62);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(show(&other->connectors[0], b), ==, 0);
    check_left(&t, 61);
    check_screen_at(&t, "disp1", 0, 300, 200, 62, 0, 0);

    qtest_qmp_device_del(t.qts, "disp1");
    g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    g_assert_cmpuint(xen_front_display_free(other), ==, 0);
    check_left(&t, 61);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The toolstack */

static void test_detach(const void *testbed)
{
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    g_assert_cmpint(show(left(&t), a), ==, 0);

    xen_toolstack_detach(&t.display->card);
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    check_gone(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);
}

static void test_toolstack(const void *testbed)
{
    static const char *const resolutions[] = { "300x200", NULL };
    XenFrontBuffer *a;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, "");
    for (i = 0; i < 2; i++) {
        xen_pv_test_attach(t.display, "0", resolutions);
        xen_pv_test_connect(t.display);
        g_assert_cmpuint(t.display->nr_connectors, ==, 1);
        a = new_buffer(&t, 300, 200, COOKIE_A);
        xen_front_buffer_draw(a, 71);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        check_screen_at(&t, "vdispl-0", 0, 300, 200, 71, 0, 0);

        xen_toolstack_detach(&t.display->card);
        qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
        check_gone(&t);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    }

    xen_pv_test_end(&t);
}

/* As a frontend and a toolstack see it: at once, and why */
static void check_card_refused(XenPvTest *t, const char *why)
{
    g_autofree char *path = g_strdup_printf("/local/domain/0/error/backend/"
                                            "vdispl/%u/0/error",
                                            XEN_TESTBED_GUEST);
    g_autofree char *text = NULL;

    g_assert_true(xen_front_wait_backend(&t->display->card,
                                         XenbusStateUnknown,
                                         XEN_GUEST_DEADLINE));
    g_assert_false(xen_guest_exists(t->guest, t->display->card.backend_path));
    text = xen_guest_dom0_read(t->guest, path);
    g_assert_nonnull(text);
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, why));
}

static void toolstack_remove(XenPvTest *t)
{
    xen_guest_call(t->guest, NULL, "dom0 rm %s", t->display->card.backend_path);
    g_assert_cmpint(xen_guest_call(t->guest, NULL, "dom0 rm %s",
                                   t->display->card.frontend_path), ==, 0);
}

/* What makes no sense makes no card, and can be mended */
static void test_refused(const void *testbed)
{
    static const char *const good[] = { "300x200", NULL };
    static const char *const nonsense[] = { "800", NULL };
    static const char *const none[] = { NULL };
    g_autofree char *error = g_strdup_printf("/local/domain/0/error/backend/"
                                             "vdispl/%u/0",
                                             XEN_TESTBED_GUEST);
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, "");
    for (i = 0; i < 3; i++) {
        xen_pv_test_attach(t.display, "0", i == 1 ? none : nonsense);
        check_card_refused(&t, i == 1 ? "name no connector" : "WIDTHxHEIGHT");
        toolstack_remove(&t);
    }
    xen_pv_test_attach(t.display, "0", good);
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "dom0 read %s", error), ==,
                    -ENOENT);
    xen_toolstack_detach(&t.display->card);
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    check_gone(&t);
    xen_pv_test_end(&t);
}

/* Options that hold for all of the toolstack's cards */
static void test_refused_options(const void *testbed)
{
    static const char *const good[] = { "300x200", NULL };
    XenPvTest t;

    xen_pv_test_start(&t, testbed, "-global xen-pvdisplay.max-pages=262145");
    xen_pv_test_attach(t.display, "0", good);
    check_card_refused(&t, "max-pages=262145 is not between 1 and");
    xen_pv_test_end(&t);
}

/* A number that is taken is no reason to take the nodes of who has it away */
static void test_refused_number(const void *testbed)
{
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_guest_dom0_write(t.guest, t.display->card.backend_state,
                                         "%d", XenbusStateInitialising), ==,
                    0);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'query-status' }");
    g_assert_true(xen_guest_exists(t.guest, t.display->card.backend_path));
    xen_pv_test_end(&t);
}

/* A hostile guest: requests */

typedef struct BadDbuf {
    const char *what;
    uint64_t cookie;
    uint32_t width;
    uint32_t height;
    uint32_t bpp;
    uint32_t size;
    uint32_t data_ofs;
} BadDbuf;

static const BadDbuf bad_dbufs[] = {
    { "cookie 0", 0, 800, 600, 32, 1920000, 0 },
    { "cookie in use", COOKIE_A, 800, 600, 32, 1920000, 0 },
    { "size 0", 1, 800, 600, 32, 0, 0 },
    { "size 0, no geometry", 1, 0, 0, 0, 0, 0 },
    { "width 0", 1, 0, 600, 32, 1920000, 0 },
    { "height 0", 1, 800, 0, 32, 1920000, 0 },
    { "bpp 0", 1, 800, 600, 0, 1920000, 0 },
    { "bpp 1", 1, 800, 600, 1, 1920000, 0 },
    { "bpp 2^32-1", 1, 800, 600, UINT32_MAX, 1920000, 0 },
    { "a page short", 1, 800, 600, 32, 1920000 - 4096, 0 },
    { "a row beyond the last page", 1, 800, 601, 32, 1920000, 0 },
    { "height * stride is 2^32", 1, 65536, 16384, 32, 4096, 0 },
    { "height * stride is 2^64", 1, UINT32_MAX, UINT32_MAX, 64, 4096, 0 },
    { "2^32-1 rows", 1, 1, UINT32_MAX, 32, 1920000, 0 },
    { "2^32-1 pixels a row", 1, UINT32_MAX, 1, 32, 1920000, 0 },
    { "size 2^32-1", 1, 800, 600, 32, UINT32_MAX, 0 },
    { "data offset at the end", 1, 800, 600, 32, 1920000, 1921024 },
    { "data offset 2^32-1", 1, 800, 600, 32, 1920000, UINT32_MAX },
    { "data offset leaves too little", 1, 800, 600, 32, 1920000, 2048 },
};

typedef struct BadFb {
    const char *what;
    uint64_t dbuf;
    uint64_t fb;
    uint32_t width;
    uint32_t height;
    uint32_t format;
} BadFb;

static const BadFb bad_fbs[] = {
    { "cookie 0", COOKIE_A, 0, 800, 600, XEN_FRONT_XRGB8888 },
    { "cookie in use", COOKIE_A, ~COOKIE_A, 800, 600, XEN_FRONT_XRGB8888 },
    { "unknown buffer", 77, 1, 800, 600, XEN_FRONT_XRGB8888 },
    { "buffer 0", 0, 1, 800, 600, XEN_FRONT_XRGB8888 },
    { "width 0", COOKIE_A, 1, 0, 600, XEN_FRONT_XRGB8888 },
    { "height 0", COOKIE_A, 1, 800, 0, XEN_FRONT_XRGB8888 },
    { "wider than the buffer", COOKIE_A, 1, 801, 600, XEN_FRONT_XRGB8888 },
    { "higher than the buffer", COOKIE_A, 1, 800, 601, XEN_FRONT_XRGB8888 },
    { "2^32-1 wide", COOKIE_A, 1, UINT32_MAX, 1, XEN_FRONT_XRGB8888 },
    { "2^30 wide", COOKIE_A, 1, 1 << 30, 4, XEN_FRONT_XRGB8888 },
    { "format 0", COOKIE_A, 1, 800, 600, 0 },
    { "format NV12", COOKIE_A, 1, 800, 600, 0x3231564e },
    { "format 2^32-1", COOKIE_A, 1, 800, 600, UINT32_MAX },
};

static int raw_request(XenFrontConnector *c, uint8_t operation, uint8_t fill)
{
    struct xendispl_req req;

    memset(&req, fill, sizeof(req));
    req.operation = operation;
    return xen_front_request(c, &req, NULL);
}

/* Nothing more is mapped, and the picture is the same */
static void check_unharmed(XenPvTest *t, const XenGuestStats *before,
                           uint32_t seed)
{
    XenGuestStats after;

    test_stats(t, &after);
    if (t->single_map) {
        /* A bad reference may have cost pages that nobody looked at */
        g_assert_cmpuint(after.mapped, <=, before->mapped);
        g_assert_cmpuint(after.refs, <=, before->refs);
    } else {
        g_assert_cmpuint(after.mapped, ==, before->mapped);
        g_assert_cmpuint(after.refs, ==, before->refs);
    }
    check_left(t, seed);
}

static void test_bad_requests(const void *testbed)
{
    XenGuestStats before;
    XenFrontBuffer *a;
    XenFrontPgdir *spare;
    uint32_t ref;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);

    /* Before there is anything */
    g_assert_cmpint(xen_front_flip(left(&t), 1), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), 0), <, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 1), <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 1), <, 0);
    g_assert_cmpint(switch_off(left(&t)), ==, 0);

    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    spare = xen_front_pgdir_new(t.guest, a->pgdir->size);
    ref = xen_front_pgdir_ref(spare);
    xen_front_buffer_draw(a, 81);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    test_stats(&t, &before);

    for (i = 0; i < ARRAY_SIZE(bad_dbufs); i++) {
        const BadDbuf *bad = &bad_dbufs[i];

        g_test_message("DBUF_CREATE: %s", bad->what);
        g_assert_cmpint(xen_front_dbuf_create(t.display, bad->cookie,
                                              bad->width, bad->height,
                                              bad->bpp, bad->size, 0, ref,
                                              bad->data_ofs), <, 0);
    }
    check_unharmed(&t, &before, 81);

    for (i = 0; i < ARRAY_SIZE(bad_fbs); i++) {
        const BadFb *bad = &bad_fbs[i];

        g_test_message("FB_ATTACH: %s", bad->what);
        g_assert_cmpint(xen_front_fb_attach(t.display, bad->dbuf, bad->fb,
                                            bad->width, bad->height,
                                            bad->format), <, 0);
    }
    check_unharmed(&t, &before, 81);

    g_assert_cmpint(xen_front_set_config(left(&t), 77, 0, 0, 800, 600, 32),
                    <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, 800, 0, 800, 600,
                                         32), <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, 0, 600, 800, 600,
                                         32), <, 0);
    g_assert_cmpint(xen_front_set_config(left(&t), a->fb, UINT32_MAX,
                                         UINT32_MAX, 800, 600, 32), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), 77), <, 0);
    g_assert_cmpint(xen_front_flip(left(&t), a->dbuf), <, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 77), <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 77), <, 0);
    check_unharmed(&t, &before, 81);

    /* Operations that are none, and all that is not known, on both rings */
    for (i = 0; i < 256; i++) {
        if (i < XENDISPL_OP_DBUF_CREATE || i > XENDISPL_OP_GET_EDID) {
            g_assert_cmpint(raw_request(left(&t), i, i), <, 0);
        } else {
            g_assert_cmpint(raw_request(right(&t), i, 0xff), <, 0);
            g_assert_cmpint(raw_request(left(&t), i, 0xff), <, 0);
            g_assert_cmpint(raw_request(left(&t), i, 0x5a), <, 0);
        }
    }
    check_unharmed(&t, &before, 81);

    /* Refused flips have no event */
    qtest_clock_step(t.qts, 3 * PERIOD_NS);
    check_events(left(&t), 0);
    check_events(right(&t), 0);

    /* Stale bits in the slot of a request are none of its business */
    g_assert_cmpint(xen_front_dbuf_create(t.display, COOKIE_B, 800, 600, 32,
                                          1920000, XEN_FRONT_ARGB8888, ref,
                                          0), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, COOKIE_B), ==, 0);

    g_assert_cmpuint(xen_front_pgdir_free(spare), ==, 0);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* A hostile guest: directories */

static int create(XenPvTest *t, XenFrontPgdir *pgdir, uint32_t ref)
{
    return xen_front_dbuf_create(t->display, COOKIE_B, 0, 0, 0, pgdir->size,
                                 0, ref, 0);
}

static void check_refused(XenPvTest *t, XenFrontPgdir *pgdir, uint32_t ref)
{
    XenGuestStats before, after;

    test_stats(t, &before);
    g_assert_cmpint(create(t, pgdir, ref), <, 0);
    test_stats(t, &after);
    g_assert_cmpuint(after.mapped, ==, before.mapped);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), <, 0);
    xen_front_pgdir_fill(pgdir);
}

static void check_taken(XenPvTest *t, XenFrontPgdir *pgdir)
{
    g_assert_cmpint(create(t, pgdir, xen_front_pgdir_ref(pgdir)), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), ==, 0);
    xen_front_pgdir_fill(pgdir);
}

/* Created, and then not to be shown */
static void check_not_shown(XenPvTest *t, XenFrontPgdir *pgdir)
{
    uint64_t fb = COOKIE_B + 1;

    g_assert_cmpint(create(t, pgdir, xen_front_pgdir_ref(pgdir)), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(t->display, COOKIE_B, fb, LEFT_WIDTH,
                                        LEFT_HEIGHT, XEN_FRONT_XRGB8888),
                    ==, 0);
    g_assert_cmpint(xen_front_set_config(left(t), fb, 0, 0, LEFT_WIDTH,
                                         LEFT_HEIGHT, 32), <, 0);
    g_assert_cmpint(xen_front_flip(right(t), fb), ==, 0);
    if (!t->single_map) {
        g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    }
    g_assert_cmpint(xen_front_fb_detach(t->display, fb), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, COOKIE_B), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(pgdir), ==, 0);
    xen_front_pgdir_fill(pgdir);
}

static void test_bad_directories(const void *testbed)
{
    uint32_t table_end = XEN_TESTBED_GRANT_FRAMES *
                         XEN_TESTBED_GRANTS_PER_PAGE;
    uint64_t size = (2 * XEN_FRONT_REFS_PER_DIR + 10) * XEN_GUEST_PAGE;
    grant_entry_v1_t *entry, saved;
    XenFrontDirPage *dir[3];
    XenFrontPgdir *pgdir;
    uint32_t ref;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    pgdir = xen_front_pgdir_new(t.guest, size);
    ref = xen_front_pgdir_ref(pgdir);
    for (i = 0; i < 3; i++) {
        dir[i] = xen_front_pgdir_page(pgdir, i);
    }
    check_taken(&t, pgdir);

    /* References of the directory itself */
    check_refused(&t, pgdir, 0);
    check_refused(&t, pgdir, UINT32_MAX);
    check_refused(&t, pgdir, table_end);
    check_refused(&t, pgdir, table_end - 1);

    /* A chain that ends early, or leads nowhere */
    dir[0]->next = 0;
    check_refused(&t, pgdir, ref);
    dir[1]->next = 0;
    check_refused(&t, pgdir, ref);
    dir[1]->next = UINT32_MAX;
    check_refused(&t, pgdir, ref);
    dir[0]->refs[0] = 0;
    check_refused(&t, pgdir, ref);
    dir[2]->refs[9] = 0;
    check_refused(&t, pgdir, ref);

    /* Loops end where the size says; what is beyond the end is not read */
    dir[0]->next = ref;
    check_taken(&t, pgdir);
    dir[2]->next = UINT32_MAX;
    check_taken(&t, pgdir);
    dir[2]->next = ref;
    check_taken(&t, pgdir);
    dir[2]->refs[10] = UINT32_MAX;
    check_taken(&t, pgdir);

    /* A directory page that was granted to somebody else, or not at all */
    entry = xen_guest_entry(t.guest, pgdir->dir_refs[1]);
    saved = *entry;
    entry->domid = 7;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->flags = 0;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->frame = UINT32_MAX;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    entry->flags = GTF_accept_transfer;
    check_refused(&t, pgdir, ref);
    *entry = saved;
    check_taken(&t, pgdir);

    /* A data page: nobody looks before it is shown, then nothing is mapped */
    entry = xen_guest_entry(t.guest, pgdir->refs[100]);
    saved = *entry;
    entry->domid = 7;
    check_not_shown(&t, pgdir);
    *entry = saved;
    entry->flags = 0;
    check_not_shown(&t, pgdir);
    *entry = saved;
    dir[0]->refs[100] = UINT32_MAX;
    check_not_shown(&t, pgdir);
    dir[0]->refs[100] = table_end;
    check_not_shown(&t, pgdir);

    /* The same page all over is odd, but legal; so is a read-only one */
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir[0]->refs[i] = pgdir->refs[0];
    }
    check_taken(&t, pgdir);
    xen_guest_entry(t.guest, pgdir->refs[0])->flags |= GTF_readonly;
    xen_guest_entry(t.guest, pgdir->dir_refs[0])->flags |= GTF_readonly;
    check_taken(&t, pgdir);

    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Display pages are mapped for reading: a read-only grant will do */
static void test_readonly(const void *testbed)
{
    XenFrontBuffer *a;
    uint32_t i;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    a = xen_front_buffer_new(t.guest, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    for (i = 0; i < a->pgdir->nr_pages; i++) {
        xen_guest_entry(t.guest, a->pgdir->refs[i])->flags |= GTF_readonly;
    }
    g_assert_cmpint(xen_front_buffer_attach(t.display, a), ==, 0);
    xen_front_buffer_draw(a, 91);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 91);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_quotas(const void *testbed)
{
    XenFrontBuffer *a, *big;
    XenFrontPgdir *page;
    int status = 0;
    XenPvTest t;
    int i, count;

    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,id=disp0,"
                      "max-pages=600,connectors='" CONNECTORS "'");
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 95);
    g_assert_cmpint(show(left(&t), a), ==, 0);

    big = xen_front_buffer_new(t.guest, 1024, 768, COOKIE_B);
    g_assert_cmpint(xen_front_buffer_attach(t.display, big), <, 0);
    g_assert_cmpuint(xen_front_buffer_free(big), ==, 0);

    /* Buffers of one page for ever: there is an end to it */
    page = xen_front_pgdir_new(t.guest, XEN_GUEST_PAGE);
    for (count = 0; !status && count < 100000; count++) {
        status = xen_front_dbuf_create(t.display, count + 1, 0, 0, 0,
                                       XEN_GUEST_PAGE, 0,
                                       xen_front_pgdir_ref(page), 0);
    }
    g_assert_cmpint(status, <, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, 1), ==, 0);
    g_assert_cmpint(xen_front_dbuf_create(t.display, 1, 0, 0, 0,
                                          XEN_GUEST_PAGE, 0,
                                          xen_front_pgdir_ref(page), 0),
                    ==, 0);
    for (i = 1; i < count; i++) {
        g_assert_cmpint(xen_front_dbuf_destroy(t.display, i), ==, 0);
    }

    /* And to framebuffers */
    status = 0;
    for (count = 0; !status && count < 100000; count++) {
        status = xen_front_fb_attach(t.display, a->dbuf, count + 1, 16, 16,
                                     XEN_FRONT_XRGB8888);
    }
    g_assert_cmpint(status, <, 0);
    check_left(&t, 95);
    g_assert_cmpint(xen_front_dbuf_destroy(t.display, a->dbuf), ==, 0);
    g_assert_cmpint(xen_front_fb_detach(t.display, 1), <, 0);
    check_left(&t, 95);

    g_assert_cmpuint(xen_front_pgdir_free(page), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/*
 * What the host has an end of, too.  Linux says EINVAL to more grants in one
 * call than its limit, whoever maps in smaller parts can show the picture.
 */
static void test_limit(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *a;
    XenPvTest t;

    xen_pv_test_start(&t, ",limit=100", CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    test_stats(&t, &before);
    /* One by one they are below any limit */
    if (t.single_map) {
        g_assert_cmpint(show(left(&t), a), ==, 0);
    } else {
        g_assert_cmpint(show(left(&t), a), ==, -EINVAL);
        test_stats(&t, &after);
        g_assert_cmpuint(after.map_failures, >, before.map_failures);
        g_assert_cmpuint(after.mapped, ==, before.mapped);
    }
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);

    xen_pv_test_start(&t, ",limit=100", CARD
                      "-global xen-pvdisplay.x-max-map-count=100");
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 96);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 96);
    end_buffer(&t, a);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The rings and one buffer fit into the map track, two buffers do not */
static void test_maptrack(const void *testbed)
{
    XenGuestStats before, after;
    XenFrontBuffer *a, *b;
    XenPvTest t;

    xen_pv_test_start(&t, ",maptrack=500", CARD);
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
    xen_front_buffer_draw(a, 97);
    xen_front_buffer_draw(b, 98);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    test_stats(&t, &before);
    /* Copies of pictures need no page for long */
    g_assert_cmpint(show(right(&t), b), ==, t.single_map ? 0 : -EINVAL);
    test_stats(&t, &after);
    g_assert_cmpuint(after.map_failures, >, before.map_failures);
    if (!t.single_map) {
        g_assert_cmpuint(after.mapped, ==, before.mapped);
    }
    check_left(&t, 97);

    /* There is room again when the other one is not shown any more */
    g_assert_cmpint(switch_off(left(&t)), ==, 0);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    check_right(&t, 98);
    g_assert_cmpint(switch_off(right(&t)), ==, 0);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    check_left(&t, 97);

    /* Or when it has gone */
    end_buffer(&t, a);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    check_right(&t, 98);
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* A hostile guest: rings */

static void test_bad_rings(const void *testbed)
{
    static const uint32_t beyond[] = { 33, 1000, 0x80000000, UINT32_MAX };
    struct xendispl_event_page *page;
    struct xendispl_resp resp;
    XenGuestStats before, after;
    XenFrontBuffer *a, *b;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(beyond); i++) {
        XenFrontConnector *c;

        xen_pv_test_connect(t.display);
        c = left(&t);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        b = new_buffer(&t, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
        xen_front_buffer_draw(a, 101);
        xen_front_buffer_draw(b, 102);
        g_assert_cmpint(show(c, a), ==, 0);
        g_assert_cmpint(show(right(&t), b), ==, 0);
        test_stats(&t, &before);

        /* A producer that is more than a ring ahead */
        c->req.ring.sring->req_prod = c->req.ring.rsp_cons + beyond[i];
        xen_guest_kick(t.guest, c->req.port);
        g_assert_cmpint(xen_front_receive(c, &resp, 20), ==, -ETIMEDOUT);

        /* The other connector does not care */
        xen_front_buffer_draw(b, 103);
        g_assert_cmpint(xen_front_flip(right(&t), b->fb), ==, 0);
        check_right(&t, 103);
        qtest_clock_step(t.qts, PERIOD_NS);
        check_events(right(&t), 1);
        check_left(&t, 101);
        test_stats(&t, &after);
        g_assert_cmpuint(after.mapped, ==, before.mapped);

        /* And a new connection heals it */
        xen_pv_test_unload(&t);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    }

    /* A consumer of events that makes no sense */
    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    xen_front_buffer_draw(a, 104);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    page = xen_guest_page(t.guest, left(&t)->evt.page);
    test_stats(&t, &before);
    page->in_cons = 12345;
    page->in_prod = 54321;
    for (i = 0; i < 10; i++) {
        g_assert_cmpint(xen_front_flip(left(&t), a->fb), ==, 0);
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    check_unharmed(&t, &before, 104);
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    xen_pv_test_end(&t);
}

/* A whole ring of requests at once, and ids that wrap */
static void test_full_ring(const void *testbed)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_SET_CONFIG };
    struct xendispl_resp resp;
    XenFrontConnector *c;
    XenPvTest t;
    int i, round;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    c->req.next_id = UINT16_MAX - 40;
    for (round = 0; round < 4; round++) {
        uint16_t first = c->req.next_id;

        for (i = 0; i < 32; i++) {
            req.operation = i & 1 ? XENDISPL_OP_PG_FLIP
                                  : XENDISPL_OP_SET_CONFIG;
            xen_front_send(c, &req);
        }
        for (i = 0; i < 32; i++) {
            g_assert_cmpint(xen_front_receive(c, &resp, XEN_FRONT_TIMEOUT),
                            ==, 0);
            g_assert_cmpuint(resp.id, ==, (uint16_t)(first + i));
            if (i & 1) {
                g_assert_cmpint(resp.status, <, 0);
            } else {
                g_assert_cmpint(resp.status, ==, 0);
            }
        }
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* A hostile guest: xenstore */

typedef struct BadNode {
    const char *key;
    const char *value;
} BadNode;

static const BadNode bad_nodes[] = {
    { "0/req-ring-ref", "abc" },
    { "0/req-ring-ref", "" },
    { "0/req-ring-ref", "0" },
    { "0/req-ring-ref", "-1" },
    { "0/req-ring-ref", "4294967295" },
    { "0/req-ring-ref", "4294967304" },
    { "0/evt-ring-ref", "99999999999999999999999999" },
    { "0/evt-ring-ref", NULL },
    { "0/req-event-channel", "0" },
    { "0/req-event-channel", "4294967295" },
    { "0/req-event-channel", NULL },
    { "1/evt-event-channel", "%n%n%n%s" },
    { "1/evt-event-channel", "1000" },
    { "1/req-ring-ref", "\xff\xfe" },
};

static void test_bad_nodes(const void *testbed)
{
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(bad_nodes); i++) {
        const BadNode *bad = &bad_nodes[i];
        g_autofree char *path = g_strdup_printf("%s/%s",
                                                t.display->card.frontend_path,
                                                bad->key);
        XenGuestStats stats;

        g_test_message("%s = %s", bad->key, bad->value);
        g_assert_true(xen_front_wait_backend(&t.display->card,
                                             XenbusStateInitWait,
                                             XEN_GUEST_DEADLINE));
        g_assert_cmpint(xen_front_display_read_config(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_alloc_rings(t.display), ==, 0);
        g_assert_cmpint(xen_front_display_publish(t.display), ==, 0);
        if (bad->value) {
            xen_guest_write(t.guest, path, "%s", bad->value);
        } else {
            xen_guest_rm(t.guest, path);
        }
        xen_front_set_state(&t.display->card, XenbusStateInitialised);
        g_assert_false(xen_front_wait_backend(&t.display->card,
                                              XenbusStateConnected,
                                              20));
        test_stats(&t, &stats);
        g_assert_cmpuint(stats.mapped, ==, 0);
        g_assert_cmpuint(stats.ports, ==, 0);

        /* What was not ready may become so */
        g_assert_cmpint(xen_front_display_publish(t.display), ==, 0);
        if (i == 0) {
            g_assert_true(xen_front_wait_backend(&t.display->card,
                                                 XenbusStateConnected,
                                                 XEN_GUEST_DEADLINE));
            xen_front_set_state(&t.display->card, XenbusStateConnected);
            xen_pv_test_unload(&t);
        }
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
    }
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_bad_states(const void *testbed)
{
    static const char *const states[] = {
        "garbage", "", "-1", "9", "4294967295", "99999999999999999999", "7",
        "0",
    };
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);
    for (i = 0; i < ARRAY_SIZE(states); i++) {
        XenFrontBuffer *a;

        g_test_message("state %s", states[i]);
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        xen_guest_write(t.guest, t.display->card.frontend_state, "%s",
                        states[i]);
        g_assert_true(xen_guest_wait(t.guest, is_idle, t.guest,
                                     XEN_GUEST_DEADLINE));
        check_idle(&t);
        g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        xen_front_set_state(&t.display->card, XenbusStateInitialising);
    }
    xen_pv_test_connect(t.display);
    xen_pv_test_unload(&t);

    /* The whole directory is the guest's to remove */
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_guest_rm(t.guest, t.display->card.frontend_path), ==,
                    0);
    g_assert_true(xen_guest_wait(t.guest, is_idle, t.guest,
                                 XEN_GUEST_DEADLINE));
    check_idle(&t);
    qtest_qmp_device_del(t.qts, "disp0");
    check_gone(&t);
    xen_pv_test_end(&t);
}

/* The testbed itself */

static void test_testbed(const void *testbed)
{
    g_autofree char *junk = g_strnfill(3 * XEN_TESTBED_LINE_MAX, 'x');
    g_autofree char *stats = NULL;
    g_autofree char *info = NULL;
    g_autofree char *value = NULL;
    const char *half = "7 in";
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, CARD);

    /* Lines that are none */
    xen_guest_send_raw(t.guest, "\n\n\n", 3);
    xen_guest_send_raw(t.guest, "\0\1\2\n", 4);
    xen_guest_send_raw(t.guest, "99999999999999999999 info\n", 26);
    xen_guest_send_raw(t.guest, "1\n1 bogus\n", 10);
    xen_guest_send_raw(t.guest, junk, strlen(junk));
    xen_guest_send_raw(t.guest, "\n", 1);
    g_assert_cmpint(xen_guest_call(t.guest, &info, "info"), ==, 0);
    for (i = 0; half[i]; i++) {
        xen_guest_send_raw(t.guest, &half[i], 1);
    }
    xen_guest_send_raw(t.guest, "fo\n", 3);

    g_assert_cmpint(xen_guest_call(t.guest, NULL, "kick"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "kick 1x"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "kick 4096"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "kick 5"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "fail map"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "fail all 1"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "write"), ==, -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "write data/a %%4"), ==,
                    -EINVAL);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "unwatch data/a"), ==,
                    -ENOENT);

    /* Bytes survive; paths may be relative; an empty value is one */
    g_assert_cmpint(xen_guest_write(t.guest, "data/a", " 100%%\n\xff "), ==,
                    0);
    value = xen_guest_read(t.guest, "/local/domain/1/data/a");
    g_assert_cmpstr(value, ==, " 100%\n\xff ");
    g_free(value);
    g_assert_cmpint(xen_guest_write(t.guest, "data/a", "%s", ""), ==, 0);
    value = xen_guest_read(t.guest, "data/a");
    g_assert_cmpstr(value, ==, "");

    /* A guest is a guest */
    g_assert_cmpint(xen_guest_write(t.guest, t.display->card.backend_state,
                                    "4"), ==, -EACCES);
    g_assert_cmpint(xen_guest_write(t.guest, "domid", "0"), ==, -EACCES);
    g_assert_cmpint(xen_guest_rm(t.guest, "data/b"), ==, -ENOENT);

    /* The property says what the line does */
    g_assert_cmpint(xen_guest_call(t.guest, &stats, "stats"), ==, 0);
    if (stats) {
        QDict *response = qtest_qmp(t.qts, "{ 'execute': 'qom-get', "
                                    "'arguments': { 'path': "
                                    "'/machine/peripheral/xen', "
                                    "'property': 'stats' } }");

        g_assert_cmpstr(qdict_get_str(response, "return"), ==, stats);
        qobject_unref(response);
    }
    xen_pv_test_end(&t);
}

/* Options */

typedef struct BadOptions {
    const char *what;
    const char *args;
    const char *complaint;
} BadOptions;

#define TESTBED "-device xen-testbed,memdev=dom,chardev=guest "
#define PVDISPLAY TESTBED "-device xen-pvdisplay,"

static const BadOptions bad_options[] = {
    { "no Xen", "-device xen-pvdisplay,connectors=800x600", "bus" },
    { "no connectors", TESTBED "-device xen-pvdisplay", "connectors" },
    { "empty", PVDISPLAY "connectors=", "connector" },
    { "one number", PVDISPLAY "connectors=800", "800" },
    { "zero", PVDISPLAY "connectors=0x0", "0x0" },
    { "no height", PVDISPLAY "connectors=800x", "800x" },
    { "text", PVDISPLAY "connectors=800x600px", "800x600px" },
    { "negative", PVDISPLAY "connectors=-800x600", "-800x600" },
    { "too wide", PVDISPLAY "connectors=99999x10", "99999x10" },
    { "2^32 wide", PVDISPLAY "connectors=4294967296x10", "4294967296x10" },
    { "no name", PVDISPLAY "connectors=:800x600", ":800x600" },
    { "a name with a slash", PVDISPLAY "connectors=a/b:800x600", "a/b" },
    { "an empty one at the end", PVDISPLAY "connectors=800x600;", "''" },
    { "the same name twice", PVDISPLAY "connectors=A:80x60;A:80x60", "'A'" },
    { "too many", PVDISPLAY "connectors=80x60;80x60;80x60;80x60;80x60;80x60;"
      "80x60;80x60;80x60;80x60;80x60;80x60;80x60;80x60;80x60;80x60;80x60",
      "too many" },
    { "rate 0", PVDISPLAY "connectors=800x600,refresh-rate=0",
      "refresh-rate" },
    { "rate -1", PVDISPLAY "connectors=800x600,refresh-rate=-1",
      "refresh-rate" },
    { "rate 1001", PVDISPLAY "connectors=800x600,refresh-rate=1001",
      "refresh-rate" },
    { "pages 2^18+1", PVDISPLAY "connectors=800x600,max-pages=262145",
      "max-pages" },
    { "mappings 15", PVDISPLAY "connectors=800x600,max-mappings=15",
      "max-mappings" },
    { "mappings 32769", PVDISPLAY "connectors=800x600,max-mappings=32769",
      "max-mappings" },
    { "pages 2^32-1", PVDISPLAY "connectors=800x600,max-pages=4294967295",
      "max-pages" },
    { "no buffers", PVDISPLAY "connectors=800x600,max-buffers=0",
      "max-buffers" },
    { "too many buffers", PVDISPLAY "connectors=800x600,max-buffers=65537",
      "max-buffers" },
    { "no framebuffers", PVDISPLAY "connectors=800x600,max-framebuffers=0",
      "max-framebuffers" },
    { "no time", PVDISPLAY "connectors=800x600,max-load=0", "max-load" },
    { "more than all time", PVDISPLAY "connectors=800x600,max-load=101",
      "max-load" },
    { "no lines", PVDISPLAY "connectors=800x600,max-log-lines=0",
      "max-log-lines" },
    { "too many lines", PVDISPLAY "connectors=800x600,max-log-lines=100001",
      "max-log-lines" },
    { "too many connections", PVDISPLAY "connectors=800x600,"
      "max-connects=100001", "max-connects" },
    { "text", PVDISPLAY "connectors=800x600,max-load=half", "max-load" },
    { "testbed without memory", "-device xen-testbed,chardev=guest",
      "memdev" },
    { "testbed without a guest", "-device xen-testbed,memdev=dom",
      "chardev" },
    { "testbed in private memory",
      "-object memory-backend-ram,id=ram,size=16M "
      "-device xen-testbed,memdev=ram,chardev=guest", "share=on" },
    { "testbed of domain 0",
      "-device xen-testbed,memdev=dom,chardev=guest,domid=0", "domid" },
    { "testbed all table",
      "-device xen-testbed,memdev=dom,chardev=guest,grant-frames=4096",
      "grant frames" },
    { "two testbeds", TESTBED "-chardev null,id=none "
      "-device xen-testbed,memdev=dom,chardev=none", "only one" },
};

static void check_complaint(const char *dir, const BadOptions *bad)
{
    g_autofree char *command = NULL;
    g_autofree char *output = NULL;
    g_autofree char *name = NULL;
    g_auto(GStrv) argv = NULL;
    GError *err = NULL;
    int status;
    char *line;

    g_test_message("%s", bad->what);
    command = g_strdup_printf("%s -machine none -nodefaults -display none "
                              "-audio none -accel qtest "
                              "-object memory-backend-file,id=dom,size=16M,"
                              "share=on,mem-path=%s/memory "
                              "-chardev socket,id=guest,path=%s/guest,"
                              "server=on,wait=off %s",
                              getenv("QTEST_QEMU_BINARY"), dir, dir,
                              bad->args);
    argv = g_strsplit(g_strstrip(command), " ", -1);
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                 NULL, &output, &status, &err);
    g_assert_no_error(err);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);

    /* One sentence, that says what is wrong, and no other (but ASan's) */
    name = g_path_get_basename(argv[0]);
    line = strstr(output, name);
    g_assert_nonnull(line);
    g_test_message("%s", line);
    g_assert_nonnull(strstr(line, bad->complaint));
    g_assert_true(strchr(line, '\n') == line + strlen(line) - 1);
}

static void test_bad_options(void)
{
    GError *err = NULL;
    g_autofree char *dir = g_dir_make_tmp("xen-pvdisplay-XXXXXX", &err);
    g_autofree char *memory = g_build_filename(dir, "memory", NULL);
    g_autofree char *socket = g_build_filename(dir, "guest", NULL);
    int i;

    g_assert_no_error(err);
    for (i = 0; i < ARRAY_SIZE(bad_options); i++) {
        check_complaint(dir, &bad_options[i]);
        unlink(memory);
        unlink(socket);
    }
    rmdir(dir);
}

static const XenPvCase cases[] = {
    { "testbed", test_testbed },
    { "connect", test_connect_nodes },
    { "show", test_show },
    { "two-connectors", test_two_connectors },
    { "two-cards", test_two_cards },
    { "lazy", test_lazy },
    { "layouts", test_layouts },
    { "destroy-shown", test_destroy_shown },
    { "destroy-held", test_destroy_held },
    { "events", test_events },
    { "events-full", test_events_full },
    { "many-flips", test_many_flips },
    { "reconnect", test_reconnect },
    { "restart", test_restart },
    { "new-process", test_new_process },
    { "killed", test_killed },
    { "vanish", test_vanish },
    { "quit", test_quit },
    { "unplug", test_unplug },
    { "save", test_save },
    { "hotplug", test_hotplug },
    { "detach", test_detach },
    { "toolstack", test_toolstack },
    { "refused", test_refused },
    { "refused-options", test_refused_options },
    { "refused-number", test_refused_number },
    { "bad-requests", test_bad_requests },
    { "bad-directories", test_bad_directories },
    { "readonly", test_readonly },
    { "quotas", test_quotas },
    { "limit", test_limit },
    { "maptrack", test_maptrack },
    { "bad-rings", test_bad_rings },
    { "full-ring", test_full_ring },
    { "bad-nodes", test_bad_nodes },
    { "bad-states", test_bad_states },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    qtest_add_func("xen-pvdisplay/bad-options", test_bad_options);
    return g_test_run();
}
