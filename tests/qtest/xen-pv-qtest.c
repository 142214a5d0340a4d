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
        "-device xen-testbed,id=xen,memdev=dom,chardev=guest%s%s %s %s",
        testbed, xen_guest_testbed_options(),
        strstr(args, XEN_PV_TEST_CLOSING) ? "" : XEN_PV_TEST_CLOSING "20",
        args);
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

static bool is_idle(void *opaque)
{
    return xen_guest_count_in_use(opaque) == 0;
}

void xen_pv_test_wait_idle(XenPvTest *t)
{
    g_assert_true(xen_guest_wait(t->guest, is_idle, t->guest,
                                 XEN_GUEST_DEADLINE));
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
    /* What the host shared stays for the guest's next buffer */
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

/* The toolstack */

void xen_pv_test_attach(XenFrontDisplay *display, const char *be_alloc,
                        const char *const *resolutions)
{
    int i;

    xen_toolstack_begin(&display->card);
    if (be_alloc) {
        xen_toolstack_write(&display->card, "be-alloc", be_alloc);
    }
    for (i = 0; resolutions[i]; i++) {
        g_autofree char *resolution = g_strdup_printf("%d/resolution", i);
        g_autofree char *id = g_strdup_printf("%d/unique-id", i);

        xen_toolstack_write(&display->card, resolution, resolutions[i]);
        xen_toolstack_write(&display->card, id, "");
    }
    xen_toolstack_end(&display->card);
}

static bool is_gone(void *opaque)
{
    XenFrontCard *card = opaque;

    return !xen_guest_exists(card->guest, card->frontend_path) &&
           !xen_guest_exists(card->guest, card->backend_path);
}

void xen_pv_test_detach(XenPvTest *t, XenFrontDisplay *display)
{
    xen_toolstack_detach(&display->card);
    qtest_qmp_eventwait(t->qts, "DEVICE_DELETED");
    g_assert_true(xen_guest_wait(t->guest, is_gone, &display->card,
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

void xen_pv_picture_parse(XenPvPicture *picture, const char *file, gsize size)
{
    uint32_t width, height, x, y;
    const uint8_t *rgb;
    int offset = 0;
    gsize stride;

    g_assert_cmpint(sscanf(file, "P6 %u %u 255%n", &width, &height, &offset),
                    ==, 2);
    g_assert_cmpint(offset, >, 0);
    offset++;
    stride = (gsize)width * 3;
    /* A QEMU without the overlay's patch pads rows, which PPM does not know */
    if (g_getenv("XEN_PV_PLUGIN")) {
        stride = ROUND_UP(stride, 4);
    }
    g_assert_cmpuint(size, ==, offset + stride * height);
    xen_pv_picture_init(picture, width, height);
    for (y = 0; y < height; y++) {
        rgb = (uint8_t *)file + offset + y * stride;
        for (x = 0; x < width; x++) {
            picture->pixels[y * width + x] = rgb[0] << 16 | rgb[1] << 8 |
                                             rgb[2];
            rgb += 3;
        }
    }
}

void xen_pv_picture_take(XenPvTest *t, const char *device, int head,
                         XenPvPicture *picture)
{
    g_autofree char *path = g_build_filename(t->dir, "screen.ppm", NULL);
    g_autofree char *file = NULL;
    GError *err = NULL;
    gsize size;

    qtest_qmp_assert_success(t->qts,
                             "{ 'execute': 'screendump', 'arguments': "
                             "{ 'filename': %s, 'device': %s, 'head': %d } }",
                             path, device, head);
    g_file_get_contents(path, &file, &size, &err);
    g_assert_no_error(err);
    unlink(path);
    xen_pv_picture_parse(picture, file, size);
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

/* Tests */

void xen_pv_test_add(const char *prefix, const XenPvCase *cases, size_t count,
                     const char *testbed)
{
    size_t i;

    for (i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", prefix,
                                                cases[i].name);

        qtest_add_data_func(path, testbed, cases[i].test);
    }
}
