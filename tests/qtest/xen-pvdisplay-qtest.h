/*
 * What QTests of one PV display with two screens have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_XEN_PVDISPLAY_QTEST_H
#define TESTS_QTEST_XEN_PVDISPLAY_QTEST_H

#include "qobject/qdict.h"
#include "xen-pv-qtest.h"

#define LEFT_WIDTH      800
#define LEFT_HEIGHT     600
#define RIGHT_WIDTH     640
#define RIGHT_HEIGHT    480

#define CONNECTORS      "LEFT:800x600;RIGHT:640x480"
#define CARD            "-device xen-pvdisplay,id=disp0," \
                        "connectors='" CONNECTORS "',refresh-rate=60 "

#define PERIOD_NS       (1000000000 / 60)

#define COOKIE_A        0xffff888004210800ull
#define COOKIE_B        0xffff888004210c00ull

void test_stats(XenPvTest *t, XenGuestStats *stats);

/* Nothing may be mapped for a guest that is not connected */
void check_idle(XenPvTest *t);

void check_no_leaks(XenPvTest *t);

XenFrontConnector *left(XenPvTest *t);

XenFrontConnector *right(XenPvTest *t);

/* What the monitor says of the card, to be unref'ed */
QDict *get_status(XenPvTest *t);

/* Of a list in a dictionary; borrowed */
QDict *get_item(const QDict *dict, const char *list, uint32_t index);

/* A figure of one connector */
int64_t get_connector_number(XenPvTest *t, uint32_t index, const char *name);

/* A buffer of fresh pages, and a framebuffer in it; @t's, or another card's */
XenFrontBuffer *new_buffer(XenPvTest *t, uint32_t width,
                           uint32_t height, uint64_t cookie);
XenFrontBuffer *new_buffer_of(XenFrontDisplay *display, uint32_t width,
                              uint32_t height, uint64_t cookie);

/* Nothing of it may be in use */
void end_buffer(XenPvTest *t, XenFrontBuffer *buffer);
void end_buffer_of(XenFrontDisplay *display, XenFrontBuffer *buffer);

/* All of the buffer on that screen */
int show(XenFrontConnector *c, XenFrontBuffer *buffer);

/* A flip, and its event at the next tick, which is there at once */
void flip(XenPvTest *t, XenFrontConnector *c, uint64_t fb);

int switch_off(XenFrontConnector *c);

/* The screen shows the picture that was drawn with @seed, from @x0, @y0 on */
void check_screen_at(XenPvTest *t, const char *device, int head,
                     uint32_t width, uint32_t height, uint32_t seed,
                     uint32_t x0, uint32_t y0);

/* The screen shows all that was drawn with @seed */
void check_left(XenPvTest *t, uint32_t seed);

void check_right(XenPvTest *t, uint32_t seed);

/* Take those that there are: so many were taken in all */
void check_events(XenFrontConnector *c, uint64_t events);

/* The card was removed; its rings go, too */
void check_gone(XenPvTest *t);

#endif /* TESTS_QTEST_XEN_PVDISPLAY_QTEST_H */
