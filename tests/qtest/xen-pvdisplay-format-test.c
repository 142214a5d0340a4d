/*
 * QTest of xen-pvdisplay, over a fake Xen and against a fake frontend: what
 * can be seen of it, in all pixel formats, by viewers and in the monitor
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "rfb-viewer.h"
#include "xen-pv-qtest.h"

#define PERIOD_NS       (1000000000 / 60 + 1)
#define COOKIE_A        0xffff888004210800ull
#define COOKIE_B        0xffff888004210c00ull

/* Pixel formats */

typedef struct Channel {
    uint8_t shift;
    uint8_t bits;
} Channel;

/* Little-endian words, as the names are to be read; YUYV has no channels */
typedef struct Format {
    char name[5];
    uint8_t bpp;
    Channel r, g, b;
} Format;

static const Format formats[] = {
    { "RG16", 16, { 11, 5 }, { 5, 6 }, { 0, 5 } },
    { "BG16", 16, { 0, 5 }, { 5, 6 }, { 11, 5 } },
    { "RG24", 24, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "BG24", 24, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "XR24", 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "AR24", 32, { 16, 8 }, { 8, 8 }, { 0, 8 } },
    { "XB24", 32, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "AB24", 32, { 0, 8 }, { 8, 8 }, { 16, 8 } },
    { "RX24", 32, { 24, 8 }, { 16, 8 }, { 8, 8 } },
    { "RA24", 32, { 24, 8 }, { 16, 8 }, { 8, 8 } },
    { "BX24", 32, { 8, 8 }, { 16, 8 }, { 24, 8 } },
    { "BA24", 32, { 8, 8 }, { 16, 8 }, { 24, 8 } },
    { "XR12", 16, { 8, 4 }, { 4, 4 }, { 0, 4 } },
    { "AR12", 16, { 8, 4 }, { 4, 4 }, { 0, 4 } },
    { "XB12", 16, { 0, 4 }, { 4, 4 }, { 8, 4 } },
    { "AB12", 16, { 0, 4 }, { 4, 4 }, { 8, 4 } },
    { "XR15", 16, { 10, 5 }, { 5, 5 }, { 0, 5 } },
    { "AR15", 16, { 10, 5 }, { 5, 5 }, { 0, 5 } },
    { "XB15", 16, { 0, 5 }, { 5, 5 }, { 10, 5 } },
    { "AB15", 16, { 0, 5 }, { 5, 5 }, { 10, 5 } },
    { "XR30", 32, { 20, 10 }, { 10, 10 }, { 0, 10 } },
    { "AR30", 32, { 20, 10 }, { 10, 10 }, { 0, 10 } },
    { "XB30", 32, { 0, 10 }, { 10, 10 }, { 20, 10 } },
    { "AB30", 32, { 0, 10 }, { 10, 10 }, { 20, 10 } },
    { "YUYV", 16 },
};


static const Format *get_format(const char *name)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        if (g_str_equal(formats[i].name, name)) {
            return &formats[i];
        }
    }
    g_assert_not_reached();
}

static bool is_yuyv(const Format *format)
{
    return format->r.bits == 0;
}

static uint32_t fourcc(const Format *format)
{
    return ldl_le_p(format->name);
}

/* A picture, and where it lies in a buffer */
typedef struct Drawing {
    XenFrontPgdir *pgdir;
    const Format *format;
    uint32_t offset;
    uint32_t stride;
    uint32_t width;
    uint32_t height;
    uint32_t seed;
} Drawing;

/* Gradients within a white frame, and a black line across */
static uint32_t colour(const Drawing *d, uint32_t x, uint32_t y)
{
    uint8_t r = x * 255 / (d->width - 1) + d->seed * 37;
    uint8_t g = y * 255 / (d->height - 1) + d->seed * 59;
    uint8_t b = (x * 5 + y * 3 + d->seed * 83) % 256;

    if (x == 0 || y == 0 || x == d->width - 1 || y == d->height - 1) {
        return 0xffffff;
    }
    return x == y ? 0 : r << 16 | g << 8 | b;
}

/* As many bits of a channel of 8 as there are; the other way, as pixman does */
static uint32_t pack(uint32_t value, Channel c)
{
    value &= 0xff;
    return (c.bits > 8 ? value << 2 | value >> 6 : value >> (8 - c.bits))
           << c.shift;
}

static uint32_t unpack(uint32_t word, Channel c)
{
    uint32_t value = word >> c.shift & ((1u << c.bits) - 1);

    if (c.bits >= 8) {
        return value >> (c.bits - 8);
    }
    value <<= 8 - c.bits;
    return value | value >> c.bits | value >> 2 * c.bits;
}

/* What has no meaning, or is alpha: of neighbours all zeroes, and all ones */
static uint32_t junk(const Format *format, uint32_t x, uint32_t y)
{
    uint32_t used = pack(255, format->r) | pack(255, format->g) |
                    pack(255, format->b);

    return (x + y) & 1 ? ~used : 0;
}

static uint32_t encode_rgb(const Format *format, uint32_t rgb)
{
    return pack(rgb >> 16, format->r) | pack(rgb >> 8, format->g) |
           pack(rgb, format->b);
}

/* BT.601 with head and foot room, as its text has it: in real numbers */
typedef struct Yuv {
    uint8_t y[2];
    uint8_t u;
    uint8_t v;
} Yuv;

static uint8_t round_to_byte(double value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value + 0.5;
}

static double luma(uint32_t rgb)
{
    return 0.299 * (rgb >> 16 & 255) + 0.587 * (rgb >> 8 & 255) +
           0.114 * (rgb & 255);
}

/* The pair of pixels that @x is of */
static Yuv encode_yuv(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t rgb[2] = {
        colour(d, x & ~1, y),
        colour(d, MIN(x | 1, d->width - 1), y),
    };
    double u = 0, v = 0;
    Yuv yuv;
    int i;

    for (i = 0; i < 2; i++) {
        double l = luma(rgb[i]);

        yuv.y[i] = round_to_byte(16 + 219 * l / 255);
        u += ((rgb[i] & 255) - l) / (2 * (1 - 0.114));
        v += ((rgb[i] >> 16 & 255) - l) / (2 * (1 - 0.299));
    }
    yuv.u = round_to_byte(128 + 224 * u / 2 / 255);
    yuv.v = round_to_byte(128 + 224 * v / 2 / 255);
    return yuv;
}

static uint32_t decode_yuv(const Yuv *yuv, uint32_t x)
{
    double l = (yuv->y[x & 1] - 16) * 255 / 219.0;
    double u = (yuv->u - 128) * 255 / 224.0;
    double v = (yuv->v - 128) * 255 / 224.0;
    double r = l + 2 * (1 - 0.299) * v;
    double b = l + 2 * (1 - 0.114) * u;
    double g = (l - 0.299 * r - 0.114 * b) / 0.587;

    return round_to_byte(r) << 16 | round_to_byte(g) << 8 | round_to_byte(b);
}

