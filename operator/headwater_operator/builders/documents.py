"""The part of a Workflow's document that one unit needs, and the policy that shapes its pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headwater.document.graph import to_graph
from headwater.engine.graph import Policy
from headwater.errors import DocumentError

from headwater_operator.builders.inputs import MapStep, RunContext, UnitStep
from headwater_operator.builders.quantities import largest

Spec = Mapping[str, Any]
Step = UnitStep | MapStep

_OF_PODS = frozenset({
    "resources", "image", "executor", "slurm", "podTemplate", "nodeSelector", "tolerations", "affinity",
    "priorityClassName", "imagePullSecrets", "labels", "annotations", "queue",
})  # fmt: skip
"""Policy that shapes a pod: the unit inside it need not know."""

_AROUND = frozenset({"dependsOn", "branch", "inputs"})
"""What ties a node to its neighbours: the engine outside has settled it."""

_UNION = ("labels", "annotations")
_UNITED_WITH_DEFAULTS = (*_UNION, "slurm")


def block_of(context: RunContext, name: str) -> Spec:
    """A block of the document."""
    for block in context.spec.get("blocks") or ():
        if block["name"] == name:
            found: Spec = block
            return found
    raise DocumentError(f"there is no block {name!r} in {context.name!r}")


def node_of(context: RunContext, step: Step) -> Spec:
    """The node of a step as it is written; empty where the step is a whole block."""
    if not step.node:
        return {}
    found = context.nodes.get((step.block, step.node))
    if found is None:
        raise DocumentError(
            f"there is no node {step.node!r} in block {block_of(context, step.block)['name']!r}"
        )
    return found


def body_of(node: Spec) -> Spec:
    """What a node runs: itself, or for a map what runs for each item."""
    found: Spec = node.get("map") or node
    return found


def entered_block(step: Step, node: Spec) -> str:
    """The block that a step runs inside its pod, "" where it runs none."""
    if isinstance(step, MapStep):
        return str((body_of(node).get("call") or {}).get("block", ""))
    return (step.target or step.block) if step.does == "block" else ""


# ---------------------------------------------------------------- the document of a unit


def unit_document(context: RunContext, step: Step) -> dict[str, Any]:
    """`blocks`, `defaults`, `parameters`, `code` and `failFast`, as far as the unit needs them.

    Parameters go along whole: which task reads which section is known to Python only.

    >>> spec = {"blocks": [{"name": "main", "nodes": [
    ...     {"name": "gen", "task": "m:gen"},
    ...     {"name": "show", "task": "m:show", "dependsOn": ["gen"], "resources": {"limits": {"cpu": 1}}}]}]}
    >>> step = UnitStep("show", 1, "main", "show", "task")
    >>> unit_document(RunContext("r", "d", "u", spec), step)
    {'blocks': [{'name': 'main', 'nodes': [{'name': 'show', 'task': 'm:show'}]}]}
    """
    node = node_of(context, step)
    blocks = [{"name": step.block, "nodes": [_alone(node, step)]}] if node else []
    entered = entered_block(step, node)
    blocks += [
        _inside(block) for block in _reachable(context, entered) if not node or block["name"] != step.block
    ]
    spec = context.spec
    found: dict[str, Any] = {"blocks": blocks}
    defaults = _without(spec.get("defaults") or {}, _OF_PODS)
    code = _code(spec.get("code") or {}, blocks)
    for key, value in (("defaults", defaults), ("parameters", spec.get("parameters")), ("code", code)):
        if value:
            found[key] = value
    if spec.get("failFast") is False:
        found["failFast"] = False
    return found


def _alone(node: Spec, step: Step) -> dict[str, Any]:
    """A node without its neighbours; literals come encoded, so they are left out too."""
    asks = isinstance(step, UnitStep) and step.does == "decide"
    kept = _without(node, _OF_PODS | _AROUND | (frozenset() if asks else {"when"}))
    if "map" in kept:
        kept["map"] = {**kept["map"], "over": _names_of(kept["map"].get("over") or {})}
    return kept


def _names_of(over: Spec) -> dict[str, Any]:
    return {name: source if "from" in source else {"range": 0} for name, source in over.items()}


def _inside(block: Spec) -> dict[str, Any]:
    return {**block, "nodes": [_without(node, _OF_PODS) for node in block["nodes"]]}


def _without(written: Spec, left_out: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key not in left_out}


def _reachable(context: RunContext, start: str) -> Iterator[Spec]:
    """A block and all that it calls, in the order in which they are met."""
    waiting, seen = [start] if start else [], {start}
    while waiting:
        block = block_of(context, waiting.pop(0))
        yield block
        for node in block["nodes"]:
            for name in called_blocks(node):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)


def called_blocks(node: Spec) -> list[str]:
    """The blocks that a node runs.

    >>> called_blocks({"name": "m", "map": {"call": {"block": "b"}, "over": {}}})
    ['b']
    """
    found: list[str] = []
    for kind in (node, node.get("map") or {}):
        for key in ("call", "loop", "iterate"):
            name = (kind.get(key) or {}).get("block")
            found += [name] if name else []
        found += (kind.get("race") or {}).get("blocks") or []
    return found


def _code(written: Spec, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """The code section without the image (the pod has it) and without objects that nothing here names."""
    found = _without(written, frozenset({"image"}))
    if found.get("inline"):
        named = {ref for block in blocks for node in block["nodes"] for ref in _references(node)}
        found["inline"] = {ref: data for ref, data in found["inline"].items() if ref in named}
    return {key: value for key, value in found.items() if value}


def _references(node: Spec) -> Iterator[str]:
    for kind in (
        node, node.get("map") or {}, node.get("condition") or {}, (node.get("iterate") or {}).get("until") or {},
    ):  # fmt: skip
        if "task" in kind:
            yield kind["task"]


# ---------------------------------------------------------------- the policy of a pod


def pod_policy(context: RunContext, step: Step) -> dict[str, Any]:
    """Everything that shapes the step's pod: `defaults`, the nodes of a block in one pod, then the node.

    What a node says takes the place of what `defaults` say; labels and annotations are united. A block that
    is one unit asks for the largest resources of its nodes, which run one after the other.

    Raises:
        DocumentError: the nodes of a unit ask for pods of different kinds.
    """
    node = node_of(context, step)
    defaults = _only(context.spec.get("defaults") or {})
    inner = _of_block(context, entered_block(step, node), defaults)
    return _over(_over(defaults, inner), _only(node))


def pod_templates(context: RunContext, step: Step) -> list[Spec]:
    """What is merged into the pod, in this order: the template of `defaults`, of a block's nodes, of the node."""
    node = node_of(context, step)
    defaults = context.spec.get("defaults") or {}
    inner = _of_block(context, entered_block(step, node), {})
    return [found["podTemplate"] for found in (defaults, inner, node) if found.get("podTemplate")]


