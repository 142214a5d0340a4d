/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration of xen-pv-backendd: sections of lines KEY = VALUE
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "backendd-config.h"

#define DEFAULT_PROGRAM         "/usr/bin/qemu-xen-pv"
#define DEFAULT_MAX_GUESTS      8
#define DEFAULT_RESTARTS        5
#define DEFAULT_WINDOW          60

/* Without privileges there is nothing to drop any more */
#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny," \
                "resourcecontrol=deny"

typedef enum Section {
    SECTION_NONE,
    SECTION_SERVICE,
    SECTION_DEFAULT,
    SECTION_GUEST,
} Section;

typedef struct Parser {
    const char *file;
    unsigned int line;
    Section section;
    BackenddConfig *config;
    /* The section's, and which of its keys were set, in which line */
    BackenddProfile *profile;
    GHashTable *set;
    GPtrArray *args;
    /* Where sections began, by their names */
    GHashTable *sections;
    GError **errp;
} Parser;

static void profile_free(void *data)
{
    BackenddProfile *profile = data;

    if (profile) {
        g_free(profile->name);
        g_free(profile->program);
        g_free(profile->user);
        g_strfreev(profile->args);
        g_free(profile);
    }
}

static BackenddProfile *profile_copy(const BackenddProfile *from,
                                     const char *name)
{
    BackenddProfile *profile = g_new0(BackenddProfile, 1);

    *profile = *from;
    profile->name = g_strdup(name);
    profile->program = g_strdup(from->program);
    profile->user = g_strdup(from->user);
    profile->args = g_strdupv(from->args);
    return profile;
}

void backendd_config_free(BackenddConfig *config)
{
    if (config) {
        profile_free(config->fallback);
        g_ptr_array_unref(config->guests);
        g_free(config);
    }
}

static bool complain(Parser *p, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static bool complain(Parser *p, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(p->errp, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: %s",
                p->file, p->line, text);
    return false;
}

static bool parse_number(Parser *p, const char *key, const char *value,
                         unsigned int min, unsigned int max,
                         unsigned int *number)
{
    guint64 result;

    if (!g_ascii_string_to_unsigned(value, 10, min, max, &result, NULL)) {
        return complain(p, "%s must be a number from %u to %u, not '%s'",
                        key, min, max, value);
    }
    *number = result;
    return true;
}

/* What a word of args says in place of %d, %s and %n; NULL: it is malformed */
static char *expand(const char *word, unsigned int domid, unsigned int slot,
                    const char *name)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (; *word; word++) {
        if (*word != '%') {
            g_string_append_c(out, *word);
            continue;
        }
        switch (*++word) {
        case 'd':
            g_string_append_printf(out, "%u", domid);
            break;
        case 's':
            g_string_append_printf(out, "%u", slot);
            break;
        case 'n':
            if (name) {
                g_string_append(out, name);
            } else {
                g_string_append_printf(out, "domain-%u", domid);
            }
            break;
        case '%':
            g_string_append_c(out, '%');
            break;
        default:
            return NULL;
        }
    }
    return g_string_free(g_steal_pointer(&out), false);
}

/* What the service gives itself, and what would take QEMU away from it */
static bool is_reserved(const char *word)
{
    static const char *const reserved[] = {
        "xen-domid", "xen-attach", "machine", "M", "sandbox", "runas",
        "daemonize", "xen-domid-restrict",
    };

    if (*word != '-') {
        return false;
    }
    word += 1 + (word[1] == '-');
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (!strcmp(word, reserved[i])) {
            return true;
        }
    }
    return false;
}

static bool parse_args(Parser *p, const char *value)
{
    g_auto(GStrv) words = NULL;
    int count;

    if (!g_shell_parse_argv(value, &count, &words, NULL)) {
        return complain(p, "args has no words, or a quote that is not "
                        "closed");
    }
    for (int i = 0; i < count; i++) {
        g_autofree char *text = expand(words[i], 0, 0, NULL);

        if (!text) {
            return complain(p, "args has '%s', but after a %% only d, s, n or "
                            "%% may follow", words[i]);
        }
        if (is_reserved(words[i])) {
            return complain(p, "args has '%s', which the service sets itself "
                            "or does not allow", words[i]);
        }
        if (p->args->len >= BACKENDD_MAX_ARGS) {
            return complain(p, "args has more than %u words",
                            BACKENDD_MAX_ARGS);
        }
        g_ptr_array_add(p->args, g_strdup(words[i]));
    }
    return true;
}