static void draw_pixel(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t cpp = d->format->bpp / 8;
    uint8_t *at = d->pgdir->data + d->offset + d->stride * y + cpp * x;
    uint32_t word, i;

    if (is_yuyv(d->format)) {
        Yuv yuv = encode_yuv(d, x, y);

        at[0] = yuv.y[x & 1];
        at[1] = x & 1 ? yuv.v : yuv.u;
        return;
    }
    word = encode_rgb(d->format, colour(d, x, y)) | junk(d->format, x, y);
    for (i = 0; i < cpp; i++) {
        at[i] = word >> 8 * i;
    }
}

static void draw(const Drawing *d)
{
    uint32_t cpp = d->format->bpp / 8;
    uint32_t x, y;

    for (y = 0; y < d->height; y++) {
        for (x = 0; x < d->width; x++) {
            draw_pixel(d, x, y);
        }
        /* The other half of a pair lies beyond the edge, if there is room */
        if (is_yuyv(d->format) && x & 1 && d->stride > x * cpp) {
            draw_pixel(d, x, y);
        }
    }
}

/* Of the last pixel of a row half of the colour is missing */
static bool is_half(const Drawing *d, uint32_t x)
{
    return x % 2 == 0 && x == d->width - 1 && d->stride == d->width * 2;
}

static uint32_t expected(const Drawing *d, uint32_t x, uint32_t y)
{
    uint32_t word = encode_rgb(d->format, colour(d, x, y));

    if (is_yuyv(d->format)) {
        Yuv yuv = encode_yuv(d, x, y);

        if (is_half(d, x)) {
            yuv.v = encode_yuv(d, x - 1, y).v;
        }
        return decode_yuv(&yuv, x);
    }
    return unpack(word, d->format->r) << 16 |
           unpack(word, d->format->g) << 8 | unpack(word, d->format->b);
}

static bool is_near(uint32_t a, uint32_t b, int tolerance)
{
    int i;

    for (i = 0; i < 24; i += 8) {
        if (abs((int)(a >> i & 255) - (int)(b >> i & 255)) > tolerance) {
            return false;
        }
    }
    return true;
}

static void check_picture(const XenPvPicture *picture, const Drawing *d,
                          uint32_t x0, uint32_t y0)
{
    /* Rounding of integers against real numbers; all else is exact */
    int tolerance = is_yuyv(d->format) ? 1 : 0;
    uint32_t x, y;

    for (y = 0; y < picture->height; y++) {
        for (x = 0; x < picture->width; x++) {
            uint32_t is = picture->pixels[y * picture->width + x];
            uint32_t want = expected(d, x0 + x, y0 + y);

            if (!is_near(is, want, tolerance)) {
                g_test_message("%s: %u,%u differs", d->format->name, x, y);
                g_assert_cmphex(is, ==, want);
            }
        }
    }
}

static void check_drawing(XenPvTest *t, const char *device, int head,
                          const Drawing *d, uint32_t width, uint32_t height,
                          uint32_t x0, uint32_t y0)
{
    XenPvPicture picture;

    xen_pv_picture_take(t, device, head, &picture);
    g_assert_cmpuint(picture.width, ==, width);
    g_assert_cmpuint(picture.height, ==, height);
    check_picture(&picture, d, x0, y0);
    xen_pv_picture_clear(&picture);
}

#define FORMAT_WIDTH    67
#define FORMAT_HEIGHT   45
#define FORMAT_CARD     "-device xen-pvdisplay,id=disp0,connectors=67x45 "

/*
 * @align: of rows; the size is in pages where Linux's would be
 * @x, @y: scan-out origin
 */
typedef struct Layout {
    const char *what;
    uint32_t width;
    uint32_t height;
    uint32_t align;
    bool whole_pages;
    bool import;
    uint32_t data_ofs;
    uint32_t x;
    uint32_t y;
} Layout;

static const Layout layouts[] = {
    { "old pitch, odd width", 67, 45, 1 },
    { "old pitch, even width", 66, 45, 1 },
    { "new pitch, odd width", 67, 45, 8, true },
    { "new pitch, even width", 66, 45, 8, true },
    { "pitch of both", 64, 45, 1 },
    { "data at an odd offset", 64, 45, 1, false, false, 1 },
    { "data at an even offset", 64, 45, 1, false, false, 2 },
    { "data at a word", 64, 45, 1, false, false, 4 },
    { "data at 512", 64, 45, 1, false, false, 512 },
    { "imported", 66, 45, 16, false, true },
    { "imported, rows of 256 bytes", 66, 45, 256, false, true },
    { "imported, at an odd offset", 66, 45, 16, false, true, 33 },
    { "larger than the screen", 96, 60, 8, true, false, 0, 8, 7 },
    { "larger, from an odd pixel on", 96, 60, 8, true, false, 0, 5, 7 },
    { "larger, odd, from an odd pixel on", 95, 60, 1, false, false, 0, 5, 7 },
    { "larger, odd, from an even pixel on", 95, 60, 1, false, false, 0, 8, 7 },
    { "a corner of it, odd", 95, 60, 1, false, false, 0, 91, 58 },
    { "a corner of it", 96, 60, 8, true, false, 0, 91, 58 },
};

static void check_layout(XenPvTest *t, const Format *format, const Layout *l,
                         uint32_t seed)
{
    XenFrontDisplay *display = t->display;
    uint32_t cpp = format->bpp / 8;
    Drawing d = {
        .format = format,
        .offset = l->data_ofs,
        .stride = ROUND_UP(l->width * cpp, l->align),
        .width = l->width,
        .height = l->height,
        .seed = seed,
    };
    uint32_t size = d.stride * l->height;
    uint32_t width = MIN(FORMAT_WIDTH, l->width - l->x);
    uint32_t height = MIN(FORMAT_HEIGHT, l->height - l->y);

    g_test_message("%s: %s", format->name, l->what);
    size = l->whole_pages ? ROUND_UP(size, XEN_GUEST_PAGE) : size;
    d.pgdir = xen_front_pgdir_new(t->guest, size);
    memset(d.pgdir->data, 0x55, d.pgdir->nr_pages * XEN_GUEST_PAGE);
    draw(&d);
    g_assert_cmpint(xen_front_dbuf_create(display, COOKIE_A,
                                          l->import ? 0 : l->width,
                                          l->import ? 0 : l->height,
                                          l->import ? 0 : format->bpp, size,
                                          0, xen_front_pgdir_ref(d.pgdir),
                                          l->data_ofs), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(display, COOKIE_A, 1, l->width,
                                        l->height, fourcc(format)), ==, 0);
    g_assert_cmpint(xen_front_set_config(&display->connectors[0], 1, l->x,
                                         l->y, l->width, l->height,
                                         format->bpp), ==, 0);
    check_drawing(t, "disp0", 0, &d, width, height, l->x, l->y);

    /* Drawn into without a word, then gone while it is shown */
    d.seed += 7;
    draw(&d);
    g_assert_cmpint(xen_front_dbuf_destroy(display, COOKIE_A), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_in_use(d.pgdir), ==, 0);
    memset(d.pgdir->data, 0xaa, d.pgdir->nr_pages * XEN_GUEST_PAGE);
    check_drawing(t, "disp0", 0, &d, width, height, l->x, l->y);
    g_assert_cmpuint(xen_front_pgdir_free(d.pgdir), ==, 0);
}

