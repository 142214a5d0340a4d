/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The xenstore of -device xen-testbed
 *
 * It is the one that QEMU has for KVM's emulated Xen.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "hw/xen/xen.h"
#include "hw/xen/xen_backend_ops.h"

#include "testbed-faults.h"
#include "testbed-store.h"

/* A path that somebody watches: see watch_point_get() */
typedef struct WatchPoint {
    char *path;
    GList *watches;             /* struct qemu_xs_watch */
    bool guest;                 /* the guest watches it, too */
    bool changed;               /* a line about it waits to be sent */
} WatchPoint;

typedef struct TestbedStore {
    void (*wake)(void);
    void (*written)(void);
    uint16_t domid;
    XenstoreImplState *impl;
    GHashTable *watch_points;
} TestbedStore;

/* The operations have no argument that leads here */
static TestbedStore store;

struct qemu_xs_watch {
    struct qemu_xs_handle *handle;
    WatchPoint *point;
    xs_watch_fn fn;
    void *opaque;
    size_t prefix;              /* of paths: what was watched is relative */
};

typedef struct WatchEvent {
    struct qemu_xs_watch *watch;
    char *path;
} WatchEvent;

struct qemu_xs_handle {
    unsigned int refs;          /* one is its owner's, one its bottom half's */
    QEMUBH *bh;
    GQueue events;
};

static char *store_absolute(unsigned int domid, const char *path)
{
    return path[0] == '/' ? g_strdup(path)
                          : g_strdup_printf("/local/domain/%u/%s", domid,
                                            path);
}

static void watch_event_free(WatchEvent *event)
{
    g_free(event->path);
    g_free(event);
}

/* Watches are told from a bottom half, never from inside an operation */
static void watch_queue(struct qemu_xs_watch *watch, const char *path)
{
    WatchEvent *event = g_new0(WatchEvent, 1);

    event->watch = watch;
    event->path = g_strdup(strlen(path) >= watch->prefix ? path + watch->prefix
                                                         : path);
    g_queue_push_tail(&watch->handle->events, event);
    qemu_bh_schedule(watch->handle->bh);
}

static void watch_point_fired(void *opaque, const char *path,
                              const char *token)
{
    WatchPoint *point = opaque;
    GList *l;

    for (l = point->watches; l; l = l->next) {
        watch_queue(l->data, path);
    }
    if (point->guest) {
        point->changed = true;
        store.wake();
    }
}

/*
 * The store gets one watch for each path, whoever watches it and however
 * often: it cannot take away the second of two watches of a path again.
 */
static WatchPoint *watch_point_get(const char *path)
{
    WatchPoint *point = g_hash_table_lookup(store.watch_points, path);
    int err;

    if (point) {
        return point;
    }
    point = g_new0(WatchPoint, 1);
    point->path = g_strdup(path);
    err = xs_impl_watch(store.impl, XEN_TESTBED_BACKEND, path, NULL,
                        watch_point_fired, point);
    if (err) {
        g_free(point->path);
        g_free(point);
        errno = err;
        return NULL;
    }
    g_hash_table_insert(store.watch_points, point->path, point);
    return point;
}

static void watch_point_put(WatchPoint *point)
{
    if (point->watches || point->guest) {
        return;
    }
    xs_impl_unwatch(store.impl, XEN_TESTBED_BACKEND, point->path, NULL,
                    watch_point_fired, point);
    g_hash_table_remove(store.watch_points, point->path);
    g_free(point->path);
    g_free(point);
}

static void testbed_xs_unref(struct qemu_xs_handle *h)
{
    if (--h->refs == 0) {
        qemu_bh_delete(h->bh);
        g_free(h);
    }
}

static void testbed_xs_bh(void *opaque)
{
    struct qemu_xs_handle *h = opaque;
    WatchEvent *event;

    /* What is called may take any watch away, and even close the handle */
    h->refs++;
    while ((event = g_queue_pop_head(&h->events))) {
        event->watch->fn(event->watch->opaque, event->path);
        watch_event_free(event);
    }
    testbed_xs_unref(h);
}

static struct qemu_xs_handle *testbed_xs_open(void)
{
    struct qemu_xs_handle *h;

    if (testbed_fault_errno(TESTBED_OPEN) < 0) {
        return NULL;
    }
    h = g_new0(struct qemu_xs_handle, 1);
    h->refs = 1;
    h->bh = qemu_bh_new(testbed_xs_bh, h);
    g_queue_init(&h->events);
    return h;
}

static void testbed_xs_unwatch(struct qemu_xs_handle *h,
                               struct qemu_xs_watch *watch)
{
    GList *l, *next;

    for (l = h->events.head; l; l = next) {
        WatchEvent *event = l->data;

        next = l->next;
        if (event->watch == watch) {
            watch_event_free(event);
            g_queue_delete_link(&h->events, l);
        }
    }
    watch->point->watches = g_list_remove(watch->point->watches, watch);
    watch_point_put(watch->point);
    g_free(watch);
}

