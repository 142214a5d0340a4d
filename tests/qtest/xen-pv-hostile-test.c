/*
 * QTest of PV cards under attack, over a fake Xen
 *
 * One guest has two pairs of cards.  With one pair it mounts the attacks of
 * the catalogue, one after the other; with the other it flips and plays, and
 * must not miss a thing.  Each attack is answered as the catalogue says, takes
 * no more of the host than it may, leaves no page mapped, and the attacked card
 * can be connected again.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"

#include "../frontend/xen-guest-testbed.h"
#include "xen-pv-resources.h"
#include "xen-pv-scene.h"

/*
 * Less of the main loop than usual: where a machine has much else to do, a QEMU
 * without that bound may get no more of it than the usual part
 */
#define MAX_LOAD        "max-load=5"

#define DISPLAY_OPTIONS "xen-pvdisplay,id=victim,idx=0," \
                        "connectors=160x120;160x120,be-alloc=on," \
                        "x-connect-pause=1,max-connects=0," MAX_LOAD
#define SOUND_OPTIONS   "xen-pvsound,id=victim-sound,idx=0,streams=pc," \
                        "audiodev=victim-audio,x-connect-pause=1," \
                        "max-connects=0," MAX_LOAD

#define VICTIMS         "-device '" DISPLAY_OPTIONS "' " \
                        "-audiodev none,id=victim-audio " \
                        "-device " SOUND_OPTIONS " 2>DIR/log "

/* Fewer pages to share than an attack asks for */
#define TESTBED         ",dom0-pages=256"

/**
 * struct Tally - how attacks ended
 *
 * @tried, @survived: attacks
 * @loads: how many took too much of the main loop, as is seen after the next
 * @left: pages that the backend kept
 */
typedef struct Tally {
    unsigned int tried;
    unsigned int survived;
    unsigned int loads;
    uint64_t left;
} Tally;

static Tally total;

/*
 * What is measured, in which attack, whether all was within its limits, and
 * when to look next, in microseconds
 */
typedef struct Watch {
    XenPvResources resources;
    XenPvWitness *witness;
    const XenAttack *attack;
    bool ok;
    int64_t next;
} Watch;

/* How many times as long as a look took it is until the next one */
#define LOOK_PAUSE  20

static Watch watch;

static void look(Watch *w)
{
    w->ok &= xen_pv_resources_look(&w->resources, w->attack->group,
                                   w->attack->name);
}

/* Others get their turn, and the host is looked at; also as a card connects */
static void meanwhile(void *opaque)
{
    Watch *w = opaque;

    xen_pv_witness_turn(w->witness);
    if (w->attack && g_get_monotonic_time() >= w->next) {
        int64_t begin = g_get_monotonic_time();

        look(w);
        /* Looking keeps QEMU busy: it gets the better part of the time */
        w->next = g_get_monotonic_time() +
                  LOOK_PAUSE * (g_get_monotonic_time() - begin);
    }
}

static int toolstack(XenGuest *guest, const char *path, const char *value)
{
    return xen_guest_dom0_write(guest, path, "%s", value);
}

static void scene_start(XenPvScene *s)
{
    xen_pv_scene_start(s, TESTBED, VICTIMS);
    s->attacker.victim_port = s->witness.display->connectors[0].req.port;
    s->attacker.entry = xen_guest_entry;
    s->attacker.toolstack = toolstack;
    s->attacker.meanwhile = meanwhile;
    s->attacker.opaque = &watch;
    watch = (Watch) { .witness = &s->witness };
    xen_pv_resources_start(&watch.resources, &s->test, "victim",
                           "victim-sound");
}

static bool monitor_answers(XenPvScene *s)
{
    QDict *response = qtest_qmp(s->test.qts,
                                "{ 'execute': 'query-status' }");
    bool ok = qdict_haskey(response, "return");

    qobject_unref(response);
    return ok;
}

static bool is_there(XenPvScene *s, const char *id)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    QDict *response = qtest_qmp(s->test.qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': %s, "
                                "'property': 'type' } }", path);
    bool found = qdict_haskey(response, "return");

    qobject_unref(response);
    return found;
}

/* Unless it is gone, the card is taken away; then it is made anew */
static void replug(XenPvScene *s, bool sound)
{
    const char *id = sound ? "victim-sound" : "victim";

    qobject_unref(qtest_qmp(s->test.qts, "{ 'execute': 'device_del', "
                            "'arguments': { 'id': %s } }", id));
    while (is_there(s, id)) {
        xen_pv_witness_turn(&s->witness);
    }
    qtest_qmp_assert_success(s->test.qts,
                             "{ 'execute': 'human-monitor-command', "
                             "'arguments': { 'command-line': %s } }",
                             sound ? "device_add " SOUND_OPTIONS
                                   : "device_add " DISPLAY_OPTIONS);
    g_assert_true(is_there(s, id));
}

