/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the grant allocation device, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "gntalloc.h"
#include "grant-refs.h"

/* The first references are reserved in a real domain, too */
#define FIRST_REF   8u

/*
 * A page; those that are not in use are all zero but for @next
 *
 * @next, @prev: of its file's, in the order of offsets; or the next free one;
 *     one more than the number, 0 is none
 * @held: the file has not given it back
 * @users: mappings, and one if it is held
 * @maps: mappings of each owner
 * @clear: the byte to clear
 */
typedef struct Page {
    uint64_t index;
    uint32_t next;
    uint32_t prev;
    uint32_t frame;
    uint32_t ref;
    uint32_t held;
    uint32_t users;
    uint32_t action;
    uint32_t port;
    uint32_t clear;
    uint8_t maps[XEN_GNTALLOC_OWNERS];
} Page;

typedef struct File {
    uint64_t next_index;
    uint32_t head;
    uint32_t tail;
} File;

/*
 * @free: pages that were used before; from @fresh on they never were
 * @nr_pages: those that are in use
 * @pages: as many as there are references, which follow them
 */
struct XenGntalloc {
    XenGntallocConfig config;
    uint32_t free;
    uint32_t fresh;
    uint32_t nr_pages;
    File files[XEN_GNTALLOC_FILES];
    Page pages[];
};

/* What it is made of */

size_t xen_gntalloc_size(const XenGntallocConfig *config)
{
    return sizeof(XenGntalloc) +
           (size_t)config->nr_entries * sizeof(Page) +
           xen_grant_refs_size(config->nr_entries);
}

static XenGrantRefs *refs_of(XenGntalloc *alloc)
{
    return (XenGrantRefs *)(alloc->pages + alloc->config.nr_entries);
}

static grant_entry_v1_t *table_of(const XenGntHost *host)
{
    return xen_machine_table(host->machine, host->domid, NULL);
}

void xen_gntalloc_init(XenGntalloc *alloc, const XenGntallocConfig *config)
{
    alloc->config = *config;
    xen_grant_refs_init(refs_of(alloc), config->nr_entries, FIRST_REF);
}

void xen_gntalloc_set_limit(XenGntalloc *alloc, uint32_t limit)
{
    alloc->config.limit = limit;
}

void xen_gntalloc_collect(XenGntalloc *alloc, const XenGntHost *host)
{
    xen_grant_refs_collect(refs_of(alloc), table_of(host));
}

/* Pages */

/* Nobody here has the page any more */
static void end_page(XenGntalloc *alloc, const XenGntHost *host, File *file,
                     Page *page)
{
    *(page->prev ? &alloc->pages[page->prev - 1].next : &file->head) =
        page->next;
    *(page->next ? &alloc->pages[page->next - 1].prev : &file->tail) =
        page->prev;
    if (page->action & XEN_GNT_CLEAR_BYTE) {
        xen_gnt_page(host, page->frame)[page->clear] = 0;
    }
    if (page->action & XEN_GNT_SEND_EVENT) {
        host->event_put(host->opaque, page->port, true);
    }
    /* A peer that has it mapped still keeps the reference, and the frame */
    xen_grant_refs_end(refs_of(alloc), table_of(host), page->ref);
    xen_machine_decrease_reservation(host->machine, host->domid, &page->frame,
                                     1);
    alloc->nr_pages--;
    *page = (Page) { .next = alloc->free };
    alloc->free = page - alloc->pages + 1;
}

static void put_page(XenGntalloc *alloc, const XenGntHost *host, File *file,
                     Page *page, uint32_t users)
{
    page->users -= users;
    if (!page->users) {
        end_page(alloc, host, file, page);
    }
}

static uint32_t take_page(XenGntalloc *alloc)
{
    uint32_t number = alloc->free ? alloc->free - 1 : alloc->fresh++;

    if (alloc->free) {
        alloc->free = alloc->pages[number].next;
    }
    alloc->nr_pages++;
    return number;
}

static int new_page(XenGntalloc *alloc, const XenGntHost *host, File *file,
                    domid_t domid, bool writable, uint32_t *ref)
{
    uint32_t number, frame;

    *ref = xen_grant_refs_take(refs_of(alloc));
    if (!*ref) {
        return -ENOSPC;
    }
    if (!xen_machine_increase_reservation(host->machine, host->domid, &frame,
                                          1)) {
        xen_grant_refs_put(refs_of(alloc), *ref);
        return -ENOMEM;
    }
    memset(xen_gnt_page(host, frame), 0, XEN_MACHINE_PAGE_SIZE);
    xen_grant_access(&table_of(host)[*ref], domid, frame, !writable);

    /* There is one for each reference */
    number = take_page(alloc);
    alloc->pages[number] = (Page) {
        .index = file->next_index++,
        .prev = file->tail,
        .frame = frame,
        .ref = *ref,
        .held = true,
        .users = 1,
    };
    *(file->tail ? &alloc->pages[file->tail - 1].next : &file->head) =
        number + 1;
    file->tail = number + 1;
    return 0;
}

static Page *next_page(XenGntalloc *alloc, const Page *page)
{
    return page && page->next ? &alloc->pages[page->next - 1] : NULL;
}

/*
 * Returns: the first of these pages, if the file has them all (@held: and has
 * given none of them back), or NULL
 */
static Page *find_pages(XenGntalloc *alloc, uint32_t file, uint64_t index,
                        uint32_t count, bool held)
{
    File *f = &alloc->files[file];
    Page *page = f->head ? &alloc->pages[f->head - 1] : NULL;
    Page *first;
    uint32_t i;

    index >>= XEN_MACHINE_PAGE_SHIFT;
    while (page && page->index < index) {
        page = next_page(alloc, page);
    }
    first = page;
    for (i = 0; i < count; i++) {
        if (!page || page->index != index + i || (held && !page->held)) {
            return NULL;
        }
        page = next_page(alloc, page);
    }
    return count ? first : NULL;
}

