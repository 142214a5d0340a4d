# SPDX-License-Identifier: GPL-2.0-or-later
"""Sound whose every frame says which it is, and servers to play it to."""

import contextlib
import os
import struct
import subprocess

import numpy

from machine import Failure, running, wait_until

RATE = 48000

# Frame i, from 1, is i times this, modulo 2**32: half of it for the left, half
# for the right.  No frame is like another, and none is silence.
FACTOR = 0x9e3779b1
INVERSE = pow(FACTOR, -1, 1 << 32)


class Gap(Failure):
    """Something is missing between what was recorded."""


def frames(seconds):
    """So many seconds of frames that say which they are."""
    index = numpy.arange(1, int(seconds * RATE) + 1, dtype='u8')
    return (index * FACTOR & 0xffffffff).astype('<u4').tobytes()


def silence(seconds):
    return bytes(int(seconds * RATE) * 4)


def read_indices(data):
    """Of each recorded frame, which it is; 0 is silence."""
    codes = numpy.frombuffer(data[:len(data) // 4 * 4], '<u4').astype('u8')
    return codes * INVERSE & 0xffffffff


def check_all(data, seconds):
    """All frames are there, in order; what is between them is silence.

    A player that waits for a machine which is busy inserts silence; a frame
    that is lost, repeated or altered is an error.  Returns how much silence.
    """
    index = read_indices(data)
    heard = index[index != 0]
    count = int(seconds * RATE)
    altered = int((heard > count).sum())
    if altered:
        raise Failure(f'{altered} of {len(heard)} recorded frames are not as '
                      'they were played')
    if len(heard) != count or (heard != numpy.arange(1, count + 1)).any():
        jumps = numpy.flatnonzero(numpy.diff(heard.astype('i8')) != 1)
        raise Failure(f'{len(heard)} of {count} frames arrived, ' + (
            f'out of order at {jumps[:5]}' if len(jumps) else
            f'from {heard[0]} to {heard[-1]}' if len(heard) else 'silence'))
    at = numpy.flatnonzero(index)
    return int(at[-1] - at[0] + 1 - count)


def check_part(data, seconds):
    """A part at least so long of what is played without an end."""
    index = read_indices(data)
    heard = index[index != 0].astype('i8')
    if len(heard) < seconds * RATE:
        raise Failure(f'{len(heard)} frames were recorded, not '
                      f'{seconds * RATE:.0f}')
    jumps = numpy.flatnonzero(numpy.diff(heard) != 1)
    if len(jumps):
        at = jumps[0]
        raise Gap(f'{len(jumps)} of {len(heard)} frames are not where '
                  f'they should be, the first is {heard[at + 1]} after '
                  f'{heard[at]}')


def has_last(data, seconds):
    """Whether the last frame has arrived."""
    return bool((read_indices(data) == int(seconds * RATE)).any())


def read_wav(path):
    """The samples of a WAV file, which may still be written to."""
    data = path.read_bytes() if path.exists() else b''
    form, samples = data.find(b'fmt '), data.find(b'data')
    if form < 0 or samples < 0:
        return b''
    # Kind: samples as they are, or by the extension, which names that, too
    kind, channels, rate = struct.unpack_from('<HHI', data, form + 8)
    if kind not in (1, 0xfffe) or (channels, rate) != (2, RATE):
        raise Failure(f'{path} has {channels} channels, {rate} Hz, format '
                      f'{kind:#x}')
    return data[samples + 8:]


@contextlib.contextmanager
def pulseaudio(folder, log):
    """A PulseAudio with two null sinks, "test" and "mic"; its address."""
    path = folder / 'pulse'
    env = {'HOME': str(folder), 'XDG_RUNTIME_DIR': str(folder),
           'PULSE_RUNTIME_PATH': str(folder / 'pulse-run')}
    with running([
            'pulseaudio', '-n', '--daemonize=no', '--exit-idle-time=-1',
            '--use-pid-file=no', '--disable-shm=yes',
            '-L', f'module-native-protocol-unix socket={path} '
            'auth-anonymous=1',
            '-L', f'module-null-sink sink_name=test format=s16le '
            f'rate={RATE} channels=2',
            '-L', f'module-null-sink sink_name=mic format=s16le '
            f'rate={RATE} channels=2'], log, env):
        wait_until(path.exists, 'PulseAudio')
        yield f'unix:{path}'


@contextlib.contextmanager
def pipewire(folder, log, bus, quantum=8192):
    """A PipeWire with WirePlumber and a null sink, "test", and one that is a
    microphone, too, "mic"; its environment.

    Who is late for a cycle of PipeWire's graph loses it: cycles are as long as
    they can be, for machines that are busy.
    """
    env = {'HOME': str(folder), 'XDG_RUNTIME_DIR': str(folder),
           'DBUS_SESSION_BUS_ADDRESS': bus, 'PIPEWIRE_REMOTE': 'pipewire-0'}
    node = ('{{ factory.name=support.null-audio-sink node.name={} '
            'media.class={} object.linger=true '
            f'audio.position=[FL FR] audio.rate={RATE} '
            'monitor.channel-volumes=true }}')
    with running(['pipewire'], log, env):
        wait_until((folder / 'pipewire-0').exists, 'PipeWire')
        with running(['pw-metadata', '-n', 'settings', '0',
                      'clock.force-quantum', str(quantum)], log, env), \
                running(['wireplumber'], log, env), \
                running(['pw-cli', 'create-node', 'adapter',
                         node.format('test', 'Audio/Sink')], log, env), \
                running(['pw-cli', 'create-node', 'adapter',
                         node.format('mic', 'Audio/Duplex')], log, env):
            wait_until(lambda: has_ports(env),
                       "ports of PipeWire's nodes")
            yield env


def has_ports(env):
    """Whether WirePlumber has given both nodes their ports.

    Before that a stream that wants one of them is refused.
    """
    ports = subprocess.run(['pw-link', '--output', '--input'], text=True,
                           stdout=subprocess.PIPE, check=False,
                           env={**os.environ, **env}).stdout.splitlines()
    return {'test:playback_FR', 'test:monitor_FR',
            'mic:playback_FR', 'mic:capture_FR'} <= set(ports)
