/*
 * QTest of what frontends of PV cards wait for, when they come and go
 *
 * Each known frontend is a row of a table: what it writes, and what it has to
 * see before it goes on.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "../frontend/xen-front-sound.h"
#include "xen-pv-qtest.h"

#define CARDS \
    "-audiodev none,id=snd,out.mixing-engine=off " \
    "-device xen-pvdisplay,id=disp0,connectors=64x48 " \
    "-device xen-pvsound,id=snd0,audiodev=snd,streams=pc "

/* So long that nobody waits for its end, and so long as it is, ms */
#define FOR_EVER XEN_PV_TEST_CLOSING "10000000 "
#define DEFAULT 500
#define AS_IT_IS XEN_PV_TEST_CLOSING "500 "

#define RATE        8000
#define FRAME       2
#define BUFFER      (2048 * FRAME)
#define COOKIE      0x1000
#define MS          1000000ll

/* How long Linux waits for InitWait when its module goes, ms */
#define LINUX_UNLOAD 1000

/*
 * Conversations of a frontend that is Connected.  A digit is what it writes,
 * and the digit behind it what the backend has to show before it goes on.
 * ".2" waits without writing; "~5" looks for some time whether it stays so,
 * as one that polls now and then does not see what passes; "X6" is the
 * toolstack, which wants the card back; "7?" waits for nothing.  In the end the
 * frontend is gone, or is Initialising, and starts over.
 */
typedef struct Talk {
    const char *name;
    const char *closing;
    const char *steps;
} Talk;

static const Talk talks[] = {
    { "linux-unload", AS_IT_IS, "55 .2 12 62 12" },
    { "linux-reboot", FOR_EVER, "55 66" },
    { "linux-reboot-late", FOR_EVER, "55 ~5 66" },
    { "linux-kexec", FOR_EVER, "55 66 ~6 12" },
    { "linux-kdump", FOR_EVER, "55 66 12" },
    { "linux-dead", FOR_EVER, "12" },
    { "plan9-halt", FOR_EVER, "55 ~5 66 ~6" },
    { "closed-at-once", FOR_EVER, "66 12" },
    { "starts-over-while-closing", FOR_EVER, "55 12" },
    { "stays-closing", AS_IT_IS, "55 .2 ~2 12" },
    { "detach", FOR_EVER, "X6" },
    { "detach-while-closing", FOR_EVER, "55 X6" },
};

typedef struct Cards {
    XenPvTest t;
    XenFrontSound *sound;
} Cards;

static void cards_start(Cards *c, const void *testbed, const char *closing)
{
    g_autofree char *args = g_strdup_printf("%s%s", closing, CARDS);

    xen_pv_test_start(&c->t, testbed, args);
    c->sound = xen_front_sound_new(c->t.guest, 0);
}

static void cards_end(Cards *c)
{
    xen_pv_test_quit(&c->t);
    g_assert_cmpuint(xen_front_sound_free(c->sound), ==, 0);
    xen_pv_test_end(&c->t);
}

static void cards_connect(Cards *c)
{
    xen_pv_test_connect(c->t.display);
    g_assert_cmpint(xen_front_sound_connect(c->sound), ==, 0);
}

static uint64_t mapped(Cards *c)
{
    XenGuestStats stats;

    g_assert_cmpint(xen_guest_stats(c->t.guest, &stats), ==, 0);
    return stats.mapped;
}

static bool never(void *opaque)
{
    return false;
}

static bool is_gone(void *opaque)
{
    XenFrontCard *card = opaque;

    return !xen_guest_exists(card->guest, card->backend_path);
}

/*
 * libxl writes both nodes in one transaction.  Without one the last has to be
 * "online", as a card that is Closed and not online takes its nodes with it.
 */
static void detach(Cards *c, XenFrontCard *card)
{
    g_autofree char *online = g_strdup_printf("%s/online",
                                              card->backend_path);

    xen_guest_dom0_write(card->guest, card->backend_state, "5");
    xen_guest_dom0_write(card->guest, online, "0");
    qtest_qmp_eventwait(c->t.qts, "DEVICE_DELETED");
    g_assert_true(xen_guest_wait(card->guest, is_gone, card,
                                 XEN_GUEST_DEADLINE));
}

/* Of the guest just the @rest may be mapped, that of the other card */
static void take_step(Cards *c, XenFrontCard *card, const char *step,
                      uint64_t rest)
{
    int state = step[1] - '0';
    int64_t begin = g_get_monotonic_time();

    g_test_message("%s", step);
    if (step[0] == 'X') {
        detach(c, card);
        return;
    }
    if (step[0] == '~') {
        xen_guest_wait(card->guest, never, NULL, 120);
        g_assert_cmpint(xen_guest_read_int(card->guest, card->backend_state,
                                           -1), ==, state);
        return;
    }
    if (g_ascii_isdigit(step[0])) {
        xen_front_set_state(card, step[0] - '0');
    }
    if (step[1] == '?') {
        return;
    }
    g_assert_true(xen_front_wait_backend(card, state, XEN_GUEST_DEADLINE));
    g_assert_cmpuint(mapped(c), ==, rest);
    g_test_message("after %" PRId64 " ms",
                   (g_get_monotonic_time() - begin) / 1000);
}

