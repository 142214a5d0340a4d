# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests which libvirt runs, by the files and commands of the manual."""

import os
import shutil
import time
import xml.etree.ElementTree as ElementTree

import manual
import pictures
from testbench import CARD
from xensystem import LATE, PLAIN_CPU, TRIES, VIRTUAL_CPU, Failure, Guest, \
    Kind

from .input import (ABS_X, ABS_Y, BTN_LEFT, EV_ABS, EV_KEY, KEY_B, RANGE,
                    expect, from_vnc)
from .sound import (Song, WAV_HEADER, card_is_found, no_card_is_left, play,
                    silence_is_right, songs_are_right)

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(HERE, "../../../docs/system/xen-pv/libvirt")
XEN = "{http://libvirt.org/schemas/domain/xen/1.0}"

# Where the user of the manual is, with its files
FOLDER = "/root/guests"

# Where the files want their kernels, disks and recordings
IMAGES = "/var/lib/libvirt/images"

# What libxl says there
LIBXL_LOG = "/var/log/libvirt/libxl/libxl-driver.log"

# The kernel and the initial RAM disk of each. The firmware of an HVM guest
# wants the former as it is installed.
PV_BOOT = "/images/vmlinux-6.1", "/images/guest-6.1.cpio"
BOOT = {"pv": PV_BOOT, "pvh": PV_BOOT,
        "hvm": ("/images/vmlinuz-6.1", "/images/guest-usb.cpio")}


class VirshGuest(Guest):
    """A guest that somebody starts with virsh."""

    # pylint: disable=super-init-not-called
    def __init__(self, machine, name):
        self.machine, self.name, self.kernel = machine, name, "6.1"
        # Files of the manual have the name of their type
        self.type = name
        self.domid = None

    def started(self):
        self.domid = int(self.machine.sh("virsh domid " + self.name))

    def definition(self):
        return ElementTree.fromstring(
            self.machine.sh("virsh dumpxml " + self.name))


class Session:
    """What a user types and is answered, as the manual prints it."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name.partition("/")[2]
        self.steps = []
        for line in manual.printed("scenario " + name):
            if line.startswith("# "):
                self.steps.append((line[2:], []))
            else:
                self.steps[-1][1].append(line)

    def run(self, command):
        """Run it again if QEMU was too late for libxl, which waits for 10 s.

        On a busy machine an emulated QEMU takes longer to answer its monitor.
        """
        for _ in range(TRIES):
            status, out = self.bench.machine.sh(
                ": > %s; cd %s; %s" % (LIBXL_LOG, FOLDER, command), 120,
                check=False)
            if status == 0:
                break
            late, why = self.bench.machine.sh(
                "grep -a '%s' %s" % (LATE, LIBXL_LOG),
                check=False)
            if late != 0:
                break
            self.bench.tap.note("%s: late: %s" % (self.name, why.strip()))
        return status, out

    def until(self, last=None):
        """Type what comes up to a command; return what that answers."""
        machine, out = self.bench.machine, ""
        while self.steps:
            command, expected = self.steps.pop(0)
            machine.progress.begin(command)
            status, out = self.run(command)
            if not self.bench.tap.ok(
                    status == 0 and out.split() == " ".join(expected).split(),
                    "%s: %s" % (self.name, command), out.strip()):
                raise Failure("the manual has: %s" % "\n".join(expected))
            if last and command.startswith(last):
                return out.strip()
        if last:
            raise Failure("session %s has no command '%s'" %
                          (self.name, last))
        return out


def start_libvirt(bench):
    """Start libvirtd, with the QEMU under test where it looks for one."""
    machine = bench.machine
    machine.sh("mkdir -p /run/libvirt /var/log/libvirt/libxl %s %s; "
               "ln -sf %s /opt/qemu/bin/qemu-system-x86_64" %
               (FOLDER, IMAGES, machine.qemu))
    installed, _ = machine.sh("test -e /usr/libexec/xen-qemu-system-i386",
                              check=False)
    if installed != 0:
        Session(bench, "libvirt/qemu").until()
    machine.sh("libvirtd --daemon", 60)
    started, out = machine.until("virsh version", 90)
    if not bench.tap.ok(started, "libvirtd runs", out):
        raise Failure("no libvirt")
    machine.provide_kernel("6.1")


def provide_hvm(bench):
    """What an HVM guest boots, with the drivers for its tablet."""
    machine = bench.machine
    machine.provide_installed_kernel("6.1")
    shutil.copy(machine.image("libvirt/modules-usb.cpio"), machine.share)
    machine.sh("cd /share; cat /images/guest-6.1.cpio modules-usb.cpio "
               "> /images/guest-usb.cpio; rm modules-usb.cpio", 60)


def stop_libvirt(bench):
    bench.machine.sh("kill $(cat /run/libvirtd.pid); rm -r %s" % FOLDER)
    gone, out = bench.machine.until("! pgrep -x libvirtd")
    bench.tap.ok(gone, "libvirtd has ended", None if gone else out)


def provide(bench, name, old="", new=""):
    """What the manual's user has: the file, edited or not, kernel and disk."""
    with open(os.path.join(FILES, name + ".xml")) as f:
        text = f.read()
    if old not in text:
        raise Failure("%s.xml has no '%s'" % (name, old))
    with open(os.path.join(bench.machine.share, name + ".xml"), "w") as f:
        f.write(text.replace(old, new) if old else text)
    kernel, ramdisk = BOOT[name]
    bench.machine.sh(
        "mv /share/{0}.xml {1}; cd {2}; ln -sf {3} vmlinuz; "
        "ln -sf {4} initrd.img; truncate -s 1M {0}.img".format(
            name, FOLDER, IMAGES, kernel, ramdisk))