static void test_formats(const void *testbed)
{
    XenPvTest t;
    int i, j;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    for (i = 0; i < ARRAY_SIZE(formats); i++) {
        for (j = 0; j < ARRAY_SIZE(layouts); j++) {
            check_layout(&t, &formats[i], &layouts[j],
                         i * ARRAY_SIZE(layouts) + j);
        }
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* The monitor */

static QDict *get_status(XenPvTest *t)
{
    QDict *status = qobject_to(QDict, xen_pv_test_get(t, "disp0", "status"));

    g_assert_nonnull(status);
    return status;
}

/* Of a list in a dictionary; borrowed */
static QDict *get_item(const QDict *dict, const char *list, uint32_t index)
{
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(dict, list), entry) {
        if (index-- == 0) {
            return qobject_to(QDict, qlist_entry_obj(entry));
        }
    }
    g_assert_not_reached();
}

static int64_t get_connector_number(XenPvTest *t, uint32_t index,
                                    const char *name)
{
    QDict *status = get_status(t);
    int64_t number = qdict_get_int(get_item(status, "connectors", index),
                                   name);

    qobject_unref(status);
    return number;
}

/* Buffers and flips */

static XenFrontBuffer *new_buffer(XenFrontDisplay *display, uint32_t width,
                                  uint32_t height, uint64_t cookie)
{
    XenFrontBuffer *buffer = xen_front_buffer_new(display->card.guest, width,
                                                  height, cookie);

    g_assert_nonnull(buffer);
    g_assert_cmpint(xen_front_buffer_attach(display, buffer), ==, 0);
    return buffer;
}

static void end_buffer(XenFrontDisplay *display, XenFrontBuffer *buffer)
{
    g_assert_cmpint(xen_front_buffer_detach(display, buffer), ==, 0);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
}

static void show(XenFrontConnector *c, XenFrontBuffer *buffer)
{
    g_assert_cmpint(xen_front_set_config(c, buffer->fb, 0, 0, buffer->width,
                                         buffer->height, 32), ==, 0);
}

/* A flip, and its event at the next tick, which is there at once */
static void flip(XenPvTest *t, XenFrontConnector *c, uint64_t fb)
{
    uint64_t events = c->events;

    g_assert_cmpint(xen_front_flip(c, fb), ==, 0);
    qtest_clock_step(t->qts, PERIOD_NS);
    xen_front_take_events(c);
    g_assert_cmpuint(c->events, ==, events + 1);
    g_assert_cmpuint(c->bad_events, ==, 0);
    g_assert_cmphex(c->last_event_cookie, ==, fb);
}

static void new_drawing(XenPvTest *t, Drawing *d, const Format *format,
                        uint64_t fb, uint32_t seed)
{
    memset(d, 0, sizeof(*d));
    d->format = format;
    d->width = 64;
    d->height = 45;
    d->stride = d->width * format->bpp / 8;
    d->seed = seed;
    d->pgdir = xen_front_pgdir_new(t->guest, d->stride * d->height);
    draw(d);
    g_assert_cmpint(xen_front_dbuf_create(t->display, fb, d->width, d->height,
                                          format->bpp, d->stride * d->height,
                                          0, xen_front_pgdir_ref(d->pgdir),
                                          0), ==, 0);
    g_assert_cmpint(xen_front_fb_attach(t->display, fb, fb, d->width,
                                        d->height, fourcc(format)), ==, 0);
}

/* The names of buffers and framebuffers do not get into each other's way */
static void end_drawing(XenPvTest *t, Drawing *d, uint64_t fb)
{
    g_assert_cmpint(xen_front_fb_detach(t->display, fb), ==, 0);
    g_assert_cmpint(xen_front_dbuf_destroy(t->display, fb), ==, 0);
    g_assert_cmpuint(xen_front_pgdir_free(d->pgdir), ==, 0);
}

/* What is converted costs only those who look */
static void check_conversions(const char *testbed, const char *first,
                              const char *second)
{
    XenFrontConnector *c;
    int64_t before;
    Drawing d[2];
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    new_drawing(&t, &d[0], get_format(first), 1, 1);
    new_drawing(&t, &d[1], get_format(second), 2, 2);
    g_assert_cmpint(xen_front_set_config(c, 1, 0, 0, 64, 45, 32), ==, 0);

    before = get_connector_number(&t, 0, "conversions");
    for (i = 1; i <= 100; i++) {
        flip(&t, c, i % 2 + 1);
    }
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==, before);
    for (i = 1; i <= 4; i++) {
        flip(&t, c, i % 2 + 1);
        check_drawing(&t, "disp0", 0, &d[i % 2], 64, 45, 0, 0);
    }
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==,
                    before + 4);
    d[0].seed = 9;
    draw(&d[0]);
    check_drawing(&t, "disp0", 0, &d[0], 64, 45, 0, 0);
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==,
                    before + 5);

    /* The picture stays, and needs no more work, until it is flipped away */
    end_drawing(&t, &d[0], 1);
    before = get_connector_number(&t, 0, "conversions");
    check_drawing(&t, "disp0", 0, &d[0], 64, 45, 0, 0);
    g_assert_cmpint(get_connector_number(&t, 0, "conversions"), ==, before);
    flip(&t, c, 2);
    check_drawing(&t, "disp0", 0, &d[1], 64, 45, 0, 0);
    end_drawing(&t, &d[1], 2);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void test_conversions(const void *testbed)
{
    check_conversions(testbed, "YUYV", "YUYV");
    check_conversions(testbed, "XR30", "AR12");
}

/* From one that is shown as it is to one that is not, and back */
static void test_mixed_formats(const void *testbed)
{
    static const char *const names[] = { "XR24", "YUYV", "RG16", "XR30" };
    Drawing d[ARRAY_SIZE(names)];
    XenFrontConnector *c;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        new_drawing(&t, &d[i], get_format(names[i]), i + 1, i);
    }
    g_assert_cmpint(xen_front_set_config(c, 1, 0, 0, 64, 45, 32), ==, 0);
    for (i = 0; i < 32; i++) {
        int next = (i * 5 + i / 4) % ARRAY_SIZE(names);

        flip(&t, c, next + 1);
        check_drawing(&t, "disp0", 0, &d[next], 64, 45, 0, 0);
    }
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        end_drawing(&t, &d[i], i + 1);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* What the monitor says */

static bool is_state(void *opaque)
{
    XenPvTest *t = opaque;
    QDict *status = get_status(t);
    bool ok = qdict_get_int(status, "backend-state") ==
              xen_guest_read_int(t->guest, t->display->card.backend_state,
                                 -1) &&
              qdict_get_int(status, "frontend-state") ==
              xen_guest_read_int(t->guest, t->display->card.frontend_state, -1);

    qobject_unref(status);
    return ok;
}

static void check_cookie(const QDict *dict, const char *key, uint64_t cookie)
{
    g_autofree char *text = g_strdup_printf("0x%" PRIx64, cookie);

    g_assert_cmpstr(qdict_get_str(dict, key), ==, text);
}

