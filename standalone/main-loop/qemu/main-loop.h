/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's "qemu/main-loop.h"
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

#include "block/aio.h"
#include "qapi/error.h"

/* The calling thread is the main loop's from now on */
int qemu_init_main_loop(Error **errp);

bool qemu_in_main_thread(void);
AioContext *qemu_get_aio_context(void);

#endif /* QEMU_MAIN_LOOP_H */
