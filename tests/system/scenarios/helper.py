# SPDX-License-Identifier: GPL-2.0-or-later

import os
import shutil
import subprocess
import zlib

import pictures
from testbench import CARD
from xensystem import Failure, libraries

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))

# The examples, as the control domain finds them
FOLDER = "/share/helper"
EXAMPLES = {"C": FOLDER + "/pgdir-checksum",
            "Python": "python3 %s/pgdir-checksum.py" % FOLDER}


def pack_helper(to):
    """Build libxenpgdir and copy it with the examples."""
    done = subprocess.run([os.path.join(TOP, "scripts/build-helper")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode:
        raise Failure("no libxenpgdir: " + done.stdout)
    built = os.path.join(TOP, "build", "helper")
    library = os.path.join(built, "root", "lib", "libxenpgdir.so.1")
    os.makedirs(to)
    for file in (library, os.path.join(built, "pgdir-checksum"),
                 os.path.join(TOP, "examples", "pgdir-checksum.py"),
                 *libraries(library)):
        shutil.copy(file, to)
    # The example finds the package beside it
    shutil.copytree(os.path.join(TOP, "python", "xenpgdir"),
                    os.path.join(to, "xenpgdir"),
                    ignore=shutil.ignore_patterns("__pycache__"))


def example(bench, name, domid, gref, size):
    """Run an example; return its exit status and what it says."""
    return bench.machine.sh("LD_LIBRARY_PATH=%s %s %d %d %d" % (
        FOLDER, EXAMPLES[name], domid, gref, size), 60, check=False)


def checksum(width, height):
    """Of modetest's picture in memory: blue, green, red and a zero."""
    rgb = pictures.smpte(width, height).data
    data = bytearray(width * height * 4)
    for channel in range(3):
        data[channel::4] = rgb[2 - channel::3]
    return "%08x" % zlib.crc32(data)


def shown_buffer(guest, head):
    """What QEMU says of the buffer which a screen shows."""
    status = guest.status("disp0")
    shown = status["connectors"][head]["buffer"]
    return next(buffer for buffer in status["buffers"]
                if buffer["buffer"] == shown)


def picture_is_found(bench, guest, head, connector, width, height):
    """Both examples find the picture in the guest's own pages."""
    tap = bench.tap
    guest.sh("play show %s -s %s:%dx%d@XR24" % (CARD, connector, width,
                                                height))
    complaint = bench.shown(guest, "disp0", head,
                            pictures.smpte(width, height))
    if complaint:
        raise Failure("no picture to look for: " + complaint)
    buffer, size = shown_buffer(guest, head), width * height * 4
    busy = bench.grants(guest.domid)
    for name in EXAMPLES:
        status, out = example(bench, name, guest.domid, buffer["directory"],
                              size)
        tap.ok(status == 0 and out.strip() == checksum(width, height),
               "%s: the example in %s finds the picture of %dx%d" %
               (guest.name, name, width, height), out)
    left = bench.grants(guest.domid)
    tap.ok(left == busy, "%s: the examples leave nothing mapped" % guest.name,
           "%d grants mapped, %d before" % (left, busy))
    return buffer


def refused(bench, guest, buffer):
    """The kernel's and the helper's reasons arrive."""
    tap, domid, gref = bench.tap, guest.domid, buffer["directory"]
    # Where QEMU's buffer ends, the directory has no more references
    beyond = buffer["size"] + 4096
    for what, why, *arguments in (
            ("a size beyond the directory", "directory page", domid, gref,
             beyond),
            ("a reference that is none", "Invalid argument", domid, 99999999,
             4096),
            ("a domain that is none", "Invalid argument", 4711, gref, 4096)):
        for name in EXAMPLES:
            status, out = example(bench, name, *arguments)
            tap.ok(status == 1 and why in out,
                   "%s: %s is refused, in %s" % (guest.name, what, name), out)


def scenario_helper(bench):
    """libxenpgdir on a guest's buffers, from C and from Python"""
    pack_helper(os.path.join(bench.machine.share, "helper"))
    guest = bench.guest("help", [
        "xen-pvdisplay,id=disp0,connectors=800x600;1024x768"])
    bench.start(guest)
    small, large = (connector for connector, _ in bench.connectors(guest))
    idle = bench.grants(guest.domid)
    buffer = picture_is_found(bench, guest, 0, small, 800, 600)
    refused(bench, guest, buffer)
    guest.sh("endplay show", 60)
    picture_is_found(bench, guest, 1, large, 1024, 768)
    guest.sh("endplay show", 60)
    bench.tap.ok(bench.grants(guest.domid) == idle,
                 "help: nothing stays mapped")
    bench.nothing_stays(guest)
