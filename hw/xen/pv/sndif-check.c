/*
 * sndif: from a guest's numbers to checked parameters
 *
 * Copyright (c) 2026 The Xen PV display and sound for QEMU authors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"

#include "sndif-check.h"

/*
 * The shortest buffer and period: each period takes a notification of the guest
 * and one of the buffer's ends a call of the host's audio layer.  Linux has no
 * buffer of less than 64 bytes either.
 */
#define MIN_BUFFER  64
#define MIN_NTH     1000        /* of a second */

/* Format codes end here; there is room for more in a mask of 64 bits */
#define NR_FORMATS  (XENSND_PCM_FORMAT_GSM + 1)

uint32_t xen_sndif_sample_size(uint32_t format)
{
    switch (format) {
    case XENSND_PCM_FORMAT_S8:
    case XENSND_PCM_FORMAT_U8:
    case XENSND_PCM_FORMAT_MU_LAW:
    case XENSND_PCM_FORMAT_A_LAW:
        return 1;
    case XENSND_PCM_FORMAT_S16_LE:
    case XENSND_PCM_FORMAT_S16_BE:
    case XENSND_PCM_FORMAT_U16_LE:
    case XENSND_PCM_FORMAT_U16_BE:
        return 2;
    case XENSND_PCM_FORMAT_S24_LE:
    case XENSND_PCM_FORMAT_S24_BE:
    case XENSND_PCM_FORMAT_U24_LE:
    case XENSND_PCM_FORMAT_U24_BE:
    case XENSND_PCM_FORMAT_S32_LE:
    case XENSND_PCM_FORMAT_S32_BE:
    case XENSND_PCM_FORMAT_U32_LE:
    case XENSND_PCM_FORMAT_U32_BE:
    case XENSND_PCM_FORMAT_F32_LE:
    case XENSND_PCM_FORMAT_F32_BE:
        return 4;
    case XENSND_PCM_FORMAT_F64_LE:
    case XENSND_PCM_FORMAT_F64_BE:
        return 8;
    default:
        return 0;
    }
}

uint64_t xen_sndif_pages(uint32_t size)
{
    return ((uint64_t)size + XEN_PGDIR_PAGE_SIZE - 1) / XEN_PGDIR_PAGE_SIZE;
}

/* Frames that last a millisecond, and as long as the owner wants: @us */
static uint32_t min_frames(uint32_t rate, uint32_t us)
{
    return MAX(DIV_ROUND_UP((uint64_t)rate, MIN_NTH),
               DIV_ROUND_UP((uint64_t)rate * us, 1000000));
}

static bool has_format(uint64_t formats, uint32_t format)
{
    return format < NR_FORMATS && (formats >> format & 1) &&
           xen_sndif_sample_size(format);
}

static bool has_rate(const XenSndifCaps *caps, uint32_t rate)
{
    uint32_t i;

    if (!caps->nr_rates) {
        return rate >= caps->rate_min && rate <= caps->rate_max;
    }
    for (i = 0; i < caps->nr_rates; i++) {
        if (caps->rates[i] == rate) {
            return true;
        }
    }
    return false;
}

/* Is it long enough? */
static int check_length(const XenSndifCaps *caps,
                        const XenSndifParams *params, XenPvWhy *why)
{
    uint64_t frame = params->frame_size;
    uint64_t buffer = params->buffer_size, period = params->period_size;
    uint64_t shortest = min_frames(params->rate, 0) * frame;
    uint64_t ticks = min_frames(params->rate, caps->buffer_us) * frame;

    if (buffer < MAX(shortest, MIN_BUFFER)) {
        return xen_pv_why(why, -EINVAL, "buffer of %" PRIu64 " bytes shorter "
                          "than a millisecond, %" PRIu64 ", or than %d", buffer,
                          shortest, MIN_BUFFER);
    }
    if (period && period < shortest) {
        return xen_pv_why(why, -EINVAL, "period of %" PRIu64 " bytes shorter "
                          "than a millisecond, %" PRIu64, period, shortest);
    }
    if (buffer < ticks) {
        return xen_pv_why(why, -EINVAL, "buffer of %" PRIu64 " bytes shorter "
                          "than two ticks of QEMU's, %" PRIu64 ": less takes "
                          "a lower timer-period of the audiodev", buffer,
                          ticks);
    }
    return 0;
}

