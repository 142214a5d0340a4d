/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the backends of PV displays and PV sound share: the XenbusState
 * machine, channels, configuration in xenstore, unplug and reconnect.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#ifndef HW_XEN_XEN_PV_BACKEND_H
#define HW_XEN_XEN_PV_BACKEND_H

#include "hw/qdev-properties.h"
#include "hw/xen/xen-backend.h"
#include "hw/xen/xen-bus.h"
#include "hw/xen/xen-pgdir.h"
#include "hw/xen/xen-pv-nodes.h"
#include "hw/xen/xen-pv-quota.h"
#include "qemu/notify.h"
#include "qobject/qdict.h"
#include "qemu/timer.h"

#define TYPE_XEN_PV_BACKEND "xen-pv-backend"
OBJECT_DECLARE_TYPE(XenPvBackend, XenPvBackendClass, XEN_PV_BACKEND)

/**
 * struct XenPvLog - log lines, as a guest causes them
 *
 * @lines: their quota
 * @suppressed: lines left out since the last one that was written
 */
typedef struct XenPvLog {
    XenPvQuota lines;
    uint64_t suppressed;
} XenPvLog;

/**
 * struct XenPvLoad - QEMU's time, as a guest's requests take it
 *
 * @time: its quota, in ns of the main loop's thread
 * @used: all that was taken of it, ns
 * @slice_end: when others are to have their turn
 * @waiting: it is used up: the channels are not served
 * @timer: the end of that
 * @waits: how often that came
 * @quiet: quota of waits that are not told of in the log, in ns
 * @told: quota of lines of log about the others, each of XEN_PV_TOLD_S units
 */
typedef struct XenPvLoad {
    XenPvQuota time;
    uint64_t used;
    int64_t slice_end;
    bool waiting;
    QEMUTimer *timer;
    uint64_t waits;
    XenPvQuota quiet;
    XenPvQuota told;
} XenPvLoad;

typedef struct XenPvChannel XenPvChannel;

/**
 * struct XenPvBackend - one device: the part that knows xenstore
 *
 * @xendev: the device on the XenBus
 * @idx: property "idx": number of the device in xenstore; -1 asks for the first
 *     free one
 * @max_connects: property "max-connects": connections a second, 0 for any
 * @max_load: property "max-load": percent of QEMU's time for requests
 * @max_log_lines: property "max-log-lines": lines a minute
 * @max_mappings: property "max-mappings": areas of QEMU's memory that the
 *     guest's pages may take; 0 leaves it to the platform
 * @closing_time: property "x-closing-time": ms that Closing is shown to a
 *     frontend that does not move on
 * @connect_pause: property "x-connect-pause": ms between two tries to connect
 *     to a frontend that is ready
 * @max_map_count: property "x-max-map-count": how many grants one call may
 *     map, for tests; 0 leaves it to the platform, which takes any number or
 *     one
 * @by_toolstack: the toolstack made the device's nodes, and will remove them
 * @version: of the protocol, as the frontend chose it; 0 if it did not
 * @connected: the channels are open and the class is served by the guest
 * @state_watch: fires when somebody writes the backend's state
 * @retry: next try to connect to a frontend that is ready
 * @attempts: tries that failed since the frontend got ready
 * @offer: when to offer the device again to a frontend that gave it up
 * @close: how long Closing is shown
 * @closing: Closing is shown, because the frontend is
 * @common_full: the last pages that could not be mapped found no room in
 *     XEN_PV_COMMON_PAGES
 * @untaken: connections since the frontend last took one: was seen Connected
 *     itself, or had a request answered
 * @connects: quota of connections
 * @channels: those that are open; the first has its turn first
 * @load: the time that they take
 * @log: quota of log lines
 * @last_error: what the guest did wrong last, or NULL
 * @refused: a device of the toolstack that could not be made, as this one has
 *     its number; or NULL
 * @exit: runs after the bus took the device's nodes away when QEMU exits
 */
struct XenPvBackend {
    XenDevice xendev; /* must be first */

    int32_t idx;
    uint32_t max_connects;
    uint32_t max_load;
    uint32_t max_log_lines;
    uint32_t max_mappings;
    uint32_t closing_time;
    uint32_t connect_pause;
    uint32_t max_map_count;

    uint32_t version;
    bool by_toolstack;
    bool connected;
    struct qemu_xs_watch *state_watch;
    QEMUTimer *retry;
    unsigned int attempts;
    QEMUTimer *offer;
    QEMUTimer *close;
    bool closing;
    bool common_full;
    unsigned int untaken;
    XenPvQuota connects;
    QTAILQ_HEAD(, XenPvChannel) channels;
    XenPvLoad load;
    XenPvLog log;
    char *last_error;
    XenBackendInstance *refused;
    Notifier exit;
};

