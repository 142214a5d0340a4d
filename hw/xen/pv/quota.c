/*
 * A quota of something that a guest causes
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-quota.h"

#define PARTS   1000000000ll

/* Debt ends here: with a full bucket on top it is still less than 2^63 */
#define DEEPEST (-(int64_t)XEN_PV_QUOTA_DEBT * PARTS)

static int64_t capacity(const XenPvQuota *quota)
{
    return quota->burst * PARTS;
}

/* What has come since; a clock that stood still or went back brings nothing */
static void fill(XenPvQuota *quota, int64_t now)
{
    int64_t missing = capacity(quota) - quota->level;
    int64_t passed = now - quota->at;

    if (passed <= 0) {
        return;
    }
    quota->at = now;
    /* A part comes each ns and unit of the rate: this cannot overflow */
    if (passed >= missing / (int64_t)quota->rate) {
        quota->level = capacity(quota);
    } else {
        quota->level += passed * (int64_t)quota->rate;
    }
}

void xen_pv_quota_init(XenPvQuota *quota, uint64_t rate, uint64_t burst,
                       int64_t now)
{
    quota->rate = MIN(rate, XEN_PV_QUOTA_MAX);
    quota->burst = MIN(MAX(burst, 1), XEN_PV_QUOTA_MAX);
    quota->level = capacity(quota);
    quota->at = now;
}

int64_t xen_pv_quota_wait(XenPvQuota *quota, uint64_t amount, int64_t now)
{
    int64_t missing;

    if (!quota->rate) {
        return 0;
    }
    fill(quota, now);
    missing = (int64_t)MIN(amount, quota->burst) * PARTS - quota->level;
    if (missing <= 0) {
        return 0;
    }
    return missing / (int64_t)quota->rate + 1;
}

void xen_pv_quota_take(XenPvQuota *quota, uint64_t amount, int64_t now)
{
    int64_t left;

    if (!quota->rate) {
        return;
    }
    /* First this: what came while it was used is not lost to a full bucket */
    left = quota->level - DEEPEST;
    quota->level -= (int64_t)MIN(amount, left / PARTS) * PARTS;
    fill(quota, now);
}
