"""The list of runs by page, latest first, however many there are.

A page ends with a cursor: the (started_at, run_id) of the last run looked at. What has an index is filtered in
the database however many runs there are. Text and labels have none: of those, a page looks at the next
`WINDOW` runs at most, so that each answer takes the same short time; the cursor then goes on from there.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater.errors import UsageError
from headwater.records.connection import Connection, Row
from headwater.records.model import Run
from headwater.records.rows import RUN, RUN_HEAD, names, run_of

WINDOW = 20_000
"""How many runs one page looks at for a text or a label."""

_LATEST = "ORDER BY started_at DESC, run_id DESC"
_SEARCHED = ("name", "run_id", "message", "error_message", "project", "login")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are asked for; what is empty or None does not matter.

    >>> Filter(phases=("Failed", "Lost"), user="ada").user
    'ada'
    """

    phases: tuple[str, ...] = ()
    name: str | None = None
    project: str | None = None
    namespace: str | None = None
    backend: str | None = None
    user: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None
    until: float | None = None
    text: str = ""
    namespaces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: between this run and those that are older."""

    started_at: float
    run_id: str

    def encode(self) -> str:
        """As opaque text.

        >>> Cursor.decode(Cursor(10.5, "r1").encode())
        Cursor(started_at=10.5, run_id='r1')
        """
        text = json.dumps([self.started_at, self.run_id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """From what `encode` wrote.

        Raises:
            UsageError: it was not written by `encode`.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            started_at, run_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not isinstance(run_id, str) or "\x00" in run_id or not math.isfinite(float(started_at)):
                raise ValueError(run_id)
            run_id.encode()  # no lone surrogates
            return cls(float(started_at), run_id)
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            raise UsageError(
                "the cursor is not one that a page of runs has ended with", fix="Begin with the first page."
            ) from None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, latest first, and where the next page begins; None where there are no more."""

    runs: tuple[Run, ...]
    next: Cursor | None


def page_of_runs(
    connection: Connection, wanted: Filter, *, cursor: Cursor | None = None, limit: int = 50
) -> RunPage:
    """The next runs that the filter lets pass.

    A search for text or labels may answer with fewer than `limit` runs, or none, and a cursor all the same.
    A text that is the id of a run finds that run, wherever it stands.
    """
    if wanted.text or wanted.labels:
        return _searched(connection, wanted, cursor, limit)
    rows: list[Row] = []
    # A query for each phase walks its index and stops after `limit`; one for all phases has nothing to walk.
    for phase in wanted.phases or (None,):
        where, given = _indexed(wanted, cursor, (phase,) if phase else ())
        sql = f"SELECT {names(RUN_HEAD)} FROM run{where} {_LATEST} LIMIT {limit + 1}"
        rows += connection.rows(sql, given)
    rows.sort(key=_place, reverse=True)
    return RunPage(*_cut(rows, limit))


def matching(dialect: str, wanted: Filter) -> tuple[str, dict[str, Any]]:
    """All conditions of a filter, as a WHERE clause, and their parameters.

    >>> matching("sqlite", Filter(name="survey"))
    (' WHERE name = :name', {'name': 'survey'})
    """
    parts, given = _conditions(wanted, None, wanted.phases)
    residual, more_given = _residual(dialect, wanted)
    return _where([*parts, *residual]), {**given, **more_given}


def _searched(connection: Connection, wanted: Filter, cursor: Cursor | None, limit: int) -> RunPage:
    exact = find_run(connection, wanted.text) if wanted.text and cursor is None else None
    if exact is not None and (wanted.namespaces is None or exact.namespace in wanted.namespaces):
        return RunPage((exact,), None)
    where, given = _indexed(wanted, cursor, wanted.phases)
    residual, more_given = _residual(connection.dialect, wanted)
    # The window is a query of its own: else PostgreSQL weighs other ways, and takes a slow one now and then.
    window = f"SELECT {names(RUN_HEAD)} FROM run{where} {_LATEST} LIMIT {WINDOW}"
    sql = f"SELECT {names(RUN_HEAD)} FROM ({window}) AS near{_where(residual)} {_LATEST} LIMIT {limit + 1}"
    runs, after = _cut(connection.rows(sql, {**given, **more_given}), limit)
    if after is not None:
        return RunPage(runs, after)
    edge = f"SELECT started_at, run_id FROM run{where} {_LATEST} LIMIT 1 OFFSET {WINDOW - 1}"
    edges = connection.rows(edge, given)
    return RunPage(runs, Cursor(*edges[0]) if edges else None)


def _indexed(wanted: Filter, cursor: Cursor | None, phases: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The conditions that an index helps with, as a WHERE clause, and their parameters."""
    parts, given = _conditions(wanted, cursor, phases)
    return _where(parts), given


