/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dma-bufs of a fake machine
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>

#include "fake-dmabuf.h"

/*
 * What a dma-buf of memory, and an import, has in the place of gntdev's slots.
 * The rest of an export is a file of gntdev whose grants are mapped.
 *
 * @source: of an import: the dma-buf
 * @numbers: frames; of an import: references
 */
typedef struct Pages {
    uint32_t count;
    uint32_t source;
    uint32_t numbers[];
} Pages;

static Pages *pages_of(const XenFakeMachine *fake, uint32_t file)
{
    return (Pages *)xen_fake_gntdev((XenFakeMachine *)fake, file);
}

static bool has_room(const XenFakeMachine *fake, uint32_t count)
{
    return count <= (fake->header->file_size - sizeof(Pages)) /
                    sizeof(uint32_t);
}

/* Its place has to be zeroed for whoever comes next */
static void clear_pages(XenFakeMachine *fake, uint32_t file)
{
    Pages *pages = pages_of(fake, file);

    memset(pages, 0, sizeof(*pages) + pages->count * sizeof(uint32_t));
}

static void set_origin(XenFakeMachine *fake, uint32_t file, uint32_t gntdev,
                       uint32_t number)
{
    XenFakeFile *files = fake->header->files;
    uint64_t last = 0;
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        last = MAX(last, files[i].serial);
    }
    files[file].gntdev = gntdev;
    files[file].number = number;
    files[file].serial = last + 1;
}

uint64_t xen_fake_dmabuf_serial(const XenFakeMachine *fake, uint32_t file)
{
    const XenFakeFile *f = &fake->header->files[file];

    return f->kind == XEN_FAKE_EXPORT || f->kind == XEN_FAKE_MEMORY ?
           f->serial : 0;
}

/* Returns: the last export or import that had this descriptor, or -ENOENT */
static int find(const XenFakeMachine *fake, XenFakeKind kind, uint32_t gntdev,
                uint32_t number)
{
    const XenFakeFile *files = fake->header->files;
    int found = -ENOENT;
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        if (files[i].kind == kind && files[i].gntdev == gntdev &&
            files[i].number == number &&
            (found < 0 || files[i].serial > files[found].serial)) {
            found = i;
        }
    }
    return found;
}

/* Memory */

static void free_memory(XenFakeMachine *fake, uint32_t file)
{
    domid_t domid = fake->header->domains[fake->header->files[file].domain]
                    .domid;
    Pages *pages = pages_of(fake, file);

    xen_machine_decrease_reservation(&fake->machine, domid, pages->numbers,
                                     pages->count);
    clear_pages(fake, file);
}

int xen_fake_dmabuf_new(XenFakeMachine *fake, domid_t domid, uint32_t pages)
{
    int domain = xen_fake_domain(fake, domid);
    XenGntHost host;
    Pages *made;
    uint32_t i;
    int fd;

    if (domain < 0 || !has_room(fake, pages)) {
        return domain < 0 ? domain : -ENOMEM;
    }
    fd = xen_fake_open_locked(fake, XEN_FAKE_MEMORY, domain, 0);
    if (fd < 0) {
        return fd;
    }
    host = xen_fake_host(fake, domain);
    set_origin(fake, xen_fake_file(fake, fd), XEN_FAKE_FILES, fd);
    made = pages_of(fake, xen_fake_file(fake, fd));
    made->count = xen_machine_increase_reservation(&fake->machine, domid,
                                                   made->numbers, pages);
    if (made->count < pages) {
        /* Closed as any other */
        close(fd);
        return -ENOMEM;
    }
    for (i = 0; i < pages; i++) {
        memset(xen_gnt_page(&host, made->numbers[i]), 0,
               XEN_MACHINE_PAGE_SIZE);
    }
    return fd;
}

int xen_fake_dmabuf_mmap(const XenFakeMachine *fake, uint32_t file,
                         uint64_t index, uint32_t count, uint32_t *frames)
{
    const Pages *pages = pages_of(fake, file);

    index >>= XEN_MACHINE_PAGE_SHIFT;
    if (fake->header->files[file].kind != XEN_FAKE_MEMORY ||
        index > pages->count || count > pages->count - index) {
        return -EINVAL;
    }
    memcpy(frames, pages->numbers + index, count * sizeof(frames[0]));
    return 0;
}

/* Exports */

/* Returns: 0, or -EINVAL, and then nothing is mapped */
static int map_grants(XenFakeMachine *fake, uint32_t file, domid_t domid,
                      uint32_t count, const uint32_t *refs)
{
    XenGntHost host = xen_fake_host(fake, fake->header->files[file].domain);
    XenGntdevFile *gntdev = xen_fake_gntdev(fake, file);
    g_autofree XenGntdevRef *grants = g_new(XenGntdevRef, count);
    g_autofree uint32_t *frames = g_new(uint32_t, count);
    uint64_t index;
    uint32_t i;
    int ret;

    for (i = 0; i < count; i++) {
        grants[i] = (XenGntdevRef) { .domid = domid, .ref = refs[i] };
    }
    ret = xen_gntdev_map(gntdev, count, grants, &index);
    /* No process has them: they are not unmapped with one */
    return ret < 0 ? ret : xen_gntdev_mmap(gntdev, &host, index, count, true,
                                           true, XEN_FAKE_PROCESSES, frames);
}

