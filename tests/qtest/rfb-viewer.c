/*
 * A viewer of a VNC server
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qemu/bswap.h"
#include "rfb-viewer.h"

#define HANDSHAKE_MS            20000

#define ENCODING_RAW            0
#define ENCODING_ZLIB           6
#define ENCODING_COMPRESS_9     (-247)
#define ENCODING_DESKTOP_SIZE   (-223)

enum {
    TO_SERVER_PIXEL_FORMAT = 0,
    TO_SERVER_ENCODINGS = 2,
    TO_SERVER_REQUEST = 3,
    TO_SERVER_KEY = 4,
};

enum {
    TO_VIEWER_UPDATE = 0,
    TO_VIEWER_BELL = 2,
    TO_VIEWER_CUT_TEXT = 3,
};

/* Bytes */

static void put(RfbViewer *v, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len) {
        ssize_t sent = send(v->fd, at, len, MSG_NOSIGNAL);

        g_assert_cmpint(sent, >, 0);
        at += sent;
        len -= sent;
    }
}

/* Returns: false when it took too long; a message in part is never left */
static bool get(RfbViewer *v, void *data, size_t len, int64_t deadline)
{
    struct pollfd pfd = { .fd = v->fd, .events = POLLIN };
    uint8_t *at = data;

    while (len) {
        int64_t left = (deadline - g_get_monotonic_time()) / 1000;
        ssize_t got;

        if (left < 0 || poll(&pfd, 1, left + 1) <= 0) {
            return false;
        }
        got = recv(v->fd, at, len, 0);
        g_assert_cmpint(got, >, 0);
        at += got;
        len -= got;
    }
    return true;
}

static void must_get(RfbViewer *v, void *data, size_t len)
{
    g_assert_true(get(v, data, len, g_get_monotonic_time() +
                                    HANDSHAKE_MS * 1000LL));
}

static void resize(RfbViewer *v, uint32_t width, uint32_t height)
{
    v->width = width;
    v->height = height;
    g_free(v->pixels);
    v->pixels = g_new0(uint32_t, (size_t)width * height);
}

/* Connecting */

