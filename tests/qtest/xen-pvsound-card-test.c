/*
 * QTest of xen-pvsound: cards, from their options and nodes to their end
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
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

#include "xen-pvsound-qtest.h"

/* Tests: the end */

/*
 * QEMU frees its audio layer before its Xen devices: nothing may touch it.
 * For playback that means that no voice is closed, to stop one does no harm.
 * For capture to close a voice touches what is gone, and where the driver has
 * to be told so does stopping it.
 */
static void test_quit_while_playing(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=ppc");
    test_connect(&t);
    open_plain(stream(&t, 0));
    xen_front_stream_write(stream(&t, 0), samples, BUFFER);
    start(stream(&t, 0));
    /* Closed, but its voice lives on */
    open_plain(stream(&t, 1));
    close_plain(stream(&t, 1));
    step(&t, 50 * MS);
    test_quit(&t);
    test_end(&t);
}

static void quit_while_recording(const char *testbed, const char *audio)
{
    Test t;

    test_start(&t, testbed, audio, CARD "streams=pc");
    test_connect(&t);
    open_plain(stream(&t, 1));
    start(stream(&t, 1));
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    g_assert_cmpint(trigger(stream(&t, 0), XENSND_OP_TRIGGER_PAUSE), ==, 0);
    step(&t, 50 * MS);
    test_quit(&t);
    test_end(&t);
}

static void test_quit_while_recording(const void *testbed)
{
    quit_while_recording(testbed, NONE);
}

#ifdef CONFIG_AUDIO_ALSA
/* With a driver that looks after a voice that stops, though it is gone */
static void test_quit_while_recording_alsa(const void *testbed)
{
    quit_while_recording(testbed, ALSA);
}
#endif

/* Tests: connecting */

static void test_nodes(const void *testbed)
{
    XenGuestStats stats;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams='Main:pc;p;Mic.2:cc'");
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    check_node(&t, "short-name", "Xen PV sound");
    check_node(&t, "channels-max", "2");
    check_node(&t, "buffer-size", "262144");
    check_node(&t, "0/name", "Main");
    check_node(&t, "0/0/type", "p");
    check_node(&t, "0/1/type", "c");
    check_node(&t, "0/2/type", NULL);
    check_node(&t, "1/name", "PCM 1");
    check_node(&t, "1/0/unique-id", "1.0");
    check_node(&t, "2/name", "Mic.2");
    check_node(&t, "2/1/type", "c");
    check_node(&t, "3/name", NULL);

    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 5);
    test_stats(&t, &stats);
    g_assert_cmpuint(stats.mapped, ==, 10);
    g_assert_cmpuint(stats.ports, ==, 10);
    test_unload(&t);
    test_end(&t);
}

