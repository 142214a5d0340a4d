/*
 * What attacks on PV cards take of a host's finite things
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"

#include "../frontend/xen-guest-testbed.h"
#include "xen-pv-proc.h"
#include "xen-pv-resources.h"

/**
 * struct Resource - one of a host's finite things
 *
 * @name: what it is
 * @limit: how much more of it there may be than before the first attack
 * @worst: how much there was
 * @attack: when
 */
typedef struct Resource {
    const char *name;
    uint64_t limit;
    uint64_t worst;
    char attack[64];
} Resource;

/* What AddressSanitizer keeps of freed memory, with its notes of that */
#define QUARANTINE_MIB  "16"
#define SANITIZER_KIB   49152

/* What a card may take at once of the main loop's time */
#define BURST_US    100000

/*
 * The first is the default of max-mappings.  The fake Xen makes an area of each
 * page, so that what bounds entries of the map track bounds areas.  Log lines:
 * ten at once of each of the two cards that are attacked.  The last is the
 * test's max-load, and five more.
 */
static Resource resources[XEN_PV_RESOURCES] = {
    [XEN_PV_RESOURCE_CACHE] = { "mappings of a display", 256 },
    [XEN_PV_RESOURCE_AREAS] = { "areas of memory", 4608 },
    [XEN_PV_RESOURCE_MAPPED] = { "map-track entries", 4608 },
    [XEN_PV_RESOURCE_SHARED] = { "shared pages", 64 },
    [XEN_PV_RESOURCE_THREADS] = { "threads", 4 },
    [XEN_PV_RESOURCE_FILES] = { "open descriptors", 16 },
    [XEN_PV_RESOURCE_MEMORY] = { "private memory, KiB", 16384 },
    [XEN_PV_RESOURCE_LINES] = { "log lines at once", 20 },
    [XEN_PV_RESOURCE_LOAD] = { "percent of the main loop", 10 },
};

static uint64_t log_lines(XenPvResources *r)
{
    g_autofree char *path = g_build_filename(r->test->dir, "log", NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return xen_pv_count_lines(text);
}

/* An attack may have had the card taken away: NULL */
static QDict *card_status(XenPvResources *r, const char *id)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    QDict *response = qtest_qmp(r->test->qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': %s, "
                                "'property': 'status' } }", path);
    QDict *status = qdict_get_qdict(response, "return");

    qobject_ref(status);
    qobject_unref(response);
    return status;
}

static uint64_t cache_number(XenPvResources *r, const char *key)
{
    QDict *status = card_status(r, r->loads[0].id);
    QDict *cache = status ? qdict_get_qdict(status, "cache") : NULL;
    uint64_t count = cache ? qdict_get_int(cache, key) : 0;

    qobject_unref(status);
    return count;
}

static uint64_t load_us(XenPvResources *r, const XenPvLoadWindow *window)
{
    QDict *status = card_status(r, window->id);
    uint64_t us;

    g_assert_nonnull(status);
    us = qdict_get_int(status, "load-us");
    qobject_unref(status);
    return us;
}

static void measure(XenPvResources *r, uint64_t now[XEN_PV_RESOURCES])
{
    pid_t pid = qtest_pid(r->test->qts);
    uint64_t seconds = (g_get_monotonic_time() - r->begun) / G_USEC_PER_SEC;
    uint64_t lines = log_lines(r) - r->lines;
    XenGuestStats stats;

    g_assert_cmpint(xen_guest_stats(r->test->guest, &stats), ==, 0);
    now[XEN_PV_RESOURCE_CACHE] = cache_number(r, "mappings");
    now[XEN_PV_RESOURCE_AREAS] = xen_pv_proc_areas(pid);
    now[XEN_PV_RESOURCE_MAPPED] = stats.peak;
    now[XEN_PV_RESOURCE_SHARED] = stats.shared;
    now[XEN_PV_RESOURCE_THREADS] = xen_pv_proc_entries(pid, "task");
    now[XEN_PV_RESOURCE_FILES] = xen_pv_proc_entries(pid, "fd");
    now[XEN_PV_RESOURCE_MEMORY] = xen_pv_proc_number(pid, "status", "RssAnon:");
    now[XEN_PV_RESOURCE_LINES] = lines - MIN(lines, seconds);
    now[XEN_PV_RESOURCE_LOAD] = 0;
}

void xen_pv_resources_init(void)
{
    const char *old = g_getenv("ASAN_OPTIONS");
    g_autofree char *options =
        g_strdup_printf("%s:quarantine_size_mb=" QUARANTINE_MIB, old ?: "");

    g_setenv("ASAN_OPTIONS", options, true);
    /* Debian's QEMU has no sanitizer */
    if (!g_getenv("XEN_PV_PLUGIN")) {
        resources[XEN_PV_RESOURCE_MEMORY].limit += SANITIZER_KIB;
    }
}

