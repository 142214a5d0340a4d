/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's "block/aio.h": bottom halves, and a turn of the loop
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef BLOCK_AIO_H
#define BLOCK_AIO_H

#include <stdbool.h>

typedef struct AioContext AioContext;
typedef void QEMUBHFunc(void *opaque);

/* From any thread: have the main loop call @cb, once */
void aio_bh_schedule_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque);

/* The same of one that can be scheduled again, and is called once for that */
typedef struct QEMUBH QEMUBH;

QEMUBH *qemu_bh_new(QEMUBHFunc *cb, void *opaque);
void qemu_bh_schedule(QEMUBH *bh);
void qemu_bh_delete(QEMUBH *bh);

/* In the main loop: call what is due; returns whether there was anything */
bool aio_poll(AioContext *ctx, bool blocking);

#endif /* BLOCK_AIO_H */
