/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fuzzer's input, taken apart
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pgdir.h"
#include "fuzz-input.h"

uint8_t fuzz_u8(FuzzInput *in)
{
    if (!in->size) {
        return 0;
    }
    in->size--;
    return in->backwards ? in->data[in->size] : *in->data++;
}

uint16_t fuzz_u16(FuzzInput *in)
{
    uint16_t low = fuzz_u8(in);

    return low | fuzz_u8(in) << 8;
}

uint32_t fuzz_u32(FuzzInput *in)
{
    uint32_t low = fuzz_u16(in);

    return low | (uint32_t)fuzz_u16(in) << 16;
}

uint64_t fuzz_u64(FuzzInput *in)
{
    uint64_t low = fuzz_u32(in);

    return low | (uint64_t)fuzz_u32(in) << 32;
}

uint32_t fuzz_pick(FuzzInput *in, uint32_t count)
{
    return fuzz_u8(in) % count;
}

bool fuzz_chance(FuzzInput *in, uint32_t count)
{
    return fuzz_pick(in, count) == count - 1;
}

uint32_t fuzz_number(FuzzInput *in)
{
    uint8_t kind = fuzz_u8(in);

    switch (kind / 32) {
    case 0:
    case 1:
    case 2:
        return kind;
    case 3:
        return 1u << kind % 32;
    case 4:
        return (1u << kind % 32) - 1;
    case 5:
        return kind % 32 * XEN_PGDIR_PAGE_SIZE;
    case 6:
        return kind % 32 * XEN_PGDIR_PAGE_SIZE + (int8_t)fuzz_u8(in);
    default:
        return fuzz_u32(in);
    }
}

void fuzz_bytes(FuzzInput *in, void *to, size_t size)
{
    uint8_t *bytes = to;

    while (size--) {
        *bytes++ = fuzz_u8(in);
    }
}

void fuzz_touch(const void *data, uint64_t length)
{
    /* volatile: what is read is not used, and has to be read all the same */
    const volatile uint8_t *bytes = data;

    (void)bytes[0];
    (void)bytes[length / 2];
    (void)bytes[length - 1];
}
