// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which guests of a host with Xen a QEMU serves that has Xen by the plugin.
 *
 * It has QEMU's Xen accelerator and machine xenpv, for PV and PVH guests.  An
 * HVM guest's memory and interrupts take more: code that is compiled into
 * QEMU in many places, or is not.  So this refuses every other machine, before
 * anything of it is made, and says what serves such a guest.
 *
 * "-vga xenfb", by which users of xl have QEMU serve a vfb, is an option that
 * such a QEMU does not know, though it has the framebuffer and the machine asks
 * for it.  So this takes the option for it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/boards.h"
#include "hw/xen/xen_igd.h"
#include "system/system.h"
#include "hw/xen/xen-pv-compat.h"

static int (*init_machine)(XEN_PV_ACCEL_PARAMS);
static bool serve_vfb;

static void G_NORETURN refuse_machine(const char *name)
{
    fprintf(stderr, "xen-pv-plugin: this QEMU was built without Xen, and with "
            "the plugin it serves PV and PVH guests (machine xenpv, not %s): "
            "for an HVM guest use the package qemu-system-xen-pv, or a QEMU "
            "with the overlay\n", name);
    exit(EXIT_FAILURE);
}

static bool is_option(const char *arg, const char *name)
{
    return *arg == '-' && !strcmp(arg + 1 + (arg[1] == '-'), name);
}

/* What this QEMU does not know at all, before it has read its options */
static void __attribute__((constructor)) read_options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        char *value = argv[i + 1];

        if (is_option(argv[i], "vga") && !strcmp(value, "xenfb")) {
            strcpy(value, "none");
            serve_vfb = true;
        } else if ((is_option(argv[i], "machine") ||
                    is_option(argv[i], "M")) &&
                   (g_str_has_prefix(value, "xenfv") ||
                    strstr(value, "type=xenfv"))) {
            refuse_machine("xenfv");
        }
    }
}

static int init_pv_machine(XEN_PV_ACCEL_PARAMS)
{
    const char *name = MACHINE_GET_CLASS(ms)->name;

    if (strcmp(name, "xenpv")) {
        refuse_machine(name);
    }
    if (serve_vfb) {
        vga_interface_type = VGA_XENFB;
    }
    return XEN_PV_ACCEL_CALL(init_machine);
}

/* All types are there when what is to be migrated is registered */
static void watch_accelerator(void)
{
    AccelClass *accel = accel_find("xen");

    init_machine = accel->init_machine;
    accel->init_machine = init_pv_machine;
}

migration_init(watch_accelerator)

/* No graphics card is passed through to a PV or PVH guest */
bool xen_igd_gfx_pt_enabled(void)
{
    return false;
}

void xen_igd_gfx_pt_set(bool value, Error **errp)
{
    if (value) {
        error_setg(errp, "igd-passthru is for HVM guests, whose device model "
                   "is a QEMU that is built with Xen");
    }
}
