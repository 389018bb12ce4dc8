"""What Slurm says of a job: one record a job, or a task of an array; its pending tasks share one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One job, one task of an array, or all tasks of an array that are still pending.

    `tasks` are the indices that it speaks of; None where Slurm has cut the list, so that it may be any.
    `task` is -1 for a job that is no array.
    """

    job: int
    task: int
    state: str
    reason: str = ""
    exit_code: int = 0
    signal: int = 0
    node: str = ""
    restarts: int = 0
    name: str = ""
    tasks: frozenset[int] | None = frozenset()
    comment: str = ""

    def speaks_of(self, index: int) -> bool:
        """Whether it is (also) about this task.

        >>> pending = Record(7, -1, "PENDING", tasks=expand("3-9%2"))
        >>> pending.speaks_of(4), pending.speaks_of(2), Record(7, 2, "RUNNING").speaks_of(2)
        (True, False, True)
        """
        if self.tasks is None:
            return True
        return self.task == index or index in self.tasks or (self.task < 0 and not self.tasks)

    @property
    def where(self) -> str:
        """How messages and Slurm's commands call it: `17`, or `17_3` for a task of an array."""
        return f"{self.job}_{self.task}" if self.task >= 0 else str(self.job)


def expand(expression: str) -> frozenset[int] | None:
    """The indices that Slurm writes as ranges; None when it has cut the text.

    >>> sorted(expand("0-3,7,9-13:2%4"))
    [0, 1, 2, 3, 7, 9, 11, 13]
    >>> expand("0-3,7,...") is None
    True
    """
    if "..." in expression:
        return None
    found: set[int] = set()
    for part in expression.partition("%")[0].strip("[]").split(","):
        if not part:
            continue
        ends, _, step = part.partition(":")
        first, _, last = ends.partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return frozenset(found)


def compressed(indices: Iterable[int]) -> str:
    """Indices as Slurm's `--array` takes them.

    >>> compressed([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    parts: list[str] = []
    first = last = None
    for index in sorted(indices):
        if last is not None and index == last + 1:
            last = index
            continue
        if first is not None:
            parts.append(f"{first}-{last}" if last != first else str(first))
        first = last = index
    if first is not None:
        parts.append(f"{first}-{last}" if last != first else str(first))
    return ",".join(parts)
