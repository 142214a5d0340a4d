/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmark of one PV display while another device of QEMU is in a storm
 *
 *   bench-storm --qemu PROGRAM [--json FILE]
 *
 * Measured is the time from a PG_FLIP of a well-behaved display to its
 * response, and from a question to QEMU's monitor to its answer: without
 * anything else, and under each of the storms, in turn and in one run.
 *
 * The fake Xen takes the guest's notifications from a socket that QEMU's main
 * loop reads, so a storm of events costs more here than on Xen.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../tests/frontend/xen-guest-testbed.h"
#include "../tests/frontend/xen-storm.h"
#include "bench-util.h"

/* Samples of each round, and rounds: quiet and stormy ones in turn */
#define SAMPLES     100
#define ROUNDS      3

/* Between two samples, us */
#define PAUSE       2000

/* One question to the monitor in so many samples */
#define ASK_EVERY   10

typedef struct Bench {
    char *dir;
    GPid pid;
    int qmp;
    XenGuest *guest;
    XenFrontDisplay *display;
    XenFrontBuffer *buffers[2];
    uint64_t flips;
    XenAttacker attacker;
    GString *json;
} Bench;

/* QEMU, and its monitor */

static int qmp_connect(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    must(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0,
         "the monitor's socket");
    return fd;
}

/* Up to the end of a line that answers something */
static void qmp_read(Bench *b)
{
    char buf[4096];
    size_t len = 0;

    while (len == 0 || buf[len - 1] != '\n' || !strstr(buf, "return")) {
        ssize_t got = read(b->qmp, buf + len, sizeof(buf) - 1 - len);

        must(got > 0, "the monitor");
        len += got;
        buf[len] = '\0';
    }
}

static void qmp_ask(Bench *b, const char *command)
{
    g_autofree char *line = g_strdup_printf("{\"execute\":\"%s\"}\n",
                                            command);

    must(write(b->qmp, line, strlen(line)) == (ssize_t)strlen(line),
         "the monitor");
    qmp_read(b);
}

/* QEMU opens its sockets first: have the memory before it does */
static void make_memory(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    must(fd >= 0 && ftruncate(fd, 64 << 20) == 0, path);
    close(fd);
}

static void start_qemu(Bench *b, const char *qemu)
{
    g_autofree char *memory = g_strdup_printf("%s/memory", b->dir);
    g_autofree char *socket = g_strdup_printf("%s/guest", b->dir);
    g_autofree char *monitor = g_strdup_printf("%s/qmp", b->dir);
    g_autofree char *command = g_strdup_printf(
        "%s -machine none -accel tcg -nodefaults -display none "
        "-object memory-backend-file,id=dom,size=64M,share=on,mem-path=%s "
        "-chardev socket,id=guest,path=%s,server=on,wait=off "
        "-qmp unix:%s,server=on,wait=off "
        "-device xen-testbed,id=xen,memdev=dom,chardev=guest "
        "-device xen-pvdisplay,id=victim,idx=0,connectors=1024x768 "
        "-audiodev none,id=snd "
        "-device xen-pvsound,id=sound,idx=0,streams=pc,audiodev=snd "
        "-device xen-pvdisplay,id=good,idx=1,connectors=640x480,"
        "refresh-rate=1000", qemu, memory, socket, monitor);
    g_auto(GStrv) argv = NULL;
    GError *err = NULL;

    must(g_shell_parse_argv(command, NULL, &argv, NULL), "the command");
    make_memory(memory);
    must(g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD |
                       G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &b->pid, &err),
         qemu);
    b->guest = xen_guest_new(memory, socket, &err);
    must(b->guest, err ? err->message : "the guest");
    b->qmp = qmp_connect(monitor);
    qmp_ask(b, "qmp_capabilities");
}

static void stop_qemu(Bench *b)
{
    const char *const files[] = { "memory", "guest", "qmp" };
    int i;

    kill(b->pid, SIGTERM);
    waitpid(b->pid, NULL, 0);
    close(b->qmp);
    for (i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", b->dir, files[i]);

        unlink(path);
    }
    rmdir(b->dir);
    g_free(b->dir);
}

/* The well-behaved display */

static XenFrontConnector *screen(Bench *b)
{
    return &b->display->connectors[0];
}

static void start_display(Bench *b)
{
    int i;

    b->display = xen_front_display_new(b->guest, 1);
    must(xen_front_display_connect(b->display) == 0, "connecting");
    for (i = 0; i < 2; i++) {
        b->buffers[i] = xen_front_buffer_new(b->guest, 640, 480, i + 1);
        must(b->buffers[i] &&
             xen_front_buffer_attach(b->display, b->buffers[i]) == 0 &&
             xen_front_set_config(screen(b), b->buffers[i]->fb, 0, 0, 640,
                                  480, 32) == 0, "a buffer");
    }
}

/* Requests are to come all the time, but not so other gusts */
static void blow(XenStorm *storm)
{
    if (storm && xen_storm_is_steady(storm)) {
        xen_storm_gust(storm);
    }
    g_thread_yield();
}

