/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that serves a guest: started, watched, started again, ended
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <glib-unix.h>

#include "backendd-guest.h"

/* Bytes of a line of the process that are kept */
#define MAX_LINE        400
/* Lines a minute that are logged for a guest */
#define MAX_LINES       60
#define MINUTE          (60 * G_USEC_PER_SEC)
/* Bytes that are read for one guest before others have their turn */
#define MAX_READ        4096
/* And how often that is done for a process that has ended */
#define LAST_READS      16

/* What a process is, once it is no longer this one */
typedef struct Identity {
    bool change;
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    int count;
} Identity;

struct BackenddGuest {
    unsigned int domid;
    unsigned int slot;
    BackenddTimes times;
    BackenddGuestOps ops;
    void *opaque;

    BackenddGuestState state;
    bool serves;
    char **command;
    unsigned int restarts;
    gint64 window;
    Identity identity;
    /* When processes ended, newest last, as far as that counts */
    GArray *deaths;

    GPid pid;
    guint child_watch;
    guint timer;

    /* What the process says */
    int fd;
    guint fd_watch;
    GString *line;
    char *last_line;
    gint64 minute;
    unsigned int lines;
};

const BackenddTimes backendd_times = {
    .restart = 500, .restart_max = 30000, .grace = 10000,
};

static void guest_log(BackenddGuest *guest, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

static void guest_log(BackenddGuest *guest, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    line = g_strdup_printf("guest %u: %s", guest->domid, text);
    guest->ops.log(guest->opaque, line);
}

/* What the process says: bounded, and nothing but characters to print */

static void line_ends(BackenddGuest *guest)
{
    gint64 now = g_get_monotonic_time();

    for (gsize i = 0; i < guest->line->len; i++) {
        if (!g_ascii_isprint(guest->line->str[i])) {
            guest->line->str[i] = '?';
        }
    }
    if (guest->line->len) {
        g_free(guest->last_line);
        guest->last_line = g_strdup(guest->line->str);
        if (now - guest->minute >= MINUTE) {
            if (guest->lines > MAX_LINES) {
                guest_log(guest, "QEMU said %u more lines",
                          guest->lines - MAX_LINES);
            }
            guest->minute = now;
            guest->lines = 0;
        }
        if (++guest->lines <= MAX_LINES) {
            guest_log(guest, "QEMU says: %s", guest->line->str);
        }
    }
    g_string_truncate(guest->line, 0);
}

/* Returns: what read() does */
static ssize_t read_lines(BackenddGuest *guest)
{
    char data[MAX_READ];
    ssize_t len = read(guest->fd, data, sizeof(data));

    for (ssize_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            line_ends(guest);
        } else if (data[i] != '\r' && guest->line->len < MAX_LINE) {
            g_string_append_c(guest->line, data[i]);
        }
    }
    return len;
}

static gboolean lines_come(gint fd, GIOCondition condition, gpointer opaque)
{
    BackenddGuest *guest = opaque;
    ssize_t len = read_lines(guest);

    if (len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR))) {
        return G_SOURCE_CONTINUE;
    }
    guest->fd_watch = 0;
    return G_SOURCE_REMOVE;
}

static void close_output(BackenddGuest *guest)
{
    g_clear_handle_id(&guest->fd_watch, g_source_remove);
    if (guest->fd >= 0) {
        close(guest->fd);
        guest->fd = -1;
    }
    line_ends(guest);
}

/* The user that the process runs as */

static bool find_identity(Identity *identity, const char *user,
                          const char **why)
{
    struct passwd *entry;

    identity->change = user;
    if (!user) {
        return true;
    }
    entry = getpwnam(user);
    if (!entry) {
        *why = "there is no such user";
        return false;
    }
    identity->uid = entry->pw_uid;
    identity->gid = entry->pw_gid;
    identity->count = ARRAY_SIZE(identity->groups);
    if (getgrouplist(user, entry->pw_gid, identity->groups,
                     &identity->count) < 0) {
        *why = "it is in too many groups";
        return false;
    }
    return true;
}

