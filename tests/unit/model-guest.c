/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest whose Xen is the grant-table model
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "model-guest.h"

/* Both grant tables start behind Xen's first frame, then come the pages */
#define FIRST_TABLE     1u

static ModelGuest *model(XenGuest *guest)
{
    return (ModelGuest *)guest;
}

static uint32_t table_frames(uint32_t entries)
{
    return DIV_ROUND_UP(entries, XEN_MACHINE_ENTRIES);
}

/* Whether it is the turn of this operation to fail */
static bool fails(ModelGuest *g)
{
    return g->fail_in && --g->fail_in == 0;
}

static void logged(ModelGuest *g, const char *name, uint32_t page,
                   uint32_t ref)
{
    ModelGuestOp op = { name, page, ref };

    g_array_append_val(g->log, op);
}

/* Memory */

void *model_page(ModelGuest *g, uint32_t page)
{
    return g->machine.memory + (size_t)page * XEN_GUEST_PAGE;
}

static void *page_of(XenGuest *guest, uint32_t page)
{
    g_assert(xen_machine_owner(&model(guest)->machine, page) ==
             guest->domid);
    return model_page(model(guest), page);
}

static uint32_t alloc_page(XenGuest *guest)
{
    ModelGuest *g = model(guest);
    uint32_t page;

    if (fails(g) || !g->nr_free) {
        return 0;
    }
    page = g->free_pages[--g->nr_free];
    memset(page_of(guest, page), 0, XEN_GUEST_PAGE);
    logged(g, "alloc-page", page, 0);
    return page;
}

static void free_page(XenGuest *guest, uint32_t page)
{
    ModelGuest *g = model(guest);

    memset(page_of(guest, page), 0xf1, XEN_GUEST_PAGE);
    g->free_pages[g->nr_free++] = page;
    g_assert(g->nr_free <= guest->nr_pages);
    logged(g, "free-page", page, 0);
}

static bool map_frame(ModelGuest *g, uint32_t frame, void *addr)
{
    return mmap(addr, XEN_GUEST_PAGE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, g->memory_fd,
                (off_t)frame * XEN_GUEST_PAGE) != MAP_FAILED;
}

static bool map_page(XenGuest *guest, uint32_t page, void *addr)
{
    ModelGuest *g = model(guest);

    if (fails(g) || !map_frame(g, page, addr)) {
        return false;
    }
    logged(g, "map-page", page, 0);
    return true;
}

/* Grants */

static uint32_t grant(XenGuest *guest, uint32_t page, bool readonly)
{
    ModelGuest *g = model(guest);
    uint32_t ref;

    if (fails(g)) {
        return 0;
    }
    ref = xen_grant_refs_take(g->refs);
    if (ref) {
        xen_grant_access(&g->entries[ref], XEN_GUEST_BACKEND, page, readonly);
        logged(g, "grant", page, ref);
    }
    return ref;
}

static int end_access(XenGuest *guest, uint32_t ref)
{
    ModelGuest *g = model(guest);
    int ret = xen_grant_end_access(&g->entries[ref]);

    if (!ret) {
        xen_grant_refs_put(g->refs, ref);
        logged(g, "end-access", 0, ref);
    }
    return ret;
}

static bool in_use(XenGuest *guest, uint32_t ref)
{
    return xen_grant_query_access(&model(guest)->entries[ref]);
}

static int map_grants(XenGuest *guest, const uint32_t *refs, uint32_t count,
                      uint32_t *handles, void **addr)
{
    ModelGuest *g = model(guest);
    g_autofree struct gnttab_map_grant_ref *ops =
        g_new0(struct gnttab_map_grant_ref, count);
    uint8_t *at;
    uint32_t i;

    if (fails(g)) {
        return -EFAULT;
    }
    at = mmap(NULL, (size_t)count * XEN_GUEST_PAGE, PROT_NONE,
              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert(at != MAP_FAILED);
    for (i = 0; i < count; i++) {
        ops[i].host_addr = (uintptr_t)at + (uint64_t)i * XEN_GUEST_PAGE;
        ops[i].flags = GNTMAP_host_map;
        ops[i].ref = fails(g) ? UINT32_MAX : refs[i];
        ops[i].dom = XEN_GUEST_BACKEND;
    }
    xen_grant_table_map(&g->machine, guest->domid, ops, count);
    for (i = 0; i < count; i++) {
        handles[i] = XEN_GUEST_NO_HANDLE;
        if (ops[i].status == GNTST_okay) {
            handles[i] = ops[i].handle;
            g_assert(map_frame(g, ops[i].dev_bus_addr / XEN_GUEST_PAGE,
                               at + (size_t)i * XEN_GUEST_PAGE));
        }
    }
    logged(g, "map", count, refs[0]);
    *addr = at;
    return 0;
}

static int unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                        const uint32_t *handles)
{
    ModelGuest *g = model(guest);
    g_autofree struct gnttab_unmap_grant_ref *ops =
        g_new0(struct gnttab_unmap_grant_ref, count);
    uint32_t i, n = 0;
    int ret = 0;

    munmap(addr, (size_t)count * XEN_GUEST_PAGE);
    for (i = 0; i < count; i++) {
        if (handles[i] != XEN_GUEST_NO_HANDLE) {
            ops[n].host_addr = (uintptr_t)addr +
                               (uint64_t)i * XEN_GUEST_PAGE;
            ops[n++].handle = handles[i];
        }
    }
    xen_grant_table_unmap(&g->machine, guest->domid, ops, n);
    for (i = 0; i < n; i++) {
        ret = ret ?: xen_grant_status_errno(ops[i].status);
    }
    logged(g, "unmap", n, 0);
    return ret;
}

