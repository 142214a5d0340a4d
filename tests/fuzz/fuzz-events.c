/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: an event page.  An honest frontend must see each event once,
 * in order, as it was; a hostile one may at most miss its own events.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-ring.h"
#include "fuzz-input.h"

#define PAGE        4096
#define IN_CONS     0
#define IN_PROD     4

/*
 * @page: the shared page
 * @pushed: events pushed since attaching, never wrapping
 * @taken: of these, events that the honest frontend has read
 * @honest: the guest wrote nothing yet but what a frontend has to
 * @log: what each of the last events was
 */
typedef struct Page {
    FuzzInput in;
    XenPvEvents events;
    uint8_t page[PAGE] __attribute__((aligned(PAGE)));
    uint8_t before[PAGE];
    uint64_t pushed;
    uint64_t taken;
    bool honest;
    XenPvSlot log[XEN_PV_EVENT_SLOTS];
} Page;

static void set_index(Page *p, unsigned int at, uint32_t value)
{
    memcpy(p->page + at, &value, sizeof(value));
}

static uint32_t get_index(const Page *p, unsigned int at)
{
    uint32_t value;

    memcpy(&value, p->page + at, sizeof(value));
    return value;
}

static uint8_t *slot(Page *p, uint32_t index)
{
    return p->page + 64 + index % XEN_PV_EVENT_SLOTS * XEN_PV_SLOT_SIZE;
}

/*
 * A page that is as it would be after @start events, all of them read: so
 * indices are met that wrap.
 */
static void attach(Page *p, uint32_t start)
{
    memcpy(p->before, p->page, PAGE);
    xen_pv_events_attach(&p->events, p->page);
    g_assert(memcmp(p->before, p->page, PAGE) == 0);
    g_assert_cmpuint(p->events.prod, ==, 0);
    p->events.prod = start;
    p->pushed = p->taken = start;
    p->honest = true;
    set_index(p, IN_CONS, start);
    set_index(p, IN_PROD, start);
}

static void check(Page *p)
{
    g_assert(p->events.page == NULL || p->events.page == p->page);
    if (!p->events.page) {
        g_assert_cmpuint(p->events.prod, ==, 0);
        return;
    }
    g_assert_cmpuint(p->events.prod, ==, (uint32_t)p->pushed);
    if (p->honest) {
        g_assert_cmpuint(get_index(p, IN_PROD), ==, (uint32_t)p->pushed);
    }
}

/* Only one slot and in_prod are written, and only if the event was taken */
static void check_writes(Page *p, bool sent, const XenPvSlot *event)
{
    uint32_t index = p->pushed;

    if (sent) {
        g_assert_cmpuint(get_index(p, IN_PROD), ==, index + 1);
        memcpy(p->before + IN_PROD, p->page + IN_PROD, 4);
        g_assert(memcmp(slot(p, index), event->bytes, sizeof(*event)) == 0);
        memcpy(p->before + (slot(p, index) - p->page), event->bytes,
               sizeof(*event));
    }
    g_assert(memcmp(p->before, p->page, PAGE) == 0);
}

static void push(Page *p, bool as)
{
    uint16_t id = as ? fuzz_u16(&p->in) : p->pushed;
    XenPvSlot event;
    int ret;

    fuzz_bytes(&p->in, event.bytes, 4);
    memset(event.bytes + 4, 0xa5, sizeof(event) - 4);
    memcpy(p->before, p->page, PAGE);
    ret = as ? xen_pv_events_push_as(&p->events, &event, id)
             : xen_pv_events_push(&p->events, &event);

    if (!p->events.page) {
        g_assert_cmpint(ret, ==, -ENOTCONN);
        return;
    }
    g_assert(ret == 0 || ret == -EAGAIN);
    check_writes(p, ret == 0, &event);
    if (ret == 0) {
        g_assert(memcmp(event.bytes, &id, sizeof(id)) == 0);
        p->log[p->pushed % XEN_PV_EVENT_SLOTS] = event;
        p->pushed++;
    }
    if (p->honest) {
        g_assert_cmpuint(p->pushed - p->taken, <=, XEN_PV_EVENT_SLOTS);
    }
    /* Who has read everything always gets the next event */
    g_assert(ret == 0 || !p->honest || p->pushed != p->taken);
}

/* As xen_drm_front_evtchnl.c does: by indices of 32 bits */
static void take(Page *p)
{
    uint32_t cons = p->taken;

    if (!p->honest || p->taken == p->pushed) {
        return;
    }
    g_assert(memcmp(slot(p, cons), &p->log[p->taken % XEN_PV_EVENT_SLOTS],
                    XEN_PV_SLOT_SIZE) == 0);
    p->taken++;
    set_index(p, IN_CONS, p->taken);
}

static void take_some(Page *p)
{
    unsigned int n = fuzz_pick(&p->in, XEN_PV_EVENT_SLOTS + 1);

    while (n--) {
        take(p);
    }
}

static void lie(Page *p)
{
    p->honest = false;
    switch (fuzz_pick(&p->in, 3)) {
    case 0:
        set_index(p, IN_CONS, p->pushed + (int8_t)fuzz_u8(&p->in));
        break;
    case 1:
        set_index(p, fuzz_pick(&p->in, 2) * 4, fuzz_number(&p->in));
        break;
    default:
        fuzz_bytes(&p->in, p->page + fuzz_u16(&p->in) % (PAGE - 8), 8);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Page storage;
    Page *p = &storage;
    unsigned int n;

    memset(p, 0, sizeof(*p));
    p->in.data = data;
    p->in.size = size;
    attach(p, 0);
    while (p->in.size) {
        switch (fuzz_pick(&p->in, 8)) {
        case 0:
            lie(p);
            break;
        case 1:
            xen_pv_events_detach(&p->events);
            p->pushed = p->taken = 0;
            break;
        case 2:
            attach(p, 0);
            break;
        case 3:
            attach(p, -fuzz_u8(&p->in));
            break;
        case 4:
            take_some(p);
            break;
        case 5:
            push(p, true);
            break;
        default:
            for (n = 1 + fuzz_pick(&p->in, XEN_PV_EVENT_SLOTS); n; n--) {
                push(p, false);
            }
            break;
        }
        check(p);
    }
    return 0;
}
