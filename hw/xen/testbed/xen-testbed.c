/*
 * A fake Xen: grants, event channels and xenstore, for tests and demos
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * The Xen bus and its backends reach Xen through three tables of operations.
 * This device fills them in, so that they serve a domain without a hypervisor
 * and without KVM: the domain's memory is a shared file, the domain itself a
 * process at the other end of a character device.  What the two say to each
 * other is in hw/xen/xen-testbed.h.
 *
 *   -object memory-backend-file,id=dom,size=64M,share=on,mem-path=FILE
 *   -chardev socket,id=guest,path=SOCKET,server=on,wait=off
 *   -device xen-testbed,memdev=dom,chardev=guest
 *   -device xen-pvdisplay,...
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/event_notifier.h"
#include "qemu/module.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "chardev/char-fe.h"
#include "exec/cpu-common.h"
#include "exec/memory.h"
#include "system/hostmem.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/xen/xen.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-bus.h"
#include "hw/xen/xen_backend_ops.h"
#include "hw/i386/kvm/xenstore_impl.h"

#include "../xen-pv-compat.h"
#include "testbed-faults.h"
#include "testbed-grants.h"
#include "testbed-state.h"

#define TYPE_XEN_TESTBED "xen-testbed"
OBJECT_DECLARE_SIMPLE_TYPE(XenTestbed, XEN_TESTBED)

/* Requests are not read while more than this waits to be sent */
#define MAX_OUTPUT          (64 * KiB)

#define MAX_WORDS           8

/* One end of an event channel: a port of the guest */
typedef enum {
    PORT_FREE,
    PORT_UNBOUND,
    PORT_BOUND,
} PortState;

typedef struct GuestPort {
    PortState state;
    xenevtchn_handle *handle;
    bool event;                 /* a notification waits to be sent */
} GuestPort;

/* A path of xenstore that somebody watches: see testbed_watch() */
typedef struct WatchPoint {
    struct XenTestbed *testbed;
    char *path;
    GList *watches;             /* struct qemu_xs_watch */
    bool guest;                 /* the guest watches it, too */
    bool changed;               /* a line about it waits to be sent */
} WatchPoint;

struct XenTestbed {
    DeviceState parent_obj;

    HostMemoryBackend *memdev;
    CharBackend chr;
    uint16_t domid;

    /* the domain */
    TestbedGrantsConfig grants; /* hw/xen/testbed/testbed-grants.c has it */
    bool dead;

    /* event channels */
    GuestPort ports[XEN_TESTBED_PORTS];
    uint32_t bound_ports;
    uint32_t last_local_port;
    uint64_t notifies;

    /* xenstore */
    XenstoreImplState *store;
    GHashTable *watch_points;

    char *state;                /* file that outlives QEMU, or NULL */

    /* lines */
    GString *input;
    bool skip_line;
    GString *output;
    guint output_watch;
};

/* The operations have no argument that leads to the device */
static XenTestbed *testbed;

/* Something changed that a QEMU that is killed leaves behind */
static void testbed_keep(XenTestbed *s)
{
    uint8_t ports[XEN_TESTBED_PORTS];
    Error *err = NULL;
    uint32_t i;

    if (!s->state) {
        return;
    }
    for (i = 0; i < XEN_TESTBED_PORTS; i++) {
        ports[i] = s->ports[i].state != PORT_FREE;
    }
    if (!testbed_state_save(s->state, s->store, ports, &err)) {
        warn_report_err(err);
        g_clear_pointer(&s->state, g_free);
    }
}

/* The other ends of the channels went with the QEMU that was killed */
static int testbed_restore(XenTestbed *s, Error **errp)
{
    uint8_t ports[XEN_TESTBED_PORTS] = { 0 };
    int ret = testbed_state_load(s->state, s->store, s->domid, ports, errp);
    uint32_t i;

    for (i = 0; ret > 0 && i < XEN_TESTBED_PORTS; i++) {
        s->ports[i].state = ports[i] ? PORT_UNBOUND : PORT_FREE;
    }
    return ret;
}

