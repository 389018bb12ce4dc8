"""Numbers about many runs: how many are in which phase, how a day went, which names there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from headwater.records.connection import Connection
from headwater.records.pages import WINDOW, within

DAY_SECONDS = 86_400
SAMPLE = 1_000
"""Durations of a day are taken from its latest runs that succeeded, at most so many."""

MOST_NAMES = 1_000
FILTERS = {
    "names": "name", "projects": "project", "namespaces": "namespace", "backends": "backend", "users": "login",
}  # fmt: skip
"""What the list of runs can be filtered by, and the column of each."""


@dataclass(frozen=True, slots=True)
class Day:
    """The runs that were started on a day (UTC); `p50` and `p95` are seconds that those that succeeded took."""

    day: str
    succeeded: int = 0
    failed: int = 0
    other: int = 0
    p50: float | None = None
    p95: float | None = None


def phases(connection: Connection, namespaces: Sequence[str] | None = None) -> dict[str, int]:
    """How many runs are in which phase: all, or those of some namespaces."""
    where, given = _within(namespaces)
    sql = f"SELECT phase, sum(runs) FROM run_count WHERE {where} GROUP BY phase HAVING sum(runs) > 0 ORDER BY phase"
    rows = connection.rows(sql, given)
    return {row[0]: row[1] for row in rows}


def _within(namespaces: Sequence[str] | None) -> tuple[str, dict[str, str]]:
    return ("1 = 1", {}) if namespaces is None else within(namespaces)


def days(
    connection: Connection, *, now: float, count: int = 30, namespaces: Sequence[str] | None = None
) -> list[Day]:
    """The latest days, today the last."""
    first = int(now // DAY_SECONDS) - count + 1
    where, within_these = _within(namespaces)
    sql = (
        "SELECT day, phase, sum(runs) FROM run_count "
        f"WHERE day >= :first AND day < :end AND {where} GROUP BY day, phase"
    )
    counts: dict[int, dict[str, int]] = {}
    given = {"first": first, "end": first + count, **within_these}
    for day, phase, many in connection.rows(sql, given):
        counts.setdefault(day, {})[phase] = many
    return [
        _day(connection, day * DAY_SECONDS, counts.get(day, {}), namespaces)
        for day in range(first, first + count)
    ]


def _day(
    connection: Connection, start: int, counts: Mapping[str, int], namespaces: Sequence[str] | None
) -> Day:
    where, within_these = _within(namespaces)
    sql = (
        "SELECT finished_at - started_at FROM run WHERE phase = 'Succeeded' AND finished_at IS NOT NULL "
        f"AND started_at >= :start AND started_at < :end AND {where} ORDER BY started_at DESC LIMIT {SAMPLE}"
    )
    succeeded = counts.get("Succeeded", 0)
    given = {"start": start, "end": start + DAY_SECONDS, **within_these}
    rows = connection.rows(sql, given) if succeeded else []
    took = sorted(max(0.0, duration) for (duration,) in rows)
    failed = counts.get("Failed", 0) + counts.get("Lost", 0)
    return Day(
        datetime.fromtimestamp(start, UTC).date().isoformat(),
        succeeded,
        failed,
        sum(counts.values()) - succeeded - failed,
        quantile(took, 0.5),
        quantile(took, 0.95),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which this share of the ordered values lies; None of nothing.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([], 0.5)
    (2.0, None)
    """
    if not ordered:
        return None
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def filter_names(connection: Connection, namespaces: Sequence[str] | None = None) -> dict[str, list[str]]:
    """What there is to filter by, in order; of more than `MOST_NAMES` the first.

    Each name is one step in an index, however many runs have it. Of some namespaces only, it is what their latest
    `WINDOW` runs have.
    """
    if namespaces is not None:
        return _names_within(connection, namespaces)
    found = {}
    for key, column in FILTERS.items():
        sql = (
            f"WITH RECURSIVE step(value) AS (SELECT min({column}) FROM run UNION ALL "
            f"SELECT (SELECT min({column}) FROM run WHERE {column} > step.value) FROM step "
            f"WHERE step.value IS NOT NULL) SELECT value FROM step WHERE value IS NOT NULL LIMIT {MOST_NAMES}"
        )
        found[key] = [value for (value,) in connection.rows(sql) if value]
    return found


def _names_within(connection: Connection, namespaces: Sequence[str]) -> dict[str, list[str]]:
    where, given = within(namespaces)
    columns = ", ".join(FILTERS.values())
    latest = f"SELECT {columns} FROM run WHERE {where} ORDER BY started_at DESC LIMIT {WINDOW}"
    rows = connection.rows(f"SELECT DISTINCT {columns} FROM ({latest}) AS latest", given)
    return {key: sorted({row[at] for row in rows if row[at]})[:MOST_NAMES] for at, key in enumerate(FILTERS)}
