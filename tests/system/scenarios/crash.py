# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with cards in use crash, and have a crash kernel (kdump)."""

import os
import re

import manual
from testbench import documented
from xensystem import LINUX_OPTIONS, VIRTUAL, concatenate, pack_cpio

from . import sound
from .kinds import SIZE, shows
from .restart import plays_silence

# A guest's initial RAM disk with a crash kernel, and with that one's own
BOOT = "crash.cpio"


def provide_crash_kernel(machine):
    machine.provide_kernel("6.1")
    folder = os.path.join(machine.logs, "crash")
    os.makedirs(folder)
    initrd = os.path.join(folder, "initrd")
    concatenate(initrd, [machine.image("guest.cpio"),
                         machine.image("modules-6.1.cpio"),
                         os.path.join(machine.logs, "init.cpio")])
    boot = os.path.join(folder, "boot")
    pack_cpio(boot, {"boot/vmlinuz": machine.image("vmlinuz"),
                     "boot/initrd": initrd})
    concatenate(os.path.join(machine.share, BOOT), [
        initrd, machine.image("kexec.cpio"), boot])
    machine.sh("mv /share/%s /images" % BOOT, 60)


def crashes(bench, name, config):
    """Start a guest that uses both cards, and let it crash."""
    if not os.path.exists(os.path.join(bench.machine.logs, "crash")):
        provide_crash_kernel(bench.machine)
    guest = bench.guest(name, config=dict(
        config, memory=512, ramdisk="/images/" + BOOT,
        extra=LINUX_OPTIONS + " crashkernel=128M"))
    bench.start(guest)
    sound.card_is_found(bench, guest)
    shows(bench, guest, "vdispl-0", SIZE)
    plays_silence(bench, guest)
    bench.keep_dmesg(guest)
    status, out = guest.sh(
        "kexec -p /boot/vmlinuz --initrd=/boot/initrd --command-line='%s'" %
        LINUX_OPTIONS, 120, check=False)
    bench.tap.ok(status == 0, "%s: kexec loads a crash kernel" % name, out)
    guest.sh("echo 1 > /proc/sys/kernel/sysrq")
    bench.machine.sh("xl sysrq %s c" % name)
    return guest


def has_card(bench, guest, what, loads):
    """Load its driver; how long that takes by the guest's own clock."""
    before = uptime(guest)
    loaded, out = loads(guest)
    bench.tap.ok(loaded, "%s: the crash kernel has %s" % (guest.name, what),
                 "%.1f s" % (uptime(guest) - before), None if loaded else out)


def uptime(guest):
    return float(guest.sh("cat /proc/uptime").split()[0])


def scenario_crash_hvm(bench):
    """an HVM guest crashes, and its crash kernel uses the cards"""
    machine, tap = bench.machine, bench.tap
    guest = crashes(bench, "crash-hvm", documented("hvm"))
    old = guest.domid
    guest.wait_ready(120)
    # The QEMU is another one, the domain is not
    machine.ask("hang_up", path=guest.qmp_path)
    domid = int(machine.sh("xl domid " + guest.name))
    status, out = guest.sh("[ -s /proc/vmcore ] && ! grep crashkernel "
                           "/proc/cmdline", check=False)
    tap.ok(status == 0 and domid == old,
           "%s: the crash kernel runs in the same domain" % guest.name,
           "domain %d, before %d" % (domid, old), out)
    has_card(bench, guest, "a display", bench.load_driver)
    has_card(bench, guest, "sound", sound.card_comes)
    # It resets cards that it finds connected, and waits 5 s for each answer
    log = bench.keep_dmesg(guest)
    waits = re.findall(r".*backend/(?:vdispl|vsnd).*", log)
    tap.ok(not waits, "%s: which it need not reset" % guest.name, *waits)
    bench.picture_comes(guest, "the crash kernel's picture", "vdispl-0", 0,
                        bench.first_connector(guest), *SIZE)
    plays_silence(bench, guest)
    guest.sh("killall aplay; endplay song", check=False)
    sound.nothing_stays(bench, guest)


def scenario_crash_pvh(bench):
    """a PVH guest crashes, and boots again for want of a crash kernel"""
    line, = manual.printed("scenario crash-pvh/restart")
    key, value = line.split(" = ")
    guest = crashes(bench, "crash-pvh", dict(
        documented("pvh"), **{key: value.strip("'")}))
    old = guest.rebooted(120)
    bench.nothing_is_left(guest, old)
    sound.no_card_is_left(bench, guest, old)
    bench.boot(guest)
    sound.card_is_found(bench, guest)
    status, out = guest.sh("grep crashkernel /proc/cmdline", check=False)
    bench.tap.ok(status == 0, "%s: the first kernel boots again" % guest.name,
                 out)
    bench.picture_comes(guest, "the picture comes again", "vdispl-0", 0,
                        bench.first_connector(guest), *SIZE)
    sound.nothing_stays(bench, guest)


scenario_crash_hvm.machine = VIRTUAL
scenario_crash_pvh.machine = VIRTUAL
