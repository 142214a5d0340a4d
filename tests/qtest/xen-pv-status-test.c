/*
 * QTests of the look inside a Xen PV display or sound card
 *
 * The manual lists what the property "status" has.  Here it is compared with
 * what devices report: nothing may be in one of them only, and types agree.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "../frontend/xen-front-sound.h"
#include "xen-pv-manual.h"
#include "xen-pv-qtest.h"

#define PAGE        "inside.rst"
#define MARK        ".. keys of: "

#define COOKIE      UINT64_C(0xffff888004210800)
#define RATE        48000
#define BUFFER      16384
#define PERIOD      4096
#define MS          INT64_C(1000000)

/* ------------------------------------------------------------ the manual */

/* "``KEY`` TYPE[, optional] ...": the type goes to the table, by the key */
static void manual_row(GHashTable *keys, const char *line)
{
    g_autoptr(GRegex) row = g_regex_new("^``([^`]+)`` +([a-z]+(, optional)?) ",
                                        0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (g_regex_match(row, line, 0, &match)) {
        g_assert_true(g_hash_table_insert(keys, g_match_info_fetch(match, 1),
                                          g_match_info_fetch(match, 2)));
    }
}

/* Key -> "TYPE" or "TYPE, optional", of the tables that name the device */
static GHashTable *manual_keys(const char *device)
{
    g_auto(GStrv) lines = xen_pv_manual_page(PAGE);
    GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             g_free);
    int i, rules = 0;
    bool ours = false;

    for (i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], MARK)) {
            ours = strstr(lines[i], device);
            rules = 0;
        } else if (g_str_has_prefix(lines[i], "===")) {
            /* One above the heads, one below them, one at the end */
            rules++;
        } else if (ours && rules == 2) {
            manual_row(keys, lines[i]);
        }
    }
    g_assert_cmpuint(g_hash_table_size(keys), >, 20);

    return keys;
}

/* ------------------------------------------------------- what is reported */

/*
 * @keys: the manual's
 * @seen: keys that were reported
 * @wrong: what does not agree, in words
 */
typedef struct Comparison {
    GHashTable *keys;
    GHashTable *seen;
    unsigned int wrong;
} Comparison;

static void complain(Comparison *c, const char *key, const char *what)
{
    g_test_message("%s: %s", key, what);
    c->wrong++;
}

static const char *type_name(const QObject *value)
{
    switch (qobject_type(value)) {
    case QTYPE_QSTRING:
        return "string";
    case QTYPE_QNUM:
        return "integer";
    case QTYPE_QBOOL:
        return "boolean";
    case QTYPE_QDICT:
        return "dictionary";
    case QTYPE_QLIST:
        return "list";
    default:
        return "nothing";
    }
}

static void compare_dict(Comparison *c, const char *prefix,
                         const QDict *dict);

static void compare_value(Comparison *c, const char *key, QObject *value)
{
    g_autofree char *optional = g_strdup_printf("%s, optional",
                                                type_name(value));
    const char *type = g_hash_table_lookup(c->keys, key);
    g_autofree char *items = g_strdup_printf("%s[].", key);
    g_autofree char *inner = g_strdup_printf("%s.", key);
    const QListEntry *entry;

    if (!type) {
        complain(c, key, "is reported, but not in the manual");
    } else if (!g_str_equal(type, type_name(value)) &&
               !g_str_equal(type, optional)) {
        complain(c, key, "is of another type than in the manual");
    }
    g_hash_table_add(c->seen, g_strdup(key));

    if (qobject_type(value) == QTYPE_QDICT) {
        compare_dict(c, inner, qobject_to(QDict, value));
    } else if (qobject_type(value) == QTYPE_QLIST) {
        QLIST_FOREACH_ENTRY(qobject_to(QList, value), entry) {
            compare_dict(c, items,
                         qobject_to(QDict, qlist_entry_obj(entry)));
        }
    }
}

/* What is directly below the prefix, and not optional, has to be there */
static void compare_dict(Comparison *c, const char *prefix,
                         const QDict *dict)
{
    const QDictEntry *entry;
    const char *key, *type;
    GHashTableIter iter;

    g_assert_nonnull(dict);
    for (entry = qdict_first(dict); entry; entry = qdict_next(dict, entry)) {
        g_autofree char *name = g_strconcat(prefix, qdict_entry_key(entry),
                                            NULL);

        compare_value(c, name, qdict_entry_value(entry));
    }
    g_hash_table_iter_init(&iter, c->keys);
    while (g_hash_table_iter_next(&iter, (void **)&key, (void **)&type)) {
        const char *name = g_str_has_prefix(key, prefix) ?
                           key + strlen(prefix) : "";

        if (*name && !strpbrk(name, ".[") && !strstr(type, "optional") &&
            !qdict_haskey(dict, name)) {
            complain(c, key, "is in the manual, not optional, but missing");
        }
    }
}

