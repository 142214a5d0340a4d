/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storms: requests and events without an end, from one card of a guest
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_STORM_H
#define TESTS_FRONTEND_XEN_STORM_H

#include "xen-attacks.h"

#define XEN_STORM_SLOTS 4

typedef struct XenStorm XenStorm;

/**
 * struct XenStormKind - what a storm is made of
 *
 * @name: its name
 * @what: what the guest does all the time, one phrase
 * @sound: it comes from the sound card, else from the display
 * @prepare: fill in @slots, of which there are XEN_STORM_SLOTS, with requests
 *     that are repeated; NULL: there are none
 * @burst: called by xen_storm_gust(); NULL: the backend is notified
 */
typedef struct XenStormKind {
    const char *name;
    const char *what;
    bool sound;
    void (*prepare)(XenAttacker *a, void *slots);
    void (*burst)(XenAttacker *a);
} XenStormKind;

/* All kinds; the list ends with one that has no name */
extern const XenStormKind xen_storms[];

/*
 * Begin on a card that xen_attack_connect() has connected.  A thread of its
 * own keeps the request ring full; it is gone with xen_storm_end().  The card
 * is good for nothing but xen_attack_recover() then.
 */
XenStorm *xen_storm_begin(XenAttacker *a, const XenStormKind *kind);

/*
 * What the thread cannot do: notify the backend, if it asks for that.  To be
 * called all the time, or the storm abates.
 */
void xen_storm_gust(XenStorm *storm);

/* Whether it is one of requests, which a thread sends */
bool xen_storm_is_steady(const XenStorm *storm);

/* Returns how many requests were answered */
uint64_t xen_storm_end(XenStorm *storm);

#endif /* TESTS_FRONTEND_XEN_STORM_H */
