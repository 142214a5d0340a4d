/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend of Xen PV displays (vdispl, xen/io/displif.h).
 *
 * Each connector is a console.  What it shows is a surface borrowed over
 * read-only mappings of the guest's own pages: a flip between known
 * framebuffers maps and copies nothing.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "hw/qdev-properties.h"
#include "hw/xen/xen-displif.h"
#include "hw/xen/xen-pv-backend.h"
#include "hw/xen/xen-pv-share.h"
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/option.h"
#include "qemu/timer.h"
#include "hw/xen/trace.h"
#include "ui/console.h"
#include "hw/xen/xen-pv-compat.h"
#include "hw/xen/xen-pv-status.h"
#include "hw/xen/xen-pv-vkbd.h"
#include "xen-pvdisplay-config.h"
#include "xen-pvdisplay-convert.h"
#include "xen-pvdisplay-edid.h"
#include "xen-pvdisplay-nodes.h"
#include "xen-pvdisplay-outputs.h"
#include "xen-pvdisplay-spare.h"
#include "xen-pvdisplay-status.h"
#include "xen-pvdisplay-surface.h"

#define TYPE_XEN_PVDISPLAY "xen-pvdisplay"
OBJECT_DECLARE_SIMPLE_TYPE(XenPvDisplay, XEN_PVDISPLAY)

/* 1 GiB: the largest screen takes a quarter, and viewers count in int */
#define XEN_PVDISPLAY_MAX_PAGES (1u << 18)

/* Unless max-pages says so: pages of the largest buffer, 256 MiB */
#define XEN_PVDISPLAY_BUFFER_PAGES (1u << 16)

/* Buffers that are not shown cost no mapping: let a guest have some more */
#define XEN_PVDISPLAY_TOTAL_FACTOR 4

/* Of buffers and framebuffers, what a user can ask for */
#define XEN_PVDISPLAY_MAX_OBJECTS 65536

/*
 * @refresh_rate: of the screen, in mHz: the viewer's, where it tells one
 * @tick: the connector's refresh clock, while a flip awaits its event
 * @surface: what its console shows
 */
typedef struct XenPvConnector {
    XenPvDisplay *display;
    uint32_t index;
    XenPvChannel request;
    XenPvChannel event;
    uint32_t refresh_rate;
    QEMUTimer *tick;
    XenPvSurface surface;
} XenPvConnector;

struct XenPvDisplay {
    XenPvBackend backend; /* must be first */

    char *connectors_option;
    GArray *outputs;
    uint32_t xres, yres;
    uint32_t refresh_rate;
    uint32_t max_pages;
    uint32_t max_buffers;
    uint32_t max_framebuffers;
    bool be_alloc;

    bool default_pages;
    GArray *modes;
    XenPgdirMapper *mapper;
    XenDisplif *disp;
    XenPvConnector *connectors;
    bool warned;
    bool exiting;
};

static const char *xen_pvdisplay_id(XenPvDisplay *d)
{
    DeviceState *dev = DEVICE(d);

    return dev->id ? dev->id : d->backend.xendev.name;
}

/* ------------------------------------------------------------- consoles */

static void xen_pvdisplay_gfx_update(void *opaque)
{
    XenPvConnector *c = opaque;

    xen_pv_surface_update(&c->surface);
}

static void xen_pvdisplay_invalidate(void *opaque)
{
    XenPvConnector *c = opaque;

    xen_pv_surface_invalidate(&c->surface);
}

/* What the user wants of a screen, in mHz */
static uint32_t xen_pvdisplay_wanted_rate(XenPvDisplay *d, uint32_t index)
{
    XenPvMode *mode = &g_array_index(d->modes, XenPvMode, index);

    return mode->refresh_rate ?: d->refresh_rate * XEN_PVDISPLAY_MHZ;
}

/* A viewer on a real screen knows its clock; others say 0 */
static void xen_pvdisplay_follow(XenPvConnector *c, const QemuUIInfo *info)
{
    c->refresh_rate = xen_pvdisplay_rate(info->refresh_rate,
        xen_pvdisplay_wanted_rate(c->display, c->index));
}

