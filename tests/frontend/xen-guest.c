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

#include "xen-guest.h"

/* How long shared memory may change unnoticed */
#define GUEST_GLANCE_MS     1

/* Pages that follow each other in a buffer should not do so in memory */
#define GUEST_PAGE_STEP     37

struct XenGuest {
    int memory_fd;
    uint8_t *memory;
    uint32_t nr_pages;
    uint8_t *page_used;
    uint32_t next_page;

    uint32_t nr_refs;
    GArray *free_refs;

    int socket_fd;
    bool gone;
    GString *input;
    uint32_t seq;
    uint32_t awaited;           /* the answer that is waited for, or 0 */
    char *answer;
    int answer_error;
    bool answered;
    uint8_t events[XEN_TESTBED_PORTS];
    GHashTable *changed;        /* watched path -> whether it changed */
};

bool xen_guest_is_gone(XenGuest *guest)
{
    return guest->gone;
}

/* Memory */

uint32_t xen_guest_nr_pages(XenGuest *guest)
{
    return guest->nr_pages;
}

void *xen_guest_page(XenGuest *guest, uint32_t page)
{
    g_assert(page < guest->nr_pages);
    return guest->memory + (size_t)page * XEN_GUEST_PAGE;
}

uint32_t xen_guest_alloc_page(XenGuest *guest)
{
    uint32_t i;

    for (i = 0; i < guest->nr_pages; i++) {
        uint32_t page = guest->next_page % guest->nr_pages;

        /* Once around, and by one further: every page has its turn */
        guest->next_page = page + GUEST_PAGE_STEP;
        if (guest->next_page >= guest->nr_pages) {
            guest->next_page = (guest->next_page + 1) % GUEST_PAGE_STEP;
        }
        if (!guest->page_used[page]) {
            guest->page_used[page] = 1;
            memset(xen_guest_page(guest, page), 0, XEN_GUEST_PAGE);
            return page;
        }
    }
    for (i = 0; i < guest->nr_pages; i++) {
        if (!guest->page_used[i]) {
            guest->page_used[i] = 1;
            memset(xen_guest_page(guest, i), 0, XEN_GUEST_PAGE);
            return i;
        }
    }
    return 0;
}

void xen_guest_free_page(XenGuest *guest, uint32_t page)
{
    if (page) {
        g_assert(page < guest->nr_pages && guest->page_used[page]);
        guest->page_used[page] = 0;
    }
}

void *xen_guest_map_pages(XenGuest *guest, const uint32_t *pages,
                          uint32_t count)
{
    size_t size = (size_t)count * XEN_GUEST_PAGE;
    uint8_t *addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                         -1, 0);
    uint32_t i;

    if (addr == MAP_FAILED) {
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (mmap(addr + (size_t)i * XEN_GUEST_PAGE, XEN_GUEST_PAGE,
                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                 guest->memory_fd,
                 (off_t)pages[i] * XEN_GUEST_PAGE) == MAP_FAILED) {
            munmap(addr, size);
            return NULL;
        }
    }
    return addr;
}

/* Grants */

grant_entry_v1_t *xen_guest_entry(XenGuest *guest, uint32_t ref)
{
    grant_entry_v1_t *table =
        xen_guest_page(guest, XEN_TESTBED_GRANT_TABLE);

    g_assert(ref < guest->nr_refs);
    return &table[ref];
}

uint32_t xen_guest_grant(XenGuest *guest, uint32_t page, bool readonly)
{
    grant_entry_v1_t *entry;
    uint32_t ref;

    if (!guest->free_refs->len) {
        return 0;
    }
    ref = g_array_index(guest->free_refs, uint32_t,
                        guest->free_refs->len - 1);
    g_array_set_size(guest->free_refs, guest->free_refs->len - 1);

    entry = xen_guest_entry(guest, ref);
    entry->frame = page;
    entry->domid = XEN_TESTBED_BACKEND;
    __atomic_store_n(&entry->flags,
                     GTF_permit_access | (readonly ? GTF_readonly : 0),
                     __ATOMIC_RELEASE);
    return ref;
}

