"""Items of a map: how many there are, how one is run, how their outputs become the map's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.blocks.signals import Skipped
from headwater.engine.graph import Call, Container, From, Graph, Map, Node, Task
from headwater.errors import TargetError
from headwater.runtime.carry import Stored, StoredList
from headwater.runtime.code import Code, as_sequence, element, live, live_inputs

if TYPE_CHECKING:
    from headwater.engine.events import Failure
    from headwater.runtime.caching import CacheAccess

Outputs = Mapping[str, object]


def sequences_of(over: Mapping[str, object]) -> dict[str, Any]:
    """The sequences that a map runs over, refused when their lengths differ."""
    sequences = {name: as_sequence(value) for name, value in over.items()}
    one_length({name: len(sequence) for name, sequence in sequences.items()})
    return sequences


def one_length(lengths: Mapping[str, int]) -> int:
    """The one length that all sequences of a map have.

    Raises:
        TargetError: there are several.

    >>> one_length({"x": 3, "y": 3}), one_length({})
    (3, 0)
    """
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise TargetError(
            f"a map runs over sequences of unequal length: {listed}",
            fix="Give it sequences of one length; broadcast the others as plain inputs.",
        )
    return next(iter(lengths.values()), 0)


@dataclass(slots=True)
class MapJob:
    """A map that runs in this process or hands its items to others: inputs, outputs so far."""

    node: Node
    map: Map
    sequences: dict[str, Any]
    broadcast: Mapping[str, object]
    total: int
    results: dict[int, Any] = field(default_factory=dict)

    def item(self, index: int) -> object:
        """What one item is: the bare element for one `over`, a tuple of elements when several are zipped."""
        if len(self.sequences) == 1:
            (sequence,) = self.sequences.values()
            return element(sequence, index)
        return tuple(element(sequence, index) for sequence in self.sequences.values())

    def slice(self, start: int, stop: int) -> list[object]:
        """The items from `start` up to, but without, `stop`."""
        return [self.item(index) for index in range(start, stop)]


class ItemRunner:
    """Runs one item of a map: a task directly, a block by an engine of its own. Travels to workers."""

    def __init__(
        self,
        path: str,
        node: Node,
        graph: Graph,
        code: Code,
        names: Sequence[str],
        broadcast: Mapping[str, object],
        cache: CacheAccess | None,
    ) -> None:
        self.path = path
        self.node = node
        self.graph = graph
        self.code = code
        self.names = tuple(names)
        self.broadcast = dict(live_inputs(broadcast))
        self.cache = cache

    def inputs(self, item: Any) -> dict[str, object]:
        """The inputs of an item: the broadcast ones and its own elements."""
        inputs = dict(self.broadcast)
        if len(self.names) == 1:
            inputs[self.names[0]] = item
        else:
            inputs.update(zip(self.names, item, strict=True))
        return dict(live_inputs(inputs))

    def __call__(self, index: int, item: Any) -> Outputs | Cached | None:
        """The outputs of an item; None when it was skipped. What its tasks raise is raised, its node noted."""
        inputs = self.inputs(item)
        if self.cache is not None and self.node.policy.cache != "off":
            return self._cached(index, inputs)
        return self._run(index, inputs)

    def _cached(self, index: int, inputs: dict[str, object]) -> Outputs | Cached | None:
        assert self.cache is not None
        with self.cache.claimed(self.node, inputs, self.graph, self.code) as claim:
            if claim.hit is not None:
                return Cached(claim.hit)
            outputs = self._run(index, inputs)
            if outputs is not None:
                claim.store(outputs)
            return outputs

    def _run(self, index: int, inputs: dict[str, object]) -> Outputs | None:
        body = self._body
        if isinstance(body, Task):
            outputs = self.code.run_task(body.ref, inputs)
            return None if isinstance(outputs, Skipped) else outputs
        if isinstance(body, Container):
            raise TargetError(
                "container nodes run on Kubernetes only", fix="Submit the workflow to a cluster."
            )
        from headwater.runtime.unit import run_unit

        return run_unit(self.graph, body.block, inputs, self.code, f"{self.path}[{index}]", self.cache)

    @property
    def _body(self) -> Task | Container | Call:
        kind = self.node.kind
        assert isinstance(kind, Map)
        return kind.body


@dataclass(frozen=True, slots=True)
class Cached:
    """The outputs of an item that came from the cache."""

    outputs: Outputs


def output_groups(graph: Graph, mapped: Map) -> list[list[str]]:
    """The names of an item's outputs, grouped by the end node that gives them."""
    if not isinstance(mapped.body, Call):
        return []
    block = graph.blocks[mapped.body.block]
    # In the order of the nodes: that of the outputs' names is lost on the way through a cluster.
    groups: dict[str, list[str]] = {node.name: [] for node in block.nodes}
    for name, source in block.outputs.items():
        groups.setdefault(source.node if isinstance(source, From) else "", []).append(name)
    return [names for names in groups.values() if names]


def collect(
    graph: Graph,
    mapped: Map,
    total: int,
    results: Mapping[int, Outputs | None],
    failed: Mapping[int, Failure],
    names: Sequence[str],
) -> dict[str, object]:
    """The outputs of a map in item order; a failed item's exception sits in its place."""
    if mapped.collect == "none":
        return {}
    if mapped.collect == "items":
        groups = output_groups(graph, mapped)
        return {
            mapped.output_name: [
                failed[index].exception if index in failed else grouped(results.get(index), groups)
                for index in range(total)
            ]
        }
    columns: dict[str, list[object]] = {name: [] for name in names}
    for outputs in results.values():
        for name in outputs or ():
            columns.setdefault(name, [])
        break
    for index in range(total):
        if index in failed:
            for column in columns.values():
                column.append(failed[index].exception)
            continue
        outputs = results.get(index) or {}
        for name, column in columns.items():
            column.append(outputs.get(name))
    return {name: _light(column) for name, column in columns.items()}


def _light(column: list[object]) -> list[object]:
    return StoredList(column) if any(type(value) is Stored for value in column) else column


def grouped(outputs: Outputs | None, groups: list[list[str]]) -> list[object]:
    """One item of a collection of whole items: the outputs of each end node in a dict of their own."""
    outputs = {name: live(value) for name, value in (outputs or {}).items()}
    if len(groups) < 2:
        return [dict(outputs)]
    return [{name: outputs[name] for name in group if name in outputs} for group in groups]