static void xen_pvdisplay_ui_info(void *opaque, uint32_t head,
                                  QemuUIInfo *info)
{
    xen_pvdisplay_follow(opaque, info);
}

static const GraphicHwOps xen_pvdisplay_gfx_ops = {
    .ui_info = xen_pvdisplay_ui_info,
    .invalidate = xen_pvdisplay_invalidate,
    .gfx_update = xen_pvdisplay_gfx_update,
};

/* --------------------------------------------------------- refresh clock */

/* Events come at the ticks of a clock that never stops, as a monitor's does */
static void xen_pvdisplay_arm_tick(XenPvConnector *c)
{
    int64_t period = xen_pvdisplay_period_ns(c->refresh_rate);
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    timer_mod_ns(c->tick, now - now % period + period);
}

static void xen_pvdisplay_tick(void *opaque)
{
    XenPvConnector *c = opaque;
    XenDisplif *disp = c->display->disp;
    int ret = xen_displif_flip_done(disp, c->index);
    uint32_t pending = xen_displif_flips_pending(disp, c->index);

    trace_xen_pvdisplay_event(xen_pvdisplay_id(c->display), c->index, ret,
                              pending);
    if (pending) {
        xen_pvdisplay_arm_tick(c);
    }
}

/* --------------------------------------------------------------- engine */

static XenPvConnector *xen_pvdisplay_connector(void *opaque, uint32_t index)
{
    XenPvDisplay *d = opaque;

    return &d->connectors[index];
}

static uint32_t xen_pvdisplay_format_cpp(void *opaque, uint32_t format)
{
    return PIXMAN_FORMAT_BPP(xen_pvdisplay_format(format)) / 8;
}

static int xen_pvdisplay_show(void *opaque, uint32_t index,
                              const XenDisplifScanout *scanout, bool flip)
{
    XenPvConnector *c = xen_pvdisplay_connector(opaque, index);
    const char *id = xen_pvdisplay_id(c->display);

    /* No viewer is left to tell */
    if (c->display->exiting) {
        return 0;
    }
    if (!scanout) {
        trace_xen_pvdisplay_off(id, index);
        xen_pv_surface_blank(&c->surface);
        return 0;
    }
    trace_xen_pvdisplay_show(id, index, scanout->fb_cookie, scanout->width,
                             scanout->height, scanout->stride,
                             scanout->offset, flip);

    return xen_pv_surface_show(&c->surface, scanout);
}

/* The guest takes the pages of the picture back: go on with a copy of it */
static void xen_pvdisplay_keep(void *opaque, uint32_t index)
{
    XenPvConnector *c = xen_pvdisplay_connector(opaque, index);

    trace_xen_pvdisplay_keep(xen_pvdisplay_id(c->display), index);
    if (!c->display->exiting) {
        xen_pv_surface_keep(&c->surface);
    }
}

static int xen_pvdisplay_get_edid(void *opaque, uint32_t index, uint8_t *buf,
                                  uint32_t size)
{
    XenPvDisplay *d = opaque;
    uint32_t serial = d->backend.idx * XEN_PVDISPLAY_MAX_CONNECTORS + index;

    return xen_pvdisplay_edid(buf, size,
                              &g_array_index(d->modes, XenPvMode, index),
                              xen_pvdisplay_wanted_rate(d, index), serial + 1);
}

static void xen_pvdisplay_flipped(void *opaque, uint32_t index)
{
    XenPvConnector *c = xen_pvdisplay_connector(opaque, index);

    if (!timer_pending(c->tick)) {
        xen_pvdisplay_arm_tick(c);
    }
}

static void xen_pvdisplay_notify_request(void *opaque, uint32_t index)
{
    XenPvDisplay *d = opaque;

    xen_pv_channel_notify(&d->backend, &d->connectors[index].request);
}

static void xen_pvdisplay_notify_event(void *opaque, uint32_t index)
{
    XenPvDisplay *d = opaque;

    xen_pv_channel_notify(&d->backend, &d->connectors[index].event);
}

