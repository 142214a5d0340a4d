/*
 * Tests of what the protocol engine of PV displays says of a bad request
 *
 * Whoever reads the log has to find the value that is at fault.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "displif-fixture.h"

#define DBUF    UINT64_C(0xffff888004210800)
#define IMPORT  UINT64_C(0xffff888004210900)
#define FB      UINT64_C(0xffff888004210a00)
#define OTHER   UINT64_C(0x77)

/*
 * @connector: whose ring has the request
 * @status: what it is answered with
 * @why: what is said of it
 */
typedef struct Bad {
    uint32_t connector;
    struct xendispl_req req;
    int32_t status;
    const char *why;
} Bad;

static void check(Test *t, const Bad *bad, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++) {
        refused(t, bad[i].connector, bad[i].req, bad[i].status);
        g_assert_cmpstr(t->last_why, ==, bad[i].why);
    }
}

/* A buffer of known geometry, one of none, and a framebuffer */
static uint32_t begin(Test *t)
{
    uint32_t dir = create(t, DBUF, 64, 64, 32);

    good(t, 0, req_create(IMPORT, 0, 0, 0, 16384, dir, 0));
    good(t, 0, req_attach(DBUF, FB, 64, 64, XR24));
    return dir;
}

static void test_create(Test *t, gconstpointer data)
{
    uint32_t dir = begin(t);
    const Bad bad[] = {
        { 0, req_create(0, 64, 64, 32, 16384, dir, 0), -EINVAL,
          "buffer cookie of 0" },
        { 0, req_create(DBUF, 64, 64, 32, 16384, dir, 0), -EEXIST,
          "buffer cookie 0xffff888004210800 in use" },
        { 1, req_create(OTHER, 64, 64, 32, 16384, dir, 0), -EINVAL,
          "operation belongs on connector 0" },
        { 0, req_create(OTHER, 64, 64, 32, 0, dir, 0), -EINVAL,
          "buffer size of 0" },
        { 0, req_create(OTHER, 64, 0, 32, 16384, dir, 0), -EINVAL,
          "width or height of 0: 64x0" },
        { 0, req_create(OTHER, 64, 64, 30, 16384, dir, 0), -EINVAL,
          "30 bits per pixel, not a multiple of 8 up to 64" },
        { 0, req_create(OTHER, 64, 64, 32, 16384, dir, 20000), -EINVAL,
          "data offset 20000 beyond the buffer of 16384 bytes" },
        { 0, req_create(OTHER, 64, 65, 32, 16384, dir, 8), -EINVAL,
          "buffer of 16384 bytes smaller than its geometry: 64x65 with 32 "
          "bits per pixel, data offset 8" },
        { 0, req_create(OTHER, 0, 0, 0, 5001 * PAGE, dir, 0), -E2BIG,
          "buffer of 5001 pages larger than max-pages allows" },
        { 0, req_create(OTHER, 64, 64, 32, 16384, 0, 0), -EINVAL,
          "page directory cannot be read: directory page 0 is missing: its "
          "reference is 0" },
        { 0, req_create(OTHER, 64, 64, 32, 16384, 0xfffffff0, 0), -EINVAL,
          "page directory cannot be read: cannot map reference 4294967280 for "
          "reading: Invalid argument" },
        { 0, req_create(OTHER, 0, 0, 0, 5 * PAGE, dir, 0), -EINVAL,
          "page directory cannot be read: data reference 4 of directory page "
          "0 is 0" },
    };

    check(t, bad, ARRAY_SIZE(bad));
}

static void test_limits(void)
{
    const XenDisplifLimits limits = {
        .max_buffers = 2,
        .max_framebuffers = 1,
        .max_total_pages = 10,
    };
    uint32_t dir;
    Test t;

    setup_limits(&t, &limits);
    dir = begin(&t);
    {
        const Bad bad[] = {
            { 0, req_create(OTHER, 64, 64, 32, 16384, dir, 0), -ENOSPC,
              "more buffers than max-buffers: 2" },
            { 0, req_attach(DBUF, OTHER, 64, 64, XR24), -ENOSPC,
              "more framebuffers than max-framebuffers: 1" },
        };

        check(&t, bad, ARRAY_SIZE(bad));
    }
    good(&t, 0, req_destroy(IMPORT));
    refused(&t, 0, req_create(OTHER, 0, 0, 0, 7 * PAGE, dir, 0), -ENOSPC);
    g_assert_cmpstr(t.last_why, ==, "more pages in all buffers than max-pages "
                    "allows: 4 and 7 more exceed 10");
    teardown(&t, NULL);
}

static void test_alloc(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_link_directory(t->grants, 4);
    struct xendispl_req ofs = req_alloc(OTHER, 32, 32, 32, 16384, dir);

    xen_displif_set_backend_alloc(t->disp, true);
    ofs.op.dbuf_create.data_ofs = 12;
    {
        const Bad bad[] = {
            { 0, req_alloc(OTHER, 0, 0, 0, 16384, dir), -EINVAL,
              "allocation without width and height" },
            { 0, ofs, -EINVAL, "allocation with a data offset of 12 bytes" },
            { 0, req_alloc(OTHER, 64, 64, 32, 1024 * PAGE, dir), -EINVAL,
              "buffer cannot be allocated: directory page 1 is missing: its "
              "reference is 0" },
        };

        check(t, bad, ARRAY_SIZE(bad));
    }
}

