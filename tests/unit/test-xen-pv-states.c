/*
 * Tests of the states of a PV card: the whole table, and what each known
 * frontend sees of it
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "../../hw/xen/backend/xen-pv-states.h"

/* A letter for each action; rows are backend states, columns frontend's */
static const char letters[] = {
    [XEN_PV_KEEP]           = '.',
    [XEN_PV_TAKEN]          = 't',
    [XEN_PV_RELEASE]        = 'r',
    [XEN_PV_CONNECT]        = 'C',
    [XEN_PV_PAUSE]          = 'p',
    [XEN_PV_CLOSING]        = '5',
    [XEN_PV_CLOSED]         = '6',
    [XEN_PV_OFFER]          = '2',
    [XEN_PV_CLOSED_OFFER]   = '+',
    [XEN_PV_REMOVE]         = '-',
    [XEN_PV_RENEW]          = 'n',
};

typedef struct Grid {
    const char *name;
    XenPvCause cause;
    bool online;
    bool taken;
    bool tiresome;
    bool connected;     /* if the backend is */
    const char *rows[XEN_PV_STATES];
} Grid;

#define NOTHING "........."
#define ALL(row) { row, row, row, row, row, row, row, row, row }

/* With a frontend that has a connection, or not, and does not use it */
#define NOT_IN_USE { \
    NOTHING, NOTHING, "6r.C.rrr.", NOTHING, "62.Ct56r.", "62.C..6..", \
    ".2.C.....", "6........", NOTHING, \
}

static const Grid grids[] = {
    {
        .name = "a frontend that uses its connection",
        .cause = XEN_PV_CAUSE_FRONTEND,
        .online = true, .taken = true, .connected = true,
        .rows = {
            /* 0 1 2 3 4 5 6 7 8 */
            NOTHING,
            NOTHING,
            "6r.C.rrr.",
            NOTHING,
            "62..t56r.",
            "62.C..6..",
            ".2.C.....",
            "6........",
            NOTHING,
        },
    }, {
        .name = "a frontend that does not use it yet",
        .cause = XEN_PV_CAUSE_FRONTEND,
        .online = true, .connected = true,
        .rows = NOT_IN_USE,
    }, {
        .name = "a frontend that was released, but not closed",
        .cause = XEN_PV_CAUSE_FRONTEND,
        .online = true, .taken = true,
        .rows = NOT_IN_USE,
    }, {
        .name = "a frontend that gave up again and again",
        .cause = XEN_PV_CAUSE_FRONTEND,
        .online = true, .tiresome = true, .connected = true,
        .rows = {
            NOTHING,
            NOTHING,
            "6r.C.rrr.",
            NOTHING,
            "6p.Ctppr.",
            "62.C..6..",
            ".2.C.....",
            "6........",
            NOTHING,
        },
    }, {
        .name = "a card that is to go",
        .cause = XEN_PV_CAUSE_FRONTEND,
        .taken = true, .connected = true,
        .rows = {
            NOTHING,
            NOTHING,
            "6r...rrr.",
            NOTHING,
            "66..t66r.",
            "66.6..6..",
            ".6.......",
            "6........",
            NOTHING,
        },
    }, {
        .name = "time",
        .cause = XEN_PV_CAUSE_TIME,
        .online = true, .taken = true,
        .rows = {
            NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
            "626C6+666",
            NOTHING,
            "626C6+666",
            NOTHING,
        },
    }, {
        .name = "time, and a frontend that did not use its connection",
        .cause = XEN_PV_CAUSE_TIME,
        .online = true, .tiresome = true,
        .rows = {
            NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
            "626C66666",
            NOTHING,
            "626C66666",
            NOTHING,
        },
    }, {
        .name = "time, and a card that is to go",
        .cause = XEN_PV_CAUSE_TIME,
        .taken = true,
        .rows = {
            NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
            "666666666",
            NOTHING,
            "666666666",
            NOTHING,
        },
    }, {
        .name = "removal",
        .cause = XEN_PV_CAUSE_REMOVAL,
        .taken = true, .connected = true,
        .rows = ALL("---------"),
    }, {
        .name = "removal by the state alone",
        .cause = XEN_PV_CAUSE_REMOVAL,
        .online = true, .tiresome = true, .connected = true,
        .rows = ALL("---------"),
    }, {
        .name = "reset",
        .cause = XEN_PV_CAUSE_RESET,
        .online = true, .taken = true, .connected = true,
        .rows = {
            "nnnnnnnnn", "nnnnnnnnn", "nrnnnnnnn", "nnnnnnnnn", "nnnnnnnnn",
            "nnnnnnnnn", "nnnnnnnnn", "nnnnnnnnn", "nnnnnnnnn",
        },
    }, {
        .name = "reset, and a card that is to go",
        .cause = XEN_PV_CAUSE_RESET,
        .connected = true,
        .rows = ALL("rrrrrrrrr"),
    },
};

