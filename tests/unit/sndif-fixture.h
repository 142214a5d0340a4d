/*
 * A card, its owner and its guest, for tests of the engine of PV sound
 *
 * The guest's side works on raw ring and event pages, as a frontend would;
 * the owner's side records what the engine asks for.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef TESTS_UNIT_SNDIF_FIXTURE_H
#define TESTS_UNIT_SNDIF_FIXTURE_H

#include <xen/io/sndif.h>

#include "hw/xen/xen-sndif.h"
#include "fake-front.h"
#include "fake-grants.h"

#define PAGE            4096
#define STREAMS         3
#define DOMAIN_PAGES    1200
#define CAPTURE         1       /* this stream records; the others play */

#define FORMATS         ((1u << XENSND_PCM_FORMAT_U8) | \
                         (1u << XENSND_PCM_FORMAT_S16_LE) | \
                         (1u << XENSND_PCM_FORMAT_S32_LE) | \
                         (1u << XENSND_PCM_FORMAT_GSM))

/* What Linux up to 2026, and Linux since, makes of the events */
typedef struct Alsa {
    bool modern;
    uint16_t id;
    uint64_t position;
    uint32_t buffer;
    uint32_t period;
    uint32_t hw_ptr;
    uint32_t out;
    uint32_t wakes;
    uint32_t dropped;
} Alsa;

typedef struct Voice {
    bool open;
    bool runs;
    XenSndifParams params;
    XenSndifVolume volume;
    uint32_t opens;
    uint32_t closes;
    uint32_t volumes;
    uint32_t request_kicks;
    uint32_t event_kicks;
    int refuse_open;
    int refuse_run;
} Voice;

typedef struct Test {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenSndif *card;
    FakeFront front[STREAMS];
    Alsa alsa[STREAMS][2];
    Voice voice[STREAMS];
    uint32_t answers;
    uint16_t last_id;
    int32_t last_status;
    char last_why[XEN_PV_WHY_MAX];
} Test;

/* The owner's: each is recorded in its voice, or in the test */
extern const XenSndifOps rec_ops;

/* Connect anew */
void front_attach(Test *t, uint32_t stream);

/* @data: whether grants can only be mapped one by one */
void setup(Test *t, gconstpointer data);

/* Pages that cannot be mapped as one range, but be looked at one by one */
void setup_scattered(Test *t, gconstpointer data);

/* One by one, and no more than one small buffer's pages at once */
void setup_small(Test *t, gconstpointer data);

/* Nothing may be mapped any more, whatever the test did */
void teardown(Test *t, gconstpointer data);

/* A request whose other bytes are what a slot was left with */
struct xensnd_req new_req(uint8_t operation);

void send_req(Test *t, uint32_t stream, struct xensnd_req req);

/* Check the response to the last request, and return its status */
int32_t check_rsp(Test *t, uint32_t stream, uint8_t operation,
                  struct xensnd_query_hw_param *param);

/* As call(), of a query: stores what it answers */
int32_t call_full(Test *t, uint32_t stream, struct xensnd_req req,
                  struct xensnd_query_hw_param *param);

/* Send it, have it answered, check the response; returns its status */
int32_t call(Test *t, uint32_t stream, struct xensnd_req req);

/* The same of a request that must be carried out */
void good(Test *t, uint32_t stream, struct xensnd_req req);

/* A request that must be refused with that status, and change nothing */
void refused(Test *t, uint32_t stream, struct xensnd_req req,
             int32_t status);

struct xensnd_req req_open(uint32_t rate, uint8_t format,
                           uint8_t channels, uint32_t size,
                           uint32_t period, uint32_t dir);

struct xensnd_req req_rw(uint8_t operation, uint32_t offset,
                         uint32_t length);

struct xensnd_req req_trigger(uint8_t type);

struct xensnd_req req_query(uint64_t formats, uint32_t rate_min,
                            uint32_t rate_max, uint32_t ch_min,
                            uint32_t ch_max, uint32_t buf_min,
                            uint32_t buf_max, uint32_t per_min,
                            uint32_t per_max);

void start(Test *t, uint32_t stream);

void stop(Test *t, uint32_t stream);

/* What Linux does at open, hw_params and hw_free */
void alsa_clear(Alsa *alsa, uint32_t buffer, uint32_t period);

/* Take all events; returns their number */
uint32_t take_events(Test *t, uint32_t stream);

/* Open a stream on fresh pages; returns its directory */
uint32_t open_stream(Test *t, uint32_t stream, uint8_t format,
                     uint8_t channels, uint32_t size, uint32_t period,
                     uint32_t *refs);

void assert_alsa(Test *t, uint32_t stream, uint64_t position);

/* The guest's byte at an offset of a buffer */
uint8_t *byte_at(Test *t, const uint32_t *refs, uint32_t offset);

/* Write bytes as the guest's copy and WRITE do; they count up from @seed */
void guest_write(Test *t, uint32_t stream, const uint32_t *refs,
                 uint32_t offset, uint32_t length, uint8_t seed);

/* What a callback of the host's does last */
void played(Test *t, uint32_t stream, size_t length);

void recorded(Test *t, uint32_t stream, const void *data,
              size_t length);

/* Play bytes, which must count up from @seed */
void play(Test *t, uint32_t stream, uint32_t length, uint8_t seed);

void play_silence(Test *t, uint32_t stream, uint32_t length);

#define ADD(path, test) \
    g_test_add("/xen/sndif/" path, Test, NULL, setup, test, teardown)

/* Invariant 6: once more, where grants can only be mapped one by one */
#define ADD_BOTH(path, test)                                            \
    do {                                                                \
        ADD(path, test);                                                \
        g_test_add("/xen/sndif/inv6/" path, Test, "single", setup,      \
                   test, teardown);                                     \
    } while (0)

#endif /* TESTS_UNIT_SNDIF_FIXTURE_H */
