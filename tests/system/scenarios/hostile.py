# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile guest beside one that behaves well, and endurance.

The attacks are those of tests/frontend, sent by a program in the guest:
through the real hypervisor, and what no Linux driver would ever send.
"""

import re
import time

import manual
from testbench import CARD
from xensystem import MINIMUM

from .front import Front
from .sound import Song, card_comes, recording, wav

CYCLES = 200
WARM_UP = 10

# Of the sound beside the attacks: it costs little
RATE = 8000

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
    """a guest that connects and disconnects two hundred times"""
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
    worked, out = front.do("cycles %d" % WARM_UP, 300)
    before = resources(bench, guest)
    if worked:
        worked, out = front.do("cycles %d" % CYCLES, 1200)
    tap.ok(worked, "%s: connects, draws, opens and disconnects %d times" %
           (guest.name, CYCLES), out)
    after = resources(bench, guest)
    table = Table(tap, "", "before", "after", "per cycle")
    for what in before:
        table.row(what, before[what], after[what],
                  "%.2f" % ((after[what] - before[what]) / CYCLES))
    table.show()
    # A page now and then is the allocator's; a leak would be more by far
    grown = [what for what in before if after[what] > before[what] +
             (CYCLES if what.startswith("memory") else 0)]
    tap.ok(not grown, "%s: nothing has grown" % guest.name, ", ".join(grown))


# ------------------------------------------------------------------ attacks

def attacks(bench, guest, front, witness):
    tap, idle, pid = bench.tap, bench.grants(guest.domid), guest.pid()
    _, out = front.do("groups")
    groups = re.findall(r"^# (\S+): (\d+) of (\d+)", out, re.M)
    table = Table(tap, "attacks", "tried", "survived", "pages left", "of")
    total = [0, 0, 0, 0]
    for group, sent, known in groups:
        if sent == "0":
            continue
        worked, out = front.do("attack " + group, 600)
        start = time.monotonic()
        guest.qmp("query-status")
        took = time.monotonic() - start
        left = bench.grants(guest.domid) - idle
        tried, survived = re.search(r"^# %s: (\d+) tried, (\d+) survived" %
                                    group, out, re.M).groups()
        tap.ok(worked and not left and survived == sent and
               took < MONITOR * bench.machine.patience,
               "%s: %s attacks: %s" % (guest.name, tried, group),
               *(line[2:] for line in out.splitlines()
                 if line.startswith(("# FAILED", "# cannot", "failed"))),
               "%d pages are left mapped" % left if left else None)
        witness.looks(group)
        row = [int(n) for n in (tried, survived, left, known)]
        total = [a + b for a, b in zip(total, row)]
        table.row(group, *row)
    table.row("all", *total)
    table.show()
    have, said = table.words(), [
        tuple(line.split()) for line in
        manual.printed("scenario hostile/attacks")]
    tap.ok(have == said, "%s: so says the manual" % guest.name,
           *(" ".join(row) for row in said if row not in have))
    tap.ok(guest.pid() == pid, "%s: QEMU is the one that it was" % guest.name)
    tap.ok(total[0] >= 100, "%s: these were a hundred attacks at least" %
           guest.name)


class Witness:
    """A guest with Linux's own drivers, which flips and plays all the time."""

    def __init__(self, bench):
        self.bench, tap = bench, bench.tap
        self.guest = guest = bench.guest(
            "witness", config={
                "device_model_args_pv": MINIMUM["device_model_args_pv"] +
                wav("witness", "out.frequency=%d" % RATE)},
            devices=["xen-pvdisplay,id=disp0,connectors=160x120",
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

    def looks(self, when):
        """Its flips and its sound go on: each waits for the one before it."""
        flips = self.bench.flips_go_on(self.guest, 1)
        status, out = self.guest.sh(
            "[ ! -e /tmp/flip.status -a ! -e /tmp/song.status ]; s=$?; "
            "grep -h 'timed out' /tmp/flip.log; exit $s", check=False)
        self.bench.tap.ok(flips and status == 0 and not out,
                          "witness: flips and plays: %s" % when, out)

    def is_content(self):
        tap, guest = self.bench.tap, self.guest
        status, out = guest.sh("endplay flip", 60, check=False)
        rates = re.findall(r"freq: ([\d.]+)Hz", out)
        tap.ok(status == 0 and "timed out" not in out,
               "witness: no flip is missing", "%d flips" % (60 * len(rates)))
        status, out = guest.sh("touch /tmp/enough; endplay song", 120,
                               check=False)
        played, late = out.count("played"), out.count("underrun")
        tap.ok(status == 0 and played > 0, "witness: plays to the end",
               None if status == 0 else out)
        guest.qmp("device_del", id="snd0")
        self.bench.machine.until(
            "! xenstore-exists /local/domain/0/backend/vsnd/%d/0" %
            guest.domid)
        data = recording(self.bench, "witness")
        expected = self.song.recorded()
        heard = data.replace(b"\0", b"")
        whole = data.count(expected)
        # Where the guest itself was late there is silence in between, and
        # aplay may send again what Linux's driver had sent already.
        tap.ok(whole >= played - late and
               (len(heard) >= len(expected) * played if whole < played
                else heard == expected * played),
               "witness: not a period is missing",
               "played %d times, %d of them without a gap or a repeat; aplay "
               "was late %d times" % (played, whole, late),
               "%d bytes recorded, %d expected" %
               (len(heard), len(expected) * played))
