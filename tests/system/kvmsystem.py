# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine whose KVM emulates Xen, and its guests.

The emulated machine runs Linux as a host, whose KVM serves guests in which
QEMU is Xen itself: there is no toolstack and no control domain. What the host
has is what a control domain has elsewhere, so that scenarios find their way.
"""

import json
import os
import shlex
import shutil
import time

from testbench import Bench
from xensystem import Failure, Guest, Kind, Machine, with_stock

# With what a host needs to serve guests: its own guests get no AVX by this
KVM_CPU = "EPYC,-smap,-smep,-rdseed,-rdrand,-monitor"

# As the manual prints it
XEN_VERSION = "0x40011"

KVM = Kind(system="kvm", cpu=KVM_CPU, parts=("base", "kvm"),
           cpios=("kvm/modules-kvm.cpio",))
KVM_STOCK = with_stock(KVM)


class KvmMachine(Machine):
    """A machine with Linux as a KVM host."""
    INIT = "kvm-init"
    WHAT = "Linux as a KVM host"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.guests = []

    def kernel_options(self):
        return ["-kernel", self.image("kvm/vmlinuz-6.12"),
                "-append", "console=ttyS0 rdinit=/init quiet mitigations=off"
                " nokaslr" + " test-shell" * self.shell,
                "-initrd", self.dom0_root()]

    def booted(self):
        return "a KVM host boots", self.sh("uname -sr")

    def xen_version(self):
        return "KVM"

    def kernel_of(self, version):
        return self.image("vmlinuz" if version == "6.1" else
                          "kvm/vmlinuz-" + version)

    def provide_installed_kernel(self, version):
        name = "vmlinuz-" + version
        if name not in self.kernels:
            shutil.copy(self.kernel_of(version),
                        os.path.join(self.share, name))
            self.sh("mv /share/%s /images" % name, 60)
            self.kernels.add(name)

    def destroy_guests(self):
        for guest in self.guests:
            self.sh("kill -KILL $(cat %s)" % guest.pid_path, check=False)

    def save_state(self):
        self.sh("{ ps ax; dmesg; } > /share/log/state 2>&1", 60, check=False)
        return "processes and kernel log: %s/log/state" % self.share


class KvmGuest(Guest):
    """A Linux guest of KVM's emulated Xen, with the QEMU under test.

    Its domid is its name: there is only one domain in a QEMU.
    """

    def __init__(self, machine, name, qemu_args=(), config=None,
                 kernel="6.1"):
        """A guest, not yet created.

        config: "args", further options; "accel", others of the accelerator;
        "machine", all that make the machine; "kernel-options", more of them;
        "console", what is there in the place of Xen's console.
        """
        config = config or {}
        self.machine, self.name, self.kernel = machine, name, kernel
        self.domid = None
        self.type, self.hvm = "hvm", True
        self.qmp_path, self.pid_path, self.status_path, self.obeys_path = (
            "/run/%s-%s" % (what, name)
            for what in ("qmp", "pid", "status", "obeys"))
        self.args = [
            *config.get("machine", [
                "-machine", "pc,usb=off", "-accel", config.get(
                    "accel",
                    "kvm,xen-version=%s,kernel-irqchip=split" % XEN_VERSION),
                "-cpu", "host,+xen-vapic", "-m", "384", "-smp", "1",
                "-nodefaults", "-display", "none", "-vga", "none"]),
            "-kernel", "/images/vmlinuz-" + kernel,
            "-initrd", "/images/guest-%s.cpio" % kernel,
            # no_timer_check: a machine that is emulated twice may be too slow
            # for Linux's test of its timer
            "-append", "console=hvc0 rdinit=/init quiet mitigations=off "
            "nokaslr no_timer_check obeys=" +
            config.get("obeys", "ttyS0") + config.get("kernel-options", ""),
            # What is tested is not what commands go by
            "-chardev", "socket,id=obeys,path=%s,server=on,wait=off" %
            self.obeys_path,
            "-serial", "chardev:obeys",
            *config.get("console", [
                "-chardev",
                "file,id=console,path=/share/log/console-%s" % name,
                "-device", "xen-console,chardev=console"]),
            "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path,
            *config.get("args", []), *qemu_args]
        machine.guests.append(self)

    def create(self, timeout=60):
        """Start QEMU; return how many seconds it took."""
        machine = self.machine
        machine.provide_kernel(self.kernel)
        machine.provide_installed_kernel(self.kernel)
        start = time.monotonic()
        machine.sh("setsid sh -c %s > /share/log/qemu-dm-%s.log 2>&1 "
                   "< /dev/null &" % (shlex.quote(
                       "%s & echo $! > %s; wait $!; echo $? > %s" % (
                           shlex.join([machine.qemu, *self.args]),
                           self.pid_path, self.status_path)), self.name))
        # It has ended early, or answers
        started, _ = machine.until("[ -S %s -o -e %s ]" %
                                   (self.qmp_path, self.status_path), timeout)
        if not started or machine.sh("ls %s" % self.status_path,
                                     check=False)[0] == 0:
            raise Failure("QEMU does not start: " + self.log())
        self.domid = self.name
        return time.monotonic() - start

    def log(self):
        return self.machine.sh("tail -n 20 /share/log/qemu-dm-%s.log" %
                               self.name, check=False)[1]

    def wait_ready(self, timeout=300):
        self.machine.progress.begin("booting guest %s" % self.name)
        self.machine.ask("console", timeout, domid=self.domid,
                         path=self.obeys_path)
        self.machine.progress.end()
        self.has_booted()

    def reboots(self, timeout=300):
        """Wait until it is ready again."""
        self.machine.progress.begin("rebooting guest %s" % self.name)
        self.machine.ask("ready", timeout, domid=self.domid)
        self.machine.progress.end()

    def pid(self):
        return int(self.machine.sh("cat " + self.pid_path))

    def cards(self):
        """The PV cards that QEMU has: their status, by their ids."""
        cards = {}
        for card in self.qmp("qom-list", path="/machine/peripheral"):
            if card["type"] not in ("child<xen-pvdisplay>",
                                    "child<xen-pvsound>"):
                continue
            try:
                cards[card["name"]] = self.status(card["name"])
            except Failure as e:
                # It has gone meanwhile
                if "not found" not in str(e):
                    raise
        return cards

    def waits_for(self, look, timeout=60):
        """Wait until look() finds nothing; whether, and what it last found."""
        deadline = time.monotonic() + timeout * self.machine.patience
        while True:
            left = look()
            if not left or time.monotonic() > deadline:
                return not left, json.dumps(left)
            time.sleep(0.2)

    def backend_goes(self, kind, number=0):
        path = "/backend/%s/1/%d" % (kind, number)
        return self.waits_for(lambda: [
            card for card in self.cards().values()
            if card.get("path", "").endswith(path)])

    def device_goes(self, name):
        return self.waits_for(lambda: [
            device for device in
            self.qmp("qom-list", path="/machine/peripheral")
            if device["name"] == name])

    def ended(self, timeout=60):
        """Wait for QEMU's end; return its status, or None."""
        done, out = self.machine.until("grep . " + self.status_path,
                                       timeout)
        self.machine.ask("hang_up", path=self.qmp_path)
        self.machine.guests.remove(self)
        return int(out) if done and out.strip() else None

    def destroy(self, timeout=60):
        self.machine.sh("kill $(cat %s)" % self.pid_path)
        self.ended(timeout)


class KvmBench(Bench):
    """What the scenarios share, under KVM."""
    GUEST = KvmGuest

    def keep_dmesg(self, guest):
        """With what the guest says on Xen's console: a serial port is slow."""
        guest.sh("dmesg > /dev/hvc0", 60, check=False)

    def grants(self, domid):
        """How many pages of a guest its cards have mapped, as these say."""
        guest, = (one for one in self.machine.guests if one.domid == domid)
        return sum(status["cache"]["mapped-pages"]
                   for status in guest.cards().values() if "cache" in status)
