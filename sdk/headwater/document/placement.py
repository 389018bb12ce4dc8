"""Which blocks run in one pod where the document leaves it open (`placement: auto`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.document.graph import runs_in_one_place

Spec = Mapping[str, Any]

_APART = frozenset(
    {"resources", "image", "executor", "slurm", "podTemplate", "nodeSelector", "tolerations", "affinity",
     "priorityClassName", "queue", "retry", "map", "race"}
)  # fmt: skip
"""What a node says that only a pod of its own can give it: a place, a retry with more memory, many workers."""


def placed(spec: Spec) -> list[Spec]:
    """The blocks of a spec with every `auto` decided: a chain of Python tasks shares a pod.

    Nothing is lost by that: in a chain there is never more than one thing to do, and a pod costs seconds.

    >>> chain = [{"name": "a", "task": "m:a"}, {"name": "b", "task": "m:b", "dependsOn": ["a"]}]
    >>> placed({"blocks": [{"name": "main", "placement": "auto", "nodes": chain}]})[0]["placement"]
    'unit'
    """
    return [_decided(spec, block) if block.get("placement") == "auto" else block for block in spec["blocks"]]


def _decided(spec: Spec, block: Spec) -> Spec:
    rest = {name: value for name, value in block.items() if name != "placement"}
    together = (
        len(block["nodes"]) > 1
        and _is_chain(block)
        and not any(_APART & node.keys() for node in block["nodes"])
        and "retry" not in (spec.get("defaults") or {})
        and runs_in_one_place(spec["blocks"], block["name"])
    )
    return {**rest, "placement": "unit"} if together else rest


def _is_chain(block: Spec) -> bool:
    """Whether each node waits for the one before it, so that two never run at once."""
    names = [node["name"] for node in block["nodes"]]
    waits_for = {node["name"]: upstreams(node) for node in block["nodes"]}
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = [name for name in names if name not in ordered and waits_for[name] <= set(ordered)]
        if len(ready) != 1:
            return False
        ordered.append(ready[0])
    return True


def upstreams(node: Spec) -> set[str]:
    """The nodes of its block that a node waits for.

    >>> sorted(upstreams({"name": "c", "dependsOn": ["a"], "inputs": {"x": {"from": "b.x"}}}))
    ['a', 'b']
    """
    found = {each if isinstance(each, str) else each["node"] for each in node.get("dependsOn") or ()}
    if node.get("branch"):
        found.add(node["branch"]["of"])
    sources = [*(node.get("inputs") or {}).values(), *((node.get("map") or {}).get("over") or {}).values()]
    for question in (node.get("when"), node.get("condition")):
        if question and isinstance(question.get("input"), Mapping):
            sources.append(question["input"])
    initial = (node.get("iterate") or {}).get("initial") or {}
    sources += [each for each in initial.values() if isinstance(each, Mapping)]
    for source in sources:
        named = source.get("from") or ()
        for reference in [named] if isinstance(named, str) else named:
            upstream = reference.partition(".")[0]
            if upstream not in ("inputs", "run"):
                found.add(upstream)
    return found
