/*
 * QTest of xen-pvdisplay with viewers of QEMU's VNC server: what they see, also
 * those that are slow, come and go, or take nothing
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "rfb-viewer.h"
#include "xen-pvdisplay-drawing.h"

#define ODD_WIDTH       300
#define ODD_HEIGHT      201
#define VNC_CARD        "-device xen-pvdisplay,id=disp0," \
                        "connectors='LEFT:800x600;RIGHT:300x201' " \
                        "-vnc unix:DIR/left,display=disp0,head=0 " \
                        "-vnc unix:DIR/right,display=disp0,head=1 "

/* What a viewer is to see: a picture of xen_front_buffer_draw() */
typedef struct Wanted {
    uint32_t width;
    uint32_t height;
    uint32_t seed;
} Wanted;

static bool sees_picture(RfbViewer *v, void *opaque)
{
    Wanted *want = opaque;
    XenPvPicture picture = { v->width, v->height, v->pixels };

    return xen_pv_picture_is(&picture, want->width, want->height, want->seed);
}

static void check_viewer(RfbViewer *v, uint32_t width, uint32_t height,
                         uint32_t seed)
{
    Wanted want = { width, height, seed };

    g_assert_true(rfb_viewer_wait(v, sees_picture, &want,
                                  XEN_GUEST_DEADLINE));
}

static bool sees_size(RfbViewer *v, void *opaque)
{
    Wanted *want = opaque;

    return v->width == want->width && v->height == want->height &&
           v->updates > 0;
}

static void check_size(RfbViewer *v, uint32_t width, uint32_t height)
{
    Wanted want = { width, height };

    g_assert_true(rfb_viewer_wait(v, sees_size, &want, XEN_GUEST_DEADLINE));
}

/* Any picture but that one */
static bool sees_other(RfbViewer *v, void *opaque)
{
    return !sees_picture(v, opaque);
}

static void test_vnc(const void *testbed)
{
    XenFrontBuffer *a, *b, *c;
    RfbViewer *l, *r, *late;
    XenPvTest t;
    uint32_t i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    l = rfb_viewer_start(t.dir, "left");
    r = rfb_viewer_start(t.dir, "right");
    check_size(l, LEFT_WIDTH, LEFT_HEIGHT);
    check_size(r, ODD_WIDTH, ODD_HEIGHT);

    xen_pv_test_connect(t.display);
    a = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(&t, ODD_WIDTH, ODD_HEIGHT, COOKIE_B);
    c = new_buffer(&t, ODD_WIDTH, ODD_HEIGHT, COOKIE_B + 8);
    xen_front_buffer_draw(a, 1);
    xen_front_buffer_draw(b, 2);
    xen_front_buffer_draw(c, 3);

    /* Each its own */
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(show(right(&t), b), ==, 0);
    check_viewer(l, LEFT_WIDTH, LEFT_HEIGHT, 1);
    check_viewer(r, ODD_WIDTH, ODD_HEIGHT, 2);

    /* Drawn without a word: one pixel, and all of them */
    for (i = 4; i < 8; i++) {
        xen_front_buffer_draw(a, i);
        check_viewer(l, LEFT_WIDTH, LEFT_HEIGHT, i);
    }
    xen_front_buffer_draw(b, 8);
    ((uint32_t *)b->pgdir->data)[ODD_WIDTH * 100 + 77] ^= 0x010101;
    rfb_viewer_wait(r, sees_other, &(Wanted) { ODD_WIDTH, ODD_HEIGHT, 2 },
                    XEN_GUEST_DEADLINE);
    ((uint32_t *)b->pgdir->data)[ODD_WIDTH * 100 + 77] ^= 0x010101;
    check_viewer(r, ODD_WIDTH, ODD_HEIGHT, 8);

    for (i = 0; i < 8; i++) {
        flip(&t, right(&t), i & 1 ? b->fb : c->fb);
        check_viewer(r, ODD_WIDTH, ODD_HEIGHT, i & 1 ? 8 : 3);
    }

    /* Who comes later sees what is there, also when its buffer is gone */
    late = rfb_viewer_start(t.dir, "left");
    check_viewer(late, LEFT_WIDTH, LEFT_HEIGHT, 7);
    rfb_viewer_free(late);
    end_buffer(&t, a);
    late = rfb_viewer_start(t.dir, "left");
    check_viewer(late, LEFT_WIDTH, LEFT_HEIGHT, 7);
    rfb_viewer_free(late);

    end_buffer(&t, b);
    end_buffer(&t, c);
    xen_pv_test_unload(&t);
    rfb_viewer_free(l);
    rfb_viewer_free(r);
    xen_pv_test_end(&t);
}

