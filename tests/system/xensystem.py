# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with the Xen hypervisor, under emulation, and its guests."""

import dataclasses
import functools
import json
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import sys
import time

import manual
from booted import BootedState

HERE = os.path.dirname(os.path.abspath(__file__))

# libxl gives a guest's QEMU ten seconds, says this, and gives up; how often
# what was only late is tried
LATE = "startup configs failed, rc=-9"
TRIES = 3

# Processors. The first one serves all that it can: under the second, programs
# of paravirtual domains stumble now and then ("Inconsistency detected by
# ld.so"). But Xen can virtualise only the second, for guests of the types
# "pvh" and "hvm". It lacks what Xen or Linux use in ways which the emulator
# does not follow.
PLAIN_CPU = "Nehalem"
VIRTUAL_CPU = ("EPYC,-smap,-smep,-rdtscp,-monitor,-rdseed,-rdrand,-xsave,"
               "-xsaveopt,-xsavec,-xgetbv1,-avx,-avx2,-fma,-f16c")

# Guests of Xen halt at their first instructions under QEMU 10.0.2, if Xen uses
# nested page tables, and an HVM guest hangs later if it uses none.  They run
# under Debian 12's own, 7.2; under this one with nested page tables.
NESTED_WORKS = (10, 0, 13)

# Of a guest, in MiB, unless told: each page costs the emulator some time
MEMORY = 128

# Of Xen, and of each Linux: nothing works around faults of processors, which
# would take a third of the emulator's time
XEN_OPTIONS = "xpti=no spec-ctrl=no"
LINUX_OPTIONS = "console=hvc0 rdinit=/init quiet mitigations=off"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What a machine looks like.

    parts: of the images, in order; see prepare. cpios: archives that are
    unpacked over the control domain's root, disks: what it finds as
    /dev/vda and so on, both as PART/FILE. What is written to a disk is gone
    with the machine. system: "xen", or "kvm" for one whose KVM emulates Xen.
    stock: guests' QEMU is Debian's own with our plugin, not the one that was
    built.
    """
    system: str = "xen"
    stock: bool = False
    cpu: str = PLAIN_CPU
    memory: str = "3G"
    dom0_memory: str = "1536M"
    parts: tuple = ("base", "newest")
    cpios: tuple = ()
    disks: tuple = ()


PLAIN = Kind()
VIRTUAL = Kind(cpu=VIRTUAL_CPU)


def with_stock(kind):
    """The same with Debian's own QEMU, and our plugin."""
    return dataclasses.replace(
        kind, stock=True, parts=(*kind.parts, "stock"),
        cpios=(*kind.cpios, "stock/stock.cpio"))


# libraries which have to be those of the program's loader
LIBC = re.compile(r"/(ld-linux.*|libc|libm|libdl|libpthread|librt|"
                  r"libresolv|libutil)\.so")


class Failure(Exception):
    """Something the test cannot go on without has not happened."""


class Progress:
    """What is going on, on standard error, with the time it takes."""

    def __init__(self, label="", shared=False):
        """Of one among others, if shared: in lines of its own, labelled."""
        self.label = label
        self.terminal = sys.stderr.isatty() and not shared
        self.text = None

    def begin(self, text):
        self.end()
        self.text = self.label + text
        self.start = self.shown = time.monotonic()
        self.show(0)

    def show(self, seconds):
        if self.terminal:
            sys.stderr.write("\r\033[K%s ... %d s" % (self.text, seconds))
        else:
            sys.stderr.write("%s ... %d s\n" % (self.text, seconds))
        sys.stderr.flush()

    def tick(self):
        now = time.monotonic()
        if self.text and now - self.shown >= (1 if self.terminal else 10):
            self.shown = now
            self.show(now - self.start)

    def end(self):
        if self.text and self.terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        self.text = None


@functools.cache
def emulator():
    """The program that emulates the machines; it is fetched first."""
    done = subprocess.run([os.path.join(HERE, "emulator")], text=True,
                          stdout=subprocess.PIPE)
    if done.returncode:
        raise Failure("there is no emulator")
    return done.stdout.splitlines()[-1]


def emulator_of(kind):
    """The program that emulates a kind of machine."""
    version = subprocess.check_output([emulator(), "--version"], text=True)
    numbers = re.search(r"version (\d+)\.(\d+)\.(\d+)", version).groups()
    if kind.cpu == VIRTUAL_CPU and tuple(map(int, numbers)) < NESTED_WORKS:
        return "qemu-system-x86_64"
    return emulator()


