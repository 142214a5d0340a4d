# SPDX-License-Identifier: GPL-2.0-or-later
"""Desktops in a guest, as the manual has them, before a real VNC viewer.

Debian is on a disk, which the control domain has, too: the viewer is
TigerVNC's, on an X server without a screen (Xvfb) there. What it shows is
compared with a screenshot that is taken within the guest.
"""

import base64
import gzip
import os
import re
import shlex
import time

import manual
import pictures
from testbench import documented
from xensystem import Failure, Kind

from .sound import Song, card_comes, recording, underrun_is_right

DISK = "/dev/vda"
MACHINE = Kind(parts=("base", "desktop"), disks=("desktop/desktop.img",))

# The manual's colour of both desktops' background
BACKGROUND = (0x20, 0x50, 0x70)

SONG = Song("S16_LE", 48000, 3, 10000000)


def printed(name):
    """Lines of the manual which a scenario is to check."""
    return manual.printed("scenario " + name)


def mount_debian(place, disk):
    """Have Debian's root in /desktop, of a guest or the control domain."""
    place.sh("modprobe overlay; modprobe squashfs; "
             "mkdir -p /disk /layer /desktop; "
             "mount -t squashfs -o ro %s /disk && "
             "mount -t tmpfs tmpfs /layer && "
             "mkdir /layer/upper /layer/work && mount -t overlay -o "
             "lowerdir=/disk,upperdir=/layer/upper,workdir=/layer/work "
             "overlay /desktop && "
             "for folder in dev dev/pts dev/shm proc sys; do "
             "mount --bind /$folder /desktop/$folder || exit 1; done; "
             "mount -t tmpfs tmpfs /desktop/run; "
             "mount -t tmpfs tmpfs /desktop/tmp; chmod 1777 /desktop/tmp" %
             disk, 60)


def unmount_debian(place):
    place.sh("for folder in share tmp run sys proc dev/shm dev/pts dev ''; do "
             "umount -l /desktop/$folder; done 2> /dev/null; "
             "umount -l /layer; umount -l /disk", check=False)


def in_debian(place, command, timeout=30, check=True):
    return place.sh("chroot /desktop env HOME=/root LANG=C.UTF-8 SHELL=/bin/sh "
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin "
                    "SYSTEMD_IGNORE_CHROOT=1 sh -c " +
                    shlex.quote("cd /root; " + command), timeout, check)


class Desktop:
    """A guest with Debian on its disk."""

    def __init__(self, bench, name, configured=None):
        self.bench, self.name = bench, name
        config = documented(configured or name)
        self.disk(config)
        self.sound(config)
        self.guest = bench.guest(name, config=config)

    def disk(self, config):
        """That of the control domain, which nobody writes to."""
        config["disk"] = [re.sub("target=.*", "target=" + DISK, disk)
                          for disk in config["disk"]]

    def sound(self, config):
        """Into a file."""
        args = config["device_model_args_pv"]
        args[args.index("alsa,id=snd")] = \
            "wav,id=snd,path=/share/%s.wav,out.frequency=48000" % self.name

    def start(self, packages):
        bench, guest = self.bench, self.guest
        bench.machine.sh("modprobe virtio_blk")
        bench.machine.until("[ -b %s ]" % DISK)
        took = guest.create()
        bench.tap.ok(True, "%s: xl create" % self.name, "%.1f s" % took)
        guest.wait_ready()
        for module in "xen-blkfront", "xen_kbdfront", "evdev":
            guest.sh("modprobe " + module)
        bench.load_driver(guest)
        loaded, out = card_comes(guest)
        if not loaded:
            raise Failure("no sound card in the guest: " + out)
        mount_debian(guest, "/dev/xvda")
        self.sh("/lib/systemd/systemd-udevd --daemon && "
                "udevadm trigger --action=add --subsystem-match=input "
                "--subsystem-match=drm --subsystem-match=sound && "
                "udevadm settle", 120)
        SONG.compose(guest)
        guest.sh("mv /tmp/song /desktop/tmp/")
        self.has(packages)

    def has(self, packages):
        """What the manual has one install is what is there."""
        names = " ".join(printed(packages)).replace("\\", "").split()[2:]
        status, out = self.sh("dpkg-query -W " + " ".join(names), 60, False)
        self.bench.tap.ok(status == 0, "%s: all packages that the manual names "
                          "are there" % self.name, out if status else None)

    def sh(self, command, timeout=30, check=True):
        return in_debian(self.guest, command, timeout, check)

    def write(self, name, path):
        """A file as the manual prints it."""
        self.keep("\n".join(printed(name)) + "\n", path)

    def keep(self, text, path):
        self.sh("mkdir -p %s; echo %s | base64 -d > %s" % (
            os.path.dirname(path),
            base64.b64encode(text.encode()).decode(), path))

    def run(self, name):
        """What the manual says that one runs, in the background."""
        self.sh("{ %s; } > /tmp/%s.log 2>&1 < /dev/null &" % (
            "; ".join(printed(name)), self.name))

    def comes(self, condition, timeout=90):
        """Wait in Debian until a command succeeds; whether, and its output."""
        deadline = time.monotonic() + timeout * self.bench.machine.patience
        while True:
            status, out = self.sh(condition, check=False)
            if status == 0 or time.monotonic() > deadline:
                return status == 0, out
            time.sleep(0.5)

    def picture(self, command):
        """A screenshot that a command in the guest writes, as a PPM."""
        data = self.sh("{ %s; } | gzip -1 | base64 -w 0" % command, 120)
        path = os.path.join(self.bench.machine.logs, self.name + "-guest.ppm")
        with open(path, "wb") as f:
            f.write(gzip.decompress(base64.b64decode(data)))
        return pictures.read_ppm(path)

    def log(self):
        return self.sh("tail -n 30 /tmp/%s.log" % self.name, check=False)[1]

    def end(self):
        """Destroy the guest; look at its sound, which is complete then."""
        self.bench.nothing_stays(self.guest)
        data = recording(self.bench, self.name)
        underrun_is_right(self.bench, self.guest, data, SONG)


