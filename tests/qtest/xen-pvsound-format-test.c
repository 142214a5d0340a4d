/*
 * QTest of xen-pvsound: formats, rates and channels
 *
 * Time is QEMU's virtual clock, which stands still until a test moves it.
 * What is played goes to a file, and is compared with what was sent.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"

#include "xen-pvsound-qtest.h"

/* Tests: formats */

typedef struct Format {
    const char *name;
    uint8_t code;
    uint8_t size;
    uint8_t bits;
    bool is_unsigned;
    bool big_endian;
    bool is_float;
} Format;

static const Format formats[] = {
    { "s8", XENSND_PCM_FORMAT_S8, 1, 8 },
    { "u8", XENSND_PCM_FORMAT_U8, 1, 8, true },
    { "s16_le", XENSND_PCM_FORMAT_S16_LE, 2, 16 },
    { "s16_be", XENSND_PCM_FORMAT_S16_BE, 2, 16, false, true },
    { "u16_le", XENSND_PCM_FORMAT_U16_LE, 2, 16, true },
    { "u16_be", XENSND_PCM_FORMAT_U16_BE, 2, 16, true, true },
    { "s24_le", XENSND_PCM_FORMAT_S24_LE, 4, 24 },
    { "s24_be", XENSND_PCM_FORMAT_S24_BE, 4, 24, false, true },
    { "u24_le", XENSND_PCM_FORMAT_U24_LE, 4, 24, true },
    { "u24_be", XENSND_PCM_FORMAT_U24_BE, 4, 24, true, true },
    { "s32_le", XENSND_PCM_FORMAT_S32_LE, 4, 32 },
    { "s32_be", XENSND_PCM_FORMAT_S32_BE, 4, 32, false, true },
    { "u32_le", XENSND_PCM_FORMAT_U32_LE, 4, 32, true },
    { "u32_be", XENSND_PCM_FORMAT_U32_BE, 4, 32, true, true },
    { "f32_le", XENSND_PCM_FORMAT_F32_LE, 4, 32, false, false, true },
    { "f32_be", XENSND_PCM_FORMAT_F32_BE, 4, 32, false, true, true },
    { "f64_le", XENSND_PCM_FORMAT_F64_LE, 8, 64, false, false, true },
    { "f64_be", XENSND_PCM_FORMAT_F64_BE, 8, 64, false, true, true },
    { "mu_law", XENSND_PCM_FORMAT_MU_LAW, 1, 0 },
    { "a_law", XENSND_PCM_FORMAT_A_LAW, 1, 0 },
};

/* The bits of a sample of 16 bits in another format */
static uint64_t encode_bits(const Format *f, int16_t value)
{
    double number = value / 32768.0;
    float small = number;
    uint64_t bits = 0;
    uint32_t half;

    if (!f->bits) {
        /* The loudest of either law, and of either sign */
        half = f->code == XENSND_PCM_FORMAT_MU_LAW ? 0x80 : 0xaa;
        return value < 0 ? half ^ 0x80 : half;
    }
    if (f->is_float && f->size == 8) {
        memcpy(&bits, &number, 8);
    } else if (f->is_float) {
        memcpy(&half, &small, 4);
        bits = half;
    } else {
        bits = f->bits == 8 ? value >> 8 : (uint64_t)value << (f->bits - 16);
        bits += f->is_unsigned ? 1ull << (f->bits - 1) : 0;
        if (f->is_unsigned && f->bits < 32) {
            bits &= (1ull << f->bits) - 1;
        }
    }
    return bits;
}

static void encode(const Format *f, int16_t value, uint8_t *dst)
{
    uint64_t bits = encode_bits(f, value);
    int i;

    for (i = 0; i < f->size; i++) {
        dst[f->big_endian ? f->size - 1 - i : i] = bits >> (8 * i);
    }
}

/* What is left of it */
static int16_t decoded(const Format *f, int16_t value)
{
    if (!f->bits) {
        int16_t loud = f->code == XENSND_PCM_FORMAT_MU_LAW ? 32124 : 32256;

        return value < 0 ? -loud : loud;
    }
    return f->bits == 8 ? value & 0xff00 : value;
}

