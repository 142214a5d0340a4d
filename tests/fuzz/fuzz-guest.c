/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile guest for the fuzzers
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "fuzz-guest.h"

#define PAGE            ((size_t)XEN_PGDIR_PAGE_SIZE)
#define PER_PAGE        XEN_PGDIR_REFS_PER_PAGE
#define NR_ENTRIES      128

/* The domains: who maps, who grants, and one that is not there */
#define BACKEND_DOMID   0
#define GUEST_DOMID     1
#define OTHER_DOMID     7

/* References of the host's pages */
#define SHARE_REF       0x40000000u

/* Numbers from one range of the host's pages to the next: more than one has */
#define SHARE_REFS      4096u

/* Made once: making a memfd costs more than most inputs */
static int memory_fd = -1;

static uint8_t *get_memory(void)
{
    static uint8_t *memory;

    if (!memory) {
        memory_fd = memfd_create("fuzz-guest", MFD_CLOEXEC);
        g_assert_cmpint(memory_fd, >=, 0);
        g_assert_cmpint(ftruncate(memory_fd, FUZZ_PAGES * PAGE), ==, 0);
        memory = mmap(NULL, FUZZ_PAGES * PAGE, PROT_READ | PROT_WRITE,
                      MAP_SHARED, memory_fd, 0);
        g_assert(memory != MAP_FAILED);
    }
    return memory;
}

/* ------------------------------------------------------------ the guest */

static grant_entry_v1_t *entry(FuzzGuest *guest, uint32_t ref)
{
    return (grant_entry_v1_t *)fuzz_guest_page(guest, FUZZ_TABLE) + ref;
}

/* Write a directory of data references that begin anew after the last */
static void put_directory(FuzzGuest *guest, uint32_t page, uint32_t pages,
                          uint32_t first, uint32_t step)
{
    uint32_t i, j, n = 0;

    for (i = 0; i < pages; i++) {
        uint32_t *words = fuzz_guest_page(guest, page + i);

        words[0] = i + 1 < pages ? page + i + 1 : 0;
        for (j = 1; j <= PER_PAGE; j++, n += step) {
            words[j] = FUZZ_DATA + (first + n) % (FUZZ_PAGES - FUZZ_DATA);
        }
    }
}

/* Directories of 1 page and of up to 3, and one that is a loop */
static void put_directories(FuzzGuest *guest)
{
    put_directory(guest, FUZZ_DIRS, 1, 0, 1);
    put_directory(guest, FUZZ_DIRS + 1, 1, 16, 1);
    put_directory(guest, FUZZ_DIRS + 2, 2, 0, 1);
    put_directory(guest, FUZZ_DIRS + 4, 3, 0, 3);
    put_directory(guest, FUZZ_DIRS + 7, 1, FUZZ_READONLY - FUZZ_DATA, 1);
    put_directory(guest, FUZZ_DIRS + 8, 1, 0, 0);
    *(uint32_t *)fuzz_guest_page(guest, FUZZ_DIRS + 8) = FUZZ_DIRS + 8;
}

static void share_free(gpointer data)
{
    FuzzShare *share = data;

    if (share->addr) {
        munmap(share->addr, share->count * PAGE);
    }
    g_free(share);
}

/* What the memory of a new guest holds */
static const uint8_t *fresh_memory(FuzzGuest *guest)
{
    static uint8_t fresh[FUZZ_PAGES * PAGE];
    static bool made;
    uint32_t ref;

    for (ref = FUZZ_CHANNELS; !made && ref < FUZZ_PAGES; ref++) {
        *entry(guest, ref) = (grant_entry_v1_t) {
            .flags = GTF_permit_access |
                     (ref >= FUZZ_READONLY ? GTF_readonly : 0),
            .domid = BACKEND_DOMID,
            .frame = ref,
        };
    }
    if (!made) {
        put_directories(guest);
        memcpy(fresh, guest->memory, sizeof(fresh));
        made = true;
    }
    return fresh;
}