static void model_guest_free(XenGuest *guest)
{
    ModelGuest *g = model(guest);

    munmap(g->machine.memory,
           (size_t)xen_guest_nr_pages(guest) * XEN_GUEST_PAGE);
    close(g->memory_fd);
    g_array_free(g->log, true);
    g_free(g->machine.state);
    g_free(g->refs);
    g_free(g->backend_refs);
    g_free(g->free_pages);
    g_free(g);
}

static const XenGuestOps model_guest_ops = {
    .free = model_guest_free,
    .page = page_of,
    .alloc_page = alloc_page,
    .free_page = free_page,
    .map_page = map_page,
    .grant = grant,
    .end_access = end_access,
    .in_use = in_use,
    .map_grants = map_grants,
    .unmap_grants = unmap_grants,
};

/* Both domains */

static void add_domain(ModelGuest *g, domid_t domid, uint32_t refs,
                       uint32_t table, uint32_t first, uint32_t pages)
{
    g_assert(xen_machine_add_domain(&g->machine, domid, refs, table) == 0);
    g_assert(xen_machine_give(&g->machine, domid, first, pages) == 0);
}

ModelGuest *model_guest_new(uint32_t pages, uint32_t refs, uint32_t handles)
{
    ModelGuest *g = g_new0(ModelGuest, 1);
    const uint32_t second_table = FIRST_TABLE + table_frames(refs);
    const uint32_t first = second_table + table_frames(refs);
    const XenMachineConfig config = {
        .nr_frames = first + 2 * pages,
        .nr_domains = 2,
        .nr_entries = refs,
        .nr_handles = handles,
    };
    const size_t size = (size_t)config.nr_frames * XEN_GUEST_PAGE;
    void *memory;

    xen_guest_init(&g->guest, &model_guest_ops);
    g->guest.domid = MODEL_GUEST_DOMID;
    g->guest.nr_pages = config.nr_frames;
    g->log = g_array_new(false, false, sizeof(ModelGuestOp));

    g->memory_fd = memfd_create("model-guest", MFD_CLOEXEC);
    g_assert(g->memory_fd >= 0 && ftruncate(g->memory_fd, size) == 0);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                  g->memory_fd, 0);
    g_assert(memory != MAP_FAILED);
    xen_machine_init(&g->machine, g_malloc0(xen_machine_size(&config)),
                     &config, memory);

    add_domain(g, MODEL_GUEST_DOMID, refs, FIRST_TABLE, first, pages);
    g->entries = xen_machine_table(&g->machine, MODEL_GUEST_DOMID, NULL);
    g->refs = g_malloc(xen_grant_refs_size(refs));
    xen_grant_refs_init(g->refs, refs, GNTTAB_NR_RESERVED_ENTRIES);
    g->free_pages = g_new(uint32_t, pages);
    for (g->nr_free = 0; g->nr_free < pages; g->nr_free++) {
        g->free_pages[g->nr_free] = first + pages - 1 - g->nr_free;
    }

    g->backend_first = first + pages;
    add_domain(g, XEN_GUEST_BACKEND, refs, second_table, g->backend_first,
               pages);
    g->backend_entries = xen_machine_table(&g->machine, XEN_GUEST_BACKEND,
                                           NULL);
    g->backend_refs = g_malloc(xen_grant_refs_size(refs));
    xen_grant_refs_init(g->backend_refs, refs, GNTTAB_NR_RESERVED_ENTRIES);
    return g;
}

uint32_t model_backend_share(ModelGuest *g, uint32_t *page, bool readonly)
{
    uint32_t ref = xen_grant_refs_take(g->backend_refs);

    if (ref) {
        *page = g->backend_first + ref - GNTTAB_NR_RESERVED_ENTRIES;
        xen_grant_access(&g->backend_entries[ref], g->guest.domid, *page,
                         readonly);
    }
    return ref;
}

uint32_t model_guest_free_pages(ModelGuest *g)
{
    return g->nr_free;
}

uint32_t model_guest_free_refs(ModelGuest *g)
{
    return xen_grant_refs_count_free(g->refs);
}

static uint64_t mapped(ModelGuest *g, domid_t domid)
{
    XenGrantTableStats stats;

    xen_grant_table_stats(&g->machine, domid, &stats);
    return stats.mapped;
}

uint64_t model_guest_mapped(ModelGuest *g)
{
    return mapped(g, XEN_GUEST_BACKEND);
}

uint64_t model_backend_mapped(ModelGuest *g)
{
    return mapped(g, g->guest.domid);
}
