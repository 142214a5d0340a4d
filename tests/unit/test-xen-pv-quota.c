/*
 * Tests of the quota of what a guest causes
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "hw/xen/xen-pv-quota.h"

#define SECOND  1000000000ll

/* A burst at once, then one at a time, as the rate allows */
static void test_burst(void)
{
    XenPvQuota q;
    int i;

    xen_pv_quota_init(&q, 10, 3, 5 * SECOND);
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND), ==, 0);
        xen_pv_quota_take(&q, 1, 5 * SECOND);
    }
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND), <=,
                    SECOND / 10 + 1);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND + SECOND / 20), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND + SECOND / 10), ==,
                    0);
    xen_pv_quota_take(&q, 1, 5 * SECOND + SECOND / 10);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 5 * SECOND + SECOND / 10), >, 0);

    /* However long it rests, there is never more than a burst */
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(xen_pv_quota_wait(&q, 1, INT64_MAX / 2), ==, 0);
        xen_pv_quota_take(&q, 1, INT64_MAX / 2);
    }
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, INT64_MAX / 2), >, 0);
}

/* What comes of a rate, wherever the moments lie at which it is looked at */
static void test_rate(void)
{
    const int64_t steps[] = { 1, 7, 999, 12345, 100003, 9999991 };
    int i;

    for (i = 0; i < G_N_ELEMENTS(steps); i++) {
        int64_t now = 0, end = 300000 * steps[i];
        uint64_t taken = 0;
        XenPvQuota q;

        xen_pv_quota_init(&q, 1000, 1, now);
        for (now = 0; now < end; now += steps[i]) {
            if (xen_pv_quota_wait(&q, 1, now) == 0) {
                xen_pv_quota_take(&q, 1, now);
                taken++;
            }
        }
        /* One at once, and a thousand a second unless nobody asks so often */
        g_assert_cmpuint(taken, <=, end / (SECOND / 1000) + 1);
        if (steps[i] < SECOND / 1000) {
            g_assert_cmpuint(taken, >=, end / (SECOND / 1000 + steps[i]));
        }
    }
}

/* Time that was used before anybody could ask: it is to be waited for */
static void test_debt(void)
{
    XenPvQuota q;

    /* A third of the time, and 50 ms at once */
    xen_pv_quota_init(&q, SECOND / 3, SECOND / 20, 0);
    xen_pv_quota_take(&q, SECOND / 20, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), ==, 0);
    xen_pv_quota_take(&q, SECOND / 100, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), >=, SECOND * 3 / 100);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), <=, SECOND * 3 / 100 + 2);

    /* Nothing is so dear that it would have to be waited for for ever */
    xen_pv_quota_take(&q, UINT64_MAX, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), >=, 3 * 8 * SECOND);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), <=, 3 * 8 * SECOND + 100);
    g_assert_cmpint(xen_pv_quota_wait(&q, UINT64_MAX, 0), <=,
                    3 * 8 * SECOND + SECOND * 3 / 20 + 100);
    xen_pv_quota_take(&q, UINT64_MAX, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, 0), <=, 3 * 8 * SECOND + 100);
}

/*
 * A main loop over virtual time: a guest always has a request, each takes
 * @cost ns, and it is served unless it has to wait.  Returns its share, in
 * percent.
 */
static double measure_share(uint32_t max_load, int64_t cost)
{
    const int64_t slice = SECOND / 20000, end = MAX(1000 * cost, 60 * SECOND);
    int64_t now = 0, busy = 0, wait;
    XenPvQuota q;

    xen_pv_quota_init(&q, SECOND / 100 * max_load, SECOND / 50, now);
    while (now < end) {
        now += cost;
        busy += cost;
        xen_pv_quota_take(&q, cost, now);
        if (xen_pv_quota_wait(&q, 0, now)) {
            wait = xen_pv_quota_wait(&q, slice, now);
            g_assert_cmpint(wait, >, 0);
            now += wait;
        }
    }
    return 100.0 * busy / now;
}

/* However long requests take, they get what the quota says, and not less */
static void test_share(void)
{
    const uint32_t loads[] = { 1, 10, 25, 50, 90 };
    const int64_t ms = SECOND / 1000;
    const int64_t costs[] = {
        ms, 7 * ms, 20 * ms, 40 * ms, 100 * ms, 450 * ms, SECOND, 5 * SECOND,
    };
    double share;
    int i, j;

    for (i = 0; i < G_N_ELEMENTS(loads); i++) {
        for (j = 0; j < G_N_ELEMENTS(costs); j++) {
            share = measure_share(loads[i], costs[j]);
            g_assert_cmpfloat(share, <=, loads[i] + 5.0);
            g_assert_cmpfloat(share, >=, loads[i] * 0.9);
        }
    }
}

/* A bucket of nothing would hold nobody back, or everybody for ever */
static void test_no_burst(void)
{
    XenPvQuota q;

    xen_pv_quota_init(&q, 10, 0, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 0), ==, 0);
    xen_pv_quota_take(&q, 1, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 0), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, SECOND / 10), ==, 0);
}

/* A clock that does not go on brings nothing, and one that goes back neither */
static void test_clock(void)
{
    XenPvQuota q;

    xen_pv_quota_init(&q, 1, 1, 100 * SECOND);
    xen_pv_quota_take(&q, 1, 100 * SECOND);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 0), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, INT64_MIN / 2), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 100 * SECOND + 1), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 1, 101 * SECOND), ==, 0);
}

static void test_limits(void)
{
    XenPvQuota q;

    /* No quota at all */
    xen_pv_quota_init(&q, 0, 0, 0);
    xen_pv_quota_take(&q, UINT64_MAX, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, UINT64_MAX, 0), ==, 0);

    /* The largest, the longest time, the most at once */
    xen_pv_quota_init(&q, UINT64_MAX, UINT64_MAX, 0);
    g_assert_cmpuint(q.rate, ==, XEN_PV_QUOTA_MAX);
    g_assert_cmpuint(q.burst, ==, XEN_PV_QUOTA_MAX);
    xen_pv_quota_take(&q, UINT64_MAX, 1);
    xen_pv_quota_take(&q, UINT64_MAX, 2);
    g_assert_cmpint(xen_pv_quota_wait(&q, UINT64_MAX, 2), <=, 9 * SECOND + 1);

    /* The deepest debt at the lowest rate */
    xen_pv_quota_init(&q, 1, UINT64_MAX, 0);
    xen_pv_quota_take(&q, UINT64_MAX, 1);
    xen_pv_quota_take(&q, UINT64_MAX, 2);
    g_assert_cmpint(xen_pv_quota_wait(&q, UINT64_MAX, 2), >, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, 0, INT64_MAX), ==, 0);
    xen_pv_quota_init(&q, UINT64_MAX, UINT64_MAX, 0);
    g_assert_cmpint(xen_pv_quota_wait(&q, UINT64_MAX, INT64_MAX), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen/pv-quota/burst", test_burst);
    g_test_add_func("/xen/pv-quota/rate", test_rate);
    g_test_add_func("/xen/pv-quota/debt", test_debt);
    g_test_add_func("/xen/pv-quota/share", test_share);
    g_test_add_func("/xen/pv-quota/no-burst", test_no_burst);
    g_test_add_func("/xen/pv-quota/clock", test_clock);
    g_test_add_func("/xen/pv-quota/limits", test_limits);
    return g_test_run();
}
