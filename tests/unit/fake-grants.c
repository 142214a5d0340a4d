/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A counting, refusing fake of a foreign domain and its grants
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "fake-grants.h"

#define PAGE        ((size_t)XEN_PGDIR_PAGE_SIZE)
#define PER_PAGE    XEN_PGDIR_REFS_PER_PAGE

/* The first references of a real domain are reserved, too */
#define FIRST_REF   8

struct FakeGrant {
    uint32_t page;
    uint32_t live_maps;
    int32_t refuse_errno;
    bool granted;
    bool writable;
};

typedef struct FakeMap {
    void *addr;
    uint32_t count;
    bool writable;
    uint32_t refs[];
} FakeMap;

/* References of the host's pages are none that the guest ever gave */
#define FIRST_SHARE_REF 0x40000000u

typedef struct FakeShare {
    uint8_t *addr;
    uint32_t count;
    uint32_t first_ref;
} FakeShare;

/* @fd: the end of the pipe that is ours */
typedef struct FakeDmabuf {
    FakeMap *map;
    int fd;
} FakeDmabuf;

static uint32_t pop(GArray *stack)
{
    uint32_t value;

    g_assert_cmpuint(stack->len, >, 0);
    value = g_array_index(stack, uint32_t, stack->len - 1);
    g_array_set_size(stack, stack->len - 1);
    return value;
}

FakeGrants *fake_grants_new(uint32_t pages)
{
    FakeGrants *f = g_new0(FakeGrants, 1);
    uint32_t i, ref;

    f->nr_pages = pages;
    f->fd = memfd_create("fake-grants", MFD_CLOEXEC);
    g_assert_cmpint(f->fd, >=, 0);
    g_assert_cmpint(ftruncate(f->fd, pages * PAGE), ==, 0);
    f->memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                     f->fd, 0);
    g_assert(f->memory != MAP_FAILED);

    f->nr_grants = FIRST_REF + pages;
    f->grants = g_new0(FakeGrant, f->nr_grants);
    f->free_pages = g_array_sized_new(FALSE, FALSE, sizeof(uint32_t), pages);
    f->free_refs = g_array_sized_new(FALSE, FALSE, sizeof(uint32_t), pages);
    for (i = pages; i-- > 0;) {
        ref = FIRST_REF + i;
        g_array_append_val(f->free_pages, i);
        g_array_append_val(f->free_refs, ref);
    }
    f->maps = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    f->shares = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    f->next_share_ref = FIRST_SHARE_REF;
    f->dmabufs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    f->imported = g_hash_table_new(NULL, NULL);
    return f;
}

void fake_grants_free(FakeGrants *f)
{
    g_assert_cmpuint(f->live_maps, ==, 0);
    g_assert_cmpuint(g_hash_table_size(f->maps), ==, 0);
    g_assert_cmpuint(f->shared_pages, ==, 0);
    g_hash_table_destroy(f->maps);
    g_hash_table_destroy(f->shares);
    g_assert_cmpuint(f->exports, ==, 0);
    g_hash_table_destroy(f->dmabufs);
    g_assert_cmpuint(f->imports, ==, 0);
    g_hash_table_destroy(f->imported);
    g_array_free(f->free_pages, TRUE);
    g_array_free(f->free_refs, TRUE);
    g_free(f->grants);
    munmap(f->memory, f->nr_pages * PAGE);
    close(f->fd);
    g_free(f);
}

static FakeGrant *find(FakeGrants *f, uint32_t gref)
{
    if (gref >= f->nr_grants || !f->grants[gref].granted) {
        return NULL;
    }
    return &f->grants[gref];
}

uint32_t fake_grants_alloc(FakeGrants *f, bool writable)
{
    uint32_t gref = pop(f->free_refs);
    FakeGrant *grant = &f->grants[gref];

    grant->page = pop(f->free_pages);
    grant->granted = true;
    grant->writable = writable;
    grant->refuse_errno = 0;
    return gref;
}

