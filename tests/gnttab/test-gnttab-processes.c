/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real libxengnttab in several processes, of which some die
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "gnttab-fixture.h"

#define PAGES   5

/* What processes tell each other; in memory that they share */
typedef struct Message {
    uint32_t refs[PAGES];
    uint32_t port;
    uint32_t byte;
    void *addr;
} Message;

static Message *new_message(void)
{
    Message *message = mmap(NULL, sizeof(*message), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    g_assert_true(message != MAP_FAILED);
    return message;
}

static void free_message(Message *message)
{
    munmap(message, sizeof(*message));
}

/* What children do */

static void child_shares(Fixture *f, void *opaque)
{
    Message *message = opaque;
    uint32_t i;

    be_domain(GUEST);
    f->shr = xengntshr_open(quiet(), 0);
    g_assert_nonnull(f->shr);
    message->addr = share(f, PAGES, message->refs, true);
    for (i = 0; i < PAGES; i++) {
        set_number(message->addr, i, 100 + i);
    }
}

static void child_shares_and_waits(Fixture *f, void *opaque)
{
    Message *message = opaque;

    child_shares(f, message);
    while (number_at(message->addr, 0) != 1000) {
        g_usleep(1000);
    }
    g_assert_cmpint(xengntshr_unshare(f->shr, message->addr, PAGES), ==, 0);
    xengntshr_close(f->shr);
}

static void child_maps(Fixture *f, void *opaque)
{
    Message *message = opaque;

    be_domain(DOM0);
    f->tab = xengnttab_open(quiet(), 0);
    g_assert_nonnull(f->tab);
    message->addr = xengnttab_map_domain_grant_refs(
        f->tab, PAGES, GUEST, message->refs, PROT_READ | PROT_WRITE);
    g_assert_nonnull(message->addr);
}

static void child_maps_to_notify(Fixture *f, void *opaque)
{
    Message *message = opaque;

    be_domain(DOM0);
    f->tab = xengnttab_open(quiet(), 0);
    message->addr = xengnttab_map_grant_ref_notify(
        f->tab, GUEST, message->refs[0], PROT_READ | PROT_WRITE,
        message->byte, message->port);
    g_assert_nonnull(message->addr);
}

static void child_closes(Fixture *f, void *opaque)
{
    /* All that a child may do with what it has inherited */
    g_assert_cmpint(xengnttab_close(f->tab), ==, 0);
    g_assert_cmpint(xengntshr_close(f->shr), ==, 0);
}

static void child_reads(Fixture *f, void *opaque)
{
    number_at(opaque, 0);
}

static void child_does_nothing(Fixture *f, void *opaque)
{
}

static void child_executes(Fixture *f, void *opaque)
{
    child_maps(f, opaque);
    /* Also with a descriptor that stays open */
    g_assert_cmpint(fcntl(xengnttab_fd(f->tab), F_SETFD, 0), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    execl("/bin/sleep", "sleep", "1000", NULL);
    g_assert_not_reached();
}

/* Tests */

static bool wait_for(bool (*condition)(void *), void *opaque)
{
    gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (!condition(opaque)) {
        if (g_get_monotonic_time() > end) {
            return false;
        }
        g_usleep(1000);
    }
    return true;
}

/* A guest and a dom0 that are two processes */
static void test_two(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    pid_t pid = start_child(f, child_shares, message);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(
        f->tab, PAGES, GUEST, message->refs, PROT_READ | PROT_WRITE);
    uint32_t i;

    g_assert_nonnull(mapped);
    for (i = 0; i < PAGES; i++) {
        g_assert_cmpuint(number_at(mapped, i), ==, 100 + i);
    }
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, PAGES), ==, 0);
    kill_child(pid);
    free_message(message);
}

static void test_handshake(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *mapped;
    int status;
    pid_t pid = fork();

    if (!pid) {
        child_shares_and_waits(f, message);
        _exit(0);
    }
    while (!(mapped = xengnttab_map_domain_grant_refs(
                 f->tab, PAGES, GUEST, message->refs,
                 PROT_READ | PROT_WRITE)) ||
           number_at(mapped, PAGES - 1) != 100 + PAGES - 1) {
        if (mapped) {
            xengnttab_unmap(f->tab, mapped, PAGES);
        }
        g_usleep(1000);
    }
    set_number(mapped, 0, 1000);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, PAGES);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, PAGES), ==, 0);
    free_message(message);
}

