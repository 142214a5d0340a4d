# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests under KVM's emulated Xen: the devices in a QEMU that is Xen itself.

The host is emulated, too, and its guests run nested in it.
"""

import re
import shlex

import manual
import pictures
from kvmsystem import KVM, KVM_STOCK
from testbench import CARD
from xensystem import Failure

from . import sound
from .front import Front
from .input import is_in_vnc
from .manual import quotes

# Of the attacks each so many-th: the scenario "hostile" mounts the others
SHARE = 12

# What is none of a guest's memory: a hole, the APIC, the ROM of the firmware,
# the page of the xenstore, and what lies behind all memory
FRAMES = {"a hole": 0xfffffff, "the APIC": 0xfee00, "firmware": 0xfffff,
          "xenstore's page": 0xfeff9, "behind its memory": 384 << 8,
          "the last frame": 0xffffffff}

SOURCE = ("in.dev=hw:Loopback,,1,,0,in.buffer-length=1000000,"
          "in.period-length=50000")


def shared_memory():
    """The guest's memory, such that pictures are shown where they are."""
    return " ".join(manual.printed("scenario kvm/memory")).split()


def beside(machine):
    """A disk and a network card of QEMU's own Xen backends."""
    machine.sh("seq 100000 | head -c 512K > /share/disk.img")
    machine.sh("ip tuntap add dev tap0 mode tap && "
               "ip address add 192.168.76.1/24 dev tap0 && "
               "ip link set tap0 up")
    return ["-drive", "file=/share/disk.img,format=raw,if=none,id=disk",
            "-device", "xen-disk,drive=disk,vdev=xvda",
            "-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no",
            "-device", "xen-net-device,netdev=net,id=nic"]


def others_work(bench, guest):
    """What QEMU serves beside."""
    machine, tap = bench.machine, bench.tap
    guest.sh("echo said aloud > /dev/hvc0")
    heard, out = machine.until("grep 'said aloud' /share/log/console-%s" %
                               guest.name)
    tap.ok(heard, "%s: speaks on Xen's console" % guest.name, out)
    expected = machine.sh("md5sum < /share/disk.img")
    status, out = guest.sh("modprobe xen-blkfront; n=0; "
                           "until [ -b /dev/xvda ]; do n=$((n + 1)); "
                           "[ $n -lt 200 ] || exit 1; usleep 100000; done; "
                           "md5sum < /dev/xvda", 60, check=False)
    tap.ok(status == 0 and out == expected,
           "%s: reads its disk" % guest.name, out)
    status, out = guest.sh(
        "modprobe xen-netfront; n=0; until [ -e /sys/class/net/eth0 ]; do "
        "n=$((n + 1)); [ $n -lt 200 ] || exit 1; usleep 100000; done; "
        "ifconfig eth0 192.168.76.2 up && ping -c 3 192.168.76.1", 60,
        check=False)
    tap.ok(status == 0, "%s: reaches the host over its network card" %
           guest.name, out if status else None)
    # Quitting with it, QEMU 10.0 cleans up its tap twice, and crashes
    guest.qmp("device_del", id="nic")
    gone, out = guest.device_goes("nic")
    tap.ok(gone, "%s: and can be removed" % guest.name, out)


def starts(bench, guest):
    took = guest.create()
    bench.tap.ok(True, "%s: QEMU starts" % guest.name, "%.1f s" % took)
    guest.wait_ready()
    has_cards(bench, guest)


def has_cards(bench, guest):
    loaded, out = bench.load_driver(guest)
    if not bench.tap.ok(loaded, "%s: Linux %s has a display" % (
            guest.name, guest.sh("uname -r").strip()),
            None if loaded else out):
        raise Failure("no card in the guest")
    sound.card_is_found(bench, guest)


