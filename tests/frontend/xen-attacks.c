/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A catalogue of attacks on PV cards: before and after an attack
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <string.h>

#include "xen-attacks-util.h"

/* Rounds of a race, and the time after which only the least are run */
#define RACE_LEAST      20
#define RACE_MOST       200
#define RACE_TIME       (3 * G_TIME_SPAN_SECOND)

/* How long a page may still be in use after its card was disconnected */
#define ATTACK_RELEASE_MS   5000

typedef struct AttackPage {
    uint32_t page;
    uint32_t ref;
} AttackPage;

const XenAttack *const *xen_attacks(void)
{
    static const XenAttack *all[512];
    const XenAttack *const parts[] = {
        xen_attacks_directory, xen_attacks_display, xen_attacks_ring,
        xen_attacks_nodes(), xen_attacks_store, xen_attacks_sound,
        xen_attacks_resources,
    };
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < G_N_ELEMENTS(parts); i++) {
        const XenAttack *attack;

        for (attack = parts[i]; attack->name; attack++) {
            g_assert(count < G_N_ELEMENTS(all) - 1);
            all[count++] = attack;
        }
    }
    return all;
}

bool xen_attack_is_met(const XenAttack *attack, int result)
{
    bool answered = result <= 0 && result != -ETIMEDOUT &&
                    result != -EPROTO && result != -ENOTCONN;

    switch (attack->expected) {
    case XEN_ATTACK_REFUSED:
        return answered && result < 0;
    case XEN_ATTACK_ANSWERED:
        return answered;
    default:
        return result == attack->expected;
    }
}

const char *xen_attack_result(int result)
{
    switch (result) {
    case 0:
        return "harmless";
    case XEN_ATTACK_REFUSED:
        return "any refusal";
    case XEN_ATTACK_ANSWERED:
        return "any answer";
    case XEN_ATTACK_SILENCE:
        return "not served";
    case XEN_ATTACK_OFFLINE:
        return "not connected";
    default:
        return g_strerror(-result);
    }
}

/* What an attack allocates */

void attack_meanwhile(XenAttacker *a)
{
    if (a->meanwhile) {
        a->meanwhile(a->opaque);
    }
}

void *attack_page(XenAttacker *a, bool readonly, uint32_t *ref)
{
    AttackPage page = { .page = xen_guest_alloc_page(a->guest) };

    /* A guest without pages is no attacker */
    g_assert(page.page);
    page.ref = xen_guest_grant(a->guest, page.page, readonly);
    g_assert(page.ref);
    g_array_append_val(a->pages, page);
    *ref = page.ref;
    return xen_guest_page(a->guest, page.page);
}

uint32_t attack_ref(XenAttacker *a, bool readonly)
{
    uint32_t ref;

    attack_page(a, readonly, &ref);
    return ref;
}

grant_entry_v1_t *attack_entry(XenAttacker *a, uint32_t ref)
{
    return a->entry(a->guest, ref);
}

XenFrontPgdir *attack_pgdir(XenAttacker *a, uint64_t size)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new(a->guest, size);

    g_assert(pgdir);
    g_ptr_array_add(a->buffers, pgdir);
    return pgdir;
}

XenFrontBuffer *attack_buffer(XenAttacker *a, uint64_t cookie)
{
    XenFrontBuffer *buffer = xen_front_buffer_new(a->guest, ATTACK_WIDTH,
                                                  ATTACK_HEIGHT, cookie);

    if (!buffer || xen_front_buffer_attach(a->display, buffer) < 0) {
        xen_front_buffer_free(buffer);
        return NULL;
    }
    return buffer;
}

/* What attacks often do */

XenFrontConnector *attack_connector(XenAttacker *a)
{
    return &a->display->connectors[0];
}

XenFrontStream *attack_playback(XenAttacker *a)
{
    return &a->sound->streams[0];
}

XenFrontStream *attack_capture(XenAttacker *a)
{
    return &a->sound->streams[1];
}

int attack_show(XenAttacker *a)
{
    int ret = xen_front_fb_attach(a->display, ATTACK_DBUF, ATTACK_FB, 32, 32,
                                  XEN_FRONT_XRGB8888);

    return ret ?: xen_front_set_config(attack_connector(a), ATTACK_FB, 0, 0,
                                       32, 32, 32);
}

