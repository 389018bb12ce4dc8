"""The results of containers: one JSON object in the termination message, read after exit code 0 only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from headwater.document.unit import MESSAGE_LIMIT, Encoded
from headwater.engine.events import Failure

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "str": (str,), "bool": (bool,), "list": (list,), "dict": (dict,),
}  # fmt: skip
MOST_NESTED = 100
_INT_LIMIT = 1 << 63
_SHORTER = "write less to $HEADWATER_RESULT (a path or a URL, say), or use `artifacts`"


def container_outputs(
    message: str, declared: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Encoded] | Failure:
    """The outputs that a container wrote; `declared` are the node's `outputs`.

    A failure says which output is missing or wrong, and what to write. A container that declares nothing may
    write what it likes.

    >>> container_outputs('{"x": 3}', {"x": {"type": "int"}})
    {'x': {'json': 3}}
    >>> print(container_outputs("", {"x": {}}).message)
    it wrote no result, so output 'x' is missing: write one JSON object, {"x": ...}, to $HEADWATER_RESULT
    """
    if not message.strip():
        return _nothing(declared) if declared else {}
    try:
        found = json.loads(message, parse_constant=_refuse)
    except RecursionError:
        return (
            _failure(f"its result is nested deeper than {MOST_NESTED}: write it flatter") if declared else {}
        )
    except ValueError as error:
        return _not_json(message, str(error)) if declared else {}
    if not isinstance(found, dict):
        if not declared:
            return {}
        if _was_cut(message):
            return _too_long()
        return _failure(f"its result is {_kind(found)}, not an object: write {_example(declared)}")
    return _checked(found, declared)


def _checked(
    found: dict[str, Any], declared: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Encoded] | Failure:
    missing = [name for name in declared if name not in found]
    if missing:
        have = ", ".join(map(repr, found)) or "nothing"
        return _failure(
            f"{_outputs(missing)} missing from its result, which has {have}: write {_example(declared)} "
            "to $HEADWATER_RESULT"
        )
    for name, spec in declared.items():
        wanted = (spec or {}).get("type")
        if not _fits(found[name], wanted):
            return _failure(f"output {name!r} must be {wanted}; it wrote {_kind(found[name])}")
    for name, value in found.items():
        if problem := _unwritable({name: value}):
            return _failure(f"output {name!a} {problem}")
    return {name: {"json": value} for name, value in found.items()}


def _fits(value: object, wanted: object) -> bool:
    types = _TYPES.get(str(wanted))
    if types is None:
        return True
    if isinstance(value, bool):
        return wanted == "bool"
    return isinstance(value, types)


def _unwritable(value: Any) -> str:
    """What keeps a value from being kept in a status and handed on: Python reads more than JSON has to carry.

    >>> _unwritable({"x": [1, 2**64]})
    'holds a whole number of more than 64 bits, which Kubernetes would round: write it as a string'
    """
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MOST_NESTED:
            return f"is nested deeper than {MOST_NESTED}: write it flatter"
        if isinstance(part, dict):
            waiting += [(each, depth + 1) for pair in part.items() for each in pair]
        elif isinstance(part, list):
            waiting += [(each, depth + 1) for each in part]
        elif isinstance(part, float) and not math.isfinite(part):
            return "holds a number that is too large for a float"
        elif isinstance(part, int) and not -_INT_LIMIT <= part < _INT_LIMIT:
            return "holds a whole number of more than 64 bits, which Kubernetes would round: write it as a string"
        elif isinstance(part, str) and any("\ud800" <= letter <= "\udfff" for letter in part):
            return f"holds {part[:40]!r} with half a character in it, which nothing can be given"
    return ""


def _nothing(declared: Mapping[str, Any]) -> Failure:
    return _failure(
        f"it wrote no result, so {_outputs(list(declared))} missing: write one JSON object, {_example(declared)}, "
        "to $HEADWATER_RESULT"
    )


def _not_json(message: str, error: str) -> Failure:
    if _was_cut(message):
        return _too_long()
    shown = message if len(message) <= 80 else f"{message[:80]}…"
    return _failure(
        f"its result is not JSON ({error}): {shown!r}. Write one JSON object to $HEADWATER_RESULT"
    )


def _was_cut(message: str) -> bool:
    """Whether the kubelet may have kept only the end of it; the cut may have fallen into a character."""
    return len(message.encode()) >= MESSAGE_LIMIT - 4


def _too_long() -> Failure:
    return _failure(
        f"its result is longer than the {MESSAGE_LIMIT:,} bytes that Kubernetes keeps: {_SHORTER}"
    )


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _outputs(names: list[str]) -> str:
    listed = ", ".join(map(repr, names))
    return f"output {listed} is" if len(names) == 1 else f"outputs {listed} are"


def _example(declared: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'"{name}": ...' for name in declared) + "}"


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "an int", float: "a float", str: "a str", list: "a list", dict: "a dict"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _failure(message: str) -> Failure:
    return Failure("ResultError", message)