static bool parse_profile(Parser *p, const char *key, const char *value)
{
    BackenddProfile *profile = p->profile;

    if (!strcmp(key, "args")) {
        return parse_args(p, value);
    } else if (!strcmp(key, "program")) {
        if (!g_path_is_absolute(value)) {
            return complain(p, "program must be an absolute path, not '%s'",
                            value);
        }
        g_free(profile->program);
        profile->program = g_strdup(value);
    } else if (!strcmp(key, "user")) {
        g_free(profile->user);
        profile->user = g_strdup(value);
    } else if (!strcmp(key, "sandbox")) {
        if (strcmp(value, "on") && strcmp(value, "off")) {
            return complain(p, "sandbox must be on or off, not '%s'", value);
        }
        profile->sandbox = !strcmp(value, "on");
    } else if (!strcmp(key, "restarts")) {
        return parse_number(p, key, value, 0, 1000, &profile->restarts);
    } else if (!strcmp(key, "restart-window")) {
        return parse_number(p, key, value, 1, 86400, &profile->window);
    } else {
        return complain(p, "there is no key '%s' for a guest: use program, "
                        "args, user, sandbox, restarts or restart-window",
                        key);
    }
    return true;
}

static bool parse_service(Parser *p, const char *key, const char *value)
{
    if (strcmp(key, "max-guests")) {
        return complain(p, "there is no key '%s' in [service]: use "
                        "max-guests", key);
    }
    return parse_number(p, key, value, 1, BACKENDD_MAX_GUESTS,
                        &p->config->max_guests);
}

static bool parse_pair(Parser *p, char *line)
{
    char *value = strchr(line, '=');
    char *key;
    void *first;

    if (!value) {
        return complain(p, "expected [SECTION] or KEY = VALUE, not '%s'",
                        line);
    }
    *value++ = 0;
    key = g_strstrip(line);
    value = g_strstrip(value);
    if (p->section == SECTION_NONE) {
        return complain(p, "'%s' is in no section: begin one with [service], "
                        "[default] or [guest NAME]", key);
    }
    if (!*value) {
        return complain(p, "'%s' has no value", key);
    }
    first = g_hash_table_lookup(p->set, key);
    if (first && strcmp(key, "args")) {
        return complain(p, "'%s' is set twice, first in line %u", key,
                        GPOINTER_TO_UINT(first));
    }
    if (!(p->section == SECTION_SERVICE ? parse_service(p, key, value)
                                        : parse_profile(p, key, value))) {
        return false;
    }
    g_hash_table_insert(p->set, g_strdup(key), GUINT_TO_POINTER(p->line));
    return true;
}

/* A section's args replace those that it has from [default] */
static void end_section(Parser *p)
{
    if (p->profile && p->args->len) {
        g_ptr_array_add(p->args, NULL);
        g_strfreev(p->profile->args);
        p->profile->args = (char **)g_ptr_array_free(
            g_steal_pointer(&p->args), false);
        p->args = g_ptr_array_new_with_free_func(g_free);
    }
    p->profile = NULL;
    g_hash_table_remove_all(p->set);
}

static bool begin_guest(Parser *p, const char *name)
{
    if (!backendd_config_name(name)) {
        return complain(p, "'%s' cannot be a guest's name: use 1 to %u "
                        "letters, digits and characters of _.+-", name,
                        BACKENDD_MAX_NAME);
    }
    p->profile = profile_copy(p->config->fallback, name);
    g_ptr_array_add(p->config->guests, p->profile);
    p->section = SECTION_GUEST;
    return true;
}