/* Between fork() and exec(): only calls that are safe there */
static void set_up_child(gpointer opaque)
{
    const Identity *identity = opaque;
    sigset_t none;

    dup2(STDERR_FILENO, STDOUT_FILENO);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (identity->change &&
        (setgroups(identity->count, identity->groups) ||
         setgid(identity->gid) || setuid(identity->uid))) {
        static const char text[] = "cannot become the configured user\n";

        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(EXIT_FAILURE);
    }
    /* Not to be left behind; a change of the user would take this back */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* Its life */

static void guest_fails(BackenddGuest *guest, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

static void guest_fails(BackenddGuest *guest, const char *fmt, ...)
{
    g_autofree char *why = NULL;
    va_list ap;

    va_start(ap, fmt);
    why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    guest->state = BACKENDD_FAILED;
    guest_log(guest, "%s", why);
    guest->ops.failed(guest->opaque, guest, why);
}

static void child_ended(GPid pid, gint status, gpointer opaque);

static void run(BackenddGuest *guest)
{
    g_autoptr(GError) err = NULL;

    g_clear_pointer(&guest->last_line, g_free);
    guest->ops.starting(guest->opaque, guest);
    if (!g_spawn_async_with_pipes("/", guest->command, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD, set_up_child,
                                  &guest->identity, &guest->pid, NULL, NULL,
                                  &guest->fd, &err)) {
        guest->fd = -1;
        guest->pid = 0;
        guest_fails(guest, "cannot run %s: %s", guest->command[0],
                    err->message);
        return;
    }
    g_unix_set_fd_nonblocking(guest->fd, true, NULL);
    guest->fd_watch = g_unix_fd_add(guest->fd, G_IO_IN | G_IO_HUP,
                                    lines_come, guest);
    guest->child_watch = g_child_watch_add(guest->pid, child_ended, guest);
    guest->state = BACKENDD_RUNNING;
    guest_log(guest, "started %s as process %d, number %u",
              guest->command[0], (int)guest->pid, guest->slot);
}

static gboolean run_again(gpointer opaque)
{
    BackenddGuest *guest = opaque;

    guest->timer = 0;
    run(guest);
    return G_SOURCE_REMOVE;
}

static char *how_it_ended(int status, const char *last_line)
{
    g_autofree char *how = WIFSIGNALED(status) ?
        g_strdup_printf("was killed by signal %d", WTERMSIG(status)) :
        g_strdup_printf("exited with status %d", WEXITSTATUS(status));

    return last_line ? g_strdup_printf("%s: %s", how, last_line)
                     : g_steal_pointer(&how);
}

/* How many processes of the guest ended lately, this one included */
static unsigned int count_death(BackenddGuest *guest)
{
    gint64 now = g_get_monotonic_time();

    g_array_append_val(guest->deaths, now);
    while (g_array_index(guest->deaths, gint64, 0) + guest->window < now) {
        g_array_remove_index(guest->deaths, 0);
    }
    return guest->deaths->len;
}

static unsigned int restart_delay(const BackenddGuest *guest,
                                  unsigned int deaths)
{
    guint64 delay = guest->times.restart;

    for (unsigned int i = 1; i < deaths && delay < guest->times.restart_max;
         i++) {
        delay *= 2;
    }
    return MIN(delay, guest->times.restart_max);
}

static void child_ended(GPid pid, gint status, gpointer opaque)
{
    BackenddGuest *guest = opaque;
    g_autofree char *how = NULL;
    unsigned int deaths, delay, reads = LAST_READS;

    guest->child_watch = 0;
    guest->pid = 0;
    g_spawn_close_pid(pid);
    g_clear_handle_id(&guest->timer, g_source_remove);
    /* What is left in the pipe; others may have its other end open */
    while (reads && read_lines(guest) > 0) {
        reads--;
    }
    close_output(guest);
    how = how_it_ended(status, guest->last_line);

    if (guest->state == BACKENDD_ENDING) {
        guest->state = BACKENDD_IDLE;
        guest_log(guest, "QEMU has ended");
        guest->ops.ended(guest->opaque, guest);
        return;
    }
    if (!guest->serves && WIFEXITED(status) && WEXITSTATUS(status)) {
        guest_fails(guest, "QEMU cannot be started: it %s", how);
        return;
    }
    deaths = count_death(guest);
    if (deaths > guest->restarts) {
        guest_fails(guest, "QEMU ended %u times in %" PRId64 " seconds; at "
                    "last it %s", deaths,
                    guest->window / (gint64)G_USEC_PER_SEC, how);
        return;
    }
    delay = restart_delay(guest, deaths);
    guest_log(guest, "QEMU %s; it is started again in %u ms", how, delay);
    guest->state = BACKENDD_WAITING;
    guest->timer = g_timeout_add(delay, run_again, guest);
}

void backendd_guest_start(BackenddGuest *guest, const BackenddProfile *profile,
                          const char *name)
{
    const char *why = NULL;

    g_assert(!guest->pid && guest->state != BACKENDD_WAITING);
    g_clear_handle_id(&guest->timer, g_source_remove);
    g_strfreev(guest->command);
    guest->command = backendd_config_command(profile, guest->domid,
                                             guest->slot, name);
    guest->restarts = profile->restarts;
    guest->window = profile->window * (gint64)G_USEC_PER_SEC;
    guest->serves = false;
    g_array_set_size(guest->deaths, 0);
    if (!find_identity(&guest->identity, profile->user, &why)) {
        guest_fails(guest, "cannot run QEMU as user %s: %s", profile->user,
                    why);
        return;
    }
    run(guest);
}

static gboolean ended_already(gpointer opaque)
{
    BackenddGuest *guest = opaque;

    guest->timer = 0;
    guest->state = BACKENDD_IDLE;
    guest->ops.ended(guest->opaque, guest);
    return G_SOURCE_REMOVE;
}

static gboolean grace_ends(gpointer opaque)
{
    BackenddGuest *guest = opaque;

    guest->timer = 0;
    guest_log(guest, "QEMU did not end when it was told to: it is killed");
    kill(guest->pid, SIGKILL);
    return G_SOURCE_REMOVE;
}

void backendd_guest_stop(BackenddGuest *guest)
{
    if (guest->state == BACKENDD_ENDING) {
        return;
    }
    g_clear_handle_id(&guest->timer, g_source_remove);
    guest->state = BACKENDD_ENDING;
    if (!guest->pid) {
        guest->timer = g_idle_add(ended_already, guest);
        return;
    }
    kill(guest->pid, SIGTERM);
    guest->timer = g_timeout_add(guest->times.grace, grace_ends, guest);
}

void backendd_guest_serves(BackenddGuest *guest)
{
    if (guest->state == BACKENDD_RUNNING) {
        guest->serves = true;
    }
}

BackenddGuestState backendd_guest_state(const BackenddGuest *guest)
{
    return guest->state;
}

unsigned int backendd_guest_domid(const BackenddGuest *guest)
{
    return guest->domid;
}

unsigned int backendd_guest_slot(const BackenddGuest *guest)
{
    return guest->slot;
}

int backendd_guest_pid(const BackenddGuest *guest)
{
    return guest->pid;
}

BackenddGuest *backendd_guest_new(unsigned int domid, unsigned int slot,
                                  const BackenddTimes *times,
                                  const BackenddGuestOps *ops, void *opaque)
{
    BackenddGuest *guest = g_new0(BackenddGuest, 1);

    guest->domid = domid;
    guest->slot = slot;
    guest->times = *times;
    guest->ops = *ops;
    guest->opaque = opaque;
    guest->fd = -1;
    guest->line = g_string_new(NULL);
    guest->deaths = g_array_new(false, false, sizeof(gint64));
    guest->minute = g_get_monotonic_time();
    return guest;
}

void backendd_guest_free(BackenddGuest *guest)
{
    if (!guest) {
        return;
    }
    g_clear_handle_id(&guest->timer, g_source_remove);
    g_clear_handle_id(&guest->child_watch, g_source_remove);
    if (guest->pid) {
        kill(guest->pid, SIGKILL);
        waitpid(guest->pid, NULL, 0);
        g_spawn_close_pid(guest->pid);
    }
    g_clear_handle_id(&guest->fd_watch, g_source_remove);
    if (guest->fd >= 0) {
        close(guest->fd);
    }
    g_string_free(guest->line, true);
    g_free(guest->last_line);
    g_strfreev(guest->command);
    g_array_unref(guest->deaths);
    g_free(guest);
}