static void test_table(gconstpointer data)
{
    const Grid *grid = data;
    int backend, frontend;

    for (backend = 0; backend < XEN_PV_STATES; backend++) {
        char row[XEN_PV_STATES + 1] = "";

        for (frontend = 0; frontend < XEN_PV_STATES; frontend++) {
            XenPvSituation now = {
                .backend = backend, .frontend = frontend,
                .online = grid->online, .taken = grid->taken,
                .tiresome = grid->tiresome,
                .connected = grid->connected &&
                             backend == XenbusStateConnected,
            };
            XenPvAction action = xen_pv_next_action(&now, grid->cause);

            g_assert_cmpuint(action, <, sizeof(letters));
            g_assert_nonnull(xen_pv_action_name(action));
            row[frontend] = letters[action];
        }
        g_test_message("backend %d: %s", backend, row);
        g_assert_cmpstr(row, ==, grid->rows[backend]);
    }
}

/* A guest may write any number as its state */
static void test_no_state(void)
{
    static const int numbers[] = { 9, 10, 255, INT_MAX, INT_MIN, -1 };
    static const XenPvCause causes[] = {
        XEN_PV_CAUSE_FRONTEND, XEN_PV_CAUSE_TIME, XEN_PV_CAUSE_REMOVAL,
        XEN_PV_CAUSE_RESET,
    };
    int i, cause, backend;

    for (i = 0; i < G_N_ELEMENTS(numbers); i++) {
        for (cause = 0; cause < G_N_ELEMENTS(causes); cause++) {
            for (backend = 0; backend < XEN_PV_STATES; backend++) {
                XenPvSituation now = {
                    .backend = backend, .frontend = numbers[i],
                    .online = true, .connected = true, .taken = true,
                };
                XenPvSituation none = now;

                none.frontend = XenbusStateUnknown;
                g_assert_cmpint(xen_pv_next_action(&now, causes[cause]), ==,
                                xen_pv_next_action(&none, causes[cause]));
            }
        }
    }
}

/*
 * Conversations.  A digit is what the frontend writes, or 't' the time that
 * passes; behind it is what the backend shows then, all of it.  'x' is the
 * toolstack, 'r' a reset, after which the frontend is Initialising.
 */
typedef struct Talk {
    const char *name;
    const char *steps;
} Talk;

static const Talk talks[] = {
    { "linux/load", "1: 3:4 4:" },
    { "linux/unload", "1: 3:4 4: 5:5 t:62 1: 6: 1: 3:4 4: 5:5 t:62" },
    { "linux/reboot", "1: 3:4 4: 5:5 6:6 t:" },
    /* A crash kernel, and one that kexec starts after such a shutdown */
    { "linux/kdump", "1: 3:4 4: 5:5 6:6 1:2 3:4 4:" },
    { "linux/kexec", "1: 3:4 4: 5:5 6:6 t: 6: 1:2 3:4 4:" },
    { "linux/dead", "1: 3:4 4: 1:2 3:4 4:" },
    { "linux/reconfiguring", "1: 3:4 4: 7: 1:2 3:4 4:" },
    /* Sound that sees InitWait twice, and we see all of it, or little */
    { "linux/twice", "1: 3:4 1:2 3:4 4:" },
    { "linux/twice-missed", "1: 3:4 3: 4: 5:5 t:62" },
    { "linux/misfit", "1: 3:4 5:5 t:6 1:2 3:4 5:5 t:6 1:2 3:4 5:7 t:6 1:2" },
    { "linux/broken", "1: 5: 1: 5: 6: 1:" },
    { "plan9", "3:4 4: 5:5 6:6 t: 3:4 4:" },
    { "gone", "1: 3:4 4: 0:6 t: 1:2" },
    { "gone/closing", "1: 3:4 4: 5:5 0:6 t:" },
    { "nonsense/closing", "1: 3:4 4: 5:5 8: 2: 4: t:6 1:2" },
    { "toolstack/detach", "1: 3:4 4: x:56" },
    { "toolstack/detach-closing", "1: 3:4 4: 5:5 x:6 t:" },
    { "reset/connected", "1: 3:4 4: r:2 3:4 4:" },
    { "reset/closing", "1: 3:4 4: 5:5 r:2 t: 3:4 4:" },
    { "reset/unloaded", "1: 3:4 4: 5:5 t:62 1: 6: r:2 3:4 4:" },
    { "reset/fresh", "1: r: 3:4 4:" },
};