static void xen_pvdisplay_answered(void *opaque, uint32_t index, uint16_t id,
                                   uint8_t operation, int32_t status,
                                   const char *why)
{
    XenPvDisplay *d = opaque;

    trace_xen_pvdisplay_answer(xen_pvdisplay_id(d), index, id, operation,
                               status, why ? why : "");
    if (status < 0) {
        const char *name = xen_displif_operation_name(operation);
        g_autofree char *request = name ?
            g_strdup_printf("connector %u: %s", index, name) :
            g_strdup_printf("connector %u: operation 0x%02x", index,
                            operation);

        xen_pv_guest_refused(&d->backend, d->mapper, request, status, why);
    }
}

static bool xen_pvdisplay_enough(void *opaque)
{
    XenPvDisplay *d = opaque;

    return xen_pv_load_enough(&d->backend);
}

static const XenDisplifOps xen_pvdisplay_ops = {
    .format_cpp = xen_pvdisplay_format_cpp,
    .show = xen_pvdisplay_show,
    .keep = xen_pvdisplay_keep,
    .edid = xen_pvdisplay_get_edid,
    .flipped = xen_pvdisplay_flipped,
    .requests.notify = xen_pvdisplay_notify_request,
    .notify_event = xen_pvdisplay_notify_event,
    .requests.answered = xen_pvdisplay_answered,
    .requests.enough = xen_pvdisplay_enough,
};

/* ------------------------------------------------------------- channels */

static int xen_pvdisplay_process(void *opaque, bool *more)
{
    XenPvConnector *c = opaque;
    int ret = xen_displif_process(c->display->disp, c->index, more);
    XenDisplifConnectorInfo info;

    if (ret < 0) {
        xen_displif_connector_info(c->display->disp, c->index, &info);
        xen_pv_guest_warn(&c->display->backend,
                          "connector %u: its request ring is corrupt and is "
                          "not served any more: req_prod %u, but %u requests "
                          "were answered", c->index, info.bad_prod,
                          info.answered);
    }

    return ret;
}

static bool xen_pvdisplay_open(XenPvConnector *c, Error **errp)
{
    XenPvBackend *backend = &c->display->backend;
    static const char *const names[] = {
        "req-ring-ref", "req-event-channel",
        "evt-ring-ref", "evt-event-channel",
    };
    g_auto(GStrv) keys = g_new0(char *, ARRAY_SIZE(names) + 1);
    int i;
    bool ok;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        keys[i] = g_strdup_printf("%u/%s", c->index, names[i]);
    }
    ok = xen_pv_channel_open(backend, &c->request, keys[0], keys[1],
                             xen_pvdisplay_process, c, errp) &&
         xen_pv_channel_open(backend, &c->event, keys[2], keys[3],
                             NULL, c, errp);
    if (ok) {
        xen_displif_attach(c->display->disp, c->index, c->request.page,
                           c->event.page);
    }

    return ok;
}

/* Once: QEMU cannot know before it runs, and nobody can change it then */
static void xen_pvdisplay_warn_of_vnc(XenPvDisplay *d)
{
    QemuOptsList *vnc = qemu_find_opts_err("vnc", NULL);
    guint i;

    if (d->warned || !vnc || QTAILQ_EMPTY(&vnc->head)) {
        return;
    }
    d->warned = true;
    for (i = 0; i < d->modes->len; i++) {
        XenPvMode *mode = &g_array_index(d->modes, XenPvMode, i);

        if (xen_pvdisplay_vnc_cuts(mode)) {
            xen_pv_guest_note(&d->backend, "connector %u of %ux%u is larger "
                              "than %dx%d: QEMU's VNC server cuts off the "
                              "rest", i, mode->width, mode->height,
                              XEN_PVDISPLAY_VNC_WIDTH,
                              XEN_PVDISPLAY_VNC_HEIGHT);
        }
    }
}

static bool xen_pvdisplay_connect(XenPvBackend *backend, Error **errp)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    guint i;

    xen_pvdisplay_warn_of_vnc(d);
    xen_displif_set_version(d->disp, backend->version);
    for (i = 0; i < d->modes->len; i++) {
        if (!xen_pvdisplay_open(&d->connectors[i], errp)) {
            return false;
        }
    }

    return true;
}

