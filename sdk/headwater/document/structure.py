"""The first half of lint: does the document have the right shape? pydantic's findings in plain words."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from headwater.document.models import API_VERSION, Workflow
from headwater.document.problems import Path, Problem, line_of, nearest, path_text
from headwater.document.types import wrong

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a number",
    "int_parsing": "a number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object (`key: value` lines)",
    "model_type": "an object (`key: value` lines)",
    "list_type": "a list (lines that begin with `-`)",
}


def structure_problems(data: Any, lines: Mapping[Path, int]) -> tuple[Workflow | None, list[Problem]]:
    """The document as a model, and what keeps it from being one.

    With problems the model is the document without the fields that have them, so that the rest can be
    checked too; None when it cannot do without them.
    """
    if not isinstance(data, dict):
        return None, [Problem("", "this is not a Workflow document", "Begin with apiVersion and kind.", 1)]
    head = list(_head_problems(data, lines))
    if head:
        return None, head
    try:
        return Workflow.model_validate(data, strict=True), []
    except ValidationError as error:
        problems: dict[str, Problem] = {}
        for found in error.errors(include_url=False):
            problem = _problem(found, data, lines)
            problems.setdefault(f"{problem.path}: {problem.message}", problem)
        return _without_wrong_fields(data, error), list(problems.values())


def _without_wrong_fields(data: dict[str, Any], error: ValidationError) -> Workflow | None:
    rest = copy.deepcopy(data)
    for found in error.errors(include_url=False):
        path = found["loc"]
        holder = _at(rest, tuple(path[:-1]))
        if not isinstance(holder, dict) or path[-1] not in holder:
            return None
        del holder[path[-1]]
    try:
        return Workflow.model_validate(rest, strict=True)
    except ValidationError:
        return None


def _head_problems(data: dict[str, Any], lines: Mapping[Path, int]) -> Iterator[Problem]:
    for key, expected in (("apiVersion", API_VERSION), ("kind", "Workflow")):
        found = data.get(key)
        if found != expected:
            said = "is missing" if found is None else f"must be {expected!r}; got {found!r}"
            yield Problem(key, said, f"Write `{key}: {expected}`.", line_of((key,), lines))
    if "spec" not in data:
        yield Problem("spec", "is missing", "Say under `spec` what to run.", line_of((), lines))


def _problem(found: Any, data: Any, lines: Mapping[Path, int]) -> Problem:
    path: Path = tuple(found["loc"])
    kind: str = found["type"]
    fix = ""
    if kind == "extra_forbidden":
        message = f"unknown field {path[-1]!r}"
        fix = nearest(str(path[-1]), _fields_at(path[:-1]))
    elif kind == "missing":
        message = "is missing"
        fix = f"Add `{path[-1]}:`."
    elif kind == "literal_error":
        message = f"must be {found['ctx']['expected'].replace(' or ', ' or ')}"
        message += f"; got {_at(data, path)!r}"
    elif kind == "value_error":
        message = str(found["ctx"]["error"])
    elif kind in _EXPECTED:
        message = str(wrong(_EXPECTED[kind], _at(data, path)))
    elif kind == "too_short":
        message = f"is empty: at least {found['ctx']['min_length']} needed"
        fix = "Add one." if found["ctx"]["min_length"] == 1 else "Add more."
    elif kind == "too_long":
        message = f"has too many entries: at most {found['ctx']['max_length']}"
        fix = "Use a map for many like steps, or split the block."
    elif kind in ("greater_than_equal", "less_than_equal"):
        limit = found["ctx"].get("ge", found["ctx"].get("le"))
        message = f"must be {'at least' if kind.startswith('greater') else 'at most'} {limit}; got {_at(data, path)!r}"
    else:
        message = found["msg"]
    return Problem(path_text(path), message.rstrip("."), fix, line_of(path, lines))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields_at(path: Path) -> list[str]:
    """The names of the fields that may stand at a path."""
    model: type[BaseModel] | None = Workflow
    for part in path:
        if model is None:
            return []
        if isinstance(part, str):
            fields = {(field.alias or name): field.annotation for name, field in model.model_fields.items()}
            if part in fields:
                model = _model_in(fields[part])
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
