/*
 * QTest of xen-pvdisplay: what the monitor says of it, many screens, and events
 * that nobody takes
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "xen-pvdisplay-qtest.h"

/* The monitor */

static bool is_state(void *opaque)
{
    XenPvTest *t = opaque;
    QDict *status = get_status(t);
    bool ok = qdict_get_int(status, "backend-state") ==
              xen_guest_read_int(t->guest, t->display->card.backend_state,
                                 -1) &&
              qdict_get_int(status, "frontend-state") ==
              xen_guest_read_int(t->guest, t->display->card.frontend_state, -1);

    qobject_unref(status);
    return ok;
}

static void check_cookie(const QDict *dict, const char *key, uint64_t cookie)
{
    g_autofree char *text = g_strdup_printf("0x%" PRIx64, cookie);

    g_assert_cmpstr(qdict_get_str(dict, key), ==, text);
}

/* The buffer, or framebuffer, of that name is in a list, with those figures */
static void check_listed(const QDict *status, const char *list,
                         const char *key, uint64_t cookie,
                         const XenFrontBuffer *buffer)
{
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(status, list), entry) {
        QDict *dict = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_ascii_strtoull(qdict_get_str(dict, key), NULL, 16) == cookie) {
            g_assert_cmpint(qdict_get_int(dict, "width"), ==, buffer->width);
            g_assert_cmpint(qdict_get_int(dict, "height"), ==,
                            buffer->height);
            g_assert_cmpint(qdict_get_int(dict, "stride"), ==,
                            buffer->stride);
            check_cookie(dict, "buffer", buffer->dbuf);
            if (g_str_equal(key, "buffer")) {
                g_assert_cmpint(qdict_get_int(dict, "directory"), ==,
                                xen_front_pgdir_ref(buffer->pgdir));
            }
            return;
        }
    }
    g_assert_not_reached();
}

static size_t list_size(const QDict *status, const char *list)
{
    return qlist_size(qdict_get_qlist(status, list));
}

static void check_idle_status(XenPvTest *t)
{
    QDict *status = get_status(t);
    uint32_t i;

    g_assert_cmpstr(qdict_get_str(status, "path"), ==,
                    t->display->card.backend_path);
    g_assert_false(qdict_get_bool(status, "connected"));
    g_assert_cmpuint(list_size(status, "connectors"), ==, 2);
    g_assert_cmpuint(list_size(status, "buffers"), ==, 0);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 0);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==, 0);
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(status, "cache"),
                                  "mapped-pages"), ==, 0);
    for (i = 0; i < 2; i++) {
        QDict *c = get_item(status, "connectors", i);

        g_assert_cmpstr(qdict_get_str(c, "id"), ==, i ? "RIGHT" : "LEFT");
        g_assert_cmpint(qdict_get_int(c, "width"), ==, i ? 300 : 800);
        g_assert_cmpint(qdict_get_int(c, "height"), ==, i ? 201 : 600);
        g_assert_cmpint(qdict_get_int(c, "refresh-rate"), ==, 60);
        g_assert_false(qdict_get_bool(c, "connected"));
        g_assert_false(qdict_get_bool(c, "broken"));
        g_assert_false(qdict_get_bool(c, "enabled"));
        g_assert_false(qdict_haskey(c, "buffer"));
        g_assert_cmpint(qdict_get_int(c, "flips-pending"), ==, 0);
    }
    qobject_unref(status);
}

