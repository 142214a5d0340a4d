/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen-front: a frontend of PV displays and sound cards, for the command line
 * of a guest of Xen.
 *
 * It obeys commands, and does nothing by itself: what a guest's page is mapped
 * for, and when, can be looked at from the other side after each.
 *
 * With --testbed it is the guest of a fake Xen instead, QEMU's xen-testbed.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front-attacks.h"
#include "front-frames.h"
#include "xen-front-display.h"
#include "xen-front-sound.h"
#include "xen-guest-real.h"
#include "xen-guest-testbed.h"

/* Cards that are tried have number 0 */
#define FRONT_CARD          0

#define FRONT_COOKIE        0xc00c1e
#define FRONT_OTHER_COOKIE  0xc00c1f

/* How long a second of sound may take where all is emulated */
#define FRONT_SOUND_PATIENCE    30

typedef struct Front {
    XenGuest *guest;
    XenFrontDisplay *display;
    XenFrontBuffer *buffer;
    XenFrontBuffer *other;
    XenFrontBuffer *more[XEN_FRONT_MAX_CONNECTORS];
    XenFrontSound *sound;
} Front;

typedef struct FrontCommand {
    const char *name;
    uint32_t args;
    const char *help;
    int (*run)(Front *f, char **args);
} FrontCommand;

/* The display */

static int display_connect(Front *f, char **args)
{
    int ret;

    if (f->display) {
        return -EISCONN;
    }
    f->display = xen_front_display_new(f->guest, FRONT_CARD);
    ret = xen_front_display_connect(f->display);
    if (ret < 0) {
        xen_front_display_free(f->display);
        f->display = NULL;
    }
    return ret;
}

/* Flip, and wait for the event; tells when the flip was sent */
static int display_flip(XenFrontConnector *c, uint64_t fb)
{
    uint64_t events = c->events;
    int64_t sent = g_get_monotonic_time();
    int ret = xen_front_flip(c, fb);

    if (!ret && !xen_front_wait_events(c, events + 1, XEN_GUEST_DEADLINE)) {
        ret = -ETIMEDOUT;
    }
    printf("# flip at %" G_GINT64_FORMAT " us\n", sent);
    return ret || !c->bad_events ? ret : -EPROTO;
}

/* A picture as large as the screen; a flip shows it */
static int draw_screen(Front *f, uint32_t screen, XenFrontBuffer **buffer,
                       uint32_t seed)
{
    XenFrontConnector *c = &f->display->connectors[screen];
    int ret;

    *buffer = xen_front_buffer_new(f->guest, c->width, c->height,
                                   FRONT_COOKIE + 2 * screen);
    if (!*buffer) {
        return -ENOMEM;
    }
    xen_front_buffer_draw(*buffer, seed);
    ret = xen_front_buffer_attach(f->display, *buffer);
    if (!ret) {
        ret = xen_front_set_config(c, (*buffer)->fb, 0, 0, c->width,
                                   c->height, 32);
    }
    return ret ?: display_flip(c, (*buffer)->fb);
}

static int display_draw(Front *f, char **args)
{
    if (!f->display || f->buffer) {
        return -EINVAL;
    }
    return draw_screen(f, 0, &f->buffer, atoi(args[0]));
}

static int display_draw_more(Front *f, char **args)
{
    uint32_t i;
    int ret = 0;

    if (!f->display || f->more[1]) {
        return -EINVAL;
    }
    for (i = 1; i < f->display->nr_connectors && !ret; i++) {
        ret = draw_screen(f, i, &f->more[i], atoi(args[0]) + i);
    }
    return ret;
}

