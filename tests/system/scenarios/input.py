# SPDX-License-Identifier: GPL-2.0-or-later

import os
import struct
import time

import pictures
from testbench import CARD, documented

EV_KEY, EV_ABS = 1, 3
KEY_A, KEY_B, BTN_LEFT = 30, 48, 0x110
ABS_X, ABS_Y = 0, 1

# QMP's pointer positions are in this range, whatever the screen's size.
RANGE = 0x7fff


def scenario_input(bench):
    """keyboard, pointer and VNC beside a card, without a vfb"""
    guest = bench.guest("input", config=documented("channel"))
    bench.start(guest)
    bench.picture_comes(guest, "the picture, with no vfb", "vdispl-0", 0,
                        bench.first_connector(guest), 1024, 768)
    guest.sh("play show %s -s %s:1024x768@XR24" %
             (CARD, bench.first_connector(guest)))
    expected = pictures.smpte(1024, 768)
    bench.shown(guest, "vdispl-0", 0, expected)
    is_in_vnc(bench, guest, "the picture in VNC, whose server was there "
              "before the card", expected)
    guest.sh("endplay show", 60)
    input_arrives(bench, guest, "vdispl-0", 1024, 768)
    bench.nothing_stays(guest)


def input_arrives(bench, guest, console, width, height):
    """Keys, positions and clicks on a screen, by QMP and over VNC."""
    tap = bench.tap
    guest.sh("modprobe evdev; modprobe xen-kbdfront")
    devices = guest.sh("cat /sys/class/input/input*/name")
    for name in ("Xen Virtual Keyboard", "Xen Virtual Pointer"):
        tap.ok(name in devices, "%s: the guest has a %s" % (guest.name, name),
               None if name in devices else devices)
    guest.sh("for event in /dev/input/event*; do "
             "cat $event >> /tmp/${event##*/}.log & done")

    for down in True, False:
        send(guest, console, ("key", {"down": down, "key": {"type": "qcode",
                                                            "data": "a"}}))
    expect(bench, guest, "a key arrives", (EV_KEY, KEY_A, 1),
           (EV_KEY, KEY_A, 0))
    last = width - 1, height - 1
    for x, y in (width // 2, height // 2), last, (0, 1):
        send(guest, console,
             ("abs", {"axis": "x", "value": -(-x * RANGE // last[0])}),
             ("abs", {"axis": "y", "value": -(-y * RANGE // last[1])}))
        expect(bench, guest, "the pointer goes to (%d,%d)" % (x, y),
               (EV_ABS, ABS_X, x), (EV_ABS, ABS_Y, y))
    for down in True, False:
        send(guest, console, ("btn", {"down": down, "button": "left"}))
    expect(bench, guest, "a click arrives", (EV_KEY, BTN_LEFT, 1),
           (EV_KEY, BTN_LEFT, 0))

    vnc(bench, 0, "key:0x62", "click:300,200")
    expect(bench, guest, "a key and a click arrive from VNC",
           (EV_KEY, KEY_B, 1), (EV_KEY, KEY_B, 0),
           (EV_ABS, ABS_X, from_vnc(300, width)),
           (EV_ABS, ABS_Y, from_vnc(200, height)),
           (EV_KEY, BTN_LEFT, 1), (EV_KEY, BTN_LEFT, 0))


def send(guest, console, *events):
    guest.qmp("input-send-event", device=console, head=0, events=[
        {"type": kind, "data": data} for kind, data in events])


def expect(bench, guest, what, *expected):
    """Look for events, in any order, among those that came since."""
    wait = 20 * bench.machine.patience
    deadline = time.monotonic() + wait
    while True:
        dump = guest.sh("for log in /tmp/event*.log; do "
                        "hexdump -v -e '24/1 \"%02x\" \"\\n\"' $log; done")
        # Each has 16 bytes of time.
        seen = [struct.unpack("<HHi", bytes.fromhex(line)[16:])
                for line in dump.split() if len(line) == 48]
        missing = set(expected) - set(seen)
        if not missing or time.monotonic() > deadline:
            break
    bench.tap.ok(not missing, "%s: %s" % (guest.name, what),
                 "missing: %s, seen: %s" % (sorted(missing), seen)
                 if missing else None)
    guest.sh("for log in /tmp/event*.log; do : > $log; done")


def from_vnc(position, size):
    """What QEMU makes of a position on its way from VNC to the guest."""
    return position * RANGE // size * (size - 1) // RANGE


def vnc(bench, number, *actions):
    """Let a VNC viewer of the control domain do something."""
    bench.machine.sh("python3 /share/dom0-vnc 127.0.0.1 %d %s" %
                     (5900 + number, " ".join(actions)), 60)


def in_vnc(bench, guest, number, *actions):
    """What a viewer shows, after some actions."""
    name = guest.name + "-vnc.ppm"
    vnc(bench, number, *actions, "save:/share/" + name)
    return pictures.read_ppm(os.path.join(bench.machine.share, name))


def is_in_vnc(bench, guest, what, expected, *actions, number=0):
    complaint = in_vnc(bench, guest, number, *actions).difference(expected)
    bench.tap.ok(complaint is None, "%s: %s" % (guest.name, what), complaint)