static void test_reload(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    Test t;
    int i;

    test_start(&t, testbed, WAV, CARD "streams=p");
    for (i = 0; i < 20; i++) {
        XenFrontStream *s;

        test_connect(&t);
        s = stream(&t, 0);
        open_plain(s);
        xen_front_stream_write(s, samples, BUFFER);
        start(s);
        step(&t, 30 * MS);
        if (i % 2) {
            close_plain(s);
            test_unload(&t);
        } else {
            /* A driver that crashed: what it left open goes, too */
            test_unload(&t);
            g_assert_cmpuint(xen_front_pgdir_free(s->pgdir), ==, 0);
            s->pgdir = NULL;
        }
        g_assert_cmpint(xen_front_set_state(&t.sound->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }
    test_end(&t);
}

/* The handshake, but for the frontend's last word */
static void test_offer(Test *t)
{
    g_assert_true(xen_front_wait_backend(&t->sound->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    g_assert_cmpint(xen_front_sound_read_config(t->sound), ==, 0);
    g_assert_cmpint(xen_front_sound_alloc_rings(t->sound), ==, 0);
    g_assert_cmpint(xen_front_sound_publish(t->sound), ==, 0);
    xen_front_set_state(&t->sound->card, XenbusStateInitialised);
    g_assert_true(xen_front_wait_backend(&t->sound->card,
        XenbusStateConnected, XEN_GUEST_DEADLINE));
}

static void test_give_up(Test *t)
{
    test_offer(t);
    xen_front_set_state(&t->sound->card, XenbusStateClosing);
    g_assert_cmpuint(xen_front_sound_free_rings(t->sound), ==, 0);
    xen_front_set_state(&t->sound->card, XenbusStateInitialising);
}

static void check_backend(Test *t, const char *expected)
{
    g_autofree char *state = xen_guest_read(t->guest,
                                            t->sound->card.backend_state);

    g_assert_cmpstr(state, ==, expected);
}

/* A success forgets all failures: there is no pause but after three more */
static void check_taken(Test *t)
{
    test_give_up(t);
    test_give_up(t);
    test_give_up(t);
    g_assert_true(xen_front_wait_backend(&t->sound->card,
        XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
    step(t, 1000 * MS - MS);
    check_backend(t, "7");
    step(t, MS);
}

/*
 * What Linux does with a second card: it fails, and starts over as soon as
 * it is offered again.  That must not go on and on as fast as it can.
 */
static void test_pauses(const void *testbed)
{
    static const int64_t pauses[] = { 1, 2, 4, 8, 16, 30, 30 };
    size_t i;
    Test t;

    test_start(&t, testbed, NONE, CARD "streams=p");
    /* InitWait only when the frontend has cleared up, or it sees it twice */
    test_offer(&t);
    xen_front_set_state(&t.sound->card, XenbusStateClosing);
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateClosed,
                                         XEN_GUEST_DEADLINE));
    step(&t, 1000 * MS);
    check_backend(&t, "6");
    g_assert_cmpuint(xen_front_sound_free_rings(t.sound), ==, 0);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    test_give_up(&t);
    for (i = 0; i < ARRAY_SIZE(pauses); i++) {
        test_give_up(&t);
        g_assert_true(xen_front_wait_backend(&t.sound->card,
            XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
        step(&t, pauses[i] * 1000 * MS - MS);
        check_backend(&t, "7");
        step(&t, MS);
    }

    test_connect(&t);
    test_unload(&t);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    check_taken(&t);

    /* One that is busy elsewhere may not see that it was Connected */
    test_offer(&t);
    open_plain(stream(&t, 0));
    close_plain(stream(&t, 0));
    xen_front_set_state(&t.sound->card, XenbusStateClosing);
    g_assert_cmpuint(xen_front_sound_free_rings(t.sound), ==, 0);
    xen_front_set_state(&t.sound->card, XenbusStateInitialising);
    check_taken(&t);

    /* Who is waiting can be removed */
    test_give_up(&t);
    g_assert_true(xen_front_wait_backend(&t.sound->card,
        XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'snd0' } }");
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    step(&t, 60 * 1000 * MS);
    check_backend(&t, NULL);
    test_end(&t);
}

/* Tests: cards of the toolstack */

/* Limits come down from the card, and hold */
static void test_toolstack(const void *testbed)
{
    struct xensnd_query_hw_param p;
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, "-global xen-pvsound.audiodev=snd");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "short-name", "Card");
    xen_toolstack_write(&t.sound->card, "sample-formats",
                        "s16_le,s8,gsm,f32_le");
    xen_toolstack_write(&t.sound->card, "sample-rates", "48000,8000");
    xen_toolstack_write(&t.sound->card, "buffer-size", "65536");
    xen_toolstack_write(&t.sound->card, "0/name", "Main");
    xen_toolstack_write(&t.sound->card, "0/channels-max", "1");
    xen_toolstack_write(&t.sound->card, "0/0/unique-id", "hw:0,0");
    xen_toolstack_write(&t.sound->card, "0/0/type", "p");
    xen_toolstack_write(&t.sound->card, "0/1/type", "c");
    xen_toolstack_write(&t.sound->card, "0/1/channels-max", "2");
    xen_toolstack_write(&t.sound->card, "0/1/sample-rates", "44100");
    xen_toolstack_write(&t.sound->card, "1/0/type", "p");
    xen_toolstack_write(&t.sound->card, "1/0/sample-formats", "gsm");
    xen_toolstack_end(&t.sound->card);
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 3);

    s = stream(&t, 0);
    query(s, &p);
    g_assert_cmphex(p.formats, ==, 1 << XENSND_PCM_FORMAT_S16_LE |
                    1 << XENSND_PCM_FORMAT_S8 | 1 << XENSND_PCM_FORMAT_F32_LE);
    g_assert_cmpuint(p.rates.min, ==, 8000);
    g_assert_cmpuint(p.rates.max, ==, 48000);
    g_assert_cmpuint(p.channels.max, ==, 1);
    g_assert_cmpuint(p.buffer.max, ==, 65536);
    g_assert_cmpint(xen_front_stream_open(s, 44100, XENSND_PCM_FORMAT_S16_LE,
                                          1, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          2, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S32_LE,
                                          1, 8192, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          1, 69632, 4096), ==, -EINVAL);
    g_assert_cmpint(xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE,
                                          1, 65536, 4096), ==, 0);
    close_plain(s);

    query(stream(&t, 1), &p);
    g_assert_cmpuint(p.rates.min, ==, 44100);
    g_assert_cmpuint(p.rates.max, ==, 44100);
    g_assert_cmpuint(p.channels.max, ==, 2);

    p.formats = UINT64_MAX;
    g_assert_cmpint(xen_front_stream_query(stream(&t, 2), &p), ==, -EINVAL);
    test_unload(&t);
    test_end(&t);
}

/* Nodes or options of no use: refused at once, with the reason, and mended */
static void check_card_refused(Test *t, const char *why)
{
    g_autofree char *path = g_strdup_printf("/local/domain/0/error/backend/"
                                            "vsnd/%u/0/error",
                                            XEN_TESTBED_GUEST);
    g_autofree char *text = NULL;

    g_assert_true(xen_front_wait_backend(&t->sound->card, XenbusStateUnknown,
                                         XEN_GUEST_DEADLINE));
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.backend_path));
    text = xen_guest_dom0_read(t->guest, path);
    g_assert_nonnull(text);
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, why));
    g_assert_cmpint(xen_guest_call(t->guest, NULL, "dom0 rm %s",
                                   t->sound->card.frontend_path), ==, 0);
}

