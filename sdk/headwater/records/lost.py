"""Runs whose process ended without a word: found when somebody next looks, and marked `Lost`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from headwater.errors import RecordsError
from headwater.records.connection import Connection, Step
from headwater.records.process import host_name, is_gone

SILENT_AFTER = 120.0
"""Seconds without a heartbeat after which a run on another machine counts as lost."""

_PATIENCE = 0.2
_UNFINISHED = "phase IN ('Pending', 'Running', 'Suspended')"


# The version stands guard: a run that has written since we read it is not touched.
_LOSE_RUN = (
    "UPDATE run SET phase = 'Lost', message = :message, finished_at = coalesce("
    "(SELECT max(coalesce(finished_at, started_at)) FROM block WHERE run_id = :run), :at) "
    f"WHERE run_id = :run AND version = :version AND {_UNFINISHED}"
)
_LOSE_NODES = tuple(
    f"UPDATE {table} SET phase = 'Lost' WHERE run_id = :run AND phase IN ('Running', 'Suspended') "
    "AND EXISTS (SELECT 1 FROM run WHERE run_id = :run AND phase = 'Lost')"
    for table in ("block", "attempt")
)


def mark_lost(url: str) -> list[str]:
    """Mark the runs whose process is gone as `Lost`, with what was running in them; their ids.

    >>> mark_lost("sqlite:////nowhere/headwater.db")
    []
    """
    from headwater.records.reading import reading

    with reading(url) as connection:
        return [] if connection is None else mark_lost_in(connection)


def mark_lost_in(connection: Connection, now: float | None = None) -> list[str]:
    """The same on an open connection: the runs found, also when the database cannot be written."""
    lost = lost_in(connection, now)
    steps: list[Step] = []
    for given in lost:
        steps.append((_LOSE_RUN, given))
        steps += [(sql, {"run": given["run"]}) for sql in _LOSE_NODES]
    if steps:
        with suppress(RecordsError):  # a database on a read-only disk, or locked: the answer is the same
            connection.patience(_PATIENCE)
            connection.write({}, steps)
    return [given["run"] for given in lost]


def lost_in(connection: Connection, now: float | None = None) -> list[dict[str, Any]]:
    """The runs whose process is gone, and what marking one takes: its id is `run`. Nothing is written."""
    # A run on a cluster has no process that could be gone: it is the operator that says how it ends.
    sql = (
        f"SELECT run_id, host, pid, process, heartbeat_at, version FROM run WHERE {_UNFINISHED} AND pid <> 0"
    )
    lost: list[dict[str, Any]] = []
    rows = connection.rows(sql)
    if not rows:
        return lost
    now = connection.now() if now is None else now
    for run_id, host, pid, process, heartbeat_at, version in rows:
        if not isinstance(pid, int) or not isinstance(process, str):
            continue  # a damaged row says nothing of a process
        if _lives(host, pid, process, heartbeat_at, now):
            continue
        message = f"the process {pid} on {host} ended without a word"
        lost.append({"run": run_id, "at": heartbeat_at, "message": message, "version": version})
    return lost


def _lives(host: str, pid: int, process: str, heartbeat_at: float | None, now: float) -> bool:
    if host != host_name():
        return isinstance(heartbeat_at, int | float) and now - heartbeat_at < SILENT_AFTER
    return not is_gone(host, pid, process)