def pack_cpio(path, files):
    """Write a cpio archive of local files, by name, for a kernel.

    They come with the folders that they are in.
    """
    out = b""
    folders = set()

    def entry(name, mode, body):
        nonlocal out
        name = name.encode() + b"\0"
        header = b"070701" + b"".join(b"%08X" % n for n in (
            0, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name), 0))
        out += header + name
        out += b"\0" * (-len(out) % 4) + body
        out += b"\0" * (-len(out) % 4)

    def folder(name):
        if name and name not in folders:
            folder(os.path.dirname(name))
            folders.add(name)
            entry(name, 0o40755, b"")

    for name, source in files.items():
        folder(os.path.dirname(name))
        with open(source, "rb") as f:
            entry(name, 0o100755, f.read())
    entry("TRAILER!!!", 0, b"")
    with open(path, "wb") as f:
        f.write(out)


def concatenate(path, parts):
    with open(path, "wb") as out:
        for part in parts:
            with open(part, "rb") as f:
                shutil.copyfileobj(f, out)


def libraries(program):
    """The libraries that a program loads, but for those of the loader's."""
    for line in subprocess.check_output(["ldd", program],
                                        text=True).splitlines():
        found = re.search(r"=> (/\S+)", line)
        if found and not LIBC.search(found.group(1)):
            yield found.group(1)


def pack_programs(programs, to, at):
    """Copy programs, by name, with the libraries they were built against.

    They are to be found AT this place; a name there, in bin, runs a program
    with these libraries.
    """
    for folder in ("bin", "lib", "libexec"):
        os.makedirs(os.path.join(to, folder))
    for name, program in programs.items():
        shutil.copy(program, os.path.join(to, "libexec"))
        for library in libraries(program):
            shutil.copy(library, os.path.join(to, "lib"))
        wrapper = os.path.join(to, "bin", name)
        with open(wrapper, "w") as f:
            f.write("#!/bin/sh\n"
                    "LD_LIBRARY_PATH=%s/lib\n"
                    "export LD_LIBRARY_PATH\n"
                    'exec %s/libexec/%s "$@"\n' %
                    (at, at, os.path.basename(program)))
        os.chmod(wrapper, 0o755)


def pack_dom0(prefix, tools, to):
    """What the control domain gets in /opt/qemu."""
    program = os.path.join(prefix, "bin", "qemu-system-x86_64")
    if not os.access(program, os.X_OK):
        raise Failure("no QEMU at %s: run scripts/build-qemu first" % program)
    pack_programs({"qemu": program,
                   "xen-grants": os.path.join(tools, "xen-grants"),
                   "xen-pv-backendd":
                       os.path.join(tools, "xen-pv-backendd")},
                  to, "/opt/qemu")
    # keymaps and firmware, but no network card's
    data = os.path.join(prefix, "share", "qemu")
    if os.path.isdir(data):
        shutil.copytree(data, os.path.join(to, "share/qemu"),
                        ignore=shutil.ignore_patterns("*.rom"))


def pack_plugin(plugin, share):
    """What is put in front of Debian's own QEMU, and a command that does it.

    That runs in a root with the libraries which this QEMU is for.
    """
    if not os.access(os.path.join(plugin, "qemu-xen-pv"), os.X_OK):
        raise Failure("no plugin in %s: run scripts/build-plugin" % plugin)
    shutil.copytree(plugin, os.path.join(share, "plugin"))
    command = os.path.join(share, "qemu", "bin", "stock")
    with open(command, "w") as f:
        f.write("#!/bin/sh\n"
                'exec chroot /stock /opt/plugin/qemu-xen-pv "$@"\n')
    os.chmod(command, 0o755)


def pack_guest(tools, logs):
    """Put what guests get on top of their cached root into init.cpio."""
    to = os.path.join(logs, "guest")
    pack_programs({"xen-front": os.path.join(tools, "xen-front")}, to,
                  "/opt/front")
    files = {"init": os.path.join(HERE, "guest-init"),
             "bin/xen-front": os.path.join(to, "bin", "xen-front")}
    for folder in ("lib", "libexec"):
        for name in os.listdir(os.path.join(to, folder)):
            files["opt/front/%s/%s" % (folder, name)] = \
                os.path.join(to, folder, name)
    pack_cpio(os.path.join(logs, "init.cpio"), files)