static void test_framebuffer(Test *t, gconstpointer data)
{
    begin(t);
    {
        const Bad bad[] = {
            { 0, req_attach(DBUF, 0, 64, 64, XR24), -EINVAL,
              "framebuffer cookie of 0" },
            { 0, req_attach(OTHER, OTHER, 64, 64, XR24), -ENOENT,
              "unknown buffer 0x77" },
            { 0, req_attach(DBUF, FB, 64, 64, XR24), -EEXIST,
              "framebuffer cookie 0xffff888004210a00 in use" },
            /* As text it would be the guest's bytes */
            { 0, req_attach(DBUF, OTHER, 64, 64, 0x0a0d1b5b), -EINVAL,
              "unknown pixel format 0x0a0d1b5b" },
            { 0, req_attach(DBUF, OTHER, 0, 64, XR24), -EINVAL,
              "width or height of 0: 0x64" },
            { 0, req_attach(DBUF, OTHER, 64, 64, RG16), -EINVAL,
              "pixel format 0x36314752 of 2 bytes per pixel, but 4 in the "
              "buffer" },
            { 0, req_attach(DBUF, OTHER, 65, 64, XR24), -EINVAL,
              "framebuffer of 65x64 larger than its buffer of 64x64" },
            { 0, req_attach(IMPORT, OTHER, 65, 64, XR24), -EINVAL,
              "framebuffer of 65x64 with 4 bytes per pixel larger than its "
              "buffer of 16384 bytes, data offset 0" },
            { 0, req_detach(OTHER), -ENOENT, "unknown framebuffer 0x77" },
            { 0, req_destroy(OTHER), -ENOENT, "unknown buffer 0x77" },
        };

        check(t, bad, ARRAY_SIZE(bad));
    }
}

static void test_show(Test *t, gconstpointer data)
{
    uint32_t dir = begin(t), wide;
    unsigned int i;

    wide = fake_grants_make_directory(t->grants, 3300, NULL);
    good(t, 0, req_create(OTHER, 65600, 50, 32, 3300 * PAGE, wide, 0));
    good(t, 0, req_attach(OTHER, OTHER, 65600, 50, XR24));
    {
        const Bad bad[] = {
            { 0, req_config(0x123, 0, 0, 64, 48), -ENOENT,
              "unknown framebuffer 0x123" },
            { 0, req_flip(0x123), -ENOENT, "unknown framebuffer 0x123" },
            { 0, req_config(FB, 64, 0, 64, 48), -EINVAL,
              "visible area of 64x48 at 64,0 outside the framebuffer of "
              "64x64" },
            { 0, req_config(FB, 3, 4000000000, 64, 48), -EINVAL,
              "visible area of 64x48 at 3,4000000000 outside the framebuffer "
              "of 64x64" },
            { 0, req_config(OTHER, 0, 0, 64, 48), -EINVAL,
              "rows of 262400 bytes, much longer than the screen's 256" },
        };

        check(t, bad, ARRAY_SIZE(bad));
    }

    fake_grants_refuse(t->grants, 1, -EFAULT);
    refused(t, 0, req_config(FB, 0, 0, 64, 48), -EFAULT);
    g_assert_true(g_str_has_prefix(t->last_why, "framebuffer cannot be shown: "
                                   "cannot map 3 pages from reference "));
    g_assert_true(g_str_has_suffix(t->last_why, " on for reading: Bad "
                                   "address"));

    for (i = 0; i < XEN_DISPLIF_MAX_PENDING_FLIPS; i++) {
        good(t, 0, req_flip(FB));
    }
    refused(t, 0, req_flip(FB), -EBUSY);
    g_assert_cmpstr(t->last_why, ==, "32 flips without their event already");
    g_assert_true(fake_grants_end_directory(t->grants, dir, 4));
}

static void test_edid(Test *t, gconstpointer data)
{
    uint32_t dir = fake_grants_make_directory(t->grants, 4, NULL);

    t->edid_size = 256;
    refused(t, 0, req_edid(8192, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "EDID buffer of 8192 bytes, less than "
                    "32768");
    refused(t, 0, req_edid(32768, dir), -EINVAL);
    g_assert_cmpstr(t->last_why, ==, "page directory cannot be read: data "
                    "reference 4 of directory page 0 is 0");
}

/* A ring that is no longer served: which index was it? */
static void test_ring(Test *t, gconstpointer data)
{
    XenDisplifConnectorInfo info;
    bool more;

    begin(t);
    t->front[0].sring->req_prod += 1000;
    g_assert_cmpint(xen_displif_process(t->disp, 0, &more), ==, -EPROTO);
    xen_displif_connector_info(t->disp, 0, &info);
    g_assert_true(info.broken);
    g_assert_cmpuint(info.answered, ==, t->front[0].sring->rsp_prod);
    g_assert_cmpuint(info.bad_prod, ==, info.answered + 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("why/create", test_create);
    g_test_add_func("/xen/displif/why/limits", test_limits);
    ADD("why/alloc", test_alloc);
    ADD("why/framebuffer", test_framebuffer);
    ADD("why/show", test_show);
    ADD("why/edid", test_edid);
    ADD("why/ring", test_ring);
    return g_test_run();
}