/* A child inherits descriptors, which keep nothing from being as it was */
static void test_fork(Fixture *f, gconstpointer data)
{
    uint32_t ref;
    uint8_t *shared = share(f, 1, &ref, true);
    uint8_t *mapped = xengnttab_map_grant_ref(f->tab, GUEST, ref, PROT_READ);
    int status;

    g_assert_cmpint(run_child(f, child_closes, NULL), ==, 0);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 1);

    /* But not the pages */
    status = run_child(f, child_reads, mapped);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = run_child(f, child_reads, shared);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    g_assert_cmpuint(nr_mapped(f), ==, 1);
    g_assert_cmpuint(number_at(mapped, 0), ==, 0);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 1), ==, 0);
    g_assert_cmpint(xengntshr_unshare(f->shr, shared, 1), ==, 0);
}

/* The parent dies, the child has the descriptors still: mappings are gone */
static void parent_maps_and_forks(Fixture *f, void *opaque)
{
    Message *message = opaque;

    child_maps(f, message);
    message->byte = start_child(f, child_does_nothing, NULL);
}

static void test_orphan(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *shared = share(f, PAGES, message->refs, true);
    pid_t pid;

    /* Or its child would be somebody else's */
    g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
    pid = start_child(f, parent_maps_and_forks, message);
    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    kill_child(pid);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    kill_child(message->byte);
    xengntshr_unshare(f->shr, shared, PAGES);
    free_message(message);
}

static void test_mapper_dies(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *shared = share(f, PAGES, message->refs, true);
    pid_t pid = start_child(f, child_maps, message);

    g_assert_cmpuint(nr_mapped(f), ==, PAGES);
    g_assert_cmphex(entry_of(f, message->refs[0]).flags, ==,
                    GTF_permit_access | GTF_reading | GTF_writing);
    kill_child(pid);
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    g_assert_cmphex(entry_of(f, message->refs[0]).flags, ==,
                    GTF_permit_access);
    xengntshr_unshare(f->shr, shared, PAGES);
    free_message(message);
}

/* What it asked for in time is done for it */
static void test_mapper_dies_notifying(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *shared = share(f, 1, message->refs, true);
    pid_t pid;

    memset(shared, 0xaa, PAGE);
    message->port = open_port(f, DOM0);
    message->byte = 50;
    pid = start_child(f, child_maps_to_notify, message);
    g_assert_cmpuint(times_sent(f, DOM0, message->port), ==, 0);
    kill_child(pid);
    g_assert_cmpuint(times_sent(f, DOM0, message->port), ==, 1);
    g_assert_cmpuint(port_users(f, DOM0, message->port), ==, 1);
    g_assert_cmphex(shared[50], ==, 0);
    g_assert_cmphex(shared[51], ==, 0xaa);
    xengntshr_unshare(f->shr, shared, 1);
    free_message(message);
}

/* A guest's process dies: its pages stay as long as they are mapped */
static void test_sharer_dies(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    pid_t pid = start_child(f, child_shares, message);
    uint8_t *mapped = xengnttab_map_domain_grant_refs(
        f->tab, 2, GUEST, message->refs, PROT_READ);

    g_assert_nonnull(mapped);
    kill_child(pid);
    g_assert_cmpuint(alloc_stats(f).pages, ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 2);
    g_assert_cmpuint(number_at(mapped, 1), ==, 101);
    assert_errno(xengnttab_map_grant_ref(f->tab, GUEST, message->refs[2],
                                         PROT_READ), NULL, EINVAL);
    g_assert_cmpint(xengnttab_unmap(f->tab, mapped, 2), ==, 0);
    g_assert_cmpuint(alloc_stats(f).lingering, ==, 0);
    free_message(message);
}

static bool has_mapped(void *opaque)
{
    return __atomic_load_n(&((Message *)opaque)->addr, __ATOMIC_ACQUIRE);
}

static bool is_unmapped(void *opaque)
{
    return nr_mapped(opaque) == 0;
}

