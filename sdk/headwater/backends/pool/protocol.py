"""What a pool and its workers say to each other: frames over a socket, and a page of shared memory.

A frame is a header, the lengths of its buffers, a payload and the buffers. Buffers are the large arrays of
what was pickled (protocol 5, out of band): they go from the memory of one process to that of the other
without being copied into a pickle.
"""

from __future__ import annotations

import functools
import io
import pickle
import socket
import struct
import types
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from headwater.errors import TargetError, TaskFailed
from headwater.runtime.tracebacks import traceback_of
from headwater.values.exceptions import ReducesExceptions

HEADER = struct.Struct("<BxxxIQ")
_PLACE = struct.Struct("<QQqQQd")
OUT_OF_BAND = 64 * 1024

# The shared page, in 8-byte words: what the worker is doing, since when, and how far it may go.
DOING, SINCE, LIMIT = 0, 1, 2
PAGE_SIZE = 24
IDLE, LOADING, UNPACKING = 0, -1, -2
NO_LIMIT = 2**63 - 1

Data = bytes | bytearray | memoryview


class Kind(IntEnum):
    """What a frame is about: to a worker (first line), and from one."""

    SHARE, FORGET, SURROUNDINGS, CALL, ITEMS = range(5)
    STARTED, RETURNED, RESULTS, RAISED, UNLOADABLE, UNPACKABLE, CUT = range(10, 17)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that has arrived."""

    kind: int
    payload: bytearray
    buffers: Sequence[bytearray]


def frame(kind: Kind, payload: Data, buffers: Sequence[memoryview] = ()) -> list[Data]:
    """The pieces of a frame, in the order in which they are sent.

    >>> [bytes(piece) for piece in frame(Kind.CALL, b"xy")][1]
    b'xy'
    """
    header = HEADER.pack(kind, len(buffers), len(payload))
    if buffers:
        header += struct.pack(f"<{len(buffers)}Q", *(len(buffer) for buffer in buffers))
    return [header, payload, *buffers]


# ---------------------------------------------------------------- reading


class FrameReader:
    """Puts frames together from a socket, blocking or not, straight into the memory they stay in."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._begin()

    def _begin(self) -> None:
        self._header = bytearray(HEADER.size)
        self._kind = -1
        self._lengths: bytearray | None = None
        self._parts: list[bytearray] = []
        self._missing = [memoryview(self._header)]

    def read(self) -> Frame | None:
        """The next frame, or None when a non-blocking socket has no more to give for now.

        Raises:
            EOFError: the other end is closed.
        """
        missing = self._missing
        while True:
            while missing:
                try:
                    count = self._sock.recv_into(missing[0])
                except BlockingIOError:
                    return None
                except ConnectionError as error:
                    raise EOFError from error
                if not count:
                    raise EOFError
                if count == len(missing[0]):
                    missing.pop(0)
                else:
                    missing[0] = missing[0][count:]
            if self._kind < 0:
                self._read_header()
            elif self._lengths is not None:
                self._add_parts(struct.unpack(f"<{len(self._lengths) // 8}Q", self._lengths))
                self._lengths = None
            else:
                arrived = Frame(self._kind, self._parts[0], self._parts[1:])
                self._begin()
                return arrived
            missing = self._missing

    def _read_header(self) -> None:
        self._kind, count, length = HEADER.unpack(self._header)
        self._parts = [bytearray(length)]
        if count:
            self._lengths = bytearray(8 * count)
            self._missing = [memoryview(self._lengths)]
        if length:
            self._missing.append(memoryview(self._parts[0]))

    def _add_parts(self, lengths: Sequence[int]) -> None:
        added = [bytearray(length) for length in lengths]
        self._parts += added
        self._missing = [memoryview(part) for part in added if part]


def send(sock: socket.socket, pieces: Sequence[Data]) -> None:
    """Send all of a frame over a blocking socket."""
    if len(pieces) == 2 and len(pieces[1]) < OUT_OF_BAND:
        sock.sendall(b"".join(pieces))
        return
    for piece in pieces:
        sock.sendall(piece)


# ---------------------------------------------------------------- values


def keep_large(buffers: list[memoryview]) -> Callable[[pickle.PickleBuffer], bool]:
    """A `buffer_callback` that keeps large buffers out of the pickle and lets small ones in."""

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous: pickle has to copy it
            return True
        if raw.nbytes < OUT_OF_BAND:
            return True
        buffers.append(raw)
        return False

    return keep


def dump_by_value(value: object) -> tuple[bytes, list[memoryview]]:
    """Pickle for a worker: what `__main__` or a function defines travels by value."""
    buffers: list[memoryview] = []
    file = io.BytesIO()
    _by_value()(file, 5, buffer_callback=keep_large(buffers)).dump(value)
    return file.getvalue(), buffers


