/*
 * What the manual says, for tests that hold QEMU to it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "xen-pv-manual.h"

/*
 * As the compiler was run, so are the tests: in QEMU's build directory.  Those
 * of the plugin are told where the checkout is.
 */
#define SOURCE_DIR "/../../"

char **xen_pv_manual_page(const char *name)
{
    const char *checkout = g_getenv("XEN_PV_CHECKOUT");
    g_autofree char *here = g_path_get_dirname(__FILE__);
    g_autofree char *path = g_strconcat(checkout ? checkout : here,
                                        checkout ? "/" : SOURCE_DIR,
                                        "docs/system/xen-pv/", name, NULL);
    g_autofree char *text = NULL;
    GError *err = NULL;

    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);

    return g_strsplit(text, "\n", -1);
}

bool xen_pv_manual_matches(const char *printed, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(printed, "...", -1);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int i, k;

    for (i = 0; lines[i]; i++) {
        const char *rest = lines[i];

        for (k = 0; rest && parts[k]; k++) {
            rest = strstr(rest, parts[k]);
            rest = rest ? rest + strlen(parts[k]) : NULL;
        }
        if (rest) {
            return true;
        }
    }

    return false;
}
