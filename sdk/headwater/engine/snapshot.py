"""The engine's state as plain data, and back: JSON when the values that it carries are JSON."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from headwater.engine.engine import Engine
from headwater.engine.events import Failure, Stopped
from headwater.engine.graph import ErrorClass, Graph
from headwater.engine.intervals import IntervalSet
from headwater.engine.plan import plan_of
from headwater.engine.standins import ItemOf
from headwater.engine.state import Frame, Known, MapState, NodeState, Phase

Data = dict[str, Any]

_ITEM = "headwater.dev/itemOf"

_PLAIN = (
    "stage",
    "waiting",
    "attempt",
    "charged",
    "free_retries",
    "outputs",
    "inputs",
    "answer",
    "passes",
    "slots",
    "looked_up",
    "asked_when",
    "message",
    "started_at",
    "ended_at",
)


def snapshot(engine: Engine) -> Data:
    """Everything that `restore` needs, beside the graph.

    >>> from headwater.engine.graph import Block, Node, Task
    >>> graph = Graph({"main": Block("main", (Node("a", Task("m:a")),))}, "main")
    >>> engine = Engine(graph, {}); _ = engine.start(at=0.0)
    >>> restore(graph, snapshot(engine)).states["a"].stage
    'run'
    """
    return {
        "name": engine.name,
        "phase": str(engine.phase),
        "main_phase": _text(engine._main_phase),
        "outputs": dict(engine.outputs),
        "inputs": dict(engine._inputs),
        "error": _failure(engine.error),
        "failures": [[at, _failure(failure)] for at, failure in engine.failures],
        "timers": dict(engine.timers),
        "past_attempts": dict(engine.past_attempts),
        "parallelism": engine.parallelism,
        "suspended": engine.suspended,
        "stopping": _stopped(engine.stopping),
        "running": engine.running,
        "busy_slots": engine.busy_slots,
        "waiting_people": engine.waiting_people,
        "slots": engine.slots,
        "map_slots": engine.map_slots,
        "whole_waves": engine.whole_waves,
        "queued": engine.queued,
        "most_nodes": engine.most_nodes,
        "ready": [state.path for state in engine.ready],
        "launchable": [state.path for state in engine._launchable],
        "handing": [state.path for state in engine.handing],
        "root": _frame(engine.root),
        "exit": _frame(engine.exit_frame),
        "now": engine.now,
    }


def restore(graph: Graph, data: Data, *, known: Mapping[str, Known] | None = None) -> Engine:
    """An engine that goes on exactly where the one that was written down stopped."""
    engine = Engine(
        graph,
        data["inputs"],
        name=data["name"],
        known=known,
        slots=data["slots"],
        map_slots=data["map_slots"],
        whole_waves=data["whole_waves"],
        queued=data.get("queued", False),
        most_nodes=data.get("most_nodes"),
    )
    engine.phase = Phase(data["phase"])
    engine._main_phase = Phase(data["main_phase"]) if data["main_phase"] else None
    engine.outputs = data["outputs"]
    engine.error = _read_failure(data["error"])
    engine.failures = [(at, failure) for at, f in data["failures"] if (failure := _read_failure(f))]
    engine.timers = dict(data["timers"])
    engine.past_attempts = dict(data["past_attempts"])
    engine.parallelism = data["parallelism"]
    engine.suspended = data["suspended"]
    engine.stopping = Stopped(**data["stopping"]) if data["stopping"] else None
    engine.running = data["running"]
    engine.busy_slots = data["busy_slots"]
    engine.waiting_people = data["waiting_people"]
    engine.now = data["now"]
    engine.root = _read_frame(engine, data["root"], None)
    engine.exit_frame = _read_frame(engine, data["exit"], None)
    engine.ready = deque(_at(engine, data["ready"]))
    engine._launchable = deque(_at(engine, data["launchable"]))
    engine.handing = list(_at(engine, data["handing"]))
    return engine


def _values(values: Mapping[str, object]) -> Data:
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, ItemOf):
        return {_ITEM: [_value(value.collection), value.index]}
    return value


def _read_values(values: Mapping[str, object]) -> Data:
    return {name: _read_value(value) for name, value in values.items()}


def _read_value(value: object) -> object:
    if isinstance(value, dict) and value.keys() == {_ITEM}:
        collection, index = value[_ITEM]
        return ItemOf(_read_value(collection), index)
    return value


def _at(engine: Engine, paths: Iterable[str]) -> list[NodeState]:
    return [engine.states[path] for path in paths if path in engine.states]


def _text(phase: Phase | None) -> str | None:
    return None if phase is None else str(phase)


def _failure(failure: Failure | None) -> Data | None:
    if failure is None:
        return None
    return {
        "type": failure.type,
        "message": failure.message,
        "class": str(failure.error_class),
        "node": failure.node,
        "traceback": failure.traceback,
    }


def _read_failure(data: Data | None) -> Failure | None:
    if data is None:
        return None
    return Failure(data["type"], data["message"], ErrorClass(data["class"]), data["node"], data["traceback"])


def _stopped(event: Stopped | None) -> Data | None:
    if event is None:
        return None
    return {"at": event.at, "kill": event.kill, "reason": event.reason, "code": event.code}


def _frame(frame: Frame | None) -> Data | None:
    if frame is None:
        return None
    return {
        "block": frame.plan.block.name,
        "prefix": frame.prefix,
        "key": frame.key,
        "inputs": _values(frame.inputs),
        "halted": frame.halted,
        "exempt": frame.exempt,
        "failed": _failure(frame.failed),
        "remaining": frame.remaining,
        "nodes": [_node(state) for state in frame.nodes],
    }


def _node(state: NodeState) -> Data:
    data: Data = {name: getattr(state, name) for name in _PLAIN}
    data["inputs"] = None if state.inputs is None else _values(state.inputs)
    data["outputs"] = None if state.outputs is None else _values(state.outputs)
    data["phase"] = str(state.phase)
    data["failure"] = _failure(state.failure)
    data["items"] = _items(state.items)
    data["children"] = [_frame(child) for child in (state.children or {}).values()]
    return data


def _items(items: MapState | None) -> Data | None:
    if items is None:
        return None
    return {
        "total": items.total,
        "pending": str(items.pending),
        "running": str(items.running),
        "done": str(items.done),
        "failed": {str(index): _failure(failure) for index, failure in items.failed.items()},
        "attempts": {str(index): count for index, count in items.attempts.items()},
        "free": {str(index): count for index, count in items.free.items()},
        "waves": {str(attempt): str(wave) for attempt, wave in items.waves.items()},
        "due": {str(attempt): str(wave) for attempt, wave in items.due.items()},
        "outputs": {str(index): dict(outputs) for index, outputs in items.outputs.items()},
        "cut": items.cut,
        "cached": items.cached,
    }


def _read_items(data: Data | None) -> MapState | None:
    if data is None:
        return None
    failed = {int(i): failure for i, f in data["failed"].items() if (failure := _read_failure(f))}
    return MapState(
        data["total"],
        IntervalSet.parse(data["pending"]),
        running=IntervalSet.parse(data["running"]),
        done=IntervalSet.parse(data["done"]),
        failed=failed,
        attempts={int(index): count for index, count in data["attempts"].items()},
        free={int(index): count for index, count in data["free"].items()},
        waves={int(attempt): IntervalSet.parse(wave) for attempt, wave in data["waves"].items()},
        due={int(attempt): IntervalSet.parse(wave) for attempt, wave in data["due"].items()},
        outputs={int(index): outputs for index, outputs in data["outputs"].items()},
        cut=data["cut"],
        cached=data["cached"],
    )


def _read_frame(engine: Engine, data: Data | None, owner: NodeState | None) -> Frame | None:
    if data is None:
        return None
    plan = plan_of(engine.graph.blocks[data["block"]])
    frame = Frame(plan, data["prefix"], _read_values(data["inputs"]), owner, data["key"])
    frame.halted = data["halted"]
    frame.exempt = data["exempt"]
    frame.failed = _read_failure(data["failed"])
    frame.remaining = data["remaining"]
    for state, written in zip(frame.nodes, data["nodes"], strict=True):
        engine.states[state.path] = state
        for name in _PLAIN:
            setattr(state, name, written[name])
        state.inputs = None if state.inputs is None else _read_values(state.inputs)
        state.outputs = None if state.outputs is None else _read_values(state.outputs)
        state.phase = Phase(written["phase"])
        state.failure = _read_failure(written["failure"])
        state.items = _read_items(written["items"])
        for child in written["children"]:
            read = _read_frame(engine, child, state)
            assert read is not None
            state.children = {**(state.children or {}), read.key: read}
    return frame
