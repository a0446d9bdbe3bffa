"""What the library makes, and Python keeps: freed when the last reference goes, so never while a run uses it."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from ctypes import c_void_p
from typing import Any, Callable, Iterator

from ._library import lib
from .errors import OutOfMemoryError


class Owner:
    """Base of what holds a handle of the library's.

    There is no close(), after which another thread's run would read freed memory: `del` the last reference instead.
    """

    _handle: c_void_p

    def _own(self, handle: c_void_p, free: Callable[[c_void_p], Any]) -> None:
        self._handle = handle
        # As the process ends the system takes all, and a thread may be running yet.
        weakref.finalize(self, free, handle).atexit = False


class _Workspace(Owner):
    def __init__(self, size: int) -> None:
        address = lib.sk_alloc(size)
        if address is None:
            raise OutOfMemoryError(f"out of memory for a workspace of {size} bytes")
        self._own(c_void_p(address), lib.sk_free)
        self.address = address


class Workspaces:
    """As many workspaces as there are runs at the same time, kept for the next ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[_Workspace] = []

    @contextmanager
    def borrow(self) -> Iterator[int]:
        """Lend a workspace, by its address, that no other run has meanwhile."""
        try:
            workspace = self._free.pop()  # of several threads each gets another
        except IndexError:
            workspace = _Workspace(self._size)
        try:
            yield workspace.address
        finally:
            self._free.append(workspace)
