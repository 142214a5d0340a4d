/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend nodes of a domain: watched, read, refused, removed
 *
 * A driver domain owns the node of each device, backend/KIND/GUEST/NUMBER, but
 * not the folders above, and may not read the nodes of guests but what the
 * toolstack lets it.  So what fails here for want of a right is left alone.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <glib-unix.h>
#include <xenstore.h>

#include "backendd-store.h"

/* Numbers of domains are below: Xen's DOMID_FIRST_RESERVED */
#define MAX_DOMID       0x7ff0
/* Devices of a kind that a guest may have; more are not looked at */
#define MAX_DEVICES     64
/* Guests whose error nodes are kept: the store counts a domain's nodes */
#define MAX_ERRORS      32
/* Events that are taken at once */
#define MAX_EVENTS      1024
/* How often xenstore is asked whether it is there, in seconds */
#define ALIVE           10
/* Changes that come within this time, in milliseconds, are one */
#define SETTLE          20
/* Bytes of a reason */
#define MAX_WHY         500

static const char *const kinds[] = { "vdispl", "vsnd" };

/* What QEMU serves besides, and nobody else removes in a driver domain */
static const char *const other_kinds[] = { "vkbd", "vfb" };

struct BackenddStore {
    struct xs_handle *xsh;
    unsigned int domid;
    void (*changed)(void *opaque);
    void (*lost)(void *opaque);
    void *opaque;
    guint watch;
    guint timer;
    guint alive;
    /* Guests that have error nodes, the oldest first */
    GQueue errors;
};

static char *store_read(BackenddStore *store, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

static char *store_read(BackenddStore *store, const char *fmt, ...)
{
    g_autofree char *path = NULL;
    unsigned int len;
    va_list ap;
    char *raw, *text = NULL;

    va_start(ap, fmt);
    path = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    raw = xs_read(store->xsh, XBT_NULL, path, &len);
    if (raw && !memchr(raw, 0, len)) {
        text = g_strndup(raw, len);
    }
    free(raw);
    return text;
}

/* A node's number; 0 if it has none */
static unsigned int store_number(BackenddStore *store, const char *dir,
                                 const char *key)
{
    g_autofree char *text = store_read(store, "%s/%s", dir, key);
    guint64 number = 0;

    if (text) {
        g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX, &number, NULL);
    }
    return number;
}

static void store_write(BackenddStore *store, const char *path,
                        const char *text)
{
    xs_write(store->xsh, XBT_NULL, path, text, strlen(text));
}

/* Remove a folder if nothing is in it */
static void store_prune(BackenddStore *store, const char *path)
{
    unsigned int count = 0;
    char **names = xs_directory(store->xsh, XBT_NULL, path, &count);
    bool empty = names && !count;

    free(names);
    if (empty) {
        xs_rm(store->xsh, XBT_NULL, path);
    }
}

/* Reading */

static void device_free(void *data)
{
    BackenddDevice *device = data;

    g_free(device->name);
    g_free(device);
}

/* A name that is a number as xenstore has it: no sign, no zero in front */
static bool is_number(const char *name, unsigned int max, unsigned int *number)
{
    guint64 result;

    if ((*name == '0' && name[1]) ||
        !g_ascii_string_to_unsigned(name, 10, 0, max, &result, NULL)) {
        return false;
    }
    *number = result;
    return true;
}

static void read_device(BackenddStore *store, const char *dir,
                        const char *kind, const char *name,
                        GPtrArray *devices)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, name);
    g_autofree char *frontend = store_read(store, "%s/frontend", path);
    BackenddDevice *device;

    /* The toolstack has begun to write it, or to remove it */
    if (!frontend) {
        return;
    }
    device = g_new0(BackenddDevice, 1);
    device->kind = kind;
    device->name = g_strdup(name);
    device->online = store_number(store, path, "online") == 1;
    device->state = store_number(store, path, "state");
    g_ptr_array_add(devices, device);
}

