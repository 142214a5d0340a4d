/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grants of -device xen-testbed
 *
 * What QEMU asks for by its operations is done as libxengnttab does it on
 * Linux: MAP_GRANT_REF and mmap(); munmap() and UNMAP_GRANT_REF; ALLOC_GREF,
 * mmap() and DEALLOC_GREF.  So slots, limits and errors are the models'.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "hw/xen/xen_backend_ops.h"
#include "hw/xen/xen-pv-share.h"

#include "gntalloc.h"
#include "gntdev.h"
#include "grant-table.h"
#include "testbed-faults.h"
#include "testbed-grants.h"

/* The first references are reserved, as in a real domain */
#define DOM0_FIRST_REF      GNTTAB_NR_RESERVED_ENTRIES

/* Where the guest maps: page tables are its own business, any will do */
#define GUEST_ADDRESS       XEN_PAGE_SIZE

/* More than any Xen has, and slots of gntdev can still be counted */
#define MAX_MAPTRACK        (1u << 24)

/* The models ask whose a mapping is: there is nobody but QEMU */
#define OWNER               0

/*
 * @machine: of the guest and the backend's domain
 * @dom0_entries: grant table of the backend's domain
 * @host: the backend's domain, as its devices want it
 * @gntalloc: its device; its files are numbers
 * @files: of these, a bit for each that is open
 */
typedef struct TestbedGrants {
    TestbedGrantsConfig config;
    XenMachine machine;
    grant_entry_v1_t *dom0_entries;
    XenGntHost host;
    XenGntdevConfig gntdev;
    XenGntalloc *gntalloc;
    uint64_t files;
    bool dead;
    TestbedStats stats;
} TestbedGrants;

/* The operations have no argument that leads here */
static TestbedGrants *grants;

/* Memory */

static size_t bytes(uint32_t count)
{
    return (size_t)count << XEN_PAGE_SHIFT;
}

/* Put pages of the memory somewhere: a run of frames each */
static int map_frames(const uint32_t *frames, uint32_t count, int prot,
                      void **addr)
{
    uint32_t i, run;
    int err;

    *addr = mmap(NULL, bytes(count), PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*addr == MAP_FAILED) {
        return -errno;
    }
    for (i = 0; i < count; i += run) {
        run = 1;
        while (i + run < count && frames[i + run] == frames[i] + run) {
            run++;
        }
        if (mmap(*addr + bytes(i), bytes(run), prot, MAP_SHARED | MAP_FIXED,
                 grants->config.fd,
                 (off_t)frames[i] << XEN_PAGE_SHIFT) == MAP_FAILED) {
            err = -errno;
            munmap(*addr, bytes(count));
            return err;
        }
    }
    return 0;
}

/* Move anonymous memory over a mapping */
static int move_over(void *copy, void *addr, uint32_t count)
{
    return mremap(copy, bytes(count), bytes(count),
                  MREMAP_MAYMOVE | MREMAP_FIXED, addr) == MAP_FAILED ? -1 : 0;
}

/* Mapping what the guest grants: gntdev */

/* @index: the offset that was given to mmap() */
typedef struct Mapping {
    uint64_t index;
    uint32_t count;
    uint32_t *refs;
} Mapping;

struct xengntdev_handle {
    XenGntdevFile *file;
    GHashTable *mappings;       /* address -> Mapping */
};

static void mapping_free(void *opaque)
{
    Mapping *mapping = opaque;

    g_free(mapping->refs);
    g_free(mapping);
}

static xengnttab_handle *gnttab_open(void)
{
    xengnttab_handle *xgt;

    if (testbed_fault_errno(TESTBED_OPEN) < 0) {
        return NULL;
    }
    xgt = g_new0(xengnttab_handle, 1);
    xgt->file = g_malloc0(xen_gntdev_file_size(&grants->gntdev));
    xen_gntdev_open(xgt->file, &grants->gntdev);
    xgt->mappings = g_hash_table_new_full(NULL, NULL, NULL, mapping_free);
    grants->stats.handles++;
    return xgt;
}

