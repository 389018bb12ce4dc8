"""The phase of a node as people see it, in `status` and in the records."""

from __future__ import annotations

from collections.abc import Container

from headwater.engine import NodeState, Phase


def shown_phase(state: NodeState, waiting: Container[str]) -> Phase:
    """The engine's phase; what has been handed out, has not begun, and is known to wait for something, is `Pending`."""
    if state.phase is not Phase.RUNNING or state.path not in waiting:
        return state.phase
    items = state.items
    if items is not None:
        has_begun = bool(len(items.running) or len(items.done) or items.failed)
        return state.phase if has_begun else Phase.PENDING
    return Phase.PENDING if state.stage == "run" else state.phase
