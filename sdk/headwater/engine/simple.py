"""Nodes that start nothing themselves: conditions, merges, and those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.engine.commands import AskApproval, Decide
from headwater.engine.events import Failure
from headwater.engine.graph import Condition, ErrorClass, Suspend, Test
from headwater.engine.plan import ALTERNATIVE, DATA
from headwater.engine.state import LIVE, MISSING, NodeState, Phase

if TYPE_CHECKING:
    from headwater.engine.engine import Engine


def begin_condition(engine: Engine, state: NodeState) -> None:
    """Ask the condition's question, once."""
    kind = state.node.kind
    assert isinstance(kind, Condition)
    state.stage = "condition"
    value: object = None
    if isinstance(kind.decide, Test):
        found = engine.resolve(state.frame, kind.decide.input)
        value = None if found is MISSING else found
    engine.out.append(Decide(state.path, "condition", kind.decide, state.inputs or {}, value))


def begin_merge(engine: Engine, state: NodeState) -> None:
    """Pass on the one live branch."""
    frame = state.frame
    live = [
        frame.nodes[i]
        for i, need in frame.plan.nodes[state.index].needs
        if need in (ALTERNATIVE, DATA) and frame.nodes[i].phase in LIVE
    ]
    if len(live) == 1:
        engine.end(state, Phase.SUCCEEDED, outputs=live[0].outputs)
        return
    names = " and ".join(repr(branch.node.name) for branch in live)
    failure = Failure(
        "MergeError",
        f"In task '{state.node.name.replace('-', '_')}': {len(live)} live branches came in ({names}); "
        "a merge takes exactly one",
        ErrorClass.INVALID,
        state.path,
    )
    engine.end(state, Phase.FAILED, failure=failure)


def begin_suspend(engine: Engine, state: NodeState) -> None:
    """Wait for a time, or for a person."""
    kind = state.node.kind
    assert isinstance(kind, Suspend)
    engine.waiting_people += 1
    state.phase = Phase.SUSPENDED
    state.message = kind.message
    if kind.approval:
        state.stage = "approval"
        engine.out.append(AskApproval(state.path, kind.message))
        if kind.timeout is not None:
            engine.set_timer(f"approval:{state.path}", kind.timeout, state.path)
    else:
        state.stage = "suspend"
        engine.set_timer(f"suspend:{state.path}", kind.duration or 0.0, state.path)