static void check_status(XenPvTest *t, XenFrontBuffer *a, XenFrontBuffer *b)
{
    QDict *status = get_status(t);
    QDict *cache = qdict_get_qdict(status, "cache");
    QDict *left = get_item(status, "connectors", 0);
    QDict *right = get_item(status, "connectors", 1);
    XenGuestStats stats;

    g_assert_true(qdict_get_bool(status, "connected"));
    g_assert_false(qdict_haskey(status, "last-error"));
    g_assert_cmpuint(list_size(status, "buffers"), ==, 2);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 2);
    check_listed(status, "buffers", "buffer", a->dbuf, a);
    check_listed(status, "buffers", "buffer", b->dbuf, b);
    check_listed(status, "framebuffers", "framebuffer", a->fb, a);
    check_listed(status, "framebuffers", "framebuffer", b->fb, b);
    g_assert_cmpstr(qdict_get_str(get_item(status, "framebuffers", 0),
                                  "format"), ==, "XR24");
    g_assert_cmpint(qdict_get_int(get_item(status, "buffers", 0), "size") +
                    qdict_get_int(get_item(status, "buffers", 1), "size"),
                    ==, a->pgdir->size + b->pgdir->size);

    /* Two creations, two attachments, two configurations, seven flips */
    g_assert_cmpint(qdict_get_int(status, "requests"), ==, 13);
    g_assert_cmpint(qdict_get_int(status, "refused"), ==, 0);
    g_assert_cmpint(qdict_get_int(status, "flips"), ==, 7);
    g_assert_cmpint(qdict_get_int(status, "events"), ==, 6);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==,
                    a->pgdir->nr_pages + b->pgdir->nr_pages);

    g_assert_true(qdict_get_bool(left, "connected"));
    g_assert_true(qdict_get_bool(left, "enabled"));
    g_assert_false(qdict_get_bool(left, "converted"));
    check_cookie(left, "buffer", a->dbuf);
    g_assert_cmpint(qdict_get_int(left, "events"), ==, 6);
    g_assert_cmpint(qdict_get_int(left, "flips-pending"), ==, 0);
    check_cookie(right, "buffer", b->dbuf);
    g_assert_cmpint(qdict_get_int(right, "x"), ==, 3);
    g_assert_cmpint(qdict_get_int(right, "y"), ==, 2);
    g_assert_cmpint(qdict_get_int(right, "flips-pending"), ==, 1);

    /* Rings and event pages are not the cache's */
    g_assert_cmpint(xen_guest_stats(t->guest, &stats), ==, 0);
    g_assert_cmpint(qdict_get_int(cache, "mapped-pages"), ==,
                    stats.mapped - 4);
    g_assert_cmpint(qdict_get_int(cache, "buffers"), ==, 2);
    /* Page by page it is pages that are looked for, and not pictures */
    if (!t->single_map) {
        g_assert_cmpint(qdict_get_int(cache, "misses"), ==, 2);
        g_assert_cmpint(qdict_get_int(cache, "hits"), ==, 7);
    }
    g_assert_cmpint(qdict_get_int(cache, "evictions"), ==, 0);
    g_assert_cmpint(qdict_get_int(cache, "failures"), ==, 0);
    qobject_unref(status);
}

/* Each line is "NAME: ..." or "NAME NUMBER: ...", and HMP prints them all */
static void check_summary(XenPvTest *t)
{
    g_autofree char *hmp =
        qtest_hmp(t->qts, "qom-get /machine/peripheral/disp0 summary");
    QObject *summary = xen_pv_test_get(t, "disp0", "summary");
    static const char *const starts[] = {
        "backend-state: 4", "buffers 0: ", "buffers 1: ", "cache: ",
        "connected: true", "connectors 0: ", "connectors 1: ",
        "framebuffers 0: ", "framebuffers 1: ", "last-error: connector 0: "
    };
    const QListEntry *entry;
    uint32_t found = 0;
    int i;

    QLIST_FOREACH_ENTRY(qobject_to(QList, summary), entry) {
        const char *line =
            qstring_get_str(qobject_to(QString, qlist_entry_obj(entry)));

        for (i = 0; i < ARRAY_SIZE(starts); i++) {
            if (g_str_has_prefix(line, starts[i])) {
                found |= 1u << i;
            }
        }
        g_assert_null(strchr(line, '\n'));
        g_assert_nonnull(strstr(hmp, line));
    }
    g_assert_cmphex(found, ==, (1u << ARRAY_SIZE(starts)) - 1);
    g_assert_nonnull(strstr(hmp, "id LEFT"));
    g_assert_nonnull(strstr(hmp, "format XR24"));
    qobject_unref(summary);
}

