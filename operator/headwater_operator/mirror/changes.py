"""What the engine says of a run, as a change for the mirror: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headwater.document.unit import TaskRecord
from headwater.engine.engine import Engine
from headwater.engine.events import Event, Failure, ItemFailed, ItemsSucceeded
from headwater.engine.graph import (
    Call,
    Condition,
    Graph,
    Iterate,
    Kind,
    Loop,
    Map,
    Merge,
    Race,
    Suspend,
    Task,
)
from headwater.engine.plan import edges_of
from headwater.engine.state import ENDED, MapState, NodeState, Phase

from headwater_operator.mirror.rows import (
    AttemptRow,
    ExceptionRow,
    ItemRow,
    NodeRow,
    RunChange,
    RunMeta,
    SliceRow,
    Values,
)
from headwater_operator.run.values import encoded

Times = Mapping[str, tuple[float | None, float | None]]

_KINDS: Mapping[type, str] = {
    Task: "task", Call: "call", Map: "map", Loop: "loop", Iterate: "iterate", Condition: "condition",
    Merge: "merge", Race: "race", Suspend: "suspend",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in nodes and items of maps."""

    done: int = 0
    total: int = 0
    failed_items: int = 0


def change_of(
    engine: Engine,
    run: RunMeta,
    version: int,
    changed: Iterable[NodeState] | None,
    *,
    events: Iterable[Event] = (),
    fused: Iterable[TaskRecord] = (),
    times: Times | None = None,
    phase: str | None = None,
    message: str = "",
    started_at: float | None = None,
    finished_at: float | None = None,
    progress: Progress | None = None,
    waiting: Mapping[str, str] | None = None,
) -> RunChange:
    """What one pass changed: `changed` as `engine.take_changes()` gave it, or None for the complete state.

    `events` are those that the pass fed the engine: from them come failed attempts of items, with tracebacks.
    `fused` are the tasks inside units whose reports the pass has read. `times` maps the path of a node to when its
    latest attempt began and ended, where that is known better than the engine knows it. `progress` may be
    given by a caller that has counted already. `waiting` says why nodes that have been handed out do not run.

    The first change of a run is the complete state. The last need not be: changes know times of items
    that the complete state does not.

    >>> from headwater.engine.graph import Block, Node
    >>> graph = Graph({"main": Block("main", (Node("gen", Task("m:Gen")),))}, "main")
    >>> engine = Engine(graph, {}); _ = engine.start(at=5.0)
    >>> change = change_of(engine, RunMeta("u1", "reduce", "lab"), 1, engine.take_changes())
    >>> [(row.path, row.phase, row.started_at) for row in change.nodes], change.phase
    ([('gen', 'Running', 5.0)], 'Running')
    """
    complete = changed is None
    if changed is None:
        states = [state for state in engine.states.values() if _has_begun(state)]
    else:  # not by path: a block that is tried again has new states in the place of the old ones
        states = list({id(state): state for state in changed}.values())
    if engine.ended and not complete:
        seen = {state.path for state in states}
        states += [s for s in engine.states.values() if s.phase not in ENDED and s.path not in seen]
    rows = _Rows(engine, times or {}, waiting or {})
    for state in states:
        rows.node(state, complete=complete)
    if not complete:
        rows.items_around(states)
    for event in events:
        rows.happened(event)
    for record in fused:
        rows.inside_unit(record)
    counted = progress or progress_of(engine)
    ended = engine.ended
    return RunChange(
        run,
        version,
        phase or str(engine.phase),
        message,
        started_at,
        finished_at if finished_at is not None or not ended else engine.now,
        counted.done,
        counted.total,
        _values(engine.outputs) if ended else None,
        engine.error,
        counted.failed_items,
        tuple(rows.nodes),
        tuple(rows.attempts),
        tuple(rows.items),
        tuple(rows.slices),
        tuple(rows.exceptions),
        tuple(edges_of(engine.graph)) if complete else (),
        complete,
    )


_COUNTED = ENDED - {Phase.CANCELLED}
"""Nothing came of a node that was cancelled: it is no progress."""


