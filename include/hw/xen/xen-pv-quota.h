/*
 * A quota of something that a guest causes: so much a second, and some more
 * at once
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef HW_XEN_XEN_PV_QUOTA_H
#define HW_XEN_XEN_PV_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct XenPvQuota - a bucket that fills at a constant rate
 *
 * @rate: units that are added each second; 0: there is no quota
 * @burst: the most it holds, units
 * @level: what it holds, in units of 10^-9 units; below 0 is debt
 * @at: when that was so, ns
 */
typedef struct XenPvQuota {
    uint64_t rate;
    uint64_t burst;
    int64_t level;
    int64_t at;
} XenPvQuota;

/* Neither rate nor burst may be more: what is counted has 10^9 parts */
#define XEN_PV_QUOTA_MAX    1000000000ull

/* The deepest debt, units: of a quota of ns, 8 seconds */
#define XEN_PV_QUOTA_DEBT   (8 * XEN_PV_QUOTA_MAX)

/**
 * xen_pv_quota_init: a full bucket
 * @quota: the bucket
 * @rate: units a second, at most XEN_PV_QUOTA_MAX; 0: all can be had
 * @burst: units that can be had at once, at most XEN_PV_QUOTA_MAX; 0 counts
 *     as 1, or nothing could be had at all
 * @now: of any clock that does not go back, ns
 */
void xen_pv_quota_init(XenPvQuota *quota, uint64_t rate, uint64_t burst,
                       int64_t now);

/**
 * xen_pv_quota_wait: how long until so much can be had
 * @quota: the bucket
 * @amount: units; what is more than the burst counts as the burst
 * @now: as above
 *
 * Returns: ns; 0 when it can be had now.
 */
int64_t xen_pv_quota_wait(XenPvQuota *quota, uint64_t amount, int64_t now);

/**
 * xen_pv_quota_take: take what was, or is to be, used
 * @quota: the bucket
 * @amount: units; more than there are leave a debt, down to
 *     XEN_PV_QUOTA_DEBT
 * @now: as above
 *
 * So whoever takes first and asks afterwards, as one does whose work takes as
 * long as it takes, pays for all of it: over time nobody gets more than the
 * rate, however large the pieces are.
 */
void xen_pv_quota_take(XenPvQuota *quota, uint64_t amount, int64_t now);

#endif /* HW_XEN_XEN_PV_QUOTA_H */
