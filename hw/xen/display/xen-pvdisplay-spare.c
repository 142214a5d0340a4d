/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console for viewers that start before any display is there
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "qemu/notify.h"
#include "system/system.h"
#include "ui/console.h"
#include "xen-pvdisplay-spare.h"

/* Nobody draws on it */
static const GraphicHwOps no_ops = {};

static void add_spare_console(Notifier *notifier, void *unused)
{
    QemuConsole *con;

    if (qemu_console_lookup_default()) {
        return;
    }
    con = graphic_console_init(NULL, 0, &no_ops, NULL);
    graphic_console_close(con);
    dpy_gfx_replace_surface(con,
        qemu_create_placeholder_surface(640, 480,
            "This VM has no graphic display device (yet)."));
}

static Notifier machine_done = {
    .notify = add_spare_console,
};

void xen_pvdisplay_spare_console(void)
{
    qemu_add_machine_init_done_notifier(&machine_done);
}
