/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend nodes of a domain, for xen-pv-backendd
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef BACKENDD_STORE_H
#define BACKENDD_STORE_H

#include "backendd-config.h"

typedef struct BackenddStore BackenddStore;

/**
 * BackenddDevice: a device of a guest that has its backend in this domain
 * @kind: "vdispl" or "vsnd"
 * @name: the last part of its path, a number
 * @online: whether the toolstack wants it
 * @state: of the backend, as XenbusState numbers it; 0 if there is none
 */
typedef struct BackenddDevice {
    const char *kind;
    char *name;
    bool online;
    unsigned int state;
} BackenddDevice;

/* XenbusState, as far as the service looks at it */
enum {
    BACKENDD_INITIALISING = 1,
    BACKENDD_INIT_WAIT = 2,
    BACKENDD_CONNECTED = 4,
    BACKENDD_CLOSED = 6,
};

/**
 * backendd_store_open: connect to xenstore and watch the backend nodes
 * @changed: called from the main loop after nodes have changed, and once at
 *           the beginning
 * @lost: called when xenstore is gone
 */
BackenddStore *backendd_store_open(void (*changed)(void *opaque),
                                   void (*lost)(void *opaque), void *opaque,
                                   GError **errp);

void backendd_store_close(BackenddStore *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackenddStore, backendd_store_close)

/**
 * backendd_store_domid: the domain that the service runs in
 */
unsigned int backendd_store_domid(const BackenddStore *store);

/**
 * backendd_store_read: all devices
 *
 * Returns: a GPtrArray of BackenddDevice for each guest, by its number.  Free
 * with g_hash_table_unref().
 */
GHashTable *backendd_store_read(BackenddStore *store);

/**
 * backendd_store_name: the name of a guest, if this domain may read it
 */
char *backendd_store_name(BackenddStore *store, unsigned int domid);

/**
 * backendd_store_has_model: whether the toolstack runs a device model, which
 * serves the guest's devices in this domain
 */
bool backendd_store_has_model(BackenddStore *store, unsigned int domid);

/**
 * backendd_store_refuse: say why a device is not served, and close it
 *
 * If the toolstack still waits for the device, it is removed: that is what a
 * toolstack takes for an answer.
 */
void backendd_store_refuse(BackenddStore *store, unsigned int domid,
                           const BackenddDevice *device, const char *why);

/**
 * backendd_store_remove: remove a device that the toolstack does not want any
 * more
 */
void backendd_store_remove(BackenddStore *store, unsigned int domid,
                           const BackenddDevice *device);

/**
 * backendd_store_offer: offer a guest's keyboards to a QEMU that is started
 *
 * It takes none that another QEMU has left in use.
 */
void backendd_store_offer(BackenddStore *store, unsigned int domid);

/**
 * backendd_store_sweep: remove keyboards and framebuffers that the toolstack
 * does not want any more
 * @runs: whether a guest has a QEMU, which is to close them first
 *
 * A toolstack waits until they are gone.  In the control domain it removes them
 * itself, and this does nothing.
 */
void backendd_store_sweep(BackenddStore *store,
                          bool (*runs)(void *opaque, unsigned int domid),
                          void *opaque);

/**
 * backendd_store_clean: remove what the process of a guest has left, which has
 * no devices any more
 */
void backendd_store_clean(BackenddStore *store, unsigned int domid);

#endif /* BACKENDD_STORE_H */
