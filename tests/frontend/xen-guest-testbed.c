/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake guest of a fake Xen
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../hw/xen/testbed/grant-refs.h"
#include "xen-guest-ops.h"
#include "xen-guest-testbed.h"

/* How long shared memory may change unnoticed */
#define GUEST_GLANCE_MS     1

/* Pages that follow each other in a buffer should not do so in memory */
#define GUEST_PAGE_STEP     37

typedef struct TestbedGuest {
    XenGuest guest;             /* first */

    int memory_fd;
    uint8_t *memory;
    uint8_t *page_used;
    uint32_t next_page;

    uint32_t nr_refs;
    XenGrantRefs *refs;

    int socket_fd;
    GString *input;
    uint32_t seq;
    uint32_t awaited;           /* the answer that is waited for, or 0 */
    char *answer;
    int answer_error;
    bool answered;
} TestbedGuest;

static TestbedGuest *testbed_guest(XenGuest *guest)
{
    return (TestbedGuest *)guest;
}

/* Memory */

static void *testbed_page(XenGuest *guest, uint32_t page)
{
    TestbedGuest *t = testbed_guest(guest);

    g_assert(page < guest->nr_pages);
    return t->memory + (size_t)page * XEN_GUEST_PAGE;
}

static uint32_t testbed_alloc_page(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);
    uint32_t i;

    for (i = 0; i < guest->nr_pages; i++) {
        uint32_t page = t->next_page % guest->nr_pages;

        /* Once around, and by one further: every page has its turn */
        t->next_page = page + GUEST_PAGE_STEP;
        if (t->next_page >= guest->nr_pages) {
            t->next_page = (t->next_page + 1) % GUEST_PAGE_STEP;
        }
        if (!t->page_used[page]) {
            t->page_used[page] = 1;
            memset(xen_guest_page(guest, page), 0, XEN_GUEST_PAGE);
            return page;
        }
    }
    for (i = 0; i < guest->nr_pages; i++) {
        if (!t->page_used[i]) {
            t->page_used[i] = 1;
            memset(xen_guest_page(guest, i), 0, XEN_GUEST_PAGE);
            return i;
        }
    }
    return 0;
}

static void testbed_free_page(XenGuest *guest, uint32_t page)
{
    TestbedGuest *t = testbed_guest(guest);

    g_assert(page < guest->nr_pages && t->page_used[page]);
    t->page_used[page] = 0;
}

static bool testbed_map_page(XenGuest *guest, uint32_t page, void *addr)
{
    return mmap(addr, XEN_GUEST_PAGE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, testbed_guest(guest)->memory_fd,
                (off_t)page * XEN_GUEST_PAGE) != MAP_FAILED;
}

/* Grants */

grant_entry_v1_t *xen_guest_entry(XenGuest *guest, uint32_t ref)
{
    TestbedGuest *t = testbed_guest(guest);
    grant_entry_v1_t *table =
        xen_guest_page(guest, XEN_TESTBED_GRANT_TABLE);

    g_assert(ref < t->nr_refs);
    return &table[ref];
}

static uint32_t testbed_grant(XenGuest *guest, uint32_t page, bool readonly)
{
    TestbedGuest *t = testbed_guest(guest);
    uint32_t ref = xen_grant_refs_take(t->refs);

    if (ref) {
        xen_grant_access(xen_guest_entry(guest, ref), XEN_TESTBED_BACKEND,
                         page, readonly);
    }
    return ref;
}

static int testbed_end_access(XenGuest *guest, uint32_t ref)
{
    int ret = xen_grant_end_access(xen_guest_entry(guest, ref));

    if (!ret) {
        xen_grant_refs_put(testbed_guest(guest)->refs, ref);
    }
    return ret;
}

static bool testbed_in_use(XenGuest *guest, uint32_t ref)
{
    return xen_grant_query_access(xen_guest_entry(guest, ref));
}

