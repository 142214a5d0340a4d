/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a fake Xen outlives a QEMU that is killed: the xenstore, and the
 * guest's ends of its event channels.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_TESTBED_STATE_H
#define HW_XEN_TESTBED_TESTBED_STATE_H

#include "hw/i386/kvm/xenstore_impl.h"
#include "hw/xen/xen-testbed.h"

/**
 * testbed_state_save: keep it, so that it is there whenever QEMU is killed
 * @path: file
 * @store: the xenstore
 * @ports: for each port whether the guest has allocated it, 0 or 1
 * @errp: why it cannot be kept
 *
 * Returns: whether it was kept.  If not, what was there before still is.
 */
bool testbed_state_save(const char *path, XenstoreImplState *store,
                        const uint8_t ports[XEN_TESTBED_PORTS],
                        Error **errp);

/**
 * testbed_state_load: go on where a QEMU was killed
 * @path: file
 * @store: where to put the xenstore; untouched if there is no file
 * @domid: the guest
 * @ports: where to put what is known of the ports
 * @errp: why what is there cannot be used
 *
 * Returns: 1, 0 if there is no file, or -1.
 */
int testbed_state_load(const char *path, XenstoreImplState *store,
                       unsigned int domid, uint8_t ports[XEN_TESTBED_PORTS],
                       Error **errp);

#endif /* HW_XEN_TESTBED_TESTBED_STATE_H */
