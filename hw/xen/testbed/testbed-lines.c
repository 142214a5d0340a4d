/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest of -device xen-testbed asks for, line by line
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/units.h"

#include "testbed-evtchn.h"
#include "testbed-faults.h"
#include "testbed-lines.h"
#include "testbed-store.h"

/* Requests are not read while more than this waits to be sent */
#define MAX_OUTPUT          (64 * KiB)

#define MAX_WORDS           8

/*
 * @chr: to the guest
 * @input: a line that has no end yet
 * @skip_line: it was too long
 * @output: what waits to be sent
 * @output_watch: waits until it can be
 */
typedef struct TestbedLines {
    XenPvCharFrontend *chr;
    const TestbedGrantsConfig *domain;
    void (*written)(void);
    GString *input;
    bool skip_line;
    GString *output;
    guint output_watch;
} TestbedLines;

/* Who has something to tell has no argument that leads here */
static TestbedLines lines;

char *testbed_lines_stats(void)
{
    GString *str = g_string_new(NULL);
    TestbedStats stats;

    testbed_grants_stats(&stats);
    testbed_evtchn_stats(&stats);

#define ADD(field, name) \
    g_string_append_printf(str, " " name "=%" PRIu64, stats.field);
    XEN_TESTBED_STATS(ADD)
#undef ADD
    g_string_erase(str, 0, 1);
    return g_string_free(str, false);
}

static void escape(GString *to, const uint8_t *data, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] > ' ' && data[i] < 0x7f && data[i] != '%') {
            g_string_append_c(to, data[i]);
        } else {
            g_string_append_printf(to, "%%%02X", data[i]);
        }
    }
}

/* Returns: the bytes, or NULL for what is no escaped value */
static GByteArray *unescape(const char *word)
{
    GByteArray *bytes = g_byte_array_new();

    while (*word) {
        uint8_t byte = *word++;

        if (byte == '%') {
            int high = g_ascii_xdigit_value(word[0]);
            int low = high < 0 ? -1 : g_ascii_xdigit_value(word[1]);

            if (low < 0) {
                g_byte_array_unref(bytes);
                return NULL;
            }
            byte = high << 4 | low;
            word += 2;
        }
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

static void add_change(void *opaque, const char *path)
{
    g_string_append_printf(lines.output, "changed %s\n", path);
}

static void add_events(void)
{
    uint32_t i;

    for (i = 1; i < XEN_TESTBED_PORTS; i++) {
        if (testbed_evtchn_take_event(i)) {
            g_string_append_printf(lines.output, "event %u\n", i);
        }
    }
    testbed_store_take_changes(add_change, NULL);
}

static gboolean writable(void *do_not_use, GIOCondition condition,
                         void *opaque)
{
    lines.output_watch = 0;
    testbed_lines_flush();
    return G_SOURCE_REMOVE;
}

/* Never waits for a peer that does not read */
void testbed_lines_flush(void)
{
    if (lines.output_watch || !qemu_chr_fe_backend_open(lines.chr)) {
        return;
    }
    do {
        int ret;

        if (!lines.output->len) {
            add_events();
        }
        if (!lines.output->len) {
            break;
        }
        ret = qemu_chr_fe_write(lines.chr, (uint8_t *)lines.output->str,
                                lines.output->len);
        if (ret > 0) {
            g_string_erase(lines.output, 0, ret);
        } else {
            lines.output_watch = qemu_chr_fe_add_watch(lines.chr,
                                                       G_IO_OUT | G_IO_HUP,
                                                       writable, NULL);
            return;
        }
    } while (true);
    qemu_chr_fe_accept_input(lines.chr);
}

static int parse_number(const char *word, uint32_t *value)
{
    unsigned int parsed;

    if (!word || !g_ascii_isdigit(word[0]) ||
        qemu_strtoui(word, NULL, 10, &parsed) < 0) {
        return -EINVAL;
    }
    *value = parsed;
    return 0;
}

static int run_store(unsigned int domid, char **words, GString *answer)
{
    XenstoreImplState *store = testbed_store_impl();
    const char *verb = words[0];
    const char *path = words[1];
    GList *items = NULL;
    GList *l;
    int err;

    if (!path || !path[0]) {
        return -EINVAL;
    }
    if (!strcmp(verb, "write")) {
        g_autoptr(GByteArray) bytes = unescape(words[2] ?: "");

        return bytes ? -xs_impl_write(store, domid, XBT_NULL, path, bytes)
                     : -EINVAL;
    }
    if (!strcmp(verb, "read")) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        err = -xs_impl_read(store, domid, XBT_NULL, path, bytes);
        if (!err) {
            escape(answer, bytes->data, bytes->len);
        }
        return err;
    }
    if (!strcmp(verb, "rm")) {
        return -xs_impl_rm(store, domid, XBT_NULL, path);
    }
    if (!strcmp(verb, "list")) {
        err = -xs_impl_directory(store, domid, XBT_NULL, path, NULL, &items);
        for (l = items; l && !err; l = l->next) {
            g_string_append_printf(answer, l == items ? "%s" : " %s",
                                   (char *)l->data);
        }
        g_list_free_full(items, g_free);
        return err;
    }
    return -ENOSYS;
}

static int run_dom0(char **words, GString *answer)
{
    uint32_t owner, reader;

    if (!words[0]) {
        return -EINVAL;
    }
    if (!strcmp(words[0], "create")) {
        if (!words[1] || parse_number(words[2], &owner) ||
            parse_number(words[3], &reader)) {
            return -EINVAL;
        }
        return testbed_store_create(owner, reader, words[1]);
    }
    return run_store(XEN_TESTBED_BACKEND, words, answer);
}

static int run_watch(const char *path, bool on)
{
    if (!path || !path[0]) {
        return -EINVAL;
    }
    return on ? testbed_store_watch(path) : testbed_store_unwatch(path);
}

static int run_vanish(void)
{
    testbed_grants_kill();
    testbed_evtchn_kill();
    return testbed_store_remove_guest();
}

static int run_fail(char **words, GString *answer)
{
    uint32_t error = EIO;
    int64_t left;
    uint32_t n;

    if (!words[0] || parse_number(words[1], &n) ||
        (words[2] && (parse_number(words[2], &error) ||
                      error == 0 || error > 4095))) {
        return -EINVAL;
    }
    left = testbed_fault_set(words[0], n, error);
    if (left < 0) {
        return left;
    }
    g_string_append_printf(answer, "%" PRId64, left);
    return 0;
}

static int run_map(uint32_t ref, GString *answer)
{
    uint32_t frame, handle;
    int err = testbed_grants_guest_map(ref, &frame, &handle);

    if (!err) {
        g_string_append_printf(answer, "%" PRIu32 " %" PRIu32, frame, handle);
    }
    return err;
}

static int run_request(char **words, GString *answer)
{
    const TestbedGrantsConfig *domain = lines.domain;
    const char *verb = words[0];
    uint32_t port, n;
    int ret;

    if (!strcmp(verb, "info")) {
        g_string_append_printf(answer, "domid=%u grant-frames=%u pages=%"
                               PRIu32 " dom0-pages=%u", domain->domid,
                               domain->grant_frames, domain->nr_pages,
                               domain->dom0_pages);
        return 0;
    }
    if (!strcmp(verb, "dom0")) {
        return run_dom0(words + 1, answer);
    }
    if (!strcmp(verb, "watch") || !strcmp(verb, "unwatch")) {
        return run_watch(words[1], verb[0] == 'w');
    }
    if (!strcmp(verb, "alloc-port")) {
        ret = testbed_evtchn_alloc_port();
        if (ret < 0) {
            return ret;
        }
        g_string_append_printf(answer, "%d", ret);
        return 0;
    }
    if (!strcmp(verb, "kick")) {
        return parse_number(words[1], &port) ?: testbed_evtchn_kick(port);
    }
    if (!strcmp(verb, "close-port")) {
        return parse_number(words[1], &port) ?:
               testbed_evtchn_close_port(port);
    }
    if (!strcmp(verb, "map")) {
        return parse_number(words[1], &n) ?: run_map(n, answer);
    }
    if (!strcmp(verb, "unmap")) {
        return parse_number(words[1], &n) ?: testbed_grants_guest_unmap(n);
    }
    if (!strcmp(verb, "stats")) {
        g_autofree char *stats = testbed_lines_stats();

        g_string_append(answer, stats);
        return 0;
    }
    if (!strcmp(verb, "reset-peak")) {
        testbed_grants_reset_peak();
        return 0;
    }
    if (!strcmp(verb, "fail")) {
        return run_fail(words + 1, answer);
    }
    if (!strcmp(verb, "vanish")) {
        return run_vanish();
    }
    return run_store(lines.domain->domid, words, answer);
}

static void run_line(const char *line, size_t len)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    g_auto(GStrv) words = NULL;
    uint32_t seq = 0;
    int err = -EINVAL;
    size_t i;

    for (i = 0; i < len; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            goto out;
        }
    }
    words = g_strsplit(line, " ", MAX_WORDS);
    if (!words[0] || parse_number(words[0], &seq) || !words[1]) {
        goto out;
    }
    err = run_request(words + 1, answer);
    lines.written();

