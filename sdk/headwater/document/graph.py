"""From a document's spec to the engine's graph. Standard library only: the runtime in a pod uses it too.

The spec is trusted here: it was validated, or compiled from Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.engine.graph import (
    Block,
    BlockInput,
    Branch,
    Call,
    Condition,
    Const,
    Container,
    Dependency,
    ErrorClass,
    FirstOf,
    From,
    Graph,
    Input,
    Iterate,
    Kind,
    Loop,
    Map,
    Merge,
    Node,
    Policy,
    Race,
    Retry,
    RunField,
    RunPolicy,
    Source,
    Suspend,
    Task,
    Test,
)
from headwater.engine.standins import Pickled
from headwater.errors import DocumentError

Spec = Mapping[str, Any]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"^(?:{_PART.pattern})+$")
_NO_POLICY = Policy()


def seconds(duration: str | float) -> float:
    """A duration string in seconds.

    >>> seconds("90s"), seconds("15m"), seconds("1h30m")
    (90.0, 900.0, 5400.0)
    """
    if isinstance(duration, int | float):
        return float(duration)
    if not _DURATION.match(duration):
        raise DocumentError(f"{duration!r} is not a duration", fix="Write 90s, 15m, 2h or 1d.")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def source_of(written: Spec) -> Source:
    """Where a value comes from.

    >>> source_of({"from": "gen.raw"}), source_of({"value": 3})
    (From(node='gen', output='raw'), Const(value=3))
    """
    if "from" in written:
        found = written["from"]
        if isinstance(found, str):
            return _reference(found)
        return FirstOf(tuple(ref for ref in map(_reference, found) if isinstance(ref, From)))
    if "object" in written:
        return Const(written["object"])
    if "pickle" in written:
        return Const(Pickled(written["pickle"]))
    if "range" in written:
        return Const(range(written["range"]))
    return Const(written.get("value"))


def _reference(text: str) -> From | BlockInput | RunField:
    node, _, output = text.partition(".")
    if node == "inputs":
        return BlockInput(output)
    if node == "run" and output in ("name", "phase", "failures"):
        return RunField(output)  # type: ignore[arg-type]  # one of the three
    return From(node, output)


def to_graph(spec: Spec) -> Graph:
    """The engine's graph of a spec.

    >>> graph = to_graph({"blocks": [{"name": "main", "nodes": [{"name": "a", "task": "m:a"}]}]})
    >>> graph.entrypoint, graph.blocks["main"].nodes[0].kind
    ('main', Task(ref='m:a'))
    """
    defaults = spec.get("defaults") or {}
    written = spec["blocks"]
    units = _map_bodies_that_are_units(written)
    blocks = {block["name"]: _block(block, defaults, block["name"] in units) for block in written}
    return Graph(
        blocks,
        spec.get("entrypoint") or written[0]["name"],
        RunPolicy(
            parallelism=spec.get("parallelism"),
            fail_fast=spec.get("failFast", True),
            timeout=seconds(spec["timeout"]) if spec.get("timeout") else None,
            on_exit=spec.get("onExit"),
        ),
    )


def _map_bodies_that_are_units(blocks: Sequence[Spec]) -> set[str]:
    """Blocks that only maps call and that one place can run from start to end."""
    bodies = {
        node["map"]["call"]["block"]
        for block in blocks
        for node in block["nodes"]
        if "map" in node and "block" in (node["map"].get("call") or {})
    }
    return {name for name in bodies if runs_in_one_place(blocks, name)}


def runs_in_one_place(blocks: Sequence[Spec], name: str) -> bool:
    """Whether one place (a pod, a worker) can run a block from start to end.

    >>> runs_in_one_place([{"name": "b", "nodes": [{"name": "a", "task": "m:a"}]}], "b")
    True
    """
    by_name = {block["name"]: block for block in blocks}

    def suits(name: str, seen: frozenset[str] = frozenset()) -> bool:
        if name in seen or name not in by_name:
            return False
        block = by_name[name]
        if block.get("placement") == "nodes":
            return False
        for node in block["nodes"]:
            kind = node.get("map") or node
            if "suspend" in node or "container" in kind:
                return False
            if not all(suits(inner, seen | {name}) for inner in blocks_called(node)):
                return False
        return True

    return suits(name)


def without_units(spec: Spec) -> Spec:
    """The spec for who runs all blocks in one place anyway: no block is a unit, so that each of its tasks is seen.

    >>> without_units({"blocks": [{"name": "b", "placement": "unit"}]})["blocks"][0]["placement"] is None
    True
    """
    apart = ("nodes", None)
    blocks = [
        each if each.get("placement") in apart else {**each, "placement": None} for each in spec["blocks"]
    ]
    return {**spec, "blocks": blocks}


def blocks_called(node: Spec) -> list[str]:
    """The names of the blocks that a node of a document calls itself.

    >>> blocks_called({"name": "a", "race": {"blocks": ["b", "c"]}})
    ['b', 'c']
    """
    found = []
    for kind in (node, node.get("map") or {}):
        found += [
            kind[key]["block"] for key in ("call", "loop", "iterate") if "block" in (kind.get(key) or {})
        ]
        found += (kind.get("race") or {}).get("blocks", [])
    return found


def _block(written: Spec, defaults: Spec, is_unit: bool) -> Block:
    nodes = [_node(node, defaults) for node in written["nodes"]]
    outputs = {name: source_of(source) for name, source in (written.get("outputs") or {}).items()}
    return Block(
        written["name"],
        tuple(_with_matched_inputs(nodes, written["nodes"])),
        {name: _input(spec) for name, spec in (written.get("inputs") or {}).items()},
        outputs or _outputs_of_ends(written["nodes"], nodes),
        unit=is_unit or written.get("placement") == "unit",
    )


def _input(written: Spec) -> Input:
    has_default = "default" in written or "object" in written or "pickle" in written
    required = bool(written.get("required", not has_default)) and not has_default
    default = written.get("object", written.get("default"))
    if "pickle" in written:
        default = Pickled(written["pickle"])
    return Input(required, default, written.get("type", ""))


def _with_matched_inputs(nodes: list[Node], written: Sequence[Spec]) -> list[Node]:
    """A Python task without `inputs` takes the declared outputs of the nodes that it depends on."""
    declared = {node["name"]: node.get("outputs") or {} for node in written}
    matched = []
    for node, spec in zip(nodes, written, strict=True):
        if "task" in spec and "inputs" not in spec and node.after:
            found = {
                output: From(dependency.node, output)
                for dependency in node.after
                if dependency.outcome == "succeeded"
                for output in declared[dependency.node]
            }
            if found:
                node = Node(node.name, node.kind, found, node.after, node.branch, node.when, node.policy)
        matched.append(node)
    return matched


def _outputs_of_ends(written: Sequence[Spec], nodes: Sequence[Node]) -> dict[str, Source]:
    from headwater.engine.plan import sources_of

    used: set[str] = set()
    for node in nodes:
        used.update(dependency.node for dependency in node.after)
        if node.branch is not None:
            used.add(node.branch.of)
        for source in sources_of(node):
            if isinstance(source, From):
                used.add(source.node)
            elif isinstance(source, FirstOf):
                used.update(option.node for option in source.sources)
    ends = [spec for spec in written if spec["name"] not in used]
    if any(not spec.get("outputs") for spec in ends):
        return {}  # an end that declares nothing: whatever it gives is passed on at run time
    outputs: dict[str, list[From]] = {}
    for spec in ends:
        for name in spec["outputs"]:
            outputs.setdefault(name, []).append(From(spec["name"], name))
    return {name: froms[0] if len(froms) == 1 else FirstOf(tuple(froms)) for name, froms in outputs.items()}


def _node(written: Spec, defaults: Spec) -> Node:
    inputs = {name: source_of(source) for name, source in (written.get("inputs") or {}).items()}
    branch = written.get("branch")
    when = written.get("when")
    return Node(
        written["name"],
        _kind(written),
        inputs,
        tuple(_dependency(each) for each in written.get("dependsOn") or ()),
        Branch(branch["of"], branch["when"]) if branch else None,
        _test(when) if when else None,
        _policy(written, defaults),
    )


def _dependency(written: str | Spec) -> Dependency:
    if isinstance(written, str):
        return Dependency(written)
    return Dependency(written["node"], written.get("outcome", "succeeded"))


def _kind(written: Spec) -> Kind:
    for key, make in _KINDS.items():
        if key in written:
            kind: Kind = make(written[key])
            return kind
    raise DocumentError(
        f"node {written.get('name')!r} has no kind", fix="Give it `task`, `call`, `map` or another."
    )


def _map(written: Spec) -> Map:
    body = _kind({key: value for key, value in written.items() if key in ("task", "container", "call")})
    assert isinstance(body, Task | Container | Call)
    return Map(
        body,
        {name: source_of(source) for name, source in (written.get("over") or {}).items()},
        written.get("itemsPerPod"),
        written.get("parallelism"),
        _tolerance(written.get("tolerate", 0)),
        written.get("collect", "flat"),
        written.get("outputName", "map_output"),
    )


def _tolerance(written: int | str) -> int | float | None:
    if written == "all":
        return None
    if isinstance(written, str) and written.endswith("%"):
        return float(written[:-1]) / 100
    return int(written)


def _iterate(written: Spec) -> Iterate:
    until = written.get("until")
    return Iterate(
        written["block"],
        written["maxIterations"],
        until["task"] if until else None,
        {name: source_of(source) if isinstance(source, Mapping) and _is_source(source) else Const(source)
         for name, source in (written.get("initial") or {}).items()},
    )  # fmt: skip


def _is_source(written: Spec) -> bool:
    return len(written) == 1 and next(iter(written)) in ("from", "value", "object", "pickle")


def _condition(written: Spec) -> Condition:
    return Condition(Task(written["task"]) if "task" in written else _test(written))


def _test(written: Spec) -> Test:
    found = written["input"]
    source = source_of({"from": found} if isinstance(found, str) else found)
    return Test(source, written.get("operator", "exists"), tuple(written.get("values") or ()))


def _suspend(written: Spec) -> Suspend:
    approval = written.get("approval")
    if approval is None:
        return Suspend(duration=seconds(written["duration"]))
    timeout = approval.get("timeout")
    return Suspend(
        approval=True,
        message=approval.get("message", ""),
        timeout=seconds(timeout) if timeout is not None else None,
    )


_KINDS: dict[str, Any] = {
    "task": Task,
    "container": Container,
    "call": lambda written: Call(written["block"]),
    "map": _map,
    "loop": lambda written: Loop(
        written["block"], None if written.get("forever") else written.get("iterations")
    ),
    "iterate": _iterate,
    "condition": _condition,
    "merge": lambda written: Merge(),
    "race": lambda written: Race(tuple(written["blocks"])),
    "suspend": _suspend,
}

_POLICY_FIELDS = ("retry", "timeout", "queueTimeout", "cache", "continueOnFailure")


def _policy(written: Spec, defaults: Spec) -> Policy:
    found = {
        name: written.get(name, defaults.get(name))
        for name in _POLICY_FIELDS
        if name in written or name in defaults
    }
    if not found:
        return _NO_POLICY
    timeout, queue_timeout = found.get("timeout"), found.get("queueTimeout")
    return Policy(
        _retry(found.get("retry") or {}),
        seconds(timeout) if timeout is not None else None,
        seconds(queue_timeout) if queue_timeout is not None else None,
        found.get("cache") or "off",
        bool(found.get("continueOnFailure", False)),
    )


def _retry(written: Spec) -> Retry:
    if not written:
        return _NO_POLICY.retry
    backoff = written.get("backoff") or {}
    classes = written.get("classes")
    return Retry(
        written.get("limit", 0),
        frozenset(map(ErrorClass, classes)) if classes is not None else _NO_POLICY.retry.classes,
        classes is not None,
        seconds(backoff.get("initial", 0)),
        float(backoff.get("factor", 2)),
        seconds(backoff.get("max", 300)),
        float(written.get("oomFactor", 1.5)),
    )