def vnc(bench, display, *actions):
    """Look at a display, as `virsh vncdisplay` prints it."""
    host, number = display.split(":")
    bench.machine.sh("python3 /share/dom0-vnc %s %d %s" % (
        host, 5900 + int(number), " ".join(actions)), 60)


def picture_comes(bench, guest, display, head=0, size=(800, 600)):
    """modetest's picture, in a VNC viewer."""
    connector = bench.connectors(guest)[head][0]
    guest.sh("play show%d %s -s %s:%dx%d@XR24" % (head, CARD, connector,
                                                  *size))
    viewer_shows_it(bench, guest, display, head, size)


def viewer_shows_it(bench, guest, display, head=0, size=(800, 600)):
    """The picture that modetest draws, in a VNC viewer."""
    expected = pictures.smpte(*size)
    file = "vnc-%s-%d.ppm" % (guest.name, head)
    path = os.path.join(bench.machine.share, file)
    deadline = time.monotonic() + 60 * bench.machine.patience
    while True:
        vnc(bench, display, "save:/share/" + file)
        picture = pictures.read_ppm(path)
        complaint = picture.difference(expected)
        if not complaint or time.monotonic() > deadline:
            break
    picture.write_png(os.path.join(bench.machine.logs,
                                   file.replace(".ppm", ".png")))
    bench.tap.ok(complaint is None, "%s: VNC at %s has modetest's picture, "
                 "pixel by pixel" % (guest.name, display), complaint)


def input_comes(bench, guest, display, width, height):
    """A key and a click, in the last corner of the screen."""
    hvm = guest.name == "hvm"
    status, out = guest.sh(
        "modprobe -a evdev %s; n=0; "
        "until cat /sys/class/input/input*/name | grep -q '%s'; do "
        "n=$((n + 1)); [ $n -lt 200 ] || exit 1; usleep 100000; done; "
        "for event in /dev/input/event*; do "
        "cat $event >> /tmp/${event##*/}.log & done" %
        (("uhci_hcd usbhid hid_generic", "USB Tablet") if hvm else
         ("", "Xen Virtual Pointer")), 60, check=False)
    if status != 0:
        raise Failure("%s: no pointer: %s" % (guest.name, out))
    x, y = width - 20, height - 10
    vnc(bench, display, "key:0x62", "click:%d,%d" % (x, y))
    if hvm:
        # as the emulated tablet has it
        there = x * RANGE // width, y * RANGE // height
    else:
        there = from_vnc(x, width), from_vnc(y, height)
    expect(bench, guest, "a key arrives from VNC, and a click at (%d,%d)" %
           (x, y), (EV_KEY, KEY_B, 1), (EV_KEY, KEY_B, 0),
           (EV_ABS, ABS_X, there[0]), (EV_ABS, ABS_Y, there[1]),
           (EV_KEY, BTN_LEFT, 1), (EV_KEY, BTN_LEFT, 0))


def sound_is_recorded(bench, guest, songs):
    """What has been played, once QEMU has ended."""
    file = guest.name + ".wav"
    bench.machine.sh("mv %s/%s /share" % (IMAGES, file))
    path = os.path.join(bench.machine.share, file)
    with open(path, "rb") as f:
        data = f.read()[WAV_HEADER:]
    silence_is_right(bench, guest, songs_are_right(bench, guest, data, songs))


