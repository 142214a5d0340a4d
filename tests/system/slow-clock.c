/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock that is slow, to be preloaded into xl.
 *
 * xl waits for a backend for ten seconds of real time.  In an emulated machine
 * on a busy host, QEMU may take longer than that to start.  With this, xl's
 * seconds last SLOW_CLOCK times as long.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/time.h>
#include <time.h>

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ll + ts.tv_nsec / 1000;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    static int64_t first;
    const char *text = getenv("SLOW_CLOCK");
    int factor = text ? atoi(text) : 1;
    int64_t time = now();

    first = first ?: time;
    if (factor > 1) {
        time = first + (time - first) / factor;
    }
    tv->tv_sec = time / 1000000;
    tv->tv_usec = time % 1000000;
    return 0;
}
