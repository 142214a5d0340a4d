/*
 * QTests of what users get wrong with Xen PV display and sound
 *
 * The manual's page on troubleshooting quotes what QEMU prints, each time
 * after a comment that names a test of this program.  Here the mistake is
 * made, and what the page quotes has to be there.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "../frontend/xen-front-sound.h"
#include "xen-pv-manual.h"
#include "xen-pv-qtest.h"

#define PAGE        "troubleshooting.rst"
#define MARK        ".. checked by: "
#define NAME        "/xen-pv-trouble/"

#define VNC_PORT    5900

#define TESTBED     "-device xen-testbed,memdev=dom,chardev=guest "
#define DISPLAY     "-device xen-pvdisplay,id=disp0,connectors=800x600"
#define AUDIO       "-audiodev none,id=snd "
#define SOUND       AUDIO "-device xen-pvsound,id=snd0,audiodev=snd,"

#define COOKIE      UINT64_C(0xffff888004210800)
#define RATE        48000
#define BUFFER      16384
#define PERIOD      4096
#define MS          INT64_C(1000000)

/*
 * @qemu: QEMU over a fake Xen, or NULL of one that does not start
 * @buffer: what it shows, if anything
 * @sound: the frontend of sound card 0, where there is one
 * @said: what the monitor said, and QEMU that did not start
 */
typedef struct Trouble {
    XenPvTest qemu;
    XenFrontBuffer *buffer;
    XenFrontSound *sound;
    GString *said;
} Trouble;

/*
 * A mistake
 *
 * @args: of QEMU
 * @testbed: of the fake Xen; NULL: QEMU does not even start
 * @make: what goes wrong while it runs; may be NULL
 */
typedef struct Mistake {
    const char *name;
    const char *args;
    const char *testbed;
    void (*make)(Trouble *t);
} Mistake;

/* ------------------------------------------------------------ the manual */

/* The lines that the page quotes for a mistake: all blocks of its name */
static GPtrArray *quoted(const char *name)
{
    g_auto(GStrv) lines = xen_pv_manual_page(PAGE);
    g_autofree char *mark = g_strdup_printf(MARK NAME "%s", name);
    GPtrArray *quotes = g_ptr_array_new_with_free_func(g_free);
    bool inside = false;
    int i;

    for (i = 0; lines[i]; i++) {
        const char *text = lines[i] + strspn(lines[i], " ");

        if (g_str_has_prefix(text, ".. ")) {
            inside = g_str_equal(text, mark) ||
                     (inside && g_str_has_prefix(text, ".. code-block::"));
        } else if (inside && g_str_has_prefix(lines[i], "   ")) {
            g_ptr_array_add(quotes, g_strdup(text));
        } else if (*text) {
            inside = false;
        }
    }

    return quotes;
}

/* ------------------------------------------------------------ a QEMU's say */

static void say_log(Trouble *t, GString *all)
{
    g_autofree char *path = g_build_filename(t->qemu.dir, "log", NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_string_append(all, text);
}

static void say_summary(Trouble *t, GString *all, const char *id)
{
    QDict *response = qtest_qmp(t->qemu.qts, "{ 'execute': 'qom-get', "
                                "'arguments': { 'path': %s, "
                                "'property': 'summary' } }", id);
    const QListEntry *entry;

    if (qdict_haskey(response, "return")) {
        QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
            QString *line = qobject_to(QString, qlist_entry_obj(entry));

            g_string_append_printf(all, "%s\n", qstring_get_str(line));
        }
    }
    qobject_unref(response);
}

/* All that a user could have seen until now */
static char *everything(Trouble *t)
{
    GString *all = g_string_new(t->said->str);

    if (t->qemu.qts) {
        say_log(t, all);
        say_summary(t, all, "disp0");
        say_summary(t, all, "snd0");
    }

    return g_string_free(all, FALSE);
}

