/*
 * QTest of faults: each call of the backends to Xen fails in turn, and the
 * world ends at each step of a device's life
 *
 * A life is a list of steps, from the handshake to the last request.  After
 * each, whatever happened, nothing may be mapped, shared, bound or left in
 * xenstore, QEMU has to be well, and another life has to succeed.  What was
 * tried is printed as a table.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "xen-pv-qtest.h"

#include "../frontend/xen-front-sound.h"

#define TESTBED         ",dom0-pages=64"
#define WIDTH           128
#define HEIGHT          64
#define PERIOD_NS       (1000000000 / 60)

#define RATE            48000
#define FRAME           4               /* S16_LE, stereo */
#define BUFFER          (4096 * FRAME)
#define PERIOD          (1024 * FRAME)

/* Long enough for what comes at all, and short enough for what does not */
#define PATIENCE        500

typedef struct Life Life;

/* Returns: whether it worked */
typedef bool (*Step)(Life *life);

/*
 * A kind of device: the paths of both ends, how the frontend reads what it is
 * offered and publishes its rings, and its steps, which end with NULL.
 */
typedef struct Card {
    const char *name;
    const char *audio;
    const char *options;        /* of device_add */
    const char *frontend;
    const char *backend;
    Step read_config;
    Step publish;
    const Step *steps;
    int use;                    /* the first step that needs a connection */
} Card;

/*
 * @there: the card is there from the start, and need not be added
 * @strike: done before step @strike_at, or never
 * @path: what it is about
 * @fatal: there is nothing left to live on with after @strike
 * @survived: lives after which QEMU and all of the guest's pages were well
 * @left: pages that were mapped after one, all together
 */
struct Life {
    XenPvTest t;
    const Card *card;
    XenFrontDisplay *display;
    XenFrontSound *sound;
    XenFrontBuffer *own;
    XenFrontPgdir *theirs;
    XenFrontPgdir *edid;
    int patience;
    bool there;
    int strike_at;
    void (*strike)(Life *life);
    const char *path;
    bool fatal;
    int survived;
    uint64_t left;
};

/* ----------------------------------------------------------- handshake */

static bool wait_backend(Life *life, int state)
{
    g_autofree char *path = g_strdup_printf("%s/state", life->card->backend);

    return xen_guest_wait_int(life->t.guest, path, state, XenbusStateUnknown,
                              life->patience);
}

static bool set_state(Life *life, int state)
{
    g_autofree char *path = g_strdup_printf("%s/state", life->card->frontend);

    return xen_guest_write(life->t.guest, path, "%d", state) == 0;
}

static bool offered(Life *life)
{
    return wait_backend(life, XenbusStateInitWait) &&
           life->card->read_config(life);
}

static bool published(Life *life)
{
    return life->card->publish(life) &&
           set_state(life, XenbusStateInitialised);
}

static bool connected(Life *life)
{
    return wait_backend(life, XenbusStateConnected) &&
           set_state(life, XenbusStateConnected);
}

/* ------------------------------------------------------------- display */

#define DBUF            1
#define FB              2
#define THEIR_DBUF      3
#define THEIR_FB        4

static XenFrontConnector *screen(Life *life)
{
    return &life->display->connectors[0];
}

static bool display_read_config(Life *life)
{
    return xen_front_display_read_config(life->display) == 0;
}

static bool display_publish(Life *life)
{
    return xen_front_display_alloc_rings(life->display) == 0 &&
           xen_front_display_publish(life->display) == 0;
}

static bool display_create(Life *life)
{
    life->own = xen_front_buffer_new(life->t.guest, WIDTH, HEIGHT, DBUF);
    life->own->fb = FB;
    return xen_front_buffer_attach(life->display, life->own) == 0;
}

static bool display_show(Life *life)
{
    return xen_front_set_config(screen(life), FB, 0, 0, WIDTH, HEIGHT,
                                32) == 0;
}

static bool display_flip(Life *life)
{
    bool flipped = xen_front_flip(screen(life), FB) == 0;

    qtest_clock_step(life->t.qts, 2 * PERIOD_NS);
    return flipped &&
           xen_front_wait_events(screen(life), 1, life->patience);
}

