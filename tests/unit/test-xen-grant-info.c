/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of xen-grants: what it makes of a table's bytes, and the program
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <glib/gstdio.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/grant_table.h>

#include "hw/xen/xen-testbed.h"

#include "../../tools/xen-grant-info.h"

#define ENTRIES 16

static XenGrantInfo look_v1(uint16_t flags, uint16_t domid, uint32_t frame)
{
    grant_entry_v1_t table[ENTRIES] = { 0 };
    XenGrantBytes bytes = {
        .version = 1, .table = table, .table_size = sizeof(table),
    };
    XenGrantInfo info;

    table[ENTRIES - 1] = (grant_entry_v1_t) { flags, domid, frame };
    g_assert_true(xen_grant_info(&bytes, ENTRIES - 1, &info));
    g_assert_cmpuint(info.ref, ==, ENTRIES - 1);
    return info;
}

static XenGrantInfo look_v2(const grant_entry_v2_t *entry,
                            grant_status_t status)
{
    grant_entry_v2_t table[ENTRIES] = { 0 };
    grant_status_t states[ENTRIES] = { 0 };
    XenGrantBytes bytes = {
        .version = 2, .table = table, .table_size = sizeof(table),
        .status = states, .status_size = sizeof(states),
    };
    XenGrantInfo info;

    table[3] = *entry;
    states[3] = status;
    g_assert_true(xen_grant_info(&bytes, 3, &info));
    return info;
}

static void test_v1_access(void)
{
    XenGrantInfo info = look_v1(GTF_permit_access, 7, 0xfedcba98);

    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_ACCESS);
    g_assert_cmpuint(info.domid, ==, 7);
    g_assert_cmphex(info.frame, ==, 0xfedcba98);
    g_assert_false(info.readonly);
    g_assert_false(xen_grant_mapped(&info));

    info = look_v1(GTF_permit_access | GTF_readonly, 7, 1);
    g_assert_true(info.readonly);
}

static void test_v1_in_use(void)
{
    XenGrantInfo info = look_v1(GTF_permit_access | GTF_reading, 0, 1);

    g_assert_true(info.reading && !info.writing);
    g_assert_true(xen_grant_mapped(&info));

    info = look_v1(GTF_permit_access | GTF_reading | GTF_writing, 0, 1);
    g_assert_true(info.reading && info.writing);

    /* Permission was taken back, but who has the page mapped has it still */
    info = look_v1(GTF_reading, 5, 9);
    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_UNUSED);
    g_assert_true(xen_grant_mapped(&info));
    g_assert_cmpuint(info.domid, ==, 0);
    g_assert_cmphex(info.frame, ==, 0);
}

/* The same bits as "readonly" and "reading" */
static void test_transfer(void)
{
    grant_entry_v2_t entry = {
        .full_page = {
            .hdr = { GTF_accept_transfer | GTF_transfer_committed, 4 },
            .frame = 0x123456789abull,
        },
    };
    XenGrantInfo info = look_v1(GTF_accept_transfer | GTF_transfer_committed,
                                4, 10);

    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_TRANSFER);
    g_assert_true(info.committed && !info.completed);
    g_assert_false(info.readonly);
    g_assert_false(xen_grant_mapped(&info));

    info = look_v1(GTF_accept_transfer | GTF_transfer_committed |
                   GTF_transfer_completed, 4, 10);
    g_assert_true(info.committed && info.completed);
    g_assert_false(xen_grant_mapped(&info));

    info = look_v2(&entry, 0);
    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_TRANSFER);
    g_assert_true(info.committed && !info.completed);
    g_assert_cmphex(info.frame, ==, 0x123456789abull);
}

/* With version 1 Xen takes the fourth type for none */
static void test_v1_transitive(void)
{
    XenGrantInfo info = look_v1(GTF_transitive | GTF_reading, 4, 10);

    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_UNUSED);
    g_assert_cmpuint(info.domid, ==, 0);
    g_assert_cmphex(info.frame, ==, 0);
    g_assert_true(xen_grant_mapped(&info));
}

static void test_v2_access(void)
{
    grant_entry_v2_t entry = {
        .full_page = {
            .hdr = { GTF_permit_access | GTF_readonly, 2 },
            .frame = 0x123456789abull,
        },
    };
    XenGrantInfo info = look_v2(&entry, 0);

    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_ACCESS);
    g_assert_cmpuint(info.domid, ==, 2);
    g_assert_cmphex(info.frame, ==, 0x123456789abull);
    g_assert_true(info.readonly);
    g_assert_false(info.sub_page);
    g_assert_false(xen_grant_mapped(&info));

    info = look_v2(&entry, GTF_reading);
    g_assert_true(info.reading && !info.writing);

    /* What is in use is in the words of status, and nowhere else */
    entry.hdr.flags |= GTF_reading | GTF_writing;
    info = look_v2(&entry, 0);
    g_assert_false(xen_grant_mapped(&info));
}

