# SPDX-License-Identifier: GPL-2.0-or-later
"""Viewers that count what they are sent, and know when they have a picture."""

import contextlib
import ctypes
import socket
import struct
import threading
import time
from ctypes import CFUNCTYPE, c_char_p, c_int, c_uint32, c_ulong, c_void_p

import numpy

from machine import PATIENCE, session_bus

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
        path = options[1].split(':', 1)[1].split(',')[0]
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(PATIENCE)
        self.stream.connect(path)
        self.read(12)
        self.stream.sendall(b'RFB 003.008\n')
        self.read(*self.read(1))
        self.stream.sendall(b'\1')
        self.read(4)
        self.stream.sendall(b'\1')
        self.width, self.height = struct.unpack('>HH', self.read(4))
        self.read(16)
        self.read(*struct.unpack('>I', self.read(4)))
        self.stream.sendall(struct.pack('>BxxxBBBBHHHBBBxxx', 0, 32, 24, 0, 1,
                                        255, 255, 255, 16, 8, 0))
        # Raw, and a screen of another size
        self.stream.sendall(struct.pack('>BxHii', 2, 2, 0, -223))
        self.stream.settimeout(None)
        self.resize()
        threading.Thread(target=self.watch, daemon=True).start()

    def resize(self):
        self.pixels = numpy.zeros((self.height, self.width), '<u4')
        self.request(False)

    def request(self, incremental=True):
        self.stream.sendall(struct.pack('>BBHHHH', 3, incremental, 0, 0,
                                        self.width, self.height))

    def touch(self):
        for down in 1, 0:
            self.stream.sendall(struct.pack('>BBxxI', 4, down, SHIFT))

    def fill(self, view):
        while view:
            size = self.stream.recv_into(view)
            if not size:
                raise EOFError
            self.bytes += size
            view = view[size:]

    def read(self, length):
        data = bytearray(length)
        self.fill(memoryview(data))
        return bytes(data)

    def rectangle(self):
        x, y, width, height, encoding = struct.unpack('>HHHHi', self.read(12))
        if encoding == -223:
            self.width, self.height = width, height
            self.resize()
            return
        data = numpy.empty((height, width), '<u4')
        self.fill(memoryview(data).cast('B'))
        self.pixels[y:y + height, x:x + width] = data

    def watch(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                if self.read(1) != b'\0':
                    continue    # the bell
                self.read(1)
                for _ in range(*struct.unpack('>H', self.read(2))):
                    self.rectangle()
                self.message()
                self.request()


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