static bool display_be_alloc(Life *life)
{
    life->theirs = xen_front_pgdir_new_be_alloc(life->t.guest,
                                                WIDTH * HEIGHT * 4);
    return xen_front_dbuf_create(life->display, THEIR_DBUF, WIDTH, HEIGHT, 32,
                                 WIDTH * HEIGHT * 4,
                                 XENDISPL_DBUF_FLG_REQ_ALLOC,
                                 xen_front_pgdir_ref(life->theirs), 0) == 0 &&
           xen_front_fb_attach(life->display, THEIR_DBUF, THEIR_FB, WIDTH,
                               HEIGHT, XEN_FRONT_XRGB8888) == 0;
}

/* In mid-flip: its event is not due before the next step */
static bool display_flip_theirs(Life *life)
{
    return xen_front_flip(screen(life), THEIR_FB) == 0;
}

static bool display_edid(Life *life)
{
    uint32_t size;

    life->edid = xen_front_pgdir_new(life->t.guest, XENDISPL_EDID_MAX_SIZE);
    return xen_front_get_edid(screen(life), XENDISPL_EDID_MAX_SIZE,
                              xen_front_pgdir_ref(life->edid), &size) == 0;
}

static bool display_destroy(Life *life)
{
    return xen_front_dbuf_destroy(life->display, DBUF) == 0;
}

static const Step display_steps[] = {
    offered, published, connected, display_create, display_show,
    display_flip, display_be_alloc, display_flip_theirs,
    display_edid, display_destroy, NULL,
};

/* --------------------------------------------------------------- sound */

static XenFrontStream *voice(Life *life, uint32_t index)
{
    return &life->sound->streams[index];
}

static bool sound_read_config(Life *life)
{
    return xen_front_sound_read_config(life->sound) == 0 &&
           life->sound->nr_streams == 2;
}

static bool sound_publish(Life *life)
{
    return xen_front_sound_alloc_rings(life->sound) == 0 &&
           xen_front_sound_publish(life->sound) == 0;
}

static bool sound_open(Life *life)
{
    bool good = true;
    int i;

    for (i = 0; i < 2; i++) {
        good &= xen_front_stream_open(voice(life, i), RATE,
                                      XENSND_PCM_FORMAT_S16_LE, 2, BUFFER,
                                      PERIOD) == 0;
    }
    return good;
}

/* A stream that did not open may not be served at all: do not wait for that */
static bool is_open(Life *life, int i)
{
    return voice(life, i)->pgdir;
}

static bool sound_volume(Life *life)
{
    return is_open(life, 0) &&
           xen_front_stream_rw(voice(life, 0), XENSND_OP_GET_VOLUME, 0,
                               8) == 0 &&
           xen_front_stream_rw(voice(life, 0), XENSND_OP_SET_VOLUME, 0,
                               8) == 0;
}

static bool sound_start(Life *life)
{
    static const uint8_t noise[BUFFER];

    return is_open(life, 0) &&
           xen_front_stream_write(voice(life, 0), noise,
                                  sizeof(noise)) == sizeof(noise) &&
           xen_front_stream_trigger(voice(life, 0),
                                    XENSND_OP_TRIGGER_START) == 0 &&
           is_open(life, 1) &&
           xen_front_stream_trigger(voice(life, 1),
                                    XENSND_OP_TRIGGER_START) == 0;
}

static bool sound_play(Life *life)
{
    qtest_clock_step(life->t.qts, 60 * 1000000);
    return xen_front_stream_wait_position(voice(life, 0), PERIOD,
                                          life->patience) &&
           xen_front_stream_wait_position(voice(life, 1), PERIOD,
                                          life->patience);
}

static bool sound_stop(Life *life)
{
    return is_open(life, 0) &&
           xen_front_stream_trigger(voice(life, 0),
                                    XENSND_OP_TRIGGER_STOP) == 0;
}

/* One of both, and the other ends with the connection */
static bool sound_close(Life *life)
{
    return is_open(life, 1) &&
           xen_front_stream_close(voice(life, 1)) == 0;
}