/* The same of a picture that is converted, within its format's precision */
static bool sees_drawing(RfbViewer *v, void *opaque)
{
    const Drawing *d = opaque;
    int tolerance = is_yuyv(d->format) ? 1 : 0;
    uint32_t x, y;

    if (v->width != d->width || v->height != d->height) {
        return false;
    }
    for (y = 0; y < v->height; y++) {
        for (x = 0; x < v->width; x++) {
            if (!is_near(v->pixels[y * v->width + x], expected(d, x, y),
                         tolerance)) {
                return false;
            }
        }
    }
    return true;
}

static void test_vnc_formats(const void *testbed)
{
    static const char *const names[] = { "YUYV", "XR30", "RG16", "RG24" };
    XenFrontConnector *c;
    RfbViewer *v;
    XenPvTest t;
    Drawing d;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD
                      "-vnc unix:DIR/vnc,display=disp0 ");
    v = rfb_viewer_start(t.dir, "vnc");
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        new_drawing(&t, &d, get_format(names[i]), i + 1, i);
        g_assert_cmpint(xen_front_set_config(c, i + 1, 0, 0, 64, 45, 32), ==,
                        0);
        g_assert_true(rfb_viewer_wait(v, sees_drawing, &d,
                                      XEN_GUEST_DEADLINE));
        d.seed = 100 + i;
        draw(&d);
        g_assert_true(rfb_viewer_wait(v, sees_drawing, &d,
                                      XEN_GUEST_DEADLINE));
        end_drawing(&t, &d, i + 1);
    }
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/* A viewer that takes nothing must not hold back the guest, or the others */
static void test_vnc_blocked(const void *testbed)
{
    XenFrontBuffer *buffers[2];
    RfbViewer *stuck, *v;
    XenFrontConnector *c;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], i);
    }
    g_assert_cmpint(show(c, buffers[0]), ==, 0);
    stuck = rfb_viewer_start(t.dir, "left");
    v = rfb_viewer_start(t.dir, "left");
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 0);

    for (i = 1; i <= 300; i++) {
        if (i % 30 == 0) {
            xen_front_buffer_draw(buffers[i & 1], i);
            rfb_viewer_request(stuck, false);
        }
        flip(&t, c, buffers[i & 1]->fb);
        if (i % 30 == 0) {
            check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, i);
        }
    }
    /* Nor may its going */
    rfb_viewer_free(stuck);
    flip(&t, c, buffers[1]->fb);
    xen_front_buffer_draw(buffers[1], 1000);
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 1000);

    end_buffer(&t, buffers[0]);
    end_buffer(&t, buffers[1]);
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/* Ask for all of the picture, and take only some of it */
static RfbViewer *take_some(XenPvTest *t, size_t bytes)
{
    RfbViewer *v = rfb_viewer_start(t->dir, "left");
    uint8_t data[4096];

    while (bytes) {
        ssize_t n = recv(v->fd, data, MIN(bytes, sizeof(data)), 0);

        g_assert_cmpint(n, >, 0);
        bytes -= n;
    }
    return v;
}

/*
 * Viewers go in mid-update, which is more than a socket holds.  So does the
 * buffer that is shown meanwhile, and in the end the guest.
 */
