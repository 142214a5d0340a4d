/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of scripts/demo: draws an animated picture on every connector of
 * its PV display, one frame for each flip event, and plays a melody if it has
 * a PV sound card.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pixman.h>

#include "demo-melody.h"
#include "xen-front-display.h"
#include "xen-guest-testbed.h"

#define BUFFERS 2
#define ORBS    5

typedef struct Screen {
    XenFrontConnector *connector;
    XenFrontBuffer *buffers[BUFFERS];
    pixman_image_t *images[BUFFERS];
} Screen;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = 1;
}

/* ------------------------------------------------------------- lettering */

/* Letters of five columns, a byte each; bit 0 is the topmost row */
static const struct {
    char letter;
    uint8_t columns[5];
} font[] = {
    { 'A', { 0x7e, 0x09, 0x09, 0x09, 0x7e } },
    { 'D', { 0x7f, 0x41, 0x41, 0x22, 0x1c } },
    { 'E', { 0x7f, 0x49, 0x49, 0x49, 0x41 } },
    { 'I', { 0x00, 0x41, 0x7f, 0x41, 0x00 } },
    { 'L', { 0x7f, 0x40, 0x40, 0x40, 0x40 } },
    { 'N', { 0x7f, 0x04, 0x08, 0x10, 0x7f } },
    { 'P', { 0x7f, 0x09, 0x09, 0x09, 0x06 } },
    { 'S', { 0x46, 0x49, 0x49, 0x49, 0x31 } },
    { 'V', { 0x1f, 0x20, 0x40, 0x20, 0x1f } },
    { 'X', { 0x63, 0x14, 0x08, 0x14, 0x63 } },
    { 'Y', { 0x07, 0x08, 0x70, 0x08, 0x07 } },
};

static const uint8_t *find_letter(char letter)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(font); i++) {
        if (font[i].letter == letter) {
            return font[i].columns;
        }
    }
    return NULL;
}

static void draw_letter(pixman_image_t *image, const uint8_t *columns, int x,
                        int y, int dot, const pixman_color_t *color)
{
    pixman_rectangle16_t dots[5 * 7];
    int column, row, n = 0;

    for (column = 0; column < 5; column++) {
        for (row = 0; row < 7; row++) {
            if (columns[column] & 1 << row) {
                dots[n].x = x + column * dot;
                dots[n].y = y + row * dot;
                dots[n].width = dot - dot / 8;
                dots[n].height = dot - dot / 8;
                n++;
            }
        }
    }
    pixman_image_fill_rectangles(PIXMAN_OP_OVER, image, color, n, dots);
}

static void draw_text(pixman_image_t *image, const char *text, int width,
                      int height)
{
    const pixman_color_t white = { 0xffff, 0xffff, 0xffff, 0xffff };
    const pixman_color_t shade = { 0, 0, 0, 0x6000 };
    int cells = strlen(text) * 6 - 1;
    int dot = MAX(width * 4 / 5 / cells, 1);
    int x = (width - cells * dot) / 2;
    int y = (height - 7 * dot) / 2;

    for (; *text; text++, x += 6 * dot) {
        const uint8_t *columns = find_letter(*text);

        if (columns) {
            draw_letter(image, columns, x + dot / 2, y + dot / 2, dot,
                        &shade);
            draw_letter(image, columns, x, y, dot, &white);
        }
    }
}

/* --------------------------------------------------------------- picture */

static uint16_t wave(double phase)
{
    return 0x7fff * (1 + sin(phase));
}

static void draw_sky(pixman_image_t *image, int width, int height, double t)
{
    const pixman_point_fixed_t top = { 0, 0 };
    const pixman_point_fixed_t bottom = {
        pixman_int_to_fixed(width), pixman_int_to_fixed(height)
    };
    const pixman_gradient_stop_t stops[] = {
        { 0, { wave(t) / 4, 0x1000, 0x5000, 0xffff } },
        { pixman_double_to_fixed(0.6), { 0x5000, wave(t / 2) / 3, 0x7000,
                                         0xffff } },
        { pixman_int_to_fixed(1), { 0xe000, 0x6000, 0x4000, 0xffff } },
    };
    pixman_image_t *sky = pixman_image_create_linear_gradient(
        &top, &bottom, stops, G_N_ELEMENTS(stops));

    pixman_image_composite(PIXMAN_OP_SRC, sky, NULL, image, 0, 0, 0, 0, 0, 0,
                           width, height);
    pixman_image_unref(sky);
}

static void draw_orb(pixman_image_t *image, int x, int y, int radius,
                     double hue)
{
    const pixman_point_fixed_t centre = {
        pixman_int_to_fixed(radius), pixman_int_to_fixed(radius)
    };
    uint16_t red = wave(hue), green = wave(hue + 2.1), blue = wave(hue + 4.2);
    const pixman_gradient_stop_t stops[] = {
        { 0, { 0xffff, 0xffff, 0xffff, 0xe000 } },
        { pixman_double_to_fixed(0.35), { red, green, blue, 0xb000 } },
        { pixman_int_to_fixed(1), { red, green, blue, 0 } },
    };
    pixman_image_t *orb = pixman_image_create_radial_gradient(
        &centre, &centre, 0, pixman_int_to_fixed(radius), stops,
        G_N_ELEMENTS(stops));

    pixman_image_composite(PIXMAN_OP_OVER, orb, NULL, image, 0, 0, 0, 0,
                           x - radius, y - radius, 2 * radius, 2 * radius);
    pixman_image_unref(orb);
}

