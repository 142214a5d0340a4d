# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver domain: guests whose picture and sound another guest serves."""

import base64
import glob
import gzip
import json
import os
import re
import shutil
import subprocess

import manual
from testbench import CARD, documented
from xensystem import (Failure, Guest, concatenate, libraries,
                       pack_cpio, pack_programs)

from . import input as input_
from . import sound

# What a backend needs of Linux beside what guests have; the control domain has
# the same kernel, and brings them.
MODULES = ("xen-privcmd", "xen-gntdev")

KERNEL = "6.1"

PROGRAM = "/usr/sbin/xen-pv-backendd"
CONFIG = "/etc/xen-pv-backendd.conf"

# A request to QEMU's monitor over TCP, as the driver domain has no Python
QMP = r"""
qmp() {
    rm -f /tmp/qmp.in; mkfifo /tmp/qmp.in
    nc 127.0.0.1 $1 < /tmp/qmp.in > /tmp/qmp.out &
    exec 3> /tmp/qmp.in
    echo '{"execute": "qmp_capabilities"}' >&3
    echo "$2" >&3
    n=0
    until [ $(grep -cE '^\{"(return|error)"' /tmp/qmp.out) -ge 2 ]; do
        n=$((n + 1)); [ $n -lt 600 ] || break; usleep 50000
    done
    exec 3>&-
    kill $! 2> /dev/null; wait $! 2> /dev/null
    grep -E '^\{"(return|error)"' /tmp/qmp.out | tail -n 1
}
"""


def with_program(config, machine, program):
    """The QEMU that was built filters no system calls."""
    return config.replace("[default]\n", "[default]\nprogram = %s\n%s" % (
        program, "" if machine.kind.stock else "sandbox = off\n"))


