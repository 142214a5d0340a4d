# SPDX-License-Identifier: GPL-2.0-or-later
"""A VNC viewer without a screen: RFB 3.8 (RFC 6143), one encoding each."""

import socket
import struct
import zlib

import numpy

import pictures
from machine import PATIENCE, Failure

RAW, ZLIB = 0, 6
DESKTOP_SIZE = -223


class Viewer:
    def __init__(self, path, encoding):
        self.encoding = encoding
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(PATIENCE)
        self.stream.connect(str(path))
        self.inflater = zlib.decompressobj()
        # Rectangles that were received in the encoding that was asked for
        self.encoded = 0
        self.read(12)
        self.stream.sendall(b'RFB 003.008\n')
        if 1 not in self.read(self.number('B')):
            raise Failure('the VNC server wants a password')
        self.stream.sendall(b'\1')
        if self.number('I'):
            raise Failure('the VNC server refuses')
        self.stream.sendall(b'\1')
        width, height = self.number('H'), self.number('H')
        self.read(16)
        self.read(self.number('I'))
        self.pixels = numpy.zeros((height, width), 'u4')
        # 32 bits a pixel, little-endian, red in bits 16 to 23
        self.stream.sendall(struct.pack('>BxxxBBBBHHHBBBxxx', 0, 32, 24, 0, 1,
                                        255, 255, 255, 16, 8, 0))
        self.stream.sendall(struct.pack('>BxHii', 2, 2, encoding,
                                        DESKTOP_SIZE))

    def read(self, length):
        data = bytearray()
        while len(data) < length:
            more = self.stream.recv(length - len(data))
            if not more:
                raise Failure('the VNC server has hung up')
            data += more
        return bytes(data)

    def number(self, form):
        return struct.unpack('>' + form, self.read(struct.calcsize(form)))[0]

    def look(self):
        """The whole screen as it is now."""
        self.request()
        self.update()
        return self.pixels

    def request(self, incremental=False):
        """Ask for the whole screen, or for what has changed of it."""
        height, width = self.pixels.shape
        self.stream.sendall(struct.pack('>BBHHHH', 3, incremental, 0, 0,
                                        width, height))

    def update(self):
        """Take the answer to a request."""
        while self.number('B') != 0:
            pass    # the bell; the server has no other message for us
        self.read(1)
        for _ in range(self.number('H')):
            self.rectangle()

    def rectangle(self):
        x, y, width, height = struct.unpack('>HHHH', self.read(8))
        encoding = self.number('i')
        if encoding == DESKTOP_SIZE:
            self.pixels = numpy.zeros((height, width), 'u4')
            return
        if encoding == self.encoding:
            self.encoded += 1
        area = self.pixels[y:y + height, x:x + width]
        if encoding == RAW:
            area[:] = pictures.from_bytes(self.read(width * height * 4),
                                          width, height)
        elif encoding == ZLIB:
            data = self.inflater.decompress(self.read(self.number('I')))
            area[:] = pictures.from_bytes(data, width, height)
        else:
            raise Failure(f'VNC encoding {encoding} was not asked for')
