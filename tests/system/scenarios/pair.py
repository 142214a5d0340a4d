# SPDX-License-Identifier: GPL-2.0-or-later

import pictures
from testbench import CARD


def scenario_pair(bench):
    """two guests at once, with a QEMU and a card each"""
    tap = bench.tap
    one = bench.guest("one", ["xen-pvdisplay,id=disp0,connectors=800x600"])
    two = bench.guest("two", config={
        "vdispl": ["backend=0,connectors=id0:640x480"]})
    guests = ((one, "disp0", 800, 600), (two, "vdispl-0", 640, 480))
    for guest, *_ in guests:
        bench.start(guest)
    connectors = {guest: bench.first_connector(guest) for guest, *_ in guests}
    idle = {guest: bench.grants(guest.domid) for guest, *_ in guests}

    for guest, _, width, height in guests:
        guest.sh("play show %s -s %s:%dx%d@XR24" %
                 (CARD, connectors[guest], width, height))
    for guest, console, width, height in guests:
        complaint = bench.shown(guest, console, 0,
                                pictures.smpte(width, height))
        tap.ok(complaint is None, "%s: its own picture, beside another guest's"
               % guest.name, complaint)
    for guest, _, width, height in guests:
        pages = -(-width * height * 4 // 4096)
        busy = bench.grants(guest.domid)
        tap.ok(busy == idle[guest] + pages, "%s: just its own picture's pages "
               "are mapped" % guest.name, "%d grants mapped, %d before, %d "
               "pages in the picture" % (busy, idle[guest], pages))
        guest.sh("endplay show", 60)

    for guest, _, width, height in guests:
        guest.sh("play flip %s -v -s %s:%dx%d@XR24" %
                 (CARD, connectors[guest], width, height))
    for guest, *_ in guests:
        tap.ok(bench.flips_go_on(guest), "%s: flips, beside another guest's" %
               guest.name)
    bench.nothing_stays(two)
    tap.ok(bench.flips_go_on(one),
           "one: goes on flipping when the other guest is destroyed")
    one.sh("endplay flip", 60)
    bench.picture_is_right(one, "disp0", 0, connectors[one], 800, 600)
    bench.nothing_stays(one)
