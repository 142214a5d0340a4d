# SPDX-License-Identifier: GPL-2.0-or-later

import glob
import os
import subprocess
import time

from xensystem import Failure

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PACKAGES = ("qemu-system-xen-pv", "xen-grants")
PROGRAM = "/usr/lib/xen/bin/xen-pv-qemu"


def scenario_packages(bench):
    """a guest of the installed packages, xl's own choice of a QEMU"""
    tap, machine = bench.tap, bench.machine
    provide_packages(machine)
    machine.progress.begin("installing packages")
    start = time.monotonic()
    status, out = machine.sh(
        # nothing is to be started, or stopped
        "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; "
        "chmod +x /usr/sbin/policy-rc.d; "
        "DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/sbin:/sbin "
        "dpkg --force-unsafe-io --install /share/debs/*.deb", 600, check=False)
    machine.progress.end()
    if not tap.ok(status == 0, "packages: dpkg installs them",
                  "%.0f s" % (time.monotonic() - start),
                  None if status == 0 else out):
        raise Failure("no packages")
    guest = bench.guest("installed", config={
        "device_model_override": None,
        "vdispl": ["backend=0,connectors=id0:800x600"]})
    bench.start(guest)
    program = machine.sh("readlink /proc/%d/exe" % guest.pid()).strip()
    tap.ok(program == PROGRAM, "packages: xl runs the installed QEMU", program)
    bench.picture_is_right(guest, "vdispl-0", 0, bench.first_connector(guest),
                           800, 600)
    status, out = machine.sh("/usr/sbin/xen-grants --mapped %d" % guest.domid,
                             check=False)
    tap.ok(status == 0 and "mapped" in out,
           "packages: the installed xen-grants lists what is mapped", out)
    bench.nothing_stays(guest)
    status, out = machine.sh(
        "PATH=$PATH:/usr/sbin:/sbin dpkg --purge " + " ".join(PACKAGES),
        300, check=False)
    tap.ok(status == 0, "packages: dpkg removes them", out)


def provide_packages(machine):
    """Put the packages, with all they need, where the control domain is."""
    status, debs = (os.path.join(machine.share, name)
                    for name in ("status", "debs"))
    machine.sh("cp /var/lib/dpkg/status /share/status")
    machine.progress.begin("building packages")
    run(os.path.join(TOP, "scripts", "build-deb"))
    run(os.path.join(TOP, "tests", "system", "fetch-packages"), status, debs,
        *(path for name in PACKAGES for path in glob.glob(
            os.path.join(TOP, "build", "deb", name + "_*.deb"))))
    machine.progress.end()


def run(*command):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure("%s: %s" % (os.path.basename(command[0]),
                                  done.stdout[-800:]))
