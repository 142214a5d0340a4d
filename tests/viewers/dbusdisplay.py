# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer and player over D-Bus: docs/interop/dbus-display.rst of QEMU."""

import contextlib
import socket
import threading

import gi

import pictures
from machine import PATIENCE, wait_until

gi.require_version('Gio', '2.0')
from gi.repository import Gio, GLib  # noqa: E402

SERVICE = 'org.qemu'
ROOT = '/org/qemu/Display1/'

PICTURES = '''
<node><interface name="org.qemu.Display1.Listener">
  <method name="Scanout">
    <arg type="u"/><arg type="u"/><arg type="u"/><arg type="u"/>
    <arg type="ay"/>
  </method>
  <method name="Update">
    <arg type="i"/><arg type="i"/><arg type="i"/><arg type="i"/>
    <arg type="u"/><arg type="u"/><arg type="ay"/>
  </method>
  <method name="Disable"/>
  <method name="MouseSet">
    <arg type="i"/><arg type="i"/><arg type="i"/>
  </method>
  <method name="CursorDefine">
    <arg type="i"/><arg type="i"/><arg type="i"/><arg type="i"/>
    <arg type="ay"/>
  </method>
  <property name="Interfaces" type="as" access="read"/>
</interface></node>
'''

SOUND = '''
<node><interface name="org.qemu.Display1.AudioOutListener">
  <method name="Init">
    <arg type="t"/><arg type="y"/><arg type="b"/><arg type="b"/>
    <arg type="u"/><arg type="y"/><arg type="u"/><arg type="u"/>
    <arg type="b"/>
  </method>
  <method name="Fini"><arg type="t"/></method>
  <method name="SetEnabled"><arg type="t"/><arg type="b"/></method>
  <method name="SetVolume">
    <arg type="t"/><arg type="b"/><arg type="ay"/>
  </method>
  <method name="Write"><arg type="t"/><arg type="ay"/></method>
</interface></node>
'''

# pixman's PIXMAN_x8r8g8b8
X8R8G8B8 = 0x20020888


def connect(address):
    """A connection to a bus; a thread of its own answers what comes.

    QEMU waits for some answers, and does nothing else meanwhile.
    """
    threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
    flags = Gio.DBusConnectionFlags
    return Gio.DBusConnection.new_for_address_sync(
        address, flags.AUTHENTICATION_CLIENT |
        flags.MESSAGE_BUS_CONNECTION, None, None)


class Gate:
    """A connection that takes from QEMU what it sends only while it is open."""

    def __init__(self, qemu):
        self.end, mine = socket.socketpair()
        self.open = threading.Event()
        self.open.set()
        for source, sink, gate in ((qemu, mine, self.open), (mine, qemu, None)):
            threading.Thread(target=self.carry, args=(source, sink, gate),
                             daemon=True).start()

    @staticmethod
    def carry(source, sink, gate):
        with contextlib.suppress(OSError):
            while True:
                if gate:
                    gate.wait()
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)


class Listener:
    """An object that QEMU calls, over a connection that is its own."""

    gated = False

    def __init__(self, bus, path, method, xml, name):
        ours, theirs = socket.socketpair()
        if self.gated:
            self.gate = Gate(ours)
            ours = self.gate.end
        fds = Gio.UnixFDList.new()
        reply = {}
        # QEMU answers when it has our half of the handshake
        bus.call_with_unix_fd_list(
            SERVICE, ROOT + path, *method,
            GLib.Variant('(h)', (fds.append(theirs.fileno()),)), None,
            Gio.DBusCallFlags.NONE, PATIENCE * 1000, fds, None,
            lambda bus, result: reply.update(result=result))
        theirs.close()
        ours = Gio.Socket.new_from_fd(ours.detach())
        stream = ours.connection_factory_create_connection()
        flags = Gio.DBusConnectionFlags
        connection = []
        Gio.DBusConnection.new(
            stream, None, flags.AUTHENTICATION_CLIENT |
            flags.DELAY_MESSAGE_PROCESSING, None, None,
            lambda _, result: connection.append(
                Gio.DBusConnection.new_finish(result)))
        wait_until(lambda: connection, 'the connection of a D-Bus listener')
        self.connection = connection[0]
        interface = Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0]
        self.connection.register_object(
            ROOT + name, interface, self.called, lambda *_: GLib.Variant(
                'as', []), None)
        self.connection.start_message_processing()
        wait_until(lambda: reply, f'the answer to {method[1]}')
        bus.call_with_unix_fd_list_finish(reply['result'])

    def called(self, connection, sender, path, interface, method, parameters,
               invocation):
        """One method a call; those without one of their own do nothing."""
        handler = getattr(self, 'on_' + method, None)
        if handler:
            handler(*[parameters.get_child_value(i)
                      for i in range(parameters.n_children())])
        invocation.return_value(None)


class Viewer(Listener):
    def __init__(self, bus):
        self.pixels = None
        self.scanouts = self.updates = self.bytes = 0
        super().__init__(bus, 'Console_0', ('org.qemu.Display1.Console',
                                            'RegisterListener'), PICTURES,
                         'Listener')

    @staticmethod
    def decode(width, height, stride, form, data):
        assert form == X8R8G8B8, f'pixman format {form:#x}'
        return pictures.from_bytes(data.get_data_as_bytes().get_data(), width,
                                   height, stride)

    def on_Scanout(self, width, height, stride, form, data):
        self.scanouts += 1
        self.bytes += data.get_size()
        self.pixels = self.decode(*(word.get_uint32() for word in
                                    (width, height, stride, form)),
                                  data).copy()

    def on_Update(self, x, y, width, height, stride, form, data):
        self.updates += 1
        self.bytes += data.get_size()
        x, y, width, height = (word.get_int32()
                               for word in (x, y, width, height))
        self.pixels[y:y + height, x:x + width] = self.decode(
            width, height, stride.get_uint32(), form.get_uint32(), data)

    def look(self):
        return self.pixels


class SlowViewer(Viewer):
    """One that reads only while its gate is open."""

    gated = True


class Player(Listener):
    def __init__(self, bus):
        self.format = None
        self.data = bytearray()
        super().__init__(bus, 'Audio', ('org.qemu.Display1.Audio',
                                        'RegisterOutListener'), SOUND,
                         'AudioOutListener')

    def on_Init(self, _id, *words):
        self.format = [word.unpack() for word in words]

    def on_Write(self, _id, data):
        self.data += data.get_data_as_bytes().get_data()
