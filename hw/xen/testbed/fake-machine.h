/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fake Xen machine in a file, which processes share.
 *
 * The file holds everything: the domains' memory, their grant tables, what is
 * Xen's own, and the open files of their grant devices.  Whoever maps the file
 * is on the machine; XEN_FAKE_MACHINE in the environment names it by custom,
 * and fake-grants.c makes it appear as /dev/xen/gntdev and /dev/xen/gntalloc.
 *
 * The file
 * --------
 * It starts with a struct XenFakeHeader, which says where the parts are; all
 * offsets are in bytes, from the start of the file, and multiples of a page.
 *
 *   memory_offset    what is in the frames, frame 0 first
 *   state_offset     a XenMachine: see machine.h
 *   gntalloc_offset  the domains' gntalloc devices: see gntalloc.h
 *   files_offset     the open files of gntdev devices: see gntdev.h; and
 *                      dma-bufs: see fake-dmabuf.h
 *
 * Memory starts with Xen's own frame 0, then come the domains' grant tables,
 * "grant_frames" each: that of the domain in entry n of "domains" begins with
 * frame 1 + n * grant_frames and is, as everywhere, an array of struct
 * grant_entry_v1 whose index is the reference.  All further frames are
 * handed out to the domains as they need them.  Thus a reader who wants no
 * more than a look at a domain's grants needs xen/grant_table.h and this
 * header; one who attaches has all of grant-table.h, too.
 *
 * The file is sparse, and much larger than what it takes on a disk.
 *
 * Who is there, and who holds what
 * --------------------------------
 * Processes and open files are known by locks of the kernel's, which go by
 * themselves when their holders are gone, however they went: bytes of the file
 * that are locked by an open file description (fcntl(2), F_OFD_SETLK).
 *
 *   XEN_FAKE_LOCK              who is changing something
 *   XEN_FAKE_LOCK_PROCESS + n  process n lives
 *   XEN_FAKE_LOCK_FILE + n     file n is open: by a descriptor somewhere, or
 *                              because pages are mapped by it
 *
 * Each who takes the lock first looks for what the dead have left, and undoes
 * it as Linux does when a process exits: xen_fake_lock() does.  That a file
 * descriptor is file n of the machine can be seen from its position, which is
 * XEN_FAKE_POSITION + n.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_TESTBED_FAKE_MACHINE_H
#define HW_XEN_TESTBED_FAKE_MACHINE_H

#include <sys/types.h>

#include "gntalloc.h"
#include "gntdev.h"

/** XEN_FAKE_MAGIC: how the file begins: "XENFAKE" and a version */
#define XEN_FAKE_MAGIC          "XENFAKE\2"

#define XEN_FAKE_DOMAINS        16u
#define XEN_FAKE_FILES          32u
#define XEN_FAKE_PROCESSES      64u
#define XEN_FAKE_PORTS          256u

#define XEN_FAKE_LOCK           (INT64_C(1) << 40)
#define XEN_FAKE_LOCK_PROCESS   (XEN_FAKE_LOCK + 0x1000)
#define XEN_FAKE_LOCK_FILE      (XEN_FAKE_LOCK + 0x2000)
#define XEN_FAKE_POSITION       (INT64_C(1) << 41)

/**
 * enum XenFakeKind - what is open
 *
 * @XEN_FAKE_EXPORT: a dma-buf of pages that gntdev has mapped
 * @XEN_FAKE_MEMORY: a dma-buf of memory of the domain's
 * @XEN_FAKE_IMPORT: no file: that gntdev has imported such a dma-buf
 */
typedef enum XenFakeKind {
    XEN_FAKE_NONE,
    XEN_FAKE_GNTDEV,
    XEN_FAKE_GNTALLOC,
    XEN_FAKE_EXPORT,
    XEN_FAKE_MEMORY,
    XEN_FAKE_IMPORT,
} XenFakeKind;

