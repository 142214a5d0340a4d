/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen-pv-backendd: run a QEMU for each guest whose PV display or PV sound card
 * has its backend in this domain
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>

#include <glib-unix.h>

#include "backendd-guest.h"
#include "backendd-store.h"

#define DEFAULT_CONFIG  "/etc/xen-pv-backendd.conf"
#define VERSION         "0.1"

/* How long QEMU may take to let go of devices that are to go, in seconds */
#define CLOSING         15

typedef struct Served {
    BackenddGuest *process;
    /* Runs while no device of the guest is wanted any more */
    guint closing;
} Served;

typedef struct Service {
    GMainLoop *loop;
    const char *file;
    BackenddConfig *config;
    BackenddStore *store;
    /* Of Served, by the guest's number */
    GHashTable *guests;
    bool ending;
    int status;
} Service;

static void service_log(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

static void service_log(const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fprintf(stderr, "xen-pv-backendd: %s\n", text);
}

static BackenddConfig *load_config(const char *file, GError **errp)
{
    g_autofree char *text = NULL;
    gsize len;

    if (!g_file_get_contents(file, &text, &len, errp)) {
        return NULL;
    }
    return backendd_config_parse(text, len, file, errp);
}

/* Guests */

static void served_free(void *data)
{
    Served *served = data;

    g_clear_handle_id(&served->closing, g_source_remove);
    backendd_guest_free(served->process);
    g_free(served);
}

static Served *find_guest(Service *s, unsigned int domid)
{
    return g_hash_table_lookup(s->guests, GUINT_TO_POINTER(domid));
}

static void look_again(void *opaque);

static void guest_log(void *opaque, const char *text)
{
    service_log("%s", text);
}

static void guest_starting(void *opaque, BackenddGuest *process)
{
    Service *s = opaque;

    backendd_store_offer(s->store, backendd_guest_domid(process));
}

static void guest_ended(void *opaque, BackenddGuest *process)
{
    Service *s = opaque;
    unsigned int domid = backendd_guest_domid(process);

    g_hash_table_remove(s->guests, GUINT_TO_POINTER(domid));
    if (!s->ending) {
        backendd_store_clean(s->store, domid);
        look_again(s);
    } else if (!g_hash_table_size(s->guests)) {
        g_main_loop_quit(s->loop);
    }
}

/* Returns: whether there was one to refuse */
static bool refuse_all(Service *s, unsigned int domid, GPtrArray *devices,
                       const char *why)
{
    bool refused = false;

    for (guint i = 0; i < devices->len; i++) {
        const BackenddDevice *device = g_ptr_array_index(devices, i);

        if (device->online && device->state != BACKENDD_CLOSED) {
            backendd_store_refuse(s->store, domid, device, why);
            refused = true;
        }
    }
    return refused;
}

static void guest_failed(void *opaque, BackenddGuest *process, const char *why)
{
    Service *s = opaque;
    unsigned int domid = backendd_guest_domid(process);
    g_autoptr(GHashTable) all = backendd_store_read(s->store);
    GPtrArray *devices = g_hash_table_lookup(all, GUINT_TO_POINTER(domid));

    if (devices) {
        refuse_all(s, domid, devices, why);
    }
}

static unsigned int free_slot(Service *s)
{
    unsigned int slot;

    for (slot = 0; slot < s->config->max_guests; slot++) {
        GHashTableIter iter;
        void *value;
        bool taken = false;

        g_hash_table_iter_init(&iter, s->guests);
        while (!taken && g_hash_table_iter_next(&iter, NULL, &value)) {
            taken = backendd_guest_slot(((Served *)value)->process) == slot;
        }
        if (!taken) {
            break;
        }
    }
    return slot;
}

static void start_guest(Service *s, unsigned int domid, Served *served)
{
    g_autofree char *name = backendd_store_name(s->store, domid);

    backendd_guest_start(served->process,
                         backendd_config_find(s->config, name), name);
}

static void new_guest(Service *s, unsigned int domid, GPtrArray *devices)
{
    static const BackenddGuestOps ops = {
        .log = guest_log, .starting = guest_starting, .ended = guest_ended,
        .failed = guest_failed,
    };
    unsigned int slot = free_slot(s);
    Served *served;

    if (slot == s->config->max_guests) {
        g_autofree char *why = g_strdup_printf(
            "%u guests are served, as many as max-guests allows", slot);

        if (refuse_all(s, domid, devices, why)) {
            service_log("guest %u: %s", domid, why);
        }
        return;
    }
    served = g_new0(Served, 1);
    served->process = backendd_guest_new(domid, slot, &backendd_times, &ops,
                                         s);
    g_hash_table_insert(s->guests, GUINT_TO_POINTER(domid), served);
    start_guest(s, domid, served);
}

static gboolean closing_ends(gpointer opaque)
{
    Served *served = opaque;

    served->closing = 0;
    service_log("guest %u: QEMU does not let go of its devices",
                backendd_guest_domid(served->process));
    backendd_guest_stop(served->process);
    return G_SOURCE_REMOVE;
}

static void remove_offline(Service *s, unsigned int domid, GPtrArray *devices)
{
    for (guint i = 0; i < devices->len; i++) {
        const BackenddDevice *device = g_ptr_array_index(devices, i);

        if (!device->online) {
            backendd_store_remove(s->store, domid, device);
        }
    }
}

/* Whether there are devices to serve, that wait for it, and are served */
static void look_at_devices(GPtrArray *devices, bool *wanted, bool *waiting,
                            bool *serves)
{
    *wanted = *waiting = *serves = false;
    for (guint i = 0; i < devices->len; i++) {
        const BackenddDevice *device = g_ptr_array_index(devices, i);

        *wanted |= device->online;
        *waiting |= device->online && device->state == BACKENDD_INITIALISING;
        *serves |= device->state >= BACKENDD_INIT_WAIT &&
                   device->state <= BACKENDD_CONNECTED;
    }
}

static void look_at_guest(Service *s, unsigned int domid, GPtrArray *devices)
{
    Served *served = find_guest(s, domid);
    bool wanted, waiting, serves;

    look_at_devices(devices, &wanted, &waiting, &serves);
    if (!served) {
        if (backendd_store_has_model(s->store, domid)) {
            return;
        }
        if (wanted) {
            new_guest(s, domid, devices);
        } else {
            remove_offline(s, domid, devices);
        }
        return;
    }
    if (wanted) {
        g_clear_handle_id(&served->closing, g_source_remove);
    }
    switch (backendd_guest_state(served->process)) {
    case BACKENDD_RUNNING:
        if (serves) {
            backendd_guest_serves(served->process);
        }
        if (!wanted && !served->closing) {
            served->closing = g_timeout_add_seconds(CLOSING, closing_ends,
                                                    served);
        }
        break;
    case BACKENDD_WAITING:
        if (!wanted) {
            backendd_guest_stop(served->process);
        }
        break;
    case BACKENDD_FAILED:
        if (waiting) {
            start_guest(s, domid, served);
        } else {
            remove_offline(s, domid, devices);
        }
        break;
    case BACKENDD_ENDING:
    case BACKENDD_IDLE:
        break;
    }
}

/* A guest that has no devices any more needs no QEMU */
static void stop_others(Service *s, GHashTable *all)
{
    GHashTableIter iter;
    void *key, *value;

    g_hash_table_iter_init(&iter, s->guests);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Served *served = value;

        if (!g_hash_table_contains(all, key)) {
            g_clear_handle_id(&served->closing, g_source_remove);
            backendd_guest_stop(served->process);
        }
    }
}

