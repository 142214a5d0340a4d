/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxen-fake-grants.so: /dev/xen/gntdev and /dev/xen/gntalloc on a machine
 * without Xen, for programs that know nothing of it.
 *
 *   XEN_FAKE_MACHINE=FILE LD_PRELOAD=libxen-fake-grants.so PROGRAM
 *
 * All programs that name the same FILE are on the same machine; the first
 * makes it.  They may unmodified use libxengnttab, or the devices themselves.
 *
 *   XEN_FAKE_MACHINE   the file (see fake-machine.h).  Without it, and with it
 *                      for all other paths, everything is as it was.
 *   XEN_FAKE_DOMID     the domain that the process runs in: 0 unless set.  It
 *                      is looked at when a device is opened, so a process can
 *                      be several domains by changing it in between.
 *   XEN_FAKE_CONFIG    sizes of the machine for who makes it: "NAME=N" words,
 *                      separated by commas.  NAME is "pages" (frames of all
 *                      domains; 65536), "grant-frames" (pages of each domain's
 *                      grant table; 64), "maptrack" (mappings that a domain
 *                      can have; 262144), "gntdev-limit" (grants of a request;
 *                      65536), "gntdev-slots" (grants of all requests of a
 *                      file, more are ENOMEM as in Linux before 5.5; 524288),
 *                      "gntalloc-limit" (pages of a domain's gntalloc; 1024) or
 *                      "dmabuf" (what gntdev can do with dma-bufs: 0, nothing,
 *                      as Debian builds it; 1, all; 2, import, as in a PV
 *                      domain; 0).
 *
 * What differs from the real devices, for what the library sees is not the
 * kernel's: a file descriptor looks like a file; pages are not inherited by
 * fork(), those of gntalloc neither; what a process that died had mapped is
 * unmapped when the next one uses the machine; mappings cannot be moved by
 * mremap(); and DMABUF_EXP_WAIT_RELEASED looks, but does not wait, and is told
 * in the same way that a descriptor was closed.  A program that was built with
 * AddressSanitizer wants its library first in LD_PRELOAD.
 *
 * Here is what intercepts the calls, and keeps what is mapped where.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

/* Or the C library's headers would make open64() of open() */
#undef _FILE_OFFSET_BITS

#include "qemu/osdep.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fake-dmabuf.h"
#include "fake-ioctl.h"

#define EXPORT  __attribute__((visibility("default")))

/* What is called in place of what */
static struct {
    int (*open)(const char *path, int flags, ...);
    int (*openat)(int dir, const char *path, int flags, ...);
    int (*ioctl)(int fd, unsigned long request, ...);
    int (*fstat)(int fd, struct stat *st);
    void *(*mmap)(void *addr, size_t len, int prot, int flags, int fd,
                  off_t offset);
    int (*munmap)(void *addr, size_t len);
    void *(*mremap)(void *old, size_t old_len, size_t len, int flags, ...);
} real;

/* One for all; the machine's own is taken inside */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* We are here: what we call ourselves is not for us */
static __thread bool inside;

static GPtrArray *machines;

/* Mapped pages: @index is the offset that belongs to @start */
typedef struct Vma {
    uintptr_t start;
    uintptr_t end;
    XenFakeMachine *fake;
    uint32_t file;
    uint64_t index;
} Vma;

static GTree *vmas;
static unsigned int nr_vmas;

/* Ranges do not overlap, so that an overlap is what is looked for */
static gint compare_vmas(gconstpointer a, gconstpointer b, gpointer opaque)
{
    const Vma *left = a;
    const Vma *right = b;

    return left->end <= right->start ? -1 : left->start >= right->end;
}

static GTree *new_vmas(void)
{
    return g_tree_new_full(compare_vmas, NULL, g_free, NULL);
}

/* Others' constructors may come before any of ours */
static void resolve(void)
{
    if (!real.mremap) {
        real.open = dlsym(RTLD_NEXT, "open");
        real.openat = dlsym(RTLD_NEXT, "openat");
        real.ioctl = dlsym(RTLD_NEXT, "ioctl");
        real.fstat = dlsym(RTLD_NEXT, "fstat");
        real.mmap = dlsym(RTLD_NEXT, "mmap");
        real.munmap = dlsym(RTLD_NEXT, "munmap");
        real.mremap = dlsym(RTLD_NEXT, "mremap");
    }
}

static void enter(void)
{
    pthread_mutex_lock(&mutex);
    inside = true;
    if (!vmas) {
        vmas = new_vmas();
        machines = g_ptr_array_new();
    }
}

static void leave(void)
{
    inside = false;
    pthread_mutex_unlock(&mutex);
}

static void add_vma(const Vma *vma)
{
    Vma *copy = g_memdup2(vma, sizeof(*vma));

    g_tree_insert(vmas, copy, copy);
    __atomic_store_n(&nr_vmas, g_tree_nnodes(vmas), __ATOMIC_RELEASE);
}

static void remove_vma(Vma *vma)
{
    g_tree_remove(vmas, vma);
    __atomic_store_n(&nr_vmas, g_tree_nnodes(vmas), __ATOMIC_RELEASE);
}

static const Vma *find_vma(uintptr_t start, uintptr_t end)
{
    Vma key = { .start = start, .end = end };

    return g_tree_lookup(vmas, &key);
}

static uint64_t index_at(const Vma *vma, uintptr_t addr)
{
    return vma->index + (addr - vma->start);
}

/* Pages went, by munmap() or because something else is there now */
static void pages_went(const Vma *vma, uintptr_t start, uintptr_t end)
{
    uint32_t count = (end - start) >> XEN_MACHINE_PAGE_SHIFT;

    if (xen_fake_lock(vma->fake) == 0) {
        xen_fake_munmap(vma->fake, vma->file, index_at(vma, start), count);
        xen_fake_unlock(vma->fake);
    }
}

static void range_went(uintptr_t start, uintptr_t end)
{
    const Vma *found;

    while ((found = find_vma(start, end))) {
        Vma vma = *found;
        uintptr_t from = MAX(start, vma.start);
        uintptr_t to = MIN(end, vma.end);

        remove_vma((Vma *)found);
        if (vma.start < from) {
            Vma before = vma;

            before.end = from;
            add_vma(&before);
        }
        if (to < vma.end) {
            Vma after = vma;

            after.start = to;
            after.index = index_at(&vma, to);
            add_vma(&after);
        }
        pages_went(&vma, from, to);
    }
}

static uintptr_t range_end(const void *addr, size_t len)
{
    return ((uintptr_t)addr + len + XEN_MACHINE_PAGE_SIZE - 1) &
           -(uintptr_t)XEN_MACHINE_PAGE_SIZE;
}

/* Machines */

static XenFakeMachine *machine_of_fd(int fd, int *file)
{
    guint i;

    for (i = 0; i < machines->len; i++) {
        XenFakeMachine *fake = g_ptr_array_index(machines, i);

        *file = xen_fake_file(fake, fd);
        if (*file >= 0) {
            return fake;
        }
    }
    return NULL;
}

static int get_machine(const char *path, XenFakeMachine **fake)
{
    struct stat st;
    guint i;
    int ret;

    for (i = 0; i < machines->len; i++) {
        *fake = g_ptr_array_index(machines, i);
        if (stat(path, &st) == 0 && st.st_dev == (*fake)->dev &&
            st.st_ino == (*fake)->ino) {
            return 0;
        }
    }
    ret = xen_fake_attach(path, getenv("XEN_FAKE_CONFIG"), fake);
    if (ret < 0) {
        fprintf(stderr, "libxen-fake-grants: XEN_FAKE_MACHINE=%s: %s\n", path,
                strerror(-ret));
        return ret;
    }
    g_ptr_array_add(machines, *fake);
    return 0;
}

/* Whether a descriptor may be a device of some machine: see fake-machine.h */
static bool may_be_device(int fd)
{
    int saved = errno;
    off_t position = fd < 0 ? -1 : lseek(fd, 0, SEEK_CUR);

    errno = saved;
    return position >= XEN_FAKE_POSITION &&
           position < XEN_FAKE_POSITION + XEN_FAKE_FILES;
}

/* The same, of a machine that this process knows, or gets to know */
static XenFakeMachine *find_device(int fd, int *file)
{
    XenFakeMachine *fake = machine_of_fd(fd, file);
    const char *path = getenv("XEN_FAKE_MACHINE");

    /* A descriptor that was inherited by exec() */
    if (!fake && path && get_machine(path, &fake) == 0) {
        *file = xen_fake_file(fake, fd);
    }
    return fake && *file >= 0 ? fake : NULL;
}

/* Calls: each returns the result, or a negative errno value */

static XenFakeKind kind_of(const char *path)
{
    if (!path || !getenv("XEN_FAKE_MACHINE")) {
        return XEN_FAKE_NONE;
    }
    return !strcmp(path, "/dev/xen/gntdev") ? XEN_FAKE_GNTDEV :
           !strcmp(path, "/dev/xen/gntalloc") ? XEN_FAKE_GNTALLOC :
           XEN_FAKE_NONE;
}

static int open_device(XenFakeKind kind, int flags)
{
    const char *text = getenv("XEN_FAKE_DOMID");
    guint64 domid = 0;
    XenFakeMachine *fake;
    int ret;

    if (text && !g_ascii_string_to_unsigned(text, 10, 0,
                                            DOMID_FIRST_RESERVED - 1, &domid,
                                            NULL)) {
        fprintf(stderr, "libxen-fake-grants: XEN_FAKE_DOMID=%s is no "
                "domain\n", text);
        return -EINVAL;
    }
    ret = get_machine(getenv("XEN_FAKE_MACHINE"), &fake);
    return ret < 0 ? ret : xen_fake_open(fake, kind, domid, flags);
}

static int ioctl_device(int fd, unsigned long request, void *arg)
{
    XenFakeMachine *fake;
    const Vma *vma = NULL;
    uint64_t addr;
    int file, ret;

    fake = find_device(fd, &file);
    if (!fake) {
        return -ENOTTY;
    }
    ret = xen_fake_lock(fake);
    if (ret < 0) {
        return ret;
    }
    if (xen_fake_ioctl_addr(request, arg, &addr)) {
        vma = find_vma(addr, addr + 1);
    }
    if (vma) {
        ret = xen_fake_get_offset(vma->fake, vma->file, index_at(vma, addr),
                                  arg);
    } else {
        ret = xen_fake_ioctl(fake, file, request, arg);
    }
    xen_fake_unlock(fake);
    return ret;
}

/* Put pages at an address where there is room for them */
static int put_frames(XenFakeMachine *fake, int fd, uint8_t *addr, int prot,
                      int flags, const uint32_t *frames, uint32_t count)
{
    uint32_t i, run;

    for (i = 0; i < count; i += run) {
        off_t offset = fake->header->memory_offset +
                       ((off_t)frames[i] << XEN_MACHINE_PAGE_SHIFT);

        run = 1;
        while (i + run < count && frames[i + run] == frames[i] + run) {
            run++;
        }
        if (real.mmap(addr + ((size_t)i << XEN_MACHINE_PAGE_SHIFT),
                      (size_t)run << XEN_MACHINE_PAGE_SHIFT, prot,
                      (flags & MAP_TYPE) | MAP_FIXED, fd, offset) ==
            MAP_FAILED) {
            return -errno;
        }
    }
    return 0;
}

static int map_pages(const Vma *vma, int fd, void **addr, size_t size,
                     int prot, int flags, const uint32_t *frames)
{
    int ret;

    *addr = real.mmap(*addr, size, PROT_NONE,
                      (flags & ~MAP_TYPE & ~MAP_POPULATE) | MAP_PRIVATE |
                      MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*addr == MAP_FAILED) {
        return -errno;
    }
    range_went((uintptr_t)*addr, (uintptr_t)*addr + size);
    ret = put_frames(vma->fake, fd, *addr, prot, flags, frames,
                     size >> XEN_MACHINE_PAGE_SHIFT);
    if (ret < 0) {
        real.munmap(*addr, size);
        return ret;
    }
    /* As the real device's flags: VM_DONTCOPY, VM_DONTDUMP */
    madvise(*addr, size, MADV_DONTFORK);
    madvise(*addr, size, MADV_DONTDUMP);
    return 0;
}

static int mmap_device(void **addr, size_t len, int prot, int flags, int fd,
                       off_t offset)
{
    size_t size = (len + XEN_MACHINE_PAGE_SIZE - 1) &
                  -(size_t)XEN_MACHINE_PAGE_SIZE;
    uint32_t count = size >> XEN_MACHINE_PAGE_SHIFT;
    bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    g_autofree uint32_t *frames = NULL;
    Vma vma = { .index = offset };
    int file, ret;

    vma.fake = find_device(fd, &file);
    if (!vma.fake) {
        return -ENODEV;
    }
    vma.file = file;
    if (!len || offset % XEN_MACHINE_PAGE_SIZE) {
        return -EINVAL;
    }
    if (!size || size >> XEN_MACHINE_PAGE_SHIFT >
                 vma.fake->header->config.pages) {
        return -ENOMEM;
    }
    frames = g_new(uint32_t, count);
    ret = xen_fake_lock(vma.fake);
    if (ret < 0) {
        return ret;
    }
    ret = xen_fake_mmap(vma.fake, file, offset, count, shared,
                        prot & PROT_WRITE, frames);
    xen_fake_unlock(vma.fake);
    if (ret < 0) {
        return ret;
    }

    ret = map_pages(&vma, fd, addr, size, prot, flags, frames);
    vma.start = (uintptr_t)*addr;
    vma.end = vma.start + size;
    if (ret < 0) {
        pages_went(&vma, 0, size);
        return ret;
    }
    add_vma(&vma);
    return 0;
}

/* The calls, as programs make them */

static int result(int ret)
{
    if (ret < 0) {
        errno = -ret;
        return -1;
    }
    return ret;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    XenFakeKind kind = inside ? XEN_FAKE_NONE : kind_of(path);
    int ret;

    resolve();
    if (kind == XEN_FAKE_NONE) {
        return real.open(path, flags, mode);
    }
    enter();
    ret = open_device(kind, flags);
    leave();
    return result(ret);
}

static int do_openat(int dir, const char *path, int flags, mode_t mode)
{
    resolve();
    return !inside && kind_of(path) != XEN_FAKE_NONE ?
           do_open(path, flags, mode) : real.openat(dir, path, flags, mode);
}

/* There is a third argument only if the file may be made */
static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list ap;
    int ret;

    va_start(ap, flags);
    ret = do_open(path, flags, mode_of(flags, ap));
    va_end(ap);
    return ret;
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    int ret;

    va_start(ap, flags);
    ret = do_openat(dir, path, flags, mode_of(flags, ap));
    va_end(ap);
    return ret;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    void *arg;
    int ret;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    resolve();
    if (inside || !may_be_device(fd)) {
        return real.ioctl(fd, request, arg);
    }
    enter();
    ret = ioctl_device(fd, request, arg);
    leave();
    return result(ret);
}

