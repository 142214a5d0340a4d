/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: nodes and states in xenstore
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

/* How often states change in a storm */
#define FLAPS           100

/* More than any node should hold, and less than xenstore refuses */
#define DIGITS          "9999999999999999999999999999999999999999"
#define DIGITS_400      DIGITS DIGITS DIGITS DIGITS DIGITS \
                        DIGITS DIGITS DIGITS DIGITS DIGITS
#define LONG_NUMBER     DIGITS_400 DIGITS_400 DIGITS_400 DIGITS_400 DIGITS_400

typedef struct BadNode {
    const char *key;
    const char *value;          /* NULL: no such node */
} BadNode;

static int write_node(XenAttacker *a, const char *dir, const char *key,
                      const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    if (!value) {
        return xen_guest_rm(a->guest, path);
    }
    return xen_guest_write(a->guest, path, "%s", value);
}

static int write_number(XenAttacker *a, const char *key, uint32_t value)
{
    g_autofree char *text = g_strdup_printf("%u", value);

    return write_node(a, a->display->card.frontend_path, key, text);
}

/* All that comes before Initialised */
static int prepare_sound(XenAttacker *a)
{
    XenFrontSound *sound = a->sound;

    xen_front_sound_unload(sound);
    return xen_front_card_begin(&sound->card) ?:
           xen_front_sound_read_config(sound) ?:
           xen_front_sound_alloc_rings(sound) ?:
           xen_front_sound_publish(sound);
}

/* Connect with one node that is not as it should be */
static int node(XenAttacker *a, const void *arg)
{
    const BadNode *bad = arg;
    int ret = attack_prepare(a) ?:
              write_node(a, a->display->card.frontend_path, bad->key,
                         bad->value);

    return ret ?: attack_try_connect(a, false);
}

/* A node that good frontends do not write, and so would not write anew */
static int version(XenAttacker *a, const void *arg)
{
    const BadNode bad = { .key = "version", .value = arg };
    int ret = node(a, &bad);

    return write_node(a, a->display->card.frontend_path, "version", NULL) ?:
           ret;
}

/* The same node of each stream: one that is good would be served */
static int stream_node(XenAttacker *a, const void *arg)
{
    const BadNode *bad = arg;
    int ret = prepare_sound(a);
    uint32_t i;

    for (i = 0; i < a->sound->nr_streams && !ret; i++) {
        g_autofree char *key =
            g_strdup_printf("%u/%u/%s", a->sound->streams[i].pcm,
                            a->sound->streams[i].number, bad->key);

        ret = write_node(a, a->sound->card.frontend_path, key, bad->value);
    }
    return ret ?: attack_try_connect(a, true);
}

static int one_stream(XenAttacker *a, const void *arg)
{
    int ret = prepare_sound(a) ?:
              write_node(a, a->sound->card.frontend_path, "0/0/ring-ref",
                         "x") ?:
              attack_try_connect(a, true);
    struct xensnd_req req = { .operation = XENSND_OP_CLOSE };

    /* The other stream is served */
    return ret ?: xen_front_stream_request(attack_capture(a), &req, NULL);
}

/* A good number, and something behind a byte of 0 */
static int hidden_node(XenAttacker *a, const void *arg)
{
    g_autofree char *path = g_strdup_printf("%s/0/req-ring-ref",
                                            a->display->card.frontend_path);
    char value[32] = { 0 };
    int ret = attack_prepare(a);

    g_snprintf(value, sizeof(value), "%u", attack_connector(a)->req.ref);
    ret = ret ?: xen_guest_write_bytes(a->guest, path, value, sizeof(value));
    return ret ?: attack_try_connect(a, false);
}

/* Pages and ports that are somebody else's, or used twice */

static int same_page(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "0/evt-ring-ref", attack_connector(a)->req.ref);

    return ret ?: attack_try_connect(a, false);
}

static int same_ring(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "1/req-ring-ref", attack_connector(a)->req.ref);

    return ret ?: attack_try_connect(a, false);
}

static int same_port(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "0/evt-event-channel",
                           attack_connector(a)->req.port);

    return ret ?: attack_try_connect(a, false);
}

static int other_port(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "0/req-event-channel", a->victim_port);

    return ret ?: attack_try_connect(a, false);
}

static int closed_port(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a);

    if (ret == 0) {
        xen_guest_close_port(a->guest, attack_connector(a)->req.port);
        attack_connector(a)->req.port = 0;
    }
    return ret ?: attack_try_connect(a, false);
}

static int revoked_ring(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              xen_guest_end_access(a->guest, attack_connector(a)->req.ref);

    attack_connector(a)->req.ref = 0;
    return ret ?: attack_try_connect(a, false);
}

