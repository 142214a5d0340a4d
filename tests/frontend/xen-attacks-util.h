/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the attacks on PV cards have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_ATTACKS_UTIL_H
#define TESTS_FRONTEND_XEN_ATTACKS_UTIL_H

#include "xen-attacks.h"

/* A buffer that nobody would refuse, of 32 bits a pixel */
#define ATTACK_WIDTH        128
#define ATTACK_HEIGHT       64
#define ATTACK_SIZE         (ATTACK_WIDTH * ATTACK_HEIGHT * 4)
#define ATTACK_PAGES        (ATTACK_SIZE / XEN_GUEST_PAGE)

/* What the attacks call theirs */
#define ATTACK_SHOWN        0x5110ull
#define ATTACK_DBUF         0xdb0full
#define ATTACK_FB           0xfbull

/* How long no answer is none */
#define ATTACK_SILENCE_MS   20

/* Sound that nobody would refuse: S16_LE, stereo */
#define ATTACK_RATE         48000
#define ATTACK_FRAME        4
#define ATTACK_BUFFER       32768
#define ATTACK_PERIOD       4096

/* The catalogue, in parts */
extern const XenAttack xen_attacks_directory[];
extern const XenAttack xen_attacks_display[];
extern const XenAttack xen_attacks_resources[];
extern const XenAttack xen_attacks_ring[];
extern const XenAttack xen_attacks_sound[];
extern const XenAttack xen_attacks_store[];
const XenAttack *xen_attacks_nodes(void);

XenFrontConnector *attack_connector(XenAttacker *a);
XenFrontStream *attack_playback(XenAttacker *a);
XenFrontStream *attack_capture(XenAttacker *a);

/* Others get their turn */
void attack_meanwhile(XenAttacker *a);

/*
 * Whether a race that began at @begin goes on: for 200 rounds.  Where each
 * round has to wait for the scheduler, it ends after 3 seconds and 20 rounds.
 */
bool attack_race_goes_on(uint32_t rounds, int64_t begin);

/* A granted page that goes when the attack is over; and only its reference */
void *attack_page(XenAttacker *a, bool readonly, uint32_t *ref);
uint32_t attack_ref(XenAttacker *a, bool readonly);

/* The entry of a reference in the grant table */
grant_entry_v1_t *attack_entry(XenAttacker *a, uint32_t ref);

/* A buffer, attached to the display, for xen_front_buffer_free(); NULL */
XenFrontBuffer *attack_buffer(XenAttacker *a, uint64_t cookie);

/* One that goes when the attack is over; the display does not know of it */
XenFrontPgdir *attack_pgdir(XenAttacker *a, uint64_t size);

/* FB_ATTACH and SET_CONFIG of ATTACK_DBUF, of which 32 by 32 pixels show */
int attack_show(XenAttacker *a);

/* A request with that operation and nothing else but that byte */
int attack_raw(XenFrontConnector *c, uint8_t operation, uint8_t fill);

/* OPEN of a stream that nobody would refuse */
int attack_open(XenFrontStream *s);

/* A display anew, up to all that comes before Initialised */
int attack_prepare(XenAttacker *a);

/* What the backend does with the frontend's nodes, and state Initialised */
int attack_try_connect(XenAttacker *a, bool sound);

#endif /* TESTS_FRONTEND_XEN_ATTACKS_UTIL_H */
