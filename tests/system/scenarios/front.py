# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's own frontend, which obeys the test: what is mapped, and when."""

import pictures
from xensystem import MINIMUM

from .sound import Song, find, recording, wav

SIZE = 320, 240
PAGES = -(-SIZE[0] * SIZE[1] * 4 // 4096)
RATE = 48000


class Front:
    """xen-front in a guest, which has not loaded Linux's drivers."""

    def __init__(self, guest):
        self.guest = guest
        guest.sh("modprobe -a xen-evtchn xen-gntalloc && "
                 "echo 100000 > /sys/module/xen_gntalloc/parameters/limit && "
                 "play front xen-front; "
                 "until [ -e /tmp/front.log ]; do usleep 20000; done")

    def do(self, command, timeout=60):
        """Obey a command; return whether it worked, and what it printed."""
        status, out = self.guest.sh(
            "log=/tmp/front.log; answers() { grep -c '^ok$\\|^failed' $log; }; "
            "before=$(answers); lines=$(wc -l < $log); "
            "echo '%s' > /tmp/front.in; "
            "until [ $(answers) -gt $before -o -e /tmp/front.status ]; do "
            "usleep 50000; done; tail -n +$((lines + 1)) $log; "
            "tail -n 1 $log | grep -qx ok" % command, timeout, check=False)
        return status == 0, out

    def end(self):
        return self.guest.sh("endplay front", 60, check=False)


def drawn(width, height, seed):
    """The picture that xen-front draws."""
    rows = bytearray()
    for y in range(height):
        row = y * 0x85ebca6b ^ seed * 0xc2b2ae35
        for x in range(width):
            value = (x * 0x01000193 ^ row) & 0xffffffff
            value ^= value >> 15
            rows += bytes((value >> 16 & 255, value >> 8 & 255, value & 255))
    return pictures.Picture(width, height, bytes(rows))


class Look:
    """Does something in the guest, and looks at what is mapped then."""

    def __init__(self, bench, guest):
        self.bench, self.guest = bench, guest
        self.front = Front(guest)
        self.idle = bench.grants(guest.domid)

    def does(self, command, mapped, timeout=60):
        """Obey a command; so many more pages than at first are mapped then."""
        worked, out = self.front.do(command, timeout)
        found = self.bench.grants(self.guest.domid) - self.idle
        self.bench.tap.ok(worked and found == mapped,
                          "%s: %s: %d pages are mapped" %
                          (self.guest.name, command, mapped),
                          out if out != "ok\n" else None,
                          None if found == mapped else "%d are" % found)

    def sees(self, seed):
        complaint = self.bench.shown(self.guest, "disp0", 0,
                                     drawn(*SIZE, seed))
        self.bench.tap.ok(complaint is None, "%s: its picture is shown" %
                          self.guest.name, complaint)


def scenario_front(bench):
    """a program in the guest plays frontend by itself"""
    guest = bench.guest(
        "front", config={
            "device_model_args_pv": MINIMUM["device_model_args_pv"] +
            wav("front", "out.frequency=%d" % RATE)},
        devices=["xen-pvdisplay,id=disp0,connectors=%dx%d" % SIZE,
                 "xen-pvsound,id=snd0,audiodev=front,streams=p"])
    guest.create()
    guest.wait_ready()
    look = Look(bench, guest)
    display(look)
    sound(look)
    survives(look)
    bench.nothing_stays(guest)


def display(look):
    # a ring and an event page, then all that the picture has
    look.does("connect-display", 2)
    for seed in (1, 2):
        look.does("draw %d" % seed, 2 + PAGES)
        look.sees(seed)
        look.does("destroy", 2)
    look.does("draw 3", 2 + PAGES)
    look.does("disconnect-display", 0)


def sound(look):
    song = Song("S16_LE", RATE, 3, 1000000)
    song.compose(look.guest)
    look.does("connect-sound", 2)
    look.does("open %d" % RATE, 2)
    # A second's buffer is mapped while it is played, and until it is closed
    look.does("play /tmp/song", 2 + -(-RATE * 4 // 4096), 120)
    look.does("close", 2)
    look.does("disconnect-sound", 0)
    look.guest.qmp("device_del", id="snd0")
    gone, _ = look.guest.backend_goes("vsnd")
    _, complaint = find(recording(look.bench, "front"), song)
    look.bench.tap.ok(gone and complaint is None,
                      "%s: is recorded bit for bit: %s" %
                      (look.guest.name, song), complaint)


def survives(look):
    """QEMU dies with a picture on its screen, and comes back."""
    guest, tap = look.guest, look.bench.tap
    look.does("connect-display", 2)
    look.does("draw 4", 2 + PAGES)
    command = guest.kill_qemu()
    left = look.bench.grants(guest.domid) - look.idle
    tap.ok(left == 0, "%s: nothing is mapped when QEMU has died" % guest.name,
           "%d pages are" % left)
    guest.start_qemu(command)
    look.does("disconnect-display", 0)
    look.does("connect-display", 2)
    look.does("draw 5", 2 + PAGES)
    look.sees(5)
    look.does("disconnect-display", 0)
