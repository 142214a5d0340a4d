/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program in a guest of the real Xen
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xenevtchn.h>
#include <xenstore.h>

#include "xen-guest-ops.h"
#include "xen-guest-real.h"

#define GNTALLOC            "/dev/xen/gntalloc"

/* How long shared memory may change unnoticed */
#define REAL_GLANCE_MS      10

/* The whole machine may be emulated */
#define REAL_PATIENCE       5

/* More than any test needs; gntalloc's own limit is what counts */
#define REAL_MAX_PAGES      65536u

/**
 * struct RealPage - a page that gntalloc made
 *
 * libxengntshr, which would do the same, lets go of the offset at once, so
 * that a page could not be both a page by itself and a part of a buffer.
 *
 * @used: this number is taken
 * @ref: its grant, or 0: then there is no memory either
 * @index: where in gntalloc to map it
 * @domid: who it is granted to
 * @readonly: and how
 * @addr: where we have mapped it, or NULL
 * @view: where it is mapped as a part of a buffer, or NULL
 */
typedef struct RealPage {
    bool used;
    bool readonly;
    uint16_t domid;
    uint32_t ref;
    uint64_t index;
    void *addr;
    void *view;
} RealPage;

typedef struct RealGuest {
    XenGuest guest;             /* first */

    int gntalloc;
    RealPage *pages;
    uint32_t next_page;
    GHashTable *page_of_ref;
    xenevtchn_handle *evtchn;
    struct xs_handle *store;
} RealGuest;

static RealGuest *real_guest(XenGuest *guest)
{
    return (RealGuest *)guest;
}

/* Memory, and grants: in gntalloc they are one */

static bool page_make(RealGuest *r, uint32_t page, uint16_t domid,
                      bool readonly)
{
    struct ioctl_gntalloc_alloc_gref op = {
        .domid = domid,
        .flags = readonly ? 0 : GNTALLOC_FLAG_WRITABLE,
        .count = 1,
    };
    RealPage *p = &r->pages[page];

    if (ioctl(r->gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &op) < 0) {
        return false;
    }
    p->ref = op.gref_ids[0];
    p->index = op.index;
    p->domid = domid;
    p->readonly = readonly;
    g_hash_table_insert(r->page_of_ref, GUINT_TO_POINTER(p->ref),
                        GUINT_TO_POINTER(page));
    return true;
}

/*
 * Linux ends the access when we have the page mapped no more; and then it
 * waits for the other side before it uses page and grant again.  A buffer gets
 * another page instead, of which nobody knows.
 */
