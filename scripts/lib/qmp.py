#!/usr/bin/env python3
# Send one QMP command to a QEMU and print what it returns as JSON.
#
# SPDX-License-Identifier: GPL-2.0-or-later

import argparse
import json
import socket
import sys
import time


def connect(path, seconds):
    """Connect to the socket, which QEMU may not have made yet."""
    deadline = time.monotonic() + seconds
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Monitor:
    """A connection to QEMU's monitor that is past its greeting."""

    def __init__(self, sock, patience=60):
        self.sock = sock
        self.sock.settimeout(patience)
        self.stream = self.sock.makefile('rw', encoding='utf-8')
        self.stream.readline()
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        """Run a command; returns its result, raises RuntimeError."""
        request = {'execute': name, 'arguments': arguments}
        self.stream.write(json.dumps(request) + '\n')
        self.stream.flush()
        while True:
            line = self.stream.readline()
            if not line:
                raise RuntimeError('QEMU closed the connection')
            reply = json.loads(line)
            if 'error' in reply:
                raise RuntimeError(reply['error']['desc'])
            if 'return' in reply:
                return reply['return']


class Qmp(Monitor):
    """One to a socket of QEMU's, which waits until that is there."""

    def __init__(self, path, seconds=10):
        super().__init__(connect(path, seconds))


def main():
    parser = argparse.ArgumentParser(
        description='Send one QMP command to a QEMU; print its result.')
    parser.add_argument('socket', help='path of the QMP socket')
    parser.add_argument('name', help='command, such as query-status')
    parser.add_argument('arguments', nargs='?', default='{}',
                        help='its arguments as a JSON object')
    args = parser.parse_args()
    try:
        result = Qmp(args.socket).command(args.name,
                                          **json.loads(args.arguments))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'qmp: {args.name}: {error}')
    print(json.dumps(result))


if __name__ == '__main__':
    main()