int xen_guest_end_access(XenGuest *guest, uint32_t ref)
{
    grant_entry_v1_t *entry;
    uint16_t flags;

    if (!ref) {
        return 0;
    }
    entry = xen_guest_entry(guest, ref);
    flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
    do {
        if (flags & (GTF_reading | GTF_writing)) {
            return -EBUSY;
        }
    } while (!__atomic_compare_exchange_n(&entry->flags, &flags, 0, false,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    g_array_append_val(guest->free_refs, ref);
    return 0;
}

bool xen_guest_in_use(XenGuest *guest, uint32_t ref)
{
    return __atomic_load_n(&xen_guest_entry(guest, ref)->flags,
                           __ATOMIC_ACQUIRE) & (GTF_reading | GTF_writing);
}

uint32_t xen_guest_count_in_use(XenGuest *guest)
{
    uint32_t count = 0;
    uint32_t ref;

    for (ref = 0; ref < guest->nr_refs; ref++) {
        count += xen_guest_in_use(guest, ref);
    }
    return count;
}

uint32_t xen_guest_count_granted(XenGuest *guest)
{
    uint32_t count = 0;
    uint32_t ref;

    for (ref = 0; ref < guest->nr_refs; ref++) {
        count += __atomic_load_n(&xen_guest_entry(guest, ref)->flags,
                                 __ATOMIC_ACQUIRE) != 0;
    }
    return count;
}

/* Lines */

static void guest_answer(XenGuest *guest, char *line)
{
    char *rest;
    uint32_t seq = g_ascii_strtoull(line, &rest, 10);

    if (!guest->awaited || seq != guest->awaited) {
        return;
    }
    if (g_str_has_prefix(rest, " OK")) {
        rest += strlen(" OK");
        guest->answer = g_strdup(rest[0] ? rest + 1 : "");
        guest->answer_error = 0;
    } else if (g_str_has_prefix(rest, " ERR ")) {
        guest->answer_error = -atoi(rest + strlen(" ERR "));
    } else {
        guest->answer_error = -EPROTO;
    }
    guest->answered = true;
    guest->awaited = 0;
}

static void guest_line(XenGuest *guest, char *line)
{
    if (g_str_has_prefix(line, "event ")) {
        uint64_t port = g_ascii_strtoull(line + strlen("event "), NULL, 10);

        if (port < XEN_TESTBED_PORTS) {
            guest->events[port] = 1;
        }
    } else if (g_str_has_prefix(line, "changed ")) {
        g_hash_table_insert(guest->changed,
                            g_strdup(line + strlen("changed ")),
                            GINT_TO_POINTER(1));
    } else {
        guest_answer(guest, line);
    }
}

void xen_guest_receive(XenGuest *guest)
{
    char buf[4096];
    ssize_t len;
    char *end;
    size_t done = 0;

    while (!guest->gone) {
        len = recv(guest->socket_fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (len > 0) {
            g_string_append_len(guest->input, buf, len);
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

    while ((end = memchr(guest->input->str + done, '\n',
                         guest->input->len - done))) {
        *end = '\0';
        guest_line(guest, guest->input->str + done);
        done = end + 1 - guest->input->str;
    }
    g_string_erase(guest->input, 0, done);
}

static void guest_poll(XenGuest *guest, short events, int timeout_ms)
{
    struct pollfd pfd = { .fd = guest->socket_fd, .events = events };

    poll(&pfd, 1, timeout_ms);
}

bool xen_guest_wait(XenGuest *guest, XenGuestCondition condition,
                    void *opaque, int timeout_ms)
{
    int64_t deadline = g_get_monotonic_time() + timeout_ms * 1000LL;

    do {
        xen_guest_receive(guest);
        if (condition(opaque)) {
            return true;
        }
        if (guest->gone) {
            return false;
        }
        guest_poll(guest, POLLIN, GUEST_GLANCE_MS);
    } while (g_get_monotonic_time() < deadline);
    return condition(opaque);
}

int xen_guest_send_raw(XenGuest *guest, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len && !guest->gone) {
        ssize_t sent = send(guest->socket_fd, at, len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0) {
            at += sent;
            len -= sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            guest_poll(guest, POLLIN | POLLOUT, GUEST_GLANCE_MS);
            xen_guest_receive(guest);
        } else if (errno != EINTR) {
            guest->gone = true;
        }
    }
    return guest->gone ? -ENOTCONN : 0;
}

static uint32_t guest_next_seq(XenGuest *guest)
{
    guest->seq = MAX(guest->seq + 1, 1);
    return guest->seq;
}

static bool guest_is_answered(void *opaque)
{
    XenGuest *guest = opaque;

    return guest->answered;
}

int xen_guest_call(XenGuest *guest, char **answer, const char *fmt, ...)
{
    uint32_t seq = guest_next_seq(guest);
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
    guest->awaited = seq;
    guest->answered = false;
    g_clear_pointer(&guest->answer, g_free);
    if (xen_guest_send_raw(guest, line, strlen(line)) < 0) {
        return -ENOTCONN;
    }
    if (!xen_guest_wait(guest, guest_is_answered, guest,
                        XEN_GUEST_DEADLINE)) {
        guest->awaited = 0;
        return guest->gone ? -ENOTCONN : -ETIMEDOUT;
    }
    if (answer) {
        *answer = g_steal_pointer(&guest->answer);
    }
    return guest->answer_error;
}

/* What the backend shares */

static int unmap_handles(XenGuest *guest, uint32_t count,
                         const uint32_t *handles)
{
    int ret = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        ret = xen_guest_call(guest, NULL, "unmap %u", handles[i]) ?: ret;
    }
    return ret;
}

int xen_guest_map_grants(XenGuest *guest, const uint32_t *refs,
                         uint32_t count, uint32_t *handles, void **addr)
{
    g_autofree uint32_t *pages = g_new(uint32_t, count);
    uint32_t i;
    int ret = 0;

    for (i = 0; i < count; i++) {
        g_autofree char *answer = NULL;

        ret = xen_guest_call(guest, &answer, "map %u", refs[i]);
        if (!ret && sscanf(answer, "%u %u", &pages[i], &handles[i]) != 2) {
            ret = -EPROTO;
        }
        if (ret) {
            break;
        }
    }
    if (!ret) {
        *addr = xen_guest_map_pages(guest, pages, count);
        ret = *addr ? 0 : -ENOMEM;
    }
    if (ret) {
        unmap_handles(guest, i, handles);
    }
    return ret;
}

int xen_guest_unmap_grants(XenGuest *guest, void *addr, uint32_t count,
                           const uint32_t *handles)
{
    munmap(addr, (size_t)count * XEN_GUEST_PAGE);
    return unmap_handles(guest, count, handles);
}

/* Xenstore */

static char *guest_escape(const uint8_t *data, size_t len)
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

static void guest_unescape(char *str)
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

int xen_guest_write_bytes(XenGuest *guest, const char *path, const void *data,
                          size_t len)
{
    g_autofree char *value = guest_escape(data, len);

    return xen_guest_call(guest, NULL, "write %s %s", path, value);
}

int xen_guest_write(XenGuest *guest, const char *path, const char *fmt, ...)
{
    g_autofree char *value = NULL;
    va_list ap;

    va_start(ap, fmt);
    value = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return xen_guest_write_bytes(guest, path, value, strlen(value));
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
    escaped = guest_escape((uint8_t *)value, strlen(value));
    return xen_guest_call(guest, NULL, "dom0 write %s %s", path, escaped);
}

char *xen_guest_read(XenGuest *guest, const char *path)
{
    char *value = NULL;

    if (xen_guest_call(guest, &value, "read %s", path) < 0) {
        return NULL;
    }
    guest_unescape(value);
    return value;
}

bool xen_guest_exists(XenGuest *guest, const char *path)
{
    return xen_guest_call(guest, NULL, "dom0 read %s", path) == 0;
}

int xen_guest_read_int(XenGuest *guest, const char *path, int absent)
{
    g_autofree char *value = xen_guest_read(guest, path);

    return value && g_ascii_isdigit(value[0]) ? atoi(value) : absent;
}

int xen_guest_rm(XenGuest *guest, const char *path)
{
    return xen_guest_call(guest, NULL, "rm %s", path);
}

char **xen_guest_list(XenGuest *guest, const char *path)
{
    g_autofree char *names = NULL;

    if (xen_guest_call(guest, &names, "dom0 list %s", path) < 0) {
        return NULL;
    }
    return g_strsplit(names, " ", -1);
}

typedef struct GuestNode {
    XenGuest *guest;
    const char *path;
    int value;
    int absent;
} GuestNode;

static bool guest_has_changed(void *opaque)
{
    GuestNode *node = opaque;

    return g_hash_table_contains(node->guest->changed, node->path);
}

bool xen_guest_wait_int(XenGuest *guest, const char *path, int value,
                        int absent, int timeout_ms)
{
    GuestNode node = { guest, path, value, absent };
    int64_t deadline = g_get_monotonic_time() + timeout_ms * 1000LL;
    bool found = false;

    if (xen_guest_call(guest, NULL, "watch %s", path) < 0) {
        return false;
    }
    while (!found && !guest->gone) {
        int64_t left = deadline - g_get_monotonic_time();

        g_hash_table_remove(guest->changed, path);
        found = xen_guest_read_int(guest, path, absent) == value;
        if (found || left <= 0) {
            break;
        }
        xen_guest_wait(guest, guest_has_changed, &node, left / 1000 + 1);
    }
    xen_guest_call(guest, NULL, "unwatch %s", path);
    g_hash_table_remove(guest->changed, path);
    return found;
}

/* Event channels */

uint32_t xen_guest_alloc_port(XenGuest *guest)
{
    g_autofree char *port = NULL;
    uint32_t number;

    if (xen_guest_call(guest, &port, "alloc-port") < 0) {
        return 0;
    }
    number = g_ascii_strtoull(port, NULL, 10);
    if (number < XEN_TESTBED_PORTS) {
        guest->events[number] = 0;
    }
    return number;
}

void xen_guest_close_port(XenGuest *guest, uint32_t port)
{
    if (port) {
        xen_guest_call(guest, NULL, "close-port %u", port);
    }
}

/* As a hypercall that cannot fail: nobody waits for the answer */
void xen_guest_kick(XenGuest *guest, uint32_t port)
{
    g_autofree char *line = g_strdup_printf("%u kick %u\n",
                                            guest_next_seq(guest), port);

    xen_guest_send_raw(guest, line, strlen(line));
}

bool xen_guest_event(XenGuest *guest, uint32_t port)
{
    bool event = guest->events[port];

    guest->events[port] = 0;
    return event;
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

static bool guest_open_memory(XenGuest *guest, const char *path)
{
    struct stat st;

    guest->memory_fd = open(path, O_RDWR | O_CLOEXEC);
    if (guest->memory_fd < 0 || fstat(guest->memory_fd, &st) < 0) {
        return false;
    }
    guest->memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                         guest->memory_fd, 0);
    guest->nr_pages = st.st_size / XEN_GUEST_PAGE;
    return guest->memory != MAP_FAILED;
}

static bool guest_open_socket(XenGuest *guest, const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000LL;

    if (g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path)) >=
        sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    guest->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (guest->socket_fd < 0) {
        return false;
    }
    while (connect(guest->socket_fd, (struct sockaddr *)&addr,
                   sizeof(addr)) < 0) {
        if ((errno != ENOENT && errno != ECONNREFUSED) ||
            g_get_monotonic_time() > deadline) {
            return false;
        }
        poll(NULL, 0, GUEST_GLANCE_MS);
    }
    return true;
}

static bool guest_get_info(XenGuest *guest)
{
    g_autofree char *info = NULL;
    unsigned int domid, frames, i;
    unsigned int pages, dom0_pages;

    if (xen_guest_call(guest, &info, "info") < 0 ||
        sscanf(info, "domid=%u grant-frames=%u pages=%u dom0-pages=%u",
               &domid, &frames, &pages, &dom0_pages) != 4 ||
        pages != guest->nr_pages || frames >= pages ||
        dom0_pages >= pages - frames) {
        errno = EPROTO;
        return false;
    }

    guest->page_used = g_new0(uint8_t, pages);
    memset(guest->page_used, 1, XEN_TESTBED_GRANT_TABLE + frames);
    memset(guest->page_used + pages - dom0_pages, 1, dom0_pages);
    guest->next_page = XEN_TESTBED_GRANT_TABLE + frames;
    guest->nr_refs = frames * XEN_TESTBED_GRANTS_PER_PAGE;
    memset(xen_guest_page(guest, XEN_TESTBED_GRANT_TABLE), 0,
           frames * XEN_GUEST_PAGE);
    for (i = guest->nr_refs; i-- > GNTTAB_NR_RESERVED_ENTRIES; ) {
        g_array_append_val(guest->free_refs, i);
    }
    return true;
}

XenGuest *xen_guest_new(const char *memory, const char *socket,
                        GError **errp)
{
    XenGuest *guest = g_new0(XenGuest, 1);
    const char *what;

    guest->memory_fd = guest->socket_fd = -1;
    guest->memory = MAP_FAILED;
    guest->input = g_string_new(NULL);
    guest->free_refs = g_array_new(false, false, sizeof(uint32_t));
    guest->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                           NULL);

    /* The socket comes last in QEMU, so the memory is there once it is */
    what = socket;
    if (guest_open_socket(guest, socket)) {
        what = memory;
        if (guest_open_memory(guest, memory)) {
            what = "info";
            if (guest_get_info(guest)) {
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

void xen_guest_free(XenGuest *guest)
{
    if (!guest) {
        return;
    }
    if (guest->memory != MAP_FAILED) {
        munmap(guest->memory, (size_t)guest->nr_pages * XEN_GUEST_PAGE);
    }
    if (guest->memory_fd >= 0) {
        close(guest->memory_fd);
    }
    if (guest->socket_fd >= 0) {
        close(guest->socket_fd);
    }
    g_string_free(guest->input, true);
    g_array_free(guest->free_refs, true);
    g_hash_table_destroy(guest->changed);
    g_free(guest->page_used);
    g_free(guest->answer);
    g_free(guest);
}
