/*
 * QTest of xen-pvdisplay, over a fake Xen and against a fake frontend: what
 * viewers are told of a picture, and that it is enough
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "rfb-viewer.h"
#include "xen-pvdisplay-qtest.h"

#define WIDTH           800
#define HEIGHT          600
#define SCREEN          "-device xen-pvdisplay,id=disp0,connectors=800x600 "
#define VNC             "-vnc unix:DIR/0,display=disp0 "
#define SHIFT_KEY       0xffe1
#define SCREENS         16

/* The largest that a tile can be, in pixels of four bytes */
#define TILE            (32 * 32)

/* The figures of one screen */
typedef struct Figures {
    int64_t updates;
    int64_t pixels;
    int64_t bytes;
} Figures;

/* Of so many screens, from the first one on */
static void get_all_figures(XenPvTest *t, Figures *f, uint32_t count)
{
    QDict *status = qobject_to(QDict, xen_pv_test_get(t, "disp0", "status"));
    const QListEntry *entry;
    uint32_t i = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(status, "connectors"), entry) {
        QDict *c = qobject_to(QDict, qlist_entry_obj(entry));

        if (i < count) {
            f[i].updates = qdict_get_int(c, "updates");
            f[i].pixels = qdict_get_int(c, "update-pixels");
            f[i].bytes = qdict_get_int(c, "read-bytes");
            i++;
        }
    }
    g_assert_cmpuint(i, ==, count);
    qobject_unref(status);
}

static void get_figures(XenPvTest *t, uint32_t index, Figures *f)
{
    Figures all[SCREENS];

    get_all_figures(t, all, index + 1);
    *f = all[index];
}

/* ------------------------------------------------------------- pictures */

/* A character in a terminal */
static void type(XenFrontBuffer *b, uint32_t left, uint32_t top)
{
    uint32_t x, y;

    for (y = top; y < top + 15; y++) {
        for (x = left; x < left + 9; x++) {
            ((uint32_t *)b->pgdir->data)[y * b->width + x] ^= 0xffffff;
        }
    }
}

static bool sees_buffer(RfbViewer *v, void *opaque)
{
    const XenFrontBuffer *b = opaque;
    const uint32_t *pixels = (const uint32_t *)b->pgdir->data;
    uint32_t i;

    if (v->width != b->width || v->height != b->height) {
        return false;
    }
    for (i = 0; i < b->width * b->height; i++) {
        if ((v->pixels[i] ^ pixels[i]) & 0xffffff) {
            return false;
        }
    }
    return true;
}

/* QEMU's VNC server asks more and more rarely, unless there is input */
static void press_key(RfbViewer *v)
{
    if (v) {
        rfb_viewer_key(v, SHIFT_KEY, true);
        rfb_viewer_key(v, SHIFT_KEY, false);
    }
}

static void check_viewer(RfbViewer *v, XenFrontBuffer *b)
{
    press_key(v);
    g_assert_true(rfb_viewer_wait(v, sees_buffer, b, XEN_GUEST_DEADLINE));
}

/* ----------------------------------------------------------------- time */

static bool is_over(RfbViewer *v, void *opaque)
{
    return false;
}

/* Let QEMU look at the picture for some milliseconds */
static void pass_time(RfbViewer *v)
{
    press_key(v);
    rfb_viewer_wait(v, is_over, NULL, 10);
}

/*
 * Wait until so many bytes of the picture have been read without anything to
 * tell of it.  Returns the figures at the end.
 */
static Figures wait_for_rest(XenPvTest *t, RfbViewer *v, uint32_t index,
                             int64_t bytes)
{
    int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000;
    Figures first, now;

    get_figures(t, index, &first);
    do {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        pass_time(v);
        get_figures(t, index, &now);
        if (now.updates != first.updates) {
            first = now;
        }
    } while (now.bytes - first.bytes < bytes);
    return now;
}

/* What is told of a change, until there is nothing more to tell */
static int64_t told_of(XenPvTest *t, RfbViewer *v, const Figures *before)
{
    Figures after = wait_for_rest(t, v, 0, 2 * WIDTH * HEIGHT * 4);

    g_assert_cmpint(after.updates, >, before->updates);
    return after.pixels - before->pixels;
}

