/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grants of frames that are none of the guest's memory
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FRONTEND_FRONT_FRAMES_H
#define TESTS_FRONTEND_FRONT_FRAMES_H

#include "xen-front-display.h"

/**
 * front_grant_frame: have a frame in the place of a page of a picture, and then
 *     of its directory
 * @display: a display that is connected
 * @table: the file of the grant table: the second resource of the PCI device
 *     that is Xen's platform
 * @frame: the frame
 *
 * Only a guest of KVM's emulated Xen can be asked for this: Xen itself has the
 * frames of a guest's grants translated before anybody else sees them.
 *
 * Returns: 0 if both were refused and the display works as before; -EIO if one
 * was not; or what was in the way.
 */
int front_grant_frame(XenFrontDisplay *display, const char *table,
                      uint32_t frame);

#endif /* TESTS_FRONTEND_FRONT_FRAMES_H */
