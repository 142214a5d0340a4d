/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fuzzer's input, taken apart: numbers and choices instead of bytes.
 *
 * What a target does comes from the front of the input, and what happens
 * behind its back from the end.  So one more access of the code under test
 * does not give all later bytes another meaning.  Beyond the last byte
 * everything is 0, and 0 is always the tame choice.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef TESTS_FUZZ_FUZZ_INPUT_H
#define TESTS_FUZZ_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct FuzzInput - what is left of an input
 *
 * @data: its first byte
 * @size: its bytes
 * @backwards: take from the end
 */
typedef struct FuzzInput {
    const uint8_t *data;
    size_t size;
    bool backwards;
} FuzzInput;

/** fuzz_u8: take a byte */
uint8_t fuzz_u8(FuzzInput *in);

/** fuzz_u16: take 16 bits */
uint16_t fuzz_u16(FuzzInput *in);

/** fuzz_u32: take 32 bits */
uint32_t fuzz_u32(FuzzInput *in);

/** fuzz_u64: take 64 bits */
uint64_t fuzz_u64(FuzzInput *in);

/** fuzz_pick: choose one of @count, at most 256 */
uint32_t fuzz_pick(FuzzInput *in, uint32_t count);

/** fuzz_chance: yes, once in @count times; never without input */
bool fuzz_chance(FuzzInput *in, uint32_t count);

/**
 * fuzz_number: take a number, the sooner the more likely code trips over it:
 * small ones, powers of two, multiples of a page, what is next to these, and
 * any
 */
uint32_t fuzz_number(FuzzInput *in);

/** fuzz_bytes: take @size bytes */
void fuzz_bytes(FuzzInput *in, void *to, size_t size);

/** fuzz_touch: read some of these bytes; faults if they cannot be */
void fuzz_touch(const void *data, uint64_t length);

/** FUZZ_CHOICE: choose an element of an array */
#define FUZZ_CHOICE(in, array) \
    ((array)[fuzz_pick(in, sizeof(array) / sizeof((array)[0]))])

/**
 * LLVMFuzzerTestOneInput: what libFuzzer calls: a target's one function
 * @data: the input
 * @size: its bytes
 *
 * Returns: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_FUZZ_INPUT_H */
