# SPDX-License-Identifier: LGPL-2.1-or-later
"""xen-pgdir.h for ctypes: its constants, structs and functions.

The classes of the package are made of this.  Use it alone for what they do not
have, such as grant operations of your own.
"""

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, c_char_p, c_int32, c_size_t, c_uint32,
                    c_uint64, c_void_p)
from typing import Any, Dict, List, Tuple

LIBRARY = 'libxenpgdir.so.1'

ABI_VERSION = 100
PAGE_SIZE = 4096
REFS_PER_PAGE = 1023
MAX_MAPPINGS = 256
FULL_PAGES, FULL_MAPPINGS, FULL_BUFFER = 1, 2, 3
CAUSE_NONE, CAUSE_CALLER, CAUSE_GUEST, CAUSE_BUDGET, CAUSE_HOST = range(5)
WRITABLE = 1
GUEST_READS = 2
DMABUF_WC = 1
DMABUF_COHERENT = 2
STATE_LIVE, STATE_RETIRING, STATE_REVOKED = range(3)

REFS = POINTER(c_uint32)
ADDRESS = POINTER(c_void_p)
DESCRIPTOR = POINTER(c_int32)

Map = CFUNCTYPE(c_int32, c_void_p, REFS, c_uint32, c_uint32, ADDRESS)
Unmap = CFUNCTYPE(None, c_void_p, c_void_p, REFS, c_uint32)
Destroy = CFUNCTYPE(None, c_void_p)
Share = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint32, REFS, ADDRESS)
Unshare = CFUNCTYPE(None, c_void_p, c_void_p, REFS, c_uint32)
Replace = CFUNCTYPE(c_int32, c_void_p, c_void_p, REFS, c_uint32, c_void_p)
MapPage = CFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint32, ADDRESS)
DmabufExport = CFUNCTYPE(c_int32, c_void_p, REFS, c_uint32, c_uint32,
                         DESCRIPTOR, REFS)
DmabufInUse = CFUNCTYPE(c_int32, c_void_p, c_uint32)
DmabufForget = CFUNCTYPE(None, c_void_p, c_uint32)
DmabufImport = CFUNCTYPE(c_int32, c_void_p, c_int32, c_uint32, REFS)
DmabufRelease = CFUNCTYPE(None, c_void_p, c_int32)
Retired = CFUNCTYPE(None, c_void_p, c_int32)


class GrantOps(ctypes.Structure):
    """XenPgdirGrantOps"""
    _fields_ = [('size', c_uint32), ('map', Map), ('unmap', Unmap),
                ('destroy', Destroy), ('share', Share), ('unshare', Unshare),
                ('replace', Replace), ('map_page', MapPage),
                ('dmabuf_export', DmabufExport),
                ('dmabuf_in_use', DmabufInUse),
                ('dmabuf_forget', DmabufForget),
                ('dmabuf_import', DmabufImport),
                ('dmabuf_release', DmabufRelease)]


class Config(ctypes.Structure):
    """XenPgdirConfig"""
    _fields_ = [(name, c_uint32) for name in (
        'size', 'max_pages', 'max_buffer_pages', 'max_map_count',
        'max_mappings')]


class Stats(ctypes.Structure):
    """XenPgdirStats"""
    _fields_ = [(name, c_uint64) for name in (
        'map_calls', 'unmap_calls', 'dir_pages', 'mapped_pages',
        'pinned_pages', 'copy_pages', 'hits', 'misses', 'evictions',
        'revocations', 'failures', 'buffers', 'lost', 'shared_pages',
        'kept_pages', 'abandoned_pages', 'mappings', 'max_mappings',
        'max_pages', 'copied_bytes', 'retiring', 'dmabufs',
        'dmabuf_pages')]


class Error(ctypes.Structure):
    """XenPgdirError"""
    _fields_ = [('message', c_char_p), ('status', c_int32),
                ('cause', c_uint32), ('limit', c_uint32)]


class Iovec(ctypes.Structure):
    """struct iovec"""
    _fields_ = [('base', c_void_p), ('length', c_size_t)]


