/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the user-space grant device, for tests
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 */

#include "qemu/osdep.h"

#include "gntdev.h"
#include "grant-table.h"

/* The machine has no page tables, but 0 would be no address */
#define HOST_ADDR   XEN_MACHINE_PAGE_SIZE

/* How a request was mapped first: it stays so */
typedef enum Access {
    ACCESS_OPEN,
    ACCESS_READ,
    ACCESS_WRITE,
} Access;

/*
 * A slot: part of a request, whose state is in its first slot.  All zero is a
 * free slot.
 *
 * @next, @prev: in the list of free slots; one more than the number, 0 is none
 * @first: the request's first slot
 * @count: slots of the request
 * @nr_mapped: of these, that are mapped
 * @freed: nobody can ask for the request any more
 * @clear: the byte to clear, from the start of the request
 */
typedef struct Slot {
    uint32_t domid;
    uint32_t ref;
    uint32_t handle;
    uint32_t frame;
    uint32_t owner;
    uint32_t next;
    uint32_t prev;
    uint8_t state;

    uint8_t freed;
    uint8_t access;
    uint8_t action;
    uint32_t port;
    uint32_t first;
    uint32_t count;
    uint32_t nr_mapped;
    uint64_t clear;
} Slot;

/*
 * @head, @tail: free slots that were used before, as in Slot.next; given out
 *     from the head, and given back there
 * @fresh: from this slot on they were never used: the list goes on with them
 * @next_fit: where to begin to look for a run of slots
 */
struct XenGntdevFile {
    XenGntdevConfig config;
    uint32_t head;
    uint32_t tail;
    uint32_t fresh;
    uint32_t next_fit;
    uint32_t in_use;
    Slot slots[];
};

size_t xen_gntdev_file_size(const XenGntdevConfig *config)
{
    return sizeof(XenGntdevFile) + (size_t)config->slots * sizeof(Slot);
}

void xen_gntdev_open(XenGntdevFile *file, const XenGntdevConfig *config)
{
    file->config = *config;
}

/* Free slots */

static void list_remove(XenGntdevFile *file, uint32_t index)
{
    Slot *slot = &file->slots[index];

    *(slot->prev ? &file->slots[slot->prev - 1].next : &file->head) =
        slot->next;
    *(slot->next ? &file->slots[slot->next - 1].prev : &file->tail) =
        slot->prev;
    slot->next = slot->prev = 0;
}

static void list_push(XenGntdevFile *file, uint32_t index)
{
    Slot *slot = &file->slots[index];

    slot->next = file->head;
    *(file->head ? &file->slots[file->head - 1].prev : &file->tail) =
        index + 1;
    file->head = index + 1;
}

static void list_append(XenGntdevFile *file, uint32_t index)
{
    Slot *slot = &file->slots[index];

    slot->prev = file->tail;
    *(file->tail ? &file->slots[file->tail - 1].next : &file->head) =
        index + 1;
    file->tail = index + 1;
}

static void take_run(XenGntdevFile *file, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;
    uint32_t i;

    for (i = first; i < MIN(end, file->fresh); i++) {
        list_remove(file, i);
    }
    while (file->fresh < first) {
        list_append(file, file->fresh++);
    }
    file->fresh = MAX(file->fresh, end);
}

/* Returns: the first of @count free slots between the two, or a negative */
static int64_t scan(const XenGntdevFile *file, uint32_t from, uint32_t to,
                    uint32_t count)
{
    uint32_t i, run = 0;

    for (i = from; i < MIN(to, file->fresh); i++) {
        run = file->slots[i].state == XEN_GNTDEV_INVALID ? run + 1 : 0;
        if (run == count) {
            return i + 1 - (int64_t)count;
        }
    }
    /* All others are free */
    i = MAX(i, from) - run;
    return (uint64_t)i + count <= to ? (int64_t)i : -ENOMEM;
}

