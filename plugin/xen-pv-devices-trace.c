// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The devices' trace events, in a group of their own.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qemu/module.h"

/*
 * QEMU registers its events before its types, and the devices are loaded when
 * the types are there: these register themselves.
 */
#undef trace_init
#define trace_init(function) \
    static void __attribute__((constructor)) register_xen_pv_events(void) \
    { \
        function(); \
    }

#include "trace/trace-xen_pv.c"