static void test_vnc_mid_update(const void *testbed)
{
    static const size_t cuts[] = { 1, 4, 16, 4096, 1000000 };
    XenFrontBuffer *buffer;
    XenFrontConnector *c;
    RfbViewer *v, *other;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    for (i = 0; i < ARRAY_SIZE(cuts); i++) {
        xen_pv_test_connect(t.display);
        c = left(&t);
        buffer = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, 1);
        xen_front_buffer_draw(buffer, i);
        g_assert_cmpint(show(c, buffer), ==, 0);

        rfb_viewer_free(take_some(&t, cuts[i]));
        flip(&t, c, buffer->fb);
        v = take_some(&t, cuts[i]);
        end_buffer(&t, buffer);
        rfb_viewer_free(v);

        buffer = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, 1);
        xen_front_buffer_draw(buffer, 100 + i);
        g_assert_cmpint(show(c, buffer), ==, 0);
        v = take_some(&t, cuts[i]);
        other = rfb_viewer_start(t.dir, "left");
        check_viewer(other, LEFT_WIDTH, LEFT_HEIGHT, 100 + i);
        rfb_viewer_free(other);
        end_buffer(&t, buffer);
        xen_pv_test_unload(&t);
        rfb_viewer_free(v);
        g_assert_cmpint(xen_front_set_state(&t.display->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }

    xen_pv_test_connect(t.display);
    c = left(&t);
    buffer = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, 1);
    g_assert_cmpint(show(c, buffer), ==, 0);
    v = take_some(&t, 4096);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    qtest_clock_step(t.qts, PERIOD_NS);
    xen_pv_test_wait_idle(&t);
    rfb_viewer_free(v);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'query-status' }");
    xen_pv_test_end(&t);
}

#define WIDE_WIDTH      2560
#define WIDE_HEIGHT     1600

/*
 * Two pictures that are the same are shown in turn while QEMU compresses an
 * update for one viewer, and that of another waits behind it.  It has to come:
 * nothing else would ever bring what it has.
 */
static void test_vnc_slow_update(const void *testbed)
{
    XenFrontBuffer *buffers[2];
    XenFrontConnector *c;
    RfbViewer *slow, *v;
    XenPvTest t;
    int i, n;

    xen_pv_test_start(&t, testbed,
                      "-device xen-pvdisplay,id=disp0,connectors=2560x1600 "
                      "-vnc unix:DIR/vnc,display=disp0 ");
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(&t, WIDE_WIDTH, WIDE_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], 0);
    }
    g_assert_cmpint(show(c, buffers[0]), ==, 0);

    for (i = 1; i <= 5; i++) {
        int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000;

        slow = rfb_viewer_start(t.dir, "vnc");
        check_viewer(slow, WIDE_WIDTH, WIDE_HEIGHT, i - 1);
        rfb_viewer_compress(slow);
        v = rfb_viewer_start(t.dir, "vnc");
        check_viewer(v, WIDE_WIDTH, WIDE_HEIGHT, i - 1);

        xen_front_buffer_draw(buffers[0], i);
        xen_front_buffer_draw(buffers[1], i);
        for (n = 1; !rfb_viewer_has_message(slow); n++) {
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
            flip(&t, c, buffers[n & 1]->fb);
        }
        check_viewer(v, WIDE_WIDTH, WIDE_HEIGHT, i);
        rfb_viewer_free(slow);
        rfb_viewer_free(v);
    }

    end_buffer(&t, buffers[0]);
    end_buffer(&t, buffers[1]);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Viewers come and go, at any moment of their lives, while a guest flips */
static void test_vnc_crowd(const void *testbed)
{
    g_autofree char *path = NULL;
    XenFrontBuffer *buffers[2];
    XenFrontConnector *c;
    RfbViewer *v;
    XenPvTest t;
    int i, fd;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    path = g_build_filename(t.dir, "left", NULL);
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(&t, LEFT_WIDTH, LEFT_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], i);
    }
    g_assert_cmpint(show(c, buffers[0]), ==, 0);

    for (i = 0; i < 60; i++) {
        if (i % 3 == 0) {
            fd = rfb_viewer_socket(path);
            g_assert_cmpint(fd, >=, 0);
            flip(&t, c, buffers[i & 1]->fb);
            close(fd);
            continue;
        }
        v = rfb_viewer_start(t.dir, "left");
        flip(&t, c, buffers[i & 1]->fb);
        if (i % 3 == 1) {
            check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, i & 1);
        }
        flip(&t, c, buffers[i & 1]->fb);
        rfb_viewer_free(v);
    }
    flip(&t, c, buffers[0]->fb);
    v = rfb_viewer_start(t.dir, "left");
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 0);
    rfb_viewer_free(v);

    end_buffer(&t, buffers[0]);
    end_buffer(&t, buffers[1]);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void press_ctrl_alt(RfbViewer *v, uint32_t keysym)
{
    static const uint32_t modifiers[] = { 0xffe3, 0xffe9 };
    int i;

    for (i = 0; i < ARRAY_SIZE(modifiers); i++) {
        rfb_viewer_key(v, modifiers[i], true);
    }
    rfb_viewer_key(v, keysym, true);
    rfb_viewer_key(v, keysym, false);
    for (i = 0; i < ARRAY_SIZE(modifiers); i++) {
        rfb_viewer_key(v, modifiers[i], false);
    }
}