class Machine:
    """A machine with Xen and its control domain."""
    INIT = "xen-init"
    WHAT = "Xen and its control domain"

    def __init__(self, images, prefix, plugin, tools, logs, progress,
                 patience=1.0, shell=False, kind=PLAIN):
        """A machine; images are the folders of its kind's parts, by name."""
        self.images, self.logs, self.progress = images, logs, progress
        self.given_patience, self.shell, self.kind = patience, shell, kind
        self.plugin, self.tools = plugin, tools
        self.share = os.path.join(logs, "share")
        self.console_log = os.path.join(logs, "console.log")
        self.process = None
        self.agent = None
        self.pending = b""
        os.makedirs(os.path.join(self.share, "log"))
        pack_dom0(prefix, tools, os.path.join(self.share, "qemu"))
        self.qemu = "/opt/qemu/bin/qemu"
        if kind.stock:
            self.qemu = "/opt/qemu/bin/stock"
            pack_plugin(plugin, self.share)
        for name in ("dom0-init", "dom0-agent", "dom0-vnc"):
            shutil.copy(os.path.join(HERE, name), self.share)
        shutil.copy(os.path.join(HERE, self.INIT),
                    os.path.join(self.share, "system-init"))
        self.kernels = set()
        # Of each guest that has booted, its type and its Linux
        self.ran = set()
        pack_guest(tools, logs)

    @staticmethod
    def option(path):
        """As QEMU takes it: what is in an option ends at a comma."""
        return path.replace(",", ",,")

    def kernel_options(self):
        """What the emulator boots."""
        dom0 = "%s %s%s,%s" % (
            self.option(self.image("vmlinuz")), LINUX_OPTIONS,
            " test-shell" if self.shell else "",
            self.option(self.dom0_root()))
        return [
            "-kernel", self.image("xen"),
            "-append", "console=com1 com1=115200,8n1 dom0_mem=%s noreboot "
            "conring_size=1M loglvl=info guest_loglvl=warning %s" %
            (self.kind.dom0_memory, XEN_OPTIONS),
            "-initrd", dom0]

    def command(self):
        """Of the emulator, in the folder of its logs."""
        kind = self.kind
        command = [
            emulator_of(kind), "-accel", "tcg", "-cpu", kind.cpu, "-smp", "1",
            "-m", kind.memory, "-nodefaults", "-no-user-config", "-display",
            "none", "-no-reboot",
            "-qmp", "unix:monitor.sock,server=on,wait=off",
            "-chardev", "socket,id=serial,path=serial.sock,server=on,"
            "wait=off,logfile=console.log",
            "-serial", "chardev:serial",
            "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
            "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=xen-pv-test",
            "-fsdev", "local,id=share,path=share,security_model=none",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
            *self.kernel_options(),
        ]
        for disk in kind.disks:
            command += ["-drive", "if=virtio,format=raw,snapshot=on,file=" +
                        self.option(self.image(disk))]
        return command

    def start(self, command):
        with open(os.path.join(self.logs, "outer.log"), "a") as log:
            log.write(" ".join(command) + "\n")
            log.flush()
            self.process = subprocess.Popen(
                command, cwd=self.logs, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)

    def boot(self, timeout=180):
        """Start the machine and wait until it obeys."""
        self.progress.begin("booting " + self.WHAT)
        kind, command = self.kind, self.command()
        # What is in the root it boots is not in the command line
        state = BootedState(self.images["base"], [
            *command, *map(self.image, kind.cpios)], self.logs)
        if not self.go_on(state, command, timeout):
            self.start(command)
            deadline = time.monotonic() + timeout * self.patience
            self.agent = self.connect("agent.sock", deadline)
            if not self.receive(deadline, "%s: no start" % self.WHAT).get(
                    "booted"):
                raise Failure("the machine does not boot as it should")
            try:
                state.save(self.connect("monitor.sock", deadline))
            except (OSError, RuntimeError) as e:
                self.note("its state is not kept: %s" % e)
        self.obeys(timeout)
        self.progress.end()

    def go_on(self, state, command, timeout):
        """From a state that is kept; whether there is one that works."""
        if not state.there():
            return False
        self.start(command + state.options())
        deadline = time.monotonic() + timeout * self.patience
        try:
            self.agent = self.connect("agent.sock", deadline)
            state.wait(self.connect("monitor.sock", deadline))
        except (OSError, RuntimeError, Failure) as e:
            self.note("it boots, as the state that was kept does not serve: "
                      "%s" % e)
            state.forget()
            self.stop()
            return False
        return True

    def obeys(self, timeout):
        """Let a machine that has booted go on, until it obeys."""
        deadline = time.monotonic() + timeout * self.patience
        self.agent.sendall(b"%d\n" % time.time())
        if not self.receive(deadline, "%s: no agent" % self.WHAT).get("ready"):
            raise Failure("the agent is confused")

    @property
    def patience(self):
        """What deadlines are multiplied by: as much as the host is late."""
        return self.given_patience * max(
            1.0, os.getloadavg()[0] / (os.cpu_count() or 1))

    def note(self, text):
        with open(os.path.join(self.logs, "outer.log"), "a") as log:
            log.write(text + "\n")

    def booted(self):
        """What has booted, for people."""
        return "Xen boots", self.sh(
            "xl info | grep -E '^(release|xen_version|virt_caps)'")

    def versions(self):
        """Of what guests run on: Xen, QEMU and how our devices are in it."""
        return {"xen": self.xen_version(), "plugin": self.kind.stock,
                "qemu": re.search(r"version ([\d.]+)", self.sh(
                    self.qemu + " --version", 60)).group(1)}

    def xen_version(self):
        return self.sh("xl info xen_version").strip()

    def destroy_guests(self):
        self.sh("xl list | awk 'NR > 2 { print $1 }' | "
                "xargs -r -n 1 xl destroy", 60, check=False)

    def save_state(self):
        """Write down what may explain a failure; return where."""
        self.sh("{ xl list; ps ax; xenstore-ls -f; xl dmesg; dmesg; "
                "tail -n 100 /var/log/libvirt/libxl/*.log; } "
                "> /share/log/state 2>&1", 60, check=False)
        return "xl, xenstore and kernel logs: %s/log/state" % self.share

    def image(self, name):
        """The path of PART/FILE; the part is "base" unless it is named."""
        part, _, file = name.rpartition("/")
        return os.path.join(self.images[part or "base"], file)

    def dom0_root(self):
        """The control domain's root, with what its kind has on top."""
        if not self.kind.cpios:
            return self.image("dom0.cpio")
        path = os.path.join(self.logs, "dom0.cpio")
        concatenate(path, [self.image("dom0.cpio"),
                           *map(self.image, self.kind.cpios)])
        return path

    def connect(self, name, deadline):
        # by way of the folder, since a socket's name must be short
        folder = os.open(self.logs, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while True:
                sock = socket.socket(socket.AF_UNIX)
                try:
                    sock.connect("/proc/self/fd/%d/%s" % (folder, name))
                    return sock
                except OSError:
                    sock.close()
                    self.check_alive()
                    if time.monotonic() > deadline:
                        raise Failure("the emulator does not listen")
                    time.sleep(0.05)
        finally:
            os.close(folder)

    def check_alive(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.logs, "outer.log")) as f:
                raise Failure("the emulator has ended: " +
                              f.read().strip()[-400:])

    def receive(self, deadline, complaint):
        while b"\n" not in self.pending:
            self.progress.tick()
            self.check_alive()
            if time.monotonic() > deadline:
                raise Failure(complaint)
            if select.select([self.agent], [], [], 0.5)[0]:
                data = self.agent.recv(65536)
                if not data:
                    raise Failure("the emulator has closed its socket")
                self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def ask(self, op, timeout=30, **arguments):
        timeout *= self.patience
        request = dict(arguments, op=op, timeout=timeout)
        with open(os.path.join(self.logs, "agent.log"), "a") as log:
            log.write("%.1f > %s\n" % (time.monotonic(), json.dumps(request)))
            self.agent.sendall(json.dumps(request).encode() + b"\n")
            message = self.receive(time.monotonic() + timeout + 30,
                                   "no answer to %r" % request)
            log.write("%.1f < %s\n" % (time.monotonic(), json.dumps(message)))
        if "error" in message:
            raise Failure("%s: %s" % (arguments.get("cmd", op),
                                      message["error"]))
        return message["result"]

    def provide_kernel(self, version):
        """Bring a guest's kernel and initial RAM disk to the control domain.

        In memory there, since xl reads them again for each guest.
        """
        if version in self.kernels:
            return
        kernel, root = "vmlinux-" + version, "guest-%s.cpio" % version
        part = "newest/" if version == "newest" else ""
        shutil.copy(self.image(part + kernel), self.share)
        concatenate(os.path.join(self.share, root), [
            self.image("guest.cpio"),
            self.image("%smodules-%s.cpio" % (part, version)),
            os.path.join(self.logs, "init.cpio")])
        self.sh("mkdir -p /images; cp /share/%s /share/%s /images" %
                (kernel, root), 60)
        for name in (kernel, root):
            os.unlink(os.path.join(self.share, name))
        self.kernels.add(version)

    def provide_installed_kernel(self, version):
        """Bring a kernel as Debian installs it; that of 6.1 is dom0's, too."""
        if version != "6.1":
            raise Failure("no installed kernel %s for a guest" % version)
        name = "vmlinuz-" + version
        if name in self.kernels:
            return
        shutil.copy(self.image("vmlinuz"),
                    os.path.join(self.share, name))
        self.sh("mv /share/%s /images" % name, 60)
        self.kernels.add(name)

    def sh(self, cmd, timeout=30, check=True):
        """Run a command in the control domain and return what it prints."""
        status, out = self.ask("sh", timeout, cmd=cmd)
        if check and status != 0:
            raise Failure("%s: status %d: %s" % (cmd, status, out.strip()))
        return out if check else (status, out)

    def until(self, cmd, timeout=30):
        """Wait until a command succeeds in the control domain."""
        status, out = self.ask("until", timeout, cmd=cmd)
        return status == 0, out

    def tail(self, lines=30):
        try:
            with open(self.console_log, errors="replace") as f:
                return f.read().replace("\r", "").splitlines()[-lines:]
        except OSError:
            return []

    def stop(self):
        self.progress.end()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def talk(self):
        """Join this terminal to the control domain's console."""
        import termios
        import tty
        serial = self.connect("serial.sock", time.monotonic() + 10)
        saved = termios.tcgetattr(0)
        print("control domain's console; leave with Ctrl-]\r")
        serial.sendall(b"\n")
        try:
            tty.setraw(0, termios.TCSADRAIN)
            while True:
                ready = select.select([0, serial], [], [])[0]
                if 0 in ready:
                    data = os.read(0, 1024)
                    if not data or b"\x1d" in data:
                        break
                    serial.sendall(data)
                if serial in ready:
                    data = serial.recv(65536)
                    if not data:
                        break
                    os.write(1, data)
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


