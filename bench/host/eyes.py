# SPDX-License-Identifier: GPL-2.0-or-later
"""Viewers that count what they are sent, and know when they have a picture."""

import contextlib
import ctypes
import struct
import threading
import time
from ctypes import CFUNCTYPE, c_char_p, c_int, c_uint32, c_ulong, c_void_p

import numpy

import rfb
from machine import PATIENCE, Failure, session_bus

# A key that types nothing: VNC's server looks more often once there is input
SHIFT = 0xffe1


class Eye:
    """A viewer; .bytes were sent to it.

    .changed is set with each message, of which .at was the time.
    """

    name = None
    sees = True

    def __init__(self):
        self.bytes = 0
        self.at = 0
        self.pixels = None
        self.changed = threading.Event()

    def message(self):
        self.at = time.monotonic()
        self.changed.set()

    def touch(self):
        """Say that there is a user."""

    def has(self, changes):
        return self.pixels is not None and all(
            self.pixels[y, x] & 0xffffff == colour for x, y, colour in changes)

    def wait(self, changes, told=0):
        """Wait for all of the changes; returns when they had come.

        told: when the card was told of them.  A viewer's library may have
        drawn them before it calls us.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            self.changed.clear()
            if self.has(changes) and self.at >= told:
                return self.at
            if not self.changed.wait(deadline - time.monotonic()):
                raise RuntimeError(f'{self.name}: the picture does not come')


class Nobody(Eye):
    """No viewer at all."""

    name = 'none'
    sees = False

    @staticmethod
    @contextlib.contextmanager
    def options(_folder):
        yield ['-display', 'none']

    def __init__(self, _options, _size):
        super().__init__()

    def wait(self, _changes, _told=0):
        return 0


class Vnc(Eye):
    """Raw encoding, as all VNC viewers know it."""

    name = 'VNC'

    @staticmethod
    @contextlib.contextmanager
    def options(folder):
        yield ['-vnc', f'unix:{folder}/vnc']

    def __init__(self, options, _size):
        super().__init__()
        eye = self

        class Viewer(rfb.Viewer):
            """Counts what it reads."""

            def read(self, length):
                eye.bytes += length
                return super().read(length)

        self.viewer = Viewer(options[1].split(':', 1)[1].split(',')[0],
                             rfb.RAW)
        self.viewer.stream.settimeout(None)
        self.viewer.request()
        threading.Thread(target=self.watch, daemon=True).start()

    def touch(self):
        for down in 1, 0:
            self.viewer.stream.sendall(struct.pack('>BBxxI', 4, down, SHIFT))

    def watch(self):
        with contextlib.suppress(Failure, OSError):
            while True:
                before = self.viewer.pixels
                self.viewer.update()
                self.pixels = self.viewer.pixels
                self.message()
                self.viewer.request(incremental=self.pixels is before)


class Dbus(Eye):
    """A listener of org.qemu.Display1."""

    name = 'D-Bus'

    @staticmethod
    @contextlib.contextmanager
    def options(folder):
        with session_bus(folder, folder / 'bus.log') as address:
            yield ['-display', f'dbus,addr={address}']

    def __init__(self, options, _size):
        import dbusdisplay  # pylint: disable=import-outside-toplevel

        eye = self
        super().__init__()

        class Viewer(dbusdisplay.Viewer):
            """Tells us of each picture."""

            def __init__(self, bus):
                self.seen = 0
                super().__init__(bus)

            def called(self, *args):
                super().called(*args)
                eye.bytes = self.bytes
                eye.pixels = self.pixels
                eye.message()

        self.viewer = Viewer(dbusdisplay.connect(
            options[1].split('addr=', 1)[1]))


class Spice(Eye):
    """The display channel of a SPICE client, without compression."""

    name = 'SPICE'

    @staticmethod
    @contextlib.contextmanager
    def options(folder):
        yield ['-spice', f'unix=on,addr={folder}/spice,disable-ticketing=on,'
               'image-compression=off,jpeg-wan-compression=never,'
               'zlib-glz-wan-compression=never']

    def __init__(self, options, size):
        super().__init__()
        self.size = size
        self.handlers = []
        self.channel = None
        self.library = ctypes.CDLL('libspice-client-glib-2.0.so.8')
        self.gobject = ctypes.CDLL('libgobject-2.0.so.0')
        self.glib = ctypes.CDLL('libglib-2.0.so.0')
        path = options[1].split('addr=', 1)[1].split(',')[0]
        threading.Thread(target=self.run, args=(path,), daemon=True).start()

    @staticmethod
    def declare(function, result, *arguments):
        function.restype, function.argtypes = result, arguments
        return function

    def connect(self, instance, signal, handler, *arguments):
        handler = CFUNCTYPE(None, c_void_p, *arguments, c_void_p)(handler)
        self.handlers.append(handler)
        self.declare(self.gobject.g_signal_connect_data, c_ulong, c_void_p,
                     c_char_p, c_void_p, c_void_p, c_void_p, c_int)(
            instance, signal, handler, None, None, 0)

    def run(self, path):
        session = self.declare(self.library.spice_session_new, c_void_p)()
        self.declare(self.gobject.g_object_set, None, c_void_p, c_char_p,
                     c_char_p, c_void_p)(
            session, b'uri', f'spice+unix://{path}'.encode(), None)
        self.connect(session, b'channel-new', self.on_channel, c_void_p)
        self.declare(self.library.spice_session_connect, c_int, c_void_p)(
            session)
        loop = self.declare(self.glib.g_main_loop_new, c_void_p, c_void_p,
                            c_int)(None, 0)
        self.declare(self.glib.g_main_loop_run, None, c_void_p)(loop)

    def on_channel(self, _session, channel, _):
        kind = self.declare(self.library.spice_display_channel_get_type,
                            c_void_p)()
        if self.declare(self.gobject.g_type_check_instance_is_a, c_int,
                        c_void_p, c_void_p)(channel, kind):
            self.connect(channel, b'display-primary-create', self.on_primary,
                         c_int, c_int, c_int, c_int, c_int, c_void_p)
            self.connect(channel, b'display-invalidate', self.on_invalid,
                         c_int, c_int, c_int, c_int)
            self.declare(self.library.spice_channel_connect, c_int, c_void_p)(
                channel)
            self.channel = channel

    # pylint: disable-next=too-many-arguments,too-many-positional-arguments
    def on_primary(self, _channel, _form, width, height, stride, _id, data, _):
        words = (c_uint32 * (stride // 4 * height)).from_address(data)
        self.pixels = numpy.frombuffer(words, '<u4').reshape(
            height, stride // 4)[:, :width]
        self.count()

    def on_invalid(self, *_):
        self.count()

    def count(self):
        value = c_ulong()
        self.declare(self.gobject.g_object_get, None, c_void_p, c_char_p,
                     c_void_p, c_void_p)(
            self.channel, b'total-read-bytes', ctypes.byref(value), None)
        self.bytes = value.value
        self.message()

    def has(self, changes):
        return self.pixels is not None and \
            self.pixels.shape == self.size[::-1] and super().has(changes)


EYES = {eye.name: eye for eye in (Nobody, Vnc, Dbus, Spice)}
