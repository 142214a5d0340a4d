/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the machine that Xen shares out: frames and who owns them,
 * domains, their pages (p2m) and the size of their tables.  The grant tables
 * (grant-table.h) stand on it.
 *
 * All state is one flat block of the caller's, without a pointer inside, so
 * that processes may share it by mapping a file; whoever shares it holds a
 * lock of its own around every call.  What differs between processes is in
 * struct XenMachine: where the block, the frames' memory and, where it is in
 * neither, a domain's grant table are mapped.
 *
 * Frames are numbered from 0.  Each is Xen's own (so is 0, always), free, or
 * a domain's.  As for a PV domain of Xen a frame's number is the machine's,
 * and the domain itself keeps the p2m: Xen never looks into it.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_MACHINE_H
#define HW_XEN_TESTBED_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif
#include <xen/grant_table.h>

#define XEN_MACHINE_PAGE_SHIFT  12
#define XEN_MACHINE_PAGE_SIZE   (1u << XEN_MACHINE_PAGE_SHIFT)

/** XEN_MACHINE_ENTRIES: entries of a grant table that a page holds */
#define XEN_MACHINE_ENTRIES     512u

/** XEN_MACHINE_DOMAINS: the most domains of a machine */
#define XEN_MACHINE_DOMAINS     64u

/** XEN_MACHINE_NO_FRAME: no frame, or (p2m, m2p) no entry */
#define XEN_MACHINE_NO_FRAME    UINT32_MAX

/**
 * struct XenMachineConfig - sizes, all of them final
 *
 * @nr_frames: frames of the machine
 * @nr_domains: domains, at most XEN_MACHINE_DOMAINS
 * @nr_entries: grant entries of a domain, at most
 * @nr_handles: mappings that a domain can have
 * @nr_pfns: entries of a domain's p2m; may be 0
 * @nr_ptes: entries of a domain's page table, which map the addresses below
 *     @nr_ptes << XEN_MACHINE_PAGE_SHIFT; 0 when the domains keep page tables
 *     of their own, of which the model knows nothing
 */
typedef struct XenMachineConfig {
    uint32_t nr_frames;
    uint32_t nr_domains;
    uint32_t nr_entries;
    uint32_t nr_handles;
    uint32_t nr_pfns;
    uint32_t nr_ptes;
} XenMachineConfig;

/**
 * struct XenMachine - a process's way to a machine
 *
 * @state: the block that all share
 * @memory: what the frames hold; NULL if nobody asks for it
 * @tables: grant tables that are not in @memory: see xen_machine_set_table()
 */
typedef struct XenMachine {
    struct XenMachineState *state;
    uint8_t *memory;
    grant_entry_v1_t *tables[XEN_MACHINE_DOMAINS];
} XenMachine;

/**
 * xen_machine_size: how large the block must be
 * @config: sizes
 *
 * Returns: bytes; 0 for sizes that cannot be.
 */
size_t xen_machine_size(const XenMachineConfig *config);

/**
 * xen_machine_init: make a machine in which all frames are Xen's own
 * @m: the way to it, to be filled in
 * @block: as many bytes as xen_machine_size() says, all of them zero, aligned
 *     as malloc() would; must outlive @m
 * @config: sizes
 * @memory: what the frames hold, in this process; or NULL
 */
void xen_machine_init(XenMachine *m, void *block,
                      const XenMachineConfig *config, void *memory);

/**
 * xen_machine_attach: find the way to a machine that somebody else has made
 * @m: the way to it, to be filled in
 * @block: the block
 * @size: its bytes
 * @memory: what the frames hold, in this process; or NULL
 *
 * Returns: whether there is a machine of that size in the block.
 */
bool xen_machine_attach(XenMachine *m, void *block, size_t size,
                        void *memory);