typedef struct Search {
    Trouble *trouble;
    GPtrArray *quotes;
    const char *missing;
} Search;

static bool all_said(void *opaque)
{
    Search *s = opaque;
    g_autofree char *text = everything(s->trouble);
    guint i;

    s->missing = NULL;
    for (i = 0; i < s->quotes->len; i++) {
        const char *quote = g_ptr_array_index(s->quotes, i);

        if (!xen_pv_manual_matches(quote, text)) {
            s->missing = quote;
        }
    }

    return !s->missing;
}

static void check_said(Trouble *t, GPtrArray *quotes)
{
    Search s = { .trouble = t, .quotes = quotes };
    bool ok = t->qemu.qts ? xen_guest_wait(t->qemu.guest, all_said, &s,
                                           XEN_GUEST_DEADLINE)
                          : all_said(&s);
    g_autofree char *text = everything(t);

    g_test_message("%s", text);
    if (!ok || !quotes->len) {
        g_test_message("the manual quotes: %s",
                       s.missing ? s.missing : "nothing");
    }
    g_assert_cmpuint(quotes->len, >, 0);
    g_assert_true(ok);
}

/* --------------------------------------------------- QEMU does not start */

/* A port of this host that is taken, above those of VNC's displays */
static int take_port(int *port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, size), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&addr, &size), ==, 0);
    *port = ntohs(addr.sin_port);
    g_assert_cmpint(*port, >, VNC_PORT);

    return fd;
}

static void not_started(Trouble *t, const char *args)
{
    GError *err = NULL;
    g_autofree char *dir = g_dir_make_tmp("xen-pv-trouble-XXXXXX", &err);
    g_autofree char *output = NULL;
    g_autofree char *command = NULL;
    g_auto(GStrv) argv = NULL;
    int status;

    g_assert_no_error(err);
    command = g_strdup_printf("%s -machine none -nodefaults -display none "
                              "-accel qtest "
                              "-object memory-backend-file,id=dom,size=16M,"
                              "share=on,mem-path=%s/memory "
                              "-chardev null,id=guest %s",
                              getenv("QTEST_QEMU_BINARY"), dir, args);
    g_assert_true(g_shell_parse_argv(command, NULL, &argv, &err));
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                 NULL, &output, &status, &err);
    g_assert_no_error(err);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_string_append(t->said, output);

    g_free(command);
    command = g_build_filename(dir, "memory", NULL);
    unlink(command);
    rmdir(dir);
}

/* ------------------------------------------------------- what goes wrong */

static XenFrontConnector *screen(Trouble *t)
{
    return &t->qemu.display->connectors[0];
}

/* One for the whole screen, which QEMU takes, or answers with an error */
static XenFrontBuffer *new_buffer(Trouble *t, int status)
{
    XenFrontBuffer *buffer = xen_front_buffer_new(t->qemu.guest, 800, 600,
                                                  COOKIE);

    g_assert_nonnull(buffer);
    g_assert_cmpint(xen_front_buffer_attach(t->qemu.display, buffer), ==,
                    status);
    return buffer;
}

static void connect_display(Trouble *t)
{
    xen_pv_test_connect(t->qemu.display);
}

static void hmp(Trouble *t, const char *command)
{
    g_autofree char *answer = qtest_hmp(t->qemu.qts, "%s", command);

    g_string_append(t->said, answer);
}

static void screendump_of_none(Trouble *t)
{
    hmp(t, "screendump /dev/null -f png vdispl-1 0");
}

static void ask_for_unknown_framebuffer(Trouble *t)
{
    connect_display(t);
    g_assert_cmpint(xen_front_flip(screen(t), 77), ==, -ENOENT);
}

/* The picture stands still since the program that drew it did */
static void draw_once(Trouble *t)
{
    connect_display(t);
    t->buffer = new_buffer(t, 0);
    g_assert_cmpint(xen_front_set_config(screen(t), t->buffer->fb, 0, 0, 800,
                                         600, 32), ==, 0);
    g_assert_cmpint(xen_front_flip(screen(t), t->buffer->fb), ==, 0);
}