class Viewers:
    """Viewers next to each other in the control domain, one for each screen.

    The screens are given as port, width and height.
    """

    # TigerVNC's avoids to be as large as the screen, and has frames.
    MARGIN = 100

    def __init__(self, bench, screens):
        self.bench, self.machine = bench, bench.machine
        mount_debian(self.machine, DISK)
        self.machine.sh("mkdir -p /desktop/share; "
                        "mount --bind /share /desktop/share")
        self.windows = []
        self.sh("Xvfb :1 -screen 0 %dx%dx24 -nolisten tcp > /tmp/xvfb.log "
                "2>&1 & echo $! > /tmp/xvfb.pid" % (
                    sum(width + self.MARGIN for _, width, _ in screens),
                    max(height for _, _, height in screens) + self.MARGIN))
        self.until("xset q")
        at = 0
        for port, width, height in screens:
            self.view(port, width, height, at)
            at += width + self.MARGIN

    def sh(self, command, timeout=30, check=True):
        return in_debian(self.machine, "export DISPLAY=:1; " + command,
                         timeout, check)

    def until(self, condition, timeout=60):
        """Wait until a command succeeds; return its output."""
        deadline = time.monotonic() + timeout * self.machine.patience
        while True:
            status, out = self.sh(condition, timeout, check=False)
            if status == 0:
                return out
            if time.monotonic() > deadline:
                raise Failure("the viewer: %s: %s; %s" % (
                    condition, out, self.sh("cat /tmp/*.log", check=False)))
            time.sleep(0.5)

    def view(self, port, width, height, at):
        self.sh("xtigervncviewer -MenuKey= -RemoteResize=0 -Shared=1 "
                "-geometry %dx%d+%d+0 127.0.0.1::%d > /tmp/viewer-%d.log 2>&1 "
                "& echo $! >> /tmp/xvfb.pid" % (width, height, at, port, port))
        old = "|".join(self.windows) or "none"
        window = self.until("xdotool search --onlyvisible --name TigerVNC | "
                            "grep -vxE '%s'" % old).split()[0]
        self.windows.append(window)

    def picture(self, screen=0):
        """What a viewer shows."""
        name = "viewer-%d.ppm" % screen
        self.sh("xwd -silent -id %s > /tmp/window.xwd && "
                "xwdtopnm /tmp/window.xwd > /share/%s 2> /tmp/window.log" %
                (self.windows[screen], name))
        return pictures.read_ppm(os.path.join(self.machine.share, name))

    def move(self, x, y, screen=0):
        self.sh("xdotool mousemove --window %s %d %d" %
                (self.windows[screen], x, y))

    def click(self, x, y, screen=0):
        """As a person would, who does not press and release at once."""
        self.move(x, y, screen)
        self.sh("xdotool windowfocus %s; sleep 1; xdotool mousedown 1; "
                "sleep 0.3; xdotool mouseup 1" % self.windows[screen])

    def type(self, text, screen=0):
        """As a person would, whose window manager is missing."""
        self.sh("xdotool windowfocus %s; xdotool type --delay 100 %s; "
                "xdotool key Return" %
                (self.windows[screen], shlex.quote(text)), 120)

    def wait(self, accept, screen=0, timeout=90):
        """Wait for a picture which a function takes; the last, and if so."""
        deadline = time.monotonic() + timeout * self.machine.patience
        self.machine.progress.begin("waiting for the viewer's picture")
        while True:
            picture = self.picture(screen)
            accepted = accept(picture)
            if accepted or time.monotonic() > deadline:
                self.machine.progress.end()
                return picture, accepted

    def end(self):
        self.sh("kill $(cat /tmp/xvfb.pid)", check=False)
        unmount_debian(self.machine)