/* As the kernel when a process is gone: whatever is mapped goes, too */
static int gnttab_close(xengnttab_handle *xgt)
{
    GHashTableIter iter;
    void *addr, *value;

    grants->stats.leaks += g_hash_table_size(xgt->mappings);
    grants->stats.handles--;
    g_hash_table_iter_init(&iter, xgt->mappings);
    while (g_hash_table_iter_next(&iter, &addr, &value)) {
        munmap(addr, bytes(((Mapping *)value)->count));
    }
    xen_gntdev_release(xgt->file, &grants->host);
    g_hash_table_destroy(xgt->mappings);
    g_free(xgt->file);
    g_free(xgt);
    return 0;
}

static int gnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
}

/* mmap() of a request */
static int map_request(xengnttab_handle *xgt, uint64_t index, uint32_t count,
                       int prot, void **addr)
{
    g_autofree uint32_t *frames = g_new(uint32_t, count);
    int err;

    err = xen_gntdev_mmap(xgt->file, &grants->host, index, count, true,
                          prot & PROT_WRITE, OWNER, frames);
    if (err) {
        return err;
    }
    err = map_frames(frames, count, prot, addr);
    if (err) {
        xen_gntdev_munmap(xgt->file, &grants->host, index, count);
    }
    return err;
}

static int do_map_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
                       const uint32_t *refs, int prot, void **addr)
{
    g_autofree XenGntdevRef *grant_refs = NULL;
    Mapping *mapping;
    uint64_t index;
    uint32_t i;
    int err;

    err = testbed_fault(TESTBED_MAP);
    if (err) {
        return err;
    }
    if ((grants->config.single_map && count != 1) ||
        !(prot & PROT_READ) || (prot & ~(PROT_READ | PROT_WRITE))) {
        return -EINVAL;
    }
    err = xen_gntdev_check_count(xgt->file, count);
    if (err) {
        return err;
    }
    grant_refs = g_new(XenGntdevRef, count);
    for (i = 0; i < count; i++) {
        grant_refs[i] = (XenGntdevRef) { .domid = domid, .ref = refs[i] };
    }
    err = xen_gntdev_map(xgt->file, count, grant_refs, &index);
    if (err) {
        return err;
    }
    err = map_request(xgt, index, count, prot, addr);
    if (err) {
        xen_gntdev_unmap(xgt->file, &grants->host, index, count);
        return err;
    }

    mapping = g_new0(Mapping, 1);
    mapping->index = index;
    mapping->count = count;
    mapping->refs = g_memdup2(refs, count * sizeof(refs[0]));
    g_hash_table_insert(xgt->mappings, *addr, mapping);
    return 0;
}

static void *gnttab_map_refs(xengnttab_handle *xgt, uint32_t count,
                             uint32_t domid, uint32_t *refs, int prot)
{
    void *addr = NULL;
    int err;

    grants->stats.map_calls++;
    err = do_map_refs(xgt, count, domid, refs, prot, &addr);
    if (err) {
        grants->stats.map_failures++;
        errno = -err;
        return NULL;
    }
    return addr;
}

/* Xen looks at the address and the count, KVM's emulation at the refs */
static Mapping *find_mapping(xengnttab_handle *xgt, void *addr,
                             const uint32_t *refs, uint32_t count)
{
    Mapping *mapping = g_hash_table_lookup(xgt->mappings, addr);

    grants->stats.unmap_calls++;
    if (!mapping || count != mapping->count ||
        memcmp(refs, mapping->refs, count * sizeof(refs[0]))) {
        grants->stats.bad_unmaps++;
        errno = EINVAL;
        return NULL;
    }
    return mapping;
}

/* munmap() of a mapping, or something that has come in its place */
static void forget_mapping(xengnttab_handle *xgt, void *addr, Mapping *mapping)
{
    xen_gntdev_munmap(xgt->file, &grants->host, mapping->index,
                      mapping->count);
    xen_gntdev_unmap(xgt->file, &grants->host, mapping->index,
                     mapping->count);
    g_hash_table_remove(xgt->mappings, addr);
}

static int gnttab_unmap(xengnttab_handle *xgt, void *addr, uint32_t *refs,
                        uint32_t count)
{
    Mapping *mapping = find_mapping(xgt, addr, refs, count);

    if (!mapping || testbed_fault_errno(TESTBED_UNMAP) < 0) {
        return -1;
    }
    munmap(addr, bytes(count));
    forget_mapping(xgt, addr, mapping);
    return 0;
}

