/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's main loop: bottom halves that any thread may schedule
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qemu/main-loop.h"
#include "qemu/thread.h"

typedef struct BottomHalf BottomHalf;
struct BottomHalf {
    QEMUBHFunc *cb;
    void *opaque;
    BottomHalf *next;
};

struct AioContext {
    pthread_t thread;
    pthread_mutex_t lock;
    BottomHalf *first;
};

static AioContext context = { .lock = PTHREAD_MUTEX_INITIALIZER };

Error *error_abort;

int qemu_init_main_loop(Error **errp)
{
    context.thread = pthread_self();
    return 0;
}

bool qemu_in_main_thread(void)
{
    return pthread_equal(pthread_self(), context.thread);
}

AioContext *qemu_get_aio_context(void)
{
    return &context;
}

void aio_bh_schedule_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
    BottomHalf *bh = g_new0(BottomHalf, 1);

    bh->cb = cb;
    bh->opaque = opaque;
    pthread_mutex_lock(&ctx->lock);
    bh->next = ctx->first;
    ctx->first = bh;
    pthread_mutex_unlock(&ctx->lock);
}

struct QEMUBH {
    QEMUBHFunc *cb;
    void *opaque;
    bool scheduled;
    bool deleted;
};

QEMUBH *qemu_bh_new(QEMUBHFunc *cb, void *opaque)
{
    QEMUBH *bh = g_new0(QEMUBH, 1);

    bh->cb = cb;
    bh->opaque = opaque;
    return bh;
}

static void call_bh(void *opaque)
{
    QEMUBH *bh = opaque;

    bh->scheduled = false;
    if (bh->deleted) {
        g_free(bh);
    } else {
        bh->cb(bh->opaque);
    }
}

/* In the main loop only, as are these */
void qemu_bh_schedule(QEMUBH *bh)
{
    if (!bh->scheduled) {
        bh->scheduled = true;
        aio_bh_schedule_oneshot(&context, call_bh, bh);
    }
}

void qemu_bh_delete(QEMUBH *bh)
{
    bh->deleted = true;
    if (!bh->scheduled) {
        g_free(bh);
    }
}

bool aio_poll(AioContext *ctx, bool blocking)
{
    BottomHalf *bh;

    assert(!blocking && qemu_in_main_thread());
    pthread_mutex_lock(&ctx->lock);
    bh = ctx->first;
    if (bh) {
        ctx->first = bh->next;
    }
    pthread_mutex_unlock(&ctx->lock);
    if (!bh) {
        return false;
    }
    bh->cb(bh->opaque);
    g_free(bh);
    return true;
}

void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start)(void *), void *arg, int mode)
{
    int ret = pthread_create(&thread->thread, NULL, start, arg);

    g_assert(ret == 0);
}

void *qemu_thread_join(QemuThread *thread)
{
    void *result;
    int ret = pthread_join(thread->thread, &result);

    g_assert(ret == 0);
    return result;
}

void qemu_mutex_init(QemuMutex *mutex)
{
    pthread_mutex_init(&mutex->lock, NULL);
}

void qemu_mutex_destroy(QemuMutex *mutex)
{
    pthread_mutex_destroy(&mutex->lock);
}

void qemu_mutex_lock(QemuMutex *mutex)
{
    pthread_mutex_lock(&mutex->lock);
}

void qemu_mutex_unlock(QemuMutex *mutex)
{
    pthread_mutex_unlock(&mutex->lock);
}

void qemu_cond_init(QemuCond *cond)
{
    pthread_cond_init(&cond->cond, NULL);
}

void qemu_cond_destroy(QemuCond *cond)
{
    pthread_cond_destroy(&cond->cond);
}

void qemu_cond_signal(QemuCond *cond)
{
    pthread_cond_signal(&cond->cond);
}

void qemu_cond_wait(QemuCond *cond, QemuMutex *mutex)
{
    pthread_cond_wait(&cond->cond, &mutex->lock);
}
