/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the display protocol, over a connection that stands
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "fuzz-display.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = { .data = data, .size = size };
    FuzzGuest *guest = fuzz_guest_new(&in);
    FuzzDisplay *display = fuzz_display_new(guest);

    fuzz_display_connect(display);
    while (in.size) {
        fuzz_display_step(display);
        fuzz_display_check(display);
        fuzz_guest_check(guest);
    }
    fuzz_display_free(display);
    fuzz_guest_free(guest);
    return 0;
}
