/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sample formats and volume of a PV sound card.
 *
 * QEMU's audio layer knows integers of 8, 16 and 32 bits in either byte
 * order, and floats of 32 bits in the host's.  All else is converted: 24 bits
 * to 32, laws to 16, and floats of 64 bits to integers of 32, as these keep
 * what any integer sample had in them.
 *
 * Unsigned integers it knows, too, but mixes them wrongly: it takes their
 * middle to be one less than it is, and what is loudest turns its sign.  So
 * these become signed on the way, which turns their highest bit.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <math.h>
#include <xen/io/sndif.h>

#include "xen-pvsound-format.h"

#define LAW_SIGN        0x80
#define MU_LAW_BIAS     33
#define MU_LAW_MAX      8191
#define A_LAW_MAX       4095
#define A_LAW_FLIP      0x55

static int16_t get_s16(const void *src, size_t i)
{
    int16_t value;

    memcpy(&value, (const uint8_t *)src + i * sizeof(value), sizeof(value));
    return value;
}

static void put_s16(void *dst, size_t i, int16_t value)
{
    memcpy((uint8_t *)dst + i * sizeof(value), &value, sizeof(value));
}

/* ------------------------------------------------- signed and unsigned */

/* Samples of @size bytes, the highest of them at @high */
static void turn_sign(void *dst, const void *src, size_t count, size_t size,
                      size_t high)
{
    uint8_t *to = dst;

    memcpy(dst, src, count * size);
    for (; count; count--, to += size) {
        to[high] ^= 0x80;
    }
}

static void turn_8(void *dst, const void *src, size_t count)
{
    turn_sign(dst, src, count, 1, 0);
}

static void turn_16_le(void *dst, const void *src, size_t count)
{
    turn_sign(dst, src, count, 2, 1);
}

static void turn_16_be(void *dst, const void *src, size_t count)
{
    turn_sign(dst, src, count, 2, 0);
}

static void turn_32_le(void *dst, const void *src, size_t count)
{
    turn_sign(dst, src, count, 4, 3);
}

static void turn_32_be(void *dst, const void *src, size_t count)
{
    turn_sign(dst, src, count, 4, 0);
}

/* ------------------------------------------------------- 24 bits in 32 */

/* The low three bytes count; they become the high three */
static void from_24_le(void *dst, const void *src, size_t count, uint8_t turn)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (; count; count--, from += 4, to += 4) {
        to[0] = 0;
        to[1] = from[0];
        to[2] = from[1];
        to[3] = from[2] ^ turn;
    }
}

static void from_24_be(void *dst, const void *src, size_t count, uint8_t turn)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (; count; count--, from += 4, to += 4) {
        to[0] = from[1] ^ turn;
        to[1] = from[2];
        to[2] = from[3];
        to[3] = 0;
    }
}

/* What is signed fills the fourth byte with its sign */
static void to_24_le(void *dst, const void *src, size_t count, uint8_t turn)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (; count; count--, from += 4, to += 4) {
        to[0] = from[1];
        to[1] = from[2];
        to[2] = from[3] ^ turn;
        to[3] = !turn && (from[3] & 0x80) ? 0xff : 0;
    }
}

static void to_24_be(void *dst, const void *src, size_t count, uint8_t turn)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (; count; count--, from += 4, to += 4) {
        to[0] = !turn && (from[0] & 0x80) ? 0xff : 0;
        to[1] = from[0] ^ turn;
        to[2] = from[1];
        to[3] = from[2];
    }
}

static void s24_le_to_s32(void *dst, const void *src, size_t count)
{
    from_24_le(dst, src, count, 0);
}

static void s24_be_to_s32(void *dst, const void *src, size_t count)
{
    from_24_be(dst, src, count, 0);
}

static void u24_le_to_s32(void *dst, const void *src, size_t count)
{
    from_24_le(dst, src, count, 0x80);
}

static void u24_be_to_s32(void *dst, const void *src, size_t count)
{
    from_24_be(dst, src, count, 0x80);
}

static void s32_to_s24_le(void *dst, const void *src, size_t count)
{
    to_24_le(dst, src, count, 0);
}

static void s32_to_s24_be(void *dst, const void *src, size_t count)
{
    to_24_be(dst, src, count, 0);
}

static void s32_to_u24_le(void *dst, const void *src, size_t count)
{
    to_24_le(dst, src, count, 0x80);
}

static void s32_to_u24_be(void *dst, const void *src, size_t count)
{
    to_24_be(dst, src, count, 0x80);
}

/* --------------------------------------------------------------- floats */