static bool guest_runs(void *opaque, unsigned int domid)
{
    Served *served = find_guest(opaque, domid);

    return served && backendd_guest_pid(served->process);
}

static void look_again(void *opaque)
{
    Service *s = opaque;
    g_autoptr(GHashTable) all = NULL;
    GHashTableIter iter;
    void *key, *value;

    if (s->ending) {
        return;
    }
    all = backendd_store_read(s->store);
    stop_others(s, all);
    g_hash_table_iter_init(&iter, all);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        look_at_guest(s, GPOINTER_TO_UINT(key), value);
    }
    backendd_store_sweep(s->store, guest_runs, s);
}

/* The service */

static void store_lost(void *opaque)
{
    Service *s = opaque;

    service_log("xenstore does not answer any more");
    s->status = EXIT_FAILURE;
    g_main_loop_quit(s->loop);
}

static gboolean reload(gpointer opaque)
{
    Service *s = opaque;
    g_autoptr(GError) err = NULL;
    BackenddConfig *config = load_config(s->file, &err);
    GHashTableIter iter;
    void *key, *value;

    if (!config) {
        service_log("%s; the old configuration is kept", err->message);
        return G_SOURCE_CONTINUE;
    }
    backendd_config_free(s->config);
    s->config = config;
    service_log("read %s again, for guests that are started from now on",
                s->file);
    g_hash_table_iter_init(&iter, s->guests);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Served *served = value;

        if (backendd_guest_state(served->process) == BACKENDD_FAILED) {
            start_guest(s, GPOINTER_TO_UINT(key), served);
        }
    }
    look_again(s);
    return G_SOURCE_CONTINUE;
}

