"""The order of a document's nodes: the API server sorts keys, people want the order in which they were written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]
_INDEX = re.compile(r"\[(\d+)\]")


def static_nodes(spec: Spec) -> dict[str, Spec]:
    """The nodes of a spec by their paths without passes and items, in the order of the document.

    >>> spec = {"blocks": [{"name": "main", "nodes": [{"name": "b", "call": {"block": "in"}}, {"name": "a"}]},
    ...                    {"name": "in", "nodes": [{"name": "c"}]}]}
    >>> list(static_nodes(spec))
    ['b', 'b/c', 'a']
    """
    blocks = {block["name"]: block for block in spec.get("blocks") or ()}
    found: dict[str, Spec] = {}
    if blocks:
        entry: str = spec.get("entrypoint") or next(iter(blocks))
        for name in (entry, spec.get("onExit") or ""):
            if name in blocks:
                found.update(_walk(blocks, name, "", frozenset({name})))
    return found


def _walk(
    blocks: Mapping[str, Spec], name: str, prefix: str, above: frozenset[str]
) -> Iterator[tuple[str, Spec]]:
    for node in blocks[name]["nodes"]:
        path = prefix + node["name"]
        yield path, node
        for inner, step in _called(node):
            if inner in blocks and inner not in above:
                yield from _walk(blocks, inner, f"{path}/{step}", above | {inner})


def _called(node: Spec) -> Iterator[tuple[str, str]]:
    """The blocks below a node, and what stands between their paths."""
    for kind in (node, node.get("map") or {}):
        for key in ("call", "loop", "iterate"):
            block = (kind.get(key) or {}).get("block")
            if block:
                yield block, ""
    for block in (node.get("race") or {}).get("blocks") or ():
        yield block, f"{block}/"


def in_order(paths: Iterable[str], spec: Spec) -> list[str]:
    """Paths in the order of the document: outer before inner, passes and items by their number.

    >>> spec = {"blocks": [{"name": "main", "nodes": [{"name": "b"}, {"name": "a"}]}]}
    >>> in_order(["a", "b[10]/x", "b[2]/x", "b"], spec)
    ['b', 'b[2]/x', 'b[10]/x', 'a']
    """
    places = {path: number for number, path in enumerate(static_nodes(spec))}
    unknown = len(places)

    def key(path: str) -> list[tuple[int, str, list[int]]]:
        plain: list[str] = []
        found = []
        for part in path.split("/"):
            plain.append(part.partition("[")[0])
            place = places.get("/".join(plain), unknown)
            found.append((place, plain[-1], [int(index) for index in _INDEX.findall(part)]))
        return found

    return sorted(paths, key=key)