uint32_t xen_guest_count_in_use(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);
    uint32_t count = 0;
    uint32_t ref;

    for (ref = 0; ref < t->nr_refs; ref++) {
        count += xen_guest_in_use(guest, ref);
    }
    return count;
}

uint32_t xen_guest_count_granted(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);
    uint32_t count = 0;
    uint32_t ref;

    for (ref = 0; ref < t->nr_refs; ref++) {
        count += __atomic_load_n(&xen_guest_entry(guest, ref)->flags,
                                 __ATOMIC_ACQUIRE) != 0;
    }
    return count;
}

/* Lines */

static void testbed_answer(XenGuest *guest, char *line)
{
    TestbedGuest *t = testbed_guest(guest);
    char *rest;
    uint32_t seq = g_ascii_strtoull(line, &rest, 10);

    if (!t->awaited || seq != t->awaited) {
        return;
    }
    if (g_str_has_prefix(rest, " OK")) {
        rest += strlen(" OK");
        t->answer = g_strdup(rest[0] ? rest + 1 : "");
        t->answer_error = 0;
    } else if (g_str_has_prefix(rest, " ERR ")) {
        t->answer_error = -atoi(rest + strlen(" ERR "));
    } else {
        t->answer_error = -EPROTO;
    }
    t->answered = true;
    t->awaited = 0;
}

static void testbed_line(XenGuest *guest, char *line)
{
    if (g_str_has_prefix(line, "event ")) {
        uint64_t port = g_ascii_strtoull(line + strlen("event "), NULL, 10);

        if (port < XEN_TESTBED_PORTS) {
            g_hash_table_add(guest->events, GUINT_TO_POINTER(port));
        }
    } else if (g_str_has_prefix(line, "changed ")) {
        g_hash_table_add(guest->changed,
                         g_strdup(line + strlen("changed ")));
    } else {
        testbed_answer(guest, line);
    }
}

static void testbed_receive(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);
    char buf[4096];
    ssize_t len;
    char *end;
    size_t done = 0;

    while (!guest->gone) {
        len = recv(t->socket_fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (len > 0) {
            g_string_append_len(t->input, buf, len);
            continue;
        }
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            guest->gone = true;
        }
        break;
    }

    while ((end = memchr(t->input->str + done, '\n',
                         t->input->len - done))) {
        *end = '\0';
        testbed_line(guest, t->input->str + done);
        done = end + 1 - t->input->str;
    }
    g_string_erase(t->input, 0, done);
}

static void testbed_poll(XenGuest *guest, short events, int timeout_ms)
{
    TestbedGuest *t = testbed_guest(guest);
    struct pollfd pfd = { .fd = t->socket_fd, .events = events };

    poll(&pfd, 1, timeout_ms);
}

static void testbed_glance(XenGuest *guest)
{
    testbed_poll(guest, POLLIN, GUEST_GLANCE_MS);
}

int xen_guest_send_raw(XenGuest *guest, const void *data, size_t len)
{
    TestbedGuest *t = testbed_guest(guest);
    const uint8_t *at = data;

    while (len && !guest->gone) {
        ssize_t sent = send(t->socket_fd, at, len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0) {
            at += sent;
            len -= sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            testbed_poll(guest, POLLIN | POLLOUT, GUEST_GLANCE_MS);
            xen_guest_receive(guest);
        } else if (errno != EINTR) {
            guest->gone = true;
        }
    }
    return guest->gone ? -ENOTCONN : 0;
}

static uint32_t testbed_next_seq(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);

    t->seq = MAX(t->seq + 1, 1);
    return t->seq;
}

static bool testbed_is_answered(void *opaque)
{
    TestbedGuest *t = opaque;

    return t->answered;
}