static void talk(Cards *c, XenFrontCard *card, const char *text,
                 uint64_t rest)
{
    g_auto(GStrv) steps = g_strsplit(text, " ", -1);
    int i;

    for (i = 0; steps[i]; i++) {
        take_step(c, card, steps[i], rest);
    }
}

static void test_talk(const Talk *row, const char *testbed)
{
    uint64_t display, all;
    bool again = g_str_has_suffix(row->steps, "12");
    Cards c;

    cards_start(&c, testbed, row->closing);
    xen_pv_test_connect(c.t.display);
    display = mapped(&c);
    g_assert_cmpint(xen_front_sound_connect(c.sound), ==, 0);
    all = mapped(&c);

    talk(&c, &c.sound->card, row->steps, display);
    g_assert_cmpuint(xen_front_sound_free_rings(c.sound), ==, 0);
    if (again) {
        g_assert_cmpint(xen_front_sound_connect(c.sound), ==, 0);
        g_assert_cmpuint(mapped(&c), ==, all);
    }
    talk(&c, &c.t.display->card, row->steps, again ? all - display : 0);
    g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
    if (again) {
        xen_pv_test_connect(c.t.display);
        g_assert_cmpuint(mapped(&c), ==, all);
    }
    cards_end(&c);
}

static void test_talk_of(gconstpointer data)
{
    test_talk(data, "");
}

static void check_default(Cards *c)
{
    QDict *response = qtest_qmp(c->t.qts, "{ 'execute': "
                                "'device-list-properties', 'arguments': "
                                "{ 'typename': 'xen-pvdisplay' } }");
    const QListEntry *entry;
    int found = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *property = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(property, "name"), "x-closing-time")) {
            g_assert_cmpint(qdict_get_int(property, "default-value"), ==,
                            DEFAULT);
            found++;
        }
    }
    g_assert_cmpint(found, ==, 1);
    qobject_unref(response);
}

/*
 * InitWait comes in Linux's time.  A machine that is busy may be late; it is
 * not so each time.
 */
static void test_in_time(const void *testbed)
{
    int tries;
    Cards c;

    cards_start(&c, testbed, AS_IT_IS);
    check_default(&c);
    for (tries = 0; tries < 5; tries++) {
        int64_t begin;

        xen_pv_test_connect(c.t.display);
        begin = g_get_monotonic_time();
        xen_front_set_state(&c.t.display->card, XenbusStateClosing);
        g_assert_true(xen_front_wait_backend(&c.t.display->card,
                                             XenbusStateInitWait,
                                             XEN_GUEST_DEADLINE));
        if (g_get_monotonic_time() - begin < LINUX_UNLOAD * 1000ll) {
            break;
        }
        g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
        xen_front_card_left(&c.t.display->card);
        xen_front_set_state(&c.t.display->card, XenbusStateInitialising);
    }
    g_assert_cmpint(tries, <, 5);
    g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
    cards_end(&c);
}

/* A reset */

static void reset(Cards *c)
{
    qtest_qmp_assert_success(c->t.qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(c->t.qts, "RESET");
}

/* All of the guest's memory */
static char *memory_sum(Cards *c)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_MD5);
    char *text;
    uint32_t i;

    for (i = 0; i < xen_guest_nr_pages(c->t.guest); i++) {
        g_checksum_update(sum, xen_guest_page(c->t.guest, i), XEN_GUEST_PAGE);
    }
    text = g_strdup(g_checksum_get_string(sum));
    g_checksum_free(sum);
    return text;
}

static void check_fresh(XenFrontCard *card)
{
    g_assert_true(xen_front_wait_backend(card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    g_assert_true(xen_guest_wait_int(card->guest, card->frontend_state,
                                     XenbusStateInitialising, -1,
                                     XEN_GUEST_DEADLINE));
}

static void open_stream(XenFrontStream *s)
{
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          1, BUFFER, BUFFER / 4), ==, 0);
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
}

static void forget_stream(XenFrontStream *s)
{
    g_assert_cmpuint(xen_front_pgdir_free(s->pgdir), ==, 0);
    s->pgdir = NULL;
}

/* A picture, a flip whose event is owed, sound that plays and is recorded */
static XenFrontBuffer *cards_work(Cards *c)
{
    XenFrontConnector *screen = &c->t.display->connectors[0];
    XenFrontBuffer *buffer = xen_front_buffer_new(c->t.guest, 64, 48, COOKIE);

    xen_front_buffer_draw(buffer, 1);
    g_assert_cmpint(xen_front_buffer_attach(c->t.display, buffer), ==, 0);
    g_assert_cmpint(xen_front_set_config(screen, buffer->fb, 0, 0, 64, 48,
                                         32), ==, 0);
    open_stream(&c->sound->streams[0]);
    open_stream(&c->sound->streams[1]);
    qtest_clock_step(c->t.qts, 100 * MS);
    g_assert_true(xen_front_stream_wait_position(&c->sound->streams[1], 1,
                                                 XEN_GUEST_DEADLINE));
    g_assert_cmpint(xen_front_flip(screen, buffer->fb), ==, 0);
    g_assert_cmpuint(mapped(c), >, 6);
    return buffer;
}