static const Step sound_steps[] = {
    offered, published, connected, sound_open, sound_volume, sound_start,
    sound_play, sound_stop, sound_close, NULL,
};

static const Card cards[] = {
    {
        .name = "display",
        .audio = "",
        .options = "{ 'driver': 'xen-pvdisplay', 'id': 'card', 'idx': 0, "
                   "'connectors': '128x64', 'be-alloc': true, "
                   "'x-connect-pause': 1 }",
        .frontend = "/local/domain/1/device/vdispl/0",
        .backend = "/local/domain/0/backend/vdispl/1/0",
        .read_config = display_read_config,
        .publish = display_publish,
        .steps = display_steps,
        .use = 3,
    },
    {
        .name = "sound",
        .audio = "-audiodev none,id=snd",
        .options = "{ 'driver': 'xen-pvsound', 'id': 'card', 'idx': 0, "
                   "'audiodev': 'snd', 'streams': 'pc', "
                   "'x-connect-pause': 1 }",
        .frontend = "/local/domain/1/device/vsnd/0",
        .backend = "/local/domain/0/backend/vsnd/1/0",
        .read_config = sound_read_config,
        .publish = sound_publish,
        .steps = sound_steps,
        .use = 3,
    },
};

/* -------------------------------------------------------------- a life */

static bool is_connected(Life *life)
{
    g_autofree char *state = g_strdup_printf("%s/state", life->card->backend);

    return xen_guest_read_int(life->t.guest, state, 0) ==
           XenbusStateConnected;
}

/* Returns: whether it is there; the store may have failed it */
static bool card_add(Life *life)
{
    const char *options = life->card->options;
    QObject *arguments = qobject_from_json(options, &error_abort);
    QDict *response = qtest_qmp(life->t.qts, "{ 'execute': 'device_add', "
                                "'arguments': %p }", arguments);
    bool added = qdict_haskey(response, "return");

    qobject_unref(response);
    return added;
}

static bool is_gone(void *opaque)
{
    Life *life = opaque;

    return !xen_guest_exists(life->t.guest, life->card->frontend) &&
           !xen_guest_exists(life->t.guest, life->card->backend);
}

/* What the host shared with the guest goes with the card, past its nodes */
static bool is_unshared(void *opaque)
{
    XenGuestStats stats;

    return xen_guest_stats(opaque, &stats) == 0 && stats.shared == 0;
}

/* It may have gone already */
static void card_remove(Life *life)
{
    qobject_unref(qtest_qmp(life->t.qts, "{ 'execute': 'device_del', "
                            "'arguments': { 'id': 'card' } }"));
    g_assert_true(xen_guest_wait(life->t.guest, is_gone, life,
                                 XEN_GUEST_DEADLINE));
}

static void front_new(Life *life)
{
    if (life->card->steps == display_steps) {
        life->display = xen_front_display_new(life->t.guest, 0);
    } else {
        life->sound = xen_front_sound_new(life->t.guest, 0);
    }
}

/* The guest gets back all that it ever granted */
static void front_free(Life *life)
{
    if (life->own) {
        g_assert_cmpuint(xen_front_buffer_free(life->own), ==, 0);
        life->own = NULL;
    }
    g_assert_cmpuint(xen_front_pgdir_free(life->theirs), ==, 0);
    life->theirs = NULL;
    g_assert_cmpuint(xen_front_pgdir_free(life->edid), ==, 0);
    life->edid = NULL;
    if (life->display) {
        g_assert_cmpuint(xen_front_display_free(life->display), ==, 0);
        life->display = NULL;
    }
    if (life->sound) {
        g_assert_cmpuint(xen_front_sound_free(life->sound), ==, 0);
        life->sound = NULL;
    }
}

