/*
 * A device, its owner and its guest, for tests of the engine of PV displays
 *
 * The guest's side works on raw ring and event pages, as a frontend would;
 * the owner's side records what the engine asks for.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef TESTS_UNIT_DISPLIF_FIXTURE_H
#define TESTS_UNIT_DISPLIF_FIXTURE_H

#include <xen/io/displif.h>

#include "hw/xen/xen-displif.h"
#include "fake-front.h"
#include "fake-grants.h"

#define PAGE            4096
#define CONNECTORS      3
#define DOMAIN_PAGES    12000
#define XR24            0x34325258
#define RG24            0x34324752
#define RG16            0x36314752
#define WHATEVER        0x41414141

typedef struct Screen {
    bool on;
    XenDisplifScanout scanout;
    XenPgdirView *view;
    uint8_t *data;
    uint32_t shows;
    uint32_t offs;
    uint32_t keeps;
    uint32_t flipped;
    uint32_t request_kicks;
    uint32_t event_kicks;
    bool last_was_flip;
    int refuse;
    uint64_t live_pages_at_keep;
} Screen;

typedef struct Test Test;

struct Test {
    FakeGrants *grants;
    XenPgdirMapper *mapper;
    XenDisplif *disp;
    FakeFront front[CONNECTORS];
    Screen screen[CONNECTORS];
    bool hold_views;
    uint32_t answers;
    uint32_t last_connector;
    uint16_t last_id;
    uint8_t last_operation;
    int32_t last_status;
    char last_why[XEN_PV_WHY_MAX];
    int edid_size;
    uint32_t last_edid_size;
    void (*on_answer)(Test *t);
    const struct FaultMode *fault_mode;
};

/* The owner's: each is recorded in its screen, or in the test */
extern const XenDisplifOps rec_ops;

extern const XenDisplifLimits usual_limits;

/* A device of three connectors, all of them connected */
void setup_full(Test *t, const XenDisplifLimits *limits,
                const XenPgdirGrantOps *ops, uint32_t max_map_count);

void setup_limits(Test *t, const XenDisplifLimits *limits);

void setup(Test *t, gconstpointer data);

/* Nothing may be mapped any more, whatever the test did */
void teardown(Test *t, gconstpointer data);

/* Connect anew, with ring indices that begin at @start */
void front_attach(Test *t, uint32_t connector, uint32_t start);

/* A request whose other bytes are what a slot was left with */
struct xendispl_req new_req(uint8_t operation);

void send_req(Test *t, uint32_t connector, struct xendispl_req req);

/* Send it, have it answered, check all of the response; returns its status */
int32_t call(Test *t, uint32_t connector, struct xendispl_req req);

/* A request that must be refused with that status, and change nothing */
void refused(Test *t, uint32_t connector, struct xendispl_req req,
             int32_t status);

struct xendispl_req req_create(uint64_t cookie, uint32_t width,
                               uint32_t height, uint32_t bpp,
                               uint32_t size, uint32_t dir,
                               uint32_t data_ofs);

struct xendispl_req req_destroy(uint64_t cookie);

struct xendispl_req req_attach(uint64_t dbuf, uint64_t fb,
                               uint32_t width, uint32_t height,
                               uint32_t format);

struct xendispl_req req_detach(uint64_t fb);

struct xendispl_req req_config(uint64_t fb, uint32_t x, uint32_t y,
                               uint32_t width, uint32_t height);

struct xendispl_req req_off(void);

struct xendispl_req req_flip(uint64_t fb);

/* Pages of a buffer of so many bytes */
uint32_t pages_of(uint32_t size);

/* Create a buffer of fresh pages; returns its directory */
uint32_t create(Test *t, uint64_t cookie, uint32_t width,
                uint32_t height, uint32_t bpp);

/* The same of a request that must be carried out */
void good(Test *t, uint32_t connector, struct xendispl_req req);

/* Take the next event as Linux does; its cookie must be @fb */
void take_event(Test *t, uint32_t connector, uint64_t fb);

/* The screen's clock ticks: the event of the oldest flip, that of @fb, comes */
void done(Test *t, uint32_t connector, uint64_t fb);

void assert_no_event(Test *t, uint32_t connector);

void assert_shows(Test *t, uint32_t connector, uint64_t fb,
                  uint64_t offset, uint32_t stride, uint32_t width,
                  uint32_t height);

/* DBUF_CREATE of a buffer that the backend is to allocate */
struct xendispl_req req_alloc(uint64_t cookie, uint32_t width,
                              uint32_t height, uint32_t bpp,
                              uint32_t size, uint32_t dir);

struct xendispl_req req_edid(uint32_t size, uint32_t dir);

#define ADD(name, fn) \
    g_test_add("/xen/displif/" name, Test, NULL, setup, fn, teardown)

#endif /* TESTS_UNIT_DISPLIF_FIXTURE_H */