/**
 * struct XenFakeConfig - sizes, when the file is made
 *
 * @pages: frames of the machine
 * @grant_frames: of each domain
 * @maptrack: mappings that a domain can have
 * @gntdev_limit: grants of a request
 * @gntdev_slots: grants that a file can have asked for
 * @gntalloc_limit: pages of a domain's gntalloc
 * @dmabuf: what gntdev can do with dma-bufs: 0, nothing; 1, all; 2, what it can
 *     in a PV domain: import
 */
typedef struct XenFakeConfig {
    uint32_t pages;
    uint32_t grant_frames;
    uint32_t maptrack;
    uint32_t gntdev_limit;
    uint32_t gntdev_slots;
    uint32_t gntalloc_limit;
    uint32_t dmabuf;
} XenFakeConfig;

/**
 * struct XenFakePort - an event channel port of a domain
 *
 * @users: who holds it: its domain while it is open, and each notification
 *     that was asked for
 * @open: the domain has it
 * @sent: how often it was notified
 */
typedef struct XenFakePort {
    uint32_t users;
    uint32_t open;
    uint64_t sent;
} XenFakePort;

/**
 * struct XenFakeDomain - a domain
 *
 * @used: there is one
 * @domid: its number
 */
typedef struct XenFakeDomain {
    uint32_t used;
    uint32_t domid;
    XenFakePort ports[XEN_FAKE_PORTS];
} XenFakeDomain;

/**
 * struct XenFakeFile - an open file
 *
 * @kind: XenFakeKind
 * @domain: entry of its domain in domains
 * @gntdev: of an export or import: the file that it was asked of, which is gone
 *     if it is XEN_FAKE_FILES
 * @number: likewise: the number of the descriptor, then
 * @serial: likewise: the later, the larger
 */
typedef struct XenFakeFile {
    uint32_t kind;
    uint32_t domain;
    uint32_t gntdev;
    uint32_t number;
    uint64_t serial;
} XenFakeFile;

/**
 * struct XenFakeHeader - the start of the file
 *
 * @busy: somebody is changing something.  Found by who has the lock: somebody
 *     died of it, and the machine with him.
 * @processes: not 0 for who was there
 */
typedef struct XenFakeHeader {
    char magic[8];
    uint64_t size;
    XenFakeConfig config;
    uint32_t busy;
    uint64_t memory_offset;
    uint64_t state_offset;
    uint64_t state_size;
    uint64_t gntalloc_offset;
    uint64_t gntalloc_size;
    uint64_t files_offset;
    uint64_t file_size;
    uint32_t processes[XEN_FAKE_PROCESSES];
    XenFakeFile files[XEN_FAKE_FILES];
    XenFakeDomain domains[XEN_FAKE_DOMAINS];
} XenFakeHeader;

/**
 * struct XenFakeMachine - a process's way to the machine
 *
 * @header: the file
 * @machine: to be used while locked
 * @process: this process's number
 */
typedef struct XenFakeMachine {
    XenFakeHeader *header;
    XenMachine machine;
    uint32_t process;

    char *path;
    int fd;
    pid_t pid;
    dev_t dev;
    ino_t ino;
} XenFakeMachine;

/**
 * xen_fake_attach: get on the machine in a file
 * @path: the file; it is made if there is none
 * @settings: sizes for a new one: "NAME=N" words, separated by commas, where
 *     NAME is "pages", "grant-frames", "maptrack", "gntdev-limit",
 *     "gntdev-slots", "gntalloc-limit" or "dmabuf"; or NULL
 * @fake: where to store the way to it
 *
 * Returns: 0 or a negative errno value: -EINVAL for settings that cannot be,
 * -EUCLEAN for a file that is no machine of this version, -EIO for one that
 * is damaged, -EUSERS when too many processes are there.
 */
int xen_fake_attach(const char *path, const char *settings,
                    XenFakeMachine **fake);

/**
 * xen_fake_detach: leave the machine
 * @fake: the way to it, or NULL
 */
void xen_fake_detach(XenFakeMachine *fake);