# Handles are addresses of whatever there is
HANDLE, HANDLES = c_void_p, POINTER(c_void_p)

# Name without its prefix: result, arguments
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    'abi_version': (c_uint32, []),
    'mapper_new': (c_int32, [POINTER(GrantOps), c_void_p, POINTER(Config),
                             HANDLES]),
    'mapper_open': (c_int32, [c_uint32, POINTER(Config), HANDLES]),
    'mapper_open_handles': (c_int32, [c_void_p, c_void_p, c_uint32,
                                      POINTER(Config), HANDLES]),
    'mapper_ref': (HANDLE, [HANDLE]),
    'mapper_unref': (None, [HANDLE]),
    'mapper_stats': (None, [HANDLE, POINTER(Stats), c_uint32]),
    'mapper_error': (None, [HANDLE, POINTER(Error), c_uint32]),
    'mapper_full': (c_uint32, [HANDLE]),
    'mapper_trim': (None, [HANDLE]),
    'mapper_expire': (c_uint64, [HANDLE, c_uint64]),
    'mapper_poll': (c_uint32, [HANDLE]),
    'buffer_new': (c_int32, [HANDLE, c_uint32, c_uint64, c_uint32, HANDLES]),
    'buffer_new_shared': (c_int32, [HANDLE, c_uint32, c_uint64, c_uint32,
                                    HANDLES]),
    'buffer_new_imported': (c_int32, [HANDLE, c_uint32, c_uint64, c_int32,
                                      c_uint32, HANDLES]),
    'buffer_export': (c_int32, [HANDLE, c_uint32, DESCRIPTOR]),
    'buffer_ref': (HANDLE, [HANDLE]),
    'buffer_unref': (None, [HANDLE]),
    'buffer_revoke': (None, [HANDLE]),
    'buffer_retire': (c_int32, [HANDLE, c_uint64, Retired, c_void_p]),
    'buffer_state': (c_uint32, [HANDLE]),
    'buffer_is_writable': (c_int32, [HANDLE]),
    'buffer_is_shared': (c_int32, [HANDLE]),
    'buffer_mapper': (HANDLE, [HANDLE]),
    'buffer_refs': (c_int32, [HANDLE, c_uint32, c_uint32, REFS]),
    'buffer_size': (c_uint64, [HANDLE]),
    'buffer_pages': (c_uint32, [HANDLE]),
    'buffer_view': (c_int32, [HANDLE, c_uint64, c_uint64, HANDLES, ADDRESS]),
    'buffer_view_iov': (c_int32, [HANDLE, c_uint64, c_uint64, HANDLES,
                                  POINTER(Iovec), c_uint32, REFS]),
    'buffer_is_copied': (c_int32, [HANDLE, c_uint64, c_uint64]),
    'buffer_read': (c_int32, [HANDLE, c_uint64, c_void_p, c_uint64]),
    'buffer_write': (c_int32, [HANDLE, c_uint64, c_void_p, c_uint64]),
    'view_ref': (HANDLE, [HANDLE]),
    'view_unref': (None, [HANDLE]),
    'view_data': (c_void_p, [HANDLE]),
    'view_offset': (c_uint64, [HANDLE]),
    'view_length': (c_uint64, [HANDLE]),
    'view_buffer': (HANDLE, [HANDLE]),
    'view_is_copy': (c_int32, [HANDLE]),
    'view_is_lost': (c_int32, [HANDLE]),
    'view_sync': (c_int32, [HANDLE]),
    'view_flush': (c_int32, [HANDLE]),
}


class Library:
    """The functions, as attributes without their prefix."""

    def __init__(self, path: str = '') -> None:
        """Load the library at this path, that of XEN_PGDIR_LIBRARY, or the
        installed one."""
        path = path or os.environ.get('XEN_PGDIR_LIBRARY') or LIBRARY
        self.library = ctypes.CDLL(path)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self.library, 'xen_pgdir_' + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, self.wrapped(name, function))

    def wrapped(self, name: str, function: Any) -> Any:
        """What becomes the attribute of this name."""
        # pylint: disable=unused-argument
        return function

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