def pictures_are_right(bench, guest):
    """Each screen's, and both screens' out of one framebuffer."""
    tap = bench.tap
    found = bench.connectors(guest)
    if not tap.ok(len(found) == 2, "%s: two connectors" % guest.name,
                  repr(found)):
        raise Failure("no connectors in the guest")
    (left, _), (right, _) = found
    bench.picture_comes(guest, "the left screen, pixel by pixel", "disp0", 0,
                        left, 800, 600)
    guest.sh("play both %s -s %s:800x600@XR24 -s %s:640x480@XR24" %
             (CARD, left, right))
    wide = pictures.smpte(1440, 600)
    for head, area in enumerate(((0, 0, 800, 600), (800, 0, 640, 480))):
        complaint = bench.shown(guest, "disp0", head, wide.crop(*area))
        tap.ok(complaint is None, "%s: head %d shows its part of a wide "
               "framebuffer" % (guest.name, head), complaint)
    is_in_vnc(bench, guest, "a VNC viewer has the same",
              wide.crop(0, 0, 800, 600))
    guest.sh("endplay both", 60)


def song_is_right(bench, guest, first):
    """Play, and look at the recording, which the card's end completes."""
    song = sound.Song("S16_LE", 48000, 5, first)
    sound.play(bench, guest, song)
    sound.remove(bench, guest, "snd0")
    data = sound.recording(bench, guest.name)
    data = sound.songs_are_right(bench, guest, data, [song])
    sound.silence_is_right(bench, guest, data)


def replugged(bench, guest):
    """The display goes, and another comes."""
    tap = bench.tap
    guest.qmp("device_del", id="disp0")
    gone, out = guest.backend_goes("vdispl")
    tap.ok(gone and bench.card_has_gone(guest),
           "%s: device_del removes the display" % guest.name, out)
    guest.qmp("device_add", driver="xen-pvdisplay", id="disp0",
              connectors="640x480")
    loaded, out = bench.load_driver(guest)
    found = bench.connectors(guest) if loaded else []
    if not tap.ok(len(found) == 1, "%s: device_add brings another" %
                  guest.name, repr(found), None if loaded else out):
        raise Failure("no card after device_add")
    bench.picture_comes(guest, "its picture, pixel by pixel", "disp0", 0,
                        found[0][0], 640, 480)


def drivers_reload(bench, guest):
    """Both drivers are unloaded, and loaded again, as far as QEMU lets them.

    The xenstore that is in a stock QEMU 10.0 does not take back a watch
    which is not the first one of its path. There the first one is QEMU's, so
    that Linux cannot watch the backend a second time. What the overlay
    changes in QEMU's own files mends that.
    """
    tap = bench.tap
    if not bench.machine.kind.stock:
        bench.driver_reloads(guest, "disp0", 0, bench.first_connector(guest),
                             800, 600, times=1)
        sound.reload_driver(bench, guest, 1)
        return
    status, out = bench.unload_driver(guest)
    tap.ok(status == 0, "%s: the driver is unloaded" % guest.name, out)
    refusal = r"vdispl vdispl-0: 17 adding watch on \S+/vdispl/1/0/state"
    status, out = guest.sh(
        "dmesg -c > /dev/null; modprobe drm_xen_front; n=0; "
        "until dmesg | grep xenbus_dev_probe; do n=$((n + 1)); "
        "[ $n -lt 200 ] || exit 1; usleep 100000; done; dmesg", 60,
        check=False)
    tap.ok(status == 0 and re.search(refusal, out),
           "%s: loaded again, it cannot watch the backend in a stock QEMU's "
           "xenstore" % guest.name, out)


def resets(bench, guest):
    """The guest, and its cards, start over; connected as they are."""
    # Xen's console does not survive it
    bench.keep_dmesg(guest)
    guest.qmp("system_reset")
    guest.reboots()
    has_cards(bench, guest)
    bench.picture_comes(guest, "the picture after a reset", "disp0", 0,
                        bench.first_connector(guest), 800, 600)


def flips_are_cheap(bench, guest, way, size):
    """Steady flips map nothing; of windows nothing is copied, either."""
    guest.sh("play flip %s -v -s %s:%s@XR24" %
             (CARD, bench.first_connector(guest), size))
    bench.tap.ok(bench.flips_go_on(guest, 1), "%s: flips" % guest.name)
    # Somebody looks, as a copy is only made for that
    bench.screendump(guest, "disp0")
    before = guest.cards()["disp0"]
    flips = bench.flips_go_on(guest, 1)
    bench.screendump(guest, "disp0")
    after = guest.cards()["disp0"]
    old, new = before["cache"], after["cache"]
    bench.tap.ok(
        flips and new["way"] == way and
        new["map-calls"] == old["map-calls"] and
        (way == "copies" or not new["copied-bytes"] and
         not new["copy-pages"] and new["areas"]),
        "%s: flips map nothing: %s" % (guest.name, way),
        "%d flips, %d calls of map, %d bytes copied; %d areas of memory" % (
            after["flips"] - before["flips"],
            new["map-calls"] - old["map-calls"],
            new["copied-bytes"] - old["copied-bytes"], new["areas"]))