/* As a film is shown: drawn in the one of two buffers that is not shown */
static int display_next(Front *f, char **args)
{
    XenFrontBuffer *shown = f->buffer;

    if (!shown) {
        return -EINVAL;
    }
    if (!f->other) {
        int ret;

        f->other = xen_front_buffer_new(f->guest, shown->width, shown->height,
                                        FRONT_OTHER_COOKIE);
        if (!f->other) {
            return -ENOMEM;
        }
        ret = xen_front_buffer_attach(f->display, f->other);
        if (ret) {
            return ret;
        }
    }
    f->buffer = f->other;
    f->other = shown;
    xen_front_buffer_draw(f->buffer, atoi(args[0]));
    return display_flip(&f->display->connectors[0], f->buffer->fb);
}

/* The size of a character in a terminal */
#define CHARACTER_WIDTH 9
#define CHARACTER_HEIGHT 15

/* Draw where the screen reads, and say nothing, as X does */
static int display_type(Front *f, char **args)
{
    uint32_t left = atoi(args[0]), top = atoi(args[1]), x, y;

    if (!f->buffer || left > f->buffer->width - CHARACTER_WIDTH ||
        top > f->buffer->height - CHARACTER_HEIGHT) {
        return -EINVAL;
    }
    for (y = top; y < top + CHARACTER_HEIGHT; y++) {
        for (x = left; x < left + CHARACTER_WIDTH; x++) {
            ((uint32_t *)f->buffer->pgdir->data)[y * f->buffer->width + x] ^=
                0xffffff;
        }
    }
    return 0;
}

/* Linux, too, awaits the event before it flips again */
static int display_flips(Front *f, char **args)
{
    int64_t start = g_get_monotonic_time();
    int count = atoi(args[0]);
    XenFrontConnector *c;
    int i;

    if (!f->buffer) {
        return -EINVAL;
    }
    c = &f->display->connectors[0];
    for (i = 0; i < count; i++) {
        uint64_t events = c->events;
        int ret = xen_front_flip(c, f->buffer->fb);

        if (ret < 0) {
            return ret;
        }
        if (!xen_front_wait_events(c, events + 1, XEN_GUEST_DEADLINE)) {
            return -ETIMEDOUT;
        }
    }
    printf("# %d flips in %.3f s\n", count,
           (g_get_monotonic_time() - start) / 1e6);
    return c->bad_events ? -EPROTO : 0;
}

static void display_forget(Front *f)
{
    g_clear_pointer(&f->buffer, xen_front_buffer_free);
    g_clear_pointer(&f->other, xen_front_buffer_free);
}

static int display_destroy(Front *f, char **args)
{
    int ret;

    if (!f->buffer) {
        return -EINVAL;
    }
    /* Linux, too, sets no mode when it turns a screen off */
    ret = xen_front_set_config(&f->display->connectors[0], 0, 0, 0, 0, 0, 0);
    if (!ret) {
        ret = xen_front_buffer_detach(f->display, f->buffer);
    }
    if (!ret && f->other) {
        ret = xen_front_buffer_detach(f->display, f->other);
    }
    display_forget(f);
    return ret;
}

static int display_unload(Front *f, char **args)
{
    uint32_t i;
    int ret;

    if (!f->display) {
        return -EINVAL;
    }
    ret = xen_front_display_unload(f->display);
    display_forget(f);
    for (i = 0; i < G_N_ELEMENTS(f->more); i++) {
        g_clear_pointer(&f->more[i], xen_front_buffer_free);
    }
    xen_front_display_free(f->display);
    f->display = NULL;
    return ret;
}

/* Sound: the first stream, which has to play */

static int sound_connect(Front *f, char **args)
{
    int ret;

    if (f->sound) {
        return -EISCONN;
    }
    f->sound = xen_front_sound_new(f->guest, FRONT_CARD);
    ret = xen_front_sound_connect(f->sound);
    if (ret < 0) {
        xen_front_sound_free(f->sound);
        f->sound = NULL;
    }
    return ret;
}

/* S16_LE, stereo: periods of a tenth of a second, ten of them */
static int sound_open(Front *f, char **args)
{
    uint32_t rate = atoi(args[0]);
    uint32_t second = rate * 4;

    if (!f->sound || !rate) {
        return -EINVAL;
    }
    return xen_front_stream_open(&f->sound->streams[0], rate,
                                 XENSND_PCM_FORMAT_S16_LE, 2, second,
                                 second / 10);
}

