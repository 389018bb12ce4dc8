"""A document as something that can be run: the same shape that compiling Python blocks gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.blocks.compile import Compiled
from headwater.blocks.parameters import parameters_for
from headwater.blocks.task import Task
from headwater.configuration.masking import MASK
from headwater.document.problems import nearest
from headwater.errors import DocumentError, HeadwaterError, UsageError
from headwater.runtime.code import Code, inline_objects

Spec = Mapping[str, Any]


def compiled_document(document: Mapping[str, Any]) -> Compiled:
    """Make a validated Workflow document runnable.

    Objects that it carries by value are unpickled. What Python tasks leave to be matched by name (inputs from
    direct upstreams, outputs from the code) is written out; parameters that it lacks come from the config.

    Raises:
        DocumentError: its code cannot be loaded, or a task's inputs cannot be matched.
        ConfigError: a parameter is neither in the document nor in the config.
    """
    spec = dict(document["spec"])
    if spec.get("blocks") is None:
        name = (spec.get("template") or {}).get("name")
        raise UsageError(
            f"the document runs the template {name!r}, which is registered in a cluster",
            fix="Submit it there, or write the template's `blocks` into the document.",
        )
    code = Code(inline_objects(spec))
    spec["blocks"] = [_matched(block, index, code) for index, block in enumerate(spec["blocks"])]
    # What was masked when a run was recorded comes from the config again.
    given = {
        name: section
        for name, section in (spec.get("parameters") or {}).items()
        if MASK not in section.values()
    }
    tasks = [code.task(ref) for ref in list(code.objects) if _is_task(code.objects[ref])]
    lacking = [task for task in tasks if task.parameters and task.name not in given]
    if lacking:
        spec["parameters"] = {**parameters_for(lacking), **given}
    name = (document.get("metadata") or {}).get("name") or spec.get("entrypoint") or "workflow"
    return Compiled.from_document(name=str(name), spec=spec, objects=code.objects, document=dict(document))


def _is_task(found: object) -> bool:
    return isinstance(found, Task) or (isinstance(found, type) and issubclass(found, Task))


def _matched(block: Spec, index: int, code: Code) -> dict[str, Any]:
    """A block with the inputs and outputs of its Python tasks written out."""
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