/* The machine's memory is the guest's, but for the first frame */
static void make_machine(FuzzGuest *guest)
{
    static const XenMachineConfig config = {
        .nr_frames = FUZZ_PAGES,
        .nr_domains = 2,
        .nr_entries = NR_ENTRIES,
        .nr_handles = FUZZ_MAX_MAPPINGS,
    };
    XenMachine *m = &guest->machine;

    guest->block = g_malloc0(xen_machine_size(&config));
    xen_machine_init(m, guest->block, &config, guest->memory);
    memset(entry(guest, 0), 0, PAGE);
    g_assert_cmpint(xen_machine_add_domain(m, GUEST_DOMID, NR_ENTRIES,
                                           FUZZ_TABLE), ==, 0);
    g_assert_cmpint(xen_machine_give(m, GUEST_DOMID, FUZZ_CHANNELS,
                                     FUZZ_PAGES - FUZZ_CHANNELS), ==, 0);
    g_assert_cmpint(xen_machine_add_domain(m, BACKEND_DOMID, 0, 0), ==, 0);
}

FuzzGuest *fuzz_guest_new(FuzzInput *in)
{
    FuzzGuest *guest = g_new0(FuzzGuest, 1);

    guest->in = in;
    guest->memory = get_memory();
    guest->shares = g_ptr_array_new_with_free_func(share_free);
    make_machine(guest);
    memcpy(guest->memory, fresh_memory(guest), FUZZ_PAGES * PAGE);
    return guest;
}

void fuzz_guest_free(FuzzGuest *guest)
{
    g_assert_cmpuint(guest->mapped, ==, 0);
    g_assert_cmpuint(guest->shares->len, ==, 0);
    fuzz_guest_check(guest);
    g_ptr_array_unref(guest->shares);
    g_free(guest->block);
    g_free(guest);
}

void *fuzz_guest_page(FuzzGuest *guest, uint32_t page)
{
    return guest->memory + page % FUZZ_PAGES * PAGE;
}

void fuzz_guest_die(FuzzGuest *guest)
{
    xen_grant_table_kill(&guest->machine, GUEST_DOMID);
}

/* The guest writes its entries as it likes, so their flags say nothing */
void fuzz_guest_check(FuzzGuest *guest)
{
    g_autofree char *what = xen_grant_table_check(&guest->machine, false);
    XenGrantTableStats stats;

    g_assert_cmpstr(what, ==, NULL);
    xen_grant_table_stats(&guest->machine, GUEST_DOMID, &stats);
    g_assert_cmpuint(stats.mapped, ==, guest->mapped);
    g_assert(guest->mapped || !stats.refs);
}

/* ----------------------------------------------------- what it may write */

static void write_word(FuzzGuest *guest, uint32_t page, uint32_t word,
                       uint32_t value)
{
    uint32_t *words = fuzz_guest_page(guest, page);

    words[word % (PAGE / sizeof(*words))] = value;
}

/* End a grant, change what it allows, or make a new one */
static void write_grant(FuzzGuest *guest)
{
    grant_entry_v1_t *e = entry(guest, fuzz_pick(guest->in, FUZZ_PAGES + 8));

    switch (fuzz_pick(guest->in, 8)) {
    case 0:
        /* As it should be done, and never while it is in use */
        if (!(e->flags & (GTF_reading | GTF_writing))) {
            e->flags = 0;
        }
        break;
    case 1:
        e->flags = 0;
        break;
    case 2:
        e->flags ^= GTF_readonly;
        break;
    case 3:
        e->flags = GTF_permit_access;
        break;
    case 4:
        e->flags = fuzz_u16(guest->in);
        break;
    case 5:
        e->domid = fuzz_chance(guest->in, 2) ? OTHER_DOMID : BACKEND_DOMID;
        break;
    case 6:
        e->frame = fuzz_number(guest->in);
        break;
    default:
        e->frame = fuzz_pick(guest->in, FUZZ_PAGES);
        break;
    }
}

