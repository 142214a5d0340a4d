#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Print the CRC-32 of a buffer that a Xen guest shares by a page directory.

  pgdir-checksum.py DOMID GREF SIZE

The library is libxenpgdir.so.1, called by ctypes; nothing is compiled.
"""

import ctypes
import os
import sys
import zlib
from ctypes import POINTER, byref, c_int32, c_uint32, c_uint64, c_void_p

WINDOW = 1 << 20


class Config(ctypes.Structure):
    _fields_ = [('size', c_uint32), ('max_pages', c_uint32), ('max_buffer_pages', c_uint32),
                ('max_map_count', c_uint32), ('max_mappings', c_uint32)]


FUNCTIONS = [
    ('mapper_open', c_int32, [c_uint32, POINTER(Config), POINTER(c_void_p)]),
    ('mapper_unref', None, [c_void_p]),
    ('buffer_new', c_int32, [c_void_p, c_uint32, c_uint64, c_uint32,
                             POINTER(c_void_p)]),
    ('buffer_unref', None, [c_void_p]),
    ('buffer_view', c_int32, [c_void_p, c_uint64, c_uint64,
                              POINTER(c_void_p), POINTER(c_void_p)]),
    ('view_unref', None, [c_void_p])]


def load():
    lib = ctypes.CDLL('libxenpgdir.so.1')
    for name, result, arguments in FUNCTIONS:
        function = getattr(lib, 'xen_pgdir_' + name)
        function.restype, function.argtypes = result, arguments
    return lib


def check(result):
    if result:
        raise OSError(-result, os.strerror(-result))


def checksum(lib, buffer, size):
    """Look at the buffer through one window after the other."""
    crc = 0
    for at in range(0, size, WINDOW):
        length = min(WINDOW, size - at)
        view, data = c_void_p(), c_void_p()
        check(lib.xen_pgdir_buffer_view(buffer, at, length, byref(view),
                                        byref(data)))
        crc = zlib.crc32(ctypes.string_at(data, length), crc)
        lib.xen_pgdir_view_unref(view)
    return crc


def main():
    if '--help' in sys.argv:
        print(__doc__)
        return
    try:
        domid, gref, size = (int(text, 0) for text in sys.argv[1:])
        if not (0 <= domid < 1 << 32 and 0 <= gref < 1 << 32 and
                0 <= size < 1 << 64):
            raise ValueError
    except ValueError:
        sys.exit('usage: %s DOMID GREF SIZE' % sys.argv[0])
    # At most 64 MiB mapped at once, of buffers of at most 1 GiB
    config = Config(ctypes.sizeof(Config), max_pages=16384,
                     max_buffer_pages=262144)
    lib, mapper, buffer = load(), c_void_p(), c_void_p()
    try:
        check(lib.xen_pgdir_mapper_open(domid, byref(config), byref(mapper)))
        check(lib.xen_pgdir_buffer_new(mapper, gref, size, 0, byref(buffer)))
        print('%08x' % checksum(lib, buffer, size))
    except OSError as e:
        sys.exit('%s: %s' % (sys.argv[0], e.strerror))
    finally:
        lib.xen_pgdir_buffer_unref(buffer)
        lib.xen_pgdir_mapper_unref(mapper)


main()