bool fake_grants_end(FakeGrants *f, uint32_t gref)
{
    FakeGrant *grant = find(f, gref);

    g_assert_nonnull(grant);
    if (grant->live_maps) {
        return false;
    }
    memset(fake_grants_page(f, gref), 0, PAGE);
    grant->granted = false;
    g_array_append_val(f->free_pages, grant->page);
    g_array_append_val(f->free_refs, gref);
    return true;
}

void *fake_grants_page(FakeGrants *f, uint32_t gref)
{
    FakeGrant *grant = find(f, gref);

    g_assert_nonnull(grant);
    return f->memory + grant->page * PAGE;
}

uint32_t fake_grants_build_directory(FakeGrants *f, const uint32_t *refs,
                                     uint32_t count)
{
    uint32_t first = fake_grants_alloc(f, true);
    uint32_t *page = fake_grants_page(f, first);
    uint32_t done = 0, n;

    for (;;) {
        n = MIN(count - done, PER_PAGE);
        memcpy(page + 1, refs + done, n * sizeof(*refs));
        done += n;
        if (done == count) {
            return first;
        }
        page[0] = fake_grants_alloc(f, true);
        page = fake_grants_page(f, page[0]);
    }
}

uint32_t fake_grants_make_directory(FakeGrants *f, uint32_t count,
                                    uint32_t *refs)
{
    g_autofree uint32_t *own = refs ? NULL : g_new(uint32_t, count);
    uint32_t *all = refs ? refs : own;
    uint32_t i;

    for (i = 0; i < count; i++) {
        all[i] = fake_grants_alloc(f, true);
    }
    return fake_grants_build_directory(f, all, count);
}

bool fake_grants_end_directory(FakeGrants *f, uint32_t dir_ref,
                               uint32_t count)
{
    uint32_t *page, next, i, n;
    bool ok = true;

    for (;;) {
        page = fake_grants_page(f, dir_ref);
        next = page[0];
        n = MIN(count, PER_PAGE);
        for (i = 0; i < n; i++) {
            ok &= fake_grants_end(f, page[1 + i]);
        }
        ok &= fake_grants_end(f, dir_ref);
        count -= n;
        if (!count) {
            return ok;
        }
        dir_ref = next;
    }
}

static bool refuse(FakeRefusal *refusal, uint64_t nth, int32_t err)
{
    bool pending = refusal->in;

    refusal->in = nth;
    refusal->error = err;
    return pending;
}

static bool is_refused(FakeRefusal *refusal)
{
    return refusal->in && --refusal->in == 0;
}

bool fake_grants_refuse(FakeGrants *f, uint64_t nth, int32_t err)
{
    return refuse(&f->refuse_map, nth, err);
}

bool fake_grants_refuse_share(FakeGrants *f, uint64_t nth, int32_t err)
{
    return refuse(&f->refuse_share, nth, err);
}

bool fake_grants_refuse_replace(FakeGrants *f, uint64_t nth, int32_t err)
{
    return refuse(&f->refuse_replace, nth, err);
}

bool fake_grants_refuse_export(FakeGrants *f, uint64_t nth, int32_t err)
{
    return refuse(&f->refuse_export, nth, err);
}

bool fake_grants_refuse_import(FakeGrants *f, uint64_t nth, int32_t err)
{
    return refuse(&f->refuse_import, nth, err);
}

void *fake_grants_shared_page(FakeGrants *f, uint32_t gref)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, f->shares);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FakeShare *share = value;

        if (gref >= share->first_ref &&
            gref - share->first_ref < share->count) {
            return share->addr + (gref - share->first_ref) * PAGE;
        }
    }
    return NULL;
}

uint32_t fake_grants_link_directory(FakeGrants *f, uint32_t count)
{
    uint32_t first = fake_grants_alloc(f, true);
    uint32_t *page = fake_grants_page(f, first);

    while (count > PER_PAGE) {
        page[0] = fake_grants_alloc(f, true);
        page = fake_grants_page(f, page[0]);
        count -= PER_PAGE;
    }
    return first;
}