static int gntshr_replace_map(xengnttab_handle *xgt, void *addr,
                              uint32_t *refs, uint32_t count, void *copy)
{
    Mapping *mapping = find_mapping(xgt, addr, refs, count);

    if (!mapping || testbed_fault_errno(TESTBED_REPLACE) < 0 ||
        move_over(copy, addr, count) < 0) {
        return -1;
    }
    forget_mapping(xgt, addr, mapping);
    return 0;
}

static int copy_segment(xengnttab_handle *xgt, bool to_domain, uint32_t domid,
                        const XenGrantCopySegment *seg)
{
    XenGntdevSegment segment = {
        .len = seg->len,
        .flags = to_domain ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
    };
    off_t offset = to_domain ? seg->dest.foreign.offset :
                               seg->source.foreign.offset;
    int err;

    err = testbed_fault(TESTBED_COPY);
    if (err) {
        return err;
    }
    /* Where the kernel's fields are narrower */
    if (offset < 0 || offset > XEN_PAGE_SIZE || seg->len > XEN_PAGE_SIZE) {
        return -EINVAL;
    }
    if (to_domain) {
        segment.source.virt = seg->source.virt;
        segment.dest.foreign.domid = domid;
        segment.dest.foreign.offset = offset;
        segment.dest.foreign.ref = seg->dest.foreign.ref;
    } else {
        segment.dest.virt = seg->dest.virt;
        segment.source.foreign.domid = domid;
        segment.source.foreign.offset = offset;
        segment.source.foreign.ref = seg->source.foreign.ref;
    }
    err = xen_gntdev_copy(&grants->host, &segment);
    if (!err) {
        err = xen_grant_status_errno(segment.status);
    }
    grants->stats.copies += !err;
    return err;
}

static int gnttab_copy(xengnttab_handle *xgt, bool to_domain, uint32_t domid,
                       XenGrantCopySegment *segs, uint32_t nr_segs,
                       Error **errp)
{
    uint32_t i;
    int ret;

    for (i = 0; i < nr_segs; i++) {
        ret = copy_segment(xgt, to_domain, domid, &segs[i]);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "grant copy failed");
            return ret;
        }
    }
    return 0;
}

static struct gnttab_backend_ops gnttab_ops = {
    .open = gnttab_open,
    .close = gnttab_close,
    .grant_copy = gnttab_copy,
    .set_max_grants = gnttab_set_max_grants,
    .map_refs = gnttab_map_refs,
    .unmap = gnttab_unmap,
};

/* Sharing pages with the guest: gntalloc */

/* @pages: address -> Mapping, of which the references are not needed */
typedef struct ShareHandle {
    uint32_t file;
    GHashTable *pages;
} ShareHandle;

static void *gntshr_open(void)
{
    ShareHandle *handle;

    if (testbed_fault_errno(TESTBED_OPEN) < 0) {
        return NULL;
    }
    if (grants->files == UINT64_MAX) {
        errno = ENFILE;
        return NULL;
    }
    handle = g_new0(ShareHandle, 1);
    handle->file = ctz64(~grants->files);
    grants->files |= 1ull << handle->file;
    handle->pages = g_hash_table_new_full(NULL, NULL, NULL, mapping_free);
    return handle;
}

static void gntshr_close(void *opaque)
{
    ShareHandle *handle = opaque;
    GHashTableIter iter;
    void *addr, *value;

    grants->stats.share_leaks += g_hash_table_size(handle->pages);
    g_hash_table_iter_init(&iter, handle->pages);
    while (g_hash_table_iter_next(&iter, &addr, &value)) {
        munmap(addr, bytes(((Mapping *)value)->count));
    }
    xen_gntalloc_release(grants->gntalloc, &grants->host, handle->file);
    grants->files &= ~(1ull << handle->file);
    g_hash_table_destroy(handle->pages);
    g_free(handle);
}

/* mmap() of pages that were allocated */
static int map_share(ShareHandle *handle, uint64_t index, uint32_t count,
                     void **addr)
{
    g_autofree uint32_t *frames = g_new(uint32_t, count);
    int err;

    err = xen_gntalloc_mmap(grants->gntalloc, handle->file, index, count,
                            true, OWNER, frames);
    if (err) {
        return err;
    }
    err = map_frames(frames, count, PROT_READ | PROT_WRITE, addr);
    if (err) {
        xen_gntalloc_munmap(grants->gntalloc, &grants->host, handle->file,
                            index, count, OWNER);
    }
    return err;
}

