/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Benchmark of the model of Xen's grant tables: what a page costs that is
 * granted, mapped, unmapped and taken back
 *
 *   bench-grants [--json FILE]
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../hw/xen/testbed/grant-refs.h"
#include "../hw/xen/testbed/grant-table.h"
#include "bench-util.h"

#define OWNER       1
#define PEER        0
#define MAX_PAGES   1000000u
#define RUNS        5

typedef struct Bench {
    XenMachine machine;
    grant_entry_v1_t *table;
    XenGrantRefs *refs;
    struct gnttab_map_grant_ref *map;
    struct gnttab_unmap_grant_ref *unmap;
} Bench;

static void grant(Bench *b, uint32_t pages)
{
    uint32_t i;

    for (i = 0; i < pages; i++) {
        uint32_t ref = xen_grant_refs_take(b->refs);

        must(ref, "a grant");
        xen_grant_access(&b->table[ref], PEER, 1 + i, false);
        b->map[i] = (struct gnttab_map_grant_ref) {
            .host_addr = (1ULL + i) << XEN_MACHINE_PAGE_SHIFT,
            .flags = GNTMAP_host_map,
            .ref = ref,
            .dom = OWNER,
        };
    }
}

static void map(Bench *b, uint32_t pages)
{
    good(xen_grant_table_map(&b->machine, PEER, b->map, pages));
}

static void unmap(Bench *b, uint32_t pages)
{
    uint32_t i;

    for (i = 0; i < pages; i++) {
        b->unmap[i] = (struct gnttab_unmap_grant_ref) {
            .host_addr = b->map[i].host_addr,
            .handle = b->map[i].handle,
        };
    }
    good(xen_grant_table_unmap(&b->machine, PEER, b->unmap, pages));
}

static void end(Bench *b, uint32_t pages)
{
    uint32_t i;

    for (i = 0; i < pages; i++) {
        must(xen_grant_refs_end(b->refs, b->table, b->map[i].ref),
             "the end of a grant");
    }
}

static void bench_pages(Bench *b, GString *json, uint32_t pages)
{
    static void (*const steps[])(Bench *, uint32_t) = {
        grant, map, unmap, end
    };
    Samples samples[ARRAY_SIZE(steps)] = { { 0 } };
    double ns[ARRAY_SIZE(steps)], sum = 0;
    size_t run, i;

    for (run = 0; run < RUNS; run++) {
        for (i = 0; i < ARRAY_SIZE(steps); i++) {
            double start = now_ns();

            steps[i](b, pages);
            add_sample(&samples[i], now_ns() - start);
        }
    }
    for (i = 0; i < ARRAY_SIZE(steps); i++) {
        ns[i] = median(&samples[i]) / pages;
        sum += ns[i];
    }
    printf("%7u pages: grant %.1f, map %.1f, unmap %.1f, end %.1f ns a page; "
           "all of it %.3f s\n", pages, ns[0], ns[1], ns[2], ns[3],
           sum * pages / 1e9);
    g_string_append_printf(json,
        "    {\"pages\": %u, \"grant_ns_per_page\": %.2f,"
        " \"map_ns_per_page\": %.2f, \"unmap_ns_per_page\": %.2f,"
        " \"end_ns_per_page\": %.2f, \"seconds\": %.4f}",
        pages, ns[0], ns[1], ns[2], ns[3], sum * pages / 1e9);
}

int main(int argc, char **argv)
{
    const XenMachineConfig config = {
        .nr_frames = 1 + MAX_PAGES,
        .nr_domains = 2,
        .nr_entries = MAX_PAGES + GNTTAB_NR_RESERVED_ENTRIES,
        .nr_handles = MAX_PAGES,
        .nr_ptes = 1 + MAX_PAGES,
    };
    const char *file = bench_json_file(argc, argv);
    GString *json = g_string_new("{\n  \"benchmark\": \"bench-grants\",\n"
                                 "  \"model\": [\n");
    g_autofree void *block = g_malloc0(xen_machine_size(&config));
    Bench b = {
        .table = g_new0(grant_entry_v1_t, config.nr_entries),
        .refs = g_malloc(xen_grant_refs_size(config.nr_entries)),
        .map = g_new(struct gnttab_map_grant_ref, MAX_PAGES),
        .unmap = g_new(struct gnttab_unmap_grant_ref, MAX_PAGES),
    };
    uint32_t pages;

    xen_machine_init(&b.machine, block, &config, NULL);
    good(xen_machine_add_domain(&b.machine, OWNER, config.nr_entries, 0));
    good(xen_machine_add_domain(&b.machine, PEER, 0, 0));
    xen_machine_set_table(&b.machine, OWNER, b.table);
    good(xen_machine_give(&b.machine, OWNER, 1, MAX_PAGES));
    xen_grant_refs_init(b.refs, config.nr_entries,
                        GNTTAB_NR_RESERVED_ENTRIES);

    printf("The model of the grant tables. Medians.\n\n");
    for (pages = 1000; pages <= MAX_PAGES; pages *= 10) {
        g_string_append(json, pages > 1000 ? ",\n" : "");
        bench_pages(&b, json, pages);
    }
    g_string_append(json, "\n  ]\n}\n");

    g_free(b.table);
    g_free(b.refs);
    g_free(b.map);
    g_free(b.unmap);
    return bench_finish(file, json);
}
