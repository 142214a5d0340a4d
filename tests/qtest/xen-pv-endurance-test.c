/*
 * QTest of PV cards over a long time: whatever is done ten thousand times,
 * nothing grows
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"

#include "../frontend/xen-front-sound.h"
#include "xen-pv-proc.h"
#include "xen-pv-qtest.h"

#define CARDS   XEN_PV_TEST_CLOSING "1 " \
                "-device xen-pvdisplay,id=disp,connectors='64x64;64x64'," \
                "refresh-rate=1000,max-connects=0,max-load=100 " \
                "-audiodev none,id=snd " \
                "-device xen-pvsound,id=sound,streams=pc,audiodev=snd," \
                "max-connects=0,max-load=100 "

/*
 * Linux's grant devices take the next free slots, and the tables of their
 * models are memory of QEMU: so small that the warm-up touches all of it
 */
#define MODEL   ",limit=1024,maptrack=1024"

/* How often, unless XEN_PV_ENDURANCE says how many percent of it */
#define CYCLES  10000
#define FLIPS   1000000

/* Before the first look: what is allocated once is there by then */
#define WARM_UP_CYCLES  500
#define WARM_UP_FLIPS   20000

/* Requests that are in the ring at once */
#define BATCH   32

/* Looks at the memory after the last of which it was less than before */
#define SETTLED_LOOKS   200

/* A heap is not the same to the page after the same work */
#define SLACK_KIB       1024

/**
 * struct Sizes - what may not grow
 *
 * @heap_kib: memory of QEMU's own, KiB: not shared with anybody
 * @files: open descriptors
 * @threads: threads
 * @areas: mapped areas of memory
 * @mappings: those of the display, by its own count
 * @mapped, @shared, @refs, @ports, @handles: what the fake Xen has given out
 * @nodes: nodes in xenstore below the domain and below the backend
 */
typedef struct Sizes {
    uint64_t heap_kib;
    uint64_t files;
    uint64_t threads;
    uint64_t areas;
    uint64_t mappings;
    uint64_t mapped;
    uint64_t shared;
    uint64_t refs;
    uint64_t ports;
    uint64_t handles;
    uint64_t nodes;
} Sizes;

typedef struct Scene {
    XenPvTest test;
    XenFrontSound *sound;
} Scene;

static uint64_t how_often(uint64_t count)
{
    const char *percent = g_getenv("XEN_PV_ENDURANCE");

    return percent ? MAX(count * g_ascii_strtoull(percent, NULL, 10) / 100, 1)
                   : count;
}

/* ------------------------------------------------------------------ sizes */

static uint64_t private_kib(pid_t pid)
{
    return xen_pv_proc_number(pid, "smaps_rollup", "Private_Dirty:");
}

typedef struct Settling {
    pid_t pid;
    uint64_t least;
    unsigned int looks;
} Settling;

static bool has_settled(void *opaque)
{
    Settling *settling = opaque;
    uint64_t kib = private_kib(settling->pid);

    settling->looks++;
    if (kib < settling->least) {
        settling->least = kib;
        settling->looks = 0;
    }
    return settling->looks == SETTLED_LOOKS;
}

/* QEMU frees much of what it had a little later, in a thread of its own */
static uint64_t settled_kib(Scene *s)
{
    Settling settling = { qtest_pid(s->test.qts), UINT64_MAX };

    g_assert_true(xen_guest_wait(s->test.guest, has_settled, &settling,
                                 XEN_GUEST_DEADLINE));
    return settling.least;
}

static uint64_t count_nodes(XenGuest *guest, const char *path)
{
    g_auto(GStrv) names = xen_guest_list(guest, path);
    uint64_t count = 1;
    char **name;

    for (name = names; name && *name && **name; name++) {
        g_autofree char *below = g_strdup_printf("%s/%s", path, *name);

        count += count_nodes(guest, below);
    }
    return count;
}

