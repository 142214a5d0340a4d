# SPDX-License-Identifier: GPL-2.0-or-later
"""How the cost of screens grows with their number, and that of guests."""

import contextlib
import re
import time
from pathlib import Path

from cards import Xen, spent, threads
from eyes import Vnc

# After the last change, pictures sleep by then
CALM = 3

# Guests, each with a QEMU of its own, and screens of each; 0: none connected
SIZES = (1, 0), (1, 1), (10, 1), (1, 16)


def memory(pid):
    """Bytes of the process's own, which nobody shares with it."""
    text = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    return int(re.search(r'RssAnon:\s*(\d+) kB', text)[1]) * 1024


def guest(args, folder, screens, viewer, stack):
    """A guest that shows a picture on each screen, and its viewers."""
    options = [['-vnc', f'unix:{folder}/vnc{i},display=card,head={i}']
               for i in range(screens)] if viewer else []

    class Screens(Xen):
        """So many of them, one buffer each."""

        pages = 65536

    Screens.screens = max(screens, 1)
    folder.mkdir()
    card = stack.enter_context(Screens(
        args.qemu, folder, args.size,
        sum(options, []) or ['-display', 'none']))
    eyes = []
    if screens:
        first = card.next()
        if screens > 1:
            card.guest.do('draw-more 1')
        eyes = [Vnc(option, args.size) for option in options]
        for eye in eyes[:1]:
            eye.wait(first)
        for i, eye in enumerate(eyes[1:], 1):
            card.seed = 1 + i
            eye.wait([(0, 0, card.colour(0, 0))])
    return card


def measure(args, guests, screens, viewer, folder):
    """Bytes of all QEMUs, and seconds of processor time of ten idle ones."""
    with contextlib.ExitStack() as stack:
        folder.mkdir()
        cards = [guest(args, folder / str(i), screens, viewer, stack)
                 for i in range(guests)]
        time.sleep(min(CALM, args.idle))
        before = [threads(card.process.pid) for card in cards]
        time.sleep(args.idle)
        used = [spent(old, threads(card.process.pid))
                for old, card in zip(before, cards)]
        return {'guests': guests, 'screens': screens,
                'viewer': Vnc.name if viewer else 'none',
                'memory': sum(memory(card.process.pid) for card in cards),
                'idle_cpu_us': round(sum(sum(one.values()) for one in used) *
                                     1e6 * 10 / args.idle)}


def scale(args, folder):
    return [measure(args, guests, screens, viewer,
                    folder / f'{guests}-{screens}-{viewer}')
            for guests, screens in SIZES
            for viewer in (False, True) if screens or not viewer]


def tell(rows):
    print(f'{"guests":>6}{"screens of each":>17}{"viewers":>9}'
          f'{"memory of QEMU, KiB":>22}{"CPU us of ten idle seconds":>28}')
    for row in rows:
        print(f'{row["guests"]:6}{row["screens"]:17}{row["viewer"]:>9}'
              f'{row["memory"] >> 10:22}{row["idle_cpu_us"]:28}')
    print('Of all guests together. Memory: anonymous, and so not that of the '
          'guests.')
