"""The engine: a pure state machine that decides what a run does next. Standard library only.

Loaded when asked: a pod that runs a single task needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.engine.engine import Engine
    from headwater.engine.graph import Graph
    from headwater.engine.intervals import IntervalSet
    from headwater.engine.state import ENDED, LIVE, Known, NodeState, Phase

_HOMES = {
    "ENDED": "state",
    "LIVE": "state",
    "Engine": "engine",
    "Graph": "graph",
    "IntervalSet": "intervals",
    "Known": "state",
    "NodeState": "state",
    "Phase": "state",
}

__all__ = ["ENDED", "LIVE", "Engine", "Graph", "IntervalSet", "Known", "NodeState", "Phase"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