class DriverDomain(Guest):
    """A guest that runs xen-pv-backendd, with the QEMU under test.

    That of Debian runs in a root of its own, as in the control domain.
    """

    def __init__(self, machine, name="driver"):
        super().__init__(machine, name, kernel=KERNEL, config={
            "ramdisk": "/images/driver.cpio", **documented("driver"),
            "memory": 768 if machine.kind.stock else 384})
        self.root = "/stock" if machine.kind.stock else ""
        self.program = "/usr/bin/qemu-xen-pv" if self.root else \
            "/opt/qemu/bin/qemu"

    def stock_files(self, service):
        machine = self.machine
        plugins = glob.glob(os.path.join(machine.plugin, "*.so"))
        files = {"stock" + PROGRAM: service,
                 "stock/usr/bin/qemu-xen-pv":
                     os.path.join(machine.plugin, "qemu-xen-pv")}
        for path in plugins:
            files["stock/usr/lib/qemu-xen-pv/" + os.path.basename(path)] = path
        # The libraries of Xen are this system's, as in the control domain
        for path in (service, *plugins):
            for library in libraries(path):
                if os.path.basename(library).startswith("libxen"):
                    files["stock/usr/lib/x86_64-linux-gnu/" +
                          os.path.basename(library)] = library
        return files

    def built_files(self, service):
        machine = self.machine
        work = os.path.join(machine.logs, "driver")
        pack_programs({"xen-pv-backendd": service}, work, "/opt/backendd")
        files = {PROGRAM[1:]: os.path.join(work, "bin", "xen-pv-backendd")}
        for source, to in ((work, "opt/backendd"),
                           (os.path.join(machine.share, "qemu"), "opt/qemu")):
            for folder, _, names in os.walk(source):
                for name in names:
                    path = os.path.join(folder, name)
                    files[to + path[len(source):]] = path
        # Symbols for a debugger make most of it, and it is read from memory
        program = "opt/qemu/libexec/qemu-system-x86_64"
        # Threads are cancelled with it; it is loaded only then
        files["opt/qemu/lib/libgcc_s.so.1"] = os.path.realpath(
            "/lib/x86_64-linux-gnu/libgcc_s.so.1")
        stripped = os.path.join(work, "qemu")
        subprocess.run(["strip", "-o", stripped, files[program]], check=True)
        files[program] = stripped
        return files

    def provide_root(self):
        """Bring its root to the control domain, in memory there."""
        machine = self.machine
        if "driver" in machine.kernels:
            return
        machine.provide_kernel(KERNEL)
        machine.sh("cd /lib/modules/*/kernel && find . -name '*.ko' | "
                   "grep -E '/(%s).ko' | xargs cp -t /share" %
                   "|".join(MODULES))
        service = os.path.join(machine.tools, "xen-pv-backendd")
        files = self.stock_files(service) if self.root else \
            self.built_files(service)
        for name in MODULES:
            files["opt/modules/%s.ko" % name] = os.path.join(
                machine.share, name + ".ko")
        extra = os.path.join(machine.logs, "driver.cpio")
        pack_cpio(extra, files)
        stock = [machine.image("stock/stock.cpio")] if self.root else []
        concatenate(os.path.join(machine.share, "driver.cpio"), [
            machine.image("guest.cpio"),
            machine.image("modules-%s.cpio" % KERNEL),
            os.path.join(machine.logs, "init.cpio"), *stock, extra])
        machine.sh("mv /share/driver.cpio /images", 60)
        machine.kernels.add("driver")

    def start(self, config):
        """Create it, and run the service there."""
        self.provide_root()
        self.create(90)
        self.wait_ready(180)
        self.sh(
            "root=%s; for m in /opt/modules/*.ko; do insmod $m; done; "
            "modprobe xen-evtchn; modprobe xen-gntalloc; "
            "ifconfig lo 127.0.0.1 up; "
            "for d in dev proc sys tmp; do [ -z $root ] || "
            "mount --bind /$d $root/$d; done; "
            "mkdir -p $root/etc $root/run/xen-pv-backendd; "
            "echo 'xen-pv-qemu:x:990:990::/:/bin/false' > $root/etc/passwd; "
            "echo 'xen-pv-qemu:x:990:' > $root/etc/group; "
            "chown 990:990 $root/run/xen-pv-backendd; "
            "chown 0:990 /dev/xen/*; chmod 660 /dev/xen/*" % self.root, 60)
        self.configure(config)
        self.serve()

    def configure(self, config):
        """Write the service's configuration."""
        config = with_program(config, self.machine, self.program)
        self.sh("echo %s | base64 -d > %s%s" % (
            base64.b64encode(config.encode()).decode(), self.root, CONFIG))

    def serve(self):
        """Start the service."""
        self.sh("%s %s > /tmp/backendd.log 2>&1 < /dev/null & "
                "n=0; until grep -q 'serves guests of domain' "
                "/tmp/backendd.log; do n=$((n + 1)); [ $n -lt 200 ] || "
                "{ cat /tmp/backendd.log; exit 1; }; usleep 100000; done" %
                ("chroot " + self.root if self.root else "", PROGRAM), 60)

    def reload(self):
        """Let it read its configuration again."""
        before = self.log().count("from now on")
        self.sh("kill -HUP $(pidof xen-pv-backendd)")
        self.sh("n=0; until [ $(grep -c 'from now on' /tmp/backendd.log) -gt "
                "%d ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; "
                "usleep 100000; done" % before, 60)

    def log(self):
        return self.sh("cat /tmp/backendd.log", 60)

    def says(self, text, timeout=60):
        """Wait until the service has logged something; whether it has."""
        status, _ = self.sh(
            "n=0; until grep -qE '%s' /tmp/backendd.log; do n=$((n + 1)); "
            "[ $n -lt %d ] || exit 1; usleep 200000; done" %
            (text, timeout * 5), timeout + 30, check=False)
        return status == 0

    def fetch(self, path, timeout=120):
        """The bytes of a file there, over its console."""
        return gzip.decompress(base64.b64decode(self.sh(
            "gzip -c %s | base64" % path, timeout)))

    def node(self, kind, domid, top=""):
        return "/local/domain/%d/%sbackend/%s/%d/0" % (self.domid, top, kind,
                                                       domid)


def with_patience(machine):
    """Let xl wait longer for a backend than its ten seconds."""
    if "patience" in machine.kernels:
        return
    shutil.copy(os.path.join(machine.tools, "slow-clock.so"), machine.share)
    machine.sh("cp /share/slow-clock.so /tmp; "
               "xl=$(command -v xl); echo '#!/bin/sh\n"
               "SLOW_CLOCK=8 LD_PRELOAD=/tmp/slow-clock.so exec '$xl' \"$@\"' "
               "> /tmp/xl; chmod +x /tmp/xl; mkdir -p /usr/local/sbin; "
               "mv /tmp/xl /usr/local/sbin/xl")
    machine.kernels.add("patience")