static void check_idle(Life *life)
{
    XenGuestStats stats;

    xen_pv_test_wait_idle(&life->t);
    g_assert_cmpint(xen_guest_stats(life->t.guest, &stats), ==, 0);
    life->left += stats.mapped;
    g_assert_cmpuint(stats.mapped, ==, 0);
    g_assert_cmpuint(stats.refs, ==, 0);
    g_assert_cmpuint(stats.ports, ==, 0);
    g_assert_cmpuint(stats.leaks, ==, 0);
    g_assert_cmpuint(stats.share_leaks, ==, 0);
    g_assert_cmpuint(stats.bad_unmaps, ==, 0);
    qtest_qmp_assert_success(life->t.qts, "{ 'execute': 'query-status' }");
}

/* What fails, as it is made to, does not come however long one waits */
static void limit_waits(Life *life)
{
    xen_guest_limit_waits(life->t.guest, life->patience < XEN_GUEST_DEADLINE ?
                                         life->patience : 0);
}

/* Returns: whether each step worked */
static bool take_steps(Life *life)
{
    bool whole = true;
    int i;

    for (i = 0; life->card->steps[i]; i++) {
        if (life->strike && i == life->strike_at) {
            xen_guest_limit_waits(life->t.guest, 0);
            life->strike(life);
            if (life->fatal) {
                return false;
            }
            limit_waits(life);
        }
        if (i >= life->card->use && !is_connected(life)) {
            return false;
        }
        if (!life->card->steps[i](life)) {
            whole = false;
            if (i < life->card->use) {
                return false;
            }
        }
    }
    return whole;
}

/* Returns: whether all of it worked */
static bool live(Life *life, int patience)
{
    bool whole;

    life->patience = patience;
    front_new(life);
    limit_waits(life);
    whole = (life->there || card_add(life)) && take_steps(life);
    xen_guest_limit_waits(life->t.guest, 0);
    return whole;
}

static void end_life(Life *life)
{
    card_remove(life);
    check_idle(life);
    g_assert_true(xen_guest_wait(life->t.guest, is_unshared, life->t.guest,
                                 XEN_GUEST_DEADLINE));
    front_free(life);
    life->survived++;
}

/* One more, and without a fault: no count of those survived */
static void live_well(Life *life)
{
    life->strike = NULL;
    g_assert_true(live(life, XEN_GUEST_DEADLINE));
    end_life(life);
    life->survived--;
}

static void life_init(Life *life, const Card *card)
{
    memset(life, 0, sizeof(*life));
    life->card = card;
}

static void life_start(Life *life, const char *testbed)
{
    g_autofree char *device = g_strdup_printf("%s -device \"%s\"",
                                              life->card->audio,
                                              life->card->options);

    xen_pv_test_start(&life->t, testbed,
                      life->there ? device : life->card->audio);
}

static void life_end(Life *life)
{
    xen_pv_test_end(&life->t);
}

static void show_table(const Life *life, const char *what, int tried)
{
    g_test_message("%-8s %-20s %8s %8s %10s", "device", "fault", "tried",
                   "survived", "pages left");
    g_test_message("%-8s %-20s %8d %8d %10" PRIu64, life->card->name, what,
                   tried, life->survived, life->left);
}

/* -------------------------------------------------------------- faults */

/* Returns: whether there was a fault */
static bool disarm(Life *life, const char *what)
{
    g_autofree char *left = NULL;

    g_assert_cmpint(xen_guest_call(life->t.guest, &left, "fail %s 0", what),
                    ==, 0);
    return g_str_equal(left, "0");
}

/*
 * A kind of calls: those of a device's life, and if @undo those by which it
 * ends, too; at least @least there are.
 */
typedef struct Calls {
    const char *name;
    const char *what;
    const Card *card;
    int least;
    const char *testbed;
    bool undo;
} Calls;

/* Returns: whether the n-th call failed */
static bool fail_nth(Life *life, const Calls *calls, int n, int patience)
{
    bool failed, whole;

    g_assert_cmpint(xen_guest_call(life->t.guest, NULL, "fail %s %d",
                                   calls->what, n), ==, 0);
    whole = live(life, patience);
    if (calls->undo) {
        card_remove(life);
    }
    failed = disarm(life, calls->what);
    end_life(life);
    if (failed && !whole) {
        live_well(life);
    }
    if (!failed && !whole) {
        life->survived--;
        /* Cut short by a machine that is slow, not by a fault */
        g_assert_cmpint(patience, <, XEN_GUEST_DEADLINE);
        return fail_nth(life, calls, n, XEN_GUEST_DEADLINE);
    }
    return failed;
}