void xen_pv_resources_start(XenPvResources *r, XenPvTest *test,
                            const char *display, const char *sound)
{
    XenGuestStats stats;

    r->test = test;
    r->loads[0].id = display;
    r->loads[1].id = sound;
    /* It makes all of its classes when it first looks through them: 50 MiB */
    qtest_qmp_assert_success(test->qts, "{ 'execute': 'qom-list-types' }");
    xen_pv_resources_begin(r);
    measure(r, r->idle);
    /* Measured is the most there were, to be compared with what there is */
    g_assert_cmpint(xen_guest_stats(test->guest, &stats), ==, 0);
    r->idle[XEN_PV_RESOURCE_MAPPED] = stats.mapped;
}

void xen_pv_resources_begin(XenPvResources *r)
{
    r->begun = g_get_monotonic_time();
    r->lines = log_lines(r);
    memset(r->told, 0, sizeof(r->told));
}

/* Whether that is within the limit */
static bool compare(XenPvResources *r, int which, const char *attack,
                    uint64_t more)
{
    Resource *resource = &resources[which];

    if (more > resource->worst) {
        resource->worst = more;
        g_strlcpy(resource->attack, attack, sizeof(resource->attack));
    }
    if (more <= resource->limit) {
        return true;
    }
    if (!r->told[which]) {
        g_test_message("%s: %s: %" PRIu64 ", limit is %" PRIu64, attack,
                       resource->name, more, resource->limit);
        r->told[which] = true;
    }
    return false;
}

bool xen_pv_resources_look(XenPvResources *r, const char *group,
                           const char *name)
{
    g_autofree char *attack = g_strdup_printf("%s/%s", group, name);
    uint64_t now[XEN_PV_RESOURCES];
    bool ok = true;
    int i;

    measure(r, now);
    for (i = 0; i < XEN_PV_RESOURCES; i++) {
        ok &= compare(r, i, attack, now[i] - MIN(now[i], r->idle[i]));
    }
    return ok;
}

bool xen_pv_resources_answered(XenPvResources *r, bool sound,
                               const char *group, const char *name)
{
    XenPvLoadWindow *window = &r->loads[sound];
    int64_t before = g_get_monotonic_time();
    uint64_t used = load_us(r, window);
    uint64_t us = used - window->used;
    uint64_t time = g_get_monotonic_time() - window->since;
    bool ok = true;

    if (used < window->used) {
        /* It was taken away and made anew */
        us = used;
    }
    if (*window->attack) {
        r->told[XEN_PV_RESOURCE_LOAD] = false;
        ok = compare(r, XEN_PV_RESOURCE_LOAD, window->attack,
                     (us - MIN(us, BURST_US)) * 100 / time);
    }
    snprintf(window->attack, sizeof(window->attack), "%s%s%s", group ?: "",
             group ? "/" : "", name ?: "");
    window->since = before;
    window->used = used;
    return ok;
}

bool xen_pv_resources_left(XenPvResources *r, const char *group)
{
    static const int kinds[] = {
        XEN_PV_RESOURCE_CACHE, XEN_PV_RESOURCE_MAPPED, XEN_PV_RESOURCE_THREADS,
        XEN_PV_RESOURCE_FILES
    };
    uint64_t now[XEN_PV_RESOURCES];
    XenGuestStats stats;
    bool ok = true;
    int i;

    measure(r, now);
    g_assert_cmpint(xen_guest_stats(r->test->guest, &stats), ==, 0);
    now[XEN_PV_RESOURCE_MAPPED] = stats.mapped;
    if (cache_number(r, "kept-pages")) {
        /* Each range of them is one of the mappings */
        now[XEN_PV_RESOURCE_CACHE] = 0;
    }
    printf("# %s: growth", group);
    for (i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint64_t more = now[kinds[i]] - MIN(now[kinds[i]], r->idle[kinds[i]]);

        printf("%s %" PRIu64 " %s", i ? "," : "", more,
               resources[kinds[i]].name);
        ok &= !more;
    }
    printf("\n");
    return ok;
}

void xen_pv_resources_print(void)
{
    int i;

    printf("# %-24s %8s %8s %s\n", "resource", "limit", "at worst", "attack");
    for (i = 0; i < XEN_PV_RESOURCES; i++) {
        Resource *resource = &resources[i];

        printf("# %-24s %8" PRIu64 " %8" PRIu64 " %s\n", resource->name,
               resource->limit, resource->worst,
               resource->worst ? resource->attack : "-");
    }
}
