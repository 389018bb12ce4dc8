"""Tasks that take the process of their unit down with them: the first process of the container knows which.

The process that works writes down what it is at, in memory that it shares with its parent, and what it must not do
again, in files that the next one inherits. When it dies of a task, its parent starts another process. That one finds
how those attempts ended and goes on, as where each task has a process of its own.
"""

from __future__ import annotations

import json
import mmap
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from headwater.engine.data import data
from headwater.runtime.exits import describe_exit

_SIZE = 64 * 1024
MOST_BYTES = 16 << 20
"""Beyond this, failures leave their tracebacks and exceptions behind: all of it is the container's memory."""

LARGEST_OUTPUTS = 64 * 1024

Described = Mapping[str, Any]
Key = tuple[str, "int | str | None"]
"""The path of a node; with the index of an item, or the stage of a question."""


@data
class Ended:
    """An attempt that failed at a time in an earlier process; `died`: and ended it."""

    failure: Described
    at: float
    died: bool = False


@data
class Final:
    """A node that had failed for good: why, and its record as plain data."""

    failure: Described
    record: list[Any]


class AtWork:
    """What a process is at, as its parent can read it, and what has come to an end so far.

    >>> at_work = AtWork()
    >>> at_work.begins(("train", None))
    >>> at_work.died(-9), at_work.died(-9)
    ('train', None)
    >>> at_work.attempts()[("train", None)][0].failure["message"]
    'the worker process was killed by signal 9 (SIGKILL)'
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.deaths = 0
        self._memory = mmap.mmap(-1, _SIZE)
        self._failures = _Lines("failures")
        self._items = _Lines("items")
        self.wants_flush = False

    # ------------------------------------------------------------ what it is at

    def begins(self, key: Key) -> None:
        """From now on an end of this process is the fault of this."""
        note = json.dumps(key).encode()
        if len(note) < _SIZE:
            self._memory[: len(note) + 1] = note + b"\0"

    def ends(self) -> None:
        """It has ended, and the process goes on."""
        self._memory[0] = 0

    def died(self, code: int) -> str | None:
        """Note the end of a process as the failure of what it was at: where that is; None where it was nothing."""
        note = self._memory[: self._memory.find(b"\0")]
        self.ends()
        if not note:
            return None
        path, part = json.loads(note)
        message = f"the worker process {describe_exit(code)}"
        failure = {"type": "WorkerDied", "message": message, "class": "Error"}
        self.fails((path, part), failure, time.time(), died=True)
        self.deaths += 1
        return str(path) if part is None else f"{path}[{part}]"

    # ------------------------------------------------------------ what must not be done again

    def fails(self, key: Key, failure: Described, at: float, *, died: bool = False) -> None:
        """An attempt has failed."""
        self._failures.write(["attempt", key, self._bounded(failure), at, died])

    def fails_for_good(self, path: str, failure: Described, record: list[Any]) -> None:
        """A node has failed, and is not tried again."""
        self._failures.write(["final", path, self._bounded(failure), record])

    def _bounded(self, failure: Described) -> Described:
        if self._failures.size < MOST_BYTES:
            return failure
        return {name: text for name, text in failure.items() if name not in ("traceback", "pickle")}

    def attempts(self) -> dict[Key, deque[Ended]]:
        """The failed attempts, in their order."""
        found: dict[Key, deque[Ended]] = {}
        for kind, *rest in self._failures.read():
            if kind == "attempt":
                key, failure, at, died = rest
                found.setdefault((key[0], key[1]), deque()).append(Ended(failure, at, died))
        return found

    def finals(self) -> dict[str, Final]:
        """The nodes that failed for good, by path."""
        return {rest[0]: Final(rest[1], rest[2]) for kind, *rest in self._failures.read() if kind == "final"}

    def keeps(self, path: str, index: int, outputs: object) -> None:
        """An item has ended well; kept until the journal has it."""
        import base64
        import pickle

        try:
            content = pickle.dumps(outputs, protocol=5)
        except Exception:  # the user's own class: what cannot be kept is done again
            return
        if len(content) > LARGEST_OUTPUTS:
            self.wants_flush = True
        else:
            self._items.write([path, index, base64.b64encode(content).decode()])

    def kept(self) -> dict[str, dict[int, Any]]:
        """The outputs of the items that the journal does not have."""
        import base64
        import pickle

        found: dict[str, dict[int, Any]] = {}
        for path, index, content in self._items.read():
            found.setdefault(path, {})[index] = pickle.loads(base64.b64decode(content))
        return found

    def flushed(self) -> None:
        """The journal has all items."""
        self.wants_flush = False
        self._items.clear()


class _Lines:
    """A file in memory, of JSON lines, that processes inherit."""

    def __init__(self, name: str) -> None:
        self._file = os.memfd_create(f"headwater-{name}")

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    def write(self, entry: list[Any]) -> None:
        os.pwrite(self._file, json.dumps(entry).encode() + b"\n", self.size)

    def read(self) -> Iterator[list[Any]]:
        for line in os.pread(self._file, self.size, 0).splitlines():
            yield json.loads(line)

    def clear(self) -> None:
        os.ftruncate(self._file, 0)