/* The buffer, or framebuffer, of that name is in a list, with those figures */
static void check_listed(const QDict *status, const char *list,
                         const char *key, uint64_t cookie,
                         const XenFrontBuffer *buffer)
{
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(status, list), entry) {
        QDict *dict = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_ascii_strtoull(qdict_get_str(dict, key), NULL, 16) == cookie) {
            g_assert_cmpint(qdict_get_int(dict, "width"), ==, buffer->width);
            g_assert_cmpint(qdict_get_int(dict, "height"), ==,
                            buffer->height);
            g_assert_cmpint(qdict_get_int(dict, "stride"), ==,
                            buffer->stride);
            check_cookie(dict, "buffer", buffer->dbuf);
            if (g_str_equal(key, "buffer")) {
                g_assert_cmpint(qdict_get_int(dict, "directory"), ==,
                                xen_front_pgdir_ref(buffer->pgdir));
            }
            return;
        }
    }
    g_assert_not_reached();
}

static size_t list_size(const QDict *status, const char *list)
{
    return qlist_size(qdict_get_qlist(status, list));
}

static void check_idle_status(XenPvTest *t)
{
    QDict *status = get_status(t);
    uint32_t i;

    g_assert_cmpstr(qdict_get_str(status, "path"), ==,
                    t->display->card.backend_path);
    g_assert_false(qdict_get_bool(status, "connected"));
    g_assert_cmpuint(list_size(status, "connectors"), ==, 2);
    g_assert_cmpuint(list_size(status, "buffers"), ==, 0);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 0);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==, 0);
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(status, "cache"),
                                  "mapped-pages"), ==, 0);
    for (i = 0; i < 2; i++) {
        QDict *c = get_item(status, "connectors", i);

        g_assert_cmpstr(qdict_get_str(c, "id"), ==, i ? "RIGHT" : "LEFT");
        g_assert_cmpint(qdict_get_int(c, "width"), ==, i ? 300 : 800);
        g_assert_cmpint(qdict_get_int(c, "height"), ==, i ? 201 : 600);
        g_assert_cmpint(qdict_get_int(c, "refresh-rate"), ==, 60);
        g_assert_false(qdict_get_bool(c, "connected"));
        g_assert_false(qdict_get_bool(c, "broken"));
        g_assert_false(qdict_get_bool(c, "enabled"));
        g_assert_false(qdict_haskey(c, "buffer"));
        g_assert_cmpint(qdict_get_int(c, "flips-pending"), ==, 0);
    }
    qobject_unref(status);
}

static void check_status(XenPvTest *t, XenFrontBuffer *a, XenFrontBuffer *b)
{
    QDict *status = get_status(t);
    QDict *cache = qdict_get_qdict(status, "cache");
    QDict *left = get_item(status, "connectors", 0);
    QDict *right = get_item(status, "connectors", 1);
    XenGuestStats stats;

    g_assert_true(qdict_get_bool(status, "connected"));
    g_assert_false(qdict_haskey(status, "last-error"));
    g_assert_cmpuint(list_size(status, "buffers"), ==, 2);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 2);
    check_listed(status, "buffers", "buffer", a->dbuf, a);
    check_listed(status, "buffers", "buffer", b->dbuf, b);
    check_listed(status, "framebuffers", "framebuffer", a->fb, a);
    check_listed(status, "framebuffers", "framebuffer", b->fb, b);
    g_assert_cmpstr(qdict_get_str(get_item(status, "framebuffers", 0),
                                  "format"), ==, "XR24");
    g_assert_cmpint(qdict_get_int(get_item(status, "buffers", 0), "size") +
                    qdict_get_int(get_item(status, "buffers", 1), "size"),
                    ==, a->pgdir->size + b->pgdir->size);

    /* Two creations, two attachments, two configurations, seven flips */
    g_assert_cmpint(qdict_get_int(status, "requests"), ==, 13);
    g_assert_cmpint(qdict_get_int(status, "refused"), ==, 0);
    g_assert_cmpint(qdict_get_int(status, "flips"), ==, 7);
    g_assert_cmpint(qdict_get_int(status, "events"), ==, 6);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==,
                    a->pgdir->nr_pages + b->pgdir->nr_pages);

    g_assert_true(qdict_get_bool(left, "connected"));
    g_assert_true(qdict_get_bool(left, "enabled"));
    g_assert_false(qdict_get_bool(left, "converted"));
    check_cookie(left, "buffer", a->dbuf);
    g_assert_cmpint(qdict_get_int(left, "events"), ==, 6);
    g_assert_cmpint(qdict_get_int(left, "flips-pending"), ==, 0);
    check_cookie(right, "buffer", b->dbuf);
    g_assert_cmpint(qdict_get_int(right, "x"), ==, 3);
    g_assert_cmpint(qdict_get_int(right, "y"), ==, 2);
    g_assert_cmpint(qdict_get_int(right, "flips-pending"), ==, 1);

    /* Rings and event pages are not the cache's */
    g_assert_cmpint(xen_guest_stats(t->guest, &stats), ==, 0);
    g_assert_cmpint(qdict_get_int(cache, "mapped-pages"), ==,
                    stats.mapped - 4);
    g_assert_cmpint(qdict_get_int(cache, "buffers"), ==, 2);
    /* Page by page it is pages that are looked for, and not pictures */
    if (!t->single_map) {
        g_assert_cmpint(qdict_get_int(cache, "misses"), ==, 2);
        g_assert_cmpint(qdict_get_int(cache, "hits"), ==, 7);
    }
    g_assert_cmpint(qdict_get_int(cache, "evictions"), ==, 0);
    g_assert_cmpint(qdict_get_int(cache, "failures"), ==, 0);
    qobject_unref(status);
}

/* Each line is "NAME: ..." or "NAME NUMBER: ...", and HMP prints them all */
static void check_summary(XenPvTest *t)
{
    g_autofree char *hmp =
        qtest_hmp(t->qts, "qom-get /machine/peripheral/disp0 summary");
    QObject *summary = xen_pv_test_get(t, "disp0", "summary");
    static const char *const starts[] = {
        "backend-state: 4", "buffers 0: ", "buffers 1: ", "cache: ",
        "connected: true", "connectors 0: ", "connectors 1: ",
        "framebuffers 0: ", "framebuffers 1: ", "last-error: connector 0: "
    };
    const QListEntry *entry;
    uint32_t found = 0;
    int i;

    QLIST_FOREACH_ENTRY(qobject_to(QList, summary), entry) {
        const char *line =
            qstring_get_str(qobject_to(QString, qlist_entry_obj(entry)));

        for (i = 0; i < ARRAY_SIZE(starts); i++) {
            if (g_str_has_prefix(line, starts[i])) {
                found |= 1u << i;
            }
        }
        g_assert_null(strchr(line, '\n'));
        g_assert_nonnull(strstr(hmp, line));
    }
    g_assert_cmphex(found, ==, (1u << ARRAY_SIZE(starts)) - 1);
    g_assert_nonnull(strstr(hmp, "id LEFT"));
    g_assert_nonnull(strstr(hmp, "format XR24"));
    qobject_unref(summary);
}

