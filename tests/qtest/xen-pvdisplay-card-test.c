/*
 * QTest of xen-pvdisplay: cards, guests and QEMU come and go
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"

#include "xen-pvdisplay-qtest.h"

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
    xen_pv_test_wait_idle(&t);
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

static void soft_reset(XenPvTest *t, bool waits)
{
    qtest_qmp_assert_success(t->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': 'xen', 'property': 'soft-reset', "
                             "'value': %i } }", waits);
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

    /* But when its kernel is gone, and another one is to come */
    soft_reset(&t, true);
    answer = save(&t);
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);
    soft_reset(&t, false);
    answer = save(&t);
    qmp_expect_error_and_unref(answer, "GenericError");
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
      "refresh-rate takes a whole number: flips per second that a guest can "
      "see, 1 to 1000 Hz" },
    { "rate with a unit", PVDISPLAY "connectors=800x600,refresh_rate=60Hz",
      "refresh-rate takes a whole number: " },
    { "width of text", PVDISPLAY "xres=wide,yres=600", "xres takes a whole "
      "number: width of the only screen, 16 to 8192 pixels" },
    { "rate of other displays", PVDISPLAY "connectors=800x600,"
      "refresh_rate=75000", "refresh-rate=75000 is not between 1 and 1000 "
      "Hz" },
    { "number of text", PVDISPLAY "connectors=800x600,idx=first",
      "idx takes a whole number: index of the device" },
    { "number of another", PVDISPLAY "connectors=800x600,idx=3 -device "
      "xen-pvdisplay,connectors=800x600,idx=3", "idx=3 is already in use: "
      "give each device another number, or leave idx= out" },
    { "no guest", PVDISPLAY "connectors=800x600,frontend-id=40000",
      "frontend-id=40000 is not a guest's number: use 0 to 32751, or leave "
      "it out" },
    { "outputs that are text", PVDISPLAY "outputs=800x600",
      "outputs= takes a list, and so a -device in JSON: " },
    { "outputs of another display", TESTBED "-device {\"driver\":"
      "\"xen-pvdisplay\",\"outputs\":[{\"width\":800}]}", "each of outputs= "
      "is an object with numbers xres and yres" },
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
    { "half the time", PVDISPLAY "connectors=800x600,max-load=50%",
      "max-load takes a whole number: maximum share of QEMU's time for the "
      "guest's requests, 1 to 100 percent" },
    { "channels in words", TESTBED "-audiodev none,id=snd -device "
      "xen-pvsound,audiodev=snd,max-channels=stereo", "max-channels takes a "
      "whole number: maximum channels of a stream, 1 to 16; " },
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
    { "two-cards", test_two_cards },
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
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    qtest_add_func("xen-pvdisplay/bad-options", test_bad_options);
    return g_test_run();
}