bool fake_grants_end_links(FakeGrants *f, uint32_t dir_ref, uint32_t dirs)
{
    uint32_t *page, next;
    bool ok = true;

    while (dirs-- > 0) {
        page = fake_grants_page(f, dir_ref);
        next = page[0];
        ok &= fake_grants_end(f, dir_ref);
        dir_ref = next;
    }
    return ok;
}

void fake_grants_refuse_ref(FakeGrants *f, uint32_t gref, int32_t err)
{
    g_assert_nonnull(find(f, gref));
    f->grants[gref].refuse_errno = err;
}

/* What the hypervisor and the grant device would check */
static int32_t check(FakeGrants *f, const uint32_t *refs, uint32_t count,
                     bool writable)
{
    FakeGrant *grant;
    uint32_t i;

    if (is_refused(&f->refuse_map)) {
        return f->refuse_map.error;
    }
    for (i = 0; i < count; i++) {
        grant = find(f, refs[i]);
        if (!grant || (writable && !grant->writable)) {
            return -EINVAL;
        }
        if (grant->refuse_errno) {
            return grant->refuse_errno;
        }
    }
    if (f->limit_pages && f->live_pages + count > f->limit_pages) {
        return f->limit_errno ? f->limit_errno : -ENOSPC;
    }
    return 0;
}

/* How many of the references name consecutive pages */
static uint32_t run_length(FakeGrants *f, const uint32_t *refs,
                           uint32_t count)
{
    uint32_t page = f->grants[refs[0]].page;
    uint32_t n = 1;

    while (f->one_mmap && n < count && f->grants[refs[n]].page == page + n) {
        n++;
    }
    return n;
}

static void *map_pages(FakeGrants *f, const uint32_t *refs, uint32_t count,
                       bool writable)
{
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    int flags = MAP_SHARED | (f->one_mmap ? MAP_POPULATE : 0);
    uint32_t i, n;
    uint8_t *base = NULL;
    void *addr;

    n = run_length(f, refs, count);
    if (n < count) {
        base = mmap(NULL, count * PAGE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        g_assert(base != MAP_FAILED);
        flags |= MAP_FIXED;
    }
    for (i = 0; i < count; i += n) {
        n = run_length(f, refs + i, count - i);
        addr = mmap(base ? base + i * PAGE : NULL, n * PAGE, prot, flags,
                    f->fd, f->grants[refs[i]].page * PAGE);
        g_assert(addr != MAP_FAILED);
        base = base ? base : addr;
    }
    return base;
}

static void account(FakeGrants *f, const FakeMap *map, int sign)
{
    uint32_t i;

    for (i = 0; i < map->count; i++) {
        f->grants[map->refs[i]].live_maps += sign;
    }
    f->live_maps += sign;
    f->live_pages += sign * (int64_t)map->count;
    f->live_writable += map->writable ? sign * (int64_t)map->count : 0;
    f->max_live_maps = MAX(f->max_live_maps, f->live_maps);
    f->max_live_pages = MAX(f->max_live_pages, f->live_pages);
}

static FakeMap *new_map(const uint32_t *refs, uint32_t count, bool writable)
{
    FakeMap *map = g_malloc0(sizeof(*map) + count * sizeof(*refs));

    map->count = count;
    map->writable = writable;
    memcpy(map->refs, refs, count * sizeof(*refs));
    return map;
}

static int32_t fake_map(void *opaque, const uint32_t *refs, uint32_t count,
                        uint32_t writable, void **addr)
{
    FakeGrants *f = opaque;
    FakeMap *map;
    int32_t ret;

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_cmpuint(count, >, 0);
    g_assert_cmpuint(writable, <=, 1);
    g_assert(!f->max_count || count <= f->max_count);

    f->map_calls++;
    ret = check(f, refs, count, writable);
    if (ret) {
        f->refused++;
        return ret;
    }

    map = new_map(refs, count, writable);
    map->addr = map_pages(f, refs, count, writable);
    g_assert(g_hash_table_insert(f->maps, map->addr, map));
    f->mapped_pages += count;
    account(f, map, 1);
    if (f->on_map) {
        f->on_map(f, refs, count, f->hook_opaque);
    }
    *addr = map->addr;
    return 0;
}

/* All of an unmap but the munmap() */
static void forget_map(FakeGrants *f, void *addr, const uint32_t *refs,
                       uint32_t count)
{
    FakeMap *map = g_hash_table_lookup(f->maps, addr);

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_nonnull(map);
    g_assert_cmpmem(map->refs, map->count * sizeof(*refs),
                    refs, count * sizeof(*refs));
    if (f->on_unmap) {
        f->on_unmap(f, refs, count, f->hook_opaque);
    }
    f->unmap_calls++;
    account(f, map, -1);
    g_hash_table_remove(f->maps, addr);
}

static void fake_unmap(void *opaque, void *addr, const uint32_t *refs,
                       uint32_t count)
{
    FakeGrants *f = opaque;

    forget_map(f, addr, refs, count);
    g_assert_cmpint(munmap(addr, count * PAGE), ==, 0);
    if (f->on_unmapped) {
        f->on_unmapped(f, addr, count, f->unmapped_opaque);
    }
}

static int32_t fake_share(void *opaque, uint32_t count, uint32_t writable,
                          uint32_t *refs, void **addr)
{
    FakeGrants *f = opaque;
    FakeShare *share;
    uint32_t i;

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_cmpuint(count, >, 0);
    g_assert_cmpuint(writable, <=, 1);

    f->share_calls++;
    f->read_only_shares += !writable;
    if (is_refused(&f->refuse_share)) {
        return f->refuse_share.error;
    }

    share = g_new0(FakeShare, 1);
    share->count = count;
    share->first_ref = f->next_share_ref;
    share->addr = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS |
                       (f->one_mmap ? MAP_POPULATE : 0), -1, 0);
    g_assert(share->addr != MAP_FAILED);
    f->next_share_ref += count;
    for (i = 0; i < count; i++) {
        refs[i] = share->first_ref + i;
    }
    g_hash_table_insert(f->shares, share->addr, share);
    f->shared_pages += count;
    if (f->on_share) {
        f->on_share(f, refs, count, f->hook_opaque);
    }
    *addr = share->addr;
    return 0;
}