static void draw_beyond_max_pages(Trouble *t)
{
    connect_display(t);
    t->buffer = new_buffer(t, -E2BIG);
}

/* Of what Xen maps for a domain, or Linux by one call: their parameters */
static void draw_beyond_limit(Trouble *t)
{
    connect_display(t);
    t->buffer = new_buffer(t, 0);
    g_assert_cmpint(xen_front_set_config(screen(t), t->buffer->fb, 0, 0, 800,
                                         600, 32), <, 0);
}

static void fill_buffers(Trouble *t)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new(t->qemu.guest, 4096);
    uint32_t ref = xen_front_pgdir_ref(pgdir);
    int i, status = 0;

    connect_display(t);
    for (i = 1; !status; i++) {
        status = xen_front_dbuf_create(t->qemu.display, i, 0, 0, 0, 4096, 0,
                                       ref, 0);
    }
    g_assert_cmpint(status, ==, -ENOSPC);
    while (--i > 1) {
        xen_front_dbuf_destroy(t->qemu.display, i - 1);
    }
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* All that QEMU allocates stays in use, until there is no room for more */
static void allocate_buffers(Trouble *t)
{
    XenFrontPgdir *pgdirs[32];
    int i, count = 0, status = 0;

    connect_display(t);
    while (!status) {
        g_assert_cmpint(count, <, ARRAY_SIZE(pgdirs));
        pgdirs[count] = xen_front_pgdir_new_be_alloc(t->qemu.guest, 4096);
        count++;
        status = xen_front_dbuf_create(t->qemu.display, count, 32, 32, 32,
                                       4096, XENDISPL_DBUF_FLG_REQ_ALLOC,
                                       xen_front_pgdir_ref(pgdirs[count - 1]),
                                       0);
    }
    g_assert_cmpint(status, ==, -ENOSPC);
    for (i = 0; i < count; i++) {
        if (i < count - 1) {
            xen_front_dbuf_destroy(t->qemu.display, i + 1);
        }
        g_assert_cmpuint(xen_front_pgdir_free(pgdirs[i]), ==, 0);
    }
}

static bool log_has(Trouble *t, const char *phrase)
{
    g_autoptr(GString) log = g_string_new("");

    say_log(t, log);
    return strstr(log->str, phrase);
}

static void ask_too_much(Trouble *t)
{
    XenFrontPgdir *pgdir = xen_front_pgdir_new(t->qemu.guest, 8 << 20);
    uint32_t ref = xen_front_pgdir_ref(pgdir);

    connect_display(t);
    do {
        g_assert_cmpint(xen_front_dbuf_create(t->qemu.display, 1, 0, 0, 0,
                                              8 << 20, 0, ref, 0), ==, 0);
        g_assert_cmpint(xen_front_dbuf_destroy(t->qemu.display, 1), ==, 0);
    } while (!log_has(t, "max-load"));
    g_assert_cmpuint(xen_front_pgdir_free(pgdir), ==, 0);
}

/* Twice in a second; on a machine that is busy it may take some more tries */
static void connect_too_often(Trouble *t)
{
    g_autoptr(GPtrArray) quotes = quoted("max-connects");
    Search s = { .trouble = t, .quotes = quotes };
    int i;

    for (i = 0; i < 50 && !all_said(&s); i++) {
        connect_display(t);
        g_assert_cmpint(xen_front_display_unload(t->qemu.display), ==, 0);
    }
}

static void break_ring(Trouble *t)
{
    connect_display(t);
    screen(t)->req.ring.sring->req_prod = screen(t)->req.ring.rsp_cons + 1000;
    xen_guest_kick(t->qemu.guest, screen(t)->req.port);
}

