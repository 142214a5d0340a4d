# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest does with its sound card, and what is to come of it."""

import contextlib
import time

import numpy

from hosts import RATE, sounds
from machine import Failure, wait_until

# A server that is not given the processor in time loses sound by itself, and a
# source goes on whether or not somebody fetches what it has: what was not heard
# whole is tried again.
TRIES = 8

# How often a host may ask in a second, and how far a position may be from
# real time, in ms; QEMU's tick is one of 10 ms
MOST_CALLS = 400
MOST_DRIFT = 30

# Frames of different cases are told apart by their numbers
SPAN = 1 << 20


def write_frames(path, case, count):
    """So many frames of this case's."""
    index = numpy.arange(1, count + 1, dtype='u8') + case * SPAN
    path.write_bytes((index * sounds.FACTOR & 0xffffffff).astype('<u4')
                     .tobytes())


class Row:
    """One line of the table."""

    def __init__(self, case):
        self.case = case
        self.sent = self.heard = self.gaps = self.cpu = self.calls = None
        self.underruns = self.drift = self.faults = self.took = None
        self.tries = 0


def try_case(machine, name, number):
    """Its row, of the last try."""
    for attempt in range(TRIES):
        row = Row(name)
        CASES[name](machine, row, number + attempt * len(CASES))
        row.tries = attempt + 1
        if not row.faults:
            break
    return row


def heard_of(data, case):
    """Which frames of a case were heard, with places, and all else dropped."""
    index = sounds.read_indices(data).astype('i8') - case * SPAN
    at = numpy.flatnonzero((index > 0) & (index <= SPAN))
    return index[at], at


def judge(row, data, case, sent):
    """Compare what was heard, frame by frame."""
    frames, at = heard_of(data, case)
    row.sent, row.heard = sent, len(frames)
    row.gaps = int(at[-1] - at[0] + 1 - len(at)) if len(at) else 0
    whole = len(frames) == sent and \
        (frames == numpy.arange(1, sent + 1)).all()
    if not whole:
        breaks = numpy.flatnonzero(numpy.diff(frames) != 1)
        row.faults = f'{len(frames)} of {sent} frames, ' + (
            f'from {frames[0]} to {frames[-1]}, {len(breaks)} breaks'
            if len(frames) else 'all silent')


def hear(machine, row, case, sent, patience=15):
    """Wait until the last frame has arrived, or no more comes."""
    try:
        wait_until(lambda: sent in heard_of(machine.host.recorded(),
                                            case)[0], 'the last frame',
                   patience)
    except Failure:
        pass
    judge(row, machine.host.recorded(), case, sent)


def drain(machine, row, case, frames, buffer, period):
    """What snd_pcm_drain() does: stop once told that all was played."""
    path = machine.folder / 'sound'
    write_frames(path, case, frames)
    machine.guest.do(f'open-as {RATE} {buffer} {period}')
    start = time.monotonic()
    machine.guest.do(f'play {path}')
    row.took = time.monotonic() - start
    machine.guest.do('close')
    if machine.host.recorded:
        hear(machine, row, case, frames)


def position(machine):
    frame, us = machine.guest.do('position')[0].split()
    return int(frame), int(us)


def starve(machine, row, case, seconds):
    """A started stream that nobody feeds."""
    path = machine.folder / 'sound'
    sent = 4800
    write_frames(path, case, sent)
    machine.guest.do(f'open-as {RATE} 16384 480')
    machine.guest.do(f'start {path}')
    while position(machine)[0] < 2 * sent:
        pass
    before, underruns = machine.cpu(), machine.underruns()
    calls = machine.calls()
    first, begin = position(machine)
    time.sleep(seconds)
    last, end = position(machine)
    row.cpu = (machine.cpu() - before) * 100 / ((end - begin) / 1e6)
    row.calls = machine.calls() - calls
    row.underruns = machine.underruns() - underruns
    row.drift = (last - first) / RATE * 1000 - (end - begin) / 1000
    machine.guest.do('stop')
    machine.guest.do('close')
    if machine.host.recorded:
        hear(machine, row, case, sent)
    if row.calls > MOST_CALLS * seconds:
        row.faults = f'the host asked {row.calls} times in {seconds} s'
    elif row.underruns:
        row.faults = f'the host ran dry {row.underruns} times'
    elif abs(row.drift) > MOST_DRIFT:
        row.faults = f'the position is {row.drift:.0f} ms off'


def check_recorded(row, data, case):
    """From the first frame that was heard on, all of them were recorded.

    What comes before it is silent: the source begins at about the same time,
    and a new stream of PipeWire's begins with an empty cycle.
    """
    index = sounds.read_indices(data).astype('i8') - case * SPAN
    at = numpy.flatnonzero((index > 0) & (index <= SPAN))
    piece = index[at[0]:at[0] + row.sent] if len(at) else at
    breaks = numpy.flatnonzero(numpy.diff(piece) != 1)
    row.gaps = len(breaks)
    row.heard = len(piece) - len(breaks)
    if row.heard < row.sent:
        row.faults = f'{len(piece)} of {row.sent} frames, ' \
            f'{len(breaks)} breaks {breaks[:1]}'


def capture(machine, row, case, seconds):
    """What is recorded is what was played there, without a gap or repeat."""
    path, source = machine.folder / 'recorded', machine.folder / 'source'
    write_frames(source, case, 20 * RATE)
    row.sent = seconds * RATE
    playing = machine.host.playing or (lambda _: contextlib.nullcontext())
    with playing(source):
        start = time.monotonic()
        machine.guest.do(f'record {seconds + 1} {path}')
        row.took = time.monotonic() - start
    if machine.host.playing:
        check_recorded(row, path.read_bytes(), case)
    else:
        row.heard = min(path.stat().st_size // 4, row.sent)


CASES = {
    'drain of 150 ms': lambda m, r, c: drain(m, r, c, 7200, 8192, 1024),
    'drain of 417 ms': lambda m, r, c: drain(m, r, c, 20000, 24000, 6000),
    '2 periods of 20 ms': lambda m, r, c: drain(m, r, c, RATE, 1920, 960),
    'starved 4 s': lambda m, r, c: starve(m, r, c, 4),
    'capture 3 s': lambda m, r, c: capture(m, r, c, 3),
}
