/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the sound protocol, over a connection that stands
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "fuzz-sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = { .data = data, .size = size };
    FuzzGuest *guest = fuzz_guest_new(&in);
    FuzzSound *sound = fuzz_sound_new(guest);

    fuzz_sound_connect(sound);
    while (in.size) {
        fuzz_sound_step(sound);
        fuzz_sound_check(sound);
        fuzz_guest_check(guest);
    }
    fuzz_sound_free(sound);
    fuzz_guest_free(guest);
    return 0;
}
