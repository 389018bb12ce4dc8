"""How long a node may wait to start (`queueTimeout`, from when it is handed out), and from when on it runs."""

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
    if state.stage == "items":
        runs_from_now(engine, state)


def runs_from_now(engine: Engine, state: NodeState) -> None:
    """The time of this attempt counts from now on, unless it does already."""
    seconds = state.node.policy.timeout
    if seconds is not None and _timeout(state) not in engine.timers:
        engine.set_timer(_timeout(state), seconds, state.path)


def start_is_news(engine: Engine, state: NodeState) -> bool:
    """Whether anything depends on hearing that the node, or an item of it, has started."""
    timed = state.node.policy.timeout is not None and _timeout(state) not in engine.timers
    return timed or waits_to_start(engine, state)


def _timeout(state: NodeState) -> str:
    return f"timeout:{state.path}:{state.attempt}"


def _key(state: NodeState) -> str:
    return f"queue:{state.path}:{state.attempt}"
