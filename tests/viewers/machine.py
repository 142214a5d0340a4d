# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU with both devices on a fake Xen, and the guest that uses them."""

import contextlib
import os
import select
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'scripts/lib'))
from qmp import Qmp  # noqa: E402  pylint: disable=wrong-import-position

QEMU = TOP / 'build/prefix-full/bin/qemu-system-x86_64'
FRONT = TOP / 'build/tools/xen-front'

WIDTH, HEIGHT = 488, 317
PATIENCE = 60


class Failure(Exception):
    """What was expected did not come."""


def wait_until(condition, what, seconds=PATIENCE):
    """What condition() returns, once that is true."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f'{what}: not within {seconds} s')
        time.sleep(0.05)


@contextlib.contextmanager
def running(command, log, env=None, recording=None, **options):
    """A program that is stopped in the end; what it says goes to a file.

    What it prints can have a file of its own.
    """
    with open(log, 'ab') as err, open(recording or log, 'ab') as out:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=out, stderr=err, env={**os.environ, **(env or {})},
            **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def session_bus(folder, log):
    """A bus of its own; its address."""
    path = folder / 'bus'
    with running(['dbus-daemon', '--session', '--nofork',
                  f'--address=unix:path={path}'], log):
        wait_until(path.exists, 'the D-Bus daemon')
        yield f'unix:path={path}'


class Guest:
    """xen-front, by its commands."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [str(FRONT), '--testbed', str(folder / 'memory'),
             str(folder / 'guest')],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said = b''

    def line(self, seconds):
        deadline = time.monotonic() + seconds
        while b'\n' not in self.said:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.process.stdout], [], [],
                                             left)[0]:
                raise Failure(f'the guest did not answer within {seconds} s')
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                raise Failure('the guest has ended')
            self.said += more
        line, self.said = self.said.split(b'\n', 1)
        return line.decode()

    def send(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def answer(self, command, seconds=PATIENCE):
        """The comments before the guest's ok."""
        comments = []
        while True:
            line = self.line(seconds)
            if line == 'ok':
                return comments
            if not line.startswith('#'):
                raise Failure(f'guest: {command}: {line}')
            comments.append(line[2:])

    def do(self, command, seconds=PATIENCE):
        self.send(command)
        return self.answer(command, seconds)

    def show(self, seed):
        """Show a picture; the one before it, if any, is gone."""
        self.do(f'draw {seed}')

    def stop(self):
        self.process.kill()
        self.process.wait()


class Machine:
    """QEMU with these options, and a guest that is connected to a display."""

    def __init__(self, folder, *options, audio='none', env=None, folders=()):
        folder = folder / 'machine'
        folder.mkdir()
        with open(folder / 'memory', 'wb') as memory:
            memory.truncate(64 << 20)
        self.log = folder / 'qemu.log'
        command = [
            QEMU, '-machine', 'none', '-accel', 'tcg', '-nodefaults',
            '-object', 'memory-backend-file,id=dom,size=64M,share=on,'
            f'mem-path={folder}/memory',
            '-chardev', f'socket,id=guest,path={folder}/guest,server=on,'
            'wait=off',
            '-device', 'xen-testbed,id=xen,memdev=dom,chardev=guest',
            '-device', 'xen-pvdisplay,id=disp0,connectors='
            f'TEST:{WIDTH}x{HEIGHT}',
            '-audiodev', f'{audio},id=snd',
            '-device', 'xen-pvsound,id=snd0,audiodev=snd,streams=pc',
            '-qmp', f'unix:{folder}/qmp,server=on,wait=off',
            *(options or ['-display', 'none'])]
        self.stack = contextlib.ExitStack()
        try:
            self.process = self.stack.enter_context(
                running(command, self.log, env))
            self.qmp = self.connect(folder / 'qmp')
            self.guest = Guest(folder)
            self.stack.callback(self.guest.stop)
            self.guest.do('connect-display')
        except Exception as e:
            self.stack.close()
            raise Failure(f'QEMU: {e}: {self.log.read_text()}') from e

    def connect(self, path):
        def monitor():
            if self.process.poll() is not None:
                raise Failure(f'exit status {self.process.returncode}')
            return path.exists()

        wait_until(monitor, 'the monitor')
        return Qmp(str(path), PATIENCE)

    def quit(self):
        """As a user would: recordings are complete, and QEMU ends well."""
        with contextlib.suppress(RuntimeError):
            self.qmp.command('quit')
        status = self.process.wait(PATIENCE)
        if status:
            raise Failure(f'QEMU ended with status {status}: '
                          f'{self.log.read_text()}')

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stack.close()
