/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Print the CRC-32 of a buffer that a Xen guest shares by a page directory.
 *
 *   cc pgdir-checksum.c $(pkg-config --cflags --libs xenpgdir)
 *   ./a.out DOMID GREF SIZE      e.g. 5 1234 1920000
 *
 * "python3 -m xenpgdir SOCKET" lists these numbers: see libxenpgdir(3).
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen-pgdir.h>

#define WINDOW  ((uint64_t)1 << 20)

static uint32_t crc32(uint32_t crc, const uint8_t *data, uint64_t length)
{
    crc = ~crc;
    for (uint64_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}

/* Look at the buffer through one window after the other */
static int32_t checksum(XenPgdirBuffer *buffer, uint32_t *crc)
{
    uint64_t size = xen_pgdir_buffer_size(buffer);

    for (uint64_t at = 0; at < size; at += WINDOW) {
        uint64_t length = size - at < WINDOW ? size - at : WINDOW;
        XenPgdirView *view;
        void *data;
        int32_t ret = xen_pgdir_buffer_view(buffer, at, length, &view, &data);

        if (ret) {
            return ret;
        }
        *crc = crc32(*crc, data, length);
        xen_pgdir_view_unref(view);
    }
    return 0;
}

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (!*text || *text == '-' || *end || value > max) {
        fprintf(stderr, "'%s' is no number up to %" PRIu64 "\n", text, max);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    /* At most 64 MiB mapped at once, of buffers of at most 1 GiB */
    const XenPgdirConfig config = { sizeof(config), .max_pages = 16384,
                                    .max_buffer_pages = 262144 };
    XenPgdirError error = { 0 };
    XenPgdirMapper *mapper = NULL;
    XenPgdirBuffer *buffer = NULL;
    uint32_t crc = 0;
    int32_t ret;

    if (argc != 4) {
        fprintf(stderr, "usage: %s DOMID GREF SIZE\n", argv[0]);
        return 2;
    }
    ret = xen_pgdir_mapper_open(number(argv[1], UINT32_MAX), &config, &mapper);
    if (ret == 0) {
        ret = xen_pgdir_buffer_new(mapper, number(argv[2], UINT32_MAX),
                                   number(argv[3], UINT64_MAX), 0, &buffer);
    }
    if (ret == 0) {
        ret = checksum(buffer, &crc);
    }
    if (ret == 0) {
        printf("%08" PRIx32 "\n", crc);
    } else if (mapper) {
        xen_pgdir_mapper_error(mapper, &error, sizeof(error));
        fprintf(stderr, "%s: %s\n", argv[0], error.message);
    } else {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(-ret));
    }
    xen_pgdir_buffer_unref(buffer);
    xen_pgdir_mapper_unref(mapper);
    return ret ? 1 : 0;
}
