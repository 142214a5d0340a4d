/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks on PV cards: requests to a sound card
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include <string.h>

#include "xen-attacks-util.h"

#define STORM   500

static int request(XenFrontStream *s, uint8_t operation, uint32_t first,
                   uint32_t second)
{
    struct xensnd_req req = { .operation = operation };

    /* Of all operations but OPEN and the query these are all there is */
    req.op.rw.offset = first;
    req.op.rw.length = second;
    return xen_front_stream_request(s, &req, NULL);
}

static int start(XenFrontStream *s)
{
    return xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START);
}

/* Before OPEN, and after it */

typedef struct BadRequest {
    uint8_t operation;
    uint32_t first;
    uint32_t second;
} BadRequest;

static int not_open(XenAttacker *a, const void *arg)
{
    const BadRequest *bad = arg;

    return request(attack_playback(a), bad->operation, bad->first,
                   bad->second);
}

static int opened(XenAttacker *a, const void *arg)
{
    return attack_open(attack_playback(a)) ?: not_open(a, arg);
}

static int opened_capture(XenAttacker *a, const void *arg)
{
    const BadRequest *bad = arg;

    return attack_open(attack_capture(a)) ?:
           request(attack_capture(a), bad->operation, bad->first,
                   bad->second);
}

static int closed_again(XenAttacker *a, const void *arg)
{
    return attack_open(attack_playback(a)) ?:
           xen_front_stream_close(attack_playback(a)) ?: not_open(a, arg);
}

static int operations(XenAttacker *a, const void *arg)
{
    int ret = -EOPNOTSUPP;
    uint32_t op;

    for (op = XENSND_OP_HW_PARAM_QUERY + 1; op < 256 && ret == -EOPNOTSUPP;
         op++) {
        struct xensnd_req req;

        memset(&req, op, sizeof(req));
        req.operation = op;
        ret = xen_front_stream_request(attack_playback(a), &req, NULL);
    }
    return ret;
}

/* OPEN */

/* Of a good buffer, but for what @arg says */
static int open_as(XenAttacker *a, const void *arg)
{
    const struct xensnd_open_req *bad = arg;
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_BUFFER);
    struct xensnd_req req = { .operation = XENSND_OP_OPEN };

    req.op.open = *bad;
    req.op.open.gref_directory = bad->gref_directory ?:
                                 xen_front_pgdir_ref(pgdir);
    return xen_front_stream_request(attack_playback(a), &req, NULL);
}

static int open_twice(XenAttacker *a, const void *arg)
{
    return attack_open(attack_playback(a)) ?: start(attack_playback(a)) ?:
           open_as(a, arg);
}

/* Whatever comes of the second, the buffer of the first is gone */
static int reopen_lets_go(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    int ret = attack_open(s) ?: start(s);

    if (ret) {
        return ret;
    }
    ret = open_as(a, arg);
    return xen_front_pgdir_in_use(s->pgdir) ? -EBUSY : ret;
}

/* A buffer of the same page all over, of a directory that loops */
static XenFrontDirPage *looped(XenAttacker *a, uint32_t data, uint32_t *ref)
{
    XenFrontDirPage *dir = attack_page(a, false, ref);
    uint32_t i;

    dir->next = *ref;
    for (i = 0; i < XEN_FRONT_REFS_PER_DIR; i++) {
        dir->refs[i] = data;
    }
    return dir;
}

static int open_on(XenFrontStream *s, uint32_t dir_ref)
{
    struct xensnd_req req = { .operation = XENSND_OP_OPEN };

    req.op.open.pcm_rate = ATTACK_RATE;
    req.op.open.pcm_format = XENSND_PCM_FORMAT_S16_LE;
    req.op.open.pcm_channels = 2;
    req.op.open.buffer_sz = ATTACK_BUFFER;
    req.op.open.gref_directory = dir_ref;
    req.op.open.period_sz = ATTACK_PERIOD;
    return xen_front_stream_request(s, &req, NULL);
}

static int play_looped(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    uint32_t ref;
    int ret;

    looped(a, attack_ref(a, true), &ref);
    ret = open_on(s, ref) ?: request(s, XENSND_OP_WRITE, 0, ATTACK_BUFFER) ?:
          start(s);
    attack_meanwhile(a);
    return ret;
}

