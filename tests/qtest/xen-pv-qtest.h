/*
 * What QTests of PV displays have in common: a QEMU over a fake Xen, its
 * guest, and a look at its screens
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PV_QTEST_H
#define TESTS_QTEST_XEN_PV_QTEST_H

#include "libqtest.h"

#include "../frontend/xen-front-display.h"
#include "../frontend/xen-guest-testbed.h"
#include "../frontend/xen-toolstack.h"

/* One QEMU, its guest, and the guest's frontend of card 0 */
typedef struct XenPvTest {
    QTestState *qts;
    char *dir;
    char *memory;
    char *socket;
    char *command;              /* QEMU's */
    XenGuest *guest;
    XenFrontDisplay *display;
    bool single_map;            /* pages can only be mapped one by one */
} XenPvTest;

/**
 * xen_pv_test_start: start QEMU and become its guest
 * @t: the test; anything
 * @testbed: further options of the fake Xen: "" or ",NAME=VALUE..."
 * @args: further arguments of QEMU
 *
 * "DIR/" in these is the test's folder.  A card that is left shows Closing for
 * no longer than it has to be seen, unless @args have XEN_PV_TEST_CLOSING.
 */
#define XEN_PV_TEST_CLOSING "-global xen-pv-backend.x-closing-time="
void xen_pv_test_start(XenPvTest *t, const char *testbed, const char *args);

/**
 * xen_pv_test_kill: kill QEMU, and start it again for the same guest
 * @t: the test, started with XEN_PV_TEST_STATE among the testbed's options
 *
 * What the guest has is not touched, and the QEMU that was killed uses nothing
 * of it any more; the other one may at once.
 */
#define XEN_PV_TEST_STATE ",state=DIR/state"
void xen_pv_test_kill(XenPvTest *t);

/* Wait until no page of the guest's is in use */
void xen_pv_test_wait_idle(XenPvTest *t);

/* Nothing may have leaked, and no page may be in use after QEMU has quit */
void xen_pv_test_quit(XenPvTest *t);

/* That too, if it has not been done; then what the test had is gone */
void xen_pv_test_end(XenPvTest *t);

void xen_pv_test_connect(XenFrontDisplay *display);

/* Afterwards QEMU must have nothing mapped: unload the last card last */
void xen_pv_test_unload(XenPvTest *t);

/*
 * What the toolstack does: @be_alloc is its node of that name, or NULL;
 * @resolutions is a list that ends with NULL
 */
void xen_pv_test_attach(XenFrontDisplay *display, const char *be_alloc,
                        const char *const *resolutions);

/* It waits until the card is gone; the frontend's rings go, too */
void xen_pv_test_detach(XenPvTest *t, XenFrontDisplay *display);

/* A property of a device, to be unref'ed */
QObject *xen_pv_test_get(XenPvTest *t, const char *id, const char *property);

/* Pictures: 0xRRGGBB, row by row */
typedef struct XenPvPicture {
    uint32_t width;
    uint32_t height;
    uint32_t *pixels;
} XenPvPicture;

void xen_pv_picture_init(XenPvPicture *picture, uint32_t width,
                         uint32_t height);
void xen_pv_picture_clear(XenPvPicture *picture);

/* From what a screendump wrote; a byte of 0 follows it */
void xen_pv_picture_parse(XenPvPicture *picture, const char *file,
                          gsize size);

/* A screendump */
void xen_pv_picture_take(XenPvTest *t, const char *device, int head,
                         XenPvPicture *picture);

/* Whether it is what xen_front_buffer_draw() draws with @seed */
bool xen_pv_picture_is(const XenPvPicture *picture, uint32_t width,
                       uint32_t height, uint32_t seed);

/* Take a screendump, and compare it */
void xen_pv_check_screen(XenPvTest *t, const char *device, int head,
                         uint32_t width, uint32_t height, uint32_t seed);

/* A test, which is told what else the testbed is to be */
typedef struct XenPvCase {
    const char *name;
    void (*test)(const void *testbed);
} XenPvCase;

/* Add some tests, below one name */
void xen_pv_test_add(const char *prefix, const XenPvCase *cases, size_t count,
                     const char *testbed);

#endif /* TESTS_QTEST_XEN_PV_QTEST_H */