static void test_monitor(const void *testbed)
{
    XenFrontConnector *left, *right;
    XenFrontBuffer *a, *b;
    const char *error;
    QDict *status;
    XenPvTest t;
    int i;

    /* Without "its requests ... have to wait" on a machine that is slow */
    xen_pv_test_start(&t, testbed, "-device xen-pvdisplay,id=disp0,"
                      "max-load=100,"
                      "connectors='LEFT:800x600;RIGHT:300x201' ");
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));
    check_idle_status(&t);
    xen_pv_test_connect(t.display);
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));

    left = &t.display->connectors[0];
    right = &t.display->connectors[1];
    a = new_buffer(t.display, 800, 600, COOKIE_A);
    b = new_buffer(t.display, 310, 210, COOKIE_B);
    show(left, a);
    g_assert_cmpint(xen_front_set_config(right, b->fb, 3, 2, 310, 210, 32),
                    ==, 0);
    for (i = 0; i < 6; i++) {
        flip(&t, left, a->fb);
    }
    g_assert_cmpint(xen_front_flip(right, b->fb), ==, 0);
    check_status(&t, a, b);

    g_assert_cmpint(xen_front_flip(left, 77), ==, -ENOENT);
    status = get_status(&t);
    g_assert_cmpint(qdict_get_int(status, "refused"), ==, 1);
    error = qdict_get_str(status, "last-error");
    g_assert_nonnull(strstr(error, "connector 0: PG_FLIP refused: "
                            "unknown framebuffer"));
    qobject_unref(status);
    check_summary(&t);

    /* The pages of a buffer that is gone are not mapped, nor listed */
    end_buffer(t.display, b);
    status = get_status(&t);
    g_assert_cmpuint(list_size(status, "buffers"), ==, 1);
    g_assert_cmpuint(list_size(status, "framebuffers"), ==, 1);
    g_assert_cmpint(qdict_get_int(status, "buffer-pages"), ==,
                    a->pgdir->nr_pages);
    g_assert_false(qdict_haskey(get_item(status, "connectors", 1), "buffer"));
    qobject_unref(status);

    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
    g_assert_true(xen_guest_wait(t.guest, is_state, &t, XEN_GUEST_DEADLINE));
    check_idle_status(&t);
    xen_pv_test_end(&t);
}

/* Many screens */

#define SCREENS         XEN_FRONT_MAX_CONNECTORS

/* No two of them of one size */
static uint32_t screen_width(uint32_t index)
{
    return 64 + 3 * index;
}

static uint32_t screen_height(uint32_t index)
{
    return 96 - 2 * index;
}

static void append_screens(GString *args, const char *id, uint32_t first)
{
    uint32_t i;

    g_string_append_printf(args, "-device xen-pvdisplay,id=%s,connectors='",
                           id);
    for (i = 0; i < SCREENS; i++) {
        g_string_append_printf(args, "%sS%u:%ux%u", i ? ";" : "", first + i,
                               screen_width(first + i),
                               screen_height(first + i));
    }
    g_string_append(args, "' ");
}

static void check_console(XenPvTest *t, const char *id, int head)
{
    g_autofree char *device = g_strdup_printf("/machine/peripheral/%s", id);
    int i;

    for (i = 0; i < 2 * SCREENS; i++) {
        g_autofree char *path = g_strdup_printf("/backend/console[%d]", i);
        QDict *link = qtest_qmp(t->qts, "{ 'execute': 'qom-get', 'arguments':"
                                " { 'path': %s, 'property': 'device' } }",
                                path);
        QDict *number = qtest_qmp(t->qts, "{ 'execute': 'qom-get', "
                                  "'arguments': { 'path': %s, "
                                  "'property': 'head' } }", path);
        bool found = g_str_equal(qdict_get_str(link, "return"), device) &&
                     qdict_get_int(number, "return") == head;

        qobject_unref(link);
        qobject_unref(number);
        if (found) {
            return;
        }
    }
    g_assert_not_reached();
}

static void test_screens(const void *testbed)
{
    g_autoptr(GString) args = g_string_new("");
    static const char *const ids[] = { "disp0", "disp1" };
    XenFrontDisplay *displays[ARRAY_SIZE(ids)];
    XenFrontBuffer *buffers[2 * SCREENS];
    uint32_t i;
    XenPvTest t;

    append_screens(args, ids[0], 0);
    append_screens(args, ids[1], SCREENS);
    xen_pv_test_start(&t, testbed, args->str);
    displays[0] = t.display;
    displays[1] = xen_front_display_new(t.guest, 1);
    for (i = 0; i < ARRAY_SIZE(ids); i++) {
        xen_pv_test_connect(displays[i]);
        g_assert_cmpuint(displays[i]->nr_connectors, ==, SCREENS);
    }

    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontDisplay *display = displays[i / SCREENS];

        /* Cards know nothing of each other's names */
        buffers[i] = new_buffer(display, screen_width(i), screen_height(i),
                                0x1000 + i % SCREENS);
        xen_front_buffer_draw(buffers[i], i);
        show(&display->connectors[i % SCREENS], buffers[i]);
    }
    for (i = 0; i < 2 * SCREENS; i++) {
        check_console(&t, ids[i / SCREENS], i % SCREENS);
        xen_pv_check_screen(&t, ids[i / SCREENS], i % SCREENS,
                            screen_width(i), screen_height(i), i);
    }

    /* All flip at once, to their neighbour's picture */
    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontConnector *c = &displays[i / SCREENS]->connectors[i % SCREENS];

        xen_front_buffer_draw(buffers[i], 100 + i);
        g_assert_cmpint(xen_front_flip(c, buffers[i ^ 1]->fb), ==, 0);
    }
    qtest_clock_step(t.qts, PERIOD_NS);
    for (i = 0; i < 2 * SCREENS; i++) {
        XenFrontConnector *c = &displays[i / SCREENS]->connectors[i % SCREENS];

        xen_front_take_events(c);
        g_assert_cmpuint(c->events, ==, 1);
        g_assert_cmphex(c->last_event_cookie, ==, buffers[i ^ 1]->fb);
        xen_pv_check_screen(&t, ids[i / SCREENS], i % SCREENS,
                            MIN(screen_width(i), screen_width(i ^ 1)),
                            MIN(screen_height(i), screen_height(i ^ 1)),
                            100 + (i ^ 1));
    }

    /* There is no 17th */
    qobject_unref(qtest_qmp_assert_failure_ref(t.qts,
        "{ 'execute': 'screendump', 'arguments': { 'filename': '/dev/null', "
        "'device': 'disp1', 'head': %d } }", SCREENS));

    for (i = 0; i < 2 * SCREENS; i++) {
        end_buffer(displays[i / SCREENS], buffers[i]);
    }
    g_assert_cmpint(xen_front_display_unload(displays[1]), ==, 0);
    xen_pv_test_unload(&t);
    g_assert_cmpuint(xen_front_display_free(displays[1]), ==, 0);
    xen_pv_test_end(&t);
}

/* Events */