static void test_format(const Format *f, const char *testbed)
{
    uint32_t count = RATE / 4, i;
    g_autofree int16_t *want = g_new(int16_t, count);
    g_autofree uint8_t *data = g_new(uint8_t, count * f->size);
    XenFrontStream *s;
    Test t;

    g_test_message("format %s", f->name);
    for (i = 0; i < count; i++) {
        /* Not silent in 8 bits either */
        encode(f, sample(i) | 0x100, data + i * f->size);
        want[i] = decoded(f, sample(i) | 0x100);
    }
    test_start(&t, testbed, WAV, CARD "streams=p");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, f->code, 2,
                                          4096 * f->size * 2,
                                          1024 * f->size * 2), ==, 0);
    play(&t, s, data, count * f->size);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, want, count);
    test_end(&t);
}

static void test_formats(const void *testbed)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        test_format(&formats[i], testbed);
    }
}

/* Tests: channels */

#ifdef CONFIG_AUDIO_ALSA
/* Nothing between the card and the file of raw samples */
static void play_channels(const Format *f, uint32_t channels)
{
    uint32_t count = RATE / 8 * channels, i;
    g_autofree int16_t *want = g_new(int16_t, count);
    g_autofree uint8_t *data = g_new(uint8_t, count * f->size);
    uint32_t frame = f->size * channels;
    g_autofree char *file = NULL;
    gsize size, from = 0;
    XenFrontStream *s;
    Test t;

    for (i = 0; i < count; i++) {
        want[i] = sample(i);
        encode(f, want[i], data + i * f->size);
    }
    test_start(&t, "", FILE_OF_ALSA, CARD "streams=p,max-channels=8");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, f->code, channels,
                                          2400 * frame, 600 * frame), ==, 0);
    play(&t, s, data, count * f->size);
    close_plain(s);
    test_unload(&t);
    test_quit(&t);

    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    while (from < size && !file[from]) {
        from++;
    }
    from -= from % frame;
    g_assert_cmpuint(size - from, >=, count * 2);
    for (i = 0; i < count; i++) {
        g_assert_cmpint((int16_t)lduw_le_p(file + from + 2 * i), ==, want[i]);
    }
    for (from += 2 * count; from < size; from++) {
        g_assert_cmpint(file[from], ==, 0);
    }
    test_end(&t);
}

static void test_channels(const void *testbed)
{
    static const uint32_t numbers[] = { 1, 2, 3, 6, 8 };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(numbers); i++) {
        play_channels(&formats[2], numbers[i]);     /* s16_le */
        play_channels(&formats[4], numbers[i]);     /* u16_le: converted */
    }
}
#endif

/*
 * A host that opens something else than it was asked for: QEMU's driver for
 * files takes 44.1 kHz, stereo, 16 bits, whatever that is
 */
static void test_host_differs(const void *testbed)
{
    static const struct {
        uint32_t rate;
        uint8_t format;
        uint8_t channels;
        int status;
    } opens[] = {
        { 48000, XENSND_PCM_FORMAT_S16_LE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 1, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 8, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S8, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_BE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S32_LE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_S16_LE, 2, 0 },
        { 44100, XENSND_PCM_FORMAT_U16_BE, 2, -ENODEV },
        { 44100, XENSND_PCM_FORMAT_U16_LE, 2, 0 },
        { 44100, XENSND_PCM_FORMAT_MU_LAW, 2, 0 },
    };
    size_t i;
    Test t;

    test_start(&t, testbed, UNMIXED, CARD "streams=p,max-channels=8");
    test_connect(&t);
    for (i = 0; i < ARRAY_SIZE(opens); i++) {
        g_assert_cmpint(xen_front_stream_open(stream(&t, 0), opens[i].rate,
                                              opens[i].format,
                                              opens[i].channels, 65536,
                                              16384), ==, opens[i].status);
        close_plain(stream(&t, 0));
    }
    test_unload(&t);
    test_end(&t);
}

