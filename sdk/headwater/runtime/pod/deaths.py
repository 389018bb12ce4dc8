"""Tasks that take the process of their unit down with them: the first process of the container knows which.

The process that works writes down what it is at, in memory that it shares with its parent, and what has failed, in a
file that the next one inherits. When it dies of a task, its parent starts another process. That one finds how those
attempts ended and goes on, as where each task has a process of its own.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.runtime.exits import describe_exit

_SIZE = 64 * 1024

Described = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that failed in an earlier process; `died`: and ended it."""

    path: str
    attempt: int
    index: int | None
    failure: Described
    died: bool = False


class AtWork:
    """What a process is at, as its parent can read it, and which attempts have failed so far.

    >>> at_work = AtWork()
    >>> at_work.begins("train", 1, None)
    >>> at_work.died(-9), at_work.died(-9)
    ('train', None)
    >>> at_work.failed
    [Ended(path='train', attempt=1, index=None, failure={'type': 'WorkerDied', 'message': 'the worker process \
was killed by signal 9 (SIGKILL)', 'class': 'Error'}, died=True)]
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self._file = os.memfd_create("headwater")

    def begins(self, path: str, attempt: int, index: int | None) -> None:
        """From now on an end of this process is the fault of this attempt."""
        note = json.dumps([path, attempt, index]).encode()
        if len(note) < _SIZE:
            self._memory[: len(note) + 1] = note + b"\0"

    def ends(self) -> None:
        """It has ended, and the process goes on."""
        self._memory[0] = 0

    def fails(
        self, path: str, attempt: int, index: int | None, failure: Described, died: bool = False
    ) -> None:
        """An attempt has failed: another process must not do it again."""
        os.write(self._file, json.dumps([path, attempt, index, failure, died]).encode() + b"\n")

    def died(self, code: int) -> str | None:
        """Note the end of a process as the failure of what it was at: its path, None where that was nothing."""
        note = self._memory[: self._memory.find(b"\0")]
        self.ends()
        if not note:
            return None
        path, attempt, index = json.loads(note)
        message = f"the worker process {describe_exit(code)}"
        self.fails(
            path, attempt, index, {"type": "WorkerDied", "message": message, "class": "Error"}, died=True
        )
        return path if index is None else f"{path}[{index}]"

    @property
    def failed(self) -> list[Ended]:
        """The attempts that have failed so far, in order."""
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        return [Ended(*json.loads(line)) for line in content.splitlines()]
