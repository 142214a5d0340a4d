/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: page directories and the map cache behind them.  What is
 * mapped must be just what the directory said when it was read, only for as
 * long as the buffer is there, and never beyond the budget.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/uio.h>
#include "fuzz-guest.h"

#define PAGE            ((uint64_t)XEN_PGDIR_PAGE_SIZE)
#define NR_BUFFERS      4
#define NR_VIEWS        6
#define NR_PIECES       90
#define MAX_BYTES       (80 * PAGE)

/*
 * @buffer: NULL if the slot is free
 * @tag: of its mappings
 * @refs: what its directory said when it was read
 * @shared: where its pages are, if the host allocated them
 * @users: references that are held
 */
typedef struct Buffer {
    XenPgdirBuffer *buffer;
    uint32_t tag;
    uint32_t *refs;
    uint32_t pages;
    uint64_t size;
    bool writable;
    uint8_t *shared;
    bool revoked;
    uint32_t users;
} Buffer;

/*
 * @view: NULL if the slot is free
 * @buffer: where it belongs; the slot may have another buffer by now
 * @tag: of the buffer it belongs to
 * @data, @length: what it shows
 * @lost: the address went to somebody else
 * @users: references that are held
 */
typedef struct View {
    XenPgdirView *view;
    Buffer *buffer;
    uint32_t tag;
    uint8_t *data;
    uint64_t length;
    bool lost;
    uint32_t users;
} View;

/*
 * @walk: the reference of the next directory page
 * @walked: directory pages seen
 * @refs: data references seen in them
 * @filled: the last directory page of a shared buffer, filled in
 */
typedef struct Pgdir {
    FuzzInput in;
    FuzzGuest *guest;
    FuzzHost *host;
    Buffer buffers[NR_BUFFERS];
    View views[NR_VIEWS];
    uint32_t tags;
    uint32_t walk;
    uint32_t walked;
    GArray *refs;
    uint32_t filled[1 + XEN_PGDIR_REFS_PER_PAGE];
} Pgdir;

/* -------------------------------------------------------------- the walk */

/* A directory page as the backend is going to read it */
static void see_directory(FuzzHost *host, const FuzzMapping *mapping)
{
    Pgdir *p = host->opaque;
    const uint32_t *words = mapping->addr;

    g_assert_cmpuint(mapping->count, ==, 1);
    p->walk = words[0];
    p->walked++;
    g_array_append_vals(p->refs, words + 1, XEN_PGDIR_REFS_PER_PAGE);
}

static void expect_walk(Pgdir *p, uint32_t ref, bool writable)
{
    p->walk = ref;
    p->walked = 0;
    g_array_set_size(p->refs, 0);
    p->host->refs = &p->walk;
    p->host->nr_refs = 1;
    p->host->may_write = writable;
    p->host->tag = 0;
    p->host->on_map = see_directory;
}

static void expect_nothing(Pgdir *p)
{
    p->host->on_map = NULL;
    p->host->on_unmap = NULL;
    p->host->refs = NULL;
    p->host->may_write = false;
    /* Directory pages are never kept */
    g_assert_cmpuint(fuzz_host_tagged(p->host, 0), ==, 0);
}

/* The last directory page of a chain is the first to be unmapped */
static void see_filled(FuzzHost *host, const FuzzMapping *mapping)
{
    Pgdir *p = host->opaque;

    /* What was mapped before may have to make room */
    if (mapping->tag) {
        return;
    }
    host->on_unmap = NULL;
    memcpy(p->filled, mapping->addr, sizeof(p->filled));
}

static Buffer *free_slot(Pgdir *p)
{
    unsigned int i;

    for (i = 0; i < NR_BUFFERS; i++) {
        if (!p->buffers[i].buffer) {
            return &p->buffers[i];
        }
    }
    return NULL;
}

/* Sizes around the ends of pages and of directory pages, or any */
static uint64_t take_size(Pgdir *p)
{
    static const uint64_t sizes[] = {
        1, PAGE, PAGE + 1, 3 * PAGE - 1, 64 * PAGE, 100 * PAGE,
        1023 * PAGE, 1023 * PAGE + 1, 2046 * PAGE, 2047 * PAGE, 2500 * PAGE,
    };
    uint8_t choice = fuzz_u8(&p->in);

    return choice < 160 ? sizes[choice % ARRAY_SIZE(sizes)] :
           choice < 250 ? fuzz_number(&p->in) : fuzz_u64(&p->in);
}

