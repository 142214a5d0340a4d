#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the last runs of the system test ran with which versions.

Prints a table of reStructuredText, of what is noted in build/logs/system.
"""

import json
import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
LOGS = TOP / 'build/logs/system'
PAGE = TOP / 'docs/system/xen-pv/limits.rst'

TYPES = 'pv', 'pvh', 'hvm'

HEAD = '''.. list-table::
   :header-rows: 1
   :widths: 12 18 12 26 16 16

   * - Xen
     - QEMU
     - guest's Linux
     - PV
     - PVH
     - HVM
'''


def series(version):
    """4.17 of 4.17.5."""
    found = re.match(r'\d+\.\d+', version)
    return found.group(0) if found else version


def read_notes(logs=LOGS):
    """The scenarios that went through, with what they ran on."""
    return [note for path in sorted(logs.rglob('versions.json'))
            for note in json.loads(path.read_text())]


def cells_of(notes):
    """Scenarios by (Xen, QEMU, Linux, type of guest)."""
    cells = {}
    for note in notes:
        qemu = f'{series(note["qemu"])}, ' + (
            'plugin' if note['plugin'] else 'overlay')
        for kind, linux in note['guests']:
            name = re.sub('^plugin-', '', note['scenario'])
            cells.setdefault((series(note['xen']), qemu, series(linux), kind),
                             set()).add(name)
    return cells


def cells_of_page(text):
    """The same, as the manual prints it."""
    cells = {}
    rows = text.partition(HEAD)[2].partition('\n\n')[0]
    for row in re.findall(r'   \* - (.*(?:\n     .*)*)', rows):
        columns = [' '.join(column.split()) for column in
                   re.split(r'\n     - ?', row)]
        for kind, names in zip(TYPES, columns[3:]):
            if names not in ('', '--'):
                cells[(*columns[:3], kind)] = set(
                    re.findall('``(.*?)``', names))
    return cells


def row_key(row):
    """KVM first; versions by their numbers, the newest last."""
    def numbers(word):
        return [99] if word == 'newest' else [
            int(number) for number in re.findall(r'\d+', word)]

    xen, qemu, linux = row
    return numbers(xen), qemu, numbers(linux)


def wrap(names):
    """Names in a column, on lines of 79."""
    lines, line = [], ''
    for name in sorted(names):
        word = f'``{name}``'
        if line and len(line) + 2 + len(word) > 71:
            lines.append(line + ',')
            line = word
        else:
            line = f'{line}, {word}' if line else word
    return '\n       '.join([*lines, line]) if line else '--'


def table(cells):
    rows = sorted({key[:3] for key in cells}, key=row_key)
    text = HEAD
    for row in rows:
        columns = [*row, *(wrap(cells.get((*row, kind), ()))
                           for kind in TYPES)]
        text += '   * - ' + '\n     - '.join(columns) + '\n'
    return text


if __name__ == '__main__':
    print(table(cells_of(read_notes())), end='')
