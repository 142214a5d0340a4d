# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile guest beside one that behaves well, and endurance.

The attacks are those of tests/frontend, sent by a program in the guest:
through the real hypervisor, and what no Linux driver would ever send.
"""

import os
import re
import time

import manual
from testbench import CARD
from xensystem import MINIMUM

from .front import Front
from .sound import Song, card_comes, recording, wav

# A short run mounts one of so many attacks of each group
SHARE = 3

# Connections, in a short run and in a long one
CYCLES, CYCLES_LONG = 25, 200
WARM_UP = 5

# Of the sound beside the attacks: it costs little
RATE = 8000

# In Hz, of the screen beside them: an emulated processor is for the attacks
REFRESH = 20

# Pages that QEMU may share with guests while it is attacked: fewer than an
# attack asks for
LIMIT = "/sys/module/xen_gntalloc/parameters/limit"
SHARED = 256

# How long the monitor may take, in seconds, beside all that is emulated
MONITOR = 10


def front_guest(bench, name):
    """A guest in which xen-front plays frontend, and its xen-front."""
    guest = bench.guest(
        name, config={
            "device_model_args_pv": MINIMUM["device_model_args_pv"] +
            ["-audiodev", "none,id=silent"]},
        devices=["xen-pvdisplay,id=disp0,connectors=160x120;160x120,"
                 "be-alloc=on,x-connect-pause=1",
                 "xen-pvsound,id=snd0,audiodev=silent,streams=pc,"
                 "x-connect-pause=1"])
    guest.create()
    guest.wait_ready()
    return guest, Front(guest)


def scenario_cycles(bench):
    """a guest that connects and disconnects over and over"""
    guest, front = front_guest(bench, "cycles")
    endures(bench, guest, front)
    bench.nothing_stays(guest)


def scenario_hostile(bench):
    """a hostile guest, and another which goes on flipping and playing"""
    guest, front = front_guest(bench, "hostile")
    witness = Witness(bench)
    limit = bench.machine.sh("cat %s; echo %d > %s" % (LIMIT, SHARED, LIMIT))
    try:
        attacks(bench, guest, front, witness)
    finally:
        bench.machine.sh("echo %s > %s" % (limit.strip(), LIMIT))
    witness.is_content()
    bench.nothing_stays(witness.guest)
    bench.nothing_stays(guest)


class Table:
    """Rows with a headline, for people."""

    def __init__(self, tap, *titles):
        self.tap, self.rows = tap, [titles]

    def row(self, *cells):
        self.rows.append(tuple(str(cell) for cell in cells))

    def words(self):
        """What each row says, to compare it with what somebody wrote."""
        return [tuple(" ".join(row).split()) for row in self.rows]

    def show(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        for row in self.rows:
            self.tap.note(" ".join(
                [row[0].ljust(widths[0])] +
                [cell.rjust(width) for cell, width in
                 zip(row[1:], widths[1:])]))


# ---------------------------------------------------------------- endurance

def resources(bench, guest):
    """What QEMU and the guest's devices take, by name."""
    pid = guest.pid()
    memory, descriptors, areas, nodes = (int(n) for n in bench.machine.sh(
        "awk '/^RssAnon/ { print $2 }' /proc/%d/status; "
        "ls /proc/%d/fd | wc -l; wc -l < /proc/%d/maps; "
        "xenstore-ls -f | wc -l" % (pid, pid, pid)).split())
    return {"memory of QEMU, KiB": memory, "descriptors": descriptors,
            "mappings": areas, "grants mapped": bench.grants(guest.domid),
            "nodes in xenstore": nodes}


def endures(bench, guest, front):
    tap = bench.tap
    cycles = CYCLES_LONG if bench.long else CYCLES
    worked, out = front.do("cycles %d" % WARM_UP, 300)
    before = resources(bench, guest)
    if worked:
        worked, out = front.do("cycles %d" % cycles, 1200)
    tap.ok(worked, "%s: connects, draws, opens and disconnects %d times" %
           (guest.name, cycles), out)
    after = resources(bench, guest)
    table = Table(tap, "", "before", "after", "per cycle")
    for what in before:
        table.row(what, before[what], after[what],
                  "%.2f" % ((after[what] - before[what]) / cycles))
    table.show()
    # A page now and then is the allocator's; a leak would be more by far
    grown = [what for what in before if after[what] > before[what] +
             (cycles if what.startswith("memory") else 0)]
    tap.ok(not grown, "%s: nothing has grown" % guest.name, ", ".join(grown))


# ---------------------------------------------------------------- resources