PLAY = "aplay -f dat -B 600000 /tmp/song; echo $? > /tmp/played"


def views(bench, name, viewers, screen, size, desktop):
    """The viewer's window has the desktop, in its size."""
    picture, shown = viewers.wait(
        lambda picture: picture.pixel(20, 400) == BACKGROUND, screen)
    bench.tap.ok(shown and (picture.width, picture.height) == size,
                 "%s: the desktop is in viewer %d, %dx%d" %
                 (name, screen, *size),
                 None if shown else desktop.log())
    picture.write_png(os.path.join(bench.machine.logs, "%s-%d.png" %
                                   (name, screen)))


def typed(bench, desktop, viewers):
    """A command that is typed into the viewer plays sound."""
    before = viewers.picture()
    viewers.type(PLAY)
    played, _ = desktop.comes("[ -s /tmp/played ]")
    status = desktop.sh("cat /tmp/played", check=False)[1].strip()
    bench.tap.ok(played and status == "0", "%s: a command typed into the "
                 "viewer plays in the guest" % desktop.name, status)
    changed = changes(before, viewers.picture())
    bench.tap.ok(changed > 200, "%s: the viewer shows what was typed" %
                 desktop.name, "%d pixels have changed" % changed)


def changes(one, other):
    """How many bytes of two pictures differ."""
    return sum(a != b for a, b in zip(one.data, other.data))


def same(bench, name, what, viewer, taken):
    """The viewer's picture is what was taken within the guest.

    A clock may have moved on between the two, so there are some tries.
    """
    for _ in range(4):
        complaint = viewer().difference(taken())
        if complaint is None:
            break
    bench.tap.ok(complaint is None, "%s: %s" % (name, what), complaint)


def keep(bench, name, viewers, screens=1):
    for screen in range(screens):
        viewers.picture(screen).write_png(os.path.join(
            bench.machine.logs, "%s-%d.png" % (name, screen)))


def scenario_weston(bench):
    """Weston on two screens, seen, typed at and heard from a VNC viewer"""
    tap = bench.tap
    desktop = Desktop(bench, "weston")
    desktop.start("weston/packages")
    desktop.write("weston/weston.ini", "/etc/xdg/weston/weston.ini")
    desktop.run("weston/start")
    viewers = Viewers(bench, [(5900, 800, 600), (5901, 640, 480)])
    try:
        views(bench, "weston", viewers, 0, (800, 600), desktop)
        views(bench, "weston", viewers, 1, (640, 480), desktop)
        # the launcher in the panel; the terminal comes amid the screen
        viewers.click(20, 16)
        _, opened = viewers.wait(
            lambda picture: picture.pixel(400, 400) == (0, 0, 0))
        tap.ok(opened, "weston: a click in the viewer opens a terminal",
               None if opened else desktop.log())
        typed(bench, desktop, viewers)
        same(bench, "weston", "the viewers show, pixel by pixel, what Weston's "
             "own screenshot has", lambda: beside(viewers.picture(0),
                                                  viewers.picture(1)),
             lambda: weston_screenshot(desktop, viewers))
        keep(bench, "weston", viewers, 2)
    finally:
        viewers.end()
    desktop.end()


