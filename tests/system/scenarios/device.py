# SPDX-License-Identifier: GPL-2.0-or-later

import pictures
from testbench import CARD
from xensystem import Failure


def two_connectors(bench, guest):
    """Pictures and flips on both connectors of a card; return their ids."""
    tap = bench.tap
    found = bench.connectors(guest)
    modes = guest.sh("cat /sys/class/drm/card0-*/modes").split()
    if not tap.ok(len(found) == 2 and modes == ["800x600", "640x480"],
                  "%s: two connectors with their modes" % guest.name,
                  "connectors: %r, modes: %r" % (found, modes)):
        raise Failure("no connectors in the guest")
    (left, _), (right, _) = found
    bench.picture_is_right(guest, "disp0", 0, left, 800, 600)
    bench.flips_are_paced(guest, left, 800, 600)
    bench.picture_is_right(guest, "disp0", 1, right, 640, 480)
    bench.flips_are_paced(guest, right, 640, 480)
    bench.formats_are_right(guest, "disp0", 1, right, 640, 480)

    # modetest gives both connectors their parts of one wide framebuffer
    guest.sh("play both %s -s %s:800x600@XR24 -s %s:640x480@XR24" %
             (CARD, left, right))
    wide = pictures.smpte(1440, 600)
    for head, area in enumerate(((0, 0, 800, 600), (800, 0, 640, 480))):
        complaint = bench.shown(guest, "disp0", head, wide.crop(*area))
        tap.ok(complaint is None, "%s: head %d shows its part of a wide "
               "framebuffer" % (guest.name, head), complaint)
    guest.sh("endplay both", 60)
    return left, right


def scenario_device(bench):
    """a card by -device, with two connectors"""
    guest = bench.guest("card", [
        "xen-pvdisplay,id=disp0,connectors=LEFT:800x600;RIGHT:640x480"])
    bench.start(guest)
    left, _ = two_connectors(bench, guest)
    bench.driver_reloads(guest, "disp0", 0, left, 800, 600, times=20)
    replug(bench, guest)
    bench.nothing_stays(guest)


def replug(bench, guest):
    """Remove the card by QMP, add another, and remove that in use.

    The other maps its grants one by one, as on platforms that cannot map
    many, and shows copies.
    """
    tap = bench.tap
    idle = bench.grants(guest.domid)
    # two connectors with a ring and an event page each
    unplug(bench, guest, "disp0", idle - 4)
    tap.ok(bench.card_has_gone(guest), "%s: the guest's card has gone" %
           guest.name)
    # Each page is a mapping of its own then, and there are 300 of the picture
    guest.qmp("device_add", driver="xen-pvdisplay", id="disp1",
              connectors="640x480",
              **{"x-max-map-count": 1, "max-mappings": 512})
    loaded, out = bench.load_driver(guest)
    found = bench.connectors(guest) if loaded else []
    if not tap.ok(len(found) == 1,
                  "%s: device_add brings a card again, page by page" %
                  guest.name, repr(found), None if loaded else out):
        return
    connector = found[0][0]
    bench.picture_is_right(guest, "disp1", 0, connector, 640, 480)

    # Only QEMU's side counts here: Linux 6.1 may stumble when a client still
    # has buffers of a card that is no more.
    guest.sh("play show %s -s %s:640x480@XR24" % (CARD, connector))
    complaint = bench.shown(guest, "disp1", 0, pictures.smpte(640, 480))
    tap.ok(complaint is None, "%s: a picture before the card is removed" %
           guest.name, complaint)
    unplug(bench, guest, "disp1", idle - 4)


def unplug(bench, guest, device, grants):
    tap = bench.tap
    guest.qmp("device_del", id=device)
    gone, out = guest.backend_goes("vdispl")
    tap.ok(gone, "%s: device_del removes %s" % (guest.name, device), out)
    left = bench.grants(guest.domid)
    tap.ok(left == grants, "%s: with all its mappings" % guest.name,
           "%d grants mapped, %d expected" % (left, grants))
