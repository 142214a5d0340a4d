/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables: frames that change their owner
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "grant-table.h"
#include "machine-state.h"

/* How often a domain may change an entry before it is committed */
#define COMMIT_RETRIES  5

/*
 * From here on the acceptor must not touch the entry, until it is completed.
 * Whatever else it has set means that it does not know what it is doing.
 */
static bool commit(XenMachine *m, const Domain *to, uint32_t ref,
                   domid_t from)
{
    grant_entry_v1_t *shared;
    int i;

    if (ref >= to->nr_entries) {
        return false;
    }
    shared = &machine_shared(m, to)[ref];
    for (i = 0; i < COMMIT_RETRIES; i++) {
        uint16_t flags = __atomic_load_n(&shared->flags, __ATOMIC_ACQUIRE);

        if (flags != GTF_accept_transfer ||
            __atomic_load_n(&shared->domid, __ATOMIC_RELAXED) != from) {
            return false;
        }
        if (__atomic_compare_exchange_n(&shared->flags, &flags,
                                        flags | GTF_transfer_committed, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

/* The page that it was meant for becomes the frame, and then it is said so */
static void complete(XenMachine *m, Domain *to, uint32_t ref, uint32_t frame)
{
    grant_entry_v1_t *shared = &machine_shared(m, to)[ref];

    xen_machine_assign(m, to, frame,
                       __atomic_load_n(&shared->frame, __ATOMIC_RELAXED));
    __atomic_store_n(&shared->frame, frame, __ATOMIC_RELAXED);
    __atomic_fetch_or(&shared->flags, GTF_transfer_completed,
                      __ATOMIC_ACQ_REL);
}

/* Hand over a frame that is nobody's by now */
static int16_t hand_over(XenMachine *m, domid_t from, uint32_t frame,
                         domid_t domid, uint32_t ref)
{
    Domain *to = xen_machine_domain(m, domid);

    if (!to) {
        return GNTST_bad_domain;
    }
    if (frame > to->max_frame) {
        return GNTST_address_too_big;
    }
    if (to->dying || to->nr_pages >= to->max_pages ||
        !commit(m, to, ref, from)) {
        return GNTST_general_error;
    }
    complete(m, to, ref, frame);
    return GNTST_okay;
}

static int16_t transfer_one(XenMachine *m, Domain *from,
                            const struct gnttab_transfer *op)
{
    uint32_t frame = MIN(op->mfn, XEN_MACHINE_NO_FRAME);
    int16_t status;

    if (!from || from->dying || !xen_machine_steal(m, from, frame)) {
        return GNTST_bad_page;
    }
    status = hand_over(m, from->domid, frame, op->domid, op->ref);
    if (status != GNTST_okay) {
        xen_machine_free_stolen(m, frame);
    }
    return status;
}

uint32_t xen_grant_table_transfer(XenMachine *m, domid_t from,
                                  struct gnttab_transfer *ops, uint32_t count)
{
    Domain *d = xen_machine_domain(m, from);
    uint32_t failed = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        ops[i].status = transfer_one(m, d, &ops[i]);
        failed += ops[i].status != GNTST_okay;
    }
    return failed;
}
