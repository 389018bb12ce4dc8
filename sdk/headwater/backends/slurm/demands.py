"""What each node asks of the cluster: its own `slurm`, its `resources`, what is in its blocks, the defaults."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from headwater.engine.graph import Call, Graph, Map, Node
from headwater.runtime.caching import blocks_below
from headwater.slurm.directives import Directives, from_resources
from headwater.slurm.site import Site

Spec = Mapping[str, Any]
LARGEST = ("time", "mem", "mem_per_cpu", "cpus_per_task")


class Demands:
    """The directives of every node of a run, checked against the cluster before anything runs.

    Raises:
        DefinitionError: a directive is unknown, wrong, or more than the cluster has.
    """

    def __init__(self, graph: Graph, spec: Spec, defaults: Directives, site: Site) -> None:
        self._written = _written_nodes(spec)
        common = spec.get("defaults") or {}
        self._defaults = _of_policy(common, "defaults").over(defaults)
        self._known: dict[tuple[str, str], Directives] = {}
        self._blocks = {id(node): block.name for block in graph.blocks.values() for node in block.nodes}
        for block in graph.blocks.values():
            for node in block.nodes:
                asked = self._asked(graph, block.name, node)
                site.check(asked, f"node {node.name!r}")
                self._known[block.name, node.name] = asked

    def of(self, node: Node, items: int = 1) -> Directives:
        """What one job for this node asks for; `items` items of a map share its time."""
        found = self._known.get((self._blocks.get(id(node), ""), node.name), self._defaults)
        timeout = node.policy.timeout
        if found.time is None and timeout is not None:
            # A limit of Slurm's own, in case this process is not there to end it.
            found = replace(found, time=math.ceil(timeout * items / 60) + 1)
        return found

    def _asked(self, graph: Graph, block: str, node: Node) -> Directives:
        own = _of_policy(self._written.get((block, node.name), {}), f"node {node.name!r}")
        return _with_inner(own, self._inner(graph, node)).over(self._defaults)

    def _inner(self, graph: Graph, node: Node) -> Iterator[Directives]:
        kind = node.kind.body if isinstance(node.kind, Map) else node.kind
        if not isinstance(kind, Call):
            return
        for block in blocks_below(graph, node):
            for inner in graph.blocks[block].nodes:
                written = self._written.get((block, inner.name), {})
                yield _of_policy(written, f"node {inner.name!r}")


def _written_nodes(spec: Spec) -> dict[tuple[str, str], Spec]:
    return {
        (block["name"], node["name"]): node
        for block in spec.get("blocks") or ()
        for node in block.get("nodes") or ()
    }


def _of_policy(written: Spec, where: str) -> Directives:
    slurm = {name: value for name, value in (written.get("slurm") or {}).items() if name != "cluster"}
    return Directives.parse(slurm, where).over(from_resources(written.get("resources") or {}))


def _with_inner(own: Directives, inner: Iterator[Directives]) -> Directives:
    """A unit asks for what its own node says, else for the most that a node in it asks for.

    >>> parts = [Directives(mem=100, time=5), Directives(mem=300, partition="gpu")]
    >>> found = _with_inner(Directives(time=9), iter(parts))
    >>> found.mem, found.time, found.partition
    (300, 9, 'gpu')
    """
    most = Directives()
    for part in inner:
        larger = {
            name: max(getattr(most, name), getattr(part, name))
            for name in LARGEST
            if getattr(most, name) is not None and getattr(part, name) is not None
        }
        most = replace(most.over(part), **larger)
    return own.over(most)