static void page_drop(RealGuest *r, uint32_t page)
{
    RealPage *p = &r->pages[page];
    struct ioctl_gntalloc_dealloc_gref op = { .index = p->index, .count = 1 };

    if (p->addr) {
        munmap(p->addr, XEN_GUEST_PAGE);
        p->addr = NULL;
    }
    if (p->view) {
        mmap(p->view, XEN_GUEST_PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        p->view = NULL;
    }
    if (p->ref) {
        ioctl(r->gntalloc, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
        g_hash_table_remove(r->page_of_ref, GUINT_TO_POINTER(p->ref));
        p->ref = 0;
    }
}

static uint32_t real_alloc_page(XenGuest *guest)
{
    RealGuest *r = real_guest(guest);
    uint32_t i;

    for (i = 1; i < REAL_MAX_PAGES; i++) {
        uint32_t page = r->next_page;

        r->next_page = page + 1 < REAL_MAX_PAGES ? page + 1 : 1;
        if (!r->pages[page].used) {
            if (!page_make(r, page, XEN_GUEST_BACKEND, false)) {
                return 0;
            }
            r->pages[page].used = true;
            return page;
        }
    }
    return 0;
}

static void real_free_page(XenGuest *guest, uint32_t page)
{
    RealGuest *r = real_guest(guest);

    g_assert(page < guest->nr_pages && r->pages[page].used);
    page_drop(r, page);
    r->pages[page].used = false;
}

/* At this very address, or anywhere */
static void *page_map(RealGuest *r, RealPage *p, void *addr)
{
    return mmap(addr, XEN_GUEST_PAGE, PROT_READ | PROT_WRITE,
                MAP_SHARED | (addr ? MAP_FIXED : 0), r->gntalloc, p->index);
}

static bool real_map_page(XenGuest *guest, uint32_t page, void *addr)
{
    RealGuest *r = real_guest(guest);

    if (page_map(r, &r->pages[page], addr) == MAP_FAILED) {
        return false;
    }
    r->pages[page].view = addr;
    return true;
}

static void real_unmapped(XenGuest *guest, uint32_t page)
{
    real_guest(guest)->pages[page].view = NULL;
}

static void *real_page(XenGuest *guest, uint32_t page)
{
    RealGuest *r = real_guest(guest);
    RealPage *p;

    g_assert(page < guest->nr_pages);
    p = &r->pages[page];
    g_assert(p->used && p->ref);
    if (!p->addr) {
        void *addr = page_map(r, p, NULL);

        g_assert(addr != MAP_FAILED);
        p->addr = addr;
    }
    return p->addr;
}

uint32_t xen_guest_real_grant_to(XenGuest *guest, uint32_t page,
                                 uint16_t domid, bool readonly)
{
    RealGuest *r = real_guest(guest);
    RealPage *p = &r->pages[page];
    uint8_t old[XEN_GUEST_PAGE];

    if (!p->ref || p->domid != domid || p->readonly != readonly) {
        /* The page is made anew; what is in it stays */
        memset(old, 0, sizeof(old));
        if (p->ref) {
            memcpy(old, real_page(guest, page), sizeof(old));
        }
        page_drop(r, page);
        if (!page_make(r, page, domid, readonly)) {
            return 0;
        }
        memcpy(real_page(guest, page), old, sizeof(old));
    }
    return p->ref;
}

static uint32_t real_grant(XenGuest *guest, uint32_t page, bool readonly)
{
    return xen_guest_real_grant_to(guest, page, XEN_GUEST_BACKEND, readonly);
}

static int real_end_access(XenGuest *guest, uint32_t ref)
{
    RealGuest *r = real_guest(guest);
    gpointer page;

    if (!g_hash_table_lookup_extended(r->page_of_ref, GUINT_TO_POINTER(ref),
                                      NULL, &page)) {
        return -ENOENT;
    }
    page_drop(r, GPOINTER_TO_UINT(page));
    return 0;
}

static bool real_in_use(XenGuest *guest, uint32_t ref)
{
    return false;
}

static int real_map_grants(XenGuest *guest, const uint32_t *refs,
                           uint32_t count, uint32_t *handles, void **addr)
{
    return -EOPNOTSUPP;
}

static int real_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                             const uint32_t *handles)
{
    return -EOPNOTSUPP;
}

/* What arrives */

static void real_glance(XenGuest *guest)
{
    RealGuest *r = real_guest(guest);
    struct pollfd fds[] = {
        { .fd = xenevtchn_fd(r->evtchn), .events = POLLIN },
        { .fd = xs_fileno(r->store), .events = POLLIN },
    };

    poll(fds, G_N_ELEMENTS(fds), REAL_GLANCE_MS);
}

static bool real_take_event(RealGuest *r)
{
    struct pollfd fd = { .fd = xenevtchn_fd(r->evtchn), .events = POLLIN };
    xenevtchn_port_or_error_t port;

    if (poll(&fd, 1, 0) <= 0) {
        return false;
    }
    port = xenevtchn_pending(r->evtchn);
    if (port < 0) {
        return false;
    }
    xenevtchn_unmask(r->evtchn, port);
    g_hash_table_add(r->guest.events, GUINT_TO_POINTER(port));
    return true;
}

static void real_receive(XenGuest *guest)
{
    RealGuest *r = real_guest(guest);
    char **watch;

    while (real_take_event(r)) {
        /* nothing else to do */
    }
    while ((watch = xs_check_watch(r->store))) {
        g_hash_table_add(guest->changed, g_strdup(watch[XS_WATCH_TOKEN]));
        free(watch);
    }
}

/* Xenstore */

static int real_store_write(XenGuest *guest, const char *path,
                            const void *data, size_t len)
{
    return xs_write(real_guest(guest)->store, XBT_NULL, path, data, len) ?
           0 : -errno;
}

static char *real_store_read(XenGuest *guest, const char *path)
{
    unsigned int len;
    char *value = xs_read(real_guest(guest)->store, XBT_NULL, path, &len);
    char *copy = value ? g_strndup(value, len) : NULL;

    free(value);
    return copy;
}

static int real_store_rm(XenGuest *guest, const char *path)
{
    return xs_rm(real_guest(guest)->store, XBT_NULL, path) ? 0 : -errno;
}

static int real_store_watch(XenGuest *guest, const char *path, bool on)
{
    struct xs_handle *store = real_guest(guest)->store;

    return (on ? xs_watch(store, path, path) :
                 xs_unwatch(store, path, path)) ? 0 : -errno;
}

/* Event channels */

static uint32_t real_alloc_port(XenGuest *guest)
{
    xenevtchn_port_or_error_t port =
        xenevtchn_bind_unbound_port(real_guest(guest)->evtchn,
                                    XEN_GUEST_BACKEND);

    return MAX(port, 0);
}

static void real_close_port(XenGuest *guest, uint32_t port)
{
    xenevtchn_unbind(real_guest(guest)->evtchn, port);
}

static void real_kick(XenGuest *guest, uint32_t port)
{
    xenevtchn_notify(real_guest(guest)->evtchn, port);
}

/* Life */

/* Linux drops the pages and ports that are left, as for any program */
static void real_free(XenGuest *guest)
{
    RealGuest *r = real_guest(guest);
    uint32_t page;

    for (page = 1; page < guest->nr_pages; page++) {
        page_drop(r, page);
    }
    if (r->store) {
        xs_close(r->store);
    }
    if (r->evtchn) {
        xenevtchn_close(r->evtchn);
    }
    if (r->gntalloc >= 0) {
        close(r->gntalloc);
    }
    g_hash_table_destroy(r->page_of_ref);
    g_free(r->pages);
    g_free(r);
}

static const XenGuestOps real_ops = {
    .free = real_free,
    .glance = real_glance,
    .receive = real_receive,
    .page = real_page,
    .alloc_page = real_alloc_page,
    .free_page = real_free_page,
    .map_page = real_map_page,
    .unmapped = real_unmapped,
    .grant = real_grant,
    .end_access = real_end_access,
    .in_use = real_in_use,
    .map_grants = real_map_grants,
    .unmap_grants = real_unmap_grants,
    .store_write = real_store_write,
    .store_read = real_store_read,
    .store_rm = real_store_rm,
    .store_watch = real_store_watch,
    .alloc_port = real_alloc_port,
    .close_port = real_close_port,
    .kick = real_kick,
};

/* What cannot be opened, or NULL when all is open */
static const char *real_open(RealGuest *r)
{
    r->gntalloc = open(GNTALLOC, O_RDWR | O_CLOEXEC);
    if (r->gntalloc < 0) {
        return GNTALLOC;
    }
    r->evtchn = xenevtchn_open(NULL, 0);
    if (!r->evtchn) {
        return "event channels";
    }
    r->store = xs_open(0);
    if (!r->store) {
        return "xenstore";
    }
    return NULL;
}

XenGuest *xen_guest_new_real(GError **errp)
{
    RealGuest *r = g_new0(RealGuest, 1);
    const char *what;
    int domid;

    xen_guest_init(&r->guest, &real_ops);
    r->guest.nr_pages = REAL_MAX_PAGES;
    r->guest.patience = REAL_PATIENCE;
    r->pages = g_new0(RealPage, REAL_MAX_PAGES);
    r->next_page = 1;
    r->page_of_ref = g_hash_table_new(NULL, NULL);

    what = real_open(r);
    if (what) {
        g_set_error(errp, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "cannot open %s: %s; is this a guest of Xen, with the "
                    "modules xen-gntalloc and xen-evtchn?", what,
                    g_strerror(errno));
    } else {
        domid = xen_guest_read_int(&r->guest, "domid", -1);
        if (domid >= 0) {
            r->guest.domid = domid;
            return &r->guest;
        }
        g_set_error(errp, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "xenstore does not say which domain this is");
    }
    xen_guest_free(&r->guest);
    return NULL;
}