def quits_in_use(bench, guest, way, size):
    """QEMU ends well though the guest flips."""
    flips_are_cheap(bench, guest, way, size)
    ends(bench, guest)


def reboots_itself(bench, guest):
    """The guest says so, and its kernel takes leave of its cards."""
    guest.sh("play reboot sh -c 'sleep 1; reboot -f'")
    guest.reboots()
    has_cards(bench, guest)
    bench.picture_comes(guest, "the picture after a reboot", "disp0", 0,
                        bench.first_connector(guest), 800, 600)


def mistakes_are_told(bench):
    """What users get wrong, and see then, as the manual prints it."""
    display = "xen-pvdisplay,id=disp0,connectors=800x600"
    for name, device, config in (
            ("kvm/no-version", display, {"accel": "kvm"}),
            ("kvm/no-split", display, {"accel": "kvm,xen-version=0x40011,"
                                            "kernel-irqchip=on"}),
            ("kvm/no-sharing", display + ",be-alloc=on", {})):
        guest = bench.guest(name.split("/")[1], config={
            **config, "console": ["-device", device]})
        try:
            guest.create()
        except Failure:
            # It may have had a monitor already, or not
            pass
        bench.tap.ok(guest.ended() == 1, "%s: QEMU ends with status 1" %
                     guest.name)
        quotes(bench, guest.name, name, guest.log())


def frames_are_refused(bench, guest, front):
    """No page but its own memory's can be granted to a card."""
    table = guest.sh("for device in /sys/bus/pci/devices/*; do "
                     "grep -q 0x5853 $device/vendor && echo $device/resource1; "
                     "done").strip()
    worked, out = front.do("connect-display")
    bench.tap.ok(worked, "%s: its own frontend connects" % guest.name, out)
    for what, frame in FRAMES.items():
        worked, out = front.do("frame %s %#x" % (table, frame))
        bench.tap.ok(worked, "%s: a grant of %s is refused" %
                     (guest.name, what), out)
    log = bench.machine.sh("cat /share/log/qemu-dm-%s.log" % guest.name)
    bench.tap.ok("none of the guest's memory" in log,
                 "%s: the log says so" % guest.name, log)
    worked, out = front.do("disconnect-display")
    bench.tap.ok(worked, "%s: it takes its leave" % guest.name, out)


def attacks_are_survived(bench, guest, front):
    pid = guest.pid()
    _, out = front.do("groups")
    tried = 0
    for group, sent in re.findall(r"^# (\S+): (\d+) of", out, re.M):
        # Where KVM emulates Xen, the host has no pages to share
        if sent == "0" or group == "be-alloc":
            continue
        worked, out = front.do("attack %s %d" % (group, SHARE), 600)
        count, survived = re.search(r"^# %s: (\d+) tried, (\d+) survived" %
                                    group, out, re.M).groups()
        left = bench.grants(guest.domid)
        tried += int(count)
        bench.tap.ok(worked and count == survived and not left,
                     "%s: %s attacks: %s" % (guest.name, count, group),
                     *(line[2:] for line in out.splitlines()
                       if line.startswith(("# FAILED", "# cannot"))),
                     "%d pages are left mapped" % left if left else None)
    guest.qmp("query-status")
    bench.tap.ok(guest.pid() == pid and tried > 20, "%s: QEMU is the one that "
                 "it was" % guest.name, "%d attacks" % tried)


def under_attack(bench):
    guest = bench.guest("hostile", [
        "xen-pvdisplay,id=disp0,connectors=160x120;160x120,x-connect-pause=1",
        "xen-pvsound,id=snd0,audiodev=silent,streams=pc,x-connect-pause=1"],
        config={"args": [*shared_memory(), "-audiodev", "none,id=silent"],
                # For the grant table
                "kernel-options": " iomem=relaxed"})
    guest.create()
    guest.wait_ready()
    front = Front(guest)
    frames_are_refused(bench, guest, front)
    attacks_are_survived(bench, guest, front)
    ends(bench, guest)


