# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QEMU of today plays to: sound servers and cards, with a recorder."""

import contextlib
import sys
import wave
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'tests/viewers'))
import sounds  # noqa: E402  pylint: disable=wrong-import-position
from machine import Failure, running  # noqa: E402  pylint: disable=C0413
from machine import session_bus  # noqa: E402  pylint: disable=C0413
from machine import wait_until  # noqa: E402  pylint: disable=C0413

RATE = sounds.RATE


class Host:
    """Something to play to, and to record from.

    option: of -audiodev, with the driver's name first; env: what QEMU's
    environment needs; recorded(): all frames that were heard so far, or None
    if nobody hears them; playing(PATH): while that goes on, what can be
    recorded is what is in this file.
    """

    def __init__(self, option, env, recorded, playing=None):
        self.option, self.env = option, env
        self.recorded, self.playing = recorded, playing


def bytes_of(path):
    return path.read_bytes() if path.exists() else b''


@contextlib.contextmanager
def pulse_server(folder, log):
    """A PulseAudio with a null sink, and what is heard there."""
    path = folder / 'heard'
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sounds.pulseaudio(folder, log))
        stack.enter_context(running(
            ['parec', f'--server={server}', '--device=test.monitor', '--raw',
             '--latency-msec=20', '--format=s16le', f'--rate={RATE}',
             '--channels=2', path], log))
        wait_until(lambda: bytes_of(path), 'recording from PulseAudio')
        yield server, lambda: bytes_of(path)


def player(command, log, env=None):
    """A way to play files to what is recorded from."""
    return lambda path: running([*command, path], log, env)


def pulse_player(server, log):
    return player(['pacat', f'--server={server}', '--playback',
                   '--device=mic', '--raw', '--format=s16le',
                   f'--rate={RATE}', '--channels=2'], log)


@contextlib.contextmanager
def pa(folder, log, options):
    """QEMU's own driver for PulseAudio."""
    with pulse_server(folder, log) as (server, heard):
        option = (f'pa,server={server},out.name=test,in.name=mic.monitor,'
                  f'{options}')
        yield Host(option, {}, heard, pulse_player(server, log))


@contextlib.contextmanager
def alsa_pulse(folder, log, options):
    """ALSA's plugin for PulseAudio, which is "default" on many desktops."""
    config = folder / 'asound.conf'
    with pulse_server(folder, log) as (server, heard):
        config.write_text(
            f'pcm.test {{ type pulse server "{server}" device "test" }}\n'
            f'pcm.mic {{ type pulse server "{server}" '
            'device "mic.monitor" }\n'
            f'ctl.test {{ type pulse server "{server}" }}\n')
        env = {'ALSA_CONFIG_PATH': f'/usr/share/alsa/alsa.conf:{config}'}
        yield Host(f'alsa,out.dev=test,in.dev=mic,{options}', env, heard,
                   pulse_player(server, log))


@contextlib.contextmanager
def pipewire(folder, log, options):
    """QEMU's own driver for PipeWire."""
    path = folder / 'heard.wav'
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(session_bus(folder, log))
        env = stack.enter_context(sounds.pipewire(folder, log, bus,
                                                  quantum=2048))
        record = stack.enter_context(running(
            ['pw-record', '--target=test', '-P',
             '{ stream.capture.sink=true }', '--format=s16',
             f'--rate={RATE}', '--channels=2', path], log, env))
        wait_until(lambda: sounds.read_wav(path) or
                   record.poll() is not None, 'recording from PipeWire')
        if record.poll() is not None:
            raise Failure(f'PipeWire refuses to be recorded, see {log}')
        yield Host(f'pipewire,out.name=test,in.name=mic,{options}', env,
                   lambda: sounds.read_wav(path),
                   lambda source: running(
                       ['pw-play', '--target=mic', as_wav(source)], log,
                       env))


def as_wav(path):
    """pw-play takes no other file."""
    copy = path.with_suffix('.wav')
    with wave.open(str(copy), 'wb') as out:
        out.setparams((2, 2, RATE, 0, 'NONE', ''))
        out.writeframes(path.read_bytes())
    return copy


@contextlib.contextmanager
def loopback(folder, log, options):
    """A card of Linux's: snd-aloop, whose other end is recorded."""
    path = folder / 'heard'
    with running(['arecord', '-q', '-D', 'hw:Loopback,1,0', '-t', 'raw',
                  '-f', 'S16_LE', '-r', RATE, '-c', 2,
                  '--buffer-size', 65536, path], log):
        wait_until(lambda: bytes_of(path), 'recording from the loopback')
        yield Host(f'alsa,out.dev=hw:Loopback,,0,,0,in.dev=hw:Loopback,,1,,1,'
                   f'{options}', {}, lambda: bytes_of(path),
                   player(['aplay', '-q', '-D', 'hw:Loopback,0,1', '-t',
                           'raw', '-f', 'S16_LE', '-r', RATE, '-c', 2], log))


@contextlib.contextmanager
def dummy(folder, log, options):
    """A card of Linux's that nobody hears: snd-dummy."""
    yield Host(f'alsa,out.dev=hw:Dummy,in.dev=hw:Dummy,{options}', {}, None)


@contextlib.contextmanager
def wav(folder, log, options):
    """A file."""
    path = folder / 'heard.wav'
    yield Host(f'wav,path={path},{options}', {},
               lambda: sounds.read_wav(path))
