/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sound card between the fuzzers' guest and a host that plays and records,
 * and a model of what its engine may and must do.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FUZZ_FUZZ_SOUND_H
#define TESTS_FUZZ_FUZZ_SOUND_H

#include "fuzz-guest.h"

/** FUZZ_SOUND_PAGE: the first of the pages of its channels */
#define FUZZ_SOUND_PAGE     7
#define FUZZ_SOUND_STREAMS  3

typedef struct FuzzSound FuzzSound;

/** fuzz_sound_new: make a card, not connected; its limits vary */
FuzzSound *fuzz_sound_new(FuzzGuest *guest);

/** fuzz_sound_free: disconnect and free it */
void fuzz_sound_free(FuzzSound *sound);

/** fuzz_sound_connect: connect all streams, if the guest allows it */
void fuzz_sound_connect(FuzzSound *sound);

/** fuzz_sound_disconnect: the connection is over; nothing stays mapped */
void fuzz_sound_disconnect(FuzzSound *sound);

/** fuzz_sound_step: guest or clock do something */
void fuzz_sound_step(FuzzSound *sound);

/** fuzz_sound_check: compare the engine with the model */
void fuzz_sound_check(FuzzSound *sound);

#endif /* TESTS_FUZZ_FUZZ_SOUND_H */
