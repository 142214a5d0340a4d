/*
 * QTest of the quotas of PV cards: storms from one, while another is served
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "../frontend/xen-storm.h"
#include "xen-pv-scene.h"

#define VICTIMS "-device xen-pvdisplay,id=victim,idx=0,connectors=1024x768%s " \
                "-audiodev none,id=victim-audio " \
                "-device xen-pvsound,id=victim-sound,idx=0,streams=pc," \
                "audiodev=victim-audio%s 2>DIR/log "

/* How long a storm lasts, in turns of the witness */
#define STORM_TURNS 25

/* @options are those of both cards that storms come from */
static void scene_start(XenPvScene *s, const char *options)
{
    g_autofree char *victims = g_strdup_printf(VICTIMS, options, options);

    xen_pv_scene_start(s, "", victims);
}

static void recover(XenPvScene *s, unsigned int needs)
{
    uint32_t left;

    g_assert_cmpint(xen_attack_recover(&s->attacker, needs, &left), ==, 0);
    g_assert_cmpuint(left, ==, 0);
    g_assert_cmpuint(xen_pv_witness_others(&s->witness), ==, 0);
}

static int64_t status(XenPvScene *s, const char *id, const char *key)
{
    QObject *dict = xen_pv_test_get(&s->test, id, "status");
    int64_t value = qdict_get_int(qobject_to(QDict, dict), key);

    qobject_unref(dict);
    return value;
}

/* Whatever comes from one card, the other misses nothing */
static void test_storm(const void *opaque)
{
    const XenStormKind *kind = opaque;
    unsigned int needs = kind->sound ? XEN_ATTACK_SOUND : 0;
    const char *id = kind->sound ? "victim-sound" : "victim";
    uint64_t answered;
    int64_t waits;
    XenStorm *storm;
    XenPvScene s;
    int i;

    scene_start(&s, "");
    g_assert_cmpint(xen_attack_connect(&s.attacker, needs), ==, 0);
    storm = xen_storm_begin(&s.attacker, kind);
    for (i = 0; i < STORM_TURNS; i++) {
        xen_storm_gust(storm);
        xen_pv_witness_turn(&s.witness);
    }
    waits = status(&s, id, "load-waits");
    answered = xen_storm_end(storm);
    recover(&s, needs);
    g_test_message("%s: %" PRIu64 " requests answered, it had to wait %"
                   PRId64 " times", kind->what, answered, waits);
    if (kind->prepare) {
        g_assert_cmpuint(answered, >, 0);
    }

    /* And the card can be used again */
    g_assert_cmpint(xen_attack_connect(&s.attacker, needs), ==, 0);
    recover(&s, needs);
    xen_pv_scene_end(&s);
}