def progress_of(engine: Engine) -> Progress:
    """Count what has ended: nodes that hold no others, and the items of maps.

    >>> from headwater.engine.graph import Block, Node
    >>> graph = Graph({"main": Block("main", (Node("gen", Task("m:Gen")),))}, "main")
    >>> engine = Engine(graph, {}); _ = engine.start(at=5.0)
    >>> progress_of(engine)
    Progress(done=0, total=1, failed_items=0)
    """
    done = total = failed = 0
    for state in engine.states.values():
        items = state.items
        if items is not None:
            failed += len(items.failed)
            total += items.total
            done += items.total if state.phase in _COUNTED else len(items.done) + len(items.failed)
        elif not state.children:
            total += 1
            done += state.phase in _COUNTED
    return Progress(done, total, failed)


def _has_begun(state: NodeState) -> bool:
    return state.phase is not Phase.PENDING or state.attempt > 0 or bool(state.message)


class _Rows:
    """Collects the rows of one change."""

    def __init__(self, engine: Engine, times: Times, waiting: Mapping[str, str]) -> None:
        self._engine = engine
        self._times = times
        self._waiting = waiting
        self.nodes: list[NodeRow] = []
        self.attempts: list[AttemptRow] = []
        self.items: list[ItemRow] = []
        self.slices: list[SliceRow] = []
        self.exceptions: list[ExceptionRow] = []

    # ------------------------------------------------------------ nodes

    def node(self, state: NodeState, *, complete: bool) -> None:
        """The rows of one node; of a map also its items, where everything is wanted."""
        phase, ended_at, items = state.phase, state.ended_at, state.items
        if self._engine.ended and phase not in ENDED:  # nothing of a run that is over may stay `Running`
            phase, ended_at = Phase.CANCELLED, self._engine.now
        ended = phase in ENDED
        started, finished = self._times.get(state.path, (None, None))
        started_at = state.started_at if state.started_at is not None else started
        if started_at is None and phase in (Phase.SKIPPED, Phase.CACHED):
            started_at = ended_at
        self.nodes.append(
            NodeRow(
                state.path,
                _KINDS.get(type(state.node.kind), "container"),
                state.node.kind.ref if type(state.node.kind) is Task else "",
                str(phase),
                state.attempt,
                started_at,
                ended_at if ended else None,
                state.message if ended else self._waiting.get(state.path) or state.message,
                None,
                _values(state.outputs) if state.outputs is not None and ended else None,
                state.answer,
                None if items is None else items.total,
                None if items is None else len(items.done),
                None if items is None else len(items.failed),
                None if items is None else items.cached,
                state.failure if phase is Phase.FAILED else None,
            )
        )
        if state.attempt and (ended or phase is Phase.RUNNING):
            if started is None and state.attempt == 1:
                started = state.started_at
            failure = state.failure if ended else None
            end = (finished if finished is not None else ended_at) if ended else None
            self.attempts.append(AttemptRow(state.path, state.attempt, str(phase), started, end, failure))
        self._failed_attempt(state, complete=complete)
        if items is not None and len(items.done):
            at = ended_at if ended_at is not None else self._engine.now
            self.slices.append(SliceRow(state.path, str(items.done), at))
        if items is not None and complete:
            self.items += _item_rows(state.path, items)
            # Without a time: written only where nothing better is known.
            self.exceptions += [
                ExceptionRow(state.path, index, items.attempts.get(index, 1), failure)
                for index, failure in items.failed.items()
            ]

    def _failed_attempt(self, state: NodeState, *, complete: bool) -> None:
        """What was raised in the attempt that has just failed; also where another one follows."""
        failure, number, at = state.failure, state.attempt, state.ended_at
        if failure is None:
            return
        if state.phase not in ENDED:
            if complete or state.items is not None:
                return
            if state.stage != "retry":
                if state.node.policy.retry.initial:
                    return  # it was told when it failed
                number -= 1
            at = self._engine.now
            if not number:
                return
            self.attempts.append(AttemptRow(state.path, number, "Failed", *self._span(state, at), failure))
        if failure.node and failure.node != state.path and failure.node in self._engine.states:
            return  # an exception is kept where it began, not again at every block around it
        self.exceptions.append(ExceptionRow(failure.node or state.path, None, number, failure, at))

    def _span(self, state: NodeState, at: float) -> tuple[float | None, float]:
        started, finished = self._times.get(state.path, (None, None))
        if state.stage == "retry":
            first = state.started_at if state.attempt == 1 else None
            return (started if started is not None else first, finished if finished is not None else at)
        return (state.started_at if state.attempt == 2 else None, at)

    # ------------------------------------------------------------ items, units

    def happened(self, event: Event) -> None:
        """Attempts of items that failed, and items that succeeded after that."""
        if type(event) is ItemFailed:
            row = ItemRow(event.path, event.index, "Failed", event.attempt, event.failure, event.at)
            self.items.append(row)
            self.exceptions.append(
                ExceptionRow(event.path, event.index, event.attempt, event.failure, event.at)
            )
        elif type(event) is ItemsSucceeded:
            state = self._engine.states.get(event.path)
            if state is None or state.items is None or not state.items.attempts:
                return
            for index, attempt in _within(state.items.attempts, event.ranges):
                self.items.append(ItemRow(event.path, index, "Succeeded", attempt, None, event.at))

    def items_around(self, states: Iterable[NodeState]) -> None:
        """Items that the engine runs node by node: those that failed, and those that were tried again."""
        for frame in {id(state.frame): state.frame for state in states}.values():
            owner = frame.owner
            if owner is None or owner.items is None or not frame.key[1:-1].isdecimal():
                continue
            items, index = owner.items, int(frame.key[1:-1])
            tried = items.attempts.get(index, 1)
            if index in items.failed:
                failure: Failure | None = items.failed[index]
                phase = "Failed"
            elif tried > 1 and not frame.remaining:
                failure = frame.failed
                phase, tried = ("Failed", tried - 1) if failure is not None else ("Succeeded", tried)
            else:
                continue
            at = max((s.ended_at for s in frame.nodes if s.ended_at is not None), default=self._engine.now)
            self.items.append(ItemRow(owner.path, index, phase, tried, failure, at))

    def inside_unit(self, record: TaskRecord) -> None:
        """A task that ran inside a unit."""
        finished_at = record.started_at + record.seconds
        kind, ref = _kind_at(self._engine.graph, record.path)
        failure = _failure_in(record) if record.phase == Phase.FAILED else None
        total, succeeded, failed = record.items or (None, None, None)
        self.nodes.append(
            NodeRow(
                record.path,
                "map" if record.items else kind,
                ref,
                record.phase,
                record.attempts,
                record.started_at,
                finished_at,
                "" if failure else record.error,
                total=total,
                succeeded=succeeded,
                failed=failed,
                error=failure,
            )
        )
        if record.attempts:
            self.attempts.append(
                AttemptRow(
                    record.path, record.attempts, record.phase, record.started_at, finished_at, failure
                )
            )