int xen_guest_call(XenGuest *guest, char **answer, const char *fmt, ...)
{
    TestbedGuest *t = testbed_guest(guest);
    uint32_t seq = testbed_next_seq(guest);
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    line = g_strdup_printf("%u %s\n", seq, text);

    if (answer) {
        *answer = NULL;
    }
    t->awaited = seq;
    t->answered = false;
    g_clear_pointer(&t->answer, g_free);
    if (xen_guest_send_raw(guest, line, strlen(line)) < 0) {
        return -ENOTCONN;
    }
    if (!xen_guest_wait(guest, testbed_is_answered, t,
                        XEN_GUEST_DEADLINE)) {
        t->awaited = 0;
        return guest->gone ? -ENOTCONN : -ETIMEDOUT;
    }
    if (answer) {
        *answer = g_steal_pointer(&t->answer);
    }
    return t->answer_error;
}

/* What the backend shares */

static int unmap_handles(XenGuest *guest, uint32_t count,
                         const uint32_t *handles)
{
    int ret = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (handles[i] != XEN_GUEST_NO_HANDLE) {
            ret = xen_guest_call(guest, NULL, "unmap %u", handles[i]) ?: ret;
        }
    }
    return ret;
}

static bool map_grant(XenGuest *guest, uint32_t ref, void *addr,
                      uint32_t *handle)
{
    g_autofree char *answer = NULL;
    uint32_t page;

    if (xen_guest_call(guest, &answer, "map %u", ref) < 0 ||
        sscanf(answer, "%u %u", &page, handle) != 2) {
        return false;
    }
    if (!testbed_map_page(guest, page, addr)) {
        unmap_handles(guest, 1, handle);
        return false;
    }
    return true;
}

static int testbed_map_grants(XenGuest *guest, const uint32_t *refs,
                              uint32_t count, uint32_t *handles, void **addr)
{
    uint8_t *at = mmap(NULL, (size_t)count * XEN_GUEST_PAGE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t i;

    if (at == MAP_FAILED) {
        return -errno;
    }
    for (i = 0; i < count; i++) {
        if (!map_grant(guest, refs[i], at + (size_t)i * XEN_GUEST_PAGE,
                       &handles[i])) {
            handles[i] = XEN_GUEST_NO_HANDLE;
        }
    }
    *addr = at;
    return 0;
}

static int testbed_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                                const uint32_t *handles)
{
    munmap(addr, (size_t)count * XEN_GUEST_PAGE);
    return unmap_handles(guest, count, handles);
}

/* Xenstore */

static char *testbed_escape(const uint8_t *data, size_t len)
{
    GString *str = g_string_new(NULL);
    size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] > ' ' && data[i] < 0x7f && data[i] != '%') {
            g_string_append_c(str, data[i]);
        } else {
            g_string_append_printf(str, "%%%02X", data[i]);
        }
    }
    return g_string_free(str, false);
}

static void testbed_unescape(char *str)
{
    char *to = str;

    for (; *str; str++) {
        if (*str == '%' && g_ascii_isxdigit(str[1]) &&
            g_ascii_isxdigit(str[2])) {
            *to++ = g_ascii_xdigit_value(str[1]) << 4 |
                    g_ascii_xdigit_value(str[2]);
            str += 2;
        } else {
            *to++ = *str;
        }
    }
    *to = '\0';
}

static int testbed_store_write(XenGuest *guest, const char *path,
                               const void *data, size_t len)
{
    g_autofree char *value = testbed_escape(data, len);

    return xen_guest_call(guest, NULL, "write %s %s", path, value);
}

int xen_guest_dom0_write(XenGuest *guest, const char *path, const char *fmt,
                         ...)
{
    g_autofree char *value = NULL;
    g_autofree char *escaped = NULL;
    va_list ap;

    va_start(ap, fmt);
    value = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    escaped = testbed_escape((uint8_t *)value, strlen(value));
    return xen_guest_call(guest, NULL, "dom0 write %s %s", path, escaped);
}

static char *read_by(XenGuest *guest, const char *verb, const char *path)
{
    char *value = NULL;

    if (xen_guest_call(guest, &value, "%s %s", verb, path) < 0) {
        return NULL;
    }
    testbed_unescape(value);
    return value;
}