/* Event channels */

struct xenevtchn_handle {
    EventNotifier notifier;
    uint32_t guest_port;        /* 0 when the guest's end is closed */
    evtchn_port_t local_port;   /* 0 when not bound */
    bool masked;                /* from pending() to unmask() */
    bool deferred;              /* a kick came while masked */
};

static xenevtchn_handle *testbed_evtchn_open(void)
{
    xenevtchn_handle *xc;
    int ret;

    if (testbed_fault_errno(TESTBED_OPEN) < 0) {
        return NULL;
    }
    xc = g_new0(xenevtchn_handle, 1);
    ret = event_notifier_init(&xc->notifier, false);
    if (ret < 0) {
        g_free(xc);
        errno = -ret;
        return NULL;
    }
    return xc;
}

static int do_bind(xenevtchn_handle *xc, uint32_t domid,
                   evtchn_port_t guest_port)
{
    int err = testbed_fault(TESTBED_BIND);

    if (err) {
        return err;
    }
    if (testbed->dead || domid != testbed->domid) {
        return -ESRCH;
    }
    /* One channel for each handle, as in KVM's emulation */
    if (xc->local_port || guest_port >= XEN_TESTBED_PORTS ||
        testbed->ports[guest_port].state != PORT_UNBOUND) {
        return -EINVAL;
    }
    testbed->ports[guest_port].state = PORT_BOUND;
    testbed->ports[guest_port].handle = xc;
    testbed->bound_ports++;
    xc->guest_port = guest_port;
    xc->local_port = ++testbed->last_local_port;
    if (xc->local_port == INT_MAX) {
        testbed->last_local_port = 0;
    }
    return 0;
}

static int testbed_evtchn_bind_interdomain(xenevtchn_handle *xc,
                                           uint32_t domid,
                                           evtchn_port_t guest_port)
{
    int err = do_bind(xc, domid, guest_port);

    if (err) {
        errno = -err;
        return -1;
    }
    return xc->local_port;
}

/* Cut a channel in two: the other end of a closed one becomes unbound */
static void evtchn_cut(xenevtchn_handle *xc, PortState state)
{
    GuestPort *port = &testbed->ports[xc->guest_port];

    if (xc->guest_port) {
        port->state = state;
        port->handle = NULL;
        testbed->bound_ports--;
        xc->guest_port = 0;
    }
}

static int testbed_evtchn_unbind(xenevtchn_handle *xc, evtchn_port_t port)
{
    if (!xc->local_port || port != xc->local_port) {
        errno = EINVAL;
        return -1;
    }
    if (testbed_fault_errno(TESTBED_UNBIND) < 0) {
        return -1;
    }
    evtchn_cut(xc, PORT_UNBOUND);
    xc->local_port = 0;
    xc->masked = xc->deferred = false;
    event_notifier_test_and_clear(&xc->notifier);
    return 0;
}

static int testbed_evtchn_close(xenevtchn_handle *xc)
{
    evtchn_cut(xc, PORT_UNBOUND);
    event_notifier_cleanup(&xc->notifier);
    g_free(xc);
    return 0;
}

static int testbed_evtchn_fd(xenevtchn_handle *xc)
{
    return event_notifier_get_fd(&xc->notifier);
}

static void testbed_flush(XenTestbed *s);

static int testbed_evtchn_notify(xenevtchn_handle *xc, evtchn_port_t port)
{
    int err = testbed_fault(TESTBED_NOTIFY);

    if (!err && (!xc->local_port || port != xc->local_port)) {
        err = -EINVAL;
    }
    if (err) {
        errno = -err;
        return -1;
    }
    testbed->notifies++;
    /* Xen drops what is sent to nobody, without an error */
    if (xc->guest_port) {
        testbed->ports[xc->guest_port].event = true;
        testbed_flush(testbed);
    }
    return 0;
}

