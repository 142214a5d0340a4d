/*
 * QTest of what PV cards leave in xenstore, and of what they find there
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"

#include "../frontend/xen-front-sound.h"
#include "xen-pv-manual.h"
#include "xen-pv-qtest.h"

#define DISPLAY     "-device xen-pvdisplay,id=disp0,idx=0,connectors="
#define SOUND       "-audiodev none,id=snd " \
                    "-device xen-pvsound,id=snd0,idx=0,audiodev=snd,streams="
#define BACKENDS    "/local/domain/0/backend/"

static bool no_card_is_left(void *opaque)
{
    XenGuest *guest = opaque;

    return !xen_guest_exists(guest, BACKENDS "vdispl") &&
           !xen_guest_exists(guest, BACKENDS "vsnd");
}

static void check_none_left(XenPvTest *t)
{
    g_assert_true(xen_guest_wait(t->guest, no_card_is_left, t->guest,
                                 XEN_GUEST_DEADLINE));
}

static bool is_there(XenFrontCard *card, const char *key)
{
    g_autofree char *path = g_strdup_printf("%s/%s", card->frontend_path,
                                            key);

    return xen_guest_exists(card->guest, path);
}

/* QEMU is killed, and the next one has other options */
static void kill_and_change(XenPvTest *t, const char *from, const char *to)
{
    char *at = strstr(t->command, from);
    char *command;

    g_assert_nonnull(at);
    *at = '\0';
    command = g_strconcat(t->command, to, at + strlen(from), NULL);
    g_free(t->command);
    t->command = command;
    xen_pv_test_kill(t);
}

/* The last card takes the folders with it, whoever made it */
static void test_folders(void)
{
    static const char *const resolutions[] = { "300x200", NULL };
    XenFrontDisplay *other;
    XenPvTest t;

    xen_pv_test_start(&t, "", DISPLAY "300x200 " SOUND "p");
    g_assert_true(xen_guest_exists(t.guest, BACKENDS "vdispl/1/0"));
    g_assert_true(xen_guest_exists(t.guest, BACKENDS "vsnd/1/0"));
    other = xen_front_display_new(t.guest, 1);
    xen_pv_test_attach(other, "0", resolutions);
    g_assert_cmpint(xen_front_display_connect(other), ==, 0);

    qtest_qmp_device_del(t.qts, "snd0");
    qtest_qmp_device_del(t.qts, "disp0");
    g_assert_true(xen_guest_exists(t.guest, BACKENDS "vdispl/1/1"));
    xen_pv_test_detach(&t, other);
    check_none_left(&t);
    g_assert_cmpuint(xen_front_display_free(other), ==, 0);
    xen_pv_test_end(&t);
}

/* Another guest's cards stay where they are */
static void test_other_guest(void)
{
    XenPvTest t;

    xen_pv_test_start(&t, "", DISPLAY "300x200");
    g_assert_cmpint(xen_guest_dom0_write(t.guest, BACKENDS
                                         "vdispl/7/0/state", "4"), ==, 0);
    qtest_qmp_device_del(t.qts, "disp0");
    g_assert_false(xen_guest_exists(t.guest, BACKENDS "vdispl/1"));
    g_assert_true(xen_guest_exists(t.guest, BACKENDS "vdispl/7/0/state"));
    xen_pv_test_end(&t);
}

/* A display has fewer screens than the one that had its number */
static void test_fewer_screens(void)
{
    XenPvTest t;

    xen_pv_test_start(&t, XEN_PV_TEST_STATE,
                      DISPLAY "'A:300x200;B:300x200;C:300x200'");
    g_assert_true(is_there(&t.display->card, "2/resolution"));
    kill_and_change(&t, "A:300x200;B:300x200;C:300x200", "B:640x480");
    g_assert_true(is_there(&t.display->card, "0/resolution"));
    g_assert_false(is_there(&t.display->card, "1"));
    g_assert_false(is_there(&t.display->card, "2"));
    g_assert_cmpint(xen_front_display_read_config(t.display), ==, 0);
    g_assert_cmpuint(t.display->nr_connectors, ==, 1);
    g_assert_cmpuint(t.display->connectors[0].width, ==, 640);
    xen_pv_test_end(&t);
}