static void xen_pvdisplay_disconnect(XenPvBackend *backend, bool exiting)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    guint i;

    d->exiting = exiting;
    xen_displif_reset(d->disp);
    for (i = 0; i < d->modes->len; i++) {
        XenPvConnector *c = &d->connectors[i];

        timer_del(c->tick);
        xen_pv_channel_close(backend, &c->request);
        xen_pv_channel_close(backend, &c->event);
    }
}

/* -------------------------------------------------------- configuration */

static bool xen_pvdisplay_check_objects(const char *option, uint32_t number,
                                        Error **errp)
{
    if (number < 1 || number > XEN_PVDISPLAY_MAX_OBJECTS) {
        error_setg(errp, "%s=%u is not between 1 and %d", option, number,
                   XEN_PVDISPLAY_MAX_OBJECTS);
        return false;
    }

    return true;
}

static bool xen_pvdisplay_check_options(XenPvBackend *backend, Error **errp)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    g_autofree char *why = NULL;

    if (d->refresh_rate < 1 || d->refresh_rate > XEN_PVDISPLAY_MAX_RATE) {
        error_setg(errp, "refresh-rate=%u is not between 1 and %d Hz",
                   d->refresh_rate, XEN_PVDISPLAY_MAX_RATE);
        return false;
    }
    if (d->max_pages > XEN_PVDISPLAY_MAX_PAGES) {
        error_setg(errp, "max-pages=%u is not between 1 and %u pages, or 0 "
                   "for what the screens need", d->max_pages,
                   XEN_PVDISPLAY_MAX_PAGES);
        return false;
    }
    d->default_pages = !d->max_pages;
    if (!xen_pvdisplay_check_objects("max-buffers", d->max_buffers, errp) ||
        !xen_pvdisplay_check_objects("max-framebuffers", d->max_framebuffers,
                                     errp)) {
        return false;
    }
    if (d->outputs || d->connectors_option || d->xres || d->yres) {
        d->modes = xen_pvdisplay_parse_screens(d->outputs,
                                               d->connectors_option, d->xres,
                                               d->yres, &why);
        if (!d->modes) {
            error_setg(errp, "%s", why);
            return false;
        }
    }

    return true;
}

static bool xen_pvdisplay_configure(XenPvBackend *backend,
                                    const char *frontend, bool toolstack,
                                    Error **errp)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);

    if (!d->modes && !toolstack) {
        error_setg(errp, "connectors= is missing: name the screens, as in "
                   "connectors='LEFT:1920x1080;RIGHT:1280x1024', or give "
                   "xres= and yres= of one");
        return false;
    }
    if (!d->modes) {
        d->modes = xen_pvdisplay_read_nodes(backend, frontend, &d->be_alloc,
                                            errp);
        if (!d->modes) {
            return false;
        }
    } else if (!xen_pvdisplay_write_nodes(backend, frontend, d->modes,
                                          d->be_alloc, errp)) {
        return false;
    }
    if (d->be_alloc && !xen_pv_share_ops) {
        error_setg(errp, "be-alloc needs a host that can share pages with "
                   "its guests, which only a real Xen is: leave it off");
        return false;
    }

    return true;
}

/* -------------------------------------------------------------- monitor */

static void xen_pvdisplay_describe(XenPvBackend *backend, QDict *status)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    QList *connectors = qlist_new();
    guint i;

    for (i = 0; i < d->modes->len; i++) {
        XenPvConnector *c = &d->connectors[i];

        qlist_append(connectors, xen_pvdisplay_connector_status(
            d->disp, i, &g_array_index(d->modes, XenPvMode, i),
            c->refresh_rate, &c->surface));
    }
    qdict_put(status, "connectors", connectors);
    xen_pvdisplay_add_status(status, d->disp);
    xen_pv_status_add_cache(status, d->mapper);
}

/* ----------------------------------------------------------- life cycle */

