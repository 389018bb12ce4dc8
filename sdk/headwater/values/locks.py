"""Locks between threads and processes on one key each: files under `flock`, freed by the kernel when a
process dies.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: single flight holds within a process only
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock that is held; `release` it, or let it be collected."""

    __slots__ = ("__weakref__", "_descriptor", "_path", "owner")

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.owner = threading.get_ident()
        _held[os.fspath(path)] = self

    def release(self) -> None:
        """Free the lock; nothing happens the second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        _held.pop(os.fspath(self._path), None)
        # Unlinked while it is still held: who waits on this very file sees that it is gone and opens the next
        # one.
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        # Unlocked and not only closed: a forked child may still have the file open.
        with contextlib.suppress(OSError):
            _unlock(descriptor)
        os.close(descriptor)

    def abandon(self) -> None:
        """Forget the lock in a forked child: it belongs to the parent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


_held: weakref.WeakValueDictionary[str, Lock] = weakref.WeakValueDictionary()


def acquire(path: Path, *, wait: bool) -> Lock | None:
    """Lock the file, made where it is missing. Without `wait`, None when somebody else holds it.

    Raises `OSError` when the file cannot be made or its file system has no locks.
    """
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            if not _lock(descriptor, wait):
                os.close(descriptor)
                return None
            if _is_current(path, descriptor):
                return Lock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_mine(path: Path) -> bool:
    """Whether this very thread holds the lock: to wait for it would be for ever."""
    lock = _held.get(os.fspath(path))
    return lock is not None and lock.owner == threading.get_ident()


def _lock(descriptor: int, wait: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _is_current(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _abandon_all() -> None:
    for lock in list(_held.values()):
        lock.abandon()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
