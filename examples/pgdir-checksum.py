#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Print the CRC-32 of buffers that a Xen guest shares by page directories.

  pgdir-checksum.py DOMID GREF SIZE     of one buffer
  pgdir-checksum.py SOCKET              of all that QEMU knows: SOCKET is that
                                        of QEMU's monitor (QMP)

It needs the package xenpgdir (Debian: python3-xenpgdir).
"""

import sys
import zlib

from xenpgdir import Buffer, Mapper, read_buffers

WINDOW = 1 << 20


def checksum(buffer: Buffer) -> str:
    """Look at the buffer through one window after the other."""
    crc = 0
    for at in range(0, buffer.size, WINDOW):
        with buffer.view(at, min(WINDOW, buffer.size - at)) as view:
            crc = zlib.crc32(view.data, crc)
    return '%08x' % crc


def number(text: str, bits: int) -> int:
    """An unsigned number."""
    value = int(text, 0)
    if not 0 <= value < 1 << bits:
        raise ValueError
    return value


def main() -> None:
    """Find the buffers, and look at each."""
    if '--help' in sys.argv:
        print(__doc__)
        return
    try:
        if len(sys.argv) == 2:
            for found in read_buffers(sys.argv[1]):
                with Mapper(found.domid) as mapper, \
                        mapper.buffer(found.directory, found.size) as buffer:
                    print(checksum(buffer), found.device, found.name)
            return
        domid, gref, size = sys.argv[1:]
        with Mapper(number(domid, 32)) as mapper, \
                mapper.buffer(number(gref, 32), number(size, 64)) as buffer:
            print(checksum(buffer))
    except ValueError:
        sys.exit('usage: %s DOMID GREF SIZE | SOCKET' % sys.argv[0])
    except OSError as e:
        sys.exit('%s: %s' % (sys.argv[0], e.strerror or e))


main()