class ServedGuest(Guest):
    """A guest without a QEMU in the control domain."""

    def __init__(self, machine, name, driver, config, kernel=KERNEL):
        super().__init__(machine, name, kernel=kernel, config={
            "vfb": None, "device_model_args_pv": [], **config})
        self.driver = driver

    def create(self, timeout=240):
        """Run xl create; an emulated QEMU may take longer than xl waits."""
        with_patience(self.machine)
        return super().create(timeout)

    def started(self):
        """The number of QEMU's process, and that among those served."""
        found = re.findall(r"guest %d: started .* as process (\d+), "
                           r"number (\d+)$" % self.domid, self.driver.log(),
                           re.M)
        if not found:
            raise Failure("the service has not started a QEMU for %s: %s" %
                          (self.name, self.driver.log()))
        return map(int, found[-1])

    def qmp(self, command, timeout=60, **arguments):
        file = None
        if command == "screendump":
            file = os.path.basename(arguments["filename"])
            arguments["filename"] = "/tmp/" + file
        _, number = self.started()
        request = json.dumps({"execute": command, "arguments": arguments})
        answer = json.loads(self.driver.sh(
            QMP + "qmp 444%d '%s'" % (number, request), timeout))
        if "error" in answer:
            raise Failure("QEMU: %s: %s" % (command, answer["error"]["desc"]))
        if file:
            with open(os.path.join(self.machine.share, file), "wb") as f:
                f.write(self.driver.fetch("/tmp/" + file))
        return answer["return"]

    def pid(self):
        pid, _ = self.started()
        return pid


WAV = "wav,id=snd,path=/run/xen-pv-backendd/%d.wav,out.frequency=48000"


def configuration():
    """As the manual prints it; with a monitor, and a recording of sound."""
    text = "\n".join(manual.printed("scenario driver-domain/config"))
    return text.replace("none,id=snd", WAV).replace(
        "args = -vnc",
        "args = -qmp tcp:127.0.0.1:444%s,server=on,wait=off\nargs = -vnc", 1) \
        + "\n"


def no_qemu_here(bench, guest):
    """The control domain has none for this guest."""
    status, out = bench.machine.sh("pgrep -af '[-]xen-domid %d '" %
                                   guest.domid, check=False)
    bench.tap.ok(status != 0, "%s: the control domain has no QEMU for it" %
                 guest.name, out)


def has_gone(bench, driver, guest, domid):
    """Nothing is left of a domain in the driver domain."""
    tap = bench.tap
    tap.ok(driver.says("guest %d: QEMU has ended" % domid),
           "%s: its QEMU has ended in the driver domain" % guest.name)
    gone, out = bench.machine.until(
        "! xenstore-ls -f /local/domain/%d | grep -E "
        "'(backend/[a-z]+|device-model)/%d/' || "
        "{ xenstore-ls -f /local/domain/%d; false; }" %
        (driver.domid, domid, driver.domid), 30)
    tap.ok(gone, "%s: no node of it is left there" % guest.name,
           None if gone else out)
    grants = bench.grants(domid)
    tap.ok(not grants, "%s: none of its grants is mapped" % guest.name,
           "%d grants mapped" % grants if grants else None)


def scenario_driver_domain(bench):
    """a guest serves other guests' picture and sound, by xen-pv-backendd"""
    tap = bench.tap
    driver = DriverDomain(bench.machine)
    driver.start(configuration())
    tap.ok(True, "driver: xen-pv-backendd serves", driver.log())
    try:
        served(bench, driver)
        bench.keep_dmesg(driver)
    except Failure:
        tap.note(driver.log())
        tap.note(bench.machine.sh("xenstore-ls -fp /local/domain/%d" %
                                  driver.domid))
        raise
    driver.destroy()


def served(bench, driver):
    machine, tap = bench.machine, bench.tap
    config = documented("driver-domain")
    guest = ServedGuest(machine, "served", driver, config)
    bench.start(guest)
    no_qemu_here(bench, guest)
    has_few_rights(bench, driver, guest)
    connector = bench.first_connector(guest)
    bench.picture_is_right(guest, "vdispl-0", 0, connector, 800, 600)
    bench.flips_are_paced(guest, connector, 800, 600)
    plays(bench, driver, guest)
    keys_arrive(bench, guest)

    other = ServedGuest(machine, "other", driver, {"vdispl": [
        "backend=driver,connectors=id0:640x480"]})
    beside(bench, driver, guest, other, connector)
    comes_again(bench, driver, guest)
    reboots(bench, driver, guest)
    cannot_be_served(bench, driver)
    outlives(bench, driver, guest)
    domid = guest.domid
    guest.destroy()
    has_gone(bench, driver, guest, domid)


