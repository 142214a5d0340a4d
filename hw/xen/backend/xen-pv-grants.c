/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's grant operations for the page-directory helper.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/xen-pv-share.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/queue.h"
#include "hw/xen/trace.h"
#include "xen-pv-emu.h"

/*
 * @xgt: the handle of QEMU's operations, or NULL
 * @ram: what is mapped where the guest's memory is QEMU's own, or else NULL
 * @backend: whose log tells of what the host lacks.  Pages are mapped and
 *     shared only while it is there, and given back perhaps later.
 * @share_ops: NULL where pages cannot be shared
 * @share: handle of these; opened when first needed
 * @mapper: whose operations these are
 * @common: what it maps counts in XEN_PV_COMMON_PAGES
 * @next: in the list of those that do
 */
typedef struct XenPvGrants XenPvGrants;
struct XenPvGrants {
    xengnttab_handle *xgt;
    XenRamMap *ram;
    domid_t domid;
    XenPvBackend *backend;
    const XenPvShareOps *share_ops;
    void *share;
    XenPgdirMapper *mapper;
    bool common;
    QLIST_ENTRY(XenPvGrants) next;
};

const XenPvShareOps *xen_pv_share_ops;

/* Of XEN_PV_COMMON_PAGES; twice what the directory of a largest buffer has */
#define XEN_PV_COMMON_SPARE 128

/* One QEMU serves one guest */
static struct {
    QLIST_HEAD(, XenPvGrants) users;
    uint32_t pages;
} xen_pv_common = { QLIST_HEAD_INITIALIZER(xen_pv_common.users) };

uint32_t xen_pv_common_pages(void)
{
    return xen_pv_common.pages;
}

/* The last of them are for single pages: a directory has to be read, too */
static bool xen_pv_common_fits(uint32_t count)
{
    uint32_t most = XEN_PV_COMMON_PAGES - (count > 1 ? XEN_PV_COMMON_SPARE : 0);

    return count <= most && xen_pv_common.pages <= most - count;
}

/* Room for pages of a device: what the others keep without need goes for it */
static bool xen_pv_common_make_room(XenPvGrants *grants, uint32_t count)
{
    XenPvGrants *other;
    bool fits = !grants->common || xen_pv_common_fits(count);

    if (!fits) {
        QLIST_FOREACH(other, &xen_pv_common.users, next) {
            if (other != grants) {
                xen_pgdir_mapper_trim(other->mapper);
            }
        }
        fits = xen_pv_common_fits(count);
    }
    grants->backend->common_full = !fits;

    return fits;
}

static void *xen_pv_grants_call_map(XenPvGrants *grants, const uint32_t *refs,
                                    uint32_t count, uint32_t writable)
{
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    void *addr;

    errno = 0;
    addr = qemu_xen_gnttab_map_refs(grants->xgt, count, grants->domid,
                                    (uint32_t *)refs, prot);
    if (!addr && !errno) {
        errno = EFAULT;
    }

    return addr;
}

static int32_t xen_pv_grants_map(void *opaque, const uint32_t *refs,
                                 uint32_t count, uint32_t writable,
                                 void **addr)
{
    XenPvGrants *grants = opaque;
    int32_t ret = 0;

    *addr = NULL;
    if (!xen_pv_common_make_room(grants, count)) {
        return -ENOSPC;
    }
    if (grants->ram) {
        ret = xen_ram_map_window(grants->ram, refs, count, writable, addr);
    } else {
        *addr = xen_pv_grants_call_map(grants, refs, count, writable);
        ret = *addr ? 0 : -errno;
    }
    trace_xen_pv_grants_map(grants->domid, count, writable, *addr, -ret);
    if (ret == 0) {
        xen_pv_common.pages += grants->common ? count : 0;
    }

    return ret;
}

static int32_t xen_pv_grants_map_page(void *opaque, uint32_t ref,
                                      uint32_t writable, void **addr)
{
    XenPvGrants *grants = opaque;
    int32_t ret;

    *addr = NULL;
    if (!xen_pv_common_make_room(grants, 1)) {
        return -ENOSPC;
    }
    ret = xen_ram_map_own(grants->ram, ref, writable, addr);
    trace_xen_pv_grants_map(grants->domid, 1, writable, *addr, -ret);
    if (ret == 0) {
        xen_pv_common.pages += grants->common;
    }

    return ret;
}

static void xen_pv_grants_unmapped(XenPvGrants *grants, uint32_t count)
{
    xen_pv_common.pages -= grants->common ? count : 0;
}

/*
 * Nobody expects that to fail.  But if it does, pages of the guest stay with
 * us, perhaps until QEMU ends; so see first whether that was for once.
 */
