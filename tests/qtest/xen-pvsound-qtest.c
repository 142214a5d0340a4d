/*
 * What QTests of PV sound have in common: a QEMU over a fake Xen, its guest,
 * and what is played
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"

#include "xen-pvsound-qtest.h"

void test_start(Test *t, const char *testbed, const char *audio,
                const char *devices)
{
    g_autofree char *audiodev = NULL;
    g_auto(GStrv) parts = NULL;
    GError *err = NULL;

    memset(t, 0, sizeof(*t));
    t->dir = g_dir_make_tmp("xen-pvsound-XXXXXX", &err);
    g_assert_no_error(err);
    t->memory = g_build_filename(t->dir, "memory", NULL);
    t->socket = g_build_filename(t->dir, "guest", NULL);
    t->wav = g_build_filename(t->dir, "sound.wav", NULL);
    parts = g_strsplit(audio, "%s", 2);
    audiodev = g_strjoinv(t->wav, parts);
    t->qts = qtest_initf("-machine none -nodefaults "
                         "-object memory-backend-file,id=dom,size=64M,"
                         "share=on,mem-path=%s "
                         "-chardev socket,id=guest,path=%s,server=on,wait=off "
                         "-device xen-testbed,id=xen,memdev=dom,"
                         "chardev=guest%s%s "
                         "-global xen-pv-backend.x-closing-time=20 %s %s",
                         t->memory, t->socket, testbed,
                         xen_guest_testbed_options(), audiodev, devices);
    t->guest = xen_guest_new(t->memory, t->socket, &err);
    g_assert_no_error(err);
    t->sound = xen_front_sound_new(t->guest, 0);
}

void test_stats(Test *t, XenGuestStats *stats)
{
    g_assert_cmpint(xen_guest_stats(t->guest, stats), ==, 0);
}

void check_idle(Test *t)
{
    XenGuestStats stats;

    test_stats(t, &stats);
    g_assert_cmpuint(stats.mapped, ==, 0);
    g_assert_cmpuint(stats.refs, ==, 0);
    g_assert_cmpuint(stats.ports, ==, 0);
    g_assert_cmpuint(stats.leaks, ==, 0);
    g_assert_cmpuint(stats.bad_unmaps, ==, 0);
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

void check_events(Test *t)
{
    uint32_t i;

    for (i = 0; i < t->sound->nr_streams; i++) {
        xen_front_stream_take_events(&t->sound->streams[i]);
        g_assert_cmpuint(t->sound->streams[i].bad_events, ==, 0);
    }
}

void test_quit(Test *t)
{
    check_events(t);
    qtest_quit(t->qts);
    t->qts = NULL;
    /* The memory outlives QEMU: so would the marks of a page not given back */
    g_assert_cmpuint(xen_guest_count_in_use(t->guest), ==, 0);
}

void test_end(Test *t)
{
    if (t->qts) {
        test_quit(t);
    }
    g_assert_cmpuint(xen_front_sound_free(t->sound), ==, 0);
    xen_guest_free(t->guest);
    unlink(t->memory);
    unlink(t->socket);
    unlink(t->wav);
    rmdir(t->dir);
    g_free(t->memory);
    g_free(t->socket);
    g_free(t->wav);
    g_free(t->dir);
}

void test_connect(Test *t)
{
    g_assert_cmpint(xen_front_sound_connect(t->sound), ==, 0);
}

void test_unload(Test *t)
{
    check_events(t);
    g_assert_cmpint(xen_front_sound_unload(t->sound), ==, 0);
    check_idle(t);
}

XenFrontStream *stream(Test *t, uint32_t index)
{
    g_assert_cmpuint(index, <, t->sound->nr_streams);
    return &t->sound->streams[index];
}

void step(Test *t, int64_t ns)
{
    qtest_clock_step(t->qts, ns);
}

int trigger(XenFrontStream *s, uint8_t type)
{
    return xen_front_stream_trigger(s, type);
}

void start(XenFrontStream *s)
{
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_START), ==, 0);
}

void stop(XenFrontStream *s)
{
    g_assert_cmpint(trigger(s, XENSND_OP_TRIGGER_STOP), ==, 0);
}

