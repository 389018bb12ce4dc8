"""The engine: a pure state machine that decides what a run does next. Standard library only."""

from headwater.engine.engine import Engine
from headwater.engine.graph import Graph
from headwater.engine.intervals import IntervalSet
from headwater.engine.state import ENDED, LIVE, Known, NodeState, Phase

__all__ = ["ENDED", "LIVE", "Engine", "Graph", "IntervalSet", "Known", "NodeState", "Phase"]