static void xen_pv_unmap(xengnttab_handle *xgt, uint32_t domid, void *addr,
                         const uint32_t *refs, uint32_t count)
{
    int tries, ret, err = -1;

    for (tries = 0; tries < 2 && err; tries++) {
        errno = 0;
        ret = qemu_xen_gnttab_unmap(xgt, addr, (uint32_t *)refs, count);
        /* KVM's emulation returns the error, and libxengnttab -1 */
        err = ret < 0 ? (errno ? errno : -ret) : 0;
        trace_xen_pv_grants_unmap(domid, count, addr, err);
    }
    if (err) {
        warn_report("%" PRIu32 " pages of domain %" PRIu32 " could not be "
                    "unmapped: %s", count, domid, strerror(err));
    }
}

static void xen_pv_grants_unmap(void *opaque, void *addr,
                                const uint32_t *refs, uint32_t count)
{
    XenPvGrants *grants = opaque;

    if (grants->ram) {
        xen_ram_unmap(grants->ram, addr, refs, count);
        trace_xen_pv_grants_unmap(grants->domid, count, addr, 0);
    } else {
        xen_pv_unmap(grants->xgt, grants->domid, addr, refs, count);
    }
    xen_pv_grants_unmapped(grants, count);
}

static int32_t xen_pv_grants_share(void *opaque, uint32_t count,
                                   uint32_t writable, uint32_t *refs,
                                   void **addr)
{
    XenPvGrants *grants = opaque;
    const XenPvShareOps *ops = grants->share_ops;
    g_autofree char *advice = NULL;
    int err;

    if (!writable) {
        return -EOPNOTSUPP;
    }
    errno = 0;
    if (!grants->share) {
        grants->share = ops->open();
    }
    *addr = grants->share ? ops->share(grants->share, grants->domid, count,
                                       refs)
                          : NULL;
    err = *addr ? 0 : errno ? errno : ENOMEM;
    trace_xen_pv_grants_share(grants->domid, count, *addr, err);
    if (err) {
        advice = ops->advice(err, count);
        xen_pv_guest_warn(grants->backend,
                          "cannot share %" PRIu32 " pages with the guest: "
                          "%s%s%s", count, strerror(err),
                          advice ? "; " : "", advice ? advice : "");
    }

    return -err;
}

static void xen_pv_grants_unshare(void *opaque, void *addr,
                                  const uint32_t *refs, uint32_t count)
{
    XenPvGrants *grants = opaque;

    trace_xen_pv_grants_unshare(grants->domid, count, addr);
    grants->share_ops->unshare(grants->share, addr, count);
}

static int32_t xen_pv_grants_replace(void *opaque, void *addr,
                                     const uint32_t *refs, uint32_t count,
                                     void *copy)
{
    XenPvGrants *grants = opaque;
    int ret;

    if (grants->ram) {
        ret = xen_ram_replace(grants->ram, addr, refs, count, copy);
    } else {
        ret = grants->share_ops->replace_map(grants->xgt, addr,
                                             (uint32_t *)refs, count, copy);
        ret = ret < 0 ? -errno : ret;
    }
    trace_xen_pv_grants_replace(grants->domid, count, addr, ret);
    if (ret >= 0) {
        xen_pv_grants_unmapped(grants, count);
    }

    return ret;
}

static void xen_pv_grants_destroy(void *opaque)
{
    XenPvGrants *grants = opaque;

    if (grants->share) {
        grants->share_ops->close(grants->share);
    }
    if (grants->common) {
        QLIST_REMOVE(grants, next);
    }
    if (grants->ram) {
        xen_ram_map_free(grants->ram);
    } else {
        qemu_xen_gnttab_close(grants->xgt);
    }
    g_free(grants);
}

/* The option whose limit left no room; NULL if it is the host that has none */
static const char *xen_pv_full_option(const XenPvBackend *backend,
                                      const XenPgdirMapper *mapper)
{
    switch (xen_pgdir_mapper_full(mapper)) {
    case XEN_PGDIR_FULL_PAGES:
        return "max-pages";
    case XEN_PGDIR_FULL_MAPPINGS:
        return "max-mappings";
    default:
        return backend->common_full ? "max-pages" : NULL;
    }
}

void xen_pv_guest_refused(XenPvBackend *backend, const XenPgdirMapper *mapper,
                          const char *request, int32_t status,
                          const char *why)
{
    bool engine = why && strstr(why, "max-");
    const char *option = status == -ENOSPC && !engine ?
                         xen_pv_full_option(backend, mapper) : NULL;
    const char *error = strerror(-status);

    /* The mapper's reasons end with the error */
    if (why && !option && g_str_has_suffix(why, error)) {
        xen_pv_guest_warn(backend, "%s refused: %s", request, why);
        return;
    }
    xen_pv_guest_warn(backend, "%s refused: %s (%s%s%s)", request,
                      why ? why : "failed", error, option ? "; " : "",
                      option ? option : "");
}