void query(XenFrontStream *s, struct xensnd_query_hw_param *param)
{
    g_assert_cmpint(xen_front_stream_query_all(s, param), ==, 0);
}

void open_plain(XenFrontStream *s)
{
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, PERIOD), ==, 0);
}

void close_plain(XenFrontStream *s)
{
    g_assert_cmpint(xen_front_stream_close(s), ==, 0);
}

/* Sound */

int16_t sample(uint32_t i)
{
    uint32_t value = i * 2654435761u;

    return (value >> 17 ^ value >> 3) | 1;
}

int16_t *samples_new(uint32_t count)
{
    int16_t *samples = g_new(int16_t, count);
    uint32_t i;

    for (i = 0; i < count; i++) {
        samples[i] = sample(i);
    }
    return samples;
}

void feed(Test *t, XenFrontStream *s, const void *data, uint32_t size)
{
    uint32_t done = 0, idle = 0;

    while (done < size) {
        int n = xen_front_stream_write(s, (const char *)data + done,
                                       size - done);

        g_assert_cmpint(n, >=, 0);
        done += n;
        idle = n ? 0 : idle + 1;
        g_assert_cmpuint(idle, <, 200);
        if (done < size) {
            step(t, TICK);
        }
    }
}

void drain(Test *t, XenFrontStream *s)
{
    uint32_t idle = 0;

    while (xen_front_stream_room(s) < s->buffer_size) {
        step(t, TICK);
        g_assert_cmpuint(++idle, <, 200);
    }
}

void play(Test *t, XenFrontStream *s, const void *data, uint32_t size)
{
    int n = xen_front_stream_write(s, data, size);

    g_assert_cmpint(n, >, 0);
    start(s);
    feed(t, s, (const char *)data + n, size - n);
    drain(t, s);
    stop(s);
}

const int16_t *recording(const char *file, gsize size, gsize *count)
{
    const int16_t *samples = (const int16_t *)(file + 44);

    g_assert_cmpuint(size, >, 44);
    *count = (size - 44) / 2;
    while (*count && !*samples) {
        samples++;
        (*count)--;
    }
    return samples;
}

void check_recording(Test *t, const int16_t *want, uint32_t count)
{
    g_autofree char *file = NULL;
    const int16_t *samples;
    gsize size, have, i;

    g_assert_true(g_file_get_contents(t->wav, &file, &size, NULL));
    samples = recording(file, size, &have);
    g_assert_cmpuint(have, >=, count);
    for (i = 0; i < count; i++) {
        if ((int16_t)le16_to_cpu(samples[i]) != want[i]) {
            g_test_message("sample %zu of %u differs", (size_t)i, count);
            g_assert_cmpint((int16_t)le16_to_cpu(samples[i]), ==, want[i]);
        }
    }
    for (i = count; i < have; i++) {
        g_assert_cmpint(samples[i], ==, 0);
    }
}

void check_sounds(Test *t, const int16_t *want, uint32_t count)
{
    g_autofree char *file = NULL;
    const int16_t *samples;
    gsize size, have, i;
    uint32_t heard = 0;

    g_assert_true(g_file_get_contents(t->wav, &file, &size, NULL));
    samples = recording(file, size, &have);
    for (i = 0; i < have; i++) {
        if (samples[i]) {
            g_assert_cmpuint(heard, <, count);
            g_assert_cmpint((int16_t)le16_to_cpu(samples[i]), ==,
                            want[heard]);
            heard++;
        }
    }
    g_assert_cmpuint(heard, ==, count);
}

void check_node(Test *t, const char *key, const char *expected)
{
    g_autofree char *path = g_strdup_printf("%s/%s",
                                            t->sound->card.frontend_path, key);
    g_autofree char *value = xen_guest_read(t->guest, path);

    g_assert_cmpstr(value, ==, expected);
}

void add(const char *name, void (*test)(const void *testbed))
{
    g_autofree char *path = g_strdup_printf("/xen-pvsound/%s", name);

    qtest_add_data_func(path, "", test);
}
