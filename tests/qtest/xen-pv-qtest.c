/*
 * What QTests of PV displays have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "xen-pv-qtest.h"

/* A QEMU and its guest */

void xen_pv_test_start(XenPvTest *t, const char *testbed, const char *args)
{
    g_autofree char *all = g_strdup_printf(
        "-machine none -nodefaults "
        "-object memory-backend-file,id=dom,size=64M,share=on,"
        "mem-path=DIR/memory "
        "-chardev socket,id=guest,path=DIR/guest,server=on,wait=off "
        "-device xen-testbed,id=xen,memdev=dom,chardev=guest%s%s %s",
        testbed, xen_guest_testbed_options(), args);
    g_auto(GStrv) parts = g_strsplit(all, "DIR/", -1);
    g_autofree char *folder = NULL;
    GError *err = NULL;

    memset(t, 0, sizeof(*t));
    t->single_map = xen_guest_testbed_is_single(testbed);
    t->dir = g_dir_make_tmp("xen-pv-XXXXXX", &err);
    g_assert_no_error(err);
    t->memory = g_build_filename(t->dir, "memory", NULL);
    t->socket = g_build_filename(t->dir, "guest", NULL);
    folder = g_strdup_printf("%s/", t->dir);
    t->command = g_strjoinv(folder, parts);
    t->qts = qtest_init(t->command);
    t->guest = xen_guest_new(t->memory, t->socket, &err);
    g_assert_no_error(err);
    t->display = xen_front_display_new(t->guest, 0);
}

/* Whatever is in use is so by the QEMU that is there now */
static bool none_is_left(void *opaque)
{
    XenGuestStats stats;

    return xen_guest_stats(opaque, &stats) == 0 &&
           xen_guest_count_in_use(opaque) == stats.refs;
}

/*
 * libqtest takes a QEMU that was killed for one that has crashed, and cannot
 * be told otherwise: keep what it has of it.
 */
void xen_pv_test_kill(XenPvTest *t)
{
    static GPtrArray *killed;

    if (!killed) {
        killed = g_ptr_array_new();
    }
    g_ptr_array_add(killed, t->qts);
    g_assert_cmpint(kill(qtest_pid(t->qts), SIGKILL), ==, 0);
    while (qtest_probe_child(t->qts)) {
        g_usleep(1000);
    }
    t->qts = qtest_init(t->command);
    g_assert_true(xen_guest_reconnect(t->guest, t->socket));
    g_assert_true(xen_guest_wait(t->guest, none_is_left, t->guest,
                                 XEN_GUEST_DEADLINE));
}

static void remove_dir(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        unlink(file);
    }
    g_clear_pointer(&dir, g_dir_close);
    rmdir(path);
}

