# SPDX-License-Identifier: GPL-2.0-or-later

import pictures
from testbench import CARD


def scenario_restart(bench):
    """QEMU is killed and started again, and the guest reboots"""
    guest = bench.guest("device-again", [
        "xen-pvdisplay,id=disp0,connectors=800x600"])
    killed_and_rebooted(
        bench, guest, "disp0",
        lambda: bench.machine.sh("xl reboot " + guest.name, 60))

    other = bench.guest("tool-again", config={
        "vdispl": ["backend=0,connectors=id0:800x600"]})
    killed_and_rebooted(
        bench, other, "vdispl-0",
        lambda: other.sh("(sleep 1; reboot -f) > /dev/null 2>&1 &"))


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
    bench.nothing_stays(guest)


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