def engine_policy(context: RunContext, step: Step) -> Policy:
    """Retries, timeout and the rest as the engine reads them.

    >>> spec = {"blocks": [{"name": "main", "nodes": [{"name": "a", "task": "m:a", "timeout": "90s"}]}]}
    >>> engine_policy(RunContext("r", "d", "u", spec), UnitStep("a", 1, "main", "a", "task")).timeout
    90.0
    """
    node = node_of(context, step)
    if not node:
        return Policy()
    small = {
        "defaults": context.spec.get("defaults") or {},
        "blocks": [{"name": "main", "nodes": [{**_without(node, _AROUND | {"when"})}]}],
    }
    return to_graph(small).blocks["main"].nodes[0].policy


def oom_factor(context: RunContext, step: Step) -> float:
    """By how much more memory an attempt gets after one that wanted more: the most that any of its tasks asks for."""
    node = node_of(context, step)
    inside = [each for block in _reachable(context, entered_block(step, node)) for each in block["nodes"]]
    written = [(each.get("retry") or {}).get("oomFactor") for each in (node, *inside)]
    return max(
        (float(each) for each in written if each), default=engine_policy(context, step).retry.oom_factor
    )


def _only(written: Spec) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key in _OF_PODS and value is not None}


def _over(base: Spec, node: Spec) -> dict[str, Any]:
    merged = {**base, **node}
    for key in _UNITED_WITH_DEFAULTS:
        if key in base and key in node:
            merged[key] = {**base[key], **node[key]}
    return merged


def _of_block(context: RunContext, entered: str, defaults: Spec) -> dict[str, Any]:
    inner = [
        _only(node) for block in _reachable(context, entered) for node in block["nodes"] if _runs_here(node)
    ]
    found: dict[str, Any] = {}
    for key in sorted({key for policy in inner for key in policy}):
        given = [policy[key] for policy in inner if key in policy]
        if key == "resources":
            found[key] = largest([{**defaults.get(key, {})}, *given])
        elif key in _UNION:
            found[key] = {name: value for each in given for name, value in each.items()}
        elif any(each != given[0] for each in given[1:]):
            raise DocumentError(
                f"the nodes of block {entered!r} run in one pod and ask for different `{key}`",
                fix="Give them the same, or write `placement: nodes` in the block.",
            )
        else:
            found[key] = given[0]
    return found


def _runs_here(node: Spec) -> bool:
    return any(key in body_of(node) for key in ("task", "container", "condition"))