/*
 * Linux has an inode for each dma-buf.  Here it is the device that differs:
 * whoever is on a machine knows its files by their inode.
 */
EXPORT int fstat(int fd, struct stat *st)
{
    XenFakeMachine *fake;
    int file, ret;

    resolve();
    ret = real.fstat(fd, st);
    if (ret == 0 && !inside && may_be_device(fd)) {
        enter();
        fake = find_device(fd, &file);
        if (fake) {
            st->st_dev += xen_fake_dmabuf_serial(fake, file);
        }
        leave();
    }
    return ret;
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd,
                  off_t offset)
{
    bool device = !inside && !(flags & MAP_ANONYMOUS) && may_be_device(fd);
    int ret = 0;

    resolve();
    if (inside || (!device && (!(flags & MAP_FIXED) ||
                               !__atomic_load_n(&nr_vmas,
                                                __ATOMIC_ACQUIRE)))) {
        return real.mmap(addr, len, prot, flags, fd, offset);
    }
    enter();
    if (device) {
        ret = mmap_device(&addr, len, prot, flags, fd, offset);
    } else {
        addr = real.mmap(addr, len, prot, flags, fd, offset);
        ret = addr == MAP_FAILED ? -errno : 0;
        if (!ret) {
            range_went((uintptr_t)addr, range_end(addr, len));
        }
    }
    leave();
    return result(ret) < 0 ? MAP_FAILED : addr;
}

