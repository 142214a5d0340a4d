/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A catalogue of attacks on PV cards, as a guest can mount them.
 *
 * Each is a function over the fake frontend, and knows how a backend that
 * can be trusted answers.  Who runs them, and what else is looked at
 * meanwhile, is the caller's business.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_ATTACKS_H
#define TESTS_FRONTEND_XEN_ATTACKS_H

#include <errno.h>

#include "xen-front-display.h"
#include "xen-front-sound.h"

#include <xen/grant_table.h>

/* What is expected besides a status, which is 0 or a negative errno value */
#define XEN_ATTACK_REFUSED      1   /* an answer, and it is negative */
#define XEN_ATTACK_ANSWERED     2   /* an answer, whatever it says */
#define XEN_ATTACK_SILENCE      (-ETIMEDOUT)    /* none is due, none comes */
#define XEN_ATTACK_OFFLINE      (-ENOTCONN)     /* it does not connect */

/*
 * What an attack needs, or leaves behind
 *
 * XEN_ATTACK_SOUND: it is for the sound card; without it for the display
 * XEN_ATTACK_ENTRIES: it writes to the grant table itself: @entry
 * XEN_ATTACK_TOOLSTACK: it needs the toolstack's rights in xenstore: @toolstack
 * XEN_ATTACK_BE_ALLOC: the display's buffers may be allocated by the backend
 * XEN_ATTACK_REPLUG: afterwards the card has to be taken away and made anew
 * XEN_ATTACK_MAPS: it maps what the backend shares
 * XEN_ATTACK_NO_REF_0: reference 0 grants nothing; a guest of the real Xen
 *     grants its console by it
 */
#define XEN_ATTACK_SOUND        (1u << 0)
#define XEN_ATTACK_ENTRIES      (1u << 1)
#define XEN_ATTACK_TOOLSTACK    (1u << 2)
#define XEN_ATTACK_BE_ALLOC     (1u << 3)
#define XEN_ATTACK_REPLUG       (1u << 4)
#define XEN_ATTACK_MAPS         (1u << 5)
#define XEN_ATTACK_NO_REF_0     (1u << 6)

/**
 * struct XenAttacker - a guest that attacks
 *
 * @guest: the guest
 * @display: its display, of one screen at least
 * @sound: its sound card: its first stream plays, its second records
 * @victim_port: a port of another card of the guest, or 0
 * @entry: the entry of a reference in the grant table; NULL where a guest
 *     cannot get at it
 * @toolstack: write a node as the toolstack; NULL without its rights
 * @meanwhile: called where others should get their turn; about 20 ms of the
 *     host's time pass there.  May be NULL.
 * @opaque: handed to @meanwhile
 *
 * All below is the attacks' own.
 *
 * @shown: what the display shows when an attack begins
 * @pages: pages that the attack has granted
 * @buffers: buffers that the attack has made
 */
typedef struct XenAttacker {
    XenGuest *guest;
    XenFrontDisplay *display;
    XenFrontSound *sound;
    uint32_t victim_port;
    grant_entry_v1_t *(*entry)(XenGuest *guest, uint32_t ref);
    int (*toolstack)(XenGuest *guest, const char *path, const char *value);
    void (*meanwhile)(void *opaque);
    void *opaque;

    XenFrontBuffer *shown;
    GArray *pages;
    GPtrArray *buffers;
} XenAttacker;

/**
 * struct XenAttack - one attack
 *
 * @group: what it is aimed at
 * @name: of its own in the group
 * @what: what the guest does, one phrase
 * @expected: how the backend answers
 * @needs: XEN_ATTACK_SOUND and so on
 * @run: do it; returns what is to be compared with @expected
 * @arg: for @run
 */
typedef struct XenAttack {
    const char *group;
    const char *name;
    const char *what;
    int expected;
    unsigned int needs;
    int (*run)(XenAttacker *a, const void *arg);
    const void *arg;
} XenAttack;

/* All attacks; the list ends with one that has no name */
const XenAttack *const *xen_attacks(void);

void xen_attacker_init(XenAttacker *a, XenGuest *guest,
                       XenFrontDisplay *display, XenFrontSound *sound);

/* Nothing may be left connected */
void xen_attacker_clear(XenAttacker *a);

/**
 * xen_attack_connect: make a card ready for an attack
 * @a: the attacker
 * @needs: of the attack
 *
 * The display shows a picture; the sound card's streams are closed.
 *
 * Returns: 0 or a negative errno value.
 */
int xen_attack_connect(XenAttacker *a, unsigned int needs);

/* Whether what run() returned is what the attack expects */
bool xen_attack_is_met(const XenAttack *attack, int result);

/* What a result or an expectation means, in words */
const char *xen_attack_result(int result);

/**
 * xen_attack_recover: disconnect a card, whatever state it is in
 * @a: the attacker
 * @needs: of the attack
 * @left: where to store how many of the guest's pages the backend still uses
 *
 * What the attack has allocated is freed.
 *
 * Returns: 0; -ETIMEDOUT if the backend is not ready for a new connection.
 */
int xen_attack_recover(XenAttacker *a, unsigned int needs, uint32_t *left);

#endif /* TESTS_FRONTEND_XEN_ATTACKS_H */
