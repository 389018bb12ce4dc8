"""Exceptions of a run put in groups of those that are alike, the first cause first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from headwater.records.connection import Connection, Row

MOST = 100_000
"""Exceptions of a run that are looked at."""

MOST_NODES = 50
_DERIVED = "MapFailed"
_VARIES = re.compile(
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"  # a UUID
    r"|0x[0-9a-fA-F]+|\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
    r"|(?<!\w)'[^']*'(?!\w)|\"[^\"]*\""  # a quoted name; an apostrophe quotes nothing
    r"|(?<!\w)(?:/[\w.\-]+){2,}"  # a path
    r"|\d+(?:\.\d+)?(?:e[-+]?\d+)?"
)


@dataclass(slots=True)
class Group:
    """Exceptions of one type whose messages differ in numbers and quoted names only."""

    signature: str
    type: str
    error_class: str
    message: str
    first_at: float | None
    key: tuple[str, int, int]
    count: int = 0
    nodes: dict[str, None] = field(default_factory=dict)


def likeness(kind: str, message: str) -> str:
    """What is the same for exceptions that are alike.

    >>> likeness("KeyError", "no 'x' in row 17")
    'KeyError: no … in row …'
    """
    return f"{kind}: {_VARIES.sub('…', message[:2000])}"


def groups_of(connection: Connection, run_id: str) -> list[Group]:
    """The groups of a run. That a map failed is a consequence: it comes after what happened in the map."""
    sql = (
        "SELECT path, item_index, attempt, type, substr(message, 1, 2000), error_class, raised_at "
        "FROM runtime_exception WHERE run_id = :run "
        f"ORDER BY raised_at IS NULL, raised_at, path, item_index, attempt LIMIT {MOST}"
    )
    found: dict[str, Group] = {}
    for path, index, attempt, kind, message, error_class, raised_at in connection.rows(sql, {"run": run_id}):
        text = likeness(kind, message)
        if text not in found:
            signature = hashlib.sha256(text.encode()).hexdigest()[:16]
            found[text] = Group(signature, kind, error_class, message, raised_at, (path, index, attempt))
        group = found[text]
        group.count += 1
        if len(group.nodes) < MOST_NODES:
            group.nodes[path] = None
    return sorted(found.values(), key=lambda group: group.type == _DERIVED)


def count(connection: Connection, run_id: str) -> int:
    """How many exceptions the run has."""
    ((found,),) = connection.rows(
        "SELECT count(*) FROM runtime_exception WHERE run_id = :run", {"run": run_id}
    )
    return int(found)


def traceback_of(connection: Connection, run_id: str, key: Sequence[object]) -> str:
    """The traceback of one exception."""
    path, index, attempt = key
    sql = (
        "SELECT traceback FROM runtime_exception "
        "WHERE run_id = :run AND path = :path AND item_index = :item AND attempt = :attempt"
    )
    rows: list[Row] = connection.rows(sql, {"run": run_id, "path": path, "item": index, "attempt": attempt})
    return str(rows[0][0]) if rows else ""
