"""The small types of a document: names, durations, references, quantities. Each says how to write it right."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from headwater.document.graph import seconds
from headwater.errors import DocumentError

_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$")
_TASK = re.compile(r"^[\w.]+:[\w.<>#-]+$")
_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)%$")
_FROM = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]*\.[\w-]+$")

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"


def _kind_of(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    if value is None:
        return "nothing"
    return names.get(type(value), "an object" if isinstance(value, dict) else type(value).__name__)


def wrong(expected: str, value: object) -> ValueError:
    """The error for a value of a wrong kind."""
    shown = f" {value!r}" if isinstance(value, str | int | float) else ""
    return ValueError(f"must be {expected}; got {_kind_of(value)}{shown}")


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("a name (a quoted string)", value)
    if not _NAME.match(value) or len(value) > 63:
        raise ValueError(
            f"{value!r} is not a name: letters, digits, '-' and '_', at most 63, "
            "beginning and ending with a letter or digit"
        )
    return value


def _duration(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong('a duration such as "90s", "15m", "2h" or "1d"', value)
    try:
        seconds(value)
    except DocumentError:
        raise wrong('a duration such as "90s", "15m", "2h" or "1d"', value) from None
    return value


def _task(value: Any) -> str:
    if not isinstance(value, str) or not _TASK.match(value):
        raise wrong('a reference to Python code, "module:name"', value)
    return value


def _tolerance(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if value == "all":
        return "all"
    found = _PERCENT.match(value) if isinstance(value, str) else None
    if found is None:
        raise wrong('how many items may fail: a number, a percentage such as "10%", or "all"', value)
    if float(found[1]) > 100:
        raise ValueError(f"at most 100% of the items can fail; got {value!r}")
    return str(value)


def _reference(value: Any) -> str:
    if not isinstance(value, str) or not _FROM.match(value):
        raise wrong("NODE.OUTPUT, inputs.NAME or run.NAME", value)
    return value


def _references(value: Any) -> str | list[str]:
    return [_reference(each) for each in value] if isinstance(value, list) else _reference(value)


Name = Annotated[
    str,
    PlainValidator(_name),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$", "maxLength": 63}
    ),
]
Duration = Annotated[
    str,
    PlainValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "maxLength": 32}),
]
TaskRef = Annotated[
    str,
    PlainValidator(_task),
    WithJsonSchema({"type": "string", "pattern": _TASK.pattern, "maxLength": 512}),
]
Tolerance = Annotated[
    int | str,
    PlainValidator(_tolerance),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
References = Annotated[
    str | list[str],
    PlainValidator(_references),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
