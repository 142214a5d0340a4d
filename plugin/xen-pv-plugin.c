// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is put in front of a QEMU: checks the program, then loads the devices.
 *
 * This object is loaded into whatever its user names, so it refers to nothing
 * of QEMU's, and looks up all that it calls.  The devices are a second object,
 * beside this one, and are loaded only when all of this holds:
 *
 *  - the program's build id is that of the program that they were built for;
 *  - once QEMU has registered its types, the sizes of those that the devices
 *    share with it are the ones in the headers of the build.
 *
 * Otherwise one sentence on stderr says so, and QEMU goes on without devices.
 * What the environment has of the plugin is taken out of it, so that programs
 * that QEMU starts do not get it.
 *
 * In the environment: XEN_PV_PLUGIN, words with commas between them:
 *
 *   required  QEMU ends, with status 1, if it cannot have the devices
 *   xen       load what is for a host with Xen though this one shows none
 *   testbed   load the testbed and the qtest accelerator, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/xen-pv-plugin.h"
#include "xen-pv-plugin-identity.h"

#define PLUGIN "xen-pv-plugin"
#define MADE_FOR "QEMU " XEN_PV_PLUGIN_QEMU
#define WHAT_TO_RUN "run scripts/build-plugin, or install the package " \
                    "qemu-xen-pv, for this QEMU"

/* What qmp_query_version() returns: qapi/control.json, the same since 2.5 */
typedef struct VersionInfo {
    struct {
        int64_t major, minor, micro;
    } *qemu;
    char *package;
} VersionInfo;

static struct {
    char path[PATH_MAX];
    char folder[PATH_MAX];
    bool required, xen, testbed;
} plugin;

/* Says why there are no devices; ends the program if they are required */
static void __attribute__((format(printf, 1, 2))) refuse(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, PLUGIN ": ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (plugin.required) {
        _exit(EXIT_FAILURE);
    }
}

static void *program_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

/* The version of the program, as its --version says it */
static void program_version(char *text, size_t size)
{
    VersionInfo *(*query)(void *) = program_symbol("qmp_query_version");
    VersionInfo *info = query ? query(NULL) : NULL;

    if (!info) {
        snprintf(text, size, "a QEMU that does not tell its version");
        return;
    }
    /* Of the package's own text only what it is: "Debian 1:10.0.13+ds-0" */
    snprintf(text, size, "QEMU %lld.%lld.%lld%s%s",
             (long long)info->qemu->major, (long long)info->qemu->minor,
             (long long)info->qemu->micro, *info->package ? " " : "",
             info->package);
}

typedef struct BuildId {
    char hex[2 * 64 + 1];
    bool seen;
} BuildId;

static void read_notes(BuildId *id, const char *notes, size_t size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)notes;
        size_t name = (note->n_namesz + 3) & ~(size_t)3;
        size_t desc = (note->n_descsz + 3) & ~(size_t)3;
        const unsigned char *bytes = (const void *)(notes + sizeof(*note) +
                                                    name);

        if (name + desc > size - sizeof(*note)) {
            return;
        }
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            !memcmp(note + 1, "GNU", 4) &&
            note->n_descsz * 2 < sizeof(id->hex)) {
            for (unsigned int i = 0; i < note->n_descsz; i++) {
                sprintf(id->hex + 2 * i, "%02x", bytes[i]);
            }
            return;
        }
        notes += sizeof(*note) + name + desc;
        size -= sizeof(*note) + name + desc;
    }
}

/* The program comes first of all that is loaded */
static int read_program(struct dl_phdr_info *info, size_t size, void *opaque)
{
    BuildId *id = opaque;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type == PT_NOTE && !id->hex[0]) {
            read_notes(id, (const char *)info->dlpi_addr + header->p_vaddr,
                       header->p_memsz);
        }
    }
    return 1;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return !strcmp(a, b) || (!stat(a, &x) && !stat(b, &y) &&
                             x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Programs that QEMU starts get neither the plugin nor its options */
static void clean_environment(void)
{
    const char *preload = getenv("LD_PRELOAD");
    char *words, *rest, *kept, *word;

    unsetenv("XEN_PV_PLUGIN");
    if (!preload) {
        return;
    }
    words = strdup(preload);
    kept = calloc(1, strlen(preload) + 1);
    for (word = words ? strtok_r(words, ": ", &rest) : NULL; kept && word;
         word = strtok_r(NULL, ": ", &rest)) {
        if (!same_file(word, plugin.path)) {
            strcat(strcat(kept, *kept ? ":" : ""), word);
        }
    }
    if (!kept || !*kept) {
        unsetenv("LD_PRELOAD");
    } else {
        setenv("LD_PRELOAD", kept, 1);
    }
    free(words);
    free(kept);
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (; words; words = strchr(words, ','), words += !!words) {
        if (!strncmp(words, word, length) &&
            (!words[length] || words[length] == ',')) {
            return true;
        }
    }
    return false;
}

/* Load PLUGIN-NAME-VERSION.so; it needs all its symbols now */
static bool load(const char *name)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/xen-pv-%s-" XEN_PV_PLUGIN_VERSION ".so",
             plugin.folder, name);
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL)) {
        return true;
    }
    refuse("cannot load what goes with " MADE_FOR ": %s", dlerror());
    return false;
}