/**
 * xen_machine_add_domain: a new domain, which owns nothing yet
 * @m: the machine
 * @domid: its number
 * @nr_entries: entries of its grant table
 * @table_frame: first frame of its grant table, which stays Xen's own; 0 if
 *     the table is where xen_machine_set_table() says
 *
 * The table must be empty, which is all zero.
 *
 * Returns: 0; -EEXIST; -ENOSPC when there is no room for one more; -EINVAL
 * for sizes that are too large or a reserved number.
 */
int xen_machine_add_domain(XenMachine *m, domid_t domid, uint32_t nr_entries,
                           uint32_t table_frame);

/**
 * xen_machine_set_table: tell this process where a domain's grant table is
 * @m: the machine
 * @domid: the domain, added with no table frame
 * @table: its entries
 */
void xen_machine_set_table(XenMachine *m, domid_t domid,
                           grant_entry_v1_t *table);

/**
 * xen_machine_table: a domain's grant table
 * @m: the machine
 * @domid: the domain
 * @nr_entries: where to store its size; may be NULL
 *
 * Returns: the entries as this process sees them, or NULL.
 */
grant_entry_v1_t *xen_machine_table(XenMachine *m, domid_t domid,
                                    uint32_t *nr_entries);

/**
 * xen_machine_set_limits: what a domain can take
 * @m: the machine
 * @domid: the domain
 * @max_pages: frames that it may own
 * @max_frame: the last frame that it can reach
 *
 * A new domain has no limits.
 */
void xen_machine_set_limits(XenMachine *m, domid_t domid, uint32_t max_pages,
                            uint32_t max_frame);

/**
 * xen_machine_give: give frames of Xen's own to a domain
 * @m: the machine
 * @domid: the domain
 * @first: the first frame
 * @count: how many
 *
 * Returns: 0, or -EINVAL when not all of them are Xen's to give, or not to
 * that domain; then nothing has changed.
 */
int xen_machine_give(XenMachine *m, domid_t domid, uint32_t first,
                     uint32_t count);

/**
 * xen_machine_release: let frames of Xen's own be free
 * @m: the machine
 * @first: the first frame
 * @count: how many
 *
 * Returns: 0, or -EINVAL as xen_machine_give().
 */
int xen_machine_release(XenMachine *m, uint32_t first, uint32_t count);

/**
 * xen_machine_increase_reservation: XENMEM_increase_reservation
 * @m: the machine
 * @domid: the domain that wants more
 * @frames: where to store the free frames that become its own
 * @count: how many it wants
 *
 * Returns: how many it gets.
 */
uint32_t xen_machine_increase_reservation(XenMachine *m, domid_t domid,
                                          uint32_t *frames, uint32_t count);

/**
 * xen_machine_decrease_reservation: XENMEM_decrease_reservation
 * @m: the machine
 * @domid: the domain that gives frames back
 * @frames: the frames
 * @count: how many
 *
 * A frame that somebody still uses becomes free once nobody does.
 *
 * Returns: how many were its own to give, up to the first that was not.
 */
uint32_t xen_machine_decrease_reservation(XenMachine *m, domid_t domid,
                                          const uint32_t *frames,
                                          uint32_t count);

/**
 * xen_machine_owner: whose a frame is
 * @m: the machine
 * @frame: the frame
 *
 * Returns: a domain, or DOMID_INVALID if it is Xen's own or free.
 */
domid_t xen_machine_owner(XenMachine *m, uint32_t frame);

/* Frames that a domain owns */
uint32_t xen_machine_nr_pages(XenMachine *m, domid_t domid);

/* The domain's own view: -EINVAL outside its p2m */
int xen_machine_set_p2m(XenMachine *m, domid_t domid, uint32_t pfn,
                        uint32_t frame);
uint32_t xen_machine_p2m(XenMachine *m, domid_t domid, uint32_t pfn);

/* Xen's view: the page that a frame is for its owner, or none */
uint32_t xen_machine_m2p(XenMachine *m, uint32_t frame);

#endif /* HW_XEN_TESTBED_MACHINE_H */
