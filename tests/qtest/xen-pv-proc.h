/*
 * What the kernel says of a process under test
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_PROC_H
#define TESTS_QTEST_XEN_PV_PROC_H

#include <sys/types.h>

/* Lines of a text */
uint64_t xen_pv_count_lines(const char *text);

/* Areas of its memory */
uint64_t xen_pv_proc_areas(pid_t pid);

/* Entries of a folder in /proc/PID: "fd", "task" */
uint64_t xen_pv_proc_entries(pid_t pid, const char *folder);

/*
 * The number behind a key in a file of /proc/PID: "RssAnon:" of "status",
 * "Private_Dirty:" of "smaps_rollup"
 */
uint64_t xen_pv_proc_number(pid_t pid, const char *file, const char *key);

#endif /* TESTS_QTEST_XEN_PV_PROC_H */