static uint64_t nth_flip(uint32_t n)
{
    return 1 + n * 7 % 5;
}

/* Who takes no event for ten seconds gets them all, and each once */
static void test_patience(const void *testbed)
{
    XenFrontConnector *c;
    uint32_t flips = 0, taken = 0, ticks;
    XenPvTest t;
    Drawing d[5];
    int status, i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < ARRAY_SIZE(d); i++) {
        new_drawing(&t, &d[i], get_format("XR24"), i + 1, i);
    }
    g_assert_cmpint(xen_front_set_config(c, 1, 0, 0, 64, 45, 32), ==, 0);

    /* Flip as long as there is room for the events, here or there */
    while ((status = xen_front_flip(c, nth_flip(flips))) == 0) {
        flips++;
        qtest_clock_step(t.qts, PERIOD_NS);
        g_assert_cmpuint(flips, <=, 1000);
    }
    g_assert_cmpint(status, ==, -EBUSY);
    g_assert_cmpuint(flips, >, XENDISPL_IN_RING_LEN);

    for (ticks = 0; ticks < 600; ticks++) {
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    g_assert_cmpuint(get_connector_number(&t, 0, "flips-pending"), ==,
                     flips - XENDISPL_IN_RING_LEN);
    g_assert_cmpuint(get_connector_number(&t, 0, "events"), ==,
                     XENDISPL_IN_RING_LEN);

    /* All of the page, in order; take_events() looks at the ids */
    while (taken < flips) {
        struct xendispl_event_page *page = xen_guest_page(t.guest,
                                                          c->evt.page);
        uint32_t prod = page->in_prod;

        g_assert_cmpuint(prod - page->in_cons, <=, XENDISPL_IN_RING_LEN);
        for (; taken < prod; taken++) {
            g_assert_cmpuint(XENDISPL_IN_RING_REF(page, taken).id, ==, taken);
            g_assert_cmpuint(
                XENDISPL_IN_RING_REF(page, taken).op.pg_flip.fb_cookie, ==,
                nth_flip(taken));
        }
        xen_front_take_events(c);
        g_assert_cmpuint(c->events, ==, taken);
        g_assert_cmpuint(c->bad_events, ==, 0);

        /* None comes sooner than a screen could show it */
        qtest_clock_step(t.qts, PERIOD_NS);
        g_assert_cmpuint(page->in_prod - prod, ==, taken < flips ? 1 : 0);
    }

    /* And no more than that, ever */
    for (ticks = 0; ticks < 60; ticks++) {
        qtest_clock_step(t.qts, PERIOD_NS);
    }
    xen_front_take_events(c);
    g_assert_cmpuint(c->events, ==, flips);
    flip(&t, c, 3);

    for (i = 0; i < ARRAY_SIZE(d); i++) {
        end_drawing(&t, &d[i], i + 1);
    }
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Viewers */

#define LEFT_WIDTH      800
#define LEFT_HEIGHT     600
#define RIGHT_WIDTH     300
#define RIGHT_HEIGHT    201
#define VNC_CARD        "-device xen-pvdisplay,id=disp0," \
                        "connectors='LEFT:800x600;RIGHT:300x201' " \
                        "-vnc unix:DIR/left,display=disp0,head=0 " \
                        "-vnc unix:DIR/right,display=disp0,head=1 "

static RfbViewer *new_viewer(XenPvTest *t, const char *name)
{
    g_autofree char *path = g_build_filename(t->dir, name, NULL);
    RfbViewer *viewer = rfb_viewer_new(path);

    rfb_viewer_request(viewer, false);
    return viewer;
}

/* What a viewer is to see: a picture of xen_front_buffer_draw() */
typedef struct Wanted {
    uint32_t width;
    uint32_t height;
    uint32_t seed;
} Wanted;

static bool sees_picture(RfbViewer *v, void *opaque)
{
    Wanted *want = opaque;
    XenPvPicture picture = { v->width, v->height, v->pixels };

    return xen_pv_picture_is(&picture, want->width, want->height, want->seed);
}

static void check_viewer(RfbViewer *v, uint32_t width, uint32_t height,
                         uint32_t seed)
{
    Wanted want = { width, height, seed };

    g_assert_true(rfb_viewer_wait(v, sees_picture, &want,
                                  XEN_GUEST_DEADLINE));
}

static bool sees_size(RfbViewer *v, void *opaque)
{
    Wanted *want = opaque;

    return v->width == want->width && v->height == want->height &&
           v->updates > 0;
}

static void check_size(RfbViewer *v, uint32_t width, uint32_t height)
{
    Wanted want = { width, height };

    g_assert_true(rfb_viewer_wait(v, sees_size, &want, XEN_GUEST_DEADLINE));
}

/* Any picture but that one */
static bool sees_other(RfbViewer *v, void *opaque)
{
    return !sees_picture(v, opaque);
}

static void test_vnc(const void *testbed)
{
    XenFrontConnector *left, *right;
    XenFrontBuffer *a, *b, *c;
    RfbViewer *l, *r, *late;
    XenPvTest t;
    uint32_t i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    l = new_viewer(&t, "left");
    r = new_viewer(&t, "right");
    check_size(l, LEFT_WIDTH, LEFT_HEIGHT);
    check_size(r, RIGHT_WIDTH, RIGHT_HEIGHT);

    xen_pv_test_connect(t.display);
    left = &t.display->connectors[0];
    right = &t.display->connectors[1];
    a = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, COOKIE_A);
    b = new_buffer(t.display, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B);
    c = new_buffer(t.display, RIGHT_WIDTH, RIGHT_HEIGHT, COOKIE_B + 8);
    xen_front_buffer_draw(a, 1);
    xen_front_buffer_draw(b, 2);
    xen_front_buffer_draw(c, 3);

    /* Each its own */
    show(left, a);
    show(right, b);
    check_viewer(l, LEFT_WIDTH, LEFT_HEIGHT, 1);
    check_viewer(r, RIGHT_WIDTH, RIGHT_HEIGHT, 2);

    /* Drawn without a word: one pixel, and all of them */
    for (i = 4; i < 8; i++) {
        xen_front_buffer_draw(a, i);
        check_viewer(l, LEFT_WIDTH, LEFT_HEIGHT, i);
    }
    xen_front_buffer_draw(b, 8);
    ((uint32_t *)b->pgdir->data)[RIGHT_WIDTH * 100 + 77] ^= 0x010101;
    rfb_viewer_wait(r, sees_other, &(Wanted) { RIGHT_WIDTH, RIGHT_HEIGHT, 2 },
                    XEN_GUEST_DEADLINE);
    ((uint32_t *)b->pgdir->data)[RIGHT_WIDTH * 100 + 77] ^= 0x010101;
    check_viewer(r, RIGHT_WIDTH, RIGHT_HEIGHT, 8);

    for (i = 0; i < 8; i++) {
        flip(&t, right, i & 1 ? b->fb : c->fb);
        check_viewer(r, RIGHT_WIDTH, RIGHT_HEIGHT, i & 1 ? 8 : 3);
    }

    /* Who comes later sees what is there, also when its buffer is gone */
    late = new_viewer(&t, "left");
    check_viewer(late, LEFT_WIDTH, LEFT_HEIGHT, 7);
    rfb_viewer_free(late);
    end_buffer(t.display, a);
    late = new_viewer(&t, "left");
    check_viewer(late, LEFT_WIDTH, LEFT_HEIGHT, 7);
    rfb_viewer_free(late);

    end_buffer(t.display, b);
    end_buffer(t.display, c);
    xen_pv_test_unload(&t);
    rfb_viewer_free(l);
    rfb_viewer_free(r);
    xen_pv_test_end(&t);
}

