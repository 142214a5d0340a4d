/*
 * Tests of the watches of KVM's emulated Xen: QEMU's
 * hw/i386/kvm/xenstore_impl.c
 *
 * A backend and its guest watch one node, the backend first.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"

/* As QEMU's own tests/unit/test-xs-node.c: no need of Xen's definitions */
#define __XEN_PUBLIC_XEN_H__
typedef unsigned long xen_pfn_t;

#include "hw/i386/kvm/xenstore_impl.c"

#define DOMID_QEMU  0
#define DOMID_GUEST 1
#define NODE        "/local/domain/0/backend/vdispl/1/0/state"

static void count(void *opaque, const char *path, const char *token)
{
    unsigned int *calls = opaque;

    (*calls)++;
}

static void write_node(XenstoreImplState *s)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    g_byte_array_append(data, (const uint8_t *)"4", 1);
    g_assert_cmpint(xs_impl_write(s, DOMID_QEMU, XBT_NULL, NODE, data), ==,
                    0);
}

static void free_store(XenstoreImplState *s)
{
    g_hash_table_unref(s->watches);
    g_hash_table_unref(s->transactions);
    xs_node_unref(s->root);
    g_free(s);
}

/* A driver that is unloaded takes its watch back, and can be loaded again */
static void test_second(void)
{
    XenstoreImplState *s = xs_impl_create(DOMID_GUEST);
    unsigned int backend = 0, guest = 0;
    GList *perms = NULL;

    write_node(s);
    perms = g_list_append(perms, g_strdup("n0"));
    perms = g_list_append(perms, g_strdup("r1"));
    g_assert_cmpint(xs_impl_set_perms(s, DOMID_QEMU, XBT_NULL, NODE, perms),
                    ==, 0);
    g_list_free_full(perms, g_free);

    g_assert_cmpint(xs_impl_watch(s, DOMID_QEMU, NODE, "t", count, &backend),
                    ==, 0);
    g_assert_cmpint(xs_impl_watch(s, DOMID_GUEST, NODE, "t", count, &guest),
                    ==, 0);
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_GUEST, NODE, "t", count, &guest),
                    ==, 0);
    backend = guest = 0;
    write_node(s);
    g_assert_cmpuint(backend, ==, 1);
    g_assert_cmpuint(guest, ==, 0);

    g_assert_cmpint(xs_impl_watch(s, DOMID_GUEST, NODE, "t", count, &guest),
                    ==, 0);
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_GUEST, NODE, "t", count, &guest),
                    ==, 0);
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_QEMU, NODE, "t", count,
                                    &backend), ==, 0);
    free_store(s);
}

/* Of two of QEMU's own, the one goes that is meant */
static void test_right_one(void)
{
    XenstoreImplState *s = xs_impl_create(DOMID_GUEST);
    unsigned int calls[3] = { 0 };
    int i;

    write_node(s);
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xs_impl_watch(s, DOMID_QEMU, NODE, "t", count,
                                      &calls[i]), ==, 0);
    }
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_QEMU, NODE, "t", count,
                                    &calls[1]), ==, 0);
    memset(calls, 0, sizeof(calls));
    write_node(s);
    g_assert_cmpuint(calls[0], ==, 1);
    g_assert_cmpuint(calls[1], ==, 0);
    g_assert_cmpuint(calls[2], ==, 1);

    g_assert_cmpint(xs_impl_unwatch(s, DOMID_QEMU, NODE, "t", count,
                                    &calls[1]), ==, ENOENT);
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_QEMU, NODE, "t", count,
                                    &calls[2]), ==, 0);
    g_assert_cmpint(xs_impl_unwatch(s, DOMID_QEMU, NODE, "t", count,
                                    &calls[0]), ==, 0);
    free_store(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    module_call_init(MODULE_INIT_QOM);
    g_test_add_func("/xen-emu-watch/second", test_second);
    g_test_add_func("/xen-emu-watch/right-one", test_right_one);
    return g_test_run();
}