/* Can this host map the pages of Xen's guests?  Then xl may have started us. */
static bool host_has_xen(void)
{
    return !access("/dev/xen/privcmd", F_OK) || !access("/proc/xen/privcmd",
                                                        F_OK);
}

/* Has the program the types that the devices were compiled with? */
static bool types_fit(void)
{
    void *(*by_name)(const char *) = program_symbol("object_class_by_name");
    const char *(*name_of)(void *) = program_symbol("object_class_get_name");
    const XenPvPluginType *type;

    for (type = xen_pv_plugin_types; type->name; type++) {
        void *klass = by_name && name_of ? by_name(type->name) : NULL;
        const XenPvPluginTypeImpl *impl;

        if (!klass) {
            refuse("this QEMU has no %s, so it gets no PV display and sound: "
                   "they need a QEMU with Xen, or with KVM's emulation of Xen",
                   type->name);
            return false;
        }
        impl = *(const XenPvPluginTypeImpl **)klass;
        if (impl->name != name_of(klass) ||
            impl->instance_size != type->instance_size ||
            impl->class_size != type->class_size) {
            refuse("type %s has not the size in this QEMU that it had where "
                   "the plugin was built (%zu and %zu, not %zu and %zu), so "
                   "there is no PV display and sound: " WHAT_TO_RUN,
                   type->name, impl->instance_size, impl->class_size,
                   type->instance_size, type->class_size);
            return false;
        }
    }
    return true;
}

/*
 * All of QEMU's types are there.  What is loaded now puts its own at the end
 * of the same list.
 */
static void load_devices(void)
{
    if (!types_fit() || !load("devices")) {
        return;
    }
    if (XEN_PV_PLUGIN_HAS_XENHOST && (plugin.xen || host_has_xen())) {
        load("xenhost");
    }
    if (plugin.testbed) {
        load("testbed-plugin");
    }
}

static void register_init(void (*init)(void))
{
    void (*add)(void (*)(void), int) = program_symbol("register_module_init");

    add(init, xen_pv_plugin_phase);
}

/* First of QEMU's list: goes to its end */
static void register_last(void)
{
    register_init(load_devices);
}

static bool find_myself(void)
{
    Dl_info info;
    char *slash;

    if (!dladdr((void *)find_myself, &info) ||
        !realpath(info.dli_fname, plugin.path)) {
        return false;
    }
    strcpy(plugin.folder, plugin.path);
    slash = strrchr(plugin.folder, '/');
    *slash = 0;
    return true;
}

static bool is_qemu(void)
{
    return strstr(program_invocation_short_name, "qemu-system") ||
           program_symbol("qmp_query_version");
}

static void __attribute__((constructor)) check(void)
{
    const char *words = getenv("XEN_PV_PLUGIN");
    BuildId id = { .hex = "" };
    char version[256];

    if (!is_qemu() || !find_myself()) {
        return;
    }
    plugin.required = has_word(words, "required");
    plugin.xen = has_word(words, "xen");
    plugin.testbed = has_word(words, "testbed");
    clean_environment();

    if (!program_symbol("qmp_query_version") ||
        !program_symbol("register_module_init")) {
        refuse("%s exports none of QEMU's functions, so it gets no PV display "
               "and sound: use a QEMU that is built with modules, such as "
               "Debian's qemu-system-x86",
               program_invocation_short_name);
        return;
    }
    dl_iterate_phdr(read_program, &id);
    if (strcmp(id.hex, XEN_PV_PLUGIN_BUILD_ID)) {
        program_version(version, sizeof(version));
        refuse("this plugin is for " MADE_FOR ", and this is %s%s, so there "
               "is no PV display and sound: " WHAT_TO_RUN,
               strcmp(version, MADE_FOR) ? "" : "another build of ", version);
        return;
    }
    register_init(register_last);
}