static char *testbed_store_read(XenGuest *guest, const char *path)
{
    return read_by(guest, "read", path);
}

char *xen_guest_dom0_read(XenGuest *guest, const char *path)
{
    return read_by(guest, "dom0 read", path);
}

bool xen_guest_exists(XenGuest *guest, const char *path)
{
    return xen_guest_call(guest, NULL, "dom0 read %s", path) == 0;
}

static int testbed_store_rm(XenGuest *guest, const char *path)
{
    return xen_guest_call(guest, NULL, "rm %s", path);
}

static int testbed_store_watch(XenGuest *guest, const char *path, bool on)
{
    return xen_guest_call(guest, NULL, "%s %s", on ? "watch" : "unwatch",
                          path);
}

char **xen_guest_list(XenGuest *guest, const char *path)
{
    g_autofree char *names = NULL;

    if (xen_guest_call(guest, &names, "dom0 list %s", path) < 0) {
        return NULL;
    }
    return g_strsplit(names, " ", -1);
}

/* Event channels */

static uint32_t testbed_alloc_port(XenGuest *guest)
{
    g_autofree char *port = NULL;

    if (xen_guest_call(guest, &port, "alloc-port") < 0) {
        return 0;
    }
    return g_ascii_strtoull(port, NULL, 10);
}

static void testbed_close_port(XenGuest *guest, uint32_t port)
{
    xen_guest_call(guest, NULL, "close-port %u", port);
}

/* As a hypercall that cannot fail: nobody waits for the answer */
static void testbed_kick(XenGuest *guest, uint32_t port)
{
    g_autofree char *line = g_strdup_printf("%u kick %u\n",
                                            testbed_next_seq(guest), port);

    xen_guest_send_raw(guest, line, strlen(line));
}

int xen_guest_stats(XenGuest *guest, XenGuestStats *stats)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;
    int ret;
    char **w;

    memset(stats, 0, sizeof(*stats));
    ret = xen_guest_call(guest, &text, "stats");
    if (ret < 0) {
        return ret;
    }
    words = g_strsplit(text, " ", -1);
    for (w = words; *w; w++) {
#define GET(field, name) \
        if (g_str_has_prefix(*w, name "=")) { \
            stats->field = g_ascii_strtoull(*w + sizeof(name), NULL, 10); \
        }
        XEN_TESTBED_STATS(GET)
#undef GET
    }
    return 0;
}

/* Life */

const char *xen_guest_testbed_options(void)
{
    const char *options = g_getenv("XEN_PV_TESTBED");

    return options ? options : "";
}

bool xen_guest_testbed_is_single(const char *options)
{
    return strstr(options, ",single-map=on") ||
           strstr(xen_guest_testbed_options(), ",single-map=on");
}

static bool testbed_open_memory(XenGuest *guest, const char *path)
{
    TestbedGuest *t = testbed_guest(guest);
    struct stat st;

    t->memory_fd = open(path, O_RDWR | O_CLOEXEC);
    if (t->memory_fd < 0 || fstat(t->memory_fd, &st) < 0) {
        return false;
    }
    t->memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                     t->memory_fd, 0);
    guest->nr_pages = st.st_size / XEN_GUEST_PAGE;
    return t->memory != MAP_FAILED;
}

static bool testbed_open_socket(XenGuest *guest, const char *path)
{
    TestbedGuest *t = testbed_guest(guest);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000LL;

    if (g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path)) >=
        sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    t->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->socket_fd < 0) {
        return false;
    }
    while (connect(t->socket_fd, (struct sockaddr *)&addr,
                   sizeof(addr)) < 0) {
        if ((errno != ENOENT && errno != ECONNREFUSED) ||
            g_get_monotonic_time() > deadline) {
            return false;
        }
        poll(NULL, 0, GUEST_GLANCE_MS);
    }
    return true;
}