static void write_shared(FuzzGuest *guest)
{
    uint32_t at = fuzz_u16(guest->in);
    uint8_t value = fuzz_u8(guest->in);
    FuzzShare *share;

    if (guest->shares->len) {
        share = g_ptr_array_index(guest->shares, at % guest->shares->len);
        share->addr[at * 13u % (share->count * PAGE)] = value;
    }
}

void fuzz_guest_write(FuzzGuest *guest)
{
    FuzzInput *in = guest->in;
    uint32_t page, word;

    switch (fuzz_pick(in, 8)) {
    case 0:
    case 1:
        /* Indices: of a ring or of an event page */
        page = FUZZ_CHANNELS + fuzz_pick(in, FUZZ_DIRS - FUZZ_CHANNELS);
        word = fuzz_pick(in, 4);
        write_word(guest, page, word, fuzz_number(in));
        break;
    case 2:
        /* Slots */
        page = FUZZ_CHANNELS + fuzz_pick(in, FUZZ_DIRS - FUZZ_CHANNELS);
        word = 16 + fuzz_u8(in);
        write_word(guest, page, word, fuzz_number(in));
        break;
    case 3:
    case 4:
        page = FUZZ_DIRS + fuzz_pick(in, FUZZ_NR_DIRS);
        word = fuzz_pick(in, 64);
        write_word(guest, page, word, fuzz_number(in));
        break;
    case 5:
        write_grant(guest);
        break;
    case 6:
        write_shared(guest);
        break;
    default:
        page = fuzz_pick(in, FUZZ_PAGES);
        word = fuzz_u16(in);
        write_word(guest, page, word, fuzz_u32(in));
        break;
    }
}

void fuzz_guest_disturb(FuzzGuest *guest)
{
    unsigned int n;

    guest->in->backwards = true;
    for (n = fuzz_u8(guest->in) & 3; n; n--) {
        fuzz_guest_write(guest);
    }
    guest->in->backwards = false;
}

uint32_t fuzz_guest_directory(FuzzGuest *guest)
{
    FuzzInput *in = guest->in;
    uint32_t pages = 1 + fuzz_pick(in, 3);
    uint32_t page = FUZZ_DIRS + fuzz_pick(in, FUZZ_NR_DIRS - pages);
    uint32_t first = fuzz_u8(in);

    put_directory(guest, page, pages, first, fuzz_pick(in, 4));
    return page;
}

uint32_t fuzz_guest_ref(FuzzGuest *guest)
{
    uint8_t choice = fuzz_u8(guest->in);

    return choice < 128 ? FUZZ_DIRS + choice % FUZZ_NR_DIRS
                        : fuzz_number(guest->in);
}

/* ---------------------------------------------------- grant operations */

