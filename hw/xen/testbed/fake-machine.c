/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fake Xen machine in a file, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "fake-dmabuf.h"
#include "grant-table.h"

/* As Xen and Linux have them, but for the memory */
static const XenFakeConfig default_config = {
    .pages = 65536,
    .grant_frames = 64,
    .maptrack = 1024 * 256,
    .gntdev_limit = XEN_GNTDEV_LIMIT,
    .gntdev_slots = XEN_GNTDEV_SLOTS(1024 * 256),
    .gntalloc_limit = XEN_GNTALLOC_LIMIT,
};

static const struct {
    const char *name;
    size_t offset;
    uint32_t max;
} settings[] = {
    { "pages", offsetof(XenFakeConfig, pages), 1u << 24 },
    { "grant-frames", offsetof(XenFakeConfig, grant_frames), 2048 },
    { "maptrack", offsetof(XenFakeConfig, maptrack), 1u << 22 },
    { "gntdev-limit", offsetof(XenFakeConfig, gntdev_limit), UINT32_MAX },
    { "gntdev-slots", offsetof(XenFakeConfig, gntdev_slots), 1u << 23 },
    { "gntalloc-limit", offsetof(XenFakeConfig, gntalloc_limit), UINT32_MAX },
    { "dmabuf", offsetof(XenFakeConfig, dmabuf), 2 },
};

/* Sizes */

static uint32_t first_free_frame(const XenFakeConfig *config)
{
    return 1 + XEN_FAKE_DOMAINS * config->grant_frames;
}

static uint32_t nr_entries(const XenFakeConfig *config)
{
    return config->grant_frames * XEN_MACHINE_ENTRIES;
}

static XenMachineConfig machine_config(const XenFakeConfig *config)
{
    return (XenMachineConfig) {
        .nr_frames = config->pages,
        .nr_domains = XEN_FAKE_DOMAINS,
        .nr_entries = nr_entries(config),
        .nr_handles = config->maptrack,
    };
}

static XenGntdevConfig gntdev_config(const XenFakeConfig *config)
{
    return (XenGntdevConfig) {
        .slots = config->gntdev_slots,
        .limit = config->gntdev_limit,
    };
}

static XenGntallocConfig gntalloc_config(const XenFakeConfig *config)
{
    return (XenGntallocConfig) {
        .limit = config->gntalloc_limit,
        .nr_entries = nr_entries(config),
    };
}

static uint64_t whole_pages(uint64_t size)
{
    return (size + XEN_MACHINE_PAGE_SIZE - 1) & -(uint64_t)
           XEN_MACHINE_PAGE_SIZE;
}

/* Where everything is, in a file of these sizes */
static void lay_out(XenFakeHeader *layout, const XenFakeConfig *config)
{
    XenMachineConfig machine = machine_config(config);
    XenGntdevConfig gntdev = gntdev_config(config);
    XenGntallocConfig gntalloc = gntalloc_config(config);

    memset(layout, 0, sizeof(*layout));
    layout->config = *config;
    layout->state_size = whole_pages(xen_machine_size(&machine));
    layout->gntalloc_size = whole_pages(xen_gntalloc_size(&gntalloc));
    layout->file_size = whole_pages(xen_gntdev_file_size(&gntdev));

    layout->memory_offset = whole_pages(sizeof(*layout));
    layout->state_offset = layout->memory_offset +
        (uint64_t)config->pages * XEN_MACHINE_PAGE_SIZE;
    layout->gntalloc_offset = layout->state_offset + layout->state_size;
    layout->files_offset = layout->gntalloc_offset +
        XEN_FAKE_DOMAINS * layout->gntalloc_size;
    layout->size = layout->files_offset + XEN_FAKE_FILES * layout->file_size;
}

