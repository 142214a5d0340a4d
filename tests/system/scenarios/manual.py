# SPDX-License-Identifier: GPL-2.0-or-later
"""What the manual prints: mistakes that xl makes known, and a look inside."""

import ast
import re

import manual
from testbench import CARD
from xensystem import Failure

# xl waits for a backend as long as it takes, which is ten seconds at least
PATIENCE = 120


def scenario_manual(bench):
    """what users get wrong with xl, and see then, as the manual prints it"""
    refused(bench, "no-qemu", "manual/no-qemu", vfb=None,
            device_model_args_pv=[],
            vdispl=["backend=0,connectors=id0:800x600"])
    refused(bench, "bad-key", "manual/bad-key",
            vdispl=["backend=0,connector=800x600"])
    refused(bench, "bad-size", "manual/bad-size",
            vdispl=["backend=0,connectors=id0:800"])
    refused(bench, "bad-option", "manual/bad-option",
            ["xen-pvdisplay,connectors=800"], log=True)
    refused(bench, "no-audiodev", "manual/no-audiodev", log=True, vsnd=[
        ["CARD, short-name=Main", "PCM, name=Main",
         "STREAM, unique-id=0, type=p"]])
    look_inside(bench)


def quotes(bench, what, name, text):
    """Whether a text has each line that the manual prints for a name."""
    missing = [line for line in manual.printed("scenario " + name)
               if not manual.matches(line, text)]
    bench.tap.ok(not missing, "%s, as the manual prints it" % what,
                 *missing, text if missing else None)


def refused(bench, guest, name, devices=(), log=False, **config):
    """xl creates no guest of this configuration, and says why."""
    tap, machine = bench.tap, bench.machine
    one = bench.guest(guest, devices, config=config)
    machine.provide_kernel(one.kernel)
    if one.hvm:
        machine.provide_installed_kernel(one.kernel)
    status, out = machine.sh("xl create /share/%s.cfg 2>&1" % guest, PATIENCE,
                             check=False)
    if not tap.ok(status != 0, "%s: xl create fails" % guest, out):
        raise Failure("a guest that should not be")
    if log:
        out += "\n" + machine.sh("cat /share/log/qemu-dm-%s.log" % guest)
    quotes(bench, "%s: why" % guest, name, out)
    _, listed = machine.sh("xl list", check=False)
    tap.ok(guest not in listed, "%s: no domain is left" % guest, listed)


def first_guest(bench):
    """The guest of the manual's first steps, started as that says."""
    tap, machine = bench.tap, bench.machine
    config = {"vfb": None}
    for line in manual.printed("scenario manual/start"):
        key, _, value = line.partition(" = ")
        config[key] = ast.literal_eval(value)
    # No sound card that the host has not
    config["device_model_args_pv"] = [
        arg.replace("alsa,", "none,") for arg in
        config["device_model_args_pv"]]
    guest = bench.guest("guest", config=config)
    create, displays, sounds = manual.printed("scenario manual/create")
    machine.provide_kernel(guest.kernel)
    machine.sh("cd /share && " + create, 60)
    guest.domid = int(machine.sh("xl domid guest"))
    guest.wait_ready()
    guest.sh("modprobe -a drm_xen_front snd_xen_front", 60)
    for command in displays, sounds:
        served, out = machine.until(
            command + " | tee /dev/stderr | grep -q 'state: 4'", 30)
        tap.ok(served, "guest: %s says that it is served" % command, out)

    screens, speakers = manual.printed("scenario manual/first")
    status, out = guest.sh(screens, 60, check=False)
    tap.ok(status == 0 and "1024x768" in out, "guest: " + screens, out)
    status, out = guest.sh(speakers, 60, check=False)
    tap.ok(status == 0 and "Front Right" in out, "guest: " + speakers, out)

    listing, = manual.printed("scenario manual/keyboard")
    _, out = guest.sh(listing, check=False)
    tap.ok("Xen Virtual Keyboard" in out and "Xen Virtual Pointer" in out,
           "guest: %s lists keyboard and pointer" % listing, out)

    return guest


def look_inside(bench):
    """By the commands that the manual prints."""
    tap, machine = bench.tap, bench.machine
    guest = first_guest(bench)
    connector = bench.first_connector(guest)
    guest.sh("play show %s -s %s:1024x768@XR24" % (CARD, connector))
    shown, _ = machine.until(
        "xl qemu-monitor-command guest 'qom-get vdispl-0 summary' | "
        "grep -q 'enabled true'")
    tap.ok(shown, "guest: a program draws")

    for line, key in zip(manual.printed("scenario manual/look"),
                         ("connectors 0: ", "streams 0: ")):
        command = line.replace("GUEST", guest.name)
        status, out = machine.sh(command, check=False)
        tap.ok(status == 0 and key in out, "guest: " + command, out)
    said = guest.qmp("human-monitor-command", **{
        "command-line": only_command("manual/screendump")})
    tap.ok(said == "", "guest: the screendump of the manual", said)
    grants(bench, guest)
    guest.sh("endplay show", 60, check=False)
    bench.nothing_stays(guest)


def only_command(name):
    """The one line that the manual prints for a monitor."""
    line, = manual.printed("scenario " + name)
    return line.removeprefix("(qemu) ")


def shape(line):
    """A line without its figures, and without what aligns them."""
    return re.sub(r"\s+", " ", re.sub(r"0x[0-9a-f]+|\d+", "N", line)).strip()


def grants(bench, guest):
    command, *printed = manual.printed("scenario manual/grants")
    command = command.removeprefix("# ").replace("3", str(guest.domid))
    out = bench.machine.sh("PATH=/opt/qemu/bin:$PATH " + command)
    have = {shape(line) for line in out.splitlines()}
    missing = [line for line in printed if shape(line) not in have]
    bench.tap.ok(not missing, "guest: %s prints such lines" % command,
                 *missing, out)