static void init_buffer(Pgdir *p, Buffer *b, XenPgdirBuffer *buffer,
                        uint64_t size)
{
    memset(b, 0, sizeof(*b));
    b->buffer = buffer;
    b->tag = ++p->tags;
    b->size = size;
    b->pages = (size + PAGE - 1) / PAGE;
    b->users = 1;
    g_assert_cmpuint(b->pages, <=, p->host->config.max_buffer_pages);
    g_assert_cmpuint(p->walked, ==, (b->pages + XEN_PGDIR_REFS_PER_PAGE - 1) /
                                    XEN_PGDIR_REFS_PER_PAGE);
    g_assert_cmpuint(xen_pgdir_buffer_size(buffer), ==, size);
    g_assert_cmpuint(xen_pgdir_buffer_pages(buffer), ==, b->pages);
}

static void new_buffer(Pgdir *p)
{
    uint32_t ref = fuzz_guest_ref(p->guest);
    uint32_t flags = fuzz_pick(&p->in, 3);
    uint64_t size = take_size(p);
    Buffer *b = free_slot(p);
    XenPgdirBuffer *buffer;
    uint32_t i;
    int32_t ret;

    if (!b) {
        return;
    }
    expect_walk(p, ref, false);
    ret = xen_pgdir_buffer_new(p->host->mapper, ref, size, flags, &buffer);
    expect_nothing(p);
    g_assert_cmpint(ret, <=, 0);
    g_assert(ret < 0 || (flags < 2 && size));
    if (ret < 0) {
        return;
    }

    init_buffer(p, b, buffer, size);
    b->writable = flags & XEN_PGDIR_WRITABLE;
    b->refs = g_memdup2(p->refs->data, b->pages * sizeof(*b->refs));
    for (i = 0; i < b->pages; i++) {
        g_assert(b->refs[i]);
    }
}

/*
 * The guest must find just the references of what is shared, be it new or what
 * it had before
 */
static const FuzzShare *check_filled(Pgdir *p, const Buffer *b)
{
    uint32_t before = (p->walked - 1) * XEN_PGDIR_REFS_PER_PAGE;
    uint32_t first_ref = p->filled[1] - before;
    const FuzzShare *share;
    uint32_t i;

    for (i = before; i < b->pages; i++) {
        g_assert_cmpuint(p->filled[1 + i - before], ==, first_ref + i);
    }
    for (i = 0; i < p->guest->shares->len; i++) {
        share = g_ptr_array_index(p->guest->shares, i);
        if (share->first_ref == first_ref) {
            g_assert_cmpuint(b->pages, <=, share->count);
            return share;
        }
    }
    g_assert_not_reached();
}

static void new_shared(Pgdir *p)
{
    uint32_t ref = fuzz_guest_ref(p->guest);
    uint64_t size = take_size(p);
    Buffer *b = free_slot(p);
    XenPgdirBuffer *buffer;
    const FuzzShare *share;
    unsigned int i;
    int32_t ret;

    if (!b) {
        return;
    }
    expect_walk(p, ref, true);
    p->host->on_unmap = see_filled;
    ret = xen_pgdir_buffer_new_shared(p->host->mapper, ref, size, 0, &buffer);
    expect_nothing(p);
    g_assert_cmpint(ret, <=, 0);
    if (ret < 0) {
        return;
    }

    init_buffer(p, b, buffer, size);
    share = check_filled(p, b);
    for (i = 0; i < NR_BUFFERS; i++) {
        g_assert(p->buffers[i].shared != share->addr);
    }
    b->writable = true;
    b->shared = share->addr;
}

/* --------------------------------------------------------------- its use */

static Buffer *take_buffer(Pgdir *p)
{
    Buffer *b = &p->buffers[fuzz_pick(&p->in, NR_BUFFERS)];

    return b->buffer ? b : NULL;
}