/**
 * struct XenPvBackendClass - what a kind of device adds
 *
 * @parent_realize: how the bus realizes a device
 * @parent_unrealize: how it undoes that
 * @check_options: called first: are the user's options good?  Not asked about
 *     what only the toolstack's nodes can tell.
 * @configure: called once, before the guest can see the device: either writes
 *     the device's nodes below @frontend (a device made by -device) or reads
 *     and checks them (a device that the toolstack made).
 * @start: called once, when the device is on the bus.
 * @connect: the frontend is ready: open channels.  On failure @disconnect is
 *     called, too.
 * @disconnect: give everything of the guest back: channels, grants, objects.
 *     Idempotent.  @exiting tells that QEMU is on its way out and that the
 *     display and audio layers may be gone.
 * @describe: add to what the monitor sees of a device; may be NULL.
 * @stop: the device goes away, or cannot be made although its options are good;
 *     @disconnect was called if it ever connected.  Idempotent; not called
 *     when QEMU exits.
 */
struct XenPvBackendClass {
    XenDeviceClass parent_class;

    DeviceRealize parent_realize;
    DeviceUnrealize parent_unrealize;

    bool (*check_options)(XenPvBackend *backend, Error **errp);
    bool (*configure)(XenPvBackend *backend, const char *frontend,
                      bool toolstack, Error **errp);
    bool (*start)(XenPvBackend *backend, Error **errp);
    bool (*connect)(XenPvBackend *backend, Error **errp);
    void (*disconnect)(XenPvBackend *backend, bool exiting);
    void (*describe)(XenPvBackend *backend, QDict *status);
    void (*stop)(XenPvBackend *backend);
};

/**
 * typedef XenPvServe - serve a channel
 * @opaque: the owner's
 * @more: set to whether there is more to do than this call could
 *
 * It must close no channel of the device, neither this one, which is used once
 * it returns, nor another, as all of them may be about to be served.  It should
 * return soon once xen_pv_load_enough() says so.
 *
 * Returns: more than 0 if there was anything to do.
 */
typedef int (*XenPvServe)(void *opaque, bool *more);

/**
 * struct XenPvChannel - a shared page and its event channel
 *
 * @page: the mapped page, or NULL when closed
 * @ref: its grant reference
 * @evtchn: the bound event channel
 * @backend: whose channel it is
 * @serve, @opaque: what is done for an event
 * @more: does what one event left undone
 * @next: in the list of the device's open channels
 */
struct XenPvChannel {
    void *page;
    uint32_t ref;
    XenEventChannel *evtchn;
    XenPvBackend *backend;
    XenPvServe serve;
    void *opaque;
    QEMUBH *more;
    QTAILQ_ENTRY(XenPvChannel) next;
};

/**
 * xen_pv_channel_open: map a page and bind a port that the frontend published
 * @backend: the device
 * @channel: the channel; closed
 * @ref_key: node below the frontend's directory that holds the reference
 * @port_key: node that holds the port
 * @serve: called for each event, and once all channels of a device are open;
 *     NULL where the frontend has nothing to say
 * @opaque: handed to @serve
 * @errp: where to say why it failed
 *
 * Returns: whether the channel is open.
 */
bool xen_pv_channel_open(XenPvBackend *backend, XenPvChannel *channel,
                         const char *ref_key, const char *port_key,
                         XenPvServe serve, void *opaque, Error **errp);

/**
 * xen_pv_channel_close: unbind and unmap; harmless on a closed channel
 * @backend: the device
 * @channel: the channel
 */
void xen_pv_channel_close(XenPvBackend *backend, XenPvChannel *channel);

/**
 * xen_pv_channel_notify: send an event; harmless on a closed channel
 * @backend: the device
 * @channel: the channel
 */
void xen_pv_channel_notify(XenPvBackend *backend, XenPvChannel *channel);

/**
 * xen_pv_load_enough: whether a device has had its share for now
 * @backend: the device
 *
 * Returns: whether whoever serves a channel should return soon.
 */
bool xen_pv_load_enough(XenPvBackend *backend);

/**
 * xen_pv_node_read: read a node, as long as it is text of sane length
 * @backend: the device
 * @dir: directory
 * @key: node below it
 *
 * Returns: the text, to be freed with g_free(), or NULL when there is none.
 */
char *xen_pv_node_read(XenPvBackend *backend, const char *dir,
                       const char *key);

/**
 * xen_pv_backend_nodes: the same for who knows nothing of devices
 * @backend: the device; must outlive what is returned
 *
 * Returns: a way to read any node, and to log what is wrong with it.
 */
XenPvNodes xen_pv_backend_nodes(XenPvBackend *backend);

/**
 * xen_pv_node_write: create a node that the guest may only read
 * @backend: the device
 * @dir: directory
 * @key: node below it; it may be several levels deep
 * @value: text
 * @errp: where to say why it failed
 *
 * Returns: whether the node was written.
 */
bool xen_pv_node_write(XenPvBackend *backend, const char *dir,
                       const char *key, const char *value, Error **errp);

/**
 * xen_pv_node_remove: remove a node, and all below it, if it is there
 * @backend: the device
 * @dir: directory
 * @key: node below it
 */