static void cards_forget(Cards *c, XenFrontBuffer *buffer)
{
    forget_stream(&c->sound->streams[0]);
    forget_stream(&c->sound->streams[1]);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
    g_assert_cmpuint(xen_front_display_free_rings(c->t.display), ==, 0);
    g_assert_cmpuint(xen_front_sound_free_rings(c->sound), ==, 0);
}

/* A guest that crashed, and was reset: what it had may be anybody's now */
static void test_reset(const void *testbed)
{
    XenFrontBuffer *buffer;
    Cards c;
    int i;

    cards_start(&c, testbed, FOR_EVER);
    for (i = 0; i < 3; i++) {
        g_autofree char *before = NULL;
        g_autofree char *after = NULL;

        cards_connect(&c);
        buffer = cards_work(&c);
        reset(&c);
        g_assert_cmpuint(mapped(&c), ==, 0);
        before = memory_sum(&c);
        qtest_clock_step(c.t.qts, 1000 * MS);
        g_assert_cmpuint(mapped(&c), ==, 0);
        after = memory_sum(&c);
        g_assert_cmpstr(before, ==, after);
        cards_forget(&c, buffer);
        check_fresh(&c.sound->card);
        check_fresh(&c.t.display->card);
    }
    cards_connect(&c);
    cards_end(&c);
}

/* States in which a frontend may be when the machine is reset */
static void test_reset_states(const void *testbed)
{
    static const char *const before[] = {
        "55", "55 66", "55 12", "12", "66", "1?", "2?", "3?", "4?", "5?",
        "6?", "7?", "8?", "5? 6? 1?",
    };
    XenFrontCard *card;
    Cards c;
    int i;

    cards_start(&c, testbed, FOR_EVER);
    card = &c.t.display->card;
    for (i = 0; i < ARRAY_SIZE(before); i++) {
        g_test_message("reset after %s", before[i]);
        xen_pv_test_connect(c.t.display);
        talk(&c, card, before[i], 0);
        reset(&c);
        g_assert_cmpuint(mapped(&c), ==, 0);
        check_fresh(card);
        g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
    }

    /* One that has no node any more */
    xen_pv_test_connect(c.t.display);
    xen_guest_rm(c.t.guest, card->frontend_state);
    g_assert_true(xen_front_wait_backend(card, XenbusStateClosed,
                                         XEN_GUEST_DEADLINE));
    g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
    reset(&c);
    check_fresh(card);

    /* One that nobody has used is left alone */
    reset(&c);
    reset(&c);
    check_fresh(card);
    xen_pv_test_connect(c.t.display);
    cards_end(&c);
}

/* Linux's driver was unloaded: the next kernel is to find a new card */
static void test_reset_unloaded(const void *testbed)
{
    Cards c;

    cards_start(&c, testbed, AS_IT_IS);
    xen_pv_test_connect(c.t.display);
    xen_pv_test_unload(&c.t);
    reset(&c);
    check_fresh(&c.t.display->card);
    xen_pv_test_connect(c.t.display);
    cards_end(&c);
}

/* A card that comes after a reset, and one that goes and comes */
static void test_reset_hotplug(const void *testbed)
{
    Cards c;

    cards_start(&c, testbed, FOR_EVER);
    cards_connect(&c);
    qtest_qmp_assert_success(c.t.qts, "{ 'execute': 'device_del', "
                             "'arguments': { 'id': 'snd0' } }");
    /* Which of both events is the first depends on QEMU's version */
    qtest_qmp_assert_success(c.t.qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(c.t.qts, "DEVICE_DELETED");
    g_assert_cmpuint(mapped(&c), ==, 0);
    g_assert_cmpuint(xen_front_sound_free_rings(c.sound), ==, 0);
    g_assert_cmpuint(xen_front_display_free_rings(c.t.display), ==, 0);
    qtest_qmp_assert_success(c.t.qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'xen-pvsound', "
                             "'id': 'snd0', 'audiodev': 'snd', "
                             "'streams': 'pc' } }");
    cards_connect(&c);
    cards_end(&c);
}

static const XenPvCase cases[] = {
    { "in-time", test_in_time },
    { "reset", test_reset },
    { "reset-states", test_reset_states },
    { "reset-unloaded", test_reset_unloaded },
    { "reset-hotplug", test_reset_hotplug },
};

int main(int argc, char **argv)
{
    size_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(talks); i++) {
        g_autofree char *path = g_strdup_printf("xen-pv-states/talk/%s",
                                                talks[i].name);

        qtest_add_data_func(path, &talks[i], test_talk_of);
    }
    xen_pv_test_add("xen-pv-states", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
