"""Tasks that take the process of their unit down with them: the first process of the container knows which.

The process that works writes down what it is at, in memory that it shares with its parent. When it dies of that, the
parent starts another one, which counts the attempt as failed and goes on: as where each task has a process of its own.
"""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass, field

_SIZE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Death:
    """A process that ended at this attempt of a task, or of an item of a map."""

    path: str
    attempt: int
    index: int | None
    code: int
    """As `os.waitstatus_to_exitcode` gives it: a signal is negative."""

    @property
    def where(self) -> str:
        """What the process was at."""
        return self.path if self.index is None else f"{self.path}[{self.index}]"


@dataclass(slots=True)
class AtWork:
    """What a process is at, as its parent can read it, and the deaths so far.

    >>> at_work = AtWork()
    >>> at_work.begins("train", 1, None)
    >>> at_work.died(-9)
    Death(path='train', attempt=1, index=None, code=-9)
    >>> at_work.ends()
    >>> at_work.died(-9) is None
    True
    """

    deaths: list[Death] = field(default_factory=list)
    _memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, _SIZE))

    def begins(self, path: str, attempt: int, index: int | None) -> None:
        """From now on an end of this process is the fault of this attempt."""
        note = json.dumps([path, attempt, index]).encode()
        if len(note) < _SIZE:
            self._memory[: len(note) + 1] = note + b"\0"

    def ends(self) -> None:
        """It has ended, and the process goes on."""
        self._memory[0] = 0

    def died(self, code: int) -> Death | None:
        """What a process that has died with this code was at; None where that was nothing of the user's."""
        note = self._memory[: self._memory.find(b"\0")]
        if not note:
            return None
        path, attempt, index = json.loads(note)
        return Death(path, attempt, index, code)
