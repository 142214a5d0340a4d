/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the versions of QEMU that the overlay fits.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_COMPAT_H
#define HW_XEN_XEN_PV_COMPAT_H

/* class_init got a const argument in 10.1 */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#define XEN_PV_CLASS_DATA const void
#else
#define XEN_PV_CLASS_DATA void
#endif

#endif /* HW_XEN_XEN_PV_COMPAT_H */