static void expect_data(Pgdir *p, const Buffer *b)
{
    p->host->tag = b->tag;
    p->host->refs = b->refs;
    p->host->nr_refs = b->refs ? b->pages : 0;
    p->host->may_write = b->writable;
}

/* A window: mostly inside the buffer, or right at its end */
static void take_window(Pgdir *p, const Buffer *b, uint64_t *offset,
                        uint64_t *length)
{
    uint64_t end = b->pages * PAGE;

    switch (fuzz_pick(&p->in, 8)) {
    case 0:
        *offset = fuzz_u64(&p->in);
        *length = fuzz_u64(&p->in);
        break;
    case 1:
        *length = 1 + fuzz_u8(&p->in);
        *offset = end - MIN(end, *length) + fuzz_pick(&p->in, 3);
        break;
    case 2:
        *offset = 0;
        *length = end;
        break;
    default:
        *offset = fuzz_number(&p->in) % end;
        *length = fuzz_number(&p->in) % (end - *offset) + 1;
        break;
    }
}

/* What must come of a window, as far as that is the window's doing */
static int32_t expect_window(const Buffer *b, uint64_t offset,
                             uint64_t length)
{
    uint64_t end = b->pages * PAGE;

    return b->revoked ? -ESTALE :
           !length || offset >= end || length > end - offset ? -EINVAL : 0;
}

static void touch(const View *v)
{
    if (!v->lost) {
        fuzz_touch(v->data, v->length);
    }
}

/* Whether the pages of a view are mapped as its buffer's directory has them */
static void check_view(Pgdir *p, const Buffer *b, const View *v,
                       uint64_t offset)
{
    uint8_t *base = v->data - offset % PAGE;
    const FuzzMapping *mapping;

    if (b->shared) {
        g_assert(v->data == b->shared + offset);
        g_assert(!xen_pgdir_view_is_copy(v->view));
        return;
    }
    mapping = g_hash_table_lookup(p->host->maps, base);
    g_assert(xen_pgdir_view_is_copy(v->view) == !mapping);
    if (mapping) {
        g_assert_cmpuint(mapping->tag, ==, b->tag);
        g_assert(mapping->writable == b->writable);
        g_assert_cmpuint(mapping->count, ==,
                         (offset % PAGE + v->length + PAGE - 1) / PAGE);
        g_assert(memcmp(mapping->refs, b->refs + offset / PAGE,
                        mapping->count * sizeof(*b->refs)) == 0);
    }
}

static void new_view(Pgdir *p)
{
    View *v = &p->views[fuzz_pick(&p->in, NR_VIEWS)];
    Buffer *b = take_buffer(p);
    uint64_t offset;
    void *data;
    int32_t ret, expected;

    if (!b || v->view) {
        return;
    }
    take_window(p, b, &offset, &v->length);
    expected = expect_window(b, offset, v->length);
    expect_data(p, b);
    ret = xen_pgdir_buffer_view(b->buffer, offset, v->length, &v->view,
                                &data);
    expect_nothing(p);
    if (ret < 0) {
        v->view = NULL;
    }
    g_assert(expected ? ret == expected : ret <= 0);
    if (ret == 0) {
        v->buffer = b;
        v->tag = b->tag;
        v->data = data;
        v->lost = false;
        v->users = 1;
        check_view(p, b, v, offset);
        touch(v);
    }
}

/* The buffer of a view, while it is there and not revoked */
static Buffer *owner(const View *v)
{
    Buffer *b = v->buffer;

    return b->buffer && b->tag == v->tag && !b->revoked ? b : NULL;
}

/* Only a copy has anything to be brought up to, or to be written back */
static void sync_and_flush(const View *v, const Buffer *b)
{
    int32_t ret = xen_pgdir_view_sync(v->view);

    g_assert(ret == 0 || (ret < 0 && b));
    ret = xen_pgdir_view_flush(v->view);
    if (!xen_pgdir_view_is_copy(v->view)) {
        g_assert_cmpint(ret, ==, 0);
    } else if (!b) {
        g_assert_cmpint(ret, ==, -ESTALE);
    } else {
        g_assert(b->writable ? ret <= 0 : ret == -EACCES);
    }
}

