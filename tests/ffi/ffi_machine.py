# SPDX-License-Identifier: GPL-2.0-or-later
"""A fake machine on which one process is a guest that shares a buffer.

All use the real libxengnttab, whose devices are the models of
build/unit/libxen-fake-grants.so.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
HELPER = TOP / 'build/helper'
FAKE = TOP / 'build/unit/libxen-fake-grants.so'
GUEST = 3
LIMIT = 4100


class Guest:
    """A buffer: the reference of its directory, and its bytes' CRC-32."""

    def __init__(self, process):
        self.process = process
        self.gref, self.crc = self.words()

    def words(self):
        words = self.process.stdout.readline().split()
        assert len(words) == 2, 'the guest said: %r' % words
        return words

    def checksum_now(self):
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return self.words()[1]


class Machine:
    def __init__(self, folder):
        self.file = os.path.join(folder, 'machine')

    def environment(self, domid):
        return dict(os.environ, LD_PRELOAD=str(FAKE),
                    LD_LIBRARY_PATH=str(HELPER / 'root/lib'),
                    PYTHONPATH=str(TOP / 'python'),
                    XEN_FAKE_MACHINE=self.file, XEN_FAKE_DOMID=str(domid),
                    XEN_FAKE_CONFIG=f'gntalloc-limit={LIMIT},dmabuf=1')

    @contextlib.contextmanager
    def guest(self, size):
        process = subprocess.Popen(
            [sys.executable, TOP / 'tests/ffi/pgdir-guest', str(size)],
            env=self.environment(GUEST), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        yield Guest(process)
        process.communicate()
        assert process.returncode == 0, process.returncode


class Monitor:
    """QEMU's monitor, as far as it is asked for devices' status."""

    def __init__(self, path, devices):
        self.devices = devices      # path: (type, status)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def answer(self, name, path=None, **_):
        if name == 'qmp_capabilities':
            return {}
        if name == 'qom-list':
            return [{'name': device[len(path) + 1:], 'type': kind}
                    for device, (kind, _) in self.devices.items()
                    if device.rpartition('/')[0] == path]
        return self.devices[path][1]

    def serve(self):
        with self.socket, self.socket.accept()[0] as client, \
                client.makefile('rw', encoding='utf-8') as stream:
            print('{"QMP": {}}', file=stream, flush=True)
            for line in stream:
                request = json.loads(line)
                # An event may come at any time
                print('{"event": "RESUME"}', file=stream)
                print(json.dumps({'return': self.answer(
                    request['execute'], **request.get('arguments', {}))}),
                    file=stream, flush=True)