static int play_hole(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    looped(a, attack_ref(a, false), &ref)->refs[3] = 0;
    return open_on(attack_playback(a), ref);
}

static int play_ungranted(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    looped(a, attack_ref(a, false), &ref)->refs[3] = 20000;
    return open_on(attack_playback(a), ref) ?: start(attack_playback(a));
}

/* Pages that are granted read-only cannot be recorded to */
static int record_readonly(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    looped(a, attack_ref(a, true), &ref);
    return open_on(attack_capture(a), ref) ?: start(attack_capture(a));
}

/* Record into the ring itself: only this guest's ring comes to harm */
static int record_into_ring(XenAttacker *a, const void *arg)
{
    uint32_t ref;
    int ret;

    looped(a, attack_playback(a)->req.ref, &ref);
    ret = open_on(attack_capture(a), ref) ?: start(attack_capture(a));
    attack_meanwhile(a);
    attack_meanwhile(a);
    return ret;
}

static int revoked_before_start(XenAttacker *a, const void *arg)
{
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_BUFFER);
    int ret = open_on(attack_playback(a), xen_front_pgdir_ref(pgdir)) ?:
              xen_guest_end_access(a->guest, pgdir->refs[2]);

    pgdir->refs[2] = 0;
    return ret ?: start(attack_playback(a));
}

static int revoked_while_playing(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    int ret = attack_open(s) ?: start(s);
    uint32_t i;

    for (i = 0; !ret && i < s->pgdir->nr_pages; i++) {
        attack_entry(a, s->pgdir->refs[i])->flags = 0;
    }
    attack_meanwhile(a);
    return ret ?: request(s, XENSND_OP_WRITE, 0, ATTACK_PERIOD);
}

/* A directory that changes after OPEN, and is read once more */
static int volume_dir_changed(XenAttacker *a, const void *arg)
{
    XenFrontDirPage *dir;
    uint32_t ref;
    int ret;

    dir = looped(a, attack_ref(a, false), &ref);
    ret = open_on(attack_playback(a), ref);
    dir->refs[0] = UINT32_MAX;
    return ret ?: request(attack_playback(a), XENSND_OP_GET_VOLUME, 0, 8);
}

static int volume_readonly(XenAttacker *a, const void *arg)
{
    uint32_t ref;

    looped(a, attack_ref(a, true), &ref);
    return open_on(attack_playback(a), ref) ?:
           request(attack_playback(a), XENSND_OP_GET_VOLUME, 0, 8);
}

/* Volumes */

static int volume_is(XenAttacker *a, const void *arg)
{
    const int32_t *volume = arg;
    XenFrontStream *s = attack_playback(a);
    int ret = attack_open(s);

    if (ret == 0) {
        memcpy(s->pgdir->data, volume, 2 * sizeof(*volume));
    }
    ret = ret ?: request(s, XENSND_OP_SET_VOLUME, 0, 8) ?: start(s);
    attack_meanwhile(a);
    return ret;
}

static int mute_noise(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    int ret = attack_open(s);

    if (ret == 0) {
        memset(s->pgdir->data, 0xa5, ATTACK_PERIOD);
    }
    return ret ?: request(s, XENSND_OP_MUTE, 3, 2) ?:
           request(s, XENSND_OP_UNMUTE, ATTACK_PERIOD - 1, 2);
}

/* Triggers */

static int trigger_is(XenAttacker *a, const void *arg)
{
    const uint8_t *type = arg;

    return attack_open(attack_playback(a)) ?:
           xen_front_stream_trigger(attack_playback(a), *type);
}

static int trigger_twice(XenAttacker *a, const void *arg)
{
    const uint8_t *type = arg;
    XenFrontStream *s = attack_playback(a);

    return attack_open(s) ?: start(s) ?: xen_front_stream_trigger(s, *type) ?:
           xen_front_stream_trigger(s, *type);
}

static int trigger_storm(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    int ret = attack_open(s) ?: start(s);
    uint32_t i;

    for (i = 0; i < STORM && !ret; i++) {
        ret = xen_front_stream_trigger(s, i % 2 ? XENSND_OP_TRIGGER_START
                                                : XENSND_OP_TRIGGER_STOP);
    }
    attack_meanwhile(a);
    return ret;
}