static void compare_status(Comparison *c, XenPvTest *t, const char *id)
{
    QObject *status = xen_pv_test_get(t, id, "status");

    compare_dict(c, "", qobject_to(QDict, status));
    qobject_unref(status);
}

static void compare_begin(Comparison *c, const char *device)
{
    c->keys = manual_keys(device);
    c->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    c->wrong = 0;
}

static void compare_end(Comparison *c)
{
    GHashTableIter iter;
    const char *key;

    g_hash_table_iter_init(&iter, c->keys);
    while (g_hash_table_iter_next(&iter, (void **)&key, NULL)) {
        if (!g_hash_table_contains(c->seen, key)) {
            complain(c, key, "is in the manual, but never reported");
        }
    }
    g_assert_cmpuint(c->wrong, ==, 0);
    g_hash_table_unref(c->keys);
    g_hash_table_unref(c->seen);
}

/* The same for people: each key of the dictionary begins a line */
static void check_summary(XenPvTest *t, const char *id)
{
    g_autofree char *command = g_strdup_printf("qom-get %s summary", id);
    g_autofree char *hmp = qtest_hmp(t->qts, "%s", command);
    QObject *status = xen_pv_test_get(t, id, "status");
    QDict *dict = qobject_to(QDict, status);
    const QDictEntry *entry;

    for (entry = qdict_first(dict); entry; entry = qdict_next(dict, entry)) {
        g_autofree char *line = g_strdup_printf("\"%s",
                                                qdict_entry_key(entry));
        QList *list = qobject_to(QList, qdict_entry_value(entry));

        g_assert_true((list && qlist_empty(list)) || strstr(hmp, line));
    }
    qobject_unref(status);
}

/* ----------------------------------------------------------------- tests */

static void test_display(const void *testbed)
{
    XenFrontConnector *connector;
    XenFrontBuffer *buffer;
    Comparison c;
    XenPvTest t;

    compare_begin(&c, "xen-pvdisplay");
    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,id=disp0,"
                      "connectors='LEFT:800x600;640x480' ");
    compare_status(&c, &t, "disp0");
    xen_pv_test_connect(t.display);
    compare_status(&c, &t, "disp0");

    connector = &t.display->connectors[0];
    buffer = xen_front_buffer_new(t.guest, 800, 600, COOKIE);
    g_assert_nonnull(buffer);
    g_assert_cmpint(xen_front_buffer_attach(t.display, buffer), ==, 0);
    g_assert_cmpint(xen_front_set_config(connector, buffer->fb, 0, 0, 800,
                                         600, 32), ==, 0);
    g_assert_cmpint(xen_front_flip(connector, buffer->fb), ==, 0);
    g_assert_cmpint(xen_front_flip(connector, 77), ==, -ENOENT);
    compare_status(&c, &t, "disp0");
    check_summary(&t, "disp0");

    g_assert_cmpint(xen_front_buffer_detach(t.display, buffer), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
    compare_status(&c, &t, "disp0");
    xen_pv_test_unload(&t);
    compare_status(&c, &t, "disp0");
    xen_pv_test_end(&t);
    compare_end(&c);
}

static void test_sound(const void *testbed)
{
    XenFrontSound *sound;
    XenFrontStream *s;
    Comparison c;
    XenPvTest t;

    compare_begin(&c, "xen-pvsound");
    xen_pv_test_start(&t, testbed, "-audiodev none,id=snd "
                      "-device xen-pvsound,id=snd0,audiodev=snd,"
                      "streams=Main:pc ");
    compare_status(&c, &t, "snd0");
    sound = xen_front_sound_new(t.guest, 0);
    g_assert_cmpint(xen_front_sound_connect(sound), ==, 0);
    s = &sound->streams[0];
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, PERIOD), ==, 0);
    compare_status(&c, &t, "snd0");
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
    qtest_clock_step(t.qts, 100 * MS);
    g_assert_cmpint(xen_front_stream_rw(s, XENSND_OP_WRITE, BUFFER, 4), ==,
                    -EINVAL);
    compare_status(&c, &t, "snd0");
    check_summary(&t, "snd0");

    g_assert_cmpint(xen_front_stream_close(s), ==, 0);
    compare_status(&c, &t, "snd0");
    g_assert_cmpint(xen_front_sound_unload(sound), ==, 0);
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_pv_test_end(&t);
    compare_end(&c);
}

