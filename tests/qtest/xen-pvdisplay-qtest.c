/*
 * What QTests of one PV display with two screens have in common
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qlist.h"
#include "xen-pvdisplay-qtest.h"

void test_stats(XenPvTest *t, XenGuestStats *stats)
{
    g_assert_cmpint(xen_guest_stats(t->guest, stats), ==, 0);
}

void check_idle(XenPvTest *t)
{
    XenGuestStats stats;

    test_stats(t, &stats);
    g_assert_cmpuint(stats.mapped, ==, 0);
    g_assert_cmpuint(stats.refs, ==, 0);
    g_assert_cmpuint(stats.ports, ==, 0);
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

void check_no_leaks(XenPvTest *t)
{
    XenGuestStats stats;

    test_stats(t, &stats);
    g_assert_cmpuint(stats.leaks, ==, 0);
    g_assert_cmpuint(stats.bad_unmaps, ==, 0);
}

XenFrontConnector *left(XenPvTest *t)
{
    return &t->display->connectors[0];
}

XenFrontConnector *right(XenPvTest *t)
{
    return &t->display->connectors[1];
}

QDict *get_status(XenPvTest *t)
{
    QDict *status = qobject_to(QDict, xen_pv_test_get(t, "disp0", "status"));

    g_assert_nonnull(status);
    return status;
}

QDict *get_item(const QDict *dict, const char *list, uint32_t index)
{
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(dict, list), entry) {
        if (index-- == 0) {
            return qobject_to(QDict, qlist_entry_obj(entry));
        }
    }
    g_assert_not_reached();
}

int64_t get_connector_number(XenPvTest *t, uint32_t index, const char *name)
{
    QDict *status = get_status(t);
    int64_t number = qdict_get_int(get_item(status, "connectors", index),
                                   name);

    qobject_unref(status);
    return number;
}

XenFrontBuffer *new_buffer_of(XenFrontDisplay *display, uint32_t width,
                              uint32_t height, uint64_t cookie)
{
    XenFrontBuffer *buffer = xen_front_buffer_new(display->card.guest, width,
                                                  height, cookie);

    g_assert_nonnull(buffer);
    g_assert_cmpint(xen_front_buffer_attach(display, buffer), ==, 0);
    return buffer;
}

XenFrontBuffer *new_buffer(XenPvTest *t, uint32_t width,
                           uint32_t height, uint64_t cookie)
{
    return new_buffer_of(t->display, width, height, cookie);
}

void end_buffer_of(XenFrontDisplay *display, XenFrontBuffer *buffer)
{
    g_assert_cmpint(xen_front_buffer_detach(display, buffer), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(buffer->pgdir), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
}

void end_buffer(XenPvTest *t, XenFrontBuffer *buffer)
{
    end_buffer_of(t->display, buffer);
}

int show(XenFrontConnector *c, XenFrontBuffer *buffer)
{
    return xen_front_set_config(c, buffer->fb, 0, 0, buffer->width,
                                buffer->height, 32);
}

void flip(XenPvTest *t, XenFrontConnector *c, uint64_t fb)
{
    uint64_t events = c->events;

    g_assert_cmpint(xen_front_flip(c, fb), ==, 0);
    qtest_clock_step(t->qts, PERIOD_NS);
    check_events(c, events + 1);
    g_assert_cmphex(c->last_event_cookie, ==, fb);
}

int switch_off(XenFrontConnector *c)
{
    return xen_front_set_config(c, 0, 0, 0, 0, 0, 0);
}

void check_screen_at(XenPvTest *t, const char *device, int head,
                     uint32_t width, uint32_t height, uint32_t seed,
                     uint32_t x0, uint32_t y0)
{
    XenPvPicture picture;
    uint32_t x, y, pixel;

    xen_pv_picture_take(t, device, head, &picture);
    g_assert_cmpuint(picture.width, ==, width);
    g_assert_cmpuint(picture.height, ==, height);
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            pixel = picture.pixels[y * width + x];
            if (pixel != xen_front_pixel(x0 + x, y0 + y, seed)) {
                g_test_message("head %d differs at %u,%u", head, x, y);
                g_assert_cmphex(pixel, ==,
                                xen_front_pixel(x0 + x, y0 + y, seed));
            }
        }
    }
    xen_pv_picture_clear(&picture);
}

void check_left(XenPvTest *t, uint32_t seed)
{
    check_screen_at(t, "disp0", 0, LEFT_WIDTH, LEFT_HEIGHT, seed, 0, 0);
}

void check_right(XenPvTest *t, uint32_t seed)
{
    check_screen_at(t, "disp0", 1, RIGHT_WIDTH, RIGHT_HEIGHT, seed, 0, 0);
}

void check_events(XenFrontConnector *c, uint64_t events)
{
    xen_front_take_events(c);
    g_assert_cmpuint(c->events, ==, events);
    g_assert_cmpuint(c->bad_events, ==, 0);
}

void check_gone(XenPvTest *t)
{
    g_assert_false(xen_guest_exists(t->guest, t->display->card.frontend_path));
    g_assert_false(xen_guest_exists(t->guest, t->display->card.backend_path));
    check_idle(t);
    g_assert_cmpuint(xen_front_display_free_rings(t->display), ==, 0);
}
