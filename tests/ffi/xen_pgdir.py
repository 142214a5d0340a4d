# SPDX-License-Identifier: GPL-2.0-or-later
"""All of xen-pgdir.h for Python, by ctypes, and the header to compare with."""

import ctypes
import os
import re
from ctypes import (CFUNCTYPE, POINTER, c_int32, c_uint32, c_uint64,
                    c_void_p)
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
HEADER = TOP / 'include/hw/xen/xen-pgdir.h'
LIBRARY = os.environ.get('XEN_PGDIR_LIBRARY',
                         TOP / 'build/helper/root/lib/libxenpgdir.so.0')

ABI_VERSION = 1
PAGE_SIZE = 4096
REFS_PER_PAGE = 1023
MAX_MAPPINGS = 256
FULL_PAGES, FULL_MAPPINGS = 1, 2
WRITABLE = 1

REFS = POINTER(c_uint32)
ADDRESS = POINTER(c_void_p)

Map = CFUNCTYPE(c_int32, c_void_p, REFS, c_uint32, c_uint32, ADDRESS)
Unmap = CFUNCTYPE(None, c_void_p, c_void_p, REFS, c_uint32)
Destroy = CFUNCTYPE(None, c_void_p)
Share = CFUNCTYPE(c_int32, c_void_p, c_uint32, REFS, ADDRESS)
Unshare = CFUNCTYPE(None, c_void_p, c_void_p, REFS, c_uint32)
Replace = CFUNCTYPE(c_int32, c_void_p, c_void_p, REFS, c_uint32, c_void_p)
MapPage = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint32, ADDRESS)


class GrantOps(ctypes.Structure):
    _fields_ = [('map', Map), ('unmap', Unmap), ('destroy', Destroy),
                ('share', Share), ('unshare', Unshare), ('replace', Replace),
                ('map_page', MapPage)]


class Config(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in (
        'max_pages', 'max_buffer_pages', 'max_map_count', 'max_mappings')]


class Stats(ctypes.Structure):
    _fields_ = [(name, c_uint64) for name in (
        'map_calls', 'unmap_calls', 'dir_pages', 'mapped_pages',
        'pinned_pages', 'copy_pages', 'hits', 'misses', 'evictions',
        'revocations', 'failures', 'buffers', 'lost', 'shared_pages',
        'kept_pages', 'abandoned_pages', 'mappings', 'max_mappings',
        'max_pages', 'copied_bytes')]


# Handles are addresses of whatever there is
HANDLE, HANDLES = c_void_p, POINTER(c_void_p)

FUNCTIONS = {
    'abi_version': (c_uint32, []),
    'mapper_new': (c_int32, [POINTER(GrantOps), c_void_p, POINTER(Config),
                             HANDLES]),
    'mapper_open': (c_int32, [c_uint32, POINTER(Config), HANDLES]),
    'mapper_ref': (HANDLE, [HANDLE]),
    'mapper_unref': (None, [HANDLE]),
    'mapper_stats': (None, [HANDLE, POINTER(Stats)]),
    'mapper_full': (c_uint32, [HANDLE]),
    'mapper_trim': (None, [HANDLE]),
    'buffer_new': (c_int32, [HANDLE, c_uint32, c_uint64, c_uint32, HANDLES]),
    'buffer_new_shared': (c_int32, [HANDLE, c_uint32, c_uint64, HANDLES]),
    'buffer_ref': (HANDLE, [HANDLE]),
    'buffer_unref': (None, [HANDLE]),
    'buffer_revoke': (None, [HANDLE]),
    'buffer_size': (c_uint64, [HANDLE]),
    'buffer_pages': (c_uint32, [HANDLE]),
    'buffer_view': (c_int32, [HANDLE, c_uint64, c_uint64, HANDLES, ADDRESS]),
    'buffer_is_copied': (c_int32, [HANDLE, c_uint64, c_uint64]),
    'buffer_read': (c_int32, [HANDLE, c_uint64, c_void_p, c_uint64]),
    'buffer_write': (c_int32, [HANDLE, c_uint64, c_void_p, c_uint64]),
    'view_ref': (HANDLE, [HANDLE]),
    'view_unref': (None, [HANDLE]),
    'view_is_copy': (c_int32, [HANDLE]),
    'view_is_lost': (c_int32, [HANDLE]),
    'view_sync': (c_int32, [HANDLE]),
}


class Library:
    """The functions, as attributes without their prefix; counts calls."""

    def __init__(self, path=LIBRARY):
        self.calls = dict.fromkeys(FUNCTIONS, 0)
        self.library = ctypes.CDLL(str(path))
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self.library, 'xen_pgdir_' + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, self.counted(name, function))

    def counted(self, name, function):
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
    words = declared.replace('const ', '').replace('*', ' * ').split()
    if words[0] == 'void' and '*' not in words:
        return None
    name, stars = words[0], words.count('*')
    plain = {'int32_t': c_int32, 'uint32_t': c_uint32, 'uint64_t': c_uint64,
             'XenPgdirConfig': Config, 'XenPgdirStats': Stats,
             'XenPgdirGrantOps': GrantOps}
    if name in plain:
        return POINTER(plain[name]) if stars else plain[name]
    return {1: c_void_p, 2: POINTER(c_void_p)}[stars]
