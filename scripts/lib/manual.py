#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The blocks of code in what users read, and who checks each of them.

In front of a block stands a comment that names its checkers:

    .. checked by: NAME[, NAME]...         in reStructuredText
    <!-- checked by: NAME[, NAME]... -->   in Markdown

A NAME is one of

    /xen-pvdisplay/connect       a unit test or a qtest
    tests/scripts/test-options   a test program of this repository; "options"
                                 is short for it
    scenario toolstack/attach    a scenario of tests/system, which takes the
                                 block from the page by this name
    same as docs/.../PAGE.rst    the block is also there

Settings of xl.cfg have ".. tests/system runs this: NAME" instead, and are
"example NAME" here.  As a program it writes these to a folder, as NAME.cfg.
"""

import re
import sys
import textwrap
from collections import namedtuple
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent

# Where it begins, who checks it, its lines
Block = namedtuple('Block', 'page line checkers lines')


def names_in(comment):
    return [name.strip() for name in comment.split(',')]


def rst_blocks(page, text):
    """Literal blocks and code blocks: what is indented after their head."""
    lines = text.splitlines()
    checkers = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        indent = len(line) - len(line.lstrip())
        mark = re.match(r' *\.\. (?:checked by|(tests/system) runs this): '
                        r'(.*)', line)
        if mark:
            checkers = names_in(mark.group(2))
            if mark.group(1):
                checkers = [f'example {name}' for name in checkers]
            continue
        if re.match(r' *\.\. (code-block|parsed-literal|literalinclude)::',
                    line) or re.match(r' *(?!\.\. ).*::$', line):
            first = number
            body = []
            while number < len(lines):
                here = lines[number]
                if here.strip() and len(here) - len(here.lstrip()) <= indent:
                    break
                body.append(here)
                number += 1
            yield Block(page, first, checkers,
                        textwrap.dedent('\n'.join(body)).strip('\n')
                        .splitlines())
        if line.strip():
            checkers = []


def markdown_blocks(page, text):
    """Fenced blocks."""
    lines = text.splitlines()
    checkers = []
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        mark = re.fullmatch(r'<!-- checked by: (.*) -->', line)
        if mark:
            checkers = names_in(mark.group(1))
        elif line.startswith('```'):
            first = number
            body = []
            while lines[number].strip() != '```':
                body.append(lines[number])
                number += 1
            number += 1
            yield Block(page, first, checkers,
                        textwrap.dedent('\n'.join(body)).splitlines())
            checkers = []
        elif line:
            checkers = []


def pages():
    """All pages that users read, as paths in the repository."""
    top = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']
    return top + sorted(path.relative_to(TOP).as_posix()
                        for path in (TOP / 'docs').rglob('*.rst'))


def blocks(page):
    """The blocks of a page, which is named as a path in the repository."""
    text = (TOP / page).read_text()
    find = markdown_blocks if page.endswith('.md') else rst_blocks
    return list(find(page, text))


def printed(checker):
    """The lines of the blocks that this checker is to check."""
    lines = [line for page in pages() for block in blocks(page)
             if checker in block.checkers for line in block.lines if line]
    if not lines:
        raise LookupError(f"no page has a block 'checked by: {checker}'")
    return lines


def matches(quote, text):
    """Whether a line of a text has what a page quotes; "..." is anything."""
    pattern = '.*'.join(re.escape(part) for part in quote.split('...'))
    return any(re.search(pattern, line) for line in text.splitlines())


def main(folder):
    """Write the settings of xl.cfg that the pages have."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    for page in pages():
        for block in blocks(page):
            for name in block.checkers:
                if name.startswith('example '):
                    path = folder / (name.removeprefix('example ') + '.cfg')
                    path.write_text(f'# See {page}\n\n' +
                                    '\n'.join(block.lines) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
