# SPDX-License-Identifier: GPL-2.0-or-later
"""An X server without a screen, what is on it, and its refresh rate."""

import contextlib
import os

from Xlib import X, display
from Xlib.ext import randr

import pictures
from machine import Failure, running, wait_until

WIDTH, HEIGHT = 1024, 768


class Screen:
    def __init__(self, name, saved):
        self.saved = saved
        self.display = display.Display(name)
        self.root = self.display.screen().root
        self.env = {'DISPLAY': name, 'GDK_BACKEND': 'x11',
                    'SDL_VIDEODRIVER': 'x11', 'LIBGL_ALWAYS_SOFTWARE': '1',
                    'NO_AT_BRIDGE': '1'}

    def pixels(self):
        image = self.root.get_image(0, 0, WIDTH, HEIGHT, X.ZPixmap,
                                    0xffffffff)
        return pictures.from_bytes(image.data, WIDTH, HEIGHT)

    def wait_for(self, seed, name):
        """Wait until a picture is somewhere on the screen."""
        picture = pictures.expected(seed)
        try:
            wait_until(lambda: pictures.find(self.pixels(), picture), name)
        except Failure as e:
            pictures.save(self.pixels(), self.saved)
            raise Failure(f'{name}: no picture {seed} on the screen, see '
                          f'{self.saved}') from e

    def set_refresh_rate(self, hertz):
        """Give the screen a mode of this rate, which viewers are told of."""
        width, height = WIDTH + 8, HEIGHT + 8
        name = f'{hertz} Hz'
        mode = (0, WIDTH, HEIGHT, width * height * hertz, WIDTH + 2,
                WIDTH + 4, width, 0, HEIGHT + 2, HEIGHT + 4, height,
                len(name), 0)
        made = self.root.xrandr_create_mode(mode, name).mode
        resources = self.root.xrandr_get_screen_resources()
        output, crtc = resources.outputs[0], resources.crtcs[0]
        self.display.xrandr_add_output_mode(output, made)
        done = self.display.xrandr_set_crtc_config(
            crtc, resources.config_timestamp, 0, 0, made, randr.Rotate_0,
            [output])
        if done.status:
            raise Failure(f'Xvfb refuses a mode of {hertz} Hz')


@contextlib.contextmanager
def xvfb(log):
    """An X server that chooses its number by itself."""
    ours, theirs = os.pipe()
    with running(['Xvfb', '-displayfd', theirs, '-screen', '0',
                  f'{WIDTH}x{HEIGHT}x24', '-nolisten', 'tcp', '-noreset'],
                 log, pass_fds=[theirs]):
        os.close(theirs)
        with os.fdopen(ours) as number:
            said = number.readline().strip()
        if not said:
            raise Failure('Xvfb did not start')
        screen = Screen(f':{said}', log.with_suffix('.ppm'))
        try:
            yield screen
        finally:
            screen.display.close()
