# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture which modetest is expected to show, and picture files.

modetest's default pattern is drawn after the SMPTE colour bars: seven bars
of equal width on the upper two thirds, the same bars' complements on the
next ninth, and below them a row of test patches, four of which share five
sevenths of the width, three one seventh, and one the rest. All boundaries
are rounded down to whole pixels.
"""

import struct
import zlib

GREY = (192, 192, 192)
YELLOW = (192, 192, 0)
CYAN = (0, 192, 192)
GREEN = (0, 192, 0)
MAGENTA = (192, 0, 192)
RED = (192, 0, 0)
BLUE = (0, 0, 192)
BLACK = (19, 19, 19)
WHITE = (255, 255, 255)
IN_PHASE = (0, 33, 76)
QUADRATURE = (50, 0, 106)
DARKER = (9, 9, 9)
LIGHTER = (29, 29, 29)

BARS = [GREY, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE]
CASTELLATION = [BLUE, BLACK, MAGENTA, BLACK, CYAN, BLACK, GREY]
WIDE_PATCHES = [IN_PHASE, WHITE, QUADRATURE, BLACK]
NARROW_PATCHES = [DARKER, BLACK, LIGHTER]


class Picture:
    """Rows of 8-bit RGB."""

    def __init__(self, width, height, data):
        if len(data) != width * height * 3:
            raise ValueError("%d bytes for %dx%d pixels" %
                             (len(data), width, height))
        self.width, self.height, self.data = width, height, data

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return tuple(self.data[at:at + 3])

    def crop(self, x, y, width, height):
        rows = []
        for row in range(y, y + height):
            at = (row * self.width + x) * 3
            rows.append(self.data[at:at + width * 3])
        return Picture(width, height, b"".join(rows))

    def quantized(self, red, green, blue):
        """The same after a format with so many bits for each colour."""
        def widen(value, bits):
            # The bits that are there are repeated where bits are missing.
            value >>= 8 - bits
            return (value << (8 - bits) | value >> (2 * bits - 8)
                    if bits < 8 else value)

        data = bytearray(self.data)
        for channel, bits in enumerate((red, green, blue)):
            data[channel::3] = data[channel::3].translate(
                bytes(widen(value, bits) for value in range(256)))
        return Picture(self.width, self.height, bytes(data))

    def resembles(self, other, tolerance, share):
        """Whether no more than a SHARE of the pixels is off by more."""
        if (self.width, self.height) != (other.width, other.height):
            return False
        off = sum(1 for i in range(0, len(self.data), 3)
                  if any(abs(a - b) > tolerance for a, b in
                         zip(self.data[i:i + 3], other.data[i:i + 3])))
        return off <= share * self.width * self.height

    def difference(self, other):
        """None, or a sentence on how the pictures differ."""
        if (self.width, self.height) != (other.width, other.height):
            return "sizes differ: %dx%d and %dx%d" % (
                self.width, self.height, other.width, other.height)
        if self.data == other.data:
            return None
        wrong = 0
        first = None
        for i in range(0, len(self.data), 3):
            if self.data[i:i + 3] != other.data[i:i + 3]:
                wrong += 1
                first = i // 3 if first is None else first
        x, y = first % self.width, first // self.width
        return "%d of %d pixels differ, first (%d,%d): %s and %s" % (
            wrong, len(self.data) // 3, x, y,
            self.pixel(x, y), other.pixel(x, y))

    def write_png(self, path):
        stride = self.width * 3
        raw = b"".join(b"\0" + self.data[y * stride:(y + 1) * stride]
                       for y in range(self.height))

        def chunk(kind, body):
            return (struct.pack(">I", len(body)) + kind + body +
                    struct.pack(">I", zlib.crc32(kind + body)))

        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        with open(path, "wb") as f:
            f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                    chunk(b"IDAT", zlib.compress(raw, 9)) +
                    chunk(b"IEND", b""))


def read_ppm(path):
    """A binary PPM with 8 bits a channel, as QEMU's screendump writes it."""
    with open(path, "rb") as f:
        data = f.read()
    fields, at = [], 0
    while len(fields) < 4:
        end = at
        while not data[end:end + 1].isspace():
            end += 1
        fields.append(data[at:end])
        at = end + 1
    magic, width, height, depth = fields
    if magic != b"P6" or depth != b"255":
        raise ValueError("%s: not a binary PPM" % path)
    return Picture(int(width), int(height), data[at:])


def smpte(width, height):
    """The picture which modetest draws by default."""
    def row(edges_and_colours):
        out, x = b"", 0
        for edge, colour in edges_and_colours:
            out += bytes(colour) * (edge - x)
            x = edge
        return out

    def split(colours, span):
        # The first pixel of part n of m is the least x with x * m / span >= n.
        parts = len(colours)
        return [(-(-(n + 1) * span // parts), colour)
                for n, colour in enumerate(colours)]

    wide, end = width * 5 // 7, width * 6 // 7
    seventh = width // 7
    # One seventh may be a pixel narrower than the room for it: the narrow
    # patches then spill into the black patch on their right, by its colour.
    patches = split(WIDE_PATCHES, wide)
    patches += [(min(wide + edge, end), colour)
                for edge, colour in split(NARROW_PATCHES, seventh)]
    patches += [(width, BLACK)]

    upper, middle = height * 6 // 9, height * 7 // 9
    return Picture(width, height,
                   row(split(BARS, width)) * upper +
                   row(split(CASTELLATION, width)) * (middle - upper) +
                   row(patches) * (height - middle))
