/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storms: requests and events without an end, from one card of a guest
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "xen-attacks-util.h"
#include "xen-storm.h"

#define SLOT_SIZE       64
#define RING_SLOTS      32

/* A buffer so large that its directory has 17 pages */
#define LARGE_PAGES     16384
#define LARGE_WIDTH     1024
#define LARGE_HEIGHT    768

/* Notifications in a gust of events */
#define GUST_EVENTS     10

/* What both kinds of rings begin with */
typedef struct StormRing {
    uint32_t req_prod;
    uint32_t req_event;
    uint32_t rsp_prod;
    uint32_t rsp_event;
    uint8_t reserved[48];
    uint8_t slots[RING_SLOTS][SLOT_SIZE];
} StormRing;

struct XenStorm {
    XenAttacker *attacker;
    const XenStormKind *kind;
    StormRing *ring;
    uint32_t port;
    uint8_t slots[XEN_STORM_SLOTS][SLOT_SIZE] __attribute__((aligned(8)));
    uint32_t req_prod;
    uint32_t rsp_prod;
    uint64_t answered;
    bool quiet;                 /* the backend wants to be notified */
    GMutex lock;                /* of all that storm_fill() writes */
    GThread *thread;
    gint stop;
};

/* As many requests as there is room for */
static void storm_fill(XenStorm *storm)
{
    StormRing *ring = storm->ring;
    uint32_t rsp = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
    uint32_t before = storm->req_prod;
    uint32_t event;

    storm->answered += rsp - storm->rsp_prod;
    storm->rsp_prod = rsp;
    while (storm->req_prod - rsp < RING_SLOTS) {
        memcpy(ring->slots[storm->req_prod % RING_SLOTS],
               storm->slots[storm->req_prod % XEN_STORM_SLOTS], SLOT_SIZE);
        storm->req_prod++;
    }
    if (storm->req_prod == before) {
        return;
    }
    __atomic_store_n(&ring->req_prod, storm->req_prod, __ATOMIC_RELEASE);
    xen_mb();
    event = __atomic_load_n(&ring->req_event, __ATOMIC_ACQUIRE);
    if (storm->req_prod - event < storm->req_prod - before) {
        storm->quiet = true;
    }
}

/* Whether the caller is to notify the backend, if it can */
static bool storm_go_on(XenStorm *storm, bool notify)
{
    bool quiet;

    g_mutex_lock(&storm->lock);
    storm_fill(storm);
    quiet = storm->quiet && notify;
    storm->quiet &= !quiet;
    g_mutex_unlock(&storm->lock);
    return quiet;
}

/* Others come first: the machine may have few processors */
static gpointer storm_thread(gpointer opaque)
{
    XenStorm *storm = opaque;

    setpriority(PRIO_PROCESS, gettid(), 5);
    while (!g_atomic_int_get(&storm->stop)) {
        storm_go_on(storm, false);
        g_thread_yield();
    }
    return NULL;
}

XenStorm *xen_storm_begin(XenAttacker *a, const XenStormKind *kind)
{
    XenStorm *storm = g_new0(XenStorm, 1);

    storm->attacker = a;
    storm->kind = kind;
    g_mutex_init(&storm->lock);
    if (kind->prepare) {
        kind->prepare(a, storm->slots);
        storm->ring = kind->sound ?
                      (StormRing *)attack_playback(a)->req.ring.sring :
                      (StormRing *)attack_connector(a)->req.ring.sring;
        storm->req_prod = storm->ring->req_prod;
        storm->rsp_prod = storm->ring->rsp_prod;
        storm_fill(storm);
        storm->thread = g_thread_new("storm", storm_thread, storm);
    }
    storm->port = kind->sound ? attack_playback(a)->req.port
                              : attack_connector(a)->req.port;
    return storm;
}

void xen_storm_gust(XenStorm *storm)
{
    if (storm->kind->burst) {
        storm->kind->burst(storm->attacker);
    } else if (storm_go_on(storm, true)) {
        xen_guest_kick(storm->attacker->guest, storm->port);
    }
}

bool xen_storm_is_steady(const XenStorm *storm)
{
    return storm->thread != NULL;
}

uint64_t xen_storm_end(XenStorm *storm)
{
    uint64_t answered;

    if (storm->thread) {
        g_atomic_int_set(&storm->stop, 1);
        g_thread_join(storm->thread);
        storm_fill(storm);
    }
    g_mutex_clear(&storm->lock);
    answered = storm->answered;
    g_free(storm);
    return answered;
}

/* Kinds */

static void display_slots(void *slots, const struct xendispl_req *first,
                          const struct xendispl_req *second)
{
    struct xendispl_req *reqs = slots;
    int i;

    for (i = 0; i < XEN_STORM_SLOTS; i++) {
        reqs[i] = i & 1 ? *second : *first;
    }
}