static void test_monitor(const void *testbed)
{
    XenFrontBuffer *a, *b;
    const char *error;
    QDict *status;
    XenPvTest t;
    int i;

    /* Without "its requests ... have to wait" on a machine that is slow */
    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,id=disp0,"
                      "max-load=100,"
                      "connectors='LEFT:800x600;RIGHT:300x201' ");
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));
    check_idle_status(&t);
    xen_pv_test_connect(t.display);
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));

    a = new_buffer(&t, 800, 600, COOKIE_A);
    b = new_buffer(&t, 310, 210, COOKIE_B);
    g_assert_cmpint(show(left(&t), a), ==, 0);
    g_assert_cmpint(xen_front_set_config(right(&t), b->fb, 3, 2, 310, 210,
                                         32), ==, 0);
    for (i = 0; i < 6; i++) {
        flip(&t, left(&t), a->fb);
    }
    g_assert_cmpint(xen_front_flip(right(&t), b->fb), ==, 0);
    check_status(&t, a, b);

    g_assert_cmpint(xen_front_flip(left(&t), 77), ==, -ENOENT);
    status = get_status(&t);
    g_assert_cmpint(qdict_get_int(status, "refused"), ==, 1);
    error = qdict_get_str(status, "last-error");
    g_assert_nonnull(strstr(error, "connector 0: PG_FLIP refused: "
                            "unknown framebuffer 0x4d"));
    qobject_unref(status);
    check_summary(&t);

    /* The pages of a buffer that is gone are not mapped, nor listed */
    end_buffer(&t, b);
    status = get_status(&t);
    g_assert_cmpuint(list_size(status, "buffers"), ==, 1);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 1);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==,
                    a->pgdir->nr_pages);
    g_assert_false(qdict_haskey(get_item(status, "connectors", 1), "buffer"));
    qobject_unref(status);

    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));
    check_idle_status(&t);
    xen_pv_test_end(&t);
}

/* Many screens */

#define SCREENS         XEN_FRONT_MAX_CONNECTORS

/* No two of them of one size */
static uint32_t screen_width(uint32_t index)
{
    return 64 + 3 * index;
}

static uint32_t screen_height(uint32_t index)
{
    return 96 - 2 * index;
}

static void append_screens(GString *args, const char *id, uint32_t first)
{
    uint32_t i;

    g_string_append_printf(args, "-device xen-pvdisplay,id=%s,connectors='",
                           id);
    for (i = 0; i < SCREENS; i++) {
        g_string_append_printf(args, "%sS%u:%ux%u", i ? ";" : "", first + i,
                               screen_width(first + i),
                               screen_height(first + i));
    }
    g_string_append(args, "' ");
}

static void check_console(XenPvTest *t, const char *id, int head)
{
    g_autofree char *device = g_strdup_printf("/machine/peripheral/%s", id);
    int i;

    for (i = 0; i < 2 * SCREENS; i++) {
        g_autofree char *path = g_strdup_printf("/backend/console[%d]", i);
        QDict *link = qtest_qmp(t->qts, "{ 'execute': 'qom-get', 'arguments':"
                                " { 'path': %s, 'property': 'device' } }",
                                path);
        QDict *number = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                  "'arguments': { 'path': %s, "
                                  "'property': 'head' } }", path);
        bool found = g_str_equal(qdict_get_str(link, "return"), device) &&
                     qdict_get_int(number, "return") == head;

        qobject_unref(link);
        qobject_unref(number);
        if (found) {
            return;
        }
    }
    g_assert_not_reached();
}

static void test_screens(const void *testbed)
{
    g_autoptr(GString) args = g_string_new("");
    static const char *const ids[] = { "disp0", "disp1" };
    XenFrontDisplay *displays[ARRAY_SIZE(ids)];
    XenFrontBuffer *buffers[2 * SCREENS];
    uint32_t i;
    XenPvTest t;

    append_screens(args, ids[0], 0);
    append_screens(args, ids[1], SCREENS);
    xen_pv_test_start(&t, testbed, args->str);
    displays[0] = t.display;
    displays[1] = xen_front_display_new(t.guest, 1);
    for (i = 0; i < ARRAY_SIZE(ids); i++) {
        xen_pv_test_connect(displays[i]);
        g_assert_cmpuint(displays[i]->nr_connectors, ==, SCREENS);
    }

    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontDisplay *display = displays[i / SCREENS];

        /* Cards know nothing of each other's names */
        buffers[i] = new_buffer_of(display, screen_width(i), screen_height(i),
                                   0x1000 + i % SCREENS);
        xen_front_buffer_draw(buffers[i], i);
        g_assert_cmpint(show(&display->connectors[i % SCREENS], buffers[i]),
                        ==, 0);
    }
    for (i = 0; i < 2 * SCREENS; i++) {
        check_console(&t, ids[i / SCREENS], i % SCREENS);
        xen_pv_check_screen(&t, ids[i / SCREENS], i % SCREENS,
                            screen_width(i), screen_height(i), i);
    }

    /* All flip at once, to their neighbour's picture */
    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontConnector *c = &displays[i / SCREENS]->connectors[i % SCREENS];

        xen_front_buffer_draw(buffers[i], 100 + i);
        g_assert_cmpint(xen_front_flip(c, buffers[i ^ 1]->fb), ==, 0);
    }
    qtest_clock_step(t.qts, PERIOD_NS);
    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontConnector *c = &displays[i / SCREENS]->connectors[i % SCREENS];

        xen_front_take_events(c);
        g_assert_cmpuint(c->events, ==, 1);
        g_assert_cmphex(c->last_event_cookie, ==, buffers[i ^ 1]->fb);
        xen_pv_check_screen(&t, ids[i / SCREENS], i % SCREENS,
                            MIN(screen_width(i), screen_width(i ^ 1)),
                            MIN(screen_height(i), screen_height(i ^ 1)),
                            100 + (i ^ 1));
    }

    /* There is no 17th */
    qobject_unref(qtest_qmp_assert_failure_ref(t.qts,
        "{ 'execute': 'screendump', 'arguments': { 'filename': '/dev/null', "
        "'device': 'disp1', 'head': %d } }", SCREENS));

    for (i = 0; i < 2 * SCREENS; i++) {
        end_buffer_of(displays[i / SCREENS], buffers[i]);
    }
    g_assert_cmpint(xen_front_display_unload(displays[1]), ==, 0);
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_display_free(displays[1]), ==, 0);
    xen_pv_test_end(&t);
}

