"""The Workflow document: its models, its checks, its text, and the way to the engine's graph.

Loaded when asked: the runtime in a pod needs `headwater.document.graph` only, and no pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.document.linting import json_schema, lint, load, problems_of, to_document, validate
    from headwater.document.models import Workflow
    from headwater.document.problems import Problem, told
    from headwater.document.yaml_text import dump_yaml

_HOMES = {
    "Problem": "problems",
    "Workflow": "models",
    "dump_yaml": "yaml_text",
    "json_schema": "linting",
    "lint": "linting",
    "load": "linting",
    "problems_of": "linting",
    "told": "problems",
    "to_document": "linting",
    "validate": "linting",
}

__all__ = [
    "Problem", "Workflow", "dump_yaml", "json_schema", "lint", "load", "problems_of", "to_document", "told",
    "validate",
]  # fmt: skip


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
