/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the hypervisor's grant tables, for tests.
 *
 * Three tables, as in Xen, and all of them finite:
 *
 *   shared entries   one table for each domain, in memory that the domain
 *                    writes at any time; layout and flags are version 1 of
 *                    xen/grant_table.h, the index is the grant reference
 *   active entries   one beside each shared entry, private: to whom, which
 *                    frame, and how often it is pinned
 *   map track        one table for each mapping domain: an entry for each
 *                    mapping, whose index is the handle
 *
 * Operations come in batches, have the form of the hypercalls' arguments, and
 * leave in each entry a status of its own, GNTST_* of xen/grant_table.h; as
 * there an entry that fails does not stop those behind it, and undoing the
 * others is the caller's business.  Which status stands for which error
 * follows Xen:
 *
 *   GNTST_bad_domain    there is no such domain, or it is dying
 *   GNTST_bad_gntref    no such reference, or (map) no kind of mapping asked
 *   GNTST_bad_handle    no mapping of that handle
 *   GNTST_bad_virt_addr the address has no page table entry
 *   GNTST_bad_page      the frame does not belong to who grants (or
 *                       transfers) it, or (transfer) is used still
 *   GNTST_no_space      the map track is full
 *   GNTST_general_error everything else that an entry does not permit, pins
 *                       that cannot be counted, entries that do not rest
 *
 * All functions want the caller to hold the machine's lock, if several
 * processes share it.  The domains themselves need none to write their
 * entries: grant-refs.h is their side.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_GRANT_TABLE_H
#define HW_XEN_TESTBED_GRANT_TABLE_H

#include "machine.h"

/*
 * XEN_GRANT_MAX_PINS: pins of one kind that an active entry can count.  Xen
 * keeps a byte for them, and refuses one more when its highest bit is set.
 */
#define XEN_GRANT_MAX_PINS      128u

/**
 * struct XenGrantTableStats - what is in use of a domain's grants
 *
 * @mapped: mappings now
 * @peak: the most mappings there were
 * @refs: references that are pinned now
 */
typedef struct XenGrantTableStats {
    uint64_t mapped;
    uint64_t peak;
    uint64_t refs;
} XenGrantTableStats;

/**
 * xen_grant_table_map: GNTTABOP_map_grant_ref
 * @m: the machine
 * @mapper: the domain that maps
 * @ops: what to map; status, handle and dev_bus_addr are filled in
 * @count: how many
 *
 * GNTMAP_host_map and GNTMAP_device_map, each with or without
 * GNTMAP_readonly, are the kinds of mappings.  On success dev_bus_addr is the
 * address of the frame, which is never 0, on failure it is 0.
 *
 * A host mapping is put at host_addr.  If the machine has page tables, what
 * was there is overwritten: see xen_grant_table_write_pte().  If it has none
 * the address is not looked at.
 *
 * What the first pin of a reference finds in the shared entry holds until the
 * last is gone, whatever the domain writes there meanwhile.
 *
 * Returns: how many of @ops failed.
 */
uint32_t xen_grant_table_map(XenMachine *m, domid_t mapper,
                             struct gnttab_map_grant_ref *ops,
                             uint32_t count);

/**
 * xen_grant_table_unmap: GNTTABOP_unmap_grant_ref
 * @m: the machine
 * @mapper: the domain that has mapped
 * @ops: what to unmap; status is filled in
 * @count: how many
 *
 * As in Xen an address that is 0 is ignored: host_addr ends the host mapping
 * of the handle, dev_bus_addr the device mapping, and when both are gone the
 * handle is free.
 *
 * Returns: how many of @ops failed.
 */
uint32_t xen_grant_table_unmap(XenMachine *m, domid_t mapper,
                               struct gnttab_unmap_grant_ref *ops,
                               uint32_t count);

/**
 * xen_grant_table_copy: GNTTABOP_copy
 * @m: the machine; it must have memory
 * @caller: the domain that copies
 * @ops: what to copy; status is filled in
 * @count: how many
 *
 * Each side is a grant of the domain that it names or, with domain
 * DOMID_SELF, a frame of the caller's.
 *
 * Returns: how many of @ops failed.
 */
uint32_t xen_grant_table_copy(XenMachine *m, domid_t caller,
                              struct gnttab_copy *ops, uint32_t count);