static void test_v2_sub_page(void)
{
    grant_entry_v2_t entry = {
        .sub_page = {
            .hdr = { GTF_permit_access | GTF_sub_page, 2 },
            .page_off = 0x10, .length = 0xff0, .frame = 6,
        },
    };
    XenGrantInfo info = look_v2(&entry, GTF_reading | GTF_writing);

    g_assert_true(info.sub_page);
    g_assert_cmpuint(info.offset, ==, 0x10);
    g_assert_cmpuint(info.length, ==, 0xff0);
    g_assert_cmphex(info.frame, ==, 6);
    g_assert_true(info.reading && info.writing);
}

static void test_v2_transitive(void)
{
    grant_entry_v2_t entry = {
        .transitive = {
            .hdr = { GTF_transitive, 2 }, .trans_domid = 8, .gref = 99,
        },
    };
    XenGrantInfo info = look_v2(&entry, GTF_reading);

    g_assert_cmpint(info.type, ==, XEN_GRANT_TYPE_TRANSITIVE);
    g_assert_cmpuint(info.from_domid, ==, 8);
    g_assert_cmpuint(info.from_ref, ==, 99);
    g_assert_cmphex(info.frame, ==, 0);
    g_assert_true(info.reading);
}

/* All that could be a table, up to its last byte and no further */
static void test_bounds(void)
{
    size_t size;

    for (size = 0; size < 64; size++) {
        g_autofree uint8_t *table = g_malloc(MAX(size, 1));
        g_autofree uint8_t *status = g_malloc(MAX(size / 8, 1));
        XenGrantBytes bytes = {
            .table = table, .table_size = size,
            .status = status, .status_size = size / 8,
        };
        XenGrantInfo info;
        uint32_t ref;

        memset(table, 0xff, size);
        memset(status, 0xff, size / 8);
        for (bytes.version = 0; bytes.version < 4; bytes.version++) {
            uint32_t count = xen_grant_entries(&bytes);

            for (ref = 0; ref < count; ref++) {
                g_assert_true(xen_grant_info(&bytes, ref, &info));
            }
            g_assert_false(xen_grant_info(&bytes, count, &info));
            g_assert_false(xen_grant_info(&bytes, UINT32_MAX, &info));
        }
        bytes.version = 1;
        g_assert_cmpuint(xen_grant_entries(&bytes), ==, size / 8);
        bytes.version = 2;
        g_assert_cmpuint(xen_grant_entries(&bytes), ==, size / 16);
        bytes.version = 3;
        g_assert_cmpuint(xen_grant_entries(&bytes), ==, 0);
    }
}

/* Fewer words of status than entries: the rest of these is not known */
static void test_v2_short_status(void)
{
    grant_entry_v2_t table[ENTRIES] = { 0 };
    grant_status_t status[2] = { 0 };
    XenGrantBytes bytes = {
        .version = 2, .table = table, .table_size = sizeof(table),
        .status = status, .status_size = sizeof(status),
    };
    XenGrantInfo info;

    g_assert_cmpuint(xen_grant_entries(&bytes), ==, 2);
    g_assert_false(xen_grant_info(&bytes, 2, &info));
}

static void test_next(void)
{
    grant_entry_v1_t table[ENTRIES] = {
        [2] = { GTF_permit_access, 0, 1 },
        [3] = { GTF_permit_access | GTF_reading, 5, 1 },
        [9] = { GTF_reading | GTF_writing, 5, 1 },
        [15] = { GTF_permit_access | GTF_reading | GTF_writing, 5, 1 },
    };
    XenGrantBytes bytes = {
        .version = 1, .table = table, .table_size = sizeof(table),
    };
    static const uint32_t all[] = { 2, 3, 9, 15 };
    static const uint32_t to_5[] = { 3, 15 };
    XenGrantTotals totals = { 0 };
    XenGrantInfo info;
    uint32_t ref, n;

    for (ref = 0, n = 0; xen_grant_next(&bytes, XEN_GRANT_ANYBODY, ref, &info);
         ref = info.ref + 1) {
        g_assert_cmpuint(info.ref, ==, all[n++]);
        xen_grant_add(&totals, &info);
    }
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(all));
    g_assert_cmpuint(totals.grants, ==, 4);
    g_assert_cmpuint(totals.mapped, ==, 3);
    g_assert_cmpuint(totals.written, ==, 2);

    for (ref = 0, n = 0; xen_grant_next(&bytes, 5, ref, &info);
         ref = info.ref + 1) {
        g_assert_cmpuint(info.ref, ==, to_5[n++]);
    }
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(to_5));
}

/* The program, on the table of a fake Xen */

