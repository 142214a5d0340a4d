/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-in for QEMU's "ui/console.h": a console has a surface, and that an
 * image.  Who includes it says what becomes of them.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include <pixman.h>
#include <stdbool.h>

typedef struct QemuConsole QemuConsole;
typedef struct DisplayChangeListener DisplayChangeListener;

typedef struct DisplaySurface {
    pixman_image_t *image;
} DisplaySurface;

static inline int surface_width(DisplaySurface *s)
{
    return pixman_image_get_width(s->image);
}

static inline int surface_height(DisplaySurface *s)
{
    return pixman_image_get_height(s->image);
}

static inline pixman_format_code_t surface_format(DisplaySurface *s)
{
    return pixman_image_get_format(s->image);
}

DisplaySurface *qemu_create_displaysurface_pixman(pixman_image_t *image);
DisplaySurface *qemu_console_surface(QemuConsole *con);
void dpy_gfx_replace_surface(QemuConsole *con, DisplaySurface *surface);
void dpy_gfx_update(QemuConsole *con, int x, int y, int w, int h);
void dpy_gfx_update_full(QemuConsole *con);
bool qemu_console_is_visible(QemuConsole *con);
bool dpy_gfx_check_format(QemuConsole *con, pixman_format_code_t format);
bool qemu_pixman_check_format(DisplayChangeListener *dcl,
                              pixman_format_code_t format);

#endif /* UI_CONSOLE_H */
