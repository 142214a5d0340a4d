/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: page directories and grants
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

/* More pages than one page of a directory has room for */
#define TWO_DIRS    (XEN_FRONT_REFS_PER_DIR + 1)
#define THREE_DIRS  (2 * XEN_FRONT_REFS_PER_DIR + 1)

/* A directory page of which all entries name one and the same page */
static XenFrontDirPage *dir_page(XenAttacker *a, uint32_t data, uint32_t *ref)
{
    XenFrontDirPage *dir = attack_page(a, false, ref);
    uint32_t i;

    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir->refs[i] = data;
    }
    return dir;
}

/* A page of data, and a chain of @count pages that lead to nothing else */
static void dir_chain(XenAttacker *a, uint32_t count, XenFrontDirPage **dir,
                      uint32_t *refs)
{
    uint32_t data = attack_ref(a, false);
    uint32_t i;

    for (i = 0; i < count; i++) {
        dir[i] = dir_page(a, data, &refs[i]);
    }
    for (i = 0; i + 1 < count; i++) {
        dir[i]->next = refs[i + 1];
    }
}

/* A buffer without geometry, as an imported one */
static int create(XenAttacker *a, uint32_t pages, uint32_t dir_ref)
{
    return xen_front_dbuf_create(a->display, ATTACK_DBUF, 0, 0, 0,
                                 pages * XEN_GUEST_PAGE, 0, dir_ref, 0);
}

static int create_and_show(XenAttacker *a, uint32_t pages, uint32_t dir_ref)
{
    int ret = create(a, pages, dir_ref);

    return ret ?: attack_show(a);
}

/* Chains */

static int loop_to_itself(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;

    dir_chain(a, 1, &dir, &ref);
    dir->next = ref;
    return create_and_show(a, THREE_DIRS, ref);
}

static int loop_of_two(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir[2];
    uint32_t ref[2];

    dir_chain(a, 2, dir, ref);
    dir[1]->next = ref[0];
    return create_and_show(a, THREE_DIRS, ref[0]);
}

/* The next page of the second of two, by number */
static int chain_ends_in(XenAttacker *a, const void *arg)
{
    const uint32_t *next = arg;
    XenFrontDirPage *dir[2];
    uint32_t ref[2];

    dir_chain(a, 2, dir, ref);
    dir[1]->next = *next;
    return create(a, THREE_DIRS, ref[0]);
}

static int chain_too_long(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir[3];
    uint32_t ref[3];

    dir_chain(a, 3, dir, ref);
    dir[0]->refs[1] = UINT32_MAX;
    dir[2]->next = UINT32_MAX;
    return create_and_show(a, 1, ref[0]);
}

static int chain_revoked(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, TWO_DIRS * XEN_GUEST_PAGE);
    grant_entry_v1_t *entry = attack_entry(a, pgdir->dir_refs[1]);

    entry->flags = 0;
    return create(a, TWO_DIRS, xen_front_pgdir_ref(pgdir));
}

/* The first directory page, by number */
static int begins_with(XenAttacker *a, const void *arg)
{
    const uint32_t *ref = arg;

    return create(a, ATTACK_PAGES, *ref);
}

static int dir_readonly(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;

    dir = attack_page(a, true, &ref);
    dir->refs[0] = attack_ref(a, false);
    return create_and_show(a, 1, ref);
}

static int dir_of_itself(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;

    dir = dir_page(a, 0, &ref);
    dir->next = ref;
    dir->refs[0] = ref;
    return create_and_show(a, 1, ref);
}

static int dir_is_ring(XenAttacker *a, const void *arg)
{
    return create(a, 1, attack_connector(a)->req.ref);
}

static int dir_is_event_page(XenAttacker *a, const void *arg)
{
    return create(a, 1, attack_connector(a)->evt.ref);
}

/* Data pages */

/* An entry, by number */
static int data_is(XenAttacker *a, const void *arg)
{
    const uint32_t *data = arg;
    XenFrontDirPage *dir;
    uint32_t ref;

    dir_chain(a, 1, &dir, &ref);
    dir->refs[1] = *data;
    return create_and_show(a, 2, ref);
}

static int data_readonly(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    dir_page(a, attack_ref(a, true), &ref);
    return create_and_show(a, 1, ref);
}

static int data_is_ring(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    dir_page(a, attack_connector(a)->req.ref, &ref);
    return create_and_show(a, 2, ref);
}

static int data_is_event_page(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    dir_page(a, attack_connector(a)->evt.ref, &ref);
    return create_and_show(a, 2, ref);
}

static int data_all_the_same(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir[2];
    uint32_t ref[2];

    dir_chain(a, 2, dir, ref);
    return create_and_show(a, TWO_DIRS, ref[0]);
}

