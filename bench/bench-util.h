/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the benchmarks share: samples, medians, the option --json.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include "qemu/osdep.h"

#define BENCH_MAX_SAMPLES 401

typedef struct Samples {
    uint32_t count;
    double ns[BENCH_MAX_SAMPLES];
} Samples;

/* Nanoseconds of a clock that never goes back */
double now_ns(void);

/* Samples beyond BENCH_MAX_SAMPLES are dropped */
void add_sample(Samples *s, double ns);

/* Sorts the samples */
double median(Samples *s);

/* End the benchmark, unless all is fine: @what failed */
void must(bool fine, const char *what);

/* The same of what returns 0 or a negative errno value */
void good(int ret);

/* The argument of --json, or NULL; exits on any other argument */
const char *bench_json_file(int argc, char **argv);

/* Write the figures, if anybody asked; returns main()'s exit status */
int bench_finish(const char *file, GString *json);

#endif /* BENCH_UTIL_H */