int xen_fake_dmabuf_export(XenFakeMachine *fake, uint32_t file, domid_t domid,
                           uint32_t count, const uint32_t *refs)
{
    int fd = xen_fake_open_locked(fake, XEN_FAKE_EXPORT,
                                  fake->header->files[file].domain, O_CLOEXEC);
    int number, ret;

    if (fd < 0) {
        return fd;
    }
    number = xen_fake_file(fake, fd);
    set_origin(fake, number, file, fd);
    ret = map_grants(fake, number, domid, count, refs);
    if (ret < 0) {
        close(fd);
        return ret;
    }
    return fd;
}

int xen_fake_dmabuf_wait_released(const XenFakeMachine *fake, uint32_t file,
                                  uint32_t number)
{
    int found = find(fake, XEN_FAKE_EXPORT, file, number);

    return found < 0 ? found : -ETIMEDOUT;
}

int xen_fake_dmabuf_frames(const XenFakeMachine *fake, int fd,
                           uint32_t *frames, uint32_t max)
{
    int file = xen_fake_file((XenFakeMachine *)fake, fd);
    uint32_t count;

    if (file < 0) {
        return -EINVAL;
    }
    switch (fake->header->files[file].kind) {
    case XEN_FAKE_EXPORT:
        return xen_gntdev_frames(xen_fake_gntdev((XenFakeMachine *)fake, file),
                                 frames, max);
    case XEN_FAKE_MEMORY:
        count = MIN(max, pages_of(fake, file)->count);
        memcpy(frames, pages_of(fake, file)->numbers,
               count * sizeof(frames[0]));
        return count;
    default:
        return -EINVAL;
    }
}

/* Imports */

static void end_import(XenFakeMachine *fake, uint32_t file)
{
    XenFakeFile *import = &fake->header->files[file];
    XenGntHost host = xen_fake_host(fake, import->domain);
    Pages *pages = pages_of(fake, file);
    uint32_t i;

    for (i = 0; i < pages->count; i++) {
        xen_gntalloc_end_grant(xen_fake_gntalloc(fake, import->domain), &host,
                               pages->numbers[i]);
    }
    clear_pages(fake, file);
    import->kind = XEN_FAKE_NONE;
}

int xen_fake_dmabuf_import(XenFakeMachine *fake, uint32_t file, domid_t domid,
                           int fd, uint32_t count, uint32_t *refs)
{
    XenFakeFile *files = fake->header->files;
    XenGntHost host = xen_fake_host(fake, files[file].domain);
    XenGntalloc *alloc = xen_fake_gntalloc(fake, files[file].domain);
    int source = xen_fake_file(fake, fd);
    int number = xen_fake_find_free(fake);
    Pages *from, *to;

    if (source < 0 || files[source].kind != XEN_FAKE_MEMORY ||
        pages_of(fake, source)->count != count) {
        return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EINVAL;
    }
    if (number < 0) {
        return number;
    }
    files[number] = (XenFakeFile) {
        .kind = XEN_FAKE_IMPORT,
        .domain = files[file].domain,
    };
    set_origin(fake, number, file, fd);
    from = pages_of(fake, source);
    to = pages_of(fake, number);
    to->source = source;
    xen_gntalloc_collect(alloc, &host);
    while (to->count < count) {
        uint32_t ref = xen_gntalloc_grant(alloc, &host, domid,
                                          from->numbers[to->count]);

        if (!ref) {
            end_import(fake, number);
            return -ENOSPC;
        }
        to->numbers[to->count++] = ref;
    }
    memcpy(refs, to->numbers, count * sizeof(refs[0]));
    return 0;
}

int xen_fake_dmabuf_release(XenFakeMachine *fake, uint32_t file,
                            uint32_t number)
{
    int found = find(fake, XEN_FAKE_IMPORT, file, number);

    if (found < 0) {
        return found;
    }
    end_import(fake, found);
    return 0;
}

/* Ends */

void xen_fake_dmabuf_gntdev_went(XenFakeMachine *fake, uint32_t file)
{
    XenFakeFile *files = fake->header->files;
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        if (files[i].gntdev != file) {
            continue;
        }
        if (files[i].kind == XEN_FAKE_IMPORT) {
            end_import(fake, i);
        } else if (files[i].kind == XEN_FAKE_EXPORT) {
            files[i].gntdev = XEN_FAKE_FILES;
        }
    }
}

static bool is_imported(const XenFakeMachine *fake, uint32_t file)
{
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        if (fake->header->files[i].kind == XEN_FAKE_IMPORT &&
            pages_of(fake, i)->source == file) {
            return true;
        }
    }
    return false;
}

bool xen_fake_dmabuf_went(XenFakeMachine *fake, uint32_t file)
{
    XenFakeFile *dmabuf = &fake->header->files[file];
    XenGntHost host = xen_fake_host(fake, dmabuf->domain);

    if (dmabuf->kind == XEN_FAKE_EXPORT) {
        xen_gntdev_release(xen_fake_gntdev(fake, file), &host);
        return true;
    }
    if (dmabuf->kind == XEN_FAKE_IMPORT || is_imported(fake, file)) {
        return false;
    }
    free_memory(fake, file);
    return true;
}