/* A sound card has fewer streams, in fewer PCMs */
static void test_fewer_streams(void)
{
    XenFrontSound *sound;
    XenPvTest t;

    xen_pv_test_start(&t, XEN_PV_TEST_STATE, SOUND "'pc;p;p'");
    sound = xen_front_sound_new(t.guest, 0);
    g_assert_true(is_there(&sound->card, "0/1/type"));
    g_assert_true(is_there(&sound->card, "2/0/type"));
    kill_and_change(&t, "pc;p;p", "p;pc");
    g_assert_true(is_there(&sound->card, "0/0/type"));
    g_assert_false(is_there(&sound->card, "0/1"));
    g_assert_true(is_there(&sound->card, "1/1/type"));
    g_assert_false(is_there(&sound->card, "2"));
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_pv_test_end(&t);
}

/*
 * The toolstack wants a number that -device has, and gets it when it asks
 * again after that card has gone
 */
static void test_number_again(void)
{
    static const char *const resolutions[] = { "300x200", NULL };
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, "", DISPLAY "640x480");
    for (i = 0; i < 2; i++) {
        g_assert_cmpint(xen_guest_dom0_write(t.guest,
                                             t.display->card.backend_state,
                                             "%d", XenbusStateInitialising),
                        ==, 0);
        qtest_qmp_assert_success(t.qts, "{ 'execute': 'query-status' }");
    }
    qtest_qmp_device_del(t.qts, "disp0");
    check_none_left(&t);

    for (i = 0; i < 2; i++) {
        xen_pv_test_attach(t.display, "0", resolutions);
        xen_pv_test_connect(t.display);
        g_assert_cmpuint(t.display->connectors[0].width, ==, 300);
        xen_pv_test_detach(&t, t.display);
    }
    xen_pv_test_end(&t);
}

/*
 * Nodes "state" of this value in the store that QEMU left: a node is its name,
 * a flag, the length of its value, big-endian, and the value
 */
static unsigned int count_states(XenPvTest *t, char value)
{
    const char node[] = { 's', 't', 'a', 't', 'e', 0, 0, 0, 0, 0, 1, value };
    g_autofree char *file = g_build_filename(t->dir, "state", NULL);
    g_autofree char *data = NULL;
    const char *at, *end;
    unsigned int count = 0;
    gsize size;

    g_assert_true(g_file_get_contents(file, &data, &size, NULL));
    end = data + size;
    for (at = data; (at = memmem(at, end - at, node, sizeof(node))); at++) {
        count++;
    }

    return count;
}

/*
 * A toolstack that destroys a guest has its QEMU end, and waits for each of
 * its cards to be Closed; it says that a card cannot be removed when its node
 * is gone before.  What -device made is QEMU's to remove.
 */
static void test_quit(void)
{
    static const char *const resolutions[] = { "300x200", NULL };
    XenFrontDisplay *other;
    XenPvTest t;

    xen_pv_test_start(&t, XEN_PV_TEST_STATE, DISPLAY "640x480");
    other = xen_front_display_new(t.guest, 1);
    xen_pv_test_attach(other, "0", resolutions);
    g_assert_cmpint(xen_front_display_connect(other), ==, 0);
    xen_pv_test_connect(t.display);
    g_assert_cmpuint(count_states(&t, '4'), ==, 4);

    qtest_quit(t.qts);
    t.qts = NULL;
    /* The toolstack's: the frontend's state is as it was */
    g_assert_cmpuint(count_states(&t, '6'), ==, 1);
    g_assert_cmpuint(count_states(&t, '4'), ==, 1);
    g_assert_cmpuint(xen_guest_count_in_use(t.guest), ==, 0);
    g_assert_cmpuint(xen_front_display_free(other), ==, 0);
    xen_pv_test_end(&t);
}

