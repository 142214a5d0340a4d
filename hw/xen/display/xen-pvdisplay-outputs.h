/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option "outputs" of a PV display: screens as a list, for JSON.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PVDISPLAY_OUTPUTS_H
#define HW_XEN_XEN_PVDISPLAY_OUTPUTS_H

#include "qom/object.h"

/**
 * xen_pvdisplay_add_outputs: add the option to a class
 * @class: the class
 * @offset: in its objects, of a pointer to an array of struct XenPvMode, which
 *     is NULL as long as the option is not given.  The object owns the array.
 */
void xen_pvdisplay_add_outputs(ObjectClass *class, size_t offset);

#endif /* HW_XEN_XEN_PVDISPLAY_OUTPUTS_H */
