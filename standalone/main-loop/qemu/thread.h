/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's "qemu/thread.h".  These are the C library's, which
 * ThreadSanitizer knows; GLib's locks it cannot see.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef QEMU_THREAD_H
#define QEMU_THREAD_H

#include <pthread.h>

#define QEMU_THREAD_JOINABLE 0

typedef struct QemuThread {
    pthread_t thread;
} QemuThread;

typedef struct QemuMutex {
    pthread_mutex_t lock;
} QemuMutex;

typedef struct QemuCond {
    pthread_cond_t cond;
} QemuCond;

void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start)(void *), void *arg, int mode);
void *qemu_thread_join(QemuThread *thread);

void qemu_mutex_init(QemuMutex *mutex);
void qemu_mutex_destroy(QemuMutex *mutex);
void qemu_mutex_lock(QemuMutex *mutex);
void qemu_mutex_unlock(QemuMutex *mutex);

void qemu_cond_init(QemuCond *cond);
void qemu_cond_destroy(QemuCond *cond);
void qemu_cond_signal(QemuCond *cond);
void qemu_cond_wait(QemuCond *cond, QemuMutex *mutex);

#endif /* QEMU_THREAD_H */