/* The toolstack's cards come when VNC servers and viewers are there already */
static void test_vnc_late_card(const void *testbed)
{
    static const char *const resolutions[] = { "320x200", "300x201", NULL };
    XenFrontBuffer *a, *b;
    RfbViewer *v;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, "-vnc unix:DIR/vnc ");
    v = rfb_viewer_start(t.dir, "vnc");
    check_size(v, 640, 480);
    for (i = 0; i < 3; i++) {
        xen_pv_test_attach(t.display, "0", resolutions);
        check_size(v, 320, 200);
        xen_pv_test_connect(t.display);
        a = new_buffer(&t, 320, 200, COOKIE_A);
        b = new_buffer(&t, 300, 201, COOKIE_B);
        xen_front_buffer_draw(a, 2 * i);
        xen_front_buffer_draw(b, 2 * i + 1);
        g_assert_cmpint(show(left(&t), a), ==, 0);
        g_assert_cmpint(show(right(&t), b), ==, 0);
        check_viewer(v, 320, 200, 2 * i);
        qobject_unref(xen_pv_test_get(&t, "vdispl-0", "status"));

        /* Its further screens are where QEMU's further consoles are */
        press_ctrl_alt(v, '2');
        check_viewer(v, 300, 201, 2 * i + 1);
        press_ctrl_alt(v, '1');
        check_viewer(v, 320, 200, 2 * i);

        xen_pv_test_detach(&t, t.display);
        g_assert_true(rfb_viewer_wait(v, sees_other,
                                      &(Wanted) { 320, 200, 2 * i },
                                      XEN_GUEST_DEADLINE));
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    }
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/*
 * What QEMU's VNC server cuts off is told of once it is known that there is
 * one; screendump is right
 */
static void test_vnc_beyond(const void *testbed)
{
    g_autofree char *path = NULL;
    g_autofree char *log = NULL;
    XenFrontBuffer *b;
    QDict *status;
    char *line;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed,
                      "-device xen-pvdisplay,id=disp0,"
                      "connectors='5760x64;64x64' "
                      "-vnc unix:DIR/vnc,display=disp0 2>DIR/log");
    for (i = 0; i < 2; i++) {
        xen_pv_test_connect(t.display);
        b = new_buffer(&t, 5760, 64, 1);
        xen_front_buffer_draw(b, 3);
        g_assert_cmpint(show(left(&t), b), ==, 0);
        xen_pv_check_screen(&t, "disp0", 0, 5760, 64, 3);
        end_buffer(&t, b);
        xen_pv_test_unload(&t);
    }
    status = get_status(&t);
    g_assert_true(qdict_get_bool(get_item(status, "connectors", 0),
                                 "vnc-cuts"));
    g_assert_false(qdict_get_bool(get_item(status, "connectors", 1),
                                  "vnc-cuts"));
    g_assert_false(qdict_haskey(status, "last-error"));
    qobject_unref(status);

    path = g_build_filename(t.dir, "log", NULL);
    g_assert_true(g_file_get_contents(path, &log, NULL, NULL));
    line = strstr(log, "connector 0 of 5760x64 is larger than 5120x2160");
    g_assert_nonnull(line);
    g_assert_null(strstr(strchr(line, '\n'), "is larger than"));
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "vnc/pictures", test_vnc },
    { "vnc/formats", test_vnc_formats },
    { "vnc/blocked", test_vnc_blocked },
    { "vnc/mid-update", test_vnc_mid_update },
    { "vnc/slow-update", test_vnc_slow_update },
    { "vnc/beyond", test_vnc_beyond },
    { "vnc/crowd", test_vnc_crowd },
    { "vnc/late-card", test_vnc_late_card },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