def weston_screenshot(desktop, viewers):
    """Weston saves a picture of all screens for Super-S."""
    desktop.sh("rm -f wayland-screenshot*")
    viewers.sh("xdotool windowfocus %s; xdotool key super+s" %
               viewers.windows[0])
    desktop.comes("ls wayland-screenshot*")
    return desktop.picture("n=0; until pngtopnm wayland-screenshot* "
                           "2> /dev/null > /tmp/shot; do n=$((n + 1)); "
                           "[ $n -lt 20 ] || break; sleep 0.5; done; "
                           "cat /tmp/shot")


def beside(left, right):
    """Two pictures as one, black below the lower one."""
    height = max(left.height, right.height)
    rows = []
    for y in range(height):
        for picture in left, right:
            row = picture.data[y * picture.width * 3:
                               (y + 1) * picture.width * 3]
            rows.append(row or bytes(picture.width * 3))
    return pictures.Picture(left.width + right.width, height, b"".join(rows))


def scenario_xorg(bench):
    """Xorg on a wide screen, seen, typed at and heard from a VNC viewer"""
    tap = bench.tap
    desktop = Desktop(bench, "xorg")
    desktop.start("xorg/packages")
    desktop.write("xorg/xorg.conf", "/etc/X11/xorg.conf")
    desktop.write("xorg/xinitrc", "/root/.xinitrc")
    desktop.run("xorg/start")
    viewers = Viewers(bench, [(5900, 1280, 720)])
    try:
        views(bench, "xorg", viewers, 0, (1280, 720), desktop)
        _, opened = viewers.wait(
            lambda picture: picture.pixel(600, 400) == (255, 255, 255))
        tap.ok(opened, "xorg: the terminal is there",
               None if opened else desktop.log())
        # FLTK, which the viewer is made with, wants a click before it tells
        # of moves.
        viewers.click(600, 400)
        typed(bench, desktop, viewers)

        eyes = viewers.picture().crop(1000, 360, 200, 120)
        viewers.move(1240, 500)
        _, looked = viewers.wait(lambda picture: picture.crop(
            1000, 360, 200, 120).data != eyes.data)
        tap.ok(looked, "xorg: xeyes look where the viewer's pointer goes")

        # X does not flip: what it draws is seen all the same.
        hand = viewers.picture().crop(1000, 60, 200, 200)
        _, moved = viewers.wait(lambda picture: picture.crop(
            1000, 60, 200, 200).data != hand.data)
        tap.ok(moved, "xorg: the clock's hand moves in the viewer")

        desktop.guest.sh("kill -STOP $(pidof xclock)")
        # X's screenshots are without its pointer, which is further right
        same(bench, "xorg", "the viewer shows, pixel by pixel, what X has on "
             "its screen",
             lambda: viewers.picture().crop(0, 0, 1220, 720),
             lambda: desktop.picture("xwd -root -silent -display :0 | "
                                     "xwdtopnm 2> /dev/null").crop(
                                         0, 0, 1220, 720))
        keep(bench, "xorg", viewers)
    finally:
        viewers.end()
    desktop.end()


# X on two screens, of which one framebuffer has both
BESIDE = """xset r off s off -dpms
xrandr --output Virtual-2 --right-of Virtual-1
xsetroot -solid '#602040'
xterm -fn 9x15 -geometry 40x10+40+60 -e sh -c 'seq 30; exec sleep 9999' &
exec xterm -fn 9x15 -geometry 40x10+900+60 -e sh -c 'seq 99; exec sleep 9999'
"""
X_BACKGROUND = (0x60, 0x20, 0x40)


def rotated(picture):
    """A picture that is turned to the left, as xrandr does."""
    width, height = picture.width, picture.height
    data = b"".join(picture.data[(y * width + x) * 3:(y * width + x) * 3 + 3]
                    for x in range(width - 1, -1, -1) for y in range(height))
    return pictures.Picture(height, width, data)