static int64_t alloc_slots(XenGntdevFile *file, uint32_t count)
{
    int64_t first;

    if (count == 1) {
        first = file->head ? file->head - 1 : file->fresh;
        if (first == file->config.slots) {
            return -ENOMEM;
        }
    } else {
        first = scan(file, file->next_fit, file->config.slots, count);
        if (first < 0) {
            first = scan(file, 0, file->next_fit, count);
        }
        if (first < 0) {
            return first;
        }
        file->next_fit = (first + count) % file->config.slots;
    }
    take_run(file, first, count);
    return first;
}

static void free_slot(XenGntdevFile *file, uint32_t index)
{
    memset(&file->slots[index], 0, sizeof(Slot));
    list_push(file, index);
    file->in_use--;
}

/* Requests */

static Slot *request_of(XenGntdevFile *file, const Slot *slot)
{
    return &file->slots[slot->first];
}

static void end_request(XenGntdevFile *file, const XenGntHost *host,
                        Slot *request)
{
    uint32_t first = request->first;
    uint32_t count = request->count;
    uint32_t i;

    if (request->action & XEN_GNT_SEND_EVENT) {
        host->event_put(host->opaque, request->port, true);
    }
    for (i = 0; i < count; i++) {
        free_slot(file, first + i);
    }
}

int xen_gntdev_check_count(const XenGntdevFile *file, uint32_t count)
{
    if (!count || count > file->config.limit) {
        return -EINVAL;
    }
    return count > file->config.slots ? -ENOMEM : 0;
}

int xen_gntdev_map(XenGntdevFile *file, uint32_t count,
                   const XenGntdevRef *refs, uint64_t *index)
{
    int64_t first = xen_gntdev_check_count(file, count);
    uint32_t i;

    if (first < 0) {
        return first;
    }
    first = alloc_slots(file, count);
    if (first < 0) {
        return first;
    }
    for (i = 0; i < count; i++) {
        Slot *slot = &file->slots[first + i];

        slot->state = XEN_GNTDEV_NOT_YET_MAPPED;
        slot->domid = refs[i].domid;
        slot->ref = refs[i].ref;
        slot->first = first;
        slot->count = count;
    }
    file->in_use += count;
    *index = (uint64_t)first << XEN_MACHINE_PAGE_SHIFT;
    return 0;
}

/* Returns: the slots at an offset, or NULL if there are not so many */
static Slot *slots_at(XenGntdevFile *file, uint64_t index, uint32_t count)
{
    uint64_t first = index >> XEN_MACHINE_PAGE_SHIFT;

    return first < file->config.slots && count <= file->config.slots - first ?
           &file->slots[first] : NULL;
}

/* Returns: the request of this offset and size (0: any), or NULL */
static Slot *find_request(XenGntdevFile *file, uint64_t index, uint32_t count)
{
    Slot *slot = slots_at(file, index, count);

    if (!slot || slot->state == XEN_GNTDEV_INVALID ||
        request_of(file, slot) != slot || slot->freed ||
        (count && count != slot->count)) {
        return NULL;
    }
    return slot;
}

int xen_gntdev_unmap(XenGntdevFile *file, const XenGntHost *host,
                     uint64_t index, uint32_t count)
{
    Slot *request = find_request(file, index, count);

    if (!request) {
        return -ENOENT;
    }
    request->freed = true;
    if (!request->nr_mapped) {
        end_request(file, host, request);
    }
    return 0;
}

/* Mappings */

static int map_slot(const XenGntHost *host, Slot *request, Slot *slot,
                    uint32_t owner, uint32_t *frame)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = HOST_ADDR,
        .flags = GNTMAP_host_map |
                 (request->access == ACCESS_READ ? GNTMAP_readonly : 0),
        .ref = slot->ref,
        .dom = slot->domid,
    };

    if (xen_grant_table_map(host->machine, host->domid, &op, 1)) {
        return op.status;
    }
    slot->state = XEN_GNTDEV_MAPPED;
    slot->handle = op.handle;
    slot->frame = op.dev_bus_addr >> XEN_MACHINE_PAGE_SHIFT;
    slot->owner = owner;
    request->nr_mapped++;
    *frame = slot->frame;
    return 0;
}