static unsigned int count_lines(XenPvScene *s, const char *phrase)
{
    g_autofree char *path = g_build_filename(s->test.dir, "log", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    unsigned int count = 0;
    char **line;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (line = lines; *line; line++) {
        count += strstr(*line, phrase) != NULL;
    }
    return count;
}

/* Work without an end uses up any quota of time, and then has to wait */
static void test_load(const void *unused)
{
    XenFrontPgdir *pgdir;
    QObject *dict;
    XenPvScene s;

    scene_start(&s, ",max-load=1");
    g_assert_cmpint(xen_attack_connect(&s.attacker, 0), ==, 0);
    pgdir = xen_front_pgdir_new(s.test.guest, 8 << 20);
    g_assert_nonnull(pgdir);
    do {
        g_assert_cmpint(xen_front_dbuf_create(s.test.display, 1, 0, 0, 0,
                                              pgdir->size, 0,
                                              xen_front_pgdir_ref(pgdir), 0),
                        ==, 0);
        g_assert_cmpint(xen_front_dbuf_destroy(s.test.display, 1), ==, 0);
    } while (!count_lines(&s, "max-load"));
    g_assert_cmpint(status(&s, "victim", "load-waits"), >, 0);

    /* Nothing is lost meanwhile, and others do not wait */
    xen_pv_witness_turn(&s.witness);
    g_assert_cmpint(xen_front_flip(&s.test.display->connectors[0],
                                   s.attacker.shown->fb), ==, 0);

    /* That is no mistake, and one line tells of it */
    dict = xen_pv_test_get(&s.test, "victim", "status");
    g_assert_false(qdict_haskey(qobject_to(QDict, dict), "last-error"));
    qobject_unref(dict);
    g_assert_cmpuint(count_lines(&s, "max-load"), ==, 1);
    recover(&s, 0);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_scene_end(&s);
}

/* A guest that was refused more: the status names the option */
static void check_names(XenPvTest *t, const char *id, const char *option)
{
    QDict *reply = qtest_qmp(t->qts, "{ 'execute': 'qom-get', 'arguments': "
                             "{ 'path': %s, 'property': 'status' } }", id);
    const char *said = qdict_get_str(qdict_get_qdict(reply, "return"),
                                     "last-error");

    g_test_message("%s", said);
    g_assert_nonnull(strstr(said, option));
    qobject_unref(reply);
}

/* The options of a display: how many objects a guest may have */
static void test_objects(const void *unused)
{
    XenFrontPgdir *pgdir;
    XenPvScene s;
    uint32_t ref;
    int i;

    /* One buffer and one framebuffer are there already */
    scene_start(&s, "");
    qtest_qmp_device_del(s.test.qts, "victim");
    qtest_qmp_device_add(s.test.qts, "xen-pvdisplay", "victim",
                         "{ 'connectors': '64x64', 'idx': 0, "
                         "'max-buffers': 3, 'max-framebuffers': 4, "
                         "'max-pages': 16 }");
    g_assert_cmpint(xen_attack_connect(&s.attacker, 0), ==, 0);
    pgdir = xen_front_pgdir_new(s.test.guest, 16 * XEN_GUEST_PAGE);
    ref = xen_front_pgdir_ref(pgdir);
    for (i = 1; i < 3; i++) {
        g_assert_cmpint(xen_front_dbuf_create(s.test.display, i, 0, 0, 0,
                                              16 * XEN_GUEST_PAGE, 0, ref, 0),
                        ==, 0);
    }
    g_assert_cmpint(xen_front_dbuf_create(s.test.display, i, 0, 0, 0,
                                          16 * XEN_GUEST_PAGE, 0, ref, 0),
                    ==, -ENOSPC);
    check_names(&s.test, "victim", "max-buffers");
    g_assert_cmpint(xen_front_dbuf_destroy(s.test.display, 1), ==, 0);
    g_assert_cmpint(xen_front_dbuf_create(s.test.display, 1, 0, 0, 0,
                                          17 * XEN_GUEST_PAGE, 0, ref, 0),
                    ==, -E2BIG);
    check_names(&s.test, "victim", "max-pages");
    for (i = 1; i < 4; i++) {
        g_assert_cmpint(xen_front_fb_attach(s.test.display, 2, i, 16, 16,
                                            XEN_FRONT_XRGB8888), ==, 0);
    }
    g_assert_cmpint(xen_front_fb_attach(s.test.display, 2, i, 16, 16,
                                        XEN_FRONT_XRGB8888), ==, -ENOSPC);
    check_names(&s.test, "victim", "max-framebuffers");
    recover(&s, 0);
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_scene_end(&s);
}

/* A card that shows all of its screen: 4064 pages, of one directory */
static int show_all(XenFrontDisplay *display, uint32_t ref)
{
    const uint32_t width = 2032, height = 2048;

    return xen_front_dbuf_create(display, 1, 0, 0, 0, width * height * 4, 0,
                                 ref, 0) ?:
           xen_front_fb_attach(display, 1, 2, width, height,
                               XEN_FRONT_XRGB8888) ?:
           xen_front_set_config(&display->connectors[0], 2, 0, 0, width,
                                height, 32);
}

static int64_t common_pages(XenPvTest *t, const char *id)
{
    QDict *reply = qtest_qmp(t->qts, "{ 'execute': 'qom-get', 'arguments': "
                             "{ 'path': %s, 'property': 'status' } }", id);
    QDict *cache = qdict_get_qdict(qdict_get_qdict(reply, "return"), "cache");
    int64_t pages = qdict_get_int(cache, "common-pages");

    g_assert_cmpint(qdict_get_int(cache, "max-pages"), ==, 4 * 4064);
    g_assert_cmpint(qdict_get_int(cache, "common-max-pages"), ==, 16384);
    g_assert_cmpint(pages, <=, 16384);
    g_assert_cmpint(qdict_get_int(cache, "mappings"), <=,
                    qdict_get_int(cache, "max-mappings"));
    qobject_unref(reply);

    return pages;
}

/*
 * All cards of a guest have one budget, if their user does not say otherwise:
 * what one does not show makes room for another, and what is shown does not
 */
static void test_cards(const void *unused)
{
    g_autoptr(GString) devices = g_string_new("");
    XenFrontDisplay *displays[6];
    XenFrontPgdir *pgdir;
    uint32_t ref;
    XenPvTest t;
    int i;

    for (i = 0; i < 6; i++) {
        g_string_append_printf(devices, "-device xen-pvdisplay,id=c%d,idx=%d,"
                               "connectors=2032x2048%s ", i, i,
                               i == 5 ? ",max-pages=4096" : "");
    }
    xen_pv_test_start(&t, "", devices->str);
    pgdir = xen_front_pgdir_new(t.guest, 4064 * XEN_GUEST_PAGE);
    ref = xen_front_pgdir_ref(pgdir);
    for (i = 0; i < 6; i++) {
        displays[i] = i ? xen_front_display_new(t.guest, i) : t.display;
        xen_pv_test_connect(displays[i]);
    }
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(show_all(displays[i], ref), ==, 0);
        g_assert_cmpint(common_pages(&t, "c0"), ==, (i + 1) * 4064);
    }
    g_assert_cmpint(show_all(displays[4], ref), ==, -ENOSPC);
    check_names(&t, "c4", "; max-pages)");
    g_assert_cmpint(common_pages(&t, "c4"), ==, 4 * 4064);
    /* One whose user gave it a budget has that */
    g_assert_cmpint(show_all(displays[5], ref), ==, 0);
    g_assert_cmpint(common_pages(&t, "c0"), ==, 4 * 4064);

    /* Off, but kept for the next time; now it makes room */
    g_assert_cmpint(xen_front_set_config(&displays[2]->connectors[0], 0, 0, 0,
                                         0, 0, 0), ==, 0);
    g_assert_cmpint(common_pages(&t, "c0"), ==, 4 * 4064);
    g_assert_cmpint(xen_front_set_config(&displays[4]->connectors[0], 2, 0, 0,
                                         2032, 2048, 32), ==, 0);
    g_assert_cmpint(common_pages(&t, "c0"), ==, 4 * 4064);

    for (i = 0; i < 6; i++) {
        g_assert_cmpint(xen_front_display_unload(displays[i]), ==, 0);
    }
    g_assert_cmpint(common_pages(&t, "c0"), ==, 0);
    for (i = 1; i < 6; i++) {
        g_assert_cmpuint(xen_front_display_free(displays[i]), ==, 0);
    }
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
    xen_pv_test_end(&t);
}