def has_few_rights(bench, driver, guest):
    """QEMU there is an ordinary user's, and filters its system calls."""
    pid = guest.pid()
    out = driver.sh("grep -E '^(Uid|Gid|Groups|CapEff|Seccomp):' "
                    "/proc/%d/status" % pid)
    facts = {line.split(":")[0]: line.split(":")[1].split()
             for line in out.splitlines()}
    bench.tap.ok(set(facts["Uid"] + facts["Gid"]) == {"990"} and
                 facts["Groups"] == ["990"] and
                 int(facts["CapEff"][0], 16) == 0 and
                 (facts["Seccomp"] == ["2"] or
                  not bench.machine.kind.stock),
                 "%s: its QEMU has no rights in the driver domain" %
                 guest.name, out)


def plays(bench, driver, guest):
    """What aplay plays is recorded in the driver domain, bit for bit."""
    song = sound.Song("S16_LE", 48000, 1, 1000000)
    sound.card_is_found(bench, guest)
    sound.play(bench, guest, song)
    bench.machine.sh("xl vsnd-detach %s 0" % guest.name, 60)
    gone, out = bench.machine.until("! xenstore-exists %s" %
                                    driver.node("vsnd", guest.domid))
    bench.tap.ok(gone, "%s: xl vsnd-detach removes the sound card" %
                 guest.name, out)
    data = driver.fetch("%s/run/xen-pv-backendd/%d.wav" %
                        (driver.root, guest.domid))[sound.WAV_HEADER:]
    rest = sound.songs_are_right(bench, guest, data, [song])
    sound.silence_is_right(bench, guest, rest)


def keys_arrive(bench, guest):
    """QEMU has no right to map the keyboard's page but by its grant."""
    guest.sh("modprobe evdev; modprobe xen-kbdfront")
    guest.sh("n=0; until [ -e /dev/input/event0 ]; do n=$((n + 1)); "
             "[ $n -lt 300 ] || exit 1; usleep 100000; done; "
             "for event in /dev/input/event*; do "
             "cat $event >> /tmp/${event##*/}.log & done")
    for down in True, False:
        input_.send(guest, "vdispl-0", (
            "key", {"down": down, "key": {"type": "qcode", "data": "a"}}))
    input_.expect(bench, guest, "a key arrives",
                  (input_.EV_KEY, input_.KEY_A, 1),
                  (input_.EV_KEY, input_.KEY_A, 0))


def beside(bench, driver, guest, other, connector):
    """A second guest; each shows its own picture, and one is destroyed."""
    bench.start(other)
    guest.sh("play flip %s -v -s %s:800x600@XR24" % (CARD, connector))
    bench.picture_comes(other, "its own picture, beside another guest's",
                        "vdispl-0", 0, bench.first_connector(other), 640, 480)
    domid = other.domid
    other.destroy()
    has_gone(bench, driver, other, domid)
    bench.tap.ok(bench.flips_go_on(guest), "%s: goes on flipping when the "
                 "other guest is destroyed" % guest.name)
    guest.sh("endplay flip", 60)


def comes_again(bench, driver, guest):
    """QEMU is killed; then the display is detached, and attached again."""
    tap, machine = bench.tap, bench.machine
    idle = bench.grants(guest.domid)
    pid, number = guest.started()
    driver.sh("kill -KILL %d" % pid)
    tap.ok(driver.says("guest %d: QEMU was killed by signal 9" % guest.domid),
           "%s: the service sees that QEMU was killed" % guest.name)
    # The next one answers when it has made its devices
    driver.sh("n=0; until [ $(grep -c 'guest %d: started' /tmp/backendd.log) "
              "-ge 2 ] && nc 127.0.0.1 444%d < /dev/null | grep -q QMP; do "
              "n=$((n + 1)); [ $n -lt 300 ] || exit 1; usleep 200000; done" %
              (guest.domid, number), 120)
    again, out = machine.until(
        "[ \"$(xenstore-read %s/state)\" = 4 ]" %
        driver.node("vdispl", guest.domid), 90)
    tap.ok(again, "%s: another QEMU serves the display" % guest.name, out)
    loaded, out = bench.load_driver(guest)
    tap.ok(loaded, "%s: Linux has a card again" % guest.name,
           None if loaded else out)
    bench.picture_comes(guest, "the picture comes back", "vdispl-0", 0,
                        bench.first_connector(guest), 800, 600)
    left = bench.grants(guest.domid)
    tap.ok(left == idle, "%s: as many grants are mapped as before" %
           guest.name, "%d grants mapped, %d before" % (left, idle))


