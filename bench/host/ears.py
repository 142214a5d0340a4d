# SPDX-License-Identifier: GPL-2.0-or-later
"""How long sound takes from a guest's WRITE to the host's audio device."""

import threading
import time
from statistics import median

from cards import Xen
from eyes import Dbus
from machine import PATIENCE

RATE = 48000


class Sound(Xen):
    """A card for sound as well, which D-Bus takes."""

    more = ('-audiodev', f'dbus,id=snd,out.frequency={RATE}',
            '-device', 'xen-pvsound,id=sound,audiodev=snd,streams=p')

    def start(self, stack):
        super().start(stack)
        self.guest.do('connect-sound')


def sound(args, folder):
    """Microseconds until the first of the sound comes out; a median."""
    import dbusdisplay  # pylint: disable=import-outside-toplevel

    folder.mkdir()
    song = folder / 'song'
    song.write_bytes(b'\1\1' * RATE)
    heard = threading.Event()

    class Player(dbusdisplay.Player):
        """Tells when it plays something."""

        def on_Write(self, _id, data):
            if not heard.is_set() and any(data.get_data_as_bytes().get_data()):
                self.at = time.monotonic()
                heard.set()

    delays = []
    with Dbus.options(folder) as options, \
            Sound(args.qemu, folder, args.size,
                  [options[0], f'{options[1]},audiodev=snd']) as card:
        player = Player(dbusdisplay.connect(options[1].split('addr=', 1)[1]))
        for _ in range(args.keys):
            card.guest.do(f'open {RATE}')
            heard.clear()
            start = time.monotonic()
            card.guest.do(f'start {song}')
            if not heard.wait(PATIENCE):
                raise RuntimeError('the sound does not come')
            delays.append(player.at - start)
            card.guest.do('stop')
            card.guest.do('close')
    return round(median(delays) * 1e6)
