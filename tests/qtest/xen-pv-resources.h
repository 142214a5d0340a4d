/*
 * What attacks on PV cards take of a host's finite things
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_RESOURCES_H
#define TESTS_QTEST_XEN_PV_RESOURCES_H

#include "xen-pv-qtest.h"

enum {
    XEN_PV_RESOURCE_CACHE,      /* mappings and copies of a display */
    XEN_PV_RESOURCE_AREAS,      /* areas of QEMU's memory */
    XEN_PV_RESOURCE_MAPPED,     /* the testbed's entries of the map track */
    XEN_PV_RESOURCE_SHARED,     /* pages that QEMU shares with the guest */
    XEN_PV_RESOURCE_THREADS,
    XEN_PV_RESOURCE_FILES,      /* open descriptors */
    XEN_PV_RESOURCE_MEMORY,     /* of QEMU's own, KiB */
    XEN_PV_RESOURCE_LINES,      /* of log beyond one a second */
    XEN_PV_RESOURCE_LOAD,       /* percent of the main loop's time */
    XEN_PV_RESOURCES
};

/**
 * struct XenPvLoadWindow - the main loop's time that one card takes
 *
 * @id: the card
 * @attack: what it is used for now: "GROUP/NAME", or nothing
 * @since, @used: when that began, and what had been used by then, us
 */
typedef struct XenPvLoadWindow {
    const char *id;
    char attack[64];
    int64_t since;
    uint64_t used;
} XenPvLoadWindow;

/**
 * struct XenPvResources - a QEMU that is watched
 *
 * @test: its QEMU writes its log to "DIR/log"
 * @loads: of the display and of the sound card that are attacked
 * @idle: what was in use when nothing was attacked yet
 * @begun, @lines: when the attack began, and the lines of log at that moment
 * @told: the resources of which the attack's message has been printed
 */
typedef struct XenPvResources {
    XenPvTest *test;
    XenPvLoadWindow loads[2];
    uint64_t idle[XEN_PV_RESOURCES];
    int64_t begun;
    uint64_t lines;
    bool told[XEN_PV_RESOURCES];
} XenPvResources;

/* Before QEMU starts: AddressSanitizer keeps little of what QEMU has freed */
void xen_pv_resources_init(void);

/* Now is the moment to which all others are compared */
void xen_pv_resources_start(XenPvResources *r, XenPvTest *test,
                            const char *display, const char *sound);

/* An attack begins: lines of log and seconds are counted from now */
void xen_pv_resources_begin(XenPvResources *r);

/**
 * xen_pv_resources_answered: measure the main loop's share
 * @r: the QEMU
 * @sound: which card has answered a request just now
 * @group, @name: what it will be used for; NULL for nothing
 *
 * A card may owe time after a request, and is not listened to until it has made
 * up for that.  So its share is that of the time from one answer to another,
 * less what a card may take at once.  It is processor time, and does not grow
 * where the machine is busy.
 *
 * Returns: whether the card's last attack took no more than it may.
 */
bool xen_pv_resources_answered(XenPvResources *r, bool sound,
                               const char *group, const char *name);

/**
 * xen_pv_resources_look: measure all others
 * @r: the QEMU
 * @group, @name: the attack that is being run
 *
 * Returns: whether nothing is beyond its limit.  A message says what is.
 */
bool xen_pv_resources_look(XenPvResources *r, const char *group,
                           const char *name);

/*
 * The attacks of a group are over, and no card of theirs is connected: whether
 * there is no more of anything than before.  Pages that are shared with a guest
 * stay its card's.
 */
bool xen_pv_resources_left(XenPvResources *r, const char *group);

/* The table of all looks of this program, as comments of TAP */
void xen_pv_resources_print(void);

#endif /* TESTS_QTEST_XEN_PV_RESOURCES_H */
