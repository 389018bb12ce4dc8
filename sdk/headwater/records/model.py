"""What the records say, as immutable data. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.engine.intervals import Range

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Error:
    """Why something failed: the node where it began, the exception's type and message, the failure class."""

    type: str
    message: str
    error_class: str = "Error"
    node: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run. One on a cluster has a namespace, `target` names the cluster, and its `pid` is 0."""

    run_id: str
    name: str
    phase: str
    backend: str
    target: str
    started_at: float
    finished_at: float | None
    message: str = ""
    error: Error | None = None
    exit_code: int | None = None
    failed_items: int = 0
    resumed_from: str | None = None
    host: str = ""
    pid: int = 0
    user: str = ""
    inputs: Json = field(default_factory=dict)
    outputs: Json = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    document_digest: str | None = None
    configuration_digest: str | None = None
    namespace: str = ""
    project: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    progress_done: int | None = None
    progress_total: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen in it."""
        return self.phase not in ("Pending", "Running", "Suspended")


@dataclass(frozen=True, slots=True)
class Node:
    """A recorded node. `outputs` are encoded values by name; the counts are those of a map's items."""

    path: str
    phase: str
    kind: str = ""
    ref: str = ""
    attempt: int = 0
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    inputs: Json | None = None
    outputs: Json | None = None
    answer: bool | None = None
    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    cached: int | None = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a node."""

    path: str
    attempt: int
    phase: str
    started_at: float | None = None
    finished_at: float | None = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a map. Items that succeeded at once say no more than that."""

    index: int
    phase: str
    attempt: int = 1
    finished_at: float | None = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """A recorded exception; `index` is None where the node is not an item of a map."""

    path: str
    index: int | None
    attempt: int
    type: str
    message: str
    error_class: str
    traceback: str
    raised_at: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run: an attempt began or ended, an item of a map raised an exception."""

    at: float
    path: str
    index: int | None
    attempt: int
    phase: str
    message: str


@dataclass(frozen=True, slots=True)
class Slice:
    """Items of a map that succeeded together: half-open ranges, one encoded value with all outputs."""

    ranges: tuple[Range, ...]
    outputs: Json | None


@dataclass(frozen=True, slots=True)
class KnownNode:
    """What a resume needs of a node: outputs by name (encoded), a condition's answer, a map's items.

    `done` is the union of the slices' ranges, `failed` maps the index of a failed item to its error.
    """

    phase: str
    outputs: Json | None = None
    answer: bool | None = None
    total: int | None = None
    done: tuple[Range, ...] = ()
    slices: tuple[Slice, ...] = ()
    failed: Mapping[int, Error] = field(default_factory=dict)