#define SINGLE          TESTBED ",single-map=on"

/*
 * Each has a ring and an event page for each stream or connector at least.
 * No card copies grants; and only a picture that somebody looks at is replaced
 * by a copy of it.
 */
static const Calls calls[] = {
    { "open", "open", &cards[0], 4, TESTBED },
    { "map", "map", &cards[0], 6, TESTBED },
    { "map-one-by-one", "map", &cards[0], 10, SINGLE },
    { "unmap", "unmap", &cards[0], 4, TESTBED, true },
    { "unmap-one-by-one", "unmap", &cards[0], 10, SINGLE, true },
    { "copy", "copy", &cards[0], 0, TESTBED, true },
    { "share", "share", &cards[0], 1, TESTBED },
    { "replace", "replace", &cards[0], 0, TESTBED, true },
    { "bind", "bind", &cards[0], 2, TESTBED },
    { "unbind", "unbind", &cards[0], 2, TESTBED, true },
    { "notify", "notify", &cards[0], 5, TESTBED },
    { "pending", "pending", &cards[0], 2, TESTBED },
    { "store", "store", &cards[0], 30, TESTBED },
    { "open", "open", &cards[1], 4, TESTBED },
    { "map", "map", &cards[1], 8, TESTBED },
    { "map-one-by-one", "map", &cards[1], 10, SINGLE },
    { "unmap", "unmap", &cards[1], 4, TESTBED, true },
    { "unmap-one-by-one", "unmap", &cards[1], 10, SINGLE, true },
    { "copy", "copy", &cards[1], 0, TESTBED, true },
    { "replace", "replace", &cards[1], 0, TESTBED, true },
    { "bind", "bind", &cards[1], 4, TESTBED },
    { "unbind", "unbind", &cards[1], 4, TESTBED, true },
    { "notify", "notify", &cards[1], 4, TESTBED },
    { "pending", "pending", &cards[1], 2, TESTBED },
    { "store", "store", &cards[1], 30, TESTBED },
};

static void test_calls(const void *opaque)
{
    const Calls *c = opaque;
    Life life;
    int n = 1;

    life_init(&life, c->card);
    life_start(&life, c->testbed);
    while (fail_nth(&life, c, n, PATIENCE)) {
        g_test_message("%s: %s %d failed", c->card->name, c->what, n);
        g_assert_cmpint(n, <, 1000);
        n++;
    }
    g_assert_cmpint(n - 1, >=, c->least);
    /* The last one met no fault */
    life.survived--;
    live_well(&life);
    show_table(&life, c->name, n - 1);
    life_end(&life);
}

/* ------------------------------------------------------------ sudden ends */

/*
 * What ends before each step in turn, as the table has it: @strike ends it, and
 * @after sees to what has to be so then.  @there: as in Life.
 */
typedef struct End {
    const char *name;
    const char *what;
    const char *testbed;
    bool there;
    void (*strike)(Life *life);
    void (*after)(Life *life);
} End;

static void vanish(Life *life)
{
    g_assert_cmpint(xen_guest_call(life->t.guest, NULL, "vanish"), ==, 0);
}

static void after_vanish(Life *life)
{
    check_idle(life);
    qtest_clock_step(life->t.qts, 4 * PERIOD_NS);
    check_idle(life);
    front_free(life);
}

static void quit(Life *life)
{
    qtest_quit(life->t.qts);
    life->t.qts = NULL;
}

static void after_quit(Life *life)
{
    g_assert_cmpuint(xen_guest_count_in_use(life->t.guest), ==, 0);
    front_free(life);
}

static void kill_qemu(Life *life)
{
    xen_pv_test_kill(&life->t);
}

/*
 * Another QEMU serves the same guest.  Nobody uses what the guest had granted,
 * and the card of that name comes back, under the number that its nodes still
 * have.
 */