static void use_view(Pgdir *p)
{
    View *v = &p->views[fuzz_pick(&p->in, NR_VIEWS)];
    uint32_t what = fuzz_pick(&p->in, 4);
    Buffer *b;

    if (!v->view) {
        return;
    }
    b = owner(v);
    touch(v);
    if (what == 0) {
        g_assert(xen_pgdir_view_ref(v->view) == v->view);
        v->users++;
    } else if (what == 1) {
        if (b) {
            expect_data(p, b);
        }
        sync_and_flush(v, b);
        expect_nothing(p);
    } else if (what == 2 && b && b->writable) {
        v->data[v->length - 1] = fuzz_u8(&p->in);
    } else {
        xen_pgdir_view_unref(v->view);
        if (--v->users == 0) {
            v->view = NULL;
        }
    }
}

/* The same window in pieces, which have its bytes one after the other */
static void look_at_pieces(const Buffer *b, uint64_t offset, uint64_t length,
                           int32_t expected)
{
    XenPgdirView *views[NR_PIECES];
    struct iovec iov[NR_PIECES];
    uint32_t count = 0, i;
    uint64_t sum = 0;
    int32_t ret = xen_pgdir_buffer_view_iov(b->buffer, offset, length, views,
                                            iov, NR_PIECES, &count);

    g_assert(expected ? ret == expected : ret <= 0);
    for (i = 0; ret == 0 && i < count; i++) {
        g_assert_cmpuint(xen_pgdir_view_offset(views[i]), ==,
                         (offset + sum) / PAGE * PAGE);
        g_assert((uint8_t *)iov[i].iov_base ==
                 (uint8_t *)xen_pgdir_view_data(views[i]) +
                 (offset + sum) % PAGE);
        g_assert(xen_pgdir_view_buffer(views[i]) == b->buffer);
        fuzz_touch(iov[i].iov_base, iov[i].iov_len);
        sum += iov[i].iov_len;
        xen_pgdir_view_unref(views[i]);
    }
    g_assert(ret || sum == length);
}

static void copy(Pgdir *p, bool write)
{
    Buffer *b = take_buffer(p);
    g_autofree uint8_t *bytes = NULL;
    uint64_t offset, length;
    int32_t ret, expected;

    if (!b) {
        return;
    }
    take_window(p, b, &offset, &length);
    expected = expect_window(b, offset, length);
    if (expected == 0) {
        length = MIN(length, MAX_BYTES);
    }
    bytes = g_malloc0(expected ? 1 : length);
    fuzz_bytes(&p->in, bytes, expected ? 0 : MIN(length, 3));
    expect_data(p, b);
    if (write) {
        expected = expected || b->writable ? expected : -EACCES;
        ret = xen_pgdir_buffer_write(b->buffer, offset, bytes, length);
    } else {
        look_at_pieces(b, offset, length, expected);
        ret = xen_pgdir_buffer_read(b->buffer, offset, bytes, length);
    }
    expect_nothing(p);
    g_assert(expected ? ret == expected : ret <= 0);
    if (ret == 0 && b->shared) {
        g_assert(memcmp(b->shared + offset, bytes, length) == 0);
    }
}

/* --------------------------------------------------------------- its end */

/* The guest has its pages back; views have copies, or what is the host's */
static void end_buffer(Pgdir *p, Buffer *b, uint64_t lost)
{
    XenPgdirStats stats;
    unsigned int i;

    g_assert_cmpuint(fuzz_host_tagged(p->host, b->tag), ==, 0);
    xen_pgdir_mapper_stats(p->host->mapper, &stats, sizeof(stats));
    for (i = 0; i < NR_VIEWS; i++) {
        View *v = &p->views[i];

        if (v->view && v->buffer == b && v->tag == b->tag) {
            g_assert(b->revoked ||
                     xen_pgdir_view_is_copy(v->view) == !b->shared);
            g_assert(b->revoked || !xen_pgdir_view_is_lost(v->view) ||
                     stats.lost != lost);
            v->lost |= xen_pgdir_view_is_lost(v->view);
            touch(v);
        }
    }
    g_clear_pointer(&b->refs, g_free);
    b->shared = NULL;
    b->revoked = true;
}

