# SPDX-License-Identifier: GPL-2.0-or-later

import ast
import re

import manual
import pictures
from testbench import CARD
from xensystem import VIRTUAL, Failure

LIMIT = "/sys/module/xen_gntalloc/parameters/limit"


def printed_vdispl():
    """The display that the manual prints."""
    line, = manual.printed("scenario be-alloc/vdispl")
    return ast.literal_eval(line.partition("=")[2].strip())


def scenario_bealloc(bench):
    """buffers which QEMU allocates, for PVH guests"""
    # A program of a PV guest of Linux cannot map another domain's pages.
    tap, machine = bench.tap, bench.machine
    before = int(machine.sh("cat " + LIMIT))
    tap.note("xen-gntalloc's limit is %d pages" % before)
    tool = bench.guest("share", config={
        "type": "pvh",
        "vdispl": printed_vdispl()})
    bench.start(tool)
    connector = bench.first_connector(tool)

    # 2025 pages; modetest itself does not care
    _, out = tool.sh("%s -s %s:1920x1080@XR24 < /dev/null" %
                     (CARD, connector), 60, check=False)
    tap.ok("failed to create dumb buffer" in out,
           "share: a buffer beyond xen-gntalloc's limit is refused", out)
    log = machine.sh("cat /share/log/qemu-dm-share.log")
    named = re.search(r"raise the parameter 'limit' of the kernel module "
                      r"xen-gntalloc from %d to (\d+)" % before, log)
    tap.ok(named, "share: QEMU's log names the module's parameter and a value",
           named.group(0) if named else log)
    missing = [line for line in manual.printed("scenario be-alloc/limit")
               if not manual.matches(line, log)]
    tap.ok(not missing, "share: the manual quotes what is in the log",
           *missing)
    if not named:
        raise Failure("no limit is known that would do")
    left = bench.grants(0)
    tap.ok(left == 0, "share: no page is shared then", "%d are" % left)
    # As the manual prints it, but for the value
    load, raise_it = manual.printed("scenario be-alloc/gntalloc")
    machine.sh(load)
    machine.sh(raise_it.replace("16384", named.group(1)))
    bench.picture_comes(tool, "the picture comes with the value named",
                        "vdispl-0", 0, connector, 1920, 1080)

    # The guest gets the same pages again: others would exceed this.
    machine.sh("echo 2025 > %s" % LIMIT)
    for n in range(3):
        bench.picture_is_right(tool, "vdispl-0", 0, connector, 1920, 1080,
                               owner=0)

    card = bench.guest("shared", [
        "xen-pvdisplay,id=disp0,connectors=800x600,be-alloc=on"],
        config={"type": "pvh"}, kernel="6.12")
    bench.start(card)
    machine.sh("echo %d > %s" % (2025 + 3 * 469, LIMIT))
    other = bench.first_connector(card)
    bench.picture_is_right(card, "disp0", 0, other, 800, 600, owner=0)
    bench.flips_are_paced(card, other, 800, 600)
    bench.driver_reloads(card, "disp0", 0, other, 800, 600)

    # Two guests with QEMU's pages at once, one of which dies with them
    tool.sh("play show %s -s %s:1920x1080@XR24" % (CARD, connector))
    card.sh("play show %s -s %s:800x600@XR24" % (CARD, other))
    for guest, console, width, height in ((tool, "vdispl-0", 1920, 1080),
                                          (card, "disp0", 800, 600)):
        complaint = bench.shown(guest, console, 0,
                                pictures.smpte(width, height))
        tap.ok(complaint is None, "%s: its picture beside the other" %
               guest.name, complaint)
    both = bench.grants(0)
    tap.ok(both == 2025 + 469, "the control domain shares just their pages",
           "%d grants mapped" % both)
    bench.nothing_stays(tool)
    left = bench.grants(0)
    tap.ok(left == 469, "share: none of the pages it was given is shared",
           "%d grants mapped, 469 of them the other guest's" % left)
    bench.nothing_stays(card)
    left = bench.grants(0)
    tap.ok(left == 0, "shared: none of the pages it was given is shared",
           "%d grants mapped" % left)
    machine.sh("echo %d > %s" % (before, LIMIT))


scenario_bealloc.machine = VIRTUAL