/* A thousand mistakes, and a line of log for some of them */
static void test_log(const void *unused)
{
    XenPvScene s;
    int i;

    scene_start(&s, ",max-log-lines=60");
    g_assert_cmpint(xen_attack_connect(&s.attacker, 0), ==, 0);
    for (i = 0; i < 1000; i++) {
        g_assert_cmpint(xen_front_flip(&s.test.display->connectors[0], 77),
                        ==, -ENOENT);
    }
    g_assert_cmpuint(count_lines(&s, "PG_FLIP refused"), >=, 10);
    g_assert_cmpuint(count_lines(&s, "PG_FLIP refused"), <, 100);
    recover(&s, 0);
    xen_pv_scene_end(&s);
}

/* Lines that say how many mistakes were suppressed are lines as well */
static void test_log_rate(const void *unused)
{
    int64_t begin, passed;
    unsigned int lines;
    XenPvScene s;

    scene_start(&s, ",max-log-lines=600");
    begin = g_get_monotonic_time();
    g_assert_cmpint(xen_attack_connect(&s.attacker, 0), ==, 0);
    do {
        g_assert_cmpint(xen_front_flip(&s.test.display->connectors[0], 77),
                        ==, -ENOENT);
        passed = g_get_monotonic_time() - begin;
    } while (passed < 2 * G_TIME_SPAN_SECOND ||
             !count_lines(&s, "suppressed"));
    lines = count_lines(&s, "vdispl");
    passed = g_get_monotonic_time() - begin;
    /* So many at once, and ten more in a second */
    g_assert_cmpuint(lines, <=, 100 + 10 * passed / G_TIME_SPAN_SECOND + 1);
    recover(&s, 0);
    xen_pv_scene_end(&s);
}