/**
 * xen_grant_table_transfer: GNTTABOP_transfer
 * @m: the machine
 * @from: the domain that hands over frames of its own
 * @ops: which, and to whom; status is filled in
 * @count: how many
 *
 * The steps are Xen's: the frame is taken from its owner, which works if
 * nothing maps it any more; the acceptor's entry, which must be exactly
 * GTF_accept_transfer for @from, gets GTF_transfer_committed; the acceptor
 * becomes the owner; the number of the frame is written into the entry, and
 * after it GTF_transfer_completed.  The page that the entry has named is what
 * xen_machine_m2p() tells of the frame then.  Nothing of this is tracked.
 *
 * As in Xen the frame does not belong to @from any more, *unless* the status
 * is GNTST_bad_page: it is free when the transfer has failed.  This is so for
 * GNTST_bad_domain, GNTST_address_too_big (beyond what the acceptor reaches)
 * and GNTST_general_error (the acceptor is dying or may not own more frames,
 * or its entry is none, is for something or somebody else, or does not rest).
 *
 * Returns: how many of @ops failed.
 */
uint32_t xen_grant_table_transfer(XenMachine *m, domid_t from,
                                  struct gnttab_transfer *ops,
                                  uint32_t count);

/**
 * xen_grant_table_write_pte: a domain writes an entry of its page table
 * @m: the machine
 * @domid: the domain
 * @host_addr: the address that the entry maps
 * @frame: a frame of its own, or XEN_MACHINE_NO_FRAME to map nothing
 * @writable: whether it can be written to
 *
 * If a foreign frame was mapped there, the first entry of the domain's map
 * track that mentions that frame, mapped for the same kind of access, is
 * dropped as by an unmap.  It need not be the one that belongs to the
 * address: whoever has mapped the same frame more than once should unmap.
 *
 * Returns: GNTST_okay, GNTST_bad_domain, GNTST_bad_virt_addr, or
 * GNTST_bad_page for a frame of somebody else.
 */
int16_t xen_grant_table_write_pte(XenMachine *m, domid_t domid,
                                  uint64_t host_addr, uint32_t frame,
                                  bool writable);

/**
 * xen_grant_table_read_pte: what an address of a domain maps
 * @m: the machine
 * @domid: the domain
 * @host_addr: the address
 * @writable: where to store whether it can be written to; may be NULL
 *
 * Returns: the frame, or XEN_MACHINE_NO_FRAME.
 */
uint32_t xen_grant_table_read_pte(XenMachine *m, domid_t domid,
                                  uint64_t host_addr, bool *writable);

/**
 * xen_grant_table_pin: use a granted frame without mapping it, as to copy
 * @m: the machine
 * @user: the domain that uses it
 * @owner: the domain that grants it
 * @ref: its reference
 * @write: for writing, too
 * @frame: where to store the number of the frame
 *
 * Returns: GNTST_okay, or as xen_grant_table_map().
 */
int16_t xen_grant_table_pin(XenMachine *m, domid_t user, domid_t owner,
                            uint32_t ref, bool write, uint32_t *frame);

/**
 * xen_grant_table_unpin: undo one xen_grant_table_pin()
 * @m: the machine
 * @owner: the domain that grants it
 * @ref: its reference
 * @write: as it was pinned
 */
void xen_grant_table_unpin(XenMachine *m, domid_t owner, uint32_t ref,
                           bool write);

/**
 * xen_grant_table_release: unmap all that a domain has mapped
 * @m: the machine
 * @mapper: the domain
 */
void xen_grant_table_release(XenMachine *m, domid_t mapper);

/**
 * xen_grant_table_kill: a domain dies
 * @m: the machine
 * @domid: the domain
 *
 * What it has mapped is unmapped, its grants cannot be mapped any more, and
 * its frames become free once nobody has them mapped.
 */
void xen_grant_table_kill(XenMachine *m, domid_t domid);

/**
 * xen_grant_table_stats: read the counters of a domain's grants
 * @m: the machine
 * @owner: the domain
 * @stats: where to store them
 */
void xen_grant_table_stats(XenMachine *m, domid_t owner,
                           XenGrantTableStats *stats);

/**
 * xen_grant_table_reset_peak: the peak becomes what is mapped now
 * @m: the machine
 * @owner: the domain that grants
 */
void xen_grant_table_reset_peak(XenMachine *m, domid_t owner);

/**
 * xen_grant_table_check: whether all that the model counts agrees
 * @m: the machine
 * @trusted: whether nobody has written into shared entries against the rules,
 *     so that their flags must agree, too
 *
 * Pins with mappings, mappings with page tables and with the counters, frames
 * with their users and owners; all free lists are whole.  Takes as long as
 * the machine is large: for tests, after every step.
 *
 * Returns: NULL, or what is wrong, to be freed.
 */
char *xen_grant_table_check(XenMachine *m, bool trusted);

/**
 * xen_grant_status_errno: a status for those who speak errno
 * @status: GNTST_*
 *
 * Returns: 0 or a negative errno value.
 */
int xen_grant_status_errno(int16_t status);

#endif /* HW_XEN_TESTBED_GRANT_TABLE_H */