static uint64_t count_mappings(Scene *s)
{
    QObject *status = xen_pv_test_get(&s->test, "disp", "status");
    QDict *cache = qdict_get_qdict(qobject_to(QDict, status), "cache");
    uint64_t count = qdict_get_int(cache, "mappings");

    qobject_unref(status);
    return count;
}

static void take_sizes(Scene *s, Sizes *sizes)
{
    pid_t pid = qtest_pid(s->test.qts);
    XenGuestStats stats;

    g_assert_cmpint(xen_guest_stats(s->test.guest, &stats), ==, 0);
    sizes->heap_kib = settled_kib(s);
    sizes->files = xen_pv_proc_entries(pid, "fd");
    sizes->threads = xen_pv_proc_entries(pid, "task");
    sizes->areas = xen_pv_proc_areas(pid);
    sizes->mappings = count_mappings(s);
    sizes->mapped = stats.mapped;
    sizes->shared = stats.shared;
    sizes->refs = stats.refs;
    sizes->ports = stats.ports;
    sizes->handles = stats.handles;
    sizes->nodes = count_nodes(s->test.guest, "/local/domain");
}

static void print_row(const char *what, uint64_t before, uint64_t after,
                      uint64_t times)
{
    printf("# %-28s %12" PRIu64 " %12" PRIu64 " %14.6f\n", what, before,
           after, ((double)after - (double)before) / times);
}

/* The table, and the verdict */
static void compare(const char *what, uint64_t times, const Sizes *before,
                    const Sizes *after)
{
    printf("# %s: %" PRIu64 " times\n", what, times);
    printf("# %-28s %12s %12s %14s\n", "", "before", "after",
           "growth of each");
    print_row("private memory, KiB", before->heap_kib, after->heap_kib,
              times);
    print_row("open descriptors", before->files, after->files, times);
    print_row("threads", before->threads, after->threads, times);
    print_row("areas of memory", before->areas, after->areas, times);
    print_row("mappings of the display", before->mappings, after->mappings,
              times);
    print_row("map-track entries", before->mapped, after->mapped, times);
    print_row("shared pages", before->shared, after->shared, times);
    print_row("references in use", before->refs, after->refs, times);
    print_row("bound ports", before->ports, after->ports, times);
    print_row("open grant devices", before->handles, after->handles, times);
    print_row("nodes in xenstore", before->nodes, after->nodes, times);

    g_assert_cmpuint(after->files, ==, before->files);
    g_assert_cmpuint(after->threads, <=, before->threads);
    g_assert_cmpuint(after->mappings, ==, before->mappings);
    g_assert_cmpuint(after->mapped, ==, before->mapped);
    g_assert_cmpuint(after->shared, ==, before->shared);
    g_assert_cmpuint(after->refs, ==, before->refs);
    g_assert_cmpuint(after->ports, ==, before->ports);
    g_assert_cmpuint(after->handles, ==, before->handles);
    g_assert_cmpuint(after->nodes, ==, before->nodes);
    /* Neither grows with the number, whatever an allocator keeps */
    g_assert_cmpuint(after->heap_kib, <=, before->heap_kib + SLACK_KIB);
    g_assert_cmpuint(after->areas, <=, before->areas + 16);
}

/* ------------------------------------------------------------------- work */

static void scene_start(Scene *s)
{
    xen_pv_test_start(&s->test, MODEL, CARDS);
    s->sound = xen_front_sound_new(s->test.guest, 0);
}

static void scene_end(Scene *s)
{
    g_assert_cmpuint(xen_front_sound_free(s->sound), ==, 0);
    xen_pv_test_end(&s->test);
}

