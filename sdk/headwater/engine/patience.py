"""How long a node may wait to start: its `queueTimeout`, from when it is handed out until anything of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.engine.engine import Engine
    from headwater.engine.state import NodeState


def set_patience(engine: Engine, state: NodeState) -> None:
    """The node has been handed out: it is to start in time."""
    seconds = state.node.policy.queue_timeout
    if seconds is not None:
        engine.set_timer(_key(state), seconds, state.path)


def waits_to_start(engine: Engine, state: NodeState) -> bool:
    """Whether the node has a time to start in and nothing of it has been seen to run."""
    return state.node.policy.queue_timeout is not None and _key(state) in engine.timers


def has_started(engine: Engine, state: NodeState) -> None:
    """The node runs, or an item of it does."""
    if state.node.policy.queue_timeout is not None:
        engine.clear_timer(_key(state))


def _key(state: NodeState) -> str:
    return f"queue:{state.path}:{state.attempt}"
