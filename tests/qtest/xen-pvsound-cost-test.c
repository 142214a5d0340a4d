/*
 * QTest of what sound costs: the same song through xen-pvsound and through
 * QEMU's virtio-snd, so that one can be measured beside the other
 *
 * The guest hands over 4 KiB at a time, as long as there is room, and tells
 * the device of each.  Its memory is shared with the test, so that nothing but
 * that word goes through qtest.  For how long it plays is said by the
 * environment's XEN_PVSOUND_SECONDS: scripts/bench counts the instructions of
 * runs of different length, and takes the difference.
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/units.h"

#include <sys/mman.h>

#include "libqtest.h"
#include "libqos/malloc-pc.h"
#include "libqos/pci-pc.h"
#include "libqos/virtio-pci.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"
#include "standard-headers/linux/virtio_snd.h"

#include "../frontend/xen-front-sound.h"
#include "../frontend/xen-guest-testbed.h"

#define RATE        48000
#define FRAME       4               /* S16_LE, stereo */
#define BUFFER      65536
#define PERIOD      16384
#define CHUNK       4096
#define TICK        10000000ll      /* ns */

#define AUDIO       "-audiodev none,id=snd,out.frequency=48000 "

/* Folder of a test, with the guest's memory in it */
typedef struct Place {
    char *dir;
    char *memory;
    char *extra;
} Place;

static void place_begin(Place *p, const char *extra)
{
    GError *err = NULL;

    p->dir = g_dir_make_tmp("xen-pvsound-XXXXXX", &err);
    g_assert_no_error(err);
    p->memory = g_build_filename(p->dir, "memory", NULL);
    p->extra = g_build_filename(p->dir, extra, NULL);
}

static void place_end(Place *p)
{
    unlink(p->memory);
    unlink(p->extra);
    rmdir(p->dir);
    g_free(p->dir);
    g_free(p->memory);
    g_free(p->extra);
}

static uint32_t seconds(void)
{
    const char *text = getenv("XEN_PVSOUND_SECONDS");

    return text ? g_ascii_strtoull(text, NULL, 10) : 1;
}

/* The device has a second's sound or so ahead of what it has played */
static void check_played(uint64_t bytes)
{
    uint64_t whole = (uint64_t)RATE * FRAME * seconds();

    g_assert_cmpuint(bytes, >=, whole / 2);
    g_assert_cmpuint(bytes, <=, whole + BUFFER);
}

/* ----------------------------------------------------------- xen-pvsound */

static void test_xen(void)
{
    g_autofree uint8_t *data = g_malloc(CHUNK);
    XenFrontSound *sound;
    XenFrontStream *s;
    GError *err = NULL;
    XenGuest *guest;
    QTestState *qts;
    uint32_t i;
    Place p;

    memset(data, 0x11, CHUNK);
    place_begin(&p, "guest");
    qts = qtest_initf("-machine none -nodefaults "
                      "-object memory-backend-file,id=dom,size=64M,"
                      "share=on,mem-path=%s "
                      "-chardev socket,id=guest,path=%s,server=on,wait=off "
                      "-device xen-testbed,id=xen,memdev=dom,"
                      "chardev=guest%s "
                      AUDIO "-device xen-pvsound,audiodev=snd,streams=p",
                      p.memory, p.extra, xen_guest_testbed_options());
    guest = xen_guest_new(p.memory, p.extra, &err);
    g_assert_no_error(err);
    sound = xen_front_sound_new(guest, 0);
    g_assert_cmpint(xen_front_sound_connect(sound), ==, 0);
    s = &sound->streams[0];
    g_assert_cmpint(xen_front_stream_open(s, RATE, XENSND_PCM_FORMAT_S16_LE,
                                          2, BUFFER, PERIOD), ==, 0);
    g_assert_cmpint(xen_front_stream_trigger(s, XENSND_OP_TRIGGER_START), ==,
                    0);
    for (i = 0; i < seconds() * 100; i++) {
        while (xen_front_stream_room(s) >= CHUNK) {
            g_assert_cmpint(xen_front_stream_write(s, data, CHUNK), ==,
                            CHUNK);
        }
        qtest_clock_step(qts, TICK);
    }
    xen_front_stream_take_events(s);
    check_played(s->position);

    g_assert_cmpint(xen_front_stream_close(s), ==, 0);
    g_assert_cmpint(xen_front_sound_unload(sound), ==, 0);
    qtest_quit(qts);
    g_assert_cmpuint(xen_front_sound_free(sound), ==, 0);
    xen_guest_free(guest);
    place_end(&p);
}