/* QEMU leaves the devices to the one that the next service starts */
static gboolean end(gpointer opaque)
{
    Service *s = opaque;
    GHashTableIter iter;
    void *value;

    s->ending = true;
    g_hash_table_iter_init(&iter, s->guests);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        backendd_guest_stop(((Served *)value)->process);
    }
    if (!g_hash_table_size(s->guests)) {
        g_main_loop_quit(s->loop);
    }
    return G_SOURCE_CONTINUE;
}

static bool serve(Service *s, GError **errp)
{
    bool open;

    s->loop = g_main_loop_new(NULL, false);
    s->guests = g_hash_table_new_full(NULL, NULL, NULL, served_free);
    s->store = backendd_store_open(look_again, store_lost, s, errp);
    open = s->store;
    if (open) {
        service_log("serves guests of domain %u, at most %u at once",
                    backendd_store_domid(s->store), s->config->max_guests);
        g_unix_signal_add(SIGTERM, end, s);
        g_unix_signal_add(SIGINT, end, s);
        g_unix_signal_add(SIGHUP, reload, s);
        g_main_loop_run(s->loop);
    }
    g_hash_table_unref(s->guests);
    backendd_store_close(s->store);
    g_main_loop_unref(s->loop);
    return open;
}

static bool parse_options(int *argc, char ***argv, char **file,
                          gboolean *check, GError **errp)
{
    gboolean version = false;
    const GOptionEntry entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, file,
          "Read this file instead of " DEFAULT_CONFIG, "FILE" },
        { "check", 0, 0, G_OPTION_ARG_NONE, check,
          "Only say whether the configuration is right", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &version,
          "Print the version", NULL },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(
        "- run a QEMU for each guest with a PV display or sound card here");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, errp)) {
        return false;
    }
    if (*argc > 1) {
        g_set_error(errp, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "there is no argument '%s': try --help", (*argv)[1]);
        return false;
    }
    if (version) {
        printf("xen-pv-backendd " VERSION "\n");
        exit(EXIT_SUCCESS);
    }
    return true;
}

int main(int argc, char **argv)
{
    g_autofree char *file = NULL;
    g_autoptr(GError) err = NULL;
    gboolean check = false;
    Service s = { .status = EXIT_SUCCESS };

    if (!parse_options(&argc, &argv, &file, &check, &err)) {
        service_log("%s", err->message);
        return 2;
    }
    s.file = file ?: DEFAULT_CONFIG;
    s.config = load_config(s.file, &err);
    if (!s.config || (!check && !serve(&s, &err))) {
        service_log("%s", err->message);
        s.status = EXIT_FAILURE;
    }
    backendd_config_free(s.config);
    return s.status;
}
