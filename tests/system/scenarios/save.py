# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with cards are paused and saved, and their QEMU restarted.

What Linux's drivers survive has to work again. What they do not is refused
where QEMU is asked, and done here as the manual says, with the cards removed.
"""

import re
import time

import manual
from testbench import CARD
from xensystem import MINIMUM, VIRTUAL_CPU, Kind

from . import sound
from .sound import BUFFER

SIZE = 800, 600
FLIP = "%s -v -s %%s:%dx%d@XR24" % (CARD, *SIZE)

# Endless silence, and what ALSA knows about it
SILENCE = "aplay -q -D hw:0,0 -t raw -f S16_LE -r 48000 -c 2 %s /dev/zero" % \
    BUFFER
STATUS = "/proc/asound/card0/pcm0p/sub0/status"

# A guest's memory is saved in that of the control domain, which is its disk
ROOM = {"memory": "4G", "dom0_memory": "2G"}

# What a guest of each type needs for a display that xl makes and a sound card
# that QEMU makes
PV = {"device_model_args_pv": MINIMUM["device_model_args_pv"] +
      ["-audiodev", "none,id=snd"]}
HVM = {"type": "hvm", "vga": "none",
       "device_model_args_hvm": ["-audiodev", "none,id=snd"]}


class Saved:
    """A guest with a display of xl's and a sound card of QEMU's."""

    def __init__(self, bench, name, config):
        self.bench, self.tap, self.machine = bench, bench.tap, bench.machine
        self.guest = bench.guest(
            name, ["xen-pvsound,id=snd0,audiodev=snd,streams=p"],
            config=dict(config, vdispl=["backend=0,connectors=id0:%dx%d" %
                                        SIZE]))
        self.file = "/var/lib/xen/%s.save" % name
        bench.start(self.guest)
        sound.card_is_found(bench, self.guest)

    def ok(self, passed, what, *notes):
        return self.tap.ok(passed, "%s: %s" % (self.guest.name, what),
                           *(() if passed else notes))

    # -------------------------------------------------------------- its work

    def begin(self):
        """Flip and play, without an end."""
        self.guest.sh("play flip %s; play silence %s" % (
            FLIP % self.bench.first_connector(self.guest), SILENCE))
        self.goes_on("flips and plays")

    def goes_on(self, what):
        """More flips come, and the sound's position moves."""
        flips = self.bench.flips_go_on(self.guest, 1)
        status, out = self.guest.sh(
            "position() { sed -n 's/^hw_ptr *: //p' %s; }; a=$(position); "
            "n=0; until [ \"$(position)\" != \"$a\" ]; do n=$((n + 1)); "
            "[ $n -lt 300 ] || { cat %s; exit 1; }; usleep 100000; done" %
            (STATUS, STATUS), 60, check=False)
        self.ok(flips and status == 0, what, out,
                self.guest.sh("tail -n 3 /tmp/flip.log /tmp/silence.log"))

    def end(self):
        """End it; it may have ended by itself, of an error."""
        self.guest.sh("killall aplay", check=False)
        for name in "silence", "flip":
            self.guest.sh("endplay " + name, 60, check=False)

    def is_well(self, what):
        """Both cards are there, and work."""
        guest, bench = self.guest, self.bench
        serves, out = self.machine.until(
            "for card in vdispl vsnd; do xenstore-read /local/domain/0/"
            "backend/$card/%d/0/state; done | tee /dev/stderr | "
            "grep -c 4 | grep -qx 2" % guest.domid, 60)
        self.ok(serves, "both cards are served " + what, out)
        loaded, out = bench.load_driver(guest)
        if self.ok(loaded, "Linux has a display " + what, out):
            bench.picture_comes(guest, "the picture comes " + what,
                                "vdispl-0", 0, bench.first_connector(guest),
                                *SIZE)
        comes, out = sound.card_comes(guest)
        if self.ok(comes, "Linux has a sound card " + what, out):
            status, out = guest.sh(SILENCE + " -d 2", 60, check=False)
            self.ok(status == 0, "aplay plays " + what, out)
        bad = [line for line in guest.sh("dmesg").splitlines() if
               re.search("BUG|Oops|general protection", line)]
        self.ok(not bad, "its kernel is well " + what,
                "\n".join(bad))

    # ------------------------------------------------------ what befalls it

    def paused(self):
        self.machine.sh("xl pause %s; sleep 3" % self.guest.name)
        self.guest.qmp("query-status")
        self.machine.sh("xl unpause " + self.guest.name)
        self.goes_on("flips and plays after a pause")

    def xl(self):
        """The commands that the manual prints, for this guest."""
        return [line.replace("GUEST", self.guest.name)
                .replace("guest.save", self.file)
                for line in manual.printed("scenario save/xl")]

    def monitor(self, lines):
        for line in lines:
            out = self.guest.qmp("human-monitor-command",
                                 **{"command-line": line})
            self.ok(not out, "the monitor: " + line, out)
            if line.startswith("device_del"):
                self.machine.until("! xenstore-exists /local/domain/0/backend/"
                                   "vsnd/%d/0" % self.guest.domid)

    def saved(self):
        """As the manual says, with the cards removed."""
        old = self.guest.domid
        detach, save, restore, attach = self.xl()
        status, out = self.machine.sh(detach, 60, check=False)
        self.monitor(manual.printed("scenario save/monitor"))
        self.ok(status == 0 and self.bench.card_has_gone(self.guest) and
                sound.card_goes(self.bench, self.guest),
                "its cards are removed", out)

        start = time.monotonic()
        self.machine.sh(save, 180)
        self.tap.note("saving took %.0f s" % (time.monotonic() - start))
        self.bench.nothing_is_left(self.guest, old)
        start = time.monotonic()
        self.machine.sh(restore, 180)
        self.guest.is_another_domain()
        self.tap.note("restoring took %.0f s" % (time.monotonic() - start))
        self.machine.sh("rm " + self.file)

        status, out = self.machine.sh(attach, 60, check=False)
        self.ok(status == 0, "xl vdispl-attach in the restored guest", out)
        self.monitor(manual.printed("scenario save/again"))
        self.is_well("when it has been restored")

    def ends(self):
        sound.nothing_stays(self.bench, self.guest)