/* QEMU's mixing engine takes all but two channels for one */
static void test_mixed_channels(const void *testbed)
{
    uint32_t count = RATE / 8, i;
    g_autofree int16_t *samples = samples_new(count);
    g_autofree int16_t *want = g_new(int16_t, 2 * count);
    XenFrontStream *s;
    Test t;

    for (i = 0; i < 2 * count; i++) {
        want[i] = samples[i / 2];
    }
    test_start(&t, testbed, WAV, CARD "streams=p,max-channels=8");
    test_connect(&t);
    s = stream(&t, 0);
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          1, 4800, 1200), ==, 0);
    play(&t, s, samples, count * 2);
    close_plain(s);
    step(&t, 200 * MS);
    test_unload(&t);
    test_quit(&t);
    check_recording(&t, want, 2 * count);
    test_end(&t);
}

/* What can be had is in the card's nodes, in answers, and in OPEN */
static void check_channels(const char *audio, uint32_t play, uint32_t record)
{
    const uint32_t most[] = { play, record };
    uint32_t i, n;
    Test t;

    test_start(&t, "", audio, CARD "streams=pc,max-channels=8");
    test_connect(&t);
    check_node(&t, "channels-max", "8");
    check_node(&t, "0/0/channels-max", play < 8 ? "2" : NULL);
    check_node(&t, "0/1/channels-max", record < 8 ? "2" : NULL);
    for (i = 0; i < 2; i++) {
        struct xensnd_query_hw_param p;

        query(stream(&t, i), &p);
        g_assert_cmpuint(p.channels.min, ==, 1);
        g_assert_cmpuint(p.channels.max, ==, most[i]);
        p.channels.min = most[i] + 1;
        p.channels.max = UINT32_MAX;
        g_assert_cmpint(xen_front_stream_query(stream(&t, i), &p), ==,
                        -EINVAL);
        for (n = 0; n <= 9; n++) {
            int ret = xen_front_stream_open(stream(&t, i), RATE,
                                            XENSND_PCM_FORMAT_S16_LE, n,
                                            2400 * MAX(n, 1) * 2,
                                            600 * MAX(n, 1) * 2);

            g_assert_cmpint(ret, ==, n && n <= most[i] ? 0 : -EINVAL);
            g_assert_cmpint(xen_front_stream_close(stream(&t, i)), ==, 0);
        }
    }
    test_unload(&t);
    test_end(&t);
}

static void test_channel_limits(const void *testbed)
{
    check_channels(NONE, 2, 2);
    check_channels(NONE_PLAIN(out), 8, 2);
    check_channels(NONE_PLAIN(in), 2, 8);
}

static void test_bad_formats(const void *testbed)
{
    XenFrontStream *s;
    Test t;
    int code;

    test_start(&t, testbed, WAV, CARD "streams=pp");
    test_connect(&t);
    s = stream(&t, 0);
    for (code = 0; code < 256; code++) {
        bool known = code <= XENSND_PCM_FORMAT_F64_BE ||
                     code == XENSND_PCM_FORMAT_MU_LAW ||
                     code == XENSND_PCM_FORMAT_A_LAW;
        int ret = xen_front_stream_open(s, RATE, code, 2, 65536, 8192);

        g_assert_cmpint(ret, ==, known ? 0 : -EINVAL);
        g_assert_cmpint(xen_front_stream_close(s), ==, 0);
    }
    test_unload(&t);
    test_end(&t);
}

/* Tests: an hour, of every format at every rate */

static const uint32_t rates[] = {
    5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 96000,
    176400, 192000,
};

#define HOUR_PERIOD 200

/*
 * The position is that of the audio layer's last tick, told to the frame but
 * for what has begun of a period.
 */
static void check_hour(XenFrontStream *s, uint32_t rate, uint32_t frame,
                       uint32_t timer_us)
{
    uint64_t end = (uint64_t)rate * 3600;
    uint64_t tick = (uint64_t)rate * timer_us / 1000000;

    xen_front_stream_take_events(s);
    g_assert_cmpuint(s->position, >=, (end - tick - HOUR_PERIOD - 1) * frame);
    g_assert_cmpuint(s->position, <=, end * frame);
    g_assert_cmpuint(s->position % frame, ==, 0);
}

