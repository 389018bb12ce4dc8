"""What runs inside a worker process: reads frames, calls what was shared, sends back how it went."""

from __future__ import annotations

import atexit
import fcntl
import io
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from headwater.backends.pool.protocol import (
    DOING,
    IDLE,
    LIMIT,
    LOADING,
    PAGE_SIZE,
    SINCE,
    UNPACKING,
    Frame,
    FrameReader,
    Kind,
    Place,
    cannot_travel,
    dump,
    frame,
    load,
    problem_of,
    send,
    unpack,
)

IDLE_SECONDS = 60.0
FLUSH_NANOSECONDS = 5_000_000
FLUSH_BYTES = 1 << 20
_PLAIN = frozenset({int, float, str, bytes, bool, type(None)})


class Terminated(BaseException):
    """SIGTERM has come. It unwinds the task, so that its `finally` blocks run, and then ends the process."""


def main(sock: int, page: int, lifeline: int, parent: int) -> NoReturn:
    """The whole life of a worker."""
    end_with_parent(lifeline, parent)
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a task that is killed must not take its prints along
    worker = Worker(socket.socket(fileno=sock), mmap.mmap(page, PAGE_SIZE))
    try:
        worker.serve()
        atexit._run_exitfuncs()
        _flush_streams()
        os._exit(0)
    except Terminated:
        _flush_streams()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise Terminated


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or taken away by a task
            continue


