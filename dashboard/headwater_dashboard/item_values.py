"""What one item of a map was given and gave, found in the run's document and in what its nodes recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.records.model import Node, Run

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ItemValues:
    """Encoded values by name. What is kept in the store as a whole is there as the reference to that whole."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]


def item_values(
    document: Json | None, run: Run, nodes: Mapping[str, Node], path: str, index: int
) -> ItemValues:
    """The values of an item of the map at a path. What cannot be known from the record is left out.

    >>> document = {"spec": {"blocks": [{"name": "main", "nodes": [
    ...     {"name": "halves", "map": {"task": "m:f", "over": {"x": {"value": [7, 8, 9]}}}}]}]}}
    >>> run = Run("r1", "n", "default", "", "Succeeded", 10.0, 11.0)
    >>> item_values(document, run, {}, "halves", 1).inputs
    {'x': {'json': 8}}
    """
    node = nodes.get(path)
    all_outputs = ((node.outputs if node else None) or {}).items()
    outputs = {name: one for name, value in all_outputs if (one := _at(value, index)) is not None}
    try:
        inputs = _inputs(document or {}, run, nodes, path, index)
    except (AttributeError, KeyError, TypeError, ValueError):  # the document is none of ours, or damaged
        inputs = {}
    return ItemValues(inputs, outputs)


def _inputs(document: Json, run: Run, nodes: Mapping[str, Node], path: str, index: int) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    found = _map_at(document, path)
    if found is None:
        return inputs
    prefix, written, is_main = found
    over, whole = written["map"].get("over") or {}, written.get("inputs") or {}
    for name, source in (*over.items(), *whole.items()):
        value = _value(source, prefix, nodes, run if is_main else None)
        if name in over:
            value = _at(value, index)
        if value is not None:
            inputs[name] = value
    return inputs


def _map_at(document: Json, path: str) -> tuple[str, Json, bool] | None:
    """What stands before the map's name in its path, the map as written, and whether it is in the first block."""
    spec = document.get("spec") or {}
    blocks = {block["name"]: block for block in spec.get("blocks") or ()}
    block = blocks.get(spec.get("entrypoint") or "main") or next(iter(blocks.values()), None)
    names = path.split("/")
    for depth, part in enumerate(names):
        name = part.partition("[")[0]
        node = next((each for each in (block or {}).get("nodes") or () if each["name"] == name), None)
        if node is None:
            return None
        if depth == len(names) - 1:
            prefix = "/".join(names[:-1])
            return (f"{prefix}/" if prefix else "", node, depth == 0) if "map" in node else None
        block = next((blocks.get(name) for name in _blocks_of(node)), None)
    return None


def _blocks_of(node: Json) -> Iterator[str]:
    """The block that a node calls, once or for each of its items or rounds."""
    for kind in (node, node.get("map") or {}):
        call = kind.get("call")
        if isinstance(call, Mapping) and "block" in call:
            yield call["block"]
    for kind in ("loop", "iterate"):
        if isinstance(node.get(kind), Mapping) and "block" in node[kind]:
            yield node[kind]["block"]


def _value(source: Json, prefix: str, nodes: Mapping[str, Node], run: Run | None) -> Any:
    """The encoded value that a source stands for; None where the record does not have it."""
    if "value" in source:
        return {"json": source["value"]}
    if "range" in source:
        return {"json": range(int(source["range"]))}
    name, _, output = str(source.get("from", "")).partition(".")
    if name == "inputs":
        return (run.inputs or {}).get(output) if run is not None else None
    node = nodes.get(prefix + name)
    return ((node.outputs if node else None) or {}).get(output)


def _at(value: Any, index: int) -> Any:
    """One item of an encoded list, None where it is shorter; what is no list, or kept elsewhere, as it is."""
    plain = value.get("json") if isinstance(value, Mapping) else None
    if not isinstance(plain, list | range):
        return value
    return {"json": plain[index]} if index < len(plain) else None