/* The same if QEMU sees what becomes of the nodes before it ends */
static void test_destroy(void)
{
    static const char *const resolutions[] = { "300x200", NULL };
    g_autofree char *path = NULL;
    g_autofree char *state = NULL;
    XenPvTest t;

    xen_pv_test_start(&t, "", "");
    xen_pv_test_attach(t.display, "0", resolutions);
    xen_pv_test_connect(t.display);

    xen_toolstack_destroy_begin(&t.display->card);
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    path = g_strdup_printf("%s/state", t.display->card.backend_path);
    state = xen_guest_dom0_read(t.guest, path);
    g_assert_cmpstr(state, ==, "6");
    g_assert_cmpuint(xen_front_display_free_rings(t.display), ==, 0);

    xen_toolstack_destroy_end(&t.display->card);
    xen_pv_test_quit(&t);
    xen_pv_test_end(&t);
}

/* A stream that can never be opened is told of when the card is made */
static void test_too_many_channels(void)
{
    XenFrontSound *sound;
    QObject *status;
    const char *error;
    XenPvTest t;

    xen_pv_test_start(&t, "", "-audiodev none,id=snd "
                      "-global xen-pvsound.max-channels=6 "
                      "-global xen-pvsound.audiodev=snd");
    sound = xen_front_sound_new(t.guest, 0);
    xen_toolstack_begin(&sound->card);
    xen_toolstack_write(&sound->card, "channels-max", "6");
    xen_toolstack_write(&sound->card, "0/0/type", "p");
    xen_toolstack_write(&sound->card, "0/1/type", "p");
    xen_toolstack_write(&sound->card, "0/1/channels-min", "4");
    xen_toolstack_end(&sound->card);
    g_assert_true(xen_front_wait_backend(&sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    status = xen_pv_test_get(&t, "vsnd-0", "status");
    error = qdict_get_try_str(qobject_to(QDict, status), "last-error");
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error, "stream 1 has 4 channels or more, but QEMU "
                            "mixes 2"));
    qobject_unref(status);
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_pv_test_end(&t);
}

/* The line of the manual that has outputs; the guest gets what it says */
static char *manual_outputs(void)
{
    g_auto(GStrv) lines = xen_pv_manual_page("options.rst");
    int i;

    for (i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);

        if (g_str_has_prefix(line, "-device '") && strstr(line, "disp0")) {
            return g_strdup(line);
        }
    }
    g_assert_not_reached();
}

static QDict *connector(QObject *status, const char *id)
{
    QList *list = qdict_get_qlist(qobject_to(QDict, status), "connectors");
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(list, entry) {
        QDict *dict = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(dict, "id"), id)) {
            return dict;
        }
    }
    g_assert_not_reached();
}

