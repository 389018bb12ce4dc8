"""The first half of lint: does the document have the right shape? pydantic's findings in plain words."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from headwater.document.base import Model
from headwater.document.models import API_VERSION
from headwater.document.problems import Path, Problem, line_of, nearest, path_text
from headwater.document.resources import KINDS
from headwater.document.types import shortened, wrong

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


def structure_problems(
    data: Any, lines: Mapping[Path, int], kinds: Collection[str] = tuple(KINDS)
) -> tuple[Model | None, list[Problem]]:
    """The document as a model of one of the `kinds`, and what keeps it from being one.

    With problems the model is the document without the fields that have them, so that the rest can be
    checked too; None when it cannot do without them.
    """
    if not isinstance(data, dict):
        return None, [Problem("", "this is not a Workflow document", "Begin with apiVersion and kind.", 1)]
    head = list(_head_problems(data, lines, kinds))
    if head:
        return None, head
    model = KINDS[data["kind"]]
    try:
        return model.model_validate(data, strict=True), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems: dict[str, Problem] = {}
        for each in found:
            problem = _problem(each, data, lines, model)
            problems.setdefault(f"{problem.path}: {problem.message}", problem)
        return _without_wrong_fields(data, found, model), list(problems.values())


def _without_wrong_fields(data: dict[str, Any], errors: Iterable[Any], model: type[Model]) -> Model | None:
    rest = dict(data)
    copied: dict[Path, Any] = {}
    for found in errors:
        path = tuple(found["loc"])
        holder = _copied(rest, path[:-1], copied)
        if not isinstance(holder, dict) or path[-1] not in holder:
            return None
        del holder[path[-1]]
    try:
        return model.model_validate(rest, strict=True)
    except ValidationError:
        return None


def _copied(top: dict[str, Any], path: Path, copied: dict[Path, Any]) -> Any:
    """What lies at a path of `top`, with everything above it a copy that may be changed."""
    at: Any = top
    for end, part in enumerate(path, 1):
        if not _has(at, part):
            return None
        if path[:end] not in copied:
            inner = at[part]
            copied[path[:end]] = copy.copy(inner) if isinstance(inner, dict | list) else inner
            at[part] = copied[path[:end]]
        at = at[part]
    return at


def _has(holder: Any, part: str | int) -> bool:
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _head_problems(
    data: dict[str, Any], lines: Mapping[Path, int], kinds: Collection[str]
) -> Iterator[Problem]:
    for key, expected in (("apiVersion", (API_VERSION,)), ("kind", tuple(kinds))):
        found = data.get(key)
        if found not in expected:
            listed = " or ".join(map(repr, expected))
            said = "is missing" if found is None else f"must be {listed}; got {shortened(found)}"
            yield Problem(key, said, f"Write `{key}: {expected[0]}`.", line_of((key,), lines))
    if "spec" not in data:
        yield Problem("spec", "is missing", "Say under `spec` what to run.", line_of((), lines))


def _problem(found: Any, data: Any, lines: Mapping[Path, int], model: type[Model]) -> Problem:
    path: Path = tuple(found["loc"])
    kind: str = found["type"]
    fix = ""
    if kind == "extra_forbidden":
        message = f"unknown field {path[-1]!r}"
        fix = nearest(str(path[-1]), _fields_at(path[:-1], model))
    elif kind == "missing":
        message = "is missing"
        fix = f"Add `{path[-1]}:`."
    elif kind == "literal_error":
        message = f"must be {found['ctx']['expected'].replace(' or ', ' or ')}"
        message += f"; got {_shown(_at(data, path))}"
    elif kind == "value_error":
        message = str(found["ctx"]["error"])
    elif kind in _EXPECTED:
        message = str(wrong(_EXPECTED[kind], _at(data, path)))
    elif kind == "string_too_short":
        message, fix = "is empty", "Give it, or leave the field out."
    elif kind == "string_too_long":
        message = f"is too long: at most {found['ctx']['max_length']:,} characters"
        fix = "Shorten it."
    elif kind == "too_short":
        message = f"is empty: at least {found['ctx']['min_length']} needed"
        fix = "Add one." if found["ctx"]["min_length"] == 1 else "Add more."
    elif kind == "too_long":
        message = f"has too many entries: at most {found['ctx']['max_length']:,}"
        fix = "Use a map for many like steps, or split the block."
    elif kind in ("greater_than_equal", "less_than_equal"):
        limit = found["ctx"].get("ge", found["ctx"].get("le"))
        bound = "at least" if kind.startswith("greater") else "at most"
        message = f"must be {bound} {limit}; got {_shown(_at(data, path))}"
    else:
        message = found["msg"]
    return Problem(path_text(path), message.rstrip("."), fix, line_of(path, lines))


def _shown(value: Any) -> str:
    return shortened(value) if isinstance(value, str) else str(value)[:80]


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields_at(path: Path, root: type[BaseModel]) -> list[str]:
    """The names of the fields that may stand at a path."""
    model: type[BaseModel] | None = root
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