void xen_pv_test_quit(XenPvTest *t)
{
    XenGuestStats stats;

    g_assert_cmpint(xen_guest_stats(t->guest, &stats), ==, 0);
    g_assert_cmpuint(stats.leaks, ==, 0);
    g_assert_cmpuint(stats.bad_unmaps, ==, 0);
    g_assert_cmpuint(stats.share_leaks, ==, 0);
    qtest_quit(t->qts);
    t->qts = NULL;
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

void xen_pv_test_end(XenPvTest *t)
{
    if (t->qts) {
        xen_pv_test_quit(t);
    }
    g_assert_cmpuint(xen_front_display_free(t->display), ==, 0);
    xen_guest_free(t->guest);
    remove_dir(t->dir);
    g_free(t->command);
    g_free(t->memory);
    g_free(t->socket);
    g_free(t->dir);
}

void xen_pv_test_connect(XenFrontDisplay *display)
{
    g_assert_cmpint(xen_front_display_connect(display), ==, 0);
}

void xen_pv_test_unload(XenPvTest *t)
{
    XenGuestStats stats;

    g_assert_cmpint(xen_front_display_unload(t->display), ==, 0);
    g_assert_cmpint(xen_guest_stats(t->guest, &stats), ==, 0);
    g_assert_cmpuint(stats.mapped, ==, 0);
    g_assert_cmpuint(stats.refs, ==, 0);
    g_assert_cmpuint(stats.ports, ==, 0);
    g_assert_cmpuint(stats.shared, ==, 0);
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

/* The toolstack */

static void write_node(XenFrontDisplay *display, const char *dir,
                       const char *key, const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    g_assert_cmpint(xen_guest_dom0_write(display->guest, path, "%s", value),
                    ==, 0);
}

void xen_pv_test_attach(XenFrontDisplay *display, const char *be_alloc,
                        const char *const *resolutions)
{
    const char *front = display->frontend_path;
    const char *back = display->backend_path;
    int i;

    g_assert_cmpint(xen_guest_call(display->guest, NULL,
                                   "dom0 create %s %u %u", front,
                                   XEN_TESTBED_GUEST, XEN_TESTBED_BACKEND),
                    ==, 0);
    write_node(display, front, "backend", back);
    write_node(display, front, "backend-id", "0");
    if (be_alloc) {
        write_node(display, front, "be-alloc", be_alloc);
    }
    for (i = 0; resolutions[i]; i++) {
        g_autofree char *resolution = g_strdup_printf("%d/resolution", i);
        g_autofree char *id = g_strdup_printf("%d/unique-id", i);

        write_node(display, front, resolution, resolutions[i]);
        write_node(display, front, id, "");
    }
    write_node(display, front, "state", "1");
    g_assert_cmpint(xen_guest_call(display->guest, NULL,
                                   "dom0 create %s %u %u", back,
                                   XEN_TESTBED_BACKEND, XEN_TESTBED_GUEST),
                    ==, 0);
    write_node(display, back, "frontend", front);
    write_node(display, back, "frontend-id", "1");
    write_node(display, back, "online", "1");
    write_node(display, back, "state", "1");
}

static bool is_gone(void *opaque)
{
    XenFrontDisplay *display = opaque;

    return !xen_guest_exists(display->guest, display->frontend_path) &&
           !xen_guest_exists(display->guest, display->backend_path);
}

void xen_pv_test_detach(XenPvTest *t, XenFrontDisplay *display)
{
    write_node(display, display->backend_path, "online", "0");
    write_node(display, display->backend_path, "state", "5");
    qtest_qmp_eventwait(t->qts, "DEVICE_DELETED");
    g_assert_true(xen_guest_wait(t->guest, is_gone, display,
                                 XEN_GUEST_DEADLINE));
    g_assert_cmpuint(xen_front_display_free_rings(display), ==, 0);
}

/* The monitor */

QObject *xen_pv_test_get(XenPvTest *t, const char *id, const char *property)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    QDict *response = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': %s, "
                                "'property': %s } }", path, property);
    QObject *value = qdict_get(response, "return");

    g_assert_nonnull(value);
    qobject_ref(value);
    qobject_unref(response);
    return value;
}

/* Pictures */

void xen_pv_picture_init(XenPvPicture *picture, uint32_t width,
                         uint32_t height)
{
    picture->width = width;
    picture->height = height;
    picture->pixels = g_new0(uint32_t, (size_t)width * height);
}

void xen_pv_picture_clear(XenPvPicture *picture)
{
    g_clear_pointer(&picture->pixels, g_free);
}

void xen_pv_picture_take(XenPvTest *t, const char *device, int head,
                         XenPvPicture *picture)
{
    g_autofree char *path = g_build_filename(t->dir, "screen.ppm", NULL);
    g_autofree char *file = NULL;
    uint32_t width, height, stride, x, y;
    GError *err = NULL;
    int offset = 0;
    gsize size;

    qtest_qmp_assert_success(t->qts,
                             "{ 'execute': 'screendump', 'arguments': "
                             "{ 'filename': %s, 'device': %s, 'head': %d } }",
                             path, device, head);
    g_file_get_contents(path, &file, &size, &err);
    g_assert_no_error(err);
    unlink(path);

    g_assert_cmpint(sscanf(file, "P6 %u %u 255%n", &width, &height, &offset),
                    ==, 2);
    g_assert_cmpint(offset, >, 0);
    offset++;
    /* QEMU pads rows of 24 bits to words, which PPM does not know */
    stride = ROUND_UP(width * 3, 4);
    g_assert_cmpuint(size, ==, offset + stride * height);
    xen_pv_picture_init(picture, width, height);
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            const uint8_t *rgb = (uint8_t *)file + offset + y * stride + x * 3;

            picture->pixels[y * width + x] = rgb[0] << 16 | rgb[1] << 8 |
                                             rgb[2];
        }
    }
}

bool xen_pv_picture_is(const XenPvPicture *picture, uint32_t width,
                       uint32_t height, uint32_t seed)
{
    uint32_t x, y;

    if (picture->width != width || picture->height != height) {
        return false;
    }
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            if (picture->pixels[y * width + x] !=
                xen_front_pixel(x, y, seed)) {
                return false;
            }
        }
    }
    return true;
}

void xen_pv_check_screen(XenPvTest *t, const char *device, int head,
                         uint32_t width, uint32_t height, uint32_t seed)
{
    XenPvPicture picture;

    xen_pv_picture_take(t, device, head, &picture);
    g_assert_cmpuint(picture.width, ==, width);
    g_assert_cmpuint(picture.height, ==, height);
    g_assert_true(xen_pv_picture_is(&picture, width, height, seed));
    xen_pv_picture_clear(&picture);
}
