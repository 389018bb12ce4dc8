"""The small types of a document: names, durations, references, quantities. Each says how to write it right."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from headwater.document.graph import seconds
from headwater.errors import DocumentError

_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$")
_TASK = re.compile(r"^[\w.]+:[\w.<>#-]+$")
_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)%$")
_FROM = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]*\.[\w-]+$")

_RESOURCE_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
CRON_WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"


def _kind_of(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    if value is None:
        return "nothing"
    return names.get(type(value), "an object" if isinstance(value, dict) else type(value).__name__)


def wrong(expected: str, value: object) -> ValueError:
    """The error for a value of a wrong kind."""
    shown = (
        f" {shortened(value) if isinstance(value, str) else repr(value)}"
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else ""
    )
    return ValueError(f"must be {expected}; got {_kind_of(value)}{shown}")


def shortened(value: object) -> str:
    """A value as it is shown in a message: never longer than a line.

    >>> shortened("x" * 300)[-14:]
    "x… (300 long)'"
    """
    text = str(value)
    return repr(text) if len(text) <= 80 else repr(f"{text[:64]}… ({len(text)} long)")


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("a name (a quoted string)", value)
    if not _NAME.fullmatch(value) or len(value) > 63:
        raise ValueError(
            f"{shortened(value)} is not a name: letters, digits, '-' and '_', at most 63, "
            "beginning and ending with a letter or digit"
        )
    return value


@lru_cache(maxsize=4096)
def _seconds(value: str) -> float:
    return seconds(value) if len(value) <= 32 else seconds("")


def _duration(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong('a duration such as "90s", "15m", "2h" or "1d"', value)
    try:
        _seconds(value)
    except DocumentError:
        raise wrong('a duration such as "90s", "15m", "2h" or "1d"', value) from None
    return value


def _task(value: Any) -> str:
    if not isinstance(value, str) or not _TASK.fullmatch(value):
        raise wrong('a reference to Python code, "module:name"', value)
    return value


def _tolerance(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if value == "all":
        return "all"
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong('how many items may fail: a number, a percentage such as "10%", or "all"', value)
    if float(found[1]) > 100:
        raise ValueError(f"at most 100% of the items can fail; got {value!r}")
    return str(value)


def _reference(value: Any) -> str:
    if not isinstance(value, str) or not _FROM.fullmatch(value):
        raise wrong("NODE.OUTPUT, inputs.NAME or run.NAME", value)
    return value


def _references(value: Any) -> str | list[str]:
    return [_reference(each) for each in value] if isinstance(value, list) else _reference(value)


def _positive(value: Any) -> str:
    found = _duration(value)
    if _seconds(found) <= 0:
        raise ValueError(f"must be longer than nothing; got {value!r}")
    return found


def _resource_name(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("a name (a quoted string)", value)
    if not _RESOURCE_NAME.fullmatch(value) or len(value) > 253:
        raise ValueError(
            f"{shortened(value)} is not the name of a resource: small letters, digits, '-' and '.', at most 253, "
            "beginning and ending with a letter or digit"
        )
    return value


def _moment(value: Any) -> str:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise wrong('a time with its zone, such as "2026-01-31T00:00:00Z"', value)
    return str(value)


def _cron(value: Any) -> str:
    from croniter import croniter

    if not isinstance(value, str) or len(value) > 256:
        raise wrong('a cron line such as "*/5 * * * *"', value)
    if value in CRON_WORDS:
        return value
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise wrong(
            'a cron line of five fields: minute, hour, day, month, weekday, such as "*/5 * * * *"', value
        )
    return value


def _time_zone(value: Any) -> str:
    from zoneinfo import ZoneInfo

    try:
        if isinstance(value, str) and ZoneInfo(value):
            return value
    except (ValueError, OSError, KeyError):
        pass
    raise wrong('a time zone such as "Europe/Berlin" or "UTC"', value)


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
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "maxLength": 32}),
]
PositiveDuration = Annotated[
    str,
    PlainValidator(_positive),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "maxLength": 32}),
]
ResourceName = Annotated[
    str,
    PlainValidator(_resource_name),
    WithJsonSchema({"type": "string", "pattern": _RESOURCE_NAME.pattern, "maxLength": 253}),
]
Moment = Annotated[
    str, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64})
]
CronText = Annotated[
    str, PlainValidator(_cron), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})
]
TimeZone = Annotated[
    str, PlainValidator(_time_zone), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64})
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
