# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium without a window, and what a page in it shows."""

import base64
import contextlib
import fcntl
import functools
import http.server
import json
import os
import select
import subprocess
import threading
import time

from machine import PATIENCE, TOP, Failure

NOVNC = TOP / 'build/novnc/usr/share/novnc'


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


@contextlib.contextmanager
def novnc():
    """Serves noVNC; the address of its page."""
    handler = functools.partial(Quiet, directory=str(NOVNC))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}/vnc_lite.html'
        finally:
            server.shutdown()
            thread.join()


def pipe_above(number):
    ends = os.pipe()
    above = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, number + 1)
             for end in ends]
    for end in ends:
        os.close(end)
    return above


class Browser:
    """One page, which is asked by the protocol of Chromium's own debugger."""

    CANVAS = """(() => {
        const canvas = document.querySelector('canvas');
        return canvas && canvas.width ? canvas.toDataURL('image/png') : '';
    })()"""

    def __init__(self, url, folder, log):
        self.url, self.folder, self.log = url, folder, log
        self.number, self.session, self.rest = 0, None, b''

    def __enter__(self):
        # It wants to be asked on 3 and answers on 4
        theirs_in, self.to = pipe_above(4)
        self.out, theirs_out = pipe_above(4)
        command = ['bash', '-c', f'exec 3<&{theirs_in} 4>&{theirs_out}; '
                   'exec "$@"', 'bash', 'chromium', '--headless=new',
                   '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe',
                   f'--user-data-dir={self.folder}', 'about:blank']
        with open(self.log, 'ab') as said:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                pass_fds=[theirs_in, theirs_out])
        os.close(theirs_in)
        os.close(theirs_out)
        page = self.ask('Target.createTarget', url=self.url)['targetId']
        self.session = self.ask('Target.attachToTarget', targetId=page,
                                flatten=True)['sessionId']
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.out)

    def message(self, deadline):
        while b'\0' not in self.rest:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.out], [], [], left)[0]:
                raise Failure('Chromium does not answer')
            more = os.read(self.out, 1 << 20)
            if not more:
                raise Failure('Chromium has ended')
            self.rest += more
        message, _, self.rest = self.rest.partition(b'\0')
        return json.loads(message)

    def ask(self, method, **params):
        self.number += 1
        request = {'id': self.number, 'method': method, 'params': params}
        if self.session:
            request['sessionId'] = self.session
        os.write(self.to, json.dumps(request).encode() + b'\0')
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self.message(deadline)
            if message.get('id') == self.number:
                if 'error' in message:
                    raise Failure(f'{method}: {message["error"]["message"]}')
                return message['result']

    def canvas(self):
        """What the page's canvas shows, as a PNG file; empty if nothing."""
        result = self.ask('Runtime.evaluate', expression=self.CANVAS,
                          returnByValue=True)['result']
        url = result.get('value') or ','
        return base64.b64decode(url.partition(',')[2])