/* ------------------------------------------------------------ virtio-snd */

#define GUEST_MEMORY    (64 * MiB)

/* Messages of three descriptors that the queue of 64 has room for */
#define MESSAGES        (BUFFER / CHUNK)

typedef struct VirtioSound {
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    QVirtioPCIDevice *pci;
    QVirtQueue *queues[VIRTIO_SND_VQ_MAX];
    uint8_t *memory;
    uint64_t page;              /* of the guest, for requests and data */
    uint16_t sent;              /* messages in the queue for playback */
} VirtioSound;

/* The page has a request or a message's header, its answer, and data */
#define ANSWER  2048
#define DATA    4096

static void set_desc(VirtioSound *v, QVirtQueue *vq, uint16_t i,
                     uint64_t addr, uint32_t len, uint16_t flags)
{
    struct vring_desc *desc = (void *)(v->memory + vq->desc);

    desc[i].addr = cpu_to_le64(addr);
    desc[i].len = cpu_to_le32(len);
    desc[i].flags = cpu_to_le16(flags);
    desc[i].next = cpu_to_le16(i + 1);
}

static void make_available(VirtioSound *v, QVirtQueue *vq, uint16_t head)
{
    struct vring_avail *avail = (void *)(v->memory + vq->avail);
    uint16_t idx = le16_to_cpu(avail->idx);

    avail->ring[idx % vq->size] = cpu_to_le16(head);
    qatomic_store_release(&avail->idx, cpu_to_le16(idx + 1));
    v->pci->vdev.bus->virtqueue_kick(&v->pci->vdev, vq);
}

static uint16_t used(VirtioSound *v, QVirtQueue *vq)
{
    struct vring_used *ring = (void *)(v->memory + vq->used);

    return le16_to_cpu(qatomic_load_acquire(&ring->idx));
}

/* ioeventfd is off: a request is answered when the kick has returned */
static void request(VirtioSound *v, const void *data, uint32_t size)
{
    QVirtQueue *vq = v->queues[VIRTIO_SND_VQ_CONTROL];
    struct virtio_snd_hdr *answer = (void *)(v->memory + v->page + ANSWER);
    uint16_t before = used(v, vq);

    memcpy(v->memory + v->page, data, size);
    memset(answer, 0xff, sizeof(*answer));
    set_desc(v, vq, 0, v->page, size, VRING_DESC_F_NEXT);
    set_desc(v, vq, 1, v->page + ANSWER, sizeof(*answer), VRING_DESC_F_WRITE);
    make_available(v, vq, 0);
    g_assert_cmpuint(used(v, vq), ==, (uint16_t)(before + 1));
    g_assert_cmphex(le32_to_cpu(answer->code), ==, VIRTIO_SND_S_OK);
}

static void request_pcm(VirtioSound *v, uint32_t code)
{
    struct virtio_snd_pcm_hdr req = { .hdr.code = cpu_to_le32(code) };

    request(v, &req, sizeof(req));
}

static void send_chunk(VirtioSound *v)
{
    QVirtQueue *vq = v->queues[VIRTIO_SND_VQ_TX];
    uint16_t head = v->sent++ % MESSAGES * 3;

    set_desc(v, vq, head, v->page, sizeof(struct virtio_snd_pcm_xfer),
             VRING_DESC_F_NEXT);
    set_desc(v, vq, head + 1, v->page + DATA, CHUNK, VRING_DESC_F_NEXT);
    set_desc(v, vq, head + 2, v->page + ANSWER,
             sizeof(struct virtio_snd_pcm_status), VRING_DESC_F_WRITE);
    make_available(v, vq, head);
}

