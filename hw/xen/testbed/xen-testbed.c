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
#include "hw/xen/xen-pv-share.h"
#include "hw/xen/xen-testbed.h"
#include "hw/i386/kvm/xenstore_impl.h"

#include "../xen-pv-compat.h"
#include "grant-refs.h"
#include "grant-table.h"

#define TYPE_XEN_TESTBED "xen-testbed"
OBJECT_DECLARE_SIMPLE_TYPE(XenTestbed, XEN_TESTBED)

/* As many as Xen's default */
#define MAX_MAPPINGS        (1024 * 256)

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

typedef struct Fault {
    uint32_t countdown;
    int error;
} Fault;

struct XenTestbed {
    DeviceState parent_obj;

    HostMemoryBackend *memdev;
    CharBackend chr;
    uint16_t domid;
    uint32_t grant_frames;
    bool single_map;

    /* memory and grants */
    int fd;
    off_t fd_offset;
    uint8_t *memory;
    uint64_t nr_pages;
    XenMachine machine;         /* of the guest and the backend's domain */
    uint64_t handles;
    uint64_t map_calls;
    uint64_t map_failures;
    uint64_t unmap_calls;
    uint64_t bad_unmaps;
    uint64_t copies;
    uint64_t leaks;
    bool dead;

    /* pages that the backend shares: its domain's, at the end of memory */
    uint32_t dom0_pages;
    grant_entry_v1_t *dom0_entries;
    XenGrantRefs *dom0_refs;    /* one for each page */
    uint64_t share_calls;
    uint64_t share_failures;
    uint64_t share_leaks;

    /* event channels */
    GuestPort ports[XEN_TESTBED_PORTS];
    uint32_t bound_ports;
    uint32_t last_local_port;
    uint64_t notifies;

    /* xenstore */
    XenstoreImplState *store;
    GHashTable *watch_points;

    /* faults to inject */
    Fault fail_map;
    Fault fail_share;
    Fault fail_bind;
    Fault fail_store;

    /* lines */
    GString *input;
    bool skip_line;
    GString *output;
    guint output_watch;
};

/* The operations have no argument that leads to the device */
static XenTestbed *testbed;

/* Let the operation fail if it is its turn: a negative errno value, or 0 */
static int testbed_fault(Fault *fault)
{
    if (fault->countdown && --fault->countdown == 0) {
        return -fault->error;
    }
    return 0;
}

/* Grants */

/* @replaced: something else is at the address by now */
typedef struct Mapping {
    void *addr;
    bool replaced;
    uint32_t count;
    uint32_t *refs;
    uint32_t *handles;
} Mapping;

struct xengntdev_handle {
    GHashTable *mappings;       /* address -> Mapping */
};

static void unmap_handles(const Mapping *mapping)
{
    g_autofree struct gnttab_unmap_grant_ref *ops =
        g_new0(struct gnttab_unmap_grant_ref, mapping->count);
    uint32_t i, failed;

    for (i = 0; i < mapping->count; i++) {
        ops[i].host_addr = (uintptr_t)mapping->addr +
                           ((size_t)i << XEN_PAGE_SHIFT);
        ops[i].handle = mapping->handles[i];
    }
    failed = xen_grant_table_unmap(&testbed->machine, XEN_TESTBED_BACKEND,
                                   ops, mapping->count);
    g_assert(!failed);
}

static void mapping_free(void *opaque)
{
    Mapping *mapping = opaque;

    if (!mapping->replaced) {
        munmap(mapping->addr, (size_t)mapping->count << XEN_PAGE_SHIFT);
    }
    unmap_handles(mapping);
    g_free(mapping->refs);
    g_free(mapping->handles);
    g_free(mapping);
}

static xengnttab_handle *testbed_gnttab_open(void)
{
    xengnttab_handle *xgt = g_new0(xengnttab_handle, 1);

    xgt->mappings = g_hash_table_new_full(NULL, NULL, NULL, mapping_free);
    testbed->handles++;
    return xgt;
}