static void xen_pvdisplay_add_connector(XenPvDisplay *d, uint32_t index)
{
    XenPvMode *mode = &g_array_index(d->modes, XenPvMode, index);
    XenPvConnector *c = &d->connectors[index];

    trace_xen_pvdisplay_connector(xen_pvdisplay_id(d), index,
                                  mode->id ? mode->id : "", mode->width,
                                  mode->height);
    c->display = d;
    c->index = xen_displif_add_connector(d->disp, mode->width, mode->height);
    c->tick = timer_new_ns(QEMU_CLOCK_VIRTUAL, xen_pvdisplay_tick, c);
    c->surface.con = graphic_console_init(DEVICE(d), index,
                                          &xen_pvdisplay_gfx_ops, c);
    /* A viewer that has the console already says nothing new to it */
    xen_pvdisplay_follow(c, dpy_get_ui_info(c->surface.con));
    dpy_gfx_replace_surface(c->surface.con,
        qemu_create_placeholder_surface(mode->width, mode->height,
            "Guest has not initialized the display (yet)."));
}

/*
 * What a buffer may have costs little as long as it is not mapped: that follows
 * from the budget only if the user says so.  Returns the largest buffer.
 */
static uint32_t xen_pvdisplay_choose_pages(XenPvDisplay *d)
{
    uint32_t screens = xen_pvdisplay_screen_pages(d->modes);

    if (!d->default_pages) {
        return d->max_pages;
    }
    d->max_pages = xen_pvdisplay_default_pages(d->modes,
                                               XEN_PV_COMMON_PAGES);
    if (screens > d->max_pages / 2) {
        warn_report("%s: two pictures of each screen have %u pages, but at "
                    "most %u are mapped: use max-pages=%u if the host has "
                    "room for that", xen_pvdisplay_id(d), 2 * screens,
                    d->max_pages, MIN(4 * screens, XEN_PVDISPLAY_MAX_PAGES));
    }

    return XEN_PVDISPLAY_BUFFER_PAGES;
}

static bool xen_pvdisplay_start(XenPvBackend *backend, Error **errp)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    uint32_t largest = xen_pvdisplay_choose_pages(d);
    const XenDisplifLimits limits = {
        .max_buffers = d->max_buffers,
        .max_framebuffers = d->max_framebuffers,
        .max_total_pages = (uint64_t)largest * XEN_PVDISPLAY_TOTAL_FACTOR,
    };
    guint i;

    d->mapper = xen_pv_mapper_new(backend, d->max_pages, largest,
                                  d->default_pages, errp);
    if (!d->mapper) {
        return false;
    }
    d->disp = xen_displif_new(&xen_pvdisplay_ops, d, d->mapper, &limits);
    xen_displif_set_backend_alloc(d->disp, d->be_alloc);

    d->connectors = g_new0(XenPvConnector, d->modes->len);
    for (i = 0; i < d->modes->len; i++) {
        xen_pvdisplay_add_connector(d, i);
    }

    return true;
}

static void xen_pvdisplay_stop(XenPvBackend *backend)
{
    XenPvDisplay *d = XEN_PVDISPLAY(backend);
    guint i;

    for (i = 0; d->connectors && i < d->modes->len; i++) {
        XenPvConnector *c = &d->connectors[i];

        graphic_console_close(c->surface.con);
        xen_pv_surface_clear(&c->surface);
        timer_free(c->tick);
    }
    g_clear_pointer(&d->connectors, g_free);
    g_clear_pointer(&d->disp, xen_displif_free);
    g_clear_pointer(&d->mapper, xen_pgdir_mapper_unref);
}

static void xen_pvdisplay_init(Object *obj)
{
    /* As displays of QEMU with an EDID have it */
    object_property_add_alias(obj, "refresh_rate", obj, "refresh-rate");
}

static void xen_pvdisplay_finalize(Object *obj)
{
    XenPvDisplay *d = XEN_PVDISPLAY(obj);

    /* Here, as options are parsed before there is anything to stop */
    g_clear_pointer(&d->modes, g_array_unref);
    g_clear_pointer(&d->outputs, g_array_unref);
}

