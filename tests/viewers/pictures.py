# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's picture, and a look for it in what a viewer shows."""

import gi
import numpy

from machine import HEIGHT, WIDTH, Failure, wait_until

gi.require_version('GdkPixbuf', '2.0')
from gi.repository import GdkPixbuf  # noqa: E402


def expected(seed):
    """xen_front_pixel() of tests/frontend/xen-front-display.c, as 0xRRGGBB."""
    y, x = numpy.indices((HEIGHT, WIDTH), dtype=numpy.uint32)
    value = (x * numpy.uint32(0x01000193) ^ y * numpy.uint32(0x85ebca6b) ^
             numpy.uint32(seed * 0xc2b2ae35 & 0xffffffff))
    return (value ^ value >> numpy.uint32(15)) & numpy.uint32(0xffffff)


def from_bytes(data, width, height, stride=None):
    """Pixels of a little-endian XRGB8888 picture."""
    rows = numpy.frombuffer(bytes(data), '<u4')
    rows = rows.reshape(height, (stride or width * 4) // 4)
    return rows[:, :width] & numpy.uint32(0xffffff)


def from_file(path):
    """Pixels of a picture file of any common format."""
    pixbuf = GdkPixbuf.Pixbuf.new_from_file(str(path))
    data = numpy.frombuffer(pixbuf.read_pixel_bytes().get_data(), 'u1')
    width, height = pixbuf.get_width(), pixbuf.get_height()
    channels, stride = pixbuf.get_n_channels(), pixbuf.get_rowstride()
    # The last row ends with its last pixel
    data = numpy.resize(data, stride * height).reshape(height, stride)
    data = data[:, :width * channels].reshape(height, width, channels)
    rgb = data.astype('u4')
    return rgb[:, :, 0] << 16 | rgb[:, :, 1] << 8 | rgb[:, :, 2]


def save(pixels, path):
    """As a binary PPM file."""
    rgb = numpy.stack([pixels >> shift & 0xff for shift in (16, 8, 0)], -1)
    with open(path, 'wb') as file:
        file.write(b'P6 %d %d 255\n' % pixels.shape[::-1])
        file.write(rgb.astype('u1').tobytes())


def find(screen, picture):
    """Where the whole picture is in a screen: (x, y), or None."""
    first = picture[0].astype('<u4').tobytes()
    for y in range(screen.shape[0] - HEIGHT + 1):
        row = numpy.ascontiguousarray(screen[y]).astype('<u4').tobytes()
        at = row.find(first)
        if at >= 0 and at % 4 == 0:
            x = at // 4
            area = screen[y:y + HEIGHT, x:x + WIDTH]
            if area.shape == picture.shape and (area == picture).all():
                return x, y
    return None


def difference(screen, picture):
    """What to say of a screen that should be this picture."""
    if screen.shape != picture.shape:
        return 'is %d x %d pixels' % screen.shape[::-1]
    wrong = numpy.argwhere(screen != picture)
    y, x = wrong[0]
    return (f'{len(wrong)} of {picture.size} pixels are wrong, the first at '
            f'{x},{y}: {screen[y, x]:06x}, not {picture[y, x]:06x}')


def typed(picture, x, y):
    """What the guest's "type" makes of it."""
    picture = picture.copy()
    picture[y:y + 15, x:x + 9] ^= 0xffffff
    return picture


def wait_for(look, seed, name):
    """Wait until look() returns the picture alone, or None for nothing yet."""
    wait_for_pixels(look, expected(seed), f'{name}, picture {seed}')


def wait_for_pixels(look, picture, name):
    """The same of any picture."""
    last = None

    def shown():
        nonlocal last
        screen = look()
        if screen is not None:
            last = screen
        return last is not None and numpy.array_equal(last, picture)

    try:
        wait_until(shown, 'the picture')
    except Failure as e:
        raise Failure(f'{name}: ' +
                      ('nothing was shown' if last is None
                       else difference(last, picture))) from e


def both_pictures(machine, look, name):
    """The guest shows a picture, then another: so does the viewer."""
    machine.guest.do('draw 1')
    wait_for(look, 1, name)
    machine.guest.do('destroy')
    machine.guest.do('draw 2')
    wait_for(look, 2, name)