int rfb_viewer_socket(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpuint(strlen(path), <, sizeof(addr.sun_path));
    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void set_encodings(RfbViewer *v, int32_t encoding, int32_t option)
{
    uint8_t message[12] = { TO_SERVER_ENCODINGS, 0, 0, 2 };

    stl_be_p(&message[4], encoding);
    stl_be_p(&message[8], option);
    put(v, message, sizeof(message));
}

static void set_format(RfbViewer *v)
{
    /* 32 bits, 24 of them used, little-endian, 0xRRGGBB */
    static const uint8_t format[20] = {
        TO_SERVER_PIXEL_FORMAT, 0, 0, 0,
        32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0,
    };

    put(v, format, sizeof(format));
    set_encodings(v, ENCODING_RAW, ENCODING_DESKTOP_SIZE);
}

RfbViewer *rfb_viewer_new(const char *path)
{
    RfbViewer *v = g_new0(RfbViewer, 1);
    uint8_t bytes[256];
    uint8_t types;

    v->fd = rfb_viewer_socket(path);
    g_assert_cmpint(v->fd, >=, 0);

    must_get(v, bytes, 12);
    g_assert_cmpmem(bytes, 12, "RFB 003.008\n", 12);
    put(v, bytes, 12);
    must_get(v, &types, 1);
    g_assert_cmpuint(types, ==, 1);
    must_get(v, bytes, 1);
    g_assert_cmpuint(bytes[0], ==, 1);      /* security: none */
    put(v, bytes, 1);
    must_get(v, bytes, 4);
    g_assert_cmpuint(ldl_be_p(bytes), ==, 0);
    put(v, &types, 1);                      /* shared */

    must_get(v, bytes, 24);
    resize(v, lduw_be_p(&bytes[0]), lduw_be_p(&bytes[2]));
    g_assert_cmpuint(ldl_be_p(&bytes[20]), <, sizeof(bytes));
    must_get(v, bytes, ldl_be_p(&bytes[20]));
    set_format(v);
    return v;
}

void rfb_viewer_free(RfbViewer *v)
{
    close(v->fd);
    g_free(v->pixels);
    g_free(v);
}

/* Messages */

void rfb_viewer_request(RfbViewer *v, bool incremental)
{
    uint8_t message[10] = { TO_SERVER_REQUEST, incremental };

    stw_be_p(&message[6], v->width);
    stw_be_p(&message[8], v->height);
    put(v, message, sizeof(message));
}

RfbViewer *rfb_viewer_start(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    RfbViewer *viewer = rfb_viewer_new(path);

    rfb_viewer_request(viewer, false);
    return viewer;
}

void rfb_viewer_compress(RfbViewer *v)
{
    set_encodings(v, ENCODING_ZLIB, ENCODING_COMPRESS_9);
}

bool rfb_viewer_has_message(const RfbViewer *v)
{
    struct pollfd fd = { .fd = v->fd, .events = POLLIN };

    return poll(&fd, 1, 0) > 0;
}

void rfb_viewer_key(RfbViewer *v, uint32_t keysym, bool down)
{
    uint8_t message[8] = { TO_SERVER_KEY, down };

    stl_be_p(&message[4], keysym);
    put(v, message, sizeof(message));
}

static bool take_rectangle(RfbViewer *v, int64_t deadline)
{
    uint32_t x, y, width, height, i;
    uint8_t head[12];
    int32_t encoding;

    if (!get(v, head, sizeof(head), deadline)) {
        return false;
    }
    x = lduw_be_p(&head[0]);
    y = lduw_be_p(&head[2]);
    width = lduw_be_p(&head[4]);
    height = lduw_be_p(&head[6]);
    encoding = ldl_be_p(&head[8]);
    if (encoding == ENCODING_DESKTOP_SIZE) {
        resize(v, width, height);
        return true;
    }

    g_assert_cmpint(encoding, ==, ENCODING_RAW);
    g_assert_cmpuint(x + width, <=, v->width);
    g_assert_cmpuint(y + height, <=, v->height);
    for (i = 0; i < height; i++) {
        uint32_t *row = v->pixels + (size_t)(y + i) * v->width + x;
        uint32_t j;

        if (!get(v, row, width * 4, deadline)) {
            return false;
        }
        for (j = 0; j < width; j++) {
            row[j] = le32_to_cpu(row[j]) & 0xffffff;
        }
    }
    return true;
}

static bool take_update(RfbViewer *v, int64_t deadline)
{
    uint8_t head[3];
    uint32_t i;

    if (!get(v, head, sizeof(head), deadline)) {
        return false;
    }
    for (i = 0; i < lduw_be_p(&head[1]); i++) {
        if (!take_rectangle(v, deadline)) {
            return false;
        }
    }
    v->updates++;
    rfb_viewer_request(v, true);
    return true;
}

static bool take_cut_text(RfbViewer *v, int64_t deadline)
{
    uint8_t head[7];
    uint8_t byte;
    uint32_t i;

    if (!get(v, head, sizeof(head), deadline)) {
        return false;
    }
    for (i = 0; i < ldl_be_p(&head[3]); i++) {
        if (!get(v, &byte, 1, deadline)) {
            return false;
        }
    }
    return true;
}

static bool take_message(RfbViewer *v, int64_t deadline)
{
    uint8_t type;

    if (!get(v, &type, 1, deadline)) {
        return false;
    }
    switch (type) {
    case TO_VIEWER_UPDATE:
        return take_update(v, deadline);
    case TO_VIEWER_BELL:
        return true;
    case TO_VIEWER_CUT_TEXT:
        return take_cut_text(v, deadline);
    default:
        g_test_message("message %u of the VNC server is unknown", type);
        g_assert_not_reached();
    }
}

bool rfb_viewer_wait(RfbViewer *v, RfbViewerCondition condition, void *opaque,
                     int timeout_ms)
{
    int64_t deadline = g_get_monotonic_time() + timeout_ms * 1000LL;

    while (!condition(v, opaque)) {
        if (!take_message(v, deadline)) {
            return false;
        }
    }
    return true;
}