static void test_refused(const void *testbed)
{
    Test t;

    test_start(&t, testbed, NONE, "-global xen-pvsound.audiodev=snd");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "0/0/type", "x");
    xen_toolstack_end(&t.sound->card);
    check_card_refused(&t, "name no stream that can be served");
    xen_toolstack_begin(&t.sound->card);
    xen_toolstack_write(&t.sound->card, "0/0/type", "p");
    xen_toolstack_end(&t.sound->card);
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 1);
    test_unload(&t);
    test_end(&t);
}

static void test_refused_options(const void *testbed)
{
    static const struct {
        const char *args;
        const char *why;
    } bad[] = {
        { "-global xen-pvsound.audiodev=snd "
          "-global xen-pvsound.streams='?'", "1 to 8 letters" },
        { "-global xen-pvsound.audiodev=snd "
          "-global xen-pvsound.max-streams=0",
          "max-streams=0 is not between 1 and 64 streams" },
    };
    Test t;
    int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        test_start(&t, testbed, NONE, bad[i].args);
        xen_toolstack_begin(&t.sound->card);
        xen_toolstack_write(&t.sound->card, "0/0/type", "p");
        xen_toolstack_end(&t.sound->card);
        check_card_refused(&t, bad[i].why);
        test_end(&t);
    }
}

/* Tests: the monitor */

/* What the monitor sees of the first stream */
static QDict *status_of(Test *t, QDict **stream_status)
{
    QDict *response = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': 'snd0', "
                                "'property': 'status' } }");
    QDict *status = qdict_get_qdict(response, "return");

    g_assert_nonnull(status);
    *stream_status = qobject_to(QDict,
        qlist_peek(qdict_get_qlist(status, "streams")));
    g_assert_nonnull(*stream_status);
    return response;
}

static void check_state(Test *t, const char *state, int64_t silent)
{
    QDict *s, *response = status_of(t, &s);

    g_assert_cmpstr(qdict_get_str(s, "name"), ==, "snd0.0.0");
    g_assert_cmpstr(qdict_get_str(s, "type"), ==, "playback");
    g_assert_cmpstr(qdict_get_str(s, "state"), ==, state);
    g_assert_cmpint(qdict_get_int(s, "silent-bytes"), ==, silent);
    if (g_str_equal(state, "closed")) {
        g_assert_false(qdict_haskey(s, "position"));
    } else {
        g_assert_cmpstr(qdict_get_str(s, "format"), ==, "s16_le");
        g_assert_cmpint(qdict_get_int(s, "rate"), ==, RATE);
        g_assert_cmpint(qdict_get_int(s, "buffer-size"), ==, BUFFER);
    }
    qobject_unref(response);
}

static void test_status(const void *testbed)
{
    g_autofree int16_t *samples = samples_new(BUFFER / 2);
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=pc");
    check_state(&t, "closed", 0);
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    check_state(&t, "stopped", 0);
    xen_front_stream_write(s, samples, BUFFER);
    start(s);
    step(&t, 100 * MS);
    check_state(&t, "running", 0);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_PAUSE), ==, 0);
    check_state(&t, "paused", 0);
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_RESUME), ==, 0);
    stop(s);
    close_plain(s);
    check_state(&t, "closed", 0);
    test_unload(&t);
    test_end(&t);
}

/* Tests: going away */

