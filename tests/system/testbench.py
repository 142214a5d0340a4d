# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scenarios share: TAP, and what they do with guests and cards."""

import ast
import json
import os
import re
import sys
import threading
import time

import manual
import pictures
from xensystem import Failure, Guest

CARD = "modetest -M xendrm-du"

# What Linux's driver offers beside XR24, with the bits of each colour in it;
# None: colours cannot come back exactly.
FORMATS = {"AR24": (8, 8, 8), "RG24": (8, 8, 8), "RG16": (5, 6, 5),
           "XR15": (5, 5, 5), "AR15": (5, 5, 5), "XR12": (4, 4, 4),
           "AR12": (4, 4, 4), "YUYV": None}

# Flips a second which pass: a guest must not run ahead of the 60 Hz it was
# promised. An emulated machine cannot keep up, the less if the real one is
# busy; a flip whose event only comes with a timeout of the driver's is slower
# than the least by far.
FLIPS_LEAST, FLIPS_MOST = 4, 66


def documented(name):
    """Settings of xl.cfg as the manual prints them, by their name there."""
    settings = {"vfb": None, "device_model_args_pv": []}
    # A value may go on in lines that are indented deeper
    text = "\n".join(manual.printed("example " + name))
    for line in re.sub(r"\n +", " ", text).splitlines():
        key, value = line.split("=", 1)
        settings[key.strip()] = ast.literal_eval(value.strip())
    return settings


class Tap:
    """TAP on standard output, from any number of threads."""

    def __init__(self, progress=None):
        self.count = self.failed = 0
        self.lock = threading.RLock()
        self.progress = progress

    def say(self, lines):
        with self.lock:
            if self.progress:
                self.progress.end()
            for line in lines:
                print(line)
            sys.stdout.flush()

    def ok(self, passed, name, *notes):
        notes = ["# " + line for note in notes if note
                 for line in str(note).splitlines()]
        with self.lock:
            self.count += 1
            self.failed += not passed
            result = ["%sok %d - %s" % ("" if passed else "not ", self.count,
                                        name)]
            # What explains a failure is read with what stands before it
            self.say(result + notes if passed else notes + result)
        return passed

    def skip(self, name, why):
        with self.lock:
            self.count += 1
            self.say(["ok %d - %s # SKIP %s" % (self.count, name, why)])

    def note(self, text):
        self.say("# " + line for line in str(text).splitlines())


