/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page directories of Xen PV protocols: a guest's shared buffer, mapped
 * lazily through a cache.
 *
 * A frontend that speaks displif, sndif or a relative of theirs describes a
 * buffer by a chain of directory pages (xen/io/displif.h, "struct
 * xendispl_page_directory"): a next reference, then 1023 references to data
 * pages.  This helper walks such a directory once, with every bound checked,
 * and from then on maps windows of the buffer only when somebody looks at
 * them.
 *
 * The interface needs nothing of QEMU and no macros: opaque handles,
 * fixed-width integers, and results of 0 or a negative errno value.
 *
 * Growth: a struct that the caller fills starts with its own size, and a
 * function that fills one takes the size as an argument.  Later versions of
 * the library may add fields at the end.  Fields that an older caller does not
 * have are 0 for the library; fields that an older library does not have must
 * be 0, or the call fails with -EINVAL.
 *
 * Threads: a mapper, its buffers and its views may be used by one thread at a
 * time; the caller locks.  Different mappers are independent, as the library
 * has no global state.  Memory that a view points to may be read and written
 * by any thread while a reference to the view is held, even while another
 * thread revokes the buffer, if the mapper has a @replace operation.
 *
 * Re-entrancy: grant operations may not call the library for their mapper.  The
 * function that xen_pgdir_buffer_retire() takes may.
 *
 * Fork: a child process may not use a mapper of its parent, nor look at its
 * views: the kernel does not give it the mappings.  It should exec() or
 * _exit().
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PGDIR_H
#define HW_XEN_XEN_PGDIR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of <sys/uio.h> */
struct iovec;

/* What xengnttab_handle and xengntshr_handle of <xengnttab.h> are */
struct xengntdev_handle;

/*
 * XEN_PGDIR_ABI_VERSION: what xen_pgdir_abi_version() returns for this file:
 * 100 times the major version, and the minor one.  The soname has the major
 * version.
 */
#define XEN_PGDIR_ABI_VERSION   100u

/* XEN_PGDIR_PAGE_SIZE: bytes of a page, of the protocol and of a grant */
#define XEN_PGDIR_PAGE_SIZE     4096u

/* XEN_PGDIR_REFS_PER_PAGE: data references that one directory page holds */
#define XEN_PGDIR_REFS_PER_PAGE 1023u

/* XEN_PGDIR_MAX_MAPPINGS: what XenPgdirConfig.max_mappings is if it is 0 */
#define XEN_PGDIR_MAX_MAPPINGS  256u

/*
 * XEN_PGDIR_FULL_...: which limit of XenPgdirConfig was reached: max_pages,
 * max_mappings or max_buffer_pages
 */
#define XEN_PGDIR_FULL_PAGES    1u
#define XEN_PGDIR_FULL_MAPPINGS 2u
#define XEN_PGDIR_FULL_BUFFER   3u

/*
 * XEN_PGDIR_CAUSE_...: who caused an error, see struct XenPgdirError
 *
 * CALLER: an argument is wrong, or the call is not allowed now.
 * GUEST: the directory is wrong, or a reference cannot be mapped as asked.
 * BUDGET: a limit of XenPgdirConfig was reached.
 * HOST: the kernel, the hypervisor or an operation refused, or memory ran out.
 */
#define XEN_PGDIR_CAUSE_NONE    0u
#define XEN_PGDIR_CAUSE_CALLER  1u
#define XEN_PGDIR_CAUSE_GUEST   2u
#define XEN_PGDIR_CAUSE_BUDGET  3u
#define XEN_PGDIR_CAUSE_HOST    4u

/*
 * XEN_PGDIR_WRITABLE: flag of xen_pgdir_buffer_new(): map the data pages for
 * writing, too
 */
#define XEN_PGDIR_WRITABLE      1u

/*
 * XEN_PGDIR_GUEST_READS: flag of xen_pgdir_buffer_new_shared(): the guest may
 * read the pages, but not write them
 */
#define XEN_PGDIR_GUEST_READS   2u

/*
 * XEN_PGDIR_DMABUF_...: flags of xen_pgdir_buffer_export(), of which one may be
 * set: have the pages backed by memory that dma_alloc_wc() or
 * dma_alloc_coherent() of Linux would return, for devices that want that.  A
 * kernel without CONFIG_XEN_GRANT_DMA_ALLOC ignores them.
 */
#define XEN_PGDIR_DMABUF_WC       1u
#define XEN_PGDIR_DMABUF_COHERENT 2u

/*
 * XEN_PGDIR_STATE_...: of a buffer
 *
 * LIVE: it can be looked at.
 * RETIRING: only views and dma-bufs that are held go on:
 *     xen_pgdir_buffer_retire().
 * REVOKED: the guest has its pages back: xen_pgdir_buffer_revoke().
 */
#define XEN_PGDIR_STATE_LIVE     0u
#define XEN_PGDIR_STATE_RETIRING 1u
#define XEN_PGDIR_STATE_REVOKED  2u

/**
 * typedef XenPgdirMapper - one foreign domain: operations, budget, cache
 */
typedef struct XenPgdirMapper XenPgdirMapper;

/**
 * typedef XenPgdirBuffer - one directory's buffer: its size and references
 */
typedef struct XenPgdirBuffer XenPgdirBuffer;

/**
 * typedef XenPgdirView - a pinned, contiguous window of a buffer
 */
typedef struct XenPgdirView XenPgdirView;

/**
 * typedef XenPgdirRetired - a buffer that was to retire is revoked now
 * @opaque: from xen_pgdir_buffer_retire()
 * @status: 0 when the last view was let go and the dma-buf closed; -ETIMEDOUT
 *     when xen_pgdir_mapper_expire() and -ECANCELED when
 *     xen_pgdir_buffer_revoke() took the pages before that.  A dma-buf that was
 *     not closed by then still has them.
 *
 * It may call any function of the library.
 */
typedef void (*XenPgdirRetired)(void *opaque, int32_t status);

/**
 * struct XenPgdirGrantOps - how grants of the foreign domain are mapped
 *
 * @size: sizeof(XenPgdirGrantOps)
 * @map: map @count references as one contiguous range of pages and store its
 *     address in @addr.  All or nothing.  @writable is 0 or 1; a mapping that
 *     is not writable must be enforced as such.  Returns 0 or a negative
 *     errno value; -ENOMEM and -ENOSPC make the cache give up unpinned
 *     mappings and try again, and so does -EINVAL, once: Linux has no other
 *     word for a maptrack that is full.  @count never exceeds
 *     XenPgdirConfig.max_map_count.  Where there is a @map_page, -EOPNOTSUPP
 *     says that these pages cannot be mapped as one range: views of the buffer
 *     are host copies then, and so is a view that there is no room for.
 *     -EINVAL and -EFAULT count as the guest's fault, all others as the
 *     host's.
 * @unmap: undo one @map; @addr, @refs and @count are the same as there.
 *     Cannot fail.
 * @destroy: called once, with the last reference to the mapper; may be NULL.
 * @share: allocate @count zeroed pages of the host's, at one contiguous
 *     address, and grant each of them to the foreign domain, for reading alone
 *     if @writable is 0, and for writing, too, if it is 1; store the references
 *     in @refs and the address in @addr.  All or nothing.  Returns 0 or a
 *     negative errno value.  May be NULL, and then
 *     xen_pgdir_buffer_new_shared() fails.
 * @unshare: undo one @share; @addr, @refs and @count are the same as there.
 *     The address is unmapped.  Pages that the foreign domain still has
 *     mapped must stay what they are until it lets go of them.  Cannot fail.
 *     NULL if and only if @share is.
 * @replace: as @unmap, but anonymous memory of the same size, at @copy, takes
 *     the place of the pages by mremap() with MREMAP_FIXED, with no moment
 *     between at which somebody else's mmap() might get the address.  Returns
 *     0, and then the memory belongs to the library at its new address, and
 *     none is at @copy; or a negative errno value, and then nothing has
 *     changed; or 1 when the grants are unmapped, but the address is free and
 *     @copy where it was.  May be NULL: pages that a view still looks at are
 *     then unmapped first and replaced afterwards.  In either of the last cases
 *     the address may be lost (see xen_pgdir_view_is_lost()), and another
 *     thread that reads the view meanwhile faults.
 * @map_page: map one reference for the library's own use: to read a directory,
 *     or to copy.  No view looks at it, so it may be where the process has the
 *     guest's memory anyway, and takes no area of memory.  Otherwise as @map,
 *     and undone by @unmap.  May be NULL: @map is used for that, too.
 * @dmabuf_export: map @count references for writing, as one dma-buf, and store
 *     a descriptor of it in @fd, which becomes the caller's, and in @id a
 *     number by which the next two find it.  @flags are those of
 *     xen_pgdir_buffer_export().  All or nothing, and errors as those of @map,
 *     but that @count may exceed XenPgdirConfig.max_map_count; -EOPNOTSUPP says
 *     that the kernel makes no dma-bufs of grants.  May be NULL, and then
 *     xen_pgdir_buffer_export() fails.
 * @dmabuf_in_use: whether the pages of a dma-buf are still mapped: 1 until the
 *     last descriptor of it, in whatever process, and whatever else uses it is
 *     gone, and then 0.  Must not wait.  NULL if and only if @dmabuf_export is.
 * @dmabuf_forget: called once for each dma-buf, after @dmabuf_in_use has
 *     returned 0 or before @destroy: @id is not used any more.  The dma-buf
 *     stays what it is.  Cannot fail.  NULL if and only if @dmabuf_export is.
 * @dmabuf_import: grant the pages of the dma-buf @fd, which has @count of them,
 *     to the foreign domain, for reading and writing, and store the references
 *     in @refs.  All or nothing.  Returns 0 or a negative errno value.  @fd is
 *     the library's, and stays open until @dmabuf_release.  May be NULL, and
 *     then xen_pgdir_buffer_new_imported() fails.
 * @dmabuf_release: undo one @dmabuf_import: @fd is the same as there.  Pages
 *     that the foreign domain still has mapped must not be freed until it lets
 *     go of them.  Cannot fail.  NULL if and only if @dmabuf_import is.
 *
 * No operation may call the library for the same mapper.  @destroy is called
 * by whatever function drops the last reference.
 */
typedef struct XenPgdirGrantOps {
    uint32_t size;
    int32_t (*map)(void *opaque, const uint32_t *refs, uint32_t count,
                   uint32_t writable, void **addr);
    void (*unmap)(void *opaque, void *addr, const uint32_t *refs,
                  uint32_t count);
    void (*destroy)(void *opaque);
    int32_t (*share)(void *opaque, uint32_t count, uint32_t writable,
                     uint32_t *refs, void **addr);
    void (*unshare)(void *opaque, void *addr, const uint32_t *refs,
                    uint32_t count);
    int32_t (*replace)(void *opaque, void *addr, const uint32_t *refs,
                       uint32_t count, void *copy);
    int32_t (*map_page)(void *opaque, uint32_t ref, uint32_t writable,
                        void **addr);
    int32_t (*dmabuf_export)(void *opaque, const uint32_t *refs,
                             uint32_t count, uint32_t flags, int32_t *fd,
                             uint32_t *id);
    int32_t (*dmabuf_in_use)(void *opaque, uint32_t id);
    void (*dmabuf_forget)(void *opaque, uint32_t id);
    int32_t (*dmabuf_import)(void *opaque, int32_t fd, uint32_t count,
                             uint32_t *refs);
    void (*dmabuf_release)(void *opaque, int32_t fd);
} XenPgdirGrantOps;

/**
 * struct XenPgdirConfig - limits of a mapper
 *
 * @size: sizeof(XenPgdirConfig)
 * @max_pages: the budget: how many data pages may be mapped at once, by views
 *     and in dma-bufs.  Mappings that nobody pins are kept until the budget
 *     wants them.
 *     Host copies (including those left by revoked views) and shared pages
 *     (including those kept for the guest's next shared buffer, and those of
 *     imported dma-bufs) each have their own budget, also of @max_pages.
 * @max_buffer_pages: the largest buffer, in data pages; larger ones are
 *     refused before their directory is read.
 * @max_map_count: how many references one call of @map may take.  0 means
 *     any number.  With 1, grants can only be mapped page by page.  Views of
 *     more pages are host copies (see xen_pgdir_view_is_copy()).
 * @max_mappings: how many areas of the process's memory all of that may take
 *     at once: one for each mapping, for each host copy and for each range of
 *     shared pages; and each dma-buf, which takes none, but a descriptor,
 *     counts as one.  Those that nobody pins are given up, the oldest first,
 *     before one more is refused.  Beside them there are, while a directory
 *     is read, that one page, or, while a shared buffer is made, all pages of
 *     its directory.  0 means XEN_PGDIR_MAX_MAPPINGS.  Where views can be host
 *     copies it takes at least 2 to make one.
 */
typedef struct XenPgdirConfig {
    uint32_t size;
    uint32_t max_pages;
    uint32_t max_buffer_pages;
    uint32_t max_map_count;
    uint32_t max_mappings;
} XenPgdirConfig;

/**
 * struct XenPgdirStats - what a mapper did since it was made
 *
 * @map_calls: calls of the map operations, directories included
 * @unmap_calls: calls of the unmap operation, directories included
 * @dir_pages: directory pages that were mapped, copied and unmapped
 * @mapped_pages: data pages mapped now
 * @pinned_pages: data pages mapped now and pinned by a view or a dma-buf
 * @copy_pages: pages of host copies held now by views
 * @hits: windows that were found in the cache
 * @misses: windows that were not: all but those of shared buffers had to be
 *     mapped
 * @evictions: mappings given up for one of the two budgets
 * @revocations: mappings that were taken from under a live view
 * @failures: failed calls of the map operation
 * @buffers: live buffers
 * @lost: views whose address went to another thread's mapping in the instant
 *     of their revocation: see xen_pgdir_view_is_lost()
 * @shared_pages: pages of the host's own that shared buffers have now, and
 *     views of such that were revoked
 * @kept_pages: pages that were shared, and still are: the guest's next shared
 *     buffer gets them
 * @abandoned_pages: pages that were shared and were too few in one piece for
 *     what the guest wanted next.  It may have them mapped still, so they
 *     count until the mapper goes, and are at most @max_pages.
 * @mappings: areas of the process's memory in use now
 * @max_mappings: how many there may be
 * @max_pages: the budget of pages
 * @copied_bytes: what was copied into views that are host copies
 * @retiring: buffers that retire now
 * @dmabufs: dma-bufs of the guest's pages that were still in use when that was
 *     asked last, those of buffers that were revoked among them
 * @dmabuf_pages: their pages; @mapped_pages and @pinned_pages have them, too
 */
typedef struct XenPgdirStats {
    uint64_t map_calls;
    uint64_t unmap_calls;
    uint64_t dir_pages;
    uint64_t mapped_pages;
    uint64_t pinned_pages;
    uint64_t copy_pages;
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    uint64_t revocations;
    uint64_t failures;
    uint64_t buffers;
    uint64_t lost;
    uint64_t shared_pages;
    uint64_t kept_pages;
    uint64_t abandoned_pages;
    uint64_t mappings;
    uint64_t max_mappings;
    uint64_t max_pages;
    uint64_t copied_bytes;
    uint64_t retiring;
    uint64_t dmabufs;
    uint64_t dmabuf_pages;
} XenPgdirStats;

/**
 * struct XenPgdirError - the last failure of a function on a mapper, or on a
 * buffer or view of it
 *
 * @message: a sentence for a log, in English.  It holds until the next call on
 *     the mapper, and is never NULL.
 * @status: the negative errno value that was returned, or 0: nothing failed
 * @cause: one of the XEN_PGDIR_CAUSE constants
 * @limit: XEN_PGDIR_FULL_PAGES, _MAPPINGS or _BUFFER if the cause is a
 *     budget, else 0
 */
typedef struct XenPgdirError {
    const char *message;
    int32_t status;
    uint32_t cause;
    uint32_t limit;
} XenPgdirError;

/**
 * xen_pgdir_abi_version: the version of the interface that is linked
 *
 * Returns: XEN_PGDIR_ABI_VERSION of the library's build.
 */
uint32_t xen_pgdir_abi_version(void);

/**
 * xen_pgdir_mapper_new: make a mapper for one foreign domain
 * @ops: the grant operations; copied
 * @opaque: handed to each operation; must live until @ops->destroy is called
 * @config: limits; copied
 * @mapper: where to store the new mapper; its one reference is the caller's
 *
 * Returns: 0; or -EINVAL for a limit of 0 (other than @max_map_count and
 * @max_mappings), a missing operation (but for those that may be NULL), or a
 * size that is too small, or that has more fields than the library knows and
 * they are not 0.  On failure @ops->destroy is not called.
 */
int32_t xen_pgdir_mapper_new(const XenPgdirGrantOps *ops, void *opaque,
                             const XenPgdirConfig *config,
                             XenPgdirMapper **mapper);

/**
 * xen_pgdir_mapper_open: make a mapper of the grant device of a real Xen
 * @domid: the foreign domain's number
 * @config: limits; copied
 * @mapper: where to store the new mapper; its one reference is the caller's
 *
 * This is xen_pgdir_mapper_new() with operations over libxengnttab, and, for
 * xen_pgdir_buffer_new_shared(), over libxengntshr, whose device is opened
 * when a buffer is shared for the first time.  What a refusal means is told by
 * the result alone: nothing is written to stderr.  How many pages the kernel
 * maps or shares at most are parameters of its modules xen-gntdev and
 * xen-gntalloc.
 *
 * The function is in the library libxenpgdir; QEMU has operations of its own.
 *
 * Returns: 0; -EINVAL for a @domid of 0x7ff0 or more, or as
 * xen_pgdir_mapper_new(); or why the device cannot be opened: -ENOENT where
 * there is no Xen, -EACCES, ...
 */
int32_t xen_pgdir_mapper_open(uint32_t domid, const XenPgdirConfig *config,
                              XenPgdirMapper **mapper);

/**
 * xen_pgdir_mapper_open_handles: the same over handles of the caller's
 * @xgt: a xengnttab_handle
 * @xgs: a xengntshr_handle, or NULL: xen_pgdir_buffer_new_shared() fails
 * @domid: the foreign domain's number
 * @config: limits; copied
 * @mapper: where to store the new mapper; its one reference is the caller's
 *
 * For programs that open all devices before they drop privileges, or that use
 * the handles for something else as well.  The handles stay the caller's, and
 * must stay open until the mapper, its buffers and its views are gone.
 *
 * The function is in the library libxenpgdir; QEMU has operations of its own.
 *
 * Returns: 0; -EINVAL for an @xgt of NULL, or as xen_pgdir_mapper_open().
 */
int32_t xen_pgdir_mapper_open_handles(struct xengntdev_handle *xgt,
                                      struct xengntdev_handle *xgs,
                                      uint32_t domid,
                                      const XenPgdirConfig *config,
                                      XenPgdirMapper **mapper);

/**
 * xen_pgdir_mapper_ref: take one more reference
 * @mapper: the mapper
 *
 * Returns: @mapper.
 */
XenPgdirMapper *xen_pgdir_mapper_ref(XenPgdirMapper *mapper);

/**
 * xen_pgdir_mapper_unref: drop a reference
 * @mapper: the mapper, or NULL.  Buffers and views hold references of their
 *     own, so the mapper goes with the last of them.
 */
void xen_pgdir_mapper_unref(XenPgdirMapper *mapper);

/**
 * xen_pgdir_mapper_stats: read the counters
 * @mapper: the mapper
 * @stats: where to store them
 * @size: sizeof(XenPgdirStats) of the caller: no more bytes are written.
 *     Counters that the library does not have become 0.
 */
void xen_pgdir_mapper_stats(const XenPgdirMapper *mapper,
                            XenPgdirStats *stats, uint32_t size);

/**
 * xen_pgdir_mapper_error: tell what failed last, and why
 * @mapper: the mapper
 * @error: where to store it
 * @size: sizeof(XenPgdirError) of the caller, as for xen_pgdir_mapper_stats()
 *
 * To be called right after a function that failed: a later one that succeeds
 * may have tried something before that failed.  Functions that make a mapper
 * have none to ask; what they return says all.
 */
void xen_pgdir_mapper_error(const XenPgdirMapper *mapper,
                            XenPgdirError *error, uint32_t size);

/**
 * xen_pgdir_mapper_full: which limit left no room
 * @mapper: the mapper
 *
 * For who gets -ENOSPC and wants to say which limit to raise.
 *
 * Returns: of the last -ENOSPC, XEN_PGDIR_FULL_PAGES if it was for
 * XenPgdirConfig.max_pages, XEN_PGDIR_FULL_MAPPINGS if it was for
 * XenPgdirConfig.max_mappings, and 0 if it came from an operation, or there
 * was none.
 */
uint32_t xen_pgdir_mapper_full(const XenPgdirMapper *mapper);

/**
 * xen_pgdir_mapper_trim: unmap everything that nobody pins
 * @mapper: the mapper
 */
void xen_pgdir_mapper_trim(XenPgdirMapper *mapper);

/**
 * xen_pgdir_mapper_expire: revoke the buffers whose time to retire is over
 * @mapper: the mapper
 * @now: the time, of the clock that was used for xen_pgdir_buffer_retire()
 *
 * Each buffer whose deadline is not after @now is revoked, and its function
 * called with -ETIMEDOUT.  The library has no clock and no thread: its caller
 * sets a timer.  Before that it does what xen_pgdir_mapper_poll() does.
 *
 * Returns: the next deadline, or UINT64_MAX if there is none.
 */
uint64_t xen_pgdir_mapper_expire(XenPgdirMapper *mapper, uint64_t now);

/**
 * xen_pgdir_mapper_poll: look which dma-bufs were closed
 * @mapper: the mapper
 *
 * The pages of those that were are no longer charged, and buffers that were to
 * retire, and that nobody holds any more, are revoked: their functions are
 * called, with 0.  It does not wait.  Linux tells nobody when a dma-buf goes,
 * so who waits for that calls this every few milliseconds.  Functions that lack
 * room in a budget look by themselves, but call no function of the caller's.
 *
 * Returns: how many dma-bufs are still in use.
 */
uint32_t xen_pgdir_mapper_poll(XenPgdirMapper *mapper);

/**
 * xen_pgdir_buffer_new: walk a directory and make a buffer of it
 * @mapper: the domain that granted the directory
 * @dir_ref: reference of the first directory page
 * @size: bytes of the buffer that the directory describes; it has
 *     ceil(@size / 4096) data pages and ceil(that / 1023) directory pages
 * @flags: 0 or XEN_PGDIR_WRITABLE
 * @buffer: where to store the new buffer; its one reference is the caller's
 *
 * Each directory page is mapped read-only, copied once and unmapped before
 * the next; at most as many as @size needs are followed.  References beyond
 * the last data page, and a link beyond the last directory page, are ignored.
 * No data page is mapped.
 *
 * Returns: 0; -EINVAL for a @size of 0, unknown @flags, a chain that ends
 * early, or a data reference of 0; -E2BIG for a buffer beyond
 * @max_buffer_pages; -ENOMEM; or what the map operation returned.
 */
int32_t xen_pgdir_buffer_new(XenPgdirMapper *mapper, uint32_t dir_ref,
                             uint64_t size, uint32_t flags,
                             XenPgdirBuffer **buffer);

/**
 * xen_pgdir_buffer_new_shared: allocate a buffer for the guest
 * @mapper: the domain that granted the directory and gets the pages
 * @dir_ref: reference of the first directory page, granted for writing
 * @size: bytes of the buffer, as for xen_pgdir_buffer_new()
 * @flags: 0 or XEN_PGDIR_GUEST_READS
 * @buffer: where to store the new buffer; its one reference is the caller's
 *
 * This is the backend's allocation of xen/io/displif.h (be-alloc): the guest
 * has linked the directory pages, and gets their data references filled in.
 * The pages are zeroed.  The host may read and write them, and so may the
 * guest, unless @flags has XEN_PGDIR_GUEST_READS.  Nothing
 * is written before the whole chain is mapped and all pages are shared, so a
 * failure leaves the directory as it was.
 *
 * Views are the shared memory itself, also where grants are mapped page by
 * page, and cost no grant operation.
 *
 * The pages stay shared when the buffer is revoked: the guest may have them
 * mapped, and then nobody could take them from it.  They stay charged to it,
 * and its next shared buffer gets them, zeroed.  Only the end of the mapper,
 * or a next buffer for which they are too few, unshares them.
 *
 * Returns: 0; -EOPNOTSUPP without a share operation; -EINVAL for a @size of 0,
 * unknown @flags, or a chain that ends early; -E2BIG for a buffer beyond
 * @max_buffer_pages; -ENOSPC when what is shared already, or was abandoned,
 * leaves no room in the budget; -ENOMEM; or what the map operation or the share
 * operation returned.
 */
int32_t xen_pgdir_buffer_new_shared(XenPgdirMapper *mapper, uint32_t dir_ref,
                                    uint64_t size, uint32_t flags,
                                    XenPgdirBuffer **buffer);

/**
 * xen_pgdir_buffer_new_imported: share the pages of a dma-buf with the guest
 * @mapper: the domain that granted the directory and gets the pages
 * @dir_ref: reference of the first directory page, granted for writing
 * @size: bytes of the buffer, as for xen_pgdir_buffer_new()
 * @fd: a descriptor of the dma-buf, which stays the caller's.  The dma-buf is
 *     as large as the data pages of the buffer, and its memory is RAM of this
 *     domain's.
 * @flags: 0
 * @buffer: where to store the new buffer; its one reference is the caller's
 *
 * As xen_pgdir_buffer_new_shared(), the backend's allocation of
 * xen/io/displif.h (be-alloc), but the pages are those of the dma-buf: what the
 * guest draws can be shown, or encoded, by the device that the memory is for,
 * and is copied by nobody.  The guest may read and write them, and sees what is
 * in them: clear them before.
 *
 * The library does not map them: views, and reading and writing through the
 * buffer, fail with -EOPNOTSUPP.  Map the dma-buf itself.
 *
 * The pages stay shared when the buffer is revoked, and charged to the guest,
 * as those of other shared buffers do, and the library keeps a descriptor of
 * the dma-buf.  A next buffer of the same dma-buf has the same references.  So
 * give a guest few dma-bufs, and the same ones again.  Only the end of the
 * mapper, or a next shared buffer for which there is no room, unshares them.
 * Even then the guest may have them mapped, and nobody can tell: do not use the
 * memory for what this guest must not see.
 *
 * Needs Linux 4.19 with CONFIG_XEN_GNTDEV_DMABUF; before Linux 5.3 dma-bufs
 * cannot be told from one another, so that none is found again.
 *
 * Returns: 0; -EOPNOTSUPP without an import operation or in such a kernel;
 * -EBADF for an @fd that is none; -EMFILE; otherwise as
 * xen_pgdir_buffer_new_shared().
 */
int32_t xen_pgdir_buffer_new_imported(XenPgdirMapper *mapper, uint32_t dir_ref,
                                      uint64_t size, int32_t fd,
                                      uint32_t flags, XenPgdirBuffer **buffer);

/**
 * xen_pgdir_buffer_export: make a dma-buf of a buffer's pages
 * @buffer: the buffer, made with XEN_PGDIR_WRITABLE: whoever holds a dma-buf
 *     may write to it
 * @flags: 0, XEN_PGDIR_DMABUF_WC or XEN_PGDIR_DMABUF_COHERENT
 * @fd: where to store the descriptor, which is the caller's; it has FD_CLOEXEC
 *
 * For a GPU, a compositor or an encoder that reads the guest's pages itself.
 * All pages of the buffer are mapped by one call, whatever max_map_count is,
 * and charged to max_pages as those of a view that is held; so may be views of
 * the buffer beside it.  It is up to the device whether it can use pages that
 * lie anywhere.  The guest may change them at any time.
 *
 * They stay mapped until the last descriptor is closed, by whatever process got
 * one, and until devices that were given it let go; the library has none, and
 * nobody can take the pages away.  Therefore:
 *
 * - xen_pgdir_buffer_retire() also waits for that.  Use it when the guest
 *   destroys the buffer (XENDISPL_OP_DBUF_DESTROY of xen/io/displif.h, after
 *   whose response the guest frees its pages), and answer when @retired is
 *   called.
 * - xen_pgdir_buffer_revoke(), and the last xen_pgdir_buffer_unref(), revoke
 *   the buffer, but not the dma-buf.  Its pages stay charged until it is gone:
 *   XenPgdirStats.dmabuf_pages.
 *
 * xen_pgdir_mapper_poll() looks whether it is.  A dma-buf outlives its mapper
 * if it must, and is nobody's then.  There is at most one for a buffer at a
 * time: duplicate its descriptor for a second user.
 *
 * Needs Linux 4.19 with CONFIG_XEN_GNTDEV_DMABUF, in a domain that is not PV
 * (an Arm, PVH or HVM domain; a classic dom0 of x86 is PV).
 *
 * Returns: 0; -EOPNOTSUPP for a shared buffer, without an export operation, or
 * where the kernel has none; -EINVAL for other @flags, or references that
 * cannot be mapped; -EACCES for a read-only buffer; -EALREADY for one whose
 * dma-buf is in use; -ESTALE unless the buffer is LIVE; -ENOSPC when what is
 * pinned leaves no room in a budget; -EMFILE; -ENOMEM; or what the export
 * operation returned.
 */
int32_t xen_pgdir_buffer_export(XenPgdirBuffer *buffer, uint32_t flags,
                                int32_t *fd);

/**
 * xen_pgdir_buffer_ref: take one more reference
 * @buffer: the buffer
 *
 * Returns: @buffer.
 */
XenPgdirBuffer *xen_pgdir_buffer_ref(XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_unref: drop a reference; the last one revokes the buffer
 * @buffer: the buffer, or NULL
 */
void xen_pgdir_buffer_unref(XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_revoke: give the guest all its pages back, now
 * @buffer: the buffer
 *
 * When this returns, the guest's pages are no longer mapped at any address of
 * the process, and every grant is given back to the kernel, which unmaps it:
 * at once, but for pages of which an I/O is in flight.  A view that is still
 * held keeps its address: it becomes a host copy of what the pages held.
 * Everything else on the buffer fails with -ESTALE from now on.  Revoking
 * twice does nothing.
 *
 * The pages of a shared buffer are not the guest's, and a view of them stays
 * what it is.  What becomes of them says xen_pgdir_buffer_new_shared().  Nor
 * can pages be taken from a dma-buf: see xen_pgdir_buffer_export().
 */
void xen_pgdir_buffer_revoke(XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_retire: revoke a buffer when its last view goes, and its
 *     dma-buf
 * @buffer: the buffer
 * @deadline: when xen_pgdir_mapper_expire() revokes it all the same, in any
 *     clock and unit of the caller's; UINT64_MAX for never
 * @retired: called once when the buffer is revoked, perhaps before this
 *     function returns; or NULL
 * @opaque: handed to it
 *
 * For pages that cannot be replaced by a copy while they are in use, as those
 * that a device reads by DMA.  From now on the buffer is RETIRING: no view of
 * it can be had, and it cannot be read or written.  Views that are held stay
 * the guest's pages, and xen_pgdir_view_sync() and xen_pgdir_view_flush() work.
 * What nobody looks at is unmapped at once, and the rest when the last view is
 * let go: by xen_pgdir_view_unref(), which then calls @retired.  The backend
 * answers the guest there.  If the buffer has a dma-buf, and that is closed
 * later, xen_pgdir_mapper_poll() or xen_pgdir_mapper_expire() calls it.
 *
 * The buffer keeps itself alive meanwhile: the caller may drop its reference.
 *
 * Returns: 0; -EALREADY if it retires already; -ESTALE if it was revoked.
 * @retired is called only if the result is 0.
 */
int32_t xen_pgdir_buffer_retire(XenPgdirBuffer *buffer, uint64_t deadline,
                                XenPgdirRetired retired, void *opaque);

/**
 * xen_pgdir_buffer_state: whether a buffer can be looked at
 * @buffer: the buffer
 *
 * Returns: XEN_PGDIR_STATE_LIVE, _RETIRING or _REVOKED
 */
uint32_t xen_pgdir_buffer_state(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_is_writable: whether the host may write a buffer
 * @buffer: the buffer
 *
 * Returns: 1 if it was made with XEN_PGDIR_WRITABLE or is a shared one, else 0.
 */
int32_t xen_pgdir_buffer_is_writable(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_is_shared: whether the pages are the host's
 * @buffer: the buffer
 *
 * Returns: 1 if it was made by xen_pgdir_buffer_new_shared() or
 * xen_pgdir_buffer_new_imported(), else 0.
 */
int32_t xen_pgdir_buffer_is_shared(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_mapper: the mapper of a buffer
 * @buffer: the buffer
 *
 * Returns: the mapper, without a reference for the caller.
 */
XenPgdirMapper *xen_pgdir_buffer_mapper(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_refs: read the grant references of data pages
 * @buffer: the buffer
 * @first: first page
 * @count: pages
 * @refs: where to store their references, @count of them
 *
 * For other ways to the pages, such as grant copies.  Of a shared buffer they
 * are the host's grants to the guest.
 *
 * Returns: 0; -EINVAL for pages that the buffer does not have; -ESTALE unless
 * the buffer is LIVE.
 */
int32_t xen_pgdir_buffer_refs(const XenPgdirBuffer *buffer, uint32_t first,
                              uint32_t count, uint32_t *refs);

/**
 * xen_pgdir_buffer_size: bytes of the buffer
 * @buffer: the buffer
 *
 * Returns: the size that the buffer was made with.
 */
uint64_t xen_pgdir_buffer_size(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_pages: data pages of the buffer
 * @buffer: the buffer
 *
 * Returns: ceil(size / 4096).
 */
uint32_t xen_pgdir_buffer_pages(const XenPgdirBuffer *buffer);

/**
 * xen_pgdir_buffer_view: look at a contiguous window of a buffer
 * @buffer: the buffer
 * @offset: first byte
 * @length: bytes; not 0.  @offset + @length may reach to the end of the last
 *     data page, as data that starts inside the first page does.
 * @view: where to store the view; its one reference is the caller's
 * @data: where to store the address of the byte at @offset
 *
 * The same window asked for again is found in the cache, without a grant
 * operation, and as long as it is held it is the same view, with one more
 * reference.  A miss maps exactly the pages of the window, in one call.
 *
 * Returns: 0; -EINVAL for a window outside the pages; -ESTALE unless the buffer
 * is LIVE; -ENOSPC when what is pinned leaves no room in a budget; -ENOMEM;
 * -EOPNOTSUPP if the pages are those of an imported dma-buf; or what the map
 * operation returned.
 */
int32_t xen_pgdir_buffer_view(XenPgdirBuffer *buffer, uint64_t offset,
                              uint64_t length, XenPgdirView **view,
                              void **data);

/**
 * xen_pgdir_buffer_view_iov: look at a window of a buffer in pieces
 * @buffer: the buffer
 * @offset: first byte
 * @length: bytes; the same bounds as for a view
 * @views: where to store the views of the pieces, at most @max; each is a
 *     reference of the caller's
 * @iov: where to store the address and the length of each piece, at most @max
 * @max: how many there is room for
 * @count: where to store how many there are
 *
 * For readv(), writev() and lists of segments.  Where one call maps the whole
 * window there is one piece, and otherwise there are pieces of at most
 * XenPgdirConfig.max_map_count pages, so that none has to be a host copy.
 * Where @map cannot map a range (see there), they are copies all the same:
 * xen_pgdir_view_is_copy() tells.
 *
 * Returns: as xen_pgdir_buffer_view(); or -ENOBUFS if there are more pieces
 * than @max, and then @count says how many, and nothing else is stored.
 */
int32_t xen_pgdir_buffer_view_iov(XenPgdirBuffer *buffer, uint64_t offset,
                                  uint64_t length, XenPgdirView **views,
                                  struct iovec *iov, uint32_t max,
                                  uint32_t *count);

/**
 * xen_pgdir_buffer_is_copied: whether a view would be a host copy
 * @buffer: the buffer
 * @offset: as for xen_pgdir_buffer_view()
 * @length: likewise
 *
 * Where there is a map_page operation, that is not known before the first view
 * of the buffer.
 *
 * Returns: 1 if a view of this window would be a host copy (see
 * xen_pgdir_view_is_copy()), 0 if it would be memory that the guest sees, too;
 * -EINVAL or -ESTALE as xen_pgdir_buffer_view().
 */
int32_t xen_pgdir_buffer_is_copied(const XenPgdirBuffer *buffer,
                                   uint64_t offset, uint64_t length);

/**
 * xen_pgdir_buffer_read: copy bytes out of a buffer
 * @buffer: the buffer
 * @offset: first byte
 * @dst: where to
 * @length: bytes; the same bounds as for a view
 *
 * What is mapped already can be read whatever the budgets say.
 *
 * Returns: as xen_pgdir_buffer_view().  On failure @dst may be half written.
 */
int32_t xen_pgdir_buffer_read(XenPgdirBuffer *buffer, uint64_t offset,
                              void *dst, uint64_t length);

/**
 * xen_pgdir_buffer_write: copy bytes into a buffer
 * @buffer: the buffer, made with XEN_PGDIR_WRITABLE or shared
 * @offset: first byte
 * @src: where from
 * @length: bytes; the same bounds as for a view
 *
 * Returns: as xen_pgdir_buffer_view(), and -EACCES for a read-only buffer.
 */
int32_t xen_pgdir_buffer_write(XenPgdirBuffer *buffer, uint64_t offset,
                               const void *src, uint64_t length);

/**
 * xen_pgdir_view_ref: take one more reference
 * @view: the view
 *
 * Returns: @view.
 */
XenPgdirView *xen_pgdir_view_ref(XenPgdirView *view);

/**
 * xen_pgdir_view_unref: drop a reference; the last one unpins the mapping,
 * which the cache may keep for the next view of the same window
 * @view: the view, or NULL
 */
void xen_pgdir_view_unref(XenPgdirView *view);

/**
 * xen_pgdir_view_data: where the pages of a view are
 * @view: the view
 *
 * Views of the same pages are one, so that what a view tells of itself is about
 * its pages: all that the window of xen_pgdir_buffer_view() touches.
 *
 * Returns: the address of its first page.
 */
void *xen_pgdir_view_data(const XenPgdirView *view);

/**
 * xen_pgdir_view_offset: where in its buffer a view starts
 * @view: the view
 *
 * Returns: the offset of its first page, in bytes.
 */
uint64_t xen_pgdir_view_offset(const XenPgdirView *view);

/**
 * xen_pgdir_view_length: how much a view shows
 * @view: the view
 *
 * Returns: the size of its pages, in bytes.
 */
uint64_t xen_pgdir_view_length(const XenPgdirView *view);

/**
 * xen_pgdir_view_buffer: which buffer a view shows
 * @view: the view
 *
 * Returns: the buffer, without a reference for the caller; or NULL once it was
 * revoked.
 */
XenPgdirBuffer *xen_pgdir_view_buffer(const XenPgdirView *view);

/**
 * xen_pgdir_view_is_copy: whether the view is a host copy
 * @view: the view
 *
 * A window of more pages than one map call takes, or of pages that cannot be
 * mapped as one range, is a host copy, gathered when nobody held a view of it
 * before; writes to it do not reach the guest before xen_pgdir_view_flush()
 * (those of xen_pgdir_buffer_write() do).  A view whose buffer was revoked is a
 * copy, too, unless the buffer was a shared one.
 *
 * There is one copy of a window, however many hold it: each sees what another
 * writes, and what another's xen_pgdir_view_sync() brings.  What
 * xen_pgdir_buffer_write() writes comes into a copy with the next sync.
 *
 * Returns: 1 for a copy, 0 for memory that the guest sees, too.
 */
int32_t xen_pgdir_view_is_copy(const XenPgdirView *view);

/**
 * xen_pgdir_view_is_lost: whether the view must not be looked at any more
 * @view: the view
 *
 * Where the @replace operation is missing or failed, another thread's mmap()
 * may have got the address of a view in the instant of its revocation.  What
 * is there now is not the view's.  A view that was not revoked is never lost.
 *
 * Returns: 1 if it was lost, else 0.
 */
int32_t xen_pgdir_view_is_lost(const XenPgdirView *view);

/**
 * xen_pgdir_view_sync: bring a copy up to date with the guest's pages
 * @view: the view; nothing is done unless it is a copy of a live buffer
 *
 * The copy is compared with the pages, and what differs is copied.
 *
 * Returns: 0, or as xen_pgdir_buffer_read().
 */
int32_t xen_pgdir_view_sync(XenPgdirView *view);

/**
 * xen_pgdir_view_flush: bring the guest's pages up to date with a copy
 * @view: the view; nothing is done unless it is a copy
 *
 * The counterpart of xen_pgdir_view_sync(), for who writes to a view: the pages
 * are compared with the copy, and what differs is copied into them.  What the
 * guest wrote to them since the last sync is lost.  Where a view is the guest's
 * memory, writes need no flush.
 *
 * Returns: 0; -EACCES if the buffer is not writable; -ESTALE if it was revoked;
 * or as xen_pgdir_buffer_write().  On failure a part may be written.
 */
int32_t xen_pgdir_view_flush(XenPgdirView *view);

#ifdef __cplusplus
}
#endif

#endif /* HW_XEN_XEN_PGDIR_H */