static int testbed_gnttab_close(xengnttab_handle *xgt)
{
    testbed->leaks += g_hash_table_size(xgt->mappings);
    testbed->handles--;
    g_hash_table_destroy(xgt->mappings);
    g_free(xgt);
    return 0;
}

static int testbed_gnttab_set_max_grants(xengnttab_handle *xgt,
                                         uint32_t nr_grants)
{
    return 0;
}

/* Put pages of the domain's memory at an address: a run of frames each */
static bool map_frames(void *addr, const uint32_t *frames, uint32_t count,
                       int prot)
{
    uint32_t i, run;

    for (i = 0; i < count; i += run) {
        void *at = addr + ((size_t)i << XEN_PAGE_SHIFT);

        run = 1;
        while (i + run < count && frames[i + run] == frames[i] + run) {
            run++;
        }
        if (mmap(at, (size_t)run << XEN_PAGE_SHIFT, prot,
                 MAP_SHARED | MAP_FIXED, testbed->fd,
                 testbed->fd_offset +
                 ((off_t)frames[i] << XEN_PAGE_SHIFT)) == MAP_FAILED) {
            return false;
        }
    }
    return true;
}

/* Map all of them, or none; the frames are at the start of @frames */
static int map_handles(uint32_t domid, uint32_t count, const uint32_t *refs,
                       int prot, uint8_t *addr, uint32_t *handles,
                       uint32_t *frames)
{
    g_autofree struct gnttab_map_grant_ref *ops =
        g_new0(struct gnttab_map_grant_ref, count);
    Mapping mapped = { .addr = addr, .handles = handles };
    uint32_t i, failed;

    for (i = 0; i < count; i++) {
        ops[i].host_addr = (uintptr_t)addr + ((size_t)i << XEN_PAGE_SHIFT);
        ops[i].flags = GNTMAP_host_map |
                       (prot & PROT_WRITE ? 0 : GNTMAP_readonly);
        ops[i].ref = refs[i];
        ops[i].dom = domid;
    }
    failed = xen_grant_table_map(&testbed->machine, XEN_TESTBED_BACKEND, ops,
                                 count);
    for (i = 0; i < count; i++) {
        if (ops[i].status == GNTST_okay) {
            frames[mapped.count] = ops[i].dev_bus_addr >> XEN_PAGE_SHIFT;
            handles[mapped.count++] = ops[i].handle;
        }
    }
    if (failed) {
        unmap_handles(&mapped);
        /* Whatever it was: all that Linux tells its user is EINVAL */
        return -EINVAL;
    }
    return 0;
}

