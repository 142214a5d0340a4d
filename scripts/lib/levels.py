# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/test runs: the levels, as jobs."""

import re
import subprocess
from pathlib import Path

from jobs import Job, step

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / 'build'
SCRIPTS = TOP / 'scripts'
TESTS = TOP / 'tests'
STEP = SCRIPTS / 'lib/test-step'

# Levels, from fast to real, and what --help says of them
LEVELS = {
    'unit': 'the lower layer alone, under AddressSanitizer and UBSan; code '
            'that threads share, under ThreadSanitizer',
    'gnttab': 'the real libxengnttab over models of Linux\'s grant devices, '
              'with several domains, in processes that are killed',
    'ffi': 'the page-directory helper as a library: installed, linked, its '
           'interface compared, called from Python; a release tarball',
    'scripts': 'the scripts of this project, its pages in QEMU\'s manual, '
               'the licences, and QEMU\'s style check on our C files',
    'analysis': 'the lower layer with other tools: coverage, valgrind, '
                'warnings of two compilers; clang-tidy and cppcheck on all '
                'of our C',
    'qtest': 'a real QEMU over a fake Xen and a fake frontend, sanitized; '
             'the tests of display and sound run a second time with grants '
             'mapped one at a time, as under KVM\'s emulated Xen',
    'plugin': 'the plugin for Debian\'s own QEMU: which QEMU it rejects, the '
              'programs of qtest over Debian\'s, and the sound that servers '
              'and cards get from it; no QEMU is built',
    'endurance': 'the same QEMU without sanitizers: ten thousand connections '
                 'and a million flips, after which nothing has grown',
    'viewers': 'a QEMU with every viewer and player: what they show and play, '
               'pixel by pixel and sample by sample',
    'fuzz': 'the lower layer against a hostile guest: stored inputs and a few '
            'thousand mutations of them; see scripts/fuzz',
    'packages': 'the Debian packages: built, checked with lintian, and '
                'installed, used, upgraded and removed in a fresh root',
    'system': 'real Linux guests on the real Xen and on KVM\'s emulated one, '
              'with this QEMU, and with Debian\'s and the plugin; all of it '
              'under emulation; --list lists its scenarios',
}


# Those of which a build lists the programs
LISTED = ['unit', 'gnttab', 'analysis', 'plugin']

# What takes longest begins first
ORDER = ['system', 'qtest', 'plugin', 'packages', 'viewers', 'endurance',
         'analysis']


class Unknown(Exception):
    """A level, program or scenario that is not there."""


def words_of(variable):
    """An array of scripts/lib/common.sh."""
    text = (SCRIPTS / 'lib/common.sh').read_text()
    found = re.search(rf'^{variable}=\(([^)]*)\)', text, re.M)
    return found[1].split()


QTESTS = words_of('qtest_programs')
ENDURANCE = words_of('endurance_programs')
UNIT_IN_QEMU = words_of('unit_programs')


