# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read and write buffers that a Xen guest shares by a page directory.

    >>> from xenpgdir import Mapper
    >>> with Mapper(5) as mapper, mapper.buffer(1234, 1920000) as buffer:
    ...     with buffer.view() as view:
    ...         print(bytes(view.data[:16]).hex())

A *mapper* stands for one guest, a *buffer* for one page directory, a *view* for
a window of a buffer.  All three are context managers with a method close(), and
can be closed in any order: what is still used stays.

A mapper, its buffers and its views are for one thread at a time, and not for a
child after os.fork().  See libxenpgdir(3).
"""

import ctypes
import enum
import os
import weakref
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar

from . import abi
from .abi import PAGE_SIZE
from .status import GuestBuffer, buffers_of, read_buffers

__all__ = ['Buffer', 'Cause', 'Error', 'GuestBuffer', 'Limit', 'Mapper',
           'PAGE_SIZE', 'State', 'View', 'buffers_of', 'read_buffers']

Self = TypeVar('Self', bound='_Handle')
NEVER = 2 ** 64 - 1


class Cause(enum.IntEnum):
    """Who caused an error."""
    NONE = abi.CAUSE_NONE
    #: an argument is wrong, or the call is not allowed now
    CALLER = abi.CAUSE_CALLER
    #: the directory is wrong, or a reference cannot be mapped as asked
    GUEST = abi.CAUSE_GUEST
    #: a limit of the mapper was reached
    BUDGET = abi.CAUSE_BUDGET
    #: the kernel or the hypervisor refused, or memory ran out
    HOST = abi.CAUSE_HOST


class Limit(enum.IntEnum):
    """Which limit of a mapper was reached."""
    NONE = 0
    MAX_PAGES = abi.FULL_PAGES
    MAX_MAPPINGS = abi.FULL_MAPPINGS
    MAX_BUFFER_PAGES = abi.FULL_BUFFER


class State(enum.IntEnum):
    """Whether a buffer can be looked at."""
    LIVE = abi.STATE_LIVE
    #: only views and dma-bufs that are held go on
    RETIRING = abi.STATE_RETIRING
    #: the guest has its pages back
    REVOKED = abi.STATE_REVOKED


class Error(OSError):
    """A function of the library failed: errno, strerror, cause and limit."""

    def __init__(self, code: int, message: str, cause: Cause,
                 limit: Limit = Limit.NONE) -> None:
        super().__init__(code, message)
        self.cause = cause
        self.limit = limit


class _Libraries:
    """The library, loaded when it is first used: help needs none."""
    loaded: Optional[abi.Library] = None

    @classmethod
    def get(cls) -> abi.Library:
        """Load it."""
        if cls.loaded is None:
            cls.loaded = abi.Library()
        return cls.loaded


class _Handle:
    """A reference to something of the library's."""
    _kind = ''

    def __init__(self, value: int) -> None:
        lib = _Libraries.get()
        self._lib = lib
        self._value = value
        self._finalizer = weakref.finalize(
            self, getattr(lib, self._kind + '_unref'), value)

    @property
    def handle(self) -> int:
        """The address, for the functions of the module abi."""
        if not self._finalizer.alive:
            raise ValueError('the %s is closed' % self._kind)
        return self._value

    def close(self) -> None:
        """Let go of it; doing so twice does nothing."""
        self._finalizer()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def _check(self, mapper: Any, result: int) -> int:
        """Raise what the mapper tells of a failure."""
        if result >= 0:
            return result
        error = abi.Error()
        self._lib.mapper_error(mapper, ctypes.byref(error),
                               ctypes.sizeof(error))
        raise Error(-result, error.message.decode(), Cause(error.cause),
                    Limit(error.limit))