/* The same, as a program of the guest's might choose: RATE BUFFER PERIOD */
static int sound_open_as(Front *f, char **args)
{
    uint32_t rate = atoi(args[0]);

    if (!f->sound || !rate) {
        return -EINVAL;
    }
    return xen_front_stream_open(&f->sound->streams[0], rate,
                                 XENSND_PCM_FORMAT_S16_LE, 2,
                                 atoi(args[1]) * 4, atoi(args[2]) * 4);
}

static int play(XenFrontStream *s, const char *data, size_t length)
{
    size_t done = 0;
    bool started = false;

    while (done < length) {
        int ret = xen_front_stream_write(s, data + done,
                                         MIN(length - done, UINT32_MAX));

        if (ret < 0) {
            return ret;
        }
        done += ret;
        if (!started) {
            started = true;
            ret = xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START);
            if (ret < 0) {
                return ret;
            }
        }
        /* Half of the buffer, or all that there is */
        if (!xen_front_stream_wait_position(
                s, done == length ? done : done - s->buffer_size / 2,
                FRONT_SOUND_PATIENCE * 1000)) {
            return -ETIMEDOUT;
        }
    }
    return s->bad_events ? -EPROTO : 0;
}

/* What there is to play, and the stream that is to play it */
static int sound_file(Front *f, const char *name, XenFrontStream **stream,
                      char **data, size_t *length)
{
    if (!f->sound || !f->sound->streams[0].pgdir) {
        return -EINVAL;
    }
    if (!g_file_get_contents(name, data, length, NULL)) {
        return -ENOENT;
    }
    *stream = &f->sound->streams[0];
    return 0;
}

static int sound_play(Front *f, char **args)
{
    g_autofree char *data = NULL;
    XenFrontStream *s;
    size_t length;
    int ret = sound_file(f, args[0], &s, &data, &length);

    if (ret < 0) {
        return ret;
    }
    ret = play(s, data, length);
    printf("# %" G_GUINT64_FORMAT " of %zu bytes played\n", s->position,
           length);
    return xen_front_stream_trigger(s, XENSND_OP_TRIGGER_STOP) ?: ret;
}

/* What fits into the buffer, and no more: the stream runs, and starves */
static int sound_start(Front *f, char **args)
{
    g_autofree char *data = NULL;
    XenFrontStream *s;
    size_t length;
    int ret = sound_file(f, args[0], &s, &data, &length);

    if (ret < 0) {
        return ret;
    }
    ret = xen_front_stream_write(s, data, MIN(length, s->buffer_size));
    return ret < 0 ? ret
                   : xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START);
}

/* Of the next event, so that it is not one of long ago */
static int sound_position(Front *f, char **args)
{
    XenFrontStream *s;

    if (!f->sound || !f->sound->streams[0].pgdir) {
        return -EINVAL;
    }
    s = &f->sound->streams[0];
    xen_front_stream_take_events(s);
    if (!xen_front_stream_wait_position(s, s->position + 1,
                                        FRONT_SOUND_PATIENCE * 1000)) {
        return -ETIMEDOUT;
    }
    printf("# %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "\n", s->position / 4,
           g_get_monotonic_time());
    return 0;
}

static int sound_stop(Front *f, char **args)
{
    if (!f->sound || !f->sound->streams[0].pgdir) {
        return -EINVAL;
    }
    return xen_front_stream_trigger(&f->sound->streams[0],
                                    XENSND_OP_TRIGGER_STOP);
}

static XenFrontStream *capture_stream(Front *f)
{
    uint32_t i;

    for (i = 0; f->sound && i < f->sound->nr_streams; i++) {
        if (f->sound->streams[i].capture) {
            return &f->sound->streams[i];
        }
    }
    return NULL;
}

