/*
 * QTest of xen-pvdisplay: pictures and events arrive
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
    XenPvPicture picture;
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
    g_byte_array_append(bytes, (const uint8_t *)"", 1);
    xen_pv_picture_parse(&picture, (char *)bytes->data, bytes->len - 1);
    g_assert_cmpuint(picture.width, ==, LEFT_WIDTH);
    g_assert_cmphex(picture.pixels[599 * LEFT_WIDTH + 799], ==,
                    xen_front_pixel(799, 599, 21));
    xen_pv_picture_clear(&picture);
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

static const XenPvCase cases[] = {
    { "testbed", test_testbed },
    { "connect", test_connect_nodes },
    { "show", test_show },
    { "two-connectors", test_two_connectors },
    { "lazy", test_lazy },
    { "layouts", test_layouts },
    { "destroy-shown", test_destroy_shown },
    { "destroy-held", test_destroy_held },
    { "events", test_events },
    { "events-full", test_events_full },
    { "many-flips", test_many_flips },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