static int data_revoked_before_show(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_SIZE);
    int ret = create(a, ATTACK_PAGES, xen_front_pgdir_ref(pgdir));

    if (ret == 0) {
        ret = xen_guest_end_access(a->guest, pgdir->refs[0]);
        pgdir->refs[0] = 0;
    }
    return ret ?: attack_show(a);
}

static int data_changed_before_show(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;
    int ret;

    dir_chain(a, 1, &dir, &ref);
    ret = create(a, 1, ref);
    memset(dir, 0xff, sizeof(*dir));
    return ret ?: attack_show(a);
}

/* The same reference, and behind it another page than before */
static int data_reused(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < 20 && !ret; i++) {
        XenFrontBuffer *buffer = attack_buffer(a, ATTACK_DBUF);
        uint32_t busy;

        if (!buffer) {
            return -ENOMEM;
        }
        ret = xen_front_set_config(attack_connector(a), buffer->fb, 0, 0,
                                   ATTACK_WIDTH, ATTACK_HEIGHT, 32) ?:
              xen_front_buffer_detach(a->display, buffer);
        busy = xen_front_buffer_free(buffer);
        ret = ret ?: busy ? -EBUSY : 0;
    }
    return ret;
}

/* Entries of the grant table */

typedef struct BadEntry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
} BadEntry;

/* A data page whose entry says that; 0 leaves what was there */
static int entry_is(XenAttacker *a, const void *arg)
{
    const BadEntry *bad = arg;
    XenFrontDirPage *dir;
    grant_entry_v1_t *entry;
    uint32_t ref;
    int ret;

    dir_chain(a, 1, &dir, &ref);
    entry = attack_entry(a, dir->refs[0]);
    entry->flags = bad->flags ?: entry->flags;
    entry->domid = bad->domid ?: entry->domid;
    entry->frame = bad->frame ?: entry->frame;
    ret = create_and_show(a, 1, ref);
    entry->flags = 0;
    return ret;
}

static int dir_entry_is(XenAttacker *a, const void *arg)
{
    const BadEntry *bad = arg;
    XenFrontDirPage *dir;
    grant_entry_v1_t *entry;
    uint32_t ref;
    int ret;

    dir_chain(a, 1, &dir, &ref);
    entry = attack_entry(a, ref);
    entry->flags = bad->flags ?: entry->flags;
    entry->domid = bad->domid ?: entry->domid;
    entry->frame = bad->frame ?: entry->frame;
    ret = create(a, 1, ref);
    entry->flags = 0;
    return ret;
}

/* The marks that say that a page is in use are gone: it is used all the same */
static int entry_cleared_while_shown(XenAttacker *a, const void *arg)
{
    uint32_t i;
    int ret;

    for (i = 0; i < a->shown->pgdir->nr_pages; i++) {
        attack_entry(a, a->shown->pgdir->refs[i])->flags = 0;
    }
    attack_meanwhile(a);
    ret = xen_front_flip(attack_connector(a), a->shown->fb);
    attack_meanwhile(a);
    return ret;
}

static int entry_moved_while_shown(XenAttacker *a, const void *arg)
{
    uint32_t i;

    for (i = 0; i < a->shown->pgdir->nr_pages; i++) {
        attack_entry(a, a->shown->pgdir->refs[i])->frame = i;
    }
    attack_meanwhile(a);
    return xen_front_flip(attack_connector(a), a->shown->fb);
}

/* Races */

typedef struct Race {
    uint32_t *word;
    uint32_t even;
    uint32_t odd;
    gint stop;
} Race;