static void swap_32(void *dst, const void *src, size_t count)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (; count; count--, from += 4, to += 4) {
        to[0] = from[3];
        to[1] = from[2];
        to[2] = from[1];
        to[3] = from[0];
    }
}

static void f64_to_s32(void *dst, const void *src, size_t count, bool swap)
{
    size_t i;

    for (i = 0; i < count; i++) {
        uint64_t bits;
        double value;
        int32_t sample;

        memcpy(&bits, (const uint8_t *)src + i * 8, 8);
        bits = swap ? GUINT64_SWAP_LE_BE(bits) : bits;
        memcpy(&value, &bits, 8);
        value = rint(value * 2147483648.0);
        /* Not a number compares with nothing: silence */
        sample = value >= INT32_MAX ? INT32_MAX :
                 value <= INT32_MIN ? INT32_MIN :
                 value == value ? (int32_t)value : 0;
        memcpy((uint8_t *)dst + i * 4, &sample, 4);
    }
}

static void s32_to_f64(void *dst, const void *src, size_t count, bool swap)
{
    size_t i;

    for (i = 0; i < count; i++) {
        int32_t sample;
        uint64_t bits;
        double value;

        memcpy(&sample, (const uint8_t *)src + i * 4, 4);
        value = sample / 2147483648.0;
        memcpy(&bits, &value, 8);
        bits = swap ? GUINT64_SWAP_LE_BE(bits) : bits;
        memcpy((uint8_t *)dst + i * 8, &bits, 8);
    }
}

static void f64_le_to_s32(void *dst, const void *src, size_t count)
{
    f64_to_s32(dst, src, count, false);
}

static void f64_be_to_s32(void *dst, const void *src, size_t count)
{
    f64_to_s32(dst, src, count, true);
}

static void s32_to_f64_le(void *dst, const void *src, size_t count)
{
    s32_to_f64(dst, src, count, false);
}

static void s32_to_f64_be(void *dst, const void *src, size_t count)
{
    s32_to_f64(dst, src, count, true);
}

/* ------------------------------------------------------ laws: ITU G.711 */

/* Position of the highest bit that is set */
static int top_bit(unsigned int value)
{
    int bit = 0;

    while (value >>= 1) {
        bit++;
    }
    return bit;
}

/* 14 bits: a sign, and steps that double each 16 */
static int16_t mu_law_decode(uint8_t code)
{
    unsigned int all = ~code & 0xff;
    int value = ((all & 15) * 2 + MU_LAW_BIAS) << (all >> 4 & 7);

    value = (value - MU_LAW_BIAS) * 4;
    return all & LAW_SIGN ? -value : value;
}

static uint8_t mu_law_encode(int16_t sample)
{
    unsigned int value = MIN(abs(sample) / 4 + MU_LAW_BIAS, MU_LAW_MAX);
    int segment = top_bit(value) - 5;

    return ~((sample < 0 ? LAW_SIGN : 0) | segment << 4 |
             (value >> (segment + 1) & 15));
}

/* 13 bits: the same, but the first 32 steps are alike; odd bits flipped */
static int16_t a_law_decode(uint8_t code)
{
    unsigned int all = code ^ A_LAW_FLIP;
    unsigned int segment = all >> 4 & 7;
    int value = (all & 15) * 2 + 1;

    if (segment) {
        value = (value + 32) << (segment - 1);
    }
    return all & LAW_SIGN ? value * 8 : -value * 8;
}

static uint8_t a_law_encode(int16_t sample)
{
    unsigned int value = MIN(abs(sample) / 8, A_LAW_MAX);
    int segment = value < 32 ? 0 : top_bit(value) - 4;

    return ((sample < 0 ? 0 : LAW_SIGN) | segment << 4 |
            (value >> MAX(segment, 1) & 15)) ^ A_LAW_FLIP;
}

static void mu_law_to_s16(void *dst, const void *src, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        put_s16(dst, i, mu_law_decode(((const uint8_t *)src)[i]));
    }
}

static void s16_to_mu_law(void *dst, const void *src, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        ((uint8_t *)dst)[i] = mu_law_encode(get_s16(src, i));
    }
}

static void a_law_to_s16(void *dst, const void *src, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        put_s16(dst, i, a_law_decode(((const uint8_t *)src)[i]));
    }
}

static void s16_to_a_law(void *dst, const void *src, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        ((uint8_t *)dst)[i] = a_law_encode(get_s16(src, i));
    }
}

/* -------------------------------------------------------------- formats */

