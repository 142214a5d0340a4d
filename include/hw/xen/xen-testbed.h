/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fake Xen for tests: what its guest has to know.
 *
 * "-device xen-testbed" makes a QEMU process believe that it serves a Xen
 * domain.  The domain is whoever opens the file behind the memory backend
 * (the domain's memory) and connects to the character device (its hypercalls
 * and its xenstore).  This header holds all that the two have to agree on,
 * and needs nothing of QEMU.
 *
 * Memory
 * ------
 * Page 0 is reserved.  Pages 1 to "grant-frames" are the grant table, version
 * 1 (xen/grant_table.h, struct grant_entry_v1), 512 entries a page; entry n
 * is grant reference n.  All other pages are the guest's to use.  As on Xen
 * the in-use flags of an entry, GTF_reading and GTF_writing, are the testbed's
 * to set and to clear, and all else in the table is the guest's.
 *
 * The last "dom0-pages" pages, none unless told, are the backend's domain's: it
 * shares them with the guest, which maps them by "map" and must not touch them
 * otherwise.
 *
 * The backend maps as a process on Linux does: at most "limit" grants in a
 * call, all of them or none, and -EINVAL whatever is wrong with one.  A domain
 * can have "maptrack" mappings.
 *
 * When QEMU is killed
 * -------------------
 * Then the guest's memory stays, as it is a file, and with "state=FILE" the
 * xenstore and the guest's ports do.  A QEMU that is started again with the
 * same files goes on with that; nothing is mapped, shared or bound then.
 *
 * Lines
 * -----
 * The guest sends requests, a line each, and may send several before it reads
 * an answer.  Every request is answered by one line, in order:
 *
 *   SEQ OK [WORD...]        it was done
 *   SEQ ERR ERRNO           it was not; a number of errno.h
 *
 * where SEQ is the number (decimal, 32 bits) that the request began with.
 * What is no request is answered with SEQ 0.  Words are separated by one
 * space.  In a VALUE each byte that is not a printable character of ASCII,
 * and each space and percent sign, is written as %XX; an empty VALUE is
 * written as nothing at all, also by leaving away the space before it.
 *
 *   SEQ info                "domid=N grant-frames=N pages=N dom0-pages=N";
 *                           "pages" counts them all
 *   SEQ write PATH VALUE    xenstore, as the guest: its permissions and
 *   SEQ read PATH           quotas hold, relative paths are below
 *   SEQ rm PATH             /local/domain/DOMID
 *   SEQ list PATH           answers the names, a word each
 *   SEQ watch PATH          answers with OK, and then with "changed PATH"
 *   SEQ unwatch PATH
 *   SEQ dom0 VERB ...       write, read, rm and list as the toolstack, and
 *   SEQ dom0 create PATH OWNER READER
 *                           make a directory that domain OWNER may write and
 *                           domain READER may read, and all below it
 *   SEQ alloc-port          answers a new event channel port, unbound, that
 *                           the backend may bind
 *   SEQ close-port PORT
 *   SEQ kick PORT           notify the backend
 *   SEQ map REF             map a page that the backend shares: answers the
 *                           number of the page and a handle
 *   SEQ unmap HANDLE        undo that
 *   SEQ stats               "NAME=N" words: see XEN_TESTBED_STATS
 *   SEQ reset-peak          the peak becomes what is mapped now
 *   SEQ fail WHAT N [ERRNO] let the N-th next operation of the backend fail:
 *                           1 is the next one, 0 takes it back; answers
 *                           what was left of the last N, 0 when it has
 *                           failed.  WHAT is one of
 *                             open     opening a grant device, an event
 *                                      channel handle or xenstore
 *                             map      mapping grants
 *                             unmap    unmapping them; they stay mapped
 *                             copy     grant copy
 *                             share    allocating and granting pages
 *                             replace  putting other memory in the place of
 *                                      mapped or shared pages
 *                             bind     binding an event channel
 *                             unbind   unbinding it; it stays bound until its
 *                                      handle is closed
 *                             notify   notifying the guest
 *                             pending  asking which channel has an event,
 *                                      which stays pending
 *                             store    reading, writing, creating, listing
 *                                      and watching nodes, the start and the
 *                                      end of a transaction
 *   SEQ vanish              the domain dies: its ports are closed, its
 *                           xenstore directory goes, and no more of its
 *                           grants can be mapped; mappings stay, but for
 *                           those that were the domain's own
 *
 * Between the answers come
 *
 *   event PORT              the backend notified the port
 *   changed PATH            something changed at or below a watched path
 *
 * Both are levels, not edges: while a line waits to be sent, what would be
 * the same line again is not added.
 *
 * A line longer than XEN_TESTBED_LINE_MAX is dropped whole.  When the peer
 * disconnects, its watches go; the domain lives on.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_TESTBED_H