static void give_back(XenGntalloc *alloc, const XenGntHost *host, File *file,
                      Page *page)
{
    if (page->held) {
        page->held = false;
        put_page(alloc, host, file, page, 1);
    }
}

int xen_gntalloc_alloc(XenGntalloc *alloc, const XenGntHost *host,
                       uint32_t file, domid_t domid, bool writable,
                       uint32_t count, uint64_t *index, uint32_t *refs)
{
    File *f = &alloc->files[file];
    uint64_t first = f->next_index;
    uint32_t i;
    int ret;

    xen_gntalloc_collect(alloc, host);
    if ((uint64_t)alloc->nr_pages + count > alloc->config.limit) {
        return -ENOSPC;
    }
    *index = first << XEN_MACHINE_PAGE_SHIFT;
    for (i = 0; i < count; i++) {
        ret = new_page(alloc, host, f, domid, writable, &refs[i]);
        if (ret < 0) {
            xen_gntalloc_dealloc(alloc, host, file, *index, i);
            f->next_index = first + count;
            return ret;
        }
    }
    return 0;
}

uint32_t xen_gntalloc_grant(XenGntalloc *alloc, const XenGntHost *host,
                            domid_t domid, uint32_t frame)
{
    uint32_t ref = xen_grant_refs_take(refs_of(alloc));

    if (ref) {
        xen_grant_access(&table_of(host)[ref], domid, frame, false);
    }
    return ref;
}

void xen_gntalloc_end_grant(XenGntalloc *alloc, const XenGntHost *host,
                            uint32_t ref)
{
    xen_grant_refs_end(refs_of(alloc), table_of(host), ref);
}

int xen_gntalloc_dealloc(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint64_t index, uint32_t count)
{
    Page *page = find_pages(alloc, file, index, count, true);
    uint32_t i;

    if (!page) {
        return -EINVAL;
    }
    for (i = 0; i < count; i++) {
        Page *next = next_page(alloc, page);

        give_back(alloc, host, &alloc->files[file], page);
        page = next;
    }
    return 0;
}

int xen_gntalloc_mmap(XenGntalloc *alloc, uint32_t file, uint64_t index,
                      uint32_t count, bool shared, uint32_t owner,
                      uint32_t *frames)
{
    Page *page = find_pages(alloc, file, index, count, true);
    Page *p;
    uint32_t i;

    if (!shared) {
        return -EINVAL;
    }
    if (!page) {
        return -ENOENT;
    }
    for (i = 0, p = page; i < count; i++, p = next_page(alloc, p)) {
        if (p->maps[owner] == UINT8_MAX) {
            return -ENOMEM;
        }
    }
    for (i = 0, p = page; i < count; i++, p = next_page(alloc, p)) {
        p->users++;
        p->maps[owner]++;
        frames[i] = p->frame;
    }
    return 0;
}

void xen_gntalloc_munmap(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint64_t index, uint32_t count,
                         uint32_t owner)
{
    Page *page = find_pages(alloc, file, index, count, false);
    uint32_t i;

    for (i = 0; page && i < count; i++) {
        Page *next = next_page(alloc, page);

        if (page->maps[owner]) {
            page->maps[owner]--;
            put_page(alloc, host, &alloc->files[file], page, 1);
        }
        page = next;
    }
}

static Page *first_page(XenGntalloc *alloc, uint32_t file)
{
    uint32_t head = alloc->files[file].head;

    return head ? &alloc->pages[head - 1] : NULL;
}

void xen_gntalloc_forget(XenGntalloc *alloc, const XenGntHost *host,
                         uint32_t file, uint32_t owner)
{
    Page *page = first_page(alloc, file);

    while (page) {
        Page *next = next_page(alloc, page);
        uint32_t maps = page->maps[owner];

        if (maps) {
            page->maps[owner] = 0;
            put_page(alloc, host, &alloc->files[file], page, maps);
        }
        page = next;
    }
}

int xen_gntalloc_set_notify(XenGntalloc *alloc, const XenGntHost *host,
                            uint32_t file, uint64_t index, uint32_t action,
                            uint32_t port)
{
    Page *page = find_pages(alloc, file, index, 1, true);

    if (!page) {
        return -ENOENT;
    }
    if ((action & ~(XEN_GNT_CLEAR_BYTE | XEN_GNT_SEND_EVENT)) ||
        ((action & XEN_GNT_SEND_EVENT) &&
         host->event_get(host->opaque, port) < 0)) {
        return -EINVAL;
    }
    /* Only now, for it may be the same port */
    if (page->action & XEN_GNT_SEND_EVENT) {
        host->event_put(host->opaque, page->port, false);
    }
    page->action = action;
    page->port = port;
    page->clear = index % XEN_MACHINE_PAGE_SIZE;
    return 0;
}

void xen_gntalloc_release(XenGntalloc *alloc, const XenGntHost *host,
                          uint32_t file)
{
    Page *page = first_page(alloc, file);

    while (page) {
        Page *next = next_page(alloc, page);

        page->held = false;
        put_page(alloc, host, &alloc->files[file], page, page->users);
        page = next;
    }
    alloc->files[file].next_index = 0;
}

void xen_gntalloc_stats(const XenGntalloc *alloc, XenGntallocStats *stats)
{
    const XenGrantRefs *refs = refs_of((XenGntalloc *)alloc);

    *stats = (XenGntallocStats) {
        .pages = alloc->nr_pages,
        .lingering = xen_grant_refs_count_deferred(refs),
    };
}
