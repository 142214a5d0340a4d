# SPDX-License-Identifier: GPL-2.0-or-later
"""A xenstore for tests: nodes and watches over a socket, without a Xen.

Debian's xenstored crashes where there is no Xen, even if it is told so.  This
one does what the protocol says (xen/io/xs_wire.h) as far as libxenstore is
asked by xen-pv-backendd.  What a domain may not do is what it is told.
"""

import errno
import socket
import struct
import threading

DIRECTORY, READ, WATCH, WRITE, RM, EVENT, ERROR, INTRODUCED = \
    1, 2, 4, 11, 13, 15, 16, 17


class Store:
    """The nodes, as a dictionary of paths."""

    def __init__(self, path):
        self.nodes, self.clients, self.denied = {}, [], []
        self.introduced = set()
        self.changed = threading.Condition(threading.RLock())
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                client = Client(self, self.socket.accept()[0])
                self.clients.append(client)
                threading.Thread(target=client.serve, daemon=True).start()
        except OSError:
            pass

    def close(self):
        """As if it had crashed."""
        for sock in (self.socket, *(c.socket for c in self.clients)):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.socket.close()

    def tell(self, path):
        """Who watches a path, or what is above it."""
        for client in self.clients:
            for watched, token in client.watches:
                if (path + '/').startswith(watched + '/'):
                    client.send(EVENT, path, token)
        self.changed.notify_all()

    # What tests and clients do

    def write(self, **more):
        """Several nodes at once: nobody sees one without the others."""
        nodes = more['nodes']
        with self.changed:
            self.nodes.update({path: str(value)
                               for path, value in nodes.items()})
            for path in nodes:
                self.tell(path)

    def read(self, path):
        with self.changed:
            return self.nodes.get(path)

    def list(self, path):
        """The names below a path; None if it is not there."""
        with self.changed:
            names = {node[len(path) + 1:].split('/')[0]
                     for node in self.nodes if node.startswith(path + '/')}
            return sorted(names) if names or path in self.nodes else None

    def remove(self, path):
        with self.changed:
            gone = [node for node in self.nodes
                    if (node + '/').startswith(path + '/')]
            for node in gone:
                del self.nodes[node]
            if gone:
                self.tell(path)
            return bool(gone)

    def until(self, what, condition, deadline):
        """Wait for a condition on the nodes."""
        with self.changed:
            assert self.changed.wait_for(condition, deadline), \
                f'{what} has not come: {self.nodes}'


class Client:
    """A connection, of domain 0 unless the store knows better."""

    def __init__(self, store, sock):
        self.store, self.socket = store, sock
        self.watches = []
        self.request = 0

    def send(self, kind, *texts):
        body = b''.join(text.encode() + b'\0' for text in texts)
        # What is read has no zero at its end
        if kind == READ:
            body = body[:-1]
        head = struct.pack('<4I', kind, 0 if kind == EVENT else self.request,
                           0, len(body))
        try:
            self.socket.sendall(head + body)
        except OSError:
            pass

    def receive(self, size):
        data = b''
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise OSError
            data += part
        return data

    def serve(self):
        try:
            while True:
                kind, request, _, size = struct.unpack('<4I', self.receive(16))
                body = self.receive(size).decode(errors='replace')
                with self.store.changed:
                    self.request = request
                    self.answer(kind, body.split('\0'))
        except OSError:
            with self.store.changed:
                self.watches = []

    def answer(self, kind, words):
        store, path = self.store, words[0]
        if kind != INTRODUCED and not path.startswith('/'):
            path = '/local/domain/0/' + path
        if (kind, path) in store.denied:
            self.send(ERROR, 'EACCES')
        elif kind == DIRECTORY and store.list(path) is not None:
            self.send(kind, *store.list(path))
        elif kind == READ and path in store.nodes:
            self.send(kind, store.nodes[path])
        elif kind == WRITE:
            store.write(nodes={path: words[1]})
            self.send(kind, 'OK')
        elif kind == RM and store.remove(path):
            self.send(kind, 'OK')
        elif kind == WATCH:
            self.send(kind, 'OK')
            self.watches.append((path, words[1]))
            self.send(EVENT, path, words[1])
        elif kind == INTRODUCED:
            self.send(kind, 'FT'[int(path) in store.introduced])
        else:
            self.send(ERROR, errno.errorcode[errno.ENOENT])