def scenario_save(bench):
    """a PV guest is paused, saved and restored, and its QEMU restarted"""
    pv = Saved(bench, "save", PV)
    pv.begin()
    pv.paused()
    killed_in_use(pv)
    pv.saved()
    pv.ends()


def killed_in_use(saved):
    """Kill QEMU while the guest flips and plays, and start it again.

    The guest's programs end before, as Linux 6.1 may free twice what they have
    of a display that goes, and crash later.
    """
    command = saved.guest.kill_qemu()
    saved.end()
    saved.guest.start_qemu(command)
    saved.is_well("when QEMU was killed in use and started again")


def scenario_save_hvm(bench):
    """an HVM guest is paused, and saved when it lets that happen"""
    hvm = Saved(bench, "save-hvm", HVM)
    hvm.begin()
    hvm.paused()
    refused(hvm)
    hvm.end()
    hvm.saved()
    hvm.ends()


def refused(saved):
    """Saving in use fails, QEMU's log says why, and the guest goes on."""
    name = saved.guest.name
    status, out = saved.machine.sh("xl save %s %s" % (name, saved.file), 180,
                                   check=False)
    saved.machine.sh("rm -f " + saved.file)
    log = saved.machine.sh("cat /share/log/qemu-dm-%s.log" % name)
    reason, = manual.printed("scenario save-hvm/refused")
    said = re.search(reason + ".*", log)
    saved.ok(status != 0 and said, "xl save fails, and QEMU says why", out,
             log)
    saved.tap.note(said.group(0) if said else "")
    saved.goes_on("flips and plays afterwards")


scenario_save.machine = Kind(**ROOM)
scenario_save_hvm.machine = Kind(cpu=VIRTUAL_CPU, **ROOM)
