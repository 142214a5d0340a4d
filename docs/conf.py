# SPDX-License-Identifier: GPL-2.0-or-later
"""How Sphinx makes a site of these pages: see scripts/build-docs.

QEMU builds its manual, with these pages in it, with a file of its own.  What
quotes comments of headers, kernel-doc, is QEMU's.
"""

import os
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
QEMU = Path(os.environ['QEMU_SOURCE'])

sys.path.insert(0, str(QEMU / 'docs/sphinx'))

project = 'Xen PV display and sound for QEMU'
author = 'The Xen PV display and sound for QEMU authors'
copyright = '2026, ' + author  # pylint: disable=redefined-builtin
version = release = re.search(r"^ +version: '(.*)',$",
                              (TOP / 'meson.build').read_text(), re.M)[1]
language = 'en'

extensions = ['kerneldoc']
kerneldoc_bin = ['perl', str(QEMU / 'scripts/kernel-doc')]
kerneldoc_srctree = str(TOP)
kerneldoc_werror = 1

# A reference that leads nowhere is a warning
nitpicky = True
# What C itself, other headers and other manuals have
nitpick_ignore_regex = [('c:identifier', '.*')]

html_theme = 'sphinx_rtd_theme'
html_theme_options = {'navigation_with_keys': True}
html_static_path = ['static']
html_css_files = ['site.css']
html_copy_source = False
html_show_sphinx = False