static void testbed_xs_close(struct qemu_xs_handle *h)
{
    GHashTableIter iter;
    gpointer value;
    GList *all = NULL;
    GList *l, *w;

    g_hash_table_iter_init(&iter, store.watch_points);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        for (w = ((WatchPoint *)value)->watches; w; w = w->next) {
            if (((struct qemu_xs_watch *)w->data)->handle == h) {
                all = g_list_prepend(all, w->data);
            }
        }
    }
    for (l = all; l; l = l->next) {
        testbed_xs_unwatch(h, l->data);
    }
    g_list_free(all);
    testbed_xs_unref(h);
}

static char *testbed_xs_get_domain_path(struct qemu_xs_handle *h,
                                        unsigned int domid)
{
    return g_strdup_printf("/local/domain/%u", domid);
}

/* As libxenstore: one block of memory, which free() takes */
static char **testbed_xs_directory(struct qemu_xs_handle *h,
                                   xs_transaction_t t, const char *path,
                                   unsigned int *num)
{
    GList *items = NULL;
    GList *l;
    size_t size;
    unsigned int i = 0;
    char **names;
    char *at;
    int err = testbed_fault(TESTBED_STORE);

    if (!err) {
        err = -xs_impl_directory(store.impl, XEN_TESTBED_BACKEND, t, path,
                                 NULL, &items);
    }
    if (err) {
        errno = -err;
        return NULL;
    }

    size = (g_list_length(items) + 1) * sizeof(names[0]);
    for (l = items; l; l = l->next) {
        size += strlen(l->data) + 1;
    }
    names = g_malloc0(size);
    at = (char *)(names + g_list_length(items) + 1);
    for (l = items; l; l = l->next) {
        names[i++] = at;
        at = g_stpcpy(at, l->data) + 1;
    }
    *num = i;
    g_list_free_full(items, g_free);
    return names;
}

static void *testbed_xs_read(struct qemu_xs_handle *h, xs_transaction_t t,
                             const char *path, unsigned int *len)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    int err = testbed_fault(TESTBED_STORE);

    if (!err) {
        err = -xs_impl_read(store.impl, XEN_TESTBED_BACKEND, t, path,
                            data);
    }
    if (err) {
        errno = -err;
        return NULL;
    }
    if (len) {
        *len = data->len;
    }
    g_byte_array_append(data, (const guint8 *)"", 1);
    return g_memdup2(data->data, data->len);
}

static bool testbed_xs_write(struct qemu_xs_handle *h, xs_transaction_t t,
                             const char *path, const void *data,
                             unsigned int len)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int err = testbed_fault(TESTBED_STORE);

    g_byte_array_append(bytes, data, len);
    if (!err) {
        err = -xs_impl_write(store.impl, XEN_TESTBED_BACKEND, t, path,
                             bytes);
    }
    if (err) {
        errno = -err;
        return false;
    }
    store.written();
    return true;
}

/* Make a node that is @owner's and that @domid has @perms to */
static int store_create(xs_transaction_t t, unsigned int owner,
                        unsigned int domid, unsigned int perms,
                        const char *path)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    GList *list = NULL;
    int err;

    err = -xs_impl_read(store.impl, XEN_TESTBED_BACKEND, t, path, data);
    if (err == -ENOENT) {
        err = -xs_impl_write(store.impl, XEN_TESTBED_BACKEND, t, path, data);
    }
    if (err) {
        return err;
    }
    list = g_list_append(list, xs_perm_as_string(XS_PERM_NONE, owner));
    list = g_list_append(list, xs_perm_as_string(perms, domid));
    err = -xs_impl_set_perms(store.impl, XEN_TESTBED_BACKEND, t, path, list);
    g_list_free_full(list, g_free);
    return err;
}

static bool testbed_xs_create(struct qemu_xs_handle *h, xs_transaction_t t,
                              unsigned int owner, unsigned int domid,
                              unsigned int perms, const char *path)
{
    int err = testbed_fault(TESTBED_STORE);

    if (!err) {
        err = store_create(t, owner, domid, perms, path);
    }
    if (err) {
        errno = -err;
        return false;
    }
    store.written();
    return true;
}

static bool testbed_xs_destroy(struct qemu_xs_handle *h, xs_transaction_t t,
                               const char *path)
{
    int err = xs_impl_rm(store.impl, XEN_TESTBED_BACKEND, t, path);

    if (err) {
        errno = err;
        return false;
    }
    store.written();
    return true;
}

