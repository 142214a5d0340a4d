/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a stream of playback has to move on.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "xen-pvsound-clock.h"

#define SECOND  INT64_C(1000000000)
#define MS      INT64_C(1000000)

/* How far this clock is moved in a second to keep in step with the host's */
#define STEP    MS

/* By how much a clock may be late, and how long a host is given to catch up */
#define LATEST  (2 * SECOND)

/* What a host may have behind the buffer that it tells of */
#define BEHIND  (200 * MS)

/* A host that asks so often at once, and gets too little, does not stop */
#define HURRIES 3

static uint64_t frames_of(const XenPvSoundClock *c, int64_t ns)
{
    return (uint64_t)ns * c->rate / SECOND;
}

static int64_t time_of(const XenPvSoundClock *c, uint64_t frames)
{
    return frames * SECOND / c->rate;
}

static void begin_second(XenPvSoundClock *c, int64_t now)
{
    c->before = c->lowest;
    c->lowest = INT64_MAX;
    c->second = now;
}

void xen_pvsound_clock_start(XenPvSoundClock *c, uint32_t rate, int64_t tick,
                             int64_t now)
{
    memset(c, 0, sizeof(*c));
    c->rate = rate;
    c->tick = tick;
    c->base = now;
    c->lowest = INT64_MAX;
    c->short_at = now;
    begin_second(c, now);
}

size_t xen_pvsound_clock_margin(const XenPvSoundClock *c)
{
    return frames_of(c, MIN(2 * c->tick, XEN_PVSOUND_QUEUE_MS * MS / 2)) + 1;
}

static int64_t lateness(const XenPvSoundClock *c, int64_t now)
{
    return now - c->base - time_of(c, c->taken);
}

size_t xen_pvsound_clock_due(XenPvSoundClock *c, int64_t now)
{
    int64_t late = lateness(c, now);
    uint64_t due;

    if (late > LATEST) {
        c->base += late - LATEST;
    }
    /* To the frame, for ever */
    while (now - c->base >= SECOND && c->taken >= c->rate) {
        c->base += SECOND;
        c->taken -= c->rate;
    }
    due = now > c->base ? frames_of(c, now - c->base) : 0;

    return due > c->taken ? due - c->taken : 0;
}

size_t xen_pvsound_clock_silence(const XenPvSoundClock *c, size_t due)
{
    size_t grace = frames_of(c, MIN(c->tick, XEN_PVSOUND_QUEUE_MS * MS / 4));

    return due > grace ? due - grace : 0;
}

void xen_pvsound_clock_taken(XenPvSoundClock *c, size_t frames)
{
    c->taken += frames;
}

void xen_pvsound_clock_held(XenPvSoundClock *c, size_t held, int64_t now)
{
    if (!held) {
        c->held_at = 0;
    } else if (!c->held_at) {
        c->held_at = now;
    } else if (now - c->held_at > LATEST) {
        c->base += lateness(c, now);
        c->held_at = 0;
    }
}

size_t xen_pvsound_clock_prime(XenPvSoundClock *c, size_t room,
                               size_t queued)
{
    size_t wanted;

    c->room = MAX(c->room, room);
    if (c->primed || !room) {
        return 0;
    }
    c->primed = true;
    wanted = room + xen_pvsound_clock_margin(c);

    return wanted > queued ? MIN(wanted - queued, room) : 0;
}

/*
 * What is left in the queue, less what the host wants besides, is lowest just
 * before a tick, or after a host that takes much at once has done so.  It goes
 * down for a host whose clock is faster than ours, and up for one that is
 * slower.  A host without a clock takes all there is at any time: that stays
 * as low as it is.
 */
static void keep_step(XenPvSoundClock *c, int64_t now)
{
    int64_t tick = frames_of(c, c->tick);

    if (now - c->second < SECOND) {
        return;
    }
    if (c->lowest < tick / 2 && c->lowest < c->before &&
        c->before != INT64_MAX) {
        c->base -= STEP;
    } else if (c->lowest > 3 * tick) {
        c->base += STEP;
    }
    begin_second(c, now);
}

/* A host whose buffer was full for a second, and is not half full any more */
static bool was_emptied(XenPvSoundClock *c, size_t left, int64_t now)
{
    bool emptied = c->full && left > c->room / 2;

    if (left > c->room / 4) {
        c->short_at = now;
    } else if (now - c->short_at > SECOND) {
        c->full = true;
    }
    if (emptied) {
        c->full = false;
    }

    return emptied;
}

/* It does not stop to ask while it gets too little: it polls */
static bool is_polling(XenPvSoundClock *c, size_t left, int64_t now)
{
    bool at_once = now - c->asked < c->tick / 4;

    c->asked = now;
    c->hurries = left && at_once ? c->hurries + 1 : 0;
    if (c->hurries < HURRIES) {
        return false;
    }
    c->hurries = 0;

    return true;
}

size_t xen_pvsound_clock_asked(XenPvSoundClock *c, size_t left,
                               size_t queued, int64_t now)
{
    bool polling = is_polling(c, left, now);

    if (was_emptied(c, left, now) || polling) {
        return left;
    }
    c->lowest = MIN(c->lowest, (int64_t)queued - (int64_t)left);
    keep_step(c, now);

    return 0;
}

int64_t xen_pvsound_clock_heard(const XenPvSoundClock *c, size_t queued)
{
    /* The audio layer may pass its last frames on a tick later */
    return time_of(c, queued + c->room) + 2 * c->tick + BEHIND;
}