static int readonly_ring(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "0/req-ring-ref", attack_ref(a, true));

    return ret ?: attack_try_connect(a, false);
}

static int readonly_events(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a) ?:
              write_number(a, "0/evt-ring-ref", attack_ref(a, true));

    return ret ?: attack_try_connect(a, false);
}

static int foreign_ring(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a);

    if (ret == 0) {
        attack_entry(a, attack_connector(a)->req.ref)->domid = 7;
    }
    return ret ?: attack_try_connect(a, false);
}

/* A ring that is wrong from the beginning */
static int rotten_ring(XenAttacker *a, const void *arg)
{
    struct xendispl_resp resp;
    int ret = attack_prepare(a);

    if (ret == 0) {
        memset(attack_connector(a)->req.ring.sring, 0xa5, XEN_GUEST_PAGE);
    }
    ret = ret ?: attack_try_connect(a, false);
    if (ret == 0) {
        attack_connector(a)->req.ring.rsp_cons =
            attack_connector(a)->req.ring.sring->rsp_prod;
    }
    return ret ?: xen_front_receive(attack_connector(a), &resp,
                                    ATTACK_SILENCE_MS);
}

/* States of a frontend whose card is in use */

static bool is_released(void *opaque)
{
    XenAttacker *a = opaque;

    return !xen_guest_in_use(a->guest, attack_connector(a)->req.ref);
}

/* The backend lets go of it */
static int released(XenAttacker *a)
{
    return xen_guest_wait(a->guest, is_released, a, XEN_GUEST_DEADLINE)
           ? -ENOTCONN : -ETIMEDOUT;
}

static int state_ends(XenAttacker *a, const void *arg)
{
    return write_node(a, a->display->card.frontend_path, "state", arg) ?:
           released(a);
}

static int state_ignored(XenAttacker *a, const void *arg)
{
    int ret = write_node(a, a->display->card.frontend_path, "state", arg);

    attack_meanwhile(a);
    return ret ?: xen_front_flip(attack_connector(a), a->shown->fb);
}

static int state_flaps(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < FLAPS && !ret; i++) {
        ret = xen_front_set_state(&a->display->card, (i * 7 + i / 9) % 9);
    }
    return ret;
}

static int sound_state_flaps(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < FLAPS && !ret; i++) {
        ret = xen_front_set_state(&a->sound->card, (i * 7 + i / 9) % 9);
    }
    return ret;
}

/* Connect and disconnect, and never wait for the backend */
static int state_hurry(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < FLAPS && !ret; i++) {
        ret = xen_front_set_state(&a->display->card, XenbusStateClosing) ?:
              xen_front_set_state(&a->display->card,
                                  XenbusStateInitialising) ?:
              xen_front_set_state(&a->display->card,
                                  XenbusStateInitialised);
    }
    return ret;
}

static int state_without_nodes(XenAttacker *a, const void *arg)
{
    int ret = attack_prepare(a);
    uint32_t i;

    for (i = 0; i < a->display->nr_connectors && !ret; i++) {
        g_autofree char *key = g_strdup_printf("%u/req-ring-ref", i);

        ret = write_node(a, a->display->card.frontend_path, key, NULL);
    }
    return ret ?: attack_try_connect(a, false);
}

/* Connected without having been Initialised: nobody is there to serve */
static int state_connected(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    struct xendispl_resp resp;
    int ret = attack_prepare(a) ?:
              xen_front_set_state(&a->display->card, XenbusStateConnected);

    if (ret) {
        return ret;
    }
    attack_meanwhile(a);
    xen_front_send(attack_connector(a), &req);
    return xen_front_receive(attack_connector(a), &resp, ATTACK_SILENCE_MS);
}

/* Nodes that go while the card is in use */

static int remove_node(XenAttacker *a, const void *arg)
{
    int ret = write_node(a, a->display->card.frontend_path, arg, NULL);

    attack_meanwhile(a);
    return ret ?: xen_front_flip(attack_connector(a), a->shown->fb);
}

/* The screen's nodes, which are the backend's to write or not */
static int remove_connector(XenAttacker *a, const void *arg)
{
    XenFrontConnector *c = attack_connector(a);
    g_autofree char *size = g_strdup_printf("%ux%u", c->width, c->height);

    write_node(a, a->display->card.frontend_path, "0", NULL);
    attack_meanwhile(a);
    write_node(a, a->display->card.frontend_path, "0/resolution", size);
    return xen_front_flip(c, a->shown->fb);
}

static int remove_state(XenAttacker *a, const void *arg)
{
    return write_node(a, a->display->card.frontend_path, "state", NULL) ?:
           released(a);
}