/* exec() unmaps, whatever becomes of the descriptor */
static void test_exec(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *shared = share(f, PAGES, message->refs, true);
    pid_t pid = fork();

    if (!pid) {
        child_executes(f, message);
    }
    g_assert_true(wait_for(has_mapped, message));
    g_assert_true(wait_for(is_unmapped, f));
    g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
    kill_child(pid);
    xengntshr_unshare(f->shr, shared, PAGES);
    free_message(message);
}

/* More than the machine has room for; and there is room again */
static void test_crowd(Fixture *f, gconstpointer data)
{
    xengnttab_handle *handles[XEN_FAKE_FILES];
    uint32_t i;

    for (i = 0; i < XEN_FAKE_FILES - 2; i++) {
        handles[i] = xengnttab_open(quiet(), 0);
        g_assert_nonnull(handles[i]);
    }
    assert_errno(xengnttab_open(quiet(), 0), NULL, ENFILE);
    assert_errno(xengntshr_open(quiet(), 0), NULL, ENFILE);
    for (i = 0; i < XEN_FAKE_FILES - 2; i++) {
        g_assert_cmpint(xengnttab_close(handles[i]), ==, 0);
    }
    handles[0] = xengnttab_open(quiet(), 0);
    g_assert_nonnull(handles[0]);
    xengnttab_close(handles[0]);
}

static void child_works(Fixture *f, void *opaque)
{
    Message *message = opaque;
    uint32_t i;

    be_domain(DOM0);
    f->tab = xengnttab_open(quiet(), 0);
    for (i = 0; i < 300; i++) {
        uint8_t *mapped = xengnttab_map_domain_grant_refs(
            f->tab, PAGES, GUEST, message->refs, PROT_READ | PROT_WRITE);

        g_assert_nonnull(mapped);
        g_assert_cmpuint(number_at(mapped, PAGES - 1), ==, PAGES - 1);
        g_assert_cmpint(xengnttab_unmap(f->tab, mapped, PAGES), ==, 0);
    }
}

/* Several at the same time */
static void test_together(Fixture *f, gconstpointer data)
{
    Message *message = new_message();
    uint8_t *shared = share(f, PAGES, message->refs, true);
    pid_t pids[4];
    int status, i;

    for (i = 0; i < 4; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            child_works(f, message);
            _exit(0);
        }
    }
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(waitpid(pids[i], &status, 0), ==, pids[i]);
        g_assert_cmpint(status, ==, 0);
    }
    g_assert_cmpuint(nr_mapped(f), ==, 0);
    xengntshr_unshare(f->shr, shared, PAGES);
    free_message(message);
}

static gpointer thread_works(gpointer opaque)
{
    Fixture mine = *(Fixture *)opaque;
    uint32_t refs[PAGES], i;

    for (i = 0; i < 200; i++) {
        uint8_t *shared = share(&mine, PAGES, refs, true);
        uint8_t *mapped = xengnttab_map_domain_grant_refs(
            mine.tab, PAGES, GUEST, refs, PROT_READ);

        g_assert_nonnull(mapped);
        g_assert_cmpuint(number_at(mapped, 3), ==, 3);
        g_assert_cmpint(xengnttab_unmap(mine.tab, mapped, PAGES), ==, 0);
        g_assert_cmpint(xengntshr_unshare(mine.shr, shared, PAGES), ==, 0);
    }
    return NULL;
}

static void test_threads(Fixture *f, gconstpointer data)
{
    GThread *threads[4];
    int i;

    for (i = 0; i < 4; i++) {
        threads[i] = g_thread_new("works", thread_works, f);
    }
    for (i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(nr_mapped(f), ==, 0);
}

static void add(const char *name, const char *config,
                void (*fn)(Fixture *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf("/xen/gnttab/processes/%s", name);

    g_test_add(path, Fixture, config, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("two", NULL, test_two);
    add("handshake", NULL, test_handshake);
    add("fork", NULL, test_fork);
    add("orphan", NULL, test_orphan);
    add("mapper-dies", NULL, test_mapper_dies);
    add("mapper-dies-notifying", NULL, test_mapper_dies_notifying);
    add("sharer-dies", NULL, test_sharer_dies);
    add("exec", NULL, test_exec);
    add("crowd", NULL, test_crowd);
    add("together", NULL, test_together);
    add("threads", NULL, test_threads);
    return g_test_run();
}