static struct qemu_xs_watch *testbed_xs_watch(struct qemu_xs_handle *h,
                                              const char *path, xs_watch_fn fn,
                                              void *opaque)
{
    g_autofree char *absolute = store_absolute(XEN_TESTBED_BACKEND, path);
    struct qemu_xs_watch *watch;
    WatchPoint *point;
    int err = testbed_fault(TESTBED_STORE);

    if (err) {
        errno = -err;
        return NULL;
    }
    point = watch_point_get(absolute);
    if (!point) {
        return NULL;
    }
    watch = g_new0(struct qemu_xs_watch, 1);
    watch->handle = h;
    watch->point = point;
    watch->fn = fn;
    watch->opaque = opaque;
    watch->prefix = strlen(absolute) - strlen(path);
    point->watches = g_list_append(point->watches, watch);
    watch_queue(watch, absolute);
    return watch;
}

static xs_transaction_t testbed_xs_transaction_start(struct qemu_xs_handle *h)
{
    xs_transaction_t t = XBT_NULL;
    int err = testbed_fault(TESTBED_STORE);

    if (!err) {
        err = -xs_impl_transaction_start(store.impl, XEN_TESTBED_BACKEND,
                                         &t);
    }
    if (err) {
        errno = -err;
        return XBT_NULL;
    }
    return t;
}

static bool testbed_xs_transaction_end(struct qemu_xs_handle *h,
                                       xs_transaction_t t, bool abort)
{
    int fault = testbed_fault(TESTBED_STORE);
    int err = xs_impl_transaction_end(store.impl, XEN_TESTBED_BACKEND, t,
                                      !abort && !fault);

    if (fault || err) {
        errno = fault ? -fault : err;
        return false;
    }
    store.written();
    return true;
}

static struct xenstore_backend_ops testbed_xenstore_ops = {
    .open = testbed_xs_open,
    .close = testbed_xs_close,
    .get_domain_path = testbed_xs_get_domain_path,
    .directory = testbed_xs_directory,
    .read = testbed_xs_read,
    .write = testbed_xs_write,
    .create = testbed_xs_create,
    .destroy = testbed_xs_destroy,
    .watch = testbed_xs_watch,
    .unwatch = testbed_xs_unwatch,
    .transaction_start = testbed_xs_transaction_start,
    .transaction_end = testbed_xs_transaction_end,
};

/* What the toolstack makes for a new domain */
void testbed_store_populate(void)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", store.domid);
    g_autofree char *domid = g_strdup_printf("%u", store.domid);
    g_autofree char *node = g_strdup_printf("%s/domid", dir);
    g_autofree char *device = g_strdup_printf("%s/device", dir);
    g_autofree char *data = g_strdup_printf("%s/data", dir);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int err;

    g_byte_array_append(bytes, (const guint8 *)domid, strlen(domid));
    err = store_create(XBT_NULL, 0, store.domid, XS_PERM_READ, dir);
    g_assert(!err);
    err = xs_impl_write(store.impl, XEN_TESTBED_BACKEND, XBT_NULL, node, bytes);
    g_assert(!err);
    err = store_create(XBT_NULL, store.domid, 0, XS_PERM_READ, device);
    g_assert(!err);
    err = store_create(XBT_NULL, store.domid, 0, XS_PERM_READ, data);
    g_assert(!err);
}

int testbed_store_create(unsigned int owner, unsigned int reader,
                         const char *path)
{
    return store_create(XBT_NULL, owner, reader, XS_PERM_READ, path);
}

int testbed_store_remove_guest(void)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", store.domid);

    return -xs_impl_rm(store.impl, XEN_TESTBED_BACKEND, XBT_NULL, dir);
}

/* The guest's watches */

int testbed_store_watch(const char *path)
{
    g_autofree char *absolute = store_absolute(store.domid, path);
    WatchPoint *point = watch_point_get(absolute);

    if (!point) {
        return -errno;
    }
    point->changed = point->guest = true;
    return 0;
}

static void guest_unwatch(WatchPoint *point)
{
    point->changed = point->guest = false;
    watch_point_put(point);
}

int testbed_store_unwatch(const char *path)
{
    g_autofree char *absolute = store_absolute(store.domid, path);
    WatchPoint *point = g_hash_table_lookup(store.watch_points, absolute);

    if (!point || !point->guest) {
        return -ENOENT;
    }
    guest_unwatch(point);
    return 0;
}

void testbed_store_unwatch_all(void)
{
    g_autoptr(GList) points = g_hash_table_get_values(store.watch_points);
    GList *l;

    for (l = points; l; l = l->next) {
        guest_unwatch(l->data);
    }
}

void testbed_store_take_changes(TestbedChanged *changed, void *opaque)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, store.watch_points);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        WatchPoint *point = value;

        if (point->changed) {
            point->changed = false;
            changed(opaque, point->path);
        }
    }
}

XenstoreImplState *testbed_store_impl(void)
{
    return store.impl;
}

void testbed_store_init(uint16_t domid, void (*wake)(void),
                        void (*written)(void))
{
    store.domid = domid;
    store.wake = wake;
    store.written = written;
    store.watch_points = g_hash_table_new(g_str_hash, g_str_equal);
    store.impl = xs_impl_create(domid);
    xen_xenstore_ops = &testbed_xenstore_ops;
}