static void hour_of(const char *testbed, uint32_t timer_us, const Format *fs,
                    uint32_t nr_formats, const uint32_t *rs,
                    uint32_t nr_rates)
{
    g_autofree char *audio =
        g_strdup_printf("-audiodev none,id=snd,timer-period=%u,"
                        "out.mixing-engine=off ", timer_us);
    uint32_t n = 0, i, k;
    Test t;

    test_start(&t, testbed, audio,
               CARD "streams='pppppppp;pppppppp;pppppppp'");
    test_connect(&t);
    for (i = 0; i < nr_formats; i++) {
        for (k = 0; k < nr_rates; k++, n++) {
            uint32_t frame = fs[i].size * 2;

            g_assert_cmpint(xen_front_stream_open(stream(&t, n), rs[k],
                                                  fs[i].code, 2,
                                                  8000 * frame,
                                                  HOUR_PERIOD * frame),
                            ==, 0);
            start(stream(&t, n));
        }
    }
    /* Nobody takes events meanwhile: the pages are full, no id is lost */
    step(&t, 3600 * 1000 * MS - 100 * MS);
    for (i = 0; i < 5; i++) {
        check_events(&t);
        step(&t, 20 * MS);
    }
    for (i = 0, n = 0; i < nr_formats; i++) {
        for (k = 0; k < nr_rates; k++, n++) {
            uint32_t frame = fs[i].size * 2;

            check_hour(stream(&t, n), rs[k], frame, timer_us);
            stop(stream(&t, n));
            g_assert_cmpuint(stream(&t, n)->position % (8000 * frame), ==, 0);
            close_plain(stream(&t, n));
        }
    }
    test_unload(&t);
    test_end(&t);
}

/* QEMU's null device takes 1024 frames at once, whatever their rate */
static void test_hour(const void *format)
{
    hour_of("", 20000, format, 1, rates, 8);
    hour_of("", 10000, format, 1, &rates[8], 2);
    hour_of("", 5000, format, 1, &rates[10], 2);
}

/* Tests: what is played in all that time */

/* How the audio layer gets samples of a format */
static Format host_format(const Format *f)
{
    Format host = *f;

    host.is_unsigned = false;
    if (!f->bits) {
        host.bits = 16;
        host.size = 2;
    } else if (f->is_float) {
        host.is_float = f->size == 4;
        host.bits = 32;
        host.size = 4;
        host.big_endian = false;
    } else if (f->bits == 24) {
        host.bits = 32;
    }
    return host;
}

/* Frame @n of a song, in both channels, as the guest has it */
static void compose(const Format *f, uint32_t n, uint32_t count,
                    uint8_t *data)
{
    uint32_t i;

    for (i = 0; i < 2 * count; i++) {
        encode(f, sample(2 * n + i) | 0x100, data + i * f->size);
    }
}

/* The raw samples that the host got, and nothing but silence around them */
static void check_song(const char *file, gsize size, const Format *f,
                       uint32_t count)
{
    Format host = host_format(f);
    uint32_t frame = 2 * host.size, i;
    uint8_t want[8];
    gsize from = 0;

    while (from < size && !file[from]) {
        from++;
    }
    from -= from % frame;
    g_assert_cmpuint(size - from, >=, (gsize)count * frame);
    for (i = 0; i < 2 * count; i++, from += host.size) {
        encode(&host, decoded(f, sample(i) | 0x100), want);
        if (memcmp(file + from, want, host.size)) {
            g_test_message("sample %u of %s", i, f->name);
            g_assert_cmpmem(file + from, host.size, want, host.size);
        }
    }
    while (from < size) {
        g_assert_cmpint(file[from++], ==, 0);
    }
}

typedef struct Song {
    XenFrontSound *sound;
    const Format *format;
    uint32_t frames;
    uint32_t done;
} Song;

#define SONG_BUFFER 4000

/* Write what there is room for; returns whether there is more */
static bool song_goes_on(Song *song)
{
    static uint8_t data[SONG_BUFFER * 2 * 8];
    XenFrontStream *s = &song->sound->streams[0];
    uint32_t frame = 2 * song->format->size;
    uint32_t n = MIN(xen_front_stream_room(s) / frame,
                     song->frames - song->done);

    compose(song->format, song->done, n, data);
    g_assert_cmpint(xen_front_stream_write(s, data, n * frame), ==,
                    n * frame);
    song->done += n;
    return song->done < song->frames;
}