static void virtio_start(VirtioSound *v, const Place *p)
{
    QPCIAddress address = { .devfn = QPCI_DEVFN(4, 0) };
    QVirtioDevice *dev;
    uint64_t features;
    int fd, i;

    v->qts = qtest_initf("-machine pc,memory-backend=ram -nodefaults "
                         "-m 64M -global apic-common.vapic=off "
                         "-object memory-backend-file,id=ram,size=64M,"
                         "share=on,mem-path=%s -bios %s " AUDIO
                         "-device virtio-sound-pci,audiodev=snd,streams=1,"
                         "addr=04.0,ioeventfd=off,disable-legacy=on",
                         p->memory, p->extra);
    fd = open(p->memory, O_RDWR);
    g_assert_cmpint(fd, >=, 0);
    v->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
                     fd, 0);
    g_assert_true(v->memory != MAP_FAILED);
    close(fd);

    pc_alloc_init(&v->alloc, v->qts, ALLOC_NO_FLAGS);
    v->bus = qpci_new_pc(v->qts, &v->alloc);
    v->pci = virtio_pci_new(v->bus, &address);
    g_assert_nonnull(v->pci);
    dev = &v->pci->vdev;
    qvirtio_pci_device_enable(v->pci);
    qvirtio_start_device(dev);
    features = qvirtio_get_features(dev);
    features &= ~(QVIRTIO_F_BAD_FEATURE | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
                  1ull << VIRTIO_RING_F_EVENT_IDX);
    qvirtio_set_features(dev, features);
    for (i = 0; i < VIRTIO_SND_VQ_MAX; i++) {
        v->queues[i] = qvirtqueue_setup(dev, &v->alloc, i);
    }
    g_assert_cmpuint(v->queues[VIRTIO_SND_VQ_TX]->size, >=, 3 * MESSAGES);
    qvirtio_set_driver_ok(dev);
    v->page = guest_alloc(&v->alloc, DATA + CHUNK);
}

static void virtio_end(VirtioSound *v)
{
    int i;

    for (i = 0; i < VIRTIO_SND_VQ_MAX; i++) {
        qvirtqueue_cleanup(v->pci->vdev.bus, v->queues[i], &v->alloc);
    }
    guest_free(&v->alloc, v->page);
    qvirtio_pci_device_disable(v->pci);
    g_free(v->pci->pdev);
    g_free(v->pci);
    qpci_free_pc(v->bus);
    alloc_destroy(&v->alloc);
    qtest_quit(v->qts);
    munmap(v->memory, GUEST_MEMORY);
}

static void play_virtio(VirtioSound *v)
{
    const struct virtio_snd_pcm_set_params params = {
        .hdr.hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_SET_PARAMS),
        .buffer_bytes = cpu_to_le32(BUFFER),
        .period_bytes = cpu_to_le32(CHUNK),
        .channels = 2,
        .format = VIRTIO_SND_PCM_FMT_S16,
        .rate = VIRTIO_SND_PCM_RATE_48000,
    };
    QVirtQueue *vq = v->queues[VIRTIO_SND_VQ_TX];
    uint64_t played = 0;
    uint16_t before = 0;
    uint32_t i;

    request(v, &params, sizeof(params));
    request_pcm(v, VIRTIO_SND_R_PCM_PREPARE);
    request_pcm(v, VIRTIO_SND_R_PCM_START);
    /* From now on it is the header of all messages: stream 0 */
    memset(v->memory + v->page, 0, sizeof(struct virtio_snd_pcm_xfer));
    memset(v->memory + v->page + DATA, 0x11, CHUNK);
    for (i = 0; i < seconds() * 100; i++) {
        uint16_t now = used(v, vq);

        played += (uint64_t)(uint16_t)(now - before) * CHUNK;
        before = now;
        while ((uint16_t)(v->sent - now) < MESSAGES) {
            send_chunk(v);
        }
        qtest_clock_step(v->qts, TICK);
    }
    check_played(played);
    request_pcm(v, VIRTIO_SND_R_PCM_STOP);
    request_pcm(v, VIRTIO_SND_R_PCM_RELEASE);
}

static void test_virtio(void)
{
    /* Something that a PC takes for its firmware; it never runs */
    g_autofree char *bios = g_malloc0(64 * KiB);
    VirtioSound v = { 0 };
    Place p;

#ifdef QEMU_SANITIZE_ADDRESS
    /* Our own card is tested all the same; this one is here to compare */
    g_test_skip("QEMU's virtio-snd hands over samples that are not aligned, "
                "which its sanitizers do not let pass");
    return;
#endif
    place_begin(&p, "bios");
    g_assert_true(g_file_set_contents(p.extra, bios, 64 * KiB, NULL));
    virtio_start(&v, &p);
    play_virtio(&v);
    virtio_end(&v);
    place_end(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/xen-pvsound-cost/xen-pvsound", test_xen);
    qtest_add_func("/xen-pvsound-cost/virtio-snd", test_virtio);
    return g_test_run();
}
