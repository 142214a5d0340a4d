/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A display between the fuzzers' guest and a host that has viewers, and
 * a model of what its engine may and must do.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FUZZ_FUZZ_DISPLAY_H
#define TESTS_FUZZ_FUZZ_DISPLAY_H

#include "fuzz-guest.h"

/** FUZZ_DISPLAY_PAGE: the first of the pages of its channels */
#define FUZZ_DISPLAY_PAGE       2
#define FUZZ_DISPLAY_CONNECTORS 2

typedef struct FuzzDisplay FuzzDisplay;

/** fuzz_display_new: make a device, not connected; its limits vary */
FuzzDisplay *fuzz_display_new(FuzzGuest *guest);

/** fuzz_display_free: disconnect and free it */
void fuzz_display_free(FuzzDisplay *display);

/** fuzz_display_connect: connect all connectors, if the guest allows it */
void fuzz_display_connect(FuzzDisplay *display);

/** fuzz_display_disconnect: the connection is over; nothing stays mapped */
void fuzz_display_disconnect(FuzzDisplay *display);

/** fuzz_display_step: guest, clock or viewer do something */
void fuzz_display_step(FuzzDisplay *display);

/** fuzz_display_check: compare the engine with the model */
void fuzz_display_check(FuzzDisplay *display);

#endif /* TESTS_FUZZ_FUZZ_DISPLAY_H */