static int do_map_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
                       const uint32_t *refs, int prot, void **addr)
{
    size_t size = (size_t)count << XEN_PAGE_SHIFT;
    g_autofree uint32_t *handles = NULL;
    g_autofree uint32_t *frames = NULL;
    Mapping *mapping;
    void *at;
    int err;

    err = testbed_fault(&testbed->fail_map);
    if (err) {
        return err;
    }
    if (testbed->dead || domid != testbed->domid) {
        return -ESRCH;
    }
    if (!count || count > MAX_MAPPINGS ||
        (testbed->single_map && count != 1) ||
        !(prot & PROT_READ) || (prot & ~(PROT_READ | PROT_WRITE))) {
        return -EINVAL;
    }

    at = mmap(NULL, size, PROT_NONE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    frames = g_new(uint32_t, count);
    handles = g_new(uint32_t, count);
    err = map_handles(domid, count, refs, prot, at, handles, frames);
    if (err) {
        munmap(at, size);
        return err;
    }

    mapping = g_new0(Mapping, 1);
    mapping->addr = at;
    mapping->count = count;
    mapping->refs = g_memdup2(refs, count * sizeof(refs[0]));
    mapping->handles = g_steal_pointer(&handles);
    if (!map_frames(at, frames, count, prot)) {
        err = -errno;
        mapping_free(mapping);
        return err;
    }
    g_hash_table_insert(xgt->mappings, at, mapping);
    *addr = at;
    return 0;
}

static void *testbed_gnttab_map_refs(xengnttab_handle *xgt, uint32_t count,
                                     uint32_t domid, uint32_t *refs, int prot)
{
    void *addr = NULL;
    int err;

    testbed->map_calls++;
    err = do_map_refs(xgt, count, domid, refs, prot, &addr);
    if (err) {
        testbed->map_failures++;
        errno = -err;
    }
    return addr;
}

static int testbed_gnttab_unmap(xengnttab_handle *xgt, void *start_address,
                                uint32_t *refs, uint32_t count)
{
    Mapping *mapping = g_hash_table_lookup(xgt->mappings, start_address);

    testbed->unmap_calls++;

    /* Xen looks at the address and the count, KVM's emulation at the refs */
    if (!mapping || count != mapping->count ||
        memcmp(refs, mapping->refs, count * sizeof(refs[0]))) {
        testbed->bad_unmaps++;
        errno = EINVAL;
        return -1;
    }
    g_hash_table_remove(xgt->mappings, start_address);
    return 0;
}

static int copy_segment(bool to_domain, XenGrantCopySegment *seg)
{
    uint32_t ref = to_domain ? seg->dest.foreign.ref : seg->source.foreign.ref;
    off_t offset = to_domain ? seg->dest.foreign.offset :
                               seg->source.foreign.offset;
    uint32_t frame;
    uint8_t *page;
    int ret;

    ret = testbed_fault(&testbed->fail_map);
    if (ret) {
        return ret;
    }
    if (offset < 0 || offset > XEN_PAGE_SIZE ||
        seg->len > XEN_PAGE_SIZE - offset) {
        return -EINVAL;
    }
    ret = xen_grant_status_errno(
        xen_grant_table_pin(&testbed->machine, XEN_TESTBED_BACKEND,
                            testbed->domid, ref, to_domain, &frame));
    if (ret < 0) {
        return ret;
    }
    page = testbed->memory + ((size_t)frame << XEN_PAGE_SHIFT);
    if (to_domain) {
        memcpy(page + offset, seg->source.virt, seg->len);
    } else {
        memcpy(seg->dest.virt, page + offset, seg->len);
    }
    xen_grant_table_unpin(&testbed->machine, testbed->domid, ref, to_domain);
    testbed->copies++;
    return 0;
}

static int testbed_gnttab_copy(xengnttab_handle *xgt, bool to_domain,
                               uint32_t domid, XenGrantCopySegment *segs,
                               uint32_t nr_segs, Error **errp)
{
    uint32_t i;
    int ret;

    if (testbed->dead || domid != testbed->domid) {
        error_setg_errno(errp, ESRCH, "grant copy failed");
        return -ESRCH;
    }
    for (i = 0; i < nr_segs; i++) {
        ret = copy_segment(to_domain, &segs[i]);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "grant copy failed");
            return ret;
        }
    }
    return 0;
}

static struct gnttab_backend_ops testbed_gnttab_ops = {
    .open = testbed_gnttab_open,
    .close = testbed_gnttab_close,
    .grant_copy = testbed_gnttab_copy,
    .set_max_grants = testbed_gnttab_set_max_grants,
    .map_refs = testbed_gnttab_map_refs,
    .unmap = testbed_gnttab_unmap,
};

/* Shared pages: a grant table in the other direction */

/* The first references are reserved, as in a real domain */
#define DOM0_FIRST_REF      GNTTAB_NR_RESERVED_ENTRIES

/* Where the guest maps: page tables are its own business, any will do */
#define GUEST_ADDRESS       XEN_PAGE_SIZE

static uint32_t dom0_frame(uint32_t ref)
{
    return testbed->nr_pages - testbed->dom0_pages + ref - DOM0_FIRST_REF;
}

static void *testbed_share_open(void)
{
    /* Pages that are shared by this handle: address -> references */
    return g_hash_table_new_full(NULL, NULL, NULL, g_free);
}