def as_printed(bench):
    """The manual's command, with what the emulated host has."""
    machine, tap = bench.machine, bench.tap
    machine.sh("truncate -s 1M /share/printed.img")
    command = shlex.split(" ".join(manual.printed("scenario kvm/start"))
                          .replace(" \\ ", " "))
    instead = {
        "2G": "384M", "file=guest.qcow2,if=virtio":
        "file=/share/printed.img,format=raw,if=virtio",
        "memory-backend-memfd,id=ram,size=2G,share=on":
        "memory-backend-memfd,id=ram,size=384M,share=on",
        "alsa,id=snd": "none,id=snd", "stdio": "null", "2": "1"}
    missing = [word for word in instead if word not in command]
    tap.ok(command[0].endswith("/qemu-xen-pv") and not missing,
           "the manual's command is one of the plugin", *missing)
    guest = bench.guest("printed", kernel="6.12", config={
        "machine": [instead.get(word, word) for word in command[1:]],
        "obeys": "ttyS1"})
    guest.create()
    guest.wait_ready()
    load, look = manual.printed("scenario kvm/drivers")
    guest.sh(load, 60)
    status, out = guest.sh(
        "n=0; until %s | grep card0 && ls /dev/snd | grep pcm; do "
        "n=$((n + 1)); [ $n -lt 200 ] || { %s; exit 1; }; usleep 100000; done"
        % (look, look), 60, check=False)
    tap.ok(status == 0, "printed: has a screen and a sound card", out)
    bench.picture_comes(guest, "its picture, pixel by pixel", "disp0", 0,
                        bench.first_connector(guest), 1024, 768)
    ends(bench, guest)


def ends(bench, guest):
    guest.qmp("quit")
    status = guest.ended()
    bench.tap.ok(status == 0, "%s: QEMU quits with status 0" % guest.name,
                 "status %r" % status, guest.log() if status else None)


def under_kvm(bench):
    machine = bench.machine
    machine.sh("modprobe snd-aloop")
    guest = bench.guest("newer", [
        "xen-pvdisplay,id=disp0,connectors=LEFT:800x600;RIGHT:640x480",
        "xen-pvsound,id=snd0,audiodev=newer,streams=p"], kernel="6.12",
        config={"args": [
            *sound.wav("newer", "out.frequency=48000"),
            "-audiodev", "alsa,id=source,in.frequency=48000," + SOURCE,
            "-trace", "alsa_xrun_in", "-vnc", "127.0.0.1:0",
            *shared_memory(), *beside(machine)]})
    starts(bench, guest)
    pictures_are_right(bench, guest)
    others_work(bench, guest)
    song_is_right(bench, guest, 1000000)
    sound.add(bench, guest, "snd1", "source", "c")
    sound.record_known(bench, guest, sound.Song("S16_LE", 48000, 15, 2000000),
                       3)
    replugged(bench, guest)
    bench.keep_dmesg(guest)
    quits_in_use(bench, guest, "windows", "640x480")

    guest = bench.guest("older", [
        "xen-pvdisplay,id=disp0,connectors=800x600",
        "xen-pvsound,id=snd0,audiodev=older,streams=p"], config={
            "args": sound.wav("older", "out.frequency=48000")})
    starts(bench, guest)
    bench.picture_comes(guest, "the picture, pixel by pixel", "disp0", 0,
                        bench.first_connector(guest), 800, 600)
    drivers_reload(bench, guest)
    resets(bench, guest)
    if not machine.kind.stock:
        reboots_itself(bench, guest)
    song_is_right(bench, guest, 3000000)
    quits_in_use(bench, guest, "copies", "800x600")


def scenario_kvm(bench):
    """guests under KVM's emulated Xen, nested in an emulated host"""
    mistakes_are_told(bench)
    under_kvm(bench)
    under_attack(bench)


def scenario_plugin(bench):
    """the same with Debian 13's own QEMU, and our plugin in front of it"""
    # A stock QEMU lets no program in a guest watch a backend's state twice, as
    # one that attacks has to; what it reaches there does not differ
    as_printed(bench)
    under_kvm(bench)


scenario_kvm.machine = KVM
scenario_plugin.machine = KVM_STOCK
