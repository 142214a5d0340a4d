/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The catalogue of attacks, mounted from inside a guest of the real Xen
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <stdio.h>

#include "front-attacks.h"
#include "xen-attacks.h"

/*
 * Linux lets no program at the grant table, nor, in a paravirtual guest, map
 * others' pages; and no guest is the toolstack.  Its console is granted.
 */
#define NOT_FROM_HERE   (XEN_ATTACK_ENTRIES | XEN_ATTACK_MAPS | \
                         XEN_ATTACK_TOOLSTACK | XEN_ATTACK_REPLUG | \
                         XEN_ATTACK_NO_REF_0)

/* How long "meanwhile" takes */
#define TURN_MS         20

static bool can_be_sent(const XenAttack *attack)
{
    return !(attack->needs & NOT_FROM_HERE);
}

static bool is_first_of_group(const XenAttack *const *attack)
{
    const XenAttack *const *other = xen_attacks();

    while (!g_str_equal((*other)->group, (*attack)->group)) {
        other++;
    }
    return other == attack;
}

void front_attack_groups(void)
{
    const XenAttack *const *first;
    const XenAttack *const *attack;

    for (first = xen_attacks(); *first; first++) {
        unsigned int all = 0, sent = 0;

        if (!is_first_of_group(first)) {
            continue;
        }
        for (attack = first; *attack; attack++) {
            if (g_str_equal((*attack)->group, (*first)->group)) {
                all++;
                sent += can_be_sent(*attack);
            }
        }
        printf("# %s: %u of %u\n", (*first)->group, sent, all);
    }
}

static bool never(void *opaque)
{
    return false;
}

static void turn(void *opaque)
{
    xen_guest_wait(opaque, never, NULL, TURN_MS);
}

static bool attack_once(XenAttacker *a, const XenAttack *attack)
{
    int64_t begin = g_get_monotonic_time();
    int connected = xen_attack_connect(a, attack->needs);
    int result = connected < 0 ? connected : attack->run(a, attack->arg);
    bool met = connected >= 0 && xen_attack_is_met(attack, result);
    uint32_t left;
    int recovered = xen_attack_recover(a, attack->needs, &left);

    printf("# %s %s/%s: %s: %s", met && !recovered ? "survived" : "FAILED",
           attack->group, attack->name, attack->what,
           xen_attack_result(result));
    if (connected < 0) {
        printf(", cannot be connected");
    } else if (!met) {
        printf(", but expected was: %s", xen_attack_result(attack->expected));
    }
    printf("%s (%.1f s)\n", recovered ? "; is not ready again" : "",
           (g_get_monotonic_time() - begin) / 1e6);
    fflush(stdout);
    return met && !recovered;
}

int front_attack(XenGuest *guest, uint32_t card, const char *group,
                 unsigned int step)
{
    XenFrontDisplay *display = xen_front_display_new(guest, card);
    XenFrontSound *sound = xen_front_sound_new(guest, card);
    unsigned int known = 0, tried = 0, survived = 0;
    const XenAttack *const *attack;
    XenAttacker a;

    xen_attacker_init(&a, guest, display, sound);
    a.meanwhile = turn;
    a.opaque = guest;
    for (attack = xen_attacks(); *attack; attack++) {
        if (g_str_equal((*attack)->group, group) && can_be_sent(*attack) &&
            known++ % step == 0) {
            tried++;
            survived += attack_once(&a, *attack);
        }
    }
    printf("# %s: %u tried, %u survived\n", group, tried, survived);
    xen_attacker_clear(&a);
    xen_front_sound_free(sound);
    xen_front_display_free(display);
    return !tried ? -ENOENT : tried == survived ? 0 : -EIO;
}
