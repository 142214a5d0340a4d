# SPDX-License-Identifier: GPL-2.0-or-later

import time

import manual
from testbench import CARD, documented
from xensystem import Failure


def scenario_toolstack(bench):
    """a card which xl configures and QEMU makes by itself"""
    tap, machine = bench.tap, bench.machine
    guest = bench.guest("tool", config=documented("vfb"))
    bench.start(guest)
    attach, listing, detach = (
        line.replace("GUEST", "tool")
        for line in manual.printed("scenario toolstack/attach"))
    listed, out = machine.until(
        listing + " | tee /dev/stderr | grep -q 'state: 4'", 30)
    tap.ok(listed, "tool: xl vdispl-list shows it connected", out)
    found = bench.connectors(guest)
    if not tap.ok(len(found) == 1, "tool: one connector", repr(found)):
        raise Failure("no connector in the guest")
    bench.picture_is_right(guest, "vdispl-0", 0, found[0][0], 800, 600)

    start = time.monotonic()
    status, out = machine.sh(detach, 60, check=False)
    took = time.monotonic() - start
    tap.ok(status == 0 and took < 10 * machine.patience,
           "tool: xl vdispl-detach does not wait in vain", out,
           "%.1f s" % took)
    gone, out = guest.backend_goes("vdispl")
    tap.ok(gone, "tool: its backend node has gone")
    folder_goes(bench, guest.domid)
    tap.ok(bench.card_has_gone(guest), "tool: the guest's card has gone")

    refused(bench, guest)
    status, out = machine.sh(attach, 60, check=False)
    tap.ok(status == 0, "tool: xl vdispl-attach adds a card to a running guest",
           out)
    loaded, out = bench.load_driver(guest)
    found = bench.connectors(guest) if loaded else []
    if not tap.ok(len(found) == 1, "tool: the guest has a card again",
                  repr(found), out):
        raise Failure("no card after vdispl-attach")
    bench.picture_is_right(guest, "vdispl-0", 0, found[0][0], 640, 480)

    guest.sh("play flip %s -v -s %s:640x480@XR24" % (CARD, found[0][0]))
    tap.ok(bench.flips_go_on(guest), "tool: flips")
    tap.note("tool: destroying the guest in the middle of its flips")
    bench.keep_dmesg(guest)
    domid = guest.domid
    said = guest.destroy()
    tap.ok("unable to remove device" not in said,
           "tool: xl destroy does not wait in vain", said)
    bench.nothing_is_left(guest, domid)
    folder_goes(bench, domid)


def folder_goes(bench, domid):
    """With its last card the guest's folder of cards goes, too."""
    gone, out = bench.machine.until(
        "! xenstore-exists /local/domain/0/backend/vdispl/%d" % domid)
    bench.tap.ok(gone, "tool: the folder of its cards has gone", out)


def refused(bench, guest):
    """A card that cannot be made is refused, and is no more in the way."""
    tap, machine = bench.tap, bench.machine
    attach, added, why, reason, detach = (
        line.removeprefix("# ").replace("GUEST", guest.name)
        .replace("DOMID", str(guest.domid))
        for line in manual.printed("scenario toolstack/refused"))
    start = time.monotonic()
    status, out = machine.sh(attach + " 2>&1", 60, check=False)
    took = time.monotonic() - start
    # xl waits ten seconds for a backend that says nothing
    tap.ok(status != 0 and manual.matches(added, out) and
           took < 10 * machine.patience,
           "%s: %s fails at once" % (guest.name, attach), out,
           "%.1f s" % took)
    _, out = machine.sh(why, check=False)
    tap.ok(manual.matches(reason, out), "%s: the backend says why" %
           guest.name, out)
    status, out = machine.sh(detach, 60, check=False)
    tap.ok(status == 0 and bench.card_has_gone(guest),
           "%s: what was refused can be removed" % guest.name, out)