def definition_is_right(bench, guest, display):
    """`virsh dumpxml` has what the file says, and what viewers look for."""
    with open(os.path.join(FILES, guest.name + ".xml")) as f:
        ours = ElementTree.parse(f).getroot()
    theirs = guest.definition()

    def arguments(domain):
        return [arg.get("value") for arg in domain.iter(XEN + "arg")]

    port = theirs.find("devices/graphics[@type='vnc']").get("port")
    bench.tap.ok(arguments(ours) == arguments(theirs) and
                 int(port) == 5900 + int(display.split(":")[1]),
                 "%s: virsh dumpxml has QEMU's options, and VNC's port" %
                 guest.name, "%r, port %s" % (arguments(theirs), port))


def display_is_found(bench, guest):
    loaded, out = bench.load_driver(guest)
    if not bench.tap.ok(loaded, "%s: Linux's driver finds the display" %
                        guest.name, None if loaded else out):
        raise Failure("no display in the guest")


def run_guest(bench, name, display=None):
    """One file of the manual, by the commands there.

    The display is that of a VNC server which libvirt knows nothing of.
    """
    session = Session(bench, name)
    guest = VirshGuest(bench.machine, session.name)
    provide(bench, guest.name)
    start = time.monotonic()
    first = session.until("virsh vncdisplay")
    guest.started()
    guest.wait_ready()
    bench.tap.note("%s: ready after %.0f s" % (guest.name,
                                               time.monotonic() - start))
    definition_is_right(bench, guest, first)
    display_is_found(bench, guest)
    card_is_found(bench, guest)
    picture_comes(bench, guest, display or first)
    input_comes(bench, guest, display or first, 800, 600)
    song = Song("S16_LE", 44100, 4, 1000000)
    play(bench, guest, song)
    bench.tap.note("%s: destroying it with a picture on its screen" %
                   guest.name)
    destroy(bench, guest, session)
    status, out = bench.machine.sh("virsh list --all --name", check=False)
    bench.tap.ok(status == 0 and guest.name not in out.split(),
                 "%s: libvirt has forgotten it" % guest.name, out.strip())
    sound_is_recorded(bench, guest, [song])


def destroy(bench, guest, session):
    """What is left of the session, and of the guest after that."""
    bench.keep_dmesg(guest)
    session.until()
    bench.nothing_is_left(guest, guest.domid)
    no_card_is_left(bench, guest, guest.domid)


def larger_screens(bench):
    """A larger screen, and a second one, as the manual has them."""
    provide(bench, "pv",
            "<xen:arg value='xen-pvdisplay,id=disp0,connectors=800x600'/>",
            "\n".join(manual.printed("scenario libvirt/screens")))
    session = Session(bench, "libvirt/size")
    guest = VirshGuest(bench.machine, "pv")
    session.until("virsh resume")
    guest.started()
    guest.wait_ready()
    first = bench.machine.sh("virsh vncdisplay pv").strip()
    display_is_found(bench, guest)
    picture_comes(bench, guest, first, 0, (1024, 768))
    input_comes(bench, guest, first, 1024, 768)
    guest.sh("endplay show0", 60)
    picture_comes(bench, guest, "127.0.0.1:51", 1, (640, 480))
    destroy(bench, guest, session)


def mistake_is_told(bench):
    """The manual's mistake, what virsh says of it, and where the reason is."""
    provide(bench, "pv", "connectors=800x600", "connectors=800")
    session = Session(bench, "libvirt/mistake")
    for command, expected in session.steps:
        _, out = bench.machine.sh("cd %s; %s" % (FOLDER, command), 120,
                                  check=False)
        missing = [line for line in expected if not manual.matches(line, out)]
        bench.tap.ok(bool(expected) and not missing,
                     "pv with a mistake: " + command, out, *missing)


def scenario_libvirt(bench):
    """a PV guest of libvirt's: screens, keys and sound"""
    start_libvirt(bench)
    run_guest(bench, "libvirt/pv")
    larger_screens(bench)
    mistake_is_told(bench)
    stop_libvirt(bench)


def scenario_libvirt_virtual(bench):
    """a PVH and an HVM guest of libvirt's: screen, keys and sound"""
    start_libvirt(bench)
    run_guest(bench, "libvirt-virtual/pvh")
    provide_hvm(bench)
    run_guest(bench, "libvirt-virtual/hvm", "127.0.0.1:50")
    stop_libvirt(bench)


def kind(cpu):
    return Kind(cpu=cpu, parts=("base", "libvirt"),
                cpios=("libvirt/libvirt.cpio",))


scenario_libvirt.machine = kind(PLAIN_CPU)
scenario_libvirt_virtual.machine = kind(VIRTUAL_CPU)
