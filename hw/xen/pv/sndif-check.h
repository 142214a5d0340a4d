/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sndif: from a guest's numbers to checked parameters.  Pure functions.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_PV_SNDIF_CHECK_H
#define HW_XEN_PV_SNDIF_CHECK_H

#include <xen/io/sndif.h>

#include "hw/xen/xen-sndif.h"

/**
 * xen_sndif_pages: data pages of a buffer
 * @size: its bytes
 */
uint64_t xen_sndif_pages(uint32_t size);

/**
 * xen_sndif_check_open: check an OPEN
 * @caps: what the stream may be opened with
 * @req: the request
 * @params: where to store what it asks for
 * @why: where to say what is wrong with it
 *
 * Returns: 0 or -EINVAL.
 */
int xen_sndif_check_open(const XenSndifCaps *caps,
                         const struct xensnd_open_req *req,
                         XenSndifParams *params, XenPvWhy *why);

/**
 * xen_sndif_check_range: check an offset and a length
 * @size: bytes of the buffer
 * @req: the request
 * @why: where to say what is wrong with it
 *
 * Returns: 0 or -EINVAL.
 */
int xen_sndif_check_range(uint32_t size, const struct xensnd_rw_req *req,
                          XenPvWhy *why);

/**
 * xen_sndif_check_query: narrow the ranges of a HW_PARAM_QUERY
 * @caps: what the stream may be opened with
 * @req: the ranges asked about; closed intervals, the last two in frames
 * @rsp: where to store what is left of them
 * @why: where to say which range is left with nothing
 *
 * The protocol has intervals but no sets, and asks about the buffer in frames
 * before the frame is known.  So the answer is the tightest interval that
 * holds every possible value.
 *
 * Returns: 0 or -EINVAL.
 */
int xen_sndif_check_query(const XenSndifCaps *caps,
                          const struct xensnd_query_hw_param *req,
                          struct xensnd_query_hw_param *rsp, XenPvWhy *why);

#endif /* HW_XEN_PV_SNDIF_CHECK_H */
