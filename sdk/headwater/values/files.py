"""Writing files so that nobody ever sees half of one, and errors of the disk in words."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from headwater.errors import StoreError
from headwater.values.arrays import Buffer

_PIECE = 1 << 30
_GATHER = 512
_counter = itertools.count()


def write_atomically(path: Path, buffers: Iterable[Buffer]) -> None:
    """Write a file whole: into a temporary file beside it, then renamed over it. Raises `OSError`.

    There is no fsync: after a power failure a file may be missing or short, which its digest shows, and it is
    made again; an fsync for each small value would cost more than the tasks. A process that dies leaves no
    half file.
    """
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}-{next(_counter)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, flags, 0o666)
    try:
        try:
            _write_all(descriptor, buffers)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write_all(descriptor: int, buffers: Iterable[Buffer]) -> None:
    gathered: list[memoryview] = []
    for buffer in buffers:
        view = memoryview(buffer).cast("B") if not isinstance(buffer, bytes) else memoryview(buffer)
        gathered.append(view)
        if len(gathered) == _GATHER or view.nbytes > _PIECE:
            _write(descriptor, gathered)
            gathered = []
    _write(descriptor, gathered)


def _write(descriptor: int, views: list[memoryview]) -> None:
    views = [piece for view in views for piece in _pieces(view)]
    while views:
        several = views[:_GATHER]
        written = (
            os.writev(descriptor, several) if hasattr(os, "writev") else os.write(descriptor, several[0])
        )
        while views and written >= views[0].nbytes:
            written -= views[0].nbytes
            del views[0]
        if written:
            views[0] = views[0][written:]


def _pieces(view: memoryview) -> Iterator[memoryview]:
    # One write call takes less than 2 GiB.
    for start in range(0, view.nbytes, _PIECE):
        yield view[start : start + _PIECE]


_FIXES = {
    errno.ENOSPC: "Free space on that disk, or set HEADWATER_HOME to a folder on another one",
    errno.EDQUOT: "Free some of your quota on that disk, or set HEADWATER_HOME to a folder on another one",
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f), or split the value",
    errno.EROFS: "Set HEADWATER_HOME to a folder that can be written",
    errno.EACCES: "Make the folder writable for you, or set HEADWATER_HOME to one that is",
    errno.EPERM: "Make the folder writable for you, or set HEADWATER_HOME to one that is",
    errno.ENOTDIR: "Remove the file that stands where a folder is needed, or set HEADWATER_HOME elsewhere",
    errno.EISDIR: "Remove the folder that stands where a file is needed",
    errno.ENOENT: "Run the node that made it again",
}


def store_error(doing: str, error: OSError) -> StoreError:
    """The error of the operating system as a `StoreError` that says what to do.

    >>> print(store_error("cannot write a/b", OSError(errno.EFBIG, "File too large")))
    cannot write a/b: File too large. Raise the limit on file sizes (ulimit -f), or split the value.
    """
    fix = _FIXES.get(error.errno or 0, "Check the disk and the permissions of that path")
    return StoreError(f"{doing}: {error.strerror or error}", fix=fix + ".")
