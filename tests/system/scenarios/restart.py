# SPDX-License-Identifier: GPL-2.0-or-later

import re

import pictures
from testbench import CARD
from xensystem import MINIMUM, Failure

from .sound import card_is_found

# Linux waits five seconds for each card whose backend does not say Closing.
# Without that it is gone in a fraction of one, or in some on a busy machine.
HALT_SECONDS = 5


def scenario_restart(bench):
    """QEMU is killed and started again, and the guest reboots"""
    guest = bench.guest("device-again", [
        "xen-pvdisplay,id=disp0,connectors=800x600"])
    killed_and_rebooted(
        bench, guest, "disp0",
        lambda: bench.machine.sh("xl reboot " + guest.name, 60))
    bench.nothing_stays(guest)

    other = bench.guest("tool-again", config={
        "vdispl": ["backend=0,connectors=id0:800x600"]})
    killed_and_rebooted(
        bench, other, "vdispl-0",
        lambda: other.sh("(sleep 1; reboot -f) > /dev/null 2>&1 &"))
    destroyed_while_stopped(bench, other)


def killed_and_rebooted(bench, guest, console, reboot):
    bench.start(guest)
    connector = bench.first_connector(guest)
    bench.picture_comes(guest, "the picture, to begin with", console, 0,
                        connector, 800, 600)
    idle = bench.grants(guest.domid)

    for busy in (False, True):
        what = "QEMU, killed while a picture was shown," if busy else \
            "QEMU, killed while the card was idle,"
        survives(bench, guest, console, connector, busy, what)
        left = bench.grants(guest.domid)
        bench.tap.ok(left == idle, "%s: as many grants are mapped as before" %
                     guest.name, "%d grants mapped, %d before" % (left, idle))
    bench.keep_dmesg(guest)

    reboot()
    old = guest.rebooted()
    bench.nothing_is_left(guest, old)
    bench.boot(guest)
    bench.picture_is_right(guest, console, 0, bench.first_connector(guest),
                           800, 600)


def destroyed_while_stopped(bench, guest):
    """xl waits ten seconds for QEMU, and removes the nodes without it."""
    bench.keep_dmesg(guest)
    pid = guest.pid()
    bench.machine.sh("kill -STOP %d" % pid)
    said = guest.destroy()
    node = "/local/domain/0/backend/vdispl/%d" % guest.domid
    bench.tap.ok(bench.machine.sh("! xenstore-exists %s/0" % node,
                                  check=False)[0] == 0,
                 "%s: xl does not wait for a QEMU that is stopped" %
                 guest.name, said)
    bench.machine.sh("kill -CONT %d" % pid)
    bench.nothing_is_left(guest, guest.domid)


def survives(bench, guest, console, connector, busy, what):
    """Kill the guest's QEMU, start it again, and look for a picture."""
    tap = bench.tap
    if busy:
        guest.sh("play old %s -s %s:800x600@XR24" % (CARD, connector))
        complaint = bench.shown(guest, console, 0, pictures.smpte(800, 600))
        tap.ok(complaint is None, "%s: a picture before QEMU is killed" %
               guest.name, complaint)
    command = guest.kill_qemu()
    guest.start_qemu(command)
    node = "/local/domain/0/backend/vdispl/%d" % guest.domid
    again, out = bench.machine.until(
        "[ $(xenstore-read %s/0/state) = 4 ] && ! xenstore-exists %s/1 || "
        "{ xenstore-ls %s; ! true; }" % (node, node, node), 30)
    tap.ok(again, "%s: %s serves the card again under its number" %
           (guest.name, what), None if again else out)
    if busy:
        guest.sh("endplay old", 60, check=False)
    loaded, out = bench.load_driver(guest)
    tap.ok(loaded, "%s: Linux has a card again" % guest.name,
           None if loaded else out)
    bench.picture_comes(guest, "the picture comes back", console, 0,
                        bench.first_connector(guest), 800, 600)


def scenario_halt(bench):
    """a guest with both cards in use reboots, and powers off"""
    guest = bench.guest("halt", [
        "xen-pvdisplay,id=disp0,connectors=800x600",
        "xen-pvsound,id=snd0,audiodev=snd"],
        config={"device_model_args_pv": MINIMUM["device_model_args_pv"] +
                ["-audiodev", "none,id=snd"]})
    bench.start(guest)
    uses_both_cards(bench, guest)
    turn_off(guest, "reboot -f")
    old = guest.rebooted()
    was_fast(bench, guest, "reboot -f")
    bench.nothing_is_left(guest, old)

    bench.boot(guest)
    uses_both_cards(bench, guest)
    turn_off(guest, "poweroff -f")
    gone, out = bench.machine.until("! xl domid halt", 60)
    if not gone:
        raise Failure("the guest does not power off: " + out)
    was_fast(bench, guest, "poweroff -f")
    bench.nothing_is_left(guest, guest.domid)


def uses_both_cards(bench, guest):
    card_is_found(bench, guest)
    guest.sh("play flip %s -v -s %s:800x600@XR24" %
             (CARD, bench.first_connector(guest)))
    plays_silence(bench, guest)
    bench.tap.ok(bench.flips_go_on(guest), "%s: flips" % guest.name)


def plays_silence(bench, guest):
    """Without an end, and on the card by now."""
    guest.sh("play song aplay -q -D hw:0,0 -f S16_LE -r 48000 -c 2 /dev/zero")
    status, out = guest.sh(
        "n=0; until grep RUNNING /proc/asound/card0/pcm0p/sub0/status; do "
        "n=$((n + 1)); [ $n -lt 200 ] || exit 1; usleep 100000; done", 60,
        check=False)
    bench.tap.ok(status == 0, "%s: sound plays" % guest.name, out)


def turn_off(guest, command):
    """Have the guest say on its console when it begins."""
    guest.sh("(sleep 1; dmesg -n 8; echo turning off > /dev/kmsg; %s) "
             "> /dev/null 2>&1 &" % command)


def was_fast(bench, guest, command):
    """By the guest's own clock, as its kernel tells on the console."""
    log = bench.machine.sh("cat /share/log/console/guest-%s.log" % guest.name)
    found = re.findall(r"^\[ *([0-9.]+)\] turning off\r?$"
                       r".*?^\[ *([0-9.]+)\] reboot: ", log, re.M | re.S)
    took = float(found[-1][1]) - float(found[-1][0]) if found else None
    bench.tap.ok(
        took is not None and took < HALT_SECONDS * bench.machine.patience and
        "timeout closing" not in log,
        "%s: %s waits for no card" % (guest.name, command),
        "%.1f s" % took if found else None,
        None if found and "timeout closing" not in log else log[-2000:])