static int testbed_evtchn_pending(xenevtchn_handle *xc)
{
    if (testbed_fault_errno(TESTBED_PENDING) < 0) {
        return -1;
    }
    if (!event_notifier_test_and_clear(&xc->notifier) || !xc->local_port) {
        errno = EAGAIN;
        return -1;
    }
    xc->masked = true;
    return xc->local_port;
}

static int testbed_evtchn_unmask(xenevtchn_handle *xc, evtchn_port_t port)
{
    if (!xc->local_port || port != xc->local_port) {
        errno = EINVAL;
        return -1;
    }
    xc->masked = false;
    if (xc->deferred) {
        xc->deferred = false;
        event_notifier_set(&xc->notifier);
    }
    return 0;
}

static struct evtchn_backend_ops testbed_evtchn_ops = {
    .open = testbed_evtchn_open,
    .bind_interdomain = testbed_evtchn_bind_interdomain,
    .unbind = testbed_evtchn_unbind,
    .close = testbed_evtchn_close,
    .get_fd = testbed_evtchn_fd,
    .notify = testbed_evtchn_notify,
    .unmask = testbed_evtchn_unmask,
    .pending = testbed_evtchn_pending,
};

static int testbed_alloc_port(XenTestbed *s)
{
    uint32_t i;

    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        if (s->ports[i].state == PORT_FREE) {
            s->ports[i].state = PORT_UNBOUND;
            s->ports[i].event = false;
            return i;
        }
    }
    return -ENOSPC;
}

static int testbed_close_port(XenTestbed *s, uint32_t port)
{
    if (port >= XEN_TESTBED_PORTS || s->ports[port].state == PORT_FREE) {
        return -EINVAL;
    }
    if (s->ports[port].handle) {
        evtchn_cut(s->ports[port].handle, PORT_FREE);
    }
    s->ports[port].state = PORT_FREE;
    s->ports[port].event = false;
    return 0;
}

static int testbed_kick(XenTestbed *s, uint32_t port)
{
    xenevtchn_handle *xc;

    if (port >= XEN_TESTBED_PORTS || s->ports[port].state == PORT_FREE) {
        return -EINVAL;
    }
    xc = s->ports[port].handle;
    if (xc && xc->masked) {
        xc->deferred = true;
    } else if (xc) {
        event_notifier_set(&xc->notifier);
    }
    return 0;
}

/* Xenstore */

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
        testbed_flush(point->testbed);
    }
}

/*
 * The store gets one watch for each path, whoever watches it and however
 * often: it cannot take away the second of two watches of a path again.
 */
static WatchPoint *watch_point_get(XenTestbed *s, const char *path)
{
    WatchPoint *point = g_hash_table_lookup(s->watch_points, path);
    int err;

    if (point) {
        return point;
    }
    point = g_new0(WatchPoint, 1);
    point->testbed = s;
    point->path = g_strdup(path);
    err = xs_impl_watch(s->store, XEN_TESTBED_BACKEND, path, NULL,
                        watch_point_fired, point);
    if (err) {
        g_free(point->path);
        g_free(point);
        errno = err;
        return NULL;
    }
    g_hash_table_insert(s->watch_points, point->path, point);
    return point;
}