int attack_raw(XenFrontConnector *c, uint8_t operation, uint8_t fill)
{
    struct xendispl_req req;

    memset(&req, fill, sizeof(req));
    req.operation = operation;
    return xen_front_request(c, &req, NULL);
}

int attack_open(XenFrontStream *s)
{
    return xen_front_stream_open(s, ATTACK_RATE, XENSND_PCM_FORMAT_S16_LE, 2,
                                 ATTACK_BUFFER, ATTACK_PERIOD);
}

bool attack_race_goes_on(uint32_t rounds, int64_t begin)
{
    return rounds < RACE_LEAST ||
           (rounds < RACE_MOST &&
            g_get_monotonic_time() - begin < RACE_TIME);
}

/* States */

static XenFrontCard *attacked(XenAttacker *a, bool sound)
{
    return sound ? &a->sound->card : &a->display->card;
}

typedef struct AttackWait {
    XenAttacker *attacker;
    XenFrontCard *card;
    int one;
    int other;
    int state;
} AttackWait;

/* Others have their turn after each look, and QEMU's clock goes on with it */
static bool has_state(void *opaque)
{
    AttackWait *wait = opaque;

    wait->state = xen_guest_read_int(wait->attacker->guest,
                                     wait->card->backend_state,
                                     XenbusStateUnknown);
    if (wait->state == wait->one || wait->state == wait->other) {
        return true;
    }
    attack_meanwhile(wait->attacker);
    return false;
}

/* Wait for one of two states; returns which, or -ETIMEDOUT */
static int wait_backend(XenAttacker *a, XenFrontCard *card, int one,
                        int other)
{
    AttackWait wait = { a, card, one, other };

    return xen_guest_wait(a->guest, has_state, &wait, XEN_GUEST_DEADLINE) ?
           wait.state : -ETIMEDOUT;
}

int attack_prepare(XenAttacker *a)
{
    XenFrontDisplay *display = a->display;

    xen_front_display_unload(display);
    return xen_front_card_begin(&display->card) ?:
           xen_front_display_read_config(display) ?:
           xen_front_display_alloc_rings(display) ?:
           xen_front_display_publish(display);
}

int attack_try_connect(XenAttacker *a, bool sound)
{
    XenFrontCard *card = attacked(a, sound);
    int state;

    xen_front_set_state(card, XenbusStateInitialised);
    state = wait_backend(a, card, XenbusStateConnected, XenbusStateClosed);
    return state == XenbusStateClosed ? -ENOTCONN : MIN(state, 0);
}

/* Before an attack */

void xen_attacker_init(XenAttacker *a, XenGuest *guest,
                       XenFrontDisplay *display, XenFrontSound *sound)
{
    memset(a, 0, sizeof(*a));
    a->guest = guest;
    a->display = display;
    a->sound = sound;
    a->pages = g_array_new(false, false, sizeof(AttackPage));
    a->buffers = g_ptr_array_new();
}

void xen_attacker_clear(XenAttacker *a)
{
    g_assert(!a->shown && !a->pages->len && !a->buffers->len);
    g_array_free(a->pages, true);
    g_ptr_array_free(a->buffers, true);
}

/*
 * The card is used once: a frontend that connects and does no more has given
 * it up, and waits the longer for the next offer the more often it does so.
 */
static int connect_sound(XenAttacker *a)
{
    struct xensnd_query_hw_param param;
    int ret = xen_front_sound_connect(a->sound);

    if (ret == 0 && a->sound->nr_streams < 2) {
        ret = -ENODEV;
    }
    return ret ?: xen_front_stream_query_all(attack_playback(a), &param);
}

int xen_attack_connect(XenAttacker *a, unsigned int needs)
{
    int ret;

    if (needs & XEN_ATTACK_SOUND) {
        return connect_sound(a);
    }
    ret = xen_front_display_connect(a->display);
    if (ret < 0) {
        return ret;
    }
    a->shown = attack_buffer(a, ATTACK_SHOWN);
    if (!a->shown) {
        return -ENOMEM;
    }
    xen_front_buffer_draw(a->shown, 1);
    return xen_front_set_config(attack_connector(a), a->shown->fb, 0, 0,
                                ATTACK_WIDTH, ATTACK_HEIGHT, 32);
}