/* The same of a picture that is converted, within its format's precision */
static bool sees_drawing(RfbViewer *v, void *opaque)
{
    const Drawing *d = opaque;
    int tolerance = is_yuyv(d->format) ? 1 : 0;
    uint32_t x, y;

    if (v->width != d->width || v->height != d->height) {
        return false;
    }
    for (y = 0; y < v->height; y++) {
        for (x = 0; x < v->width; x++) {
            if (!is_near(v->pixels[y * v->width + x], expected(d, x, y),
                         tolerance)) {
                return false;
            }
        }
    }
    return true;
}

static void test_vnc_formats(const void *testbed)
{
    static const char *const names[] = { "YUYV", "XR30", "RG16", "RG24" };
    XenFrontConnector *c;
    RfbViewer *v;
    XenPvTest t;
    Drawing d;
    int i;

    xen_pv_test_start(&t, testbed, FORMAT_CARD
                      "-vnc unix:DIR/vnc,display=disp0 ");
    v = new_viewer(&t, "vnc");
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        new_drawing(&t, &d, get_format(names[i]), i + 1, i);
        g_assert_cmpint(xen_front_set_config(c, i + 1, 0, 0, 64, 45, 32), ==,
                        0);
        g_assert_true(rfb_viewer_wait(v, sees_drawing, &d,
                                      XEN_GUEST_DEADLINE));
        d.seed = 100 + i;
        draw(&d);
        g_assert_true(rfb_viewer_wait(v, sees_drawing, &d,
                                      XEN_GUEST_DEADLINE));
        end_drawing(&t, &d, i + 1);
    }
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/* A viewer that takes nothing must not hold back the guest, or the others */
static void test_vnc_blocked(const void *testbed)
{
    XenFrontBuffer *buffers[2];
    RfbViewer *stuck, *v;
    XenFrontConnector *c;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], i);
    }
    show(c, buffers[0]);
    stuck = new_viewer(&t, "left");
    v = new_viewer(&t, "left");
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 0);

    for (i = 1; i <= 300; i++) {
        if (i % 30 == 0) {
            xen_front_buffer_draw(buffers[i & 1], i);
            rfb_viewer_request(stuck, false);
        }
        flip(&t, c, buffers[i & 1]->fb);
        if (i % 30 == 0) {
            check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, i);
        }
    }
    /* Nor may its going */
    rfb_viewer_free(stuck);
    flip(&t, c, buffers[1]->fb);
    xen_front_buffer_draw(buffers[1], 1000);
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 1000);

    end_buffer(t.display, buffers[0]);
    end_buffer(t.display, buffers[1]);
    xen_pv_test_unload(&t);
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

static bool nothing_in_use(void *opaque)
{
    return xen_guest_count_in_use(opaque) == 0;
}

/* Ask for all of the picture, and take only some of it */
static RfbViewer *take_some(XenPvTest *t, size_t bytes)
{
    RfbViewer *v = new_viewer(t, "left");
    uint8_t data[4096];

    while (bytes) {
        ssize_t n = recv(v->fd, data, MIN(bytes, sizeof(data)), 0);

        g_assert_cmpint(n, >, 0);
        bytes -= n;
    }
    return v;
}

/*
 * Viewers go in mid-update, which is more than a socket holds.  So does the
 * buffer that is shown meanwhile, and in the end the guest.
 */
static void test_vnc_mid_update(const void *testbed)
{
    static const size_t cuts[] = { 1, 4, 16, 4096, 1000000 };
    XenFrontBuffer *buffer;
    XenFrontConnector *c;
    RfbViewer *v, *other;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    for (i = 0; i < ARRAY_SIZE(cuts); i++) {
        xen_pv_test_connect(t.display);
        c = &t.display->connectors[0];
        buffer = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, 1);
        xen_front_buffer_draw(buffer, i);
        show(c, buffer);

        rfb_viewer_free(take_some(&t, cuts[i]));
        flip(&t, c, buffer->fb);
        v = take_some(&t, cuts[i]);
        end_buffer(t.display, buffer);
        rfb_viewer_free(v);

        buffer = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, 1);
        xen_front_buffer_draw(buffer, 100 + i);
        show(c, buffer);
        v = take_some(&t, cuts[i]);
        other = new_viewer(&t, "left");
        check_viewer(other, LEFT_WIDTH, LEFT_HEIGHT, 100 + i);
        rfb_viewer_free(other);
        end_buffer(t.display, buffer);
        xen_pv_test_unload(&t);
        rfb_viewer_free(v);
        g_assert_cmpint(xen_front_set_state(&t.display->card,
                                            XenbusStateInitialising),
                        ==, 0);
    }

    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    buffer = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, 1);
    show(c, buffer);
    v = take_some(&t, 4096);
    g_assert_cmpint(xen_guest_call(t.guest, NULL, "vanish"), ==, 0);
    qtest_clock_step(t.qts, PERIOD_NS);
    g_assert_true(xen_guest_wait(t.guest, nothing_in_use, t.guest,
                                 XEN_GUEST_DEADLINE));
    rfb_viewer_free(v);
    g_assert_cmpuint(xen_front_buffer_free(buffer), ==, 0);
    qtest_qmp_assert_success(t.qts, "{ 'execute': 'query-status' }");
    xen_pv_test_end(&t);
}

#define WIDE_WIDTH      2560
#define WIDE_HEIGHT     1600

/*
 * Two pictures that are the same are shown in turn while QEMU compresses an
 * update for one viewer, and that of another waits behind it.  It has to come:
 * nothing else would ever bring what it has.
 */
static void test_vnc_slow_update(const void *testbed)
{
    XenFrontBuffer *buffers[2];
    XenFrontConnector *c;
    RfbViewer *slow, *v;
    XenPvTest t;
    int i, n;

    xen_pv_test_start(&t, testbed,
                      "-device xen-pvdisplay,id=disp0,connectors=2560x1600 "
                      "-vnc unix:DIR/vnc,display=disp0 ");
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(t.display, WIDE_WIDTH, WIDE_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], 0);
    }
    show(c, buffers[0]);

    for (i = 1; i <= 5; i++) {
        int64_t deadline = g_get_monotonic_time() + XEN_GUEST_DEADLINE * 1000;

        slow = new_viewer(&t, "vnc");
        check_viewer(slow, WIDE_WIDTH, WIDE_HEIGHT, i - 1);
        rfb_viewer_compress(slow);
        v = new_viewer(&t, "vnc");
        check_viewer(v, WIDE_WIDTH, WIDE_HEIGHT, i - 1);

        xen_front_buffer_draw(buffers[0], i);
        xen_front_buffer_draw(buffers[1], i);
        for (n = 1; !rfb_viewer_has_message(slow); n++) {
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
            flip(&t, c, buffers[n & 1]->fb);
        }
        check_viewer(v, WIDE_WIDTH, WIDE_HEIGHT, i);
        rfb_viewer_free(slow);
        rfb_viewer_free(v);
    }

    end_buffer(t.display, buffers[0]);
    end_buffer(t.display, buffers[1]);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

