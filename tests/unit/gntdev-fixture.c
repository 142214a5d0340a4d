/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest, a host and its grant devices, for tests of the models of these
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "gntdev-fixture.h"

static int event_get(void *opaque, uint32_t port)
{
    Fixture *f = opaque;

    if (port >= PORTS) {
        return -EINVAL;
    }
    f->port_users[port]++;
    return 0;
}

static void event_put(void *opaque, uint32_t port, bool send)
{
    Fixture *f = opaque;

    g_assert_cmpuint(f->port_users[port], >, 0);
    f->port_users[port]--;
    f->port_sent[port] += send;
}

static int copy(void *opaque, void *to, const void *from, size_t len)
{
    Fixture *f = opaque;

    if (f->bad_address) {
        return -EFAULT;
    }
    memcpy(to, from, len);
    return 0;
}

void set_up(Fixture *f, gconstpointer data)
{
    const XenMachineConfig config = {
        .nr_frames = FRAMES,
        .nr_domains = 2,
        .nr_entries = ENTRIES,
        .nr_handles = HANDLES,
    };
    const XenGntdevConfig *gntdev = data;
    uint32_t i;

    f->block = g_malloc0(xen_machine_size(&config));
    f->memory = g_malloc0(FRAMES * PAGE);
    xen_machine_init(&f->machine, f->block, &config, f->memory);
    for (i = 0; i < 2; i++) {
        f->tables[i] = g_new0(grant_entry_v1_t, ENTRIES);
        g_assert_cmpint(xen_machine_add_domain(&f->machine, i, ENTRIES, 0),
                        ==, 0);
        xen_machine_set_table(&f->machine, i, f->tables[i]);
    }
    g_assert_cmpint(xen_machine_give(&f->machine, GUEST, GUEST_FIRST,
                                     FRAMES - GUEST_FIRST), ==, 0);
    g_assert_cmpint(xen_machine_release(&f->machine, 1, GUEST_FIRST - 1), ==,
                    0);
    for (i = 0; i < REFS; i++) {
        xen_grant_access(&f->tables[GUEST][REF(i)], DOM0, FRAME(i), i % 2);
    }

    f->host = (XenGntHost) {
        .opaque = f,
        .machine = &f->machine,
        .domid = DOM0,
        .event_get = event_get,
        .event_put = event_put,
        .copy = copy,
    };
    f->config = *gntdev;
    f->file = g_malloc0(xen_gntdev_file_size(gntdev));
    xen_gntdev_open(f->file, gntdev);
    f->alloc_config = (XenGntallocConfig) {
        .limit = 20,
        .nr_entries = ENTRIES,
    };
    f->alloc = g_malloc0(xen_gntalloc_size(&f->alloc_config));
    xen_gntalloc_init(f->alloc, &f->alloc_config);
}

void check(Fixture *f)
{
    g_autofree char *wrong = xen_grant_table_check(&f->machine, true);

    g_assert_cmpstr(wrong, ==, NULL);
}

uint64_t nr_mapped(Fixture *f)
{
    XenGrantTableStats stats;

    xen_grant_table_stats(&f->machine, GUEST, &stats);
    return stats.mapped;
}

void tear_down(Fixture *f, gconstpointer data)
{
    uint32_t i;

    check(f);
    xen_gntdev_release(f->file, &f->host);
    for (i = 0; i < XEN_GNTALLOC_FILES; i++) {
        xen_gntalloc_release(f->alloc, &f->host, i);
    }
    check(f);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    for (i = 0; i < PORTS; i++) {
        g_assert_cmpuint(f->port_users[i], ==, 0);
    }
    g_free(f->file);
    g_free(f->alloc);
    g_free(f->tables[0]);
    g_free(f->tables[1]);
    g_free(f->block);
    g_free(f->memory);
}

uint64_t offset(uint32_t slot)
{
    return (uint64_t)slot * PAGE;
}

int64_t request(Fixture *f, uint32_t n, uint32_t count)
{
    g_autofree XenGntdevRef *refs = g_new0(XenGntdevRef, count);
    uint64_t index = UINT64_MAX;
    uint32_t i;
    int ret;

    for (i = 0; i < count; i++) {
        refs[i].domid = GUEST;
        refs[i].ref = REF((n + 2 * i) % REFS);
    }
    ret = xen_gntdev_map(f->file, count, refs, &index);
    if (ret < 0) {
        return ret;
    }
    g_assert_cmpuint(index % PAGE, ==, 0);
    return index / PAGE;
}

int unmap(Fixture *f, uint32_t slot, uint32_t count)
{
    return xen_gntdev_unmap(f->file, &f->host, offset(slot), count);
}

int do_mmap(Fixture *f, uint32_t slot, uint32_t count, bool write)
{
    uint32_t frames[256];

    return xen_gntdev_mmap(f->file, &f->host, offset(slot), count, true, write,
                           7, frames);
}

void do_munmap(Fixture *f, uint32_t slot, uint32_t count)
{
    xen_gntdev_munmap(f->file, &f->host, offset(slot), count);
}

void assert_states(Fixture *f, uint32_t slot, uint32_t count,
                   XenGntdevState state)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        g_assert_cmpint(xen_gntdev_state(f->file, slot + i), ==, state);
    }
}

void add(const char *name, void (*fn)(Fixture *, gconstpointer))
{
    static const XenGntdevConfig config = { .slots = 128, .limit = 110 };
    g_autofree char *path = g_strdup_printf("/xen/%s", name);

    g_test_add(path, Fixture, &config, set_up, fn, tear_down);
}
