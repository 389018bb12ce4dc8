"""The engine's graph of a Workflow on a cluster: every value encoded, so that nobody here looks into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headwater.document.graph import runs_in_one_place, to_graph
from headwater.document.placement import placed
from headwater.engine.graph import Block, BlockInput, Call, ErrorClass, Graph, Iterate, Loop, Map, Node, Race

Spec = Mapping[str, Any]

ENTRY_UNIT = "@unit"
"""The node that stands for an entry block which is a unit as a whole; no document can name one so."""

_OF_A_BLOCK = (Call, Loop, Iterate)
_SOURCES = ("inputs", "over", "outputs")


def cluster_graph(spec: Spec) -> Graph:
    """The graph of a spec, its constants encoded.

    >>> graph = cluster_graph({"blocks": [{"name": "main", "nodes": [
    ...     {"name": "a", "task": "m:a", "inputs": {"x": {"value": 3}, "y": {"from": "inputs.y"}}}]}]})
    >>> graph.blocks["main"].nodes[0].inputs["x"]
    Const(value={'json': 3})
    """
    decided = {**spec, "blocks": placed(spec)}
    blocks = [_encoded_block(block) for block in _with_cached_units(decided)]
    graph = _with_retries_of_units(to_graph({**spec, "blocks": blocks}))
    entry = graph.blocks[graph.entrypoint]
    if not entry.unit:
        return graph
    whole = Block(
        ENTRY_UNIT,
        (Node(ENTRY_UNIT, Call(entry.name), {name: BlockInput(name) for name in entry.inputs}),),
        entry.inputs,
    )
    return _with_retries_of_units(Graph({**graph.blocks, ENTRY_UNIT: whole}, ENTRY_UNIT, graph.policy))


def _with_retries_of_units(graph: Graph) -> Graph:
    """Want of memory ends the pod of a unit, whichever task in it wanted more: so the unit is what is tried again."""
    blocks = {}
    for name, block in graph.blocks.items():
        nodes = tuple(_with_retries_of_unit(graph, node) for node in block.nodes)
        blocks[name] = block if nodes == block.nodes else replace(block, nodes=nodes)
    return Graph(blocks, graph.entrypoint, graph.policy)


def _with_retries_of_unit(graph: Graph, node: Node) -> Node:
    kind = node.kind.body if isinstance(node.kind, Map) else node.kind
    if not isinstance(kind, Call) or not graph.blocks[kind.block].unit:
        return node
    inside = [each.policy.retry for block in _below(graph, kind.block) for each in graph.blocks[block].nodes]
    limit = max((retry.limit for retry in inside if ErrorClass.OOM in retry.classes), default=0)
    own = node.policy.retry
    if not limit:
        return node
    if own.limit:
        retry = replace(own, classes=own.classes | {ErrorClass.OOM})
    else:
        retry = replace(own, limit=limit, classes=frozenset({ErrorClass.OOM}), explicit_classes=False)
    return replace(node, policy=replace(node.policy, retry=retry))


def _below(graph: Graph, name: str) -> list[str]:
    """A block and all blocks that its nodes run."""
    found = [name]
    for each in found:
        for node in graph.blocks[each].nodes:
            kind = node.kind.body if isinstance(node.kind, Map) else node.kind
            called = (
                kind.blocks
                if isinstance(kind, Race)
                else [kind.block]
                if isinstance(kind, _OF_A_BLOCK)
                else []
            )
            found += [block for block in called if block not in found]
    return found


def _with_cached_units(spec: Spec) -> list[Spec]:
    """A call that is cached runs in one pod: only a pod can look into its inputs for the key."""
    default = (spec.get("defaults") or {}).get("cache", "off")
    cached = {
        node["call"]["block"]
        for block in spec["blocks"]
        for node in block["nodes"]
        if "block" in (node.get("call") or {}) and (node.get("cache") or default) != "off"
    }
    suitable = {name for name in cached if runs_in_one_place(spec["blocks"], name)}
    return [
        {**block, "placement": "unit"} if block["name"] in suitable else block for block in spec["blocks"]
    ]


def encoded_arguments(spec: Spec) -> dict[str, Any]:
    """The run's arguments as encoded values.

    >>> encoded_arguments({"arguments": {"n": 3}})
    {'n': {'json': 3}}
    """
    return {name: {"json": value} for name, value in (spec.get("arguments") or {}).items()}


def _encoded_block(block: Spec) -> Spec:
    found = {**block, "nodes": [_encoded_node(node) for node in block["nodes"]]}
    if block.get("inputs"):
        found["inputs"] = {name: _encoded_default(each) for name, each in block["inputs"].items()}
    if block.get("outputs"):
        found["outputs"] = {name: _encoded_source(each) for name, each in block["outputs"].items()}
    return found


def _encoded_default(written: Spec) -> Spec:
    if "pickle" in written:
        return {**_without(written, "pickle"), "object": {"pickle": written["pickle"]}}
    if "default" in written:
        return {**_without(written, "default"), "object": {"json": written["default"]}}
    return written


def _encoded_node(node: Spec) -> Spec:
    found = dict(node)
    if node.get("inputs"):
        found["inputs"] = {name: _encoded_source(each) for name, each in node["inputs"].items()}
    if "map" in node:
        over = {name: _encoded_source(each) for name, each in node["map"]["over"].items()}
        found["map"] = {**node["map"], "over": over}
    if "iterate" in node and node["iterate"].get("initial"):
        initial = {name: _encoded_initial(each) for name, each in node["iterate"]["initial"].items()}
        found["iterate"] = {**node["iterate"], "initial": initial}
    for question in ("when", "condition"):
        written = node.get(question)
        if written and isinstance(written.get("input"), Mapping):
            found[question] = {**written, "input": _encoded_source(written["input"])}
    return found


def _encoded_source(written: Spec) -> Spec:
    if "from" in written:
        return written
    if "pickle" in written:
        return {"object": {"pickle": written["pickle"]}}
    if "range" in written:
        return {"object": {"range": written["range"]}}
    return {"object": {"json": written.get("value")}}


def _encoded_initial(written: Any) -> Spec:
    if isinstance(written, Mapping) and len(written) == 1 and set(written) <= {"from", "value", "pickle"}:
        return _encoded_source(written)
    return {"object": {"json": written}}


def _without(written: Spec, name: str) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key != name}
