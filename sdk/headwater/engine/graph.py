"""What a run is made of: blocks of nodes, how they depend on each other, and their policies.

Pure, immutable data. `headwater.document` builds it from a Workflow document; the engine only reads it.
All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal

from headwater.engine.data import data

# ---------------------------------------------------------------- where a value comes from


@data
class From:
    """An output of another node of the same block; `error` is the error of a node that failed."""

    node: str
    output: str


@data
class FirstOf:
    """The first of several sources that has a value: the one live branch of a condition."""

    sources: tuple[From, ...]


@data
class Const:
    """A literal. The engine never looks inside it."""

    value: object


@data
class BlockInput:
    """An input of the block that the node stands in."""

    name: str


@data
class RunField:
    """A fact about the run: its name, its phase, or the list of its failures."""

    name: Literal["name", "phase", "failures"]


Source = From | FirstOf | Const | BlockInput | RunField

# ---------------------------------------------------------------- policy


class ErrorClass(StrEnum):
    """Why an attempt failed; a retry policy chooses among these."""

    ERROR = "Error"
    OOM = "Oom"
    PREEMPTED = "Preempted"
    TIMEOUT = "Timeout"
    INFRASTRUCTURE = "Infrastructure"
    INVALID = "InvalidSpec"


DISRUPTIONS = frozenset({ErrorClass.PREEMPTED, ErrorClass.INFRASTRUCTURE})
FREE_DISRUPTION_RETRIES = 5


@data
class Retry:
    """How often, after which classes of failure, and how long to wait before each retry.

    >>> Retry(limit=3, initial=10, factor=2, maximum=25).delay(2)
    20
    """

    limit: int = 0
    classes: frozenset[ErrorClass] = frozenset(
        {
            ErrorClass.ERROR,
            ErrorClass.OOM,
            ErrorClass.TIMEOUT,
            ErrorClass.PREEMPTED,
            ErrorClass.INFRASTRUCTURE,
        }
    )
    explicit_classes: bool = False
    initial: float = 0.0
    factor: float = 2.0
    maximum: float = 300.0
    oom_factor: float = 1.5

    def delay(self, failures: int) -> float:
        """Seconds to wait after the `failures`-th failure (1 is the first)."""
        if not self.initial:
            return 0.0
        return min(self.initial * self.factor ** min(failures - 1, 64), self.maximum)


@data
class Policy:
    """What a node may be told about retries, time, cache and failure."""

    retry: Retry = field(default_factory=Retry)
    timeout: float | None = None
    queue_timeout: float | None = None
    cache: Literal["off", "inputs", "code"] = "off"
    continue_on_failure: bool = False


# ---------------------------------------------------------------- conditions on a value


@data
class Test:
    """A question about one value, which a backend answers: `in`, `notIn` or `exists`."""

    input: Source
    operator: Literal["in", "notIn", "exists"]
    values: tuple[object, ...] = ()

    __test__ = False  # its name would make pytest collect it


# ---------------------------------------------------------------- kinds of node


@data
class Task:
    """A Python class or function, named `module:name`."""

    ref: str


@data
class Container:
    """Any program in any image; `spec` is the document's own mapping."""

    spec: Mapping[str, object]


@data
class Call:
    """A block as one node, its nodes below it."""

    block: str


@data
class Map:
    """One item per element of `over` (zipped when several); other inputs are broadcast.

    `tolerate`: how many items may fail: a count, a fraction (0.1 for "10%"), or None for all.
    """

    body: Task | Container | Call
    over: Mapping[str, Source]
    items_per_unit: int | None = None
    parallelism: int | None = None
    tolerate: int | float | None = 0
    collect: Literal["flat", "items", "none"] = "flat"
    output_name: str = "map_output"


@data
class Loop:
    """A block, again and again: `iterations` times, or for ever when None."""

    block: str
    iterations: int | None


@data
class Iterate:
    """A block whose outputs become the next pass's inputs, until `until` says so or no pass is left."""

    block: str
    max_iterations: int
    until: str | None = None
    initial: Mapping[str, Source] = field(default_factory=dict)


@data
class Condition:
    """Decides once; nodes with a `branch` of it run on one answer only."""

    decide: Task | Test


@data
class Merge:
    """Passes on the outputs of the one live branch among the nodes it depends on."""


@data
class Race:
    """Blocks that all start; the first to succeed wins, the rest are cancelled."""

    blocks: tuple[str, ...]


@data
class Suspend:
    """Waits: for `duration` seconds, or for an approval (given up after `timeout` seconds)."""

    duration: float | None = None
    approval: bool = False
    message: str = ""
    timeout: float | None = None


Kind = Task | Container | Call | Map | Loop | Iterate | Condition | Merge | Race | Suspend

# ---------------------------------------------------------------- nodes, blocks, the graph


@data
class Dependency:
    """Order without data: run after `node` ended with this outcome."""

    node: str
    outcome: Literal["succeeded", "failed", "finished"] = "succeeded"


@data
class Branch:
    """Run only when the condition node `of` answered `when`."""

    of: str
    when: bool


@data
class Node:
    """One step of a block."""

    name: str
    kind: Kind
    inputs: Mapping[str, Source] = field(default_factory=dict)
    after: tuple[Dependency, ...] = ()
    branch: Branch | None = None
    when: Test | None = None
    policy: Policy = field(default_factory=Policy)


@data
class Input:
    """An input of a block; `required` when it has no default."""

    required: bool = True
    default: object = None
    type: str = ""


@dataclass(frozen=True)
class Block:
    """Nodes with names, the block's inputs and outputs.

    `unit`: the whole block is carried out in one place (pod, worker), with an engine of its own inside;
    the engine outside sees one unit.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Source] = field(default_factory=dict)
    unit: bool = False

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by their name."""
        return {node.name: node for node in self.nodes}


@data
class RunPolicy:
    """What holds for a run as a whole."""

    parallelism: int | None = None
    fail_fast: bool = True
    timeout: float | None = None
    on_exit: str | None = None


@data
class Graph:
    """Everything the engine needs to know about a run before it starts."""

    blocks: Mapping[str, Block]
    entrypoint: str
    policy: RunPolicy = field(default_factory=RunPolicy)
