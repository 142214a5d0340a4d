# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Python package says of xen-pgdir.h, and the header to compare with."""

import os
import re
import sys
from ctypes import POINTER, c_char_p, c_int32, c_uint32, c_uint64, c_void_p
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'python'))
from xenpgdir import abi  # noqa: E402  pylint: disable=C0413
from xenpgdir.abi import (Config, Error, FUNCTIONS, GrantOps,  # noqa: E402
                          Iovec, Retired, Stats)

HEADER = TOP / 'include/hw/xen/xen-pgdir.h'
LIBRARY = os.environ.get('XEN_PGDIR_LIBRARY',
                         TOP / 'build/helper/root/lib' / abi.LIBRARY)


class Library(abi.Library):
    """The functions, as attributes without their prefix; counts calls."""

    def __init__(self, path=LIBRARY):
        self.calls = dict.fromkeys(FUNCTIONS, 0)
        super().__init__(str(path))

    def wrapped(self, name, function):
        def call(*args):
            self.calls[name] += 1
            return function(*args)
        return call


class Header:
    """What the header declares, in words of C without spaces."""

    def __init__(self, path=HEADER):
        text = re.sub(r'/\*.*?\*/', ' ', path.read_text(), flags=re.S)
        self.constants = {
            name: int(value.rstrip('u')) for name, value in
            re.findall(r'#define XEN_PGDIR_(\w+) +(\d+u)', text)}
        text = re.sub(r'#.*', '', text)
        self.structs = {
            name: [' '.join(field.split())
                   for field in body.split(';') if field.strip()]
            for name, body in
            re.findall(r'typedef struct XenPgdir(\w+) \{(.*?)\}', text, re.S)}
        self.functions = {
            name: (result.strip(), [' '.join(a.split())
                                    for a in arguments.split(',')])
            for result, name, arguments in
            re.findall(r'^(\w[\w ]*[ *])xen_pgdir_(\w+)\((.*?)\);', text,
                       re.M | re.S)}


def c_type(declared):
    """The ctypes type of a parameter, a field or a result of the header."""
    words = declared.replace('const ', '').replace('struct ', '').replace(
        '*', ' * ').split()
    if words[0] == 'void' and '*' not in words:
        return None
    name, stars = words[0], words.count('*')
    plain = {'int32_t': c_int32, 'uint32_t': c_uint32, 'uint64_t': c_uint64,
             'XenPgdirConfig': Config, 'XenPgdirStats': Stats,
             'XenPgdirGrantOps': GrantOps, 'XenPgdirError': Error,
             'XenPgdirRetired': Retired, 'iovec': Iovec}
    if name == 'char':
        return c_char_p
    if name in plain:
        return POINTER(plain[name]) if stars else plain[name]
    return {1: c_void_p, 2: POINTER(c_void_p)}[stars]
