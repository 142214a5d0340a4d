/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libxengnttab and libxengntshr leave to be done (internal)
 *
 * For those who use the libraries themselves: the operations that come with
 * libxenpgdir, and QEMU's.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PGDIR_LINUX_GRANTS_H
#define HW_XEN_PGDIR_LINUX_GRANTS_H

#include <xengnttab.h>
#include <xentoollog.h>

/**
 * xen_linux_grants_logger: a logger for Xen's libraries that says nothing
 *
 * Without one they write a line to stderr for each refusal, and a guest can
 * cause as many as it likes.  It is no handle: it need not be freed.
 */
xentoollog_logger *xen_linux_grants_logger(void);

/**
 * xen_linux_grants_replace_map: as xengnttab_unmap(), but the anonymous
 *     memory of the same size at @copy takes the place of the mapping at once
 *
 * Returns: 0, and @copy is used up; 1 when the grants are unmapped and the
 * address is free, but @copy could not be moved there; or -1 and errno, and
 * then nothing has changed.
 */
int xen_linux_grants_replace_map(xengnttab_handle *xgt, void *addr,
                                 uint32_t count, void *copy);

#endif /* HW_XEN_PGDIR_LINUX_GRANTS_H */
