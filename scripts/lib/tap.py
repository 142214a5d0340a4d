# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program that prints TAP, and reads what came of each test."""

import os
import re
import select
import signal
import subprocess
import time

RESULT = re.compile(r'(?P<not>not )?ok\b\s*(?P<number>\d+)?\s*(?:-\s*)?'
                    r'(?P<name>.*?)\s*'
                    r'(?:#\s*(?P<word>skip|todo)\S*\s*(?P<why>.*))?$', re.I)
PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$', re.I)

# Lines of a failed test's output that are shown; the log has all of them
SHOWN = 200


class Result:
    """What came of one test: 'ok', 'FAIL' or 'skip', and in how many seconds.

    said: what the program printed since the result before.
    """

    def __init__(self, word, name, seconds, why='', said=()):
        self.word, self.name, self.seconds = word, name, seconds
        self.why, self.said = why, list(said)[-SHOWN:]


class Reader:
    """Makes results of the lines of a program."""

    def __init__(self, title, tell):
        """title: the program; tell is called with each Result."""
        self.title, self.tell = title, tell
        self.plan = None
        self.results = []
        self.pending = []
        self.since = time.monotonic()

    def add(self, word, name, why=''):
        now = time.monotonic()
        result = Result(word, name, now - self.since, why, self.pending)
        self.since, self.pending = now, []
        self.results.append(result)
        self.tell(result)

    def line(self, line):
        plan = PLAN.match(line)
        if plan:
            self.plan = int(plan[1])
            if self.plan == 0:
                self.add('skip', self.title, plan[2] or 'no reason')
            return
        result = RESULT.match(line)
        if not result:
            self.pending.append(line)
            return
        name = result['name'] or f'{self.title} {result["number"]}'
        if result['word']:
            self.add('skip', name, result['why'])
        else:
            self.add('FAIL' if result['not'] else 'ok', name)

    def end(self, status):
        missing = (self.plan or 0) - len(self.results)
        if missing > 0:
            self.add('FAIL', f'{self.title}: {missing} of {self.plan} tests '
                             'did not end')
        elif not self.results:
            self.add('FAIL', f'{self.title}: no test ran, exit status {status}')
        if status and not any(r.word == 'FAIL' for r in self.results):
            self.add('FAIL', f'{self.title}: exit status {status}')


class Child:
    """A program in a session of its own, whose output goes to a log."""

    def __init__(self, command, log, cwd=None, env=None):
        self.log = log
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env and {**os.environ, **env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.cpu = 0.0

    def kill(self, how=signal.SIGKILL):
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            pass

    def lines(self, silence):
        """Its lines; after so many seconds without any it is killed."""
        out, rest = self.process.stdout.fileno(), b''
        with open(self.log, 'wb') as log:
            while True:
                if not select.select([out], [], [], silence)[0]:
                    self.kill()
                    yield f'stopped: silent for {silence:g} seconds'
                    break
                data = os.read(out, 65536)
                if not data:
                    break
                log.write(data)
                log.flush()
                *lines, rest = (rest + data).split(b'\n')
                for line in lines:
                    yield line.decode(errors='replace').rstrip('\r')
        if rest:
            yield rest.decode(errors='replace')

    def wait(self):
        """Its exit status; cpu has its seconds of processor time then."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        self.cpu = usage.ru_utime + usage.ru_stime
        return self.process.returncode


def listed(command, env):
    """The tests that a program of GLib's lists; newer GLib writes "# " before.
    """
    # It leaves in the middle of its main function: what that has is not leaked
    options = os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
    result = subprocess.run([*command, '-l'], check=False, text=True,
                            env={**os.environ, **env, 'ASAN_OPTIONS': options},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            errors='replace')
    if result.returncode:
        raise RuntimeError(f'{command[0]} -l: exit status {result.returncode}: '
                           + result.stdout)
    return set(re.findall('^(?:# )?(/.*)$', result.stdout, re.M))