static int run(char **out, char **err, const char *file, const char *options)
{
    g_autofree char *program = g_test_build_filename(G_TEST_BUILT,
                                                     "xen-grants", NULL);
    g_autofree char *line = g_strdup_printf("%s %s %s", program, file,
                                            options);
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_command_line_sync(line, out, err, &status, &error);
    g_assert_no_error(error);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char *fake_memory(void)
{
    g_autofree uint8_t *memory = g_malloc0(3 * XEN_TESTBED_PAGE_SIZE);
    grant_entry_v1_t *table = (grant_entry_v1_t *)
        (memory + XEN_TESTBED_GRANT_TABLE * XEN_TESTBED_PAGE_SIZE);
    char *path;
    int fd = g_file_open_tmp("xen-grants-XXXXXX", &path, NULL);

    table[8] = (grant_entry_v1_t) { GTF_permit_access | GTF_readonly, 0, 17 };
    table[600] = (grant_entry_v1_t) {
        GTF_permit_access | GTF_reading | GTF_writing, 6, 18
    };
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_true(g_file_set_contents(path, (char *)memory,
                                      3 * XEN_TESTBED_PAGE_SIZE, NULL));
    return path;
}

static void test_program(void)
{
    g_autofree char *path = fake_memory();
    g_autofree char *file = g_strdup_printf("--frames 2 --file %s", path);
    g_autofree char *all = NULL, *mapped = NULL, *to = NULL, *json = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(run(&all, NULL, file, ""), ==, 0);
    g_assert_nonnull(strstr(all, "    0x11  access     read-only\n"));
    g_assert_nonnull(strstr(all, "    0x12  access     mapped for writing\n"));
    g_assert_nonnull(strstr(all, "\n2 grants, 1 of them mapped, 1 for writing; "
                            "the table is of version 1, with 1024 entries\n"));

    g_assert_cmpint(run(&mapped, NULL, file, "--mapped"), ==, 0);
    g_assert_null(strstr(mapped, "0x11"));
    g_assert_nonnull(strstr(mapped, "0x12"));

    g_assert_cmpint(run(&to, NULL, file, "--to 0"), ==, 0);
    g_assert_nonnull(strstr(to, "0x11"));
    g_assert_null(strstr(to, "0x12"));

    g_assert_cmpint(run(&json, NULL, file, "--json"), ==, 0);
    g_assert_cmpstr(json, ==,
        "{\"version\": 1, \"entries\": 1024, \"granted\": 2, \"mapped\": 1, "
        "\"written\": 1, \"grants\": [\n"
        "{\"ref\": 8, \"to\": 0, \"type\": \"access\", \"frame\": 17, "
        "\"read-only\": true, \"reading\": false, \"writing\": false},\n"
        "{\"ref\": 600, \"to\": 6, \"type\": \"access\", \"frame\": 18, "
        "\"read-only\": false, \"reading\": true, \"writing\": true}]}\n");

    /* As many pages as there are, with the first, and not one more */
    g_assert_cmpint(run(NULL, &err, file, "--frames 3"), ==, 1);
    g_assert_nonnull(strstr(err, "has no grant table of 3 pages"));
    g_unlink(path);
}

static void test_program_refuses(void)
{
    static const char *const lines[] = {
        "", "x", "-1", "1x", "65535", "18446744073709551615",
        "99999999999999999999", "1 2",
        "--to 1", "--to x 1", "--file x 1", "--frames 0 --file x",
        "--frames 4097 --file x", "--no-such-option 1",
    };
    g_autofree char *err = NULL;
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *said = NULL;

        g_test_message("xen-grants %s", lines[i]);
        g_assert_cmpint(run(NULL, &said, "", lines[i]), ==, 2);
        g_assert_true(g_str_has_prefix(said, "xen-grants: "));
    }
    g_assert_cmpint(run(NULL, &err, "", "--file /no/such"), ==, 1);
    g_assert_cmpstr(err, ==, "xen-grants: cannot open /no/such: "
                    "No such file or directory\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-grants/v1/access", test_v1_access);
    g_test_add_func("/xen-grants/v1/in-use", test_v1_in_use);
    g_test_add_func("/xen-grants/v1/transitive", test_v1_transitive);
    g_test_add_func("/xen-grants/transfer", test_transfer);
    g_test_add_func("/xen-grants/v2/access", test_v2_access);
    g_test_add_func("/xen-grants/v2/sub-page", test_v2_sub_page);
    g_test_add_func("/xen-grants/v2/transitive", test_v2_transitive);
    g_test_add_func("/xen-grants/v2/short-status", test_v2_short_status);
    g_test_add_func("/xen-grants/bounds", test_bounds);
    g_test_add_func("/xen-grants/next", test_next);
    g_test_add_func("/xen-grants/program", test_program);
    g_test_add_func("/xen-grants/program/refuses", test_program_refuses);
    return g_test_run();
}
