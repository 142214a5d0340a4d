/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The catalogue of attacks, mounted from inside a guest of the real Xen
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_FRONT_ATTACKS_H
#define TESTS_FRONTEND_FRONT_ATTACKS_H

#include "xen-guest.h"

/* Prints the groups' names, a line each, with how many attacks can be sent */
void front_attack_groups(void);

/**
 * front_attack: mount the attacks of one group
 * @guest: the guest
 * @card: number of the display and of the sound card
 * @group: the group
 * @step: mount the first attack of the group, and each @step-th after it
 *
 * Prints a line for each, and one for all.  Attacks for which a program has
 * not got the rights are left out.
 *
 * Returns: 0; -EIO if one was not survived; -ENOENT if there is no such group.
 */
int front_attack(XenGuest *guest, uint32_t card, const char *group,
                 unsigned int step);

#endif /* TESTS_FRONTEND_FRONT_ATTACKS_H */
