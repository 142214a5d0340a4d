/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's keyboard and pointer, where QEMU has no rights over the guest.
 *
 * QEMU's vkbd maps the page that it shares with the guest by the number of its
 * frame, the node page-ref.  The control domain may do so, a driver domain may
 * not.  Linux also grants that page, and names the grant in page-gref.  So
 * where a frame cannot be mapped that is a keyboard's page, its grant is.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen.h"
#include "hw/xen/xen-bus-helper.h"
#include "hw/xen/xen_backend_ops.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/queue.h"
#include "hw/xen/trace.h"
#include "hw/xen/xen-pv-vkbd.h"

/* Keyboards of a guest that are looked at */
#define MAX_KEYBOARDS 16

typedef struct GrantedPage {
    void *addr;
    xengnttab_handle *xgt;
    uint32_t ref;
    QLIST_ENTRY(GrantedPage) next;
} GrantedPage;

static struct foreignmem_backend_ops own_ops;
static struct foreignmem_backend_ops *qemu_ops;
static QLIST_HEAD(, GrantedPage) pages = QLIST_HEAD_INITIALIZER(pages);

/* Whether a keyboard of the guest's has this frame, and as which grant */
static bool find_grant(struct qemu_xs_handle *xsh, uint32_t dom,
                       xen_pfn_t frame, uint32_t *ref)
{
    g_autofree char *dir = g_strdup_printf("backend/vkbd/%u", dom);
    unsigned int count = 0;
    char **names = qemu_xen_xs_directory(xsh, XBT_NULL, dir, &count);
    bool found = false;

    for (unsigned int i = 0; names && !found && i < MIN(count, MAX_KEYBOARDS);
         i++) {
        g_autofree char *front = NULL;
        unsigned int number;
        uint64_t page;

        if (qemu_strtoui(names[i], NULL, 10, &number)) {
            continue;
        }
        front = g_strdup_printf("/local/domain/%u/device/vkbd/%u", dom,
                                number);
        found = xs_node_scanf(xsh, XBT_NULL, front, "page-ref", NULL,
                              "%" SCNu64, &page) == 1 && page == frame &&
                xs_node_scanf(xsh, XBT_NULL, front, "page-gref", NULL,
                              "%" SCNu32, ref) == 1;
    }
    free(names);

    return found;
}

static void *map_grant(uint32_t dom, int prot, uint32_t ref)
{
    xengnttab_handle *xgt = qemu_xen_gnttab_open();
    GrantedPage *page;
    void *addr;

    if (!xgt) {
        return NULL;
    }
    addr = qemu_xen_gnttab_map_refs(xgt, 1, dom, &ref, prot);
    if (!addr) {
        qemu_xen_gnttab_close(xgt);
        return NULL;
    }
    page = g_new0(GrantedPage, 1);
    page->addr = addr;
    page->xgt = xgt;
    page->ref = ref;
    QLIST_INSERT_HEAD(&pages, page, next);

    return addr;
}

static void *vkbd_map(uint32_t dom, void *addr, int prot, size_t count,
                      xen_pfn_t *pfns, int *errs)
{
    void *mapped = qemu_ops->map(dom, addr, prot, count, pfns, errs);
    int saved_errno = errno;
    struct qemu_xs_handle *xsh;
    uint32_t ref;

    if (mapped || count != 1 || addr) {
        return mapped;
    }
    xsh = qemu_xen_xs_open();
    if (xsh) {
        if (find_grant(xsh, dom, pfns[0], &ref)) {
            mapped = map_grant(dom, prot, ref);
            trace_xen_pv_vkbd_map(dom, ref, !!mapped);
        }
        qemu_xen_xs_close(xsh);
    }
    errno = saved_errno;

    return mapped;
}

static int vkbd_unmap(void *addr, size_t count)
{
    GrantedPage *page;

    QLIST_FOREACH(page, &pages, next) {
        if (page->addr == addr) {
            QLIST_REMOVE(page, next);
            qemu_xen_gnttab_unmap(page->xgt, addr, &page->ref, 1);
            qemu_xen_gnttab_close(page->xgt);
            g_free(page);
            return 0;
        }
    }

    return qemu_ops->unmap(addr, count);
}

void xen_pv_vkbd_by_grant(void)
{
    if (xen_mode == XEN_ATTACH && xen_foreignmem_ops && !qemu_ops) {
        qemu_ops = xen_foreignmem_ops;
        own_ops = *qemu_ops;
        own_ops.map = vkbd_map;
        own_ops.unmap = vkbd_unmap;
        xen_foreignmem_ops = &own_ops;
    }
}