#define HW_XEN_XEN_TESTBED_H

/** XEN_TESTBED_PAGE_SIZE: bytes of a page */
#define XEN_TESTBED_PAGE_SIZE       4096u

/** XEN_TESTBED_GRANT_TABLE: number of the grant table's first page */
#define XEN_TESTBED_GRANT_TABLE     1u

/** XEN_TESTBED_GRANTS_PER_PAGE: entries that a page of the table holds */
#define XEN_TESTBED_GRANTS_PER_PAGE 512u

/** XEN_TESTBED_GRANT_FRAMES: pages of the grant table, unless told */
#define XEN_TESTBED_GRANT_FRAMES    64u

/** XEN_TESTBED_LIMIT: grants that a call can map, unless told: Linux's limit */
#define XEN_TESTBED_LIMIT           65536u

/** XEN_TESTBED_MAPTRACK: mappings of a domain, unless told: Xen's default */
#define XEN_TESTBED_MAPTRACK        (1024u * 256u)

/** XEN_TESTBED_GUEST: the guest's domain, unless told */
#define XEN_TESTBED_GUEST           1u

/** XEN_TESTBED_BACKEND: the domain that grants must name */
#define XEN_TESTBED_BACKEND         0u

/** XEN_TESTBED_PORTS: event channel ports are below this number */
#define XEN_TESTBED_PORTS           4096u

/** XEN_TESTBED_LINE_MAX: bytes of a line, without its end */
#define XEN_TESTBED_LINE_MAX        16384u

/**
 * XEN_TESTBED_STATS: the counters of "stats", in order: X(field, "name")
 *
 * mapped: mappings of grants now; a page that is mapped twice counts twice
 * peak: the most there were
 * refs: references in use now
 * handles: open handles of the grant device
 * map_calls: calls of map
 * map_failures: of these, that failed
 * unmap_calls: calls of unmap
 * bad_unmaps: of these, that named no mapping
 * copies: pages copied by grant copy
 * leaks: mappings that were left when a handle was closed
 * ports: the guest's ports that are bound by the backend
 * notifies: notifications by the backend
 * shared: pages that the backend shares with the guest now
 * share_calls: calls of share
 * share_failures: of these, that failed
 * share_leaks: pages that were shared still when a handle was closed
 * guest_mapped: mappings of such pages by the guest now
 * lingering: pages that are not shared any more but that the guest has mapped
 *     still, and that are not free therefore
 */
#define XEN_TESTBED_STATS(X)                \
    X(mapped, "mapped")                     \
    X(peak, "peak")                         \
    X(refs, "refs")                         \
    X(handles, "handles")                   \
    X(map_calls, "map-calls")               \
    X(map_failures, "map-failures")         \
    X(unmap_calls, "unmap-calls")           \
    X(bad_unmaps, "bad-unmaps")             \
    X(copies, "copies")                     \
    X(leaks, "leaks")                       \
    X(ports, "ports")                       \
    X(notifies, "notifies")                 \
    X(shared, "shared")                     \
    X(share_calls, "share-calls")           \
    X(share_failures, "share-failures")     \
    X(share_leaks, "share-leaks")           \
    X(guest_mapped, "guest-mapped")         \
    X(lingering, "lingering")

#endif /* HW_XEN_XEN_TESTBED_H */