/* What maps grants one by one has to have room for all pages of a picture */
static void xen_pv_grants_limit(XenPvGrants *grants, XenPgdirConfig *config)
{
    if (grants->ram || qemu_xen_gnttab_can_map_multi()) {
        return;
    }
    config->max_map_count = 1;
    if (!config->max_mappings) {
        config->max_mappings = MAX(config->max_pages, XEN_PGDIR_MAX_MAPPINGS);
    }
}

static bool xen_pv_grants_open(XenPvGrants *grants, Error **errp)
{
    if (xen_pv_emu_is_used()) {
        grants->ram = xen_ram_map_new(&xen_pv_emu_ops, grants->backend,
                                      xen_pv_emu_areas());
        return true;
    }
    grants->xgt = grants->share_ops && grants->share_ops->open_grants
                  ? grants->share_ops->open_grants() : qemu_xen_gnttab_open();
    if (!grants->xgt) {
        error_setg_errno(errp, errno, "cannot open the grant device");
    }

    return grants->xgt;
}

XenPgdirMapper *xen_pv_mapper_new(XenPvBackend *backend, uint32_t max_pages,
                                  uint32_t max_buffer_pages, bool common,
                                  Error **errp)
{
    XenPgdirGrantOps ops = {
        .size = sizeof(ops),
        .map = xen_pv_grants_map,
        .unmap = xen_pv_grants_unmap,
        .destroy = xen_pv_grants_destroy,
        .share = xen_pv_share_ops ? xen_pv_grants_share : NULL,
        .unshare = xen_pv_share_ops ? xen_pv_grants_unshare : NULL,
        .replace = xen_pv_share_ops ? xen_pv_grants_replace : NULL,
    };
    XenPgdirConfig config = {
        .size = sizeof(config),
        .max_pages = max_pages,
        .max_buffer_pages = max_buffer_pages,
        .max_mappings = backend->max_mappings,
        .max_map_count = backend->max_map_count,
    };
    XenPvGrants *grants = g_new0(XenPvGrants, 1);
    XenPgdirMapper *mapper;
    int ret;

    grants->domid = backend->xendev.frontend_id;
    grants->backend = backend;
    grants->share_ops = xen_pv_share_ops;
    if (!xen_pv_grants_open(grants, errp)) {
        g_free(grants);
        return NULL;
    }
    xen_pv_grants_limit(grants, &config);
    if (grants->ram) {
        ops.map_page = xen_pv_grants_map_page;
        ops.replace = xen_pv_grants_replace;
    }

    ret = xen_pgdir_mapper_new(&ops, grants, &config, &mapper);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot set up the map cache");
        xen_pv_grants_destroy(grants);
        return NULL;
    }
    grants->mapper = mapper;
    grants->common = common;
    if (common) {
        QLIST_INSERT_HEAD(&xen_pv_common.users, grants, next);
    }

    return mapper;
}

const char *xen_pv_mapper_way(void)
{
    if (!xen_pv_emu_is_used()) {
        return "grants";
    }

    return xen_pv_emu_has_file() ? "windows" : "copies";
}

void xen_pv_rings_start(XenPvBackend *backend)
{
    XenDevice *xendev = &backend->xendev;
    xengnttab_handle *handle;

    if (xen_pv_emu_is_used() || !xen_pv_share_ops ||
        !xen_pv_share_ops->open_grants) {
        return;
    }
    handle = xen_pv_share_ops->open_grants();
    if (handle) {
        qemu_xen_gnttab_close(xendev->xgth);
        xendev->xgth = handle;
    }
}

void *xen_pv_ring_map(XenPvBackend *backend, uint32_t ref, Error **errp)
{
    ERRP_GUARD();
    XenRamPage page;
    int32_t ret;
    void *addr;

    if (!xen_pv_emu_is_used()) {
        addr = xen_device_map_grant_refs(&backend->xendev, &ref, 1,
                                         PROT_READ | PROT_WRITE, errp);
        if (!addr) {
            error_prepend(errp, "cannot map grant %" PRIu32 ": ", ref);
        }
        return addr;
    }
    ret = xen_pv_emu_ops.get(backend, ref, true, &page);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot map grant %" PRIu32, ref);
        return NULL;
    }

    return page.addr;
}

void xen_pv_ring_unmap(XenPvBackend *backend, uint32_t ref, void *page)
{
    XenDevice *xendev = &backend->xendev;

    if (xen_pv_emu_is_used()) {
        xen_pv_emu_ops.put(backend, ref, page);
    } else {
        xen_pv_unmap(xendev->xgth, xendev->frontend_id, page, &ref, 1);
    }
}