static void fake_unshare(void *opaque, void *addr, const uint32_t *refs,
                         uint32_t count)
{
    FakeGrants *f = opaque;
    FakeShare *share = g_hash_table_lookup(f->shares, addr);
    uint32_t i;

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_nonnull(share);
    g_assert_cmpuint(share->count, ==, count);
    for (i = 0; i < count; i++) {
        g_assert_cmpuint(refs[i], ==, share->first_ref + i);
    }
    f->unshare_calls++;
    f->shared_pages -= count;
    g_hash_table_remove(f->shares, addr);
    g_assert_cmpint(munmap(addr, count * PAGE), ==, 0);
}

static int32_t fake_replace(void *opaque, void *addr, const uint32_t *refs,
                            uint32_t count, void *copy)
{
    FakeGrants *f = opaque;

    f->replace_calls++;
    if (is_refused(&f->refuse_replace)) {
        if (f->refuse_replace.error > 0) {
            fake_unmap(f, addr, refs, count);
        }
        return f->refuse_replace.error;
    }
    if (mremap(copy, count * PAGE, count * PAGE,
               MREMAP_MAYMOVE | MREMAP_FIXED, addr) == MAP_FAILED) {
        return -errno;
    }
    forget_map(f, addr, refs, count);
    return 0;
}