static void testbed_share_close(void *handle)
{
    testbed->share_leaks += g_hash_table_size(handle);
    g_hash_table_destroy(handle);
}

static int do_share(GHashTable *handle, uint32_t domid, uint32_t count,
                    uint32_t *refs, void **addr)
{
    size_t size = (size_t)count << XEN_PAGE_SHIFT;
    g_autofree uint32_t *frames = NULL;
    uint32_t i;
    int err;

    err = testbed_fault(&testbed->fail_share);
    if (err) {
        return err;
    }
    if (testbed->dead || domid != testbed->domid) {
        return -ESRCH;
    }
    /* As in Linux: what the guest has let go of is found at this occasion */
    xen_grant_refs_collect(testbed->dom0_refs, testbed->dom0_entries);
    if (!count || count > xen_grant_refs_count_free(testbed->dom0_refs)) {
        return -ENOSPC;
    }
    *addr = mmap(NULL, size, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*addr == MAP_FAILED) {
        return -errno;
    }
    frames = g_new(uint32_t, count);
    for (i = 0; i < count; i++) {
        refs[i] = xen_grant_refs_take(testbed->dom0_refs);
        frames[i] = dom0_frame(refs[i]);
    }
    if (!map_frames(*addr, frames, count, PROT_READ | PROT_WRITE)) {
        err = -errno;
        for (i = 0; i < count; i++) {
            xen_grant_refs_put(testbed->dom0_refs, refs[i]);
        }
        munmap(*addr, size);
        return err;
    }
    memset(*addr, 0, size);
    for (i = 0; i < count; i++) {
        xen_grant_access(&testbed->dom0_entries[refs[i]], domid, frames[i],
                         false);
    }
    g_hash_table_insert(handle, *addr,
                        g_memdup2(refs, count * sizeof(refs[0])));
    return 0;
}

static void *testbed_share(void *handle, uint32_t domid, uint32_t count,
                           uint32_t *refs)
{
    void *addr = NULL;
    int err = do_share(handle, domid, count, refs, &addr);

    testbed->share_calls++;
    if (err) {
        testbed->share_failures++;
        errno = -err;
        return NULL;
    }
    return addr;
}

static void forget_share(GHashTable *handle, void *addr, uint32_t count)
{
    uint32_t *refs = g_hash_table_lookup(handle, addr);
    uint32_t i;

    g_assert(refs);
    for (i = 0; i < count; i++) {
        xen_grant_refs_end(testbed->dom0_refs, testbed->dom0_entries, refs[i]);
    }
    g_hash_table_remove(handle, addr);
}

static void testbed_unshare(void *handle, void *addr, uint32_t count)
{
    munmap(addr, (size_t)count << XEN_PAGE_SHIFT);
    forget_share(handle, addr, count);
}

static int move_over(void *copy, void *addr, uint32_t count)
{
    size_t size = (size_t)count << XEN_PAGE_SHIFT;

    return mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                  addr) == MAP_FAILED ? -1 : 0;
}

static int testbed_replace_share(void *handle, void *addr, uint32_t count,
                                 void *copy)
{
    if (move_over(copy, addr, count) < 0) {
        return -1;
    }
    forget_share(handle, addr, count);
    return 0;
}

static int testbed_replace_map(xengnttab_handle *xgt, void *addr,
                               uint32_t *refs, uint32_t count, void *copy)
{
    Mapping *mapping = g_hash_table_lookup(xgt->mappings, addr);

    if (!mapping || count != mapping->count) {
        errno = EINVAL;
        return -1;
    }
    if (move_over(copy, addr, count) < 0) {
        return -1;
    }
    mapping->replaced = true;
    return testbed_gnttab_unmap(xgt, addr, refs, count);
}

static char *testbed_share_advice(int err, uint32_t count)
{
    return err == ENOSPC ?
        g_strdup_printf("the testbed has dom0-pages=%" PRIu32 ", %" PRIu32
                        " more are needed", testbed->dom0_pages, count)
        : NULL;
}

