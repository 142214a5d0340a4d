/*
 * What the manual says, for tests that hold QEMU to it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_MANUAL_H
#define TESTS_QTEST_XEN_PV_MANUAL_H

#include <glib.h>

/*
 * The lines of a page of docs/system/xen-pv, "" for empty ones; the test
 * fails without it.  Free it with g_strfreev().
 */
char **xen_pv_manual_page(const char *name);

/*
 * Whether a text has what the manual prints, in one line: "..." there stands
 * for anything
 */
bool xen_pv_manual_matches(const char *printed, const char *text);

#endif /* TESTS_QTEST_XEN_PV_MANUAL_H */
