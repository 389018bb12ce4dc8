"""What has changed in the database since somebody last looked: cheap enough to be asked twice a second."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from headwater.records.connection import Connection, Step
from headwater.records.model import Node, Run
from headwater.records.rows import NODE, RUN_HEAD, is_time, names, node_of, run_of

SKEW_SECONDS = 120.0
"""By how much the clocks of those who write may differ, and how long a row may be on its way."""

MOST = 2_000
"""Runs that are looked at in one go; with more going on at once, the latest are followed."""

_GOES_ON = ("Pending", "Running", "Suspended")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of runs when they were last looked at: run id -> (version, phase), and when the latest began.

    Nobody has `looked` before the first time.
    """

    marks: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    latest: float = 0.0
    looked: bool = False


def changed_runs(connection: Connection, seen: Seen, now: float) -> tuple[list[Run], Seen]:
    """The runs that changed since `seen`, and what is seen now. Nothing has changed at the first look.

    A run that began after `now`, by a clock that was wrong, does not hide those that begin after it.

    >>> from headwater.records.connection import connect
    >>> from headwater.records.schema import ensure_schema
    >>> connection = connect("sqlite://")
    >>> ensure_schema(connection, "sqlite://")
    >>> changed_runs(connection, Seen(), now=10.0)
    ([], Seen(marks={}, latest=0.0, looked=True))
    """
    marks: dict[str, tuple[int, str]] = {}
    latest = seen.latest
    if not seen.looked:
        rows = connection.rows("SELECT started_at FROM run ORDER BY started_at DESC LIMIT 1")
        latest = min(rows[0][0], now) if rows and is_time(rows[0][0]) else 0.0
    head = "SELECT run_id, version, phase, started_at FROM run WHERE"
    questions: list[Step] = [(f"{head} phase = :phase", {"phase": phase}) for phase in _GOES_ON]
    questions.append((f"{head} started_at > :since", {"since": latest - SKEW_SECONDS}))
    for where, given in questions:
        for run_id, version, phase, started_at in connection.rows(
            f"{where} ORDER BY started_at DESC LIMIT {MOST}", given
        ):
            marks[run_id] = (version, phase)
            if is_time(started_at):
                latest = max(latest, min(started_at, now))
    # Those that went on a moment ago and are in neither list any more have ended.
    ended = [run_id for run_id, (_, phase) in seen.marks.items() if phase in _GOES_ON and run_id not in marks]
    changed = [run_id for run_id, mark in marks.items() if seen.marks.get(run_id) != mark]
    return (_runs(connection, [*changed, *ended]) if seen.looked else []), Seen(marks, latest, looked=True)


def _runs(connection: Connection, run_ids: Collection[str]) -> list[Run]:
    wanted = list(run_ids)
    found = []
    for at in range(0, len(wanted), _AT_ONCE):
        given = {f"r{n}": run_id for n, run_id in enumerate(wanted[at : at + _AT_ONCE])}
        listed = ", ".join(f":{name}" for name in given)
        sql = f"SELECT {names(RUN_HEAD)} FROM run WHERE run_id IN ({listed}) ORDER BY started_at, run_id"
        found += [run_of(RUN_HEAD, row) for row in connection.rows(sql, given)]
    return found


def changed_nodes(
    connection: Connection, run_id: str, seen: Mapping[str, tuple[int, str]]
) -> tuple[list[Node], dict[str, tuple[int, str]]]:
    """The nodes of a run whose version or phase is another than in `seen`, and what is seen now."""
    sql = "SELECT path, version, phase FROM block WHERE run_id = :run"
    now = {path: (version, phase) for path, version, phase in connection.rows(sql, {"run": run_id})}
    changed = [path for path, mark in now.items() if seen.get(path) != mark]
    found = []
    for at in range(0, len(changed), _AT_ONCE):
        given = {f"p{n}": path for n, path in enumerate(changed[at : at + _AT_ONCE])}
        listed = ", ".join(f":{name}" for name in given)
        sql = f"SELECT {names(NODE)} FROM block WHERE run_id = :run AND path IN ({listed}) ORDER BY path"
        found += [node_of(row) for row in connection.rows(sql, {**given, "run": run_id})]
    return found, now