static void read_guest(BackenddStore *store, const char *kind,
                       unsigned int domid, GHashTable *guests)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u/backend/%s/%u",
                                           store->domid, kind, domid);
    unsigned int count = 0, number;
    char **names = xs_directory(store->xsh, XBT_NULL, dir, &count);
    GPtrArray *devices = g_hash_table_lookup(guests, GUINT_TO_POINTER(domid));
    g_autoptr(GPtrArray) fresh = NULL;

    if (!devices) {
        fresh = g_ptr_array_new_with_free_func(device_free);
        devices = fresh;
    }
    for (unsigned int i = 0; names && i < MIN(count, MAX_DEVICES); i++) {
        if (is_number(names[i], INT32_MAX, &number)) {
            read_device(store, dir, kind, names[i], devices);
        }
    }
    free(names);
    if (fresh && fresh->len) {
        g_hash_table_insert(guests, GUINT_TO_POINTER(domid),
                            g_steal_pointer(&fresh));
    }
}

/* Numbers of guests that have devices of a kind */
static GArray *list_guests(BackenddStore *store, const char *kind)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u/backend/%s",
                                           store->domid, kind);
    GArray *domids = g_array_new(false, false, sizeof(unsigned int));
    unsigned int count = 0, domid;
    char **names = xs_directory(store->xsh, XBT_NULL, dir, &count);

    for (unsigned int i = 0; names && i < MIN(count, MAX_DOMID); i++) {
        if (is_number(names[i], MAX_DOMID - 1, &domid)) {
            g_array_append_val(domids, domid);
        }
    }
    free(names);
    return domids;
}

GHashTable *backendd_store_read(BackenddStore *store)
{
    GHashTable *guests =
        g_hash_table_new_full(NULL, NULL, NULL,
                              (GDestroyNotify)g_ptr_array_unref);

    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        g_autoptr(GArray) domids = list_guests(store, kinds[k]);

        for (guint i = 0; i < domids->len; i++) {
            read_guest(store, kinds[k],
                       g_array_index(domids, unsigned int, i), guests);
        }
    }
    return guests;
}

char *backendd_store_name(BackenddStore *store, unsigned int domid)
{
    g_autofree char *name = store_read(store, "/local/domain/%u/name", domid);

    return name && backendd_config_name(name) ? g_steal_pointer(&name) : NULL;
}

bool backendd_store_has_model(BackenddStore *store, unsigned int domid)
{
    g_autofree char *pid = store_read(
        store, "/local/domain/%u/image/device-model-pid", domid);

    return pid;
}

/* Writing */

/* Each guest's nodes below "error" count for this domain */
static void remember_error(BackenddStore *store, unsigned int domid)
{
    g_queue_remove(&store->errors, GUINT_TO_POINTER(domid));
    g_queue_push_tail(&store->errors, GUINT_TO_POINTER(domid));
    while (store->errors.length > MAX_ERRORS) {
        unsigned int old =
            GPOINTER_TO_UINT(g_queue_pop_head(&store->errors));

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            g_autofree char *path = g_strdup_printf(
                "/local/domain/%u/error/backend/%s/%u", store->domid,
                kinds[k], old);

            xs_rm(store->xsh, XBT_NULL, path);
        }
    }
}

static char *device_path(const BackenddStore *store, unsigned int domid,
                         const BackenddDevice *device, const char *top)
{
    return g_strdup_printf("/local/domain/%u/%sbackend/%s/%u/%s",
                           store->domid, top, device->kind, domid,
                           device->name);
}

void backendd_store_remove(BackenddStore *store, unsigned int domid,
                           const BackenddDevice *device)
{
    g_autofree char *path = device_path(store, domid, device, "");
    g_autofree char *state = g_strdup_printf("%s/state", path);
    g_autofree char *folder = g_path_get_dirname(path);

    /* A write alone would bring back what the toolstack has removed */
    if (store_number(store, path, "state")) {
        store_write(store, state, G_STRINGIFY(6));
    }
    xs_rm(store->xsh, XBT_NULL, path);
    store_prune(store, folder);
}

