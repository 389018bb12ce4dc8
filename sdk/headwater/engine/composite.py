"""Nodes made of blocks: calls, loops, iterations and races. Each opens frames and reacts when one ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headwater.engine import failures, maps
from headwater.engine.commands import Decide
from headwater.engine.graph import Call, Iterate, Loop, Map, Race, Task
from headwater.engine.state import MISSING, Frame, NodeState, Phase

if TYPE_CHECKING:
    from headwater.engine.engine import Engine


def block_inputs(engine: Engine, block: str, given: Mapping[str, object]) -> dict[str, object]:
    """The given values that the block takes, over its defaults."""
    declared = engine.graph.blocks[block].inputs
    inputs = {name: spec.default for name, spec in declared.items() if not spec.required}
    inputs.update({name: value for name, value in given.items() if name in declared or not declared})
    return inputs


def begin_call(engine: Engine, state: NodeState) -> None:
    """Open the frame of a call."""
    kind = state.node.kind
    assert isinstance(kind, Call)
    state.stage = "frames"
    inputs = block_inputs(engine, kind.block, state.inputs or {})
    engine.open_frame(kind.block, f"{state.path}/", inputs, state, "")


def begin_loop(engine: Engine, state: NodeState) -> None:
    """Start the first pass of a loop, or end one of no passes."""
    kind = state.node.kind
    assert isinstance(kind, Loop)
    state.stage = "frames"
    state.passes = 0
    if kind.iterations == 0:
        engine.end(state, Phase.SUCCEEDED, outputs={})
        return
    _open_pass(engine, state, kind.block, state.inputs or {})


def begin_iterate(engine: Engine, state: NodeState) -> None:
    """Start the first pass of an iteration, its `initial` values over its inputs."""
    kind = state.node.kind
    assert isinstance(kind, Iterate)

    state.stage = "frames"
    state.passes = 0
    inputs = dict(state.inputs or {})
    for name, source in kind.initial.items():
        value = engine.resolve(state.frame, source)
        if value is not MISSING:
            inputs[name] = value
    _open_pass(engine, state, kind.block, inputs)


def begin_race(engine: Engine, state: NodeState) -> None:
    """Open one frame for each runner."""
    kind = state.node.kind
    assert isinstance(kind, Race)
    state.stage = "frames"
    for block in kind.blocks:
        if state.stage != "frames":
            break
        inputs = block_inputs(engine, block, state.inputs or {})
        engine.open_frame(block, f"{state.path}/{block}/", inputs, state, block)


def _open_pass(engine: Engine, state: NodeState, block: str, inputs: Mapping[str, object]) -> None:
    for old in list((state.children or {}).values()):
        engine.drop_frame(old)
    number = state.passes
    key = f"[{number}]"
    engine.open_frame(block, f"{state.path}{key}/", block_inputs(engine, block, inputs), state, key)


def frame_ended(engine: Engine, owner: NodeState, frame: Frame) -> None:
    """All nodes of a frame have ended: go on with the node that it belongs to."""
    if owner.stage != "frames" and not isinstance(owner.node.kind, Map):
        return
    kind = owner.node.kind
    if isinstance(kind, Map):
        maps.expanded_item_ended(engine, owner, frame)
    elif isinstance(kind, Race):
        _runner_ended(engine, owner, frame)
    elif engine.stopping is not None and any(node.phase is Phase.CANCELLED for node in frame.nodes):
        engine.end(owner, Phase.CANCELLED, message=engine.stopping.reason or "the run was stopped")
    elif isinstance(kind, Loop) and kind.iterations is None:
        _next_pass(engine, owner, frame, failed=frame.failed is not None)
    elif frame.failed is not None:
        failures.attempt_failed(engine, owner, frame.failed)
    elif any(node.phase is Phase.CANCELLED for node in frame.nodes):
        engine.end(owner, Phase.CANCELLED, message="another node failed")
    elif isinstance(kind, Loop):
        _next_pass(engine, owner, frame, failed=False)
    elif isinstance(kind, Iterate):
        _pass_iterated(engine, owner, kind, frame)
    else:
        _call_ended(engine, owner, frame)


def _call_ended(engine: Engine, owner: NodeState, frame: Frame) -> None:
    if every_end_skipped(frame):
        engine.end(owner, Phase.SKIPPED, message="everything at its end was skipped")
    else:
        engine.end(owner, Phase.SUCCEEDED, outputs=engine.frame_outputs(frame))


def every_end_skipped(frame: Frame) -> bool:
    """Whether nothing that ends a block has run."""
    ends = [
        state for planned, state in zip(frame.plan.nodes, frame.nodes, strict=True) if not planned.downstream
    ]
    return bool(ends) and all(state.phase is Phase.SKIPPED for state in ends)


def _next_pass(engine: Engine, owner: NodeState, frame: Frame, *, failed: bool) -> None:
    kind = owner.node.kind
    assert isinstance(kind, Loop)
    owner.passes += 1
    if not failed:
        owner.outputs = engine.frame_outputs(frame)
    else:
        owner.message = f"pass {owner.passes} failed: {frame.failed.message if frame.failed else ''}"
        engine.changes.append(owner)
    if kind.iterations is not None and owner.passes >= kind.iterations:
        engine.end(owner, Phase.SUCCEEDED, outputs=owner.outputs)
    elif owner.frame.stopped:
        engine.end(owner, Phase.CANCELLED, message="another node failed")
    else:
        _open_pass(engine, owner, kind.block, owner.inputs or {})


def _pass_iterated(engine: Engine, owner: NodeState, kind: Iterate, frame: Frame) -> None:
    owner.passes += 1
    owner.outputs = engine.frame_outputs(frame)
    if kind.until is None:
        until_answered(engine, owner, False)
        return
    owner.stage = f"until:{owner.passes}"
    engine.out.append(Decide(owner.path, owner.stage, Task(kind.until), owner.outputs))


def until_answered(engine: Engine, owner: NodeState, answer: bool) -> None:
    """Whether an iteration is done is known: end it, or feed its outputs into the next pass."""
    kind = owner.node.kind
    assert isinstance(kind, Iterate)
    outputs = owner.outputs or {}
    if answer or owner.passes >= kind.max_iterations:
        engine.end(owner, Phase.SUCCEEDED, outputs=outputs)
    elif owner.frame.stopped:
        engine.end(owner, Phase.CANCELLED, message="another node failed")
    else:
        owner.stage = "frames"
        _open_pass(engine, owner, kind.block, {**(owner.inputs or {}), **outputs})


def _runner_ended(engine: Engine, owner: NodeState, frame: Frame) -> None:
    runners = dict(owner.children or {})
    won = frame.failed is None and not any(node.phase is Phase.CANCELLED for node in frame.nodes)
    if won:
        outputs = engine.frame_outputs(frame)
        owner.stage = "cancelling"
        for other in runners.values():
            if other is not frame:
                other.halted = True
                for node in other.nodes:
                    engine.cancel(node, f"{frame.key} won the race")
        engine.end(owner, Phase.SUCCEEDED, outputs=outputs, message=f"won by {frame.key}")
        return
    kind = owner.node.kind
    assert isinstance(kind, Race)
    if len(runners) < len(kind.blocks) or any(other.remaining for other in runners.values()):
        return
    lost = next((other.failed for other in runners.values() if other.failed is not None), None)
    if lost is None:
        engine.end(owner, Phase.CANCELLED, message="every runner was cancelled")
    else:
        failures.attempt_failed(engine, owner, lost)
