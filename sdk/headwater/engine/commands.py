"""What the engine asks of a backend. A backend holds no policy: it does these and reports events."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.engine.data import data
from headwater.engine.events import Failure
from headwater.engine.graph import Call, Container, Map, Node, Task, Test


@data
class Start:
    """Run one attempt of a task, a container, or a block that is a unit."""

    path: str
    attempt: int
    node: Node
    body: Task | Container | Call
    inputs: Mapping[str, object]


@data
class Measure:
    """Find out how many items a map has (`over` is zipped; unequal lengths are a `Failed`)."""

    path: str
    node: Node
    over: Mapping[str, object]
    inputs: Mapping[str, object]


@data
class StartItems:
    """Run these items of a map; `attempt` is 1 for the first wave."""

    path: str
    node: Node
    map: Map
    ranges: tuple[tuple[int, int], ...]
    attempt: int


@data
class Collect:
    """Put the outputs of a map's items together, in item order, the failures in their places.

    `items` holds the outputs where the engine ran the items itself; otherwise the backend has kept them.
    """

    path: str
    node: Node
    map: Map
    total: int
    failed: Mapping[int, Failure]
    items: Mapping[int, Mapping[str, object]] | None = None


@data
class Decide:
    """Answer a question: a Python function called with `inputs`, or a test of `value`."""

    path: str
    stage: str
    question: Task | Test
    inputs: Mapping[str, object]
    value: object = None


@data
class Lookup:
    """Look the node up in the cache: a hit is `Succeeded(cached=True)`, else `CacheMissed`."""

    path: str
    attempt: int
    node: Node
    inputs: Mapping[str, object]


@data
class StoreCached:
    """The node that was looked up has ended: keep its outputs (None after a failure: keep nothing)."""

    path: str
    node: Node
    outputs: Mapping[str, object] | None


@data
class Cancel:
    """End what runs at this path; `attempt` 0 means whatever attempt (and all items of a map)."""

    path: str
    attempt: int
    reason: str


@data
class SetTimer:
    """Send `TimerFired(key)` after so many seconds."""

    key: str
    seconds: float


@data
class ClearTimer:
    """The timer is not needed any more."""

    key: str


@data
class AskApproval:
    """A node waits for a person."""

    path: str
    message: str


@data
class Finish:
    """The run is over; nothing follows."""

    phase: str


Command = (
    Start
    | Measure
    | StartItems
    | Collect
    | Decide
    | Lookup
    | StoreCached
    | Cancel
    | SetTimer
    | ClearTimer
    | AskApproval
    | Finish
)
