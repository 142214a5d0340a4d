/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the whole lower layer.  One guest with a display and a sound
 * card, whose connections come and go, and which does as it likes with its
 * memory and its grants.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "fuzz-display.h"
#include "fuzz-sound.h"

/*
 * One thing happens.  A guest that is destroyed may do so in the middle of
 * anything; what is mapped stays, and nothing more can be.
 */
static void step(FuzzGuest *guest, FuzzDisplay *display, FuzzSound *sound)
{
    switch (fuzz_pick(guest->in, 24)) {
    case 0:
        fuzz_display_connect(display);
        break;
    case 1:
        fuzz_display_disconnect(display);
        break;
    case 2:
        fuzz_sound_connect(sound);
        break;
    case 3:
        fuzz_sound_disconnect(sound);
        break;
    case 4:
    case 5:
        fuzz_guest_write(guest);
        break;
    case 6:
        if (fuzz_chance(guest->in, 16)) {
            fuzz_guest_die(guest);
        }
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
        fuzz_sound_step(sound);
        break;
    default:
        fuzz_display_step(display);
        break;
    }
    fuzz_display_check(display);
    fuzz_sound_check(sound);
    fuzz_guest_check(guest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = { .data = data, .size = size };
    FuzzGuest *guest = fuzz_guest_new(&in);
    FuzzDisplay *display = fuzz_display_new(guest);
    FuzzSound *sound = fuzz_sound_new(guest);

    fuzz_display_connect(display);
    fuzz_sound_connect(sound);
    while (in.size) {
        step(guest, display, sound);
    }
    fuzz_display_free(display);
    fuzz_sound_free(sound);
    fuzz_guest_free(guest);
    return 0;
}
