"""Numbers about many runs: how many are in which phase, how a day went, which names there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from headwater.records.connection import Connection
from headwater.records.pages import WINDOW, Filter, matching, within
from headwater.records.rows import is_time

DAY_SECONDS = 86_400
SAMPLE = 1_000
"""Durations of a day are taken from its latest runs that succeeded, at most so many."""

MOST_NAMES = 1_000
FILTERS = {
    "names": "name", "projects": "project", "namespaces": "namespace", "backends": "backend", "users": "login",
}  # fmt: skip
"""What the list of runs can be filtered by, and the column of each."""

_COUNTED = {"name": "name", "project": "project", "backend": "backend", "user": "login"}
"""The fields of a filter by which runs are counted as they change, and the kind of each in `run_count`."""


@dataclass(frozen=True, slots=True)
class Day:
    """The runs that were started on a day (UTC); `p50` and `p95` are seconds that those that succeeded took."""

    day: str
    succeeded: int = 0
    failed: int = 0
    other: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """How many runs are in which phase, and how the latest days went, today the last.

    `unfollowed` names the fields of the filter that the numbers know nothing of.
    """

    phases: dict[str, int]
    days: tuple[Day, ...]
    unfollowed: tuple[str, ...] = ()


def trend(connection: Connection, wanted: Filter, *, now: float, count: int = 30) -> Trend:
    """How the runs went that a filter lets pass; `phases` counts all of them, whatever phase is wanted.

    The times of the filter do not matter. Namespace, phase and one of workflow, project, backend and user are
    answered from counts that are kept. What stands beside is followed where that leaves at most `WINDOW` runs, which
    are then looked at; else it is not.
    """
    first = int(now // DAY_SECONDS) - count + 1
    days = range(first, first + count)
    fields = [field for field in _COUNTED if getattr(wanted, field) is not None]
    kept = {field: _kept_phases(connection, _only(wanted, field)) for field in fields or [""]}
    narrowest = min(kept, key=lambda field: sum(kept[field].values()))
    beside = [*fields, *(("label",) if wanted.labels else ()), *(("text",) if wanted.text else ())]
    beside = [field for field in beside if field != narrowest]
    if beside and sum(kept[narrowest].values()) <= WINDOW:
        return _looked_at(connection, wanted, days)
    found = _kept_days(connection, _only(wanted, narrowest), wanted.phases, days)
    return Trend(kept[narrowest], found, tuple(beside))


# ---------------------------------------------------------------- from the counts that are kept


def _only(wanted: Filter, field: str) -> Filter:
    """Of a filter its namespaces and one field."""
    others: dict[str, Any] = {other: None for other in _COUNTED if other != field}
    return replace(wanted, phases=(), labels={}, text="", **others)


def _kept_phases(connection: Connection, wanted: Filter) -> dict[str, int]:
    where, given = _kept_where(wanted)
    sql = f"SELECT phase, sum(runs) FROM run_count WHERE {where} GROUP BY phase HAVING sum(runs) > 0 ORDER BY phase"
    return {row[0]: row[1] for row in connection.rows(sql, given)}


def _kept_days(
    connection: Connection, wanted: Filter, of_phases: Sequence[str], days: range
) -> tuple[Day, ...]:
    where, given = _kept_where(wanted)
    sql = (
        "SELECT day, phase, sum(runs) FROM run_count "
        f"WHERE {where} AND day >= :first AND day < :end GROUP BY day, phase"
    )
    counts: dict[int, dict[str, int]] = {day: {} for day in days}
    for day, phase, many in connection.rows(sql, {**given, "first": days.start, "end": days.stop}):
        if not of_phases or phase in of_phases:
            counts[day][phase] = many
    return tuple(
        _day(day, of_day, _durations(connection, wanted, day) if of_day.get("Succeeded") else ())
        for day, of_day in counts.items()
    )


def _kept_where(wanted: Filter) -> tuple[str, dict[str, Any]]:
    """Which of the counts a filter by at most one counted field is about."""
    fields = ((kind, getattr(wanted, field)) for field, kind in _COUNTED.items())
    kind, value = next((pair for pair in fields if pair[1] is not None), ("", ""))
    given: dict[str, Any] = {"kind": kind, "value": value}
    parts = ["kind = :kind", "value = :value"]
    if wanted.namespace is not None:
        parts.append("namespace = :namespace")
        given["namespace"] = wanted.namespace
    if wanted.namespaces is not None:
        part, more = within(wanted.namespaces)
        parts.append(part)
        given.update(more)
    return " AND ".join(parts), given


def _durations(connection: Connection, wanted: Filter, day: int) -> list[float]:
    """What the latest runs of a day took that succeeded."""
    start = float(day * DAY_SECONDS)
    succeeded = replace(wanted, phases=("Succeeded",), since=start, until=start + DAY_SECONDS)
    where, given = matching(connection.dialect, succeeded)
    sql = (
        f"SELECT finished_at - started_at FROM run{where} AND finished_at IS NOT NULL "
        f"ORDER BY started_at DESC LIMIT {SAMPLE}"
    )
    return [duration for (duration,) in connection.rows(sql, given) if is_time(duration)]


# ---------------------------------------------------------------- from the runs themselves


def _looked_at(connection: Connection, wanted: Filter, days: range) -> Trend:
    where, given = matching(connection.dialect, replace(wanted, phases=()))
    phases: dict[str, int] = {}
    counts: dict[int, dict[str, int]] = {}
    took: dict[int, list[float]] = {}
    for phase, started_at, finished_at in connection.rows(
        f"SELECT phase, started_at, finished_at FROM run{where}", given
    ):
        phases[phase] = phases.get(phase, 0) + 1
        if not is_time(started_at):
            continue
        if wanted.phases and phase not in wanted.phases:
            continue
        day = int(started_at // DAY_SECONDS)
        of_day = counts.setdefault(day, {})
        of_day[phase] = of_day.get(phase, 0) + 1
        if phase == "Succeeded" and is_time(finished_at):
            took.setdefault(day, []).append(finished_at - started_at)
    found = tuple(_day(day, counts.get(day, {}), took.get(day, ())) for day in days)
    return Trend(dict(sorted(phases.items())), found)


def _day(day: int, counts: dict[str, int], took: Iterable[float]) -> Day:
    ordered = sorted(max(0.0, duration) for duration in took)
    succeeded = counts.get("Succeeded", 0)
    failed = counts.get("Failed", 0) + counts.get("Lost", 0)
    return Day(
        datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat(),
        succeeded,
        failed,
        sum(counts.values()) - succeeded - failed,
        quantile(ordered, 0.5),
        quantile(ordered, 0.95),
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
        found[key] = [value for (value,) in connection.rows(sql) if value and isinstance(value, str)]
    return found


def _names_within(connection: Connection, namespaces: Sequence[str]) -> dict[str, list[str]]:
    where, given = within(namespaces)
    columns = ", ".join(FILTERS.values())
    latest = f"SELECT {columns} FROM run WHERE {where} ORDER BY started_at DESC LIMIT {WINDOW}"
    rows = connection.rows(f"SELECT DISTINCT {columns} FROM ({latest}) AS latest", given)
    return {
        key: sorted({row[at] for row in rows if row[at] and isinstance(row[at], str)})[:MOST_NAMES]
        for at, key in enumerate(FILTERS)
    }
