/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a toolstack does for a PV card
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "xen-guest-testbed.h"
#include "xen-toolstack.h"

static void create(XenFrontCard *card, const char *dir, uint32_t owner,
                   uint32_t reader)
{
    g_assert_cmpint(xen_guest_call(card->guest, NULL, "dom0 create %s %u %u",
                                   dir, owner, reader), ==, 0);
}

static void write_node(XenFrontCard *card, const char *dir, const char *key,
                       const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, key);

    g_assert_cmpint(xen_guest_dom0_write(card->guest, path, "%s", value), ==,
                    0);
}

void xen_toolstack_begin(XenFrontCard *card)
{
    create(card, card->frontend_path, XEN_TESTBED_GUEST, XEN_TESTBED_BACKEND);
    xen_toolstack_write(card, "backend", card->backend_path);
    xen_toolstack_write(card, "backend-id", "0");
    xen_toolstack_write(card, "state", "1");
}

void xen_toolstack_write(XenFrontCard *card, const char *key,
                         const char *value)
{
    write_node(card, card->frontend_path, key, value);
}

void xen_toolstack_end(XenFrontCard *card)
{
    create(card, card->backend_path, XEN_TESTBED_BACKEND, XEN_TESTBED_GUEST);
    write_node(card, card->backend_path, "frontend", card->frontend_path);
    write_node(card, card->backend_path, "frontend-id", "1");
    write_node(card, card->backend_path, "online", "1");
    write_node(card, card->backend_path, "state", "1");
}

void xen_toolstack_detach(XenFrontCard *card)
{
    write_node(card, card->backend_path, "online", "0");
    write_node(card, card->backend_path, "state", "5");
}

static void remove_node(XenFrontCard *card, const char *path)
{
    g_assert_cmpint(xen_guest_call(card->guest, NULL, "dom0 rm %s", path), ==,
                    0);
}

void xen_toolstack_destroy_begin(XenFrontCard *card)
{
    remove_node(card, card->frontend_path);
    /* libxl's are one transaction; without one, "online" has to be the last */
    write_node(card, card->backend_path, "state", "5");
    write_node(card, card->backend_path, "online", "0");
}

void xen_toolstack_destroy_end(XenFrontCard *card)
{
    remove_node(card, card->backend_path);
}