class Mapper(_Handle):
    """One guest: how its grants are mapped, the budget, the cache."""
    _kind = 'mapper'

    def __init__(self, domid: int, *, max_pages: int = 16384,
                 max_buffer_pages: int = 262144, max_map_count: int = 0,
                 max_mappings: int = 0) -> None:
        """Open the grant devices for this domain.

        max_pages: data pages that may be mapped at once, by views and in
            dma-bufs; so many again may be host copies, and so many shared
        max_buffer_pages: the largest buffer
        max_map_count: pages that one call may map; 0 is any number
        max_mappings: areas of memory and dma-bufs; 0 is 256
        """
        config = abi.Config(ctypes.sizeof(abi.Config), max_pages,
                            max_buffer_pages, max_map_count, max_mappings)
        value = ctypes.c_void_p()
        result = _Libraries.get().mapper_open(domid, ctypes.byref(config),
                                              ctypes.byref(value))
        if result:
            raise Error(-result, os.strerror(-result),
                        Cause.CALLER if domid >= 0x7ff0 or not max_pages or
                        not max_buffer_pages else Cause.HOST)
        assert value.value
        super().__init__(value.value)

    def _buffer(self, function: str, *arguments: int) -> 'Buffer':
        value = ctypes.c_void_p()
        self._check(self.handle, getattr(self._lib, function)(
            self.handle, *arguments, ctypes.byref(value)))
        assert value.value
        return Buffer(value.value)

    def buffer(self, directory: int, size: int, *,
               writable: bool = False) -> 'Buffer':
        """Walk a directory, whose first page has this grant reference."""
        return self._buffer('buffer_new', directory, size,
                            abi.WRITABLE if writable else 0)

    def shared_buffer(self, directory: int, size: int, *,
                      guest_reads: bool = False) -> 'Buffer':
        """Share pages of this host, and fill the guest's directory.

        guest_reads: the guest may read the pages, but not write them
        """
        return self._buffer('buffer_new_shared', directory, size,
                            abi.GUEST_READS if guest_reads else 0)

    def imported_buffer(self, directory: int, size: int, fd: int) -> 'Buffer':
        """Share the pages of a dma-buf, and fill the guest's directory.

        fd: a descriptor of the dma-buf, which has as many pages as the buffer.
            It can be closed afterwards.  Views of the buffer cannot be had:
            map the dma-buf itself.
        """
        return self._buffer('buffer_new_imported', directory, size, fd, 0)

    def stats(self) -> Dict[str, int]:
        """All counters, by the names that xen-pgdir.h has for them."""
        stats = abi.Stats()
        self._lib.mapper_stats(self.handle, ctypes.byref(stats),
                               ctypes.sizeof(stats))
        return {field[0]: getattr(stats, field[0])
                for field in abi.Stats._fields_}

    def trim(self) -> None:
        """Unmap all that no view looks at."""
        self._lib.mapper_trim(self.handle)

    def expire(self, now: int) -> Optional[int]:
        """Revoke buffers whose deadline is over; return the next deadline."""
        deadline = self._lib.mapper_expire(self.handle, now)
        return None if deadline == NEVER else int(deadline)

    def poll(self) -> int:
        """Look which dma-bufs were closed; return how many are in use.

        Buffers that retired, and waited for that, are revoked.
        """
        return int(self._lib.mapper_poll(self.handle))


# What the library may still call, and what it has called: a function cannot be
# freed while it runs
_retiring: Dict[int, Any] = {}
_retired: List[int] = []