bool xen_guest_reconnect(XenGuest *guest, const char *socket)
{
    TestbedGuest *t = testbed_guest(guest);

    close(t->socket_fd);
    g_string_truncate(t->input, 0);
    t->awaited = 0;
    guest->gone = !testbed_open_socket(guest, socket);
    return !guest->gone;
}

static bool testbed_get_info(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);
    g_autofree char *info = NULL;
    unsigned int domid, frames;
    unsigned int pages, dom0_pages;

    if (xen_guest_call(guest, &info, "info") < 0 ||
        sscanf(info, "domid=%u grant-frames=%u pages=%u dom0-pages=%u",
               &domid, &frames, &pages, &dom0_pages) != 4 ||
        pages != guest->nr_pages || frames >= pages ||
        dom0_pages >= pages - frames) {
        errno = EPROTO;
        return false;
    }
    guest->domid = domid;

    t->page_used = g_new0(uint8_t, pages);
    memset(t->page_used, 1, XEN_TESTBED_GRANT_TABLE + frames);
    memset(t->page_used + pages - dom0_pages, 1, dom0_pages);
    t->next_page = XEN_TESTBED_GRANT_TABLE + frames;
    t->nr_refs = frames * XEN_TESTBED_GRANTS_PER_PAGE;
    memset(xen_guest_page(guest, XEN_TESTBED_GRANT_TABLE), 0,
           frames * XEN_GUEST_PAGE);
    t->refs = g_malloc(xen_grant_refs_size(t->nr_refs));
    xen_grant_refs_init(t->refs, t->nr_refs, GNTTAB_NR_RESERVED_ENTRIES);
    return true;
}

static void testbed_free(XenGuest *guest)
{
    TestbedGuest *t = testbed_guest(guest);

    if (t->memory != MAP_FAILED) {
        munmap(t->memory, (size_t)guest->nr_pages * XEN_GUEST_PAGE);
    }
    if (t->memory_fd >= 0) {
        close(t->memory_fd);
    }
    if (t->socket_fd >= 0) {
        close(t->socket_fd);
    }
    g_string_free(t->input, true);
    g_free(t->refs);
    g_free(t->page_used);
    g_free(t->answer);
    g_free(t);
}

static const XenGuestOps testbed_ops = {
    .free = testbed_free,
    .glance = testbed_glance,
    .receive = testbed_receive,
    .page = testbed_page,
    .alloc_page = testbed_alloc_page,
    .free_page = testbed_free_page,
    .map_page = testbed_map_page,
    .grant = testbed_grant,
    .end_access = testbed_end_access,
    .in_use = testbed_in_use,
    .map_grants = testbed_map_grants,
    .unmap_grants = testbed_unmap_grants,
    .store_write = testbed_store_write,
    .store_read = testbed_store_read,
    .store_rm = testbed_store_rm,
    .store_watch = testbed_store_watch,
    .alloc_port = testbed_alloc_port,
    .close_port = testbed_close_port,
    .kick = testbed_kick,
};

XenGuest *xen_guest_new(const char *memory, const char *socket,
                        GError **errp)
{
    TestbedGuest *t = g_new0(TestbedGuest, 1);
    XenGuest *guest = &t->guest;
    const char *what;

    xen_guest_init(guest, &testbed_ops);
    t->memory_fd = t->socket_fd = -1;
    t->memory = MAP_FAILED;
    t->input = g_string_new(NULL);

    /* The socket comes last in QEMU, so the memory is there once it is */
    what = socket;
    if (testbed_open_socket(guest, socket)) {
        what = memory;
        if (testbed_open_memory(guest, memory)) {
            what = "info";
            if (testbed_get_info(guest)) {
                return guest;
            }
        }
    }
    g_set_error(errp, G_FILE_ERROR, g_file_error_from_errno(errno),
                "cannot become a guest of the testbed: %s: %s", what,
                g_strerror(errno));
    xen_guest_free(guest);
    return NULL;
}