void xen_pv_node_remove(XenPvBackend *backend, const char *dir,
                        const char *key);

/**
 * xen_pv_nodes_end: remove the numbered nodes that a larger device left
 * @backend: the device
 * @dir: directory
 * @number: of the first one to be removed, with all that is below it
 */
void xen_pv_nodes_end(XenPvBackend *backend, const char *dir,
                      unsigned int number);

/**
 * xen_pv_explain_numbers: say what a number is for to who gives none
 * @class: a class whose options have their descriptions
 * @properties: its options
 * @count: their number
 */
void xen_pv_explain_numbers(ObjectClass *class, const Property *properties,
                            size_t count);

/**
 * xen_pv_guest_warn: log what a guest did wrong, within its quota of lines
 * @backend: the device
 * @fmt: what happened, one phrase
 */
void xen_pv_guest_warn(XenPvBackend *backend, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

/**
 * xen_pv_guest_note: log what a guest has to put up with
 * @backend: the device
 * @fmt: what happened, one phrase
 *
 * As xen_pv_guest_warn(), but it is no mistake of the guest's, and so not the
 * last one in the device's status.
 */
void xen_pv_guest_note(XenPvBackend *backend, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

/**
 * xen_pv_backend_create: make the device of a toolstack's backend node
 * @instance: what the bus found
 * @typename: type of device to make
 * @id_prefix: its id is this, a dash and the number of the device
 * @errp: where to say why it failed
 */
void xen_pv_backend_create(XenBackendInstance *instance,
                           const char *typename, const char *id_prefix,
                           Error **errp);

/**
 * xen_pv_backend_destroy: undo xen_pv_backend_create()
 * @instance: what the bus found
 * @errp: not used
 */
void xen_pv_backend_destroy(XenBackendInstance *instance, Error **errp);

/**
 * xen_pv_backend_revive: take over the devices of a QEMU that was killed
 * @type: folder of the backends in xenstore
 *
 * To be called when the type is registered.  The bus looks only at devices that
 * are Initialising.  Those of a QEMU that had no time to say goodbye say
 * something else, and bear our mark: they are made to look new, and their
 * frontends start over.
 */
void xen_pv_backend_revive(const char *type);

/*
 * What all devices of a guest whose user does not say "max-pages" may have
 * mapped together: an eighth of the 262144 entries of a control domain's map
 * track, of which a page takes two where that domain is a PV one.
 */
#define XEN_PV_COMMON_PAGES 16384

/**
 * xen_pv_common_pages: pages that these devices have mapped now
 */
uint32_t xen_pv_common_pages(void);

/**
 * xen_pv_guest_refused: warn of a request that was refused
 * @backend: the device
 * @mapper: its mapper
 * @request: the request, in words
 * @status: the error; if it is -ENOSPC and of the mapper's, the option whose
 *     limit left no room is named
 * @why: in a few words, or NULL; the engine's own limits name their option
 */
void xen_pv_guest_refused(XenPvBackend *backend, const XenPgdirMapper *mapper,
                          const char *request, int32_t status,
                          const char *why);

/**
 * xen_pv_mapper_new: make a mapper of a guest's page directories
 * @backend: the device whose frontend grants them
 * @max_pages: budget of mapped pages
 * @max_buffer_pages: pages of the largest buffer
 * @common: what it maps counts in XEN_PV_COMMON_PAGES, too
 * @errp: where to say why it failed
 *
 * The mapper has a grant handle of its own, so that it may outlive the device.
 *
 * Returns: the mapper, or NULL.
 */
XenPgdirMapper *xen_pv_mapper_new(XenPvBackend *backend, uint32_t max_pages,
                                  uint32_t max_buffer_pages, bool common,
                                  Error **errp);

/**
 * xen_pv_mapper_way: how guests' pages are shown, for the monitor
 *
 * Returns: "grants" where the host maps them; under KVM's emulated Xen
 * "windows" if the guest's memory is a shared mapping of a file, or "copies".
 */
const char *xen_pv_mapper_way(void);

/**
 * xen_pv_rings_start: have rings mapped without a word in the log
 * @backend: the device, before it maps any
 *
 * QEMU opened a handle for the device.  Through it libxengnttab adds a line to
 * the log for each reference that a guest gets wrong.  max-log-lines is to
 * bound those, so a quiet handle takes its place where there is one.
 */
void xen_pv_rings_start(XenPvBackend *backend);

/**
 * xen_pv_ring_map: map the page of a ring, for reading and writing
 * @backend: the device whose frontend grants it
 * @ref: its reference
 * @errp: where to say why it failed
 *
 * Returns: the page, or NULL.
 */
void *xen_pv_ring_map(XenPvBackend *backend, uint32_t ref, Error **errp);

/** xen_pv_ring_unmap: undo xen_pv_ring_map() */
void xen_pv_ring_unmap(XenPvBackend *backend, uint32_t ref, void *page);

#endif /* HW_XEN_XEN_PV_BACKEND_H */