static void song_open(Song *song, const Format *f, uint32_t rate)
{
    XenFrontStream *s = &song->sound->streams[0];
    uint32_t frame = 2 * f->size;

    song->format = f;
    g_assert_cmpint(xen_front_sound_connect(song->sound), ==, 0);
    g_assert_cmpint(xen_front_stream_open(s, rate, f->code, 2,
                                          SONG_BUFFER * frame,
                                          SONG_BUFFER / 4 * frame), ==, 0);
    song_goes_on(song);
    start(s);
}

static void song_close(Test *t, Song *song)
{
    XenFrontStream *s = &song->sound->streams[0];

    drain(t, s);
    stop(s);
    close_plain(s);
    /* What is on its way to the host when QEMU ends is not heard */
    step(t, 500 * MS);
    g_assert_cmpint(xen_front_sound_unload(song->sound), ==, 0);
}

#ifdef CONFIG_AUDIO_ALSA
/* A third of a second at each rate, each by a card with a file of its own */
static void test_content(const void *format)
{
    g_autofree char *dir = g_dir_make_tmp("xen-pvsound-raw-XXXXXX", NULL);
    g_autoptr(GString) cards = g_string_new(NULL);
    Song songs[ARRAY_SIZE(rates)] = { 0 };
    bool more = true;
    uint32_t i;
    Test t;

    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        g_string_append_printf(cards, FILE_OF_CARD, i, dir, i, i, i);
    }
    test_start(&t, "", "", cards->str);
    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        songs[i].sound = i ? xen_front_sound_new(t.guest, i) : t.sound;
        songs[i].frames = rates[i] / 3;
        song_open(&songs[i], format, rates[i]);
    }
    while (more) {
        step(&t, TICK);
        for (more = false, i = 0; i < ARRAY_SIZE(rates); i++) {
            more |= song_goes_on(&songs[i]);
        }
    }
    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        song_close(&t, &songs[i]);
    }
    check_idle(&t);
    test_quit(&t);

    for (i = 0; i < ARRAY_SIZE(rates); i++) {
        g_autofree char *path = g_strdup_printf("%s/%u.raw", dir, i);
        g_autofree char *file = NULL;
        gsize size;

        g_assert_true(g_file_get_contents(path, &file, &size, NULL));
        check_song(file, size, format, songs[i].frames);
        unlink(path);
        if (i) {
            g_assert_cmpuint(xen_front_sound_free(songs[i].sound), ==, 0);
        }
    }
    rmdir(dir);
    test_end(&t);
}

#endif

/* A whole hour by the clock, of a format that is converted */
static void test_content_hour(const void *testbed)
{
    g_autofree char *file = NULL;
    Song song = { 0 };
    gsize size;
    Test t;

    test_start(&t, testbed, WAV_8000, CARD "streams=p");
    song.sound = t.sound;
    song.frames = 8000 * 3600;
    song_open(&song, &formats[4], 8000);        /* u16_le */
    while (song_goes_on(&song)) {
        step(&t, 200 * MS);
    }
    song_close(&t, &song);
    check_idle(&t);
    test_quit(&t);
    g_assert_true(g_file_get_contents(t.wav, &file, &size, NULL));
    check_song(file + 44, size - 44, song.format, song.frames);
    test_end(&t);
}

int main(int argc, char **argv)
{
    size_t i, hours = ARRAY_SIZE(formats);

    g_test_init(&argc, &argv, NULL);
    /* How pages are mapped does not change a position: one format will do */
    if (xen_guest_testbed_is_single("")) {
        hours = 1;
    }
    add("formats", test_formats);
#ifdef CONFIG_AUDIO_ALSA
    add("channels/plain", test_channels);
#endif
    add("host-differs", test_host_differs);
    add("channels/mixed", test_mixed_channels);
    add("channels/limits", test_channel_limits);
    add("bad/formats", test_bad_formats);
    for (i = 0; i < hours; i++) {
        g_autofree char *hour = g_strdup_printf("/xen-pvsound/hour/%s",
                                                formats[i].name);

        qtest_add_data_func(hour, &formats[i], test_hour);
    }
#ifdef CONFIG_AUDIO_ALSA
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        g_autofree char *content = g_strdup_printf("/xen-pvsound/content/%s",
                                                   formats[i].name);

        qtest_add_data_func(content, &formats[i], test_content);
    }
#endif
    add("content-hour", test_content_hour);
    return g_test_run();
}
