"""What a backend tells the engine. Every event names its node's path; `at` is seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.engine.graph import ErrorClass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `exception` travels with it where the backend has the live object."""

    type: str
    message: str
    error_class: ErrorClass = ErrorClass.ERROR
    node: str = ""
    traceback: str = ""
    exception: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt left the queue and runs (`index` for an item of a map)."""

    path: str
    attempt: int
    at: float
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt ended well. `cached`: nothing ran, the outputs came from the cache."""

    path: str
    attempt: int
    outputs: Mapping[str, object]
    at: float
    cached: bool = False


@dataclass(frozen=True, slots=True)
class TaskSkipped:
    """The task returned `Skipped()`."""

    path: str
    attempt: int
    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed."""

    path: str
    attempt: int
    failure: Failure
    at: float


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer to a `Decide` command; `stage` repeats the command's: condition, when, or until:PASS."""

    path: str
    stage: str
    answer: bool
    at: float


@dataclass(frozen=True, slots=True)
class CacheMissed:
    """The answer to a `Lookup` command that found nothing (a hit is a `Succeeded` with `cached`)."""

    path: str
    at: float


@dataclass(frozen=True, slots=True)
class Sized:
    """The answer to `Measure`: how many items a map has, and which of them are already done."""

    path: str
    total: int
    at: float
    done: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ItemsSucceeded:
    """Items of a map ended well: half-open ranges of indices. The backend keeps their outputs."""

    path: str
    ranges: tuple[tuple[int, int], ...]
    at: float
    cached: int = 0


@dataclass(frozen=True, slots=True)
class ItemFailed:
    """One attempt of one item failed."""

    path: str
    index: int
    attempt: int
    failure: Failure
    at: float


@dataclass(frozen=True, slots=True)
class Collected:
    """The answer to `Collect`: the outputs of a whole map."""

    path: str
    outputs: Mapping[str, object]
    at: float


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that `SetTimer` asked for has run out."""

    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody approved (or refused) a suspended node."""

    path: str
    by: str
    at: float
    granted: bool = True


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run is to end: start nothing more. `kill`: also end what runs; `code`: from `exit_pipeline`.

    Stop (`kill=False`) lets running nodes end; Cancel kills them. With a `code`, the run ends at once
    and counts as succeeded when the code is 0.
    """

    at: float
    kill: bool = False
    reason: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """The run's mutable policy changed; None leaves a value as it is, parallelism 0 lifts the limit."""

    at: float
    suspend: bool | None = None
    parallelism: int | None = None


Event = (
    Started
    | Succeeded
    | TaskSkipped
    | Failed
    | Decided
    | CacheMissed
    | Sized
    | ItemsSucceeded
    | ItemFailed
    | Collected
    | TimerFired
    | Approved
    | Stopped
    | Changed
)