static void test_device_del(const void *testbed)
{
    XenFrontStream *s;
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    open_plain(s);
    start(s);
    step(&t, 50 * MS);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'snd0' } }");
    g_assert_true(xen_front_wait_backend(&t.sound->card, XenbusStateUnknown,
                                         XEN_GUEST_DEADLINE));
    qtest_qmp_eventwait(t.qts, "DEVICE_DELETED");
    check_idle(&t);
    xen_front_sound_free_rings(t.sound);
    step(&t, 50 * MS);
    /* And once more */
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'xen-pvsound', "
                             "'id': 'snd1', 'audiodev': 'snd' } }");
    g_assert_cmpuint(xen_front_pgdir_free(s->pgdir), ==, 0);
    s->pgdir = NULL;
    test_connect(&t);
    g_assert_cmpuint(t.sound->nr_streams, ==, 2);
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    step(&t, 50 * MS);
    close_plain(stream(&t, 0));
    test_unload(&t);
    test_end(&t);
}

static void test_vanish(const void *testbed)
{
    Test t;

    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    open_plain(stream(&t, 0));
    start(stream(&t, 0));
    step(&t, 50 * MS);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    step(&t, 50 * MS);
    test_end(&t);
}

/* One sentence, which says what would be right; no trace of a card is left */
static void check_refused(Test *t, const char *option, const char *value,
                          const char *phrase)
{
    g_autofree char *text =
        g_strdup_printf("{ 'driver': 'xen-pvsound', 'audiodev': 'snd', "
                        "'%s': %s }", option, value);
    QObject *arguments = qobject_from_json(text, &error_abort);
    QDict *response;
    const char *desc;

    response = qtest_qmp(t->qts, "{ 'execute': 'device_add', "
                         "'arguments': %p }", arguments);
    g_assert_true(qdict_haskey(response, "error"));
    desc = qdict_get_str(qdict_get_qdict(response, "error"), "desc");
    g_test_message("%s", desc);
    g_assert_nonnull(strstr(desc, phrase));
    qobject_unref(response);
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.frontend_path));
    g_assert_false(xen_guest_exists(t->guest, t->sound->card.backend_path));
    check_idle(t);
}

static void test_options(void)
{
    static const struct {
        const char *value;
        const char *phrase;
    } streams[] = {
        { "''", "1 to 8 letters" },
        { "'x'", "1 to 8 letters" },
        { "'Main:'", "1 to 8 letters" },
        { "'p;;c'", "1 to 8 letters" },
        { "'ppppppppp'", "1 to 8 letters" },
        { "':p'", "name of 1 to 32" },
        { "'a/b:p'", "name of 1 to 32" },
        { "'0123456789012345678901234567890123:p'", "name of 1 to 32" },
        { "'p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p'",
          "at most 32" },
        { "'pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;pppppppp;"
          "pppppppp;p'", "at most 64" },
    };
    static const struct {
        const char *option;
        const char *value;
        const char *phrase;
    } numbers[] = {
        { "idx", "-2", "use 0 or more, or -1 for the first free index" },
        { "max-channels", "0", "between 1 and 16 channels" },
        { "max-channels", "17", "between 1 and 16 channels" },
        { "max-connects", "100001", "between 0, for no limit, and 100000 a "
          "second" },
        { "max-load", "0", "between 1 and 100 percent" },
        { "max-load", "101", "between 1 and 100 percent" },
        { "max-load", "'half'", "max-load" },
        { "max-log-lines", "0", "between 1 and 100000 lines a minute" },
        { "max-log-lines", "100001", "between 1 and 100000 lines a minute" },
        { "max-mappings", "1", "between 16 and 32768" },
        { "max-pages", "262145", "between 1 and 262144 pages" },
        { "max-streams", "0", "between 1 and 64 streams" },
        { "max-streams", "65", "between 1 and 64 streams" },
        { "max-streams", "4294967296", "max-streams" },
    };
    Test t;
    int i;

    test_start(&t, "", NONE, "");
    for (i = 0; i < ARRAY_SIZE(streams); i++) {
        check_refused(&t, "streams", streams[i].value, streams[i].phrase);
    }
    for (i = 0; i < ARRAY_SIZE(numbers); i++) {
        check_refused(&t, numbers[i].option, numbers[i].value,
                      numbers[i].phrase);
    }
    test_end(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("quit/playing", test_quit_while_playing);
    add("quit/recording", test_quit_while_recording);
#ifdef CONFIG_AUDIO_ALSA
    add("quit/recording-alsa", test_quit_while_recording_alsa);
#endif
    add("nodes", test_nodes);
    add("reload", test_reload);
    add("pauses", test_pauses);
    add("toolstack", test_toolstack);
    add("refused", test_refused);
    add("refused-options", test_refused_options);
    add("status", test_status);
    add("device-del", test_device_del);
    add("vanish", test_vanish);
    qtest_add_func("/xen-pvsound/options", test_options);
    return g_test_run();
}