/* Map pages whose grants are good.  Neighbours are mapped by one call. */
static void *map_frames(const uint32_t *frames, uint32_t count, bool writable)
{
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    uint8_t *base = mmap(NULL, count * PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint32_t i, n;

    g_assert(base != MAP_FAILED);
    for (i = 0; i < count; i += n) {
        n = 1;
        while (i + n < count && frames[i + n] == frames[i] + n) {
            n++;
        }
        g_assert(mmap(base + i * PAGE, n * PAGE, prot,
                      MAP_SHARED | MAP_FIXED, memory_fd,
                      frames[i] * PAGE) != MAP_FAILED);
    }
    return base;
}

static void unmap_grant(FuzzGuest *guest, grant_handle_t handle)
{
    /* The machine has no page tables: any address but 0 will do */
    struct gnttab_unmap_grant_ref op = { .host_addr = 1, .handle = handle };

    g_assert_cmpuint(xen_grant_table_unmap(&guest->machine, BACKEND_DOMID,
                                           &op, 1), ==, 0);
}

static void mapping_free(gpointer data)
{
    FuzzMapping *mapping = data;

    g_free(mapping->handles);
    g_free(mapping->refs);
    g_free(mapping);
}

/* The hypercalls; all or nothing */
static int32_t map_grants(FuzzGuest *guest, const uint32_t *refs,
                          uint32_t count, bool writable,
                          grant_handle_t *handles, uint32_t *frames)
{
    g_autofree struct gnttab_map_grant_ref *ops =
        g_new0(struct gnttab_map_grant_ref, count);
    int32_t ret = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        ops[i].flags = GNTMAP_host_map | (writable ? 0 : GNTMAP_readonly);
        ops[i].dom = GUEST_DOMID;
        ops[i].ref = refs[i];
    }
    xen_grant_table_map(&guest->machine, BACKEND_DOMID, ops, count);
    for (i = 0; i < count; i++) {
        handles[i] = ops[i].handle;
        frames[i] = ops[i].dev_bus_addr >> XEN_MACHINE_PAGE_SHIFT;
        ret = ret ? ret : xen_grant_status_errno(ops[i].status);
    }
    for (i = 0; ret && i < count; i++) {
        if (ops[i].status == GNTST_okay) {
            unmap_grant(guest, handles[i]);
        }
    }
    return ret;
}

int32_t fuzz_host_map(FuzzHost *host, const uint32_t *refs, uint32_t count,
                      bool writable, void **addr)
{
    g_autofree uint32_t *frames = g_new(uint32_t, count);
    g_autofree grant_handle_t *handles = g_new(grant_handle_t, count);
    FuzzMapping *mapping;
    int32_t ret;

    ret = map_grants(host->guest, refs, count, writable, handles, frames);
    if (ret) {
        return ret;
    }
    mapping = g_new0(FuzzMapping, 1);
    mapping->addr = map_frames(frames, count, writable);
    mapping->count = count;
    mapping->writable = writable;
    mapping->tag = host->tag;
    mapping->handles = g_steal_pointer(&handles);
    mapping->refs = g_memdup2(refs, count * sizeof(*refs));
    g_assert(g_hash_table_insert(host->maps, mapping->addr, mapping));
    host->guest->mapped += count;
    host->mapped += count;
    host->writable += writable ? count : 0;
    *addr = mapping->addr;
    return 0;
}

/* All of an unmap but the munmap() */
static void forget_mapping(FuzzHost *host, void *addr, const uint32_t *refs,
                           uint32_t count)
{
    FuzzMapping *mapping = g_hash_table_lookup(host->maps, addr);
    uint32_t i;

    g_assert(mapping && mapping->count == count);
    g_assert(memcmp(mapping->refs, refs, count * sizeof(*refs)) == 0);
    for (i = 0; i < count; i++) {
        unmap_grant(host->guest, mapping->handles[i]);
    }
    host->guest->mapped -= count;
    host->mapped -= count;
    host->writable -= mapping->writable ? count : 0;
    g_hash_table_remove(host->maps, addr);
}

void fuzz_host_unmap(FuzzHost *host, void *addr, const uint32_t *refs,
                     uint32_t count)
{
    g_assert_cmpint(munmap(addr, count * PAGE), ==, 0);
    forget_mapping(host, addr, refs, count);
}

/* Whether the references are those of the object that is asked for */
static bool are_expected(const FuzzHost *host, const uint32_t *refs,
                         uint32_t count)
{
    uint32_t i;

    for (i = 0; i + count <= host->nr_refs; i++) {
        if (memcmp(host->refs + i, refs, count * sizeof(*refs)) == 0) {
            return true;
        }
    }
    return !host->refs;
}

/* An error out of nowhere, now and then */
static int32_t mishap(FuzzGuest *guest)
{
    static const int32_t errors[] = { -ENOSPC, -ENOMEM, -EFAULT, -EAGAIN };
    int32_t ret = 0;

    guest->in->backwards = true;
    if (fuzz_chance(guest->in, 24)) {
        ret = FUZZ_CHOICE(guest->in, errors);
    }
    guest->in->backwards = false;
    return ret;
}

