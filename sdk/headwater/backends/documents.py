"""A document as something that can be run: the same shape that compiling Python blocks gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.blocks.compile import Compiled
from headwater.blocks.parameters import parameters_for
from headwater.blocks.task import Task
from headwater.configuration.masking import MASK
from headwater.errors import UsageError
from headwater.runtime.code import Code, inline_objects
from headwater.runtime.matching import matched

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
    spec["blocks"] = [matched(block, index, code) for index, block in enumerate(spec["blocks"])]
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
