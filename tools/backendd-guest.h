/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that serves a guest, for xen-pv-backendd
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef BACKENDD_GUEST_H
#define BACKENDD_GUEST_H

#include "backendd-config.h"

typedef struct BackenddGuest BackenddGuest;

/**
 * BackenddGuestState: of a guest's process
 * @BACKENDD_IDLE: there is none
 * @BACKENDD_RUNNING: it runs
 * @BACKENDD_WAITING: it died, and is started again after a while
 * @BACKENDD_ENDING: it was told to end
 * @BACKENDD_FAILED: it died too often, or could not be started at all
 */
typedef enum BackenddGuestState {
    BACKENDD_IDLE,
    BACKENDD_RUNNING,
    BACKENDD_WAITING,
    BACKENDD_ENDING,
    BACKENDD_FAILED,
} BackenddGuestState;

/**
 * BackenddGuestOps: what a guest's process tells its owner
 * @log: a line for the log
 * @starting: a process is about to be started, or started again
 * @ended: a process that was told to end has ended; the owner may free the
 *         guest
 * @failed: the guest gets no process any more, and one sentence why; the owner
 *          must not free the guest
 */
typedef struct BackenddGuestOps {
    void (*log)(void *opaque, const char *text);
    void (*starting)(void *opaque, BackenddGuest *guest);
    void (*ended)(void *opaque, BackenddGuest *guest);
    void (*failed)(void *opaque, BackenddGuest *guest, const char *why);
} BackenddGuestOps;

/**
 * BackenddTimes: how long is waited, in milliseconds
 * @restart: before a process is first started again; doubled each time
 * @restart_max: the longest wait
 * @grace: from SIGTERM to SIGKILL
 */
typedef struct BackenddTimes {
    unsigned int restart;
    unsigned int restart_max;
    unsigned int grace;
} BackenddTimes;

extern const BackenddTimes backendd_times;

BackenddGuest *backendd_guest_new(unsigned int domid, unsigned int slot,
                                  const BackenddTimes *times,
                                  const BackenddGuestOps *ops, void *opaque);

/**
 * backendd_guest_free: forget a guest; a process of it is killed
 */
void backendd_guest_free(BackenddGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackenddGuest, backendd_guest_free)

/**
 * backendd_guest_start: start the process of a guest that has none
 * @profile: copied
 * @name: of the guest; NULL if that is not known
 */
void backendd_guest_start(BackenddGuest *guest, const BackenddProfile *profile,
                          const char *name);

/**
 * backendd_guest_stop: tell the process to end, and kill it if it does not
 *
 * Whatever state the guest is in, ended() is called, from the main loop.
 */
void backendd_guest_stop(BackenddGuest *guest);

/**
 * backendd_guest_serves: the process has begun to serve the guest
 *
 * One that exits before that, with a status other than 0, is not started
 * again: it would exit for the same reason, and the toolstack waits.
 */
void backendd_guest_serves(BackenddGuest *guest);

BackenddGuestState backendd_guest_state(const BackenddGuest *guest);
unsigned int backendd_guest_domid(const BackenddGuest *guest);
unsigned int backendd_guest_slot(const BackenddGuest *guest);

/**
 * backendd_guest_pid: of the process, 0 if there is none
 */
int backendd_guest_pid(const BackenddGuest *guest);

#endif /* BACKENDD_GUEST_H */