class Plan:
    """The jobs for some levels.

    wanted: level -> names in it that were asked for, [] for all; a name may
    have a test of its program behind a colon.
    size: 'quick', 'all' or 'long'.
    """

    def __init__(self, wanted, size='all'):
        self.wanted, self.size = wanted, size
        self.jobs, self.steps, self.known = [], {}, {}
        self.later = {}
        for level in sorted(wanted, key=self.place):
            self.known[level] = set()
            getattr(self, 'level_' + level)()

    @staticmethod
    def place(level):
        return ORDER.index(level) if level in ORDER else len(ORDER)

    def check(self, complete):
        """Whether each name that was asked for is there.

        Unless complete, only where all names are known from the beginning.
        """
        for level, names in self.wanted.items():
            if level in LISTED and not complete:
                continue
            for name in names:
                program = name.partition(':')[0]
                if program not in self.known[level]:
                    known = ', '.join(sorted(self.known[level]))
                    raise Unknown(f"{level} has no '{program}', but: {known}")

    @property
    def long(self):
        return self.size == 'long'

    # What several levels stand on

    def step(self, name, command, **others):
        if name not in self.steps:
            self.steps[name] = step(name, command, **others)
            self.jobs.append(self.steps[name])
        return name

    def build_unit(self):
        return self.step('build the unit tests', [STEP, 'unit'])

    def source(self):
        return self.step('get the source of QEMU',
                         [SCRIPTS / 'build-qemu', '--source-only'])

    def build_plain(self):
        return self.step('build QEMU', [SCRIPTS / 'build-qemu',
                                        '--build-tests'],
                         after=[self.source()])

    def build_packaged(self):
        return self.step('build QEMU as the packages have it',
                         [SCRIPTS / 'build-qemu', '--features', 'xen'],
                         after=[self.source()])

    def build_sanitized(self):
        return self.step('build QEMU, sanitized',
                         [SCRIPTS / 'build-qemu', '--sanitize'],
                         after=[self.source()])

    def need(self, level, *packages):
        return self.step(f'install what {level} needs',
                         [STEP, 'packages', *packages])

    # What tests are made of

    def take(self, level, name):
        """Whether a program is wanted, and which of its tests ('' for all)."""
        self.known[level].add(name)
        names = self.wanted[level]
        if not names:
            return True, ''
        for wanted in names:
            program, _, test = wanted.partition(':')
            if program == name:
                return True, test
        return False, ''

    def make(self, level, name, command, *, filters=False, **others):
        """The job of a program, or none if it is not wanted."""
        wanted, test = self.take(level, name)
        if not wanted:
            return []
        if test and not filters:
            raise Unknown(f'{level}:{name} runs as a whole')
        command = list(command) + (['-p', test] if test else [])
        return [Job(f'{level}/{name}', level, command, filters=filters,
                    again=f'{level}:{name}', **others)]

    def add(self, *args, **others):
        self.jobs += self.make(*args, **others)

    def after(self, step_name, more):
        """Ask for jobs when a step has succeeded."""
        self.later.setdefault(step_name, []).append(more)
        waiting = self.later[step_name]
        self.steps[step_name].then = \
            lambda: [job for more in waiting for job in more()]

    def listed(self, build, suite, make):
        """Jobs of the tests that a build has, for which make() is called."""
        out = subprocess.run([STEP, 'list', build, suite], text=True,
                             check=True, stdout=subprocess.PIPE).stdout
        return [job for line in out.splitlines()
                for job in make(*line.split('\t'))]

    # The levels

    def of_meson(self, level):
        def make(name, *words):
            return self.make(level, name, ['env', *words, '--tap', '-k'],
                             filters=True, silence=120)

        self.after(self.build_unit(),
                   lambda: self.listed('unit', level, make))

    def level_unit(self):
        self.of_meson('unit')
        # What threads share, by ThreadSanitizer
        before = self.step('build the tests of threads', [STEP, 'threads'])
        self.add('unit', 'threads',
                 [BUILD / 'threads/test-xen-pvdisplay-surface', '--tap', '-k'],
                 filters=True, silence=120, after=[before],
                 env={'TSAN_OPTIONS': 'halt_on_error=1'})

    def level_gnttab(self):
        self.of_meson('gnttab')

    def level_ffi(self):
        for name, command, silence in (
                ('library', ['test-library'], 120),
                ('pgdir', ['test-pgdir'], 120),
                ('pgdir-sanitized', ['test-pgdir', '--sanitized'], 120),
                ('examples', ['test-examples'], 300),
                ('python', ['test-python'], 120)):
            self.add('ffi', name, [TESTS / 'ffi' / command[0], *command[1:]],
                     silence=silence, after=[self.build_unit()],
                     locks=['build/helper'])

    def level_scripts(self):
        # The style check and the overlay test look at QEMU's source, the
        # check of behaviours asks the unit tests for their names
        before = [self.source(), self.build_unit(),
                  self.need('scripts', 'git', 'perl', 'libvirt-clients',
                            'libxml2-utils', 'python3-sphinx',
                            'python3-sphinx-rtd-theme', 'python3-yaml',
                            'reuse')]
        names = ['architecture', 'ci', 'overlay', 'behaviours', 'docs',
                 'pages', 'libvirt', 'licences', 'qemu-docs', 'sources',
                 'style', 'updates']
        if self.size == 'quick':
            names.remove('qemu-docs')
        for name in names:
            self.add('scripts', name, [TESTS / 'scripts' / f'test-{name}'],
                     silence=900 if 'docs' in name else 120,
                     after=before)

    def level_analysis(self):
        # The same version of clang in Debian 12 and 13, for the same findings
        tools = self.need('analysis', 'clang-19', 'clang-tidy-19', 'cppcheck',
                          'valgrind')
        self.add('analysis', 'lint', [TESTS / 'analysis/lint'], silence=600,
                 after=[tools, self.build_plain(), self.build_unit()])
        names = self.wanted['analysis']
        if not names or 'coverage' in names:
            before = self.step('measure coverage', [STEP, 'coverage'],
                               level='analysis', after=[tools])
            self.add('analysis', 'coverage', [TESTS / 'analysis/coverage'],
                     silence=120, after=[before])
        if not names or any(name.startswith('valgrind') for name in names):
            self.after(self.warnings('gcc', tools), self.valgrind)
        if not names:
            self.warnings('clang-19', tools)

    def warnings(self, compiler, tools):
        return self.step(f'no warning of {compiler}',
                         [STEP, 'warnings', compiler], level='analysis',
                         counts=True, after=[tools])

    def valgrind(self):
        def make(name, *words):
            return self.make(
                'analysis', f'valgrind-{name}',
                ['valgrind', '--quiet', '--error-exitcode=9',
                 '--leak-check=full',
                 '--errors-for-leak-kinds=definite,indirect',
                 '--show-leak-kinds=definite,indirect', words[-1],
                 '--tap', '-k'], filters=True, silence=600)

        return self.listed('warnings-gcc', 'unit', make)

    def qtest(self, level, name, objects, program, before, silence, **env):
        objects = BUILD / 'qemu' / objects
        env['QTEST_QEMU_BINARY'] = str(objects / 'qemu-system-x86_64')
        self.add(level, name, [f'tests/qtest/{program}', '--tap', '-k'],
                 filters=True, silence=silence, after=[before], cwd=objects,
                 env=env)

    def level_qtest(self):
        before = self.build_sanitized()
        for program in UNIT_IN_QEMU:
            self.add('qtest', program,
                     [BUILD / 'qemu/build-asan/tests/unit' / program, '--tap',
                      '-k'], filters=True, silence=120, after=[before])
        for program in QTESTS:
            # QEMU's virtio-snd, beside which this one counts instructions,
            # does not pass UBSan
            if program == 'xen-pvsound-cost-test':
                self.qtest('qtest', program, 'build', program,
                           self.build_plain(), 120)
            else:
                self.qtest('qtest', program, 'build-asan', program, before,
                           120)
        self.add('qtest', 'suites', [TESTS / 'scripts/test-suites'],
                 silence=300, after=[before])
        # As under KVM's emulated Xen, where one call maps one grant
        for program in QTESTS:
            if re.match('xen-pv(display|sound)-(?!cost)', program):
                self.qtest('qtest', program + '-page-by-page', 'build-asan',
                           program, before, 120,
                           XEN_PV_TESTBED=',single-map=on')
        # Each is a whole build of QEMU: minutes
        if self.long or 'versions' in self.wanted['qtest']:
            self.add('qtest', 'versions', [TESTS / 'scripts/test-versions'],
                     silence=1800)
        self.known['qtest'].add('versions')
        self.add('qtest', 'options', [TESTS / 'scripts/test-options'],
                 silence=120, after=[before])
        # The page on security says which tests show what, and what came of
        # the last runs of two of them
        tables = [job.name for job in self.jobs if job.name in
                  ('qtest/xen-pv-hostile-test', 'qtest/xen-pv-fault-test')]
        self.add('qtest', 'security', [TESTS / 'scripts/test-security'],
                 silence=120, after=[before, self.build_unit(), *tables])

    def level_plugin(self):
        before = self.step("build the plugin of Debian's QEMU",
                           [STEP, 'plugin'])
        self.after(before, self.over_plugin)
        if self.size != 'quick':
            others = self.step('get QEMUs of other versions',
                               [STEP, 'other-qemus'], after=[before])
            self.after(others, self.beside_plugin)
            self.sound_devices(before)
        # Who runs such a QEMU for each guest, with a script in its place
        self.add('plugin', 'backendd', [TESTS / 'backendd/run-tests'],
                 silence=120, after=[self.build_unit()])

    @staticmethod
    def plugin_environment():
        lines = (BUILD / 'plugin/environment').read_text().splitlines()
        return dict(line.split('=', 1) for line in lines)

    @property
    def plugin_tests(self):
        """What the programs of qtest need to be run over the plugin."""
        return {**self.plugin_environment(),
                'XEN_PV_PLUGIN': 'required,testbed',
                'XEN_PV_CHECKOUT': str(TOP),
                'QTEST_QEMU_BINARY':
                    str(BUILD / 'plugin/tests/qemu-system-x86_64')}

    def over_plugin(self):
        rows = [line.split() for line in
                (TESTS / 'scripts/plugin-hunks.txt').read_text().splitlines()
                if not line.startswith('#')]
        jobs = []
        for program in QTESTS:
            # What needs a hunk of the overlay is shown to fail without it
            hunks = [word for row in rows if row[0] == program
                     for word in ('-s', row[1])]
            jobs += self.make(
                'plugin', program,
                [BUILD / 'plugin/tests' / program, '--tap', '-k', *hunks],
                filters=True, silence=120, env=self.plugin_tests)
            # With the filter of system calls that xen-pv-backendd has QEMU set
            if program in ('xen-pvdisplay-test', 'xen-pvsound-test'):
                jobs += self.make(
                    'plugin', program + '-sandbox',
                    [BUILD / 'plugin/tests' / program, '--tap', '-k', *hunks],
                    filters=True, silence=120, env={
                        **self.plugin_tests, 'XEN_PV_QEMU_OPTIONS':
                        '-sandbox on,obsolete=deny,elevateprivileges=deny,'
                        'spawn=deny,resourcecontrol=deny'})
        return jobs

    def beside_plugin(self):
        others = (BUILD / 'plugin/others').read_text().split()
        return self.make(
            'plugin', 'refusals', [TESTS / 'scripts/test-plugin'],
            silence=300, env={**self.plugin_environment(),
                              'XEN_PV_OTHER_QEMUS': '\n'.join(others)}
        ) + self.make(
            'plugin', 'hunks', [TESTS / 'scripts/test-plugin-hunks'],
            silence=300, env=self.plugin_tests)

    def sound_devices(self, before):
        """Sound servers; and Linux's cards, which have to be emulated."""
        if not self.take('plugin', 'sound-devices')[0]:
            return
        cards = ['--cards'] if self.long else []
        prepared = self.step('have sound servers',
                             [TESTS / 'sound/prepare', *cards],
                             after=[before])
        self.add('plugin', 'sound-devices',
                 [TESTS / 'sound/run-tests', *cards], silence=300,
                 after=[prepared])

    def level_endurance(self):
        for program in ENDURANCE:
            self.qtest('endurance', program, 'build', program,
                       self.build_plain(), 900)

    def level_viewers(self):
        before = self.step('build QEMU with every viewer',
                           [TESTS / 'viewers/prepare'],
                           after=[self.source()])
        # The bench of screens says nothing for a minute, or for two if busy
        self.add('viewers', 'viewers', [TESTS / 'viewers/run-tests'],
                 silence=600, after=[before])

    def level_fuzz(self):
        fuzz = SCRIPTS / 'fuzz'
        before = self.step('build the fuzz targets', [fuzz, '--build'])
        limit = ['--minutes', '10'] if self.long else ['--runs', '20000',
                                                       '--seed', '1']
        targets = subprocess.run([fuzz, '--list'], text=True, check=True,
                                 stdout=subprocess.PIPE).stdout
        for line in targets.splitlines():
            target = line.split()[0]
            self.add('fuzz', target, [fuzz, target, '--tap', *limit],
                     silence=1200 if self.long else 600, after=[before],
                     locks=[f'build/fuzz/{target}'])
        self.add('fuzz', 'commands', [TESTS / 'scripts/test-fuzz'],
                 silence=600, after=[before], locks=['build/fuzz/ring'])

    def level_packages(self):
        # Its fake machine is where the library is tried
        self.add('packages', 'packages', [TESTS / 'packages/test-packages'],
                 silence=1200,
                 after=[self.build_packaged(), self.build_unit()],
                 locks=['build/deb'])
        self.add('packages', 'plugin-package',
                 [TESTS / 'packages/test-plugin-package'], silence=1200,
                 locks=['build/deb'])
        # Built there, too, from nothing: minutes
        if self.long or 'plugin-package-other' in self.wanted['packages']:
            self.add('packages', 'plugin-package-other',
                     [TESTS / 'packages/test-plugin-package', '--other'],
                     silence=1200)
        self.known['packages'].add('plugin-package-other')

    @staticmethod
    def groups(run, *options):
        """Scenarios, as words, by the names of their groups."""
        out = subprocess.run([run, '--groups', *options], text=True,
                             check=True, stdout=subprocess.PIPE).stdout
        return dict(line.split(': ', 1) for line in out.splitlines())

    def level_system(self):
        run = TESTS / 'system/run-tests'
        before = [self.build_plain(),
                  self.step('build the images of the system test',
                            [run, '--prepare',
                             *(['--long'] if self.long else [])])]
        standard, groups = (self.groups(run, *options)
                            for options in ([], ['--long']))
        scenarios = {name for line in groups.values()
                     for name in line.split()}
        asked = self.wanted['system']
        self.known['system'] |= scenarios | set(groups)
        for group, line in groups.items():
            if group not in standard and not (asked or self.long):
                continue
            names = [name for name in line.split()
                     if not asked or name in asked or group in asked]
            if names:
                self.jobs.append(Job(
                    f'system/{group}', 'system',
                    [run, '--jobs', '1', '--logs',
                     BUILD / 'logs/system' / group,
                     *(['--long'] if self.long else []), *names],
                    silence=1200, after=before, again=f'system:{group}',
                    locks=['build/helper'] if 'helper' in names else []))
        # The manual says what ran with which versions
        ran = [job.name for job in self.jobs if job.level == 'system']
        self.add('system', 'matrix', [TESTS / 'scripts/test-matrix'],
                 silence=120, after=[before[1], *ran])
        self.add('system', 'readme', [TESTS / 'scripts/test-readme'],
                 silence=1200, after=[before[0]])