static void publish(Trouble *t, const char *key, const char *value)
{
    XenFrontDisplay *d = t->qemu.display;
    g_autofree char *path = g_strdup_printf("%s/%s", d->card.frontend_path,
                                            key);

    g_assert_true(xen_front_wait_backend(&d->card, XenbusStateInitWait,
                                         XEN_GUEST_DEADLINE));
    g_assert_cmpint(xen_front_display_read_config(d), ==, 0);
    g_assert_cmpint(xen_front_display_alloc_rings(d), ==, 0);
    g_assert_cmpint(xen_front_display_publish(d), ==, 0);
    xen_guest_write(t->qemu.guest, path, "%s", value);
    xen_front_set_state(&d->card, XenbusStateInitialised);
}

static void publish_no_number(Trouble *t)
{
    publish(t, "0/req-ring-ref", "none");
}

static void publish_bad_grant(Trouble *t)
{
    publish(t, "0/evt-ring-ref", "60000");
}

static void publish_bad_port(Trouble *t)
{
    publish(t, "0/req-event-channel", "4000");
}

static void publish_version(Trouble *t)
{
    publish(t, "version", "3");
}

static void attach(Trouble *t, const char *resolution)
{
    const char *const resolutions[] = { resolution, NULL };

    xen_pv_test_attach(t->qemu.display, "0", resolutions);
}

static void attach_bad_resolution(Trouble *t)
{
    attach(t, "9000x600");
}

static void attach_no_connector(Trouble *t)
{
    attach(t, NULL);
}

/* A card by -device has its number; the toolstack's would be another */
static void add_same_number(Trouble *t)
{
    hmp(t, "device_add xen-pvdisplay,connectors=640x480,idx=0");
}

/* ---------------------------------------------------------------- sound */

static XenFrontStream *open_stream(Trouble *t, uint32_t index, int status)
{
    XenFrontStream *s = &t->sound->streams[index];

    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, PERIOD), ==, status);
    return s;
}

static void connect_sound(Trouble *t)
{
    t->sound = xen_front_sound_new(t->qemu.guest, 0);
    g_assert_cmpint(xen_front_sound_connect(t->sound), ==, 0);
}

/* The guest plays, and the host hears it */
static void play(Trouble *t)
{
    static const uint8_t silence[BUFFER];
    XenFrontStream *s;

    connect_sound(t);
    s = open_stream(t, 0, 0);
    g_assert_cmpint(xen_front_stream_write(s, silence, BUFFER), ==, BUFFER);
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
    qtest_clock_step(t->qemu.qts, 20 * MS);
}

/* It starts, and brings nothing */
static void play_late(Trouble *t)
{
    XenFrontStream *s;

    connect_sound(t);
    s = open_stream(t, 0, 0);
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
    qtest_clock_step(t->qemu.qts, 200 * MS);
}

static void open_only(Trouble *t)
{
    connect_sound(t);
    open_stream(t, 0, 0);
}

static void record_from_wav(Trouble *t)
{
    connect_sound(t);
    open_stream(t, 0, -ENODEV);
}

static void open_short_buffer(Trouble *t)
{
    connect_sound(t);
    g_assert_cmpint(xen_front_stream_open(&t->sound->streams[0], RATE,
                                          XENSND_PCM_FORMAT_S16_LE, 2, 512,
                                          256), ==, -EINVAL);
}

static void open_beyond_max_pages(Trouble *t)
{
    connect_sound(t);
    open_stream(t, 0, 0);
    open_stream(t, 1, -ENOSPC);
}

