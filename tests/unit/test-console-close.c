/*
 * Tests of consoles whose device is unplugged: QEMU's ui/console.c
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "hw/sysbus.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "ui/console.h"
#include "ui/input.h"
#include "../../ui/console-priv.h"

/* ----------------------------------- stand-ins for what consoles never use */

BusState *sysbus_get_default(void)
{
    return NULL;
}

DeviceState *qdev_find_recursive(BusState *bus, const char *id)
{
    return NULL;
}

bool phase_check(MachineInitPhase phase)
{
    return true;
}

QEMUCursor *cursor_ref(QEMUCursor *c)
{
    return c;
}

void cursor_unref(QEMUCursor *c)
{
}

void qemu_text_console_handle_keysym(QemuTextConsole *s, int keysym)
{
}

void qemu_text_console_update_size(QemuTextConsole *c)
{
}

void qemu_text_console_update_cursor(void)
{
}

const char *qemu_text_console_get_label(QemuTextConsole *c)
{
    return NULL;
}

void qemu_input_queue_btn(QemuConsole *src, InputButton btn, bool down)
{
}

void qemu_input_queue_mtt(QemuConsole *src, InputMultiTouchType type, int slot,
                          int tracking_id)
{
}

void qemu_input_queue_mtt_abs(QemuConsole *src, InputAxis axis, int value,
                              int min_in, int max_in, int slot,
                              int tracking_id)
{
}

void qemu_input_event_sync(void)
{
}

/* --------------------------------------------------------------- tests */

static unsigned int told;

static void ui_info(void *opaque, uint32_t head, QemuUIInfo *info)
{
    told++;
}

static const GraphicHwOps ops = {
    .ui_info = ui_info,
};

static void run_timers(void)
{
    int64_t ns;

    while ((ns = qemu_clock_deadline_ns_all(QEMU_CLOCK_REALTIME,
                                            QEMU_TIMER_ATTR_ALL)) >= 0) {
        g_usleep(ns / SCALE_US + 1);
        qemu_clock_run_timers(QEMU_CLOCK_REALTIME);
    }
}

/* A viewer's window is resized, and the device goes within a second */
static void test_resize_and_unplug(void)
{
    QemuConsole *con = graphic_console_init(NULL, 0, &ops, NULL);
    QemuUIInfo info = { .width = 800, .height = 600 };

    g_assert_cmpint(dpy_set_ui_info(con, &info, true), ==, 0);
    run_timers();
    g_assert_cmpuint(told, ==, 1);

    info.width++;
    g_assert_cmpint(dpy_set_ui_info(con, &info, true), ==, 0);
    graphic_console_close(con);
    run_timers();
    g_assert_cmpuint(told, ==, 1);
}

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_abort);
    module_call_init(MODULE_INIT_QOM);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/console-close/resize-and-unplug",
                    test_resize_and_unplug);
    return g_test_run();
}