static int remove_all(XenAttacker *a, const void *arg)
{
    return xen_guest_rm(a->guest, a->display->card.frontend_path) ?:
           released(a);
}

/* Nodes that are not the guest's to write */
static int backend_node(XenAttacker *a, const void *arg)
{
    const BadNode *bad = arg;

    return write_node(a, a->display->card.backend_path, bad->key, bad->value);
}

/* The toolstack takes the card away while there are requests in the ring */
static int unplug(XenAttacker *a, const void *arg)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    g_autofree char *online = g_strdup_printf("%s/online",
                                              a->display->card.backend_path);
    uint32_t i;

    req.op.pg_flip.fb_cookie = a->shown->fb;
    for (i = 0; i < 30; i++) {
        xen_front_send(attack_connector(a), &req);
    }
    return a->toolstack(a->guest, online, "0") ?:
           a->toolstack(a->guest, a->display->card.backend_state, "5") ?:
           released(a);
}

/* What is no number, or none of a page or a port, in each of the nodes */

static const struct {
    const char *name;
    const char *what;
    const char *value;
} bad_numbers[] = {
    { "missing", "nothing", NULL },
    { "empty", "nothing but a node", "" },
    { "text", "text", "%n%s%n" },
    { "negative", "-1", "-1" },
    { "zero", "0", "0" },
    { "max", "2^32-1", "4294967295" },
    { "huge", "2^64 and more", "99999999999999999999999999" },
    { "hex", "a hexadecimal number", "0x8" },
    { "rubbish", "bytes that are no text", "\xff\xfe\x01" },
    { "long", "2000 digits", LONG_NUMBER },
};

static const struct {
    const char *key;
    bool sound;
} number_keys[] = {
    { "0/" XENDISPL_FIELD_REQ_RING_REF },
    { "0/" XENDISPL_FIELD_REQ_CHANNEL },
    { "0/" XENDISPL_FIELD_EVT_RING_REF },
    { "0/" XENDISPL_FIELD_EVT_CHANNEL },
    { XENSND_FIELD_RING_REF, true },
    { XENSND_FIELD_EVT_CHNL, true },
    { XENSND_FIELD_EVT_RING_REF, true },
    { XENSND_FIELD_EVT_EVT_CHNL, true },
};

#define NR_NODES (G_N_ELEMENTS(number_keys) * G_N_ELEMENTS(bad_numbers))

const XenAttack *xen_attacks_nodes(void)
{
    static XenAttack attacks[NR_NODES + 1];
    static BadNode nodes[NR_NODES];
    uint32_t i;

    for (i = 0; i < NR_NODES && !attacks[i].name; i++) {
        uint32_t k = i / G_N_ELEMENTS(bad_numbers);
        uint32_t v = i % G_N_ELEMENTS(bad_numbers);
        bool sound = number_keys[k].sound;
        const char *key = number_keys[k].key;

        nodes[i].key = key;
        nodes[i].value = bad_numbers[v].value;
        attacks[i].group = sound ? "stream-node" : "node";
        attacks[i].name = g_strdup_printf("%s-%s", key + (sound ? 0 : 2),
                                          bad_numbers[v].name);
        attacks[i].what = g_strdup_printf("%s as %s", bad_numbers[v].what,
                                          key);
        attacks[i].expected = XEN_ATTACK_OFFLINE;
        attacks[i].needs = sound ? XEN_ATTACK_SOUND : 0;
        if (g_str_has_suffix(key, "ring-ref") &&
            !g_strcmp0(bad_numbers[v].value, "0")) {
            attacks[i].needs |= XEN_ATTACK_NO_REF_0;
        }
        attacks[i].run = sound ? stream_node : node;
        attacks[i].arg = &nodes[i];
    }
    return attacks;
}

#define VERSION(name, what, status, value) \
    { "node", "version-" name, what, status, 0, version, value }
#define SHARED(name, what, status, needs, run) \
    { "shared", name, what, status, needs, run }
#define STATE(name, what, status, needs, run, arg) \
    { "state", name, what, status, needs, run, arg }
#define BACKEND(key, value) \
    { "state", "backend-" key, "the backend's " key " written", -EACCES, 0, \
      backend_node, &(const BadNode){ key, value } }

