"""Retention: remove runs that ended long ago, with all that belongs to them, a few at a time."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from headwater.errors import UsageError
from headwater.records.connection import Connection, Step
from headwater.records.log_files import log_file
from headwater.records.reading import reading

logger = logging.getLogger("headwater.records")

BATCH = 500
"""Runs that are removed in one transaction."""

OF_RUNS = ("block", "edge", "attempt", "map_item", "map_slice", "runtime_exception")
CONTENTS = {"document": "document_digest", "configuration": "configuration_digest"}
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_OLD = (
    "finished_at IS NOT NULL AND finished_at < :before AND phase NOT IN ('Pending', 'Running', 'Suspended')"
)


def seconds_of(age: str) -> float:
    """The seconds of an age such as `90d`.

    >>> seconds_of("90d"), seconds_of("12h")
    (7776000.0, 43200.0)

    Raises:
        UsageError: it is not an age.
    """
    match = re.fullmatch(r"(\d{1,6})([mhdw])", age)
    if match is None:
        raise UsageError(f"{age!r} is not an age", fix="Write it as a number and m, h, d or w, such as 90d.")
    return float(int(match[1]) * _SECONDS[match[2]])


def prune(url: str, *, before: float, dry_run: bool = False) -> dict[str, int]:
    """Remove the runs that ended before a moment; how many rows of which table were removed, or would be.

    Each run goes with its log on this machine, and its rows in one transaction. Documents and configurations that no
    run refers to any more go last. Artifacts and the cache stay: what else uses them is not known here.

    >>> prune("sqlite:////nowhere/headwater.db", before=0.0)
    {}
    """
    with reading(url) as connection:
        if connection is None:
            return {}
        if dry_run:
            return _counted(connection, before)
        removed: dict[str, int] = {}
        while batch := _batch(connection, before):
            logs = _logs_removed(batch)  # before the rows, by which they are found again after a crash
            for name, count in {**_removed(connection, batch), "log": logs}.items():
                removed[name] = removed.get(name, 0) + count
        return {**removed, **_contents_removed(connection, before)}


def _counted(connection: Connection, before: float) -> dict[str, int]:
    old = f"SELECT run_id FROM run WHERE {_OLD}"
    counts = {"run": _count(connection, f"run WHERE {_OLD}", {"before": before})}
    for table in OF_RUNS:
        counts[table] = _count(connection, f"{table} WHERE run_id IN ({old})", {"before": before})
    for table, column in CONTENTS.items():
        kept = f"SELECT 1 FROM run WHERE {column} = {table}.digest AND NOT ({_OLD})"
        where = f"{table} WHERE created_at < :before AND NOT EXISTS ({kept})"
        counts[table] = _count(connection, where, {"before": before})
    old_runs = connection.rows(f"SELECT run_id FROM run WHERE {_OLD}", {"before": before})
    return {**counts, "log": sum(log.exists() for log in _logs_of([run_id for (run_id,) in old_runs]))}


def _logs_of(run_ids: Sequence[str]) -> list[Path]:
    logs = []
    for run_id in run_ids:
        with suppress(UsageError):  # a damaged id names no file
            logs.append(log_file(run_id))
    return logs


def _logs_removed(run_ids: Sequence[str]) -> int:
    removed = 0
    for log in _logs_of(run_ids):
        try:
            log.unlink()
            removed += 1
        except FileNotFoundError:
            pass  # it printed nothing, or ran elsewhere
        except OSError as error:
            logger.warning("the log %s stays: %s", log, error)
    return removed


def _batch(connection: Connection, before: float) -> list[str]:
    sql = f"SELECT run_id FROM run WHERE {_OLD} ORDER BY started_at LIMIT {BATCH}"
    return [run_id for (run_id,) in connection.rows(sql, {"before": before})]


def _removed(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    given = {f"r{at}": run_id for at, run_id in enumerate(run_ids)}
    where = f"WHERE run_id IN ({', '.join(f':{name}' for name in given)})"
    tables = (*OF_RUNS, "run")
    counts = {table: _count(connection, f"{table} {where}", given) for table in tables}
    steps: list[Step] = [(f"DELETE FROM {table} {where}", given) for table in tables]
    connection.write({}, steps)
    return counts


def _contents_removed(connection: Connection, before: float) -> dict[str, int]:
    """What was stored a moment ago stays: the run that refers to it may not be written yet."""
    counts, steps = {}, []
    for table, column in CONTENTS.items():
        kept = f"SELECT 1 FROM run WHERE {column} = {table}.digest"
        where = f"{table} WHERE created_at < :before AND NOT EXISTS ({kept})"
        counts[table] = _count(connection, where, {"before": before})
        steps.append((f"DELETE FROM {where}", {"before": before}))
    connection.write({}, steps)
    return counts


def _count(connection: Connection, source: str, given: Mapping[str, object]) -> int:
    ((count,),) = connection.rows(f"SELECT count(*) FROM {source}", given)
    return int(count)
