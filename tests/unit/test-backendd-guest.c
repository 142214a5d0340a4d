/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of how xen-pv-backendd runs the process of a guest: with shell scripts
 * for a QEMU
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <signal.h>

#include <glib/gstdio.h>

#include "../../tools/backendd-guest.h"

/* In seconds: nothing here takes so long unless it does not come at all */
#define DEADLINE 60

typedef struct Fixture {
    char *dir;
    char *program;
    BackenddGuest *guest;
    unsigned int starting;
    unsigned int ended;
    unsigned int failed;
    char *why;
    GString *log;
} Fixture;

static void guest_log(void *opaque, const char *text)
{
    Fixture *f = opaque;

    g_string_append_printf(f->log, "%s\n", text);
}

static void guest_starting(void *opaque, BackenddGuest *guest)
{
    Fixture *f = opaque;

    g_assert_cmpint(backendd_guest_pid(guest), ==, 0);
    f->starting++;
}

static void guest_ended(void *opaque, BackenddGuest *guest)
{
    Fixture *f = opaque;

    g_assert_true(guest == f->guest);
    f->ended++;
}

static void guest_failed(void *opaque, BackenddGuest *guest, const char *why)
{
    Fixture *f = opaque;

    g_assert_cmpint(backendd_guest_state(guest), ==, BACKENDD_FAILED);
    f->failed++;
    g_free(f->why);
    f->why = g_strdup(why);
}

static void fixture_set_up(Fixture *f, const void *data)
{
    static const BackenddGuestOps ops = {
        .log = guest_log, .starting = guest_starting, .ended = guest_ended,
        .failed = guest_failed,
    };
    static const BackenddTimes times = {
        .restart = 1, .restart_max = 8, .grace = 50,
    };

    f->dir = g_dir_make_tmp("backendd-XXXXXX", NULL);
    f->program = g_build_filename(f->dir, "qemu", NULL);
    f->log = g_string_new(NULL);
    f->guest = backendd_guest_new(5, 1, &times, &ops, f);
}

static void fixture_tear_down(Fixture *f, const void *data)
{
    static const char *const files[] = { "qemu", "starts", "env" };

    backendd_guest_free(f->guest);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        g_autofree char *path = g_build_filename(f->dir, files[i], NULL);

        g_unlink(path);
    }
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_string_free(f->log, true);
    g_free(f->why);
    g_free(f->program);
    g_free(f->dir);
}

/* A program that counts its starts, and then does this */
static void write_program(Fixture *f, const char *script)
{
    g_autofree char *text = g_strdup_printf(
        "#!/bin/sh\necho x >>%s/starts\n%s\n", f->dir, script);

    g_assert_true(g_file_set_contents(f->program, text, -1, NULL));
    g_assert_cmpint(g_chmod(f->program, 0755), ==, 0);
}

static unsigned int starts(Fixture *f)
{
    g_autofree char *path = g_build_filename(f->dir, "starts", NULL);
    g_autofree char *text = NULL;
    gsize len = 0;

    g_file_get_contents(path, &text, &len, NULL);
    return len / 2;
}

static void start(Fixture *f, unsigned int restarts)
{
    char *args[] = { (char *)"%d", NULL };
    const BackenddProfile profile = {
        .program = f->program, .restarts = restarts, .window = 3600,
        .args = args,
    };

    backendd_guest_start(f->guest, &profile, NULL);
}

static gboolean deadline(gpointer opaque)
{
    g_error("what is waited for has not come in %d seconds", DEADLINE);
    return G_SOURCE_REMOVE;
}

#define WAIT_FOR(condition)                                     \
    do {                                                        \
        guint timer_ = g_timeout_add_seconds(DEADLINE, deadline, NULL); \
                                                                \
        while (!(condition)) {                                  \
            g_main_context_iteration(NULL, true);               \
        }                                                       \
        g_source_remove(timer_);                                \
    } while (0)

/* A shell that waits, without a child that would outlive it */
static void write_that_runs(Fixture *f)
{
    g_autofree char *script = g_strdup_printf(
        "echo runs; [ -e %s/env ] || mkfifo %s/env; read x <%s/env", f->dir,
        f->dir, f->dir);

    write_program(f, script);
}

