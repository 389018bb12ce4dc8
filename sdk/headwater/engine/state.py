"""What the engine remembers of a run: frames (blocks being run) of node states, and maps as interval sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from headwater.engine.data import data
from headwater.engine.events import Failure
from headwater.engine.graph import Node
from headwater.engine.intervals import IntervalSet, Range
from headwater.engine.plan import BlockPlan

MISSING = object()
"""Stands for a value that there is not."""


class Phase(StrEnum):
    """The one vocabulary of phases: documents, records, Python, CLI and dashboard all use it."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CACHED = "Cached"
    CANCELLED = "Cancelled"
    LOST = "Lost"
    SUSPENDED = "Suspended"


ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CACHED, Phase.CANCELLED, Phase.LOST})
LIVE = frozenset({Phase.SUCCEEDED, Phase.CACHED})


@data
class Known:
    """How a node ended in an earlier try of the run: adopted instead of running the node again."""

    phase: Phase
    outputs: Mapping[str, object] = field(default_factory=dict)
    answer: bool | None = None
    items: tuple[Range, ...] = ()
    failure: Failure | None = None
    """Why it failed, where that is to stand; without one, what failed runs again."""


@dataclass(slots=True)
class MapState:
    """The items of one map. `waves` wait for their backoff, `due` may start again; both by attempt.

    `cut`: the map was told to stop, so items that never ran do not count as done.
    """

    total: int
    pending: IntervalSet
    running: IntervalSet = field(default_factory=IntervalSet)
    done: IntervalSet = field(default_factory=IntervalSet)
    failed: dict[int, Failure] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    free: dict[int, int] = field(default_factory=dict)
    waves: dict[int, IntervalSet] = field(default_factory=dict)
    due: dict[int, IntervalSet] = field(default_factory=dict)
    cut: bool = False
    outputs: dict[int, Mapping[str, object]] = field(default_factory=dict)
    cached: int = 0


class NodeState:
    """One instance of a node. `stage` says what the engine is waiting for while the phase is not final."""

    __slots__ = (
        "answer",
        "asked_when",
        "attempt",
        "charged",
        "children",
        "ended_at",
        "failure",
        "frame",
        "free_retries",
        "index",
        "inputs",
        "items",
        "looked_up",
        "message",
        "node",
        "outputs",
        "passes",
        "path",
        "phase",
        "slots",
        "stage",
        "started_at",
        "waiting",
    )

    def __init__(self, frame: Frame, index: int, node: Node, path: str, waiting: int) -> None:
        self.frame = frame
        self.index = index
        self.node = node
        self.path = path
        self.waiting = waiting
        self.phase = Phase.PENDING
        self.stage = ""
        self.attempt = 0
        self.charged = 0
        self.free_retries = 0
        self.outputs: Mapping[str, object] | None = None
        self.inputs: Mapping[str, object] | None = None
        self.failure: Failure | None = None
        self.answer: bool | None = None
        self.items: MapState | None = None
        self.children: dict[str, Frame] | None = None
        self.passes = 0
        self.slots = 0
        self.looked_up = False
        self.asked_when = False
        self.message = ""
        self.started_at: float | None = None
        self.ended_at: float | None = None


class Frame:
    """One run of a block: the entry block, a call, an item, a pass of a loop, a runner in a race."""

    __slots__ = (
        "exempt",
        "failed",
        "halted",
        "inputs",
        "key",
        "nodes",
        "owner",
        "plan",
        "prefix",
        "remaining",
    )

    def __init__(
        self, plan: BlockPlan, prefix: str, inputs: Mapping[str, object], owner: NodeState | None, key: str
    ) -> None:
        self.plan = plan
        self.prefix = prefix
        self.inputs = inputs
        self.owner = owner
        self.key = key
        self.halted = False
        self.exempt = False
        self.failed: Failure | None = None
        self.remaining = len(plan.nodes)
        self.nodes = [
            NodeState(self, i, planned.node, prefix + planned.node.name, planned.waits_for)
            for i, planned in enumerate(plan.nodes)
        ]

    @property
    def stopped(self) -> bool:
        """Whether nothing new may start here: this frame or one around it has an uncaught failure."""
        frame: Frame | None = self
        while frame is not None:
            if frame.halted:
                return True
            if frame.exempt:
                return False
            frame = frame.owner.frame if frame.owner is not None else None
        return False
