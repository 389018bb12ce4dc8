"""What a backend tells the engine. Every event names its node's path; `at` is seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from headwater.engine.data import data
from headwater.engine.graph import ErrorClass


@data
class Failure:
    """Why an attempt failed. `exception` travels with it where the backend has the live object."""

    type: str
    message: str
    error_class: ErrorClass = ErrorClass.ERROR
    node: str = ""
    traceback: str = ""
    exception: object = field(default=None, compare=False)


@data
class Started:
    """The attempt left the queue and runs (`index` for an item of a map)."""

    path: str
    attempt: int
    at: float
    index: int | None = None


@data
class Waiting:
    """Why what was handed out does not run yet; without a message it waits no longer."""

    path: str
    attempt: int
    message: str
    at: float


@data
class Succeeded:
    """The attempt ended well. `cached`: nothing ran, the outputs came from the cache."""

    path: str
    attempt: int
    outputs: Mapping[str, object]
    at: float
    cached: bool = False


@data
class TaskSkipped:
    """The task returned `Skipped()`."""

    path: str
    attempt: int
    at: float


@data
class Failed:
    """The attempt failed."""

    path: str
    attempt: int
    failure: Failure
    at: float


@data
class Decided:
    """The answer to a `Decide` command; `stage` repeats the command's: condition, when, or until:PASS."""

    path: str
    stage: str
    answer: bool
    at: float


@data
class CacheMissed:
    """The answer to a `Lookup` command that found nothing (a hit is a `Succeeded` with `cached`)."""

    path: str
    at: float


@data
class Sized:
    """The answer to `Measure`: how many items a map has, and which of them are already done."""

    path: str
    total: int
    at: float
    done: tuple[tuple[int, int], ...] = ()


@data
class ItemsSucceeded:
    """Items of a map ended well: half-open ranges of indices. The backend keeps their outputs."""

    path: str
    ranges: tuple[tuple[int, int], ...]
    at: float
    cached: int = 0


@data
class ItemFailed:
    """One attempt of one item failed."""

    path: str
    index: int
    attempt: int
    failure: Failure
    at: float


@data
class ItemsReturned:
    """Items that were handed out will not be run by whoever had them, and nothing of them was begun."""

    path: str
    ranges: tuple[tuple[int, int], ...]
    at: float


@data
class Collected:
    """The answer to `Collect`: the outputs of a whole map."""

    path: str
    outputs: Mapping[str, object]
    at: float


@data
class TimerFired:
    """A timer that `SetTimer` asked for has run out. `why` says what a node that has not started waits for."""

    key: str
    at: float
    why: str = ""


@data
class Approved:
    """Somebody approved (or refused) a suspended node."""

    path: str
    by: str
    at: float
    granted: bool = True


@data
class Stopped:
    """The run is to end: start nothing more. `kill`: also end what runs; `code`: from `exit_pipeline`.

    Stop (`kill=False`) lets running nodes end; Cancel kills them. With a `code`, the run ends at once
    and counts as succeeded when the code is 0.
    """

    at: float
    kill: bool = False
    reason: str = ""
    code: int | None = None


@data
class Changed:
    """The run's mutable policy changed; None leaves a value as it is, parallelism 0 lifts the limit."""

    at: float
    suspend: bool | None = None
    parallelism: int | None = None


Event = (
    Started
    | Waiting
    | Succeeded
    | TaskSkipped
    | Failed
    | Decided
    | CacheMissed
    | Sized
    | ItemsSucceeded
    | ItemFailed
    | ItemsReturned
    | Collected
    | TimerFired
    | Approved
    | Stopped
    | Changed
)
