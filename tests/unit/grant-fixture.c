/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine of three domains, for tests of the model of Xen's grant tables
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-fixture.h"

static void add_domain(XenMachine *m, domid_t domid, uint32_t table)
{
    g_assert_cmpint(xen_machine_add_domain(m, domid, ENTRIES, table), ==, 0);
    g_assert_cmpint(xen_machine_give(m, domid, FIRST(domid), COUNT), ==, 0);
}

void set_up_sizes(Fixture *f, uint32_t nr_ptes)
{
    const XenMachineConfig config = {
        .nr_frames = FRAMES,
        .nr_domains = 3,
        .nr_entries = ENTRIES,
        .nr_handles = HANDLES,
        .nr_pfns = PFNS,
        .nr_ptes = nr_ptes,
    };

    f->block = g_malloc0(xen_machine_size(&config));
    f->memory = mmap(NULL, FRAMES * XEN_MACHINE_PAGE_SIZE,
                     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
    g_assert(f->memory != MAP_FAILED);
    xen_machine_init(&f->machine, f->block, &config, f->memory);
    add_domain(&f->machine, OWNER, 1);
    add_domain(&f->machine, PEER, 2);
    add_domain(&f->machine, OTHER, 3);
    f->shared = xen_machine_table(&f->machine, OWNER, NULL);
    g_assert((uint8_t *)f->shared == f->memory + XEN_MACHINE_PAGE_SIZE);
}

void set_up(Fixture *f, const void *data)
{
    set_up_sizes(f, PTES);
}

void check(Fixture *f, bool trusted)
{
    g_autofree char *what = xen_grant_table_check(&f->machine, trusted);

    g_assert_cmpstr(what, ==, NULL);
}

void tear_down(Fixture *f, const void *data)
{
    check(f, false);
    munmap(f->memory, FRAMES * XEN_MACHINE_PAGE_SIZE);
    g_free(f->block);
}

void grant(Fixture *f, uint32_t ref, uint32_t frame, uint16_t flags)
{
    f->shared[ref].frame = frame;
    f->shared[ref].domid = PEER;
    f->shared[ref].flags = flags;
}

struct gnttab_map_grant_ref map_op(uint32_t i, uint32_t ref,
                                   uint32_t flags)
{
    return (struct gnttab_map_grant_ref) {
        .host_addr = ADDR(i),
        .flags = flags,
        .ref = ref,
        .dom = OWNER,
        .status = 77,
        .handle = 0xdead,
        .dev_bus_addr = 0xbeef,
    };
}

struct gnttab_unmap_grant_ref unmap_op(
    const struct gnttab_map_grant_ref *map)
{
    return (struct gnttab_unmap_grant_ref) {
        .host_addr = map->flags & GNTMAP_host_map ? map->host_addr : 0,
        .dev_bus_addr = map->flags & GNTMAP_device_map ? map->dev_bus_addr : 0,
        .handle = map->handle,
        .status = 77,
    };
}

int16_t map_as(Fixture *f, domid_t domid,
               struct gnttab_map_grant_ref *op)
{
    uint32_t failed = xen_grant_table_map(&f->machine, domid, op, 1);

    g_assert_cmpuint(failed, ==, op->status != GNTST_okay);
    if (failed) {
        g_assert_cmpuint(op->dev_bus_addr, ==, 0);
    } else {
        g_assert_cmpuint(op->dev_bus_addr, !=, 0);
    }
    return op->status;
}

int16_t map(Fixture *f, struct gnttab_map_grant_ref *op)
{
    return map_as(f, PEER, op);
}

int16_t unmap_as(Fixture *f, domid_t domid,
                 const struct gnttab_map_grant_ref *mapped)
{
    struct gnttab_unmap_grant_ref op = unmap_op(mapped);
    uint32_t failed = xen_grant_table_unmap(&f->machine, domid, &op, 1);

    g_assert_cmpuint(failed, ==, op.status != GNTST_okay);
    return op.status;
}

int16_t unmap(Fixture *f, const struct gnttab_map_grant_ref *mapped)
{
    return unmap_as(f, PEER, mapped);
}

int16_t pin(Fixture *f, uint32_t ref, bool write, uint32_t *frame)
{
    return xen_grant_table_pin(&f->machine, PEER, OWNER, ref, write, frame);
}

void unpin(Fixture *f, uint32_t ref, bool write)
{
    xen_grant_table_unpin(&f->machine, OWNER, ref, write);
}

void check_stats(Fixture *f, uint64_t mapped, uint64_t peak,
                 uint64_t refs)
{
    XenGrantTableStats stats;

    xen_grant_table_stats(&f->machine, OWNER, &stats);
    g_assert_cmpuint(stats.mapped, ==, mapped);
    g_assert_cmpuint(stats.peak, ==, peak);
    g_assert_cmpuint(stats.refs, ==, refs);
}

struct gnttab_copy copy_op(uint32_t ref, uint32_t frame, bool from_ref)
{
    struct gnttab_copy op = {
        .source = { .u.ref = ref, .domid = OWNER, .offset = 16 },
        .dest = { .u.gmfn = frame, .domid = DOMID_SELF, .offset = 32 },
        .len = 100,
        .flags = GNTCOPY_source_gref,
    };

    if (!from_ref) {
        struct gnttab_copy_ptr other = op.source;

        op.source = op.dest;
        op.dest = other;
        op.flags = GNTCOPY_dest_gref;
    }
    return op;
}

int16_t copy(Fixture *f, struct gnttab_copy op)
{
    g_assert_cmpuint(xen_grant_table_copy(&f->machine, PEER, &op, 1), ==,
                     op.status != GNTST_okay);
    check(f, true);
    return op.status;
}

void add(const char *name, void (*fn)(Fixture *, const void *))
{
    g_autofree char *path = g_strdup_printf("/xen/grant-table/%s", name);

    g_test_add(path, Fixture, NULL, set_up, fn, tear_down);
}