static const XenPvShareOps testbed_share_ops = {
    .open = testbed_share_open,
    .close = testbed_share_close,
    .share = testbed_share,
    .unshare = testbed_unshare,
    .advice = testbed_share_advice,
    .replace_share = testbed_replace_share,
    .replace_map = testbed_replace_map,
};

/* The guest maps a page: Xen checks, the guest finds it by its number */
static int testbed_guest_map(XenTestbed *s, uint32_t ref, GString *answer)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = GUEST_ADDRESS,
        .flags = GNTMAP_host_map,
        .ref = ref,
        .dom = XEN_TESTBED_BACKEND,
    };

    if (s->dead) {
        return -ESRCH;
    }
    xen_grant_table_map(&s->machine, s->domid, &op, 1);
    if (op.status == GNTST_okay) {
        g_string_append_printf(answer, "%" PRIu64 " %" PRIu32,
                               op.dev_bus_addr >> XEN_PAGE_SHIFT, op.handle);
    }
    return xen_grant_status_errno(op.status);
}

static int testbed_guest_unmap(XenTestbed *s, uint32_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = GUEST_ADDRESS,
        .handle = handle,
    };

    xen_grant_table_unmap(&s->machine, s->domid, &op, 1);
    return xen_grant_status_errno(op.status);
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
    xenevtchn_handle *xc = g_new0(xenevtchn_handle, 1);
    int ret = event_notifier_init(&xc->notifier, false);

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
    int err = testbed_fault(&testbed->fail_bind);

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
    if (!xc->local_port || port != xc->local_port) {
        errno = EINVAL;
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
    struct qemu_xs_handle *h = g_new0(struct qemu_xs_handle, 1);

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
    int err = testbed_fault(&testbed->fail_store);

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
    int err = testbed_fault(&testbed->fail_store);

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
    int err = testbed_fault(&testbed->fail_store);

    g_byte_array_append(bytes, data, len);
    if (!err) {
        err = -xs_impl_write(testbed->store, XEN_TESTBED_BACKEND, t, path,
                             bytes);
    }
    if (err) {
        errno = -err;
        return false;
    }
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
    int err = testbed_fault(&testbed->fail_store);

    if (!err) {
        err = store_create(testbed, t, owner, domid, perms, path);
    }
    if (err) {
        errno = -err;
        return false;
    }
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
    return true;
}

static struct qemu_xs_watch *testbed_xs_watch(struct qemu_xs_handle *h,
                                              const char *path, xs_watch_fn fn,
                                              void *opaque)
{
    g_autofree char *absolute = store_absolute(XEN_TESTBED_BACKEND, path);
    struct qemu_xs_watch *watch;
    WatchPoint *point;
    int err = testbed_fault(&testbed->fail_store);

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
    int err = testbed_fault(&testbed->fail_store);

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
    int err = xs_impl_transaction_end(testbed->store, XEN_TESTBED_BACKEND, t,
                                      !abort);

    if (err) {
        errno = err;
        return false;
    }
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

    if (!s->dead) {
        s->dead = true;
        xen_grant_table_kill(&s->machine, s->domid);
    }
    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        testbed_close_port(s, i);
    }
    return -xs_impl_rm(s->store, XEN_TESTBED_BACKEND, XBT_NULL, dir);
}

/* Lines */