static void watch_point_put(WatchPoint *point)
{
    XenTestbed *s = point->testbed;

    if (point->watches || point->guest) {
        return;
    }
    xs_impl_unwatch(s->store, XEN_TESTBED_BACKEND, point->path, NULL,
                    watch_point_fired, point);
    g_hash_table_remove(s->watch_points, point->path);
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

    g_hash_table_iter_init(&iter, testbed->watch_points);
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
        err = -xs_impl_directory(testbed->store, XEN_TESTBED_BACKEND, t, path,
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
        err = -xs_impl_read(testbed->store, XEN_TESTBED_BACKEND, t, path,
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
        err = -xs_impl_write(testbed->store, XEN_TESTBED_BACKEND, t, path,
                             bytes);
    }
    if (err) {
        errno = -err;
        return false;
    }
    testbed_keep(testbed);
    return true;
}

/* Make a node that is @owner's and that @domid has @perms to */
static int store_create(XenTestbed *s, xs_transaction_t t, unsigned int owner,
                        unsigned int domid, unsigned int perms,
                        const char *path)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    GList *list = NULL;
    int err;

    err = -xs_impl_read(s->store, XEN_TESTBED_BACKEND, t, path, data);
    if (err == -ENOENT) {
        err = -xs_impl_write(s->store, XEN_TESTBED_BACKEND, t, path, data);
    }
    if (err) {
        return err;
    }
    list = g_list_append(list, xs_perm_as_string(XS_PERM_NONE, owner));
    list = g_list_append(list, xs_perm_as_string(perms, domid));
    err = -xs_impl_set_perms(s->store, XEN_TESTBED_BACKEND, t, path, list);
    g_list_free_full(list, g_free);
    return err;
}

static bool testbed_xs_create(struct qemu_xs_handle *h, xs_transaction_t t,
                              unsigned int owner, unsigned int domid,
                              unsigned int perms, const char *path)
{
    int err = testbed_fault(TESTBED_STORE);

    if (!err) {
        err = store_create(testbed, t, owner, domid, perms, path);
    }
    if (err) {
        errno = -err;
        return false;
    }
    testbed_keep(testbed);
    return true;
}

static bool testbed_xs_destroy(struct qemu_xs_handle *h, xs_transaction_t t,
                               const char *path)
{
    int err = xs_impl_rm(testbed->store, XEN_TESTBED_BACKEND, t, path);

    if (err) {
        errno = err;
        return false;
    }
    testbed_keep(testbed);
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
    point = watch_point_get(testbed, absolute);
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
        err = -xs_impl_transaction_start(testbed->store, XEN_TESTBED_BACKEND,
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
    int err = xs_impl_transaction_end(testbed->store, XEN_TESTBED_BACKEND, t,
                                      !abort && !fault);

    if (fault || err) {
        errno = fault ? -fault : err;
        return false;
    }
    testbed_keep(testbed);
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
static void testbed_populate_store(XenTestbed *s)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", s->domid);
    g_autofree char *domid = g_strdup_printf("%u", s->domid);
    g_autofree char *node = g_strdup_printf("%s/domid", dir);
    g_autofree char *device = g_strdup_printf("%s/device", dir);
    g_autofree char *data = g_strdup_printf("%s/data", dir);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int err;

    g_byte_array_append(bytes, (const guint8 *)domid, strlen(domid));
    err = store_create(s, XBT_NULL, 0, s->domid, XS_PERM_READ, dir);
    g_assert(!err);
    err = xs_impl_write(s->store, XEN_TESTBED_BACKEND, XBT_NULL, node, bytes);
    g_assert(!err);
    err = store_create(s, XBT_NULL, s->domid, 0, XS_PERM_READ, device);
    g_assert(!err);
    err = store_create(s, XBT_NULL, s->domid, 0, XS_PERM_READ, data);
    g_assert(!err);
}

static int testbed_vanish(XenTestbed *s)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", s->domid);
    uint32_t i;

    s->dead = true;
    testbed_grants_kill();
    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        testbed_close_port(s, i);
    }
    return -xs_impl_rm(s->store, XEN_TESTBED_BACKEND, XBT_NULL, dir);
}

/* Lines */

static char *stats_string(XenTestbed *s)
{
    GString *str = g_string_new(NULL);
    TestbedStats stats;

    testbed_grants_stats(&stats);
    stats.ports = s->bound_ports;
    stats.notifies = s->notifies;

#define ADD(field, name) \
    g_string_append_printf(str, " " name "=%" PRIu64, stats.field);
    XEN_TESTBED_STATS(ADD)
#undef ADD
    g_string_erase(str, 0, 1);
    return g_string_free(str, false);
}