static int parse_setting(const char *word, XenFakeConfig *config)
{
    const char *value = strchr(word, '=');
    guint64 number;
    size_t i;

    for (i = 0; value && i < ARRAY_SIZE(settings); i++) {
        if (strlen(settings[i].name) == value - word &&
            !strncmp(word, settings[i].name, value - word)) {
            if (!g_ascii_string_to_unsigned(value + 1, 10, 0, settings[i].max,
                                            &number, NULL)) {
                return -EINVAL;
            }
            *(uint32_t *)((char *)config + settings[i].offset) = number;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_settings(const char *text, XenFakeConfig *config)
{
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);
    int i, ret = 0;

    *config = default_config;
    for (i = 0; words[i] && !ret; i++) {
        ret = parse_setting(words[i], config);
    }
    if (!ret && (!config->grant_frames || !config->maptrack ||
                 !config->gntdev_slots ||
                 first_free_frame(config) >= config->pages)) {
        ret = -EINVAL;
    }
    return ret;
}

/* Locks */

static int lock_byte(int fd, int command, int type, int64_t byte)
{
    struct flock lock = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = byte,
        .l_len = 1,
    };

    while (fcntl(fd, command, &lock) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return lock.l_type;
}

/* Whether anybody but @fd has it */
static bool is_locked(int fd, int64_t byte)
{
    return lock_byte(fd, F_OFD_GETLK, F_WRLCK, byte) != F_UNLCK;
}

/* What the dead have left */

static void release_file(XenFakeMachine *fake, uint32_t number)
{
    XenFakeFile *file = &fake->header->files[number];
    XenGntHost host = xen_fake_host(fake, file->domain);

    if (file->kind == XEN_FAKE_GNTDEV) {
        xen_fake_dmabuf_gntdev_went(fake, number);
        xen_gntdev_release(xen_fake_gntdev(fake, number), &host);
    } else if (file->kind == XEN_FAKE_GNTALLOC) {
        xen_gntalloc_release(xen_fake_gntalloc(fake, file->domain), &host,
                             number);
    } else if (!xen_fake_dmabuf_went(fake, number)) {
        return;
    }
    file->kind = XEN_FAKE_NONE;
}

static void forget_process(XenFakeMachine *fake, uint32_t process)
{
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        const XenFakeFile *file = &fake->header->files[i];
        XenGntHost host = xen_fake_host(fake, file->domain);

        if (file->kind == XEN_FAKE_GNTDEV) {
            xen_gntdev_forget(xen_fake_gntdev(fake, i), &host, process);
        } else if (file->kind == XEN_FAKE_GNTALLOC) {
            xen_gntalloc_forget(xen_fake_gntalloc(fake, file->domain), &host,
                                i, process);
        }
    }
    fake->header->processes[process] = 0;
}

static void reap(XenFakeMachine *fake)
{
    uint32_t i;

    for (i = 0; i < XEN_FAKE_PROCESSES; i++) {
        if (fake->header->processes[i] && i != fake->process &&
            !is_locked(fake->fd, XEN_FAKE_LOCK_PROCESS + i)) {
            forget_process(fake, i);
        }
    }
    for (i = 0; i < XEN_FAKE_FILES; i++) {
        if (fake->header->files[i].kind != XEN_FAKE_NONE &&
            !is_locked(fake->fd, XEN_FAKE_LOCK_FILE + i)) {
            release_file(fake, i);
        }
    }
}

/* Processes */

static bool is_ours(const XenFakeMachine *fake, int fd)
{
    struct stat st;

    /* Not its device: see fstat() in fake-grants.c */
    return fstat(fd, &st) == 0 && st.st_ino == fake->ino;
}

/* Be a process of the machine's */
static int enter(XenFakeMachine *fake)
{
    uint32_t i;
    int ret;

    for (i = 0; i < XEN_FAKE_PROCESSES; i++) {
        if (!fake->header->processes[i]) {
            ret = lock_byte(fake->fd, F_OFD_SETLK, F_WRLCK,
                            XEN_FAKE_LOCK_PROCESS + i);
            if (ret < 0) {
                return ret;
            }
            fake->header->processes[i] = getpid();
            fake->process = i;
            return 0;
        }
    }
    return -EUSERS;
}

static int take_lock(XenFakeMachine *fake)
{
    int ret = lock_byte(fake->fd, F_OFD_SETLKW, F_WRLCK, XEN_FAKE_LOCK);

    if (ret < 0) {
        return ret;
    }
    if (fake->header->busy) {
        lock_byte(fake->fd, F_OFD_SETLK, F_UNLCK, XEN_FAKE_LOCK);
        return -EIO;
    }
    fake->header->busy = true;
    reap(fake);
    return 0;
}

void xen_fake_unlock(XenFakeMachine *fake)
{
    fake->header->busy = false;
    lock_byte(fake->fd, F_OFD_SETLK, F_UNLCK, XEN_FAKE_LOCK);
}

/* Open the file once more, and lock the machine as somebody new */
static int begin(XenFakeMachine *fake)
{
    int ret;

    fake->process = XEN_FAKE_PROCESSES;
    fake->pid = getpid();
    fake->fd = open(fake->path, O_RDWR | O_CLOEXEC);
    if (fake->fd < 0) {
        return -errno;
    }
    if (!is_ours(fake, fake->fd)) {
        ret = -ESTALE;
    } else {
        ret = take_lock(fake);
        if (!ret) {
            ret = enter(fake);
            if (!ret) {
                return 0;
            }
            xen_fake_unlock(fake);
        }
    }
    close(fake->fd);
    fake->fd = -1;
    return ret;
}

int xen_fake_lock(XenFakeMachine *fake)
{
    if (fake->pid != getpid()) {
        xen_fake_forked(fake);
    }
    /* A daemon may have closed all that it did not know */
    if (fake->fd < 0 || !is_ours(fake, fake->fd)) {
        return begin(fake);
    }
    return take_lock(fake);
}

void xen_fake_forked(XenFakeMachine *fake)
{
    if (fake->fd >= 0) {
        close(fake->fd);
        fake->fd = -1;
    }
    fake->pid = getpid();
}

/* The file */

static int create(int fd, const char *text)
{
    XenMachineConfig machine;
    XenFakeConfig config;
    XenFakeHeader *header;
    XenFakeHeader layout;
    XenMachine m;
    uint8_t *base;
    int ret;

    ret = parse_settings(text, &config);
    if (ret < 0) {
        return ret;
    }
    machine = machine_config(&config);
    lay_out(&layout, &config);
    if (ftruncate(fd, layout.size) < 0) {
        return -errno;
    }
    base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    header = (XenFakeHeader *)base;
    *header = layout;
    xen_machine_init(&m, base + layout.state_offset, &machine,
                     base + layout.memory_offset);
    xen_machine_release(&m, first_free_frame(&config),
                        config.pages - first_free_frame(&config));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(header->magic, XEN_FAKE_MAGIC, sizeof(header->magic));
    munmap(base, layout.size);
    return 0;
}

/* Returns: whether it is what create() makes */
static bool is_sane(const XenFakeHeader *header, uint64_t size)
{
    XenFakeHeader layout;

    if (size < sizeof(*header) ||
        memcmp(header->magic, XEN_FAKE_MAGIC, sizeof(header->magic))) {
        return false;
    }
    lay_out(&layout, &header->config);
    return layout.size == size && header->size == size &&
           !memcmp(&layout.memory_offset, &header->memory_offset,
                   offsetof(XenFakeHeader, processes) -
                   offsetof(XenFakeHeader, memory_offset));
}

static int map_file(XenFakeMachine *fake, int fd)
{
    struct stat st;
    uint8_t *base;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    base = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    madvise(base, st.st_size, MADV_DONTDUMP);
    fake->header = (XenFakeHeader *)base;
    if (!is_sane(fake->header, st.st_size) ||
        !xen_machine_attach(&fake->machine,
                            base + fake->header->state_offset,
                            fake->header->state_size,
                            base + fake->header->memory_offset)) {
        munmap(base, st.st_size);
        return -EUCLEAN;
    }
    fake->dev = st.st_dev;
    fake->ino = st.st_ino;
    return 0;
}

/* Have the file, and have it mapped; by a description that nobody needs */
static int find_file(XenFakeMachine *fake, const char *text)
{
    int fd = open(fake->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct stat st;
    int ret;

    if (fd < 0) {
        return -errno;
    }
    ret = lock_byte(fd, F_OFD_SETLKW, F_WRLCK, XEN_FAKE_LOCK);
    if (ret >= 0) {
        ret = fstat(fd, &st) < 0 ? -errno : 0;
    }
    if (!ret && !st.st_size) {
        ret = create(fd, text);
    }
    if (!ret) {
        ret = map_file(fake, fd);
    }
    /* The mapping has the description still: do not leave it the lock */
    lock_byte(fd, F_OFD_SETLK, F_UNLCK, XEN_FAKE_LOCK);
    close(fd);
    return ret;
}

int xen_fake_attach(const char *path, const char *text,
                    XenFakeMachine **fake)
{
    XenFakeMachine *f = g_new0(XenFakeMachine, 1);
    int ret;

    f->path = g_canonicalize_filename(path, NULL);
    f->fd = -1;
    ret = find_file(f, text);
    if (!ret) {
        ret = begin(f);
    }
    if (ret < 0) {
        xen_fake_detach(f);
        return ret;
    }
    xen_fake_unlock(f);
    *fake = f;
    return 0;
}

void xen_fake_detach(XenFakeMachine *fake)
{
    if (!fake) {
        return;
    }
    if (fake->fd >= 0) {
        close(fake->fd);
    }
    if (fake->header) {
        munmap(fake->header, fake->header->size);
    }
    g_free(fake->path);
    g_free(fake);
}

/* Domains */

int xen_fake_domain(XenFakeMachine *fake, domid_t domid)
{
    XenFakeHeader *header = fake->header;
    const XenFakeConfig *config = &header->config;
    XenGntallocConfig gntalloc = gntalloc_config(config);
    uint32_t i;
    int ret;

    for (i = 0; i < XEN_FAKE_DOMAINS && header->domains[i].used; i++) {
        if (header->domains[i].domid == domid) {
            return i;
        }
    }
    if (i == XEN_FAKE_DOMAINS) {
        return -ENOSPC;
    }
    ret = xen_machine_add_domain(&fake->machine, domid, nr_entries(config),
                                 1 + i * config->grant_frames);
    if (ret < 0) {
        return ret;
    }
    xen_gntalloc_init(xen_fake_gntalloc(fake, i), &gntalloc);
    header->domains[i].domid = domid;
    header->domains[i].used = true;
    return i;
}

/* Event channels */

static XenFakePort *find_port(XenFakeMachine *fake, uint32_t domain,
                              uint32_t port)
{
    return port > 0 && port < XEN_FAKE_PORTS ?
           &fake->header->domains[domain].ports[port] : NULL;
}

int xen_fake_open_port(XenFakeMachine *fake, domid_t domid)
{
    int domain = xen_fake_domain(fake, domid);
    uint32_t i;

    if (domain < 0) {
        return domain;
    }
    for (i = 1; i < XEN_FAKE_PORTS; i++) {
        XenFakePort *port = find_port(fake, domain, i);

        if (!port->users) {
            *port = (XenFakePort) { .users = 1, .open = true };
            return i;
        }
    }
    return -ENOSPC;
}

int xen_fake_close_port(XenFakeMachine *fake, domid_t domid, uint32_t port)
{
    XenFakePort *p = (XenFakePort *)xen_fake_port(fake, domid, port);

    if (!p || !p->open) {
        return -EINVAL;
    }
    p->open = false;
    p->users--;
    return 0;
}

const XenFakePort *xen_fake_port(XenFakeMachine *fake, domid_t domid,
                                 uint32_t port)
{
    int domain = xen_fake_domain(fake, domid);

    return domain < 0 ? NULL : find_port(fake, domain, port);
}

/* What a domain has of the machine */

static int host_event_get(void *opaque, uint32_t port)
{
    XenFakeDomain *domain = opaque;

    if (!port || port >= XEN_FAKE_PORTS || !domain->ports[port].users) {
        return -EINVAL;
    }
    domain->ports[port].users++;
    return 0;
}

static void host_event_put(void *opaque, uint32_t port, bool send)
{
    XenFakeDomain *domain = opaque;

    domain->ports[port].sent += send;
    domain->ports[port].users--;
}

int xen_fake_copy(void *to, const void *from, size_t len)
{
    struct iovec local = { .iov_base = to, .iov_len = len };
    struct iovec remote = { .iov_base = (void *)from, .iov_len = len };
    ssize_t done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

    if (done < 0 && (errno == ENOSYS || errno == EPERM)) {
        /* Some sandboxes forbid it, and a bad address is a signal there */
        memcpy(to, from, len);
        return 0;
    }
    return done == len ? 0 : -EFAULT;
}

static int host_copy(void *opaque, void *to, const void *from, size_t len)
{
    return xen_fake_copy(to, from, len);
}

XenGntHost xen_fake_host(XenFakeMachine *fake, uint32_t domain)
{
    XenFakeDomain *d = &fake->header->domains[domain];

    return (XenGntHost) {
        .opaque = d,
        .machine = &fake->machine,
        .domid = d->domid,
        .event_get = host_event_get,
        .event_put = host_event_put,
        .copy = host_copy,
    };
}

/* Files */

XenGntdevFile *xen_fake_gntdev(XenFakeMachine *fake, uint32_t file)
{
    XenFakeHeader *header = fake->header;

    return (XenGntdevFile *)((uint8_t *)header + header->files_offset +
                             file * header->file_size);
}

XenGntalloc *xen_fake_gntalloc(XenFakeMachine *fake, uint32_t domain)
{
    XenFakeHeader *header = fake->header;

    return (XenGntalloc *)((uint8_t *)header + header->gntalloc_offset +
                           domain * header->gntalloc_size);
}

int xen_fake_file(XenFakeMachine *fake, int fd)
{
    off_t position;

    if (!is_ours(fake, fd)) {
        return -1;
    }
    position = lseek(fd, 0, SEEK_CUR);
    return position >= XEN_FAKE_POSITION &&
           position < XEN_FAKE_POSITION + XEN_FAKE_FILES ?
           position - XEN_FAKE_POSITION : -1;
}

static int open_file(XenFakeMachine *fake, uint32_t file, XenFakeKind kind,
                     uint32_t domain, int flags)
{
    int fd = open(fake->path, O_RDWR | (flags & O_CLOEXEC));
    int ret;

    if (fd < 0) {
        return -errno;
    }
    ret = is_ours(fake, fd) ? lock_byte(fd, F_OFD_SETLK, F_WRLCK,
                                        XEN_FAKE_LOCK_FILE + file) : -ESTALE;
    if (ret < 0) {
        close(fd);
        return ret;
    }
    lseek(fd, XEN_FAKE_POSITION + file, SEEK_SET);
    fake->header->files[file] = (XenFakeFile) {
        .kind = kind,
        .domain = domain,
    };
    if (kind == XEN_FAKE_GNTDEV || kind == XEN_FAKE_EXPORT) {
        XenGntdevConfig config = gntdev_config(&fake->header->config);

        xen_gntdev_open(xen_fake_gntdev(fake, file), &config);
    }
    return fd;
}

int xen_fake_find_free(const XenFakeMachine *fake)
{
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES; i++) {
        if (fake->header->files[i].kind == XEN_FAKE_NONE) {
            return i;
        }
    }
    return -ENFILE;
}

int xen_fake_open_locked(XenFakeMachine *fake, XenFakeKind kind,
                         uint32_t domain, int flags)
{
    int file = xen_fake_find_free(fake);

    return file < 0 ? file : open_file(fake, file, kind, domain, flags);
}

int xen_fake_open(XenFakeMachine *fake, XenFakeKind kind, domid_t domid,
                  int flags)
{
    int ret;

    ret = xen_fake_lock(fake);
    if (ret < 0) {
        return ret;
    }
    ret = xen_fake_domain(fake, domid);
    if (ret >= 0) {
        ret = xen_fake_open_locked(fake, kind, ret, flags);
    }
    xen_fake_unlock(fake);
    return ret;
}
