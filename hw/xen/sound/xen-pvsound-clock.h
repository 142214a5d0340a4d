/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a stream of playback has to move on.
 * Pure functions: they know no audio layer and no clock.
 *
 * A guest's sound moves in real time, as it does out of a real card, and waits
 * in a queue for the host.  Hosts differ: some take a little every 10 ms, some
 * much at once, some want more to begin with, and each has a clock of its own.
 * The queue is there so that the guest sees nothing of that.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVSOUND_CLOCK_H
#define HW_XEN_XEN_PVSOUND_CLOCK_H

/** XEN_PVSOUND_QUEUE_MS: what a queue has room for */
#define XEN_PVSOUND_QUEUE_MS 250

/**
 * struct XenPvSoundClock - how far a stream is
 *
 * @rate: frames a second
 * @tick: time between two looks at the clock, ns
 * @base: moment that @taken counts from
 * @taken: frames that moved into the queue since @base
 * @room: most frames that the host wanted at once
 * @primed: the host has got what it wants to begin with
 * @asked: when it asked last
 * @hurries: times in a row that it asked again at once, and got too little
 * @short_at: when it last wanted a quarter of its buffer or more besides
 * @full: it did not for a second
 * @lowest: fewest frames that were left in the queue in this second, less those
 *     that the host wanted besides
 * @before: the same of the second before
 * @second: when this second began
 * @held_at: since when the queue has had no room for what is due, or 0
 *
 * All moments are in ns, of one clock.
 */
typedef struct XenPvSoundClock {
    uint32_t rate;
    int64_t tick;
    int64_t base;
    uint64_t taken;
    size_t room;
    bool primed;
    int64_t asked;
    uint32_t hurries;
    int64_t short_at;
    bool full;
    int64_t lowest;
    int64_t before;
    int64_t second;
    int64_t held_at;
} XenPvSoundClock;

/**
 * xen_pvsound_clock_start: the host is to begin to play
 * @c: the clock
 * @rate: frames a second; not 0
 * @tick: time between two looks at the clock, ns
 * @now: the moment
 */
void xen_pvsound_clock_start(XenPvSoundClock *c, uint32_t rate, int64_t tick,
                             int64_t now);

/**
 * xen_pvsound_clock_margin: silence to put into the queue at the start
 * @c: the clock
 *
 * As long as the queue has so much, a host that is early, and a guest that is
 * late by a tick, do no harm.
 *
 * Returns: frames.
 */
size_t xen_pvsound_clock_margin(const XenPvSoundClock *c);

/**
 * xen_pvsound_clock_due: what has to move into the queue by now
 * @c: the clock
 * @now: the moment
 *
 * A QEMU that did not get the processor for a while is late.  That is made up
 * for, as some hosts want all of it, a file for instance; but two seconds at
 * most.
 *
 * Returns: frames.
 */
size_t xen_pvsound_clock_due(XenPvSoundClock *c, int64_t now);

/**
 * xen_pvsound_clock_silence: how much of that is silence if nothing is there
 * @c: the clock
 * @due: frames that are due
 *
 * A guest may be late by a tick.
 *
 * Returns: frames.
 */
size_t xen_pvsound_clock_silence(const XenPvSoundClock *c, size_t due);

/**
 * xen_pvsound_clock_taken: something moved into the queue
 * @c: the clock
 * @frames: how much
 */
void xen_pvsound_clock_taken(XenPvSoundClock *c, size_t frames);

/**
 * xen_pvsound_clock_held: how much of it has found no room in the queue
 * @c: the clock
 * @held: frames, 0 if there was room
 * @now: the moment
 *
 * If that does not change for some time, the host does not want it, and it is
 * not due any more.
 */
void xen_pvsound_clock_held(XenPvSoundClock *c, size_t held, int64_t now);

/**
 * xen_pvsound_clock_prime: silence for the host before what is in the queue
 * @c: the clock
 * @room: frames that the host wants
 * @queued: frames in the queue
 *
 * What a host wants to begin with is its buffer, which has to be full from
 * then on.
 *
 * Returns: frames.
 */
size_t xen_pvsound_clock_prime(XenPvSoundClock *c, size_t room,
                               size_t queued);

/**
 * xen_pvsound_clock_asked: the host has got what there was
 * @c: the clock
 * @left: frames that it still wants
 * @queued: frames that are left in the queue
 * @now: the moment
 *
 * Keeps in step with the host's clock.
 *
 * Returns: frames of silence that it has to get: because its buffer was emptied
 * by others, or because it would ask again and again otherwise.
 */
size_t xen_pvsound_clock_asked(XenPvSoundClock *c, size_t left,
                               size_t queued, int64_t now);

/**
 * xen_pvsound_clock_heard: time until all has been heard
 * @c: the clock
 * @queued: frames in the queue
 *
 * Returns: ns.
 */
int64_t xen_pvsound_clock_heard(const XenPvSoundClock *c, size_t queued);

#endif /* HW_XEN_XEN_PVSOUND_CLOCK_H */