static int do_share(ShareHandle *handle, uint32_t domid, uint32_t count,
                    uint32_t *refs, void **addr)
{
    Mapping *mapping;
    uint64_t index;
    int err;

    err = testbed_fault(TESTBED_SHARE);
    if (err) {
        return err;
    }
    err = xen_gntalloc_alloc(grants->gntalloc, &grants->host, handle->file,
                             domid, true, count, &index, refs);
    if (err) {
        return err;
    }
    err = map_share(handle, index, count, addr);
    /* From now on it is the mapping that keeps the pages */
    xen_gntalloc_dealloc(grants->gntalloc, &grants->host, handle->file, index,
                         count);
    if (err) {
        return err;
    }
    mapping = g_new0(Mapping, 1);
    mapping->index = index;
    mapping->count = count;
    g_hash_table_insert(handle->pages, *addr, mapping);
    return 0;
}

static void *gntshr_share(void *opaque, uint32_t domid, uint32_t count,
                          uint32_t *refs)
{
    void *addr = NULL;
    int err = do_share(opaque, domid, count, refs, &addr);

    grants->stats.share_calls++;
    if (err) {
        grants->stats.share_failures++;
        errno = -err;
        return NULL;
    }
    return addr;
}

static void forget_share(ShareHandle *handle, void *addr, uint32_t count)
{
    Mapping *mapping = g_hash_table_lookup(handle->pages, addr);

    g_assert(mapping && mapping->count == count);
    xen_gntalloc_munmap(grants->gntalloc, &grants->host, handle->file,
                        mapping->index, count, OWNER);
    g_hash_table_remove(handle->pages, addr);
}

static void gntshr_unshare(void *opaque, void *addr, uint32_t count)
{
    munmap(addr, bytes(count));
    forget_share(opaque, addr, count);
}

static char *gntshr_advice(int err, uint32_t count)
{
    return err == ENOSPC ?
        g_strdup_printf("the testbed has dom0-pages=%" PRIu32 ", %" PRIu32
                        " more are needed", grants->config.dom0_pages, count)
        : NULL;
}

static const XenPvShareOps gntshr_ops = {
    .open = gntshr_open,
    .close = gntshr_close,
    .share = gntshr_share,
    .unshare = gntshr_unshare,
    .advice = gntshr_advice,
    .replace_map = gntshr_replace_map,
};

/* The guest's side: Xen checks, the guest finds the page by its number */

int testbed_grants_guest_map(uint32_t ref, uint32_t *frame, uint32_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = GUEST_ADDRESS,
        .flags = GNTMAP_host_map,
        .ref = ref,
        .dom = XEN_TESTBED_BACKEND,
    };

    if (grants->dead) {
        return -ESRCH;
    }
    xen_grant_table_map(&grants->machine, grants->config.domid, &op, 1);
    *frame = op.dev_bus_addr >> XEN_PAGE_SHIFT;
    *handle = op.handle;
    return xen_grant_status_errno(op.status);
}

int testbed_grants_guest_unmap(uint32_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = GUEST_ADDRESS,
        .handle = handle,
    };

    xen_grant_table_unmap(&grants->machine, grants->config.domid, &op, 1);
    return xen_grant_status_errno(op.status);
}

void testbed_grants_kill(void)
{
    if (!grants->dead) {
        grants->dead = true;
        xen_grant_table_kill(&grants->machine, grants->config.domid);
    }
}

/* Looking, and interfering */

void testbed_grants_stats(TestbedStats *stats)
{
    XenGrantTableStats guest, dom0;
    XenGntallocStats alloc;

    memset(stats, 0, sizeof(*stats));
    if (!grants) {
        return;
    }
    xen_grant_table_stats(&grants->machine, grants->config.domid, &guest);
    xen_grant_table_stats(&grants->machine, XEN_TESTBED_BACKEND, &dom0);
    xen_gntalloc_collect(grants->gntalloc, &grants->host);
    xen_gntalloc_stats(grants->gntalloc, &alloc);

    *stats = grants->stats;
    stats->mapped = guest.mapped;
    stats->peak = guest.peak;
    stats->refs = guest.refs;
    stats->guest_mapped = dom0.mapped;
    stats->shared = alloc.pages;
    stats->lingering = alloc.lingering;
}

