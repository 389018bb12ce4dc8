"""What can be worked out about a block before it runs: who waits for whom, and for what outcome."""

from __future__ import annotations

from headwater.engine.data import data
from headwater.engine.graph import (
    Block,
    Condition,
    FirstOf,
    From,
    Graph,
    Iterate,
    Map,
    Merge,
    Node,
    Source,
    Test,
)

# What a node needs of one of its upstreams, strongest first.
DATA, ORDER, FAILED, FINISHED, ALTERNATIVE, BRANCH = (
    "data",
    "order",
    "failed",
    "finished",
    "alternative",
    "branch",
)


@data
class NodePlan:
    """A node with its upstreams (`needs`: position and what is needed) and downstreams, by position."""

    node: Node
    needs: tuple[tuple[int, str], ...]
    waits_for: int
    downstream: tuple[int, ...]
    catches: bool
    plain: bool


@data
class BlockPlan:
    """A block prepared for running: one `NodePlan` a node, in order; `starts` wait for nobody."""

    block: Block
    nodes: tuple[NodePlan, ...]
    index: dict[str, int]
    caught: frozenset[int]
    starts: tuple[int, ...]


def sources_of(node: Node) -> list[Source]:
    """Every place that a node takes a value from."""
    sources: list[Source] = list(node.inputs.values())
    kind = node.kind
    if isinstance(kind, Map):
        sources += kind.over.values()
    elif isinstance(kind, Iterate):
        sources += kind.initial.values()
    elif isinstance(kind, Condition) and isinstance(kind.decide, Test):
        sources.append(kind.decide.input)
    if node.when is not None:
        sources.append(node.when.input)
    return sources


def _needs(node: Node) -> dict[str, str]:
    needs: dict[str, str] = {}
    kind_of_after = {"succeeded": ORDER, "failed": FAILED, "finished": FINISHED}
    for dependency in node.after:
        needs[dependency.node] = (
            ALTERNATIVE if isinstance(node.kind, Merge) else kind_of_after[dependency.outcome]
        )
    if node.branch is not None:
        needs.setdefault(node.branch.of, BRANCH)
    for source in sources_of(node):
        if isinstance(source, From):
            if needs.get(source.node) not in (FAILED, FINISHED):
                needs[source.node] = DATA
        elif isinstance(source, FirstOf):
            for alternative in source.sources:
                needs.setdefault(alternative.node, ALTERNATIVE)
    return needs


def plan_of(block: Block) -> BlockPlan:
    """The plan of a block, worked out once.

    >>> from headwater.engine.graph import Block, Node, Task, From
    >>> block = Block("main", (Node("a", Task("m:a")), Node("b", Task("m:b"), {"x": From("a", "x")})))
    >>> plan_of(block).nodes[1].needs
    ((0, 'data'),)
    """
    known = block.__dict__.get("_plan")
    if known is not None:
        return known  # type: ignore[no-any-return]  # kept in the instance's own dict
    index = {node.name: i for i, node in enumerate(block.nodes)}
    all_needs = [{index[name]: need for name, need in _needs(node).items()} for node in block.nodes]
    downstream: list[list[int]] = [[] for _ in block.nodes]
    for i, needs in enumerate(all_needs):
        for upstream in needs:
            downstream[upstream].append(i)
    nodes = tuple(
        NodePlan(
            node=node,
            needs=tuple(needs.items()),
            waits_for=len(needs),
            downstream=tuple(downstream[i]),
            catches=any(need in (FAILED, FINISHED) for need in needs.values()),
            plain=node.branch is None
            and node.when is None
            and node.policy.cache == "off"
            and all(need == DATA for need in needs.values()),
        )
        for i, (node, needs) in enumerate(zip(block.nodes, all_needs, strict=True))
    )
    caught = frozenset(upstream for needs in all_needs for upstream, need in needs.items() if need == FAILED)
    starts = tuple(i for i, needs in enumerate(all_needs) if not needs)
    plan = BlockPlan(block, nodes, index, caught, starts)
    block.__dict__["_plan"] = plan
    return plan


def edges_of(graph: Graph) -> list[tuple[str, str]]:
    """Which node depends on which, as (from, to); nodes of other blocks than the first have its name before them."""
    pairs = []
    for block in graph.blocks.values():
        prefix = "" if block.name == graph.entrypoint else f"{block.name}/"
        for planned in plan_of(block).nodes:
            pairs += [(prefix + block.nodes[i].name, prefix + planned.node.name) for i, _ in planned.needs]
    return pairs