void backendd_store_refuse(BackenddStore *store, unsigned int domid,
                           const BackenddDevice *device, const char *why)
{
    g_autofree char *path = device_path(store, domid, device, "");
    g_autofree char *state = g_strdup_printf("%s/state", path);
    g_autofree char *error = device_path(store, domid, device, "error/");
    g_autofree char *node = g_strdup_printf("%s/error", error);
    g_autofree char *text = g_strdup_printf("%d %.*s", EINVAL, MAX_WHY, why);

    remember_error(store, domid);
    store_write(store, node, text);
    if (device->state <= BACKENDD_INITIALISING) {
        backendd_store_remove(store, domid, device);
    } else if (store_number(store, path, "state")) {
        store_write(store, state, G_STRINGIFY(6));
    }
}

void backendd_store_clean(BackenddStore *store, unsigned int domid)
{
    g_autofree char *model =
        g_strdup_printf("/local/domain/%u/device-model/%u", store->domid,
                        domid);

    bool gone;

    /* In the control domain, the toolstack's own */
    if (store->domid == 0) {
        return;
    }
    gone = !xs_is_domain_introduced(store->xsh, domid);
    xs_rm(store->xsh, XBT_NULL, model);
    for (size_t k = 0; k < ARRAY_SIZE(other_kinds); k++) {
        g_autofree char *dir =
            g_strdup_printf("/local/domain/%u/backend/%s/%u", store->domid,
                            other_kinds[k], domid);
        unsigned int count = 0;
        char **names = xs_directory(store->xsh, XBT_NULL, dir, &count);

        for (unsigned int i = 0; names && i < MIN(count, MAX_DEVICES); i++) {
            g_autofree char *path = g_strdup_printf("%s/%s", dir, names[i]);

            if (gone || store_number(store, path, "online") != 1) {
                xs_rm(store->xsh, XBT_NULL, path);
            }
        }
        free(names);
    }
}

static void sweep_guest(BackenddStore *store, const char *kind,
                        unsigned int domid, bool runs)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u/backend/%s/%u",
                                           store->domid, kind, domid);
    unsigned int count = 0;
    char **names = xs_directory(store->xsh, XBT_NULL, dir, &count);

    for (unsigned int i = 0; names && i < MIN(count, MAX_DEVICES); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", dir, names[i]);
        g_autofree char *online = store_read(store, "%s/online", path);

        if (online && !strcmp(online, "0") &&
            (!runs || store_number(store, path, "state") ==
             BACKENDD_CLOSED)) {
            xs_rm(store->xsh, XBT_NULL, path);
        }
    }
    free(names);
    store_prune(store, dir);
}

void backendd_store_offer(BackenddStore *store, unsigned int domid)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u/backend/vkbd/%u",
                                           store->domid, domid);
    unsigned int count = 0;
    char **names = xs_directory(store->xsh, XBT_NULL, dir, &count);

    for (unsigned int i = 0; names && i < MIN(count, MAX_DEVICES); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", dir, names[i]);
        g_autofree char *state = g_strdup_printf("%s/state", path);

        if (store_number(store, path, "online") == 1 &&
            store_number(store, path, "state") > BACKENDD_INITIALISING) {
            store_write(store, state, G_STRINGIFY(1));
        }
    }
    free(names);
}

void backendd_store_sweep(BackenddStore *store,
                          bool (*runs)(void *opaque, unsigned int domid),
                          void *opaque)
{
    if (store->domid == 0) {
        return;
    }
    for (size_t k = 0; k < ARRAY_SIZE(other_kinds); k++) {
        g_autoptr(GArray) domids = list_guests(store, other_kinds[k]);

        for (guint i = 0; i < domids->len; i++) {
            unsigned int domid = g_array_index(domids, unsigned int, i);

            sweep_guest(store, other_kinds[k], domid, runs(opaque, domid));
        }
    }
}