static gpointer race_thread(gpointer opaque)
{
    Race *race = opaque;

    while (!g_atomic_int_get(&race->stop)) {
        __atomic_store_n(race->word, race->even, __ATOMIC_RELAXED);
        __atomic_store_n(race->word, race->odd, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Create and show while somebody changes a word between two values */
static int race(XenAttacker *a, uint32_t *word, uint32_t even, uint32_t odd,
                uint32_t pages, uint32_t ref)
{
    Race race = { word, even, odd };
    GThread *thread = g_thread_new("race", race_thread, &race);
    int64_t begin = g_get_monotonic_time();
    uint32_t i;
    int ret = 0;

    for (i = 0; attack_race_goes_on(i, begin) && ret != -ETIMEDOUT &&
                ret != -EPROTO; i++) {
        ret = create_and_show(a, pages, ref);
        xen_front_fb_detach(a->display, ATTACK_FB);
        xen_front_dbuf_destroy(a->display, ATTACK_DBUF);
    }
    g_atomic_int_set(&race.stop, 1);
    g_thread_join(thread);
    return ret;
}

static int race_data(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;

    dir_chain(a, 1, &dir, &ref);
    return race(a, &dir->refs[0], dir->refs[0], UINT32_MAX, 1, ref);
}

static int race_link(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir[2];
    uint32_t ref[2];

    dir_chain(a, 2, dir, ref);
    return race(a, &dir[0]->next, ref[1], 0, TWO_DIRS, ref[0]);
}

/* Permitted, then not, in turn: between the walk and the map, too */
static int race_entry(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    grant_entry_v1_t *entry;
    uint32_t ref, page;
    int ret;

    dir_chain(a, 1, &dir, &ref);
    entry = attack_entry(a, dir->refs[0]);
    page = entry->frame;
    ret = race(a, &entry->frame, page, UINT32_MAX, 1, ref);
    entry->frame = page;
    return ret;
}

/* Backend allocation */

static int alloc_buffer(XenAttacker *a, uint32_t dir_ref, uint32_t size)
{
    return xen_front_dbuf_create(a->display, ATTACK_DBUF, ATTACK_WIDTH,
                                 size / (ATTACK_WIDTH * 4), 32, size,
                                 XENDISPL_DBUF_FLG_REQ_ALLOC, dir_ref, 0);
}

static int alloc_too_much(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir[2];
    uint32_t ref[2];

    dir_chain(a, 2, dir, ref);
    return alloc_buffer(a, ref[0], TWO_DIRS * XEN_GUEST_PAGE);
}

static int alloc_readonly_dir(XenAttacker *a, const void *arg)
{
    return alloc_buffer(a, attack_ref(a, true), ATTACK_SIZE);
}

static int alloc_short_chain(XenAttacker *a, const void *arg)
{
    return alloc_buffer(a, attack_ref(a, false), TWO_DIRS * XEN_GUEST_PAGE);
}

static int alloc_loop(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;

    dir = attack_page(a, false, &ref);
    dir->next = ref;
    return alloc_buffer(a, ref, TWO_DIRS * XEN_GUEST_PAGE);
}

static int alloc_no_dir(XenAttacker *a, const void *arg)
{
    return alloc_buffer(a, 0, ATTACK_SIZE);
}

static int alloc_no_geometry(XenAttacker *a, const void *arg)
{
    uint32_t ref = attack_ref(a, false);

    return xen_front_dbuf_create(a->display, ATTACK_DBUF, 0, 0, 0,
                                 ATTACK_SIZE, XENDISPL_DBUF_FLG_REQ_ALLOC,
                                 ref, 0);
}

static int alloc_data_ofs(XenAttacker *a, const void *arg)
{
    uint32_t ref = attack_ref(a, false);

    return xen_front_dbuf_create(a->display, ATTACK_DBUF, ATTACK_WIDTH,
                                 ATTACK_HEIGHT - 8, 32, ATTACK_SIZE,
                                 XENDISPL_DBUF_FLG_REQ_ALLOC, ref, 64);
}

/* Buffers come and go while the guest holds on to their pages */
static int alloc_and_hold(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new_be_alloc(a->guest,
                                                        ATTACK_SIZE);
    int ret = alloc_buffer(a, xen_front_pgdir_ref(pgdir), ATTACK_SIZE);

    if (ret == 0) {
        ret = xen_front_pgdir_map(pgdir) ?: attack_show(a) ?:
              xen_front_dbuf_destroy(a->display, ATTACK_DBUF);
        memset(pgdir->data ?: (void *)&ret, 0, sizeof(ret));
        xen_front_pgdir_unmap(pgdir);
    }
    xen_front_pgdir_free(pgdir);
    return ret;
}

#define DIRECTORY(name, what, status, run) \
    { "directory", name, what, status, 0, run }
#define DIRECTORY_ARG(name, what, status, run, arg) \
    { "directory", name, what, status, 0, run, &(const uint32_t){ arg } }
#define ENTRY(name, what, status, run, ...) \
    { "grants", name, what, status, XEN_ATTACK_ENTRIES, run, \
      &(const BadEntry){ __VA_ARGS__ } }
#define ALLOC(name, what, status, run) \
    { "be-alloc", name, what, status, XEN_ATTACK_BE_ALLOC, run }

const XenAttack xen_attacks_directory[] = {
    DIRECTORY("loop", "a page that links to itself", 0, loop_to_itself),
    DIRECTORY("loop-2", "two pages that link to each other", 0, loop_of_two),
    DIRECTORY_ARG("short", "a chain that ends early", -EINVAL, chain_ends_in,
                  0),
    DIRECTORY_ARG("next-max", "a link to reference 2^32-1", -EINVAL,
                  chain_ends_in, UINT32_MAX),
    DIRECTORY_ARG("next-ungranted", "a link to a page not granted", -EINVAL,
                  chain_ends_in, 20000),
    DIRECTORY("long", "links and entries behind the last page", 0,
              chain_too_long),
    DIRECTORY_ARG("first-0", "no first page", -EINVAL, begins_with, 0),
    DIRECTORY_ARG("first-reserved", "a reserved reference as first page",
                  -EINVAL, begins_with, 7),
    DIRECTORY_ARG("first-max", "reference 2^32-1 as first page", -EINVAL,
                  begins_with, UINT32_MAX),
    DIRECTORY_ARG("first-sign", "reference 2^31 as first page", -EINVAL,
                  begins_with, 0x80000000u),
    DIRECTORY_ARG("first-ungranted", "a first page not granted", -EINVAL,
                  begins_with, 20000),
    DIRECTORY("readonly", "a directory granted read-only", 0, dir_readonly),
    DIRECTORY("itself", "a directory that is its own data", 0,
              dir_of_itself),
    DIRECTORY("is-ring", "the request ring as directory", XEN_ATTACK_ANSWERED,
              dir_is_ring),
    DIRECTORY("is-events", "the event page as directory", -EINVAL,
              dir_is_event_page),
    DIRECTORY_ARG("hole", "an entry of 0", -EINVAL, data_is, 0),
    DIRECTORY_ARG("data-max", "a data page of reference 2^32-1", -EINVAL,
                  data_is, UINT32_MAX),
    DIRECTORY_ARG("data-reserved", "a data page of a reserved reference",
                  -EINVAL, data_is, 2),
    DIRECTORY_ARG("data-ungranted", "a data page not granted", -EINVAL,
                  data_is, 20000),
    DIRECTORY("data-readonly", "a data page granted read-only", 0,
              data_readonly),
    DIRECTORY("data-ring", "the request ring as picture", 0, data_is_ring),
    DIRECTORY("data-events", "the event page as picture", 0,
              data_is_event_page),
    DIRECTORY("data-same", "a thousand times the same page", 0,
              data_all_the_same),
    DIRECTORY("revoked", "a data page revoked before it is shown", -EINVAL,
              data_revoked_before_show),
    DIRECTORY("rewritten", "a directory rewritten once it was read", 0,
              data_changed_before_show),
    DIRECTORY("reused", "references used again for other pages", 0,
              data_reused),
    DIRECTORY("race-data", "an entry that changes all the time",
              XEN_ATTACK_ANSWERED, race_data),
    DIRECTORY("race-link", "a link that changes all the time",
              XEN_ATTACK_ANSWERED, race_link),

    ENTRY("foreign", "a data page granted to another domain", -EINVAL,
          entry_is, 0, 7, 0),
    ENTRY("frame-max", "a data page of frame 2^32-1", -EINVAL, entry_is, 0, 0,
          UINT32_MAX),
    ENTRY("transfer", "a data page to be transferred", -EINVAL, entry_is,
          GTF_accept_transfer, 0, 0),
    ENTRY("transitive", "a data page of a transitive grant", -EINVAL,
          entry_is, GTF_transitive, 0, 0),
    ENTRY("sub-page", "a data page granted in part", -EINVAL, entry_is,
          GTF_permit_access | GTF_sub_page, 0, 0),
    ENTRY("dir-foreign", "a directory granted to another domain", -EINVAL,
          dir_entry_is, 0, 7, 0),
    ENTRY("dir-frame-max", "a directory of frame 2^32-1", -EINVAL,
          dir_entry_is, 0, 0, UINT32_MAX),
    ENTRY("dir-transfer", "a directory to be transferred", -EINVAL,
          dir_entry_is, GTF_accept_transfer, 0, 0),
    ENTRY("link-revoked", "a second directory page revoked", -EINVAL,
          chain_revoked, 0, 0, 0),
    ENTRY("cleared", "the marks of pages on screen cleared", 0,
          entry_cleared_while_shown, 0, 0, 0),
    ENTRY("moved", "other frames behind pages on screen", 0,
          entry_moved_while_shown, 0, 0, 0),
    ENTRY("race", "an entry that changes all the time",
          XEN_ATTACK_ANSWERED, race_entry, 0, 0, 0),

    ALLOC("too-much", "more pages than the host has to share",
          XEN_ATTACK_REFUSED, alloc_too_much),
    ALLOC("readonly", "a directory that cannot be filled in", -EINVAL,
          alloc_readonly_dir),
    ALLOC("short", "a directory too short for the buffer", -EINVAL,
          alloc_short_chain),
    ALLOC("loop", "a directory that links to itself", XEN_ATTACK_REFUSED,
          alloc_loop),
    ALLOC("no-directory", "no directory", -EINVAL, alloc_no_dir),
    ALLOC("no-geometry", "no geometry", -EINVAL, alloc_no_geometry),
    ALLOC("data-ofs", "a data offset", -EINVAL, alloc_data_ofs),
    { "be-alloc", "hold", "pages held on to once the buffer is gone", 0,
      XEN_ATTACK_BE_ALLOC | XEN_ATTACK_MAPS, alloc_and_hold },
    { NULL }
};