static int open_storm(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    XenFrontPgdir *pgdir = attack_pgdir(a, ATTACK_BUFFER);
    uint32_t i;
    int ret = 0;

    for (i = 0; i < STORM && !ret; i++) {
        ret = open_on(s, xen_front_pgdir_ref(pgdir)) ?: start(s);
    }
    return ret;
}

/* Events */

/* The shortest period: more events than the page has room for */
static int shortest_period(XenAttacker *a, const void *arg)
{
    XenFrontStream *s = attack_playback(a);
    uint32_t i;
    int ret = xen_front_stream_open(s, ATTACK_RATE, XENSND_PCM_FORMAT_S16_LE,
                                    2, ATTACK_BUFFER,
                                    ATTACK_FRAME * ATTACK_RATE / 1000) ?:
              request(s, XENSND_OP_WRITE, 0, ATTACK_BUFFER) ?: start(s);

    for (i = 0; i < 20; i++) {
        attack_meanwhile(a);
    }
    ret = ret ?: xen_front_stream_trigger(s, XENSND_OP_TRIGGER_STOP);
    xen_front_stream_take_events(s);
    return ret ?: s->bad_events || s->position > 1u << 20 ? -EPROTO : 0;
}

static int consumer_is(XenAttacker *a, const void *arg)
{
    const uint32_t *value = arg;
    XenFrontStream *s = attack_playback(a);
    struct xensnd_event_page *page = xen_guest_page(a->guest, s->evt.page);
    int ret = attack_open(s) ?: start(s);
    uint32_t i;

    for (i = 0; i < 5; i++) {
        page->in_cons = *value;
        attack_meanwhile(a);
    }
    return ret ?: request(s, XENSND_OP_WRITE, 0, ATTACK_PERIOD);
}

/* Rings */

static int producer_jumps(XenAttacker *a, const void *arg)
{
    const uint32_t *by = arg;
    XenFrontStream *s = attack_playback(a);
    struct xensnd_resp resp;

    s->req.ring.sring->req_prod += *by;
    xen_guest_kick(a->guest, s->req.port);
    attack_meanwhile(a);
    return xen_front_stream_receive(s, &resp, ATTACK_SILENCE_MS) ?:
           resp.status;
}

/* Queries */

static int query(XenAttacker *a, const void *arg)
{
    struct xensnd_query_hw_param param =
        *(const struct xensnd_query_hw_param *)arg;

    return xen_front_stream_query(attack_playback(a), &param);
}

#define NOT_OPEN(name, what, status, ...) \
    { "not-open", name, what, status, XEN_ATTACK_SOUND, not_open, \
      &(const BadRequest){ __VA_ARGS__ } }
#define CLOSED(name, what, ...) \
    { "not-open", name, what, -EINVAL, XEN_ATTACK_SOUND, closed_again, \
      &(const BadRequest){ __VA_ARGS__ } }
#define RANGE(name, what, status, ...) \
    { "range", name, what, status, XEN_ATTACK_SOUND, opened, \
      &(const BadRequest){ __VA_ARGS__ } }
#define CAPTURE(name, what, status, ...) \
    { "range", name, what, status, XEN_ATTACK_SOUND, opened_capture, \
      &(const BadRequest){ __VA_ARGS__ } }
#define OPEN_BY(name, what, status, run, ...) \
    { "open", name, what, status, XEN_ATTACK_SOUND, run, \
      &(const struct xensnd_open_req){ __VA_ARGS__ } }
#define OPEN(name, what, ...) \
    OPEN_BY(name, what, -EINVAL, open_as, __VA_ARGS__)
#define BUFFER(name, what, status, run) \
    { "sound-buffer", name, what, status, XEN_ATTACK_SOUND, run }
#define VOLUME(name, what, ...) \
    { "volume", name, what, 0, XEN_ATTACK_SOUND, volume_is, \
      (const int32_t[]){ __VA_ARGS__ } }
#define TRIGGER(name, what, status, run, type) \
    { "trigger", name, what, status, XEN_ATTACK_SOUND, run, \
      &(const uint8_t){ type } }
