# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own QEMU, with our plugin in front of it, as a device model."""

import functools

from testbench import documented
from xensystem import PLAIN, VIRTUAL, with_stock

from .manual import refused


def by_plugin(scenario):
    """The same scenario on a machine which has that QEMU."""
    @functools.wraps(scenario)
    def run(bench):
        scenario(bench)

    run.__doc__ = "by the plugin: " + scenario.__doc__
    run.machine = with_stock(getattr(scenario, "machine", PLAIN))
    return run


def scenario_beside(bench):
    """what QEMU serves a PV guest beside our cards: a disk and files"""
    machine = bench.machine
    config = documented("channel")
    config["disk"] = ["format=raw,vdev=xvda,access=rw,backendtype=qdisk,"
                      "target=/share/beside.img"]
    # The QEMU that was built has none of what shares files
    shares = machine.kind.stock
    if shares:
        config["p9"] = ["tag=files,path=/share/beside,security_model=none"]
    machine.sh("mkdir /share/beside; echo known > /share/beside/file; "
               "seq 100000 | head -c 512K > /share/beside.img")
    guest = bench.guest("beside", config=config)
    bench.start(guest)
    disk_works(bench, guest)
    if shares:
        files_come(bench, guest)
    bench.picture_comes(guest, "the picture beside", "vdispl-0", 0,
                        bench.first_connector(guest), 1024, 768)
    bench.nothing_stays(guest)
    machine.sh("rm -r /share/beside /share/beside.img")


def appears(node):
    """A command of the guest's that waits for a file."""
    return ("n=0; until [ -e %s ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; "
            "usleep 100000; done; " % node)


def disk_works(bench, guest):
    """It is read, and what is written to it is in its file."""
    machine, tap = bench.machine, bench.tap
    expected = machine.sh("md5sum < /share/beside.img")
    status, out = guest.sh("modprobe xen-blkfront; " + appears("/dev/xvda") +
                           "md5sum < /dev/xvda", 60, check=False)
    tap.ok(status == 0 and out == expected, "%s: reads its disk" % guest.name,
           out)
    guest.sh("seq 1000 | dd of=/dev/xvda bs=512 seek=8 conv=notrunc,fsync", 60)
    same, out = machine.until(
        "seq 1000 | cmp -n 3893 -i 0:4096 - /share/beside.img")
    tap.ok(same, "%s: writes to its disk" % guest.name, out)


def files_come(bench, guest):
    """A folder of the control domain's over 9p."""
    status, out = guest.sh(
        "modprobe 9p; modprobe 9pnet_xen; mkdir -p /tmp/files; "
        "mount -t 9p -o trans=xen,version=9p2000.L files /tmp/files && "
        "cat /tmp/files/file && echo written > /tmp/files/answer && "
        "umount /tmp/files", 60, check=False)
    bench.tap.ok(status == 0 and out == "known\n" and
                 bench.machine.sh("cat /share/beside/answer", check=False) ==
                 (0, "written\n"),
                 "%s: shares files over 9p" % guest.name, out)


def scenario_plugin_hvm(bench):
    """an HVM guest is not for Debian's QEMU with the plugin"""
    config = documented("hvm")
    refused(bench, "plugin-hvm", "plugin-hvm/refused", log=True, **config)


scenario_plugin_hvm.machine = with_stock(VIRTUAL)