# A vfb makes xl start a QEMU for a paravirtual guest; and if that does not
# serve the vfb, Linux waits 25 s for it.
MINIMUM = {"vfb": ["vnc=1"], "device_model_args_pv": ["-vga", "xenfb"]}


class Guest:
    """A Linux guest, of type pv unless told, with the QEMU under test."""

    def __init__(self, machine, name, qemu_args=(), config=None,
                 kernel="6.1"):
        """A guest, not yet created; config has further settings of xl.cfg."""
        self.machine, self.name, self.kernel = machine, name, kernel
        config = config or {}
        # The firmware of an HVM guest wants a kernel as it is installed.
        self.type = config.get("type", "pv")
        self.hvm = self.type == "hvm"
        self.qmp_path = "/run/qmp-%s" % name
        self.domid = None
        settings = {
            "name": name,
            "type": "pv",
            "kernel": "/images/vmlinu%s-%s" % ("xz"[self.hvm], kernel),
            "ramdisk": "/images/guest-%s.cpio" % kernel,
            "extra": LINUX_OPTIONS,
            "memory": MEMORY,
            "vcpus": 1,
            "on_crash": "destroy",
            "device_model_version": "qemu-xen",
            "device_model_override": machine.qemu,
        }
        settings.update({} if self.hvm else MINIMUM)
        settings.update(config)
        args = "device_model_args_hvm" if self.hvm else "device_model_args_pv"
        settings[args] = [
            *settings.get(args, []), *qemu_args,
            "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path]
        with open(os.path.join(machine.share, name + ".cfg"), "w") as f:
            for key, value in settings.items():
                if value is not None:
                    f.write("%s = %s\n" % (key, json.dumps(value)))

    def create(self, timeout=60):
        """Run xl create; return how many seconds it took."""
        self.machine.provide_kernel(self.kernel)
        if self.hvm:
            self.machine.provide_installed_kernel(self.kernel)
        self.machine.progress.begin("creating guest %s" % self.name)
        start = time.monotonic()
        self.xl_create(timeout)
        self.domid = int(self.machine.sh("xl domid %s" % self.name))
        self.machine.progress.end()
        return time.monotonic() - start

    def xl_create(self, timeout):
        """Once more if QEMU was too late for xl, which waits for 10 s.

        On a busy machine an emulated QEMU takes longer to answer its monitor.
        """
        command = "xl create /share/%s.cfg" % self.name
        for left in range(TRIES - 1, -1, -1):
            status, out = self.machine.sh(command, timeout,
                                          check=False)
            if status == 0:
                break
            if not left or LATE not in out:
                raise Failure("%s: status %d: %s" % (command, status,
                                                     out.strip()))
            self.machine.note("%s: late: %s" % (command, out.strip()))

    def wait_ready(self, timeout=90):
        self.machine.progress.begin("booting guest %s" % self.name)
        self.machine.ask("console", timeout, domid=self.domid)
        self.machine.progress.end()
        self.has_booted()

    def has_booted(self):
        """Note what has; which Linux is the newest is not for long."""
        self.machine.ran.add((self.type, self.kernel
                              if self.kernel == "newest" else
                              self.sh("uname -r").strip()))

    def sh(self, cmd, timeout=30, check=True):
        """Run a command in the guest and return what it prints."""
        status, out = self.machine.ask("guest", timeout, domid=self.domid,
                                       cmd=cmd)
        if check and status != 0:
            raise Failure("guest: %s: status %d: %s" %
                          (cmd, status, out.strip()))
        return out if check else (status, out)

    def qmp(self, command, timeout=30, **arguments):
        answer = self.machine.ask("qmp", timeout, path=self.qmp_path,
                                  command=command, arguments=arguments)
        if "error" in answer:
            raise Failure("QEMU: %s: %s" % (command, answer["error"]["desc"]))
        return answer["return"]

    def status(self, card):
        """What QEMU says of one of its PV cards, by its id."""
        return self.qmp("qom-get", path="/machine/peripheral/" + card,
                        property="status")

    def backend_goes(self, kind, number=0):
        """Wait until a backend has gone; whether, and what is said of it."""
        return self.machine.until(
            "! xenstore-exists /local/domain/0/backend/%s/%d/%d" %
            (kind, self.domid, number))

    def pid(self):
        """The number of the process which is the guest's QEMU."""
        return int(self.machine.sh("pgrep -f '[-]xen-domid %d '" %
                                   self.domid))

    def kill_qemu(self):
        """End the guest's QEMU with SIGKILL; return its command line."""
        pid = self.pid()
        command = self.machine.sh(
            "tr '\\0' '\\n' < /proc/%d/cmdline" % pid).splitlines()
        self.machine.sh("kill -KILL %d" % pid)
        gone, _ = self.machine.until("! [ -e /proc/%d ]" % pid)
        if not gone:
            raise Failure("QEMU does not die")
        self.machine.sh("rm -f " + self.qmp_path)
        self.machine.ask("hang_up", path=self.qmp_path)
        return command

    def start_qemu(self, command):
        """Start a QEMU with a command line, as somebody at a shell would."""
        # not as the wrapper with the libraries started it: the first option
        # is the toolstack's
        command = [self.machine.qemu,
                   *command[command.index("-xen-domid"):]]
        self.machine.sh("setsid %s >> /share/log/%s-again.log 2>&1 "
                        "< /dev/null &" % (shlex.join(command), self.name))
        started, _ = self.machine.until("[ -S %s ]" % self.qmp_path)
        if not started:
            raise Failure("QEMU does not start again")
        # It answers when it has made its devices.
        self.qmp("query-status")
        # The one that xl ends when it destroys the guest
        command, = manual.printed("scenario restart/pid")
        self.machine.sh(command.replace("DOMID", str(self.domid))
                        .replace("PID", str(self.pid())))

    def rebooted(self, timeout=60):
        """Wait for the domain which comes after one that reboots.

        It has a console when it has been built.
        """
        old, self.domid = self.domid, None
        self.machine.progress.begin("rebooting guest %s" % self.name)
        again, out = self.machine.until(
            "domid=$(xl domid %s) && [ $domid != %d ] && xenstore-exists "
            "/local/domain/$domid/console/tty && echo $domid" %
            (self.name, old), timeout)
        if not again:
            raise Failure("the guest does not come back: " + out)
        self.machine.ask("hang_up", path=self.qmp_path)
        self.domid = int(out)
        self.machine.progress.end()
        return old

    def is_another_domain(self):
        """Go on with a running guest that has got another number."""
        self.domid = int(self.machine.sh("xl domid %s" % self.name))
        self.machine.ask("hang_up", path=self.qmp_path)
        self.machine.ask("console", domid=self.domid, again=True)

    def destroy(self, timeout=60):
        """Destroy the guest; return what xl says."""
        self.machine.progress.begin("destroying guest %s" % self.name)
        said = self.machine.sh("xl destroy %s 2>&1" % self.name, timeout)
        self.machine.progress.end()
        return said
