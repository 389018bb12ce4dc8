"""WorkflowTemplate documents, made of workflows."""

from __future__ import annotations

from headwater.blocks.compile import API_VERSION, Compiled
from headwater.document.expansion import EXPOSED, Document, Lookup, Spec, entry_block, expand

__all__ = ["EXPOSED", "Document", "Lookup", "Spec", "entry_block", "expand", "tasks_of", "template_document"]


def template_document(compiled: Compiled, project: str, name: str, description: str = "") -> Document:
    """The template of a compiled workflow, all by name or by value."""
    spec = dict(compiled.document["spec"])
    spec.pop("arguments", None)
    spec.update({"project": project} | ({"description": description} if description else {}))
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkflowTemplate",
        "metadata": {"name": name},
        "spec": spec,
    }


def tasks_of(template: Document) -> dict[str, list[str]]:
    """The nodes of a template's entry block with their outputs; `-` in a name stands for Python's `_`."""
    return {node["name"]: list(node.get("outputs") or {}) for node in entry_block(template["spec"])["nodes"]}