static void escape(GString *to, const uint8_t *data, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] > ' ' && data[i] < 0x7f && data[i] != '%') {
            g_string_append_c(to, data[i]);
        } else {
            g_string_append_printf(to, "%%%02X", data[i]);
        }
    }
}

/* Returns: the bytes, or NULL for what is no escaped value */
static GByteArray *unescape(const char *word)
{
    GByteArray *bytes = g_byte_array_new();

    while (*word) {
        uint8_t byte = *word++;

        if (byte == '%') {
            int high = g_ascii_xdigit_value(word[0]);
            int low = high < 0 ? -1 : g_ascii_xdigit_value(word[1]);

            if (low < 0) {
                g_byte_array_unref(bytes);
                return NULL;
            }
            byte = high << 4 | low;
            word += 2;
        }
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

static void testbed_add_events(XenTestbed *s)
{
    GHashTableIter iter;
    gpointer value;
    uint32_t i;

    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        if (s->ports[i].event) {
            s->ports[i].event = false;
            g_string_append_printf(s->output, "event %u\n", i);
        }
    }
    g_hash_table_iter_init(&iter, s->watch_points);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        WatchPoint *point = value;

        if (point->changed) {
            point->changed = false;
            g_string_append_printf(s->output, "changed %s\n", point->path);
        }
    }
}

static gboolean testbed_writable(void *do_not_use, GIOCondition condition,
                                 void *opaque)
{
    XenTestbed *s = opaque;

    s->output_watch = 0;
    testbed_flush(s);
    return G_SOURCE_REMOVE;
}

/* Send what waits; never wait for a peer that does not read */
static void testbed_flush(XenTestbed *s)
{
    if (s->output_watch || !qemu_chr_fe_backend_open(&s->chr)) {
        return;
    }
    do {
        int ret;

        if (!s->output->len) {
            testbed_add_events(s);
        }
        if (!s->output->len) {
            break;
        }
        ret = qemu_chr_fe_write(&s->chr, (uint8_t *)s->output->str,
                                s->output->len);
        if (ret > 0) {
            g_string_erase(s->output, 0, ret);
        } else {
            s->output_watch = qemu_chr_fe_add_watch(&s->chr,
                                                    G_IO_OUT | G_IO_HUP,
                                                    testbed_writable, s);
            return;
        }
    } while (true);
    qemu_chr_fe_accept_input(&s->chr);
}

static int parse_number(const char *word, uint32_t *value)
{
    unsigned int parsed;

    if (!word || !g_ascii_isdigit(word[0]) ||
        qemu_strtoui(word, NULL, 10, &parsed) < 0) {
        return -EINVAL;
    }
    *value = parsed;
    return 0;
}

static int run_store(XenTestbed *s, unsigned int domid, char **words,
                     GString *answer)
{
    const char *verb = words[0];
    const char *path = words[1];
    GList *items = NULL;
    GList *l;
    int err;

    if (!path || !path[0]) {
        return -EINVAL;
    }
    if (!strcmp(verb, "write")) {
        g_autoptr(GByteArray) bytes = unescape(words[2] ?: "");

        return bytes ? -xs_impl_write(s->store, domid, XBT_NULL, path, bytes)
                     : -EINVAL;
    }
    if (!strcmp(verb, "read")) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        err = -xs_impl_read(s->store, domid, XBT_NULL, path, bytes);
        if (!err) {
            escape(answer, bytes->data, bytes->len);
        }
        return err;
    }
    if (!strcmp(verb, "rm")) {
        return -xs_impl_rm(s->store, domid, XBT_NULL, path);
    }
    if (!strcmp(verb, "list")) {
        err = -xs_impl_directory(s->store, domid, XBT_NULL, path, NULL,
                                 &items);
        for (l = items; l && !err; l = l->next) {
            g_string_append_printf(answer, l == items ? "%s" : " %s",
                                   (char *)l->data);
        }
        g_list_free_full(items, g_free);
        return err;
    }
    return -ENOSYS;
}