def end_with_parent(lifeline: int, parent: int) -> None:
    """See to it that this process, and what it has started, ends when its parent does.

    The parent alone holds the other end of the pipe `lifeline`. On Linux the kernel kills our process group the
    moment that end closes: no thread, and C code that never lets go of the interpreter ends as well.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:  # it died before we were ready
            os._exit(1)
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class Worker:
    """Serves one pool over one socket, a call or a chunk of items at a time."""

    def __init__(self, sock: socket.socket, page: mmap.mmap) -> None:
        self._sock = sock
        self._page = memoryview(page).cast("q")
        self._reader = FrameReader(sock)
        self._pickled: dict[int, Frame] = {}
        self._objects: dict[int, Callable[..., object]] = {}
        self._environ: dict[str, str] = dict(os.environ)

    def serve(self) -> None:
        """Do what comes until the pool hangs up or has had nothing to do for a minute."""
        ready = select.poll()
        ready.register(self._sock, select.POLLIN)
        while ready.poll(IDLE_SECONDS * 1000):
            try:
                arrived = self._reader.read()
            except EOFError:
                return
            assert arrived is not None  # the socket blocks
            try:
                self._handle(arrived)
            except ConnectionError:
                return

    def _handle(self, arrived: Frame) -> None:
        match arrived.kind:
            case Kind.ITEMS:
                self._run_items(arrived)
            case Kind.CALL:
                self._run_call(arrived)
            case Kind.SHARE:
                self._pickled[unpack(arrived.payload)[0].key] = arrived
            case Kind.FORGET:
                key = unpack(arrived.payload)[0].key
                self._pickled.pop(key, None)
                self._objects.pop(key, None)
            case Kind.SURROUNDINGS:
                self._adopt(*load(arrived.payload))  # type: ignore[misc]  # see process.Surroundings

    def _adopt(self, cwd: str | None, environ: Mapping[str, str], argv: Sequence[str]) -> None:
        sys.argv = list(argv)
        for name in self._environ.keys() - environ.keys():
            os.environ.pop(name, None)
        os.environ.update(environ)
        self._environ = dict(environ)
        if cwd is not None:
            try:
                os.chdir(cwd)
            except OSError as error:
                print(f"headwater worker: cannot work in {cwd}: {error}", file=sys.stderr)

    def _send(
        self, kind: Kind, place: Place, pickles: Sequence[bytes], buffers: Sequence[memoryview] = ()
    ) -> None:
        send(self._sock, frame(kind, place.packed(pickles), buffers))

    def _object(self, key: int) -> Callable[..., object]:
        if key not in self._objects:
            self._page[DOING] = LOADING
            arrived = self._pickled[key]
            _, (pickled,) = unpack(arrived.payload)
            self._objects[key] = load(pickled, arrived.buffers)  # type: ignore[assignment]  # what was shared
            del self._pickled[key]
        return self._objects[key]

    def _loaded(self, place: Place) -> Callable[..., object] | None:
        try:
            return self._object(place.key)
        except Terminated:
            raise
        except BaseException as error:
            self._page[DOING] = IDLE
            self._send(Kind.UNLOADABLE, place, [dump(problem_of(error))[0]])
            return None

    # ------------------------------------------------------------ calls

    def _run_call(self, arrived: Frame) -> None:
        place, (pickled,) = unpack(arrived.payload)
        called = self._loaded(place)
        if called is None:
            return
        page = self._page
        page[SINCE] = time.monotonic_ns()
        page[DOING] = place.serial
        self._send(Kind.STARTED, place, [])
        try:
            arguments: Any = load(pickled, arrived.buffers)
            value = called(*arguments)
            data, buffers = _dumped(value, "the returned value")
        except Terminated:
            raise
        except BaseException as error:
            data = dump(problem_of(error))[0]
            page[DOING] = IDLE
            self._send(Kind.RAISED, place, [data])
        else:
            page[DOING] = IDLE
            self._send(Kind.RETURNED, place, [data], buffers)

    # ------------------------------------------------------------ items

    def _run_items(self, arrived: Frame) -> None:
        place, (pickled,) = unpack(arrived.payload)
        called = self._loaded(place)
        if called is None:
            return
        page = self._page
        page[DOING] = UNPACKING
        try:
            items: Any = load(pickled, arrived.buffers)
        except Terminated:
            raise
        except BaseException as error:
            page[DOING] = IDLE
            self._send(Kind.UNPACKABLE, place, [dump(problem_of(error))[0]])
            return
        results = Results(self._send, place)
        flushed = now = time.monotonic_ns()
        index = place.start
        serial = place.serial
        for position in range(place.count):
            item = items[position]
            items[position] = None  # a large item is not kept until the end of its chunk
            page[SINCE] = now
            page[DOING] = serial
            if serial >= page[LIMIT]:  # the parent has given the rest to others
                page[DOING] = IDLE
                results.flush()
                self._send(Kind.CUT, Place(place.key, place.serial, index), [])
                return
            try:
                results.add(called(index, item))
            except Terminated:
                raise
            except BaseException as error:
                results.add_problem(index, error)
            page[DOING] = IDLE
            index += 1
            serial += 1
            now = time.monotonic_ns()
            if now - flushed > FLUSH_NANOSECONDS or results.is_full:
                results.flush()
                flushed = now = time.monotonic_ns()
        results.flush()


class Results:
    """The results of a chunk that have not been sent yet: consecutive items, in order."""

    def __init__(self, send_frame: Callable[..., None], place: Place) -> None:
        self._send = send_frame
        self._key = place.key
        self._serial = place.serial
        self._start = place.start
        self._began = time.monotonic_ns()
        self._plain: list[object] = []
        self._count = 0
        self._size = 0
        self._segments: list[bytes] = []
        self._buffers: list[memoryview] = []

    @property
    def is_full(self) -> bool:
        """Whether so much has come together that it must go."""
        return self._size > FLUSH_BYTES

    def add(self, value: object) -> None:
        """One more result. What could still change (an array that the next item fills anew) is pickled now."""
        if _is_plain(value):
            self._plain.append(value)
            return
        data, buffers = _dumped([value], "the returned value")
        self._close_segment()
        self._segments.append(data)
        self._count += 1
        self._size += len(data)
        if buffers:
            self._buffers = buffers
            self._size = FLUSH_BYTES + 1

    def add_problem(self, index: int, error: BaseException) -> None:
        """One item has raised."""
        self.flush()
        data = dump(problem_of(error))[0]
        self._send(Kind.RAISED, Place(self._key, self._serial, index, 1), [data])
        self._start = index + 1
        self._began = time.monotonic_ns()

    def flush(self) -> None:
        """Send what there is."""
        self._close_segment()
        if self._count:
            now = time.monotonic_ns()
            busy = (now - self._began) / 1e9
            place = Place(self._key, self._serial, self._start, self._count, busy=busy)
            self._send(Kind.RESULTS, place, self._segments, self._buffers)
            self._start += self._count
            self._count = self._size = 0
            self._segments = []
            self._buffers = []
        self._began = time.monotonic_ns()

    def _close_segment(self) -> None:
        if self._plain:
            data = dump(self._plain)[0]
            self._segments.append(data)
            self._count += len(self._plain)
            self._size += len(data)
            self._plain = []


def _is_plain(value: object) -> bool:
    """Whether a result may be pickled later, with others: nothing in it is likely to change."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is not dict:
        return False
    items = value.items()  # type: ignore[attr-defined]  # it is a dict
    return all(type(name) is str and type(part) in _PLAIN for name, part in items)


def _dumped(value: object, what: str) -> tuple[bytes, list[memoryview]]:
    try:
        return dump(value)
    except Terminated:
        raise
    except BaseException as error:
        shown = value[0] if type(value) is list and len(value) == 1 else value
        for name, part in shown.items() if type(shown) is dict else ():
            if not _can_travel(part):
                what, shown = f"{what} {name!r}", part
                break
        raise cannot_travel(what, shown, error) from None


def _can_travel(value: object) -> bool:
    try:
        dump(value)
    except Exception:  # whatever pickling somebody's object raises
        return False
    return True
