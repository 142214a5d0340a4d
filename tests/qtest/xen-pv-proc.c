/*
 * What the kernel says of a process under test
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pv-proc.h"

static char *path_of(pid_t pid, const char *what)
{
    return g_strdup_printf("/proc/%d/%s", (int)pid, what);
}

static char *read_file(pid_t pid, const char *file)
{
    g_autofree char *path = path_of(pid, file);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

uint64_t xen_pv_count_lines(const char *text)
{
    uint64_t count = 0;

    for (; (text = strchr(text, '\n')); text++) {
        count++;
    }
    return count;
}

uint64_t xen_pv_proc_areas(pid_t pid)
{
    g_autofree char *maps = read_file(pid, "maps");

    return xen_pv_count_lines(maps);
}

uint64_t xen_pv_proc_entries(pid_t pid, const char *folder)
{
    g_autofree char *path = path_of(pid, folder);
    GDir *dir = g_dir_open(path, 0, NULL);
    uint64_t count = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        count++;
    }
    g_dir_close(dir);
    return count;
}

uint64_t xen_pv_proc_number(pid_t pid, const char *file, const char *key)
{
    g_autofree char *text = read_file(pid, file);
    const char *at = strstr(text, key);

    g_assert_nonnull(at);
    return g_ascii_strtoull(at + strlen(key), NULL, 10);
}