static int run_dom0(XenTestbed *s, char **words, GString *answer)
{
    uint32_t owner, reader;

    if (!words[0]) {
        return -EINVAL;
    }
    if (!strcmp(words[0], "create")) {
        if (!words[1] || parse_number(words[2], &owner) ||
            parse_number(words[3], &reader)) {
            return -EINVAL;
        }
        return store_create(s, XBT_NULL, owner, reader, XS_PERM_READ,
                            words[1]);
    }
    return run_store(s, XEN_TESTBED_BACKEND, words, answer);
}

static int run_watch(XenTestbed *s, const char *path, bool on)
{
    g_autofree char *absolute = NULL;
    WatchPoint *point;

    if (!path || !path[0]) {
        return -EINVAL;
    }
    absolute = store_absolute(s->domid, path);
    if (on) {
        point = watch_point_get(s, absolute);
        if (!point) {
            return -errno;
        }
        point->changed = point->guest = true;
        return 0;
    }
    point = g_hash_table_lookup(s->watch_points, absolute);
    if (!point || !point->guest) {
        return -ENOENT;
    }
    point->changed = point->guest = false;
    watch_point_put(point);
    return 0;
}

static int run_fail(char **words, GString *answer)
{
    uint32_t error = EIO;
    int64_t left;
    uint32_t n;

    if (!words[0] || parse_number(words[1], &n) ||
        (words[2] && (parse_number(words[2], &error) ||
                      error == 0 || error > 4095))) {
        return -EINVAL;
    }
    left = testbed_fault_set(words[0], n, error);
    if (left < 0) {
        return left;
    }
    g_string_append_printf(answer, "%" PRId64, left);
    return 0;
}

static int run_map(uint32_t ref, GString *answer)
{
    uint32_t frame, handle;
    int err = testbed_grants_guest_map(ref, &frame, &handle);

    if (!err) {
        g_string_append_printf(answer, "%" PRIu32 " %" PRIu32, frame, handle);
    }
    return err;
}

static int run_request(XenTestbed *s, char **words, GString *answer)
{
    const char *verb = words[0];
    uint32_t port, n;
    int ret;

    if (!strcmp(verb, "info")) {
        g_string_append_printf(answer, "domid=%u grant-frames=%u pages=%"
                               PRIu32 " dom0-pages=%u", s->domid,
                               s->grants.grant_frames, s->grants.nr_pages,
                               s->grants.dom0_pages);
        return 0;
    }
    if (!strcmp(verb, "dom0")) {
        return run_dom0(s, words + 1, answer);
    }
    if (!strcmp(verb, "watch") || !strcmp(verb, "unwatch")) {
        return run_watch(s, words[1], verb[0] == 'w');
    }
    if (!strcmp(verb, "alloc-port")) {
        ret = s->dead ? -ESRCH : testbed_alloc_port(s);
        if (ret < 0) {
            return ret;
        }
        g_string_append_printf(answer, "%d", ret);
        return 0;
    }
    if (!strcmp(verb, "kick")) {
        return parse_number(words[1], &port) ?: testbed_kick(s, port);
    }
    if (!strcmp(verb, "close-port")) {
        return parse_number(words[1], &port) ?: testbed_close_port(s, port);
    }
    if (!strcmp(verb, "map")) {
        return parse_number(words[1], &n) ?: run_map(n, answer);
    }
    if (!strcmp(verb, "unmap")) {
        return parse_number(words[1], &n) ?: testbed_grants_guest_unmap(n);
    }
    if (!strcmp(verb, "stats")) {
        g_autofree char *stats = stats_string(s);

        g_string_append(answer, stats);
        return 0;
    }
    if (!strcmp(verb, "reset-peak")) {
        testbed_grants_reset_peak();
        return 0;
    }
    if (!strcmp(verb, "fail")) {
        return run_fail(words + 1, answer);
    }
    if (!strcmp(verb, "vanish")) {
        return testbed_vanish(s);
    }
    return run_store(s, s->domid, words, answer);
}