static void give_up(Trouble *t)
{
    int i;

    t->sound = xen_front_sound_new(t->qemu.guest, 0);
    for (i = 0; i < 3; i++) {
        g_assert_true(xen_front_wait_backend(&t->sound->card,
            XenbusStateInitWait, XEN_GUEST_DEADLINE));
        g_assert_cmpint(xen_front_sound_read_config(t->sound), ==, 0);
        g_assert_cmpint(xen_front_sound_alloc_rings(t->sound), ==, 0);
        g_assert_cmpint(xen_front_sound_publish(t->sound), ==, 0);
        xen_front_set_state(&t->sound->card, XenbusStateInitialised);
        g_assert_true(xen_front_wait_backend(&t->sound->card,
            XenbusStateConnected, XEN_GUEST_DEADLINE));
        xen_front_set_state(&t->sound->card, XenbusStateClosing);
        g_assert_cmpuint(xen_front_sound_free_rings(t->sound), ==, 0);
        xen_front_set_state(&t->sound->card, XenbusStateInitialising);
    }
    g_assert_true(xen_front_wait_backend(&t->sound->card,
        XenbusStateReconfiguring, XEN_GUEST_DEADLINE));
}

/* What xl writes for vsnd, with a stream's type and formats */
static void attach_sound(Trouble *t, const char *type, const char *formats)
{
    t->sound = xen_front_sound_new(t->qemu.guest, 0);
    xen_toolstack_begin(&t->sound->card);
    xen_toolstack_write(&t->sound->card, "0/0/type", type);
    xen_toolstack_write(&t->sound->card, "sample-formats", formats);
    xen_toolstack_end(&t->sound->card);
}

static void attach_bad_format(Trouble *t)
{
    attach_sound(t, "p", "s16_le;pcm");
}

static void attach_bad_type(Trouble *t)
{
    attach_sound(t, "playback", "s16_le");
}

/* ---------------------------------------------------------- the mistakes */

static const Mistake mistakes[] = {
    /* Options */
    { "no-xen", DISPLAY },
    { "no-connectors", TESTBED "-device xen-pvdisplay" },
    { "no-height", TESTBED "-device xen-pvdisplay,connectors=800" },
    { "comma", TESTBED DISPLAY ",640x480" },
    { "typing-error", TESTBED DISPLAY ",refresh=75" },
    { "beyond", TESTBED DISPLAY ",max-load=200" },
    { "no-screen-to-serve", TESTBED "-vnc 127.0.0.1:77,display=vdispl-0" },
    { "no-audiodev", TESTBED "-device xen-pvsound" },
    { "other-audiodev", TESTBED AUDIO
      "-device xen-pvsound,audiodev=speakers" },
    { "no-streams", TESTBED SOUND "streams=playback" },

    /* Displays */
    { "not-connected", DISPLAY, "" },
    { "not-drawn", DISPLAY, "", connect_display },
    { "still", DISPLAY, "", draw_once },
    { "screendump", DISPLAY, "", screendump_of_none },
    { "same-number", DISPLAY, "", add_same_number },
    { "refused", DISPLAY, "", ask_for_unknown_framebuffer },
    { "max-pages", DISPLAY ",max-pages=400", "", draw_beyond_max_pages },
    { "max-buffers", DISPLAY ",max-buffers=2", "", fill_buffers },
    { "full-pages", DISPLAY ",be-alloc=on,max-pages=4", ",dom0-pages=64",
      allocate_buffers },
    { "max-mappings", DISPLAY ",be-alloc=on,max-mappings=16",
      ",dom0-pages=64", allocate_buffers },
    { "maptrack", DISPLAY, ",maptrack=300", draw_beyond_limit },
    { "gntdev-limit", DISPLAY, ",limit=300", draw_beyond_limit },
    { "vnc-cuts", "-device xen-pvdisplay,id=disp0,connectors=5760x1080 "
      "-vnc unix:DIR/vnc", "", connect_display },
    { "max-load", DISPLAY ",max-load=1", "", ask_too_much },
    { "max-connects", DISPLAY ",max-connects=1", "", connect_too_often },
    { "ring", DISPLAY, "", break_ring },
    { "node", DISPLAY ",x-connect-pause=0", "", publish_no_number },
    { "grant", DISPLAY ",x-connect-pause=0", "", publish_bad_grant },
    { "channel", DISPLAY ",x-connect-pause=0", "", publish_bad_port },
    { "version", DISPLAY ",x-connect-pause=0", "", publish_version },
    { "resolution", "", "", attach_bad_resolution },
    { "no-connector", "", "", attach_no_connector },

    /* Sound */
    { "stopped", SOUND "streams=p", "", open_only },
    { "playing", SOUND "streams=p", "", play },
    { "late", SOUND "streams=p", "", play_late },
    { "cannot-record", "-audiodev wav,id=snd,path=DIR/sound.wav "
      "-device xen-pvsound,id=snd0,audiodev=snd,streams=c", "",
      record_from_wav },
    { "sound-max-pages", SOUND "streams=pp,max-pages=6", "",
      open_beyond_max_pages },
    { "short-buffer", SOUND "streams=p", "", open_short_buffer },
    { "given-up", SOUND "streams=p", "", give_up },
    { "sound-format", AUDIO "-global xen-pvsound.audiodev=snd", "",
      attach_bad_format },
    { "sound-type", AUDIO "-global xen-pvsound.audiodev=snd", "",
      attach_bad_type },
};