#define WORD(group, name, what, status, run, word) \
    { group, name, what, status, XEN_ATTACK_SOUND, run, \
      &(const uint32_t){ word } }
#define QUERY(name, what, ...) \
    { "query", name, what, -EINVAL, XEN_ATTACK_SOUND, query, \
      &(const struct xensnd_query_hw_param){ __VA_ARGS__ } }

#define HZ      ATTACK_RATE
#define S16     XENSND_PCM_FORMAT_S16_LE
#define SIZE    ATTACK_BUFFER
#define PERIOD  ATTACK_PERIOD
#define ANY     { 0, UINT32_MAX }

const XenAttack xen_attacks_sound[] = {
    NOT_OPEN("close", "CLOSE before OPEN", 0, XENSND_OP_CLOSE),
    NOT_OPEN("read", "READ before OPEN", -EINVAL, XENSND_OP_READ, 0, 4),
    NOT_OPEN("write", "WRITE before OPEN", -EINVAL, XENSND_OP_WRITE, 0, 4),
    NOT_OPEN("set-volume", "SET_VOLUME before OPEN", -EINVAL,
             XENSND_OP_SET_VOLUME, 0, 8),
    NOT_OPEN("get-volume", "GET_VOLUME before OPEN", -EINVAL,
             XENSND_OP_GET_VOLUME, 0, 8),
    NOT_OPEN("mute", "MUTE before OPEN", -EINVAL, XENSND_OP_MUTE, 0, 2),
    NOT_OPEN("unmute", "UNMUTE before OPEN", -EINVAL, XENSND_OP_UNMUTE, 0, 2),
    NOT_OPEN("start", "START before OPEN", -EINVAL, XENSND_OP_TRIGGER,
             XENSND_OP_TRIGGER_START),
    NOT_OPEN("stop", "STOP before OPEN", -EINVAL, XENSND_OP_TRIGGER,
             XENSND_OP_TRIGGER_STOP),
    CLOSED("write-closed", "WRITE after CLOSE", XENSND_OP_WRITE, 0, 4),
    CLOSED("get-volume-closed", "GET_VOLUME after CLOSE",
           XENSND_OP_GET_VOLUME, 0, 8),
    CLOSED("start-closed", "START after CLOSE", XENSND_OP_TRIGGER,
           XENSND_OP_TRIGGER_START),
    { "not-open", "unknown", "operations 10 to 255", -EOPNOTSUPP,
      XEN_ATTACK_SOUND, operations },

    RANGE("write-beyond", "WRITE where the buffer ends", -EINVAL,
          XENSND_OP_WRITE, SIZE, 1),
    RANGE("write-long", "WRITE of more than the buffer", -EINVAL,
          XENSND_OP_WRITE, 0, SIZE + 1),
    RANGE("write-overflow", "WRITE of 2^32-1 at 2^32-1", -EINVAL,
          XENSND_OP_WRITE, UINT32_MAX, UINT32_MAX),
    RANGE("write-wrap", "WRITE whose end is 0", -EINVAL,
          XENSND_OP_WRITE, SIZE / 2, 0u - SIZE / 2),
    RANGE("write-nothing", "WRITE of nothing at the end", 0,
          XENSND_OP_WRITE, SIZE, 0),
    RANGE("write-odd", "WRITE of half a frame", 0, XENSND_OP_WRITE, 1, 1),
    RANGE("read-playback", "READ from playback", -EINVAL, XENSND_OP_READ, 0,
          4),
    RANGE("set-volume-beyond", "SET_VOLUME outside", -EINVAL,
          XENSND_OP_SET_VOLUME, SIZE - 4, 8),
    RANGE("set-volume-short", "SET_VOLUME of half the channels", -EINVAL,
          XENSND_OP_SET_VOLUME, 0, 4),
    RANGE("get-volume-beyond", "GET_VOLUME outside", -EINVAL,
          XENSND_OP_GET_VOLUME, SIZE - 4, 8),
    RANGE("get-volume-overflow", "GET_VOLUME at 2^32-1", -EINVAL,
          XENSND_OP_GET_VOLUME, UINT32_MAX, 8),
    RANGE("get-volume-short", "GET_VOLUME of half the channels", -EINVAL,
          XENSND_OP_GET_VOLUME, 0, 4),
    RANGE("mute-beyond", "MUTE outside", -EINVAL, XENSND_OP_MUTE, SIZE - 1,
          2),
    RANGE("mute-short", "MUTE of half the channels", -EINVAL, XENSND_OP_MUTE,
          0, 1),
    RANGE("unmute-overflow", "UNMUTE of 2^32-1", -EINVAL, XENSND_OP_UNMUTE,
          2, UINT32_MAX),
    CAPTURE("write-capture", "WRITE to capture", -EINVAL, XENSND_OP_WRITE, 0,
            4),
    CAPTURE("read-beyond", "READ where the buffer ends", -EINVAL,
            XENSND_OP_READ, SIZE, 1),
    CAPTURE("read-overflow", "READ of 2^32-1 at 2^32-1", -EINVAL,
            XENSND_OP_READ, UINT32_MAX, UINT32_MAX),

    OPEN("rate-0", "a rate of 0", 0, S16, 2, 0, SIZE, 0, PERIOD),
    OPEN("rate-1", "a rate of 1 Hz", 1, S16, 2, 0, SIZE, 0, PERIOD),
    OPEN("rate-max", "a rate of 2^32-1 Hz", UINT32_MAX, S16, 2, 0, SIZE, 0,
         PERIOD),
    OPEN("channels-0", "no channels", HZ, S16, 0, 0, SIZE, 0, PERIOD),
    OPEN("channels-255", "255 channels", HZ, S16, 255, 0, SIZE, 0, PERIOD),
    OPEN("format-iec958", "IEC958", HZ, XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE,
         2, 0, SIZE, 0, PERIOD),
    OPEN("format-adpcm", "ADPCM", HZ, XENSND_PCM_FORMAT_IMA_ADPCM, 2, 0, SIZE,
         0, PERIOD),
    OPEN("format-mpeg", "MPEG", HZ, XENSND_PCM_FORMAT_MPEG, 2, 0, SIZE, 0,
         PERIOD),
    OPEN("format-gsm", "GSM", HZ, XENSND_PCM_FORMAT_GSM, 2, 0, SIZE, 0,
         PERIOD),
    OPEN("format-25", "the first format that is none", HZ, 25, 2, 0, SIZE, 0,
         PERIOD),
    OPEN("format-64", "format 64", HZ, 64, 2, 0, SIZE, 0, PERIOD),
    OPEN("format-255", "format 255", HZ, 255, 2, 0, SIZE, 0, PERIOD),
    OPEN("buffer-0", "a buffer of nothing", HZ, S16, 2, 0, 0, 0, 0),
    OPEN("buffer-odd", "a buffer of half a frame more", HZ, S16, 2, 0,
         SIZE + 2, 0, PERIOD),
    OPEN("buffer-max", "a buffer of 2^32-4 bytes", HZ, S16, 2, 0,
         UINT32_MAX - 3, 0, PERIOD),
    OPEN("buffer-more", "a buffer larger than its directory", HZ, S16, 2, 0,
         2 * SIZE, 0, PERIOD),
    OPEN("period-more", "a period longer than the buffer", HZ, S16, 2, 0,
         SIZE, 0, SIZE + 1),
    OPEN("period-max", "a period of 2^32-1 bytes", HZ, S16, 2, 0, SIZE, 0,
         UINT32_MAX),
    OPEN_BY("period-0", "a period of 0", 0, open_as, HZ, S16, 2, 0, SIZE, 0,
            0),
    OPEN("period-1", "a period of one byte", HZ, S16, 2, 0, SIZE, 0, 1),
    OPEN("directory-max", "a directory of reference 2^32-1", HZ, S16, 2, 0,
         SIZE, UINT32_MAX, PERIOD),
    OPEN_BY("twice", "a second OPEN while it plays", 0, open_twice, HZ, S16,
            2, 0, SIZE, 0, PERIOD),
    OPEN_BY("twice-bad", "a bad second OPEN while it plays", -EINVAL,
            reopen_lets_go, HZ, S16, 2, 0, SIZE, UINT32_MAX, PERIOD),

    BUFFER("loop", "a directory that links to itself", 0, play_looped),
    BUFFER("hole", "an entry of 0", -EINVAL, play_hole),
    BUFFER("ungranted", "a page not granted", -EINVAL, play_ungranted),
    BUFFER("readonly", "recording to what is read-only", -EINVAL,
           record_readonly),
    BUFFER("ring", "recording to the request ring", 0, record_into_ring),
    BUFFER("revoked", "a page revoked before START", -EINVAL,
           revoked_before_start),
    { "sound-buffer", "cleared", "grants cleared while it plays", 0,
      XEN_ATTACK_SOUND | XEN_ATTACK_ENTRIES, revoked_while_playing },
    BUFFER("volume-changed", "a directory that changes after OPEN", -EINVAL,
           volume_dir_changed),
    BUFFER("volume-readonly", "volumes to what is read-only", -EINVAL,
           volume_readonly),
    BUFFER("open-storm", "hundreds of OPENs while it plays", 0, open_storm),

    VOLUME("max", "volumes of 2^31-1", INT32_MAX, INT32_MAX),
    VOLUME("min", "volumes of -2^31", INT32_MIN, INT32_MIN),
    VOLUME("loud", "volumes above what there is", 600000, 1),
    { "volume", "mute-noise", "noise for MUTE and UNMUTE", 0,
      XEN_ATTACK_SOUND, mute_noise },

    TRIGGER("4", "the first trigger that is none", -EINVAL, trigger_is, 4),
    TRIGGER("255", "trigger 255", -EINVAL, trigger_is, 255),
    TRIGGER("pause", "PAUSE before START", -EINVAL, trigger_is,
            XENSND_OP_TRIGGER_PAUSE),
    TRIGGER("resume", "RESUME before START", -EINVAL, trigger_is,
            XENSND_OP_TRIGGER_RESUME),
    TRIGGER("start-twice", "START when it plays", 0, trigger_twice,
            XENSND_OP_TRIGGER_START),
    TRIGGER("stop-twice", "STOP when it is stopped", 0, trigger_twice,
            XENSND_OP_TRIGGER_STOP),
    TRIGGER("pause-twice", "PAUSE when it is paused", 0, trigger_twice,
            XENSND_OP_TRIGGER_PAUSE),
    TRIGGER("storm", "hundreds of STARTs and STOPs", 0, trigger_storm, 0),

    WORD("sound-ring", "ahead-33", "a request more than the ring has slots",
         XEN_ATTACK_SILENCE, producer_jumps, 33),
    WORD("sound-ring", "ahead-sign", "2^31 requests at once",
         XEN_ATTACK_SILENCE, producer_jumps, 0x80000000u),
    WORD("sound-ring", "back-1", "a request taken back", XEN_ATTACK_SILENCE,
         producer_jumps, UINT32_MAX),
    WORD("sound-events", "ahead", "events taken that never were", 0,
         consumer_is, 1000),
    WORD("sound-events", "max", "2^32-1 events taken", 0, consumer_is,
         UINT32_MAX),
    { "sound-events", "full", "the shortest periods, and nobody takes events",
      0, XEN_ATTACK_SOUND, shortest_period },

    QUERY("no-formats", "no format", 0, ANY, ANY, ANY, ANY),
    QUERY("other-formats", "formats that are not offered",
          1ull << XENSND_PCM_FORMAT_GSM, ANY, ANY, ANY, ANY),
    QUERY("unknown-formats", "formats that are none", 1ull << 63, ANY, ANY,
          ANY, ANY),
    QUERY("rates", "rates from 2^32-1 down to 0", UINT64_MAX,
          { UINT32_MAX, 0 }, ANY, ANY, ANY),
    QUERY("channels", "no channels", UINT64_MAX, ANY, { 0, 0 }, ANY, ANY),
    QUERY("channels-max", "2^32-1 channels", UINT64_MAX, ANY,
          { UINT32_MAX, UINT32_MAX }, ANY, ANY),
    QUERY("buffer", "a buffer of 2^32-1 frames", UINT64_MAX, ANY, ANY,
          { UINT32_MAX, UINT32_MAX }, ANY),
    QUERY("period", "a period of 2^32-1 frames", UINT64_MAX, ANY, ANY, ANY,
          { UINT32_MAX, UINT32_MAX }),
    QUERY("all-0", "nothing but zeros", 0),
    { NULL }
};