static void draw_frame(pixman_image_t *image, int width, int height,
                       uint64_t frame)
{
    double t = frame / 30.0;
    int i;

    draw_sky(image, width, height, t);
    for (i = 0; i < ORBS; i++) {
        draw_orb(image,
                 width / 2 + width * 0.4 * sin(t * (0.5 + i * 0.13) + i),
                 height / 2 + height * 0.35 * cos(t * (0.7 + i * 0.11) + i),
                 MAX(MIN(width, height) / (5 + i), 4), i * 1.3 + t / 4);
    }
    draw_text(image, "XEN PV DISPLAY", width, height);
}

/* --------------------------------------------------------------- screens */

static int screen_open(Screen *screen, XenFrontConnector *c, XenGuest *guest)
{
    int i, ret;

    screen->connector = c;
    for (i = 0; i < BUFFERS; i++) {
        XenFrontBuffer *buffer =
            xen_front_buffer_new(guest, c->width, c->height,
                                 1 + c->index * BUFFERS + i);

        if (!buffer) {
            return -ENOMEM;
        }
        ret = xen_front_buffer_attach(c->display, buffer);
        if (ret < 0) {
            return ret;
        }
        screen->buffers[i] = buffer;
        screen->images[i] =
            pixman_image_create_bits(PIXMAN_x8r8g8b8, c->width, c->height,
                                     (uint32_t *)buffer->pgdir->data,
                                     buffer->stride);
    }

    draw_frame(screen->images[0], c->width, c->height, 0);
    return xen_front_set_config(c, screen->buffers[0]->fb, 0, 0, c->width,
                                c->height, 32);
}

static int screen_frame(Screen *screen, uint64_t frame)
{
    XenFrontConnector *c = screen->connector;
    int next = frame % BUFFERS;
    int ret;

    draw_frame(screen->images[next], c->width, c->height, frame);
    ret = xen_front_flip(c, screen->buffers[next]->fb);
    if (ret < 0) {
        return ret;
    }
    return xen_front_wait_events(c, frame, XEN_GUEST_DEADLINE) ? 0
                                                               : -ETIMEDOUT;
}

static int run(XenGuest *guest, XenFrontDisplay *display, DemoMelody *melody,
               uint64_t frames)
{
    Screen screens[XEN_FRONT_MAX_CONNECTORS] = {};
    gint64 start;
    uint64_t frame = 0;
    uint32_t i;
    int ret;

    for (i = 0; i < display->nr_connectors; i++) {
        ret = screen_open(&screens[i], &display->connectors[i], guest);
        if (ret < 0) {
            return ret;
        }
    }

    start = g_get_monotonic_time();
    while (!stop && (!frames || frame < frames)) {
        frame++;
        for (i = 0; i < display->nr_connectors; i++) {
            ret = screen_frame(&screens[i], frame);
            if (ret < 0) {
                return ret;
            }
        }
        ret = melody ? demo_melody_feed(melody) : 0;
        if (ret < 0) {
            return ret;
        }
    }
    printf("done: %" PRIu64 " frames, %.1f a second\n", frame,
           frame * 1e6 / (g_get_monotonic_time() - start));
    fflush(stdout);

    return 0;
}

static bool never(void *opaque)
{
    return stop;
}

int main(int argc, char **argv)
{
    g_autofree char *memory = NULL;
    g_autofree char *socket = NULL;
    gint64 frames = 180;
    gboolean hold = false;
    const GOptionEntry options[] = {
        { "memory", 0, 0, G_OPTION_ARG_FILENAME, &memory,
          "File of the guest's memory backend", "FILE" },
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &socket,
          "Socket of the fake Xen's character device", "PATH" },
        { "frames", 0, 0, G_OPTION_ARG_INT64, &frames,
          "Frames to draw; 0 goes on for ever", "N" },
        { "hold", 0, 0, G_OPTION_ARG_NONE, &hold,
          "Keep the last picture until a signal comes", NULL },
        { NULL }
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- draw and play on PV devices of a fake Xen");
    const struct sigaction action = { .sa_handler = on_signal };
    g_autoptr(GError) error = NULL;
    DemoMelody *melody = NULL;
    XenFrontDisplay *display;
    XenGuest *guest;
    int ret;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "demo-guest: %s\n", error->message);
        return 1;
    }
    if (!memory || !socket || frames < 0) {
        fprintf(stderr, "demo-guest: --memory and --socket are needed\n");
        return 1;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    guest = xen_guest_new(memory, socket, &error);
    if (!guest) {
        fprintf(stderr, "demo-guest: %s\n", error->message);
        return 1;
    }
    display = xen_front_display_new(guest, 0);
    ret = xen_front_display_connect(display);
    if (!ret) {
        melody = demo_melody_new(guest, &ret);
    }
    if (!ret || ret == -ENODEV) {
        printf("connected: %u screens, %s\n", display->nr_connectors,
               melody ? "sound" : "no sound");
        fflush(stdout);
        ret = run(guest, display, melody, frames);
    }
    demo_melody_free(melody);
    if (ret < 0) {
        fprintf(stderr, "demo-guest: %s\n", strerror(-ret));
        return 1;
    }
    while (hold && !stop && !xen_guest_is_gone(guest)) {
        xen_guest_wait(guest, never, NULL, 1000);
    }

    return 0;
}