/* May a stream have such samples, so many a second, so many at once? */
static int check_kind(const XenSndifCaps *caps,
                      const struct xensnd_open_req *req, XenPvWhy *why)
{
    uint32_t fewest = MAX(caps->channels_min, 1);

    if (!has_format(caps->formats, req->pcm_format)) {
        return xen_pv_why(why, -EINVAL, "sample format %u not offered",
                          req->pcm_format);
    }
    if (req->pcm_rate == 0 || !has_rate(caps, req->pcm_rate)) {
        return xen_pv_why(why, -EINVAL, "sample rate of %" PRIu32 " Hz not "
                          "offered", req->pcm_rate);
    }
    if (req->pcm_channels < fewest ||
        req->pcm_channels > caps->channels_max) {
        return xen_pv_why(why, -EINVAL, "%u channels, not the %" PRIu32 " to %"
                          PRIu32 " that are offered", req->pcm_channels,
                          fewest, caps->channels_max);
    }
    return 0;
}

int xen_sndif_check_open(const XenSndifCaps *caps,
                         const struct xensnd_open_req *req,
                         XenSndifParams *params, XenPvWhy *why)
{
    int ret;

    memset(params, 0, sizeof(*params));
    ret = check_kind(caps, req, why);
    if (ret < 0) {
        return ret;
    }

    params->rate = req->pcm_rate;
    params->format = req->pcm_format;
    params->channels = req->pcm_channels;
    params->frame_size = xen_sndif_sample_size(req->pcm_format) *
                         req->pcm_channels;
    params->buffer_size = req->buffer_sz;
    params->period_size = req->period_sz;

    if (req->buffer_sz == 0 || req->buffer_sz % params->frame_size) {
        return xen_pv_why(why, -EINVAL, "buffer of %" PRIu32 " bytes, not of "
                          "whole frames of %" PRIu32, req->buffer_sz,
                          params->frame_size);
    }
    if (req->buffer_sz > caps->buffer_max) {
        return xen_pv_why(why, -EINVAL, "buffer of %" PRIu32 " bytes, more "
                          "than the %" PRIu32 " that are offered",
                          req->buffer_sz, caps->buffer_max);
    }
    if (req->period_sz > req->buffer_sz) {
        return xen_pv_why(why, -EINVAL, "period of %" PRIu32 " bytes, longer "
                          "than the buffer of %" PRIu32, req->period_sz,
                          req->buffer_sz);
    }
    return check_length(caps, params, why);
}

int xen_sndif_check_range(uint32_t size, const struct xensnd_rw_req *req,
                          XenPvWhy *why)
{
    if (req->offset > size || req->length > size - req->offset) {
        return xen_pv_why(why, -EINVAL, "%" PRIu32 " bytes at %" PRIu32
                          " outside the buffer of %" PRIu32, req->length,
                          req->offset, size);
    }
    return 0;
}

/* Narrow an interval; returns whether anything is left of it */
static bool narrow(uint32_t *min, uint32_t *max, uint32_t low, uint64_t high)
{
    *min = MAX(*min, low);
    *max = MIN(*max, high);
    return *min <= *max;
}

static bool narrow_rates(const XenSndifCaps *caps, uint32_t *min,
                         uint32_t *max)
{
    uint32_t low = UINT32_MAX, high = 0, i;

    if (!caps->nr_rates) {
        return narrow(min, max, MAX(caps->rate_min, 1), caps->rate_max);
    }
    for (i = 0; i < caps->nr_rates; i++) {
        if (caps->rates[i] >= *min && caps->rates[i] <= *max) {
            low = MIN(low, caps->rates[i]);
            high = MAX(high, caps->rates[i]);
        }
    }
    *min = low;
    *max = high;
    return low <= high;
}