static void unmap_slot(XenGntdevFile *file, const XenGntHost *host,
                       Slot *slot)
{
    Slot *request = request_of(file, slot);
    uint64_t offset = (uint64_t)(slot - request) << XEN_MACHINE_PAGE_SHIFT;
    struct gnttab_unmap_grant_ref op = {
        .host_addr = HOST_ADDR,
        .handle = slot->handle,
    };

    if ((request->action & XEN_GNT_CLEAR_BYTE) &&
        request->clear >= offset &&
        request->clear - offset < XEN_MACHINE_PAGE_SIZE) {
        xen_gnt_page(host, slot->frame)[request->clear - offset] = 0;
        request->action &= ~XEN_GNT_CLEAR_BYTE;
    }
    xen_grant_table_unmap(host->machine, host->domid, &op, 1);
    slot->state = XEN_GNTDEV_NOT_YET_MAPPED;
    if (--request->nr_mapped == 0 && request->freed) {
        end_request(file, host, request);
    }
}

/* May this request be mapped?  If so it says how from now on. */
static int check_mmap(XenGntdevFile *file, uint64_t index, uint32_t count,
                      bool shared, bool write)
{
    Slot *request = count ? find_request(file, index, count) : NULL;

    /* Once, whatever comes of it, and whatever becomes of the mapping */
    if ((write && !shared) || !request || request->access != ACCESS_OPEN) {
        return -EINVAL;
    }
    request->access = write ? ACCESS_WRITE : ACCESS_READ;
    return 0;
}

int xen_gntdev_mmap(XenGntdevFile *file, const XenGntHost *host,
                    uint64_t index, uint32_t count, bool shared, bool write,
                    uint32_t owner, uint32_t *frames)
{
    Slot *slots = slots_at(file, index, count);
    uint32_t done;
    int ret;

    ret = check_mmap(file, index, count, shared, write);
    if (ret < 0) {
        return ret;
    }
    for (done = 0; done < count; done++) {
        if (map_slot(host, request_of(file, &slots[done]), &slots[done],
                     owner, &frames[done]) < 0) {
            xen_gntdev_munmap(file, host, index, done);
            return -EINVAL;
        }
    }
    return 0;
}

void xen_gntdev_munmap(XenGntdevFile *file, const XenGntHost *host,
                       uint64_t index, uint32_t count)
{
    Slot *slots = slots_at(file, index, count);
    uint32_t i;

    for (i = 0; slots && i < count; i++) {
        if (slots[i].state == XEN_GNTDEV_MAPPED) {
            unmap_slot(file, host, &slots[i]);
        }
    }
}

void xen_gntdev_forget(XenGntdevFile *file, const XenGntHost *host,
                       uint32_t owner)
{
    uint32_t i;

    for (i = 0; i < file->fresh; i++) {
        if (file->slots[i].state == XEN_GNTDEV_MAPPED &&
            file->slots[i].owner == owner) {
            unmap_slot(file, host, &file->slots[i]);
        }
    }
}

void xen_gntdev_release(XenGntdevFile *file, const XenGntHost *host)
{
    uint32_t i;

    xen_gntdev_munmap(file, host, 0, file->fresh);
    for (i = 0; i < file->fresh; i++) {
        Slot *slot = &file->slots[i];

        if (slot->state != XEN_GNTDEV_INVALID && slot->first == i) {
            end_request(file, host, slot);
        }
    }
    memset(file, 0, sizeof(*file) + (size_t)file->fresh * sizeof(Slot));
}

int xen_gntdev_get_offset(const XenGntdevFile *file, uint64_t index,
                          uint64_t *first, uint32_t *count)
{
    const Slot *slot = slots_at((XenGntdevFile *)file, index, 1);

    if (!slot || slot->state != XEN_GNTDEV_MAPPED) {
        return -EINVAL;
    }
    *first = (uint64_t)slot->first << XEN_MACHINE_PAGE_SHIFT;
    *count = file->slots[slot->first].count;
    return 0;
}

