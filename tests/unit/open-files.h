/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many files a test has open
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_UNIT_OPEN_FILES_H
#define TESTS_UNIT_OPEN_FILES_H

#include <glib.h>

/* Descriptors of this process; the one that counts them is among them */
static inline uint32_t open_files(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    uint32_t count = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        count++;
    }
    return count;
}

#endif /* TESTS_UNIT_OPEN_FILES_H */
