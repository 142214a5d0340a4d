/*
 * A viewer of a VNC server (RFB 3.8, RFC 6143): just enough of one to see
 * what QEMU's shows
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_RFB_VIEWER_H
#define TESTS_QTEST_RFB_VIEWER_H

/**
 * struct RfbViewer - a connection without security and compression
 *
 * @fd: its socket
 * @width: of the picture
 * @height: of the picture
 * @pixels: 0xRRGGBB, row by row
 * @updates: updates received
 */
typedef struct RfbViewer {
    int fd;
    uint32_t width;
    uint32_t height;
    uint32_t *pixels;
    uint64_t updates;
} RfbViewer;

typedef bool (*RfbViewerCondition)(RfbViewer *viewer, void *opaque);

/* Only connect to the socket, and say nothing; -1 if nobody listens */
int rfb_viewer_socket(const char *path);

/* All of it, up to the first request; aborts if the server misbehaves */
RfbViewer *rfb_viewer_new(const char *path);
void rfb_viewer_free(RfbViewer *viewer);

/* The same of a socket in a folder; and ask for the whole picture */
RfbViewer *rfb_viewer_start(const char *dir, const char *name);

/* Ask for the whole picture, or for what has changed */
void rfb_viewer_request(RfbViewer *viewer, bool incremental);

/*
 * Have updates compressed as far, and as slowly, as the server can.  It can be
 * seen that one comes, and no more: the viewer does not read such updates.
 */
void rfb_viewer_compress(RfbViewer *viewer);

/* Whether the server has said something that was not taken yet */
bool rfb_viewer_has_message(const RfbViewer *viewer);

/* Press a key, or release it: a keysym of X11 */
void rfb_viewer_key(RfbViewer *viewer, uint32_t keysym, bool down);

/* Take updates, and ask for more, until the condition holds */
bool rfb_viewer_wait(RfbViewer *viewer, RfbViewerCondition condition,
                     void *opaque, int timeout_ms);

#endif /* TESTS_QTEST_RFB_VIEWER_H */
