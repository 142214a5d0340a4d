# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions test_*() of a program, run in order and told as TAP."""

import sys
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def run_tests(program, form='{}'):
    """Run what a program has of tests; returns its exit status.

    program: its globals(), of which the docstring is the help
    form: how a result is called, of the name of the function

    A test that returns a text was skipped, for that reason.
    """
    if '--help' in sys.argv:
        path = Path(program['__file__']).resolve().relative_to(TOP)
        print(f'Usage: {path}\n\n{program["__doc__"]}', end='')
        return 0
    tests = [(form.format(name[5:].replace('_', ' ')), test)
             for name, test in program.items() if name.startswith('test_')]
    failed = 0
    print(f'1..{len(tests)}', flush=True)
    for number, (name, test) in enumerate(tests, 1):
        try:
            skipped = test()
            print(f'ok {number} - {name}' +
                  (f' # SKIP {skipped}' if skipped else ''), flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for line in traceback.format_exc().splitlines():
                print('#', line)
            print(f'not ok {number} - {name}', flush=True)
    return 1 if failed else 0