static void note_retired(void *opaque, int32_t status)
{
    int32_t *to = opaque;

    g_assert_cmpint(*to, ==, 1);
    *to = status;
}

/* Which is a revocation in two steps, or in one if there is no view */
static void retire_and_expire(Pgdir *p, Buffer *b)
{
    int32_t status = 1;
    int32_t ret = xen_pgdir_buffer_retire(b->buffer, 5, note_retired, &status);

    g_assert_cmpint(ret, ==, b->revoked ? -ESTALE : 0);
    if (status == 1 && ret == 0) {
        g_assert_cmpuint(xen_pgdir_buffer_state(b->buffer), ==,
                         XEN_PGDIR_STATE_RETIRING);
        g_assert_cmpuint(xen_pgdir_mapper_expire(p->host->mapper, 4), ==, 5);
        xen_pgdir_mapper_expire(p->host->mapper, 5);
        g_assert_cmpint(status, ==, -ETIMEDOUT);
    }
    g_assert_cmpuint(xen_pgdir_buffer_state(b->buffer), ==,
                     XEN_PGDIR_STATE_REVOKED);
}

static void leave_buffer(Pgdir *p, Buffer *b, bool revoke)
{
    XenPgdirStats stats;

    xen_pgdir_mapper_stats(p->host->mapper, &stats, sizeof(stats));
    expect_data(p, b);
    if (revoke && b->tag % 2) {
        retire_and_expire(p, b);
    } else if (revoke) {
        xen_pgdir_buffer_revoke(b->buffer);
    } else {
        xen_pgdir_buffer_unref(b->buffer);
        b->users--;
    }
    expect_nothing(p);
    if (revoke || b->users == 0) {
        end_buffer(p, b, stats.lost);
    }
    if (b->users == 0) {
        b->buffer = NULL;
    }
}

static void use_buffer(Pgdir *p)
{
    uint32_t what = fuzz_pick(&p->in, 4);
    Buffer *b = take_buffer(p);

    if (!b) {
        return;
    }
    if (what == 0) {
        g_assert(xen_pgdir_buffer_ref(b->buffer) == b->buffer);
        b->users++;
    } else {
        leave_buffer(p, b, what == 1);
    }
}

static void step(Pgdir *p)
{
    switch (fuzz_pick(&p->in, 12)) {
    case 0:
    case 1:
        new_buffer(p);
        break;
    case 2:
        new_shared(p);
        break;
    case 3:
    case 4:
        new_view(p);
        break;
    case 5:
        use_view(p);
        break;
    case 6:
        copy(p, false);
        break;
    case 7:
        copy(p, true);
        break;
    case 8:
        use_buffer(p);
        break;
    case 9:
        fuzz_guest_directory(p->guest);
        break;
    case 10:
        fuzz_guest_write(p->guest);
        break;
    default:
        xen_pgdir_mapper_trim(p->host->mapper);
        break;
    }
    fuzz_host_check(p->host);
    fuzz_guest_check(p->guest);
}

static void end(Pgdir *p, bool views_first)
{
    unsigned int i;

    for (i = 0; i < NR_VIEWS && views_first; i++) {
        while (p->views[i].view) {
            xen_pgdir_view_unref(p->views[i].view);
            p->views[i].view = --p->views[i].users ? p->views[i].view : NULL;
        }
    }
    for (i = 0; i < NR_BUFFERS; i++) {
        while (p->buffers[i].buffer) {
            leave_buffer(p, &p->buffers[i], false);
        }
    }
    if (!views_first) {
        end(p, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Pgdir p = { .in = { .data = data, .size = size } };

    p.refs = g_array_new(false, false, sizeof(uint32_t));
    p.guest = fuzz_guest_new(&p.in);
    p.host = fuzz_host_new(p.guest);
    p.host->opaque = &p;
    while (p.in.size) {
        step(&p);
    }
    end(&p, false);
    fuzz_host_free(p.host);
    fuzz_guest_free(p.guest);
    g_array_free(p.refs, true);
    return 0;
}