static bool logged(Fixture *f, const char *text)
{
    return strstr(f->log->str, text);
}

static void test_runs(Fixture *f, const void *data)
{
    int pid;

    write_that_runs(f);
    start(f, 0);
    g_assert_cmpint(backendd_guest_state(f->guest), ==, BACKENDD_RUNNING);
    pid = backendd_guest_pid(f->guest);
    g_assert_cmpint(kill(pid, 0), ==, 0);
    WAIT_FOR(logged(f, "guest 5: QEMU says: runs\n"));

    backendd_guest_stop(f->guest);
    backendd_guest_stop(f->guest);
    WAIT_FOR(f->ended);
    g_assert_cmpint(backendd_guest_state(f->guest), ==, BACKENDD_IDLE);
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_cmpuint(f->ended, ==, 1);
    g_assert_cmpuint(f->failed, ==, 0);

    /* And again */
    start(f, 0);
    g_assert_cmpint(backendd_guest_state(f->guest), ==, BACKENDD_RUNNING);
}

/* Freed while it runs, it is killed */
static void test_freed(Fixture *f, const void *data)
{
    int pid;

    write_that_runs(f);
    start(f, 0);
    pid = backendd_guest_pid(f->guest);
    g_clear_pointer(&f->guest, backendd_guest_free);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

static void test_does_not_end(Fixture *f, const void *data)
{
    g_autofree char *script = g_strdup_printf(
        "trap '' TERM; echo deaf; mkfifo %s/env; while :; do read x <%s/env; "
        "done", f->dir, f->dir);

    write_program(f, script);
    start(f, 0);
    WAIT_FOR(logged(f, "QEMU says: deaf"));
    backendd_guest_stop(f->guest);
    WAIT_FOR(f->ended);
    g_assert_true(logged(f, "QEMU did not end when it was told to: it is "
                         "killed"));
}

/* An exit before anything was served has a reason that stays */
static void test_cannot_start(Fixture *f, const void *data)
{
    write_program(f, "echo first >&2; echo 'bad option' >&2; exit 3");
    start(f, 5);
    WAIT_FOR(f->failed);
    g_assert_cmpstr(f->why, ==, "QEMU cannot be started: it exited with status "
                    "3: bad option");
    g_assert_cmpuint(starts(f), ==, 1);

    /* It can be tried again */
    start(f, 5);
    WAIT_FOR(f->failed == 2);
    g_assert_cmpuint(starts(f), ==, 2);

    /* And given up */
    backendd_guest_stop(f->guest);
    WAIT_FOR(f->ended);
    g_assert_cmpint(backendd_guest_state(f->guest), ==, BACKENDD_IDLE);
}

static void test_no_program(Fixture *f, const void *data)
{
    g_autofree char *why = g_strdup_printf("cannot run %s: ", f->program);

    start(f, 5);
    g_assert_cmpuint(f->failed, ==, 1);
    g_assert_true(g_str_has_prefix(f->why, why));
    g_assert_nonnull(strstr(f->why, g_strerror(ENOENT)));
}

static void test_no_user(Fixture *f, const void *data)
{
    char *args[] = { NULL };
    char user[] = "no-such-user-here";
    const BackenddProfile profile = {
        .program = f->program, .user = user, .window = 1, .args = args,
    };

    backendd_guest_start(f->guest, &profile, NULL);
    g_assert_cmpuint(f->failed, ==, 1);
    g_assert_cmpstr(f->why, ==, "cannot run QEMU as user no-such-user-here: "
                    "there is no such user");
}

/* The user's number and group, and no other's; only root can change them */
static void test_user(Fixture *f, const void *data)
{
    char *args[] = { NULL };
    char user[] = "nobody";
    const BackenddProfile profile = {
        .program = f->program, .user = user, .window = 1, .args = args,
    };

    if (getuid()) {
        g_test_skip("only root can run a program as another user");
        return;
    }
    g_assert_cmpint(g_chmod(f->dir, 0755), ==, 0);
    g_assert_true(g_file_set_contents(
        f->program, "#!/bin/sh\necho user $(id -un) groups $(id -Gn)\n", -1,
        NULL));
    g_assert_cmpint(g_chmod(f->program, 0755), ==, 0);
    backendd_guest_start(f->guest, &profile, NULL);
    WAIT_FOR(f->failed);
    g_assert_true(logged(f, "QEMU says: user nobody groups nogroup\n"));
}

/* One that has served is started again, up to a limit */
static void test_restarts(Fixture *f, const void *data)
{
    write_program(f, "echo bye; kill -SEGV $$");
    start(f, 3);
    for (unsigned int i = 1; i <= 3; i++) {
        backendd_guest_serves(f->guest);
        WAIT_FOR(starts(f) == i &&
                 backendd_guest_state(f->guest) == BACKENDD_WAITING);
        WAIT_FOR(backendd_guest_state(f->guest) != BACKENDD_WAITING);
    }
    WAIT_FOR(f->failed);
    g_assert_cmpuint(starts(f), ==, 4);
    g_assert_cmpuint(f->starting, ==, 4);
    g_assert_cmpstr(f->why, ==, "QEMU ended 4 times in 3600 seconds; at last "
                    "it was killed by signal 11: bye");
    g_assert_true(logged(f, "it is started again in 1 ms"));
    g_assert_true(logged(f, "it is started again in 2 ms"));
    g_assert_true(logged(f, "it is started again in 4 ms"));
}

/* It has served: an exit with an error is a death as any other */
static void test_exit_after_serving(Fixture *f, const void *data)
{
    write_program(f, "exit 1");
    start(f, 1);
    backendd_guest_serves(f->guest);
    WAIT_FOR(f->failed);
    g_assert_cmpuint(starts(f), ==, 2);
}

static void test_ended_while_waiting(Fixture *f, const void *data)
{
    write_program(f, "exit 0");
    start(f, 1000);
    WAIT_FOR(backendd_guest_state(f->guest) == BACKENDD_WAITING);
    backendd_guest_stop(f->guest);
    WAIT_FOR(f->ended);
    g_assert_cmpint(backendd_guest_pid(f->guest), ==, 0);
    g_assert_cmpuint(f->failed, ==, 0);
}

/* What a process says is cut, counted and free of what is not to print */
static void test_output(Fixture *f, const void *data)
{
    char *line;
    unsigned int lines = 0;

    write_program(f, "printf 'a\\033[2Jb\\377\\n'; "
                  "head -c 100000 /dev/zero | tr '\\0' y; echo; "
                  "i=0; while [ $i -lt 1000 ]; do echo z; i=$((i + 1)); done; "
                  "printf last; exit 4");
    start(f, 0);
    WAIT_FOR(f->failed);
    g_assert_true(logged(f, "QEMU says: a?[2Jb?\n"));
    for (line = f->log->str; line && *line; line = strchr(line, '\n') + 1) {
        g_assert_cmpuint(strcspn(line, "\n"), <, 500);
        lines += !!g_str_has_prefix(line, "guest 5: QEMU says: ");
    }
    g_assert_cmpuint(lines, <=, 60);
    g_assert_cmpstr(f->why, ==, "QEMU cannot be started: it exited with status "
                    "4: last");
}

/* The process has its own descriptors alone */
static void test_descriptors(Fixture *f, const void *data)
{
    write_program(f, "echo $(cd /proc/self/fd && echo *); exit 1");
    start(f, 0);
    WAIT_FOR(f->failed);
    g_test_message("%s", f->why);
    g_assert_true(logged(f, "QEMU says: 0 1 2"));
    g_assert_false(logged(f, " 4 5"));
}

#define ADD(name, test) \
    g_test_add("/backendd/guest/" name, Fixture, NULL, fixture_set_up, test, \
               fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    ADD("runs", test_runs);
    ADD("freed", test_freed);
    ADD("does-not-end", test_does_not_end);
    ADD("cannot-start", test_cannot_start);
    ADD("no-program", test_no_program);
    ADD("no-user", test_no_user);
    ADD("user", test_user);
    ADD("restarts", test_restarts);
    ADD("exit-after-serving", test_exit_after_serving);
    ADD("ended-while-waiting", test_ended_while_waiting);
    ADD("output", test_output);
    ADD("descriptors", test_descriptors);

    return g_test_run();
}
