/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor can see of a PV device.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor.h"
#include "qobject/qjson.h"
#include "qobject/qstring.h"
#include "xen-pv-emu.h"
#include "hw/xen/xen-pv-status.h"

/* ------------------------------------------------------------ for programs */

void xen_pv_status_add_cache(QDict *status, const XenPgdirMapper *mapper)
{
    QDict *cache = qdict_new();
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(mapper, &stats, sizeof(stats));
    qdict_put_int(cache, "buffers", stats.buffers);
    qdict_put_int(cache, "mapped-pages", stats.mapped_pages);
    qdict_put_int(cache, "pinned-pages", stats.pinned_pages);
    qdict_put_int(cache, "max-pages", stats.max_pages);
    qdict_put_int(cache, "common-pages", xen_pv_common_pages());
    qdict_put_int(cache, "common-max-pages", XEN_PV_COMMON_PAGES);
    qdict_put_int(cache, "mappings", stats.mappings);
    qdict_put_int(cache, "max-mappings", stats.max_mappings);
    qdict_put_int(cache, "copy-pages", stats.copy_pages);
    qdict_put_int(cache, "shared-pages", stats.shared_pages);
    qdict_put_int(cache, "kept-pages", stats.kept_pages);
    qdict_put_int(cache, "abandoned-pages", stats.abandoned_pages);
    qdict_put_int(cache, "directory-pages", stats.dir_pages);
    qdict_put_int(cache, "map-calls", stats.map_calls);
    qdict_put_int(cache, "unmap-calls", stats.unmap_calls);
    qdict_put_int(cache, "hits", stats.hits);
    qdict_put_int(cache, "misses", stats.misses);
    qdict_put_int(cache, "evictions", stats.evictions);
    qdict_put_int(cache, "revocations", stats.revocations);
    qdict_put_int(cache, "failures", stats.failures);
    qdict_put_str(cache, "way", xen_pv_mapper_way());
    qdict_put_int(cache, "copied-bytes", stats.copied_bytes);
    qdict_put_int(cache, "areas", xen_pv_emu_areas()->used);
    qdict_put_int(cache, "max-areas", xen_pv_emu_areas()->max);
    qdict_put(status, "cache", cache);
}

QDict *xen_pv_status(XenPvBackend *backend)
{
    XenPvBackendClass *class = XEN_PV_BACKEND_GET_CLASS(backend);
    XenDevice *xendev = &backend->xendev;
    QDict *status = qdict_new();

    if (xendev->backend_path) {
        qdict_put_str(status, "path", xendev->backend_path);
    }
    qdict_put_bool(status, "connected", backend->connected);
    qdict_put_int(status, "backend-state", xendev->backend_state);
    qdict_put_int(status, "frontend-state", xendev->frontend_state);
    qdict_put_int(status, "load-waits", backend->load.waits);
    qdict_put_int(status, "load-us", backend->load.used / SCALE_US);
    if (backend->last_error) {
        qdict_put_str(status, "last-error", backend->last_error);
    }
    if (class->describe && DEVICE(backend)->realized) {
        class->describe(backend, status);
    }

    return status;
}

static void get_status(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    QDict *status = xen_pv_status(XEN_PV_BACKEND(obj));
    QObject *any = QOBJECT(status);

    visit_type_any(v, name, &any, errp);
    qobject_unref(status);
}

/* -------------------------------------------------------------- for people */

static void append_value(GString *line, QObject *value)
{
    g_autoptr(GString) json = NULL;

    if (qobject_type(value) == QTYPE_QSTRING) {
        g_string_append(line, qstring_get_str(qobject_to(QString, value)));
        return;
    }
    json = qobject_to_json(value);
    g_string_append(line, json->str);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A dictionary has no order of its own; the strings stay the dictionary's */
static GPtrArray *sorted_keys(const QDict *dict)
{
    GPtrArray *keys = g_ptr_array_new();
    const QDictEntry *entry;

    for (entry = qdict_first(dict); entry; entry = qdict_next(dict, entry)) {
        g_ptr_array_add(keys, (char *)qdict_entry_key(entry));
    }
    g_ptr_array_sort(keys, compare_names);

    return keys;
}

/* "name: key value, key value, ..." */
static void add_line(QList *lines, const char *name, QObject *value)
{
    g_autoptr(GString) line = g_string_new(name);
    g_autoptr(GPtrArray) keys = NULL;
    QDict *dict = qobject_to(QDict, value);
    const char *separator = ": ";
    guint i;

    if (!dict) {
        g_string_append(line, separator);
        append_value(line, value);
        qlist_append_str(lines, line->str);
        return;
    }
    keys = sorted_keys(dict);
    for (i = 0; i < keys->len; i++) {
        const char *key = g_ptr_array_index(keys, i);

        g_string_append_printf(line, "%s%s ", separator, key);
        append_value(line, qdict_get(dict, key));
        separator = ", ";
    }
    qlist_append_str(lines, line->str);
}

/* "name 0: ...", "name 1: ...", ... */
static void add_list(QList *lines, const char *name, const QList *list)
{
    const QListEntry *item;
    unsigned int i = 0;

    QLIST_FOREACH_ENTRY(list, item) {
        g_autofree char *numbered = g_strdup_printf("%s %u", name, i++);

        add_line(lines, numbered, qlist_entry_obj(item));
    }
}

static QList *to_lines(const QDict *status)
{
    g_autoptr(GPtrArray) keys = sorted_keys(status);
    QList *lines = qlist_new();
    guint i;

    for (i = 0; i < keys->len; i++) {
        const char *key = g_ptr_array_index(keys, i);
        QObject *value = qdict_get(status, key);
        QList *list = qobject_to(QList, value);

        if (list) {
            add_list(lines, key, list);
        } else {
            add_line(lines, key, value);
        }
    }

    return lines;
}

static void get_summary(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    QDict *status = xen_pv_status(XEN_PV_BACKEND(obj));
    QList *lines = to_lines(status);
    QObject *any = QOBJECT(lines);

    visit_type_any(v, name, &any, errp);
    qobject_unref(lines);
    qobject_unref(status);
}

void xen_pv_status_add_properties(ObjectClass *class)
{
    object_class_property_add(class, "status", "dict", get_status, NULL, NULL,
                              NULL);
    object_class_property_set_description(class, "status",
        "what the device does, for programs");
    object_class_property_add(class, "summary", "list of lines", get_summary,
                              NULL, NULL, NULL);
    object_class_property_set_description(class, "summary",
        "what the device does, for people");
}