#define PLAIN(format, bytes, kind, big) \
    { XENSND_PCM_FORMAT_##format##_STR, XENSND_PCM_FORMAT_##format, bytes, \
      XEN_PVSOUND_##kind, big, bytes, NULL, NULL }

#define CONVERTED(format, bytes, kind, big, host_bytes, to_host, to_guest) \
    { XENSND_PCM_FORMAT_##format##_STR, XENSND_PCM_FORMAT_##format, bytes, \
      XEN_PVSOUND_##kind, big, host_bytes, to_host, to_guest }

static const XenPvSoundFormat formats[] = {
    PLAIN(S8, 1, S8, false),
    CONVERTED(U8, 1, S8, false, 1, turn_8, turn_8),
    PLAIN(S16_LE, 2, S16, false),
    PLAIN(S16_BE, 2, S16, true),
    CONVERTED(U16_LE, 2, S16, false, 2, turn_16_le, turn_16_le),
    CONVERTED(U16_BE, 2, S16, true, 2, turn_16_be, turn_16_be),
    CONVERTED(S24_LE, 4, S32, false, 4, s24_le_to_s32, s32_to_s24_le),
    CONVERTED(S24_BE, 4, S32, true, 4, s24_be_to_s32, s32_to_s24_be),
    CONVERTED(U24_LE, 4, S32, false, 4, u24_le_to_s32, s32_to_u24_le),
    CONVERTED(U24_BE, 4, S32, true, 4, u24_be_to_s32, s32_to_u24_be),
    PLAIN(S32_LE, 4, S32, false),
    PLAIN(S32_BE, 4, S32, true),
    CONVERTED(U32_LE, 4, S32, false, 4, turn_32_le, turn_32_le),
    CONVERTED(U32_BE, 4, S32, true, 4, turn_32_be, turn_32_be),
    PLAIN(F32_LE, 4, F32, false),
    CONVERTED(F32_BE, 4, F32, false, 4, swap_32, swap_32),
    CONVERTED(F64_LE, 8, S32, false, 4, f64_le_to_s32, s32_to_f64_le),
    CONVERTED(F64_BE, 8, S32, false, 4, f64_be_to_s32, s32_to_f64_be),
    CONVERTED(MU_LAW, 1, S16, false, 2, mu_law_to_s16, s16_to_mu_law),
    CONVERTED(A_LAW, 1, S16, false, 2, a_law_to_s16, s16_to_a_law),
};

/*
 * Names of formats that are not in the table: those that cannot be played
 * but are no mistake, and xl's spellings of floats.
 */
static const struct {
    const char *name;
    uint32_t code;
} other_names[] = {
    { "f32_le", XENSND_PCM_FORMAT_F32_LE },
    { "f32_be", XENSND_PCM_FORMAT_F32_BE },
    { "f64_le", XENSND_PCM_FORMAT_F64_LE },
    { "f64_be", XENSND_PCM_FORMAT_F64_BE },
    { XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR,
      XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE },
    { XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR,
      XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE },
    { XENSND_PCM_FORMAT_IMA_ADPCM_STR, XENSND_PCM_FORMAT_IMA_ADPCM },
    { XENSND_PCM_FORMAT_MPEG_STR, XENSND_PCM_FORMAT_MPEG },
    { XENSND_PCM_FORMAT_GSM_STR, XENSND_PCM_FORMAT_GSM },
};

const XenPvSoundFormat *xen_pvsound_format(uint32_t code)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (formats[i].code == code) {
            return &formats[i];
        }
    }
    return NULL;
}

uint64_t xen_pvsound_format_mask(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (g_str_equal(formats[i].name, name)) {
            return 1ULL << formats[i].code;
        }
    }
    for (i = 0; i < ARRAY_SIZE(other_names); i++) {
        if (g_str_equal(other_names[i].name, name)) {
            return 1ULL << other_names[i].code;
        }
    }
    return 0;
}

uint64_t xen_pvsound_format_all(void)
{
    uint64_t mask = 0;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        mask |= 1ULL << formats[i].code;
    }
    return mask;
}

char *xen_pvsound_format_names(void)
{
    GString *names = g_string_new(formats[0].name);
    size_t i;

    for (i = 1; i < ARRAY_SIZE(formats); i++) {
        g_string_append_printf(names, XENSND_LIST_SEPARATOR "%s",
                               formats[i].name);
    }
    return g_string_free(names, false);
}

uint8_t xen_pvsound_gain(int32_t millidecibel)
{
    if (millidecibel >= 0) {
        return 255;
    }
    return rint(255 * pow(10, millidecibel / 20000.0));
}
