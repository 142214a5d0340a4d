/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration of xen-pv-backendd
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef BACKENDD_CONFIG_H
#define BACKENDD_CONFIG_H

/* Guests of a host that can be allowed at most */
#define BACKENDD_MAX_GUESTS     256
/* Bytes of a guest's name that are taken */
#define BACKENDD_MAX_NAME       63
/* Words that a section's args may have */
#define BACKENDD_MAX_ARGS       256

/**
 * BackenddProfile: how QEMU is run for a guest
 * @name: of the guest; NULL for guests that no section names
 * @program: absolute path
 * @user: that QEMU runs as; NULL: the one of the service
 * @sandbox: whether QEMU filters its system calls
 * @restarts: how often a QEMU that served the guest is started again
 * @window: in seconds, in which that counts
 * @args: what follows the options of the service, with NULL at the end
 */
typedef struct BackenddProfile {
    char *name;
    char *program;
    char *user;
    bool sandbox;
    unsigned int restarts;
    unsigned int window;
    char **args;
} BackenddProfile;

/**
 * BackenddConfig: a configuration
 * @max_guests: that are served at once
 * @fallback: for guests that no section names
 * @guests: of BackenddProfile, one for each section of a guest
 */
typedef struct BackenddConfig {
    unsigned int max_guests;
    BackenddProfile *fallback;
    GPtrArray *guests;
} BackenddConfig;

/**
 * backendd_config_parse: make a configuration of a file's text
 * @text: any bytes
 * @len: of @text
 * @file: its name, for messages
 * @errp: one sentence, which begins with FILE:LINE
 *
 * Returns: a configuration, or NULL.
 */
BackenddConfig *backendd_config_parse(const char *text, size_t len,
                                      const char *file, GError **errp);

void backendd_config_free(BackenddConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackenddConfig, backendd_config_free)

/**
 * backendd_config_find: how QEMU is run for a guest
 * @name: of the guest; NULL if that is not known
 */
const BackenddProfile *backendd_config_find(const BackenddConfig *config,
                                            const char *name);

/**
 * backendd_config_name: whether a text can be the name of a guest
 */
bool backendd_config_name(const char *name);

/**
 * backendd_config_command: the whole command line for a guest
 * @domid: of the guest
 * @slot: its number among the guests that are served
 * @name: of the guest; NULL if that is not known
 *
 * Returns: the words, with NULL at the end; free with g_strfreev().
 */
char **backendd_config_command(const BackenddProfile *profile,
                               unsigned int domid, unsigned int slot,
                               const char *name);

#endif /* BACKENDD_CONFIG_H */