static int32_t fake_export(void *opaque, const uint32_t *refs, uint32_t count,
                           uint32_t flags, int32_t *fd, uint32_t *id)
{
    FakeGrants *f = opaque;
    FakeDmabuf *dmabuf;
    int ends[2];
    int32_t ret;

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_cmpuint(count, >, 0);
    f->export_calls++;
    f->export_flags = flags;
    if (is_refused(&f->refuse_export)) {
        return f->refuse_export.error;
    }
    ret = check(f, refs, count, true);
    if (ret) {
        return ret;
    }
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    dmabuf = g_new0(FakeDmabuf, 1);
    dmabuf->map = new_map(refs, count, true);
    dmabuf->fd = ends[0];
    *fd = ends[1];
    *id = f->next_id++;
    g_hash_table_insert(f->dmabufs, GUINT_TO_POINTER(*id), dmabuf);
    f->exports++;
    account(f, dmabuf->map, 1);
    return 0;
}

/* The pages are mapped until this is asked, as nobody tells us before */
static int32_t fake_in_use(void *opaque, uint32_t id)
{
    FakeGrants *f = opaque;
    FakeDmabuf *dmabuf = g_hash_table_lookup(f->dmabufs, GUINT_TO_POINTER(id));
    struct pollfd events = { .events = POLLIN };

    g_assert_nonnull(dmabuf);
    g_assert_nonnull(dmabuf->map);
    f->in_use_calls++;
    events.fd = dmabuf->fd;
    if (poll(&events, 1, 0) == 0) {
        return 1;
    }
    account(f, dmabuf->map, -1);
    g_clear_pointer(&dmabuf->map, g_free);
    return 0;
}

/* What is in use still is no concern of the mapper's any more */
static void fake_forget(void *opaque, uint32_t id)
{
    FakeGrants *f = opaque;
    FakeDmabuf *dmabuf = g_hash_table_lookup(f->dmabufs, GUINT_TO_POINTER(id));

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_nonnull(dmabuf);
    if (dmabuf->map) {
        account(f, dmabuf->map, -1);
        g_free(dmabuf->map);
    }
    close(dmabuf->fd);
    f->exports--;
    g_hash_table_remove(f->dmabufs, GUINT_TO_POINTER(id));
}

static int32_t fake_import(void *opaque, int32_t fd, uint32_t count,
                           uint32_t *refs)
{
    FakeGrants *f = opaque;
    struct stat st;
    uint32_t i;

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_false(g_hash_table_contains(f->imported, GINT_TO_POINTER(fd)));
    f->import_calls++;
    if (is_refused(&f->refuse_import)) {
        return f->refuse_import.error;
    }
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    if (S_ISREG(st.st_mode) && st.st_size != count * PAGE) {
        return -EINVAL;
    }
    for (i = 0; i < count; i++) {
        refs[i] = f->next_share_ref++;
    }
    g_hash_table_insert(f->imported, GINT_TO_POINTER(fd),
                        GUINT_TO_POINTER(count));
    f->imports++;
    f->shared_pages += count;
    if (f->on_share) {
        f->on_share(f, refs, count, f->hook_opaque);
    }
    return 0;
}

static void fake_release(void *opaque, int32_t fd)
{
    FakeGrants *f = opaque;
    gpointer count = g_hash_table_lookup(f->imported, GINT_TO_POINTER(fd));

    g_assert_cmpuint(f->destroyed, ==, 0);
    g_assert_nonnull(count);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    f->release_calls++;
    f->imports--;
    f->shared_pages -= GPOINTER_TO_UINT(count);
    g_hash_table_remove(f->imported, GINT_TO_POINTER(fd));
}

static void fake_destroy(void *opaque)
{
    FakeGrants *f = opaque;

    g_assert_cmpuint(f->shared_pages, ==, 0);
    g_assert_cmpuint(f->live_maps, ==, 0);
    g_assert_cmpuint(f->destroyed, ==, 0);
    f->destroyed++;
}

const XenPgdirGrantOps fake_grants_ops = {
    .size = sizeof(fake_grants_ops),
    .map = fake_map,
    .unmap = fake_unmap,
    .destroy = fake_destroy,
    .share = fake_share,
    .unshare = fake_unshare,
    .replace = fake_replace,
    .dmabuf_export = fake_export,
    .dmabuf_in_use = fake_in_use,
    .dmabuf_forget = fake_forget,
    .dmabuf_import = fake_import,
    .dmabuf_release = fake_release,
};