class Resources:
    """What QEMU takes of the host, compared with what it took at first."""

    # How much more of each there may be.  Both cards of the guest, at most
    # max-mappings each, and what QEMU's own allocator takes
    LIMITS = {"areas of memory": 2 * 256 + 64, "threads": 8,
              "open descriptors": 64, "private memory, KiB": 131072,
              "log lines at once": 2 * 10}

    # The main loop's time that a card takes: max-load and five more, in
    # percent; and what it may take at once beside that, in microseconds
    SHARE, SHARE_LIMIT, BURST = "percent of the main loop", 30, 100000

    # A card that owes time makes up for it in so many seconds at most
    DEBT = 8

    def __init__(self, bench, guest):
        self.bench, self.guest = bench, guest
        self.limits = {**self.LIMITS, self.SHARE: self.SHARE_LIMIT}
        self.worst = {what: (0, "-") for what in self.limits}
        self.idle = self.measure()
        self.begin()

    def measure(self):
        pid = self.guest.pid()
        numbers = self.bench.machine.sh(
            "wc -l < /proc/%d/maps; awk '/^Threads/ { print $2 }' "
            "/proc/%d/status; ls /proc/%d/fd | wc -l; "
            "awk '/^RssAnon/ { print $2 }' /proc/%d/status; "
            "wc -l < /share/log/qemu-dm-%s.log" %
            (pid, pid, pid, pid, self.guest.name)).split()
        return dict(zip(self.LIMITS, map(int, numbers), strict=True))

    def begin(self):
        """Lines of the log are counted from now, a second takes one away.

        So is the processor time that the main loop takes for each card.
        """
        self.began = time.monotonic()
        self.idle["log lines at once"] = self.measure()["log lines at once"]
        self.used = self.loads()

    def loads(self):
        return [self.guest.status(card)["load-us"]
                for card in ("disp0", "snd0")]

    def share(self):
        """What was used since, less what may be used at once, in percent."""
        loads = self.loads()
        passed = time.monotonic() - self.began
        return max(int(max(0, now - used - self.BURST) / passed / 10000)
                   for now, used in zip(loads, self.used, strict=True))

    def settled_share(self):
        """The same, when what is owed has been made up for."""
        end = time.monotonic() + self.DEBT * self.bench.machine.patience
        share = self.share()
        while share > self.SHARE_LIMIT and time.monotonic() < end:
            share = self.share()
        return share

    def look(self, group):
        """Measure; return what is beyond its limit."""
        now = self.measure()
        now["log lines at once"] -= int(time.monotonic() - self.began)
        more = {what: now[what] - self.idle[what] for what in now}
        more[self.SHARE] = self.settled_share()
        for what, count in more.items():
            if count > self.worst[what][0]:
                self.worst[what] = count, group
        return ["%s: %d, limit is %d" % (what, more[what], limit)
                for what, limit in self.limits.items() if more[what] > limit]

    def show(self):
        table = Table(self.bench.tap, "resource", "limit", "at worst", "after")
        for what, limit in self.limits.items():
            table.row(what, limit, *self.worst[what])
        table.show()


# ------------------------------------------------------------------ attacks

