# SPDX-License-Identifier: GPL-2.0-or-later

import ast
import glob
import os
import subprocess
import time

import manual
from xensystem import Failure

from .libvirt import viewer_shows_it
from .stock import files_come

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PACKAGES = ("qemu-system-xen-pv-divert", "qemu-system-xen-pv", "xen-grants")
PROGRAM = "/usr/lib/xen/bin/xen-pv-qemu"
# What the QEMU under test is, which is run by a script
TESTED = "/opt/qemu/libexec/qemu-system-x86_64"
DEBIANS = "/usr/libexec/xen-qemu-system-i386"
CHECKOUT = "/root/checkout"


def scenario_packages(bench):
    """one guest, and then all, of the installed packages, as the manual says"""
    tap, machine = bench.tap, bench.machine
    provide_packages(machine)
    start = time.monotonic()
    install(bench, "packages/install")
    tap.note("installing took %.0f s" % (time.monotonic() - start))
    one_guest(bench)
    others_keep_theirs(bench, "other", TESTED)
    install(bench, "packages/all")
    others_keep_theirs(bench, "all", PROGRAM)
    status, out = machine.sh(
        "PATH=$PATH:/usr/sbin:/sbin dpkg --purge " + " ".join(PACKAGES),
        300, check=False)
    tap.ok(status == 0, "packages: dpkg removes them", out)
    kept = machine.sh("readlink -f %s; rm %s" % (DEBIANS, DEBIANS)).strip()
    tap.ok(kept == machine.sh("readlink -f " + machine.qemu).strip(),
           "packages: what they replaced is back", kept)


def typed(line):
    """A command of the manual, without what makes a user root."""
    return line.replace("sudo ", "")


def install(bench, name):
    """Let apt install packages as the manual says."""
    for line in manual.printed("scenario " + name):
        bench.machine.progress.begin(line)
        status, out = bench.machine.sh(
            "cd %s; DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/sbin:/sbin "
            "%s" % (CHECKOUT, typed(line)), 600, check=False)
        bench.machine.progress.end()
        if not bench.tap.ok(status == 0, "packages: " + line,
                            None if status == 0 else out):
            raise Failure("no packages")


def program_of(bench, guest, program, what):
    """Whether this is the QEMU that xl has started for a guest."""
    found = bench.machine.sh("readlink /proc/%d/exe" % guest.pid()).strip()
    bench.tap.ok(found == program, "packages: " + what, found)


def one_guest(bench):
    """From the manual's lines for its configuration to a picture.

    And files, as Debian's QEMU serves them, too.
    """
    tap, machine = bench.tap, bench.machine
    machine.sh("mkdir /share/beside; echo known > /share/beside/file")
    config = {"vfb": None, "p9": [
        "tag=files,path=/share/beside,security_model=none"]}
    for line in manual.printed("scenario packages/guest"):
        key, _, value = line.partition(" = ")
        config[key] = ast.literal_eval(value)
    guest = bench.guest("guest", config=config)
    machine.provide_kernel(guest.kernel)
    for line in manual.printed("scenario packages/create"):
        machine.progress.begin(line)
        machine.sh("cd /share; " + typed(line), 60)
        tap.ok(True, "packages: " + line)
    guest.domid = int(machine.sh("xl domid guest"))
    program_of(bench, guest, PROGRAM, "xl runs the installed QEMU")
    bench.boot(guest)
    listing, drawing = manual.printed("scenario packages/draw")
    status, out = guest.sh(listing, 60, check=False)
    tap.ok(status == 0 and "1024x768" in out, "guest: " + listing, out)
    guest.sh("play show " + drawing.replace("NUMBER",
                                            bench.first_connector(guest)))
    viewer_shows_it(bench, guest, "127.0.0.1:0", size=(1024, 768))
    status, out = machine.sh("/usr/sbin/xen-grants --mapped %d" % guest.domid,
                             check=False)
    tap.ok(status == 0 and "mapped" in out,
           "packages: the installed xen-grants lists what is mapped", out)
    guest.sh("endplay show", 60, check=False)
    files_come(bench, guest)
    bench.nothing_stays(guest)
    machine.sh("rm -r /share/beside")


def others_keep_theirs(bench, name, program):
    """A guest that names no QEMU gets this one; it need not boot."""
    guest = bench.guest(name, config={"device_model_override": None})
    guest.create()
    program_of(bench, guest, program,
               "a guest that names no QEMU has " + program)
    guest.destroy()


def provide_packages(machine):
    """Put the packages, with all they need, where the control domain is."""
    status, debs = (os.path.join(machine.share, name)
                    for name in ("status", "debs"))
    machine.sh("cp /var/lib/dpkg/status /share/status")
    machine.progress.begin("building packages")
    run(os.path.join(TOP, "scripts", "build-deb"))
    ours = [path for name in PACKAGES for path in glob.glob(
        os.path.join(TOP, "build", "deb", name + "_*.deb"))]
    run(os.path.join(TOP, "tests", "system", "fetch-packages"), status, debs,
        *ours)
    machine.progress.begin("installing what they need")
    machine.sh(
        # nothing is to be started, or stopped
        "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; "
        "chmod +x /usr/sbin/policy-rc.d; "
        "mkdir -p {0}/build/deb /var/lib/apt/lists/partial "
        "/var/cache/apt/archives/partial; "
        "echo 'APT::Get::Assume-Yes \"true\";' > /etc/apt/apt.conf.d/yes; "
        # stands for that of Debian's package
        "mkdir -p /usr/libexec; ln -s {1} {2}; "
        "cd /share/debs; mv {3} {0}/build/deb; "
        "DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/sbin:/sbin "
        "dpkg --force-unsafe-io --install *.deb; "
        "dpkg --force-unsafe-io --install {0}/build/deb/xen-grants_*.deb"
        .format(CHECKOUT, machine.qemu, DEBIANS,
                " ".join(os.path.basename(path) for path in ours)), 600)
    machine.progress.end()


def run(*command):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure("%s: %s" % (os.path.basename(command[0]),
                                  done.stdout[-800:]))