const XenAttack xen_attacks_store[] = {
    { "node", "req-ring-ref-hidden", "something behind a byte of 0",
      XEN_ATTACK_OFFLINE, 0, hidden_node },
    VERSION("3", "a version that is not there", XEN_ATTACK_OFFLINE, "3"),
    VERSION("empty", "an empty version", XEN_ATTACK_OFFLINE, ""),
    VERSION("text", "text as version", XEN_ATTACK_OFFLINE, "%s%n"),
    VERSION("list", "a list of versions", XEN_ATTACK_OFFLINE, "1,2"),
    VERSION("negative", "a negative version", XEN_ATTACK_OFFLINE, "-1"),
    VERSION("huge", "a version of 2^64 and more", XEN_ATTACK_OFFLINE,
            "99999999999999999999999999"),
    { "stream-node", "one", "one stream's nodes spoilt", 0, XEN_ATTACK_SOUND,
      one_stream },

    SHARED("page", "one page as ring and event page", 0, 0, same_page),
    SHARED("ring", "one ring for two connectors", 0, 0, same_ring),
    SHARED("port", "one port for two channels", XEN_ATTACK_OFFLINE, 0,
           same_port),
    SHARED("other-port", "the port of another card", XEN_ATTACK_OFFLINE, 0,
           other_port),
    SHARED("closed-port", "a port that is closed", XEN_ATTACK_OFFLINE, 0,
           closed_port),
    SHARED("revoked", "a ring that is revoked", XEN_ATTACK_OFFLINE, 0,
           revoked_ring),
    SHARED("readonly", "a ring granted read-only", XEN_ATTACK_OFFLINE, 0,
           readonly_ring),
    SHARED("readonly-events", "an event page granted read-only",
           XEN_ATTACK_OFFLINE, 0, readonly_events),
    SHARED("foreign", "a ring granted to another domain", XEN_ATTACK_OFFLINE,
           XEN_ATTACK_ENTRIES, foreign_ring),
    SHARED("rotten", "a ring of rubbish from the beginning",
           XEN_ATTACK_SILENCE, 0, rotten_ring),

    STATE("text", "a state of text", XEN_ATTACK_OFFLINE, 0, state_ends,
          "garbage"),
    STATE("empty", "an empty state", XEN_ATTACK_OFFLINE, 0, state_ends, ""),
    STATE("negative", "a negative state", XEN_ATTACK_OFFLINE, 0, state_ends,
          "-1"),
    STATE("0", "state 0", XEN_ATTACK_OFFLINE, 0, state_ends, "0"),
    STATE("9", "state 9", XEN_ATTACK_OFFLINE, 0, state_ends, "9"),
    STATE("max", "state 2^32-1", XEN_ATTACK_OFFLINE, 0, state_ends,
          "4294967295"),
    STATE("huge", "state 2^64 and more", XEN_ATTACK_OFFLINE, 0, state_ends,
          "99999999999999999999999999"),
    STATE("initialising", "a restart in full flight", XEN_ATTACK_OFFLINE, 0,
          state_ends, "1"),
    STATE("closing", "the end in full flight", XEN_ATTACK_OFFLINE, 0,
          state_ends, "5"),
    STATE("closed", "closed without closing", XEN_ATTACK_OFFLINE, 0,
          state_ends, "6"),
    STATE("reconfiguring", "reconfiguring in full flight",
          XEN_ATTACK_OFFLINE, 0, state_ends, "7"),
    STATE("init-wait", "the backend's state in full flight", 0, 0,
          state_ignored, "2"),
    STATE("initialised", "initialised once more", 0, 0, state_ignored, "3"),
    STATE("reconfigured", "reconfigured in full flight", 0, 0, state_ignored,
          "8"),
    STATE("flapping", "all states in turn", 0, 0, state_flaps, NULL),
    STATE("sound-flapping", "all states in turn, of a sound card", 0,
          XEN_ATTACK_SOUND, sound_state_flaps, NULL),
    STATE("hurry", "connections that nobody waits for", 0, 0, state_hurry,
          NULL),
    STATE("no-nodes", "initialised without rings", XEN_ATTACK_OFFLINE, 0,
          state_without_nodes, NULL),
    STATE("connected", "connected without initialised", XEN_ATTACK_SILENCE, 0,
          state_connected, NULL),
    STATE("rm-ring-ref", "the ring's node removed in use", 0, 0, remove_node,
          "0/req-ring-ref"),
    STATE("rm-connector", "a screen's nodes removed in use", 0, 0,
          remove_connector, NULL),
    STATE("rm-state", "the state removed in use", XEN_ATTACK_OFFLINE, 0,
          remove_state, NULL),
    STATE("rm-all", "all nodes removed in use", XEN_ATTACK_OFFLINE,
          XEN_ATTACK_REPLUG, remove_all, NULL),
    BACKEND("state", "4"),
    BACKEND("online", "0"),
    BACKEND("versions", "9"),
    BACKEND("frontend", "/local/domain/0"),
    STATE("unplug", "unplugged with a full ring", XEN_ATTACK_OFFLINE,
          XEN_ATTACK_TOOLSTACK | XEN_ATTACK_REPLUG, unplug, NULL),
    { NULL }
};
