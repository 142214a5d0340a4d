/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frontend's half of one ring and its event page
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <sys/mman.h>

#include "fake-front.h"

QEMU_BUILD_BUG_ON(sizeof(FakeFrontEvents) != FAKE_FRONT_PAGE);

static void *page_new(void)
{
    void *page = mmap(NULL, FAKE_FRONT_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(page != MAP_FAILED);
    return page;
}

void fake_front_init(FakeFront *front)
{
    memset(front, 0, sizeof(*front));
    front->sring = page_new();
    front->evt = page_new();
}

void fake_front_free(FakeFront *front)
{
    munmap(front->sring, FAKE_FRONT_PAGE);
    munmap(front->evt, FAKE_FRONT_PAGE);
}

void fake_front_reset(FakeFront *front, uint32_t start)
{
    memset(front->sring, 0xa5, FAKE_FRONT_PAGE);
    front->sring->req_prod = start;
    front->sring->rsp_prod = start;
    front->sring->req_event = start + 1;
    front->sring->rsp_event = start + 1;
    memset(front->evt, 0, FAKE_FRONT_PAGE);
    memset(front->evt->slot, 0xa5, sizeof(front->evt->slot));
    front->events = 0;
}

void *fake_front_slot(const FakeFront *front, uint32_t index)
{
    return (XenPvSlot *)front->sring->ring + index % XEN_PV_RING_SLOTS;
}

void *fake_front_next(FakeFront *front, uint8_t operation)
{
    XenPvSlot *slot = fake_front_slot(front, front->sring->req_prod);
    XenPvHead *head = (XenPvHead *)slot->bytes;

    head->id = front->id++;
    head->operation = operation;
    return slot;
}

void fake_front_push(FakeFront *front)
{
    __atomic_store_n(&front->sring->req_prod, front->sring->req_prod + 1,
                     __ATOMIC_RELEASE);
}

void fake_front_send(FakeFront *front, const void *req)
{
    XenPvSlot slot;

    memcpy(slot.bytes, req, sizeof(slot.bytes));
    memcpy(slot.bytes, &front->id, sizeof(front->id));
    front->id++;
    memcpy(fake_front_slot(front, front->sring->req_prod), slot.bytes,
           sizeof(slot.bytes));
    fake_front_push(front);
}

void fake_front_want_notify(FakeFront *front)
{
    front->sring->rsp_event = front->sring->rsp_prod + 1;
}

int32_t fake_front_response(const FakeFront *front, uint8_t operation,
                            uint32_t payload, void *rsp)
{
    XenPvSlot want = { { 0 } };
    XenPvHead head;

    g_assert_cmpuint(front->sring->rsp_prod, ==, front->sring->req_prod);
    memcpy(rsp, fake_front_slot(front, front->sring->rsp_prod - 1),
           sizeof(want));
    memcpy(&head, rsp, sizeof(head));
    g_assert_cmpuint(head.id, ==, (uint16_t)(front->id - 1));
    g_assert_cmpuint(head.operation, ==, operation);
    g_assert_cmpuint(head.reserved, ==, 0);
    g_assert_cmpint(head.status, <=, 0);
    memcpy(want.bytes, rsp, sizeof(head) + payload);
    g_assert_cmpmem(rsp, sizeof(want), want.bytes, sizeof(want));
    return head.status;
}
