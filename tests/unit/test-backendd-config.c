/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the configuration of xen-pv-backendd
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "../../tools/backendd-config.h"

static BackenddConfig *parse(const char *text)
{
    g_autoptr(GError) err = NULL;
    BackenddConfig *config = backendd_config_parse(text, strlen(text), "f",
                                                   &err);

    g_assert_no_error(err);
    g_assert_nonnull(config);
    return config;
}

static void test_defaults(void)
{
    static const char *const texts[] = { "", "\n\n", "# nothing\n  # more",
                                         "[service]\n[default]\n" };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        g_autoptr(BackenddConfig) config = parse(texts[i]);
        const BackenddProfile *profile = backendd_config_find(config, "x");

        g_assert_cmpuint(config->max_guests, ==, 8);
        g_assert_true(profile == config->fallback);
        g_assert_cmpstr(profile->program, ==, "/usr/bin/qemu-xen-pv");
        g_assert_null(profile->user);
        g_assert_true(profile->sandbox);
        g_assert_cmpuint(profile->restarts, ==, 5);
        g_assert_cmpuint(profile->window, ==, 60);
        g_assert_null(profile->args[0]);
    }
}

static void test_values(void)
{
    g_autoptr(BackenddConfig) config = parse(
        "[service]\n"
        "max-guests=256\n"
        "[default]\n"
        "program = /opt/qemu\r\n"
        "  args = -vnc 127.0.0.1:%s\n"
        "args = -audiodev 'none, id=snd'\n"
        "user = nobody\n"
        "sandbox = off\n"
        "restarts = 0\n"
        "restart-window = 86400\n"
        "[ guest  web.1 ]\n"
        "user = daemon\n"
        "[guest two]\n"
        "args = -k de\n");
    const BackenddProfile *profile = backendd_config_find(config, NULL);

    g_assert_cmpuint(config->max_guests, ==, 256);
    g_assert_cmpstr(profile->program, ==, "/opt/qemu");
    g_assert_cmpstr(profile->user, ==, "nobody");
    g_assert_false(profile->sandbox);
    g_assert_cmpuint(profile->restarts, ==, 0);
    g_assert_cmpuint(profile->window, ==, 86400);
    g_assert_cmpuint(g_strv_length(profile->args), ==, 4);
    g_assert_cmpstr(profile->args[3], ==, "none, id=snd");

    /* A guest's section begins with the values of [default] */
    profile = backendd_config_find(config, "web.1");
    g_assert_cmpstr(profile->user, ==, "daemon");
    g_assert_cmpstr(profile->program, ==, "/opt/qemu");
    g_assert_cmpuint(g_strv_length(profile->args), ==, 4);

    /* Its args replace those */
    profile = backendd_config_find(config, "two");
    g_assert_cmpstr(profile->user, ==, "nobody");
    g_assert_cmpuint(g_strv_length(profile->args), ==, 2);
    g_assert_cmpstr(profile->args[1], ==, "de");

    g_assert_true(backendd_config_find(config, "three") == config->fallback);
}

/* One sentence with the line, whatever is wrong */
static void test_errors(void)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        { "x = y", "f:1: 'x' is in no section: begin one with [service], "
          "[default] or [guest NAME]" },
        { "\n\n[service", "f:3: '[service' lacks the ] of a section" },
        { "[", "f:1: '[' lacks the ] of a section" },
        { "[guests]", "f:1: there is no section [guests]: use [service], "
          "[default] or [guest NAME]" },
        { "[service]\n[service]", "f:2: [service] is there twice, first in "
          "line 1" },
        { "[guest a]\n[guest b]\n[guest  a]", "f:3: [guest a] is there "
          "twice, first in line 1" },
        { "[guest a]\n[default]", "f:2: [default] must come before the "
          "sections of guests, which begin with its values" },
        { "[guest a/b]", "f:1: 'a/b' cannot be a guest's name: use 1 to 63 "
          "letters, digits and characters of _.+-" },
        { "[service]\nmax-guests", "f:2: expected [SECTION] or KEY = VALUE, "
          "not 'max-guests'" },
        { "[service]\nmax-guests =", "f:2: 'max-guests' has no value" },
        { "[service]\nmax-guests = 0", "f:2: max-guests must be a number from "
          "1 to 256, not '0'" },
        { "[service]\nmax-guests = 257", "f:2: max-guests must be a number "
          "from 1 to 256, not '257'" },
        { "[service]\nmax-guests = 8x", "f:2: max-guests must be a number "
          "from 1 to 256, not '8x'" },
        { "[service]\nargs = x", "f:2: there is no key 'args' in [service]: "
          "use max-guests" },
        { "[default]\nmax-guests = 8", "f:2: there is no key 'max-guests' for "
          "a guest: use program, args, user, sandbox, restarts or "
          "restart-window" },
        { "[default]\nprogram = qemu", "f:2: program must be an absolute "
          "path, not 'qemu'" },
        { "[default]\nsandbox = yes", "f:2: sandbox must be on or off, not "
          "'yes'" },
        { "[default]\nrestarts = -1", "f:2: restarts must be a number from 0 "
          "to 1000, not '-1'" },
        { "[default]\nrestart-window = 0", "f:2: restart-window must be a "
          "number from 1 to 86400, not '0'" },
        { "[default]\nuser = a\nuser = b", "f:3: 'user' is set twice, first "
          "in line 2" },
        { "[default]\nargs = 'x", "f:2: args has no words, or a quote that is "
          "not closed" },
        { "[default]\nargs = -vnc :%x", "f:2: args has ':%x', but after a % "
          "only d, s, n or % may follow" },
        { "[default]\nargs = %", "f:2: args has '%', but after a % only d, s, "
          "n or % may follow" },
        { "[default]\nargs = --daemonize", "f:2: args has '--daemonize', "
          "which the service sets itself or does not allow" },
        { "[default]\nargs = a\nargs = -xen-domid 0", "f:3: args has "
          "'-xen-domid', which the service sets itself or does not allow" },
        { "[default]\n\xff = 1", "f:2: the line is not text" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(backendd_config_parse(rows[i].text,
                                            strlen(rows[i].text), "f", &err));
        g_assert_cmpstr(err->message, ==, rows[i].error);
    }
}

