/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a fake Xen outlives a QEMU that is killed
 *
 * The file has a byte for each port, and then the xenstore.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"

#include "testbed-state.h"

static bool write_file(const char *path, const void *data, size_t size)
{
    int fd = qemu_create(path, O_WRONLY | O_TRUNC, 0600, NULL);
    bool good = fd >= 0 && qemu_write_full(fd, data, size) == size;

    if (fd >= 0) {
        good &= close(fd) == 0;
    }
    return good;
}

/* Never half a file: QEMU may be killed meanwhile, too */
bool testbed_state_save(const char *path, XenstoreImplState *store,
                        const uint8_t ports[XEN_TESTBED_PORTS], Error **errp)
{
    g_autoptr(GByteArray) bytes = xs_impl_serialize(store);
    g_autofree char *next = g_strdup_printf("%s.next", path);

    g_byte_array_prepend(bytes, ports, XEN_TESTBED_PORTS);
    if (!write_file(next, bytes->data, bytes->len) ||
        rename(next, path) < 0) {
        error_setg_errno(errp, errno, "cannot write '%s'", path);
        return false;
    }
    return true;
}

/* None is there yet that could watch */
static void no_watch(void *opaque, const char *path, const char *token)
{
}

int testbed_state_load(const char *path, XenstoreImplState *store,
                       unsigned int domid, uint8_t ports[XEN_TESTBED_PORTS],
                       Error **errp)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    gchar *data;
    gsize size;

    if (!g_file_get_contents(path, &data, &size, &err)) {
        if (g_error_matches(err, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
            return 0;
        }
        error_setg(errp, "%s", err->message);
        return -1;
    }
    bytes = g_byte_array_new_take((guint8 *)data, size);
    if (size > XEN_TESTBED_PORTS) {
        memcpy(ports, bytes->data, XEN_TESTBED_PORTS);
        g_byte_array_remove_range(bytes, 0, XEN_TESTBED_PORTS);
        if (!xs_impl_deserialize(store, bytes, domid, no_watch, NULL)) {
            return 1;
        }
    }
    error_setg(errp, "'%s' holds no state of a testbed", path);
    return -1;
}