static void testbed_line(XenTestbed *s, const char *line, size_t len)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    g_auto(GStrv) words = NULL;
    uint32_t seq = 0;
    int err = -EINVAL;
    size_t i;

    for (i = 0; i < len; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            goto out;
        }
    }
    words = g_strsplit(line, " ", MAX_WORDS);
    if (!words[0] || parse_number(words[0], &seq) || !words[1]) {
        goto out;
    }
    err = run_request(s, words + 1, answer);
    testbed_keep(s);

out:
    if (err) {
        g_string_append_printf(s->output, "%u ERR %d\n", seq, -err);
    } else {
        g_string_append_printf(s->output, "%u OK%s%s\n", seq,
                               answer->len ? " " : "", answer->str);
    }
}

static int testbed_can_read(void *opaque)
{
    XenTestbed *s = opaque;

    return s->output->len > MAX_OUTPUT ? 0 : 4096;
}

static void testbed_read(void *opaque, const uint8_t *buf, int size)
{
    XenTestbed *s = opaque;
    const uint8_t *end;

    while (size > 0) {
        size_t len;

        end = memchr(buf, '\n', size);
        len = end ? end - buf : size;
        if (!s->skip_line) {
            g_string_append_len(s->input, (const char *)buf, len);
            if (s->input->len > XEN_TESTBED_LINE_MAX) {
                g_string_truncate(s->input, 0);
                g_string_append_printf(s->output, "0 ERR %d\n", E2BIG);
                s->skip_line = true;
            }
        }
        if (!end) {
            break;
        }
        if (!s->skip_line) {
            testbed_line(s, s->input->str, s->input->len);
        }
        g_string_truncate(s->input, 0);
        s->skip_line = false;
        buf = end + 1;
        size -= len + 1;
    }
    testbed_flush(s);
}

static void testbed_chr_event(void *opaque, QEMUChrEvent event)
{
    XenTestbed *s = opaque;
    g_autofree gpointer *points = NULL;
    guint i, n;

    if (event != CHR_EVENT_OPENED && event != CHR_EVENT_CLOSED) {
        return;
    }
    g_string_truncate(s->input, 0);
    g_string_truncate(s->output, 0);
    s->skip_line = false;
    g_clear_handle_id(&s->output_watch, g_source_remove);

    points = g_hash_table_get_keys_as_array(s->watch_points, &n);
    for (i = 0; i < n; i++) {
        WatchPoint *point = g_hash_table_lookup(s->watch_points, points[i]);

        point->guest = point->changed = false;
        watch_point_put(point);
    }
}

/* The device */

static char *testbed_get_stats(Object *obj, Error **errp)
{
    return stats_string(XEN_TESTBED(obj));
}

static bool testbed_use_memory(XenTestbed *s, Error **errp)
{
    TestbedGrantsConfig *g = &s->grants;
    MemoryRegion *mr;
    uint64_t size;

    if (!s->memdev) {
        error_setg(errp, "'memdev' property must be set");
        return false;
    }
    if (host_memory_backend_is_mapped(s->memdev)) {
        error_setg(errp, "memory backend '%s' is in use already",
                   object_get_canonical_path_component(OBJECT(s->memdev)));
        return false;
    }
    mr = host_memory_backend_get_memory(s->memdev);
    size = memory_region_size(mr);
    g->fd = memory_region_get_fd(mr);
    if (g->fd < 0 || !qemu_ram_is_shared(mr->ram_block)) {
        error_setg(errp, "the guest's memory must be a file that is shared: "
                   "memory-backend-file with share=on");
        return false;
    }
    if (g->grant_frames == 0 || size >> XEN_PAGE_SHIFT > UINT32_MAX ||
        (uint64_t)XEN_TESTBED_GRANT_TABLE + g->grant_frames +
        g->dom0_pages >= size >> XEN_PAGE_SHIFT) {
        error_setg(errp, "the memory has no room for %" PRIu32
                   " grant frames and %" PRIu32 " pages of dom0",
                   g->grant_frames, g->dom0_pages);
        return false;
    }

    g->memory = memory_region_get_ram_ptr(mr);
    g->nr_pages = size >> XEN_PAGE_SHIFT;
    host_memory_backend_set_mapped(s->memdev, true);
    return true;
}

