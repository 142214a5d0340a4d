/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's "qapi/error.h": nothing here fails
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef QAPI_ERROR_H
#define QAPI_ERROR_H

typedef struct Error Error;

extern Error *error_abort;

#endif /* QAPI_ERROR_H */
