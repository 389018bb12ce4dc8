"""Whoever looks on while a run goes on: the live view of `flowctl`, or a user's own object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwater.backends.result import RunError, RunResult, run_error
from headwater.engine import Graph, NodeState
from headwater.engine.graph import Call, Condition, Iterate, Loop, Map, Merge, Race, Suspend
from headwater.records import RunInfo

_KINDS = {
    Call: "call", Map: "map", Loop: "loop", Iterate: "iterate", Condition: "condition", Merge: "merge",
    Race: "race", Suspend: "suspend",
}  # fmt: skip


class Observers:
    """Calls those methods that an observer has: `begin`, `changed`, `items`, `note`, `approval`,
    `finished`.

    An observer with a `log_file` attribute is given the path of the run's log; what tasks print then goes
    there only, and the observer shows it.
    """

    def __init__(self, observers: Sequence[object]) -> None:
        self._all = list(observers)
        self.present = bool(observers)
        self.want_lines = any(hasattr(observer, "log_file") for observer in observers)

    def _tell(self, method: str, *arguments: Any, **keywords: Any) -> None:
        for observer in self._all:
            call = getattr(observer, method, None)
            if call is not None:
                call(*arguments, **keywords)

    def begin(self, info: RunInfo, graph: Graph, log_file: str | None) -> None:
        """The run starts."""
        for observer in self._all:
            if hasattr(observer, "log_file"):
                observer.log_file = log_file
        self._tell("begin", info.run_id, info.name, graph)

    def changed(self, state: NodeState) -> None:
        """A node has a new phase, or a map new counts."""
        items = state.items
        if items is not None:
            self.items(state.path, items.total, len(items.done), len(items.failed), len(items.running))
        self.node(
            state.path,
            str(state.phase),
            state.attempt,
            state.ended_at or state.started_at or 0.0,
            kind=_KINDS.get(type(state.node.kind), "task"),
            message=state.message,
            error=run_error(state.failure),
        )

    def items(self, path: str, total: int, done: int, failed: int, running: int) -> None:
        """A map has come further."""
        self._tell("items", path, total, done, failed, running)

    def node(
        self,
        path: str,
        phase: str,
        attempt: int,
        at: float,
        *,
        kind: str,
        message: str,
        error: RunError | None,
    ) -> None:
        """A node has a new phase."""
        self._tell("changed", path, phase, attempt, at, kind=kind, message=message, error=error)

    def note(self, text: str) -> None:
        """Something is to be said about the run as a whole."""
        self._tell("note", text)

    def approval_asked(self, run_id: str, path: str, message: str) -> None:
        """A node waits for a person."""
        self._tell("approval", run_id, path, message)

    def finish(self, result: RunResult) -> None:
        """The run is over."""
        self._tell("finished", result)