/* The figures that no other test looks at: of a sound card's stream */
static void test_stream(const void *testbed)
{
    XenFrontSound *sound;
    XenFrontStream *s;
    QObject *status;
    QDict *dict;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, "-audiodev none,id=snd "
                      "-device xen-pvsound,id=snd0,audiodev=snd,streams=p ");
    sound = xen_front_sound_new(t.guest, 0);
    g_assert_cmpint(xen_front_sound_connect(sound), ==, 0);
    s = &sound->streams[0];
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, PERIOD), ==, 0);
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
    qtest_clock_step(t.qts, 200 * MS);
    xen_front_stream_take_events(s);

    status = xen_pv_test_get(&t, "snd0", "status");
    dict = qobject_to(QDict, status);
    g_assert_cmpint(qdict_get_int(dict, "buffer-pages"), ==,
                    BUFFER / XEN_GUEST_PAGE);
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(dict, "cache"),
                                  "pinned-pages"), ==,
                    BUFFER / XEN_GUEST_PAGE);
    dict = qobject_to(QDict, qlist_peek(qdict_get_qlist(dict, "streams")));
    g_assert_cmpint(qdict_get_int(dict, "directory"), ==,
                    xen_front_pgdir_ref(s->pgdir));
    g_assert_cmpint(qdict_get_int(dict, "channels"), ==, 2);
    g_assert_cmpint(qdict_get_int(dict, "period-size"), ==, PERIOD);
    g_assert_cmpint(qdict_get_int(dict, "events"), ==, s->events);
    g_assert_cmpuint(s->events, >, 0);
    g_assert_cmpint(qdict_get_int(dict, "position"), >=, s->position);
    /* The guest wrote nothing */
    g_assert_cmpint(qdict_get_int(dict, "silent-bytes"), ==,
                    qdict_get_int(dict, "position"));
    qobject_unref(status);

    g_assert_cmpint(xen_front_stream_close(s), ==, 0);
    g_assert_cmpint(xen_front_sound_unload(sound), ==, 0);
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_pv_test_end(&t);
}

static bool is_traced(XenPvTest *t, const char *event)
{
    g_autofree char *path = g_build_filename(t->dir, "trace.log", NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) &&
           strstr(text, event);
}

/* From the start, and switched off and on while QEMU runs */
static void test_trace(const void *testbed)
{
    g_autofree char *off = NULL, *on = NULL;
    XenPvTest t;

    xen_pv_test_start(&t, testbed, "-trace 'xen_pv*' -D DIR/trace.log "
                      "-device xen-pvdisplay,id=disp0,connectors=800x600 ");
    g_assert_true(is_traced(&t, "xen_pvdisplay_connector disp0 connector 0 "
                            "'0' 800x600"));
    off = qtest_hmp(t.qts, "trace-event xen_pv* off");
    g_assert_cmpstr(off, ==, "");
    xen_pv_test_connect(t.display);
    g_assert_cmpint(xen_front_flip(&t.display->connectors[0], 77), ==,
                    -ENOENT);
    g_assert_false(is_traced(&t, "xen_pvdisplay_answer"));
    on = qtest_hmp(t.qts, "trace-event xen_pv* on");
    g_assert_cmpstr(on, ==, "");
    g_assert_cmpint(xen_front_flip(&t.display->connectors[0], 77), ==,
                    -ENOENT);
    g_assert_true(is_traced(&t, "xen_pvdisplay_answer disp0 connector 0 "
                            "request "));
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void add(const char *name, void (*test)(const void *testbed))
{
    g_autofree char *multi = g_strdup_printf("/xen-pv-status/%s", name);
    g_autofree char *single = g_strdup_printf("/xen-pv-status/single-map/%s",
                                              name);

    qtest_add_data_func(multi, "", test);
    qtest_add_data_func(single, ",single-map=on", test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("display", test_display);
    add("sound", test_sound);
    qtest_add_data_func("/xen-pv-status/stream", "", test_stream);
    qtest_add_data_func("/xen-pv-status/trace", "", test_trace);
    return g_test_run();
}