/* A guest that comes and goes has to wait, and is served all the same */
static void test_connects(const void *unused)
{
    XenPvScene s;
    int i;

    scene_start(&s, ",max-connects=4");
    for (i = 0; i < 8; i++) {
        g_assert_cmpint(xen_attack_connect(&s.attacker, 0), ==, 0);
        recover(&s, 0);
    }
    g_assert_cmpuint(count_lines(&s, "max-connects"), >=, 1);
    xen_pv_scene_end(&s);
}

/* What a toolstack does for a card of four streams */
static void attach_sound(XenFrontSound *sound)
{
    static const char *const types[] = {
        "0/0/type", "0/1/type", "1/0/type", "2/0/type"
    };
    int i;

    xen_toolstack_begin(&sound->card);
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        xen_toolstack_write(&sound->card, types[i], "p");
    }
    xen_toolstack_end(&sound->card);
}

/* Four streams are described, and two are served */
static void test_streams(const void *unused)
{
    XenFrontSound *sound;
    QObject *dict;
    XenPvScene s;

    scene_start(&s, " -global xen-pvsound.max-streams=2 "
                    "-global xen-pvsound.audiodev=victim-audio");
    sound = xen_front_sound_new(s.test.guest, 5);
    attach_sound(sound);
    g_assert_true(xen_front_wait_backend(&sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    dict = xen_pv_test_get(&s.test, "vsnd-5", "status");
    g_assert_cmpuint(qlist_size(qdict_get_qlist(qobject_to(QDict, dict),
                                                "streams")), ==, 2);
    qobject_unref(dict);
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_pv_scene_end(&s);
}

int main(int argc, char **argv)
{
    const XenStormKind *kind;

    g_test_init(&argc, &argv, NULL);
    for (kind = xen_storms; kind->name; kind++) {
        g_autofree char *name = g_strdup_printf("xen-pv-quota/storm/%s",
                                                kind->name);

        qtest_add_data_func(name, kind, test_storm);
    }
    qtest_add_data_func("xen-pv-quota/load", NULL, test_load);
    qtest_add_data_func("xen-pv-quota/objects", NULL, test_objects);
    qtest_add_data_func("xen-pv-quota/cards", NULL, test_cards);
    qtest_add_data_func("xen-pv-quota/log", NULL, test_log);
    qtest_add_data_func("xen-pv-quota/log-rate", NULL, test_log_rate);
    qtest_add_data_func("xen-pv-quota/connects", NULL, test_connects);
    qtest_add_data_func("xen-pv-quota/streams", NULL, test_streams);
    return g_test_run();
}