int xen_gntdev_set_notify(XenGntdevFile *file, const XenGntHost *host,
                          uint64_t index, uint32_t action, uint32_t port)
{
    Slot *slot = slots_at(file, index, 1);
    Slot *request = NULL;

    if (action & ~(XEN_GNT_CLEAR_BYTE | XEN_GNT_SEND_EVENT)) {
        return -EINVAL;
    }
    if ((action & XEN_GNT_SEND_EVENT) &&
        host->event_get(host->opaque, port) < 0) {
        return -EINVAL;
    }
    if (slot && slot->state != XEN_GNTDEV_INVALID) {
        request = request_of(file, slot);
    }
    if (!request || request->freed ||
        ((action & XEN_GNT_CLEAR_BYTE) && request->access == ACCESS_READ)) {
        if (action & XEN_GNT_SEND_EVENT) {
            host->event_put(host->opaque, port, false);
        }
        return request && !request->freed ? -EINVAL : -ENOENT;
    }

    /* Only now, for it may be the same port */
    if (request->action & XEN_GNT_SEND_EVENT) {
        host->event_put(host->opaque, request->port, false);
    }
    request->action = action;
    request->port = port;
    request->clear = index - ((uint64_t)slot->first <<
                              XEN_MACHINE_PAGE_SHIFT);
    return 0;
}

/* Copying */

/* One side of a copy: a page that is granted, or memory of the user's */
typedef struct Side {
    bool is_ref;
    bool write;
    domid_t domid;
    uint32_t ref;
    uint8_t *data;
} Side;

static int16_t take_side(const XenGntHost *host, Side *side, uint16_t offset)
{
    uint32_t frame;
    int16_t status;

    if (!side->is_ref) {
        return GNTST_okay;
    }
    status = xen_grant_table_pin(host->machine, host->domid, side->domid,
                                 side->ref, side->write, &frame);
    if (status == GNTST_okay) {
        side->data = xen_gnt_page(host, frame) + offset;
    }
    return status;
}

static void leave_side(const XenGntHost *host, const Side *side)
{
    if (side->is_ref) {
        xen_grant_table_unpin(host->machine, side->domid, side->ref,
                              side->write);
    }
}

int xen_gntdev_copy(const XenGntHost *host, XenGntdevSegment *segment)
{
    Side from = {
        .is_ref = segment->flags & GNTCOPY_source_gref,
        .domid = segment->source.foreign.domid,
        .ref = segment->source.foreign.ref,
        .data = segment->source.virt,
    };
    Side to = {
        .is_ref = segment->flags & GNTCOPY_dest_gref,
        .write = true,
        .domid = segment->dest.foreign.domid,
        .ref = segment->dest.foreign.ref,
        .data = segment->dest.virt,
    };
    int ret = 0;

    if ((!from.is_ref && !to.is_ref) ||
        (from.is_ref && segment->source.foreign.offset + segment->len >
                        XEN_MACHINE_PAGE_SIZE) ||
        (to.is_ref && segment->dest.foreign.offset + segment->len >
                      XEN_MACHINE_PAGE_SIZE)) {
        return -EINVAL;
    }

    segment->status = GNTST_okay;
    if (!segment->len) {
        return 0;
    }
    segment->status = take_side(host, &from, segment->source.foreign.offset);
    if (segment->status != GNTST_okay) {
        return 0;
    }
    segment->status = take_side(host, &to, segment->dest.foreign.offset);
    if (segment->status == GNTST_okay) {
        ret = host->copy(host->opaque, to.data, from.data, segment->len);
        leave_side(host, &to);
    }
    leave_side(host, &from);
    return ret;
}

/* Looking */

XenGntdevState xen_gntdev_state(const XenGntdevFile *file, uint32_t slot)
{
    return slot < file->config.slots ? file->slots[slot].state :
           XEN_GNTDEV_INVALID;
}

uint32_t xen_gntdev_in_use(const XenGntdevFile *file)
{
    return file->in_use;
}

uint32_t xen_gntdev_frames(const XenGntdevFile *file, uint32_t *frames,
                           uint32_t max)
{
    uint32_t count = 0, i;

    for (i = 0; i < file->fresh && count < max; i++) {
        if (file->slots[i].state == XEN_GNTDEV_MAPPED) {
            frames[count++] = file->slots[i].frame;
        }
    }
    return count;
}