def reboots(bench, driver, guest):
    guest.sh("(sleep 1; reboot -f) > /dev/null 2>&1 &")
    old = guest.rebooted(180)
    has_gone(bench, driver, guest, old)
    bench.boot(guest)
    bench.picture_comes(guest, "the picture after a reboot", "vdispl-0", 0,
                        bench.first_connector(guest), 800, 600)


def cannot_be_served(bench, driver):
    """The reason is in the error node, and xl does not wait in vain."""
    tap, machine = bench.tap, bench.machine
    question, answer = manual.printed("scenario driver-domain/error")
    driver.configure(configuration().replace("-vnc", "-wrong"))
    driver.reload()
    wrong = ServedGuest(machine, "wrong", driver, {
        "vdispl": ["backend=driver,connectors=id0:640x480"]})
    machine.provide_kernel(KERNEL)
    status, out = machine.sh("xl create /share/wrong.cfg 2>&1", 120,
                             check=False)
    domid = re.search(r"Domain (\d+):unable to add device", out)
    tap.ok(status != 0 and domid, "%s: xl create fails" % wrong.name, out)
    _, said = machine.sh(
        question.removeprefix("# ").replace("DRIVER", str(driver.domid))
        .replace("GUEST", domid.group(1)), check=False)
    tap.ok(answer.split(": ", 1)[1] in said,
           "%s: the error node says why" % wrong.name, said)
    driver.configure(configuration())
    driver.reload()


def outlives(bench, driver, guest):
    """The driver domain is destroyed under its guest, and comes back."""
    tap, machine = bench.tap, bench.machine
    guest.sh("play show %s -s %s:800x600@XR24" %
             (CARD, bench.first_connector(guest)))
    machine.sh("xl destroy driver", 60)
    status, out = guest.sh("endplay show", 60, check=False)
    tap.ok(guest.sh("echo lives") == "lives\n",
           "%s: lives on without its driver domain" % guest.name, out)
    driver.start(configuration())
    detach, attach = (
        line.removeprefix("# ").replace("GUEST", guest.name)
        for line in manual.printed("scenario driver-domain/again"))
    # There is nobody to wait for
    status, out = machine.sh("SLOW_CLOCK=1 " + detach + " 2>&1", 120, check=False)
    tap.note("%s: status %d: %s" % (detach, status, out))
    tap.ok(bench.card_has_gone(guest), "%s: the old card has gone" %
           guest.name)
    status, out = machine.sh(attach + " 2>&1", 240, check=False)
    tap.ok(status == 0, "%s: %s" % (guest.name, attach), out)
    loaded, out = bench.load_driver(guest)
    tap.ok(loaded, "%s: has a card again" % guest.name,
           None if loaded else out)
    bench.picture_comes(guest, "the picture of the new driver domain",
                        "vdispl-0", 0, bench.first_connector(guest), 800, 600)


def scenario_backendd(bench):
    """xen-pv-backendd in the control domain: a guest needs no channel"""
    machine, tap = bench.machine, bench.tap
    text = with_program("\n".join(manual.printed(
        "scenario driver-domain/config")), machine, machine.qemu).replace(
            "user = xen-pv-qemu\n", "").replace(
                "args =", "args = -qmp unix:/run/qmp-%n,server=on,wait=off ",
                1)
    machine.sh("echo %s | base64 -d > /tmp/backendd.conf; "
               "/opt/qemu/bin/xen-pv-backendd -c /tmp/backendd.conf "
               "> /tmp/backendd.log 2>&1 < /dev/null & "
               "echo $! > /tmp/backendd.pid" %
               base64.b64encode(text.encode()).decode())
    guest = bench.guest("plain", config={
        "vfb": None, "vdispl": ["backend=Domain-0,connectors=id0:800x600"]})
    bench.start(guest)
    tap.note(machine.sh("cat /tmp/backendd.log"))
    bench.picture_is_right(guest, "vdispl-0", 0, bench.first_connector(guest),
                           800, 600)
    # Another guest has a QEMU of xl's, and keeps that
    other = bench.guest("channel", config={
        **documented("channel"), "device_model_args_pv": []})
    bench.start(other)
    tap.ok(len(machine.sh("pgrep -f '[-]xen-domid %d '" %
                          other.domid).split()) == 1,
           "channel: the service leaves it to the QEMU of xl")
    bench.nothing_stays(other)
    bench.nothing_stays(guest)
    machine.sh("kill $(cat /tmp/backendd.pid)")
