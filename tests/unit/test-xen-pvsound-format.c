/*
 * Tests of the sample formats of PV sound
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include <xen/io/sndif.h>

#include "../../hw/xen/sound/xen-pvsound-format.h"

static const XenPvSoundFormat *get(uint32_t code)
{
    const XenPvSoundFormat *format = xen_pvsound_format(code);

    g_assert_nonnull(format);
    g_assert_cmpuint(format->code, ==, code);
    return format;
}

static void test_table(void)
{
    g_autofree char *names = xen_pvsound_format_names();
    g_auto(GStrv) list = g_strsplit(names, ",", -1);
    uint64_t mask = 0;
    uint32_t code;
    int i;

    for (i = 0; list[i]; i++) {
        g_assert_cmpuint(strlen(list[i]), <=, XENSND_SAMPLE_FORMAT_MAX_LEN);
        mask |= xen_pvsound_format_mask(list[i]);
    }
    g_assert_cmphex(mask, ==, xen_pvsound_format_all());
    for (code = 0; code < 64; code++) {
        const XenPvSoundFormat *f = xen_pvsound_format(code);

        g_assert_true(!f == !(mask >> code & 1));
        g_assert_true(!f || !f->to_host == !f->to_guest);
        g_assert_true(!f || f->to_host || f->size == f->host_size);
    }
    g_assert_null(xen_pvsound_format(XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE));
    g_assert_null(xen_pvsound_format(XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE));
    g_assert_null(xen_pvsound_format(XENSND_PCM_FORMAT_IMA_ADPCM));
    g_assert_null(xen_pvsound_format(XENSND_PCM_FORMAT_MPEG));
    g_assert_null(xen_pvsound_format(XENSND_PCM_FORMAT_GSM));
    g_assert_cmphex(xen_pvsound_format_mask("gsm"), ==, 1 << 24);
    g_assert_cmphex(xen_pvsound_format_mask("float_le"), ==, 1 << 14);
    g_assert_cmphex(xen_pvsound_format_mask("f32_le"), ==, 1 << 14);
    g_assert_cmphex(xen_pvsound_format_mask("f64_be"), ==, 1 << 17);
    g_assert_cmphex(xen_pvsound_format_mask(""), ==, 0);
    g_assert_cmphex(xen_pvsound_format_mask("s16"), ==, 0);
}

static void check(uint32_t code, const void *guest, const void *host)
{
    const XenPvSoundFormat *f = get(code);
    uint8_t got[8];

    f->to_host(got, guest, 1);
    g_assert_cmpmem(got, f->host_size, host, f->host_size);
    f->to_guest(got, host, 1);
    g_assert_cmpmem(got, f->size, guest, f->size);
}

static void test_24(void)
{
    const XenPvSoundFormat *f = get(XENSND_PCM_FORMAT_U24_LE);
    uint8_t got[4];

    check(XENSND_PCM_FORMAT_S24_LE, "\x56\x34\x12\x00", "\x00\x56\x34\x12");
    check(XENSND_PCM_FORMAT_S24_LE, "\x56\x34\x92\xff", "\x00\x56\x34\x92");
    check(XENSND_PCM_FORMAT_S24_BE, "\x00\x12\x34\x56", "\x12\x34\x56\x00");
    check(XENSND_PCM_FORMAT_S24_BE, "\xff\x92\x34\x56", "\x92\x34\x56\x00");
    check(XENSND_PCM_FORMAT_U24_LE, "\x56\x34\x92\x00", "\x00\x56\x34\x12");
    check(XENSND_PCM_FORMAT_U24_BE, "\x00\x12\x34\x56", "\x92\x34\x56\x00");
    /* What is in the fourth byte does not matter */
    f->to_host(got, "\x56\x34\x12\xa5", 1);
    g_assert_cmpmem(got, 4, "\x00\x56\x34\x92", 4);
}

static int32_t s32_of(double value, bool big)
{
    uint32_t code = big ? XENSND_PCM_FORMAT_F64_BE : XENSND_PCM_FORMAT_F64_LE;
    uint64_t bits;
    int32_t got;

    memcpy(&bits, &value, 8);
    bits = big ? GUINT64_TO_BE(bits) : GUINT64_TO_LE(bits);
    get(code)->to_host(&got, &bits, 1);
    return got;
}

static void check_f64(int32_t sample, double value)
{
    int i;

    for (i = 0; i < 2; i++) {
        uint32_t code = i ? XENSND_PCM_FORMAT_F64_BE :
                            XENSND_PCM_FORMAT_F64_LE;
        uint64_t bits;
        double got;

        g_assert_cmpint(s32_of(value, i), ==, sample);
        get(code)->to_guest(&bits, &sample, 1);
        bits = i ? GUINT64_FROM_BE(bits) : GUINT64_FROM_LE(bits);
        memcpy(&got, &bits, 8);
        g_assert_true(got == value);
    }
}

/* Every integer of 32 bits survives; anything else is bounded */
static void test_f64(void)
{
    uint64_t nan = 0x7ff8000000000000;
    double value;
    int i;

    check_f64(0, 0);
    check_f64(1 << 30, 0.5);
    check_f64(INT32_MIN, -1.0);
    for (i = 0; i < 1000; i++) {
        int32_t sample = g_test_rand_int();

        check_f64(sample, sample / 2147483648.0);
    }
    for (i = 0; i < 2; i++) {
        g_assert_cmpint(s32_of(1.0, i), ==, INT32_MAX);
        g_assert_cmpint(s32_of(1e300, i), ==, INT32_MAX);
        g_assert_cmpint(s32_of(-1e300, i), ==, INT32_MIN);
        g_assert_cmpint(s32_of(1 / 1e300, i), ==, 0);
        memcpy(&value, &nan, 8);
        g_assert_cmpint(s32_of(value, i), ==, 0);
        g_assert_cmpint(s32_of(1 / 0.0, i), ==, INT32_MAX);
        g_assert_cmpint(s32_of(-1 / 0.0, i), ==, INT32_MIN);
    }
}

