# SPDX-License-Identifier: GPL-2.0-or-later

from .device import two_connectors


def scenario_newer(bench):
    """a card by -device, for Linux 6.12"""
    guest = bench.guest("newer", [
        "xen-pvdisplay,id=disp0,connectors=LEFT:800x600;RIGHT:640x480"],
        kernel="6.12")
    bench.start(guest)
    bench.tap.note("newer: Linux " + guest.sh("uname -r").strip())
    left, _ = two_connectors(bench, guest)
    bench.driver_reloads(guest, "disp0", 0, left, 800, 600)
    bench.nothing_stays(guest)