/* Without the library, there is nothing to test here */
static bool has_hashes(XenPvTest *t, XenFrontBuffer *b, RfbViewer *v)
{
    Figures f;

    check_viewer(v, b);
    get_figures(t, 0, &f);
    if (!f.bytes) {
        g_test_skip("built without libxxhash");
    }
    return f.bytes;
}

/* ---------------------------------------------------------------- tests */

/* Idle, nothing; a character, its tiles; a flip, what differs */
static void test_tiles(const void *testbed)
{
    XenFrontBuffer *a, *b;
    XenFrontConnector *c;
    Figures before, after;
    RfbViewer *v;
    XenPvTest t;
    int64_t told;
    uint32_t i;

    xen_pv_test_start(&t, testbed, SCREEN VNC);
    v = rfb_viewer_start(t.dir, "0");
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    a = new_buffer(&t, WIDTH, HEIGHT, 1);
    b = new_buffer(&t, WIDTH, HEIGHT, 2);
    xen_front_buffer_draw(a, 1);
    xen_front_buffer_draw(b, 1);
    type(b, 400, 300);
    g_assert_cmpint(show(c, a), ==, 0);
    if (!has_hashes(&t, a, v)) {
        goto out;
    }

    before = wait_for_rest(&t, v, 0, 3 * WIDTH * HEIGHT * 4);
    after = wait_for_rest(&t, v, 0, 3 * WIDTH * HEIGHT * 4);
    g_assert_cmpint(after.updates, ==, before.updates);

    /* Twice, or once more if it was seen half drawn; in four tiles at most */
    for (i = 0; i < 6; i++) {
        before = after;
        type(a, 123 * i, 99 * i);
        check_viewer(v, a);
        told = told_of(&t, v, &before);
        g_assert_cmpint(told, >=, 2 * 9 * 15);
        g_assert_cmpint(told, <=, 3 * 4 * TILE);
        type(a, 123 * i, 99 * i);
        check_viewer(v, a);
        after = wait_for_rest(&t, v, 0, WIDTH * HEIGHT * 4);
    }

    for (i = 0; i < 6; i++) {
        before = after;
        flip(&t, c, i & 1 ? a->fb : b->fb);
        check_viewer(v, i & 1 ? a : b);
        told = told_of(&t, v, &before);
        g_assert_cmpint(told, >=, 2 * 9 * 15);
        g_assert_cmpint(told, <=, 3 * 4 * TILE);
        get_figures(&t, 0, &after);
    }

    /* Flips to what is shown already */
    before = after;
    for (i = 0; i < 10; i++) {
        flip(&t, c, a->fb);
    }
    after = wait_for_rest(&t, v, 0, 2 * WIDTH * HEIGHT * 4);
    g_assert_cmpint(after.updates, ==, before.updates);

out:
    end_buffer(&t, a);
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/* Without a viewer, nobody reads: screendumps show all the same */
static void test_no_viewer(const void *testbed)
{
    XenFrontBuffer *buffers[2];
    XenFrontConnector *c;
    Figures f;
    XenPvTest t;
    uint32_t i;

    xen_pv_test_start(&t, testbed, SCREEN);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(&t, WIDTH, HEIGHT, 1 + i);
    }
    g_assert_cmpint(show(c, buffers[0]), ==, 0);
    for (i = 0; i < 10; i++) {
        xen_front_buffer_draw(buffers[i & 1], i);
        flip(&t, c, buffers[i & 1]->fb);
        xen_pv_check_screen(&t, "disp0", 0, WIDTH, HEIGHT, i);
    }
    get_figures(&t, 0, &f);
    g_assert_cmpint(f.updates, ==, 0);
    g_assert_cmpint(f.bytes, ==, 0);
    for (i = 0; i < 2; i++) {
        end_buffer(&t, buffers[i]);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

#define SIDE(i)         (16 + 7 * (i))

static uint32_t picture_side(uint32_t i)
{
    return i ? SIDE(i) : 1;
}

static int64_t picture_size(uint32_t i)
{
    return picture_side(i) * picture_side(i) * 4;
}

/* Wait until each picture has been read once without anything to tell */
static void wait_for_all(XenPvTest *t, RfbViewer **viewers)
{
    int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000;
    Figures first[SCREENS], now[SCREENS];
    uint32_t resting, i;

    get_all_figures(t, first, SCREENS);
    do {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        pass_time(viewers[0]);
        get_all_figures(t, now, SCREENS);
        for (resting = 0, i = 0; i < SCREENS; i++) {
            if (now[i].updates != first[i].updates) {
                first[i] = now[i];
            }
            resting += now[i].bytes - first[i].bytes >= picture_size(i);
        }
    } while (resting < SCREENS);
}

/* Each screen is its own, down to a picture of one pixel */
static void test_screens(const void *testbed)
{
    g_autoptr(GString) args =
        g_string_new("-device xen-pvdisplay,id=disp0,connectors='");
    XenFrontBuffer *buffers[SCREENS];
    RfbViewer *viewers[SCREENS];
    Figures before[SCREENS], now[SCREENS];
    XenPvTest t;
    uint32_t i, j;

    for (i = 0; i < SCREENS; i++) {
        g_string_append_printf(args, "%s%ux%u", i ? ";" : "", SIDE(i),
                               SIDE(i));
    }
    g_string_append(args, "' ");
    for (i = 0; i < SCREENS; i++) {
        g_string_append_printf(args, "-vnc unix:DIR/%u,display=disp0,head=%u ",
                               i, i);
    }
    xen_pv_test_start(&t, testbed, args->str);
    xen_pv_test_connect(t.display);
    for (i = 0; i < SCREENS; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);

        viewers[i] = rfb_viewer_start(t.dir, name);
        buffers[i] = new_buffer(&t, picture_side(i), picture_side(i), 1 + i);
        xen_front_buffer_draw(buffers[i], i);
        g_assert_cmpint(show(&t.display->connectors[i], buffers[i]), ==, 0);
        check_viewer(viewers[i], buffers[i]);
    }
    if (!has_hashes(&t, buffers[0], viewers[0])) {
        goto out;
    }

    wait_for_all(&t, viewers);
    for (i = 0; i < SCREENS; i++) {
        get_all_figures(&t, before, SCREENS);
        *(uint32_t *)buffers[i]->pgdir->data ^= 0xffffff;
        check_viewer(viewers[i], buffers[i]);
        wait_for_rest(&t, viewers[i], i, picture_size(i));
        get_all_figures(&t, now, SCREENS);
        for (j = 0; j < SCREENS; j++) {
            if (j == i) {
                g_assert_cmpint(now[j].updates, >, before[j].updates);
                g_assert_cmpint(now[j].pixels - before[j].pixels, <=,
                                2 * TILE);
            } else {
                g_assert_cmpint(now[j].updates, ==, before[j].updates);
            }
        }
    }

out:
    for (i = 0; i < SCREENS; i++) {
        end_buffer(&t, buffers[i]);
        rfb_viewer_free(viewers[i]);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* A guest that writes all the time; what it leaves behind is seen */
static void test_writer(const void *testbed)
{
    XenFrontConnector *c;
    XenFrontBuffer *b;
    uint32_t round, n;
    RfbViewer *v;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, SCREEN VNC);
    v = rfb_viewer_start(t.dir, "0");
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    b = new_buffer(&t, 797, 599, 1);
    xen_front_buffer_draw(b, 1);
    g_assert_cmpint(show(c, b), ==, 0);
    check_viewer(v, b);
    for (round = 0; round < 6; round++) {
        int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000;
        Figures before, now;

        get_figures(&t, 0, &before);
        do {
            for (n = 0; n < 2000; n++) {
                uint32_t i = g_test_rand_int_range(0, 797 * 599);

                ((uint32_t *)b->pgdir->data)[i] = g_test_rand_int();
                /* A few tiles, or nearly all of them */
                if (round & 1 && n > 3) {
                    break;
                }
            }
            press_key(v);
            get_figures(&t, 0, &now);
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        } while (now.updates < before.updates + 10);
        check_viewer(v, b);
    }
    end_buffer(&t, b);
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "tiles", test_tiles },
    { "no-viewer", test_no_viewer },
    { "screens", test_screens },
    { "writer", test_writer },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay-damage", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