static bool begin_section(Parser *p, char *line)
{
    size_t len = strlen(line);
    g_autofree char *name = NULL;
    char *guest = NULL;
    void *first;

    end_section(p);
    if (line[len - 1] != ']') {
        return complain(p, "'%s' lacks the ] of a section", line);
    }
    line[len - 1] = 0;
    line = g_strstrip(line + 1);
    if (g_str_has_prefix(line, "guest ")) {
        guest = g_strstrip(line + strlen("guest "));
        name = g_strconcat("guest ", guest, NULL);
    } else {
        name = g_strdup(line);
    }
    first = g_hash_table_lookup(p->sections, name);
    if (first) {
        return complain(p, "[%s] is there twice, first in line %u", name,
                        GPOINTER_TO_UINT(first));
    }
    if (!strcmp(name, "service")) {
        p->section = SECTION_SERVICE;
    } else if (!strcmp(name, "default")) {
        if (p->config->guests->len) {
            return complain(p, "[default] must come before the sections of "
                            "guests, which begin with its values");
        }
        p->section = SECTION_DEFAULT;
        p->profile = p->config->fallback;
    } else if (guest) {
        if (!begin_guest(p, guest)) {
            return false;
        }
    } else {
        return complain(p, "there is no section [%s]: use [service], "
                        "[default] or [guest NAME]", name);
    }
    g_hash_table_insert(p->sections, g_strdup(name),
                        GUINT_TO_POINTER(p->line));
    return true;
}

static bool parse_line(Parser *p, const char *text, size_t len)
{
    g_autofree char *copy = NULL;
    char *line;

    if (memchr(text, 0, len) || !g_utf8_validate(text, len, NULL)) {
        return complain(p, "the line is not text");
    }
    copy = g_strndup(text, len);
    line = g_strstrip(copy);
    if (!*line || *line == '#') {
        return true;
    }
    return *line == '[' ? begin_section(p, line) : parse_pair(p, line);
}

BackenddConfig *backendd_config_parse(const char *text, size_t len,
                                      const char *file, GError **errp)
{
    g_autoptr(BackenddConfig) config = g_new0(BackenddConfig, 1);
    g_autoptr(GHashTable) set =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) sections =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Parser p = {
        .file = file, .config = config, .set = set, .sections = sections,
        .args = g_ptr_array_new_with_free_func(g_free), .errp = errp,
    };
    const char *end = text + len;
    bool ok = true;

    config->max_guests = DEFAULT_MAX_GUESTS;
    config->guests = g_ptr_array_new_with_free_func(profile_free);
    config->fallback = g_new0(BackenddProfile, 1);
    config->fallback->program = g_strdup(DEFAULT_PROGRAM);
    config->fallback->sandbox = true;
    config->fallback->restarts = DEFAULT_RESTARTS;
    config->fallback->window = DEFAULT_WINDOW;
    config->fallback->args = g_new0(char *, 1);

    while (ok && text < end) {
        const char *eol = memchr(text, '\n', end - text) ?: end;

        p.line++;
        ok = parse_line(&p, text, eol - text);
        text = eol < end ? eol + 1 : end;
    }
    end_section(&p);
    g_ptr_array_unref(p.args);
    return ok ? g_steal_pointer(&config) : NULL;
}

bool backendd_config_name(const char *name)
{
    size_t len = strlen(name);

    return len && len <= BACKENDD_MAX_NAME && *name != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_.+-") == len;
}

const BackenddProfile *backendd_config_find(const BackenddConfig *config,
                                            const char *name)
{
    for (guint i = 0; name && i < config->guests->len; i++) {
        const BackenddProfile *profile = g_ptr_array_index(config->guests, i);

        if (!strcmp(profile->name, name)) {
            return profile;
        }
    }
    return config->fallback;
}

char **backendd_config_command(const BackenddProfile *profile,
                               unsigned int domid, unsigned int slot,
                               const char *name)
{
    GPtrArray *words = g_ptr_array_new();
    const char *const fixed[] = {
        "-xen-attach", "-machine", "xenpv", "-nodefaults", "-no-user-config",
        "-display", "none",
    };

    g_ptr_array_add(words, g_strdup(profile->program));
    g_ptr_array_add(words, g_strdup("-xen-domid"));
    g_ptr_array_add(words, g_strdup_printf("%u", domid));
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        g_ptr_array_add(words, g_strdup(fixed[i]));
    }
    g_ptr_array_add(words, g_strdup("-name"));
    g_ptr_array_add(words, expand("%n", domid, slot, name));
    if (profile->sandbox) {
        g_ptr_array_add(words, g_strdup("-sandbox"));
        g_ptr_array_add(words, g_strdup(SANDBOX));
    }
    for (char **arg = profile->args; *arg; arg++) {
        g_ptr_array_add(words, expand(*arg, domid, slot, name));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, false);
}