static void sound_slots(void *slots, const struct xensnd_req *first,
                        const struct xensnd_req *second)
{
    struct xensnd_req *reqs = slots;
    int i;

    for (i = 0; i < XEN_STORM_SLOTS; i++) {
        reqs[i] = i & 1 ? *second : *first;
    }
}

static void refused(XenAttacker *a, void *slots)
{
    const struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };

    display_slots(slots, &req, &req);
}

static void edids(XenAttacker *a, void *slots)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, XENDISPL_EDID_MAX_SIZE);
    struct xendispl_req req = { .operation = XENDISPL_OP_GET_EDID };

    req.op.get_edid.buffer_sz = XENDISPL_EDID_MAX_SIZE;
    req.op.get_edid.gref_directory = xen_front_pgdir_ref(pgdir);
    display_slots(slots, &req, &req);
}

/* All its pages are the same one */
static uint32_t large_directory(XenAttacker *a)
{
    uint32_t data = attack_ref(a, false);
    XenFrontDirPage *dir;
    uint32_t ref, i;

    dir = attack_page(a, false, &ref);
    dir->next = ref;
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir->refs[i] = data;
    }
    return ref;
}

static void buffers(XenAttacker *a, void *slots)
{
    struct xendispl_req create = { .operation = XENDISPL_OP_DBUF_CREATE };
    struct xendispl_req destroy = { .operation = XENDISPL_OP_DBUF_DESTROY };

    create.op.dbuf_create.dbuf_cookie = ATTACK_DBUF;
    create.op.dbuf_create.buffer_sz = LARGE_PAGES * XEN_GUEST_PAGE;
    create.op.dbuf_create.gref_directory = large_directory(a);
    destroy.op.dbuf_destroy.dbuf_cookie = ATTACK_DBUF;
    display_slots(slots, &create, &destroy);
}

/* Two pictures, shown in turn; there is a viewer of neither */
static void pictures(XenAttacker *a, void *slots)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, LARGE_WIDTH * LARGE_HEIGHT * 2);
    struct xendispl_req show[2] = { { 0 } };
    int i, ret;

    for (i = 0; i < 2; i++) {
        ret = xen_front_dbuf_create(a->display, ATTACK_DBUF + i, LARGE_WIDTH,
                                    LARGE_HEIGHT, 16, pgdir->size, 0,
                                    xen_front_pgdir_ref(pgdir), 0) ?:
              xen_front_fb_attach(a->display, ATTACK_DBUF + i, ATTACK_FB + i,
                                  LARGE_WIDTH, LARGE_HEIGHT,
                                  XEN_FRONT_RGB565) ?:
              xen_front_set_config(attack_connector(a), ATTACK_FB + i, 0, 0,
                                   LARGE_WIDTH, LARGE_HEIGHT, 16);
        g_assert(ret == 0);
        show[i].operation = XENDISPL_OP_SET_CONFIG;
        show[i].op.set_config.fb_cookie = ATTACK_FB + i;
    }
    display_slots(slots, &show[0], &show[1]);
}

static void opens(XenAttacker *a, void *slots)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_BUFFER);
    struct xensnd_req open = { .operation = XENSND_OP_OPEN };
    struct xensnd_req start = { .operation = XENSND_OP_TRIGGER };

    open.op.open.pcm_rate = ATTACK_RATE;
    open.op.open.pcm_format = XENSND_PCM_FORMAT_S16_LE;
    open.op.open.pcm_channels = 2;
    open.op.open.buffer_sz = ATTACK_BUFFER;
    open.op.open.gref_directory = xen_front_pgdir_ref(pgdir);
    open.op.open.period_sz = ATTACK_PERIOD;
    start.op.trigger.type = XENSND_OP_TRIGGER_START;
    sound_slots(slots, &open, &start);
}

static void events(XenAttacker *a)
{
    uint32_t i;

    for (i = 0; i < GUST_EVENTS; i++) {
        xen_guest_kick(a->guest, attack_connector(a)->req.port);
        xen_guest_kick(a->guest, attack_connector(a)->evt.port);
    }
}

/* Away and back, without waiting for the backend */
static void connections(XenAttacker *a)
{
    xen_front_set_state(&a->display->card, XenbusStateInitialising);
    xen_front_set_state(&a->display->card, XenbusStateInitialised);
    xen_front_set_state(&a->display->card, XenbusStateConnected);
}

const XenStormKind xen_storms[] = {
    { "refused", "flips that are refused", false, refused },
    { "edids", "EDIDs to be written", false, edids },
    { "buffers", "buffers of 64 MiB made and destroyed", false, buffers },
    { "pictures", "two pictures shown in turn", false, pictures },
    { "opens", "a stream opened and started", true, opens },
    { "events", "notifications for nothing", false, NULL, events },
    { "connections", "connections made and given up", false, NULL,
      connections },
    { NULL }
};