/* Of the formats that are left, the bytes of the smallest sample; or 0 */
static uint32_t narrow_formats(const XenSndifCaps *caps, uint64_t *formats,
                               uint32_t *largest)
{
    uint64_t left = 0;
    uint32_t smallest = 0, f;

    *largest = 0;
    for (f = 0; f < NR_FORMATS; f++) {
        uint32_t size = xen_sndif_sample_size(f);

        if ((*formats >> f & 1) && has_format(caps->formats, f)) {
            left |= 1ULL << f;
            smallest = smallest ? MIN(smallest, size) : size;
            *largest = MAX(*largest, size);
        }
    }
    *formats = left;
    return smallest;
}

/* Nothing is left of a range: @of says of what, with its unit */
static int no_such(const char *of, uint32_t min, uint32_t max,
                   const char *unit, XenPvWhy *why)
{
    return xen_pv_why(why, -EINVAL, "no such %s: %" PRIu32 " to %" PRIu32 "%s",
                      of, min, max, unit);
}

int xen_sndif_check_query(const XenSndifCaps *caps,
                          const struct xensnd_query_hw_param *req,
                          struct xensnd_query_hw_param *rsp, XenPvWhy *why)
{
    uint32_t sample, largest, frames, period;

    *rsp = *req;
    sample = narrow_formats(caps, &rsp->formats, &largest);
    if (!sample) {
        return xen_pv_why(why, -EINVAL, "no such sample format: none of 0x%"
                          PRIx64, req->formats);
    }
    if (!narrow_rates(caps, &rsp->rates.min, &rsp->rates.max)) {
        return no_such("sample rate", req->rates.min, req->rates.max, " Hz",
                       why);
    }
    if (!narrow(&rsp->channels.min, &rsp->channels.max,
                MAX(caps->channels_min, 1), caps->channels_max)) {
        return no_such("number of channels", req->channels.min,
                       req->channels.max, "", why);
    }
    frames = min_frames(rsp->rates.min, caps->buffer_us);
    period = min_frames(rsp->rates.min, 0);
    largest *= rsp->channels.max;
    if (!narrow(&rsp->buffer.min, &rsp->buffer.max,
                MAX(frames, DIV_ROUND_UP(MIN_BUFFER, largest)),
                caps->buffer_max / ((uint64_t)sample * rsp->channels.min))) {
        return no_such("buffer size", req->buffer.min, req->buffer.max,
                       " frames", why);
    }
    if (!narrow(&rsp->period.min, &rsp->period.max, period,
                rsp->buffer.max)) {
        return no_such("period", req->period.min, req->period.max, " frames",
                       why);
    }
    /* A buffer holds one period at least */
    rsp->buffer.min = MAX(rsp->buffer.min, rsp->period.min);
    return 0;
}

const char *xen_sndif_operation_name(uint8_t operation)
{
    switch (operation) {
    case XENSND_OP_OPEN:
        return "OPEN";
    case XENSND_OP_CLOSE:
        return "CLOSE";
    case XENSND_OP_READ:
        return "READ";
    case XENSND_OP_WRITE:
        return "WRITE";
    case XENSND_OP_SET_VOLUME:
        return "SET_VOLUME";
    case XENSND_OP_GET_VOLUME:
        return "GET_VOLUME";
    case XENSND_OP_MUTE:
        return "MUTE";
    case XENSND_OP_UNMUTE:
        return "UNMUTE";
    case XENSND_OP_TRIGGER:
        return "TRIGGER";
    case XENSND_OP_HW_PARAM_QUERY:
        return "HW_PARAM_QUERY";
    default:
        return NULL;
    }
}