static int32_t op_map(void *opaque, const uint32_t *refs, uint32_t count,
                      uint32_t writable, void **addr)
{
    FuzzHost *host = opaque;
    uint32_t limit = host->config.max_map_count;
    int32_t ret;

    g_assert(!host->destroyed);
    g_assert_cmpuint(count, >, 0);
    g_assert_cmpuint(count, <=, host->config.max_pages);
    g_assert(!limit || count <= limit);
    g_assert(!writable || host->may_write);
    g_assert(are_expected(host, refs, count));

    fuzz_guest_disturb(host->guest);
    ret = mishap(host->guest);
    if (ret == 0) {
        ret = fuzz_host_map(host, refs, count, writable, addr);
    }
    fuzz_guest_disturb(host->guest);
    if (ret == 0 && host->on_map) {
        host->on_map(host, g_hash_table_lookup(host->maps, *addr));
    }
    return ret;
}

static void op_unmap(void *opaque, void *addr, const uint32_t *refs,
                     uint32_t count)
{
    FuzzHost *host = opaque;

    g_assert(!host->destroyed);
    if (host->on_unmap) {
        host->on_unmap(host, g_hash_table_lookup(host->maps, addr));
    }
    fuzz_guest_disturb(host->guest);
    fuzz_host_unmap(host, addr, refs, count);
    fuzz_guest_disturb(host->guest);
}

static int32_t op_share(void *opaque, uint32_t count, uint32_t writable,
                        uint32_t *refs, void **addr)
{
    FuzzHost *host = opaque;
    FuzzShare *share;
    int32_t ret;
    uint32_t i;

    g_assert(!host->destroyed);
    g_assert_cmpuint(count, >, 0);
    fuzz_guest_disturb(host->guest);
    ret = mishap(host->guest);
    if (ret) {
        return ret;
    }

    share = g_new0(FuzzShare, 1);
    share->count = count;
    share->first_ref = SHARE_REF + host->nr_shares++ * SHARE_REFS;
    share->addr = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert(share->addr != MAP_FAILED);
    for (i = 0; i < count; i++) {
        refs[i] = share->first_ref + i;
    }
    g_ptr_array_add(host->guest->shares, share);
    host->shared += count;
    *addr = share->addr;
    fuzz_guest_disturb(host->guest);
    return 0;
}

static FuzzShare *find_share(FuzzHost *host, void *addr, const uint32_t *refs,
                             uint32_t count)
{
    FuzzShare *share;
    guint i;

    for (i = 0; i < host->guest->shares->len; i++) {
        share = g_ptr_array_index(host->guest->shares, i);
        if (share->addr == addr) {
            g_assert_cmpuint(share->count, ==, count);
            g_assert_cmpuint(share->first_ref, ==, refs[0]);
            g_assert_cmpuint(share->first_ref + count - 1, ==,
                             refs[count - 1]);
            return share;
        }
    }
    g_assert_not_reached();
}

static void op_unshare(void *opaque, void *addr, const uint32_t *refs,
                       uint32_t count)
{
    FuzzHost *host = opaque;

    fuzz_guest_disturb(host->guest);
    g_ptr_array_remove(host->guest->shares,
                            find_share(host, addr, refs, count));
    host->shared -= count;
    fuzz_guest_disturb(host->guest);
}

static int32_t op_replace(void *opaque, void *addr, const uint32_t *refs,
                          uint32_t count, void *copy)
{
    FuzzHost *host = opaque;

    fuzz_guest_disturb(host->guest);
    if (mishap(host->guest)) {
        return -EINVAL;
    }
    g_assert(mremap(copy, count * PAGE, count * PAGE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, addr) == addr);
    forget_mapping(host, addr, refs, count);
    fuzz_guest_disturb(host->guest);
    return 0;
}

