# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the jobs of scripts/test: several at once, as they depend on others.

A job is a step (something is built or installed: silent unless it fails) or a
program that prints TAP.  Jobs start in the order in which they were added, as
soon as all that they come after have succeeded and nobody has their locks.
"""

import collections
import json
import os
import re
import signal
import sys
import threading
import time

import tap

# How a program says which of its parts has begun
SCENARIO = re.compile(r'# scenario ([\w-]+): ')


class Job:
    """One program to run.

    name     in all messages and logs; unique
    level    whose results these are; None for a step that several need
    command  the program and its arguments
    after    the jobs that have to succeed before
    locks    names of what one job alone can use at a time
    silence  seconds without output after which it is taken for hung
    again    the argument of scripts/test that runs this again
    then     called when it has succeeded; returns more jobs
    counts   whether a step that succeeds counts as a passed test
    filters  whether the program takes "-p TEST" to run one test alone
    """

    def __init__(self, name, level, command, *, after=(), locks=(),
                 silence=300, again=None, cwd=None, env=None, then=None,
                 counts=False, filters=False, is_step=False):
        self.name, self.level, self.command = name, level, command
        self.after, self.locks = list(after), set(locks)
        self.silence, self.again = silence, again or level
        self.cwd, self.env, self.then = cwd, env, then
        self.counts, self.filters, self.is_step = counts, filters, is_step
        self.state = 'waiting'      # running, good, bad, impossible
        self.wall = self.cpu = 0.0
        self.results = []


def step(name, command, **others):
    """A job that builds or installs something."""
    return Job(name, others.pop('level', None), command, is_step=True,
               silence=others.pop('silence', 1800), **others)


class Runner:
    """Runs jobs, at most so many at once."""

    def __init__(self, slots, logs):
        self.slots, self.logs = slots, logs
        self.jobs = []
        self.children = {}
        self.held = set()
        self.turn = threading.Condition()
        self.stopped = False
        self.begin = time.monotonic()

    def add(self, jobs):
        known = {job.name for job in self.jobs}
        for job in jobs:
            if job.name not in known:
                self.jobs.append(job)
                known.add(job.name)

    # Printing: whole lines, of one job at a time

    def say(self, *lines):
        with self.turn:
            print(*lines, sep='\n', flush=True)

    def told(self, job, result):
        job.results.append(result)
        why = f': {result.why}' if result.why else ''
        lines = [f'{result.word:<5}{job.level}: {result.name}{why} '
                 f'({result.seconds:.1f} s)']
        if result.word == 'FAIL':
            again = job.again
            if job.filters and result.name.startswith('/'):
                again += ':' + result.name
            lines += ['    | ' + line for line in result.said]
            # A step belongs to several levels
            if again:
                lines.append(f'    again: scripts/test {again}')
            lines.append(f'    log: {self.log(job)}')
        self.say(*lines)

    def log(self, job):
        return self.logs / (job.name.replace('/', '-') + '.log')

    # Running

    def run_step(self, job, child):
        last = collections.deque(maxlen=40)
        for line in child.lines(job.silence):
            last.append(line)
        status = child.wait()
        if status:
            job.level = job.level or 'build'
            self.told(job, tap.Result('FAIL', job.name, child.cpu,
                                      f'exit status {status}', last))
        elif job.counts:
            self.told(job, tap.Result('ok', job.name, child.cpu))
        return status == 0

    def run_tests(self, job, child):
        title = os.path.basename(job.command[0])
        reader = tap.Reader(title, lambda result: self.told(job, result))
        for line in child.lines(job.silence):
            scenario = SCENARIO.match(line)
            if scenario:
                job.again = f'{job.level}:{scenario[1]}'
            reader.line(line)
        reader.end(child.wait())
        return all(result.word != 'FAIL' for result in job.results)

    def run_job(self, job):
        begin = time.monotonic()
        if job.is_step:
            self.say(f'==> {job.name}')
        good, more = False, ()
        try:
            child = tap.Child([str(word) for word in job.command],
                              self.log(job), job.cwd, job.env)
            with self.turn:
                self.children[job.name] = child
            good = (self.run_step if job.is_step else self.run_tests)(
                job, child)
            job.cpu = child.cpu
            if good and job.then:
                more = job.then()
        except Exception as e:  # pylint: disable=broad-except
            good = False
            job.level = job.level or 'build'
            self.told(job, tap.Result('FAIL', job.name, 0, str(e)))
        job.wall = time.monotonic() - begin
        if job.is_step and good:
            self.say(f'    {job.name}: done in {job.wall:.0f} s')
        with self.turn:
            self.children.pop(job.name, None)
            job.state = 'good' if good else 'bad'
            self.held -= job.locks
            self.add(more)
            self.turn.notify_all()

    def next_job(self):
        """A job that can run now; marks those that cannot run any more."""
        states = {job.name: job.state for job in self.jobs}
        for job in self.jobs:
            if job.state != 'waiting':
                continue
            before = [states[name] for name in job.after]
            if any(state in ('bad', 'impossible') for state in before):
                job.state = states[job.name] = 'impossible'
            elif all(state == 'good' for state in before) and \
                    not job.locks & self.held:
                return job
        return None

    def run(self):
        """Run all jobs; return whether each succeeded."""
        threads = []
        with self.turn:
            while not self.stopped:
                running = [j for j in self.jobs if j.state == 'running']
                job = self.next_job() if len(running) < self.slots else None
                if job:
                    job.state = 'running'
                    self.held |= job.locks
                    threads.append(threading.Thread(
                        target=self.run_job, args=[job], daemon=True))
                    threads[-1].start()
                elif running:
                    self.turn.wait()
                else:
                    break
        for thread in threads:
            thread.join()
        return all(job.state == 'good' for job in self.jobs)

    def stop(self):
        """Have everything that runs end."""
        self.stopped = True
        for child in list(self.children.values()):
            child.kill(signal.SIGTERM)

    # What came of it

    def counts(self):
        words = [result.word for job in self.jobs for result in job.results]
        return [words.count(word) for word in ('ok', 'FAIL', 'skip')]

    def show_times(self, most=25):
        """A table, slowest first, of wall and processor time."""
        ran = sorted((job for job in self.jobs if job.wall),
                     key=lambda job: -job.wall)
        wall = time.monotonic() - self.begin
        cpu = sum(job.cpu for job in ran)
        print(f'{"job":<44}{"wall, s":>9}{"CPU, s":>9}')
        for job in ran[:most]:
            print(f'{job.name:<44}{job.wall:>9.0f}{job.cpu:>9.0f}')
        rest = ran[most:]
        if rest:
            print(f'{f"{len(rest)} others":<44}'
                  f'{sum(job.wall for job in rest):>9.0f}'
                  f'{sum(job.cpu for job in rest):>9.0f}')
        print(f'{"all, at most %d at once" % self.slots:<44}{wall:>9.0f}'
              f'{cpu:>9.0f}')
        slow = sorted(((result.seconds, job, result) for job in ran
                       if not job.is_step for result in job.results),
                      key=lambda row: -row[0])
        print(f'{"test":<60}{"wall, s":>9}')
        for seconds, job, result in slow[:15]:
            name = f'{job.name}: {result.name}'
            print(f'{name[:59]:<60}{seconds:>9.0f}')
        sys.stdout.flush()

    def write_times(self, path, **facts):
        """The same and all the rest, as JSON."""
        jobs = [{'name': job.name, 'level': job.level, 'state': job.state,
                 'wall': round(job.wall, 2), 'cpu': round(job.cpu, 2),
                 'tests': [{'name': r.name, 'result': r.word,
                            'seconds': round(r.seconds, 3)}
                           for r in job.results]} for job in self.jobs]
        facts.update(wall=round(time.monotonic() - self.begin, 1),
                     at_once=self.slots, jobs=jobs)
        path.write_text(json.dumps(facts, indent=1) + '\n')