EXPORT int munmap(void *addr, size_t len)
{
    int ret;

    resolve();
    if (inside || !__atomic_load_n(&nr_vmas, __ATOMIC_ACQUIRE)) {
        return real.munmap(addr, len);
    }
    enter();
    ret = real.munmap(addr, len) < 0 ? -errno : 0;
    if (!ret) {
        range_went((uintptr_t)addr, range_end(addr, len));
    }
    leave();
    return result(ret);
}

static int do_mremap(void **addr, void *old, size_t old_len, size_t len,
                     int flags, void *fixed)
{
    if (old_len && find_vma((uintptr_t)old, range_end(old, old_len))) {
        return -EFAULT;
    }
    *addr = real.mremap(old, old_len, len, flags, fixed);
    if (*addr == MAP_FAILED) {
        return -errno;
    }
    if (flags & MREMAP_FIXED) {
        range_went((uintptr_t)*addr, range_end(*addr, len));
    }
    return 0;
}

EXPORT void *mremap(void *old, size_t old_len, size_t len, int flags, ...)
{
    void *fixed = NULL;
    void *addr;
    va_list ap;
    int ret;

    if (flags & MREMAP_FIXED) {
        va_start(ap, flags);
        fixed = va_arg(ap, void *);
        va_end(ap);
    }
    resolve();
    if (inside || !__atomic_load_n(&nr_vmas, __ATOMIC_ACQUIRE)) {
        return real.mremap(old, old_len, len, flags, fixed);
    }
    enter();
    ret = do_mremap(&addr, old, old_len, len, flags, fixed);
    leave();
    return result(ret) < 0 ? MAP_FAILED : addr;
}

/* Where off_t has 64 bits these are the same */
QEMU_BUILD_BUG_ON(sizeof(off_t) != 8);

EXPORT int open64(const char *path, int flags, ...)
    __attribute__((alias("open")));
EXPORT int openat64(int dir, const char *path, int flags, ...)
    __attribute__((alias("openat")));
EXPORT int fstat64(int fd, struct stat64 *st)
    __attribute__((alias("fstat")));
EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd,
                    off_t offset) __attribute__((alias("mmap")));

/* A child has the descriptors, but none of the pages: start anew */
static void forked(void)
{
    guint i;

    inside = true;
    g_clear_pointer(&vmas, g_tree_destroy);
    __atomic_store_n(&nr_vmas, 0, __ATOMIC_RELEASE);
    vmas = new_vmas();
    for (i = 0; i < machines->len; i++) {
        xen_fake_forked(g_ptr_array_index(machines, i));
    }
    leave();
}

static void __attribute__((constructor)) init(void)
{
    pthread_atfork(enter, leave, forked);
}