static void after_kill(Life *life)
{
    /* What a driver does that finds its backend gone */
    g_assert_true(set_state(life, XenbusStateInitialising));
    check_idle(life);
    front_free(life);
    live_well(life);
}

static const End ends[] = {
    { "domain-destroyed", "domain destroyed", TESTBED, false, vanish,
      after_vanish },
    { "quit", "QEMU ended", TESTBED, false, quit, after_quit },
    { "killed", "QEMU killed", TESTBED XEN_PV_TEST_STATE, true, kill_qemu,
      after_kill },
};

typedef struct EndOfCard {
    const Card *card;
    const End *end;
} EndOfCard;

static void test_end(const void *opaque)
{
    const EndOfCard *of = opaque;
    Life life;
    int i;

    life_init(&life, of->card);
    life.there = of->end->there;
    for (i = 0; of->card->steps[i]; i++) {
        life_start(&life, of->end->testbed);
        life.strike = of->end->strike;
        life.strike_at = i;
        life.fatal = true;
        g_assert_false(live(&life, XEN_GUEST_DEADLINE));
        of->end->after(&life);
        life.survived++;
        life_end(&life);
    }
    show_table(&life, of->end->what, i);
}

/* --------------------------------------------------------------- nodes */

/* A node goes under a device in use */
static void remove_node(Life *life)
{
    g_assert_cmpint(xen_guest_call(life->t.guest, NULL, "dom0 rm %s",
                                   life->path), ==, 0);
}

static void collect_nodes(XenGuest *guest, const char *path, GPtrArray *nodes)
{
    g_auto(GStrv) names = xen_guest_list(guest, path);
    int i;

    g_ptr_array_add(nodes, g_strdup(path));
    for (i = 0; names && names[i]; i++) {
        g_autofree char *below = g_strdup_printf("%s/%s", path, names[i]);

        collect_nodes(guest, below, nodes);
    }
}

static GPtrArray *live_nodes;

static void note_nodes(Life *life)
{
    collect_nodes(life->t.guest, life->card->frontend, live_nodes);
    collect_nodes(life->t.guest, life->card->backend, live_nodes);
}

static void test_nodes(const void *opaque)
{
    const Card *card = opaque;
    Life life;
    guint i;

    live_nodes = g_ptr_array_new_with_free_func(g_free);
    life_init(&life, card);
    life_start(&life, TESTBED);
    life.strike = note_nodes;
    life.strike_at = card->use + 2;
    g_assert_true(live(&life, XEN_GUEST_DEADLINE));
    end_life(&life);
    life.survived--;
    /* Two directories; states, rings, ports; what the toolstack says */
    g_assert_cmpuint(live_nodes->len, >, 15);

    for (i = 0; i < live_nodes->len; i++) {
        life.strike = remove_node;
        life.path = g_ptr_array_index(live_nodes, i);
        g_test_message("%s goes", life.path);
        live(&life, PATIENCE);
        end_life(&life);
    }
    live_well(&life);
    show_table(&life, "node removed", i);
    g_ptr_array_free(live_nodes, true);
    life_end(&life);
}

static void add(const Card *card, const char *name,
                void (*test)(const void *opaque), const void *opaque)
{
    g_autofree char *path = g_strdup_printf("/xen-pv-fault/%s/%s", card->name,
                                            name);

    qtest_add_data_func(path, opaque, test);
}

int main(int argc, char **argv)
{
    static EndOfCard of[ARRAY_SIZE(cards)][ARRAY_SIZE(ends)];
    unsigned int i, k;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(calls); i++) {
        add(calls[i].card, calls[i].name, test_calls, &calls[i]);
    }
    for (i = 0; i < ARRAY_SIZE(cards); i++) {
        for (k = 0; k < ARRAY_SIZE(ends); k++) {
            of[i][k] = (EndOfCard) { &cards[i], &ends[k] };
            add(&cards[i], ends[k].name, test_end, &of[i][k]);
        }
        add(&cards[i], "node-removed", test_nodes, &cards[i]);
    }
    return g_test_run();
}