out:
    if (err) {
        g_string_append_printf(lines.output, "%u ERR %d\n", seq, -err);
    } else {
        g_string_append_printf(lines.output, "%u OK%s%s\n", seq,
                               answer->len ? " " : "", answer->str);
    }
}

static int can_read(void *opaque)
{
    return lines.output->len > MAX_OUTPUT ? 0 : 4096;
}

static void read_lines(void *opaque, const uint8_t *buf, int size)
{
    const uint8_t *end;

    while (size > 0) {
        size_t len;

        end = memchr(buf, '\n', size);
        len = end ? end - buf : size;
        if (!lines.skip_line) {
            g_string_append_len(lines.input, (const char *)buf, len);
            if (lines.input->len > XEN_TESTBED_LINE_MAX) {
                g_string_truncate(lines.input, 0);
                g_string_append_printf(lines.output, "0 ERR %d\n", E2BIG);
                lines.skip_line = true;
            }
        }
        if (!end) {
            break;
        }
        if (!lines.skip_line) {
            run_line(lines.input->str, lines.input->len);
        }
        g_string_truncate(lines.input, 0);
        lines.skip_line = false;
        buf = end + 1;
        size -= len + 1;
    }
    testbed_lines_flush();
}

static void peer_event(void *opaque, QEMUChrEvent event)
{
    if (event != CHR_EVENT_OPENED && event != CHR_EVENT_CLOSED) {
        return;
    }
    g_string_truncate(lines.input, 0);
    g_string_truncate(lines.output, 0);
    lines.skip_line = false;
    g_clear_handle_id(&lines.output_watch, g_source_remove);
    testbed_store_unwatch_all();
}

void testbed_lines_init(XenPvCharFrontend *chr,
                        const TestbedGrantsConfig *domain,
                        void (*written)(void))
{
    lines.chr = chr;
    lines.domain = domain;
    lines.written = written;
    lines.input = g_string_new(NULL);
    lines.output = g_string_new(NULL);
}

void testbed_lines_start(void)
{
    qemu_chr_fe_set_handlers(lines.chr, can_read, read_lines, peer_event, NULL,
                             NULL, NULL, true);
}