class Bench:
    """What the scenarios share: the machine, its QEMUs, and TAP."""
    GUEST = Guest

    def __init__(self, machine, tap, trace, long=False):
        """long: whether to do everything, and not a share of it."""
        self.machine, self.tap, self.trace = machine, tap, trace
        self.long = long

    def guest(self, name, devices=(), **options):
        args = []
        if self.trace:
            args += ["-trace", "xen_pv*", "-D", "/share/log/trace-%s" % name]
        for device in devices:
            args += ["-device", device]
        return self.GUEST(self.machine, name, args, **options)

    def start(self, guest):
        """Create a guest, boot it, load its driver."""
        took = guest.create()
        self.tap.ok(True, "%s: xl create" % guest.name, "%.1f s" % took)
        self.boot(guest)

    def boot(self, guest):
        guest.wait_ready()
        loaded, out = self.load_driver(guest)
        if not self.tap.ok(loaded, "%s: Linux's driver finds the card" %
                           guest.name, None if loaded else out):
            raise Failure("no card in the guest")

    def first_connector(self, guest):
        found = self.connectors(guest)
        if not found:
            raise Failure("no connector in the guest")
        return found[0][0]

    def grants(self, domid):
        """How many of a guest's grants are mapped; None: no such domain.

        Xen's own account, and that of the table which it shares with the
        guest; they are not taken at the same moment.
        """
        for _ in range(5):
            shared = self.shared_grants(domid)
            active = self.active_grants(domid)
            if shared is None or shared == active:
                return active
        raise Failure("of domain %d's grants, Xen has %s mapped, but %s are "
                      "marked so" % (domid, active, shared))

    def shared_grants(self, domid):
        """As xen-grants counts those that are mapped; None: it cannot.

        A domain's own table is not for it to map, and that of one which dies
        for nobody.
        """
        if domid == 0:
            return None
        status, out = self.machine.sh("/opt/qemu/bin/xen-grants --json "
                                      "--summary %d" % domid, check=False)
        return json.loads(out)["mapped"] if status == 0 else None

    def active_grants(self, domid):
        """As Xen lists those that are mapped; None: no such domain."""
        self.machine.sh("xl dmesg -c > /dev/null; xl debug-keys g")
        done, text = self.machine.until(
            "xl dmesg > /tmp/grants; grep -q 'print_all ]' /tmp/grants && "
            "cat /tmp/grants", 30)
        if not done:
            raise Failure("Xen does not list its grant tables")
        found = re.search(r"grant-table for remote d%d\b(.*?)"
                          r"(?=grant-table for|print_all \])" % domid,
                          text, re.S)
        if not found:
            return None
        return len(re.findall(r"^\(XEN\) \[0x[0-9a-f]+\]", found.group(1),
                              re.M))

    def load_driver(self, guest):
        """Load the guest's driver and wait for its card.

        It is the second one while a program has that which was there before.
        """
        guest.sh("modprobe drm_xen_front", 60)
        status, out = guest.sh(
            "n=0; until ls /dev/dri/card* 2> /dev/null; do n=$((n + 1)); "
            "[ $n -lt 200 ] || { dmesg | tail -n 20; exit 1; }; "
            "usleep 100000; done", 60, check=False)
        return status == 0, out

    def card_has_gone(self, guest):
        """Wait until the guest has let go of its card.

        Linux takes a second longer to forget the device than to remove the
        card. A new device of the same number must not come earlier: Linux
        would take it for the old one.
        """
        status, _ = guest.sh(
            "n=0; while [ -e /sys/class/drm/card0 -o "
            "-e /sys/devices/vdispl-0 ]; do n=$((n + 1)); "
            "[ $n -lt 200 ] || exit 1; usleep 100000; done", 60, check=False)
        return status == 0

    def connectors(self, guest):
        """(id, name) of each connector, as modetest lists them."""
        out = guest.sh(CARD + " -c", 60)
        return re.findall(r"^(\d+)\s+\d+\s+connected\s+(\S+)", out, re.M)

    def screendump(self, guest, console=None, head=0):
        """What a console shows; without a name the first one."""
        file = "%s-%s-%d.ppm" % (guest.name, console or "first", head)
        which = {"device": console, "head": head} if console else {}
        guest.qmp("screendump", filename="/share/" + file, **which)
        return pictures.read_ppm(os.path.join(self.machine.share, file))

    def has_buffer(self, guest, console, head):
        """Whether the guest has something on this screen."""
        return "buffer" in guest.status(console)["connectors"][head]

    def shown(self, guest, console, head, expected, timeout=60, roughly=False):
        """Wait until a console shows a picture; return a complaint or None."""
        deadline = time.monotonic() + timeout * self.machine.patience
        self.machine.progress.begin("waiting for the picture on %s head %d" %
                                    (console, head))
        # A screendump keeps QEMU from serving the guest, which is impatient
        while (not self.has_buffer(guest, console, head) and
               time.monotonic() < deadline):
            time.sleep(0.2)
        while True:
            picture = self.screendump(guest, console, head)
            complaint = picture.difference(expected)
            # Colours on an edge are shared, and all are rounded twice
            if complaint and roughly and picture.resembles(expected, 8, 0.02):
                complaint = None
            if complaint is None or time.monotonic() > deadline:
                break
        self.machine.progress.end()
        picture.write_png(os.path.join(
            self.machine.logs, "%s-%s-%d.png" % (guest.name, console, head)))
        return complaint

    def picture_comes(self, guest, what, console, head, connector, width,
                      height, form="XR24"):
        """modetest's picture, pixel by pixel."""
        guest.sh("play show %s -s %s:%dx%d@%s" %
                 (CARD, connector, width, height, form))
        complaint = self.shown(guest, console, head,
                               pictures.smpte(width, height))
        status, out = guest.sh("endplay show", 60, check=False)
        return self.tap.ok(complaint is None and status == 0, "%s: %s" %
                           (guest.name, what), complaint,
                           out if complaint or status else None)

    def picture_is_right(self, guest, console, head, connector, width, height,
                         owner=None):
        """modetest's picture, and what it leaves behind.

        The owner is the domain which grants the picture's pages: the guest,
        or with be-alloc 0.
        """
        tap = self.tap
        owner = guest.domid if owner is None else owner
        idle = self.grants(owner)
        start = time.monotonic()
        guest.sh("play show %s -s %s:%dx%d@XR24" %
                 (CARD, connector, width, height))
        complaint = self.shown(guest, console, head,
                               pictures.smpte(width, height))
        tap.ok(complaint is None,
               "%s: %s head %d shows modetest's picture" %
               (guest.name, console, head), complaint,
               "after %.1f s" % (time.monotonic() - start))
        pages = -(-width * height * 4 // 4096)
        busy = self.grants(owner)
        tap.ok(busy == idle + pages,
               "%s: just the picture's pages are mapped" % guest.name,
               "%d grants mapped, %d before, %d pages in the picture" %
               (busy, idle, pages))
        status, out = guest.sh("endplay show", 60, check=False)
        tap.ok(status == 0, "%s: modetest ends well" % guest.name,
               out if status else None)
        left = self.grants(owner)
        tap.ok(left == idle,
               "%s: no page of the picture stays mapped" % guest.name,
               "%d grants mapped, %d before" % (left, idle))

    def flips_are_paced(self, guest, connector, width, height, rounds=5):
        """modetest's flip test, and the rate it reports."""
        guest.sh("play flip %s -v -s %s:%dx%d@XR24" %
                 (CARD, connector, width, height))
        self.machine.progress.begin("flipping")
        self.flips_go_on(guest, rounds)
        status, out = guest.sh("endplay flip", 60, check=False)
        rates = [float(rate) for rate in re.findall(r"freq: ([\d.]+)Hz", out)]
        tap = self.tap
        tap.ok(status == 0 and len(rates) >= rounds and
               "select timed out" not in out,
               "%s: flips go on for %d rounds" % (guest.name, rounds),
               out if status or len(rates) < rounds else None)
        # The first round includes the start.
        steady = rates[1:]
        tap.ok(bool(steady) and min(steady) > FLIPS_LEAST and
               max(steady) < FLIPS_MOST,
               "%s: flips are paced at the refresh rate" % guest.name,
               "rates in Hz: " + " ".join("%.2f" % rate for rate in rates))

    def flips_go_on(self, guest, rounds=2):
        """Wait for some more rounds of flips, of 60 each."""
        status, _ = guest.sh(
            "flips() { grep -c freq /tmp/flip.log; }; "
            "end=$(($(flips) + %d)); n=0; until [ $(flips) -ge $end ]; do "
            "n=$((n + 1)); [ $n -lt 300 ] || exit 1; usleep 200000; done" %
            rounds, 90, check=False)
        return status == 0

    def keep_dmesg(self, guest):
        try:
            log = guest.sh("dmesg", 60)
        except Failure as e:
            log = str(e)
        with open(os.path.join(self.machine.logs, guest.name + ".dmesg"),
                  "a") as f:
            f.write(log)
        return log

    def nothing_stays(self, guest):
        """Destroy a guest and look for what is left of it."""
        self.keep_dmesg(guest)
        domid = guest.domid
        guest.destroy()
        self.nothing_is_left(guest, domid)

    def nothing_is_left(self, guest, domid):
        tap, machine = self.tap, self.machine
        gone, out = machine.until("! pgrep -af '[-]xen-domid %d '" % domid, 30)
        tap.ok(gone, "%s: QEMU has ended" % guest.name, None if gone else out)
        gone, out = machine.until(
            "! xl list | awk '{ print $(NF - 4) }' | grep -qx %d || "
            "{ xl list; false; }" % domid, 30)
        tap.ok(gone, "%s: the domain is gone" % guest.name,
               None if gone else out)
        grants = self.grants(domid)
        tap.ok(not grants, "%s: none of its grants is mapped" % guest.name,
               "%d grants mapped" % grants if grants else None)
        # Like all of QEMU's backends it leaves the folder of the domain's
        # number, which is empty, to the toolstack.
        gone, out = machine.until(
            "! xenstore-ls -f /local/domain/0/backend/vdispl 2>/dev/null | "
            "grep '/vdispl/%d/'" % domid, 10)
        tap.ok(gone, "%s: no backend node is left" % guest.name,
               None if gone else out)

    def formats_are_right(self, guest, console, head, connector, width,
                          height):
        """The picture in each of the formats which Linux's driver offers."""
        for name, bits in FORMATS.items():
            expected = pictures.smpte(width, height)
            roughly = bits is None
            if bits:
                expected = expected.quantized(*bits)
            guest.sh("play show %s -s %s:%dx%d@%s" %
                     (CARD, connector, width, height, name))
            complaint = self.shown(guest, console, head, expected, 20, roughly)
            status, out = guest.sh("endplay show", 60, check=False)
            self.tap.ok(complaint is None, "%s: the picture%s in format %s" %
                        (guest.name, ", roughly," if roughly else "", name),
                        complaint, out if status else None)

    def unload_driver(self, guest):
        # xenbus keeps the driver in use until it is unbound
        unbind, remove = manual.printed("scenario device/unload")
        return guest.sh(
            "for card in /sys/bus/xen/drivers/vdispl/vdispl-*; do %s; done; "
            "%s" % (unbind.replace("vdispl-0", "${card##*/}"), remove), 60,
            check=False)

    def driver_reloads(self, guest, console, head, connector, width, height,
                       times=3):
        """Unload the driver and load it again; a picture now and then."""
        tap, idle = self.tap, self.grants(guest.domid)
        slowest = 0
        for n in range(1, times + 1):
            start = time.monotonic()
            status, out = self.unload_driver(guest)
            slowest = max(slowest, time.monotonic() - start)
            loaded = False
            if status == 0:
                loaded, out = self.load_driver(guest)
            if not loaded:
                tap.ok(False, "%s: reload %d of the driver" % (guest.name, n),
                       out)
                return
            if n % 10 == 1 or n == times:
                self.picture_comes(
                    guest, "the picture is back after reload %d of the driver"
                    % n, console, head, connector, width, height)
        left = self.grants(guest.domid)
        tap.ok(left == idle, "%s: as many grants are mapped as before" %
               guest.name, "%d grants mapped, %d before" % (left, idle),
               "unloading took up to %.1f s" % slowest)
        # All of it would take a slow serial port too long
        slow = guest.sh("dmesg | grep 'while removing' || true", 60)
        tap.ok(not slow, "%s: the driver never waited in vain while unloading"
               % guest.name, slow)
