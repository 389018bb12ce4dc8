"""What a pool reports from `poll`: how a call, or an item of a job, went."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A worker has begun with a call; from here on a timeout makes sense."""

    job_id: Hashable
    pid: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A call has returned."""

    job_id: Hashable
    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """A call has raised, or a job of items ended as a whole because its object cannot be loaded."""

    job_id: Hashable
    exception: BaseException
    traceback: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Died:
    """The worker process ended in a call, or again and again while it loaded what a job calls.

    `message` goes on after "the worker process": `was killed by signal 9 (SIGKILL)`.
    """

    job_id: Hashable
    message: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class ItemsReturned:
    """Items of a job have returned: `values[0]` belongs to the item `start`, and so on."""

    job_id: Hashable
    start: int
    values: Sequence[object]


@dataclass(frozen=True, slots=True)
class ItemRaised:
    """One item of a job has raised."""

    job_id: Hashable
    index: int
    exception: BaseException
    traceback: str
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class ItemDied:
    """The worker process ended in this item; the other items it held run elsewhere."""

    job_id: Hashable
    index: int
    message: str
    timed_out: bool = False


Report = JobStarted | Returned | Raised | Died | ItemsReturned | ItemRaised | ItemDied
