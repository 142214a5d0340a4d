/*
 * Stand-in for QEMU's "qemu/osdep.h", for building the lower layer alone
 *
 * It supplies just what hw/xen/pgdir/ and hw/xen/pv/ and their unit tests
 * use of the real one; inside a QEMU tree the real one is found instead.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef QEMU_OSDEP_H
#define QEMU_OSDEP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <glib.h>

#define QEMU_BUILD_BUG_ON(x) _Static_assert(!(x), "not expecting: " #x)

#ifndef container_of
#define container_of(ptr, type, member) \
    ((type *)((char *)(ptr) - offsetof(type, member)))
#endif

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#endif

#ifndef DIV_ROUND_UP
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#endif

#ifndef ROUND_UP
#define ROUND_UP(n, d) (((n) + (d) - 1) & -(0 ? (n) : (d)))
#endif

#ifndef QEMU_ALIGN_DOWN
#define QEMU_ALIGN_DOWN(n, m) ((n) / (m) * (m))
#define QEMU_ALIGN_UP(n, m) QEMU_ALIGN_DOWN((n) + (m) - 1, (m))
#endif

#ifndef QEMU_PACKED
#define QEMU_PACKED __attribute__((packed))
#endif

#ifndef QEMU_ALWAYS_INLINE
#define QEMU_ALWAYS_INLINE __attribute__((always_inline))
#endif

#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif

#endif /* QEMU_OSDEP_H */
