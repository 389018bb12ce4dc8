"""Rows of the run database as data: which columns are asked for, and what they become.

A row that is damaged must not take a list or a page with it: what cannot be read of it is left out, and said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from headwater.engine.intervals import IntervalSet, Range
from headwater.records.connection import Row
from headwater.records.model import Error, ExceptionRecord, Item, Node, Run

ERROR = ("error_type", "error_message", "error_class")

# What a list of runs shows: values, code and digests are asked for with a single run.
RUN_HEAD = (
    *("run_id", "name", "phase", "backend", "target", "started_at", "finished_at", "message", "exit_code"),
    *("failed_items", "resumed_from", "host", "pid", "login", "namespace", "project", "labels"),
    *("progress_done", "progress_total", *ERROR, "error_node"),
)
RUN = (*RUN_HEAD, "inputs", "outputs", "code", "document_digest", "configuration_digest")
NODE = (
    *("path", "phase", "kind", "ref", "attempt", "message", "started_at", "finished_at", "inputs", "outputs"),
    *("answer", "total", "succeeded", "failed", "cached", *ERROR, "error_node"),
)
ATTEMPT = ("path", "attempt", "phase", "started_at", "finished_at", *ERROR)
ITEM = ("item_index", "phase", "attempt", "finished_at", *ERROR)
EXCEPTION = ("path", "item_index", "attempt", "type", "message", "error_class", "traceback", "raised_at")

_JSON = ("inputs", "outputs", "code", "labels")
_TIMES = ("started_at", "finished_at", "raised_at")
_COUNTS = (
    *("exit_code", "failed_items", "pid", "progress_done", "progress_total", "attempt", "answer", "total"),
    *("succeeded", "failed", "cached", "item_index"),
)
LATEST = 1e11
"""No time lies beyond: in the year 5138."""

_NEVER_NULL = {"started_at": 0.0, "failed_items": 0, "pid": 0, "attempt": 0, "item_index": 0}


def names(columns: Sequence[str]) -> str:
    """Columns as SQL lists them.

    >>> names(("path", "phase"))
    'path, phase'
    """
    return ", ".join(columns)


def fields_of(columns: Sequence[str], row: Row) -> dict[str, Any]:
    """The row by column, its `error_...` columns made one `error`.

    >>> fields_of(("path", *ERROR), ("a", "KeyError", "'x'", None))
    {'path': 'a', 'error': Error(type='KeyError', message="'x'", error_class='Error', node='')}
    """
    fields, damaged = _readable(columns, row)
    kind, message, error_class = (fields.pop(name) for name in ERROR)
    node = fields.pop("error_node", None)
    fields["error"] = None if kind is None else Error(kind, message or "", error_class or "Error", node or "")
    if damaged and "message" in fields:
        fields["message"] = f"of its record cannot be read: {', '.join(damaged)}"
    return fields


def _readable(columns: Sequence[str], row: Row) -> tuple[dict[str, Any], list[str]]:
    """The row by column, its JSON parsed, and the columns whose value is not what such a column holds."""
    fields: dict[str, Any] = {}
    damaged = []
    for column, value in zip(columns, row, strict=True):
        try:
            fields[column] = None if value is None else _checked(column, value)
        except (ValueError, RecursionError):
            damaged.append(column)
            stands_in = None if column in (*_JSON, *_TIMES, *_COUNTS) else ""
            fields[column] = _NEVER_NULL.get(column, stands_in)
    return fields, damaged


def _checked(column: str, value: Any) -> Any:
    if column in _TIMES:
        found = is_time(value)
    elif column in _COUNTS:
        found = isinstance(value, int)
    else:
        found = isinstance(value, str)
        if found and column in _JSON:
            value = json.loads(value)
            found = isinstance(value, dict)
    if not found:
        raise ValueError(column)
    return value


def is_time(value: object) -> TypeGuard[float]:
    """Whether this is what a column of times holds: SQLite keeps whatever was written.

    >>> is_time(10.5), is_time("10.5"), is_time(1e300), is_time(None)
    (True, False, False, False)
    """
    return isinstance(value, int | float) and abs(value) < LATEST


def exception_of(row: Row) -> ExceptionRecord:
    """An exception, of the columns `EXCEPTION`."""
    fields, _ = _readable(EXCEPTION, row)
    index = fields.pop("item_index")
    return ExceptionRecord(index=None if index < 0 else index, **fields)


def run_of(columns: Sequence[str], row: Row, lost: Sequence[str] = ()) -> Run:
    """A run of which these columns were asked for; `lost` are those whose process is known to be gone."""
    fields = fields_of(columns, row)
    fields["namespace"] = fields["namespace"] or ""
    for name in _JSON:
        if name in fields:
            fields[name] = fields[name] or {}
    fields["user"] = fields.pop("login")
    run = Run(**fields)
    # Where the database could not be written, the row still says what was true once.
    return replace(run, phase="Lost") if run.run_id in lost and not run.ended else run


def node_of(row: Row) -> Node:
    """A node, of the columns `NODE`."""
    fields = fields_of(NODE, row)
    if fields["answer"] is not None:
        fields["answer"] = bool(fields["answer"])
    return Node(**fields)


def item_of(row: Row) -> Item:
    """An item of a map, of the columns `ITEM`."""
    fields = fields_of(ITEM, row)
    return Item(fields.pop("item_index"), **fields)


def parsed(text: str | None) -> Mapping[str, Any] | None:
    """JSON that may be missing.

    >>> parsed('{"x": 1}'), parsed(None)
    ({'x': 1}, None)
    """
    return None if text is None else json.loads(text)


def ranges_of(text: str) -> tuple[Range, ...]:
    """Half-open ranges of what the database holds as text.

    >>> ranges_of("0-41,43")
    ((0, 42), (43, 44))
    """
    return IntervalSet.parse(text).ranges()