static int16_t law(uint32_t code, uint8_t value)
{
    int16_t got;

    get(code)->to_host(&got, &value, 1);
    return got;
}

/*
 * A law as ITU G.711 has it, in tables: steps that double with each segment,
 * and within each of them a value.
 *
 * @from: the smallest amount that belongs to a value, in 16 bits
 * @value: what stands for it
 */
typedef struct Law {
    int from[128];
    int value[128];
} Law;

/* Tables 1a and 1b: 32 steps of 2, then 16 of twice that, of 13 bits */
static void make_a_law(Law *law)
{
    int i, from = 0, step = 2;

    for (i = 0; i < 128; i++) {
        step *= i >= 32 && i % 16 == 0 ? 2 : 1;
        law->from[i] = from * 8;
        law->value[i] = (from + step / 2) * 8;
        from += step;
    }
}

/* Tables 2a and 2b: one step of 1, 15 of 2, then 16 of twice that; 14 bits */
static void make_mu_law(Law *law)
{
    int i, from = 0, step = 2;

    for (i = 0; i < 128; i++) {
        step *= i && i % 16 == 0 ? 2 : 1;
        law->from[i] = from * 4;
        law->value[i] = i ? (from + step / 2) * 4 : 0;
        from += i ? step : 1;
    }
}

/* Transmitted are mu-law with all bits turned, A-law with every second one */
static uint8_t wire_code(uint32_t format, bool negative, int n)
{
    return (n | (negative ? 0 : 0x80)) ^
           (format == XENSND_PCM_FORMAT_A_LAW ? 0x55 : 0x7f);
}

/* Every code there, every sample of 16 bits back */
static void check_law(uint32_t format, const Law *table)
{
    int i, n;

    for (n = 0; n < 128; n++) {
        g_assert_cmpint(law(format, wire_code(format, false, n)), ==,
                        table->value[n]);
        g_assert_cmpint(law(format, wire_code(format, true, n)), ==,
                        -table->value[n]);
    }
    for (i = INT16_MIN; i <= INT16_MAX; i++) {
        int16_t sample = i;
        uint8_t code;

        for (n = 127; table->from[n] > abs(i); n--) {
            /* on to the next smaller */
        }
        get(format)->to_guest(&code, &sample, 1);
        g_assert_cmphex(code, ==, wire_code(format, i < 0, n));
    }
}

static void test_laws(void)
{
    Law a, mu;

    make_a_law(&a);
    make_mu_law(&mu);
    /* The ends of G.711's tables */
    g_assert_cmpint(a.value[0], ==, 1 * 8);
    g_assert_cmpint(a.value[127], ==, 4032 * 8);
    g_assert_cmpint(mu.value[1], ==, 2 * 4);
    g_assert_cmpint(mu.value[127], ==, 8031 * 4);
    check_law(XENSND_PCM_FORMAT_A_LAW, &a);
    check_law(XENSND_PCM_FORMAT_MU_LAW, &mu);
}

static void test_f32(void)
{
    check(XENSND_PCM_FORMAT_F32_BE, "\x01\x02\x03\x04", "\x04\x03\x02\x01");
}

/* The middle of what is unsigned is silence */
static void test_unsigned(void)
{
    check(XENSND_PCM_FORMAT_U8, "\x80", "\0");
    check(XENSND_PCM_FORMAT_U8, "\xff", "\x7f");
    check(XENSND_PCM_FORMAT_U8, "\0", "\x80");
    check(XENSND_PCM_FORMAT_U16_LE, "\x01\x80", "\x01\0");
    check(XENSND_PCM_FORMAT_U16_BE, "\x80\x01", "\0\x01");
    check(XENSND_PCM_FORMAT_U32_LE, "\1\2\3\x84", "\1\2\3\4");
    check(XENSND_PCM_FORMAT_U32_BE, "\x84\3\2\1", "\4\3\2\1");
}

static void test_gain(void)
{
    int32_t millidecibel;

    g_assert_cmpuint(xen_pvsound_gain(0), ==, 255);
    g_assert_cmpuint(xen_pvsound_gain(INT32_MAX), ==, 255);
    g_assert_cmpuint(xen_pvsound_gain(INT32_MIN), ==, 0);
    g_assert_cmpuint(xen_pvsound_gain(-6020), ==, 128);
    g_assert_cmpuint(xen_pvsound_gain(-20000), ==, 26);
    for (millidecibel = -100000; millidecibel < 0; millidecibel += 100) {
        g_assert_cmpuint(xen_pvsound_gain(millidecibel), <=,
                         xen_pvsound_gain(millidecibel + 100));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/pvsound-format/table", test_table);
    g_test_add_func("/xen/pvsound-format/24", test_24);
    g_test_add_func("/xen/pvsound-format/f32", test_f32);
    g_test_add_func("/xen/pvsound-format/f64", test_f64);
    g_test_add_func("/xen/pvsound-format/laws", test_laws);
    g_test_add_func("/xen/pvsound-format/unsigned", test_unsigned);
    g_test_add_func("/xen/pvsound-format/gain", test_gain);
    return g_test_run();
}