static char *stats_string(XenTestbed *s)
{
    GString *str = g_string_new(NULL);
    XenGrantTableStats grants = { 0 };
    XenGrantTableStats dom0_grants = { 0 };
    uint64_t shared = 0, lingering = 0;
    uint64_t share_calls, share_failures, share_leaks, guest_mapped;
    uint64_t mapped, peak, refs, handles, map_calls, map_failures;
    uint64_t unmap_calls, bad_unmaps, copies, leaks, ports, notifies;

    if (s->machine.state) {
        xen_grant_table_stats(&s->machine, s->domid, &grants);
        xen_grant_table_stats(&s->machine, XEN_TESTBED_BACKEND, &dom0_grants);
        xen_grant_refs_collect(s->dom0_refs, s->dom0_entries);
        lingering = xen_grant_refs_count_deferred(s->dom0_refs);
        shared = s->dom0_pages - lingering -
                 xen_grant_refs_count_free(s->dom0_refs);
    }
    guest_mapped = dom0_grants.mapped;
    share_calls = s->share_calls;
    share_failures = s->share_failures;
    share_leaks = s->share_leaks;
    mapped = grants.mapped;
    peak = grants.peak;
    refs = grants.refs;
    handles = s->handles;
    map_calls = s->map_calls;
    map_failures = s->map_failures;
    unmap_calls = s->unmap_calls;
    bad_unmaps = s->bad_unmaps;
    copies = s->copies;
    leaks = s->leaks;
    ports = s->bound_ports;
    notifies = s->notifies;

#define ADD(field, name) \
    g_string_append_printf(str, " " name "=%" PRIu64, field);
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

static int run_fail(XenTestbed *s, char **words, GString *answer)
{
    Fault *fault;
    uint32_t n;
    uint32_t error = EIO;

    if (!words[0] || parse_number(words[1], &n) ||
        (words[2] && (parse_number(words[2], &error) ||
                      error == 0 || error > 4095))) {
        return -EINVAL;
    }
    if (!strcmp(words[0], "map")) {
        fault = &s->fail_map;
    } else if (!strcmp(words[0], "share")) {
        fault = &s->fail_share;
    } else if (!strcmp(words[0], "bind")) {
        fault = &s->fail_bind;
    } else if (!strcmp(words[0], "store")) {
        fault = &s->fail_store;
    } else {
        return -EINVAL;
    }
    g_string_append_printf(answer, "%u", fault->countdown);
    fault->countdown = n;
    fault->error = error;
    return 0;
}

static int run_request(XenTestbed *s, char **words, GString *answer)
{
    const char *verb = words[0];
    uint32_t port, n;
    int ret;

    if (!strcmp(verb, "info")) {
        g_string_append_printf(answer, "domid=%u grant-frames=%u pages=%"
                               PRIu64 " dom0-pages=%u", s->domid,
                               s->grant_frames, s->nr_pages, s->dom0_pages);
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
        return parse_number(words[1], &n) ?: testbed_guest_map(s, n, answer);
    }
    if (!strcmp(verb, "unmap")) {
        return parse_number(words[1], &n) ?: testbed_guest_unmap(s, n);
    }
    if (!strcmp(verb, "stats")) {
        g_autofree char *stats = stats_string(s);

        g_string_append(answer, stats);
        return 0;
    }
    if (!strcmp(verb, "reset-peak")) {
        xen_grant_table_reset_peak(&s->machine, s->domid);
        return 0;
    }
    if (!strcmp(verb, "fail")) {
        return run_fail(s, words + 1, answer);
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

/* Two domains: each has its pages, and tells by its table who may map them */
static bool testbed_make_machine(XenTestbed *s, Error **errp)
{
    const uint32_t guest_entries =
        s->grant_frames * XEN_TESTBED_GRANTS_PER_PAGE;
    const uint32_t dom0_entries = DOM0_FIRST_REF + s->dom0_pages;
    const uint32_t guest_first = XEN_TESTBED_GRANT_TABLE + s->grant_frames;
    const XenMachineConfig config = {
        .nr_frames = s->nr_pages,
        .nr_domains = 2,
        .nr_entries = MAX(guest_entries, dom0_entries),
        .nr_handles = MAX_MAPPINGS,
    };
    const size_t size = xen_machine_size(&config);
    int ret;

    if (!size || s->grant_frames > UINT32_MAX / XEN_TESTBED_GRANTS_PER_PAGE) {
        error_setg(errp, "the memory or the grant table is too large");
        return false;
    }
    xen_machine_init(&s->machine, g_malloc0(size), &config, s->memory);
    ret = xen_machine_add_domain(&s->machine, s->domid, guest_entries,
                                 XEN_TESTBED_GRANT_TABLE);
    g_assert(!ret);
    ret = xen_machine_give(&s->machine, s->domid, guest_first,
                           s->nr_pages - s->dom0_pages - guest_first);
    g_assert(!ret);

    s->dom0_refs = g_malloc(xen_grant_refs_size(dom0_entries));
    xen_grant_refs_init(s->dom0_refs, dom0_entries, DOM0_FIRST_REF);
    s->dom0_entries = g_new0(grant_entry_v1_t, dom0_entries);
    ret = xen_machine_add_domain(&s->machine, XEN_TESTBED_BACKEND,
                                 dom0_entries, 0);
    g_assert(!ret);
    xen_machine_set_table(&s->machine, XEN_TESTBED_BACKEND, s->dom0_entries);
    ret = xen_machine_give(&s->machine, XEN_TESTBED_BACKEND,
                           s->nr_pages - s->dom0_pages, s->dom0_pages);
    g_assert(!ret);
    return true;
}

static bool testbed_use_memory(XenTestbed *s, Error **errp)
{
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
    s->fd = memory_region_get_fd(mr);
    if (s->fd < 0 || !qemu_ram_is_shared(mr->ram_block)) {
        error_setg(errp, "the guest's memory must be a file that is shared: "
                   "memory-backend-file with share=on");
        return false;
    }
    if (s->grant_frames == 0 || size >> XEN_PAGE_SHIFT > UINT32_MAX ||
        (uint64_t)XEN_TESTBED_GRANT_TABLE + s->grant_frames +
        s->dom0_pages >= size >> XEN_PAGE_SHIFT) {
        error_setg(errp, "the memory has no room for %" PRIu32
                   " grant frames and %" PRIu32 " pages of dom0",
                   s->grant_frames, s->dom0_pages);
        return false;
    }

    s->memory = memory_region_get_ram_ptr(mr);
    s->nr_pages = size >> XEN_PAGE_SHIFT;
    host_memory_backend_set_mapped(s->memdev, true);
    return true;
}

static void testbed_realize(DeviceState *dev, Error **errp)
{
    XenTestbed *s = XEN_TESTBED(dev);

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
    if (!testbed_use_memory(s, errp) || !testbed_make_machine(s, errp)) {
        return;
    }

    s->input = g_string_new(NULL);
    s->output = g_string_new(NULL);
    s->watch_points = g_hash_table_new(g_str_hash, g_str_equal);
    s->store = xs_impl_create(s->domid);
    testbed_populate_store(s);

    testbed = s;
    xen_domid = s->domid;
    xen_mode = XEN_EMULATE;
    testbed_gnttab_ops.features = s->single_map ?
        0 : XEN_GNTTAB_OP_FEATURE_MAP_MULTIPLE;
    xen_evtchn_ops = &testbed_evtchn_ops;
    xen_gnttab_ops = &testbed_gnttab_ops;
    xen_xenstore_ops = &testbed_xenstore_ops;
    xen_pv_share_ops = &testbed_share_ops;
    xen_bus_init();

    qemu_chr_fe_set_handlers(&s->chr, testbed_can_read, testbed_read,
                             testbed_chr_event, NULL, s, NULL, true);
}

static const Property testbed_properties[] = {
    DEFINE_PROP_LINK("memdev", XenTestbed, memdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_CHR("chardev", XenTestbed, chr),
    DEFINE_PROP_UINT16("domid", XenTestbed, domid, XEN_TESTBED_GUEST),
    DEFINE_PROP_UINT32("grant-frames", XenTestbed, grant_frames,
                       XEN_TESTBED_GRANT_FRAMES),
    DEFINE_PROP_UINT32("dom0-pages", XenTestbed, dom0_pages, 0),
    DEFINE_PROP_BOOL("single-map", XenTestbed, single_map, false),
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
