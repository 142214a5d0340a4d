/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a toolstack does for a PV card, in the fake Xen's xenstore.  It can do
 * all of it, or the test fails.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_XEN_TOOLSTACK_H
#define TESTS_FRONTEND_XEN_TOOLSTACK_H

#include "xen-front-card.h"

/* The frontend's directory, with what is there for any kind of card */
void xen_toolstack_begin(XenFrontCard *card);

/* A node of this kind, below the frontend's directory */
void xen_toolstack_write(XenFrontCard *card, const char *key,
                         const char *value);

/* The backend's directory: now it has to serve the card */
void xen_toolstack_end(XenFrontCard *card);

/* Ask the backend to give the card up */
void xen_toolstack_detach(XenFrontCard *card);

/* The same where the guest is destroyed: the frontend is gone already */
void xen_toolstack_destroy_begin(XenFrontCard *card);

/* The backend has given it up: remove what is left */
void xen_toolstack_destroy_end(XenFrontCard *card);

#endif /* TESTS_FRONTEND_XEN_TOOLSTACK_H */