/* What the card has put behind position @done, to the end of the buffer */
static int record_more(XenFrontStream *s, uint64_t done, size_t length,
                       FILE *file)
{
    uint32_t offset = done % s->buffer_size;
    uint64_t ready;
    int ret;

    if (!xen_front_stream_wait_position(s, done + 1,
                                        FRONT_SOUND_PATIENCE * 1000)) {
        return -ETIMEDOUT;
    }
    ready = MIN(MIN(s->position - done, s->buffer_size - offset), length);
    ret = xen_front_stream_rw(s, XENSND_OP_READ, offset, ready);
    if (ret < 0) {
        return ret;
    }
    return fwrite(s->pgdir->data + offset, ready, 1, file) == 1 ? ready : -EIO;
}

static int record(XenFrontStream *s, size_t length, FILE *file)
{
    size_t done = 0;
    int ret = xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START);

    while (ret >= 0 && done < length) {
        ret = record_more(s, done, length - done, file);
        done += MAX(ret, 0);
    }
    return ret < 0 ? ret
                   : xen_front_stream_trigger(s, XENSND_OP_TRIGGER_STOP);
}

static int sound_record(Front *f, char **args)
{
    XenFrontStream *s = capture_stream(f);
    size_t second = 48000 * 4;
    FILE *file;
    int ret, closed;

    if (!s) {
        return -ENODEV;
    }
    file = fopen(args[1], "w");
    if (!file) {
        return -errno;
    }
    ret = xen_front_stream_open(s, 48000, XENSND_PCM_FORMAT_S16_LE, 2, second,
                                second / 10);
    if (!ret) {
        ret = record(s, atoi(args[0]) * second, file);
        closed = xen_front_stream_close(s);
        ret = ret ?: closed;
    }
    return fclose(file) ? -EIO : ret;
}

static int sound_close(Front *f, char **args)
{
    if (!f->sound || !f->sound->streams[0].pgdir) {
        return -EINVAL;
    }
    return xen_front_stream_close(&f->sound->streams[0]);
}

static int sound_unload(Front *f, char **args)
{
    int ret;

    if (!f->sound) {
        return -EINVAL;
    }
    ret = xen_front_sound_unload(f->sound);
    xen_front_sound_free(f->sound);
    f->sound = NULL;
    return ret;
}

/* Both, again and again */

static int cycle(Front *f)
{
    static char *seed[] = { (char *)"1" };
    static char *rate[] = { (char *)"48000" };

    return display_connect(f, NULL) ?: display_draw(f, seed) ?:
           display_destroy(f, NULL) ?: display_unload(f, NULL) ?:
           sound_connect(f, NULL) ?: sound_open(f, rate) ?:
           sound_close(f, NULL) ?: sound_unload(f, NULL);
}

static int cycles(Front *f, char **args)
{
    int64_t start = g_get_monotonic_time();
    int count = atoi(args[0]);
    int i;

    for (i = 0; i < count; i++) {
        int ret = cycle(f);

        if (ret < 0) {
            printf("# cycle %d of %d\n", i + 1, count);
            return ret;
        }
    }
    printf("# %d cycles in %.1f s\n", count,
           (g_get_monotonic_time() - start) / 1e6);
    return 0;
}

/* What no Linux would do */

static int groups(Front *f, char **args)
{
    front_attack_groups();
    return 0;
}

static int attack(Front *f, char **args)
{
    int step = atoi(args[1]);

    if (step < 1) {
        return -EINVAL;
    }
    return f->display || f->sound ? -EISCONN :
           front_attack(f->guest, FRONT_CARD, args[0], step);
}

static int frame(Front *f, char **args)
{
    uint64_t number;

    if (!f->display || f->buffer) {
        return -EINVAL;
    }
    number = g_ascii_strtoull(args[1], NULL, 0);
    return front_grant_frame(f->display, args[0], number);
}

/* Commands */