/* Viewers come and go, at any moment of their lives, while a guest flips */
static void test_vnc_crowd(const void *testbed)
{
    g_autofree char *path = NULL;
    XenFrontBuffer *buffers[2];
    XenFrontConnector *c;
    RfbViewer *v;
    XenPvTest t;
    int i, fd;

    xen_pv_test_start(&t, testbed, VNC_CARD);
    path = g_build_filename(t.dir, "left", NULL);
    xen_pv_test_connect(t.display);
    c = &t.display->connectors[0];
    for (i = 0; i < 2; i++) {
        buffers[i] = new_buffer(t.display, LEFT_WIDTH, LEFT_HEIGHT, 1 + i);
        xen_front_buffer_draw(buffers[i], i);
    }
    show(c, buffers[0]);

    for (i = 0; i < 60; i++) {
        if (i % 3 == 0) {
            fd = rfb_viewer_socket(path);
            g_assert_cmpint(fd, >=, 0);
            flip(&t, c, buffers[i & 1]->fb);
            close(fd);
            continue;
        }
        v = new_viewer(&t, "left");
        flip(&t, c, buffers[i & 1]->fb);
        if (i % 3 == 1) {
            check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, i & 1);
        }
        flip(&t, c, buffers[i & 1]->fb);
        rfb_viewer_free(v);
    }
    flip(&t, c, buffers[0]->fb);
    v = new_viewer(&t, "left");
    check_viewer(v, LEFT_WIDTH, LEFT_HEIGHT, 0);
    rfb_viewer_free(v);

    end_buffer(t.display, buffers[0]);
    end_buffer(t.display, buffers[1]);
    xen_pv_test_unload(&t);
    xen_pv_test_end(&t);
}

static void press_ctrl_alt(RfbViewer *v, uint32_t keysym)
{
    static const uint32_t modifiers[] = { 0xffe3, 0xffe9 };
    int i;

    for (i = 0; i < ARRAY_SIZE(modifiers); i++) {
        rfb_viewer_key(v, modifiers[i], true);
    }
    rfb_viewer_key(v, keysym, true);
    rfb_viewer_key(v, keysym, false);
    for (i = 0; i < ARRAY_SIZE(modifiers); i++) {
        rfb_viewer_key(v, modifiers[i], false);
    }
}

/* The toolstack's cards come when VNC servers and viewers are there already */
static void test_vnc_late_card(const void *testbed)
{
    static const char *const resolutions[] = { "320x200", "300x201", NULL };
    XenFrontBuffer *a, *b;
    RfbViewer *v;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed, "-vnc unix:DIR/vnc ");
    v = new_viewer(&t, "vnc");
    check_size(v, 640, 480);
    for (i = 0; i < 3; i++) {
        xen_pv_test_attach(t.display, "0", resolutions);
        check_size(v, 320, 200);
        xen_pv_test_connect(t.display);
        a = new_buffer(t.display, 320, 200, COOKIE_A);
        b = new_buffer(t.display, 300, 201, COOKIE_B);
        xen_front_buffer_draw(a, 2 * i);
        xen_front_buffer_draw(b, 2 * i + 1);
        show(&t.display->connectors[0], a);
        show(&t.display->connectors[1], b);
        check_viewer(v, 320, 200, 2 * i);
        qobject_unref(xen_pv_test_get(&t, "vdispl-0", "status"));

        /* Its further screens are where QEMU's further consoles are */
        press_ctrl_alt(v, '2');
        check_viewer(v, 300, 201, 2 * i + 1);
        press_ctrl_alt(v, '1');
        check_viewer(v, 320, 200, 2 * i);

        xen_pv_test_detach(&t, t.display);
        g_assert_true(rfb_viewer_wait(v, sees_other,
                                      &(Wanted) { 320, 200, 2 * i },
                                      XEN_GUEST_DEADLINE));
        g_assert_cmpuint(xen_front_buffer_free(a), ==, 0);
        g_assert_cmpuint(xen_front_buffer_free(b), ==, 0);
    }
    rfb_viewer_free(v);
    xen_pv_test_end(&t);
}

/*
 * What QEMU's VNC server cuts off is told of once it is known that there is
 * one; screendump is right
 */
static void test_vnc_beyond(const void *testbed)
{
    g_autofree char *path = NULL;
    g_autofree char *log = NULL;
    XenFrontBuffer *b;
    QDict *status;
    char *line;
    XenPvTest t;
    int i;

    xen_pv_test_start(&t, testbed,
                      "-device xen-pvdisplay,id=disp0,"
                      "connectors='5760x64;64x64' "
                      "-vnc unix:DIR/vnc,display=disp0 2>DIR/log");
    for (i = 0; i < 2; i++) {
        xen_pv_test_connect(t.display);
        b = new_buffer(t.display, 5760, 64, 1);
        xen_front_buffer_draw(b, 3);
        show(&t.display->connectors[0], b);
        xen_pv_check_screen(&t, "disp0", 0, 5760, 64, 3);
        end_buffer(t.display, b);
        xen_pv_test_unload(&t);
    }
    status = get_status(&t);
    g_assert_true(qdict_get_bool(get_item(status, "connectors", 0),
                                 "vnc-cuts"));
    g_assert_false(qdict_get_bool(get_item(status, "connectors", 1),
                                  "vnc-cuts"));
    g_assert_false(qdict_haskey(status, "last-error"));
    qobject_unref(status);

    path = g_build_filename(t.dir, "log", NULL);
    g_assert_true(g_file_get_contents(path, &log, NULL, NULL));
    line = strstr(log, "connector 0 of 5760x64 is larger than 5120x2160");
    g_assert_nonnull(line);
    g_assert_null(strstr(strchr(line, '\n'), "is larger than"));
    xen_pv_test_end(&t);
}

static const XenPvCase cases[] = {
    { "formats/all", test_formats },
    { "formats/conversions", test_conversions },
    { "formats/mixed", test_mixed_formats },
    { "monitor", test_monitor },
    { "screens", test_screens },
    { "patience", test_patience },
    { "vnc/pictures", test_vnc },
    { "vnc/formats", test_vnc_formats },
    { "vnc/blocked", test_vnc_blocked },
    { "vnc/mid-update", test_vnc_mid_update },
    { "vnc/slow-update", test_vnc_slow_update },
    { "vnc/beyond", test_vnc_beyond },
    { "vnc/crowd", test_vnc_crowd },
    { "vnc/late-card", test_vnc_late_card },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    xen_pv_test_add("xen-pvdisplay", cases, ARRAY_SIZE(cases), "");
    return g_test_run();
}
