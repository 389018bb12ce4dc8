"""What the mirror is told of a run: immutable rows, each of which is whole.

Whole means that a row says everything about its thing, so that of two rows about one thing the one with the
higher version is the truth, whichever came first. That is what makes writing them idempotent and free of order.

Times are seconds since the epoch; `inputs` and `outputs` are encoded values by name (`document/unit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headwater.engine.events import Failure
from headwater.records.batch import encode_json
from headwater.records.contents import digested, without_secrets

Values = Mapping[str, Any]


@dataclass(frozen=True)
class RunMeta:
    """What does not change in a run. Made once a run, so that it is encoded once; `document` is held, not copied.

    `run_id` is the Workflow's uid, `target` names the cluster, `code` maps refs to digests, `user` is who
    submitted it. `document` is `{apiVersion, kind, metadata: {name}, spec}`; its secrets are masked on the way.
    """

    run_id: str
    name: str
    namespace: str = ""
    created_at: float = 0.0
    document: Mapping[str, Any] | None = None
    inputs: Values = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    project: str | None = None
    target: str = ""
    user: str = ""
    resumed_from: str | None = None

    @cached_property
    def document_digest(self) -> str | None:
        """The digest under which the document is kept."""
        return None if self.document is None else digested(without_secrets(self.document))[1]

    @cached_property
    def texts(self) -> tuple[str, str, str]:
        """Code, inputs and labels as the database keeps them."""
        return encode_json(dict(self.code)), encode_json(dict(self.inputs)), encode_json(dict(self.labels))


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The state of one node. The counts are those of a map's items."""

    path: str
    kind: str
    ref: str
    phase: str
    attempt: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    message: str = ""
    inputs: Values | None = None
    outputs: Values | None = None
    answer: bool | None = None
    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    cached: int | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt of a node."""

    path: str
    attempt: int
    phase: str
    started_at: float | None = None
    finished_at: float | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item of a map that failed or was retried; the others are in a `SliceRow` only."""

    path: str
    index: int
    phase: str
    attempt: int = 1
    failure: Failure | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class SliceRow:
    """All items of a map that have succeeded: `ranges` is "0-41,43"."""

    path: str
    ranges: str
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One failed attempt of a node, or of an item of a map (`index`), with its traceback."""

    path: str
    index: int | None
    attempt: int
    failure: Failure
    raised_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunChange:
    """What one pass of the reconciler changed in a run.

    `version` rises with every pass of the run and is persisted by the operator, so that it rises across restarts.
    A change is offered after its status was accepted by the API server: of two operators, one only has a version.
    `complete`: the rows are all that there is of the run, as after a restart or at the end.
    """

    run: RunMeta
    version: int
    phase: str
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    progress_done: int | None = None
    progress_total: int | None = None
    outputs: Values | None = None
    error: Failure | None = None
    failed_items: int = 0
    nodes: tuple[NodeRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    items: tuple[ItemRow, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    exceptions: tuple[ExceptionRow, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    complete: bool = False

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.run_id