def _item_rows(path: str, items: MapState) -> Iterator[ItemRow]:
    for index, failure in items.failed.items():
        yield ItemRow(path, index, "Failed", items.attempts.get(index, 1), failure)
    for index, attempt in items.attempts.items():
        if index in items.failed:
            continue
        if index in items.done:
            yield ItemRow(path, index, "Succeeded", attempt)
        else:
            yield ItemRow(path, index, "Failed", attempt - 1)


def _within(attempts: Mapping[int, int], ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, stop in ranges:
        if stop - start < len(attempts):
            yield from ((i, attempts[i]) for i in range(start, stop) if i in attempts)
        else:
            yield from ((i, attempt) for i, attempt in attempts.items() if start <= i < stop)


def _failure_in(record: TaskRecord) -> Failure:
    kind, colon, message = record.error.partition(": ")
    if not colon or not kind.replace(".", "").isidentifier():
        kind, message = "Failed", record.error
    return Failure(kind, message, node=record.path)


def _kind_at(graph: Graph, path: str) -> tuple[str, str]:
    """The kind and the reference of the node at a path, whatever passes and items are in it."""
    block = graph.blocks[graph.entrypoint]
    names = [part.partition("[")[0] for part in path.split("/")]
    kind: Kind | None = None
    for i, name in enumerate(names):
        if isinstance(kind, Race):
            block = graph.blocks.get(name, block)
            kind = Call(block.name)
            continue
        node = block.by_name.get(name)
        if node is None:
            return "task", ""
        kind = node.kind
        if i + 1 < len(names):
            body = kind.body if isinstance(kind, Map) else kind
            if isinstance(body, Call | Loop | Iterate):
                block = graph.blocks[body.block]
    if isinstance(kind, Map) and path.endswith("]"):
        kind = kind.body
    return _KINDS.get(type(kind), "container"), kind.ref if isinstance(kind, Task) else ""


def _values(values: Mapping[str, object]) -> Values:
    return {name: encoded(value) for name, value in values.items()}
