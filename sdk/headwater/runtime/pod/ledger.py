"""How each task inside a unit has ended: for the report, and in the journal for an attempt that may follow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from headwater.document.unit import TaskRecord, UnitReport
from headwater.engine import ENDED, NodeState, Phase
from headwater.engine.events import Event, ItemsSucceeded
from headwater.engine.graph import Loop, Node
from headwater.runtime.inline import InlineExecutor
from headwater.runtime.pod import report
from headwater.runtime.pod.deaths import AtWork
from headwater.runtime.pod.journal import Journal
from headwater.runtime.pod.texts import clean, cut

_FLUSH_SECONDS = 1.0
_ERROR = 500


class Ledger:
    """A watcher of the engine inside a unit."""

    def __init__(
        self, prefix: str, journal: Journal, executor: InlineExecutor, at_work: AtWork | None = None
    ) -> None:
        self._prefix = prefix
        self._at_work = at_work
        self._journal = journal
        self._executor = executor
        self._records: dict[str, TaskRecord] = {}
        self._items: dict[str, list[tuple[int, int]]] = {}
        self._flushed = 0.0
        self._tell_at = 0.0

    @property
    def records(self) -> tuple[TaskRecord, ...]:
        """All that have ended, in the order in which they did."""
        return tuple(self._records.values())

    def nodes_changed(self, states: Iterable[NodeState]) -> None:
        """Note those that have ended."""
        before = len(self._records)
        for state in states:
            if state.phase in ENDED:
                kept = self._journal.records.get(state.path) if state.attempt == 0 else None
                self._records[state.path] = kept or self._record(state)
                if kept is None and _may_be_kept(state):
                    self._journal.node_ended(state, self._records[state.path])
                elif kept is None:
                    self._failed_for_good(state)
        if len(self._records) != before:
            self._tell()

    def _failed_for_good(self, state: NodeState) -> None:
        """Another process in this pod takes the failure over, unless something around it may be tried again."""
        if self._at_work is None or state.failure is None or state.phase is not Phase.FAILED:
            return
        if self._journal.is_open and not any(owner.policy.retry.limit for owner in _around(state)):
            from headwater.runtime.pod.failures import as_data

            record = UnitReport(tasks=(self._records[state.path],)).to_json()["tasks"][0]
            self._at_work.fails_for_good(state.path, as_data(state.failure), record)

    def _tell(self) -> None:
        """Leave word of what has ended so far, in case that this process is killed."""
        began = time.monotonic()
        if began >= self._tell_at:
            report.write(UnitReport(tasks=self.records))
            ended = time.monotonic()
            self._tell_at = ended + 20 * (ended - began)  # at most a twentieth of the time goes into it

    def happened(self, event: Event) -> None:
        """Keep the outputs of items, every now and then."""
        if not isinstance(event, ItemsSucceeded) or not self._journal.is_open:
            return
        self._items.setdefault(event.path, []).extend(event.ranges)
        wants_flush = self._at_work is not None and self._at_work.wants_flush
        if event.at - self._flushed < _FLUSH_SECONDS and not wants_flush:
            return
        self._flushed = event.at
        for path, ranges in self._items.items():
            job = self._executor.maps.get(path)
            if job is not None:
                results = {i: job.results[i] for start, stop in ranges for i in range(start, stop)}
                self._journal.items_ended(path, results)
        self._items.clear()
        if self._at_work is not None:
            self._at_work.flushed()

    def approval_asked(self, path: str, message: str) -> None:
        """Blocks that wait for a person are no units."""

    def close(self) -> None:
        """Write the records down: the report may have no room for all."""
        self._journal.close(self.records)

    def _record(self, state: NodeState) -> TaskRecord:
        began, ended = state.started_at or 0.0, state.ended_at or 0.0
        failure, items = state.failure, state.items
        failed = failure is not None and state.phase is Phase.FAILED
        error = cut(clean(f"{failure.type}: {failure.message}"), _ERROR) if failed and failure else ""
        return TaskRecord(
            self._prefix + state.path,
            str(state.phase),
            state.attempt,
            began,
            max(ended - began, 0.0) if began else 0.0,
            error,
            None if items is None else (items.total, len(items.done), len(items.failed)),
            str(failure.error_class) if failed and failure else "Error",
            self._prefix + failure.node
            if failed and failure and failure.node not in ("", state.path)
            else "",
        )


def _may_be_kept(state: NodeState) -> bool:
    """Whether an attempt that follows may take the outcome over: it says what ran, and will be asked for again."""
    if state.phase is Phase.SKIPPED and state.attempt == 0:
        return False  # for a reason outside of it, which will be there again
    if state.phase not in (Phase.SUCCEEDED, Phase.CACHED, Phase.SKIPPED):
        return False
    # Passes without end begin anew.
    return not any(isinstance(node.kind, Loop) and node.kind.iterations is None for node in _around(state))


def _around(state: NodeState) -> Iterator[Node]:
    """The nodes that hold a node, the nearest first."""
    frame = state.frame
    while frame.owner is not None:
        yield frame.owner.node
        frame = frame.owner.frame
