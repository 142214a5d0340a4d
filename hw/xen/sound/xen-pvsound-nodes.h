/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a PV sound card that an option made.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVSOUND_NODES_H
#define HW_XEN_XEN_PVSOUND_NODES_H

#include "hw/xen/xen-pv-backend.h"
#include "xen-pvsound-config.h"

/**
 * xen_pvsound_config_write: write the nodes of a card made by an option
 * @config: the card
 * @backend: the card's device
 * @frontend: the frontend's directory
 * @caps: what every stream may be opened with
 * @errp: where to say what went wrong
 *
 * Returns: whether all were written.
 */
bool xen_pvsound_config_write(const XenPvSoundConfig *config,
                              XenPvBackend *backend, const char *frontend,
                              const XenSndifCaps *caps, Error **errp);

#endif /* HW_XEN_XEN_PVSOUND_NODES_H */
