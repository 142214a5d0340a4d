# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of types pvh and hvm, configured as the manual prints them."""

import os

import pictures
from testbench import CARD, documented
from xensystem import VIRTUAL

from . import sound
from .input import in_vnc, input_arrives, is_in_vnc

SIZE = 1024, 768

# Ctrl-Alt-1 and Ctrl-Alt-2 in a viewer, by X11's numbers of the keys
CONSOLE_1, CONSOLE_2 = ("key:0xffe3,0xffe9,0x3%d" % n for n in (1, 2))


def display(bench, guest, console):
    """Pictures by the monitor and in VNC, flips, and the driver again."""
    connector = bench.first_connector(guest)
    bench.picture_is_right(guest, console, 0, connector, *SIZE)
    bench.flips_are_paced(guest, connector, *SIZE)
    bench.driver_reloads(guest, console, 0, connector, *SIZE, times=1)
    shows(bench, guest, console, SIZE)
    is_in_vnc(bench, guest, "the picture in VNC", pictures.smpte(*SIZE))
    guest.sh("endplay show", 60)


def shows(bench, guest, console, size):
    """Let the guest show its picture until `endplay show`."""
    guest.sh("play show %s -s %s:%dx%d@XR24" %
             (CARD, bench.first_connector(guest), *size))
    bench.shown(guest, console, 0, pictures.smpte(*size))


def sound_is_right(bench, guest):
    """The driver once more, and a song, bit for bit.

    It is another song if the guest was too late itself.
    """
    tap = bench.tap
    sound.card_is_found(bench, guest)
    sound.reload_driver(bench, guest, 1)
    for first in 1000000, 2000000, 3000000:
        song = sound.Song("S16_LE", 48000, 5, first)
        song.compose(guest)
        status, out = guest.sh(song.aplay(), 90, check=False)
        if "underrun" not in out:
            break
        tap.note("%s: aplay was late: %s" % (guest.name, out.strip()))
    tap.ok(status == 0 and not out, "%s: aplay plays %s" % (guest.name, song),
           out)
    status, out = bench.machine.sh("xl vsnd-detach %s 0" % guest.name, 60,
                                   check=False)
    tap.ok(status == 0 and sound.card_goes(bench, guest),
           "%s: xl vsnd-detach removes the card" % guest.name, out)
    data = sound.recording(bench, os.path.join("log", guest.name))
    # What was late is before it, with gaps.
    data = data[max(data.find(song.recorded()[:64]), 0):]
    data = sound.songs_are_right(bench, guest, data, [song])
    sound.silence_is_right(bench, guest, data)


def scenario_pvh(bench):
    """display and sound of a PVH guest"""
    guest = bench.guest("pvh", config=documented("pvh"))
    bench.start(guest)
    display(bench, guest, "vdispl-0")
    sound_is_right(bench, guest)
    sound.nothing_stays(bench, guest)


def scenario_hvm(bench):
    """display, sound and input of HVM guests, without a VGA and with one"""
    guest = bench.guest("hvm", config=documented("hvm"))
    bench.start(guest)
    display(bench, guest, "vdispl-0")
    input_arrives(bench, guest, "vdispl-0", *SIZE)
    sound_is_right(bench, guest)
    sound.nothing_stays(bench, guest)

    guest = bench.guest("hvm-vga", config=documented("hvm-vga"))
    bench.start(guest)
    beside_vga(bench, guest)
    bench.nothing_stays(guest)


def beside_vga(bench, guest):
    """Each screen in the viewer where the manual says that it is."""
    shows(bench, guest, "disp0", (800, 600))
    display, vga = pictures.smpte(800, 600), bench.screendump(guest)

    def vga_is_in_vnc(what, *actions):
        # but for its cursor, which blinks
        picture = in_vnc(bench, guest, 0, *actions)
        bench.tap.ok(picture.resembles(vga, 8, 0.01) and
                     picture.difference(display),
                     "%s: %s" % (guest.name, what), "%dx%d pixels" %
                     (picture.width, picture.height))

    vga_is_in_vnc("VNC server 0 shows the VGA")
    is_in_vnc(bench, guest, "VNC server 1 shows the display", display,
              number=1)
    is_in_vnc(bench, guest, "Ctrl-Alt-2: server 0 shows the display", display,
              CONSOLE_2)
    vga_is_in_vnc("Ctrl-Alt-1: and the VGA again", CONSOLE_1)
    guest.sh("endplay show", 60)
    connector = bench.first_connector(guest)
    bench.flips_are_paced(guest, connector, 800, 600)


scenario_pvh.machine = VIRTUAL
scenario_hvm.machine = VIRTUAL