void testbed_grants_reset_peak(void)
{
    xen_grant_table_reset_peak(&grants->machine, grants->config.domid);
}

/* The machine */

static int host_event_get(void *opaque, uint32_t port)
{
    /* QEMU asks for no notifications */
    return -EINVAL;
}

static int host_copy(void *opaque, void *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return 0;
}

/* As Linux and Xen do when a process is gone: what it had mapped it has not */
static void end_uses(const TestbedGrantsConfig *c)
{
    grant_entry_v1_t *table = (grant_entry_v1_t *)
        (c->memory + bytes(XEN_TESTBED_GRANT_TABLE));
    uint32_t i;

    for (i = 0; i < c->grant_frames * XEN_TESTBED_GRANTS_PER_PAGE; i++) {
        qatomic_and(&table[i].flags,
                    (uint16_t)~(GTF_reading | GTF_writing));
    }
}

/* Two domains: each has its pages, and tells by its table who may map them */
static bool make_machine(TestbedGrants *g, Error **errp)
{
    const TestbedGrantsConfig *c = &g->config;
    const uint32_t guest_entries = c->grant_frames *
                                   XEN_TESTBED_GRANTS_PER_PAGE;
    const uint32_t dom0_entries = DOM0_FIRST_REF + c->dom0_pages;
    const uint32_t guest_first = XEN_TESTBED_GRANT_TABLE + c->grant_frames;
    const uint32_t dom0_first = c->nr_pages - c->dom0_pages;
    const XenMachineConfig config = {
        .nr_frames = c->nr_pages,
        .nr_domains = 2,
        .nr_entries = MAX(guest_entries, dom0_entries),
        .nr_handles = c->maptrack,
    };
    const size_t size = xen_machine_size(&config);
    int ret;

    if (!size || c->maptrack > MAX_MAPTRACK ||
        c->grant_frames > UINT32_MAX / XEN_TESTBED_GRANTS_PER_PAGE) {
        error_setg(errp, "the memory, the grant table or the map track is too "
                   "large");
        return false;
    }
    xen_machine_init(&g->machine, g_malloc0(size), &config, c->memory);
    ret = xen_machine_add_domain(&g->machine, c->domid, guest_entries,
                                 XEN_TESTBED_GRANT_TABLE);
    g_assert(!ret);
    ret = xen_machine_give(&g->machine, c->domid, guest_first,
                           dom0_first - guest_first);
    g_assert(!ret);

    g->dom0_entries = g_new0(grant_entry_v1_t, dom0_entries);
    ret = xen_machine_add_domain(&g->machine, XEN_TESTBED_BACKEND,
                                 dom0_entries, 0);
    g_assert(!ret);
    xen_machine_set_table(&g->machine, XEN_TESTBED_BACKEND, g->dom0_entries);
    /* gntalloc takes what is free */
    ret = xen_machine_release(&g->machine, dom0_first, c->dom0_pages);
    g_assert(!ret);
    return true;
}

static void make_devices(TestbedGrants *g)
{
    const XenGntallocConfig config = {
        .limit = g->config.dom0_pages,
        .nr_entries = DOM0_FIRST_REF + g->config.dom0_pages,
    };

    g->host = (XenGntHost) {
        .machine = &g->machine,
        .domid = XEN_TESTBED_BACKEND,
        .event_get = host_event_get,
        .copy = host_copy,
    };
    g->gntdev = (XenGntdevConfig) {
        .slots = XEN_GNTDEV_SLOTS(g->config.maptrack),
        .limit = g->config.limit,
    };
    g->gntalloc = g_malloc0(xen_gntalloc_size(&config));
    xen_gntalloc_init(g->gntalloc, &config);
}

bool testbed_grants_init(const TestbedGrantsConfig *config, Error **errp)
{
    TestbedGrants *g = g_new0(TestbedGrants, 1);

    g->config = *config;
    if (!make_machine(g, errp)) {
        g_free(g);
        return false;
    }
    /* A QEMU that was killed may have been there before */
    end_uses(config);
    make_devices(g);
    grants = g;

    gnttab_ops.features = config->single_map ?
        0 : XEN_GNTTAB_OP_FEATURE_MAP_MULTIPLE;
    xen_gnttab_ops = &gnttab_ops;
    xen_pv_share_ops = &gntshr_ops;
    return true;
}