/* Connect a card; returns whether its last attack took no more than it may */
static bool connect_card(XenPvScene *s, unsigned int needs,
                         const XenAttack *attack)
{
    g_assert_cmpint(xen_attack_connect(&s->attacker, needs), ==, 0);
    return xen_pv_resources_answered(&watch.resources,
                                     needs & XEN_ATTACK_SOUND,
                                     attack ? attack->group : NULL,
                                     attack ? attack->name : NULL);
}

static void attack(XenPvScene *s, const XenAttack *attack, Tally *tally)
{
    XenAttacker *a = &s->attacker;
    bool ok = true;
    uint32_t left;
    int result;

    xen_pv_resources_begin(&watch.resources);
    watch.ok = true;
    tally->loads += !connect_card(s, attack->needs, attack);
    watch.attack = attack;
    xen_pv_witness_ask(&s->witness);
    result = attack->run(a, attack->arg);
    ok &= xen_attack_is_met(attack, result);
    if (!ok) {
        g_test_message("%s/%s: %s, but expected was: %s", attack->group,
                       attack->name, xen_attack_result(result),
                       xen_attack_result(attack->expected));
    }
    xen_pv_witness_ask(&s->witness);
    ok &= xen_pv_witness_check(&s->witness);
    ok &= monitor_answers(s);
    look(&watch);

    if (attack->needs & XEN_ATTACK_REPLUG) {
        replug(s, attack->needs & XEN_ATTACK_SOUND);
    }
    if (xen_attack_recover(a, attack->needs, &left) < 0) {
        g_test_message("%s/%s: the backend is not ready for a new connection",
                       attack->group, attack->name);
        ok = false;
    }
    look(&watch);
    watch.attack = NULL;
    ok &= watch.ok;
    left += xen_pv_witness_others(&s->witness);
    xen_pv_witness_turn(&s->witness);
    printf("# %s %s/%s: %s: %s, %u pages left\n", ok ? "survived" : "FAILED",
           attack->group, attack->name, attack->what,
           xen_attack_result(result), left);
    tally->tried++;
    tally->survived += ok && !left;
    tally->left += left;
}

/* What the last attack with each card took is known when it answers again */
static void last_loads(XenPvScene *s, Tally *tally)
{
    static const unsigned int cards[] = { 0, XEN_ATTACK_SOUND };
    uint32_t left;
    int i;

    for (i = 0; i < ARRAY_SIZE(cards); i++) {
        tally->loads += !connect_card(s, cards[i], NULL);
        g_assert_cmpint(xen_attack_recover(&s->attacker, cards[i], &left), ==,
                        0);
    }
}

/* The attacks of one group */
static void test_group(const void *group)
{
    const XenAttack *const *all;
    Tally tally = { 0 };
    XenPvScene s;
    bool clean;

    scene_start(&s);
    for (all = xen_attacks(); *all; all++) {
        if (g_str_equal((*all)->group, group)) {
            attack(&s, *all, &tally);
        }
    }
    last_loads(&s, &tally);
    clean = xen_pv_resources_left(&watch.resources, group);
    printf("# %s: %u attacks tried, %u survived, %" PRIu64 " pages left "
           "mapped, %" PRIu64 " flips and %" PRIu64 " ms of sound beside "
           "them\n", (const char *)group, tally.tried, tally.survived,
           tally.left, s.witness.flips, s.witness.frames / 48);
    total.tried += tally.tried;
    total.survived += tally.survived;
    total.left += tally.left;
    g_assert_cmpuint(tally.tried, >, 0);
    g_assert_cmpuint(tally.survived, ==, tally.tried);
    g_assert_cmpuint(tally.loads, ==, 0);
    g_assert_true(clean);
    xen_pv_scene_end(&s);
}

static bool is_first_of_group(const XenAttack *const *attack)
{
    const XenAttack *const *other = xen_attacks();

    while (!g_str_equal((*other)->group, (*attack)->group)) {
        other++;
    }
    return other == attack;
}

int main(int argc, char **argv)
{
    const XenAttack *const *all;
    int ret;

    g_test_init(&argc, &argv, NULL);
    setlinebuf(stdout);
    xen_pv_resources_init();
    for (all = xen_attacks(); *all; all++) {
        g_autofree char *name = g_strdup_printf("xen-pv-hostile/%s",
                                                (*all)->group);

        if (is_first_of_group(all)) {
            qtest_add_data_func(name, (*all)->group, test_group);
        }
    }
    ret = g_test_run();
    printf("# all: %u attacks tried, %u survived, %" PRIu64 " pages left "
           "mapped\n", total.tried, total.survived, total.left);
    xen_pv_resources_print();
    return ret;
}