static void test_outputs(void)
{
    g_autofree char *args = manual_outputs();
    g_autofree char *path = NULL;
    g_autofree char *name = NULL;
    QObject *status, *got, *want;
    QDict *left, *right;
    XenPvTest t;

    xen_pv_test_start(&t, "", args);
    xen_pv_test_connect(t.display);
    g_assert_cmpuint(t.display->nr_connectors, ==, 2);
    g_assert_cmpuint(t.display->connectors[0].width, ==, 1920);
    g_assert_cmpuint(t.display->connectors[0].height, ==, 1080);
    g_assert_cmpuint(t.display->connectors[1].width, ==, 1280);
    path = g_strdup_printf("%s/0/unique-id", t.display->card.frontend_path);
    name = xen_guest_read(t.guest, path);
    g_assert_cmpstr(name, ==, "LEFT");

    status = xen_pv_test_get(&t, "disp0", "status");
    left = connector(status, "LEFT");
    right = connector(status, "1");
    g_assert_cmpint(qdict_get_int(left, "refresh-rate"), ==, 75);
    g_assert_cmpint(qdict_get_int(right, "refresh-rate"), ==, 60);
    qobject_unref(status);

    /* What was given is what can be read, and nothing else */
    got = xen_pv_test_get(&t, "disp0", "outputs");
    want = qobject_from_json("[{'name': 'LEFT', 'xres': 1920, 'yres': 1080, "
                             "'refresh-rate': 75000}, "
                             "{'xres': 1280, 'yres': 1024}]", &error_abort);
    g_assert_true(qobject_is_equal(got, want));
    qobject_unref(got);
    qobject_unref(want);

    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* What is wrong with a list, each time in a sentence that says where */
static void test_bad_outputs(void)
{
    static const struct {
        const char *options;
        const char *error;
    } bad[] = {
        { "'outputs': []", "outputs= is empty" },
        { "'outputs': 5", "outputs= takes a list" },
        { "'outputs': 'LEFT:800x600'", "outputs= takes a list" },
        { "'outputs': [5]", "outputs[0]" },
        { "'outputs': [{'xres': 800}]", "'outputs[0].yres' is missing" },
        { "'outputs': [{'xres': 800, 'yres': 600}, {'yres': 600}]",
          "'outputs[1].xres' is missing" },
        { "'outputs': [{'xres': -1, 'yres': 600}]", "xres" },
        { "'outputs': [{'xres': '800', 'yres': 600}]", "outputs[0].xres" },
        { "'outputs': [{'xres': 800, 'yres': 600, 'name': 7}]",
          "outputs[0].name" },
        { "'outputs': [{'xres': 800, 'yres': 600, 'hz': 60}]",
          "'outputs[0].hz' is unexpected" },
        { "'outputs': [{'xres': 800, 'yres': 9000}]",
          "output 0: xres=800,yres=9000 is not the size of a screen" },
        { "'outputs': [{'xres': 800, 'yres': 600, 'refresh-rate': 60}]",
          "output 0: refresh-rate=60 is not between 1000 and 1000000 mHz" },
        { "'outputs': [{'xres': 800, 'yres': 600}], 'connectors': '800x600'",
          "connectors= and outputs= both name the screens" },
        { "'outputs': [{'xres': 800, 'yres': 600}], 'yres': 600",
          "outputs= already names the screens" },
    };
    XenPvTest t;
    gsize i;

    xen_pv_test_start(&t, "", "");
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *command = g_strdup_printf(
            "{ 'execute': 'device_add', 'arguments': { 'driver': "
            "'xen-pvdisplay', 'id': 'disp0', %s } }", bad[i].options);
        QDict *answer = qtest_qmp(t.qts, "%p",
                                  qobject_from_json(command, &error_abort));
        const char *error;

        g_test_message("%s", command);
        g_assert_true(qdict_haskey(answer, "error"));
        error = qdict_get_str(qdict_get_qdict(answer, "error"), "desc");
        g_test_message("%s", error);
        g_assert_nonnull(strstr(error, bad[i].error));
        qobject_unref(answer);
    }
    xen_pv_test_end(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("xen-pv-nodes/folders", test_folders);
    qtest_add_func("xen-pv-nodes/other-guest", test_other_guest);
    qtest_add_func("xen-pv-nodes/fewer-screens", test_fewer_screens);
    qtest_add_func("xen-pv-nodes/fewer-streams", test_fewer_streams);
    qtest_add_func("xen-pv-nodes/number-again", test_number_again);
    qtest_add_func("xen-pv-nodes/quit", test_quit);
    qtest_add_func("xen-pv-nodes/outputs", test_outputs);
    qtest_add_func("xen-pv-nodes/bad-outputs", test_bad_outputs);
    qtest_add_func("xen-pv-nodes/destroy", test_destroy);
    qtest_add_func("xen-pv-nodes/too-many-channels", test_too_many_channels);
    return g_test_run();
}