/* From the request to the response, as a guest's driver would see it */
static double flip_ns(Bench *b, XenStorm *storm)
{
    struct xendispl_req req = { .operation = XENDISPL_OP_PG_FLIP };
    XenFrontConnector *c = screen(b);
    struct xendispl_resp resp;
    double start, end;

    req.op.pg_flip.fb_cookie = b->buffers[++b->flips & 1]->fb;
    start = now_ns();
    xen_front_send(c, &req);
    while (__atomic_load_n(&c->req.ring.sring->rsp_prod, __ATOMIC_ACQUIRE) ==
           c->req.ring.rsp_cons) {
        blow(storm);
    }
    end = now_ns();
    must(xen_front_receive(c, &resp, 0) == 0 && resp.status == 0, "a flip");
    must(xen_front_wait_events(c, b->flips, XEN_GUEST_DEADLINE), "an event");
    return end - start;
}

static double monitor_ns(Bench *b)
{
    double start = now_ns();

    qmp_ask(b, "query-status");
    return now_ns() - start;
}

typedef struct Times {
    Samples flip;
    Samples monitor;
    double monitor_max;
} Times;

static void sample(Bench *b, Times *times, XenStorm *storm)
{
    int i;

    for (i = 0; i < SAMPLES; i++) {
        double end = now_ns() + 1e3 * g_random_int_range(0, PAUSE);

        if (storm) {
            xen_storm_gust(storm);
        }
        while (now_ns() < end) {
            blow(storm);
        }
        add_sample(&times->flip, flip_ns(b, storm));
        if (i % ASK_EVERY == 0) {
            double ns = monitor_ns(b);

            add_sample(&times->monitor, ns);
            times->monitor_max = MAX(times->monitor_max, ns);
        }
    }
}

static void bench_kind(Bench *b, const XenStormKind *kind)
{
    unsigned int needs = kind->sound ? XEN_ATTACK_SOUND : 0;
    g_autofree Times *quiet = g_new0(Times, 1);
    g_autofree Times *stormy = g_new0(Times, 1);
    double calm, busy;
    uint64_t answered = 0;
    uint32_t left;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        XenStorm *storm;

        must(xen_attack_connect(&b->attacker, needs) == 0, "connecting");
        sample(b, quiet, NULL);
        storm = xen_storm_begin(&b->attacker, kind);
        sample(b, stormy, storm);
        answered += xen_storm_end(storm);
        must(xen_attack_recover(&b->attacker, needs, &left) == 0 && !left,
             "recovering");
    }
    calm = median(&quiet->flip);
    busy = median(&stormy->flip);
    printf("  %-12s %-38s %8.1f %8.1f us %6.2f  %7.2f ms  %9" PRIu64 "\n",
           kind->name, kind->what, calm / 1e3, busy / 1e3, busy / calm,
           stormy->monitor_max / 1e6, answered);
    g_string_append_printf(b->json, "%s\n  \"%s\": { \"quiet_us\": %.1f, "
                           "\"storm_us\": %.1f, \"ratio\": %.2f, "
                           "\"monitor_us\": %.1f, \"monitor_max_us\": %.1f, "
                           "\"requests\": %" PRIu64 " }",
                           b->json->len > 1 ? "," : "", kind->name,
                           calm / 1e3, busy / 1e3, busy / calm,
                           median(&stormy->monitor) / 1e3,
                           stormy->monitor_max / 1e3, answered);
}

int main(int argc, char **argv)
{
    Bench b = { .json = g_string_new("{") };
    const XenStormKind *kind;
    XenFrontDisplay *display;
    XenFrontSound *sound;
    GError *err = NULL;

    if (argc < 3 || !g_str_equal(argv[1], "--qemu")) {
        g_printerr("usage: %s --qemu PROGRAM [--json FILE]\n", argv[0]);
        return 2;
    }
    b.dir = g_dir_make_tmp("bench-storm-XXXXXX", &err);
    must(b.dir, "a folder");
    start_qemu(&b, argv[2]);
    start_display(&b);
    display = xen_front_display_new(b.guest, 0);
    sound = xen_front_sound_new(b.guest, 0);
    xen_attacker_init(&b.attacker, b.guest, display, sound);

    printf("  PG_FLIP to response beside a storm from another device, medians "
           "of %d\n", SAMPLES * ROUNDS);
    printf("  %-12s %-38s %8s %8s    %6s  %10s  %9s\n", "storm", "", "without",
           "with", "ratio", "monitor <=", "requests");
    for (kind = xen_storms; kind->name; kind++) {
        bench_kind(&b, kind);
    }
    g_string_append(b.json, "\n}\n");

    xen_attacker_clear(&b.attacker);
    stop_qemu(&b);
    /* The main arguments of other benchmarks follow ours */
    argv[2] = argv[0];
    return bench_finish(bench_json_file(argc - 2, argv + 2), b.json);
}