/* After an attack */

static void add_refs(GArray *refs, const uint32_t *more, uint32_t count)
{
    g_array_append_vals(refs, more, count);
}

static void add_pgdir(GArray *refs, const XenFrontPgdir *pgdir)
{
    if (pgdir) {
        add_refs(refs, pgdir->dir_refs, pgdir->nr_dirs);
        add_refs(refs, pgdir->refs, pgdir->be_alloc ? 0 : pgdir->nr_pages);
    }
}

/* All that the card and the attack have granted */
static GArray *attack_refs(XenAttacker *a, unsigned int needs)
{
    GArray *refs = g_array_new(false, false, sizeof(uint32_t));
    uint32_t i;

    for (i = 0; i < a->pages->len; i++) {
        add_refs(refs, &g_array_index(a->pages, AttackPage, i).ref, 1);
    }
    for (i = 0; i < a->buffers->len; i++) {
        add_pgdir(refs, g_ptr_array_index(a->buffers, i));
    }
    if (needs & XEN_ATTACK_SOUND) {
        for (i = 0; i < a->sound->nr_streams; i++) {
            add_refs(refs, &a->sound->streams[i].req.ref, 1);
            add_refs(refs, &a->sound->streams[i].evt.ref, 1);
            add_pgdir(refs, a->sound->streams[i].pgdir);
        }
        return refs;
    }
    for (i = 0; i < a->display->nr_connectors; i++) {
        add_refs(refs, &a->display->connectors[i].req.ref, 1);
        add_refs(refs, &a->display->connectors[i].evt.ref, 1);
    }
    add_pgdir(refs, a->shown ? a->shown->pgdir : NULL);
    return refs;
}

typedef struct AttackRelease {
    XenGuest *guest;
    GArray *refs;
    uint32_t left;
} AttackRelease;

static bool is_released(void *opaque)
{
    AttackRelease *release = opaque;
    uint32_t i;

    release->left = 0;
    for (i = 0; i < release->refs->len; i++) {
        uint32_t ref = g_array_index(release->refs, uint32_t, i);

        release->left += ref && xen_guest_in_use(release->guest, ref);
    }
    return release->left == 0;
}

static void free_pages(XenAttacker *a)
{
    uint32_t i;

    for (i = 0; i < a->pages->len; i++) {
        AttackPage *page = &g_array_index(a->pages, AttackPage, i);

        if (xen_guest_end_access(a->guest, page->ref) == 0) {
            xen_guest_free_page(a->guest, page->page);
        }
    }
    g_array_set_size(a->pages, 0);
    for (i = 0; i < a->buffers->len; i++) {
        xen_front_pgdir_free(g_ptr_array_index(a->buffers, i));
    }
    g_ptr_array_set_size(a->buffers, 0);
}

static void free_card(XenAttacker *a, unsigned int needs)
{
    uint32_t i;

    if (needs & XEN_ATTACK_SOUND) {
        for (i = 0; i < a->sound->nr_streams; i++) {
            xen_front_pgdir_free(a->sound->streams[i].pgdir);
            a->sound->streams[i].pgdir = NULL;
        }
        xen_front_sound_free_rings(a->sound);
        return;
    }
    xen_front_buffer_free(a->shown);
    a->shown = NULL;
    xen_front_display_free_rings(a->display);
}

int xen_attack_recover(XenAttacker *a, unsigned int needs, uint32_t *left)
{
    XenFrontCard *card = attacked(a, needs & XEN_ATTACK_SOUND);
    AttackRelease release = { .guest = a->guest };
    int ret = 0;

    if (!(needs & XEN_ATTACK_REPLUG)) {
        xen_front_set_state(card, XenbusStateClosing);
        ret = wait_backend(a, card, XenbusStateInitWait, XenbusStateClosed);
    }

    release.refs = attack_refs(a, needs);
    xen_guest_wait(a->guest, is_released, &release, ATTACK_RELEASE_MS);
    *left = release.left;
    g_array_free(release.refs, true);
    free_pages(a);
    free_card(a, needs);

    if (ret >= 0) {
        xen_front_set_state(card, XenbusStateInitialising);
        ret = wait_backend(a, card, XenbusStateInitWait, XenbusStateInitWait);
    }
    return MIN(ret, 0);
}