class Buffer(_Handle):
    """One directory: its size and its references."""
    _kind = 'buffer'

    @property
    def _mapper(self) -> Any:
        return self._lib.buffer_mapper(self.handle)

    @property
    def size(self) -> int:
        """Bytes that it was made with."""
        return int(self._lib.buffer_size(self.handle))

    @property
    def pages(self) -> int:
        """Data pages."""
        return int(self._lib.buffer_pages(self.handle))

    @property
    def state(self) -> State:
        """Whether it can be looked at."""
        return State(self._lib.buffer_state(self.handle))

    @property
    def writable(self) -> bool:
        """Whether the host may write it."""
        return bool(self._lib.buffer_is_writable(self.handle))

    @property
    def shared(self) -> bool:
        """Whether the pages are the host's."""
        return bool(self._lib.buffer_is_shared(self.handle))

    def references(self, first: int = 0,
                   count: Optional[int] = None) -> List[int]:
        """Grant references of data pages; by default from first to the end."""
        count = self.pages - first if count is None else count
        refs = (ctypes.c_uint32 * max(count, 0))()
        self._check(self._mapper, self._lib.buffer_refs(
            self.handle, first, max(count, 0), refs))
        return list(refs)

    def read(self, offset: int = 0, length: Optional[int] = None) -> bytes:
        """Copy bytes out; by default from the offset to the end."""
        length = max(self.size - offset, 0) if length is None else length
        data = bytearray(length)
        memory = (ctypes.c_char * length).from_buffer(data)
        self._check(self._mapper, self._lib.buffer_read(
            self.handle, offset, memory, length))
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        """Copy bytes in."""
        data = bytes(data)
        self._check(self._mapper, self._lib.buffer_write(
            self.handle, offset, data, len(data)))

    def view(self, offset: int = 0, length: Optional[int] = None) -> 'View':
        """Look at a window; by default from the offset to the end."""
        length = max(self.size - offset, 0) if length is None else length
        value, address = ctypes.c_void_p(), ctypes.c_void_p()
        self._check(self._mapper, self._lib.buffer_view(
            self.handle, offset, length, ctypes.byref(value),
            ctypes.byref(address)))
        assert value.value and address.value
        return View(value.value, self, address.value, offset, length)

    def export(self, flags: int = 0) -> int:
        """Make a dma-buf of all pages, and return a descriptor to be closed.

        flags: 0, abi.DMABUF_WC or abi.DMABUF_COHERENT

        The buffer has to be writable.  Its pages stay mapped until all
        descriptors are closed: see Mapper.poll().
        """
        fd = ctypes.c_int32()
        self._check(self._mapper, self._lib.buffer_export(
            self.handle, flags, ctypes.byref(fd)))
        return fd.value

    def revoke(self) -> None:
        """Give the guest its pages back now; views become copies.

        A dma-buf of them that is not closed still has them.
        """
        self._lib.buffer_revoke(self.handle)

    def retire(self, retired: Optional[Callable[[int], Any]] = None,
               deadline: Optional[int] = None) -> None:
        """Give the guest its pages back when the last view and dma-buf go.

        retired: called then, perhaps before this returns, with 0 or a negative
            errno value: see XenPgdirRetired in xen-pgdir.h
        deadline: when Mapper.expire() does not wait any more
        """
        def call(_opaque: Optional[int], status: int) -> None:
            _retired.append(key)
            if retired:
                retired(status)

        while _retired:
            del _retiring[_retired.pop()]
        function = abi.Retired(call)
        key = id(function)
        _retiring[key] = function
        try:
            self._check(self._mapper, self._lib.buffer_retire(
                self.handle, NEVER if deadline is None else deadline,
                function, None))
        except Error:
            del _retiring[key]
            raise


class View(_Handle):
    """A window of a buffer, at one contiguous address."""
    _kind = 'view'

    def __init__(self, value: int, buffer: Buffer, address: int, offset: int,
                 length: int) -> None:
        super().__init__(value)
        self.offset = offset
        self.length = length
        self._mapper = Mapper.__new__(Mapper)
        _Handle.__init__(self._mapper, self._lib.mapper_ref(
            self._lib.buffer_mapper(buffer.handle)))
        # Each memoryview of it has a reference: see data
        memory = (ctypes.c_char * length).from_address(address)
        weakref.finalize(memory, self._lib.view_unref,
                         self._lib.view_ref(value))
        self._data = memoryview(memory).cast('B')
        if not buffer.writable:
            self._data = self._data.toreadonly()

    @property
    def data(self) -> memoryview:
        """The bytes, read-only unless the buffer is writable.

        Slices and what else is made of it, such as an array of numpy, keep the
        pages mapped for as long as they live, also if the view is closed.
        """
        return self._data

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy in the host's memory."""
        return bool(self._lib.view_is_copy(self.handle))

    @property
    def is_lost(self) -> bool:
        """Whether it must not be looked at any more."""
        return bool(self._lib.view_is_lost(self.handle))

    def sync(self) -> None:
        """Bring a copy up to date with the guest's pages."""
        self._check(self._mapper.handle, self._lib.view_sync(self.handle))

    def flush(self) -> None:
        """Bring the guest's pages up to date with a copy."""
        self._check(self._mapper.handle, self._lib.view_flush(self.handle))

    def close(self) -> None:
        """Let go of it; slices of data that are still held stay valid."""
        self._data.release()
        super().close()
        self._mapper.close()