/**
 * xen_fake_forked: this process is a child: be a process of its own
 * @fake: the parent's way to the machine
 */
void xen_fake_forked(XenFakeMachine *fake);

/**
 * xen_fake_lock: have the machine for oneself, with nothing left by the dead
 * @fake: the machine
 *
 * Not recursive, and not between threads of a process.
 *
 * Returns: 0; -EIO when somebody was killed while he had it.
 */
int xen_fake_lock(XenFakeMachine *fake);

/**
 * xen_fake_unlock: let others have it
 * @fake: the machine
 */
void xen_fake_unlock(XenFakeMachine *fake);

/**
 * xen_fake_domain: find a domain, or make it
 * @fake: the machine, locked
 * @domid: its number
 *
 * Returns: its entry in the header, or a negative errno value.
 */
int xen_fake_domain(XenFakeMachine *fake, domid_t domid);

/**
 * xen_fake_open: open a device of a domain's
 * @fake: the machine, not locked
 * @kind: which device
 * @domid: whose
 * @flags: O_CLOEXEC or 0
 *
 * Returns: a file descriptor or a negative errno value.
 */
int xen_fake_open(XenFakeMachine *fake, XenFakeKind kind, domid_t domid,
                  int flags);

/**
 * xen_fake_open_locked: the same for any kind of file
 * @fake: the machine, locked
 * @kind: what it is to be
 * @domain: entry of its domain in the header
 * @flags: O_CLOEXEC or 0
 *
 * Returns: a file descriptor or a negative errno value.
 */
int xen_fake_open_locked(XenFakeMachine *fake, XenFakeKind kind,
                         uint32_t domain, int flags);

/**
 * xen_fake_find_free: find a file that there is not
 * @fake: the machine, locked
 *
 * Returns: its number or -ENFILE.
 */
int xen_fake_find_free(const XenFakeMachine *fake);

/**
 * xen_fake_file: which file a descriptor is
 * @fake: the machine
 * @fd: the descriptor
 *
 * Returns: the number of a file of the machine, or -1.
 */
int xen_fake_file(XenFakeMachine *fake, int fd);

/**
 * xen_fake_host: the machine as a domain sees it
 * @fake: the machine
 * @domain: the domain's entry in the header
 *
 * Returns: what gntdev.h and gntalloc.h want.
 */
XenGntHost xen_fake_host(XenFakeMachine *fake, uint32_t domain);

/* The state of a file of gntdev, and of the gntalloc of a domain's entry */
XenGntdevFile *xen_fake_gntdev(XenFakeMachine *fake, uint32_t file);
XenGntalloc *xen_fake_gntalloc(XenFakeMachine *fake, uint32_t domain);

/**
 * xen_fake_copy: copy as the kernel does, which finds bad addresses
 * @to: to where
 * @from: from where
 * @len: bytes
 *
 * Returns: 0 or -EFAULT.
 */
int xen_fake_copy(void *to, const void *from, size_t len);

/**
 * xen_fake_open_port: give a domain an event channel port
 * @fake: the machine, locked
 * @domid: the domain
 *
 * Returns: the port, or a negative errno value.
 */
int xen_fake_open_port(XenFakeMachine *fake, domid_t domid);

/**
 * xen_fake_close_port: take it away again
 * @fake: the machine, locked
 * @domid: the domain
 * @port: the port
 *
 * Who wants to be notified by it still holds it.
 *
 * Returns: 0, or -EINVAL for a port that is not open.
 */
int xen_fake_close_port(XenFakeMachine *fake, domid_t domid, uint32_t port);

/**
 * xen_fake_port: look at a port
 * @fake: the machine, locked
 * @domid: the domain
 * @port: the port
 *
 * Returns: the port, or NULL.
 */
const XenFakePort *xen_fake_port(XenFakeMachine *fake, domid_t domid,
                                 uint32_t port);

#endif /* HW_XEN_TESTBED_FAKE_MACHINE_H */
