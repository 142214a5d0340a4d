# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with the Xen hypervisor, under emulation, and its guests."""

import fcntl
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OUTER_QEMU = "qemu-system-x86_64"

# libraries which have to be those of the program's loader
LIBC = re.compile(r"/(ld-linux.*|libc|libm|libdl|libpthread|librt|"
                  r"libresolv|libutil)\.so")


class Failure(Exception):
    """Something the test cannot go on without has not happened."""


class Progress:
    """What is going on, on standard error, with the time it takes."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.text = None

    def begin(self, text):
        self.end()
        self.text = text
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


def pack_cpio(path, files):
    """Write a cpio archive of (name, local file, mode) for a kernel."""
    out = b""

    def entry(name, mode, body):
        nonlocal out
        name = name.encode() + b"\0"
        header = b"070701" + b"".join(b"%08X" % n for n in (
            0, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name), 0))
        out += header + name
        out += b"\0" * (-len(out) % 4) + body
        out += b"\0" * (-len(out) % 4)

    for name, source, mode in files:
        with open(source, "rb") as f:
            entry(name, mode, f.read())
    entry("TRAILER!!!", 0, b"")
    with open(path, "wb") as f:
        f.write(out)


def pack_qemu(prefix, to):
    """Copy an installed QEMU with the libraries it was built against."""
    program = os.path.join(prefix, "bin", "qemu-system-x86_64")
    if not os.access(program, os.X_OK):
        raise Failure("no QEMU at %s: run scripts/build-qemu first" % program)
    for folder in ("bin", "lib", "share/qemu"):
        os.makedirs(os.path.join(to, folder))
    shutil.copy(program, os.path.join(to, "bin"))
    keymaps = os.path.join(prefix, "share", "qemu", "keymaps")
    if os.path.isdir(keymaps):
        shutil.copytree(keymaps, os.path.join(to, "share/qemu/keymaps"))
    for line in subprocess.check_output(["ldd", program],
                                        text=True).splitlines():
        found = re.search(r"=> (/\S+)", line)
        if found and not LIBC.search(found.group(1)):
            shutil.copy(found.group(1), os.path.join(to, "lib"))
    wrapper = os.path.join(to, "bin", "qemu")
    with open(wrapper, "w") as f:
        f.write("#!/bin/sh\n"
                "LD_LIBRARY_PATH=/opt/qemu/lib\n"
                "export LD_LIBRARY_PATH\n"
                'exec /opt/qemu/bin/qemu-system-x86_64 "$@"\n')
    os.chmod(wrapper, 0o755)


class Machine:
    def __init__(self, images, prefix, logs, progress, patience=1.0,
                 shell=False):
        self.images, self.logs, self.progress = images, logs, progress
        self.patience, self.shell = patience, shell
        self.share = os.path.join(logs, "share")
        self.console_log = os.path.join(logs, "console.log")
        self.process = None
        self.agent = None
        self.pending = b""
        os.makedirs(os.path.dirname(logs), exist_ok=True)
        self.lock = open(logs + ".lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure("%s is in use by another run: try --logs" % logs)
        shutil.rmtree(logs, ignore_errors=True)
        os.makedirs(os.path.join(self.share, "log"))
        pack_qemu(prefix, os.path.join(self.share, "qemu"))
        for name in ("dom0-init", "dom0-agent"):
            shutil.copy(os.path.join(HERE, name), self.share)
        shutil.copy(os.path.join(images, "vmlinux"), self.share)
        init = os.path.join(logs, "init.cpio")
        pack_cpio(init, [("init", os.path.join(HERE, "guest-init"), 0o100755)])
        with open(os.path.join(self.share, "guest.cpio"), "wb") as out:
            for part in (os.path.join(images, "guest.cpio"), init):
                with open(part, "rb") as f:
                    shutil.copyfileobj(f, out)

    def boot(self, timeout=180):
        """Start Xen and wait until the control domain obeys."""
        self.progress.begin("booting Xen and its control domain")

        def module(name):
            # multiboot modules are separated by commas
            return os.path.join(self.images, name).replace(",", ",,")

        dom0 = "%s console=hvc0 rdinit=/init quiet%s,%s" % (
            module("vmlinuz"), " test-shell" if self.shell else "",
            module("dom0.cpio"))
        command = [
            OUTER_QEMU, "-accel", "tcg", "-cpu", "Nehalem", "-smp", "1",
            "-m", "3G", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot",
            "-chardev", "socket,id=serial,path=serial.sock,server=on,"
            "wait=off,logfile=console.log",
            "-serial", "chardev:serial",
            "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
            "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=xen-pv-test",
            "-fsdev", "local,id=share,path=share,security_model=none",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
            "-kernel", module("xen"),
            "-append", "console=com1 com1=115200,8n1 dom0_mem=1536M noreboot conring_size=256k "
            "loglvl=info guest_loglvl=warning",
            "-initrd", dom0,
        ]
        with open(os.path.join(self.logs, "outer.log"), "w") as log:
            log.write(" ".join(command) + "\n")
            log.flush()
            self.process = subprocess.Popen(
                command, cwd=self.logs, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + timeout * self.patience
        self.agent = self.connect("agent.sock", deadline)
        message = self.receive(deadline, "the control domain does not start")
        if not message.get("ready"):
            raise Failure("the control domain is confused: %r" % message)
        self.progress.end()

    def connect(self, name, deadline):
        # relative to the folder, since a socket's name must be short
        back = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.chdir(self.logs)
            while True:
                sock = socket.socket(socket.AF_UNIX)
                try:
                    sock.connect(name)
                    return sock
                except OSError:
                    sock.close()
                    self.check_alive()
                    if time.monotonic() > deadline:
                        raise Failure("the emulator does not listen")
                    time.sleep(0.05)
        finally:
            os.fchdir(back)
            os.close(back)

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


class Guest:
    """A paravirtual Linux guest whose QEMU is the one under test."""

    def __init__(self, machine, name, qemu_args=(), config=""):
        self.machine, self.name = machine, name
        self.qmp_path = "/run/qmp-%s" % name
        self.domid = None
        args = ["-qmp", "unix:%s,server=on,wait=off" % self.qmp_path]
        # Or else nobody serves the vfb, and Linux waits 25 s for that.
        args += ["-vga", "xenfb"]
        args += qemu_args
        text = "\n".join([
            'name = "%s"' % name,
            'type = "pv"',
            'kernel = "/images/vmlinux"',
            'ramdisk = "/images/guest.cpio"',
            'extra = "console=hvc0 rdinit=/init quiet"',
            'memory = 256',
            'vcpus = 1',
            'on_crash = "destroy"',
            # what makes xl start a QEMU for a paravirtual guest
            "vfb = ['vnc=1']",
            'device_model_version = "qemu-xen"',
            'device_model_override = "/opt/qemu/bin/qemu"',
            "device_model_args_pv = [%s]" % ", ".join(
                '"%s"' % arg for arg in args),
            config, ""])
        with open(os.path.join(machine.share, name + ".cfg"), "w") as f:
            f.write(text)

    def create(self, timeout=60):
        """Run xl create; return how many seconds it took."""
        self.machine.progress.begin("creating guest %s" % self.name)
        start = time.monotonic()
        self.machine.sh("xl create /share/%s.cfg" % self.name, timeout)
        self.domid = int(self.machine.sh("xl domid %s" % self.name))
        self.machine.progress.end()
        return time.monotonic() - start

    def wait_ready(self, timeout=90):
        self.machine.progress.begin("booting guest %s" % self.name)
        self.machine.ask("console", timeout, domid=self.domid)
        self.machine.progress.end()

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

    def destroy(self, timeout=60):
        self.machine.progress.begin("destroying guest %s" % self.name)
        self.machine.sh("xl destroy %s" % self.name, timeout)
        self.machine.progress.end()
