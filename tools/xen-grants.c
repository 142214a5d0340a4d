/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen-grants: list what a domain grants, and which of it is mapped
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "hw/xen/xen-testbed.h"
#include "xen-grant-info.h"

#define PAGE_SIZE       XEN_TESTBED_PAGE_SIZE

/* Pages of a table that are looked at: a million grants and more */
#define MAX_FRAMES      4096

/* A copy, which nobody changes any more */
typedef struct Snapshot {
    XenGrantBytes bytes;
    void *table;
    void *status;
} Snapshot;

typedef struct Options {
    uint64_t domid;
    char *file;
    int frames;
    uint32_t to;
    gboolean mapped;
    gboolean json;
    gboolean summary;
} Options;

static void snapshot_clear(Snapshot *s)
{
    g_free(s->table);
    g_free(s->status);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Snapshot, snapshot_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xentoollog_logger, xtl_logger_destroy)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xc_interface, xc_interface_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xenforeignmemory_handle, xenforeignmemory_close)

static bool fail(GError **errp, int error, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

/* With what the system has to say, unless @error is 0 */
static bool fail(GError **errp, int error, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(errp, G_FILE_ERROR, g_file_error_from_errno(error),
                "%s%s%s", text, error ? ": " : "",
                error ? g_strerror(error) : "");
    return false;
}

/* From a table that is in use */

static void *copy_frames(xenforeignmemory_handle *fmem, domid_t domid,
                         unsigned int id, uint32_t frames, GError **errp)
{
    xenforeignmemory_resource_handle *resource;
    void *addr = NULL;
    void *copy;

    resource = xenforeignmemory_map_resource(fmem, domid,
                                             XENMEM_resource_grant_table, id,
                                             0, frames, &addr, PROT_READ, 0);
    if (!resource) {
        fail(errp, errno, "cannot map the grant table of domain %u", domid);
        return NULL;
    }
    copy = g_memdup2(addr, (size_t)frames * PAGE_SIZE);
    xenforeignmemory_unmap_resource(fmem, resource);
    return copy;
}

/* How many pages a table has now; asking for more would make it grow */
static bool query_table(xc_interface *xch, domid_t domid, uint32_t *frames,
                        unsigned int *version, GError **errp)
{
    struct gnttab_query_size query = { .dom = domid };
    int ret;

    if (xc_gnttab_query_size(xch, &query) < 0) {
        return fail(errp, errno, "cannot ask Xen for domain %u's table",
                    domid);
    }
    if (query.status == GNTST_bad_domain) {
        return fail(errp, 0, "there is no domain %u", domid);
    }
    if (query.status != GNTST_okay) {
        return fail(errp, 0, "Xen does not tell about domain %u's table: %d",
                    domid, query.status);
    }
    ret = xc_gnttab_get_version(xch, domid);
    if (ret != 1 && ret != 2) {
        return fail(errp, 0, "domain %u uses a grant table of version %d, "
                    "which this program does not know", domid, ret);
    }
    if (query.nr_frames > MAX_FRAMES) {
        return fail(errp, 0, "domain %u has a grant table of %u pages, more "
                    "than %u", domid, query.nr_frames, MAX_FRAMES);
    }
    *frames = query.nr_frames;
    *version = ret;
    return true;
}

static bool snapshot_domain(Snapshot *s, domid_t domid, GError **errp)
{
    /* The messages are ours to write */
    g_autoptr(xentoollog_logger) quiet = (xentoollog_logger *)
        xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
    g_autoptr(xc_interface) xch = xc_interface_open(quiet, quiet, 0);
    g_autoptr(xenforeignmemory_handle) fmem = xenforeignmemory_open(quiet, 0);
    unsigned int version = 0;
    uint32_t frames = 0, status_frames;

    if (!xch || !fmem) {
        return fail(errp, errno, "cannot open Xen's interfaces: run this as "
                    "root in the control domain");
    }
    if (!query_table(xch, domid, &frames, &version, errp)) {
        return false;
    }
    s->bytes.version = version;
    if (!frames) {
        return true;
    }
    s->table = copy_frames(fmem, domid, XENMEM_resource_grant_table_id_shared,
                           frames, errp);
    if (!s->table) {
        return false;
    }
    s->bytes.table = s->table;
    s->bytes.table_size = (size_t)frames * PAGE_SIZE;
    if (version == 1) {
        return true;
    }
    status_frames = DIV_ROUND_UP(frames * (PAGE_SIZE /
                                           sizeof(grant_entry_v2_t)),
                                 PAGE_SIZE / sizeof(grant_status_t));
    s->status = copy_frames(fmem, domid, XENMEM_resource_grant_table_id_status,
                            status_frames, errp);
    s->bytes.status = s->status;
    s->bytes.status_size = (size_t)status_frames * PAGE_SIZE;
    return s->status;
}

/* From the memory of the fake Xen's domain: see hw/xen/xen-testbed.h */

static bool snapshot_file(Snapshot *s, const char *path, uint32_t frames,
                          GError **errp)
{
    size_t size = (size_t)frames * PAGE_SIZE;
    FILE *file = fopen(path, "rb");
    bool read;

    if (!file) {
        return fail(errp, errno, "cannot open %s", path);
    }
    s->table = g_malloc(size);
    read = fseek(file, XEN_TESTBED_GRANT_TABLE * PAGE_SIZE, SEEK_SET) == 0 &&
           fread(s->table, size, 1, file) == 1;
    fclose(file);
    if (!read) {
        return fail(errp, 0, "%s has no grant table of %u pages", path,
                    frames);
    }
    s->bytes.version = 1;
    s->bytes.table = s->table;
    s->bytes.table_size = size;
    return true;
}

/* Text */

static void print_text(const XenGrantInfo *info)
{
    printf("%8u %6u  ", info->ref, info->domid);
    if (info->type == XEN_GRANT_TYPE_TRANSITIVE) {
        printf("%6u:%-8u ", info->from_domid, info->from_ref);
    } else {
        g_autofree char *frame = g_strdup_printf("0x%" PRIx64, info->frame);

        printf("%15s ", frame);
    }
    printf(" %-10s", xen_grant_type_name(info->type));
    if (info->readonly) {
        printf(" read-only");
    }
    if (info->sub_page) {
        printf(" bytes %u+%u", info->offset, info->length);
    }
    if (info->committed) {
        printf(info->completed ? " completed" : " committed");
    }
    if (xen_grant_mapped(info)) {
        printf(info->writing ? " mapped for writing" : " mapped for reading");
    }
    printf("\n");
}

static void print_list(const Options *o, const XenGrantBytes *bytes)
{
    XenGrantInfo info;
    uint32_t ref = 0;

    printf("%8s %6s  %15s  %-10s %s\n", "ref", "to", "frame", "type", "use");
    for (; xen_grant_next(bytes, o->to, ref, &info); ref = info.ref + 1) {
        if (!o->mapped || xen_grant_mapped(&info)) {
            print_text(&info);
        }
    }
}

static void print_summary(const XenGrantBytes *bytes,
                          const XenGrantTotals *totals)
{
    printf("%u grants, %u of them mapped, %u for writing; the table is of "
           "version %u, with %u entries\n", totals->grants, totals->mapped,
           totals->written, bytes->version, xen_grant_entries(bytes));
}

/* JSON: numbers and words of ours, so that nothing needs to be escaped */

static const char *json_bool(bool value)
{
    return value ? "true" : "false";
}

static void print_json_grant(const XenGrantInfo *info)
{
    printf("{\"ref\": %u, \"to\": %u, \"type\": \"%s\"", info->ref,
           info->domid, xen_grant_type_name(info->type));
    if (info->type == XEN_GRANT_TYPE_TRANSITIVE) {
        printf(", \"from\": %u, \"from-ref\": %u", info->from_domid,
               info->from_ref);
    } else {
        printf(", \"frame\": %" PRIu64, info->frame);
    }
    if (info->type == XEN_GRANT_TYPE_TRANSFER) {
        printf(", \"committed\": %s, \"completed\": %s",
               json_bool(info->committed), json_bool(info->completed));
    } else {
        printf(", \"read-only\": %s, \"reading\": %s, \"writing\": %s",
               json_bool(info->readonly), json_bool(info->reading),
               json_bool(info->writing));
    }
    if (info->sub_page) {
        printf(", \"offset\": %u, \"length\": %u", info->offset,
               info->length);
    }
    printf("}");
}

static void print_json(const Options *o, const XenGrantBytes *bytes,
                       const XenGrantTotals *totals)
{
    const char *separator = "";
    XenGrantInfo info;
    uint32_t ref = 0;

    printf("{\"version\": %u, \"entries\": %u, \"granted\": %u, "
           "\"mapped\": %u, \"written\": %u", bytes->version,
           xen_grant_entries(bytes), totals->grants, totals->mapped,
           totals->written);
    if (o->summary) {
        printf("}\n");
        return;
    }
    printf(", \"grants\": [");
    for (; xen_grant_next(bytes, o->to, ref, &info); ref = info.ref + 1) {
        if (!o->mapped || xen_grant_mapped(&info)) {
            printf("%s\n", separator);
            print_json_grant(&info);
            separator = ",";
        }
    }
    printf("]}\n");
}

static void print_table(const Options *o, const XenGrantBytes *bytes)
{
    XenGrantTotals totals = { 0 };
    XenGrantInfo info;
    uint32_t ref = 0;

    for (; xen_grant_next(bytes, o->to, ref, &info); ref = info.ref + 1) {
        xen_grant_add(&totals, &info);
    }
    if (o->json) {
        print_json(o, bytes, &totals);
        return;
    }
    if (!o->summary) {
        print_list(o, bytes);
    }
    print_summary(bytes, &totals);
}

/* The command line */

static const char summary[] =
    "List the pages that domain DOMID grants to other domains: reference,\n"
    "domain, frame, and whether the page is mapped or copied right now.";

static const char description[] =
    "The list is read from the domain's own grant table, which the domain\n"
    "may falsify: with version 1, which Linux uses, even the bits that say\n"
    "whether a page is mapped. \"xl debug-keys g\" writes Xen's own view to\n"
    "its log.\n"
    "\n"
    "Run it as root in the control domain. With --file it reads the table of\n"
    "a QEMU with -device xen-testbed, from the file of its memory backend.\n"
    "The exit status is 0 if the table could be read, 1 if not, and 2 for a\n"
    "wrong command line.";

static bool parse_domid(const char *text, uint64_t *domid)
{
    char *end;

    if (!g_ascii_isdigit(text[0])) {
        return false;
    }
    *domid = g_ascii_strtoull(text, &end, 10);
    return !*end && *domid < DOMID_FIRST_RESERVED;
}

/* For a wrong command line, say what is wrong and return false */
static bool parse_options(Options *o, int argc, char **argv)
{
    g_autofree char *to = NULL;
    const GOptionEntry entries[] = {
        { "mapped", 'm', 0, G_OPTION_ARG_NONE, &o->mapped,
          "Only grants that are mapped", NULL },
        { "to", 't', 0, G_OPTION_ARG_STRING, &to,
          "Only grants to this domain", "DOMID" },
        { "summary", 's', 0, G_OPTION_ARG_NONE, &o->summary,
          "Only the totals", NULL },
        { "json", 'j', 0, G_OPTION_ARG_NONE, &o->json,
          "As a JSON object", NULL },
        { "file", 'f', 0, G_OPTION_ARG_FILENAME, &o->file,
          "Read the table of a fake Xen from the file of its memory", "FILE" },
        { "frames", 0, 0, G_OPTION_ARG_INT, &o->frames,
          "With --file: its grant-frames (64)", "N" },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[DOMID]");
    g_autoptr(GError) err = NULL;
    uint64_t domid = XEN_GRANT_ANYBODY;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, description);
    if (!g_option_context_parse(context, &argc, &argv, &err)) {
        fprintf(stderr, "xen-grants: %s\n", err->message);
    } else if (argc != (o->file ? 1 : 2)) {
        fprintf(stderr, "xen-grants: %s, see --help\n",
                o->file ? "either DOMID or --file" : "which DOMID?");
    } else if (!o->file && !parse_domid(argv[1], &o->domid)) {
        fprintf(stderr, "xen-grants: invalid domain id '%s'\n", argv[1]);
    } else if (to && !parse_domid(to, &domid)) {
        fprintf(stderr, "xen-grants: invalid domain id '%s'\n", to);
    } else if (o->frames < 1 || o->frames > MAX_FRAMES) {
        fprintf(stderr, "xen-grants: --frames is a number from 1 to %u\n",
                MAX_FRAMES);
    } else {
        o->to = domid;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    Options o = { .frames = XEN_TESTBED_GRANT_FRAMES };
    g_auto(Snapshot) s = { 0 };
    g_autoptr(GError) err = NULL;
    bool read;

    if (!parse_options(&o, argc, argv)) {
        g_free(o.file);
        return 2;
    }
    read = o.file ? snapshot_file(&s, o.file, o.frames, &err)
                  : snapshot_domain(&s, o.domid, &err);
    g_free(o.file);
    if (!read) {
        fprintf(stderr, "xen-grants: %s\n", err->message);
        return 1;
    }
    print_table(&o, &s.bytes);
    return 0;
}