class Turns:
    """Weston and X on two screens, of which one has the viewers' at a time."""

    def __init__(self, bench, desktop, viewers):
        self.bench, self.desktop, self.viewers = bench, desktop, viewers

    def both_are(self, colour, what):
        for screen in 0, 1:
            self.shows(screen, colour, what)

    def shows(self, screen, colour, what):
        _, seen = self.viewers.wait(
            lambda picture: picture.pixel(20, 400) == colour, screen)
        self.bench.tap.ok(seen, "switch: %s in viewer %d" % (what, screen),
                          None if seen else self.desktop.log())

    def weston(self, what):
        self.both_are(BACKGROUND, "Weston is " + what)
        same(self.bench, "switch", "the viewers show Weston's own screenshot, "
             + what,
             lambda: beside(self.viewers.picture(0), self.viewers.picture(1)),
             lambda: weston_screenshot(self.desktop, self.viewers))

    def x(self, what):
        """X's screenshots are without its pointer: that goes to the bottom."""
        self.both_are(X_BACKGROUND, "X is " + what)
        self.viewers.move(2, 598)
        same(self.bench, "switch", "the viewers show what X has, " + what,
             lambda: beside(self.viewers.picture(0).crop(0, 0, 800, 540),
                            self.viewers.picture(1)), self.x_screens)

    def root(self):
        """The whole of X's two screens."""
        return self.desktop.picture("xwd -root -silent -display :0 | "
                                    "xwdtopnm 2> /dev/null")

    def x_screens(self):
        picture = self.root()
        return beside(picture.crop(0, 0, 800, 540),
                      picture.crop(800, 0, 640, 480))

    def x_turns_a_screen(self):
        self.desktop.sh("xrandr -display :0 --output Virtual-2 --rotate left")
        self.shows(1, X_BACKGROUND, "X turns its screen")
        same(self.bench, "switch", "the second viewer shows a picture that is "
             "turned", lambda: self.viewers.picture(1),
             lambda: rotated(self.root().crop(800, 0, 480, 640)))

    def x_starts_anew(self):
        """While Weston has the modes: X has to set them, as the manual says."""
        desktop = self.desktop
        desktop.sh("kill $(pidof xinit)")
        desktop.comes("! pidof Xorg")
        desktop.sh("{ xinit -- vt2; } > /tmp/xorg.log 2>&1 < /dev/null &")
        self.both_are(X_BACKGROUND, "X is new")
        desktop.sh("export DISPLAY=:0; " + "; ".join(printed("switch/modes")))
        self.x("in its modes")


def scenario_switch(bench):
    """Weston and X take turns on two screens; X turns one of them"""
    desktop = Desktop(bench, "switch", "weston")
    desktop.start("weston/packages")
    # No clock: it may move between two pictures
    desktop.keep("\n".join(printed("weston/weston.ini")).replace(
        "[shell]", "[shell]\nclock-format=none") + "\n",
                 "/etc/xdg/weston/weston.ini")
    desktop.write("xorg/xorg.conf", "/etc/X11/xorg.conf")
    desktop.keep(BESIDE, "/root/.xinitrc")
    desktop.sh("{ xinit -- vt2; } > /tmp/xorg.log 2>&1 < /dev/null &")
    viewers = Viewers(bench, [(5900, 800, 600), (5901, 640, 480)])
    turns = Turns(bench, desktop, viewers)
    try:
        turns.x("there")
        desktop.run("weston/start")
        turns.weston("there")
        desktop.guest.sh("chvt 2")
        turns.x("back")
        desktop.guest.sh("chvt 1")
        turns.weston("back")
        desktop.guest.sh("chvt 2")
        turns.x("back once more")
        turns.x_turns_a_screen()
        desktop.guest.sh("chvt 1")
        turns.both_are(BACKGROUND, "Weston is back, too,")
        turns.x_starts_anew()
        keep(bench, "switch", viewers, 2)
        connected = desktop.sh("cat /sys/class/drm/card0-Virtual-*/status")
        bench.tap.ok(connected.split() == ["connected"] * 2,
                     "switch: Linux has both connectors still", connected)
        log = desktop.guest.sh("dmesg")
        bench.tap.ok("page flip request" not in log and
                     "timed-out" not in log,
                     "switch: Linux was refused no flip", log[-2000:])
    finally:
        viewers.end()
    bench.nothing_stays(desktop.guest)


scenario_weston.machine = scenario_xorg.machine = MACHINE
scenario_switch.machine = MACHINE
