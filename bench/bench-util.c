/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the benchmarks share: samples, medians, the option --json.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <time.h>

#include "bench-util.h"

void must(bool fine, const char *what)
{
    if (!fine) {
        g_printerr("%s: %s failed\n", program_invocation_short_name, what);
        exit(1);
    }
}

void good(int ret)
{
    must(ret == 0, g_strerror(-ret));
}

double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

void add_sample(Samples *s, double ns)
{
    if (s->count < BENCH_MAX_SAMPLES) {
        s->ns[s->count++] = ns;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(Samples *s)
{
    qsort(s->ns, s->count, sizeof(s->ns[0]), compare);
    return s->ns[s->count / 2];
}

const char *bench_json_file(int argc, char **argv)
{
    if (argc == 3 && g_str_equal(argv[1], "--json")) {
        return argv[2];
    }
    if (argc != 1) {
        g_printerr("usage: %s [--json FILE]\n", argv[0]);
        exit(2);
    }

    return NULL;
}

int bench_finish(const char *file, GString *json)
{
    g_autoptr(GError) error = NULL;
    int status = 0;

    if (file && !g_file_set_contents(file, json->str, -1, &error)) {
        g_printerr("%s\n", error->message);
        status = 1;
    }
    g_string_free(json, TRUE);

    return status;
}