/* Events */

static gboolean settled(gpointer opaque)
{
    BackenddStore *store = opaque;

    store->timer = 0;
    store->changed(store->opaque);
    return G_SOURCE_REMOVE;
}

static gboolean events_come(gint fd, GIOCondition condition, gpointer opaque)
{
    BackenddStore *store = opaque;
    char **event;
    int i = 0;

    while (i < MAX_EVENTS && (event = xs_check_watch(store->xsh))) {
        free(event);
        i++;
    }
    if (!i && errno != EAGAIN) {
        store->watch = 0;
        store->lost(store->opaque);
        return G_SOURCE_REMOVE;
    }
    if (i && !store->timer) {
        store->timer = g_timeout_add(SETTLE, settled, store);
    }
    return G_SOURCE_CONTINUE;
}

/* libxenstore tells who waits for events nothing of a connection's end */
static gboolean ask_for_life(gpointer opaque)
{
    BackenddStore *store = opaque;
    unsigned int len;
    char *raw = xs_read(store->xsh, XBT_NULL, "domid", &len);

    if (!raw && errno != ENOENT && errno != EACCES) {
        store->alive = 0;
        store->lost(store->opaque);
        return G_SOURCE_REMOVE;
    }
    free(raw);
    return G_SOURCE_CONTINUE;
}

static bool watch_kinds(BackenddStore *store, const char *const *names,
                        size_t count, GError **errp)
{
    for (size_t i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("/local/domain/%u/backend/%s",
                                                store->domid, names[i]);

        if (!xs_watch(store->xsh, path, names[i])) {
            g_set_error(errp, G_FILE_ERROR, g_file_error_from_errno(errno),
                        "cannot watch %s: %s", path, g_strerror(errno));
            return false;
        }
    }
    return true;
}

static bool open_watches(BackenddStore *store, GError **errp)
{
    g_autofree char *domid = NULL;

    store->xsh = xs_open(0);
    if (!store->xsh) {
        g_set_error(errp, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "cannot reach xenstore: %s", g_strerror(errno));
        return false;
    }
    /* A control domain may have none */
    domid = store_read(store, "domid");
    if (domid && !is_number(domid, MAX_DOMID - 1, &store->domid)) {
        g_set_error(errp, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "xenstore has '%s' for this domain's number", domid);
        return false;
    }
    return watch_kinds(store, kinds, ARRAY_SIZE(kinds), errp) &&
           (store->domid == 0 ||
            watch_kinds(store, other_kinds, ARRAY_SIZE(other_kinds), errp));
}

BackenddStore *backendd_store_open(void (*changed)(void *opaque),
                                   void (*lost)(void *opaque), void *opaque,
                                   GError **errp)
{
    g_autoptr(BackenddStore) store = g_new0(BackenddStore, 1);

    store->changed = changed;
    store->lost = lost;
    store->opaque = opaque;
    g_queue_init(&store->errors);
    if (!open_watches(store, errp)) {
        return NULL;
    }
    store->watch = g_unix_fd_add(xs_fileno(store->xsh), G_IO_IN | G_IO_HUP,
                                 events_come, store);
    store->alive = g_timeout_add_seconds(ALIVE, ask_for_life, store);
    return g_steal_pointer(&store);
}

void backendd_store_close(BackenddStore *store)
{
    if (!store) {
        return;
    }
    g_clear_handle_id(&store->watch, g_source_remove);
    g_clear_handle_id(&store->timer, g_source_remove);
    g_clear_handle_id(&store->alive, g_source_remove);
    g_queue_clear(&store->errors);
    if (store->xsh) {
        xs_close(store->xsh);
    }
    g_free(store);
}

unsigned int backendd_store_domid(const BackenddStore *store)
{
    return store->domid;
}