static const Property xen_pvdisplay_properties[] = {
    DEFINE_PROP_STRING("connectors", XenPvDisplay, connectors_option),
    DEFINE_PROP_UINT32("xres", XenPvDisplay, xres, 0),
    DEFINE_PROP_UINT32("yres", XenPvDisplay, yres, 0),
    DEFINE_PROP_UINT32("refresh-rate", XenPvDisplay, refresh_rate, 60),
    DEFINE_PROP_UINT32("max-pages", XenPvDisplay, max_pages, 0),
    DEFINE_PROP_UINT32("max-buffers", XenPvDisplay, max_buffers, 256),
    DEFINE_PROP_UINT32("max-framebuffers", XenPvDisplay, max_framebuffers,
                       1024),
    DEFINE_PROP_BOOL("be-alloc", XenPvDisplay, be_alloc, false),
};

static void xen_pvdisplay_class_init(ObjectClass *class,
                                     XEN_PV_CLASS_DATA *data)
{
    DeviceClass *dev_class = DEVICE_CLASS(class);
    XenDeviceClass *xendev_class = XEN_DEVICE_CLASS(class);
    XenPvBackendClass *pv_class = XEN_PV_BACKEND_CLASS(class);

    xendev_class->backend = "vdispl";
    xendev_class->device = "vdispl";
    pv_class->check_options = xen_pvdisplay_check_options;
    pv_class->configure = xen_pvdisplay_configure;
    pv_class->start = xen_pvdisplay_start;
    pv_class->connect = xen_pvdisplay_connect;
    pv_class->disconnect = xen_pvdisplay_disconnect;
    pv_class->describe = xen_pvdisplay_describe;
    pv_class->stop = xen_pvdisplay_stop;

    dev_class->desc = "Xen PV display (displif)";
    set_bit(DEVICE_CATEGORY_DISPLAY, dev_class->categories);
    device_class_set_props(dev_class, xen_pvdisplay_properties);
    xen_pvdisplay_add_outputs(class, offsetof(XenPvDisplay, outputs));
    object_class_property_set_description(class, "connectors",
        "screens of the device: '[ID:]WIDTHxHEIGHT;...'");
    object_class_property_set_description(class, "xres",
        "width of the only screen, 16 to 8192 pixels, instead of connectors "
        "and outputs");
    object_class_property_set_description(class, "yres",
        "height of the only screen, 16 to 8192 pixels, instead of connectors "
        "and outputs");
    object_class_property_set_description(class, "refresh-rate",
        "flips per second that a guest can see, 1 to 1000 Hz");
    object_class_property_set_description(class, "max-pages",
        "most pages of the guest that may be mapped at once, 1 to 262144; 0 "
        "is what the screens need");
    object_class_property_set_description(class, "max-buffers",
        "most buffers that the guest may have, 1 to 65536");
    object_class_property_set_description(class, "max-framebuffers",
        "most framebuffers that the guest may have, 1 to 65536");
    object_class_property_set_description(class, "be-alloc",
        "the guest may have its buffers allocated by QEMU");
    xen_pv_explain_numbers(class, xen_pvdisplay_properties,
                           ARRAY_SIZE(xen_pvdisplay_properties));
}

static const TypeInfo xen_pvdisplay_info = {
    .name = TYPE_XEN_PVDISPLAY,
    .parent = TYPE_XEN_PV_BACKEND,
    .instance_size = sizeof(XenPvDisplay),
    .instance_init = xen_pvdisplay_init,
    .instance_finalize = xen_pvdisplay_finalize,
    .class_init = xen_pvdisplay_class_init,
};

static void xen_pvdisplay_register_types(void)
{
    type_register_static(&xen_pvdisplay_info);
}

type_init(xen_pvdisplay_register_types)

static void xen_pvdisplay_device_create(XenBackendInstance *instance,
                                        QDict *opts, Error **errp)
{
    xen_pv_backend_create(instance, TYPE_XEN_PVDISPLAY, "vdispl", errp);
}

static const XenBackendInfo xen_pvdisplay_backend_info = {
    .type = "vdispl",
    .create = xen_pvdisplay_device_create,
    .destroy = xen_pv_backend_destroy,
};

static void xen_pvdisplay_register_backend(void)
{
    xen_backend_register(&xen_pvdisplay_backend_info);
    xen_pv_backend_revive("vdispl");
    xen_pv_vkbd_by_grant();
    xen_pvdisplay_spare_console();
}

xen_backend_init(xen_pvdisplay_register_backend);