def attacks(bench, guest, front, witness):
    tap, idle, pid = bench.tap, bench.grants(guest.domid), guest.pid()
    _, out = front.do("groups")
    groups = re.findall(r"^# (\S+): (\d+) of (\d+)", out, re.M)
    table = Table(tap, "attacks", "tried", "survived", "pages left", "of")
    total = [0, 0, 0, 0]
    step = 1 if bench.long else SHARE
    host = Resources(bench, guest)
    for group, sent, known in groups:
        if sent == "0":
            continue
        host.begin()
        worked, out = front.do("attack %s %d" % (group, step), 600)
        beyond = host.look(group)
        start = time.monotonic()
        guest.qmp("query-status")
        took = time.monotonic() - start
        left = bench.grants(guest.domid) - idle
        slow = sorted(re.findall(r"^# \w+ (\S+?):.* \(([\d.]+) s\)$", out, re.M),
                      key=lambda row: -float(row[1]))[:3]
        tap.note("slowest: " + ", ".join("%s %s s" % row for row in slow))
        tried, survived = re.search(r"^# %s: (\d+) tried, (\d+) survived" %
                                    group, out, re.M).groups()
        tap.ok(worked and not left and survived == tried and
               int(tried) == -(-int(sent) // step) and
               took < MONITOR * bench.machine.patience,
               "%s: %s attacks: %s" % (guest.name, tried, group),
               *(line[2:] for line in out.splitlines()
                 if line.startswith(("# FAILED", "# cannot", "failed"))),
               "%d pages are left mapped" % left if left else None)
        tap.ok(not beyond, "%s: takes no more of the host than it may: %s" %
               (guest.name, group), *beyond)
        witness.looks(group)
        row = [int(n) for n in (tried, survived, left, known)]
        total = [a + b for a, b in zip(total, row)]
        table.row(group, *row)
    table.row("all", *total)
    table.show()
    host.show()
    have, said = table.words(), [
        tuple(line.split()) for line in
        manual.printed("scenario hostile/attacks")]
    if not bench.long:
        # How many there are it says of all, whichever were mounted
        have = [(group, sent, known) for group, sent, known in groups
                if sent != "0"]
        said = [(row[0], row[1], row[-1]) for row in said[1:-1]]
    tap.ok(have == said, "%s: so says the manual" % guest.name,
           *(" ".join(row) for row in said if row not in have))
    tap.ok(guest.pid() == pid, "%s: QEMU is the one that it was" % guest.name)
    _, out = bench.machine.sh("grep -m 3 'mmap failed' /share/log/qemu-dm-%s"
                              ".log" % guest.name, check=False)
    tap.ok(not out, "%s: libxengnttab adds nothing to QEMU's log" %
           guest.name, out)
    tap.ok(total[0] >= 100, "%s: these were a hundred attacks at least" %
           guest.name, "each of %d" % step)


class Witness:
    """A guest with Linux's own drivers, which flips and plays all the time."""

    def __init__(self, bench):
        self.bench, tap = bench, bench.tap
        self.guest = guest = bench.guest(
            "witness", config={
                "device_model_args_pv": MINIMUM["device_model_args_pv"] +
                wav("witness", "out.frequency=%d" % RATE)},
            devices=["xen-pvdisplay,id=disp0,connectors=160x120,"
                     "refresh-rate=%d" % REFRESH,
                     "xen-pvsound,id=snd0,audiodev=witness,streams=p"])
        bench.start(guest)
        loaded, out = card_comes(guest)
        tap.ok(loaded, "witness: Linux's driver finds the sound card", out)
        connector = bench.first_connector(guest)
        # Short, and again and again
        self.song = Song("S16_LE", RATE, 5, 1000000)
        self.song.compose(guest)
        guest.sh("play flip %s -v -s %s:160x120@XR24" % (CARD, connector))
        guest.sh("play song sh -c 'until [ -e /tmp/enough ]; do %s || exit 1; "
                 "echo played; done'" % self.song.aplay())
        self.looks("to begin with")

    def flips(self):
        return self.guest.status("disp0")["flips"]

    def flips_go_on(self):
        """For a second's worth, each of which waits for the one before it."""
        end = time.monotonic() + 60 * self.bench.machine.patience
        wanted = self.flips() + REFRESH
        while self.flips() < wanted and time.monotonic() < end:
            time.sleep(0.1)
        return self.flips() >= wanted

    def looks(self, when):
        """Its flips and its sound go on."""
        flips = self.flips_go_on()
        status, out = self.guest.sh(
            "[ ! -e /tmp/flip.status -a ! -e /tmp/song.status ] || "
            "tail -n 3 /tmp/flip.log /tmp/song.log", check=False)
        self.bench.tap.ok(flips and status == 0 and not out,
                          "witness: flips and plays: %s" % when, out)

    def is_content(self):
        tap, guest = self.bench.tap, self.guest
        status, out = guest.sh("endplay flip", 60, check=False)
        # A flip without an answer would have been the last.  modetest waits
        # three seconds, which a busy machine may take.
        tap.ok(status == 0, "witness: no flip is missing",
               "%d flips, of which %d were late" % (
                   60 * out.count("freq: "), out.count("timed out")))
        status, out = guest.sh("touch /tmp/enough; endplay song", 120,
                               check=False)
        played, late = out.count("played"), out.count("underrun")
        tap.ok(status == 0 and played > 0, "witness: plays to the end",
               None if status == 0 else out)
        guest.qmp("device_del", id="snd0")
        guest.backend_goes("vsnd")
        data = recording(self.bench, "witness")
        songs, gaps, wrong = heard(data, self.song.recorded())
        tap.ok(songs == played and not wrong,
               "witness: not a period is missing",
               "played %d times, recorded %d times with %d gaps; aplay was "
               "late %d times" % (played, songs, gaps, late), wrong)


def heard(data, song):
    """Follow a recording of a song that was played over and over.

    Returns how often it is there as a whole, how many gaps are in it, and what
    is wrong or None.  Where the guest was late there is silence, after which
    aplay may send again what Linux's driver had sent already.
    """
    place, at, songs, gaps = data.find(song[:16]), 0, 0, 0
    while 0 <= place < len(data):
        rest = data[place:place + len(song) - at]
        if rest == song[at:]:
            songs, at, place = songs + 1, 0, place + len(rest)
        else:
            same = len(os.path.commonprefix([rest, song[at:]]))
            place, at = place + same, at + same
        rest = data[place:place + len(song)]
        sound = rest.lstrip(b"\0")
        place += len(rest) - len(sound)
        if not sound or sound[:16] == song[at:at + 16]:
            gaps += len(sound) < len(rest) and at > 0
            continue
        again = song.find(sound[:16])
        if sound == rest or not 0 <= again < at:
            return songs, gaps, "wrong at byte %d, after %d songs" % (
                place, songs)
        at, gaps = again, gaps + 1
    return songs, gaps, "the last one ends at byte %d" % at if at else None
