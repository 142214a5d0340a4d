# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which buffers a guest has, by the property "status" of QEMU's devices.

QEMU's devices xen-pvdisplay and xen-pvsound tell there what a mapper wants to
know: the guest's domain, and for each buffer the grant reference of its
directory and its size.
"""

import json
import socket
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple

DEVICES = ('xen-pvdisplay', 'xen-pvsound')


class GuestBuffer(NamedTuple):
    """A buffer of a guest."""
    #: the device's id, or its path in QEMU if it has none
    device: str
    #: the guest's name of the buffer, or that of the stream
    name: str
    domid: int
    #: grant reference of the first page of its directory
    directory: int
    #: bytes
    size: int


def buffers_of(device: str, status: Mapping[str, Any]) -> List[GuestBuffer]:
    """The buffers in what a device returns as its status."""
    # /local/domain/0/backend/vdispl/5/0
    domid = int(status['path'].split('/')[-2])
    found = [(b['buffer'], b['directory'], b['size'])
             for b in status.get('buffers', [])]
    found += [(s['name'], s['directory'], s['buffer-size'])
              for s in status.get('streams', []) if 'directory' in s]
    return [GuestBuffer(device, name, domid, directory, size)
            for name, directory, size in found]


class _Qmp:
    """A connection to QEMU's monitor."""

    def __init__(self, path: str, timeout: float) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
            self.stream = self.socket.makefile('rw', encoding='utf-8')
            self.stream.readline()
            self.command('qmp_capabilities')
        except BaseException:
            self.socket.close()
            raise

    def command(self, name: str, **arguments: Any) -> Any:
        """Run a command; skip events."""
        request: Dict[str, Any] = {'execute': name}
        if arguments:
            request['arguments'] = arguments
        self.stream.write(json.dumps(request) + '\n')
        self.stream.flush()
        while True:
            line = self.stream.readline()
            if not line:
                raise ConnectionError('QEMU closed the monitor')
            reply = json.loads(line)
            if 'error' in reply:
                raise OSError(reply['error']['desc'])
            if 'return' in reply:
                return reply['return']

    def devices(self) -> Iterator[str]:
        """Paths of the devices that have such a status."""
        kinds = ['child<%s>' % device for device in DEVICES]
        for folder in '/machine/peripheral', '/machine/peripheral-anon':
            for entry in self.command('qom-list', path=folder):
                if entry['type'] in kinds:
                    yield folder + '/' + entry['name']


def read_buffers(monitor: str, timeout: float = 10) -> List[GuestBuffer]:
    """Ask a QEMU for the buffers of its guest.

    monitor: path of a socket with QEMU's monitor protocol (QMP)
    """
    qmp = _Qmp(monitor, timeout)
    try:
        found = []
        for path in list(qmp.devices()):
            status = qmp.command('qom-get', path=path, property='status')
            # A device that is being made or removed has no path yet
            if 'path' in status:
                found += buffers_of(path.replace('/machine/peripheral/', ''),
                                    status)
        return found
    finally:
        qmp.stream.close()
        qmp.socket.close()
