# SPDX-License-Identifier: LGPL-2.1-or-later
"""List the buffers of a guest: DOMID GREF SIZE, then the device and the name.

  python3 -m xenpgdir SOCKET

SOCKET is that of QEMU's monitor, as -qmp unix:SOCKET,server=on,wait=off makes
it.  The first three words of a line are the arguments of the examples.
"""

import sys

from . import read_buffers


def main() -> int:
    """The exit status."""
    if len(sys.argv) != 2 or sys.argv[1].startswith('-'):
        print(__doc__.strip())
        return 0 if '--help' in sys.argv else 2
    try:
        for buffer in read_buffers(sys.argv[1]):
            print(buffer.domid, buffer.directory, buffer.size, buffer.device,
                  buffer.name)
    except OSError as e:
        print('%s: %s' % (sys.argv[1], e.strerror or e), file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