/* All that a guest does in a short life, with a display and a sound card */
static void live(Scene *s)
{
    XenFrontDisplay *display = s->test.display;
    XenFrontBuffer *buffer;
    XenFrontStream *stream;

    xen_pv_test_connect(display);
    g_assert_cmpint(xen_front_sound_connect(s->sound), ==, 0);
    buffer = xen_front_buffer_new(s->test.guest, 64, 64, 1);
    g_assert_nonnull(buffer);
    g_assert_cmpint(xen_front_buffer_attach(display, buffer), ==, 0);
    g_assert_cmpint(xen_front_set_config(&display->connectors[0], buffer->fb,
                                         0, 0, 64, 64, 32), ==, 0);
    g_assert_cmpint(xen_front_flip(&display->connectors[0], buffer->fb), ==,
                    0);
    stream = &s->sound->streams[0];
    g_assert_cmpint(xen_front_stream_open(stream, 48000,
                                          XENSND_PCM_FORMAT_S16_LE, 2, 8192,
                                          4096), ==, 0);
    g_assert_cmpint(xen_front_stream_trigger(stream,
                                             XENSND_OP_TRIGGER_START), ==, 0);
    g_assert_cmpint(xen_front_stream_close(stream), ==, 0);
    g_assert_cmpint(xen_front_sound_unload(s->sound), ==, 0);
    g_assert_cmpint(xen_front_display_unload(display), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
}

static void live_often(Scene *s, uint64_t times)
{
    while (times--) {
        live(s);
    }
}

static void test_cycles(void)
{
    uint64_t times = how_often(CYCLES);
    Sizes before, after;
    Scene s;

    scene_start(&s);
    live_often(&s, how_often(WARM_UP_CYCLES));
    take_sizes(&s, &before);
    live_often(&s, times);
    take_sizes(&s, &after);
    compare("connect, show, flip, play, disconnect", times, &before, &after);
    scene_end(&s);
}

/* As many as the ring has room for, then their answers, then their events */
static void flip_batch(Scene *s, XenFrontBuffer **buffers)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    XenFrontConnector *c = &s->test.display->connectors[0];
    struct xendispl_resp resp;
    uint64_t due = c->events + BATCH;
    int i;

    for (i = 0; i < BATCH; i++) {
        req.op.pg_flip.fb_cookie = buffers[i & 1]->fb;
        xen_front_send(c, &req);
    }
    for (i = 0; i < BATCH; i++) {
        g_assert_cmpint(xen_front_receive(c, &resp, XEN_GUEST_DEADLINE), ==,
                        0);
        g_assert_cmpint(resp.status, ==, 0);
    }
    qtest_clock_step(s->test.qts, BATCH * 1000000ll);
    g_assert_true(xen_front_wait_events(c, due, XEN_GUEST_DEADLINE));
    g_assert_cmpuint(c->events, ==, due);
}

static void flip_often(Scene *s, XenFrontBuffer **buffers, uint64_t times)
{
    uint64_t done;

    for (done = 0; done < times; done += BATCH) {
        flip_batch(s, buffers);
    }
}

static void test_flips(void)
{
    uint64_t times = how_often(FLIPS);
    XenFrontBuffer *buffers[2];
    Sizes before, after;
    Scene s;
    int i;

    scene_start(&s);
    xen_pv_test_connect(s.test.display);
    for (i = 0; i < 2; i++) {
        buffers[i] = xen_front_buffer_new(s.test.guest, 64, 64, i + 1);
        g_assert_nonnull(buffers[i]);
        g_assert_cmpint(xen_front_buffer_attach(s.test.display, buffers[i]),
                        ==, 0);
    }
    g_assert_cmpint(xen_front_set_config(&s.test.display->connectors[0],
                                         buffers[0]->fb, 0, 0, 64, 64, 32),
                    ==, 0);
    flip_often(&s, buffers, how_often(WARM_UP_FLIPS));
    take_sizes(&s, &before);
    flip_often(&s, buffers, times);
    take_sizes(&s, &after);
    compare("flip, its answer and its event", times, &before, &after);
    g_assert_cmpuint(s.test.display->connectors[0].bad_events, ==, 0);

    xen_pv_test_unload(&s.test);
    for (i = 0; i < 2; i++) {
        g_assert_cmpuint(xen_front_buffer_free(buffers[i]), ==, 0);
    }
    scene_end(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    setlinebuf(stdout);
    qtest_add_func("xen-pv-endurance/cycles", test_cycles);
    qtest_add_func("xen-pv-endurance/flips", test_flips);
    return g_test_run();
}
