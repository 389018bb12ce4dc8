"""Feed events to the engine and sort out its commands: what can be answered here is, the rest becomes steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from headwater.document.unit import Encoded, ItemFiles
from headwater.engine.commands import (
    AskApproval,
    Cancel,
    ClearTimer,
    Collect,
    Command,
    Decide,
    Lookup,
    Measure,
    SetTimer,
    Start,
    StartItems,
)
from headwater.engine.events import CacheMissed, Collected, Decided, Event, Failed, Failure, Sized, TimerFired
from headwater.engine.graph import Call, Container, ErrorClass, Graph, Map, Test
from headwater.engine.intervals import IntervalSet
from headwater.engine.state import NodeState

from headwater_operator.builders import MapStep, UnitStep, cluster_of
from headwater_operator.run.graph import ENTRY_UNIT
from headwater_operator.run.memory import Effects, Run, Wave
from headwater_operator.run.values import (
    LARGEST_INLINE,
    NotMappableError,
    common_length,
    encoded,
    encoded_inputs,
    list_of,
    tested,
)

MOST_STEPS = 100_000
"""Answers that the operator gives to a run by itself before it looks after others: a second of its time."""


class Feeder:
    """Drives the engine of one run through one pass; `effects` is what has to be done then."""

    def __init__(self, run: Run, now: float, *, has_store: bool) -> None:
        self.run = run
        self.now = now
        self.effects = Effects()
        self._has_store = has_store
        self._events: deque[Event] = deque()
        self._starts: dict[tuple[str, int], StartItems] = {}

    def start(self) -> None:
        """Begin the run."""
        self._take(self.run.engine.start(self.now))
        self._drain()

    def feed(self, events: Iterable[Event]) -> None:
        """Tell the engine what has happened, and what follows from that."""
        told = list(events)
        self.run.heard += told
        self._events.extend(told)
        self._drain()

    def fire_timers(self) -> None:
        """Tell the engine of the timers that are due."""
        timers = self.run.timers
        for key in sorted((key for key, due in timers.items() if due <= self.now), key=timers.__getitem__):
            if timers.pop(key, None) is not None:
                waits = self.run.waiting.get(self.run.engine.timers.get(key, ""), "")
                self.feed([TimerFired(key, self.now, waits)])

    def _drain(self) -> None:
        steps = 0
        while self._events:
            self._take(self.run.engine.handle(self._events.popleft()))
            steps += 1
            if steps > MOST_STEPS:
                self._events.clear()
                self._take(self.run.engine.give_up(
                    f"the run has taken {MOST_STEPS:,} steps on end in which nothing ran. Does a loop never end?"
                ))  # fmt: skip
        starts, self._starts = self._starts, {}
        for start in starts.values():
            self.effects.maps.append(new_wave(self.run, start))

    def _take(self, commands: list[Command]) -> None:
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        run = self.run
        match command:
            case Start():
                self.effects.units.append(self._unit(command))
            case StartItems():
                self._start_items(command)
            case Measure():
                self._measure(command)
            case Decide():
                self._decide(command)
            case Collect():
                self._events.append(Collected(command.path, self._collected(command), self.now))
            case Lookup():
                self._events.append(CacheMissed(command.path, self.now))  # the pod looks, before it runs
            case Cancel():
                self._starts = {key: each for key, each in self._starts.items() if key[0] != command.path}
                run.cancel(command.path)
            case SetTimer():
                run.timers[command.key] = self.now + command.seconds
            case ClearTimer():
                run.timers.pop(command.key, None)
            case AskApproval():
                asked = f": {command.message}" if command.message else ""
                run.waiting[command.path] = f"approval{asked}"
            case _:
                pass  # StoreCached is the pod's, Finish shows in the engine's phase

    def _start_items(self, command: StartItems) -> None:
        """Items that are handed out one after the other, as failures are told, go into one Job."""
        key = command.path, command.attempt
        earlier = self._starts.get(key)
        ranges = command.ranges if earlier is None else (*earlier.ranges, *command.ranges)
        self._starts[key] = replace(command, ranges=ranges)

    def _unit(self, command: Start) -> UnitStep:
        state = self.run.engine.states[command.path]
        return unit_step(self.run, state, command.attempt, encoded_inputs(command.inputs))

    def _measure(self, command: Measure) -> None:
        kind = self.run.engine.states[command.path].node.kind
        of_containers = isinstance(kind, Map) and isinstance(kind.body, Container)
        try:
            total = common_length(command.over, lists_only=of_containers)
        except NotMappableError as error:
            failure = Failure("TargetError", str(error), node=command.path)
            self._events.append(Failed(command.path, self._attempt(command.path), failure, self.now))
            return
        if total is None:
            self._ask(command.path, "measure", "measure", over=encoded_inputs(command.over))
        else:
            self._events.append(Sized(command.path, total, self.now))

    def _decide(self, command: Decide) -> None:
        if isinstance(command.question, Test):
            answer = tested(command.question, command.value)
            if answer is not None:
                self._events.append(Decided(command.path, command.stage, answer, self.now))
                return
        value = None if command.value is None else encoded(command.value)
        self._ask(command.path, "decide", command.stage, inputs=encoded_inputs(command.inputs), value=value)

    def _ask(
        self,
        path: str,
        does: Any,
        stage: str,
        *,
        inputs: Mapping[str, Encoded] | None = None,
        over: Mapping[str, Encoded] | None = None,
        value: Encoded | None = None,
    ) -> None:
        """Have a question answered by a pod: only user code, or a look into a value, can tell."""
        state = self.run.engine.states[path]
        block = state.frame.plan.block.name
        self.effects.units.append(
            UnitStep(
                path, self._attempt(path), block, state.node.name, does, inputs=inputs or {}, over=over or {},
                stage=stage, value=value, lineage=lineage(state),
            )
        )  # fmt: skip

    def _attempt(self, path: str) -> int:
        """A question is asked once for each attempt of its node; the first may come before any attempt."""
        return max(self.run.engine.states[path].attempt, 1)

    def _collected(self, command: Collect) -> dict[str, Encoded]:
        if command.map.collect == "none":
            return {}
        return collection(self.run, command, has_store=self._has_store)


def unit_step(run: Run, state: NodeState, attempt: int, inputs: Mapping[str, Encoded]) -> UnitStep:
    """The step of a node whose attempt is to run, or runs."""
    ooms = run.ooms.get(state.path, 0)
    kind = state.node.kind
    if state.path == ENTRY_UNIT:
        assert isinstance(kind, Call)
        return UnitStep(
            "", attempt, kind.block, "", "block", target=kind.block, inputs=inputs, oom_retries=ooms
        )
    block = state.frame.plan.block.name
    does: Any = "container" if isinstance(kind, Container) else "block" if isinstance(kind, Call) else "task"
    target = kind.block if isinstance(kind, Call) else ""
    return UnitStep(
        state.path, attempt, block, state.node.name, does, target=target, inputs=inputs, oom_retries=ooms,
        lineage=lineage(state),
    )  # fmt: skip


def lineage(state: NodeState) -> str:
    """Which tries of the nodes around a node this is; "" where all of them are the first.

    A loop that is tried again runs its passes again, and their nodes count their attempts from 1 again.
    """
    parts = []
    frame = state.frame
    while frame.owner is not None:
        owner = frame.owner
        items = owner.items
        tried = owner.attempt if items is None else items.attempts.get(int(frame.key[1:-1]), 1)
        if tried > 1 or owner.attempt > 1:
            parts.append(f"{owner.path}:{owner.attempt}:{tried}")
        frame = owner.frame
    return " ".join(parts)


# ---------------------------------------------------------------- maps


def new_wave(run: Run, command: StartItems) -> tuple[MapStep, Wave]:
    """A wave of items, remembered with the run, and the step that carries it out."""
    waves = run.waves.setdefault(command.path, [])
    chunk = sum(wave.attempt == command.attempt for wave in waves)
    wave = Wave(
        command.path,
        command.attempt,
        chunk,
        IntervalSet(command.ranges),
        1 if command.attempt > 1 else command.map.items_per_unit or 1,
        run.ooms.get(command.path, 0) if command.attempt > 1 else 0,
        lineage=lineage(run.engine.states[command.path]),
    )
    waves.append(wave)
    step = map_step(run, wave)
    wave.bridged = cluster_of(run.context, step)
    return map_step(run, wave) if wave.bridged else step, wave


def map_step(run: Run, wave: Wave) -> MapStep:
    """The step of a wave that is to run, or runs."""
    engine = run.engine
    state = engine.states[wave.path]
    kind = state.node.kind
    assert isinstance(kind, Map)
    assert state.items is not None
    given = encoded_inputs(state.inputs or {})
    limits = [limit for limit in (kind.parallelism, _room(run, wave)) if limit is not None]
    return MapStep(
        wave.path,
        wave.attempt,
        state.frame.plan.block.name,
        state.node.name,
        {name: value for name, value in given.items() if name not in kind.over},
        {name: value for name, value in given.items() if name in kind.over},
        str(wave.items),
        wave.of_a_pod,
        min(limits) if limits else None,
        state.items.total,
        wave.chunk,
        wave.oom_retries,
        None if wave.attempt > 1 or wave.chunk or wave.bridged else _most_failures(run, state, kind),
        wave.lineage,
        wave.per_pod,
    )


def _room(run: Run, wave: Wave) -> int | None:
    """How many items may run at once beside all else that runs; the engine has counted the wave in already."""
    engine = run.engine
    if engine.parallelism is None:
        return None
    return max(engine.parallelism - (engine.running - len(wave.items)), 1)


def _most_failures(run: Run, state: NodeState, kind: Map) -> int | None:
    """How many items may fail before the rest need not run; only where a failed item is not tried again."""
    if state.node.policy.retry.limit or not run.engine.graph.policy.fail_fast or kind.tolerate is None:
        return None
    assert state.items is not None
    tolerated = kind.tolerate
    return int(tolerated * state.items.total) if isinstance(tolerated, float) else tolerated


def needs_results(graph: Graph, state: NodeState, *, has_store: bool) -> bool:
    """Whether the outputs of a map's items come in their pods' messages, and are of use to anybody."""
    kind = state.node.kind
    if not isinstance(kind, Map) or kind.collect == "none":
        return False
    return isinstance(kind.body, Container) or not has_store


def collection(run: Run, command: Collect, *, has_store: bool) -> dict[str, Encoded]:
    """The outputs of a whole map: a reference to the files of its items, or the values where they are few."""
    names = output_names(run, command)
    results = command.items if command.items is not None else run.results.get(command.path, {})
    missing = command.total - len(results) - sum(index not in results for index in command.failed)
    if command.items is None and missing and has_store:
        return _by_reference(run, command, names)
    failures = run.pickles.get(command.path, {})
    found = _in_place(run, command, names, results, failures)
    if command.items is None and has_store and not isinstance(command.map.body, Container):
        size = sum(len(str(value)) for value in found.values())
        if size > LARGEST_INLINE:
            return _by_reference(run, command, names)
    return found


def _by_reference(run: Run, command: Collect, names: list[str]) -> dict[str, Encoded]:
    waves = tuple(
        (wave.attempt, str(wave.items), wave.per_pod)
        for wave in run.waves.get(command.path, ())
        if wave.items
    )
    uid, path, total = run.uid, command.path, command.total
    if command.map.collect == "items":
        groups = tuple(tuple(group) for group in _groups(run, command))
        return {command.map.output_name: ItemFiles(uid, path, total, waves, None, groups).to_encoded()}
    return {name: ItemFiles(uid, path, total, waves, name).to_encoded() for name in names}


def _in_place(
    run: Run,
    command: Collect,
    names: list[str],
    results: Mapping[int, Any],
    failures: Mapping[int, str],
) -> dict[str, Encoded]:
    def failed(index: int) -> Encoded:
        pickled = failures.get(index)
        return {"json": None} if pickled is None else {"pickle": pickled}

    if command.map.collect == "items":
        groups = _groups(run, command)
        items = [
            failed(index) if index in command.failed else _grouped(results.get(index), groups)
            for index in range(command.total)
        ]
        return {command.map.output_name: list_of(items)}
    columns: dict[str, list[Encoded]] = {name: [] for name in names}
    for outputs in results.values():
        for name in outputs or ():
            columns.setdefault(name, [])
    for index in range(command.total):
        outputs = results.get(index) or {}
        for name, column in columns.items():
            column.append(failed(index) if index in command.failed else encoded(outputs.get(name)))
    return {name: list_of(column) for name, column in columns.items()}


def _grouped(outputs: Mapping[str, Encoded] | None, groups: list[list[str]]) -> Encoded:
    found = dict(outputs or {})
    parts = groups if len(groups) > 1 else [list(found)]
    dictionaries = [{name: found[name] for name in part if name in found} for part in parts]
    if all("json" in value for value in found.values()):
        return {"json": [{name: value["json"] for name, value in part.items()} for part in dictionaries]}
    return {"list": [{"dict": part} for part in dictionaries]}


def output_names(run: Run, command: Collect) -> list[str]:
    """The names that an item's outputs have, known even when there is no item."""
    body = command.map.body
    if isinstance(body, Call):
        return list(run.engine.graph.blocks[body.block].outputs)
    return list(declared_outputs(run, command.path))


def declared_outputs(run: Run, path: str) -> dict[str, Any]:
    """The outputs that the node at a path declares, with their types."""
    state = run.engine.states.get(path)
    if state is None:
        return {}
    written = run.context.nodes.get((state.frame.plan.block.name, state.node.name), {})
    return dict(written.get("outputs") or {})


def _groups(run: Run, command: Collect) -> list[list[str]]:
    """The names of an item's outputs, grouped by the end node that gives them."""
    body = command.map.body
    if not isinstance(body, Call):
        return []
    block = run.engine.graph.blocks[body.block]
    # In the order of the nodes: the API server sorts the outputs by their names.
    groups: dict[str, list[str]] = {node.name: [] for node in block.nodes}
    for name, source in block.outputs.items():
        groups.setdefault(getattr(source, "node", ""), []).append(name)
    return [names for names in groups.values() if names]


def is_oom(failure: Failure) -> bool:
    """Whether an attempt ended for want of memory."""
    return failure.error_class is ErrorClass.OOM