static void op_destroy(void *opaque)
{
    FuzzHost *host = opaque;

    g_assert(!host->destroyed);
    g_assert_cmpuint(g_hash_table_size(host->maps), ==, 0);
    g_assert_cmpuint(host->shared, ==, 0);
    host->destroyed = true;
}

FuzzHost *fuzz_host_new(FuzzGuest *guest)
{
    static const uint32_t budgets[] = { 1024, 3000, 64, 7, 1 };
    static const uint32_t largest[] = { 2500, 1024, 8 };
    static const uint32_t counts[] = { 0, 0, 1, 16 };
    FuzzHost *host = g_new0(FuzzHost, 1);
    XenPgdirGrantOps ops = {
        .size = sizeof(ops),
        .map = op_map,
        .unmap = op_unmap,
        .destroy = op_destroy,
        .share = op_share,
        .unshare = op_unshare,
        .replace = op_replace,
    };

    host->guest = guest;
    host->config.size = sizeof(host->config);
    host->config.max_pages = FUZZ_CHOICE(guest->in, budgets);
    host->config.max_buffer_pages = FUZZ_CHOICE(guest->in, largest);
    host->config.max_map_count = FUZZ_CHOICE(guest->in, counts);
    /* 26, 2 or 9: to be reached, not to be in the way always */
    host->config.max_mappings = 2 + host->config.max_pages % 40;
    if (fuzz_chance(guest->in, 4)) {
        ops.replace = NULL;
    }
    if (fuzz_chance(guest->in, 8)) {
        ops.share = NULL;
        ops.unshare = NULL;
    }
    host->maps = g_hash_table_new_full(NULL, NULL, NULL, mapping_free);
    g_assert_cmpint(xen_pgdir_mapper_new(&ops, host, &host->config,
                                         &host->mapper), ==, 0);
    return host;
}

void fuzz_host_free(FuzzHost *host)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_trim(host->mapper);
    xen_pgdir_mapper_stats(host->mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.buffers, ==, 0);
    g_assert_cmpuint(stats.mapped_pages, ==, 0);
    g_assert_cmpuint(stats.copy_pages, ==, 0);
    g_assert_cmpuint(stats.shared_pages, ==, 0);
    g_assert_cmpuint(host->mapped, ==, 0);
    xen_pgdir_mapper_unref(host->mapper);
    g_assert(host->destroyed);
    g_hash_table_destroy(host->maps);
    g_free(host);
}

/* Channel pages are mapped past the mapper, under a tag of their own */
void fuzz_host_check(FuzzHost *host)
{
    uint64_t channels = fuzz_host_tagged(host, FUZZ_TAG_CHANNEL);
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(host->mapper, &stats, sizeof(stats));
    g_assert_cmpuint(stats.mapped_pages, ==, host->mapped - channels);
    g_assert_cmpuint(stats.mapped_pages, <=, host->config.max_pages);
    g_assert_cmpuint(stats.pinned_pages, <=, stats.mapped_pages);
    g_assert_cmpuint(stats.shared_pages + stats.kept_pages, ==, host->shared);
    g_assert_cmpuint(host->shared, <=, host->config.max_pages);
    g_assert_cmpuint(stats.abandoned_pages, <=, host->config.max_pages);
    g_assert_cmpuint(stats.mappings, <=, host->config.max_mappings);
    g_assert_cmpuint(g_hash_table_size(host->maps) - channels, <=,
                     stats.mappings);
    g_assert(stats.buffers || !stats.mapped_pages);
}

uint64_t fuzz_host_tagged(FuzzHost *host, uint32_t tag)
{
    GHashTableIter iter;
    uint64_t pages = 0;
    gpointer value;

    g_hash_table_iter_init(&iter, host->maps);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FuzzMapping *mapping = value;

        pages += mapping->tag == tag ? mapping->count : 0;
    }
    return pages;
}