static const FrontCommand commands[] = {
    { "connect-display", 0, "connect to display 0", display_connect },
    { "draw", 1, "SEED: show a picture, and wait for its flip's event",
      display_draw },
    { "draw-more", 1, "SEED: show pictures on all screens but the first, until "
      "the driver is\n                      unloaded", display_draw_more },
    { "next", 1, "SEED: draw a picture in another buffer, flip to it and wait "
      "for the\n                      event", display_next },
    { "type", 2, "X Y: invert 9x15 pixels of the picture there, without a "
      "flip", display_type },
    { "flips", 1, "N: flip the picture so often, each after the last one's "
      "event", display_flips },
    { "destroy", 0, "turn the screen off and destroy the picture's buffers",
      display_destroy },
    { "disconnect-display", 0, "as Linux does when its driver is unloaded",
      display_unload },
    { "connect-sound", 0, "connect to sound card 0", sound_connect },
    { "open", 1, "RATE: open the first stream: S16_LE, stereo", sound_open },
    { "open-as", 3, "RATE BUFFER PERIOD: the same, with so many frames",
      sound_open_as },
    { "play", 1, "FILE: play a file of such samples", sound_play },
    { "start", 1, "FILE: play as much of it as fits into the buffer, and "
      "silence then", sound_start },
    { "position", 0, "say in frames where the stream is, and at which us of "
      "a clock", sound_position },
    { "stop", 0, "stop it", sound_stop },
    { "close", 0, "close the stream", sound_close },
    { "record", 2, "SECONDS FILE: record from the first stream that does, at "
      "48000 Hz", sound_record },
    { "disconnect-sound", 0, "as Linux does when its driver is unloaded",
      sound_unload },
    { "cycles", 1, "N: connect, use and disconnect both, N times", cycles },
    { "groups", 0, "name the groups of attacks: how many can be sent", groups },
    { "attack", 2, "GROUP N: mount the attacks of a group, each N-th of them",
      attack },
    { "frame", 2, "TABLE FRAME: grant this frame in the place of pages of a "
      "picture; the\n                      file is that of the grant table",
      frame },
};

static void usage(void)
{
    size_t i;

    printf("usage: xen-front [--testbed MEMORY SOCKET] < COMMANDS\n\n"
           "Be the frontend of this guest's PV display and sound card. Linux's "
           "own drivers,\ndrm_xen_front and snd_xen_front, must not be loaded; "
           "xen-gntalloc and xen-evtchn\nmust be. With --testbed, be the guest of QEMU's "
           "xen-testbed: the file of its\nmemory, the socket of its character "
           "device.\n\n"
           "Each line of input is a command. It is answered by a line \"ok\" "
           "or \"failed: WHY\",\nafter any number of lines that begin with "
           "\"#\". Commands:\n\n");
    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf("  %-20s%s\n", commands[i].name, commands[i].help);
    }
}

static int obey(Front *f, const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " ", -1);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        const FrontCommand *command = &commands[i];

        if (words[0] && g_str_equal(words[0], command->name) &&
            g_strv_length(words) == command->args + 1) {
            return command->run(f, words + 1);
        }
    }
    return -ENOSYS;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    char line[1024];
    Front f = { 0 };

    if (argc == 4 && g_str_equal(argv[1], "--testbed")) {
        f.guest = xen_guest_new(argv[2], argv[3], &err);
    } else if (argc == 1) {
        f.guest = xen_guest_new_real(&err);
    } else {
        usage();
        return g_str_equal(argv[1], "--help") ? 0 : 2;
    }
    if (!f.guest) {
        fprintf(stderr, "xen-front: %s\n", err->message);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        int ret = obey(&f, g_strchomp(line));

        if (ret < 0) {
            printf("failed: %s\n", g_strerror(-ret));
        } else {
            printf("ok\n");
        }
        fflush(stdout);
    }
    /* What is still connected is left as a killed program would leave it */
    return 0;
}
