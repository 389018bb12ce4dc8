"""The status of a run, as people and programs read it: short, bounded, and only what has changed is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from headwater.engine.events import Failure
from headwater.engine.graph import Call, Loop
from headwater.engine.intervals import IntervalSet
from headwater.engine.state import ENDED, MapState, NodeState, Phase

from headwater_operator.run.graph import ENTRY_UNIT
from headwater_operator.run.memory import Run
from headwater_operator.run.values import encoded, shown

Object = dict[str, Any]

LONGEST_MESSAGE = 1000
LONGEST_OUTPUT = 16 * 1024
LONGEST_INTERVALS = 2000
MOST_PENDING_SHOWN = 200
MOST_SHOWN_THAT_NEVER_RAN = 2000
_NEVER_RAN = frozenset({Phase.CANCELLED, Phase.SKIPPED})
_ENDED_WELL = frozenset({Phase.SUCCEEDED, Phase.CACHED, Phase.SKIPPED})


def iso(at: float) -> str:
    """A time as Kubernetes writes it.

    >>> iso(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cut(text: str, most: int = LONGEST_MESSAGE) -> str:
    """A text of bounded length, its middle left out.

    >>> cut("a" * 10, 7)
    'aaa…aaa'
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def node_status(run: Run, state: NodeState) -> Object:
    """How one node stands."""
    found: Object = {"phase": str(state.phase)}
    if state.attempt:
        found["attempts"] = state.attempt
    times = run.launched.get(state.path)
    if times is not None:
        found["at"] = _times(run, state, *times)
    if state.items is not None:
        found["items"] = _items(state.items)
    if state.phase not in ENDED:
        waiting = run.waiting.get(state.path) or _waits_for(run, state)
        if waiting:
            found["waiting"] = cut(waiting)
    if state.failure is not None and state.phase is Phase.FAILED:
        found["error"] = error_status(state.failure)
    elif state.message:
        found["message"] = cut(state.message)
    return found


def told(failure: Failure) -> str:
    """A failure in one line: its type, where the message does not begin with it.

    >>> told(Failure("ValueError", "no")), told(Failure("OOMKilled", "OOMKilled at 64Mi"))
    ('ValueError: no', 'OOMKilled at 64Mi')
    """
    return (
        failure.message if failure.message.startswith(failure.type) else f"{failure.type}: {failure.message}"
    )


def error_status(failure: Failure) -> Object:
    """A failure, bounded."""
    return {
        "type": failure.type,
        "message": cut(failure.message),
        "class": str(failure.error_class),
        "node": failure.node,
    }


def _times(run: Run, state: NodeState, created: float, queued: float) -> list[float]:
    """When it was created, how long it waited, and how long it ran, in seconds."""
    times = [round(created, 1)]
    if queued >= 0:
        times.append(round(queued, 2))
        if state.phase in ENDED:
            ran = run.durations.get(state.path)
            if ran is None:
                ran = max((state.ended_at or created) - created - queued, 0.0)
            times.append(round(ran, 2))
    return times


def _items(items: MapState) -> Object:
    found: Object = {"total": items.total, "succeeded": _bounded(str(items.done))}
    if items.failed:
        found["failed"] = _bounded(_intervals(items.failed))
    if len(items.running):
        found["running"] = len(items.running)
    if items.cached:
        found["cached"] = items.cached
    return found


def _intervals(indices: Iterable[int]) -> str:
    return str(IntervalSet((index, index + 1) for index in indices))


def _bounded(text: str) -> str:
    """Interval sets with many gaps would make the resource large; the whole set is in `status.engine`."""
    return text if len(text) <= LONGEST_INTERVALS else text[: text.rindex(",", 0, LONGEST_INTERVALS)] + ",…"


def _waits_for(run: Run, state: NodeState) -> str:
    """The upstreams that a pending node waits for, or the limit that keeps it."""
    if state.stage == "retry":
        return state.message
    if state.stage == "queued":
        if run.engine.suspended:
            return "the run is suspended"
        return f"parallelism: {run.engine.parallelism} units run already"
    if not state.waiting:
        return ""
    frame = state.frame
    open_ones = [
        frame.nodes[i].node.name
        for i, _ in frame.plan.nodes[state.index].needs
        if frame.nodes[i].phase not in ENDED
    ]
    more = f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else ""
    return ", ".join(open_ones[:3]) + more


def nodes_patch(run: Run, changed: Iterable[NodeState]) -> Object:
    """The nodes whose status has changed since it was last written, as they are now; None for one that is gone."""
    patch: Object = {}
    engine = run.engine
    many, crowded = (len(engine.states) > most for most in (MOST_PENDING_SHOWN, MOST_SHOWN_THAT_NEVER_RAN))
    patch.update(dict.fromkeys(_forgotten(run)))
    if not many:
        changed = [*changed, *(state for state in engine.states.values() if state.phase is Phase.PENDING)]
    for state in changed:
        if state.path == ENTRY_UNIT:
            continue
        if engine.states.get(state.path) is not state:
            continue
        if many and state.phase is Phase.PENDING and not state.stage:
            continue
        if crowded and state.phase in _NEVER_RAN and not state.attempt and state.path not in run.written:
            continue
        patch[state.path] = node_status(run, state)
    for path in run.touched & run.records.keys():
        patch[path] = run.records[path]
    return {path: found for path, found in patch.items() if run.written.get(path) != found}


def _forgotten(run: Run) -> list[str]:
    """Nodes that were shown, and that the engine has forgotten since: those of earlier passes and of items."""
    states, records = run.engine.states, run.records
    return [path for path in run.written if path not in states and path not in records]


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """The JSON merge patch from one object to another: what is gone has to be named.

    >>> merge_patch({"phase": "Running", "waiting": "gen"}, {"phase": "Succeeded"})
    {'phase': 'Succeeded', 'waiting': None}
    """
    patch: Object = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[name] = inner
        elif value != before:
            patch[name] = value
    return dict(sorted(patch.items()))


def run_status(run: Run, *, mirrored: bool | None, generation: int) -> Object:
    """The status beside `nodes`. `mirrored` None: nobody mirrors."""
    engine = run.engine
    phase = run_phase(run)
    found: Object = {
        "phase": phase,
        "progress": progress(run),
        "observedGeneration": generation,
        "engine": run.pack(),
        "conditions": [_condition("Accepted", True, "Valid", run.started_at)],
    }
    if run.started_at:
        found["startedAt"] = iso(run.started_at)
    message, reason = message_of(run, phase)
    found["message"], found["reason"] = message, reason
    if engine.ended:
        found["finishedAt"] = iso(engine.now)
        found["conditions"].append(_condition("Completed", True, phase, engine.now))
        if mirrored is not None:
            word = "Stored" if mirrored else "Waiting"
            found["conditions"].append(_condition("Mirrored", mirrored, word, engine.now))
        found["outputs"] = outputs_of(engine.outputs)
    return found


def outputs_of(outputs: Mapping[str, object]) -> Object:
    """The run's outputs as JSON, or as the reference that they are."""
    return {name: shown(encoded(value)) for name, value in outputs.items()}


def run_phase(run: Run) -> str:
    """The run's phase: Suspended when it was told to wait, or waits for a person and nothing else goes on."""
    engine = run.engine
    if engine.ended:
        return str(engine.phase)
    if engine.suspended or (engine.waiting_people and not engine.running and not run.uncreated):
        return "Suspended"
    return "Running"


def progress(run: Run) -> str:
    """How many of the entry block's nodes have ended: "5/7"."""
    root = run.engine.root
    if root is None:
        return "0/0"
    if root.plan.block.name == ENTRY_UNIT:
        inner = next(block for block in run.spec["blocks"] if block["name"] == root.nodes[0].node.kind.block)  # type: ignore[union-attr]  # a Call
        total = len(inner["nodes"])
        return f"{total if root.nodes[0].phase in _ENDED_WELL else 0}/{total}"
    cancelled = sum(node.phase is Phase.CANCELLED for node in root.nodes)  # nothing came of them
    return f"{len(root.nodes) - root.remaining - cancelled}/{len(root.nodes)}"


def message_of(run: Run, phase: str) -> tuple[str, str]:
    """One sentence on how the run stands, and a word for programs."""
    engine = run.engine
    if phase == "Failed":
        return _failed_message(run)
    if phase == "Cancelled":
        stopping = engine.stopping
        return (stopping.reason if stopping and stopping.reason else "it was cancelled"), "Cancelled"
    if engine.ended:
        return _tolerated(run), ""
    waits = [(path, text) for path, text in run.waiting.items() if path in engine.states]
    if engine.suspended:
        return f"suspended: `flowctl resume {run.key[1]}` lets it go on", "Suspended"
    if engine.stopping is not None:
        return f"stopping: what runs may end; `flowctl cancel {run.key[1]}` ends it at once", "Stopping"
    if waits:
        path, text = waits[0]
        more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
        shown_path = "" if path == ENTRY_UNIT else f"{path}: "
        return cut(f"{shown_path}{text}{more}"), "Waiting"
    return "", ""


def _failed_message(run: Run) -> tuple[str, str]:
    engine = run.engine
    error = engine.error
    if error is None:
        return "it failed", "Failed"
    leaves = [state for state in engine.states.values() if _is_leaf(state)]
    failed = sum(state.phase is Phase.FAILED for state in leaves)
    state = engine.states.get(error.node)
    attempts = state.attempt if state is not None else 1
    retried = f" (after {attempts} attempts)" if attempts > 1 else ""
    count = f"{failed} of {len(leaves)} failed: " if failed and len(leaves) > 1 else ""
    where = f"{error.node} " if error.node else ""
    return cut(f"{count}{where}{told(error)}{retried}"), str(error.error_class)


def _is_leaf(state: NodeState) -> bool:
    return not isinstance(state.node.kind, Call | Loop) or not state.children


def _tolerated(run: Run) -> str:
    failed = sum(len(state.items.failed) for state in run.engine.states.values() if state.items is not None)
    return f"failed items: {failed}" if failed else ""


def _condition(kind: str, holds: bool, reason: str, at: float) -> Object:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": "",
        "lastTransitionTime": iso(at),
    }