static void test_mistake(const void *opaque)
{
    const Mistake *mistake = opaque;
    g_autoptr(GPtrArray) quotes = quoted(mistake->name);
    Trouble t = { .said = g_string_new("") };

    if (!mistake->testbed) {
        not_started(&t, mistake->args);
        check_said(&t, quotes);
    } else {
        g_autofree char *args = g_strdup_printf("%s 2>DIR/log ",
                                                mistake->args);

        xen_pv_test_start(&t.qemu, mistake->testbed, args);
        if (mistake->make) {
            mistake->make(&t);
        }
        check_said(&t, quotes);
        /* However it was left, QEMU ends well */
        xen_pv_test_quit(&t.qemu);
        if (t.buffer) {
            g_assert_cmpuint(xen_front_buffer_free(t.buffer), ==, 0);
        }
        if (t.sound) {
            g_assert_cmpuint(xen_front_sound_free(t.sound), ==, 0);
        }
        xen_pv_test_end(&t.qemu);
    }
    g_string_free(t.said, TRUE);
}

/* Another guest's VNC server has the port */
static void test_port(void)
{
    g_autoptr(GPtrArray) quotes = quoted("port");
    Trouble t = { .said = g_string_new("") };
    g_autofree char *args = NULL;
    int port, fd = take_port(&port);

    args = g_strdup_printf("-vnc 127.0.0.1:%d", port - VNC_PORT);
    not_started(&t, args);
    check_said(&t, quotes);
    g_string_free(t.said, TRUE);
    close(fd);
}

/* Nothing that the page quotes is without a mistake here */
static void test_page(void)
{
    g_auto(GStrv) lines = xen_pv_manual_page(PAGE);
    unsigned int count = 0;
    int i, k;

    for (i = 0; lines[i]; i++) {
        const char *name = strstr(lines[i], MARK NAME);

        if (!name) {
            continue;
        }
        name += strlen(MARK NAME);
        count++;
        if (g_str_equal(name, "port")) {
            continue;
        }
        for (k = 0; k < ARRAY_SIZE(mistakes); k++) {
            if (g_str_equal(name, mistakes[k].name)) {
                break;
            }
        }
        if (k == ARRAY_SIZE(mistakes)) {
            g_test_message("the manual quotes '%s', which no test makes",
                           name);
        }
        g_assert_cmpint(k, <, ARRAY_SIZE(mistakes));
    }
    g_assert_cmpuint(count, >=, ARRAY_SIZE(mistakes));
}

int main(int argc, char **argv)
{
    int i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
        g_autofree char *name = g_strconcat(NAME, mistakes[i].name, NULL);

        qtest_add_data_func(name, &mistakes[i], test_mistake);
    }
    qtest_add_func(NAME "port", test_port);
    qtest_add_func(NAME "page", test_page);
    return g_test_run();
}