@functools.cache
def _by_value() -> Any:
    """cloudpickle's pickler, but code keeps the name of its file: a traceback without it shows no source."""
    import cloudpickle

    reduce = cloudpickle.Pickler.dispatch_table[types.CodeType]

    def reduce_code(code: types.CodeType) -> tuple[Any, ...]:
        make, arguments = reduce(code)
        return make, tuple(code.co_filename if part == "<dynamic-code>" else part for part in arguments)

    class Pickler(ReducesExceptions, cloudpickle.Pickler):  # type: ignore[misc]  # it has no annotations
        dispatch_table: ClassVar[Any] = ChainMap(
            {types.CodeType: reduce_code}, cloudpickle.Pickler.dispatch_table
        )

    return Pickler


def dump(value: object) -> tuple[bytes, list[memoryview]]:
    """Pickle for the parent, which has defined, or can import, nearly all that there is."""
    buffers: list[memoryview] = []
    try:
        return pickle.dumps(value, 5, buffer_callback=keep_large(buffers)), buffers
    except Exception:  # what pickle cannot do, perhaps cloudpickle can
        return dump_by_value(value)


def load(data: Data, buffers: Sequence[bytearray] = ()) -> object:
    """The value of a pickle and its buffers."""
    return pickle.loads(data, buffers=buffers)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call, a chunk of items, or a slice of their results, stands.

    `key` says which shared object is called; `serial` numbers what one worker has been given, from 1; `start` is
    the index of the first item in its job; `segments` says how many pickles follow; `busy` is how many seconds
    the items took.
    """

    key: int = 0
    serial: int = 0
    start: int = 0
    count: int = 1
    segments: int = 1
    busy: float = 0.0

    def packed(self, pickles: Sequence[bytes]) -> bytes:
        """The payload of a frame: this place, the lengths of the pickles but the last, the pickles."""
        head = _PLACE.pack(self.key, self.serial, self.start, self.count, len(pickles), self.busy)
        lengths = struct.pack(f"<{len(pickles[:-1])}Q", *map(len, pickles[:-1]))
        return b"".join((head, lengths, *pickles))


def unpack(payload: bytearray) -> tuple[Place, list[memoryview]]:
    """The place at the head of a payload, and its pickles.

    >>> place, pickles = unpack(bytearray(Place(start=7, count=2).packed([b"ab", b"c"])))
    >>> place.start, place.segments, [bytes(each) for each in pickles]
    (7, 2, [b'ab', b'c'])
    """
    place = Place(*_PLACE.unpack_from(payload))
    lengths = struct.unpack_from(f"<{max(place.segments - 1, 0)}Q", payload, _PLACE.size)
    rest = memoryview(payload)[_PLACE.size + 8 * len(lengths) :]
    pickles = []
    for length in lengths:
        pickles.append(rest[:length])
        rest = rest[length:]
    return place, [*pickles, rest]


# ---------------------------------------------------------------- errors


def type_name(kind: type) -> str:
    """How a message calls a type.

    >>> type_name(int), type_name(TaskFailed)
    ('int', 'headwater.errors.TaskFailed')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def cannot_travel(what: str, value: object, error: BaseException) -> TargetError:
    """The error for a value that cannot be pickled."""
    return TargetError(
        f"{what} of type {type_name(type(value))} cannot travel between processes: "
        f"{type(error).__name__}: {error}",
        fix="Pass plain data, arrays or data frames; instead of an open file, lock, connection or generator "
        "pass what it takes to open it again.",
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception on its way to the parent; `pickled` is None when it cannot travel as it is."""

    type: str
    message: str
    traceback: str
    pickled: bytes | None

    def exception(self) -> BaseException:
        """The exception itself, or a `TaskFailed` that stands in for it."""
        if self.pickled is not None:
            try:
                error = pickle.loads(self.pickled)
            except Exception:  # it could be loaded in the worker, but not here
                error = None
            if isinstance(error, BaseException):
                return error
        return TaskFailed(f"{self.type}: {self.message}")


def problem_of(error: BaseException) -> Problem:
    """Make an exception ready to travel, with its traceback as text."""
    try:
        message = str(error)
    except Exception:  # an exception of the user's may be broken in any way
        message = "(its message cannot be shown)"
    try:
        pickled: bytes | None = dump_by_value(error)[0]
        back = pickle.loads(pickled or b"")
        if type(back).__qualname__ != type(error).__qualname__:
            pickled = None
    except Exception:  # likewise
        pickled = None
    return Problem(type(error).__name__, message, traceback_of(error), pickled)