static void test_zero_byte(void)
{
    static const char text[] = "[default]\nuser = a\0b\n";
    g_autoptr(GError) err = NULL;

    g_assert_null(backendd_config_parse(text, sizeof(text) - 1, "f", &err));
    g_assert_cmpstr(err->message, ==, "f:2: the line is not text");
}

static void test_many_args(void)
{
    g_autoptr(GString) text = g_string_new("[default]\n");
    g_autoptr(GError) err = NULL;

    for (int i = 0; i < BACKENDD_MAX_ARGS; i++) {
        g_string_append(text, "args = -x\n");
    }
    backendd_config_free(parse(text->str));
    g_string_append(text, "args = -x\n");
    g_assert_null(backendd_config_parse(text->str, text->len, "f", &err));
    g_assert_cmpstr(err->message, ==, "f:258: args has more than 256 words");
}

/* Each text that is cut off anywhere is a configuration, or has an error */
static void test_cut_off(void)
{
    static const char text[] =
        "[service]\nmax-guests = 3\n[default]\nargs = -a '%d' \"%n\"\n"
        "[guest x]\nuser = \xc3\xa4\n";

    for (size_t i = 0; i <= strlen(text); i++) {
        g_autofree char *copy = g_memdup2(text, i ?: 1);
        g_autoptr(GError) err = NULL;
        g_autoptr(BackenddConfig) config = backendd_config_parse(copy, i, "f",
                                                                 &err);

        g_assert_true(!config == !!err);
    }
}

static void test_names(void)
{
    g_autofree char *longest = g_strnfill(63, 'x');
    g_autofree char *longer = g_strnfill(64, 'x');

    g_assert_true(backendd_config_name("a"));
    g_assert_true(backendd_config_name("Web_1.example+x-y"));
    g_assert_true(backendd_config_name(longest));
    g_assert_false(backendd_config_name(longer));
    g_assert_false(backendd_config_name(""));
    g_assert_false(backendd_config_name("-x"));
    g_assert_false(backendd_config_name("a b"));
    g_assert_false(backendd_config_name("a,b"));
    g_assert_false(backendd_config_name("a\nb"));
}

static char *command(const char *text, const char *name)
{
    g_autoptr(BackenddConfig) config = parse(text);
    g_auto(GStrv) words = backendd_config_command(
        backendd_config_find(config, name), 7, 2, name);

    return g_strjoinv(" ", words);
}

#define FIXED " -xen-domid 7 -xen-attach -machine xenpv -nodefaults " \
              "-no-user-config -display none -name "

static void test_command(void)
{
    static const char text[] =
        "[default]\nprogram = /q\nargs = -vnc :%s -x %d/%n 100%%\n";
    g_autofree char *known = command(text, "web");
    g_autofree char *unknown = command(text, NULL);
    g_autofree char *open = command("[default]\nsandbox = off\n", NULL);

    g_assert_cmpstr(known, ==, "/q" FIXED "web -sandbox on,obsolete=deny,"
                    "elevateprivileges=deny,spawn=deny,resourcecontrol=deny "
                    "-vnc :2 -x 7/web 100%");
    g_assert_true(g_str_has_suffix(unknown, "-x 7/domain-7 100%"));
    g_assert_cmpstr(open, ==, "/usr/bin/qemu-xen-pv" FIXED "domain-7");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/backendd/config/defaults", test_defaults);
    g_test_add_func("/backendd/config/values", test_values);
    g_test_add_func("/backendd/config/errors", test_errors);
    g_test_add_func("/backendd/config/zero-byte", test_zero_byte);
    g_test_add_func("/backendd/config/many-args", test_many_args);
    g_test_add_func("/backendd/config/cut-off", test_cut_off);
    g_test_add_func("/backendd/config/names", test_names);
    g_test_add_func("/backendd/config/command", test_command);

    return g_test_run();
}