def _conditions(
    wanted: Filter, cursor: Cursor | None, phases: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    equal = {
        "name": wanted.name, "project": wanted.project, "namespace": wanted.namespace,
        "backend": wanted.backend, "login": wanted.user,
    }  # fmt: skip
    given: dict[str, Any] = {column: value for column, value in equal.items() if value is not None}
    parts = [f"{column} = :{column}" for column in given]
    if phases:
        parts.append(f"phase IN ({', '.join(f':phase{at}' for at in range(len(phases)))})")
        given.update({f"phase{at}": phase for at, phase in enumerate(phases)})
    if wanted.namespaces is not None:
        part, more = within(wanted.namespaces)
        parts.append(part)
        given.update(more)
    if wanted.since is not None:
        parts.append("started_at >= :since")
        given["since"] = wanted.since
    if wanted.until is not None:
        parts.append("started_at < :until")
        given["until"] = wanted.until
    if cursor is not None:
        # The first condition is the one that an index finds its place by.
        parts.append("started_at <= :at AND (started_at < :at OR run_id < :run)")
        given.update(at=cursor.started_at, run=cursor.run_id)
    return parts, given


def within(namespaces: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The condition that a run is in one of these namespaces, and its parameters.

    >>> within(["lab", "field"])
    ('namespace IN (:within0, :within1)', {'within0': 'lab', 'within1': 'field'})
    >>> within([])
    ('namespace IN (NULL)', {})
    """
    given = {f"within{at}": namespace for at, namespace in enumerate(namespaces)}
    return f"namespace IN ({', '.join(f':{name}' for name in given) or 'NULL'})", given


def _residual(dialect: str, wanted: Filter) -> tuple[list[str], dict[str, Any]]:
    """The conditions that each run must be looked at for."""
    like = "LIKE" if dialect == "sqlite" else "ILIKE"
    parts: list[str] = []
    given: dict[str, Any] = {}
    if wanted.text:
        parts.append("(" + " OR ".join(f"{column} {like} :text ESCAPE '!'" for column in _SEARCHED) + ")")
        given["text"] = f"%{_literal(wanted.text)}%"
    for at, (key, value) in enumerate(sorted(wanted.labels.items())):
        if dialect == "sqlite":
            valid = "CASE WHEN json_valid(labels) THEN labels END"  # one that is damaged has no labels
            parts.append(
                f"EXISTS (SELECT 1 FROM json_each({valid}) WHERE key = :key{at} AND value = :value{at})"
            )
        else:
            parts.append(f"CAST(labels AS json) ->> :key{at} = :value{at}")
        given.update({f"key{at}": key, f"value{at}": value})
    return parts, given


def _literal(text: str) -> str:
    """Text whose wildcards mean themselves."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return text


def _where(parts: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _cut(rows: Sequence[Row], limit: int) -> tuple[tuple[Run, ...], Cursor | None]:
    """The runs of a page, of rows that go beyond it where there are more, and where the next begins."""
    runs = tuple(run_of(RUN_HEAD, row) for row in rows[:limit])
    return runs, Cursor(*_place(rows[limit - 1])) if len(rows) > limit else None


_RUN_ID, _STARTED_AT = RUN_HEAD.index("run_id"), RUN_HEAD.index("started_at")


def _place(row: Row) -> tuple[float, str]:
    """Where a row stands. What is no number stands before all numbers: SQLite puts text after them."""
    started_at = row[_STARTED_AT]
    is_number = isinstance(started_at, int | float) and math.isfinite(started_at)
    return (started_at if is_number else sys.float_info.max), str(row[_RUN_ID])


def find_run(connection: Connection, run_id: str) -> Run | None:
    """The run with exactly this id, with its values and code."""
    rows = connection.rows(f"SELECT {names(RUN)} FROM run WHERE run_id = :run", {"run": run_id})
    return run_of(RUN, rows[0]) if rows else None
