"""What a document leaves to be matched: a Python task's inputs from its upstreams, its outputs from its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.blocks.task import Task
from headwater.errors import DocumentError, HeadwaterError
from headwater.runtime.code import Code

Spec = Mapping[str, Any]


def matched(block: Spec, index: int, code: Code) -> dict[str, Any]:
    """The block at `index` of a document with the inputs and outputs of its Python tasks written out.

    Raises:
        DocumentError: a task's inputs cannot be matched, or its code cannot be loaded.

    >>> def gen() -> {"x": int}: ...
    >>> def use(x): ...
    >>> nodes = [{"name": "gen", "task": "m:gen"}, {"name": "use", "task": "m:use", "dependsOn": ["gen"]}]
    >>> found = matched({"name": "main", "nodes": nodes}, 0, Code({"m:gen": gen, "m:use": use}))
    >>> found["nodes"][1]["inputs"]
    {'x': {'from': 'gen.x'}}
    """
    nodes = [
        _with_outputs(node, f"spec.blocks[{index}].nodes[{at}]", code)
        for at, node in enumerate(block["nodes"])
    ]
    declared = {node["name"]: node.get("outputs") or {} for node in nodes}
    return {
        **block,
        "nodes": [
            _with_inputs(node, f"spec.blocks[{index}].nodes[{at}]", block, declared, code)
            for at, node in enumerate(nodes)
        ],
    }


def is_matched(block: Spec) -> bool:
    """Whether nothing in a block is left to be matched, as in every document that was compiled from Python."""
    tasks = [node for node in block["nodes"] if "task" in node or "task" in (node.get("map") or {})]
    return all("inputs" in node and "outputs" in node for node in tasks)


def _with_outputs(node: Spec, path: str, code: Code) -> dict[str, Any]:
    ref = node.get("task") or (node.get("map") or {}).get("task")
    if ref is None or "outputs" in node:
        return dict(node)
    return {**node, "outputs": {name: {} for name in _task(ref, path, code).outputs}}


def _task(ref: str, path: str, code: Code) -> Task:
    try:
        return code.task(ref)
    except HeadwaterError as error:
        raise DocumentError(f"{path}.task: {error.message}", fix=error.fix) from error


def _with_inputs(
    node: dict[str, Any], path: str, block: Spec, declared: Mapping[str, Any], code: Code
) -> dict[str, Any]:
    mapped = node.get("map") or {}
    ref = node.get("task") or mapped.get("task")
    if ref is None:
        return node
    task = _task(ref, path, code)
    over = mapped.get("over") or {}
    for name in [*(node.get("inputs") or {}), *over]:
        if name not in task.inputs and task.inputs:
            from headwater.document.problems import nearest

            raise DocumentError(
                f"{path}: task {task.name!r} has no input {name!r}", fix=nearest(name, task.inputs)
            )
    if "inputs" in node:
        missing = [
            name for name, target in task.inputs.items()
            if target.required and name not in node["inputs"] and name not in over and name not in task.bound
        ]  # fmt: skip
        if missing:
            raise _not_given(path, task, missing[0])
        return node
    upstream = [each if isinstance(each, str) else each["node"] for each in node.get("dependsOn") or ()]
    if "branch" in node:
        upstream.append(node["branch"]["of"])
    inputs: dict[str, Any] = {}
    for name, target in task.inputs.items():
        offers = [each for each in upstream if name in declared.get(each, {})]
        if name in over or name in task.bound:
            continue
        if offers:
            inputs[name] = {"from": f"{offers[-1]}.{name}"}
        elif name in (block.get("inputs") or {}):
            inputs[name] = {"from": f"inputs.{name}"}
        elif target.required:
            raise _not_given(path, task, name)
    return {**node, "inputs": inputs}


def _not_given(path: str, task: Task, name: str) -> DocumentError:
    return DocumentError(
        f"{path}: input {name!r} of task {task.name!r} is fed by nothing",
        fix=f"Add `inputs: {{{name}: {{from: NODE.OUTPUT}}}}`, or name the upstream in `dependsOn`.",
    )