typedef struct Model {
    XenPvSituation now;
    unsigned int untaken;
    GString *shown;
} Model;

static void show(Model *m, enum xenbus_state state)
{
    if (m->now.backend != state) {
        m->now.backend = state;
        g_string_append_printf(m->shown, "%d", state);
    }
}

static void carry_out(Model *m, XenPvAction action)
{
    if (action == XEN_PV_KEEP) {
        return;
    }
    if (action == XEN_PV_TAKEN) {
        m->untaken = 0;
        return;
    }
    m->now.connected = false;
    switch (action) {
    case XEN_PV_CONNECT:
        m->untaken++;
        m->now.connected = true;
        show(m, XenbusStateConnected);
        break;
    case XEN_PV_PAUSE:
        show(m, XenbusStateReconfiguring);
        break;
    case XEN_PV_CLOSING:
        show(m, XenbusStateClosing);
        break;
    case XEN_PV_REMOVE:
        m->now.online = false;
        show(m, XenbusStateClosing);
        show(m, XenbusStateClosed);
        break;
    case XEN_PV_CLOSED:
        show(m, XenbusStateClosed);
        break;
    case XEN_PV_CLOSED_OFFER:
        show(m, XenbusStateClosed);
        show(m, XenbusStateInitWait);
        break;
    case XEN_PV_RENEW:
        /* It tells that it was told, even if it was InitWait before */
        m->now.frontend = XenbusStateInitialising;
        m->now.backend = XenbusStateUnknown;
        m->untaken = 0;
        show(m, XenbusStateInitWait);
        break;
    case XEN_PV_OFFER:
        show(m, XenbusStateInitWait);
        break;
    default:
        break;
    }
}

static void test_talk(gconstpointer data)
{
    const Talk *talk = data;
    g_auto(GStrv) steps = g_strsplit(talk->steps, " ", -1);
    Model m = {
        .now = { .backend = XenbusStateInitWait, .online = true },
        .shown = g_string_new(NULL),
    };
    int i;

    for (i = 0; steps[i]; i++) {
        XenPvCause cause = XEN_PV_CAUSE_FRONTEND;

        g_string_truncate(m.shown, 0);
        switch (steps[i][0]) {
        case 't':
            cause = XEN_PV_CAUSE_TIME;
            break;
        case 'x':
            cause = XEN_PV_CAUSE_REMOVAL;
            break;
        case 'r':
            cause = XEN_PV_CAUSE_RESET;
            break;
        default:
            m.now.frontend = steps[i][0] - '0';
            break;
        }
        m.now.taken = m.untaken == 0;
        m.now.tiresome = m.untaken >= 3;
        carry_out(&m, xen_pv_next_action(&m.now, cause));
        g_test_message("%s -> %s", steps[i], m.shown->str);
        g_assert_cmpstr(m.shown->str, ==, steps[i] + 2);
    }
    g_string_free(m.shown, true);
}

int main(int argc, char **argv)
{
    int i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(grids); i++) {
        g_autofree char *path = g_strdup_printf("/xen-pv-states/table/%s",
                                                grids[i].name);

        g_test_add_data_func(path, &grids[i], test_table);
    }
    g_test_add_func("/xen-pv-states/no-state", test_no_state);
    for (i = 0; i < G_N_ELEMENTS(talks); i++) {
        g_autofree char *path = g_strdup_printf("/xen-pv-states/talk/%s",
                                                talks[i].name);

        g_test_add_data_func(path, &talks[i], test_talk);
    }
    return g_test_run();
}
