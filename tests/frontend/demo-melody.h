/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The melody of scripts/demo, played on a PV sound card.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_DEMO_MELODY_H
#define TESTS_FRONTEND_DEMO_MELODY_H

#include "xen-front-sound.h"

typedef struct DemoMelody DemoMelody;

/*
 * Connect to the guest's first sound card and start to play.  Returns NULL
 * and a negative errno value in @ret; -ENODEV where there is no card.
 */
DemoMelody *demo_melody_new(XenGuest *guest, int *ret);

/* Write what there is room for; to be called several times a second */
int demo_melody_feed(DemoMelody *melody);

/* Stop, close and disconnect; harmless on NULL */
void demo_melody_free(DemoMelody *melody);

#endif /* TESTS_FRONTEND_DEMO_MELODY_H */