/* Events */

/* No framebuffer in the turn of those before it */
static uint64_t nth_flip(XenFrontBuffer **buffers, uint32_t n)
{
    return buffers[n * 7 % 5]->fb;
}

/* Who takes no event for ten seconds gets them all, and each once */
static void test_patience(const void *testbed)
{
    XenFrontConnector *c;
    uint32_t flips = 0, taken = 0, ticks;
    XenPvTest t;
    XenFrontBuffer *buffers[5];
    int status, i;

    xen_pv_test_start(&t, testbed, CARD);
    xen_pv_test_connect(t.display);
    c = left(&t);
    for (i = 0; i < ARRAY_SIZE(buffers); i++) {
        buffers[i] = new_buffer(&t, 64, 45, i + 1);
    }
    g_assert_cmpint(show(c, buffers[0]), ==, 0);

    /* Flip as long as there is room for the events, here or there */
    while ((status = xen_front_flip(c, nth_flip(buffers, flips))) == 0) {
        flips++;
        qtest_clock_step(t.qts, PERIOD_NS);
        g_assert_cmpuint(flips, <=, 1000);
    }
    g_assert_cmpint(status, ==, -EBUSY);
    g_assert_cmpuint(flips, >, XENDISPL_IN_RING_LEN);

    for (ticks = 0; ticks < 600; ticks++) {
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    g_assert_cmpuint(get_connector_number(&t, 0, "flips-pending"), ==,
                     flips - XENDISPL_IN_RING_LEN);
    g_assert_cmpuint(get_connector_number(&t, 0, "events"), ==,
                     XENDISPL_IN_RING_LEN);

    /* All of the page, in order; take_events() looks at the ids */
    while (taken < flips) {
        struct xendispl_event_page *page = xen_guest_page(t.guest,
                                                          c->evt.page);
        uint32_t prod = page->in_prod;

        g_assert_cmpuint(prod - page->in_cons, <=, XENDISPL_IN_RING_LEN);
        for (; taken < prod; taken++) {
            g_assert_cmpuint(XENDISPL_IN_RING_REF(page, taken).id, ==, taken);
            g_assert_cmpuint(
                XENDISPL_IN_RING_REF(page, taken).op.pg_flip.fb_cookie, ==,
                nth_flip(buffers, taken));
        }
        xen_front_take_events(c);
        g_assert_cmpuint(c->events, ==, taken);
        g_assert_cmpuint(c->bad_events, ==, 0);

        /* None comes sooner than a screen could show it */
        qtest_clock_step(t.qts, PERIOD_NS);
        g_assert_cmpuint(page->in_prod - prod, ==, taken < flips ? 1 : 0);
    }

    /* And no more than that, ever */
    for (ticks = 0; ticks < 60; ticks++) {
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    xen_front_take_events(c);
    g_assert_cmpuint(c->events, ==, flips);
    flip(&t, c, buffers[2]->fb);

    for (i = 0; i < ARRAY_SIZE(buffers); i++) {
        end_buffer(&t, buffers[i]);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "monitor", test_monitor },
    { "screens", test_screens },
    { "patience", test_patience },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