static void testbed_realize(DeviceState *dev, Error **errp)
{
    XenTestbed *s = XEN_TESTBED(dev);
    int restored;

    if (xen_xenstore_ops || xen_mode != XEN_DISABLED) {
        error_setg(errp, "there is a Xen already: a testbed must be the only "
                   "one");
        return;
    }
    if (qemu_real_host_page_size() != XEN_PAGE_SIZE) {
        error_setg(errp, "the host's pages must be of %lu bytes",
                   XEN_PAGE_SIZE);
        return;
    }
    if (s->domid == XEN_TESTBED_BACKEND || s->domid >= DOMID_FIRST_RESERVED) {
        error_setg(errp, "invalid domid %u", s->domid);
        return;
    }
    if (!qemu_chr_fe_backend_connected(&s->chr)) {
        error_setg(errp, "'chardev' property must be set");
        return;
    }
    if (!testbed_use_memory(s, errp)) {
        return;
    }
    s->grants.domid = s->domid;
    if (!testbed_grants_init(&s->grants, errp)) {
        return;
    }

    s->input = g_string_new(NULL);
    s->output = g_string_new(NULL);
    s->watch_points = g_hash_table_new(g_str_hash, g_str_equal);
    s->store = xs_impl_create(s->domid);
    restored = s->state ? testbed_restore(s, errp) : 0;
    if (restored < 0) {
        return;
    }
    if (!restored) {
        testbed_populate_store(s);
    }

    testbed = s;
    xen_domid = s->domid;
    xen_mode = XEN_EMULATE;
    xen_evtchn_ops = &testbed_evtchn_ops;
    xen_xenstore_ops = &testbed_xenstore_ops;
    xen_bus_init();

    qemu_chr_fe_set_handlers(&s->chr, testbed_can_read, testbed_read,
                             testbed_chr_event, NULL, s, NULL, true);
}

static const Property testbed_properties[] = {
    DEFINE_PROP_LINK("memdev", XenTestbed, memdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_CHR("chardev", XenTestbed, chr),
    DEFINE_PROP_UINT16("domid", XenTestbed, domid, XEN_TESTBED_GUEST),
    DEFINE_PROP_UINT32("grant-frames", XenTestbed, grants.grant_frames,
                       XEN_TESTBED_GRANT_FRAMES),
    DEFINE_PROP_UINT32("dom0-pages", XenTestbed, grants.dom0_pages, 0),
    DEFINE_PROP_BOOL("single-map", XenTestbed, grants.single_map, false),
    DEFINE_PROP_UINT32("limit", XenTestbed, grants.limit,
                       XEN_TESTBED_LIMIT),
    DEFINE_PROP_UINT32("maptrack", XenTestbed, grants.maptrack,
                       XEN_TESTBED_MAPTRACK),
    DEFINE_PROP_STRING("state", XenTestbed, state),
};

static void testbed_class_init(ObjectClass *klass, XEN_PV_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->desc = "Fake Xen for tests of PV backends";
    dc->realize = testbed_realize;
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, testbed_properties);
    object_class_property_add_str(klass, "stats", testbed_get_stats, NULL);
}

static const TypeInfo testbed_info = {
    .name = TYPE_XEN_TESTBED,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(XenTestbed),
    .class_init = testbed_class_init,
};

static void testbed_register_types(void)
{
    type_register_static(&testbed_info);
}

type_init(testbed_register_types)
